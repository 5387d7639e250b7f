"""A report as text, for a terminal and for a notebook: one table, and what there is to say below it.

The one idea: all three are made of the same cells and sentences. A table that is too wide for the place loses its least
telling columns, never its verdicts; `to_dict()` has everything in any case. Text that is piped has no colours and the width
of a page.
"""

from __future__ import annotations

import html
import math
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.checking.findings import GOOD, NOT_FINITE, NOT_JUDGED, ON_A_KINK, PROVED, WRONG, Findings, Link, Row
from chainrule.checking.subject import spell_entry

PAGE = 120  # columns of text that is piped
SPARED_FIRST = ("compared", "noise", "absolute", "dtype", "method", "shape", "worst entry", "by method", "derived")
COLOURS = {PROVED: "green", ON_A_KINK: "yellow", WRONG: "bold red", NOT_FINITE: "bold red", NOT_JUDGED: "bold red"}
TO_THE_RIGHT = ("relative", "absolute", "noise", "derived", "by method", "compared")
NO_RULE = (
    "no single rule: each equation's vjp agrees with its own forward, so it is the way they are put together, or the "
    "function is not what its trace says at other points"
)


def as_text(report: Findings, width: int | None = None) -> str:
    """The report without colours, `width` columns wide: by default the terminal's, or a page where it is piped."""
    if width is None:
        width = shutil.get_terminal_size((PAGE, 24)).columns if sys.stdout.isatty() else PAGE
    head, rows = table(report, width)
    lines = [headline(report), ""]
    if rows:
        widths = [max(len(row[c]) for row in [head, *rows]) for c in range(len(head))]
        for row in [head, *rows]:
            cells = [
                cell.rjust(w) if title in TO_THE_RIGHT else cell.ljust(w)
                for cell, w, title in zip(row, widths, head, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    for label, text in sentences(report):
        lines += _wrapped(label, text, width)
    return "\n".join(lines)


def renderables(report: Findings, width: int) -> Iterator[Any]:
    """The report for rich's console."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    head, rows = table(report, width)
    yield Text(headline(report), style="bold green" if report else "bold red")
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in head:
        shown.add_column(title, justify="right" if title in TO_THE_RIGHT else "left", no_wrap=True)
    place = head.index("verdict")
    for row in rows:
        cells = [Text(cell) for cell in row]
        cells[place].stylize(COLOURS.get(row[place], ""))
        shown.add_row(*cells)
    yield Padding(shown, (1, 0))
    for label, text in sentences(report):
        yield Text("\n".join(_wrapped(label, text, width)))


def as_html(report: Findings) -> str:
    """The report for a notebook; every name and line of code in it is escaped."""
    head, rows = table(report, 10_000)
    cells = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    said = "".join(
        f"<dt>{html.escape(label)}</dt><dd><pre>{html.escape(text)}</pre></dd>" for label, text in sentences(report)
    )
    return (
        f"<div><p><strong>{html.escape(headline(report))}</strong></p>"
        f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table><dl>{said}</dl></div>"
    )


def headline(report: Findings) -> str:
    """One line that says what came of it."""
    name, verdict = report.function, report.verdict
    kinks = sum(row.kink_count for row in report.rows)
    if verdict == WRONG and all(row.verdict in GOOD for row in report.rows):
        failed = [link.name for link in (report.trace, *report.programs, *report.consistency) if not link.holds]
        return f"{name}: WRONG, though the unsimplified gradient is right: {', '.join(failed)}"
    return {
        PROVED: f"{name}: the gradient is proved",
        ON_A_KINK: f"{name}: the gradient is proved; {kinks:,} {_entries(kinks)} on a kink, where it is a convention",
        WRONG: f"{name}: the gradient is WRONG",
        NOT_FINITE: f"{name}: NOT FINITE, so there is nothing to prove",
        NOT_JUDGED: f"{name}: cannot be judged",
    }.get(verdict, f"{name}: no difference to see, so nothing is proved and nothing contradicted")


def _entries(count: int) -> str:
    return "entry sits" if count == 1 else "entries sit"


def table(report: Findings, width: int) -> tuple[list[str], list[list[str]]]:
    """The head and the cells that fit into that width."""
    full = [_cells(row) for row in report.rows]
    titles = list(full[0]) if full else []
    for spared in SPARED_FIRST:
        if _width(titles, full) <= width:
            break
        titles.remove(spared)
    return titles, [[cells[title] for title in titles] for cells in full]


def _width(titles: Sequence[str], rows: Sequence[dict[str, str]]) -> int:
    return sum(max(len(title), *(len(row[title]) for row in rows)) + 2 for title in titles) - 2


def _cells(row: Row) -> dict[str, str]:
    worst = row.worst
    compared = f"{row.compared:,} of {row.entries:,}" if row.directions else f"{row.compared:,}"
    return {
        "argument": row.path,
        "shape": str(row.shape),
        "dtype": row.dtype,
        "method": row.method,
        "compared": compared,
        "verdict": row.verdict,
        "relative": _error(row.relative) if worst else "-",
        "absolute": _error(row.absolute) if worst else "-",
        "noise": f"{row.noise:.0e}" if worst else "-",
        "worst entry": spell_entry("", worst.index) or "itself" if worst else "-",
        "derived": f"{worst.derived:.6g}" if worst else "-",
        "by method": f"{worst.by_method:.6g}" if worst else "-",
    }


def _error(error: float) -> str:
    return "0" if error == 0 else f"{error:.1e}"


def sentences(report: Findings) -> Iterator[tuple[str, str]]:
    """What there is to say beside the table: (label, text), failures first."""
    for problem in report.problems:
        yield "problem", problem
    for born in report.not_finite:
        yield "not finite", str(born)
    for row in report.rows:
        if row.wrong:
            yield "wrong", _wrong(row)
    for fault in report.faults:
        name = f", which makes {fault.name}" if fault.name else ""
        rule = f"the rule of {fault.primitive} for operand {fault.operand}{name}, {fault.line}: {fault.code}"
        told = f"its vjp gives {fault.got:.6g} {fault.where}, differences of its forward {fault.expected:.6g}"
        yield "at fault", f"{rule}\n{told}"
    if any(row.wrong for row in report.rows) and not report.faults:
        yield "at fault", NO_RULE
    for row in report.rows:
        if row.kinks:
            yield "on a kink", _kinks(row)
    yield "trace", _link(report.trace)
    if report.coverage:
        yield "compared", report.coverage + _by_method(report)
    for link in report.programs:
        yield "program", f"{link.name}: {_link(link)}"
    for link in report.consistency:
        yield "consistency", f"{link.name}: {_link(link)}"
    yield from _as_given(report)
    for row in report.rows:
        if row.note and not any(row.note in note for note in report.notes):
            yield "note", f"{row.path}: {row.note}"
    for note in report.notes:
        yield "note", note
    yield "spent", f"{report.evaluations:,} evaluations of {report.function}, {report.seconds:.2g} s"


def _by_method(report: Findings) -> str:
    """`; by complex step`, or which leaves are judged how."""
    paths: dict[str, list[str]] = {}
    for row in report.rows:
        if row.compared or row.directions:
            paths.setdefault(row.method, []).append(row.path)
    if len(paths) <= 1:
        return "".join(f"; by {method} of {report.function}()" for method in paths)
    return "; " + ", ".join(f"by {method} for {', '.join(names)}" for method, names in paths.items())


def _link(link: Link) -> str:
    if link.error == 0 or math.isnan(link.error) or not math.isfinite(link.error):
        return link.says
    return f"{link.says} ({link.error:.1e})"


def _wrong(row: Row) -> str:
    count = f"{row.wrong_count:,} of the {row.compared:,} entries compared"
    lines = [f"{row.path}: {count}" if row.entries > 1 else row.path]
    for entry in row.wrong:
        ratio = entry.derived / entry.by_method if entry.by_method else math.nan
        times = f", {ratio:.4g} times as much" if math.isfinite(ratio) and abs(ratio - 1) > 1e-3 else ""
        derived, right = _apart(entry.derived, entry.by_method)
        lines.append(f"{spell_entry(row.path, entry.index)} is derived as {derived}, {row.method} gives {right}{times}")
    return "\n".join(lines)


def _apart(left: float, right: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ."""
    for digits in (6, 9, 12, 17):
        if f"{left:.{digits}g}" != f"{right:.{digits}g}":
            break
    return f"{left:.{digits}g}", f"{right:.{digits}g}"


def _kinks(row: Row) -> str:
    lines = [f"{row.path}: {row.kink_count:,} of {row.entries:,} entries"] if row.entries > 1 else []
    for kink in row.kinks:
        where = spell_entry(row.path, kink.index)
        more = f" and {kink.count - 1:,} more" if kink.count > 1 else ""
        at = f" at entry {list(kink.at)}{more}" if kink.at else more
        lines.append(
            f"{where}: {kink.primitive}{at}, {kink.line}: {kink.code}\n"
            f"  slope {kink.left:.6g} below, {kink.right:.6g} above, both as derived there; at the kink {kink.derived:.6g} is taken"
            + (
                ""
                if min(kink.left, kink.right) - 1e-3 <= kink.derived <= max(kink.left, kink.right) + 1e-3
                else ", which is neither"
            )
        )
    return "\n".join(lines)


def _as_given(report: Findings) -> Iterator[tuple[str, str]]:
    narrow = [row for row in report.rows if row.as_given is not None and math.isfinite(row.as_given)]
    if narrow:
        worst = max(narrow, key=lambda row: row.as_given or 0.0)
        lost = f"computed in the dtypes as given, the gradient of {worst.path} is off by {worst.as_given:.1e} at worst"
        yield "as given", f"judged in float64; {lost}, which is rounding and no part of the verdict"


def _wrapped(label: str, text: str, width: int) -> list[str]:
    """`label  text`, the text in its own column, its lines kept and broken where they are too long."""
    indent = " " * 13
    lines = []
    for number, line in enumerate(text.split("\n")):
        start = f"{label:<13}" if number == 0 else indent
        hanging = indent + " " * (len(line) - len(line.lstrip()) + 2)
        lines += textwrap.wrap(start + line, max(width, 40), subsequent_indent=hanging, break_on_hyphens=False) or [
            start
        ]
    return lines
