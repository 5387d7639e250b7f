"""Linear systems: `solve`, `inv`, `matrix_power`, `det`, `slogdet`, on stacks as NumPy does.

The one idea: a derivative here is the same kind of solve, with the transposed matrix. From A X = B follows
dA X + A dX = dB, so B_bar solves A^T B_bar = X_bar, and A_bar = -B_bar X^T. The others are this one in other clothes.

A singular matrix raises `numpy.linalg.LinAlgError`, as without a trace.
"""

from __future__ import annotations

import math
import operator
import threading
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, ShapeError, UnsupportedError
from chainrule.primitive import Primitive, apply, general, handles
from chainrule.primitives.contraction import array_of
from chainrule.primitives.control import EYE
from chainrule.primitives.linear_algebra import swap_last
from chainrule.shapes import broadcast_shapes, same_dim, str_shape

SLOGDET_RESULT: Any = type(np.linalg.slogdet(np.eye(1)))

# -- what all of them ask of a matrix ----------------------------------------------------------------------------------


def linalg_dtype(*operands_and_params):
    """NumPy's dtype for linear algebra: float32 alone stays, everything else that it takes becomes float64."""
    dtypes = [x.dtype for x in operands_and_params if hasattr(x, "dtype")]
    for dtype in dtypes:
        if dtype.kind not in "iub" and dtype not in (np.float32, np.float64):
            raise UnsupportedError(f"np.linalg takes float32 and float64, not {dtype}; convert with .astype first")
    return np.dtype(np.float32 if all(dtype == np.float32 for dtype in dtypes) else np.float64)


def need_matrices(name, a):
    """Raise ShapeError unless `a` has at least two axes."""
    if a.ndim < 2:
        raise ShapeError(f"np.linalg.{name} takes matrices, not an array with shape {str_shape(a.shape)}")


def need_square(name, a):
    """Raise ShapeError unless the last two axes of `a` have one size."""
    need_matrices(name, a)
    if not same_dim(a.shape[-2], a.shape[-1]):
        raise ShapeError(f"np.linalg.{name} takes square matrices, not {str_shape(a.shape)}")


def square_shape(name):
    """The shape rule of what keeps a square matrix's shape."""

    def rule(a, *params):
        need_square(name, a)
        return a.shape

    return rule


def record(primitive: Primitive, *operands, params: tuple = ()):
    """`apply`; a matrix that NumPy refuses raises NumPy's own error, with the user's line."""
    try:
        return apply(primitive, *operands, params=params)
    except ShapeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, np.linalg.LinAlgError):
            cause = cause.__context__
        if cause is None:
            raise
        raise np.linalg.LinAlgError(str(error)) from cause


class Shared(threading.local):
    """A factorization of which several primitives take a part each; computed once while they are recorded together.

    Within `with`, the result for a matrix is kept for the next call with the same one.
    """

    def __init__(self, compute):
        self.compute = compute
        self.kept: tuple[Any, Any] | None = None
        self.keeps = False

    def __call__(self, a, *params):
        """The factorization of `a`."""
        if self.kept is not None and self.kept[0] is a:
            return self.kept[1]
        result = self.compute(a, *params)
        if self.keeps:
            self.kept = (a, result)
        return result

    def __enter__(self):
        self.keeps = True

    def __exit__(self, *_):
        self.keeps, self.kept = False, None


def _matrices(rng, *shape):
    """Matrices that are far from singular."""
    return rng.standard_normal(shape) + 2 * np.eye(*shape[-2:])


def _square_samples(rng):
    return [((_matrices(rng, 3, 3),), ()), ((_matrices(rng, 2, 4, 4),), ())]


def _over_matrices(y):
    """A number for each matrix, as a stack of 1 x 1 matrices."""
    return np.expand_dims(y, (-2, -1))


# -- solve and inv -----------------------------------------------------------------------------------------------------


def _solve_shape(a, b):
    need_square("solve", a)
    if not same_dim(a.shape[-1], b.shape[0 if b.ndim == 1 else -2]):
        raise ShapeError(f"np.linalg.solve: {str_shape(a.shape)} and {str_shape(b.shape)} do not fit")
    return b.shape


def _product_with_transposed(left, right):
    """`left @ right.T`; of vectors, every entry times every entry."""
    if left.ndim == 1:
        return np.expand_dims(left, 1) * np.expand_dims(right, 0)
    return left @ swap_last(right)


def _solve_tangent(tangents, operands, x, params):
    a_dot, b_dot = tangents
    moved = b_dot if a_dot is None else -(a_dot @ x) if b_dot is None else b_dot - a_dot @ x
    return solve(operands[0], moved)


SOLVE = general(
    "solve",
    np.linalg.solve,
    (
        lambda x_bar, a, b, x: -_product_with_transposed(solve(swap_last(a), x_bar), x),
        lambda x_bar, a, b, x: solve(swap_last(a), x_bar),
    ),
    _solve_tangent,
    _solve_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    samples=lambda rng: [
        ((_matrices(rng, 3, 3), rng.standard_normal(3)), ()),
        ((_matrices(rng, 3, 3), rng.standard_normal((3, 2))), ()),
        ((_matrices(rng, 2, 3, 3), rng.standard_normal((2, 3, 2))), ()),
    ],
    latex="{0}^{{-1}} {1}",
)


@handles(np.linalg.solve)
def solve(a, b):
    """`np.linalg.solve`: of one vector, or of matrices; stacks broadcast."""
    a, b = array_of(a), array_of(b)
    need_square("solve", a)
    if b.ndim == 0:
        raise ShapeError("np.linalg.solve needs a right side with at least one axis")
    if b.ndim == 1:
        return record(SOLVE, a, b) if a.ndim == 2 else np.squeeze(solve(a, np.expand_dims(b, 1)), -1)
    stack = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return record(SOLVE, _in_stack(a, stack), _in_stack(b, stack))


def _in_stack(x, stack):
    if x.ndim - 2 == len(stack) and all(map(same_dim, x.shape[:-2], stack)):
        return x
    return np.broadcast_to(x, (*stack, *x.shape[-2:]))


INV = general(
    "inv",
    np.linalg.inv,
    (lambda y_bar, a, y: -(swap_last(y) @ y_bar @ swap_last(y)),),
    lambda tangents, operands, y, params: -(y @ tangents[0] @ y),
    square_shape("inv"),
    dtype_rule=linalg_dtype,
    converts_from=0,
    samples=_square_samples,
    latex="{0}^{{-1}}",
)


@handles(np.linalg.inv)
def inv(a):
    """`np.linalg.inv`."""
    a = array_of(a)
    need_square("inv", a)
    return record(INV, a)


@handles(np.linalg.matrix_power)
def matrix_power(a, n):
    """`np.linalg.matrix_power`, by squaring, in NumPy's own order."""
    a = array_of(a)
    need_square("matrix_power", a)
    n = operator.index(n)
    if n == 0:
        size, dtype = a.shape[-1], a.dtype
        one = np.eye(size, dtype=dtype) if type(size) is int else a.trace.record(EYE, (), (size, dtype))
        return one if a.ndim == 2 else np.broadcast_to(one, a.shape)
    if n < 0:
        a, n = inv(a), -n
    if n == 3:
        return (a @ a) @ a
    power = result = None
    while n > 0:
        power = a if power is None else power @ power
        n, bit = divmod(n, 2)
        if bit:
            result = power if result is None else result @ power
    return result


@handles(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    """`np.linalg.tensorinv`: the first axes taken as one, and the others, then inverted."""
    a = array_of(a)
    if operator.index(ind) <= 0:
        raise ArgumentError(f"np.linalg.tensorinv: ind must be positive, not {ind}")
    first, last = a.shape[:ind], a.shape[ind:]
    return inv(a.reshape((math.prod(first), math.prod(last)))).reshape((*last, *first))


@handles(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    """`np.linalg.tensorsolve`: the axes of b are the first of a, the others are the axes of the solution."""
    a, b = array_of(a), array_of(b)
    if axes is not None:
        moved = [axis % a.ndim for axis in axes]
        a = np.transpose(a, (*(axis for axis in range(a.ndim) if axis not in moved), *moved))
    shape = a.shape[b.ndim :]
    return solve(a.reshape((math.prod(b.shape), math.prod(shape))), b.reshape((-1,))).reshape(shape)


# -- determinants ------------------------------------------------------------------------------------------------------


def cofactors(a):
    """The derivative of det(A): det(A) inv(A)^T, also where A is singular."""
    det = np.linalg.det(a)
    if np.all(det != 0) and np.all(np.isfinite(det)):
        return det[..., None, None] * np.linalg.inv(a).swapaxes(-1, -2)
    u, s, vt = np.linalg.svd(a)
    before = np.cumprod(np.concatenate((np.ones_like(s[..., :1]), s[..., :-1]), axis=-1), axis=-1)
    after = np.cumprod(np.concatenate((np.ones_like(s[..., :1]), s[..., :0:-1]), axis=-1), axis=-1)
    others = before * after[..., ::-1]  # for each singular value, the product of the others
    turned = np.linalg.det(u) * np.linalg.det(vt)
    return turned[..., None, None] * (u * others[..., None, :]) @ vt


def _second_of_det(a, moved):
    """How the cofactors move with A, and equally what their cotangent sends back to A."""
    b = swap_last(inv(a))
    along = np.sum(moved * b, axis=(-2, -1))
    return _over_matrices(np.linalg.det(a)) * (_over_matrices(along) * b - b @ swap_last(moved) @ b)


COFACTORS = general(
    "cofactors",
    cofactors,
    (lambda c_bar, a, c: _second_of_det(a, c_bar),),
    lambda tangents, operands, c, params: _second_of_det(operands[0], tangents[0]),
    square_shape("det"),
    dtype_rule=linalg_dtype,
    converts_from=0,
    samples=_square_samples,
    latex=r"\operatorname{{cof}} {0}",
    helper="chainrule.primitives.linear_systems:cofactors",
)


def _det_shape(a):
    need_square("det", a)
    return a.shape[:-2]


DET = general(
    "det",
    np.linalg.det,
    (lambda y_bar, a, y: _over_matrices(y_bar) * apply(COFACTORS, a),),
    lambda tangents, operands, y, params: np.sum(tangents[0] * apply(COFACTORS, operands[0]), axis=(-2, -1)),
    _det_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    samples=_square_samples,
    latex=r"\det {0}",
)


@handles(np.linalg.det)
def det(a):
    """`np.linalg.det`; its derivative, the cofactors, holds for singular matrices too."""
    a = array_of(a)
    need_square("det", a)
    return record(DET, a)


SLOGDET = Shared(np.linalg.slogdet)
LOGABSDET = general(
    "logabsdet",
    lambda a: SLOGDET(a)[1],
    (lambda y_bar, a, y: _over_matrices(y_bar) * swap_last(inv(a)),),
    lambda tangents, operands, y, params: np.sum(tangents[0] * swap_last(inv(operands[0])), axis=(-2, -1)),
    _det_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    complex_step="no",
    samples=_square_samples,
    latex=r"\log |\det {0}|",
)
SIGN_OF_DET = general(
    "sign_of_det",
    lambda a: SLOGDET(a)[0],
    (None,),
    lambda tangents, operands, y, params: None,
    _det_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    complex_step="no",
    samples=_square_samples,
    latex=r"\operatorname{{sign}} \det {0}",
)


@handles(np.linalg.slogdet)
def slogdet(a):
    """`np.linalg.slogdet`: the sign, which does not move, and the logarithm of the absolute determinant."""
    a = array_of(a)
    need_square("slogdet", a)
    with SLOGDET:
        logarithm = record(LOGABSDET, a)
        return SLOGDET_RESULT(record(SIGN_OF_DET, a), logarithm)


FAMILY = (SOLVE, INV, COFACTORS, DET, LOGABSDET, SIGN_OF_DET)
