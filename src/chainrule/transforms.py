"""The public derivatives: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`.

Each takes a function and returns a function. They trace at every call, honest about globals, closures and randomness;
what is derived from the trace is cached by its structure. Results own their memory.

>>> import numpy as np
>>> grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
array([2., 4.])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.arguments import Wrt, chosen_arguments, function_name, parameter_names, take_apart
from chainrule.differentiation import (
    Traced,
    backward,
    derive_jvp_seeds,
    derive_vjp_seeds,
    output_operand,
    owned,
    run_derived,
    scalar_output,
    strip,
    trace_call,
)
from chainrule.errors import ArgumentError
from chainrule.pytree import LEAF, Recorder, flatten, tree_map, unflatten


def named_like(function: Callable, wrapper: Callable, prefix: str) -> Callable:
    """Give a wrapper the name and signature of the function it stands for."""
    functools.update_wrapper(wrapper, function, assigned=("__module__", "__doc__"), updated=())
    wrapper.__name__ = wrapper.__qualname__ = f"{function_name(function).strip('<>')}_{prefix}"
    wrapper.__wrapped__ = function  # type: ignore[attr-defined]
    return wrapper


def value_and_grad(function: Callable, wrt: Wrt = 0, *, has_aux: bool = False) -> Callable:
    """The function's value and its gradient, from one trace.

    Parameters
    ----------
    function : callable
        Returns one number: a loss of shape (). Plain NumPy on its arguments; arguments may be pytrees.
    wrt : int, str or tuple of these, default 0
        What to differentiate by: positions or parameter names. A Python int there is taken as a float.
    has_aux : bool, default False
        The function returns ``(loss, extra)``; the result is then ``((loss, extra), gradient)``.

    Returns
    -------
    callable
        ``(*args, **kwargs) -> (value, gradient)``. The gradient has its argument's structure, shapes and dtypes; for a
        tuple `wrt` it is a tuple.

    Raises
    ------
    ArgumentError
        If `wrt` names nothing, or the function's result is not one number.
    DtypeError
        If a leaf under `wrt` is not floating; the message has its path.
    UnsupportedError
        If the function does what cannot be traced; the message has the line, and what to write instead.

    Notes
    -----
    Reverse mode: one forward pass, recorded, and one backward pass: the sum over paths, equation by equation. The value
    is the function's own arithmetic; the gradient is that of the mathematical function in its stable form.

    Examples
    --------
    >>> import numpy as np
    >>> def loss(w, x):
    ...     return np.sum((w * x) ** 2)
    >>> value_and_grad(loss)(np.array([1.0, 2.0]), np.array([3.0, 1.0]))
    (np.float64(13.0), array([18.,  4.]))
    """
    names = parameter_names(function)
    needed: list[Any] = [None]  # the forward values that the last backward program read: most often the next one's too
    value_name = function_name(function) if function_name(function).isidentifier() else "value"

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        traced = trace_call(function, args, kwargs, wrt, names, needed=needed[0])
        loss, aux = _split_aux(traced.result, has_aux, function)
        output = scalar_output(traced, loss)
        gradients = backward(traced, [output], None)
        if needed[0] is None or not needed[0].issuperset(traced.residuals or ()):
            needed[0] = frozenset(traced.residuals or ())
        gradient = _as_arguments(traced, owned(gradients, _borrowed(traced)), isinstance(wrt, tuple))
        value = strip(traced, loss)
        if isinstance(value, Recorder) and value.variable.name is None:  # type: ignore[attr-defined]
            value.variable.name = value_name  # type: ignore[attr-defined]
        return ((value, strip(traced, aux)), gradient) if has_aux else (value, gradient)

    wrapper.value_name = value_name  # type: ignore[attr-defined]
    return named_like(function, wrapper, "value_and_grad")


def grad(function: Callable, wrt: Wrt = 0, *, has_aux: bool = False) -> Callable:
    """The gradient of a scalar function; see `value_and_grad`.

    Returns
    -------
    callable
        ``(*args, **kwargs) -> gradient``, or ``(gradient, extra)`` with `has_aux`.

    Examples
    --------
    >>> import numpy as np
    >>> grad(lambda a, b: 0.5 * (a + b) * a * b, wrt=(0, 1))(2, 3)
    (np.float64(10.5), np.float64(8.0))
    """
    both = value_and_grad(function, wrt, has_aux=has_aux)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return named_like(function, wrapper, "grad")


def _split_aux(result: Any, has_aux: bool, function: Callable) -> tuple[Any, Any]:
    if not has_aux:
        if isinstance(result, tuple):
            raise ArgumentError(
                f"{function_name(function)}() returned a tuple; grad needs one number (has_aux=True for (loss, extra))"
            )
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ArgumentError(f"has_aux=True: {function_name(function)}() must return (loss, extra)")
    return result


def _borrowed(traced: Traced) -> list[Any]:
    return [*(leaf for group in traced.call.leaves for leaf in group), *traced.values]


def _as_arguments(traced: Traced, leaves: list[Any], as_tuple: bool) -> Any:
    """Gradients in the structure of the arguments that were chosen."""
    trees = []
    start = 0
    for argument in traced.chosen:
        if traced.call.structures[argument] is LEAF:
            trees.append(leaves[start])
            start += 1
            continue
        count = len(traced.call.leaves[argument])
        trees.append(unflatten(traced.call.structures[argument], leaves[start : start + count]))
        start += count
    return tuple(trees) if as_tuple else trees[0]


def _outputs(traced: Traced) -> tuple[list[Any], Any, list]:
    leaves, structure = flatten(traced.result)
    return leaves, structure, [output_operand(traced, leaf) for leaf in leaves]


def vjp(function: Callable, *args: Any, wrt: Wrt | None = None) -> tuple[Any, Callable]:
    """The function's value, and the pullback of cotangents to its arguments.

    Parameters
    ----------
    function : callable
        Any number of outputs of any shape, also a pytree.
    *args
        The arguments at which to linearise.
    wrt : int, str or tuple, default all floating arguments

    Returns
    -------
    value, pullback
        ``pullback(cotangent)`` takes a cotangent in the structure of the value and gives a tuple of cotangents, one for
        each argument in `wrt` (one alone if `wrt` is not a tuple). It can be called many times.

    Examples
    --------
    >>> import numpy as np
    >>> value, pullback = vjp(np.sin, np.array([0.0]))
    >>> pullback(np.array([2.0]))
    (array([2.]),)
    """
    args = tuple(tree_map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, a) for a in args)
    names = parameter_names(function)
    chosen = _floating_arguments(args) if wrt is None else wrt
    traced = trace_call(function, args, {}, chosen, names)
    leaves, _, outputs = _outputs(traced)
    value = strip(traced, traced.result)

    def pullback(cotangent: Any) -> Any:
        """The cotangents of the arguments for this cotangent of the value."""
        seeds, _ = flatten(cotangent)
        if len(seeds) != len(leaves):
            raise ArgumentError(f"the value has {len(leaves)} leaves, the cotangent {len(seeds)}")
        seeds = [_seed(s, leaf, "cotangent") for s, leaf in zip(seeds, leaves, strict=True)]
        gradients = backward(traced, outputs, seeds)
        return _as_arguments(traced, owned(gradients, _borrowed(traced) + seeds), isinstance(chosen, tuple))

    return value, pullback


def _seed(seed: Any, leaf: Any, what: str) -> Any:
    shape, dtype = getattr(leaf, "shape", ()), getattr(leaf, "dtype", np.dtype(np.float64))
    if isinstance(seed, Recorder):
        return seed
    seed = np.asarray(seed, dtype=dtype if dtype.kind == "f" else np.float64)
    if seed.shape != tuple(shape):
        raise ArgumentError(f"a {what} of shape {seed.shape} does not fit a value of shape {tuple(shape)}")
    return seed


def _floating_arguments(args: tuple) -> tuple:
    chosen = tuple(
        i for i, arg in enumerate(args) if (leaves := flatten(arg)[0]) and all(map(_is_float_or_number, leaves))
    )
    if not chosen:
        raise ArgumentError("no argument is floating: there is nothing to differentiate by")
    return chosen


def _is_float_or_number(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return dtype.kind == "f" if dtype is not None else isinstance(leaf, (int, float))


def jvp(function: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """The function's value, and its tangent when the arguments move along `tangents`.

    Parameters
    ----------
    function : callable
    primals, tangents : tuples
        The arguments and, in the same structure, how each moves.

    Returns
    -------
    value, tangent
        Both in the structure of the function's result.

    Examples
    --------
    >>> import numpy as np
    >>> jvp(lambda x: x**2, (3.0,), (1.0,))
    (9.0, np.float64(6.0))
    """
    if len(primals) != len(tangents):
        raise ArgumentError(f"{len(primals)} primals and {len(tangents)} tangents")
    traced = trace_call(function, tuple(primals), {}, tuple(range(len(primals))), parameter_names(function))
    directions = []
    for argument, tangent in enumerate(tangents):
        leaves = flatten(tangent)[0]
        own = traced.call.leaves[argument]
        if len(leaves) != len(own):
            raise ArgumentError(f"argument {argument} has {len(own)} leaves, its tangent {len(leaves)}")
        directions += [_seed(t, leaf, "tangent") for t, leaf in zip(leaves, own, strict=True)]
    _, structure, outputs = _outputs(traced)
    traced.trace.graph.outputs = outputs
    tangents_out = owned(run_derived(traced, derive_jvp_seeds, directions), directions)
    return strip(traced, traced.result), unflatten(structure, tangents_out)


def jacobian(function: Callable, wrt: Wrt = 0, *, mode: str = "auto") -> Callable:
    """The Jacobian: every output entry by every entry of an argument.

    Parameters
    ----------
    function : callable
        Returns an array (any shape) or a pytree of arrays.
    wrt : int, str or tuple, default 0
    mode : {"auto", "reverse", "forward"}
        One backward sweep for each output entry, or one forward sweep for each input entry; "auto" takes the fewer. All
        sweeps run at once, as one batched program.

    Returns
    -------
    callable
        ``(*args) -> J`` of shape ``output shape + argument shape`` (outputs by inputs, whatever the layout).

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    if mode not in ("auto", "reverse", "forward"):
        raise ArgumentError(f"mode is {mode!r}; use 'auto', 'reverse' or 'forward'")
    names = parameter_names(function)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        traced = trace_call(function, args, kwargs, wrt, names)
        leaves, structure, outputs = _outputs(traced)
        traced.trace.graph.outputs = outputs
        wrt_leaves = [leaf for argument in traced.chosen for leaf in traced.call.leaves[argument]]
        rows = sum(int(np.prod(_shape(leaf), dtype=int)) for leaf in leaves)
        columns = sum(int(np.prod(_shape(leaf), dtype=int)) for leaf in wrt_leaves)
        reverse = mode == "reverse" or mode == "auto" and rows <= columns
        build = _reverse_blocks if reverse else _forward_blocks
        blocks = build(traced, leaves, wrt_leaves)
        per_output = [_as_arguments(traced, row, isinstance(wrt, tuple)) for row in blocks]
        return unflatten(structure, per_output)

    return named_like(function, wrapper, "jacobian")


def _shape(leaf: Any) -> tuple:
    return tuple(getattr(leaf, "shape", ()))


def _unit_seeds(leaves: list[Any]) -> list[np.ndarray]:
    """For each leaf, all unit directions of all leaves together: leading axis = the entry that is 1."""
    sizes = [int(np.prod(_shape(leaf), dtype=int)) for leaf in leaves]
    everything = np.eye(sum(sizes))
    seeds = []
    start = 0
    for leaf, size in zip(leaves, sizes, strict=True):
        dtype = getattr(leaf, "dtype", np.dtype(np.float64))
        block = everything[:, start : start + size].reshape((sum(sizes), *_shape(leaf)))
        seeds.append(block.astype(dtype if dtype.kind == "f" else np.float64))
        start += size
    return seeds


def _reverse_blocks(traced: Traced, leaves: list[Any], wrt_leaves: list[Any]) -> list[list[Any]]:
    seeds = _unit_seeds(leaves)
    stacked = owned(run_derived(traced, derive_vjp_seeds, seeds, stack=len(seeds[0])), seeds)
    blocks = []
    start = 0
    for leaf in leaves:
        size = int(np.prod(_shape(leaf), dtype=int))
        blocks.append(
            [
                J[start : start + size].reshape((*_shape(leaf), *_shape(x)))
                for J, x in zip(stacked, wrt_leaves, strict=True)
            ]
        )
        start += size
    return blocks


def _forward_blocks(traced: Traced, leaves: list[Any], wrt_leaves: list[Any]) -> list[list[Any]]:
    seeds = _unit_seeds(wrt_leaves)
    stacked = owned(run_derived(traced, derive_jvp_seeds, seeds, stack=len(seeds[0])), seeds)
    blocks = []
    for leaf, J in zip(leaves, stacked, strict=True):
        row = []
        start = 0
        for x in wrt_leaves:
            size = int(np.prod(_shape(x), dtype=int))
            part = J[start : start + size]
            moved = np.transpose(part, (*range(1, part.ndim), 0))
            row.append(moved.reshape((*_shape(leaf), *_shape(x))))
            start += size
        blocks.append(row)
    return blocks


def hessian(function: Callable, wrt: Wrt = 0) -> Callable:
    """The Hessian of a scalar function: the Jacobian of its gradient.

    Returns
    -------
    callable
        ``(*args) -> H`` of shape ``argument shape + argument shape``; for a tuple `wrt`, a tuple of tuples.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return named_like(function, jacobian(grad(function, wrt), wrt), "hessian")


def hvp(function: Callable, wrt: Wrt = 0) -> Callable:
    """Hessian times vector, without the Hessian: forward mode over reverse mode.

    Returns
    -------
    callable
        ``(*args, direction) -> H @ direction``; the direction comes last, in the structure of what `wrt` names.

    Examples
    --------
    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """
    gradient = grad(function, wrt)
    names = parameter_names(function)

    def wrapper(*args: Any) -> Any:
        if len(args) < 2:
            raise ArgumentError("hvp takes the function's arguments and then the direction, for example hvp(f)(x, v)")
        *primals, direction = args
        directions = direction if isinstance(wrt, tuple) else (direction,)
        places = chosen_arguments(function, take_apart(function, tuple(primals), {}, names), wrt)
        if len(directions) != len(places):
            raise ArgumentError(f"wrt names {len(places)} arguments, but the direction has {len(directions)} parts")

        def moved(*values: Any) -> Any:
            full = list(primals)
            for place, value in zip(places, values, strict=True):
                full[place] = value
            return gradient(*full)

        return jvp(moved, tuple(primals[p] for p in places), tuple(directions))[1]

    wrapper.parameter_names = [*names, "direction"] if names else None  # type: ignore[attr-defined]
    return named_like(function, wrapper, "hvp")
