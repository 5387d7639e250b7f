"""What a formula given as text may call: NumPy's functions and methods, one line for each kind.

The one idea: a name is in the table or it is refused. Every entry says how many arguments may stand by position (so that
nothing can reach NumPy's `out`), which keywords are known, and how many entries the result will have, which is asked
before anything is computed: `ones((9**9, 9**9))` costs nothing here.

>>> FUNCTIONS["exp"].positional, FUNCTIONS["outer"].entries((np.ones(3), np.ones(4)), {})
(1, 12)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diagnosis.activations import LIBRARY, softmax

Entries = Callable[[tuple[Any, ...], dict[str, Any]], int]


@dataclass(frozen=True)
class Word:
    """A function that a formula may call.

    Attributes
    ----------
    run : callable
    positional : int
        How many arguments may be given by position.
    keywords : frozenset of str
        The keywords that may be given.
    entries : callable
        `(args, kwargs) -> int`: how many entries the result, or the largest array on the way to it, will have.
    """

    run: Callable[..., Any]
    positional: int
    keywords: frozenset[str]
    entries: Entries


def size_of(value: Any) -> int:
    """How many entries a value has; a tuple or list, those of its items together."""
    if isinstance(value, (tuple, list)):
        return sum(size_of(item) for item in value)
    return 1 if isinstance(value, type) else int(getattr(value, "size", 1))


def broadcast_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """The entries of an elementwise result."""
    return int(math.prod(np.broadcast_shapes(*(np.shape(a) for a in args))))


def product_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """The entries of `a @ b`, at most."""
    shapes = [np.shape(a) for a in args[:2]]
    if len(shapes) < 2 or not all(shapes):
        return max(map(size_of, args))
    rows, columns = shapes[0][:-1], (*shapes[1][:-2], *shapes[1][-1:]) if len(shapes[1]) > 1 else ()
    return int(math.prod(rows) * math.prod(columns))


def indexed_size(value: Any, index: Any) -> int:
    """The entries of `value[index]`, at most."""
    items = index if isinstance(index, tuple) else (index,)
    dims = list(np.shape(value))
    chosen: list[tuple[int, ...]] = []
    axis = 0
    for item in items:
        if item is Ellipsis:
            taken = sum(np.ndim(i) if _is_mask(i) else 1 for i in items if i is not None and i is not Ellipsis)
            axis = len(dims) - (taken - axis)
        elif _is_mask(item):
            dims[axis : axis + np.ndim(item)] = [1] * np.ndim(item)
            chosen.append((int(np.count_nonzero(item)),))
            axis += np.ndim(item)
        elif isinstance(item, (list, np.ndarray)) or np.ndim(item):
            dims[axis : axis + 1] = [1]
            chosen.append(np.shape(item))
            axis += 1
        elif item is not None:
            axis += 1
    return int(math.prod(dims) * math.prod(np.broadcast_shapes(*chosen)))


def _is_mask(item: Any) -> bool:
    return getattr(item, "dtype", None) == np.bool_


def _inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    return max(map(size_of, args), default=1)


def _outer(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    return math.prod(size_of(a) for a in args)


def _inner(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    return math.prod(math.prod(np.shape(a)[:-1]) for a in args)


def _of_shape(place: int) -> Entries:
    def entries(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        shape = args[place] if len(args) > place else kwargs.get("shape", ())
        return max(abs(math.prod(shape if isinstance(shape, (tuple, list)) else (shape,))), 1)

    return entries


def _square(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    return int(abs(args[0] * (args[1] if len(args) > 1 else args[0])))


def _diagonal(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    offset = args[1] if len(args) > 1 else kwargs.get("k", 0)
    return max(size_of(args[0]), (size_of(args[0]) + abs(int(offset))) ** 2 if np.ndim(args[0]) == 1 else 0)


def _counted(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    start, stop, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
    return int(abs((stop - start) / step)) + 1


def _repeated(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    times = args[1] if len(args) > 1 else kwargs.get("repeats", kwargs.get("reps", 1))
    counts = times if isinstance(times, (tuple, list)) else (times,)
    return size_of(args[0]) * math.prod(int(np.max(count)) for count in counts)


def _together(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    return size_of(args[0])


def _contracted(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """The entries of an einsum, or as many as take as long: its multiplications are cheap ones."""
    subscripts, *operands = args
    inputs, arrow, output = str(subscripts).replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for letters, operand in zip(inputs.split(","), operands, strict=False):
        shape = np.shape(operand)
        sizes |= {
            letter: max(sizes.get(letter, 1), n) for letter, n in zip(_letters(letters, shape), shape, strict=False)
        }
    kept = [n for letter, n in sizes.items() if (letter in output if arrow else inputs.count(letter) == 1)]
    unnamed = [n for letter, n in sizes.items() if not letter.isalpha()]
    return max(math.prod(kept) * math.prod(unnamed), math.prod(sizes.values()) // 256)


def _letters(letters: str, shape: tuple[int, ...]) -> str:
    """Subscripts with a sign of its own for each axis that `...` stands for."""
    return letters.replace("...", "".join(chr(0x2460 + i) for i in range(len(shape) - len(letters) + 3)))


def _softmax(z: Any, axis: int = -1) -> Any:
    return softmax(z, axis)


def _words(names: str, positional: int, keywords: str, entries: Entries) -> dict[str, Word]:
    known = frozenset(keywords.split())
    return {name: Word(getattr(np, name), positional, known, entries) for name in names.split()}


FUNCTIONS: dict[str, Word] = {
    **_words("exp expm1 log log1p log2 log10 sqrt cbrt square sinh cosh tanh sin cos tan", 1, "", broadcast_size),
    **_words("arcsin arccos arctan abs absolute fabs sign negative reciprocal floor ceil", 1, "", broadcast_size),
    **_words("isfinite isnan isinf logical_not ones_like zeros_like", 1, "", broadcast_size),
    **_words("add subtract multiply divide true_divide floor_divide power mod", 2, "", broadcast_size),
    **_words("maximum minimum fmax fmin heaviside hypot arctan2 logaddexp", 2, "", broadcast_size),
    **_words("greater greater_equal less less_equal equal not_equal", 2, "", broadcast_size),
    **_words("logical_and logical_or logical_xor full_like", 2, "", broadcast_size),
    **_words("where clip", 3, "", broadcast_size),
    **_words("sum mean prod max min amax amin any all argmax argmin", 2, "axis keepdims", _inputs),
    **_words("var std", 2, "axis keepdims ddof", _inputs),
    **_words("cumsum cumprod", 2, "axis", _inputs),
    **_words("matmul dot", 2, "", product_size),
    **_words("outer kron", 2, "", _outer),
    **_words("inner", 2, "", _inner),
    **_words("einsum", 6, "", _contracted),
    **_words("trace", 1, "", _inputs),
    **_words("transpose", 2, "axes", _inputs),
    **_words("expand_dims squeeze flip", 2, "axis", _inputs),
    **_words("roll", 3, "axis", _inputs),
    **_words("swapaxes moveaxis", 3, "", _inputs),
    **_words("ravel diagonal atleast_1d atleast_2d array asarray copy", 1, "", _inputs),
    **_words("tril triu", 2, "k", _inputs),
    **_words("diag", 2, "k", _diagonal),
    **_words("reshape broadcast_to", 2, "", _of_shape(1)),
    **_words("ones zeros", 1, "shape", _of_shape(0)),
    **_words("full", 2, "", _of_shape(0)),
    **_words("identity", 1, "", _square),
    **_words("eye", 2, "k", _square),
    **_words("arange", 3, "", _counted),
    **_words("repeat", 3, "repeats axis", _repeated),
    **_words("tile", 2, "reps", _repeated),
    **_words("concatenate stack", 2, "axis", _together),
    **_words("vstack hstack", 1, "", _together),
    **_words("shape size ndim", 1, "", _inputs),
}

# Callable without `np.` alone: Python's own, and the activations by their names.
BARE: dict[str, Word] = {
    "len": Word(len, 1, frozenset(), _inputs),
    "softmax": Word(_softmax, 2, frozenset({"axis"}), _inputs),
    **{
        activation.name: Word(activation.of, 1, frozenset(), broadcast_size)
        for activation in LIBRARY
        if activation.name.isidentifier() and activation.name not in FUNCTIONS
    },
}

CONSTANTS: dict[str, Any] = {"pi": math.pi, "e": math.e, "inf": math.inf, "newaxis": None}

ATTRIBUTES = ("T", "shape", "size", "ndim")


def _method(name: str, positional: int, keywords: str = "") -> Word:
    def run(array: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(np.asarray(array), name)(*args, **kwargs)

    entries = product_size if name == "dot" else _repeated if name == "repeat" else _inputs
    return Word(run, positional, frozenset(keywords.split()), broadcast_size if name == "clip" else entries)


# The array itself is the first argument of each: `positional` counts those in brackets.
METHODS: dict[str, Word] = {
    **{
        name: _method(name, 1, "axis keepdims")
        for name in ["sum", "mean", "prod", "max", "min", "any", "all", "argmax", "argmin"]
    },
    **{name: _method(name, 1, "axis keepdims ddof") for name in ("var", "std")},
    **{name: _method(name, 1, "axis") for name in ("cumsum", "squeeze")},
    **{name: _method(name, 0) for name in ("ravel", "flatten", "copy", "diagonal", "trace")},
    **{name: _method(name, 8) for name in ("reshape", "transpose")},
    "swapaxes": _method("swapaxes", 2),
    "dot": _method("dot", 1),
    "clip": _method("clip", 2),
    "repeat": _method("repeat", 2, "axis"),
    "astype": _method("astype", 1),
}

# What may stand in the brackets of `.astype(...)`.
DTYPES: dict[str, Any] = {
    "float": float, "int": int, "bool": bool, "float64": np.float64, "float32": np.float32, "int64": np.int64,
}  # fmt: skip
