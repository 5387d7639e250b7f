"""What is known of the names in a derivation: data, weight, bias, pre-activation, activation, and in which layer.

The one idea: the graph says it. A weight is an argument that is multiplied as a matrix, a bias one that is stretched and
added to such a product, a pre-activation is their sum, an activation the elementwise function of one. Layers are
counted in the order of their products.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.graphs import Equation, Graph
from chainrule.matrix_form import Call, Symbol
from chainrule.shapes import SizeExpr
from chainrule.show.derived import FoldedCall
from chainrule.show.document import Facts
from chainrule.show.writing import Statement, statements_of

PASSING = frozenset(("broadcast_to", "expand_dims", "convert", "transpose"))


def facts_of(
    graph: Graph,
    statements: Iterable[Statement],
    loss: str,
    constants: Mapping[int, str],
    cotangent_of: Mapping[str, str],
) -> dict[str, Facts]:
    """The facts of every name: arguments, constants and lines."""
    statements = list(statements)
    names = {number: graph.variables[number].name or "" for number in graph.inputs} | dict(constants)
    names |= {s.number: s.name for s in statements}
    roles, layers = _roles(graph, statements)
    forward = {name: number for number, name in names.items()}
    found = {}
    for number, name in names.items():
        variable = graph.variables[number]
        shape = graph.spell_shape(variable.shape) if variable.shape else ""
        role, layer, of = roles.get(number, "value"), layers.get(number, 0), ""
        if cotangent_of.get(name) in forward and _derived(number, statements):
            of = cotangent_of[name]
            layer = layers.get(forward[of], 0)
        if name == loss:
            role = "loss"
        found[name] = Facts(role, of, layer, shape, len(variable.shape))
    return found


def roles_of(graph: Graph) -> dict[int, str]:
    """The roles of the arguments of a forward graph."""
    roles, _ = _roles(graph, statements_of(graph, {}))
    return {number: role for number, role in roles.items() if number in graph.inputs}


def _derived(number: int, statements: list[Statement]) -> bool:
    return any(s.number == number and s.derived for s in statements)


def _roles(graph: Graph, statements: list[Statement]) -> tuple[dict[int, str], dict[int, int]]:
    made = {e.output: e for e in graph.equations}
    lines = {s.number for s in statements}
    inputs = set(graph.inputs)
    roles: dict[int, str] = {}
    layers: dict[int, int] = {}
    count = 0
    for statement in statements:
        if statement.derived:
            continue
        products = [e for e in statement.parts if e.primitive.name == "matmul"]
        weights = [
            source
            for e in products
            for i in e.inputs
            if (source := _source(made, i, lines)) in inputs and not _has_samples(graph, source)
        ]
        if weights:
            count += 1
            roles[statement.number], layers[statement.number] = "pre-activation", count
            for weight in weights:
                roles.setdefault(weight, "weight")
                layers.setdefault(weight, count)
            for e in products:
                for i in e.inputs:
                    source = _source(made, i, lines)
                    if source in inputs and source not in weights:
                        roles.setdefault(source, "data")
            for e in statement.parts:
                for i in e.inputs if e.primitive.name in ("add", "subtract") else ():
                    source = _source(made, i, lines)
                    if source in inputs and source not in weights and not _has_samples(graph, source):
                        roles.setdefault(source, "bias")
                        layers.setdefault(source, count)
        else:
            sources = {_source(made, i, lines) for e in statement.parts for i in e.inputs if type(i) is int}
            pre = [s for s in sources if roles.get(s) == "pre-activation"]
            same = [s for s in pre if graph.variables[s].shape == graph.variables[statement.number].shape]
            if (
                len(pre) == 1
                and same
                and not (sources & inputs)
                and not (statement.equation.origin and statement.equation.origin.calls)
            ):
                roles[statement.number], layers[statement.number] = "activation", layers[same[0]]
    first = _first_layer(graph, {n: layers[n] for n, role in roles.items() if role == "weight"})
    layers = {number: layer + first - 1 for number, layer in layers.items()}
    for number in graph.inputs:
        if number not in roles:
            labels = graph.variables[number].dtype.kind in "iub" or _has_samples(graph, number)
            roles[number] = "labels" if labels and "data" in roles.values() else "data" if labels else "parameter"
    return roles, layers


def _first_layer(graph: Graph, weights: dict[int, int]) -> int:
    """The number of the first layer: 1, or what the names of the weights say if they all agree, as w2, w3, w4."""
    numbers = {n: re.search(r"(\d+)$", graph.variables[n].name or "") for n in weights}
    offsets = {int(found[1]) - weights[n] if found else None for n, found in numbers.items()}
    if len(offsets) != 1 or None in offsets:
        return 1
    return max(1, 1 + (offsets.pop() or 0))


def _source(made: dict[int, Equation], operand: Any, lines: set[int]) -> int:
    """The line or argument behind what only moves or stretches it."""
    while type(operand) is int and operand in made and operand not in lines and made[operand].primitive.name in PASSING:
        operand = made[operand].inputs[0]
    return operand if type(operand) is int else -1


def _has_samples(graph: Graph, number: int) -> bool:
    """Whether an axis of a variable is the batch."""
    scope = graph.scope
    if scope is None:
        return False
    for dim in graph.variables[number].shape:
        resolved = scope.resolve(dim) if isinstance(dim, SizeExpr) else dim
        if isinstance(resolved, SizeExpr) and resolved.symbol is not None and scope.names.get(resolved.symbol):
            return True
    return False


def folded_calls(graph: Graph, statements: Iterable[Statement]) -> tuple[FoldedCall, ...]:
    """Calls of named functions, with the lines that they stand for."""
    found: dict[tuple[int, str], list[Statement]] = {}
    for statement in statements:
        origin = statement.equation.origin
        if origin is not None and origin.calls and not statement.derived:
            found.setdefault(origin.calls[0], []).append(statement)
    calls = []
    made = {e.output: e for e in graph.equations}
    names = {number: graph.variables[number].name or "" for number in graph.inputs}
    everything = list(statements)
    names |= {s.number: s.name for s in everything}
    lines = {s.number for s in everything}
    integers = {name for number, name in names.items() if graph.variables[number].dtype.kind != "f"}
    for (call, function), inside in found.items():
        own = {s.number for s in inside}
        outside: dict[str, None] = {}
        for statement in inside:
            for part in statement.parts:
                for operand in part.inputs:
                    source = _source(made, operand, lines)
                    if source in names and source not in own and source not in graph.constants:
                        outside.setdefault(names[source])
        in_order = sorted(outside, key=lambda name: name in integers)  # predictions before labels
        form = Call(function, tuple(map(Symbol, in_order)))
        results = _results(graph, call)
        if results == {
            inside[-1].number
        }:  # else what it returns has no line of its own: it is written where it is read
            calls.append(FoldedCall(form, inside[-1].name, frozenset(s.name for s in inside)))
    return tuple(calls)


def _results(graph: Graph, call: int) -> set[int]:
    """What is made inside of a call and read outside of it by the forward pass, or returned."""
    user = [e for e in graph.equations if e.step is None]
    own = {e.output for e in user if e.origin and e.origin.calls and e.origin.calls[0][0] == call}
    readers = [e for e in user if e.output not in own]
    found = {i for e in readers for i in e.inputs if type(i) is int and i in own}
    return found | own.intersection(o for o in graph.outputs[:1] if type(o) is int)
