"""What floating-point numbers are made of: frexp and ldexp, mantissa and exponent; spacing and nextafter, the next number.

Between two powers of 2 a mantissa is the number times a constant, so both directions are exact: `ldexp(frexp(x)) == x`, and the
derivative of that is 1 to the last bit.

>>> import numpy as np
>>> np.frexp(6.0), np.ldexp(0.75, 3)
((np.float64(0.75), np.int32(3)), np.float64(6.0))
"""

from __future__ import annotations

import numpy as np

from chainrule.index_form import Raised, Times, number
from chainrule.primitive import UFUNCS, Primitive, apply, elementwise, ufunc_dtype, weak_type


def _away_from_powers(rng):
    return [
        ((rng.uniform(1.1, 1.9, (3, 4)) * rng.choice([-4.0, -0.5, 1.0, 2.0], (3, 4)),), ()),
        ((np.float64(5.5),), ()),
    ]


MANTISSA: Primitive = elementwise(
    lambda x: np.frexp(x)[0],
    (lambda x, y: np.ldexp(np.ones_like(y), -apply(EXPONENT, x)),),
    name="frexp_mantissa",
    singular=True,
    dtype_rule=lambda x: ufunc_dtype(np.frexp, (weak_type(x),)),
    samples=_away_from_powers,
    complex_step="rule",
    analytic=lambda x: x * np.ldexp(1.0, -np.frexp(x.real)[1]),
    kinks="powers of 2",
    latex=r"\operatorname{{mantissa}} {0}",
)
EXPONENT: Primitive = elementwise(
    lambda x: np.frexp(x)[1],
    (None,),
    name="frexp_exponent",
    dtype_rule=lambda x: np.dtype(np.intc),
    converts_from=None,
    samples=_away_from_powers,
    complex_step="rule",
    analytic=lambda x: np.frexp(x.real)[1],
    kinks="powers of 2",
    latex=r"\operatorname{{exponent}} {0}",
)
LDEXP = elementwise(
    np.ldexp,
    (lambda x, exponent, y: 2.0**exponent, None),
    converts_from=None,
    singular=True,
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)), rng.integers(-5, 5, (3, 4))), ()),
        ((rng.standard_normal(3), -2), ()),
    ],
    complex_step="rule",
    analytic=lambda x, exponent: x * 2.0**exponent,
    latex=r"2^{{{1}}} {0}",
    entry=lambda x, exponent: Times((x, Raised(number(2), exponent))),
)
SPACING = elementwise(
    np.spacing,
    (None,),
    samples=_away_from_powers,
    complex_step="rule",
    analytic=lambda x: np.spacing(x.real),
    kinks="powers of 2",
    latex=r"\operatorname{{spacing}} {0}",
)
NEXTAFTER = elementwise(
    np.nextafter,
    (lambda x, towards, y: 1, None),
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)), rng.standard_normal((3, 4))), ()),
        ((rng.standard_normal(3), 9.0), ()),
    ],
    complex_step="rule",
    analytic=lambda x, towards: np.nextafter(np.real(x), np.real(towards)) + 1j * np.imag(x),
    kinks="x = towards",
    latex=r"\operatorname{{next}}({0}, {1})",
    entry=lambda x, towards: x,
)


def frexp(x):
    """`np.frexp`: both results, each an equation of its own."""
    return apply(MANTISSA, x), apply(EXPONENT, x)


UFUNCS[np.frexp] = frexp

FAMILY = (MANTISSA, EXPONENT, LDEXP, SPACING, NEXTAFTER)
