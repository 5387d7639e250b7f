"""frexp, ldexp, spacing, nextafter: NumPy's values to the last bit, and the derivative of what they are between two powers of 2."""

import numpy as np
import pytest

import chainrule as cr
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
X = RNG.uniform(1.1, 1.9, (3, 4)) * RNG.choice([-4.0, -0.5, 1.0, 2.0], (3, 4))
EDGES = np.array([0.0, -0.0, 1.0, -2.0, 5e-324, 1e308, np.inf, -np.inf, np.nan])
FLOATS = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def values_of(f, *args):
    graph, values = record(f, *args)
    return [values[output] for output in graph.outputs]


def assert_same(got, want):
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


@FLOATS
def test_both_results_of_frexp(dtype):
    def f(x):
        mantissa, exponent = np.frexp(x)
        return mantissa * mantissa + exponent * x

    assert_traced_as_numpy(f, X.astype(dtype))
    with np.errstate(over="ignore"):
        edges = EDGES.astype(dtype)
    for got, want in zip(values_of(lambda x: np.frexp(x), edges), np.frexp(edges), strict=True):
        assert_same(got, want)


def test_frexp_of_integers():
    for whole in (np.array([3, -8]), np.array([3, -8], np.int8)):
        for got, want in zip(values_of(lambda x: np.frexp(x), whole), np.frexp(whole), strict=True):
            assert_same(got, want)


@FLOATS
@pytest.mark.parametrize("exponent", [np.array([0, 1, -1, 5]), np.array([[1], [2], [-3]], np.int8)])
def test_ldexp(dtype, exponent):
    x = X.astype(dtype)
    assert_traced_as_numpy(lambda x, n: np.ldexp(x, n) * x, x, exponent)
    assert_traced_as_numpy(lambda x: np.ldexp(x, 3) + np.ldexp(x, -2) * x, x)


def test_ldexp_of_a_row_by_a_column_of_traced_exponents():
    x, n = np.array([1.5, -2.5]), np.array([[1], [2], [3]])
    assert_same(values_of(lambda x, n: np.ldexp(x, n), x, n)[0], np.ldexp(x, n))
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(np.ldexp(x, n)))(x), [14, 14])


def test_a_branch_that_is_not_taken_poisons_nothing():
    x = np.array([0.0, 2.0])
    with np.errstate(divide="ignore"):
        slope = cr.grad(lambda x: np.sum(np.where(x > 0, np.ldexp(np.log(x), 2) * np.frexp(np.log(x))[0], 0.0)))(x)
    assert slope[0] == 0
    assert np.isfinite(slope[1])


def test_apart_and_together_again():
    assert_traced_as_numpy(lambda x: np.ldexp(*np.frexp(x)), X)
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(np.ldexp(*np.frexp(x))))(X), np.ones_like(X))


@FLOATS
def test_the_next_number(dtype):
    x = X.astype(dtype)
    assert_same(values_of(lambda x: np.nextafter(x, 9), x)[0], np.nextafter(x, 9))
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(np.nextafter(x, x * x)))(x), np.ones_like(x))
    assert_same(values_of(lambda x: np.spacing(x), x)[0], np.spacing(x))
    assert not np.any(cr.grad(lambda x: np.sum(np.spacing(x)))(x))
