"""Arguments: what `wrt` names, which leaves are traced, and how a call is put together again.

A call `f(*args, **kwargs)` becomes a list of leaves with readable paths. Floating leaves are traced; Python floats are
traced as weak scalars; integers, booleans and strings are static unless a transform asks for more.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DtypeError
from chainrule.pytree import LEAF, Recorder, flatten, leaf_paths, unflatten
from chainrule.spelling import identifier

Wrt = int | str | tuple


@dataclass(slots=True)
class Call:
    """A call taken apart: the flattened arguments, in the order positional, then keyword."""

    names: list[str]
    leaves: list[list]
    structures: list[Any]
    positional: int
    keywords: list[str]

    def rebuild(self, leaves: list[list]) -> tuple[list, dict]:
        """The arguments with other leaves in them."""
        trees = [
            group[0] if structure is LEAF else unflatten(structure, group)
            for structure, group in zip(self.structures, leaves, strict=True)
        ]
        return trees[: self.positional], dict(zip(self.keywords, trees[self.positional :], strict=True))

    def identifiers(self) -> list[list[str]]:
        """A short name for each leaf of each argument."""
        paths = [self.paths(argument) for argument in range(len(self.leaves))]
        names = iter(parameter_identifiers([path for group in paths for path in group]))
        return [[next(names) for _ in group] for group in paths]

    def path(self, argument: int, position: int) -> str:
        """The path of one leaf."""
        return self.paths(argument)[position]

    def paths(self, argument: int) -> list[str]:
        """The path of each leaf of one argument."""
        if self.structures[argument] is LEAF:
            return [self.names[argument]]
        return leaf_paths(unflatten(self.structures[argument], self.leaves[argument]), self.names[argument])


def parameter_names(function: Callable) -> list[str] | None:
    """The names of a function's parameters, or None where Python does not know them."""
    own = getattr(function, "parameter_names", None)  # a transform that takes more than its function does
    if own is not None:
        return own
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def take_apart(function: Callable, args: tuple, kwargs: dict, names: list[str] | None) -> Call:
    """Flatten the arguments of a call; keywords that name positional parameters are put in their place."""
    if kwargs and names:
        args, kwargs = _keywords_in_place(function, args, kwargs, names)
    leaves, structures = [], []
    for value in (*args, *kwargs.values()):
        if type(value) is np.ndarray:
            leaves.append([value])
            structures.append(LEAF)
        else:
            flat, structure = flatten(value)
            leaves.append(flat)
            structures.append(structure)
    known = names or []
    labels = [known[i] if i < len(known) else f"arg{i}" for i in range(len(args))] + list(kwargs)
    return Call(labels, leaves, structures, len(args), list(kwargs))


def _keywords_in_place(function, args, kwargs, names):
    args, kwargs = list(args), dict(kwargs)
    for name in names[len(args) :]:
        if name not in kwargs:
            break
        args.append(kwargs.pop(name))
    for name in kwargs:
        if name in names[: len(args)]:
            raise ArgumentError(f"{function_name(function)}() got {name!r} twice")
    return tuple(args), kwargs


def function_name(function: Callable) -> str:
    """The name of a function for messages and for emitted source."""
    return getattr(function, "__name__", type(function).__name__)


def chosen_arguments(function: Callable, call: Call, wrt: Wrt) -> list[int]:
    """The arguments that `wrt` names, as numbers into the call."""
    key = (function_name(function), tuple(call.names), call.positional, wrt, type(wrt))
    try:
        return list(_chosen(*key))  # type: ignore[arg-type]
    except TypeError:  # a list, say: not hashable, and not a wrt
        return list(_chosen.__wrapped__(*key))


@functools.lru_cache(maxsize=1024)
def _chosen(function: str, names: tuple[str, ...], positional: int, wrt: Wrt, kind: type) -> tuple[int, ...]:
    chosen = []
    for item in wrt if isinstance(wrt, tuple) else (wrt,):
        if isinstance(item, str):
            if item not in names:
                raise ArgumentError(
                    f"wrt names {item!r}, but {function}() was called with {', '.join(names)}" + _close(item, names)
                )
            chosen.append(names.index(item))
        elif isinstance(item, int) and not isinstance(item, bool):
            if not -positional <= item < positional:
                raise ArgumentError(
                    f"wrt is {item}, but {function}() was called with {positional} positional "
                    "arguments (they count from 0)"
                )
            chosen.append(item % positional)
        else:
            raise ArgumentError(f"wrt must be a position, a parameter's name, or a tuple of these, not {item!r}")
    if len(set(chosen)) != len(chosen):
        raise ArgumentError(f"wrt={wrt!r} names an argument twice")
    if not chosen:
        raise ArgumentError("wrt is empty: name at least one argument")
    return tuple(chosen)


def parameter_identifiers(paths: list[str]) -> list[str]:
    """A short identifier for each leaf, unambiguous among them.

    >>> parameter_identifiers(["net.layers[0].W", "state['m'].layers[0].W", "X"])
    ['W1', 'm_W1', 'X']
    """
    chosen: list[str] = []
    for path in paths:
        candidates = [_short(path), _prefixed(path), identifier(path)]
        free = [c for c in candidates if c not in chosen and (c == path or c not in paths)]
        chosen.append(free[0] if free else f"{identifier(path)}_{len(chosen)}")
    return chosen


def _parts(path: str) -> list[str]:
    """The names and numbers on a path: state['m'].layers[0].W -> state, m, layers, 0, W."""
    return re.findall(r"[^.\[\]'\"]+", path)


def _short(path: str) -> str:
    """The last name, and the number of its layer counted from 1: net.layers[0].W -> W1."""
    parts = _parts(path)
    numbers = [part for part in parts if part.isdigit()]
    words = [part for part in parts if not part.isdigit()]
    if len(numbers) > 1 or not words:
        return identifier(path)
    return identifier(words[-1]) + (str(int(numbers[0]) + 1) if numbers else "")


def _prefixed(path: str) -> str:
    """The short name behind the first name inside the argument: state['m'].layers[0].W -> m_W1."""
    words = [part for part in _parts(path) if not part.isdigit()]
    return f"{identifier(words[1])}_{_short(path)}" if len(words) > 2 else identifier(path)


def _close(name: str, known: Sequence[str]) -> str:
    import difflib

    lowered = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    return f"; did you mean {lowered[close[0]]!r}?" if close else ""


def as_float_leaf(value: Any, path: Callable[[], str]) -> Any:
    """A leaf under `wrt`: floats pass, a Python int is taken as a float, anything else raises with its path."""
    if type(value) is int:
        return float(value)
    dtype = getattr(value, "dtype", None)
    if type(value) is float or (dtype is not None and dtype.kind == "f"):
        return value
    kind = dtype if dtype is not None else type(value).__name__
    raise DtypeError(
        f"{path()} is of {kind}: only floats have a derivative; leave it out of wrt, or convert it with .astype(float)"
    )


def is_floating(value: Any) -> bool:
    """Whether a leaf is a floating array, NumPy scalar, Python float or traced float."""
    if type(value) is float:
        return True
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.kind == "f" and isinstance(value, (np.ndarray, np.generic, Recorder))
