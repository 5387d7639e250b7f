"""A formula as it reads best: common factors once, terms that cancel left out, few minus signs in front.

s[i,j] delta[j,q] - s[i,j] s[i,q]      =  s[i,j] (delta[j,q] - s[i,q])
(1 - y[p]) a[p] - y[p] (1 - a[p])      =  a[p] - y[p]
-1/N (y[p] - a[p])                     =  1/N (a[p] - y[p])
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from chainrule.derivation.contracting import plus, powers_of, product_of, times
from chainrule.derivation.index_algebra import free_letters, rebuilt, rename_bound, walk
from chainrule.index_form import MINUS_ONE, ONE, IndexForm, Plus, Times, Total, Value

LARGEST_SPREAD = 24  # terms that are looked at when sums are multiplied out


def tidied(form: IndexForm) -> IndexForm:
    """The formula as it reads best.

    Parameters
    ----------
    form : IndexForm
        Simplified.

    Examples
    --------
    >>> from chainrule.index_form import Entry, negative
    >>> a, y = Entry("a"), Entry("y")
    >>> both = Plus((Times((Plus((ONE, negative(y))), a)), negative(Times((y, Plus((ONE, negative(a))))))))
    >>> tidied(both) == Plus((a, negative(y)))
    True
    """
    return signed(nested(factored(shorter(form))))


def factored(form: Any) -> IndexForm:
    """The formula with what all terms of a sum share written once: s (delta - s') instead of s delta - s s'."""
    kind = type(form)
    if kind is Times:
        return times(map(factored, form.factors))
    if kind is Total:
        return Total(form.over, factored(form.body))
    if kind is not Plus:
        return form
    terms = [powers_of(factored(term)) for term in form.terms]
    shared: dict[Any, tuple[IndexForm, Any]] = {}
    for key, (base, _) in terms[0][1].items():
        exponents = [term[1][key][1] for term in terms if key in term[1]]
        if len(exponents) == len(terms) and (all(e > 0 for e in exponents) or all(e < 0 for e in exponents)):
            shared[key] = (base, min(exponents, key=abs))
    sizes = {abs(coefficient) for coefficient, _ in terms}
    number_ = sizes.pop() if len(sizes) == 1 else Fraction(1)
    if all(coefficient < 0 for coefficient, _ in terms):
        number_ = -number_
    rest = [
        product_of(
            coefficient / number_,
            [(base, e - shared[key][1] if key in shared else e) for key, (base, e) in powers.items()],
        )
        for coefficient, powers in terms
    ]
    if not shared and number_ == 1:
        return Plus(tuple(rest))
    return times((product_of(number_, shared.values()), Plus(tuple(rest))))


def shorter(form: Any) -> IndexForm:
    """The formula with sums multiplied out and collected wherever that is shorter: (1 - y) a - y (1 - a) = a - y."""
    if type(form) is Times:
        return times(map(shorter, form.factors))
    if type(form) is Total:
        return Total(form.over, shorter(form.body))
    if type(form) is not Plus:
        return form
    kept = plus(map(shorter, form.terms))
    if type(kept) is not Plus:
        return kept
    spread = [_multiplied_out(term) for term in kept.terms]
    if sum(map(len, spread)) > LARGEST_SPREAD or all(len(terms) == 1 for terms in spread):
        return kept
    found = factored(plus(term for terms in spread for term in terms))
    return found if _length(found) < _length(kept) else kept


def _multiplied_out(term: Any) -> list[IndexForm]:
    """The terms of a product of sums."""
    results: list[IndexForm] = [ONE]
    for factor in term.factors if type(term) is Times else (term,):
        choices = factor.terms if type(factor) is Plus else (factor,)
        results = [times((result, choice)) for result in results for choice in choices]
        if len(results) > LARGEST_SPREAD:
            return [term]
    return results


def _length(form: Any) -> int:
    return sum(1 for _ in walk(form))


def nested(form: Any) -> IndexForm:
    """Sums in an order in which each is short: sum_ij x[i] f[i,j] w[j] = sum_i x[i] sum_j f[i,j] w[j], a product of matrices.

    What the fewest factors depend on is summed first.
    """
    return _nested(_flat(rebuilt(form, nested, lambda position: position)))


def _nested(form: Any) -> IndexForm:
    if type(form) is not Total or len(form.over) < 2 or type(form.body) is not Times:
        return form
    factors = form.body.factors
    inside = {index: [f for f in factors if index.letter in free_letters(f)] for index in form.over}
    index = min(reversed(form.over), key=lambda index: len(inside[index]))
    outside = [factor for factor in factors if factor not in inside[index]]
    rest = tuple(other for other in form.over if other != index)
    if not any({other.letter for other in rest} & free_letters(factor) for factor in outside):
        return form
    return _nested(Total(rest, times((*outside, Total((index,), times(inside[index]))))))


def _flat(form: Any) -> IndexForm:
    """The sum with the sums among its factors drawn into it, so that they can be taken in another order."""
    if type(form) is not Total or type(form.body) is not Times:
        return form
    over = list(form.over)
    factors: list[IndexForm] = []
    taken = {index.letter for index in over} | free_letters(form.body)
    for factor in form.body.factors:
        if type(factor) is Total:
            clash = {index.letter for index in factor.over} & taken
            inner = rename_bound(factor, clash, taken) if clash else factor
            over += inner.over
            taken |= {index.letter for index in inner.over}
            factors += inner.body.factors if type(inner.body) is Times else (inner.body,)
        else:
            factors.append(factor)
    return Total(tuple(over), times(factors)) if len(over) > len(form.over) else form


def signed(form: Any) -> IndexForm:
    """The formula with as few minus signs in front as can be: -(y - a) = a - y, -b + a = a - b."""
    if type(form) is Total:
        return Total(form.over, signed(form.body))
    if type(form) is Plus:
        return Plus(_positive_first(form.terms))
    if type(form) is not Times:
        return form
    factors = [signed(factor) for factor in form.factors]
    coefficient = powers_of(form)[0]
    for place, factor in enumerate(factors):
        if coefficient < 0 and type(factor) is Plus and any(powers_of(term)[0] < 0 for term in factor.terms):
            factors[place] = Plus(_positive_first(tuple(times((MINUS_ONE, term)) for term in factor.terms)))
            return product_of(-coefficient, [(f, Fraction(1)) for f in factors if type(f) is not Value])
    return Times(tuple(factors))


def _positive_first(terms: tuple[IndexForm, ...]) -> tuple[IndexForm, ...]:
    return tuple(sorted(terms, key=lambda term: powers_of(term)[0] < 0)) if powers_of(terms[0])[0] < 0 else terms
