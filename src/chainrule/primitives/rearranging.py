"""The same entries in another order: axes moved, arrays joined and split, rolled, flipped.

The one idea: nearly all of NumPy's names for this are short sentences in transpose, reshape, broadcast, slices and
concatenate, and are recorded as these. `roll` alone is a primitive, so that it holds for every size.

>>> np.vstack([np.ones(2), np.zeros(2)])
array([[1., 1.],
       [0., 0.]])

What NumPy copies is a copy here, too: an in-place operator on it does not reach the argument.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import Primitive, apply, handles, linear
from chainrule.primitives.linear_algebra import transpose
from chainrule.primitives.selecting import array, one_axis
from chainrule.primitives.shaping import reshape
from chainrule.pytree import Recorder
from chainrule.shapes import normalize_axes


def copied(x):
    """The same entries, as an array of its own."""
    if not isinstance(x, Recorder):
        return np.array(x)
    return x | False if x.dtype.kind == "b" else +x  # type: ignore[operator, attr-defined]


def own(x):
    """What ends with a view of something that nobody else sees can be written in place, as NumPy's copy can."""
    if isinstance(x, Recorder):
        x.fresh = True  # type: ignore[misc, attr-defined]
    return x


def at(axis: int, item: Any) -> tuple:
    """The index that takes `item` along one axis, and everything along those before it."""
    return (*(slice(None),) * axis, item)


# -- axes --------------------------------------------------------------------------------------------------------------


@handles(np.moveaxis)
def moveaxis(a, source, destination):
    """`np.moveaxis`: some axes to new places, the others in order."""
    sources, targets = (
        [one_axis(axis, a.ndim) for axis in (axes if isinstance(axes, (tuple, list)) else (axes,))]
        for axes in (source, destination)
    )
    if len(sources) != len(targets) or any(len(set(axes)) != len(axes) for axes in (sources, targets)):
        raise ShapeError(f"np.moveaxis: {source} and {destination} must name as many different axes")
    order = [axis for axis in range(a.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(a, tuple(order))


@handles(np.rollaxis)
def rollaxis(a, axis, start=0):
    """`np.rollaxis`: one axis backwards until it stands before `start`."""
    axis = one_axis(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    if not 0 <= start <= a.ndim:
        raise ShapeError(f"np.rollaxis: start={start} is not among {a.ndim} axes")
    return moveaxis(a, axis, start - 1 if axis < start else start)


def _with_axes(x, ndim):
    """At least `ndim` axes, put in as `np.atleast_1d`, `np.atleast_2d` and `np.atleast_3d` do."""
    x = array(x)
    if x.ndim >= ndim:
        return x
    missing = (0, 2) if (x.ndim, ndim) == (1, 3) else (2,) if ndim == 3 and x.ndim == 2 else tuple(range(ndim - x.ndim))
    return np.expand_dims(x, missing)


def _at_least(function, ndim):
    @handles(function)
    def handler(*arys):
        results = tuple(_with_axes(x, ndim) for x in arys)
        return results[0] if len(results) == 1 else results

    return handler


for _function, _ndim in ((np.atleast_1d, 1), (np.atleast_2d, 2), (np.atleast_3d, 3)):
    _at_least(_function, _ndim)


@handles(np.unstack)
def unstack(x, /, *, axis=0):
    """`np.unstack`: the parts along an axis, without it."""
    axis = one_axis(axis, x.ndim)
    return tuple(x[at(axis, k)] for k in range(int(x.shape[axis])))


@handles(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """`np.apply_along_axis`: the function on each line along an axis, one after the other."""
    x = array(arr)
    axis = one_axis(axis, x.ndim)
    lines = moveaxis(x, axis, -1)
    outer = tuple(int(dim) for dim in lines.shape[:-1])
    results = [array(func1d(lines[place], *args, **kwargs)) for place in np.ndindex(outer)]
    if not results:
        raise ShapeError("np.apply_along_axis needs at least one line to apply the function to")
    inner, depth = tuple(results[0].shape), len(outer)
    stacked = np.reshape(np.stack(results), (*outer, *inner))
    return np.transpose(stacked, (*range(axis), *range(depth, depth + len(inner)), *range(axis, depth)))


@handles(np.apply_over_axes)
def apply_over_axes(func, a, axes):
    """`np.apply_over_axes`: the function over one axis after the other; the axes stay, with size 1."""
    x = array(a)
    for axis in np.asarray(axes).reshape(-1):
        place = one_axis(int(axis), x.ndim)
        result = func(x, place)
        x = result if result.ndim == x.ndim else np.expand_dims(result, place)
    return x


# -- joined ------------------------------------------------------------------------------------------------------------


def _joined(name, arrays, axis, dtype=None, casting="same_kind"):
    arrays = [array(x) for x in arrays]
    if not arrays:
        raise ShapeError(f"np.{name} needs at least one array")
    if dtype is not None:
        dtype = np.dtype(dtype)
        if not all(np.can_cast(x.dtype, dtype, casting) for x in arrays):
            raise UnsupportedError(f"np.{name}(..., dtype={dtype}): convert with .astype first")
        arrays = [x if x.dtype == dtype else x.astype(dtype) for x in arrays]
    elif casting != "same_kind":
        raise UnsupportedError(f"np.{name}(..., casting=) is not supported without dtype=; convert with .astype first")
    return np.concatenate(arrays, axis=axis)


@handles(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    """`np.hstack`: along the second axis, or the only one."""
    arrays = [_with_axes(x, 1) for x in tup]
    return _joined("hstack", arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype, casting)


@handles(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    """`np.vstack`: along the first axis, vectors as rows."""
    return _joined("vstack", [_with_axes(x, 2) for x in tup], 0, dtype, casting)


@handles(np.dstack)
def dstack(tup):
    """`np.dstack`: along the third axis."""
    return _joined("dstack", [_with_axes(x, 3) for x in tup], 2)


@handles(np.column_stack)
def column_stack(tup):
    """`np.column_stack`: vectors as columns, matrices as they are."""
    columns = [x if x.ndim >= 2 else reshape(x, (-1, 1)) for x in map(array, tup)]
    return _joined("column_stack", columns, 1)


@handles(np.block)
def block(arrays):
    """`np.block`: nested lists of blocks, the innermost along the last axis."""
    depth = _depth(arrays)
    parts = [array(x) for x in _leaves(arrays)]
    ndim = max([depth, *(x.ndim for x in parts)])
    result = _blocks(arrays, ndim, depth)
    return copied(result) if depth == 0 else result


def _depth(nested) -> int:
    if not isinstance(nested, list):
        if isinstance(nested, tuple):
            raise UnsupportedError("np.block takes lists of blocks, not tuples")
        return 0
    depths = {_depth(part) for part in nested}
    if len(depths) != 1:
        raise ShapeError("np.block needs all blocks at the same depth of lists, and no empty list")
    return 1 + depths.pop()


def _leaves(nested):
    return [leaf for part in nested for leaf in _leaves(part)] if isinstance(nested, list) else [nested]


def _blocks(nested, ndim, depth):
    if depth:
        return np.concatenate([_blocks(part, ndim, depth - 1) for part in nested], axis=-depth % ndim)
    x = array(nested)
    return np.expand_dims(x, tuple(range(ndim - x.ndim))) if x.ndim < ndim else x


# -- split -------------------------------------------------------------------------------------------------------------


def _cut(x, sections, axis, equal=False):
    """The parts along an axis: between the places given, or that many of nearly equal length."""
    axis = one_axis(axis, x.ndim)
    total = x.shape[axis]
    if not isinstance(sections, (int, np.integer)):
        cuts: list = [None, *sections, None]
    else:
        count = int(sections)
        if count <= 0:
            raise ShapeError("np.split needs at least one section")
        if total % count != 0:
            if equal:
                raise ShapeError(f"np.split: {int(total)} entries along axis {axis} in {count} equal parts")
            length, longer = divmod(int(total), count)
            cuts = [None, *(k * length + min(k, longer) for k in range(1, count)), None]
        else:
            cuts = [None, *(k * (total // count) for k in range(1, count)), None]
    return [x[at(axis, slice(a, b))] for a, b in itertools.pairwise(cuts)]


@handles(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    """`np.array_split`."""
    return _cut(ary, indices_or_sections, axis)


@handles(np.split)
def split(ary, indices_or_sections, axis=0):
    """`np.split`: equal parts, or between given places."""
    return _cut(ary, indices_or_sections, axis, equal=True)


def _split_along(function, least, axis_of):
    @handles(function)
    def handler(ary, indices_or_sections):
        if ary.ndim < least:
            raise ShapeError(f"np.{function.__name__} needs at least {least} axes, not {ary.ndim}")
        return _cut(ary, indices_or_sections, axis_of(ary), equal=True)

    return handler


_split_along(np.hsplit, 1, lambda x: 1 if x.ndim > 1 else 0)
_split_along(np.vsplit, 2, lambda x: 0)
_split_along(np.dsplit, 3, lambda x: 2)


# -- rolled and flipped ------------------------------------------------------------------------------------------------

ROLL: Primitive = linear(
    "roll",
    np.roll,
    (lambda y_bar, x, shift, axis: apply(ROLL, y_bar, params=(tuple(-s for s in shift), axis)),),
    lambda x, shift, axis: x.shape,
    param_names=("shift", "axis"),
    samples=lambda rng: [
        ((rng.standard_normal(5),), ((2,), (0,))),
        ((rng.standard_normal((3, 4)),), ((-1,), (1,))),
        ((rng.standard_normal((2, 3, 4)),), ((1, 5), (2, 1))),
    ],
    latex=r"\operatorname{{roll}} {0}",
)


@handles(np.roll)
def roll(a, shift, axis=None):
    """`np.roll`: entries moved on, what leaves at one end comes in at the other."""
    x = array(a)
    if hasattr(shift, "known_value"):
        raise UnsupportedError("np.roll by a traced number: roll by numbers that are not traced, or write np.take")
    if axis is None and x.ndim != 1:
        return own(reshape(roll(reshape(x, (-1,)), shift, 0), x.shape))
    axis = 0 if axis is None else axis
    pairs = np.broadcast(np.asarray(shift), np.asarray(axis))
    if pairs.ndim > 1:
        raise ShapeError("np.roll: shift and axis must be numbers or sequences of numbers")
    moves: dict[int, int] = {}
    for step, place in pairs:
        place = one_axis(int(place), x.ndim)
        moves[place] = moves.get(place, 0) + int(step)
    kept = {place: step for place, step in moves.items() if step}
    return apply(ROLL, x, params=(tuple(kept.values()), tuple(kept))) if kept else copied(x)


@handles(np.flip)
def flip(m, axis=None):
    """`np.flip`: axes backwards."""
    axes = normalize_axes(axis, m.ndim)
    if not axes:
        return m[...]
    return m[tuple(slice(None, None, -1 if place in axes else None) for place in range(m.ndim))]


def _flips(function, least, axis):
    @handles(function)
    def handler(m):
        if m.ndim < least:
            raise ShapeError(f"np.{function.__name__} needs at least {least} axes, not {m.ndim}")
        return flip(m, axis)

    return handler


_flips(np.flipud, 1, 0)
_flips(np.fliplr, 2, 1)


@handles(np.rot90)
def rot90(m, k=1, axes=(0, 1)):
    """`np.rot90`: k quarter turns in the plane of two axes."""
    first, second = (one_axis(axis, m.ndim) for axis in axes)
    if first == second:
        raise ShapeError(f"np.rot90: axes {axes} must be different")
    order = list(range(m.ndim))
    order[first], order[second] = second, first
    if k % 4 == 1:
        return transpose(flip(m, second), tuple(order))
    if k % 4 == 3:
        return flip(transpose(m, tuple(order)), second)
    return flip(m, (first, second)) if k % 4 == 2 else m[...]


FAMILY = (ROLL,)
