"""erfcx(z) = e^(z^2) erfc(z): the tail of the normal distribution with its decay taken out, so that its logarithm has a tail.

As in `special.py`, the forward is one self-contained function that uses only `np`: emitted source defines it word for word.

>>> f"{erfcx(1e10):.12}"  # 1 / (z sqrt(pi)), where erfc is 0
'5.64189583548e-11'
"""

from __future__ import annotations

import numpy as np

from chainrule.primitive import Primitive, elementwise
from chainrule.primitives.special import TWO_BY_ROOT_PI


def erfcx(z):
    """e^(z^2) erfc(z), with full relative accuracy for positive z; 2 e^(z^2) less its mirror image for negative z."""
    a = np.copysign(z, 1.0)
    t = 1.0 - 7.5 / (a + 3.75)
    p = 0.0 * t  # (1 + 2a) e^(a^2) erfc(a), a polynomial in t of relative error 6e-18
    for c in (
        4.434959070009628e-10, 3.110310719839165e-10, -5.28428697963142e-09, -3.743568033634583e-09, 3.8965452548985966e-08,
        2.3261913276696566e-08, -2.591069687796658e-07, -5.721597255990987e-08, 1.752057970166318e-06,
        -9.735619015182663e-07, -1.1444412439171722e-05, 2.2384240314224437e-05, 5.1649211390702855e-05,
        -0.0002901540809795271, 0.0002937136342850081, 0.0017556258530017257, -0.009746579552504244, 0.028362277418940665,
        -0.058693398590212366, 0.09230432116037876, -0.10880393014171785, 0.08227673849014516, 0.003585415485463775,
        -0.14024059858554697, 1.2375126308378275,
    ):  # fmt: skip
        p = p * t + c
    b = np.minimum(np.where(z < 0, a, 0.0), 1e4)
    near = np.rint(16.0 * b) / 16.0  # its square is exact; that of `b` would cost e^(b^2) two digits
    with np.errstate(over="ignore"):
        growth = 2.0 * np.exp(near * near) * np.exp((b - near) * (b + near))
    tail = p / (1.0 + 2.0 * a)
    return np.where(z < 0, growth - tail, tail)[()]


ERFCX: Primitive = elementwise(
    erfcx,
    (lambda z, y: 2 * z * y - TWO_BY_ROOT_PI,),
    singular=True,
    samples=lambda rng: [
        ((rng.uniform(-2, 4, (3, 4)),), ()),
        ((rng.uniform(2, 30, 3),), ()),
        ((np.float64(rng.standard_normal()),), ()),
    ],
    complex_step="no",
    latex=r"\operatorname{{erfcx}}({0})",
    helper="chainrule.primitives.scaled_error:erfcx",
)

FAMILY = (ERFCX,)
