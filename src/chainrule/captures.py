"""What a function captures, and whether it is still what it was.

Reached are closure cells, globals, defaults, `functools.partial` arguments, bound objects with their attributes,
modules of the user's, lists, tuples and dicts, and the same of the functions among them. A staged program holds
captured arrays as constants: an array that entered the trace as itself is read live; of one that was only used to
compute something (`W[:3]`, `W * 2`) a checksum is kept. Anything else is compared by identity.
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
import zlib
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

LIMIT = 2000  # slots that are watched
ABSENT = object()


class Captures:
    """Every slot that a function can reach, with what it held."""

    def __init__(self, function: Callable):
        self.slots: list[tuple[Callable[[], Any], Any]] = []  # (read it again, what it held)
        self.names: dict[int, str] = {}  # id of a captured array -> its variable's name
        self.arrays: dict[int, np.ndarray] = {}
        self.watched: list[tuple[np.ndarray, int]] = []  # arrays whose content decides, with their checksums
        self._seen: set[int] = set()
        self._visit(function, "function")

    def name_of(self, value: Any) -> str | None:
        """The variable's name under which an array was captured."""
        return self.names.get(id(value))

    def unchanged(self) -> bool:
        """Whether every slot still holds what it held."""
        for read, held in self.slots:
            now = read()
            if now is not held and not _equal_numbers(now, held):
                return False
        return all(checksum(array) == before for array, before in self.watched)

    def fingerprints(self) -> dict[int, int]:
        """The checksum of every captured array."""
        return {key: checksum(array) for key, array in self.arrays.items()}

    def changed_since(self, before: dict[int, int]) -> set[int]:
        """The arrays that were written since: a function's own scratch memory."""
        return {key for key, value in self.fingerprints().items() if before[key] != value}

    def watch(self, before: dict[int, int], seen: set[int]) -> None:
        """Keep the checksums of the arrays that are not read live; what the function itself writes is its own affair."""
        self.slots = [(read, held) for read, held in self.slots if read() is held or _equal_numbers(read(), held)]
        self.watched = [(array, before[key]) for key, array in self.arrays.items() if key not in seen]
        self._seen.clear()

    # -- the walk ------------------------------------------------------------------------------------------------
    def _visit(self, value: Any, name: str) -> None:
        """Note what a value reaches."""
        if (
            len(self.slots) >= LIMIT
            or id(value) in self._seen
            or isinstance(value, (type(None), str, bytes, int, float))
        ):
            return
        self._seen.add(id(value))
        if isinstance(value, np.ndarray):
            self.names.setdefault(id(value), name)
            self.arrays[id(value)] = value
        elif isinstance(value, FunctionType):
            self._visit_function(value)
        elif isinstance(value, MethodType):
            self._visit(value.__self__, "self")
            self._visit(value.__func__, name)
        elif isinstance(value, partial):
            for part in (value.func, value.args, value.keywords):
                self._visit(part, name)
        elif isinstance(value, dict):
            self._slot(partial(len, value), name)
            for key in list(value):
                self._slot(partial(value.get, key), str(key))
        elif isinstance(value, (list, tuple)):
            self._slot(partial(len, value), name)
            for index in range(len(value)):
                self._slot(partial(_item, value, index), f"{name}{index}")
        elif not isinstance(value, (type, ModuleType)) and not _is_library(type(value).__module__):
            self._visit_object(value)

    def _slot(self, read: Callable[[], Any], name: str) -> None:
        value = read()
        if not isinstance(value, (ModuleType, type)) or value is ABSENT:
            self.slots.append((read, value))
        self._visit(value, name)

    def _visit_object(self, value: Any) -> None:
        for key in list(getattr(value, "__dict__", {})):
            self._slot(partial(getattr, value, key, ABSENT), key)
        for cls in type(value).__mro__[:-1]:
            for key, item in vars(cls).items():
                if isinstance(item, FunctionType) and (key == "__call__" or not key.startswith("__")):
                    self._visit(item, key)
                elif not key.startswith("__") and not callable(item):
                    self._slot(partial(getattr, value, key, ABSENT), key)

    def _visit_function(self, function: FunctionType) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if _is_library(
            function.__globals__.get("__name__", "")
        ):  # a transform's wrapper: only the user's function inside matters
            self._visit(wrapped, "function")
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._slot(partial(_contents, cell), name)
        for read in (partial(getattr, function, "__defaults__"), partial(getattr, function, "__kwdefaults__")):
            self._slot(read, "default")
        for name in _global_names(function.__code__):
            read = partial(function.__globals__.get, name, ABSENT)
            value = read()
            if isinstance(value, ModuleType) and not _is_library(value.__name__):
                for attribute in set(function.__code__.co_names) & set(vars(value)):
                    self._slot(partial(getattr, value, attribute, ABSENT), attribute)
            elif value is not ABSENT or not hasattr(builtins, name):
                self._slot(read, name)
        self._visit(wrapped, "function")


def checksum(array: np.ndarray) -> int:
    """A number that changes with the array's content."""
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) if array.dtype != object else 0


def _is_library(module: str) -> bool:
    root = module.partition(".")[0]
    return root in ("numpy", "chainrule", "builtins") or root in sys.stdlib_module_names and root != "__main__"


def _equal_numbers(left: Any, right: Any) -> bool:
    return type(left) is type(right) and isinstance(left, (int, float, str)) and left == right


def _item(values: Any, index: int) -> Any:
    return values[index] if index < len(values) else ABSENT


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return ABSENT


@functools.cache
def _global_names(code: CodeType) -> tuple[str, ...]:
    names = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += _global_names(constant)
    return tuple(dict.fromkeys(names))
