"""Mistakes with time: a weight that was updated too early, an array of another step, an optimizer's state returned.

The one idea: these need a number that nobody can know, the step size. It is solved for, so a claim stands only when the
same backward pass, called again at other arguments, asks for the same number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.products import products
from chainrule.diagnosis.sheet import Override, Run


def of_updates(scene: Scene) -> Proposals:
    """A parameter that had its update already when the backward pass read it."""
    sheet = scene.sheet
    for use, number, above, _ in products(scene):
        i, place = use
        partner = sheet.graph.equations[i].inputs[1 - place]
        if type(partner) is not int or partner not in sheet.wrt:
            continue
        yield Mutation(
            "stale_value",
            use,
            _updated(scene, use, partner),
            f"{scene.bar_name(number)}, from {scene.name(above)}, is computed with a {scene.name(partner)} "
            "that had been updated already",
            also=("off_by_one_layer",),
            rank=3,
            scaled="any",
            rest=lambda bar, run: bar,
            kind="updated",
            only_called=True,
        )
        for name, value in scene.inputs.items():
            if np.shape(value) == sheet.shape(partner) and not np.array_equal(value, sheet.values[partner]):
                yield Mutation(
                    "stale_value",
                    use,
                    _instead(scene, use, value),
                    f"{scene.bar_name(number)} is computed with {name} where {scene.name(partner)} belongs",
                    rank=3,
                    scaled="no",
                    also=("off_by_one_layer",),
                )


def of_moments(scene: Scene) -> Proposals:
    """A velocity, kept or passed in, returned in the place of the gradient."""
    sheet = scene.sheet
    for number in sorted(sheet.wrt):
        for name, value in scene.inputs.items():
            if np.shape(value) != sheet.shape(number) or getattr(value, "dtype", np.dtype(int)).kind != "f":
                continue
            for beta in (None, 0.9, 0.99, 0.95, 0.5, 0.8, 0.999):
                keeps = 1.0 if beta is None else 1 - beta
                yield Mutation(
                    "momentum_confused_with_gradient",
                    number,
                    lambda bar, run, keeps=keeps, value=value: keeps * bar + value,
                    f"{scene.bar_name(number)} is mixed with {name}: a velocity, not the gradient",
                    rank=4,
                    scaled="any",
                    rest=lambda bar, run, keeps=keeps: keeps * bar,
                    kind=f"momentum {beta}",
                )


def _updated(scene: Scene, use: tuple[int, int], partner: int) -> Override:
    def override(bar: Any, run: Run) -> Any:
        i, place = use
        step = scene.sheet.pull(i, 1 - place, run.cotangents[scene.sheet.graph.equations[i].output])
        return bar - _pulled(scene, use, step, run)

    return override


def _instead(scene: Scene, use: tuple[int, int], value: Any) -> Override:
    return lambda bar, run: _pulled(scene, use, value, run)


def _pulled(scene: Scene, use: tuple[int, int], value: Any, run: Run) -> Any:
    """What the product sends back with another array in the place of the parameter."""
    i, place = use
    operands = list(scene.sheet.operands(i))
    operands[1 - place] = value
    return scene.sheet.pull(i, place, run.cotangents[scene.sheet.graph.equations[i].output], tuple(operands), None)
