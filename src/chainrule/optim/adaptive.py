"""Update rules that give each entry its own step size: rmsprop, adam, adamw.

All divide the gradient by a running root mean square of itself, so the size of a step hardly depends on the scale of
the loss: the first step of adam is lr against the sign of the gradient.

>>> import numpy as np
>>> optimizer = adam(lr=0.1)
>>> p = np.array([1.0, 1.0])
>>> p, state = optimizer.update(p, np.array([1000.0, -0.001]), optimizer.init(p))
>>> p.round(4)
array([0.9, 1.1])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.optim.optimizer import Array, Optimizer, hyperparameter


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """v <- beta v + (1 - beta) g^2, then p <- p - lr g / (sqrt(v) + eps)."""

    lr: float = 1e-3
    beta: float = 0.9
    eps: float = 1e-8
    slots = ("v",)

    def update_one(self, p: Array, g: Array, v: Array, t: Array) -> tuple[Array, ...]:
        """One step against the gradient divided by its root mean square."""
        v = self.beta * v + (1 - self.beta) * g**2
        p = p - self.lr * g / (np.sqrt(v) + self.eps)
        return p, v


@dataclass(frozen=True)
class Adam(Optimizer):
    """Running means m of g and v of g^2, corrected for their start at 0; p <- p - lr m_hat / (sqrt(v_hat) + eps)."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    slots = ("m", "v")

    def update_one(self, p: Array, g: Array, m: Array, v: Array, t: Array) -> tuple[Array, ...]:
        """One step against the corrected mean divided by the corrected root mean square."""
        step, m, v = self.direction(g, m, v, t)
        p = p - self.lr * step
        return p, m, v

    def direction(self, g: Array, m: Array, v: Array, t: Array) -> tuple[Array, ...]:
        """m_hat / (sqrt(v_hat) + eps) and the new means; after t steps m holds 1 - beta1^t of a constant gradient."""
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        step = m_hat / (np.sqrt(v_hat) + self.eps)
        return step, m, v


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: p <- p - lr (m_hat / (sqrt(v_hat) + eps) + weight_decay p)."""

    weight_decay: float = 0.01

    def update_one(self, p: Array, g: Array, m: Array, v: Array, t: Array) -> tuple[Array, ...]:
        """One step of adam and one towards 0."""
        step, m, v = self.direction(g, m, v, t)
        p = p - self.lr * (step + self.weight_decay * p)
        return p, m, v


def rmsprop(lr: float = 1e-3, beta: float = 0.9, eps: float = 1e-8) -> RMSprop:
    """RMSprop: v <- beta v + (1 - beta) g^2, then p <- p - lr g / (sqrt(v) + eps).

    Parameters
    ----------
    lr : float
        The step size; the first step is lr / sqrt(1 - beta) against the sign of the gradient.
    beta : float, 0 <= beta < 1
        How much of the mean square stays.
    eps : float
        Keeps the division finite where the gradient has always been 0.

    References
    ----------
    Tieleman, Hinton: Lecture 6.5, rmsprop: divide the gradient by a running average of its recent magnitude, 2012.
    """
    return RMSprop(hyperparameter("lr", lr), hyperparameter("beta", beta, high=1.0), hyperparameter("eps", eps))


def adam(lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Adam:
    """Adam: running means of the gradient and of its square.

    Parameters
    ----------
    lr : float
        The step size, about the size of the first steps.
    beta1, beta2 : float, 0 <= beta < 1
        How much of the mean and of the mean square stays.
    eps : float
        Keeps the division finite where the gradient has always been 0.

    Notes
    -----
    With step count t = 1, 2, ...::

        m <- beta1 m + (1 - beta1) g          m_hat = m / (1 - beta1^t)
        v <- beta2 v + (1 - beta2) g^2        v_hat = v / (1 - beta2^t)
        p <- p - lr m_hat / (sqrt(v_hat) + eps)

    References
    ----------
    Kingma, Ba: Adam: A Method for Stochastic Optimization, 2015.
    """
    return Adam(
        hyperparameter("lr", lr),
        hyperparameter("beta1", beta1, high=1.0),
        hyperparameter("beta2", beta2, high=1.0),
        hyperparameter("eps", eps),
    )


def adamw(
    lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.01
) -> AdamW:
    """Adam with decoupled weight decay: each step also moves every parameter by lr * weight_decay of itself to 0.

    Parameters
    ----------
    lr, beta1, beta2, eps : float
        As in `adam`.
    weight_decay : float
        The decay, of weights and biases alike. It is not part of the gradient, so it is not divided by its size.

    References
    ----------
    Loshchilov, Hutter: Decoupled Weight Decay Regularization, 2019.
    """
    return AdamW(
        hyperparameter("lr", lr),
        hyperparameter("beta1", beta1, high=1.0),
        hyperparameter("beta2", beta2, high=1.0),
        hyperparameter("eps", eps),
        hyperparameter("weight_decay", weight_decay),
    )
