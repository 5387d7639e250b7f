"""Staging: one graph for every batch size, from a function that is traced without values.

The one idea: plain Python hides sizes as ints (`len(y)`, `np.zeros((N, k))`, `np.arange(N)`), so the function is traced
at the sizes of the example and again at others. A literal, a parameter or a constant array that follows a size in both
is lifted to it; a size on which anything else depends is *specialised*: it keeps its number, with a guard.

The result holds for every size that its guards allow; sizes 0 and 1 are literal and belong to the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, UnsupportedError
from chainrule.graphs import Graph, Variable, validate
from chainrule.primitives.control import ARANGE, EYE, FULL, SIZE
from chainrule.shapes import SizeExpr, SizeScope
from chainrule.sizes import INT64
from chainrule.trace import Trace
from chainrule.tracer import Tracer, new_trace

STRIDES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)  # what the second trace adds to the sizes


@dataclass
class Spec:
    """What staging needs to know of one traced leaf."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    weak: bool = False


@dataclass
class Staged:
    """A staged function: its graph and the function's result with variable numbers for leaves."""

    graph: Graph
    result: Any
    specialised: list[str] = field(default_factory=list)


@dataclass
class _Recording:
    graph: Graph
    result: Any
    scope: SizeScope
    entered: list


def stage(function: Callable[[list], tuple[Any, list]], specs: Sequence[Spec]) -> Staged:
    """Trace `function` without values.

    Parameters
    ----------
    function : callable
        Takes the list of traced leaves; returns any result and the list of its traced output leaves.
    specs : sequence of Spec
        One for each leaf.
    """
    first = _record(function, specs, {}, {})
    free = _free_symbols(first)
    plan: dict[int, Any] = {}
    if free:
        free, second = _second_trace(function, specs, first, free)
        if second is not None:
            found = _compare(first, second, free)
            if found is None:
                free = [s for s in free if _compare_alone(function, specs, first, s)]
                second = _try(function, specs, free) if free else None
                found = _compare(first, second, free) if second is not None else None
                if found is None:
                    free, found = [], {}
            plan = found
    frozen = {s: hint for s, hint in enumerate(first.scope.hints) if _root(first.scope, s) not in free}
    final = _record(function, specs, {}, frozen, plan) if plan or frozen else first
    notes = [
        f"{name} axis {axis} is fixed at {final.scope.hints[s]}"
        for s, (name, axis) in enumerate(final.scope.origins)
        if s in frozen
    ]
    validate(final.graph)
    return Staged(final.graph, final.result, notes)


def _record(function, specs, changed: dict[int, int], frozen: dict[int, int], plan=None) -> _Recording:
    scope = SizeScope()
    trace = new_trace(concrete=False, scope=scope, places=True)
    trace.entered = []
    trace.plan = plan or {}
    leaves = []
    for spec in specs:
        dims: list[Any] = []
        for axis, size in enumerate(spec.shape):
            if size < 2:
                dims.append(size)
                continue
            symbol = len(scope.hints)
            dims.append(scope.symbol(changed.get(symbol, size), spec.path, axis))
            if symbol in frozen:
                scope.merged[symbol] = size
        leaves.append(trace.input(variable=Variable(tuple(dims), spec.dtype, spec.weak, spec.path)))
    try:
        result, outputs = function(leaves)
        if trace.refusal is not None and isinstance(trace.refusal, UnsupportedError):
            raise trace.refusal
        trace.graph.outputs = [trace.operand(o) for o in outputs]
    finally:
        entered = trace.entered
        trace.close()
    return _Recording(trace.graph, result, scope, entered)


def _root(scope: SizeScope, symbol: int) -> int | None:
    resolved = scope.resolve(scope.face(symbol))
    return resolved.symbol if isinstance(resolved, SizeExpr) else symbol


def _free_symbols(recording: _Recording) -> list[int]:
    """One symbol for each class of axes whose size could be another."""
    scope = recording.scope
    return sorted({_root(scope, s) for s in range(len(scope.hints))} - {None})  # type: ignore[type-var]


def _sizes_for(first: _Recording, free: list[int]) -> dict[int, int]:
    changed = {}
    for symbol in range(len(first.scope.hints)):
        root = _root(first.scope, symbol)
        if root in free:
            changed[symbol] = first.scope.hints[symbol] + STRIDES[free.index(root) % len(STRIDES)]
    return changed


def _try(function, specs, free, first=None) -> _Recording | None:
    base = first or _record(function, specs, {}, {})
    try:
        return _record(function, specs, _sizes_for(base, free), {})
    except (ChainruleError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, AssertionError):
        return None


def _second_trace(function, specs, first, free):
    second = _try(function, specs, free, first)
    if second is not None:
        return free, second
    able = [s for s in free if _try(function, specs, [s], first) is not None]
    return able, (_try(function, specs, able, first) if able else None)


def _compare_alone(function, specs, first, symbol) -> bool:
    second = _try(function, specs, [symbol], first)
    return second is not None and _compare(first, second, [symbol]) is not None


def _compare(first: _Recording, second: _Recording, free: list[int]) -> dict[int, Any] | None:
    """What to lift, by place among what entered; None when the two traces differ otherwise."""
    if [e.primitive for e in first.graph.equations] != [e.primitive for e in second.graph.equations]:
        return None
    if len(first.entered) != len(second.entered):
        return None
    if [g.relation for g in first.scope.guards] != [g.relation for g in second.scope.guards]:
        return None
    numbers = [(s, first.scope.hints[s], second.scope.hints[s]) for s in free]
    plan: dict[int, Any] = {}
    for place, ((a, _), (b, _)) in enumerate(zip(first.entered, second.entered, strict=True)):
        try:
            lifted = _lift(a, b, numbers)
        except _Different:
            return None
        if lifted is not None:
            plan[place] = lifted
    return plan


class _Different(Exception):  # noqa: N818 - a signal, not an error
    """Two things that entered differ, and no size explains how."""


def _lift(a: Any, b: Any, numbers: list[tuple[int, int, int]]) -> Any:
    """None when equal in both traces; else what replaces it, as a function of the trace (parameters: a value)."""
    if isinstance(a, np.ndarray):
        return _lift_array(a, b, numbers)
    if isinstance(a, tuple):
        return _lift_params(a, b, numbers)
    if type(a) is type(b) and (a == b or (a != a and b != b)):
        return None
    return _lift_number(a, b, numbers)


def _lift_int(a: int, b: int, numbers) -> Callable[[SizeScope], Any]:
    """`a` and `b` as one expression `p * s + q` of a size."""
    for symbol, h1, h2 in numbers:
        if h1 != h2 and (b - a) % (h2 - h1) == 0:
            p = (b - a) // (h2 - h1)
            q = a - p * h1
            if p > 0 and abs(q) <= 2 * h1:
                return lambda scope, symbol=symbol, p=p, q=q: scope.resolve(scope.face(symbol) * p + q)
    for symbol, h1, h2 in numbers:  # halves, as in N // 2
        for divisor in (2, 3, 4, 5, 8, 10):
            if a == h1 // divisor and b == h2 // divisor:
                return lambda scope, symbol=symbol, d=divisor: scope.face(symbol) // d
    raise _Different


def _lift_number(a, b, numbers):
    if isinstance(a, (int, np.integer)) and isinstance(b, (int, np.integer)):
        expression = _lift_int(int(a), int(b), numbers)
        return lambda trace: _scalar(trace, expression)
    if not (isinstance(a, (float, np.floating)) and isinstance(b, (float, np.floating))):
        raise _Different
    for symbol, h1, h2 in numbers:
        for factor in (round(a * h1), a * h1):
            if h1 != h2 and factor / h1 == a and factor / h2 == b:
                exact = int(factor) if float(factor).is_integer() else float(factor)
                return lambda trace, s=symbol, c=exact: c / _scalar(trace, lambda scope: scope.face(s))
        if a == h1 and b == h2:
            return lambda trace, s=symbol: _scalar(trace, lambda scope: scope.face(s)) * 1.0
    raise _Different


def _scalar(trace: Trace, expression) -> Tracer:
    scalar = trace.record(SIZE, (), (expression(trace.scope), INT64), True)
    scalar.variable.name = None
    return scalar


def _lift_params(a: tuple, b: tuple, numbers):
    if a == b:
        return None
    if len(a) != len(b):
        raise _Different
    lifted = tuple(_param_lift(x, y, numbers) for x, y in zip(a, b, strict=True))
    return None if lifted == a else lambda trace: resolve_params(lifted, trace.scope)


def _param_lift(x, y, numbers):
    if isinstance(x, tuple) and isinstance(y, tuple):
        if len(x) != len(y):
            raise _Different
        return tuple(_param_lift(p, q, numbers) for p, q in zip(x, y, strict=True))
    if x == y or isinstance(x, SizeExpr) and isinstance(y, SizeExpr) and x.terms == y.terms:
        return x
    if type(x) is int and type(y) is int:
        return _lift_int(x, y, numbers)
    raise _Different


def resolve_params(params: Any, scope: SizeScope) -> Any:
    """Parameters with the lifted sizes put in."""
    if isinstance(params, tuple):
        return tuple(resolve_params(p, scope) for p in params)
    return params(scope) if isinstance(params, FunctionType) else params


def _lift_array(a: np.ndarray, b: np.ndarray, numbers):
    if not isinstance(b, np.ndarray) or a.dtype != b.dtype or a.ndim != b.ndim:
        raise _Different
    if a.shape == b.shape:
        if np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            return None
        raise _Different
    dims = tuple(x if x == y else _lift_int(x, y, numbers) for x, y in zip(a.shape, b.shape, strict=True))
    if a.size and b.size and (a == a.flat[0]).all() and (b == a.flat[0]).all():
        value = a.flat[0].item()
        return lambda trace: trace.record(FULL, (), (value, resolve_params(dims, trace.scope), a.dtype))
    if a.ndim == 1 and np.array_equal(a, np.arange(len(a))) and np.array_equal(b, np.arange(len(b))):
        return lambda trace: trace.record(ARANGE, (), (resolve_params(dims[0:1], trace.scope)[0], a.dtype))
    if a.ndim == 2 and np.array_equal(a, np.eye(*a.shape)) and np.array_equal(b, np.eye(*b.shape)):
        return lambda trace: trace.record(EYE, (), (resolve_params(dims[0:1], trace.scope)[0], a.dtype))
    raise _Different
