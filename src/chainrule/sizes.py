"""`Size`: what `x.shape[0]` is while a function is staged.

It is not an int, so that NumPy and Python cannot read it unseen; it answers `isinstance(n, int)` and does integer
arithmetic, and every use either stays symbolic (`1 / N`, `N * 2`, `N // 2`, `np.sqrt(N)`) or is noted as a
specialisation (`int(N)`, `range(N)`, `np.zeros(N)`, `N == 5`), which the second trace then confirms or lifts.

Sizes are at least 2 by contract, so NumPy's own questions (`N == 1`, `N > 0`) are answered without specialising.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import asked_by_user
from chainrule.primitive import FUNCTIONS
from chainrule.primitives.control import SIZE
from chainrule.pytree import Recorder
from chainrule.shapes import RELATIONS, Guard, SizeExpr

INT64 = np.dtype(np.int64)


class Size(Recorder):
    """One axis length of a staged array, tied to the trace that records what is done with it."""

    __slots__ = ("expr", "level", "trace")
    shape = ()
    ndim = 0
    dtype = INT64
    weak = True
    __array_priority__ = 2000

    def __init__(self, trace: Any, expr: SizeExpr):
        self.trace = trace
        self.expr = expr
        self.level = trace.level

    @property  # type: ignore[misc]
    def __class__(self):
        return int

    def tracer(self):
        """The size as a traced scalar."""
        scalar = self.trace.record(SIZE, (), (self.expr, INT64), True)
        scalar.variable.name = None  # the name that is about to be given belongs to the expression around it
        return scalar

    # -- what specialises: the number is read ---------------------------------------------------------------------
    def read(self) -> int:
        """The number, noted as read by plain Python."""
        self.trace.scope.specialised.append((self.expr, self.trace.line()))
        return self.expr.hint

    __index__ = read
    __int__ = read

    def __float__(self) -> float:
        return float(self.read())

    def __hash__(self) -> int:
        return hash(self.read())

    def __format__(self, spec: str) -> str:
        return format(self.read(), spec)

    def __repr__(self) -> str:
        return f"<size {self.expr} = {self.expr.hint}>"

    def __str__(self) -> str:
        return str(self.read())

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.read(), dtype=dtype)

    def __round__(self, digits=None):
        return self

    def __trunc__(self):
        return self

    def __reduce__(self):
        return int, (self.read(),)

    def __bool__(self) -> bool:
        return self.expr.symbol is not None or self != 0  # an axis has at least 2

    # -- comparisons: decided by the contract, or guarded ---------------------------------------------------------
    def _compare(self, other: Any, relation: str):
        compare = RELATIONS[relation]
        if isinstance(other, Size):
            right: Any = other.expr
            if self.expr == right:
                return compare(0, 0)
            if relation in ("==", "!=") and self.expr.hint == right.hint:
                self.trace.scope.unify(self.expr, right, self.trace.line())
                return relation == "=="
        elif isinstance(other, (int, np.integer)):
            right = int(other)
            least = self.expr.least
            if (
                least is not None and right < least
            ):  # as 0, 1 and negatives are of N: every size from 2 on answers alike
                if asked_by_user():
                    self.trace.scope.guards.append(Guard(self.expr, ">=", least, self.trace.line()))
                return compare(least, right)
        elif isinstance(other, (float, np.floating)):
            right = float(other)
        else:
            return NotImplemented
        truth = compare(self.expr.hint, right.hint if isinstance(right, SizeExpr) else right)
        held = relation if truth else _OPPOSITES[relation]
        self.trace.scope.guards.append(Guard(self.expr, held, right, self.trace.line()))
        return truth

    def __eq__(self, other):
        return self._compare(other, "==")

    def __ne__(self, other):
        return self._compare(other, "!=")

    def __lt__(self, other):
        return self._compare(other, "<")

    def __le__(self, other):
        return self._compare(other, "<=")

    def __gt__(self, other):
        return self._compare(other, ">")

    def __ge__(self, other):
        return self._compare(other, ">=")

    # -- arithmetic: integers stay sizes, anything else is recorded -----------------------------------------------
    def _wrap(self, result):
        return Size(self.trace, result) if isinstance(result, SizeExpr) else result

    def _integer(self, other: Any, function, reverse: bool = False):
        if isinstance(other, Size):
            other = other.expr
        elif not isinstance(other, (int, np.integer)) or isinstance(other, (bool, np.bool_)):
            return None
        else:
            other = int(other)
        return self._wrap(function(other, self.expr) if reverse else function(self.expr, other))

    def _arithmetic(self, other: Any, function, primitive, reverse: bool = False):
        if function is not None:
            result = self._integer(other, function, reverse)
            if result is not None:
                return result
        if not isinstance(other, (int, float, Size)):
            return NotImplemented
        me = self.tracer()
        return primitive(other, me) if reverse else primitive(me, other)

    def __add__(self, other):
        return self._arithmetic(other, operator.add, operator.add)

    def __radd__(self, other):
        return self._arithmetic(other, operator.add, operator.add, True)

    def __sub__(self, other):
        return self._arithmetic(other, operator.sub, operator.sub)

    def __rsub__(self, other):
        return self._arithmetic(other, operator.sub, operator.sub, True)

    def __mul__(self, other):
        return self._arithmetic(other, operator.mul, operator.mul)

    def __rmul__(self, other):
        return self._arithmetic(other, operator.mul, operator.mul, True)

    def __floordiv__(self, other):
        return self._arithmetic(other, operator.floordiv, operator.floordiv)

    def __rfloordiv__(self, other):
        return self._arithmetic(other, operator.floordiv, operator.floordiv, True)

    def __mod__(self, other):
        return self._arithmetic(other, operator.mod, operator.mod)

    def __rmod__(self, other):
        return self._arithmetic(other, operator.mod, operator.mod, True)

    def __divmod__(self, other):
        return self // other, self % other

    def __truediv__(self, other):
        if type(other) is int and other == 1:
            return self  # np.arange(N) asks for N / 1, then reads it
        return self._arithmetic(other, None, operator.truediv)

    def __rtruediv__(self, other):
        return self._arithmetic(other, None, operator.truediv, True)

    def __pow__(self, other):
        if type(other) is int and 0 < other <= 8:
            result: Any = self.expr
            for _ in range(other - 1):
                result = result * self.expr
            return self._wrap(result)
        return self._arithmetic(other, None, operator.pow)

    def __rpow__(self, other):
        return self._arithmetic(other, None, operator.pow, True)

    def __neg__(self):
        return self._wrap(-self.expr)

    def __pos__(self):
        return self

    def __abs__(self):
        return self if self.expr.symbol is not None or self >= 0 else -self

    # bits are read as plain numbers
    def __and__(self, other):
        return self.read() & other

    def __or__(self, other):
        return self.read() | other

    def __xor__(self, other):
        return self.read() ^ other

    def __lshift__(self, other):
        return self.read() << other

    def __rshift__(self, other):
        return self.read() >> other

    def __rand__(self, other):
        return other & self.read()

    def __ror__(self, other):
        return other | self.read()

    # -- NumPy's hooks ---------------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return self.tracer().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        handler = FUNCTIONS.get(function)
        if handler is None:
            raise UnsupportedError(f"np.{function.__name__} of a size cannot be traced; read it with int(...) first")
        return handler(*args, **kwargs)


_OPPOSITES = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
