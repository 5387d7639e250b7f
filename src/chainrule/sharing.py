"""Who looks at which memory: a traced array and its views.

The one idea: nothing of NumPy's memory is kept while tracing, but what is a view of what must be known before anything is
written. An array that was just made is nobody else's (`tracer.fresh` is True); what the function did not make itself, its
arguments and views of them, is not to be written (False); an array and its views share a `Memory`, and each has its
`Share` of it: the steps by which it is read from the owner. Where nobody knows whether NumPy copies (a `reshape` is a view
of some arrays and a copy of others), the path is None.

This file never writes: `writes.py` does.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from chainrule.primitive import Primitive
from chainrule.primitives.control import HOLD, STOP_GRADIENT
from chainrule.primitives.indexing import ARRAY, INDEX
from chainrule.primitives.linear_algebra import TRANSPOSE
from chainrule.primitives.shaping import BROADCAST_TO, EXPAND_DIMS, RESHAPE, SQUEEZE
from chainrule.primitives.windows import WINDOWS
from chainrule.pytree import Recorder

VIEWS = frozenset((TRANSPOSE, RESHAPE, EXPAND_DIMS, SQUEEZE, BROADCAST_TO, STOP_GRADIENT, HOLD, INDEX, WINDOWS))
READ_ONLY = frozenset((BROADCAST_TO, STOP_GRADIENT, HOLD, WINDOWS))


class Memory:
    """What an array and its views share: the owner's variable, and everybody who looks at it."""

    __slots__ = ("limit", "members", "owner")

    def __init__(self, owner: tuple):
        self.owner = owner  # (trace, number, value, variable) of the owner, who may be gone
        self.members: list[weakref.ref] = []
        self.limit = 16

    def add(self, tracer: Any) -> None:
        """Note one more who looks at it."""
        if len(self.members) >= self.limit:
            self.members = [ref for ref in self.members if ref() is not None]
            self.limit = 16 + 2 * len(self.members)
        self.members.append(weakref.ref(tracer))

    def alive(self) -> list:
        """The tracers that still look at it."""
        found = [ref() for ref in self.members]
        return [t for t in found if t is not None and type(t.fresh) is Share and t.fresh.memory is self]


class Share(NamedTuple):
    """One tracer's part in a memory: the steps by which it is read from the owner; None where nobody knows."""

    memory: Memory
    path: tuple | None
    writable: bool = True


# -- who looks at what -------------------------------------------------------------------------------------------------


def share(view: Any, base: Any, primitive: Primitive, params: tuple) -> None:
    """Note that `view` was just recorded as `primitive` of `base`, which in NumPy is (or may be) a look at its memory."""
    if primitive is INDEX:
        template = params[0]
        if any(type(item) is tuple and item[0] == ARRAY for item in template):
            return  # an index with an array copies
        if not view.variable.shape and Ellipsis not in template:
            return  # a NumPy scalar
    if not isinstance(base, Recorder) or base.trace is not view.trace:
        view.fresh = False
        return
    if not base.variable.shape and is_scalar(base):
        return  # a scalar is copied into an array
    if base.fresh is False or not (base.variable.shape or is_array(base)):  # of a number there is no view
        view.fresh = False
        return
    step = (primitive, params) if _surely_a_view(primitive, base, view) else None
    _join(view, base, step, primitive not in READ_ONLY)


def _join(view: Any, base: Any, step: tuple | None, writable: bool) -> None:
    if base.fresh is True:
        memory = Memory((base.trace, base.number, base.value, base.variable))
        memory.add(base)
        base.fresh = Share(memory, ())
    memory, path, base_writable = base.fresh
    view.fresh = Share(memory, None if step is None or path is None else (*path, step), writable and base_writable)
    memory.add(view)


def note_looks(function: Any, result: Any, args: tuple, kwargs: dict) -> None:
    """Where NumPy's function may answer with a look at its argument's memory, and what we recorded does not say so."""
    parts: Any = result if type(result) in (list, tuple) else (result,)
    bases: Any = [a for a in (*args, *kwargs.values()) if isinstance(a, Recorder)]
    for part in parts:
        if not isinstance(part, Recorder) or type(part.fresh) is Share or not (part.variable.shape or is_array(part)):
            continue
        for base in bases:
            if base is part or base.dtype != part.dtype or _copies(function, base, args, kwargs):
                continue
            if not base.variable.shape and is_scalar(base):
                continue
            if base.fresh is False:
                _forbid(part)
            else:
                _join(part, base, None, part.fresh is True)  # neither is written while both are there
            break


def _forbid(tracer: Any) -> None:
    tracer.fresh = False


def _copies(function: Any, base: Any, args: tuple, kwargs: dict) -> bool:
    if function is np.astype or function is np.nan_to_num:
        return bool(kwargs.get("copy", True))
    if function is np.diag:
        return base.ndim == 1
    return function is np.einsum and sum(isinstance(a, (Recorder, np.ndarray)) for a in args) > 1


_LOOKS = [
    "transpose", "permute_dims", "matrix_transpose", "swapaxes", "moveaxis", "rollaxis", "expand_dims", "squeeze", "reshape",
    "ravel", "broadcast_to", "broadcast_arrays", "split", "array_split", "hsplit", "vsplit", "dsplit", "unstack", "flip",
    "fliplr", "flipud", "rot90", "atleast_1d", "atleast_2d", "atleast_3d", "real", "astype", "diagonal", "diag", "einsum",
    "nan_to_num", "real_if_close", "trim_zeros", "meshgrid",
]  # fmt: skip
# NumPy functions whose result may be a look at the memory of an argument; that of all others is a new array
LOOKS = frozenset(
    (
        *(getattr(np, name) for name in _LOOKS if hasattr(np, name)),
        np.linalg.matrix_transpose, np.linalg.diagonal, np.linalg.matrix_power, np.lib.stride_tricks.sliding_window_view,
    )
)  # fmt: skip


def _surely_a_view(primitive: Primitive, base: Any, view: Any) -> bool:
    """Whether NumPy never copies here: a reshape may, unless it only moves axes of size 1 or the array is one line."""
    if primitive is not RESHAPE:
        return True
    old, new = ([dim for dim in t.variable.shape if type(dim) is not int or dim != 1] for t in (base, view))
    return old == new or base.variable.ndim == 1


def innermost(tracer: Any) -> Any:
    """The plain value under all levels of tracing; None while staging."""
    value = tracer.value
    while isinstance(value, Recorder):
        value = value.value
    return value


def is_scalar(tracer: Any) -> bool:
    """Whether a traced value without axes is a number, which is never written; an array without axes is."""
    value = innermost(tracer)
    return tracer.variable.weak or (value is not None and not isinstance(value, np.ndarray))


def is_array(tracer: Any) -> bool:
    """Whether a traced value without axes is known to be an array."""
    return isinstance(innermost(tracer), np.ndarray)


def handle(tracer: Any, fresh: bool = False) -> Any:
    """The same traced value under a handle of its own: a write into one of them is not seen in the other."""
    return type(tracer)(tracer.trace, tracer.number, tracer.value, tracer.variable, fresh)


def apart(values: list, borrowed: Any) -> list:
    """Values with a handle of their own for each traced one that is among `borrowed`, or comes twice."""
    seen = {id(value) for value in borrowed}
    found = []
    for value in values:
        if isinstance(value, Recorder):
            value = handle(value) if id(value) in seen else value
            seen.add(id(value))
        found.append(value)
    return found
