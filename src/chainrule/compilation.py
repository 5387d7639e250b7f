"""A function staged once for each kind of argument: what `jit` runs and `source` shows.

The key is what the program depends on: the structure of the arguments, dtypes, ranks, axes of size 0 and 1, weak
scalars, and the values of static arguments (int, bool, str, None). Sizes are not in it: one program serves them all, as
far as its guards allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arguments import function_name, parameter_identifiers, parameter_names, take_apart
from chainrule.captures import Captures
from chainrule.emit.numba_function import emit_function
from chainrule.emit.to_numpy import Signature, emit_numpy
from chainrule.errors import ArgumentError, DtypeError
from chainrule.graphs import Graph
from chainrule.primitives.reduction import MEAN, SUM
from chainrule.program import helper_names, number_names
from chainrule.pytree import LEAF, Recorder, flatten, unflatten
from chainrule.run import load_source
from chainrule.shapes import SizeExpr
from chainrule.simplify.passes import simplify_graph
from chainrule.spelling import Names, array_literal, identifier
from chainrule.staging import Spec, stage

INLINE = 64  # entries up to which a constant without a name is written into the source
_STAGED = object()  # stands for a staged leaf in a call that is kept


@dataclass
class Compiled:
    """A staged, simplified function with everything that is needed to print and to run it."""

    name: str
    graph: Graph
    parameters: dict[int, str]
    constants: dict[int, str]
    constant_values: dict[str, Any]
    result_structure: Any
    result_count: int
    notes: list[str]
    leaf_numbers: list[int | None]  # for each leaf of the call; None for a static one
    inline: dict[str, str]  # small constants without a name of the user's, as text
    reads: list[str]  # lines that read a size as a plain number
    holds: Callable[[dict[int, int]], bool] | None  # whether the program holds at other sizes, if any was read
    captures: Captures

    def source(self, target: str = "numpy") -> str:
        """The module that `cr.source` shows."""
        if target == "numba":
            return emit_function(self.graph, self.name, self.parameters, self.constants)
        return emit_numpy(self.graph, self.signature())

    def signature(self) -> Signature:
        """How the module's function is called."""
        return Signature(
            self.name, self.parameters, self.constants, self._nested_result, inline=self.inline, reads=self.reads
        )

    def program(self) -> Callable:
        """The same program returning a flat list."""
        source = emit_numpy(
            self.graph,
            Signature(self.name, self.parameters, self.constants, lambda texts: f"[{', '.join(texts)}]", False, False),
        )
        return load_source(source, self.name)

    def machine_program(self) -> Callable:
        """The same program as machine code, returning a flat tuple."""
        from chainrule.native.blas import gemm_address
        from chainrule.native.cache import load

        function = getattr(load(self.source("numba"), self.name), self.name)
        addresses = (gemm_address(32), gemm_address(64))
        return lambda *arguments: function(*arguments, *addresses)

    def _nested_result(self, texts: list[str]) -> str:
        if self.result_structure is LEAF:
            return texts[0]
        tree = unflatten(self.result_structure, [_Code(text) for text in texts])
        text = _tree_text(tree)
        return text[1:-1] if isinstance(tree, tuple) and len(tree) > 1 and text.startswith("(") else text


class _Code(np.ndarray):
    """A leaf that stands for its text (an ndarray, so that pytrees take it as a leaf)."""

    text: str

    def __new__(cls, text: str):
        self = np.empty(()).view(cls)
        self.text = text
        return self


def _tree_text(tree: Any) -> str:
    """A result as Python text; of a dataclass, a tuple of its leaves."""
    if isinstance(tree, _Code):
        return tree.text
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {_tree_text(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return f"[{', '.join(map(_tree_text, tree))}]"
    if isinstance(tree, tuple):
        inner = ", ".join(map(_tree_text, tree))
        return f"({inner},)" if len(tree) == 1 else f"({inner})"
    leaves, _ = flatten(tree)
    if leaves and all(isinstance(leaf, _Code) for leaf in leaves):
        return _tree_text(tuple(leaves))
    return repr(tree)


def compile_call(function: Callable, args: tuple, kwargs: dict, *, name: str | None = None) -> Compiled:
    """Stage and simplify `function` for arguments of this kind."""
    call = take_apart(function, args, kwargs, parameter_names(function))
    specs: list[Spec] = []
    for argument in range(len(call.leaves)):
        for path, leaf in zip(call.paths(argument), call.leaves[argument], strict=True):
            _check_kind(leaf, path)
            if is_staged(leaf):
                specs.append(Spec(path, getattr(leaf, "shape", ()), _dtype(leaf), type(leaf) is float))
    # what is kept for later traces: the static leaves, not the arrays
    call.leaves = [[_STAGED if is_staged(leaf) else leaf for leaf in group] for group in call.leaves]
    structures: list[Any] = []

    def run(tracers: list) -> tuple[Any, list]:
        remaining = iter(tracers)
        groups = [[next(remaining) if leaf is _STAGED else leaf for leaf in group] for group in call.leaves]
        call_args, call_kwargs = call.rebuild(groups)
        result = function(*call_args, **call_kwargs)
        leaves, structure = flatten(result)
        structures[:] = [structure, len(leaves)]
        return result, leaves

    captures = Captures(function)
    before = captures.fingerprints()
    staged = stage(run, specs)
    graph = staged.graph
    value_name = getattr(function, "value_name", None)
    if value_name:
        graph.output_names = [value_name]
    number_names(graph)
    _name_batch(graph)
    graph = simplify_graph(graph)
    names = Names(helper_names(graph))
    parameters = dict(
        zip(graph.inputs, [names.fresh(n) for n in parameter_identifiers([spec.path for spec in specs])], strict=True)
    )
    constants, values, inline = {}, {}, {}
    written = captures.changed_since(before)
    for number, value in graph.constants.items():
        original = staged.originals.get(number, value)
        found = captures.name_of(original) if id(original) not in written else None
        wanted = graph.variables[number].name or captures.name_of(original) or "constant"
        constants[number] = names.fresh(wanted)
        values[constants[number]] = original if found else value
        if not captures.name_of(original) and value.size <= INLINE:
            inline[constants[number]] = array_literal(value)
    captures.watch(before, seen={id(value) for value in values.values()} | written)
    numbers = iter(graph.inputs)
    leaf_numbers = [next(numbers) if leaf is _STAGED else None for group in call.leaves for leaf in group]
    return Compiled(
        _name_beside(helper_names(graph), identifier(name or function_name(function))),
        graph,
        parameters,
        constants,
        values,
        structures[0],
        structures[1],
        staged.specialised,
        leaf_numbers,
        inline,
        staged.reads,
        staged.holds,
        captures,
    )


def _name_beside(helpers: set[str], name: str) -> str:
    """The function's name, unless the module defines a helper of that name: `erf_`."""
    return f"{name}_" if name in helpers else name


def is_staged(leaf: Any) -> bool:
    """Whether a leaf is an input of the staged program; ints are static."""
    return type(leaf) is float or isinstance(leaf, (np.ndarray, np.generic))


def _check_kind(leaf: Any, path: str) -> None:
    if isinstance(leaf, Recorder):
        raise ArgumentError("jit and source take values, not traced values")
    dtype = getattr(leaf, "dtype", None)
    if dtype is not None and dtype.kind not in "fiub":
        raise DtypeError(f"{path} is of {dtype}: only real numbers and booleans can be staged")


def _dtype(leaf: Any) -> np.dtype:
    return getattr(leaf, "dtype", np.dtype(np.float64))


def _name_batch(graph: Graph) -> None:
    """Call the axis N that the loss averages over (else the one that it sums over), unless the user named it."""
    scope = graph.scope
    if scope is None:
        return
    for primitive in (MEAN, SUM):
        for equation in graph.equations:
            source = equation.inputs[0] if equation.inputs else None
            if equation.step is not None or equation.primitive is not primitive or type(source) is not int:
                continue
            dims = [scope.resolve(graph.variables[source].shape[axis]) for axis in equation.params[0]]
            symbols = [dim.symbol for dim in dims if isinstance(dim, SizeExpr) and dim.symbol is not None]
            symbols.sort(key=lambda symbol: _readers(graph, symbol))  # classes are an axis of weights and biases, too
            if symbols and not graph.variables[equation.output].shape:
                if "N" not in {v.name for v in graph.variables} | set(scope.names.values()):
                    scope.names.setdefault(symbols[0], "N")
                return


def _readers(graph: Graph, symbol: int) -> int:
    """How many arguments have an axis of that size."""
    scope = graph.scope
    shapes = [[scope.resolve(d) for d in graph.variables[n].shape] for n in graph.inputs]  # type: ignore[union-attr]
    return sum(any(isinstance(d, SizeExpr) and d.symbol == symbol for d in shape) for shape in shapes)


def source(function: Callable, *args: Any, target: str = "numpy", **kwargs: Any) -> str:
    """The function, or a transform of one, as Python source that imports only NumPy.

    Parameters
    ----------
    function : callable
        A function of yours, or what `grad`, `value_and_grad`, `hvp`, `per_sample_grad`, ... made of it.
    *args, **kwargs
        Example arguments: shapes, dtypes and static values are taken from them, the sizes stay general.
    target : {"numpy", "numba"}
        What the module is for: "numba" writes the loops that `jit(..., engine="numba")` compiles.

    Returns
    -------
    str
        A module: your names, shapes as comments, the rule behind a simplified line, guards tested at entry. The same
        bytes for the same function and kind of arguments.

    Raises
    ------
    ControlFlowError
        If Python decides by a traced value; write `np.where`.

    Notes
    -----
    Arrays in an argument's structure become parameters of their own; captured arrays become keyword parameters.

    Examples
    --------
    >>> import numpy as np
    >>> def loss(w, X, y):
    ...     return np.mean((X @ w - y) ** 2)
    >>> print(source(loss, np.ones(3), np.ones((5, 3)), np.ones(5)))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def loss(w, X, y):
        N = X.shape[0]
        if X.shape[1] != w.shape[0] or y.shape[0] != N:
            raise ValueError("sizes must agree: X.shape[1] == w.shape[0], y.shape[0] == N")
        return ((X @ w - y) ** 2).mean()
    <BLANKLINE>
    """
    if target not in ("numpy", "numba"):
        raise ArgumentError(f"target={target!r}: choose 'numpy' or 'numba'")
    function = getattr(function, "staged_function", function)
    return compile_call(function, args, kwargs).source(target)
