"""What follows a size: numbers, parameters and constant arrays that a second trace found to go with one.

The one idea: a `Lift` says two things of what entered a trace from plain Python: how to record it with the size left
open, and what it must be at given sizes. The first is a guess from two traces; the second holds it to account at others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graphs import Literal
from chainrule.primitive import apply
from chainrule.primitives.control import ARANGE, EYE, FULL, SIZE
from chainrule.primitives.shaping import CONVERT, RESHAPE
from chainrule.shapes import SizeExpr, SizeScope, hint_of
from chainrule.sizes import INT64
from chainrule.trace import Trace

Expression = Callable[[SizeScope], Any]  # a dimension of the scope
Numbers = list[tuple[int, int, int]]  # (symbol, its number in the first trace, in the second)
DIVISORS = (2, 3, 4, 5, 8, 10)


class DifferentError(Exception):
    """Two things that entered differ, and no size explains how."""


@dataclass(frozen=True)
class Lift:
    """One thing that follows a size."""

    build: Callable[[Trace], Any]  # records it, or gives the parameters
    predict: Callable[[SizeScope], Any]  # what enters at the sizes of a scope

    def explains(self, scope: SizeScope, item: Any) -> bool:
        """Whether it says rightly what entered at these sizes."""
        expected = self.predict(scope)
        if isinstance(expected, np.ndarray):
            return isinstance(item, np.ndarray) and same_array(expected, item)
        return bool(expected == plain_numbers(item)) and type(expected) is type(plain_numbers(item))


def lift(a: Any, b: Any, numbers: Numbers) -> Lift | None:
    """None when the same entered in both traces; else the lift that explains the two. Raises DifferentError."""
    if isinstance(a, np.ndarray):
        return _lift_array(a, b, numbers)
    if isinstance(a, tuple):
        return _lift_params(a, b, numbers)
    return None if Literal(a) == Literal(b) else _lift_number(a, b, numbers)


def same_array(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are equal, dtype included."""
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def plain_numbers(item: Any) -> Any:
    """Parameters with every size as its number in the trace."""
    if isinstance(item, SizeExpr):
        return hint_of(item.scope.resolve(item))
    if isinstance(item, tuple):
        return tuple(map(plain_numbers, item))
    return item


def _expression(a: int, b: int, numbers: Numbers) -> Expression:
    """`a` and `b` as one expression of a size: p s + q, or a part of it as in N // 2."""
    for symbol, h1, h2 in numbers:
        if h1 != h2 and (b - a) % (h2 - h1) == 0:
            p = (b - a) // (h2 - h1)
            q = a - p * h1
            if p > 0 and abs(q) <= 2 * h1:
                return _linear(symbol, p, q)
    for symbol, h1, h2 in numbers:
        for divisor in DIVISORS:
            if a == h1 // divisor and b == h2 // divisor:
                return _part(symbol, divisor)
    raise DifferentError


def _linear(symbol: int, p: int, q: int) -> Expression:
    return lambda scope: scope.resolve(scope.resolve(scope.face(symbol)) * p + q)


def _part(symbol: int, divisor: int) -> Expression:
    return lambda scope: scope.resolve(scope.face(symbol)) // divisor


def _lift_number(a: Any, b: Any, numbers: Numbers) -> Lift:
    if isinstance(a, (int, np.integer)) and isinstance(b, (int, np.integer)):
        return _scalar_lift(a, _expression(int(a), int(b), numbers))
    if not (isinstance(a, (float, np.floating)) and isinstance(b, (float, np.floating))):
        raise DifferentError
    for symbol, h1, h2 in numbers:
        for factor in (round(float(a) * h1), float(a) * h1):
            if h1 != h2 and factor / h1 == a and factor / h2 == b:
                return _quotient_lift(a, int(factor) if float(factor).is_integer() else float(factor), symbol)
        if a == h1 and b == h2:
            return _scalar_lift(a, _linear(symbol, 1, 0))
    raise DifferentError


def _strength(value: Any, traced: Any) -> Any:
    """The traced scalar with the strength of the number that it stands for: NumPy's are strong."""
    if isinstance(value, np.generic):
        return apply(CONVERT, traced, params=(value.dtype,))
    return traced * 1.0 if isinstance(value, float) else traced


def _size(trace: Trace, expression: Expression) -> Any:
    assert trace.scope is not None
    scalar: Any = trace.record(SIZE, (), (expression(trace.scope), INT64), True)
    scalar.variable.name = None
    return scalar


def _scalar_lift(value: Any, expression: Expression) -> Lift:
    kind = type(value)
    return Lift(
        lambda trace: _strength(value, _size(trace, expression)),
        lambda scope: kind(hint_of(expression(scope))),
    )


def _quotient_lift(value: Any, dividend: float, symbol: int) -> Lift:
    kind = type(value)
    size = _linear(symbol, 1, 0)

    def build(trace: Trace) -> Any:
        quotient = dividend / _size(trace, size)
        return apply(CONVERT, quotient, params=(value.dtype,)) if isinstance(value, np.generic) else quotient

    return Lift(build, lambda scope: kind(dividend / hint_of(size(scope))))


def _lift_params(a: tuple, b: tuple, numbers: Numbers) -> Lift | None:
    if plain_terms(a) == plain_terms(b):
        return None
    lifted = _param(a, b, numbers)
    return Lift(
        lambda trace: _filled(lifted, trace.scope),
        lambda scope: plain_numbers(_rescoped(_filled(lifted, scope), scope)),
    )


def plain_terms(param: Any) -> Any:
    """Parameters with sizes as their polynomials, so that those of two scopes compare."""
    if isinstance(param, SizeExpr):
        return ("size", param.terms)
    return tuple(map(plain_terms, param)) if isinstance(param, tuple) else param


class _Open:
    """A place in parameters that an expression fills."""

    def __init__(self, expression: Expression):
        self.expression = expression


def _param(x: Any, y: Any, numbers: Numbers) -> Any:
    if isinstance(x, tuple) and isinstance(y, tuple) and len(x) == len(y):
        return tuple(_param(p, q, numbers) for p, q in zip(x, y, strict=True))
    if plain_terms(x) == plain_terms(y):
        return x
    if type(x) is int and type(y) is int:
        return _Open(_expression(x, y, numbers))
    raise DifferentError


def _filled(params: Any, scope: Any) -> Any:
    if isinstance(params, tuple):
        return tuple(_filled(p, scope) for p in params)
    return params.expression(scope) if isinstance(params, _Open) else params


def _rescoped(params: Any, scope: SizeScope) -> Any:
    """Sizes of the first trace read in another scope: the same symbols, other numbers."""
    if isinstance(params, tuple):
        return tuple(_rescoped(p, scope) for p in params)
    return scope.resolve(SizeExpr(scope, params.terms)) if isinstance(params, SizeExpr) else params


def _lift_array(a: np.ndarray, b: Any, numbers: Numbers) -> Lift | None:
    if not isinstance(b, np.ndarray) or a.dtype != b.dtype or a.ndim != b.ndim:
        raise DifferentError
    if a.shape == b.shape:
        if same_array(a, b):
            return None
        raise DifferentError
    dims = _param(a.shape, b.shape, numbers)

    def shape_at(scope: SizeScope) -> tuple:
        return tuple(map(hint_of, _filled(dims, scope)))

    if a.size and b.size and (a == a.flat[0]).all() and (b == a.flat[0]).all():
        value = a.flat[0].item()
        return Lift(
            lambda trace: trace.record(FULL, (), (value, _filled(dims, trace.scope), a.dtype)),
            lambda scope: np.full(shape_at(scope), value, a.dtype),
        )
    long = [axis for axis, size in enumerate(a.shape) if size != 1]
    if len(long) == 1 and _counts(a) and _counts(b):

        def counting(trace: Trace) -> Any:
            shape = _filled(dims, trace.scope)
            numbers = trace.record(ARANGE, (), (shape[long[0]], a.dtype))
            return numbers if len(shape) == 1 else trace.record(RESHAPE, (numbers,), (shape,))

        return Lift(counting, lambda scope: np.arange(shape_at(scope)[long[0]], dtype=a.dtype).reshape(shape_at(scope)))
    if a.ndim == 2 and np.array_equal(a, np.eye(*a.shape)) and np.array_equal(b, np.eye(*b.shape)):
        return Lift(
            lambda trace: trace.record(EYE, (), (_filled(dims, trace.scope)[0], a.dtype)),
            lambda scope: np.eye(*shape_at(scope), dtype=a.dtype),
        )
    raise DifferentError


def _counts(array: np.ndarray) -> bool:
    return bool(np.array_equal(array.ravel(), np.arange(array.size)))
