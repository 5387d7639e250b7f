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
from chainrule.primitives import (
    contraction,
    control,
    cumulative,
    decompositions,
    diagonals,
    differencing,
    fourier,
    indexing,
    least_squares,
    linear_algebra,
    linear_systems,
    norms,
    order_statistics,
    padding,
    products,
    rearranging,
    reduction,
    running,
    selecting,
    shaping,
    signals,
    skipping_nan,
    sorting,
    spectral,
    statistics,
    windows,
    writing,
)


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


def _written(primitive, operands, flags, params, size, equation, graph):
    x, v, *arrays = operands
    if any(flags[2:]) or indexing.arrays_lead(params[0]):
        raise BatchRuleError(f"{primitive.name} with stacked indices cannot run on a stack")
    x = x if flags[0] else _stack_of(x, size)
    if not flags[1] and hasattr(v, "ndim") and v.ndim:
        v = _stack_of(v, size)
    return apply(primitive, x, v, *arrays, params=(((indexing.SLICE, None, None, None), *params[0]),))


def _windows(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=(*params[:-1], params[-1] + 1))


def _roll(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=(params[0], tuple(axis + 1 for axis in params[1])))


def _first_axis(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=(params[0] + 1, *params[1:]))


def _searchsorted(primitive, operands, flags, params, size, equation, graph):
    if flags[0]:
        raise BatchRuleError("searchsorted among values that are stacked cannot run on a stack")
    return apply(primitive, *operands, params=params)


def _pad(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=tuple(((0, 0), *pairs) for pairs in params))


def _slid(primitive, operands, flags, params, size, equation, graph):
    product = signals.slid_on_stacks(primitive is signals.CONVOLVE, *operands)
    if product is None:
        raise BatchRuleError(f"{primitive.name} with a named size cannot run on a stack")
    return product


def _interp(primitive, operands, flags, params, size, equation, graph):
    if any(flags[1:]):
        raise BatchRuleError("interp between knots that are stacked cannot run on a stack")
    return apply(primitive, *operands)


def _in_the_middle(primitive, operands, flags, params, size, equation, graph):
    return apply(primitive, operands[0], params=(params[0], params[1] + 1, params[2]))


def _along(primitive, operands, flags, params, size, equation, graph):
    stacked = [x if flag else _stack_of(x, size) for x, flag in zip(operands, flags, strict=True)]
    return apply(primitive, *stacked, params=(params[0] + 1, *params[1:]))


def _diag(primitive, operands, flags, params, size, equation, graph):
    (n,) = graph.variables[equation.output].shape[:1]
    return apply(diagonals.FROM_DIAGONAL, operands[0], params=(*params, n, n))


def _solve(primitive, operands, flags, params, size, equation, graph):
    a, b = operands
    vector = b.ndim - flags[1] == 1
    if vector and not flags[0]:  # one matrix for all of them: they are its columns
        return np.transpose(apply(primitive, a, np.transpose(b)))
    if vector:
        b = np.expand_dims(b, b.ndim)
    a, b = (x if flag else _stack_of(x, size) for x, flag in zip((a, b), flags, strict=True))
    x = apply(primitive, a, b)
    return np.squeeze(x, -1) if vector else x


def _einsum(primitive, operands, flags, params, size, equation, graph):
    inputs, output = contraction.split_subscripts(params[0])
    new = next(letter for letter in reversed(contraction.LETTERS) if letter not in params[0])
    stacked = [new + letters if flag else letters for letters, flag in zip(inputs, flags, strict=True)]
    return apply(primitive, *operands, params=(f"{','.join(stacked)}->{new}{output}",))


def _quantile(primitive, operands, flags, params, size, equation, graph):
    y = _shift_axes(primitive, operands, flags, params, size, equation, graph)
    several = type(params[-2]) is tuple  # the quantiles come first: after them the stack
    return np.transpose(y, (1, 0, *range(2, y.ndim))) if several else y


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
    writing.WRITTEN: _written,
    writing.ADDED_AT: _written,
    windows.WINDOWS: _windows,
    windows.ADD_WINDOWS: _windows,
    selecting.TAKE_ALONG: _along,
    rearranging.ROLL: _roll,
    **dict.fromkeys((fourier.RFFT, fourier.IRFFT_TRANSPOSED), _first_axis),  # an axis and one thing more
    **dict.fromkeys((fourier.IRFFT, fourier.RFFT_TRANSPOSED), _in_the_middle),
    fourier.FFT: _first_axis,
    signals.CONVOLVE: _slid,
    signals.CORRELATE: _slid,
    signals.INTERP: _interp,
    padding.PAD: _pad,
    sorting.SORT: _windows,
    sorting.ARGSORT: _first_axis,
    sorting.PARTITION: _windows,
    sorting.ARGPARTITION: _windows,
    sorting.SEARCHSORTED: _searchsorted,
    selecting.ADD_ALONG: _along,
    control.ONE_HOT: _one_hot,
    contraction.EINSUM: _einsum,
    **dict.fromkeys((*linear_systems.FAMILY, *decompositions.FAMILY, *spectral.FAMILY, least_squares.PINV), _same),
    linear_systems.SOLVE: _solve,
    diagonals.DIAG: _diag,
    **dict.fromkeys((diagonals.DIAGONAL, diagonals.FROM_DIAGONAL, diagonals.TRIL, diagonals.TRIU), _same),
    **dict.fromkeys((cumulative.CUMSUM, cumulative.CUMPROD), _windows),  # one axis, too
    **dict.fromkeys((differencing.DIFFERENCE, differencing.DIFFERENCE_ENDS), _windows),
    **dict.fromkeys((running.RUNNING_MAX, running.RUNNING_MIN, running.RECORD_PLACES), _windows),
    **dict.fromkeys((cumulative.RECURRENCE, cumulative.RECURRENCE_BACK), _join),
    **dict.fromkeys((products.PROD, products.PRODUCTS_OF_OTHERS), _shift_axes),
    **dict.fromkeys((statistics.VAR, statistics.STD, norms.NORM, order_statistics.MEDIAN), _shift_axes),
    **dict.fromkeys((skipping_nan.NANMAX, skipping_nan.NANMIN), _shift_axes),
    **dict.fromkeys((order_statistics.QUANTILE, order_statistics.QUANTILE_WEIGHTS), _quantile),
    **dict.fromkeys((order_statistics.NANQUANTILE, order_statistics.NANQUANTILE_WEIGHTS), _quantile),
    order_statistics.NANMEDIAN: _shift_axes,
}
_PAIRED = (cumulative.RECURRENCE, cumulative.RECURRENCE_BACK)
ANY_OPERAND = frozenset(
    (
        linear_algebra.MATMUL,
        shaping.CONCATENATE,
        shaping.STACK,
        indexing.INDEX,
        contraction.EINSUM,
        linear_systems.SOLVE,
        writing.WRITTEN,
        writing.ADDED_AT,
        sorting.SEARCHSORTED,
        signals.CONVOLVE,
        signals.CORRELATE,
        *_PAIRED,
    )
)
