"""Other arguments for the same function: moved a little, and with another number of samples.

The one idea: what is true by chance at one point is not true at another. Which axes have to grow together is not
guessed from equal numbers: staging finds the classes of axes that some operation forces equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arguments import parameter_names, take_apart
from chainrule.compilation import is_staged
from chainrule.graphs import Graph
from chainrule.primitives.reduction import MEAN, SUM
from chainrule.staging import Spec, stage

Axes = tuple[tuple[int, int], ...]  # (leaf of the call, axis)


@dataclass(frozen=True)
class Batch:
    """The number of samples, and the axes of the arguments' leaves that have it."""

    size: int
    axes: Axes


def find_batch(function: Callable, args: tuple, kwargs: dict, wrt: Sequence[int]) -> Batch | None:
    """The batch axis of a function's arguments: the one that its loss averages or sums over; None if it is not known."""
    call = take_apart(function, args, kwargs, parameter_names(function))
    flat = [(g, p, leaf) for g, group in enumerate(call.leaves) for p, leaf in enumerate(group)]
    staged = [leaf for _, _, leaf in flat if is_staged(leaf)]
    specs = [
        Spec(f"x{i}", np.shape(leaf), np.asarray(leaf).dtype, type(leaf) is float) for i, leaf in enumerate(staged)
    ]

    def run(tracers: list) -> tuple[Any, list]:
        remaining = iter(tracers)
        groups: list[list] = [[] for _ in call.leaves]
        for g, _, leaf in flat:
            groups[g].append(next(remaining) if is_staged(leaf) else leaf)
        call_args, call_kwargs = call.rebuild(groups)
        result = function(*call_args, **call_kwargs)
        return result, [result]

    try:
        graph = stage(run, specs).graph
    except Exception:  # noqa: BLE001 - control flow on values, say: then there is no other size to ask at
        return None
    places = iter(graph.inputs)
    numbers = [next(places) if is_staged(leaf) else None for _, _, leaf in flat]
    learned = {n for n, (argument, _, _) in enumerate(flat) if argument in wrt}
    return _batch_of(graph, numbers, [leaf for _, _, leaf in flat], learned)


def _batch_of(graph: Graph, numbers: Sequence[int | None], leaves: Sequence[Any], learned: set[int]) -> Batch | None:
    """Of the axes that the loss sums or averages over, the one that parameters have least: classes are axes of weights."""
    scope = graph.scope
    if scope is None:
        return None
    axes: dict[int, list[tuple[int, int]]] = {}
    for leaf, number in enumerate(numbers):
        for axis, dim in enumerate(graph.variables[number].shape if number is not None else ()):
            symbol = getattr(scope.resolve(dim), "symbol", None)
            if symbol is not None:
                axes.setdefault(symbol, []).append((leaf, axis))
    reduced = [symbol for symbol in _reduced(graph) if symbol in axes]
    if not reduced:
        return None
    symbol = min(reduced, key=lambda s: sum(leaf in learned for leaf, _ in axes[s]))
    holders = [leaf in learned for leaf, _ in axes[symbol]]
    if sum(holders) > 1 or all(holders):
        return None  # an axis of parameters: classes, or units
    leaf, axis = axes[symbol][0]
    return Batch(int(np.shape(leaves[leaf])[axis]), tuple(axes[symbol]))


def _reduced(graph: Graph) -> list[int]:
    """The sizes over which something is summed or averaged, first where that gives a number."""
    found: dict[int, None] = {}
    scope = graph.scope
    for numbers_only in (True, False):
        for equation in graph.equations:
            source = equation.inputs[0] if equation.inputs else None
            if equation.primitive not in (MEAN, SUM) or type(source) is not int or scope is None:
                continue
            if numbers_only and graph.variables[equation.output].shape:
                continue
            for axis in equation.params[0]:
                symbol = getattr(scope.resolve(graph.variables[source].shape[axis]), "symbol", None)
                if symbol is not None:
                    found.setdefault(symbol, None)
    return list(found)


def moved(function: Callable, args: tuple, kwargs: dict, wrt: Sequence[int], batch: Batch | None, seed: int) -> tuple:
    """The arguments with those of `wrt` moved and, if the batch axis is known, a sample or more added: (args, kwargs, size)."""
    random = np.random.Generator(np.random.Philox(seed))
    call = take_apart(function, args, kwargs, parameter_names(function))
    grow = {} if batch is None else dict(batch.axes)
    size = None if batch is None else _another_size(batch.size, call.leaves)
    groups, place = [], 0
    for argument, group in enumerate(call.leaves):
        leaves = []
        for leaf in group:
            if argument in wrt and getattr(leaf, "dtype", np.dtype(float) if type(leaf) is float else None) is not None:
                leaf = _moved(leaf, random)
            if place in grow and size is not None:
                leaf = np.take(leaf, np.arange(size) % np.shape(leaf)[grow[place]], axis=grow[place])
            leaves.append(leaf)
            place += 1
        groups.append(leaves)
    positional, keywords = call.rebuild(groups)
    return tuple(positional), keywords, size


def looks_like_labels(array: np.ndarray) -> bool:
    """Whether an array holds zeros and ones, or shares that sum to 1 along an axis: formulas count on that."""
    if not array.size or not array.any():
        return False
    if np.all((array == 0) | (array == 1)):
        return True
    return array.ndim == 2 and bool(np.all(array >= 0)) and any(np.allclose(array.sum(axis=axis), 1) for axis in (0, 1))


def _moved(leaf: Any, random: np.random.Generator) -> Any:
    array = np.asarray(leaf)
    if array.dtype.kind != "f" or looks_like_labels(array):
        return leaf
    factor = 1 + random.uniform(-0.3, 0.3, array.shape)
    found = array * factor + (random.normal(0, 0.1, array.shape) if not array.any() else 0.0)
    return float(found) if type(leaf) is float else found.astype(array.dtype)


def _another_size(size: int, groups: Sequence[Sequence[Any]]) -> int:
    """A number of samples that no axis has, so that counts cannot be confused."""
    taken = {n for group in groups for leaf in group for n in (*np.shape(leaf), math.prod(np.shape(leaf)))}
    return next(n for n in range(size + 1, size + 1000) if n not in taken)
