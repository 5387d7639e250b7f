"""What `fit` is given, checked before the first step: arrays, loss, optimizer, counts.

The one idea: a mistake in the data is reported by name, row and column at the start, not as a NaN an hour later.

>>> require_finite(np.array([[1.0, np.nan]]), "X")
Traceback (most recent call last):
    ...
chainrule.errors.DataError: X[0, 1] (row 0, column 1) is nan, and a network cannot learn from that: ...

Nothing here trains or shuffles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError, ShapeError
from chainrule.pytree import flatten, leaf_paths
from chainrule.train.step import Loss, Optimizer


def leaf_dtypes(network: Any) -> dict[str, np.dtype]:
    """The dtype of each array of a network, by its path."""
    leaves = flatten(network)[0]
    return {path: np.asarray(leaf).dtype for path, leaf in zip(leaf_paths(network), leaves, strict=True)}


def sample_axis(network: Any) -> int:
    """The axis of X and y that counts samples: 0, or -1 for a network of column layout."""
    layers = getattr(network, "layers", ())
    return -1 if layers and getattr(layers[0], "layout", "row") == "column" else 0


def as_training_data(
    network: Any, loss: Loss, X: Any, y: Any, axis: int = 0, names: tuple[str, str] = ("X", "y")
) -> tuple[np.ndarray, np.ndarray]:
    """X and y as finite arrays, floats in the network's dtype, that fit each other and the loss; refuses others."""
    dtypes = leaf_dtypes(network)
    if not dtypes:
        raise ArgumentError("the network has no arrays to train")
    dtype = np.result_type(*dtypes.values())
    X, y = np.asarray(X), np.asarray(y)
    for name, values in zip(names, (X, y), strict=True):
        if values.dtype.kind not in "fiub":
            raise DataError(
                f"{name} holds {values.dtype}, not numbers. Text classes become numbers with "
                "classes, y = np.unique(y, return_inverse=True)"
            )
        if values.ndim == 0 or values.shape[axis] == 0:
            raise DataError(f"{name} has no rows: its shape is {values.shape}")
        require_finite(values, name)
    if X.shape[axis] != y.shape[axis]:
        raise DataError(
            f"{names[0]} has {X.shape[axis]} samples and {names[1]} has {y.shape[axis]} "
            f"(shapes {X.shape} and {y.shape}, samples along axis {axis % X.ndim})"
        )
    X = np.ascontiguousarray(X, dtype=dtype)
    y = np.ascontiguousarray(y, dtype=dtype if y.dtype.kind in "fb" else np.int64)
    require_finite(X, f"{names[0]} as {dtype}")  # 1e300 is infinite in float32
    return X, _as_the_loss_takes_them(network, loss, X, y, axis)


def _as_the_loss_takes_them(network: Any, loss: Loss, X: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """The targets, once network and loss were tried untraced, so that a mistake is met in plain NumPy first.

    The network sees one sample, whose outputs are then repeated for the loss: it sees every target, and can refuse
    them, at next to no cost. Integer targets that make the loss float64 are not class numbers but amounts: they are
    converted like X.
    """
    layers, features = getattr(network, "layers", ()), X.shape[1 + axis] if X.ndim == 2 else None
    n_in = getattr(layers[0], "n_in", None) if layers else None
    if n_in is not None and n_in != features:
        raise ShapeError(f"the network takes {n_in} inputs, but X has shape {X.shape}: {features} for each sample")
    outputs = network(X.take([0], axis=axis))
    outputs = outputs.repeat(y.shape[axis], axis=axis)
    if y.ndim == 1 and outputs.ndim == 2 and outputs.shape[1 + axis] == 1:
        raise ShapeError(
            f"the targets have shape {y.shape}, the outputs {outputs.shape}: outputs - y would pair every output with "
            "every target without a word; give y[:, None]" + (" (y[None, :] in columns)" if axis else "")
        )
    value = loss(outputs, y)
    if np.shape(value) != ():
        raise ShapeError(
            f"the loss has shape {np.shape(value)}, a training needs a scalar: take the mean over the samples"
        )
    if y.dtype.kind in "iu" and getattr(value, "dtype", outputs.dtype) != outputs.dtype:
        return y.astype(outputs.dtype)
    return y


def optimizer_of(optimizer: Optimizer | Callable[..., Optimizer], lr: float | None) -> Optimizer:
    """The optimizer that was given, or the one that a factory makes with this learning rate."""
    if lr is not None and not (math.isfinite(lr) and lr > 0):
        raise ArgumentError(f"lr is {lr}: a learning rate is a positive number, such as 0.001")
    if hasattr(optimizer, "init") and hasattr(optimizer, "update"):
        if lr is not None:
            raise ArgumentError("lr is given twice: write optimizer=adam(lr=...) or optimizer=adam, lr=...")
        return optimizer
    if not callable(optimizer):
        raise ArgumentError(f"optimizer is {optimizer!r}: use one of chainrule.optim, such as optim.adam(lr=0.001)")
    return optimizer() if lr is None else optimizer(lr=lr)


def require_counts(**counts: int) -> None:
    """Refuse what does not count: fractions, zero, less."""
    for name, count in counts.items():
        if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 1:
            raise ArgumentError(f"{name} is {count!r}: it counts from 1")


def first_not_finite(values: np.ndarray) -> tuple[int, ...] | None:
    """The index of the first NaN or infinity, or None."""
    finite = np.isfinite(values)
    return None if finite.all() else tuple(int(i) for i in np.argwhere(~finite)[0])


def require_finite(values: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity, naming the entry."""
    index = first_not_finite(values)
    if index is not None:
        entry = f"{name}[{', '.join(map(str, index))}]"
        where = f" (row {index[0]}, column {index[1]})" if len(index) == 2 else ""
        raise DataError(
            f"{entry}{where} is {values[index]}, and a network cannot learn from that: drop the row or fill the value in"
        )
