"""Products over axes, `np.prod`: right where factors are zero, for nothing is divided.

The one idea: the derivative by one factor is the product of all the others, taken from the left and from the right. Its own
derivative is the Hessian of the product, which is symmetric: one rule serves forward and backward.

>>> products_of_others(np.array([2.0, 0.0, 5.0]), (0,))
array([ 0., 10.,  0.])
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.primitive import Primitive, apply, general, handles
from chainrule.primitives.cumulative import (
    RECURRENCE,
    accumulated_dtype,
    before,
    flipped,
    nan_replaced,
)
from chainrule.primitives.linear_algebra import inverse_axes
from chainrule.primitives.reduction import reduced_shape, spread
from chainrule.primitives.signatures import MISSING, as_array, given, kept, refuse, refuse_dtype
from chainrule.shapes import normalize_axes


def products_of_others(x, axes):
    """For each entry the product of all the others over `axes`; nothing is divided, so zeros are right."""
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    count = int(np.prod(moved.shape[-len(axes) :]))
    flat = moved.reshape((*moved.shape[: -len(axes)], count))
    left, right = np.ones_like(flat), np.ones_like(flat)
    left[..., 1:] = np.cumprod(flat[..., :-1], axis=-1)
    right[..., :-1] = np.cumprod(flat[..., :0:-1], axis=-1)[..., ::-1]
    return np.moveaxis((left * right).reshape(moved.shape), last, axes)


def _hessian_product(x: Any, v: Any, axes: tuple) -> Any:
    """`sum_k v[k] d(others[i]) / d(x[k])`: how the products of the others move when the factors move by `v`."""
    order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
    rest = x.ndim - len(axes)
    shape = tuple(x.shape[axis] for axis in order)
    flat = (*shape[:rest], math.prod(shape[rest:]))
    x, v = (np.transpose(each, order).reshape(flat) for each in (x, v))
    left, left_dot = _exclusive(x, v, rest)
    right, right_dot = (flipped(each, rest) for each in _exclusive(flipped(x, rest), flipped(v, rest), rest))
    moved = left_dot * right + left * right_dot
    return np.transpose(moved.reshape(shape), inverse_axes(order))


def _exclusive(x: Any, v: Any, axis: int) -> tuple[Any, Any]:
    """The product of all factors before each one, and how it moves."""
    product = before(np.cumprod(x, axis=axis), axis, 1)
    return product, apply(RECURRENCE, before(x, axis, 0), before(product * v, axis, 0), params=(axis,))


def _factors(rng):
    x = rng.uniform(-1.5, 1.5, (3, 4, 2))
    x[0, 1, 0] = x[1, 0, 1] = x[1, 2, 1] = 0.0  # one zero, and two, among the factors
    return x


def _others_samples(rng):
    return [((rng.uniform(0.5, 1.5, 4),), ((0,),)), ((_factors(rng),), ((1,),)), ((_factors(rng),), ((0, 2),))]


PRODUCTS_OF_OTHERS: Primitive = general(
    "products_of_others",
    products_of_others,
    (lambda y_bar, x, y, axes: _hessian_product(x, y_bar, axes),),
    lambda tangents, operands, y, params: _hessian_product(operands[0], tangents[0], *params),
    lambda x, axes: x.shape,
    param_names=("axis",),
    samples=_others_samples,
    latex=r"\prod_{{\text{{others}}}} {0}",
    helper="chainrule.primitives.products:products_of_others",
)


def _others(x, axes):
    return apply(PRODUCTS_OF_OTHERS, x, params=(axes,))


PROD = general(
    "prod",
    lambda x, axes, keepdims: np.multiply.reduce(x, axis=axes, keepdims=keepdims),
    (lambda y_bar, x, y, axes, keepdims: spread(y_bar, x, axes, keepdims) * _others(x, axes),),
    lambda tangents, operands, y, params: np.sum(
        tangents[0] * _others(operands[0], params[0]), axis=params[0], keepdims=params[1]
    ),
    reduced_shape,
    dtype_rule=accumulated_dtype,
    param_names=("axis", "keepdims"),
    samples=lambda rng: [
        ((_factors(rng),), ((1,), False)),
        ((_factors(rng),), ((0, 2), True)),
        ((rng.uniform(0.5, 1.5, (3, 2)),), ((0, 1), False)),
    ],
    latex=r"\prod {0}",
)


def product(name, x, axis, dtype, out, keepdims, initial, where):
    """A product with NumPy's arguments: entries that `where` leaves out count as 1, `initial` is one more factor."""
    x = as_array(x)
    refuse(name, f"y = {name}(x, axis=...)", out=out)
    own = accumulated_dtype(x)
    refuse_dtype(name, dtype, own)
    if given(where) and where is not True:
        x = np.where(where, x, np.ones_like(x))
    axes = normalize_axes(axis, x.ndim)
    y = apply(PROD, x, params=(axes, kept(keepdims))) if axes else +x.astype(own)
    if not given(initial):
        return y
    y = y * initial
    if y.dtype != own and own.kind != "f":
        raise UnsupportedError(
            f"{name}(..., initial=) of {own} with a factor that is not whole cannot be traced; {place_text()}. "
            f"Write initial * {name}(x, ...)."
        )
    return y if y.dtype == own else y.astype(own)


@handles(np.prod)
def prod(a, axis=None, dtype=None, out=None, keepdims=MISSING, initial=MISSING, where=MISSING):
    """`np.prod`."""
    return product("np.prod", a, axis, dtype, out, keepdims, initial, where)


@handles(np.nanprod)
def nanprod(a, axis=None, dtype=None, out=None, keepdims=MISSING, initial=MISSING, where=MISSING):
    """`np.nanprod`: NaN counts as 1."""
    return product("np.nanprod", nan_replaced(a, 1), axis, dtype, out, keepdims, initial, where)


FAMILY = (PROD, PRODUCTS_OF_OTHERS)
