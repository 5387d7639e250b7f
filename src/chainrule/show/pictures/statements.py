"""A graph as statements: the named variables are nodes, and what has no name is part of the statement that uses it.

The one idea: a picture has the nodes that the user has names for. An affine map inside of an activation,
`A = np.tanh(X @ W + b)`, gets a node of its own all the same: the pre-activation is where the error is measured. In a backward
pass the cotangents are the nodes; each knows which other cotangents it is made from, and which forward values it reads.

    statements(graph)[number].text          "X @ W1 + b1"
    cotangents(nodes, backward)[number]     dW1 = X.T @ dZ1, made from dZ1, reads X

Nothing is drawn here and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.graphs import Equation, Graph, Operand
from chainrule.spelling import Text, literal_text, spell

PRE_ACTIVATION = "pre-activation"
SUMS = frozenset(("add", "subtract"))
ACTIVATIONS = frozenset(
    ("arctan", "clip", "cos", "exp", "expm1", "erf", "maximum", "minimum", "sigmoid", "sin", "tanh", "where")
)
SILENT = frozenset(("broadcast_to", "convert", "stop_gradient", "shift", "hold"))  # NumPy does it by itself, or nothing
LONGEST_TEXT = 400  # letters, past which an expression is not spelled out


@dataclass(frozen=True, slots=True)
class Statement:
    """One node.

    Attributes
    ----------
    number : int
        The variable.
    name : str
        The user's name, "pre-activation", or a primitive's name; unnamed results are "output".
    shape : str
        `(N, 256)`; empty for a number.
    kind : str
        "in" (arguments and constants), "out", "op" (no name of the user's) or "box".
    text : str
        Its right-hand side as NumPy text; empty for inputs and where it would be very long.
    operators : str
        The names of the primitives in it.
    sources : tuple of int
        The nodes that it reads.
    """

    number: int
    name: str
    shape: str
    kind: str
    text: str = ""
    operators: str = ""
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cotangent:
    """The cotangent of a node: its name, its right-hand side, the nodes whose cotangents and the values that it reads."""

    name: str
    text: str
    made_from: tuple[int, ...]
    reads: tuple[str, ...]


def statements(graph: Graph, *, operators: bool = False) -> dict[int, Statement]:
    """The nodes of a graph by variable number, in order of evaluation.

    Parameters
    ----------
    graph : Graph
    operators : bool
        Make every equation a node, also those without a name.
    """
    equations = [e for e in graph.reachable(graph.outputs) if e.primitive.name != "size"]
    outputs = [o for o in graph.outputs if type(o) is int]
    used = {i for e in equations for i in e.inputs if type(i) is int} | set(outputs)
    start = [*graph.inputs, *(n for n in graph.constants if n in used)]
    inner = set() if operators else _pre_activations(graph, equations)
    chosen = {n: graph.variables[n].name or "constant" for n in start}
    for e in equations:
        if e.output in outputs or operators or _named(graph, e.output) or e.output in inner:
            chosen[e.output] = _name(graph, e, outputs, inner)
    made = {e.output: e for e in equations}
    found: dict[int, Statement] = {}
    for number, name in chosen.items():
        shape = graph.spell_shape(graph.variables[number].shape) if graph.variables[number].shape else ""
        if number not in made:
            found[number] = Statement(number, name, shape, "in")
            continue
        body, sources = _body(made, number, chosen)
        kind = "out" if number in outputs else "box" if _named(graph, number) else "op"
        text = expression(graph, body, chosen)
        found[number] = Statement(number, name, shape, kind, text, operators_of(body), tuple(sources))
    return found


def _named(graph: Graph, number: int) -> bool:
    """Whether the user gave a name, and not the body of a function that is shown folded."""
    return bool(graph.variables[number].name) and graph.variables[number].depth == 0


def _name(graph: Graph, equation: Equation, outputs: Sequence[Operand], inner: Collection[int]) -> str:
    number = equation.output
    if _named(graph, number):
        return graph.variables[number].name or ""
    if number in outputs:
        place = outputs.index(number)
        return graph.output_names[place] if place < len(graph.output_names) else "output"
    return PRE_ACTIVATION if number in inner else graph.variables[number].name or equation.primitive.name


def _pre_activations(graph: Graph, equations: Sequence[Equation]) -> set[int]:
    """The unnamed affine maps whose value goes into an activation, or into a function that is shown folded."""
    affine: dict[int, int] = {}  # how many named calls deep each was made
    found: set[int] = set()
    for e in equations:
        reads = [i for i in e.inputs if type(i) is int]
        depth = len(e.origin.calls) if e.origin else 0
        for i in reads:
            if i in affine and (e.primitive.name in ACTIVATIONS or depth > affine[i]):
                found.add(i)
        if not _named(graph, e.output) and (
            e.primitive.name == "matmul" or (e.primitive.name in SUMS and any(affine.get(i) == depth for i in reads))
        ):
            affine[e.output] = depth
    return found


def _body(made: dict[int, Equation], number: int, ends: Collection[int]) -> tuple[list[Equation], list[int]]:
    """The equations between a node and the nodes that it is made of, in order; and these, in order of appearance."""
    order = {output: place for place, output in enumerate(made)}
    places, waiting, sources = set(), [number], dict[int, None]()
    while waiting:
        place = waiting.pop()
        if place in places:
            continue
        places.add(place)
        for i in made[place].inputs:
            if type(i) is not int:
                continue
            if i in ends:
                sources[i] = None
            elif i in made:
                waiting.append(i)
    body = [made[n] for n in sorted(places, key=order.__getitem__)]
    return body, [i for i in dict.fromkeys(i for e in body for i in e.inputs if type(i) is int) if i in sources]


# -- right-hand sides ------------------------------------------------------------------------------------------------
class _Sizes:
    """What `spell` asks about dimensions."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ndim = 0
        self.scalar = False

    def __call__(self, dim: Any) -> str:
        return self.graph.spell_dim(dim)

    def shape(self, shape: Sequence) -> str:
        return self.graph.spell_shape(tuple(shape))


def expression(graph: Graph, body: Sequence[Equation], names: dict[int, str]) -> str:
    """The last of these equations as NumPy text on names; empty where that would be very long.

    What NumPy does silently (stretching, conversion) is left out. A named call is shown folded; in which order its operands
    were passed is not known to a graph, so the floating ones stand first.
    """
    sizes = _Sizes(graph)
    texts: dict[int, Text] = {}
    arguments: dict[int, dict[str, bool]] = {}  # of each named call: what it reads from outside, and whether it floats
    inside: dict[int, int] = {}  # a variable -> the named call that it was made in

    def text_of(operand: Operand) -> Text:
        if type(operand) is not int:
            return literal_text(operand.value)  # type: ignore[union-attr]
        return texts.get(operand) or Text(names.get(operand) or graph.variables[operand].name or "…")

    for e in body:
        calls = e.origin.calls if e.origin and not e.derived else ()
        if calls:
            call, function = calls[0]
            inside[e.output] = call
            reads = arguments.setdefault(call, {})
            outside = [i for i in e.inputs if type(i) is int and inside.get(i) != call]
            reads.update((text_of(i).code, graph.variables[i].dtype.kind == "f") for i in outside)
            texts[e.output] = Text(f"{function}({', '.join(sorted(reads, key=lambda code: not reads[code]))})")
            continue
        first = e.inputs[0] if e.inputs else None
        sizes.ndim = len(graph.variables[first].shape) if type(first) is int else 0
        operands = [text_of(i) for i in e.inputs]
        text = operands[0] if e.primitive.name in SILENT else spell(e.primitive, operands, e.params, sizes)
        texts[e.output] = text if len(text.code) <= LONGEST_TEXT else Text("…")
    code = texts[body[-1].output].code
    return "" if "…" in code else code


def operators_of(body: Iterable[Equation]) -> str:
    """The primitives of a statement in order, without those that NumPy runs silently; a named call counts as one."""
    kept = [
        e.origin.calls[0][1] if e.origin and e.origin.calls and not e.derived else e.primitive.name
        for e in body
        if e.primitive.name not in SILENT
    ]
    return ", ".join(dict.fromkeys(kept))


# -- the backward pass -----------------------------------------------------------------------------------------------
@dataclass
class _Backward:
    """A backward graph as it is read: its equations by output, and which of its variables are cotangents of nodes."""

    graph: Graph
    made: dict[int, Equation]
    node_of: dict[int, int] = field(default_factory=dict)


def cotangents(nodes: dict[int, Statement], backward: Graph) -> dict[int, Cotangent]:
    """The cotangent of each node that has one in the backward graph, by the node's number.

    A cotangent is known by its name, `dZ1` for `Z1`. One that is made from no other cotangent comes from the output.

    Parameters
    ----------
    nodes : dict of int to Statement
        Of the forward graph.
    backward : Graph
        The derived equations, with the forward ones or without.
    """
    read = _Backward(backward, {e.output: e for e in backward.equations if e.derived})
    _find_cotangents(nodes, read)
    outputs = [n for n, node in nodes.items() if node.kind == "out"]
    values = {n: v.name for n, v in enumerate(backward.variables) if v.name and n not in read.node_of}
    names = {**dict.fromkeys(backward.constants, "constant"), **values}
    names |= {n: backward.variables[n].name or "" for n in read.node_of}
    found: dict[int, Cotangent] = {}
    for number, node in read.node_of.items():
        name = names[number]
        if number not in read.made:  # the seed is an argument
            found[node] = Cotangent(name, "", (), ())
            continue
        _, made_from = _body(read.made, number, read.node_of)
        short, operands = _body(read.made, number, {n for n in names if n != number})
        reads = dict.fromkeys(values[i] for i in operands if i in values)
        sources = [read.node_of[i] for i in made_from] or [n for n in outputs if n != node][:1]
        found[node] = Cotangent(name, expression(backward, short, names), tuple(sources), tuple(reads))
    return found


def _find_cotangents(nodes: dict[int, Statement], read: _Backward) -> None:
    """Match by name; a name that is bound several times was met by the backward pass in the opposite order.

    A forward graph may have names like these itself (the gradient of a gradient): its own come first, and are left out.
    """
    bound: dict[str, list[int]] = {}
    for number, node in nodes.items():
        bound.setdefault(f"d{node.name}", []).append(number)
    own = [node.name for node in nodes.values()]
    made: dict[str, list[int]] = {}
    for number in (*read.graph.inputs, *read.made):
        name = read.graph.variables[number].name
        if name in bound:
            made.setdefault(name, []).append(number)
    for name, found in made.items():
        bars = found[own.count(name) :]
        if len(bars) == len(bound[name]):
            read.node_of.update(zip(bars, reversed(bound[name]), strict=True))
