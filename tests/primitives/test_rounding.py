"""Rounding, remainders, signs, casts: values are NumPy's, flat functions pass nothing back, remainders pass what they should."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
X = RNG.uniform(-3, 3, (3, 4))
DIVISOR = np.array([1.5, -0.7, 2.0, -1.1])
EDGES = np.array([0.0, -0.0, 0.5, 1.5, -0.5, 2.0, -2.0, 1e17, np.inf, -np.inf, np.nan])
FLAT = (np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.around)
QUOTIENTS = (np.remainder, np.mod, np.fmod, np.floor_divide)
CHOICES = (np.fmax, np.fmin)
flat = pytest.mark.parametrize("f", FLAT, ids=lambda f: f.__name__)
quotients = pytest.mark.parametrize("f", QUOTIENTS, ids=lambda f: f.__name__)
FLOATS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
SHAPED = pytest.mark.parametrize(
    ("dtype", "shape"), [("f8", (3, 4)), ("f4", (3, 4)), ("f8", (2, 1, 6)), ("f4", (0, 3)), ("f8", ()), ("f4", (1,))]
)
PAIRED = pytest.mark.parametrize(
    ("dtype", "left", "right"),
    [("f8", (3, 4), (3, 4)), ("f4", (3, 4), (4,)), ("f8", (3, 1), (1, 4)), ("f8", (), (3,)), ("f4", (0, 2), (2,))],
)


def values_of(f, *args):
    """The values of the first output of the trace."""
    graph, values = record(f, *args)
    return [values[output] for output in graph.outputs]


def assert_same(got, want):
    """Equal to the last bit, with the sign of zeros."""
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    if want.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


# -- to whole numbers --------------------------------------------------------------------------------------------------


@flat
@SHAPED
def test_flat_functions(f, dtype, shape):
    x = X.astype(dtype).reshape(-1)[: int(np.prod(shape))].reshape(shape)
    assert_traced_as_numpy(lambda x: f(x) * x, x[()] if shape == () else x)
    assert not np.any(cr.grad(lambda x: np.sum(f(x)))(x))


@flat
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8, np.uint8, bool])
def test_flat_functions_at_the_edges(f, dtype):
    x = EDGES.astype(dtype) if np.dtype(dtype).kind == "f" else np.array([0, 1, 100]).astype(dtype)
    assert_same(values_of(lambda x: f(x), x)[0], f(x))


@pytest.mark.parametrize("decimals", [0, 1, 3, -1, np.int64(2)])
@pytest.mark.parametrize("f", [np.round, np.around])
def test_decimals(f, decimals):
    x = 123.456 * X
    assert_same(values_of(lambda x: f(x, decimals=decimals), x)[0], f(x, decimals))
    slope = cr.grad(lambda x: np.sum(f(x, decimals) * x))
    for run in (slope, cr.jit(slope)):
        np.testing.assert_array_equal(run(x), f(x, decimals))
    assert_same(values_of(lambda x: f(x, decimals), np.array([15, -27]))[0], f(np.array([15, -27]), decimals))


def test_decimals_are_whole():
    with pytest.raises(TypeError):
        cr.grad(lambda x: np.sum(np.round(x, 1.5)))(X)


def test_a_straight_through_estimator():
    def quantised(x):
        return np.sum(np.square(x + cr.stop_gradient(np.round(x) - x)))

    np.testing.assert_array_equal(cr.grad(quantised)(X), 2 * np.round(X))


def test_a_cast_to_integers_or_booleans_passes_nothing_back():
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(x.astype(int) * x))(X), X.astype(int))
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(np.astype(x, np.int8) * x))(X), X.astype(np.int8))
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(x.astype(bool) * x))(X), np.ones_like(X))
    assert not np.any(cr.grad(lambda x: np.sum(x.astype(int)))(X))
    for dtype in (np.float32, np.float64):
        assert cr.grad(lambda x, dtype=dtype: np.sum(x.astype(dtype) ** 2))(X).dtype == np.float64
    with pytest.raises(UnsupportedError, match="real dtypes"):
        cr.grad(lambda x: np.sum(x.astype(complex)))(X)


# -- quotients and remainders ------------------------------------------------------------------------------------------


@quotients
@PAIRED
def test_quotients(f, dtype, left, right):
    a = np.asarray(4 * RNG.standard_normal(left)).astype(dtype)
    b = np.asarray(RNG.uniform(0.8, 2, right) * RNG.choice([-1, 1], right)).astype(dtype)
    assert_traced_as_numpy(lambda a, b: f(a, b) * a, a, b)


@quotients
def test_quotients_with_numbers(f):
    assert_traced_as_numpy(lambda x: f(x, 0.7) * x + f(5, x), X)
    assert values_of(lambda x: f(x, 2), X.astype(np.float32))[0].dtype == np.float32


@quotients
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8])
def test_quotients_at_the_edges(f, dtype):
    x = EDGES if dtype is np.float64 else np.array([0, 1, 7, 100]).astype(dtype)
    a, b = (side.ravel() for side in np.meshgrid(x, x))
    with np.errstate(all="ignore"):
        assert_same(values_of(lambda a, b: f(a, b), a, b)[0], f(a, b))


def test_the_derivative_by_the_divisor_is_minus_the_whole_quotient():
    a, b = np.array([7.3, -7.3, 7.3, -7.3]), np.array([2.0, 2.0, -2.0, -2.0])
    np.testing.assert_array_equal(cr.grad(lambda b: np.sum(np.remainder(a, b)))(b), -np.floor(a / b))
    np.testing.assert_array_equal(cr.grad(lambda b: np.sum(np.fmod(a, b)))(b), -np.trunc(a / b))


def test_a_quotient_that_is_rounded_up_is_not_counted_as_whole():
    a, b = np.nextafter(np.float64(5 * 0.7), 0), 0.7  # b goes into a 4 times, and nearly once more
    assert a / b == 5.0
    assert np.fmod(a, b) > 0.69
    assert cr.grad(lambda b: np.fmod(a, b))(b) == cr.grad(lambda b: np.remainder(a, b))(b) == -4


def test_divmod_and_modf_have_two_results():
    def both(x, b):
        quotient, rest = np.divmod(x, b)
        fraction, whole = np.modf(x)
        return quotient * rest + fraction * whole

    assert_traced_as_numpy(both, X, DIVISOR)
    assert_traced_as_numpy(lambda x: np.divmod(x, 0.7)[1] + np.divmod(5, x)[0] * x, X)
    for x in (EDGES, EDGES.astype(np.float32), np.array([3, -4]), np.array([3, -4], np.int8)):
        with np.errstate(all="ignore"):
            for got, want in zip(values_of(lambda x: np.modf(x), x), np.modf(x), strict=True):
                assert_same(got, want)
            for got, want in zip(values_of(lambda x: np.divmod(x, 2), x), np.divmod(x, 2), strict=True):
                assert_same(got, want)


# -- choices and signs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", CHOICES)
@PAIRED
def test_choices(f, dtype, left, right):
    a, b = (np.asarray(RNG.standard_normal(shape)).astype(dtype) for shape in (left, right))
    assert_traced_as_numpy(lambda a, b: f(a, b), a, b)


@pytest.mark.parametrize("f", CHOICES)
def test_choices_follow_what_is_a_number_and_share_ties(f):
    a, b = np.array([np.nan, 1.0, 2.0, np.nan]), np.array([1.0, np.nan, 2.0, np.nan])
    assert_same(values_of(lambda a, b: f(a, b), a, b)[0], f(a, b))
    da, db = cr.grad(lambda a, b: np.nansum(f(a, b)[:3]), wrt=(0, 1))(a, b)
    np.testing.assert_array_equal(da, [0, 1, 0.5, 0])
    np.testing.assert_array_equal(db, [1, 0, 0.5, 0])
    np.testing.assert_array_equal(cr.grad(lambda a: np.sum(f(a, 2.0)[1:3]))(a), [0, *np.array([f is np.fmin, 0]), 0])
    assert_traced_as_numpy(lambda x: f(x, 0) + f(0.5, x), X)


@PAIRED
def test_copysign_and_heaviside(dtype, left, right):
    a, b = (np.asarray(RNG.standard_normal(shape)).astype(dtype) for shape in (left, right))
    assert_traced_as_numpy(lambda a, b: np.copysign(a, b), a, b)
    assert_traced_as_numpy(lambda a, b: np.heaviside(a, b), a, b)


def test_copysign_and_heaviside_at_the_edges():
    a, b = (side.ravel() for side in np.meshgrid(EDGES, EDGES))
    for f in (np.copysign, np.heaviside):
        assert_same(values_of(lambda a, b, f=f: f(a, b), a, b)[0], f(a, b))
    assert_traced_as_numpy(lambda x: np.copysign(x, -1) + np.heaviside(x, 0.5) * x, X)
    dx, dh = cr.grad(lambda x, h: np.sum(np.heaviside(x, h)), wrt=(0, 1))(np.array([-1.0, 0.0, 1.0]), np.full(3, 0.5))
    np.testing.assert_array_equal(dx, 0)
    np.testing.assert_array_equal(dh, [0, 1, 0])


def test_fabs():
    assert_traced_as_numpy(lambda x: np.fabs(x), X)
    for x in (EDGES, EDGES.astype(np.float32), np.array([-3, 4]), np.array([-3, 4], np.int8)):
        assert_same(values_of(lambda x: np.fabs(x), x)[0], np.fabs(x))


# -- replacing, and parts of real numbers ------------------------------------------------------------------------------


@FLOATS
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nan": 1.5},
        {"posinf": 3, "neginf": -2.5},
        {"nan": True, "posinf": 7.0},
        {"nan": np.arange(11.0)},
        {"copy": True},
    ],
)
def test_nan_to_num(dtype, options):
    x = EDGES.astype(dtype)
    assert_same(values_of(lambda x: np.nan_to_num(x, **options), x)[0], np.nan_to_num(x, **options))
    slope = cr.grad(lambda x: np.sum(x.dtype.type(0.5) * np.nan_to_num(x, **{"posinf": 1, "neginf": -1, **options})))(x)
    np.testing.assert_array_equal(slope, 0.5 * np.isfinite(x))
    assert slope.dtype == dtype
    assert_traced_as_numpy(lambda x: np.nan_to_num(x) * x, X.astype(dtype))


def test_nan_to_num_of_integers_scalars_and_traced_replacements():
    assert_same(values_of(lambda x: np.nan_to_num(x), np.array([3, 4]))[0], np.array([3, 4]))
    assert cr.grad(lambda x: np.nan_to_num(x))(np.nan) == 0
    dx, dr = cr.grad(lambda x, r: np.sum(np.nan_to_num(x, nan=r)), wrt=(0, 1))(np.array([np.nan, 1.0, np.nan]), 2.0)
    np.testing.assert_array_equal(dx, [0, 1, 0])
    assert dr == 2


def test_parts_of_real_numbers():
    assert_traced_as_numpy(lambda x: np.real(x) * np.conjugate(x) + np.conj(x) + np.imag(x) + np.real_if_close(x), X)


# -- refusals, and another judge ---------------------------------------------------------------------------------------

REFUSED = {
    "np.floor with where": lambda x: np.floor(x, where=x > 0),
    "np.round.*out": lambda x: np.round(x, out=np.zeros_like(X)),
    "np.fix.*out": lambda x: np.fix(x, out=np.zeros_like(X)),
    "np.nan_to_num.*copy": lambda x: np.nan_to_num(x, copy=False),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_rest_is_refused_by_name(what):
    with pytest.raises(UnsupportedError, match=what):
        cr.grad(lambda x: np.sum(REFUSED[what](x)))(X)


def test_nothing_warns_where_everything_is_finite():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for f in (*QUOTIENTS, *CHOICES, np.copysign, np.heaviside):
            cr.grad(lambda a, b, f=f: np.sum(f(a, b)), wrt=(0, 1))(X, DIVISOR)


def test_agrees_with_torch():
    torch = pytest.importorskip("torch", reason="torch judges the gradients where it is installed")
    for f in (np.remainder, np.fmod, np.fmax, np.fmin, np.copysign):
        a, b = torch.tensor(X, requires_grad=True), torch.tensor(DIVISOR, requires_grad=True)
        getattr(torch, f.__name__)(a, b).sum().backward()
        for got, want in zip(cr.grad(lambda a, b, f=f: np.sum(f(a, b)), wrt=(0, 1))(X, DIVISOR), (a, b), strict=True):
            np.testing.assert_allclose(got, want.grad.numpy(), rtol=1e-12)
    t = torch.tensor(EDGES, requires_grad=True)
    torch.nan_to_num(t, 0, 1, -1).sum().backward()
    got = cr.grad(lambda x: np.sum(np.nan_to_num(x, posinf=1, neginf=-1)))(EDGES)
    np.testing.assert_array_equal(got, t.grad.numpy())
