"""Formulas said shorter: what has a name already is called by it, and what cancels is left out.

The one idea: the value of a statement is a name for its formula, so a derivative in which that formula stands again is
written with the name. That is how the derivative of softmax becomes one of softmax itself:

    s[i,j] = exp(z[i,j]) / sum_k exp(z[i,k])
    exp(z[i,j]) delta[j,q] / D - exp(z[i,j]) exp(z[i,q]) / D^2  =  s[i,j] (delta[j,q] - s[i,q])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.derivation.contracting import powers_of, product_of, simplify, times
from chainrule.derivation.index_algebra import Binder, free_letters, parts_of, positions_of, rebuilt, same_form
from chainrule.index_form import (
    MINUS_ONE,
    ONE,
    Delta,
    Entry,
    Index,
    IndexForm,
    Largest,
    Of,
    Place,
    Plus,
    Position,
    Raised,
    Times,
    Total,
    Value,
)

Found = dict[str, Position]  # what stands for each letter of the pattern


def folded(form: IndexForm, left: Entry, right: IndexForm) -> IndexForm:
    """The formula with `left` written wherever `right` stands, for any positions.

    Parameters
    ----------
    form : IndexForm
        Simplified.
    left : Entry
        Its positions are indices, each once.
    right : IndexForm
        Simplified, with the letters of `left`.
    """
    letters = {p.letter: p for p in left.at if isinstance(p, Index)}
    if (
        type(right) in (Entry, Value, Plus, Delta)
        or len(letters) != len(left.at)
        or free_letters(right) != set(letters)
    ):
        return form
    return _Folding(left, right, letters).run(form)


class _Folding:
    def __init__(self, left: Entry, right: IndexForm, letters: dict[str, Index]):
        self.left, self.right, self.letters = left, right, letters
        self.powers = list(powers_of(right)[1].values()) if type(right) is Times else []
        self.coefficient = powers_of(right)[0] if type(right) is Times else 1

    def run(self, form: Any) -> IndexForm:
        for found in _matches(self.right, form, {}, {}, self.letters):
            return self.entry(found)
        form = rebuilt(form, self.run, lambda position: position)
        if type(form) is Times and self.powers:
            form = self.in_product(form)
        return form

    def entry(self, found: Found) -> Entry:
        return Entry(self.left.array, tuple(found[letter] for letter in self.letters))

    def in_product(self, form: Times) -> IndexForm:
        """The product with each group of factors that is the named one replaced, as often as there is one."""
        coefficient, powers = powers_of(form)
        factors = list(powers.values())
        while (found := next(self._group(factors, 0, {}), None)) is not None:
            used, entry = found[0], self.entry(found[1])
            factors = [(base, exponent - used.get(place, 0)) for place, (base, exponent) in enumerate(factors)]
            factors = [(base, exponent) for base, exponent in factors if exponent != 0]
            at = next((place for place, (base, _) in enumerate(factors) if base == entry), None)
            if at is None:
                factors.insert(0, (entry, 1))
            else:
                factors[at] = (entry, factors[at][1] + 1)
            coefficient = coefficient / self.coefficient
        return product_of(coefficient, factors)

    def _group(self, factors: list, place: int, found: Found) -> Iterator[tuple[dict[int, Any], Found]]:
        if place == len(self.powers):
            yield {}, found
            return
        base, exponent = self.powers[place]
        for number, (other, power) in enumerate(factors):
            if power * exponent <= 0 or abs(power) < abs(exponent):
                continue
            for inner in _matches(base, other, found, {}, self.letters):
                for used, complete in self._group(factors, place + 1, inner):
                    if number not in used:
                        yield {**used, number: exponent}, complete


def _matches(
    pattern: Any, form: Any, found: Found, bound: dict[str, str], letters: dict[str, Index]
) -> Iterator[Found]:
    """The ways in which a formula is the pattern with positions put for its free letters."""
    kind = type(pattern)
    if type(form) is not kind:
        return
    if kind in Binder:
        if [i.size for i in pattern.over] != [i.size for i in form.over]:
            return
        if kind is Largest and pattern.smallest != form.smallest:
            return
        inner = bound | {mine.letter: other.letter for mine, other in zip(pattern.over, form.over, strict=True)}
        yield from _matches(pattern.body, form.body, found, inner, letters)
        return
    mine, other = positions_of(pattern), positions_of(form)
    if len(mine) != len(other) or any(
        getattr(pattern, name) != getattr(form, name)
        for name in ("array", "value", "name", "function", "tie", "relation", "size")
        if hasattr(pattern, name)
    ):
        return
    for one, two in zip(mine, other, strict=True):
        moved = _match_position(one, two, found, bound, letters)
        if moved is None:
            return
        found = moved
    unordered = kind is Plus or kind is Times
    yield from _match_parts(list(parts_of(pattern)), list(parts_of(form)), found, bound, letters, unordered)


def _match_parts(patterns: list, forms: list, found, bound, letters, unordered: bool) -> Iterator[Found]:
    if len(patterns) != len(forms):
        return
    if not patterns:
        yield found
        return
    for place in range(len(forms) if unordered else 1):
        for inner in _matches(patterns[0], forms[place], found, bound, letters):
            rest = [*forms[:place], *forms[place + 1 :]]
            yield from _match_parts(patterns[1:], rest, inner, bound, letters, unordered)


def _match_position(one: Position, two: Position, found: Found, bound: dict[str, str], letters) -> Found | None:
    if isinstance(one, Index):
        if one.letter in bound:
            return found if isinstance(two, Index) and two.letter == bound[one.letter] else None
        if one.letter in found:
            return found if found[one.letter] == two else None
        names_inside = {two.letter} if isinstance(two, Index) else {i.letter for _, i in getattr(two, "parts", ())}
        if names_inside & set(bound.values()) or (isinstance(two, Index) and two.size != one.size):
            return None
        if isinstance(two, Place) or one.letter not in letters:
            return None
        return {**found, one.letter: two}
    if isinstance(one, Place) and isinstance(two, Place):
        if one.offset != two.offset or [f for f, _ in one.parts] != [f for f, _ in two.parts]:
            return None
        result: Found | None = found
        for (_, mine), (_, other) in zip(one.parts, two.parts, strict=True):
            result = None if result is None else _match_position(mine, other, result, bound, letters)
        return result
    if isinstance(one, Entry) and isinstance(two, Entry):
        return next(_matches(one, two, found, bound, letters), None)
    return found if one == two else None


# -- what cancels, and functions that are spelled out -------------------------------------------------------------------


def without_shift(form: Any) -> IndexForm:
    """`exp(a - m) / sum_k exp(a_k - m)` without the shift m, the largest of a row: it cancels.

    Only where m is the same for the whole sum.
    """
    form = rebuilt(form, without_shift, lambda position: position)
    if type(form) is not Times:
        return form
    factors = list(form.factors)
    for place, factor in enumerate(factors):
        if not (type(factor) is Of and factor.function == "exp"):
            continue
        for other_place, other in enumerate(factors):
            if type(other) is Raised and other.exponent == MINUS_ONE and type(other.base) is Total:
                shorter = _unshifted(factor, other.base)
                if shorter is not None:
                    factors[place], below = shorter
                    factors[other_place] = Raised(below, MINUS_ONE)
                    return without_shift(Times(tuple(factors)))
    return Times(tuple(factors))


def _unshifted(above: Any, below: Any) -> tuple[IndexForm, Total] | None:
    body = below.body
    if not (type(body) is Of and body.function == "exp"):
        return None
    bound = {index.letter for index in below.over}
    for shift in _terms(above.arguments[0]):
        if not any(type(node) is Largest for node in _within(shift)) or bound & free_letters(shift):
            continue
        inner = next((term for term in _terms(body.arguments[0]) if same_form(term, shift)), None)
        if inner is not None:
            return _exp_without(above, shift), Total(below.over, _exp_without(body, inner))
    return None


def _within(form: Any) -> Iterator[Any]:
    yield form
    if not (type(form) is Of and form.function == "held"):
        for part in parts_of(form):
            yield from _within(part)


def _terms(form: Any) -> Sequence[IndexForm]:
    return form.terms if type(form) is Plus else (form,)


def _exp_without(form: Of, term: IndexForm) -> Of:
    rest = tuple(other for other in _terms(form.arguments[0]) if other != term)
    return Of("exp", (rest[0] if len(rest) == 1 else Plus(rest),))


def with_sigmoids(form: Any) -> IndexForm:
    """`1 / (1 + exp(-x))` and `exp(x) / (1 + exp(x))` as sigmoid(x)."""
    form = rebuilt(form, with_sigmoids, lambda position: position)
    if type(form) is Raised and form.exponent == MINUS_ONE:
        inner = _logistic(form.base)
        return form if inner is None else Of("sigmoid", (simplify(times((MINUS_ONE, inner))),))
    if type(form) is Times:
        for place, factor in enumerate(form.factors):
            if type(factor) is Of and factor.function == "sigmoid":
                above = Of("exp", (simplify(times((MINUS_ONE, factor.arguments[0]))),))
                found = next((n for n, other in enumerate(form.factors) if same_form(other, above)), None)
                if found is not None:  # exp(x) sigmoid(-x), which is how exp(x) / (1 + exp(x)) looks by now
                    inner = simplify(times((MINUS_ONE, factor.arguments[0])))
                    rest = [f for n, f in enumerate(form.factors) if n not in (place, found)]
                    return times((*rest, Of("sigmoid", (inner,))))
    return form


def _logistic(form: Any) -> IndexForm | None:
    """The x of 1 + exp(x)."""
    if type(form) is not Plus or len(form.terms) != 2 or ONE not in form.terms:
        return None
    other = form.terms[1] if form.terms[0] == ONE else form.terms[0]
    return other.arguments[0] if type(other) is Of and other.function == "exp" else None
