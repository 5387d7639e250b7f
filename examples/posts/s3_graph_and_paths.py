"""A graph of three operations, its paths, and a 2-4-4-3 net learning from one sample at a time.

First c = a + b, d = a b, o = c d / 2 at a = 2, b = 3: every path with its product, and what the three ways of adding
them up cost. Then the net: the gradient of each C_i, their mean, and the four equations that the post states.
"""

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient


def graph(a, b):
    """The post's graph."""
    c = a + b
    d = a * b
    o = c * d / 2
    return o


x = np.array([[-1.232, -0.007, -1.327, 0.094], [0.267, 0.502, 1.108, -1.171]])
y = np.array([[-1.525, 0.256, 0.494, 1.149], [-1.764, -0.586, -0.214, 0.853], [0.811, 0.441, -0.427, 1.433]])
w2 = np.array([[-0.96, 0.633], [-0.924, -0.385], [-0.507, -0.386], [0.838, 1.364]])
b2 = np.array([[-0.317], [0.041], [0.024], [0.026]])
w3 = np.array(
    [
        [0.451, 0.076, 0.284, 0.986],
        [-0.402, 0.44, 0.392, -0.093],
        [-0.075, -0.137, -0.315, 0.015],
        [-0.215, 0.185, -0.111, 0.22],
    ]
)
b3 = np.array([[0.298], [0.172], [-0.165], [-0.405]])
w4 = np.array([[-0.289, 0.648, -0.645, 0.762], [-0.195, -0.552, -0.766, -0.041], [0.839, 0.033, 0.001, 0.735]])
b4 = np.array([[-0.166], [-0.006], [-0.165]])
n = x.shape[1]


def F(z):
    """The activation: the post leaves the choice to the reader."""
    return 1 / (1 + np.exp(-z))


def J(x, y, w2, b2, w3, b3, w4, b4):
    """The mean over the samples (columns) of C_i = |a4 - y|^2 / 2."""
    z2 = w2 @ x + b2
    a2 = F(z2)
    z3 = w3 @ a2 + b3
    a3 = F(z3)
    z4 = w4 @ a3 + b4
    a4 = F(z4)
    return np.mean(np.sum((a4 - y) ** 2, axis=0) / 2)


names = ("w2", "b2", "w3", "b3", "w4", "b4")
parameters = (w2, b2, w3, b3, w4, b4)
value, gradients = cr.value_and_grad(J, wrt=names)(x, y, *parameters)
per_sample = cr.per_sample_grad(J, wrt=names, batched={"x": 1, "y": 1})(x, y, *parameters)


def four_equations(x, y):
    """The post's equations (4), (3), (1), (2) for one sample, a column."""
    a2 = F(w2 @ x + b2)
    a3 = F(w3 @ a2 + b3)
    a4 = F(w4 @ a3 + b4)
    delta4 = (a4 - y) * a4 * (1 - a4)
    delta3 = (w4.T @ delta4) * a3 * (1 - a3)
    delta2 = (w3.T @ delta3) * a2 * (1 - a2)
    return delta2 @ x.T, delta2, delta3 @ a2.T, delta3, delta4 @ a3.T, delta4


if __name__ == "__main__":
    print(cr.paths(graph, 2, 3))

    print(f"\nthe net: J {value:.12f}\n")
    differences = numerical_gradient(lambda *p: J(x, y, *p), parameters)
    print("gradient  shape   from differences  mean of the samples'  sample by sample, from the four equations")
    for k, name in enumerate(names):
        hand = np.stack([four_equations(x[:, [i]], y[:, [i]])[k] for i in range(n)])
        apart = [
            np.max(np.abs(left - right))
            for left, right in (
                (gradients[k], differences[k]),
                (gradients[k], np.mean(per_sample[k], axis=0)),
                (per_sample[k], hand),
            )
        ]
        print(f"d{name}       {gradients[k].shape!s:7} {apart[0]:<17.1e} {apart[1]:<21.1e} {apart[2]:.1e}")

    def C(x):
        """The cost of the first sample, entry by entry."""
        z2 = w2 @ x + b2[:, 0]
        z3 = w3 @ F(z2) + b3[:, 0]
        z4 = w4 @ F(z3) + b4[:, 0]
        C = np.sum((F(z4) - y[:, 0]) ** 2) / 2
        return C

    paths = cr.paths(C, x[:, 0], nodes=("x", "z2", "z3", "z4"))
    counts = paths.counts
    print(f"\nC by all z and inputs: {paths.numbers['x[0]']} paths from each input; products with a local derivative:")
    print(
        f"path by path {counts['path_by_path']['edge_uses']}, forward mode {counts['forward_mode']['edge_uses']}",
        end=", ",
    )
    print(f"reverse mode {counts['reverse_mode']['edge_uses']}")
