"""Expressions as NumPy text: how each primitive is written, with as few brackets as Python needs, and safe names.

`Text` is a piece of code with its binding strength; `spell(primitive, operands, params, context)` puts pieces together.
A primitive without an entry is written ``np.<name>(operands)``.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.primitives.contraction import pays_to_optimize
from chainrule.primitives.indexing import ARRAY, SLICE
from chainrule.shapes import SizeExpr

ATOM, POWER, UNARY, PRODUCT, MATMUL, SUM, AND, XOR, OR, COMPARE = range(10, 0, -1)


@dataclass(frozen=True, slots=True)
class Text:
    """Code and how strongly its outermost operator binds."""

    code: str
    strength: int = ATOM

    def within(self, strength: int) -> str:
        """The code as an operand of an operator of that strength."""
        return self.code if self.strength >= strength else f"({self.code})"


Spelling = Callable[..., Text]


def _operator(sign: str, strength: int) -> Spelling:
    def spelled(operands, params, size) -> Text:
        left, right = operands
        # (a + b) + c is a + b + c, but a + (b + c) is another number in floating point: it keeps its brackets
        return Text(f"{left.within(strength)} {sign} {right.within(strength + 1)}", strength)

    return spelled


def _matmul(operands, params, size) -> Text:
    # Python gives * and @ the same strength; a reader should not have to know
    left, right = operands
    first = left.code if left.strength == MATMUL else left.within(UNARY)
    return Text(f"{first} @ {right.within(UNARY)}", MATMUL)


def _comparison(sign: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        left, right = operands
        return Text(f"{left.within(COMPARE + 1)} {sign} {right.within(COMPARE + 1)}", COMPARE)

    return spelled


def _prefix(sign: str) -> Spelling:
    return lambda operands, params, size: Text(f"{sign}{operands[0].within(UNARY)}", UNARY)


def _power(operands, params, size) -> Text:
    base, exponent = operands
    return Text(f"{base.within(ATOM)} ** {exponent.within(UNARY)}", POWER)


def call(name: str, *arguments: str) -> Text:
    """`name(arguments)`."""
    return Text(f"{name}({', '.join(arguments)})")


def _function(name: str) -> Spelling:
    return lambda operands, params, size: call(name, *(o.code for o in operands))


def _with_parameters(name: str) -> Spelling:
    """A function that takes its parameters, numbers or words, after its operands."""
    return lambda operands, params, size: call(name, *(o.code for o in operands), *map(repr, params))


def _round(operands, params, size) -> Text:
    return call("np.round", operands[0].code, *(str(decimals) for decimals in params if decimals))


def _part(name: str, part: int) -> Spelling:
    """One of the results of a function that has two."""
    return lambda operands, params, size: Text(f"{name}({operands[0].code})[{part}]")


def _method(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        axes, keepdims = params
        if size.scalar:  # a Python float has no methods
            return call(f"np.{name}", operands[0].code)
        arguments = []
        if size.ndim != len(axes):
            arguments.append(f"axis={axes[0] if len(axes) == 1 else axes}")
        if keepdims:
            arguments.append("keepdims=True")
        return Text(f"{operands[0].within(ATOM)}.{name}({', '.join(arguments)})")

    return spelled


def _transpose(operands, params, size) -> Text:
    (axes,) = params
    x = operands[0].within(ATOM)
    if axes == tuple(reversed(range(len(axes)))):
        return Text(f"{x}.T")
    if axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
        return Text(f"{x}.mT")
    return Text(f"{x}.transpose{axes}")


def _reshape(operands, params, size) -> Text:
    if size.scalar:
        return call("np.reshape", operands[0].code, size.shape(params[0]) if params[0] else "()")
    shape = ", ".join(size(dim) for dim in params[0])
    return Text(f"{operands[0].within(ATOM)}.reshape({shape if len(params[0]) else '()'})")


def _expand_dims(operands, params, size) -> Text:
    if size.scalar:
        return call("np.expand_dims", operands[0].code, str(params[0]))
    axes = set(params[0])
    total = size.ndim + len(axes)
    parts = ["None" if axis in axes else ":" for axis in range(total)]
    while parts and parts[-1] == ":":
        parts.pop()
    return Text(f"{operands[0].within(ATOM)}[{', '.join(parts)}]")


def _squeeze(operands, params, size) -> Text:
    axes = params[0][0] if len(params[0]) == 1 else params[0]
    return Text(f"{operands[0].within(ATOM)}.squeeze({axes})")


def _broadcast_to(operands, params, size) -> Text:
    return call("np.broadcast_to", operands[0].code, size.shape(params[0]))


def _convert(operands, params, size) -> Text:
    return Text(f"{operands[0].within(ATOM)}.astype({dtype_name(params[0])})")


def _joined(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        inner = ", ".join(o.code for o in operands)
        return call(name, f"({inner}{',' if len(operands) == 1 else ''})", f"axis={params[0]}")

    return spelled


def index_text(template: tuple, arrays: list[Text], size) -> str:
    """The inside of `x[...]`."""
    parts = []
    for item in template:
        if item is None or item is Ellipsis:
            parts.append("None" if item is None else "...")
        elif type(item) is tuple and item[0] == ARRAY:
            parts.append(arrays[item[1]].code)
        elif type(item) is tuple and item[0] == SLICE:
            start, stop, step = ("" if v is None else size(v) for v in item[1:])
            parts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
        else:
            parts.append(size(item))
    return ", ".join(parts)


def _index(operands, params, size) -> Text:
    x, *arrays = operands
    return Text(f"{x.within(ATOM)}[{index_text(params[0], arrays, size) or '()'}]")


def _written(name: str, count: int) -> Spelling:
    """A helper that takes an index after `count` operands, and further parameters after it."""

    def spelled(operands, params, size) -> Text:
        index = index_text(params[0], operands[count:], size) or "()"
        return call(name, *(o.code for o in operands[:count]), f"np.s_[{index}]", *map(size.shape, params[1:]))

    return spelled


def _windows(operands, params, size) -> Text:
    return call("np.lib.stride_tricks.sliding_window_view", operands[0].code, size(params[0]), f"axis={params[1]}")


def _add_windows(operands, params, size) -> Text:
    return call("add_windows", operands[0].code, str(params[0]))


def _along_one_axis(name: str) -> Spelling:
    """A function of operands and one axis, which vectors need not name: `np.cumsum(x, axis=1)`, `np.cumsum(v)`."""

    def spelled(operands, params, size) -> Text:
        axis = [] if size.ndim == 1 and name.startswith("np.") else [f"axis={params[0]}"]
        return call(name, *(o.code for o in operands), *axis)

    return spelled


def _difference_ends(operands, params, size) -> Text:
    (axis,) = params  # np.diff(..., prepend=0) would make float32 float64
    widths = tuple((int(place == axis),) * 2 for place in range(size.ndim))
    padded = call("np.pad", operands[0].code, "1" if size.ndim == 1 else str(widths))
    return call("np.diff", padded.code, *([f"axis={axis}"] if axis != size.ndim - 1 else []))


def _record_places(operands, params, size) -> Text:
    return call("record_places", operands[0].code, *map(str, params))


def _over_axes(name: str) -> Spelling:
    """A helper with a tuple of axes: `products_of_others(x, (0,))`."""
    return lambda operands, params, size: call(name, *(o.code for o in operands), *map(str, params))


def _take_along_axis(operands, params, size) -> Text:
    return call("np.take_along_axis", *(o.code for o in operands), f"axis={params[0]}")


def _add_along_axis(operands, params, size) -> Text:
    return call("add_along_axis", *(o.code for o in operands), str(params[0]), size(params[1]))


def _along_axis(name: str) -> Spelling:
    return lambda operands, params, size: call(name, operands[0].code, f"axis={params[0]}")


def _argsort(operands, params, size) -> Text:
    kind = "" if params[1] is None else f", kind={params[1]!r}"
    return call("np.argsort", operands[0].code, f"axis={params[0]}{kind}")


def _partition(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        kth = size(params[0][0]) if len(params[0]) == 1 else size.shape(params[0])
        return call(name, operands[0].code, kth, f"axis={params[1]}")

    return spelled


def _searchsorted(operands, params, size) -> Text:
    side = () if params[0] == "left" else (f"side={params[0]!r}",)
    return call("np.searchsorted", *(o.code for o in operands), *side)


def _with_params(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        written = (repr(p) if isinstance(p, (str, bool)) else size(p) for p in params)
        return call(name, *(o.code for o in operands), *written)

    return spelled


def _pad(operands, params, size) -> Text:
    pairs = [size.shape(pair) for pair in params[0]]
    widths = pairs[0] if len(pairs) == 1 else f"({', '.join(pairs)})"
    values = params[1][0] if len(params[1]) == 1 else params[1]
    constants = (f"constant_values={values!r}",) if any(map(any, params[1])) else ()
    return call("np.pad", operands[0].code, widths, *constants)


def _roll(operands, params, size) -> Text:
    shift, axis = (size(p[0]) if len(p) == 1 else size.shape(p) for p in params)
    return call("np.roll", operands[0].code, shift, f"axis={axis}")


def _choose(operands, params, size) -> Text:
    numbers, *choices = (o.code for o in operands)
    return call("np.choose", numbers, f"({', '.join(choices)}{',' if len(choices) == 1 else ''})")


def _einsum(operands, params, size) -> Text:
    subscripts = params[0]
    optimized = ["optimize=True"] if pays_to_optimize(subscripts) else []
    return call("np.einsum", f'"{subscripts}"', *(o.code for o in operands), *optimized)


def _diagonal(operands, params, size) -> Text:
    if size.ndim == 2:
        return call("np.diagonal", operands[0].code, *(str(offset) for offset in params if offset))
    return call("np.diagonal", operands[0].code, str(params[0]), "-2", "-1")


def _at_offset(name: str) -> Spelling:
    """`np.tril(x)`, or `np.tril(x, 1)` off the main diagonal."""
    return lambda operands, params, size: call(name, operands[0].code, *(str(offset) for offset in params if offset))


def _from_diagonal(operands, params, size) -> Text:
    return call("from_diagonal", operands[0].code, *map(size, params))


def _axis_arguments(axes: tuple, keepdims: bool, size) -> list[str]:
    """`axis=` and `keepdims=`, where they are not the default."""
    axis = [] if size.ndim == len(axes) else [f"axis={axes[0] if len(axes) == 1 else axes}"]
    return axis + ["keepdims=True"] * keepdims


def _spread(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        axes, keepdims, ddof = params
        arguments = _axis_arguments(axes, keepdims, size) + ([f"ddof={ddof}"] if ddof else [])
        if size.scalar:
            return call(f"np.{name}", operands[0].code, *arguments)
        return Text(f"{operands[0].within(ATOM)}.{name}({', '.join(arguments)})")

    return spelled


def _reduction(name: str) -> Spelling:
    """A reduction that is no method: `np.median(x, axis=0)`."""

    def spelled(operands, params, size) -> Text:
        axes, keepdims = params
        return call(f"np.{name}", operands[0].code, *_axis_arguments(axes, keepdims, size))

    return spelled


def _norm(operands, params, size) -> Text:
    axes, keepdims = params
    arguments = _axis_arguments(axes, keepdims, size)
    if len(axes) <= 2 or size.ndim == len(axes):
        return call("np.linalg.norm", operands[0].code, *arguments)
    return call("np.sqrt", f"np.square({operands[0].code}).sum({', '.join(arguments)})")


def _numbers(q) -> str:
    return f"[{', '.join(map(literal, q))}]" if type(q) is tuple else literal(q)


def _quantile(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        axes, keepdims, q, method = params
        how = [] if method == "linear" else [f"method={method!r}"]
        return call(name, operands[0].code, _numbers(q), *_axis_arguments(axes, keepdims, size), *how)

    return spelled


def _quantile_weights(name: str) -> Spelling:
    def spelled(operands, params, size) -> Text:
        axes, q, method = params
        how = [] if method == "linear" else [repr(method)]
        return call(name, operands[0].code, str(axes), _numbers(q), *how)

    return spelled


def _linalg(name: str, part: int | None = None) -> Spelling:
    """A function of `np.linalg` with the parameters that are given; one of its results."""
    picked = "" if part is None else f"[{part}]"

    def spelled(operands, params, size) -> Text:
        given = [literal(param) for param in params if param is not None]
        return Text(f"{call(f'np.linalg.{name}', *(o.code for o in operands), *given).code}{picked}")

    return spelled


def _of_triangle(name: str, part: str) -> Spelling:
    """A function of a symmetric matrix, which reads the lower triangle if it is not told."""

    def spelled(operands, params, size) -> Text:
        told = [] if params[0] == "L" else ['"U"']
        return Text(call(f"np.linalg.{name}", operands[0].code, *told).code + part)

    return spelled


def _singular_values(operands, params, size) -> Text:
    return call("np.linalg.svd", operands[0].code, "compute_uv=False")


def _one_hot(operands, params, size) -> Text:
    classes, axis, dtype, _ = params
    labels = operands[0].code
    eye = f"np.eye({size(classes)}{_dtype_argument(dtype)})"
    if axis == size.ndim:
        return Text(f"{eye}[{labels}]")
    if size.ndim == 1:
        return Text(f"{eye}[:, {labels}]")
    return Text(f"np.moveaxis({eye}[{labels}], -1, {axis})")


def _full(operands, params, size) -> Text:
    value, shape, dtype = params
    value = float(value) if dtype.kind == "f" else value
    if not shape:
        return Text(literal(value) if dtype == np.float64 else f"{dtype_name(dtype)}({literal(value)})")
    if value == 0 and not (isinstance(value, float) and math.copysign(1, value) < 0):
        return call("np.zeros", size.shape(shape) + _dtype_argument(dtype))
    if value == 1:
        return call("np.ones", size.shape(shape) + _dtype_argument(dtype))
    return call("np.full", size.shape(shape), literal(value) + _dtype_argument(dtype))


def _arange(operands, params, size) -> Text:
    return call("np.arange", size(params[0]) + ("" if params[1] == np.int64 else f", dtype={dtype_name(params[1])}"))


def _eye(operands, params, size) -> Text:
    return call("np.eye", size(params[0]) + _dtype_argument(params[1]))


def _clip(operands, params, size) -> Text:
    x, low, high = operands
    return call("np.clip", x.code, *("None" if o.code in ("-np.inf", "np.inf") else o.code for o in (low, high)))


def _size(operands, params, size) -> Text:
    code = size(params[0])
    return Text(code) if re.fullmatch(r"[\w.\[\]]+", code) else Text(code, SUM)


def _stop_gradient(operands, params, size) -> Text:
    return operands[0]


def _abs(operands, params, size) -> Text:
    return call("abs" if size.scalar else "np.abs", operands[0].code)  # np.abs would make a Python float strong


SPELLINGS: dict[str, Spelling] = {
    "add": _operator("+", SUM),
    "subtract": _operator("-", SUM),
    "multiply": _operator("*", PRODUCT),
    "divide": _operator("/", PRODUCT),
    "remainder": _operator("%", PRODUCT),
    "floor_divide": _operator("//", PRODUCT),
    "matmul": _matmul,
    "power": _power,
    "negative": _prefix("-"),
    "positive": _prefix("+"),
    "invert": _prefix("~"),
    "abs": _abs,
    "greater": _comparison(">"),
    "greater_equal": _comparison(">="),
    "less": _comparison("<"),
    "less_equal": _comparison("<="),
    "equal": _comparison("=="),
    "not_equal": _comparison("!="),
    "bitwise_and": _operator("&", AND),
    "bitwise_or": _operator("|", OR),
    "bitwise_xor": _operator("^", XOR),
    "sum": _method("sum"),
    "mean": _method("mean"),
    "max": _method("max"),
    "min": _method("min"),
    "argmax": _method("argmax"),
    "argmin": _method("argmin"),
    "transpose": _transpose,
    "reshape": _reshape,
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    "broadcast_to": _broadcast_to,
    "convert": _convert,
    "concatenate": _joined("np.concatenate"),
    "stack": _joined("np.stack"),
    "index": _index,
    "written": _written("written", 2),
    "added_at": _written("added_at", 2),
    "last_write": _written("last_write", 0),
    "one_hot": _one_hot,
    "cumsum": _along_one_axis("np.cumsum"),
    "cumprod": _along_one_axis("np.cumprod"),
    "recurrence": _along_one_axis("recurrence"),
    "recurrence_back": _along_one_axis("recurrence_back"),
    "difference": _along_one_axis("np.diff"),
    "difference_ends": _difference_ends,
    "running_max": _along_one_axis("np.maximum.accumulate"),
    "running_min": _along_one_axis("np.minimum.accumulate"),
    "record_places": _record_places,
    "prod": _method("prod"),
    "var": _spread("var"),
    "std": _spread("std"),
    "median": _reduction("median"),
    "nanmax": _reduction("nanmax"),
    "nanmin": _reduction("nanmin"),
    "norm": _norm,
    "nanmedian": _reduction("nanmedian"),
    "quantile": _quantile("np.quantile"),
    "nanquantile": _quantile("np.nanquantile"),
    "quantile_weights": _quantile_weights("quantile_weights"),
    "nanquantile_weights": _quantile_weights("nanquantile_weights"),
    "products_of_others": _over_axes("products_of_others"),
    "windows": _windows,
    "take_along_axis": _take_along_axis,
    "add_along_axis": _add_along_axis,
    "choose": _choose,
    "roll": _roll,
    "pad": _pad,
    **{name: _with_params(name) for name in ("rfft_parts", "irfft_parts", "fft_parts")},
    **{name: _with_params(name) for name in ("rfft_transposed", "irfft_transposed")},
    "sort": _along_axis("np.sort"),
    "argsort": _argsort,
    "partition": _partition("np.partition"),
    "argpartition": _partition("np.argpartition"),
    "searchsorted": _searchsorted,
    "add_windows": _add_windows,
    "einsum": _einsum,
    **{name: _linalg(name) for name in ("solve", "inv", "det", "cholesky", "pinv")},
    "logabsdet": _linalg("slogdet", 1),
    "sign_of_det": _linalg("slogdet", 0),
    "lstsq": _linalg("lstsq", 0),
    "eigenvalues": _of_triangle("eigvalsh", ""),
    "eigenvectors": _of_triangle("eigh", "[1]"),
    "singular_values": _singular_values,
    "diagonal": _diagonal,
    "diag": _at_offset("np.diag"),
    "from_diagonal": _from_diagonal,
    "tril": _at_offset("np.tril"),
    "triu": _at_offset("np.triu"),
    "full": _full,
    "arange": _arange,
    "eye": _eye,
    "clip": _clip,
    "round": _round,
    "modf_fraction": _part("np.modf", 0),
    "modf_whole": _part("np.modf", 1),
    "frexp_mantissa": _part("np.frexp", 0),
    "frexp_exponent": _part("np.frexp", 1),
    "sinc_derivative": _with_parameters("sinc_derivative"),
    "polygamma": _with_parameters("polygamma"),
    "normal_quantile": _with_parameters("normal_quantile"),
    "size": _size,
    "stop_gradient": _stop_gradient,
    "shift": _stop_gradient,
    "hold": _stop_gradient,
}


def spell(primitive, operands: list[Text], params: tuple, size: Any) -> Text:
    """The text of one equation's right-hand side."""
    spelled = SPELLINGS.get(primitive.name)
    if spelled is not None:
        return spelled(operands, params, size)
    if primitive.helper:
        return call(primitive.helper.rpartition(":")[2], *(o.code for o in operands))
    return call(f"np.{primitive.name}", *(o.code for o in operands))


def literal(value: Any) -> str:
    """A scalar as Python text that reads back to the same bits and the same strength."""
    if isinstance(value, np.longdouble) and np.longdouble is not np.float64:
        return f"np.longdouble({str(value)!r})"
    if isinstance(value, np.generic):
        return f"{dtype_name(value.dtype)}({literal(value.item())})"
    if isinstance(value, float):
        if math.isinf(value):
            return "np.inf" if value > 0 else "-np.inf"
        if math.isnan(value):
            return "np.nan"
    return repr(value)


def literal_text(value: Any) -> Text:
    """A scalar with its binding strength: a negative one is a unary minus."""
    code = literal(value)
    return Text(code, UNARY if code.startswith("-") else ATOM)


def dtype_name(dtype: Any) -> str:
    """`np.float32`."""
    name = np.dtype(dtype).name
    return "bool" if name == "bool" else f"np.{name}"


def _dtype_argument(dtype: Any) -> str:
    return "" if dtype == np.float64 else f", dtype={dtype_name(dtype)}"


def array_literal(array: np.ndarray) -> str:
    """A small array as Python text."""
    if not array.size and array.ndim > 1:  # brackets alone would not tell its shape
        return f"np.zeros({array.shape}, dtype={dtype_name(array.dtype)})"
    text = np.array2string(array, separator=", ", threshold=10_000, floatmode="unique", max_line_width=10_000)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r"\binf\b", "np.inf", re.sub(r"\bnan\b", "np.nan", text))
    default = array.dtype in (np.dtype(np.float64), np.dtype(np.int64), np.dtype(bool))
    return f"np.array({text}{'' if default and array.size else f', dtype={dtype_name(array.dtype)}'})"


RESERVED = frozenset({*keyword.kwlist, *keyword.softkwlist, "np", "abs", "bool", "slice", "ValueError"})


def identifier(name: str) -> str:
    """Any text as a Python identifier; what is one already stays as it is.

    >>> identifier("W1"), identifier("layers[0].W"), identifier("class"), identifier("1; import os")
    ('W1', 'layers0_W', 'class_', 'v1_import_os')
    """
    name = unicodedata.normalize("NFKC", name)  # as Python reads identifiers
    cleaned = re.sub(r"\[(\d+)\]", r"\1", name)
    cleaned = re.sub(r"[^0-9a-zA-Z_\u0370-\u03ff]+", "_", cleaned).strip("_") if not cleaned.isidentifier() else cleaned
    if not cleaned:
        cleaned = "v"
    if cleaned[0].isdigit():
        cleaned = "v" + cleaned
    if not cleaned.isidentifier():
        cleaned = "v"
    return cleaned + "_" if cleaned in RESERVED else cleaned


class Names:
    """Identifiers handed out once each."""

    def __init__(self, taken: Iterable[str] = ()):
        self.taken = set(taken) | RESERVED

    def fresh(self, wanted: str) -> str:
        """`wanted`, or with the next free number."""
        base = identifier(wanted)
        if base not in self.taken:
            self.taken.add(base)
            return base
        stem = base.rstrip("0123456789") if not base.rstrip("0123456789").endswith("_") else base + "_"
        stem = stem if stem != base else base
        number = 2 if stem == base else int(base[len(stem) :] or 1) + 1
        while f"{stem}{number}" in self.taken:
            number += 1
        self.taken.add(f"{stem}{number}")
        return f"{stem}{number}"


def size_name(dim: Any, name_of: Callable[[int], str]) -> str:
    """A dimension as code."""
    return dim.spell(name_of) if isinstance(dim, SizeExpr) else str(dim)
