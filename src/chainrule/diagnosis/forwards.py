"""Backward passes that compute the forward pass again, differently: a constant, an epsilon, a sign, a step left out.

The one idea: such a backward pass is right for another function. So the forward graph is changed in one equation, what
follows from it is computed again, either all of it or only as far as the expression goes, and the right backward pass
is run over these values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override, Sheet
from chainrule.primitives.arithmetic import ADD, DIVIDE, MULTIPLY, SUBTRACT
from chainrule.primitives.reduction import MEAN

SMALL = (0.0, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)  # what people write for an epsilon
EXCHANGED = {"add": np.subtract, "subtract": np.add}


def of_forwards(scene: Scene) -> Proposals:
    """The right backward pass of a forward pass that differs in one equation."""
    sheet = scene.sheet
    for i, equation in enumerate(sheet.graph.equations):
        number = equation.output
        if number not in sheet.live or not sheet.depends(number):
            continue
        for says, value, *literal in _changed(scene, i):
            if np.shape(value) != sheet.shape(number) or np.array_equal(value, sheet.values[number]):
                continue
            for everything in (True, False):
                yield Mutation(
                    "forward_mismatch",
                    number,
                    lambda bar, run: bar,
                    f"the backward pass computes {scene.name(number)} again, {says}",
                    also=("wrong_index", "dropped_path", "derivative_at_activation_instead_of_preactivation"),
                    rank=4 if everything else 5,
                    scaled="no",
                    values=follow(sheet, i, value, everything),
                    more=_with_literal(scene, i, *literal[0]) if literal else (),
                )
    for link in scene.links:
        value = sheet.values[link.below]
        if link.above in sheet.maker and scene.is_users(link.above) and np.shape(value) == sheet.shape(link.above):
            yield Mutation(
                "forward_mismatch",
                link.above,
                lambda bar, run: bar,
                f"the backward pass has {scene.name(link.below)} where the forward pass has {scene.name(link.above)}",
                also=("mask_not_applied", "missing_activation_derivative"),
                rank=4,
                scaled="no",
                values=follow(sheet, sheet.maker[link.above], value, everything=True),
            )


def _changed(scene: Scene, i: int) -> Iterator[tuple]:
    """(how it reads, the new value) for each way in which equation `i` may have been written differently."""
    sheet = scene.sheet
    equation = sheet.graph.equations[i]
    primitive, operands, params = equation.primitive, sheet.operands(i), sheet.params[i]
    with np.errstate(all="ignore"):
        if primitive.name in EXCHANGED:
            yield (
                f"with the sign of {_operand(scene, i, 1)} turned round",
                EXCHANGED[primitive.name](*operands),
            )
        if primitive is ADD or primitive is SUBTRACT:
            yield f"without {_operand(scene, i, 1)}", np.broadcast_to(operands[0], sheet.shape(equation.output))
            if primitive is ADD:
                yield f"without {_operand(scene, i, 0)}", np.broadcast_to(operands[1], sheet.shape(equation.output))
        if primitive is MEAN:
            count = np.size(operands[0]) / max(np.size(sheet.values[equation.output]), 1)
            if count > 1:
                yield (
                    f"dividing by {count - 1:g} where it is {count:g}",
                    sheet.values[equation.output] * count / (count - 1),
                )
                yield "as a sum", sheet.values[equation.output] * count
        if primitive is MULTIPLY or primitive is DIVIDE:
            for place in (0, 1):
                other = equation.inputs[1 - place]
                if type(other) is int and sheet.depends(other) or (primitive is DIVIDE and place == 1):
                    continue
                if np.shape(operands[place]) == sheet.shape(equation.output):
                    yield f"without the factor {_operand(scene, i, 1 - place)}", operands[place]
        for place, operand in enumerate(equation.inputs):
            if type(operand) is int:
                continue
            c = float(operand.value)  # type: ignore[union-attr]
            others = SMALL if abs(c) < 0.01 else (2 * c, c / 2, -c, c + 1, c - 1, 1.0, math.sqrt(abs(c)), c * c)
            for constant in dict.fromkeys(others):
                if constant != c:
                    changed = (*operands[:place], constant, *operands[place + 1 :])
                    yield (
                        f"with {constant:g} where it is {c:g}",
                        primitive.forward(*changed, *params),
                        (place, constant),
                    )


def _with_literal(scene: Scene, i: int, place: int, literal: float) -> tuple:
    """What equation `i` sends back with another number written in it."""
    sheet = scene.sheet
    equation = sheet.graph.equations[i]
    operands = list(sheet.operands(i))
    operands[place] = literal
    y = equation.primitive.forward(*operands, *sheet.params[i])

    def override(other: int) -> Override:
        return lambda bar, run: sheet.pull(i, other, run.cotangents[equation.output], tuple(operands), y)

    return tuple(((i, other), override(other)) for other, o in enumerate(equation.inputs) if type(o) is int)


def _operand(scene: Scene, i: int, place: int) -> str:
    operand = scene.sheet.graph.equations[i].inputs[place]
    return scene.name(operand) if type(operand) is int else f"{operand.value:g}"  # type: ignore[union-attr]


def follow(sheet: Sheet, i: int, value: Any, everything: bool) -> Mapping[int, Any]:
    """The forward values that change when equation `i` gives `value`: all, or those of the same expression alone."""
    graph = sheet.graph
    changed = {graph.equations[i].output: value}
    with np.errstate(all="ignore"):
        for j in range(i + 1, len(graph.equations)):
            equation = graph.equations[j]
            if not any(type(o) is int and o in changed for o in equation.inputs):
                continue
            if not everything and _named_before(sheet, equation, changed):
                continue
            operands = tuple(
                changed.get(o, sheet.values[o]) if type(o) is int else o.value  # type: ignore[union-attr]
                for o in equation.inputs
            )
            changed[equation.output] = equation.primitive.forward(*operands, *sheet.params[j])
    return changed


def _named_before(sheet: Sheet, equation: Any, changed: Mapping[int, Any]) -> bool:
    """Whether all that changed of an equation's operands has a name: then it was kept, not computed again."""
    variables = sheet.graph.variables
    return all(variables[o].name is not None for o in equation.inputs if type(o) is int and o in changed)
