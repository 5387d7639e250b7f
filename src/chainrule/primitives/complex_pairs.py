"""`ComplexPair`: a complex array while it is traced, as two traced real ones.

The one idea: traced values are real, and a spectrum is used to become real again: `np.abs(Y) ** 2`, `Y.real`, `np.fft.irfft(Y * H)`.
On the way it is added, multiplied, conjugated, indexed and summed, each of which is a short formula in its two parts. What
has no such formula here is refused by name.

    Y = np.fft.rfft(x)          # Y.real and Y.imag are traced
    power = np.abs(Y) ** 2

A complex array of the user's may meet it, as a filter does.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.primitive import FUNCTIONS
from chainrule.pytree import Recorder


def refuse(what: str, instead: str = "it with Y.real and Y.imag, which are traced") -> NoReturn:
    """Raise for what has no formula in real and imaginary parts."""
    raise UnsupportedError(f"{what} of a traced spectrum cannot be traced; {place_text()}. Write {instead}.")


def parts_of(value: Any) -> tuple[Any, Any]:
    """Real and imaginary part; None for the imaginary part of what is real."""
    if isinstance(value, ComplexPair):
        return value.real, value.imag
    if isinstance(value, (list, tuple)):
        value = np.asarray(value)
    if isinstance(value, Recorder) or not np.iscomplexobj(value):
        return value, None
    return value.real, value.imag


def _unnamed(operation: Callable) -> Callable:
    """Take the user's name off the steps in between: it belongs to the result alone."""

    def wrapper(self, *args, **kwargs):
        trace = next((p.trace for p in (self.parts, self._real, self._imag) if isinstance(p, Recorder)), None)
        if trace is None or not trace.places:
            return operation(self, *args, **kwargs)
        start = len(trace.graph.equations)
        result = operation(self, *args, **kwargs)
        for equation in trace.graph.equations[start:]:
            if equation.output != getattr(result, "number", None):
                trace.graph.variables[equation.output].name = None
        return result

    return wrapper


def _plus(a, b):
    return b if a is None else a if b is None else a + b


def _minus(a, b):
    return None if a is None and b is None else -b if a is None else a if b is None else a - b


def _times(a, b):
    return None if a is None or b is None else a * b


def _paired(real, imag):
    return ComplexPair(real, np.zeros_like(real) if imag is None else imag)


def add(a, b):
    """The sum, part by part."""
    (ar, ai), (br, bi) = parts_of(a), parts_of(b)
    return _paired(ar + br, _plus(ai, bi))


def subtract(a, b):
    """The difference, part by part."""
    (ar, ai), (br, bi) = parts_of(a), parts_of(b)
    return _paired(ar - br, _minus(ai, bi))


def multiply(a, b):
    """(ar + i ai) (br + i bi)."""
    (ar, ai), (br, bi) = parts_of(a), parts_of(b)
    return _paired(_minus(ar * br, _times(ai, bi)), _plus(_times(ar, bi), _times(ai, br)))


def divide(a, b):
    """Times the conjugate, over the squared length."""
    br, bi = parts_of(b)
    if bi is None:
        ar, ai = parts_of(a)
        return _paired(ar / br, ai / br)
    above = multiply(a, ComplexPair(br, -bi))
    below = br * br + bi * bi
    return ComplexPair(above.real / below, above.imag / below)


def power(a, p):
    """The first few whole powers, as products."""
    if not isinstance(p, (int, float, np.integer)) or p not in (1, 2, 3, 4):
        refuse(f"the power {p!r}", "powers 1 to 4, or it with np.abs(Y) and np.angle(Y)")
    result = a
    for _ in range(int(p) - 1):
        result = multiply(result, a)
    return result


class ComplexPair:
    """Two traced real arrays of one shape that are a complex one together, or both in `parts`, on its last axis.

    From `parts` they are taken when they are asked for: so the name that the user gave belongs to both.
    """

    __slots__ = ("_imag", "_real", "parts")
    __array_priority__ = 1500
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, real: Any = None, imag: Any = None, parts: Any = None):
        self._real, self._imag, self.parts = real, imag, parts

    @property
    def real(self):
        """The real part."""
        if self._real is None:
            self._real = self.parts[..., 0]
        return self._real

    @property
    def imag(self):
        """The imaginary part."""
        if self._imag is None:
            self._imag = self.parts[..., 1]
        return self._imag

    @property
    def shape(self) -> tuple:
        """The axis lengths."""
        return self._real.shape if self.parts is None else self.parts.shape[:-1]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self):
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """The complex dtype."""
        return np.result_type((self._real if self.parts is None else self.parts).dtype, np.complex64)

    @property
    @_unnamed
    def T(self):  # noqa: N802 - NumPy's name
        """The axes reversed."""
        return ComplexPair(self.real.T, self.imag.T)

    def __repr__(self) -> str:
        return f"<traced spectrum of shape {self.shape}>"

    # -- arithmetic ------------------------------------------------------------------------------------------------
    @_unnamed
    def __add__(self, other):
        return add(self, other)

    __radd__ = __add__

    @_unnamed
    def __sub__(self, other):
        return subtract(self, other)

    @_unnamed
    def __rsub__(self, other):
        return subtract(other, self)

    @_unnamed
    def __mul__(self, other):
        return multiply(self, other)

    __rmul__ = __mul__

    @_unnamed
    def __truediv__(self, other):
        return divide(self, other)

    @_unnamed
    def __rtruediv__(self, other):
        return divide(other, self)

    @_unnamed
    def __pow__(self, p):
        return power(self, p)

    @_unnamed
    def __neg__(self):
        return ComplexPair(-self.real, -self.imag)

    @_unnamed
    def __pos__(self):
        return ComplexPair(+self.real, +self.imag)

    @_unnamed
    def __abs__(self):
        return np.hypot(self.real, self.imag)

    @_unnamed
    def conj(self):
        """The conjugate."""
        return ComplexPair(self.real, -self.imag)

    conjugate = conj

    # -- as an array -----------------------------------------------------------------------------------------------
    @_unnamed
    def __getitem__(self, key):
        return ComplexPair(self.real[key], self.imag[key])

    def __len__(self) -> int:
        return len(self.real)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    @_unnamed
    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        """As `np.sum`."""
        return ComplexPair(*(p.sum(axis, dtype, out, keepdims) for p in (self.real, self.imag)))

    @_unnamed
    def mean(self, axis=None, dtype=None, out=None, keepdims=False):
        """As `np.mean`."""
        return ComplexPair(*(p.mean(axis, dtype, out, keepdims) for p in (self.real, self.imag)))

    @_unnamed
    def reshape(self, *shape, order="C", copy=None):
        """As `np.reshape`."""
        return ComplexPair(*(p.reshape(*shape, order=order) for p in (self.real, self.imag)))

    def __getattr__(self, name: str):
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced spectrum has no attribute {name!r}")
        return refuse(f"x.{name}")

    # -- NumPy's hooks ---------------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        operation = UFUNCS_OF_PAIRS.get(ufunc)
        if operation is None or method != "__call__" or kwargs:
            refuse(f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else ""))
        return _unnamed(lambda self, *inputs: operation(*inputs))(self, *inputs)

    def __array_function__(self, function, types, args, kwargs):
        handler: Any = FUNCTIONS_OF_PAIRS.get(function)
        if function in ON_EACH_PART and isinstance(args[0], ComplexPair):
            handler = lambda z, *rest, **options: ComplexPair(  # noqa: E731
                *(function(part, *rest, **options) for part in (z.real, z.imag))
            )
        if handler is None:
            refuse(getattr(function, "__module__", "numpy").replace("numpy", "np") + "." + function.__name__)
        return _unnamed(lambda self: handler(*args, **kwargs))(self)

    # -- Python asks for a value -----------------------------------------------------------------------------------
    def __array__(self, dtype=None, copy=None):
        return refuse("a plain array")

    def __bool__(self) -> bool:
        return refuse("the truth value")

    def __complex__(self) -> NoReturn:
        refuse("complex()")

    def __eq__(self, other) -> NoReturn:  # type: ignore[override]
        refuse("a comparison")

    __ne__ = __eq__  # type: ignore[assignment]

    def __setitem__(self, key, value) -> NoReturn:
        refuse("a write into parts", "Y * mask, or np.where(mask, Y, 0)")


def _angle(z, deg=False):
    if not isinstance(z, ComplexPair):
        refuse("np.angle")
    angle = np.arctan2(z.imag, z.real)
    return angle * (180 / np.pi) if deg else angle


def _where(condition, a, b):
    (ar, ai), (br, bi) = parts_of(a), parts_of(b)
    return ComplexPair(
        np.where(condition, ar, br), np.where(condition, 0.0 if ai is None else ai, 0.0 if bi is None else bi)
    )


UFUNCS_OF_PAIRS: dict[np.ufunc, Callable] = {
    np.add: add,
    np.subtract: subtract,
    np.multiply: multiply,
    np.true_divide: divide,
    np.power: power,
    np.square: lambda z: multiply(z, z),
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.absolute: abs,
    np.conjugate: ComplexPair.conj,
}
ON_EACH_PART = frozenset(
    (
        np.sum, np.mean, np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.squeeze, np.expand_dims,
        np.broadcast_to, np.roll, np.flip, np.take, np.copy, np.fft.fftshift, np.fft.ifftshift,
    )
)  # fmt: skip
FUNCTIONS_OF_PAIRS: dict[Callable, Callable] = {
    np.real: lambda z: z.real,
    np.imag: lambda z: z.imag,
    np.angle: _angle,
    np.where: _where,
    np.shape: lambda z: z.shape,
    np.ndim: lambda z: z.ndim,
    np.iscomplexobj: lambda z: True,
}
for _name in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "irfft", "irfft2", "irfftn", "hfft"):
    _function = getattr(np.fft, _name)
    FUNCTIONS_OF_PAIRS[_function] = lambda *args, _function=_function, **kwargs: FUNCTIONS[_function](*args, **kwargs)
