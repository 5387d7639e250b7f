"""Not mistakes: another slope at a kink, where every slope between those on either side is as good.

The one idea: at z = 0 relu has no derivative; chainrule takes 0 there, some take 1 or 1/2. A backward pass that differs at
such entries alone is right by another convention.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diagnosis.links import Link
from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override

WORD = "kink_hit_only"
SLOPES = (0.0, 0.5, 1.0, -1.0)


def of_kinks(scene: Scene) -> Proposals:
    """Each function with a kink that is hit exactly, with another slope there; then all of them alike."""
    sheet = scene.sheet
    for link in scene.links:
        if link.activation is None or not _has_kink(link):
            continue
        touching = sheet.values[link.below] == 0
        if not np.any(touching):
            continue
        slope = link.slope()
        for k in dict.fromkeys((*SLOPES, *(float(level) for level in np.unique(slope)))):
            other = np.where(touching, k, slope)
            if not np.array_equal(other, slope):
                yield Mutation(
                    WORD,
                    link.below,
                    _with(link, other),
                    f"{scene.name(link.below)} is exactly 0 in {int(np.count_nonzero(touching))} places, where "
                    f"{scene.name(link.above)} has a kink; the slope there is taken as {k:g}, and any slope between those on "
                    "either side is as good",
                    rank=1,
                    scaled="no",
                    kind=f"kink {k:g}",
                )


def _has_kink(link: Link) -> bool:
    name = link.activation.name if link.activation else ""
    return name in ("relu", "absolute value", "elu") or name.startswith("leaky")


def _with(link: Link, slope: Any) -> Override:
    return lambda bar, run: link.through(run.cotangents[link.above] * slope, run)
