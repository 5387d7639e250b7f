"""Where a function has a kink, and whether a step crosses one.

The one idea: every primitive with a kink decides by the sign of something: `np.maximum(a, b)` by a - b, `np.abs(x)` by x, a
comparison by the difference of its operands, `x.max()` by which entry is largest. That is its *switching quantity*. A step
crosses a kink exactly where a sign changes, and a point sits on one where the quantity is 0. So kinks are found by looking
at the trace, and never guessed from differences that look odd.

What Python decides by (`if x > 0:`) is recorded as a comparison like any other, and counts.
"""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checking.replay import operands_of, pull_back, reached_by, replay
from chainrule.checking.switching import EXTREME, LEVELS, PAIRS
from chainrule.graphs import Equation, Graph, Origin
from chainrule.primitives.comparison import WHERE
from chainrule.primitives.reduction import spread
from chainrule.primitives.shaping import CONVERT


@dataclass(frozen=True)
class Side:
    """On which side of its kinks an equation's entries are.

    Attributes
    ----------
    sides : ndarray
        The sign of each switching quantity; for a maximum over axes, 1 at each winner; else the whole number that decides.
    touching : ndarray of bool
        Where the quantity is 0, or the winner shares its row.
    """

    sides: np.ndarray
    touching: np.ndarray


@dataclass(frozen=True)
class Crossing:
    """A switch that a step turns.

    Attributes
    ----------
    equation : Equation
    index : tuple of int
        Which entry of the operand.
    on : bool
        Whether the point itself sits on the kink.
    count : int
        How many switches the step turns in all.
    """

    equation: Equation
    index: tuple[int, ...]
    on: bool
    count: int


class Switches:
    """All switches of a trace that these inputs can turn.

    Parameters
    ----------
    graph : Graph
    arguments : sequence of arrays
        The point.
    wrt : sequence of int
        Inputs that move.
    """

    def __init__(self, graph: Graph, arguments: Sequence[Any], wrt: Sequence[int]):
        self.graph, self.arguments, self.wrt = graph, list(arguments), list(wrt)
        moving = reached_by(graph, wrt)
        self.equations = [
            e for e in graph.equations if switches(graph, e) and any(type(i) is int and i in moving for i in e.inputs)
        ]
        with np.errstate(all="ignore"):
            self.values = replay(graph, arguments)
            self.here = self._sides(self.values)

    @property
    def touching(self) -> bool:
        """Whether the point sits on a kink."""
        return any(side.touching.any() for side in self.here)

    def _sides(self, values: Sequence[Any]) -> list[Side]:
        return [side for e in self.equations for side in sides_of(self.graph, e, values)]

    def _owners(self) -> list[Equation]:
        return [e for e in self.equations for _ in sides_of(self.graph, e, self.values)]

    def at(self, leaves: Sequence[Any]) -> list[Side]:
        """The sides at another point; `leaves` are the inputs that move."""
        if not self.equations:
            return []
        arguments = list(self.arguments)
        for number, leaf in zip(self.wrt, leaves, strict=True):
            arguments[self.graph.inputs.index(number)] = leaf
        with np.errstate(all="ignore"):
            return self._sides(replay(self.graph, arguments))

    def crossed(self, there: Sequence[Side], here: Sequence[Side] | None = None) -> Crossing | None:
        """The first switch that is turned between two points, or None; one that the point sits on comes first."""
        here = self.here if here is None else here
        found: list[tuple[Equation, np.ndarray, bool]] = []
        count = 0
        for owner, before, after in zip(self._owners(), here, there, strict=True):
            turned = before.sides != after.sides
            if turned.any():
                count += int(np.count_nonzero(turned))
                on = turned & before.touching
                found.append((owner, np.argwhere(on if on.any() else turned)[0], bool(on.any())))
        if not found:
            return None
        owner, index, on = min(found, key=lambda one: not one[2])
        return Crossing(owner, tuple(map(int, index)), on, count)

    def candidates(self, seed: int) -> list[np.ndarray]:
        """For each input: which of its entries move a switching quantity that is 0.

        One backward sweep with random weights on these quantities: what is not 0 after it moves one of them.
        """
        random = np.random.Generator(np.random.Philox(seed))
        bars: dict[int, Any] = {}
        sides = iter(self.here)
        with np.errstate(all="ignore"):
            for equation in self.equations:
                for k in range(len(sides_of(self.graph, equation, self.values))):
                    touching = next(sides).touching
                    weight = random.uniform(1, 2, touching.shape) * touching
                    self._add(bars, equation, 0, weight)
                    if equation.primitive not in EXTREME:
                        self._add(bars, equation, 1 + k, -weight)
            moved = pull_back(self.graph, self.values, bars) if bars else {}
        return [np.asarray(moved.get(n, np.zeros(np.shape(self.values[n]))) != 0) for n in self.wrt]

    def _add(self, bars: dict[int, Any], equation: Equation, place: int, bar: np.ndarray) -> None:
        number = equation.inputs[place] if place < len(equation.inputs) else None
        if type(number) is int and self.graph.variables[number].dtype.kind == "f" and bar.any():
            bar = np.reshape(bar, np.shape(self.values[number]))
            bars[number] = bars[number] + bar if number in bars else bar


def switches(graph: Graph, equation: Equation) -> bool:
    """Whether an equation has a kink in a floating operand."""
    if equation.primitive is CONVERT:
        return _is_float(graph, equation, 0) and graph.variables[equation.output].dtype.kind != "f"
    if equation.primitive is WHERE:
        return _is_float(graph, equation, 0)
    if equation.primitive in PAIRS or equation.primitive in EXTREME or equation.primitive in LEVELS:
        return any(_is_float(graph, equation, k) for k in range(len(equation.inputs)))
    return False


def _is_float(graph: Graph, equation: Equation, place: int) -> bool:
    operand = equation.inputs[place]
    return type(operand) is int and graph.variables[operand].dtype.kind == "f"


def sides_of(graph: Graph, equation: Equation, values: Sequence[Any]) -> list[Side]:
    """On which side of its kinks an equation is, one `Side` for each of its switching quantities."""
    operands = operands_of(equation.inputs, values)
    primitive = equation.primitive
    if primitive in EXTREME:
        x = np.real(operands[0])
        axes = equation.params[0]
        y = EXTREME[primitive].forward(x, axes, True)
        won = np.asarray(x == y)
        shared = np.sum(won, axis=axes, keepdims=True) > 1
        return [Side(won.astype(np.int8), won & spread(shared, x, axes, True))]
    if primitive is CONVERT:
        whole = np.trunc(operands[0])
        return [
            Side(np.asarray(np.sign(operands[0]) * (1 + np.abs(whole) % 2), np.int8), np.asarray(operands[0] == whole))
        ]
    if primitive in LEVELS:
        level, touching = LEVELS[primitive](*map(np.real, operands), *equation.params)
        return [Side(np.asarray(level), np.asarray(touching))]
    pairs = [(operands[0], 0.0)] if primitive is WHERE else PAIRS[primitive](*operands, *equation.params)
    found = []
    for left, right in pairs:
        above, below = np.asarray(np.greater(left, right)), np.asarray(np.less(left, right))
        found.append(Side(above.astype(np.int8) - below.astype(np.int8), np.asarray(np.equal(left, right))))
    return found


def place_of(origin: Origin | None) -> tuple[str, str]:
    """`line 4 of loss()`, and what stands in that line."""
    if origin is None:
        return "", ""
    return str(origin), linecache.getline(origin.filename, origin.line).split("  #")[0].strip()
