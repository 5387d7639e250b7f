"""Matrix products: `matmul` in every NumPy case, `dot` through it, and the transposition of axes.

`A @ B` is linear in each factor: A_bar = Y_bar @ B^T and B_bar = A^T @ Y_bar. Before it is recorded, a stack meets a
stack of the same shape (a broadcast equation) and a vector meets a stack as a matrix (an axis put in and taken out), so
the rule knows four cases only: two vectors, matrix and vector, two matrices or equal stacks, a stack and one matrix.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError
from chainrule.index_form import Times, Total
from chainrule.primitive import UFUNCS, apply, handles, linear, ufunc_dtype, weak_type
from chainrule.pytree import Recorder
from chainrule.shapes import broadcast_shapes, hint_of, normalize_axes, same_dim


def matmul_shape(a, b):
    """The shape of `a @ b`; raises ShapeError when the inner sizes differ."""
    inner_a, inner_b = a.shape[-1], b.shape[-2] if b.ndim > 1 else b.shape[0]
    if not same_dim(inner_a, inner_b):
        raise ShapeError(f"the inner sizes of a product must agree, not be {hint_of(inner_a)} and {hint_of(inner_b)}")
    stack = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return (*stack, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ()))


def swap_last(x):
    """The matrix transposed; in a stack, each matrix."""
    return x.T if x.ndim == 2 else np.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _flat_rows(x):
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_by_a(y_bar, a, b):
    if a.ndim == 1 and b.ndim == 1:
        return y_bar * b
    if b.ndim == 1:
        return np.expand_dims(y_bar, 1) * np.expand_dims(b, 0)
    if a.ndim == 1:
        return b @ y_bar
    return y_bar @ swap_last(b)


def _matmul_by_b(y_bar, a, b):
    if a.ndim == 1 and b.ndim == 1:
        return y_bar * a
    if a.ndim == 1:
        return np.expand_dims(a, 1) * np.expand_dims(y_bar, 0)
    if b.ndim == 1:
        return a.T @ y_bar
    if a.ndim > b.ndim:  # one matrix for a whole stack: its rows are samples
        return _flat_rows(a).T @ _flat_rows(y_bar)
    return swap_last(a) @ y_bar


def _samples(rng):
    r = rng.standard_normal
    return [
        ((r((3, 4)), r((4, 2))), ()),
        ((r(4), r(4)), ()),
        ((r((3, 4)), r(4)), ()),
        ((r(3), r((3, 4))), ()),
        ((r((2, 3, 4)), r((2, 4, 2))), ()),
        ((r((2, 3, 4)), r((4, 2))), ()),
    ]


def _matmul_entry(entries, at, letters):
    """sum_k a[..., i, k] b[..., k, j]; a vector has no i or j, and what both stacks share stands before."""
    a, b = entries
    k = letters.new(a.sizes[-1])
    stack = max(len(a.sizes), len(b.sizes)) - 2
    rows = at[: len(a.sizes) - 1]
    column = at[len(at) - 1 :] if len(b.sizes) > 1 else ()
    before = at[stack - (len(b.sizes) - 2) : stack] if len(b.sizes) > 2 else ()
    product = Times((a(*rows, k), b(*before, k, *column)))
    return product if k == 0 else Total((k,), product)


MATMUL = linear(
    "matmul",
    np.matmul,
    (_matmul_by_a, _matmul_by_b),
    matmul_shape,
    dtype_rule=lambda a, b: ufunc_dtype(np.add, (weak_type(a), weak_type(b))),
    converts_from=0,
    samples=_samples,
    latex="{0} {1}",
    index_form=_matmul_entry,
)


def matmul(a, b):
    """`a @ b`, with stacks and vectors brought to the cases that the rule knows."""
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("matmul needs arrays with at least one axis: write a * b for a scalar")
    if a.ndim <= 2 and b.ndim <= 2 or (b.ndim == 2 and a.ndim > 2):
        return apply(MATMUL, a, b)
    if a.ndim == 1:
        return _own(np.squeeze(matmul(np.expand_dims(a, 0), b), -2))
    if b.ndim == 1:
        return _own(np.squeeze(matmul(a, np.expand_dims(b, 1)), -1))
    stack = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if len(a.shape[:-2]) != len(stack) or a.shape[:-2] != stack:
        a = np.broadcast_to(a, (*stack, *a.shape[-2:]))
    if len(b.shape[:-2]) != len(stack) or b.shape[:-2] != stack:
        b = np.broadcast_to(b, (*stack, *b.shape[-2:]))
    return apply(MATMUL, a, b)


UFUNCS[np.matmul] = matmul


@handles(np.dot)
def dot(a, b, out=None):
    """`np.dot`: matmul up to matrices; above, the last axis of a with the last but one of b."""
    if out is not None:
        raise ShapeError("np.dot(..., out=) writes into an array; write y = np.dot(a, b)")
    # Python's numbers are as strong as arrays here: np.dot(x, 2.0) of float32 is float64
    a, b = (np.asarray(x)[()] if type(x) in (list, tuple, int, float, bool) else x for x in (a, b))
    ndim_a, ndim_b = (x.ndim if hasattr(x, "ndim") else np.ndim(x) for x in (a, b))
    if ndim_a == 0 or ndim_b == 0:
        return a * b
    if ndim_b == 1 or (ndim_a <= 2 and ndim_b <= 2):
        return matmul(a, b)
    last = b.ndim - 1
    columns = np.transpose(b, (last - 1, *range(last - 1), last))  # (inner, the rest of b)
    rows = a if a.ndim == 1 else a.reshape((math.prod(a.shape[:-1]), a.shape[-1]))
    flat = matmul(rows, columns.reshape((b.shape[last - 1], math.prod(columns.shape[1:]))))
    return _own(flat.reshape((*a.shape[:-1], *b.shape[:-2], b.shape[-1])))


def _own(product):
    """A product that ends with a view of something nobody else sees can be written in place, as NumPy's can."""
    if isinstance(product, Recorder):
        product.fresh = True  # type: ignore[misc]
    return product


def inverse_axes(axes):
    """The axes that undo a transposition."""
    inverse = [0] * len(axes)
    for position, axis in enumerate(axes):
        inverse[axis] = position
    return tuple(inverse)


TRANSPOSE = linear(
    "transpose",
    np.transpose,
    (lambda y_bar, x, axes: np.transpose(y_bar, inverse_axes(axes)),),
    lambda x, axes: tuple(x.shape[axis] for axis in axes),
    param_names=("axes",),
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), ((1, 0),)),
        ((rng.standard_normal((2, 3, 4)),), ((2, 0, 1),)),
    ],
    latex="{0}^T",
    index_form=lambda entries, at, letters, axes: entries[0](*(at[place] for place in inverse_axes(axes))),
)


@handles(np.transpose)
def transpose(x, axes=None):
    """`np.transpose`: all axes reversed, or as given."""
    if axes is None:
        axes = tuple(reversed(range(x.ndim)))
    axes = tuple(axis for one in axes for axis in normalize_axes(int(one), x.ndim))
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"axes {axes} do not fit an array with {x.ndim} axes")
    return x if axes == tuple(range(x.ndim)) else apply(TRANSPOSE, x, params=(axes,))


@handles(np.matrix_transpose)
def matrix_transpose(x):
    """The last two axes swapped."""
    return swap_last(x)


@handles(np.swapaxes)
def swapaxes(x, axis1, axis2):
    """Two axes swapped."""
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return transpose(x, tuple(axes))


FAMILY = (MATMUL, TRANSPOSE)
