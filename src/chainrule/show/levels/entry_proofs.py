"""Which forward line answers for which gradient, and its proof entry by entry.

The one idea: the loss depends on a variable through the next lines whose cotangents are shown. For each of them there is one
proof (`derivation/indices.py`), and the contributions add up.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from chainrule.derivation.building import dependents
from chainrule.derivation.indices import EntryProof, EntryProofs, prove_entry
from chainrule.graphs import Graph
from chainrule.show.derived import Derived


@dataclass(frozen=True)
class Contribution:
    """What one forward line contributes to a gradient.

    Attributes
    ----------
    line : str
        The forward line through which the loss depends on the variable.
    cotangent : str
        Of that line; empty if it is the loss.
    proof : EntryProof or None
        None where the line cannot be stated for single entries.
    """

    line: str
    cotangent: str
    proof: EntryProof | None


def contributions(derivation: Derived, variable: str) -> list[Contribution]:
    """The proofs of a gradient, one for each line that reads the variable on a way to the loss."""
    known = _known(_Key(derivation))
    number = known.numbers.get(variable)
    if number is None or _is_empty(derivation):
        return []
    cotangents = {facts.cotangent_of: name for name, facts in derivation.facts.items() if facts.cotangent_of}
    found = []
    for target, operands in known.reads.items():
        if number in operands:
            name = known.names[target]
            cotangent = "" if target in known.outputs else cotangents.get(name, f"d{name}")
            found.append(Contribution(name, cotangent, known.proofs.prove(target, number, cotangent)))
    return found


def whole_proof(derivation: Derived, gradient: str) -> EntryProof | None:
    """The proof of a gradient in one go: from the loss, as a formula of the arguments and of the variable itself."""
    graph = derivation.stated
    variable = derivation.facts[gradient].cotangent_of
    number = _numbers(graph, derivation).get(variable)
    output = graph.outputs[0]
    if number is None or type(output) is not int or number == output or _is_empty(derivation):
        return None
    stop = frozenset((*graph.inputs, *graph.constants, number))
    names = {n: graph.variables[n].name or "" for n in stop} | {output: derivation.loss}
    return prove_entry(graph, output, number, names=names, stop=stop, cotangent="")


def _is_empty(derivation: Derived) -> bool:
    """Whether an array has no entries: then there is none to prove anything for."""
    return any(np.size(value) == 0 for value in derivation.values.values())


@dataclass(frozen=True)
class _Known:
    """What is looked up again for each gradient of a derivation."""

    numbers: dict[str, int]
    names: dict[int, str]
    outputs: frozenset[int]
    reads: dict[int, set[int]]
    proofs: EntryProofs


@functools.lru_cache(maxsize=8)
def _known(key: _Key) -> _Known:
    derivation = key.derivation
    graph = derivation.stated
    shown = {derivation.facts[s.name].cotangent_of for s in derivation.backward_lines}
    shown |= {derivation.loss} - {""}
    wanted = [n for n in graph.inputs if graph.variables[n].name in derivation.wrt]
    varying = dependents(graph, set(wanted))
    numbers = _numbers(graph, derivation)
    lines = {number for name, number in numbers.items() if name in shown}
    fixed = {n for n in range(len(graph.variables)) if graph.variables[n].name and n not in varying}
    stop = frozenset({*graph.inputs, *graph.constants, *lines, *fixed})
    names = {number: name for name, number in numbers.items()}
    names |= {n: graph.variables[n].name or "" for n in fixed if n not in names}
    outputs = frozenset(o for o in graph.outputs if type(o) is int)
    reads = {line: _operands(graph, line, stop) for line in sorted(lines - set(graph.inputs))}
    return _Known(numbers, names, outputs, reads, EntryProofs(graph, names, stop))


@dataclass(frozen=True, eq=False)
class _Key:
    """A derivation, looked up by identity of its graph."""

    derivation: Derived

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.derivation.stated is self.derivation.stated

    def __hash__(self) -> int:
        return id(self.derivation.stated)


def _numbers(graph: Graph, derivation: Derived) -> dict[str, int]:
    """The named variables of the forward graph; the loss by the name that is shown."""
    found = {}
    for number, variable in enumerate(graph.variables):
        if variable.name and variable.name not in found:
            found[variable.name] = number
    output = graph.outputs[0]
    if type(output) is int:
        found[derivation.loss] = output
    return found


def _operands(graph: Graph, line: int, stop: frozenset[int]) -> set[int]:
    """The variables that stand as symbols in a line."""
    made = graph.producers()
    found: set[int] = set()
    seen: set[int] = set()
    todo = [i for i in made[line].inputs if type(i) is int] if line in made else []
    while todo:
        number = todo.pop()
        if number in seen:
            continue
        seen.add(number)
        if number in stop or number not in made:
            found.add(number)
        else:
            todo += [i for i in made[number].inputs if type(i) is int]
    return found
