"""One leaf's gradient against the function itself: which entries are proved, on a kink, or wrong.

The one idea: agreement is quick, disagreement is examined. An entry that agrees at first look is proved. One that does not is
looked at again with stencils clear of kinks; if it sits on a kink, the derived gradient must equal the function's slope on
*either side* of it, where both are smooth. So a kink excuses nothing but the convention at the kink itself, and only for the
entries that touch it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.checking.coverage import halves
from chainrule.checking.findings import (
    NO_DIFFERENCE,
    NOT_FINITE,
    ON_A_KINK,
    PROVED,
    WRONG,
    Entry,
    Kink,
    Row,
)
from chainrule.checking.kinks import Crossing, place_of
from chainrule.checking.lines import RELATIVE, BothSides, Found, Lines, Probe
from chainrule.primitives.comparison import COMPARISONS

TIMES_NOISE = 64.0
SHOWN = 3  # wrong entries that are kept, and kinks
EXAMINED = 32  # entries of a leaf that are looked at closely; what disagrees beyond is counted as it is
KINKS_EXAMINED = 256
SHARE = 1e-6  # of the leaf's largest entry: an entry so small beside it is only told from 0


@dataclass
class _Leaf:
    """What is known of a leaf while it is judged."""

    lines: Lines
    position: int
    derived: np.ndarray  # flat
    noise: np.ndarray  # flat: the rounding of the backward pass
    worst: Entry | None = None
    relative: float = 0.0
    absolute: float = 0.0
    compared: int = 0
    wrong: list[Entry] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    kink_count: int = 0
    seen: float = 0.0  # the largest derivative that was seen
    floors: list[float] = field(default_factory=list)  # of the entries that were compared alone
    hidden: int = 0  # of them, those below it
    examined: int = 0
    done: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def method(self) -> str:
        return self.lines.methods[self.position]

    def index(self, place: int) -> tuple[int, ...]:
        shape = self.lines.subject.points[self.position].shape
        return tuple(map(int, np.unravel_index(place, shape))) if shape else ()

    def along(self, probe: Probe) -> tuple[float, float]:
        """The derived derivative along a probe, and what rounding may add to it."""
        parts = self.derived[probe.where] * probe.weights
        size = float(np.sqrt(np.sum(parts**2)))
        noise = float(np.sqrt(np.sum((self.noise[probe.where] * probe.weights) ** 2)))
        # a sum that cancels keeps the rounding of its parts
        return float(np.sum(parts)), noise + RELATIVE[self.method] * size * (len(probe.where) > 1)

    def compare(self, probe: Probe, found: Found) -> Entry:
        """The error along a probe; its relative error is above the tolerance exactly when it is wrong."""
        derived, noise = self.along(probe)
        noise += found.uncertainty + self._share(probe)
        tolerance = RELATIVE[self.method]
        error = abs(derived - found.derivative)
        if math.isnan(error):
            error = math.inf
        larger = max(abs(derived), abs(found.derivative))
        size = max(larger, noise / tolerance)
        if len(probe.where) == 1:
            self.floors.append(noise)
            self.hidden += 0 < larger <= noise
        if math.isfinite(found.derivative):
            self.seen = max(self.seen, abs(found.derivative))
        relative = error / size if size and math.isfinite(error) else (math.inf if error else 0.0)
        index = self.index(int(probe.where[0])) if len(probe.where) == 1 else ()
        return Entry(index, derived, found.derivative, relative, error)

    def _share(self, probe: Probe) -> float:
        largest = float(np.max(np.abs(self.derived), initial=0.0))
        scale = float(np.sqrt(np.sum(probe.weights**2)))
        return RELATIVE[self.method] * SHARE * largest * scale if math.isfinite(largest) else 0.0

    def agrees(self, entry: Entry) -> bool:
        return entry.relative <= RELATIVE[self.method]

    def note(self, entry: Entry, alone: bool) -> None:
        """Keep the worst."""
        self.compared += alone
        self.absolute = max(self.absolute, entry.absolute)
        self.relative = max(self.relative, entry.relative)
        if alone and (self.worst is None or entry.relative > self.worst.relative):
            self.worst = entry


def judge_leaf(
    lines: Lines,
    position: int,
    derived: np.ndarray,
    noise: np.ndarray,
    entries: np.ndarray,
    blocks: Sequence[Probe],
    candidates: np.ndarray,
) -> Row:
    """Compare one leaf's gradient with the function, and say what came of it.

    Parameters
    ----------
    lines : Lines
    position : int
        Which leaf.
    derived, noise : ndarray
        Its unsimplified gradient, and the rounding of each entry.
    entries : ndarray of int
        Places to compare one by one.
    blocks : sequence of Probe
        Random directions.
    candidates : ndarray of bool
        Entries that move a switching quantity which is 0: they are judged on either side of their kink.
    """
    leaf = _Leaf(lines, position, derived.reshape(-1), TIMES_NOISE * noise.reshape(-1))
    finite = np.isfinite(leaf.derived)
    on_kinks = np.flatnonzero(candidates.reshape(-1) & finite)
    for place in on_kinks[:KINKS_EXAMINED]:
        _examine(leaf, int(place))
    if len(on_kinks) > KINKS_EXAMINED:
        _judge_beside(leaf, on_kinks[KINKS_EXAMINED:])
    excused = {*map(int, on_kinks), *map(int, np.flatnonzero(~finite))}
    for place in map(int, entries):
        if place not in excused:
            _look(leaf, place)
    directions = 0
    for block in blocks:
        kept = np.array([int(place) not in excused for place in block.where], dtype=bool)
        if kept.any():
            directions += 1
            _look_along(leaf, Probe(block.leaf, block.where[kept], block.weights[kept]))
    return _row(leaf, directions)


def _look(leaf: _Leaf, place: int) -> None:
    """One entry by itself: at first look, and closely if that disagrees."""
    if place in leaf.done:
        return
    probe = Probe.entry(leaf.position, place)
    entry = leaf.compare(probe, leaf.lines.quick(probe))
    if leaf.agrees(entry):
        leaf.done.add(place)
        leaf.note(entry, alone=True)
    elif leaf.examined < EXAMINED:
        leaf.examined += 1
        _examine(leaf, place)
    else:
        leaf.done.add(place)
        leaf.note(entry, alone=True)
        leaf.wrong.append(entry)


def _look_along(leaf: _Leaf, probe: Probe) -> None:
    """A block of entries; one that disagrees is halved until its wrong entries are found."""
    if len(probe.where) == 1:
        _look(leaf, int(probe.where[0]))
        return
    entry = leaf.compare(probe, leaf.lines.quick(probe))
    if leaf.agrees(entry):
        leaf.note(entry, alone=False)
        return
    close = leaf.compare(probe, leaf.lines.careful(probe))
    if leaf.agrees(close):
        leaf.note(close, alone=False)
    elif leaf.examined < EXAMINED:
        for half in halves(probe):
            _look_along(leaf, half)
    else:  # enough is known of this leaf
        leaf.relative = max(leaf.relative, close.relative)


def _examine(leaf: _Leaf, place: int) -> None:
    """One entry with every care: clear of kinks, or on either side of the one that it sits on."""
    leaf.done.add(place)
    probe = Probe.entry(leaf.position, place)
    found = leaf.lines.careful(probe)
    if found.kink is None:
        entry = leaf.compare(probe, found)
        if not leaf.agrees(entry) and leaf.method == "complex step" and len(leaf.wrong) < SHOWN:
            entry = _second_opinion(leaf, probe, found, entry)
        leaf.note(entry, alone=True)
        if not leaf.agrees(entry):
            leaf.wrong.append(entry)
        return
    sides = leaf.lines.both_sides(probe)
    if sides is None:
        leaf.kink_count += 1
        leaf.notes.append(f"entry {leaf.index(place)} touches kinks that no step is clear of: it was not judged")
        return
    _judge_sides(leaf, place, found.kink, sides)


def _second_opinion(leaf: _Leaf, probe: Probe, found: Found, entry: Entry) -> Entry:
    """Complex step accuses: differences are heard, and believed if they contradict it (an entry of 1e-40 is less than its step)."""
    other = leaf.lines.careful(probe, "differences")
    apart = abs(other.derivative - found.derivative)
    doubt = 10 * other.uncertainty + 1e-4 * max(abs(other.derivative), abs(found.derivative))
    return leaf.compare(probe, other) if other.kink is None and apart > doubt else entry


def _judge_sides(leaf: _Leaf, place: int, crossing: Crossing, sides: BothSides) -> None:
    probe = Probe.entry(leaf.position, place)
    tolerance, here = RELATIVE[leaf.method], float(leaf.derived[place])
    noise = leaf.along(probe)[1] + sides.uncertainty + leaf._share(probe)
    leaf.floors.append(noise)
    left, right = sides.slopes
    worst = None
    for derived, slope in zip(sides.derived, sides.slopes, strict=True):
        error = abs(derived - slope)
        size = max(abs(derived), abs(slope), noise / tolerance)
        entry = Entry(leaf.index(place), derived, slope, error / size if size else 0.0, error)
        if worst is None or not entry.relative <= worst.relative:
            worst = entry
    assert worst is not None
    leaf.seen = max(leaf.seen, abs(left), abs(right))
    leaf.note(worst, alone=True)
    if not leaf.agrees(worst):
        leaf.wrong.append(worst)
        return
    # slopes are taken a little off the kink, so curvature parts them by about as much as the step
    slack = noise + 1e3 * leaf.lines.away * max(abs(left), abs(right), abs(here))
    low, high = min(left, right) - slack, max(left, right) + slack
    # beside a comparison the function may jump, and the branch that is taken at the very point has a slope of its own
    alone = crossing.count == 1 and crossing.equation.primitive not in COMPARISONS
    if not low <= here <= high and (alone or not math.isfinite(here)):
        nearest = left if abs(left - here) < abs(right - here) else right
        error = abs(here - nearest)
        entry = Entry(leaf.index(place), here, nearest, error / max(abs(here), abs(nearest)), error)
        leaf.note(entry, alone=False)
        leaf.worst = entry
        leaf.wrong.append(entry)
    elif high - low > 4 * slack or not low <= here <= high:
        leaf.kink_count += 1
        if len(leaf.kinks) < SHOWN:
            line, code = place_of(crossing.equation.origin)
            leaf.kinks.append(
                Kink(
                    leaf.index(place), crossing.equation.primitive.name, crossing.index, crossing.count, line, code, left, right,
                    here,
                )
            )  # fmt: skip


def _judge_beside(leaf: _Leaf, places: np.ndarray) -> None:
    """More entries on kinks than are worth judging one by one: all together, at a point beside their kinks."""
    weights = np.random.Generator(np.random.Philox(leaf.lines.seed)).standard_normal(len(places))
    derived, found = leaf.lines.beside(Probe(leaf.position, places, weights))
    tolerance = RELATIVE[leaf.method]
    error = abs(derived - found.derivative)
    size = max(abs(derived), abs(found.derivative), found.uncertainty / tolerance)
    leaf.relative = max(leaf.relative, error / size if size else 0.0)
    leaf.absolute = max(leaf.absolute, error)
    leaf.kink_count += len(places)
    leaf.notes.append(
        f"{len(places) + KINKS_EXAMINED:,} entries touch a kink: {KINKS_EXAMINED} were judged on either side of it, all others "
        "together, along a random direction at a point beside their kinks"
    )


def _row(leaf: _Leaf, directions: int) -> Row:
    subject = leaf.lines.subject
    given = subject.given[leaf.position]
    size = leaf.derived.size
    wrong = sorted(leaf.wrong, key=lambda entry: -entry.relative)
    if wrong and (leaf.worst is None or wrong[0].relative > leaf.worst.relative):
        leaf.worst = wrong[0]
    largest = float(np.max(np.abs(leaf.derived), initial=0.0))
    noise = float(np.median(leaf.floors)) if leaf.floors else 0.0
    note = leaf.notes[0] if leaf.notes else ""
    if leaf.hidden and not note:
        note = f"below the noise floor, and so only told from 0: {leaf.hidden:,} of {leaf.compared:,} entries compared"
    bad = np.flatnonzero(~np.isfinite(leaf.derived))
    if len(bad):
        verdict = NOT_FINITE
        place = int(bad[0])
        leaf.worst = Entry(leaf.index(place), float(leaf.derived[place]), math.nan, math.inf, math.inf)
        note = f"{len(bad):,} of {size:,} entries of the gradient are not finite"
    elif wrong or leaf.relative > RELATIVE[leaf.method]:
        verdict = WRONG
    elif leaf.kink_count:
        verdict = ON_A_KINK
    elif max(largest, leaf.seen) <= noise or not size:
        verdict = NO_DIFFERENCE
        if not size:
            note = "it is empty"
        elif not max(largest, leaf.seen):
            note = f"{subject.name}() does not change with it here"
        else:
            note = f"its gradient, {largest:.1e} at most, is below the noise floor of {noise:.0e}: it cannot be told from 0"
    else:
        verdict = PROVED
    return Row(
        path=subject.paths[leaf.position],
        shape=tuple(np.shape(given)),
        dtype=str(getattr(given, "dtype", type(given).__name__)),
        method=leaf.method,
        entries=size,
        compared=leaf.compared,
        directions=directions,
        relative=leaf.relative,
        absolute=leaf.absolute,
        worst=leaf.worst,
        noise=noise,
        verdict=verdict,
        wrong=tuple(wrong[:SHOWN]),
        wrong_count=len(wrong),
        kinks=tuple(leaf.kinks),
        kink_count=leaf.kink_count,
        note=note,
    )
