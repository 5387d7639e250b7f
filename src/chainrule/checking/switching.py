"""What a primitive with a kink decides by: its switching quantity.

The one idea: a kink lies where a decision changes. Most decide by the sign of a difference (`PAIRS`), some by which entry is
largest (`EXTREME`), the rest by a whole number: which step of a staircase, which order of the entries (`LEVELS`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.primitive import Primitive, registered
from chainrule.primitives.arithmetic import ABS, CLIP, MAXIMUM, MINIMUM, SIGN
from chainrule.primitives.comparison import COMPARISONS
from chainrule.primitives.reduction import ARGMAX, ARGMIN, MAX, MIN

Pair = tuple[Any, Any]  # what is compared: the sign of the first minus the second decides
Level = tuple[Any, Any]  # whole numbers that change at a kink, and where the point sits on one


def _named(table: dict[str, Any]) -> dict[Primitive, Any]:
    return {registered(name): entry for names, entry in table.items() for name in names.split()}


PAIRS: dict[Primitive, Callable[..., list[Pair]]] = {
    **dict.fromkeys((MAXIMUM, MINIMUM, *COMPARISONS), lambda a, b, *_: [(a, b)]),
    **dict.fromkeys((ABS, SIGN), lambda x: [(x, 0.0)]),
    CLIP: lambda x, low, high: [(x, low), (x, high)],
    **_named(
        {
            "fmax fmin nextafter": lambda a, b, *_: [(a, b)],
            "fabs signbit heaviside": lambda x, *_: [(x, 0.0)],
            "copysign rel_entr": lambda a, b: [(a, 0.0), (b, 0.0)],
            "hypot xlogy": lambda a, b: [(np.abs(a) + np.abs(b), 0.0)],
            "xlog1py": lambda a, b: [(np.abs(a) + np.abs(1 + b), 0.0)],
            "arctan2": lambda a, b: [(np.where(b <= 0, a, 1.0), 0.0)],
            "norm": lambda x, axes, keepdims: [(np.sum(np.abs(x), axis=axes), 0.0)],
            "std": lambda x, axes, keepdims, ddof: [(np.ptp(x, axis=axes), 0.0)],
            "logaddexp logaddexp2": lambda a, b: [],  # only where both are infinite
        }
    ),
}
EXTREME = {MAX: MAX, ARGMAX: MAX, MIN: MIN, ARGMIN: MIN, **{registered(n): registered(n) for n in ("nanmax", "nanmin")}}


def _stairs(x: Any) -> Level:
    return np.floor(x), x == np.floor(x)


def _rounded(x: Any, decimals: int = 0) -> Level:
    scaled = x * 10.0**decimals
    return np.rint(scaled), np.abs(scaled - np.floor(scaled)) == 0.5


def _order(x: Any, axis: int | tuple[int, ...]) -> Level:
    """The places that sorting gives the entries; equal ones are on a kink."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    rest = tuple(a for a in range(np.ndim(x)) if a not in {a % np.ndim(x) for a in axes})
    flat = np.transpose(x, (*rest, *(a % np.ndim(x) for a in axes))).reshape((*(np.shape(x)[a] for a in rest), -1))
    order = np.argsort(flat, axis=-1, kind="stable")
    ranked = np.take_along_axis(flat, order, -1)
    same = np.diff(ranked, axis=-1) == 0
    touching = np.zeros(flat.shape, bool)
    touching[..., 1:] |= same
    touching[..., :-1] |= same
    return order, touching


def _binary(x: Any) -> Level:
    mantissa, exponent = np.frexp(x)
    return exponent, np.abs(mantissa) == 0.5


LEVELS: dict[Primitive, Callable[..., Level]] = _named(
    {
        "floor ceil trunc modf_fraction modf_whole": _stairs,
        "rint round": _rounded,
        "floor_divide remainder fmod": lambda a, b: _stairs(np.asarray(a) / b),
        "frexp_mantissa frexp_exponent spacing": _binary,
        "sort running_max running_min": _order,
        "partition": lambda x, kth, axis: _order(x, axis),
        "record_places": lambda x, sign, axis: _order(x, axis),
        "median nanmedian": lambda x, axis, keepdims: _order(x, axis),
        "quantile nanquantile": lambda x, axis, *_: _order(x, axis),
        "quantile_weights nanquantile_weights": lambda x, axis, *_: _order(x, axis),
        "interp": lambda x, xp, fp: (np.searchsorted(xp, x, side="right"), np.isin(x, xp)),
    }
)
