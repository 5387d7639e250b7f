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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError

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
