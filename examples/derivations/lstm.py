"""A long short-term memory: a cell with four gates that keeps, writes and reads its state, over several time steps.

What is shared: the weights of the four gates by all steps, so each gradient is a sum over the steps; and hx, the state
beside the input, by the four gates of a step, so its cotangent is a sum over the gates.

Look for: the way back along the cell state, where dc of a step passes to the step before by the factor f alone, with no
weight matrix in between: that is why it remembers. A gate's cotangent is dc (for o it is dh) times what the gate was
multiplied with; its pre-activation's has the gate's own slope besides, f * (1 - f), and 1 - c_new**2 for c_new.
"""

import numpy as np

import chainrule as cr


def sigmoid(z):
    """The logistic function."""
    return 1 / (1 + np.exp(-z))


def loss(x, y, h, c, W_f, b_f, W_i, b_i, W_c, b_c, W_o, b_o):
    """Half the squared error of the last state, the mean over N sequences.

    x has an array for each step, with a row for each sequence; h and c are the states to begin with.
    """
    N = h.shape[0]
    for x_t in x:
        hx = np.concatenate([h, x_t], axis=1)
        z_f, z_i = hx @ W_f + b_f, hx @ W_i + b_i
        z_c, z_o = hx @ W_c + b_c, hx @ W_o + b_o
        f, i, o = sigmoid(z_f), sigmoid(z_i), sigmoid(z_o)
        c_new = np.tanh(z_c)
        c = f * c + i * c_new
        h = o * np.tanh(c)
    return np.sum((h - y) ** 2) / (2 * N)


def example():
    """Three steps of four sequences; two inputs, three units."""
    random = np.random.default_rng(9)
    arguments = {
        "x": list(random.normal(size=(3, 4, 2))),
        "y": random.normal(size=(4, 3)),
        "h": random.normal(size=(4, 3)) / 2,
        "c": random.normal(size=(4, 3)) / 2,
    }
    for gate in "fico":
        arguments |= {f"W_{gate}": random.normal(size=(5, 3)), f"b_{gate}": random.normal(size=3) / 4}
    return arguments


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
