"""What has no operand to differentiate, or must not be differentiated: constants, one-hot rows, sizes, stop_gradient."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ArgumentError, DataError
from chainrule.index_form import Counted, Delta, Entry, function
from chainrule.primitive import Primitive, apply, elementwise, general, handles, register
from chainrule.pytree import Recorder


def _same(x):
    return x


STOP_GRADIENT = elementwise(
    _same,
    (None,),
    name="stop_gradient",
    dtype_rule=lambda x: x.dtype,
    samples=lambda rng: [((rng.standard_normal((3, 4)),), ())],
    complex_step="rule",
    analytic=lambda x: x.real,
    latex="{0}",
    entry=function("held"),
)


def stop_gradient(x):
    """`x` with its derivative taken as zero.

    Parameters
    ----------
    x : array or traced value

    Returns
    -------
    The same values; nothing flows back through them.

    Examples
    --------
    >>> import numpy as np
    >>> stop_gradient(np.array([1.0, 2.0]))
    array([1., 2.])
    """
    return apply(STOP_GRADIENT, x) if isinstance(x, Recorder) else x


SHIFT = elementwise(
    _same,
    (None,),
    name="shift",
    dtype_rule=lambda x: x.dtype,
    samples=lambda rng: [((rng.standard_normal((3, 4)),), ())],
    complex_step="rule",
    analytic=lambda x: x.real,
    latex="{0}",
    entry=function("held"),
    doc="A value that shifts all logits of a row alike: softmax does not change with it, so nothing flows through it.",
)


HOLD = elementwise(
    lambda x, segment: x,
    (lambda x, y, segment: 1.0,),
    name="hold",
    dtype_rule=lambda x, segment: x.dtype,
    param_names=("segment",),
    samples=lambda rng: [((rng.standard_normal((3, 4)),), ((0,),))],
    latex="{0}",
    entry=lambda x, segment: x,
    doc="A value that a checkpoint begins with again: no rewrite sees through it, so what is made of it stays apart.",
)


def _one_hot(labels, size, axis, dtype, wraps):
    labels = np.asarray(labels)
    if not wraps:
        refuse_negative("one_hot", labels)
    rows = np.zeros((*labels.shape, size), dtype=dtype)
    np.put_along_axis(rows, labels[..., None], 1, axis=-1)
    return np.moveaxis(rows, -1, axis) if axis != labels.ndim else rows


def refuse_negative(name, labels):
    """Raise if a class number is below 0: NumPy would count it from the end, without a word."""
    if labels.size and labels.min() < 0:
        raise DataError(f"{name}: class numbers count from 0, but one of them is {labels.min()}")


def _one_hot_shape(labels, size, axis, dtype, wraps):
    return (*labels.shape[:axis], size, *labels.shape[axis:])


def _one_hot_entry(entries, at, letters, size, axis, dtype, wraps):
    """1 where the class number is the position on the class axis; one that counts from the end has no such form."""
    label = entries[0](*at[:axis], *at[axis + 1 :])
    if isinstance(label, Counted):
        return Delta(label.position, at[axis])
    return Delta(label, at[axis]) if isinstance(label, Entry) else None


ONE_HOT = general(
    "one_hot",
    _one_hot,
    (None,),
    lambda tangents, operands, y, params: None,
    _one_hot_shape,
    dtype_rule=lambda labels, size, axis, dtype, wraps: dtype,
    param_names=("size", "axis", "dtype", "wraps"),
    samples=lambda rng: [
        ((np.array([2, 0, 1]),), (3, 1, np.dtype(np.float64), False)),
        ((np.array([2, -3, -1]),), (3, 1, np.dtype(np.float64), True)),
    ],
    latex=r"\operatorname{{onehot}} {0}",
    index_form=_one_hot_entry,
    doc="`wraps` says whether a negative class number counts from the end, as in `np.eye(k)[y]`; else it is a mistake.",
)


def one_hot(labels, size, axis=-1, dtype=np.float64):
    """Class numbers as rows with a single 1.

    Parameters
    ----------
    labels : integer array of any shape
        Class numbers in ``0 .. size - 1``.
    size : int
        The number of classes.
    axis : int
        Where the class axis is inserted; -1 puts it last.
    dtype : float dtype of the result

    Returns
    -------
    Array with one axis more than `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    if not isinstance(labels, Recorder):
        labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ArgumentError(f"one_hot needs class numbers (integers), not {labels.dtype}")
    place = axis % (labels.ndim + 1)
    return apply(ONE_HOT, labels, params=(size, place, np.dtype(dtype), False))


def constant(name, forward, shape_rule, param_names, latex, sample, index_form):
    """Register a primitive without operands."""
    return register(
        Primitive(
            name=name,
            forward=forward,
            kind="general",
            shape_rule=shape_rule,
            dtype_rule=lambda *params: params[-1],
            param_names=param_names,
            samples=lambda rng: [((), sample)],
            latex=latex,
            index_form=index_form,
        )
    )


FULL = constant(
    "full",
    lambda value, shape, dtype: np.full(shape, value, dtype=dtype),
    lambda value, shape, dtype: shape,
    ("value", "shape", "dtype"),
    r"\mathbf{{c}}",
    (2, (3, 4), np.dtype(np.float32)),
    lambda entries, at, letters, value, shape, dtype: letters.constant(value),
)
ARANGE = constant(
    "arange",
    lambda size, dtype: np.arange(size, dtype=dtype),
    lambda size, dtype: (size,),
    ("size", "dtype"),
    r"[0, 1, \ldots]",
    (5, np.dtype(np.int64)),
    lambda entries, at, letters, size, dtype: Counted(at[0]),
)
EYE = constant(
    "eye",
    lambda size, dtype: np.eye(size, dtype=dtype),
    lambda size, dtype: (size, size),
    ("size", "dtype"),
    "I",
    (3, np.dtype(np.float64)),
    lambda entries, at, letters, size, dtype: Delta(*at),
)
SIZE = constant(
    "size",
    lambda expression, dtype: int(expression),
    lambda expression, dtype: (),
    ("expression", "dtype"),
    "n",
    (5, np.dtype(np.int64)),
    lambda entries, at, letters, expression, dtype: letters.size_form(expression),
)


def full_like(x, value, dtype=None, shape=None):
    """An array of one value in the shape of `x`; nothing flows through it, but the function that asked may write into it."""
    shape = x.shape if shape is None else tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    dtype = np.dtype(dtype or x.dtype)
    value = value.item() if isinstance(value, np.ndarray) else value
    if any(type(dim) is not int for dim in shape) or (isinstance(x, Recorder) and x.trace.step is None):
        return x.trace.record(FULL, (), (value, shape, dtype))
    return np.full(shape, value, dtype=dtype)


@handles(np.zeros_like)
def _zeros_like(x, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return full_like(x, 0, dtype, shape)


@handles(np.ones_like)
def _ones_like(x, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return full_like(x, 1, dtype, shape)


@handles(np.full_like)
def _full_like(x, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    if isinstance(fill_value, Recorder) or np.ndim(fill_value):
        like = full_like(x, 0, dtype, shape)
        return np.broadcast_to(fill_value, like.shape).astype(like.dtype)
    return full_like(x, fill_value, dtype, shape)


FAMILY = (STOP_GRADIENT, SHIFT, HOLD, ONE_HOT, FULL, ARANGE, EYE, SIZE)
