"""From a mistake to the corrected line: what the backward pass has to return once that mistake alone is gone.

The one idea: a correction is believed because the corrected function was run. With several mistakes, each is mended while
the others stay: then the result has to be the prediction with the others alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.diagnosis.bench import Bench
from chainrule.diagnosis.mending import Mend, find_mend
from chainrule.diagnosis.mutation import combined
from chainrule.diagnosis.search import Cause
from chainrule.diagnosis.sheet import Run

Read = Callable[[Any], "dict[int, np.ndarray]"]  # a result of the backward pass, by variable


def mend_causes(
    backward: Callable,
    args: tuple,
    kwargs: dict,
    bench: Bench,
    groups: Sequence[Sequence[Cause]],
    read: Read,
    is_right_elsewhere: Callable[[Callable], bool],
    seconds: float,
) -> tuple[list[Mend | None], Callable | None]:
    """A mend for each mistake, if one is found, and the corrected function where there was only one.

    Parameters
    ----------
    backward, args, kwargs
        The user's function, and what it is called with.
    bench : Bench
        Where the causes were found.
    groups : sequence of sequence of Cause
        The mistakes, from the loss on; a group is one mistake at several places.
    read : callable
        Takes a result apart.
    is_right_elsewhere : callable
        Whether a function is right at other arguments too.
    seconds : float
        For all of it.
    """
    mends: list[Mend | None] = []
    for group in groups:
        rest = [cause for other in groups if other is not group for cause in other]
        wanted = _run_of(bench, rest)
        number = bench.scene.sheet.variable_of(group[0].mutation.site)
        mends.append(
            find_mend(
                backward,
                args,
                kwargs,
                _acceptance(bench, wanted, read),
                words=group[0].mutation.word.split("+"),
                wrong=_run_of(bench, [*group, *rest]).cotangents.get(number),
                right=wanted.cotangents.get(number),
                confirm=None if rest else is_right_elsewhere,
                seconds=seconds / len(groups),
            )
        )
    only = mends[0] if len(mends) == 1 else None
    return mends, only.function_after if only is not None and only.new is not None else None


def _run_of(bench: Bench, causes: Sequence[Cause]) -> Run:
    """The backward pass with these mistakes alone."""
    sheet = bench.scene.sheet
    overrides: Any = {}
    for cause in causes:
        if cause.mutation.values is not None:
            sheet = sheet.with_values(cause.mutation.values)
        overrides = combined(overrides, cause.mutation)
    with np.errstate(all="ignore"):
        return sheet.run(overrides)


def _acceptance(bench: Bench, wanted: Run, read: Read) -> Callable[[Any], bool]:
    def accepts(result: Any) -> bool:
        try:
            found = read(result)
        except (ValueError, TypeError):
            return False
        gradients = [target for target in bench.targets if target.gradient]
        return all(
            target.number in found
            and np.isfinite(found[target.number]).all()
            and dataclasses.replace(target, value=np.asarray(found[target.number], dtype=float)).explained_by(
                wanted.cotangents[target.number]
            )
            for target in gradients
        )

    return accepts
