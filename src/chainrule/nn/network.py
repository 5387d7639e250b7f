"""A network: layers applied one after the other, and `mlp`, which makes one from its sizes.

>>> net = mlp(784, 256, 10)
>>> net
Network(784 -> 256 relu -> 10 identity: 203,530 parameters)
>>> net(np.zeros((32, 784))).shape
(32, 10)

A network is a pytree like its layers: the gradient by a network is a network, and `optim` updates it as a whole.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import ArgumentError, DtypeError
from chainrule.nn.activations import ACTIVATIONS, Array, known_name
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.layers import LAYOUTS, Dense

RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "silu")


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """Layers that are applied in order.

    Attributes
    ----------
    layers : tuple of Dense
    """

    layers: tuple[Dense, ...]

    def __call__(self, X: Array) -> Array:
        """The last layer's output; X has shape (N, n_in), or (n_in, N) in column layout."""
        A = X
        for layer in self.layers:
            A = layer(A)
        return A

    @property
    def parameter_count(self) -> int:
        """The number of weights and biases."""
        return sum(layer.parameter_count for layer in self.layers)

    def summary(self) -> str:
        """A table of the layers: sizes, activation, parameters.

        Examples
        --------
        >>> print(mlp(2, 4, 3, activation="tanh", output="softmax").summary())
        layer  inputs  outputs  activation  parameters
            1       2        4  tanh                12
            2       4        3  softmax             15
        total                                       27
        """
        head = ("layer", "inputs", "outputs", "activation", "parameters")
        rows = [
            (str(i), str(layer.n_in), str(layer.n_out), layer.activation_name, f"{layer.parameter_count:,}")
            for i, layer in enumerate(self.layers, 1)
        ]
        table = [head, *rows, ("total", "", "", "", f"{self.parameter_count:,}")]
        widths = [max(len(row[column]) for row in table) for column in range(len(head))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if column == 3 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        )

    def __repr__(self) -> str:
        if not self.layers:
            return "Network()"
        arrows = " -> ".join(f"{layer.n_out} {layer.activation_name}" for layer in self.layers)
        layout = " in column layout" if self.layers[0].layout == "column" else ""
        return f"Network({self.layers[0].n_in} -> {arrows}: {self.parameter_count:,} parameters{layout})"


def mlp(
    *sizes: int,
    activation: str | Callable[..., Any] = "relu",
    output: str | Callable[..., Any] = "identity",
    rng: int | np.random.Generator | None = 0,
    initializer: str | Callable[..., Any] | None = None,
    layout: str = "row",
    dtype: DTypeLike = np.float64,
) -> Network:
    """A multilayer perceptron with the given sizes.

    Parameters
    ----------
    *sizes : int
        Inputs, hidden units of each layer, outputs. Two numbers mean no hidden layer.
    activation : str or callable
        Of the hidden layers.
    output : str or callable
        Of the last layer. The losses that take logits (`softmax_cross_entropy`) want "identity".
    rng : int, numpy.random.Generator or None
        Seed or source of the weights; None draws a fresh seed.
    initializer : str, callable or None
        ``initializer(rng, n_in, n_out, dtype)``. None takes `he_normal` before an activation of the relu family and
        `glorot_uniform` before any other. Biases start at 0.
    layout : {"row", "column"}
        Whether samples are rows or columns. The same seed gives the transposed net.
    dtype : float dtype
        The same seed gives the same net, rounded.

    Returns
    -------
    Network

    Raises
    ------
    ArgumentError
        If a size is not a positive integer, or a name is unknown.
    DtypeError
        If `dtype` is not a floating one.

    Examples
    --------
    >>> net = mlp(2, 8, 1, activation="tanh", layout="column", dtype="float32")
    >>> net.layers[0].W.shape, net.layers[0].b.shape, net.layers[0].W.dtype.name
    ((8, 2), (8, 1), 'float32')
    """
    sizes = tuple(positive_size(size, position) for position, size in enumerate(sizes))
    if len(sizes) < 2:
        raise ArgumentError(f"mlp needs at least an input and an output size, as in mlp(784, 256, 10); it got {sizes}")
    for option, name, known in (
        ("activation", activation, ACTIVATIONS),
        ("output", output, ACTIVATIONS),
        ("initializer", initializer, INITIALIZERS),
        ("layout", layout, LAYOUTS),
    ):
        if name is not None and not callable(name):
            known_name(option, name, known)
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise DtypeError(f"weights must be floating, for example float64 or float32, not {dtype}")
    rng = np.random.default_rng(rng)
    layers: list[Dense] = []
    for n_in, n_out in itertools.pairwise(sizes):
        name = output if len(layers) == len(sizes) - 2 else activation
        W = starting_weights(initializer, name)(rng, n_in, n_out, dtype)
        b = np.zeros(n_out, dtype)
        if layout == "column":
            W, b = np.ascontiguousarray(W.T), b[:, None]
        layers.append(Dense(W, b, name, layout))
    return Network(tuple(layers))


def starting_weights(
    initializer: str | Callable[..., Any] | None, activation: str | Callable[..., Any]
) -> Callable[..., Any]:
    """The initializer of a layer that is followed by `activation`."""
    if callable(initializer):
        return initializer
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", "")
    return INITIALIZERS[initializer or ("he_normal" if name in RELU_FAMILY else "glorot_uniform")]


def positive_size(size: object, position: int) -> int:
    """`size` as an int, or an error that says which one is not a positive integer."""
    if isinstance(size, (list, tuple)):
        raise ArgumentError(f"mlp takes its sizes one by one: write mlp({', '.join(map(str, size))})")
    try:
        number = operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1 or isinstance(size, bool):
        raise ArgumentError(f"sizes are positive integers, but size {position} of mlp is {size!r}")
    return number
