"""What a function captures: arrays in closures, globals, defaults and bound objects, and whether they are still there.

A staged program holds captured arrays as constants. Before it runs again, `Captures.unchanged` looks whether every
closure cell and global still holds the same object; writes into a captured array are seen, because the program reads
the array itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

DEPTH = 6  # functions calling functions


class Captures:
    """The cells and globals that a function, and the Python functions it names, can reach."""

    def __init__(self, function: Callable):
        self.slots: list[tuple[Callable[[], Any], Any]] = []  # (read it again, what it held)
        self.names: dict[int, str] = {}  # id of a captured array -> its variable's name
        self._seen: set[int] = set()
        self._visit(function, DEPTH)

    def name_of(self, value: Any) -> str | None:
        """The variable's name under which an array was captured."""
        return self.names.get(id(value))

    def unchanged(self) -> bool:
        """Whether every slot still holds what it held."""
        return all(read() is held for read, held in self.slots)

    def _visit(self, function: Any, depth: int) -> None:
        if isinstance(function, MethodType):
            self._note("self", partial(getattr, function, "__self__"), depth)
            function = function.__func__
        wrapped = getattr(function, "__wrapped__", None)
        if not isinstance(function, FunctionType) or id(function) in self._seen or depth == 0:
            if wrapped is not None and not isinstance(function, FunctionType):
                self._visit(wrapped, depth)
            return
        self._seen.add(id(function))
        if (getattr(function, "__module__", None) or "").partition(".")[0] in ("numpy", "chainrule"):
            # a transform's wrapper: only the user's function inside matters
            if wrapped is not None:
                self._visit(wrapped, depth)
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._note(name, partial(_contents, cell), depth)
        for name in _global_names(function.__code__):
            if name in function.__globals__:
                self._note(name, partial(function.__globals__.get, name), depth)

    def _note(self, name: str, read: Callable[[], Any], depth: int) -> None:
        value = read()
        if isinstance(value, ModuleType):
            return
        self.slots.append((read, value))
        if isinstance(value, np.ndarray):
            self.names.setdefault(id(value), name)
        elif isinstance(value, (FunctionType, MethodType)):
            self._visit(value, depth - 1)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value[:64]):
                if isinstance(item, np.ndarray):
                    self.names.setdefault(id(item), f"{name}{index}")
        elif isinstance(value, dict):
            for key, item in list(value.items())[:64]:
                if isinstance(item, np.ndarray):
                    self.names.setdefault(id(item), str(key))


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _global_names(code: CodeType) -> list[str]:
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += _global_names(constant)
    return names
