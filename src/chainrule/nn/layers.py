"""The dense layer: weights, bias and what comes after, as a value that can be called.

The one idea: a layer is its parameters. It is a frozen dataclass, so it is a pytree: a gradient by a layer is a layer
with gradients in its fields, and strings are static. Both textbook layouts are first class:

| layout     | samples are | pre-activation  | W             | b          |
|------------|-------------|-----------------|---------------|------------|
| `"row"`    | rows        | `Z = X @ W + b` | (n_in, n_out) | (n_out,)   |
| `"column"` | columns     | `Z = W @ X + b` | (n_out, n_in) | (n_out, 1) |

>>> import numpy as np
>>> layer = Dense(np.array([[1.0, -1.0]]), np.array([0.0, 0.5]), activation="relu")
>>> layer
Dense(1 -> 2, relu)
>>> layer(np.array([[2.0], [0.0]]))
array([[2. , 0. ],
       [0. , 0.5]])

Fields are never validated here: they may be traced values or gradients. `mlp` validates what it builds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.nn.activations import ACTIVATIONS, ALONG_AXIS, Array

LAYOUTS = ("row", "column")


@dataclass(frozen=True, eq=False, repr=False)
class Dense:
    """An affine map and an activation.

    Attributes
    ----------
    W : array, shape (n_in, n_out), or (n_out, n_in) in column layout
    b : array, shape (n_out,), or (n_out, 1) in column layout
    activation : str or callable
        A name in `ACTIVATIONS`, or a function of Z.
    layout : {"row", "column"}
        Whether samples are the rows or the columns of X.
    """

    W: Array
    b: Array
    activation: str | Callable[..., Any] = "identity"
    layout: str = "row"

    def __call__(self, X: Array) -> Array:
        """The activation A of X, shape (N, n_in) -> (N, n_out), or (n_in, N) -> (n_out, N) in column layout."""
        Z = X @ self.W + self.b if self.layout == "row" else self.W @ X + self.b
        return self.activate(Z)

    def activate(self, Z: Array) -> Array:
        """The activation of pre-activations Z; softmax runs over the units of a sample."""
        if callable(self.activation):
            return self.activation(Z)
        if self.activation in ALONG_AXIS:
            return ALONG_AXIS[self.activation](Z, axis=-1 if self.layout == "row" else 0)
        return ACTIVATIONS[self.activation](Z)

    @property
    def n_in(self) -> int:
        """The number of inputs."""
        return self.W.shape[0 if self.layout == "row" else 1]

    @property
    def n_out(self) -> int:
        """The number of outputs."""
        return self.W.shape[1 if self.layout == "row" else 0]

    @property
    def parameter_count(self) -> int:
        """The number of entries of W and b."""
        return self.n_in * self.n_out + self.n_out

    @property
    def activation_name(self) -> str:
        """The activation's name, also when it is a function."""
        return self.activation if isinstance(self.activation, str) else getattr(self.activation, "__name__", "function")

    def __repr__(self) -> str:
        layout = ", column layout" if self.layout == "column" else ""
        return f"Dense({self.n_in} -> {self.n_out}, {self.activation_name}{layout})"
