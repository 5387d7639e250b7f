"""The array that a recognised matrix form stands for, at other sizes than those that are written in it.

The one idea: a recognition is tried on small random arrays, so a size in the form may stand for a smaller one. That is why
this is not `matrix_form.evaluate`, which takes sizes at their word. Every recognition is held to it.

>>> evaluate_matrix(Product(Transposed(Symbol("X")), Symbol("d")), {"X": np.eye(2), "d": np.ones(2)}, {})
array([1., 1.])
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.derivation.index_values import FUNCTIONS
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
)
from chainrule.shapes import RELATIONS

_REDUCTIONS: dict[str, Any] = {"sum": np.sum, "max": np.max, "min": np.min, "mean": np.mean}


def evaluate_matrix(form: MatrixForm, arrays: Mapping[str, Any], sizes: Mapping[str | int, int]) -> Any:
    """The value of a matrix form that `recognising.py` makes.

    Parameters
    ----------
    form : MatrixForm
    arrays : mapping of str to array
    sizes : mapping
        The number for each size that is not itself the number meant.
    """

    def of(part: Any) -> Any:
        return evaluate_matrix(part, arrays, sizes)

    def size(text: str) -> int:
        key: Any = int(text) if text.isdigit() else text
        return sizes.get(key, key)

    match form:
        case Symbol(name):
            return np.asarray(arrays[name])
        case Number(value):
            return float(value)
        case Size(text):
            return float(size(text))
        case Add(terms):
            return functools.reduce(np.add, map(of, terms))
        case Negative(body):
            return -of(body)
        case Hadamard(factors):
            return functools.reduce(np.multiply, map(of, factors))
        case Scaled(number, body):
            return of(number) * of(body)
        case Quotient(above, below):
            return of(above) / of(below)
        case Power(base, exponent):
            return np.power(of(base), of(exponent))
        case Product(left, right):
            return of(left) @ of(right)
        case Outer(left, right):
            return np.outer(of(left), of(right))
        case Transposed(body, axes):
            array = of(body)
            return np.transpose(array, axes) if axes else np.swapaxes(array, -1, -2)
        case Reduced(kind, body, axes, keepdims):
            return _REDUCTIONS[kind](of(body), axis=axes, keepdims=keepdims)
        case Relation(sign, left, right):
            return np.asarray(RELATIONS[sign](of(left), of(right)), dtype=float)
        case Verbatim(template, operands) if template.startswith("np.concatenate"):
            return np.concatenate([*map(of, operands)], axis=int(template[template.index("axis=") + 5 : -1]))
        case Verbatim(template, (operand,)):
            return of(operand)[tuple(map(_item, template[4:-1].split(", ")))]
        case Call("broadcast_to", (operand,), ((_, shape),)):
            return np.broadcast_to(of(operand), tuple(size(part) for part in _parts(shape)))
        case Call("eye", (), ((_, count),)):
            return np.eye(size(count))
        case Call("one_hot", (operand,), ((_, count),)):
            return np.eye(size(count))[of(operand)]
        case Call("diag" | "diagonal", (operand,)):
            return np.diag(of(operand))
        case Call("trace", (operand,)):
            return np.trace(of(operand))
        case Call("where", (condition, then, otherwise)):
            return np.where(np.asarray(of(condition)) != 0, of(then), of(otherwise))
        case Call(function, arguments):
            return FUNCTIONS[{"maximum": "max", "minimum": "min"}.get(function, function)](*map(of, arguments))
    raise NotImplementedError(f"{type(form).__name__} is not among what is recognised")


def _item(text: str) -> Any:
    """One part of an index, from its text."""
    if text in ("None", "..."):
        return None if text == "None" else ...
    if ":" not in text:
        return int(text)
    return slice(*(int(part) if part else None for part in text.split(":")))


def _parts(shape: str) -> list[str]:
    return [part.strip() for part in shape.strip("()").split(",") if part.strip()]
