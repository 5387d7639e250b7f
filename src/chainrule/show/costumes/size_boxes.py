"""Sizes in type: N, 10, 3 N, X.shape[1].

The one idea: a size is a number or a small piece of source text; sums, products and names of it have signs, the rest is
shown as it is written.
"""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from typing import Any

from chainrule.show.costumes.boxes import Box, Digits, Fence, Gap, Over, Row, Sign, Typed, joined, row
from chainrule.show.costumes.names import Glyph, glyph_box, split_name


def size_box(size: str | int) -> Box:
    """A size."""
    if isinstance(size, int):
        return number_box(size)
    try:
        return _box(ast.parse(size, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return Typed(size)


def shape_box(shape: str) -> Box:
    """A shape, as it is written in Python: `(N, 10)` is N × 10."""
    dims = [dim.strip() for dim in shape.removeprefix("(").removesuffix(")").split(",") if dim.strip()]
    return joined((size_box(int(dim) if dim.isdigit() else dim) for dim in dims), Sign("×", "plain"))


def _box(node: ast.expr) -> Box:
    match node:
        case ast.Name(id=name):
            glyph = split_name(name)
            return glyph_box(glyph if len(glyph.base) == 1 else Glyph(name))
        case ast.Constant(value=int(value)):
            return Digits(str(value))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return row(_factor(left), Gap(), _factor(right))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            sign = Sign("+" if isinstance(op, ast.Add) else "−")
            return row(_box(left), sign, _factor(right) if isinstance(op, ast.Sub) else _box(right))
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            return Fence(Over(_box(left), _box(right)), "⌊", "⌋")
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return Over(_box(left), _box(right))
    return Typed(ast.unparse(node))


def _factor(node: ast.expr) -> Box:
    box = _box(node)
    sums = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
    return Fence(box) if sums else box


def number_box(value: Any) -> Box:
    """A number; a negative one has its sign before it."""
    if isinstance(value, Fraction) and value.denominator != 1:
        return _signed(value < 0, Over(number_box(abs(value.numerator)), number_box(value.denominator)))
    text = number_text(value)
    if text.lstrip("-") == "inf":
        return _signed(text.startswith("-"), Sign("∞", "plain"))
    if text == "nan":
        return Typed("nan")
    return _signed(text.startswith("-"), Digits(text.lstrip("-")))


def _signed(minus: bool, box: Box) -> Box:
    return Row((Sign("−", "prefix"), box)) if minus else box


def number_text(value: Any) -> str:
    """A number as text that reads back to the same value; whole floats without their point."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else f"{value.numerator} / {value.denominator}"
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return repr(value)
