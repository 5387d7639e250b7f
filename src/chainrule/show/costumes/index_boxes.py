r"""Formulas for single entries in type: `z^{(1)}_{ij} = \sum_{k=1}^{784} x_{ik} w^{(1)}_{kj}`.

The one idea: the same signs in every costume. Factors stand beside each other, constants first; what is raised to -1 goes
below a fraction's line; a sum binds the factors after it and no further, so sums within sums get brackets.

>>> from chainrule.index_form import Entry, Index, Times, Total
>>> from chainrule.show.costumes.box_text import text_of
>>> from chainrule.show.costumes.notation import Naming, Notation
>>> i, j, k = Index("i", "N"), Index("j", 3), Index("k", 4)
>>> form = Total((k,), Times((Entry("X", (i, k)), Entry("W1", (k, j)))))
>>> text_of(index_box(form, Naming(Notation())))
'Σ_k x_ik w⁽¹⁾_kj'
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from chainrule.index_form import (
    Cases,
    Counted,
    Delta,
    Dots,
    Entry,
    Holds,
    Index,
    IndexForm,
    Inside,
    Largest,
    Of,
    Place,
    Plus,
    Position,
    Raised,
    SizeOf,
    Times,
    Total,
    Value,
)
from chainrule.show.costumes.boxes import (
    Bold,
    Box,
    Choice,
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
    Upright,
    height_of,
    joined,
    raised,
    row,
    width_of,
)
from chainrule.show.costumes.matrix_boxes import SIGNS
from chainrule.show.costumes.names import glyph_box, position_box, split_name
from chainrule.show.costumes.notation import Naming
from chainrule.show.costumes.size_boxes import number_box, size_box

SUM, OPEN, PRODUCT, ATOM = range(1, 5)
LONGEST_EXPONENT = 6.0  # in letters; what is longer is read more easily within brackets
_CONSTANTS = (Value, SizeOf)


def index_box(form: IndexForm, naming: Naming) -> Box:
    """A formula for entries as boxes."""
    return _Setter(naming).set(form)[0]


def place_box(position: Position, naming: Naming) -> Box:
    """A position: i, 2p + u - 1, or a number."""
    match position:
        case Index(letter=letter):
            return glyph_box(split_name(letter))
        case Place(parts=parts, offset=offset):
            return _place(parts, offset)
        case Entry():
            return index_box(position, naming)
    return number_box(position)


def _place(parts: tuple[tuple[int, Index], ...], offset: int) -> Box:
    boxes: list[Box] = []
    for factor, index in parts:
        if boxes or factor < 0:
            boxes.append(Sign("−" if factor < 0 else "+", "plain"))
        if abs(factor) != 1:
            boxes.append(Digits(str(abs(factor))))
        boxes.append(glyph_box(split_name(index.letter)))
    if offset or not boxes:
        boxes += [Sign("−" if offset < 0 else "+", "plain")] if boxes or offset < 0 else []
        boxes.append(Digits(str(abs(offset))))
    return Row(tuple(boxes)) if len(boxes) > 1 else boxes[0]


class _Setter:
    def __init__(self, naming: Naming):
        self.naming = naming

    def within(self, form: IndexForm, strength: int) -> Box:
        box, own = self.set(form)
        return box if own >= strength else Fence(box)

    def set(self, form: IndexForm) -> tuple[Box, int]:
        """The boxes of a form, and how strongly its outermost sign binds."""
        match form:
            case Value(value=value):
                box = number_box(value)
                return box, SUM if isinstance(box, Row) else ATOM
            case SizeOf(name=name):
                box = size_box(name)
                return box, PRODUCT if isinstance(box, Row) else ATOM
            case Entry(array=array, at=at):
                return self.naming.entry(array, [place_box(position, self.naming) for position in at]), ATOM
            case Delta(left=left, right=right):
                return self._delta(left, right), ATOM
            case Plus(terms=terms):
                return self._sum(terms), SUM
            case Times(factors=factors):
                return self._product(factors)
            case Raised():
                return self._power(form)
            case Of():
                return self._function(form), ATOM
            case Holds(relation=relation, left=left, right=right):
                inner = row(self.set(left)[0], Sign(SIGNS[relation], "relation"), self.set(right)[0])
                return self._indicator(inner), ATOM
            case Inside(position=position, size=size):
                place = place_box(position, self.naming)
                low, high = Sign("≤", "relation"), Sign("≤", "relation")
                return self._indicator(row(Digits("1"), low, place, high, size_box(size))), ATOM
            case Counted(position=position):
                box = place_box(position, self.naming)
                return box, SUM if isinstance(box, Row) else ATOM
            case Total(over=over, body=body):
                return row(*self._limits(over), self.within(body, OPEN)), OPEN
            case Largest(over=over, body=body, smallest=smallest):
                letters = [glyph_box(split_name(index.letter)) for index in over]
                sign = Limits(Upright("min" if smallest else "max", operator=True), joined(letters, Sign(",", "comma")))
                return row(sign, Gap(), self.within(body, PRODUCT)), OPEN
            case Cases(condition=condition, then=then, otherwise=otherwise):
                return self._cases(condition, then, otherwise), ATOM
            case Dots():
                return Sign("⋯", "plain"), ATOM
        raise AssertionError(f"{type(form).__name__} has no sign")

    def _indicator(self, condition: Box) -> Box:
        return row(Bold("1", hollow=True), Fence(condition, "{", "}"))

    def _delta(self, left: Position, right: Position) -> Box:
        first, second = place_box(left, self.naming), place_box(right, self.naming)
        if self.naming.deltas_are_free:
            return Script(Letter("δ"), position_box([first, second]))
        return self._indicator(row(first, Sign("=", "relation"), second))

    def _sum(self, terms: tuple[IndexForm, ...]) -> Box:
        parts: list[Box] = []
        for i, term in enumerate(terms):
            positive = _without_minus(term)
            if positive is not None and i:
                parts += [Sign("−"), self.within(positive, OPEN)]
            elif i:
                parts += [Sign("+"), self.within(term, OPEN)]
            else:
                parts.append(self.within(term, SUM))
        return row(*parts)

    def _product(self, factors: tuple[IndexForm, ...]) -> tuple[Box, int]:
        positive = _without_minus(Times(factors))
        if positive is not None:
            return row(Sign("−", "prefix"), self.within(positive, OPEN)), SUM
        above = [factor for factor in factors if not _is_below(factor)]
        below = [factor for factor in factors if _is_below(factor)]
        if not below:
            return self._beside(above)
        under = [_turned(factor) for factor in below]
        denominator = self._beside(under)[0]
        if all(isinstance(factor, _CONSTANTS) for factor in under):  # 1/N stands before the sum that it scales
            constants = [factor for factor in above if isinstance(factor, _CONSTANTS)]
            others = [factor for factor in above if not isinstance(factor, _CONSTANTS)]
            if any(isinstance(factor, (Total, Plus)) for factor in others):
                fraction = Over(self._beside(constants)[0], denominator)
                rest, strength = self._beside(others)
                if strength == SUM:
                    rest, strength = Fence(rest), PRODUCT
                return row(fraction, Gap(), rest), min(strength, PRODUCT)
        return Over(self._beside(above)[0], denominator), ATOM

    def _beside(self, factors: Sequence[IndexForm]) -> tuple[Box, int]:
        """Factors beside each other; one alone keeps its strength."""
        if not factors:
            return Digits("1"), ATOM
        if len(factors) == 1:
            return self.set(factors[0])
        ordered = sorted(factors, key=lambda factor: not isinstance(factor, _CONSTANTS))
        parts: list[Box] = []
        for i, factor in enumerate(ordered):
            last = i == len(ordered) - 1
            box = self.within(factor, OPEN if last else PRODUCT)
            if parts:
                # two numbers, or two fractions of derivatives, would run together
                parts.append(Sign("·") if _starts_with_digit(box) and _starts_with_digit(parts[-1]) else Gap())
            parts.append(box)
        return row(*parts), OPEN if isinstance(ordered[-1], (Total, Largest)) else PRODUCT

    def _power(self, form: Raised) -> tuple[Box, int]:
        match form.exponent:
            case Value(value=value) if value == Fraction(1, 2):
                return Root(self.set(form.base)[0]), ATOM
            case Value(value=value) if value < 0:
                return Over(Digits("1"), self.set(_turned(form))[0]), ATOM
        return raised(self.within(form.base, ATOM), self.set(form.exponent)[0]), ATOM

    def _function(self, form: Of) -> Box:
        arguments = [self.set(argument)[0] for argument in form.arguments]
        match form.function, len(arguments):
            case "held", 1:
                return arguments[0]
            case "exp", 1 if height_of(arguments[0]) == 1 and width_of(arguments[0]) < LONGEST_EXPONENT:
                return Script(Letter("e"), None, arguments[0])
            case "sqrt", 1:
                return Root(arguments[0])
            case "abs" | "absolute", 1:
                return Fence(arguments[0], "|", "|")
        name = {"maximum": "max", "minimum": "min"}.get(form.function, form.function)
        return row(Upright(name, operator=True), Fence(joined(arguments, Sign(",", "comma"))))

    def _cases(self, condition: IndexForm, then: IndexForm, otherwise: IndexForm) -> Box:
        when, _ = self.set(condition)
        if isinstance(condition, Holds):
            left, right = self.set(condition.left)[0], self.set(condition.right)[0]
            when = row(left, Sign(SIGNS[condition.relation], "relation"), right)
        else:
            when = row(when, Sign("=", "relation"), Digits("1"))
        return Choice(((self.set(then)[0], when), (self.set(otherwise)[0], None)))

    def _limits(self, over: tuple[Index, ...]) -> list[Box]:
        letters = [glyph_box(split_name(index.letter)) for index in over]
        if len(over) > 2:
            return [Limits(Sign("Σ", "plain"), joined(letters, Sign(",", "comma")))]
        return [
            Limits(Sign("Σ", "plain"), letter, size_box(index.size))
            for letter, index in zip(letters, over, strict=True)
        ]


def _without_minus(form: IndexForm) -> IndexForm | None:
    """The form without its minus, if it has one."""
    match form:
        case Value(value=value) if value < 0:
            return Value(-value)
        case Times(factors=factors):
            for i, factor in enumerate(factors):
                if isinstance(factor, Value) and factor.value < 0:
                    kept = [*factors[:i], *([] if factor.value == -1 else [Value(-factor.value)]), *factors[i + 1 :]]
                    return kept[0] if len(kept) == 1 else Times(tuple(kept)) if kept else Value(Fraction(1))
    return None


def _is_below(form: IndexForm) -> bool:
    return isinstance(form, Raised) and isinstance(form.exponent, Value) and form.exponent.value < 0


def _turned(form: IndexForm) -> IndexForm:
    """What stands below the line: the base, to the opposite power."""
    assert isinstance(form, Raised)
    assert isinstance(form.exponent, Value)
    return form.base if form.exponent.value == -1 else Raised(form.base, Value(-form.exponent.value))


def _starts_with_digit(box: Box) -> bool:
    match box:
        case Digits():
            return True
        case Script(base=base):
            return isinstance(base, Digits)
        case Row(parts=(first, *_)):
            return _starts_with_digit(first)
    return False
