"""A traced graph run again: with values held fixed, or with every number moved by the rounding of its dtype.

The one idea: `evaluate` says what a graph means; a judge also wants to ask "what if". What if this value stayed as it was
while the arguments move (`stop_gradient`)? What if every sum had been rounded the other way: by how much would the result
change? That is the noise that no program for the same formula can be blamed for.

Only NumPy arrays pass through here, never traced values, and nothing is simplified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.graphs import Graph, Operand
from chainrule.primitives import arithmetic, comparison, control, indexing, linear_algebra, reduction, shaping
from chainrule.primitives.control import SHIFT, STOP_GRADIENT

TRIALS = 3
# what only moves, chooses or negates values is exact: were it to move them, equal ones (ties) would part
EXACT = frozenset((
    *comparison.FAMILY, *control.FAMILY, linear_algebra.TRANSPOSE, indexing.INDEX, shaping.RESHAPE, shaping.EXPAND_DIMS,
    shaping.SQUEEZE, shaping.BROADCAST_TO, shaping.CONCATENATE, shaping.STACK, reduction.MAX, reduction.MIN,
    arithmetic.NEGATIVE, arithmetic.POSITIVE, arithmetic.ABS, arithmetic.SIGN, arithmetic.MAXIMUM, arithmetic.MINIMUM,
    arithmetic.CLIP,
))  # fmt: skip
SEEN_THROUGH = (STOP_GRADIENT, SHIFT)


def replay(
    graph: Graph,
    arguments: Sequence[Any],
    *,
    frozen: Mapping[int, Any] | None = None,
    after: Callable[[int, Any], Any] | None = None,
) -> list[Any]:
    """The value of every variable, equation by equation.

    Parameters
    ----------
    graph : Graph
        Without named sizes: from a trace of real values.
    arguments : sequence of arrays
        In the order of `graph.inputs`.
    frozen : mapping of int to value, optional
        Variables that keep this value whatever their equation says.
    after : callable, optional
        ``after(place of the equation, value) -> value``, applied to each equation's output.
    """
    values: list[Any] = [None] * len(graph.variables)
    for number, value in graph.constants.items():
        values[number] = value
    for number, value in zip(graph.inputs, arguments, strict=True):
        values[number] = value
    for place, equation in enumerate(graph.equations):
        if frozen is not None and equation.output in frozen:
            values[equation.output] = frozen[equation.output]
            continue
        operands = operands_of(equation.inputs, values)
        primitive = equation.primitive
        if graph.variables[equation.output].weak and primitive.operator is not None:
            value = primitive.operator(*operands)
        else:
            value = primitive.forward(*operands, *equation.params)
        values[equation.output] = value if after is None else after(place, value)
    return values


def operands_of(inputs: Iterable[Operand], values: Sequence[Any]) -> tuple[Any, ...]:
    """What an equation's operands are worth."""
    return tuple(values[i] if type(i) is int else i.value for i in inputs)  # type: ignore[union-attr]


def value_of(operand: Operand, values: Sequence[Any]) -> Any:
    """What one operand is worth."""
    return operands_of((operand,), values)[0]


def rounding(
    graph: Graph, arguments: Sequence[Any], targets: Sequence[Operand], *, seed: int, start: int = 0
) -> list[np.ndarray]:
    """By how much the targets move when each number that is made moves by one unit of rounding, at random.

    Parameters
    ----------
    targets : sequence of int or Literal
        The variables that are asked about.
    start : int
        The first equation whose output moves: of a graph with its backward pass, the first derived one, so that no
        forward value crosses a kink.

    Returns
    -------
    list of ndarray of float64
        For each target, the largest move of each entry.
    """
    exact = replay(graph, arguments)
    random = np.random.Generator(np.random.Philox(seed))

    def move(place: int, value: Any) -> Any:
        dtype = getattr(value, "dtype", np.dtype(type(value)))
        if place < start or dtype.kind != "f" or graph.equations[place].primitive in EXACT:
            return value
        factor = 1 + np.finfo(dtype).eps * random.uniform(-1, 1, np.shape(value))
        moved = value * factor.astype(dtype)
        return moved if isinstance(value, (np.ndarray, np.generic)) else float(moved)

    # what was decided stays decided: a comparison of equal numbers would flip, and the result jump
    decided = {e.output: exact[e.output] for e in graph.equations if graph.variables[e.output].dtype.kind != "f"}
    decided |= {e.output: exact[e.output] for e in graph.equations if e.primitive is arithmetic.SIGN}
    moves = [np.zeros(np.shape(value_of(target, exact))) for target in targets]
    for _ in range(TRIALS):
        moved = replay(graph, arguments, frozen=decided, after=move)
        for k, target in enumerate(targets):
            difference = np.abs(float64(value_of(target, moved)) - float64(value_of(target, exact)))
            moves[k] = np.fmax(moves[k], np.where(np.isfinite(difference), difference, 0.0))
    return moves


def pull_back(graph: Graph, values: Sequence[Any], cotangents: Mapping[int, Any]) -> dict[int, Any]:
    """The cotangents of the inputs when these variables have those cotangents, on plain numbers.

    Unlike a derived backward pass it sees through `stop_gradient`: it is asked what *moves* a variable, and the user's
    function knows of no such thing.
    """
    depends = dependents(graph, arguments_of(graph))
    complete = [np.asarray(v)[()] if isinstance(v, (bool, int, float)) else v for v in values]
    bars: dict[int, Any] = dict(cotangents)
    for equation in reversed(graph.equations):
        y_bar = bars.pop(equation.output, None)
        if y_bar is None or graph.variables[equation.output].dtype.kind != "f":
            continue
        operands = operands_of(equation.inputs, complete)
        params = resolved_params(equation, depends)
        for place, number in enumerate(equation.inputs):
            if type(number) is not int or graph.variables[number].dtype.kind != "f":
                continue
            if equation.primitive in SEEN_THROUGH:
                x_bar = y_bar
            else:
                x_bar = equation.primitive.vjp(place, y_bar, complete[equation.output], operands, params)
            if x_bar is not None:
                bars[number] = bars[number] + x_bar if number in bars else x_bar
    return {number: bars[number] for number in graph.inputs if number in bars}


def reached_by(graph: Graph, numbers: Iterable[int]) -> set[int]:
    """Every variable, of whatever dtype, that changes when these do."""
    reached = set(numbers)
    for equation in graph.equations:
        if any(type(i) is int and i in reached for i in equation.inputs):
            reached.add(equation.output)
    return reached


def float64(value: Any) -> np.ndarray:
    """A value as an array of float64."""
    return np.asarray(np.real(value), dtype=np.float64)
