"""Rows in, batches out: splitting, standardising and shuffling, in plain NumPy.

The one idea: every random choice comes from a counter-based generator whose key is (seed, stream), so the order of an
epoch depends on the seed and the epoch's number only, never on what was drawn before. A run that is resumed at epoch 7
shuffles epoch 7 as the uninterrupted run did.

>>> [rows.tolist() for rows in shuffled_batches(5, 2, seed=0, epoch=1, shuffle=False)]
[[0, 1], [2, 3], [4]]

Nothing here knows networks or losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ArgumentError

SPLIT_STREAM = 2**63  # epochs count from 1, so no epoch ever draws from the stream that splits the rows
FARTHEST = 3.0  # scales between a column's mean and its most extreme training value, at most


def generator(seed: int, stream: int) -> np.random.Generator:
    """The random generator of one stream (an epoch's number, or `SPLIT_STREAM`) of one seed."""
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed is {seed}: a seed is an integer from 0 to 2**63 - 1")
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))


def shuffled_batches(n: int, batch_size: int, seed: int, epoch: int, shuffle: bool = True) -> Iterator[np.ndarray]:
    """The row numbers of each mini-batch of one epoch; the last batch may be smaller, and is trained too.

    Parameters
    ----------
    n : int
        Number of rows.
    batch_size : int
        Rows in each batch but perhaps the last.
    seed, epoch : int
        The order of the rows is a function of these two alone.
    shuffle : bool
        False keeps the rows in their order.

    Yields
    ------
    ndarray of int, shape (batch_size,) or smaller
    """
    order = generator(seed, epoch).permutation(n) if shuffle else np.arange(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def split_rows(
    n: int, fraction: float, seed: int, classes: np.ndarray | None = None, *, shuffle: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and for validation, both ascending.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float
        Part of the rows to hold out, from 0 (none) to below 1.
    seed : int
        The same seed gives the same split.
    shuffle : bool, default True
        Hold out rows drawn at random; False holds out the last ones, whose order may mean something.
    classes : ndarray of int, shape (n,), optional
        Class of each row: each class is then split by itself (stratified), and keeps at least one row in training.

    Raises
    ------
    ArgumentError
        When the fraction is outside [0, 1), or leaves one side without a row.

    Examples
    --------
    >>> train, held_out = split_rows(6, 1 / 3, seed=0, classes=np.array([0, 0, 0, 1, 1, 1]))
    >>> len(train), np.searchsorted(held_out, 3)  # one row of each class is held out
    (4, np.int64(1))
    """
    if not 0 <= fraction < 1:
        raise ArgumentError(f"validation is {fraction}: the part of the rows to hold out, from 0 to below 1")
    if not shuffle:
        kept = n - _share(n, fraction) if fraction else n
        return np.arange(kept), np.arange(kept, n)
    groups = [np.arange(n)] if classes is None else [np.flatnonzero(classes == c) for c in np.unique(classes)]
    random = generator(seed, SPLIT_STREAM)
    chosen = [random.permutation(rows)[: _share(len(rows), fraction)] for rows in groups]
    held_out = np.sort(np.concatenate(chosen))
    if fraction > 0 and not 0 < len(held_out) < n:
        raise ArgumentError(f"validation={fraction} of {n} rows leaves {len(held_out)} to validate: give more rows")
    return np.setdiff1d(np.arange(n), held_out, assume_unique=True), held_out


def _share(count: int, fraction: float) -> int:
    """How many of `count` rows to hold out: rounded, and never all of them."""
    return min(math.floor(count * fraction + 0.5), count - 1)


@dataclass(frozen=True)
class Standardization:
    """Shift and scale of each column, measured on the training rows only.

    Attributes
    ----------
    mean, scale : ndarray, shape (n_columns,), float64
        The scale is the standard deviation, or a third of the largest deviation if that is more: in a column that is
        nearly always 0, a standard deviation is so small that the few other values would be 40 of them away. A column
        that is constant in training has scale 1: it becomes 0, not NaN.

    Examples
    --------
    >>> standardize = Standardization.measure(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> standardize(np.array([[5.0, 5.0]]))
    array([[3., 0.]])
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def measure(cls, X: np.ndarray) -> Standardization:
        """Shift and scale of each column of X, shape (n_rows, n_columns)."""
        X = np.asarray(X, dtype=np.float64)
        mean = X.mean(axis=0)
        scale = np.maximum(X.std(axis=0), np.abs(X - mean).max(axis=0) / FARTHEST)
        # Ten equal values of 0.1 have a standard deviation of 1e-17, by rounding of their mean: that is constant too.
        constant = scale <= 16 * np.finfo(np.float64).eps * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, scale))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """The columns of X with the training mean removed, in training scales."""
        standardized: np.ndarray = (X - self.mean) / self.scale
        return standardized
