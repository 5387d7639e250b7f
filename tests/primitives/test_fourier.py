"""`np.fft` under a trace: parts, powers, filters and inverses against NumPy and differences; refusals by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError, UnsupportedError
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
EVEN, ODD = RNG.standard_normal(6), RNG.standard_normal(5)
M, N = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4))
S = RNG.standard_normal((2, 3, 4))
FILTER = RNG.standard_normal(4) + 1j * RNG.standard_normal(4)
Z = np.float64(0.7)


def parts(y):
    return np.stack([y.real, y.imag])


TRANSFORMS = {
    "rfft": (lambda x: np.fft.rfft(x), EVEN),
    "rfft of an odd length": (lambda x: np.fft.rfft(x), ODD),
    "rfft orthogonal": (lambda x: np.fft.rfft(x, norm="ortho"), EVEN),
    "rfft divided": (lambda x: np.fft.rfft(x, norm="forward"), ODD),
    "rfft along": (lambda m: np.fft.rfft(m, axis=0), M),
    "rfft with zeros": (lambda x: np.fft.rfft(x, 9), EVEN),
    "rfft cut": (lambda x: np.fft.rfft(x, n=3), EVEN),
    "fft": (lambda x: np.fft.fft(x), EVEN),
    "fft along": (lambda m: np.fft.fft(m, axis=0, norm="ortho"), M),
    "fft with zeros": (lambda m: np.fft.fft(m, 6), M),
    "ifft": (lambda x: np.fft.ifft(x), ODD),
    "ifft of an fft": (lambda x: np.fft.ifft(np.fft.fft(x) * np.arange(6), norm="forward"), EVEN),
    "fft of an fft": (lambda x: np.fft.fft(np.fft.fft(x)), ODD),
    "fft2": (lambda m: np.fft.fft2(m), M),
    "fft2 of three axes": (lambda s: np.fft.fft2(s), S),
    "ifft2": (lambda m: np.fft.ifft2(m, norm="ortho"), M),
    "fftn": (lambda s: np.fft.fftn(s), S),
    "fftn of some": (lambda s: np.fft.fftn(s, s=(3, 2), axes=(2, 0)), S),
    "ifftn": (lambda s: np.fft.ifftn(np.fft.fftn(s) ** 2), S),
    "rfft2": (lambda m: np.fft.rfft2(m), M),
    "rfftn": (lambda s: np.fft.rfftn(s, norm="forward"), S),
    "ihfft": (lambda x: np.fft.ihfft(x, norm="forward") + np.fft.ihfft(x, 6)[:3], ODD),
    "shifted": (lambda x: np.fft.fftshift(np.fft.fft(x)), ODD),
    # complex arithmetic
    "sums": (lambda x, z: 1 + np.fft.rfft(x) + z - (2j - np.fft.rfft(x) * z), EVEN, Z),
    "products": (lambda x, z: z * np.fft.rfft(x) * FILTER * 1j / (np.fft.rfft(x) + 3), EVEN, Z),
    "a filter on the left": (lambda x: FILTER * np.fft.rfft(x) + np.ones(4) * np.fft.rfft(x), EVEN),
    "quotients": (
        lambda x: 1 / (np.fft.rfft(x) + 4) + np.fft.rfft(x) / np.arange(1.0, 5.0) - np.fft.rfft(x) / FILTER,
        EVEN,
    ),
    "powers": (lambda x: np.fft.rfft(x) ** 2 + np.square(np.fft.rfft(x)) - (-np.fft.rfft(x)) ** 3, EVEN),
    "conjugates": (lambda x: np.conj(np.fft.rfft(x)) + np.fft.rfft(x).conj() * 2 + +np.fft.rfft(x).conjugate(), EVEN),
    "indices": (lambda m: np.fft.fft(m)[:, 1:3][0] + np.fft.fft(m)[1, :2], M),
    "sums over axes": (lambda m: np.fft.fft(m).sum(axis=0) + np.sum(np.fft.fft(m), axis=0) + np.fft.fft(m).mean(0), M),
    "shapes": (lambda m: np.fft.fft(m).T.reshape(2, 6) + np.reshape(np.transpose(np.fft.fft(m)), (2, -1)), M),
    "where": (lambda x: np.where([True, False, True, True], np.fft.rfft(x), 0.0), EVEN),
    "rolled": (lambda x: np.roll(np.fft.fft(x), 2)[::-1], EVEN),
    "ufuncs": (lambda x: np.add(np.fft.rfft(x), np.multiply(FILTER, np.subtract(np.fft.rfft(x), 2.0))), EVEN),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_both_parts(name):
    f, *args = TRANSFORMS[name]
    assert_traced_as_numpy(lambda *args: parts(f(*args)), *args, rtol=2e-14)


CALLS = {
    "power": (lambda x: np.abs(np.fft.rfft(x)) ** 2, EVEN),
    "power by parts": (lambda x: np.fft.fft(x).real ** 2 + np.imag(np.fft.fft(x)) ** 2 - np.real(np.fft.fft(x)), ODD),
    "amplitudes": (lambda x: abs(np.fft.rfft(x)), ODD),
    "phases": (lambda x: np.angle(np.fft.fft(x))[1:3] + np.angle(np.fft.fft(x), deg=True)[1:3], EVEN),
    "log power": (lambda m: np.log(np.abs(np.fft.rfft(m, axis=1)) ** 2 + 1e-3), M),
    "back and forth": (lambda x: np.fft.irfft(np.fft.rfft(x)), EVEN),
    "odd back and forth": (lambda x: np.fft.irfft(np.fft.rfft(x), n=5), ODD),
    "longer back": (lambda x: np.fft.irfft(np.fft.rfft(x), 9), EVEN),
    "shorter back": (lambda x: np.fft.irfft(np.fft.rfft(x), 4, norm="ortho"), EVEN),
    "filtered": (lambda x: np.fft.irfft(np.fft.rfft(x) * FILTER), EVEN),
    "irfft of real numbers": (lambda x: np.fft.irfft(x), ODD),
    "circular convolution": (lambda m, n: np.fft.irfft(np.fft.rfft(m) * np.fft.rfft(n)), M, N),
    "hfft": (lambda x: np.fft.hfft(x)[:6] + np.fft.hfft(np.fft.fft(x), 6, norm="ortho"), EVEN),
    "in two axes": (lambda m, n: np.fft.irfft2(np.fft.rfft2(m) * np.conj(np.fft.rfft2(n)), s=(3, 4)), M, N),
    "in all axes": (lambda s: np.fft.irfftn(np.fft.rfftn(s)), S),
    "real part of an inverse": (lambda m: np.fft.ifft2(np.fft.fft2(m) * 2).real, M),
    "fftshift": (lambda m: np.fft.fftshift(m), M),
    "ifftshift": (lambda m: np.fft.ifftshift(m, axes=0), M),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=2e-14)


@pytest.mark.parametrize(
    "f", [lambda x: parts(np.fft.rfft(x)), lambda x: np.fft.irfft(np.fft.rfft(x)), lambda x: parts(np.fft.fft(x))]
)
def test_float32_stays_float32(f):
    assert_traced_as_numpy(f, EVEN.astype(np.float32), rtol=1e-5)


def test_integers_are_transformed_as_floats():
    assert_traced_as_numpy(lambda i: np.abs(np.fft.rfft(i)), np.arange(6), rtol=1e-14)


def test_where_the_spectrum_is_zero_the_power_has_gradient_zero():
    x = np.ones(6)
    assert np.isfinite(cr.grad(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2))(x)).all()
    np.testing.assert_allclose(cr.grad(lambda x: np.abs(np.fft.rfft(x))[2] ** 2)(x), 0.0, atol=1e-14)


def test_parseval():
    np.testing.assert_allclose(
        cr.grad(lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2))(ODD), 2 * ODD, rtol=1e-14
    )


def test_the_second_derivative_of_the_power_is_constant():
    hessian = cr.hessian(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2))(ODD)
    np.testing.assert_allclose(hessian, 10 * np.eye(5), atol=1e-12)


def test_one_program_serves_every_size():
    for f in (
        lambda x: np.abs(np.fft.rfft(x)) ** 2,
        lambda x: np.fft.ifft(np.fft.fft(x) ** 2).real,
        lambda x: np.fft.irfft(np.fft.rfft(x)),
    ):
        program = cr.jit(f)
        for n in (6, 5, 2, 12):
            x = RNG.standard_normal(n)
            np.testing.assert_allclose(program(x), f(x), rtol=1e-12, atol=1e-12)
        gradient = cr.jit(cr.grad(lambda x, f=f: np.sum(f(x) ** 2)))
        for n in (6, 5, 2, 12):
            x = RNG.standard_normal(n)
            np.testing.assert_allclose(gradient(x), cr.grad(lambda x, f=f: np.sum(f(x) ** 2))(x), rtol=1e-10)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: np.exp(np.fft.fft(x)), UnsupportedError, r"np\.exp of a traced spectrum.*Y\.real"),
        (lambda x: np.fft.fft(x) ** 0.5, UnsupportedError, "power"),
        (lambda x: np.fft.fft(x) == 0, UnsupportedError, "comparison"),
        (lambda x: np.dot(np.fft.fft(x), x), UnsupportedError, r"np\.dot"),
        (lambda x: np.array(np.fft.fft(x)), UnsupportedError, "plain array"),
        (lambda x: np.fft.fft(x).cumsum(), UnsupportedError, "cumsum"),
        (lambda x: 1 if np.fft.fft(x) else 0, UnsupportedError, "truth value"),
        (lambda x: np.add.reduce(np.fft.fft(x)), UnsupportedError, r"np\.add\.reduce"),
        (lambda x: np.fft.rfft(np.fft.fft(x)), UnsupportedError, r"np\.fft\.rfft of a traced spectrum"),
        (lambda x: np.fft.rfft(x, norm="none"), UnsupportedError, "norm"),
        (lambda x: np.fft.fft(x, out=np.zeros(6, complex)), UnsupportedError, "out="),
        (lambda x: np.fft.irfft(np.fft.rfft(EVEN)[:4] * x[:4]), UnsupportedError, "complex128 met a traced value"),
        (lambda x: np.fft.hfft(x, out=np.zeros(10)), UnsupportedError, "hfft"),
        (lambda x: np.fft.ihfft(np.fft.fft(x)), UnsupportedError, r"np\.fft\.ihfft"),
        (lambda x: np.fft.rfft(x, n=0), ShapeError, "at least one"),
        (lambda x: np.fft.fftn(x, s=(2, 2), axes=(0,)), ShapeError, "lengths"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda x: f(x))(EVEN)


def test_a_spectrum_that_is_returned_is_refused():
    with pytest.raises(UnsupportedError):
        cr.jit(lambda x: np.fft.rfft(x))(EVEN)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    weights = RNG.standard_normal(4)
    x = torch.tensor(EVEN, requires_grad=True)
    (torch.tensor(weights) * torch.fft.rfft(x).abs() ** 2).sum().backward()
    got = cr.grad(lambda x: np.sum(weights * np.abs(np.fft.rfft(x)) ** 2))(EVEN)
    np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-12)
