"""What is shown, before it has a costume: sections of sentences, equations, tables and figures.

The one idea: a document knows what is said and in which order, never how it looks. `to_terminal`, `to_latex`,
`to_markdown` and `to_html` dress the same tree; names become symbols only there, by the notation that was asked for.

A sentence is a tuple of pieces: plain text, formulas (`MatrixForm`, `IndexForm`), and `Code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.index_form import IndexForm
from chainrule.matrix_form import MatrixForm


@dataclass(frozen=True, slots=True)
class Code:
    """Text in a fixed pitch: a name in the program, a line of the user's."""

    text: str


@dataclass(frozen=True, slots=True)
class Partial:
    """The derivative of one formula by another as a fraction: dz_ij / dw_kl, written with curly d's in every notation.

    `above` and `below` are formulas or names; a name is shown as the notation shows that variable.
    """

    above: Formula | str
    below: Formula | str


Formula = MatrixForm | IndexForm | Partial
Piece = str | Code | MatrixForm | IndexForm | Partial
Sentence = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One sentence or more."""

    pieces: Sentence


@dataclass(frozen=True, slots=True)
class Row:
    """`left = right[0] = right[1] = ...`, with the shape of the left side and a remark.

    Attributes
    ----------
    left : formula
    right : tuple of formulas
        One or more; each equals the one before.
    shape : str
        `(N, 10)`, empty for a number or where it says nothing.
    remark : sentence
        Why: the rule, what is summed over, what is reused.
    label : str
        What other places refer to it by.
    """

    left: Formula
    right: tuple[Formula, ...]
    shape: str = ""
    remark: Sentence = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Equations:
    """Rows that are aligned at their equals signs."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    r"""Numbers in rows and columns with a name; what has no row or column names is a plain array.

    `values` has one or two axes; `corner` says what rows and columns are ("out \ in").
    """

    title: Formula | str
    values: np.ndarray
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    corner: str = ""
    remark: Sentence = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under heads; each cell is a sentence."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Sentence, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Source code, several lines."""

    text: str
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture as SVG, and what a reader who does not see it is told instead."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two columns of blocks, each with a title; below each other where there is no room."""

    left_title: str
    left: tuple[Block, ...]
    right_title: str
    right: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a title; one that is `folded` may be closed at first where that is possible."""

    title: Sentence
    blocks: tuple[Block, ...]
    folded: bool = False


Block = Paragraph | Equations | Matrix | Table | Listing | Figure | SideBySide | Section


@dataclass(frozen=True, slots=True)
class Facts:
    """What a notation may ask about a name.

    Attributes
    ----------
    role : str
        "data", "labels", "weight", "bias", "parameter", "pre-activation", "activation", "loss", "value" (anything else).
    cotangent_of : str
        The forward name that this is the cotangent of; empty for forward names.
    layer : int
        The layer's number, counted from 1; 0 where there is none.
    shape : str
        `(N, 256)`; empty for a number.
    """

    role: str = "value"
    cotangent_of: str = ""
    layer: int = 0
    shape: str = ""
    ndim: int = 0


@dataclass(frozen=True)
class Document:
    """A title, blocks, and what is known of the names in them."""

    title: str
    blocks: tuple[Block, ...]
    facts: Mapping[str, Facts] = field(default_factory=dict)
    loss: str = "L"  # the name of what is differentiated
    numbers: Mapping[str, Any] = field(default_factory=dict)  # live values by name, where they are shown
