"""With which settings a function of `cr.nn` was called: found by calling it again.

The one idea: a trace knows which function was called, and not how. What has the same equations and the same value is the
same call.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule import nn
from chainrule.errors import ChainruleError
from chainrule.graphs import Equation, Graph
from chainrule.matrix_form import Call, Symbol
from chainrule.nn.losses import REDUCTIONS
from chainrule.show.derived import FoldedCall
from chainrule.show.writing import Statement
from chainrule.simplify.passes import simplify_graph
from chainrule.views import graph as trace_graph


def as_called(call: FoldedCall, forward: Graph, line: Statement, values: Mapping[str, Any]) -> FoldedCall | None:
    """A call with the settings that it was made with, found by making it again; None if that finds none."""
    function = getattr(nn, call.form.function, None)
    origin = line.equation.origin
    if function is None or origin is None:
        return None
    recorded = [e for e in forward.equations if e.origin is not None and e.origin.calls[:1] == origin.calls[:1]]
    names = [symbol.name for symbol in call.form.arguments if isinstance(symbol, Symbol)]
    if not all(name in values for name in names):
        return None
    axes = range(-1, max((np.ndim(values[name]) for name in names), default=0))
    takes = inspect.signature(function).parameters
    choices = {"reduction": (None, *REDUCTIONS), "axis": (None, *axes)}
    options = [choices[key] if key in takes else (None,) for key in choices]
    for arguments in dict.fromkeys((tuple(names), tuple(reversed(names)))):
        for settings in itertools.product(*options):
            given = {key: setting for key, setting in zip(choices, settings, strict=True) if setting is not None}
            try:
                with np.errstate(all="ignore"):  # what does not fit may divide by zero
                    found = function(*(values[name] for name in arguments), **given)
                    again = trace_graph(functools.partial(function, **given), *(values[name] for name in arguments))
            except (ChainruleError, TypeError, ValueError, IndexError):
                continue
            if _agree(found, values[call.output]) and _kinds(simplify_graph(again).equations) == _kinds(recorded):
                told = tuple((key, repr(setting)) for key, setting in given.items())
                return replace(call, form=Call(call.form.function, tuple(map(Symbol, arguments)), told))
    return None


def _agree(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-6, atol=0, equal_nan=True)


def _kinds(equations: Iterable[Equation]) -> list[tuple]:
    """What equations do, but for sizes and stretching, which a trace of numbers need not record."""
    return [
        (e.primitive.name, e.params if e.primitive.name in ("sum", "mean", "max", "min") else ())
        for e in equations
        if e.primitive.name
        not in ("size", "full", "convert", "broadcast_to", "expand_dims", "one_hot", "stop_gradient")
    ]
