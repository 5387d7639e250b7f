"""Angles and their inverses, the hyperbolic functions, hypot, and sinc: textbook partials in the form that keeps digits.

sin, cos and tanh are in `exponential.py`. Where a textbook has `sqrt(1 - x * x)`, which loses its digits near 1, the product
`sqrt(1 - x) * sqrt(1 + x)` is taken; it stays one, too, when polynomials are multiplied out. The length `hypot(a, b)` has
derivative 0 at its kink, the origin, as abs has.

>>> sinc_derivative(np.array([0.0, 1.0]), 1)
array([ 0., -1.])
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.index_form import (
    MINUS_ONE,
    ONE,
    IndexForm,
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
from chainrule.primitive import UFUNCS, Primitive, apply, elementwise, handles
from chainrule.primitives.control import STOP_GRADIENT
from chainrule.pytree import Recorder

RADIANS_IN_A_DEGREE = math.pi / 180
DEGREES_IN_A_RADIAN = 180 / math.pi


def _between(low, high):
    return lambda rng: [((rng.uniform(low, high, (3, 4)),), ()), ((np.float64(rng.uniform(low, high)),), ())]


def _all_around(rng):
    return [((rng.standard_normal((3, 4)), rng.standard_normal((3, 4))), ()), ((rng.standard_normal(5), 0.7), ())]


def _square(x: IndexForm) -> IndexForm:
    return Raised(x, number(2))


def _log_with_root(x: IndexForm, offset: Value) -> IndexForm:
    """log(x + sqrt(x^2 + offset))."""
    return Of("log", (Plus((x, Of("sqrt", (Plus((_square(x), offset)),)))),))


# -- circular functions ------------------------------------------------------------------------------------------------

TAN = elementwise(
    np.tan,
    (lambda x, y: 1 + y * y,),
    singular=True,
    samples=_between(-1.2, 1.2),
    latex=r"\tan {0}",
    entry=function("tan"),
)
ARCSIN = elementwise(
    np.arcsin,
    (lambda x, y: 1 / (np.sqrt(1 - x) * np.sqrt(1 + x)),),
    singular=True,
    samples=_between(-0.9, 0.9),
    latex=r"\arcsin {0}",
    entry=function("arcsin"),
)
ARCCOS = elementwise(
    np.arccos,
    (lambda x, y: -1 / (np.sqrt(1 - x) * np.sqrt(1 + x)),),
    singular=True,
    samples=_between(-0.9, 0.9),
    latex=r"\arccos {0}",
    entry=function("arccos"),
)
ARCTAN = elementwise(
    np.arctan,
    (lambda x, y: 1 / (1 + x * x),),
    singular=True,
    samples=_between(-3, 3),
    latex=r"\arctan {0}",
    entry=function("arctan"),
)


def _arctan2_extended(a, b):
    """The angle of (b, a) for complex a and b with real parts apart from 0: the arctangent, in the right half plane."""
    turn = np.where(np.real(b) < 0, np.copysign(np.pi, np.real(a)), 0.0)
    return np.arctan(a / b) + turn


ARCTAN2 = elementwise(
    np.arctan2,
    (lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)),
    singular=True,
    samples=_all_around,
    complex_step="rule",
    analytic=_arctan2_extended,
    kinks="a = 0 with b < 0, where the angle jumps by a whole turn; a = b = 0",
    latex=r"\operatorname{{atan2}}({0}, {1})",
)
DEG2RAD = elementwise(
    np.deg2rad,
    (lambda x, y: RADIANS_IN_A_DEGREE,),
    samples=_between(-180, 180),
    complex_step="rule",
    analytic=lambda x: x * RADIANS_IN_A_DEGREE,
    latex=r"\tfrac{{\pi}}{{180}} {0}",
    entry=lambda x: Times((Value(RADIANS_IN_A_DEGREE), x)),
)
RAD2DEG = elementwise(
    np.rad2deg,
    (lambda x, y: DEGREES_IN_A_RADIAN,),
    samples=_between(-3, 3),
    complex_step="rule",
    analytic=lambda x: x * DEGREES_IN_A_RADIAN,
    latex=r"\tfrac{{180}}{{\pi}} {0}",
    entry=lambda x: Times((Value(DEGREES_IN_A_RADIAN), x)),
)
UFUNCS[np.radians] = DEG2RAD  # the same two functions under older names
UFUNCS[np.degrees] = RAD2DEG

# -- hyperbolic functions ----------------------------------------------------------------------------------------------

SINH = elementwise(
    np.sinh,
    (lambda x, y: np.cosh(x),),
    singular=True,
    samples=_between(-2, 2),
    latex=r"\sinh {0}",
    entry=function("sinh"),
)
COSH = elementwise(
    np.cosh,
    (lambda x, y: np.sinh(x),),
    singular=True,
    samples=_between(-2, 2),
    latex=r"\cosh {0}",
    entry=function("cosh"),
)
ARCSINH = elementwise(
    np.arcsinh,
    (lambda x, y: 1 / np.sqrt(x * x + 1),),
    singular=True,
    samples=_between(-3, 3),
    latex=r"\operatorname{{arsinh}} {0}",
    entry=lambda x: _log_with_root(x, ONE),
)
ARCCOSH = elementwise(
    np.arccosh,
    (lambda x, y: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)),),
    singular=True,
    samples=_between(1.2, 4),
    latex=r"\operatorname{{arcosh}} {0}",
    entry=lambda x: _log_with_root(x, MINUS_ONE),
)
ARCTANH = elementwise(
    np.arctanh,
    (lambda x, y: 0.5 / (1 - x) + 0.5 / (1 + x),),
    singular=True,
    samples=_between(-0.9, 0.9),
    latex=r"\operatorname{{artanh}} {0}",
    entry=lambda x: Times((number(0.5), Of("log", (over(Plus((ONE, x)), Plus((ONE, negative(x)))),)))),
)

# -- lengths -----------------------------------------------------------------------------------------------------------


def _of_length(x, length):
    """x / length, and 0 at the origin."""
    return x / np.where(length == 0, 1.0, length)


HYPOT = elementwise(
    np.hypot,
    (lambda a, b, y: _of_length(a, y), lambda a, b, y: _of_length(b, y)),
    singular=True,
    samples=_all_around,
    complex_step="rule",
    analytic=lambda a, b: np.sqrt(a * a + b * b),
    kinks="a = b = 0",
    latex=r"\sqrt{{{0}^2 + {1}^2}}",
    entry=lambda a, b: Of("sqrt", (Plus((_square(a), _square(b))),)),
)

# -- sinc --------------------------------------------------------------------------------------------------------------


def sinc_derivative(x, n):
    """The n-th derivative of sin(pi x) / (pi x): near 0 by its power series, else from u f(u) = sin u, differentiated."""
    u = np.pi * x
    near = np.abs(u) < n + 2.0
    v = np.where(near, n + 2.0, u)
    waves = (np.sin(v), np.cos(v), -np.sin(v), -np.cos(v))
    far = waves[0] / v
    for k in range(1, n + 1):
        far = (waves[k % 4] - k * far) / v
    w = np.where(near, u, 0.0)
    odd = n % 2
    term = (-1.0) ** ((n + odd) // 2) * w**odd
    series = 0.0 * w
    for j in range(odd, 4 * (n + 8), 2):
        series = series + term / (n + j + 1)
        term = -term * w * w / ((j + 1) * (j + 2))
    return np.pi**n * np.where(near, series, far)


def _sinc_samples(rng):
    return [((rng.uniform(-3, 3, (3, 4)),), ()), ((rng.uniform(-0.1, 0.1, 4),), ()), ((np.float64(0.3),), ())]


SINC: Primitive = elementwise(
    np.sinc,
    (lambda x, y: apply(SINC_DERIVATIVE, x, params=(1,)),),
    singular=True,
    samples=_sinc_samples,
    latex=r"\operatorname{{sinc}} {0}",
)
SINC_DERIVATIVE: Primitive = elementwise(
    sinc_derivative,
    (lambda x, y, n: apply(SINC_DERIVATIVE, x, params=(n + 1,)),),
    singular=True,
    dtype_rule=lambda x, n: SINC.dtype_rule(x),
    param_names=("n",),
    samples=lambda rng: [(operands, (n,)) for n in (1, 2) for operands, _ in _sinc_samples(rng)],
    latex=r"\operatorname{{sinc}}^{{(n)}} {0}",
    helper="chainrule.primitives.trigonometric:sinc_derivative",
)


@handles(np.angle)
def angle(z, deg=False):
    """`np.angle` of real numbers: 0 or half a turn."""
    turned = apply(ARCTAN2, 0, z)
    return turned * DEGREES_IN_A_RADIAN if deg else turned


@handles(np.unwrap)
def unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    """`np.unwrap`: whole periods are added where neighbours jump; they are steps, so each entry passes its own back."""
    discont = period / 2 if discont is None else discont
    if p.dtype.kind != "f" or isinstance(discont, Recorder) or isinstance(period, Recorder):
        raise UnsupportedError(
            "np.unwrap can be traced of floats, with a plain discont= and period=; write x.astype(float)"
        )
    jumps = np.diff(apply(STOP_GRADIENT, p), axis=axis)
    low, high = -period / 2, period / 2
    wrapped = np.mod(jumps - low, period) + low
    wrapped = np.where((wrapped == low) & (jumps > 0), high, wrapped)
    added = np.where(np.abs(jumps) < discont, 0.0, wrapped - jumps)
    lead = (slice(None),) * (axis % p.ndim)
    return np.concatenate(
        [p[(*lead, slice(0, 1))], p[(*lead, slice(1, None))] + np.cumsum(added, axis=axis)], axis=axis
    )


@handles(np.sinc)
def sinc(x):
    """`np.sinc`: sin(pi x) / (pi x), and 1 at 0."""
    return apply(SINC, x)


FAMILY = (
    TAN, ARCSIN, ARCCOS, ARCTAN, ARCTAN2, DEG2RAD, RAD2DEG, SINH, COSH, ARCSINH, ARCCOSH, ARCTANH, HYPOT, SINC,
    SINC_DERIVATIVE,
)  # fmt: skip
