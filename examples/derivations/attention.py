"""Attention with a single head: each position asks (Q), is compared with all keys (K), and takes a mean of the values (V).

What is shared: W_Q, W_K, W_V by all positions; and X itself, which is used three times, so dX is a sum of three terms.

Look for: the two products that cross. dV = weights.T @ doutput and dweights = doutput @ V.T come back through the
weighted mean; dQ = dscores @ K / sqrt(d) and dK = dscores.T @ Q / sqrt(d) through the comparison. Between them stands
the Jacobian of softmax, row by row: weights * (dweights - sum(weights * dweights)), not a mask and not elementwise.
"""

import numpy as np

import chainrule as cr


def softmax(scores):
    """Each row of the scores as weights that sum to 1."""
    E = np.exp(scores)
    return E / np.sum(E, axis=1, keepdims=True)


def loss(X, Y, W_Q, W_K, W_V):
    """Half the squared error, summed over the positions."""
    d = W_K.shape[1]
    Q = X @ W_Q
    K = X @ W_K
    V = X @ W_V
    scores = Q @ K.T / np.sqrt(d)
    weights = softmax(scores)
    output = weights @ V
    return np.sum((output - Y) ** 2) / 2


def example():
    """Five positions of four features; queries and keys of three, values of two."""
    random = np.random.default_rng(7)
    return {
        "X": random.normal(size=(5, 4)),
        "Y": random.normal(size=(5, 2)),
        "W_Q": random.normal(size=(4, 3)),
        "W_K": random.normal(size=(4, 3)),
        "W_V": random.normal(size=(4, 2)),
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
