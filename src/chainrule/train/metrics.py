"""How good a network is on rows that it was not trained on.

The one idea: a metric is a function of outputs and targets, samples in rows, that returns a number. `measure` runs the
network untraced, so what is measured does not depend on any compiled program.

>>> accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
0.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, ShapeError

Metric = Callable[[np.ndarray, np.ndarray], float]

CHUNK_ROWS = 4096  # rows in one forward pass: bounds memory, and batches of this size run at full speed


def accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    """The part of the rows whose class is predicted.

    Parameters
    ----------
    outputs : ndarray, shape (N, n_classes) or (N, 1) or (N,)
        Scores; the largest wins. A single score is a logit: positive means class 1.
    y : ndarray
        Class numbers, shape (N,) or (N, 1), or one-hot rows, shape (N, n_classes).
    """
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        predicted, truth = outputs.reshape(-1) > 0, y.reshape(-1) > 0.5
    else:
        predicted, truth = outputs.argmax(axis=1), y.reshape(-1) if y.size == len(y) else y.argmax(axis=1)
    return float(np.mean(predicted == truth))


def r2(outputs: np.ndarray, y: np.ndarray) -> float:
    """The coefficient of determination, averaged over columns: 1 is perfect, 0 is as good as the mean of y.

    Parameters
    ----------
    outputs, y : ndarray, shape (N,) or (N, n_targets)

    Notes
    -----
    R2 = 1 - sum (y - outputs)^2 / sum (y - mean y)^2; a column of y that is constant counts 1 if it is met, else 0.

    Examples
    --------
    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    truth = y.reshape(len(y), -1).astype(np.float64)
    error = np.sum((truth - outputs.reshape(truth.shape)) ** 2, axis=0)
    spread = np.sum((truth - truth.mean(axis=0)) ** 2, axis=0)
    ratio = np.divide(error, spread, out=(error > 0).astype(np.float64), where=spread > 0)
    return float(np.mean(1 - ratio))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "r2": r2}


def metric_named(metric: str | Metric | None) -> tuple[str | None, Metric | None]:
    """A metric's name and function, from either."""
    if metric is None:
        return None, None
    if callable(metric):
        return getattr(metric, "__name__", "metric"), metric
    if metric not in METRICS:
        raise ArgumentError(f"metric is {metric!r}: use one of {', '.join(METRICS)}, or a function of (outputs, y)")
    return metric, METRICS[metric]


def measure(
    network: Callable[[np.ndarray], np.ndarray],
    loss: Callable[[Any, Any], Any],
    X: np.ndarray,
    y: np.ndarray,
    metric: Metric | None = None,
    axis: int = 0,
) -> tuple[float, float | None]:
    """Loss and metric of a network, with samples along `axis` of X and y (0 for rows, -1 for columns)."""
    n = X.shape[axis]
    total, outputs = 0.0, []
    for start in range(0, n, CHUNK_ROWS):
        rows = np.arange(start, min(start + CHUNK_ROWS, n))
        part = network(X.take(rows, axis=axis))
        total += float(loss(part, y.take(rows, axis=axis))) * len(rows)
        outputs.append(part)
    if metric is None:
        return total / n, None
    everything = np.concatenate(outputs, axis=axis)
    if axis != 0:
        everything, y = everything.T, y.T
    if len(everything) != len(y):
        raise ShapeError(f"the network gives {len(everything)} rows for {len(y)} targets")
    return total / n, float(metric(everything, y))
