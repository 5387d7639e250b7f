"""`derive` and `explain`: a function becomes a derivation that answers for each of its lines.

The one idea: the function is staged, so that N stays N; the backward pass is derived from that graph and simplified, and
both graphs are kept: one for what is shown, one for why. Where Python decides by a value, the function is traced at its
arguments instead, and the derivation says that it holds for this path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from chainrule.arguments import Wrt, chosen_arguments, function_name, is_floating, parameter_names, take_apart
from chainrule.calling import as_called
from chainrule.compilation import compile_call
from chainrule.derivation.stepwise import derive_stepwise
from chainrule.differentiation import scalar_output, trace_call
from chainrule.errors import ArgumentError, ControlFlowError
from chainrule.evaluate import evaluate
from chainrule.graphs import Graph
from chainrule.primitives.reduction import MEAN, SUM
from chainrule.program import number_names
from chainrule.shapes import SizeExpr
from chainrule.show.cutting import cut_steps
from chainrule.show.derivation import Derivation, Explanation
from chainrule.show.facts import facts_of, folded_calls, roles_of
from chainrule.show.lines import lines_of
from chainrule.show.own_names import with_own_names
from chainrule.show.shown import LAYOUTS, LEVELS, Look, require_choice
from chainrule.simplify.passes import apply_rules, simplify_graph
from chainrule.simplify.recognise import recognise
from chainrule.spelling import Names, identifier

LABELS = frozenset(("y", "t", "label", "labels", "target", "targets"))


def derive(
    function: Callable,
    *args: Any,
    wrt: Wrt | None = None,
    level: str = "steps",
    notation: str = "default",
    layout: str = "own",
    symbols: Mapping[str, str] | None = None,
    shapes: bool | None = None,
    cut: bool | Literal["auto"] = "auto",
    **kwargs: Any,
) -> Derivation:
    r"""Derive the gradient of a function, line by line, in its own names.

    Parameters
    ----------
    function : callable
        Plain NumPy, or a network of `cr.nn` in it; returns one number.
    *args, **kwargs
        Example arguments: shapes and the numbers that are shown are taken from them, sizes stay general. An argument of the
        function that is called like one of the parameters below has to be given by position.
    wrt : int, str or tuple, default all arguments that hold floats, but for labels
        What to differentiate by. Labels are what has samples and is only compared with the outputs.
    level : {"steps", "summary", "proof", "numbers", "collapsed"}
        How much is shown. "summary": every equation with its shape. "steps": also which rule made each line, what it reuses and
        what was simplified. "proof": for single entries, with indices, up to the matrix form. "numbers": values, Jacobians
        and differences. "collapsed": the steps put back into one formula.
    notation : {"default", "partial", "nielsen"}
        dW2; the derivative of L by W2 as a fraction; or the deltas of Nielsen's book.
    layout : {"own", "both"}
        "both" sets samples as rows and samples as columns side by side.
    symbols : mapping of str to str, optional
        Symbols of one's own, in LaTeX: ``{"Z1": r"\zeta"}``. What is named after these follows.
    shapes : bool, optional
        Whether each symbol has its shape under it; by default in LaTeX and HTML, at the levels "summary" and "steps". The
        shape of the left side is told in any case.
    cut : bool or "auto"
        Name the steps of a loss that is written as one expression u1, u2, ...; by default where nothing has a name, and
        pre-activations inside of longer expressions.

    Returns
    -------
    Derivation
        ``print`` shows it; `text`, `latex`, `markdown`, `html` and `save` are its costumes; ``d["dW1"].why()`` explains one.

    Raises
    ------
    ArgumentError
        The function does not return one number, or there is nothing to differentiate by.
    UnsupportedError
        The function does something that cannot be traced; the message says where and what to write instead.

    Examples
    --------
    >>> import numpy as np
    >>> def loss(X, y, w):
    ...     e = X @ w - y
    ...     return np.mean(e**2)
    >>> d = derive(loss, np.ones((4, 3)), np.ones(4), np.zeros(3), wrt="w")
    >>> [line.name for line in d]
    ['u1', 'e', 'loss', 'de', 'du1', 'dw']
    >>> d["dw"].value
    array([-2., -2., -2.])
    """
    require_choice("level", level, LEVELS)
    require_choice("layout", layout, LAYOUTS)
    args = _numbers_as_floats(args, kwargs)
    try:
        staged = _staged(function, args, kwargs, wrt)
    except ControlFlowError as refusal:
        staged = _on_one_path(function, args, kwargs, wrt, refusal)
    forward, wrt_numbers, constants, arguments, notes = staged
    if wrt is None:
        wrt_numbers = _without_labels(forward, wrt_numbers)
    if not wrt_numbers:
        raise ArgumentError(f"{function_name(function)}() was given no floats: there is nothing to differentiate by")
    given = cut_steps(forward) if cut else []
    if given and cut == "auto":
        notes = [*notes, f"steps without a name are called {', '.join(given[:4])}{', ...' if len(given) > 4 else ''}"]
    for number, name in constants.items():
        forward.variables[number].name = forward.variables[number].name or name
    loss = _loss_name(function, forward)
    forward.output_names = [loss]
    for number, name in constants.items():
        forward.variables[number].name = forward.variables[number].name or name
    own = _settled(forward)
    if type(own.outputs[0]) is not int or own.outputs[0] not in own.producers():
        raise ArgumentError(
            f"{function_name(function)}() computes nothing from its arguments: there is nothing to derive"
        )
    recognised = recognise(own)
    both = derive_stepwise(recognised, own.outputs, wrt_numbers)
    both.graph.output_names = [loss]
    graph = simplify_graph(both.graph)
    constants = {n: constants.get(n) or graph.variables[n].name or f"constant{n}" for n in graph.constants}
    with np.errstate(all="ignore"):  # what is not finite is shown as it is
        everything = evaluate(graph, arguments, everything=True)
    _leave_out_parts(graph, both.names, arguments, everything)
    _rename_strangers(graph, everything)
    statements = lines_of(graph, both.names, constants, recognised)
    cotangents = {name: cotangent for cotangent, name in both.cotangent_of.items()}
    gradients = {forward.variables[n].name or "": cotangents[forward.variables[n].name or ""] for n in wrt_numbers}
    values = {graph.variables[n].name or "": everything[n] for n in graph.inputs}
    values |= {name: everything[n] for n, name in constants.items()}
    values |= {statement.name: everything[statement.value_number] for statement in statements}
    statements = with_own_names(statements, values, recognised)
    by_name = {statement.name: statement for statement in statements}
    called = [as_called(call, forward, by_name[call.output], values) for call in folded_calls(graph, statements)]
    calls = tuple(call for call in called if call is not None)
    folded = {call.output: call.form for call in calls if len(call.names) == 1}
    statements = tuple(replace(s, form=folded[s.name]) if s.name in folded else s for s in statements)
    return Derivation(
        function=function_name(function),
        loss=loss,
        forward=forward,
        stated=both.stated,
        raw=both.raw,
        graph=graph,
        statements=statements,
        wrt=tuple(gradients),
        gradients=gradients,
        values=values,
        everything=everything,
        facts=facts_of(graph, statements, loss, constants, both.cotangent_of),
        calls=calls,
        notes=tuple(notes),
        look=Look(level, notation, layout, dict(symbols or {}), shapes),
    )


def explain(derivation: Derivation, name: str) -> Explanation:
    """Why a gradient is what it is: the one chain from the loss to it, with proof and numbers.

    Parameters
    ----------
    derivation : Derivation
        What `derive` returned.
    name : str
        A line of the backward pass such as "dW1", or what it is the gradient by: "W1".

    Returns
    -------
    Explanation
        ``print`` shows it; it has the costumes of a derivation.

    Examples
    --------
    >>> def f(a, b):
    ...     c = a + b
    ...     d = a * b
    ...     return c * d / 2
    >>> explain(derive(f, 2, 3), "da")
    <why da in the derivation of f>
    """
    return derivation[name].why()


def _staged(
    function: Callable, args: tuple, kwargs: dict, wrt: Wrt | None
) -> tuple[Graph, list[int], Any, list, list[str]]:
    """The forward graph for every size, the inputs to differentiate by, names of constants, the arguments, notes."""
    compiled = compile_call(function, args, kwargs)
    if compiled.result_count != 1:
        raise ArgumentError(
            f"{function_name(function)}() returns {compiled.result_count} arrays; derive needs one number"
        )
    graph = compiled.graph.copy()
    _name_samples(graph)
    output = graph.outputs[0]
    shape = graph.variables[output].shape if type(output) is int else ()
    if shape:
        raise ArgumentError(
            f"{function_name(function)}() returns an array of shape {graph.spell_shape(shape)}; derive needs one number: sum or "
            "average it"
        )
    for number, name in compiled.parameters.items():
        graph.variables[number].name = name
    call = take_apart(function, args, kwargs, parameter_names(function))
    chosen = _chosen(function, call, wrt)
    numbers: list[int] = []
    position = 0
    arguments: dict[int, Any] = {}
    for argument, leaves in enumerate(call.leaves):
        for leaf in leaves:
            leaf_number = compiled.leaf_numbers[position]
            position += 1
            if leaf_number is None:
                continue
            arguments[leaf_number] = leaf
            if argument in chosen and graph.variables[leaf_number].dtype.kind == "f":
                numbers.append(leaf_number)
    return graph, numbers, compiled.constants, [arguments[n] for n in graph.inputs], list(compiled.notes)


def _name_samples(graph: Graph) -> None:
    """Of the axes that the loss runs over, let the one be N that labels have, or that fewer arguments have; in place.

    With samples in columns the first axis is that of the outputs, which weights and biases have, too.
    """
    scope, output = graph.scope, graph.outputs[0]
    symbols = [] if scope is None else [symbol for symbol, name in scope.names.items() if name == "N"]
    if scope is None or len(symbols) != 1 or type(output) is not int:
        return

    def symbols_of(number: int) -> list[int]:
        dims = [scope.resolve(dim) for dim in graph.variables[number].shape]
        return [dim.symbol for dim in dims if isinstance(dim, SizeExpr) and dim.symbol is not None]

    def rank(symbol: int) -> tuple[int, int]:
        holders = [graph.variables[n] for n in graph.inputs if symbol in symbols_of(n)]
        return -sum(v.dtype.kind in "iub" for v in holders), len(holders)

    for equation in graph.equations:
        source = equation.inputs[0] if equation.inputs else None
        if equation.primitive in (SUM, MEAN) and type(source) is int and symbols[0] in (found := symbols_of(source)):
            best = min([*symbols, *(s for s in found if s not in scope.names)], key=rank)
            if not graph.variables[equation.output].shape and rank(best) < rank(symbols[0]):
                scope.names[best] = scope.names.pop(symbols[0])
                return


def _on_one_path(
    function: Callable, args: tuple, kwargs: dict, wrt: Wrt | None, refusal: ControlFlowError
) -> tuple[Graph, list[int], Any, list, list[str]]:
    """The same of a trace with values, for a function in which Python decides by them."""
    call = take_apart(function, args, kwargs, parameter_names(function))
    chosen = _chosen(function, call, wrt)
    if not chosen:
        raise refusal
    names = tuple(call.names[argument] for argument in chosen)
    traced = trace_call(function, args, kwargs, names, parameter_names(function), places=True)
    graph = traced.trace.graph
    graph.outputs = [scalar_output(traced, traced.result)]
    number_names(graph)
    constants = {number: graph.variables[number].name or f"constant{number}" for number in graph.constants}
    note = f"Python decides by values here ({' '.join(str(refusal).split())[:100]}...): this holds for the path taken with these"
    return graph.copy(), list(traced.wrt_numbers), constants, [traced.values[n] for n in graph.inputs], [note]


def _without_labels(graph: Graph, numbers: list[int]) -> list[int]:
    """Leave out what the outputs are compared with: nobody asks for the gradient by the labels."""
    roles = roles_of(graph)
    kept = [number for number in numbers if roles.get(number) != "labels"]
    left = [
        (graph.variables[number].name or "").rstrip("0123456789_").lower() for number in numbers if number not in kept
    ]
    alike = all(roles.get(number) == "data" for number in kept) and not LABELS.intersection(left)
    return numbers if alike else kept  # where nothing is multiplied by weights, only a name tells labels from data


def _chosen(function: Callable, call: Any, wrt: Wrt | None) -> list[int]:
    if wrt is not None:
        return chosen_arguments(function, call, wrt)
    return [argument for argument, leaves in enumerate(call.leaves) if any(map(is_floating, leaves))]


def _numbers_as_floats(args: tuple, kwargs: dict) -> tuple:
    """Whole numbers as floats, where there is no float: `derive(f, 2, 3)`."""
    if kwargs or not all(type(a) is int for a in args):
        return args
    return tuple(map(float, args))


def _settled(graph: Graph) -> Graph:
    """The forward graph in which no two equations say the same: what would meet later meets before anything is derived."""
    count = len(graph.equations) + 1
    while len(graph.equations) < count:
        count = len(graph.equations)
        graph = apply_rules(graph)
    return graph


def _leave_out_parts(graph: Graph, names: Sequence[str], arguments: Sequence[Any], everything: Sequence[Any]) -> None:
    """Let a free cotangent be the held one where it is another number; in place.

    What was recognised goes around the lines that it was recognised in, so the free pass may see a part of the paths only.
    Where the user's arithmetic overflows nothing can be compared; there small arguments tell.
    """
    small = None
    for place in range(1, len(names) + 1):
        held, free = graph.outputs[place], graph.outputs[place + len(names)]
        if type(held) is not int or type(free) is not int or held == free:
            continue
        one, other = everything[held], everything[free]
        if not np.all(np.isfinite(one)):
            if small is None:
                damped = [a * 1e-3 if is_floating(a) else a for a in arguments]
                small = evaluate(graph, damped, everything=True)
            one, other = small[held], small[free]
        scale = float(np.max(np.abs(one), initial=0.0))
        if np.shape(one) != np.shape(other) or not np.allclose(one, other, rtol=1e-4, atol=1e-4 * scale):
            graph.outputs[place + len(names)] = held


def _rename_strangers(graph: Graph, everything: Sequence[Any]) -> None:
    """A derived value that is called like one of the user's, and is another, gets another name; in place."""
    names = Names(variable.name for variable in graph.variables if variable.name)
    own = {n: graph.variables[n].name for n in (*graph.inputs, *graph.constants)}
    own |= {e.output: graph.variables[e.output].name for e in graph.equations if e.step is None}
    numbers = {name: number for number, name in own.items() if name}
    for equation in graph.equations:
        name = graph.variables[equation.output].name
        if equation.step is not None and name in numbers:
            one, other = everything[equation.output], everything[numbers[name]]
            if np.shape(one) != np.shape(other) or not np.allclose(one, other, rtol=1e-4, equal_nan=True):
                graph.variables[equation.output].name = names.fresh(name)


def _loss_name(function: Callable, graph: Graph) -> str:
    output = graph.outputs[0]
    taken = {v.name for v in graph.variables}
    own = graph.variables[output].name if type(output) is int else None
    name = own or function_name(function)
    fits = name.isidentifier() and identifier(name) == name and (name == own or name not in taken)
    return name if fits else next(other for other in ("L", "loss", "total", "result", "_L") if other not in taken)
