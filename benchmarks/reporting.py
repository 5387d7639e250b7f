"""Tables of results, as text or as JSON: rich on a terminal, plain columns in a pipe.

>>> print_table("Times", ("", "tiny", "digits"), [("numpy", "29.1", "56.0"), ("ours", "0.8", "8.6")])
Times
       tiny  digits
numpy  29.1    56.0
ours    0.8     8.6
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], ruled: Sequence[int] = ()) -> None:
    """Print rows of cells, the first column to the left, all others to the right.

    Parameters
    ----------
    ruled : sequence of int
        Numbers of rows that a line is drawn under.
    """
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table
        except ImportError:
            pass
        else:
            table = Table(title=title, title_justify="left", title_style="bold")
            for number, name in enumerate(head):
                table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
            for number, row in enumerate(rows):
                table.add_row(*map(_coloured, row), end_section=number in ruled)
            Console().print(table)
            return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    print(title)
    for number, row in enumerate([head, *rows], start=-1):
        cells = [
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
        if number in ruled:
            print()


def _coloured(cell: str) -> str:
    """The cell in rich's markup; the word itself tells enough where colours do not."""
    colour = {"met": "green", "missed": "red"}.get(cell.rsplit(" ", maxsplit=1)[-1].strip(")"))
    return f"[{colour}]{cell}[/]" if colour else cell


def number(value: float | None) -> str:
    """Three digits that mean something, or a dash."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def describe_machine(facts: dict[str, Any], versions: dict[str, str]) -> str:
    """Two lines: the machine and how busy it was, and all versions."""
    busy = "" if facts["load"] < 0.5 else ": it was busy, mistrust these numbers"
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}; load {facts['load']} at the start{busy}\n"
        f"Python {facts['python']}, " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    )


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Write everything that was found."""
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"wrote {path}")
