"""A graph made ready for loops: sizes become numbers where they are known, products that are no products go.

The one idea: what a loop computes as well as BLAS does (a matrix times a vector, an outer product, a dot product) is
rewritten into a multiplication and a sum *in the graph*, so the writer of loops fuses it like everything else, and knows
a single kind of product: matrix times matrix, perhaps stacked.

Nothing here changes a value beyond rounding: `evaluate` of the result equals `evaluate` of what went in.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.graphs import Equation, Graph, Literal, Operand
from chainrule.primitives import arithmetic, comparison, linear_algebra, reduction, shaping
from chainrule.shapes import SizeExpr

PAIR = 2


def lower(graph: Graph, sizes: dict[int, int] | None = None) -> Graph:
    """A copy of the graph with known sizes put in, and vector products written as sums.

    Parameters
    ----------
    graph : Graph
    sizes : dict of int to int, optional
        Size symbols that are numbers from now on.
    """
    lowered = graph.copy()
    lowered.equations = []
    fixed = _Fixed(graph, sizes or {})
    for variable in lowered.variables:
        variable.shape = fixed.shape(variable.shape)
    builder = _Builder(lowered, fixed)
    for equation in graph.reachable(graph.outputs):
        builder.add(equation)
    lowered.equations = lowered.reachable(lowered.outputs)
    return lowered


class _Fixed:
    """Dimensions with merged symbols resolved and known ones replaced."""

    def __init__(self, graph: Graph, sizes: dict[int, int]):
        self.scope = graph.scope
        self.sizes = sizes

    def dim(self, dim):
        if not isinstance(dim, SizeExpr):
            return dim
        dim = self.scope.resolve(dim)  # type: ignore[union-attr]
        if not isinstance(dim, SizeExpr) or not self.sizes:
            return dim
        return dim.evaluate(lambda symbol: self.sizes[symbol] if symbol in self.sizes else dim.scope.face(symbol))  # type: ignore[arg-type, return-value]

    def shape(self, shape) -> tuple:
        return tuple(map(self.dim, shape))

    def param(self, param):
        if isinstance(param, tuple):
            return tuple(map(self.param, param))
        return self.dim(param)


class _Builder:
    def __init__(self, graph: Graph, fixed: _Fixed):
        self.graph = graph
        self.fixed = fixed
        self.made: dict[int, Equation] = {}
        self.rectified: dict[int, int] = {}  # Z -> max(Z, 0)

    def add(self, equation: Equation) -> None:
        params = tuple(map(self.fixed.param, equation.params))
        primitive = equation.primitive
        if primitive is linear_algebra.MATMUL and self.product(equation):
            return
        if primitive is reduction.MEAN:
            self.mean(equation, *params)
            return
        inputs = equation.inputs
        if (
            primitive is comparison_greater()
            and _is_zero(inputs[1])
            and type(inputs[0]) is int
            and inputs[0] in self.rectified
        ):
            inputs = (self.rectified[inputs[0]], inputs[1])  # max(Z, 0) > 0 exactly where Z > 0: Z need not be kept
        if primitive is arithmetic.MAXIMUM and any(map(_is_zero, inputs)):
            self.rectified.update({z: equation.output for z in inputs if type(z) is int})
        self.keep(Equation(primitive, inputs, params, equation.output, equation.origin, equation.step))

    def keep(self, equation: Equation) -> int:
        self.graph.equations.append(equation)
        self.made[equation.output] = equation
        return equation.output

    def new(self, primitive, inputs: tuple[Operand, ...], params: tuple, shape: tuple, like: Equation) -> int:
        dtype = self.graph.variables[like.output].dtype
        output = self.graph.new_variable(shape, dtype)
        return self.keep(Equation(primitive, inputs, params, output, like.origin, like.step))

    def shape(self, operand: Operand) -> tuple:
        return self.graph.variables[operand].shape if type(operand) is int else ()

    # -- mean ------------------------------------------------------------------------------------------------------
    def mean(self, equation: Equation, axes: tuple, keepdims: bool) -> None:
        """A mean is a sum divided by the number of entries."""
        (x,) = equation.inputs
        shape = self.graph.variables[equation.output].shape
        dtype = self.graph.variables[equation.output].dtype
        if type(x) is int and self.graph.variables[x].dtype != dtype:
            x = self.new(shaping.CONVERT, (x,), (dtype,), self.shape(x), equation)
        total = self.new(reduction.SUM, (x,), (axes, keepdims), shape, equation)
        count = math.prod(self.shape(x)[axis] for axis in axes)
        divisor = self.size(count, equation)
        if shape and type(divisor) is int:
            divisor = self.new(shaping.BROADCAST_TO, (divisor,), (shape,), shape, equation)
        self.keep(Equation(arithmetic.DIVIDE, (total, divisor), (), equation.output, equation.origin, equation.step))

    def size(self, count, like: Equation) -> Operand:
        """A number of entries as an operand of the equation's dtype."""
        from chainrule.primitives.control import SIZE

        if not isinstance(count, SizeExpr):
            return Literal(float(count))
        number = self.graph.new_variable((), np.dtype(np.int64), weak=True)
        self.keep(Equation(SIZE, (), (count, np.dtype(np.int64)), number, like.origin, like.step))
        return self.new(shaping.CONVERT, (number,), (self.graph.variables[like.output].dtype,), (), like)

    # -- products --------------------------------------------------------------------------------------------------
    def product(self, equation: Equation) -> bool:
        """Rewrite a product with a vector, or with an inner size of 1; False for a matrix product."""
        a, b = equation.inputs
        assert type(a) is int
        assert type(b) is int
        shape_a, shape_b = self.shape(a), self.shape(b)
        output = equation.output
        if len(shape_a) == 1 and len(shape_b) == 1:
            return self.summed(equation, a, b, shape_a, (0,), keepdims=False)
        if len(shape_b) == 1 and len(shape_a) == PAIR:
            return self.matrix_times_vector(equation, a, b, keepdims=False)
        if len(shape_a) == 1 and len(shape_b) == PAIR:
            column = self.new(shaping.EXPAND_DIMS, (a,), ((1,),), (*shape_a, 1), equation)
            return self.summed(equation, column, b, shape_b, (0,), keepdims=False)
        if len(shape_a) >= PAIR and shape_a[-1] == 1 and len(shape_a) == len(shape_b):
            shape = self.shape(output)  # an outer product
            left, right = (self.broadcast(x, shape, equation) for x in (a, b))
            self.keep(Equation(arithmetic.MULTIPLY, (left, right), (), output, equation.origin, equation.step))
            return True
        if len(shape_a) == PAIR == len(shape_b) and shape_b[1] == 1:
            return self.matrix_times_vector(equation, a, b, keepdims=True)
        if len(shape_a) == PAIR == len(shape_b) and shape_a[0] == 1:
            column = self.new(linear_algebra.TRANSPOSE, (a,), ((1, 0),), shape_a[::-1], equation)
            return self.summed(equation, column, b, shape_b, (0,), keepdims=True)
        return False

    def matrix_times_vector(self, equation: Equation, a: int, b: int, *, keepdims: bool) -> bool:
        """A times a vector b, or a column: rows of A are summed; of a transposed A, in the order of its memory."""
        shape_a, shape_b = self.shape(a), self.shape(b)
        maker = self.made.get(a)
        if maker is not None and maker.primitive is linear_algebra.TRANSPOSE:
            source = maker.inputs[0]
            assert type(source) is int
            column = b if keepdims else self.new(shaping.EXPAND_DIMS, (b,), ((1,),), (*shape_b, 1), equation)
            if not keepdims:
                return self.summed(equation, source, column, shape_a[::-1], (0,), keepdims=False)
            total = self.new(
                arithmetic.MULTIPLY,
                (source, self.broadcast(column, shape_a[::-1], equation)),
                (),
                shape_a[::-1],
                equation,
            )
            row = self.new(reduction.SUM, (total,), ((0,), False), shape_a[:1], equation)
            self.keep(Equation(shaping.EXPAND_DIMS, (row,), ((1,),), equation.output, equation.origin, equation.step))
            return True
        row = self.new(linear_algebra.TRANSPOSE, (b,), ((1, 0),), shape_b[::-1], equation) if keepdims else b
        return self.summed(equation, a, row, shape_a, (1,), keepdims=keepdims)

    def summed(self, equation: Equation, a: int, b: int, shape: tuple, axes: tuple, *, keepdims: bool) -> bool:
        left, right = (self.broadcast(x, shape, equation) for x in (a, b))
        product = self.new(arithmetic.MULTIPLY, (left, right), (), shape, equation)
        self.keep(
            Equation(reduction.SUM, (product,), (axes, keepdims), equation.output, equation.origin, equation.step)
        )
        return True

    def broadcast(self, x: int, shape: tuple, like: Equation) -> int:
        return x if self.shape(x) == shape else self.new(shaping.BROADCAST_TO, (x,), (shape,), shape, like)


def comparison_greater():
    """The primitive of `a > b`."""
    return comparison.COMPARISONS[0]


def _is_zero(operand: Operand) -> bool:
    return type(operand) is not int and operand.value == 0  # type: ignore[union-attr]
