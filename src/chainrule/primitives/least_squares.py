"""Least squares: `pinv` and `lstsq`, the inverse of a matrix that has none.

The one idea: with P the pseudo-inverse of A, a small change dA moves P in three ways, by the part of dA that A sees, and by
the two parts that it does not see from the left and from the right:

    dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P

It holds as long as the rank stays what it is; where the rank changes, P jumps. `lstsq` is P b, solved as NumPy solves it.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import apply, general, handles
from chainrule.primitives.contraction import array_of
from chainrule.primitives.linear_algebra import swap_last
from chainrule.primitives.linear_systems import linalg_dtype, need_matrices, record
from chainrule.primitives.spectral import singular_values
from chainrule.pytree import Recorder
from chainrule.shapes import hint_of, same_dim, str_shape

RANK = "Its derivative holds while the rank stays what it is; where the rank changes, it jumps."

# -- the pseudo-inverse ------------------------------------------------------------------------------------------------


def _pinv_shape(a, rcond):
    need_matrices("pinv", a)
    return (*a.shape[:-2], a.shape[-1], a.shape[-2])


def _pinv_vjp(p_bar, a, p, rcond):
    pt, pt_bar = swap_last(p), swap_last(p_bar)
    unseen_left = pt_bar - a @ (p @ pt_bar)
    unseen_right = pt_bar - (pt_bar @ p) @ a
    return unseen_left @ p @ pt + pt @ p @ unseen_right - pt @ p_bar @ pt


def _pinv_tangent(tangents, operands, p, params):
    a, a_dot = operands[0], tangents[0]
    pt, at_dot = swap_last(p), swap_last(a_dot)
    unseen_left = at_dot - (at_dot @ a) @ p
    unseen_right = at_dot - p @ (a @ at_dot)
    return p @ pt @ unseen_left + unseen_right @ pt @ p - p @ a_dot @ p


PINV = general(
    "pinv",
    np.linalg.pinv,
    (_pinv_vjp,),
    _pinv_tangent,
    _pinv_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    complex_step="no",
    param_names=("rcond",),
    doc=RANK,
    samples=lambda rng: [
        ((rng.standard_normal((4, 3)),), (None,)),
        ((rng.standard_normal((2, 3)),), (1e-10,)),
        ((rng.standard_normal((2, 3, 3)) + 2 * np.eye(3),), (None,)),
    ],
    latex="{0}^+",
)


@handles(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):  # type: ignore[attr-defined]
    """`np.linalg.pinv`; the cut below which a singular value is none is a number or left out."""
    if hermitian:
        raise UnsupportedError("np.linalg.pinv(..., hermitian=True): leave it out, the result is the same")
    if rtol is not np._NoValue:  # type: ignore[attr-defined]
        if rtol is None or rcond is not None:
            raise UnsupportedError("np.linalg.pinv(..., rtol=None): give it as a number, np.linalg.pinv(a, rtol=1e-12)")
        rcond = rtol
    a = array_of(a)
    need_matrices("pinv", a)
    return record(PINV, a, params=(_cut("pinv", rcond),))


def _cut(name, rcond):
    if rcond is None:
        return None
    if isinstance(rcond, Recorder) or np.ndim(rcond):
        raise UnsupportedError(f"np.linalg.{name}(..., rcond=): it must be a number")
    return float(rcond)


# -- least squares -----------------------------------------------------------------------------------------------------


def _pinv_for(a, rcond):
    return apply(PINV, a, params=(rcond if rcond is None or rcond >= 0 else None,))


def _columns(x):
    return x if x.ndim == 2 else np.expand_dims(x, 1)


def _lstsq_by_a(x_bar, a, b, x, rcond):
    p = _pinv_for(a, rcond)
    x_bar, b, x = map(_columns, (x_bar, b, x))
    z = swap_last(p) @ x_bar
    unseen_right = x_bar - swap_last(a) @ z
    return (b - a @ x) @ swap_last(p @ z) + swap_last(p) @ x @ swap_last(unseen_right) - z @ swap_last(x)


def _lstsq_tangent(tangents, operands, x, params):
    a, b = operands
    a_dot, b_dot = tangents
    p = _pinv_for(a, *params)
    moved = 0 if b_dot is None else p @ b_dot
    if a_dot is None:
        return moved
    at_dot = swap_last(a_dot)
    seen = at_dot @ (swap_last(p) @ x)
    return moved - p @ (a_dot @ x) + p @ (swap_last(p) @ (at_dot @ (b - a @ x))) + seen - p @ (a @ seen)


def _lstsq_shape(a, b, rcond):
    if a.ndim != 2 or b.ndim not in (1, 2):
        raise ShapeError(
            f"np.linalg.lstsq takes a matrix, not {str_shape(a.shape)}, and one right side or columns of them"
        )
    if not same_dim(a.shape[0], b.shape[0]):
        raise ShapeError(f"np.linalg.lstsq: {str_shape(a.shape)} and {str_shape(b.shape)} differ in rows")
    return (a.shape[1], *b.shape[1:])


LSTSQ = general(
    "lstsq",
    lambda a, b, rcond: np.linalg.lstsq(a, b, rcond)[0],
    (_lstsq_by_a, lambda x_bar, a, b, x, rcond: swap_last(_pinv_for(a, rcond)) @ x_bar),
    _lstsq_tangent,
    _lstsq_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    complex_step="no",
    param_names=("rcond",),
    doc=RANK,
    samples=lambda rng: [
        ((rng.standard_normal((5, 3)), rng.standard_normal(5)), (None,)),
        ((rng.standard_normal((3, 3)) + 2 * np.eye(3), rng.standard_normal((3, 2))), (1e-10,)),
        ((rng.standard_normal((2, 4)), rng.standard_normal((2, 3))), (None,)),
    ],
    latex="{0}^+ {1}",
)


@handles(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    """`np.linalg.lstsq`: solution, residuals, rank and singular values, of a matrix of full rank."""
    a, b = array_of(a), array_of(b)
    cut = _cut("lstsq", rcond)
    _lstsq_shape(a, b, cut)
    x = record(LSTSQ, a, b, params=(cut,))
    s = singular_values(a)
    epsilon = float(np.finfo(s.dtype).eps)
    if cut is None:
        cut = epsilon * max(a.shape)
    rank = np.sum(s > (cut if isinstance(cut, Recorder) or cut >= 0 else epsilon) * s[0]).astype(np.intc)
    if a.shape[0] > a.shape[1] and not _is_deficient(rank, a.shape[1]):
        residuals = np.sum((b - a @ x) ** 2, axis=0, keepdims=b.ndim == 1)
    else:
        residuals = np.zeros(0, dtype=s.dtype)
    return x, residuals, rank, s


def _is_deficient(rank, full):
    """Whether the rank is known, and not full: then NumPy gives no residuals."""
    while isinstance(rank, Recorder):
        rank = getattr(rank, "value", None)
    return rank is not None and rank < hint_of(full)


FAMILY = (PINV, LSTSQ)
