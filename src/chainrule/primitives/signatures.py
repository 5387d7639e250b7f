"""What NumPy's signatures have in common: arguments that were given or not, and how one that cannot be traced is refused.

>>> MISSING is np._NoValue
True
>>> given(MISSING), given(None), given(True)
(False, False, True)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text

MISSING: Any = np._NoValue  # type: ignore[attr-defined]


def given(argument: Any) -> bool:
    """Whether an argument was given: not left out, and not None."""
    return argument is not MISSING and argument is not None


def kept(keepdims: Any) -> bool:
    """`keepdims` as a truth value; left out it is False."""
    return keepdims is not MISSING and bool(keepdims)


def refuse(name: str, instead: str, **arguments: Any) -> None:
    """Raise UnsupportedError if one of the arguments was given: which one, where, and what to write instead."""
    for argument, value in arguments.items():
        if given(value):
            raise UnsupportedError(f"{name}(..., {argument}=) cannot be traced; {place_text()}. Write {instead}.")


def refuse_dtype(name: str, dtype: Any, own: Any) -> None:
    """Raise UnsupportedError if another dtype than the result's own one is asked for."""
    if given(dtype) and np.dtype(dtype) != own:
        raise UnsupportedError(
            f"{name}(..., dtype={np.dtype(dtype)}) of {own} cannot be traced; {place_text()}. "
            f"Write {name}(x.astype(...), ...)."
        )


def as_array(x: Any) -> Any:
    """`x` if it has axes of its own (traced or an array), else the array of it."""
    return x if hasattr(x, "ndim") else np.asarray(x)
