"""Mistakes in a cotangent as a whole: its size and sign, its layout, and the paths that make it up."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.penalties import is_penalty, penalty_branches
from chainrule.diagnosis.sheet import Override, Run, Use

FEW = 5  # uses up to which every subset of them is tried


def of_size(scene: Scene) -> Proposals:
    """A factor on a cotangent, or on what comes back from one use."""
    penalties = penalty_branches(scene)
    for number in scene.sheet.order:
        far = 8 if number in penalties else 0  # there it is the penalty's factor
        yield Mutation("", number, lambda bar, run: bar, "", rank=far, scaled="any")
        uses = scene.sheet.uses.get(number, ())
        if len(uses) > 1:
            for use in uses:
                says = f"what comes back from {_consumer(scene, use)}"
                far = 8 if is_penalty(scene, number, use) else 4
                yield Mutation("", use, lambda bar, run: bar, says, rank=far, scaled="any")


def of_paths(scene: Scene) -> Proposals:
    """Contributions that were forgotten, overwritten, or taken off instead of added."""
    sheet = scene.sheet
    for number in sheet.order:
        uses = sheet.uses.get(number, [])
        if number == sheet.loss:
            continue
        if len(uses) == 1 or sheet.shape(number) or number in sheet.maker:
            yield Mutation(
                "detached_branch",
                number,
                lambda bar, run: np.zeros_like(bar),
                f"{scene.name(number)} is held constant: nothing comes back through it",
                also=("dropped_path",),
                rank=4 if scene.is_users(number) else 6,
                scaled="no",
            )
        for kept in _subsets(uses):
            dropped = [use for use in uses if use not in kept]
            penalty = len(dropped) == 1 and is_penalty(scene, number, dropped[0])
            gone = " and ".join(_consumer(scene, use) for use in dropped[:3])
            yield Mutation(
                "missing_regularizer" if penalty else "dropped_path",
                number,
                _only(kept),
                f"the penalty's part, from {gone}, is missing"
                if penalty
                else f"{scene.name(number)} is used {len(uses)} times, and what comes back from {gone} is missing",
                also=() if penalty else ("overwritten_instead_of_accumulated", "detached_branch"),
                rank=_far_fetched(scene, number, dropped),
                scaled="named",
                kind=_kind(scene, dropped),
            )
        for use in uses if len(uses) > 1 else ():
            yield Mutation(
                "sign",
                use,
                lambda bar, run: -bar,
                f"what comes back from {_consumer(scene, use)} has the wrong sign",
                rank=2,
                scaled="no",
            )


def _far_fetched(scene: Scene, number: int, dropped: list[Use]) -> int:
    """One forgotten use is likely; not if it is a part of an activation, which is differentiated in one go."""
    inside = any(link.activation and dropped[0][0] in link.equations for link in scene.links if link.below == number)
    return (1 if len(dropped) == 1 else 2 + len(dropped)) + (2 if inside else 0)


def _kind(scene: Scene, dropped: list[Use]) -> str:
    """The same for the same use in each step of a loop: by what it is used with."""
    if len(dropped) != 1:
        return ""
    equation = scene.sheet.graph.equations[dropped[0][0]]
    partners = [scene.name(o) for o in equation.inputs if type(o) is int and o in scene.sheet.wrt]
    return f"no use in {equation.primitive.name} with {partners}" if partners else ""


def of_layout(scene: Scene) -> Proposals:
    """A square cotangent transposed, or any read in the wrong order."""
    for number in scene.sheet.order:
        shape = scene.sheet.shape(number)
        if len(shape) < 2:
            continue
        name = scene.bar_name(number)
        if shape[-1] == shape[-2]:
            yield Mutation("transposed", number, _swapped, f"{name} is transposed", rank=2)
        yield Mutation(
            "reshape_instead_of_transpose",
            number,
            lambda bar, run: _swapped(bar, run).reshape(bar.shape),
            "the product is built the other way round, then reshaped where it has to be transposed",
            rank=3,
        )
        for axis in range(len(shape)):
            if shape[axis] > 1:
                for step in (1, -1):
                    yield Mutation(
                        "wrong_index",
                        number,
                        lambda bar, run, axis=axis, step=step: np.roll(bar, step, axis),
                        f"{name} is shifted by one along axis {axis}",
                        also=("off_by_one_layer",),
                        rank=8,
                        scaled="no",
                    )


def _swapped(bar: Any, run: Run) -> Any:
    return np.swapaxes(bar, -1, -2)


def _consumer(scene: Scene, use: Use) -> str:
    """Where a use stands: the name of what it went into."""
    return scene.name(scene.sheet.graph.equations[use[0]].output)


def _only(kept: tuple[Use, ...]) -> Override:
    def override(bar: Any, run: Run) -> Any:
        total = 0 * bar
        for use in kept:
            total = total + run.contributions[use]
        return total

    return override


def _subsets(uses: list[Use]) -> list[tuple[Use, ...]]:
    """Parts of the uses that may have been all that was seen: every one where they are few, else the likely ones."""
    count = len(uses)
    if count < 2:
        return []
    if count <= FEW:
        return [kept for size in range(count - 1, 0, -1) for kept in itertools.combinations(uses, size)]
    singles = [(use,) for use in uses]
    without = [tuple(u for u in uses if u != use) for use in uses]
    runs = [tuple(uses[:n]) for n in range(2, count - 1)] + [tuple(uses[n:]) for n in range(2, count - 1)]
    return [*without, *singles, *runs]
