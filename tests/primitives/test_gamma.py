"""log gamma and its derivatives against values of many digits, at the edges, in float32, and as text that runs alone."""

import inspect
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.primitive import apply
from chainrule.primitives.gamma import GAMMALN, POLYGAMMA, gammaln, polygamma

GAMMALN_OF = {  # by 40 digits, rounded
    0.001: 6.907178885383853, 0.3: 1.0957979948180756, 0.5: 0.5723649429247001, 0.75: 0.20328095143129538,
    1.25: -0.09827183642181316, 1.5: -0.12078223763524522, 1.75: -0.08440112102048555, 2.25: 0.1248717148923966,
    2.75: 0.47521466691493713, 3.5: 1.2009736023470743, 5.5: 3.9578139676187165, 8.75: 10.07315123968124,
    9.25: 11.143400119951712, 20.5: 40.8315009745308, 1234.5: 7550.550901077895,
}  # fmt: skip
POLYGAMMA_OF = {
    (0, 0.25): -4.2274535333762655, (0, 1.0): -0.5772156649015329, (0, 3.5): 1.103156640645243, (0, 12.0): 2.442661679975812,
    (1, 0.25): 17.19732915450711, (1, 2.0): 0.6449340668482264, (2, 0.75): -5.3026332163376395,
    (3, 4.5): 0.030322508542366587, (5, 1.5): 11.113548602435497, (7, 0.625): 216572.4457465874,
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("x", GAMMALN_OF)
def test_gammaln_to_the_last_digits(x):
    assert gammaln(x) == pytest.approx(GAMMALN_OF[x], rel=8e-16)
    assert gammaln(np.float32(x)) == pytest.approx(gammaln(float(np.float32(x))), rel=1e-6)


@pytest.mark.parametrize(("n", "x"), POLYGAMMA_OF)
def test_polygamma_to_the_last_digits(n, x):
    assert polygamma(x, n) == pytest.approx(POLYGAMMA_OF[n, x], rel=2e-15)
    assert polygamma(np.float32(x), n) == pytest.approx(POLYGAMMA_OF[n, x], rel=2e-5)


def test_factorials():
    n = np.arange(1, 170)
    np.testing.assert_allclose(gammaln(n + 1.0), np.cumsum(np.log(n)), rtol=2e-15)


def test_edges_and_poles():
    x = np.array([0.0, -1.0, -2.0, np.inf, -np.inf, np.nan, 1.0, 2.0, 1e300])
    np.testing.assert_array_equal(gammaln(x)[:8], [np.inf, np.inf, np.inf, np.inf, -np.inf, np.nan, 0, 0])
    assert gammaln(1e300) == pytest.approx(1e300 * (np.log(1e300) - 1), rel=1e-15)
    np.testing.assert_array_equal(polygamma(x, 0)[:6], [-np.inf, np.nan, np.nan, np.inf, np.nan, np.nan])
    assert polygamma(-0.0, 0) == np.inf


def test_shapes_and_dtypes():
    for function in (gammaln, lambda x: polygamma(x, 1)):
        assert type(function(0.5)) is type(function(2)) is type(function(np.array(0.5))) is np.float64
        assert type(function(np.float32(0.5))) is np.float32
        assert function(np.zeros((0, 3), np.float32)).shape == (0, 3)
        np.testing.assert_array_equal(function(np.array([3, 4], np.int8)), function(np.array([3.0, 4.0])))


def test_every_derivative_is_the_next_order():
    x = np.array([0.3, 1.7, 12.0, -1.3])
    slope = cr.grad(lambda x: np.sum(apply(GAMMALN, x)))
    np.testing.assert_array_equal(slope(x), polygamma(x, 0))
    np.testing.assert_allclose(np.diag(cr.jacobian(slope)(x)), polygamma(x, 1), rtol=1e-15)
    third = cr.grad(lambda x: np.sum(apply(POLYGAMMA, x, params=(1,))))
    np.testing.assert_array_equal(third(x), polygamma(x, 2))
    np.testing.assert_allclose(cr.jit(third)(x), polygamma(x, 2), rtol=1e-15)


@pytest.mark.parametrize("function", [gammaln, polygamma])
def test_the_source_text_runs_alone(function):
    names = {"np": np}
    exec(inspect.getsource(function), names)  # our own text, as emitted source will hold it
    x, rest = np.linspace(-2.3, 12, 40), (2,) * (function is polygamma)
    np.testing.assert_array_equal(names[function.__name__](x, *rest), function(x, *rest))
