"""Covariances and correlations of rows: products of deviations, averaged.

The one idea: both are matrix products of what `np.average` leaves over, so they are recorded as such, and need no primitive.

>>> import chainrule as cr
>>> cr.grad(lambda x: np.cov(x, bias=True))(np.array([1.0, 2.0, 6.0])).round(3)
array([-1.333, -0.667,  2.   ])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.primitive import handles
from chainrule.primitives.signatures import as_array, refuse_dtype
from chainrule.primitives.statistics import deviations, freedom
from chainrule.pytree import Recorder


def _rows(name: str, m: Any, y: Any, rowvar: bool, dtype: Any) -> Any:
    """The variables of both tables, a row for each."""
    arrays = [m] if y is None else [m, as_array(y)]
    if any(each.ndim > 2 for each in arrays):
        raise ShapeError(f"{name} takes arrays with one or two axes")
    own = np.result_type(*(each.dtype for each in arrays), np.float64)
    refuse_dtype(name, dtype, own)
    rows = []
    for place, each in enumerate(arrays):
        each = each if each.dtype == own else each.astype(own)
        each = each.reshape((1, -1)) if each.ndim < 2 else each
        turned = not rowvar and (m.ndim != 1 if place == 0 else each.shape[0] != 1)
        rows.append(each.T if turned else each)
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=0)


def _weights(x: Any, name: str, weights: Any) -> Any:
    """Weights of observations, as floats."""
    weights = as_array(weights)
    if weights.ndim != 1 or weights.shape[0] != x.shape[1]:
        raise ShapeError(f"np.cov: {name} has one entry for each observation")
    if not isinstance(weights, Recorder):
        if np.any(weights < 0):
            raise ValueError(f"np.cov: {name} cannot be negative")
        if name == "fweights" and np.any(weights != np.round(weights)):
            raise TypeError("np.cov: fweights are whole numbers")
    return weights if weights.dtype.kind == "f" else weights.astype(np.float64)


@handles(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """`np.cov`, with how often each observation was made (`fweights`) and how much it counts (`aweights`)."""
    x = _rows("np.cov", as_array(m), y, rowvar, dtype)
    lost = (0 if bias else 1) if ddof is None else ddof
    if lost != int(lost):
        raise ValueError(f"np.cov: ddof is a whole number, not {lost}")
    if fweights is None and aweights is None:
        d = deviations(x, (1,))
        c = (d @ d.T) / freedom(x, (1,), int(lost))
    else:
        counts = 1.0 if fweights is None else _weights(x, "fweights", fweights)
        shares = 1.0 if aweights is None else _weights(x, "aweights", aweights)
        weights = counts * shares
        total = np.sum(weights)
        d = x - (np.sum(x * weights, axis=1) / total)[:, None]
        left = np.maximum(total - lost * np.sum(weights * shares) / total, 0.0) if lost else total
        c = (d @ (d * weights).T) / left
    return c.reshape(()) if x.shape[0] == 1 else c


@handles(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """`np.corrcoef`: the covariances divided by the standard deviations of both."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.sum(c * np.eye(len(c), dtype=c.dtype), axis=1))
    return np.clip(c / deviation[:, None] / deviation[None, :], -1, 1)


FAMILY = ()
