"""Contraction: sums over Kronecker deltas carried out, terms collected, constants brought to the front.

The one idea: under a sum, a delta says which term is meant, so it goes and its letter with it:

    sum_ij dz[i,j] x[i,p] delta[j,q]  =  sum_i dz[i,q] x[i,p]

`simplify` does that and plain arithmetic, from the inside out; each builder below takes parts that are simplified already.
Products are multiplied out only where a delta asks for it, so a power of a sum stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from chainrule.derivation.index_algebra import (
    free_letters,
    key_of,
    positions_of,
    rebuilt,
    same_form,
    substitute,
    walk,
)
from chainrule.derivation.placing import delta, inside, solved
from chainrule.index_form import (
    ONE,
    ZERO,
    Cases,
    Counted,
    Delta,
    Entry,
    Holds,
    Index,
    IndexForm,
    Inside,
    Largest,
    Of,
    Plus,
    Raised,
    SizeOf,
    Times,
    Total,
    Value,
    negative,
    number,
)

INDICATORS = (Delta, Holds, Inside)
_NEGATED = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}


def simplify(form: Any) -> IndexForm:
    """The same formula with its deltas contracted and its terms collected."""
    kind = type(form)
    if kind is Plus:
        return plus(map(simplify, form.terms))
    if kind is Times:
        return times(map(simplify, form.factors))
    if kind is Raised:
        return raised(simplify(form.base), simplify(form.exponent))
    if kind is Total:
        return total(form.over, simplify(form.body))
    if kind is Largest:
        return _largest(form, simplify(form.body))
    if kind is Of:
        return Of(form.function, tuple(map(simplify, form.arguments)), form.tie)
    if kind is Holds:
        return holds(form.relation, simplify(form.left), simplify(form.right))
    if kind is Cases:
        return cases(simplify(form.condition), simplify(form.then), simplify(form.otherwise))
    if kind is Delta:
        return delta(form.left, form.right)
    if kind is Inside:
        return inside(form.position, form.size)
    if kind is Counted and isinstance(form.position, int):
        return number(form.position)
    return form


# -- products ----------------------------------------------------------------------------------------------------------


def powers_of(form: Any) -> tuple[Any, dict[Any, tuple[IndexForm, Any]]]:
    """A product as its number and, by key, each base with its exponent (a number)."""
    coefficient: Any = Fraction(1)
    powers: dict[Any, tuple[IndexForm, Any]] = {}
    for factor in form.factors if type(form) is Times else (form,):
        if type(factor) is Value:
            coefficient = coefficient * factor.value
            continue
        base, exponent = factor, Fraction(1)  # type: Any, Any
        if type(factor) is Raised and type(factor.exponent) is Value:
            base, exponent = factor.base, factor.exponent.value
        key = key_of(base)
        if key in powers:
            exponent = powers[key][1] + exponent
            base = powers[key][0]
        if type(base) in INDICATORS and exponent > 1:
            exponent = Fraction(1)
        powers[key] = (base, exponent)
    return coefficient, powers


def product_of(coefficient: Any, powers: Iterable[tuple[IndexForm, Any]]) -> IndexForm:
    """A product from its number and its powers: number, sizes, factors in their order, deltas last."""
    if coefficient == 0:
        return ZERO
    sizes: list[IndexForm] = []
    factors: list[IndexForm] = []
    deltas: list[IndexForm] = []
    for base, exponent in powers:
        if exponent == 0:
            continue
        into = sizes if type(base) is SizeOf else deltas if type(base) in (Delta, Inside) else factors
        into.append(base if exponent == 1 else Raised(base, Value(exponent)))
    parts = [*([] if coefficient == 1 else [Value(coefficient)]), *sizes, *factors, *deltas]
    return ONE if not parts else parts[0] if len(parts) == 1 else Times(tuple(parts))


def times(factors: Iterable[Any]) -> IndexForm:
    """A product of simplified factors."""
    flat: list[IndexForm] = []
    for factor in factors:
        if factor == ZERO:
            return ZERO
        flat += factor.factors if type(factor) is Times else (factor,)
    if len(flat) == 1:
        return flat[0]
    for place, factor in enumerate(flat):
        if type(factor) is Delta and (isinstance(factor.left, Entry) or isinstance(factor.right, Entry)):
            label, other = (
                (factor.left, factor.right) if isinstance(factor.left, Entry) else (factor.right, factor.left)
            )
            flat = [f if n == place else _with_label(f, label, other) for n, f in enumerate(flat)]
    coefficient, powers = powers_of(Times(tuple(flat)))
    return product_of(coefficient, powers.values())


def _with_label(form: IndexForm, label: Any, other: Any) -> IndexForm:
    """p[q, y[q]] beside delta[y[q], r] is p[q, r]."""
    if not any(label in positions_of(node) for node in walk(form)):
        return form
    return rebuilt(
        form,
        lambda part: _with_label(part, label, other),
        lambda position: other if position == label else position,
    )


def raised(base: Any, exponent: Any) -> IndexForm:
    """A power of simplified parts."""
    if type(exponent) is not Value:
        return Raised(base, exponent)
    power = exponent.value
    if power == 1:
        return base
    if power == 0:
        return ONE
    whole = power == int(power)
    if type(base) is Value and whole and (base.value != 0 or power > 0):
        return Value(base.value ** int(power))
    if type(base) is Times and whole:
        return times(raised(factor, exponent) for factor in base.factors)
    if type(base) is Raised and whole and type(base.exponent) is Value:
        return raised(base.base, Value(base.exponent.value * power))
    if type(base) in INDICATORS and power > 0:
        return base
    return Raised(base, exponent)


# -- sums of terms -----------------------------------------------------------------------------------------------------


def plus(terms: Iterable[Any]) -> IndexForm:
    """A sum of simplified terms; equal ones are collected."""
    collected: dict[Any, list] = {}
    for term in terms:
        for part in term.terms if type(term) is Plus else (term,):
            coefficient, rest = _coefficient(part)
            if coefficient == 0:
                continue
            key = key_of(rest)
            if key in collected:
                collected[key][0] += coefficient
            else:
                collected[key] = [coefficient, rest]
    kept = [(coefficient, rest) for coefficient, rest in collected.values() if coefficient != 0]
    if len(kept) == 2 and {type(rest) for _, rest in kept} == {Value, Holds}:
        indicator = next(term for term in kept if type(term[1]) is Holds)
        one = next(term for term in kept if type(term[1]) is Value)
        if one[0] == 1 and indicator[0] == -1:
            found = indicator[1]
            return Holds(_NEGATED[found.relation], found.left, found.right)
    parts = [scaled(coefficient, rest) for coefficient, rest in kept]
    return ZERO if not parts else parts[0] if len(parts) == 1 else Plus(tuple(parts))


def _coefficient(term: Any) -> tuple[Any, IndexForm]:
    if type(term) is Value:
        return term.value, ONE
    if type(term) is Times and type(term.factors[0]) is Value:
        rest = term.factors[1:]
        return term.factors[0].value, rest[0] if len(rest) == 1 else Times(rest)
    return Fraction(1), term


def scaled(coefficient: Any, form: Any) -> IndexForm:
    """A number times a simplified form."""
    if coefficient == 1:
        return form
    if form == ONE:
        return Value(coefficient)
    return Times((Value(coefficient), *(form.factors if type(form) is Times else (form,))))


# -- sums over indices -------------------------------------------------------------------------------------------------


def total(over: Sequence[Index], body: Any, *, spread: bool = True) -> IndexForm:
    """The sum of a simplified body over indices; `spread` multiplies out where deltas stand in a sum of terms."""
    if not over or body == ZERO:
        return body
    letters = {index.letter for index in over}
    if spread and type(body) is Plus and any(_touches(term, letters) for term in body.terms):
        return plus(total(over, term) for term in body.terms)
    if spread and type(body) is Times:
        for place, factor in enumerate(body.factors):
            if type(factor) is Plus and _touches(factor, letters):
                others = (*body.factors[:place], *body.factors[place + 1 :])
                return plus(total(over, times((*_split(term, others, place),))) for term in factor.terms)
    factors = body.factors if type(body) is Times else (body,)
    for place, factor in enumerate(factors):
        if type(factor) is Delta:
            found = solved(factor, over)
            if found is None:
                continue
            index, position, condition = found
            others = (*factors[:place], *factors[place + 1 :], condition)
            try:
                rest = times([simplify(substitute(other, {index.letter: position})) for other in others])
            except ValueError:  # a label would have to be moved
                continue
            return total(tuple(other for other in over if other != index), rest, spread=spread)
    return _without_constants(over, factors)


def _split(term: IndexForm, others: tuple[IndexForm, ...], place: int) -> tuple[IndexForm, ...]:
    return (*others[:place], term, *others[place:])


def _same_for_all(body: Plus, letters: set[str]) -> bool:
    """Whether some terms, and not all, are the same for every index."""
    count = sum(not letters & free_letters(term) for term in body.terms)
    return 0 < count < len(body.terms)


def _touches(form: Any, letters: set[str]) -> bool:
    """Whether a delta stands in a term, or in a sum that is a factor of it, with one of the letters."""
    kind = type(form)
    if kind is Delta:
        return bool(letters & free_letters(form))
    if kind is Times or kind is Plus:
        return any(_touches(part, letters) for part in (form.factors if kind is Times else form.terms))
    return False


def _without_constants(over: Sequence[Index], factors: Sequence[IndexForm]) -> IndexForm:
    """What does not depend on the indices stands before the sum; an index that nothing depends on counts."""
    used: set[str] = set()
    for factor in factors:
        used |= free_letters(factor)
    front: list[IndexForm] = [SizeOf(index.size) for index in over if index.letter not in used]
    over = tuple(index for index in over if index.letter in used)
    letters = {index.letter for index in over}
    front += [factor for factor in factors if not letters & free_letters(factor)]
    behind = [factor for factor in factors if letters & free_letters(factor)]
    if not behind:
        return times(front)
    body: Any = times(behind)
    if type(body) is Plus and _same_for_all(body, letters) and plus(total(over, t) for t in body.terms) == ZERO:
        return ZERO  # sum_i (x_i - mean)
    if type(body) is Total and not letters & {index.letter for index in body.over}:
        summed: IndexForm = Total((*over, *body.over), body.body)
    else:
        summed = Total(over, body)
    return times((*front, summed)) if front else summed


# -- the rest ----------------------------------------------------------------------------------------------------------


def _largest(form: Largest, body: IndexForm) -> IndexForm:
    over = tuple(index for index in form.over if index.letter in free_letters(body))
    return Largest(over, body, form.smallest) if over else body


def holds(relation: str, left: Any, right: Any) -> IndexForm:
    """An indicator of simplified sides."""
    if type(left) in INDICATORS and right == ZERO and relation in ("!=", ">"):
        return left
    if type(left) in INDICATORS and right == ZERO and relation in ("==", "<="):
        return plus((ONE, negative(left)))
    if relation == "==" and same_form(left, right):
        return ONE
    if isinstance(left, Entry | Counted) and isinstance(right, Counted) and relation == "==":
        return delta(left if isinstance(left, Entry) else left.position, right.position)
    return Holds(relation, left, right)


def cases(condition: IndexForm, then: IndexForm, otherwise: IndexForm) -> IndexForm:
    """`then` where the condition holds, else `otherwise`; a product where one of them is 0."""
    if condition in (ONE, ZERO):
        return then if condition == ONE else otherwise
    if same_form(then, otherwise):
        return then
    if otherwise == ZERO:
        return times((then, condition))
    if then == ZERO:
        return times((otherwise, plus((ONE, negative(condition)))))
    (one, mine), (two, others) = powers_of(then), powers_of(otherwise)
    shared = {key: power for key, power in mine.items() if others.get(key) == power}
    if not shared:
        return Cases(condition, then, otherwise)
    mine, others = ({key: p for key, p in powers.items() if key not in shared} for powers in (mine, others))
    inner = Cases(condition, product_of(one, mine.values()), product_of(two, others.values()))
    return times((inner, *(product_of(1, [power]) for power in shared.values())))


def flattened(form: Any) -> IndexForm:
    """The formula without products in products and factors of 1, as it is written by hand; nothing else is changed."""
    form = rebuilt(form, flattened, lambda position: position)
    if type(form) is not Times:
        return form
    factors: list[IndexForm] = []
    for factor in form.factors:
        factors += factor.factors if type(factor) is Times else () if factor == ONE else (factor,)
    return ONE if not factors else factors[0] if len(factors) == 1 else Times(tuple(factors))
