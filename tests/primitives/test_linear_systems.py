"""solve, inv, determinants, Cholesky's factor: NumPy's value, shape and dtype, the right gradient, NumPy's own errors."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError, UnsupportedError
from chainrule.primitives.linear_systems import SLOGDET, cofactors
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((3, 3)) + 2 * np.eye(3), RNG.standard_normal((3, 2))
V = RNG.standard_normal(3)
S, T = RNG.standard_normal((2, 3, 3)) + 2 * np.eye(3), RNG.standard_normal((2, 3, 4))
DEEP = RNG.standard_normal((4, 1, 3, 3)) + 2 * np.eye(3)
X = RNG.standard_normal((3, 5))
P = X @ X.T + np.eye(3)
STACK = np.stack([P, 2 * P + np.eye(3)])
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
WHOLE = np.array([[2, 1], [1, 3]])
SMALL = A.astype(np.float32)

CALLS = {
    "solve of a vector": (lambda a, v: np.linalg.solve(a, v), A, V),
    "solve of a matrix": (lambda a, b: np.linalg.solve(a, b), A, B),
    "solve of stacks": (lambda s, t: np.linalg.solve(s, t), S, T),
    "solve of stacks that broadcast": (lambda s, t: np.linalg.solve(s, t), DEEP, T),
    "solve of one matrix for a stack": (lambda a, t: np.linalg.solve(a, t), A, T),
    "solve of a stack for one matrix": (lambda s, b: np.linalg.solve(s, b), S, B),
    "solve of a stack for a vector": (lambda s, v: np.linalg.solve(s, v), S, V),
    "solve with a constant matrix": (lambda v: np.linalg.solve(A, v), V),
    "solve with a constant right side": (lambda a: np.linalg.solve(a, V), A),
    "solve with a list": (lambda a: np.linalg.solve(a, [1.0, 2.0, 3.0]), A),
    "solve with a transposed matrix": (lambda a, b: np.linalg.solve(a.T, b), A, B),
    "solve of integers": (lambda w, v: np.linalg.solve(w, v[:2]), WHOLE, V),
    "solve of one": (lambda a, v: np.linalg.solve(a[:1, :1], v[:1]), A, V),
    "inv": (lambda a: np.linalg.inv(a), A),
    "inv of a stack": (lambda s: np.linalg.inv(s), S),
    "inv of many axes": (lambda s: np.linalg.inv(s), DEEP),
    "inv of integers": (lambda w: np.linalg.inv(w), WHOLE),
    "inv of nothing": (lambda a: np.linalg.inv(a[:0, :0]), A),
    "det": (lambda a: np.linalg.det(a), A),
    "det of a stack": (lambda s: np.linalg.det(s), S),
    "det of a singular matrix": (lambda a: np.linalg.det(a), SINGULAR),
    "det of zeros": (lambda a: np.linalg.det(a), np.zeros((2, 2))),
    "det of one": (lambda a: np.linalg.det(a[:1, :1]), A),
    "slogdet": (lambda a: np.linalg.slogdet(a)[1], A),
    "slogdet by name": (lambda a: np.linalg.slogdet(a).logabsdet * np.linalg.slogdet(a).sign, A),
    "slogdet of a stack": (lambda s: np.linalg.slogdet(s)[1], S),
    "slogdet of a negative determinant": (lambda a: np.prod(np.stack(np.linalg.slogdet(-a))), A),
    "the determinant from slogdet": (
        lambda s: np.linalg.slogdet(s).sign * np.exp(np.linalg.slogdet(s).logabsdet),
        S * np.array([1.0, -1.0])[:, None, None],
    ),
    "cholesky": (lambda p: np.linalg.cholesky(p), P),
    "cholesky of a stack": (lambda p: np.linalg.cholesky(p), STACK),
    "cholesky of the upper triangle": (lambda p: np.linalg.cholesky(p, upper=True), P + np.tril(X[:, :3], -1)),
    "cholesky of a matrix that is symmetric below": (lambda p: np.linalg.cholesky(p), P + np.triu(X[:, :3], 1)),
    "cholesky of integers": (lambda w: np.linalg.cholesky(w), WHOLE),
    "cholesky of a product": (lambda x: np.linalg.cholesky(x @ x.T + np.eye(3)), X),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, 5), A),
    "matrix_power of a stack": (lambda s: np.linalg.matrix_power(s, 3), S),
    "matrix_power 0": (lambda a: np.linalg.matrix_power(a, 0) @ a, A),
    "matrix_power 0 of a stack": (lambda s: np.linalg.matrix_power(s, 0) + s, S),
    "matrix_power 1": (lambda a: np.linalg.matrix_power(a, 1) * 2, A),
    "matrix_power 2": (lambda a: np.linalg.matrix_power(a, np.int64(2)), A),
    "matrix_power -1": (lambda a: np.linalg.matrix_power(a, -1), A),
    "matrix_power -6": (lambda a: np.linalg.matrix_power(a, -6), A),
    "matrix_power of integers": (lambda w: np.linalg.matrix_power(w, 4), WHOLE),
    "tensorinv": (lambda a: np.linalg.tensorinv(a.reshape(2, 2, 4)), RNG.standard_normal((4, 4))),
    "tensorinv of one axis": (lambda a: np.linalg.tensorinv(a.reshape(4, 2, 2), ind=1), RNG.standard_normal((4, 4))),
    "tensorsolve": (lambda a, b: np.linalg.tensorsolve(a.reshape(2, 3, 6), b), RNG.standard_normal((6, 6)), B.T),
    "tensorsolve of axes": (
        lambda a, b: np.linalg.tensorsolve(a.reshape(2, 6, 3), b, axes=(1,)),
        RNG.standard_normal((6, 6)),
        B.T,
    ),
    "float32": (lambda a, v: np.linalg.solve(np.linalg.inv(a), v) * np.linalg.det(a), SMALL, V.astype(np.float32)),
    "float32 beside float64": (lambda a, v: np.linalg.solve(a, v), SMALL, V),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_call(name):
    f, *arrays = CALLS[name]
    assert_traced_as_numpy(f, *arrays, rtol=1e-4 if "float32" in name else 1e-12)


def likelihood(theta, X, y):
    """The negative log likelihood of a Gaussian process."""
    width, height, noise = np.exp(theta)
    d2 = np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)
    K = height * np.exp(-0.5 * d2 / width**2) + noise * np.eye(len(y))
    L = np.linalg.cholesky(K)
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return 0.5 * y @ alpha + np.sum(np.log(np.diag(L)))


def likelihood_by_slogdet(theta, X, y):
    width, height, noise = np.exp(theta)
    d2 = np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)
    K = height * np.exp(-0.5 * d2 / width**2) + noise * np.eye(len(y))
    sign, logdet = np.linalg.slogdet(K)
    return 0.5 * y @ np.linalg.solve(K, y) + 0.5 * sign * logdet


@pytest.mark.parametrize("f", [likelihood, likelihood_by_slogdet])
def test_the_likelihood_of_a_gaussian_process(f):
    theta = np.array([0.1, 0.2, -2.0])
    points = np.random.default_rng(3).standard_normal((40, 2))
    y = np.sin(points.sum(axis=1))
    width, height, noise = np.exp(theta)
    d2 = np.sum((points[:, None, :] - points[None, :, :]) ** 2, axis=-1)
    smooth = height * np.exp(-0.5 * d2 / width**2)
    inverse = np.linalg.inv(smooth + noise * np.eye(40))
    by_k = 0.5 * (inverse - np.outer(inverse @ y, inverse @ y))  # what every textbook says
    want = [np.sum(by_k * k) for k in (smooth * d2 / width**2, smooth, noise * np.eye(40))]
    np.testing.assert_allclose(cr.grad(f)(theta, points, y), want, rtol=1e-10)
    staged = cr.jit(cr.grad(f))
    np.testing.assert_allclose(staged(theta, points, y), want, rtol=1e-10)
    np.testing.assert_allclose(staged(theta, points[:9], y[:9]), cr.grad(f)(theta, points[:9], y[:9]), rtol=1e-10)
    report = cr.check(f, theta, points[:5], y[:5], wrt="theta")
    assert report, str(report)


def test_second_derivatives_of_the_likelihood():
    theta, points = np.array([0.1, 0.2, -1.0]), np.random.default_rng(3).standard_normal((6, 2))
    y = np.sin(points.sum(axis=1))
    got = cr.hessian(likelihood)(theta, points, y)
    step = 1e-5
    want = [
        (cr.grad(likelihood)(theta + step * e, points, y) - cr.grad(likelihood)(theta - step * e, points, y))
        / (2 * step)
        for e in np.eye(3)
    ]
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


def test_an_entry_above_the_diagonal_moves_no_cholesky_factor():
    gradient = cr.grad(lambda p: np.sum(np.linalg.cholesky(p)))(P)
    assert not np.any(np.triu(gradient, 1))
    assert np.all(np.tril(gradient, -1)[np.tril_indices(3, -1)])


def test_the_gradient_through_an_ill_conditioned_factor_keeps_its_digits():
    x = np.linspace(0, 1, 30)
    d2 = (x[:, None] - x) ** 2

    def f(noise):
        return np.sum(np.log(np.diag(np.linalg.cholesky(np.exp(-2 * d2) + noise * np.eye(30)))))

    k = (np.exp(-2 * d2) + 1e-8 * np.eye(30)).astype(np.longdouble)
    inverse = np.eye(30, dtype=np.longdouble)  # by elimination, with three digits more than we have
    for i in range(30):
        pivot = k[i, i]
        k[i], inverse[i] = k[i] / pivot, inverse[i] / pivot
        for j in set(range(30)) - {i}:
            factor = k[j, i]
            k[j], inverse[j] = k[j] - factor * k[i], inverse[j] - factor * inverse[i]
    assert cr.grad(f)(1e-8) == pytest.approx(float(np.trace(inverse)) / 2, rel=1e-6)


def test_slogdet_factors_once(monkeypatch):
    calls = []
    monkeypatch.setattr(SLOGDET, "compute", lambda a: calls.append(a) or np.linalg.slogdet(a))
    cr.grad(lambda a: np.prod(np.stack(np.linalg.slogdet(a))))(A)
    assert len(calls) == 1
    assert SLOGDET.kept is None


def test_slogdet_gives_numpys_named_result():
    results = []
    cr.vjp(lambda a: results.append(np.linalg.slogdet(a)) or results[0].logabsdet, A)
    assert type(results[0]) is type(np.linalg.slogdet(A))


def test_cofactors_run_alone_and_are_minors():
    names = {"np": np}
    exec(inspect.getsource(cofactors), names)  # our own text, as emitted source will hold it
    nearly = SINGULAR + 1e-14 * A
    for a in (A, SINGULAR, nearly, np.zeros((3, 3)), np.diag([1.0, 2.0, 0.0]), np.outer(V, V)):
        minors = [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(3)] for i in range(3)
        ]
        np.testing.assert_allclose(names["cofactors"](a), minors, atol=1e-13)


@pytest.mark.parametrize(
    "f", [np.linalg.inv, lambda a: np.linalg.solve(a, V), lambda a: np.linalg.cholesky(a - 10 * np.eye(3))]
)
def test_a_matrix_that_numpy_refuses_raises_numpys_error_with_the_line(f):
    with pytest.raises(np.linalg.LinAlgError, match="line"):
        cr.grad(lambda a: np.sum(f(a)))(SINGULAR)
    with pytest.raises(np.linalg.LinAlgError):
        cr.jit(lambda a: np.sum(f(a)))(SINGULAR)
    with pytest.raises(np.linalg.LinAlgError, match="line"):
        cr.hessian(lambda a: np.sum(f(a)))(SINGULAR)


def test_a_user_can_catch_it():
    def f(a):
        try:
            return np.sum(np.linalg.cholesky(a))
        except np.linalg.LinAlgError:
            return np.sum(np.linalg.cholesky(a + 10 * np.eye(3)))

    assert np.all(np.isfinite(cr.grad(f)(-P / 100)))


def test_one_matrix_solves_for_a_whole_jacobian():
    np.testing.assert_allclose(cr.jacobian(lambda v: np.linalg.solve(A, v))(V), np.linalg.inv(A), rtol=1e-12)


def test_one_program_serves_every_size():
    staged = cr.jit(cr.grad(lambda a, v: np.sum(np.linalg.solve(a, v) ** 2) + np.linalg.slogdet(a)[1]))
    for n in (3, 4, 10):
        a, v = np.random.default_rng(n).standard_normal((n, n)) + 4 * np.eye(n), np.ones(n)
        x = np.linalg.solve(a, v)
        want = -np.outer(np.linalg.solve(a.T, 2 * x), x) + np.linalg.inv(a).T
        np.testing.assert_allclose(staged(a, v), want, rtol=1e-11)


WIDE, HALF, LONG = X, A.astype(np.float16), A.astype(np.longdouble)
REFUSED = {
    "inv of a wide matrix": (np.linalg.inv, WIDE, ShapeError, "square"),
    "inv of a vector": (np.linalg.inv, V, ShapeError, "matrices"),
    "det of a wide matrix": (np.linalg.det, WIDE, ShapeError, "square"),
    "slogdet of a wide matrix": (lambda a: np.linalg.slogdet(a)[1], WIDE, ShapeError, "square"),
    "cholesky of a wide matrix": (np.linalg.cholesky, WIDE, ShapeError, "square"),
    "matrix_power of a wide matrix": (lambda a: np.linalg.matrix_power(a, 2), WIDE, ShapeError, "square"),
    "matrix_power of a half": (lambda a: np.linalg.matrix_power(a, 0.5), A, TypeError, "float"),
    "solve of a wide matrix": (lambda a: np.linalg.solve(a, V), WIDE, ShapeError, "square"),
    "solve of too many rows": (lambda a: np.linalg.solve(a, WIDE.T), A, ShapeError, "do not fit"),
    "solve of a number": (lambda a: np.linalg.solve(a, 1.0), A, ShapeError, "at least one axis"),
    "float16": (np.linalg.inv, HALF, TypeError, "float16"),
    "tensorsolve of another size": (lambda a: np.linalg.tensorsolve(a, V[:2]), A, ShapeError, "reshape"),
    "tensorinv of no axis": (lambda a: np.linalg.tensorinv(a, ind=0), A, ArgumentError, "ind"),
    "eig": (lambda a: np.linalg.eig(a)[0], A, UnsupportedError, "np.linalg.eigh"),
    "eigvals": (np.linalg.eigvals, A, UnsupportedError, "np.linalg.eigvalsh"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    f, a, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        cr.vjp(f, a)
    with pytest.raises(error, match=words):
        cr.jit(f)(a)


def test_against_torch():
    torch = pytest.importorskip("torch", reason="a second implementation to compare with")
    pairs = {
        "solve": (lambda a: np.linalg.solve(a, B), lambda a: torch.linalg.solve(a, torch.tensor(B))),
        "inv": (np.linalg.inv, torch.linalg.inv),
        "det": (np.linalg.det, torch.linalg.det),
        "slogdet": (lambda a: np.linalg.slogdet(a)[1], lambda a: torch.linalg.slogdet(a)[1]),
        "cholesky": (
            lambda a: np.linalg.cholesky(a @ a.T + np.eye(3)),
            lambda a: torch.linalg.cholesky(a @ a.T + torch.eye(3, dtype=a.dtype)),
        ),
        "matrix_power": (lambda a: np.linalg.matrix_power(a, -3), lambda a: torch.linalg.matrix_power(a, -3)),
    }
    for ours, theirs in pairs.values():
        tensor = torch.tensor(A, requires_grad=True)
        torch.sin(theirs(tensor)).sum().backward()
        got = cr.grad(lambda a, ours=ours: np.sum(np.sin(ours(a))))(A)
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-11, atol=1e-12)
