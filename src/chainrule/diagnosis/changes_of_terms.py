"""Changes of terms and factors: signs, numbers, derivatives of activations, penalties, other names.

>>> sight = Sight({"dA": (4, 3), "Z": (4, 3)}, shape=(4, 3))
>>> [ast.unparse(change.new) for change in of_wholes(ast.parse("dA", mode="eval").body, True, sight)][-4:]
['dA * (1 - Z ** 2)', 'dA * ((Z > 0) & (Z < 1))', 'dA * Z', 'dA + Z']
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Iterator
from typing import Any

from chainrule.diagnosis.changes import (
    ACTIVATION,
    ANOTHER,
    AXES,
    FACTOR,
    SLOPE,
    Change,
    Sight,
    build,
    digits,
    is_gradient,
    is_numeric,
    is_numpy,
    stem,
)


def of_signs(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """A minus more or less."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield Change(0.9, ("sign",), operand)
            return
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            yield Change(1, ("sign",), build("b - a", a=a, b=b))
            yield Change(1, ("sign",), build("a + b", a=a, b=b))
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            yield Change(1, ("sign",), build("a - b", a=a, b=b))
            yield Change(1.5, ("sign",), build("b - a", a=a, b=b))
    if whole and not isinstance(node, (ast.Constant, ast.Tuple)):
        yield Change(1.2, ("sign",), build("-x", x=node))


def of_terms(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """A term too many."""
    words = ("extra_regularizer", "double_mean", "forward_mismatch", "wrong_loss_derivative")
    match node:
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            yield Change(1.2, words, a)
            yield Change(1.2, words, b)
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            yield Change(1.3, words, a)
            yield Change(1.4, words, build("-b", b=b))


def of_factors(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """A factor too many, or on the wrong side of the fraction."""
    extra = ("extra_activation_derivative", *FACTOR)
    chain = _chain(node)
    if len(chain) > 2:
        yield from _softmax_jacobian(chain)
        for gone in itertools.combinations(range(len(chain)), 2):
            kept = _product([factor for i, factor in enumerate(chain) if i not in gone])
            yield Change(1.7, extra, kept)
            for form in _slope_forms(_product([chain[i] for i in gone]), sight):
                yield Change(2.6, SLOPE, build("a * d", a=kept, d=form))
    match node:
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            yield Change(1.1 if is_numeric(a, sight) else 1.4, extra, b)
            yield Change(1.1 if is_numeric(b, sight) else 1.4, extra, a)
            yield Change(1.8, FACTOR, build("a / b", a=a, b=b))
            for form in _slope_forms(b, sight):
                yield Change(2.6, SLOPE, build("a * d", a=a, d=form))
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            yield Change(1.1, FACTOR, a)
            yield Change(1.8, FACTOR, build("a * b", a=a, b=b))
            if not whole and isinstance(a, ast.Constant):  # 1 / N of 1 / N * x
                yield Change(1.6, FACTOR, build("1.0"))


def _slope_forms(old: ast.expr, sight: Sight) -> Iterator[ast.expr]:
    """Derivatives of activations in names of the shape that a factor's own names have."""
    paths = [ast.unparse(n) for n in ast.walk(old) if isinstance(n, (ast.Name, ast.Subscript, ast.Attribute))]
    shape = next((sight.values[path] for path in paths if isinstance(sight.values.get(path), tuple)), None)
    if shape:
        for name in sight.arrays(shape):
            if not is_gradient(name):
                yield from (build(form, a=name) for form in ("a > 0", "a * (1 - a)", "1 - a ** 2"))
                yield from (build("f(a)", f=function, a=name) for function in sight.functions)


def _chain(node: ast.expr) -> list[ast.expr]:
    """The factors of an elementwise product."""
    match node:
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            return [*_chain(a), *_chain(b)]
    return [node]


def _product(factors: list[ast.expr]) -> Any:
    return functools.reduce(lambda a, b: build("a * b", a=a, b=b), factors)


def _softmax_jacobian(chain: list[ast.expr]) -> Iterator[Change]:
    """x * p * (1 - p) is the diagonal of the Jacobian; the whole of it takes the mean off."""
    for i, slope in enumerate(chain):
        match slope:
            case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub(), right=minus):
                values = [j for j, factor in enumerate(chain) if ast.dump(factor) == ast.dump(minus)]
                rest = [factor for j, factor in enumerate(chain) if j not in (i, *values[:1])]
                for axis in (1, 0, -1) if values and rest else ():
                    form = f"p * (x - (x * p).sum(axis={axis}, keepdims=True))"
                    yield Change(1.5, ("softmax_jacobian_diagonal_only",), build(form, x=_product(rest), p=minus))


def of_numbers(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """Another number."""
    own = sight.values.get(ast.unparse(node)) if not isinstance(node, ast.Constant) else node.value
    if isinstance(own, bool) or not isinstance(own, (int, float)):
        return
    words = (*FACTOR, "forward_mismatch", "off_by_one_layer", "wrong_activation")
    for name in sight.numbers():
        if name != ast.unparse(node):
            yield Change(2 if not isinstance(node, ast.Constant) else 2.2, words, build(name))
    if isinstance(node, ast.Constant):
        near = [own + 1, own - 1] if isinstance(own, int) else []
        for value in dict.fromkeys([*near, 1, 2, 0.5]):
            if value != own and value >= 0:
                yield Change(1.8, words, ast.Constant(value))


def of_calls(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """Another function of the user's, or none."""
    match node:
        case ast.Call(func=func, args=[argument], keywords=[]):
            own = ast.unparse(func)
            if own == f"{sight.numpy}.exp":
                for axis in (1, 0):
                    form = f"f(x - x.max(axis={axis}, keepdims=True))"
                    yield Change(1.5, ("numerically_unstable",), build(form, f=func, x=argument))
            if own in sight.functions:
                for name in sight.functions:
                    if name != own:
                        yield Change(1.8, SLOPE, ast.Call(build(name), [argument], []))
            method = isinstance(func, ast.Attribute) and not is_numpy(func.value, sight)
            if not method and not isinstance(argument, ast.Constant):
                yield Change(2, (*SLOPE, "wrong_loss_derivative"), argument)


def of_names(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """Another array of the same shape, or the same one seen through a function, less the labels, as a column."""
    shape = sight.shape_of(node)
    if not shape or not isinstance(getattr(node, "ctx", None), ast.Load):
        return
    own = ast.unparse(node)
    for name in sight.arrays(shape):
        if name != own:
            near = stem(name) == stem(own) or digits(name) == digits(own)
            yield Change(1.6 if near else 2, ANOTHER, build(name))
            yield Change(2.3, ("ce_without_onehot_subtract",), build("p - y", p=node, y=name))
    for name, other in sight.values.items():
        if isinstance(other, tuple) and len(shape) == 2 and other == shape[:1]:
            form = f"p - {sight.numpy}.eye(p.shape[1])[y]"
            yield Change(2.3, ("ce_without_onehot_subtract",), build(form, p=node, y=name))
    if len(shape) == 1:
        yield Change(1.7, AXES, build("a[:, None]", a=node), grows=True)
    elif shape[-1] == 1:
        yield Change(1.7, AXES, build("a[:, 0]", a=node), grows=True)
    for function in (*sight.functions, f"{sight.numpy}.tanh", f"{sight.numpy}.sign"):
        likely = function in sight.functions
        yield Change(2.4 if likely else 2.9, SLOPE, build("f(a)", f=function, a=node))
    yield Change(2.4, ("mask_wrong_side",), build("1 - a", a=node))


def of_wholes(node: ast.expr, whole: bool, sight: Sight) -> Iterator[Change]:
    """What may be missing from a whole right-hand side: a factor, a sum, a derivative, a term."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Dict)):
        return
    for rank, number in enumerate(sight.numbers()):
        yield Change(1.5 + 0.05 * rank, FACTOR, build("x / n", x=node, n=number))
        yield Change(1.6 + 0.05 * rank, FACTOR, _doubled(node) if number == "2" else build("x * n", x=node, n=number))
    for number in sight.numbers():
        yield Change(2.5, FACTOR, build(f"x / {sight.numpy}.sqrt(n)", x=node, n=number))
    for part in {ast.unparse(n): n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Subscript))}.values():
        if part is not node and sight.shape is not None and sight.shape_of(part) == sight.shape:
            yield Change(1.9, ("extra_activation_derivative",), build("a", a=part))
    sums = ("axis=0", "axis=1", "axis=0, keepdims=True", "axis=1, keepdims=True", "axis=(0, 1)", "")
    for rank, axes in enumerate(sums):
        yield Change(1.5 + 0.1 * rank, AXES, build(f"x.sum({axes})", x=node))
    if len(sight.shape or ()) != 1:
        yield Change(2, AXES, build("x[0]", x=node))
    for name in sight.arrays(sight.shape):
        if not is_gradient(name):
            forms = ("x * (a > 0)", "x * a * (1 - a)", "x * (1 - a ** 2)", "x * ((a > 0) & (a < 1))")
            for rank, form in enumerate(forms):
                yield Change(2 + 0.1 * rank, ACTIVATION, build(form, x=node, a=name))
            for function in sight.functions:
                yield Change(2.1, ACTIVATION, build("x * f(a)", x=node, f=function, a=name))
            yield Change(2.4, ("mask_not_applied",), build("x * a", x=node, a=name))
            for number in sight.scalars():
                for rank, form in enumerate(("x + k * a", "x + 2 * k * a", f"x + k * {sight.numpy}.sign(a)")):
                    yield Change(2.1 + 0.2 * rank, ("missing_regularizer",), build(form, x=node, k=number, a=name))
        if name != sight.target:
            likely = is_gradient(name)
            yield Change(2 if likely else 2.6, ("dropped_path", "detached_branch"), build("x + a", x=node, a=name))
    yield from _stretched(node, sight)
    yield from _further_products(node, sight)


def _doubled(node: ast.expr) -> Any:
    """Twice an expression, as people write it: 2 * a / b."""
    match node:
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            return build("2 * a / b", a=a, b=b)
    return build("2 * x", x=node)


def _stretched(node: ast.expr, sight: Sight) -> Iterator[Change]:
    """A mask, or weights of samples, that have to be stretched along the other axis."""
    if sight.shape is None or len(sight.shape) != 2:
        return
    rows, columns = sight.shape
    for name, shape in sight.values.items():
        if isinstance(shape, tuple) and shape != sight.shape and not is_gradient(name):
            if shape in ((columns,), (1, columns), (rows, 1)):
                yield Change(2.5, ("mask_not_applied",), build("x * a", x=node, a=name))
            if shape == (rows,):
                yield Change(2.5, ("mask_not_applied",), build("x * a[:, None]", x=node, a=name))


def _further_products(node: ast.expr, sight: Sight) -> Iterator[Change]:
    """What comes back by another way: the product of another cotangent with a matrix."""
    words = ("dropped_path", "detached_branch")
    matrices = [(name, shape) for name, shape in sight.values.items() if isinstance(shape, tuple) and len(shape) == 2]
    for (one, shape), (other, its_shape) in itertools.permutations(matrices, 2):
        if not is_gradient(one) and not is_gradient(other):
            continue
        for a, b in itertools.product(("{}", "{}.T"), repeat=2):
            rows, inner = shape if a == "{}" else shape[::-1]
            same, columns = its_shape if b == "{}" else its_shape[::-1]
            if inner == same and (rows, columns) == sight.shape:
                yield Change(2.7, words, build("x + a @ b", x=node, a=a.format(one), b=b.format(other)))
