"""Rounding, remainders, signs and casts: what is flat between its jumps, and what follows one operand in between.

Flat functions (floor, ceil, rint, trunc, round, floor_divide, a cast to integers or booleans) have no derivative:
zero flows back, also at a jump. A remainder `a - b * whole` has derivative 1 by a and `-whole` by b. fmax and fmin share a tie
as maximum and minimum do, and follow the operand that is not NaN.

>>> import numpy as np
>>> nan_to_num(np.array([np.nan, 2.0]), nan=1.0)
array([1., 2.])
"""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np

from chainrule.index_form import MINUS_ONE, ONE, ZERO, Cases, Holds, Of, Times, function
from chainrule.primitive import UFUNCS, apply, elementwise, handles, ufunc_dtype, weak_type
from chainrule.primitives.arithmetic import POSITIVE, tie_share
from chainrule.primitives.shaping import CONVERT
from chainrule.primitives.signatures import refuse
from chainrule.pytree import Recorder


def _one(rng):
    return [((rng.uniform(-3, 3, (3, 4)),), ()), ((np.float64(rng.uniform(0.1, 0.9)),), ())]


def _pair(rng):
    """Quotients that stay away from whole numbers."""
    a, b = rng.integers(-4, 4, (3, 4)) + rng.uniform(0.3, 0.7, (3, 4)), rng.choice([-1.0, 1.0], (3, 4))
    return [((a * b * 1.5, b * 1.5), ()), ((a[0], 1.0), ())]


def _away(rng):
    return [((rng.uniform(-2, 2, (3, 4)), rng.uniform(-2, 2, (3, 4))), ()), ((rng.uniform(-2, 2, 5), -0.7), ())]


# -- to whole numbers --------------------------------------------------------------------------------------------------


def _flat(ufunc, latex, kinks, **facts):
    """A ufunc of one operand without derivative."""
    facts = {"complex_step": "rule", "analytic": lambda x: ufunc(x.real), **facts}
    return elementwise(ufunc, (None,), samples=_one, latex=latex, kinks=kinks, **facts)


FLOOR = _flat(np.floor, r"\lfloor {0} \rfloor", "whole numbers")
CEIL = _flat(np.ceil, r"\lceil {0} \rceil", "whole numbers")
TRUNC = _flat(np.trunc, r"\operatorname{{trunc}} {0}", "whole numbers but 0")
RINT = _flat(np.rint, r"\operatorname{{rint}} {0}", "halves", complex_step="yes", analytic=None)
ROUND = elementwise(
    np.round,
    (None,),
    name="round",
    dtype_rule=lambda x, decimals: np.dtype(np.float16) if x.dtype.kind == "b" else x.dtype,
    converts_from=None,
    param_names=("decimals",),
    samples=lambda rng: [(operands, (decimals,)) for decimals in (0, 1) for operands, _ in _one(rng)],
    kinks="halves of the last decimal",
    latex=r"\operatorname{{round}} {0}",
)


@handles(np.round, np.around)
def round_(a, decimals=0, out=None):
    """`np.round`."""
    refuse("np.round", "y = np.round(x, decimals)", out=out)
    return apply(ROUND, a, params=(operator.index(decimals),))


@handles(np.fix)
def fix(x, out=None):
    """`np.fix`: towards zero."""
    refuse("np.fix", "y = np.fix(x)", out=out)
    return apply(TRUNC, x)


# -- quotients and remainders ------------------------------------------------------------------------------------------

FLOOR_DIVIDE = elementwise(
    np.floor_divide,
    (None, None),
    operator=operator.floordiv,
    samples=_pair,
    complex_step="rule",
    analytic=lambda a, b: np.floor_divide(np.real(a), np.real(b)),
    kinks="a / b a whole number",
    latex=r"\lfloor {0} / {1} \rfloor",
)
REMAINDER = elementwise(
    np.remainder,
    (lambda a, b, y: 1, lambda a, b, y: -np.floor_divide(a, b)),
    operator=operator.mod,
    singular=True,
    samples=_pair,
    complex_step="rule",
    analytic=lambda a, b: a - b * np.floor_divide(np.real(a), np.real(b)),
    kinks="a / b a whole number",
    latex=r"{0} \bmod {1}",
)
FMOD = elementwise(
    np.fmod,
    (lambda a, b, y: 1, lambda a, b, y: -np.rint((a - y) / b)),  # not trunc(a / b), which may be rounded up
    singular=True,
    samples=_pair,
    complex_step="rule",
    analytic=lambda a, b: a - b * np.trunc(np.real(a) / np.real(b)),
    kinks="a / b a whole number but 0",
    latex=r"\operatorname{{fmod}}({0}, {1})",
)


def divmod_(a, b):
    """`np.divmod`: both results, each an equation of its own."""
    return apply(FLOOR_DIVIDE, a, b), apply(REMAINDER, a, b)


FRACTION = elementwise(
    lambda x: np.modf(x)[0],
    (lambda x, y: 1,),
    name="modf_fraction",
    dtype_rule=lambda x: ufunc_dtype(np.modf, (weak_type(x),)),
    samples=_one,
    complex_step="rule",
    analytic=lambda x: x - np.trunc(x.real),
    kinks="whole numbers but 0",
    latex=r"\operatorname{{frac}} {0}",
)
WHOLE = elementwise(
    lambda x: np.modf(x)[1],
    (None,),
    name="modf_whole",
    dtype_rule=lambda x: ufunc_dtype(np.modf, (weak_type(x),)),
    samples=_one,
    complex_step="rule",
    analytic=lambda x: np.trunc(x.real),
    kinks="whole numbers but 0",
    latex=r"\operatorname{{trunc}} {0}",
)


def modf(x):
    """`np.modf`: the part after the point, then the part before it."""
    return apply(FRACTION, x), apply(WHOLE, x)


# -- the larger and the smaller of what is a number --------------------------------------------------------------------


def _won(mine, other, y, tie):
    """The part of the cotangent for `mine`; that it is the result is asked first, for the other one may be NaN."""
    wins = (mine == y) & (mine != other)
    return wins if tie == 0 else wins + tie * (mine == other)


def _ignoring_nan(ufunc, name):
    return elementwise(
        lambda a, b, tie=0: ufunc(a, b),
        (_won, lambda a, b, y, tie: _won(b, a, y, tie)),
        name=ufunc.__name__,
        param_names=("tie",),
        default_params=(0,),
        resolve=tie_share,
        dtype_rule=lambda a, b, tie=0: ufunc_dtype(ufunc, (weak_type(a), weak_type(b))),
        samples=lambda rng: [(operands, (0,)) for operands, _ in _away(rng)],
        kinks="a = b",
        latex=rf"\{name}({{0}}, {{1}})",
        entry=lambda a, b, tie: Of(name, (a, b), Fraction(tie)),
    )


FMAX = _ignoring_nan(np.fmax, "max")
FMIN = _ignoring_nan(np.fmin, "min")

# -- signs -------------------------------------------------------------------------------------------------------------

COPYSIGN = elementwise(
    np.copysign,
    (lambda a, b, y: np.sign(a) * np.copysign(1.0, b), None),
    singular=True,
    samples=_away,
    complex_step="rule",
    analytic=lambda a, b: a * np.sign(np.real(a)) * np.copysign(1.0, np.real(b)),
    kinks="a = 0, b = 0",
    latex=r"\operatorname{{copysign}}({0}, {1})",
    entry=lambda a, b: Times((Of("abs", (a,)), Cases(Holds("<", b, ZERO), MINUS_ONE, ONE))),
)
HEAVISIDE = elementwise(
    np.heaviside,
    (None, lambda x, middle, y: x == 0),
    samples=_away,
    complex_step="rule",
    analytic=lambda x, middle: np.where(np.real(x) == 0, middle, np.real(x) > 0),
    kinks="x = 0",
    latex=r"\operatorname{{H}}({0})",
    entry=lambda x, middle: Cases(Holds("==", x, ZERO), middle, Holds(">", x, ZERO)),
)
FABS = elementwise(
    np.fabs,
    (lambda x, y: np.sign(x),),
    singular=True,
    samples=_one,
    complex_step="rule",
    analytic=lambda x: x * np.sign(x.real),
    kinks="x = 0",
    latex=r"\lvert {0} \rvert",
    entry=function("abs"),
)

# -- replacing, and parts of real numbers ------------------------------------------------------------------------------


@handles(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """`np.nan_to_num`: nothing flows back through an entry that was replaced."""
    if not copy:
        refuse("np.nan_to_num", "y = np.nan_to_num(x): without a copy it writes into x", copy=copy)
    x = x if hasattr(x, "dtype") else np.asarray(x)
    if x.dtype.kind != "f":
        return np.astype(x, x.dtype)  # a copy, and no longer a Python number
    largest = float(np.finfo(x.dtype).max)
    posinf, neginf = largest if posinf is None else posinf, -largest if neginf is None else neginf
    infinite = np.where(x > 0, _replacement(posinf, x), _replacement(neginf, x))
    return np.where(np.isfinite(x), x, np.where(np.isnan(x), _replacement(nan, x), infinite))


def _replacement(value, x):
    """In the dtype of `x`; an array or a traced value in its shape too, for it is copied into it."""
    if isinstance(value, (bool, int, float)):
        return float(value) if x.dtype == np.float64 else x.dtype.type(value)
    value = value if isinstance(value, Recorder) else np.asarray(value)
    return np.broadcast_to(value.astype(x.dtype), x.shape)


def conjugate(x):
    """`np.conjugate` of real numbers: themselves."""
    dtype = ufunc_dtype(np.conjugate, (weak_type(x),))
    same = x.dtype == dtype and not getattr(x, "weak", False)
    return apply(POSITIVE, x) if same else apply(CONVERT, x, params=(dtype,))


@handles(np.real, np.real_if_close)
def real(x, tol=100):
    """`np.real`: traced values are real."""
    return x


@handles(np.imag)
def imag(x):
    """`np.imag`: zeros; of a Python number a Python zero."""
    return x.dtype.type(0).item() if getattr(x, "weak", False) else np.zeros_like(x)


UFUNCS.update(
    {np.divmod: divmod_, np.modf: modf, np.conjugate: conjugate, np.fmax: FMAX, np.fmin: FMIN},
)

FAMILY = (
    FLOOR, CEIL, TRUNC, RINT, ROUND, FLOOR_DIVIDE, REMAINDER, FMOD, FRACTION, WHOLE, FMAX, FMIN, COPYSIGN, HEAVISIDE, FABS,
)  # fmt: skip
