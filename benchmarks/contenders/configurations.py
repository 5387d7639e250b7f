"""The trainings that are timed: sizes, batches, losses, and the data and weights that every contender starts from.

The one idea: this file knows NumPy only, so that every contender, in whatever interpreter, computes the same numbers.

>>> configuration = CONFIGURATIONS["tiny"]
>>> X, y, weights = starting_point(configuration)
>>> X.shape, X.dtype.name, [W.shape for W, b in weights]
((32000, 2), 'float32', [(2, 4), (4, 4), (4, 3)])

All networks have ReLU between their layers and a loss on logits. The targets follow a random linear rule and can be
learnt: the loss falls in every epoch, so a contender that updates wrongly is seen by its second epoch at the latest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Configuration:
    """One training.

    Attributes
    ----------
    sizes : tuple of int
        Inputs, hidden units, outputs.
    batch : int
        Rows in a step.
    steps : int
        Steps in an epoch: such that an epoch lasts 20 to 100 ms for the quicker ones of the peers.
    loss : {"softmax", "sigmoid", "squares"}
        Cross-entropy of class numbers (N,); of one logit with float targets (N, 1); the mean squared error over all
        elements with targets (N, n_out).
    layout : {"row", "column"}
        How chainrule holds samples; peers take what suits them best, which is rows.
    """

    sizes: tuple[int, ...]
    batch: int
    steps: int
    loss: str = "softmax"
    lr: float = 0.02
    optimizer: str = "sgd"
    dtype: str = "float32"
    layout: str = "row"

    @property
    def flops(self) -> int:
        """Multiplications and additions in the matrix products of a step."""
        layers = list(itertools.pairwise(self.sizes))
        products = [2 * self.batch * n_in * n_out for n_in, n_out in layers]
        return 3 * sum(products) - products[0]  # nobody asks for the gradient by the inputs


DIGITS = (64, 32, 32, 10)
CONFIGURATIONS = {
    "tiny": Configuration((2, 4, 4, 3), 8, 4000),
    "bce": Configuration((30, 16, 1), 32, 4000, "sigmoid"),
    "digits": Configuration(DIGITS, 32, 1500),
    "mse": Configuration((8, 64, 64, 1), 64, 1500, "squares", lr=0.01),
    "mnist": Configuration((784, 256, 128, 10), 128, 80, lr=0.01),
    "wide": Configuration((512, 1024, 1024, 10), 256, 8, lr=0.01),
    "deep": Configuration((256,) * 10 + (10,), 128, 30, lr=0.01),
    "big": Configuration((784, 512, 10), 4096, 4, lr=0.05),
    "adam": Configuration(DIGITS, 32, 1500, lr=0.001, optimizer="adam"),
    "column": Configuration(DIGITS, 32, 1500, layout="column"),
    "float64": Configuration(DIGITS, 32, 1500, dtype="float64"),
}
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # of adam, for every contender


def starting_point(
    configuration: Configuration,
) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Inputs, targets and starting weights of an epoch, samples in rows.

    Returns
    -------
    X : ndarray, shape (steps * batch, n_in)
    y : ndarray
        Class numbers (int64), or floats of shape (steps * batch, n_out).
    weights : list of (W, b), shapes (n_in, n_out) and (n_out,)
    """
    rng = np.random.default_rng(0)
    dtype = np.dtype(configuration.dtype)
    weights = [
        ((rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in)).astype(dtype), np.zeros(n_out, dtype))
        for n_in, n_out in itertools.pairwise(configuration.sizes)
    ]
    n_in, n_out = configuration.sizes[0], configuration.sizes[-1]
    X = rng.standard_normal((configuration.steps * configuration.batch, n_in), dtype=np.float32).astype(dtype)
    scores = X @ (rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(dtype)
    if configuration.loss == "softmax":
        y = scores.argmax(axis=1)
    elif configuration.loss == "sigmoid":
        y = (scores > 0).astype(dtype)
    else:
        y = scores
    return X, y, weights


def batches(configuration: Configuration, X: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of each step, in their order, as views."""
    for start in range(0, len(X), configuration.batch):
        yield X[start : start + configuration.batch], y[start : start + configuration.batch]
