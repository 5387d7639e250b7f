"""A formula as one would write it by hand: the cotangent before the mask, one number in front.

The one idea: order and grouping that do not change the value by more than rounding, and nothing else.

>>> from chainrule.matrix_form import Hadamard, Relation, Symbol, Number
>>> tidied(Hadamard((Relation(">", Symbol("Z"), Number(0)), Symbol("dA"))), {"dA"})
Hadamard(factors=(Symbol(name='dA'), Relation(sign='>', left=Symbol(name='Z'), right=Number(value=0))))
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from chainrule.matrix_form import (
    Add,
    Hadamard,
    MatrixForm,
    Negative,
    Number,
    Quotient,
    Relation,
    Scaled,
    Size,
    Symbol,
    Verbatim,
)


def tidied(form: Any, cotangents: Collection[str]) -> Any:
    """The same formula, tidied up from the inside out."""
    if isinstance(form, tuple):
        return tuple(tidied(part, cotangents) for part in form)
    if not isinstance(form, MatrixForm):
        return form
    form = type(form)(*(tidied(getattr(form, field.name), cotangents) for field in fields(form)))  # type: ignore[arg-type]
    match form:
        case Hadamard(factors):
            return Hadamard(tuple(sorted(factors, key=lambda factor: _place(factor, cotangents))))
        case Scaled(Number() as number, Scaled(Quotient(Number(1), below), body)):
            return Scaled(Quotient(number, below), body)
        case Scaled(Negative(Number() as number), body):
            return Negative(Scaled(number, body))
        case Negative(Negative(body)):
            return body
        case Add(terms) if isinstance(terms[0], Negative):
            first = next((term for term in terms if not isinstance(term, Negative)), None)
            return form if first is None else Add((first, *(term for term in terms if term is not first)))
    return form


def _place(factor: MatrixForm, cotangents: Collection[str]) -> int:
    if isinstance(factor, Symbol) and factor.name in cotangents:
        return 0
    return 2 if isinstance(factor, Relation) else 1


def without_ones(form: Any) -> Any:
    """A formula in which an array of one number is the number, and scales what it multiplies.

    The value is the same where the other factor has all the entries; who asks has to look.
    """
    if isinstance(form, tuple):
        return tuple(map(without_ones, form))
    if not isinstance(form, MatrixForm):
        return form
    if isinstance(form, Verbatim) and form.template.startswith("np.ones("):
        return Number(1)
    form = type(form)(*(without_ones(getattr(form, field.name)) for field in fields(form)))  # type: ignore[arg-type]
    if isinstance(form, Hadamard):
        numbers = [factor for factor in form.factors if _is_number(factor)]
        rest = tuple(factor for factor in form.factors if not _is_number(factor))
        if numbers and rest:
            body = rest[0] if len(rest) == 1 else Hadamard(rest)
            for number in numbers:
                body = body if number == Number(1) else Scaled(number, body)
            return body
    return form


def _is_number(form: MatrixForm) -> bool:
    match form:
        case Number() | Size():
            return True
        case Quotient(above, below):
            return _is_number(above) and _is_number(below)
        case Negative(body):
            return _is_number(body)
        case Scaled(number, body):
            return _is_number(number) and _is_number(body)
    return False
