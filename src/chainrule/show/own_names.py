"""The user's own names for what simplification names anew: a softmax that is called o stays o.

The one idea: a stable form that was recognised for a line of the user's has that line's value, up to rounding. A helping line of
the backward pass with the same numbers is that line, and is not written down twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.graphs import Graph
from chainrule.show.lines import renamed_form
from chainrule.show.writing import Statement

SAME = 1e-9  # relative; float32 has less, and keeps both lines


def with_own_names(
    statements: tuple[Statement, ...], values: Mapping[str, Any], recognised: Graph
) -> tuple[Statement, ...]:
    """The lines, helping ones that repeat a recognised line of the user's left out.

    Parameters
    ----------
    statements : tuple of Statement
    values : mapping of str to array
        The value of each line.
    recognised : Graph
        The forward graph with the stable forms of what was recognised, under the names of what they stand for.
    """
    names = {
        recognised.variables[e.output].name
        for e in recognised.equations
        if e.step is not None and e.step.rule == "recognise"
    }
    forward = [s.name for s in statements if not s.derived and s.name in names]
    cotangents = {f"d{name}" for name in values}
    mapping: dict[str, str] = {}
    for line in statements:
        if not line.derived or line.name in cotangents:
            continue
        same = next((name for name in forward if _same(values[line.name], values[name])), None)
        if same is not None:
            mapping[line.name] = same
    if not mapping:
        return statements
    return tuple(
        replace(
            line,
            form=renamed_form(line.form, mapping),
            simpler=renamed_form(line.simpler, mapping) if line.simpler is not None else None,
        )
        for line in statements
        if line.name not in mapping
    )


def _same(left: Any, right: Any) -> bool:
    a, b = np.asarray(left), np.asarray(right)
    return a.shape == b.shape and a.ndim > 0 and bool(np.allclose(a, b, rtol=SAME, atol=0.0))
