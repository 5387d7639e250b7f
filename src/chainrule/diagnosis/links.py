"""Links: stretches of the forward graph that a person differentiates in one go.

The one idea: people differentiate `A = sigmoid(Z)`, not the exp, the sum and the quotient in it. A link is everything
between two variables that have a name (or that products and sums stand between), where only elementwise equations lie;
it can send a cotangent back in one piece, also as if it had been evaluated somewhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.diagnosis.activations import Activation, recognised, softmax_axis
from chainrule.diagnosis.sheet import Run, Sheet, Use
from chainrule.primitives.comparison import WHERE
from chainrule.primitives.linear_algebra import MATMUL

PARTS_OF_LOSSES = ("square", "absolute value", "log", "exp", "sqrt")
NEAR = 40  # equations that one expression may have


@dataclass(eq=False)
class Link:
    """What lies between `below` and `above`: the numbers of its equations, in order."""

    sheet: Sheet
    below: int
    above: int
    equations: tuple[int, ...]
    activation: Activation | None = None
    axis: int | None = None  # of a softmax
    elementwise: bool = True

    @cached_property
    def in_loss(self) -> bool:
        """Whether it is a part of the loss, behind the last product: its square, logarithm, absolute value, hinge."""
        plain = self.activation is None or self.activation.name in PARTS_OF_LOSSES or self.activation.name == "relu"
        if not plain or not self.elementwise:
            return False
        variable = self.sheet.graph.variables[self.above]
        if self.activation is not None and self.activation.name == "relu" and variable.name and variable.depth == 0:
            return False
        above = self.sheet.graph.equations[self.sheet.maker[self.above] + 1 :]
        return not any(equation.primitive is MATMUL for equation in above)

    def uses(self) -> list[Use]:
        """The uses of `below` that are part of this link."""
        return [use for use in self.sheet.uses[self.below] if use[0] in self.equations]

    def through(self, new: Any, run: Run) -> Any:
        """The cotangent of `below` when this link sends back `new`; its other uses as they are."""
        own = set(self.uses())
        total = new
        for use in self.sheet.uses[self.below]:
            if use not in own:
                total = total + run.contributions[use]
        return total

    def pull(self, y_bar: Any, at: Any = None) -> Any:
        """What the link sends back for the cotangent `y_bar` of `above`; at another value of `below`, if given."""
        with np.errstate(all="ignore"):  # at another value it may be infinite
            return self._pull(y_bar, at)

    def _pull(self, y_bar: Any, at: Any) -> Any:
        sheet, graph = self.sheet, self.sheet.graph
        values = {} if at is None else self._values(at)
        bars: dict[int, Any] = {self.above: y_bar}
        total = None
        for i in reversed(self.equations):
            equation = graph.equations[i]
            bar = bars.get(equation.output)
            if bar is None:
                continue
            operands = tuple(
                values.get(o, sheet.values[o]) if type(o) is int else o.value  # type: ignore[union-attr]
                for o in equation.inputs
            )
            y = values.get(equation.output, sheet.values[equation.output])
            for place, number in enumerate(equation.inputs):
                if type(number) is not int or equation.primitive.rule(place) is None:
                    continue
                if number != self.below and not any(graph.equations[j].output == number for j in self.equations):
                    continue
                part = sheet.pull(i, place, bar, operands, y)
                if number == self.below:
                    total = part if total is None else total + part
                else:
                    bars[number] = bars[number] + part if number in bars else part
        return np.zeros(sheet.shape(self.below)) if total is None else total

    def slope(self, at: Any = None) -> Any:
        """The derivative of each entry of `above` by the same entry of `below`."""
        return self.pull(np.ones(self.sheet.shape(self.above)), at)

    def _values(self, at: Any) -> dict[int, Any]:
        values = {self.below: at}
        for i in self.equations:
            equation = self.sheet.graph.equations[i]
            operands = tuple(
                values.get(o, self.sheet.values[o]) if type(o) is int else o.value  # type: ignore[union-attr]
                for o in equation.inputs
            )
            values[equation.output] = equation.primitive.forward(*operands, *self.sheet.params[i])
        return values


def links_of(sheet: Sheet) -> list[Link]:
    """Every link of a sheet: single elementwise equations, stretches between named variables, softmaxes."""
    found: dict[tuple[int, int], Link] = {}
    for number in sheet.order:
        if number not in sheet.maker:
            continue
        for below, equations in _stretches(sheet, number):
            found.setdefault((below, number), Link(sheet, below, number, equations))
    for link in found.values():
        if sheet.shape(link.below) == sheet.shape(link.above):
            link.activation = recognised(sheet.values[link.below], sheet.values[link.above])
    return [*found.values(), *_softmaxes(sheet)]


def _is_elementwise(sheet: Sheet, i: int) -> bool:
    primitive = sheet.graph.equations[i].primitive
    return primitive.kind == "elementwise" or primitive is WHERE


def _stretches(sheet: Sheet, number: int) -> list[tuple[int, tuple[int, ...]]]:
    """(below, equations) for every variable from which elementwise equations alone lead to `number`."""
    graph, maker = sheet.graph, sheet.maker
    if not _is_elementwise(sheet, maker[number]):
        return []
    inside, waiting, seen = [maker[number]], [maker[number]], {maker[number]}
    ends: list[int] = []
    while waiting:
        for operand in graph.equations[waiting.pop()].inputs:
            if type(operand) is not int or operand not in sheet.live:
                continue
            if sheet.shape(operand) == sheet.shape(number) and operand not in ends:
                ends.append(operand)
            i = maker.get(operand)
            named = graph.variables[operand].name is not None and graph.variables[operand].depth == 0
            if i is None or named or not _is_elementwise(sheet, i) or i in seen or len(seen) > NEAR:
                continue
            seen.add(i)
            inside.append(i)
            waiting.append(i)
    result = []
    for end in ends:
        equations = _between(sheet, end, number, sorted(inside))
        if equations:
            result.append((end, equations))
    return result


def _between(sheet: Sheet, below: int, above: int, inside: list[int]) -> tuple[int, ...]:
    """Those of the equations that lie on a way from `below` to `above`."""
    reached = {below}
    upward = []
    for i in inside:
        equation = sheet.graph.equations[i]
        if any(type(o) is int and o in reached for o in equation.inputs):
            reached.add(equation.output)
            upward.append(i)
    needed, kept = {above}, []
    for i in reversed(upward):
        equation = sheet.graph.equations[i]
        if equation.output in needed:
            kept.append(i)
            needed.update(o for o in equation.inputs if type(o) is int)
    return tuple(reversed(kept)) if below in needed else ()


def _softmaxes(sheet: Sheet) -> list[Link]:
    """Pairs of variables of which one is the softmax of the other, by their numbers."""
    found = []
    live = [n for n in sheet.order if np.ndim(sheet.values[n])]
    for above in live:
        p = sheet.values[above]
        if above not in sheet.maker or np.min(p, initial=0.0) < 0 or np.max(p, initial=1.0) > 1:
            continue
        for below in live:
            if below == above or not sheet.reaches(above, below) or sheet.shape(below) != np.shape(p):
                continue
            axis = softmax_axis(sheet.values[below], p)
            if axis is not None:
                inside = list(range(sheet.maker.get(below, -1) + 1, sheet.maker[above] + 1))
                equations = _between(sheet, below, above, inside)
                found.append(Link(sheet, below, above, equations, None, axis, elementwise=False))
    return found
