"""Order: sort and partition move entries, argsort, searchsorted and digitize find positions, which have no derivative.

The one idea: around a point without equal entries sorting is one fixed permutation, so the cotangent of a sorted array goes
back by the same positions from which the entries came.

>>> x = np.array([3.0, 1.0, 2.0])
>>> np.argsort(x)
array([1, 2, 0])
>>> ADD_ALONG.forward(np.array([10.0, 20.0, 30.0]), np.argsort(x), 0, 3)
array([30., 10., 20.])

Where entries are equal, the earlier one counts as the smaller one.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitive import Primitive, apply, general, handles
from chainrule.primitives.selecting import ADD_ALONG, TAKE_ALONG, array, one_axis, take

INT64 = np.dtype(np.int64)
EQUAL = "two entries equal: the earlier one counts as the smaller one"


def _argsorted(x, axis):
    return apply(ARGSORT, x, params=(axis, "stable"))


def _taken(x, order, axis):
    return apply(TAKE_ALONG, x, order, params=(axis,))


def _put_back(y_bar, order, x, axis):
    return apply(ADD_ALONG, y_bar, order, params=(axis, x.shape[axis]))


def _no_derivative(tangents, operands, y, params):
    return None


def _samples(*rest):
    def samples(rng):
        return [
            ((rng.standard_normal(5),), (*rest, 0)),
            ((rng.standard_normal((3, 4)),), (*rest, 1)),
            ((rng.standard_normal((3, 4, 2)),), (*rest, 0)),
        ]

    return samples


def _partitioned_alike(x, kth, axis):
    """`np.partition` by the real parts, in the very order in which it puts these."""
    y = np.zeros_like(x)
    order = np.argsort(np.partition(x.real, kth, axis=axis), axis=axis, kind="stable")
    np.put_along_axis(y, order, np.take_along_axis(x, np.argsort(x.real, axis=axis, kind="stable"), axis), axis)
    return y


SORT: Primitive = general(
    "sort",
    lambda x, axis: np.sort(x, axis=axis),
    (lambda y_bar, x, y, axis: _put_back(y_bar, _argsorted(x, axis), x, axis),),
    lambda tangents, operands, y, params: _taken(tangents[0], _argsorted(operands[0], *params), *params),
    lambda x, axis: x.shape,
    param_names=("axis",),
    samples=_samples(),
    kinks=EQUAL,
    latex=r"\operatorname{{sort}} {0}",
)
ARGSORT: Primitive = general(
    "argsort",
    lambda x, axis, kind: np.argsort(x, axis=axis, kind=kind),
    (None,),
    _no_derivative,
    lambda x, axis, kind: x.shape,
    dtype_rule=lambda x, axis, kind: INT64,
    param_names=("axis", "kind"),
    samples=lambda rng: [
        ((rng.standard_normal(5),), (0, None)),
        ((rng.standard_normal((3, 4)),), (0, "stable")),
        ((rng.integers(0, 3, (3, 4)),), (1, "stable")),
    ],
    latex=r"\operatorname{{argsort}} {0}",
)
PARTITION: Primitive = general(
    "partition",
    lambda x, kth, axis: np.partition(x, kth, axis=axis),
    # in which order each part stands is NumPy's own affair: so both sides are sorted, and meet there
    (lambda y_bar, x, y, kth, axis: _put_back(_taken(y_bar, _argsorted(y, axis), axis), _argsorted(x, axis), x, axis),),
    lambda tangents, operands, y, params: _put_back(
        _taken(tangents[0], _argsorted(operands[0], params[1]), params[1]), _argsorted(y, params[1]), y, params[1]
    ),
    lambda x, kth, axis: x.shape,
    param_names=("kth", "axis"),
    samples=_samples((1,)),
    complex_step="rule",
    analytic=_partitioned_alike,
    kinks=EQUAL,
    latex=r"\operatorname{{partition}} {0}",
)
ARGPARTITION: Primitive = general(
    "argpartition",
    lambda x, kth, axis: np.argpartition(x, kth, axis=axis),
    (None,),
    _no_derivative,
    lambda x, kth, axis: x.shape,
    dtype_rule=lambda x, kth, axis: INT64,
    param_names=("kth", "axis"),
    samples=_samples((0, 2)),
    latex=r"\operatorname{{argpartition}} {0}",
)
SEARCHSORTED: Primitive = general(
    "searchsorted",
    lambda places, x, side: np.searchsorted(places, x, side=side),
    (None,),
    _no_derivative,
    lambda places, x, side: getattr(x, "shape", ()),
    dtype_rule=lambda places, x, side: INT64,
    param_names=("side",),
    samples=lambda rng: [
        ((np.sort(rng.standard_normal(6)), rng.standard_normal((2, 3))), ("left",)),
        ((np.arange(5), np.array([0, 4, 2, 7])), ("right",)),
    ],
    latex=r"\operatorname{{searchsorted}}({0}, {1})",
)

KINDS = (None, "quicksort", "heapsort", "mergesort", "stable")


def _prepared(name, a, axis, kind, order, stable=None):
    """The array and its axis; everything flattened for `axis=None`."""
    if order is not None:
        raise UnsupportedError(f"np.{name}(..., order=) is for records; only real numbers can be traced")
    if kind not in KINDS or (kind is not None and stable is not None):
        raise UnsupportedError(
            f"np.{name}(..., kind={kind!r}, stable={stable!r}): the kinds are {KINDS[1:]}, or stable="
        )
    x = array(a)
    if axis is None:
        return x.reshape((-1,)), 0
    return x, one_axis(axis, x.ndim)


@handles(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    """`np.sort`: which algorithm does it makes no difference to the values."""
    x, axis = _prepared("sort", a, axis, kind, order, stable)
    return apply(SORT, x, params=(axis,))


@handles(np.argsort)
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    """`np.argsort`; of a single number it is one position."""
    axis = None if axis in (0, -1) and getattr(a, "ndim", 0) == 0 else axis
    x, axis = _prepared("argsort", a, axis, kind, order, stable)
    return apply(ARGSORT, x, params=(axis, "stable" if stable else kind))


def _partitioned(function, primitive):
    name = function.__name__

    @handles(function)
    def handler(a, kth, axis=-1, kind="introselect", order=None):
        if kind != "introselect":
            raise UnsupportedError(f"np.{name}(..., kind={kind!r}): the only kind is 'introselect'")
        x, axis = _prepared(name, a, axis, None, order)
        places = tuple(int(k) for k in kth) if isinstance(kth, (tuple, list, np.ndarray)) else (int(kth),)
        size = x.shape[axis]
        for k in places:
            if (k >= size or k + size < 0) and (not isinstance(size, int) or size > 0):
                raise ShapeError(f"np.{name}: kth={k} is out of bounds for size {int(size)}")
        return apply(primitive, x, params=(places, axis))

    return handler


_partitioned(np.partition, PARTITION)
_partitioned(np.argpartition, ARGPARTITION)


@handles(np.lexsort)
def lexsort(keys, axis=-1):
    """`np.lexsort`: sorted by each key in turn, equal entries keeping their order; the last key counts most."""
    keys = [array(key) for key in keys]
    axis = one_axis(axis, keys[0].ndim)
    order = _argsorted(keys[0], axis)
    for key in keys[1:]:
        order = _taken(order, _argsorted(_taken(key, order, axis), axis), axis)
    return order


@handles(np.searchsorted)
def searchsorted(a, v, side="left", sorter=None):
    """`np.searchsorted`: where each value belongs among sorted ones."""
    if side not in ("left", "right"):
        raise UnsupportedError(f"np.searchsorted(..., side={side!r}): it is 'left' or 'right'")
    places = array(a)
    if places.ndim != 1:
        raise ShapeError(f"np.searchsorted looks among values with one axis, not {places.ndim}")
    places = places if sorter is None else take(places, sorter, 0)
    return apply(SEARCHSORTED, places, v if type(v) in (int, float) else array(v), params=(side,))


@handles(np.digitize)
def digitize(x, bins, right=False):
    """`np.digitize`: the number of the bin, between edges that rise or fall."""
    edges = array(bins)
    known = edges
    if hasattr(edges, "known_value"):
        known = edges.known_value("np.digitize asks whether its bins rise or fall; write np.searchsorted(bins, x)")
    steps = np.diff(known)
    side = "left" if right else "right"
    if np.all(steps >= 0):
        return searchsorted(edges, x, side)
    if not np.all(steps <= 0):
        raise ShapeError("np.digitize: bins must rise or fall")
    return edges.shape[0] - searchsorted(edges[::-1], x, side)


@handles(np.unique)
def unique(
    ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True
):
    """`np.unique` where values are known: each value once, from where it stood first."""
    if not sorted:
        raise UnsupportedError("np.unique(..., sorted=False) is not supported; leave it out")
    x = array(ar)
    value = x
    if hasattr(x, "known_value"):
        value = x.known_value("np.unique has as many entries as there are different values")
    _, *found = np.unique(
        value, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan
    )
    rest = [part for part, asked in zip(found, (return_index, return_inverse, return_counts), strict=True) if asked]
    values = take(x, found[0], axis)
    return (values, *rest) if rest else values


# -- membership --------------------------------------------------------------------------------------------------------


@handles(np.isin)
def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    """`np.isin`: true where a value is among the others."""
    x, others = array(element), array(test_elements).reshape((-1,))
    if isinstance(others.shape[0], int) and others.shape[0] == 0:
        found = np.zeros_like(x, dtype=bool)
    else:
        found = np.any(np.expand_dims(x, x.ndim) == others, axis=-1)
    return ~found if invert else found


def _among(x, others, invert=False):
    """The entries that are, or are not, among the others; how many that are is known under `grad` alone."""
    mask = isin(x, others, invert=invert)
    if hasattr(mask, "known_value"):
        mask = mask.known_value("which values two arrays have in common decides a shape")
    return x[mask]


def _distinct(x, assume_unique):
    return array(x).reshape((-1,)) if assume_unique else unique(array(x).reshape((-1,)))


@handles(np.union1d)
def union1d(ar1, ar2):
    """`np.union1d`: each value of either array once."""
    return unique(np.concatenate([array(ar1).reshape((-1,)), array(ar2).reshape((-1,))]))


@handles(np.setdiff1d)
def setdiff1d(ar1, ar2, assume_unique=False):
    """`np.setdiff1d`: the values of the first array that the second one has not."""
    return _among(_distinct(ar1, assume_unique), ar2, invert=True)


@handles(np.intersect1d)
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    """`np.intersect1d`: the values that both arrays have, taken from the first."""
    if return_indices:
        raise UnsupportedError("np.intersect1d(..., return_indices=True) is not supported; leave it out")
    common = np.sort(_among(_distinct(ar1, assume_unique), ar2))
    dtype = np.result_type(array(ar1).dtype, array(ar2).dtype)
    return common if common.dtype == dtype else common.astype(dtype)


@handles(np.setxor1d)
def setxor1d(ar1, ar2, assume_unique=False):
    """`np.setxor1d`: the values that one array has and the other has not."""
    one, other = setdiff1d(ar1, ar2, assume_unique), setdiff1d(ar2, ar1, assume_unique)
    return np.sort(np.concatenate([one, other]))


FAMILY = (SORT, ARGSORT, PARTITION, ARGPARTITION, SEARCHSORTED)
