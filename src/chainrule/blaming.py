"""`blame`: which equation makes the first NaN or infinity, and what to write instead.

The one idea: the function is traced once with its values; the first equation whose operands are finite and whose output is not
is the one to blame, in the forward pass, else in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.arguments import Wrt, is_floating, parameter_names, take_apart
from chainrule.checking.nonfinite import NotFinite, first_not_finite, first_not_finite_gradient
from chainrule.differentiation import output_operand, trace_call
from chainrule.errors import ArgumentError
from chainrule.program import number_names
from chainrule.pytree import flatten


def blame(function: Callable, *args: Any, wrt: Wrt | None = None, **kwargs: Any) -> NotFinite | None:
    """The first equation that makes NaN or infinity of finite numbers, in the value or in the gradient.

    Parameters
    ----------
    function : callable
        Plain NumPy. Of one that does not return one number, only the value is looked at.
    *args, **kwargs
        Where it happens. An argument of the function that is called `wrt` has to be given by position.
    wrt : int, str or tuple, default all arguments that hold floats
        Whose gradient is looked at if the value is finite.

    Returns
    -------
    NotFinite or None
        None if everything is finite. Else `print` says which primitive, in which line, what it made at which entry (its first
        number is the row) and of what, and how to write it instead; each is an attribute, too.

    Notes
    -----
    The gradient that is looked at is the plain chain rule on what is written. `grad` may do better: it has the stable form of
    what it recognises, as softmax with cross-entropy.

    Examples
    --------
    >>> def loss(Z):
    ...     P = np.exp(Z) / np.sum(np.exp(Z), axis=1, keepdims=True)
    ...     return -np.mean(np.log(P[:, 0]))
    >>> found = blame(loss, np.array([[1.0, 2.0], [0.0, 800.0]]))
    >>> found.primitive, found.index, found.operands
    ('exp', (1, 1), (('Z', 800.0),))
    >>> blame(loss, np.array([[1.0, 2.0]])) is None
    True
    """
    names = parameter_names(function)
    call = take_apart(function, args, kwargs, names)
    if wrt is None:
        floats = [a for a, leaves in enumerate(call.leaves) if leaves and all(map(is_floating, leaves))]
        wrt = tuple(call.names[a] if a >= call.positional else a for a in floats)
    if not wrt and wrt != 0:
        raise ArgumentError("blame was given no argument that holds floats only: name what to look at by wrt")
    with np.errstate(all="ignore"):
        traced = trace_call(function, args, kwargs, wrt, names, places=True)
    graph = traced.trace.graph
    leaves, _ = flatten(traced.result)
    graph.outputs = [output_operand(traced, leaf) for leaf in leaves]
    number_names(graph)
    arguments = [traced.values[number] for number in graph.inputs]
    found = first_not_finite(graph, arguments)
    if found is not None or len(leaves) != 1 or getattr(leaves[0], "shape", ()) != ():
        return found
    return first_not_finite_gradient(graph, arguments, traced.wrt_numbers)
