"""The largest and the smallest entry so far: `np.maximum.accumulate` and `np.minimum.accumulate`.

The one idea: each running maximum is the entry that set the record, and a record stands until it is beaten. So the derivative
picks that entry; of two equal ones the earlier, which set it.

>>> record_places(np.array([1.0, 3.0, 2.0, 3.0, 5.0]), 1, 0)
array([0, 1, 1, 1, 4])
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule.primitive import Primitive, apply, general
from chainrule.primitives.selecting import ADD_ALONG, TAKE_ALONG
from chainrule.primitives.signatures import as_array, refuse, refuse_dtype
from chainrule.shapes import normalize_axes


def record_places(x, sign, axis):
    """Where along an axis the largest entry so far stands (`sign` 1), or the smallest (-1); the first of equal ones."""
    rows = np.moveaxis(sign * x, axis, -1)
    best = np.maximum.accumulate(rows, axis=-1)
    new = np.ones(rows.shape, dtype=bool)
    new[..., 1:] = ~(best[..., 1:] == best[..., :-1])
    new[..., 1:] &= ~np.isnan(best[..., :-1])  # NaN is never beaten
    places = np.maximum.accumulate(np.where(new, np.arange(rows.shape[-1]), 0), axis=-1)
    return np.moveaxis(places, -1, axis)


def records(x, sign, axis):
    """Which entries set a record, and which equal the one that stands: there is a kink."""
    rows = np.moveaxis(sign * np.asarray(x), axis, -1)
    set_here = np.moveaxis(record_places(x, sign, axis), axis, -1) == np.arange(rows.shape[-1])
    equal = np.zeros(rows.shape, dtype=bool)
    equal[..., 1:] = rows[..., 1:] == np.maximum.accumulate(rows, axis=-1)[..., :-1]
    return np.moveaxis(set_here, -1, axis), np.moveaxis(equal, -1, axis)


def _samples(rng):
    return [((rng.standard_normal(6),), (0,)), ((rng.standard_normal((2, 5, 3)),), (1,))]


RECORD_PLACES = general(
    "record_places",
    record_places,
    (None,),
    lambda tangents, operands, y, params: None,
    lambda x, sign, axis: x.shape,
    dtype_rule=lambda x, sign, axis: np.dtype(np.int64),
    param_names=("sign", "axis"),
    samples=lambda rng: [(operands, (1 - 2 * n, *params)) for n, (operands, params) in enumerate(_samples(rng))],
    kinks="two entries equal",
    latex=r"\operatorname{{records}} {0}",
    helper="chainrule.primitives.running:record_places",
)


def _running(name: str, ufunc: np.ufunc, sign: int) -> Primitive:
    def places(x, axis):
        return apply(RECORD_PLACES, x, params=(sign, axis))

    return general(
        name,
        lambda x, axis: ufunc.accumulate(x, axis=axis),
        (lambda y_bar, x, y, axis: apply(ADD_ALONG, y_bar, places(x, axis), params=(axis, x.shape[axis])),),
        lambda tangents, operands, y, params: apply(
            TAKE_ALONG, tangents[0], places(operands[0], *params), params=params
        ),
        lambda x, axis: x.shape,
        param_names=("axis",),
        samples=_samples,
        kinks="two entries equal",
        latex=rf"\operatorname{{{{running\ {name[-3:]}}}}} {{0}}",
    )


RUNNING_MAX = _running("running_max", np.maximum, 1)
RUNNING_MIN = _running("running_min", np.minimum, -1)


def running(primitive: Primitive, name: str, x: Any, axis: Any, dtype: Any, out: Any) -> Any:
    """A running extremum with the arguments of `accumulate`."""
    x = as_array(x)
    refuse(name, f"y = {name}(x, axis=...)", out=out)
    refuse_dtype(name, dtype, x.dtype)
    return apply(primitive, x, params=normalize_axes(operator.index(axis), x.ndim))


FAMILY = (RUNNING_MAX, RUNNING_MIN, RECORD_PLACES)
