"""Derivatives of formulas of entries: sums, products, powers, functions, and Kronecker deltas at the leaves.

The one idea: an entry differentiated by an entry of the same array is a product of deltas, and everything else is the
calculus of one variable:

    d(sum_k x[i,k] w[k,j]) / dw[p,q]  =  sum_k x[i,k] delta[k,p] delta[j,q]

Nothing is contracted here, so that the deltas can be seen; `contracting.py` does that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from chainrule.derivation.index_algebra import indices_in, rename_bound, walk
from chainrule.index_form import (
    MINUS_ONE,
    ONE,
    ZERO,
    Cases,
    Delta,
    Entry,
    Holds,
    IndexForm,
    Largest,
    Of,
    Plus,
    Raised,
    Times,
    Total,
    Value,
    negative,
)

Partials = tuple[Callable[..., IndexForm], ...]
HALF = Value(Fraction(1, 2))
_BELL = Value(2 / math.sqrt(math.pi))  # the derivative of erf at 0


def _square(x: IndexForm) -> IndexForm:
    return Raised(x, Value(Fraction(2)))


def _arc(x: IndexForm) -> IndexForm:
    return Raised(Of("sqrt", (Plus((ONE, negative(_square(x)))),)), MINUS_ONE)


def _gauss(x: IndexForm) -> IndexForm:
    return Times((_BELL, Of("exp", (negative(_square(x)),))))


def _wins(relation: str, mine: IndexForm, other: IndexForm, tie: Fraction) -> IndexForm:
    wins = Holds(relation, mine, other)
    return Plus((wins, Times((Value(tie), Holds("==", mine, other))))) if tie else wins


# each partial takes the function's value, as a formula, and its arguments
PARTIALS: dict[str, Partials] = {
    "exp": (lambda y, x: y,),
    "log": (lambda y, x: Raised(x, MINUS_ONE),),
    "sqrt": (lambda y, x: Times((HALF, Raised(y, MINUS_ONE))),),
    "sin": (lambda y, x: Of("cos", (x,)),),
    "cos": (lambda y, x: negative(Of("sin", (x,))),),
    "tanh": (lambda y, x: Plus((ONE, negative(_square(y)))),),
    "sigmoid": (lambda y, x: Times((y, Plus((ONE, negative(y))))),),
    "softplus": (lambda y, x: Of("sigmoid", (x,)),),
    "erf": (lambda y, x: _gauss(x),),
    "erfc": (lambda y, x: negative(_gauss(x)),),
    "tan": (lambda y, x: Plus((ONE, _square(y))),),
    "arcsin": (lambda y, x: _arc(x),),
    "arccos": (lambda y, x: negative(_arc(x)),),
    "arctan": (lambda y, x: Raised(Plus((ONE, _square(x))), MINUS_ONE),),
    "sinh": (lambda y, x: Of("cosh", (x,)),),
    "cosh": (lambda y, x: Of("sinh", (x,)),),
    "abs": (lambda y, x: Of("sign", (x,)),),
    "max": (lambda y, a, b: _wins(">", a, b, y.tie), lambda y, a, b: _wins(">", b, a, y.tie)),
    "min": (lambda y, a, b: _wins("<", a, b, y.tie), lambda y, a, b: _wins("<", b, a, y.tie)),
    "clip": (
        lambda y, x, low, high: Times((Holds(">", x, low), Holds("<", x, high))),
        lambda y, x, low, high: Holds("<", x, low),
        lambda y, x, low, high: Times((Holds(">", x, high), Holds(">=", x, low))),
    ),
}
FLAT = {"sign", "held", "isnan", "isfinite", "isinf"}  # no derivative, or none wanted


def differentiate(form: Any, by: Entry) -> IndexForm:
    """The derivative of a formula by one entry of an array, with its deltas as they come.

    Parameters
    ----------
    form : IndexForm
    by : Entry
        Its letters stand nowhere in the formula.

    Returns
    -------
    IndexForm
        Zeros and ones are left out, nothing else is simplified.

    Raises
    ------
    KeyError
        If a function has no derivative in `PARTIALS`.

    Examples
    --------
    >>> from chainrule.index_form import Index
    >>> i, p = Index("i", "N"), Index("p", "N")
    >>> differentiate(Of("exp", (Entry("x", (i,)),)), Entry("x", (p,))).factors[1]
    Delta(left=Index(letter='i', size='N'), right=Index(letter='p', size='N'))
    """
    if not any(type(node) is Entry and node.array == by.array for node in walk(form)):
        return ZERO
    kind = type(form)
    if kind is Entry:
        return _deltas(form, by)
    if kind is Plus:
        return _sum(differentiate(term, by) for term in form.terms)
    if kind is Times:
        return _product_rule(form, by)
    if kind is Raised:
        return _power_rule(form, by)
    if kind is Total:
        inner = differentiate(form.body, by)
        return inner if inner == ZERO else Total(form.over, inner)
    if kind is Of:
        return _chain_rule(form, by)
    if kind is Largest:
        return _by_the_largest(form, by)
    if kind is Cases:
        then, otherwise = differentiate(form.then, by), differentiate(form.otherwise, by)
        return ZERO if then == otherwise == ZERO else Cases(form.condition, then, otherwise)
    return ZERO  # indicators and numbers


def _deltas(entry: Entry, by: Entry) -> IndexForm:
    deltas = tuple(Delta(mine, other) for mine, other in zip(entry.at, by.at, strict=True) if mine != other)
    return _product(deltas)


def _sum(terms) -> IndexForm:
    kept = tuple(term for term in terms if term != ZERO)
    return ZERO if not kept else kept[0] if len(kept) == 1 else Plus(kept)


def _product(factors) -> IndexForm:
    kept = tuple(factor for factor in factors if factor != ONE)
    if ZERO in kept:
        return ZERO
    return ONE if not kept else kept[0] if len(kept) == 1 else Times(kept)


def _product_rule(form: Times, by: Entry) -> IndexForm:
    factors = form.factors
    return _sum(
        _product((*factors[:place], differentiate(factor, by), *factors[place + 1 :]))
        for place, factor in enumerate(factors)
    )


def _power_rule(form: Raised, by: Entry) -> IndexForm:
    base, exponent = form.base, form.exponent
    if type(exponent) is Value:
        less = Value(exponent.value - 1)
        inner = differentiate(base, by)
        return _product((exponent, base if less == ONE else Raised(base, less), inner))
    by_base = _product((exponent, Raised(base, Plus((exponent, MINUS_ONE))), differentiate(base, by)))
    by_exponent = _product((form, Of("log", (base,)), differentiate(exponent, by)))
    return _sum((by_base, by_exponent))


def _chain_rule(form: Of, by: Entry) -> IndexForm:
    if form.function in FLAT:
        return ZERO
    partials = PARTIALS[form.function]
    return _sum(
        _product((partial(form, *form.arguments), inner))
        for partial, argument in zip(partials, form.arguments, strict=True)
        if (inner := differentiate(argument, by)) != ZERO
    )


def _by_the_largest(form: Largest, by: Entry) -> IndexForm:
    """The entry that is the largest moves the largest; of two that are equal, the rule gives each its share."""
    inner = differentiate(form.body, by)
    if inner == ZERO:
        return ZERO
    other = rename_bound(form, {index.letter for index in form.over}, {i.letter for i in indices_in(by)})
    return Total(form.over, _product((Holds("==", form.body, other), inner)))
