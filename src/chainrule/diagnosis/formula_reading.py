"""Reading a formula: text to a syntax tree in which every node is known, or an error that says what to write instead.

The one idea: what is not in the lists is refused, and the place is shown with a caret. Nothing is evaluated here.

>>> tree, names = read("A.T @ dZ / N")
>>> names
('A', 'dZ', 'N')
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from chainrule.diagnosis.formula_words import ATTRIBUTES, BARE, CONSTANTS, DTYPES, FUNCTIONS, METHODS, Word
from chainrule.errors import FormulaError

LONGEST = 4000  # characters
DEEPEST = 200  # operations within operations
WHOLE = 2**63  # integers stay below it

BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
}  # fmt: skip
COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}

# Signs of mathematics with one meaning only are read; those with more than one are asked about.
_READ = {"⊙": "*", "∘": "*", "ᵀ": ".T", "⊤": ".T", "−": "-", "–": "-", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!="}
_ADVICE = {
    "\\": "a formula is NumPy, not LaTeX: a fraction is a / b, the elementwise product is *, a transpose is .T",
    "·": "· may be either product: write * for the elementwise one, @ for that of matrices",
    "⋅": "⋅ may be either product: write * for the elementwise one, @ for that of matrices",
    "×": "× may be either product: write * for the elementwise one, @ for that of matrices",
    "⊗": "⊗ may be either product: write outer(a, b), or * for the elementwise one",
    "∂": "write the derivative out: the cotangent of Z is a name such as dZ",
    "∑": "write sum(..., axis=...)",
    "Σ": "write sum(..., axis=...)",
    "√": "write sqrt(...)",
    "²": "write ** 2",
    "³": "write ** 3",
    "′": "for f'(Z) write the derivative out: (Z > 0) for relu, A * (1 - A) for sigmoid, 1 - A ** 2 for tanh",
    "'": "for f'(Z) write the derivative out: (Z > 0) for relu, A * (1 - A) for sigmoid, 1 - A ** 2 for tanh",
    "#": "a comment has no place in a formula",
    "{": "write round brackets (...)",
    ";": "a formula is one expression",
}
_REFUSED: dict[type, str] = {
    ast.BoolOp: "write & or | between masks, each in brackets: (0 < Z) & (Z < 1)",
    ast.Not: "write ~ before a mask",
    ast.NamedExpr: "a formula assigns nothing: its name is the key under which it is given",
    ast.Lambda: "a formula defines no functions",
    ast.Starred: "write the arguments out, without *",
    ast.JoinedStr: "text has no place in a formula",
    ast.Dict: "write round brackets (...)",
    ast.Set: "write round brackets (...)",
    ast.ListComp: "a formula has no loops: write sum(..., axis=...), or a product of matrices",
    ast.GeneratorExp: "a formula has no loops: write sum(..., axis=...), or a product of matrices",
    ast.SetComp: "a formula has no loops",
    ast.DictComp: "a formula has no loops",
}


def plain(text: str) -> str:
    """A formula on one line, with signs of mathematics that have one meaning as operators."""
    if not isinstance(text, str):
        raise FormulaError(f"a formula is text, such as 'A.T @ dZ', not {type(text).__name__}")
    if len(text) > LONGEST:
        raise FormulaError(f"a formula of {len(text)} characters: at most {LONGEST} are read")
    text = re.sub(r"\s+", " ", text).strip()
    if not text:
        raise FormulaError("the formula is empty")
    for sign, operator_text in _READ.items():
        text = text.replace(sign, operator_text)
    return text


def read(text: str) -> tuple[ast.expr, tuple[str, ...]]:
    """The tree of a plain text, and the names in it that are no functions."""
    tree = _parsed(text)
    reader = _Reader(text)
    reader.check(tree, 0)
    return tree, tuple(dict.fromkeys(reader.names))


def _parsed(text: str) -> ast.expr:
    for sign, advice in _ADVICE.items():
        if sign in text and not (sign == "'" and re.search(r"'[^']*'", text)):
            raise FormulaError(marked(text, text.index(sign), 1, advice))
    if "^" in text:
        transposed = re.search(r"([\w.\]]+) ?\^ ?\(?[Tt]\b", text)
        instead = f"{transposed[1]}.T" if transposed else "** for a power"
        raise FormulaError(marked(text, text.index("^"), 1, f"^ is no power in Python: write {instead}"))
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise _syntax_error(text, error) from None
    except (ValueError, RecursionError, MemoryError):
        raise FormulaError(f"the formula cannot be read: {text[:80]}") from None
    return tree


def _syntax_error(text: str, error: SyntaxError) -> FormulaError:
    assignment = re.search(r"(?<![=<>!:])=(?!=)", text)
    at = max((error.offset or 1) - 1, 0)
    juxtaposed = re.search(r"\d[A-Za-z_]|[\w)\]] [A-Za-z_0-9(]", text)
    if assignment and re.match(r"\s*[\w.\[\]]+\s*$", text[: assignment.start()]):
        says = "write the right-hand side only: the name is the key under which the formula is given"
        return FormulaError(marked(text, assignment.start(), 1, says))
    if juxtaposed and "perhaps" not in str(error.msg) or "decimal literal" in str(error.msg):
        return FormulaError(marked(text, at, 1, "cannot be read: write * (or @) between two factors"))
    return FormulaError(marked(text, at, 1, f"cannot be read: {error.msg}"))


class _Reader:
    """Looks up every node of a tree, and collects the names."""

    def __init__(self, text: str):
        self.text = text
        self.names: list[str] = []

    def check(self, node: ast.AST, depth: int) -> None:
        if depth > DEEPEST:
            raise FormulaError(f"operations within operations, more than {DEEPEST} deep: {self.text[:80]}")
        match node:
            case ast.Name(id=name):
                self.names.append(name)
                return
            case ast.Constant(value=value):
                self._check_constant(node, value)
                return
            case ast.Attribute():
                if constant_of(node) is None and not is_newaxis(node):
                    self._check_attribute(node)
                    self.check(node.value, depth + 1)
                return
            case ast.Call():
                self._check_call(node)
            case ast.Compare(ops=ops) if len(ops) > 1:
                says = "write a chain of comparisons in two: (0 < Z) & (Z < 1)"
                self.refuse(node, says)
            case ast.Subscript(value=value, slice=index):
                self.check(value, depth + 1)
                for item in index.elts if isinstance(index, ast.Tuple) else [index]:
                    if not (isinstance(item, ast.Constant) and isinstance(item.value, (str, type(...)))):
                        self.check(item, depth + 1)  # params["W1"] and A[..., 0] are fine
                return
            case ast.BinOp() | ast.UnaryOp() | ast.Compare():
                operators = node.ops if isinstance(node, ast.Compare) else [node.op]
                for op in operators:
                    if type(op) not in BINARY and type(op) not in UNARY and type(op) not in COMPARE:
                        self.refuse(node, _REFUSED.get(type(op), "this operator has no place in a formula"))
            case ast.IfExp() | ast.Tuple() | ast.List() | ast.Slice():
                pass
            case _:
                self.refuse(node, _REFUSED.get(type(node), f"{type(node).__name__} has no place in a formula"))
        for child in operands_of(node):
            self.check(child, depth + 1)

    def _check_constant(self, node: ast.Constant, value: Any) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= WHOLE:
            self.refuse(node, "a whole number this large has no place in a formula: write it as a float, 1e30")
        if not isinstance(value, (int, float)) and value is not None:
            self.refuse(node, f"{kind_of(value)} has no place here")

    def _check_attribute(self, node: ast.Attribute) -> None:
        if node.attr in ATTRIBUTES:
            return
        if node.attr in METHODS:
            self.refuse(node, f".{node.attr} is a method: write .{node.attr}(...)")
        if isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
            if node.attr in FUNCTIONS:
                self.refuse(node, f"{node.attr} is a function: write {node.attr}(...)")
            self.refuse(node, f"np.{node.attr} is not known here" + close_to(node.attr, FUNCTIONS))
        known = [f".{name}" for name in ATTRIBUTES] + [f".{name}()" for name in METHODS]
        self.refuse(node, f".{node.attr} is not known here" + close_to(f".{node.attr}", known))

    def _check_call(self, node: ast.Call) -> None:
        word, given = word_of(node)
        if word is None:
            self.refuse(node.func, _unknown_function(self.text, node))
        positional = word.positional
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            self.refuse(node, _REFUSED[ast.Starred])
        if len(node.args) > positional:
            instead = {"max": "maximum", "min": "minimum"}.get(given)
            advice = f": for two arrays write {instead}(a, b)" if instead else ""
            self.refuse(node, f"{given} takes {positional} arguments here, not {len(node.args)}{advice}")
        if given in ("max", "min") and len(node.args) == 2 and not isinstance(node.func, ast.Attribute):
            self.refuse(node, f"for two arrays write {given}imum(a, b), for an axis {given}(a, axis=1)")
        if given == "astype" and not (node.args and argument_of(node.args[0], given, 0)):
            self.refuse(node, f"write .astype(...) with one of {', '.join(DTYPES)}")
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in word.keywords:
                known = f"; known are {', '.join(sorted(word.keywords))}" if word.keywords else ""
                self.refuse(keyword.value, f"{given} takes no {keyword.arg or '**'} here{known}")

    def refuse(self, node: ast.AST, says: str) -> NoReturn:
        raise FormulaError(pointed(self.text, node, says))


def word_of(node: ast.Call) -> tuple[Word | None, str]:
    """The function that is called, and its name."""
    match node.func:
        case ast.Name(id=name):
            return BARE.get(name, FUNCTIONS.get(name)), name
        case ast.Attribute(value=owner, attr=name) if is_numpy(owner):
            return FUNCTIONS.get(name), name
        case ast.Attribute(attr=name):
            return METHODS.get(name), name
    return None, ""


def _unknown_function(text: str, node: ast.Call) -> str:
    match node.func:
        case ast.Attribute(value=owner, attr=name) if is_numpy(owner):
            return f"np.{name} is not known here" + close_to(name, FUNCTIONS)
        case ast.Attribute(attr=name):
            if name in FUNCTIONS or name in BARE:
                return f"arrays have no .{name}(): write {name}(...)"
            return f".{name}() is not known here" + close_to(name, METHODS)
        case ast.Name(id=name):
            close = close_to(name, [*FUNCTIONS, *BARE])
            return f"there is no function {name} here{close or f'; a product is written {name} * (...)'}"
    return "two brackets side by side: write * (or @) between two factors"


def argument_of(node: ast.expr, given: str, place: int) -> Any:
    """An argument as a node, but for the two texts that are allowed: einsum's subscripts and a dtype."""
    if given == "einsum" and place == 0 and isinstance(node, ast.Constant):
        return node.value
    if given == "astype":
        return _dtype(node)
    return node


def _dtype(node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name) | ast.Constant(value=name):
            return DTYPES.get(str(name))
    return None


def operands_of(node: ast.AST) -> Iterator[ast.expr]:
    """The parts of a node that are looked up and evaluated in turn."""
    if isinstance(node, ast.Call):
        _, given = word_of(node)
        if isinstance(node.func, ast.Attribute) and not is_numpy(node.func.value):
            yield node.func.value
        yield from (a for i, a in enumerate(node.args) if isinstance(argument_of(a, given, i), ast.AST))
        yield from (keyword.value for keyword in node.keywords)
    else:
        yield from (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def is_numpy(node: ast.AST) -> bool:
    """Whether a node is `np` or `numpy`."""
    return isinstance(node, ast.Name) and node.id in ("np", "numpy")


def is_newaxis(node: ast.Attribute) -> bool:
    """Whether a node is `np.newaxis`."""
    return is_numpy(node.value) and node.attr == "newaxis"


def constant_of(node: ast.Attribute) -> Any:
    """The value of `np.pi` and its like, or None."""
    return CONSTANTS.get(node.attr) if is_numpy(node.value) else None


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    return {
        tuple: "a shape",
        list: "a list",
        dict: "a dict",
        str: "text",
        bytes: "text",
        complex: "an imaginary number",
    }.get(type(value), "nothing" if value is None else type(value).__name__)


def close_to(name: str, known: Any) -> str:
    """A proposal for a name that is not known, to end a sentence; or nothing."""
    lowered = {str(other).lower(): str(other) for other in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def pointed(text: str, node: ast.AST, says: str) -> str:
    """A message with the formula below it, and carets under a node."""
    line = text.encode()
    start = len(line[: getattr(node, "col_offset", 0)].decode(errors="replace"))
    end = len(line[: getattr(node, "end_col_offset", 1)].decode(errors="replace"))
    return marked(text, start, end - start, says)


def marked(text: str, start: int, width: int, says: str) -> str:
    """A message with the formula below it, and carets under the place."""
    return f"{says}\n    {text}\n    {' ' * start}{'^' * max(width, 1)}"
