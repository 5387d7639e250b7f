"""linspace and logspace between traced ends: values, dtypes and both results are NumPy's, and both ends get their share."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
START, STOP = RNG.standard_normal((2, 3)), RNG.standard_normal((2, 3))
OPTIONS = [{}, {"num": 5}, {"num": 1}, {"num": 5, "endpoint": False}, {"num": 0}, {"num": 2}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_between_numbers(options, dtype):
    a, b = dtype(0.3), dtype(-1.7)
    assert_traced_as_numpy(lambda a, b: np.linspace(a, b, **options), a, b)
    assert_traced_as_numpy(lambda a: np.linspace(a, 2, **options) + np.linspace(0.5, a, **options), a)


@pytest.mark.parametrize("options", [*OPTIONS[1:4], {"num": 4, "axis": -1}, {"num": 4, "axis": 1}])
def test_between_arrays(options):
    assert_traced_as_numpy(lambda a, b: np.linspace(a, b, **options), START, STOP)
    assert_traced_as_numpy(lambda a, b: np.linspace(a, b, **options), START, STOP[0])
    assert_traced_as_numpy(lambda b: np.linspace(0, b, **options), STOP.astype(np.float32))


def test_the_step():
    def both(a, b):
        y, step = np.linspace(a, b, 5, retstep=True)
        return y * step

    assert_traced_as_numpy(both, START, STOP)
    assert_traced_as_numpy(lambda a: np.linspace(a, 1.0, 4, False, True)[1] * a, START)
    assert np.isnan(np.linspace(np.float64(1), 2.0, 1, retstep=True)[1])
    graph, values = record(lambda a: (np.linspace(a, 2.0, 1, retstep=True)[0],), np.float64(1))
    np.testing.assert_array_equal(values[graph.outputs[0]], [1.0])


def test_other_dtypes():
    for f in (lambda a, d: np.linspace(a, 2.0, 5, dtype=d), lambda a, d: np.logspace(a, 1, 3, dtype=d)):
        graph, values = record(lambda a, f=f: f(a, np.float32), START)
        assert values[graph.outputs[0]].dtype == np.float32
        np.testing.assert_allclose(values[graph.outputs[0]], f(START, np.float32), rtol=1e-6)
        rough, fine = (cr.grad(lambda a, f=f, d=d: np.sum(f(a, d)))(START) for d in (np.float32, None))
        np.testing.assert_allclose(rough, fine, rtol=1e-6)
    for dtype in (np.int64, int):
        graph, values = record(lambda a, d=dtype: np.linspace(a, 7.5, 5, dtype=d), np.float64(-1.3))
        np.testing.assert_array_equal(values[graph.outputs[0]], np.linspace(-1.3, 7.5, 5, dtype=dtype))
    for whole in (np.int64(3), np.int8(3)):
        graph, values = record(lambda a: np.linspace(a, 9, 4), whole)
        got, want = values[graph.outputs[0]], np.linspace(whole, 9, 4)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_each_end_gets_its_share():
    da, db = cr.grad(lambda a, b: np.sum(np.linspace(a, b, 5)[:-1]), wrt=(0, 1))(0.0, 1.0)
    assert (da, db) == (2.5, 1.5)


@pytest.mark.parametrize(
    "options", [{"num": 4}, {"num": 3, "base": 2.0}, {"num": 3, "endpoint": False}, {"num": 2, "axis": -1}]
)
def test_logspace(options):
    assert_traced_as_numpy(lambda a, b: np.logspace(a, b, **options), START, STOP, rtol=1e-14)


def test_refusals():
    with pytest.raises(UnsupportedError, match="bases"):
        record(lambda a: np.logspace(a, 1.0, 3, base=np.array([2.0, 3.0])), np.float64(0.5))
    with pytest.raises(UnsupportedError, match=r"np\.geomspace.*np.exp"):
        record(lambda a: np.geomspace(a, 1.0, 3), np.float64(0.5))
    with pytest.raises(ValueError, match="samples"):
        record(lambda a: np.linspace(a, 1.0, -3), np.float64(0.5))
