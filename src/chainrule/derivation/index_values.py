"""The numbers that a formula of entries stands for: each letter an axis, sums along them.

>>> i, k = Index("i", 2), Index("k", 3)
>>> evaluate_entries(Total((k,), Entry("x", (i, k))), (i,), {}, {"x": np.ones((2, 3))})
array([3., 3.])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.derivation.index_algebra import all_indices
from chainrule.index_form import (
    Cases,
    Counted,
    Delta,
    Entry,
    Holds,
    Index,
    IndexForm,
    Inside,
    Largest,
    Of,
    Place,
    Plus,
    Position,
    Raised,
    SizeOf,
    Times,
    Total,
    Value,
)
from chainrule.primitives.special import erf, erfc, sigmoid, softplus
from chainrule.shapes import RELATIONS

FUNCTIONS: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "erf": erf,
    "erfc": erfc,
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "held": lambda x: x,
    "isnan": np.isnan,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
}
AT_ONCE = 50_000  # entries of a product that are written out before they are summed


def evaluate_entries(
    form: IndexForm,
    out: Sequence[Index],
    sizes: Mapping[str | int, int],
    arrays: Mapping[str, Any],
    at: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The array whose entries a formula gives.

    Parameters
    ----------
    form : IndexForm
    out : sequence of Index
        The axes of the result, in order.
    sizes : mapping
        The number for each size that is not itself the number meant.
    arrays : mapping of str to array
        By name, an axis of size 1 may have no position in the formula.
    at : mapping of str to integer array, optional
        Values for free letters, one for each sample of entries: then the result has one axis, along the samples, and
        `out` is empty.

    Returns
    -------
    ndarray
    """
    return _Evaluation(form, out, sizes, arrays, at or {}).run()


class _Evaluation:
    """One axis for each letter, after one for the samples."""

    def __init__(self, form, out, sizes, arrays, at):
        self.form, self.out, self.arrays = form, tuple(out), arrays
        self.sizes = sizes
        indices = dict.fromkeys(out) | all_indices(form)
        free = [index for index in indices if index.letter not in at]
        self.axis = {index: place + 1 for place, index in enumerate(free)}
        self.count = len(free) + 1
        self.places = {index: self._along(np.arange(self.size(index.size)), self.axis[index]) for index in free}
        for index in indices:
            if index.letter in at:
                self.places[index] = self._along(np.asarray(at[index.letter]), 0)
        self.sampled = len(next(iter(at.values()))) if at else 0

    def run(self) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = np.asarray(self.of(self.form), dtype=float)
        found = found if found.ndim else found.reshape((1,) * self.count)
        if self.sampled:
            return np.broadcast_to(found.reshape(found.shape[0]), (self.sampled,))
        shape = tuple(self.size(index.size) for index in self.out)
        axes = [self.axis[index] for index in self.out]
        rest = [axis for axis in range(self.count) if axis not in axes]
        return np.broadcast_to(
            np.squeeze(np.transpose(found, (*axes, *rest)), tuple(range(len(axes), self.count))), shape
        )

    def size(self, size: str | int) -> int:
        return self.sizes.get(size, size)

    def _along(self, values: np.ndarray, axis: int) -> np.ndarray:
        return values.reshape(tuple(-1 if place == axis else 1 for place in range(self.count)))

    def position(self, position: Position) -> Any:
        if isinstance(position, Index):
            return self.places[position]
        if isinstance(position, Place):
            return sum((step * self.places[index] for step, index in position.parts), position.offset)
        return self.of(position).astype(int) if isinstance(position, Entry) else position

    def of(self, form: IndexForm) -> Any:
        return _RULES[type(form)](self, form)

    @functools.cached_property
    def entries(self) -> dict[Entry, Any]:
        return {}

    def entry(self, form: Entry) -> Any:
        if form not in self.entries:
            self.entries[form] = self._entry(form)
        return self.entries[form]

    def _entry(self, form: Entry) -> Any:
        array = np.asarray(self.arrays[form.array])
        if array.ndim != len(form.at):
            array = array.reshape(tuple(size for size in array.shape if size != 1))
        if not form.at:
            return array.reshape((1,) * self.count)
        plain = [p for p in form.at if isinstance(p, Index) and p in self.axis]
        fits = [self.places[index].size for index in plain] == list(array.shape)
        if fits and len(plain) == len(form.at) == len(set(plain)):
            order = sorted(range(len(plain)), key=lambda place: self.axis[plain[place]])
            shape = [1] * self.count
            for place, index in enumerate(plain):
                shape[self.axis[index]] = array.shape[place]
            return np.transpose(array, order).reshape(shape)
        positions = []
        for place, position in enumerate(form.at):
            found = self.position(position)
            # a moved position may lie outside, where its indicator is 0
            positions.append(
                np.clip(found, 0, array.shape[place] - 1) if isinstance(position, Index | Place) else found
            )
        return np.asarray(array[tuple(positions)]).reshape(
            np.broadcast_shapes(*map(np.shape, positions), (1,) * self.count)
        )

    def delta(self, form: Delta) -> Any:
        left, right = self.position(form.left), self.position(form.right)
        for one, other in ((form.left, form.right), (form.right, form.left)):
            if isinstance(one, Entry) and isinstance(other, Index):  # as NumPy's indices do, it may count from the end
                labels = np.mod(left if one is form.left else right, self.size(other.size))
                left, right = labels, self.position(other)
        return np.asarray(left == right, dtype=float)

    def total(self, form: Total) -> Any:
        axes = tuple(self.axis[index] for index in form.over)
        body = form.body
        factors = [self._wide(self.of(f)) for f in (body.factors if type(body) is Times else (body,))]
        shape = np.broadcast_shapes(*(f.shape for f in factors))
        missing = math.prod(
            self.size(index.size) for index, axis in zip(form.over, axes, strict=True) if shape[axis] == 1
        )
        if len(factors) > 1 and math.prod(shape) > AT_ONCE:
            return missing * self._contracted(factors, shape, axes)
        return missing * np.sum(functools.reduce(np.multiply, factors), axis=axes, keepdims=True)

    def _contracted(self, factors, shape, axes) -> np.ndarray:
        operands: list[Any] = []
        for factor in factors:
            kept = [axis for axis in range(self.count) if factor.shape[axis] != 1]
            operands += [factor.reshape([factor.shape[axis] for axis in kept]), kept]
        result = [axis for axis in range(self.count) if axis not in axes and shape[axis] != 1]
        found = np.einsum(*operands, result, optimize="greedy")
        return found.reshape([1 if axis in axes else n for axis, n in enumerate(shape)])

    def largest(self, form: Largest) -> Any:
        axes = tuple(self.axis[index] for index in form.over)
        return (np.min if form.smallest else np.max)(self._wide(self.of(form.body)), axis=axes, keepdims=True)

    def _wide(self, value: Any) -> np.ndarray:
        value = np.asarray(value, dtype=float)
        return value if value.ndim else value.reshape((1,) * self.count)

    def inside(self, form: Inside) -> Any:
        position = self.position(form.position)
        return np.asarray((0 <= position) & (position < self.size(form.size)), dtype=float)


_RULES: dict[type, Any] = {
    Value: lambda self, form: float(form.value),
    SizeOf: lambda self, form: float(self.size(form.name)),
    Entry: _Evaluation.entry,
    Delta: _Evaluation.delta,
    Plus: lambda self, form: functools.reduce(np.add, map(self.of, form.terms)),
    Times: lambda self, form: functools.reduce(np.multiply, map(self.of, form.factors)),
    Raised: lambda self, form: np.power(self.of(form.base), self.of(form.exponent), dtype=float),
    Of: lambda self, form: np.asarray(FUNCTIONS[form.function](*map(self.of, form.arguments)), dtype=float),
    Holds: lambda self, form: np.asarray(
        RELATIONS[form.relation](self.of(form.left), self.of(form.right)), dtype=float
    ),
    Total: _Evaluation.total,
    Largest: _Evaluation.largest,
    Counted: lambda self, form: np.asarray(self.position(form.position), dtype=float),
    Inside: _Evaluation.inside,
    Cases: lambda self, form: np.where(
        np.asarray(self.of(form.condition)) != 0, self.of(form.then), self.of(form.otherwise)
    ),
}
