"""Which rule is wrong: each equation's vjp by itself, against differences of that equation's forward.

The one idea: a gradient that is wrong somewhere is a chain with one bad link, and every link can be tried alone. An equation
is run at the operands that it had in the trace, its output weighted at random, and each operand moved along a random
direction (entries on a kink held still). If the vjp and the difference quotient part, the rule of that primitive is at fault,
and the user's line is known.

On a kink the rule follows a convention, and any slope between the two sides is one. One beyond them is a mistake, which
`wrong_conventions` finds, equation by equation: there it cannot be excused by other kinks that the same argument touches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.checking.differences import central_difference
from chainrule.checking.findings import Fault
from chainrule.checking.kinks import EXTREME, place_of, sides_of, switches
from chainrule.checking.replay import SEEN_THROUGH, operands_of
from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.graphs import Equation, Graph

TOLERANCE = 1e-7
SLACK = 1e-5  # of a slope on a kink
MOST = 400  # equations that are tried; of many alike, the first ones
SHOWN = 3


def faulty_rules(graph: Graph, values: Sequence[Any], wrt: Sequence[int], seed: int) -> tuple[Fault, ...]:
    """The rules on the way from `wrt` to the output that disagree with their own forward.

    Parameters
    ----------
    graph : Graph
    values : sequence
        The value of every variable.
    wrt : sequence of int
    """
    random = np.random.Generator(np.random.Philox(seed))
    moving, depends = dependents(graph, set(wrt)), dependents(graph, arguments_of(graph))
    complete = [np.asarray(v)[()] if isinstance(v, (bool, int, float)) else v for v in values]
    found: list[Fault] = []
    tried: set[Any] = set()
    for equation in graph.reachable(graph.outputs):
        if equation.output not in moving or equation.primitive in SEEN_THROUGH or len(tried) >= MOST:
            continue
        params = resolved_params(equation, depends)
        for place, number in enumerate(equation.inputs):
            if type(number) is not int or number not in moving:
                continue
            kind = (equation.primitive, place, np.shape(complete[number]), params, equation.origin)
            if kind in tried or any(f.primitive == equation.primitive.name and f.operand == place + 1 for f in found):
                continue
            tried.add(kind)
            with np.errstate(all="ignore"):
                got, expected = _try(graph, equation, place, complete, params, random)
            if abs(got - expected) > TOLERANCE * max(abs(got), abs(expected)):
                found.append(_fault(graph, equation, place, got, expected))
                if len(found) == SHOWN:
                    return tuple(found)
    return tuple(found)


def wrong_conventions(graph: Graph, values: Sequence[Any], wrt: Sequence[int]) -> tuple[Fault, ...]:
    """The rules whose slope on a kink is not between the slopes on either side of it."""
    moving, depends = dependents(graph, set(wrt)), dependents(graph, arguments_of(graph))
    complete = [np.asarray(v)[()] if isinstance(v, (bool, int, float)) else v for v in values]
    found = []
    for equation in graph.reachable(graph.outputs):
        primitive = equation.primitive
        if equation.output not in moving or not switches(graph, equation):
            continue
        touching = np.logical_or.reduce([side.touching for side in sides_of(graph, equation, complete)])
        if not touching.any() or not (primitive.kind == "elementwise" or primitive in EXTREME):
            continue
        y = complete[equation.output]
        for place, number in enumerate(equation.inputs):
            if type(number) is not int or number not in moving or np.shape(complete[number]) != touching.shape:
                continue
            operands = operands_of(equation.inputs, complete)
            slope = primitive.vjp(place, np.ones(np.shape(y))[()], y, operands, resolved_params(equation, depends))
            if slope is None:
                continue
            low, high = (np.zeros(touching.shape), np.ones(touching.shape)) if primitive in EXTREME else _slopes(
                equation, place, operands, y
            )  # fmt: skip
            beyond = touching & ~((low - SLACK <= slope) & (slope <= high + SLACK))
            if beyond.any():
                index = tuple(np.argwhere(beyond)[0])
                got, bounds = float(np.asarray(slope)[index]), (float(low[index]), float(high[index]))
                fault = _fault(graph, equation, place, got, bounds[0] if got < bounds[0] else bounds[1])
                found.append(replace(fault, where="on the kink itself"))
    return tuple(found[:SHOWN])


def _slopes(equation: Equation, place: int, operands: tuple, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The smaller and the larger of the one-sided slopes of an elementwise primitive, entry by entry."""
    step = 2.0**-20 * np.maximum(1.0, np.abs(operands[place]))  # these primitives are straight on either side
    sides = []
    for way in (-step, step):
        moved = [*operands]
        moved[place] = operands[place] + way
        sides.append((np.asarray(equation.primitive.forward(*moved, *equation.params)) - y) / way)
    return np.minimum(*sides), np.maximum(*sides)


def _fault(graph: Graph, equation: Equation, place: int, got: float, expected: float) -> Fault:
    line, code = place_of(equation.origin)
    name = graph.variables[equation.output].name or ""
    return Fault(equation.primitive.name, place + 1, name, line, code, got, expected)


def _try(
    graph: Graph, equation: Equation, place: int, values: Sequence[Any], params: tuple, random: np.random.Generator
) -> tuple[float, float]:
    """The vjp of one operand along a random direction, and the difference quotient of the forward."""
    primitive = equation.primitive
    operands = operands_of(equation.inputs, values)
    x = np.asarray(operands[place], np.float64)
    y = values[equation.output]
    weights = random.standard_normal(np.shape(y))[()]
    direction = random.standard_normal(x.shape) * np.maximum(np.abs(x), 1e-3)
    if switches(graph, equation):
        for side in sides_of(graph, equation, values):
            if side.touching.shape == x.shape:
                direction = np.where(side.touching, 0.0, direction)
    pulled = primitive.vjp(place, weights, y, operands, params)
    got = float(np.sum(np.asarray(pulled, np.float64) * direction)) if pulled is not None else 0.0

    def line(t: float) -> float:
        moved = [*operands]
        moved[place] = (x + t * direction)[()]
        return float(np.sum(weights * np.asarray(primitive.forward(*moved, *params), np.float64)))

    expected, doubt = central_difference(line, 2.0**-10)
    unknown = not (math.isfinite(got) and math.isfinite(expected)) or doubt > 1e-3 * abs(got - expected)
    return (got, got) if unknown else (got, expected)
