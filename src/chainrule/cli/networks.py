"""A network that a command line names by its sizes, with a loss and an example to derive it at.

>>> loss, example = loss_of_network("4-5-3", "softmax-cross-entropy", "relu", "rows", 2)
>>> [type(value).__name__ for value in example.values()], example["X"].shape
(['Network', 'ndarray', 'ndarray'], (2, 4))
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import nn
from chainrule.errors import ArgumentError

LABELS = {
    "softmax-cross-entropy": "classes",
    "cross-entropy": "classes",
    "sigmoid-cross-entropy": "zeros and ones",
    "binary-cross-entropy": "zeros and ones",
    "mean-squared-error": "numbers",
}
OUTPUTS = {"cross-entropy": "softmax", "binary-cross-entropy": "sigmoid"}  # losses of probabilities
LARGEST = 100_000_000  # weights of a network that is made up for a derivation


def loss_of_network(
    sizes: str, loss: str, activation: str, samples: str, batch: int
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The loss of a fully connected network as a function, and arguments for it.

    Parameters
    ----------
    sizes : str
        "784-256-10": inputs, hidden units, outputs.
    loss : str
        One of `LABELS`.
    activation : str
        Of hidden layers, as `cr.nn.mlp` takes it.
    samples : {"rows", "columns"}
    batch : int
        How many samples the example has.
    """
    numbers = [int(part) for part in sizes.split("-")]
    if loss not in LABELS:
        close = difflib.get_close_matches(loss, LABELS, n=1)
        raise ArgumentError(
            f"--loss {loss}: there is {', '.join(LABELS)}" + (f"; did you mean {close[0]}?" if close else "")
        )
    if batch < 2:
        raise ArgumentError(
            f"--batch {batch}: give 2 or more; one sample has a derivation of its own, and N is not N there"
        )
    if min(numbers) < 1 or sum(a * b for a, b in itertools.pairwise(numbers)) > LARGEST:
        raise ArgumentError(
            f"{sizes}: a layer has one unit or more, and a network to look at at most {LARGEST:,} weights"
        )
    if LABELS[loss] == "classes" and numbers[-1] < 2:
        raise ArgumentError(
            f"{sizes} has one output: {loss} needs two classes or more; --loss sigmoid-cross-entropy takes one"
        )
    layout, axis = ("row", -1) if samples == "rows" else ("column", 0)
    network = nn.mlp(*numbers, activation=activation, output=OUTPUTS.get(loss, "identity"), layout=layout, rng=0)
    function = getattr(nn, loss.replace("-", "_"))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch, numbers[0])).round(3)
    y: np.ndarray = rng.standard_normal((batch, numbers[-1])).round(3)
    if LABELS[loss] == "classes":
        y = rng.integers(0, numbers[-1], batch)
    elif LABELS[loss] == "zeros and ones":
        y = (y > 0).astype(np.int64)
    if samples == "columns":
        X, y = X.T.copy(), y.T.copy()

    def named(network: Any, X: Any, y: Any) -> Any:
        return function(network(X), y, axis=axis)

    named.__name__ = named.__qualname__ = "loss"
    return named, {"network": network, "X": X, "y": y}
