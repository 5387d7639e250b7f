"""Norms of vectors and matrices: the Euclidean one is a primitive, the others are sums and maxima of absolute values.

The one idea: `norm(x)` moves with the direction of x, `x / norm(x)`. At 0, where it has a kink, the derivative is 0, as that
of abs is.

>>> np.linalg.norm(np.array([3.0, 4.0]))
np.float64(5.0)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.index_form import Raised, Total, number
from chainrule.primitive import FUNCTIONS, apply, general, handles
from chainrule.primitives.reduction import reduced_shape, spread
from chainrule.primitives.signatures import as_array
from chainrule.pytree import Recorder
from chainrule.shapes import normalize_axes


def norm_over(x, axes, keepdims):
    """The root of the sum of squares over any axes; NumPy's own norm where it takes them."""
    if len(axes) == x.ndim:
        return np.linalg.norm(x, keepdims=keepdims)
    if len(axes) <= 2:
        return np.linalg.norm(x, axis=axes, keepdims=keepdims)
    return np.sqrt(np.sum(x * x, axis=axes, keepdims=keepdims))


def _direction(x, y, axes, keepdims):
    """`x / norm(x)`, and 0 where the norm is 0."""
    return x / spread(np.where(y == 0, 1.0, y), x, axes, keepdims)


def _norm_entry(entries, at, letters, axes, keepdims):
    sizes = entries[0].sizes
    rest = iter(position for axis, position in enumerate(at) if not keepdims or axis not in axes)
    inner = [letters.new(size) if axis in axes else next(rest) for axis, size in enumerate(sizes)]
    square = Raised(entries[0](*inner), number(2))
    summed = tuple(inner[axis] for axis in axes if sizes[axis] != 1)
    return Raised(Total(summed, square) if summed else square, number(0.5))


NORM = general(
    "norm",
    norm_over,
    (lambda y_bar, x, y, axes, keepdims: spread(y_bar, x, axes, keepdims) * _direction(x, y, axes, keepdims),),
    lambda tangents, operands, y, params: np.sum(
        tangents[0] * _direction(operands[0], y, *params), axis=params[0], keepdims=params[1]
    ),
    reduced_shape,
    dtype_rule=lambda x, axes, keepdims: x.dtype,
    param_names=("axis", "keepdims"),
    samples=lambda rng: [
        ((rng.standard_normal(4),), ((0,), False)),
        ((rng.standard_normal((3, 4)),), ((1,), True)),
        ((rng.standard_normal((3, 4)),), ((0, 1), False)),
        ((rng.standard_normal((2, 3, 4)),), ((0, 2), True)),
        ((rng.standard_normal((2, 3, 4)),), ((0, 1, 2), True)),
    ],
    complex_step="rule",
    analytic=lambda x, axes, keepdims: np.sqrt(np.sum(x * x, axis=axes, keepdims=keepdims)),
    kinks="x = 0",
    latex=r"\lVert {0} \rVert",
    index_form=_norm_entry,
)


def _of_entries(x: Any, order: Any, axes: tuple, keepdims: bool) -> Any:
    """The norm of vectors: of all entries over `axes`."""
    if order is None or order == 2:
        return apply(NORM, x, params=(axes, keepdims))
    if isinstance(order, str):
        raise ValueError(f"np.linalg.norm: {order!r} is a norm of matrices, not of vectors")  # noqa: TRY004 - NumPy's
    if order == math.inf:
        return _largest(np.abs(x), axes, keepdims)
    if order == -math.inf:
        return np.min(np.abs(x), axis=axes, keepdims=keepdims)
    if order == 0:
        return np.sum((x != 0).astype(x.dtype), axis=axes, keepdims=keepdims)
    if order == 1:
        return np.sum(np.abs(x), axis=axes, keepdims=keepdims)
    total = np.sum(np.abs(x) ** order, axis=axes, keepdims=keepdims)
    if order < 0:
        return total ** (1 / order)
    return np.where(total == 0, 1.0, total) ** (1 / order) * (total != 0)  # at 0 the derivative is 0


def _largest(x: Any, axes: tuple, keepdims: bool) -> Any:
    """The largest entry of what is not negative; of no entries, 0."""
    if any(type(x.shape[axis]) is int and x.shape[axis] == 0 for axis in axes):
        return np.sum(x, axis=axes, keepdims=keepdims)
    return np.max(x, axis=axes, keepdims=keepdims)


def _of_matrix(x: Any, order: Any, rows: int, columns: int, keepdims: bool) -> Any:
    """The norm of matrices whose rows and columns lie along these two axes."""
    both = (min(rows, columns), max(rows, columns))
    if order in (None, "fro", "f"):
        return apply(NORM, x, params=(both, keepdims))
    if order in (2, -2, "nuc"):
        return _by_singular_values(x, order, rows, columns, keepdims)
    if order not in (1, -1, math.inf, -math.inf):
        raise ValueError(f"np.linalg.norm: matrices have no norm of order {order!r}")
    inner = rows if abs(order) == 1 else columns
    sums = np.sum(np.abs(x), axis=inner, keepdims=True)
    y = (_largest if order > 0 else np.min)(sums, both, keepdims=True)
    return y if keepdims else np.squeeze(y, both)


def _by_singular_values(x: Any, order: Any, rows: int, columns: int, keepdims: bool) -> Any:
    if np.linalg.svd not in FUNCTIONS:
        raise UnsupportedError(
            f"np.linalg.norm(x, {order!r}) of a matrix needs singular values, which cannot be traced; {place_text()}. "
            'Write np.linalg.norm(x, "fro").'
        )
    rest = tuple(axis for axis in range(x.ndim) if axis not in (rows, columns))
    values = np.linalg.svd(np.transpose(x, (*rest, rows, columns)), compute_uv=False)
    y = (np.sum if order == "nuc" else _largest if order == 2 else np.min)(values, (values.ndim - 1,), keepdims=False)
    return np.expand_dims(y, (rows, columns)) if keepdims else y


def _floating(x: Any) -> Any:
    return x if x.dtype.kind == "f" else x.astype(np.float64)


@handles(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    """`np.linalg.norm` of vectors (one axis) and matrices (two), or of everything in a row."""
    x, keepdims = _floating(as_array(x)), bool(keepdims)
    if isinstance(ord, Recorder):
        raise UnsupportedError(f"np.linalg.norm of a traced order cannot be traced; {place_text()}. Write a number.")
    if axis is None:
        if x.ndim == 0:
            return _of_scalar(x, ord)
        if ord is None:
            return apply(NORM, x, params=(tuple(range(x.ndim)), keepdims))
        axis = tuple(range(x.ndim))
    places = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    normalize_axes(places, x.ndim)  # refuses what is out of bounds, or named twice
    places = tuple(int(place) % x.ndim for place in places)
    if len(places) == 1:
        return _of_entries(x, ord, places, keepdims)
    if len(places) == 2:
        return _of_matrix(x, ord, *places, keepdims)
    raise ValueError(f"np.linalg.norm takes one or two axes, not {len(places)}")


def _of_scalar(x: Any, order: Any) -> Any:
    if order is not None:
        raise ValueError("np.linalg.norm of a number takes no order")
    return np.abs(x)


@handles(np.linalg.vector_norm)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """`np.linalg.vector_norm`: over any axes, all entries of them in a row."""
    x = _floating(as_array(x))
    axes = normalize_axes(axis, x.ndim)
    if not axes:
        x, axes, keepdims = np.expand_dims(x, x.ndim), (x.ndim,), False
    return _of_entries(x, ord, axes, bool(keepdims))


@handles(np.linalg.matrix_norm)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """`np.linalg.matrix_norm`: of the last two axes."""
    x = _floating(as_array(x))
    return _of_matrix(x, ord, x.ndim - 2, x.ndim - 1, bool(keepdims))


FAMILY = (NORM,)
