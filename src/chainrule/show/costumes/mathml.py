"""Boxes as MathML, the mathematics that browsers set themselves.

The one idea: MathML Core and nothing else, with the LaTeX beside it as an annotation, for those who copy. Every text is
escaped.

>>> from chainrule.show.costumes.boxes import Letter, Script, Digits
>>> print(mathml_of(Script(Letter("W"), Digits("2"))))
<math><semantics><msub><mi>W</mi><mn>2</mn></msub><annotation encoding="application/x-tex">W_{2}</annotation></semantics></math>
"""

from __future__ import annotations

from html import escape

from chainrule.show.costumes.box_latex import latex_of
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
    row,
)
from chainrule.show.costumes.size_boxes import shape_box

_MARKS = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙", "vec": "→"}


def mathml_of(box: Box, *, display: bool = False) -> str:
    """A `<math>` element; `display` gives sums and fractions their full size, in a line of text as well."""
    style = ' displaystyle="true"' if display else ""
    tex = f'<annotation encoding="application/x-tex">{escape(latex_of(box))}</annotation>'
    return f"<math{style}><semantics>{_of(box)}{tex}</semantics></math>"


def _of(box: Box) -> str:
    match box:
        case Letter(text=text):
            return f"<mi>{escape(text)}</mi>"
        case Upright(text=text, operator=operator):
            mi = f'<mi mathvariant="normal">{escape(text)}</mi>'
            return f'<mrow><mspace width="0.1em"/>{mi}</mrow>' if operator else mi
        case Typed(text=text):
            return f'<mtext class="code">{_unbroken(text)}</mtext>'
        case Words(text=text):
            return f"<mtext>{_unbroken(text)}</mtext>"
        case Digits(text=text):
            mantissa, e, exponent = text.partition("e")
            if not e:
                return f"<mn>{escape(text)}</mn>"
            return f"<mrow><mn>{escape(mantissa)}</mn><mo>×</mo><msup><mn>10</mn><mn>{int(exponent)}</mn></msup></mrow>"
        case Bold(text=text, hollow=hollow):
            return "<mn>𝟙</mn>" if hollow else f'<mn class="ones">{escape(text)}</mn>'
        case Sign():
            return _sign(box)
        case Gap():
            return '<mspace width="0.17em"/>'
        case Row(parts=parts):
            return f"<mrow>{''.join(map(_of, parts))}</mrow>"
        case Over(above=above, below=below):
            return f"<mfrac>{_of(above)}{_of(below)}</mfrac>"
        case Script(base=base, below=low, above=high):
            return _scripted(base, low, high)
        case Limits(sign=sign, below=low, size=None):
            return f"<munder>{_of(sign)}{_of(low)}</munder>"
        case Limits(sign=sign, below=low, size=Box() as size):
            return f"<munderover>{_of(sign)}<mrow>{_of(low)}<mo>=</mo><mn>1</mn></mrow>{_of(size)}</munderover>"
        case Root(body=body):
            return f"<msqrt>{_of(body)}</msqrt>"
        case Fence(body=body, left=left, right=right):
            how = 'fence="true" lspace="0" rspace="0"' + (' stretchy="false"' if height_of(body) == 1 else "")
            opening, closing = (
                f'<mo form="prefix" {how}>{escape(left)}</mo>',
                f'<mo form="postfix" {how}>{escape(right)}</mo>',
            )
            return f"<mrow>{opening}{_of(body)}{closing}</mrow>"
        case Accent(mark=mark, body=body):
            return f'<mover accent="true">{_of(body)}<mo stretchy="false">{_MARKS[mark]}</mo></mover>'
        case Own(read=read):
            return _of(read)
        case Choice(rows=rows):
            return _choice(rows)
        case Annotated(body=body, note=note):
            return f'<munder>{_of(body)}<mtext class="shape">{_unbroken(note)}</mtext></munder>'
    raise AssertionError(f"{type(box).__name__} has no MathML")


def _sign(sign: Sign) -> str:
    if sign.text == "Σ":
        return '<mo movablelimits="true">∑</mo>'
    if sign.kind == "prefix":
        return f'<mo form="prefix">{escape(sign.text)}</mo>'
    if sign.kind == "comma":
        return f'<mo separator="true">{escape(sign.text)}</mo>'
    if sign.text in "∂⊤ℝ∞…⋯" or sign.kind == "plain":
        tag = "mi" if sign.text in "∂⊤ℝ∞" else "mo"
        spaces = ' lspace="0" rspace="0"' if tag == "mo" else ' mathvariant="normal"'
        return f"<{tag}{spaces}>{escape(sign.text)}</{tag}>"
    return f'<mo form="infix">{escape(sign.text)}</mo>'


def _scripted(base: Box, low: Box | None, high: Box | None) -> str:
    inner = _of(base) + (_of(low) if low else "") + (_of(high) if high else "")
    tag = "msubsup" if low and high else "msub" if low else "msup" if high else "mrow"
    return f"<{tag}>{inner}</{tag}>"


def _choice(rows: tuple[tuple[Box, Box | None], ...]) -> str:
    lines = "".join(
        f"<mtr><mtd>{_of(value)}</mtd><mtd>"
        + (f"<mtext>if\u00a0</mtext>{_of(when)}" if when else "<mtext>otherwise</mtext>")
        + "</mtd></mtr>"
        for value, when in rows
    )
    return f'<mrow><mo form="prefix" fence="true">{{</mo><mtable>{lines}</mtable></mrow>'


def _unbroken(text: str) -> str:
    """Text whose spaces are kept."""
    return escape(text).replace(" ", "\u00a0")


def space_mathml(shape: str) -> str:
    """The space in which an array lives: `(N, 10)` as ∈ ℝ with N × 10 above it."""
    return mathml_of(row(Sign("∈", "prefix"), Script(Sign("ℝ", "plain"), None, shape_box(shape))))
