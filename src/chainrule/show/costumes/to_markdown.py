r"""A document as Markdown with formulas between dollar signs, as GitHub, notebooks and most editors read it.

The one idea: what Markdown would take for its own is kept from it: no `\{`, `\,` or `<` inside of formulas, no bar in a
table's cell, no name that makes a heading.

>>> from chainrule.matrix_form import Product, Symbol, Transposed
>>> from chainrule.show.document import Document, Paragraph
>>> as_markdown(Document("Gradient", (Paragraph(("by ", Product(Transposed(Symbol("X")), Symbol("dZ")))),)))
'# Gradient\n\nby $X^{\\top}\\thinspace dZ$\n'
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from chainrule.show.costumes.box_latex import broken_latex, latex_of, shape_latex
from chainrule.show.costumes.boxes import Box
from chainrule.show.costumes.cells import code_lines, matrix_cells
from chainrule.show.costumes.formulas import formula_box
from chainrule.show.costumes.notation import Naming, Notation
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

LINE = 80.0  # letters of mathematics in a line
MOST = 12  # rows and columns of a matrix
_KEPT = {
    r"\{": r"\lbrace ", r"\}": r"\rbrace ", r"\,": r"\thinspace ", r"\;": r"\thickspace ", r"\ ": r"\enspace ",
    "<": r"\lt ", ">": r"\gt ", "*": r"\ast ", "|": r"\vert ", "`": r"\grave{}",
}  # fmt: skip
_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "$": "&#36;", "|": "&#124;", "`": "&#96;"}


def as_markdown(document: Document, *, notation: str | Notation = "default", shapes: bool = False) -> str:
    """A document as Markdown.

    Parameters
    ----------
    document : Document
    notation : str or Notation
    shapes : bool
        Whether each symbol has its shape under it.

    Returns
    -------
    str
        With a newline at the end.
    """
    writer = _Writer(Naming.of(document, notation), Naming.of(document, notation, shapes=shapes))
    head = [f"# {markdown_escaped(document.title)}"] if document.title else []
    return "\n\n".join([*head, *writer.blocks(document.blocks, 2)]) + "\n"


def markdown_escaped(text: str) -> str:
    r"""A sentence whose signs mean nothing to Markdown.

    >>> print(markdown_escaped("# of <b> & a_1"))
    # of &lt;b&gt; &amp; a\_1
    """
    return re.sub(r"[\\`*_\[\]<>~$&|]", lambda found: _NAMED.get(found[0], f"\\{found[0]}"), text.replace("\n", " "))


def markdown_math(latex: str) -> str:
    """LaTeX whose signs Markdown leaves alone, without the one macro that GitHub refuses: a function's name is upright."""
    latex = re.sub(r"\\operatorname\*?\{", r"\\mathrm{", latex)
    return re.sub(r"\\[{},; ]|(?<!\\)[<>*|`]", lambda found: _KEPT[found[0]], latex)


@dataclass(frozen=True)
class _Writer:
    naming: Naming
    shown: Naming  # within equations, where symbols may have their shapes under them

    def blocks(self, blocks: tuple[Block, ...], level: int) -> list[str]:
        return [self.block(block, level) for block in blocks]

    def block(self, block: Block, level: int) -> str:
        """One block; `level` is that of the next heading."""
        match block:
            case Paragraph(pieces=pieces):
                return _not_a_list(self.sentence(pieces))
            case Equations(rows=rows):
                return self.equations(rows) if rows else ""
            case Matrix():
                return self.matrix(block)
            case Table(heads=heads, rows=rows):
                return self.table(
                    [markdown_escaped(head) for head in heads], [[*map(self.sentence, row)] for row in rows]
                )
            case Listing(text=text, language=language):
                lines = code_lines(text)
                fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
                return "\n".join([f"{fence}{language}", *lines, fence])
            case Figure(svg=svg, caption=caption):
                data = base64.b64encode(svg.encode()).decode()
                return f"![{markdown_escaped(caption)}](data:image/svg+xml;base64,{data})"
            case SideBySide():
                parts = ((block.left_title, block.left), (block.right_title, block.right))
                return "\n\n".join(
                    part
                    for title, blocks in parts
                    for part in (f"**{markdown_escaped(title)}**", *self.blocks(blocks, level))
                )
            case Section(title=title, blocks=blocks, folded=folded):
                inner = self.blocks(blocks, min(level + 1, 6))
                if folded:
                    return "\n\n".join([f"<details><summary>{self.sentence(title)}</summary>", *inner, "</details>"])
                return "\n\n".join([f"{'#' * level} {self.sentence(title)}", *inner])
        raise AssertionError(f"{type(block).__name__} has no Markdown")

    def sentence(self, sentence: Sentence) -> str:
        """A sentence on one line."""
        return "".join(self.piece(piece) for piece in sentence)

    def piece(self, piece: Any) -> str:
        match piece:
            case str():
                return markdown_escaped(piece)
            case Code(text=text):
                return _code(text)
        return f"${self.math(self.box(piece))}$"

    def box(self, formula: Formula | str) -> Box:
        return formula_box(formula, self.naming)

    def shown_box(self, formula: Formula) -> Box:
        return formula_box(formula, self.shown)

    def math(self, box: Box) -> str:
        return markdown_math(latex_of(box))

    def equations(self, rows: tuple[Row, ...]) -> str:
        """One aligned display, and what is to be said of its rows below it."""
        lines, remarks = [], []
        for row in rows:
            left = self.math(self.shown_box(row.left))
            for i, side in enumerate(row.right):
                parts = [markdown_math(part) for part in broken_latex(self.shown_box(side), LINE)]
                shape = (
                    rf" &&\in\mathbb{{R}}^{{{markdown_math(shape_latex(row.shape))}}}" if row.shape and i == 0 else ""
                )
                lines.append(f"{left if i == 0 else ''} &= {parts[0]}{shape if len(parts) == 1 else ''}")
                lines += [rf"&\qquad {part}" for part in parts[1:]]
            if row.remark:
                remarks.append(f"- {self.piece(row.left)}: {self.sentence(row.remark)}")
        display = "$$\n\\begin{aligned}\n" + " \\\\\n".join(line.strip() for line in lines) + "\n\\end{aligned}\n$$"
        return display + ("\n\n" + "\n".join(remarks) if remarks else "")

    def matrix(self, matrix: Matrix) -> str:
        rows, columns, body = matrix_cells(matrix.values, matrix.rows, matrix.columns, MOST, MOST)
        title = markdown_escaped(matrix.title) if isinstance(matrix.title, str) else self.piece(matrix.title)
        if rows or columns:
            heads = [markdown_escaped(matrix.corner), *([*map(markdown_escaped, columns)] or [""] * len(body[0]))]
            names = [*map(markdown_escaped, rows)] or [""] * len(body)
            shown = self.table(heads, [[name, *line] for name, line in zip(names, body, strict=True)])
        else:
            lines = [" & ".join(_DOTS.get(cell, cell) for cell in line) for line in body]
            shown = "$$\n\\begin{pmatrix}\n" + " \\\\\n".join(lines) + "\n\\end{pmatrix}\n$$"
        said = f"\n\n{self.sentence(matrix.remark)}" if matrix.remark else ""
        return (f"{title} =\n\n" if title else "") + shown + said

    def table(self, heads: list[str], rows: list[list[str]]) -> str:
        count = max([len(heads), *map(len, rows)])
        lines = [heads, ["---"] * count, *rows]
        return "\n".join("| " + " | ".join([*line, *[""] * (count - len(line))]) + " |" for line in lines)


_DOTS = {"…": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots"}


def _not_a_list(text: str) -> str:
    """A paragraph that begins like a heading or an item of a list, and is none."""
    return re.sub(r"^(\s*)(#|-|\+|=|\d+(?=[.)]))", lambda found: f"{found[1]}{_numbered(found[2])}", text)


def _numbered(sign: str) -> str:
    return f"&#{ord(sign)};" if not sign.isdigit() else f"&#8203;{sign}"


def _code(text: str) -> str:
    """Code within a line; as HTML where there are backticks or bars in it, which Markdown would read."""
    if "`" in text or "|" in text or not text.strip():
        escaped = {
            "&": "&amp;",
            "<": "&lt;",
            ">": "&gt;",
            "|": "&#124;",
            "`": "&#96;",
            "*": "&#42;",
            "_": "&#95;",
            "$": "&#36;",
        }
        return f"<code>{''.join(escaped.get(character, character) for character in text)}</code>"
    return f"`{' '.join(text.split(chr(10)))}`"
