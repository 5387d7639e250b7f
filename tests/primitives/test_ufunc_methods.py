"""`reduce`, `accumulate`, `outer` of ufuncs: what the function of the same meaning gives, with the method's own defaults."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitives.ufunc_methods import call_method
from chainrule.pytree import Recorder
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(4), RNG.uniform(0.5, 2.0, 3)
M, S = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 3, 4))
MASK = M > -0.3


def call(ufunc, method, *inputs, **arguments):
    """`ufunc.method(...)` of plain arrays, and what records it of traced ones."""
    if any(isinstance(x, Recorder) for x in inputs):
        return call_method(ufunc, method, *inputs, **arguments)
    return getattr(ufunc, method)(*inputs, **arguments)


CALLS = {
    "add.reduce": (lambda m: call(np.add, "reduce", m), M),
    "add.reduce of axes": (lambda s: call(np.add, "reduce", s, axis=(0, 2), keepdims=True), S),
    "add.reduce of all": (lambda m: call(np.add, "reduce", m, axis=None), M),
    "add.reduce in its own dtype": (lambda m: call(np.add, "reduce", m, dtype=float), M),
    "multiply.reduce": (lambda m: call(np.multiply, "reduce", m), M),
    "multiply.reduce of rows": (lambda m: call(np.multiply, "reduce", m, axis=1, initial=2.0, where=MASK), M),
    "maximum.reduce": (lambda m: call(np.maximum, "reduce", m), M),
    "minimum.reduce": (lambda s: call(np.minimum, "reduce", s, axis=-1), S),
    "fmax.reduce": (lambda m: call(np.fmax, "reduce", m, axis=1), M),
    "fmin.reduce": (lambda m: call(np.fmin, "reduce", m), M),
    "logical_and.reduce": (lambda m: call(np.logical_and, "reduce", m > -1) * m, M),
    "logical_or.reduce": (lambda m: call(np.logical_or, "reduce", m > 1) * m, M),
    "add.accumulate": (lambda m: call(np.add, "accumulate", m), M),
    "add.accumulate of rows": (lambda m: call(np.add, "accumulate", m, axis=-1), M),
    "multiply.accumulate": (lambda s: call(np.multiply, "accumulate", s, axis=1), S),
    "maximum.accumulate": (lambda v: call(np.maximum, "accumulate", v), V),
    "maximum.accumulate of rows": (lambda m: call(np.maximum, "accumulate", m, axis=1), M),
    "minimum.accumulate": (lambda s: call(np.minimum, "accumulate", s, axis=-2), S),
    "multiply.outer": (lambda v, w: call(np.multiply, "outer", v, w), V, W),
    "subtract.outer of matrices": (lambda m, w: call(np.subtract, "outer", m, w), M, W),
    "power.outer": (lambda w, v: call(np.power, "outer", w, v), W, V),
    "maximum.outer with constants": (lambda v: call(np.maximum, "outer", W, v), V),
    "add.outer with a number": (lambda v: call(np.add, "outer", v, 2.0), V),
    "divide.outer of a list": (lambda w: call(np.divide, "outer", [1.0, 2.0], w), W),
    "greater.outer": (lambda v, w: call(np.greater, "outer", v, w) * v[:, None], V, W),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=1e-15)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
def test_dtypes_are_those_of_numpy(dtype):
    x = np.array([[3, 1, 0], [2, 5, 1]]).astype(dtype)
    for ufunc in (np.add, np.multiply, np.maximum):
        assert_traced_as_numpy(lambda x, u=ufunc: call(u, "reduce", x), x)
        assert_traced_as_numpy(lambda x, u=ufunc: call(u, "accumulate", x, axis=1), x)


def test_by_their_own_names():
    assert_traced_as_numpy(lambda m: np.add.reduce(m) * np.multiply.reduce(m) + np.maximum.reduce(m), M, rtol=1e-15)
    assert_traced_as_numpy(lambda m: np.add.accumulate(m, axis=1) + np.multiply.accumulate(m), M)
    assert_traced_as_numpy(lambda v, w: np.subtract.outer(v, w), V, W)


def test_the_drawdown_of_a_price():
    price = np.array([1.0, 3.0, 2.0, 2.5, 4.0, 1.0])
    gradient = cr.grad(lambda p: np.sum(call(np.maximum, "accumulate", p) - p))(price)
    np.testing.assert_array_equal(gradient, [0, 2, -1, -1, 1, -1])


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda v: call(np.subtract, "reduce", v), r"np\.subtract\.reduce.*np\.sum"),
        (lambda v: call(np.divide, "accumulate", v), r"np\.divide\.accumulate.*np\.cumsum"),
        (lambda v: call(np.add, "reduceat", v, [0, 2]), r"np\.add\.reduceat.*np\.stack"),
        (lambda v: call(np.add, "at", v, [0, 2], 1.0), r"np\.add\.at.*np\.where"),
        (lambda v: call(np.add, "reduce", v, out=(np.zeros(()),)), r"np\.add\.reduce\(\.\.\., out=\)"),
        (
            lambda v: call(np.maximum, "accumulate", v, dtype=np.float32),
            r"np\.maximum\.accumulate\(\.\.\., dtype=float32\)",
        ),
        (lambda v: call(np.maximum, "reduce", v, dtype=np.float32), r"dtype=float32.*astype"),
        (lambda v: call(np.matmul, "outer", v, v), r"np\.matmul\.outer"),
        (lambda v: call(np.multiply, "outer", v, v, dtype=np.float32), r"np\.multiply\.outer"),
    ],
)
def test_what_is_refused_is_named(f, says):
    with pytest.raises(UnsupportedError, match=says):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_a_running_sum_of_a_table_needs_its_axis():
    with pytest.raises(ValueError, match="one axis"):
        cr.grad(lambda m: np.sum(call(np.add, "accumulate", m, axis=None)))(M)
