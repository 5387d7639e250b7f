"""The derivative of the user's function along a line, judged so that a kink cannot be mistaken for a mistake.

The one idea: a derivative by differences is only as good as its stencil. First a quick look, with a step chosen from the
dtype's rounding and the size of what moves. Only where that disagrees is the step made smaller until the stencil turns no
switch of the trace (`kinks.py`); and where every stencil turns one, the point sits on a kink, and each side is judged by
itself, a little way off, where the function is smooth.

Complex step has no stencil: it moves by 1e-30 in a direction that no comparison sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checking.differences import COMPLEX_STEP, choose_method
from chainrule.checking.kinks import Crossing, Side, Switches
from chainrule.checking.replay import float64, reached_by, replay, rounding, value_of
from chainrule.checking.subject import Subject, Traced, epsilon
from chainrule.derivation.reverse import derive_vjp
from chainrule.evaluate import evaluate
from chainrule.primitives.control import STOP_GRADIENT

RELATIVE = {"complex step": 1e-7, "differences": 1e-5}  # an error below that is rounding and truncation
AWAY = 1e-6  # how far from a kink its two sides are judged, relative to the size of what moves; more in float32
SHRINK = 8.0
ROUNDS = 14  # 8**-14 of the first step: 1e-15 of what moves
NEAR_A_KINK = 1e-5  # first step where switches might turn: small enough to meet few


@dataclass(frozen=True)
class Probe:
    """A direction inside of one leaf: which entries move, and by how much.

    Attributes
    ----------
    leaf : int
    where : ndarray of int
        Places in the flattened leaf.
    weights : ndarray of float64
    """

    leaf: int
    where: np.ndarray
    weights: np.ndarray

    @staticmethod
    def entry(leaf: int, place: int) -> Probe:
        """One entry by itself."""
        return Probe(leaf, np.array([place]), np.ones(1))


@dataclass(frozen=True)
class Found:
    """What the function itself says of a direction.

    Attributes
    ----------
    derivative : float
    uncertainty : float
        By how much it may be off.
    kink : Crossing or None
        Set where no stencil is clear of a kink: the derivative is then not one.
    """

    derivative: float
    uncertainty: float
    kink: Crossing | None = None


@dataclass(frozen=True)
class BothSides:
    """The one-sided slopes beside a kink, and what the derived gradient says at the same two points."""

    slopes: tuple[float, float]
    derived: tuple[float, float]
    uncertainty: float


class Lines:
    """The judge of one subject.

    Parameters
    ----------
    subject : Subject
    traced : Traced
        At the subject's own point.
    seed : int
    frozen : bool
        Judge the trace with the values under `stop_gradient` held fixed, instead of the function.
    """

    def __init__(self, subject: Subject, traced: Traced, seed: int, frozen: bool = False):
        self.subject, self.traced, self.seed = subject, traced, seed
        graph = traced.graph
        self.switches = Switches(graph, traced.arguments, traced.wrt)
        self.epsilon = epsilon(graph, traced.wrt)
        self.sizes = [_sizes(point) for point in subject.points]
        self.held = {e.output: self.switches.values[e.output] for e in graph.equations if e.primitive is STOP_GRADIENT}
        self.frozen = frozen
        with np.errstate(all="ignore"):
            moved = rounding(graph, traced.arguments, graph.outputs, seed=seed)
        value = float(np.real(self._value_here()))
        self.roughness = 2 * float(np.max(moved[0], initial=0.0)) + self.epsilon * abs(value)
        kinked = bool(self.switches.equations)
        self.step = min(self.epsilon**0.2, NEAR_A_KINK if kinked and self.epsilon < 1e-12 else 1.0)
        self.away = max(AWAY, self.epsilon**0.4)
        self.methods = [self._choose(k) for k in range(len(subject.points))]

    def _value_here(self) -> Any:
        return self.switches.values[self.traced.graph.outputs[0]] if self._is_variable() else 0.0  # type: ignore[index]

    def _is_variable(self) -> bool:
        return type(self.traced.graph.outputs[0]) is int

    def _choose(self, leaf: int) -> str:
        """Complex step where every primitive on the way declares it, and an experiment confirms it."""
        if self.frozen or not self.subject.points[leaf].size or not _declared(self.traced, leaf):
            return "differences"
        point = self.subject.points[leaf]
        if self.switches.touching:  # the experiment is a difference: off the kink with it
            random = np.random.Generator(np.random.Philox(self.seed))
            point = point + 1e-3 * self.sizes[leaf] * random.standard_normal(point.shape)

        def along(array: np.ndarray) -> Any:
            return self.subject.value(self.subject.leaves(leaf, np.asarray(array)))

        return choose_method(along, [point], self.seed)

    # -- the function along a line -------------------------------------------------------------------------------------
    def line(self, probe: Probe, start: np.ndarray | None = None) -> Callable[[Any], Any]:
        """The function of one number: how far to go."""
        leaf = probe.leaf
        if not self.frozen and start is None:
            return lambda t: self.subject.at(leaf, probe.where, probe.weights, t)

        def value(t: Any) -> Any:
            base = self.subject.points[leaf] if start is None else start
            moved = np.array(base, dtype=np.complex128 if isinstance(t, complex) else np.float64, order="C")
            moved.reshape(-1)[probe.where] += t * probe.weights
            leaves = self.subject.leaves(leaf, moved)
            if not self.frozen:
                return self.subject.value(leaves)
            self.subject.evaluations += 1
            return self._held_value(leaves)

        return value

    def _held_value(self, leaves: Sequence[Any]) -> Any:
        graph, arguments = self.traced.graph, list(self.traced.arguments)
        for number, leaf in zip(self.traced.wrt, leaves, strict=True):
            arguments[graph.inputs.index(number)] = leaf
        with np.errstate(all="ignore"):
            return value_of(graph.outputs[0], replay(graph, arguments, frozen=self.held))

    def unit(self, probe: Probe) -> float:
        """How far one may go along a probe so that no entry moves by more than its size."""
        sizes = self.sizes[probe.leaf].reshape(-1)[probe.where]
        largest = float(np.max(np.abs(probe.weights) / sizes, initial=0.0))
        return 1 / largest if largest else 1.0

    # -- derivatives ---------------------------------------------------------------------------------------------------
    def quick(self, probe: Probe) -> Found:
        """One evaluation by complex step, four by differences; good wherever no kink is near."""
        line = self.line(probe)
        if self.methods[probe.leaf] == "complex step":
            return Found(_complex_step(line), 0.0)
        step = self.step * self.unit(probe)
        derivative, _ = _richardson(line, step)
        return Found(derivative, 4 * self.roughness / step)

    def careful(self, probe: Probe, method: str | None = None) -> Found:
        """The derivative from the stencils that turn no switch; where there is none, the kink that is in the way."""
        kink = self._kink_at_once(probe)
        if kink is not None:
            return Found(math.nan, math.inf, kink)
        if (method or self.methods[probe.leaf]) == "complex step":
            return Found(_complex_step(self.line(probe)), 0.0)
        best = self._best_stencil(probe, self.epsilon**0.2 * self.unit(probe))
        if math.isfinite(best.derivative) or best.kink is not None:
            return best
        # tiny beside its neighbours, and at the border of where the function is defined: a step of its own size
        own = np.abs(self.subject.points[probe.leaf].reshape(-1)[probe.where] / probe.weights)
        return self._best_stencil(probe, self.epsilon**0.2 * float(np.min(own, initial=math.inf)))

    def _best_stencil(self, probe: Probe, step: float) -> Found:
        line = self.line(probe)
        best, previous, kink = Found(math.nan, math.inf), math.nan, None
        for _ in range(ROUNDS):
            if not math.isfinite(step) or step <= 0:
                break
            kink = self.crossing(probe, step)
            if kink is None:
                derivative, truncation = _richardson(line, step)
                doubt = truncation if math.isnan(previous) else min(truncation, abs(derivative - previous))
                uncertainty = doubt + 4 * self.roughness / step
                if math.isfinite(derivative):
                    previous = derivative
                    if uncertainty < best.uncertainty:
                        best = Found(derivative, uncertainty)
            step /= SHRINK
        return best if math.isfinite(best.derivative) or kink is None else Found(math.nan, math.inf, kink)

    def crossing(self, probe: Probe, step: float) -> Crossing | None:
        """The switch that a stencil of this step turns, if any."""
        if not self.switches.equations:
            return None
        for way in (step, -step):
            crossed = self.switches.crossed(self._sides(probe, way))
            if crossed is not None:
                return crossed
        return None

    def _kink_at_once(self, probe: Probe) -> Crossing | None:
        """The kink that the point sits on, if the smallest steps turn a switch that is at 0."""
        if not self.switches.touching:
            return None
        crossed = self.crossing(probe, self.away * self.unit(probe))
        return crossed if crossed is not None and crossed.on else None

    def _sides(self, probe: Probe, step: float) -> list[Side]:
        moved = np.array(self.subject.points[probe.leaf], order="C")
        moved.reshape(-1)[probe.where] += step * probe.weights
        return self.switches.at(self.subject.leaves(probe.leaf, moved))

    def both_sides(self, probe: Probe) -> BothSides | None:
        """Slopes and derived gradient on either side of the kink that the point sits on; None where no place is clear."""
        slopes, derived, doubts = [], [], []
        for way in (-1.0, 1.0):
            step = self.away * self.unit(probe)
            for _ in range(6):
                there = self._sides(probe, way * step)
                near, far = self._sides(probe, way * step / 2), self._sides(probe, way * step * 1.5)
                if self.switches.crossed(near, there) is None and self.switches.crossed(far, there) is None:
                    break
                step /= SHRINK
            else:
                return None
            start = np.array(self.subject.points[probe.leaf], order="C")
            start.reshape(-1)[probe.where] += way * step * probe.weights
            line = self.line(probe, start)
            if self.methods[probe.leaf] == "complex step":
                slopes.append(_complex_step(line))
                doubts.append(0.0)
            else:
                slope, truncation = _richardson(line, step / 2)
                slopes.append(slope)
                doubts.append(truncation + 8 * self.roughness / step)
            leaves = self.subject.leaves(probe.leaf, start)
            derived.append(
                float(gradient_of(self.subject.trace(leaves))[probe.leaf].reshape(-1)[probe.where] @ probe.weights)
            )
        return BothSides((slopes[0], slopes[1]), (derived[0], derived[1]), max(doubts))

    def beside(self, probe: Probe) -> tuple[float, Found]:
        """The derived derivative and the function's own along a probe, at a point a little beside all kinks."""
        random = np.random.Generator(np.random.Philox(self.seed))
        start = np.array(self.subject.points[probe.leaf], order="C")
        sizes = self.sizes[probe.leaf].reshape(-1)[probe.where]
        start.reshape(-1)[probe.where] += 1e-3 * sizes * random.standard_normal(len(probe.where))
        derived = gradient_of(self.subject.trace(self.subject.leaves(probe.leaf, start)))[probe.leaf].reshape(-1)
        line = self.line(probe, start)
        along = float(derived[probe.where] @ probe.weights)
        if self.methods[probe.leaf] == "complex step":
            return along, Found(_complex_step(line), 0.0)
        step = 1e-9 * self.unit(probe)  # so small that next to nobody is crossed on the way
        slope, truncation = _richardson(line, step)
        return along, Found(slope, truncation + 4 * self.roughness / step)


def gradient_of(traced: Traced) -> list[np.ndarray]:
    """The unsimplified gradient, run equation by equation."""
    derived = derive_vjp(traced.graph, traced.wrt, seed_one=True)
    derived.graph.outputs = derived.cotangents
    with np.errstate(all="ignore"):
        return [float64(g) for g in evaluate(derived.graph, traced.arguments)]


def _declared(traced: Traced, leaf: int) -> bool:
    graph = traced.graph
    moving = reached_by(graph, [traced.wrt[leaf]])
    on_the_way = [e for e in graph.reachable(graph.outputs) if e.output in moving]
    # NumPy sees nothing of stop_gradient: untraced it is the value itself
    return all(e.primitive.complex_step == "yes" or e.primitive is STOP_GRADIENT for e in on_the_way)


def _sizes(point: np.ndarray) -> np.ndarray:
    """How far each entry may move: its own size, or that of a usual entry where it is small beside it."""
    usual = float(np.sqrt(np.mean(point**2))) if point.size else 0.0
    usual = usual if usual > 0 and math.isfinite(usual) else 1.0
    return np.asarray(np.maximum(np.nan_to_num(np.abs(point)), 0.1 * usual))


def _complex_step(line: Callable[[Any], Any]) -> float:
    return float(np.imag(line(1j * COMPLEX_STEP))) / COMPLEX_STEP


def _richardson(line: Callable[[Any], Any], step: float) -> tuple[float, float]:
    """Two central differences, extrapolated once; and by how much the extrapolation moved the better of them."""
    wide = float(line(step) - line(-step)) / (2 * step)
    narrow = float(line(step / 2) - line(-step / 2)) / step
    return (4 * narrow - wide) / 3, abs(narrow - wide) / 3
