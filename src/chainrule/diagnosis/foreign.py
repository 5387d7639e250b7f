"""A `torch.autograd.Function` as a backward pass in NumPy: applied to tensors, its gradients taken by torch.

torch is imported only if such a class was handed in, so it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError


def is_torch_function(backward: Any) -> bool:
    """Whether it is a class that torch differentiates by its own `backward`."""
    return isinstance(backward, type) and any(
        base.__module__.startswith("torch.autograd") and base.__name__ == "Function" for base in backward.__mro__
    )


def from_torch(function_class: Any, wrt: Sequence[int]) -> Callable[..., tuple[np.ndarray, ...]]:
    """A backward pass that applies the class to tensors and returns the gradients by the arguments at `wrt`."""

    def backward(*args: Any) -> tuple[np.ndarray, ...]:
        import torch  # type: ignore[import-not-found,unused-ignore]

        tensors = [torch.as_tensor(np.array(a)) if isinstance(a, (np.ndarray, np.generic, float)) else a for a in args]
        for place in wrt:
            tensors[place] = tensors[place].clone().requires_grad_(True)
        value = function_class.apply(*tensors)
        if not isinstance(value, torch.Tensor) or value.ndim:
            raise ArgumentError(
                f"{function_class.__name__} returned {getattr(value, 'shape', type(value).__name__)}; check_backward needs one "
                "number: wrap it in a Function that sums it against a cotangent"
            )
        value.backward()
        return tuple(
            np.zeros(tuple(tensors[p].shape)) if tensors[p].grad is None else tensors[p].grad.numpy() for p in wrt
        )

    backward.__name__ = function_class.__name__
    return backward
