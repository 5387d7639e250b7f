"""Formulas for single entries, as data: `z[i,j] = sum_k x[i,k] w[k,j] + b[j]`.

The one idea: an entry-wise formula is a tree of a few kinds of nodes. A primitive states its forward in it; the calculus in
`derivation/indices.py` differentiates, contracts and recognises; `show` prints. Nothing here computes.

    Entry("z", (i, j))                                     z[i,j]
    Total((k,), Times((Entry("x", (i, k)), Entry("w", (k, j)))))      sum_k x[i,k] w[k,j]

An index has a letter and the size of what it runs over; the same letter is the same index. `Place` is an index moved by
others, as in a convolution: `x[n, p + u]`. An entry of whole numbers can be a position, too: `p[i, y[i]]`. Positions count
from 0, as in the program; an axis of size 1 has no position. `index_form(entries, at, letters, *params)` of a primitive
gives its output's entry at the positions `at`: `entries[0](*positions)` is an entry of the first operand, `letters.new(size)`
a letter that nobody has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Index:
    """A letter and the size that it runs over: a number, or the name of a size such as "N"."""

    letter: str
    size: str | int


@dataclass(frozen=True, slots=True)
class Place:
    """A sum of indices with whole coefficients, and an offset: `2 p + u - 1`."""

    parts: tuple[tuple[int, Index], ...]
    offset: int = 0


Position: TypeAlias = "Index | Place | int | Entry"  # an Entry of whole numbers: a label


class IndexForm:
    """What every node is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Value(IndexForm):
    """A number that is written out."""

    value: Fraction | float


@dataclass(frozen=True, slots=True)
class SizeOf(IndexForm):
    """A size as a number: N."""

    name: str | int


@dataclass(frozen=True, slots=True)
class Entry(IndexForm):
    """One entry of an array, by its name: `w[k,j]`; without positions, a scalar."""

    array: str
    at: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta(IndexForm):
    """Kronecker's delta: 1 where both are equal, else 0."""

    left: Position
    right: Position


@dataclass(frozen=True, slots=True)
class Plus(IndexForm):
    """A sum of terms."""

    terms: tuple[IndexForm, ...]


@dataclass(frozen=True, slots=True)
class Times(IndexForm):
    """A product of factors."""

    factors: tuple[IndexForm, ...]


@dataclass(frozen=True, slots=True)
class Raised(IndexForm):
    """A power; exponent -1 is a denominator."""

    base: IndexForm
    exponent: IndexForm


@dataclass(frozen=True, slots=True)
class Of(IndexForm):
    """A function of one or more numbers, by its name: exp, log, sqrt, tanh, sigmoid, max, min, clip, abs, sign, ...

    `held` is its argument, taken as a constant. `tie` is the share that each of two equal arguments of max and min gets.
    """

    function: str
    arguments: tuple[IndexForm, ...]
    tie: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Holds(IndexForm):
    """An indicator: 1 where `left relation right` holds, else 0; the relation is one of > >= < <= == !=."""

    relation: str
    left: IndexForm
    right: IndexForm


@dataclass(frozen=True, slots=True)
class Total(IndexForm):
    """A sum over indices: sum_{k} ..."""

    over: tuple[Index, ...]
    body: IndexForm


@dataclass(frozen=True, slots=True)
class Largest(IndexForm):
    """The largest (or smallest) over indices."""

    over: tuple[Index, ...]
    body: IndexForm
    smallest: bool = False


@dataclass(frozen=True, slots=True)
class Counted(IndexForm):
    """A position as a number: an entry of arange."""

    position: Position


@dataclass(frozen=True, slots=True)
class Inside(IndexForm):
    """An indicator: 1 where the position exists, `0 <= position < size`; what it multiplies is 0 outside."""

    position: Position
    size: str | int


@dataclass(frozen=True, slots=True)
class Cases(IndexForm):
    """`then` where the condition (an indicator) is 1, else `otherwise`."""

    condition: IndexForm
    then: IndexForm
    otherwise: IndexForm


@dataclass(frozen=True, slots=True)
class Dots(IndexForm):
    """The terms of a sum that are left out: x1 + x2 + ... + xN."""


ZERO, ONE, MINUS_ONE = Value(Fraction(0)), Value(Fraction(1)), Value(Fraction(-1))


def number(value: float) -> Value:
    """A number as it is written: 2, 1/2, 0.1."""
    exact = Fraction(value) if math.isfinite(value) else None
    return Value(exact) if exact is not None and exact.denominator <= 64 else Value(float(value))


def negative(body: IndexForm) -> IndexForm:
    """Minus something."""
    return Times((MINUS_ONE, body))


def over(above: IndexForm, below: IndexForm) -> IndexForm:
    """A quotient."""
    return Times((above, Raised(below, MINUS_ONE)))


def moved(position: Position, step: int = 1, offset: int = 0) -> Position:
    """`step * position + offset`; an entry of whole numbers cannot be moved (ValueError).

    >>> moved(Index("p", 5), offset=1)
    Place(parts=((1, Index(letter='p', size=5)),), offset=1)
    """
    return combined(((step, position),), offset)


def combined(parts: tuple[tuple[int, Position], ...], offset: int = 0) -> Position:
    """The sum of positions with whole coefficients, as plain as it can be: a number, an index, else a place."""
    total: dict[Index, int] = {}
    for factor, position in parts:
        if isinstance(position, int):
            offset += factor * position
        elif isinstance(position, Index):
            total[position] = total.get(position, 0) + factor
        elif isinstance(position, Place):
            offset += factor * position.offset
            for inner, index in position.parts:
                total[index] = total.get(index, 0) + factor * inner
        elif len(parts) == 1 and factor == 1 and offset == 0:
            return position
        else:
            raise ValueError("an entry of whole numbers cannot be moved")
    kept = tuple((factor, index) for index, factor in total.items() if factor)
    if not kept:
        return offset
    if len(kept) == 1 and kept[0][0] == 1 and offset == 0:
        return kept[0][1]
    return Place(kept, offset)


def entrywise(build: Callable[..., IndexForm]) -> Callable[..., IndexForm]:
    """The index form of an elementwise primitive, from a function of its operands' entries and its parameters."""

    def index_form(entries, at, letters, *params):
        return build(*[entry(*at) for entry in entries], *params)

    return index_form


def function(name: str) -> Callable[..., IndexForm]:
    """A builder for `entrywise`: the function of that name."""
    return lambda *arguments: Of(name, arguments)
