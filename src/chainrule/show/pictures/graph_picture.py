"""A program as a picture: its statements from left to right, and its backward pass beside it.

The one idea: the backward pass runs over the same edges in the other direction. A node shows its cotangent below its
value; a dashed line says which cotangent is made from which. A line that passes a node by (softmax with cross-entropy goes
from the loss to the logits at once) is drawn past it.

    graph_svg(cr.graph(loss, X, Y, W1, b1, W2, b2))
"""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.graphs import Graph
from chainrule.show.pictures.diagram import LONGEST, Card, Line, Wire, draw
from chainrule.show.pictures.statements import Cotangent, Statement, cotangents, statements
from chainrule.show.pictures.svg import BACKWARD, FORWARD, MARGIN, Sheet, columns_of, shortened

CAPTION = 36  # columns of a right-hand side on a card; in place of a longer one stand its operators


def graph_svg(graph: Graph, backward: Graph | None = None, *, operators: bool = False, title: str = "") -> str:
    """A graph as one `<svg>` element.

    Parameters
    ----------
    graph : Graph
        Its named variables are the nodes; an affine map inside of an activation has a node of its own.
    backward : Graph, optional
        A graph with the derived equations (`derive_vjp(...).graph`, simplified or not); the cotangents and the edges
        between them are drawn, too.
    operators : bool
        Show every equation as a node, also those without a name.
    title : str
        Set above the picture.

    Returns
    -------
    str
        One `<svg>` element.

    Examples
    --------
    >>> import chainrule as cr
    >>> def f(a, b):
    ...     c = a + b
    ...     return c * b
    >>> picture = graph_svg(cr.graph(f, 2.0, 3.0))
    >>> picture.count('class="node"'), picture.count('class="edge"')
    (4, 4)
    """
    nodes = statements(graph, operators=operators)
    bars = cotangents(nodes, backward) if backward is not None else {}
    sheet = Sheet(title or "A program as a graph", _in_words(nodes, bars))
    top = MARGIN
    if title:
        sheet.text(MARGIN, MARGIN + 14, shortened(title, 80), "head")
        top += 34
    bottom = draw(
        sheet,
        [_card(node, bars.get(number), operators) for number, node in nodes.items()],
        wires(nodes, bars),
        top,
    )
    meanings = [(FORWARD, "forward: the right node reads the left one")]
    if bars:
        meanings.append((BACKWARD, "backward: the cotangent at the left node is made from the one at the right node"))
    sheet.legend(bottom + 30, meanings)
    return sheet.svg()


def wires(nodes: dict[int, Statement], bars: dict[int, Cotangent]) -> list[Wire]:
    """The edges between the nodes in order; those that only the backward pass has come last."""
    found = {
        (source, number): Wire(str(source), str(number), title=f"{node.name} reads {nodes[source].name}")
        for number, node in nodes.items()
        for source in node.sources
    }
    reading: dict[int, list[int]] = {}
    for source, target in found:
        reading.setdefault(source, []).append(target)
    for node, bar in bars.items():
        for above in bar.made_from:
            used = _between(node, above, reading, nodes)
            if not used and above < node:
                continue  # the gradient of a gradient runs both ways; the card says what it is made of
            if not used:
                found[node, above] = Wire(str(node), str(above), forward=False)
            for edge in used or [(node, above)]:
                found[edge].backward = True
                found[edge].back_title = _made(bar, [bars[above].name] if above in bars else [nodes[above].name])
    return list(found.values())


def _between(start: int, end: int, reading: dict[int, list[int]], nodes: dict[int, Statement]) -> list[tuple[int, int]]:
    """The edges on all ways from a node to another that pass nodes without a name only."""
    edges: list[tuple[int, int]] = []
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for there in reading.get(here, ()):
            edges.append((here, there))
            if there not in seen and there != end and nodes[there].kind == "op":
                seen.add(there)
                waiting.append(there)
    useful = {end}
    for here, there in sorted(edges, reverse=True):  # a node has a larger number than what it reads
        if there in useful:
            useful.add(here)
    return sorted({(here, there) for here, there in edges if here in useful and there in useful})


def _made(bar: Cotangent, sources: Iterable[str]) -> str:
    right = f" = {bar.text}" if bar.text else ""
    reads = f"; reads {', '.join(bar.reads)}" if bar.reads else ""
    return f"{bar.name}{right}; made from {', '.join(sources)}{reads}"


def _card(node: Statement, bar: Cotangent | None, operators: bool) -> Card:
    named = node.kind != "op"
    lines: list[Line] = [(node.name, "name" if named else "value", "t" if named else "q")]
    fits = columns_of(node.text) <= CAPTION
    if node.text and fits and not operators:
        lines.append((f"= {node.text}" if named else node.text, "note", "t"))
    elif node.operators != node.name:
        lines.append((node.operators, "note", "q"))
    if node.shape:
        lines.append((node.shape, "note", "tf"))
    if bar is not None:
        full = f"{bar.name} = {bar.text}"
        lines.append((full if bar.text and columns_of(full) <= LONGEST else bar.name, "note", "tb"))
    right = f" = {node.text}" if node.text else ""
    cotangent = f"; {bar.name} = {bar.text}" if bar and bar.text else ""
    lines = [line for line in lines if line[0]]
    return Card(str(node.number), node.kind, lines, f"{node.name}{right} {node.shape}".rstrip() + cotangent)


def _in_words(nodes: dict[int, Statement], bars: dict[int, Cotangent]) -> str:
    inputs = ", ".join(node.name for node in nodes.values() if node.kind == "in")
    steps = [
        f"{node.name} from {', '.join(nodes[s].name for s in node.sources) or 'nothing'}"
        for node in nodes.values()
        if node.kind != "in"
    ]
    made = [bar.name for bar in bars.values()]
    back = f" Backward: {', '.join(made[:40])}." if made else ""
    more = f"; and {len(steps) - 40} more" if len(steps) > 40 else ""
    return f"Inputs {inputs}. {'; '.join(steps[:40])}{more}.{back}"
