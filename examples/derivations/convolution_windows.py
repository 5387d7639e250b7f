"""A convolution written with NumPy's sliding windows: all places of the kernel in one product of matrices.

What is shared: the kernels K at every position. What is seen several times: an entry of X stands in up to three windows, so
what comes back to it is a sum over the windows that hold it.

Look for: dX in the proof. V[n, p, u] = X[n, p + u], so dX[n, i] is the sum over u of dV[n, i - u, u], as far as there are such
windows; as arrays, windows added where they overlap.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import chainrule as cr


def loss(X, Y, K, b):
    """The squared error of relu(X * K + b), summed over positions and kernels, the mean over N signals."""
    V = sliding_window_view(X, 3, axis=1)
    Z = V @ K + b
    A = np.maximum(0, Z)
    return np.mean(np.sum((A - Y) ** 2, axis=(1, 2)))


def example():
    """Four signals of length 7; two kernels of width 3."""
    random = np.random.default_rng(5)
    return {
        "X": random.normal(size=(4, 7)),
        "Y": random.normal(size=(4, 5, 2)),
        "K": random.normal(size=(3, 2)),
        "b": random.normal(size=2) / 4,
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
