"""Logarithms and exponentials to other bases, log-sums of two, the cube root, the reciprocal, and powers in float64.

The natural ones are in `exponential.py`. The parts of a log-sum are its softmax, and the softmax of two is a sigmoid: nothing
overflows, and an operand that is -inf has part 0.

>>> apply(LOGADDEXP, -np.inf, 2.0)
np.float64(2.0)
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.index_form import MINUS_ONE, ONE, IndexForm, Of, Plus, Raised, Times, Value, negative, number, over
from chainrule.primitive import apply, elementwise, ufunc_dtype, weak_type
from chainrule.primitives.arithmetic import power_by_base, power_by_exponent
from chainrule.primitives.special import SIGMOID

LOG_2 = math.log(2)
LOG_10 = math.log(10)


def _between(low, high):
    return lambda rng: [((rng.uniform(low, high, (3, 4)),), ()), ((np.float64(rng.uniform(low, high)),), ())]


def _either_sign(rng):
    x = rng.uniform(0.3, 2.0, (3, 4))
    return [((np.where(rng.uniform(-1, 1, x.shape) > 0, x, -x),), ()), ((np.float64(-0.7),), ())]


def _pair(rng):
    return [((rng.uniform(-3, 3, (3, 4)), rng.uniform(-3, 3, (3, 4))), ()), ((rng.uniform(-3, 3, 5), 0.7), ())]


def _log(x: IndexForm) -> IndexForm:
    return Of("log", (x,))


LOG2 = elementwise(
    np.log2,
    (lambda x, y: 1 / (LOG_2 * x),),
    singular=True,
    samples=_between(0.2, 3),
    latex=r"\log_2 {0}",
    entry=lambda x: over(_log(x), Value(LOG_2)),
)
LOG10 = elementwise(
    np.log10,
    (lambda x, y: 1 / (LOG_10 * x),),
    singular=True,
    samples=_between(0.2, 3),
    latex=r"\log_{{10}} {0}",
    entry=lambda x: over(_log(x), Value(LOG_10)),
)
EXP2 = elementwise(
    np.exp2,
    (lambda x, y: LOG_2 * y,),
    singular=True,
    samples=_between(-2, 2),
    latex="2^{{{0}}}",
    entry=lambda x: Raised(number(2), x),
)
LOGADDEXP = elementwise(
    np.logaddexp,
    (lambda a, b, y: apply(SIGMOID, a - b), lambda a, b, y: apply(SIGMOID, b - a)),
    singular=True,
    samples=_pair,
    complex_step="rule",
    analytic=lambda a, b: np.log(np.exp(a) + np.exp(b)),
    kinks="a = b, both infinite",
    latex=r"\log(e^{{{0}}} + e^{{{1}}})",
    entry=lambda a, b: _log(Plus((Of("exp", (a,)), Of("exp", (b,))))),
)
LOGADDEXP2 = elementwise(
    np.logaddexp2,
    (lambda a, b, y: apply(SIGMOID, LOG_2 * (a - b)), lambda a, b, y: apply(SIGMOID, LOG_2 * (b - a))),
    singular=True,
    samples=_pair,
    complex_step="rule",
    analytic=lambda a, b: np.log2(np.exp2(a) + np.exp2(b)),
    kinks="a = b, both infinite",
    latex=r"\log_2(2^{{{0}}} + 2^{{{1}}})",
    entry=lambda a, b: over(_log(Plus((Raised(number(2), a), Raised(number(2), b)))), Value(LOG_2)),
)


def _cube_root_entry(x: IndexForm) -> IndexForm:
    """sign(x) |x|^(1/3): a power of a negative number has no root in the reals."""
    return Times((Of("sign", (x,)), Raised(Of("abs", (x,)), Value(1 / 3))))


CBRT = elementwise(
    np.cbrt,
    (lambda x, y: 1 / (3 * y * y),),
    singular=True,
    samples=_either_sign,
    complex_step="rule",
    analytic=lambda x: np.sign(x.real) * (x * np.sign(x.real)) ** (1 / 3),
    latex=r"\sqrt[3]{{{0}}}",
    entry=_cube_root_entry,
)
RECIPROCAL = elementwise(
    np.reciprocal,
    (lambda x, y: -y * y,),
    singular=True,
    samples=_either_sign,
    latex=r"\frac{{1}}{{{0}}}",
    entry=lambda x: Raised(x, MINUS_ONE),
)
FLOAT_POWER = elementwise(
    np.float_power,
    (power_by_base, power_by_exponent),
    singular=True,
    samples=lambda rng: [
        ((rng.uniform(0.5, 2.0, (3, 4)), rng.uniform(-2.0, 3.0, (3, 4))), ()),
        ((rng.uniform(-2.0, 2.0, (3,)), 3), ()),
        ((2.5, rng.uniform(-1.0, 1.0, (3,))), ()),
    ],
    latex="{{{0}}}^{{{1}}}",
    entry=Raised,
    doc="Float64 whatever its operands are, as in NumPy.",
)

# -- what entropies are made of, which NumPy lacks ---------------------------------------------------------------------


def xlogy(x, y):
    """x log(y), and 0 where x is 0, whatever number y is."""
    nothing = (x == 0) & ~np.isnan(y)
    return x * np.log(np.where(nothing, 1.0, y))


def xlog1py(x, y):
    """x log(1 + y), and 0 where x is 0, whatever number y is."""
    nothing = (x == 0) & ~np.isnan(y)
    return x * np.log1p(np.where(nothing, 0.0, y))


def rel_entr(x, y):
    """x log(x / y) for positive numbers; 0 where x is 0 and y is not negative, else inf."""
    unknown = np.isnan(x) | np.isnan(y)
    inside = (x > 0) & (y > 0)
    a, b = np.where(inside, x, 1.0), np.where(inside, y, 1.0)
    with np.errstate(all="ignore"):
        ratio = a / b
        plain = (ratio > 0) & (ratio < np.inf)  # neither did the quotient overflow, nor is it rounded to 0
        logarithm = np.where(plain, np.log(ratio), np.log(a) - np.log(b))
        logarithm = np.where((ratio > 0.5) & (ratio < 2.0), np.log1p((a - b) / b), logarithm)
        outside = (x < 0) | (y < 0) | ((x > 0) & (y == 0))
        return np.where(unknown, x * y, np.where(outside, np.inf, np.where(inside, x * logarithm, 0.0 * x)))[()]


def logit(p):
    """log(p / (1 - p)); about its zero at 1/2 it is the difference of two log1p, which keeps the digits."""
    middle = (p > 0.3) & (p < 0.7)
    s = np.where(middle, 2.0 * p - 1.0, 0.0)
    q = np.where(middle, 0.5, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(middle, np.log1p(s) - np.log1p(-s), np.log(q / (1.0 - q)))[()]


def _weights(rng):
    x, y = rng.uniform(0.2, 3.0, (2, 3, 4))
    return [((x, y), ()), ((x[0], np.float64(0.7)), ())]


XLOGY = elementwise(
    xlogy,
    (
        lambda x, y, out: np.log(np.where((x == 0) & (y <= 0), 1.0, y)),
        lambda x, y, out: x / np.where((x == 0) & (y == 0), 1.0, y),
    ),
    dtype_rule=lambda x, y: ufunc_dtype(np.logaddexp, (weak_type(x), weak_type(y))),
    singular=True,
    samples=_weights,
    kinks="x = 0 with y = 0",
    latex=r"{0} \log {1}",
    entry=lambda x, y: Times((x, _log(y))),
    helper="chainrule.primitives.logarithmic:xlogy",
)
XLOG1PY = elementwise(
    xlog1py,
    (
        lambda x, y, out: np.log1p(np.where((x == 0) & (y <= -1), 0.0, y)),
        lambda x, y, out: x / np.where((x == 0) & (y == -1), 1.0, 1 + y),
    ),
    dtype_rule=lambda x, y: ufunc_dtype(np.logaddexp, (weak_type(x), weak_type(y))),
    singular=True,
    samples=_weights,
    kinks="x = 0 with y = -1",
    latex=r"{0} \log(1 + {1})",
    entry=lambda x, y: Times((x, _log(Plus((ONE, y))))),
    helper="chainrule.primitives.logarithmic:xlog1py",
)
REL_ENTR = elementwise(
    rel_entr,
    (
        lambda x, y, out: out / np.where(x == 0, 1.0, x) + 1,
        lambda x, y, out: -x / np.where(y == 0, 1.0, y),
    ),
    dtype_rule=lambda x, y: ufunc_dtype(np.logaddexp, (weak_type(x), weak_type(y))),
    singular=True,
    samples=_weights,
    kinks="x = 0, y = 0",
    latex=r"{0} \log \frac{{{0}}}{{{1}}}",
    entry=lambda x, y: Times((x, _log(over(x, y)))),
    helper="chainrule.primitives.logarithmic:rel_entr",
)
LOGIT = elementwise(
    logit,
    (lambda p, y: 1 / p + 1 / (1 - p),),  # p - p * p would lose its digits near 1
    singular=True,
    samples=lambda rng: [((rng.uniform(0.02, 0.98, (3, 4)),), ()), ((np.float64(0.45),), ())],
    latex=r"\operatorname{{logit}} {0}",
    entry=lambda p: _log(over(p, Plus((ONE, negative(p))))),
    helper="chainrule.primitives.logarithmic:logit",
)

FAMILY = (
    LOG2, LOG10, EXP2, LOGADDEXP, LOGADDEXP2, CBRT, RECIPROCAL, FLOAT_POWER, XLOGY, XLOG1PY, REL_ENTR, LOGIT,
)  # fmt: skip
