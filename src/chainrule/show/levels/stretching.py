"""What NumPy stretches without a word: a bias over the samples, and now and then something that nobody meant.

The one idea: the trace has written every broadcast down as an equation, so the silent ones can be told.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.graphs import Equation, Graph

PASSING = frozenset(("expand_dims", "convert", "stop_gradient", "shift"))


@dataclass(frozen=True)
class Stretched:
    """An array that takes part in a line with another shape than it has."""

    name: str
    before: str
    after: str


def stretched_in(graph: Graph) -> dict[str, list[Stretched]]:
    """For each named line of a forward graph, the named arrays that are stretched in it."""
    made = {e.output: e for e in graph.equations}
    consumers: dict[int, list[Equation]] = {}
    for equation in graph.equations:
        for operand in equation.inputs:
            if type(operand) is int:
                consumers.setdefault(operand, []).append(equation)
    found: dict[str, list[Stretched]] = {}
    for equation in graph.equations:
        if equation.primitive.name != "broadcast_to" or equation.step is not None:
            continue
        source = equation.inputs[0]
        while type(source) is int and source in made and graph.variables[source].name is None:
            if made[source].primitive.name not in PASSING:
                break
            source = made[source].inputs[0]
        if type(source) is not int or not graph.variables[source].name or not graph.variables[source].shape:
            continue
        line = _line_of(graph, equation.output, consumers)
        if line is not None:
            told = Stretched(
                graph.variables[source].name or "",
                graph.spell_shape(graph.variables[source].shape),
                graph.spell_shape(graph.variables[equation.output].shape),
            )
            if told not in found.setdefault(line, []):
                found[line].append(told)
    return found


def _line_of(graph: Graph, number: int, consumers: dict[int, list[Equation]]) -> str | None:
    """The next named variable downstream."""
    while graph.variables[number].name is None:
        users = consumers.get(number)
        if not users:
            return None
        number = users[0].output
    return graph.variables[number].name
