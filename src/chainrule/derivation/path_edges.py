"""From a traced graph to its paths: which named variables lead to which, and with which partial derivatives.

The one idea: an edge is a statement. Its unnamed intermediates are pulled back through with the primitives' own rules,
on plain numbers, and what arrives at each named variable is the local partial derivative.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.derivation.paths import EXPANDED, Edge, Paths
from chainrule.errors import ArgumentError
from chainrule.graphs import Equation, Graph
from chainrule.primitives.comparison import WHERE
from chainrule.primitives.reduction import MAX, MIN
from chainrule.primitives.selecting import CHOOSE


def paths_of(
    graph: Graph, values: Sequence[Any], nodes: str | Iterable[str] | None = None, of: str | None = None
) -> Paths:
    """The named variables of a concretely traced graph, their partial derivatives and their paths.

    Parameters
    ----------
    graph : Graph
        Recorded with names (`new_trace(concrete=True, places=True)`), its inputs named.
    values : sequence
        The value of each variable in that trace.
    nodes : names, optional
        The variables to keep as nodes, beside the output; all named ones by default. A name that was bound several
        times, as in a loop, stands for all its bindings; `h2` is the second one.
    of : str, optional
        The node that is the output (an entry of a small array as `z[0,1]`); by default the function's one result.

    Raises
    ------
    ArgumentError
        If `nodes` or `of` name nothing, or the output is not one number.
    """
    names = node_names(graph)
    chosen = _chosen(names, nodes)
    target, entry = _output(graph, names, of)
    chosen[target] = names[target]
    values = _complete(graph, values)
    expanded = all(np.size(values[number]) <= EXPANDED for number in chosen)
    if not expanded and np.size(values[target]) != 1:
        raise ArgumentError(f"{chosen[target]} has shape {np.shape(values[target])}: choose one number")
    edges = list(_edges(graph, values, chosen, target, expanded))
    faces = {number: _entries(name, values[number], expanded) for number, name in chosen.items()}
    output = faces[target][entry] if expanded else chosen[target]
    edges = _leading_to(output, edges)
    used = {output, *(e.source for e in edges)}
    ordered = [face for number in sorted(chosen) for face in faces[number] if face in used]
    inputs = {face for number in graph.inputs if number in chosen for face in faces[number]}
    known = {
        face: float(np.ravel(values[number])[place]) if expanded else values[number]
        for number in chosen
        for place, face in enumerate(faces[number])
        if face in used
    }
    return Paths(tuple(ordered), tuple(f for f in ordered if f in inputs), output, known, tuple(edges), expanded)


def node_names(graph: Graph) -> dict[int, str]:
    """A unique name for each floating variable that the user named, and for the output; a name bound again is numbered."""
    found: dict[int, str] = {}
    for number in (*graph.inputs, *(e.output for e in graph.equations)):
        variable = graph.variables[number]
        if variable.name is not None and variable.dtype.kind == "f":
            found[number] = variable.name
    for place, output in enumerate(graph.outputs):
        if type(output) is int and output not in found:
            found[output] = graph.output_names[place] if place < len(graph.output_names) else "output"
    bound: dict[str, int] = {}
    for name in found.values():
        bound[name] = bound.get(name, 0) + 1
    taken, count = set(bound), dict.fromkeys(bound, 0)
    for number, name in found.items():
        while bound[name] > 1 and found[number] in taken:
            count[name] += 1
            found[number] = f"{name}{'_' if name[-1].isdigit() else ''}{count[name]}"
        taken.add(found[number])
    return found


def _chosen(names: dict[int, str], nodes: str | Iterable[str] | None) -> dict[int, str]:
    if nodes is None:
        return dict(names)
    chosen: dict[int, str] = {}
    for wanted in dict.fromkeys((nodes,) if isinstance(nodes, str) else nodes):
        exact = {n: face for n, face in names.items() if face == wanted}
        bindings = {n: face for n, face in names.items() if re.sub(r"_?\d+$", "", face) == wanted}
        if not (exact or bindings):
            raise ArgumentError(f"nodes names {wanted!r}; the named variables are {', '.join(names.values())}")
        chosen.update(exact or bindings)
    return chosen


def _output(graph: Graph, names: dict[int, str], of: str | None) -> tuple[int, int]:
    """The output's variable and the number of its entry."""
    if of is None:
        if len(graph.outputs) != 1 or type(graph.outputs[0]) is not int:
            raise ArgumentError("the function has no single result: choose a node with of=")
        number = graph.outputs[0]
        if np.prod(graph.variables[number].shape, dtype=int) != 1:
            raise ArgumentError(f"the result has shape {graph.variables[number].shape}: choose one entry with of=")
        return number, 0
    for number, name in names.items():
        for entry, face in enumerate(_entry_names(name, graph.variables[number].shape)):
            if of == face:
                return number, entry
    raise ArgumentError(f"of is {of!r}; the named variables are {', '.join(names.values())}")


def _entry_names(name: str, shape: tuple) -> list[str]:
    return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)] if shape else [name]


def _entries(name: str, value: Any, expanded: bool) -> list[str]:
    return _entry_names(name, np.shape(value)) if expanded else [name]


def _complete(graph: Graph, values: Sequence[Any]) -> list[Any]:
    """The values as NumPy's, with those that the trace recorded without computing them (broadcasts, conversions)."""
    complete = [np.asarray(v)[()] if isinstance(v, (bool, int, float)) else v for v in values]
    for equation in graph.equations:
        if complete[equation.output] is None:
            operands = [complete[i] if type(i) is int else i.value for i in equation.inputs]  # type: ignore[union-attr]
            complete[equation.output] = equation.primitive.forward(*operands, *equation.params)
    return complete


def _edges(graph: Graph, values: list, chosen: dict[int, str], target: int, expanded: bool) -> Iterator[Edge]:
    """Every edge on some way to the output's variable, in order of the edges' targets."""
    producers = {equation.output: place for place, equation in enumerate(graph.equations)}
    depends = dependents(graph, arguments_of(graph))
    needed = {e.output for e in graph.reachable([target])}
    for number in sorted(chosen):
        if number not in needed or number not in producers:
            continue
        statement, sources = _statement(graph, number, producers, chosen)
        if not expanded:
            scalar = all(np.size(values[n]) == 1 for n in (number, *sources))
            rows = _pull_back(graph, statement, number, sources, values, depends) if scalar else None
            for source in sources:
                if not _touched(statement, source, np.ones(np.shape(values[source])), values, number).any():
                    continue
                value = float(np.ravel(rows[source])[0]) if rows is not None else None
                yield Edge(chosen[source], chosen[number], value)
            continue
        rows = _pull_back(graph, statement, number, sources, values, depends)
        targets = _entry_names(chosen[number], np.shape(values[number]))
        for source in sources:
            pattern = _pattern(statement, source, number, values)
            for place, face in enumerate(_entry_names(chosen[source], np.shape(values[source]))):
                for row, name in enumerate(targets):
                    if pattern[row, place]:
                        yield Edge(face, name, float(rows[source][row, place]))


def _statement(graph: Graph, number: int, producers: dict[int, int], chosen: dict[int, str]):
    """The equations between a node and the nodes it is made of, in order; and these nodes."""
    places: set[int] = set()
    sources: set[int] = set()
    waiting = [number]
    while waiting:
        place = producers[waiting.pop()]
        if place in places:
            continue
        places.add(place)
        for index, i in enumerate(graph.equations[place].inputs):
            if type(i) is not int or graph.variables[i].dtype.kind != "f":
                continue
            if graph.equations[place].primitive.rule(index) is None:
                continue
            if i in chosen:
                sources.add(i)
            elif i in producers:
                waiting.append(i)
    return [graph.equations[place] for place in sorted(places)], sorted(sources)


def _pull_back(graph, statement, number, sources, values, depends) -> dict[int, np.ndarray]:
    """The partial derivatives: for each source, a matrix of the target's entries by its entries."""
    count = np.size(values[number])
    rows = {source: np.zeros((count, np.size(values[source]))) for source in sources}
    wanted = set(sources)
    for row in range(count):
        seed = np.zeros(count)
        seed[row] = 1.0
        bars: dict[int, Any] = {number: seed.reshape(np.shape(values[number]))}
        for equation in reversed(statement):
            y_bar = bars.pop(equation.output, None)
            if y_bar is None:
                continue
            for i, x_bar in _contributions(equation, y_bar, values, resolved_params(equation, depends)):
                bars[i] = bars[i] + x_bar if i in bars else x_bar
        for source in wanted & bars.keys():
            rows[source][row] = np.ravel(bars[source])
    return rows


def _contributions(equation: Equation, y_bar, values, params) -> Iterator[tuple[int, Any]]:
    operands = tuple(values[i] if type(i) is int else i.value for i in equation.inputs)  # type: ignore[union-attr]
    for place, i in enumerate(equation.inputs):
        if type(i) is int:
            x_bar = equation.primitive.vjp(place, y_bar, values[equation.output], operands, params)
            if x_bar is not None:
                yield i, x_bar


def _pattern(statement: list[Equation], source: int, number: int, values: list) -> np.ndarray:
    """Which entries of the target depend on which entries of the source, whatever their values are."""
    size = np.size(values[source])
    if size == np.size(values[number]) == 1:
        return np.ones((1, 1), dtype=bool)
    columns = []
    for entry in range(size):
        unit = np.zeros(size)
        unit[entry] = 1.0
        columns.append(_touched(statement, source, unit.reshape(np.shape(values[source])), values, number).ravel())
    return np.stack(columns, axis=1)


def _touched(statement: list[Equation], source: int, mark: np.ndarray, values: list, number: int) -> np.ndarray:
    """The target's entries that the marked entries of the source reach: 1 where they do, run forward."""
    marks: dict[int, np.ndarray] = {source: mark}
    for equation in statement:
        if equation.output != source:
            found = _marks_of(equation, marks, values)
            if found is not None:
                marks[equation.output] = (np.asarray(found) > 0).astype(float)
    return marks.get(number, np.zeros(np.shape(values[number]))) > 0


def _marks_of(equation: Equation, marks: dict[int, np.ndarray], values: list) -> Any:
    primitive, params = equation.primitive, equation.params
    places = [
        place
        for place, i in enumerate(equation.inputs)
        if type(i) is int and i in marks and primitive.rule(place) is not None
    ]
    if not places:
        return None
    operands = [values[i] if type(i) is int else i.value for i in equation.inputs]  # type: ignore[union-attr]
    own = [marks[equation.inputs[place]] for place in places]  # type: ignore[index]
    shape = np.shape(values[equation.output])
    if primitive.kind == "elementwise" or primitive in (WHERE, CHOOSE):
        return sum(np.broadcast_to(mark, shape) for mark in own)
    if primitive.variadic:
        marked = [np.zeros(np.shape(x)) for x in operands]
        for place, mark in zip(places, own, strict=True):
            marked[place] = mark
        return primitive.forward(*marked, *params)
    if primitive in (MAX, MIN):
        return MAX.forward(own[0], *params)
    if primitive.kind == "linear":
        return sum(
            primitive.forward(*_one_marked(equation, operands, p, m), *params) for p, m in zip(places, own, strict=True)
        )
    return np.full(shape, any(mark.any() for mark in own), dtype=float)  # a general rule may mix everything


def _one_marked(equation: Equation, operands: list, place: int, mark: np.ndarray) -> list:
    """One operand marked, the other floating ones full of ones: no entry of them hides a dependence by being 0."""
    return [
        mark if other == place else np.ones(np.shape(x)) if equation.primitive.rule(other) is not None else x
        for other, x in enumerate(operands)
    ]


def _leading_to(output: str, edges: list[Edge]) -> list[Edge]:
    """The edges from which the output can be reached."""
    reached = {output}
    kept = []
    for edge in reversed(edges):
        if edge.target in reached:
            reached.add(edge.source)
            kept.append(edge)
    kept.reverse()
    return kept
