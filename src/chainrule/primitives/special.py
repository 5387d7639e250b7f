"""The smooth functions that NumPy lacks: sigmoid, softplus, erf and erfc.

Each forward is a self-contained function of one argument that uses only `np`: emitted source defines it word for word
and calls it, so what is read, what is run here and what is tested are the same text. No value of `z` overflows, warns
or loses relative accuracy. float32 stays float32 (every constant is a weak Python float), integers become float64.

>>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
array([0. , 0.5, 1. ])
>>> f"{erfc(26.0):.14}"  # 1 - erf(26) would be 0
'5.6631924088561e-296'
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.index_form import function
from chainrule.primitive import apply, elementwise

TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)


def sigmoid(z):
    """1 / (1 + e^-z); the exponential is only ever taken of -|z|."""
    e = np.exp(np.copysign(z, -1.0))
    return np.where(z >= 0, 1, e) / (1 + e)


def softplus(z):
    """log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)."""
    return np.maximum(z, 0) + np.log1p(np.exp(np.copysign(z, -1.0)))


def erf(z):
    """2/sqrt(pi) times the integral of e^(-t^2) from 0 to z; relative error below 1e-15."""
    a = np.minimum(np.copysign(z, 1.0), 6.0)  # |z|; beyond 6 the answer is 1
    s = a / (a + 6.0)
    q = 0.0 * s  # -log(erfc(a)) / a, a polynomial in s fitted so that erf's relative error is smallest
    for c in (
        -904.6362042634497, 2510.6600438413097, -2775.128158192925, 1437.9211659456691, -103.17690821320465,
        -245.76205100353883, 86.32545151897145, 52.102805149519774, -23.8536141619695, -1.503627462590336,
        16.70667858785969, 5.9337084710895045, 2.252810606818455, 7.087601507375396, 7.519532353155111,
        3.819718634205254, 1.1283791670955128,
    ):  # fmt: skip
        q = q * s + c
    return np.copysign(np.expm1(-a * q), z)


def erfc(z):
    """1 - erf(z), with full relative accuracy in the tail, where 1 - erf(z) would be 0."""
    a = np.minimum(np.copysign(z, 1.0), 28.0)  # |z|; beyond 28 the answer is 0 or 2
    t = (a - 3.75) / (a + 3.75)
    p = 0.0 * t  # (1 + 2a) e^(a^2) erfc(a), a polynomial in t of relative error 7e-17
    for c in (
        5.226409395531449e-09, 2.9934905648441886e-08, -2.007331665225968e-09, -2.563867098756841e-07,
        -2.5494680046612185e-08, 1.758318349250604e-06, -9.960786211915435e-07, -1.1452176621008242e-05,
        2.2394096415095342e-05, 5.1653386713447216e-05, -0.00029015682331400266, 0.00029371237324706,
        0.0017556263363290995, -0.00974657933020157, 0.02836227736684088, -0.05869339861222234,
        0.09230432116354935, -0.10880393014062718, 0.08227673849005329, 0.0035854154854430627,
        -0.1402405985855462, 1.2375126308378275,
    ):  # fmt: skip
        p = p * t + c
    near = np.rint(16.0 * a) / 16.0  # its square is exact; that of `a` would cost e^(-a^2) two digits
    tail = np.exp(-near * near) * np.exp((near - a) * (near + a)) * p / (1.0 + 2.0 * a)
    return tail + (z < 0) * (2 - 2 * tail)


def _samples(rng):
    return [
        ((3 * rng.standard_normal((3, 4)),), ()),
        ((rng.standard_normal((2, 1, 3)),), ()),
        ((np.float64(rng.standard_normal()),), ()),
    ]


SIGMOID = elementwise(
    sigmoid,
    (lambda z, y: y * (1 - y),),
    samples=_samples,
    complex_step="no",
    latex=r"\sigma({0})",
    helper="chainrule.primitives.special:sigmoid",
    entry=function("sigmoid"),
)
SOFTPLUS = elementwise(
    softplus,
    (lambda z, y: apply(SIGMOID, z),),
    samples=_samples,
    complex_step="no",
    latex=r"\operatorname{{softplus}}({0})",
    helper="chainrule.primitives.special:softplus",
    entry=function("softplus"),
)
ERF = elementwise(
    erf,
    (lambda z, y: TWO_BY_ROOT_PI * np.exp(-z * z),),
    samples=_samples,
    complex_step="no",
    latex=r"\operatorname{{erf}}({0})",
    helper="chainrule.primitives.special:erf",
    entry=function("erf"),
)
ERFC = elementwise(
    erfc,
    (lambda z, y: -TWO_BY_ROOT_PI * np.exp(-z * z),),
    samples=_samples,
    complex_step="no",
    latex=r"\operatorname{{erfc}}({0})",
    helper="chainrule.primitives.special:erfc",
    entry=function("erfc"),
)

FAMILY = (SIGMOID, SOFTPLUS, ERF, ERFC)
