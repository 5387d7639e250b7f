"""Sliding windows: what a convolution sees, `sliding_window_view` of NumPy, and its transpose, which adds windows back.

The one idea: entry p of a signal and place u in a window meet at x[p + u]. So windows are linear in x, and what comes back to
x[i] is the sum over all places at which it was seen: the windows added where they overlap.

>>> x = np.arange(5.0)
>>> sliding_window_view(x, 2)
array([[0., 1.],
       [1., 2.],
       [2., 3.],
       [3., 4.]])
>>> add_windows(np.ones((4, 2)), 0)
array([1., 2., 2., 2., 1.])
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.index_form import Inside, Times, Total, combined
from chainrule.primitive import Primitive, apply, handles, linear
from chainrule.shapes import hint_of


def windows_shape(x, size, axis):
    """The windowed axis is shorter by size - 1; the window is a new last axis."""
    if not 1 <= size <= hint_of(x.shape[axis]):
        raise ShapeError(f"a window of {size} does not fit axis {axis} with size {hint_of(x.shape[axis])}")
    shape = list(x.shape)
    shape[axis] = shape[axis] - (size - 1) if size > 1 else shape[axis]
    return (*shape, size)


def add_windows(y, axis):
    """Windows along the last axis, added where they overlap along `axis`."""
    count, size = y.shape[axis], y.shape[-1]
    shape = list(y.shape[:-1])
    shape[axis] = count + size - 1
    x = np.zeros(shape, dtype=y.dtype)
    for u in range(size):
        place = [slice(None)] * len(shape)
        place[axis] = slice(u, u + count)
        x[tuple(place)] += y[..., u]
    return x


def _added_shape(y, axis):
    shape = list(y.shape[:-1])
    shape[axis] = shape[axis] + (y.shape[-1] - 1)
    return tuple(shape)


def _windows_entry(entries, at, letters, size, axis):
    """`y[.., p, .., u] = x[.., p + u, ..]`."""
    *rest, u = at if size > 1 else (*at, 0)
    if len(entries[0].sizes) != len(rest):  # an axis of size 1 has no position: which one is windowed is not told
        return None
    rest[axis] = combined(((1, rest[axis]), (1, u)))
    return entries[0](*rest)


def _added_entry(entries, at, letters, axis):
    """`x[.., i, ..] = sum_u y[.., i - u, .., u]`, as far as there is a window that begins there."""
    (y,) = entries
    if len(at) != len(y.sizes) - 1 or y.sizes[-1] == 1:
        return None
    u = letters.new(y.sizes[-1])
    begin = combined(((1, at[axis]), (-1, u)))
    where = [*at[:axis], begin, *at[axis + 1 :], u]
    return Total((u,), Times((y(*where), Inside(begin, y.sizes[axis]))))


WINDOWS: Primitive = linear(
    "windows",
    lambda x, size, axis: sliding_window_view(x, size, axis=axis),
    (lambda y_bar, x, size, axis: apply(ADD_WINDOWS, y_bar, params=(axis,)),),
    windows_shape,
    param_names=("size", "axis"),
    samples=lambda rng: [
        ((rng.standard_normal(6),), (3, 0)),
        ((rng.standard_normal((2, 5, 3)),), (2, 1)),
        ((rng.standard_normal((4, 3)),), (4, 0)),
    ],
    latex=r"\operatorname{{windows}} {0}",
    index_form=_windows_entry,
)
ADD_WINDOWS: Primitive = linear(
    "add_windows",
    add_windows,
    (lambda x_bar, y, axis: apply(WINDOWS, x_bar, params=(y.shape[-1], axis)),),
    _added_shape,
    param_names=("axis",),
    samples=lambda rng: [((rng.standard_normal((4, 3)),), (0,)), ((rng.standard_normal((2, 4, 3, 2)),), (1,))],
    latex=r"\operatorname{{windows}}^T {0}",
    index_form=_added_entry,
    helper="chainrule.primitives.windows:add_windows",
)


@handles(sliding_window_view)
def windows(x, window_shape, axis=None, *, subok=False, writeable=False):
    """`sliding_window_view`: one window axis after the other, each a new last axis."""
    if writeable:
        raise UnsupportedError("sliding_window_view(..., writeable=True) writes into what it looks at; leave it out")
    sizes = tuple(window_shape) if isinstance(window_shape, (tuple, list)) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    if len(sizes) != len(axes):
        raise ShapeError(f"sliding_window_view has {len(sizes)} window sizes for {len(axes)} axes: give one for each")
    ndim = x.ndim
    for size, place in zip(sizes, axes, strict=True):
        if not -ndim <= place < ndim:
            raise ShapeError(f"sliding_window_view has axis {place}, but x has {ndim} axes")
        x = apply(WINDOWS, x, params=(int(size), place % ndim))
    return x


FAMILY = (WINDOWS, ADD_WINDOWS)
