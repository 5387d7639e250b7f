"""A function of the user's with one place of its source changed, as a new function; the one it came from stays as it is.

The one idea: the syntax tree of the function is changed in place, compiled, and changed back. The new code object gets
the globals, defaults and closure cells of the original. Where a helper is changed, everything that calls it is bound to
a copy of its namespace, in which the helper is the new one: nothing is installed anywhere.

>>> def double(x):
...     return 2 * x
>>> source = source_of(double)
>>> source.name, source.first
('double', 1)
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import copy
import functools
import inspect
import linecache
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diagnosis.watching import innermost

_FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


@dataclass
class Source:
    """A function with the part of its file that it was made from.

    Attributes
    ----------
    function : FunctionType
    node : ast.FunctionDef
        Its tree; line numbers are those of the file.
    module : ast.Module
        What is compiled: the function inside what it needs around it.
    lines : tuple of str
        The whole file.
    """

    function: types.FunctionType
    node: ast.FunctionDef | ast.AsyncFunctionDef
    module: ast.Module
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.node.name

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.function.__code__.co_filename

    @property
    def first(self) -> int:
        """The line of its `def`."""
        return self.node.lineno

    def compiled(self) -> types.CodeType | None:
        """The code of the tree as it is now; None if that is no Python."""
        old = self.function.__code__
        try:
            outer = compile(self.module, old.co_filename, "exec", old.co_flags & _FUTURE, dont_inherit=True)
        except (SyntaxError, ValueError, TypeError, RecursionError):
            return None
        todo = [outer]
        while todo:
            code = todo.pop()
            inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
            todo.extend(inner)
            for found in inner:
                if found.co_name == old.co_name and found.co_firstlineno == old.co_firstlineno:
                    return found if set(found.co_freevars) <= set(old.co_freevars) else None
        return None


def source_of(function: types.FunctionType) -> Source | None:
    """A function's source, or None where there is none, or where it is a lambda."""
    code = function.__code__
    lines = tuple(linecache.getlines(code.co_filename, function.__globals__))
    tree = _tree(lines)
    if tree is None:
        return None
    found = _find(tree, code, ())
    if found is None:
        return None
    node, parents = found
    inner: Any = copy.copy(node)  # the body is shared: what is changed there is compiled
    inner.decorator_list, inner.lineno = [], code.co_firstlineno
    if parents and isinstance(parents[-1], ast.ClassDef):  # `self.__x` is spelled with the class's name
        wrapped: Any = ast.parse(f"class {parents[-1].name}: pass").body[0]
        wrapped.body, inner = [inner], wrapped
    module = ast.parse("def _around(): pass")
    assigned = [ast.parse(f"{name} = None").body[0] for name in code.co_freevars]
    module.body[0].body = [*assigned, inner]  # type: ignore[attr-defined]
    return Source(function, node, module, lines)


@functools.lru_cache(maxsize=16)
def _parsed(lines: tuple[str, ...]) -> ast.Module | None:
    try:
        return ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None


def _tree(lines: tuple[str, ...]) -> ast.Module | None:
    """A tree of one's own, to be changed."""
    tree = _parsed(lines) if lines else None
    return copy.deepcopy(tree)


def _find(tree: ast.AST, code: types.CodeType, parents: tuple[ast.AST, ...]) -> Any:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and child.name == code.co_name:
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            if first == code.co_firstlineno:
                return child, parents
        if isinstance(child, (ast.stmt, ast.ExceptHandler)):
            found = _find(child, code, (*parents, child) if hasattr(child, "name") else parents)
            if found is not None:
                return found
    return None


class Program:
    """A backward pass with the functions of the user that it runs, any of which may be given new code.

    Parameters
    ----------
    backward : callable
        A function, a method, a `partial`, or an object that can be called.
    args, kwargs
        What it is called with.
    codes : sequence of code objects
        The user's functions that ran, as `watch` found them.
    """

    def __init__(
        self, backward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], codes: Sequence[Any]
    ):
        self.backward, self.args, self.kwargs = backward, args, dict(kwargs)
        self.inner = innermost(backward)
        self.functions = [] if self.inner is None else list(self._functions(set(codes)))
        self.sources = [source for source in map(source_of, self.functions) if source is not None]

    def _functions(self, codes: set[Any]) -> Iterator[types.FunctionType]:
        """The functions that ran, the backward pass first; one that is defined inside another belongs to that one."""
        held = [_owner(self.backward), self.args, self.kwargs, *_captured(self.inner)]
        todo: list[Any] = [self.inner, *(type(item) for item in objects_in(held))]
        met: set[int] = set()
        while todo:
            item = todo.pop(0)
            if isinstance(item, types.FunctionType):
                item = inspect.unwrap(item)
            if id(item) in met:
                continue
            met.add(id(item))
            if isinstance(item, type):
                todo += [value for base in item.__mro__ for value in vars(base).values() if _is_code(value, codes)]
            elif isinstance(item, types.FunctionType) and (item.__code__ in codes or item is self.inner):
                yield item
                todo += _captured(item)

    def changed(self, function: types.FunctionType, code: types.CodeType) -> Callable[..., Any]:
        """The backward pass in which one function has another code; it works on copies of all that it is given."""
        renewal = _Renewal(self, function, code)
        owner = copy.deepcopy(_owner(self.backward))
        renewal.adapt(owner)
        assert self.inner is not None
        inner = renewal.of(self.inner)

        def backward(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = copy.deepcopy(_with_partial(self.backward, args, kwargs))
            renewal.adapt([args, kwargs])
            return inner(*args, **kwargs) if owner is None else inner(owner, *args, **kwargs)

        backward.__name__ = backward.__qualname__ = self.inner.__name__
        with contextlib.suppress(ValueError, TypeError):
            backward.__signature__ = inspect.signature(self.backward)  # type: ignore[attr-defined]
        return backward


def _owner(backward: Any) -> Any:
    """The instance that a method is bound to; also of an object that can be called."""
    while isinstance(backward, functools.partial):
        backward = backward.func
    if isinstance(backward, types.FunctionType):
        return None
    return getattr(backward, "__self__", backward)


def _with_partial(
    backward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    while isinstance(backward, functools.partial):
        args, kwargs, backward = (*backward.args, *args), {**backward.keywords, **kwargs}, backward.func
    return args, kwargs


def _captured(function: types.FunctionType | None) -> list[Any]:
    """What a function finds outside itself, by global names and in closure cells."""
    if function is None:
        return []
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    return [*cells, *(function.__globals__.get(name) for name in _names_in(function.__code__))]


def _is_code(value: Any, codes: set[Any]) -> bool:
    return isinstance(value, types.FunctionType) and inspect.unwrap(value).__code__ in codes


def _names_in(code: types.CodeType) -> list[str]:
    inner = [
        name for constant in code.co_consts if isinstance(constant, types.CodeType) for name in _names_in(constant)
    ]
    return [*code.co_names, *inner]


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


class _Renewal:
    """One change, and all that has to be made anew because of it: functions, namespaces, methods of copied objects."""

    def __init__(self, program: Program, function: types.FunctionType, code: types.CodeType):
        self.functions, self.function, self.code = program.functions, function, code
        self.made: dict[types.FunctionType, types.FunctionType] = {}
        self.classes: dict[type, type] = {}
        self.names: dict[str, Any] = dict(function.__globals__)
        used = {name for function in self.functions for name in _names_in(function.__code__)}
        for name, value in function.__globals__.items():
            if isinstance(value, types.FunctionType) and inspect.unwrap(value) in self.functions:
                self.names[name] = self.of(inspect.unwrap(value))
            elif name in used:
                self.names[name] = self._own(value)

    def of(self, function: types.FunctionType) -> types.FunctionType:
        """The function, bound to what is new."""
        if function in self.made or function not in self.functions:
            return self.made.get(function, function)
        code = self.code if function is self.function else function.__code__
        names = self.names if function.__globals__ is self.function.__globals__ else function.__globals__
        old = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        held = {name: cell.cell_contents for name, cell in old.items() if _is_filled(cell)}
        ours = {name: types.CellType() for name in held}
        cells = tuple(ours.get(name, old[name]) for name in code.co_freevars)
        new = types.FunctionType(code, names, function.__name__, function.__defaults__, cells)
        new.__kwdefaults__, new.__qualname__ = function.__kwdefaults__, function.__qualname__
        self.made[function] = new
        for name, cell in ours.items():
            value = held[name]
            cell.cell_contents = self.of(value) if isinstance(value, types.FunctionType) else self._own(value)
        return new

    def _own(self, value: Any) -> Any:
        """A copy of what a function captured and may write to."""
        if not isinstance(value, (np.ndarray, list, dict)) and not any(True for _ in objects_in(value, 0)):
            return value
        try:
            value = copy.deepcopy(value)
        except Exception:  # noqa: BLE001 (an open file, a lock: such a thing is shared)
            return value
        self.adapt(value)
        return value

    def adapt(self, holder: Any) -> None:
        """Give the copied objects that something holds a class in which the method is the new one."""
        for item in objects_in(holder):
            kind = type(item)
            if kind not in self.classes:
                methods = {
                    name: self.of(inspect.unwrap(value))
                    for base in reversed(kind.__mro__)
                    for name, value in vars(base).items()
                    if isinstance(value, types.FunctionType) and inspect.unwrap(value) in self.functions
                }
                self.classes[kind] = type(kind.__name__, (kind,), methods) if methods else kind
            if self.classes[kind] is not kind:
                with contextlib.suppress(TypeError, AttributeError):  # a class that cannot be changed keeps its methods
                    item.__class__ = self.classes[kind]


_NO_INSTANCES = (type, types.ModuleType, types.FunctionType, types.MethodType, functools.partial)


def objects_in(item: Any, depth: int = 5) -> Iterator[Any]:
    """The objects with attributes that something holds, itself included."""
    children: list[Any] = []
    if isinstance(item, dict):
        children = list(item.values())
    elif isinstance(item, (list, tuple)):
        children = list(item)
    elif isinstance(getattr(item, "__dict__", None), dict) and not isinstance(item, _NO_INSTANCES):
        yield item
        children = list(vars(item).values())
    for child in children if depth else ():
        yield from objects_in(child, depth - 1)
