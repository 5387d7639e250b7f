"""Two dense layers with the samples in rows: X @ W + b, relu, softmax with cross-entropy.

What is shared: every sample meets the same W1, b1, W2, b2, so their gradients sum over the N rows. For a weight the sum
is inside the product A1.T @ dZ2, for a bias it is the sum over axis 0 that undoes the broadcast.

Look for: the quotient of exponentials and the logarithm collapsing into dZ2 = (P - Y) / N, where 1/N enters once and is
then carried along; the transposes in A1.T @ dZ2 and dZ2 @ W2.T; the mask Z1 > 0 that relu leaves behind.
"""

import numpy as np

import chainrule as cr


def softmax(Z):
    """Each row of Z as probabilities."""
    E = np.exp(Z)
    return E / np.sum(E, axis=1, keepdims=True)


def loss(X, y, W1, b1, W2, b2):
    """Cross-entropy, the mean over N samples; y has a class number for each."""
    N = X.shape[0]
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + b2
    P = softmax(Z2)
    Y = np.eye(W2.shape[1])[y]
    return -np.sum(Y * np.log(P)) / N


def example():
    """Six samples of four features, five hidden units, three classes."""
    random = np.random.default_rng(1)
    return {
        "X": random.normal(size=(6, 4)),
        "y": np.array([0, 2, 1, 1, 0, 2]),
        "W1": random.normal(size=(4, 5)) / 2,
        "b1": random.normal(size=5) / 4,
        "W2": random.normal(size=(5, 3)) / 2,
        "b2": random.normal(size=3) / 4,
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
