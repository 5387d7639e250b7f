"""Formulas of whole arrays, as data: `dW = X^T dZ`.

The one idea: what is shown is a tree of a few kinds of nodes, whose leaves are names. Each costume prints the same tree, and
the test of what is shown evaluates it: `evaluate(form, values)` is its meaning.

The elementwise product, the product with a number and the product of matrices are three nodes, for they are three signs.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError


class MatrixForm:
    """What every node is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Symbol(MatrixForm):
    """A named array or number."""

    name: str


@dataclass(frozen=True, slots=True)
class Number(MatrixForm):
    """A number that is written out."""

    value: Any


@dataclass(frozen=True, slots=True)
class Size(MatrixForm):
    """A size as a number, as source text: `N`, `3 * N`, `X.shape[1]`."""

    text: str


@dataclass(frozen=True, slots=True)
class Add(MatrixForm):
    """A sum of terms; a term that is `Negative` is subtracted."""

    terms: tuple[MatrixForm, ...]


@dataclass(frozen=True, slots=True)
class Negative(MatrixForm):
    """Minus something."""

    body: MatrixForm


@dataclass(frozen=True, slots=True)
class Hadamard(MatrixForm):
    """The elementwise product of arrays; smaller ones are stretched."""

    factors: tuple[MatrixForm, ...]


@dataclass(frozen=True, slots=True)
class Scaled(MatrixForm):
    """A number times an array, or the product of two numbers."""

    number: MatrixForm
    body: MatrixForm


@dataclass(frozen=True, slots=True)
class Quotient(MatrixForm):
    """Elementwise division; by a number more often than not."""

    above: MatrixForm
    below: MatrixForm


@dataclass(frozen=True, slots=True)
class Power(MatrixForm):
    """Elementwise power."""

    base: MatrixForm
    exponent: MatrixForm


@dataclass(frozen=True, slots=True)
class Product(MatrixForm):
    """The product of matrices, of a matrix and a vector, or the inner product of two vectors: `A @ B`."""

    left: MatrixForm
    right: MatrixForm


@dataclass(frozen=True, slots=True)
class Outer(MatrixForm):
    """The outer product of two vectors."""

    left: MatrixForm
    right: MatrixForm


@dataclass(frozen=True, slots=True)
class Transposed(MatrixForm):
    """The axes turned round; of a stack, the last two swapped (`axes` has the permutation where it is another one)."""

    body: MatrixForm
    axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reduced(MatrixForm):
    """A sum, mean, max or min over axes (`kind`); `ndim` is the number of axes of the body."""

    kind: str
    body: MatrixForm
    axes: tuple[int, ...]
    keepdims: bool
    ndim: int
    over: tuple[str, ...] = ()  # the sizes summed over, as text


@dataclass(frozen=True, slots=True)
class Relation(MatrixForm):
    """A mask: 1 where `left sign right` holds, else 0; the sign is one of > >= < <= == !=."""

    sign: str
    left: MatrixForm
    right: MatrixForm


@dataclass(frozen=True, slots=True)
class Call(MatrixForm):
    """A function of arrays by its name: exp, log, softmax, relu, where, ...; `settings` are its other arguments as text."""

    function: str
    arguments: tuple[MatrixForm, ...]
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Verbatim(MatrixForm):
    """Something that has no sign in mathematics, as NumPy text with its operands in it: `np.take_along_axis({0}, {1})`."""

    template: str
    operands: tuple[MatrixForm, ...] = ()


def children(form: MatrixForm) -> tuple[MatrixForm, ...]:
    """The forms directly inside a form, in the order in which they are written."""
    match form:
        case Add(terms=parts) | Hadamard(factors=parts) | Call(arguments=parts) | Verbatim(operands=parts):
            return parts
        case Negative(body=body) | Transposed(body=body) | Reduced(body=body):
            return (body,)
        case Scaled(number=left, body=right) | Quotient(above=left, below=right) | Power(base=left, exponent=right):
            return (left, right)
        case Product(left=left, right=right) | Outer(left=left, right=right) | Relation(left=left, right=right):
            return (left, right)
    return ()


def symbols_in(form: MatrixForm) -> tuple[str, ...]:
    """The names in a form, each once, in the order in which they are written.

    >>> symbols_in(Product(Transposed(Symbol("X")), Symbol("dZ")))
    ('X', 'dZ')
    """
    found: dict[str, None] = {}
    waiting = [form]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Symbol):
            found[part.name] = None
        waiting += reversed(children(part))
    return tuple(found)


def ndim_of(form: MatrixForm, ndims: Mapping[str, int]) -> int | None:
    """How many axes the value of a form has, from those of its names; None where that cannot be told."""
    inner = [ndim_of(part, ndims) for part in children(form)]
    match form:
        case Symbol(name=name):
            return ndims.get(name)
        case Number(value=value):
            return int(np.ndim(value))
        case Size():
            return 0
        case Product():
            left, right = inner
            if left is None or right is None:
                return None
            return max(left, right, 2) - (left == 1) - (right == 1)
        case Outer():
            return 2
        case Reduced(axes=axes, keepdims=keepdims, ndim=ndim):
            return ndim if keepdims else ndim - len(axes)
        case Verbatim():
            return None
        case Call(function=function) if function not in _ELEMENTWISE:
            return None
    return None if None in inner else max((n for n in inner if n is not None), default=None)


def evaluate(form: MatrixForm, values: Mapping[str, Any], sizes: Mapping[str, int] | None = None) -> Any:
    """The value of a form: the meaning that every costume has to show.

    Parameters
    ----------
    form : MatrixForm
    values : mapping of str to ndarray
        An array or number for each name.
    sizes : mapping of str to int, optional
        A number for each size that is written by its name, such as N.

    Returns
    -------
    ndarray or number

    Raises
    ------
    ArgumentError
        If a name has no value, or a function is not known here.

    Examples
    --------
    >>> dW = Product(Transposed(Symbol("X")), Symbol("dZ"))
    >>> evaluate(dW, {"X": np.array([[1.0, 2.0]]), "dZ": np.array([[3.0]])})
    array([[3.],
           [6.]])
    """
    sizes = sizes or {}
    inner = [evaluate(part, values, sizes) for part in children(form)]
    match form:
        case Symbol(name=name):
            if name not in values:
                raise ArgumentError(f"there is no value for {name}; known are {', '.join(values)}")
            return values[name]
        case Number(value=value):
            return float(value) if isinstance(value, Fraction) else value
        case Size(text=text):
            return evaluate_text(text, {**values, **sizes})
        case Add():
            return _fold(np.add, inner)
        case Negative():
            return np.negative(inner[0])
        case Hadamard() | Scaled():
            return _fold(np.multiply, inner)
        case Quotient():
            return np.true_divide(*inner)
        case Power():
            return np.power(*(np.asarray(x, float) for x in inner))
        case Product():
            return np.matmul(*inner)
        case Outer():
            return np.outer(*inner)
        case Transposed(axes=axes):
            x = np.asarray(inner[0])
            return x.transpose(axes) if axes else x.T if x.ndim <= 2 else np.swapaxes(x, -1, -2)
        case Reduced(kind=kind, axes=axes, keepdims=keepdims):
            return getattr(np, kind)(inner[0], axis=tuple(axes), keepdims=keepdims)
        case Relation(sign=sign):
            return _RELATIONS[sign](*inner) * 1.0
        case Call(function=function, settings=settings):
            return _function(function)(*inner, **{key: evaluate_text(text, sizes) for key, text in settings})
        case Verbatim(template=template):
            names = [f"operand_{i}" for i in range(len(inner))]
            return evaluate_text(template.format(*names), {**values, **sizes, **dict(zip(names, inner, strict=True))})
    raise ArgumentError(f"{type(form).__name__} is no formula of arrays")


def evaluate_text(text: str, names: Mapping[str, Any]) -> Any:
    """The value of a small NumPy expression; names, numbers, operators, indices and NumPy's functions, and nothing else.

    >>> evaluate_text("3 * N // 2 + X.shape[1]", {"N": 4, "X": np.ones((2, 5))})
    11
    """
    return _value_of(ast.parse(text, mode="eval").body, names, text)


def _value_of(node: ast.expr | None, names: Mapping[str, Any], text: str) -> Any:
    def value(part: ast.expr | None) -> Any:
        return _value_of(part, names, text)

    match node:
        case None:
            return None
        case ast.Constant(value=constant):
            return constant
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=("bool" | "abs" | "slice") as name):
            return {"bool": bool, "abs": abs, "slice": slice}[name]
        case ast.Attribute(value=ast.Name(id="np"), attr=attr) if not attr.startswith("_"):
            return getattr(np, attr)
        case ast.Attribute(value=owner, attr=attr) if not attr.startswith("_"):
            return getattr(np.asarray(value(owner)), attr)
        case ast.Subscript(value=owner, slice=index):
            return value(owner)[value(index)]
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(value(lower), value(upper), value(step))
        case ast.Tuple(elts=items):
            return tuple(value(item) for item in items)
        case ast.List(elts=items):
            return [value(item) for item in items]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](value(left), value(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](value(left), value(right))
        case ast.Call(func=function, args=args, keywords=keywords):
            called = _function(function.id) if isinstance(function, ast.Name) else value(function)
            return called(*map(value, args), **{str(word.arg): value(word.value) for word in keywords})
    raise ArgumentError(f"{ast.unparse(node)} cannot be evaluated in {text!r}; known are {', '.join(names)}")


def _fold(run: Any, values: list[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = run(result, value)
    return result


def _function(name: str) -> Any:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if name.isidentifier() and not name.startswith("_") and callable(getattr(np, name, None)):
        return getattr(np, name)
    raise ArgumentError(f"there is no function {name} here; known are NumPy's and {', '.join(_ELSEWHERE)}")


def _logsumexp(z: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    top = np.max(z, axis=axis, keepdims=True)
    result = np.log(np.sum(np.exp(z - top), axis=axis, keepdims=True)) + top
    return result if keepdims else np.squeeze(result, axis=axis)


def _log_softmax(z: Any, axis: int = -1) -> Any:
    return z - _logsumexp(z, axis, keepdims=True)


_ELSEWHERE: dict[str, Any] = {
    "relu": lambda z: np.maximum(0, z),
    "sigmoid": lambda z: np.exp(-np.logaddexp(0, np.negative(z))),
    "softplus": lambda z: np.logaddexp(0, z),
    "softmax": lambda z, axis=-1: np.exp(_log_softmax(z, axis)),
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "one_hot": lambda y, classes: np.eye(int(classes))[y],
    "eye": lambda size: np.eye(int(size)),
    "held": lambda z: z,
    "abs": np.abs,
}
_ELEMENTWISE = frozenset(
    [
        "exp",
        "expm1",
        "log",
        "log1p",
        "log2",
        "log10",
        "sqrt",
        "cbrt",
        "square",
        "sinh",
        "cosh",
        "tanh",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "abs",
        "absolute",
        "sign",
        "reciprocal",
        "maximum",
        "minimum",
        "where",
        "clip",
        "relu",
        "sigmoid",
        "softplus",
        "softmax",
        "log_softmax",
        "power",
        "hypot",
        "logaddexp",
    ]
)
_RELATIONS: dict[str, Any] = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
_UNARY: dict[type, Any] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}
_BINARY: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARE: dict[type, Any] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
