"""The floor: the bare matrix products of a training step through NumPy, into buffers, and nothing else.

    python matrix_products.py digits

There are three products for each layer, but none for the gradient by the inputs. The cost of NumPy's own calls is in
here, about half a microsecond for each: a compiled step of a small network may well go below this floor.
"""

from __future__ import annotations

import itertools
import sys

import child
import numpy as np
from configurations import CONFIGURATIONS, batches, starting_point


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    configuration = CONFIGURATIONS[sys.argv[1]]
    X, y, weights = starting_point(configuration)
    sizes = list(itertools.pairwise(configuration.sizes))
    outputs = [np.empty((configuration.batch, n_out), X.dtype) for _, n_out in sizes]
    gradients = [np.empty_like(W) for W, _ in weights]
    deltas = [np.ones_like(A) for A in outputs]
    matrices = [W for W, _ in weights]

    def step(X: np.ndarray) -> None:
        inputs = [X, *outputs]
        for A, W, out in zip(inputs, matrices, outputs, strict=False):
            np.matmul(A, W, out)
        for layer in range(len(matrices) - 1, -1, -1):
            np.matmul(inputs[layer].T, deltas[layer], gradients[layer])
            if layer:
                np.matmul(deltas[layer], matrices[layer].T, deltas[layer - 1])

    def epoch() -> None:
        for rows, _ in batches(configuration, X, y):
            step(rows)

    child.serve(epoch, versions={"numpy": np.__version__})


if __name__ == "__main__":
    main()
