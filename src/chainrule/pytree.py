"""Flatten and unflatten arguments: dict, list, tuple, namedtuple, dataclass, with readable paths.

The one idea: an argument is a list of array leaves and a hashable structure. Strings, booleans, None and callables are
static: they belong to the structure, so a change of one is another program. Dataclasses are registered with optree when
they are first seen.

>>> leaves, structure = flatten({"W": 1.0, "activation": "relu"})
>>> leaves, unflatten(structure, [2.0])
([1.0], {'W': 2.0, 'activation': 'relu'})
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError

NAMESPACE = "chainrule"


class Recorder:
    """The protocol of a traced value: it has a `level` and a `trace` with `record` and `call`."""

    __slots__ = ()
    level: int
    trace: Any
    number: int
    value: Any
    variable: Any
    dtype: Any
    fresh: bool
    known_value: Any


_registered: set[type] = set()
_registering = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """The structure of an argument that is one leaf by itself."""


LEAF = Leaf()


@dataclasses.dataclass(frozen=True, slots=True)
class Structure:
    """Everything of a tree but its array leaves; hashable, compared by value."""

    treedef: Any
    statics: tuple[tuple[int, Any], ...]  # (position among all leaves, static value)
    orders: tuple = ()  # of the keys of each dict: optree sorts them, but a function may go through them in turn


def is_array_like(value: object) -> bool:
    """Whether a value is a leaf that holds numbers."""
    return isinstance(value, (np.ndarray, Recorder, float, int, np.generic, complex)) and not isinstance(
        value, (bool, np.bool_)
    )


def is_static(value: object) -> bool:
    """Whether a leaf is part of the structure: str, bool, None, bytes or a callable."""
    if isinstance(value, (str, bytes, bool, type(None), type)):
        return True
    return callable(value) and not isinstance(value, (np.ndarray, Recorder)) and not dataclasses.is_dataclass(value)


def flatten(tree: Any) -> tuple[list, Any]:
    """The array leaves in a fixed order, and the structure that `unflatten` needs."""
    if isinstance(tree, (np.ndarray, Recorder, float)):
        return [tree], LEAF
    if isinstance(tree, int) and not isinstance(tree, bool):
        return [tree], LEAF
    leaves, treedef = _flatten_all(tree)
    statics = tuple((i, leaf) for i, leaf in enumerate(leaves) if is_static(leaf))
    if statics:
        positions = {i for i, _ in statics}
        leaves = [leaf for i, leaf in enumerate(leaves) if i not in positions]
    return leaves, Structure(treedef, statics, _key_orders(tree))


@functools.cache
def _field_names(cls: type) -> tuple[str, ...]:
    """The fields of a dataclass; of any other class, none."""
    if not dataclasses.is_dataclass(cls) or issubclass(cls, Recorder):
        return ()
    return tuple(f.name for f in dataclasses.fields(cls))


def _key_orders(tree: Any) -> tuple:
    orders: list[tuple] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        kind: Any = type(node)
        if kind is np.ndarray or kind is float or kind is str:
            continue
        if isinstance(node, dict):
            orders.append(tuple(node))
            todo.extend(node.values())
        elif isinstance(node, (list, tuple)):
            todo.extend(node)
        elif _field_names(kind):
            todo.extend(getattr(node, name) for name in _field_names(kind))
    return tuple(orders)


def unflatten(structure: Any, leaves: Sequence) -> Any:
    """The tree with that structure and these array leaves."""
    if structure is LEAF or isinstance(structure, Leaf):
        return leaves[0]
    import optree

    everything = list(leaves)
    for position, value in structure.statics:
        everything.insert(position, value)
    return optree.tree_unflatten(structure.treedef, everything)


def tree_map(function: Callable, tree: Any, *rest: Any) -> Any:
    """Apply `function` to corresponding array leaves; static leaves are kept from `tree`.

    >>> tree_map(lambda p, g: p - g, {"W": 3.0, "b": 1.0}, {"W": 1.0, "b": 1.0})
    {'W': 2.0, 'b': 0.0}
    """
    leaves, structure = flatten(tree)
    others = []
    for other in rest:
        other_leaves, other_structure = flatten(other)
        if len(other_leaves) != len(leaves):
            raise ArgumentError(f"trees of different structure: {len(leaves)} leaves and {len(other_leaves)} leaves")
        if not _same_nodes(structure, other_structure):
            here, there = leaf_paths(tree, "tree"), leaf_paths(other, "tree")
            differing = next(((a, b) for a, b in zip(here, there, strict=True) if a != b), (here, there))
            raise ArgumentError(f"trees of different structure: {differing[0]} in the first, {differing[1]} in another")
        others.append(other_leaves)
    return unflatten(structure, [function(*group) for group in zip(leaves, *others, strict=True)])


def _same_nodes(left: Any, right: Any) -> bool:
    """Whether two structures differ in their static leaves at most."""
    if isinstance(left, Leaf) or isinstance(right, Leaf):
        return bool(left == right)
    return bool(left.treedef == right.treedef) and [p for p, _ in left.statics] == [p for p, _ in right.statics]


def leaf_paths(tree: Any, root: str = "") -> list[str]:
    """The path of each array leaf as Python writes it: `layers[0].W`, `params['b']`.

    >>> leaf_paths({"W": [1.0, 2.0]}, "params")
    ["params['W'][0]", "params['W'][1]"]
    """
    if is_array_like(tree):
        return [root]
    paths: list[str] = []
    _walk(tree, root, paths)
    return paths


def _walk(tree: Any, path: str, paths: list[str]) -> None:
    if is_array_like(tree):
        paths.append(path)
    elif is_static(tree):
        return
    elif isinstance(tree, dict):
        for key in _sorted_keys(tree):
            _walk(tree[key], f"{path}[{key!r}]", paths)
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        for name in tree._fields:
            _walk(getattr(tree, name), f"{path}.{name}" if path else name, paths)
    elif isinstance(tree, (list, tuple)):
        for index, item in enumerate(tree):
            _walk(item, f"{path}[{index}]", paths)
    elif dataclasses.is_dataclass(tree):
        for f in dataclasses.fields(tree):
            _walk(getattr(tree, f.name), f"{path}.{f.name}" if path else f.name, paths)
    else:
        paths.append(path)


def _sorted_keys(mapping: dict) -> list:
    if type(mapping) is not dict:  # OrderedDict and defaultdict keep their own order in optree
        return list(mapping)
    try:
        return sorted(mapping)
    except TypeError:
        return sorted(mapping, key=lambda key: (type(key).__qualname__, str(key)))


def _flatten_all(tree: Any) -> tuple[list, Any]:
    import optree

    while True:
        leaves, treedef = optree.tree_flatten(tree, namespace=NAMESPACE, none_is_leaf=True)
        # a leaf that is a dataclass was unknown when the tree was flattened; another thread may know it by now
        new = {type(leaf) for leaf in leaves if _is_dataclass_instance(leaf)}
        if not new:
            return leaves, treedef
        for cls in new:
            _register(cls)


def _is_dataclass_instance(leaf: Any) -> bool:
    return type(leaf) is not np.ndarray and dataclasses.is_dataclass(leaf) and not isinstance(leaf, (type, Recorder))


def _register(cls: type) -> None:
    import optree

    names = tuple(f.name for f in dataclasses.fields(cls))

    def children(instance: Any) -> tuple:
        return tuple(getattr(instance, name) for name in names), None, names

    def build(_: Any, values: Any) -> Any:
        instance: Any = object.__new__(cls)  # not __init__: a gradient has the fields of its class, whatever they hold
        for name, value in zip(names, values, strict=True):
            object.__setattr__(instance, name, value)
        return instance

    with _registering:
        if cls not in _registered:
            optree.register_pytree_node(cls, children, build, namespace=NAMESPACE)
            _registered.add(cls)
