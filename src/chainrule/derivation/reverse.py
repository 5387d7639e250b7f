"""The backward pass: the sum over paths, and nothing else.

Each variable collects one contribution from every place where it is used. That is why the equations are walked
backwards: when an equation's turn comes, every use of its output has been seen, so its cotangent is complete. The
smallest counter-example is ``y = x * x``: taken use by use, x collects ``y_bar * x`` twice, and only their sum is right.

The selection of an `np.where` travels with the cotangent through elementwise equations, and through those that only
move, stretch or add: a branch not taken has cotangent 0 there, and 0 times an infinite partial would be NaN, so the
product is selected again by the same mask.

Inside of a checkpoint, rules read values that are computed again: `replaying.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.derivation.building import Builder, arguments_of, dependents, resolved_params
from chainrule.derivation.replaying import Replays
from chainrule.graphs import Graph, Operand, Variable
from chainrule.primitive import Primitive
from chainrule.primitives.comparison import WHERE
from chainrule.primitives.control import HOLD
from chainrule.primitives.indexing import INDEX
from chainrule.primitives.linear_algebra import TRANSPOSE
from chainrule.primitives.reduction import MEAN, SUM
from chainrule.primitives.shaping import (
    BROADCAST_TO,
    CONCATENATE,
    CONVERT,
    EXPAND_DIMS,
    RESHAPE,
    SQUEEZE,
    STACK,
    max_to,
)

MOVES = frozenset((RESHAPE, TRANSPOSE, EXPAND_DIMS, SQUEEZE, INDEX, CONCATENATE, STACK))  # their vjp moves masks too


@dataclass
class Backward:
    """A forward graph with its backward pass appended.

    Attributes
    ----------
    graph : Graph
        Forward equations first, then the derived ones; its outputs are still the forward outputs.
    seeds : list of int
        Input variables that take the cotangents of the outputs; empty when the seed is the number 1.
    cotangents : list
        For each input asked for: the variable (or literal) that is its cotangent.
    """

    graph: Graph
    seeds: list[int] = field(default_factory=list)
    cotangents: list[Operand] = field(default_factory=list)


@dataclass(slots=True)
class Contribution:
    """A cotangent on its way along one path, with the mask (maybe with unit axes) outside which it is zero."""

    value: Any
    mask: Any = None


def derive_vjp(graph: Graph, wrt: Sequence[int], *, seed_one: bool = False) -> Backward:
    """Append the backward pass of `graph` for the inputs numbered `wrt`.

    Parameters
    ----------
    graph : Graph
    wrt : sequence of int
        Input variables.
    seed_one : bool
        Take the one, scalar output's cotangent as 1 instead of as a new input.
    """
    builder = Builder(graph)
    varying = dependents(graph, set(wrt))
    depends = dependents(graph, arguments_of(graph))
    collected: dict[int, list[Contribution]] = {}
    replays = Replays(builder, lambda: [builder.operand(c.value) for waiting in collected.values() for c in waiting])
    seeds: list[int] = []
    builder.step("seed")
    for output in graph.outputs:
        variable = _variable_of(graph, output)
        if seed_one:
            bar = builder.full(1, (), variable.dtype)
        else:
            name = f"d{variable.name}" if variable.name else None
            bar = builder.trace.input(variable=Variable(variable.shape, variable.dtype, False, name))
            seeds.append(bar.number)
        if type(output) is int and output in varying:
            collected.setdefault(output, []).append(Contribution(bar))
    checkpoint: tuple[int, ...] = ()
    for equation in reversed(graph.equations):
        if equation.output in varying and equation.output in collected:
            if checkpoint != (checkpoint := replays.segment_of(equation)[:1]):
                _meet_early(builder, collected)
            total = _collect(builder, equation.output, collected[equation.output])
            _pull_back(builder, replays, equation, total, varying, depends, collected)
            del collected[equation.output]
    cotangents: list[Operand] = []
    for number in wrt:
        variable = graph.variables[number]
        if number in collected:
            total = _collect(builder, number, collected[number])
            cotangents.append(builder.operand(total.value))
        else:
            builder.step("no path to the loss", variable.name or "")
            cotangents.append(builder.operand(builder.full(0, variable.shape, variable.dtype)))
    builder.trace.step = None
    builder.graph.segments = {}  # they have done their work: what is derived is an ordinary graph
    return Backward(builder.graph, seeds, cotangents)


def _variable_of(graph: Graph, output: Operand) -> Variable:
    if type(output) is int:
        return graph.variables[output]
    return Variable((), np.dtype(np.float64))


def _collect(builder: Builder, number: int, contributions: list[Contribution]) -> Contribution:
    """The cotangent of a variable: the sum of what its uses sent back."""
    variable = builder.graph.variables[number]
    total, mask = _summed(builder, number, contributions)
    total = builder.in_dtype(total, variable.dtype)
    if variable.name and hasattr(total, "variable") and total.variable.name is None:
        total.variable.name, total.variable.depth = f"d{variable.name}", variable.depth
    return Contribution(total, mask)


def _summed(builder: Builder, number: int, contributions: list[Contribution]) -> tuple[Any, Any]:
    total = contributions[0].value
    mask = contributions[0].mask
    if len(contributions) > 1:
        name = builder.graph.variables[number].name or ""
        builder.step("sum over paths", name, f"used {len(contributions)} times")
        for contribution in contributions[1:]:
            total = total + contribution.value
            mask = mask | contribution.mask if mask is not None and contribution.mask is not None else None
    return total, mask


def _meet_early(builder: Builder, collected: dict[int, list[Contribution]]) -> None:
    """Sum up at the border of a checkpoint: contributions that wait for each other would all be kept.

    In a recurrent network every step sends one back to the same weights.
    """
    for number, waiting in collected.items():
        if len(waiting) > 1 and builder.graph.variables[number].shape:
            total, mask = _summed(builder, number, waiting)
            collected[number] = [Contribution(builder.trace.record(HOLD, (total,), ((),)), mask)]


def _pull_back(builder, replays, equation, total: Contribution, varying, depends, collected) -> None:
    primitive = equation.primitive
    name = builder.graph.variables[equation.output].name or ""
    segment = replays.segment_of(equation)
    operands = tuple(replays.read(operand, segment) for operand in equation.inputs)
    y = replays.read(equation.output, segment)
    params = resolved_params(equation, depends)
    for place, number in enumerate(equation.inputs):
        if type(number) is not int or number not in varying:
            continue
        builder.step(f"vjp of {primitive.name}", name, f"by operand {place + 1} of {primitive.name}")
        bar = primitive.vjp(place, total.value, y, operands, params)
        if bar is None:
            continue
        mask = None
        if primitive is WHERE:
            mask = _selection(operands[0], place, total.mask)
        elif primitive.kind == "elementwise":
            mask = total.mask
            if mask is not None and primitive.singular and not _is_scaled(builder, bar, total.value):
                bar = np.where(mask, bar, 0.0)
        elif total.mask is not None:
            mask = _moved(primitive, place, total.mask, y, operands, params)
        bar = builder.in_dtype(bar, builder.graph.variables[number].dtype)
        collected.setdefault(number, []).append(Contribution(bar, mask))


def _selection(condition, place: int, outer):
    if not hasattr(condition, "ndim"):  # a condition that is written True or False
        return None
    mask = condition if place == 1 else np.logical_not(condition)
    return mask if outer is None else outer & mask


def _moved(primitive: Primitive, place: int, mask, y, operands: tuple, params: tuple):
    """The mask on the other side of an equation that only moves, stretches or adds values; else None."""
    if primitive is CONVERT:
        return mask
    if primitive in MOVES:
        mask = mask if mask.shape == y.shape else np.broadcast_to(mask, y.shape)
        return primitive.vjp(place, mask, y, operands, params)
    if primitive in (SUM, MEAN):
        axes, keepdims = params
        return mask if keepdims or not axes else np.expand_dims(mask, axes)
    return max_to(mask, operands[0].shape) if primitive is BROADCAST_TO else None


def _is_scaled(builder: Builder, bar, y_bar) -> bool:
    """Whether `bar` is `y_bar` times a number: then it is finite where y_bar is."""
    last = builder.graph.equations[-1]
    return last.output == bar.number and y_bar.number in last.inputs and any(type(i) is not int for i in last.inputs)
