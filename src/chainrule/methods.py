"""ndarray's methods on traced values: each is NumPy's function of the array.

The one idea: what `np.cumsum` does with a traced value, `x.cumsum()` does. What changes an array in place and is not an
assignment (`x.sort()`, `x.resize()`) is refused with the function that answers a new one.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from chainrule.primitives import reduction
from chainrule.primitives.linear_algebra import transpose
from chainrule.primitives.shaping import reshape
from chainrule.pytree import Recorder


class ArrayMethods(Recorder):
    """The methods of a traced value that it has in common with an array."""

    __slots__ = ()
    _function: Any

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise NotImplementedError

    def argmax(self, axis=None, out=None, *, keepdims=False):
        """As `np.argmax`."""
        return reduction.reduce(reduction.ARGMAX, self, axis, keepdims)

    def argmin(self, axis=None, out=None, *, keepdims=False):
        """As `np.argmin`."""
        return reduction.reduce(reduction.ARGMIN, self, axis, keepdims)

    def reshape(self, *shape, order="C", copy=None):
        """As `np.reshape`."""
        result = reshape(self, shape[0] if len(shape) == 1 else shape, order)
        return result.copy() if copy else result

    def ravel(self, order="C"):
        """As `np.ravel`."""
        return reshape(self, (-1,), order)

    def flatten(self, order="C"):
        """All entries in one axis, as a copy."""
        result = reshape(self, (-1,), order)
        result.fresh = True
        return result

    def transpose(self, *axes):
        """As `np.transpose`."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            return transpose(self, axes[0])
        return transpose(self, axes or None)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """As `np.astype`."""
        if casting != "unsafe" and not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"cannot cast from {self.dtype} to {np.dtype(dtype)} with casting={casting!r}")
        return self._function(np.astype, self, dtype, copy=copy)

    def clip(self, min=None, max=None, out=None, **kwargs):
        """As `np.clip`."""
        return self._function(np.clip, self, min, max, **({} if out is None else {"out": out}), **kwargs)

    def compress(self, condition, axis=None, out=None):
        """As `np.compress`."""
        return self._function(np.compress, condition, self, axis, **({} if out is None else {"out": out}))

    def conj(self):
        """Itself: traced values are real."""
        return +self  # type: ignore[operator]

    conjugate = conj

    def sort(self, axis=-1, kind=None, order=None) -> NoReturn:
        """Refused: it writes into the array."""
        self._refuse("x.sort(), which sorts in place,", "x = np.sort(x)")

    def partition(self, kth, axis=-1, kind="introselect", order=None) -> NoReturn:
        """Refused: it writes into the array."""
        self._refuse("x.partition(), which works in place,", "x = np.partition(x, k)")

    def put(self, indices, values, mode="raise") -> None:
        """As `np.put`."""
        self._function(np.put, self, indices, values, mode)

    def resize(self, *shape, refcheck=True) -> NoReturn:
        """Refused: it works in place."""
        self._refuse("x.resize(), which works in place,", "x = x.reshape(...)")

    def item(self, *args):
        """One entry, still traced: a Python float is to NumPy what a float64 is."""
        if self.dtype != np.float64 or not all(isinstance(k, (int, np.integer)) for k in args):
            self._refuse(f"x.item() of {self.dtype}", "x itself, or x[i, j]")
        if not args and math.prod(self.variable.shape) != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        entries: Any = self
        return entries[args] if len(args) > 1 else self.reshape(-1)[args[0] if args else 0]

    def tolist(self):
        """The entries as nested lists: of numbers that are still traced."""
        if self.dtype != np.float64:
            self._refuse(f"x.tolist() of {self.dtype}", "list(x)")
        rows: Any = self
        return [v.tolist() for v in rows] if self.variable.shape else self

    def tobytes(self, order="C") -> NoReturn:
        """Refused: it would read the value."""
        self._refuse("x.tobytes()", "the plain result")


def _as_function(function, out_place: int | None = None):
    """ndarray's method of that name: NumPy's function of the array, with the same arguments after it."""

    def method(self, *args, **kwargs):
        if out_place is not None and len(args) > out_place:  # `out` by position
            kwargs["out"], args = args[out_place], (*args[:out_place], None, *args[out_place + 1 :])
        if kwargs.get("out", self) is None:
            del kwargs["out"]
        return self._function(function, self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"As `np.{function.__name__}`."
    return method


# ndarray's methods that are functions of the array, with the place of `out` among the arguments after the array
_METHODS = {
    "sum": 2, "mean": 2, "prod": 2, "var": 2, "std": 2, "max": 1, "min": 1, "any": 1, "all": 1, "cumsum": 2,
    "cumprod": 2, "dot": 1, "take": 2, "round": 1, "choose": 1, "repeat": None,
    "swapaxes": None, "squeeze": None, "diagonal": None, "argsort": None, "argpartition": None, "nonzero": None,
    "searchsorted": None,
}  # fmt: skip
for _name, _out_place in _METHODS.items():
    setattr(ArrayMethods, _name, _as_function(getattr(np, _name), _out_place))
