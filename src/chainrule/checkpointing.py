"""`checkpoint`: a function whose intermediate values are computed again for the backward pass instead of kept.

The one idea: while the function runs, nothing changes; afterwards the equations that it recorded are marked as a
*segment* of the graph (`Graph.segments`), in every trace that records. What the mark means is up to
`derivation/replaying.py`. Outside of a trace there is nothing to mark.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from chainrule.arguments import function_name
from chainrule.captures import _contents, _global_names, _is_library
from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.pytree import Recorder, flatten

LIMIT = 2000  # values that are looked at in search of traced ones
_PLAIN = (str, bytes, int, float, complex, np.ndarray, np.generic, type, ModuleType)


def checkpoint(function: Callable) -> Callable:
    """The same function, of which the backward pass keeps the arguments and results only.

    What it computes in between is not kept for the backward pass but computed again when that gets there: a second
    forward pass of this function, for less memory.

    Parameters
    ----------
    function : callable
        Plain NumPy; takes and returns arrays or pytrees of them, may capture others, and may itself hold parameters (a
        layer). It is to compute the same when it is given the same.

    Returns
    -------
    callable
        The function. Values are those that it has without, and so are gradients, up to rounding.

    Raises
    ------
    UnsupportedError
        If the function works on traced values that it gets neither as arguments nor from its closure, globals or
        attributes: which equations are its own is not known then.

    Notes
    -----
    In a program that is staged (`jit`, `source`, `fit`), memory is really given back: `memory` says how much is needed.
    Of n layers alike, with a checkpoint around every k of them, n / k + k activations are alive at once instead of n.

    `grad` and its kin run the function while they trace it. At the first call they hold every value until the function
    has returned; then, and from the second call on already while it runs, those alone that the backward pass reads. The
    backward pass, where values are computed again, is in any case an emitted program that lets go of them.

    Values that NumPy makes of plain arrays, such as a random mask, are constants: kept, and the same in both passes. A
    second derivative keeps what the first computes again. Checkpoints may be nested: each level costs one more pass of
    what is inside.

    References
    ----------
    A. Griewank and A. Walther, "Algorithm 799: Revolve", ACM Transactions on Mathematical Software 26 (2000).
    T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174 (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.transforms import grad
    >>> @checkpoint
    ... def block(x):
    ...     return np.tanh(np.tanh(np.tanh(x)))
    >>> slope = grad(lambda x: np.sum(block(x)))
    >>> slope(np.array([0.0, 1.0])).round(4)
    array([1.    , 0.1677])
    """

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        found = list(_traced(args, kwargs, function))
        if not found:
            result = function(*args, **kwargs)
            _require_known(result, set(), function)
            return result
        traces = _traces(found)
        graphs = [trace.graph for trace in traces if trace.base is not trace]  # a staged one is never derived itself
        starts = [len(graph.equations) for graph in graphs]
        result = function(*args, **kwargs)
        _require_known(result, set(map(id, traces)), function)
        for graph, start in zip(graphs, starts, strict=True):
            for equation in graph.equations[start:]:
                graph.segments[equation.output] = (start, *graph.segments.get(equation.output, ()))
        return result

    functools.update_wrapper(wrapper, function, updated=())
    wrapper.__name__ = function_name(function)
    return wrapper


def _traces(values: Iterable[Recorder]) -> list[Any]:
    """The traces that record what is done with these values: theirs, and those below."""
    traces: dict[int, Any] = {}
    for value in values:
        while isinstance(value, Recorder):
            traces[id(value.trace)] = value.trace
            value = value.value
    return list(traces.values())


def _require_known(result: Any, known: set[int], function: Callable) -> None:
    for leaf in flatten(result)[0]:
        if isinstance(leaf, Recorder) and id(leaf.trace) not in known and leaf.trace.base is not leaf.trace:
            raise UnsupportedError(
                f"checkpoint({function_name(function)}): it works on a traced value that is neither among its arguments nor "
                f"in what it captures ({place_text()}). Pass that value as an argument"
            )


def _traced(*roots: Any) -> Iterable[Recorder]:
    """The traced values that can be reached: in containers, in objects, in what functions capture."""
    todo: deque[Any] = deque(roots)
    seen: dict[int, Any] = {}
    while todo and len(seen) < LIMIT:
        value = todo.popleft()
        if isinstance(value, Recorder):
            yield value
        elif value is not None and not isinstance(value, _PLAIN) and id(value) not in seen:
            seen[id(value)] = value
            todo.extend(itertools.islice(_parts(value), LIMIT))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return value
    if isinstance(value, FunctionType):
        return _captured(value)
    if isinstance(value, MethodType):
        return (value.__self__, value.__func__)
    if isinstance(value, functools.partial):
        return (value.func, value.args, value.keywords)
    names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    held = [getattr(value, name, None) for name in names if isinstance(name, str)]
    return [*getattr(value, "__dict__", {}).values(), *held, getattr(type(value), "__call__", None)]  # noqa: B004 - its code is wanted, not whether


def _captured(function: FunctionType) -> Iterable[Any]:
    yield getattr(function, "__wrapped__", None)
    yield from map(_contents, function.__closure__ or ())
    yield function.__defaults__
    yield function.__kwdefaults__
    if not _is_library(function.__globals__.get("__name__", "")):
        for name in _global_names(function.__code__):
            yield function.__globals__.get(name)
