"""A convolution of images with several channels: the kernel of a convolutional layer slides over height and width.

What is shared: the same kernel K at every place of the image, for every image. dK[u, v] sums over all of them: the
correlation of the input, moved by (u, v), with the cotangent of the output.

Look for: the same two formulas as for signals, with one more index. For each (u, v) of the kernel a window of X goes
forward through K[u, v], and dZ @ K[u, v].T comes back into that window of dX.
"""

import numpy as np

import chainrule as cr


def convolve(X, K, b):
    """Z[n, p, q] = b + sum over u and v of X[n, p + u, q + v] @ K[u, v]; no padding."""
    height, width = K.shape[:2]
    P = X.shape[1] - height + 1
    Q = X.shape[2] - width + 1
    Z = b
    for u in range(height):
        for v in range(width):
            window = X[:, u : u + P, v : v + Q]
            Z = Z + window @ K[u, v]
    return Z


def loss(X, Y, K, b):
    """Half the squared error of relu(X * K + b), the mean over N images."""
    N = X.shape[0]
    Z = convolve(X, K, b)
    A = np.maximum(0, Z)
    return np.sum((A - Y) ** 2) / (2 * N)


def example():
    """Three images of 5 by 6 with two channels; a kernel of 2 by 3 into three channels."""
    random = np.random.default_rng(5)
    return {
        "X": random.normal(size=(3, 5, 6, 2)),
        "Y": random.normal(size=(3, 4, 4, 3)),
        "K": random.normal(size=(2, 3, 2, 3)) / 2,
        "b": random.normal(size=3) / 4,
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
