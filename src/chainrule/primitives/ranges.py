"""Evenly spaced numbers between ends that may be traced: `np.linspace` and `np.logspace`.

Entry i is `start + i * step`, so both ends get their share; the last one is `stop` itself, as in NumPy.

>>> import numpy as np
>>> linspace(np.array(0.0), np.array(1.0), 5)
array([0.  , 0.25, 0.5 , 0.75, 1.  ])
"""

from __future__ import annotations

import operator

import numpy as np

from chainrule.errors import ArgumentError, UnsupportedError
from chainrule.primitive import handles, weak_type
from chainrule.primitives.signatures import as_array, given


@handles(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """`np.linspace`."""
    num = operator.index(num)
    if num < 0:
        raise ArgumentError(f"np.linspace: {num} samples")
    inexact = np.result_type(_kind(start), _kind(stop), 1.0)
    first, last = (np.astype(as_array(x), inexact) for x in (start, stop))
    delta = last - first
    intervals = num - 1 if endpoint else num
    step = delta / intervals if intervals > 0 else delta
    counted = np.arange(0, num, dtype=inexact).reshape((-1,) + (1,) * np.ndim(step))
    y = counted * step + first
    if endpoint and num > 1:
        end = np.broadcast_to(last, y.shape[1:])
        y = np.concatenate([y[:-1], np.expand_dims(end, 0)])
    if axis != 0:
        y = np.moveaxis(y, 0, axis)
    if given(dtype):
        y = np.astype(np.floor(y) if np.issubdtype(dtype, np.integer) else y, np.dtype(dtype))
    return (y, step if intervals > 0 else np.nan) if retstep else y


def _kind(x):
    """What dtype resolution sees: a Python number, or a dtype."""
    kind = type(x) if isinstance(x, (int, float)) else weak_type(as_array(x))
    return kind(1) if kind is int or kind is float else kind


@handles(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """`np.logspace`: a power of the base for each entry of `np.linspace`."""
    if getattr(base, "ndim", np.ndim(base) if isinstance(base, (list, tuple)) else 0):
        raise UnsupportedError(
            "np.logspace with an array of bases cannot be traced; write base ** np.linspace(start, stop)"
        )
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return np.astype(y, np.dtype(dtype)) if given(dtype) else y


FAMILY = ()
