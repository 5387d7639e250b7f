"""Writing into an array: `y[index] = v` and `np.add.at(y, index, v)` as operations that answer a new array.

The one idea: a graph has no memory to write into, so a write is an equation from the array before it to the array after
it. What was overwritten has no say any more: its cotangent is zero there, and goes to what was written. Where an index
names an entry twice, NumPy keeps one of the values; `last_write` asks NumPy itself which.

>>> written(np.zeros(3), 2.0, np.s_[1:])
array([0., 2., 2.])
>>> last_write(np.s_[[0, 2, 0]], 3, (3,))
array([False,  True,  True])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text
from chainrule.primitive import Primitive, apply, general, handles, register
from chainrule.primitives.indexing import ARRAY, INDEX, SLICE, indexed_shape, rebuild
from chainrule.pytree import Recorder


def written(x, v, index):
    """The array after `x[index] = v`; `x` stays as it is."""
    y = np.array(x)
    y[index] = v
    return y


def added_at(x, v, index):
    """The array after `np.add.at(x, index, v)`; `x` stays as it is."""
    y = np.array(x)
    np.add.at(y, index, v)
    return y


def last_write(index, shape, size):
    """Which of the values that `y[index] = v` writes, v of `shape` and y of `size`, are still there afterwards."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    kept = np.zeros(size, dtype=numbers.dtype)
    kept[index] = numbers
    return kept[index] == numbers


def _value_bar(y_bar, x, v, *rest):
    *arrays, _, template = rest
    picked = apply(INDEX, y_bar, *arrays, params=(template,))
    if not arrays:
        return picked
    kept = apply(LAST_WRITE, *arrays, params=(template, v.shape, x.shape))
    return np.where(kept, picked, 0.0)


def _moved(tangents, operands, params, primitive):
    x_dot, v_dot, *_ = tangents
    x, _, *arrays = operands
    x_dot = np.zeros_like(x) if x_dot is None else x_dot
    return apply(primitive, x_dot, 0.0 if v_dot is None else v_dot, *arrays, params=params)


def _shape(x, v, *rest):
    indexed_shape(x, *rest)  # refuses what is out of bounds
    return x.shape


def _samples(rng):
    x = rng.standard_normal((4, 5))
    rows = ((SLICE, 1, 3, None), (SLICE, None, None, 2))
    return [
        ((x, rng.standard_normal(5)), ((1,),)),
        ((x, rng.standard_normal((2, 3))), (rows,)),
        ((x, 0.5), ((Ellipsis, -1),)),
        ((x, rng.standard_normal((3, 5)), np.array([0, 2, 3])), (((ARRAY, 0),),)),
        ((x, rng.standard_normal((3, 5)), np.array([0, 2, 0])), (((ARRAY, 0),),)),
        ((x, rng.standard_normal(3), np.array([0, 2, 0]), np.array([1, 1, 1])), (((ARRAY, 0), (ARRAY, 1)),)),
    ]


WRITTEN: Primitive = general(
    "written",
    lambda x, v, *rest: written(x, v, rebuild(rest[-1], rest[:-1])),
    (
        lambda y_bar, x, v, *rest: apply(WRITTEN, y_bar, 0.0, *rest[:-2], params=(rest[-1],)),
        _value_bar,
        None,
    ),
    lambda tangents, operands, y, params: _moved(tangents, operands, params, WRITTEN),
    _shape,
    param_names=("index",),
    samples=_samples,
    latex=r"{0}_{{\text{{index}} \leftarrow {1}}}",
    helper="chainrule.primitives.writing:written",
)
ADDED_AT: Primitive = general(
    "added_at",
    lambda x, v, *rest: added_at(x, v, rebuild(rest[-1], rest[:-1])),
    (
        lambda y_bar, *rest: y_bar,
        lambda y_bar, x, v, *rest: apply(INDEX, y_bar, *rest[:-2], params=(rest[-1],)),
        None,
    ),
    lambda tangents, operands, y, params: _moved(tangents, operands, params, ADDED_AT),
    _shape,
    param_names=("index",),
    samples=_samples,
    latex=r"{0} + \operatorname{{scatter}} {1}",
    helper="chainrule.primitives.writing:added_at",
)
LAST_WRITE: Primitive = register(
    Primitive(
        name="last_write",
        forward=lambda *rest: last_write(rebuild(rest[-3], rest[:-3]), rest[-2], rest[-1]),
        shape_rule=lambda *rest: rest[-2],
        dtype_rule=lambda *rest: np.dtype(bool),
        kind="general",
        rules=(None,),
        jvp=lambda tangents, operands, y, params: None,
        param_names=("index", "shape", "size"),
        samples=lambda rng: [((np.array([0, 2, 0]),), (((ARRAY, 0),), (3,), (4,)))],
        latex=r"\operatorname{{last}} {0}",
        helper="chainrule.primitives.writing:last_write",
    )
)


# -- NumPy functions that write into their first argument --------------------------------------------------------------


@handles(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    """`np.copyto`: into all of an array, or where a mask is true."""
    if not isinstance(dst, Recorder):
        raise UnsupportedError(
            f"np.copyto of a traced value into a plain array cannot be traced; {place_text()}. Make the array with "
            "np.zeros_like(x, shape=...) of a traced x, or write np.where(mask, v, x)."
        )
    source: Any = src if isinstance(src, Recorder) else np.asarray(src)
    weak = not isinstance(src, (Recorder, np.ndarray, np.generic))
    if casting != "unsafe" and not weak and not np.can_cast(source.dtype, dst.dtype, casting):
        raise UnsupportedError(
            f"np.copyto from {source.dtype} to {dst.dtype} does not fit casting={casting!r}; {place_text()}. "
            "Write src.astype(dst.dtype)."
        )
    if where is True:
        dst[...] = src  # type: ignore[index]
    else:
        into: Any = dst
        mask: Any = where if isinstance(where, Recorder) else np.asarray(where)
        into[...] = np.where(np.broadcast_to(mask, into.shape), src, into)


@handles(np.empty_like)
def empty_like(prototype, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.empty_like`: entries that the function is about to write, so any will do."""
    return np.zeros_like(prototype, dtype, shape=shape)


@handles(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    """`np.fill_diagonal` of a matrix, with one value or one for each place."""
    if not isinstance(a, Recorder):
        raise UnsupportedError(
            f"np.fill_diagonal of a plain array with a traced value cannot be traced; {place_text()}. Write "
            "a * (1 - np.eye(n)) + np.diag(v)."
        )
    rows, columns = a.shape if a.ndim == 2 else (0, 0)  # type: ignore[attr-defined]
    value: Any = val if isinstance(val, Recorder) else np.asarray(val)
    if a.ndim != 2 or wrap or (value.ndim and (value.ndim > 1 or value.shape[0] != min(rows, columns))):  # type: ignore[attr-defined]
        raise UnsupportedError(
            "np.fill_diagonal takes a matrix and one value, or as many as there are places, without wrap=; "
            f"{place_text()}. Write a[i, i] = v with i = np.arange(n)."
        )
    places = np.arange(int(min(rows, columns)))
    a[places, places] = val  # type: ignore[index]


FAMILY = (WRITTEN, ADDED_AT, LAST_WRITE)
