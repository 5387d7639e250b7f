"""Staging: one graph for every batch size, from a function that is traced without values.

The one idea: plain Python hides sizes as ints (`len(y)`, `np.zeros((N, k))`, `np.arange(N)`), so the function is traced
at the sizes of the example and again at others. A literal, a parameter or a constant array that follows a size in both
is lifted to it; a size on which anything else depends is *specialised*: it keeps its number, with a guard.

The result holds for every size that its guards allow; sizes 0 and 1 are literal and belong to the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, UnsupportedError
from chainrule.graphs import Graph, Variable, validate
from chainrule.labels import Labels
from chainrule.lifting import DifferentError, lift, same_array
from chainrule.shapes import SizeExpr, SizeScope
from chainrule.tracer import new_trace

SMALL = (2, 3, 5)  # sizes at which every staged program is traced again
REPEATS = 3  # traces that must agree when no size is free
REFUSALS = (
    ChainruleError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, AssertionError, MemoryError,
    OverflowError,
)  # fmt: skip
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
    """A staged function."""

    graph: Graph
    specialised: list[str] = field(default_factory=list)
    originals: dict[int, Any] = field(default_factory=dict)  # the captured array of each constant
    reads: list[str] = field(default_factory=list)  # lines that read a size as a plain number, and it did not follow
    holds: Callable[[dict[int, int]], bool] | None = (
        None  # traces at other sizes and compares; None if no size was read
    )


@dataclass
class _Recording:
    graph: Graph
    result: Any
    scope: SizeScope
    entered: list
    originals: dict[int, Any]
    labels: list  # what each stand-in for an integer array was found to be
    frozen: dict[int, int] = field(default_factory=dict)
    plan: dict[int, Any] = field(default_factory=dict)


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
        final = replace(_record(function, specs, {}, frozen), frozen=frozen)
        repeated = [_record(function, specs, {}, frozen, labels=first.labels).graph for _ in range(REPEATS)]
        if not all(_same_graph(final.graph, graph) for graph in repeated):
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
    told = {final.entered[place][1] for place in final.plan}
    reads = sorted({line for _, line in final.scope.specialised if line not in told})

    def holds(sizes: dict[int, int]) -> bool:
        return confirmed(function, specs, final, sizes)

    return Staged(final.graph, notes, final.originals, reads, holds if final.scope.specialised else None)


def _record(
    function, specs, changed: dict[int, int], frozen: dict[int, int], plan=None, labels: list | None = None
) -> _Recording:
    scope = SizeScope()
    trace = new_trace(concrete=False, scope=scope, places=True)
    trace.base = trace
    trace.entered = []
    trace.labels = Labels(trace, labels)
    trace.plan = {place: found.build for place, found in (plan or {}).items()}
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
        kinds = trace.labels.kinds()
        trace.graph.outputs = [trace.operand(o) for o in outputs]
    except ValueError as error:
        if isinstance(error.__cause__, UnsupportedError):  # NumPy: "setting an array element with a sequence"
            raise error.__cause__ from None
        raise
    finally:
        entered, originals = trace.entered, trace.originals()
        trace.close()
    return _Recording(trace.graph, result, scope, entered, originals, kinds)


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
    kinds = first.labels
    try:
        plan = _compare(first, _record(function, specs, changed, {}, labels=kinds), [group[0] for group in classes])
        if plan is None:
            return None
        final = first if not plan and not frozen else _record(function, specs, {}, frozen, plan, kinds)
    except REFUSALS:
        return None
    final = replace(final, frozen=frozen, plan=plan, labels=kinds)
    between = {symbol: 2 * size - first.scope.hints[symbol] + 1 for symbol, size in changed.items()}
    probes = [changed, between, *(dict.fromkeys(free, size) for size in SMALL)]
    return final if all(confirmed(function, specs, final, sizes) for sizes in probes) else None


def confirmed(function, specs: Sequence[Spec], final: _Recording, sizes: dict[int, int]) -> bool:
    """Whether the function traced at these sizes says the same, as far as the guards allow them."""
    if not _allowed(final.scope, sizes):
        return True
    try:
        again = _record(function, specs, sizes, final.frozen, final.plan, final.labels)
    except REFUSALS:
        return False
    if not _same_graph(final.graph, again.graph):
        return False
    return all(found.explains(again.scope, again.entered[place][0]) for place, found in final.plan.items())


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
    return all(same_array(a, b) for a, b in zip(one.constants.values(), other.constants.values(), strict=True))


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
            lifted = lift(a, b, numbers)
        except DifferentError:
            return None
        if lifted is not None:
            plan[place] = lifted
    return plan
