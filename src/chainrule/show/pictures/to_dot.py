"""A graph or its paths as Graphviz text, for those who have a layout program of their own.

The one idea: the nodes and edges are those of the pictures; only the layout is left to another program. Every name is
quoted, so that none can end its string or be read as markup.

    print(to_dot(cr.paths(f, 2, 3)))        # digraph { rankdir=LR; ... "a" -> "c" [label="1"] ... }
"""

from __future__ import annotations

from chainrule.derivation.paths import Paths
from chainrule.graphs import Graph
from chainrule.show.pictures.graph_picture import wires
from chainrule.show.pictures.paths_picture import back_derivatives
from chainrule.show.pictures.statements import cotangents, statements
from chainrule.show.pictures.svg import clean, number_text

HEAD = [
    "digraph {",
    "  rankdir=LR;",
    '  node [shape=box, style=rounded, fontname="monospace"];',
    '  edge [color="#0072b2"];',
]
BACK = 'color="#d55e00", fontcolor="#a84300", style=dashed, arrowhead=empty, constraint=false'


def to_dot(drawn: Graph | Paths, backward: Graph | None = None, *, operators: bool = False) -> str:
    r"""Graphviz text of what `graph_svg` or `paths_svg` draws.

    Parameters
    ----------
    drawn : Graph or Paths
    backward : Graph, optional
        Of a Graph: a graph with its derived equations, for the cotangents and the edges between them.
    operators : bool
        Of a Graph: show every equation as a node.

    Examples
    --------
    >>> from chainrule.derivation.paths import Edge, Paths
    >>> edges = (Edge("x", "y", 2.0),)
    >>> print(to_dot(Paths(("x", "y"), ("x",), "y", {"x": 3.0, "y": 6.0}, edges)))
    digraph {
      rankdir=LR;
      node [shape=box, style=rounded, fontname="monospace"];
      edge [color="#0072b2"];
      "x" [label="x\n= 3"];
      "y" [label="y\n= 6"];
      "x" -> "y" [label="2"];
      "y" -> "x" [label="2", color="#d55e00", fontcolor="#a84300", style=dashed, arrowhead=empty, constraint=false];
    }
    """
    lines = _of_paths(drawn) if isinstance(drawn, Paths) else _of_graph(drawn, backward, operators=operators)
    return "\n".join([*HEAD, *lines, "}"])


def quoted(*lines: str) -> str:
    r"""Lines of text as one Graphviz string.

    >>> print(quoted('say "hi"', "a\\b"))
    "say \"hi\"\na\\b"
    """
    return '"' + r"\n".join(clean(line).replace("\\", r"\\").replace('"', r"\"") for line in lines) + '"'


def _of_paths(paths: Paths) -> list[str]:
    lines = []
    bars = back_derivatives(paths)
    for node in paths.nodes:
        value = paths.values.get(node)
        shape = getattr(value, "shape", ())
        text = [] if value is None else [f"= {number_text(float(value))}" if not shape else str(shape)]
        lines.append(f"  {quoted(node)} [label={quoted(node, *text)}];")
    for edge in paths.edges:
        bar = bars[edge.target]
        source, target = quoted(edge.source), quoted(edge.target)
        lines.append(f"  {source} -> {target} [label={quoted(number_text(edge.value))}];")
        if bar is not None and edge.value is not None:
            lines.append(f"  {target} -> {source} [label={quoted(number_text(edge.value * bar))}, {BACK}];")
    return lines


def _of_graph(graph: Graph, backward: Graph | None, *, operators: bool) -> list[str]:
    nodes = statements(graph, operators=operators)
    bars = cotangents(nodes, backward) if backward is not None else {}
    lines = []
    for number, node in nodes.items():
        text = [node.name, node.shape, bars[number].name if number in bars else ""]
        lines.append(f'  "{number}" [label={quoted(*filter(None, text))}];')
    for wire in wires(nodes, bars):
        if wire.forward:
            lines.append(f'  "{wire.source}" -> "{wire.target}";')
        if wire.backward:
            lines.append(f'  "{wire.target}" -> "{wire.source}" [{BACK}];')
    return lines
