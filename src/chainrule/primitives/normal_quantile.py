"""The quantiles of the normal distribution, `ndtri`, and the inverses of erf and erfc, which are the same function, scaled.

Wichura's rational approximations: one about the median, by the distance from it, and two in the tails, by the root of minus the
tail's logarithm. `kind` says what is given: the probability below ("ndtri"), erf ("erfinv"), or erfc ("erfcinv"); the distance and
the tail are taken from it without loss.

>>> f"{normal_quantile(0.975, 'ndtri'):.10f} {normal_quantile(1e-300, 'ndtri'):.10f} {normal_quantile(0.5, 'erfinv'):.10f}"
'1.9599639845 -37.0470962994 0.4769362762'

References
----------
M. J. Wichura, Algorithm AS 241: The percentage points of the normal distribution, Applied Statistics 37 (1988).
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.primitive import elementwise, float_dtype


def normal_quantile(x, kind):
    """Where the normal distribution function (ndtri), erf (erfinv) or erfc (erfcinv) is x; infinite at its ends."""
    if kind == "ndtri":
        q, tail, scale = x - 0.5, np.minimum(x, 1.0 - x), 1.0
    elif kind == "erfinv":
        q, tail, scale = 0.5 * x, 0.5 - 0.5 * np.abs(x), 0.7071067811865476
    else:
        q, tail, scale = 0.5 - 0.5 * x, np.minimum(0.5 * x, 1.0 - 0.5 * x), 0.7071067811865476
    middle = np.abs(q) <= 0.425
    inner = np.where(middle, q, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        outer = np.sqrt(-np.log(np.where(middle, 0.25, tail)))
    far = outer > 5.0
    results = []
    for r, above, below in (
        (0.180625 - inner * inner, (
            2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
            13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
        ), (
            5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
            5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0,
        )),
        (np.minimum(outer, 5.0) - 1.6, (
            7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
            3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
        ), (
            1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
            0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0,
        )),
        (np.clip(outer, 5.0, 30.0) - 5.0, (
            2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
            0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
        ), (
            2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
            0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0,
        )),
    ):  # fmt: skip
        numerator, denominator = 0.0 * r, 0.0 * r
        for a, b in zip(above, below, strict=True):
            numerator, denominator = numerator * r + a, denominator * r + b
        results.append(numerator / denominator)
    distance = np.where(tail == 0, np.inf, np.where(far, results[2], results[1]))
    value = np.where(middle, inner * results[0], np.copysign(distance, q))
    return scale * np.where(tail >= 0, value, np.nan)


def _slope(x, y, kind):
    """One over the density there."""
    if kind == "ndtri":
        return math.sqrt(2 * math.pi) * np.exp(0.5 * y * y)
    return (0.5 if kind == "erfinv" else -0.5) * math.sqrt(math.pi) * np.exp(y * y)


def _samples(rng):
    inside = rng.uniform(0.01, 0.99, (3, 4))
    given = (("ndtri", inside), ("erfinv", 2 * inside - 1), ("erfcinv", 2 * inside))
    return [((x,), (kind,)) for kind, x in given] + [((np.float64(0.3),), ("ndtri",))]


NORMAL_QUANTILE = elementwise(
    normal_quantile,
    (_slope,),
    dtype_rule=lambda x, kind: float_dtype(x),
    param_names=("kind",),
    singular=True,
    samples=_samples,
    complex_step="no",
    latex=r"\Phi^{{-1}}({0})",
    helper="chainrule.primitives.normal_quantile:normal_quantile",
)

FAMILY = (NORMAL_QUANTILE,)
