"""A document as text, for terminals, pipes and doctests.

The one idea: a block is a list of lines for a given width, so blocks stand below each other, beside each other, or
indented. Formulas are NumPy with a little mathematics, in the names of the program.

>>> from chainrule.matrix_form import Product, Symbol, Transposed
>>> from chainrule.show.document import Document, Equations, Row
>>> dW = Row(Symbol("dW"), (Product(Transposed(Symbol("X")), Symbol("dZ")),), "(3, 2)", ("summed over N",))
>>> print(as_text(Document("", (Equations((dW,)),)), width=60))
  dW = Xᵀ @ dZ    (3, 2)    summed over N
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chainrule.matrix_form import MatrixForm, Symbol
from chainrule.show.costumes import formulas
from chainrule.show.costumes.cells import code_lines, matrix_cells
from chainrule.show.costumes.matrix_text import matrix_text, name_text, printable
from chainrule.show.costumes.notation import Naming, Notation
from chainrule.show.costumes.notation import notation as notation_of
from chainrule.show.costumes.rows_text import broken, cells, padded, painted, table_lines, wrapped
from chainrule.show.document import (
    Block,
    Code,
    Document,
    Equations,
    Facts,
    Figure,
    Formula,
    Listing,
    Matrix,
    Paragraph,
    Row,
    Section,
    Sentence,
    SideBySide,
    Table,
)

NARROWEST, WIDEST, PIPED = 60, 200, 100
_APART = 3  # spaces between columns of an equation
_PLACES = 0xE000  # private characters that stand for a symbol until it is known how wide its shape is


def as_text(
    document: Document,
    *,
    width: int | None = None,
    notation: str | Notation = "default",
    unicode: bool = True,
    colour: bool = False,
    shapes: bool = False,
) -> str:
    """A document as text.

    Parameters
    ----------
    document : Document
    width : int, optional
        Columns, 60 to 200. Default: the terminal's; 100 where the output is piped.
    notation : str or Notation
        "default" shows names as they are in the program.
    unicode : bool
        Whether ⊙, ᵀ, Σ and ∂ may be used; else everything but names is ASCII.
    colour : bool
        Whether titles, names and remarks are coloured.
    shapes : bool
        Whether each symbol has its shape under it.

    Returns
    -------
    str
        Without a newline at the end.
    """
    width = _terminal_width() if width is None else width
    naming = Naming.of(document, notation)
    writer = _Writer(naming, unicode, colour, shapes)
    return "\n".join(writer.page(document, min(max(width, NARROWEST), WIDEST)))


def renderables(document: Document, width: int, notation: str | Notation = "default") -> Iterator[Any]:
    """A document for `rich`, which is given the text in colours."""
    from rich.text import Text

    yield Text.from_ansi(as_text(document, width=width, notation=notation, colour=True), no_wrap=True)


def formula_text(
    formula: Formula | str,
    notation: str | Notation = "default",
    facts: Mapping[str, Facts] | None = None,
    loss: str = "L",
) -> str:
    """One formula as a line of text.

    >>> from chainrule.matrix_form import Product, Symbol, Transposed
    >>> formula_text(Product(Transposed(Symbol("X")), Symbol("dZ")))
    'Xᵀ @ dZ'
    """
    return formulas.formula_text(formula, Naming(notation_of(notation), facts, loss))


def _terminal_width() -> int:
    return shutil.get_terminal_size((PIPED, 24)).columns if sys.stdout is not None and sys.stdout.isatty() else PIPED


@dataclass(frozen=True)
class _Writer:
    naming: Naming
    unicode: bool
    colour: bool
    shapes: bool

    def page(self, document: Document, width: int) -> list[str]:
        lines: list[str] = []
        if document.title:
            lines += [*self.title(printable(document.title), "=", width), ""]
        return _trimmed([*lines, *self.blocks(document.blocks, width, 0)])

    def title(self, text: str, rule: str, width: int) -> list[str]:
        lines = wrapped(text, width)
        return [*(painted(line, "title", self.colour) for line in lines), rule * min(max(map(cells, lines)), width)]

    def blocks(self, blocks: tuple[Block, ...], width: int, level: int) -> list[str]:
        lines: list[str] = []
        for block in blocks:
            lines += [*self.block(block, width, level), ""]
        return lines[:-1]

    def block(self, block: Block, width: int, level: int) -> list[str]:
        """The lines of one block."""
        match block:
            case Paragraph(pieces=pieces):
                return wrapped(self.sentence(pieces), width)
            case Equations(rows=rows):
                return self.equations(rows, width) if rows else []
            case Matrix():
                return self.matrix(block, width)
            case Table(heads=heads, rows=rows):
                shown = [[self.sentence(cell) for cell in row] for row in rows]
                return table_lines([printable(head) for head in heads], shown, width)
            case Listing(text=text):
                lines = (f"    {printable(line)}".rstrip() for line in code_lines(text))
                return [painted(line, "code", self.colour) for line in lines]
            case Figure(caption=caption):
                return wrapped(f"[figure: {printable(caption)}]", width)
            case SideBySide():
                return self.side_by_side(block, width, level)
            case Section(title=title, blocks=blocks):
                text = self.sentence(title)
                head = self.title(text, "-", width) if level < 2 else [painted(text, "title", self.colour)]
                return [*head, "", *self.blocks(blocks, width, level + 1)]
        raise AssertionError(f"{type(block).__name__} has no text")

    def sentence(self, sentence: Sentence) -> str:
        """A sentence as one line."""
        return "".join(self.piece(piece) for piece in sentence)

    def piece(self, piece: Any) -> str:
        match piece:
            case str():
                return printable(piece)
            case Code(text=text):
                return painted(printable(text), "code", self.colour)
        return self.formula(piece)

    def formula(self, formula: Formula | str) -> str:
        return formulas.formula_text(formula, self.naming, unicode=self.unicode)

    # -- equations -----------------------------------------------------------------------------------------------------

    def equations(self, rows: tuple[Row, ...], width: int) -> list[str]:
        """Rows aligned at the equals signs; shape and remark in columns, or the remark below where it is narrow."""
        table = [_Line(self.formula(row.left), [self.formula(side) for side in row.right], row) for row in rows]
        left = max(cells(line.left) for line in table)
        if self.shapes:
            left = max(left, *(cells(_tight(line.row.shape)) for line in table))
        room = width - left - 5
        right = max(cells(side) for line in table for side in line.rights)
        shape = max(cells(line.row.shape) for line in table)
        shape_column = left + 5 + right + _APART
        remark_column = shape_column + (shape + _APART if shape else 0)
        remarks = [self.sentence(line.row.remark) for line in table]
        beside = right <= room and width - remark_column >= min(34, max(map(cells, remarks)))
        lines: list[str] = []
        for line, remark in zip(table, remarks, strict=True):
            made = self.row(line, left, room)
            if line.row.shape:
                self.put_shape(made, line, room, shape_column, width)
            if remark and beside:
                column = " " * remark_column
                said = wrapped(remark, width, column)
                for i, text in enumerate(said):
                    text = painted(text[remark_column:], "dim", self.colour)
                    if i < len(made):
                        made[i] = padded(made[i], remark_column) + text
                    else:
                        made.append(column + text)
            elif remark:
                said = wrapped(remark, width, " " * (left + 5))
                made += [painted(text, "dim", self.colour) for text in said]
            lines += made
        return lines

    def put_shape(self, made: list[str], line: _Line, room: int, column: int, width: int) -> None:
        """The shape in its column, after the formula, or below it: the first of these that has room."""
        shape, last = line.row.shape, len(broken(line.rights[0], room)) - 1
        used = cells(made[last])
        if last == 0 and used <= column - _APART and column + cells(shape) <= width:
            made[0] = f"{padded(made[0], column)}{shape}"
        elif used + _APART + cells(shape) <= width:
            made[last] += f"{' ' * _APART}{shape}"
        else:
            made.insert(last + 1, " " * (width - room) + shape)

    def row(self, line: _Line, left: int, room: int) -> list[str]:
        lines = []
        for i, side in enumerate(line.rights):
            name = painted(line.left, "name", self.colour) if i == 0 else ""
            head = f"  {padded(name, left)} = "
            for k, part in enumerate(broken(side, room)):
                lines.append((head if k == 0 else " " * (left + 5)) + part)
            if self.shapes:
                lines += self.shape_line(line.row, i, left)
        return lines

    def shape_line(self, row: Row, i: int, left: int) -> list[str]:
        """The formula once more, with a shape in the place of each symbol, under an equation of whole arrays."""
        side = row.right[i]
        if not isinstance(side, MatrixForm) or isinstance(side, Symbol):
            return []
        names: list[str] = []

        def place(name: str) -> str:
            names.append(name)
            return chr(_PLACES + len(names) - 1)

        text = matrix_text(side, self.naming, unicode=self.unicode, name_of=place)
        for k, name in enumerate(names):
            shape = _tight(self.naming.facts_of(name).shape)
            text = text.replace(chr(_PLACES + k), shape or name_text(name, self.naming, unicode=self.unicode))
        if not any(self.naming.facts_of(name).shape for name in names):
            return []
        shape = padded(_tight(row.shape) if i == 0 else "", left)
        return [painted(f"  {shape} : {text}", "dim", self.colour)]

    # -- other blocks --------------------------------------------------------------------------------------------------

    def matrix(self, matrix: Matrix, width: int) -> list[str]:
        title = self.formula(matrix.title) if not isinstance(matrix.title, str) else printable(matrix.title)
        rows, columns, body = matrix_cells(matrix.values, matrix.rows, matrix.columns, 12, 14)
        grid = [[printable(matrix.corner), *map(printable, columns)]] if columns else []
        names = [printable(name) for name in rows] or [""] * len(body)
        grid += [[name, *cells_] for name, cells_ in zip(names, body, strict=True)]
        while len(grid[0]) > 4 and _grid_width(grid) > width - 4:
            grid = [[*line[:-2], "…"] if line[-1] == "…" else [*line[:-1], "…"] for line in grid]
        widths = [max(cells(line[i]) for line in grid) for i in range(len(grid[0]))]
        lines = [f"{title} =" if title else ""]
        for line in grid:
            numbers = "  ".join(padded(cell, w, right=True) for cell, w in zip(line[1:], widths[1:], strict=True))
            lines.append(f"    {padded(line[0], widths[0])}{'  ' if widths[0] else ''}{numbers}".rstrip())
        remark = self.sentence(matrix.remark)
        return [line for line in lines if line] + (wrapped(remark, width, "    ") if remark else [])

    def side_by_side(self, block: SideBySide, width: int, level: int) -> list[str]:
        half = (width - 3) // 2
        plain = replace(self, colour=False)
        left, right = (
            [title, "-" * cells(title), *plain.blocks(blocks, half, level + 1)]
            for title, blocks in ((block.left_title, block.left), (block.right_title, block.right))
        )
        if max(map(cells, [*left, *right])) > half:
            parts = [(block.left_title, block.left), (block.right_title, block.right)]
            lines = []
            for title, blocks in parts:
                lines += [painted(title, "title", self.colour), "-" * cells(title)]
                lines += [*self.blocks(blocks, width, level + 1), ""]
            return lines[:-1]
        count = max(len(left), len(right))
        left, right = ([*lines, *[""] * (count - len(lines))] for lines in (left, right))
        bar = "│" if self.unicode else "|"
        return [f"{padded(one, half)} {bar} {other}".rstrip() for one, other in zip(left, right, strict=True)]


@dataclass(frozen=True)
class _Line:
    left: str
    rights: list[str]
    row: Row


def _tight(shape: str) -> str:
    return shape.replace(" ", "")


def _grid_width(grid: list[list[str]]) -> int:
    return sum(max(cells(line[i]) for line in grid) + 2 for i in range(len(grid[0])))


def _trimmed(lines: list[str]) -> list[str]:
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines
