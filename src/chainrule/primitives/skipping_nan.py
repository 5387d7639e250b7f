"""Reductions that skip NaN: `nansum`, `nanmean`, `nanvar`, `nanstd` by composition, `nanmax` and `nanmin` as they are.

The one idea: what is skipped counts as the neutral element, put in by `np.where`; so nothing flows back to it.

>>> import chainrule as cr
>>> cr.grad(np.nanmean)(np.array([1.0, np.nan, 4.0]))
array([0.5, 0. , 0.5])
"""

from __future__ import annotations

import numpy as np

from chainrule.primitive import Primitive, apply, general, handles
from chainrule.primitives.cumulative import nan_replaced
from chainrule.primitives.reduction import reduced_shape, spread
from chainrule.primitives.signatures import MISSING, as_array, kept, refuse, refuse_dtype
from chainrule.primitives.statistics import lost_degrees, root, variance_of
from chainrule.shapes import normalize_axes

MASK = "np.where(mask, x, np.nan), or the neutral element in place of np.nan"


def _winners(x, y, axes, keepdims):
    """1 at each winning entry divided by how many won: ties share equally; NaN never wins."""
    won = (x == spread(y, x, axes, keepdims)) * np.ones_like(x)
    return won / spread(np.sum(won, axis=axes, keepdims=True), x, axes, True)


def _samples(rng):
    whole = rng.standard_normal((3, 4, 2))
    x = whole.copy()
    x[0, 1, 0] = x[2, 2, 1] = np.nan
    return [((whole,), ((0,), False)), ((x,), ((0,), False)), ((x,), ((1, 2), True)), ((x,), ((0, 1, 2), False))]


def _extremum(name, function) -> Primitive:
    return general(
        name,
        lambda x, axes, keepdims: function(x, axis=axes, keepdims=keepdims),
        (lambda y_bar, x, y, axes, keepdims: spread(y_bar, x, axes, keepdims) * _winners(x, y, axes, keepdims),),
        lambda tangents, operands, y, params: np.sum(
            tangents[0] * _winners(operands[0], y, *params), axis=params[0], keepdims=params[1]
        ),
        reduced_shape,
        param_names=("axis", "keepdims"),
        samples=_samples,
        kinks="two largest entries equal",
        latex=rf"\operatorname{{{{{name}}}}} {{0}}",
    )


NANMAX = _extremum("nanmax", np.nanmax)
NANMIN = _extremum("nanmin", np.nanmin)


def _handle_extremum(primitive: Primitive, function, plain) -> None:
    name = f"np.{primitive.name}"

    @handles(function)
    def handler(a, axis=None, out=None, keepdims=MISSING, initial=MISSING, where=MISSING):
        x = as_array(a)
        refuse(name, f"y = {name}(x, axis=...)", out=out)
        refuse(name, "np.maximum or np.minimum of the result and the initial value", initial=initial)
        refuse(name, MASK, where=where)
        if x.dtype.kind != "f":
            return plain(x, axis=axis, keepdims=kept(keepdims))
        axes = normalize_axes(axis, x.ndim)
        return apply(primitive, x, params=(axes, kept(keepdims))) if axes else +x


_handle_extremum(NANMAX, np.nanmax, np.max)
_handle_extremum(NANMIN, np.nanmin, np.min)


@handles(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=MISSING, initial=MISSING, where=MISSING):
    """`np.nansum`: NaN counts as 0."""
    x = nan_replaced(a, 0)
    refuse("np.nansum", "y = np.nansum(x, axis=...)", out=out)
    refuse("np.nansum", "the sum plus the initial value", initial=initial)
    refuse("np.nansum", MASK, where=where)
    return np.sum(x, axis=axis, dtype=dtype, keepdims=kept(keepdims))


@handles(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=MISSING, *, where=MISSING):
    """`np.nanmean`: the sum without NaN by how many are not NaN."""
    x = as_array(a)
    refuse("np.nanmean", "y = np.nanmean(x, axis=...)", out=out)
    refuse("np.nanmean", MASK, where=where)
    if x.dtype.kind != "f":
        return np.mean(x, axis=axis, dtype=dtype, keepdims=kept(keepdims))
    refuse_dtype("np.nanmean", dtype, x.dtype)
    total = np.sum(nan_replaced(x, 0), axis=axis, keepdims=kept(keepdims))
    mean = total / np.sum(~np.isnan(x), axis=axis, keepdims=kept(keepdims))
    return mean if mean.dtype == x.dtype else mean.astype(x.dtype)


def _spread_of(function, name, x, axis, dtype, out, ddof, keepdims, where, mean, correction):
    x = as_array(x)
    refuse(name, f"y = {name}(x, axis=...)", out=out)
    refuse(name, MASK, where=where)
    if x.dtype.kind != "f":
        return function(x, axis, dtype, None, ddof, kept(keepdims), mean=mean, correction=correction)
    refuse_dtype(name, dtype, x.dtype)
    ddof = lost_degrees(name, ddof, correction)
    y = variance_of(x, ~np.isnan(x), axis, ddof, kept(keepdims), mean, clamped=False)
    return y if function is np.var else root(y)


@handles(np.nanvar)
def nanvar(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=MISSING, *, where=MISSING, mean=MISSING, correction=MISSING
):
    """`np.nanvar`: the variance of what is not NaN."""
    return _spread_of(np.var, "np.nanvar", a, axis, dtype, out, ddof, keepdims, where, mean, correction)


@handles(np.nanstd)
def nanstd(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=MISSING, *, where=MISSING, mean=MISSING, correction=MISSING
):
    """`np.nanstd`: the standard deviation of what is not NaN."""
    return _spread_of(np.std, "np.nanstd", a, axis, dtype, out, ddof, keepdims, where, mean, correction)


FAMILY = (NANMAX, NANMIN)
