"""Functions of `scipy.special`, recorded when the user has imported SciPy, which nothing here does.

The one idea: SciPy's ufuncs reach a traced value as NumPy's do, and each of them is one of our primitives or a short
composition of them, in the result's dtype by SciPy's own rule. Emitted source needs no SciPy: what NumPy lacks is defined in it
word for word, and agrees with SciPy to rounding.

`enter` finds the ufuncs by name in the module that the user imported; it runs when this file is imported and whenever a traced
value meets a ufunc that nobody knows.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from chainrule.primitive import UFUNCS, apply, ufunc_dtype, weak_type
from chainrule.primitives.exponential import EXPM1, LOG1P
from chainrule.primitives.gamma import GAMMALN, POLYGAMMA
from chainrule.primitives.logarithmic import CBRT, EXP2, LOGIT, REL_ENTR, XLOG1PY, XLOGY
from chainrule.primitives.normal_quantile import NORMAL_QUANTILE
from chainrule.primitives.scaled_error import ERFCX
from chainrule.primitives.shaping import CONVERT
from chainrule.primitives.special import ERF, ERFC, SIGMOID, SOFTPLUS
from chainrule.pytree import Recorder

_ROOT_HALF = math.sqrt(0.5)


def _log_expit(x):
    """log(sigmoid(x)) = -softplus(-x): exact far out on both sides."""
    return -apply(SOFTPLUS, -x)


def _ndtr(x):
    """The normal distribution function, accurate in its lower tail."""
    return 0.5 * apply(ERFC, -_ROOT_HALF * x)


def _log_ndtr(x):
    """The logarithm of the normal distribution function: by erfcx in its lower tail, where that function is 0."""
    below = np.where(x < -1, x, -1.0)
    tail = np.log(0.5 * apply(ERFCX, -_ROOT_HALF * below)) - 0.5 * below * below
    return np.where(x < -1, tail, np.log1p(-0.5 * apply(ERFC, _ROOT_HALF * np.where(x < -1, 0.0, x))))


def _cosm1(x):
    """cos(x) - 1 without cancellation."""
    return -2.0 * np.sin(0.5 * x) ** 2


def _entr(x):
    """-x log(x); 0 at 0, -inf below."""
    return np.where(x < 0, -np.inf, -apply(XLOGY, x, np.where(x < 0, 1.0, x)))


def _diverges(x, y):
    """Where it is infinite by SciPy's convention: outside of the positive numbers, and over 0."""
    return ((x < 0) | (y < 0) | ((x > 0) & (y == 0))) & ~(np.isnan(x) | np.isnan(y))


def _kl_div(x, y):
    """x log(x / y) - x + y."""
    return np.where(_diverges(x, y), np.inf, apply(REL_ENTR, x, y) - x + y)


def _huber(delta, r):
    """A parabola up to delta, its tangent beyond."""
    size = np.abs(r)
    return np.where(delta < 0, np.inf, np.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta)))


def _pseudo_huber(delta, r):
    """delta^2 (sqrt(1 + (r / delta)^2) - 1), without cancellation for small r."""
    flat = (delta == 0) | ((r == 0) & ~np.isfinite(delta))
    ratio = r / np.where(flat, 1.0, delta)
    value = delta * (delta * np.expm1(0.5 * np.log1p(ratio * ratio)))
    return np.where(delta < 0, np.inf, np.where(flat, 0.0, value))


ENTRIES = {
    "expit": lambda x: apply(SIGMOID, x),
    "log_expit": _log_expit,
    "logit": lambda x: apply(LOGIT, x),
    "erf": lambda x: apply(ERF, x),
    "erfc": lambda x: apply(ERFC, x),
    "erfcx": lambda x: apply(ERFCX, x),
    "ndtr": _ndtr,
    "log_ndtr": _log_ndtr,
    "ndtri": lambda p: apply(NORMAL_QUANTILE, p, params=("ndtri",)),
    "erfinv": lambda x: apply(NORMAL_QUANTILE, x, params=("erfinv",)),
    "erfcinv": lambda x: apply(NORMAL_QUANTILE, x, params=("erfcinv",)),
    "gammaln": lambda x: apply(GAMMALN, x),
    "loggamma": lambda x: np.where(x < 0, np.nan, apply(GAMMALN, x)),  # of real numbers
    "psi": lambda x: apply(POLYGAMMA, x, params=(0,)),
    "xlogy": lambda x, y: apply(XLOGY, x, y),
    "xlog1py": lambda x, y: apply(XLOG1PY, x, y),
    "entr": _entr,
    "rel_entr": lambda x, y: apply(REL_ENTR, x, y),
    "kl_div": _kl_div,
    "huber": _huber,
    "pseudo_huber": _pseudo_huber,
    "log1p": lambda x: apply(LOG1P, x),
    "expm1": lambda x: apply(EXPM1, x),
    "exp2": lambda x: apply(EXP2, x),
    "exp10": lambda x: 10.0**x,
    "cbrt": lambda x: apply(CBRT, x),
    "cosm1": _cosm1,
}


def _handler(ufunc, entry):
    """What records a call of SciPy's ufunc: its operands in the dtype in which SciPy computes, then `entry`."""

    def handler(*operands):
        dtype = ufunc_dtype(ufunc, tuple(map(weak_type, operands)))
        return entry(*(_in_dtype(x, dtype) for x in operands))

    return handler


def _in_dtype(x, dtype):
    if not isinstance(x, Recorder):
        return np.asarray(x, dtype)[()]
    return x if x.dtype == dtype and not getattr(x, "weak", False) else apply(CONVERT, x, params=(dtype,))


def enter() -> bool:
    """Enter SciPy's ufuncs, if the user has imported SciPy since; whether there were any."""
    special = sys.modules.get("scipy.special")
    found = {getattr(special, name, None): entry for name, entry in ENTRIES.items()}
    new = {f: _handler(f, entry) for f, entry in found.items() if isinstance(f, np.ufunc) and f not in UFUNCS}
    UFUNCS.update(new)
    return bool(new)


enter()

FAMILY = ()
