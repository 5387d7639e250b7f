"""A fully connected network as units and wires, with pre-activations and activations as columns of their own.

The one idea: the columns are a^1, z^2, a^2, z^3, ...; between an `a` and a `z` everything is connected (the weights), between
a `z` and its `a` each unit goes straight over (the activation function). Unit j of column z^2 is called z^2_j, counted from 1,
and the weight of the wire from a^1_k to z^2_j is w^2_jk: entry [j, k] of a matrix of shape (units here, units before).

    network_svg((2, 4, 4, 3), jacobian=w3, between=("a^2", "z^3"), column=0)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.show.pictures.jacobian_picture import checked_matrix
from chainrule.show.pictures.svg import BACKWARD, FORWARD, MARGIN, PLAIN, SCRIPT, SIZES, Sheet, shortened, width_of
from chainrule.show.pictures.units import (
    FAN,
    NUMBERED,
    PITCH,
    PORT,
    RADIUS,
    chosen,
    draw_matrix,
    number_on_wire,
    parts_of,
    run_length,
    unit,
    write_names,
)


@dataclass
class Column:
    """One column of units: its name, how many units it has, which are shown, and where."""

    name: str
    count: int
    pitch: float = PITCH
    x: float = 0.0
    middle: float = 0.0

    @property
    def dense(self) -> bool:
        """Whether every unit of the column before leads to every one here."""
        return self.name[0] == "z"

    @property
    def slots(self) -> list[int | None]:
        """The units that are shown; None for dots."""
        return chosen(self.count)

    def unit(self, number: int) -> str:
        """The name of a unit, which is numbered from 0."""
        return f"{self.name}_{number + 1}"

    def y(self, number: int | None) -> float:
        """The height of a unit."""
        return self.middle + (self.slots.index(number) - (len(self.slots) - 1) / 2) * self.pitch


@dataclass
class Numbers:
    """The numbers on the wires of a gap, by (left unit, right unit).

    They stand where the wire ends: those of a Jacobian, which is walked backward, at the left units; weights at the right.
    """

    values: dict[tuple[int, int], float]
    backward: bool = False

    @property
    def run(self) -> float:
        """How long the straight piece of a wire is that carries one of them."""
        return run_length(self.values.values())


Wiring = tuple[int, int, int]  # the gap after which column, the unit on its left, the unit on its right


def network_svg(
    sizes: Sequence[int],
    *,
    weights: Sequence[Any] | None = None,
    jacobian: Any = None,
    between: tuple[str, str] | None = None,
    column: int | None = None,
    path: Sequence[str] = (),
    title: str = "",
) -> str:
    """The units and wires of a network, and one Jacobian or one path in it.

    Parameters
    ----------
    sizes : sequence of int
        The number of units of each layer, inputs first: (2, 4, 4, 3).
    weights : sequence of arrays, optional
        One for each layer but the first, of shape (units here, units before); written on the wires where no layer has more
        than six units. A network that computes ``x @ W`` passes ``W.T``.
    jacobian : array, shape (units of the later column, units of the earlier one), optional
        Drawn as edges from right to left, and as a matrix below. Between columns that are not neighbours the
        wires on the way are drawn, and the numbers are in the matrix only.
    between : (str, str), optional
        The earlier and the later column of the Jacobian, as ("z^2", "z^3").
    column : int, optional
        The unit of the earlier column, counted from 0, into which the edges of this column of the Jacobian lead.
    path : sequence of str, optional
        Units from column to column, as ("a^1_2", "z^2_1", "a^2_1"); its wires are drawn bold.
    title : str

    Returns
    -------
    str
        One `<svg>` element. Of a layer with more than twelve units the first ones and the last one are shown.

    Raises
    ------
    ArgumentError
        If a size, a matrix, a column or the name of a unit does not fit the network.

    Examples
    --------
    Every unit of one layer leads to every one of the next, and each pre-activation to its activation:

    >>> network_svg((2, 4, 4, 3)).count('class="edge"') == (2 * 4 + 4 * 4 + 4 * 3) + (4 + 4 + 3)
    True
    """
    columns = _columns(sizes)
    matrices = _checked_weights(sizes, weights)
    numbered = matrices if max(sizes) <= NUMBERED else []
    ends = _between(columns, jacobian, between, column)
    values = np.zeros((0, 0))
    if ends:
        values = _checked_jacobian(columns, jacobian, ends, column)
    on_wires = _numbers(columns, numbered, values, ends, column)
    bold = _path(columns, path)
    sheet = Sheet(
        title or f"A network of {' - '.join(map(str, sizes))} units", _in_words(sizes, ends, columns, column, path)
    )
    top = MARGIN
    if title:
        sheet.text(MARGIN, top + 14, shortened(title, 80), "head")
        top += 30
    bottom = _place(columns, on_wires, top + 44)
    _heads(sheet, columns, top + 14)
    back = _backward_wires(columns, ends, values, column)
    for wire in sorted(_wires(columns), key=lambda w: (w in bold, w in back)):
        _draw_wire(sheet, columns, wire, on_wires.get(wire[0]), bold=wire in bold, back=wire in back)
    for place, c in enumerate(columns):
        for slot in c.slots:
            kind = "in" if place == 0 else "out" if place == len(columns) - 1 else "op" if c.dense else "box"
            unit(sheet, c.x, c.y(slot), c.unit(slot) if slot is not None else None, kind)
    if ends:
        _matrix(sheet, columns, values, ends, column, bottom + 24)
    elif path:
        write_names(sheet, MARGIN, bottom + 24, " → ".join(path), "tf")
    return sheet.svg()


# -- what was asked for ------------------------------------------------------------------------------------------------
def _columns(sizes: Sequence[int]) -> list[Column]:
    if len(sizes) < 2 or any(int(size) != size or size < 1 for size in sizes):
        raise ArgumentError(f"sizes is {tuple(sizes)}; give the units of two layers or more, as (2, 4, 4, 3)")
    columns = [Column("a^1", sizes[0])]
    for layer, size in enumerate(sizes[1:], 2):
        columns += [Column(f"z^{layer}", size), Column(f"a^{layer}", size)]
    return columns


def _checked_weights(sizes: Sequence[int], weights: Sequence[Any] | None) -> list[np.ndarray]:
    if weights is None:
        return []
    if len(weights) != len(sizes) - 1:
        raise ArgumentError(f"{len(weights)} weights for {len(sizes)} layers; give one for each layer but the first")
    matrices = [np.asarray(w, dtype=float) for w in weights]
    for layer, (w, here, before) in enumerate(zip(matrices, sizes[1:], sizes, strict=False), 2):
        if w.shape != (here, before):
            turned = "; pass its transpose" if w.shape == (before, here) else ""
            raise ArgumentError(
                f"w^{layer} has shape {w.shape}, but leads from {before} units to {here}: ({here}, {before}){turned}"
            )
    return matrices


def _between(
    columns: list[Column], jacobian: Any, between: tuple[str, str] | None, column: int | None
) -> tuple[int, int] | None:
    """The places of the two columns of the Jacobian."""
    if jacobian is None:
        if between is not None or column is not None:
            raise ArgumentError("between= and column= say where a Jacobian belongs: give jacobian=, too")
        return None
    names = [c.name for c in columns]
    if between is None or len(between) != 2 or any(name not in names for name in between):
        raise ArgumentError(f"between is {between!r}; name the earlier and the later column out of {', '.join(names)}")
    first, last = map(names.index, between)
    if first >= last:
        raise ArgumentError(f"between is {between!r}, but {between[0]} does not lead to {between[1]}: swap them")
    return first, last


def _checked_jacobian(columns: list[Column], jacobian: Any, ends: tuple[int, int], column: int | None) -> np.ndarray:
    values = checked_matrix(jacobian, (), (), column)
    first, last = (columns[end] for end in ends)
    if values.shape != (last.count, first.count):
        raise ArgumentError(
            f"the Jacobian of {last.name} by {first.name} has shape ({last.count}, {first.count}), this one {values.shape}; "
            "a row belongs to an output, a column to an input"
        )
    return values


def _path(columns: list[Column], path: Sequence[str]) -> set[Wiring]:
    """The wires of a path, given by the names of its units."""
    found: set[Wiring] = set()
    places = {c.name: place for place, c in enumerate(columns)}
    steps = []
    for name in path:
        head, _, number = name.rpartition("_")
        if head not in places or not number.isdigit() or not 1 <= int(number) <= columns[places[head]].count:
            raise ArgumentError(
                f"path names {name!r}; the columns are {', '.join(places)}, a unit is {columns[1].unit(0)!r}"
            )
        steps.append((places[head], int(number) - 1))
    for (here, left), (there, right) in pairwise(steps):
        if there != here + 1 or (not columns[there].dense and left != right):
            raise ArgumentError(f"no wire leads from {columns[here].unit(left)} to {columns[there].unit(right)}")
        found.add((here, left, right))
    return found


# -- numbers and wires -------------------------------------------------------------------------------------------------
def _numbers(
    columns: list[Column],
    weights: list[np.ndarray],
    values: np.ndarray,
    ends: tuple[int, int] | None,
    column: int | None,
) -> dict[int, Numbers]:
    """The numbers of each gap that has some; a Jacobian takes the place of weights."""
    found = {2 * layer: Numbers(dict(_entries(w))) for layer, w in enumerate(weights)}
    if ends and ends[1] == ends[0] + 1 and max(values.shape) <= NUMBERED:
        kept = {wire: value for wire, value in _entries(values) if value and column in (None, wire[0])}
        found[ends[0]] = Numbers(kept, backward=True)
    return found


def _entries(matrix: np.ndarray) -> Iterator[tuple[tuple[int, int], float]]:
    """Each entry with its wire: row i, column j belongs to the wire from j to i."""
    for (i, j), value in np.ndenumerate(matrix):
        yield (j, i), float(value)


def _wires(columns: list[Column]) -> Iterator[Wiring]:
    """All wires between units that are shown."""
    for place, (here, there) in enumerate(pairwise(columns)):
        for left in here.slots:
            for right in there.slots:
                if left is not None and right is not None and (there.dense or left == right):
                    yield place, left, right


def _backward_wires(
    columns: list[Column], ends: tuple[int, int] | None, values: np.ndarray, column: int | None
) -> set[Wiring]:
    """The wires over which the Jacobian, or the chosen column of it, is walked backward."""
    if not ends:
        return set()
    first, last = ends
    found: set[Wiring] = set()
    reached = set(range(columns[first].count)) if column is None else {column}
    for place in range(first, last):
        wires = [w for w in _wires(columns) if w[0] == place and w[1] in reached]
        if last == first + 1:
            wires = [w for w in wires if values[w[2], w[1]] != 0]
        found |= set(wires)
        reached = {right for _, _, right in wires}
    return found


# -- drawing -----------------------------------------------------------------------------------------------------------
def _place(columns: list[Column], on_wires: dict[int, Numbers], top: float) -> float:
    """Give the columns their places; returns the height below them."""
    for place, numbers in on_wires.items():
        here, there = columns[place], columns[place + 1]
        at, other = (here, there) if numbers.backward else (there, here)
        at.pitch = max(at.pitch, (len(other.slots) if there.dense else 1) * PORT + 6)
    for here, there in zip(columns[1::2], columns[2::2], strict=True):
        here.pitch = there.pitch = max(here.pitch, there.pitch)  # the activation's wires go straight over
    height = max(len(c.slots) * c.pitch for c in columns)
    x = MARGIN + RADIUS
    for place, c in enumerate(columns):
        c.x, c.middle = x, top + height / 2
        run = on_wires[place].run + 32 if place in on_wires else 0.0
        dense = place + 1 < len(columns) and columns[place + 1].dense
        x += 2 * RADIUS + (max(run, FAN) + FAN if dense else max(run, 36.0))
    return top + height


def _draw_wire(
    sheet: Sheet, columns: list[Column], wire: Wiring, numbers: Numbers | None, *, bold: bool, back: bool
) -> None:
    place, left, right = wire
    here, there = columns[place], columns[place + 1]
    start, end = (here.x + RADIUS, here.y(left)), (there.x - RADIUS, there.y(right))
    value = numbers.values.get((left, right)) if numbers else None
    points, label = [start, end], (0.0, 0.0)
    if numbers and there.dense and (back or not numbers.backward):  # a piece of its own for the number
        at, others, port = (here, there.slots, right) if numbers.backward else (there, here.slots, left)
        y = at.y(left if numbers.backward else right) + (others.index(port) - (len(others) - 1) / 2) * PORT
        x = start[0] + 16 if numbers.backward else end[0] - 16 - numbers.run
        points, label = [start, (x, y), (x + numbers.run, y), end], (x + numbers.run / 2, y)
    elif value is not None:
        label = ((start[0] + end[0]) / 2, start[1])
    title = f"{here.unit(left)} to {there.unit(right)}" + (f": {value!r}" if value is not None else "")
    sheet.open_group("edge", title, source=here.unit(left), target=there.unit(right))
    if bold:
        sheet.wire(points, FORWARD, "thick")
    if back:
        sheet.wire(points[::-1], BACKWARD)
    if not bold and not back:
        sheet.wire(points, PLAIN, head=False)
    if value is not None:
        number_on_wire(sheet, *label, value, "tb" if numbers and numbers.backward else "t")
    sheet.close_group()


def _heads(sheet: Sheet, columns: list[Column], y: float) -> None:
    """The columns' names, and in the gaps what leads over them."""
    for place, c in enumerate(columns):
        sheet.symbol(c.x, y, parts_of(c.name), "head", "t", "middle")
        sheet.text(c.x, y + 16, str(c.count), "small", "q", "middle")
        if place:
            x = (columns[place - 1].x + c.x) / 2
            sheet.symbol(x, y, ("w", c.name[2:], "") if c.dense else ("f", "", ""), "value", "q", "middle")


def _matrix(
    sheet: Sheet, columns: list[Column], values: np.ndarray, ends: tuple[int, int], column: int | None, y: float
) -> None:
    """The Jacobian as a matrix, and what its columns are."""
    first, last = (columns[end] for end in ends)
    rows, heads = ([c.unit(i) for i in range(c.count)] for c in (last, first))
    x, small = MARGIN, "value"
    for parts in ((f"∂{last.name[0]}", last.name[2:], ""), (f"/∂{first.name[0]}", first.name[2:], "")):
        sheet.symbol(x, y, parts, small, "tb")
        x += width_of(parts[0], small) + width_of(parts[1], small) * SCRIPT + 1
    line = SIZES["note"] + 8
    bottom = draw_matrix(sheet, MARGIN, y + 18 + line + len(chosen(len(rows))) * line / 2, values, rows, heads, column)
    text = "Row: output. Column: input; it collects the edges that, walked backward, lead into that input."
    if column is not None:
        text = f"Column {heads[column]} collects the edges that, walked backward, lead into {heads[column]}"
    write_names(sheet, MARGIN, bottom + 22, text, "q")


def _in_words(
    sizes: Sequence[int], ends: tuple[int, int] | None, columns: list[Column], column: int | None, path: Sequence[str]
) -> str:
    words = f"Layers of {', '.join(map(str, sizes))} units, fully connected; each layer's pre-activations z and activations a."
    if ends:
        first, last = (columns[end] for end in ends)
        chosen_one = f", column {first.unit(column)} set off" if column is not None else ""
        words += f" The Jacobian of {last.name} by {first.name}{chosen_one}."
    return words + (f" The path {' to '.join(path)} is set off." if path else "")
