"""Arrays with what runs along their axes: `X` with (i, p), `X^T` with (p, i), `b` as a row or as a column.

The one idea: whether arrays can be multiplied entry by entry is decided by how they lie, and an array can be made to lie
otherwise: transposed, cut to a part of an axis, with an axis of size 1 behind.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from chainrule.derivation.placing import place_of
from chainrule.index_form import Delta, Entry, Index
from chainrule.matrix_form import Call, MatrixForm, Number, Quotient, Symbol, Transposed, Verbatim

Shapes = Mapping[str, Sequence[str | int]]
Axes = tuple[Index | None, ...]  # the index along each axis; None along one of size 1


class UnrecognisedError(Exception):
    """No matrix form was found."""


@dataclass(frozen=True)
class Laid:
    """An array and what runs along its axes."""

    form: MatrixForm
    axes: Axes


def laid_entry(form: Entry, shapes: Shapes) -> Laid:
    """A named array as it lies, or the part of it that is meant."""
    shape = shapes[form.array]
    positions = iter(form.at)
    axes: list[Index | None] = []
    texts: list[str] = []
    for size in shape:
        position = None if size == 1 else next(positions)
        axis, text = (None, ":") if position is None else _along(position, size)
        texts.append(text)
        if not text.lstrip("-").isdigit():
            axes.append(axis)
    letters = [index.letter for index in axes if index is not None]
    if len(set(letters)) != len(letters):
        if len(axes) == 2 and texts == [":", ":"]:
            return Laid(Call("diagonal", (Symbol(form.array),)), (axes[0],))
        raise UnrecognisedError
    while texts and texts[-1] == ":":
        texts.pop()
    whole = Symbol(form.array)
    return Laid(Verbatim(f"{{0}}[{', '.join(texts)}]", (whole,)) if texts else whole, tuple(axes))


def _along(position: Any, size: str | int) -> tuple[Index | None, str]:
    """What runs along an axis at this position, and how that part of the axis is written."""
    if isinstance(position, int):
        return None, str(position)
    place = place_of(position)
    if place is None or len(place.parts) != 1 or place.parts[0][0] != 1:
        raise UnrecognisedError
    index = place.parts[0][1]
    if index.size == size and place.offset == 0:
        return index, ":"
    if not isinstance(index.size, int) or not isinstance(size, int) or not 0 <= place.offset <= size - index.size:
        raise UnrecognisedError
    stop = place.offset + index.size
    return index, f"{place.offset or ''}:{'' if stop == size else stop}"


def laid_delta(form: Delta, shapes: Shapes) -> Laid:
    """A delta as an array: one-hot rows of labels, or the identity."""
    for label, index in ((form.left, form.right), (form.right, form.left)):
        if isinstance(index, Index):
            if isinstance(label, Index) and label.size == index.size:
                return Laid(Call("eye", (), (("size", str(index.size)),)), (label, index))
            if isinstance(label, Entry):
                rows = laid_entry(label, shapes)
                return Laid(Call("one_hot", (rows.form,), (("classes", str(index.size)),)), (*rows.axes, index))
    raise UnrecognisedError


def turned(found: Laid, target: Axes) -> Laid:
    """The array with its axes turned, or axes of size 1 put behind them, so that it broadcasts to the target."""
    if fits(found.axes, target):
        return found
    count = len(found.axes)
    for order in itertools.permutations(range(count)) if 2 <= count <= 4 else ():
        axes = tuple(found.axes[axis] for axis in order)
        if fits(axes, target):
            swapped = (*range(count - 2), count - 1, count - 2)
            return Laid(Transposed(found.form, () if order == swapped else order), axes)
    for more in range(1, len(target) - count + 1 if count else 0):
        axes = (*found.axes, *(None,) * more)
        if fits(axes, target):
            before = ":" if count == 1 else "..."
            return Laid(Verbatim(f"{{0}}[{before}{', None' * more}]", (found.form,)), axes)
    raise UnrecognisedError


def number_form(value: Any) -> MatrixForm:
    """A number as it is written."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return Number(value.numerator)
        return Quotient(Number(value.numerator), Number(value.denominator))
    return Number(value)


def fits(axes: Axes, target: Axes) -> bool:
    """Whether an array that lies so broadcasts to the target."""
    if len(axes) > len(target):
        return False
    ends = target[len(target) - len(axes) :]
    return all(index is None or index == other for index, other in zip(axes, ends, strict=True))


def joint(parts: Sequence[Laid]) -> Axes:
    """How arrays lie that are combined elementwise."""
    count = max((len(part.axes) for part in parts), default=0)
    axes: list[Index | None] = [None] * count
    for part in parts:
        for place, index in enumerate(reversed(part.axes)):
            if index is not None:
                axes[count - 1 - place] = index
    return tuple(axes)
