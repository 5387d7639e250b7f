"""Entries once more, or left out: tile, repeat, resize, meshgrid; append, insert and delete.

The one idea: what is repeated is stretched over a new axis that is then flattened, so that its reverse is a visible sum; what
is put in or taken out is a joint of slices.

>>> np.insert(np.array([1.0, 2.0, 3.0]), 1, 9.0)
array([1., 9., 2., 3.])

How often, and where, must be known without values: it decides the shape.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import handles
from chainrule.primitives.rearranging import at, copied, moveaxis, own
from chainrule.primitives.selecting import array, one_axis, take
from chainrule.primitives.shaping import reshape
from chainrule.pytree import Recorder
from chainrule.shapes import broadcast_shapes, normalize_axes

# -- repeated ----------------------------------------------------------------------------------------------------------


@handles(np.tile)
def tile(A, reps):
    """`np.tile`: the whole array again and again along each axis."""
    x = array(A)
    counts = tuple(reps) if isinstance(reps, (tuple, list, np.ndarray)) else (reps,)
    counts = (1,) * (x.ndim - len(counts)) + counts
    if x.ndim < len(counts):
        x = np.expand_dims(x, tuple(range(len(counts) - x.ndim)))
    repeated = [axis for axis, count in enumerate(counts) if not _is_one(count)]
    if not repeated:
        return copied(x)
    places = tuple(axis + k for k, axis in enumerate(repeated))  # a new axis before each that is repeated
    spread, shape = [], []
    for axis, (count, dim) in enumerate(zip(counts, x.shape, strict=True)):
        spread += [count, dim] if axis in repeated else [dim]
        shape.append(count * dim)
    return own(reshape(np.broadcast_to(np.expand_dims(x, places), tuple(spread)), tuple(shape)))


def _is_one(count) -> bool:
    return isinstance(count, (int, np.integer)) and count == 1


@handles(np.repeat)
def repeat(a, repeats, axis=None):
    """`np.repeat`: each entry several times, as often as one number says, or a number for each."""
    x = array(a)
    if axis is None or x.ndim == 0:
        x, axis = reshape(x, (-1,)), 0
    axis = one_axis(axis, x.ndim)
    if hasattr(repeats, "known_value"):
        repeats = repeats.known_value("np.repeat has as many entries as the traced counts say")  # type: ignore[attr-defined]
    if not isinstance(repeats, (int, np.integer)):
        counts = np.asarray(repeats)
        counts = counts.astype(np.intp) if counts.size == 0 else counts
        if counts.size != 1:
            return take(x, np.repeat(np.arange(int(x.shape[axis])), counts), axis)
        repeats = int(counts.reshape(())[()])
    if _is_one(repeats):
        return copied(x)
    shape = list(x.shape)
    spread = np.broadcast_to(np.expand_dims(x, axis + 1), (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return own(reshape(spread, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :])))


@handles(np.resize)
def resize(a, new_shape):
    """`np.resize`: the entries in order, from the beginning again when they are used up."""
    shape = tuple(new_shape) if isinstance(new_shape, (tuple, list)) else (new_shape,)
    x = reshape(array(a), (-1,))
    total, size = math.prod(map(int, shape)), int(x.shape[0])
    if size == 0 or total == 0:
        return np.zeros(shape, dtype=x.dtype)
    return reshape(take(x, np.arange(total) % size), shape)


@handles(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    """`np.meshgrid`: each vector along an axis of its own, stretched over the others."""
    if indexing not in ("xy", "ij"):
        raise UnsupportedError(f"np.meshgrid(..., indexing={indexing!r}): it is 'xy' or 'ij'")
    axes = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        axes[:2] = [1, 0]
    grids = [
        reshape(array(x), tuple(-1 if place == axis else 1 for place in range(len(xi))))
        for x, axis in zip(xi, axes, strict=True)
    ]
    if sparse:
        return tuple(map(copied, grids)) if copy else tuple(grids)
    shape = broadcast_shapes(*(grid.shape for grid in grids))
    grids = [np.broadcast_to(grid, shape) for grid in grids]
    return tuple(own(g) if isinstance(g, Recorder) else np.array(g) for g in grids) if copy else tuple(grids)


@handles(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    """`np.broadcast_arrays`: all in their common shape."""
    if subok:
        raise UnsupportedError("np.broadcast_arrays(..., subok=True) is not supported; leave it out")
    arrays = [array(x) for x in args]
    shape = broadcast_shapes(*(x.shape for x in arrays))
    return tuple(x if tuple(x.shape) == tuple(shape) else np.broadcast_to(x, shape) for x in arrays)


# -- put in and taken out ----------------------------------------------------------------------------------------------


@handles(np.append)
def append(arr, values, axis=None):
    """`np.append`: values joined at the end, of everything flattened without an axis."""
    arr, values = array(arr), array(values)
    if axis is None:
        arr, values, axis = reshape(arr, (-1,)), reshape(values, (-1,)), 0
    return np.concatenate([arr, values], axis=one_axis(axis, arr.ndim))


def _plain(name, obj):
    """The index without a trace: which entries it means decides the shape."""
    if hasattr(obj, "known_value"):
        return obj.known_value(f"np.{name} must know which entries are meant: its shape depends on them")
    return obj


def _plain_places(obj, size):
    if isinstance(obj, slice):
        return np.arange(int(size))[obj]
    places = np.asarray(_plain("insert", obj))
    if places.dtype.kind == "b":
        return np.flatnonzero(places)
    if places.ndim > 1:
        raise ShapeError("np.insert needs one place, or a vector of places")
    return places.astype(np.intp) if places.size == 0 else places


@handles(np.delete)
def delete(arr, obj, axis=None):
    """`np.delete`: without some entries along an axis, of everything flattened without an axis."""
    x = array(arr)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = one_axis(axis, x.ndim)
    if isinstance(obj, (int, np.integer)) and not isinstance(obj, bool):
        size = x.shape[axis]
        if obj >= size or obj + size < 0:
            raise ShapeError(f"np.delete: index {obj} is out of bounds for axis {axis} with size {int(size)}")
        before = slice(None, obj)
        return np.concatenate([x[at(axis, before)], x[at(axis, slice(obj + 1 or size, None))]], axis=axis)
    kept = np.delete(np.arange(int(x.shape[axis])), obj if isinstance(obj, slice) else _plain("delete", obj))
    return take(x, kept, axis)


@handles(np.insert)
def insert(arr, obj, values, axis=None):
    """`np.insert`: values put before the entries with the given numbers; they take the array's dtype."""
    x, values = array(arr), array(values)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = one_axis(axis, x.ndim)
    places = _plain_places(obj, x.shape[axis])
    values = values if values.dtype == x.dtype else values.astype(x.dtype)
    if values.ndim < x.ndim:
        values = np.expand_dims(values, tuple(range(x.ndim - values.ndim)))
    if places.size == 1:  # one place takes all that values has along the axis
        place = _checked_place(places.reshape(())[()], x.shape[axis])
        values = moveaxis(values, 0, axis) if places.ndim == 0 else values
        values = np.broadcast_to(values, (*x.shape[:axis], values.shape[axis], *x.shape[axis + 1 :]))
        return np.concatenate([x[at(axis, slice(None, place))], values, x[at(axis, slice(place, None))]], axis=axis)
    size, count = int(x.shape[axis]), len(places)
    where = np.array([_checked_place(place, size) for place in places], dtype=np.intp)
    where[where.argsort(kind="stable")] += np.arange(count)
    order = np.empty(size + count, dtype=np.intp)
    order[where] = size + np.arange(count)
    order[np.delete(np.arange(size + count), where)] = np.arange(size)
    values = np.broadcast_to(values, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    return take(np.concatenate([x, values], axis=axis), order, axis)


def _checked_place(place, size):
    place = int(place)
    if place > size or place + size < 0:
        raise ShapeError(f"np.insert: index {place} is out of bounds for size {int(size)}")
    return place + size if place < 0 else place


@handles(np.trim_zeros)
def trim_zeros(filt, trim="fb", axis=None):
    """`np.trim_zeros`: without the zeros at the front and the back; how many that are depends on values."""
    x = array(filt)
    if trim.lower() not in ("fb", "bf", "f", "b"):
        raise UnsupportedError(f"np.trim_zeros(..., trim={trim!r}): it is 'f', 'b' or 'fb'")
    places = np.argwhere(_plain("trim_zeros", x))
    index = [slice(None)] * x.ndim
    for along in normalize_axes(axis, x.ndim):
        if len(places) == 0:
            index[along] = slice(0, 0)
            continue
        first, last = int(places[:, along].min()), int(places[:, along].max())
        index[along] = slice(first if "f" in trim.lower() else None, last + 1 if "b" in trim.lower() else None)
    return x[tuple(index)] if index else x


FAMILY = ()
