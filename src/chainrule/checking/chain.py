"""The proof, link by link: trace, unsimplified gradient, the programs that run.

The one idea: a chain that begins at the user's own function and ends at the program that will run.

1. The trace, evaluated, gives what the function returns untraced.
2. The unsimplified gradient of the trace is what the function does when an argument moves (complex step or differences).
3. The programs that run, simplified and emitted, give that gradient to rounding.

Forward against reverse mode, and what holds for Hessians, is consistency and stands apart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.checking.coverage import plan
from chainrule.checking.differences import worst_relative_error
from chainrule.checking.faults import faulty_rules, wrong_conventions
from chainrule.checking.findings import NOT_FINITE, NOT_JUDGED, WRONG, Entry, Link, Row
from chainrule.checking.judging import TIMES_NOISE, judge_leaf
from chainrule.checking.lines import RELATIVE, Found, Lines, Probe, gradient_of
from chainrule.checking.methods import measure_methods
from chainrule.checking.nonfinite import NotFinite, first_not_finite, first_not_finite_gradient
from chainrule.checking.replay import float64, replay, rounding, value_of
from chainrule.checking.report import Report
from chainrule.checking.second_order import forward_against_reverse, hessian_links
from chainrule.checking.subject import SAME, Program, Subject, Traced, Witness, spell_entry
from chainrule.derivation.reverse import derive_vjp
from chainrule.errors import ChainruleError, UnsupportedError

SAME_PROGRAM = 1e-8
LOOKED_AT = 8  # entries in which a program differs from the unsimplified gradient that are held against the function
COST = {"complex step": 1, "differences": 4}


def prove(subject: Subject, *, order: int, budget: int, seed: int) -> Report:
    """Judge a subject and report.

    Parameters
    ----------
    subject : Subject
    order : {1, 2}
        2 looks at second derivatives, too.
    budget : int
        About how many evaluations of the function may be spent on comparing entries.
    seed : int
        Of directions and samples: the same seed, the same report.
    """
    started = time.perf_counter()
    witness = Witness(subject)
    value, problems, notes = witness.value, witness.problems, witness.notes
    traced = _trace(subject, notes)
    parts: dict[str, Any] = {"problems": tuple(problems)}
    if problems:
        parts.update(_unjudged(subject, NOT_JUDGED), trace=Link("trace", math.nan, True, "not compared"))
    else:
        parts["trace"] = _trace_link(traced, value, subject.name)
        born = first_not_finite(traced.graph, traced.arguments)
        if born is not None or not np.isfinite(value):
            parts.update(_unjudged(subject, NOT_FINITE), not_finite=tuple([born] if born else []))
            if all(np.isfinite(g).all() for g in _run(subject.programs[0], subject)[0] or [np.array(np.nan)]):
                notes.append(
                    f"the gradient that {subject.programs[0].name} gives is finite, for it has the stable form of what was written, "
                    "but there is no finite loss to hold it against"
                )
        else:
            parts.update(_Proof(subject, traced, budget, seed).parts(order, notes))
            if witness.look_for_changes():  # not at first, but later: what was compared until then is worth nothing
                parts.update(_Proof(subject, traced, budget, seed).parts(order, notes))
    return Report(
        function=subject.name,
        value=float(np.real(value)),
        notes=tuple(notes),
        evaluations=subject.evaluations,
        seconds=time.perf_counter() - started,
        seed=seed,
        order=order,
        measure=lambda: measure_methods(subject, traced, seed),
        **parts,
    )


def _trace(subject: Subject, notes: list[str]) -> Traced:
    try:
        return subject.trace(subject.leaves())
    except UnsupportedError as error:
        if notes:  # most often the very line that cannot be traced
            raise UnsupportedError(f"{error} {notes[0]}") from error
        raise


def _unjudged(subject: Subject, verdict: str) -> dict[str, Any]:
    rows = []
    for path, given, point in zip(subject.paths, subject.given, subject.points, strict=True):
        dtype = str(getattr(given, "dtype", type(given).__name__))
        rows.append(Row(path, point.shape, dtype, "none", point.size, 0, 0, 0.0, 0.0, None, 0.0, verdict))
    return {"rows": tuple(rows), "programs": (), "consistency": (), "coverage": "nothing was compared"}


def _trace_link(traced: Traced, value: Any, name: str) -> Link:
    with np.errstate(all="ignore"):
        again = float(np.real(value_of(traced.graph.outputs[0], replay(traced.graph, traced.arguments))))
        moved = float(rounding(traced.graph, traced.arguments, traced.graph.outputs, seed=0)[0])
    value = float(np.real(value))
    if again == value or np.isnan(again) and np.isnan(value):
        return Link("trace", 0.0, True, f"{name}() returns {value:.10g}, and so does its trace, to the last bit")
    error = abs(again - value) / max(abs(value), abs(again))
    holds = error <= SAME or abs(again - value) <= TIMES_NOISE * moved
    says = f"{name}() returns {value!r}, its trace computes {again!r}"
    if not holds:
        says += (
            ": a value was computed beside the trace. Does the function ask whether it is traced, or use global state?"
        )
    return Link("trace", error, holds, says)


class _Proof:
    """The second and third link of one subject."""

    def __init__(self, subject: Subject, traced: Traced, budget: int, seed: int):
        self.subject, self.traced, self.budget, self.seed = subject, traced, budget, seed
        self.unsimplified = gradient_of(traced)
        self.noise = _backward_noise(traced, seed)
        self.runs = [(program, *_run(program, subject)) for program in subject.programs]
        self.lines = Lines(subject, traced, seed)
        self.notes: list[str] = []
        self.gradient = self._finite_where_possible()

    def _finite_where_possible(self) -> list[np.ndarray]:
        """The unsimplified gradient; where it is not finite but the program's is, the program's."""
        first = self.runs[0][1] if self.runs else None
        if first is None:
            return self.unsimplified
        merged = []
        for own, runs in zip(self.unsimplified, first, strict=True):
            saved = ~np.isfinite(own) & np.isfinite(runs)
            if saved.any():
                self.notes.append(
                    "the unsimplified gradient is not finite in places where the program is, because it has the stable form of "
                    "what was written: there, the program itself was compared with the function"
                )
            merged.append(np.where(saved, runs, own))
        return merged

    def parts(self, order: int, notes: list[str]) -> dict[str, Any]:
        """The parts of the report that need the whole chain."""
        rows, coverage = self._rows()
        rows = self._with_held(rows, notes)
        programs = tuple(self._program_link(*run) for run in self.runs)
        wrong = any(row.wrong for row in rows)
        trace = (self.traced.graph, self.lines.switches.values, self.traced.wrt)
        faults = faulty_rules(*trace, self.seed) if wrong else ()
        if any(row.kink_count for row in rows):
            beyond = wrong_conventions(*trace)
            faults += beyond
            rows = [
                replace(row, verdict=WRONG, note="on a kink, by a slope that is on neither side of it")
                if beyond and row.kink_count
                else row
                for row in rows
            ]
        consistency = []
        if all(np.isfinite(g).all() for g in self.unsimplified):
            noise = TIMES_NOISE * max((float(np.max(n, initial=0.0)) for n in self.noise), default=0.0)
            consistency.append(forward_against_reverse(self.traced, self.unsimplified, noise / 1e-9, self.seed))
        born: list[NotFinite] = []
        if any(row.verdict == NOT_FINITE for row in rows):
            found = first_not_finite_gradient(self.traced.graph, self.traced.arguments, self.traced.wrt)
            born += [found] if found else []
        elif order == 2:
            consistency += hessian_links(self.subject, self.lines, self.seed)
        rows, lost = self._as_given(rows, notes)
        notes += dict.fromkeys(self.notes)
        return {
            "rows": tuple(rows),
            "programs": programs,
            "consistency": tuple(consistency),
            "faults": faults,
            "not_finite": tuple(born + lost),
            "coverage": coverage,
        }

    def _rows(self) -> tuple[list[Row], str]:
        lines = self.lines
        planned = plan([g.size for g in self.gradient], [COST[m] for m in lines.methods], self.budget, self.seed)
        candidates = lines.switches.candidates(self.seed) if lines.switches.touching else None
        rows = []
        for k, derived in enumerate(self.gradient):
            touching = np.zeros(derived.shape, bool) if candidates is None else candidates[k]
            rows.append(judge_leaf(lines, k, derived, self.noise[k], planned.entries[k], planned.blocks[k], touching))
        return rows, planned.says

    def _with_held(self, rows: list[Row], notes: list[str]) -> list[Row]:
        """Rows that only seem wrong because `stop_gradient` means it: judged again with its values held fixed."""
        wrong = [k for k, row in enumerate(rows) if row.wrong and row.verdict == WRONG]
        if not wrong or not self.lines.held:
            return rows
        held = Lines(self.subject, self.traced, self.seed, frozen=True)
        wrong = [k for k in wrong if self._is_meant(held, k, rows[k].wrong[0])]
        planned = plan([g.size for g in self.gradient], [COST[m] for m in held.methods], self.budget, self.seed)
        nothing = [np.zeros(g.shape, bool) for g in self.gradient]
        for k in wrong:
            again = judge_leaf(
                held, k, self.gradient[k], self.noise[k], planned.entries[k], planned.blocks[k], nothing[k]
            )
            if again.verdict != WRONG:
                note = "with the values under stop_gradient held fixed: without, its gradient is another, and that is meant"
                rows[k] = replace(again, note=note)
                notes.append(f"{again.path}: {note}")
        return rows

    def _is_meant(self, held: Lines, k: int, entry: Entry) -> bool:
        """Whether the worst entry is what the function does while the values under `stop_gradient` stay, and else not."""
        place = int(np.ravel_multi_index(entry.index, self.gradient[k].shape)) if entry.index else 0
        found = held.careful(Probe.entry(k, place))
        allowed = found.uncertainty + RELATIVE["differences"] * abs(entry.derived)
        error = abs(found.derivative - entry.derived)
        return error <= allowed and error <= 0.1 * entry.absolute

    def _program_link(self, program: Program, gradient: list[np.ndarray] | None, reason: str) -> Link:
        if gradient is None:
            return Link(program.name, math.nan, True, f"not there: {reason}")
        worst, told, better = 0.0, "", 0
        for k, (runs, own) in enumerate(zip(gradient, self.unsimplified, strict=True)):
            if runs.shape != own.shape:
                says = f"its gradient of {self.subject.paths[k]} has shape {runs.shape}, not {own.shape}"
                return Link(program.name, math.inf, False, says)
            error = self._errors(runs, own, k)
            accused = np.argsort(-error, axis=None)[:LOOKED_AT]
            for place in map(int, accused):
                off = float(error.reshape(-1)[place])
                if off <= SAME_PROGRAM:
                    worst = max(worst, off)
                    break
                if self._agrees_with_function(k, place, float(runs.reshape(-1)[place])):
                    better += 1
                    continue
                if off > worst:
                    worst = off
                    entry = spell_entry(self.subject.paths[k], tuple(map(int, np.unravel_index(place, own.shape))))
                    told = f"{entry} is {runs.reshape(-1)[place]!r} there, unsimplified {own.reshape(-1)[place]!r}"
        if told:
            return Link(program.name, worst, False, f"DIFFERS: {told}. A rewrite or the writer of source is wrong")
        says = "the unsimplified gradient, to rounding"
        if better:
            says += "; where the two part, the function sides with the program, which has the stabler form"
        return Link(program.name, worst, True, says)

    def _errors(self, runs: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
        """Relative errors, rounding and what is negligible beside the leaf's largest entry left out."""
        with np.errstate(all="ignore"):
            difference = np.abs(runs - own)
            largest = float(np.max(np.abs(np.where(np.isfinite(own), own, 0.0)), initial=0.0))
            allowed = TIMES_NOISE * np.asarray(self.noise[k]) + 1e-13 * largest
            size = np.maximum(np.maximum(np.abs(runs), np.abs(own)), allowed / SAME_PROGRAM)
            error = np.divide(difference, size, out=np.zeros(own.shape), where=difference != 0)
        both_bad = ~np.isfinite(own) & ~np.isfinite(runs)
        return np.asarray(np.where(both_bad, 0.0, np.where(np.isfinite(error), error, np.inf)))

    def _agrees_with_function(self, k: int, place: int, value: float) -> bool:
        if not math.isfinite(value):
            return False
        found: Found = self.lines.careful(Probe.entry(k, place))
        if found.kink is not None or not math.isfinite(found.derivative):
            return False
        error = abs(value - found.derivative)
        other = abs(float(self.unsimplified[k].reshape(-1)[place]) - found.derivative)
        allowed = found.uncertainty + RELATIVE[self.lines.methods[k]] * abs(value)
        return error <= allowed and not other < error  # NaN is no better

    def _as_given(self, rows: list[Row], notes: list[str]) -> tuple[list[Row], list[NotFinite]]:
        """What is lost by computing in the user's own dtype, apart from the verdict; but infinity is no rounding."""
        if self.subject.as_given is None:
            return rows, []
        with np.errstate(all="ignore"):
            given = [float64(g) for g in self.subject.as_given()]
        dtype = self.subject.dtype_given
        lost: list[NotFinite] = []
        result = []
        for k, (row, narrow) in enumerate(zip(rows, given, strict=True)):
            if not np.isfinite(narrow).all() and np.isfinite(self.gradient[k]).all():
                result.append(
                    replace(row, verdict=NOT_FINITE, as_given=math.inf, note=f"only in {dtype}, not in float64")
                )
                continue
            error = worst_relative_error([narrow], [self.gradient[k]]).error
            result.append(replace(row, as_given=error))
        if any(row.as_given == math.inf and row.verdict == NOT_FINITE for row in result):
            assert self.subject.trace_given is not None
            narrow_trace = self.subject.trace_given()
            born = first_not_finite(narrow_trace.graph, narrow_trace.arguments) or first_not_finite_gradient(
                narrow_trace.graph, narrow_trace.arguments, narrow_trace.wrt
            )
            lost += [born] if born else []
            notes.append(
                f"in {dtype} the gradient is not finite, in float64 it is: the numbers are too large or small for {dtype}"
            )
        return result, lost


def _backward_noise(traced: Traced, seed: int) -> list[np.ndarray]:
    """The rounding of each entry of the gradient: that of the backward pass."""
    derived = derive_vjp(traced.graph, traced.wrt, seed_one=True)
    derived.graph.outputs = derived.cotangents
    with np.errstate(all="ignore"):
        start = len(traced.graph.equations)
        return rounding(derived.graph, traced.arguments, derived.cotangents, seed=seed, start=start)


def _run(program: Program, subject: Subject) -> tuple[list[np.ndarray] | None, str]:
    try:
        with np.errstate(all="ignore"):
            gradient: Sequence[Any] = program.run(subject.leaves())
    except ChainruleError as error:
        return None, str(error)
    return [float64(g) for g in gradient], ""
