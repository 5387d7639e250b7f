"""A derivation as data: the lines of forward and backward pass with their numbers, and how to look them up.

The one idea: what every level reads stands here, and nothing of how it is shown.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graphs import Graph
from chainrule.matrix_form import Call
from chainrule.show.document import Facts
from chainrule.show.lines import names_in
from chainrule.show.writing import Statement


@dataclass(frozen=True)
class FoldedCall:
    """A call of a function of `cr.nn` and the lines that it stands for."""

    form: Call
    output: str
    names: frozenset[str]


@dataclass(frozen=True)
class Derived:
    """A loss and its backward pass, line by line.

    Attributes
    ----------
    function : str
        The function's name.
    loss : str
        The name of what is differentiated.
    forward, stated, raw, graph : Graph
        As traced; as it is derived, without shifts that cancel; with the backward pass as derived; simplified.
    statements : tuple of Statement
        The lines that are shown, of `graph`.
    wrt : tuple of str
        The names of what was differentiated by.
    values : mapping
        The value of each line and argument, at the arguments that were given.
    everything : sequence
        The value of each variable of `graph`, by number.
    facts : mapping of str to Facts
        What is known of each name: its role, its layer, its shape.
    calls : tuple of FoldedCall
        Functions of `cr.nn` that were called, and the lines that they stand for.
    notes : tuple of str
        On what the derivation rests: sizes and branches that are not general.
    """

    function: str
    loss: str
    forward: Graph
    stated: Graph
    raw: Graph
    graph: Graph
    statements: tuple[Statement, ...]
    wrt: tuple[str, ...]
    gradients: Mapping[str, str]
    values: Mapping[str, Any]
    everything: Sequence[Any]
    facts: Mapping[str, Facts]
    calls: tuple[FoldedCall, ...] = ()
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def by_name(self) -> dict[str, Statement]:
        """The lines by the names on their left."""
        return {statement.name: statement for statement in self.statements}

    @property
    def forward_lines(self) -> list[Statement]:
        """The lines of the forward pass, in order."""
        return [s for s in self.statements if not s.derived]

    @property
    def backward_lines(self) -> list[Statement]:
        """The lines of the backward pass, in order."""
        return [s for s in self.statements if s.derived]

    def needed_for(self, name: str) -> list[Statement]:
        """The backward lines that a gradient is made of, itself last."""
        needed, todo = set(), [name]
        while todo:
            current = todo.pop()
            if current in needed or current not in self.by_name:
                continue
            needed.add(current)
            todo += names_in(self.by_name[current].form, self.by_name[current].simpler)
        return [s for s in self.backward_lines if s.name in needed]

    @functools.cached_property
    def sizes(self) -> dict[str, int]:
        """The named sizes at the arguments that were given: {"N": 4}."""
        found = {}
        for name, facts in self.facts.items():
            parts = [part.strip() for part in facts.shape.strip("()").split(",") if part.strip()]
            for part, size in zip(parts, np.shape(self.values[name]) if name in self.values else (), strict=False):
                if part.isidentifier():
                    found[part] = int(size)
        return found
