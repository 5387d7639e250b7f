"""The five posts' systems in the layout that the post does not use, and the second post's network at any depth.

What has its samples in rows there has them in columns here, and the other way round; `transposed` turns the arguments.
"""

import numpy as np


def sigmoid(Z):
    """The logistic function."""
    return 1 / (1 + np.exp(-Z))


def softmax(Z, axis):
    """Exponentials over their sum."""
    E = np.exp(Z)
    return E / np.sum(E, axis=axis, keepdims=True)


def s1_columns(X1, y, W1, b1, W2, b2, W3, b3):
    """The first post's network with its samples in columns."""
    Z1 = W1 @ X1 + b1
    X2 = np.maximum(0, Z1)
    Z2 = W2 @ X2 + b2
    X3 = np.maximum(0, Z2)
    Z3 = W3 @ X3 + b3
    o = softmax(Z3, axis=0)
    return -np.sum(y * np.log(o))


def s2_rows(X, Y, W1, B1, W2, B2):
    """The second post's network with its samples in rows."""
    N = X.shape[0]
    Z1 = X @ W1 + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + B2
    A2 = sigmoid(Z2)
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / N


def s2_observations(X, Y, W1, B1, W2, B2):
    """The costs of all observations, added: column i of dZ and dA is then what observation i alone sends back."""
    Z1 = W1 @ X + B1
    A1 = np.maximum(0, Z1)
    Z2 = W2 @ A1 + B2
    A2 = sigmoid(Z2)
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))


def relu(Z):
    """Zero below zero."""
    return np.maximum(0, Z)


activations = (relu, np.tanh, relu, sigmoid)


def s2_deep(X, Y, W, B):
    """The second post's network, as deep as there are weights."""
    N = X.shape[1]
    A = X
    for W_l, B_l, g_l in zip(W, B, activations, strict=True):
        Z = W_l @ A + B_l
        A = g_l(Z)
    return -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / N


def s2_deep_rows(X, Y, W, B):
    """The same with its samples in rows."""
    N = X.shape[0]
    A = X
    for W_l, B_l, g_l in zip(W, B, activations, strict=True):
        Z = A @ W_l + B_l
        A = g_l(Z)
    return -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / N


def s3_rows(x, y, w2, b2, w3, b3, w4, b4):
    """The third post's 2-4-4-3 network with its samples in rows."""
    z2 = x @ w2 + b2
    a2 = sigmoid(z2)
    z3 = a2 @ w3 + b3
    a3 = sigmoid(z3)
    z4 = a3 @ w4 + b4
    a4 = sigmoid(z4)
    return np.mean(np.sum((a4 - y) ** 2, axis=1) / 2)


def s4_rows(X, y, W1, B1, W2, B2, W3, B3):
    """The fourth post's network with its samples in rows."""
    m = X.shape[0]
    Z1 = X @ W1 + B1
    A1 = sigmoid(Z1)
    Z2 = A1 @ W2 + B2
    A2 = sigmoid(Z2)
    Z3 = A2 @ W3 + B3
    A3 = sigmoid(Z3)
    return -np.sum(y * np.log(A3) + (1 - y) * np.log(1 - A3)) / m


def s5_columns(x, y, w1, b1, w2, b2):
    """The fifth post's network with its samples in columns."""
    N = x.shape[1]
    u1 = w1 @ x + b1
    u2 = np.maximum(0, u1)
    u3 = w2 @ u2 + b2
    u4 = y - u3
    u5 = u4**2
    return np.sum(u5) / N


def warm_up(x):
    """The fifth post's first example."""
    u = 7 + x**2
    y = 3 * u
    return y


deep = {
    "X": np.array([[0.909, 0.653, 1.679], [0.751, -0.651, 0.477], [-0.026, -1.829, -2.066]]),
    "Y": np.array([[1.0, 1.0, 0.0]]),
    "W": [
        np.array([[-0.611, 0.178, 0.106], [-0.358, -0.25, -0.385], [0.197, 0.27, -0.697], [0.766, -0.128, 0.741]]),
        np.array([[-0.16, -0.272, 0.609, 1.398], [0.059, -0.177, 0.271, 0.42], [-0.3, 0.329, -0.277, 0.472]]),
        np.array([[-0.316, 0.352, -0.447], [-0.14, -1.004, 0.231]]),
        np.array([[1.712, 0.3]]),
    ],
    "B": [
        np.array([[-0.311], [-0.365], [0.294], [-0.243]]),
        np.array([[-0.103], [0.589], [0.018]]),
        np.array([[-0.107], [-0.235]]),
        np.array([[0.397]]),
    ],
}


def transposed(arguments):
    """Arguments in the other layout; a bias of one axis becomes a column, a bias that is a column loses an axis."""
    turned = {}
    for name, value in arguments.items():
        if isinstance(value, list):
            turned[name] = list(transposed({f"{name}{i}": item for i, item in enumerate(value)}).values())
        elif name[0] in "bB":
            turned[name] = value[:, None] if value.ndim == 1 else value[:, 0]
        else:
            turned[name] = value.T.copy()
    return turned
