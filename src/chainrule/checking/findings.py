"""What `check` found, as plain data: one row for each argument leaf, and the links of the chain.

The one idea: a report is data first. What is printed (`display.py`), what a test asserts and what `--json` writes come from
the same fields, and every word of a verdict is defined here. `report.py` gives the data its faces.

| verdict | meaning |
|---|---|
| proved | the gradient is what the function itself does, at every entry that was compared |
| on a kink | as above, but some entries sit on a kink, where the derivative is a convention |
| no difference to see | gradient and differences are both 0, or both drown in rounding; nothing contradicts it |
| wrong | at least one entry is not what the function does |
| not finite | the value or the gradient is NaN or infinite |
| not judged | the function is not deterministic |
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import asdict, dataclass
from typing import Any

PROVED, ON_A_KINK, WRONG = "proved", "on a kink", "wrong"
NOT_FINITE, NO_DIFFERENCE, NOT_JUDGED = "not finite", "no difference to see", "not judged"
GOOD = frozenset((PROVED, ON_A_KINK, NO_DIFFERENCE))
WORST_FIRST = (NOT_JUDGED, WRONG, NOT_FINITE, ON_A_KINK, PROVED, NO_DIFFERENCE)


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient beside what the function itself says of it.

    Attributes
    ----------
    index : tuple of int
        Empty for a number.
    derived : float
        By the backward pass.
    by_method : float
        By complex step or differences of the user's function.
    relative, absolute : float
        The error; relative to the larger of the two, or to the noise floor where both are below it.
    """

    index: tuple[int, ...]
    derived: float
    by_method: float
    relative: float
    absolute: float


@dataclass(frozen=True)
class Kink:
    """An entry that sits on a kink, with the slopes on either side of it.

    Attributes
    ----------
    index : tuple of int
        Of the entry of the argument.
    primitive : str
        What has the kink: "maximum", "abs", "greater" (of an `np.where` or an `if`), ...
    at : tuple of int
        Which entry of that primitive's operand.
    count : int
        How many kinks the entry touches.
    line, code : str
        The user's line, and what stands in it.
    left, right : float
        The slopes of the function a little below and above; the derived gradient was compared with both, there.
    derived : float
        What the gradient is at the kink itself: a convention.
    """

    index: tuple[int, ...]
    primitive: str
    at: tuple[int, ...]
    count: int
    line: str
    code: str
    left: float
    right: float
    derived: float


@dataclass(frozen=True)
class Fault:
    """A rule whose vjp is not what differences of its own forward say.

    Attributes
    ----------
    primitive : str
    operand : int
        Counted from 1.
    name, line, code : str
        The variable that the equation makes, the user's line, and what stands in it.
    got, expected : float
        The vjp and the difference quotient of the forward; on a kink, the slope and the nearest of the two sides'.
    where : str
        "along a random direction" or "on the kink itself".
    """

    primitive: str
    operand: int
    name: str
    line: str
    code: str
    got: float
    expected: float
    where: str = "along a random direction"


@dataclass(frozen=True)
class Link:
    """One link of the chain, or one check of consistency.

    Attributes
    ----------
    name : str
        "trace", "cr.grad", "forward mode against reverse mode", ...
    error : float
        Relative; NaN where there was nothing to compare.
    holds : bool
    says : str
        In words.
    """

    name: str
    error: float
    holds: bool
    says: str


@dataclass(frozen=True)
class Row:
    """One leaf of the arguments.

    Attributes
    ----------
    path : str
        `W1`, `params['b'][0]`.
    shape : tuple of int
    dtype : str
        As the user gave it; judged in float64.
    method : str
        "complex step" or "differences".
    entries, compared, directions : int
        Entries of the leaf; how many were compared one by one; random directions that together cover every entry.
    relative, absolute : float
        The worst errors found.
    worst : Entry or None
        The entry with the worst relative error.
    noise : float
        The noise floor: what the method cannot tell from 0 in one entry, in the gradient's units.
    verdict : str
    wrong : tuple of Entry
        The worst of the wrong entries; `wrong_count` counts them all.
    kinks : tuple of Kink
        Some of the entries on a kink; `kink_count` counts them all.
    as_given : float or None
        Accuracy lost by computing in the user's dtype, relative to float64; None where that is float64.
    note : str
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    method: str
    entries: int
    compared: int
    directions: int
    relative: float
    absolute: float
    worst: Entry | None
    noise: float
    verdict: str
    wrong: tuple[Entry, ...] = ()
    wrong_count: int = 0
    kinks: tuple[Kink, ...] = ()
    kink_count: int = 0
    as_given: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """What `cr.check` found; true when the gradient is proved.

    Attributes
    ----------
    function : str
    value : float
        What the function returns.
    rows : tuple of Row
    trace : Link
        The trace computes what the function returns.
    programs : tuple of Link
        What runs gives what was proved: `cr.grad`, and the program of `cr.jit` and `cr.source`.
    consistency : tuple of Link
        What agrees with itself. That is no proof: both sides may come from one wrong rule. But what does not agree is wrong.
    faults : tuple of Fault
        The rules at fault, where something is wrong and one can be named.
    not_finite : tuple
        Where NaN or infinity begins, see `nonfinite.py`.
    problems, notes : tuple of str
        What makes a proof impossible; what is worth knowing.
    coverage : str
        What was compared, and what that would have seen.
    evaluations : int
        Calls of the function.
    seconds : float
    seed, order : int
    """

    function: str
    value: float
    rows: tuple[Row, ...]
    trace: Link
    programs: tuple[Link, ...]
    consistency: tuple[Link, ...]
    faults: tuple[Fault, ...] = ()
    not_finite: tuple[Any, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    coverage: str = ""
    evaluations: int = 0
    seconds: float = 0.0
    seed: int = 0
    order: int = 1

    @property
    def verdict(self) -> str:
        """The worst verdict of any row or link."""
        found = {row.verdict for row in self.rows}
        if self.problems:
            found.add(NOT_JUDGED)
        if not all(link.holds for link in (self.trace, *self.programs, *self.consistency)):
            found.add(WRONG)
        if self.not_finite:
            found.add(NOT_FINITE)
        return next((word for word in WORST_FIRST if word in found), NO_DIFFERENCE)

    def __bool__(self) -> bool:
        return self.verdict in GOOD

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, strings and lists; NaN and infinity as strings, for JSON has none."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(Findings)}
        return {"verdict": self.verdict, "proved": bool(self), **plain(fields)}


def plain(value: Any) -> Any:
    """Data that JSON can hold.

    >>> plain({"a": (1, float("inf"))})
    {'a': [1, 'inf']}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (str, int, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return plain(asdict(value))
