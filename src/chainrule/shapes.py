"""Shapes, and sizes that have a name instead of a number.

The one idea: while a function is staged, each axis of an argument has a *symbol*; sizes are integer polynomials in
these symbols (`SizeExpr`), so that `1 / N` stays `1 / N` and one program serves every batch size. Operations that
force two axes to agree unify their symbols (`SizeScope.unify`), which is recorded as a guard.

>>> scope = SizeScope()
>>> n = scope.symbol(128, "X", 0)
>>> (n * 2 + 1).hint, str(n * 2 + 1)
(257, '2 * s0 + 1')

A dimension is an `int` or a `SizeExpr`; 0 and 1 are always ints, so symbols stand for sizes of at least 2.
This file never looks at arrays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chainrule.errors import ShapeError

Dim = "int | SizeExpr"
Shape = tuple  # of Dim

Atom = tuple  # ("symbol", index) or (operation, SizeExpr, SizeExpr)
Monomial = tuple[tuple[Atom, int], ...]


class SizeExpr:
    """An integer polynomial in size symbols, in canonical form; hashable, compared by form."""

    __slots__ = ("_hash", "scope", "terms")

    def __init__(self, scope: SizeScope, terms: tuple[tuple[Monomial, int], ...]):
        self.scope = scope
        self.terms = terms
        self._hash = hash(terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SizeExpr) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    @property
    def hint(self) -> int:
        """The number that this expression had in the trace."""
        return self.evaluate(self.scope.hints.__getitem__)

    @property
    def symbol(self) -> int | None:
        """The symbol's index if the expression is one symbol alone."""
        if len(self.terms) == 1:
            monomial, coefficient = self.terms[0]
            if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0][0] == "symbol":
                return monomial[0][0][1]
        return None

    @property
    def least(self) -> int | None:
        """The least value that it can have, as every symbol is 2 or more; None if that cannot be told."""
        rising = all(
            coefficient > 0 and all(atom[0] == "symbol" for atom, _ in monomial) for monomial, coefficient in self.terms
        )
        return self.evaluate(lambda symbol: 2) if rising else None

    def symbols(self) -> Iterator[int]:
        """Every symbol that occurs, also inside quotients."""
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                if atom[0] == "symbol":
                    yield atom[1]
                else:
                    for part in atom[1:]:
                        if isinstance(part, SizeExpr):
                            yield from part.symbols()

    def evaluate(self, value_of: Callable[[int], int]):
        """The value with each symbol replaced; works for ints and for anything with integer arithmetic."""
        total = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for atom, power in monomial:
                value = _evaluate_atom(atom, value_of)
                for _ in range(power):
                    product = product * value
            total = total + product
        return total

    def __add__(self, other):
        terms = dict(self.terms)
        for monomial, coefficient in terms_of(other):
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return _canonical(self.scope, terms)

    __radd__ = __add__

    def __mul__(self, other):
        terms: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in terms_of(other):
                powers = dict(left)
                for atom, power in right:
                    powers[atom] = powers.get(atom, 0) + power
                monomial = tuple(sorted(powers.items(), key=repr))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _canonical(self.scope, terms)

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __floordiv__(self, other):
        return divide_exactly(self, other) or _opaque(self.scope, "//", self, other)

    def __rfloordiv__(self, other):
        return _opaque(self.scope, "//", other, self)

    def __mod__(self, other):
        return 0 if divide_exactly(self, other) is not None else _opaque(self.scope, "%", self, other)

    def __rmod__(self, other):
        return _opaque(self.scope, "%", other, self)

    def spell(self, name_of: Callable[[int], str]) -> str:
        """The expression as Python text, with `name_of` for the symbols."""
        parts = []
        for monomial, coefficient in self.terms:
            factors = [_spell_atom(atom, name_of) + (f"**{power}" if power > 1 else "") for atom, power in monomial]
            if not factors or abs(coefficient) != 1:
                factors.insert(0, str(abs(coefficient)))
            parts.append(("-" if coefficient < 0 else "+", " * ".join(factors)))
        first_sign, first = parts[0]
        text = ("-" if first_sign == "-" else "") + first
        return text + "".join(f" {sign} {part}" for sign, part in parts[1:])

    def __repr__(self) -> str:
        return self.spell(lambda index: f"s{index}")


def terms_of(dim) -> tuple[tuple[Monomial, int], ...]:
    """The polynomial's terms; an int is a constant polynomial."""
    return dim.terms if isinstance(dim, SizeExpr) else (((), int(dim)),)


def _canonical(scope: SizeScope, terms: dict[Monomial, int]):
    kept = {monomial: c for monomial, c in terms.items() if c}
    if not kept:
        return 0
    if list(kept) == [()]:
        return kept[()]
    return SizeExpr(scope, tuple(sorted(kept.items(), key=lambda item: (-sum(p for _, p in item[0]), repr(item[0])))))


def _opaque(scope: SizeScope, operation: str, left, right) -> SizeExpr:
    return SizeExpr(scope, (((((operation, left, right), 1),), 1),))


def _evaluate_atom(atom: Atom, value_of: Callable[[int], int]):
    if atom[0] == "symbol":
        return value_of(atom[1])
    left, right = (part.evaluate(value_of) if isinstance(part, SizeExpr) else part for part in atom[1:])
    return left // right if atom[0] == "//" else left % right


def _spell_atom(atom: Atom, name_of: Callable[[int], str]) -> str:
    if atom[0] == "symbol":
        return name_of(atom[1])
    left, right = (f"({part.spell(name_of)})" if isinstance(part, SizeExpr) else str(part) for part in atom[1:])
    return f"({left} {atom[0]} {right})"


def divide_exactly(dividend, divisor):
    """The quotient if `divisor`, a single term, divides every term of `dividend`; else None."""
    divisor_terms = terms_of(divisor)
    if len(divisor_terms) != 1 or not divisor_terms[0][1]:
        return None
    divisor_monomial, divisor_coefficient = divisor_terms[0]
    quotient: dict[Monomial, int] = {}
    for monomial, coefficient in terms_of(dividend):
        powers = dict(monomial)
        for atom, power in divisor_monomial:
            powers[atom] = powers.get(atom, 0) - power
        if coefficient % divisor_coefficient or any(power < 0 for power in powers.values()):
            return None
        reduced = tuple(sorted(((a, p) for a, p in powers.items() if p), key=repr))
        quotient[reduced] = coefficient // divisor_coefficient
    scope = (
        dividend.scope if isinstance(dividend, SizeExpr) else divisor.scope if isinstance(divisor, SizeExpr) else None
    )
    return _canonical(scope, quotient) if scope is not None else quotient.get((), 0)


RELATIONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Guard:
    """A fact about sizes that held in the trace: `left relation right`, and the line that asked for it."""

    left: Any
    relation: str
    right: Any
    line: str = ""

    def holds(self, left: int, right: int) -> bool:
        """Whether the relation holds between these numbers."""
        return RELATIONS[self.relation](left, right)

    def spell(self, name_of: Callable[[int], str]) -> str:
        """The guard as a Python condition."""
        sides = [side.spell(name_of) if isinstance(side, SizeExpr) else str(side) for side in (self.left, self.right)]
        return f"{sides[0]} {self.relation} {sides[1]}"


@dataclass
class SizeScope:
    """The symbols of one staging: their numbers in the trace, where they come from, what was found equal."""

    hints: list[int] = field(default_factory=list)
    origins: list[tuple[str, int]] = field(default_factory=list)  # (argument's path, axis) of each symbol
    merged: dict[int, object] = field(default_factory=dict)  # symbol -> SizeExpr or int that replaces it
    guards: list[Guard] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)  # names the user gave: N = X.shape[0]
    specialised: list[tuple[SizeExpr, str]] = field(default_factory=list)  # read as a plain int, at this line

    def symbol(self, hint: int, argument: str, axis: int) -> SizeExpr:
        """A new symbol for one axis of one argument."""
        self.hints.append(hint)
        self.origins.append((argument, axis))
        return SizeExpr(self, ((((("symbol", len(self.hints) - 1), 1),), 1),))

    def face(self, index: int) -> SizeExpr:
        """The expression that is symbol `index` alone."""
        return SizeExpr(self, ((((("symbol", index), 1),), 1),))

    def resolve(self, dim):
        """`dim` with every merged symbol replaced by its representative."""
        if not isinstance(dim, SizeExpr) or not self.merged:
            return dim
        if not any(symbol in self.merged for symbol in dim.symbols()):
            return dim
        return dim.evaluate(self._representative)

    def _representative(self, index: int):
        replacement = self.merged.get(index)
        return self.face(index) if replacement is None else self.resolve(replacement)

    def unify(self, left, right, line: str = "") -> bool:
        """Whether two dims agree in this trace; if they do, they agree from now on and a guard is kept."""
        left, right = self.resolve(left), self.resolve(right)
        if left == right:
            return True
        if hint_of(left) != hint_of(right):
            return False
        symbol, other = (left.symbol, right) if isinstance(left, SizeExpr) else (None, left)
        other_symbol = right.symbol if isinstance(right, SizeExpr) else None
        if symbol is not None and other_symbol is not None and other_symbol > symbol:
            symbol, other = other_symbol, left  # the earlier argument keeps its symbol
        elif symbol is None and other_symbol is not None:
            symbol, other = other_symbol, left
        self.guards.append(Guard(left, "==", right, line))
        if symbol is not None and not (isinstance(other, SizeExpr) and symbol in other.symbols()):
            if symbol in self.names and isinstance(other, SizeExpr) and other.symbol is not None:
                self.names.setdefault(other.symbol, self.names[symbol])
            self.merged[symbol] = other
        return True


def hint_of(dim) -> int:
    """The number of a dimension in the trace."""
    return dim.hint if isinstance(dim, SizeExpr) else dim


def same_dim(left, right, line: str = "") -> bool:
    """Whether two dims agree; symbols that agree by number only are unified and guarded."""
    if left == right:
        return True
    scope = left.scope if isinstance(left, SizeExpr) else right.scope if isinstance(right, SizeExpr) else None
    return scope is not None and scope.unify(left, right, line)


def product_of(shape: Iterable):
    """The number of entries: the product of the dims (an int or a SizeExpr)."""
    return math.prod(shape)


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting on shapes that may have named sizes.

    >>> broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    ndim = max(map(len, shapes), default=0)
    result = []
    for axis in range(-ndim, 0):
        dim = 1
        for shape in shapes:
            if len(shape) < -axis or shape[axis] == 1:
                continue
            if dim == 1:
                dim = shape[axis]
            elif not same_dim(dim, shape[axis]):
                raise ShapeError(f"shapes {' and '.join(map(str_shape, shapes))} cannot be broadcast together")
        result.append(dim)
    return tuple(result)


def normalize_axes(axis, ndim: int) -> tuple[int, ...]:
    """`axis` as NumPy takes it (None, int, tuple, negative) as a sorted tuple of axes.

    >>> normalize_axes(-1, 3), normalize_axes(None, 2)
    ((2,), (0, 1))
    """
    if type(axis) is int and 0 <= axis < ndim:
        return (axis,)
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    normalized = []
    for a in axes:
        a = int(a)
        if not -ndim <= a < ndim:
            raise ShapeError(f"axis {a} is out of bounds for an array with {ndim} axes")
        normalized.append(a % ndim)
    if len(set(normalized)) != len(normalized):
        raise ShapeError(f"axis {axis} repeats an axis")
    return tuple(sorted(normalized))


def str_shape(shape: Shape) -> str:
    """A shape as NumPy prints it, sizes by their number in the trace.

    >>> str_shape((128,)), str_shape((3, 4))
    ('(128,)', '(3, 4)')
    """
    inner = ", ".join(str(hint_of(dim)) for dim in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
