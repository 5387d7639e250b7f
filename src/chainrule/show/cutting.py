"""A loss pasted as one expression, cut into steps: u1, u2, ...

The one idea: what the user named is left as it is. Two things are named for him: a pre-activation (a product of matrices with
its bias) inside of a longer expression, for its cotangent is what every layer's gradients are made of; and every step of a
function that names nothing at all, for a chain of one link shows nothing.
"""

from __future__ import annotations

from chainrule.graphs import Equation, Graph
from chainrule.spelling import Names

MOVES = frozenset(
    (
        "broadcast_to", "expand_dims", "squeeze", "transpose", "convert", "reshape", "size", "full", "stop_gradient", "shift",
        "hold", "positive", "one_hot",
    )
)  # fmt: skip
ENDS = frozenset(("sum", "mean", "negative", "divide", "multiply"))  # what may stand between the last step and the loss


def cut_steps(graph: Graph) -> list[str]:
    """Name the steps of a forward graph that has too few names; in place.

    Returns
    -------
    list of str
        The names that were given, in order.
    """
    own = [e for e in graph.equations if e.step is None and not (e.origin and e.origin.calls)]
    outputs = {o for o in graph.outputs if type(o) is int}
    named = [e for e in own if graph.variables[e.output].name and e.output not in outputs]
    chosen = _pre_activations(graph, own) if named else _steps(graph, own, outputs)
    names = Names([v.name for v in graph.variables if v.name])
    given: list[str] = []
    for equation in graph.equations:
        if equation.output in chosen:
            given.append(names.fresh(f"u{len(given) + 1}"))
            graph.variables[equation.output].name = given[-1]
    return given


def _pre_activations(graph: Graph, own: list[Equation]) -> set[int]:
    """Products of matrices, with what is added to them, that are a part of something longer."""
    chosen = set()
    consumers = _consumers(graph)
    for equation in own:
        if equation.primitive.name != "matmul":
            continue
        last = _with_bias(equation, consumers)
        users = consumers.get(last.output, [])
        if not graph.variables[last.output].name and any(u.primitive.name not in MOVES for u in users):
            chosen.add(last.output)
    return chosen


def _steps(graph: Graph, own: list[Equation], outputs: set[int]) -> set[int]:
    """Every equation that does something, a product together with its bias, down to the last sum."""
    consumers = _consumers(graph)
    inside = {e.output for e in own if e.primitive.name == "matmul" and _with_bias(e, consumers) is not e}
    tail = set(outputs)
    for equation in reversed(own):
        users = consumers.get(equation.output, [])
        if (
            equation.primitive.name in ENDS
            and users
            and all(u.output in tail for u in users)
            or equation.primitive.name in MOVES
            and users
            and all(u.output in tail for u in users)
        ):
            tail.add(equation.output)
    chosen = {
        e.output
        for e in own
        if e.primitive.name not in MOVES
        and e.output not in inside
        and e.output not in tail
        and graph.variables[e.output].dtype.kind == "f"
        and any(type(i) is int and i not in graph.constants for i in e.inputs)
    }
    return chosen if len(chosen) > 1 else set()


def _with_bias(equation: Equation, consumers: dict[int, list[Equation]]) -> Equation:
    """The addition that a product is only made for, or the product itself."""
    users = consumers.get(equation.output, [])
    return users[0] if len(users) == 1 and users[0].primitive.name == "add" else equation


def _consumers(graph: Graph) -> dict[int, list[Equation]]:
    found: dict[int, list[Equation]] = {}
    for equation in graph.equations:
        for operand in equation.inputs:
            if type(operand) is int:
                found.setdefault(operand, []).append(equation)
    return found
