"""Polynomials as NumPy has them, by their coefficients from the highest power down: value, derivative, integral, Vandermonde.

All are short compositions: Horner's rule is recorded as it is computed, one product and one sum for each coefficient.

>>> import numpy as np
>>> polyval(np.array([3.0, 0.0, 1.0]), np.array([2.0]))  # 3 x^2 + 1
array([13.])
"""

from __future__ import annotations

import operator

import numpy as np

from chainrule.errors import ArgumentError, ShapeError
from chainrule.primitive import handles
from chainrule.primitives.signatures import as_array


def _coefficients(p):
    p = as_array(p)
    if p.ndim != 1:
        raise ShapeError(f"a polynomial is a vector of coefficients, not an array with {p.ndim} axes")
    return p


@handles(np.polyval)
def polyval(p, x):
    """`np.polyval`, by Horner's rule."""
    if isinstance(x, np.poly1d):
        raise ArgumentError("np.polyval of a polynomial composes them; write np.polyval(p, np.polyval(q, x))")
    p, x = _coefficients(p), as_array(x)
    y = np.zeros_like(x)
    for k in range(len(p)):
        y = y * x + p[k]
    return y


@handles(np.polyder)
def polyder(p, m=1):
    """`np.polyder`: each coefficient times its power, m times."""
    p = _coefficients(p)
    if operator.index(m) < 0:
        raise ArgumentError("np.polyder: the order must not be negative; np.polyint integrates")
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@handles(np.polyint)
def polyint(p, m=1, k=None):
    """`np.polyint`: each coefficient divided by its new power, m times, with the constants `k`."""
    p, m = _coefficients(p), operator.index(m)
    if m < 0:
        raise ArgumentError("np.polyint: the order must not be negative; np.polyder differentiates")
    constants = np.zeros(m) if k is None else np.reshape(as_array(k), (-1,))
    if len(constants) == 1 and m > 1:
        constants = constants[0] * np.ones(m)
    if len(constants) < m:
        raise ArgumentError("np.polyint: k has one constant, or one for each order")
    for order in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), constants[order : order + 1]])
    return p


@handles(np.vander)
def vander(x, N=None, increasing=False):
    """`np.vander`: the powers of a vector's entries, one a column."""
    if x.ndim != 1:
        raise ShapeError(f"np.vander has the powers of a vector, not of an array with {x.ndim} axes")
    count = len(x) if N is None else operator.index(N)
    x = np.astype(x, np.promote_types(x.dtype, int), copy=False)  # float64 of float32, as in NumPy
    powers = [np.ones_like(x)]
    for k in range(1, count):
        powers.append(powers[-1] * x if k > 1 else x)
    columns = powers[:count] if increasing else powers[:count][::-1]
    return np.stack(columns, axis=1) if columns else np.ones_like(x, shape=(len(x), 0))


FAMILY = ()
