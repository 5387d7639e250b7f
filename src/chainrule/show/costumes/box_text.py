"""Boxes as text: `z⁽¹⁾_ij = Σ_k x_ik w⁽¹⁾_kj`, or in ASCII `z(1)_ij = sum_k x_ik w(1)_kj`.

The one idea: what a page says by size and place is said by `_`, `^` and brackets, and by raised digits where Unicode may
be used.
"""

from __future__ import annotations

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
)
from chainrule.show.costumes.greek import GREEK

_RAISED = dict(zip("0123456789()+−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻", strict=True)) | {"⊤": "ᵀ"}
_WORDS = {letter: word for word, letter in GREEK.items()}
_ASCII = {"⊙": "*", "·": "*", "−": "-", "≥": ">=", "≤": "<=", "≠": "!=", "Σ": "sum", "∂": "d", "⊤": "T", "⋯": "...",
          "…": "...", "∈": "in", "×": "x", "⊗": "outer", "→": "->", "ℝ": "R", "⌊": "floor(", "⌋": ")", "∞": "inf",
          "∇": "grad ", "'": "'"}  # fmt: skip
_MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307", "vec": "\u20d7"}


def text_of(box: Box, *, unicode: bool = True) -> str:
    """A box as text of one line."""
    return _text(box, unicode)


def ascii_sign(character: str) -> str:
    """A sign of mathematics in ASCII; what is no such sign stays."""
    return _ASCII.get(character, _WORDS.get(character, character))


def _text(box: Box, unicode: bool) -> str:
    def text(part: Box) -> str:
        return _text(part, unicode)

    match box:
        case Letter(text=letter):
            return letter if unicode else _WORDS.get(letter, letter)
        case Upright(text=word) | Typed(text=word) | Words(text=word) | Digits(text=word) | Bold(text=word):
            return word
        case Sign(text=sign, kind=kind):
            sign = sign if unicode else _ASCII.get(sign, sign)
            sign = "-" if sign == "−" else sign
            return {"binary": f" {sign} ", "relation": f" {sign} ", "comma": f"{sign} "}.get(kind, sign)
        case Gap():
            return " "
        case Row(parts=parts):
            return _row(parts, unicode)
        case Over(above=above, below=below, whole=whole):
            if whole:
                return f"{text(above)}/{text(below)}"
            return f"{_grouped(above, unicode)} / {_grouped(below, unicode)}"
        case Script(base=Letter(text="e"), below=None, above=Box() as exponent):
            return f"exp({text(exponent)})"
        case Script(base=base, below=low, above=high, power=power):
            scripts = (_above(high, unicode), _below(low, unicode))
            return text(base) + "".join(reversed(scripts) if power else scripts)
        case Limits(sign=sign, below=low):
            name = "sum" if not unicode and sign == Sign("Σ", "plain") else text(sign)
            return f"{name}{_below(low, unicode)} "
        case Root(body=body):
            return f"sqrt({text(body)})"
        case Fence(body=body, left=left, right=right):
            left, right = (left, right) if unicode else (ascii_sign(left), ascii_sign(right))
            return f"{left}{text(body)}{right}"
        case Accent(mark=mark, body=body):
            return text(body) + (_MARKS[mark] if unicode else f"_{mark}")
        case Own(read=read):
            return text(read)
        case Annotated(body=body):
            return text(body)
        case Choice(rows=rows):
            return (
                "(" + " else ".join(text(value) + (f" if {text(when)}" if when else "") for value, when in rows) + ")"
            )
    raise AssertionError(f"{type(box).__name__} has no text")


def _row(parts: tuple[Box, ...], unicode: bool) -> str:
    done = ""
    for i, part in enumerate(parts):
        if isinstance(part, Gap) and isinstance(parts[i - 1], Limits):
            continue  # what is large has its space already
        text = _text(part, unicode)
        if isinstance(part, Over) and not part.whole and (_touches(parts[:i], -1) or _touches(parts[i + 1 :], 0)):
            text = f"({text})"
        done += text
    return done


def _touches(others: tuple[Box, ...], at: int) -> bool:
    """Whether the neighbour of a fraction is a factor, so that `a / b c` would be misread."""
    return bool(others) and not (isinstance(others[at], Sign) and others[at].kind in ("binary", "relation", "comma"))  # type: ignore[attr-defined]


def _grouped(box: Box, unicode: bool) -> str:
    text = _text(box, unicode)
    return f"({text})" if isinstance(box, (Row, Over)) else text


def _above(box: Box | None, unicode: bool) -> str:
    if box is None:
        return ""
    text = _text(box, unicode).replace(" ", "")
    if unicode and all(character in _RAISED for character in text):
        return "".join(_RAISED[character] for character in text)
    if text == "T":
        return ".T"
    bracketed = text.startswith(("(", "[")) and text.endswith((")", "]"))
    return (
        text
        if bracketed and isinstance(box, Fence)
        else f"^{text}"
        if len(text) == 1 or text.isdigit()
        else f"^({text})"
    )


def _below(box: Box | None, unicode: bool) -> str:
    if box is None:
        return ""
    text = _text(box, unicode).replace(" ", "")
    return f"_{text}" if text.isalnum() or text.startswith("[") else f"_{{{text}}}"
