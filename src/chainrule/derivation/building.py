"""A derived graph in the making: the forward equations, and rules that append to them.

The one idea: a rule is plain NumPy, so a derived equation is made by running the rule on traced values of an abstract
trace that already holds the forward graph. What is appended carries the `Step` that was current.
"""

from __future__ import annotations

from chainrule.graphs import Graph, Literal, Operand, Step
from chainrule.primitives.control import FULL
from chainrule.primitives.shaping import CONVERT
from chainrule.tracer import Tracer, new_trace


class Builder:
    """A copy of a graph that rules can append to."""

    def __init__(self, graph: Graph):
        self.trace = new_trace(concrete=False, scope=graph.scope)
        self.trace.graph = graph.copy()
        self.trace.values = [None] * len(graph.variables)

    @property
    def graph(self) -> Graph:
        """The graph as it stands."""
        return self.trace.graph

    def value(self, operand: Operand):
        """What a rule sees of an operand: a traced value, or the literal's scalar."""
        if isinstance(operand, Literal):
            return operand.value
        return Tracer(self.trace, operand, None, self.graph.variables[operand], False)

    def step(self, rule: str, of: str = "", reason: str = "") -> None:
        """Name the rule that is about to run."""
        self.trace.step = Step(rule, of, reason)

    def operand(self, value) -> Operand:
        """The variable or literal that a rule's result stands for."""
        return self.trace.operand(value)

    def shape(self, operand: Operand) -> tuple:
        """The shape of an operand as numbers and resolved sizes."""
        if type(operand) is not int:
            return ()
        shape = self.graph.variables[operand].shape
        scope = self.graph.scope
        return tuple(map(scope.resolve, shape)) if scope is not None else shape

    def full(self, number, shape, dtype):
        """An array of one number."""
        return self.trace.record(FULL, (), (number, shape, dtype))

    def in_dtype(self, value, dtype):
        """`value` in that dtype: a cotangent has the dtype of what it is the cotangent of."""
        if isinstance(value, Tracer) and (value.dtype != dtype or value.weak):
            return self.trace.record(CONVERT, (value,), (dtype,))
        return value


def dependents(graph: Graph, sources: set[int]) -> set[int]:
    """Every floating variable that depends on the sources through floating variables (sources included)."""
    reached = set(sources)
    for equation in graph.equations:
        if graph.variables[equation.output].dtype.kind == "f" and any(
            type(i) is int and i in reached for i in equation.inputs
        ):
            reached.add(equation.output)
    return reached


def arguments_of(graph: Graph) -> set[int]:
    """The floating inputs: what a tie is judged by, whatever is differentiated."""
    return {number for number in graph.inputs if graph.variables[number].dtype.kind == "f"}


def resolved_params(equation, depends: set[int]) -> tuple:
    """The parameters of an equation, completed by which operands depend on arguments (ties of maximum)."""
    resolve = equation.primitive.resolve
    if resolve is None:
        return equation.params
    return resolve(equation.params, [type(i) is int and i in depends for i in equation.inputs])
