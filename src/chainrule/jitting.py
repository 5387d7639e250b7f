"""`jit`: a function staged once for each kind of argument, then run as an emitted program, in NumPy or machine code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.arguments import function_name, parameter_names, take_apart
from chainrule.compilation import Compiled, compile_call, is_staged, source
from chainrule.errors import ArgumentError
from chainrule.native.engine import require_numba
from chainrule.primitives.control import refuse_negative
from chainrule.program import class_labels
from chainrule.pytree import LEAF, Recorder, unflatten
from chainrule.shapes import SizeExpr

_FAST_LIMIT = 1024


class _Program:
    """One staged program with what it takes to call it."""

    def __init__(self, compiled: Compiled):
        self.compiled = compiled
        self.run = self.executable(compiled)
        self.constants = compiled.constant_values
        self.captures = compiled.captures
        self.confirmed: set[tuple] = set()  # sizes at which a program that reads sizes was traced and compared
        self.staged_places = [i for i, number in enumerate(compiled.leaf_numbers) if number is not None]
        self.all_staged = len(self.staged_places) == len(compiled.leaf_numbers)
        self.structure = compiled.result_structure
        self.labels = [compiled.graph.inputs.index(number) for number in class_labels(compiled.graph)]

    def executable(self, compiled: Compiled) -> Callable:
        """What runs."""
        return compiled.program()

    def accepts(self, leaves: list[Any]) -> bool:
        """Whether the sizes of these arguments are among those that the program was made for."""
        graph = self.compiled.graph
        scope = graph.scope
        if scope is None:
            return True
        sizes: dict[int, int] = {}
        arguments = [leaves[i] for i in self.staged_places]
        for number, argument in zip(graph.inputs, arguments, strict=True):
            for dim, size in zip(graph.variables[number].shape, np.shape(argument), strict=True):
                if isinstance(dim, SizeExpr) and dim.symbol is not None:
                    sizes[dim.symbol] = size
        for symbol, target in scope.merged.items():
            resolved = scope.resolve(target)
            value = resolved.evaluate(sizes.__getitem__) if isinstance(resolved, SizeExpr) else resolved
            if sizes.get(symbol, value) != value:
                return False
        for guard in scope.guards:
            left, right = (
                s.evaluate(sizes.__getitem__) if isinstance(s, SizeExpr) else s for s in (guard.left, guard.right)
            )
            if not guard.holds(left, right):
                return False
        return self._holds(sizes)

    def _holds(self, sizes: dict[int, int]) -> bool:
        """Where Python read a size as a plain number, the function is traced once at each new size and compared."""
        if self.compiled.holds is None:
            return True
        key = tuple(sorted(sizes.items()))
        if key not in self.confirmed:
            if not self.compiled.holds(sizes):
                return False
            self.confirmed.add(key)
        return True

    def __call__(self, leaves: list[Any]) -> Any:
        arguments = leaves if self.all_staged else [leaves[i] for i in self.staged_places]
        for place in self.labels:
            refuse_negative(self.compiled.parameters[self.compiled.graph.inputs[place]], arguments[place])
        outputs = self.run(*arguments, **self.constants)
        _own(outputs, arguments, self.constants)
        if self.structure is LEAF:
            return outputs[0]
        return unflatten(self.structure, outputs)


class _MachineProgram(_Program):
    """One staged program as machine code: it takes contiguous arrays and gives plain numbers."""

    def executable(self, compiled: Compiled) -> Callable:
        graph = compiled.graph
        self.given = [np.require(value, requirements=["C", "W"]) for value in compiled.constant_values.values()]
        self.scalars = [
            (place, graph.variables[output].dtype.type)
            for place, output in enumerate(graph.outputs)
            if type(output) is int and not graph.variables[output].shape and not graph.variables[output].weak
        ]
        return compiled.machine_program()

    def __call__(self, leaves: list[Any]) -> Any:
        arguments = leaves if self.all_staged else [leaves[i] for i in self.staged_places]
        arguments = [_in_one_piece(a) if type(a) is np.ndarray else a for a in arguments]
        outputs = self.run(*arguments, *self.given)
        if self.structure is LEAF and not self.scalars:
            return outputs[0]
        outputs = list(outputs)
        for place, kind in self.scalars:
            outputs[place] = kind(outputs[place])
        return outputs[0] if self.structure is LEAF else unflatten(self.structure, outputs)


def _in_one_piece(array: np.ndarray) -> np.ndarray:
    """An array as machine code takes it: contiguous, and not read-only."""
    return array if array.flags.carray else np.require(array, requirements=["C", "W"])


def _own(outputs: list[Any], arguments: list[Any], constants: dict[str, Any]) -> None:
    """Give every output memory of its own."""
    taken = {id(value) for value in arguments}
    taken.update(map(id, constants.values()))
    for place, value in enumerate(outputs):
        if type(value) is np.ndarray and (value.base is not None or id(value) in taken):
            outputs[place] = value = value.copy()
        taken.add(id(value))


def jit(function: Callable, *, engine: str = "numpy") -> Callable:
    """Stage `function` once for each kind of argument and run it as one program.

    Parameters
    ----------
    function : callable
        A function of yours or a transform of one: ``jit(grad(loss))``. Arguments may be pytrees; Python ints, booleans
        and strings in them are static.
    engine : {"numpy", "numba"}
        "numpy" runs the emitted NumPy program. "numba" compiles loops to machine code: a second or more for each kind of
        argument (once, then it is in a cache on the disk), and faster by far on small arrays. Results differ in rounding.

    Returns
    -------
    callable
        The same function. It has ``source(*args)``, the program that runs for such arguments.

    Raises
    ------
    ControlFlowError
        When Python decides by a traced value: write `np.where`.
    UnsupportedError
        ``engine="numba"``, and something in the program is not compiled.

    Notes
    -----
    Staged again when structure, dtypes, ranks, axes of size 0 or 1, or static values change, when a size leaves the
    guards, and when a captured variable holds another object. Random draws and prints happen while staging only.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.transforms import grad
    >>> slope = jit(grad(lambda x: np.sum(np.sin(x))))
    >>> slope(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    if engine not in ("numpy", "numba"):
        raise ArgumentError(f"engine={engine!r}: choose 'numpy' or 'numba'")
    if engine == "numba":
        require_numba()
    kind_of_program = _MachineProgram if engine == "numba" else _Program
    names = parameter_names(function)
    programs: dict[Any, list[_Program]] = {}
    fast: dict[Any, _Program] = {}

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        if not kwargs:
            key = _exact_key(args)
            if key is not None:
                program = fast.get(key)
                if program is not None and program.captures.unchanged():
                    return program(list(args))
        return slow(args, kwargs)

    def slow(args: tuple, kwargs: dict, run: bool = True) -> Any:
        call = take_apart(function, args, kwargs, names)
        leaves = [leaf for group in call.leaves for leaf in group]
        if any(isinstance(leaf, Recorder) for leaf in leaves):
            return function(*args, **kwargs)  # under another trace: be part of it
        where = (tuple(call.structures), call.positional, tuple(call.keywords))
        exact = (where, tuple(map(_exact_kind, leaves)))
        program = fast.get(exact)
        if program is not None and program.captures.unchanged():
            return program(leaves) if run else program
        key = (where, tuple(map(_kind, leaves)))
        candidates = programs.setdefault(key, [])
        program = next((p for p in candidates if p.captures.unchanged() and p.accepts(leaves)), None)
        if program is None:
            candidates[:] = [p for p in candidates if p.captures.unchanged()][-8:]
            program = kind_of_program(compile_call(function, args, kwargs))
            candidates.append(program)
        if len(fast) >= _FAST_LIMIT:
            fast.clear()
        fast[exact] = program
        plain = _exact_key(args) if not kwargs else None
        if plain is not None:
            fast[plain] = program
        return program(leaves) if run else program

    wrapper.__name__ = function_name(function)
    wrapper.staged_function = function  # type: ignore[attr-defined]
    wrapper.engine = engine  # type: ignore[attr-defined]
    wrapper.source = lambda *args, **kwargs: source(function, *args, **kwargs)  # type: ignore[attr-defined]
    wrapper.staged = lambda *args, **kwargs: slow(args, kwargs, run=False).compiled  # type: ignore[attr-defined]
    return wrapper


def _exact_key(args: tuple) -> Any:
    """dtypes and shapes of plain array arguments; None when an argument is anything else."""
    parts: list[Any] = []
    for arg in args:
        kind = type(arg)
        if kind is np.ndarray:
            parts.append((arg.dtype, arg.shape))
        elif kind is float:
            parts.append(float)
        else:
            return None
    return tuple(parts)


def _exact_kind(leaf: Any) -> Any:
    """dtype and shape of an array leaf; of a static one, its value."""
    if type(leaf) is np.ndarray:
        return leaf.dtype, leaf.shape
    return _kind(leaf)


def _kind(leaf: Any) -> Any:
    """What a program depends on of one leaf."""
    if is_staged(leaf):
        if type(leaf) is float:
            return float
        return (leaf.dtype, tuple(d if d < 2 else -1 for d in leaf.shape))
    return (type(leaf), leaf)
