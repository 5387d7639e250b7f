"""A mistake as data: which numbers of the backward pass it replaces, by what, and what it is called.

The one idea: generators (`cotangents.py`, `products.py`, `slopes.py`, ...) only propose; whether a mistake was made is
decided by the numbers alone, in `search.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.diagnosis.factors import Counts, Factor
from chainrule.diagnosis.links import Link, links_of
from chainrule.diagnosis.sheet import Override, Overrides, Run, Sheet, Site


@dataclass(frozen=True)
class Mutation:
    """One mistake that somebody may have made.

    Attributes
    ----------
    word : str
        Its word of the vocabulary.
    site : Site
        Where: a variable's cotangent, or the contribution of one use to it.
    override : callable
        What was written there instead of the right number.
    says : str
        The mistake in words, to follow "dZ2: ".
    also : tuple of str
        Other words for the same arithmetic.
    rank : int
        How far-fetched it is; of two that explain the same, the lower one is meant.
    scaled : {"no", "named", "any"}
        Whether a factor may come with it: none, one that can be named, or any.
    rest : callable, optional
        What stands at the site when the factor is 0; nothing, unless it is said here.
    kind : str
        The same for the same mistake in another layer: who makes it once in a loop makes it everywhere.
    more : tuple of (Site, callable)
        The other places of such a mistake.
    values : mapping of int to ndarray, optional
        Forward values that the backward pass took instead of those of the forward pass.
    only_called : bool
        Whether it may be claimed only of a backward pass that was called again at other arguments.
    """

    word: str
    site: Site
    override: Override
    says: str
    also: tuple[str, ...] = ()
    rank: int = 0
    scaled: str = "named"
    partner: str = ""  # the other array that was used, if that is the mistake
    rest: Override | None = None
    kind: str = ""
    more: tuple[tuple[Site, Override], ...] = ()
    values: Mapping[int, Any] | None = None
    only_called: bool = False
    factor: float = 1.0
    apart: bool = False  # whether it is made in the formula of one cotangent alone
    origin: Mutation | None = None  # what it was before a factor was found for it

    @property
    def key(self) -> tuple:
        """The same for the same mistake at other arguments."""
        return self.word, self.site, self.says, tuple(site for site, _ in self.more)

    def overrides(self) -> dict[Site, tuple[Override, ...]]:
        """The mistake alone, as a sheet takes it."""
        if self.values is not None:
            return {site: (override,) for site, override in self.more}
        return {self.site: (self.override,), **{site: (override,) for site, override in self.more}}

    def times(self, factor: Factor) -> Mutation:
        """The same mistake with a factor on top of it."""
        inner, rest, k = self.override, self.rest, factor.value
        word = f"{self.word}+{factor.word}" if self.word else factor.word
        says = f"{self.says}; and {factor.reads}" if self.says else factor.reads
        if rest is not None:
            return replace(
                self,
                override=lambda bar, run: rest(bar, run) + k * (inner(bar, run) - rest(bar, run)),
                factor=k,
                origin=self.origin or self,
            )
        return replace(
            self,
            word=word,
            says=says,
            override=lambda bar, run: k * inner(bar, run),
            rank=self.rank + (0 if not self.word else 20) + (0 if factor.plain else 5),
            scaled="no",
            factor=k,
            origin=self.origin or self,
        )

    def removed(self) -> Mutation:
        """The same place as it is when the factor is 0: what the rest contributes."""
        return replace(self, override=self.rest or (lambda bar, run: 0 * np.asarray(bar)))

    def everywhere(self, others: list[Mutation]) -> Mutation:
        """The same mistake at several places at once."""
        more = tuple((other.site, other.override) for other in others)
        return replace(self, more=more, rank=self.rank + 1, scaled="no", says=f"{self.says}, and so in each step")


def combined(accepted: Overrides, mutation: Mutation) -> dict[Site, tuple[Override, ...]]:
    """The mistakes found so far, and one more."""
    result = {site: tuple(functions) for site, functions in accepted.items()}
    for site, functions in mutation.overrides().items():
        result[site] = (*result.get(site, ()), *functions)
    return result


@dataclass
class Scene:
    """All that generators may look at.

    Attributes
    ----------
    sheet : Sheet
    counts : Counts
    inputs : dict of str to ndarray
        What else the backward pass can see, by name: labels, masks, arrays it captured.
    links : list of Link
    targets : list of Target
        The user's numbers.
    wrt_order : list of int
        The inputs whose gradients are asked for, in the order in which they were.
    """

    sheet: Sheet
    counts: Counts
    inputs: dict[str, Any]
    links: list[Link] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    wrt_order: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.links = links_of(self.sheet)

    @cached_property
    def exact(self) -> Run:
        """The right backward pass."""
        return self.sheet.run()

    def name(self, number: int) -> str:
        """What a variable is called in a report."""
        variable = self.sheet.graph.variables[number]
        if variable.name and (variable.depth == 0 or number not in self.sheet.maker):
            return variable.name
        i = self.sheet.maker.get(number)
        if i is None:
            return variable.name or self._name_of_constant(number)
        equation = self.sheet.graph.equations[i]
        if equation.primitive.name in ("broadcast_to", "convert", "reshape", "expand_dims", "squeeze"):
            return self.name(equation.inputs[0]) if type(equation.inputs[0]) is int else "a number"
        if variable.name:
            return variable.name
        parts = [self.name(o) if type(o) is int else f"{o.value:g}" for o in equation.inputs[:3]]  # type: ignore[union-attr]
        sign = _OPERATORS.get(equation.primitive.name)
        if sign and len(parts) == 2:
            return f"({parts[0]} {sign} {parts[1]})"
        return f"{equation.primitive.name}({', '.join(parts)})"

    def _name_of_constant(self, number: int) -> str:
        """The name under which the function was given an array, or how it begins."""
        value = np.asarray(self.sheet.values[number])
        for name, other in self.inputs.items():
            if np.array_equal(value, other):
                return name
        return f"an array of shape {value.shape}"

    def bar_name(self, number: int) -> str:
        """What its cotangent is called: dW1, or d(...) of an expression."""
        name = self.name(number)
        return f"d{name}" if name.isidentifier() else f"d[{name[1:-1] if _is_bracketed(name) else name}]"

    def shown(self, number: int) -> int:
        """The first number that a person has a name for, of those that a cotangent flows into; itself if it has one."""
        if self.is_users(number) or number in self.sheet.graph.inputs:
            return number
        for other in self.sheet.order:
            made = other in self.sheet.maker
            if made and other != number and self.sheet.reaches(number, other) and self.is_users(other):
                return other
        return number

    def where(self, number: int) -> str:
        """The user's line that makes a variable."""
        i = self.sheet.maker.get(number)
        origin = self.sheet.graph.equations[i].origin if i is not None else None
        return str(origin) if origin is not None else ""

    def is_users(self, number: int) -> bool:
        """Whether the user has a name for a variable."""
        variable = self.sheet.graph.variables[number]
        return variable.name is not None and variable.depth == 0

    def like(self, number: int) -> Iterator[tuple[str, Any, int]]:
        """Other values of the shape of a variable, by name: what may have been taken in its place."""
        sheet, value = self.sheet, self.sheet.values[number]
        for other, candidate in enumerate(sheet.values):
            if other == number or np.shape(candidate) != np.shape(value) or candidate is None:
                continue
            if other not in sheet.varying or getattr(candidate, "dtype", None) is None:
                continue
            if candidate.dtype.kind == "f" and not np.array_equal(candidate, value):
                yield self.name(other), candidate, other


def _is_bracketed(name: str) -> bool:
    """Whether the first bracket closes at the end."""
    depth = 0
    for place, letter in enumerate(name):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return place == len(name) - 1 and place > 0
    return False


_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**"}
Proposals = Iterator[Mutation]
