"""Mistakes of a loop over steps: the state before for the state after, in every step alike.

The one idea: in a recurrent network one weight meets a chain of states. An index that is off by one is off in each step,
and the gradient by the weight is a sum over all of them, so no single step explains it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.diagnosis.links import Link
from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.products import products
from chainrule.diagnosis.sheet import Override, Run, Use


def of_shifts(scene: Scene) -> Proposals:
    """The products of a shared weight with the neighbours of the states it met; slopes at the neighbouring states."""
    chains: dict[tuple[int, int], list[tuple[Use, int]]] = {}
    for use, number, _, _ in products(scene):
        partner = scene.sheet.graph.equations[use[0]].inputs[1 - use[1]]
        if number in scene.sheet.wrt and type(partner) is int:
            chains.setdefault((number, use[1]), []).append((use, partner))
    for (number, _), steps in chains.items():
        steps = sorted(steps)
        if len(steps) > 1:
            partners = [scene.sheet.values[partner] for _, partner in steps]
            after = [value for _, value in _after(scene, steps[-1][1])]
            for step, ends in ((1, [*after, None]), (-1, [0 * partners[0]])):
                for end in ends:
                    values = _shifted(partners, step, end)
                    changes = [(use, _with_partner(scene, use, v)) for (use, _), v in zip(steps, values, strict=True)]
                    yield _joined(
                        f"{scene.bar_name(number)} takes each step's neighbour where its own array belongs", changes
                    )
    yield from _of_slopes(scene)


def _after(scene: Scene, partner: int) -> list[tuple[int, Any]]:
    """The states behind the last one that a weight met."""
    shape = scene.sheet.shape(partner)
    return [
        (n, scene.sheet.values[n])
        for n in sorted(scene.sheet.order, reverse=True)
        if n > partner and scene.sheet.shape(n) == shape and scene.is_users(n)
    ][:2]


def _shifted(values: Sequence[Any], step: int, end: Any) -> list[Any]:
    if step == 1:
        return [*values[1:], values[-1] if end is None else end]
    return [end, *values[:-1]]


def _of_slopes(scene: Scene) -> Iterator[Mutation]:
    groups: dict[tuple[str, tuple[int, ...]], list[Link]] = {}
    for link in scene.links:
        if link.activation is not None and link.activation.by_value is not None and scene.is_users(link.above):
            groups.setdefault((link.activation.name, scene.sheet.shape(link.above)), []).append(link)
    for links in groups.values():
        links.sort(key=lambda link: link.above)
        if len(links) < 2:
            continue
        values = [scene.sheet.values[link.above] for link in links]
        for step, end in ((-1, 0 * values[0]), (1, None)):
            changes = []
            for link, value in zip(links, _shifted(values, step, end), strict=True):
                assert link.activation is not None
                assert link.activation.by_value is not None
                changes.append((link.below, _with_slope(link, link.activation.by_value(value))))
            yield _joined(
                f"the derivative of {scene.name(links[-1].above)} is taken at the neighbouring step's value, and so in each "
                "step",
                changes[::-1],
            )


def _joined(says: str, changes: list[tuple[Any, Override]]) -> Mutation:
    (site, override), *more = changes
    return Mutation(
        "off_by_one_layer",
        site,
        override,
        says,
        also=("wrong_index", "stale_value"),
        rank=4,
        scaled="no",
        more=tuple(more),
    )


def _with_partner(scene: Scene, use: Use, value: Any) -> Override:
    def override(bar: Any, run: Run) -> Any:
        i, place = use
        operands = list(scene.sheet.operands(i))
        operands[1 - place] = value
        return scene.sheet.pull(i, place, run.cotangents[scene.sheet.graph.equations[i].output], tuple(operands), None)

    return override


def _with_slope(link: Link, slope: Any) -> Override:
    return lambda bar, run: link.through(run.cotangents[link.above] * slope, run)


def of_recurrence(scene: Scene) -> Proposals:
    """Of a shared weight: some steps' contributions only, or none from one step to the one before."""
    for number in sorted(scene.sheet.wrt):
        uses = sorted(scene.sheet.uses.get(number, ()))
        if len(uses) < 2:
            continue
        lines = {str(scene.sheet.graph.equations[use[0]].origin) for use in uses}
        if len(lines) > 1 and len(uses) == 2:
            continue  # no loop: two places in the function
        for which, use in (("last", uses[-1]), ("first", uses[0])):
            yield Mutation(
                "overwritten_instead_of_accumulated",
                number,
                lambda bar, run, use=use: np.array(run.contributions[use]),
                f"{scene.bar_name(number)} is that of the {which} of {len(uses)} uses alone: each use has to be added",
                also=("dropped_path",),
                rank=1,
            )
