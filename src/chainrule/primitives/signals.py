"""Signals along one axis: `np.convolve`, `np.correlate` and `np.interp`.

The one idea of the first two: the full convolution and the valid correlation are each other's transpose in either operand,
so two bilinear primitives say everything; "same" is a slice of the full one.

    full[n] = sum_k a[k] v[n - k]        valid[n] = sum_k a[n + k] v[k]

>>> np.convolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]))
array([0. , 1. , 2.5, 4. , 1.5])

`np.interp` follows the segment that it reads: a point on a knot belongs to the segment that begins there.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ArgumentError, ShapeError, UnsupportedError
from chainrule.index_form import Delta, Inside, Times, Total, combined
from chainrule.primitive import Primitive, apply, general, handles, linear, ufunc_dtype, weak_type
from chainrule.primitives.indexing import ARRAY, INDEX_ADD
from chainrule.primitives.linear_algebra import matmul
from chainrule.primitives.padding import PAD
from chainrule.primitives.selecting import array
from chainrule.primitives.sorting import searchsorted
from chainrule.primitives.windows import WINDOWS

# -- convolve and correlate --------------------------------------------------------------------------------------------


def _product_dtype(a, v):
    return ufunc_dtype(np.multiply, (weak_type(a), weak_type(v)))


def _pairs(rng):
    r = rng.standard_normal
    return [((r(5), r(3)), ()), ((r(4), r(4)), ()), ((r(3), r(1)), ())]


def _convolved_entry(entries, at, letters):
    a, v = entries
    k = letters.new(a.sizes[0])
    place = combined(((1, at[0]), (-1, k)))
    single = v.sizes[0] == 1
    inside = Delta(place, 0) if single else Inside(place, v.sizes[0])
    body = Times((inside, a(k), v(0 if single else place)))
    return Total((k,), body) if a.sizes[0] != 1 else body


def _correlated_entry(entries, at, letters):
    a, v = entries
    k = letters.new(v.sizes[0])
    body = Times((a(combined(((1, at[0]), (1, k)))), v(k)))
    return Total((k,), body) if v.sizes[0] != 1 else body


CONVOLVE: Primitive = linear(
    "convolve",
    np.convolve,
    (
        lambda y_bar, a, v: apply(CORRELATE, y_bar, v),
        lambda y_bar, a, v: apply(CORRELATE, y_bar, a),
    ),
    lambda a, v: (a.shape[0] + v.shape[0] - 1,),
    dtype_rule=_product_dtype,
    converts_from=0,
    samples=_pairs,
    latex="{0} * {1}",
    index_form=_convolved_entry,
)
CORRELATE: Primitive = linear(
    "correlate",
    np.correlate,
    (
        lambda y_bar, a, v: apply(CONVOLVE, y_bar, v),
        lambda y_bar, a, v: apply(CORRELATE, a, y_bar),
    ),
    lambda a, v: (a.shape[0] - v.shape[0] + 1,),
    dtype_rule=_product_dtype,
    converts_from=0,
    samples=_pairs,
    complex_step="rule",  # NumPy conjugates v
    analytic=lambda a, v: np.convolve(a, v[::-1], mode="valid"),
    latex=r"{0} \star {1}",
    index_form=_correlated_entry,
)
MODES = ("full", "same", "valid")


def _vectors(name, a, v, mode):
    if mode not in MODES:
        raise UnsupportedError(f"np.{name}(..., mode={mode!r}): the modes are 'full', 'same' and 'valid'")
    vectors = [x.reshape((1,)) if x.ndim == 0 else x for x in map(array, (a, v))]
    for x in vectors:
        if x.ndim != 1:
            raise ShapeError(f"np.{name} takes vectors, not an array with {x.ndim} axes")
        if isinstance(x.shape[0], int) and x.shape[0] == 0:
            raise ShapeError(f"np.{name} needs entries on both sides")
    return vectors


def _from_full(full, a, v, mode):
    """The full product, or its middle, as long as the longer one."""
    start = (v.shape[0] - 1) // 2
    return full if mode == "full" else full[start : start + a.shape[0]]


@handles(np.convolve)
def convolve(a, v, mode="full"):
    """`np.convolve`, in all three modes."""
    a, v = _vectors("convolve", a, v, mode)
    if v.shape[0] > a.shape[0]:
        a, v = v, a
    return apply(CORRELATE, a, v[::-1]) if mode == "valid" else _from_full(apply(CONVOLVE, a, v), a, v, mode)


@handles(np.correlate)
def correlate(a, v, mode="valid"):
    """`np.correlate`, in all three modes."""
    a, v = _vectors("correlate", a, v, mode)
    if v.shape[0] > a.shape[0]:
        return _correlated(v, a, mode)[::-1]
    return _correlated(a, v, mode)


def _correlated(a, v, mode):
    """The correlation of `a` with a `v` that is no longer."""
    return apply(CORRELATE, a, v) if mode == "valid" else _from_full(apply(CONVOLVE, a, v[::-1]), a, v, mode)


def slid_on_stacks(full, a, v):
    """Either product on stacks of vectors (or one vector for all): windows of `a` times `v`; None if `v` has no number."""
    size = v.shape[-1]
    if type(size) is not int:
        return None
    if full:
        v = v[..., ::-1]
        a = apply(PAD, a, params=(((0, 0),) * (a.ndim - 1) + ((size - 1, size - 1),), ((0, 0),) * a.ndim))
    seen = apply(WINDOWS, a, params=(size, a.ndim - 1))
    if v.ndim == 1:
        return matmul(seen, v)
    if a.ndim == 1:
        return matmul(v, np.transpose(seen))
    return np.squeeze(matmul(seen, np.expand_dims(v, 2)), 2)


# -- interp ------------------------------------------------------------------------------------------------------------


def _segment(x, xp):
    """The number of each point's segment, how far along it the point is, and whether it is inside."""
    last = xp.shape[0] - 2
    k = np.minimum(np.maximum(searchsorted(xp, x, "right") - 1, 0), last)
    inside = (x >= xp[0]) & (x < xp[-1])
    width = np.where(inside, xp[k + 1] - xp[k], 1.0)
    share = np.where(inside, (x - xp[k]) / width, np.where(x < xp[0], 0.0, 1.0))
    return k, share, inside, width


def _slope(k, inside, width, fp):
    return np.where(inside, (fp[k + 1] - fp[k]) / width, 0.0)


def _to_knots(values, k, share, knots):
    """What belongs to each point, shared among the two ends of its segment."""
    template = ((ARRAY, 0),)
    left = apply(INDEX_ADD, values * (1.0 - share), k, params=(template, knots.shape))
    return left + apply(INDEX_ADD, values * share, k + 1, params=(template, knots.shape))


def _by_x(y_bar, x, xp, fp, y):
    k, _, inside, width = _segment(x, xp)
    return y_bar * _slope(k, inside, width, fp)


def _by_xp(y_bar, x, xp, fp, y):
    k, share, inside, width = _segment(x, xp)
    return _to_knots(-y_bar * _slope(k, inside, width, fp), k, share, xp)


def _by_fp(y_bar, x, xp, fp, y):
    k, share, _, _ = _segment(x, xp)
    return _to_knots(y_bar, k, share, fp)


def _interp_jvp(tangents, operands, y, params):
    x_dot, xp_dot, fp_dot = tangents
    x, xp, fp = operands
    k, share, inside, width = _segment(x, xp)
    slope = _slope(k, inside, width, fp)
    total = None if x_dot is None else x_dot * slope
    for dot, factor in ((xp_dot, -slope), (fp_dot, None)):
        if dot is not None:
            part = dot[k] * (1.0 - share) + dot[k + 1] * share
            part = part if factor is None else part * factor
            total = part if total is None else total + part
    return total


def _analytic_interp(x, xp, fp):
    """The same straight lines for complex numbers, each point on the segment of its real part."""
    k = np.clip(np.searchsorted(xp.real, x.real, side="right") - 1, 0, len(xp) - 2)
    inner = fp[k] + (x - xp[k]) * (fp[k + 1] - fp[k]) / (xp[k + 1] - xp[k])
    return np.where(x.real < xp[0].real, fp[0], np.where(x.real >= xp[-1].real, fp[-1], inner))


INTERP: Primitive = general(
    "interp",
    np.interp,
    (_by_x, _by_xp, _by_fp),
    _interp_jvp,
    lambda x, xp, fp: x.shape,
    dtype_rule=lambda x, xp, fp: np.dtype(np.float64),
    samples=lambda rng: [
        ((rng.uniform(-0.5, 4.5, 7), np.arange(5) + rng.uniform(0.0, 0.5, 5), rng.standard_normal(5)), ()),
        ((rng.uniform(0.5, 1.0, (2, 3)), np.array([0.1, 0.9, 3.0]), rng.standard_normal(3)), ()),
    ],
    singular=True,
    complex_step="rule",
    analytic=_analytic_interp,
    kinks="a point on a knot: it belongs to the segment that begins there",
    latex=r"\operatorname{{interp}}({0}, {1}, {2})",
)


@handles(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """`np.interp`: straight lines between knots, differentiable by the points, the knots and the values."""
    x, xp, fp = map(array, (x, xp, fp))
    if any(value.dtype.kind not in "fiub" for value in (x, xp, fp)):
        raise UnsupportedError("np.interp of complex numbers: interpolate real and imaginary parts on their own")
    x, xp, fp = (value if value.dtype == np.float64 else value.astype(np.float64) for value in (x, xp, fp))
    if xp.ndim != 1 or fp.ndim != 1:
        raise ShapeError("np.interp: xp and fp must be vectors")
    if xp.shape[0] != fp.shape[0] or (isinstance(xp.shape[0], int) and xp.shape[0] == 0):
        raise ShapeError(f"np.interp: {int(xp.shape[0])} knots for {int(fp.shape[0])} values")
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, period)
        left = right = None
    single = isinstance(xp.shape[0], int) and xp.shape[0] == 1
    if single:
        y = np.where(np.isnan(x), x, np.broadcast_to(fp, x.shape) if x.ndim else fp[0])
    else:
        y = apply(INTERP, x, xp, fp)
    if left is not None:
        y = np.where(x < xp[0], left, y)
    return y if right is None else np.where(x > xp[-1], right, y)


def _periodic(x, xp, fp, period):
    """One period of knots, in order, and a knot more on either side."""
    if hasattr(period, "known_value"):
        raise UnsupportedError("np.interp by a traced period: divide x and xp by it, and interpolate with period=1")
    if period == 0:
        raise ArgumentError("np.interp: the period must not be 0")
    period = abs(float(period))
    x, xp = np.mod(x, period), np.mod(xp, period)
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[-1:], fp, fp[:1]])


FAMILY = (CONVOLVE, CORRELATE, INTERP)
