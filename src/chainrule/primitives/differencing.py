"""Differences and slopes between neighbours, and the area under them: `diff`, `ediff1d`, `gradient`, `trapezoid`.

The one idea: a difference of neighbours comes back as one, too, of the cotangent with a zero at each end, and the sign turned.
`difference` and `difference_ends` are each other's transposes, up to the sign. All else here is arithmetic of shifted pieces,
`x[1:]` and `x[:-1]`: it is recorded as a person would write it, and its derivative is derived.

>>> difference_ends(np.array([1.0, 4.0]), 0)
array([ 1.,  3., -4.])
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, ShapeError
from chainrule.index_form import Inside, Plus, Times, moved, negative
from chainrule.primitive import Primitive, apply, handles, linear
from chainrule.primitives.cumulative import along
from chainrule.primitives.signatures import MISSING, as_array, given
from chainrule.pytree import Recorder
from chainrule.shapes import normalize_axes

LATER, EARLIER = slice(1, None), slice(None, -1)


def _axis(axis: Any, x: Any) -> int:
    return normalize_axes(operator.index(axis), x.ndim)[0]  # without a number it is not known what is next to what


def difference_ends(y, axis):
    """The differences of `y` with a zero before it and behind it."""
    return np.diff(np.pad(y, [(int(place == axis),) * 2 for place in range(y.ndim)]), axis=axis)


def _shorter(x, axis):
    dim = x.shape[axis]
    return (*x.shape[:axis], dim - 1 if type(dim) is not int or dim > 0 else 0, *x.shape[axis + 1 :])


def _difference_entry(entries, at, letters, axis):
    """`y[i] = x[i+1] - x[i]`."""
    x, later = entries[0], (*at[:axis], moved(at[axis], offset=1), *at[axis + 1 :])
    return Plus((x(*later), negative(x(*at))))


def _ends_entry(entries, at, letters, axis):
    """`x[i] = y[i] - y[i-1]`, each as far as it exists."""
    (y,) = entries
    size = y.sizes[axis]
    if size == 1:
        return None
    own, previous = (
        Times((Inside(position, size), y(*at[:axis], position, *at[axis + 1 :])))
        for position in (at[axis], moved(at[axis], offset=-1))
    )
    return Plus((own, negative(previous)))


DIFFERENCE: Primitive = linear(
    "difference",
    lambda x, axis: np.diff(x, axis=axis),
    (lambda y_bar, x, axis: -apply(DIFFERENCE_ENDS, y_bar, params=(axis,)),),
    _shorter,
    param_names=("axis",),
    samples=lambda rng: [((rng.standard_normal(5),), (0,)), ((rng.standard_normal((2, 4, 3)),), (1,))],
    latex=r"\operatorname{{diff}} {0}",
    index_form=_difference_entry,
)
DIFFERENCE_ENDS: Primitive = linear(
    "difference_ends",
    difference_ends,
    (lambda x_bar, y, axis: -apply(DIFFERENCE, x_bar, params=(axis,)),),
    lambda y, axis: (*y.shape[:axis], y.shape[axis] + 1, *y.shape[axis + 1 :]),
    param_names=("axis",),
    samples=lambda rng: [((rng.standard_normal(5),), (0,)), ((rng.standard_normal((2, 4, 3)),), (1,))],
    latex=r"\operatorname{{diff}}_0 {0}",
    index_form=_ends_entry,
)


@handles(np.diff)
def diff(a, n=1, axis=-1, prepend=MISSING, append=MISSING):
    """`np.diff`: each entry minus the one before it, `n` times."""
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"np.diff needs an order that is not negative, not {n}")
    a = as_array(a)
    if a.ndim == 0:
        raise ValueError("np.diff needs an array with an axis")
    axis = _axis(axis, a)
    edge = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    parts = [_at_edge(part, edge) for part in (prepend,) if given(part)]
    parts.append(a)
    parts += [_at_edge(part, edge) for part in (append,) if given(part)]
    if len(parts) > 1:
        a = np.concatenate(parts, axis=axis)
    for _ in range(n):
        if a.dtype.kind == "b":
            a = a[along(axis, LATER)] != a[along(axis, EARLIER)]
        else:
            a = apply(DIFFERENCE, a, params=(axis,))
    return a


def _at_edge(part: Any, edge: tuple) -> Any:
    part = as_array(part)
    return np.broadcast_to(part, edge) if part.ndim == 0 else part


@handles(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    """`np.ediff1d`: the differences of all entries in a row, and what is put before and behind them."""
    row = as_array(ary).reshape((-1,))
    between = row[1:] - row[:-1] if row.dtype.kind == "b" else np.diff(row)
    if to_begin is None and to_end is None:
        return between
    parts = []
    for name, part in (("to_begin", to_begin), ("", between), ("to_end", to_end)):
        if part is None:
            continue
        part = as_array(part)
        if not name:
            parts.append(part)
            continue
        if not np.can_cast(part.dtype, row.dtype, casting="same_kind"):
            raise TypeError(f"np.ediff1d: {name} of {part.dtype} does not become {row.dtype}")
        parts.append(part.astype(row.dtype).reshape((-1,)))
    return np.concatenate(parts)


@handles(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """`np.trapezoid`: the area under the straight lines between points."""
    y = as_array(y)
    axis = _axis(axis, y)
    if x is None:
        steps = dx
    else:
        x = as_array(x)
        if x.ndim == 1:
            steps = np.diff(x)
            steps = steps[along(0, slice(None), *(None,) * (y.ndim - 1 - axis))]
        else:
            steps = np.diff(x, axis=axis)
    return np.sum(steps * (y[along(axis, LATER)] + y[along(axis, EARLIER)]) / 2.0, axis=axis)


# -- slopes ------------------------------------------------------------------------------------------------------------


@handles(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    """`np.gradient`: slopes by central differences inside and one-sided ones at both ends, along each axis."""
    f = as_array(f)
    axes = tuple(range(f.ndim)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(_axis(each, f) for each in axes)
    if len(set(axes)) != len(axes):
        raise ValueError(f"np.gradient: axis {axis} repeats an axis")
    if edge_order not in (1, 2):
        raise ValueError(f"np.gradient has edge_order 1 or 2, not {edge_order}")
    if f.dtype.kind in "iu":
        f = f.astype(np.float64)
    slopes = [
        _slopes(f, place, spacing, edge_order) for place, spacing in zip(axes, _spacings(f, varargs, axes), strict=True)
    ]
    slopes = [slope if slope.dtype == f.dtype else slope.astype(f.dtype) for slope in slopes]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _spacings(f: Any, varargs: tuple, axes: tuple) -> list:
    """For each axis the distance between points: one number, or an array of them."""
    if not varargs:
        return [1.0] * len(axes)
    given_ones = [as_array(each) if isinstance(each, (list, tuple)) else each for each in varargs]
    if len(given_ones) == 1 and getattr(given_ones[0], "ndim", 0) == 0:
        return given_ones * len(axes)
    if len(given_ones) != len(axes):
        raise TypeError(f"np.gradient has {len(given_ones)} spacings for {len(axes)} axes: give one for each")
    return [_distances(each, f, place) for each, place in zip(given_ones, axes, strict=True)]


def _distances(spacing: Any, f: Any, axis: int) -> Any:
    if getattr(spacing, "ndim", 0) == 0:
        return spacing
    if spacing.ndim != 1:
        raise ValueError("np.gradient: distances are numbers or have one axis")
    if spacing.shape[0] != f.shape[axis]:
        raise ShapeError(f"np.gradient: the points along axis {axis} are not as many as the entries")
    if spacing.dtype.kind in "iub":
        spacing = spacing.astype(np.float64)
    distances = np.diff(spacing)
    if not isinstance(distances, Recorder) and (distances == distances[0]).all():
        return distances[0]
    return distances


def _slopes(f: Any, axis: int, h: Any, edge_order: int) -> Any:
    """The slopes along one axis, in three pieces: the first, those inside, the last."""
    if f.shape[axis] < edge_order + 1:
        raise ArgumentError(f"np.gradient needs at least {edge_order + 1} entries along axis {axis}")
    uniform = getattr(h, "ndim", 0) == 0

    def at(*bounds):
        return f[along(axis, slice(*bounds))]

    left, middle, right = at(None, -2), at(1, -1), at(2, None)
    if uniform:
        inside = (right - left) / (2.0 * h)
    else:
        d1, d2 = h[:-1], h[1:]
        weights = -d2 / (d1 * (d1 + d2)), (d2 - d1) / (d1 * d2), d1 / (d2 * (d1 + d2))
        a, b, c = (w[along(0, slice(None), *(None,) * (f.ndim - 1 - axis))] for w in weights)
        inside = a * left + b * middle + c * right
    h_first, h_last = (h, h) if uniform else (h[0], h[-1])
    if edge_order == 1:
        first = (at(1, 2) - at(0, 1)) / h_first
        last = (at(-1, None) - at(-2, -1)) / h_last
    else:
        a, b, c = (-1.5 / h, 2.0 / h, -0.5 / h) if uniform else _first_weights(h[0], h[1])
        first = a * at(0, 1) + b * at(1, 2) + c * at(2, 3)
        a, b, c = (0.5 / h, -2.0 / h, 1.5 / h) if uniform else _last_weights(h[-2], h[-1])
        last = a * at(-3, -2) + b * at(-2, -1) + c * at(-1, None)
    return np.concatenate((first, inside, last), axis=axis)


def _first_weights(d1: Any, d2: Any) -> tuple:
    return -(2.0 * d1 + d2) / (d1 * (d1 + d2)), (d1 + d2) / (d1 * d2), -d1 / (d2 * (d1 + d2))


def _last_weights(d1: Any, d2: Any) -> tuple:
    return d2 / (d1 * (d1 + d2)), -(d2 + d1) / (d1 * d2), (2.0 * d2 + d1) / (d2 * (d1 + d2))


FAMILY = (DIFFERENCE, DIFFERENCE_ENDS)
