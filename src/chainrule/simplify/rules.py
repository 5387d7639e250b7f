"""The rules on single equations, each named; the first that applies is taken.

A rule is `(name, primitives, exact, function)`. An exact one keeps every bit and may touch the user's forward pass; the
others only derived equations, whose value they keep as mathematics. A function answers a traced value, a variable's
number, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.graphs import Equation
from chainrule.primitive import Primitive, apply
from chainrule.primitives import arithmetic, comparison, control, linear_algebra, reduction, shaping
from chainrule.primitives.indexing import ARRAY, INDEX_ADD
from chainrule.pytree import Recorder
from chainrule.shapes import SizeExpr
from chainrule.simplify.rewriting import Rewriting


@dataclass(frozen=True)
class Rule:
    """A named rewrite of one equation."""

    name: str
    primitives: tuple[Primitive, ...]
    exact: bool
    build: Callable


RULES: list[Rule] = []


def rule(name: str, *primitives: Primitive, exact: bool = False):
    """Enter the decorated function as the rewrite of that name."""

    def enter(function):
        RULES.append(Rule(name, primitives, exact, function))
        return function

    return enter


def rules_for() -> dict[Primitive, list[Rule]]:
    """The rules by the primitive they look at."""
    table: dict[Primitive, list[Rule]] = {}
    for one in RULES:
        for primitive in one.primitives:
            table.setdefault(primitive, []).append(one)
    return table


@rule("nothing to convert", shaping.CONVERT, exact=True)
def same_dtype(r: Rewriting, e: Equation):
    """x.astype(x.dtype) is x."""
    (x,) = r.inputs(e)
    if type(x) is int and r.graph.variables[x].dtype == e.params[0] and not r.graph.variables[x].weak:
        return x
    return None


@rule("shift invariance", control.SHIFT, exact=True)
def shifted(r: Rewriting, e: Equation):
    """softmax(Z - m) = softmax(Z) for every m: once derived, the shift is its value."""
    return r.inputs(e)[0]


@rule("nothing to move", shaping.BROADCAST_TO, shaping.RESHAPE, exact=True)
def same_shape(r: Rewriting, e: Equation):
    """A broadcast or reshape to the shape it has is the array itself."""
    (x,) = r.inputs(e)
    return x if type(x) is int and r.shape(x) == r.shape(e.output) else None


@rule("a broadcast of a broadcast", shaping.BROADCAST_TO, exact=True)
def broadcast_twice(r: Rewriting, e: Equation):
    """Only the last shape counts."""
    inner = r.made_by(r.inputs(e)[0], shaping.BROADCAST_TO)
    return apply(shaping.BROADCAST_TO, r.value(inner.inputs[0]), params=e.params) if inner else None


@rule("a constant broadcast", shaping.BROADCAST_TO, shaping.RESHAPE, shaping.EXPAND_DIMS, shaping.SQUEEZE, exact=True)
def constant_moved(r: Rewriting, e: Equation):
    """An array of one number in another shape is an array of that number."""
    full = r.made_by(r.inputs(e)[0], control.FULL)
    if full is None:
        return None
    variable = r.graph.variables[e.output]
    return r.full(full.params[0], variable.shape, variable.dtype)


@rule("transposes cancel", linear_algebra.TRANSPOSE, exact=True)
def transposed_twice(r: Rewriting, e: Equation):
    """(X^T)^T = X."""
    inner = r.made_by(r.inputs(e)[0], linear_algebra.TRANSPOSE)
    if inner is None:
        return None
    axes = tuple(inner.params[0][axis] for axis in e.params[0])
    if axes == tuple(range(len(axes))):
        return inner.inputs[0]
    return apply(linear_algebra.TRANSPOSE, r.value(inner.inputs[0]), params=(axes,))


@rule("transpose of a product", linear_algebra.TRANSPOSE)
def product_transposed(r: Rewriting, e: Equation):
    """(A^T B)^T = B^T A, when a transpose goes away by it."""
    product = r.made_by(r.inputs(e)[0], linear_algebra.MATMUL)
    if product is None or e.params[0] != (1, 0) or r.uses.get(product.output, 0) > 1:
        return None
    a, b = product.inputs
    if r.made_by(a, linear_algebra.TRANSPOSE) is None and r.made_by(b, linear_algebra.TRANSPOSE) is None:
        return None
    if len(r.shape(a)) != 2 or len(r.shape(b)) != 2:
        return None
    return np.matmul(np.transpose(r.value(b)), np.transpose(r.value(a)))


@rule("axis put in and taken out", shaping.SQUEEZE, shaping.EXPAND_DIMS, exact=True)
def squeeze_cancels(r: Rewriting, e: Equation):
    """squeeze(expand_dims(x)) = x, and the other way round."""
    other = shaping.EXPAND_DIMS if e.primitive is shaping.SQUEEZE else shaping.SQUEEZE
    inner = r.made_by(r.inputs(e)[0], other)
    return inner.inputs[0] if inner is not None and inner.params == e.params else None


@rule("a copy of a broadcast scalar", shaping.EXPAND_DIMS, shaping.SQUEEZE, shaping.RESHAPE, exact=True)
def scalar_moved(r: Rewriting, e: Equation):
    """A scalar broadcast and then reshaped is the scalar broadcast to that shape."""
    inner = r.made_by(r.inputs(e)[0], shaping.BROADCAST_TO)
    if inner is None or r.shape(inner.inputs[0]) != ():
        return None
    return apply(shaping.BROADCAST_TO, r.value(inner.inputs[0]), params=(r.graph.variables[e.output].shape,))


@rule("two negations", arithmetic.NEGATIVE, exact=True)
def negated_twice(r: Rewriting, e: Equation):
    """-(-x) = x."""
    inner = r.made_by(r.inputs(e)[0], arithmetic.NEGATIVE)
    return inner.inputs[0] if inner is not None else None


@rule("times one", arithmetic.MULTIPLY, exact=True)
def times_one(r: Rewriting, e: Equation):
    """1 x = x."""
    a, b = r.inputs(e)
    for one, other in ((a, b), (b, a)):
        if type(other) is int and r.constant_number(one) == 1 and _same_kind(r, other, e.output):
            return other
    return None


@rule("to the power of one", arithmetic.POWER)
def to_the_first(r: Rewriting, e: Equation):
    """x^1 = x."""
    x, p = r.inputs(e)
    return x if r.constant_number(p) == 1 and type(x) is int and _same_kind(r, x, e.output) else None


def _same_kind(r: Rewriting, x: int, y: int) -> bool:
    a, b = r.graph.variables[x], r.graph.variables[y]
    return a.dtype == b.dtype and a.weak == b.weak and r.shape(x) == r.shape(y)


@rule("sum over axes of one entry", reduction.SUM, exact=True)
def sum_of_nothing(r: Rewriting, e: Equation):
    """A sum over axes of size 1 moves values only."""
    (x,) = r.inputs(e)
    axes, keepdims = e.params
    if type(x) is not int or r.graph.variables[x].dtype != r.graph.variables[e.output].dtype:
        return None
    if any(r.shape(x)[axis] != 1 for axis in axes):
        return None
    return x if keepdims or not axes else np.squeeze(r.value(x), axes)


@rule("a sum of sums", reduction.SUM)
def summed_twice(r: Rewriting, e: Equation):
    """Sums over different axes are one sum over all of them."""
    inner = r.made_by(r.inputs(e)[0], reduction.SUM)
    if inner is None or r.uses.get(inner.output, 0) > 1 or inner.params[1] != e.params[1]:
        return None
    first, second = inner.params[0], e.params[0]
    x = r.value(inner.inputs[0])
    if not e.params[1]:
        left = [axis for axis in range(x.ndim) if axis not in first]
        second = tuple(left[axis] for axis in second)
    return apply(reduction.SUM, x, params=(tuple(sorted({*first, *second})), e.params[1]))


@rule("two halves of a selection", arithmetic.ADD)
def where_halves(r: Rewriting, e: Equation):
    """where(m, a, 0) + where(m, 0, b) = where(m, a, b)."""
    left, right = (r.made_by(x, comparison.WHERE) for x in r.inputs(e))
    if left is None or right is None or left.inputs[0] != right.inputs[0]:
        return None
    for first, second in ((left, right), (right, left)):
        if r.constant_number(first.inputs[2]) == 0 and r.constant_number(second.inputs[1]) == 0:
            return np.where(r.value(left.inputs[0]), r.value(first.inputs[1]), r.value(second.inputs[2]))
    return None


@rule("zero times anything selected", comparison.WHERE)
def where_of_zeros(r: Rewriting, e: Equation):
    """where(m, 0, 0) = 0, and a selection that repeats its mask selects once."""
    condition, a, b = r.inputs(e)
    if r.constant_number(a) == 0 and r.constant_number(b) == 0:
        variable = r.graph.variables[e.output]
        return r.full(0, variable.shape, variable.dtype)
    inner = r.made_by(a, comparison.WHERE)
    if inner is None or inner.inputs[0] != condition:
        return None
    return inner.output if r.constant_number(b) == 0 and r.constant_number(inner.inputs[2]) == 0 else None


@rule("picked entries as one-hot rows", INDEX_ADD)
def scatter_is_one_hot(r: Rewriting, e: Equation):
    """zeros with c added at [i, y_i] for every row i is c times the one-hot rows of y."""
    values, *arrays = r.inputs(e)
    template, shape = e.params
    if template != ((ARRAY, 0), (ARRAY, 1)) or len(shape) != 2:
        return None
    rows, labels = arrays
    scalar = _broadcast_scalar(r, values)
    if scalar is None or not _counts_up(r, rows, shape[0]) or len(r.shape(labels)) != 1:
        return None
    if r.shape(labels) != r.shape(values) or type(labels) is not int:
        return None
    dtype = r.graph.variables[e.output].dtype
    classes = _face(r, shape[1])
    return scalar * apply(control.ONE_HOT, r.value(labels), params=(classes, 1, dtype, True))


def _face(r: Rewriting, dim):
    from chainrule.sizes import Size

    return Size(r.trace, dim) if isinstance(dim, SizeExpr) else dim


def _broadcast_scalar(r: Rewriting, operand):
    """The scalar that an array repeats, or None."""
    constant = r.constant_number(operand)
    if constant is not None:
        return constant
    inner = r.made_by(operand, shaping.BROADCAST_TO)
    if inner is not None and r.shape(inner.inputs[0]) == ():
        return r.value(inner.inputs[0])
    return None


def _counts_up(r: Rewriting, operand, size) -> bool:
    """Whether an operand is 0, 1, 2, ... up to the size; it may be captured from an outer trace."""
    counting = r.made_by(operand, control.ARANGE)
    captured = r.graph.constants.get(operand) if type(operand) is int else None
    if isinstance(captured, Recorder):
        outer = captured.trace.graph  # type: ignore[attr-defined]
        counting = next((e for e in outer.equations if e.output == captured.number), None)  # type: ignore[attr-defined]
        if counting is None or counting.primitive is not control.ARANGE:
            return False
    if counting is not None:
        return counting.params[0] == size
    return captured is not None and captured.ndim == 1 and len(captured) == size and _is_range(captured)


def _is_range(array: np.ndarray) -> bool:
    return bool(np.array_equal(array, np.arange(len(array))))
