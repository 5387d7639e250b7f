"""Formulas set in type, before it is said for whom: letters, fractions, scripts, fences, in a tree of boxes.

The one idea: which brackets stand and which sign is used is decided once, in `matrix_boxes` and `index_boxes`; LaTeX,
MathML and text with indices are three short writers of the same boxes, so they cannot say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


class Box:
    """What every box is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Letter(Box):
    """A variable of one letter, slanted: W, δ."""

    text: str


@dataclass(frozen=True, slots=True)
class Upright(Box):
    """A word: loss, out. As an operator (`relu`, `log`) it keeps its distance."""

    text: str
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Typed(Box):
    """Text in a fixed pitch: a name that is none of mathematics, a piece of NumPy; any characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Words(Box):
    """Words of a language within a formula, such as "axis 0"."""

    text: str


@dataclass(frozen=True, slots=True)
class Digits(Box):
    """A number that is not negative."""

    text: str


@dataclass(frozen=True, slots=True)
class Bold(Box):
    """The vector of ones, or (`hollow`) the indicator's one."""

    text: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Sign(Box):
    """An operator by its Unicode character; the kind is binary, relation, prefix, comma or plain."""

    text: str
    kind: str = "binary"


@dataclass(frozen=True, slots=True)
class Gap(Box):
    """A thin space between two factors."""


@dataclass(frozen=True, slots=True)
class Row(Box):
    """Boxes beside each other."""

    parts: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Over(Box):
    """A fraction; one that is `whole` is a name of its own, as ∂L/∂W is."""

    above: Box
    below: Box
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Script(Box):
    """Something with an index below, above, or both; or (`power`) with an index below, raised to what is above."""

    base: Box
    below: Box | None = None
    above: Box | None = None
    power: bool = False


@dataclass(frozen=True, slots=True)
class Limits(Box):
    """A large sign with what it runs over, Σ or max; with `size`, from 1 on."""

    sign: Box
    below: Box
    size: Box | None = None


@dataclass(frozen=True, slots=True)
class Root(Box):
    """A square root."""

    body: Box


@dataclass(frozen=True, slots=True)
class Fence(Box):
    """Something between brackets."""

    body: Box
    left: str = "("
    right: str = ")"


@dataclass(frozen=True, slots=True)
class Accent(Box):
    """A letter with a sign over it: hat, bar, tilde, dot, vec."""

    mark: str
    body: Box


@dataclass(frozen=True, slots=True)
class Own(Box):
    """LaTeX that a user gave for a name, with what is made of it where LaTeX is not read."""

    latex: str
    read: Box


@dataclass(frozen=True, slots=True)
class Choice(Box):
    """Values with the condition under which each is taken; the last has none."""

    rows: tuple[tuple[Box, Box | None], ...]


@dataclass(frozen=True, slots=True)
class Annotated(Box):
    """Something with a small note under it: its shape."""

    body: Box
    note: str


def row(*parts: Box) -> Box:
    """Boxes beside each other, without rows in rows."""
    flat: list[Box] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Row) else (part,))
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def joined(parts: Iterable[Box], between: Box) -> Box:
    """Boxes with another between each two."""
    flat: list[Box] = []
    for part in parts:
        flat += [between, part] if flat else [part]
    return row(*flat)


def raised(box: Box, above: Box) -> Box:
    """A box with something above to the right; in brackets where it would be misread."""
    match box:
        case Letter() | Upright() | Digits() | Accent() | Fence() | Bold() | Own():
            return Script(box, None, above, power=True)
        case Script(above=None):
            return replace(box, above=above, power=True)
        case Row(parts=(Letter("d"), one)) if not isinstance(one, (Row, Over)):
            return row(Letter("d"), raised(one, above))
        case Annotated(body=body, note=note) if not isinstance(body, Over):
            return Annotated(raised(body, above), note)
    return Script(Fence(box), None, above, power=True)


def inside(box: Box) -> Iterator[Box]:
    """The boxes directly within a box."""
    match box:
        case Row(parts=parts):
            yield from parts
        case Over(above=above, below=below):
            yield above
            yield below
        case Script(base=base, below=low, above=high) | Limits(sign=base, below=low, size=high):
            yield base
            yield from (part for part in (low, high) if part is not None)
        case Root(body=body) | Fence(body=body) | Accent(body=body) | Annotated(body=body):
            yield body
        case Own(read=read):
            yield read
        case Choice(rows=rows):
            yield from (part for pair in rows for part in pair if part is not None)


def height_of(box: Box) -> int:
    """How many lines high a box is, about: 1 for a letter, 2 for a fraction."""
    match box:
        case Over():
            return sum(max(1, height_of(part)) for part in inside(box))
        case Limits() | Choice():
            return 2
    return max((height_of(part) for part in inside(box)), default=1)


def width_of(box: Box) -> float:
    """How wide a box is, about, in letters."""
    match box:
        case Letter():
            return 1.0
        case Upright(text=text) | Typed(text=text) | Words(text=text) | Digits(text=text):
            return 0.9 * len(text)
        case Sign(kind=kind):
            return {"binary": 2.0, "relation": 2.2, "comma": 0.7}.get(kind, 1.1)
        case Gap():
            return 0.3
        case Row(parts=parts):
            return sum(map(width_of, parts))
        case Over(above=above, below=below):
            return 0.4 + max(width_of(above), width_of(below))
        case Script(base=base, below=low, above=high):
            return width_of(base) + 0.65 * max((width_of(part) for part in (low, high) if part), default=0.0)
        case Limits(sign=sign, below=low, size=size):
            return 0.6 + max(width_of(sign), 0.65 * width_of(low) + (1.2 if size else 0.0))
        case Annotated(body=body, note=note):
            return max(width_of(body), 0.5 * len(note))
        case Choice(rows=rows):
            return 2 + max(width_of(value) + (3 + width_of(when) if when else 5) for value, when in rows)
    return 0.9 + sum(map(width_of, inside(box)))
