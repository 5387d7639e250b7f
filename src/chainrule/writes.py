"""In-place writes on traced arrays: what a write makes of an array and of everybody who looks at it.

The one idea: a traced array is a name for a variable, and a write gives it another one: `y[0] = v` records the array
after the write, and `y` stands for that from now on. A write through a view goes back step by step to the owner of the
memory (`sharing.py`), and everybody who is still there is read anew. So a value never changes: a backward rule that reads
the old one still finds it.

What the function did not make itself cannot be written, and neither can what may or may not share memory.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.frames import place_text
from chainrule.graphs import shapes_agree
from chainrule.primitive import Primitive, apply
from chainrule.primitives.indexing import FULL_SLICE, INDEX, SLICE, indexed_shape, make_template
from chainrule.primitives.linear_algebra import TRANSPOSE
from chainrule.primitives.shaping import BROADCAST_TO, RESHAPE
from chainrule.primitives.writing import ADDED_AT, WRITTEN
from chainrule.pytree import Recorder
from chainrule.sharing import Share, is_scalar

COPY_FIRST = "y = np.copy(x), and write into y"


# -- a whole array is replaced -----------------------------------------------------------------------------------------


def store(tracer: Any, result: Any, what: str, *, stretch: bool = False) -> Any:
    """Let a traced array, and all who look at its memory, see `result` in its place; `stretch` broadcasts it."""
    if stretch and not shapes_agree(result.variable.shape, tracer.variable.shape):
        result = apply(BROADCAST_TO, result, params=(tracer.variable.shape,))
    if not shapes_agree(result.variable.shape, tracer.variable.shape):
        raise ShapeError(
            f"{what} of shape {tuple(tracer.shape)} cannot hold a result of shape {tuple(result.shape)}; {place_text()}"
        )
    if result.dtype != tracer.dtype:
        if not np.can_cast(result.dtype, tracer.dtype, "same_kind"):
            _refuse(f"{what} of {tracer.dtype} with a result of {result.dtype}", "x = x + t, which makes a new array")
        result = result.astype(tracer.dtype)
    _replace(tracer, result, what)
    return tracer


def refuse_unless_writable(tracer: Any, what: str) -> None:
    """Raise for what the function did not make itself, and for what may or may not share memory."""
    if tracer.fresh is False:
        _refuse(f"{what}: an argument, or a view that belongs to somebody else, which", COPY_FIRST)
    if tracer.fresh is True:
        return
    memory, path, writable = tracer.fresh
    if not writable:
        _refuse(f"{what} that is a read-only view", COPY_FIRST)
    others = [t for t in memory.alive() if t is not tracer]
    if not others:
        tracer.fresh = True  # the last one who looks at it
    elif path is None or any(t.fresh.path is None for t in others):
        _refuse(
            f"{what} that may share its memory with another (a reshape is a view of some arrays, a copy of others)",
            "np.copy(x) for one of the two, before it is written",
        )


def _replace(tracer: Any, result: Any, what: str) -> None:
    refuse_unless_writable(tracer, what)
    if tracer.fresh is True:
        _become(tracer, result)
        return
    memory, path, _ = tracer.fresh
    before = [_of(memory.owner, type(tracer))]
    for primitive, params in path[:-1]:
        before.append(apply(primitive, before[-1], params=params))
    new = result
    for (primitive, params), x in zip(reversed(path), reversed(before), strict=bool(path)):
        new = _written_back(primitive, params, x, new)
    memory.owner = (new.trace, new.number, new.value, new.variable)
    seen = {(): new, path: result}
    for member in memory.alive():
        _become(member, _read(member.fresh.path, seen))


def _of(state: tuple, kind: type) -> Any:
    trace, number, value, variable = state
    return kind(trace, number, value, variable, False)


def _read(path: tuple, seen: dict) -> Any:
    """What is seen along a path from the owner."""
    if path not in seen:
        primitive, params = path[-1]
        seen[path] = apply(primitive, _read(path[:-1], seen), params=params)
    return seen[path]


def _written_back(primitive: Primitive, params: tuple, x: Any, view: Any) -> Any:
    """The array `x` after its view became another one."""
    if primitive is TRANSPOSE:
        return apply(TRANSPOSE, view, params=(tuple(np.argsort(params[0]).tolist()),))
    if primitive is INDEX:
        return apply(WRITTEN, x, view, params=params)
    return apply(RESHAPE, view, params=(x.variable.shape,))


def _become(tracer: Any, result: Any) -> None:
    tracer.trace, tracer.level = result.trace, result.level
    tracer.number, tracer.value, tracer.variable = result.number, result.value, result.variable


# -- a part of an array is written -------------------------------------------------------------------------------------


def write(tracer: Any, key: Any, value: Any) -> None:
    """`tracer[key] = value`."""
    what = "a write (x[i] = v) into an array"
    if not tracer.variable.shape and tracer.fresh is True and is_scalar(tracer):
        raise TypeError("a traced scalar does not support item assignment")
    refuse_unless_writable(tracer, what)
    value = _as_value(value)
    mask = _mask(key)
    if mask is not None:
        if mask.ndim > tracer.ndim:
            raise ShapeError(f"too many indices: a mask with {mask.ndim} axes for an array with {tracer.ndim}")
        if getattr(value, "ndim", 0) == 0:
            _replace(tracer, _where(tracer, mask, value), what)
            return
    template, arrays = make_template(key, tracer.ndim)
    if _is_the_view_itself(tracer, template, value):
        return  # `y[0] += v` writes y[0] through its view, and then once more here
    if isinstance(value, Recorder) and all(item is Ellipsis or item == FULL_SLICE for item in template):
        after = _fitted(tracer, value, tracer.variable.shape).copy()
    else:
        after = _at(WRITTEN, tracer, template, arrays, value)
    _replace(tracer, after, what)


def add_at(tracer: Any, key: Any, value: Any) -> None:
    """`np.add.at(tracer, key, value)`."""
    what = "np.add.at into an array"
    refuse_unless_writable(tracer, what)
    value = _as_value(value)
    template, arrays = make_template(key, tracer.ndim)
    dtype = value.dtype if hasattr(value, "dtype") and not getattr(value, "weak", False) else np.dtype(type(value))
    if not np.can_cast(dtype, tracer.dtype, "same_kind"):
        _refuse(f"{what} of {tracer.dtype} with values of {dtype}", "an array of floats to add into")
    _replace(tracer, _at(ADDED_AT, tracer, template, arrays, value), what)


def _at(primitive: Primitive, tracer: Any, template: tuple, arrays: list, value: Any) -> Any:
    """The array after `value`, broadcast and converted as NumPy does, came to the place that an index names."""
    template = tuple(map(_plain, template))
    seen = [getattr(array, "variable", array) for array in arrays]
    shape = indexed_shape(tracer.variable, *seen, template)
    return apply(primitive, tracer, _fitted(tracer, value, shape), *arrays, params=(template,))


def _fitted(tracer: Any, value: Any, shape: tuple) -> Any:
    """A value as it is written into a place of that shape."""
    if not hasattr(value, "ndim"):
        return value
    extra = value.ndim - len(shape)
    if extra > 0 and all(type(dim) is int and dim == 1 for dim in value.shape[:extra]):
        value = value.reshape(value.shape[extra:])  # NumPy drops leading axes of size 1 here
    if isinstance(value, Recorder):
        value = value if value.dtype == tracer.dtype else _astype(value, tracer.dtype)
        same = shapes_agree(value.variable.shape, shape)
        return value if same else apply(BROADCAST_TO, value, params=(shape,))
    if value.ndim and all(type(dim) is int for dim in shape):
        try:
            return np.broadcast_to(value, shape)
        except ValueError:
            raise ShapeError(
                f"a value of shape {value.shape} cannot be written into a place of shape {shape}; {place_text()}"
            ) from None
    return value


def _astype(value: Any, dtype: np.dtype) -> Any:
    return value.astype(dtype)


def _where(tracer: Any, mask: Any, value: Any) -> Any:
    """The array after one value was written wherever a mask is true."""
    if isinstance(value, Recorder):
        value = value if value.dtype == tracer.dtype else _astype(value, tracer.dtype)
    else:
        value = tracer.dtype.type(value)  # as NumPy casts what is written
    shape = tracer.shape
    for mine, its in zip(shape, mask.shape, strict=False):
        if type(mine) is int and type(its) is int and mine != its:
            raise ShapeError(f"a mask of shape {mask.shape} does not fit an array of shape {shape}; {place_text()}")
    if mask.ndim < tracer.ndim:
        mask = mask.reshape((*mask.shape, *(1,) * (tracer.ndim - mask.ndim)))
    return np.where(mask, value, tracer)


def is_one_truth(key: Any) -> bool:
    """Whether an index is one truth value: a mask of an array without axes."""
    return isinstance(key, (bool, np.bool_)) or (getattr(key, "dtype", None) == np.bool_ and key.ndim == 0)


def _mask(key: Any) -> Any:
    """The key if it is one mask, with or without axes."""
    if isinstance(key, (bool, np.bool_)):
        return np.asarray(key)
    if isinstance(key, list) and key and not any(isinstance(item, Recorder) for item in key):
        key = np.asarray(key)
    return key if getattr(key, "dtype", None) == np.bool_ else None


def _is_the_view_itself(tracer: Any, template: tuple, value: Any) -> bool:
    mine, its = tracer.fresh, getattr(value, "fresh", None)
    if type(mine) is not Share or type(its) is not Share or mine.memory is not its.memory or mine.path is None:
        return False
    return its.path == (*mine.path, (INDEX, (template,)))


def _as_value(value: Any) -> Any:
    """What is written, as a number, an array or a traced value; a list of traced values is stacked."""
    if not isinstance(value, (list, tuple)):
        return value
    if not _holds_traced(value):
        return np.asarray(value)
    parts: Any = [v if isinstance(v, Recorder) else np.asarray(v) for v in map(_as_value, value)]
    return np.stack(parts)


def _holds_traced(value: Any) -> bool:
    return isinstance(value, Recorder) or isinstance(value, (list, tuple)) and any(map(_holds_traced, value))


def _plain(item: Any) -> Any:
    if type(item) is tuple and item[0] == SLICE:
        return (SLICE, *map(_expression, item[1:]))
    return _expression(item)


def _expression(item: Any) -> Any:
    expr = getattr(item, "expr", None)
    return item if expr is None else item.trace.scope.resolve(expr)


def _refuse(what: str, instead: str) -> NoReturn:
    raise UnsupportedError(f"{what} cannot be traced; {place_text()}. Write {instead}.")
