"""A backward pass asked at one set of arguments: what it answered, beside what is right there.

The one idea: the same function is asked again at other arguments, so everything that belongs to one set of arguments
(values, the user's numbers, what counts as rounding) stands together here, ready for the search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.diagnosis import (
    conventions,
    cotangents,
    forwards,
    indexing,
    losses,
    normalising,
    penalties,
    products,
    recurrences,
    slopes,
    states,
    sums,
)
from chainrule.diagnosis.bench import Bench
from chainrule.diagnosis.comparing import RELATIVE, TIMES_NOISE, Target, allowed, noise_of
from chainrule.diagnosis.factors import counts_of
from chainrule.diagnosis.mutation import Scene
from chainrule.diagnosis.sheet import Sheet
from chainrule.evaluate import evaluate
from chainrule.graphs import Graph

GENERATORS = (
    conventions.of_kinks,
    cotangents.of_size,
    losses.of_softmax,
    losses.of_flat_targets,
    slopes.of_slopes,
    slopes.of_masks,
    slopes.of_branches,
    penalties.of_penalties,
    recurrences.of_recurrence,
    cotangents.of_paths,
    indexing.of_indices,
    indexing.of_one_hots,
    normalising.of_normalisations,
    sums.of_stretches,
    products.of_order,
    cotangents.of_layout,
    sums.of_shapes,
    losses.of_losses,
    products.of_partner,
    products.of_brackets,
    products.of_transposes,
    recurrences.of_shifts,
    products.of_sums,
    sums.of_reductions,
    forwards.of_forwards,
    states.of_updates,
    states.of_moments,
    products.of_subscripts,
)


def ask(
    graph: Graph,
    values: Sequence[Any],
    wrt: Sequence[int],
    answers: Mapping[int, tuple[str, np.ndarray, bool]],
    seen: Mapping[str, Any],
    batch: int | None,
    dtype: str,
) -> Bench:
    """The search's starting point at one set of arguments.

    Parameters
    ----------
    graph : Graph
        The loss, traced; its output is one number.
    values : sequence
        The value of each variable, in float64.
    wrt : sequence of int
        The inputs whose gradients are asked for.
    answers : mapping of int to (name, array, whether it is a gradient)
        The user's numbers, by the variable that each is the cotangent of.
    seen : mapping of str to array
        What else the user's function can see.
    batch : int, optional
        The number of samples.
    dtype : str
        In which the user's numbers were computed.
    """
    sheet = Sheet(graph, values, wrt)
    exact = sheet.run()
    eps = {"float32": 1.2e-7, "float16": 1e-3}.get(dtype, 2.3e-16)
    noise = noise_of(sheet, eps)
    if dtype != "float64":
        coarse = _computed_in(sheet, dtype)
        for number, bar in coarse.items():
            with np.errstate(all="ignore"):
                lost = float(np.max(np.abs(bar - exact.cotangents[number]), initial=0.0)) / TIMES_NOISE
            if np.isfinite(lost):
                noise.cotangents[number] = max(noise.cotangents.get(number, 0.0), 4 * lost)
    targets = []
    for number, (name, value, is_gradient) in answers.items():
        truth = exact.cotangents.get(number)
        if truth is None:  # no path to the loss
            truth = exact.cotangents[number] = np.zeros(sheet.shape(number))
        targets.append(
            Target(
                name,
                number,
                np.asarray(value, dtype=np.float64),
                is_gradient,
                allowed(dtype, truth, float(noise.cotangents.get(number, 0.0))),
                RELATIVE.get(dtype, 2e-5),
            )
        )
    targets.sort(key=lambda target: (target.gradient, sheet.order.get(target.number, 1 << 30)))
    targets.sort(key=lambda target: sheet.nearness(target.number))
    scene = Scene(sheet, counts_of(graph, batch), dict(seen))
    scene.targets, scene.wrt_order = targets, list(wrt)
    for target in targets:
        scene.exact.cotangents.setdefault(target.number, np.zeros(sheet.shape(target.number)))
    return Bench(scene, targets, GENERATORS)


def _computed_in(sheet: Sheet, dtype: str) -> dict[int, Any]:
    """The cotangents at forward values that were computed in a coarser dtype: where logits are huge, little is left."""
    graph = sheet.graph
    kept = {**dict(graph.constants)}
    rounded = {n: _rounded(value, dtype) for n, value in kept.items()}
    with np.errstate(all="ignore"):
        try:
            graph = graph.copy()
            graph.constants = rounded
            values = evaluate(graph, [_rounded(sheet.values[n], dtype) for n in graph.inputs], everything=True)
        except (ValueError, TypeError):
            return {}
        wide = {n: np.asarray(v, np.float64) for n, v in enumerate(values) if getattr(v, "dtype", None) == dtype}
        return sheet.with_values(wide).run().cotangents


def _rounded(value: Any, dtype: str) -> Any:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return np.asarray(value, dtype=dtype) if kind == "f" else value
