"""Running sums and products along an axis, and the linear recurrence from which the derivative of a product is made.

The one idea: the transpose of "everything up to here" is "everything from here on". A running sum comes back as the running
sum from the other end. A running product comes back through a recurrence, `t[i] = y[i] + x[i+1] t[i+1]`, in which nothing is
divided: so zeros among the factors are right. The recurrence and its transpose are each other's derivatives, at any order.

>>> recurrence(np.array([0.5, 0.5, 0.5]), np.array([1.0, 0.0, 4.0]), 0)
array([1.  , 0.5 , 4.25])
>>> recurrence_back(np.array([0.5, 0.5, 0.5]), np.array([1.0, 0.0, 4.0]), 0)
array([2., 2., 4.])
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule.index_form import Counted, Holds, Times, Total
from chainrule.primitive import Primitive, apply, general, handles, linear
from chainrule.primitives.signatures import as_array, refuse, refuse_dtype
from chainrule.shapes import normalize_axes


def recurrence(a, b, axis):
    """`s[i] = a[i] s[i-1] + b[i]` along an axis, from nothing before it."""
    s = np.array(b)
    rows, factors = np.moveaxis(s, axis, 0), np.moveaxis(a, axis, 0)
    for i in range(1, len(rows)):
        rows[i] += factors[i] * rows[i - 1]
    return s


def recurrence_back(a, y, axis):
    """`t[i] = y[i] + a[i+1] t[i+1]` along an axis, from its end: the transpose of `recurrence`."""
    t = np.array(y)
    rows, factors = np.moveaxis(t, axis, 0), np.moveaxis(a, axis, 0)
    for i in range(len(rows) - 2, -1, -1):
        rows[i] += factors[i + 1] * rows[i + 1]
    return t


def along(axis: int, *items: Any) -> tuple:
    """The index that has `items` at `axis` and everything before it."""
    return (*(slice(None),) * axis, *items)


def flipped(x: Any, axis: int) -> Any:
    """`x` read from the other end of an axis."""
    return x[along(axis, slice(None, None, -1))]


def before(x: Any, axis: int, first: int) -> Any:
    """Each entry's predecessor along an axis; the first one's is the number `first`."""
    start = np.full_like(x[along(axis, slice(None, 1))], first)
    return np.concatenate((start, x[along(axis, slice(None, -1))]), axis=axis)


def after(x: Any, axis: int) -> Any:
    """Each entry's successor along an axis; the last one's is 0."""
    end = np.zeros_like(x[along(axis, slice(None, 1))])
    return np.concatenate((x[along(axis, slice(1, None))], end), axis=axis)


def accumulated_dtype(x, *_):
    """Sums and products of booleans and small integers are of NumPy's default integers."""
    if x.dtype.kind in "bi":
        return np.dtype(np.int64)
    return np.dtype(np.uint64) if x.dtype.kind == "u" else x.dtype


def _cumsum_entry(entries, at, letters, axis):
    """`y[i] = sum_k (k <= i) x[k]`."""
    k = letters.new(entries[0].sizes[axis])
    if k == 0:
        return entries[0](*at)
    body = entries[0](*at[:axis], k, *at[axis + 1 :])
    return Total((k,), Times((Holds("<=", Counted(k), Counted(at[axis])), body)))


def _samples(rng):
    return [((rng.standard_normal(5),), (0,)), ((rng.standard_normal((2, 4, 3)),), (1,))]


def _factors(rng):
    x = rng.uniform(-1.5, 1.5, (2, 4, 3))
    x[0, 1, 0] = x[1, 1, 1] = x[1, 3, 1] = 0.0  # one zero, and two, among the factors
    return [((rng.uniform(0.5, 1.5, 5),), (0,)), ((x,), (1,))]


def _pairs(rng):
    r = rng.standard_normal
    return [((r(5), r(5)), (0,)), ((r((2, 4, 3)), r((2, 4, 3))), (1,))]


CUMSUM = linear(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis=axis),
    (lambda y_bar, x, axis: flipped(np.cumsum(flipped(y_bar, axis), axis=axis), axis),),
    lambda x, axis: x.shape,
    dtype_rule=accumulated_dtype,
    param_names=("axis",),
    samples=_samples,
    latex=r"\operatorname{{cumsum}} {0}",
    index_form=_cumsum_entry,
)


def _recurrence_jvp(tangents, operands, y, params):
    """`s_dot = recurrence(a, b_dot + a_dot s[i-1])`."""
    (a, _), (a_dot, b_dot), (axis,) = operands, tangents, params
    moved = b_dot
    if a_dot is not None:
        part = a_dot * before(y, axis, 0)
        moved = part if moved is None else moved + part
    return apply(RECURRENCE, a, moved, params=params)


def _back_jvp(tangents, operands, t, params):
    """`t_dot = recurrence_back(a, y_dot + (a_dot t)[i+1])`."""
    (a, _), (a_dot, y_dot), (axis,) = operands, tangents, params
    moved = y_dot
    if a_dot is not None:
        part = after(a_dot * t, axis)
        moved = part if moved is None else moved + part
    return apply(RECURRENCE_BACK, a, moved, params=params)


RECURRENCE: Primitive = general(
    "recurrence",
    recurrence,
    (
        lambda y_bar, a, b, y, axis: apply(RECURRENCE_BACK, a, y_bar, params=(axis,)) * before(y, axis, 0),
        lambda y_bar, a, b, y, axis: apply(RECURRENCE_BACK, a, y_bar, params=(axis,)),
    ),
    _recurrence_jvp,
    lambda a, b, axis: b.shape,
    dtype_rule=lambda a, b, axis: b.dtype,
    param_names=("axis",),
    samples=_pairs,
    latex=r"\operatorname{{recurrence}}({0}, {1})",
    helper="chainrule.primitives.cumulative:recurrence",
)
RECURRENCE_BACK: Primitive = general(
    "recurrence_back",
    recurrence_back,
    (
        lambda t_bar, a, y, t, axis: before(apply(RECURRENCE, a, t_bar, params=(axis,)), axis, 0) * t,
        lambda t_bar, a, y, t, axis: apply(RECURRENCE, a, t_bar, params=(axis,)),
    ),
    _back_jvp,
    lambda a, y, axis: y.shape,
    dtype_rule=lambda a, y, axis: y.dtype,
    param_names=("axis",),
    samples=_pairs,
    latex=r"\operatorname{{recurrence}}^T({0}, {1})",
    helper="chainrule.primitives.cumulative:recurrence_back",
)
CUMPROD = general(
    "cumprod",
    lambda x, axis: np.cumprod(x, axis=axis),
    (lambda y_bar, x, y, axis: before(y, axis, 1) * apply(RECURRENCE_BACK, x, y_bar, params=(axis,)),),
    lambda tangents, operands, y, params: apply(
        RECURRENCE, operands[0], tangents[0] * before(y, params[0], 1), params=params
    ),
    lambda x, axis: x.shape,
    dtype_rule=accumulated_dtype,
    param_names=("axis",),
    samples=_factors,
    latex=r"\operatorname{{cumprod}} {0}",
)


# -- NumPy's names -----------------------------------------------------------------------------------------------------


def accumulate(primitive: Primitive, name: str, x: Any, axis: Any, dtype: Any, out: Any) -> Any:
    """A running sum or product with NumPy's arguments; without an axis, of everything in a row."""
    x = as_array(x)
    refuse(name, f"y = {name}(x, axis=...)", out=out)
    refuse_dtype(name, dtype, accumulated_dtype(x))
    if axis is None or x.ndim == 0:
        x, axis = x.reshape((-1,)), 0 if axis is None else axis
    return apply(primitive, x, params=normalize_axes(operator.index(axis), x.ndim))


@handles(np.cumsum)
def cumsum(a, axis=None, dtype=None, out=None):
    """`np.cumsum`."""
    return accumulate(CUMSUM, "np.cumsum", a, axis, dtype, out)


@handles(np.cumprod)
def cumprod(a, axis=None, dtype=None, out=None):
    """`np.cumprod`."""
    return accumulate(CUMPROD, "np.cumprod", a, axis, dtype, out)


@handles(np.nancumsum)
def nancumsum(a, axis=None, dtype=None, out=None):
    """`np.nancumsum`: NaN counts as 0."""
    return accumulate(CUMSUM, "np.nancumsum", nan_replaced(a, 0), axis, dtype, out)


@handles(np.nancumprod)
def nancumprod(a, axis=None, dtype=None, out=None):
    """`np.nancumprod`: NaN counts as 1."""
    return accumulate(CUMPROD, "np.nancumprod", nan_replaced(a, 1), axis, dtype, out)


def nan_replaced(x: Any, number: float) -> Any:
    """`x` with `number` where it is NaN; nothing flows back from there."""
    x = as_array(x)
    return np.where(np.isnan(x), number, x) if x.dtype.kind == "f" else x


def _with_initial(primitive, name, x, axis, dtype, out, include_initial, identity):
    x = as_array(x)
    if axis is None and x.ndim >= 2:
        raise ValueError(f"{name} needs the axis of an array with {x.ndim} axes")
    y = accumulate(primitive, name, x, axis, dtype, out)
    if not include_initial:
        return y
    (axis,) = normalize_axes(0 if axis is None else operator.index(axis), y.ndim)
    start = np.full_like(y, identity, shape=(*y.shape[:axis], 1, *y.shape[axis + 1 :]))
    return np.concatenate((start, y), axis=axis)


@handles(np.cumulative_sum)
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """`np.cumulative_sum`."""
    return _with_initial(CUMSUM, "np.cumulative_sum", x, axis, dtype, out, include_initial, 0)


@handles(np.cumulative_prod)
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """`np.cumulative_prod`."""
    return _with_initial(CUMPROD, "np.cumulative_prod", x, axis, dtype, out, include_initial, 1)


FAMILY = (CUMSUM, CUMPROD, RECURRENCE, RECURRENCE_BACK)
