"""Deltas and ranges of positions: what `delta[2p+u, 2r+v]` says, and which index a delta under a sum determines.

delta[2p+u, 2r+v] = delta[p,r] delta[u,v]      where u and v run over 2
sum_p  y[p] delta[p+u, q]  =  y[q-u]           where 0 <= q-u < P
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.derivation.index_algebra import indices_in
from chainrule.index_form import (
    ONE,
    ZERO,
    Delta,
    Entry,
    Index,
    IndexForm,
    Inside,
    Place,
    Position,
    Times,
    combined,
)


def place_of(position: Position) -> Place | None:
    """A position as a place; None for a label."""
    if isinstance(position, Place):
        return position
    if isinstance(position, Index):
        return Place(((1, position),))
    return Place((), position) if isinstance(position, int) else None


def mixed_radix(position: Position) -> list[tuple[int, Index]] | None:
    """The parts, longest step first, of a position that each choice of its indices reaches in one way only."""
    place = place_of(position)
    if place is None or place.offset:
        return None
    parts = sorted(place.parts, key=lambda part: -part[0])
    below = 1
    for step, index in reversed(parts):
        if step != below:
            return None
        if (step, index) != parts[0]:
            if not isinstance(index.size, int):
                return None
            below *= index.size
    return parts


def delta(left: Position, right: Position) -> IndexForm:
    """Kronecker's delta in its plainest form: 1, 0, a delta, or a product of deltas."""
    if left == right:
        return ONE
    if isinstance(left, Entry) or isinstance(right, Entry):
        return Delta(left, right)
    if isinstance(left, Index) and isinstance(right, Index):
        return Delta(left, right)
    ones, others = mixed_radix(left), mixed_radix(right)
    if ones and others and len(ones) > 1 and _alike(ones, others):
        factors = [delta(one, other) for (_, one), (_, other) in zip(ones, others, strict=True)]
        kept = tuple(factor for factor in factors if factor != ONE)
        return ZERO if ZERO in kept else ONE if not kept else kept[0] if len(kept) == 1 else Times(kept)
    difference = combined(((1, left), (-1, right)))
    if isinstance(difference, int):
        return ONE if difference == 0 else ZERO
    low, high = reach(difference)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return ZERO
    if isinstance(difference, Place) and len(difference.parts) < len(_parts(left)) + len(_parts(right)):
        above = tuple((step, index) for step, index in difference.parts if step > 0)
        below = tuple((-step, index) for step, index in difference.parts if step < 0)
        return Delta(combined(above, difference.offset), combined(below))
    return Delta(left, right)


def _parts(position: Position) -> tuple:
    place = place_of(position)
    return place.parts if place else ()


def _alike(ones: list, others: list) -> bool:
    return len(ones) == len(others) and all(
        one[0] == other[0] and (place == 0 or one[1].size == other[1].size)
        for place, (one, other) in enumerate(zip(ones, others, strict=True))
    )


def reach(position: Position) -> tuple[int | None, int | None]:
    """The smallest and the largest value of a position; None where a size has a name."""
    place = place_of(position)
    if place is None:
        return None, None
    low: int | None = place.offset
    high: int | None = place.offset
    for step, index in place.parts:
        far = step * (index.size - 1) if isinstance(index.size, int) else None
        if step > 0:
            high = high + far if high is not None and far is not None else None
        else:
            low = low + far if low is not None and far is not None else None
    return low, high


def inside(position: Position, size: str | int) -> IndexForm:
    """The indicator of a position, or 1 or 0 where that is plain."""
    if isinstance(position, Entry) or (isinstance(position, Index) and position.size == size):
        return ONE
    low, high = reach(position)
    if isinstance(size, int) and low is not None and high is not None:
        if low >= 0 and high < size:
            return ONE
        if low >= size or high < 0:
            return ZERO
    if isinstance(size, str) and low is not None and low < 0 and high is not None and high < 0:
        return ZERO
    return Inside(position, size)


def solved(found: Delta, over: Sequence[Index]) -> Any:
    """The index that a delta determines, its position, and the condition under which there is one; None if none is."""
    bound = {index.letter: index for index in over}
    sides = ((found.left, found.right), (found.right, found.left))
    candidates = []
    for one, other in sides:
        if isinstance(one, Index) and one.letter in bound:
            candidates.append((one, other))
    for index, other in candidates:  # first those that end at what is not summed
        letters = {i.letter for i in indices_in(other)}
        if index.letter not in letters and not letters & bound.keys():
            return index, other, inside(other, index.size)
    for index, other in candidates:
        if index.letter not in {i.letter for i in indices_in(other)} and not isinstance(other, Entry):
            return index, other, inside(other, index.size)
    for one, other in sides:
        if isinstance(one, Place) and not isinstance(other, Entry):
            for step, index in one.parts:
                if abs(step) == 1 and index.letter in bound:
                    rest = combined(((1, one), (-step, index)))
                    position = combined(((step, other), (-step, rest)))
                    return index, position, inside(position, index.size)
    return None
