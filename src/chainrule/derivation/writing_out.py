"""One entry of a formula written out, and letters that read well.

    dw[p,q] = sum_i x[i,p] dz[i,q]        dw[1,2] = x[1,1] dz[1,2] + x[2,1] dz[2,2] + x[3,1] dz[3,2]

Here, and only here, positions count from 1, as on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.derivation.contracting import simplify
from chainrule.derivation.index_algebra import (
    Binder,
    all_indices,
    free_letters,
    indices_in,
    parts_of,
    positions_of,
    rebuilt,
    substitute,
    walk,
)
from chainrule.index_form import (
    ZERO,
    Counted,
    Dots,
    Entry,
    Index,
    IndexForm,
    Place,
    Plus,
    Position,
    Times,
    Total,
    combined,
    number,
)

WRITTEN = 5  # terms up to which a sum is written in full


def from_one(form: Any) -> Any:
    """The formula with positions that count from 1."""
    if type(form) is Counted:  # a number, not a place: it stays what it is
        if isinstance(form.position, int):
            return number(form.position)
        return Plus((Counted(_from_one(form.position)), number(-1)))
    return rebuilt(form, from_one, _from_one)


def _from_one(position: Position) -> Position:
    if isinstance(position, int):
        return position + 1
    if isinstance(position, Place):
        steps = sum(step for step, index in position.parts if index.letter != index.size)  # a size is no position
        return combined(tuple(position.parts), position.offset + 1 - steps)
    return Entry(position.array, tuple(map(_from_one, position.at))) if isinstance(position, Entry) else position


def first_entry(form: IndexForm, left: Entry) -> tuple[Entry, IndexForm]:
    """`left = form` for one entry: in row 1 and column 2 where there is one, its sum written out.

    Parameters
    ----------
    form : IndexForm
        With the letters of `left`.
    left : Entry

    Returns
    -------
    Entry, IndexForm
        Positions count from 1. Of a long sum the first two terms and the last one stand, the rest is `Dots`.
    """
    chosen: dict[str, Position] = {}
    letters = [index for position in left.at for index in indices_in(position)]
    for place, index in enumerate(letters):
        last = index.size - 1 if isinstance(index.size, int) else place
        chosen[index.letter] = min(place if len(letters) <= 2 else 0, last)
    single: Any = from_one(substitute(left, chosen))
    return single, from_one(_written_out(simplify(substitute(form, chosen))))


def _written_out(form: Any) -> IndexForm:
    if type(form) is Plus:
        return Plus(tuple(map(_written_out, form.terms)))
    if type(form) is Times:
        return Times(tuple(map(_written_out, form.factors)))
    if type(form) is not Total or len(form.over) != 1:
        return form
    index = form.over[0]
    size = index.size
    if isinstance(size, int) and size <= WRITTEN:
        terms = [simplify(substitute(form.body, {index.letter: place})) for place in range(size)]
        kept = tuple(term for term in terms if term != ZERO)
        return kept[0] if len(kept) == 1 else Plus(kept) if kept else ZERO
    if any(isinstance(node, Place) for node in _positions(form.body)) and not isinstance(size, int):
        return form
    last: Position = size - 1 if isinstance(size, int) else Place(((1, Index(size, size)),), -1)
    ends = [simplify(substitute(form.body, {index.letter: place})) for place in (0, 1, last)]
    return Plus((ends[0], ends[1], Dots(), ends[2]))


def _positions(form: IndexForm):
    for node in walk(form):
        yield from positions_of(node)


def with_plain_letters(form: IndexForm, alphabet: str, avoid: frozenset[str], *, again: bool = False) -> IndexForm:
    """The formula with plain letters where copies of a sum got numbered ones.

    Parameters
    ----------
    form : IndexForm
    alphabet : str
        Letters, the first ones first.
    avoid : frozenset of str
        Letters that no sum takes.
    again : bool
        Let every sum have the first letters that are free where it stands, so that sums side by side share theirs.
    """
    if not again and not any(len(index.letter) > 1 for index in all_indices(form)):
        return form
    return _plain(form, alphabet, avoid | free_letters(form), again)


def _plain(form: Any, alphabet: str, taken: frozenset[str], again: bool) -> IndexForm:
    if type(form) in Binder:
        names: dict[str, Position] = {}
        over: list[Index] = []
        used = set(taken)
        for index in form.over:
            letter = index.letter
            if again or len(letter) > 1:
                letter = next((plain for plain in alphabet if plain not in used), letter)
            used.add(letter)
            over.append(Index(letter, index.size))
            if letter != index.letter:
                names[index.letter] = over[-1]
        if names:
            body = substitute(form.body, names)  # renames what binds the new letters further in
            form = Total(tuple(over), body) if type(form) is Total else type(form)(tuple(over), body, form.smallest)
        taken = frozenset(used)
    return rebuilt(form, lambda part: _plain(part, alphabet, taken, again), lambda position: position)


def bound_letters(form: Any) -> Mapping[str, Index]:
    """The letters of the sums that stand at the height of terms and factors."""
    found: dict[str, Index] = {}
    if type(form) is Total:
        found.update((index.letter, index) for index in form.over)
    if type(form) in (Total, Plus, Times):
        for part in parts_of(form):
            found.update(bound_letters(part))
    return found
