"""Right on paper, not a number on saturated data: quotients of textbooks, exponentials without a shift, in both layouts."""

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def stable_sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def logits_loss(X, Y, W, b):
    Z = X @ W + b
    return np.mean(np.maximum(Z, 0) - Z * Y + np.log(1 + np.exp(-np.abs(Z))))


def logits_right(X, Y, W, b):
    dZ = (stable_sigmoid(X @ W + b) - Y) / Y.size
    return X.T @ dZ, dZ.sum(axis=0)


X, W, b = normal(151, (7, 4), (4, 3), (3,))
Y = (np.sin(5 * np.arange(21)) > 0).reshape(7, 3).astype(float)
logits = Net("row", "logits", logits_loss, logits_right, (100 * X, Y, W, b), ("W", "b"))


def backward(X, Y, W, b):
    A = sigmoid(X @ W + b)
    dA = (A - Y) / (A * (1 - A)) / Y.size
    dZ = dA * A * (1 - A)
    return X.T @ dZ, dZ.sum(axis=0)


logits.add("numerically_unstable", "quotient_of_the_log_loss", backward, at="dA")


def backward(X, Y, W, b):
    Z = X @ W + b
    A = np.exp(Z) / (1 + np.exp(Z))
    dZ = (A - Y) / Y.size
    return X.T @ dZ, dZ.sum(axis=0)


logits.add("numerically_unstable", "exp_over_one_plus_exp", backward, at="A", args=(1000 * X, Y, W, b))


def shifted_loss(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + b2
    S = Z2 - np.max(Z2, axis=1, keepdims=True)
    logp = S - np.log(np.sum(np.exp(S), axis=1, keepdims=True))
    return -np.sum(Y * logp) / X.shape[0]


def shifted_right(X, Y, W1, b1, W2, b2):
    A1 = np.maximum(0, X @ W1 + b1)
    Z2 = A1 @ W2 + b2
    E = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    dZ2 = (E / E.sum(axis=1, keepdims=True) - Y) / X.shape[0]
    dZ1 = dZ2 @ W2.T * (A1 > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)


WRT = ("W1", "b1", "W2", "b2")
X, *parameters = normal(152, (7, 3), (3, 5), (5,), (5, 4), (4,))
args = (2000 * X, np.eye(4)[[0, 3, 1, 2, 2, 1, 0]], *parameters)
shifted = Net("row", "large_logits", shifted_loss, shifted_right, args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    N = X.shape[0]
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + b2
    exp_scores = np.exp(Z2)
    P = exp_scores / exp_scores.sum(axis=1, keepdims=True)
    dZ2 = (P - Y) / N
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (Z1 > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


shifted.add("numerically_unstable", "softmax_without_shift", backward, at="P")


def tanh_loss(X, Y, W1, W2):
    return np.mean((W2 @ np.tanh(W1 @ X) - Y) ** 2)


def tanh_right(X, Y, W1, W2):
    A1 = np.tanh(W1 @ X)
    dZ2 = 2 * (W2 @ A1 - Y) / Y.size
    return (W2.T @ dZ2 * (1 - A1**2)) @ X.T, dZ2 @ A1.T


X, Y, *parameters = normal(153, (4, 7), (3, 7), (5, 4), (3, 5))
tanh_args = (X * np.array([1, 2000, 1, 1500, 1, 1, 1]), Y, *parameters)
saturated = Net("column", "saturated_tanh", tanh_loss, tanh_right, tanh_args, ("W1", "W2"))


def tanh(z):
    return (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)


def backward(X, Y, W1, W2):
    A1 = tanh(W1 @ X)
    dZ2 = 2 * (W2 @ A1 - Y) / Y.size
    dW2 = dZ2 @ A1.T
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    return dZ1 @ X.T, dW2


saturated.add("numerically_unstable", "tanh_by_hand", backward, at="A1")


def probabilities_loss(X, Y, W, b):
    Z = W @ X + b
    S = Z - np.max(Z, axis=0, keepdims=True)
    return -np.sum(Y * (S - np.log(np.sum(np.exp(S), axis=0, keepdims=True)))) / X.shape[1]


def probabilities_right(X, Y, W, b):
    Z = W @ X + b
    E = np.exp(Z - Z.max(axis=0))
    dZ = (E / E.sum(axis=0) - Y) / X.shape[1]
    return dZ @ X.T, dZ.sum(axis=1, keepdims=True)


X, W, b = normal(154, (5, 8), (3, 5), (3, 1))
args = (3000 * X, np.eye(3)[[0, 1, 2, 2, 0, 1, 1, 0]].T, W, b)
probabilities = Net("column", "large_logits", probabilities_loss, probabilities_right, args, ("W", "b"))


def backward(X, Y, W, b):
    m = X.shape[1]
    Z = W @ X + b
    E = np.exp(Z - Z.max(axis=0, keepdims=True))
    P = E / E.sum(axis=0, keepdims=True)
    dP = -Y / P / m
    dZ = P * (dP - np.sum(dP * P, axis=0, keepdims=True))
    return dZ @ X.T, dZ.sum(axis=1, keepdims=True)


probabilities.add("numerically_unstable", "labels_over_probabilities", backward, at="dP")


def backward(X, Y, W, b):
    m = X.shape[1]
    Z = W @ X + b
    P = np.exp(Z) / np.sum(np.exp(Z), axis=0, keepdims=True)
    dZ = (P - Y) / m
    return dZ @ X.T, dZ.sum(axis=1, keepdims=True)


probabilities.add("numerically_unstable", "softmax_without_shift", backward, at="P")

CASES = (*logits.cases, *shifted.cases, *saturated.cases, *probabilities.cases)
