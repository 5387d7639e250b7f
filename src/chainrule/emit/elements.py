"""One element of any variable as text: what stands inside of the loops.

The one idea: a view is index arithmetic, an absorbed equation is an expression, a root is a local variable or an entry of
an array; `element` follows the graph until it meets one of the last two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from chainrule.emit.loops import Schedule
from chainrule.emit.reading import VIEWS, Index, is_slice
from chainrule.emit.scalars import TESTS, element_text
from chainrule.emit.storage import Storage
from chainrule.emit.tiled import TiledProducts
from chainrule.errors import UnsupportedError
from chainrule.graphs import Equation, Operand
from chainrule.primitives import control, indexing, shaping
from chainrule.shapes import SizeExpr
from chainrule.spelling import Names

INDENT = "    "
LETTERS = [*"ijklmnopqrs", *(f"i{n}" for n in range(8))]
RESERVED = frozenset(
    [
        "math",
        "np",
        "boolean",
        "float32",
        "float64",
        "int32",
        "int64",
        "njit",
        "types",
        "larger",
        "smaller",
        "added",
        "squared",
        "wrapped",
        "candidate",
        "NoAlias",
        "KERNEL",
        "gemm32",
        "gemm64",
        "bool",
        "abs",
        "max",
        "min",
        "range",
    ]
)


@dataclass
class Body:
    """Lines of a function in the making."""

    lines: list[str] = field(default_factory=list)
    known: dict[tuple, str] = field(default_factory=dict)  # named elements that are locals already
    depth: int = 1

    def line(self, text: str) -> None:
        """One more line, indented."""
        self.lines.append(INDENT * self.depth + text)


class Elements:
    """Knows how every variable is called and where it lives, and writes elements of them.

    Parameters
    ----------
    schedule, storage
        What is written.
    names : dict of int to str
        Identifiers of inputs and constants.
    taken : iterable of str
        Further identifiers that are not free.
    symbol_name : callable
        The identifier of a size symbol.
    """

    def __init__(self, schedule: Schedule, storage: Storage, names: dict[int, str], taken: Iterable[str], symbol_name):
        self.schedule = schedule
        self.storage = storage
        self.graph = schedule.graph
        self.names = dict(names)
        self.symbol_name = symbol_name
        given = {*names.values(), *taken}
        self.letters = [letter for letter in LETTERS if letter not in given]
        self.identifiers = Names([*given, *self.letters, *RESERVED])
        self.tiles: TiledProducts | None = None  # kernels for products of known sizes, if they are wanted
        self.tiles_ahead = False  # whether transposed copies are made before the step
        self.rows_name = ""  # how many samples there are, where only some of them are looked at
        self.elements: dict[object, str] = {}  # names of single elements of arrays
        for variable in schedule.homes:  # a root that takes an argument's memory is known by the argument's name
            self.names.setdefault(variable, self.identifiers.fresh(self.graph.variables[variable].name or "u1"))
        self.in_kernel = False

    # -- names -------------------------------------------------------------------------------------------------------
    def free(self, name: str) -> str:
        """A name that a kernel gets from outside."""
        return f"\x00{name}\x00" if self.in_kernel else name

    def dim(self, dim) -> str:
        """A size as text."""
        return dim.spell(lambda s: self.free(self.symbol_name(s))) if isinstance(dim, SizeExpr) else str(dim)

    def buffer_name(self, variable: int) -> str:
        """The array in which a root lives."""
        owner = self.storage.buffers[variable].owner
        return self.names[owner]

    def kind(self, variable: int) -> np.dtype:
        """The dtype in which a variable is held."""
        known = self.graph.variables[variable]
        return known.dtype

    def local_name(self, variable: int) -> str:
        """The name of one element of an array: in lower case."""
        wanted = self.names[variable]
        key = ("element", variable)
        if key not in self.elements:
            lower = wanted[0].lower() + wanted[1:]
            self.elements[key] = self.identifiers.fresh(lower if lower != wanted else f"{wanted}_")
        return self.elements[key]

    def place(self, variable: int, axes: dict[int, str]) -> str:
        """`Z1[i, j]`."""
        buffer = self.storage.buffers[variable]
        inner = ", ".join(axes.get(axis, "0") for axis in buffer.axes)
        return f"{self.free(self.buffer_name(variable))}[{inner or '()'}]"

    def accumulator(self, variable: int) -> str:
        """The local variable in which a reduction is collected."""
        return self.local_name(variable) if variable in self.storage.buffers else self.names[variable]

    # -- elements ----------------------------------------------------------------------------------------------------
    def operand(self, x: Operand, index, axes: dict[int, str], body: Body, dtype: np.dtype | None) -> str:
        """An operand's element, converted to `dtype` if it is of another."""
        if type(x) is not int:
            return literal(x.value, dtype)  # type: ignore[union-attr]
        text = self.element(x, index if self.schedule.shape(x) else (), axes, body)
        if dtype is not None and self.kind(x) != dtype:
            return convert(text, self.kind(x), dtype)
        return text

    def element(self, x: int, index: tuple[Index, ...], axes: dict[int, str], body: Body) -> str:
        """One element of a variable, as text."""
        equation = self.schedule.made.get(x)
        letters = [self.index_text(i, axes) for i in index]
        if equation is None:
            given = self.free(self.names[x])
            return f"{given}[{', '.join(letters)}]" if letters else given
        if x in self.schedule.roots:
            buffer = self.storage.buffers.get(x)
            if buffer is None:
                return self.names[x] if self._inside(x) else self.free(self.names[x])
            place = (x, tuple(letters[a] for a, size in enumerate(self.schedule.shape(x)) if size != 1))
            if place in body.known:
                return body.known[place]
            inner = ", ".join(letters[axis] for axis in buffer.axes)
            return f"{self.free(self.buffer_name(x))}[{inner or '()'}]"
        name = self.graph.variables[x].name
        text = self.value(equation, index, axes, body)
        if name and self.in_kernel and len(text) > 24:
            key = (x, tuple(letters))
            if key not in body.known:
                body.known[key] = self.local_name_of(x, name)
                body.line(f"{body.known[key]} = {bare(text)}")
            return body.known[key]
        return text

    def local_name_of(self, variable: int, name: str) -> str:
        """The user's name of something absorbed."""
        if ("absorbed", variable) not in self.elements:
            self.elements[("absorbed", variable)] = self.identifiers.fresh(name)
        return self.elements[("absorbed", variable)]

    def _inside(self, x: int) -> bool:
        """Whether a local root is made in the function that is being written."""
        return not self.in_kernel or bool(self.schedule.homes[x].path)

    def value(self, equation: Equation, index: tuple[Index, ...], axes: dict[int, str], body: Body) -> str:
        """The text that computes one element of an equation's output."""
        primitive, params = equation.primitive, equation.params
        output = equation.output
        dtype = self.kind(output)
        if primitive in VIEWS or is_slice(equation):
            x = equation.inputs[0]
            return self.operand(x, self.schedule.through(equation, index), axes, body, dtype)
        if primitive is control.FULL:
            return literal(params[0], dtype) if not isinstance(params[0], SizeExpr) else self.dim(params[0])
        if primitive is control.SIZE:
            return self.dim(params[0])
        if primitive is control.ARANGE:
            return convert(self.index_text(index[0], axes), np.dtype(np.int64), dtype)
        if primitive is control.EYE:
            row, column = (self.index_text(i, axes) for i in index)
            return f"({literal(1, dtype)} if {row} == {column} else {literal(0, dtype)})"
        if primitive is control.ONE_HOT:
            axis = params[1]
            label = self.operand(equation.inputs[0], index[:axis] + index[axis + 1 :], axes, body, None)
            column = self.index_text(index[axis], axes)
            hit = f"{label} == {column}"
            if params[3]:  # np.eye(k)[y]: a negative number counts from the end
                hit = f"({hit}) | ({label} == {column} - {self.dim(params[0])})"
            return f"({literal(1, dtype)} if {hit} else {literal(0, dtype)})"
        if primitive is indexing.INDEX:
            source = equation.inputs[0]
            inner = self.gathered(params[0], equation.inputs[1:], self.schedule.shape(source), index, axes, body)  # type: ignore[arg-type]
            root, _ = self.schedule.source(source)
            name = self.buffer_name(root) if root in self.storage.buffers else self.names[root]  # type: ignore[index, arg-type]
            return f"{self.free(name)}[{', '.join(inner)}]"
        if primitive is shaping.CONVERT:
            return self.operand(equation.inputs[0], index, axes, body, dtype)
        work = self.arithmetic(equation)
        wanted = [
            None if (primitive.name == "where" and place == 0) or work is None else work
            for place in range(len(equation.inputs))
        ]
        if primitive.name == "power" and type(equation.inputs[1]) is not int:
            raised = self.integer_power(equation, index, axes, body, dtype)
            if raised is not None:
                return raised
        bound = self.bounded(equation, index, axes, body, dtype)
        if bound is not None:
            return bound
        operands = [self.operand(x, index, axes, body, d) for x, d in zip(equation.inputs, wanted, strict=True)]
        return element_text(primitive, operands, work or dtype)

    def bounded(self, equation: Equation, index, axes: dict[int, str], body: Body, dtype: np.dtype) -> str | None:
        """The larger or smaller of a value and a number: one comparison does, for the number is not NaN."""
        helper = {"maximum": "at_least", "minimum": "at_most"}.get(equation.primitive.name)
        literals = [x for x in equation.inputs if type(x) is not int]
        if helper is None or dtype.kind != "f" or len(literals) != 1 or math.isnan(literals[0].value):  # type: ignore[union-attr]
            return None
        value = next(x for x in equation.inputs if type(x) is int)
        bound = literal(literals[0].value, dtype)  # type: ignore[union-attr]
        return f"{helper}({bare(self.operand(value, index, axes, body, dtype))}, {bound})"

    def integer_power(self, equation: Equation, index, axes: dict[int, str], body: Body, dtype: np.dtype) -> str | None:
        """`x**2` and the like, as products; None if the exponent is not a small integer."""
        base, exponent = equation.inputs
        p = exponent.value  # type: ignore[union-attr]
        if p != int(p) or not 0 <= p <= 16 or dtype.kind != "f":
            return None
        x = self.operand(base, index, axes, body, dtype)
        if p == 2:
            return f"squared({x})"
        return (
            convert(f"({x} ** {int(p)})", np.dtype(np.float64), dtype) if dtype != np.float64 else f"({x} ** {int(p)})"
        )

    def arithmetic(self, equation: Equation) -> np.dtype | None:
        """The dtype in which an elementwise equation is computed; None where each operand keeps its own."""
        if equation.primitive.name.startswith("logical"):
            return None
        if equation.primitive.name in TESTS:
            strong = [
                self.graph.variables[i].dtype if type(i) is int else np.dtype(type(i.value))  # type: ignore[union-attr]
                for i in equation.inputs
                if not (self.graph.variables[i].weak if type(i) is int else i.weak)  # type: ignore[union-attr]
            ]
            if strong:
                return np.result_type(*strong)
            return np.dtype(np.float64)
        return self.kind(equation.output)

    def gathered(self, template, arrays, shape, index, axes: dict[int, str], body: Body) -> list[str]:
        """The index of the picked entry, from the index of the result: `x[y[i], j]`."""
        count = max((len(self.schedule.shape(a)) for a in arrays), default=0)
        lead = indexing.arrays_lead(template)
        taken = sum(1 for item in template if item is not None and item is not Ellipsis)
        items = indexing._spelled_out(template, len(shape) - taken)
        place = 0
        if not lead:
            for item in items:
                if type(item) is tuple and item[0] == indexing.ARRAY or type(item) not in (tuple, type(None)):
                    break
                place += 1
        common = index[place : place + count]
        rest = [*index[:place], *index[place + count :]]
        result, axis = [], 0
        for item in items:
            if item is None:
                rest.pop(0)
                continue
            size = self.dim(shape[axis])
            if type(item) is tuple and item[0] == indexing.ARRAY:
                array = arrays[item[1]]
                own = self.schedule.shape(array)
                tail = common[len(common) - len(own) :] if own else ()
                inner = tuple(Index() if d == 1 else i for d, i in zip(own, tail, strict=True))
                picked = self.element(array, inner, axes, body)
                result.append(f"wrapped({picked}, {size})")
            elif type(item) is tuple:
                start, _, step = item[1:]
                begin, step = self.slice_start(shape[axis], start, step)
                position = self.index_text(rest.pop(0), axes)
                scaled = position if step == 1 else f"{step} * {position}"
                result.append(scaled if begin == "0" else f"{begin} + {scaled}")
            else:
                position = self.dim(item)
                negative = item.hint < 0 if isinstance(item, SizeExpr) else item < 0
                result.append(f"{size} + {position}" if negative else position)
            axis += 1
        return result

    def slice_start(self, size, start, step) -> tuple[str, int]:
        """Where a slice begins, and its step."""
        step = 1 if step is None else step
        if start is None:
            return ("0", step) if step > 0 else (f"({self.dim(size)} - 1)", step)
        if isinstance(size, int) and isinstance(start, int):
            return str(slice(start, None, step).indices(size)[0]), step
        negative = start.hint < 0 if isinstance(start, SizeExpr) else start < 0
        return (f"({self.dim(size)} + {self.dim(start)})" if negative else self.dim(start)), step

    def index_text(self, index: Index, axes: dict[int, str]) -> str:
        """`i`, or `2 + 3 * i`."""
        if index.axis is None:
            return self.dim(index.start)
        letter = axes[index.axis]
        if index.plain:
            return letter
        scaled = letter if index.scale == 1 else f"{index.scale} * {letter}"
        return scaled if index.start == 0 else f"{self.dim(index.start)} + {scaled}"


def numba_type(dtype: np.dtype) -> str:
    """Numba's name of a scalar type."""
    if dtype.name not in ("float32", "float64", "int32", "int64", "bool"):
        raise UnsupportedError(f"{dtype} is not compiled: use float32 or float64, or the NumPy engine")
    return "boolean" if dtype.kind == "b" else dtype.name


def bare(text: str) -> str:
    """An expression without the brackets around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def convert(text: str, source: np.dtype, target: np.dtype) -> str:
    """A scalar of one dtype as another."""
    if source == target:
        return text
    if target.kind == "b":
        return f"({text} != 0)"
    return f"{numba_type(target)}({text})"


def literal(value, dtype: np.dtype | None) -> str:
    """A number as text of a dtype."""
    dtype = np.dtype(type(value)) if dtype is None else dtype
    if dtype.kind == "b":
        return "True" if value else "False"
    if dtype.kind in "iu":
        return str(int(value)) if dtype == np.int64 else f"{numba_type(dtype)}({int(value)})"
    number = float(value)
    text = repr(number)
    if not math.isfinite(number):
        text = "np.nan" if math.isnan(number) else "np.inf" if number > 0 else "-np.inf"
    if dtype == np.float64:
        return f"({text})" if text.startswith("-") else text
    return f"{numba_type(dtype)}({text})"
