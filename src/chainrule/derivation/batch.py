"""One program for a whole stack of inputs: every equation gains a leading axis.

The one idea: a variable that depends on a stacked input is stacked too, with the stack as its first axis; each primitive
moves its axes by one. What does not depend on the stack keeps its shape. This is how per-sample gradients and Jacobians
run in closed form: the outer product of every sample at once is one stacked matrix product.

`dW_i = outer(a_i, delta_i)` for every i is ``matmul(A^T, delta)`` on stacks of 1-row matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.derivation.building import Builder
from chainrule.errors import UnsupportedError
from chainrule.graphs import Equation, Graph, Variable
from chainrule.primitive import Primitive, apply
from chainrule.primitives import control, indexing, linear_algebra, reduction, shaping


class BatchRuleError(UnsupportedError):
    """A primitive that cannot run on a stack; the caller loops instead."""


def batch_graph(graph: Graph, stacked: Sequence[int], size: Any) -> Graph:
    """The graph with the inputs numbered `stacked` given a leading axis of `size`, and every output stacked."""
    builder = Builder(graph)
    target = builder.graph
    target.equations, target.inputs = [], []
    values: dict[int, Any] = {}
    is_stacked: set[int] = set()
    for number in graph.inputs:
        variable = graph.variables[number]
        if number in stacked:
            shape = (size, *variable.shape)
            values[number] = builder.trace.input(variable=Variable(shape, variable.dtype, False, variable.name))
            is_stacked.add(number)
        else:
            target.inputs.append(number)
            values[number] = builder.value(number)
    for number in graph.constants:
        values[number] = builder.value(number)
    for equation in graph.equations:
        builder.trace.step = equation.step
        operands = [values[i] if type(i) is int else i.value for i in equation.inputs]  # type: ignore[union-attr]
        flags = [type(i) is int and i in is_stacked for i in equation.inputs]
        if not any(flags):
            value = builder.trace.record(equation.primitive, tuple(operands), equation.params)
        else:
            value = _batched(equation, operands, flags, graph, size)
            is_stacked.add(equation.output)
        value.variable.name = graph.variables[equation.output].name
        values[equation.output] = value
    outputs = []
    for output in graph.outputs:
        value = values[output] if type(output) is int else output.value  # type: ignore[union-attr]
        if type(output) is not int or output not in is_stacked:
            shape = graph.variables[output].shape if type(output) is int else ()
            value = builder.full(value, (size,), np.dtype(float)) if type(output) is not int else value
            value = apply(shaping.BROADCAST_TO, value, params=((size, *shape),))
        outputs.append(builder.operand(value))
    target.outputs = outputs
    builder.trace.step = None
    return target


def _batched(equation: Equation, operands: list, flags: list[bool], graph: Graph, size: Any):
    primitive, params = equation.primitive, equation.params
    if primitive.broadcasts:
        ndim = len(graph.variables[equation.output].shape)
        aligned = [_align(x, flag, ndim) for x, flag in zip(operands, flags, strict=True)]
        return apply(primitive, *aligned, params=params)
    rule = RULES.get(primitive)
    if rule is None or not flags[0] and primitive not in ANY_OPERAND:
        raise BatchRuleError(f"{primitive.name} cannot run on a stack of inputs")
    return rule(primitive, operands, flags, params, size, equation, graph)


def _align(x, stacked: bool, ndim: int):
    """Put unit axes after the stack axis until the rest has `ndim` axes."""
    if not hasattr(x, "ndim") or not stacked:
        return x
    missing = ndim - (x.ndim - 1)
    return np.expand_dims(x, tuple(range(1, 1 + missing))) if missing > 0 else x


def _shift_axes(primitive: Primitive, operands, flags, params, size, equation, graph):
    axes = tuple(axis + 1 for axis in params[0])
    return apply(primitive, operands[0], params=(axes, *params[1:]))


def _transpose(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=((0, *(axis + 1 for axis in params[0])),))


def _reshape(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=((size, *params[0]),))


def _broadcast_to(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, _align(operands[0], True, len(params[0])), params=((size, *params[0]),))


def _same(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=params)


def _join(primitive, operands, flags, params, size, equation, graph):
    stacked = [x if flag else _stack_of(x, size) for x, flag in zip(operands, flags, strict=True)]
    return apply(primitive, *stacked, params=(params[0] + 1,))


def _stack_of(x, size):
    return apply(shaping.BROADCAST_TO, x, params=((size, *x.variable.shape),))


def _matmul(primitive, operands, flags, params, size, equation, graph):
    a, b = operands
    ndim_a, ndim_b = ((x.ndim - 1 if flag else x.ndim) for x, flag in zip(operands, flags, strict=True))
    if flags[0] and not flags[1] and ndim_b == 2 and ndim_a == 2:
        return apply(primitive, a, b)  # a stack and one matrix
    if flags[0] and not flags[1] and ndim_b == 2 and ndim_a == 1:
        return apply(primitive, a, b)  # a stack of vectors is a matrix
    if flags[1] and not flags[0] and ndim_a == 2 and ndim_b == 1:
        return apply(primitive, b, np.transpose(a))  # A v for each v: the rows of V A^T
    rows = np.expand_dims(a, a.ndim - 1) if ndim_a == 1 else a
    columns = np.expand_dims(b, b.ndim) if ndim_b == 1 else b
    if flags[1] and ndim_a > 2 and ndim_b == 2:  # one matrix for a stack, now one for each stack
        columns = np.expand_dims(columns, tuple(range(1, ndim_a - 1)))
    result = linear_algebra.matmul(rows, columns)
    if ndim_b == 1:
        result = np.squeeze(result, -1)
    if ndim_a == 1:
        result = np.squeeze(result, -1 if ndim_b == 1 else -2)
    return result


def _index(primitive, operands, flags, params, size, equation, graph):
    x, *arrays = operands
    template = params[0]
    if not any(flags[1:]):
        if indexing.arrays_lead(template):
            raise BatchRuleError("index arrays apart from each other cannot run on a stack")
        return apply(primitive, x, *arrays, params=(((indexing.SLICE, None, None, None), *template),))
    if any(type(item) is tuple and item[0] == indexing.SLICE for item in template) or any(
        item is None or item is Ellipsis or type(item) is int for item in template
    ):
        raise BatchRuleError("an index of slices and stacked arrays cannot run on a stack")
    ndim = max(a.ndim - (1 if f else 0) for a, f in zip(arrays, flags[1:], strict=True))
    counting = x.trace.record(control.ARANGE, (), (size, np.dtype(np.int64)))
    lead = np.expand_dims(counting, tuple(range(1, ndim + 1))) if ndim else counting
    shifted = tuple((item[0], item[1] + 1) for item in template)
    aligned = [_align(a, f, ndim) for a, f in zip(arrays, flags[1:], strict=True)]
    if not flags[0]:
        return apply(primitive, x, *aligned, params=(template,))
    return apply(primitive, x, lead, *aligned, params=(((indexing.ARRAY, 0), *shifted),))


def _index_add(primitive, operands, flags, params, size, equation, graph):
    y, *arrays = operands
    template, shape = params
    if any(flags[1:]) or indexing.arrays_lead(template):
        raise BatchRuleError("index_add with stacked indices cannot run on a stack")
    return apply(primitive, y, *arrays, params=(((indexing.SLICE, None, None, None), *template), (size, *shape)))


def _one_hot(primitive, operands, flags, params, size, equation, graph):
    classes, axis, dtype, wraps = params
    return apply(primitive, operands[0], params=(classes, axis + 1, dtype, wraps))


RULES: dict[Primitive, Callable] = {
    **dict.fromkeys((reduction.SUM, reduction.MEAN, reduction.MAX, reduction.MIN), _shift_axes),
    **dict.fromkeys((shaping.EXPAND_DIMS, shaping.SQUEEZE), _shift_axes),
    linear_algebra.TRANSPOSE: _transpose,
    linear_algebra.MATMUL: _matmul,
    shaping.RESHAPE: _reshape,
    shaping.BROADCAST_TO: _broadcast_to,
    shaping.CONVERT: _same,
    shaping.CONCATENATE: _join,
    shaping.STACK: _join,
    indexing.INDEX: _index,
    indexing.INDEX_ADD: _index_add,
    control.ONE_HOT: _one_hot,
}
ANY_OPERAND = frozenset((linear_algebra.MATMUL, shaping.CONCATENATE, shaping.STACK, indexing.INDEX))
