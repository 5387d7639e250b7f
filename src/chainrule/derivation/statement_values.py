"""A statement on random numbers: its value, and what its primitives' rules send back to one of its operands.

The one idea: the judge of an index formula is the rule by which gradients are really computed. So one statement is run at
small sizes, wherever its sizes are free, and its rules are composed on plain arrays; nothing is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.derivation.entries import shown_size
from chainrule.evaluate import with_sizes
from chainrule.graphs import Equation, Graph
from chainrule.primitives.control import ONE_HOT
from chainrule.primitives.indexing import INDEX
from chainrule.primitives.shaping import CONVERT
from chainrule.shapes import SizeExpr, hint_of

SMALL = (3, 4, 5, 2, 6, 7)  # sizes that are tried where they are free
DRAWS: tuple[Callable[[np.random.Generator, tuple], np.ndarray], ...] = (
    lambda rng, shape: rng.standard_normal(shape),
    lambda rng, shape: rng.uniform(0.2, 0.8, shape),  # where logarithms and roots are defined
)


@dataclass
class Trial:
    """A statement's numbers: every variable's value, and the sizes by how they are shown."""

    values: dict[int, Any]
    sizes: dict[str | int, int]


class Statement:
    """The equations from some symbols to one variable, run on random numbers.

    Parameters
    ----------
    graph : Graph
    equations : sequence of Equation
        Those of the statement, in order; the last one makes its value.
    params_of : callable
        The parameters of an equation, ties of maximum decided.
    fixed : bool
        Whether its sizes cannot be others.
    shown : mapping
        The sizes in its formula, by how they are shown.
    """

    def __init__(
        self,
        graph: Graph,
        equations: Sequence[Equation],
        params_of: Callable[[Equation], tuple],
        *,
        fixed: bool,
        shown: Mapping[str | int, SizeExpr],
    ):
        self.graph, self.equations, self.params_of, self.shown = graph, equations, params_of, shown
        made = {equation.output for equation in equations}
        operands = {number for equation in equations for number in equation.inputs if type(number) is int}
        self.sources = sorted(operands - made)
        self.symbols = {} if fixed else small_sizes(graph)

    def trial(self, draw: Callable[[np.random.Generator, tuple], np.ndarray], rng: np.random.Generator) -> Trial | None:
        """The values for random symbols; None where they are not finite."""
        values: dict[int, Any] = {}
        with np.errstate(all="ignore"):
            for number in self.sources:
                values[number] = self._drawn(number, draw, rng)
            for equation in self.equations:
                operands = [values[i] if type(i) is int else i.value for i in equation.inputs]  # type: ignore[union-attr]
                values[equation.output] = self._run(equation, operands)
        last = np.asarray(values[self.equations[-1].output])
        return Trial(values, self.sizes()) if np.all(np.isfinite(last)) else None

    def _run(self, equation: Equation, operands: list) -> Any:
        if equation.primitive is CONVERT and equation.params[0].kind == "f":
            return np.asarray(operands[0], dtype=float)  # the comparison is one of formulas, not of roundings
        return equation.primitive.forward(*operands, *self._params(equation))

    def _params(self, equation: Equation) -> tuple:
        sizes: Any = _Sizes(self)
        return tuple(with_sizes(param, sizes) for param in self.params_of(equation))

    def dim(self, dim: Any) -> int:
        """A size as a number in this trial."""
        if isinstance(dim, SizeExpr):
            dim = dim.scope.resolve(dim)
        return dim.evaluate(_Sizes(self).__getitem__) if isinstance(dim, SizeExpr) else int(dim)

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape of a variable in this trial."""
        return tuple(map(self.dim, self.graph.variables[number].shape))

    def sizes(self) -> dict[str | int, int]:
        """Each size that is no number of the program, by how it is shown."""
        return {shown_size(self.graph, dim): self.dim(dim) for dim in self._dims()}

    def consistent(self) -> bool:
        """Whether sizes that are shown alike are alike, so that a formula can be evaluated."""
        found: dict[str | int, int] = {}
        return all(
            found.setdefault(shown_size(self.graph, dim), self.dim(dim)) == self.dim(dim) for dim in self._dims()
        )

    def _dims(self) -> list[Any]:
        numbers = {*self.sources, *(equation.output for equation in self.equations)}
        return [*(dim for n in numbers for dim in self.graph.variables[n].shape), *self.shown.values()]

    def _drawn(self, number: int, draw: Any, rng: np.random.Generator) -> Any:
        if number in self.graph.constants:
            value = np.asarray(self.graph.constants[number])
            return value.astype(float) if value.dtype.kind == "f" else value
        variable, shape = self.graph.variables[number], self.shape(number)
        if variable.dtype.kind == "b":
            return rng.uniform(size=shape) < 0.5
        if variable.dtype.kind in "iu":
            return rng.integers(0, self._classes(number), shape)
        return np.asarray(draw(rng, shape))

    def _classes(self, number: int) -> int:
        """The numbers that a label may be below, from what it picks."""
        limits = [4]
        for equation in self.equations:
            if number not in equation.inputs:
                continue
            if equation.primitive is ONE_HOT:
                limits.append(self.dim(equation.params[0]))
            elif equation.primitive is INDEX and equation.inputs[0] != number:
                limits.append(min(self.shape(equation.inputs[0])))  # type: ignore[arg-type]
        return max(min(limits), 1)

    def pulled_back(self, trial: Trial, operand: int, y_bar: np.ndarray) -> np.ndarray | None:
        """The operand's cotangent by the rules; None where a number is not finite."""
        bars: dict[int, Any] = {self.equations[-1].output: y_bar}
        with np.errstate(all="ignore"):
            for equation in reversed(self.equations):
                bar = bars.pop(equation.output, None)
                if bar is not None:
                    self._send_back(trial, equation, bar, bars)
        found = bars.get(operand)
        if found is None:
            return np.zeros(self.shape(operand))
        found = np.broadcast_to(np.asarray(found, dtype=float), self.shape(operand))
        return found if np.all(np.isfinite(found)) else None

    def _send_back(self, trial: Trial, equation: Equation, bar: Any, bars: dict[int, Any]) -> None:
        operands = tuple(trial.values[i] if type(i) is int else i.value for i in equation.inputs)  # type: ignore[union-attr]
        params = self._params(equation)
        for place, number in enumerate(equation.inputs):
            if type(number) is not int or self.graph.variables[number].dtype.kind != "f":
                continue
            if equation.primitive is CONVERT:
                sent = bar
            else:
                sent = equation.primitive.vjp(place, bar, trial.values[equation.output], operands, params)
            if sent is not None:
                bars[number] = bars[number] + sent if number in bars else sent


class _Sizes(Mapping):
    """The number of each symbol in a trial."""

    def __init__(self, statement: Statement):
        self.statement = statement

    def __getitem__(self, symbol: int) -> int:
        scope = self.statement.graph.scope
        assert scope is not None
        return self.statement.symbols.get(symbol, scope.hints[symbol])

    def __iter__(self):
        return iter(self.statement.symbols)

    def __len__(self) -> int:
        return len(self.statement.symbols)


def small_sizes(graph: Graph) -> dict[int, int]:
    """A small number for each free size of a staged graph, alike where the sizes are shown alike; none where guards forbid."""
    scope = graph.scope
    if scope is None:
        return {}
    chosen: dict[str, int] = {}
    sizes: dict[int, int] = {}
    for symbol in range(len(scope.hints)):
        face = scope.resolve(scope.face(symbol))
        if isinstance(face, SizeExpr) and face.symbol is not None:
            text = graph.spell_dim(face)
            sizes[symbol] = chosen.setdefault(text, SMALL[len(chosen) % len(SMALL)])

    def value(dim: Any) -> int:
        dim = scope.resolve(dim)
        return dim.evaluate(lambda s: sizes.get(s, scope.hints[s])) if isinstance(dim, SizeExpr) else dim

    held = all(guard.holds(value(guard.left), value(guard.right)) for guard in scope.guards)
    positive = all(value(dim) >= 1 for variable in graph.variables for dim in variable.shape if hint_of(dim) != 0)
    return sizes if held and positive else {}
