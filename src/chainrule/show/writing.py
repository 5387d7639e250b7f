"""A graph as formulas of whole arrays: one statement for each variable that is worth a name.

The one idea: which variables are statements is decided where emitted source decides it (`program.py`), so what is shown has
the lines of what is written. Here each equation of such a statement becomes a node of `matrix_form.py`, by its primitive.

>>> import numpy as np
>>> from chainrule.views import graph
>>> def f(A, B):
...     C = A @ B.T
...     return np.sum(C * C)
>>> traced = graph(f, np.ones((2, 3)), np.ones((2, 3)))
>>> traced.output_names = ["L"]
>>> [statement.name for statement in statements_of(traced, {})]
['C', 'L']
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.graphs import Equation, Graph, Operand
from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
    MatrixForm,
    Negative,
    Number,
    Outer,
    Power,
    Product,
    Quotient,
    Reduced,
    Relation,
    Scaled,
    Size,
    Symbol,
    Transposed,
    Verbatim,
    symbols_in,
)
from chainrule.primitives.indexing import FULL_SLICE, SLICE
from chainrule.program import Program, prepare
from chainrule.shapes import SizeExpr, hint_of, same_dim
from chainrule.spelling import ATOM, SPELLINGS, Text, index_text, spell

RELATIONS = {
    "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=",
}  # fmt: skip
PASSED = frozenset(("stop_gradient", "shift", "hold", "convert", "positive"))  # the same numbers
REDUCTIONS = frozenset(("sum", "mean", "max", "min"))
CALLS = frozenset(
    (
        "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "abs", "sign", "maximum", "minimum", "clip", "sigmoid",
        "softplus", "erf", "erfc", "where",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """`name = form`, a line of the forward or of the backward pass.

    Attributes
    ----------
    number : int
        The variable in the graph.
    name : str
        As emitted source has it: the user's, `d` and the user's, or u1, u2, ...
    form : MatrixForm
    shape : str
        `(N, 10)`; empty for a number.
    equation : Equation
        The last one of the statement: where it was written, which rule made it.
    parts : tuple of Equation
        All equations that are written in this line, the last one last.
    derived : bool
        Whether it belongs to the backward pass.
    simpler : MatrixForm or None
        What the right-hand side simplifies to when one sees through the lines above; None where it is the same.
    simplest : int
        The variable that is computed without holding on to the lines above; -1 where there is none.
    """

    number: int
    name: str
    form: MatrixForm
    shape: str
    equation: Equation
    parts: tuple[Equation, ...]
    derived: bool
    simpler: MatrixForm | None = None
    simplest: int = -1

    @property
    def value_number(self) -> int:
        """The variable whose value is shown: of a cotangent the simplified one, which is as sound as `grad`'s."""
        return self.number if self.simplest < 0 else self.simplest

    @property
    def best(self) -> MatrixForm:
        """The simplest right-hand side."""
        return self.form if self.simpler is None else self.simpler

    @property
    def rules(self) -> tuple[str, ...]:
        """The named rewrites in this line, each once."""
        found = [e.step.rule.removeprefix("simplify: ") for e in self.parts if e.step and "simplify: " in e.step.rule]
        return tuple(dict.fromkeys(found))


def statements_of(graph: Graph, constants: Mapping[int, str]) -> list[Statement]:
    """The lines of a graph, in the order in which emitted source has them.

    Parameters
    ----------
    graph : Graph
        Its variables bear names; inputs do, too.
    constants : mapping of int to str
        Names of captured arrays.
    """
    return Writing(program_of(graph, constants)).statements()


def program_of(graph: Graph, constants: Mapping[int, str]) -> Program:
    """The lines of a graph, decided; inputs and captured arrays without a name get one."""
    inputs = {number: graph.variables[number].name or f"x{number}" for number in graph.inputs}
    captured = {number: graph.variables[number].name or f"constant{number}" for number in graph.constants}
    return prepare(graph, inputs, captured | dict(constants), keeps_all=True)


@dataclass
class Writing:
    """Statements in the making."""

    program: Program
    forms: dict[int, MatrixForm] = field(default_factory=dict)
    written: dict[int, list[Equation]] = field(default_factory=dict)  # the equations inside of a variable's form

    @property
    def graph(self) -> Graph:
        """The graph that is written."""
        return self.program.graph

    @functools.cached_property
    def made(self) -> dict[int, Equation]:
        """The equation of each variable."""
        return {equation.output: equation for equation in self.program.equations}

    def statements(self) -> list[Statement]:
        """All statements in order."""
        found = []
        value = self.graph.copy()
        value.equations = self.program.equations
        own = {e.output for e in value.reachable(self.graph.outputs[:1])}
        for equation in self.program.equations:
            number = equation.output
            form = self.form_of(equation)
            parts = [e for i in equation.inputs if type(i) is int for e in self.written.get(i, ())] + [equation]
            name = self.program.names.get(number)
            if name is None:
                self.forms[number], self.written[number] = form, parts
                continue
            self.forms[number] = Symbol(name)
            shape = self.graph.variables[number].shape
            found.append(
                Statement(
                    number,
                    name,
                    form,
                    self.graph.spell_shape(shape) if shape else "",
                    equation,
                    tuple(parts),
                    equation.step is not None and number not in own,
                )
            )
        return found

    def operand(self, operand: Operand) -> MatrixForm:
        """What stands for an operand."""
        if type(operand) is not int:
            return number_form(operand.value)  # type: ignore[union-attr]
        if operand in self.forms:
            return self.forms[operand]
        if operand in self.program.names:
            return Symbol(self.program.names[operand])
        made = self.made[operand]  # a transpose that is read before its turn
        self.forms[operand] = self.form_of(made)
        self.written[operand] = [made]
        return self.forms[operand]

    def ndim(self, operand: Operand) -> int:
        """The number of axes of an operand."""
        return len(self.graph.variables[operand].shape) if type(operand) is int else 0

    def form_of(self, equation: Equation) -> MatrixForm:
        """The right-hand side of an equation."""
        name, inputs = equation.primitive.name, equation.inputs
        operands = tuple(map(self.operand, inputs))
        if name == "convert" and self.cuts(equation):
            return self.verbatim(equation, operands)
        if name in PASSED or (name == "expand_dims" and self.leads(equation)):
            return operands[0]
        if name in RELATIONS:
            return Relation(RELATIONS[name], *operands)
        if name == "where" and operands[0] == ALWAYS and self.same_shape(inputs[1], equation.output):
            return operands[1]
        if name in CALLS or (
            name not in SPELLINGS and not equation.params and isinstance(getattr(np, name, None), np.ufunc)
        ):
            return Call(name, operands)
        if name == "multiply":
            return self.product(inputs, operands)
        if name == "matmul":
            return Product(*operands)
        if name == "transpose":
            return transposed(operands[0], equation.params[0])
        if name in REDUCTIONS:
            axes, keepdims = equation.params
            shape = self.graph.variables[inputs[0]].shape  # type: ignore[index]
            over = tuple(self.graph.spell_dim(shape[axis]) for axis in axes)
            return Reduced(name, operands[0], tuple(axes), keepdims, len(shape), over)
        builder = SIMPLE.get(name)
        if builder is not None:
            return builder(*operands)
        if name == "size":
            return self.size(equation.params[0])
        if name == "full" and not equation.params[1]:
            return number_form(equation.params[0])
        if name == "one_hot" and equation.params[1] in (self.ndim(inputs[0]), 0) and self.ndim(inputs[0]) <= 1:
            rows = Call("one_hot", operands, (("classes", self.dim(equation.params[0])),))
            return rows if equation.params[1] == self.ndim(inputs[0]) else Transposed(rows)
        if name in MASKS and self.graph.variables[equation.output].dtype.kind == "b":
            return MASKS[name](*operands)
        if name == "index_add":
            return self.put_back(equation, operands)
        if name == "broadcast_to" and self.ndim(inputs[0]) == 0:
            return stretched_number(operands[0], _Sizes(self, 0, False).shape(equation.params[0]))
        return self.verbatim(equation, operands)

    def same_shape(self, one: Operand, other: Operand) -> bool:
        """Whether two operands have the same named sizes."""
        shapes = [self.graph.variables[i].shape if type(i) is int else () for i in (one, other)]
        return len(shapes[0]) == len(shapes[1]) and all(map(same_dim, *shapes))

    @functools.cached_property
    def readers(self) -> dict[int, list[Equation]]:
        """The equations that read a variable."""
        found: dict[int, list[Equation]] = {}
        for equation in self.program.equations:
            for operand in equation.inputs:
                if type(operand) is int:
                    found.setdefault(operand, []).append(equation)
        return found

    def cuts(self, equation: Equation) -> bool:
        """Whether a conversion changes numbers: floats that become whole numbers or truth values."""
        source = equation.inputs[0]
        floats = type(source) is int and self.graph.variables[source].dtype.kind == "f"
        return floats and self.graph.variables[equation.output].dtype.kind in "iub"

    def leads(self, equation: Equation) -> bool:
        """Whether new axes are the first ones, and whatever reads them would put them there by itself."""
        if equation.output in self.program.names:
            return False
        axes = tuple(equation.params[0])
        readers = self.readers.get(equation.output, [])
        return axes == tuple(range(len(axes))) and bool(readers) and all(self.widens(r, equation) for r in readers)

    def widens(self, reader: Equation, equation: Equation) -> bool:
        """Whether another operand has all axes already, and none of them only because they were put there."""
        ndim = self.ndim(equation.output)
        others = [i for i in reader.inputs if i != equation.output and self.ndim(i) == ndim]
        makers = [self.made.get(i) for i in others if type(i) is int]
        return reader.primitive.broadcasts and any(m is None or m.primitive.name != "expand_dims" for m in makers)

    def product(self, inputs: tuple[Operand, ...], operands: tuple[MatrixForm, ...]) -> MatrixForm:
        """Elementwise, with a number, or an outer product of two vectors."""
        (left, right), (first, second) = operands, map(self.ndim, inputs)
        for one, other in ((left, right), (right, left)):
            if one == Number(1):
                return other
            if one == Negative(Number(1)):
                return Negative(other)
        if first == 0 or second == 0:
            return Scaled(left, right) if first == 0 else Scaled(right, left)
        column, row = (self.stretched(i) for i in inputs)
        if column is not None and row is not None and (column[1], row[1]) == (1, 0):
            return Outer(self.operand(column[0]), self.operand(row[0]))
        factors = (*(left.factors if isinstance(left, Hadamard) else (left,)), right)
        return Hadamard(factors)

    def stretched(self, operand: Operand) -> tuple[int, int] | None:
        """The vector behind an operand that is one with a new axis, and where the axis is."""
        made = self.made.get(operand) if type(operand) is int else None
        if made is not None and made.primitive.name == "broadcast_to":
            made = self.made.get(made.inputs[0])  # type: ignore[arg-type]
        if made is None or made.primitive.name != "expand_dims" or self.ndim(made.inputs[0]) != 1:
            return None
        (axes,) = made.params
        return made.inputs[0], axes[0]  # type: ignore[return-value]

    def size(self, dim) -> MatrixForm:
        """A size as a number."""
        text = self.dim(dim)
        return Number(int(text)) if text.isdigit() else Size(text)

    def dim(self, dim) -> str:
        """A size as text."""
        if isinstance(dim, SizeExpr):
            dim = dim.scope.resolve(dim)
        return dim.spell(self.graph.name_of_symbol) if isinstance(dim, SizeExpr) else str(dim)

    def put_back(self, equation: Equation, operands: tuple[MatrixForm, ...]) -> MatrixForm:
        """What was picked, at its place among zeros: padded, or, if more than a block was picked, counted by position."""
        template, shape = equation.params
        sizes = [self.dim(dim) for dim in shape]
        padded = _padded(template, shape, sizes)
        if padded is not None:
            return Verbatim(padded, operands)
        whole = " * ".join(size if size.isidentifier() or size.isdigit() else f"({size})" for size in sizes) or "1"
        texts = [Text("{" + str(place) + "}", ATOM) for place in range(1, len(operands))]
        spelled = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
        positions = f"np.arange({whole}).reshape({spelled})[{index_text(template, texts, self.dim) or '()'}]"
        return Verbatim(f"np.bincount(np.ravel({positions}), np.ravel({{0}}), {whole}).reshape({spelled})", operands)

    def verbatim(self, equation: Equation, operands: tuple[MatrixForm, ...]) -> MatrixForm:
        """What has no sign of its own, as NumPy writes it."""
        first = equation.inputs[0] if equation.inputs else None
        sizes = _Sizes(self, self.ndim(first) if first is not None else 0, first is not None and type(first) is not int)
        texts = [Text("{" + str(place) + "}", ATOM) for place in range(len(operands))]
        template = spell(equation.primitive, texts, equation.params, sizes).code
        if template.startswith(("{0}[", "{0}.")) and not symbols_in(operands[0]):
            operands = (Verbatim("np.asarray({0})", operands[:1]), *operands[1:])  # a number has no axes and no methods
        return Verbatim(template, operands)


@dataclass
class _Sizes:
    """Sizes as `spell` asks for them."""

    writing: Writing
    ndim: int
    scalar: bool

    def __call__(self, dim) -> str:
        return self.writing.dim(dim)

    def shape(self, shape) -> str:
        inner = ", ".join(map(self.writing.dim, shape))
        return f"({inner},)" if len(shape) == 1 else f"({inner})"


SIMPLE: dict[str, Callable[..., MatrixForm]] = {
    "add": lambda a, b: Add((*_terms(a), *_terms(b))),
    "subtract": lambda a, b: Add((*_terms(a), Negative(b))),
    "negative": Negative,
    "divide": Quotient,
    "power": Power,
    "square": lambda a: Power(a, Number(2)),
}


def _either(a: MatrixForm, b: MatrixForm) -> MatrixForm:
    return a if a == b else ALWAYS if _not(a) == b else Call("maximum", (a, b))


def _both(a: MatrixForm, b: MatrixForm) -> MatrixForm:
    return a if a == b else Hadamard((a, b))


def _not(a: MatrixForm) -> MatrixForm:
    match a:
        case Add((Number(1), Negative(body))):
            return body
    return Add((ALWAYS, Negative(a)))


ALWAYS = Number(1)
MASKS: dict[str, Callable[..., MatrixForm]] = {  # a mask is 1 or 0
    "logical_and": _both, "bitwise_and": _both, "logical_or": _either, "bitwise_or": _either,
    "logical_not": _not, "bitwise_xor": lambda a, b: Relation("!=", a, b),
}  # fmt: skip


def _terms(form: MatrixForm) -> tuple[MatrixForm, ...]:
    return form.terms if isinstance(form, Add) else (form,)


def _padded(template: tuple, shape: tuple, sizes: list[str]) -> str | None:
    """The text of an array with zeros around it, where one was picked by whole numbers and slices without steps."""
    if None in template or not shape:
        return None
    if Ellipsis in template:
        place = template.index(Ellipsis)
        rest = (FULL_SLICE,) * (len(shape) - len(template) + 1)
        template = (*template[:place], *rest, *template[place + 1 :])
    items = (*template, *(FULL_SLICE,) * (len(shape) - len(template)))
    pads, added = [], []
    for axis, (item, dim) in enumerate(zip(items, shape, strict=False)):
        if type(item) is int:
            start, stop = item, item + 1 or None
        elif type(item) is tuple and item[0] == SLICE and item[3] in (None, 1):
            start, stop = item[1:3]
        else:
            return None
        if not all(v is None or type(v) is int for v in (start, stop)):
            return None
        low, high, _ = slice(start, stop).indices(hint_of(dim))
        if high <= low or low != _place(start, hint_of(dim), 0) or high != _place(stop, hint_of(dim), hint_of(dim)):
            return None
        before = _difference(sizes[axis], -start) if start is not None and start < 0 else str(start or 0)
        after = "0" if stop is None else str(-stop) if stop < 0 else _difference(sizes[axis], stop)
        pads.append(f"({before}, {after})")
        added += [axis] if type(item) is int else []
    body = "{0}" if not added else "{0}[None]" if added == [0] else f"np.expand_dims({{0}}, {tuple(added)})"
    return f"np.pad({body}, ({', '.join(pads)}{',' if len(pads) == 1 else ''}))"


def _place(bound: int | None, size: int, otherwise: int) -> int:
    return otherwise if bound is None else bound + size if bound < 0 else bound


def _difference(size: str, number: int) -> str:
    return str(int(size) - number) if size.isdigit() else f"{size} - {number}"


def number_form(value) -> MatrixForm:
    """A number written out; whole floats without their point."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.item()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    negative = (
        isinstance(value, (int, float)) and not isinstance(value, bool) and (value < 0 or math.copysign(1, value) < 0)
    )
    return Negative(Number(-value)) if negative else Number(value)


def stretched_number(number: MatrixForm, shape: str) -> MatrixForm:
    """A number in every entry: so many ones, times it."""
    ones = Verbatim(f"np.ones({shape})")
    if isinstance(number, Quotient) and number.above == Number(1):
        return Quotient(ones, number.below)
    return ones if number == Number(1) else Scaled(number, ones)


def transposed(form: MatrixForm, axes: tuple[int, ...]) -> MatrixForm:
    """The transpose; of a stack the last two axes swapped, else with the permutation."""
    ndim = len(axes)
    plain = (*range(ndim - 2), ndim - 1, ndim - 2)
    told = ndim <= 2 or isinstance(form, Symbol)  # of what else is stacked nobody sees how many axes it has
    return Transposed(form) if axes == plain and told else Transposed(form, axes)
