r"""Boxes as LaTeX, for amsmath and for what browsers read of it.

The one idea: brackets have a size of their own (`\bigl(`, never `\left(`), so a long formula can be broken anywhere.

>>> from chainrule.show.costumes.boxes import Letter, Over, Digits, row
>>> latex_of(row(Over(Digits("1"), Letter("N")), Letter("δ")))
'\\frac{1}{N}\\delta'
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Self

from chainrule.show.costumes.boxes import (
    Accent,
    Annotated,
    Bold,
    Box,
    Choice,
    Digits,
    Fence,
    Gap,
    Letter,
    Limits,
    Over,
    Own,
    Root,
    Row,
    Script,
    Sign,
    Typed,
    Upright,
    Words,
    height_of,
    joined,
    row,
    width_of,
)
from chainrule.show.costumes.greek import GREEK
from chainrule.show.costumes.size_boxes import shape_box
from chainrule.show.costumes.tex_text import PLAIN_ACCENTS

_LETTERS = {letter: f"\\{command}" for command, letter in GREEK.items()}
_SIGNS = {
    "⊙": r"\odot", "·": r"\cdot", "−": "-", "≥": r"\ge", "≤": r"\le", "≠": r"\ne", "Σ": r"\sum", "∂": r"\partial",
    "⊤": r"\top", "⋯": r"\cdots", "…": r"\dots", "∈": r"\in", "×": r"\times", "⊗": r"\otimes", "→": r"\to", "ℝ": r"\mathbb{R}",
    "∞": r"\infty", "∇": r"\nabla",
}  # fmt: skip
_OPERATORS = {"exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "tan", "max", "min", "arcsin", "arccos", "arctan"}
_OPENING = {"{": r"\{", "|": r"\lvert", "⌊": r"\lfloor"}
_CLOSING = {"}": r"\}", "|": r"\rvert", "⌋": r"\rfloor"}
_SIZES = {1: ("", ""), 2: (r"\bigl", r"\bigr"), 3: (r"\Bigl", r"\Bigr")}
_TYPED = {
    " ": r"\ ", "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#",
    "~": r"{\sim}", "^": r"{\wedge}", "<": "{<}", ">": "{>}", "=": "{=}", "*": "{*}", "+": "{+}", "-": "{-}", ",": "{,}",
    ":": "{:}", ";": "{;}", "'": r"\text{'}", '"': r"\text{''}", "`": r"\text{`}", "|": r"{\vert}", "/": "{/}",
}  # fmt: skip


def latex_of(box: Box) -> str:
    """A box as LaTeX of one line."""
    return "".join(_spaced(piece for piece, _ in _pieces(box, 0)))


def broken_latex(box: Box, width: float) -> list[str]:
    """A box as LaTeX of one or more lines, each about as wide as was asked (in letters), broken before an operator."""
    pieces = list(_pieces(_opened(box, width), 0))
    lines: list[str] = []
    while pieces:
        cut = _cut(pieces, width if not lines else width - 2)
        lines.append("".join(_spaced(piece for piece, _ in pieces[:cut])))
        pieces = pieces[cut:]
    return lines


def _opened(box: Box, width: float) -> Box:
    """A box whose fractions fit into a line: a wider one is a quotient of brackets, which can be broken."""
    match box:
        case Row(parts=parts):
            return row(*(_opened_beside(part, parts[:i], parts[i + 1 :], width) for i, part in enumerate(parts)))
        case Fence(body=body, left=left, right=right):
            return Fence(_opened(body, width), left, right)
        case Over(above=above, below=below, whole=False) if width_of(box) > width:
            sides = (_opened(side, width) for side in (above, below))
            return joined((Fence(side) if isinstance(side, (Row, Over)) else side for side in sides), Sign("/"))
    return box


def _opened_beside(part: Box, before: tuple[Box, ...], after: tuple[Box, ...], width: float) -> Box:
    """One of several parts: a quotient beside a factor needs brackets, where a fraction's line needed none."""
    opened = _opened(part, width)
    neighbours = [*before[-1:], *after[:1]]
    sums = ("+", "−")
    alone = all(isinstance(neighbour, Sign) and neighbour.text in sums for neighbour in neighbours)
    return opened if alone or opened is part or not isinstance(part, Over) else Fence(opened)


class _Piece(str):
    """A piece of LaTeX, its width, and whether a line may end before it."""

    __slots__ = ("may_break", "width")
    width: float
    may_break: bool

    def __new__(cls, text: str, width: float, may_break: bool = False) -> Self:
        made = super().__new__(cls, text)
        made.width, made.may_break = width, may_break
        return made


def _cut(pieces: list[tuple[_Piece, int]], width: float) -> int:
    """Where the first line ends: at the outermost operator in its second half."""
    used, found, depth_found = 0.0, 0, 10**6
    for i, (piece, depth) in enumerate(pieces):
        if i and piece.may_break and used > width / 3 and depth <= depth_found:
            found, depth_found = i, depth
        used += piece.width
        if used > width and found:
            return found
    return len(pieces)


def _pieces(box: Box, depth: int) -> Iterator[tuple[_Piece, int]]:
    """The parts between which a line may be broken, and how deep in brackets each is."""
    match box:
        case Row(parts=parts):
            for i, part in enumerate(parts):
                if isinstance(part, Sign) and part.kind == "binary":
                    yield (
                        _Piece(_SIGNS.get(part.text, part.text), 2.0, may_break=i > 0),
                        2 * depth + (part.text in "⊙·/"),
                    )
                else:
                    yield from _pieces(part, depth)
        case Fence(body=body, left=left, right=right):
            opening, closing = _SIZES[min(height_of(body), 3)]
            yield _Piece(f"{opening}{_OPENING.get(left, left)}", 0.5), depth
            yield from _pieces(body, depth + 1)
            yield _Piece(f"{closing}{_CLOSING.get(right, right)}", 0.5), depth
        case _:
            yield _Piece(_one(box), width_of(box)), depth


def _one(box: Box) -> str:
    match box:
        case Letter(text=text):
            return _LETTERS.get(text, text)
        case Upright(text=text, operator=operator):
            if operator:
                return f"\\{text}" if text in _OPERATORS else rf"\operatorname{{{typed_latex(text)}}}"
            return rf"\mathrm{{{text}}}"
        case Typed(text=text):
            return rf"\mathtt{{{typed_latex(text)}}}"
        case Words(text=text):
            return rf"\mathrm{{{typed_latex(text)}}}"
        case Digits(text=text):
            mantissa, e, exponent = text.partition("e")
            return rf"{mantissa}\times10^{{{int(exponent)}}}" if e else text
        case Bold(text=text):
            return rf"\mathbf{{{text}}}"
        case Sign(text=text, kind=kind):
            return _SIGNS.get(text, text) + (r"\," if kind == "comma" else "")
        case Gap():
            return r"\,"
        case Over(above=above, below=below):
            return rf"\frac{{{latex_of(above)}}}{{{latex_of(below)}}}"
        case Script(base=base, below=low, above=high):
            inner = latex_of(base)
            if not isinstance(base, (Letter, Upright, Digits, Accent, Fence, Bold)):
                inner = f"{{{inner}}}"
            return inner + _scripts(low, high)
        case Limits(sign=sign, below=low, size=high):
            inner = latex_of(sign)
            if isinstance(sign, Upright) and sign.text not in _OPERATORS:
                inner = rf"\operatorname*{{{sign.text}}}"
            return inner + (rf"_{{{latex_of(low)}=1}}^{{{latex_of(high)}}}" if high else rf"_{{{latex_of(low)}}}")
        case Root(body=body):
            return rf"\sqrt{{{latex_of(body)}}}"
        case Accent(mark=mark, body=body):
            return rf"\{mark}{{{latex_of(body)}}}"
        case Own(latex=text):
            return text
        case Choice(rows=rows):
            lines = [
                rf"{latex_of(value)} & " + (rf"\text{{if }} {latex_of(when)}" if when else r"\text{otherwise}")
                for value, when in rows
            ]
            return r"\begin{cases}" + r" \\ ".join(lines) + r"\end{cases}"
        case Annotated(body=body, note=note):
            return rf"\underset{{\scriptscriptstyle {shape_latex(note)}}}{{{latex_of(body)}}}"
    raise AssertionError(f"{type(box).__name__} has no LaTeX")


def _scripts(low: Box | None, high: Box | None) -> str:
    return (f"_{{{latex_of(low)}}}" if low else "") + (f"^{{{latex_of(high)}}}" if high else "")


def _spaced(pieces: Iterator[str]) -> Iterator[str]:
    r"""Pieces with a space where a command would run into a letter: `\odot Z`."""
    before = ""
    for piece in pieces:
        if re.search(r"\\[a-zA-Z]+$", before) and re.match(r"[a-zA-Z]", piece):
            yield " "
        yield piece
        before = piece


def typed_latex(text: str) -> str:
    r"""Any text for the inside of `\mathtt{...}` or `\operatorname{...}`."""
    parts = []
    for character in text:
        if character in _TYPED:
            parts.append(_TYPED[character])
        elif character in _LETTERS:
            parts.append(rf"{{{_LETTERS[character]}}}")
        elif character.isascii() and character.isprintable():
            parts.append(character)
        elif character in PLAIN_ACCENTS:
            parts.append(rf"\text{{{character}}}")
        else:
            parts.append(rf"[\mathrm{{U{{+}}{ord(character):04X}}}]")
    return "".join(parts)


def shape_latex(shape: str) -> str:
    r"""`(N, 10)` as `N\times 10`."""
    return latex_of(shape_box(shape))
