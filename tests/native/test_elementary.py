"""exp, log, tanh and their kin in machine code: units in the last place against a wider type, and the borders.

All functions are compiled at once, as loops over arrays, since loops are what they are vectorised in.
"""

import numpy as np
import pytest

pytest.importorskip("numba")
from numba import njit

from chainrule.native import elementary

WIDER = {"float32": np.float64, "float64": np.longdouble}
SAMPLES = 100_000
INF, NAN = np.inf, np.nan


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


FUNCTIONS = {  # the function in any type, and where it moves, in float32 and float64
    "exp": (np.exp, (-104, 89), (-746, 710)),
    "expm1_": (np.expm1, (-20, 89), (-40, 710)),
    "log": (np.log, (0, 4), (0, 4)),
    "log1p_": (np.log1p, (-1, 4), (-1, 4)),
    "tanh": (np.tanh, (-10, 10), (-20, 20)),
    "sigmoid": (sigmoid, (-104, 30), (-746, 50)),
    "softplus": (softplus, (-104, 30), (-746, 50)),
}
EVERY = [pytest.param(name, dtype, id=f"{name.rstrip('_')}-{dtype}") for name in FUNCTIONS for dtype in WIDER]
ULPS = 2.5  # the module's promise


@njit(**elementary.ARITHMETIC)
def all32(x, out):
    """Every function of `FUNCTIONS` in float32."""
    for i in range(x.size):
        out[0, i] = elementary.exp32(x[i])
        out[1, i] = elementary.expm1_32(x[i])
        out[2, i] = elementary.log32(x[i])
        out[3, i] = elementary.log1p_32(x[i])
        out[4, i] = elementary.tanh32(x[i])
        out[5, i] = elementary.sigmoid32(x[i])
        out[6, i] = elementary.softplus32(x[i])


@njit(**elementary.ARITHMETIC)
def all64(x, out):
    """Every function of `FUNCTIONS` in float64."""
    for i in range(x.size):
        out[0, i] = elementary.exp64(x[i])
        out[1, i] = elementary.expm1_64(x[i])
        out[2, i] = elementary.log64(x[i])
        out[3, i] = elementary.log1p_64(x[i])
        out[4, i] = elementary.tanh64(x[i])
        out[5, i] = elementary.sigmoid64(x[i])
        out[6, i] = elementary.softplus64(x[i])


@njit(**elementary.ARITHMETIC)
def simple32(x, y, out):
    for i in range(x.size):
        out[0, i] = elementary.larger(x[i], y[i])
        out[1, i] = elementary.smaller(x[i], y[i])
        out[2, i] = elementary.sign32(x[i])
        out[3, i] = elementary.squared(x[i])
        out[4, i] = elementary.power32(x[i], y[i])


@njit(**elementary.ARITHMETIC)
def simple64(x, y, out):
    for i in range(x.size):
        out[0, i] = elementary.larger(x[i], y[i])
        out[1, i] = elementary.smaller(x[i], y[i])
        out[2, i] = elementary.sign64(x[i])
        out[3, i] = elementary.squared(x[i])
        out[4, i] = elementary.power64(x[i], y[i])


def compiled(name, x):
    """What the compiled function makes of an array."""
    out = np.empty((len(FUNCTIONS), x.size), x.dtype)
    (all32 if x.dtype == np.float32 else all64)(x, out)
    return out[list(FUNCTIONS).index(name)]


def exact(name, x):
    """The value in the wider type."""
    with np.errstate(all="ignore"):
        return FUNCTIONS[name][0](x.astype(WIDER[x.dtype.name]))


def rounded(want, dtype):
    """Exact values in the type, infinite where they are too large for it."""
    with np.errstate(over="ignore"):
        return want.astype(dtype)


def ulps(got, want):
    """How far results are from exact values, in units of the last place; of subnormal results in the smallest unit."""
    return np.abs(got - want) / np.spacing(np.abs(rounded(want, got.dtype))).astype(want.dtype)


def arguments(name, dtype):
    """Numbers where the function moves, of every size, and next to one another at the seams of its formulas."""
    rng = np.random.default_rng(0)
    low, high = FUNCTIONS[name][1 if dtype == "float32" else 2]
    kind = np.finfo(dtype)
    even = rng.uniform(low, high, SAMPLES)
    sizes = 2.0 ** rng.uniform(np.log2(kind.smallest_normal), np.log2(kind.max) - 0.01, SAMPLES)
    near = 10.0 ** rng.uniform(-9, np.log10(high), SAMPLES)
    seams = np.concatenate(
        [np.log(2) / 2 * np.arange(-9, 10), np.sqrt(0.5) * 2.0 ** np.arange(-9, 10), [1e-4, 1e-8, 1.0]]
    )
    seams = (seams.astype(dtype) + np.arange(-8, 9)[:, None] * np.spacing(seams.astype(dtype))).ravel()
    x = np.concatenate([v.astype(dtype) for v in (even, sizes, -sizes, near, -near, seams, -seams)])
    return x[x > low] if name in ("log", "log1p_") else x


@pytest.mark.parametrize(("name", "dtype"), EVERY)
def test_within_two_and_a_half_units_of_the_last_place(name, dtype):
    if np.finfo(WIDER[dtype]).nmant <= np.finfo(dtype).nmant:
        pytest.skip("this machine has no wider type")
    x = arguments(name, dtype)
    got, want = compiled(name, x), exact(name, x)
    moderate = np.isfinite(rounded(want, dtype))
    np.testing.assert_array_equal(moderate, np.isfinite(got))
    errors = ulps(got[moderate], want[moderate])
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULPS, f"{errors[worst]:.2f} units at {x[moderate][worst]!r}"


@pytest.mark.parametrize(("name", "dtype"), EVERY)
def test_zeros_infinities_nan_and_the_smallest_numbers(name, dtype):
    kind = np.finfo(dtype)
    edges = [
        0.0,
        INF,
        NAN,
        kind.smallest_subnormal,
        kind.smallest_normal,
        kind.smallest_normal / 4,
        kind.max,
        kind.eps,
        1.0,
    ]
    x = np.array([*edges, *(-e for e in edges), np.nextafter(-1, 0, dtype=dtype)], dtype=dtype)
    with np.errstate(all="ignore"):
        got, want = compiled(name, x), exact(name, x).astype(dtype)
    same = (np.isnan(got) == np.isnan(want)) & (np.isinf(got) == np.isinf(want))
    assert np.all(same), x[~same]
    np.testing.assert_array_equal(np.signbit(got[got == got]), np.signbit(want[want == want]))
    finite = np.isfinite(want)
    assert np.all(ulps(got[finite], want[finite].astype(WIDER[dtype])) <= ULPS + 0.5)


@pytest.mark.parametrize("dtype", WIDER)
def test_overflow_and_underflow_begin_where_the_type_ends(dtype):
    """At the last argument with a finite exponential, and at the last with one that is not 0, and their neighbours."""
    kind = np.finfo(dtype)
    wide = WIDER[dtype]
    ends = np.array([np.log(wide(kind.max)), np.log(wide(kind.smallest_subnormal))], dtype=dtype)
    x = (ends + np.arange(-40, 41)[:, None] * np.spacing(ends)).ravel().astype(dtype)
    got, want = compiled("exp", x), rounded(exact("exp", x), dtype)
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    assert np.all(np.abs(got[np.isfinite(got)] - want[np.isfinite(got)]) <= ULPS * np.spacing(want[np.isfinite(got)]))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "exp"])
@pytest.mark.parametrize("dtype", WIDER)
def test_bounds_are_kept(name, dtype):
    got = compiled(name, arguments(name, dtype))
    assert np.all(got >= (-1 if name == "tanh" else 0))
    if name in ("tanh", "sigmoid"):
        assert np.all(got <= 1)


@pytest.mark.parametrize("dtype", WIDER)
def test_the_hyperbolic_tangent_is_odd(dtype):
    x = arguments("tanh", dtype)
    np.testing.assert_array_equal(compiled("tanh", -x), -compiled("tanh", x))


@pytest.mark.parametrize("dtype", WIDER)
def test_comparisons_signs_squares_and_powers_are_numpys(dtype):
    values = np.array(
        [0.0, -0.0, 1.5, -2.0, 3.0, -0.5, INF, -INF, NAN, np.finfo(dtype).max, np.finfo(dtype).tiny], dtype=dtype
    )
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    out = np.empty((5, x.size), dtype)
    (simple32 if dtype == "float32" else simple64)(x, y, out)
    with np.errstate(all="ignore"):
        want = [np.maximum(x, y), np.minimum(x, y), np.sign(x), x * x, np.power(x, y)]
    for got, wanted in zip(out, want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2 * np.finfo(dtype).eps)


def test_an_index_counts_from_either_end_and_stops_at_both():
    assert [elementary.wrapped(i, 3) for i in (-3, -1, 0, 2)] == [0, 2, 0, 2]
    for i in (-4, 3):
        with pytest.raises(IndexError, match="out of bounds"):
            elementary.wrapped(i, 3)


def test_class_numbers_outside_are_seen():
    assert elementary.classes_in(np.array([0, 2]), 0, 3)
    assert elementary.classes_in(np.array([-3, 2]), -3, 3)
    assert not any(elementary.classes_in(np.array(y), 0, 3) for y in ([0, 3], [-1, 0]))


def test_batches_are_slices_or_gathered():
    X = np.arange(12.0).reshape(6, 2)
    none, order = np.zeros(0, np.int64), np.array([5, 3, 1, 0, 2, 4])
    taken = np.zeros((2, 2))
    np.testing.assert_array_equal(elementary.take_rows(none, 2, X, taken, 2), X[2:4])
    np.testing.assert_array_equal(elementary.take_rows(order, 2, X, taken, 2), X[[1, 0]])
    columns = np.ascontiguousarray(X.T)
    np.testing.assert_array_equal(elementary.take_columns(none, 2, columns, taken.copy()), columns[:, 2:4])
    np.testing.assert_array_equal(elementary.take_columns(order, 2, columns, taken.copy()), columns[:, [1, 0]])
