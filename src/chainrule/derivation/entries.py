"""One entry of a statement's result as a formula: the index forms of its primitives, one put into the other.

The one idea: `z = x @ w + b` is three equations of which only z has a name. Asked for `z[i,j]`, each primitive asks its
operands for their entries, down to what is shown as a symbol:

    z[i,j] = sum_k x[i,k] w[k,j] + b[j]

A merged axis (a reshape to rows) is told by the letters of the axes that it was made of: position `4 c + h` of it. What
has no index form, or is too long to read, raises `InexpressibleError`; nothing here is an approximation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.derivation.index_algebra import parts_of, replace_letters
from chainrule.graphs import Equation, Graph, Literal, Operand
from chainrule.index_form import (
    Counted,
    Delta,
    Entry,
    Index,
    IndexForm,
    Place,
    Plus,
    Position,
    SizeOf,
    Times,
    combined,
    number,
)
from chainrule.shapes import SizeExpr, hint_of

LONGEST = 150  # entries, functions and signs in one formula: beyond that nobody reads it
MOST_LETTERS = 40  # NumPy's arrays have 64 axes at most, and each letter is one where a formula is evaluated
FORWARD_LETTERS = "ijklmnabcghoef"
BY_LETTERS = "pqrstuvwyz"


class InexpressibleError(ValueError):
    """A statement has no formula for its entries; the message says why."""


@dataclass
class Letters:
    """A supply of letters, and what a primitive may ask about sizes.

    Attributes
    ----------
    graph : Graph
        Spells its sizes.
    taken : set of str
        Letters that are not given out.
    fixed : bool
        Whether a number in the formula was a size: then it holds for these sizes alone.
    """

    graph: Graph
    taken: set[str] = field(default_factory=set)
    fixed: bool = False
    given: int = 0
    splits: dict[Index, tuple[Index, ...]] = field(default_factory=dict)
    replaced: dict[str, Position] = field(default_factory=dict)
    known: dict[str | int, SizeExpr] = field(default_factory=dict)  # each size that is not a number, as it is shown
    spelled: set[int] = field(default_factory=set)  # numbers that sizes without a name are shown by

    def new(self, size: str | int, order: str = FORWARD_LETTERS) -> Any:
        """A letter that nobody has; on an axis of size 1, its one position."""
        if size == 1:
            return 0
        self.given += 1
        if self.given > MOST_LETTERS:
            raise InexpressibleError("the formula would need too many letters")
        for letter in _alphabet(order):
            if letter not in self.taken:
                self.taken.add(letter)
                return Index(letter, size)
        raise AssertionError("the supply is endless")

    def size(self, dim: Any) -> str | int:
        """How a size is shown: its name, or its number."""
        if isinstance(dim, str):
            return dim
        size = shown_size(self.graph, dim)
        if isinstance(dim, SizeExpr):
            self.known[size] = dim
            if isinstance(size, int):
                self.spelled.add(size)
        return size

    def size_form(self, dim: Any) -> IndexForm:
        """A size as a formula: `2 N` is a number times a size."""
        dim = dim.scope.resolve(dim) if isinstance(dim, SizeExpr) else dim
        if not isinstance(dim, SizeExpr):
            return number(dim)
        terms = []
        for monomial, coefficient in dim.terms:
            sizes = [SizeExpr(dim.scope, ((((atom, 1),), 1),)) for atom, power in monomial for _ in range(power)]
            terms.append(Times((number(coefficient), *(SizeOf(self.size(size)) for size in sizes))))
        return terms[0] if len(terms) == 1 else Plus(tuple(terms))

    def number(self, dim: Any) -> int:
        """A size as a number that stands in the formula."""
        size = self.size(dim)
        if isinstance(size, str):
            raise InexpressibleError(f"the size {size} would be a number in a formula")
        self.fixed = self.fixed or isinstance(dim, SizeExpr) or size in self.spelled
        return size

    def constant(self, value: Any) -> IndexForm:
        """A number in a formula."""
        if isinstance(value, SizeExpr):
            return self.size_form(value)
        if isinstance(value, str) or np.ndim(value):
            raise InexpressibleError("an array is not a number")
        return number(value.item() if isinstance(value, np.generic) else value)

    def count(self, sizes: Sequence[str | int]) -> int:
        """How many entries axes of these sizes have."""
        return math.prod(size if isinstance(size, int) else self._hint(size) for size in sizes)

    def same_count(self, left: Sequence[str | int], right: Sequence[str | int]) -> bool:
        """Whether axes of these sizes have as many entries."""
        return list(left) == list(right) or (bool(left and right) and self.count(left) == self.count(right))

    def _hint(self, name: str) -> int:
        hints = self.__dict__.setdefault("_hints", {})
        if name not in hints:
            for variable in self.graph.variables:
                for dim in variable.shape:
                    hints.setdefault(self.size(dim), hint_of(dim))
        return hints[name]

    def joined(self, positions: Sequence[Position], sizes: Sequence[str | int]) -> Position:
        """The position on a long axis that is split into axes of these sizes."""
        return combined(tuple(zip(self._strides(sizes), positions, strict=True)))

    def _strides(self, sizes: Sequence[str | int]) -> list[int]:
        strides = [1]
        for size in reversed(sizes[1:]):
            strides.append(strides[-1] * self.number(size))
        return strides[::-1]

    def split(self, position: Position, sizes: Sequence[str | int]) -> tuple[Position | None, ...]:
        """The positions on axes of these sizes that were merged into one; an index falls into new letters."""
        if len(sizes) == 1:
            return (position,)
        strides = self._strides(sizes)
        if isinstance(position, int):
            return tuple(
                position // stride % size for stride, size in zip(strides, map(self.number, sizes), strict=True)
            )
        if isinstance(position, Index):
            parts = self.splits.get(position)
            if parts is None:
                parts = self.splits[position] = tuple(map(self.new, sizes))
                self.replaced[position.letter] = combined(tuple(zip(strides, parts, strict=True)))
            return parts if tuple(part.size for part in parts) == tuple(sizes) else (None,) * len(sizes)
        if isinstance(position, Place) and position.offset == 0:
            found = dict(position.parts)
            if list(found) == strides and [index.size for index in found.values()] == list(sizes):
                return tuple(found.values())
        return (None,) * len(sizes)


def shown_size(graph: Graph, dim: Any) -> str | int:
    """How a size is shown: by the names in it, or as the number that it had in the trace."""
    text = graph.spell_dim(dim)
    return text if any(character.isalpha() for character in text) else hint_of(dim)


def _alphabet(order: str):
    yield from order
    round_ = 1
    while True:
        yield from (f"{letter}{round_}" for letter in order)
        round_ += 1


class Operands:
    """An operand as its primitive's index form sees it: sizes, dtype, and an entry for positions."""

    __slots__ = ("dtype", "entry", "sizes")

    def __init__(self, sizes: tuple, dtype: np.dtype, entry: Callable[..., IndexForm]):
        self.sizes, self.dtype, self.entry = sizes, dtype, entry

    def __call__(self, *at: Position) -> IndexForm:
        """The entry at these positions; a number has none, wherever it is met."""
        return self.entry(tuple(at) if self.sizes else ())


@dataclass(frozen=True)
class Formula:
    """`left = right` for one entry, with the axes of `left` (0 on an axis of size 1) and what gave its letters."""

    left: Entry
    right: IndexForm
    at: tuple[Position, ...]
    letters: Letters


def entry_formula(
    graph: Graph,
    output: int,
    stop: frozenset[int],
    *,
    names: Mapping[int, str],
    producers: Mapping[int, Equation] | None = None,
    params_of: Callable[[Equation], tuple] = lambda equation: equation.params,
    taken: Iterable[str] = (),
) -> Formula:
    """One entry of a variable, from the entries of the variables that are shown as symbols.

    Parameters
    ----------
    graph : Graph
    output : int
        The variable.
    stop : frozenset of int
        Variables that are symbols; inputs and constants are, too.
    names : mapping of int to str
        How symbols are called; else as in the graph's text form.
    producers : mapping, optional
        `graph.producers()`, where it is at hand.
    params_of : callable
        The parameters of an equation.
    taken : iterable of str
        Letters that are not used as indices: names of one letter.

    Raises
    ------
    InexpressibleError
        If a primitive on the way has no index form, or the formula would be too long.
    """
    composer = _Composer(graph, output, stop, names, graph.producers() if producers is None else producers, params_of)
    composer.letters.taken |= set(taken)
    return composer.formula()


class _Composer:
    def __init__(self, graph, output, stop, names, producers, params_of):
        self.graph, self.output, self.stop, self.names = graph, output, stop, names
        self.producers, self.params_of = producers, params_of
        self.letters = Letters(graph)
        self.forms: dict[tuple, IndexForm] = {}
        self.lengths: dict[int, tuple[IndexForm, int]] = {}  # by identity: parts are shared, and a tree may be huge

    def name(self, number: int) -> str:
        return self.names.get(number) or self.graph.label(number)

    def formula(self) -> Formula:
        variable = self.graph.variables[self.output]
        sizes = tuple(map(self.letters.size, variable.shape))
        try:
            at = tuple(map(self.letters.new, sizes))
            right = self._made(self.output, at)
        except ValueError as error:
            raise InexpressibleError(str(error)) from None
        if self.letters.replaced:
            right = replace_letters(right, self.letters.replaced)
            at = tuple(self.letters.replaced.get(p.letter, p) if isinstance(p, Index) else p for p in at)
        return Formula(_entry(self.name(self.output), at, sizes), right, at, self.letters)

    def _operand(self, operand: Operand) -> Operands:
        if isinstance(operand, Literal):
            value = self.letters.constant(operand.value)
            return Operands((), operand.dtype, lambda at: value)
        variable = self.graph.variables[operand]
        sizes = tuple(map(self.letters.size, variable.shape))
        return Operands(sizes, variable.dtype, lambda at: self._at(operand, at, sizes))

    def _at(self, number: int, at: tuple, sizes: tuple) -> IndexForm:
        if number in self.stop or number not in self.producers:
            return self._symbol(number, at, sizes)
        return self._made(number, at)

    def _symbol(self, number: int, at: tuple, sizes: tuple) -> IndexForm:
        constant = self.graph.constants.get(number) if number not in self.names else None
        if constant is not None and np.size(constant):
            values = np.asarray(constant)
            if values.ndim == 1 and values.dtype.kind in "iu" and np.array_equal(values, np.arange(values.size)):
                return Counted(at[0])
            if (
                values.ndim == 2
                and len(at) == 2
                and sizes[0] == sizes[1]
                and np.array_equal(values, np.eye(len(values)))
            ):
                return Delta(*at)
            if np.all(values == values.flat[0]):
                return self.letters.constant(values.flat[0])
        return _entry(self.name(number), at, sizes)

    def _made(self, number: int, at: tuple) -> IndexForm:
        key = (number, at)
        if key not in self.forms:
            equation = self.producers.get(number)
            if equation is None or equation.primitive.index_form is None:
                what = "an argument" if equation is None else equation.primitive.name
                raise InexpressibleError(f"{what} has no formula for its entries")
            operands = tuple(map(self._operand, equation.inputs))
            form = equation.primitive.index_form(operands, at, self.letters, *self.params_of(equation))
            if form is None:
                raise InexpressibleError(f"this {equation.primitive.name} has no formula for its entries")
            if self._length(form) > LONGEST:
                raise InexpressibleError("the formula would be too long")
            self.forms[key] = form
        return self.forms[key]

    def _length(self, form: IndexForm) -> int:
        if id(form) not in self.lengths:
            self.lengths[id(form)] = form, 1 + sum(map(self._length, parts_of(form)))
        return self.lengths[id(form)][1]


def _entry(name: str, at: Sequence[Position], sizes: Sequence[str | int]) -> Entry:
    """An entry; an axis of size 1 has no index."""
    return Entry(name, tuple(position for position, size in zip(at, sizes, strict=True) if size != 1))
