"""`np.prod` and `np.nanprod`: NumPy's value, shape and dtype; a gradient that never divides, so that zeros are right."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitives.products import products_of_others
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V = RNG.standard_normal(4)
M, S = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)
MASK = M > -0.5
ZEROS = np.array([[1.5, 0.0, 2.0, -1.0], [0.0, 3.0, 0.0, 2.0], [0.5, 1.0, 2.0, 3.0]])  # one, two, none in a row
NAN = np.where(S > 1, np.nan, S)

CALLS = {
    "all": (lambda m: np.prod(m), M),
    "a vector": (lambda v: np.prod(v), V),
    "columns": (lambda m: np.prod(m, axis=0), M),
    "rows, kept": (lambda m: np.prod(m, axis=-1, keepdims=True), M),
    "two axes": (lambda s: np.prod(s, axis=(0, 2)), S),
    "two axes, kept": (lambda s: np.prod(s, (-1, 1), keepdims=True), S),
    "no axis": (lambda m: np.prod(m, axis=()), M),
    "a number": (lambda z: np.prod(z), Z),
    "zeros": (lambda m: np.prod(m, axis=1), ZEROS),
    "zeros of all": (lambda m: np.prod(m), ZEROS),
    "an axis of one": (lambda m: np.prod(m[:1], axis=0), M),
    "nothing": (lambda m: np.prod(m[:0], axis=0), M),
    "in its own dtype": (lambda m: np.prod(m, axis=0, dtype=np.float64), M),
    "a first factor": (lambda m: np.prod(m, axis=0, initial=2.5), M),
    "a traced first factor": (lambda m, z: np.prod(m, axis=0, initial=z), M, Z),
    "some": (lambda m: np.prod(m, axis=1, where=MASK), M),
    "some, by a row of truth values": (lambda m: np.prod(m, where=[True, False, True, True], axis=0), M),
    "some, and a first factor": (lambda m: np.prod(m, axis=0, where=m > 0, initial=0.5), M),
    "without NaN": (lambda s: np.nanprod(s, axis=1), NAN),
    "all without NaN": (lambda s: np.nanprod(s), NAN),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=1e-15 if "factor" in name else 0)  # which is multiplied first


@pytest.mark.parametrize("name", ["all", "columns", "two axes, kept", "a first factor", "some", "without NaN"])
def test_float32_is_as_in_numpy(name):
    f, *args = CALLS[name]
    assert_traced_as_numpy(f, *(np.asarray(a, dtype=np.float32)[()] for a in args), rtol=1e-6)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.uint64])
def test_whole_numbers_are_as_in_numpy(dtype):
    x = np.array([[3, 1, 2], [2, 5, 1]]).astype(dtype)
    for f in (
        lambda x: np.prod(x),
        lambda x: np.prod(x, axis=1, keepdims=True),
        lambda x: np.prod(x, axis=()),
        lambda x: np.nanprod(x, axis=0),
        lambda x: np.prod(x, axis=0, initial=3),
    ):
        assert_traced_as_numpy(f, x)


def test_two_zeros_leave_nothing_and_one_leaves_the_others():
    gradient = cr.grad(lambda m: np.sum(np.prod(m, axis=1)))(ZEROS)
    np.testing.assert_array_equal(gradient, [[0, -3, 0, 0], [0, 0, 0, 0], [6, 3, 1.5, 1]])
    two = cr.hessian(lambda v: np.prod(v))(ZEROS[1])
    want = np.zeros((4, 4))
    want[0, 2] = want[2, 0] = 6.0
    np.testing.assert_array_equal(two, want)


def test_products_of_others_by_leaving_out():
    for axes in ((0,), (1,), (0, 2), (2, 1), (0, 1, 2)):
        x = RNG.standard_normal((2, 3, 4))
        got = products_of_others(x, axes)
        for index in np.ndindex(x.shape):
            line = tuple(slice(None) if axis in axes else place for axis, place in enumerate(index))
            without = x.copy()
            without[index] = 1.0
            assert got[index] == pytest.approx(np.prod(without[line]), rel=1e-13)


def test_the_third_derivative():
    x = np.array([0.0, 2.0, 0.0, 3.0])

    def along(t):
        return np.prod(x + t * np.array([1.0, 1.0, 2.0, -1.0]))

    third = cr.grad(cr.grad(cr.grad(along)))(0.0)
    polynomial = np.poly1d([1.0])
    for root, slope in zip(x, (1.0, 1.0, 2.0, -1.0), strict=True):
        polynomial = polynomial * np.poly1d([slope, root])
    assert third == pytest.approx(np.polyder(polynomial, 3)(0.0), rel=1e-12)


def test_the_gradient_of_a_product_that_underflows():
    assert cr.grad(lambda x: np.prod(x))(np.array([1e-200, 1e-200, 1e200]))[2] == 0.0
    np.testing.assert_allclose(cr.grad(lambda x: np.prod(x))(np.array([1e-200, 1e-200, 1e200])), [1, 1, 0], rtol=1e-14)


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda v: np.prod(v, out=np.zeros(())), r"np\.prod.*out=.*y = np\.prod"),
        (lambda v: np.prod(v, dtype=np.float32), r"np\.prod\(\.\.\., dtype=float32\).*astype"),
        (lambda v: np.nanprod(v, dtype=int), r"np\.nanprod\(\.\.\., dtype=int64\)"),
    ],
)
def test_what_is_refused_is_named(f, says):
    with pytest.raises(UnsupportedError, match=says):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_a_first_factor_that_is_not_whole_is_refused_for_whole_numbers():
    with pytest.raises(UnsupportedError, match=r"np\.prod\(\.\.\., initial=\)"):
        cr.jit(lambda i: np.prod(i, initial=2.5))(np.arange(3))


def test_the_source_reads_as_one_would_write_it():
    assert "x.prod(axis=0)" in cr.source(cr.value_and_grad(lambda x: np.sum(np.prod(x, axis=0) ** 2)), M)


def test_as_torch_differentiates():
    torch = pytest.importorskip("torch", reason="torch is compared with where it is installed")
    x = torch.tensor(ZEROS, requires_grad=True)
    x.prod(dim=1).square().sum().backward()
    np.testing.assert_allclose(cr.grad(lambda m: np.sum(np.prod(m, axis=1) ** 2))(ZEROS), x.grad.numpy(), atol=1e-14)
    (x.prod() * 2).backward()
