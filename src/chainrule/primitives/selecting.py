"""Picking entries by number or by condition: take, take_along_axis, choose, select, piecewise, compress, extract, clip.

The one idea: what is picked is linear in what it is picked from, and goes back to where it came from; an entry that was
picked twice collects both. Positions themselves have no derivative.

>>> x = np.array([[3.0, 1.0, 2.0]])
>>> np.take_along_axis(x, np.array([[0, 0, 2]]), axis=1)
array([[3., 3., 2.]])
>>> add_along_axis(np.ones((1, 3)), np.array([[0, 0, 2]]), 1, 3)
array([[2., 0., 1.]])

How many entries a condition picks depends on values: known under `grad`, refused while staging.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.index_form import Counted, Delta, Entry, Holds, Plus, Times, Total, Value, entrywise
from chainrule.primitive import Primitive, apply, general, handles, linear, same_shape, weak_type
from chainrule.primitives.arithmetic import CLIP
from chainrule.primitives.indexing import ARRAY, INDEX_ADD, index
from chainrule.pytree import Recorder
from chainrule.shapes import broadcast_shapes, normalize_axes, same_dim, str_shape

MODES = ("raise", "wrap", "clip")


def array(x):
    """`x` as NumPy's functions see it: an array, or what is traced as one."""
    return x if hasattr(x, "ndim") else np.asarray(x)


def one_axis(axis, ndim: int) -> int:
    """One axis, counted from 0."""
    (place,) = normalize_axes(axis, ndim)
    return place


def truth_of(mask, asked: str):
    """The plain mask; of a traced one its value, which is known under `grad` alone."""
    if isinstance(mask, Recorder):
        return mask.known_value(f"{asked}, so its shape depends on values; multiply by the mask, or use np.where")  # type: ignore[attr-defined]
    return np.asarray(mask)


# -- along an axis -----------------------------------------------------------------------------------------------------


def add_along_axis(y, indices, axis, size):
    """What `np.take_along_axis` took, added back to zeros where it came from."""
    x = np.zeros((*y.shape[:axis], size, *y.shape[axis + 1 :]), dtype=y.dtype)
    places = list(np.indices(indices.shape, sparse=True))
    places[axis] = indices
    np.add.at(x, tuple(places), y)
    return x


def _along_shape(x, indices, axis):
    _same_beside(x.shape, indices.shape, axis)
    return indices.shape


def _same_beside(left, right, axis):
    if len(left) != len(right) or any(
        not same_dim(a, b) for i, (a, b) in enumerate(zip(left, right, strict=True)) if i != axis
    ):
        raise ShapeError(f"take_along_axis: {str_shape(left)} and {str_shape(right)} differ beside axis {axis}")


def _along_entry(entries, at, letters, axis):
    """`y[i, j] = x[i, p[i, j]]`."""
    x, positions = entries
    label = positions(*at)
    if isinstance(label, Counted):
        label = label.position
    elif not isinstance(label, Entry):
        return None
    return x(*at[:axis], label, *at[axis + 1 :])


def _added_entry(entries, at, letters, axis, size):
    """`x[i, j] = sum_k y[i, k]` over the k with `p[i, k] = j`."""
    y, positions = entries
    k = letters.new(y.sizes[axis])
    where = (*at[:axis], k, *at[axis + 1 :])
    label = positions(*where)
    if isinstance(label, Counted):
        label = label.position
    elif not isinstance(label, Entry):
        return None
    body = Times((Delta(label, at[axis]), y(*where)))
    return body if y.sizes[axis] == 1 else Total((k,), body)


def _along_samples(rng):
    r = rng.standard_normal
    return [
        ((r(4), np.array([2, 0, 2])), (0,)),
        ((r((3, 4)), rng.integers(0, 4, (3, 2))), (1,)),
        ((r((2, 3, 4)), rng.integers(0, 3, (2, 5, 4))), (1,)),
        ((r((3, 4)), np.argsort(r((3, 4)), axis=0)), (0,)),
    ]


TAKE_ALONG: Primitive = linear(
    "take_along_axis",
    lambda x, indices, axis: np.take_along_axis(x, indices, axis=axis),
    (lambda y_bar, x, indices, axis: apply(ADD_ALONG, y_bar, indices, params=(axis, x.shape[axis])), None),
    _along_shape,
    param_names=("axis",),
    samples=_along_samples,
    latex=r"\operatorname{{take}}_{{{1}}} {0}",
    index_form=_along_entry,
)
ADD_ALONG: Primitive = linear(
    "add_along_axis",
    add_along_axis,
    (lambda x_bar, y, indices, axis, size: apply(TAKE_ALONG, x_bar, indices, params=(axis,)), None),
    lambda y, indices, axis, size: (*y.shape[:axis], size, *y.shape[axis + 1 :]),
    param_names=("axis", "size"),
    samples=lambda rng: [
        ((rng.standard_normal(3), np.array([2, 0, 2])), (0, 4)),
        ((rng.standard_normal((2, 5, 4)), rng.integers(0, 3, (2, 5, 4))), (1, 3)),
    ],
    latex=r"\operatorname{{take}}_{{{1}}}^T {0}",
    index_form=_added_entry,
    helper="chainrule.primitives.selecting:add_along_axis",
)


@handles(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    """`np.take_along_axis`, in which all other axes broadcast."""
    x, indices = array(arr), array(indices)
    if axis is None:
        x, axis = x.reshape((-1,)), 0
    if indices.dtype.kind not in "iu":
        raise UnsupportedError(f"np.take_along_axis needs positions (integers), not {indices.dtype}")
    if x.ndim != indices.ndim:
        raise ShapeError(f"np.take_along_axis: indices have {indices.ndim} axes, the array has {x.ndim}")
    axis = one_axis(axis, x.ndim)
    rest = broadcast_shapes(*((*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in (x, indices)))
    x, indices = (_stretched(a, rest, axis) for a in (x, indices))
    return apply(TAKE_ALONG, x, indices, params=(axis,))


def _stretched(x, rest, axis):
    shape = (*rest[:axis], x.shape[axis], *rest[axis + 1 :])
    return x if tuple(x.shape) == shape else np.broadcast_to(x, shape)


@handles(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    """`np.take`: entries by number along an axis; a number out of range is an error, wraps around, or is clipped."""
    if out is not None:
        raise UnsupportedError("np.take(..., out=) writes into an array; write y = np.take(x, indices, axis)")
    _checked_mode("take", mode)
    x, indices = array(a), array(indices)
    if axis is None or x.ndim == 0:
        x, axis = x.reshape((-1,)), 0
    axis = one_axis(axis, x.ndim)
    if indices.dtype.kind == "b":  # as numbers 0 and 1, not as a mask
        indices = indices.astype(np.int64)
    indices = _in_range(indices, x.shape[axis], mode)
    return index(x, (slice(None),) * axis + (indices,))


def _checked_mode(name, mode):
    if mode not in MODES:
        raise UnsupportedError(f"np.{name}(..., mode={mode!r}): the modes are 'raise', 'wrap' and 'clip'")


def _in_range(indices, size, mode):
    if mode == "clip":
        return np.minimum(np.maximum(indices, 0), size - 1)
    return np.mod(indices, size) if mode == "wrap" else indices


# -- one of several arrays ---------------------------------------------------------------------------------------------


def _chosen(k, y_bar, operands, params):
    return np.where(operands[0] == k - 1, y_bar, 0.0) if k else None


def _choose_jvp(tangents, operands, y, params):
    return apply(CHOOSE, operands[0], *(0.0 if x_dot is None else x_dot for x_dot in tangents[1:]))


CHOOSE = general(
    "choose",
    lambda numbers, *choices: np.choose(numbers, choices),
    (_chosen,),
    _choose_jvp,
    same_shape,
    dtype_rule=lambda numbers, *choices: np.result_type(*map(_kind_of, choices)),
    variadic=True,
    broadcasts=True,
    converts_from=1,
    samples=lambda rng: [
        ((np.array([1, 0, 2, 1]), *rng.standard_normal((3, 4))), ()),
        ((rng.integers(0, 2, (2, 3)), *rng.standard_normal((2, 2, 3))), ()),
    ],
    latex=r"\operatorname{{choose}}_{{{0}}}",
    index_form=entrywise(
        lambda which, *choices: Plus(
            tuple(Times((Holds("==", which, Value(Fraction(k))), x)) for k, x in enumerate(choices))
        )
    ),
)


@handles(np.choose)
def choose(a, choices, out=None, mode="raise"):
    """`np.choose`: entry by entry, from the choice with that number."""
    if out is not None:
        raise UnsupportedError("np.choose(..., out=) writes into an array; write y = np.choose(a, choices)")
    _checked_mode("choose", mode)
    numbers = array(a)
    if numbers.dtype.kind not in "iub":
        raise UnsupportedError(f"np.choose needs numbers of choices (integers), not {numbers.dtype}")
    choices = [choice if type(choice) in (int, float) else array(choice) for choice in choices]
    numbers = _in_range(numbers.astype(np.int64), len(choices), mode)
    return apply(CHOOSE, numbers, *choices)


@handles(np.select)
def select(condlist, choicelist, default=0):
    """`np.select`: the first choice whose condition holds, as one `np.where` in another."""
    if len(condlist) != len(choicelist):
        raise ShapeError(f"np.select has {len(condlist)} conditions for {len(choicelist)} choices: give one for each")
    if not condlist:
        raise ShapeError("np.select needs at least one condition")
    conditions = [array(condition) for condition in condlist]
    if any(condition.dtype.kind != "b" for condition in conditions):
        raise UnsupportedError("np.select needs conditions that are true or false; write x != 0 for x")
    choices = [choice if type(choice) in (int, float) else array(choice) for choice in (*choicelist, default)]
    dtype = np.result_type(*map(_kind_of, choices))
    result = choices.pop()
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = np.where(condition, choice, result)
    return result if result.dtype == dtype else result.astype(dtype)


def _kind_of(x):
    kind = weak_type(x)
    return kind(0) if kind is int or kind is float else kind  # type: ignore[operator]


@handles(np.piecewise)
def piecewise(x, condlist, funclist, *args, **kw):
    """`np.piecewise`: each function sees the entries of its own piece, as many as there are; the last piece wins."""
    x = array(x)
    if _is_one_condition(condlist, x.ndim):
        condlist = [condlist]
    conditions = [c if hasattr(c, "dtype") and c.dtype.kind == "b" else array(c) != 0 for c in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:  # the last one is for what no condition holds of
        covered = conditions[0]
        for condition in conditions[1:]:
            covered = covered | condition
        conditions.append(~covered)
    if len(functions) != len(conditions):
        raise ShapeError(f"np.piecewise has {len(conditions)} conditions and {len(functions)} functions")
    y = np.zeros_like(x)
    for condition, function in zip(conditions, functions, strict=True):
        if tuple(condition.shape) != tuple(x.shape):
            raise ShapeError(
                f"np.piecewise: a condition of shape {str_shape(condition.shape)} for {str_shape(x.shape)}"
            )
        piece = _piece(x, condition, function, args, kw)
        if piece is not None:
            y = np.where(condition, array(piece).astype(x.dtype), y)
    return y


def _is_one_condition(condlist, ndim) -> bool:
    if hasattr(condlist, "ndim"):
        return condlist.ndim == 0 or (condlist.ndim == 1 and ndim != 0)
    if not isinstance(condlist, (list, tuple)):
        return True
    return ndim != 0 and not isinstance(condlist[0], list) and not getattr(condlist[0], "ndim", 0)


def _piece(x, condition, function, args, kw):
    """The values of one piece where they belong: of a function, at its entries alone; None if there are no entries."""
    if not callable(function):
        if getattr(function, "ndim", 0) or isinstance(function, (list, tuple)):
            raise UnsupportedError("np.piecewise takes functions and numbers; write np.where for arrays")
        return function
    mask = truth_of(condition, "np.piecewise gives each function the entries of its own piece")
    if not mask.any():
        return None
    if x.ndim == 0:
        return array(function(x.reshape((1,)), *args, **kw)).reshape(())
    places = np.nonzero(mask)
    values = np.broadcast_to(function(index(x, mask), *args, **kw), places[0].shape)
    template = tuple((ARRAY, axis) for axis in range(x.ndim))
    return apply(INDEX_ADD, values, *places, params=(template, x.shape))


# -- by a condition ----------------------------------------------------------------------------------------------------


@handles(np.compress)
def compress(condition, a, axis=None, out=None):
    """`np.compress`: the rows, columns, ... for which the condition holds."""
    if out is not None:
        raise UnsupportedError("np.compress(..., out=) writes into an array; write y = np.compress(condition, x, axis)")
    mask = truth_of(condition, "np.compress picks as many entries as the condition has True")
    if mask.ndim != 1:
        raise ShapeError(f"np.compress needs a condition with one axis, not {mask.ndim}")
    return take(a, np.flatnonzero(mask), axis)


@handles(np.extract)
def extract(condition, arr):
    """`np.extract`: all entries for which the condition holds, in one axis."""
    mask = truth_of(condition, "np.extract picks as many entries as the condition has True")
    return take(arr, np.flatnonzero(mask))


def _positions(function):
    @handles(function)
    def handler(a):
        return function(truth_of(a, f"np.{function.__name__} finds as many positions as there are"))

    return handler


for _function in (np.nonzero, np.flatnonzero, np.argwhere):
    _positions(_function)


@handles(np.bincount)
def bincount(x, /, weights=None, minlength=0):
    """`np.bincount` of plain numbers, linear in the weights: each weight is added to its bin."""
    numbers = truth_of(x, "np.bincount has as many bins as its largest number says")
    counts = np.bincount(numbers, minlength=minlength)
    if weights is None:
        return counts
    weights = array(weights)
    if tuple(weights.shape) != numbers.shape:
        raise ShapeError(f"np.bincount: {numbers.size} numbers for weights of shape {str_shape(weights.shape)}")
    return apply(INDEX_ADD, weights.astype(np.float64), numbers, params=(((ARRAY, 0),), counts.shape))


# -- between bounds ----------------------------------------------------------------------------------------------------

_MISSING = np._NoValue  # type: ignore[attr-defined]


@handles(np.clip)
def clip(a, a_min=_MISSING, a_max=_MISSING, out=None, *, min=_MISSING, max=_MISSING, **options):
    """`np.clip`; a bound that is None is infinite, and the result has the dtype of all three together."""
    refused = (["out"] if out is not None else []) + list(options)
    if refused:
        raise UnsupportedError(
            f"np.clip(..., {'=, '.join(refused)}=) is not supported; write y = np.clip(x, low, high)"
        )
    if a_min is _MISSING and a_max is _MISSING:
        a_min, a_max = (None if bound is _MISSING else bound for bound in (min, max))
    elif a_min is _MISSING or a_max is _MISSING or min is not _MISSING or max is not _MISSING:
        raise UnsupportedError("np.clip needs both bounds, a_min and a_max, or min= and max=")
    x, low, high = (b if b is None or type(b) in (int, float) else array(b) for b in (a, a_min, a_max))
    dtype = np.result_type(*(_kind_of(value) for value in (x, low, high) if value is not None))
    if dtype.kind != "f":  # no derivative; and an infinite bound is no integer
        x = x if low is None else np.maximum(x, low)
        x = x if high is None else np.minimum(x, high)
        return x if x.dtype == dtype else x.astype(dtype)
    if type(x) is not float and type(x) is not int and x.dtype != dtype:
        x = x.astype(dtype)
    return apply(CLIP, x, -math.inf if low is None else low, math.inf if high is None else high)


FAMILY = (TAKE_ALONG, ADD_ALONG, CHOOSE)
