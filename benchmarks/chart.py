"""A chart of times as SVG: a line for each thing that was timed, a mark for each contender, a logarithmic axis.

Marks differ in colour (Okabe and Ito's, told apart by colour-blind readers too) and in shape, ours are filled; text and
ground follow the reader's dark or light mode. No plotting library is needed.
"""

from __future__ import annotations

import html
import math
from pathlib import Path

COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8F8F8F")
SHAPES = ("circle", "square", "diamond", "triangle", "cross")
LEFT, WIDTH, ROW, TOP, PER_LINE = 150, 680, 34, 56, 4
STYLE = """\
  .ground { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif } .title { font-weight: 600 }
  .faint { fill: #656d76; font-size: 12px } line { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e6edf3 } .faint { fill: #9198a1 } line { stroke: #30363d }
  }"""


def mark(shape: str, x: float, y: float, colour: str, *, filled: bool, size: float = 5.5) -> str:
    """One mark, as an outline or filled."""
    paint = f'stroke="{colour}" stroke-width="2" fill="{colour if filled else "none"}"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" {paint}/>'
    outline = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
        "triangle": ((0, -1.1), (1.1, 0.9), (-1.1, 0.9)),
        "cross": ((-0.9, -0.9), (0.9, 0.9), (0, 0), (0.9, -0.9), (-0.9, 0.9), (0, 0)),
    }[shape]
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in outline)
    return f'<polygon points="{points}" {paint}/>'


def write_chart(path: Path, title: str, times: dict[str, dict[str, float]], roles: dict[str, str]) -> None:
    """Write the chart of `times`, microseconds by row and contender, to an SVG file.

    Parameters
    ----------
    roles : dict
        "ours", "peer" or "floor" of each contender; ours are filled.
    """
    values = [value for row in times.values() for value in row.values()]
    if not values:
        print(f"nothing was timed: {path} is not written")
        return
    labels = [label for label in roles if any(label in row for row in times.values())]
    looks = {label: (SHAPES[i % len(SHAPES)], COLOURS[i % len(COLOURS)]) for i, label in enumerate(labels)}
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def place(value: float) -> float:
        return LEFT + (math.log10(value) - low) / (high - low) * WIDTH

    legend_lines = -(-len(labels) // PER_LINE)
    bottom = TOP + ROW * len(times)
    height, width = bottom + 44 + 22 * legend_lines, LEFT + WIDTH + 40
    frame = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {frame} role="img" aria-label="{html.escape(title)}">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        f'<text class="title" x="14" y="24">{html.escape(title)}</text>',
        f'<text class="faint" x="{LEFT + WIDTH}" y="24" text-anchor="end">logarithmic; left is faster</text>',
    ]
    for exponent in range(low, high + 1):
        x = place(10.0**exponent)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 16}" y2="{bottom}"/>')
        parts.append(f'<text class="faint" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{spell(exponent)}</text>')
    for number, (name, row) in enumerate(times.items()):
        y = TOP + ROW * number + ROW / 2 - 8
        parts.append(f'<text x="14" y="{y + 4:.1f}">{html.escape(name)}</text>')
        if row:
            parts.append(
                f'<line x1="{place(min(row.values())):.1f}" x2="{place(max(row.values())):.1f}" y1="{y}" y2="{y}"/>'
            )
        for label in sorted(row, key=lambda label: roles[label] == "ours"):  # ours on top
            shape, colour = looks[label]
            spot = mark(shape, place(row[label]), y, colour, filled=roles[label] == "ours")
            tip = html.escape(f"{name}, {label}: {row[label]:.3g} us")
            parts.append(f"<g><title>{tip}</title>{spot}</g>")
    for number, label in enumerate(labels):
        x, y = 24 + (width - 40) / PER_LINE * (number % PER_LINE), bottom + 46 + 22 * (number // PER_LINE)
        shape, colour = looks[label]
        parts.append(mark(shape, x, y - 4, colour, filled=roles[label] == "ours"))
        parts.append(f'<text x="{x + 14:.1f}" y="{y}">{html.escape(label)}</text>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
    print(f"wrote {path}")


def spell(exponent: int) -> str:
    """A power of ten of microseconds, in a unit that reads well."""
    for least, unit in ((6, "s"), (3, "ms"), (0, "us")):
        if exponent >= least:
            return f"{10 ** (exponent - least)} {unit}"
    return f"{10 ** (exponent + 3)} ns"
