"""Mistakes with a regulariser: its part of the gradient is missing, off by a factor, or there without being in the loss.

The one idea: what a penalty sends back to a parameter is a multiple of that parameter (or of its sign), so it can be
told from what comes back from the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override, Run, Use


def of_penalties(scene: Scene) -> Proposals:
    """A penalty of the loss that is missing or has another factor; one that the loss does not have."""
    for number in sorted(scene.sheet.wrt):
        if number not in scene.exact.cotangents:
            continue
        value, name = scene.sheet.values[number], scene.name(number)
        uses = [use for use in scene.sheet.uses.get(number, ()) if is_penalty(scene, number, use)]
        if uses:
            yield Mutation(
                "regularizer_factor",
                number,
                lambda bar, run: bar,
                f"the penalty's part of {scene.bar_name(number)}",
                rank=1,
                scaled="any",
                rest=_without(uses),
            )
            for text, direction in ((name, value), (f"the sign of {name}", np.sign(value))):
                yield Mutation(
                    "wrong_loss_derivative",
                    number,
                    _with_penalty(_without(uses), direction),
                    f"the penalty's part of {scene.bar_name(number)} is a multiple of {text}: that is another penalty's "
                    "derivative",
                    also=("missing_regularizer+extra_regularizer", "regularizer_factor"),
                    rank=3,
                    scaled="any",
                    rest=_without(uses),
                )
        for text, direction in (("", value), (" (its sign)", np.sign(value))):
            if uses:
                continue
            yield Mutation(
                "extra_regularizer",
                number,
                lambda bar, run, direction=direction: bar + direction,
                f"a multiple of {name}{text} is added to {scene.bar_name(number)}, but the loss has no such penalty",
                rank=2,
                scaled="any",
                rest=lambda bar, run: bar,
                kind="extra penalty",
            )
    for number in penalty_branches(scene)[:1]:
        yield Mutation(
            "missing_regularizer",
            number,
            lambda bar, run: 0 * bar,
            f"the penalty {scene.name(number)} of the loss is missing in the gradients",
            rank=1,
            scaled="no",
            also=("dropped_path", "detached_branch"),
        )
        yield Mutation(
            "regularizer_factor",
            number,
            lambda bar, run: bar,
            f"the penalty {scene.name(number)} of the loss",
            rank=1,
            scaled="any",
            rest=lambda bar, run: 0 * bar,
        )


def _with_penalty(rest: Override, direction: Any) -> Override:
    return lambda bar, run: rest(bar, run) + direction


def _without(uses: list[Use]) -> Override:
    """What comes back to a parameter from all but its penalty."""

    def override(bar: Any, run: Run) -> Any:
        for use in uses:
            bar = bar - run.contributions[use]
        return bar

    return override


def is_penalty(scene: Scene, number: int, use: Use) -> bool:
    """Whether a use is a regulariser's: what comes back is the parameter itself, or its sign, times a number."""
    sheet = scene.sheet
    if number in sheet.maker or np.size(sheet.values[number]) < 2 or not _leads_to_the_loss_alone(scene, use):
        return False
    value = sheet.values[number]
    part = scene.exact.contributions.get(use)
    if part is None:
        return False
    for other in sheet.uses[number]:  # w * w is used twice by one product
        if other != use and other[0] == use[0]:
            part = part + scene.exact.contributions[other]
    return any(_is_multiple(part, of) for of in (value, np.sign(value)))


def _leads_to_the_loss_alone(scene: Scene, use: Use) -> bool:
    """Whether what a use makes depends on nothing but this parameter."""
    equation = scene.sheet.graph.equations[use[0]]
    varying = {o for o in equation.inputs if type(o) is int and scene.sheet.depends(o)}
    return len(varying) == 1


def penalty_branches(scene: Scene) -> list[int]:
    """Variables made of parameters alone that stay so up to a number in the loss; from the loss on."""
    sheet = scene.sheet
    graph, sources = sheet.graph, _sources(scene)
    data = {n for n in graph.inputs if n not in sheet.wrt and np.ndim(sheet.values[n])} | set(graph.constants)
    parameters = set().union(*(sources.get(n, set()) for n in sheet.order)) & sheet.wrt
    alone = {n for n in sheet.order if n in sheet.maker and not sources[n] & data and sources[n] & sheet.wrt}
    found: list[int] = []
    for number in sheet.order:  # from the loss on: a use's output comes before its operands
        if number not in alone:
            continue
        above = [graph.equations[i].output for i, _ in sheet.uses.get(number, ())]
        if all(n in found for n in above) or not sheet.shape(number) and sources[number] & sheet.wrt < parameters:
            found.append(number)
    return found


def _sources(scene: Scene) -> dict[int, set[int]]:
    """For each variable, the inputs and constants that it is made of."""
    graph = scene.sheet.graph
    sources: dict[int, set[int]] = {n: {n} for n in (*graph.inputs, *graph.constants)}
    for equation in graph.equations:
        sources[equation.output] = set().union(*(sources[o] for o in equation.inputs if type(o) is int))
    return sources


def _is_multiple(part: Any, of: Any) -> bool:
    if np.shape(part) != np.shape(of):
        return False
    norm = float(np.sum(of * of))
    k = float(np.sum(part * of)) / norm if norm else 0.0
    return k != 0 and bool(np.max(np.abs(part - k * of)) <= 1e-9 * abs(k) * np.max(np.abs(of)))
