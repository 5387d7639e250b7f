"""From a graph to loops: which equation runs in which loop, fused as far as dependencies allow.

The one idea: a variable that others read is a *root*; it is placed into a tree of loops, as deep as it fits into the loop
that makes the last thing it needs. What only one root reads, element for element, is absorbed into it; views (transposes,
broadcasts, slices) are index arithmetic and never run. So softmax of a row, its loss and its gradient end up in one loop
over rows with a few short loops inside.

    for i in range(N):            Loop of N
        M = -inf                      Init of M
        for j in range(10):           Loop of 10
            M = max(M, Z[i, j])           Accumulate into M
        for j in range(10):           Loop of 10
            ...                           Store of S

This file decides order and nesting; `storage.py` decides what lives in a buffer, `to_numba.py` writes the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chainrule.emit.reading import REDUCTIONS, WHOLE
from chainrule.emit.roots import Roots
from chainrule.graphs import Equation, Graph
from chainrule.primitives import control, indexing
from chainrule.shapes import SizeExpr

EXPENSIVE = frozenset(  # worth a vector
    ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "erfc", "sin", "cos", "power")
)


@dataclass(eq=False)
class Loop:
    """`for index in range(size)`, with what is inside."""

    size: object
    body: list[Node] = field(default_factory=list)
    depth: int = 0
    innermost: bool = False  # something expensive is computed in it, in vectors: no loop may go inside


@dataclass(eq=False)
class Store:
    """An element of a root is computed."""

    variable: int


@dataclass(eq=False)
class Init:
    """A reduction's accumulators begin."""

    variable: int


@dataclass(eq=False)
class Accumulate:
    """An element enters a reduction."""

    variable: int


@dataclass(eq=False)
class Call:
    """A whole-array operation: a product, a reshape, a concatenation, a scatter."""

    variable: int


Node = Loop | Store | Init | Accumulate | Call


@dataclass(eq=False)
class Home:
    """Where a root is made: the loops around it, and the axis that each of its own axes runs along."""

    path: list[Loop]
    axes: dict[int, Loop]  # axis of the variable -> the loop that runs along it, for loops of the path
    inner: list[Loop] = field(default_factory=list)  # every loop around the statement itself; for a reduction, more


class Schedule(Roots):
    """The loop tree of a lowered graph.

    Attributes
    ----------
    top : list of nodes
    homes : dict of int to Home
        Every root that has been placed.
    readers : dict of int to list of int
        Of an input or root: the roots that read it.
    """

    def __init__(self, graph: Graph, in_place: dict[int, int] | None = None, shared_axis: SizeExpr | None = None):
        super().__init__(graph, in_place, shared_axis)
        self.top: list[Node] = []
        self.homes: dict[int, Home] = {}
        self.readers: dict[int, list[int]] = {}
        self.begun_again: list[Node] = []  # what a checkpoint computes again joins no loop before this: it has its turn
        for equation in graph.equations:
            if equation.primitive is control.HOLD:
                calls: list[Node] = [node for node in self.top if isinstance(node, Call)]
                self.begun_again = calls[-1:]
            if self.is_root(equation.output):
                self._place(equation)

    def _place(self, equation: Equation) -> None:
        variable = equation.output
        needs = list(self.reads(equation))
        for source, _ in needs:
            self.readers.setdefault(source, []).append(variable)
        if variable in self.folded or (equation.primitive in WHOLE and equation.primitive is not indexing.INDEX_ADD):
            self.homes[variable] = Home([], {})
            self.top.append(Call(variable))
            return
        axes = self.domain(equation)
        reduced = self.reduced_axes(equation)
        body = self.top
        path: list[Loop] = []
        written = [(source, None) for source in self._overwritten(variable)]
        first_reduced = next((d for d, (axis, _) in enumerate(axes) if axis in reduced), None)
        if equation.primitive is indexing.INDEX_ADD:
            first_reduced = 0
        expensive = self._expensive(equation)
        pending: tuple[list[Node], Node] | None = None  # where the accumulators begin
        for depth, (axis, size) in enumerate(axes):
            joined = self._enter(body, path, depth, size, axis, [*needs, *written], sums=depth == first_reduced)
            last = depth == len(axes) - 1
            if joined is not None and (
                (joined.innermost and not last)
                or (last and expensive and any(isinstance(n, Loop) for n in joined.body))
            ):
                joined = None
            loop = Loop(size, depth=depth) if joined is None else joined
            if joined is None:
                body.append(loop)
            if depth == first_reduced:
                pending = (body, loop)
            loop.innermost |= last and expensive
            path.append(loop)
            body = loop.body
        if equation.primitive not in REDUCTIONS and equation.primitive is not indexing.INDEX_ADD:
            if path:
                body.append(Store(variable))
            else:  # a number: as early as it can be
                after = [p for source, _ in needs if (p := self._position(source, body, path)) is not None]
                body.insert(max(after, default=-1) + 1, Store(variable))
            loops = {axis: loop for (axis, _), loop in zip(axes, path, strict=True)}
            self.homes[variable] = Home(path, loops, path)
            return
        body.append(Accumulate(variable))
        if pending is None:
            body.insert(len(body) - 1, Init(variable))
            home = path
        else:
            outer, start = pending
            outer.insert(next(n for n, node in enumerate(outer) if node is start), Init(variable))
            home = path[:first_reduced]
        kept = [axis for axis, _ in axes if axis not in reduced]
        place = self.kept_places(equation)
        loops = {
            place[axis]: loop
            for (axis, _), loop in zip(axes, path, strict=True)
            if axis in kept and loop in home and axis in place
        }
        self.homes[variable] = Home(home, loops, path)

    def _expensive(self, equation: Equation) -> bool:
        """Whether computing an element of a root takes an exponential, a logarithm or the like."""
        todo, seen = [equation], 0
        while todo:
            current = todo.pop()
            seen += 1
            if current.primitive.name in EXPENSIVE and not _small_power(current):
                return True
            for operand in current.inputs if seen < 100 else ():
                maker = self.made.get(operand) if type(operand) is int and operand not in self.roots else None
                if maker is not None:
                    todo.append(maker)
        return False

    def _overwritten(self, variable: int) -> list[int]:
        """Roots that read what storing this one would destroy."""
        target = self.in_place.get(variable)
        return [] if target is None else [r for r in self.readers.get(target, []) if r != variable]

    def _enter(
        self, body: list[Node], path: list[Loop], depth: int, size, axis: int, needs, *, sums: bool
    ) -> Loop | None:
        """The loop of this body that the root can join, or None: it needs one of its own, at the end."""
        last = -1
        inside: dict[int, list] = {}
        for source, index in needs:
            place = self._position(source, body, path)
            if place is not None:
                last = max(last, place)
                inside.setdefault(place, []).append((source, index))
        if last < 0 or (body is self.top and any(self.top.index(node) > last for node in self.begun_again)):
            return None
        loop = body[last]
        if not isinstance(loop, Loop) or loop.size != size or (sums and size == self.shared_axis):
            return None
        for source, index in inside[last]:
            home = self.homes[source]
            along = [a for a, l in home.axes.items() if l is loop]
            if loop not in home.path or index is None or not along:
                return None
            if not all(index[a].plain and index[a].axis == axis for a in along):
                return None
        return loop

    def _position(self, source: int, body: list[Node], path: list[Loop]) -> int | None:
        """Where in this body the variable is made, if it is made in it."""
        home = self.homes.get(source)
        if home is None or home.path[: len(path)] != path:
            return None
        for place in range(len(body) - 1, -1, -1):
            node = body[place]
            if isinstance(node, Loop):
                if node in home.path or _makes(node, source):
                    return place
            elif node.variable == source:
                return place
        return None


def _small_power(equation: Equation) -> bool:
    exponent = equation.inputs[-1]
    return equation.primitive.name == "power" and type(exponent) is not int and exponent.value in (0, 1, 2, 3, 4)  # type: ignore[union-attr]


def _makes(loop: Loop, variable: int) -> bool:
    return any(_makes(node, variable) if isinstance(node, Loop) else node.variable == variable for node in loop.body)
