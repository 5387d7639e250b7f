"""`Tracer`: a value that records the NumPy calls made on it.

It implements `__array_ufunc__`, `__array_function__`, Python's operators and ndarray's methods, so that user code keeps
its own `import numpy as np`. What it cannot record it refuses by name and line, with what to write instead: `__array__`
raises, every unhandled NumPy function raises, writes into arrays raise. Never a silent wrong answer.

In-place operators follow NumPy where that is exact (a fresh array without views: the value is replaced, aliases see it)
and are refused where it is not.
"""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import numpy as np

from chainrule.advice import instead
from chainrule.errors import ControlFlowError, UnsupportedError
from chainrule.frames import ENGINE, place_text
from chainrule.graphs import Variable, shapes_agree
from chainrule.places import place_of, size_names, user_frame
from chainrule.primitive import FUNCTIONS, UFUNCS, Primitive, ufunc_dtype, weak_type
from chainrule.primitives import arithmetic, comparison, reduction
from chainrule.primitives.indexing import index
from chainrule.primitives.linear_algebra import MATMUL, matmul, swap_last, transpose
from chainrule.primitives.shaping import reshape
from chainrule.pytree import Recorder
from chainrule.shapes import SizeExpr
from chainrule.sizes import Size
from chainrule.trace import Trace

_SCALARS = (int, float, np.generic)


class Tracer(Recorder):
    """A traced value: its trace, its variable's number and, in a concrete trace, its value."""

    __slots__ = ("fresh", "level", "number", "trace", "value", "variable")
    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trace: Trace, number: int, value: Any, variable: Variable, fresh: bool):
        self.trace = trace
        self.level = trace.level
        self.number = number
        self.value = value
        self.variable = variable
        self.fresh = fresh  # made by an equation and without views: it can be written in place

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
        name = f"np.{ufunc.__name__}"
        if method == "reduce" and ufunc is np.add and not kwargs.get("out"):
            return FUNCTIONS[np.sum](*inputs, **{"axis": 0, **kwargs})
        if kwargs.get("out"):
            self._refuse(
                f"an in-place write ({name} with out=, or += on an array)", "x = x + t, which makes a new array"
            )
        if entry is None:
            self._refuse(name, instead(ufunc.__name__))
        if method != "__call__":
            self._refuse(f"{name}.{method}", "the function itself, or a reduction such as np.sum")
        if set(kwargs) == {"dtype"}:
            operands = [np.asarray(x) if type(x) in (list, tuple) else x for x in inputs]
            if ufunc_dtype(ufunc, tuple(map(weak_type, operands))) == np.dtype(kwargs["dtype"]):
                return self.__array_ufunc__(ufunc, method, *operands)
        return self._refuse(f"{name} with {', '.join(kwargs)}=", "np.where for a mask, .astype for a dtype")

    def __array_function__(self, function, types, args, kwargs):
        handler = FUNCTIONS.get(function)
        if handler is None:
            name = getattr(function, "__module__", "numpy").replace("numpy", "np") + "." + function.__name__
            self._refuse(name, instead(function.__name__))
        return self._as_one(handler, *args, **kwargs)

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
            "np.stack([...]) to build an array of traced values, a @ x for a.dot(x), and x alone for np.asarray(x)",
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
            "the value itself, np.exp for math.exp, np.stack([...]) for an array of traced values",
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

    def item(self, *args) -> NoReturn:
        """Refused: it would read the value."""
        self._refuse("x.item()", "x itself, or x[i, j]")

    tolist = tobytes = item

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a traced scalar")
        return operator.index(self.shape[0])

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a traced scalar")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item) -> NoReturn:
        self._refuse("`in` on a traced value", "np.any(x == item)")

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return format(self.known_value("Python formats a traced value"), spec)

    def __round__(self, digits=None) -> NoReturn:
        self._refuse("round() of a traced value", "it outside of the function: its derivative is zero")

    # -- writes --------------------------------------------------------------------------------------------------
    def __setitem__(self, key, value) -> NoReturn:
        self._refuse(
            "writing into a traced array (x[i] = v)", "np.where(mask, v, x), or build it with np.stack, np.concatenate"
        )

    def _write(self, result):
        """In-place operators: scalars rebind, fresh arrays are replaced in place, anything else is refused."""
        if self.ndim == 0:
            return result
        if not self.fresh:
            self._refuse("an in-place operator on an argument, a view, or an array with views", "x = x + t")
        same = shapes_agree(result.variable.shape, self.variable.shape)  # maybe of sizes that were found equal since
        if result.trace is not self.trace or result.dtype != self.dtype or not same:
            self._refuse("an in-place operator that changes shape or dtype", "x = x + t")
        self.number, self.value, self.variable = result.number, result.value, result.variable
        return self

    def __copy__(self):
        return +self  # type: ignore[operator]

    def __deepcopy__(self, memo):
        return +self  # type: ignore[operator]

    def copy(self, order="C"):
        """A recorded copy."""
        return +self  # type: ignore[operator]

    def __reduce__(self) -> NoReturn:
        self._refuse("pickling a traced value", "the plain result")

    # -- indexing and methods ------------------------------------------------------------------------------------
    def __getitem__(self, key):
        return index(self, key)

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        """As `np.sum`."""
        return FUNCTIONS[np.sum](self, axis, dtype, out, keepdims)

    def mean(self, axis=None, dtype=None, out=None, keepdims=False):
        """As `np.mean`."""
        return FUNCTIONS[np.mean](self, axis, dtype, out, keepdims)

    def max(self, axis=None, out=None, keepdims=False):
        """As `np.max`."""
        return FUNCTIONS[np.max](self, axis, out=out, keepdims=keepdims)

    def min(self, axis=None, out=None, keepdims=False):
        """As `np.min`."""
        return FUNCTIONS[np.min](self, axis, out=out, keepdims=keepdims)

    def any(self, axis=None, out=None, keepdims=False):
        """As `np.any`."""
        return FUNCTIONS[np.any](self, axis, out, keepdims)

    def all(self, axis=None, out=None, keepdims=False):
        """As `np.all`."""
        return FUNCTIONS[np.all](self, axis, out, keepdims)

    def argmax(self, axis=None, out=None, *, keepdims=False):
        """As `np.argmax`."""
        return reduction.reduce(reduction.ARGMAX, self, axis, keepdims)

    def argmin(self, axis=None, out=None, *, keepdims=False):
        """As `np.argmin`."""
        return reduction.reduce(reduction.ARGMIN, self, axis, keepdims)

    def reshape(self, *shape, order="C", copy=None):
        """As `np.reshape`."""
        return reshape(self, shape[0] if len(shape) == 1 else shape, order)

    def ravel(self, order="C"):
        """As `np.ravel`."""
        return reshape(self, (-1,), order)

    def flatten(self, order="C"):
        """All entries in one axis, as a copy."""
        return reshape(self, (-1,), order)

    def transpose(self, *axes):
        """As `np.transpose`."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            return transpose(self, axes[0])
        return transpose(self, axes or None)

    def swapaxes(self, axis1, axis2):
        """As `np.swapaxes`."""
        return FUNCTIONS[np.swapaxes](self, axis1, axis2)

    def squeeze(self, axis=None):
        """As `np.squeeze`."""
        return FUNCTIONS[np.squeeze](self, axis)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """As `np.astype`."""
        return FUNCTIONS[np.astype](self, dtype, copy=copy)

    def clip(self, min=None, max=None, out=None):
        """As `np.clip`."""
        return FUNCTIONS[np.clip](self, min, max, out)

    def dot(self, b, out=None):
        """As `np.dot`."""
        return self._as_one(FUNCTIONS[np.dot], self, b, out)

    def take(self, indices, axis=None, out=None, mode="raise"):
        """As `np.take`."""
        return self._as_one(FUNCTIONS[np.take], self, indices, axis, out, mode)

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
    "and": _LOGIC["bitwise_and"],
    "or": _LOGIC["bitwise_or"],
    "xor": _LOGIC["bitwise_xor"],
}
for _name, _primitive in _BINARY.items():
    setattr(Tracer, f"__{_name}__", _binary(_primitive))
    setattr(Tracer, f"__r{_name}__", _binary(_primitive, reverse=True))
for _name in ("add", "sub", "mul", "truediv", "pow", "and", "or", "xor"):
    setattr(Tracer, f"__i{_name}__", _in_place(getattr(operator, f"__{_name}__")))
for _name, _primitive in zip(("gt", "ge", "lt", "le", "eq", "ne"), comparison.COMPARISONS, strict=True):
    setattr(Tracer, f"__{_name}__", _binary(_primitive))
for _name, _primitive in (("neg", arithmetic.NEGATIVE), ("pos", arithmetic.POSITIVE), ("abs", arithmetic.ABS)):
    setattr(Tracer, f"__{_name}__", _unary(_primitive))


def _rounding(symbol):
    def method(self, other):
        self._refuse(f"`{symbol}`", "it outside of the function, or subtract a constant multiple")

    return method


for _name, _symbol in (("mod", "%"), ("floordiv", "//"), ("divmod", "divmod()")):
    setattr(Tracer, f"__{_name}__", _rounding(_symbol))
    setattr(Tracer, f"__r{_name}__", _rounding(_symbol))
for _name, _method in (
    ("invert", _unary(_LOGIC["invert"])),
    ("matmul", _matmul),
    ("rmatmul", _rmatmul),
    ("imatmul", _in_place(operator.__matmul__)),
):
    setattr(Tracer, f"__{_name}__", _method)


def new_trace(**options) -> Trace:
    """A trace whose values are Tracers."""
    return Trace(Tracer, **options)
