"""An edit of a syntax tree as a change of text: the lines that change, and nothing else in the file.

The one idea: only the smallest expression that changes is written anew; what stands around it, comments and spaces
included, is the user's. Brackets are put around it if without them the text would be read differently.
"""

from __future__ import annotations

import ast
import difflib
import itertools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from chainrule.diagnosis.edits import Edit
from chainrule.diagnosis.rebuilding import Source


@dataclass(frozen=True)
class Rewritten:
    """Lines of a file, and what is to stand there.

    Attributes
    ----------
    first, last : int
        The lines that change, counted from 1, both included.
    new : tuple of str
        What takes their place.
    """

    first: int
    last: int
    new: tuple[str, ...]

    def old_text(self, lines: tuple[str, ...]) -> str:
        """The lines as they are, without indentation."""
        return textwrap.dedent("".join(lines[self.first - 1 : self.last])).rstrip("\n")

    def new_text(self) -> str:
        """The lines as they should be, without indentation."""
        return textwrap.dedent("".join(self.new)).rstrip("\n")

    def applied(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """The whole file with the change."""
        return (*lines[: self.first - 1], *self.new, *lines[self.last :])

    def diff(self, source: Source) -> str:
        """The change as a unified diff with two lines of context."""
        name = f"{source.file.rsplit('/', 1)[-1]}: {source.name}()"
        changed = difflib.unified_diff(source.lines, self.applied(source.lines), name, f"{name}, mended", n=2)
        return "".join(line if line.endswith("\n") else line + "\n" for line in changed).rstrip("\n")


def rewritten(source: Source, edit: Edit) -> Rewritten | None:
    """The text of an edit that is not applied; None if it cannot be written.

    Parameters
    ----------
    source : Source
        The function, with its file.
    edit : Edit
        One of its edits.
    """
    if edit.more:
        return _together(source, [replace(edit, more=()), *edit.more])
    edit.apply()
    wanted = ast.dump(source.node)
    edit.undo()
    if not isinstance(edit.new, list):
        forms = [form for text in _texts(source, edit.new) for form in (text, f"({text})")]
        candidates: list[Rewritten | None] = [_spliced(source.lines, edit.old, form) for form in forms]
        if isinstance(edit.new, _ATOMS):
            candidates = [_without_brackets(source.lines, edit.old, forms[0]), *candidates]
    else:
        candidates = [_of_block(source.lines, edit.old, edit.new)]
    for candidate in candidates:
        if candidate is not None and _reads_as(source, candidate, wanted):
            return candidate
    return None


def _together(source: Source, edits: list[Edit]) -> Rewritten | None:
    """Edits of several lines, as one change of all lines from the first to the last."""
    parts = [rewritten(source, edit) for edit in edits]
    if any(part is None for part in parts):
        return None
    known = sorted((part for part in parts if part is not None), key=lambda part: part.first)
    first, last = known[0].first, max(part.last for part in known)
    new: list[str] = []
    line = first
    for part in known:
        if part.first < line:
            return None  # two changes of one line
        new += [*source.lines[line - 1 : part.first - 1], *part.new]
        line = part.last + 1
    return Rewritten(first, last, tuple(new))


_ATOMS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)


def _texts(source: Source, new: ast.expr) -> Iterator[str]:
    """Ways to write an expression: with the user's own text for the parts that were there before, if it can be."""
    parts: list[tuple[str, bool]] = []
    skeleton = ast.unparse(_skeleton(new, {id(node) for node in ast.walk(source.node)}, "".join(source.lines), parts))
    if isinstance(new, ast.Tuple):
        skeleton = skeleton.removeprefix("(").removesuffix(")")
    compound = [i for i, (_, atom) in enumerate(parts) if not atom][:4]
    for count in range(len(compound) + 1):
        for bracketed in itertools.combinations(compound, count):
            text = skeleton
            for i, (part, _) in enumerate(parts):
                text = text.replace(f"_part{i}_", f"({part})" if i in bracketed else part)
            yield text
    yield ast.unparse(new)


def _skeleton(node: Any, own: set[int], text: str, parts: list[tuple[str, bool]]) -> Any:
    """A copy of a tree in which each part that is the user's is a name that stands for its text."""
    if isinstance(node, list):
        return [_skeleton(item, own, text, parts) for item in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.expr) and id(node) in own:
        segment = ast.get_source_segment(text, node)
        if segment is not None and "\n" not in segment:
            parts.append((segment, isinstance(node, _ATOMS)))
            return ast.Name(f"_part{len(parts) - 1}_", ast.Load())
    return type(node)(**{name: _skeleton(value, own, text, parts) for name, value in ast.iter_fields(node)})


def _reads_as(source: Source, candidate: Rewritten, wanted: str) -> bool:
    """Whether the changed file has the changed function in it."""
    try:
        tree = ast.parse("".join(candidate.applied(source.lines)))
    except (SyntaxError, ValueError):
        return False
    kind = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(n, kind) and n.lineno == source.first and ast.dump(n) == wanted for n in ast.walk(tree))


def _spliced(lines: tuple[str, ...], old: ast.expr | ast.stmt, text: str) -> Rewritten:
    """A node's text replaced by another; columns count bytes."""
    first, last = old.lineno, old.end_lineno or old.lineno
    before = lines[first - 1].encode()[: old.col_offset].decode()
    after = lines[last - 1].encode()[old.end_col_offset :].decode()
    return Rewritten(first, last, tuple((before + text + after).splitlines(keepends=True)))


def _without_brackets(lines: tuple[str, ...], old: ast.expr, text: str) -> Rewritten | None:
    """The same where a name takes the place of what stood in brackets of its own."""
    first, last = old.lineno, old.end_lineno or old.lineno
    before = lines[first - 1].encode()[: old.col_offset].decode()
    after = lines[last - 1].encode()[old.end_col_offset :].decode()
    if not (re.search(r"(?:^|[^\w\])\s])\s*\($", before) and after.startswith(")")):
        return None
    return Rewritten(first, last, tuple((before[:-1] + text + after[1:]).splitlines(keepends=True)))


def _of_block(lines: tuple[str, ...], old: list[ast.stmt], new: list[ast.stmt]) -> Rewritten | None:
    """Statements replaced, removed or moved."""
    if len(new) == len(old) and {id(s) for s in new} != {id(s) for s in old}:
        before, after = next((o, n) for o, n in zip(old, new, strict=True) if o is not n)
        return _spliced(lines, before, _statement(lines, before, after))
    if len(new) < len(old):
        gone = next(s for s in old if s not in new)
        return Rewritten(gone.lineno, gone.end_lineno or gone.lineno, ())
    moved = [i for i, (o, n) in enumerate(zip(old, new, strict=True)) if o is not n]
    if not moved:
        return None
    first, last = old[moved[0]].lineno, old[moved[-1]].end_lineno or 0
    text: list[str] = []
    for i in range(moved[0], moved[-1] + 1):
        text += lines[new[i].lineno - 1 : new[i].end_lineno]
    return Rewritten(first, last, tuple(text))


def _statement(lines: tuple[str, ...], old: ast.stmt, new: ast.stmt) -> str:
    """A statement's text, of the user's own parts where only the way of assigning has changed."""
    text = "".join(lines)
    match new:
        case ast.AugAssign(target=target, op=op, value=value) if isinstance(op, tuple(_SIGNS)):
            sign = _SIGNS[type(op)]
        case ast.Assign(targets=[target], value=value):
            sign = ""
        case _:
            return ast.unparse(new)
    own = [getattr(old, "value", None), getattr(old, "target", None), *getattr(old, "targets", [])]
    parts = [ast.get_source_segment(text, part) if part in own else ast.unparse(part) for part in (target, value)]
    return f"{parts[0]} {sign}= {parts[1]}"


_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
