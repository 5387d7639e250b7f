"""A document as one HTML page, or as a fragment for a notebook: MathML, no script, nothing that is loaded.

The one idea: structure first. Sections are headings, folded ones `<details>`, tables have heads with a scope, formulas are
MathML with their LaTeX as annotation; so a screen reader, a printer and a search find what the eye finds.

>>> from chainrule.show.document import Document, Paragraph
>>> print(html_fragment(Document("", (Paragraph(("a < b",)),))).splitlines()[-2])
<p>a &lt; b</p>
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from chainrule.show.costumes.cells import code_lines, matrix_cells
from chainrule.show.costumes.formulas import formula_mathml
from chainrule.show.costumes.html_style import STYLE
from chainrule.show.costumes.mathml import space_mathml
from chainrule.show.costumes.notation import Naming, Notation
from chainrule.show.document import (
    Block,
    Code,
    Document,
    Equations,
    Figure,
    Listing,
    Matrix,
    Paragraph,
    Row,
    Section,
    Sentence,
    SideBySide,
    Table,
)

MOST = 40  # rows and columns of a matrix
_NOTHING_LOADED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def as_html(document: Document, *, notation: str | Notation = "default", shapes: bool = False) -> str:
    """A document as a page of its own.

    Parameters
    ----------
    document : Document
    notation : str or Notation
    shapes : bool
        Whether each symbol has its shape under it.

    Returns
    -------
    str
        HTML 5; all names in it are escaped, and its policy lets a browser load nothing.
    """
    writer = _Writer(Naming.of(document, notation), Naming.of(document, notation, shapes=shapes))
    title = escape(document.title) or "Derivation"
    head = f"<h1>{title}</h1>\n" if document.title else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_LOADED}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n'
        f'<body class="chainrule">\n<main>\n{head}{writer.blocks(document.blocks, 2)}\n</main>\n</body>\n</html>\n'
    )


def html_fragment(document: Document, *, notation: str | Notation = "default", shapes: bool = False) -> str:
    """A document as a `<div>` with its style, for a notebook or a page of one's own."""
    writer = _Writer(Naming.of(document, notation), Naming.of(document, notation, shapes=shapes))
    head = f"<h2>{escape(document.title)}</h2>\n" if document.title else ""
    return f'<div class="chainrule">\n<style>{STYLE}</style>\n{head}{writer.blocks(document.blocks, 3)}\n</div>\n'


@dataclass(frozen=True)
class _Writer:
    naming: Naming
    shown: Naming  # within equations, where symbols may have their shapes under them

    def blocks(self, blocks: Iterable[Block], level: int) -> str:
        return "\n".join(self.block(block, level) for block in blocks)

    def block(self, block: Block, level: int) -> str:
        """One block; `level` is that of the next heading."""
        match block:
            case Paragraph(pieces=pieces):
                return f"<p>{self.sentence(pieces)}</p>"
            case Equations(rows=rows):
                return self.equations(rows)
            case Matrix():
                return self.matrix(block)
            case Table(heads=heads, rows=rows):
                return self.table(heads, rows)
            case Listing(text=text):
                return f"<pre><code>{escape(chr(10).join(code_lines(text)))}</code></pre>"
            case Figure(svg=svg, caption=caption):
                # as a picture of its own, its styles and names stay in it, and no script in it runs
                data = base64.b64encode(svg.encode()).decode()
                image = f'<img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
                return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
            case SideBySide():
                return self.side_by_side(block, level)
            case Section(title=title, blocks=blocks, folded=folded):
                inner = self.blocks(blocks, min(level + 1, 6))
                if folded:
                    return f"<details>\n<summary>{self.sentence(title)}</summary>\n{inner}\n</details>"
                return f"<section>\n<h{level}>{self.sentence(title)}</h{level}>\n{inner}\n</section>"
        raise AssertionError(f"{type(block).__name__} has no HTML")

    def sentence(self, sentence: Sentence) -> str:
        """A sentence with its formulas."""
        return "".join(self.piece(piece) for piece in sentence)

    def piece(self, piece: Any) -> str:
        match piece:
            case str():
                return escape(piece)
            case Code(text=text):
                return f"<code>{escape(text)}</code>"
        return formula_mathml(piece, self.naming)

    def equations(self, rows: tuple[Row, ...]) -> str:
        """A table without lines: left side, equals sign, right side, shape, remark."""
        shapes, remarks = any(row.shape for row in rows), any(row.remark for row in rows)
        lines = []
        for row in rows:
            for i, side in enumerate(row.right):
                first = i == 0
                left = formula_mathml(row.left, self.shown, display=True) if first else ""
                cells = [("left", left), ("is", "="), ("right", formula_mathml(side, self.shown, display=True))]
                if shapes:
                    cells.append(("space", space_mathml(row.shape) if first and row.shape else ""))
                if remarks:
                    cells.append(("remark", self.sentence(row.remark) if first else ""))
                name = f' id="{escape(row.label)}"' if row.label and first else ""
                lines.append(
                    f"<tr{name}>" + "".join(f'<td class="{kind}">{text}</td>' for kind, text in cells) + "</tr>"
                )
        return f'<div class="scroll" tabindex="0"><table class="equations" role="presentation">{"".join(lines)}</table></div>'

    def matrix(self, matrix: Matrix) -> str:
        rows, columns, body = matrix_cells(matrix.values, matrix.rows, matrix.columns, MOST, MOST)
        title = escape(matrix.title) if isinstance(matrix.title, str) else formula_mathml(matrix.title, self.naming)
        lines = []
        if columns:
            corner = f"<th>{escape(matrix.corner)}</th>" if rows else ""
            lines.append(
                "<tr>" + corner + "".join(f'<th scope="col">{escape(name)}</th>' for name in columns) + "</tr>"
            )
        for k, line in enumerate(body):
            head = f'<th scope="row">{escape(rows[k])}</th>' if rows else ""
            cells = "".join(f"<td>{escape(cell).replace('-', '−')}</td>" for cell in line)
            lines.append(f"<tr>{head}{cells}</tr>")
        caption = f"<caption>{title} =</caption>" if title else ""
        remark = f'<p class="remark">{self.sentence(matrix.remark)}</p>' if matrix.remark else ""
        return (
            f'<div class="scroll" tabindex="0"><table class="numbers">{caption}{"".join(lines)}</table></div>{remark}'
        )

    def table(self, heads: tuple[str, ...], rows: tuple[tuple[Sentence, ...], ...]) -> str:
        head = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
        lines = [f"<tr>{''.join(f'<td>{self.sentence(cell)}</td>' for cell in row)}</tr>" for row in rows]
        top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
        return (
            f'<div class="scroll" tabindex="0"><table class="cells">{top}<tbody>{"".join(lines)}</tbody></table></div>'
        )

    def side_by_side(self, block: SideBySide, level: int) -> str:
        columns = "".join(
            f"<div><h{level}>{escape(title)}</h{level}>\n{self.blocks(blocks, min(level + 1, 6))}</div>"
            for title, blocks in ((block.left_title, block.left), (block.right_title, block.right))
        )
        return f'<div class="beside">{columns}</div>'
