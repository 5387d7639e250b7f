"""Diagonals and triangles: `diagonal`, `diag`, `trace`, `tril`, `triu`; and `cross`, which is its own kind of triangle.

The one idea: each of these picks entries by their two positions, so its transpose puts them back where they were. What is
picked from a diagonal returns to a diagonal, and a triangle keeps the triangle of what comes back.

>>> from_diagonal(np.array([1.0, 2.0]), 1, 2, 3)
array([[0., 1., 0.],
       [0., 0., 2.]])
"""

from __future__ import annotations

import operator

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.index_form import ONE, Delta, IndexForm, Inside, Plus, Times, combined, moved, negative
from chainrule.primitive import Primitive, apply, elementwise, handles, linear, ufunc_dtype, weak_type
from chainrule.primitives.contraction import array_of
from chainrule.pytree import Recorder
from chainrule.shapes import Guard, SizeExpr, hint_of, same_dim, str_shape

# -- diagonals ---------------------------------------------------------------------------------------------------------


def from_diagonal(y, offset, rows, columns):
    """Zeros in matrices of that size, with the last axis of `y` on a diagonal."""
    x = np.zeros((*y.shape[:-1], rows, columns), dtype=y.dtype)
    i = np.arange(y.shape[-1])
    x[..., i + max(-offset, 0), i + max(offset, 0)] = y
    return x


def diagonal_length(rows, columns, offset):
    """How many entries a diagonal has; of named sizes that of the shorter side, which is guarded.

    A matrix that is square is taken to be square for every size: then its diagonal goes back by `np.diag`.
    """
    same_dim(rows, columns)
    short, long = rows + min(offset, 0), columns - max(offset, 0)
    if hint_of(short) > hint_of(long):
        short, long = long, short
    named = [dim for dim in (short, long) if isinstance(dim, SizeExpr)]
    if not named:
        return max(short, 0)
    scope = named[0].scope
    if hint_of(short) <= 0:  # none of it: so for these sizes alone
        for dim in named:
            scope.unify(dim, hint_of(dim))
        return 0
    if hint_of(long) > hint_of(short):
        scope.guards.append(Guard(long, ">=", short))
    if offset:
        scope.guards.append(Guard(short, ">=", 1))
    return scope.resolve(short)


def _expression(dim):
    return getattr(dim, "expr", dim)


def _diagonal_transpose(y_bar, x, offset):
    rows, columns = x.shape[-2:]
    if y_bar.ndim == 1 and _expression(rows) == _expression(columns):
        return apply(DIAG, y_bar, params=(offset,))
    return apply(FROM_DIAGONAL, y_bar, params=(offset, rows, columns))


def _put_entry(y, at, offset, whole):
    """`y` on a diagonal: 0 unless the column is the row moved by the offset."""
    *stack, i, j = at
    position = moved(i, offset=-max(-offset, 0))
    factors: list[IndexForm] = [Delta(moved(i, offset=offset), j)]
    if not whole:
        factors.append(Inside(position, y.sizes[-1]))
    return Times((*factors, y(*stack, 0 if y.sizes[-1] == 1 else position)))


DIAGONAL: Primitive = linear(
    "diagonal",
    lambda x, offset: np.diagonal(x, offset, -2, -1),
    (_diagonal_transpose,),
    lambda x, offset: (*x.shape[:-2], diagonal_length(x.shape[-2], x.shape[-1], offset)),
    param_names=("offset",),
    samples=lambda rng: [
        ((rng.standard_normal((3, 3)),), (0,)),
        ((rng.standard_normal((3, 4)),), (1,)),
        ((rng.standard_normal((2, 4, 3)),), (-2,)),
    ],
    latex=r"\operatorname{{diagonal}} {0}",
    index_form=lambda entries, at, letters, offset: entries[0](
        *at[:-1], moved(at[-1], offset=max(-offset, 0)), moved(at[-1], offset=max(offset, 0))
    ),
)
DIAG: Primitive = linear(
    "diag",
    np.diag,
    (lambda y_bar, x, offset: apply(DIAGONAL, y_bar, params=(offset,)),),
    lambda x, offset: (x.shape[0] + abs(offset),) * 2,
    param_names=("offset",),
    samples=lambda rng: [((rng.standard_normal(3),), (0,)), ((rng.standard_normal(3),), (-2,))],
    latex=r"\operatorname{{diag}} {0}",
    index_form=lambda entries, at, letters, offset: _put_entry(entries[0], at, offset, offset == 0),
)
FROM_DIAGONAL: Primitive = linear(
    "from_diagonal",
    from_diagonal,
    (lambda y_bar, y, offset, rows, columns: apply(DIAGONAL, y_bar, params=(offset,)),),
    lambda y, offset, rows, columns: (*y.shape[:-1], rows, columns),
    param_names=("offset", "rows", "columns"),
    samples=lambda rng: [
        ((rng.standard_normal(3),), (1, 3, 4)),
        ((rng.standard_normal((2, 2)),), (-2, 4, 3)),
    ],
    latex=r"\operatorname{{diagonal}}^T {0}",
    index_form=lambda entries, at, letters, offset, rows, columns: _put_entry(entries[0], at, offset, False),
    helper="chainrule.primitives.diagonals:from_diagonal",
)


@handles(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    """`np.diagonal`: of the matrices in two axes, as a new last axis."""
    a = array_of(a)
    ndim = a.ndim
    if ndim < 2:
        raise ShapeError(
            f"a diagonal needs two axes, not shape {str_shape(a.shape)}; np.diag makes a matrix of a vector"
        )
    if not (-ndim <= axis1 < ndim and -ndim <= axis2 < ndim) or axis1 % ndim == axis2 % ndim:
        raise ShapeError(f"np.diagonal: axes {axis1} and {axis2} do not fit an array with {ndim} axes")
    axes = (axis1 % ndim, axis2 % ndim)
    picked = apply(
        DIAGONAL,
        np.transpose(a, (*(n for n in range(ndim) if n not in axes), *axes)),
        params=(operator.index(offset),),
    )
    if isinstance(picked, Recorder):
        picked.fresh = False  # type: ignore[misc]  # NumPy's is a view that cannot be written
    return picked


@handles(np.linalg.diagonal)
def _linalg_diagonal(x, /, *, offset=0):
    return diagonal(x, offset, -2, -1)


@handles(np.diag)
def diag(v, k=0):
    """`np.diag`: a vector on the diagonal of a matrix, or the diagonal of a matrix."""
    v = array_of(v)
    if v.ndim not in (1, 2):
        raise ShapeError(
            f"np.diag takes a vector or a matrix, not shape {str_shape(v.shape)}; np.diagonal takes stacks"
        )
    return apply(DIAG, v, params=(operator.index(k),)) if v.ndim == 1 else diagonal(v, k)


@handles(np.diagflat)
def diagflat(v, k=0):
    """`np.diagflat`: all entries on the diagonal of a matrix."""
    return apply(DIAG, array_of(v).reshape((-1,)), params=(operator.index(k),))


@handles(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """`np.trace`: the sum of a diagonal."""
    if out is not None:
        raise UnsupportedError("np.trace(..., out=) writes into an array; write y = np.trace(x)")
    total = np.sum(diagonal(a, offset, axis1, axis2), axis=-1)
    if dtype is not None and np.dtype(dtype) != total.dtype:
        raise UnsupportedError(f"np.trace(..., dtype={dtype}): convert with .astype first")
    return total


@handles(np.linalg.trace)
def _linalg_trace(x, /, *, offset=0, dtype=None):
    return trace(x, offset, -2, -1, dtype)


# -- triangles ---------------------------------------------------------------------------------------------------------


def _lower_entry(entries, at, letters, k):
    """Nothing where the column is more than k past the row."""
    i, j = at[-2:]
    kept: IndexForm
    if k <= 0:
        kept = Inside(combined(((1, i), (-1, j)), k), entries[0].sizes[-2])
    else:
        kept = Plus((ONE, negative(Inside(combined(((1, j), (-1, i)), -k - 1), entries[0].sizes[-1]))))
    return Times((kept, entries[0](*at)))


def _upper_entry(entries, at, letters, k):
    """Nothing where the column is less than k past the row."""
    i, j = at[-2:]
    kept: IndexForm
    if k >= 0:
        kept = Inside(combined(((1, j), (-1, i)), -k), entries[0].sizes[-1])
    else:
        kept = Plus((ONE, negative(Inside(combined(((1, i), (-1, j)), k - 1), entries[0].sizes[-2]))))
    return Times((kept, entries[0](*at)))


def _triangle(name, function, entry):
    return linear(
        name,
        function,
        (lambda y_bar, x, k: function(y_bar, k),),
        lambda x, k: x.shape,
        param_names=("k",),
        samples=lambda rng: [
            ((rng.standard_normal((3, 4)),), (0,)),
            ((rng.standard_normal((2, 3, 3)),), (-1,)),
            ((rng.standard_normal((4, 3)),), (1,)),
        ],
        latex=rf"\operatorname{{{{{name}}}}} {{0}}",
        index_form=entry,
    )


TRIL = _triangle("tril", np.tril, _lower_entry)
TRIU = _triangle("triu", np.triu, _upper_entry)


def _triangle_handler(primitive, function):
    @handles(function)
    def handler(m, k=0):
        if m.ndim == 0:
            raise ShapeError(f"np.{primitive.name} takes matrices, not a scalar")
        if m.ndim == 1:
            m = np.broadcast_to(m, (m.shape[0], m.shape[0]))  # as NumPy does
        return apply(primitive, m, params=(operator.index(k),))

    return handler


_triangle_handler(TRIL, np.tril)
_triangle_handler(TRIU, np.triu)


def _indices_from(function, indices):
    @handles(function)
    def handler(arr, k=0):
        if arr.ndim != 2:
            raise ShapeError(f"np.{function.__name__} takes a matrix, not shape {str_shape(arr.shape)}")
        return indices(arr.shape[0], k=k, m=arr.shape[1])

    return handler


_indices_from(np.tril_indices_from, np.tril_indices)
_indices_from(np.triu_indices_from, np.triu_indices)


@handles(np.diag_indices_from)
def diag_indices_from(arr):
    """`np.diag_indices_from`: the positions on the main diagonal."""
    if arr.ndim < 2 or not all(same_dim(arr.shape[0], dim) for dim in arr.shape[1:]):
        raise ShapeError(f"np.diag_indices_from takes axes of one size, not shape {str_shape(arr.shape)}")
    return np.diag_indices(arr.shape[0], arr.ndim)


# -- cross products ----------------------------------------------------------------------------------------------------

CROSS = elementwise(
    np.cross,
    name="cross",
    dtype_rule=lambda a, b: ufunc_dtype(np.multiply, (weak_type(a), weak_type(b))),
    samples=lambda rng: [
        ((rng.standard_normal(3), rng.standard_normal(3)), ()),
        ((rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 4, 3))), ()),
    ],
    latex=r"{0} \times {1}",
)
CROSS.kind = "linear"  # in each factor; operands meet in one shape, as elementwise ones do
CROSS.rules = (lambda y_bar, a, b: np.cross(b, y_bar), lambda y_bar, a, b: np.cross(y_bar, a))


@handles(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """`np.cross` of vectors in three dimensions."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = _axis_to_end(array_of(a), axisa), _axis_to_end(array_of(b), axisb)
    for x in (a, b):
        if not same_dim(x.shape[-1], 3):
            raise UnsupportedError(
                f"np.cross takes vectors in 3 dimensions, not {hint_of(x.shape[-1])}; for 2 write "
                "a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]"
            )
    c = apply(CROSS, a, b)
    if not -c.ndim <= axisc < c.ndim:
        raise ShapeError(f"np.cross: axisc {axisc} does not fit a result with {c.ndim} axes")
    axes = list(range(c.ndim - 1))
    axes.insert(axisc % c.ndim, c.ndim - 1)
    return np.transpose(c, tuple(axes))


def _axis_to_end(x, axis):
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"np.cross: axis {axis} does not fit an array with {x.ndim} axes")
    return np.transpose(x, (*(n for n in range(x.ndim) if n != axis % x.ndim), axis % x.ndim))


@handles(np.linalg.cross)
def _linalg_cross(x1, x2, /, *, axis=-1):
    return cross(x1, x2, axis=axis)


FAMILY = (DIAGONAL, DIAG, FROM_DIAGONAL, TRIL, TRIU, CROSS)
