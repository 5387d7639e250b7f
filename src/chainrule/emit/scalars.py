"""One element of each primitive, as machine code sees it: text that Numba compiles.

`{0}`, `{1}` are the operands, already of the dtype in which the arithmetic is done; `{d}` is that dtype's name and `{b}`
its bits. Functions with bits in their names are those of `chainrule.native.elementary`, which LLVM can vectorise.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.primitive import Primitive

OPERATORS = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "positive": "{0}",
    "square": "({0} * {0})",
    "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})",
    "less": "({0} < {1})",
    "less_equal": "({0} <= {1})",
    "equal": "({0} == {1})",
    "not_equal": "({0} != {1})",
    "logical_and": "(bool({0}) & bool({1}))",
    "logical_or": "(bool({0}) | bool({1}))",
    "bitwise_and": "({0} & {1})",
    "bitwise_or": "({0} | {1})",
    "bitwise_xor": "({0} ^ {1})",
    "logical_not": "(not {0})",
    "isnan": "({0} != {0})",
    "isfinite": "math.isfinite({0})",
    "isinf": "math.isinf({0})",
    "where": "({1} if {0} else {2})",
    "abs": "abs({0})",
    "sign": "sign{b}({0})",
    "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "clip": "smaller(larger({0}, {1}), {2})",
    "power": "power{b}({0}, {1})",
    "exp": "exp{b}({0})",
    "expm1": "expm1_{b}({0})",
    "log": "log{b}({0})",
    "log1p": "log1p_{b}({0})",
    "sqrt": "math.sqrt({0})",
    "sin": "math.sin({0})",
    "cos": "math.cos({0})",
    "tanh": "tanh{b}({0})",
    "sigmoid": "sigmoid{b}({0})",
    "softplus": "softplus{b}({0})",
    "erf": "math.erf({0})",
    "erfc": "math.erfc({0})",
    "convert": "{0}",
    "stop_gradient": "{0}",
    "shift": "{0}",
}
INTEGERS = {  # where integers are computed otherwise
    "larger({0}, {1})": "max({0}, {1})",
    "smaller({0}, {1})": "min({0}, {1})",
    "smaller(larger({0}, {1}), {2})": "min(max({0}, {1}), {2})",
    "sign{b}({0})": "(({0} > 0) - ({0} < 0))",
    "power{b}({0}, {1})": "({0} ** {1})",
}
TESTS = frozenset(
    ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "isnan", "isfinite", "isinf")
)
BOOLEANS = {  # where booleans are computed otherwise
    "add": "({0} | {1})",
    "multiply": "({0} & {1})",
    "maximum": "({0} | {1})",
    "minimum": "({0} & {1})",
}
MOVES = frozenset(("convert", "stop_gradient", "shift", "hold", "where", "positive"))
WORD = 8  # bytes of the integers in which Numba computes
BITS = {"float32": "32", "float64": "64"}


def element_text(primitive: Primitive, operands: list[str], dtype: np.dtype) -> str:
    """The text of one element; `dtype` is that of the arithmetic."""
    template = OPERATORS.get(primitive.name)
    if primitive.name == "invert":
        template = "(not {0})" if dtype.kind == "b" else "(~{0})"
    if dtype.kind == "b":
        template = BOOLEANS.get(primitive.name, template)
    if dtype.kind in "iu" and dtype.itemsize < WORD and primitive.name not in MOVES | TESTS:
        raise UnsupportedError(
            f"{primitive.name} of {dtype} wraps around at {8 * dtype.itemsize} bits and is not compiled"
        )
    if template is None:
        raise UnsupportedError(f"{primitive.name} has no machine code yet: use the NumPy engine")
    if dtype.kind != "f":
        template = INTEGERS.get(template, template)
    bits = BITS.get(dtype.name, "64")
    return template.format(*operands, d=dtype.name, b=bits)
