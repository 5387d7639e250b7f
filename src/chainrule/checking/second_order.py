"""Consistency: what must agree if the derivatives are right, and what the Hessian does.

The one idea: agreement between two of our own derivatives proves nothing, for both may come from one wrong partial. So what
is found here is reported as consistency. Only the comparison of Hessian-vector products with differences of the gradient
goes beyond that, and the gradient has been proved by then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.checking.findings import Link
from chainrule.checking.lines import Lines
from chainrule.checking.replay import float64
from chainrule.checking.subject import Subject, Traced
from chainrule.derivation.forward import derive_jvp
from chainrule.evaluate import evaluate

DIRECTIONS = 3
TO_ROUNDING = 1e-9
TO_DIFFERENCES = 1e-5


def forward_against_reverse(traced: Traced, gradient: Sequence[np.ndarray], noise: float, seed: int) -> Link:
    """Tangents by forward mode beside the reverse gradient, along random directions."""
    random = np.random.Generator(np.random.Philox(seed))
    derived = derive_jvp(traced.graph, traced.wrt)
    derived.graph.outputs = derived.tangents
    worst = 0.0
    for _ in range(DIRECTIONS):
        v = [random.standard_normal(g.shape) for g in gradient]
        with np.errstate(all="ignore"):
            pushed = float(evaluate(derived.graph, [*traced.arguments, *(d[()] for d in v)])[0])
        pulled, size = inner(gradient, v), length(gradient, v)
        worst = max(worst, _relative(abs(pushed - pulled), size, noise * math.sqrt(sum(g.size for g in gradient))))
    holds = worst <= TO_ROUNDING
    return Link(
        "forward mode against reverse mode", worst, holds, "agree" if holds else "DISAGREE: one of the two is wrong"
    )


def hessian_links(subject: Subject, lines: Lines, seed: int) -> list[Link]:
    """Symmetry of the Hessian, and Hessian-vector products against differences of the gradient."""
    assert subject.hessian_product is not None
    random = np.random.Generator(np.random.Philox(seed + 1))
    here = subject.leaves()
    products: list[tuple[list[np.ndarray], list[np.ndarray]]] = []
    for _ in range(DIRECTIONS):
        v = [s * random.standard_normal(s.shape) for s in lines.sizes]
        with np.errstate(all="ignore"):
            products.append((v, [float64(p) for p in subject.hessian_product(here, v)]))
    crooked = 0.0
    for k, (u, Hu) in enumerate(products):
        for v, Hv in products[k + 1 :]:
            size = max(length(u, Hv), length(v, Hu))
            crooked = max(crooked, _relative(abs(inner(u, Hv) - inner(v, Hu)), size, 1e-300))
    symmetric = crooked <= TO_ROUNDING
    links = [Link("symmetry of the Hessian", crooked, symmetric, "symmetric" if symmetric else "NOT symmetric")]
    return [*links, _against_differences(subject, lines, products)]


def _against_differences(subject: Subject, lines: Lines, products: Sequence[tuple[list, list]]) -> Link:
    name, worst, judged = "Hessian-vector products against differences of the gradient", 0.0, 0
    for v, Hv in products:
        step = _clear_step(subject, lines, v)
        if step is None:
            continue
        judged += 1
        slope = _difference(subject, v, step)
        error = math.sqrt(sum(float(np.sum((a - b) ** 2)) for a, b in zip(slope, Hv, strict=True)))
        size = math.sqrt(max(sum(float(np.sum(a**2)) for a in way) for way in (slope, Hv)))
        gradient = math.sqrt(sum(float(np.sum(float64(g) ** 2)) for g in _gradient(subject, subject.leaves())))
        noise = 16 * lines.epsilon * gradient / step
        worst = max(worst, _relative(error, size, noise / TO_DIFFERENCES))
    if not judged:
        return Link(name, math.nan, True, "not judged: every step crosses a kink")
    holds = worst <= TO_DIFFERENCES
    return Link(name, worst, holds, "agree" if holds else "DISAGREE: the second derivative is wrong")


def _clear_step(subject: Subject, lines: Lines, v: Sequence[np.ndarray]) -> float | None:
    """The largest step whose stencil turns no switch."""
    step: float = lines.epsilon**0.2
    for _ in range(6):
        ways = (lines.switches.at(subject.moved(v, way * step)) for way in (1, -1))
        if all(lines.switches.crossed(there) is None for there in ways):
            return step
        step /= 8
    return None


def _difference(subject: Subject, v: Sequence[np.ndarray], step: float) -> list[np.ndarray]:
    """Two central differences of the gradient, extrapolated once."""

    def central(h: float) -> list[np.ndarray]:
        right, left = (_gradient(subject, subject.moved(v, way * h)) for way in (1, -1))
        return [(a - b) / (2 * h) for a, b in zip(right, left, strict=True)]

    return [(4 * narrow - wide) / 3 for wide, narrow in zip(central(step), central(step / 2), strict=True)]


def _gradient(subject: Subject, leaves: Sequence[Any]) -> list[np.ndarray]:
    assert subject.gradient is not None
    with np.errstate(all="ignore"):
        return [float64(g) for g in subject.gradient(leaves)]


def inner(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    """The inner product of two lists of arrays."""
    return sum(float(np.sum(a * b)) for a, b in zip(left, right, strict=True))


def length(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    """The size of an inner product's terms: what its rounding is measured by."""
    return math.sqrt(sum(float(np.sum((a * b) ** 2)) for a, b in zip(left, right, strict=True)))


def _relative(error: float, size: float, floor: float) -> float:
    if math.isnan(error):
        return math.inf
    return error / max(size, floor) if error else 0.0
