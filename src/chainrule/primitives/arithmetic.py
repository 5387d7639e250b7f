"""Arithmetic: + - * / **, negation, abs, sign, square, and the two-way choices maximum, minimum, clip.

Partials are the textbook's; `1 * x` is left to the simplifier. At its kink abs has derivative 0, clip has 0 at both
bounds, and a tie of `maximum(a, b)` follows the rule `tie_share`.
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.index_form import (
    Of,
    Plus,
    Raised,
    Times,
    Value,
    function,
    negative,
    number,
    over,
)
from chainrule.primitive import UFUNCS, elementwise, ufunc_dtype, weak_type


def _pair(rng, low=-2.0, high=2.0):
    return [((rng.uniform(low, high, (3, 4)), rng.uniform(low, high, (3, 4))), ())]


def _one(rng):
    return [((rng.uniform(-2.0, 2.0, (3, 4)),), ()), ((np.float64(rng.uniform(0.5, 2.0)),), ())]


ADD = elementwise(
    np.add,
    (lambda a, b, y: 1, lambda a, b, y: 1),
    operator=operator.add,
    samples=_pair,
    latex="{0} + {1}",
    entry=lambda a, b: Plus((a, b)),
)
SUBTRACT = elementwise(
    np.subtract,
    (lambda a, b, y: 1, lambda a, b, y: -1),
    operator=operator.sub,
    samples=_pair,
    latex="{0} - {1}",
    entry=lambda a, b: Plus((a, negative(b))),
)
MULTIPLY = elementwise(
    np.multiply,
    (lambda a, b, y: b, lambda a, b, y: a),
    operator=operator.mul,
    singular=True,
    samples=_pair,
    latex=r"{0} \odot {1}",
    entry=lambda a, b: Times((a, b)),
)


def _inverse(b):
    """1 / b, also of a 0 that is written as a number, where Python would raise and NumPy's quotient is infinite."""
    return math.copysign(math.inf, b) if type(b) in (int, float) and b == 0 else 1 / b


DIVIDE = elementwise(
    np.true_divide,
    (lambda a, b, y: _inverse(b), lambda a, b, y: -y / b),
    name="divide",
    operator=operator.truediv,
    samples=lambda rng: _pair(rng, 0.5, 2.0),
    singular=True,
    latex=r"\frac{{{0}}}{{{1}}}",
    entry=over,
)
NEGATIVE = elementwise(
    np.negative, (lambda x, y: -1,), operator=operator.neg, samples=_one, latex="-{0}", entry=negative
)
POSITIVE = elementwise(
    np.positive, (lambda x, y: 1,), operator=operator.pos, samples=_one, latex="{0}", entry=lambda x: x
)


def power_by_base(x: Any, p: Any, y: Any) -> Any:
    """p x^(p-1); 0 where p is 0, also at x = 0."""
    if isinstance(p, (int, float, np.number)):
        return 2 * x if p == 2 else p * x ** (p - 1) if p != 0 else 0.0
    return np.where(p == 0, 0.0, p * x ** np.where(p == 0, 1.0, p - 1))


def power_by_exponent(x, p, y):
    """x^p log x; 0 where x is 0 (the limit for p > 0)."""
    return y * np.log(np.where(x == 0, 1.0, x))


POWER = elementwise(
    np.power,
    (power_by_base, power_by_exponent),
    operator=operator.pow,
    singular=True,
    samples=lambda rng: [
        ((rng.uniform(0.5, 2.0, (3, 4)), rng.uniform(-2.0, 3.0, (3, 4))), ()),
        ((rng.uniform(-2.0, 2.0, (3,)), 3), ()),
        ((rng.uniform(-2.0, 2.0, (3,)), 2), ()),
        ((rng.uniform(0.5, 2.0, (3,)), -0.5), ()),
        ((2.5, rng.uniform(-1.0, 1.0, (3,))), ()),
    ],
    latex="{{{0}}}^{{{1}}}",
    entry=Raised,
)
POWER.forward = operator.pow  # x**2 is a product there; np.power calls pow() for each entry
ABS = elementwise(
    np.absolute,
    (lambda x, y: np.sign(x),),
    name="abs",
    operator=abs,
    samples=_one,
    complex_step="rule",
    analytic=lambda x: x * np.sign(x.real),
    kinks="x = 0",
    latex=r"\lvert {0} \rvert",
    entry=function("abs"),
)
SIGN = elementwise(
    np.sign,
    (None,),
    samples=_one,
    complex_step="rule",
    analytic=lambda x: np.sign(x.real),
    kinks="x = 0",
    latex=r"\operatorname{{sign}} {0}",
    entry=function("sign"),
)
SQUARE = elementwise(
    np.square,
    (lambda x, y: 2 * x,),
    singular=True,
    samples=_one,
    latex="{0}^2",
    entry=lambda x: Raised(x, number(2)),
)


def _share(mine, other, tie):
    """The part of the cotangent for `mine` when it wins over `other`."""
    wins = mine > other
    return wins if tie == 0 else wins + tie * (mine == other)


def tie_share(params, varying):
    """Where a tie goes: half to each if both operands depend on arguments, else nothing."""
    return (0.5,) if all(varying) else (0,)


def _maximum(a, b, tie=0):
    return np.maximum(a, b)


def _minimum(a, b, tie=0):
    return np.minimum(a, b)


def _larger_dtype(a, b, tie=0):
    return ufunc_dtype(np.maximum, (weak_type(a), weak_type(b)))


MAXIMUM = elementwise(
    _maximum,
    (lambda a, b, y, tie: _share(a, b, tie), lambda a, b, y, tie: _share(b, a, tie)),
    name="maximum",
    param_names=("tie",),
    default_params=(0,),
    resolve=tie_share,
    dtype_rule=_larger_dtype,
    samples=lambda rng: [(operands, (0,)) for operands, _ in _pair(rng)] + [((rng.uniform(-1, 1, (5,)), 0), (0,))],
    kinks="a = b",
    latex=r"\max({0}, {1})",
    entry=lambda a, b, tie: Of("max", (a, b), Fraction(tie)),
)
MINIMUM = elementwise(
    _minimum,
    (lambda a, b, y, tie: _share(b, a, tie), lambda a, b, y, tie: _share(a, b, tie)),
    name="minimum",
    param_names=("tie",),
    default_params=(0,),
    resolve=tie_share,
    dtype_rule=_larger_dtype,
    samples=lambda rng: [(operands, (0,)) for operands, _ in _pair(rng)] + [((rng.uniform(-1, 1, (5,)), 0), (0,))],
    kinks="a = b",
    latex=r"\min({0}, {1})",
    entry=lambda a, b, tie: Of("min", (a, b), Fraction(tie)),
)


def clip(x, low, high):
    """`np.clip` with both bounds; no bound is an infinite one."""
    return np.minimum(np.maximum(x, low), high)


def _clipped_entry(x, low, high):
    if high == Value(math.inf):
        return Of("max", (x, low))
    return Of("min", (x, high)) if low == Value(-math.inf) else Of("clip", (x, low, high))


CLIP = elementwise(
    clip,
    (
        lambda x, low, high, y: (x > low) & (x < high),
        lambda x, low, high, y: x < low,
        lambda x, low, high, y: (x > high) & (x >= low),
    ),
    dtype_rule=lambda x, low, high: ufunc_dtype(np.maximum, (weak_type(x), weak_type(low))),
    samples=lambda rng: [((rng.uniform(-2.0, 2.0, (3, 4)), -0.7, 0.6), ())],
    kinks="x = low, x = high",
    latex=r"\operatorname{{clip}}({0}, {1}, {2})",
    entry=_clipped_entry,
)

UFUNCS[np.maximum] = MAXIMUM
UFUNCS[np.minimum] = MINIMUM


FAMILY = (
    ADD, SUBTRACT, MULTIPLY, DIVIDE, NEGATIVE, POSITIVE, POWER, ABS, SIGN, SQUARE, MAXIMUM, MINIMUM, CLIP,
)  # fmt: skip
