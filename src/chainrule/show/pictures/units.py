"""What pictures of units are made of: circles with names, numbers on wires, and matrices in brackets.

The one idea: a name such as `z^2_1` is drawn with its superscript and subscript, and what is large is shown by its first
parts, dots and its last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from chainrule.show.pictures.svg import SCRIPT, SIZES, Sheet, columns_of, number_text, shortened, width_of

SHOWN = 12  # rows, columns and units; of more, the first ones, dots and the last one
NUMBERED = 6  # rows and columns up to which edges carry numbers
RADIUS = 18.0
PITCH = 2 * RADIUS + 10  # between two units of a column
PORT = 15.0  # between two edges that carry numbers
FAN = 64.0  # the room in which edges spread
DOTS = "⋮"


def chosen(count: int) -> list[int | None]:
    """Which of `count` things are shown; None stands for the dots.

    >>> chosen(3), chosen(784)
    ([0, 1, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, None, 783])
    """
    return list(range(count)) if count <= SHOWN else [*range(SHOWN - 2), None, count - 1]


def parts_of(name: str) -> tuple[str, str, str]:
    """Base, superscript and subscript of a name.

    >>> parts_of("z^2_1"), parts_of("x_1"), parts_of("W[0,1]")
    (('z', '2', '1'), ('x', '', '1'), ('W[0,1]', '', ''))
    """
    found = re.fullmatch(r"([^\W_]+)(?:\^(\w+?))?(?:_(\w+))?", name)
    return (found[1], found[2] or "", found[3] or "") if found else (name, "", "")


def unit(sheet: Sheet, x: float, y: float, name: str | None, kind: str) -> None:
    """A circle with a name in it; dots where there is none. What does not fit is shortened."""
    if name is None:
        sheet.text(x, y + 6, DOTS, "name", "q", "middle")
        return
    sheet.open_group("node", name, node=name)
    sheet.circle(x, y, RADIUS, kind)
    base, above, below = parts_of(name)
    if columns_of(base) + SCRIPT * columns_of(above + below) > 4.4:
        base, above, below = shortened(name, 4), "", ""
    sheet.symbol(x, y + 4, (base, above, below), "note", "t", "middle")
    sheet.close_group()


def write_names(sheet: Sheet, x: float, y: float, text: str, colour: str) -> None:
    """One line of text in which names such as `z^2_1` are drawn with their superscripts and subscripts."""
    for word in text.split(" "):
        parts = parts_of(word) if "_" in word or "^" in word else (word, "", "")
        sheet.symbol(x, y, parts, "note", colour)
        x += width_of(parts[0] + " ", "note") + width_of(parts[1] + parts[2], "note") * SCRIPT


def run_length(values: Iterable[float]) -> float:
    """How long the straight piece of a wire must be that carries one of these numbers."""
    return max((width_of(number_text(float(value)), "small") for value in values), default=0.0) + 30


def number_on_wire(sheet: Sheet, x: float, y: float, value: float, colour: str = "tb") -> None:
    """A number in the middle of a wire, which is interrupted by it."""
    text = number_text(float(value))
    width = width_of(text, "small")
    sheet.box(x - width / 2 - 7, y - 6, width + 14, 12, "bg", 2)  # far enough that no dash looks like a minus
    sheet.text(x, y + 4, text, "small", colour, "middle")


def draw_matrix(
    sheet: Sheet,
    x: float,
    middle: float,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    column: int | None = None,
) -> float:
    """Numbers in brackets with the names of rows and columns; returns the height below it."""
    outs, ins = chosen(len(rows)), chosen(len(columns))
    texts = [[_cell(values, i, j) for j in ins] for i in outs]
    heads = [shortened(columns[j], 10) if j is not None else "" for j in ins]
    widths = [
        max(width_of(text, "note") for text in (head, *cells)) + 14 for head, *cells in zip(heads, *texts, strict=True)
    ]
    names = max(width_of(shortened(rows[i], 10), "note") for i in outs if i is not None) + 12
    line = SIZES["note"] + 8
    top = middle - len(outs) * line / 2
    bottom, start = top + len(outs) * line, x + names
    for j, head, right in zip(ins, heads, np.cumsum(widths), strict=True):
        if j is not None and j == column:
            width = widths[ins.index(j)]
            sheet.box(start + right - width + 2, top - line, width, bottom - top + line, "mark", 4)
        sheet.symbol(start + right - 5, top - 6, parts_of(head), "note", "q", "end")
    for place, (i, cells) in enumerate(zip(outs, texts, strict=True)):
        y = top + place * line + SIZES["note"] + 2
        sheet.symbol(x + names - 8, y, parts_of(shortened(rows[i], 10) if i is not None else ""), "note", "q", "end")
        for text, right in zip(cells, np.cumsum(widths), strict=True):
            sheet.text(start + right - 5, y, text, "note", "t", "end")
    for side, inwards in ((start - 2, 5), (start + sum(widths) + 4, -5)):
        for y in (top - 1, bottom + 1):
            sheet.straight((side, y), (side + inwards, y))
        sheet.straight((side, top - 1), (side, bottom + 1))
    return bottom + 4


def _cell(values: np.ndarray, i: int | None, j: int | None) -> str:
    if i is None or j is None:
        return DOTS if j is not None else "…"
    return number_text(float(values[i, j]))
