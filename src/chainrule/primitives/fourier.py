"""`np.fft` of traced values: real linear maps between an array and the real and imaginary parts of its spectrum.

The one idea: a spectrum is kept as its two parts, on a last axis of size 2. So a transform is a real matrix of cosines and sines,
and its reverse the transposed matrix: the transform in the other direction, with the other norm. A real signal has half a
spectrum, in which all but the ends stand for two entries; that is the factor in the transposes.

>>> rfft_parts(np.array([1.0, 0.0, 0.0, 0.0]), 0, "backward")
array([[1., 0.],
       [1., 0.],
       [1., 0.]])

What is handed back is a `ComplexPair`, of which the two parts are traced.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import Primitive, apply, handles, linear
from chainrule.primitives.complex_pairs import ComplexPair
from chainrule.primitives.selecting import array, one_axis
from chainrule.shapes import hint_of

OTHER = {"backward": "forward", "ortho": "ortho", "forward": "backward"}  # the norm of the transposed transform

# -- the transforms, as emitted source has them ------------------------------------------------------------------------


def rfft_parts(x, axis, norm):
    """The half spectrum of a real signal: real and imaginary parts on a last axis."""
    y = np.fft.rfft(x, axis=axis, norm=norm)
    return np.stack((y.real, y.imag), axis=-1)


def irfft_parts(p, n, axis, norm):
    """The real signal of length n that has this half spectrum, given in parts."""
    return np.fft.irfft(p[..., 0] + 1j * p[..., 1], n, axis=axis, norm=norm)


def rfft_transposed(p, n, axis, norm):
    """The transpose of `rfft_parts`: each entry of the half spectrum counts once."""
    once = np.full(p.shape[axis], 0.5, dtype=p.dtype)
    once[[0, -1] if n % 2 == 0 else [0]] = 1.0
    once = once.reshape((-1,) + (1,) * (p.ndim - 2 - axis))
    return np.fft.irfft(p[..., 0] * once + 1j * (p[..., 1] * once), n, axis=axis, norm=norm)


def irfft_transposed(x, axis, norm):
    """The transpose of `irfft_parts`: each entry of the half spectrum counts twice, but for the ends."""
    y = np.fft.rfft(x, axis=axis, norm=norm)
    twice = np.full(y.shape[axis], 2.0, dtype=x.dtype)
    twice[[0, -1] if x.shape[axis] % 2 == 0 else [0]] = 1.0
    twice = twice.reshape((-1,) + (1,) * (y.ndim - 1 - axis))
    return np.stack((y.real * twice, y.imag * twice), axis=-1)


def fft_parts(p, axis, inverse, norm):
    """The transform of a complex signal, or its inverse: parts to parts."""
    transform = np.fft.ifft if inverse else np.fft.fft
    y = transform(p[..., 0] + 1j * p[..., 1], axis=axis, norm=norm)
    return np.stack((y.real, y.imag), axis=-1)


# -- the primitives ----------------------------------------------------------------------------------------------------


def _half(x, axis, norm):
    return (*x.shape[:axis], x.shape[axis] // 2 + 1, *x.shape[axis + 1 :], 2)


def _whole(p, n, axis, norm):
    if hint_of(p.shape[axis]) != hint_of(n) // 2 + 1:
        raise ShapeError(f"a half spectrum of {hint_of(p.shape[axis])} entries is not of a signal of {hint_of(n)}")
    return (*p.shape[:axis], n, *p.shape[axis + 1 : -1])


def _real_signals(rng):
    r = rng.standard_normal
    return [((r(6),), (0, "backward")), ((r((2, 5)),), (1, "ortho")), ((r((4, 3)),), (0, "forward"))]


def _spectra(rng):
    r = rng.standard_normal
    return [
        ((r((4, 2)),), (6, 0, "backward")),
        ((r((2, 3, 2)),), (5, 1, "ortho")),
        ((r((3, 3, 2)),), (4, 0, "forward")),
    ]


def _primitive(function, transpose, shape_rule, param_names, samples, latex):
    return linear(
        function.__name__,
        function,
        (transpose,),
        shape_rule,
        param_names=param_names,
        samples=samples,
        complex_step="no",
        latex=latex,
        helper=f"chainrule.primitives.fourier:{function.__name__}",
    )


RFFT: Primitive = _primitive(
    rfft_parts,
    lambda y_bar, x, axis, norm: apply(RFFT_TRANSPOSED, y_bar, params=(x.shape[axis], axis, OTHER[norm])),
    _half,
    ("axis", "norm"),
    _real_signals,
    r"\mathcal{{F}} {0}",
)
RFFT_TRANSPOSED: Primitive = _primitive(
    rfft_transposed,
    lambda x_bar, p, n, axis, norm: apply(RFFT, x_bar, params=(axis, OTHER[norm])),
    _whole,
    ("n", "axis", "norm"),
    _spectra,
    r"\mathcal{{F}}^T {0}",
)
IRFFT: Primitive = _primitive(
    irfft_parts,
    lambda x_bar, p, n, axis, norm: apply(IRFFT_TRANSPOSED, x_bar, params=(axis, OTHER[norm])),
    _whole,
    ("n", "axis", "norm"),
    _spectra,
    r"\mathcal{{F}}^{{-1}} {0}",
)
IRFFT_TRANSPOSED: Primitive = _primitive(
    irfft_transposed,
    lambda p_bar, x, axis, norm: apply(IRFFT, p_bar, params=(x.shape[axis], axis, OTHER[norm])),
    _half,
    ("axis", "norm"),
    _real_signals,
    r"\mathcal{{F}}^{{-T}} {0}",
)
FFT: Primitive = _primitive(
    fft_parts,
    lambda y_bar, p, axis, inverse, norm: apply(FFT, y_bar, params=(axis, not inverse, OTHER[norm])),
    lambda p, axis, inverse, norm: p.shape,
    ("axis", "inverse", "norm"),
    lambda rng: [
        ((rng.standard_normal((5, 2)),), (0, False, "backward")),
        ((rng.standard_normal((3, 4, 2)),), (1, True, "ortho")),
        ((rng.standard_normal((3, 4, 2)),), (0, True, "backward")),
    ],
    r"\mathcal{{F}} {0}",
)

# -- what NumPy calls --------------------------------------------------------------------------------------------------


def _checked(name, out, norm):
    if out is not None:
        raise UnsupportedError(f"np.fft.{name}(..., out=) writes into an array; write y = np.fft.{name}(x)")
    norm = "backward" if norm is None else norm
    if norm not in OTHER:
        raise UnsupportedError(f"np.fft.{name}(..., norm={norm!r}): the norms are {', '.join(OTHER)}")
    return norm


def _floating(x):
    x = array(x)
    if x.dtype.kind == "f" and x.dtype != np.float16:
        return x
    return x.astype(np.float32 if x.dtype == np.float16 else np.float64)


def _of_length(x, n, axis):
    """Cut at the end, or with zeros there, to n entries along an axis."""
    if n is None:
        return x
    if n < 1:
        raise ShapeError(f"np.fft: {n} points along axis {axis}; there must be at least one")
    size = x.shape[axis]
    if n == size:
        return x
    if n < size:
        return x[(*(slice(None),) * axis, slice(None, n))]
    return np.pad(x, tuple((0, n - int(size) if place == axis else 0) for place in range(x.ndim)))


def _stacked(a):
    """The parts of a spectrum, or of a real signal, on a last axis."""
    if isinstance(a, ComplexPair):
        return np.stack((a.real, a.imag), axis=-1) if a.parts is None else a.parts
    x = array(a)
    if x.dtype.kind == "c":
        return np.stack((x.real, x.imag), axis=-1)
    x = _floating(x)
    return np.stack((x, np.zeros_like(x)), axis=-1)


def _pair(parts):
    return ComplexPair(parts=parts)


def _axes(s, axes, ndim):
    """The axes of a transform in several of them, and the length along each."""
    if axes is None:
        axes = range(ndim) if s is None else range(ndim - len(s), ndim)
    axes = [one_axis(axis, ndim) for axis in axes]
    lengths = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
    if len(lengths) != len(axes):
        raise ShapeError(f"np.fft: {len(lengths)} lengths for {len(axes)} axes")
    if not axes:
        raise UnsupportedError("np.fft over no axes: the array itself")
    return axes, lengths


@handles(np.fft.rfft)
def rfft(a, n=None, axis=-1, norm=None, out=None):
    """`np.fft.rfft`, as two traced parts."""
    norm = _checked("rfft", out, norm)
    x = _floating(a)
    axis = one_axis(axis, x.ndim)
    return _pair(apply(RFFT, _of_length(x, n, axis), params=(axis, norm)))


@handles(np.fft.irfft)
def irfft(a, n=None, axis=-1, norm=None, out=None):
    """`np.fft.irfft`: real again."""
    norm = _checked("irfft", out, norm)
    parts = _stacked(a)
    axis = one_axis(axis, parts.ndim - 1)
    n = 2 * (parts.shape[axis] - 1) if n is None else n
    return apply(IRFFT, _of_length(parts, n // 2 + 1, axis), params=(n, axis, norm))


@handles(np.fft.hfft)
def hfft(a, n=None, axis=-1, norm=None, out=None):
    """`np.fft.hfft`: the real spectrum of half a signal."""
    return irfft(np.conjugate(a), n, axis, OTHER[_checked("hfft", out, norm)])


@handles(np.fft.ihfft)
def ihfft(a, n=None, axis=-1, norm=None, out=None):
    """`np.fft.ihfft`: its inverse."""
    return rfft(a, n, axis, OTHER[_checked("ihfft", out, norm)]).conj()


def _complex(name, inverse):
    @handles(getattr(np.fft, name))
    def handler(a, n=None, axis=-1, norm=None, out=None):
        norm = _checked(name, out, norm)
        parts = _stacked(a)
        axis = one_axis(axis, parts.ndim - 1)
        return _pair(apply(FFT, _of_length(parts, n, axis), params=(axis, inverse, norm)))

    @handles(getattr(np.fft, f"{name}n"))
    def in_axes(a, s=None, axes=None, norm=None, out=None):
        norm = _checked(f"{name}n", out, norm)
        parts = _stacked(a)
        for axis, n in reversed(list(zip(*_axes(s, axes, parts.ndim - 1), strict=True))):
            parts = apply(FFT, _of_length(parts, n, axis), params=(axis, inverse, norm))
        return _pair(parts)

    @handles(getattr(np.fft, f"{name}2"))
    def in_two(a, s=None, axes=(-2, -1), norm=None, out=None):
        return in_axes(a, s, axes, norm, out)


_complex("fft", False)
_complex("ifft", True)


@handles(np.fft.rfftn)
def rfftn(a, s=None, axes=None, norm=None, out=None):
    """`np.fft.rfftn`: the last axis first, then the others."""
    norm = _checked("rfftn", out, norm)
    x = _floating(a)
    axes, lengths = _axes(s, axes, x.ndim)
    parts = apply(RFFT, _of_length(x, lengths[-1], axes[-1]), params=(axes[-1], norm))
    for axis, n in reversed(list(zip(axes[:-1], lengths[:-1], strict=True))):
        parts = apply(FFT, _of_length(parts, n, axis), params=(axis, False, norm))
    return _pair(parts)


@handles(np.fft.irfftn)
def irfftn(a, s=None, axes=None, norm=None, out=None):
    """`np.fft.irfftn`: the last axis last, to a real array."""
    norm = _checked("irfftn", out, norm)
    parts = _stacked(a)
    axes, lengths = _axes(s, axes, parts.ndim - 1)
    for axis, n in zip(axes[:-1], lengths[:-1], strict=True):
        parts = apply(FFT, _of_length(parts, n, axis), params=(axis, True, norm))
    n = 2 * (parts.shape[axes[-1]] - 1) if lengths[-1] is None else lengths[-1]
    return apply(IRFFT, _of_length(parts, n // 2 + 1, axes[-1]), params=(n, axes[-1], norm))


@handles(np.fft.rfft2)
def rfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    """`np.fft.rfft2`."""
    return rfftn(a, s, axes, norm, out)


@handles(np.fft.irfft2)
def irfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    """`np.fft.irfft2`."""
    return irfftn(a, s, axes, norm, out)


def _shifted(function, sign):
    @handles(function)
    def handler(x, axes=None):
        x = array(x)
        axes = tuple(range(x.ndim)) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
        places = [one_axis(axis, x.ndim) for axis in axes]
        return np.roll(x, [sign * (int(x.shape[axis]) // 2) for axis in places], places)


_shifted(np.fft.fftshift, 1)
_shifted(np.fft.ifftshift, -1)

FAMILY = (RFFT, RFFT_TRANSPOSED, IRFFT, IRFFT_TRANSPOSED, FFT)
