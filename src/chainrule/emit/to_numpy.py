"""A graph as Python source that imports only NumPy.

The layout: helper functions that NumPy lacks, then one function: sizes, guards, forward, backward, return. Each
statement carries its shape and, where a rewrite made it, the rule.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.emit.letting_go import with_deletions
from chainrule.graphs import Equation, Graph, Operand
from chainrule.primitives import control, indexing, shaping
from chainrule.program import Program, class_labels, prepare
from chainrule.shapes import SizeExpr
from chainrule.spelling import Text, dtype_name, identifier, index_text, literal_text, spell

WIDTH = 92  # an expression longer than this is cut into statements
COLUMN = 54  # where comments begin
INDENT = "    "
TOLD_GUARDS = 6  # the sizes that a guard's message lists
TOLD = frozenset(  # the rules that a comment names; the others only tidy up
    (
        "a quotient of exponentials is the softmax",
        "softmax with cross-entropy",
        "sigmoid with cross-entropy",
        "picked entries as one-hot rows",
        "rows that sum to one",
    )
)


@dataclass
class Signature:
    """How the function is called: its name, its parameters in order, and how the outputs are returned."""

    name: str
    parameters: dict[int, str]
    constants: dict[int, str] = field(default_factory=dict)
    result: Callable[[list[str]], str] = ", ".join
    guards: bool = True
    comments: bool = True
    inline: dict[str, str] = field(default_factory=dict)  # constants that are written out, by name
    reads: list[str] = field(default_factory=list)  # lines of the function that read a size as a plain number


def emit_numpy(graph: Graph, signature: Signature) -> str:
    """The module's text."""
    return _Writer(graph, signature).module()


class _SizeText:
    """Dimensions as code; `ndim` is that of the operand that is being spelled."""

    def __init__(self, writer: _Writer):
        self.writer = writer
        self.ndim = 0
        self.scalar = False  # whether that operand is a Python number

    def __call__(self, dim) -> str:
        return self.writer.dim(dim)

    def shape(self, shape: Sequence) -> str:
        inner = ", ".join(map(self.writer.dim, shape))
        return f"({inner},)" if len(shape) == 1 else f"({inner})"


class _Writer:
    def __init__(self, graph: Graph, signature: Signature):
        self.graph = graph
        self.signature = signature
        self.program: Program = prepare(graph, signature.parameters, signature.constants)
        self.names = self.program.names
        self.made = {e.output: e for e in self.program.equations}
        self.texts: dict[int, Text] = {}
        self.helpers: list[str] = []
        self.sizes: dict[int, str] = {}  # symbols that have a name of their own, in order of use
        self.size_text = _SizeText(self)
        self.lines: list[str] = []
        self.statements: list[tuple[int, int]] = []  # the line of each statement, and the variable that it makes
        self.taken = set(self.names.values())

    # -- the module ----------------------------------------------------------------------------------------------
    def module(self) -> str:
        self.body()
        returned = self.signature.result([self.returned(o) for o in self.graph.outputs])
        if self.program.lets_go:
            self.lines = with_deletions(self.lines, self.arrays, returned)
        guards = self.guards() if self.signature.guards else []
        inline = self.signature.inline
        reads = [f"# a size is read as a plain number in {line}" for line in self.signature.reads]
        head = [*reads, *self.size_lines(), *guards, *(f"{name} = {text}" for name, text in inline.items())]
        given = [name for name in self.signature.constants.values() if name not in inline]
        keyword = ["*", *given] if given else []
        arguments = ", ".join([*self.signature.parameters.values(), *keyword])
        parts = ["import numpy as np", ""]
        for helper in self.helpers:
            parts += ["", _helper_source(helper).rstrip(), ""]
        parts += ["", *_signature_lines(self.signature.name, arguments)]
        if head:
            parts += [f"{INDENT}{line}" if line else "" for line in head]
            if self.lines:
                parts.append("")
        parts += [f"{INDENT}{line}" if line else "" for line in self.lines]
        parts.append(f"{INDENT}return {returned}")
        return "\n".join(parts) + "\n"

    def returned(self, output: Operand) -> str:
        """An output's code; a number that is known gets the dtype that the function's own arithmetic gives."""
        made = self.made.get(output) if type(output) is int else None
        if made is not None and made.primitive is control.FULL and not made.params[1]:
            return f"{dtype_name(made.params[2])}({self.text(output).code})"
        return self.text(output).code

    def size_lines(self) -> list[str]:
        return [f"{name} = {self.origin(symbol)}" for symbol, name in self.sizes.items()]

    def guards(self) -> list[str]:
        """The facts about sizes that the program was made for, tested at entry."""
        scope = self.graph.scope
        if scope is None:
            return []
        facts, told = self.equal_shapes()
        for symbol in sorted(set(scope.merged) - told):
            root = scope.resolve(scope.face(symbol))
            right = root.spell(self.symbol_name) if isinstance(root, SizeExpr) else str(root)
            facts.append((self.origin(symbol), "!=", right))
        opposite = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
        for guard in scope.guards:
            sides = [scope.resolve(side) for side in (guard.left, guard.right)]
            if sides[0] == sides[1] or guard.relation == "==" and any(_symbol(side) is not None for side in sides):
                continue
            texts = [s.spell(self.symbol_name) if isinstance(s, SizeExpr) else str(s) for s in sides]
            facts.append((texts[0], opposite[guard.relation], texts[1]))
        unique = list(dict.fromkeys(fact for fact in facts if fact[0] != fact[2]))
        labels = [self.names[number] for number in class_labels(self.graph)]
        counted = [
            line
            for name in labels
            for line in (f"if {name}.min() < 0:", f'{INDENT}raise ValueError("{name}: class numbers count from 0")')
        ]
        if not unique:
            return counted
        conditions = [" ".join(fact) for fact in unique]
        wanted = ", ".join(f"{left} {opposite[relation]} {right}" for left, relation, right in unique[:TOLD_GUARDS])
        wanted += ", and so on" * (len(unique) > TOLD_GUARDS)
        return [*_wrapped("if ", conditions, " or ", ":"), *_raise(f"sizes must agree: {wanted}"), *counted]

    def equal_shapes(self) -> tuple[list[tuple[str, str, str]], set[int]]:
        """`m_W1.shape != W1.shape` where every axis was found equal, and the symbols that need no fact of their own."""
        scope = self.graph.scope
        facts: list[tuple[str, str, str]] = []
        told: set[int] = set()
        first: dict[tuple, str] = {}
        for number in self.graph.inputs:
            shape = self.graph.variables[number].shape
            symbols = {dim.symbol for dim in shape if isinstance(dim, SizeExpr)}
            resolved = tuple(map(scope.resolve, shape))  # type: ignore[union-attr]
            if resolved in first and symbols and symbols <= set(scope.merged):  # type: ignore[union-attr]
                facts.append((f"{self.names[number]}.shape", "!=", f"{first[resolved]}.shape"))
                told |= symbols  # type: ignore[arg-type]
            first.setdefault(resolved, self.names[number])
        return facts, told

    @property
    def arrays(self) -> list[tuple[int, str]]:
        """The line where each array gets its name, and the name."""
        return [(line, self.names[number]) for line, number in self.statements if self.graph.variables[number].shape]

    # -- sizes ---------------------------------------------------------------------------------------------------
    def dim(self, dim) -> str:
        if isinstance(dim, SizeExpr):
            dim = dim.scope.resolve(dim)
        return dim.spell(self.symbol_name) if isinstance(dim, SizeExpr) else str(dim)

    def symbol_name(self, symbol: int) -> str:
        """The name of a size: its own if it has one, else where it is read."""
        if symbol in self.sizes:
            return self.sizes[symbol]
        wanted = self.graph.scope.names.get(symbol) if self.graph.scope is not None else None
        if wanted is None:
            return self.origin(symbol)
        name = identifier(wanted)
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        self.sizes[symbol] = name
        return name

    def origin(self, symbol: int) -> str:
        path, axis = self.graph.scope.origins[symbol]  # type: ignore[union-attr]
        for number in self.graph.inputs:
            if self.graph.variables[number].name == path or self._has_axis(number, axis, symbol):
                return f"{self.names[number]}.shape[{axis}]"
        raise KeyError(path)

    def _has_axis(self, number: int, axis: int, symbol: int) -> bool:
        shape = self.graph.variables[number].shape
        return len(shape) > axis and isinstance(shape[axis], SizeExpr) and shape[axis].symbol == symbol

    # -- statements ----------------------------------------------------------------------------------------------
    def body(self) -> None:
        sections = [_section(e) for e in self.program.equations]
        several = len(set(sections)) > 1
        current = None
        seen_backward = False
        for equation, section in zip(self.program.equations, sections, strict=True):
            number = equation.output
            text = None if number in self.names else self.spell_equation(equation)
            if text is not None and (len(text.code) <= WIDTH or self.program.uses.get(number, 0) > 1):
                self.texts[number] = text
                continue
            if text is not None:
                self.names[number] = self.fresh()
            if (
                section == "forward" and seen_backward
            ):  # the user's own lines after the derivative, or values made again
                section = "update" if equation.step is None else str(current)
            seen_backward = seen_backward or section in ("backward", "tangents")
            if several and section != current:
                self.lines += [""] * bool(self.lines) + [f"# {section}"]
                current = section
            self.statement(equation, text)

    def fresh(self) -> str:
        count = 1
        while f"u{count}" in self.taken:
            count += 1
        self.taken.add(f"u{count}")
        return f"u{count}"

    def statement(self, equation: Equation, text: Text | None) -> None:
        number = equation.output
        name = self.names[number]
        self.texts[number] = Text(name)
        self.statements.append((len(self.lines), number))
        comment = self.comment(equation)
        if equation.primitive is indexing.INDEX_ADD:
            for line in self.index_add(name, equation):
                self.line(line, comment)
                comment = ""
            return
        self.line(f"{name} = {(text or self.spell_equation(equation)).code}", comment)

    def index_add(self, name: str, equation: Equation) -> list[str]:
        value, *arrays = (self.text(i) for i in equation.inputs)
        template, shape = equation.params
        dtype = self.graph.variables[equation.output].dtype
        zeros = f"np.zeros({self.size_text.shape(shape)}" + (
            "" if dtype == np.float64 else f", dtype={dtype_name(dtype)}"
        )
        index = index_text(template, arrays, self.size_text) or "()"
        if not arrays:
            return [f"{name} = {zeros})", f"{name}[{index}] = {value.code}"]
        key = index if len(template) == 1 and ":" not in index else _index_object(template, arrays, self.size_text)
        return [f"{name} = {zeros})", f"np.add.at({name}, {key}, {value.code})"]

    def comment(self, equation: Equation) -> str:
        if not self.signature.comments:
            return ""
        shape = self.graph.variables[equation.output].shape
        parts = [self.graph.spell_shape(shape)] if shape else []
        rule = equation.step.rule if equation.step is not None else ""
        note = rule.removeprefix("simplify: ")
        if note in TOLD:
            parts.append(note + self._one_hot_note(equation))
        return "    ".join(parts)

    def _one_hot_note(self, equation: Equation) -> str:
        made = self.made.get(equation.output)
        todo = list(made.inputs) if made is not None else []
        for _ in range(8):
            for operand in todo:
                maker = self.made.get(operand) if type(operand) is int else None
                if maker is not None and maker.primitive is control.ONE_HOT and maker.output in self.names:
                    return f"; {self.names[maker.output]} is {self.text(maker.inputs[0]).code} in one-hot rows"
            todo = [
                i
                for operand in todo
                if type(operand) is int and operand in self.made and operand not in self.names
                for i in self.made[operand].inputs
            ]
        return ""

    def line(self, code: str, comment: str = "") -> None:
        if comment:
            code = f"{code:<{COLUMN - 6}}  # {comment}"
        self.lines.append(code)

    # -- expressions ---------------------------------------------------------------------------------------------
    def text(self, operand: Operand) -> Text:
        if type(operand) is not int:
            return literal_text(operand.value)  # type: ignore[union-attr]
        if operand in self.names:
            return Text(self.names[operand])
        if operand not in self.texts:  # a transpose used before its turn
            self.texts[operand] = self.spell_equation(self.made[operand])
        return self.texts[operand]

    def spell_equation(self, equation: Equation) -> Text:
        primitive = equation.primitive
        operands = [self.text(i) for i in equation.inputs]
        first = equation.inputs[0] if equation.inputs else None
        self.size_text.ndim = len(self.graph.variables[first].shape) if type(first) is int else 0
        self.size_text.scalar = type(first) is not int or self.graph.variables[first].weak
        if primitive.helper and primitive.helper not in self.helpers:
            self.helpers.append(primitive.helper)
        if primitive is shaping.CONVERT and type(first) is int and not self.graph.variables[first].shape:
            return Text(f"{dtype_name(equation.params[0])}({operands[0].code})")
        if primitive is shaping.CONVERT and type(first) is not int:
            return Text(f"{dtype_name(equation.params[0])}({operands[0].code})")
        return spell(primitive, operands, equation.params, self.size_text)


def _symbol(dim) -> int | None:
    return dim.symbol if isinstance(dim, SizeExpr) else None


def _section(equation: Equation) -> str:
    if equation.recomputed:
        return "computed again"
    if not equation.derived:
        return "forward"
    return "tangents" if equation.step.rule.startswith("jvp") else "backward"  # type: ignore[union-attr]


def _signature_lines(name: str, arguments: str) -> list[str]:
    line = f"def {name}({arguments}):"
    if len(line) <= 110:
        return [line]
    return [f"def {name}(", *(f"{INDENT}{row}" for row in textwrap.wrap(arguments, 100)), "):"]


def _wrapped(start: str, conditions: list[str], joint: str, end: str) -> list[str]:
    line = start + joint.join(conditions) + end
    if len(line) <= 104:
        return [line]
    rows = [f"{start}("]
    for number, condition in enumerate(conditions):
        rows.append(f"{INDENT}{'' if number == 0 else joint.lstrip()}{condition}")
    return [*rows, f"){end}"]


def _raise(message: str) -> list[str]:
    if len(message) <= 84:
        return [f'{INDENT}raise ValueError("{message}")']
    rows = textwrap.wrap(message, 84, drop_whitespace=False)
    return [f"{INDENT}raise ValueError(", *(f'{INDENT * 2}"{row}"' for row in rows), f"{INDENT})"]


def _index_object(template: tuple, arrays: list[Text], size) -> str:
    """An index outside of brackets: slices have to be spelled out."""
    parts = []
    for item in template:
        if item is None or item is Ellipsis:
            parts.append("None" if item is None else "...")
        elif type(item) is tuple and item[0] == indexing.ARRAY:
            parts.append(arrays[item[1]].code)
        elif type(item) is tuple:
            inner = ["None" if v is None else size(v) for v in item[1:]]
            parts.append("slice(None)" if inner == ["None"] * 3 else f"slice({', '.join(inner)})")
        else:
            parts.append(size(item))
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _helper_source(helper: str) -> str:
    module, _, name = helper.partition(":")
    return textwrap.dedent(inspect.getsource(getattr(importlib.import_module(module), name)))
