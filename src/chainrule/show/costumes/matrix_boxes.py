r"""Formulas of arrays in type: which sign, and which brackets, a node of `MatrixForm` gets.

The one idea: three products have three signs. Matrices stand beside each other, ⊙ is elementwise, and a number has a dot
(a thin space where it is written out). Brackets stand only where the binding strengths ask for them.

>>> from chainrule.matrix_form import Hadamard, Product, Relation, Number, Symbol, Transposed
>>> from chainrule.show.costumes.box_latex import latex_of
>>> from chainrule.show.costumes.notation import Naming, Notation
>>> form = Hadamard((Product(Symbol("dZ2"), Transposed(Symbol("W2"))), Relation(">", Symbol("Z1"), Number(0))))
>>> print(latex_of(matrix_box(form, Naming(Notation()))))
dZ_{2}\,W_{2}^{\top}\odot\mathbf{1}\{Z_{1}>0\}
"""

from __future__ import annotations

import string
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
from chainrule.show.costumes.boxes import (
    Bold,
    Box,
    Digits,
    Fence,
    Gap,
    Letter,
    Limits,
    Over,
    Root,
    Row,
    Script,
    Sign,
    Typed,
    Upright,
    Words,
    joined,
    raised,
    row,
)
from chainrule.show.costumes.names import position_box
from chainrule.show.costumes.notation import Naming
from chainrule.show.costumes.size_boxes import number_box, size_box

SUM, OPEN, HADAMARD, PRODUCT, ATOM = range(1, 6)  # OPEN: a large sign, which binds all that follows
SIGNS = {">": ">", ">=": "≥", "<": "<", "<=": "≤", "==": "=", "!=": "≠"}
FUNCTIONS = {"absolute": "abs", "maximum": "max", "minimum": "min", "concatenate": "concat"}


def matrix_box(form: MatrixForm, naming: Naming) -> Box:
    """A formula of arrays as boxes."""
    return _Setter(naming).set(form)[0]


class _Setter:
    def __init__(self, naming: Naming):
        self.naming = naming

    def ndim(self, form: MatrixForm) -> int | None:
        known = {name: self.naming.ndim(name) for name in symbols_in(form)}
        return ndim_of(form, {name: ndim for name, ndim in known.items() if ndim is not None})

    def within(self, form: MatrixForm, strength: int) -> Box:
        box, own = self.set(form)
        return box if own >= strength else Fence(box)

    def set(self, form: MatrixForm) -> tuple[Box, int]:
        """The boxes of a form, and how strongly its outermost sign binds."""
        match form:
            case Symbol(name=name):
                return self.naming.symbol(name), ATOM
            case Number(value=value):
                box = number_box(value)
                return box, SUM if isinstance(box, Row) else ATOM
            case Size(text=text):
                box = size_box(text)
                return box, SUM if isinstance(box, Row) else ATOM
            case Add(terms=terms):
                return self._sum(terms), SUM
            case Negative(body=body):
                return row(Sign("−", "prefix"), self.within(body, OPEN)), SUM
            case Hadamard(factors=factors):
                return joined((self.within(factor, HADAMARD + 1) for factor in factors), Sign("⊙")), HADAMARD
            case Scaled(number=Number(value=-1), body=body):
                return self.set(Negative(body))
            case Scaled(number=number, body=body):
                return self._scaled(number, body), PRODUCT
            case Quotient(above=above, below=below):
                return Over(self.set(above)[0], self.set(below)[0]), ATOM
            case Power():
                return self._power(form)
            case Product():
                return self._product(form), PRODUCT
            case Outer(left=left, right=right):
                transposed = raised(self.within(right, ATOM), Sign("⊤", "plain"))
                return row(self.within(left, PRODUCT), Gap(), transposed), PRODUCT
            case Transposed(body=body, axes=()):
                return raised(self.within(body, ATOM), Sign("⊤", "plain")), ATOM
            case Transposed(body=body, axes=axes):
                turn = Script(Upright("transpose", operator=True), Words(", ".join(map(str, axes))))
                return row(turn, Fence(self.set(body)[0])), ATOM
            case Reduced():
                return self._reduced(form)
            case Relation(sign=sign, left=left, right=right):
                inner = row(self.set(left)[0], Sign(SIGNS[sign], "relation"), self.set(right)[0])
                return row(Bold("1", hollow=True), Fence(inner, "{", "}")), ATOM
            case Call():
                return self._call(form), ATOM
            case Verbatim():
                return self._verbatim(form), ATOM
        raise AssertionError(f"{type(form).__name__} has no sign")

    def _sum(self, terms: tuple[MatrixForm, ...]) -> Box:
        parts: list[Box] = []
        for i, term in enumerate(terms):
            if isinstance(term, Negative) and i:
                parts += [Sign("−"), self.within(term.body, OPEN)]
            elif i:
                parts += [Sign("+"), self.within(term, OPEN)]
            else:
                parts.append(self.within(term, SUM))
        return row(*parts)

    def _scaled(self, number: MatrixForm, body: MatrixForm) -> Box:
        first = self.within(number, PRODUCT)
        digits = isinstance(body, (Number, Size)) or (isinstance(body, Scaled) and isinstance(body.number, Number))
        between = Gap() if not symbols_in(number) and not digits else Sign("·")
        return row(first, between, self.within(body, PRODUCT))

    def _power(self, form: Power) -> tuple[Box, int]:
        match form.exponent:
            case Number(value=value) if value in (0.5, Fraction(1, 2)):
                return Root(self.set(form.base)[0]), ATOM
            case Number(value=value) if value in (-0.5, Fraction(-1, 2)):
                return Over(Digits("1"), Root(self.set(form.base)[0])), ATOM
            case Number(value=-1):
                return Over(Digits("1"), self.set(form.base)[0]), ATOM
        exponent = self.set(form.exponent)[0]
        if self.ndim(form.base) != 0:  # a square of a matrix would be its product with itself
            exponent = row(Sign("⊙", "plain"), exponent)
        return raised(self.within(form.base, ATOM), exponent), ATOM

    def _product(self, form: Product) -> Box:
        left, right = form.left, form.right
        if self.ndim(left) == self.ndim(right) == 1:
            return row(raised(self.within(left, ATOM), Sign("⊤", "plain")), Gap(), self.within(right, ATOM))
        associative = isinstance(right, Product) and all(self.ndim(x) == 2 for x in (left, right.left, right.right))
        plain = associative or not isinstance(right, (Product, Scaled, Outer))
        return row(self.within(left, PRODUCT), Gap(), self.within(right, PRODUCT if plain else ATOM))

    def _reduced(self, form: Reduced) -> tuple[Box, int]:
        whole = len(form.axes) == form.ndim
        if form.kind == "sum" and form.ndim == 2 and form.axes in ((0,), (-2,)):
            return row(raised(Bold("1"), Sign("⊤", "plain")), Gap(), self.within(form.body, PRODUCT)), PRODUCT
        if form.kind == "sum" and form.ndim == 2 and form.axes in ((1,), (-1,)):
            return row(self.within(form.body, PRODUCT), Gap(), Bold("1")), PRODUCT
        if form.kind == "sum" and whole and 1 <= form.ndim <= 4:
            return self._whole_sum(form), OPEN
        name: Box = Upright(form.kind, operator=True)
        if not whole:
            axes = ", ".join(map(str, form.axes))
            name = Limits(name, Words(f"{'axis' if len(form.axes) == 1 else 'axes'} {axes}"))
        return row(name, Fence(self.set(form.body)[0])), ATOM

    def _whole_sum(self, form: Reduced) -> Box:
        letters = [Letter(letter) for letter in "ijkl"[: form.ndim]]
        if len(form.over) == form.ndim and form.ndim < 3:
            signs: list[Box] = [
                Limits(Sign("Σ", "plain"), letter, size_box(size))
                for letter, size in zip(letters, form.over, strict=True)
            ]
        else:
            signs = [Limits(Sign("Σ", "plain"), joined(letters, Sign(",", "comma")))]
        return row(*signs, Script(Fence(self.set(form.body)[0]), position_box([*letters])))

    def _call(self, form: Call) -> Box:
        arguments = [self.set(argument)[0] for argument in form.arguments]
        if form.function in ("abs", "absolute") and len(arguments) == 1:
            return Fence(arguments[0], "|", "|")
        if form.function == "sqrt" and len(arguments) == 1:
            return Root(arguments[0])
        name: Box = Upright(FUNCTIONS.get(form.function, form.function), operator=True)
        if form.settings:
            name = Script(name, Words(", ".join(f"{key} {text}" for key, text in form.settings)))
        return row(name, Fence(joined(arguments, Sign(",", "comma")) if arguments else Row(())))

    def _verbatim(self, form: Verbatim) -> Box:
        parts: list[Box] = []
        for text, place, _, _ in string.Formatter().parse(form.template):
            if text:
                parts.append(Typed(text))
            if place is not None:
                parts.append(self.set(form.operands[int(place)])[0])
        return row(*parts)
