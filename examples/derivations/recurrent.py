"""A recurrent network: the same tanh cell at every time step, each step fed by the state of the one before.

What is shared: U, W, b, V, c by all steps. The gradient of each is a sum over the steps, the states of the forward pass
times the cotangents of the backward pass: dW = sum over t of h[t-1].T @ da[t].

Look for: dh[t] collecting two contributions, from the output of its own step and from the next step, da[t+1] @ W.T;
the walk from the last step to the first, one factor W.T and one factor 1 - h**2 for every step in between.
"""

import numpy as np

import chainrule as cr


def loss(x, y, h, U, W, b, V, c):
    """Half the squared error of every step's output, summed over the steps, the mean over N sequences.

    x and y have an array for each step, with a row for each sequence; h is the state to begin with.
    """
    N = h.shape[0]
    L = 0.0
    for x_t, y_t in zip(x, y, strict=True):
        a = x_t @ U + h @ W + b
        h = np.tanh(a)
        o = h @ V + c
        L = L + np.sum((o - y_t) ** 2) / (2 * N)
    return L


def example():
    """Four steps of three sequences; two inputs, four units, one output."""
    random = np.random.default_rng(8)
    return {
        "x": list(random.normal(size=(4, 3, 2))),
        "y": list(random.normal(size=(4, 3, 1))),
        "h": random.normal(size=(3, 4)) / 2,
        "U": random.normal(size=(2, 4)),
        "W": random.normal(size=(4, 4)) / 2,
        "b": random.normal(size=4) / 4,
        "V": random.normal(size=(4, 1)),
        "c": random.normal(size=1),
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
