r"""Edits of one line of a function: where in its syntax tree something is replaced, and how to take that back.

The one idea: an edit holds the place, what stands there and what is to stand there, so that trying one is an assignment,
and undoing it another. Only nodes of the statement change; the text of all other lines stays as the user wrote it.

>>> tree = ast.parse("def f(A, dZ):\n    dW = A @ dZ\n    return dW").body[0]
>>> edits = edits_of(tree, tree.body[0], Sight({"A": (4, 3), "dZ": (4, 2)}))
>>> edits[0].apply()
>>> print(ast.unparse(tree.body[0]))
dW = dZ.T @ A.T
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainrule.diagnosis.changes import AXES, FACTOR, Change, Sight, build, stem
from chainrule.diagnosis.changes_of_layout import of_axes, of_indices, of_layout, of_masks
from chainrule.diagnosis.changes_of_terms import (
    of_calls,
    of_factors,
    of_names,
    of_numbers,
    of_signs,
    of_terms,
    of_wholes,
)

MENDED = 3.0  # by how much a word that was given makes its edits likelier
_KINDS = (of_signs, of_layout, of_terms, of_factors, of_numbers, of_axes, of_masks, of_indices, of_calls, of_names)
Place = tuple[Any, str | int]  # an object and a field of it, or a list and a position


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of a syntax tree.

    Attributes
    ----------
    cost : float
        The less, the likelier.
    words : tuple of str
        What it mends.
    place : Place
        Where: for statements the list in which they stand, and "all".
    old, new : ast node, or lists of statements
    grows : bool
        Whether a large array may come of it.
    more : tuple of Edit
        The same change of other lines, made together with this one.
    """

    cost: float
    words: tuple[str, ...]
    place: Place
    old: Any
    new: Any
    grows: bool = False
    more: tuple[Edit, ...] = ()

    def apply(self) -> None:
        """Make the change."""
        self._put(self.new)
        for edit in self.more:
            edit.apply()

    def undo(self) -> None:
        """Take it back."""
        for edit in self.more:
            edit.undo()
        self._put(self.old)

    def _put(self, value: Any) -> None:
        owner, key = self.place
        if isinstance(key, int):
            owner[key] = value
        elif key == "all":
            owner[:] = value
        else:
            setattr(owner, key, value)

    def as_text(self) -> str:
        """What the edit does, to tell two that are the same; empty if that is nothing."""
        if isinstance(self.new, list):
            return "\n".join(ast.unparse(statement) for statement in self.new)
        text = ast.unparse(self.new)
        return f"{id(self.old)} {text}" if text != ast.unparse(self.old) else ""


def edits_of(
    function: ast.AST, statement: ast.stmt, sight: Sight, suggestions: Iterable[str] = (), words: Iterable[str] = ()
) -> list[Edit]:
    """The edits of one statement, the likeliest first.

    Parameters
    ----------
    function : ast.FunctionDef
        The tree that is edited.
    statement : ast.stmt
        One of its statements; of a compound one, its first line.
    sight : Sight
        What can be seen from there.
    suggestions : iterable of str
        Expressions that may be what the statement should compute.
    words : iterable of str
        What is known to be wrong: edits that mend it come first.
    """
    known = {part.split(":")[0] for word in words for part in word.split("+")}
    places = _places(function)
    found: list[Edit] = []
    for root, is_value in _roots(statement):
        wholes = list(_wholes(root)) if is_value else []
        for whole in wholes:
            found += [
                Edit(0.5, (), places[id(whole)], whole, _fitted(build(text), whole))
                for text in suggestions
                if _is_read(text)
            ]
        inside = {id(whole) for whole in wholes}
        for node in _parts(root):
            for kind in (*_KINDS, of_wholes) if id(node) in inside else _KINDS:
                for change in kind(node, id(node) in inside, sight):
                    found.append(_edit(change, places[id(node)], node))
        found += _everywhere(root, places, sight)
    block = places[id(statement)][0]
    if isinstance(block, list):
        found += _of_statements(block, statement, sight)
    unique = {edit.as_text(): edit for edit in sorted(found, key=lambda edit: edit.cost, reverse=True)}
    unique.pop("", None)
    return sorted(unique.values(), key=lambda edit: edit.cost - (MENDED if known & set(edit.words) else 0.0))


def in_each(lists: Sequence[Sequence[Edit]]) -> list[Edit]:
    """Edits that make the same change of each of several statements: the same slip in every layer.

    Two changes are the same if they read the same but for the digits in names: `dW2 / N` for `dW2`, `dW1 / N` for `dW1`.
    """
    by_key: list[dict[str, Edit]] = [{} for _ in lists]
    for found, edits in zip(by_key, lists, strict=True):
        for edit in edits:
            if isinstance(edit.old, ast.expr):
                old, new = ast.unparse(edit.old), ast.unparse(edit.new)
                found.setdefault(stem(new.replace(old, "?") if old in new else f"{old} -> {new}"), edit)
    shared = [key for key in by_key[0] if all(key in found for found in by_key)]
    together = ([found[key] for found in by_key] for key in shared)
    return [replace(first, cost=first.cost + 1, more=tuple(rest)) for first, *rest in together]


def _edit(change: Change, place: Place, node: ast.expr) -> Edit:
    return Edit(change.cost, change.words, place, node, _fitted(change.new, node), change.grows)


def _fitted(new: ast.AST, old: ast.AST) -> ast.AST:
    """A new node with the line numbers of the old one."""
    if new is not old and not hasattr(new, "lineno"):
        ast.copy_location(new, old)
    return ast.fix_missing_locations(new)


def _is_read(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _places(function: ast.AST) -> dict[int, Place]:
    """Where each node of the tree stands."""
    found: dict[int, Place] = {}
    for parent in ast.walk(function):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, list):
                found |= {id(item): (value, i) for i, item in enumerate(value) if isinstance(item, ast.AST)}
            elif isinstance(value, ast.AST):
                found[id(value)] = (parent, name)
    return found


def _roots(statement: ast.stmt) -> Iterator[tuple[ast.expr, bool]]:
    """The expressions of a statement's own line, and whether each is a quantity, not an index or a condition."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            yield value, True
            yield from ((target.slice, False) for target in targets if isinstance(target, ast.Subscript))
        case ast.AugAssign(target=target, value=value):
            yield value, True
            if isinstance(target, ast.Subscript):
                yield target.slice, False
        case ast.AnnAssign(value=value) | ast.Return(value=value) if value is not None:
            yield value, True
        case ast.Expr(value=value):
            yield value, True
        case ast.For(iter=value) | ast.If(test=value) | ast.While(test=value):
            yield value, False


def _wholes(root: ast.expr) -> Iterator[ast.expr]:
    """The quantities that an expression is made to deliver: items of tuples and dicts, what is appended."""
    match root:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _wholes(item)
        case ast.Dict(values=items):
            for item in items:
                yield from _wholes(item)
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            for keyword in keywords:
                yield from _wholes(keyword.value)
        case ast.Call(func=ast.Attribute(attr="append" | "insert" | "update" | "at"), args=[*_, last]):
            yield last
        case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item):
            yield from _wholes(item)
        case ast.DictComp(value=item):
            yield from _wholes(item)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _wholes(body)
            yield from _wholes(orelse)
        case _:
            yield root


def _parts(root: ast.expr) -> Iterator[ast.expr]:
    """The expression and all that it is made of, but for what is only called, and for attributes' owners."""
    todo: list[ast.AST] = [root]
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.expr) and not isinstance(node, (ast.Lambda, ast.Starred, ast.Slice)):
            yield node
        for child in ast.iter_child_nodes(node):
            if isinstance(node, ast.Call) and child is node.func:
                if isinstance(child, ast.Attribute):
                    todo.append(child.value)
            elif not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr != "T"):
                todo.append(child)


def _everywhere(root: ast.expr, places: dict[int, Place], sight: Sight) -> Iterator[Edit]:
    """A name that stands in an expression several times, replaced throughout: A1 * (1 - A1) for Z1 * (1 - Z1)."""
    seen: dict[str, list[ast.expr]] = {}
    for node in _parts(root):
        if isinstance(node, (ast.Name, ast.Subscript, ast.Attribute)) and sight.shape_of(node):
            seen.setdefault(ast.unparse(node), []).append(node)
    for own, nodes in seen.items():
        if len(nodes) > 1:
            for change in of_names(nodes[0], False, sight):
                new = _Replaced(own, change.new).visit(ast.parse(ast.unparse(root), mode="eval").body)
                yield Edit(change.cost + 0.1, change.words, places[id(root)], root, _fitted(new, root), change.grows)


class _Replaced(ast.NodeTransformer):
    """Every occurrence of a path is something else."""

    def __init__(self, path: str, new: ast.expr):
        self.path, self.new = path, new

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and ast.unparse(node) == self.path:
            return self.new
        return self.generic_visit(node)


def _of_statements(block: list[ast.stmt], statement: ast.stmt, sight: Sight) -> Iterator[Edit]:
    """Changes of a statement as a whole: how it assigns, where it stands, whether it is there."""
    here, whole = block.index(statement), list(block)

    def instead(*new: ast.stmt) -> list[ast.stmt]:
        return [*whole[:here], *(_fitted(s, statement) for s in new), *whole[here + 1 :]]  # type: ignore[list-item]

    adds = ("overwritten_instead_of_accumulated", "dropped_path")
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Attribute() | ast.Subscript() as target], value=value):
            yield Edit(1.5, adds, (block, "all"), whole, instead(ast.AugAssign(target, ast.Add(), value)))
            if isinstance(target, ast.Subscript):
                yield Edit(1.4, adds, (block, "all"), whole, instead(_added_at(target, value, sight)))
                so_far = build("d.get(k, 0) + v", d=_loaded(target.value), k=target.slice, v=value)
                yield Edit(1.6, adds, (block, "all"), whole, instead(ast.Assign([target], so_far)))
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as op, value=value):
            other = ast.Sub() if isinstance(op, ast.Add) else ast.Add()
            yield Edit(1, ("sign",), (block, "all"), whole, instead(ast.AugAssign(target, other, value)))
            yield Edit(1.5, (), (block, "all"), whole, instead(ast.Assign([target], value)))
            if isinstance(target, ast.Subscript):
                yield Edit(1.4, adds, (block, "all"), whole, instead(_added_at(target, value, sight)))
        case ast.AugAssign(target=target, op=ast.Mult() | ast.Div() as op, value=value):
            turned = ast.Div() if isinstance(op, ast.Mult) else ast.Mult()
            yield Edit(1.5, FACTOR, (block, "all"), whole, instead(ast.AugAssign(target, turned, value)))
    if _can_go(statement):
        words = ("extra_regularizer", "double_mean", "extra_activation_derivative", *AXES)
        yield Edit(1.9, words, (block, "all"), whole, instead() or [_fitted(ast.Pass(), statement)])
    yield from _moved(block, here, whole)


def _added_at(target: ast.Subscript, value: ast.expr, sight: Sight) -> ast.stmt:
    """An index that repeats takes all of its contributions with `np.add.at` only."""
    index = target.slice
    if isinstance(index, ast.Tuple):
        index = ast.Tuple([_as_call(item) for item in index.elts], ast.Load())
    return ast.Expr(build(f"{sight.numpy}.add.at(a, i, v)", a=_loaded(target.value), i=index, v=value))


def _as_call(item: ast.expr) -> ast.expr:
    """A slice as it is written outside of square brackets."""
    if not isinstance(item, ast.Slice):
        return item
    parts = [ast.Constant(None) if part is None else part for part in (item.lower, item.upper)]
    return ast.Call(ast.Name("slice", ast.Load()), parts if item.lower is not None else parts[1:], [])


def _loaded(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body


def _can_go(statement: ast.stmt) -> bool:
    """Whether what a statement assigns was there before it."""
    match statement:
        case ast.AugAssign():
            return True
        case ast.Assign(targets=[target], value=value):
            own = ast.unparse(target)
            return isinstance(target, ast.Subscript) or any(
                isinstance(node, ast.expr) and ast.unparse(node) == own for node in ast.walk(value)
            )
    return False


def _moved(block: list[ast.stmt], here: int, whole: list[ast.stmt]) -> Iterator[Edit]:
    """A statement that reads what an earlier one has changed, moved before it; or that one moved behind it."""
    statement = whole[here]
    reads = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    words = ("stale_value", "overwritten_instead_of_accumulated", "forward_mismatch")
    for earlier in range(here - 1, -1, -1):
        if _written(whole[earlier]) & reads:
            rest = whole[:here] + whole[here + 1 :]
            yield Edit(2, words, (block, "all"), whole, [*rest[:earlier], statement, *rest[earlier:]])
            rest = whole[:earlier] + whole[earlier + 1 :]
            yield Edit(2.2, words, (block, "all"), whole, [*rest[:here], whole[earlier], *rest[here:]])


def _written(statement: ast.stmt) -> set[str]:
    """The names that a statement assigns, or writes into."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    found = set()
    for target in targets:
        while isinstance(target, (ast.Subscript, ast.Attribute)):
            target = target.value
        if isinstance(target, ast.Name):
            found.add(target.id)
    return found
