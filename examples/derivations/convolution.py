"""A convolution of signals with several channels: a kernel slides along the signal, one product for each of its places.

What is shared: the same kernel K at every position of the output. So dK[u] is a sum over samples and positions: the
correlation of the input with the cotangent of the output, X[:, u : u + P] against dZ.

Look for: one term for each place u of the kernel, in Z and in dX. Each window of X gets its dZ @ K[u].T, put back where
it was taken: where windows overlap, contributions add up. That is a convolution with the kernel turned round.
"""

import numpy as np

import chainrule as cr


def convolve(X, K, b):
    """Z[n, p] = b + sum over u of X[n, p + u] @ K[u]; no padding, so Z is shorter than X by len(K) - 1."""
    P = X.shape[1] - K.shape[0] + 1
    Z = b
    for u in range(K.shape[0]):
        window = X[:, u : u + P]
        Z = Z + window @ K[u]
    return Z


def loss(X, Y, K, b):
    """Half the squared error of relu(X * K + b), the mean over N signals."""
    N = X.shape[0]
    Z = convolve(X, K, b)
    A = np.maximum(0, Z)
    return np.sum((A - Y) ** 2) / (2 * N)


def example():
    """Four signals of length 7 with two channels; a kernel of width 3 into three channels."""
    random = np.random.default_rng(4)
    return {
        "X": random.normal(size=(4, 7, 2)),
        "Y": random.normal(size=(4, 5, 3)),
        "K": random.normal(size=(3, 2, 3)),
        "b": random.normal(size=3) / 4,
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
