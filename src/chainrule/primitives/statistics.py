"""Variance and standard deviation, weighted averages; smaller ones (`ptp`, `count_nonzero`) by composition.

The one idea: the variance moves with the deviations from the mean, `d var = 2/n sum (x - mean) dx`; that the mean moves, too,
cancels, for deviations add to zero. The standard deviation has a kink where all entries are equal; its derivative there is 0.

>>> x = np.array([1.0, 2.0, 6.0])
>>> bool(np.isclose(np.var(x, ddof=1), np.sum((x - x.mean()) ** 2) / 2))
True
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.frames import place_text
from chainrule.index_form import ZERO, Plus, Raised, SizeOf, Times, Total, negative, number, over
from chainrule.primitive import apply, general, handles
from chainrule.primitives.reduction import reduced_shape, spread
from chainrule.primitives.signatures import MISSING, as_array, given, kept, refuse, refuse_dtype
from chainrule.pytree import Recorder
from chainrule.shapes import normalize_axes


def freedom(x: Any, axes: tuple, ddof: float) -> Any:
    """The divisor of a variance: how many entries are reduced, less `ddof`; 0 where too few are there, as in NumPy."""
    count = math.prod(x.shape[axis] for axis in axes)
    if not ddof:
        return count
    if count > math.floor(ddof):
        return count - ddof
    return x.dtype.type(0) if x.dtype.kind == "f" else np.float64(0)  # not Python's 0, by which nothing can be divided


def deviations(x: Any, axes: tuple) -> Any:
    """Each entry minus the mean over `axes`."""
    return x - np.mean(x, axis=axes, keepdims=True)


def _float_dtype(x, *_):
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)


def _samples(rng):
    x = rng.standard_normal((3, 4, 2))
    return [
        ((x,), ((0,), False, 0)),
        ((x,), ((1, 2), True, 1)),
        ((x,), ((0, 1, 2), False, 0.5)),
        ((x[0, :, 0],), ((0,), True, 1)),
    ]


def _var_entry(entries, at, letters, axes, keepdims, ddof):
    """`1/(n - ddof) sum_k (x[k] - 1/n sum_l x[l])^2`."""
    sizes = entries[0].sizes
    long = [axis for axis in axes if sizes[axis] != 1]
    if not long:
        return ZERO
    rest = tuple(at) if not keepdims else tuple(p for axis, p in enumerate(at) if axis not in axes)

    def inner() -> tuple:
        own = iter(rest)
        return tuple(letters.new(size) if axis in axes else next(own) for axis, size in enumerate(sizes))

    one, other = inner(), inner()
    count = Times(tuple(SizeOf(one[axis].size) for axis in long))
    mean = over(Total(tuple(other[axis] for axis in long), entries[0](*other)), count)
    square = Raised(Plus((entries[0](*one), negative(mean))), number(2))
    return over(Total(tuple(one[axis] for axis in long), square), Plus((count, number(-ddof))) if ddof else count)


def _std_entry(entries, at, letters, axes, keepdims, ddof):
    variance = _var_entry(entries, at, letters, axes, keepdims, ddof)
    return variance if variance == ZERO else Raised(variance, number(0.5))


def _squared(x, axes, keepdims, ddof):
    d = deviations(x, axes)
    return np.sum(d * d, axis=axes, keepdims=keepdims) / freedom(x, axes, ddof)


def _var_vjp(y_bar, x, y, axes, keepdims, ddof):
    return spread(2 * y_bar / freedom(x, axes, ddof), x, axes, keepdims) * deviations(x, axes)


def _var_jvp(tangents, operands, y, params):
    (x,), (axes, keepdims, ddof) = operands, params
    return 2 * np.sum(tangents[0] * deviations(x, axes), axis=axes, keepdims=keepdims) / freedom(x, axes, ddof)


def _std_scale(y, x, axes, ddof):
    """`n std`, and 1 where the entries are all equal: their deviations are 0, and so is the derivative."""
    return np.where(y == 0, 1.0, y) * freedom(x, axes, ddof)


def _std_vjp(y_bar, x, y, axes, keepdims, ddof):
    return spread(y_bar / _std_scale(y, x, axes, ddof), x, axes, keepdims) * deviations(x, axes)


def _std_jvp(tangents, operands, y, params):
    (x,), (axes, keepdims, ddof) = operands, params
    moved = np.sum(tangents[0] * deviations(x, axes), axis=axes, keepdims=keepdims)
    return moved / _std_scale(y, x, axes, ddof)


VAR = general(
    "var",
    lambda x, axes, keepdims, ddof: np.var(x, axis=axes, keepdims=keepdims, ddof=ddof),
    (_var_vjp,),
    _var_jvp,
    lambda x, axes, keepdims, ddof: reduced_shape(x, axes, keepdims),
    dtype_rule=_float_dtype,
    param_names=("axis", "keepdims", "ddof"),
    samples=_samples,
    complex_step="rule",
    analytic=_squared,
    latex=r"\operatorname{{var}} {0}",
    index_form=_var_entry,
)
STD = general(
    "std",
    lambda x, axes, keepdims, ddof: np.std(x, axis=axes, keepdims=keepdims, ddof=ddof),
    (_std_vjp,),
    _std_jvp,
    lambda x, axes, keepdims, ddof: reduced_shape(x, axes, keepdims),
    dtype_rule=_float_dtype,
    param_names=("axis", "keepdims", "ddof"),
    samples=_samples,
    complex_step="rule",
    analytic=lambda *operands: np.sqrt(_squared(*operands)),
    kinks="all entries equal",
    latex=r"\operatorname{{std}} {0}",
    index_form=_std_entry,
)


# -- variance and standard deviation -----------------------------------------------------------------------------------


def lost_degrees(name: str, ddof: Any, correction: Any) -> Any:
    """`ddof`, or its other name `correction`."""
    if given(correction):
        if ddof != 0:
            raise ValueError(f"{name}: ddof and correction are two names of one argument; give one of them")
        ddof = correction
    if isinstance(ddof, Recorder):
        raise UnsupportedError(f"{name}(..., ddof=) of a traced value; {place_text()}. Write a plain number.")
    return ddof.item() if isinstance(ddof, np.generic) else ddof


def root(x: Any) -> Any:
    """The square root of what cannot be negative, with derivative 0 at 0: the root of 1 there, times 0."""
    return np.sqrt(np.where(x == 0, 1.0, x)) * (x != 0)


def variance_of(
    x: Any, counted: Any, axis: Any, ddof: Any, keepdims: bool, mean: Any = MISSING, *, clamped: bool
) -> Any:
    """The variance of the entries that are counted.

    Too few of them: NumPy divides by 0 where it is asked to leave entries out (`clamped`), and answers NaN where it skips NaN.
    """
    axes = normalize_axes(axis, x.ndim)
    if not given(mean):
        number = np.sum(counted, axis=axes, keepdims=True)
        mean = (np.sum(np.where(counted, x, 0), axis=axes, keepdims=True) / number).astype(x.dtype)
    d = np.where(counted, x - mean, 0)
    free = np.sum(counted, axis=axes, keepdims=keepdims) - ddof
    if clamped:
        free = np.maximum(free, 0)
    y = (np.sum(d * d, axis=axes, keepdims=keepdims) / free).astype(x.dtype)
    return y if clamped or ddof <= 0 else np.where(free > 0, y, np.nan)


def _spread_of(primitive, name, x, axis, dtype, out, ddof, keepdims, where, mean, correction):
    x = as_array(x)
    refuse(name, f"y = {name}(x, axis=...)", out=out)
    own = _float_dtype(x)
    refuse_dtype(name, dtype, own)
    ddof = lost_degrees(name, ddof, correction)
    axes = normalize_axes(axis, x.ndim)
    if not given(where) and not given(mean):
        return apply(primitive, x, params=(axes, kept(keepdims), ddof))
    x = x if x.dtype == own else x.astype(own)
    if given(where):
        counted = np.broadcast_to(as_array(where), x.shape)
        y = variance_of(x, counted, axis, ddof, kept(keepdims), mean, clamped=True)
    else:
        d = x - mean
        y = np.sum(d * d, axis=axes, keepdims=kept(keepdims)) / freedom(x, axes, ddof)
    return y if primitive is VAR else root(y)


@handles(np.var)
def var(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=MISSING, *, where=MISSING, mean=MISSING, correction=MISSING
):
    """`np.var`; with `mean=` or `where=` it is written out."""
    return _spread_of(VAR, "np.var", a, axis, dtype, out, ddof, keepdims, where, mean, correction)


@handles(np.std)
def std(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=MISSING, *, where=MISSING, mean=MISSING, correction=MISSING
):
    """`np.std`; with `mean=` or `where=` it is written out."""
    return _spread_of(STD, "np.std", a, axis, dtype, out, ddof, keepdims, where, mean, correction)


# -- smaller ones ------------------------------------------------------------------------------------------------------


@handles(np.ptp)
def ptp(a, axis=None, out=None, keepdims=MISSING):
    """`np.ptp`: from the smallest to the largest."""
    a = as_array(a)
    refuse("np.ptp", "y = np.ptp(x, axis=...)", out=out)
    return np.max(a, axis=axis, keepdims=kept(keepdims)) - np.min(a, axis=axis, keepdims=kept(keepdims))


@handles(np.count_nonzero)
def count_nonzero(a, axis=None, *, keepdims=False):
    """`np.count_nonzero`: a number, through which nothing flows."""
    return np.sum(as_array(a) != 0, axis=axis, keepdims=bool(keepdims))


@handles(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=MISSING):
    """`np.average`, weighted or not, and with the sum of weights if `returned`."""
    a = as_array(a)
    axes, keepdims = normalize_axes(axis, a.ndim), kept(keepdims)
    if weights is None:
        mean = np.mean(a, axis=axes, keepdims=keepdims)
        return (mean, np.full_like(mean, 1) * freedom(a, axes, 0)) if returned else mean
    weights = _weights_of(as_array(weights), a, axis)
    kinds = (a.dtype, weights.dtype) if a.dtype.kind == "f" else (a.dtype, weights.dtype, np.float64)
    dtype = np.result_type(*kinds)
    a, weights = (each if each.dtype == dtype else each.astype(dtype) for each in (a, weights))
    total = np.sum(weights, axis=axes, keepdims=keepdims)
    if not isinstance(total, Recorder) and np.any(total == 0):
        raise ZeroDivisionError("np.average: the weights add to zero")
    mean = np.sum(a * weights, axis=axes, keepdims=keepdims) / total
    return (mean, np.broadcast_to(total, mean.shape)) if returned else mean


def _weights_of(weights: Any, a: Any, axis: Any) -> Any:
    """The weights in the shape of `a`, or with axes of size 1 where it is not reduced."""
    if weights.ndim == a.ndim and all(left == right for left, right in zip(weights.shape, a.shape, strict=True)):
        return weights
    if axis is None:
        raise TypeError("np.average needs the axis where the shapes of values and weights differ")
    places = tuple(int(each) % a.ndim for each in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if weights.ndim != len(places) or any(weights.shape[n] != a.shape[place] for n, place in enumerate(places)):
        raise ShapeError("np.average: the weights fit neither the values nor the axes that are averaged")
    weights = np.transpose(weights, tuple(sorted(range(len(places)), key=places.__getitem__)))
    return weights.reshape(tuple(dim if n in places else 1 for n, dim in enumerate(a.shape)))


FAMILY = (VAR, STD)
