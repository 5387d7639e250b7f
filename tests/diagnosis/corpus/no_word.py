"""Backward passes for which there is no word: random numbers, gradients of other functions, the parameters themselves."""

from dataclasses import replace

import numpy as np

from diagnosis.corpus import column_logistic, losses_column, row_regression, row_relu_softmax

softmax = replace(row_relu_softmax.net, cases=[])
regression = replace(row_regression.net, cases=[])
logistic = replace(column_logistic.net, cases=[])
columns = replace(losses_column.mae, cases=[])


def backward(X, y, W1, b1, W2, b2):
    rng = np.random.default_rng(7)
    dW2 = 0.1 * rng.normal(size=W2.shape)
    db2 = 0.1 * rng.normal(size=b2.shape)
    dW1 = 0.1 * rng.normal(size=W1.shape)
    db1 = 0.1 * rng.normal(size=b1.shape)
    return dW1, db1, dW2, db2


softmax.add("unknown", "random_numbers", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    dW3 = np.cos(W3) * np.mean(Y)
    db3 = np.exp(-(b3**2))
    dW2 = np.sin(W2) + np.mean(X)
    db2 = np.abs(b2)
    dW1 = np.tanh(X.T @ X @ W1)
    db1 = b1**3
    return dW1, db1, dW2, db2, dW3, db3


regression.add("unknown", "another_function", backward, at="dW3")


def backward(X, Y, W1, b1, W2, b2):
    A1 = np.tanh(W1 @ X + b1)
    dZ2 = np.cos(W2 @ A1) + Y
    dW2 = np.sqrt(np.abs(dZ2 @ A1.T))
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dW1 = np.outer(A1.mean(axis=1), np.sin(X).max(axis=1))
    db1 = W1.max(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


logistic.add("unknown", "nothing_fits", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    rng = np.random.RandomState(3)
    grads = {}
    for name, p in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2)):
        grads["d" + name] = rng.randn(*p.shape) * 0.01
    return grads


columns.add("unknown", "random_numbers", backward, at="grads")

CASES = (*softmax.cases, *regression.cases, *logistic.cases, *columns.cases)
