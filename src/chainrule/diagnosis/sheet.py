"""The backward pass as a sheet of numbers in which one entry can be changed, and the rest follows.

The one idea: a mistake in a backward pass changes one cotangent, or one contribution to one, and whatever is computed
after it is right again but for that. So the pass is kept as numbers: for every variable of the forward graph its
cotangent, for every use of a variable the contribution that came back from there. An `Override` replaces one of them by
what somebody may have written instead, and `Sheet.run` computes what follows from it, and nothing else.

Unlike `derivation/reverse.py` this runs on values, equation by equation, in float64; nothing is derived or simplified.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.graphs import Graph, Operand

Array = np.ndarray
Use = tuple[int, int]  # the number of an equation, and which of its operands
Site = int | Use  # a variable's cotangent, or the contribution of one use


@dataclass
class Run:
    """The numbers of one backward pass: cotangents by variable, contributions by use."""

    cotangents: dict[int, Any] = field(default_factory=dict)
    contributions: dict[Use, Any] = field(default_factory=dict)


Override = Callable[[Any, Run], Any]  # (what is right here, the numbers so far) -> what was written instead
Overrides = Mapping[Site, Sequence[Override]]


class Sheet:
    """A forward graph with its values, and the backward pass through it.

    Parameters
    ----------
    graph : Graph
        Its one output is a scalar.
    values : sequence
        The value of every variable, in float64.
    wrt : iterable of int, optional
        The inputs whose gradients are asked for; all floating ones, unless they are named.

    Attributes
    ----------
    uses : dict of int to list of Use
        Where each variable is used on a way to the loss.
    maker : dict of int to int
        The number of the equation that makes a variable.
    order : dict of int to int
        How near the loss a variable is: the smaller, the nearer.
    """

    def __init__(self, graph: Graph, values: Sequence[Any], wrt: Iterable[int] | None = None):
        self.graph, self.values = graph, list(values)
        self.wrt = arguments_of(graph) if wrt is None else set(wrt)
        self._learned = dependents(graph, self.wrt)
        self.varying = dependents(graph, arguments_of(graph))
        reached = dependents(graph, arguments_of(graph))
        self.loss: Operand = graph.outputs[0]
        self.maker = {equation.output: i for i, equation in enumerate(graph.equations)}
        self.params = [resolved_params(equation, reached) for equation in graph.equations]
        self.uses: dict[int, list[Use]] = {}
        live = {self.loss} if type(self.loss) is int else set()
        for i in range(len(graph.equations) - 1, -1, -1):
            equation = graph.equations[i]
            if equation.output not in live or equation.output not in self.varying:
                continue
            for place, number in enumerate(equation.inputs):
                if type(number) is int and number in self.varying and equation.primitive.rule(place) is not None:
                    live.add(number)
                    self.uses.setdefault(number, []).append((i, place))
        self.live = {number for number in live if number in self.varying}
        self.order = self._order()
        self._below = self._descend()

    def _order(self) -> dict[int, int]:
        """Variables from the loss to the arguments, as a backward pass meets them."""

        def key(number: int) -> tuple[int, int]:
            if number in self.maker:
                return 0, -self.maker[number]
            return 1, -max(i for i, _ in self.uses[number])

        met = sorted((n for n in self.live if n == self.loss or n in self.uses), key=key)
        return {number: rank for rank, number in enumerate(met)}

    def all_uses(self) -> Iterable[tuple[Use, int]]:
        """Every use that a cotangent comes back from, with its variable, from the loss on."""
        return [(use, number) for number in self.order for use in self.uses.get(number, ())]

    def depends(self, number: int) -> bool:
        """Whether a variable depends on what is differentiated by; labels and masks do not."""
        return number in self._learned

    def with_values(self, changes: Mapping[int, Any]) -> Sheet:
        """The same pass over other forward values."""
        other = copy.copy(self)
        other.values = [changes.get(number, value) for number, value in enumerate(self.values)]
        return other

    def nearness(self, number: int) -> tuple[int, int]:
        """Sorts variables by when a backward pass has their cotangent, from the loss on."""
        return min(((-i, place) for i, place in self.uses.get(number, ())), default=(1, 0))

    def _descend(self) -> dict[int, int]:
        """For each variable the variables that its cotangent flows into, itself included, as bits."""
        below: dict[int, int] = {}
        for number in sorted(self.live, key=lambda n: self.maker.get(n, -1)):
            bits = 1 << number  # any size: Python's integers have no last bit
            if number in self.maker:
                for operand in self.graph.equations[self.maker[number]].inputs:
                    bits |= below.get(operand, 0) if type(operand) is int else 0
            below[number] = bits
        return below

    def reaches(self, number: int, other: int) -> bool:
        """Whether the cotangent of `number` flows into that of `other`."""
        return bool(self._below.get(number, 0) >> other & 1)

    def site_reaches(self, site: Site, other: int) -> bool:
        """Whether what stands at a site flows into the cotangent of `other`."""
        return self.reaches(self.variable_of(site), other)

    def variable_of(self, site: Site) -> int:
        """The variable whose cotangent a site is part of."""
        if isinstance(site, int):
            return site
        return self.graph.equations[site[0]].inputs[site[1]]  # type: ignore[return-value]

    def operands(self, i: int) -> tuple[Any, ...]:
        """The values that an equation worked on."""
        return tuple(self.value(operand) for operand in self.graph.equations[i].inputs)

    def value(self, operand: Operand) -> Any:
        """The value of a variable, or of a literal."""
        return self.values[operand] if type(operand) is int else operand.value  # type: ignore[union-attr]

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape of a variable's value."""
        return np.shape(self.values[number])

    def pull(self, i: int, place: int, y_bar: Any, operands: tuple | None = None, y: Any = None) -> Any:
        """What equation `i` sends back to its operand `place`; at other operands, if they are given."""
        equation = self.graph.equations[i]
        if operands is None:
            operands, y = self.operands(i), self.values[equation.output]
        operands = _as_arrays(operands)
        bar = equation.primitive.vjp(place, y_bar, y, operands, self.params[i])
        if bar is None:
            return np.zeros(np.shape(operands[place]))
        if equation.primitive.singular and equation.primitive.kind == "elementwise":
            bar = np.where(np.equal(y_bar, 0), 0.0, bar)  # the branch that was not taken
        return bar

    def tangents(self, number: int, direction: Any) -> dict[int, Any]:
        """How every variable moves when one of them moves along `direction`."""
        dots: dict[int, Any] = {number: direction}
        with np.errstate(all="ignore"):
            for i, equation in enumerate(self.graph.equations):
                if equation.output not in self.live or not any(type(o) is int and o in dots for o in equation.inputs):
                    continue
                moving = tuple(dots.get(o) if type(o) is int else None for o in equation.inputs)
                operands = _as_arrays(self.operands(i))
                y = self.values[equation.output]
                dots[equation.output] = equation.primitive.tangent(moving, operands, y, self.params[i])
        return {n: dot for n, dot in dots.items() if dot is not None}

    def run(
        self,
        overrides: Overrides | None = None,
        base: Run | None = None,
        target: int | None = None,
        changed_sites: Iterable[Site] | None = None,
    ) -> Run:
        """The backward pass with some numbers replaced.

        Parameters
        ----------
        overrides : mapping of Site to functions, optional
            Applied at their site, one after the other.
        base : Run, optional
            A whole pass that differs from this one at `changed_sites` alone: the rest is taken over from it.
        target : int, optional
            Compute only what the cotangent of this variable needs.
        changed_sites : iterable of Site, optional
            The sites whose overrides are not those of `base`; by default all that have some.
        """
        overrides = overrides or {}
        if base is None:
            result = Run()
            changed: set[int] | None = None
            result.cotangents[self.loss] = np.ones(())  # type: ignore[index]
        else:
            result, changed = Run(dict(base.cotangents), dict(base.contributions)), set()
        sites = set(overrides if changed_sites is None else changed_sites)
        if type(self.loss) is int and self.loss in overrides and (changed is None or self.loss in sites):
            result.cotangents[self.loss] = _applied(overrides[self.loss], np.ones(()), result)
            if changed is not None:
                changed.add(self.loss)
        with np.errstate(all="ignore"):
            for number in self.order:
                if number == self.loss or (changed is not None and not self._touched(number, changed, sites)):
                    continue
                if target is not None and not self.reaches(number, target):
                    continue
                self._collect(number, result, overrides, changed)
                if changed is not None:
                    changed.add(number)
        return result

    def _touched(self, number: int, changed: set[int], sites: set[Site]) -> bool:
        if number in sites:
            return True
        equations = self.graph.equations
        return any(equations[use[0]].output in changed or use in sites for use in self.uses.get(number, ()))

    def _collect(self, number: int, result: Run, overrides: Overrides, changed: set[int] | None) -> None:
        total = None
        for use in self.uses.get(number, ()):
            above = self.graph.equations[use[0]].output
            if changed is None or above in changed or use in overrides:
                bar = self.pull(*use, result.cotangents[above])
                result.contributions[use] = _applied(overrides.get(use, ()), bar, result)
            part = result.contributions[use]
            total = part if total is None else total + part
        if total is None:
            total = np.zeros(self.shape(number))
        result.cotangents[number] = _applied(overrides.get(number, ()), total, result)


def _as_arrays(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands that have a shape, numbers too."""
    return tuple(np.float64(operand) if isinstance(operand, (int, float)) else operand for operand in operands)


def _applied(functions: Iterable[Override], bar: Any, run: Run) -> Any:
    for function in functions:
        bar = function(bar, run)
    return bar
