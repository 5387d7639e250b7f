"""eigh, svd, qr, pinv, lstsq: NumPy's value, shape and dtype, the right gradient, what equal values do; refusals by name."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitives.decompositions import qr_parts
from chainrule.primitives.spectral import EIGH, SVD, inverse_distances, singular_vectors
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 3)) + np.diag([0.0, 2.0, 5.0])
Y = A + A.T
S = RNG.standard_normal((2, 3, 3)) + np.diag([0.0, 2.0, 5.0])
TALL, WIDE = RNG.standard_normal((4, 2)), RNG.standard_normal((2, 4))
TALLS, WIDES = RNG.standard_normal((3, 4, 2)), RNG.standard_normal((3, 2, 4))
B, V = RNG.standard_normal((4, 3)), RNG.standard_normal(4)
WHOLE = np.array([[2, 1, 0], [1, 5, 1], [0, 1, 9]])
SMALL = A.astype(np.float32)


def together(parts):
    """All entries of several results, in one axis."""
    return np.concatenate([part.ravel() for part in parts])


CALLS = {
    "eigh": (lambda a: together(np.linalg.eigh(a)), A),
    "eigh by name": (lambda a: np.linalg.eigh(a).eigenvectors * np.linalg.eigh(a).eigenvalues, A),
    "eigh of a stack": (lambda s: together(np.linalg.eigh(s)), S),
    "eigh of the upper triangle": (lambda a: together(np.linalg.eigh(a, UPLO="U")), A),
    "eigh of a symmetric matrix": (lambda a: together(np.linalg.eigh(a @ a.T)), A),
    "eigh of integers": (lambda w: together(np.linalg.eigh(w)), WHOLE),
    "eigh of one": (lambda a: together(np.linalg.eigh(a[:1, :1])), A),
    "eigvalsh": (lambda a: np.linalg.eigvalsh(a), A),
    "eigvalsh of a stack": (lambda s: np.linalg.eigvalsh(s), S),
    "eigvalsh of the upper triangle": (lambda a: np.linalg.eigvalsh(a, "U"), A),
    "svd": (lambda a: together(np.linalg.svd(a)), A),
    "svd by name": (lambda a: np.linalg.svd(a).U * np.linalg.svd(a).S * np.linalg.svd(a).Vh, A),
    "svd of a tall matrix": (lambda a: together(np.linalg.svd(a, full_matrices=False)), TALL),
    "svd of a wide matrix": (lambda a: together(np.linalg.svd(a, full_matrices=False)), WIDE),
    "svd of a tall stack": (lambda a: together(np.linalg.svd(a, full_matrices=False)), TALLS),
    "svd of a wide stack": (lambda a: together(np.linalg.svd(a, full_matrices=False)), WIDES),
    "svd of one": (lambda a: together(np.linalg.svd(a[:1, :1])), A),
    "singular values": (lambda a: np.linalg.svd(a, compute_uv=False), TALL),
    "singular values of a wide stack": (lambda a: np.linalg.svdvals(a), WIDES),
    "cond": (lambda a: np.linalg.cond(a) + np.linalg.cond(a, 2) + np.linalg.cond(a, -2), TALL),
    "cond of a stack": (lambda s: np.linalg.cond(s), S),
    "qr": (lambda a: together(np.linalg.qr(a)), A),
    "qr by name": (lambda a: np.linalg.qr(a).Q - np.linalg.qr(a).R, A),
    "qr of a tall matrix": (lambda a: together(np.linalg.qr(a)), TALL),
    "qr of a wide matrix": (lambda a: together(np.linalg.qr(a)), WIDE),
    "qr of a stack": (lambda a: together(np.linalg.qr(a)), TALLS),
    "qr of a wide stack": (lambda a: together(np.linalg.qr(a, "reduced")), WIDES),
    "R alone": (lambda a: np.linalg.qr(a, mode="r"), TALL),
    "R alone of a wide matrix": (lambda a: np.linalg.qr(a, mode="r"), WIDE),
    "pinv": (lambda a: np.linalg.pinv(a), A),
    "pinv of a tall matrix": (lambda a: np.linalg.pinv(a), TALL),
    "pinv of a wide stack": (lambda a: np.linalg.pinv(a), WIDES),
    "pinv with a cut": (lambda a: np.linalg.pinv(a, 1e-10), TALL),
    "pinv with a relative cut": (lambda a: np.linalg.pinv(a, rtol=1e-10), TALL),
    "lstsq": (lambda a, v: np.linalg.lstsq(a, v)[0], TALL, V),
    "lstsq of columns": (lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0], TALL, B),
    "lstsq of a square matrix": (lambda a, b: np.linalg.lstsq(a, b, rcond=-1)[0], A, B[:3]),
    "lstsq of a wide matrix": (lambda a, b: np.linalg.lstsq(a, b, rcond=1e-10)[0], WIDE, B[:2]),
    "residuals": (lambda a, b: np.linalg.lstsq(a, b)[1], TALL, B),
    "residuals of a vector": (lambda a, v: np.linalg.lstsq(a, v)[1], TALL, V),
    "residuals of a wide matrix": (lambda a, b: np.linalg.lstsq(a, b)[1], WIDE, B[:2]),
    "rank": (
        lambda a, b: np.asarray(np.linalg.lstsq(a, b)[2]) if type(a) is np.ndarray else np.linalg.lstsq(a, b)[2],
        TALL,
        B,
    ),
    "singular values of lstsq": (lambda a, b: np.linalg.lstsq(a, b)[3], TALL, B),
    "float32": (lambda a: together(np.linalg.eigh(a)[:1]) + np.linalg.svd(a)[1] + np.linalg.qr(a)[1][0], SMALL),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_call(name):
    f, *arrays = CALLS[name]
    assert_traced_as_numpy(f, *arrays, rtol=1e-4 if name == "float32" else 1e-12)


@pytest.mark.parametrize("matrix", [np.eye(3), np.diag([1.0, 1.0, 2.0]), np.zeros((3, 3))])
def test_vectors_of_equal_values_have_no_derivative_and_say_so(matrix):
    def logarithm(
        a,
    ):  # its derivative at 1 is 1, but there the vectors' cotangent is 0: it cannot be seen that they are used
        w, v = np.linalg.eigh(a)
        return np.sum((v * np.log(w + 1 - matrix[0, 0])) @ v.T)

    assert np.any(np.isnan(cr.grad(logarithm)(matrix)))
    assert np.any(np.isnan(cr.jit(cr.grad(logarithm))(matrix)))
    assert np.any(np.isnan(cr.jvp(logarithm, (matrix,), (np.ones((3, 3)),))[1]))
    assert np.any(np.isnan(cr.grad(lambda a: np.sum(np.linalg.svd(a)[0][0]))(matrix)))


def test_the_sum_of_equal_eigenvalues_moves_with_the_trace():
    np.testing.assert_allclose(cr.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(np.eye(3)), np.eye(3), atol=1e-15)
    np.testing.assert_allclose(
        cr.grad(lambda a: np.sum(np.linalg.svd(a, compute_uv=False)))(np.eye(3)), np.eye(3), atol=1e-15
    )
    np.testing.assert_allclose(cr.grad(lambda a: np.sum(np.linalg.eigh(a)[0]))(np.eye(3)), np.eye(3), atol=1e-15)
    np.testing.assert_allclose(cr.grad(lambda a: np.sum(np.linalg.svd(a)[1]))(np.eye(3)), np.eye(3), atol=1e-15)


def test_nothing_is_decomposed_twice_in_what_is_written():
    text = cr.source(cr.grad(lambda a: np.sum(together(np.linalg.eigh(a)) ** 3)), A)
    assert text.count("np.linalg.eigh(") == text.count("np.linalg.eigvalsh(") == 1
    text = cr.source(cr.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 3)), A)
    assert text.count("np.linalg.eigh(") == text.count("np.linalg.eigvalsh(") == 1
    text = cr.source(cr.grad(lambda a: np.sum(together(np.linalg.svd(a)) ** 3)), A)
    assert text.count("= singular_vectors(") == text.count("compute_uv=False") == 1


@pytest.mark.parametrize("shared", [EIGH, SVD])
def test_nothing_is_decomposed_twice_while_tracing(shared, monkeypatch):
    calls = []
    plain = shared.compute
    monkeypatch.setattr(shared, "compute", lambda *args: calls.append(args) or plain(*args))
    cr.grad(lambda a: np.sum(together({EIGH: np.linalg.eigh, SVD: np.linalg.svd}[shared](a))))(A)
    assert len(calls) == 1
    assert shared.kept is None


@pytest.mark.parametrize("helper", [singular_vectors, qr_parts, inverse_distances])
def test_a_helper_runs_alone(helper):
    names = {"np": np}
    exec(inspect.getsource(helper), names)  # our own text, as emitted source will hold it
    for x in (S, A):
        np.testing.assert_array_equal(names[helper.__name__](x), helper(x))


@pytest.mark.parametrize("decompose", [np.linalg.eigh, np.linalg.svd, np.linalg.qr])
def test_the_result_has_numpys_names(decompose):
    kinds = []
    cr.vjp(lambda a: kinds.append(decompose(a)) or kinds[0][0], A)
    assert type(kinds[0]) is type(decompose(A))
    assert kinds[0]._fields == decompose(A)._fields


def test_second_derivatives():
    def f(a):
        w, v = np.linalg.eigh(a @ a.T)
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        q, r = np.linalg.qr(a)
        return (
            np.sum(w**2)
            + np.sum(v[0] ** 4)
            + np.sum((u * s) @ vh)
            + np.sum(q**3)
            + np.sum(np.cos(r))
            + np.sum(np.linalg.pinv(a) ** 3)
        )

    step = 1e-5
    got = cr.hessian(f)(A).reshape(9, 9)
    moves = np.eye(9).reshape(9, 3, 3)
    want = [(cr.grad(f)(A + step * m) - cr.grad(f)(A - step * m)).ravel() / (2 * step) for m in moves]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_one_program_serves_every_size():
    def f(a):
        w, v = np.linalg.eigh(a @ a.T)
        return np.sum(np.log(w)) + np.sum(v[0] ** 2 * w)

    staged = cr.jit(cr.grad(f))
    for n in (3, 4, 7):
        a = np.random.default_rng(n).standard_normal((n, n + 2))
        np.testing.assert_allclose(
            staged(a), 2 * np.linalg.pinv(a).T + 2 * np.outer(np.eye(n)[0], a[0]), rtol=1e-9, atol=1e-12
        )


def test_one_program_serves_every_tall_matrix_and_another_every_wide_one():
    staged = cr.jit(
        cr.grad(lambda a: np.sum(np.linalg.svd(a, full_matrices=False)[1] ** 2) + np.sum(np.linalg.qr(a)[1] ** 2))
    )
    for shape in ((5, 3), (8, 2), (3, 5), (2, 9), (4, 4)):
        a = np.random.default_rng(1).standard_normal(shape)
        np.testing.assert_allclose(staged(a), 4 * a, rtol=1e-10, atol=1e-12)


def test_a_fit_of_rank_below_full_has_no_residuals():
    flat = np.outer(np.arange(4.0), [1.0, 2.0])
    found = []
    cr.vjp(lambda a: found.append(np.linalg.lstsq(a, V)) or found[0][0], flat)
    want = np.linalg.lstsq(flat, V)
    assert found[0][1].shape == want[1].shape == (0,)
    assert found[0][2].value == want[2] == 1


REFUSED = {
    "full matrices": (lambda a: np.linalg.svd(a)[1], UnsupportedError, "full_matrices"),
    "hermitian svd": (lambda a: np.linalg.svd(a, hermitian=True)[1], UnsupportedError, "hermitian"),
    "complete qr": (lambda a: np.linalg.qr(a, mode="complete")[0], UnsupportedError, "mode='complete'"),
    "raw qr": (lambda a: np.linalg.qr(a, mode="raw")[0], UnsupportedError, "mode='raw'"),
    "eigh of a tall matrix": (lambda a: np.linalg.eigh(a)[0], ShapeError, "square"),
    "eigvalsh of a tall matrix": (lambda a: np.linalg.eigvalsh(a), ShapeError, "square"),
    "eigh of another triangle": (lambda a: np.linalg.eigh(a[:2], "X")[0], ValueError, "UPLO"),
    "svd of a vector": (lambda a: np.linalg.svd(a[0])[1], ShapeError, "matrices"),
    "qr of a vector": (lambda a: np.linalg.qr(a[0])[1], ShapeError, "matrices"),
    "pinv of a vector": (lambda a: np.linalg.pinv(a[0]), ShapeError, "matrices"),
    "hermitian pinv": (lambda a: np.linalg.pinv(a, hermitian=True), UnsupportedError, "hermitian"),
    "pinv with a cut for each": (lambda a: np.linalg.pinv(a, np.array([1e-3])), UnsupportedError, "rcond"),
    "pinv with NumPy's other cut": (lambda a: np.linalg.pinv(a, rtol=None), UnsupportedError, "rtol"),
    "lstsq of a stack": (lambda a: np.linalg.lstsq(a[None], V)[0], ShapeError, "takes a matrix"),
    "lstsq of rows that differ": (lambda a: np.linalg.lstsq(a, V[:3])[0], ShapeError, "differ in rows"),
    "cond in another norm": (lambda a: np.linalg.cond(a[:2], "fro"), UnsupportedError, "'fro'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    f, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        cr.vjp(f, TALL)
    with pytest.raises(error, match=words):
        cr.jit(f)(TALL)


def test_against_torch():
    torch = pytest.importorskip("torch", reason="a second implementation to compare with")
    pairs = {
        "eigenvalues": (lambda a: np.linalg.eigh(a @ a.T)[0], lambda a: torch.linalg.eigh(a @ a.T)[0]),
        "eigenvectors": (lambda a: np.linalg.eigh(a @ a.T)[1] ** 2, lambda a: torch.linalg.eigh(a @ a.T)[1] ** 2),
        "singular values": (lambda a: np.linalg.svd(a)[1], lambda a: torch.linalg.svd(a)[1]),
        "singular vectors": (
            lambda a: np.linalg.svd(a[:, :2], full_matrices=False)[0] ** 2,
            lambda a: torch.linalg.svd(a[:, :2], full_matrices=False)[0] ** 2,
        ),
        "R": (lambda a: np.linalg.qr(a[:, :2])[1] ** 2, lambda a: torch.linalg.qr(a[:, :2])[1] ** 2),
        "pinv": (lambda a: np.linalg.pinv(a[:2]), lambda a: torch.linalg.pinv(a[:2])),
    }
    for ours, theirs in pairs.values():
        tensor = torch.tensor(A, requires_grad=True)
        torch.sin(theirs(tensor)).sum().backward()
        got = cr.grad(lambda a, ours=ours: np.sum(np.sin(ours(a))))(A)
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-10, atol=1e-11)
