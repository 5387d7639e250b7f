"""Reductions over axes: sum and mean (linear), max and min (ties share equally), argmax and argmin (no derivative)."""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.index_form import Largest, SizeOf, Times, Total, over
from chainrule.primitive import apply, general, handles, linear
from chainrule.pytree import Recorder
from chainrule.shapes import normalize_axes


def reduced_shape(x, axes, keepdims):
    """The shape after reducing `axes`."""
    if keepdims:
        return tuple(1 if axis in axes else dim for axis, dim in enumerate(x.shape))
    return tuple(dim for axis, dim in enumerate(x.shape) if axis not in axes)


def spread(y, x, axes, keepdims):
    """A reduced array stretched back over the axes of `x`: what undoes a sum."""
    if not keepdims and axes and len(axes) < x.ndim:
        y = np.expand_dims(y, axes)
    return np.broadcast_to(y, x.shape)


def _samples(rng):
    x = rng.standard_normal((3, 4, 2))
    return [((x,), ((0,), False)), ((x,), ((1, 2), True)), ((x,), ((0, 1, 2), False)), ((x[0, 0],), ((0,), True))]


def _sum_dtype(x, axes, keepdims):
    if x.dtype.kind == "u":
        return np.dtype(np.uint64)
    return np.dtype(np.int64) if x.dtype.kind in "bi" else x.dtype


def _mean_dtype(x, axes, keepdims):
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)


def _along(entries, at, letters, axes, keepdims):
    """The operand's entry with new letters along the axes that are reduced, and these letters."""
    sizes = entries[0].sizes
    rest = iter(position for axis, position in enumerate(at) if not keepdims or axis not in axes)
    inner = [letters.new(sizes[axis]) if axis in axes else next(rest) for axis in range(len(sizes))]
    return entries[0](*inner), tuple(inner[axis] for axis in axes if sizes[axis] != 1)


def _sum_entry(entries, at, letters, axes, keepdims):
    body, summed = _along(entries, at, letters, axes, keepdims)
    return Total(summed, body) if summed else body


def _mean_entry(entries, at, letters, axes, keepdims):
    body, summed = _along(entries, at, letters, axes, keepdims)
    return over(Total(summed, body), Times(tuple(SizeOf(index.size) for index in summed))) if summed else body


SUM = linear(
    "sum",
    lambda x, axes, keepdims: np.add.reduce(x, axis=axes, keepdims=keepdims),  # what np.sum does in the end
    (spread,),
    reduced_shape,
    dtype_rule=_sum_dtype,
    param_names=("axis", "keepdims"),
    samples=_samples,
    latex=r"\sum {0}",
    index_form=_sum_entry,
)
MEAN = linear(
    "mean",
    lambda x, axes, keepdims: np.mean(x, axis=axes, keepdims=keepdims),
    (lambda y_bar, x, axes, keepdims: spread(y_bar / math.prod(x.shape[axis] for axis in axes), x, axes, keepdims),),
    reduced_shape,
    dtype_rule=_mean_dtype,
    param_names=("axis", "keepdims"),
    samples=_samples,
    latex=r"\operatorname{{mean}} {0}",
    index_form=_mean_entry,
)


def _winners(x, y, axes, keepdims):
    """1 at each winning entry divided by how many won: ties share equally."""
    won = (x == spread(y, x, axes, keepdims)) * np.ones_like(x)
    return won / spread(np.sum(won, axis=axes, keepdims=True), x, axes, True)


def _extremum(name, ufunc):
    def index_form(entries, at, letters, axes, keepdims):
        body, chosen = _along(entries, at, letters, axes, keepdims)
        return Largest(chosen, body, name == "min") if chosen else body

    return general(
        name,
        lambda x, axes, keepdims: ufunc.reduce(x, axis=axes, keepdims=keepdims),
        (lambda y_bar, x, y, axes, keepdims: spread(y_bar, x, axes, keepdims) * _winners(x, y, axes, keepdims),),
        lambda tangents, operands, y, params: np.sum(
            tangents[0] * _winners(operands[0], y, *params), axis=params[0], keepdims=params[1]
        ),
        reduced_shape,
        param_names=("axis", "keepdims"),
        samples=_samples,
        kinks="two largest entries equal",
        latex=rf"\{name} {{0}}",
        index_form=index_form,
    )


MAX = _extremum("max", np.maximum)
MIN = _extremum("min", np.minimum)


def _index_samples(rng):
    x = rng.standard_normal((3, 4))
    return [((x,), ((1,), False)), ((x,), ((0, 1), False))]


def _position(name, function):
    return general(
        name,
        lambda x, axes, keepdims: function(x, axis=axes[0] if len(axes) < x.ndim else None, keepdims=keepdims),
        (None,),
        lambda tangents, operands, y, params: None,
        reduced_shape,
        dtype_rule=lambda x, axes, keepdims: np.dtype(np.int64),
        param_names=("axis", "keepdims"),
        samples=_index_samples,
        latex=rf"\operatorname{{{{{name}}}}} {{0}}",
    )


ARGMAX = _position("argmax", np.argmax)
ARGMIN = _position("argmin", np.argmin)

_MISSING = np._NoValue  # type: ignore[attr-defined]


def _reduce(primitive, function):
    @handles(function)
    def handler(x, axis=None, dtype=None, out=None, keepdims=_MISSING, initial=_MISSING, where=_MISSING):
        name = f"np.{primitive.name}"
        if out is not None:
            raise UnsupportedError(f"{name}(..., out=) writes into an array; write y = {name}(x, axis=...)")
        x = x if hasattr(x, "ndim") else np.asarray(x)
        if initial is not _MISSING or (where is not _MISSING and where is not True):
            return _of_some(function, x, axis, dtype, keepdims, initial, where)
        if dtype is not None and np.dtype(dtype) != x.dtype:
            raise UnsupportedError(f"{name}(..., dtype={dtype}): convert with .astype first")
        return reduce(primitive, x, axis, keepdims is not _MISSING and bool(keepdims))

    return handler


def _of_some(function, x, axis, dtype, keepdims, initial, where):
    """Entries that `where` leaves out count as the neutral element; `initial` is one more entry."""
    name = function.__name__
    is_sum = function is np.sum
    if not is_sum and initial is _MISSING:
        raise ValueError(f"np.{name}(..., where=) needs initial=, for nothing may be left")
    if where is not _MISSING and where is not True:
        x = np.where(where, x, np.zeros_like(x) if is_sum else initial)
    own = x.dtype if not is_sum else _sum_dtype(x, None, None)
    y = function(x, axis=axis, dtype=dtype, keepdims=keepdims) if is_sum else function(x, axis=axis, keepdims=keepdims)
    if initial is _MISSING or initial is None:
        return y
    join = np.add if is_sum else np.maximum if function in (np.max, np.amax) else np.minimum
    y = join(y, initial)
    if y.dtype != own and own.kind != "f":
        raise UnsupportedError(f"np.{name}(..., initial=) of {own} with a {y.dtype}: join it to the result by itself")
    return y if y.dtype == own else y.astype(own)


def reduce(primitive, x, axis, keepdims):
    """Apply a reduction with NumPy's `axis`; nothing to reduce leaves a sum as it is."""
    params = (normalize_axes(axis, x.ndim), keepdims)
    done = x.trace.quick_one(primitive, x, params) if isinstance(x, Recorder) else None
    return apply(primitive, x, params=params) if done is None else done


for _primitive, _function in ((SUM, np.sum), (MAX, np.max), (MIN, np.min), (MAX, np.amax), (MIN, np.amin)):
    _reduce(_primitive, _function)


@handles(np.mean)
def _mean(x, axis=None, dtype=None, out=None, keepdims=_MISSING, *, where=_MISSING):
    if out is not None:
        raise UnsupportedError("np.mean(..., out=) writes into an array; write y = np.mean(x, axis=...)")
    x = x if hasattr(x, "ndim") else np.asarray(x)
    if where is not _MISSING and where is not True:
        counted = np.broadcast_to(where if hasattr(where, "ndim") else np.asarray(where), x.shape)
        total = np.sum(np.where(counted, x, np.zeros_like(x)), axis=axis, keepdims=keepdims)
        mean = total / np.sum(counted, axis=axis, keepdims=keepdims)
        own = _mean_dtype(x, None, None)
        return mean if mean.dtype == own else mean.astype(own)
    if dtype is not None and np.dtype(dtype) != x.dtype:
        raise UnsupportedError(f"np.mean(..., dtype={dtype}): convert with .astype first")
    return reduce(MEAN, x, axis, keepdims is not _MISSING and bool(keepdims))


def _arg_handler(primitive, function):
    @handles(function)
    def handler(x, axis=None, out=None, *, keepdims=_MISSING):
        if out is not None:
            raise UnsupportedError(f"np.{primitive.name}(..., out=) writes into an array")
        return reduce(primitive, x, axis, keepdims is not _MISSING and bool(keepdims))

    return handler


def _logic_handler(primitive, function):
    @handles(function)
    def handler(x, axis=None, out=None, keepdims=_MISSING, *, where=_MISSING):
        if out is not None or where is not _MISSING:
            raise UnsupportedError(f"np.{function.__name__}(..., out=, where=) is not supported; combine masks with &")
        mask = x if x.dtype.kind == "b" else x != 0
        return reduce(primitive, mask, axis, keepdims is not _MISSING and bool(keepdims))

    return handler


_logic_handler(MAX, np.any)
_logic_handler(MIN, np.all)
_arg_handler(ARGMAX, np.argmax)
_arg_handler(ARGMIN, np.argmin)

FAMILY = (SUM, MEAN, MAX, MIN, ARGMAX, ARGMIN)
