"""The logarithm of the gamma function, and its derivatives of every order: digamma, trigamma, ...

NumPy has neither. As in `special.py`, each forward is one self-contained function that uses only `np`: emitted source defines
it word for word. Each derivative of `polygamma` is the `polygamma` of the next order, so there is no end to them.

>>> f"{gammaln(11.0):.12} {np.log(3628800.0):.12}"
'15.1044125731 15.1044125731'
>>> f"{polygamma(1.0, 0):.12}"  # minus Euler's constant
'-0.577215664902'
"""

from __future__ import annotations

import numpy as np

from chainrule.primitive import Primitive, apply, elementwise, float_dtype


def gammaln(x):
    """log |gamma(x)|: a polynomial about the zeros at 1 and 2, Stirling's series from 9 on, 1 - x reflected below 1/2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(x < 0.5, 1.0 - x, x)
        u = np.maximum(y, 9.0)
        v = (1.0 / u) ** 2
        r = 0.0 * v
        for c in (
            6.410256410256410e-3, -1.917526917526918e-3, 8.417508417508417e-4, -5.952380952380952e-4,
            7.936507936507937e-4, -2.777777777777778e-3, 8.333333333333333e-2,
        ):  # fmt: skip
            r = r * v + c
        far = (u - 0.5) * (np.log(u) - 1.0) + 0.4189385332046727 + r / u
        w = np.minimum(y, 9.0)
        falling = 0.0 * w + 1.0  # gamma(y) = (y - 1) gamma(y - 1), down to where the polynomial was fitted
        for _ in range(7):
            large = w > 2.5
            w = np.where(large, w - 1.0, w)
            falling = np.where(large, falling * w, falling)
        t = (w - 1.118) / (w + 1.118)
        q = 0.0 * t
        for c in (
            -0.05171682900964732, 0.050051692422240765, -0.015279864548996564, 0.014606110363139087,
            -0.031748162951413667, 0.030443486100809183, -0.0330616766828284, 0.03149726793679745,
            -0.03849666102426147, 0.03643027984781717, -0.04544228185694146, 0.042606484377713374,
            -0.05548640914586054, 0.051345224640183894, -0.07119919007255504, 0.06456077083378349,
            -0.09924370507612122, 0.08677095665071476, -0.16340713867547027, 0.13044114376456908,
            -0.4759088070491608, 0.5502673581285537,
        ):  # fmt: skip
            q = q * t + c
        near = (w - 1.0) * (w - 2.0) * q + np.log(falling)
        right = np.where(y >= 9.0, far, near)
        left = 1.1447298858494002 - np.log(np.abs(np.sin(np.pi * (x - np.rint(x))))) - right
        return np.where(x < 0.5, np.where(np.isinf(x), x, left), right)[()]


def polygamma(x, n):
    """The derivative of order n + 1 of gammaln: a series for large x, reached by steps of 1; 1 - x reflected below 1/2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        sign, factorial = (-1.0) ** (n + 1), 1.0
        for k in range(2, n + 1):
            factorial *= k
        y = np.where(x < 0.5, 1.0 - x, x)
        stepped = np.zeros_like(y)
        for _ in range(10 + 2 * n):
            small = y < 10.0 + 2 * n
            stepped = np.where(small, stepped + y ** -(n + 1.0), stepped)
            y = np.where(small, y + 1.0, y)
        leading = -np.log(y) if n == 0 else factorial / n * y**-n
        rest, power, rising = np.zeros_like(y), y ** -(n + 2.0), factorial * (n + 1.0) / 2.0
        for k, c in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)):
            rest = rest + c * rising * power  # Bernoulli's number times (2k + n + 1)! / (2k + 2)!
            rising = rising * (2 * k + n + 2.0) * (2 * k + n + 3.0) / ((2 * k + 3.0) * (2 * k + 4.0))
            power = power / y / y
        right = sign * (leading + factorial / 2.0 * y ** -(n + 1.0) + rest + factorial * stepped)
        cotangent = 1.0 / np.tan(np.pi * np.where(x == 0, x, x - np.rint(x)))
        turned = [0.0, 1.0]  # the derivative of order n of the cotangent, as a polynomial in it
        for _ in range(n):
            slope = [k * c for k, c in enumerate(turned)][1:]
            turned = [a + b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
        value = turned[n + 1]
        for c in reversed(turned[: n + 1]):
            value = value * cotangent + c
        left = -sign * right + sign * np.pi ** (n + 1) * value
        pole = (x < 0) & (x == np.rint(x))
        return np.where(x < 0.5, np.where(pole, np.nan, left), right)[()]


def _samples(rng):
    return [
        ((rng.uniform(0.3, 12.0, (3, 4)),), ()),
        ((np.array([-3.3, -1.7, -0.4, 0.2, 1.0, 2.0, 30.0]),), ()),
        ((np.float64(rng.uniform(1.0, 3.0)),), ()),
    ]


GAMMALN: Primitive = elementwise(
    gammaln,
    (lambda x, y: apply(POLYGAMMA, x, params=(0,)),),
    singular=True,
    samples=_samples,
    complex_step="no",
    latex=r"\log \Gamma({0})",
    helper="chainrule.primitives.gamma:gammaln",
)
POLYGAMMA: Primitive = elementwise(
    polygamma,
    (lambda x, y, n: apply(POLYGAMMA, x, params=(n + 1,)),),
    dtype_rule=lambda x, n: float_dtype(x),
    param_names=("n",),
    singular=True,
    samples=lambda rng: [(operands, (n,)) for n in (0, 1, 3) for operands, _ in _samples(rng)],
    latex=r"\psi^{{(n)}}({0})",
    helper="chainrule.primitives.gamma:polygamma",
)

FAMILY = (GAMMALN, POLYGAMMA)
