"""Diagonals, traces, triangles, cross products: NumPy's value, shape and dtype, and the right gradient."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitives.diagonals import from_diagonal
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(3), RNG.standard_normal(3)
M, Q, TALL = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 3)), RNG.standard_normal((5, 2))
S, C = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((3, 4, 3))
D = RNG.standard_normal((2, 3, 2, 4))
WHOLE = np.arange(9).reshape(3, 3)

CALLS = {
    "diagonal": (lambda m: np.diagonal(m), M),
    "diagonal above": (lambda m: np.diagonal(m, 2), M),
    "diagonal below": (lambda m: np.diagonal(m, offset=-1), M),
    "diagonal of a tall matrix": (lambda m: np.diagonal(m, -2), TALL),
    "diagonal that is not there": (lambda m: np.diagonal(m, 5), M),
    "diagonal of a stack": (lambda s: np.diagonal(s, 0, 1, 2), S),
    "diagonal of the first axes": (lambda s: np.diagonal(s), S),
    "diagonal of axes from the end": (lambda s: np.diagonal(s, 1, axis1=-1, axis2=0), S),
    "diagonal of four axes": (lambda d: np.diagonal(d, -1, 3, 1), D),
    "diagonal in linalg": (lambda s: np.linalg.diagonal(s, offset=1), S),
    "diagonal of nothing": (lambda m: np.diagonal(m), M[:0]),
    "diag of a vector": (lambda v: np.diag(v), V),
    "diag of a vector above": (lambda v: np.diag(v, 2), V),
    "diag of a vector below": (lambda v: np.diag(v, k=-1), V),
    "diag of a matrix": (lambda m: np.diag(m), M),
    "diag of a matrix above": (lambda m: np.diag(m, 1), M),
    "diag of a diag": (lambda v: np.diag(np.diag(v, 1), 1) * v, V),
    "diag of one": (lambda v: np.diag(v), V[:1]),
    "diagflat": (lambda m: np.diagflat(m), M),
    "diagflat above": (lambda v: np.diagflat(v, 1), V),
    "trace": (lambda q: np.trace(q), Q),
    "trace of a wide matrix": (lambda m: np.trace(m, 1), M),
    "trace of a stack": (lambda s: np.trace(s, 0, 1, 2), S),
    "trace of axes": (lambda s: np.trace(s, offset=-1, axis1=2, axis2=0), S),
    "trace in its own dtype": (lambda q: np.trace(q, dtype=float), Q),
    "trace in linalg": (lambda s: np.linalg.trace(s, offset=1), S),
    "trace of a product": (lambda m: np.trace(m @ m.T), M),
    "trace of integers": (lambda w: np.trace(w), WHOLE.astype(np.int8)),
    "trace of truths": (lambda w: np.trace(w), WHOLE > 3),
    "tril": (lambda m: np.tril(m), M),
    "tril above": (lambda m: np.tril(m, 1), M),
    "tril below": (lambda m: np.tril(m, k=-1), TALL),
    "tril of a stack": (lambda s: np.tril(s), S),
    "tril of a vector": (lambda v: np.tril(v), V),
    "triu": (lambda m: np.triu(m), M),
    "triu above": (lambda m: np.triu(m, 2), M),
    "triu below": (lambda m: np.triu(m, -1), TALL),
    "triu of a stack": (lambda s: np.triu(s, 1), S),
    "triu of a vector": (lambda v: np.triu(v, 1), V),
    "triangles of integers": (lambda w: np.tril(w) + np.triu(w, 1), WHOLE),
    "the lower entries": (lambda q: q[np.tril_indices_from(q)], Q),
    "the upper entries": (lambda m: m[np.triu_indices_from(m, 1)], M),
    "the entries on the diagonal": (lambda q: q[np.diag_indices_from(q)] ** 2, Q),
    "float32": (lambda q: np.tril(np.diag(np.diagonal(q))) * np.trace(q), Q.astype(np.float32)),
    "cross": (lambda v, w: np.cross(v, w), V, W),
    "cross of rows": (lambda c: np.cross(c, c[:, ::-1] * 2), C),
    "cross of a vector and rows": (lambda v, c: np.cross(v, c) + np.cross(c, v), V, C),
    "cross along an axis": (lambda c, q: np.cross(c, c * c, axis=0), C, Q),
    "cross of axes": (lambda c, q: np.cross(c, q, axisa=0, axisb=1, axisc=0), C[:, :3, :1], Q),
    "cross in linalg": (lambda c: np.linalg.cross(c, c[::-1], axis=-1), C),
    "cross with a constant": (lambda v: np.cross(v, W) + np.cross([1.0, 2.0, 3.0], v), V),
    "cross with integers": (lambda v: np.cross(v, WHOLE), V),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_call(name):
    f, *arrays = CALLS[name]
    assert_traced_as_numpy(f, *arrays, rtol=1e-6 if name == "float32" else 1e-14)


def test_what_comes_back_to_a_diagonal_is_written_as_a_diagonal():
    text = cr.source(cr.grad(lambda Q: np.sum(np.diag(Q) ** 2)), Q)
    assert "np.diag(2 * np.diagonal(Q))" in text


def test_the_derivative_of_a_cross_product_is_a_cross_product():
    text = cr.source(cr.grad(lambda a, b, w: np.sum(np.cross(a, b) * w), wrt=(0, 1)), V, W, V)
    assert "np.cross(b, w)" in text
    assert "np.cross(w, a)" in text


def test_one_program_serves_every_size():
    staged = cr.jit(cr.grad(lambda A: np.sum(np.log(np.diag(A))) + np.trace(np.tril(A, -1) @ A)))
    for n in (3, 5, 20):
        a = np.random.default_rng(n).uniform(1, 2, (n, n))
        below = np.tril(a, -1)  # tr(L A) with L below the diagonal: its entries meet those of A above it
        want = np.diag(1 / np.diag(a)) + np.triu(below.T, 1) + np.tril(a.T, -1)
        np.testing.assert_allclose(staged(a), want, rtol=1e-12)


def test_a_diagonal_of_a_wide_matrix_serves_every_wide_matrix():
    staged = cr.jit(cr.grad(lambda A: np.sum(np.diagonal(A) ** 2)))
    for shape in ((3, 4), (5, 9), (4, 3), (3, 3)):
        a = np.random.default_rng(0).standard_normal(shape)
        want = np.zeros(shape)
        np.fill_diagonal(want, 2 * np.diagonal(a))
        np.testing.assert_allclose(staged(a), want)


def test_what_puts_back_runs_alone():
    names = {"np": np}
    exec(inspect.getsource(from_diagonal), names)  # our own text, as emitted source will hold it
    y = RNG.standard_normal((2, 3))
    np.testing.assert_array_equal(np.diagonal(names["from_diagonal"](y, -2, 5, 4), -2, -2, -1), y)


REFUSED = {
    "diagonal of a vector": (lambda m: np.diagonal(m[0]), ShapeError, "two axes"),
    "diagonal of one axis twice": (lambda m: np.diagonal(m, 0, 1, 1), ShapeError, "axes 1 and 1"),
    "diagonal of axes that are not there": (lambda m: np.diagonal(m, 0, 1, 2), ShapeError, "axes 1 and 2"),
    "diag of a stack": (lambda m: np.diag(m[None]), ShapeError, "vector or a matrix"),
    "trace into an array": (lambda m: np.trace(m, out=np.zeros(())), UnsupportedError, "out="),
    "trace in another dtype": (lambda m: np.trace(m, dtype=np.float32), UnsupportedError, "dtype="),
    "positions in a stack": (lambda m: m[None][np.tril_indices_from(m[None])], ShapeError, "takes a matrix"),
    "positions on the diagonal of a wide matrix": (lambda m: m[np.diag_indices_from(m)], ShapeError, "one size"),
    "tril of a number": (lambda m: np.tril(m[0, 0]), ShapeError, "scalar"),
    "cross in two dimensions": (lambda m: np.cross(m[:, :2], m[:, :2]), UnsupportedError, "3 dimensions"),
    "cross along an axis that is not there": (lambda m: np.cross(m[:, :3], m[:, :3], axis=2), ShapeError, "axis 2"),
    "cross to an axis that is not there": (lambda m: np.cross(m[:, :3], m[:, :3], axisc=2), ShapeError, "axisc 2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    f, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        cr.grad(lambda m: np.sum(f(m)))(M)


def test_against_torch():
    torch = pytest.importorskip("torch", reason="a second implementation to compare with")
    pairs = {
        "tril": (lambda q: np.tril(q, -1), lambda q: torch.tril(q, -1)),
        "diag": (lambda q: np.diag(q[0], 1), lambda q: torch.diag(q[0], 1)),
        "trace": (lambda q: np.trace(q), lambda q: torch.trace(q)),
        "cross": (lambda q: np.cross(q, q[::-1] ** 2), lambda q: torch.linalg.cross(q, torch.flip(q, (0,)) ** 2)),
    }
    for ours, theirs in pairs.values():
        tensor = torch.tensor(Q, requires_grad=True)
        torch.sin(theirs(tensor)).sum().backward()
        got = cr.grad(lambda q, ours=ours: np.sum(np.sin(ours(q))))(Q)
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-12, atol=1e-12)
