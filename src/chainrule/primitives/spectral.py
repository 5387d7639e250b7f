"""Spectra: `eigh` and `svd`, and the eigenvalues or singular values alone.

The one idea: NumPy gives several arrays, a primitive one. So values and vectors are recorded apart, and while they are
recorded together, the matrix is decomposed once. The left and the right singular vectors belong together: they are one array,
one above the other.

Vectors turn against each other by what the matrix's move mixes, divided by the distance of their values. Between two equal
values the vectors are not determined, and their derivative is NaN, whatever is made of them; values move all the same. A sign
is chosen by LAPACK and does not move.

`eigh` reads one triangle alone, as NumPy's does: see `decompositions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, UnsupportedError
from chainrule.primitive import Primitive, apply, general, handles
from chainrule.primitives.contraction import array_of
from chainrule.primitives.decompositions import LOWER_HALF, rows, shorter, symmetric
from chainrule.primitives.linear_algebra import swap_last
from chainrule.primitives.linear_systems import Shared, linalg_dtype, need_matrices, need_square, record, square_shape
from chainrule.shapes import same_dim

# -- what all of them share --------------------------------------------------------------------------------------------


def _row(x):
    """A vector for each matrix, as its only row."""
    return np.expand_dims(x, -2)


def _column(x):
    return np.expand_dims(x, -1)


def inverse_distances(values):
    """1 / (v_j - v_i) at i, j, NaN where two are equal; 0 on the diagonal."""
    distance = values[..., None, :] - values[..., :, None]
    same = distance == 0
    inverse = np.where(same, np.nan, 1.0 / np.where(same, 1.0, distance))
    return np.tril(inverse, -1) + np.triu(inverse, 1)


def _distances_vjp(y_bar, values, y):
    moved = -(y * y) * y_bar
    return np.sum(moved, axis=-2) - np.sum(moved, axis=-1)


INVERSE_DISTANCES = general(
    "inverse_distances",
    inverse_distances,
    (_distances_vjp,),
    lambda tangents, operands, y, params: -(y * y) * (_row(tangents[0]) - _column(tangents[0])),
    lambda values: (*values.shape, values.shape[-1]),
    samples=lambda rng: [((rng.standard_normal(shape) + 3 * np.arange(3),), ()) for shape in ((3,), (2, 3))],
    latex=r"\operatorname{{inverse distances}} {0}",
    helper="chainrule.primitives.spectral:inverse_distances",
)


def inverses(values):
    """1 / v, NaN where it is 0."""
    return np.where(values == 0, np.nan, 1.0 / np.where(values == 0, 1.0, values))


# -- eigenvalues and eigenvectors of a symmetric matrix ----------------------------------------------------------------

EIGH = Shared(np.linalg.eigh)
EIGH_RESULT: Any = type(np.linalg.eigh(np.eye(1)))


def to_triangle(g, triangle):
    """The cotangent of a symmetric matrix, gathered in the triangle that stands for it."""
    lower = apply(LOWER_HALF, g + swap_last(g))
    return lower if triangle == "L" else swap_last(lower)


def _eigenvectors_vjp(v_bar, a, v, triangle):
    w = apply(EIGENVALUES, a, params=(triangle,))
    vt = swap_last(v)
    return to_triangle(v @ (apply(INVERSE_DISTANCES, w) * (vt @ v_bar)) @ vt, triangle)


def _eigenvectors_tangent(tangents, operands, v, params):
    w = apply(EIGENVALUES, operands[0], params=params)
    return v @ (apply(INVERSE_DISTANCES, w) * (swap_last(v) @ symmetric(tangents[0], *params) @ v))


def _eigenvalues_vjp(w_bar, a, w, triangle):
    v = apply(EIGENVECTORS, a, params=(triangle,))
    lower = 2 * apply(LOWER_HALF, (v * _row(w_bar)) @ swap_last(v))  # of what is symmetric already
    return lower if triangle == "L" else swap_last(lower)


def _eigenvalues_tangent(tangents, operands, w, params):
    v = apply(EIGENVECTORS, operands[0], params=params)
    return np.sum(v * (symmetric(tangents[0], *params) @ v), axis=-2)


def _symmetric_samples(rng):
    return [
        ((rng.standard_normal((3, 3)) + 3 * np.diag(range(3)),), ("L",)),
        ((rng.standard_normal((2, 4, 4)),), ("L",)),
        ((rng.standard_normal((3, 3)) + 3 * np.diag(range(3)),), ("U",)),
    ]


def _eigenvalues_shape(a, triangle):
    need_square("eigvalsh", a)
    return a.shape[:-1]


def _eigen(name, forward, vjp, tangent, shape_rule, latex):
    return general(
        name,
        forward,
        (vjp,),
        tangent,
        shape_rule,
        dtype_rule=linalg_dtype,
        converts_from=0,
        complex_step="no",
        param_names=("UPLO",),
        doc="Where two eigenvalues are equal, their vectors have no derivative: it is NaN.",
        samples=_symmetric_samples,
        latex=latex,
    )


EIGENVALUES: Primitive = _eigen(
    "eigenvalues",
    lambda a, triangle: EIGH(a, triangle)[0] if EIGH.keeps else np.linalg.eigvalsh(a, triangle),
    _eigenvalues_vjp,
    _eigenvalues_tangent,
    _eigenvalues_shape,
    r"\lambda({0})",
)
EIGENVECTORS: Primitive = _eigen(
    "eigenvectors",
    lambda a, triangle: EIGH(a, triangle)[1],
    _eigenvectors_vjp,
    _eigenvectors_tangent,
    square_shape("eigh"),
    r"\operatorname{{eigenvectors}} {0}",
)


def _checked(name, a, triangle):
    a = array_of(a)
    need_square(name, a)
    if triangle.upper() not in ("L", "U"):
        raise ArgumentError(f"np.linalg.{name}: UPLO must be 'L' or 'U', not {triangle!r}")
    return a, (triangle.upper(),)


@handles(np.linalg.eigh)
def eigh(a, UPLO="L"):
    """`np.linalg.eigh`: eigenvalues and eigenvectors of a symmetric matrix."""
    a, params = _checked("eigh", a, UPLO)
    with EIGH:
        values = record(EIGENVALUES, a, params=params)
        return EIGH_RESULT(values, record(EIGENVECTORS, a, params=params))


@handles(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):
    """`np.linalg.eigvalsh`: the eigenvalues alone."""
    a, params = _checked("eigvalsh", a, UPLO)
    return record(EIGENVALUES, a, params=params)


# -- singular values and vectors ---------------------------------------------------------------------------------------

SVD = Shared(lambda a: np.linalg.svd(a, full_matrices=False))
SVD_RESULT: Any = type(np.linalg.svd(np.eye(1)))


def singular_vectors(a):
    """The left singular vectors in columns, and below them the right ones."""
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    return np.concatenate((u, vt.swapaxes(-1, -2)), axis=-2)


def _singular_vectors(a):
    if not SVD.keeps:
        return singular_vectors(a)
    u, _, vt = SVD(a)
    return np.concatenate((u, vt.swapaxes(-1, -2)), axis=-2)


def _both(y, m):
    return rows(y, 0, m), rows(y, m)


def _singular_vectors_vjp(y_bar, a, y):
    m = a.shape[-2]
    (u, v), (u_bar, v_bar) = _both(y, m), _both(y_bar, m)
    s = apply(SINGULAR_VALUES, a)
    ut, vt = swap_last(u), swap_last(v)
    f, per_column = apply(INVERSE_DISTANCES, s * s), _row(inverses(s))
    left, right = ut @ u_bar, vt @ v_bar
    turned = (f * (left - swap_last(left))) * _row(s) + _column(s) * (f * (right - swap_last(right)))
    # what is outside of the space that the vectors span; nothing, where they span everything
    u_outside, v_outside = (u_bar - u @ left) * per_column, (v_bar - v @ right) * per_column
    return u @ turned @ vt + u_outside @ vt + u @ swap_last(v_outside)


def _singular_vectors_tangent(tangents, operands, y, params):
    a, a_dot = operands[0], tangents[0]
    u, v = _both(y, a.shape[-2])
    s = apply(SINGULAR_VALUES, a)
    f, per_column = apply(INVERSE_DISTANCES, s * s), _row(inverses(s))
    u_moved, v_moved = a_dot @ v, swap_last(a_dot) @ u
    inner = swap_last(u) @ u_moved
    by_row, by_column = _column(s) * inner, inner * _row(s)
    u_turn, v_turn = f * (by_column + swap_last(by_column)), f * (by_row + swap_last(by_row))
    u_dot = u @ u_turn + (u_moved - u @ inner) * per_column
    v_dot = v @ v_turn + (v_moved - v @ swap_last(inner)) * per_column
    return np.concatenate((u_dot, v_dot), axis=-2)


def _singular_vectors_shape(a):
    need_matrices("svd", a)
    m, n = a.shape[-2:]
    return (*a.shape[:-2], m + n, shorter(m, n))


def _singular_values_shape(a):
    need_matrices("svd", a)
    return (*a.shape[:-2], shorter(*a.shape[-2:]))


def _singular_values_vjp(s_bar, a, s):
    u, v = _both(apply(SINGULAR_VECTORS, a), a.shape[-2])
    return (u * _row(s_bar)) @ swap_last(v)


def _singular_values_tangent(tangents, operands, s, params):
    u, v = _both(apply(SINGULAR_VECTORS, operands[0]), operands[0].shape[-2])
    return np.sum(u * (tangents[0] @ v), axis=-2)


def _singular(name, forward, vjp, tangent, shape_rule, **facts):
    return general(
        name,
        forward,
        (vjp,),
        tangent,
        shape_rule,
        dtype_rule=linalg_dtype,
        converts_from=0,
        complex_step="no",
        doc="Where two singular values are equal, or one is 0, their vectors have no derivative: it is NaN.",
        samples=lambda rng: [((rng.standard_normal(shape),), ()) for shape in ((3, 3), (4, 2), (2, 3), (2, 3, 2))],
        **facts,
    )


SINGULAR_VALUES: Primitive = _singular(
    "singular_values",
    lambda a: SVD(a)[1] if SVD.keeps else np.linalg.svd(a, compute_uv=False),
    _singular_values_vjp,
    _singular_values_tangent,
    _singular_values_shape,
    latex=r"\sigma({0})",
)
SINGULAR_VECTORS: Primitive = _singular(
    "singular_vectors",
    _singular_vectors,
    _singular_vectors_vjp,
    _singular_vectors_tangent,
    _singular_vectors_shape,
    latex=r"\operatorname{{svd}} {0}",
    helper="chainrule.primitives.spectral:singular_vectors",
)


@handles(np.linalg.svdvals)
def singular_values(x, /):
    """`np.linalg.svdvals`."""
    x = array_of(x)
    need_matrices("svd", x)
    return record(SINGULAR_VALUES, x)


@handles(np.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """`np.linalg.svd` in its reduced form, or of a square matrix."""
    a = array_of(a)
    need_matrices("svd", a)
    if hermitian:
        raise UnsupportedError("np.linalg.svd(..., hermitian=True): leave it out, or use np.linalg.eigh")
    if not compute_uv:
        return singular_values(a)
    if full_matrices and not same_dim(a.shape[-2], a.shape[-1]):
        raise UnsupportedError(
            "np.linalg.svd(..., full_matrices=True): the vectors beyond the rank have no derivative; "
            "write full_matrices=False"
        )
    with SVD:
        s = record(SINGULAR_VALUES, a)
        u, v = _both(record(SINGULAR_VECTORS, a), a.shape[-2])
    return SVD_RESULT(u, s, swap_last(v))


@handles(np.linalg.cond)
def cond(x, p=None):
    """`np.linalg.cond` in the spectral norm: the largest singular value by the smallest."""
    if p not in (None, 2, -2):
        raise UnsupportedError(
            f"np.linalg.cond(..., p={p!r}): write np.linalg.norm(x, {p!r}) * np.linalg.norm(np.linalg.inv(x), {p!r})"
        )
    s = singular_values(x)
    largest, smallest = s[..., 0], s[..., -1]
    return smallest / largest if p == -2 else largest / smallest


FAMILY = (INVERSE_DISTANCES, EIGENVALUES, EIGENVECTORS, SINGULAR_VALUES, SINGULAR_VECTORS)
