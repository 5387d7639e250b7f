"""convolve, correlate and interp: value, shape, dtype, gradient, jit and source; refusals by name."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError, UnsupportedError
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal(7), RNG.standard_normal(3)
C, D = RNG.standard_normal(4), RNG.standard_normal(6)
ONE = RNG.standard_normal(1)
XP = np.array([-1.0, 0.25, 0.5, 2.0])
FP = RNG.standard_normal(4)
X = np.array([[-3.0, -0.5, 0.3], [0.45, 1.7, 2.5]])
Z = np.float64(0.4)
PAIRS = {
    "long and short": (A, B),
    "short and long": (B, A),
    "even": (D, C),
    "even swapped": (C, D),
    "one": (A, ONE),
    "equal": (C, FP),
}


@pytest.mark.parametrize(
    ("function", "mode", "pair"), list(itertools.product((np.convolve, np.correlate), ("full", "same", "valid"), PAIRS))
)
def test_every_mode_and_length(function, mode, pair):
    assert_traced_as_numpy(lambda a, v: function(a, v, mode=mode), *PAIRS[pair], rtol=1e-14)


CALLS = {
    "a convolution by default": (lambda a, v: np.convolve(a, v), A, B),
    "a correlation by default": (lambda a, v: np.correlate(a, v), A, B),
    "of one array": (lambda a: np.convolve(a, a, "same") + np.correlate(a, a, "same"), A),
    "with a plain filter": (lambda a: np.convolve(a, [0.25, 0.5, 0.25], "same"), A),
    "with a number": (lambda a, z: np.convolve(a, z), A, Z),
    "interp": (lambda x, xp, fp: np.interp(x, xp, fp), X, XP, FP),
    "interp of a number": (lambda x, xp, fp: np.interp(x, xp, fp), Z, XP, FP),
    "interp with plain knots": (lambda x: np.interp(x, [-1.0, 0.25, 0.5, 2.0], [1.0, 3.0, 2.0, 5.0]), X),
    "interp of plain points": (lambda fp: np.interp([-3.0, 0.3, 9.0], [-1.0, 0.25, 0.5, 2.0], fp), FP),
    "interp with sides": (lambda x, fp: np.interp(x, XP, fp, left=-7.0, right=9.0), X, FP),
    "interp with a traced side": (lambda x, z: np.interp(x, XP, FP, left=z), X, Z),
    "interp with one knot": (lambda x, fp: np.interp(x, [0.0], fp[:1], right=3.0), X, FP),
    "interp around": (lambda x, xp, fp: np.interp(x, xp, fp, period=4.0), X, np.array([0.1, 3.0, 1.1, 5.5]), FP),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=1e-14)


def test_float32():
    for function in (np.convolve, np.correlate):
        for mode in ("full", "same", "valid"):
            assert_traced_as_numpy(
                lambda a, v, f=function, m=mode: f(a, v, m), A.astype(np.float32), B.astype(np.float32), rtol=1e-6
            )
    assert_traced_as_numpy(lambda a, v: np.convolve(a, v), A.astype(np.float32), np.arange(3))
    assert_traced_as_numpy(lambda x, fp: np.interp(x, XP, fp), X.astype(np.float32), FP.astype(np.float32), rtol=1e-6)


def test_integers():
    i, j = np.arange(5), np.array([1, 2, 3])
    for function in (np.convolve, np.correlate):
        assert_traced_as_numpy(lambda a, v, f=function: f(a, v), i, j)
    assert_traced_as_numpy(lambda x: np.interp(x, [0, 3], [1, 2]), i, rtol=1e-15)


def test_a_point_on_a_knot_belongs_to_the_segment_that_begins_there():
    slopes = np.diff(FP) / np.diff(XP)
    value, gradient = cr.value_and_grad(lambda x: np.sum(np.interp(x, XP, FP)))(XP)
    assert value == np.sum(FP)
    np.testing.assert_allclose(gradient, [*slopes, 0.0])


def test_outside_nothing_depends_on_the_point():
    gradient = cr.grad(lambda x: np.sum(np.interp(x, XP, FP, left=0.0)))(np.array([-5.0, 8.0]))
    assert np.array_equal(gradient, [0.0, 0.0])
    assert np.array_equal(cr.grad(lambda f: np.interp(8.0, XP, f))(FP), [0, 0, 0, 1])
    assert np.array_equal(cr.grad(lambda f: np.interp(-8.0, XP, f))(FP), [1, 0, 0, 0])


def test_second_derivatives_of_interp():
    want = cr.hessian(lambda f: np.interp(0.3, XP, f) ** 2)(FP)
    weights = np.array([0.0, 0.8, 0.2, 0.0])
    np.testing.assert_allclose(want, 2 * np.outer(weights, weights), atol=1e-14)


def test_the_jacobian_of_a_convolution_is_toeplitz():
    jacobian = cr.jacobian(lambda a: np.convolve(a, B))(C)
    want = np.array([[B[n - k] if 0 <= n - k < 3 else 0.0 for k in range(4)] for n in range(6)])
    np.testing.assert_allclose(jacobian, want)


def test_one_program_serves_every_size():
    for mode in ("full", "same", "valid"):
        for function in (np.convolve, np.correlate):
            program = cr.jit(lambda a, v, f=function, m=mode: f(a, v, m))
            for n, m in ((7, 3), (4, 4), (9, 2), (2, 9)):
                a, v = RNG.standard_normal(n), RNG.standard_normal(m)
                np.testing.assert_allclose(program(a, v), function(a, v, mode), rtol=1e-13, atol=1e-13)
    program = cr.jit(lambda x, xp, fp: np.interp(x, xp, fp))
    for n, m in ((7, 3), (4, 4), (9, 2)):
        x, xp, fp = RNG.standard_normal(n), np.sort(RNG.standard_normal(m)), RNG.standard_normal(m)
        np.testing.assert_allclose(program(x, xp, fp), np.interp(x, xp, fp), rtol=1e-14)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda a: np.convolve(a, B, mode="all"), UnsupportedError, "mode='all'"),
        (lambda a: np.convolve(a, np.ones((2, 2))), ShapeError, "takes vectors"),
        (lambda a: np.correlate(a, np.ones(0)), ShapeError, "needs entries"),
        (lambda a: np.interp(a, XP, FP[:3]), ShapeError, "4 knots for 3 values"),
        (lambda a: np.interp(a, XP[None], FP), ShapeError, "vectors"),
        (lambda a: np.interp(a, XP, FP, period=0), ArgumentError, "period"),
        (lambda a: np.interp(a, XP, FP, period=a[0]), UnsupportedError, "traced period"),
        (lambda a: np.interp(a, XP, FP * 1j), UnsupportedError, "complex"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda a: np.sum(f(a)))(A)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    weights = RNG.standard_normal(5)
    a, v = torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)
    product = torch.nn.functional.conv1d(a[None, None], v[None, None])[0, 0]
    (torch.tensor(weights) * product).sum().backward()
    got = cr.grad(lambda a, v: np.sum(weights * np.correlate(a, v)), wrt=(0, 1))(A, B)
    np.testing.assert_allclose(got[0], a.grad.numpy(), rtol=1e-13)
    np.testing.assert_allclose(got[1], v.grad.numpy(), rtol=1e-13)
