"""A backward pass twice over: line by line, as one derives it, and free, as it simplifies.

The one idea: what a line of a derivation may use is the cotangents of the lines above it, and nothing inside of them. So each
cotangent of a named variable is held, which no rewrite sees through; a second backward pass beside it is not, and
simplifies across lines. Where the two differ, the difference is a simplification that deserves to be seen: softmax with
cross-entropy is a product with a Jacobian in one and (P - Y) / N in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.derivation.reverse import Backward, derive_vjp
from chainrule.graphs import FORWARD_VALUE, Equation, Graph, Operand, Step
from chainrule.primitives.control import HOLD, SHIFT

REPEATED = (FORWARD_VALUE, "recognise")  # the rules of steps that derive nothing


@dataclass(frozen=True)
class Stepwise:
    """Both backward passes in one graph.

    Attributes
    ----------
    stated : Graph
        The forward pass that was derived: a shift that cancels has no derivative.
    raw : Graph
        Forward and one backward pass as derived, with nothing held: the record of rules.
    graph : Graph
        Its outputs are the loss, then the held cotangents, then the free ones, both in the order of `names`.
    names : tuple of str
        The cotangents of named variables, in the order in which they are derived.
    cotangent_of : dict of str to str
        Of which variable each of them, and whatever else could be one, is the cotangent.
    """

    stated: Graph
    raw: Graph
    graph: Graph
    names: tuple[str, ...]
    cotangent_of: dict[str, str]


def derive_stepwise(graph: Graph, outputs: Sequence[Operand], wrt: Sequence[int]) -> Stepwise:
    """Derive the backward pass of a scalar for the inputs numbered `wrt`, held and free.

    Parameters
    ----------
    graph : Graph
        With the stable forms of what was recognised; its output is the loss in its stable form.
    outputs : sequence of int or Literal
        The loss in the user's own arithmetic: the held pass is derived from it.
    wrt : sequence of int
    """
    stable = graph.outputs
    own = _without_shifts(graph)
    own.outputs = list(outputs)
    stated = own.copy()
    cotangents = cotangent_names([variable.name for variable in graph.variables if variable.name])
    first = derive_vjp(own, wrt, seed_one=True)
    for equation in first.graph.equations:
        if equation.step is not None and equation.step.rule == "seed":
            first.graph.variables[equation.output].name = None  # dL = 1 is not worth a line
    _name_gradients(first, wrt)
    _tell_apart(first.graph, len(own.variables), cotangents)
    raw = first.graph.copy()
    raw.outputs = [*outputs, *first.cotangents]
    held = _hold(first.graph)
    held.outputs = stable
    start = len(held.variables)
    second = derive_vjp(held, wrt, seed_one=True)
    _name_gradients(second, wrt)
    joint = second.graph
    _tell_apart(joint, start, cotangents)
    named: list[dict[str, int]] = [{}, {}]
    for equation in joint.equations:
        free = equation.output >= start
        if _is_named(joint, equation) if free else equation.primitive is HOLD:
            named[free][joint.variables[equation.output].name or ""] = equation.output
    names = list(named[0])
    others = [named[1].get(name, number) for name, number in named[0].items()]
    joint.outputs = [*outputs, *named[0].values(), *others]
    for number in range(len(own.variables), len(joint.variables)):
        variable = joint.variables[number]
        if variable.depth > 1 or number >= start:
            variable.name = None  # the held one has the name, and what is inside of calls of calls needs none
    return Stepwise(stated, raw, joint, tuple(names), {cotangent: name for name, cotangent in cotangents.items()})


def cotangent_names(names: Iterable[str]) -> dict[str, str]:
    """The name of each variable's cotangent: `d` and its name, unless the user has a variable that is called so.

    >>> cotangent_names(["Z", "W", "dW"])
    {'Z': 'dZ', 'W': 'dL_dW', 'dW': 'ddW'}
    """
    names = list(names)
    taken = set(names)
    found = {}
    for name in dict.fromkeys(names):
        found[name] = f"d{name}" if f"d{name}" not in taken else f"dL_d{name}"
        while found[name] in taken:
            found[name] += "_"
        taken.add(found[name])
    return found


def _tell_apart(graph: Graph, start: int, cotangents: Mapping[str, str]) -> None:
    """Let the cotangents among the variables from `start` on have names of their own; in place."""
    other = {f"d{name}": cotangent for name, cotangent in cotangents.items()}
    for variable in graph.variables[start:]:
        variable.name = other.get(variable.name, variable.name) if variable.name else None


def _without_shifts(graph: Graph) -> Graph:
    """The graph in which a row maximum that was recognised as a mere shift has no derivative, in the user's lines, too."""
    made = graph.producers()
    shifted = set()
    for equation in graph.equations:
        if equation.primitive is SHIFT and equation.inputs[0] in made:
            source = made[equation.inputs[0]]  # type: ignore[index]
            shifted.add((source.primitive, source.inputs, source.params))
    graph = graph.copy()
    instead: dict[int, int] = {}
    equations: list[Equation] = []
    for equation in graph.equations:
        inputs = tuple(instead.get(i, i) if type(i) is int else i for i in equation.inputs)
        equations.append(replace(equation, inputs=inputs))
        if equation.step is None and (equation.primitive, equation.inputs, equation.params) in shifted:
            variable = graph.variables[equation.output]
            number = graph.new_variable(variable.shape, variable.dtype, variable.weak)
            step = Step(FORWARD_VALUE, variable.name or "")
            equations.append(Equation(SHIFT, (equation.output,), (), number, equation.origin, step))
            instead[equation.output] = number
    graph.equations = equations
    return graph


def _name_gradients(backward: Backward, wrt: Sequence[int]) -> None:
    """A gradient that no rule named, because its variable has a constant cotangent or none, is named here."""
    for number, cotangent in zip(wrt, backward.cotangents, strict=True):
        if type(cotangent) is int and backward.graph.variables[cotangent].name is None:
            backward.graph.variables[cotangent].name = f"d{backward.graph.variables[number].name}"


def _is_named(graph: Graph, equation: Equation) -> bool:
    variable = graph.variables[equation.output]
    derived = equation.step is not None and equation.step.rule not in REPEATED and equation.primitive is not HOLD
    return derived and bool(variable.name) and variable.depth == 0


def _hold(graph: Graph) -> Graph:
    """The same graph, with a hold behind each cotangent of a variable that the user named; the hold has the name."""
    graph = graph.copy()
    instead: dict[int, int] = {}
    equations: list[Equation] = []
    for equation in graph.equations:
        inputs = tuple(instead.get(i, i) if type(i) is int else i for i in equation.inputs)
        equations.append(replace(equation, inputs=inputs))
        if _is_named(graph, equation):
            variable = graph.variables[equation.output]
            number = graph.new_variable(variable.shape, variable.dtype, variable.weak)
            held = Equation(HOLD, (equation.output,), ((variable.name,),), number, None, equation.step)
            equations.append(held)  # the name keeps it apart from a cotangent with the same value
            graph.variables[number].name, variable.name = variable.name, None
            instead[equation.output] = number
    graph.equations = equations
    return graph
