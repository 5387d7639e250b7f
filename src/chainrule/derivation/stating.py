"""Statements as formulas for single entries, each with its numbers on random arrays.

The one idea: a statement is a variable that is shown and the equations from the variables shown before it. It is told once,
in the form in which it is read (`forward`) and in the one that is differentiated (`differentiable`): sums that the program
wrote out are gathered, a shift that cancels is left out, a sigmoid is called one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.derivation.contracting import simplify
from chainrule.derivation.entries import FORWARD_LETTERS, Formula, InexpressibleError, entry_formula
from chainrule.derivation.folding import with_sigmoids, without_shift
from chainrule.derivation.gathering import gathered
from chainrule.derivation.index_algebra import indices_in
from chainrule.derivation.statement_values import DRAWS, Statement, Trial
from chainrule.derivation.writing_out import with_plain_letters
from chainrule.graphs import Equation, Graph
from chainrule.index_form import IndexForm


@dataclass
class Stated:
    """A statement with its formula, and its numbers on random arrays."""

    output: int
    formula: Formula
    forward: IndexForm
    differentiable: IndexForm
    statement: Statement
    called: frozenset[str]
    names: frozenset[str]  # what arrays are called, in small letters: no index is called so
    trials: list[tuple[Trial, np.ndarray]] | None = None

    def tried(self, *, seeded: bool) -> list[tuple[Trial, np.ndarray]]:
        """The trials whose values are finite, each with a random cotangent; with 1 where the statement is the loss."""
        if self.trials is None:
            self.trials = []
            rng = np.random.default_rng(0)
            for draw in DRAWS:
                trial = self.statement.trial(draw, rng)
                if trial is not None:
                    shape = self.statement.shape(self.output)
                    self.trials.append((trial, rng.standard_normal(shape)))
        return [(trial, np.ones_like(y_bar)) for trial, y_bar in self.trials] if seeded else self.trials


@dataclass
class Statements:
    """The statements of a graph.

    Attributes
    ----------
    graph : Graph
    names : mapping of int to str
        How variables are called; others as in the graph's text form.
    stop : frozenset of int
        The variables that are shown.
    """

    graph: Graph
    names: Mapping[int, str]
    stop: frozenset[int]
    _producers: dict[int, Equation] = field(init=False)
    _depends: set[int] = field(init=False)
    _stated: dict[int, Stated | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._producers = self.graph.producers()
        self._depends = dependents(self.graph, arguments_of(self.graph))

    def params_of(self, equation: Equation) -> tuple:
        """The parameters of an equation, ties of maximum decided."""
        return resolved_params(equation, self._depends)

    def name(self, number: int) -> str:
        """How a variable is called."""
        return self.names.get(number) or self.graph.label(number)

    def stated(self, output: int) -> Stated | None:
        """The statement that makes a variable; None where it has no formula for its entries."""
        if output not in self._stated:
            self._stated[output] = self._state(output)
        return self._stated[output]

    def _state(self, output: int) -> Stated | None:
        equations = self._equations(output)
        made = {equation.output for equation in equations} - {output}
        used = {number for equation in equations for number in (*equation.inputs, output) if type(number) is int} - made
        called = frozenset(self.name(number) for number in used)
        if len(called) != len(used):
            return None  # two variables by one name would be one in a formula
        names = frozenset(map(str.lower, called))
        try:
            formula = entry_formula(
                self.graph,
                output,
                self.stop,
                names=self.names,
                producers=self._producers,
                params_of=self.params_of,
                taken=names,
            )
        except InexpressibleError:
            return None
        letters = formula.letters
        own = {index.letter for position in formula.left.at for index in indices_in(position)}
        forward = with_plain_letters(simplify(formula.right), FORWARD_LETTERS, names | own, again=True)
        sizes = {
            self.name(n): tuple(size for size in map(letters.size, self.graph.variables[n].shape) if size != 1)
            for n in used
        }
        whole = gathered(forward, sizes, letters.new)
        letters.fixed = letters.fixed or (whole != forward and bool(letters.spelled))  # it counted positions
        differentiable = simplify(with_sigmoids(without_shift(whole)))
        statement = Statement(self.graph, equations, self.params_of, fixed=letters.fixed, shown=letters.known)
        return Stated(output, formula, forward, differentiable, statement, called, names)

    def _equations(self, output: int) -> list[Equation]:
        """The statement's equations, in order."""
        found: dict[int, Equation] = {}
        waiting = [output]
        while waiting:
            number = waiting.pop()
            equation = self._producers.get(number)
            if equation is None or number in found or (number in self.stop and number != output):
                continue
            found[number] = equation
            waiting += [operand for operand in equation.inputs if type(operand) is int]
        order = (
            {equation.output: place for place, equation in enumerate(self.graph.equations)} if len(found) > 1 else {}
        )
        return sorted(found.values(), key=lambda equation: order.get(equation.output, 0))
