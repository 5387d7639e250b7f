"""The everyday case of recording, without detours: real values, one trace, operands of its own and plain ones.

`Trace._record` says what recording means; these three say the same for the cases in which most operations of a gradient
fall, in a third of the time. Each answers None where the general way has to be taken.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from chainrule.graphs import Equation, Graph, Literal, Operand, Step, Variable
from chainrule.primitive import Primitive
from chainrule.primitives.shaping import BROADCAST_TO, CONVERT
from chainrule.sharing import VIEWS, share


class QuickRecording:
    """What `Trace` inherits for speed."""

    __slots__ = ()
    quick: bool
    graph: Graph
    values: list[Any]
    needed: Any
    step: Step | None
    tracer_class: Any
    constant: Any
    _convert: Any
    _broadcast: Any
    _unexecuted: Any

    def quick_pair(self, primitive: Primitive, left: Any, right: Any, params: tuple = ()):
        """`record` for two operands while every value is plain, in a third of the time; None where that is not so."""
        if not self.quick:
            return None
        graph, own = self.graph, self.tracer_class
        variables = graph.variables
        a: Operand
        b: Operand
        if type(left) is own and left.trace is self and not left.variable.weak:
            a, x = left.number, left.value
        elif type(left) is float or type(left) is int:
            a, x = _literal(type(left), left) if left else Literal(left), left  # type: ignore[arg-type]
        else:
            return None
        if type(right) is own and right.trace is self and not right.variable.weak:
            b, y = right.number, right.value
        elif type(right) is float or type(right) is int:
            b, y = _literal(type(right), right) if right else Literal(right), right  # type: ignore[arg-type]
        else:
            return None
        try:
            value = primitive.forward(x, y, *params)
        except (ValueError, TypeError, ZeroDivisionError):
            return None  # the general way says it with the line
        shape, dtype = value.shape, value.dtype
        if type(a) is int and (x.shape != shape or x.dtype is not dtype):
            a = self._as_numpy_does(primitive, a, shape, dtype)
        if type(b) is int and (y.shape != shape or y.dtype is not dtype):
            b = self._as_numpy_does(primitive, b, shape, dtype)
        number = len(variables)
        variable = Variable(shape, dtype)
        variables.append(variable)
        self.values.append(value if self.needed is None or number in self.needed else None)
        graph.equations.append(Equation(primitive, (a, b), params, number, None, self.step))
        return own(self, number, value, variable, True)

    def _as_numpy_does(self, primitive: Primitive, operand: int, shape: tuple, dtype: np.dtype) -> int:
        """The promotion and the broadcast that NumPy does silently, recorded."""
        known = self.graph.variables[operand]
        if known.dtype != dtype and primitive.converts_from == 0:
            operand = self._unexecuted(CONVERT, operand, (dtype,), known.shape, dtype)
        if known.shape != shape and primitive.broadcasts:
            operand = self._unexecuted(BROADCAST_TO, operand, (shape,), shape, self.graph.variables[operand].dtype)
        return operand

    def quick_one(self, primitive: Primitive, operand: Any, params: tuple = ()):
        """`quick_pair` for an elementwise function of one operand, or a reduction."""
        if not self.quick or operand.trace is not self or operand.variable.weak:
            return None
        try:
            value = primitive.forward(operand.value, *params)
        except (ValueError, TypeError):
            return None
        variable = Variable(value.shape, value.dtype)
        if primitive.converts_from == 0 and variable.dtype != operand.variable.dtype:
            return None
        number = len(self.graph.variables)
        self.graph.variables.append(variable)
        self.values.append(value if self.needed is None or number in self.needed else None)
        self.graph.equations.append(Equation(primitive, (operand.number,), params, number, None, self.step))
        return self.tracer_class(self, number, value, variable, True)

    def _record_quickly(self, primitive: Primitive, operands: tuple, params: tuple, weak: bool):
        """`_record` for the everyday case: real values, this trace's own or plain ones; None in any other case."""
        tracer_class, graph = self.tracer_class, self.graph
        variables = graph.variables
        inputs: list[Operand] = []
        values: list[Any] = []
        for o in operands:
            kind = type(o)
            if kind is tracer_class and o.trace is self:
                inputs.append(o.number)
                o = o.value
            elif kind is float or kind is int:
                # 0.0 == -0.0, but they are two literals
                inputs.append(_literal(kind, o) if o else Literal(o))  # type: ignore[arg-type]
            elif kind is np.ndarray:
                number = self.constant(o)
                inputs.append(number)
                o = self.values[number]
            else:
                return None
            values.append(o)
        if weak and primitive.operator is not None:
            value = primitive.operator(*values)
            variable = Variable((), dtype_of(value), True)
        else:
            value = primitive.forward(*values, *params)
            if type(value) is not np.ndarray and not isinstance(value, np.generic):
                value = np.asarray(value)[()]
            shape, dtype = value.shape, value.dtype
            variable = Variable(shape, dtype)
            if primitive.converts_from is not None:
                for i in inputs:
                    if type(i) is int and (variables[i].dtype is not dtype or variables[i].shape != shape):
                        self._convert(inputs, primitive.converts_from, dtype)
                        if primitive.broadcasts and shape:
                            self._broadcast(inputs, shape)
                        break
            elif primitive.broadcasts and shape:
                self._broadcast(inputs, shape)
        number = len(variables)
        variables.append(variable)
        self.values.append(value if self.needed is None or number in self.needed else None)
        graph.equations.append(Equation(primitive, tuple(inputs), params, number, None, self.step))
        result = tracer_class(self, number, value, variable, True)
        if primitive in VIEWS:
            share(result, operands[0], primitive, params)
        return result


@functools.lru_cache(maxsize=256)
def _literal(kind: type, value: float) -> Literal:
    return Literal(value)


def dtype_of(value: Any) -> np.dtype:
    """The dtype of a value; Python's int and float have NumPy's default ones."""
    dtype = getattr(value, "dtype", None)
    return dtype if dtype is not None else np.dtype(type(value))
