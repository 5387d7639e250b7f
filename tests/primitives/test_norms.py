"""Norms of vectors and matrices of every order: NumPy's value, shape and dtype, and the right gradient; 0 at the kink."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitive import FUNCTIONS
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V = RNG.standard_normal(4)
M, S = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 3, 4))
Z = np.float64(-1.5)
INF = np.inf

VECTORS = {
    **{
        f"order {p}": (lambda v, p=p: np.linalg.norm(v, p), V)
        for p in (None, 2, 1, INF, -INF, 0, 3, 0.5, -1, -2.5, 2.0)
    },
    **{
        f"order {p} of rows": (lambda m, p=p: np.linalg.norm(m, p, axis=1, keepdims=True), M)
        for p in (None, 2, 1, INF, -INF, 0, 3, 1.5, -1)
    },
    "all of three axes": (lambda s: np.linalg.norm(s), S),
    "all of three axes, kept": (lambda s: np.linalg.norm(s, keepdims=True), S),
    "an axis of three": (lambda s: np.linalg.norm(s, axis=-2), S),
    "an axis in a tuple": (lambda s: np.linalg.norm(s, ord=1, axis=(0,)), S),
    "of a number": (lambda z: np.linalg.norm(z), Z),
    "normalised": (lambda m: m / np.linalg.norm(m, axis=1, keepdims=True), M),
    "vector_norm": (lambda m: np.linalg.vector_norm(m), M),
    "vector_norm of two axes": (lambda s: np.linalg.vector_norm(s, axis=(2, 0), keepdims=True), S),
    "vector_norm of three axes": (lambda s: np.linalg.vector_norm(s, axis=(0, 1, 2)), S),
    "vector_norm of order 3": (lambda s: np.linalg.vector_norm(s, axis=(0, 1), ord=3), S),
    "vector_norm of the largest": (lambda m: np.linalg.vector_norm(m, axis=0, ord=INF), M),
}
MATRICES = {
    **{f"matrix of order {p}": (lambda m, p=p: np.linalg.norm(m, p), M) for p in ("fro", "f", 1, -1, INF, -INF)},
    **{
        f"matrices of order {p}": (lambda s, p=p: np.linalg.norm(s, p, axis=(2, 0)), S)
        for p in (None, "fro", 1, -1, INF, -INF)
    },
    **{
        f"matrices of order {p}, kept": (lambda s, p=p: np.linalg.norm(s, p, axis=(-2, -1), keepdims=True), S)
        for p in ("fro", 1, INF)
    },
    "matrix_norm": (lambda s: np.linalg.matrix_norm(s), S),
    "matrix_norm of order 1": (lambda s: np.linalg.matrix_norm(s, ord=1, keepdims=True), S),
}
CALLS = {**VECTORS, **MATRICES}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=1e-15)


@pytest.mark.parametrize("name", CALLS)
def test_float32_is_as_in_numpy(name):
    f, x = CALLS[name]
    assert_traced_as_numpy(f, np.asarray(x, dtype=np.float32)[()], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_whole_numbers_become_float64(dtype):
    x = np.array([[3, -1, 0], [2, 5, 1]], dtype=dtype)
    for f in (np.linalg.norm, lambda x: np.linalg.norm(x, 1, axis=0), lambda x: np.linalg.norm(x, 0, axis=0)):
        assert_traced_as_numpy(lambda x, f=f: f(x), x)


def test_the_derivative_at_zero_is_zero():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for p in (None, 2, 1, 3, 1.5):
            for whole in (cr.grad, lambda f: cr.jit(cr.grad(f))):
                got = whole(lambda v, p=p: np.linalg.norm(v, p))(np.zeros(4))
                np.testing.assert_array_equal(got, np.zeros(4))
        rows = cr.grad(lambda m: np.sum(np.linalg.norm(m, axis=1)))(np.array([[0.0, 0.0], [3.0, 4.0]]))
        np.testing.assert_allclose(rows, [[0, 0], [0.6, 0.8]])
        np.testing.assert_array_equal(cr.grad(lambda m: np.linalg.norm(m))(np.zeros((2, 3))), np.zeros((2, 3)))


def test_the_hessian_of_the_length_is_the_projection():
    x = np.array([3.0, 0.0, 4.0])
    direction = x / 5
    want = (np.eye(3) - np.outer(direction, direction)) / 5
    np.testing.assert_allclose(cr.hessian(lambda v: np.linalg.norm(v))(x), want, atol=1e-15)


def test_equal_largest_entries_share():
    gradient = cr.grad(lambda v: np.linalg.norm(v, INF))(np.array([2.0, -2.0, 1.0]))
    np.testing.assert_array_equal(gradient, [0.5, -0.5, 0])


@pytest.mark.parametrize("order", [2, -2, "nuc"])
def test_norms_by_singular_values(order):
    if np.linalg.svd in FUNCTIONS:
        assert_traced_as_numpy(lambda m: np.linalg.norm(m, order), M, rtol=1e-14)
        assert_traced_as_numpy(lambda s: np.linalg.norm(s, order, axis=(2, 0), keepdims=True), S, rtol=1e-14)
    else:
        with pytest.raises(UnsupportedError, match=r"np\.linalg\.norm.*singular values.*fro"):
            cr.grad(lambda m: np.linalg.norm(m, order))(M)


@pytest.mark.parametrize(
    "f",
    [
        lambda m: np.linalg.norm(m, "fro", axis=0),
        lambda m: np.linalg.norm(m, 3),
        lambda m: np.linalg.norm(m, "other"),
        lambda m: np.linalg.norm(m[None], 2),
        lambda m: np.linalg.norm(m, axis=(0, 0)),
        lambda m: np.linalg.norm(m, axis=2),
        lambda m: np.linalg.norm(m[None], axis=(0, 1, 2)),
    ],
)
def test_what_is_an_error_in_numpy_is_one_here(f):
    with pytest.raises(ValueError):
        f(M)
    with pytest.raises(ValueError):
        cr.grad(lambda m: np.sum(f(m)))(M)


def test_a_traced_order_is_refused():
    with pytest.raises(UnsupportedError, match="traced order"):
        cr.grad(lambda v: np.linalg.norm(v, v[0]))(V)


def test_per_sample_gradients():
    def loss(w, x):
        return np.linalg.norm(x * w)

    x, w = RNG.standard_normal((6, 3, 4)), RNG.standard_normal(4)
    got = cr.per_sample_grad(loss, batched="x")(w, x)
    want = np.stack([cr.grad(loss)(w, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_the_source_reads_as_one_would_write_it():
    text = cr.source(cr.value_and_grad(lambda x: np.sum(np.linalg.norm(x, axis=1) ** 2)), M)
    assert "np.linalg.norm(x, axis=1)" in text


def test_as_torch_differentiates():
    torch = pytest.importorskip("torch", reason="torch is compared with where it is installed")
    for p in (1, 2, 3, 0.5, INF, -INF, -1):
        x = torch.tensor(M, requires_grad=True)
        torch.linalg.vector_norm(x, p, dim=1).square().sum().backward()
        got = cr.grad(lambda m, p=p: np.sum(np.linalg.norm(m, p, axis=1) ** 2))(M)
        np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-12, atol=1e-14)
    for p in ("fro", 1, -1, INF, -INF):
        x = torch.tensor(M, requires_grad=True)
        torch.linalg.matrix_norm(x, p).backward()
        got = cr.grad(lambda m, p=p: np.linalg.norm(m, p))(M)
        np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-12, atol=1e-14)
