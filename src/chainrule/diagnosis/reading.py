"""What a backward pass returned, as arrays by the leaf that each is the gradient of.

The one idea: people return a tuple in the order of the parameters, a dictionary by name (`"dW1"` or `"W1"`), the
parameters' own structure, or all of it behind the loss. Whatever it was, a number that is missing, too many or no
number is said by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.pytree import flatten, leaf_paths


@dataclass(frozen=True)
class Wanted:
    """An argument whose gradient is asked for: its name, the paths of its leaves, and its structure."""

    name: str
    paths: tuple[str, ...]
    structure: Any  # None where the argument is one array or number


PREFIXES = ("d_", "d", "grad_", "g_", "dL_d", "dJ_d", "dloss_d", "delta_", "nabla_")
SUFFIXES = ("_grad", "_g", "_bar", ".grad", "g")


def bare_name(name: str) -> list[str]:
    """The names that a gradient's name may stand for: dW1, grad_W1, dL_dW1 and W1_grad for W1.

    >>> bare_name("dL_dW1")
    ['dL_dW1', 'L_dW1', 'W1']
    """
    found = [name]
    found += [name[len(p) :] for p in PREFIXES if name.startswith(p) and len(name) > len(p)]
    found += [name[: -len(s)] for s in SUFFIXES if name.endswith(s) and len(name) > len(s)]
    shared = re.fullmatch(r"d\w+?[/_]d(\w+)", name)
    if shared:
        found.append(shared.group(1))
    return list(dict.fromkeys(found))


def gradient_of(name: str, known: Sequence[str]) -> str | None:
    """Which of the known names a gradient's name means."""
    return next((bare for bare in bare_name(name)[::-1] if bare in known), None)


def read_gradients(result: Any, wanted: Sequence[Wanted]) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays by leaf path, and the loss if it was returned too.

    Raises
    ------
    ArgumentError
        If a gradient is missing, or one is there that nobody asked for; the message has the names.
    """
    result, loss = _without_loss(result, len(wanted))
    if isinstance(result, Mapping):
        return _by_name(result, wanted), loss
    if len(wanted) == 1 and not (isinstance(result, (tuple, list)) and len(result) == 1 and not _is_number(result)):
        return _leaves(result, wanted[0]), loss
    if not isinstance(result, (tuple, list)):
        if hasattr(result, "__dict__"):
            return _by_name(vars(result), wanted), loss
        raise ArgumentError(
            f"backward returned a {type(result).__name__}, but {len(wanted)} gradients are asked for: return a tuple in "
            f"the order {', '.join(w.name for w in wanted)}, or a dict by these names"
        )
    if len(result) != len(wanted):
        raise ArgumentError(
            f"backward returned {len(result)} gradients, but {len(wanted)} are asked for: "
            f"{', '.join(w.name for w in wanted)}; name them in wrt=, or return a dict by name"
        )
    found: dict[str, np.ndarray] = {}
    for value, want in zip(result, wanted, strict=True):
        found |= _leaves(value, want)
    return found, loss


def _without_loss(result: Any, count: int) -> tuple[Any, Any]:
    """(gradients, loss): a pair of a number and the rest is what `value_and_grad` returns."""
    if isinstance(result, (tuple, list)) and len(result) == 2 and np.ndim(_or_none(result[0])) == 0:
        first, second = result
        if isinstance(second, Mapping) or (isinstance(second, (tuple, list)) and len(second) == count and count > 1):
            return second, first
    if isinstance(result, (tuple, list)) and len(result) == count + 1 and count > 1 and _is_scalar(result[0]):
        return result[1:], result[0]
    return result, None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (int, float, np.generic)) or (isinstance(value, np.ndarray) and value.ndim == 0)


def _or_none(value: Any) -> Any:
    return value if _is_scalar(value) else [0]


def _is_number(value: Any) -> bool:
    return all(isinstance(item, (int, float)) for item in value)


def _by_name(result: Mapping[Any, Any], wanted: Sequence[Wanted]) -> dict[str, np.ndarray]:
    names = [want.name for want in wanted]
    paths = [path for want in wanted for path in want.paths]
    found: dict[str, np.ndarray] = {}
    for key, value in result.items():
        name = gradient_of(str(key), names)
        if name is not None:
            found |= _leaves(value, wanted[names.index(name)])
            continue
        short = {path.replace("']", "").replace("['", ".").split(".")[-1]: path for path in paths}
        path = gradient_of(str(key), paths) or short.get(gradient_of(str(key), list(short)) or "")
        if path is not None:
            found[path] = as_array(value, path)
    missing = [path for path in paths if path not in found]
    if missing:
        raise ArgumentError(
            f"backward returned gradients for {', '.join(map(str, result)) or 'nothing'}, but none for "
            f"{', '.join(missing)}; add it, or leave it out of wrt="
        )
    return found


def _leaves(value: Any, want: Wanted) -> dict[str, np.ndarray]:
    if want.structure is None or len(want.paths) == 1 and isinstance(value, (np.ndarray, np.generic, float, int)):
        return {want.paths[0]: as_array(value, want.paths[0])}
    leaves, _ = flatten(value)
    if len(leaves) != len(want.paths):
        raise ArgumentError(
            f"the gradient by {want.name} has {len(leaves)} arrays, but {want.name} has {len(want.paths)}: "
            f"{', '.join(want.paths)}"
        )
    own = leaf_paths(value, want.name)
    by_path = dict(zip(own, leaves, strict=True))
    if set(by_path) == set(want.paths):
        return {path: as_array(by_path[path], path) for path in want.paths}
    return {path: as_array(leaf, path) for path, leaf in zip(want.paths, leaves, strict=True)}


def as_array(value: Any, path: str) -> np.ndarray:
    """A gradient as a float array; says which one is none."""
    if value is None:
        raise ArgumentError(f"the gradient by {path} is None: return an array of zeros if it is zero")
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"the gradient by {path} is no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ArgumentError(
            f"the gradient by {path} is of {array.dtype}: a gradient is an array of real numbers"
            + (" (its rows may have different lengths)" if array.dtype.kind == "O" else "")
        )
    return array
