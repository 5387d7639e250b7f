"""Which line of the user's code is running, and which name its result is about to get.

The one idea: an instruction has a position in the source (`co_positions`), and the syntax tree says what stands there:
the value of an assignment gets the target's name, the value of a `return` gets the name from the caller, anything else
is a nested part without a name. Answers are cached by code object, so a traced operation pays a dictionary look-up.

Targets that give a name: `a =`, `a = b =`, `c, d =`, annotated and walrus targets, `+=`, `h["k"]`, `o.attr`, `lst[0]`,
`lst.append(...)` and comprehensions (`hs[i]`). Without source (`exec`, standard input, `-X no_debug_ranges`) the
instruction that stores the value gives the name.
"""

from __future__ import annotations

import ast
import dis
import linecache
import sys
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

Span = tuple[int, int, int, int]  # first line, first column, last line, last column

RETURNED = "<returned>"  # the expression's value is returned: its name is the caller's business

_places: dict[tuple[int, int], Place] = {}
_kept_alive: dict[int, CodeType] = {}  # ids of code objects are keys above, so the objects must live
_names_of_file: dict[str, dict[Any, str]] = {}
_sizes_of_file: dict[str, dict[Span, tuple[int | None, tuple[str, ...]]]] = {}
_lines_of_file: dict[str, list[str]] = {}  # what was read: a notebook cell or reloaded module is read again


@dataclass(frozen=True, slots=True)
class Place:
    """One instruction of the user's code."""

    filename: str
    line: int
    function: str
    name: str | None  # the target's name, RETURNED, or None for a nested part
    span: Span | None

    def __str__(self) -> str:
        return f"line {self.line} of {self.function}()"


def place_of(code: CodeType, instruction: int) -> Place:
    """The place of an instruction (`frame.f_lasti`) of a code object."""
    key = (id(code), instruction)
    found = _places.get(key)
    if found is None:
        _kept_alive[id(code)] = code
        found = _places[key] = _look_up(code, instruction)
    return found


def assigned_name(frame: FrameType | None, engine: frozenset[str], borders: frozenset[str] = frozenset()) -> str | None:
    """The name that the running expression's value will get, following `return`s to the callers.

    A caller in one of the `borders` called the whole function: its result is the function's, and has no name.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename in borders:
            return None
        if code.co_filename in engine or is_numpy(code.co_filename):
            frame = frame.f_back
            continue
        name = place_of(code, frame.f_lasti).name
        if name is not RETURNED:
            return name
        frame = frame.f_back
    return None


def user_frame(engine: frozenset[str], depth: int = 2) -> FrameType | None:
    """The innermost frame that is neither ours nor NumPy's."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and (frame.f_code.co_filename in engine or is_numpy(frame.f_code.co_filename)):
        frame = frame.f_back
    return frame


_numpy_files: dict[str, bool] = {}


def is_numpy(filename: str) -> bool:
    """Whether a file is NumPy's own."""
    known = _numpy_files.get(filename)
    if known is None:
        parts = filename.replace("\\", "/").split("/")
        known = _numpy_files[filename] = "numpy" in parts and "site-packages" in parts or "contextlib.py" == parts[-1]
    return known


def size_names(place: Place) -> tuple[int | None, tuple[str, ...]] | None:
    """For `N = X.shape[0]` (0, ("N",)), for `N, d = X.shape` (None, ("N", "d")), at the position of `.shape`."""
    if place.span is None:
        return None
    _read(place.filename)
    return _sizes_of_file[place.filename].get(place.span)


def _look_up(code: CodeType, instruction: int) -> Place:
    line, last_line, column, last_column = _position(code, instruction)
    span = None
    name = None
    if None not in (line, last_line, column, last_column):
        span = (line, column, last_line, last_column)
    _read(code.co_filename)
    if span is not None and _lines_of_file[code.co_filename]:
        names = _names_of_file[code.co_filename]
        # on 3.11 the span of a method chain over several lines starts at the attribute: the end still agrees
        name = names.get(span) or names.get(("call", last_line, last_column))
    else:
        name = _stored_name(code, instruction)
    return Place(code.co_filename, line or code.co_firstlineno, code.co_name, name, span)


def _position(code: CodeType, instruction: int):
    if instruction < 0:
        return (code.co_firstlineno, None, None, None)
    for index, position in enumerate(code.co_positions()):
        if index == instruction // 2:
            return position
    return (code.co_firstlineno, None, None, None)


def _stored_name(code: CodeType, instruction: int) -> str | None:
    """Where there is no source: the name in the next instruction, if that stores the value."""
    for found in dis.get_instructions(code):
        if found.offset > instruction:  # past the caches of the call that is running
            if found.opname == "RETURN_VALUE":
                return RETURNED
            return found.argval if found.opname in _STORES else None
    return None


_STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR")


def _read(filename: str) -> None:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    if _lines_of_file.get(filename) == lines:
        return
    _lines_of_file[filename] = lines
    names: dict[Any, str] = {}
    sizes: dict[Span, tuple[int | None, tuple[str, ...]]] = {}
    source = "".join(lines)
    try:
        tree = ast.parse(source) if source else None
    except (SyntaxError, ValueError):
        tree = None
    if tree is not None:
        for node in ast.walk(tree):
            _visit(node, names, sizes)
    _sizes_of_file[filename] = sizes
    _names_of_file[filename] = names


def _visit(node: ast.AST, names: dict, sizes: dict) -> None:
    match node:
        case ast.Assign(targets=targets, value=value):
            _pair(targets[0], value, names)
            _note_size(targets[0], value, sizes)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            _pair(target, value, names)
        case ast.AugAssign(target=target):
            _give(node, target, names)
        case ast.NamedExpr(target=target, value=value):
            _pair(target, value, names)
        case ast.Return(value=value) if value is not None:
            _returned(value, names)
        case ast.Lambda(body=body):
            _returned(body, names)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="append"), args=[argument])):
            _put(argument, owner, names)


def _pair(target: ast.expr, value: ast.expr, names: dict) -> None:
    if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        for one, other in zip(target.elts, value.elts, strict=False):
            _pair(one, other, names)
    elif isinstance(value, ast.IfExp):
        _pair(target, value.body, names)
        _pair(target, value.orelse, names)
    elif isinstance(value, (ast.ListComp, ast.GeneratorExp)):
        _give(value.elt, target, names)
    elif isinstance(target, (ast.Tuple, ast.List)):
        pass  # c, d = f(x): each output is named inside f
    else:
        _give(value, target, names)


def _returned(value: ast.expr, names: dict) -> None:
    if isinstance(value, ast.Tuple):
        return
    if isinstance(value, ast.IfExp):
        _returned(value.body, names)
        _returned(value.orelse, names)
        return
    _put(value, RETURNED, names)


def _give(value: ast.AST, target: ast.expr, names: dict) -> None:
    name = target_name(target)
    if name is not None:
        _put(value, name, names)


def _put(value: Any, name: str, names: dict) -> None:
    span = (value.lineno, value.col_offset, value.end_lineno, value.end_col_offset)
    names.setdefault(span, name)
    if isinstance(value, ast.Call):
        names.setdefault(("call", value.end_lineno, value.end_col_offset), name)


def target_name(target: ast.expr) -> str | None:
    """The name that an assignment target suggests: `W`, `h["k"]` -> k, `o.attr` -> attr, `lst[0]` -> lst0."""
    match target:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value, slice=ast.Constant(value=key)):
            if isinstance(key, str):
                return key
            owner = target_name(value)
            return f"{owner}{key}" if owner and isinstance(key, int) and key >= 0 else owner
        case ast.Subscript(value=value):
            return target_name(value)
    return None


def _note_size(target: ast.expr, value: ast.expr, sizes: dict) -> None:
    axis: int | None = None
    if (
        isinstance(value, ast.Subscript)
        and isinstance(value.slice, ast.Constant)
        and isinstance(value.slice.value, int)
    ):
        axis, value = value.slice.value, value.value
    if not (isinstance(value, ast.Attribute) and value.attr == "shape"):
        return
    span = (value.lineno, value.col_offset, value.end_lineno or 0, value.end_col_offset or 0)
    if isinstance(target, ast.Name) and axis is not None:
        sizes[span] = (axis, (target.id,))
    elif isinstance(target, ast.Tuple) and axis is None and all(isinstance(e, ast.Name) for e in target.elts):
        sizes[span] = (None, tuple(e.id for e in target.elts))  # type: ignore[attr-defined]
