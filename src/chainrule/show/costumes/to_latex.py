r"""A document as LaTeX: an article that compiles with what every TeX has, or a fragment for one's own.

The one idea: packages amsmath, amssymb, inputenc and geometry, and nothing else; each name is escaped, each long
line is broken, so `pdflatex -halt-on-error` ends well whatever the names are.

>>> from chainrule.matrix_form import Product, Symbol, Transposed
>>> from chainrule.show.document import Document, Equations, Row
>>> dW = Row(Symbol("dW"), (Product(Transposed(Symbol("X")), Symbol("dZ")),), "(3, 2)")
>>> print(as_latex(Document("", (Equations((dW,)),)), standalone=False))
\begin{align*}
  dW &= X^{\top}\,dZ &&\in\mathbb{R}^{3\times2}
\end{align*}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chainrule.show.costumes.box_latex import broken_latex, latex_of, shape_latex
from chainrule.show.costumes.boxes import Box, width_of
from chainrule.show.costumes.cells import code_lines, matrix_cells
from chainrule.show.costumes.formulas import formula_box, formula_latex
from chainrule.show.costumes.notation import Naming, Notation
from chainrule.show.costumes.tex_text import tex_code, tex_escaped
from chainrule.show.document import (
    Block,
    Code,
    Document,
    Equations,
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

LINE = 62.0  # letters of mathematics in a line of an article
MOST = 10  # rows and columns of a matrix
_SECTIONS = ("section*", "subsection*", "subsubsection*", "paragraph*")
_PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=2.2cm]{geometry}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\begin{document}
"""


def as_latex(
    document: Document, *, standalone: bool = True, notation: str | Notation = "default", shapes: bool = False
) -> str:
    """A document as LaTeX.

    Parameters
    ----------
    document : Document
    standalone : bool
        Whether it is an article of its own, or a fragment that needs amsmath and amssymb.
    notation : str or Notation
    shapes : bool
        Whether each symbol has its shape under it.

    Returns
    -------
    str
    """
    writer = _Writer(Naming.of(document, notation), Naming.of(document, notation, shapes=shapes), LINE)
    body = writer.blocks(document.blocks, 0)
    if not standalone:
        return body
    title = tex_escaped(document.title)
    head = rf"{{\LARGE {title}\par}}" + "\n\n" if title else ""
    return f"{_PREAMBLE}{head}{body}\n\\end{{document}}\n"


@dataclass(frozen=True)
class _Writer:
    naming: Naming
    shown: Naming  # within equations, where symbols may have their shapes under them
    line: float

    def blocks(self, blocks: tuple[Block, ...], level: int) -> str:
        return "\n\n".join(self.block(block, level) for block in blocks)

    def block(self, block: Block, level: int) -> str:
        """One block."""
        match block:
            case Paragraph(pieces=pieces):
                return self.sentence(pieces)
            case Equations(rows=rows):
                return self.equations(rows) if rows else ""
            case Matrix():
                return self.matrix(block)
            case Table(heads=heads, rows=rows):
                return self.table(heads, rows)
            case Listing(text=text):
                return (
                    "{\\small\\noindent\n"
                    + "\\\\\n".join(rf"\mbox{{}}{tex_code(line)}" for line in code_lines(text))
                    + "\\par}"
                )
            case Figure(caption=caption):
                return rf"\fbox{{\parbox{{0.9\linewidth}}{{\itshape Figure: {tex_escaped(caption)}}}}}"
            case SideBySide():
                return self.side_by_side(block, level)
            case Section(title=title, blocks=blocks):
                name = _SECTIONS[min(level, len(_SECTIONS) - 1)]
                return rf"\{name}{{{self.sentence(title)}}}" + "\n\n" + self.blocks(blocks, level + 1)
        raise AssertionError(f"{type(block).__name__} has no LaTeX")

    def sentence(self, sentence: Sentence) -> str:
        """A sentence in a paragraph."""
        return "".join(self.piece(piece) for piece in sentence)

    def piece(self, piece: Any) -> str:
        match piece:
            case str():
                return tex_escaped(piece)
            case Code(text=text):
                return tex_code(text)
        return f"${formula_latex(piece, self.naming)}$"

    # -- equations -----------------------------------------------------------------------------------------------------

    def equations(self, rows: tuple[Row, ...]) -> str:
        """Rows aligned at the equals signs; remarks in a column of their own where there is room for one."""
        table = [
            (row, formula_box(row.left, self.shown), [formula_box(s, self.shown) for s in row.right]) for row in rows
        ]
        left = max(width_of(box) for _, box, _ in table)
        room = self.line - left - 4
        right = max(min(width_of(box), room) for _, _, boxes in table for box in boxes)
        shape = max(8.0 if row.shape else 0.0 for row in rows)
        free = (self.line - left - 4 - right - shape) / self.line - 0.06
        lines: list[str] = []
        for row, name, boxes in table:
            made = _steps(latex_of(name), [broken_latex(box, room) for box in boxes])
            if row.shape:
                sign = rf"\in\mathbb{{R}}^{{{shape_latex(row.shape)}}}"
                made[0] += (
                    f" &&{sign}"
                    if right + shape <= room and self.line > 40
                    else rf" \;{sign}"
                    if _fits(boxes[0], room - 8)
                    else ""
                )
            if row.remark:
                beside = free > 0.3
                width = free if beside else max(0.3, 0.9 - left / self.line - (0.15 if self.line < 40 else 0))
                said = rf"\parbox[t]{{{width:.2f}\linewidth}}{{\footnotesize\raggedright {self.sentence(row.remark)}}}"
                if beside:
                    made[0] += f"{'' if row.shape or not shape else ' &&'} &&{said}"
                else:
                    made.append(rf"&\quad{said}")
            lines += made
        return "\\begin{align*}\n" + " \\\\\n".join(f"  {line}" for line in lines) + "\n\\end{align*}"

    # -- other blocks --------------------------------------------------------------------------------------------------

    def matrix(self, matrix: Matrix) -> str:
        """Numbers in brackets, in a size in which they fit; fewer columns where none does."""
        title = tex_escaped(matrix.title) if isinstance(matrix.title, str) else ""
        title = rf"\text{{{title}}}" if title else "" if isinstance(matrix.title, str) else self.title(matrix.title)
        for most in (MOST, 8, 6, 4):
            rows, columns, body = matrix_cells(matrix.values, matrix.rows, matrix.columns, MOST, most)
            named = [[name, *line] for name, line in zip(rows or [""] * len(body), body, strict=True)]
            widest = [
                max(map(len, column)) for column in zip(*named, ["", *(columns or [""] * len(body[0]))], strict=True)
            ]
            width = sum(1.2 + count for count in widest) + 8
            size = next((name for name, room in _SIZES if width <= room * self.line / LINE), "")
            if size:
                break
        numbers = [[_cell(cell) for cell in line] for line in body]
        if rows or columns:
            heads = [_name(name) for name in columns] or [""] * len(body[0])
            names = [_name(name) for name in rows] or [""] * len(body)
            corner = rf"\scriptstyle\text{{{tex_escaped(matrix.corner)}}}" if matrix.corner else ""
            lines = [[corner, *heads], *([name, *line] for name, line in zip(names, numbers, strict=True))]
            grid = "\\bordermatrix{\n  " + " \\cr\n  ".join(map(" & ".join, lines)) + " \\cr\n}"
        else:
            grid = "\\begin{pmatrix}\n  " + " \\\\\n  ".join(map(" & ".join, numbers)) + "\n\\end{pmatrix}"
        shown = f"{title} = {grid}" if title else grid
        remark = f"\n{{\\footnotesize {self.sentence(matrix.remark)}\\par}}" if matrix.remark else ""
        return f"{{{size or _SIZES[-1][0]}\n\\[\n{shown}\n\\]}}{remark}"

    def title(self, formula: Formula) -> str:
        return formula_latex(formula, self.naming)

    def table(self, heads: tuple[str, ...], rows: tuple[tuple[Sentence, ...], ...]) -> str:
        count = max([1, len(heads), *map(len, rows)])
        widths = [max([3.0, *(self.length(row[i]) for row in rows if i < len(row))]) for i in range(count)]
        if sum(widths) + 2 * count > 95:  # letters of text in a line
            shares = [min(width, 60.0) for width in widths]
            columns = "".join(rf"p{{{(0.98 - 0.03 * count) * share / sum(shares):.3f}\linewidth}}" for share in shares)
        else:
            columns = "l" * count
        lines = [" & ".join(rf"\textbf{{{tex_escaped(head)}}}" for head in heads) + r" \\ \hline"] if any(heads) else []
        lines += [" & ".join(self.sentence(cell) for cell in row) + r" \\" for row in rows]
        inner = "\n".join(lines)
        return f"\\begin{{tabular}}{{{columns}}}\n{inner}\n\\end{{tabular}}"

    def length(self, sentence: Sentence) -> float:
        """How long a sentence is, about, in letters."""
        return sum(
            len(piece) if isinstance(piece, str) else 1.2 * len(piece.text) if isinstance(piece, Code)
            else width_of(formula_box(piece, self.naming))
            for piece in sentence
        )  # fmt: skip

    def side_by_side(self, block: SideBySide, level: int) -> str:
        half = replace(self, line=self.line * 0.44)
        columns = []
        for title, blocks in ((block.left_title, block.left), (block.right_title, block.right)):
            body = half.blocks(blocks, level + 1)
            head = rf"\textbf{{{tex_escaped(title)}}}\par"
            columns.append(f"\\begin{{minipage}}[t]{{0.48\\linewidth}}\n{head}\n{body}\n\\end{{minipage}}")
        return "\n\\hfill\n".join(columns)


def _steps(left: str, sides: list[list[str]]) -> list[str]:
    """The lines of one row: each right side on a line of its own, and what is left of a long one below it."""
    lines = []
    for i, parts in enumerate(sides):
        lines.append(f"{left if i == 0 else ''} &= {parts[0]}")
        lines += [rf"&\qquad {part}" for part in parts[1:]]
    return lines


def _fits(box: Box, room: float) -> bool:
    return width_of(box) <= room


_DOTS = {"…": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots"}
_SIZES = ((r"\normalsize", 74), (r"\small", 82), (r"\footnotesize", 92), (r"\scriptsize", 106))  # letters in a line


def _cell(cell: str) -> str:
    """A number of a matrix, or dots."""
    mantissa, e, exponent = cell.partition("e")
    if e and exponent.lstrip("+-").isdigit():
        return rf"{mantissa}\cdot10^{{{int(exponent)}}}"
    return _DOTS.get(cell, cell.replace("inf", r"\infty").replace("nan", r"\text{nan}"))


def _name(name: str) -> str:
    """The name of a row or column, or dots."""
    return _DOTS.get(name) or rf"\text{{{tex_escaped(name)}}}"
