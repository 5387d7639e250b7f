"""Two dense layers with the samples in columns: W @ A + b, sigmoid, binary cross-entropy, the mean over m samples.

What is shared: every column meets the same W and b, so dW2 = dZ2 @ A1.T sums over the m columns, and db2 sums over axis 1
and keeps it, for b2 is a column itself.

Look for: everything transposed compared with samples in rows (the weights stand on the left, W2.T @ dZ2 goes back); the
two quotients of binary cross-entropy and A2 * (1 - A2) cancelling to dZ2 = (A2 - y) / m.
"""

import numpy as np

import chainrule as cr


def sigmoid(Z):
    """The logistic function."""
    return 1 / (1 + np.exp(-Z))


def loss(X, y, W1, b1, W2, b2):
    """Binary cross-entropy, the mean over m samples."""
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = sigmoid(Z1)
    Z2 = W2 @ A1 + b2
    A2 = sigmoid(Z2)
    return -np.sum(y * np.log(A2) + (1 - y) * np.log(1 - A2)) / m


def example():
    """Six samples of three features, four hidden units, one output."""
    random = np.random.default_rng(2)
    return {
        "X": random.normal(size=(3, 6)),
        "y": np.array([[1, 0, 0, 1, 1, 0]]),
        "W1": random.normal(size=(4, 3)),
        "b1": random.normal(size=(4, 1)) / 4,
        "W2": random.normal(size=(1, 4)),
        "b2": random.normal(size=(1, 1)) / 4,
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
