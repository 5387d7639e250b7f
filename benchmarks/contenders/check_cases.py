"""The loss whose gradient is checked: a network's softmax cross-entropy in float64; its sizes, and the same arguments for all.

>>> [a.shape for a in arguments("64-128-128-10", 32)[:4]]
[(64, 128), (128,), (128, 128), (128,)]
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

CASES = {"64-128-128-10, N=32": ("64-128-128-10", 32), "20-16-10, N=32": ("20-16-10", 32)}


def arguments(sizes: str, rows: int) -> tuple[Any, ...]:
    """Weights and biases layer by layer, then the inputs and the class numbers."""
    rng = np.random.default_rng(0)
    widths = [int(size) for size in sizes.split("-")]
    weights: list[Any] = []
    for n_in, n_out in itertools.pairwise(widths):
        weights += [rng.normal(size=(n_in, n_out)) * np.sqrt(2 / n_in), rng.normal(size=n_out) * 0.1]
    return (*weights, rng.normal(size=(rows, widths[0])), rng.integers(0, widths[-1], rows))
