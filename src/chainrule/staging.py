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
from chainrule.graphs import Graph, Literal, Variable, validate
from chainrule.labels import Labels
from chainrule.primitives.control import ARANGE, EYE, FULL, SIZE
from chainrule.primitives.shaping import RESHAPE
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
    originals: dict[int, Any] = field(default_factory=dict)  # the captured array of each constant


@dataclass
class _Recording:
    graph: Graph
    result: Any
    scope: SizeScope
    entered: list
    originals: dict[int, Any]


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
    classes = _classes(first)
    final = _attempt(function, specs, first, classes)
    if final is None:
        classes = [part for group in classes for part in _able(function, specs, first, group)]
        final = _attempt(function, specs, first, classes)
    if final is None:
        classes, frozen = [], dict(enumerate(first.scope.hints))
        final = _record(function, specs, {}, frozen)
        if not _same_graph(final.graph, _record(function, specs, {}, frozen).graph):
            raise UnsupportedError(
                "the function gives another program each time it is staged: it draws random numbers, counts its calls, "
                "or indexes a plain array with a traced integer array. Draw and look up outside and pass the result in, or "
                "write cr.nn.one_hot(y, k) @ table for table[y]"
            )
    free = {s for group in classes for s in group}
    notes = [
        f"axis {axis} of {name} is fixed at {first.scope.hints[s]}"
        for s, (name, axis) in enumerate(first.scope.origins)
        if s not in free
    ]
    validate(final.graph)
    return Staged(final.graph, final.result, notes, final.originals)


def _record(function, specs, changed: dict[int, int], frozen: dict[int, int], plan=None) -> _Recording:
    scope = SizeScope()
    trace = new_trace(concrete=False, scope=scope, places=True)
    trace.base = trace
    trace.entered = []
    trace.labels = Labels(trace)
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
        trace.labels.check()
        trace.graph.outputs = [trace.operand(o) for o in outputs]
    finally:
        entered, originals = trace.entered, trace.originals()
        trace.close()
    return _Recording(trace.graph, result, scope, entered, originals)


def _classes(recording: _Recording) -> list[list[int]]:
    """The axes that go together: unified by an operation, or, once a plain number is met, all of that size."""
    scope = recording.scope
    resolved = [scope.resolve(scope.face(symbol)) for symbol in range(len(scope.hints))]
    numbers = {dim for dim in resolved if type(dim) is int}
    groups: dict[Any, list[int]] = {}
    for symbol, dim in enumerate(resolved):
        hint = scope.hints[symbol]
        groups.setdefault(hint if hint in numbers else dim, []).append(symbol)
    return list(groups.values())


def _able(function, specs, first: _Recording, group: list[int]) -> list[list[int]]:
    """The parts of a class whose size can be another: all of it, the axes of one number, or single ones."""
    scope = first.scope
    by_axis: dict[int, list[int]] = {}
    by_unit: dict[Any, list[int]] = {}
    for symbol in group:
        by_axis.setdefault(scope.origins[symbol][1], []).append(symbol)
        dim = scope.resolve(scope.face(symbol))
        by_unit.setdefault(dim if type(dim) is not int else (dim, symbol), []).append(symbol)
    for partition in ([group], list(by_axis.values()), list(by_unit.values())):
        able = [part for part in partition if _attempt(function, specs, first, [part]) is not None]
        if able:
            return able
    return []


def _attempt(function, specs, first: _Recording, classes: list[list[int]]) -> _Recording | None:
    """The recording in which these classes are free, confirmed at other sizes; None where it does not hold there."""
    free = {symbol for group in classes for symbol in group}
    frozen = {symbol: hint for symbol, hint in enumerate(first.scope.hints) if symbol not in free}
    changed = {
        symbol: first.scope.hints[symbol] + STRIDES[number % len(STRIDES)] * (1 + number // len(STRIDES))
        for number, group in enumerate(classes)
        for symbol in group
    }
    try:
        plan = _compare(first, _record(function, specs, changed, {}), [group[0] for group in classes])
        if plan is None:
            return None
        final = first if not plan and not frozen else _record(function, specs, {}, frozen, plan)
        smallest = dict.fromkeys(free, 2)
        large = {symbol: 16 * size + 1 for symbol, size in changed.items()}
        for sizes in (changed, smallest, large):
            if not _allowed(final.scope, sizes):
                continue
            again = _record(function, specs, sizes, frozen, plan)
            if not _same_graph(final.graph, again.graph):
                return None
    except (ChainruleError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, AssertionError):
        return None
    return final


def _allowed(scope: SizeScope, sizes: dict[int, int]) -> bool:
    """Whether the guards hold at these sizes."""

    def value(dim: Any) -> Any:
        return dim.evaluate(lambda s: sizes.get(s, scope.hints[s])) if isinstance(dim, SizeExpr) else dim

    return all(guard.holds(value(guard.left), value(guard.right)) for guard in scope.guards)


def _same_graph(one: Graph, other: Graph) -> bool:
    """Whether two graphs say the same at different sizes: no number in them follows a size unseen."""
    if len(one.equations) != len(other.equations) or one.outputs != other.outputs:
        return False
    for a, b in zip(one.equations, other.equations, strict=True):
        if (a.primitive, a.inputs, a.params, a.output) != (b.primitive, b.inputs, b.params, b.output):
            return False
    if [v.shape for v in one.variables] != [v.shape for v in other.variables]:
        return False
    if list(one.constants) != list(other.constants):
        return False
    return all(_same_array(a, b) for a, b in zip(one.constants.values(), other.constants.values(), strict=True))


def _same_array(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


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
    if Literal(a) == Literal(b):
        return None
    return _lift_number(a, b, numbers)


def _lift_int(a: int, b: int, numbers) -> Callable[[SizeScope], Any]:
    """`a` and `b` as one expression `p * s + q` of a size."""
    for symbol, h1, h2 in numbers:
        if h1 != h2 and (b - a) % (h2 - h1) == 0:
            p = (b - a) // (h2 - h1)
            q = a - p * h1
            if p > 0 and abs(q) <= 2 * h1:
                return _linear(symbol, p, q)
    for symbol, h1, h2 in numbers:  # halves, as in N // 2
        for divisor in (2, 3, 4, 5, 8, 10):
            if a == h1 // divisor and b == h2 // divisor:
                return _part(symbol, divisor)
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
                return _quotient(exact, symbol)
        if a == h1 and b == h2:
            return _as_float(symbol)
    raise _Different


def _linear(symbol: int, p: int, q: int) -> Callable[[SizeScope], Any]:
    return lambda scope: scope.resolve(scope.face(symbol) * p + q)


def _part(symbol: int, divisor: int) -> Callable[[SizeScope], Any]:
    return lambda scope: scope.face(symbol) // divisor


def _quotient(dividend: float, symbol: int) -> Callable[[Trace], Any]:
    return lambda trace: dividend / _scalar(trace, lambda scope: scope.face(symbol))


def _as_float(symbol: int) -> Callable[[Trace], Any]:
    return lambda trace: _scalar(trace, lambda scope: scope.face(symbol)) * 1.0


def _scalar(trace: Trace, expression) -> Any:
    scalar: Any = trace.record(SIZE, (), (expression(trace.scope), INT64), True)
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


def resolve_params(params: Any, scope: SizeScope | None) -> Any:
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
    long = [axis for axis, size in enumerate(a.shape) if size != 1]
    if len(long) == 1 and np.array_equal(a.ravel(), np.arange(a.size)) and np.array_equal(b.ravel(), np.arange(b.size)):

        def counting(trace: Trace) -> Tracer:
            shape = resolve_params(dims, trace.scope)
            numbers = trace.record(ARANGE, (), (shape[long[0]], a.dtype))
            return numbers if len(shape) == 1 else trace.record(RESHAPE, (numbers,), (shape,))

        return counting
    if a.ndim == 2 and np.array_equal(a, np.eye(*a.shape)) and np.array_equal(b, np.eye(*b.shape)):
        return lambda trace: trace.record(EYE, (), (resolve_params(dims[0:1], trace.scope)[0], a.dtype))
    raise _Different
