"""Checkpoints in the backward pass: the values of a segment computed again from what it began with.

The one idea: a *segment* is the run of equations that a checkpointed function recorded (`graph.segments`). When the walk
back comes to the first of them, all are recorded once more, and the rules of that segment read these copies. What the
segment takes from outside goes through `hold`, which no rewrite sees through: else the copies would meet the originals as
common terms, and nothing would be computed again, but everything kept. Copies that no rule reads are dead code.

A result of the segment that the backward pass has read by then was kept for that, so it is not computed again. A
checkpoint inside of a checkpoint is computed again once as part of the outer one, and once by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chainrule.derivation.building import Builder
from chainrule.graphs import RECOMPUTE, Equation, Operand, Step
from chainrule.primitives.control import HOLD

Segment = tuple[int, ...]  # the checkpoints around an equation, outermost first


class Replays:
    """The segments of a graph, computed again as they are needed.

    Parameters
    ----------
    builder : Builder
        Of the derived graph; what is computed again is appended to it.
    pending : callable
        The variables that the rest of the walk back starts from: what these are made of has been read.
    """

    def __init__(self, builder: Builder, pending: Callable[[], Iterable[Operand]]):
        self.builder = builder
        self.pending = pending
        self.segments: dict[int, Segment] = builder.graph.segments
        self.equations = list(builder.graph.equations) if self.segments else []
        self.arithmetic = {equation.output for equation in self.equations}  # the function's own, and its copies
        self.values: dict[Segment, dict[int, Any]] = {}

    def segment_of(self, equation: Equation) -> Segment:
        """The checkpoints that an equation was recorded in; empty for none."""
        return self.segments.get(equation.output, ())

    def read(self, operand: Operand, segment: Segment) -> Any:
        """What a rule for an equation of that segment sees of an operand."""
        if not segment or type(operand) is not int:
            return self.builder.value(operand)
        step = self.builder.trace.step
        if segment not in self.values:
            self._compute_again(segment)
        values = self.values[segment]
        if operand not in values:
            values[operand] = self._held(operand, segment)
        self.builder.trace.step = step
        return values[operand]

    def _held(self, operand: int, segment: Segment) -> Any:
        """What a segment takes from outside; constants and single numbers are kept in any case."""
        value = self.read(operand, segment[:-1])
        variable = self.builder.graph.variables[operand]
        if not variable.shape or operand in self.builder.graph.constants:
            return value
        self.builder.step(RECOMPUTE, variable.name or "", "what a checkpoint begins with")
        return self.builder.trace.record(HOLD, (value,), (segment,))

    def _compute_again(self, segment: Segment) -> None:
        builder, around = self.builder, segment[:-1]
        if around and around not in self.values:
            self._compute_again(around)
        inside = [e for e in self.equations if self.segment_of(e)[: len(segment)] == segment]
        read = self._read_already()
        values = self.values[segment] = {}
        for equation in inside:
            number = equation.output
            if self._is_at_hand(number, around, read):
                continue  # and is taken from there
            operands = tuple(self.read(operand, segment) for operand in equation.inputs)
            original = builder.graph.variables[number]
            start = len(builder.graph.equations)
            if equation.derived:  # a stable form of the user's spelling: free to be rewritten, as the first time
                builder.trace.step = equation.step
            else:
                builder.trace.step = Step(RECOMPUTE, original.name or "", "computed again in a checkpoint")
            value = builder.trace.record(equation.primitive, operands, equation.params, original.weak)
            for made in builder.graph.equations[start:]:
                made.origin = equation.origin
                self.arithmetic.add(made.output)
            value.variable.name, value.variable.depth = original.name, original.depth
            values[number] = value

    def _is_at_hand(self, number: int, around: Segment, read: set[int]) -> bool:
        """Whether a result of a segment is kept in any case, seen from the segment around it."""
        if not around:
            return number in read
        outer = self.values[around]
        return number not in outer or outer[number].number in read

    def _read_already(self) -> set[int]:
        """The variables that the rules, as far as the walk has come, have read to some purpose."""
        live = self.builder.graph.reachable(self.pending())
        return {i for e in live if e.output not in self.arithmetic for i in e.inputs if type(i) is int}
