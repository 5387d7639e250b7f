"""What writes into an array, as Python and NumPy ask for it: `y[i] = v`, `y += v`, `out=y`, `np.add.at(y, i, v)`.

The one idea: each is an operation that answers a new array, and `writes.py` lets everybody see it. An accumulator that is
a plain array, `total = np.zeros(3)` with `total += x * w`, cannot hold a traced value; where nothing but the user's own
local variable refers to it, the variable takes the new value instead, which is the same to everybody.
"""

from __future__ import annotations

import dis
import sys
from typing import Any, NoReturn

import numpy as np

from chainrule.frames import ENGINE
from chainrule.graphs import shapes_agree
from chainrule.places import user_frame
from chainrule.pytree import Recorder
from chainrule.sharing import innermost, is_array
from chainrule.writes import add_at, store, write


class InPlace(Recorder):
    """The writing half of a traced value."""

    __slots__ = ()
    _as_one: Any
    trace: Any

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise NotImplementedError

    def __setitem__(self, key, value) -> None:
        self._as_write(write, self, key, value)

    def __delitem__(self, key) -> NoReturn:
        raise ValueError("cannot delete array elements")

    def _as_write(self, function, target, *args) -> None:
        """Run what records the array after a write; it keeps the name of the array before."""
        name = target.variable.name
        start = len(target.trace.graph.equations)
        function(target, *args)
        trace = target.trace
        if trace.places:
            for equation in trace.graph.equations[start:]:
                trace.graph.variables[equation.output].name = None
            target.variable.name = name

    def fill(self, value) -> None:
        """As `y[...] = value`."""
        self[...] = value

    def _write(self, result):
        """In-place operators: scalars rebind, arrays are replaced for all who see them."""
        if result is NotImplemented:
            return result
        if not self.variable.shape and type(self.fresh) is bool and not is_array(self) and not self._may_be_an_array():
            return result
        return store(self, result, "an in-place operator on an array")

    def _may_be_an_array(self) -> bool:
        """Whether it is an argument without axes that is a number for one caller, an array for another."""
        return self.fresh is False and not self.variable.weak and innermost(self) is None

    def _into(self, ufunc, method, inputs, kwargs):
        """A ufunc with `out=`, as in `np.add(a, b, out=y)`, and `total += t` on a plain array."""
        name = f"np.{ufunc.__name__}"
        alone = method == "__call__" and len(kwargs) == 1 and inputs[0] is kwargs["out"][0]
        alone = alone and only_a_local_sees_it(kwargs)
        target: Any
        target, *more = kwargs["out"]
        rest = {key: value for key, value in kwargs.items() if key != "out"}
        if isinstance(target, InPlace) and not more and method == "__call__":
            mask = rest.pop("where", True)
            result = ufunc(*inputs, **rest)
            if not isinstance(result, InPlace):
                result = np.zeros_like(target, dtype=result.dtype) + result
            if mask is not True:
                kept: Any = target
                result = np.where(mask, result.astype(target.dtype), kept)
            return store(target, result, f"{name} with out= an array", stretch=True)
        if not alone:
            self._refuse(
                f"an in-place write ({name} with out=, or += on an array) of a traced value into a plain array",
                "x = x + t, which makes a new array, or make the array with np.zeros_like(x, shape=...) of a traced x",
            )
        shape, dtype = target.shape, target.dtype
        result = ufunc(*inputs)
        if not shapes_agree(result.variable.shape, shape) or not np.can_cast(result.dtype, dtype, "same_kind"):
            self._refuse(f"{name} in place that changes shape or dtype", "x = x + t, which makes a new array")
        return result if result.dtype == dtype else result.astype(dtype)

    def _add_at(self, ufunc, inputs):
        """`np.add.at(y, i, v)`, and `np.subtract.at`."""
        target, indices, values = inputs
        if not isinstance(target, InPlace):
            self._refuse(
                f"np.{ufunc.__name__}.at of a traced value into a plain array",
                "np.add.at on an array made with np.zeros_like(x, shape=...) of a traced x, or a one-hot matrix @ v",
            )
        if ufunc is np.subtract:
            values = np.negative(values)
        self._as_write(add_at, target, indices, values)

    def _function_into(self, function, handler, args, kwargs):
        """A function with `out=`: as exact as one without it, if the dtype is the same."""
        target = kwargs["out"]
        target = target[0] if isinstance(target, tuple) and len(target) == 1 else target
        name = f"np.{function.__name__}"
        if not isinstance(target, InPlace):
            self._refuse(f"{name} with out= a plain array", f"y = {name}(...)")
        result = self._as_one(handler, *args, **{key: value for key, value in kwargs.items() if key != "out"})
        if not isinstance(result, InPlace) or result.dtype != target.dtype:
            self._refuse(f"{name} with out= an array of another dtype", f"y = {name}(...)")
        return store(target, result, f"{name} with out= an array")


def _others(kwargs: dict) -> int:
    return sys.getrefcount(kwargs["out"][0])


class _Probe:
    """What `+=` on an array of a lone local variable looks like."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return _others(kwargs)


def _count_of_a_lone_local() -> int:
    buffer: Any = np.zeros(1)
    buffer += _Probe()
    return buffer


def only_a_local_sees_it(kwargs: dict) -> bool:
    """Whether `total += t` runs on an array that nothing but the user's local variable `total` refers to.

    Then to bind the variable to a new value is the same as to write into the array. Another name, a view, a container or
    a caller would hold a reference of its own.
    """
    array = kwargs["out"][0]
    if type(array) is not np.ndarray or array.base is not None:
        return False
    del array
    if _others(kwargs) > _count_of_a_lone_local():
        return False
    frame = user_frame(ENGINE)
    if frame is None or frame.f_code.co_code[frame.f_lasti] != dis.opmap["BINARY_OP"]:
        return False
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset > frame.f_lasti and instruction.opname != "CACHE":
            return instruction.opname.startswith("STORE_FAST")
    return False
