"""Watching a backward pass run: every number that a line of the user's own functions has computed, in order.

The one idea: Python tells before each line what the locals are (`sys.settrace`), so what is new since the line before is
what that line computed. Objects are compared by identity; what is changed in place (`+=`, `dZ[mask] = 0`) is read off the
syntax of the line. NumPy's frames and those of installed packages are passed over. Nothing is changed: the tracer that was
there before is put back.

>>> def backward(x):
...     y = 2 * x
...     return y + 1
>>> [(seen.name, seen.value.tolist()) for seen in watch(backward, (np.ones(2),)).assignments]
[('y', [2.0, 2.0]), ('return', [3.0, 3.0])]
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import numbers
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MOST_STEPS = 200_000  # lines that are followed
MOST_BYTES = 2**28  # of all copies together
MOST_OF_A_LINE = 40  # results of one line that are kept: a long loop need not fill the memory
MOST_ITEMS = 200  # of one list, dict or object
INSIDE = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>", "<module>")

Scope = dict[str, Any]  # what a name or path holds: a shape for an array, the number for a number


@dataclass(frozen=True)
class Assignment:
    """One value that a line computed.

    Attributes
    ----------
    file, function, line : str, str, int
        Where: the line counts from 1 in the file.
    name : str
        As the user would write it: `dW1`, `grads['W1']`, `self.dW`, `deltas[2]`; `return`, or `return[0]`, for results.
    value : ndarray or number
        A copy, as it was after the line.
    """

    file: str
    function: str
    line: int
    name: str
    value: Any


@dataclass
class Watch:
    """What was seen of one call.

    Attributes
    ----------
    assignments : list of Assignment
        In the order in which they were made.
    result : object
        What the function returned.
    error : Exception or None
        What it raised instead.
    complete : bool
        Whether everything was kept; not if a loop was too long or the copies too large.
    codes : list of code objects
        The functions of the user that ran.
    scopes : dict of (file, line) to Scope
        The shapes and numbers that were in sight when a line was last about to run.
    steps : int
        How many lines ran.
    """

    assignments: list[Assignment] = field(default_factory=list)
    result: Any = None
    error: Exception | None = None
    complete: bool = True
    codes: list[types.CodeType] = field(default_factory=list)
    scopes: dict[tuple[str, int], Scope] = field(default_factory=dict)
    steps: int = 0


def watch(
    function: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    of: Callable[..., Any] | None = None,
) -> Watch:
    """Run a function once, and note every value that its lines compute.

    Parameters
    ----------
    function : callable
        Followed are its own lines and those of functions of the same file or module that it calls. Without source, as
        for what `exec` made, nothing is followed.
    args, kwargs
        What to call it with; pass copies if the function may write to them.
    of : callable, optional
        The function whose file and module are the user's, if `function` is only something around it.

    Returns
    -------
    Watch
        Also if the function raises: then with what was seen up to there.

    Examples
    --------
    >>> def backward(A, dZ):
    ...     grads = {}
    ...     grads["W"] = A.T @ dZ
    ...     return grads
    >>> seen = watch(backward, (np.ones((3, 1)), np.ones((3, 1)))).assignments[0]
    >>> seen.name, seen.line
    ("grads['W']", 3)
    """
    found = Watch()
    tracer = _Tracer(found, innermost(function if of is None else of))
    before = sys.gettrace()
    try:
        if tracer.file is not None:
            sys.settrace(tracer.enter)
        found.result = function(*args, **(kwargs or {}))
    except Exception as error:  # noqa: BLE001 (whatever the user's function raises is part of the report)
        found.error = error
    finally:
        sys.settrace(before)
    return found


def innermost(function: Callable[..., Any]) -> types.FunctionType | None:
    """The function that a person wrote: without partial, decorators that say so, and the instance it is bound to."""
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    if not isinstance(inner, (types.FunctionType, types.MethodType)) and not isinstance(inner, type):
        inner = getattr(inner, "__call__", inner)  # noqa: B004 (the method itself is wanted)
    inner = inspect.unwrap(getattr(inner, "__func__", inner))
    inner = getattr(inner, "__func__", inner)
    return inner if isinstance(inner, types.FunctionType) else None


class _Tracer:
    """What `sys.settrace` calls."""

    def __init__(self, found: Watch, function: types.FunctionType | None):
        self.found, self.bytes = found, 0
        self.kept: dict[tuple[types.CodeType, int], int] = {}
        self.module = None if function is None else function.__globals__
        self.file = None if function is None else function.__code__.co_filename
        if self.file is not None and not linecache.getlines(self.file, self.module):
            self.file = None

    def enter(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        """Whether to follow a function that was just called."""
        code = frame.f_code
        beside = self.module is not None and frame.f_globals.get("__name__") == self.module.get("__name__")
        own = code.co_filename == self.file or (beside and linecache.getlines(code.co_filename))
        if not own or code.co_name in INSIDE or not self.found.complete:
            return None
        if code not in self.found.codes:
            self.found.codes.append(code)
        return _Followed(self, frame).step

    def keep(self, code: types.CodeType, line: int, name: str, value: Any) -> None:
        """Note a value, while there is room."""
        found, key = self.found, (code, line)
        size = value.nbytes if isinstance(value, np.ndarray) else 0
        if self.kept.get(key, 0) >= MOST_OF_A_LINE or self.bytes + size > MOST_BYTES:
            found.complete = False if self.bytes + size > MOST_BYTES else found.complete
            self.kept[key] = self.kept.get(key, 0) + 1
            return
        self.kept[key] = self.kept.get(key, 0) + 1
        self.bytes += size
        found.assignments.append(
            Assignment(code.co_filename, code.co_name, line, name, value.copy() if size else value)
        )


class _Followed:
    """One running function of the user."""

    def __init__(self, tracer: _Tracer, frame: types.FrameType):
        self.tracer = tracer
        self.line = 0
        self.before = dict(paths(frame.f_locals))

    def step(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        found, code = self.tracer.found, frame.f_code
        if event not in ("line", "return"):
            return self.step
        found.steps += 1
        if found.steps > MOST_STEPS:
            found.complete = False
            return None
        after = dict(paths(frame.f_locals))
        if self.line:
            changed = [name for name, value in after.items() if self.before.get(name) is not value]
            for name in dict.fromkeys([*changed, *_written_to(code.co_filename, self.line, frame, after)]):
                self.tracer.keep(code, self.line, name, after[name])
        self.before = after
        if event == "return":
            for name, value in paths({"return": arg}):
                self.tracer.keep(code, frame.f_lineno, name, value)
            return None
        self.line = frame.f_lineno
        numbers_around = {n: v for n, v in frame.f_globals.items() if _is_number(v) and not n.startswith("_")}
        found.scopes[code.co_filename, self.line] = {
            name: np.shape(value) if isinstance(value, np.ndarray) else value
            for name, value in (numbers_around | after).items()
        }
        return self.step


def paths(names: Mapping[str, Any], depth: int = 2) -> Iterator[tuple[str, Any]]:
    """The arrays and numbers in some names, also inside lists, dicts and objects, each as one writes it.

    >>> [path for path, _ in paths({"W": [np.ones(2), {"b": 1.0}], "text": "no"})]
    ['W[0]', "W[1]['b']"]
    """
    for name, value in list(names.items()):
        if not name.startswith("."):
            yield from _inside(name, value, depth)


_NO_HOLDERS = (str, bytes, type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType)


def _inside(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf":
            yield path, value
    elif _is_number(value):
        yield path, value
    elif depth == 0 or isinstance(value, _NO_HOLDERS):
        return
    elif isinstance(value, dict):
        for key, item in list(value.items())[:MOST_ITEMS]:
            if isinstance(key, (str, int)):
                yield from _inside(f"{path}[{key!r}]", item, depth - 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value[:MOST_ITEMS]):
            yield from _inside(f"{path}[{index}]", item, depth - 1)
    elif isinstance(getattr(value, "__dict__", None), dict):
        for name, item in list(vars(value).items())[:MOST_ITEMS]:
            yield from _inside(f"{path}.{name}", item, depth - 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _written_to(file: str, line: int, frame: types.FrameType, after: Mapping[str, Any]) -> list[str]:
    """The paths that a line changes in place: what it is asked about, for it cannot be seen."""
    written = []
    for target in _targets(file, tuple(linecache.getlines(file))).get(line, ()):
        path = _path(target, frame)
        while path is not None and path not in after and isinstance(target, ast.Subscript):
            target = target.value  # dZ[mask] is written into dZ
            path = _path(target, frame)
        if path in after:
            written.append(str(path))
    return written


@functools.lru_cache(maxsize=8)
def _targets(file: str, lines: tuple[str, ...]) -> dict[int, list[ast.expr]]:
    """For each line what its statement writes into: targets of `+=`, of `x[...] =`, `out=`, `np.add.at(x, ...)`."""
    found: dict[int, list[ast.expr]] = {}
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Assign):
            targets = [target for target in node.targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.Call):
            targets = [keyword.value for keyword in node.keywords if keyword.arg == "out"]
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("at", "copyto", "put", "fill_diagonal"):
                targets += node.args[:1]
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1) if targets else ():  # type: ignore[attr-defined]
            found.setdefault(line, []).extend(targets)
    return found


def _path(node: ast.expr, frame: types.FrameType) -> str | None:
    """A target as a path of `paths`: with the key in it that its index has right now."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=name):
            inner = _path(owner, frame)
            return None if inner is None else f"{inner}.{name}"
        case ast.Subscript(value=owner, slice=index):
            inner, key = _path(owner, frame), _key(index, frame)
            if key is None or inner is None:
                return inner if inner is None else f"{inner}[?]"
            return f"{inner}[{key!r}]"
    return None


def _key(node: ast.expr, frame: types.FrameType) -> str | int | None:
    """What a simple index is: a constant, a name, `l - 1`, `"W" + str(l)`, `f"W{l}"`."""
    match node:
        case ast.Constant(value=value):
            return value if isinstance(value, (str, int)) else None
        case ast.Name(id=name):
            value = frame.f_locals.get(name)
            return value if isinstance(value, (str, int)) else None
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _key(operand, frame)
            return -value if isinstance(value, int) else None
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            one, other = _key(left, frame), _key(right, frame)
            if isinstance(one, int) and isinstance(other, int):
                return one + other if isinstance(op, ast.Add) else one - other
            both = isinstance(one, str) and isinstance(other, str) and isinstance(op, ast.Add)
            return f"{one}{other}" if both else None
        case ast.Call(func=ast.Name(id="str"), args=[argument]):
            value = _key(argument, frame)
            return None if value is None else str(value)
        case ast.JoinedStr(values=parts):
            texts = [_key(part.value if isinstance(part, ast.FormattedValue) else part, frame) for part in parts]
            return None if None in texts else "".join(map(str, texts))
    return None
