"""One function, traced at a call and differentiated: what `grad` and kin share.

The one idea: the forward pass runs once, while it is traced. The backward program depends only on the structure of what
was traced (the key), so it is derived, simplified and compiled once for each structure; a repeated call costs the
trace, a look-up and the backward pass.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arguments import Call, Wrt, as_float_leaf, chosen_arguments, is_floating, take_apart
from chainrule.derivation.batch import batch_graph
from chainrule.derivation.forward import derive_jvp
from chainrule.derivation.reverse import derive_vjp
from chainrule.errors import ArgumentError, DtypeError, UnsupportedError
from chainrule.evaluate import evaluate
from chainrule.graphs import Graph, Operand
from chainrule.program import number_names
from chainrule.pytree import Recorder, flatten, unflatten
from chainrule.run import compile_graph
from chainrule.sharing import handle
from chainrule.simplify.passes import apply_rules, simplify_graph
from chainrule.simplify.recognise import recognise
from chainrule.trace import Trace
from chainrule.tracer import Tracer, new_trace

CACHE_SIZE = 512
NOTHING: Any = object()  # the wrt of a view, which differentiates nothing
_programs: OrderedDict[Any, BackwardProgram] = OrderedDict()


@dataclass(slots=True)
class Traced:
    """One call of a function, traced with its values."""

    function: Callable
    call: Call
    trace: Trace
    chosen: list[int]
    wrt_numbers: list[int]
    result: Any
    values: list[Any]
    residuals: list[int] | None = None  # what the derived program has read, once it ran


@dataclass
class BackwardProgram:
    """A backward pass: which forward values it reads, and the program from these (and seeds) to cotangents."""

    graph: Graph
    residuals: list[int]

    @functools.cached_property
    def run(self) -> Callable:
        """The compiled program."""
        return compile_graph(self.graph)


def trace_call(
    function: Callable,
    args: tuple,
    kwargs: dict,
    wrt: Wrt,
    names: list[str] | None,
    *,
    places: bool = False,
    needed: Any = None,
) -> Traced:
    """Run `function` on traced values; every floating argument is traced, whatever is differentiated"""
    call = take_apart(function, args, kwargs, names)
    chosen = chosen_arguments(function, call, wrt) if wrt is not NOTHING else []
    nested = any(isinstance(leaf, Recorder) for group in call.leaves for leaf in group)
    places = places or nested
    trace = new_trace(concrete=True, places=places)
    trace.needed = needed
    wrt_numbers: list[list[int]] = [[] for _ in chosen]
    traced: list[list] = []
    identifiers = call.identifiers() if places else []
    for argument, group in enumerate(call.leaves):
        place = chosen.index(argument) if argument in chosen else None
        if place is not None and not group:
            raise DtypeError(f"{call.names[argument]} holds no array or number: there is nothing to differentiate by")
        leaves = []
        for position, leaf in enumerate(group):
            if type(leaf) is np.ndarray and leaf.dtype.kind == "f":
                pass
            elif place is not None:
                leaf = as_float_leaf(leaf, functools.partial(call.path, argument, position))
            elif not is_floating(leaf):
                leaves.append(leaf)
                continue
            tracer = trace.input(leaf)
            if places:
                tracer.variable.name = identifiers[argument][position]
            if place is not None:
                wrt_numbers[place].append(tracer.number)
            leaves.append(tracer)
        traced.append(leaves)
    if nested:
        trace.graph.scope, trace.base = nested_in(call)
    call_args, call_kwargs = call.rebuild(traced)
    try:
        result = function(*call_args, **call_kwargs)
        if trace.refusal is not None:
            raise trace.refusal
    except ValueError as error:
        if isinstance(error.__cause__, UnsupportedError):  # NumPy: "setting an array element with a sequence"
            raise error.__cause__ from None
        raise
    finally:
        values = trace.values
        trace.close()
    return Traced(function, call, trace, chosen, [n for group in wrt_numbers for n in group], result, values)


def nested_in(call: Call) -> tuple[Any, Any]:
    """The named sizes and the staged trace that a call's traced arguments belong to, if any."""
    scope = base = None
    for group in call.leaves:
        for leaf in group:
            if isinstance(leaf, Tracer):
                scope = scope or leaf.trace.scope or leaf.trace.graph.scope
                base = base or leaf.trace.base
    return scope, base


def output_operand(traced: Traced, value: Any) -> Operand:
    """The variable that an output of the function is, or the literal or constant that it is."""
    if isinstance(value, Tracer) and value.trace is traced.trace:
        return value.number
    traced.trace.alive = True
    try:
        return traced.trace.operand(value)
    finally:
        traced.trace.alive = False


def plain_value(traced: Traced, leaf: Any) -> Any:
    """A result's leaf without its tracer."""
    if isinstance(leaf, Tracer) and leaf.trace is traced.trace:
        value = leaf.value
        # the backward pass may read it later, whatever the caller writes into it
        return handle(value, leaf.fresh is True) if isinstance(value, Tracer) else value
    return leaf


def strip(traced: Traced, tree: Any) -> Any:
    """A result with every tracer of this trace replaced by its value."""
    if isinstance(tree, Tracer):
        return plain_value(traced, tree)
    if tree is None or isinstance(tree, (str, bool)):
        return tree
    leaves, structure = flatten(tree)
    return unflatten(structure, [plain_value(traced, leaf) for leaf in leaves])


def scalar_output(traced: Traced, value: Any) -> Operand:
    """The loss's variable; raises when the loss is not a scalar."""
    shape = getattr(value, "shape", None)
    if shape is None and not isinstance(value, (int, float)):
        raise ArgumentError(
            f"the function returned {type(value).__name__}; grad needs one number (has_aux=True for (loss, extra))"
        )
    if shape:
        raise ArgumentError(
            f"the function returned an array of shape {tuple(shape)}; grad needs one number: sum or average it, "
            "or use cr.jacobian"
        )
    return output_operand(traced, value)


def backward(traced: Traced, outputs: list[Operand], seeds: list[Any] | None) -> list[Any]:
    """The cotangents of the chosen inputs: one sweep of the cached backward program."""
    traced.trace.graph.outputs = outputs
    derive = derive_vjp_one if seeds is None else derive_vjp_seeds
    return run_derived(traced, derive, seeds or [])


def derive_vjp_one(graph: Graph, wrt: list[int]) -> tuple[Graph, list[int]]:
    """The backward pass of a scalar, its cotangent being 1."""
    derived = derive_vjp(recognise(graph), wrt, seed_one=True)
    derived.graph.outputs = derived.cotangents
    return derived.graph, []


def derive_vjp_seeds(graph: Graph, wrt: list[int]) -> tuple[Graph, list[int]]:
    """The backward pass with the outputs' cotangents as inputs."""
    derived = derive_vjp(recognise(graph), wrt)
    derived.graph.outputs = derived.cotangents
    return derived.graph, derived.seeds


def derive_jvp_seeds(graph: Graph, wrt: list[int]) -> tuple[Graph, list[int]]:
    """The tangents of the outputs with the inputs' tangents as inputs."""
    derived = derive_jvp(recognise(graph), wrt)
    derived.graph.outputs = derived.tangents
    return derived.graph, derived.seeds


def run_derived(traced: Traced, derive: Callable, seeds: list[Any], stack: int | None = None) -> list[Any]:
    """Run what `derive` makes of the trace on its values and these seeds, or on a stack of seeds at once."""
    graph = traced.trace.graph
    key = structural_key(graph, traced.wrt_numbers, (derive, stack))
    program = _programs.get(key) if key is not None else None
    if program is None:
        program = _derived_program(graph, traced.wrt_numbers, derive, stack)
        if key is not None:
            _programs[key] = program
            if len(_programs) > CACHE_SIZE:
                _programs.popitem(last=False)
    traced.residuals = program.residuals
    if graph.segments:
        _let_go(traced, program.residuals)
    inputs = [traced.values[n] for n in program.residuals] + seeds
    if traced.trace.needed is not None and any(value is None for value in inputs):
        inputs = _recomputed(traced, program.residuals) + seeds
    base = traced.trace.base
    if base is not None or any(isinstance(value, Recorder) for value in inputs):
        return evaluate(program.graph, inputs, top=base)
    return program.run(inputs)


def _let_go(traced: Traced, residuals: list[int]) -> None:
    """Of a trace with checkpoints, keep what the backward pass reads."""
    kept = {*residuals, *traced.trace.graph.inputs, *traced.trace.graph.constants}
    traced.values = [value if number in kept else None for number, value in enumerate(traced.values)]
    traced.trace.needed = kept  # another program computes what it lacks


def _counts(constant: Any) -> bool:
    """Whether a constant is 0, 1, 2, ...: the one thing that a rewrite asks of a constant's values."""
    if not isinstance(constant, np.ndarray) or constant.dtype.kind not in "iu" or constant.ndim != 1:
        return False
    size = len(constant)
    return size > 0 and constant[0] == 0 and constant[-1] == size - 1 and bool((constant == np.arange(size)).all())


def _recomputed(traced: Traced, residuals: list[int]) -> list[Any]:
    """The forward values that a program reads, when the trace held on to those of another program."""
    graph = traced.trace.graph
    given = {n: traced.values[n] for n in (*graph.inputs, *graph.constants)}
    everything = evaluate(graph, [given[n] for n in graph.inputs], everything=True)
    return [given.get(n, everything[n]) for n in residuals]


def _derived_program(graph: Graph, wrt: list[int], derive: Callable, stack: int | None) -> BackwardProgram:
    number_names(graph)
    joint, seeds = derive(apply_rules(graph), wrt)
    program = cut(simplify_graph(joint), known_numbers(graph), seeds)
    residuals = [n for n in program.inputs if n not in seeds]
    if stack is not None:
        program = simplify_graph(batch_graph(program, seeds, stack))
    return BackwardProgram(program, residuals)


def structural_key(graph: Graph, wrt: list[int], kind: Any) -> Any:
    """What the backward program depends on; None where it cannot be hashed (named sizes)."""
    if graph.scope is not None:
        return None
    variables = graph.variables
    try:
        key = (
            tuple([(e.primitive, e.inputs, e.params) for e in graph.equations]),
            tuple([(variables[n].shape, variables[n].dtype, variables[n].weak) for n in graph.inputs]),
            tuple([(n, variables[n].shape, variables[n].dtype, _counts(c)) for n, c in graph.constants.items()]),
            tuple(graph.outputs),
            tuple(wrt),
            kind,
            tuple(graph.segments.items()),
        )
        hash(key)
    except TypeError:
        return None
    return key


def known_numbers(graph: Graph) -> set[int]:
    """The variables that a concrete trace has values for: all but the unexecuted broadcasts and conversions."""
    unexecuted = {e.output for e in graph.equations if e.primitive.name in ("broadcast_to", "convert")}
    return set(range(len(graph.variables))) - unexecuted


def cut(joint: Graph, known: set[int], seeds: list[int]) -> Graph:
    """The part of a joint graph that still has to run when the `known` variables have values."""
    needed = {o for o in joint.outputs if type(o) is int}
    kept = []
    for equation in reversed(joint.equations):
        if equation.output in needed and equation.output not in known:
            kept.append(equation)
            needed.update(i for i in equation.inputs if type(i) is int)
    kept.reverse()
    made = {e.output for e in kept}
    result = joint.copy()
    result.equations = kept
    result.constants = {n: value for n, value in joint.constants.items() if n in needed and n not in known}
    free = needed - made - set(seeds) - set(result.constants)
    result.inputs = sorted(free) + list(seeds)
    return result


def owned(arrays: list[Any], borrowed: list[Any]) -> list[Any]:
    """Results that share no memory with each other or with the arrays they were computed from."""
    seen = set(map(id, borrowed))
    result = []
    for value in arrays:
        if isinstance(value, np.ndarray):
            if value.base is not None or id(value) in seen or not value.flags.writeable:
                value = value.copy()
            seen.add(id(value))
        elif isinstance(value, Tracer):
            value = handle(value, True)
        result.append(value)
    return result
