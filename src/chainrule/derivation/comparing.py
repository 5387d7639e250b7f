"""What was derived entry by entry, compared with the rule that really computes gradients.

The one idea: the rule is the judge. Both are run on random arrays, the formula at some of the operand's entries, the matrix
form at all; a matrix form that gives other numbers is none.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from chainrule.derivation.index_algebra import indices_in
from chainrule.derivation.index_values import evaluate_entries
from chainrule.derivation.matrix_values import evaluate_matrix
from chainrule.derivation.placing import mixed_radix
from chainrule.derivation.recognising import recognised
from chainrule.derivation.statement_values import Trial
from chainrule.derivation.stating import Stated, Statements
from chainrule.index_form import ZERO, Entry, Index, IndexForm
from chainrule.matrix_form import MatrixForm

COMPARED = 48  # entries of the operand at which the formula is compared with the rule
EXACT = 1e-9  # relative difference up to which two sums of the same numbers are the same


class Comparison:
    """One statement and one operand, judged by the rule."""

    def __init__(self, statements: Statements, stated: Stated, operand: int, cotangent: str):
        self.statements, self.stated, self.operand, self.cotangent = statements, stated, operand, cotangent
        self.left = stated.formula.left
        self.out = tuple(index for position in self.left.at for index in indices_in(position))
        self.sizes = tuple(map(stated.formula.letters.size, statements.graph.variables[operand].shape))

    def _shapes(self) -> dict[str, tuple[str | int, ...]]:
        graph, size = self.statements.graph, self.stated.formula.letters.size
        numbers = {*self.stated.statement.sources, self.stated.output, self.operand}
        shapes = {self.statements.name(n): tuple(map(size, graph.variables[n].shape)) for n in numbers}
        shapes[self.cotangent] = tuple(map(size, graph.variables[self.stated.output].shape))
        return shapes

    @functools.cached_property
    def cases(self) -> list[tuple[Trial, dict[str, Any], np.ndarray]]:
        """The trials in which all is finite: their numbers, the arrays by name, and the operand's cotangent by the rule."""
        statement = self.stated.statement
        if statement.symbols and not statement.consistent():  # sizes that are shown alike have to be alike
            statement.symbols = {}
            self.stated.trials = None
        found = []
        for trial, y_bar in self.stated.tried(seeded=not self.cotangent) if statement.consistent() else []:
            expected = statement.pulled_back(trial, self.operand, y_bar)
            if expected is not None:
                arrays = {self.statements.name(n): trial.values[n] for n in statement.sources}
                arrays |= {self.left.array: trial.values[self.stated.output], self.cotangent: y_bar}
                found.append((trial, arrays, expected))
        return found

    def matrix(self, final: IndexForm, by: Entry) -> MatrixForm | None:
        """The matrix form of the gradient, if one is recognised and gives the rule's numbers."""
        positions = iter(by.at)
        axes: list[Index | None] = []
        for size in self.sizes:
            position = next(positions) if size != 1 else None
            if position is not None and not isinstance(position, Index):
                return None
            axes.append(position)
        form = recognised(final, tuple(axes), self._shapes()) if final != ZERO and self.cases else None
        if form is None:
            return None
        for trial, arrays, expected in self.cases:
            found = np.asarray(evaluate_matrix(form, arrays, trial.sizes))
            if found.shape != expected.shape or difference(found, expected) > EXACT:
                return None
        return form

    def worst(self, final: IndexForm, by: Entry) -> float | None:
        """The largest difference between the formulas and the rule; None where no trial was finite."""
        differences: list[float] = []
        for trial, arrays, expected in self.cases:
            value = np.asarray(trial.values[self.stated.output], dtype=float)
            forward = evaluate_entries(self.stated.forward, self.out, trial.sizes, arrays)
            differences.append(difference(forward.reshape(value.shape), value))
            elsewhere = expected[~self._about(by, expected.shape)]
            differences.append(difference(elsewhere, np.zeros_like(elsewhere)))
            at, picked = self._picked(by, expected, trial)
            found = evaluate_entries(final, (), trial.sizes, arrays, at)
            differences.append(
                difference(found.reshape(picked.shape), picked, float(np.max(np.abs(expected), initial=0)))
            )
        return max(differences, default=None)

    def _about(self, by: Entry, shape: tuple[int, ...]) -> np.ndarray:
        """Which entries the formula is about; by all others the derivative is 0."""
        positions = iter(by.at)
        about = [next(positions) if size != 1 else 0 for size in self.sizes]
        mask = np.zeros(shape, dtype=bool)
        mask[tuple(position if isinstance(position, int) else slice(None) for position in about)] = True
        return mask

    def _picked(self, by: Entry, expected: np.ndarray, trial: Trial) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Some of these entries: the letters' values, and the rule's."""
        flat = np.flatnonzero(self._about(by, expected.shape))
        if flat.size > COMPARED:
            flat = np.random.default_rng(1).choice(flat, COMPARED, replace=False)
        places = np.unravel_index(flat, expected.shape) if expected.ndim else ()
        places = tuple(axis for axis, size in zip(places, self.sizes, strict=True) if size != 1)
        at: dict[str, np.ndarray] = {}
        for position, values in zip(by.at, places, strict=True):
            for step, index in mixed_radix(position) or []:
                size: Any = trial.sizes.get(index.size, index.size)
                at[index.letter] = values // step % size
        return at, expected.reshape(-1)[flat]


def difference(found: np.ndarray, expected: np.ndarray, scale: float | None = None) -> float:
    """The largest difference, relative to the largest of the expected entries (or to `scale`)."""
    if not expected.size:
        return 0.0
    scale = float(np.max(np.abs(expected))) if scale is None else scale
    worst = float(np.max(np.abs(np.asarray(found, dtype=float) - expected)))
    if not np.isfinite(worst):
        return float("inf")
    return worst / scale if scale > 0 else worst
