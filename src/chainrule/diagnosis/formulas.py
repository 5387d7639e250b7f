"""Formulas as text: NumPy expressions over a function's names, read and evaluated without `eval`.

The one idea: the text is parsed to a syntax tree, every node is looked up in a list of what is known, and the tree is
walked with arrays. What is not in the list is refused, with what to write instead; what does not fit is shown with a
caret under the place and both shapes.

>>> formula = parse_formula("W.T @ dZ * (Z > 0)")
>>> formula.names
('W', 'dZ', 'Z')
>>> formula.evaluate({"W": np.ones((2, 3)), "dZ": np.ones((2, 1)), "Z": np.array([[1.0], [-1.0], [2.0]])})
array([[2.],
       [0.],
       [2.]])
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.diagnosis.formula_reading import (
    BINARY,
    COMPARE,
    UNARY,
    WHOLE,
    argument_of,
    close_to,
    constant_of,
    is_newaxis,
    is_numpy,
    kind_of,
    operands_of,
    plain,
    pointed,
    read,
    word_of,
)
from chainrule.diagnosis.formula_words import Entries, broadcast_size, indexed_size, product_size, size_of
from chainrule.errors import FormulaError

LARGEST = 2**24  # entries of one array, unless the values themselves are larger


def parse_formula(text: str) -> Formula:
    """Read a formula; nothing in it is run.

    Parameters
    ----------
    text : str
        A NumPy expression: `"(A - Y) / N"`, `"dZ.sum(axis=0)"`. Functions may be written with or without `np.`. ⊙ is read
        as `*`, ᵀ as `.T`.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        If the text is no expression, or uses something that is not known; with a caret under the place.

    Examples
    --------
    >>> parse_formula("Aᵀ @ dZ / N").text
    'A.T @ dZ / N'
    >>> parse_formula("W^T @ dZ")
    Traceback (most recent call last):
        ...
    chainrule.errors.FormulaError: ^ is no power in Python: write W.T
        W^T @ dZ
         ^
    """
    text = plain(text)
    tree, names = read(text)
    return Formula(text, names, tree)


@dataclass(frozen=True)
class Formula:
    """A formula that was read.

    Attributes
    ----------
    text : str
        As it was read: on one line, signs of mathematics as operators.
    names : tuple of str
        The names in it that are no functions, in the order in which they appear.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Any]) -> np.ndarray:
        """The value of the formula.

        Parameters
        ----------
        values : mapping of str to ndarray
            An array or number for each of `names`; also lists and dicts of them. They are never written to.

        Returns
        -------
        ndarray
            Of floats: masks and integers are converted.

        Raises
        ------
        FormulaError
            If a name is unknown, shapes do not fit, or the result would be too large.

        Examples
        --------
        >>> parse_formula("dZ.sum(axis=0)").evaluate({"dZ": np.ones((3, 2))})
        array([3., 3.])
        """
        self._check_names(values)
        run = _Evaluation(self.text, {name: _readable(values[name], self, name) for name in self.names})
        with np.errstate(all="ignore"):
            result = run.value(self.tree)
        if not isinstance(result, (int, float)) and getattr(result, "dtype", np.dtype(object)).kind not in "biuf":
            raise FormulaError(
                f"a formula gives an array or a number, and this gives {kind_of(result)}\n    {self.text}"
            )
        array = np.array(result)
        return array if array.dtype.kind == "f" else array.astype(float)

    def _check_names(self, values: Mapping[str, Any]) -> None:
        unknown = [name for name in self.names if name not in values]
        if not unknown:
            return
        for node in ast.walk(self.tree):
            if _is_leibniz(node, unknown):
                says = "this reads as a quotient of two arrays: write the derivative out, for example A * (1 - A)"
                raise FormulaError(pointed(self.text, node, says))
        node = next(n for n in ast.walk(self.tree) if isinstance(n, ast.Name) and n.id == unknown[0])
        says = f"there is no {unknown[0]} here; known are {', '.join(values) or 'no names'}"
        raise FormulaError(pointed(self.text, node, says + close_to(unknown[0], values)))


class _Evaluation:
    """One walk over a tree that was read."""

    def __init__(self, text: str, values: Mapping[str, Any]):
        self.text, self.values = text, values
        self.largest = max([LARGEST, *(16 * size_of(value) for value in values.values())])
        self.left = 64 * self.largest  # entries that may be computed altogether

    def value(self, node: ast.AST) -> Any:
        match node:
            case ast.Name(id=name):
                return self.values[name]
            case ast.Constant(value=value):
                return value
            case ast.Attribute() if is_newaxis(node):
                return None
            case ast.Attribute(value=inner, attr=attr):
                constant = constant_of(node)
                return constant if constant is not None else getattr(np.asarray(self.value(inner)), attr)
            case ast.BinOp(left=left, op=op, right=right):
                rule = product_size if isinstance(op, ast.MatMult) else broadcast_size
                return self.apply(node, BINARY[type(op)], rule, self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.apply(node, COMPARE[type(op)], broadcast_size, self.value(left), self.value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return self.apply(node, UNARY[type(op)], broadcast_size, self.value(operand))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self._truth(test) else orelse)
            case ast.Subscript(value=owner, slice=index):
                return self._item(node, self.value(owner), self.value(index))
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(None if part is None else self.value(part) for part in (lower, upper, step)))
            case ast.Call():
                return self._call(node)
        raise AssertionError(f"{type(node).__name__} passed the reader")

    def _call(self, node: ast.Call) -> Any:
        word, given = word_of(node)
        assert word is not None
        kwargs = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
        args = [argument_of(argument, given, i) for i, argument in enumerate(node.args)]
        args = [self.value(a) if isinstance(a, ast.AST) else a for a in args]
        if isinstance(node.func, ast.Attribute) and not is_numpy(node.func.value):
            args.insert(0, self.value(node.func.value))
        return self.apply(node, word.run, word.entries, *args, **kwargs)

    def apply(self, node: ast.AST, run: Callable[..., Any], entries: Entries, *args: Any, **kwargs: Any) -> Any:
        """Run one operation, if its result has a bearable size."""
        try:
            size = entries(args, kwargs)
            if run in (operator.pow, np.power) and all(isinstance(a, int) for a in args):
                size = self.largest + 1 if abs(args[0]) > 1 and args[1] * math.log2(abs(args[0])) > 63 else 1
            if size <= self.largest and size <= self.left:
                self.left -= size
                result = run(*args, **kwargs)
                if isinstance(result, complex) or (isinstance(result, int) and abs(result) >= WHOLE):
                    raise ArithmeticError("the result is no real number that fits")  # noqa: TRY301
                return result
        except (ValueError, TypeError, AttributeError, ArithmeticError, IndexError, KeyError, MemoryError) as error:
            raise FormulaError(pointed(self.text, node, self._misfit(node, args, error))) from None
        raise FormulaError(pointed(self.text, node, "this would be too large to compute"))

    def _item(self, node: ast.AST, owner: Any, index: Any) -> Any:
        if isinstance(owner, (dict, list, tuple)):
            return self.apply(node, operator.getitem, lambda args, kwargs: 1, owner, index)
        return self.apply(node, operator.getitem, lambda args, kwargs: indexed_size(*args), np.asarray(owner), index)

    def _truth(self, test: ast.AST) -> bool:
        value = self.value(test)
        if size_of(value) != 1 or value is None:
            says = "if needs one number: for arrays write where(condition, a, b)"
            raise FormulaError(pointed(self.text, test, says))
        return bool(value)

    def _misfit(self, node: ast.AST, args: tuple[Any, ...], error: Exception) -> str:
        """What does not fit, with the shapes of all operands."""
        shapes = dict.fromkeys(
            f"{ast.get_source_segment(self.text, part)} is {np.shape(value)}"
            for part, value in zip(operands_of(node), (a for a in args if not isinstance(a, (str, type))), strict=False)
            if not isinstance(value, (tuple, list, dict, slice))
            if np.ndim(value) or isinstance(node, ast.BinOp)
        )
        segment = ast.get_source_segment(self.text, node)  # type: ignore[arg-type]
        return f"{segment} does not fit: {', '.join(shapes) or 'its numbers do not'}{_reason(node, args, error)}"


def _reason(node: ast.AST, args: tuple[Any, ...], error: Exception) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        one, other = np.shape(args[0]), np.shape(args[1])
        if not one or not other:
            return "; @ is for matrices: write * with a number"
        return f"; the inner sizes {one[-1]} and {other[-2] if len(other) > 1 else other[0]} must agree"
    if "boolean subtract" in str(error) or "boolean negative" in str(error):
        return "; a mask is no number: write 1.0 * (Z > 0)"
    if "broadcast" in str(error) or "shape mismatch" in str(error):
        return "; sizes of one axis must be equal, or one of them 1"
    if "not supported for the input types" in str(error):
        return "; & | ~ are for masks: put each comparison in brackets, (0 < Z) & (Z < 1)"
    return f"; {error}" if str(error) else ""


def _is_leibniz(node: ast.AST, unknown: list[str]) -> bool:
    """Whether a node is dA / dZ, with a name that is not there."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return False
    above = node.left.right if isinstance(node.left, ast.BinOp) else node.left  # the dA of dL * dA / dZ
    names = [side.id for side in (above, node.right) if isinstance(side, ast.Name)]
    return len(names) == 2 and all(name.startswith("d") for name in names) and any(name in unknown for name in names)


def _readable(value: Any, formula: Formula, name: str) -> Any:
    """A value as numbers that cannot be written to."""
    if isinstance(value, Mapping):
        return {key: _readable(item, formula, name) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not all(isinstance(item, (int, float)) for item in value):
        return [_readable(item, formula, name) for item in value]
    if isinstance(value, (bool, int, float)):
        return value
    array = np.asarray(value).view()
    if array.dtype.kind not in "biuf":
        raise FormulaError(f"{name} in {formula.text!r} is of {array.dtype}: a formula works on real numbers")
    array.flags.writeable = False
    return array
