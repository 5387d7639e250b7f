"""Lines of text in columns: how wide a text is, how it is wrapped, how a long formula is broken.

The one idea: width is counted as a terminal counts it, so an accent takes no room and a wide character takes two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

ANSI = re.compile(r"\x1b\[[0-9;]*m")
_OPERATOR = re.compile(r" (\+|-|\*|/|@|⊙|·|=|if|else) ")
_COLOURS = {"title": "1", "name": "36", "dim": "2", "code": "33"}


def cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    text = ANSI.sub("", text)
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def padded(text: str, width: int, *, right: bool = False) -> str:
    """A text with spaces after it (before it, if `right`) up to a width."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space


def painted(text: str, colour: str, on: bool) -> str:
    """A text in a colour of its purpose: title, name, dim, code."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if on and text else text


def wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """A paragraph in lines; a word that is too long stands alone."""
    lines: list[str] = []
    line, used = (indent if first is None else first), 0
    for word in text.split(" "):
        if used and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line, used = indent, 0
        line += (" " if used else "") + word
        used += 1
    return [*lines, line]


def broken(text: str, width: int) -> list[str]:
    """A formula in lines, broken before an operator, outermost ones first; what cannot be broken stays long."""
    lines = []
    while cells(text) > width:
        cut = _cut(text, width)
        if not cut:
            break
        lines.append(text[:cut].rstrip())
        text = "  " + text[cut:].lstrip()
    return [*lines, text]


def _cut(text: str, width: int) -> int:
    """Where a line ends: in its last two thirds, before the outermost sum, else product, else after a comma."""
    depth, best, cost_of_best = 0, 0, 10**6
    for i, character in enumerate(text[: width + 1]):
        depth += (character in "([{") - (character in ")]}")
        sign = _OPERATOR.match(text, i)
        if i > width // 3 and (sign or text[i - 1 : i + 1] == ", "):
            cost = 3 * depth + (2 if not sign else 1 if sign[1] in "*/@⊙·" else 0)
            if cost <= cost_of_best:
                best, cost_of_best = i, cost
    return best


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table with a rule under its heads; cells are wrapped where the table is too wide."""
    count = max(len(heads), *(len(row) for row in rows)) if rows else len(heads)
    cells_of = [[*row, *[""] * (count - len(row))] for row in [heads, *rows]]
    widths = _fitted([[cells(row[i]) for row in cells_of] for i in range(count)], width - 2 * (count - 1))
    lines = []
    for number, row in enumerate(cells_of):
        columns = [wrapped(cell, widths[i]) for i, cell in enumerate(row)]
        for k in range(max(map(len, columns), default=0)):
            parts = [padded(c[k] if k < len(c) else "", w) for c, w in zip(columns, widths, strict=True)]
            lines.append("  ".join(parts).rstrip())
        if number == 0 and any(heads):
            lines.append("  ".join("-" * w for w in widths))
    return lines


def _fitted(columns: list[list[int]], width: int) -> list[int]:
    """Widths of columns that sum to no more than a width, where possible: the widest give way."""
    widths = [max(column, default=0) for column in columns]
    while sum(widths) > width and max(widths, default=0) > 12:
        widths[widths.index(max(widths))] -= 1
    return widths
