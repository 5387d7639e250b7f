"""The report of `check`: what was found, with the faces that a terminal, a notebook and a pipe get to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chainrule.checking.display import as_html, as_text, renderables
from chainrule.checking.findings import Findings
from chainrule.checking.methods import Methods


@dataclass(frozen=True)
class Report(Findings):
    """What `cr.check` found; true when the gradient is proved. `Findings` has the fields."""

    measure: Callable[[], Methods] | None = field(default=None, repr=False, compare=False)

    def methods(self) -> Methods:
        """Symbolic, numerical, complex-step and automatic derivatives side by side: error, evaluations, seconds.

        `print` shows what comes back as a table; its `to_dict()` gives plain data.
        """
        assert self.measure is not None
        return self.measure()

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield from renderables(self, options.max_width)

    def _repr_html_(self) -> str:
        return as_html(self)
