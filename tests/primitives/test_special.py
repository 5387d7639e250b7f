"""sigmoid, softplus, erf, erfc against many digits, on grids that reach into both tails."""

import inspect
import warnings

import numpy as np
import pytest

from chainrule.primitives.special import FAMILY, erf, erfc, sigmoid, softplus

mpmath = pytest.importorskip("mpmath")

FUNCTIONS = (sigmoid, softplus, erf, erfc)
EXACT = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
}
TINY = np.geomspace(1e-300, 1, 60)
GRIDS = {  # each ends where the result leaves the normal numbers
    "sigmoid": np.concatenate([-TINY, TINY, np.linspace(-708, 60, 300)]),
    "softplus": np.concatenate([-TINY, TINY, np.linspace(-708, 1000, 300)]),
    "erf": np.concatenate([-TINY, TINY, np.linspace(-7, 7, 400)]),
    "erfc": np.concatenate([-TINY, TINY, np.linspace(-7, 26.5, 700)]),
}
BOUNDS = {"sigmoid": 5e-16, "softplus": 5e-16, "erf": 1e-15, "erfc": 1e-15}


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def relative_error(got, want):
    return float(abs((mpmath.mpf(float(got)) - want) / want))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_relative_accuracy(function):
    name = function.__name__
    with mpmath.workdps(40):
        errors = [
            relative_error(y, EXACT[name](mpmath.mpf(float(z))))
            for z, y in zip(GRIDS[name], function(GRIDS[name]), strict=True)
        ]
    assert max(errors) < BOUNDS[name], GRIDS[name][np.argmax(errors)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_float32_is_computed_and_returned_in_float32(function):
    name = function.__name__
    grid = np.linspace(-9, 9, 200, dtype=np.float32)
    result = function(grid)
    assert result.dtype == np.float32
    with mpmath.workdps(30):
        errors = [
            relative_error(y, EXACT[name](mpmath.mpf(float(z)))) for z, y in zip(grid, result, strict=True) if y != 0
        ]
    assert max(errors) < 1e-6


@pytest.mark.parametrize(
    ("function", "want"),
    [
        (sigmoid, [0.5, 0.5, 1.0, 0.0, 1.0, 0.0]),
        (softplus, [np.log(2), np.log(2), np.inf, 0.0, 1000.0, 0.0]),
        (erf, [0.0, -0.0, 1.0, -1.0, 1.0, -1.0]),
        (erfc, [1.0, 1.0, 0.0, 2.0, 0.0, 2.0]),
    ],
)
def test_special_values(function, want):
    got = function(np.array([0.0, -0.0, np.inf, -np.inf, 1000.0, -1000.0]))
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
    assert np.isnan(function(np.array([np.nan]))).all()


def test_the_smallest_numbers():
    assert sigmoid(-745.0) == 5e-324
    assert erf(5e-324) == 5e-324
    assert softplus(-745.0) == 5e-324


@pytest.mark.parametrize("function", FUNCTIONS)
def test_scalars_and_empty_arrays(function):
    assert type(function(0.5)) is np.float64
    assert type(function(2)) is np.float64
    assert type(function(np.float32(0.5))) is np.float32
    assert type(function(np.array(0.5))) is np.float64
    assert function(np.zeros((0, 3), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, bool])
def test_integers_become_float64(function, dtype):
    z = np.array([0, 1, 2, 120]).astype(dtype)
    assert function(z).dtype == np.float64
    np.testing.assert_array_equal(function(z), function(z.astype(float)))


def test_the_smallest_int8_whose_absolute_value_is_no_int8():
    for function in FUNCTIONS:
        assert function(np.int8(-128)) == function(-128.0)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_agrees_with_scipy(function):
    special = pytest.importorskip("scipy.special")
    reference = {"sigmoid": special.expit, "softplus": special.log1p, "erf": special.erf, "erfc": special.erfc}
    z = np.random.default_rng(0).uniform(-5, 5, (40, 50))
    want = reference[function.__name__](np.exp(z) if function is softplus else z)
    np.testing.assert_allclose(function(z), want, rtol=1e-13)


@pytest.mark.parametrize("primitive", FAMILY)
def test_the_source_text_runs_alone(primitive):
    module, _, name = primitive.helper.partition(":")
    assert module == primitive.forward.__module__
    names = {"np": np}
    exec(inspect.getsource(primitive.forward), names)  # our own text, as emitted source will hold it
    z = np.linspace(-3, 3, 7)
    np.testing.assert_array_equal(names[name](z), primitive.forward(z))


@pytest.mark.parametrize("primitive", FAMILY)
def test_partials(primitive):
    partial = primitive.rule(0)
    exact = EXACT[primitive.name]
    for z in (-20.0, -3.0, -0.5, 0.0, 0.7, 4.0):
        with mpmath.workdps(40):
            want = float(mpmath.diff(exact, mpmath.mpf(z)))
        assert partial(z, primitive.forward(z)) == pytest.approx(want, rel=1e-12, abs=1e-15)
