"""Questions about numbers, answered True or False: signbit, isposinf, isneginf, isclose, isreal; nothing flows through them.

The comparisons and `np.isnan` and its kin are in `comparison.py`.

>>> import numpy as np
>>> isclose(np.array([1.0, np.nan]), np.array([1.0 + 1e-9, np.nan]), equal_nan=True)
array([ True,  True])
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.index_form import ZERO, Holds
from chainrule.primitive import elementwise, handles
from chainrule.primitives.signatures import as_array, refuse

SIGNBIT = elementwise(
    np.signbit,
    converts_from=None,
    samples=lambda rng: [((rng.uniform(-3, 3, (3, 4)),), ())],
    complex_step="rule",
    analytic=lambda x: np.signbit(x.real),
    kinks="x = 0",
    latex=r"{0} < 0",
    entry=lambda x: Holds("<", x, ZERO),
)
LOGICAL_XOR = elementwise(
    np.logical_xor,
    converts_from=None,
    samples=lambda rng: [((rng.uniform(-1, 1, (3, 4)) > 0, rng.uniform(-1, 1, (3, 4)) > 0), ())],
    latex=r"{0} \oplus {1}",
    entry=lambda a, b: Holds("!=", a, b),
)


@handles(np.isposinf)
def isposinf(x, out=None):
    """`np.isposinf`."""
    refuse("np.isposinf", "y = np.isposinf(x)", out=out)
    return x == np.inf


@handles(np.isneginf)
def isneginf(x, out=None):
    """`np.isneginf`."""
    refuse("np.isneginf", "y = np.isneginf(x)", out=out)
    return x == -np.inf


@handles(np.isclose)
def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """`np.isclose`: by the tolerance around b where b is finite, else only what is equal."""
    a, b = (x if isinstance(x, (int, float)) else as_array(x) for x in (a, b))
    if isinstance(b, int):
        b = float(b)
    elif not isinstance(b, float) and b.dtype.kind != "f":
        b = b.astype(np.result_type(b.dtype, 1.0))
    with np.errstate(invalid="ignore"):
        tolerance = atol + rtol * abs(b)  # Python's abs: a Python number stays one
        near = abs(a - b) <= tolerance
        plain = isinstance(b, float) and math.isfinite(b) and isinstance(tolerance, float) and tolerance >= 0
        if not plain:
            near = near & np.isfinite(b) | (a == b)
    return near | np.isnan(a) & np.isnan(b) if equal_nan else near


@handles(np.isreal)
def isreal(x):
    """`np.isreal`: traced values are real."""
    return np.imag(x) == 0


@handles(np.iscomplex)
def iscomplex(x):
    """`np.iscomplex`: traced values are real."""
    return np.imag(x) != 0


FAMILY = (SIGNBIT, LOGICAL_XOR)
