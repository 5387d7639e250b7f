"""Contractions: `einsum`, a sum of products over letters.

The one idea: its derivatives are sums of products over letters, too. Before it is recorded, an
einsum is brought to one form: no letter twice in an operand (that is a diagonal), no letter in one operand alone (that is
a sum), no axis of size 1 against a longer one. In this form a transpose is the same einsum with the cotangent in the
operand's place, and the operand's letters for result:

    Y = einsum("ij,jk->ik", A, B)        dA = einsum("ik,jk->ij", dY, B)

What is a product of two matrices (or of stacks of them), or of entries, is recorded as one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ShapeError, UnsupportedError
from chainrule.index_form import Times, Total
from chainrule.primitive import Primitive, apply, handles, linear, ufunc_dtype
from chainrule.primitives.linear_algebra import matmul
from chainrule.primitives.shaping import astype
from chainrule.pytree import Recorder
from chainrule.shapes import hint_of, same_dim, str_shape

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
IN_ORDER = "".join(sorted(LETTERS))  # capitals first: the order in which a result that is not written gets its letters

# -- the primitive -----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=512)
def split_subscripts(subscripts: str) -> tuple[tuple[str, ...], str]:
    """The letters of the operands and those of the result.

    >>> split_subscripts("ij,jk->ik")
    (('ij', 'jk'), 'ik')
    """
    inputs, _, output = subscripts.partition("->")
    return tuple(inputs.split(",")), output


@functools.lru_cache(maxsize=512)
def pays_to_optimize(subscripts: str) -> bool:
    """Whether NumPy's `optimize=True` finds products of matrices, or an order that saves work; it costs 10 us."""
    inputs, output = split_subscripts(subscripts)
    if len(inputs) > 2:
        return True
    left, right = map(set, inputs)
    return bool((left & right) - set(output)) and bool(left - right) and bool(right - left)


def _einsum(*operands_and_subscripts):
    *operands, subscripts = operands_and_subscripts
    return np.einsum(subscripts, *operands, optimize=pays_to_optimize(subscripts))


def einsum_shape(*operands_and_subscripts):
    """The shape that the letters of the result stand for; raises ShapeError where a letter has two sizes."""
    *operands, subscripts = operands_and_subscripts
    inputs, output = split_subscripts(subscripts)
    sizes: dict[str, Any] = {}
    for letters, x in zip(inputs, operands, strict=True):
        for letter, dim in zip(letters, x.shape, strict=True):
            if not same_dim(sizes.setdefault(letter, dim), dim):
                raise ShapeError(
                    f"einsum {subscripts}: the letter {letter} stands for {hint_of(sizes[letter])} and for {hint_of(dim)}"
                )
    return tuple(sizes[letter] for letter in output)


def _product_dtype(*operands_and_rest):
    *operands, _ = operands_and_rest
    return functools.reduce(lambda one, other: ufunc_dtype(np.multiply, (one, other)), [x.dtype for x in operands])


def _einsum_transpose(index, y_bar, operands, params):
    inputs, output = split_subscripts(params[0])
    letters = [*inputs[:index], output, *inputs[index + 1 :]]
    return contract(letters, inputs[index], [*operands[:index], y_bar, *operands[index + 1 :]])


def _einsum_entry(entries, at, letters, subscripts):
    """The sum, over the letters that are not in the result, of the product of the entries."""
    inputs, output = split_subscripts(subscripts)
    place = dict(zip(output, at, strict=True))
    summed = []
    for names, entry in zip(inputs, entries, strict=True):
        for letter, size in zip(names, entry.sizes, strict=True):
            if letter not in place:
                place[letter] = letters.new(size)
                if size != 1:
                    summed.append(place[letter])
    product = Times(tuple(entry(*map(place.get, names)) for names, entry in zip(inputs, entries, strict=True)))
    return Total(tuple(summed), product) if summed else product


def _samples(rng):
    r = rng.standard_normal
    return [
        ((r((3, 4)), r((3, 4))), ("ij,ij->i",)),
        ((r((2, 3, 4)), r((3, 4, 5))), ("ijk,jkl->li",)),
        ((r((2, 3)), r((3, 4)), r((4, 2))), ("ij,jk,kl->il",)),
        ((r(3), r(2)), ("i,j->ji",)),
        ((r((3, 2)), np.float64(r())), ("ij,->ji",)),
        ((r((2, 3)), r((2, 3)), r(3)), ("bi,bi,i->b",)),
    ]


EINSUM: Primitive = linear(
    "einsum",
    _einsum,
    (_einsum_transpose,),
    einsum_shape,
    dtype_rule=_product_dtype,
    converts_from=0,
    variadic=True,
    param_names=("subscripts",),
    samples=_samples,
    latex=r"\operatorname{{einsum}}",
    index_form=_einsum_entry,
)

# -- einsum as NumPy takes it ------------------------------------------------------------------------------------------


def contract(inputs: Sequence[str], output: str, operands: Sequence[Any]):
    """The sum of products in the form that the rule knows, as a product of matrices where it is one."""
    if len(operands) == 1:
        return np.transpose(operands[0], tuple(inputs[0].index(letter) for letter in output))
    if len(operands) == 2:
        for form in (_as_matmul, _as_multiply):
            product = form(inputs, output, operands)
            if product is not None:
                return product
    return apply(EINSUM, *operands, params=(f"{','.join(inputs)}->{output}",))


def _as_matmul(inputs: Sequence[str], output: str, operands: Sequence[Any]):
    """`ij,jk->ik` and its like as `A @ B`; None where that would need a reshape."""
    (left, right), (a, b) = inputs, operands
    summed = [x for x in left if x in right and x not in output]
    stack = [x for x in output if x in left and x in right]
    rows, columns = [x for x in left if x not in right], [x for x in right if x not in left]
    if len(summed) != 1 or len(rows) > 1 or len(columns) > 1 or (stack and not (rows and columns)):
        return None
    if rows and columns and not stack and output == columns[0] + rows[0]:
        return _as_matmul((right, left), output, (b, a))  # B^T A^T instead of (A B)^T
    a = _arranged(a, left, [*stack, *rows, *summed])
    b = _arranged(b, right, [*stack, *summed, *columns])
    return _arranged(matmul(a, b), "".join([*stack, *rows, *columns]), output)


def _as_multiply(inputs: Sequence[str], output: str, operands: Sequence[Any]):
    """`i,j->ij` and its like, which sum nothing, as `a[:, None] * b`; None where something is summed."""
    if set(output) != {*inputs[0], *inputs[1]}:
        return None
    factors = []
    for x, letters in zip(operands, inputs, strict=True):
        x = _arranged(x, letters, [letter for letter in output if letter in letters])
        missing = tuple(axis for axis, letter in enumerate(output) if letter not in letters)
        factors.append(np.expand_dims(x, missing) if missing else x)
    return factors[0] * factors[1]


def _arranged(x, letters: str, wanted: Sequence[str]):
    axes = tuple(letters.index(letter) for letter in wanted)
    return x if axes == tuple(range(len(axes))) else np.transpose(x, axes)


@handles(np.einsum)
def einsum(*operands, out=None, optimize=False, dtype=None, order="K", casting="safe"):
    """`np.einsum`: letters in a text, or numbers after each operand; `optimize` is decided by what it pays."""
    if out is not None:
        raise UnsupportedError("np.einsum(..., out=) writes into an array; write y = np.einsum(...)")
    if order not in ("K", None):
        raise UnsupportedError(f"np.einsum(..., order={order!r}): leave it out, it changes no value")
    if casting not in ("safe", "same_kind", "unsafe"):
        raise UnsupportedError(f"np.einsum(..., casting={casting!r}): convert the operands with .astype first")
    inputs, output, arrays = _parsed(operands)
    if dtype is not None and np.dtype(dtype) != np.result_type(*(x.dtype for x in arrays)):
        raise UnsupportedError(f"np.einsum(..., dtype={dtype}): convert the operands with .astype first")
    inputs, arrays = _without_repeats(inputs, arrays)
    inputs, arrays = _without_unit_axes(inputs, arrays)
    inputs, arrays = _without_lone_letters(inputs, arrays, output)
    return contract(inputs, output, arrays)


def _parsed(operands) -> tuple[list[str], str, list]:
    """Letters of each operand and of the result, with `...` and what is left out written in full."""
    if isinstance(operands[0], str):
        text, arrays = operands[0].replace(" ", ""), [array_of(x) for x in operands[1:]]
        left, arrow, right = text.partition("->")
        inputs, output = left.split(","), right if arrow else None
    else:
        pairs = [(array_of(x), _lettered(numbers)) for x, numbers in zip(operands[::2], operands[1::2], strict=False)]
        arrays, inputs = [x for x, _ in pairs], [letters for _, letters in pairs]
        output = _lettered(operands[-1]) if len(operands) % 2 else None
    if len(inputs) != len(arrays):
        raise ShapeError(f"einsum {','.join(inputs)} speaks of {len(inputs)} operands, but there are {len(arrays)}")
    used = {*"".join(inputs), *(output or "")}
    if not used <= {*LETTERS, "."}:
        raise ShapeError(f"einsum: {''.join(sorted(used - {*LETTERS, '.'}))!r} is no letter")
    free = [letter for letter in reversed(LETTERS) if letter not in used]
    extra = [x.ndim - len(i.replace("...", "")) if "..." in i else 0 for i, x in zip(inputs, arrays, strict=True)]
    longest = max(extra)
    broadcast = "".join(free[:longest])  # letters for `...`, aligned at its end
    for place, (letters, x) in enumerate(zip(inputs, arrays, strict=True)):
        own = broadcast[longest - extra[place] :] if extra[place] > 0 else ""
        inputs[place] = letters.replace("...", own, 1)
        if len(inputs[place]) != x.ndim or "." in inputs[place]:
            raise ShapeError(f"einsum: {letters!r} does not fit an array with shape {str_shape(x.shape)}")
    everything = "".join(inputs)
    if output is None:
        single = sorted(x for x in set(everything) if everything.count(x) == 1 and x not in broadcast)
        output = broadcast + "".join(single)
    else:
        if broadcast and "..." not in output:
            raise ShapeError(f"einsum: the result {output!r} has no ... for the axes that ... stands for")
        output = output.replace("...", broadcast, 1)
    if len(set(output)) != len(output) or not set(output) <= set(everything):
        raise ShapeError(f"einsum: the result {output!r} must have letters of the operands, each once")
    return inputs, output, arrays


def array_of(x):
    """`x`, or the array that a list or number stands for; a Python number is a float64 here, also a traced one."""
    if isinstance(x, Recorder):
        return astype(x, x.dtype) if getattr(x, "weak", False) else x
    return x if hasattr(x, "ndim") else np.asarray(x)


def _lettered(numbers) -> str:
    if any(number is not Ellipsis and not 0 <= number < len(LETTERS) for number in numbers):
        raise ShapeError(f"einsum: the numbers {list(numbers)} must be from 0 to {len(LETTERS) - 1}")
    return "".join("..." if number is Ellipsis else IN_ORDER[number] for number in numbers)


def _without_repeats(inputs, arrays):
    """`ii` as the diagonal, with one i."""
    inputs, arrays = list(inputs), list(arrays)
    for place, letters in enumerate(inputs):
        while len(set(letters)) < len(letters):
            twice = next(x for x in letters if letters.count(x) > 1)
            first = letters.index(twice)
            second = letters.index(twice, first + 1)
            shape = arrays[place].shape
            if not same_dim(shape[first], shape[second]):
                raise ShapeError(f"einsum: {twice} stands for {hint_of(shape[first])} and for {hint_of(shape[second])}")
            arrays[place] = np.diagonal(arrays[place], 0, first, second)
            letters = letters[:first] + letters[first + 1 : second] + letters[second + 1 :] + twice
        inputs[place] = letters
    return inputs, arrays


def _is_unit(dim) -> bool:
    return type(dim) is int and dim == 1


def _without_unit_axes(inputs, arrays):
    """Axes of size 1 that meet a longer one, taken out: every position of the letter sees the same entry."""
    longer = {
        x for letters, a in zip(inputs, arrays, strict=True) for x, n in zip(letters, a.shape, strict=True) if n != 1
    }
    inputs, arrays = list(inputs), list(arrays)
    for place, letters in enumerate(inputs):
        axes = tuple(n for n, x in enumerate(letters) if x in longer and _is_unit(arrays[place].shape[n]))
        if axes:
            arrays[place] = np.squeeze(arrays[place], axes)
            inputs[place] = "".join(x for n, x in enumerate(letters) if n not in axes)
    return inputs, arrays


def _without_lone_letters(inputs, arrays, output):
    """Axes whose letter stands nowhere else, summed: nothing is multiplied along them."""
    everything = "".join(inputs) + output
    inputs, arrays = list(inputs), list(arrays)
    for place, letters in enumerate(inputs):
        axes = tuple(n for n, x in enumerate(letters) if everything.count(x) == 1)
        if axes:
            x = arrays[place]
            total = np.any(x, axis=axes) if x.dtype.kind == "b" else np.sum(x, axis=axes)
            arrays[place] = total if total.dtype == x.dtype else total.astype(x.dtype)  # einsum keeps small integers
            inputs[place] = "".join(x for n, x in enumerate(letters) if n not in axes)
    return inputs, arrays


FAMILY = (EINSUM,)
