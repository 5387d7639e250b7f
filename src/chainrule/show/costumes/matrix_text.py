"""Formulas of arrays as text: NumPy with a little mathematics, `A1ᵀ @ dZ2`, `dA1 ⊙ (Z1 > 0)`, `(P - Y) / N`.

The one idea: what is printed can be read back. ⊙ is `*` of arrays and ᵀ is `.T`; all else is NumPy, with one pair of
brackets more than Python needs wherever products of different kinds meet. In ASCII it is NumPy.

>>> from chainrule.matrix_form import Hadamard, Relation, Number, Symbol
>>> from chainrule.show.costumes.notation import Naming, Notation
>>> matrix_text(Hadamard((Symbol("dA1"), Relation(">", Symbol("Z1"), Number(0)))), Naming(Notation()))
'dA1 ⊙ (Z1 > 0)'
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
    MatrixForm,
    Negative,
    Number,
    Outer,
    Power,
    Product,
    Quotient,
    Reduced,
    Relation,
    Scaled,
    Size,
    Symbol,
    Transposed,
    Verbatim,
    ndim_of,
    symbols_in,
)
from chainrule.show.costumes.box_text import text_of
from chainrule.show.costumes.notation import Naming
from chainrule.show.costumes.size_boxes import number_text

ATOM, POWER, UNARY, PRODUCT, SUM, COMPARE = range(6, 0, -1)
Piece = tuple[str, int]


def matrix_text(
    form: MatrixForm, naming: Naming, *, unicode: bool = True, name_of: Callable[[str], str] | None = None
) -> str:
    """A formula of arrays as one line of text; `name_of` says what stands for a name, if not the notation does."""
    return _Speller(naming, unicode, name_of).spell(form)[0]


def name_text(name: str, naming: Naming, *, unicode: bool = True) -> str:
    """A name as text: as it is in the program, unless the notation has another symbol for it."""
    if naming.notation.style == "nielsen" or naming.has_own_symbol(name):
        return text_of(naming.symbol(name), unicode=unicode)
    if naming.is_fraction(name):
        sign = "∂" if unicode else "d"
        parts = (naming.loss, naming.facts_of(name).cotangent_of)
        return "/".join(sign + name_text(part, naming, unicode=unicode) for part in parts)
    return printable(name)


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor or colour it is written out."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


class _Speller:
    def __init__(self, naming: Naming, unicode: bool, name_of: Callable[[str], str] | None):
        self.naming, self.unicode, self.name_of = naming, unicode, name_of

    def within(self, form: MatrixForm, strength: int) -> str:
        text, own = self.spell(form)
        return text if own >= strength else f"({text})"

    def summand(self, form: MatrixForm, strength: int) -> str:
        text = self.within(form, strength)
        return f"1.0 * ({self.spell(form)[0]})" if isinstance(form, Relation) else text  # NumPy subtracts no masks

    def spell(self, form: MatrixForm) -> Piece:
        match form:
            case Symbol(name=name):
                if self.name_of is not None:
                    return self.name_of(name), ATOM
                strength = UNARY if self.naming.is_fraction(name) else ATOM
                return name_text(name, self.naming, unicode=self.unicode), strength
            case Number(value=value):
                text = number_text(value)
                fraction = isinstance(value, Fraction) and value.denominator != 1
                return text, PRODUCT if fraction else UNARY if text.startswith("-") else ATOM
            case Size(text=text):
                return text, ATOM if text.replace(".", "").replace("[", "").replace("]", "").isalnum() else SUM
            case Add(terms=terms):
                return self._sum(terms), SUM
            case Negative(body=body):
                return f"-{self.summand(body, PRODUCT)}", UNARY
            case Hadamard(factors=factors):
                sign = " ⊙ " if self.unicode else " * "
                return sign.join(self.within(factor, UNARY) for factor in factors), PRODUCT
            case Scaled(number=number, body=body):
                first = self.within(number, PRODUCT if isinstance(number, Scaled) else UNARY)
                return f"{first} * {self.within(body, UNARY)}", PRODUCT
            case Quotient(above=above, below=below):
                return f"{self.within(above, PRODUCT)} / {self.within(below, POWER)}", PRODUCT
            case Power(base=base, exponent=exponent):
                return f"{self.within(base, ATOM)} ** {self.within(exponent, UNARY)}", POWER
            case Product(left=left, right=right):
                first = self.within(left, PRODUCT if isinstance(left, Product) else UNARY)
                return f"{first} @ {self.within(right, UNARY)}", PRODUCT
            case Outer(left=left, right=right):
                return f"outer({self.spell(left)[0]}, {self.spell(right)[0]})", ATOM
            case Transposed():
                return self._transposed(form), ATOM
            case Reduced():
                return self._reduced(form), ATOM
            case Relation(sign=sign, left=left, right=right):
                return f"{self.within(left, SUM)} {sign} {self.within(right, SUM)}", COMPARE
            case Call(function="one_hot", arguments=(labels,), settings=(("classes", classes),)):
                return f"eye({classes})[{self.spell(labels)[0]}]", ATOM
            case Call(function=function, arguments=arguments, settings=settings):
                given = [self.spell(argument)[0] for argument in arguments] + [
                    f"{key}={text}" for key, text in settings
                ]
                return f"{function}({', '.join(given)})", ATOM
            case Verbatim(template=template, operands=operands):
                return template.format(*(self.within(operand, ATOM) for operand in operands)), ATOM
        raise AssertionError(f"{type(form).__name__} has no text")

    def _sum(self, terms: tuple[MatrixForm, ...]) -> str:
        text = self.summand(terms[0], SUM)
        for term in terms[1:]:
            minus = isinstance(term, Negative)
            body = term.body if isinstance(term, Negative) else term
            text += f" {'-' if minus else '+'} {self.summand(body, PRODUCT)}"
        return text

    def _transposed(self, form: Transposed) -> str:
        body = self.within(form.body, ATOM)
        if form.axes:
            return f"{body}.transpose({', '.join(map(str, form.axes))})"
        known = {name: self.naming.ndim(name) for name in symbols_in(form)}
        ndim = ndim_of(form.body, {name: n for name, n in known.items() if n is not None})
        if ndim is not None and ndim > 2:
            return f"{body}.swapaxes(-1, -2)"
        return f"{body}ᵀ" if self.unicode else f"{body}.T"

    def _reduced(self, form: Reduced) -> str:
        given = []
        if len(form.axes) != form.ndim:
            given.append(f"axis={form.axes[0] if len(form.axes) == 1 else form.axes}")
        if form.keepdims:
            given.append("keepdims=True")
        return f"{self.within(form.body, ATOM)}.{form.kind}({', '.join(given)})"
