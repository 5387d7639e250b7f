"""What holds for every formula of entries: its letters, one letter put for another, and when two formulas are the same.

The one idea: a letter under a sum is bound there, so `sum_k x[i,k]` and `sum_l x[i,l]` are one formula (`same_form`), and
what is put for a free letter never falls under a sum that binds it.

This file rewrites nothing; `contracting.py` does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chainrule.index_form import (
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
    Place,
    Plus,
    Position,
    Raised,
    Times,
    Total,
    combined,
)

Binder = (Total, Largest)


def rebuilt(form: Any, on_form: Callable[[Any], Any], on_position: Callable[[Any], Any]) -> IndexForm:
    """The same node with its parts and positions replaced; sums keep their letters."""
    kind = type(form)
    if kind is Entry:
        return Entry(form.array, tuple(map(on_position, form.at))) if form.at else form
    if kind is Delta:
        return Delta(on_position(form.left), on_position(form.right))
    if kind is Counted:
        return Counted(on_position(form.position))
    if kind is Inside:
        return Inside(on_position(form.position), form.size)
    if kind is Plus:
        return Plus(tuple(map(on_form, form.terms)))
    if kind is Times:
        return Times(tuple(map(on_form, form.factors)))
    if kind is Raised:
        return Raised(on_form(form.base), on_form(form.exponent))
    if kind is Of:
        return Of(form.function, tuple(map(on_form, form.arguments)), form.tie)
    if kind is Holds:
        return Holds(form.relation, on_form(form.left), on_form(form.right))
    if kind is Total:
        return Total(form.over, on_form(form.body))
    if kind is Largest:
        return Largest(form.over, on_form(form.body), form.smallest)
    if kind is Cases:
        return Cases(on_form(form.condition), on_form(form.then), on_form(form.otherwise))
    return form


def parts_of(form: Any) -> tuple[IndexForm, ...]:
    """The formulas that a node is made of."""
    kind = type(form)
    if kind is Plus:
        return form.terms
    if kind is Times:
        return form.factors
    if kind is Raised:
        return (form.base, form.exponent)
    if kind is Of:
        return form.arguments
    if kind is Holds:
        return (form.left, form.right)
    if kind in Binder:
        return (form.body,)
    if kind is Cases:
        return (form.condition, form.then, form.otherwise)
    return ()


def walk(form: Any) -> Iterator[Any]:
    """Every node."""
    yield form
    for part in parts_of(form):
        yield from walk(part)


def positions_of(form: Any) -> tuple[Position, ...]:
    """The positions that a node itself names."""
    kind = type(form)
    if kind is Entry:
        return form.at
    if kind is Delta:
        return (form.left, form.right)
    return (form.position,) if kind is Counted or kind is Inside else ()


def indices_in(position: Position) -> Iterator[Index]:
    """The indices that a position depends on."""
    if isinstance(position, Index):
        yield position
    elif isinstance(position, Place):
        for _, index in position.parts:
            yield index
    elif isinstance(position, Entry):
        for inner in position.at:
            yield from indices_in(inner)


@functools.lru_cache(maxsize=20_000)
def free_letters(form: Any) -> frozenset[str]:
    """The letters that no sum inside binds."""
    found = {index.letter for position in positions_of(form) for index in indices_in(position)}
    for part in parts_of(form):
        found |= free_letters(part)
    if type(form) in Binder:
        found -= {index.letter for index in form.over}
    return frozenset(found)


def all_indices(form: Any) -> dict[Index, None]:
    """Every index in the order met, bound ones too; sums side by side may bind one letter for different sizes."""
    found: dict[Index, None] = {}
    for node in walk(form):
        if type(node) in Binder:
            found.update(dict.fromkeys(node.over))
        for position in positions_of(node):
            found.update(dict.fromkeys(indices_in(position)))
    return found


def move_position(position: Position, by: Mapping[str, Position]) -> Position:
    """A position with letters replaced; raises ValueError where a label would have to be moved."""
    if isinstance(position, Index):
        return by.get(position.letter, position)
    if isinstance(position, Place):
        if not any(index.letter in by for _, index in position.parts):
            return position
        return combined(tuple((f, by.get(i.letter, i)) for f, i in position.parts), position.offset)
    if isinstance(position, Entry):
        return Entry(position.array, tuple(move_position(inner, by) for inner in position.at))
    return position


def replace_letters(form: Any, by: Mapping[str, Position]) -> IndexForm:
    """The formula with positions put for letters.

    A letter that a sum binds is replaced only if it falls into indices (a merged axis), and then the sum runs over these.
    """
    if type(form) in Binder:
        over: list[Index] = []
        for index in form.over:
            new = by.get(index.letter, index)
            over += indices_in(new)
        form = type(form)(tuple(over), *_rest_of(form))
    return rebuilt(form, lambda part: replace_letters(part, by), lambda position: move_position(position, by))


def _rest_of(form: Any) -> tuple:
    return (form.body, form.smallest) if type(form) is Largest else (form.body,)


def substitute(form: Any, by: Mapping[str, Position]) -> IndexForm:
    """The formula with positions put for its free letters; sums inside that bind such a letter get another one."""
    free = free_letters(form)
    by = {letter: position for letter, position in by.items() if letter in free}
    if not by:
        return form
    if type(form) in Binder:
        incoming = {index.letter for position in by.values() for index in indices_in(position)}
        clash = {index.letter for index in form.over} & incoming
        if clash:
            form = rename_bound(form, clash, incoming | free | set(by))
    return rebuilt(form, lambda part: substitute(part, by), lambda position: move_position(position, by))


def rename_bound(form: Any, letters: set[str], avoid: set[str]) -> Any:
    """A sum with other letters for some of its own."""
    new: dict[str, Position] = {}
    taken = avoid | {index.letter for index in (*form.over, *all_indices(form.body))}
    for index in form.over:
        if index.letter in letters:
            number = 1
            while (letter := f"{index.letter}{number}") in taken:
                number += 1
            taken.add(letter)
            new[index.letter] = Index(letter, index.size)
    over = tuple(new.get(index.letter, index) for index in form.over)
    body = substitute(form.body, new)
    return Largest(over, body, form.smallest) if type(form) is Largest else Total(over, body)


@functools.lru_cache(maxsize=20_000)
def key_of(form: IndexForm) -> Any:
    """A value that is the same for formulas that differ in bound letters and the order of terms and factors only."""
    return _key(form, {})


def same_form(left: IndexForm, right: IndexForm) -> bool:
    """Whether two formulas are the same but for bound letters and order."""
    return left == right or key_of(left) == key_of(right)


def _key(form: Any, bound: dict[str, int]) -> Any:
    kind = type(form)
    if kind in Binder:
        inner = dict(bound)
        for index in form.over:
            inner[index.letter] = len(inner)
        sizes = tuple(index.size for index in form.over)
        smallest = getattr(form, "smallest", None)
        return (kind, sizes, smallest, _key(form.body, inner))
    if kind is Plus or kind is Times:
        counts: dict[Any, int] = {}
        for part in parts_of(form):
            part_key = _key(part, bound)
            counts[part_key] = counts.get(part_key, 0) + 1
        return (kind, frozenset(counts.items()))
    if kind is Entry:
        return (form.array, *(_position_key(p, bound) for p in form.at))
    if kind is Delta:
        sides = (_position_key(form.left, bound), _position_key(form.right, bound))
        return (kind, frozenset(sides))
    own = tuple(_position_key(p, bound) for p in positions_of(form))
    facts = tuple(
        getattr(form, name) for name in ("value", "name", "function", "tie", "relation", "size") if hasattr(form, name)
    )
    return (kind, facts, own, tuple(_key(part, bound) for part in parts_of(form)))


def _position_key(position: Position, bound: dict[str, int]) -> Any:
    if isinstance(position, Index):
        return bound.get(position.letter, position.letter)
    if isinstance(position, Place):
        return (frozenset((f, bound.get(i.letter, i.letter)) for f, i in position.parts), position.offset)
    if isinstance(position, Entry):
        return (position.array, *(_position_key(inner, bound) for inner in position.at))
    return ("at", position)
