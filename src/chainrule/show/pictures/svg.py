"""A sheet to draw on: shapes and text as one self-contained SVG, readable in light and in dark.

The one idea: everything that is drawn is a line of text with class names; the sheet carries the style sheet that gives these
classes their colours in both modes, escapes every text, and grows with what is put on it, so nothing lies outside of it.

    sheet = Sheet("A picture", "What somebody who does not see it is told.")
    sheet.text(10, 20, "W1", "name")
    sheet.svg()

Forward is blue and solid with a filled arrow head; backward is vermillion and dashed with an open one (Okabe and Ito's
colours, and never by colour alone). Labels are set in a fixed pitch, for only then is their width known without a browser.
There are no ids, no scripts and no links: several pictures may share a page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
PITCH = 0.62  # the width of a letter by its size: the widest of the fonts above has 0.602
SIZES = {"name": 15.0, "value": 13.0, "note": 11.5, "small": 10.5, "head": 14.0}  # pixels
MARGIN = 16.0
WIDE = 1200.0  # pixels: what is wider would not be read when shrunk to a page
FORWARD, BACKWARD, PLAIN = "f", "b", "p"
SCRIPT = 0.72  # the size of superscripts and subscripts by that of their base
RAISED, LOWERED = 0.42, 0.28  # how far they are moved, by the size of the base

Point = tuple[float, float]

_LIGHT = {
    ".bg": "fill:#ffffff",
    ".t": "fill:#1a1a1a",
    ".q": "fill:#595959",
    ".tf": "fill:#005a8c",
    ".tb": "fill:#a84300",
    ".box": "fill:#f5f6f8;stroke:#767676",
    ".in": "fill:#e3f0f8;stroke:#0072b2",
    ".out": "fill:#fdebdf;stroke:#d55e00",
    ".op": "fill:#ffffff;stroke:#767676",
    ".f": "stroke:#0072b2",
    ".b": "stroke:#d55e00",
    ".p": "stroke:#8c8c8c",
    ".hf": "fill:#0072b2",
    ".hb": "fill:#ffffff;stroke:#d55e00",
    ".hp": "fill:#8c8c8c",
    ".mark": "fill:#fdebdf",
}
_DARK = {
    ".bg": "fill:#16181c",
    ".t": "fill:#f0f0f0",
    ".q": "fill:#b3b3b3",
    ".tf": "fill:#7cc6f2",
    ".tb": "fill:#ff9c57",
    ".box": "fill:#24272d;stroke:#8c8c8c",
    ".in": "fill:#123247;stroke:#56b4e9",
    ".out": "fill:#47260e;stroke:#ff8f43",
    ".op": "fill:#16181c;stroke:#8c8c8c",
    ".f": "stroke:#56b4e9",
    ".b": "stroke:#ff8f43",
    ".p": "stroke:#757575",
    ".hf": "fill:#56b4e9",
    ".hb": "fill:#16181c;stroke:#ff8f43",
    ".hp": "fill:#757575",
    ".mark": "fill:#47260e",
}


def _rules(colours: dict[str, str]) -> str:
    # every selector starts with our class, for a style sheet inside of a page holds for the whole page
    return "".join(f".chainrule {name}{{{rule}}}" for name, rule in colours.items())


STYLE = (
    f".chainrule text{{font-family:{MONO}}}"
    + "".join(f".chainrule .{name}{{font-size:{size:g}px}}" for name, size in SIZES.items())
    + ".chainrule .name,.chainrule .head{font-weight:600}"
    + ".chainrule .wire{fill:none;stroke-width:1.5}.chainrule .wire.b{stroke-dasharray:6 3}"
    + ".chainrule .wire.p{stroke-width:1}.chainrule .wire.thick{stroke-width:3}.chainrule .hb{stroke-width:1.5}"
    + ".chainrule .box,.chainrule .in,.chainrule .out,.chainrule .op{stroke-width:1.2}"
    + _rules(_LIGHT)
    + f"@media (prefers-color-scheme:dark){{{_rules(_DARK)}}}"
)


def columns_of(text: str) -> int:
    """How many columns a text takes in a fixed pitch: wide letters take two, combining marks none.

    >>> columns_of("dZ1"), columns_of("重み"), columns_of("e" + chr(0x301))
    (3, 4, 1)
    """
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) != 0 for letter in text)


def width_of(text: str, size: str) -> float:
    """The width in pixels that a label may take at most."""
    return columns_of(text) * PITCH * SIZES[size]


def shortened(text: str, columns: int) -> str:
    """The text, or as much of it as fits, with dots.

    >>> shortened("a_very_long_name", 8)
    'a_very_…'
    """
    text = clean(text)
    if columns_of(text) <= columns:
        return text
    kept = text
    while kept and columns_of(kept) > columns - 1:
        kept = kept[:-1]
    return kept + "…"


def clean(text: str) -> str:
    """The text without what XML cannot hold, and without what would turn its direction or break its line."""
    text = re.sub(r"[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]", "\ufffd", text)
    text = re.sub("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)
    return re.sub(r"\s+", " ", text)


def number_text(value: float | None) -> str:
    """A number on an edge or in a node, as the table of paths prints it.

    >>> number_text(2.5), number_text(-0.0), number_text(1 / 3), number_text(None)
    ('2.5', '0', '0.333333', 'Jacobian')
    """
    return "Jacobian" if value is None else f"{value + 0.0:.6g}"


@dataclass
class Sheet:
    """Lines of SVG, and the rectangle that holds them all.

    Attributes
    ----------
    title, description : str
        What is read to somebody who does not see the picture.
    """

    title: str
    description: str
    body: list[str] = field(default_factory=list)
    right: float = 0.0
    bottom: float = 0.0

    def covers(self, x: float, y: float) -> None:
        """Let the sheet reach as far as this point."""
        self.right = max(self.right, x)
        self.bottom = max(self.bottom, y)

    def open_group(self, kind: str, title: str = "", **data: str) -> None:
        """What follows belongs together; the title is shown where a mouse rests on it, `data` is for programs."""
        facts = "".join(f' data-{name}="{escape(clean(value))}"' for name, value in data.items())
        note = f"<title>{escape(clean(title), quote=False)}</title>" if title else ""
        self.body.append(f'<g class="{kind}"{facts}>{note}')

    def close_group(self) -> None:
        """The end of what belongs together."""
        self.body.append("</g>")

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box", radius: float = 6) -> None:
        """A rectangle with round corners, by its upper left corner."""
        self.body.append(
            f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"/>'
        )
        self.covers(x + width, y + height)

    def circle(self, x: float, y: float, radius: float, kind: str = "box") -> None:
        """A circle by its centre."""
        self.body.append(f'<circle class="{kind}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"/>')
        self.covers(x + radius, y + radius)

    def text(self, x: float, y: float, text: str, size: str, colour: str = "t", anchor: str = "start") -> None:
        """One line of text; `y` is its base line, `anchor` is start, middle or end."""
        self._write(x, y, escape(clean(text), quote=False), width_of(text, size), size, colour, anchor)

    def symbol(
        self, x: float, y: float, parts: Sequence[str], size: str, colour: str = "t", anchor: str = "start"
    ) -> None:
        """`(base, superscript, subscript)` as one label: z with l above and j below; empty parts are left out."""
        base, above, below = (clean(part) for part in (*parts, "", "")[:3])
        small = SIZES[size] * SCRIPT
        up, down = SIZES[size] * RAISED, SIZES[size] * LOWERED
        spans = escape(base, quote=False)
        if above:
            spans += f'<tspan dy="{_n(-up)}" style="font-size:{_n(small)}px">{escape(above, quote=False)}</tspan>'
        if below:
            shift = up + down if above else down
            spans += f'<tspan dy="{_n(shift)}" style="font-size:{_n(small)}px">{escape(below, quote=False)}</tspan>'
        width = columns_of(base) * PITCH * SIZES[size] + columns_of(above + below) * PITCH * small
        self._write(x, y, spans, width, size, colour, anchor)

    def _write(self, x: float, y: float, inner: str, width: float, size: str, colour: str, anchor: str) -> None:
        self.body.append(
            f'<text class="{size} {colour}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" xml:space="preserve">{inner}</text>'
        )
        self.covers(x + {"start": width, "middle": width / 2, "end": 0.0}[anchor], y + 0.3 * SIZES[size])

    def wire(
        self, points: Sequence[Point], kind: str = FORWARD, more: str = "", *, head: bool = True, lean: float = 0.0
    ) -> None:
        """A smooth line through the points from left to right, or from right to left, with an arrow head at its end.

        Between two points of one height the line is straight; else it leaves and arrives horizontally. Of two lines side
        by side the upper one leans by half of their distance, the lower one by minus that, for they come close where
        they are steep.
        """
        points = list(points)
        tip = points[-1]
        towards = 1.0 if tip[0] >= points[-2][0] else -1.0
        if head:
            points[-1] = (tip[0] - 7 * towards, tip[1])
        if towards < 0:  # drawn from left to right, lest the dashes of lines that share a lane fill each other's gaps
            points.reverse()
        commands = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (x0 + x1) / 2 + (lean if y1 > y0 else -lean)
            commands.append(
                f"H{_n(x1)}"
                if abs(y0 - y1) < 0.05
                else f"C{_n(middle)} {_n(y0)} {_n(middle)} {_n(y1)} {_n(x1)} {_n(y1)}"
            )
        self.body.append(f'<path class="{f"wire {kind} {more}".rstrip()}" d="{"".join(commands)}"/>')
        if head:
            back = tip[0] - 8 * towards
            corners = f"M{_n(tip[0])} {_n(tip[1])}L{_n(back)} {_n(tip[1] - 4)}L{_n(back)} {_n(tip[1] + 4)}Z"
            self.body.append(f'<path class="h{kind}" d="{corners}"/>')
        for x, y in points:
            self.covers(x, y + 4)

    def straight(self, start: Point, end: Point, kind: str = PLAIN, more: str = "") -> None:
        """A straight line without an arrow head."""
        self.body.append(
            f'<path class="{f"wire {kind} {more}".rstrip()}" '
            f'd="M{_n(start[0])} {_n(start[1])}L{_n(end[0])} {_n(end[1])}"/>'
        )
        self.covers(max(start[0], end[0]), max(start[1], end[1]))

    def legend(self, y: float, entries: Iterable[tuple[str, str]]) -> float:
        """What the lines mean: a piece of each kind of line beside its meaning. Returns the base line below."""
        for kind, meaning in entries:
            ends = [(MARGIN, y - 4), (MARGIN + 36, y - 4)]
            self.wire(ends if kind == FORWARD else ends[::-1], kind)
            self.text(MARGIN + 46, y, meaning, "note", "q")
            y += 18
        return y

    def svg(self) -> str:
        """The whole picture; one that fits a page shrinks with it, a wider one keeps its size and is scrolled."""
        width, height = _n(self.right + MARGIN), _n(self.bottom + MARGIN)
        fits = ' style="max-width:100%;height:auto"' if self.right < WIDE else ""
        frame = f'role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}"{fits}'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" class="chainrule" {frame}>',
                f"<title>{escape(clean(self.title))}</title>",
                f"<desc>{escape(clean(self.description))}</desc>",
                f"<style>{STYLE}</style>",
                f'<rect class="bg" width="{width}" height="{height}"/>',
                *self.body,
                "</svg>\n",
            ]
        )


def _n(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough, and the same text on every machine."""
    return f"{round(float(value), 1) + 0.0:g}" if abs(value) < 1e5 else f"{float(value):.1f}"
