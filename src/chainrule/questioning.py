"""A backward pass questioned: called on copies, read, set beside the derived one, here and at other arguments.

The one idea: a case is everything that is known before the search begins. What the user's function returned is taken apart
by name; the loss is traced in float64; and the same question can be put again elsewhere.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.arguments import Wrt, chosen_arguments, function_name, is_floating, parameter_names, take_apart
from chainrule.captures import Captures
from chainrule.diagnosis.asking import ask
from chainrule.diagnosis.bench import Bench
from chainrule.diagnosis.foreign import from_torch, is_torch_function
from chainrule.diagnosis.formulas import Formula
from chainrule.diagnosis.memory import differ, remembered
from chainrule.diagnosis.reading import Wanted, as_array, gradient_of, read_gradients
from chainrule.diagnosis.report import Finding
from chainrule.diagnosis.sheet import Sheet
from chainrule.diagnosis.watching import watch
from chainrule.differentiation import output_operand, trace_call
from chainrule.elsewhere import Batch, find_batch, moved
from chainrule.errors import ArgumentError
from chainrule.evaluate import evaluate
from chainrule.graphs import Graph
from chainrule.program import number_names
from chainrule.pytree import LEAF, tree_map

ELSEWHERE = 2  # other arguments at which the backward pass is asked again


@dataclasses.dataclass
class Case:
    """A loss and its backward pass, at one set of arguments."""

    function: Callable
    backward: Any
    args: tuple
    kwargs: dict
    wrt: tuple[int, ...]
    batch: Batch | None
    size: int | None
    intermediates: Mapping[str, Any]
    formulas: Mapping[str, Formula] | None = None


def prepare(
    function: Callable, backward: Any, args: tuple, kwargs: dict, wrt: Wrt | None, intermediates: Mapping[str, Any]
) -> tuple[Case, Any, list[str]]:
    """The case, what the backward pass returned, and what is said of arguments that it wrote into."""
    args = tuple(float(a) if type(a) is int else a for a in args)
    call = take_apart(function, args, kwargs, parameter_names(function))
    empty = [
        name for name, group in zip(call.names, call.leaves, strict=True) if any(np.size(leaf) == 0 for leaf in group)
    ]
    if empty:
        raise ArgumentError(f"{', '.join(empty)} has no entries: there is nothing to judge a backward pass by")
    if is_torch_function(backward):
        places = chosen_arguments(function, call, default_wrt(call, None) if wrt is None else wrt)
        backward = from_torch(backward, places)
    given = copied(args)
    result = run_backward(backward, given, kwargs)
    if wrt is None:
        wrt = default_wrt(call, result)
    chosen = tuple(chosen_arguments(function, call, wrt))
    batch = find_batch(function, args, kwargs, chosen) if callable(backward) else None
    case = Case(function, backward, args, kwargs, chosen, batch, batch.size if batch else None, intermediates)
    return case, result, written_notes(case, given) if callable(backward) else []


def written_notes(case: Case, args: tuple) -> list[str]:
    """What is said of arguments that the backward pass wrote into: a parameter updated too early is read updated."""
    names = parameter_names(case.function)
    call, after = (take_apart(case.function, a, {}, names) for a in (case.args, args))
    written = [
        name
        for name, before, now in zip(call.names, call.leaves, after.leaves, strict=False)
        if any(not np.array_equal(b, n) for b, n in zip(before, now, strict=False) if isinstance(b, np.ndarray))
    ]
    if not written:
        return []
    return [f"backward writes into its arguments: {', '.join(written)} {'is' if len(written) == 1 else 'are'} changed"]


def per_sample_notes(bench: Bench) -> list[str]:
    """Intermediate values that are the right ones times a number, where the gradients are right: another convention."""
    if any(target.gradient for target in bench.unexplained()):
        return []
    notes = []
    for target in bench.unexplained():
        truth = bench.scene.exact.cotangents[target.number]
        norm = float(np.sum(truth * truth))
        k = float(np.sum(truth * target.value)) / norm if norm and truth.shape == target.value.shape else 0.0
        if k and target.explained_by(k * truth):
            bench.targets = [other for other in bench.targets if other is not target]
            notes.append(
                f"{target.name} is {k:.6g} times the derivative of the loss, and the gradients are right: it is counted in "
                "another unit (of one sample, say), and made up for later"
            )
    return notes


def run_backward(backward: Any, args: tuple, kwargs: dict) -> Any:
    """What the backward pass returns for arguments that it may write into; or the gradients that were given."""
    if not callable(backward):
        return backward
    with np.errstate(all="ignore"):
        return copied(backward(*args, **copied(kwargs)))


def copied(tree: Any) -> Any:
    """The same structure with its own arrays."""
    try:
        return copy.deepcopy(tree)
    except Exception:  # noqa: BLE001 - what cannot be copied is passed as it is
        return tree


def default_wrt(call: Any, result: Any) -> tuple:
    """The arguments that a dict of gradients names, else all floating ones."""
    floating = [n for n, group in enumerate(call.leaves) if group and all(map(is_floating, group))]
    if isinstance(result, (tuple, list)) and len(result) == 2 and isinstance(result[1], Mapping):
        result = result[1]
    if isinstance(result, Mapping):
        named = [gradient_of(str(key), call.names) for key in result]
        found = [n for n in floating if call.names[n] in named]
        if found:
            return tuple(found)
    if not floating:
        raise ArgumentError("no argument is floating: there is nothing to differentiate by")
    return tuple(floating)


def bench_of(case: Case, result: Any) -> tuple[Bench, Graph, list[str]]:
    """The search's starting point for what the backward pass returned."""
    args = tuple(tree_map(_float64, a) for a in case.args)
    kwargs = {name: tree_map(_float64, value) for name, value in case.kwargs.items()}
    traced = trace_call(case.function, args, kwargs, case.wrt, parameter_names(case.function), places=True)
    graph = traced.trace.graph
    if np.shape(traced.result) != () or isinstance(traced.result, (tuple, list, dict)):
        raise ArgumentError(
            f"{function_name(case.function)}() returned {_described(traced.result)}, but a loss is one number: sum it against "
            "a cotangent, lambda *a: np.sum(f(*a) * cotangent)"
        )
    graph.outputs = [output_operand(traced, traced.result)]
    number_names(graph)
    values = evaluate(graph, [traced.values[n] for n in graph.inputs], everything=True)
    wanted = [
        Wanted(traced.call.names[a], tuple(traced.call.paths(a)), None if traced.call.structures[a] is LEAF else True)
        for a in case.wrt
    ]
    answers: dict[int, tuple[str, np.ndarray, bool]] = {}
    loss = None
    if case.formulas is None:
        found, loss = read_gradients(result, wanted)
        paths = [path for want in wanted for path in want.paths]
        answers = {
            number: (f"d{graph.variables[number].name or path}", found[path], True)
            for number, path in zip(traced.wrt_numbers, paths, strict=True)
        }
    forward: dict[int, tuple[str, np.ndarray]] = {}
    if loss is not None and type(graph.outputs[0]) is int:
        forward[graph.outputs[0]] = ("the loss", np.asarray(loss, dtype=float))
    for name, value in case.intermediates.items():
        _place_intermediate(graph, name, as_array(value, name), answers, forward)
    if case.formulas is not None:
        _place_formulas(case, graph, values, traced.wrt_numbers, answers)
    bench = ask(graph, values, traced.wrt_numbers, answers, _seen(case), case.size, dtype_of(case, result))
    return bench, graph, _forward_notes(bench, forward)


def _place_intermediate(graph: Graph, name: str, value: np.ndarray, answers: dict, forward: dict) -> None:
    """Where a value on the way belongs: the cotangent of a variable, or its forward value."""
    known = {v.name: n for n, v in enumerate(graph.variables) if v.name and v.depth == 0}
    if name in ("loss", "L", "J", "cost") and name not in known and type(graph.outputs[0]) is int:
        forward[graph.outputs[0]] = (name, value)
    elif name in known:
        forward[known[name]] = (name, value)
    elif (bare := gradient_of(name, list(known))) is not None or (
        bare := gradient_of(name.replace("delta", "dZ"), list(known))
    ) is not None:
        answers.setdefault(known[bare], (name, value, False))
    else:
        raise ArgumentError(
            f"intermediates: {name!r} is the gradient or value of nothing in the function; its variables are "
            f"{', '.join(known)}, their gradients d{next(iter(known), 'Z')}, ..."
        )


def _place_formulas(case: Case, graph: Graph, values: Sequence[Any], wrt: Sequence[int], answers: dict) -> None:
    """What the formulas give, each as the cotangent of its variable; later ones see earlier ones."""
    scope: dict[str, Any] = {}
    for seen in watch(case.function, case.args, case.kwargs).assignments:
        if "return" not in seen.name:
            scope[seen.name] = seen.value
    call = take_apart(case.function, case.args, case.kwargs, parameter_names(case.function))
    scope |= {name: group[0] for name, group in zip(call.names, call.leaves, strict=True) if len(group) == 1}
    exact = Sheet(graph, values, wrt).run()
    for number, variable in enumerate(graph.variables):
        if variable.name and variable.depth == 0:
            scope[variable.name] = values[number]
            if number in exact.cotangents:
                scope.setdefault(f"d{variable.name}", exact.cotangents[number])
    for name, formula in (case.formulas or {}).items():
        value = formula.evaluate(scope)
        scope[name] = value
        placed: dict[int, tuple[str, np.ndarray, bool]] = {}
        _place_intermediate(graph, name, as_array(value, name), placed, {})
        if not placed:
            raise ArgumentError(f"{name!r} is a value of the function, not a gradient: name the formula d{name}")
        answers |= {number: (label, found, True) for number, (label, found, _) in placed.items()}


def _forward_notes(bench: Bench, forward: Mapping[int, tuple[str, np.ndarray]]) -> list[str]:
    """What is said of forward values that the user gave, nearest the arguments first."""
    notes = []
    for number, (name, value) in sorted(forward.items()):
        right = np.asarray(bench.scene.sheet.values[number])
        if value.shape != right.shape:
            notes.append(f"forward_mismatch: {name} has shape {value.shape}, but the function computes {right.shape}")
        elif not np.allclose(value, right, rtol=1e-4, atol=1e-6 * float(np.max(np.abs(right), initial=0))):
            worst = np.unravel_index(int(np.argmax(np.abs(value - right))), right.shape)
            place = str(list(map(int, worst))) if right.shape else ""
            notes.append(
                f"forward_mismatch: {name}{place} is {value[worst]:.6g}, but the function computes {right[worst]:.6g}: "
                "the two forward passes differ there"
            )
    return notes


def elsewhere_of(case: Case, graph: Graph) -> list[tuple[Case, Bench]]:
    """The same backward pass asked at other arguments; left out where it, or the function, does not go."""
    found: list[tuple[Case, Bench]] = []
    for seed in range(ELSEWHERE):
        try:
            batch = case.batch if seed == 0 and case.formulas is None else None  # a formula may say 3 for N
            args, kwargs, size = moved(case.function, case.args, case.kwargs, case.wrt, batch, seed)
            there = dataclasses.replace(case, args=args, kwargs=kwargs, size=size or case.size, intermediates={})
            result = None if case.formulas is not None else run_backward(case.backward, copied(args), kwargs)
            bench, other, _ = bench_of(there, result)
        except Exception:  # noqa: BLE001, S112 - a backward pass that was written for one size is judged at that size
            continue
        if [e.primitive for e in other.equations] == [e.primitive for e in graph.equations]:
            found.append((there, bench))
    return found


def state_of(case: Case, bench: Bench, result: Any) -> tuple[Finding | None, str] | None:
    """What is to be said of a backward pass that answers otherwise when it is asked again; None if it does not."""
    if not callable(case.backward):
        return None
    answers = [read_result(case, bench, result)]
    for _ in range(2):
        answers.append(read_result(case, bench, run_backward(case.backward, copied(case.args), case.kwargs)))
        if not differ(list(answers[0].values()), list(answers[1].values())):
            return None
    gradients = [target for target in bench.targets if target.number in answers[0]]
    arrays = [[answer[target.number] for target in gradients] for answer in answers]
    truth = [bench.scene.exact.cotangents[target.number] for target in gradients]
    note = (
        "called again with the same arguments, the backward pass returns other numbers: it keeps something between calls, or "
        "draws random numbers. A gradient depends on its arguments alone; pass a mask or a state in"
    )
    return remembered([target.name for target in gradients], arrays, truth), note


def read_result(case: Case, bench: Bench, result: Any) -> dict[int, np.ndarray]:
    """A result of the backward pass by variable."""
    call = take_apart(case.function, case.args, case.kwargs, parameter_names(case.function))
    wanted = [
        Wanted(call.names[a], tuple(call.paths(a)), None if call.structures[a] is LEAF else True) for a in case.wrt
    ]
    found, _ = read_gradients(result, wanted)
    numbers = [number for number in bench.scene.sheet.graph.inputs if number in bench.scene.sheet.wrt]
    in_order = dict(zip(bench.scene.wrt_order, (p for w in wanted for p in w.paths), strict=True))
    return {number: np.asarray(found[in_order[number]], dtype=float) for number in numbers}


def _seen(case: Case) -> dict[str, np.ndarray]:
    """The arrays that the backward pass can see and that are not differentiated by: labels, masks, captured ones."""
    call = take_apart(case.function, case.args, case.kwargs, parameter_names(case.function))
    seen = {
        path: np.asarray(leaf)
        for argument, group in enumerate(call.leaves)
        if argument not in case.wrt
        for path, leaf in zip(call.paths(argument), group, strict=True)
        if isinstance(leaf, (np.ndarray, np.generic))
    }
    if inspect.isfunction(case.backward) or inspect.ismethod(case.backward):
        captures = Captures(case.backward)
        for key, array in captures.arrays.items():
            if array.dtype.kind in "fiu" and array.size:
                seen.setdefault(captures.names.get(key, "a captured array"), array)
    return seen


def _float64(leaf: Any) -> Any:
    dtype = getattr(leaf, "dtype", None)
    return leaf.astype(np.float64) if dtype is not None and dtype.kind == "f" else leaf


def dtype_of(case: Case, result: Any) -> str:
    """The coarsest floating dtype that the user's numbers were computed in."""
    leaves = [leaf for group in take_apart(case.function, case.args, case.kwargs, None).leaves for leaf in group]
    values: Sequence[Any] = (
        list(result.values())
        if isinstance(result, Mapping)
        else result
        if isinstance(result, (tuple, list))
        else [result]
    )
    kinds = {str(getattr(value, "dtype", "float64")) for value in (*leaves, *values)}
    return next((kind for kind in ("float16", "float32") if kind in kinds), "float64")


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" if shape is None else f"an array of shape {tuple(shape)}"
