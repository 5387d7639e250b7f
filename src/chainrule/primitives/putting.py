"""NumPy's other names for a write into an array: put_along_axis, putmask, place and put.

The one idea: each is `a[somewhere] = values`, which the tracer records, or refuses where it cannot be exact.

>>> y = np.zeros((2, 3))
>>> np.put_along_axis(y, np.array([[2], [0]]), 1.0, axis=1)
>>> y
array([[0., 0., 1.],
       [1., 0., 0.]])
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import handles
from chainrule.primitives.repeating import resize
from chainrule.primitives.selecting import MODES, array, one_axis, truth_of
from chainrule.pytree import Recorder


def _traced(name, a):
    """Refuse a plain array: what is written into it would be forgotten."""
    if not isinstance(a, Recorder):
        raise UnsupportedError(
            f"np.{name} of a traced value into a plain array cannot be traced. Make the array with np.zeros_like(x, "
            "shape=...) of a traced x, or write np.where(mask, v, x)."
        )
    return a


@handles(np.put_along_axis)
def put_along_axis(arr, indices, values, axis):
    """`np.put_along_axis`: values to the positions that an array of numbers names along an axis."""
    x, places = _traced("put_along_axis", arr), array(indices)
    if axis is None:
        if x.ndim != 1:
            raise UnsupportedError("np.put_along_axis(..., axis=None) of several axes is not supported; name the axis")
        axis = 0
    axis = one_axis(axis, x.ndim)
    if places.ndim != x.ndim or places.dtype.kind not in "iu":
        raise ShapeError(f"np.put_along_axis needs positions with {x.ndim} axes")
    grid = [np.arange(int(dim)).reshape((-1,) + (1,) * (x.ndim - 1 - place)) for place, dim in enumerate(x.shape)]
    grid[axis] = places
    x[tuple(grid)] = values


@handles(np.putmask)
def putmask(a, /, mask, values):
    """`np.putmask`: where the mask is true; values of another shape are repeated in order."""
    x, values = _traced("putmask", a), array(values)
    if tuple(values.shape) != tuple(x.shape):
        values = resize(values, tuple(x.shape))
    mask = array(mask)
    if tuple(mask.shape) != tuple(x.shape):
        raise ShapeError("np.putmask needs a mask of the array's shape")
    x[...] = np.where(mask, values, x)


@handles(np.place)
def place(arr, mask, vals):
    """`np.place`: one value after the other where the mask is true, from the beginning again when they are used up."""
    x = _traced("place", arr)
    known = np.asarray(truth_of(mask, "np.place takes as many values as the mask has True"), dtype=bool)
    if known.shape != tuple(x.shape):
        raise ShapeError("np.place needs a mask of the array's shape")
    if known.any():
        x[known] = resize(vals, (int(known.sum()),))


@handles(np.put)
def put(a, ind, v, mode="raise"):
    """`np.put`: values to the places with these numbers, counted through the whole array."""
    x = _traced("put", a)
    if mode not in MODES:
        raise UnsupportedError(f"np.put(..., mode={mode!r}): the modes are 'raise', 'wrap' and 'clip'")
    numbers = truth_of(ind, "np.put with traced numbers").reshape(-1)
    shape = tuple(map(int, x.shape))
    size = int(np.prod(shape))
    if mode == "raise" and numbers.size and not (-size <= numbers.min() and numbers.max() < size):
        raise ShapeError(f"np.put: a number is out of bounds for {size} entries")
    numbers = np.clip(numbers, 0, size - 1) if mode == "clip" else numbers % size
    if numbers.size:
        x[np.unravel_index(numbers.astype(np.intp), shape)] = resize(v, (numbers.size,))


FAMILY = ()
