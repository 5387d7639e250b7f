"""Triangular decompositions: `cholesky` and `qr`.

The one idea: a triangular factor moves within its triangle. So what comes back is taken in the basis of the factor, and its
triangle is cut out of it; of a symmetric matrix that is the lower half, with half of the diagonal.

`cholesky` reads the lower triangle alone, as NumPy's does: so its derivative by an entry above the diagonal is 0, and one
below counts for both. Of a matrix that is symmetric by what it is made of, the gradient behind it is the same either way.

Q and R belong together: they are one array, Q above R transposed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.index_form import Delta, Inside, Plus, Times, Value, combined
from chainrule.primitive import Primitive, apply, general, handles, linear
from chainrule.primitives.contraction import array_of
from chainrule.primitives.linear_algebra import swap_last
from chainrule.primitives.linear_systems import inv, linalg_dtype, need_matrices, need_square, record, square_shape
from chainrule.shapes import Guard, SizeExpr, hint_of

QR_RESULT: Any = type(np.linalg.qr(np.eye(1)))

# -- Cholesky's factor -------------------------------------------------------------------------------------------------


def symmetric(x, triangle="L"):
    """The symmetric matrix with this triangle."""
    if triangle == "L":
        return np.tril(x) + swap_last(np.tril(x, -1))
    return np.triu(x) + swap_last(np.triu(x, 1))


def lower_half(x):
    """The lower triangle with half of the diagonal: of a symmetric matrix, what added to its transpose gives it back."""
    return (np.tril(x) + np.tril(x, -1)) / 2


LOWER_HALF: Primitive = linear(
    "lower_half",
    lower_half,
    (lambda y_bar, x: apply(LOWER_HALF, y_bar),),
    square_shape("cholesky"),
    samples=lambda rng: [((rng.standard_normal((3, 3)),), ()), ((rng.standard_normal((2, 4, 4)),), ())],
    latex=r"\Phi({0})",
    index_form=lambda entries, at, letters: Times(
        (
            Plus(
                (
                    Inside(combined(((1, at[-2]), (-1, at[-1]))), entries[0].sizes[-2]),
                    Times((Value(Fraction(-1, 2)), Delta(*at[-2:]))),
                )
            ),
            entries[0](*at),
        )
    ),
    helper="chainrule.primitives.decompositions:lower_half",
)


def _cholesky_vjp(l_bar, a, l):
    """L^-T P L^-1 with P the lower half of L^T L_bar, gathered in the triangle that is read."""
    inverse = inv(l)
    s = swap_last(inverse) @ apply(LOWER_HALF, swap_last(l) @ l_bar) @ inverse
    return apply(LOWER_HALF, s + swap_last(s))


def _cholesky_tangent(tangents, operands, l, params):
    inverse = inv(l)
    lower = np.tril(tangents[0])
    a_dot = lower + swap_last(np.tril(tangents[0], -1))
    return l @ apply(LOWER_HALF, inverse @ a_dot @ swap_last(inverse))


def _positive(rng, *shape):
    x = rng.standard_normal(shape)
    return x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1])


CHOLESKY = general(
    "cholesky",
    np.linalg.cholesky,
    (_cholesky_vjp,),
    _cholesky_tangent,
    square_shape("cholesky"),
    dtype_rule=linalg_dtype,
    converts_from=0,
    complex_step="no",
    samples=lambda rng: [((_positive(rng, 3, 3),), ()), ((_positive(rng, 2, 4, 4),), ())],
    latex=r"\operatorname{{chol}} {0}",
)


@handles(np.linalg.cholesky)
def cholesky(a, /, *, upper=False):
    """`np.linalg.cholesky`: the lower factor, or with `upper` the upper one, made of the upper triangle."""
    a = array_of(a)
    need_square("cholesky", a)
    return swap_last(record(CHOLESKY, swap_last(a))) if upper else record(CHOLESKY, a)


# -- orthogonal and triangular -----------------------------------------------------------------------------------------


def rows(x, start, stop=None):
    """Some rows of each matrix."""
    return x[..., start:stop, :]


def shorter(m, n):
    """The smaller of two dims; which one it is, is noted where it depends on a named size."""
    short, long = (m, n) if hint_of(m) <= hint_of(n) else (n, m)
    named = next((dim for dim in (short, long) if isinstance(dim, SizeExpr)), None)
    if named is not None and short != long:
        named.scope.guards.append(Guard(long, ">=", short))
    return short


def qr_parts(a):
    """Q, and below it R transposed."""
    q, r = np.linalg.qr(a)
    return np.concatenate((q, r.swapaxes(-1, -2)), axis=-2)


def _qr_vjp(y_bar, a, y):
    m = a.shape[-2]
    q, r = rows(y, 0, m), swap_last(rows(y, m))
    q_bar, r_bar = rows(y_bar, 0, m), swap_last(rows(y_bar, m))
    inner = r @ swap_last(r_bar) - swap_last(q_bar) @ q
    return (q_bar + q @ symmetric(inner)) @ swap_last(inv(r))


def _qr_tangent(tangents, operands, y, params):
    m = operands[0].shape[-2]
    q, r = rows(y, 0, m), swap_last(rows(y, m))
    moved = tangents[0] @ inv(r)
    inner = swap_last(q) @ moved
    turn = np.tril(inner, -1) - swap_last(np.tril(inner, -1))
    q_dot = moved - q @ (inner - turn)
    return np.concatenate((q_dot, swap_last((inner - turn) @ r)), axis=-2)


def _qr_shape(a):
    need_matrices("qr", a)
    m, n = a.shape[-2:]
    return (*a.shape[:-2], m + n, shorter(m, n))


QR_PARTS: Primitive = general(
    "qr_parts",
    qr_parts,
    (_qr_vjp,),
    _qr_tangent,
    _qr_shape,
    dtype_rule=linalg_dtype,
    converts_from=0,
    complex_step="no",
    doc="Of columns that depend on each other it has no derivative: R cannot be inverted.",
    samples=lambda rng: [((rng.standard_normal(shape),), ()) for shape in ((3, 3), (4, 2), (2, 3, 3))],
    latex=r"\operatorname{{qr}} {0}",
    helper="chainrule.primitives.decompositions:qr_parts",
)


@handles(np.linalg.qr)
def qr(a, mode="reduced"):
    """`np.linalg.qr` in its reduced form, or R alone."""
    a = array_of(a)
    need_matrices("qr", a)
    if mode not in ("reduced", "r"):
        raise UnsupportedError(f"np.linalg.qr(..., mode={mode!r}): write mode='reduced', or mode='r' for R alone")
    m, n = a.shape[-2:]
    wide = m < n  # then Q is that of the first m columns
    y = record(QR_PARTS, a[..., :m] if wide else a)
    q, r = rows(y, 0, m), swap_last(rows(y, m))
    if wide:
        r = np.concatenate((r, swap_last(q) @ a[..., m:]), axis=-1)
    return r if mode == "r" else QR_RESULT(q, r)


FAMILY = (LOWER_HALF, CHOLESKY, QR_PARTS)
