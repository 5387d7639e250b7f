"""What an optimizer is: hyperparameters, a state, and one update rule for one array.

The one idea: an update rule is plain NumPy on one parameter array, written once, and mapped over the tree of
parameters. So the same text is run on arrays, traced into the training step, shown, and emitted.

>>> params = {"w": np.array([1.0, 2.0])}
>>> from chainrule.optim import sgd
>>> optimizer = sgd(lr=0.1)
>>> state = optimizer.init(params)
>>> params, state = optimizer.update(params, {"w": np.array([10.0, -10.0])}, state)
>>> params["w"], state["t"]
(array([0., 3.]), 1.0)

An optimizer never changes an array in place, and keeps nothing: what changes is in the state that it returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.pytree import flatten, tree_map, unflatten

Array = Any  # an ndarray, a NumPy scalar or a traced value


@dataclass(frozen=True)
class Optimizer(ABC):
    """The part that all update rules share; a subclass names its slots and states `update_one`.

    Attributes
    ----------
    lr : float
        The step size. Hyperparameters are Python floats, which leave float32 parameters float32.
    slots : tuple of str
        What is remembered of each parameter, in arrays of its shape that start at 0.
    """

    lr: float
    slots: ClassVar[tuple[str, ...]] = ()

    def init(self, params: Any) -> dict[str, Any]:
        """The state before the first step: the step count `t` and one tree for each slot."""
        return {"t": 0.0, **{slot: tree_map(np.zeros_like, params) for slot in self.slots}}

    def update(self, params: Any, grads: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """One step.

        Parameters
        ----------
        params : pytree of arrays
        grads : pytree of the same structure
            The derivatives of the loss by `params`.
        state : dict
            What `init` or the last `update` returned.

        Returns
        -------
        (params, state) after the step; nothing is changed in place

        Raises
        ------
        ArgumentError
            If `grads` or the state does not have the leaves of `params`.
        """
        t = weak(state["t"]) + 1
        leaves, structure = flatten(params)
        columns = [leaves, leaves_like(leaves, "grads", grads)]
        columns += [leaves_like(leaves, f"state[{slot!r}]", state[slot]) for slot in self.slots]
        rows = [self.update_one(*row, t) for row in zip(*columns, strict=True)]
        params, *slots = (unflatten(structure, column) for column in zip(*rows, strict=True))
        return params, {"t": t, **dict(zip(self.slots, slots, strict=True))}

    @abstractmethod
    def update_one(self, p: Array, g: Array, *slots_and_t: Array) -> tuple[Array, ...]:
        """The new parameter and its new slots, from the gradient `g`, the slots and the step count `t` = 1, 2, ..."""


def weak(t: Any) -> Any:
    """The step count as a Python float: a NumPy scalar, as from a file, would turn float32 parameters into float64."""
    return float(t) if isinstance(t, (np.ndarray, np.generic)) else t


def leaves_like(leaves: list[Any], name: str, tree: Any) -> list[Any]:
    """The leaves of `tree`, one for each leaf of the parameters."""
    found = flatten(tree)[0]
    if len(found) != len(leaves):
        raise ArgumentError(f"{name} has {len(found)} arrays, but params has {len(leaves)}: the trees must be alike")
    return found


def hyperparameter(name: str, value: float, low: float = 0.0, high: float = float("inf")) -> float:
    """`value` as a Python float, if low <= value < high."""
    if not low <= value < high:
        bounds = f"at least {low:g}" + (f" and below {high:g}" if high < float("inf") else "")
        raise ArgumentError(f"{name} is {value}, but must be {bounds}")
    return float(value)
