"""Paths as a picture: numbers travel on the edges, forward and back; below, every path with its product.

The one idea: the sum over paths can be seen. On each edge stands the local partial derivative (above, in blue) and what
travels back over it (below, in vermillion): that partial times the derivative that has arrived at its target. A node's
derivative is the sum of what comes back to it.

    paths_svg(cr.paths(f, 2, 3))

It computes nothing but these products: values, partials, gradients and counts are those of `Paths`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.derivation.paths import Path, Paths, big
from chainrule.show.pictures.diagram import Card, Wire, draw
from chainrule.show.pictures.svg import BACKWARD, FORWARD, MARGIN, SIZES, Sheet, clean, number_text, shortened, width_of

LISTED = 20  # paths that are written out below the graph
NODES, FACTORS = 24, 12  # of a path that are written out


def paths_svg(paths: Paths) -> str:
    """The graph of paths with its numbers, the paths themselves, and what the three ways to the derivatives cost.

    Parameters
    ----------
    paths : Paths
        From ``cr.paths(f, ...)``.

    Returns
    -------
    str
        One `<svg>` element. Arrays that were not taken apart say "Jacobian" where a number would stand.

    Examples
    --------
    >>> import chainrule as cr
    >>> def f(a, b):
    ...     c = a + b
    ...     d = a * b
    ...     o = c * d / 2
    ...     return o
    >>> "∂o/∂a = 10.5" in paths_svg(cr.paths(f, 2, 3))
    True
    """
    output, inputs = paths.output, len(paths.inputs)
    sheet = Sheet(
        f"Paths to {output}",
        f"A graph of {len(paths.nodes)} nodes and {len(paths.edges)} edges from {inputs} inputs to {output}, with values, "
        f"local partial derivatives and gradients. {_in_words(paths)}",
    )
    sheet.text(MARGIN, MARGIN + 14, f"Paths to {shortened(output, 60)}", "head")
    bars = back_derivatives(paths)
    bottom = draw(
        sheet,
        [_card(paths, node, bars[node]) for node in paths.nodes],
        [_wire(paths, edge, bars[edge.target]) for edge in paths.edges],
        MARGIN + 34,
    )
    y = sheet.legend(
        bottom + 30,
        [
            (FORWARD, "forward: the local partial derivative of the right node by the left one"),
            (BACKWARD, "backward: that partial times the derivative at the right node; a node adds up what comes back"),
        ],
    )
    return _counts(sheet, paths, _listing(sheet, paths, y + 14) + 14).svg()


def back_derivatives(paths: Paths) -> dict[str, float | None]:
    """The derivative of the output by each node; None where a whole array is on a way from it."""
    bars: dict[str, float | None] = dict.fromkeys(paths.nodes, 0.0)
    bars[paths.output] = 1.0 if np.size(paths.values.get(paths.output, 0.0)) == 1 else None
    for edge in reversed(paths.edges):
        sent, so_far = _times(edge.value, bars[edge.target]), bars[edge.source]
        bars[edge.source] = None if sent is None or so_far is None else so_far + sent
    return bars


def _times(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left * right


def _card(paths: Paths, node: str, bar: float | None) -> Card:
    value = paths.values.get(node)
    kind = "out" if node == paths.output else "in" if node in paths.inputs else "box"
    derivative = (
        f"∂{shortened(paths.output, 12)}/∂{shortened(node, 12)} = {number_text(bar)}" if bar is not None else ""
    )
    lines = [(node, "name", "t"), (_value_text(value), "value", "tf"), (derivative, "value", "tb")]
    exact = f", derivative of {paths.output}: {bar!r}" if bar is not None else ""
    return Card(node, kind, [line for line in lines if line[0]], f"{node}{_value_text(value, exact=True)}{exact}")


def _value_text(value: Any, *, exact: bool = False) -> str:
    if value is None:
        return ""
    if np.size(value) != 1:
        return f" of shape {np.shape(value)}" if exact else str(np.shape(value))
    number = float(np.ravel(value)[0])
    return f" = {number!r}" if exact else f"= {number_text(number)}"


def _wire(paths: Paths, edge: Any, bar: float | None) -> Wire:
    sent = _times(edge.value, bar)
    name = f"∂{edge.target}/∂{edge.source}"
    return Wire(
        edge.source,
        edge.target,
        backward=True,
        above=number_text(edge.value),
        below=number_text(sent) if sent is not None else "",
        title=f"{name} = {edge.value!r}" if edge.value is not None else f"{name} is a Jacobian",
        back_title=f"{name} times ∂{paths.output}/∂{edge.target}" + (f" = {sent!r}" if sent is not None else ""),
    )


# -- below the graph --------------------------------------------------------------------------------------------------
def _starts(paths: Paths) -> list[str]:
    """The nodes whose paths are listed: the inputs, or every node where none of them is an input."""
    nodes = paths.inputs or tuple(node for node in paths.nodes if node not in {edge.target for edge in paths.edges})
    return [node for node in nodes if node != paths.output]


def _listing(sheet: Sheet, paths: Paths, y: float) -> float:
    rows: list[tuple[Any, ...]] = []  # three texts, and whether it is a sum
    bars = back_derivatives(paths)
    shown = 0
    for node in _starts(paths):
        if shown >= LISTED:
            break
        found = paths.paths_from(node, LISTED - shown)
        shown += len(found)
        rows += [(_ways(p.nodes), _product(p), _result(p.product), False) for p in found]
        if len(found) == paths.numbers[node] and bars[node] is not None:
            many = f"{big(paths.numbers[node])} path{'s' if paths.numbers[node] != 1 else ''}"
            name = f"∂{shortened(paths.output, 24)}/∂{shortened(node, 24)}"
            rows.append((name, f"the sum over {many}", _result(bars[node]), True))
    more = sum(paths.numbers[node] for node in _starts(paths)) - shown
    if rows:
        sheet.text(MARGIN, y, "Every path from an input, and its product", "value")
    columns = [max((width_of(texts[c], "note") for *texts, _ in rows), default=0.0) for c in range(2)]
    starts = (MARGIN, MARGIN + columns[0] + 24, MARGIN + sum(columns) + 48)
    for *texts, total in rows:
        y += SIZES["note"] + 6
        for text, x in zip(texts, starts, strict=True):
            sheet.text(x, y, text, "note", "tb" if total else "t")
    if more:
        y += SIZES["note"] + 6
        sheet.text(MARGIN, y, f"and {big(more)} more", "note", "q")
    return y + SIZES["note"] + 6 if rows or more else y


def _ways(nodes: tuple[str, ...]) -> str:
    return " → ".join(_cut([shortened(node, 16) for node in nodes], NODES))


def _product(path: Path) -> str:
    return " × ".join(_cut([number_text(factor) for factor in path.factors], FACTORS)) or "1"


def _result(value: float | None) -> str:
    return "" if value is None else f"= {number_text(value)}"


def _cut(texts: list[str], most: int) -> list[str]:
    """A list without its middle, if it is a long one."""
    return texts if len(texts) <= most else [*texts[: most // 2], "…", *texts[-(most // 2) :]]


def _counts(sheet: Sheet, paths: Paths, y: float) -> Sheet:
    """What the three ways cost, as `Paths.counts` has it."""
    counts = paths.counts
    walked, forward, reverse = counts["path_by_path"], counts["forward_mode"], counts["reverse_mode"]
    rows = [
        ("products with a local derivative", "by every variable", "by the inputs", "sweeps"),
        ("path by path", big(walked["edge_uses"]), big(walked["edge_uses_inputs_only"]), ""),
        (
            "forward mode",
            big(forward["edge_uses"]),
            big(forward["edge_uses_inputs_only"]),
            f"{forward['sweeps']}, or {forward['sweeps_inputs_only']} for the inputs",
        ),
        ("reverse mode", big(reverse["edge_uses"]), big(reverse["edge_uses"]), "1"),
    ]
    widths = [max(width_of(row[c], "note") for row in rows) for c in range(4)]
    for place, row in enumerate(rows):
        x = MARGIN
        for text, width in zip(row, widths, strict=True):
            sheet.text(x, y, text, "note", "q" if place == 0 else "t")
            x += width + 20
        y += SIZES["note"] + 6
    return sheet


def _in_words(paths: Paths) -> str:
    number = sum(paths.numbers[node] for node in _starts(paths))
    counts = paths.counts
    return clean(
        f"{big(number)} paths lead from the inputs to {paths.output}. Walking them one by one takes "
        f"{big(counts['path_by_path']['edge_uses_inputs_only'])} products, forward mode "
        f"{big(counts['forward_mode']['edge_uses_inputs_only'])}, reverse mode {big(counts['reverse_mode']['edge_uses'])}."
    )
