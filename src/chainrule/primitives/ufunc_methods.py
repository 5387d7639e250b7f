"""The methods of ufuncs: `np.multiply.reduce(x)`, `np.add.accumulate(x)`, `np.subtract.outer(a, b)`.

The one idea: a method says in another way what a function of NumPy's says, with its own defaults (axis 0). Each is brought to
that function; a method that has none is refused with what to write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.primitives import cumulative, running
from chainrule.primitives.signatures import MISSING, as_array

REDUCTIONS: dict[np.ufunc, Callable] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.fmax: np.nanmax,
    np.fmin: np.nanmin,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
RUNNING: dict[np.ufunc, tuple] = {
    np.add: (cumulative.accumulate, cumulative.CUMSUM),
    np.multiply: (cumulative.accumulate, cumulative.CUMPROD),
    np.maximum: (running.running, running.RUNNING_MAX),
    np.minimum: (running.running, running.RUNNING_MIN),
}
INSTEAD = {
    "reduce": "the function itself in a loop, or np.sum, np.prod, np.max, np.min, np.all, np.any",
    "accumulate": "the function itself in a loop, or np.cumsum, np.cumprod, np.maximum.accumulate",
    "reduceat": "np.stack([np.sum(x[i:j]) for i, j in ...])",
    "at": "np.where(mask, x + v, x), or x + cr.nn.one_hot(i, len(x)).T @ v, which makes a new array",
    "outer": "the function of a[:, None] and b[None, :]",
}


def call_method(ufunc: np.ufunc, method: str, *inputs: Any, **arguments: Any) -> Any:
    """What `ufunc.method(*inputs, **arguments)` is, recorded; or UnsupportedError."""
    out = arguments.pop("out", None)
    name = f"np.{ufunc.__name__}.{method}"
    if out is not None and any(each is not None for each in (out if isinstance(out, tuple) else (out,))):
        raise _refused(f"{name}(..., out=)", f"y = {name}(x, axis=...), which makes a new array")
    if method == "reduce" and ufunc in REDUCTIONS:
        return _reduce(REDUCTIONS[ufunc], *inputs, **arguments)
    if method == "accumulate" and ufunc in RUNNING:
        function, primitive = RUNNING[ufunc]
        axis = arguments.get("axis", 0)
        if axis is None and as_array(inputs[0]).ndim != 1:
            raise ValueError(f"{name} runs along one axis: give it")
        return function(primitive, name, *inputs, 0 if axis is None else axis, arguments.get("dtype"), None)
    if method == "outer" and ufunc.nin == 2 and ufunc.nout == 1 and ufunc.signature is None and not arguments:
        a, b = map(as_array, inputs)
        return ufunc(np.expand_dims(a, tuple(range(a.ndim, a.ndim + b.ndim))) if b.ndim else a, b)
    raise _refused(name, INSTEAD.get(method, "the function itself"))


def _reduce(function: Callable, x: Any, axis=0, dtype=None, keepdims=False, initial=MISSING, where=True) -> Any:
    """`reduce` in the words of the function, whose arguments are left out where they say nothing."""
    arguments: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    if dtype is not None:
        if function not in (np.sum, np.prod) and np.dtype(dtype) != x.dtype:
            raise _refused(f"{function.__name__} with dtype={np.dtype(dtype)}", "x.astype(...) first")
        if function in (np.sum, np.prod):
            arguments["dtype"] = dtype
    if initial is not MISSING and initial is not None:
        arguments["initial"] = initial
    if where is not True:
        arguments["where"] = where
    return function(x, **arguments)


def _refused(what: str, instead: str) -> UnsupportedError:
    return UnsupportedError(f"{what} cannot be traced; {place_text()}. Write {instead}.")


FAMILY = ()
