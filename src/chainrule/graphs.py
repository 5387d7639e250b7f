"""The graph: a flat list of equations on numbered variables, with a text form and its laws.

The one idea: a graph is data without cycles. A variable is an integer; what is known of it (shape, dtype, name) stands
in `graph.variables`; an equation names its primitive, its operands (variables or literals), its parameters and its one
output, where it came from (`Origin`) and, in a derived graph, which rule made it (`Step`).

A graph in text form::

    X:float64[N, 2], W:float64[2, 3]
    Z = matmul X W              # float64[N, 3]   loss.py:4
    -> Z

This file never runs anything: `evaluate.py` does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.errors import GraphError
from chainrule.primitive import Primitive
from chainrule.shapes import Shape, SizeExpr, SizeScope, same_dim


class Literal:
    """A scalar written in the code: Python's (weak) or NumPy's (strong), compared by type and bits."""

    __slots__ = ("_key", "value")
    shape: Shape = ()
    ndim = 0

    def __init__(self, value: Any):
        self.value = value
        # -0.0 and 0.0, True and 1 and 1.0 are different literals; nan equals itself
        bits = struct.pack("d", value) if isinstance(value, (float, np.floating)) else value
        self._key = (type(value), bits)

    @property
    def weak(self) -> bool:
        """Whether it is a Python scalar, which takes the dtype of what it meets."""
        return type(self.value) in (int, float, bool, complex)

    @property
    def dtype(self) -> np.dtype:
        """The dtype it has by itself."""
        return np.dtype(type(self.value)) if self.weak else self.value.dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return repr(self.value)


Operand = int | Literal
FORWARD_VALUE = "forward value"  # the rule of a step that only repeats the user's own arithmetic
RECOMPUTE = "recompute"  # the rule of a step that repeats it for the backward pass: `checkpoint`


@dataclass(slots=True)
class Variable:
    """What is known of a variable without its value."""

    shape: Shape
    dtype: np.dtype
    weak: bool = False
    name: str | None = None
    depth: int = 0  # how many named calls deep the name was given; the user's own names are at 0

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an equation was written: the user's file, line and function, and the named calls around it."""

    filename: str
    line: int
    function: str
    calls: tuple[tuple[int, str], ...] = ()  # outermost first: (number of the call, its function's name)

    def __str__(self) -> str:
        return f"line {self.line} of {self.function}()"


@dataclass(frozen=True, slots=True)
class Step:
    """Why a derived equation is there: the rule, the forward equation it was applied to, the reason."""

    rule: str  # "vjp of matmul", "sum over paths", "simplify: common factor"
    of: str = ""  # the forward variable whose cotangent or tangent this serves
    reason: str = ""


@dataclass(slots=True)
class Equation:
    """`output = primitive(*inputs, *params)`."""

    primitive: Primitive
    inputs: tuple[Operand, ...]
    params: tuple
    output: int
    origin: Origin | None = None
    step: Step | None = None

    @property
    def derived(self) -> bool:
        """Whether a rule made it; the user's own arithmetic, recomputed or not, is not derived."""
        return self.step is not None and self.step.rule not in {FORWARD_VALUE, RECOMPUTE}

    @property
    def recomputed(self) -> bool:
        """Whether it repeats the user's own arithmetic for the backward pass."""
        return self.step is not None and self.step.rule == RECOMPUTE


@dataclass
class Graph:
    """A traced or derived program.

    Attributes
    ----------
    variables : list of Variable
        Indexed by variable number.
    inputs : list of int
        In the order of the arguments' leaves.
    equations : list of Equation
        In order of evaluation.
    outputs : list of int or Literal
    constants : dict of int to array
        Captured arrays (closures, globals, literals too large to print).
    scope : SizeScope or None
        The named sizes, when the graph was staged.
    segments : dict of int to tuple of int
        The checkpoints that a variable was made in, outermost first; nothing for the others.
    """

    variables: list[Variable] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    outputs: list[Operand] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    scope: SizeScope | None = None
    output_names: list[str] = field(default_factory=list)
    same: dict[int, int] = field(default_factory=dict)  # a derived variable -> the user's that has its value
    segments: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def new_variable(self, shape: Shape, dtype: np.dtype, weak: bool = False, name: str | None = None) -> int:
        """Number a new variable."""
        self.variables.append(Variable(shape, dtype, weak, name))
        return len(self.variables) - 1

    def producers(self) -> dict[int, Equation]:
        """The equation that makes each variable (inputs and constants have none)."""
        return {equation.output: equation for equation in self.equations}

    def uses(self) -> dict[int, int]:
        """How often each variable is used, outputs counted."""
        counts: dict[int, int] = {}
        for equation in self.equations:
            for operand in equation.inputs:
                if type(operand) is int:
                    counts[operand] = counts.get(operand, 0) + 1
        for output in self.outputs:
            if type(output) is int:
                counts[output] = counts.get(output, 0) + 1
        return counts

    def copy(self) -> Graph:
        """A graph whose lists can be changed without touching this one; equations are shared."""
        return replace(
            self,
            variables=[Variable(v.shape, v.dtype, v.weak, v.name, v.depth) for v in self.variables],
            inputs=list(self.inputs),
            equations=list(self.equations),
            outputs=list(self.outputs),
            constants=dict(self.constants),
            output_names=list(self.output_names),
            same=dict(self.same),
            segments=dict(self.segments),
        )

    def reachable(self, targets: Iterable[Operand]) -> list[Equation]:
        """The equations that the targets need, in order: everything else is dead code."""
        needed = {t for t in targets if type(t) is int}
        kept = []
        for equation in reversed(self.equations):
            if equation.output in needed:
                kept.append(equation)
                needed.update(operand for operand in equation.inputs if type(operand) is int)
        kept.reverse()
        return kept

    def label(self, operand: Operand) -> str:
        """The name a variable has in the text form."""
        if type(operand) is not int:
            return repr(operand)
        return self.variables[operand].name or f"%{operand}"

    def name_of_symbol(self, index: int) -> str:
        """The displayed name of a size symbol."""
        if self.scope is not None and index in self.scope.names:
            return self.scope.names[index]
        return str(self.scope.hints[index]) if self.scope is not None else f"s{index}"

    def spell_shape(self, shape: Shape) -> str:
        """`(N, 256)`: named sizes by name, others by their number."""
        parts = [self.spell_dim(dim) for dim in shape]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    def spell_dim(self, dim) -> str:
        """One dimension: its name, or its number in the trace."""
        if not isinstance(dim, SizeExpr):
            return str(dim)
        dim = dim.scope.resolve(dim)
        return dim.spell(self.name_of_symbol) if isinstance(dim, SizeExpr) else str(dim)

    def __str__(self) -> str:
        def kind(number: int) -> str:
            v = self.variables[number]
            return f"{v.dtype}[{', '.join(map(self.spell_dim, v.shape))}]" + ("~" if v.weak else "")

        lines = [", ".join(f"{self.label(number)}:{kind(number)}" for number in self.inputs) or "()"]
        lines += [f"constant {self.label(number)}:{kind(number)}" for number in self.constants]
        left = [
            f"{self.label(e.output)} = "
            + " ".join([e.primitive.name, *map(self.label, e.inputs)])
            + "".join(f" {n}={self.spell_param(p)}" for n, p in zip(e.primitive.param_names, e.params, strict=False))
            for e in self.equations
        ]
        width = min(max(map(len, left), default=0), 60)
        for text, equation in zip(left, self.equations, strict=True):
            note = f"{equation.step.rule} {equation.step.of}".rstrip() if equation.step else str(equation.origin or "")
            lines.append(f"{text:{width}}  # {kind(equation.output)}  {note}".rstrip())
        lines.append("-> " + ", ".join(map(self.label, self.outputs)))
        return "\n".join(lines)

    def spell_param(self, param) -> str:
        """A parameter in the text form; sizes by name."""
        if isinstance(param, SizeExpr):
            return self.spell_dim(param)
        if isinstance(param, tuple):
            return f"({','.join(map(self.spell_param, param))})"
        return str(param)


def describe(graph: Graph, operand: Operand) -> Any:
    """What shape and dtype rules see: the Variable, or a literal's Python value."""
    return graph.variables[operand] if type(operand) is int else operand.value  # type: ignore[union-attr]


def validate(graph: Graph) -> Graph:
    """Check every law of a graph and return it; raises GraphError with the offending equation.

    Each variable is made once and before it is used; each output's shape and dtype are those that the primitive's own
    rules give.
    """
    known = set(graph.inputs) | set(graph.constants)
    if len(known) != len(graph.inputs) + len(graph.constants):
        raise GraphError("an input appears twice, or is also a constant")
    for equation in graph.equations:
        _validate_equation(graph, equation, known)
        known.add(equation.output)
    for output in graph.outputs:
        if type(output) is int and output not in known:
            raise GraphError(f"output {graph.label(output)} is never made\n{graph}")
    return graph


def _validate_equation(graph: Graph, equation: Equation, known: set[int]) -> None:
    def fail(why: str):
        return GraphError(f"{graph.label(equation.output)} = {equation.primitive.name}: {why}\n{graph}")

    if equation.output in known:
        raise fail("its output exists already")
    for operand in equation.inputs:
        if type(operand) is int and operand not in known:
            raise fail(f"operand {graph.label(operand)} is used before it is made")
    operands = [describe(graph, operand) for operand in equation.inputs]
    output = graph.variables[equation.output]
    shape = equation.primitive.shape_rule(*operands, *equation.params)
    if len(shape) != len(output.shape) or not all(map(same_dim, shape, output.shape)):
        raise fail(f"its shape is {output.shape}, but its operands give {shape}")
    if not output.weak:
        dtype = equation.primitive.dtype_rule(*operands, *equation.params)
        if dtype != output.dtype:
            raise fail(f"its dtype is {output.dtype}, but its operands give {dtype}")


def shapes_agree(left: Sequence, right: Sequence) -> bool:
    """Whether two shapes are the same, named sizes included."""
    return len(left) == len(right) and all(a == b or same_dim(a, b) for a, b in zip(left, right, strict=True))
