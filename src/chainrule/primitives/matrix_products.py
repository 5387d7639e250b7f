"""Products of arrays in NumPy's other spellings: `tensordot`, `inner`, `outer`, `kron`, `vdot`, `vecdot`, `multi_dot`, ...

The one idea: each is a product of matrices, or an elementwise one, between moved or merged axes; so none has a rule of its
own. `multi_dot` chooses its order as NumPy does, by the sizes.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import UFUNCS, Primitive, handles
from chainrule.primitives.contraction import array_of
from chainrule.primitives.linear_algebra import dot, matmul, swap_last
from chainrule.shapes import normalize_axes, same_dim, str_shape


@handles(np.tensordot)
def tensordot(a, b, axes=2):
    """`np.tensordot`: some axes of a with as many of b, as one product of matrices."""
    a, b = array_of(a), array_of(b)
    axes_a, axes_b = _pairs_of_axes(axes, a.ndim)
    if len(axes_a) != len(axes_b) or any(not -x.ndim <= n < x.ndim for x, ns in ((a, axes_a), (b, axes_b)) for n in ns):
        raise ShapeError(f"np.tensordot: axes {axes} do not fit {str_shape(a.shape)} and {str_shape(b.shape)}")
    axes_a, axes_b = [n % a.ndim for n in axes_a], [n % b.ndim for n in axes_b]
    if not all(same_dim(a.shape[n], b.shape[m]) for n, m in zip(axes_a, axes_b, strict=True)):
        raise ShapeError(f"np.tensordot: axes {axes} of {str_shape(a.shape)} and {str_shape(b.shape)} differ in size")
    rest_a, rest_b = ([n for n in range(x.ndim) if n not in ns] for x, ns in ((a, axes_a), (b, axes_b)))
    shape = (*(a.shape[n] for n in rest_a), *(b.shape[n] for n in rest_b))
    inner = math.prod(a.shape[n] for n in axes_a)
    count = len(axes_a)
    a, b = np.transpose(a, (*rest_a, *axes_a)), np.transpose(b, (*axes_b, *rest_b))
    if not _is_factor(rest_a, count):
        a = a.reshape((math.prod(shape[: len(rest_a)]), inner))
    if not _is_factor(rest_b, count):
        b = b.reshape((inner, math.prod(shape[len(rest_a) :])))
    product = matmul(a, b)
    merged = any(len(rest) > 1 or (not rest and count != 1) for rest in (rest_a, rest_b))
    return product.reshape(shape) if merged else product


def _is_factor(rest, count) -> bool:
    """Whether an array with these axes beside those that are summed is a vector or a matrix as it is."""
    return count == 1 and len(rest) <= 1


def _pairs_of_axes(axes, ndim):
    if isinstance(axes, (int, np.integer)):
        return list(range(ndim - axes, ndim)) if axes else [], list(range(axes))
    both = [list(side) if isinstance(side, (tuple, list, np.ndarray)) else [side] for side in axes]
    return both[0], both[1]


@handles(np.linalg.tensordot)
def _linalg_tensordot(x1, x2, /, *, axes=2):
    return tensordot(x1, x2, axes)


@handles(np.inner)
def inner(a, b, /):
    """`np.inner`: the last axes summed together; a scalar multiplies."""
    a, b = array_of(a), array_of(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, (-1, -1))


@handles(np.outer)
def outer(a, b, out=None):
    """`np.outer`: every entry of a times every entry of b."""
    if out is not None:
        raise UnsupportedError("np.outer(..., out=) writes into an array; write y = np.outer(a, b)")
    a, b = (x if x.ndim == 1 else x.reshape((-1,)) for x in map(array_of, (a, b)))
    return np.expand_dims(a, 1) * np.expand_dims(b, 0)


@handles(np.linalg.outer)
def _linalg_outer(x1, x2, /):
    x1, x2 = array_of(x1), array_of(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError(
            f"np.linalg.outer takes vectors, not arrays with {x1.ndim} and {x2.ndim} axes; np.outer flattens"
        )
    return outer(x1, x2)


@handles(np.vdot)
def vdot(a, b, /):
    """`np.vdot` of real arrays: the product of all entries, summed."""
    return matmul(*(x if x.ndim == 1 else x.reshape((-1,)) for x in map(array_of, (a, b))))


@handles(np.kron)
def kron(a, b):
    """`np.kron`: b scaled by every entry of a, in blocks."""
    a, b = array_of(a), array_of(b)
    ndim = max(a.ndim, b.ndim)
    if ndim == 0:
        return a * b
    shape_a, shape_b = ((*(1,) * (ndim - x.ndim), *x.shape) for x in (a, b))
    a = a.reshape(tuple(n for dim in shape_a for n in (dim, 1)))
    b = b.reshape(tuple(n for dim in shape_b for n in (1, dim)))
    return (a * b).reshape(tuple(n * m for n, m in zip(shape_a, shape_b, strict=True)))


@handles(np.linalg.matmul)
def _linalg_matmul(x1, x2, /):
    return matmul(array_of(x1), array_of(x2))


def vecdot(a, b):
    """`np.vecdot` of real arrays: the last axes multiplied and summed, the others broadcast."""
    a, b = array_of(a), array_of(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("np.vecdot needs arrays with at least one axis: write a * b for a scalar")
    if not same_dim(a.shape[-1], b.shape[-1]):
        raise ShapeError(f"np.vecdot: the last axes of {str_shape(a.shape)} and {str_shape(b.shape)} differ")
    if a.ndim == 1 and b.ndim == 1:
        return matmul(a, b)
    return matmul(np.expand_dims(a, -2), np.expand_dims(b, -1)).squeeze((-2, -1))


@handles(np.linalg.vecdot)
def _linalg_vecdot(x1, x2, /, *, axis=-1):
    x1, x2 = array_of(x1), array_of(x2)
    return vecdot(*(_axis_last(x, axis) for x in (x1, x2)))


def _axis_last(x, axis):
    (place,) = normalize_axes(axis, x.ndim)
    return np.transpose(x, (*(n for n in range(x.ndim) if n != place), place))


def matvec(a, x):
    """`np.matvec`: matrices times vectors, both in stacks that broadcast."""
    a, x = array_of(a), array_of(x)
    if a.ndim < 2 or x.ndim < 1:
        raise ShapeError(f"np.matvec takes matrices and vectors, not {str_shape(a.shape)} and {str_shape(x.shape)}")
    return matmul(a, x) if x.ndim == 1 else matmul(a, np.expand_dims(x, -1)).squeeze(-1)


def vecmat(x, a):
    """`np.vecmat` of real arrays: vectors times matrices, both in stacks that broadcast."""
    x, a = array_of(x), array_of(a)
    if a.ndim < 2 or x.ndim < 1:
        raise ShapeError(f"np.vecmat takes vectors and matrices, not {str_shape(x.shape)} and {str_shape(a.shape)}")
    return matmul(x, a) if x.ndim == 1 else matmul(np.expand_dims(x, -2), a).squeeze(-2)


for _name, _handler in (("vecdot", vecdot), ("matvec", matvec), ("vecmat", vecmat)):
    if hasattr(np, _name):  # vecdot since NumPy 2.0, the others since 2.2
        UFUNCS[getattr(np, _name)] = _handler


@handles(np.linalg.multi_dot)
def multi_dot(arrays, *, out=None):
    """`np.linalg.multi_dot`: a chain of matrices, multiplied in the order that costs least."""
    if out is not None:
        raise UnsupportedError(
            "np.linalg.multi_dot(..., out=) writes into an array; write y = np.linalg.multi_dot([...])"
        )
    arrays = [array_of(x) for x in arrays]
    if len(arrays) < 2:
        raise ShapeError("np.linalg.multi_dot needs at least two arrays")
    if len(arrays) == 2:
        return dot(*arrays)
    ends = arrays[0].ndim, arrays[-1].ndim
    if any(x.ndim != 2 for x in arrays[1:-1]) or not set(ends) <= {1, 2}:
        raise ShapeError("np.linalg.multi_dot takes matrices; the first and the last may be vectors")
    if ends[0] == 1:
        arrays[0] = np.expand_dims(arrays[0], 0)
    if ends[1] == 1:
        arrays[-1] = np.expand_dims(arrays[-1], 1)
    for left, right in itertools.pairwise(arrays):
        if not same_dim(left.shape[1], right.shape[0]):
            raise ShapeError(f"np.linalg.multi_dot: {str_shape(left.shape)} and {str_shape(right.shape)} do not fit")
    order = _cheapest_order([x.shape[0] for x in arrays] + [arrays[-1].shape[1]])
    result = _in_order(arrays, order, 0, len(arrays) - 1)
    unit = tuple(axis for axis, ndim in enumerate(ends) if ndim == 1)
    return np.squeeze(result, unit) if unit else result


def _cheapest_order(dims) -> dict[tuple[int, int], int]:
    """Where to split each part of the chain: NumPy's own table, and its own choice for three matrices."""
    count = len(dims) - 1
    if count == 3:
        a, b, c, d = dims
        return {(0, 2): 1 if a * c * (b + d) < b * d * (a + c) else 0, (0, 1): 0, (1, 2): 1}
    cost: dict[tuple[int, int], Any] = {(i, i): 0 for i in range(count)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            for k in range(i, j):
                price = cost[i, k] + cost[k + 1, j] + dims[i] * dims[k + 1] * dims[j + 1]
                if (i, j) not in cost or price < cost[i, j]:
                    cost[i, j], split[i, j] = price, k
    return split


def _in_order(arrays, order, i, j):
    if i == j:
        return arrays[i]
    k = order[i, j]
    return matmul(_in_order(arrays, order, i, k), _in_order(arrays, order, k + 1, j))


if np.linalg.matrix_transpose is not np.matrix_transpose:
    handles(np.linalg.matrix_transpose)(swap_last)

FAMILY: tuple[Primitive, ...] = ()  # none of its own
