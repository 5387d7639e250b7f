"""Medians, quantiles and percentiles.

The one idea: a quantile is a weighted sum of one or two of the ordered entries, and which ones does not change with small
steps. So its derivative is these weights: `quantile_weights`, in which equal entries share equally. They hold for every
method of NumPy's: where the quantile stands among the ordered entries is the quantile of 0, 1, 2, ...

>>> quantile_weights(np.array([5.0, 1.0, 3.0, 9.0]), (0,), 0.5)
array([0.5, 0. , 0.5, 0. ])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.primitive import Primitive, Rule, apply, general, handles
from chainrule.primitives.reduction import reduced_shape
from chainrule.primitives.signatures import MISSING, as_array, kept, refuse
from chainrule.pytree import Recorder
from chainrule.shapes import normalize_axes


def quantile_weights(x, axes, q, method="linear"):
    """How much each entry counts in the quantile over `axes`; equal entries share equally. Several `q` come first."""
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    count = int(np.prod(moved.shape[-len(axes) :]))
    rows = moved.reshape((*moved.shape[: -len(axes)], count))
    ordered = np.sort(rows, axis=-1)
    places = np.quantile(np.arange(count, dtype=x.dtype), q, method=method)  # where it stands among the ordered
    found = []
    for place in np.atleast_1d(places):
        low, high = int(np.floor(place)), int(np.ceil(place))
        weights = np.zeros_like(rows)
        for rank, share in ((low, 1 - (place - low)), (high, place - low)):
            equal = rows == ordered[..., rank, None]
            weights += share * equal / np.maximum(equal.sum(axis=-1, keepdims=True), 1)
        weights = np.where(np.isnan(ordered[..., -1:]), np.nan, weights).astype(x.dtype)
        found.append(np.moveaxis(weights.reshape(moved.shape), last, axes))
    return np.stack(found) if np.ndim(q) else found[0]


def nanquantile_weights(x, axes, q, method="linear"):
    """How much each entry counts in the quantile over `axes` of what is not NaN; equal entries share equally."""
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    count = int(np.prod(moved.shape[-len(axes) :]))
    rows = moved.reshape((int(np.prod(moved.shape[: -len(axes)])), count))
    found = []
    for level in np.atleast_1d(q):
        weights = np.where(np.isnan(rows).all(axis=-1, keepdims=True), np.nan, np.zeros_like(rows)).astype(x.dtype)
        for row, weight in zip(rows, weights, strict=True):
            ordered = np.sort(row[~np.isnan(row)])
            if not ordered.size:
                continue
            place = np.quantile(np.arange(float(ordered.size)), level, method=method)
            low, high = int(np.floor(place)), int(np.ceil(place))
            for rank, share in ((low, 1 - (place - low)), (high, place - low)):
                equal = row == ordered[rank]
                weight += share * equal / equal.sum()
        found.append(np.moveaxis(weights.reshape(moved.shape), last, axes))
    return np.stack(found) if np.ndim(q) else found[0]


def picked(x, axes, q, method="linear", weights=quantile_weights):
    """On which side of its kinks each entry is: 0 where it counts in no quantile; and whether it does so beside an equal one.

    An entry that counts has 1, and with more than one equal beside it how many: so that one that leaves changes them all.
    """
    counts = np.any(np.reshape(weights(x, axes, q, method) > 0, (-1, *np.shape(x))), axis=0)
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(np.asarray(x), axes, last)
    rows = moved.reshape((*moved.shape[: -len(axes)], -1))
    order = np.argsort(rows, axis=-1)
    ordered = np.take_along_axis(rows, order, axis=-1)
    places = np.arange(rows.shape[-1])
    begins, ends = np.ones(rows.shape, dtype=bool), np.ones(rows.shape, dtype=bool)
    begins[..., 1:] = ends[..., :-1] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=-1)
    final = np.minimum.accumulate(np.where(ends, places, len(places))[..., ::-1], axis=-1)[..., ::-1]
    equal = np.empty_like(order)
    np.put_along_axis(equal, order, final - first, axis=-1)  # how many others
    equal = np.moveaxis(equal.reshape(moved.shape), last, axes)
    return counts * np.clip(equal, 1, 100), counts & (equal > 0)


def _numbers(q: Any) -> Any:
    """`q` as NumPy takes it: a number as it is, several as an array."""
    return np.asarray(q) if type(q) is tuple else q


def _lead(q: Any) -> tuple:
    return (len(q),) if type(q) is tuple else ()


def _samples(rng):
    x = rng.standard_normal((3, 4, 2))
    return [
        ((x,), ((0,), False, 0.3, "linear")),
        ((x,), ((1, 2), True, 0.5, "linear")),
        ((x,), ((0, 1, 2), False, (0.1, 0.25, 0.9), "linear")),
        ((x,), ((1,), True, (0.0, 0.6), "hazen")),
        ((x[0, :, 0],), ((0,), True, 0.6, "lower")),
    ]


def _quantile_and_median(prefix: str, helper: Rule, quantile: Rule, median: Rule) -> tuple[Primitive, ...]:
    """The quantile, the median and their weights, with or without NaN."""
    weights = general(
        f"{prefix}quantile_weights",
        lambda x, axes, q, method: helper(x, axes, _numbers(q), method),
        (None,),
        lambda tangents, operands, y, params: None,
        lambda x, axes, q, method: (*_lead(q), *x.shape),
        param_names=("axis", "q", "method"),
        samples=lambda rng: [(operands, (axes, q, method)) for operands, (axes, _, q, method) in _samples(rng)],
        complex_step="rule" if helper is quantile_weights else "yes",
        analytic=(lambda x, axes, q, method: helper(x.real, axes, _numbers(q), method))
        if helper is quantile_weights
        else None,
        kinks="two entries equal",
        latex=r"\operatorname{{weights}} {0}",
        helper=f"{__name__}:{helper.__name__}",
    )

    def pulled(y_bar, x, axes, keepdims, q, method):
        """The cotangent of `x`: that of each quantile, by the weights of each entry."""
        lead = len(_lead(q))
        if not keepdims:
            y_bar = np.expand_dims(y_bar, tuple(axis + lead for axis in axes))
        x_bar = y_bar * apply(weights, x, params=(axes, q, method))
        return np.sum(x_bar, axis=0) if lead else x_bar

    def pushed(tangents, operands, y, params):
        axes, keepdims, q, method = params
        lead = len(_lead(q))
        moved = tangents[0] * apply(weights, operands[0], params=(axes, q, method))
        return np.sum(moved, axis=tuple(axis + lead for axis in axes), keepdims=keepdims)

    of_level = general(
        f"{prefix}quantile",
        lambda x, axes, keepdims, q, method: quantile(x, _numbers(q), axis=axes, method=method, keepdims=keepdims),
        (lambda y_bar, x, y, *params: pulled(y_bar, x, *params),),
        pushed,
        lambda x, axes, keepdims, q, method: (*_lead(q), *reduced_shape(x, axes, keepdims)),
        dtype_rule=lambda x, axes, keepdims, q, method: (
            np.quantile(np.ones(2, x.dtype), _numbers(q), method=method).dtype
        ),
        param_names=("axis", "keepdims", "q", "method"),
        samples=_samples,
        complex_step="no",
        kinks="two entries equal",
        latex=rf"\operatorname{{{{{prefix}quantile}}}} {{0}}",
    )
    of_half = general(
        f"{prefix}median",
        lambda x, axes, keepdims: median(x, axis=axes, keepdims=keepdims),
        (lambda y_bar, x, y, axes, keepdims: pulled(y_bar, x, axes, keepdims, 0.5, "linear"),),
        lambda tangents, operands, y, params: pushed(tangents, operands, y, (*params, 0.5, "linear")),
        reduced_shape,
        dtype_rule=lambda x, axes, keepdims: x.dtype if x.dtype.kind == "f" else np.dtype(np.float64),
        param_names=("axis", "keepdims"),
        samples=lambda rng: [(operands, params[:2]) for operands, params in _samples(rng)],
        kinks="two entries equal",
        latex=rf"\operatorname{{{{{prefix}median}}}} {{0}}",
    )
    return of_level, of_half, weights


QUANTILE, MEDIAN, QUANTILE_WEIGHTS = _quantile_and_median("", quantile_weights, np.quantile, np.median)
NANQUANTILE, NANMEDIAN, NANQUANTILE_WEIGHTS = _quantile_and_median(
    "nan", nanquantile_weights, np.nanquantile, np.nanmedian
)


def _reduced(x: Any, axis: Any, keepdims: Any) -> tuple[Any, tuple, bool]:
    """The operand, its axes and `keepdims`; nothing to reduce is a new axis of size 1."""
    axes = normalize_axes(axis, x.ndim)
    return (x, axes, bool(keepdims)) if axes else (np.expand_dims(x, x.ndim), (x.ndim,), False)


def _medians(primitive: Primitive, name: str, a: Any, axis: Any, out: Any, keepdims: bool) -> Any:
    refuse(name, f"y = {name}(x, axis=...)", out=out)
    x, axes, keepdims = _reduced(as_array(a), axis, keepdims)
    return apply(primitive, x, params=(axes, keepdims))


@handles(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """`np.median`."""
    return _medians(MEDIAN, "np.median", a, axis, out, keepdims)


@handles(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=MISSING):
    """`np.nanmedian`: of what is not NaN."""
    primitive = NANMEDIAN if as_array(a).dtype.kind == "f" else MEDIAN
    return _medians(primitive, "np.nanmedian", a, axis, out, kept(keepdims))


def _quantiles(primitive, name, a, q, axis, out, method, keepdims, weights):
    refuse(name, "np.average for a weighted mean; weighted quantiles are not supported", weights=weights)
    refuse(name, f"y = {name}(x, q, axis=...)", out=out)
    a = as_array(a)
    if name.startswith("np.nan") and any(type(dim) is int and dim == 0 for dim in a.shape):
        return np.nanmean(a, axis=axis, keepdims=keepdims)  # as NumPy does, however many quantiles are asked for
    x, axes, keepdims = _reduced(a, axis, keepdims)
    if np.ndim(q) == 0:
        q = q[()] if isinstance(q, np.ndarray) else q
        return apply(primitive, x, params=(axes, keepdims, q, method))
    shape, flat = q.shape, q.reshape(-1)
    numbers = tuple(flat.tolist()) if flat.dtype in (np.float64, np.int64) else tuple(flat)
    y = apply(primitive, x, params=(axes, keepdims, numbers, method))
    return y if len(shape) == 1 else y.reshape((*shape, *y.shape[1:]))


def _plain(name: str, q: Any, largest: int) -> Any:
    if isinstance(q, Recorder):
        raise UnsupportedError(f"{name}(x, q) with a traced q; {place_text()}. Write q as a plain number or array.")
    q = q if np.ndim(q) == 0 else np.asarray(q)
    if not np.all((np.asarray(q) >= 0) & (np.asarray(q) <= largest)):
        raise ValueError(f"{name}: q is between 0 and {largest}")
    return q


@handles(np.quantile)
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    """`np.quantile`, by each of its methods."""
    q = _plain("np.quantile", q, 1)
    return _quantiles(QUANTILE, "np.quantile", a, q, axis, out, method, keepdims, weights)


@handles(np.percentile)
def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    """`np.percentile`: quantiles in hundredths."""
    q = _plain("np.percentile", q, 100) / 100
    return _quantiles(QUANTILE, "np.percentile", a, q, axis, out, method, keepdims, weights)


@handles(np.nanquantile)
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=MISSING, *, weights=None):
    """`np.nanquantile`: of what is not NaN."""
    q, primitive = _plain("np.nanquantile", q, 1), NANQUANTILE if as_array(a).dtype.kind == "f" else QUANTILE
    return _quantiles(primitive, "np.nanquantile", a, q, axis, out, method, kept(keepdims), weights)


@handles(np.nanpercentile)
def nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=MISSING, *, weights=None):
    """`np.nanpercentile`: of what is not NaN, in hundredths."""
    q, primitive = _plain("np.nanpercentile", q, 100) / 100, NANQUANTILE if as_array(a).dtype.kind == "f" else QUANTILE
    return _quantiles(primitive, "np.nanpercentile", a, q, axis, out, method, kept(keepdims), weights)


FAMILY = (QUANTILE, MEDIAN, QUANTILE_WEIGHTS, NANQUANTILE, NANMEDIAN, NANQUANTILE_WEIGHTS)
