"""Running a graph equation by equation: the meaning against which everything else is judged.

It simplifies nothing, fuses nothing and emits nothing. The arguments may themselves be traced values: then the graph's
equations are recorded by their trace, which is how a derivative is derived again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.graphs import FORWARD_VALUE, Graph, Step
from chainrule.primitive import apply
from chainrule.pytree import Recorder
from chainrule.shapes import SizeExpr
from chainrule.sharing import apart
from chainrule.sizes import Size


def evaluate(graph: Graph, arguments: Sequence[Any], *, everything: bool = False, top: Any = None) -> Any:
    """The outputs of a graph for these arguments (one for each input), or the value of every variable.

    Parameters
    ----------
    graph : Graph
    arguments : sequence of arrays or traced values
        In the order of `graph.inputs`.
    everything : bool
        Return the list of all variables' values instead of the outputs.
    top : Trace, optional
        The trace that records even what depends on no traced value; default the highest among the arguments.
    """
    values: list[Any] = [None] * len(graph.variables)
    for number, value in graph.constants.items():
        values[number] = value
    for number, argument in zip(graph.inputs, arguments, strict=True):
        values[number] = argument
    top = highest_trace(values) or top
    size_of = bind_sizes(graph, arguments, top)
    for equation in graph.equations:
        operands = [values[i] if type(i) is int else i.value for i in equation.inputs]  # type: ignore[union-attr]
        primitive = equation.primitive
        params = tuple(with_sizes(p, size_of) for p in equation.params)
        output = graph.variables[equation.output]
        if top is not None:
            value = _record(top, primitive, operands, params, output, equation)
        elif output.weak and primitive.operator is not None:
            value = primitive.operator(*operands)
        else:
            value = primitive.forward(*operands, *params)
        values[equation.output] = value
    if everything:
        return values
    outputs = [values[o] if type(o) is int else o.value for o in graph.outputs]  # type: ignore[union-attr]
    return outputs if top is None else apart(outputs, arguments)


def highest_trace(values: Sequence[Any]) -> Any:
    """The trace of the highest level among the values, or None."""
    top = None
    for value in values:
        if isinstance(value, Recorder) and (top is None or value.level > top.level):
            top = value.trace
    return top


def _record(top, primitive, operands, params, output, equation):
    recorded = any(isinstance(o, Recorder) for o in operands)
    staged = top.base if top.concrete else top
    if not recorded and operands and staged is None:
        return primitive.forward(*operands, *params)
    step = equation.step or top.step or Step(FORWARD_VALUE, output.name or "")
    traces = (top,) if top.base is None or top.base is top else (top, top.base)  # operands may all be of the lower one
    before = [trace.step for trace in traces]
    starts = [len(trace.graph.equations) for trace in traces]
    for trace in traces:
        trace.step = step
    try:
        if not recorded:  # made of captured arrays and sizes alone: part of the staged program all the same
            value = (staged or top).record(primitive, tuple(operands), params, output.weak)
        elif output.weak:
            value = top.record(primitive, tuple(operands), params, output.weak)
        else:
            value = apply(primitive, *operands, params=params)
    finally:
        for trace, outer_step in zip(traces, before, strict=True):
            trace.step = outer_step
    if equation.recomputed and equation.origin is not None:  # the user's own line, once more
        for trace, start in zip(traces, starts, strict=True):
            for made in trace.graph.equations[start:]:
                made.origin = equation.origin
    if output.name and isinstance(value, Recorder):
        value.variable.name, value.variable.depth = output.name, output.depth  # type: ignore[attr-defined]
    return value


def bind_sizes(graph: Graph, arguments: Sequence[Any], top: Any = None) -> dict[int, Any]:
    """The size that each symbol has for these arguments; under a staged trace, symbols of its own stay symbols."""
    sizes: dict[int, Any] = {}
    if graph.scope is None:
        return sizes
    for trace in (top, getattr(top, "base", None)):
        if trace is not None and graph.scope is trace.scope:
            return {symbol: Size(trace, graph.scope.face(symbol)) for symbol in range(len(graph.scope.hints))}
    for number, argument in zip(graph.inputs, arguments, strict=True):
        for axis, dim in enumerate(graph.variables[number].shape):
            if isinstance(dim, SizeExpr):
                dim = graph.scope.resolve(dim)
                if isinstance(dim, SizeExpr) and dim.symbol is not None:
                    sizes.setdefault(dim.symbol, argument.shape[axis])
    return sizes


def with_sizes(param: Any, sizes: dict[int, Any]) -> Any:
    """A parameter with its size expressions replaced by sizes."""
    if isinstance(param, SizeExpr):
        param = param.scope.resolve(param)
        if not isinstance(param, SizeExpr):
            return param
        return param.evaluate(sizes.__getitem__)
    if type(param) is tuple:
        return tuple(with_sizes(p, sizes) for p in param)
    return param
