"""Paths: which ways lead from a variable to the output, what travels on each, and what walking them costs.

The one idea: the nodes are the variables that the user named; unnamed intermediates belong to their statement, so an
edge carries the local partial derivative of one named variable by another. The gradient is the sum over all paths of
the products along them; counting and summing go by dynamic programming, so a graph with 2**1000 paths is no trouble.

Small arrays are taken apart into their entries (`z[0,1]`); larger ones stay whole, and then edges carry no number.

    c = a + b; d = a * b; o = c * d / 2         a = 2, b = 3:
    a -> c -> o    1 * 3    = 3
    a -> d -> o    3 * 2.5  = 7.5               do/da = 10.5

It never derives a graph: the rules run on plain numbers here. Nothing recurses.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.derivation.building import arguments_of, dependents, resolved_params
from chainrule.errors import ArgumentError
from chainrule.graphs import Equation, Graph
from chainrule.primitives.comparison import WHERE
from chainrule.primitives.reduction import MAX, MIN

LISTED = 1000  # paths that are listed for one node; the number of all of them is exact
EXPANDED = 64  # entries up to which an array is taken apart
BLOCK = 8192  # seeds that one pass counts at once


@dataclass(frozen=True, slots=True)
class Edge:
    """`value` is the partial derivative of `target` by `source`; None between whole arrays."""

    source: str
    target: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Path:
    """One way to the output: the nodes on it, the partial derivatives along it, and their product."""

    nodes: tuple[str, ...]
    factors: tuple[float | None, ...]

    @property
    def product(self) -> float | None:
        """What this path contributes to the derivative; None where a whole array is on the way."""
        product: float | None = 1.0
        for factor in self.factors:
            product = None if product is None or factor is None else product * factor
        return product

    def __str__(self) -> str:
        return " -> ".join(self.nodes)


@dataclass(frozen=True)
class Paths:
    """The graph of named variables between the inputs and one number, with its partial derivatives.

    Attributes
    ----------
    nodes : tuple of str
        In order of evaluation; only those from which a path leads to the output.
    inputs : tuple of str
        Those among the nodes that are arguments of the function.
    output : str
    values : dict of str to float or array
    edges : tuple of Edge
        In order of their targets.
    expanded : bool
        Whether arrays were taken apart into entries.
    """

    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    values: dict[str, Any]
    edges: tuple[Edge, ...]
    expanded: bool = True

    # -- the graph in both directions ----------------------------------------------------------------------------
    @functools.cached_property
    def leaving(self) -> dict[str, list[Edge]]:
        """The edges that leave each node."""
        result: dict[str, list[Edge]] = {node: [] for node in self.nodes}
        for edge in self.edges:
            result[edge.source].append(edge)
        return result

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """How many paths lead from each node to the output: one more sweep of the sum over paths, with 1 on each edge."""
        numbers = dict.fromkeys(self.nodes, 0)
        numbers[self.output] = 1
        for edge in reversed(self.edges):
            numbers[edge.source] += numbers[edge.target]
        return numbers

    @functools.cached_property
    def gradients(self) -> dict[str, float]:
        """The derivative of the output by each node: the sum over its paths, each edge used once."""
        self._needs_numbers("gradients")
        bars = dict.fromkeys(self.nodes, 0.0)
        bars[self.output] = 1.0
        for edge in reversed(self.edges):
            bars[edge.source] += edge.value * bars[edge.target]  # type: ignore[operator]
        return bars

    def tangents(self, node: str) -> dict[str, float]:
        """The derivative of each later node by this one: one sweep of forward mode."""
        self._needs_numbers("tangents")
        self._known(node)
        dots = {node: 1.0}
        for edge in self.edges:
            if edge.source in dots and edge.target != node:
                dots[edge.target] = dots.get(edge.target, 0.0) + edge.value * dots[edge.source]  # type: ignore[operator]
        return dots

    def paths_from(self, node: str, limit: int = LISTED) -> list[Path]:
        """The paths from a node to the output, at most `limit` of them."""
        self._known(node)
        found: list[Path] = []
        nodes: list[str] = [node]
        factors: list[float | None] = []
        open_edges: list[Iterator[Edge]] = [iter(self.leaving[node])]
        while open_edges and len(found) < limit:
            if nodes[-1] == self.output:
                found.append(Path(tuple(nodes), tuple(factors)))
                edge = None
            else:
                edge = next(open_edges[-1], None)
            if edge is None:
                open_edges.pop()
                nodes.pop()
                if factors:
                    factors.pop()
            else:
                nodes.append(edge.target)
                factors.append(edge.value)
                open_edges.append(iter(self.leaving[edge.target]))
        return found

    # -- what the three ways cost --------------------------------------------------------------------------------
    @functools.cached_property
    def counts(self) -> dict[str, Any]:
        """Multiplications by a local partial derivative, of the three ways to all derivatives and to the inputs' alone.

        `path_by_path` walks every path of every variable; `forward_mode` makes one sweep for each variable;
        `reverse_mode` makes one sweep in all. A variable is any node but the output; the first product is with 1.
        """
        variables = [node for node in self.nodes if node != self.output]
        inputs = [node for node in self.inputs if node != self.output]
        lengths = dict.fromkeys(self.nodes, 0)  # the lengths of all paths from a node, summed
        for edge in reversed(self.edges):
            lengths[edge.source] += lengths[edge.target] + self.numbers[edge.target]
        arriving = dict.fromkeys(self.nodes, 1)  # walks that end in a node, whatever variable they started from
        for edge in self.edges:
            arriving[edge.target] += arriving[edge.source]
        paths = {node: self.numbers[node] for node in variables}
        total = sum(paths.values())
        return {
            "edges": len(self.edges),
            "variables": len(variables),
            "paths": paths,
            "path_by_path": {
                "edge_uses": sum(lengths[node] for node in variables),
                "per_edge": {
                    f"{e.source}->{e.target}": arriving[e.source] * self.numbers[e.target] for e in self.edges
                },
                "products": sum(lengths[node] for node in variables) - total,
                "additions": total - len(variables),
                "edge_uses_inputs_only": sum(lengths[node] for node in inputs),
            },
            "forward_mode": {
                "sweeps": len(variables),
                "edge_uses": self._swept(variables),
                "sweeps_inputs_only": len(inputs),
                "edge_uses_inputs_only": self._swept(inputs),
            },
            "reverse_mode": {
                "sweeps": 1,
                "edge_uses": len(self.edges),
                "additions": len(self.edges) - len(variables),
            },
        }

    def _swept(self, seeds: Sequence[str]) -> int:
        """The edges that one sweep for each seed uses: a bit of `mask` says which sweep has reached a node."""
        used = 0
        for start in range(0, len(seeds), BLOCK):
            mask = dict.fromkeys(self.nodes, 0)
            for bit, seed in enumerate(seeds[start : start + BLOCK]):
                mask[seed] |= 1 << bit
            for edge in self.edges:
                used += mask[edge.source].bit_count()
                mask[edge.target] |= mask[edge.source]
        return used

    # -- text ----------------------------------------------------------------------------------------------------
    def __str__(self) -> str:
        lines = [
            f"{self.output}{_equals(self.values.get(self.output))}, by way of {', '.join(self._inner()) or 'nothing'}"
        ]
        lines += ["", "local partial derivatives"]
        lines += _table([(f"d{e.target}/d{e.source}", f"= {_number(e.value)}") for e in self.edges[:LISTED]])
        lines += ["", f"paths to {self.output}"]
        rows: list[tuple[str, ...]] = []
        for node in self.nodes:
            if node != self.output:
                rows += self._rows(node, LISTED - len(rows))
        lines += _table(rows)
        lines += ["products with a local derivative      (inputs only)"]
        counts = self.counts
        walked, forward, reverse = counts["path_by_path"], counts["forward_mode"], counts["reverse_mode"]
        lines += _table(
            [
                ("path by path", big(walked["edge_uses"]), f"({big(walked['edge_uses_inputs_only'])})", ""),
                (
                    "forward mode",
                    str(forward["edge_uses"]),
                    f"({forward['edge_uses_inputs_only']})",
                    f"{forward['sweeps']} sweeps ({forward['sweeps_inputs_only']})",
                ),
                ("reverse mode", str(reverse["edge_uses"]), "", "1 sweep"),
            ]
        )
        return "\n".join(line.rstrip() for line in lines)

    def _inner(self) -> list[str]:
        inner = [node for node in self.nodes if node != self.output and node not in set(self.inputs)]
        return inner if len(inner) <= 12 else [*inner[:6], "...", *inner[-5:]]

    def _rows(self, node: str, room: int) -> list[tuple[str, ...]]:
        if room <= 0:
            return []
        listed = self.paths_from(node, room)
        rows = [(str(p), " * ".join(map(_number, p.factors)), f"= {_number(p.product)}") for p in listed]
        if len(listed) < self.numbers[node]:
            rows.append((f"... {big(self.numbers[node])} paths in all", "", ""))
        total = self.gradients[node] if self._has_numbers else None
        many = f"{big(self.numbers[node])} paths" if self.numbers[node] != 1 else "1 path"
        return [*rows, (f"d{self.output}/d{node}", many, f"= {_number(total)}"), ("", "", "")]

    @property
    def _has_numbers(self) -> bool:
        return all(edge.value is not None for edge in self.edges)

    def _needs_numbers(self, what: str) -> None:
        if not self._has_numbers:
            raise ArgumentError(
                f"{what} need numbers on the edges, but an array has more than {EXPANDED} entries; "
                "choose smaller arrays with nodes=, or use cr.grad"
            )

    def _known(self, node: str) -> None:
        if node not in self.numbers:
            raise ArgumentError(f"{node!r} is not a node; the nodes are {', '.join(self.nodes[:50])}")


def big(count: int) -> str:
    """A count that may have thousands of digits.

    >>> big(48), big(2**3000)
    ('48', 'about 2**3000')
    """
    return str(count) if count.bit_length() <= 64 else f"about 2**{count.bit_length() - 1}"


def _number(value: float | None) -> str:
    return "a Jacobian" if value is None else f"{value + 0.0:.6g}"  # -0.0 + 0.0 is 0.0


def _equals(value: Any) -> str:
    return "" if value is None or np.size(value) != 1 else f" = {_number(float(value))}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


# -- from a traced graph ---------------------------------------------------------------------------------------------


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
    if primitive.kind == "elementwise" or primitive is WHERE:
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
