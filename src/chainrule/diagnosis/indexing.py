"""Mistakes with entries that were picked by index: what comes back is assigned where it has to be added, or goes elsewhere.

The one idea: an index that names a row twice sends two contributions back to it. `dE[idx] += bar` keeps only one of them,
since NumPy writes the same place twice; `np.add.at` adds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.products import products
from chainrule.diagnosis.sheet import Override, Run, Use
from chainrule.primitives.indexing import INDEX, rebuild


def of_indices(scene: Scene) -> Proposals:
    """An index that repeats, written over; or another index."""
    sheet = scene.sheet
    for use, number in sheet.all_uses():
        equation = sheet.graph.equations[use[0]]
        if equation.primitive is not INDEX or use[1] != 0:
            continue
        arrays = [np.asarray(a) for a in sheet.operands(use[0])[1:]]
        template = sheet.params[use[0]][-1]
        name = scene.bar_name(number)
        yield Mutation(
            "overwritten_instead_of_accumulated",
            use,
            _scattered(scene, use, template, arrays, number, adds=False),
            f"where an index names an entry of {name} twice, the contributions are to be added; np.add.at does that",
            also=("dropped_path",),
            rank=1,
            kind="scatter",
        )
        for step in (1, -1):
            shifted = [(array + step) % sheet.shape(number)[0] for array in arrays]
            if shifted:
                yield Mutation(
                    "wrong_index",
                    use,
                    _scattered(scene, use, template, shifted, number, adds=True),
                    f"what comes back to {name} is added to the neighbours of the entries that were picked",
                    also=("off_by_one_layer",),
                    rank=2,
                    kind=f"scatter {step}",
                )
        for array in arrays:
            places = np.arange(array.shape[-1]) if array.ndim else np.arange(1)
            yield Mutation(
                "wrong_index",
                use,
                _scattered(scene, use, template, [np.broadcast_to(places, a.shape) for a in arrays], number, adds=True),
                f"what comes back to {name} is added at its place in the index, not at the entry that the index names",
                also=("off_by_one_layer",),
                rank=3,
                kind="scatter by place",
            )
            if array.ndim == 2:
                rows = np.broadcast_to(np.arange(array.shape[0])[:, None], array.shape)
                yield Mutation(
                    "wrong_index",
                    use,
                    _scattered(scene, use, template, [rows], number, adds=True),
                    f"what comes back to {name} is added at its row in the index, not at the entry that the index names",
                    rank=3,
                )


def of_one_hots(scene: Scene) -> Proposals:
    """The same where rows are picked by a product with one-hot rows or columns."""
    for use, number, _, other in products(scene):
        sums = [axis for axis in (np.ndim(other) - 1, np.ndim(other) - 2) if np.allclose(np.sum(other, axis=axis), 1)]
        if not sums or not set(np.unique(other)) <= {0.0, 1.0}:
            continue
        axis, name = sums[0], scene.bar_name(number)
        picks = np.moveaxis(other, axis, -1)
        flat = picks.reshape(-1, picks.shape[-1])
        behind = np.cumsum(flat[::-1], axis=0)[::-1] - flat  # how often it is named again later
        places = np.broadcast_to(np.eye(max(picks.shape[-2:]))[: picks.shape[-2], : picks.shape[-1]], picks.shape)
        for word, picked, says, rank in (
            (
                "overwritten_instead_of_accumulated",
                np.where(behind > 0, 0.0, flat).reshape(picks.shape),
                f"where an index names an entry of {name} twice, only the last contribution is kept: np.add.at adds them",
                1,
            ),
            (
                "wrong_index",
                np.roll(picks, 1, axis=-1),
                f"what comes back to {name} goes to the neighbour that follows",
                2,
            ),
            ("wrong_index", np.roll(picks, -1, axis=-1), f"what comes back to {name} goes to the neighbour before", 2),
            (
                "wrong_index",
                places,
                f"what comes back to {name} is added at its place in the index, not where it points",
                3,
            ),
        ):
            value = np.moveaxis(picked, -1, axis)
            if not np.array_equal(value, other):
                also = ("dropped_path",) if rank == 1 else ("off_by_one_layer",)
                yield Mutation(word, use, _with(scene, use, value), says, also=also, rank=rank)


def _with(scene: Scene, use: Use, value: Any) -> Override:
    def override(bar: Any, run: Run) -> Any:
        operands = list(scene.sheet.operands(use[0]))
        operands[1 - use[1]] = value
        y_bar = run.cotangents[scene.sheet.graph.equations[use[0]].output]
        return scene.sheet.pull(*use, y_bar, tuple(operands), None)

    return override


def _scattered(scene: Scene, use: Use, template: Any, arrays: list[Any], number: int, adds: bool) -> Override:
    def override(bar: Any, run: Run) -> Any:
        result = np.zeros(scene.sheet.shape(number))
        index = rebuild(template, arrays)
        y_bar = run.cotangents[scene.sheet.graph.equations[use[0]].output]
        if adds:
            np.add.at(result, index, y_bar)
        else:
            result[index] = y_bar
        return result

    return override
