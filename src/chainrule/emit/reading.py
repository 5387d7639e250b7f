"""What computing an element of a variable reads: views and absorbed equations seen through.

The one idea: an element is named by an index in terms of the loops around it; following a transpose, a broadcast or a
slice changes the index, and following an elementwise equation keeps it, until something is met that is computed on its
own (a root) or was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.errors import UnsupportedError
from chainrule.graphs import Equation, Graph, Operand
from chainrule.primitives import control, indexing, linear_algebra, reduction, shaping
from chainrule.shapes import SizeExpr

VIEWS = frozenset(
    (
        shaping.BROADCAST_TO,
        shaping.EXPAND_DIMS,
        shaping.SQUEEZE,
        linear_algebra.TRANSPOSE,
        control.STOP_GRADIENT,
        control.SHIFT,
        control.HOLD,
    )
)
FORMULAS = frozenset((control.FULL, control.ARANGE, control.EYE, control.SIZE, control.ONE_HOT))  # of the index alone
REDUCTIONS = frozenset((reduction.SUM, reduction.MAX, reduction.MIN, reduction.ARGMAX, reduction.ARGMIN))
WHOLE = frozenset(  # what works on arrays, not on elements
    (linear_algebra.MATMUL, shaping.RESHAPE, shaping.CONCATENATE, shaping.STACK, indexing.INDEX_ADD)
)
NARROW = 12  # columns up to which vectors run across rows


@dataclass(frozen=True)
class Index:
    """One index of an element: `start + scale * axis`, with the axis of the domain, or a constant."""

    axis: int | None = None
    scale: int = 1
    start: object = 0  # an int or a SizeExpr

    @property
    def plain(self) -> bool:
        """Whether it is the loop's own index."""
        return self.axis is not None and self.scale == 1 and self.start == 0


class Reading:
    """A lowered graph, with the variables that are computed on their own.

    Attributes
    ----------
    graph : Graph
    made : dict of int to Equation
        What makes each variable.
    roots : set of int
        The variables that are computed on their own; all others are views, formulas, or absorbed by their one reader.
    folded : dict of int to (int, float, int)
        Roots `W + c * product` that are added into W's own memory: W, c, the product.
    shared_axis : SizeExpr or None
        The size that several threads divide among themselves.
    """

    def __init__(self, graph: Graph, shared_axis: SizeExpr | None = None):
        self.graph = graph
        self.shared_axis = shared_axis
        self.made: dict[int, Equation] = graph.producers()
        self.roots: set[int] = set()
        self.folded: dict[int, tuple[int, float, int]] = {}

    def source(self, operand: Operand) -> tuple[int | None, bool]:
        """The variable behind views, and whether a view repeats its entries."""
        through = False
        while type(operand) is int:
            equation = self.made.get(operand)
            if equation is None or operand in self.roots or not (equation.primitive in VIEWS or is_slice(equation)):
                return operand, through
            if equation.primitive is shaping.BROADCAST_TO and self._repeats(equation):
                through = True
            operand = equation.inputs[0]
        return None, through

    def _repeats(self, equation: Equation) -> bool:
        (x,) = equation.inputs
        small = self.graph.variables[x].shape if type(x) is int else ()
        return tuple(d for d in small if d != 1) != tuple(d for d in equation.params[0] if d != 1)

    def shape(self, variable: int) -> tuple:
        """The shape of a variable."""
        return self.graph.variables[variable].shape

    def domain(self, equation: Equation) -> list[tuple[int, object]]:
        """The axes that a root's loops run along, with their sizes; axes of size 1 need no loop."""
        if equation.primitive in REDUCTIONS or equation.primitive is indexing.INDEX_ADD:
            x = equation.inputs[0]
            shape = self.shape(x) if type(x) is int else ()
        else:
            shape = self.shape(equation.output)
        axes = [(axis, size) for axis, size in enumerate(shape) if size != 1]
        if len(axes) == 2 and self._narrow(equation, *(size for _, size in axes)):
            axes.reverse()
        return axes

    def _narrow(self, equation: Equation, outer, inner) -> bool:
        """Whether rows are so short that vectors run across them: the loop along a row then goes outside."""
        if self.shared_axis is not None or equation.primitive in (
            reduction.ARGMAX,
            reduction.ARGMIN,
            indexing.INDEX_ADD,
        ):
            return False
        return isinstance(inner, int) and inner <= NARROW and isinstance(outer, SizeExpr)

    def reads(self, equation: Equation) -> Iterator[tuple[int, tuple[Index, ...] | None]]:
        """The inputs and roots that a root reads, each with its index in terms of the domain's axes; None: as a whole."""
        if equation.output in self.folded:
            target, _, product = self.folded[equation.output]
            yield target, None
            for operand in self.made[product].inputs:
                source, _ = self.source(operand)
                if source is not None:
                    yield source, None
            return
        if equation.primitive in WHOLE and equation.primitive is not indexing.INDEX_ADD:
            for operand in equation.inputs:
                source, _ = self.source(operand)
                if source is not None:
                    yield source, None
            return
        if equation.primitive in REDUCTIONS or equation.primitive is indexing.INDEX_ADD:
            x = equation.inputs[0]
            yield from self.element_reads(x, identity(self.shape(x) if type(x) is int else ()))
            if equation.primitive is indexing.INDEX_ADD:
                for array in equation.inputs[1:]:
                    source, _ = self.source(array)
                    if source is not None:
                        yield source, None
            return
        yield from self.operand_reads(equation, identity(self.shape(equation.output)))

    def element_reads(
        self, operand: Operand, index: tuple[Index, ...]
    ) -> Iterator[tuple[int, tuple[Index, ...] | None]]:
        """What reading one element of an operand reads."""
        if type(operand) is not int:
            return
        equation = self.made.get(operand)
        if equation is None or operand in self.roots:
            yield operand, index if self.shape(operand) else ()
            return
        yield from self.operand_reads(equation, index)

    def operand_reads(
        self, equation: Equation, index: tuple[Index, ...]
    ) -> Iterator[tuple[int, tuple[Index, ...] | None]]:
        """What computing one element of an equation's output reads."""
        primitive = equation.primitive
        if primitive in VIEWS or is_slice(equation):
            yield from self.element_reads(equation.inputs[0], self.through(equation, index))
        elif primitive is control.ONE_HOT:
            axis = equation.params[1]
            yield from self.element_reads(equation.inputs[0], index[:axis] + index[axis + 1 :])
        elif primitive is indexing.INDEX:
            source, _ = self.source(equation.inputs[0])
            if source is not None:
                yield source, None
            for array in equation.inputs[1:]:
                source, _ = self.source(array)
                if source is not None:
                    yield source, None
        else:
            for operand in equation.inputs:
                shape = self.shape(operand) if type(operand) is int else ()
                yield from self.element_reads(operand, index if shape else ())

    def through(self, equation: Equation, index: tuple[Index, ...]) -> tuple[Index, ...]:
        """The index of a view's source, from the index of the view."""
        primitive, params = equation.primitive, equation.params
        (x, *_) = equation.inputs
        shape = self.shape(x) if type(x) is int else ()
        zero = Index()
        if primitive is shaping.BROADCAST_TO:
            tail = index[len(index) - len(shape) :]
            return tuple(zero if size == 1 else i for size, i in zip(shape, tail, strict=True))
        if primitive is shaping.EXPAND_DIMS:
            return tuple(i for axis, i in enumerate(index) if axis not in params[0])
        if primitive is shaping.SQUEEZE:
            rest = iter(index)
            return tuple(zero if axis in params[0] else next(rest) for axis in range(len(shape)))
        if primitive is linear_algebra.TRANSPOSE:
            source: list[Index] = [zero] * len(index)
            for place, axis in enumerate(params[0]):
                source[axis] = index[place]
            return tuple(source)
        if primitive is indexing.INDEX:
            return _sliced_index(params[0], shape, index)
        return index

    def reduced_axes(self, equation: Equation) -> set[int]:
        """The axes of its operand that a reduction sums away."""
        if equation.primitive in REDUCTIONS:
            return set(equation.params[0])
        return set()

    def kept_places(self, equation: Equation) -> dict[int, int]:
        """Axis of the operand -> axis of the result, for a reduction."""
        if equation.primitive not in REDUCTIONS:
            return {}
        reduced, keepdims = equation.params
        x = equation.inputs[0]
        ndim = len(self.shape(x)) if type(x) is int else 0
        kept = [axis for axis in range(ndim) if axis not in reduced]
        return {axis: axis if keepdims else place for place, axis in enumerate(kept)}


def identity(shape: tuple) -> tuple[Index, ...]:
    """The index of an element in terms of its own axes."""
    return tuple(Index() if size == 1 else Index(axis) for axis, size in enumerate(shape))


def is_swap(equation: Equation) -> bool:
    """Whether a transposition swaps the last two axes only."""
    if equation.primitive is not linear_algebra.TRANSPOSE:
        return False
    axes = equation.params[0]
    return len(axes) >= 2 and tuple(axes) == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)


def is_slice(equation: Equation) -> bool:
    """Whether an indexing picks by slices and integers only."""
    return equation.primitive is indexing.INDEX and len(equation.inputs) == 1


def _sliced_index(template, shape: tuple, index: tuple[Index, ...]) -> tuple[Index, ...]:
    taken = sum(1 for item in template if item is not None and item is not Ellipsis)
    rest = list(index)
    source: list[Index] = []
    axis = 0
    for item in indexing._spelled_out(template, len(shape) - taken):
        if item is None:
            rest.pop(0)
            continue
        size = shape[axis]
        axis += 1
        if type(item) is not tuple:
            source.append(Index(None, 1, item if _sign(item) >= 0 else size + item))
            continue
        _, start, stop, step = item
        step = 1 if step is None else step
        outer = rest.pop(0)
        if not isinstance(step, int) or (step != 1 and isinstance(size, SizeExpr) and step < 0 and start is not None):
            raise UnsupportedError("a slice with a traced step is not compiled")
        if isinstance(size, int) and all(v is None or isinstance(v, int) for v in (start, stop)):
            begin: object = slice(start, stop, step).indices(size)[0]
        elif start is None:
            begin = 0 if step > 0 else size - 1
        else:
            begin = start if _sign(start) >= 0 else size + start
        if outer.axis is None:
            source.append(Index(None, 1, begin + step * outer.start))  # type: ignore[operator]
        else:
            source.append(Index(outer.axis, step * outer.scale, begin + step * outer.start))  # type: ignore[operator]
    return tuple(source)


def _sign(value) -> int:
    return value.hint if isinstance(value, SizeExpr) else int(value)
