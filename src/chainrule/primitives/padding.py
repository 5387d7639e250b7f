"""`np.pad`: with constants, with the edge, by reflection or wrapping around, with a mean or an extremum, down a ramp.

The one idea: an axis after the other gets something before and something after. With plain constants that is a primitive,
whose reverse cuts the middle out; all else is slices of the array itself, joined with `np.concatenate`: what stands in the
margin collects its cotangent at the entry from which it was copied.

>>> np.pad(np.array([1.0, 2.0, 3.0]), (2, 1), mode="reflect")
array([3., 2., 1., 2., 3., 2.])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, ShapeError, UnsupportedError
from chainrule.index_form import ONE, Delta, Inside, Plus, Times, moved, negative, number
from chainrule.primitive import Primitive, apply, general, handles
from chainrule.primitives.rearranging import at, copied
from chainrule.primitives.selecting import array, take

FEW = 12  # as many pieces are joined; above, entries are taken by number

# -- constants ---------------------------------------------------------------------------------------------------------


def _padded_shape(x, widths, values):
    return tuple(dim + before + after for dim, (before, after) in zip(x.shape, widths, strict=True))


def _middle(y_bar, x, widths):
    return y_bar[tuple(slice(before, before + dim) for dim, (before, _) in zip(x.shape, widths, strict=True))]


def _pad_entry(entries, positions, letters, widths, values):
    """`y[i] = x[i - before]` where that exists, else the constant."""
    (x,) = entries
    inside, inner = [], []
    for place, position in enumerate(positions):
        before, after = map(letters.number, widths[place])
        own = moved(position, offset=-before)
        if before or after:
            one = letters.number(x.sizes[place]) == 1
            inside.append(Delta(own, 0) if one else Inside(own, x.sizes[place]))
            own = 0 if one else own
        inner.append(own)
    body = Times((*inside, x(*inner)))
    constants = {value for pair, width in zip(values, widths, strict=True) if any(width) for value in pair}
    if not constants or constants == {0}:
        return body
    if len(constants) > 1:
        return None
    return Plus((body, Times((number(constants.pop()), Plus((ONE, negative(Times(tuple(inside)))))))))


PAD: Primitive = general(
    "pad",
    lambda x, widths, values: np.pad(x, widths, constant_values=values),
    (lambda y_bar, x, y, widths, values: _middle(y_bar, x, widths),),
    lambda tangents, operands, y, params: apply(PAD, tangents[0], params=(params[0], ((0, 0),) * len(params[0]))),
    _padded_shape,
    param_names=("widths", "values"),
    samples=lambda rng: [
        ((rng.standard_normal(4),), (((1, 2),), ((0, 0),))),
        ((rng.standard_normal((3, 4)),), (((0, 0), (2, 1)), ((0, 0), (1.5, 1.5)))),
        ((rng.standard_normal((2, 3)),), (((1, 0), (1, 1)), ((3.0, 3.0), (3.0, 3.0)))),
    ],
    latex=r"\operatorname{{pad}} {0}",
    index_form=_pad_entry,
)


# -- what NumPy takes as widths and values -----------------------------------------------------------------------------


def _pairs(given, ndim) -> list[tuple[Any, Any]]:
    """One pair for each axis, from a number, a pair, or a pair for each axis."""
    if not _has_traced(given):
        return [tuple(pair) for pair in np.broadcast_to(np.asarray(given), (ndim, 2)).tolist()]
    rows = given if isinstance(given, (tuple, list)) else [given]
    if not any(isinstance(row, (tuple, list)) for row in rows):
        rows = [rows]
    pairs = [tuple(row) * (2 // len(row)) if isinstance(row, (tuple, list)) else (row, row) for row in rows]
    if len(pairs) not in (1, ndim) or any(len(pair) != 2 for pair in pairs):
        raise ShapeError(f"np.pad: {len(pairs)} pairs of values for {ndim} axes")
    return pairs * (ndim // len(pairs))


def _has_traced(given) -> bool:
    if isinstance(given, (tuple, list)):
        return any(map(_has_traced, given))
    return hasattr(given, "known_value")


def _widths(pad_width, ndim) -> tuple[tuple[int, int], ...]:
    if isinstance(pad_width, dict):
        rows: list = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            rows[axis] = width if isinstance(width, tuple) else (width, width)
        pad_width = rows
    if _has_traced(pad_width):
        raise UnsupportedError("np.pad by a traced number: its shape depends on it; pad by a plain number")
    if np.asarray(pad_width).dtype.kind not in "iu":
        raise ArgumentError("np.pad: widths must be integers")
    pairs = tuple((int(before), int(after)) for before, after in _pairs(pad_width, ndim))
    if any(width < 0 for pair in pairs for width in pair):
        raise ArgumentError(f"np.pad: widths must not be negative, as in {pairs}; cut with a slice")
    return pairs


OPTIONS = {
    "constant": "constant_values",
    "linear_ramp": "end_values",
    "maximum": "stat_length",
    "minimum": "stat_length",
    "mean": "stat_length",
    "median": "stat_length",
    "reflect": "reflect_type",
    "symmetric": "reflect_type",
    "edge": "",
    "wrap": "",
}


@handles(np.pad)
def pad(array_, pad_width, mode="constant", **kwargs):
    """`np.pad`, in all modes but "empty" and functions of the user's."""
    if mode not in OPTIONS:
        raise UnsupportedError(f"np.pad(..., mode={mode!r}) is not supported; write one of {', '.join(OPTIONS)}")
    option = OPTIONS[mode]
    if set(kwargs) - {option}:
        raise ArgumentError(f"np.pad(..., mode={mode!r}) does not know {', '.join(set(kwargs) - {option})}")
    x = array(array_)
    widths = _widths(pad_width, x.ndim)
    given = kwargs.get(option)
    if x.ndim == 0:
        return copied(x)
    if mode == "constant" and not _has_traced(given):
        values = tuple(_pairs(0 if given is None else given, x.ndim))
        return apply(PAD, x, params=(widths, values))
    if mode in ("constant", "linear_ramp"):
        options: list = _pairs(0 if given is None else given, x.ndim)
    elif option == "stat_length" and given is not None:
        options = _pairs(given, x.ndim)
    else:
        options = [given] * x.ndim
    result = x
    for axis, pair in enumerate(widths):
        if any(pair):
            if mode != "constant" and isinstance(x.shape[axis], int) and x.shape[axis] == 0:
                raise ShapeError(f"np.pad: axis {axis} has no entries, which {mode!r} would need")
            result = SIDES[mode](result, axis, pair, options[axis], mode)
    return copied(x) if result is x else result


# -- what stands before and after --------------------------------------------------------------------------------------


def _joined(x, axis, before, after):
    return np.concatenate([part for part in (before, x, after) if part is not None], axis=axis)


def _stretched(x, axis, width):
    """A slice of one entry along the axis, `width` times; None for no width."""
    if width == 0:
        return None
    return np.broadcast_to(x, (*x.shape[:axis], width, *x.shape[axis + 1 :]))


def _first(x, axis, count=1):
    return x[at(axis, slice(None, count))]


def _last(x, axis, count=1):
    return x[at(axis, slice(-count, None))]


def _edge(x, axis, pair, option, mode):
    return _joined(x, axis, _stretched(_first(x, axis), axis, pair[0]), _stretched(_last(x, axis), axis, pair[1]))


def _constant(x, axis, pair, values, mode):
    def side(value, width):
        if width == 0:
            return None
        value = array(value)
        return np.broadcast_to(value.astype(x.dtype), (*x.shape[:axis], width, *x.shape[axis + 1 :]))

    return _joined(x, axis, side(values[0], pair[0]), side(values[1], pair[1]))


def _statistic(x, axis, pair, lengths, mode):
    if mode in ("mean", "median") and x.dtype.kind != "f":
        raise UnsupportedError(f"np.pad(..., mode={mode!r}) rounds integers; convert with .astype(float) first")
    function: Any = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}[mode]

    def side(slices, width, length):
        if width == 0:
            return None
        if length is not None and length < 1:
            raise ArgumentError(f"np.pad: stat_length must be at least 1, not {length}")
        part = x if length is None or length >= x.shape[axis] else slices(x, axis, length)
        return _stretched(function(part, axis=axis, keepdims=True), axis, width)

    lengths = lengths or (None, None)
    return _joined(x, axis, side(_first, pair[0], lengths[0]), side(_last, pair[1], lengths[1]))


def _ramp(x, axis, pair, ends, mode):
    if x.dtype.kind != "f":
        raise UnsupportedError("np.pad(..., mode='linear_ramp') rounds integers; convert with .astype(float) first")

    def side(edge, width, end, step):
        if width == 0:
            return None
        wide = edge.astype(np.float64)  # as np.linspace does
        end = array(end).astype(np.float64)
        count = np.arange(float(width))[::step].reshape((-1,) + (1,) * (x.ndim - 1 - axis))
        return (count * ((wide - end) / width) + end).astype(x.dtype)

    before = side(_first(x, axis), pair[0], ends[0], 1)
    return _joined(x, axis, before, side(_last(x, axis), pair[1], ends[1], -1))


def _mirrored(x, axis, pair, kind, mode):
    """Reflected at the edges; an odd reflection turns the values, too."""
    kind = kind or "even"
    if kind not in ("even", "odd"):
        raise ArgumentError(f"np.pad(..., reflect_type={kind!r}): it is 'even' or 'odd'")
    size = int(x.shape[axis])
    if size == 1:
        return _edge(x, axis, pair, None, mode)
    if kind == "even":
        return _rearranged(x, axis, pair, mode)
    skipped = 0 if mode == "symmetric" else 1
    if max(pair) > size - skipped:
        raise UnsupportedError(
            f"np.pad(..., reflect_type='odd') by {max(pair)} reflects {size} entries twice; pad less"
        )
    before, after = pair
    left = right = None
    if before:
        left = _turned(_first(x, axis), x[at(axis, slice(skipped, skipped + before))], axis)
    if after:
        stop = size - skipped
        right = _turned(_last(x, axis), x[at(axis, slice(stop - after, stop))], axis)
    return _joined(x, axis, left, right)


def _turned(edge, part, axis):
    y = 2 * edge - np.flip(part, axis)
    return y if y.dtype == edge.dtype else y.astype(edge.dtype)


def _rearranged(x, axis, pair, mode):
    """The entries in the order in which NumPy puts their numbers: a few runs forwards and backwards."""
    order = np.pad(np.arange(int(x.shape[axis])), pair, mode=mode)
    runs = _runs(order)
    if len(runs) > FEW:
        return take(x, order, axis)
    parts = []
    for start, count, step in runs:
        if step == 0:
            parts.append(_stretched(x[at(axis, slice(start, start + 1))], axis, count))
            continue
        stop = start + step * count
        parts.append(x[at(axis, slice(start, stop if stop >= 0 else None, None if step == 1 else step))])
    return np.concatenate(parts, axis=axis)


def _runs(order):
    """The longest runs (start, count, step) of numbers that rise by 1, fall by 1 or stay.

    >>> _runs(np.array([2, 1, 0, 1, 2, 3, 3]))
    [(2, 3, -1), (1, 3, 1), (3, 1, 1)]
    """
    runs = []
    begin = 0
    while begin < len(order):
        end = begin + 1
        step = order[end] - order[begin] if end < len(order) else 1
        if abs(step) > 1:
            step = 1
        while end < len(order) and order[end] - order[end - 1] == step:
            end += 1
        runs.append((int(order[begin]), end - begin, int(step)))
        begin = end
    return runs


SIDES = {
    "constant": _constant,
    "edge": _edge,
    "reflect": _mirrored,
    "symmetric": _mirrored,
    "wrap": lambda x, axis, pair, option, mode: _rearranged(x, axis, pair, mode),
    "linear_ramp": _ramp,
    "maximum": _statistic,
    "minimum": _statistic,
    "mean": _statistic,
    "median": _statistic,
}

FAMILY = (PAD,)
