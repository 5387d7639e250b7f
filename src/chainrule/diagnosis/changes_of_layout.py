"""Changes of layout: transposes, the order of factors, brackets, axes, indices, the side of a mask.

>>> sight = Sight({"A": (4, 3), "dZ": (4, 2)})
>>> [ast.unparse(change.new) for change in of_layout(ast.parse("A @ dZ", mode="eval").body, True, sight)][:3]
['A @ dZ.T', 'A.T @ dZ', 'A.T @ dZ.T']
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from chainrule.diagnosis.changes import ANOTHER, AXES, FACTOR, LAYOUT, SLOPE, Change, Sight, build, is_numpy

REDUCTIONS = ("sum", "mean", "max", "min", "prod")
PRODUCTS = ("dot", "matmul", "outer", "multiply", "inner")
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult)
_FLIPPED: dict[type, type] = {
    ast.Gt: ast.Lt,
    ast.Lt: ast.Gt,
    ast.GtE: ast.LtE,
    ast.LtE: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def of_layout(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """Transposes, the order of factors, brackets, one product for the other."""
    match node:
        case ast.BinOp(left=a, op=ast.MatMult(), right=b):
            yield from _products("a @ b", a, b)
            yield Change(1, LAYOUT, build("a * b", a=a, b=b), grows=True)
        case ast.BinOp(left=a, op=ast.Mult(), right=b) if not isinstance(a, ast.Constant):
            for change in (Change(1, LAYOUT, build("a @ b", a=a, b=b)), *_products("a @ b", a, b)):
                yield change._replace(grows=True)
        case ast.Call(func=ast.Attribute(value=owner, attr="dot"), args=[b]) if not is_numpy(owner, sight):
            yield from _products("a.dot(b)", owner, b)
            yield Change(1, LAYOUT, build("a * b", a=owner, b=b), grows=True)
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[a, b]) if name in PRODUCTS:
            yield from _products(f"{ast.unparse(owner)}.{name}(a, b)", a, b)
            yield Change(1, LAYOUT, build("a @ b" if name == "multiply" else "a * b", a=a, b=b), grows=True)
        case ast.Attribute(value=inner, attr="T"):
            yield Change(1, LAYOUT, inner, grows=True)
        case ast.Call(func=ast.Attribute(value=owner, attr="reshape"), args=[a, *_]):
            array = a if is_numpy(owner, sight) else owner
            yield Change(0.8, LAYOUT, build("a.T", a=array))
            yield from _permuted(array, sight)
    if _is_array_part(node) and not (isinstance(node, ast.Attribute) and node.attr == "T"):
        shape = sight.shape_of(node)
        if shape is None or len(shape) > 1:
            yield Change(1 if whole else 1.1, LAYOUT, build("a.T", a=node), grows=True)
    yield from _regrouped(node)
    yield from _exchanged(node)


def _products(template: str, a: ast.expr, b: ast.expr) -> Iterator[Change]:
    """All layouts of a product of two matrices."""
    if isinstance(a, ast.Attribute) and a.attr == "T":
        a_plain, a_turned = a.value, True
    else:
        a_plain, a_turned = a, False
    if isinstance(b, ast.Attribute) and b.attr == "T":
        b_plain, b_turned = b.value, True
    else:
        b_plain, b_turned = b, False
    for swapped, turn_a, turn_b in itertools.product((False, True), repeat=3):
        changed = swapped + (turn_a != a_turned) + (turn_b != b_turned)
        if changed:
            one = build("x.T", x=a_plain) if turn_a else a_plain
            other = build("x.T", x=b_plain) if turn_b else b_plain
            new = build(template, a=other, b=one) if swapped else build(template, a=one, b=other)
            cost = 0.7 + 0.3 * changed if changed < 3 else 0.9  # all three: the product transposed
            yield Change(cost, LAYOUT, new, grows=True)


def _permuted(array: ast.expr, sight: Sight) -> Iterator[Change]:
    shape = sight.shape_of(array)
    if shape is not None and 2 < len(shape) < 5:
        for order in itertools.permutations(range(len(shape))):
            if order != tuple(range(len(shape))):
                yield Change(1.5, LAYOUT, build(f"a.transpose{order}", a=array))


def _regrouped(node: ast.expr) -> Iterator[Change]:
    """Brackets moved: (a b) c for a (b c)."""
    words = ("product_order", "forward_mismatch", "sign", "factor")
    match node:
        case ast.BinOp(left=ast.BinOp(left=a, op=one, right=b), op=other, right=c):
            if isinstance(one, ARITHMETIC) and isinstance(other, ARITHMETIC) and type(one) is not type(other):
                yield Change(1.2, words, ast.BinOp(a, one, ast.BinOp(b, other, c)), grows=True)
    match node:
        case ast.BinOp(left=a, op=one, right=ast.BinOp(left=b, op=other, right=c)):
            if isinstance(one, ARITHMETIC) and isinstance(other, ARITHMETIC) and type(one) is not type(other):
                yield Change(1.2, words, ast.BinOp(ast.BinOp(a, one, b), other, c), grows=True)


def _exchanged(node: ast.expr) -> Iterator[Change]:
    """An elementwise factor taken into, or out of, a product of matrices."""
    match node:
        case ast.BinOp(left=ast.BinOp(left=a, op=ast.Mult(), right=b), op=ast.MatMult(), right=c):
            yield Change(1.2, ("product_order",), build("(a @ c) * b", a=a, b=b, c=c))
            yield Change(1.3, ("product_order",), build("(b @ c) * a", a=a, b=b, c=c))
        case ast.BinOp(left=c, op=ast.MatMult(), right=ast.BinOp(left=a, op=ast.Mult(), right=b)):
            yield Change(1.2, ("product_order",), build("(c @ a) * b", a=a, b=b, c=c))
            yield Change(1.3, ("product_order",), build("(c @ b) * a", a=a, b=b, c=c))
        case ast.BinOp(left=ast.BinOp(left=a, op=ast.MatMult(), right=c), op=ast.Mult(), right=b):
            yield Change(1.2, ("product_order",), build("(a * b) @ c", a=a, b=b, c=c))
            yield Change(1.3, ("product_order",), build("a @ (c * b)", a=a, b=b, c=c))


def of_axes(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """Sums over another axis, with the axis kept or not, or not at all; means for sums."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in REDUCTIONS:
        return
    func, name = node.func, node.func.attr
    at_numpy = is_numpy(func.value, sight)
    array = node.args[0] if at_numpy and node.args else func.value
    place = 1 if at_numpy else 0
    positional = node.args[place] if len(node.args) > place else None
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    axis, kept = keywords.get("axis", positional), "keepdims" in keywords
    swapped = {"sum": "mean", "mean": "sum"}.get(name)
    head = node.args[:place]
    if swapped:
        other = ast.Call(ast.Attribute(func.value, swapped, ast.Load()), node.args, node.keywords)
        yield Change(1, FACTOR, other)
    for number, keep in itertools.product((0, 1, -1, None), (False, True)):
        same_axis = (axis is None) if number is None else (axis is not None and ast.unparse(axis) == str(number))
        if (same_axis and keep == kept) or (number is None and keep) or (number == -1 and not _is_last(axis)):
            continue
        new = [ast.keyword("axis", build(str(number)))] if number is not None else []
        new += [ast.keyword("keepdims", ast.Constant(True))] if keep else []
        yield Change(0.8 + 0.2 * (not same_axis) + 0.2 * (keep != kept), AXES, ast.Call(func, head, new), grows=True)
    if name in ("sum", "mean"):
        yield Change(1.3, AXES, array, grows=True)


def of_masks(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """The other side of a comparison or selection."""
    words = ("mask_wrong_side",)
    match node:
        case ast.Compare(left=left, ops=[op], comparators=right) if type(op) in _FLIPPED:
            yield Change(1, words, ast.Compare(left, [_FLIPPED[type(op)]()], right))
        case ast.Call(func=ast.Attribute(attr="where"), args=[test, a, b]):
            yield Change(1, words, ast.Call(node.func, [test, b, a], []))
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub(), right=mask):
            yield Change(1, words, mask)
        case ast.UnaryOp(op=ast.Invert(), operand=mask):
            yield Change(1, words, mask)


def of_indices(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """The neighbouring item of a list; a sum for one sample; pairs of indices for a slice."""
    match node:
        case ast.Tuple(elts=[ast.Slice(lower=None, upper=None), ast.Name() as rows]):
            yield Change(1, ("wrong_index",), build(f"{sight.numpy}.arange(len(y)), y", y=rows))
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return
    owner, index = node.value, node.slice
    words = ("off_by_one_layer", *SLOPE)
    match index:
        case ast.Slice():
            yield Change(1.2, ("wrong_index", *AXES), owner)
        case ast.Constant(value=str()):
            shape, before = sight.shape_of(node), ast.unparse(owner) + "["
            for path in sight.arrays(shape) if shape else ():
                if path.startswith(before) and path != ast.unparse(node):
                    yield Change(1.8, ANOTHER, build(path))
            return
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            if sight.shape_of(owner) is not None:
                yield Change(1.2, AXES, build("a.sum(axis=0)", a=owner))
            for place in (value - 1, value + 1):
                yield Change(1.3, words, ast.Subscript(owner, ast.Constant(place), ast.Load()))
        case ast.Tuple(elts=[ast.Slice(), ast.Constant(value=int())]):
            yield Change(1.2, AXES, build("a.sum(axis=1)", a=owner))
        case ast.Name() | ast.BinOp() | ast.UnaryOp():
            for near in _neighbours(index):
                yield Change(1.3, words, ast.Subscript(owner, near, ast.Load()))


def _neighbours(index: ast.expr) -> Iterator[ast.expr]:
    match index:
        case ast.BinOp(left=base, op=ast.Add() | ast.Sub() as op, right=ast.Constant(value=int(step))):
            at = step if isinstance(op, ast.Add) else -step
        case _:
            base, at = index, 0
    for near in (at - 1, at + 1):
        yield base if near == 0 else build(f"a {'+' if near > 0 else '-'} {abs(near)}", a=base)


def _is_array_part(node: ast.expr) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp)) and isinstance(
        getattr(node, "ctx", ast.Load()), ast.Load
    )


def _is_last(axis: ast.expr | None) -> bool:
    return axis is not None and ast.unparse(axis) == "-1"
