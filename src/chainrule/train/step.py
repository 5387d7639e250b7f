"""One training step as one program: loss, backward pass and the optimizer's update.

The one idea: the step is a plain function of (network, state, X, y). It is staged once with `jit`; what runs for every
batch is the NumPy program that was derived from it, and `source` shows that program.

It never loops over data: that is `loop.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from chainrule.compilation import Compiled
from chainrule.jitting import jit
from chainrule.transforms import value_and_grad

Loss = Callable[[Any, Any], Any]  # (outputs, y) -> scalar


class Optimizer(Protocol):
    """What the loop needs of an optimizer; see `chainrule.optim`."""

    def init(self, params: Any) -> Any:
        """The state before the first step."""

    def update(self, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """Parameters and state after a step."""


class CompiledStep(Protocol):
    """A staged training step."""

    def __call__(self, network: Any, state: Any, X: Any, y: Any) -> tuple:
        """Run one step: (loss before the update, network, state)."""

    def source(self, network: Any, state: Any, X: Any, y: Any) -> str:
        """The text of the program that runs for such arguments."""

    def staged(self, network: Any, state: Any, X: Any, y: Any) -> Compiled:
        """The staged program for such arguments."""


@dataclass(frozen=True)
class FirstStep:
    """What went into the first step of a training, so that it can be run again here and elsewhere."""

    step: CompiledStep
    network: Any
    state: Any
    X: np.ndarray
    y: np.ndarray

    @functools.cached_property
    def results(self) -> tuple:
        """What the NumPy program makes of it: (loss, network, state)."""
        return self.step(self.network, self.state, self.X, self.y)


def build_step(loss: Loss, optimizer: Optimizer, with_gradients: bool = False) -> CompiledStep:
    """The compiled step ``(network, state, X, y) -> (loss, network, state)``.

    Parameters
    ----------
    loss : callable
        ``loss(outputs, y)``, a scalar: the mean over the samples of a batch.
    optimizer : Optimizer
        Whose `update` becomes part of the program.
    with_gradients : bool
        The step returns its gradients as a fourth result, so that they can be compared with something.
    """

    def loss_of(network: Any, X: Any, y: Any) -> Any:
        return loss(network(X), y)

    loss_of.__name__ = "loss"  # what the emitted step calls its value

    def train_step(network: Any, state: Any, X: Any, y: Any) -> tuple:
        value, gradients = value_and_grad(loss_of, wrt="network")(network, X, y)
        trained, state = optimizer.update(network, gradients, state)
        return (value, trained, state, gradients) if with_gradients else (value, trained, state)

    return cast(CompiledStep, jit(train_step))  # jit gives its wrapper a `source`, which no Callable type can say
