"""Mistakes in the formula of a normalisation: batch norm, layer norm.

The one idea: people do not walk back through mean, square and root; they remember
``dx = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) / std``. A normalisation is recognised by its numbers, and each
term of that formula may be missing, or be a mean over the wrong axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override, Run

Axes = tuple[int, ...]


def of_normalisations(scene: Scene) -> Proposals:
    """The closed form with a term left out, or with means over other axes."""
    for below, above, axes, scale in _normalisations(scene):
        name, y = scene.name(above), scene.sheet.values[above]
        mean, spread = "the mean", "the deviation"

        formula = _closed_form(above, y)

        def over(group: Axes) -> Any:
            return lambda x: x.mean(axis=group, keepdims=True)

        def nothing(x: Any) -> Any:
            return 0 * x

        def scaled(x: Any, scale: Any = scale) -> Any:
            return x * scale

        right = over(axes)
        for word, says, override, rank in (
            ("detached_branch", f"{mean} of {name} is held constant", formula(nothing, right, scaled), 2),
            ("detached_branch", f"{spread} of {name} is held constant", formula(right, nothing, scaled), 2),
            (
                "detached_branch",
                f"{mean} and {spread} of {name} are held constant",
                formula(nothing, nothing, scaled),
                2,
            ),
            ("dropped_path", f"the division by {spread} of {name} is missing", formula(right, right, lambda x: x), 3),
            ("wrong_axis_sum", f"sums where {name} has means", formula(_summed(axes), _summed(axes), scaled), 3),
        ):
            yield Mutation(
                word, below, override, says, also=("dropped_path", "missing_activation_derivative"), rank=rank
            )
        every = itertools.chain.from_iterable(
            itertools.combinations(range(np.ndim(y)), n) for n in range(1, np.ndim(y) + 1)
        )
        for group in every:
            if group != axes:
                yield Mutation(
                    "wrong_axis_sum",
                    below,
                    formula(over(group), over(group), scaled),
                    f"the means in the gradient of {name} are over axis {group}, those of the forward pass over axis {axes}",
                    rank=2,
                )


def _closed_form(above: int, y: Any) -> Any:
    """The gradient by x for what stands for its two means and its division: (first, second, third) -> override."""

    def formula(first: Any, second: Any, third: Any) -> Override:
        def override(bar: Any, run: Run) -> Any:
            y_bar = run.cotangents[above]
            return third(y_bar - first(y_bar) - y * second(y_bar * y))

        return override

    return formula


def _summed(axes: Axes) -> Any:
    return lambda x: x.sum(axis=axes, keepdims=True)


def _normalisations(scene: Scene) -> Iterator[tuple[int, int, Axes, Any]]:
    """(x, its normalised form, the axes of its statistics, 1 / deviation), found by their numbers."""
    sheet = scene.sheet
    live = [n for n in sheet.order if n in sheet.maker and np.ndim(sheet.values[n]) and np.size(sheet.values[n]) > 2]
    for above in live:
        if scene.sheet.graph.equations[sheet.maker[above]].primitive.name not in ("divide", "multiply"):
            continue
        y = sheet.values[above]
        for below in sheet.order:
            if below == above or sheet.shape(below) != np.shape(y) or not sheet.reaches(above, below):
                continue
            x = sheet.values[below]
            for axes in ((0,), (np.ndim(y) - 1,)):
                centred = x - x.mean(axis=axes, keepdims=True)
                with np.errstate(all="ignore"):
                    ratio = np.sum(centred * y, axis=axes, keepdims=True) / np.sum(centred**2, axis=axes, keepdims=True)
                if (
                    np.isfinite(ratio).all()
                    and np.allclose(centred * ratio, y, rtol=1e-9, atol=1e-12)
                    and np.ptp(ratio) > 0
                ):
                    yield below, above, axes, ratio
                    break
