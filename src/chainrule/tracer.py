"""`Tracer`: a value that records the NumPy calls made on it.

It implements `__array_ufunc__`, `__array_function__`, Python's operators and ndarray's methods, so that user code keeps
its own `import numpy as np`. What it cannot record it refuses by name and line, with what to write instead: `__array__`
raises, every unhandled NumPy function raises. Never a silent wrong answer.

Writes into arrays that the function itself made are followed through views and other names (`writes.py`), and refused
where they cannot be: into arguments, and into what may or may not share memory.
"""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import numpy as np

from chainrule.advice import instead
from chainrule.errors import ControlFlowError, UnsupportedError
from chainrule.frames import ENGINE, place_text
from chainrule.graphs import Variable
from chainrule.in_place import InPlace
from chainrule.methods import ArrayMethods
from chainrule.places import place_of, size_names, user_frame
from chainrule.primitive import FUNCTIONS, UFUNCS, Primitive, ufunc_dtype, weak_type
from chainrule.primitives import arithmetic, comparison, rounding, scipy_special, shaping
from chainrule.primitives.indexing import index
from chainrule.primitives.linear_algebra import MATMUL, matmul, swap_last, transpose
from chainrule.primitives.ufunc_methods import call_method
from chainrule.pytree import Recorder
from chainrule.shapes import SizeExpr
from chainrule.sharing import LOOKS, note_looks
from chainrule.sizes import Size
from chainrule.trace import Trace
from chainrule.writes import is_one_truth

_SCALARS = (int, float, np.generic)


class Tracer(InPlace, ArrayMethods):
    """A traced value: its trace, its variable's number and, in a concrete trace, its value."""

    __slots__ = ("__weakref__", "fresh", "level", "number", "trace", "value", "variable")
    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trace: Trace, number: int, value: Any, variable: Variable, fresh: bool):
        self.trace = trace
        self.level = trace.level
        self.number = number
        self.value = value
        self.variable = variable
        self.fresh = fresh  # who else sees its memory, and whether it can be written: `writes.py`

    # -- what an array knows of itself ---------------------------------------------------------------------------
    @property
    def shape(self) -> tuple:
        """The axis lengths: ints, or sizes while staging."""
        if self.value is not None:
            return getattr(self.value, "shape", ())
        scope = self.trace.scope
        if scope is None:
            return self.variable.shape
        shape = tuple(map(scope.resolve, self.variable.shape))
        if self.trace.places:
            self._name_sizes(shape)
        return tuple(Size(self.trace, dim) if isinstance(dim, SizeExpr) else dim for dim in shape)

    @shape.setter
    def shape(self, shape) -> None:
        self._refuse("x.shape = ..., which works in place,", "x = x.reshape(...)")

    def _name_sizes(self, shape: tuple) -> None:
        """`N = X.shape[0]` names the size N."""
        frame = user_frame(ENGINE)
        named = size_names(place_of(frame.f_code, frame.f_lasti)) if frame is not None else None
        if named is None:
            return
        axis, names = named
        dims = shape if axis is None else shape[axis : axis + 1 or None]
        for dim, name in zip(dims, names, strict=False):
            if isinstance(dim, SizeExpr) and dim.symbol is not None and name != "_":
                self.trace.scope.names.setdefault(dim.symbol, name)

    @property
    def dtype(self) -> np.dtype:
        """The dtype; of a Python scalar, NumPy's default for it."""
        return self.variable.dtype

    @dtype.setter
    def dtype(self, dtype) -> None:
        self._refuse("x.dtype = ..., which works in place,", "x = x.astype(...)")

    @property
    def weak(self) -> bool:
        """Whether it takes the dtype of what it meets, as a Python scalar does."""
        return self.variable.weak

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.variable.shape)

    @property
    def size(self):
        """The number of entries."""
        total = 1
        for dim in self.shape:
            total = total * dim
        return total

    @property
    def T(self):  # noqa: N802 - NumPy's name
        """The axes reversed."""
        return transpose(self)

    @property
    def mT(self):  # noqa: N802 - NumPy's name
        """The last two axes swapped."""
        return swap_last(self)

    @property
    def real(self):
        """Itself: traced values are real."""
        return self

    @property
    def imag(self):
        """Zeros: traced values are real."""
        return FUNCTIONS[np.imag](self)

    @property
    def itemsize(self) -> int:
        """The bytes of an entry."""
        return self.dtype.itemsize

    @property
    def nbytes(self):
        """The bytes of all entries."""
        return self.size * self.itemsize

    @property
    def flat(self) -> NoReturn:
        """Refused: an iterator would read values."""
        self._refuse("x.flat", "x.reshape(-1)")

    def __repr__(self) -> str:
        name = self.variable.name or f"%{self.number}"
        shape = self.trace.graph.spell_shape(self.variable.shape)
        value = "" if self.value is None else f" = {self.value!r}"
        return f"<traced {name} {self.dtype}{shape}{value}>"

    # -- NumPy's hooks -------------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        entry = UFUNCS.get(ufunc)
        if method != "__call__" or kwargs or entry is None:
            return self._unusual_ufunc(ufunc, method, inputs, kwargs, entry)
        if type(entry) is Primitive:
            if len(inputs) == 2:
                done = self.trace.quick_pair(entry, inputs[0], inputs[1], entry.default_params)
            else:
                done = self.trace.quick_one(entry, self, entry.default_params) if len(inputs) == 1 else None
            if done is not None:
                return done
            top: Recorder = self
            for x in inputs:
                if isinstance(x, Recorder) and x.level > top.level:
                    top = x
            return top.trace.record(entry, inputs, entry.default_params)
        return self._as_one(entry, *(np.asarray(x) if type(x) in (list, tuple) else x for x in inputs))

    def _as_one(self, handler, *args, **kwargs):
        """Run what may record several equations; the user's name belongs to the result alone."""
        trace = self.trace
        if not trace.places:
            return handler(*args, **kwargs)
        start = len(trace.graph.equations)
        result = handler(*args, **kwargs)
        for equation in trace.graph.equations[start:-1]:
            if equation.output != getattr(result, "number", None):
                trace.graph.variables[equation.output].name = None
        return result

    def _unusual_ufunc(self, ufunc, method, inputs, kwargs, entry):
        if entry is None and scipy_special.enter():  # SciPy was imported after us
            return self.__array_ufunc__(ufunc, method, *inputs, **kwargs)
        name = f"np.{ufunc.__name__}"
        if method == "at" and ufunc in (np.add, np.subtract):
            return self._add_at(ufunc, inputs)
        if kwargs.get("out"):
            return self._into(ufunc, method, inputs, kwargs)
        if method != "__call__":
            return self._as_one(call_method, ufunc, method, *inputs, **kwargs)
        if entry is None:
            self._refuse(name, instead(ufunc.__name__))
        if set(kwargs) == {"dtype"}:
            operands = [np.asarray(x) if type(x) in (list, tuple) else x for x in inputs]
            if ufunc_dtype(ufunc, tuple(map(weak_type, operands))) == np.dtype(kwargs["dtype"]):
                return self.__array_ufunc__(ufunc, method, *operands)
        return self._refuse(f"{name} with {', '.join(kwargs)}=", "np.where for a mask, .astype for a dtype")

    def __array_function__(self, function, types, args, kwargs):
        handler = FUNCTIONS.get(function)
        if handler is None:
            like = _LIKE.get(function)
            if like is not None and not any(isinstance(a, Recorder) for a in (*args, *kwargs.values())):
                return like(self, *args, **kwargs)
            name = getattr(function, "__module__", "numpy").replace("numpy", "np") + "." + function.__name__
            self._refuse(name, instead(function.__name__))
        target = kwargs.get("out")
        if target is not None:
            return self._function_into(function, handler, args, kwargs)
        result = self._as_one(handler, *args, **kwargs)
        if function in LOOKS:
            note_looks(function, result, args, kwargs)
        elif type(result) is Tracer:  # NumPy answers with a copy: nobody else sees its memory
            if any(result is a for a in args):
                return result.copy()
            result.fresh = True
        elif type(result) in (list, tuple):
            for part in result:
                if type(part) is Tracer:
                    part.fresh = True
        return result

    def _function(self, function, *args, **kwargs):
        """A NumPy function, as if it had been called by name."""
        return self.__array_function__(function, (), args, kwargs)

    def __array__(self, dtype=None, copy=None):
        if self.dtype.kind in "iu":
            labels = self.trace.labels
            if labels is not None:
                return labels.hand_out(self)
            return self._refuse(
                "turning a traced integer array into a plain array (indexing a plain array with it?)",
                "cr.nn.one_hot(y, k) @ table for table[y]",
            )
        return self._refuse(
            "turning a traced value into a plain array (np.array, np.asarray, np.full, a list of traced values)",
            "np.stack([...]) to build an array of traced values, a @ x for a.dot(x), x alone for np.asarray(x), and make an "
            "array that is written into with np.zeros_like(x, shape=...)",
        )

    def _refuse(self, what: str, instead: str) -> NoReturn:
        error = UnsupportedError(f"{what} cannot be traced; {place_text()}. Write {instead}.")
        self.trace.refusal = error
        raise error

    # -- Python asks for a value ---------------------------------------------------------------------------------
    def known_value(self, why: str) -> Any:
        """The plain value, in a trace of real values; refused with `why` while staging."""
        value = self.value
        while isinstance(value, Tracer):
            value = value.value
        if value is None:
            raise ControlFlowError(f"{why}; {place_text()}. The value is not known while staging (jit, source).")
        return value

    def __bool__(self) -> bool:
        return bool(
            self.known_value("Python asks whether a traced value is true (if, while, and, or); write np.where(...)")
        )

    def __float__(self) -> NoReturn:
        self._refuse(
            "float() of a traced value (asked for by float(), by math.exp and its kin, or by a[i] = x on a plain array)",
            "the value itself, np.exp for math.exp, np.stack([...]) for an array of traced values, and make an array that "
            "is written into with np.zeros_like(x, shape=...) of a traced x",
        )

    def __int__(self) -> NoReturn:
        self._refuse("int() of a traced value", "it with integers that are not computed from traced values")

    def __complex__(self) -> NoReturn:
        self._refuse("complex() of a traced value", "real arithmetic")

    def __index__(self) -> NoReturn:  # noqa: PLE0305 - it never returns
        if self.ndim and self.trace.labels is not None:
            # NumPy asks this first of table[y], then __array__, which decides
            raise UnsupportedError("an array with axes cannot be an index of a plain list; write np.take(x, i, axis)")
        self._refuse("using a traced value as an index of a plain list or array, or in range()", "np.take(x, i, axis)")

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a traced scalar")
        return operator.index(self.shape[0])

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a traced scalar")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item) -> bool:
        return bool(FUNCTIONS[np.any](self == item))

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return format(self.known_value("Python formats a traced value"), spec)

    def __round__(self, digits=None):
        if digits is None:  # a whole number of Python's
            self._refuse("round() of a traced value", "np.round(x): its derivative is zero")
        return self._function(np.round, self, digits)

    # -- writes --------------------------------------------------------------------------------------------------
    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return memo.setdefault(id(self), self.copy())

    def copy(self, order="C"):
        """A recorded copy."""
        if self.dtype.kind == "b":
            return self.trace.record(shaping.CONVERT, (self,), (self.dtype,))
        return +self  # type: ignore[operator]

    def __reduce__(self) -> NoReturn:
        self._refuse("pickling a traced value", "the plain result")

    # -- indexing and methods ------------------------------------------------------------------------------------
    def __getitem__(self, key):
        result = index(self, key)
        if type(key) is not int and type(key) is not slice and is_one_truth(key):
            result.fresh = True  # a copy, as with any mask
        return result

    def __getattr__(self, name: str):
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced value has no attribute {name!r}")
        raise UnsupportedError(f"x.{name} cannot be traced; {place_text()}. Write {instead(name)}.")


# -- operators -------------------------------------------------------------------------------------------------------


def _binary(primitive: Primitive, reverse: bool = False, params: tuple = ()):
    def method(self, other):
        done = self.trace.quick_pair(primitive, *((other, self) if reverse else (self, other)), params)
        if done is not None:
            return done
        kind = type(other)
        if kind is Tracer:
            top = other if other.level > self.level else self
            weak = self.variable.weak and other.variable.weak
        elif kind is np.ndarray:
            top, weak = self, False
        elif kind is float or kind is int or kind is bool or kind is Size:
            top, weak = self, self.variable.weak
            if kind is Size and other.level > self.level:
                top = other
        elif isinstance(other, (np.ndarray, np.generic)):
            top, weak = self, False
        elif kind is list or kind is tuple:
            top, other, weak = self, np.asarray(other), False
        elif kind is complex:
            self._refuse("a complex number", "it with real numbers")
        else:
            return NotImplemented
        return top.trace.record(primitive, (other, self) if reverse else (self, other), params, weak)

    return method


def _unary(primitive: Primitive):
    def method(self):
        done = self.trace.quick_one(primitive, self)
        if done is not None:
            return done
        return self.trace.record(primitive, (self,), (), self.variable.weak)

    return method


def _in_place(function):
    def method(self, other):
        return self._write(function(self, other))

    return method


def _matmul(self, other):
    if type(other) is Tracer and 0 < self.ndim <= 2 and 0 < other.ndim <= 2:
        done = self.trace.quick_pair(MATMUL, self, other)
        if done is not None:
            return done
    if type(other) in (list, tuple):
        other = np.asarray(other)
    return self._as_one(matmul, self, other) if hasattr(other, "ndim") else NotImplemented


def _rmatmul(self, other):
    if type(other) in (list, tuple):
        other = np.asarray(other)
    return self._as_one(matmul, other, self) if hasattr(other, "ndim") else NotImplemented


_LOGIC = {p.name: p for p in (*comparison.LOGIC, *comparison.TESTS)}
_BINARY = {
    "add": arithmetic.ADD,
    "sub": arithmetic.SUBTRACT,
    "mul": arithmetic.MULTIPLY,
    "truediv": arithmetic.DIVIDE,
    "pow": arithmetic.POWER,
    "mod": rounding.REMAINDER,
    "floordiv": rounding.FLOOR_DIVIDE,
    "and": _LOGIC["bitwise_and"],
    "or": _LOGIC["bitwise_or"],
    "xor": _LOGIC["bitwise_xor"],
}
for _name, _primitive in _BINARY.items():
    setattr(Tracer, f"__{_name}__", _binary(_primitive))
    setattr(Tracer, f"__r{_name}__", _binary(_primitive, reverse=True))
for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "floordiv", "and", "or", "xor"):
    setattr(Tracer, f"__i{_name}__", _in_place(getattr(operator, f"__{_name}__")))
for _name, _primitive in zip(("gt", "ge", "lt", "le", "eq", "ne"), comparison.COMPARISONS, strict=True):
    setattr(Tracer, f"__{_name}__", _binary(_primitive))
for _name, _primitive in (("neg", arithmetic.NEGATIVE), ("pos", arithmetic.POSITIVE), ("abs", arithmetic.ABS)):
    setattr(Tracer, f"__{_name}__", _unary(_primitive))


def _divmod(self, other):
    return self // other, self % other


def _rdivmod(self, other):
    return other // self, other % self


for _name, _method in (
    ("divmod", _divmod),
    ("rdivmod", _rdivmod),
    ("invert", _unary(_LOGIC["invert"])),
    ("matmul", _matmul),
    ("rmatmul", _rmatmul),
    ("imatmul", _in_place(operator.__matmul__)),
):
    setattr(Tracer, f"__{_name}__", _method)


# `np.zeros(3, like=x)`: an array that the function may write traced values into
_LIKE: Any = {
    np.zeros: lambda x, shape, dtype=float, order="C", *, device=None: np.zeros_like(x, dtype, shape=shape),
    np.ones: lambda x, shape, dtype=None, order="C", *, device=None: np.ones_like(x, dtype or float, shape=shape),
    np.empty: lambda x, shape, dtype=float, order="C", *, device=None: np.zeros_like(x, dtype, shape=shape),
    np.full: lambda x, shape, fill_value, dtype=None, order="C", *, device=None: np.full_like(
        x, fill_value, dtype or np.asarray(fill_value).dtype, shape=shape
    ),
}


def new_trace(**options) -> Trace:
    """A trace whose values are Tracers."""
    return Trace(Tracer, **options)
