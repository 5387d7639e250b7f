"""Jacobians between two lines, as numbers: exact, and by differences of the forward lines alone.

The one idea: between a line and a variable that it reads lie a few equations. Tangents ride along them, one for each entry of
the variable; and the same equations are evaluated again with the entry moved a little to both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.evaluate import bind_sizes, with_sizes
from chainrule.graphs import Equation, Graph

STEP = 6e-6  # of central differences, times the size of the entry: the cube root of float64's rounding


@dataclass(frozen=True)
class Jacobian:
    """`exact[r, c]`: the derivative of entry r of a line by entry c of a variable, row by row as in memory; `moved` the same
    by central differences.
    """

    exact: np.ndarray
    moved: np.ndarray

    @property
    def deviation(self) -> float:
        """The largest difference between both, relative to the largest entry."""
        if not self.exact.size:
            return 0.0
        scale = max(1.0, float(np.abs(self.exact).max()))
        return float(np.abs(self.exact - self.moved).max()) / scale


class Between:
    """The equations between a variable and a line, with the values of everything else."""

    def __init__(self, graph: Graph, everything: Sequence[Any], source: int, target: int, stops: set[int]):
        self.graph, self.everything = graph, everything
        self.source, self.target = source, target
        self.equations = _between(graph, source, target, stops)
        self.size_of = bind_sizes(graph, [everything[n] for n in graph.inputs], None)
        self.depends = dependents(graph, arguments_of(graph))

    def jacobian(self, rows: Sequence[int] | None = None, columns: Sequence[int] | None = None) -> Jacobian:
        """Both Jacobians, of all entries or of some."""
        value = np.asarray(self.everything[self.source], dtype=float)
        columns = range(value.size) if columns is None else columns
        picked = slice(None) if rows is None else list(rows)
        exact = [np.ravel(self.tangent(_unit(value, c)))[picked] for c in columns]
        moved = []
        for c in columns:
            step = STEP * max(1.0, abs(float(value.flat[c])))
            up, down = (np.ravel(self.moved(value + s * step * _unit(value, c)))[picked] for s in (1, -1))
            moved.append((up - down) / (2 * step))
        return Jacobian(np.array(exact).T, np.array(moved).T)

    def tangent(self, x_dot: np.ndarray) -> np.ndarray:
        """The line's tangent when the variable moves along `x_dot`."""
        tangents: dict[int, Any] = {self.source: x_dot}
        for equation in self.equations:
            operands = tuple(self._value(i) for i in equation.inputs)
            moving = tuple(tangents.get(i) if type(i) is int else None for i in equation.inputs)
            params = tuple(with_sizes(p, self.size_of) for p in resolved_params(equation, self.depends))
            y = self.everything[equation.output]
            if any(m is not None for m in moving):
                y_dot = equation.primitive.tangent(moving, operands, y, params)
                if y_dot is not None:
                    tangents[equation.output] = np.broadcast_to(y_dot, np.shape(y))
        return np.asarray(tangents.get(self.target, np.zeros(np.shape(self.everything[self.target]))))

    def moved(self, value: np.ndarray) -> np.ndarray:
        """The line's value at another value of the variable."""
        values: dict[int, Any] = {self.source: value}
        for equation in self.equations:
            operands = [values.get(i, self.everything[i]) if type(i) is int else i.value for i in equation.inputs]  # type: ignore[union-attr]
            params = tuple(with_sizes(p, self.size_of) for p in equation.params)
            values[equation.output] = equation.primitive.forward(*operands, *params)
        return np.asarray(values.get(self.target, self.everything[self.target]))

    def _value(self, operand: Any) -> Any:
        return self.everything[operand] if type(operand) is int else operand.value


def _unit(value: np.ndarray, place: int) -> np.ndarray:
    unit = np.zeros(value.shape)
    unit.flat[place] = 1.0
    return unit


def _between(graph: Graph, source: int, target: int, stops: set[int]) -> list[Equation]:
    """The equations on ways from the source to the target that pass through no other line."""
    made = graph.producers()
    needed: set[int] = set()
    todo = [target]
    while todo:
        number = todo.pop()
        if number in needed or number == source or number not in made or (number in stops and number != target):
            continue
        needed.add(number)
        todo += [i for i in made[number].inputs if type(i) is int]
    return [equation for equation in graph.equations if equation.output in needed]
