"""Mistakes in the derivative of an elementwise function, and in masks.

The one idea: whatever an activation is called, it is a `Link`, and what it sends back is a cotangent times a slope. Each
mistake here puts another slope in its place: none, twice, of another function, at another place, the other side's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diagnosis.activations import LIBRARY, SLIPS, derivatives
from chainrule.diagnosis.links import Link
from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override, Run
from chainrule.primitives.arithmetic import DIVIDE, MULTIPLY
from chainrule.primitives.comparison import WHERE

OF_LOSSES = ("missing_activation_derivative", "extra_activation_derivative", "wrong_activation")


def of_slopes(scene: Scene) -> Proposals:
    """Each function's derivative forgotten, applied twice, taken elsewhere, or another function's."""
    for link in scene.links:
        if not scene.sheet.depends(link.below):
            continue
        if link.elementwise and link.activation is not None and not link.activation.name.startswith("absolute"):
            yield from _of_function(scene, link)
        elif link.elementwise:
            yield from _of_stretch(scene, link)


def _of_function(scene: Scene, link: Link) -> Proposals:
    above, below = scene.name(link.above), scene.name(link.below)
    z, a = scene.sheet.values[link.below], scene.sheet.values[link.above]
    name = link.activation.name if link.activation else "function"
    slope = link.slope()
    yield from _of_stretch(scene, link)
    if np.array_equal(slope, np.ones_like(slope)):
        return
    places = {f"at {above} where it belongs at {below}": a}
    for where, at in places.items():
        yield _with_slope(
            link,
            link.slope(at),
            "derivative_at_activation_instead_of_preactivation",
            f"the derivative of the {name} in {above} is taken {where}",
            rank=1,
            kind=f"f'(a) {name}",
        )
    if link.activation is not None and link.activation.by_value is not None:
        with np.errstate(all="ignore"):
            yield _with_slope(
                link,
                link.activation.by_value(z),
                "derivative_at_preactivation_instead_of_activation",
                f"the derivative of the {name}, written for its value {above}, is fed with {below}",
                rank=1,
                kind=f"f'(z) {name}",
            )
    for text, slip in SLIPS.get(name, ()):
        yield _with_slope(
            link,
            slip(a),
            "wrong_activation",
            f"the derivative of the {name} in {above} is taken as {text}",
            rank=2,
            kind=f"{name} as {text}",
        )
    for other, at, number in scene.like(link.below):
        if number == link.above:
            continue
        if not scene.is_users(number) and scene.sheet.reaches(link.below, number):
            says = f"the derivative of {above} is taken at {other}, a part of {below}"
            yield _with_slope(link, link.slope(at), "forward_mismatch", says, rank=3, also=("off_by_one_layer",))
            continue
        rank = 2 if scene.is_users(number) else 5
        says = f"the derivative of {above} is taken at {other} where it belongs at {below}"
        yield _with_slope(link, link.slope(at), "off_by_one_layer", says, rank=rank, also=("wrong_index",))
        if link.activation is not None and link.activation.by_value is not None:
            with np.errstate(all="ignore"):
                found = link.activation.by_value(at)
            yield _with_slope(link, found, "off_by_one_layer", says, rank=rank, also=("wrong_index",))
    for label, at in ((below, z), (above, a)):
        for other, found in derivatives(at):
            if other == "identity":
                continue  # that is a missing derivative
            yield _with_slope(
                link,
                found,
                "wrong_activation",
                f"the derivative of the {other} is taken (at {label}), but {above} is the {name} of {below}",
                rank=2 if at is z else 3,
                kind=f"{name} taken for {other}",
                also=("forward_mismatch",),
            )
    with np.errstate(all="ignore"):
        for activation in LIBRARY:
            if activation.by_value is not None and activation is not link.activation:
                found = activation.by_value(a)
                if np.all(np.isfinite(found)):
                    yield _with_slope(
                        link,
                        found,
                        "wrong_activation",
                        f"the derivative of the {activation.name} is taken, but {above} is the {name} of {below}",
                        rank=2,
                        kind=f"{name} taken for {activation.name} by value",
                        also=("forward_mismatch",),
                    )
    levels = np.unique(slope)
    if len(levels) == 2:  # a mask, or the two slopes of a leaky relu
        yield _with_slope(
            link,
            levels.sum() - slope,
            "mask_wrong_side",
            f"the entries of {above} that are kept are those to drop",
            rank=1,
            kind=f"mask of {name}",
        )
        for k in (0.01, 0.1, 0.2, 0.3):
            yield _with_slope(
                link,
                np.where(slope == levels.max(), levels.max(), k),
                "wrong_activation",
                f"the smaller slope of {above} is taken as {k:g}, not {levels.min():g}",
                also=("forward_mismatch", "factor"),
                rank=2,
                kind=f"slope {k:g}",
            )
        yield _with_slope(
            link,
            -np.where(slope == levels.max(), -levels.max(), levels.max()),
            "sign",
            f"the slope of {above} has a sign where it has to have two values",
            rank=6,
        )


def _of_stretch(scene: Scene, link: Link) -> Proposals:
    """What can be forgotten or doubled of any stretch of elementwise arithmetic."""
    above, below = scene.name(link.above), scene.name(link.below)
    slope = link.slope()
    if np.ndim(slope) == 0 or _is_flat(slope):
        return
    whole = link.activation is not None
    yield _with_slope(
        link,
        np.ones_like(slope),
        "missing_activation_derivative",
        f"the derivative of {above} by {below} is missing: {scene.bar_name(link.below)} = {scene.bar_name(link.above)}",
        rank=1 if whole else 4,
        kind=f"no f' {link.activation.name}" if link.activation else "no f'",
        also=() if whole else ("wrong_activation",),
    )
    yield _with_slope(
        link,
        slope * slope,
        "extra_activation_derivative",
        f"the derivative of {above} by {below} is multiplied in twice",
        rank=2 if whole else 4,
        kind="f' twice",
    )
    yield Mutation(
        "extra_activation_derivative",
        link.below,
        lambda bar, run: bar * slope,
        f"{scene.bar_name(link.below)} is multiplied by the derivative of {above} once too often",
        rank=3 if whole else 5,
    )


def of_masks(scene: Scene) -> Proposals:
    """Fixed masks (dropout, padding) that are forgotten, turned round, or taken from another place."""
    sheet = scene.sheet
    for use, number in sheet.all_uses():
        equation = sheet.graph.equations[use[0]]
        if equation.primitive not in (MULTIPLY, DIVIDE) or not np.ndim(sheet.values[number]):
            continue
        other = equation.inputs[1 - use[1]]
        if type(other) is not int or sheet.depends(other) or (equation.primitive is DIVIDE and use[1] == 1):
            continue
        mask = np.asarray(sheet.values[other], dtype=float)
        levels = np.unique(mask)
        name, above = scene.name(other), scene.name(equation.output)
        zero_one = len(levels) == 2 and levels[0] == 0
        if zero_one and equation.primitive is MULTIPLY:
            for turned in (levels[1] - mask, 1.0 * (mask == 0)):
                yield Mutation(
                    "mask_wrong_side",
                    use,
                    _times(scene, use, turned),
                    f"the entries kept by {name} in {above} are those to drop",
                    rank=1,
                    kind=f"mask {name}",
                )
            yield Mutation(
                "mask_not_applied",
                use,
                _times(scene, use, mask != 0),
                f"{name} is applied as a mask on the way back, without its scale {levels[1]:g}",
                also=("factor",),
                rank=2,
                kind=f"mask {name}",
            )
        if len(levels) > 1:
            yield Mutation(
                "mask_not_applied",
                use,
                _times(scene, use, np.ones_like(mask)),
                f"{name}, by which {above} is multiplied, is missing on the way back",
                also=("missing_activation_derivative", "dropped_path"),
                rank=1 if zero_one else 2,
                kind=f"no mask {name}",
            )
            yield Mutation(
                "mask_not_applied",
                use,
                lambda bar, run, mask=mask: bar * mask,
                f"{name} is applied twice on the way back",
                also=("extra_activation_derivative",),
                rank=4,
            )
        for label, value, _ in [*scene.like(other), *_inputs_like(scene, other)]:
            yield Mutation(
                "off_by_one_layer",
                use,
                _times(scene, use, value),
                f"{label} is applied on the way back where {name} belongs",
                also=("wrong_index", "mask_not_applied", "stale_value"),
                rank=3,
                scaled="no",
            )


def of_branches(scene: Scene) -> Proposals:
    """The two branches of an `np.where` exchanged on the way back, or one of them let through everywhere."""
    sheet = scene.sheet
    for i, equation in enumerate(sheet.graph.equations):
        if equation.primitive is not WHERE or equation.output not in sheet.live:
            continue
        condition = np.asarray(sheet.operands(i)[0], dtype=bool)
        uses = [
            (i, place)
            for place in (1, 2)
            if type(o := equation.inputs[place]) is int and (i, place) in sheet.uses.get(o, ())
        ]
        if not uses or condition.shape != sheet.shape(equation.output):
            continue
        name = scene.name(equation.output)
        changes = [(use, _times(scene, use, ~condition if use[1] == 1 else condition)) for use in uses]
        yield Mutation(
            "mask_wrong_side",
            *changes[0],
            f"the condition of {name} is turned round on the way back",
            rank=1,
            more=tuple(changes[1:]),
            kind="where turned",
        )
        for use in uses:
            yield Mutation(
                "mask_not_applied",
                use,
                _times(scene, use, np.ones(condition.shape)),
                f"what comes back to a branch of {name} is not masked by its condition",
                also=("missing_activation_derivative",),
                rank=3,
                kind=f"where {use[1]} unmasked",
            )


def _inputs_like(scene: Scene, number: int) -> list[tuple[str, Any, int]]:
    value = scene.sheet.values[number]
    return [
        (name, other, -1)
        for name, other in scene.inputs.items()
        if np.shape(other) == np.shape(value) and not np.array_equal(other, value)
    ]


def _times(scene: Scene, use: Any, factor: Any) -> Override:
    def override(bar: Any, run: Run) -> Any:
        return run.cotangents[scene.sheet.graph.equations[use[0]].output] * factor

    return override


def _with_slope(link: Link, slope: Any, word: str, says: str, **facts: Any) -> Mutation:
    if np.array_equal(slope, link.slope()) or not np.any(slope):  # relu's slope is the same at z and at a: no mistake
        slope = np.full(np.shape(slope), np.nan)
    if link.in_loss and word in OF_LOSSES:
        facts["also"] = (word, *facts.get("also", ()))
        word = "wrong_loss_derivative"

    def override(bar: Any, run: Run) -> Any:
        return link.through(run.cotangents[link.above] * slope, run)

    uses = link.uses()
    if len(uses) == 1:  # as the contribution of that use: what came back from elsewhere is not touched

        def at_use(bar: Any, run: Run) -> Any:
            return run.cotangents[link.above] * slope

        return Mutation(word, uses[0], at_use, says, **facts)
    return Mutation(word, link.below, override, says, **facts)


def _is_flat(slope: Any) -> bool:
    return bool(np.all(slope == slope.flat[0])) if slope.size else True
