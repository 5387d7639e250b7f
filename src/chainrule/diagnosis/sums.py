"""Mistakes where a value was stretched over an axis: what comes back has to be summed over it, and over nothing else.

The one idea: a bias is shared by all samples, so its gradient is a sum over them. One sample's, everyone's apart, the
sum over the units, over everything: all of these have been written, and some have the right shape.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override, Run, Use
from chainrule.primitives.reduction import MEAN, SUM
from chainrule.primitives.shaping import BROADCAST_TO


def of_stretches(scene: Scene) -> Proposals:
    """A cotangent that is summed over another axis than the one its value was stretched over, or not at all."""
    sheet = scene.sheet
    for use, number in sheet.all_uses():
        equation = sheet.graph.equations[use[0]]
        if equation.primitive is not BROADCAST_TO:
            continue
        wide, narrow = sheet.shape(equation.output), sheet.shape(number)
        name = scene.bar_name(number)
        summed = _summed_axes(narrow, wide)
        shared = " and ".join(f"axis {axis}" for axis in summed) or "no axis"
        for word, reads, kind, fold in _folds(wide, narrow, summed):
            yield Mutation(
                word,
                use,
                _folded(scene, use, fold, narrow),
                f"{name} {reads}; {scene.name(number)} is shared along {shared}, so it is summed over {shared} only",
                also=_ALSO[word],
                rank=(1 if word == "bias_not_summed" else 2) + (0 if number in sheet.wrt else 4),
                kind=kind,
            )
        for other in sheet.order:
            if other != equation.output and sheet.shape(other) == wide and _is_later(scene, other, equation.output):
                linked = sheet.reaches(other, equation.output)
                yield Mutation(
                    "missing_activation_derivative" if linked else "off_by_one_layer",
                    use,
                    _folded_of(scene, use, other),
                    f"{name} is the sum of {scene.bar_name(other)} where {scene.bar_name(equation.output)} belongs",
                    also=("off_by_one_layer",),
                    rank=4,
                    scaled="no",
                )


_ALSO = {
    "bias_not_summed": ("wrong_index", "wrong_axis_sum", "keepdims_broadcast"),
    "wrong_axis_sum": ("keepdims_broadcast", "bias_not_summed"),
    "wrong_index": ("bias_not_summed",),
    "transposed": (),
}


def _summed_axes(narrow: tuple[int, ...], wide: tuple[int, ...]) -> tuple[int, ...]:
    lead = len(wide) - len(narrow)
    return (*range(lead), *(lead + a for a, size in enumerate(narrow) if size == 1 and wide[lead + a] != 1))


def _folds(
    wide: tuple[int, ...], narrow: tuple[int, ...], summed: tuple[int, ...]
) -> Iterator[tuple[str, str, str, Any]]:
    """(word, how it reads, kind, what is done) for everything but the right sum."""
    yield "bias_not_summed", "is not summed: it is the gradient of each sample apart", "no sum", lambda bar: bar
    for which, text in ((0, "first"), (-1, "last")):
        yield (
            "bias_not_summed",
            f"is that of the {text} sample alone",
            f"{text} only",
            lambda bar, which=which: np.take(bar, [which], axis=summed[0]) if summed else bar,
        )
    axes = range(len(wide))
    for count in range(1, len(wide) + 1):
        for group in itertools.combinations(axes, count):
            if group != summed:
                what = "everything" if count == len(wide) else " and ".join(f"axis {axis}" for axis in group)
                yield (
                    "wrong_axis_sum",
                    f"is summed over {what}",
                    f"sum over {group}",
                    lambda bar, group=group: bar.sum(axis=group),
                )
    yield (
        "wrong_axis_sum",
        "is the sum over everything, in each entry",
        "sum in each entry",
        lambda bar: np.full(narrow, bar.sum()),
    )
    yield "wrong_index", "takes the largest entry instead of the sum", "max", lambda bar: bar.max(axis=summed)


def _is_later(scene: Scene, other: int, number: int) -> bool:
    return scene.sheet.order[other] <= scene.sheet.order.get(number, 1 << 30)


def _folded_of(scene: Scene, use: Use, other: int) -> Override:
    return lambda bar, run: scene.sheet.pull(*use, run.cotangents[other])


def _folded(scene: Scene, use: Use, fold: Any, narrow: tuple[int, ...]) -> Override:
    def override(bar: Any, run: Run) -> Any:
        folded = fold(run.cotangents[scene.sheet.graph.equations[use[0]].output])
        if folded.size == np.prod(narrow, dtype=int):
            return folded.reshape(narrow)
        return folded

    return override


def of_reductions(scene: Scene) -> Proposals:
    """What comes back through a mean or a sum of the forward pass, divided by a wrong count or not spread."""
    sheet = scene.sheet
    for use, number in sheet.all_uses():
        equation = sheet.graph.equations[use[0]]
        if equation.primitive not in (SUM, MEAN) or number == sheet.loss or not sheet.shape(equation.output):
            continue
        yield Mutation(
            "wrong_axis_sum",
            use,
            lambda bar, run, above=equation.output: np.full(bar.shape, run.cotangents[above].sum()) / bar.size,
            f"what comes back from {scene.name(equation.output)} is averaged over everything",
            rank=4,
        )


def of_shapes(scene: Scene) -> Proposals:
    """Gradients of another shape than what they are the gradient of: an axis too many, summed away, or in other order."""
    for target in scene.targets:
        shape, theirs = scene.sheet.shape(target.number), target.value.shape
        if shape == theirs:
            continue
        name = target.name
        for word, reads, change in _reshapings(shape, theirs):
            yield Mutation(
                word,
                target.number,
                lambda bar, run, change=change: change(bar),
                f"{name} {reads}: its shape is {theirs}, but it is to have {shape}",
                also=_ALSO.get(word, ()),
                rank=1,
            )


def _reshapings(shape: tuple[int, ...], theirs: tuple[int, ...]) -> Iterator[tuple[str, str, Any]]:
    """(word, how it reads, what is done) for each way from the right shape to another."""
    if math.prod(shape) == math.prod(theirs):
        if [n for n in shape if n != 1] == [n for n in theirs if n != 1]:
            yield (
                "keepdims_broadcast",
                "has the right numbers, with an axis too many or too few",
                lambda bar: bar.reshape(theirs),
            )
        elif theirs == shape[::-1]:
            yield "transposed", "is transposed", lambda bar: bar.T
        else:
            yield (
                "reshape_instead_of_transpose",
                "has the right numbers, in another order",
                lambda bar: bar.reshape(theirs),
            )
        if min(len(shape), len(theirs)) > 1 and 1 not in shape:
            yield (
                "reshape_instead_of_transpose",
                "has the right numbers, in another order",
                lambda bar: bar.T.reshape(theirs),
            )
    for count in range(1, len(shape) + 1):
        for group in itertools.combinations(range(len(shape)), count):
            what = "everything" if count == len(shape) else " and ".join(f"axis {axis}" for axis in group)
            if all(shape[axis] == 1 for axis in group):
                continue
            yield "wrong_axis_sum", f"is summed over {what}", lambda bar, group=group: bar.sum(axis=group)
            yield (
                "wrong_axis_sum",
                f"is summed over {what}",
                lambda bar, group=group: bar.sum(axis=group, keepdims=True),
            )
