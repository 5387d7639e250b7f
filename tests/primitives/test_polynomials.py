"""polyval, polyder, polyint, vander: values are NumPy's to the last bit, gradients by coefficients and by places are right."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
P, X = RNG.standard_normal(4), RNG.uniform(-2, 2, (3, 2))
FLOATS = pytest.mark.parametrize("dtype", [np.float64, np.float32])


@FLOATS
@pytest.mark.parametrize("shape", [(3, 2), (6,), ()])
def test_polyval(dtype, shape):
    p, x = P.astype(dtype), X.astype(dtype).reshape(-1)[: int(np.prod(shape))].reshape(shape)
    assert_traced_as_numpy(lambda p, x: np.polyval(p, x), p, x)


def test_polyval_of_numbers_and_lists():
    assert_traced_as_numpy(lambda x: np.polyval([1, -2, 3], x), X)
    assert_traced_as_numpy(lambda p: np.polyval(p, 1.5), P)
    assert_traced_as_numpy(lambda p: np.polyval(p, [1.5, 2.5]), P)
    graph, values = record(lambda x: np.polyval([1, 2], x), np.array([np.inf, np.nan, 1.0]))
    np.testing.assert_array_equal(values[graph.outputs[0]], np.polyval([1, 2], [np.inf, np.nan, 1.0]))
    with pytest.raises(ShapeError, match="coefficients"):
        record(lambda p: np.polyval(p, 1.5), X)


def test_a_fit_by_its_gradient():
    x = np.linspace(-1, 1, 20)
    loss = cr.grad(lambda p: np.mean((np.polyval(p, x) - np.polyval([1.0, -2.0, 0.5], x)) ** 2))
    np.testing.assert_allclose(loss(np.array([1.0, -2.0, 0.5])), 0, atol=1e-15)


@FLOATS
@pytest.mark.parametrize("m", [0, 1, 2, 5])
def test_polyder_and_polyint(dtype, m):
    p = P.astype(dtype)
    if m < 4:
        assert_traced_as_numpy(lambda p: np.polyder(p, m) if m else np.polyder(p, 0) * p, p)
    assert_traced_as_numpy(lambda p: np.polyint(p, m) if m else np.polyint(p, 0) * p, p)


def test_constants_of_integration():
    assert_traced_as_numpy(lambda p: np.polyint(p, 2, k=[1.0, -2.0]), P)
    assert_traced_as_numpy(lambda p: np.polyint(p, 2, 3.0), P)
    assert_traced_as_numpy(lambda p, k: np.polyint(p, 2, k), P, np.array([0.5, 1.5]))
    for f in (lambda p: np.polyint(p, 3, [1.0, 2.0]), lambda p: np.polyint(p, -1), lambda p: np.polyder(p, -1)):
        with pytest.raises(ValueError, match=r"the order|k has one"):
            record(f, P)


@FLOATS
@pytest.mark.parametrize("options", [{}, {"N": 3}, {"N": 6, "increasing": True}, {"N": 1}])
def test_vander(dtype, options):
    assert_traced_as_numpy(lambda x: np.vander(x, **options), P.astype(dtype))


def test_vander_of_integers_and_without_columns():
    for x in (np.array([1, -2, 3]), np.array([1, -2, 3], np.int8)):
        graph, values = record(lambda x: np.vander(x), x)
        got = values[graph.outputs[0]]
        assert got.dtype == np.vander(x).dtype
        np.testing.assert_array_equal(got, np.vander(x))
    graph, values = record(lambda x: np.vander(x, 0), P)
    assert values[graph.outputs[0]].shape == (4, 0)
