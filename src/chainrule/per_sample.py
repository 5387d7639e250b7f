"""Per-sample gradients: the gradient of every row by itself, all at once.

The one idea: the function is traced for a batch of one row, its gradient derived, and the derived program run on the
whole stack of rows (`derivation/batch.py`): of a dense layer that is ``dW_i = outer(a_i, delta_i)`` for every i as one
stacked matrix product. Where a primitive cannot run on a stack, or Python decides by a value, the rows are looped over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from chainrule.arguments import (
    Call,
    Wrt,
    as_float_leaf,
    chosen_arguments,
    function_name,
    is_floating,
    parameter_names,
    take_apart,
)
from chainrule.derivation.batch import batch_graph
from chainrule.differentiation import derive_vjp_one, nested_in, owned
from chainrule.errors import ArgumentError, UnsupportedError
from chainrule.evaluate import evaluate
from chainrule.graphs import Variable
from chainrule.program import number_names
from chainrule.pytree import Recorder, tree_map, unflatten
from chainrule.quick import dtype_of
from chainrule.run import compile_graph
from chainrule.shapes import SizeExpr
from chainrule.simplify.passes import apply_rules, simplify_graph
from chainrule.trace import dims_of, is_weak, plain
from chainrule.tracer import new_trace
from chainrule.transforms import grad, named_like


def per_sample_grad(
    function: Callable, wrt: Wrt = 0, *, batched: str | tuple[str, ...] | Mapping[str, int] | None = None
) -> Callable:
    """The gradient of every sample by itself.

    Parameters
    ----------
    function : callable
        Returns one number, a loss over a batch.
    wrt : int, str or tuple, default 0
    batched : str, tuple of str, or dict of str to int, optional
        The arguments that hold samples; a dict also names the batch axis of each (1 for the column layout), else it is
        the first. Default: every array argument that is not in `wrt`.

    Returns
    -------
    callable
        ``(*args) -> gradients``, as `grad`'s, with a leading axis: entry i is exactly what ``grad(function)`` gives for
        the batch that holds sample i alone.

    Raises
    ------
    ArgumentError
        If the batched arguments do not hold the same number of samples.

    Notes
    -----
    Of a mean over the batch, the gradients of the samples average to the gradient; of a sum, they add to it.

    Examples
    --------
    >>> import numpy as np
    >>> def loss(w, X, y):
    ...     return np.mean((X @ w - y) ** 2)
    >>> X, y = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0])
    >>> per_sample_grad(loss)(np.zeros(2), X, y)
    array([[-2.,  0.],
           [ 0., -4.]])
    """
    names = parameter_names(function)
    gradient = grad(function, wrt)

    def wrapper(*args, **kwargs):
        call = take_apart(function, args, kwargs, names)
        chosen = chosen_arguments(function, call, wrt)
        axes = _batch_axes(function, call, chosen, batched)
        count = _sample_count(call, axes)
        try:
            leaves = _all_at_once(function, call, chosen, axes, count)
        except UnsupportedError:  # control flow on values, a primitive without a batch rule, a table looked up
            if any(isinstance(leaf, Recorder) for group in call.leaves for leaf in group):
                raise
            return _one_by_one(gradient, call, axes, count)
        trees = []
        start = 0
        for argument in chosen:
            size = len(call.leaves[argument])
            trees.append(unflatten(call.structures[argument], leaves[start : start + size]))
            start += size
        return tuple(trees) if isinstance(wrt, tuple) else trees[0]

    return named_like(function, wrapper, "per_sample_grad")


def _batch_axes(function: Callable, call: Call, chosen: list[int], batched: Any) -> dict[int, int]:
    """The batched arguments, by number, with their batch axes."""
    if batched is None:
        axes = {
            number: 0
            for number, leaves in enumerate(call.leaves)
            if number not in chosen and leaves and all(getattr(leaf, "ndim", 0) for leaf in leaves)
        }
    else:
        pairs = batched.items() if isinstance(batched, Mapping) else [(b, 0) for b in _as_tuple(batched)]
        axes = {chosen_arguments(function, call, name)[0]: axis for name, axis in pairs}
    if not axes:
        raise ArgumentError(f"{function_name(function)}() has no batched argument: name one with batched=('X', 'y')")
    both = set(axes) & set(chosen)
    if both:
        raise ArgumentError(f"{call.names[both.pop()]!r} is both in wrt and batched")
    return axes


def _as_tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _sample_count(call: Call, axes: dict[int, int]) -> Any:
    counts: dict[str, Any] = {}
    for argument, axis in axes.items():
        for path, leaf in zip(call.paths(argument), call.leaves[argument], strict=True):
            if not 0 <= axis < getattr(leaf, "ndim", 0):
                raise ArgumentError(f"{path} has no axis {axis} to hold the samples")
            counts[path] = leaf.shape[axis]
    first = next(iter(counts.values()))
    if any(count != first for count in counts.values()):
        text = ", ".join(f"{path} has {count}" for path, count in counts.items())
        raise ArgumentError(f"the batched arguments hold different numbers of samples: {text}")
    return first


def _all_at_once(function: Callable, call: Call, chosen: list[int], axes: dict[int, int], count: Any) -> list[Any]:
    """Trace one row, derive its gradient, run it on the stack of rows."""
    scope, base = nested_in(call)
    if type(plain(count)) is SizeExpr and plain(count).symbol is not None:
        scope.names.setdefault(plain(count).symbol, "N")
    trace = new_trace(concrete=False, scope=scope, places=base is not None)
    trace.base = base
    numbers: list[int] = []  # of the differentiated leaves
    stacked: list[int] = []
    inputs: list[Any] = []
    groups: list[list] = []
    names = call.identifiers()
    for argument, group in enumerate(call.leaves):
        leaves = []
        for position, leaf in enumerate(group):
            if argument in chosen:
                leaf = as_float_leaf(leaf, partial(call.path, argument, position))
            elif argument not in axes and not is_floating(leaf):
                leaves.append(leaf)
                continue
            dims, value = dims_of(leaf), leaf
            if argument in axes:
                axis = axes[argument]
                dims = (*dims[:axis], 1, *dims[axis + 1 :])
                value = _rows(leaf, axis)
            tracer = trace.input(variable=Variable(dims, dtype_of(leaf), is_weak(leaf), names[argument][position]))
            inputs.append(value)
            if argument in axes:
                stacked.append(tracer.number)
            leaves.append(tracer)
        groups.append(leaves)
    for argument in chosen:
        numbers += [leaf.number for leaf in groups[argument]]
    call_args, call_kwargs = call.rebuild(groups)
    try:
        loss = function(*call_args, **call_kwargs)
        if getattr(loss, "shape", None) != ():
            raise ArgumentError(f"{function_name(function)}() must return one number for a batch of one sample")
        trace.graph.outputs = [trace.operand(loss)]
    finally:
        trace.close()
    number_names(trace.graph)
    joint, _ = derive_vjp_one(apply_rules(trace.graph), numbers)
    program = simplify_graph(joint)
    program = simplify_graph(batch_graph(program, stacked, plain(count)))
    if base is not None or any(isinstance(value, Recorder) for value in (*inputs, *program.constants.values())):
        return evaluate(program, inputs, top=base)
    return owned(compile_graph(program, "per_sample_grad")(inputs), inputs)


def _rows(leaf: Any, axis: int) -> Any:
    """The stack of samples, each still a batch of one: (N, d) becomes (N, 1, d)."""
    if axis:
        leaf = np.transpose(leaf, (axis, *(a for a in range(leaf.ndim) if a != axis)))
    return np.expand_dims(leaf, axis + 1)


def _one_by_one(gradient: Callable, call: Call, axes: dict[int, int], count: int) -> Any:
    """The loop over rows: for control flow on values, and primitives without a batch rule."""
    rows = []
    for i in range(count):
        groups = [
            [np.take(leaf, [i], axis=axes[argument]) for leaf in group] if argument in axes else list(group)
            for argument, group in enumerate(call.leaves)
        ]
        args, kwargs = call.rebuild(groups)
        rows.append(gradient(*args, **kwargs))
    return tree_map(lambda *parts: np.stack(parts), *rows)
