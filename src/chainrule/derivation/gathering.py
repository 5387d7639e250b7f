"""Terms that are one term for running numbers: a sum over an index that the program wrote out.

A convolution is often a sum of shifted products. Its entries are told with one sum, as on paper:

    x[i,j] w[0] + x[i,j+1] w[1] + x[i,j+2] w[2]  =  sum_k x[i,j+k] w[k]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chainrule.derivation.contracting import plus, simplify
from chainrule.derivation.index_algebra import parts_of, positions_of, rebuilt, same_form, substitute, walk
from chainrule.derivation.placing import place_of
from chainrule.index_form import Entry, Index, IndexForm, Plus, Position, Times, Total, combined


def gathered(form: Any, sizes: Mapping[str, tuple[str | int, ...]], new: Callable[[str | int], Index]) -> IndexForm:
    """The formula with sums over an index where terms run through all positions on an axis of an array.

    Parameters
    ----------
    form : IndexForm
        Simplified.
    sizes : mapping of str to tuple
        The sizes of the axes that have positions, for each array.
    new : callable
        Gives a letter that nobody has, for a size.
    """
    form = rebuilt(form, lambda part: gathered(part, sizes, new), lambda position: position)
    if type(form) is not Plus or len(form.terms) < 2:
        return form
    for array, axis in _axes_with_numbers(form):
        size = sizes.get(array, ())[axis : axis + 1]
        found = _along(form, array, axis, size[0], new) if size and isinstance(size[0], int) else None
        if found is not None:
            return gathered(found, sizes, new) if type(found) is Plus else _inside(found, sizes, new)
    return form


def _inside(form: Any, sizes: Any, new: Any) -> IndexForm:
    if type(form) is not Total:
        return form
    body = gathered(form.body, sizes, new)
    return Total((*form.over, *body.over), body.body) if type(body) is Total else Total(form.over, body)


def _axes_with_numbers(form: Plus) -> Iterator[tuple[str, int]]:
    """Arrays and axes at which the first term has a number for a position."""
    seen = set()
    for node in walk(form.terms[0]):
        if type(node) is Entry:
            for axis, position in enumerate(node.at):
                if isinstance(position, int) and (node.array, axis) not in seen:
                    seen.add((node.array, axis))
                    yield node.array, axis


def _along(form: Plus, array: str, axis: int, size: int, new: Callable[[str | int], Index]) -> IndexForm | None:
    """The sum with the terms that run along this axis gathered, if they run through all of it."""
    groups: dict[int, list[IndexForm]] = {}
    rest: list[IndexForm] = []
    for term in form.terms:
        numbers = {node.at[axis] for node in walk(term) if type(node) is Entry and node.array == array}
        place = numbers.pop() if len(numbers) == 1 else None
        if isinstance(place, int):
            groups.setdefault(place, []).append(term)
        else:
            rest.append(term)
    if size < 2 or sorted(groups) != list(range(size)) or len({len(group) for group in groups.values()}) != 1:
        return None
    index = new(size)
    terms: list[IndexForm] = []
    for number in range(len(groups[0])):
        found: Any = _between(groups[0][number], groups[1][number], index)
        if found is None:
            return None
        for place in range(size):
            if not same_form(simplify(substitute(found, {index.letter: place})), groups[place][number]):
                return None
        terms.append(found)
    body = terms[0] if len(terms) == 1 else Plus(tuple(terms))
    return plus((Total((index,), body), *rest)) if rest else Total((index,), body)


def _between(zero: Any, one: Any, index: Index) -> IndexForm | None:
    """The term for any number, from those for 0 and 1: where positions differ, the index moves them."""
    if zero == one:
        return zero
    if (
        type(zero) is not type(one)
        or type(zero) not in (Entry, Times, Plus)
        or len(parts_of(zero)) != len(parts_of(one))
    ):
        return None
    if type(zero) is Entry and type(one) is Entry:
        if zero.array != one.array:
            return None
        at: list[Position] = []
        for mine, other in zip(positions_of(zero), positions_of(one), strict=True):
            moved = _moved(mine, other, index)
            if moved is None:
                return None
            at.append(moved)
        return Entry(zero.array, tuple(at))
    parts = [_between(mine, other, index) for mine, other in zip(parts_of(zero), parts_of(one), strict=True)]
    if any(part is None for part in parts):
        return None
    return type(zero)(tuple(parts))


def _moved(zero: Position, one: Position, index: Index) -> Position | None:
    if zero == one:
        return zero
    if place_of(zero) is None or place_of(one) is None:
        return None
    step = combined(((1, one), (-1, zero)))
    return combined(((1, zero), (step, index))) if isinstance(step, int) else None
