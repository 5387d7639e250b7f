"""Moving values without changing them: reshape, broadcast, expand, squeeze, concatenate, stack, index, convert.

All are linear. `broadcast_to` and `convert` are also what the tracer records, unasked, where NumPy broadcasts or
promotes silently: so the reverse of a broadcast is a visible sum, and the reverse of a promotion a visible conversion.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.index_form import ZERO, Delta, Holds, Inside, Plus, Times, moved
from chainrule.primitive import Primitive, apply, handles, linear, ufunc_dtype, weak_type
from chainrule.shapes import Guard, SizeExpr, divide_exactly, hint_of, normalize_axes, same_dim, str_shape

# -- what is asked of a shape ------------------------------------------------------------------------------------------


@handles(np.shape)
def _shape(a):
    return a.shape


@handles(np.ndim)
def _ndim(a):
    return a.ndim


@handles(np.size)
def _size(a, axis=None):
    return math.prod(a.shape[i] for i in normalize_axes(axis, a.ndim))


@handles(np.copy)
def _copy(a, order="K", subok=False):
    return +a


# -- reshape, expand, squeeze ------------------------------------------------------------------------------------------


def complete_shape(x, shape) -> tuple:
    """The target of a reshape with its -1 worked out; raises ShapeError when the entries do not fit."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    total = math.prod(x.shape)
    open_axes = [axis for axis, dim in enumerate(shape) if isinstance(dim, (int, np.integer)) and dim == -1]
    if len(open_axes) > 1:
        raise ShapeError(f"reshape to {shape}: only one axis can be -1")
    if open_axes:
        known = math.prod(dim for axis, dim in enumerate(shape) if axis != open_axes[0])
        rest = _quotient(total, known)
        shape = tuple(rest if axis == open_axes[0] else dim for axis, dim in enumerate(shape))
    return shape


def _quotient(total, known):
    expression, divisor = getattr(total, "expr", total), getattr(known, "expr", known)
    if not isinstance(expression, SizeExpr) and not isinstance(divisor, SizeExpr):
        if known == 0 or total % known:
            raise ShapeError(f"{total} entries cannot be reshaped into rows of {known}")
        return total // known
    if divide_exactly(expression, divisor) is None and hint_of(expression) % hint_of(divisor):
        raise ShapeError(f"{hint_of(expression)} entries cannot be reshaped into rows of {hint_of(divisor)}")
    return total // known


def _reshaped(x, shape):
    if not same_dim(math.prod(x.shape), math.prod(shape)):
        raise ShapeError(f"{str_shape(x.shape)} cannot be reshaped into {str_shape(shape)}")
    return shape


def _reshape_entry(entries, at, letters, shape):
    """Axes that are split or merged: a position on the long axis is a mixed number of those on the short ones."""
    old, new = entries[0].sizes, tuple(map(letters.size, shape))
    inner: list = [0] * len(old)
    long_axes, short_axes = [a for a, n in enumerate(old) if n != 1], [a for a, n in enumerate(new) if n != 1]
    while long_axes or short_axes:
        left, right = [long_axes.pop(0)] if long_axes else [], [short_axes.pop(0)] if short_axes else []
        while not letters.same_count([old[a] for a in left], [new[a] for a in right]):
            if letters.count([old[a] for a in left]) < letters.count([new[a] for a in right]):
                if not long_axes:
                    return None
                left.append(long_axes.pop(0))
            elif not short_axes:
                return None
            else:
                right.append(short_axes.pop(0))
        if len(left) == 1:
            inner[left[0]] = letters.joined([at[a] for a in right], [new[a] for a in right])
        elif len(right) == 1:
            for axis, position in zip(left, letters.split(at[right[0]], [old[a] for a in left]), strict=True):
                inner[axis] = position
        else:
            return None
        if any(inner[axis] is None for axis in left):
            return None
    return entries[0](*inner)


RESHAPE = linear(
    "reshape",
    np.reshape,
    (lambda y_bar, x, shape: np.reshape(y_bar, x.shape),),
    _reshaped,
    param_names=("shape",),
    samples=lambda rng: [((rng.standard_normal((3, 4)),), ((2, 6),)), ((rng.standard_normal((3,)),), ((3, 1),))],
    latex=r"\operatorname{{reshape}} {0}",
    index_form=_reshape_entry,
)


@handles(np.reshape)
def reshape(x, /, shape, order="C", *, copy=None):
    """`np.reshape` in row-major order."""
    if order != "C":
        raise UnsupportedError(f"np.reshape(..., order={order!r}): transpose first, then reshape")
    return apply(RESHAPE, x, params=(complete_shape(x, shape),))


@handles(np.ravel)
def ravel(x, order="C"):
    """All entries in one axis."""
    return reshape(x, (-1,), order)


def _expanded_shape(x, axes):
    dims = iter(x.shape)
    return tuple(1 if axis in axes else next(dims) for axis in range(x.ndim + len(axes)))


EXPAND_DIMS = linear(
    "expand_dims",
    np.expand_dims,
    (lambda y_bar, x, axes: np.squeeze(y_bar, axes),),
    _expanded_shape,
    param_names=("axis",),
    samples=lambda rng: [((rng.standard_normal((3, 4)),), ((0,),)), ((rng.standard_normal((3,)),), ((0, 2),))],
    latex="{0}",
    index_form=lambda entries, at, letters, axes: entries[0](*(p for axis, p in enumerate(at) if axis not in axes)),
)


@handles(np.expand_dims)
def expand_dims(x, axis):
    """Axes of size 1 put in."""
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = normalize_axes(axis, x.ndim + count)
    return apply(EXPAND_DIMS, x, params=(axes,)) if axes else x


def _squeeze_entry(entries, at, letters, axes):
    rest = iter(at)
    return entries[0](*(0 if axis in axes else next(rest) for axis in range(len(entries[0].sizes))))


SQUEEZE = linear(
    "squeeze",
    np.squeeze,
    (lambda y_bar, x, axes: np.expand_dims(y_bar, axes),),
    lambda x, axes: tuple(dim for axis, dim in enumerate(x.shape) if axis not in axes),
    param_names=("axis",),
    samples=lambda rng: [((rng.standard_normal((3, 1, 4, 1)),), ((1, 3),))],
    latex="{0}",
    index_form=_squeeze_entry,
)


def _needs_long_axes(x):
    """Note that the program is made for named sizes of at least 2: at 1 another axis would go."""
    for dim in x.shape:
        if type(dim) is not int and hasattr(dim, "expr"):
            dim.expr.scope.guards.append(Guard(dim.expr, ">=", 2))


@handles(np.squeeze)
def squeeze(x, axis=None):
    """Axes of size 1 taken out."""
    if axis is None:
        _needs_long_axes(x)
    unit = tuple(a for a, dim in enumerate(x.shape) if isinstance(dim, int) and dim == 1)
    axes = unit if axis is None else normalize_axes(axis, x.ndim)
    if any(a not in unit for a in axes):
        raise ShapeError(f"np.squeeze: axis {axis} of {x.shape} is not 1")
    return apply(SQUEEZE, x, params=(axes,)) if axes else x


# -- broadcast and convert ---------------------------------------------------------------------------------------------


def sum_to(y, shape):
    """Sum away the axes along which an array of `shape` was broadcast."""
    return _reduce_to(np.sum, y, shape)


def max_to(y, shape):
    """The largest along the axes along which an array of `shape` was broadcast; of a mask: whether any is true."""
    return _reduce_to(np.max, y, shape)


def _reduce_to(function, y, shape):
    extra = y.ndim - len(shape)
    stretched = tuple(
        axis for axis, dim in enumerate(y.shape) if axis < extra or (_is_one(shape[axis - extra]) and not _is_one(dim))
    )
    if stretched:
        y = function(y, axis=stretched, keepdims=extra == 0)
        if extra and y.ndim < len(shape):
            y = np.reshape(y, shape)
    return y


def _is_one(dim) -> bool:
    return isinstance(dim, int) and dim == 1


def _broadcast_shape(x, shape):
    if len(shape) < x.ndim or any(
        dim != 1 and not same_dim(dim, target)
        for dim, target in zip(x.shape, shape[len(shape) - x.ndim :], strict=True)
    ):
        raise ShapeError(f"{str_shape(x.shape)} cannot be broadcast to {str_shape(shape)}")
    return shape


def _broadcast_entry(entries, at, letters, shape):
    """The operand's own axes are the last ones, and one of size 1 has a single position."""
    sizes = entries[0].sizes
    own = at[len(at) - len(sizes) :]
    return entries[0](*(0 if size == 1 else position for size, position in zip(sizes, own, strict=True)))


BROADCAST_TO = linear(
    "broadcast_to",
    np.broadcast_to,
    (lambda y_bar, x, shape: sum_to(y_bar, x.shape),),
    _broadcast_shape,
    param_names=("shape",),
    samples=lambda rng: [
        ((rng.standard_normal(4),), ((3, 4),)),
        ((rng.standard_normal((3, 1)),), ((3, 4),)),
        ((rng.standard_normal((1, 3, 1)),), ((2, 2, 3, 4),)),
        ((np.float64(rng.standard_normal()),), ((3, 2),)),
    ],
    latex="{0}",
    index_form=_broadcast_entry,
)


@handles(np.broadcast_to)
def broadcast_to(x, shape, subok=False):
    """`np.broadcast_to`."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return apply(BROADCAST_TO, x, params=(shape,))


def _convert(x, dtype):
    return np.asarray(x).astype(dtype)[()] if np.ndim(x) == 0 else x.astype(dtype, copy=False)


def _convert_entry(entries, at, letters, dtype):
    if dtype.kind == "b":
        return Holds("!=", entries[0](*at), ZERO)
    whole = entries[0].dtype.kind in "iub"
    return entries[0](*at) if dtype.kind == "f" or whole else None  # what is cut off has no sign


CONVERT: Primitive = linear(
    "convert",
    _convert,
    (lambda y_bar, x, dtype: apply(CONVERT, y_bar, params=(x.dtype,)) if x.dtype.kind == "f" else None,),
    lambda x, dtype: x.shape,
    dtype_rule=lambda x, dtype: dtype,
    param_names=("dtype",),
    complex_step="rule",
    analytic=lambda x, dtype: x if dtype.kind == "f" else x.real.astype(dtype),
    samples=lambda rng: [
        ((rng.standard_normal((3, 4)),), (np.dtype(np.float64),)),
        ((3 * rng.standard_normal((3, 4)),), (np.dtype(np.int64),)),
        ((rng.standard_normal((3, 4)) > 0,), (np.dtype(np.float64),)),
    ],
    latex="{0}",
    index_form=_convert_entry,
)


@handles(np.astype)
def astype(x, dtype, /, *, copy=True, device=None):
    """`x.astype(dtype)`: to a float differentiable, to an integer or boolean without derivative."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub":
        raise UnsupportedError(f"astype({dtype}): only real dtypes can be traced")
    if not copy and dtype == x.dtype and not getattr(x, "weak", False):
        return x  # the same array, as in NumPy: a write into one is seen in the other
    return apply(CONVERT, x, params=(dtype,))


# -- concatenate and stack ---------------------------------------------------------------------------------------------


def _zeros_for_missing(tangents, operands):
    return [np.zeros_like(x) if x_dot is None else x_dot for x_dot, x in zip(tangents, operands, strict=True)]


def _slice_of(index, y_bar, operands, params):
    (axis,) = params
    start = sum((x.shape[axis] for x in operands[:index]), 0)
    stop = start + operands[index].shape[axis]
    return y_bar[(slice(None),) * axis + (slice(start, stop),)]


def _joined_shape(*operands_and_axis):
    *operands, axis = operands_and_axis
    first = operands[0].shape
    for x in operands[1:]:
        if len(x.shape) != len(first) or any(
            not same_dim(a, b) for i, (a, b) in enumerate(zip(first, x.shape, strict=True)) if i != axis
        ):
            raise ShapeError(f"np.concatenate: {str_shape(first)} and {str_shape(x.shape)} differ beside axis {axis}")
    return (*first[:axis], sum((x.shape[axis] for x in operands[1:]), first[axis]), *first[axis + 1 :])


def _common_dtype(*operands_and_axis):
    *operands, _ = operands_and_axis
    dtype = operands[0].dtype
    for x in operands[1:]:
        dtype = ufunc_dtype(np.maximum, (weak_type(x), dtype))
    return dtype


def _joining(name, forward, rule, shape_rule, samples, index_form):
    def tangent(tangents, operands, y, params):
        return apply(primitive, *_zeros_for_missing(tangents, operands), params=params)

    primitive = linear(
        name,
        lambda *operands: forward(operands[:-1], axis=operands[-1]),
        (rule,),
        shape_rule,
        dtype_rule=_common_dtype,
        converts_from=0,
        variadic=True,
        jvp=tangent,
        param_names=("axis",),
        samples=samples,
        latex=rf"\operatorname{{{{{name}}}}}",
        index_form=index_form,
    )
    primitive.kind = "general"  # its jvp fills the operands that do not move with zeros
    return primitive


def _concatenate_entry(entries, at, letters, axis):
    """Each part where its own positions are, and nothing elsewhere."""
    start, terms = 0, []
    for entry in entries:
        position = moved(at[axis], offset=-start)
        size = letters.number(entry.sizes[axis])
        own = 0 if size == 1 else position
        inside = Delta(position, 0) if size == 1 else Inside(position, entry.sizes[axis])
        terms.append(Times((inside, entry(*at[:axis], own, *at[axis + 1 :]))))
        start += size
    return Plus(tuple(terms))


def _stack_entry(entries, at, letters, axis):
    if isinstance(at[axis], int):
        return entries[at[axis]](*at[:axis], *at[axis + 1 :])
    rest = (*at[:axis], *at[axis + 1 :])
    return Plus(tuple(Times((Delta(at[axis], place), entry(*rest))) for place, entry in enumerate(entries)))


CONCATENATE = _joining(
    "concatenate",
    np.concatenate,
    _slice_of,
    _joined_shape,
    lambda rng: [((rng.standard_normal((2, 3)), rng.standard_normal((2, 4))), (1,))],
    _concatenate_entry,
)


def _stacked_shape(*operands_and_axis):
    *operands, axis = operands_and_axis
    first = operands[0].shape
    for x in operands[1:]:
        if len(x.shape) != len(first) or not all(map(same_dim, first, x.shape)):
            raise ShapeError(f"np.stack: {str_shape(first)} and {str_shape(x.shape)} differ")
    return (*first[:axis], len(operands), *first[axis:])


STACK = _joining(
    "stack",
    np.stack,
    lambda index, y_bar, operands, params: y_bar[(slice(None),) * params[0] + (index,)],
    _stacked_shape,
    lambda rng: [((rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), (1,))],
    _stack_entry,
)


@handles(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """`np.concatenate` along an axis, or of everything flattened for `axis=None`."""
    if out is not None or dtype is not None:
        raise UnsupportedError("np.concatenate(..., out=, dtype=) is not supported")
    arrays = [x if hasattr(x, "ndim") else np.asarray(x) for x in arrays]
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    if arrays[0].ndim == 0:
        raise ShapeError("np.concatenate needs arrays with an axis; use np.stack for scalars")
    return apply(CONCATENATE, *arrays, params=normalize_axes(int(axis), arrays[0].ndim))


@handles(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """`np.stack` along a new axis."""
    if out is not None or dtype is not None:
        raise UnsupportedError("np.stack(..., out=, dtype=) is not supported")
    arrays = [x if hasattr(x, "ndim") else np.asarray(x) for x in arrays]
    return apply(STACK, *arrays, params=normalize_axes(int(axis), arrays[0].ndim + 1))


FAMILY = (RESHAPE, EXPAND_DIMS, SQUEEZE, BROADCAST_TO, CONVERT, CONCATENATE, STACK)
