"""Cards and wires: how a graph looks when its nodes hold text and its edges carry numbers in both directions.

The one idea: a picture of paths and a picture of a program are the same drawing. What says what they have in common
is here: a card is a box of lines; a wire is drawn forward, backward or both, with a number above and one below.

    draw(sheet, [Card("a", "in", [("a", "name", "t")]), ...], [Wire("a", "c", above="1", below="3")], top=40)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chainrule.show.pictures.layered import Box, Link, Size, arrange
from chainrule.show.pictures.svg import BACKWARD, FORWARD, MARGIN, SIZES, Sheet, shortened, width_of

LONGEST = 40  # columns of a line on a card; the whole text is in its title
PADDING = 10.0
APART = 3.5  # half the distance between the forward and the backward line of a wire

Line = tuple[str, str, str]  # text, size, colour


@dataclass
class Card:
    """A node: its key, the class of its box ("in", "box", "out", "op"), its lines, and what a mouse is told."""

    key: str
    kind: str
    lines: list[Line] = field(default_factory=list)
    title: str = ""


@dataclass
class Wire:
    """An edge: which lines are drawn, what stands on them, and what a mouse is told."""

    source: str
    target: str
    forward: bool = True
    backward: bool = False
    above: str = ""
    below: str = ""
    title: str = ""
    back_title: str = ""


def draw(sheet: Sheet, cards: Sequence[Card], wires: Sequence[Wire], top: float) -> float:
    """Lay out and draw; returns the height below which the sheet is free."""
    for card in cards:
        card.lines = [(shortened(text, LONGEST), size, colour) for text, size, colour in card.lines]
    shift = APART if any(wire.backward for wire in wires) else 0.0
    labels = any(wire.above or wire.below for wire in wires)
    layout = arrange(
        {card.key: size_of(card) for card in cards},
        [Link(wire.source, wire.target, _label_size(wire) if labels else None) for wire in wires],
    )
    for wire, route, label in zip(wires, layout.routes, layout.labels, strict=True):
        points = [(x + MARGIN, y + top) for x, y in route]
        sheet.open_group("edge", source=wire.source, target=wire.target)
        if wire.forward:
            sheet.open_group("forward", wire.title)
            sheet.wire([(x, y - shift) for x, y in points], FORWARD, lean=shift)
            if label and wire.above:
                sheet.text(label.x + MARGIN, label.y + top - shift - 5, wire.above, "value", "tf", "middle")
            sheet.close_group()
        if wire.backward:
            sheet.open_group("backward", wire.back_title)
            sheet.wire([(x, y + shift) for x, y in reversed(points)], BACKWARD, lean=-shift)
            if label and wire.below:
                below = label.y + top + shift + SIZES["value"]
                sheet.text(label.x + MARGIN, below, wire.below, "value", "tb", "middle")
            sheet.close_group()
        sheet.close_group()
    for card in cards:
        _draw_card(sheet, card, layout.boxes[card.key], top)
    sheet.covers(MARGIN + layout.width, top + layout.height)
    return top + layout.height


def size_of(card: Card) -> Size:
    """What a card needs for its lines."""
    width = max((width_of(text, size) for text, size, _ in card.lines), default=0.0)
    height = sum(_advance(size) for _, size, _ in card.lines)
    return Size(width + 2 * PADDING, height + PADDING)


def _advance(size: str) -> float:
    return SIZES[size] + 5


def _label_size(wire: Wire) -> Size:
    width = max(width_of(wire.above, "value"), width_of(wire.below, "value"))
    return Size(width + 12, 2 * (SIZES["value"] + 5 + APART))


def _draw_card(sheet: Sheet, card: Card, box: Box, top: float) -> None:
    sheet.open_group("node", card.title, node=card.key)
    sheet.box(box.x - box.width / 2 + MARGIN, box.y - box.height / 2 + top, box.width, box.height, card.kind)
    y = box.y - box.height / 2 + top + PADDING / 2
    for text, size, colour in card.lines:
        y += _advance(size)
        sheet.text(box.x + MARGIN, y - 5, text, size, colour, "middle")
    sheet.close_group()
