"""What `check_backward` found, as plain data and as text: each gradient right or wrong, and what is wrong.

The one idea: one mistake, one message, even if ten gradients are wrong. A cause says where it is, what was written there,
what it explains, and what else would give the same numbers; what nothing explains is said to be so.
"""

from __future__ import annotations

import html
import io
from dataclasses import asdict, dataclass, field
from typing import Any

VERDICTS = {
    "correct": "every gradient is right",
    "float32_noise_only": "every gradient is right, up to the rounding of float32",
    "kink_hit_only": "every gradient is right; some entries sit on a kink, where the derivative is a convention",
}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class GradientRow:
    """One gradient, or one value on the way to it, beside the right one.

    Attributes
    ----------
    name : str
        As in "dW1".
    shape : tuple of int
        What it has to be.
    right : bool
    relative, absolute : float
        The worst error, relative to the array's largest entry.
    index : tuple of int
        Where it is.
    got, expected : float
        The two values there.
    remark : str
        A wrong shape, or entries that are not finite.
    gradient : bool
        False for an intermediate value that was given.
    """

    name: str
    shape: tuple[int, ...]
    right: bool
    relative: float
    absolute: float
    index: tuple[int, ...]
    got: float
    expected: float
    remark: str = ""
    gradient: bool = True


@dataclass(frozen=True)
class Finding:
    """One mistake.

    Attributes
    ----------
    word : str
        Its word, from the list in the documentation: "missing_activation_derivative".
    also : tuple of str
        Other words for the same arithmetic.
    quantity : str
        The number of the backward pass that is wrong first: "dZ2".
    quantities : tuple of str
        All places where the same mistake was made.
    says : str
        The mistake in words.
    where : str
        The line of the loss whose backward pass it is.
    explains : tuple of str
        The gradients that are wrong by it.
    rivals : tuple of str
        Other mistakes that would give the same numbers, in words.
    mend : object or None
        The line of `backward` and a correction of it, if one was found.
    """

    word: str
    also: tuple[str, ...]
    quantity: str
    quantities: tuple[str, ...]
    says: str
    where: str
    explains: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    mend: Any = None


@dataclass(frozen=True)
class BackwardReport:
    """The judgement of a backward pass; true if every gradient is right.

    Attributes
    ----------
    function : str
    backward : str
    gradients : tuple of GradientRow
    findings : tuple of Finding
        From the loss on.
    unexplained : tuple of str
        Gradients that are wrong in a way that no mistake of the search reproduces.
    verdict : str
        "correct", "float32_noise_only", "kink_hit_only"; else the words of the findings joined by "+", or "unknown".
    ruled_out : int
        How many mistakes were tried.
    notes : tuple of str
    """

    function: str
    backward: str
    gradients: tuple[GradientRow, ...]
    findings: tuple[Finding, ...] = ()
    unexplained: tuple[str, ...] = ()
    verdict: str = "correct"
    ruled_out: int = 0
    first_departure: str = ""
    notes: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return self.verdict in VERDICTS

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the findings, each once, from the loss on."""
        return tuple(dict.fromkeys(finding.word for finding in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings and lists."""
        plain = asdict(self)
        for finding, made in zip(plain["findings"], self.findings, strict=True):
            finding["mend"] = None if made.mend is None else str(made.mend)
        return plain | {"right": bool(self)}

    def __str__(self) -> str:
        return self.text(100)

    def text(self, width: int) -> str:
        """The report as plain text, so many characters wide."""
        from rich.console import Console

        stream = io.StringIO()
        console = Console(file=stream, width=width, highlight=False, color_system=None, legacy_windows=False)
        console.print(self)
        return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.25">{html.escape(self.text(110))}</pre>'

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        head = Text(f"{self.backward}, the backward pass of {self.function}: ")
        head.append(self._headline(), style="bold green" if self else "bold red")
        parts: list[Any] = [head, Text(""), self._table()]
        for number, finding in enumerate(self.findings, 1):
            parts += [Text(""), *_told(number, finding, len(self.findings))]
        if self.unexplained:
            parts += [Text(""), Text(self._unexplained_text())]
        for note in self.notes:
            parts += [Text(""), Padding(Text(f"note: {note}"), (0, 0, 0, 0))]
        return Group(*parts)

    def _headline(self) -> str:
        if self:
            return VERDICTS[self.verdict]
        wrong = sum(not row.right and row.gradient for row in self.gradients)
        count = len(self.findings)
        found = "no cause found" if not count else "one mistake" if count == 1 else f"{count} mistakes"
        return f"{wrong} of {sum(row.gradient for row in self.gradients)} gradients wrong, {found}"

    def _unexplained_text(self) -> str:
        names = ", ".join(self.unexplained)
        where = f" The first number that departs is {self.first_departure}." if self.first_departure else ""
        return (
            f"{names}: wrong, and none of the {self.ruled_out:,} mistakes that were tried gives these numbers: no size, sign, "
            "transpose, missing or wrong derivative, dropped path, wrong sum, wrong array, at any place, alone or two at a "
            f"time.{where} Pass intermediates={{...}} with dZ, dA, ... of your backward pass to come nearer to it."
        )

    def _table(self) -> Any:
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for heading in ("", "shape", "", "worst error", "at", "yours", "right"):
            table.add_column(heading, justify="right" if heading in ("worst error", "yours", "right") else "left")
        for row in self.gradients:
            mark = "right" if row.right else "wrong"
            worst = "" if row.relative == 0 else f"{row.relative:.1e}"
            place = str(list(row.index)).replace(" ", "") if not row.right and not row.remark else ""
            values = (f"{row.got:.6g}", f"{row.expected:.6g}") if place else ("", "")
            table.add_row(
                row.name, str(row.shape), mark, worst if not row.remark else row.remark, place, *values,
                style=None if row.right else "red",
            )  # fmt: skip
        return table


def _told(number: int, finding: Finding, count: int) -> list[Any]:
    from rich.padding import Padding
    from rich.text import Text

    head = Text(f"{number}. " if count > 1 else "")
    head.append(finding.word, style="bold")
    places = ", ".join(finding.quantities)
    head.append(f" in {places}" + (f", of {finding.where}" if finding.where else ""))
    lines: list[Any] = [head, Padding(Text(finding.says), (0, 0, 0, 3))]
    lines.append(Padding(Text(f"explains {', '.join(finding.explains)}", style="dim"), (0, 0, 0, 3)))
    if finding.rivals:
        lines.append(
            Padding(Text(f"or, with the same numbers: {'; '.join(finding.rivals)}", style="dim"), (0, 0, 0, 3))
        )
    if finding.mend is not None:
        lines.append(Padding(Text(str(finding.mend)), (1, 0, 0, 3)))
    return lines
