"""Questions answered True or False: the answers are NumPy's, staged or not, and nothing flows through them."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
X = RNG.uniform(-3, 3, (3, 4))
EDGES = np.array([0.0, -0.0, 1.0, -2.0, 1 + 1e-6, 1 + 1e-9, 1e308, np.inf, -np.inf, np.nan])
QUESTIONS = {
    "signbit": lambda x: np.signbit(x),
    "isposinf": lambda x: np.isposinf(x),
    "isneginf": lambda x: np.isneginf(x),
    "isreal": lambda x: np.isreal(x),
    "iscomplex": lambda x: np.iscomplex(x),
    "isclose": lambda x: np.isclose(x, 1.0),
    "isclose to 1": lambda x: np.isclose(x, 1),
    "isclose of a number": lambda x: np.isclose(1.0, x, rtol=1e-7),
    "isclose to itself": lambda x: np.isclose(x, x, equal_nan=True),
    "isclose with tolerances": lambda x: np.isclose(x, [1.0], 0.1, 0.5),
    "isclose to infinity": lambda x: np.isclose(x, np.inf),
    "isclose with a negative tolerance": lambda x: np.isclose(x, 1.0, 0, -0.5),
    "isclose to integers": lambda x: np.isclose(x, np.array([1], np.int8)),
    "logical_xor": lambda x: np.logical_xor(x > 0.5, x < 2),
    "logical_xor of numbers": lambda x: np.logical_xor(x, True),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_the_answers_are_numpys(name, dtype):
    f = QUESTIONS[name]
    with np.errstate(all="ignore"):
        x = EDGES.astype(dtype) if np.dtype(dtype).kind == "f" else np.array([0, 1, -2])
        want = f(x)
        graph, values = record(f, x)
        staged = cr.jit(f)(x)
    for got in (values[graph.outputs[0]], staged):
        assert got.dtype == want.dtype == bool
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", QUESTIONS)
def test_nothing_flows_through_them(name):
    f = QUESTIONS[name]
    assert_traced_as_numpy(lambda x: np.where(f(x), -x, x * x), X)


def test_isclose_of_every_pair():
    a, b = (side.ravel() for side in np.meshgrid(EDGES, EDGES))
    for equal_nan in (False, True):
        graph, values = record(lambda a, b, e=equal_nan: np.isclose(a, b, equal_nan=e), a, b)
        np.testing.assert_array_equal(values[graph.outputs[0]], np.isclose(a, b, equal_nan=equal_nan))


@pytest.mark.parametrize("f", [np.isposinf, np.isneginf])
def test_writing_into_an_array_is_refused(f):
    with pytest.raises(UnsupportedError, match=f"np.{f.__name__}.*out="):
        cr.grad(lambda x: np.sum(x * f(x, out=np.zeros(X.shape, bool))))(X)
