"""Exponentials, logarithms, roots and the circular functions: one line of calculus each."""

from __future__ import annotations

import numpy as np

from chainrule.index_form import MINUS_ONE, ONE, Of, Plus, function
from chainrule.primitive import elementwise


def _between(low, high):
    return lambda rng: [((rng.uniform(low, high, (3, 4)),), ()), ((np.float64(rng.uniform(low, high)),), ())]


EXP = elementwise(
    np.exp,
    (lambda x, y: y,),
    singular=True,
    samples=_between(-2, 2),
    latex="e^{{{0}}}",
    entry=function("exp"),
)
EXPM1 = elementwise(
    np.expm1,
    (lambda x, y: y + 1,),
    singular=True,
    samples=_between(-2, 2),
    latex="e^{{{0}}} - 1",
    entry=lambda x: Plus((Of("exp", (x,)), MINUS_ONE)),
)
LOG = elementwise(
    np.log,
    (lambda x, y: 1 / x,),
    singular=True,
    samples=_between(0.2, 3),
    latex=r"\log {0}",
    entry=function("log"),
)
LOG1P = elementwise(
    np.log1p,
    (lambda x, y: 1 / (1 + x),),
    singular=True,
    samples=_between(-0.5, 3),
    latex=r"\log(1 + {0})",
    entry=lambda x: Of("log", (Plus((ONE, x)),)),
)
SQRT = elementwise(
    np.sqrt,
    (lambda x, y: 0.5 / y,),
    singular=True,
    samples=_between(0.2, 3),
    latex=r"\sqrt{{{0}}}",
    entry=function("sqrt"),
)
SIN = elementwise(np.sin, (lambda x, y: np.cos(x),), samples=_between(-3, 3), latex=r"\sin {0}", entry=function("sin"))
COS = elementwise(np.cos, (lambda x, y: -np.sin(x),), samples=_between(-3, 3), latex=r"\cos {0}", entry=function("cos"))
TANH = elementwise(
    np.tanh, (lambda x, y: 1 - y * y,), samples=_between(-2, 2), latex=r"\tanh {0}", entry=function("tanh")
)

FAMILY = (EXP, EXPM1, LOG, LOG1P, SQRT, SIN, COS, TANH)
