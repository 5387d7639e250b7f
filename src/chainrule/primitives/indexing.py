"""Indexing: `x[...]` with integers, slices, None, Ellipsis and integer arrays; its transpose adds into zeros.

An index is kept as a hashable template in which each array is replaced by its place among the operands; `x[i, 2:, y]`
becomes `index x i y` with the template `(("array", 0), ("slice", 2, None, None), ("array", 1))`. Entries that are
picked twice collect both contributions (`np.add.at`), which is the sum over paths for indices.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.index_form import Counted, Entry, moved
from chainrule.primitive import Primitive, apply, linear
from chainrule.primitives.shaping import EXPAND_DIMS
from chainrule.pytree import Recorder
from chainrule.shapes import Guard, SizeExpr, broadcast_shapes, hint_of

ARRAY, SLICE = "array", "slice"
FULL_SLICE = (SLICE, None, None, None)


def rebuild(template, arrays):
    """The index that NumPy takes, from the template and its arrays."""
    return tuple(
        arrays[item[1]]
        if type(item) is tuple and item[0] == ARRAY
        else slice(*item[1:])
        if type(item) is tuple
        else item
        for item in template
    )


def make_template(index, ndim):
    """Split an index into its hashable template and its arrays; masks become positions."""
    items = list(index) if isinstance(index, tuple) else [index]
    template: list = []
    arrays: list = []
    for item in items:
        if isinstance(item, slice):
            template.append((SLICE, item.start, item.stop, item.step))
        elif item is None or item is Ellipsis:
            template.append(item)
        elif isinstance(item, (int, np.integer)) and not isinstance(item, (bool, np.bool_)):
            template.append(item if type(item) is not int and not isinstance(item, np.integer) else int(item))
        else:
            for array in _positions(item):
                template.append((ARRAY, len(arrays)))
                arrays.append(array)
    taken = sum(1 for item in template if item is not None and item is not Ellipsis)
    if taken > ndim:
        raise ShapeError(f"too many indices: {taken} for an array with {ndim} axes")
    return tuple(template), arrays


def _positions(item):
    if isinstance(item, Recorder):
        if item.dtype.kind == "b":
            mask = item.known_value("an index with a mask picks as many entries as the mask has True; use np.where")
            return np.nonzero(_of_axes(mask))
        if item.dtype.kind not in "iu":
            raise UnsupportedError(f"an index must be of integers, not {item.dtype}")
        return (item,)
    array = np.asarray(item)
    if array.dtype.kind == "b":
        return np.nonzero(_of_axes(array))
    if array.size == 0:
        array = array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise UnsupportedError(f"an index must be of integers, slices or masks, not {array.dtype}")
    return (array,)


def _of_axes(mask):
    if np.ndim(mask) == 0:
        raise UnsupportedError("one truth value among several indices is not supported; write x[None] or x[0:0]")
    return mask


def indexed_shape(x, *arrays_and_template):
    """The shape of `x[index]`, by NumPy's rules, with named sizes."""
    *arrays, template = arrays_and_template
    taken = sum(1 for item in template if item is not None and item is not Ellipsis)
    axis = 0
    dims: list = []
    place = None  # where the common axes of the arrays go
    for item in _spelled_out(template, x.ndim - taken):
        if item is None:
            dims.append(1)
            continue
        if type(item) is tuple and item[0] == SLICE:
            dims.append(sliced(x.shape[axis], *item[1:]))
        else:
            place = len(dims) if place is None else place
            if type(item) is not tuple and not -hint_of(x.shape[axis]) <= hint_of(item) < hint_of(x.shape[axis]):
                raise ShapeError(f"index {item} is out of bounds for axis {axis} with size {hint_of(x.shape[axis])}")
        axis += 1
    if arrays:
        place = 0 if arrays_lead(template) else place
        dims[place:place] = broadcast_shapes(*(array.shape for array in arrays))
    return tuple(dims)


def arrays_lead(template) -> bool:
    """Whether NumPy puts the arrays' axes first: when slices stand between them; beside an array an integer is one too."""
    places = [
        n for n, item in enumerate(template) if _is_array(item) or type(item) not in (tuple, type(None), type(...))
    ]
    return any(map(_is_array, template)) and places[-1] - places[0] + 1 != len(places)


def _is_array(item) -> bool:
    return type(item) is tuple and item[0] == ARRAY


def _spelled_out(template, missing):
    full = (SLICE, None, None, None)
    items: list = []
    seen = False
    for item in template:
        if item is Ellipsis:
            items += [full] * missing
            seen = True
        else:
            items.append(item)
    return items if seen else items + [full] * missing


def sliced(size, start, stop, step):
    """The length of `range(size)[start:stop:step]`, symbolic where it can be."""
    ints = (type(size) is int) and all(v is None or isinstance(v, (int, np.integer)) for v in (start, stop, step))
    if ints:
        return len(range(*slice(start, stop, step).indices(size)))
    if start is None and stop is None and step in (None, 1, -1):
        return size
    if step not in (None, 1):
        return _specialised(size, start, stop, step)
    low = 0 if start is None else start if hint_of(start) >= 0 else size + start
    high = size if stop is None else stop if hint_of(stop) >= 0 else size + stop
    if not 0 <= hint_of(low) <= hint_of(high) <= hint_of(size):
        return _specialised(size, start, stop, step)
    for small, large in ((low, high), (high, size)):
        dim = large if isinstance(large, SizeExpr) else small
        if isinstance(dim, SizeExpr) and small != large:
            dim.scope.guards.append(Guard(large, ">=", small))
    return high - low


def _specialised(size, start, stop, step):
    numbers = [None if v is None else hint_of(v) for v in (start, stop, step)]
    length = len(range(*slice(*numbers).indices(hint_of(size))))
    for dim in (size, start, stop, step):
        if isinstance(dim, SizeExpr):
            dim.scope.unify(dim, hint_of(dim))
    return length


def _pick(x, *arrays_and_template):
    *arrays, template = arrays_and_template
    return x[rebuild(template, arrays)]


def _add_into_zeros(y, *arrays_and_params):
    *arrays, template, shape = arrays_and_params
    zeros = np.zeros(shape, dtype=y.dtype)
    if arrays:
        np.add.at(zeros, rebuild(template, arrays), y)
    else:
        zeros[rebuild(template, arrays)] = y
    return zeros


def _samples(rng):
    x = rng.standard_normal((4, 5))
    return [
        ((x,), ((1,),)),
        ((x,), (((SLICE, 1, 3, None), None, (SLICE, None, None, 2)),)),
        ((x,), ((Ellipsis, -1),)),
        ((x, np.array([0, 2, 0])), (((ARRAY, 0),),)),
        ((x, np.arange(4), np.array([1, 1, 0, 4])), (((ARRAY, 0), (ARRAY, 1)),)),
        ((x, np.array([[0, 1], [1, 1]])), (((SLICE, None, None, None), (ARRAY, 0)),)),
        ((rng.standard_normal((2, 3, 4)), np.array([3, 0])), ((0, (SLICE, None, None, None), (ARRAY, 0)),)),
        ((rng.standard_normal((2, 3, 4)), np.array([2, 2])), (((SLICE, None, None, None), (ARRAY, 0), 1),)),
    ]


def _index_entry(entries, at, letters, template):
    """`x[index]`: an integer is a position, a slice moves one, and an array of positions stands for what it says."""
    x, *arrays = entries
    taken = sum(1 for item in template if item is not None and item is not Ellipsis)
    items = _spelled_out(template, len(x.sizes) - taken)
    depth = max((len(array.sizes) for array in arrays), default=0)
    lead = arrays_lead(template)
    common = at[:depth] if lead else None
    rest: list = list(at[depth:] if lead else at)
    inner: list = []
    for item in items:
        if item is None:
            rest.pop(0)
            continue
        size = x.sizes[len(inner)]
        if type(item) is tuple and item[0] == SLICE:
            inner.append(_in_slice(rest.pop(0), size, letters, *item[1:]))
        elif not _is_array(item):
            place = letters.number(item)
            if common is None and arrays:  # among arrays an integer is one, too
                common, rest = rest[:depth], rest[depth:]
            inner.append(place if place >= 0 else letters.number(size) + place)
        else:
            if common is None:
                common, rest = rest[:depth], rest[depth:]
            array = arrays[item[1]]
            own = common[depth - len(array.sizes) :]
            label = array(*(0 if n == 1 else p for n, p in zip(array.sizes, own, strict=True)))
            if isinstance(label, Counted):
                label = label.position
            elif not isinstance(label, Entry):
                return None
            inner.append(label)
    return x(*inner)


def _in_slice(position, size, letters, start, stop, step):
    if start is None and step in (None, 1):
        return position
    first, _, stride = slice(*(None if v is None else letters.number(v) for v in (start, stop, step))).indices(
        letters.number(size)
    )
    return moved(position, stride, first)


INDEX = linear(
    "index",
    _pick,
    (lambda y_bar, x, *rest: apply(INDEX_ADD, y_bar, *rest[:-1], params=(rest[-1], x.shape)), None),
    indexed_shape,
    param_names=("index",),
    samples=_samples,
    latex="{0}_{{\\text{{index}}}}",
    index_form=_index_entry,
)
INDEX_ADD: Primitive = linear(
    "index_add",
    _add_into_zeros,
    (lambda y_bar, y, *rest: apply(INDEX, y_bar, *rest[:-2], params=(rest[-2],)), None),
    lambda y, *rest: rest[-1],
    param_names=("index", "shape"),
    samples=lambda rng: [
        ((rng.standard_normal((2, 5)),), (((SLICE, 1, 3, None),), (4, 5))),
        ((rng.standard_normal(3), np.array([0, 2, 0])), (((ARRAY, 0),), (4,))),
    ],
    latex="\\operatorname{{scatter}} {0}",
)


def _is_single_truth(key):
    return isinstance(key, (bool, np.bool_)) or (getattr(key, "dtype", None) == np.bool_ and key.ndim == 0)


def index(x, key):
    """`x[key]` of a traced value, or with a traced index."""
    if _is_single_truth(key):  # x[True] is x with a new first axis, x[False] nothing of it
        truth = key.known_value("an index that is one truth value") if isinstance(key, Recorder) else key
        return index(x, (None,)) if truth else index(x, (None,))[0:0]
    template, arrays = make_template(key, x.ndim)
    if None in template and all(item is None or item == FULL_SLICE for item in template):
        return apply(EXPAND_DIMS, x, params=(tuple(axis for axis, item in enumerate(template) if item is None),))
    return apply(INDEX, x, *arrays, params=(template,))


FAMILY = (INDEX, INDEX_ADD)
