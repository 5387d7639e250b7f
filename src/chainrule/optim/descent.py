"""Gradient descent, plain and with momentum.

>>> import numpy as np
>>> optimizer = momentum(lr=0.5, beta=0.5)
>>> p, state = np.array([8.0]), optimizer.init(np.array([8.0]))
>>> for _ in range(3):  # the loss p^2 / 2 has the gradient p
...     p, state = optimizer.update(p, p, state)
...     print(p)
[4.]
[0.]
[-2.]
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.optim.optimizer import Array, Optimizer, hyperparameter


@dataclass(frozen=True)
class SGD(Optimizer):
    """p <- p - lr g."""

    lr: float = 0.01

    def update_one(self, p: Array, g: Array, t: Array) -> tuple[Array, ...]:
        """One step against the gradient."""
        p = p - self.lr * g
        return (p,)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """v <- beta v + g, then p <- p - lr v."""

    lr: float = 0.01
    beta: float = 0.9
    slots = ("v",)

    def update_one(self, p: Array, g: Array, v: Array, t: Array) -> tuple[Array, ...]:
        """One step against the velocity."""
        v = self.beta * v + g
        p = p - self.lr * v
        return p, v


@dataclass(frozen=True)
class Nesterov(Momentum):
    """v <- beta v + g, then p <- p - lr (g + beta v)."""

    def update_one(self, p: Array, g: Array, v: Array, t: Array) -> tuple[Array, ...]:
        """One step against the velocity that the next step would have."""
        v = self.beta * v + g
        p = p - self.lr * (g + self.beta * v)
        return p, v


def sgd(lr: float = 0.01) -> SGD:
    """Stochastic gradient descent: p <- p - lr g.

    Parameters
    ----------
    lr : float
        The step size.

    References
    ----------
    Robbins, Monro: A Stochastic Approximation Method, 1951.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = sgd(lr=0.1)
    >>> p = np.array([1.0])
    >>> optimizer.update(p, np.array([10.0]), optimizer.init(p))[0]
    array([0.])
    """
    return SGD(hyperparameter("lr", lr))


def momentum(lr: float = 0.01, beta: float = 0.9) -> Momentum:
    """Gradient descent with momentum: v <- beta v + g, then p <- p - lr v.

    Parameters
    ----------
    lr : float
        The step size. A constant gradient ends in steps of lr / (1 - beta) times it.
    beta : float, 0 <= beta < 1
        How much of the velocity stays; 0 is plain descent.

    References
    ----------
    Polyak: Some methods of speeding up the convergence of iteration methods, 1964.
    """
    return Momentum(hyperparameter("lr", lr), hyperparameter("beta", beta, high=1.0))


def nesterov(lr: float = 0.01, beta: float = 0.9) -> Nesterov:
    """Nesterov's momentum: v <- beta v + g, then p <- p - lr (g + beta v).

    Parameters
    ----------
    lr : float
        The step size.
    beta : float, 0 <= beta < 1
        How much of the velocity stays; 0 is plain descent.

    Notes
    -----
    The form in which `p` is the point where the gradient is taken, so that no step has to be taken back.

    References
    ----------
    Nesterov: A method of solving a convex programming problem with convergence rate O(1/k^2), 1983.
    Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep learning, 2013.
    """
    return Nesterov(hyperparameter("lr", lr), hyperparameter("beta", beta, high=1.0))
