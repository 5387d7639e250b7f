"""A graph rewritten in order: each equation is kept, met again (common terms), or replaced by what a rule builds.

Variables keep their numbers, so a forward value stays what it was; a replaced variable becomes an alias, and its name
goes over to what replaces it. Rules build with plain NumPy on traced values, as derivative rules do.
"""

from __future__ import annotations

from typing import Any

from chainrule.derivation.building import Builder
from chainrule.graphs import Equation, Graph, Literal, Operand, Step
from chainrule.primitives.control import FULL


class Rewriting(Builder):
    """The new graph while the old one is walked."""

    def __init__(self, graph: Graph):
        super().__init__(graph)
        self.old = graph
        self.graph.equations = []
        self.alias: dict[int, Operand] = {}
        self.made: dict[int, Equation] = {}  # by output
        self.known: dict[Any, int] = {}  # (primitive, inputs, params) -> output
        self.uses = graph.uses()

    def now(self, operand: Operand) -> Operand:
        """What an operand has become."""
        while type(operand) is int and operand in self.alias:
            operand = self.alias[operand]
        return operand

    def inputs(self, equation: Equation) -> tuple[Operand, ...]:
        """The equation's operands as they are now."""
        return tuple(map(self.now, equation.inputs))

    def made_by(self, operand: Operand, primitive=None) -> Equation | None:
        """The equation that makes an operand, if it is of that primitive."""
        equation = self.made.get(operand) if type(operand) is int else None  # type: ignore[arg-type]
        return equation if equation is not None and (primitive is None or equation.primitive is primitive) else None

    def keep(self, equation: Equation) -> Operand:
        """Append an equation, or find the one that says the same."""
        inputs = self.inputs(equation)
        key: tuple = (equation.primitive, inputs, equation.params)
        if self.graph.segments:  # what belongs to a checkpoint is not kept for what does not
            key = (*key, self.graph.segments.get(equation.output))
        found = self.known.get(key)
        if found is not None and self.graph.variables[found].weak == self.graph.variables[equation.output].weak:
            self.put(equation.output, found)
            return found
        if inputs != equation.inputs:
            equation = Equation(
                equation.primitive, inputs, equation.params, equation.output, equation.origin, equation.step
            )
        self.graph.equations.append(equation)
        self.made[equation.output] = equation
        self.known[key] = equation.output
        return equation.output

    def put(self, number: int, replacement: Operand) -> None:
        """Let a variable be another from now on; its name goes over if the other has none."""
        if number == replacement:
            return
        self.alias[number] = replacement
        equation = self.made.get(replacement) if type(replacement) is int else None  # type: ignore[arg-type]
        if equation is None:
            return
        old, new = self.graph.variables[number], self.graph.variables[equation.output]
        if old.name and (new.name is None or equation.derived and old.depth < new.depth):
            new.name, new.depth = old.name, old.depth

    def replace(self, equation: Equation, rule: str, build) -> bool:
        """Run `build()`, a rule's plain NumPy, and let its result stand for the equation's output.

        Returns False, with nothing changed, when the rule answers None.
        """
        start = len(self.graph.equations)
        of = equation.step.of if equation.step else ""
        derived = equation.step if equation.derived else None
        self.trace.step = Step(f"simplify: {rule}", of, derived.rule) if derived is not None else equation.step
        value = build()
        if value is None:
            del self.graph.equations[start:]
            return False
        new = self.graph.equations[start:]
        del self.graph.equations[start:]
        segment = self.graph.segments.get(equation.output)
        for one in new:
            one.origin = equation.origin
            if segment is not None:
                self.graph.segments[one.output] = segment
            self.keep(one)
        result = self.now(value if isinstance(value, (int, Literal)) and type(value) is int else self.operand(value))
        self.put(equation.output, result)
        return True

    def finish(self) -> Graph:
        """The rewritten graph, without dead equations."""
        graph = self.graph
        graph.outputs = [self.now(o) for o in graph.outputs]
        graph.equations = graph.reachable(graph.outputs)
        needed = {i for e in graph.equations for i in e.inputs if type(i) is int} | {
            o for o in graph.outputs if type(o) is int
        }
        graph.constants = {n: value for n, value in graph.constants.items() if n in needed}
        self.trace.step = None
        return graph

    # -- questions that rules ask --------------------------------------------------------------------------------
    def constant_number(self, operand: Operand) -> float | int | None:
        """The number, if an operand is a literal or an array of one number."""
        if isinstance(operand, Literal):
            return operand.value if isinstance(operand.value, (int, float)) else operand.value.item()
        full = self.made_by(operand, FULL)
        return full.params[0] if full is not None else None
