"""Sums of products: elementwise arithmetic in a form where factors cancel and terms meet.

A `Form` is a sum of terms, a term a rational coefficient times powers of bases; a base is a variable's number or a Form
in brackets. Nothing is multiplied out unless that makes it cheaper: ``dA * (1 - A**2)`` stays a product, while
``-y * (1 - A) + (1 - y) * A`` becomes ``A - y``.

>>> A, y, one = variable(1), variable(2), number(1)
>>> spent = add(scale(multiply(y, subtract(one, A)), -1), multiply(subtract(one, y), A))
>>> cheapest(spent, lambda base: 1.0) == add(A, scale(y, -1))
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

Base = "int | Form"
Factors = tuple  # of (base, exponent), sorted
LIMIT = 24  # terms and factors a form may have before it is cut off


@dataclass(frozen=True)
class Form:
    """A sum of terms: pairs of factors and coefficient, sorted."""

    terms: tuple[tuple[Factors, Fraction], ...]

    def __hash__(self) -> int:
        return hash(self.terms)

    @property
    def single(self) -> tuple[Factors, Fraction] | None:
        """The one term of a form that is a product."""
        return self.terms[0] if len(self.terms) == 1 else None

    @property
    def size(self) -> int:
        """How many factors are written."""
        return sum(
            1 + sum(base.size if isinstance(base, Form) else 1 for base, _ in factors) for factors, _ in self.terms
        )


def number(value) -> Form:
    """A constant."""
    value = Fraction(value)
    return Form((((), value),)) if value else Form(())


def variable(index: int) -> Form:
    """A variable by itself."""
    return Form(((((index, 1),), Fraction(1)),))


def _order(item) -> tuple:
    base, exponent = item
    return (isinstance(base, Form), exponent < 0, repr(base) if isinstance(base, Form) else base)


def _collect(terms) -> Form:
    total: dict[Factors, Fraction] = {}
    for factors, coefficient in terms:
        total[factors] = total.get(factors, Fraction(0)) + coefficient
    kept = [(factors, c) for factors, c in total.items() if c]
    return Form(tuple(sorted(kept, key=lambda term: (term[1] < 0, [_order(f) for f in term[0]]))))


def add(left: Form, right: Form) -> Form:
    """The sum; like terms meet."""
    return _collect(left.terms + right.terms)


def subtract(left: Form, right: Form) -> Form:
    """The difference."""
    return add(left, scale(right, -1))


def scale(form: Form, factor) -> Form:
    """The form times a number."""
    factor = Fraction(factor)
    return _collect([(factors, c * factor) for factors, c in form.terms])


def _merge(left: Factors, right: Factors) -> Factors:
    powers = dict(left)
    for base, exponent in right:
        powers[base] = powers.get(base, 0) + exponent
    return tuple(sorted(((b, e) for b, e in powers.items() if e), key=_order))


def _as_product(form: Form) -> tuple[Factors, Fraction]:
    """The form as one product: a sum of several terms becomes a bracket, its common factors taken out."""
    if form.single is not None:
        return form.single
    if not form.terms:
        return (), Fraction(0)
    common, coefficient, rest = take_common(form)
    return _merge(common, ((rest, 1),)), coefficient


def multiply(left: Form, right: Form) -> Form:
    """The product, brackets kept; powers of one base meet and cancel."""
    (f, a), (g, b) = _as_product(left), _as_product(right)
    if not a or not b:
        return Form(())
    return Form(((_merge(f, g), a * b),))


def power(form: Form, exponent: int) -> Form:
    """An integer power."""
    if exponent == 0:
        return number(1)
    factors, coefficient = _as_product(form)
    if exponent < 0 and not coefficient:
        raise ZeroDivisionError
    return Form(((tuple((b, e * exponent) for b, e in factors), coefficient**exponent),))


def take_common(form: Form) -> tuple[Factors, Fraction, Form]:
    """Factors and coefficient that all terms share, and what is left in the bracket."""
    first = dict(form.terms[0][0])
    for factors, _ in form.terms[1:]:
        other = dict(factors)
        first = {
            base: min(e, other[base], key=abs)
            for base, e in first.items()
            if base in other and (e > 0) == (other[base] > 0)
        }
    common = tuple(sorted(first.items(), key=_order))
    inverse = tuple((b, -e) for b, e in common)
    sizes = {abs(c) for _, c in form.terms}
    coefficient = sizes.pop() if len(sizes) == 1 else Fraction(1)
    if all(c < 0 for _, c in form.terms):
        coefficient = -coefficient
    rest = _collect([(_merge(factors, inverse), c / coefficient) for factors, c in form.terms])
    return common, coefficient, rest


def factored(form: Form) -> Form:
    """The form as a product if its terms share factors."""
    if len(form.terms) < 2:
        return form
    factors, coefficient = _as_product(form)
    return Form(((factors, coefficient),))


def expanded(form: Form, definitions: Callable[[int], Form | None]) -> Form:
    """Every bracket multiplied out, variables replaced by their definitions (one level)."""
    total: list = []
    for factors, coefficient in form.terms:
        products = [((), coefficient)]
        for base, exponent in factors:
            inner = base if isinstance(base, Form) else definitions(base)
            if inner is None or exponent < 0 or exponent > 2:
                products = [(_merge(f, ((base, exponent),)), c) for f, c in products]
                continue
            opened = expanded(inner, lambda _: None) if isinstance(base, Form) else inner
            if isinstance(base, Form):
                opened = expanded(base, definitions)
            for _ in range(exponent):
                products = [(_merge(f, g), c * d) for f, c in products for g, d in opened.terms]
                if len(products) > LIMIT:
                    return form
        total += products
    return _collect(total)


def cost(form: Form, weight: Callable[[int], float]) -> float:
    """How many array operations evaluating the form takes; `weight` is 1 for a full-size array."""
    return _cost(form, weight)[0]


def _cost(form: Form, weight) -> tuple[float, float]:
    """(operations, size of the result)."""
    total, widest = 0.0, 0.01
    for factors, coefficient in form.terms:
        sizes = []
        for base, exponent in factors:
            inner, size = _cost(base, weight) if isinstance(base, Form) else (0.0, weight(base))
            total += inner + size * (abs(exponent) - 1)
            sizes.append(size)
        width = 0.0
        for size in sorted(sizes):  # small factors meet first
            total += max(width, size) if width else 0.0
            width = max(width, size)
        if coefficient != 1:
            total += min(sizes, default=0.0) * (1 if abs(coefficient) != 1 else 0.5)
        widest = max(widest, width)
    return total + widest * (max(len(form.terms), 1) - 1), widest


def cheapest(
    form: Form, weight: Callable[[int], float], definitions: Callable[[int], Form | None] = lambda _: None
) -> Form:
    """The form, factored, or multiplied out and factored again: whichever takes the fewest operations."""
    candidates = [form, factored(form)]
    if form.size <= LIMIT:
        opened = expanded(form, lambda _: None)
        defined = expanded(opened, definitions)  # after brackets have met their like: y (1 - a) / (1 - a) is y
        for candidate in (opened, defined):
            if len(candidate.terms) <= LIMIT:
                candidates += [candidate, factored(candidate)]
    return min(candidates, key=lambda candidate: cost(candidate, weight))
