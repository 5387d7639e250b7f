"""Every way to a derivative, side by side: what it gets wrong, how often it calls the function, how long it takes.

The one idea: with P entries, forward differences call the function P + 1 times, central differences 2P times, complex step P
times; forward mode makes P sweeps, reverse mode one, and the symbolic program is reverse mode written out. Errors are against
complex step where it may be used, else against extrapolated differences, whose own error is then the floor of the column.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.checking.differences import COMPLEX_STEP, worst_relative_error
from chainrule.checking.findings import plain
from chainrule.checking.lines import Lines, Probe, gradient_of
from chainrule.checking.replay import float64
from chainrule.checking.subject import Subject, Traced
from chainrule.derivation.forward import derive_jvp
from chainrule.errors import ChainruleError
from chainrule.evaluate import evaluate

SAMPLED = 300  # entries that the slow methods are run at; their seconds are then scaled up


@dataclass(frozen=True)
class Method:
    """One way to the derivative.

    Attributes
    ----------
    kind, name : str
        "numerical", "central differences".
    error : float
        The worst relative error; NaN if the method cannot be used.
    needs : str
        "2P = 52 evaluations", "1 sweep".
    seconds : float
        For the whole gradient.
    note : str
    """

    kind: str
    name: str
    error: float
    needs: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Methods:
    """All of them, for one function at one point; `print` shows a table.

    Attributes
    ----------
    function : str
    entries : int
        P.
    sampled : int
        At how many of them the slow methods were run.
    reference : str
        What errors are measured against.
    rows : tuple of Method
    """

    function: str
    entries: int
    sampled: int
    reference: str
    rows: tuple[Method, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        data: dict[str, Any] = plain(asdict(self))
        return data

    def __str__(self) -> str:
        head = ("kind", "method", "worst relative error", "needs", "seconds")
        cells = [
            (m.kind, m.name, "-" if math.isnan(m.error) else f"{m.error:.1e}", m.needs, f"{m.seconds:.2g}", m.note)
            for m in self.rows
        ]
        widths = [max(len(row[c]) for row in [head, *cells]) for c in range(len(head))]
        lines = [f"{self.function}: P = {self.entries:,} entries, errors against {self.reference}"]
        for row in [head, *cells]:
            shown = [row[c].rjust(w) if c in (2, 4) else row[c].ljust(w) for c, w in enumerate(widths)]
            lines.append(("  ".join(shown) + (f"  {row[5]}" if len(row) > 5 and row[5] else "")).rstrip())
        if self.sampled < self.entries:
            lines.append(f"slow methods at {self.sampled:,} entries drawn at random, their seconds scaled up")
        return "\n".join(lines)

    __repr__ = __str__


def measure_methods(subject: Subject, traced: Traced, seed: int) -> Methods:
    """Run every method and time it."""
    lines = Lines(subject, traced, seed)
    places = [(k, i) for k, point in enumerate(subject.points) for i in range(point.size)]
    if lines.switches.touching:  # at a kink there is nothing to compare
        touching = lines.switches.candidates(seed)
        places = [(k, i) for k, i in places if not touching[k].reshape(-1)[i]]
    P = sum(point.size for point in subject.points)
    if len(places) > SAMPLED:
        random = np.random.Generator(np.random.Philox(seed))
        places = [places[i] for i in np.sort(random.choice(len(places), SAMPLED, replace=False))]
    scale = P / max(len(places), 1)
    complex_step = all(method == "complex step" for method in lines.methods)
    reference = [lines.careful(Probe.entry(k, i)).derivative for k, i in places]
    rows: list[Method] = []

    def add(
        kind: str, name: str, needs: str, run: Callable[[], Sequence[float]], factor: float = 1.0, note: str = ""
    ) -> None:
        with np.errstate(all="ignore"):
            started = time.perf_counter()
            got = run()
            seconds = (time.perf_counter() - started) * factor
            error = worst_relative_error([np.array(got)], [np.array(reference)]).error
        rows.append(Method(kind, name, error, needs, seconds, note))

    _add_symbolic(add, subject, places)
    here = float(np.real(subject.value(subject.leaves())))

    def forward() -> list[float]:
        steps = [_step(lines, k, i, 1 / 2) for k, i in places]
        return [(_moved(subject, k, i, h) - here) / h for (k, i), h in zip(places, steps, strict=True)]

    def central() -> list[float]:
        steps = [_step(lines, k, i, 1 / 3) for k, i in places]
        pairs = zip(places, steps, strict=True)
        return [(_moved(subject, k, i, h) - _moved(subject, k, i, -h)) / (2 * h) for (k, i), h in pairs]

    add("numerical", "forward differences", f"P + 1 = {P + 1:,} evaluations", forward, scale)
    add("numerical", "central differences", f"2P = {2 * P:,} evaluations", central, scale)
    if complex_step:

        def imaginary() -> list[float]:
            return [float(np.imag(subject.at(k, [i], 1.0, 1j * COMPLEX_STEP))) / COMPLEX_STEP for k, i in places]

        add("complex step", "complex step", f"P = {P:,} evaluations", imaginary, scale)
    else:
        why = "not analytic on the way, or NumPy is wrong there for complex numbers"
        rows.append(Method("complex step", "complex step", math.nan, f"P = {P:,} evaluations", math.nan, why))
    add("automatic", "reverse mode", "1 sweep", lambda: _picked(gradient_of(traced), places))
    add("automatic", "forward mode", f"P = {P:,} sweeps", lambda: _forward_mode(traced, subject, places), scale)
    name = "complex step" if complex_step else "extrapolated differences"
    return Methods(subject.name, P, len(places), name, tuple(rows))


def _add_symbolic(add: Callable[..., None], subject: Subject, places: list[tuple[int, int]]) -> None:
    """The emitted program; where the function cannot be staged, the one that `cr.grad` runs."""
    for program in reversed(subject.programs):
        try:
            program.run(subject.leaves())  # derived, written and compiled before the clock counts
        except ChainruleError:
            continue
        name = f"the program of {program.name}"
        add("symbolic", name, "1 run", lambda program=program: _picked(program.run(subject.leaves()), places))
        return


def _picked(gradient: Sequence[Any], places: Sequence[tuple[int, int]]) -> list[float]:
    flat = [float64(g).reshape(-1) for g in gradient]
    return [float(flat[k][i]) for k, i in places]


def _forward_mode(traced: Traced, subject: Subject, places: Sequence[tuple[int, int]]) -> list[float]:
    derived = derive_jvp(traced.graph, traced.wrt)
    derived.graph.outputs = derived.tangents
    found = []
    for k, i in places:
        tangents = [np.zeros(point.shape) for point in subject.points]
        tangents[k].reshape(-1)[i] = 1.0
        found.append(float(evaluate(derived.graph, [*traced.arguments, *(t[()] for t in tangents)])[0]))
    return found


def _moved(subject: Subject, k: int, i: int, h: float) -> float:
    return float(np.real(subject.at(k, [i], 1.0, h)))


def _step(lines: Lines, k: int, i: int, power: float) -> float:
    """The step at which truncation and rounding are about equal."""
    return float(lines.epsilon**power * lines.sizes[k].reshape(-1)[i])
