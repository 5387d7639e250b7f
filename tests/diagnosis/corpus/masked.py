"""Dropout, padding, clipping and activations with two sides: masks that have to stand on the way back as well."""

import numpy as np

from diagnosis.corpus.case import Net, normal


def dropout_loss(X, Y, mask, W1, b1, W2, b2):
    keep_prob = 0.8
    A1 = np.maximum(0, X @ W1 + b1)
    D1 = A1 * mask / keep_prob
    out = D1 @ W2 + b2
    return np.sum((out - Y) ** 2) / X.shape[0]


def dropout_right(X, Y, mask, W1, b1, W2, b2):
    A1 = np.maximum(0, X @ W1 + b1)
    D1 = A1 * mask / 0.8
    dout = 2 * (D1 @ W2 + b2 - Y) / X.shape[0]
    dZ1 = dout @ W2.T * mask / 0.8 * (A1 > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), D1.T @ dout, dout.sum(axis=0)


WRT = ("W1", "b1", "W2", "b2")
X, Y, *parameters = normal(101, (7, 4), (7, 3), (4, 6), (6,), (6, 3), (3,))
mask = (np.random.default_rng(1).random((7, 6)) < 0.8).astype(float)
dropout = Net("row", "dropout", dropout_loss, dropout_right, (X, Y, mask, *parameters), WRT)


def backward(X, Y, mask, W1, b1, W2, b2):
    N = X.shape[0]
    A1 = np.maximum(0, X @ W1 + b1)
    D1 = A1 * mask / 0.8
    dout = 2 * (D1 @ W2 + b2 - Y) / N
    dW2 = D1.T @ dout
    db2 = dout.sum(axis=0)
    dA1 = dout @ W2.T / 0.8
    dZ1 = dA1 * (A1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


dropout.add("mask_not_applied", "scaled_only", backward, at="dA1")


def backward(X, Y, mask, W1, b1, W2, b2):
    N = X.shape[0]
    A1 = np.maximum(0, X @ W1 + b1)
    D1 = A1 * mask / 0.8
    dout = 2 * (D1 @ W2 + b2 - Y) / N
    dW2 = D1.T @ dout
    db2 = dout.sum(axis=0)
    dA1 = dout @ W2.T * mask
    dZ1 = dA1 * (A1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


dropout.add("factor:0.8", "keep_prob", backward, at="dA1")


def backward(X, Y, mask, W1, b1, W2, b2):
    N, keep_prob = X.shape[0], 0.8
    A1 = np.maximum(0, X @ W1 + b1)
    D1 = A1 * mask / keep_prob
    dout = 2 * (D1 @ W2 + b2 - Y) / N
    dW2 = D1.T @ dout
    db2 = dout.sum(axis=0)
    dA1 = dout @ W2.T * (1 - mask) / keep_prob
    dZ1 = dA1 * (A1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


dropout.add("mask_wrong_side", "dropped_units", backward, at="dA1")


def backward(X, Y, mask, W1, b1, W2, b2):
    N, keep_prob = X.shape[0], 0.8
    A1 = np.maximum(0, X @ W1 + b1)
    dout = 2 * (A1 @ W2 + b2 - Y) / N
    dW2 = A1.T @ dout
    db2 = dout.sum(axis=0)
    dA1 = dout @ W2.T * mask / keep_prob
    dZ1 = dA1 * (A1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


dropout.add("forward_mismatch", "evaluation_mode", backward, at="dout")


def leaky_loss(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.1 * Z1)
    Z2 = W2 @ A1 + b2
    return np.sum((Z2 - Y) ** 2) / (2 * X.shape[1])


def leaky_right(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.1 * Z1)
    dZ2 = (W2 @ A1 + b2 - Y) / X.shape[1]
    dZ1 = W2.T @ dZ2 * np.where(Z1 > 0, 1, 0.1)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


args = normal(102, (4, 7), (3, 7), (6, 4), (6, 1), (3, 6), (3, 1))
leaky = Net("column", "leaky_relu", leaky_loss, leaky_right, args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.1 * Z1)
    dZ2 = (W2 @ A1 + b2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * np.where(Z1 < 0, 1, 0.1)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


leaky.add("mask_wrong_side", "slopes_exchanged", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.1 * Z1)
    dZ2 = (W2 @ A1 + b2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = np.array(dA1, copy=True)
    dZ1[Z1 <= 0] = 0
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


leaky.add("wrong_activation", "plain_relu", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.01 * Z1)
    dZ2 = (W2 @ A1 + b2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = np.where(Z1 > 0, dA1, 0.01 * dA1)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


leaky.add("forward_mismatch", "another_slope", backward, at="dZ2")


def padded_loss(X, lengths, Y, W1, b1, W2, b2):
    mask = (np.arange(9) < lengths[:, None]).astype(float).reshape(1, -1)
    A1 = np.tanh(W1 @ X + b1)
    Z2 = W2 @ A1 + b2
    return np.sum((Z2 - Y) ** 2 * mask) / np.sum(mask)


def padded_right(X, lengths, Y, W1, b1, W2, b2):
    mask = (np.arange(9) < lengths[:, None]).reshape(1, -1)
    A1 = np.tanh(W1 @ X + b1)
    dZ2 = 2 * (W2 @ A1 + b2 - Y) * mask / mask.sum()
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


X, Y, *parameters = normal(103, (4, 27), (3, 27), (6, 4), (6, 1), (3, 6), (3, 1))
padded = Net("column", "padding", padded_loss, padded_right, (X, np.array([9, 4, 6]), Y, *parameters), WRT)


def backward(X, lengths, Y, W1, b1, W2, b2):
    A1 = np.tanh(W1 @ X + b1)
    dZ2 = 2 * (W2 @ A1 + b2 - Y) / lengths.sum()
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


padded.add("mask_not_applied", "padding", backward, at="dZ2")


def backward(X, lengths, Y, W1, b1, W2, b2):
    positions = np.tile(np.arange(9), len(lengths))
    pad = positions < np.repeat(lengths, 9)
    A1 = np.tanh(W1 @ X + b1)
    dZ2 = 2 * (W2 @ A1 + b2 - Y) / pad.sum()
    dZ2[:, pad] = 0
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


padded.add("mask_wrong_side", "padding_kept", backward, at="dZ2")


def clipped_loss(X, y, w, b):
    p = np.clip(X @ w + b, 0.0, 1.0)
    return np.mean((p - y) ** 2)


def clipped_right(X, y, w, b):
    z = X @ w + b
    dz = 2 * (np.clip(z, 0, 1) - y) / len(y) * ((z > 0) & (z < 1))
    return X.T @ dz, dz.sum()


X, w = normal(104, (11, 3), (3,))
clipped = Net("row", "clip", clipped_loss, clipped_right, (X, (X[:, 0] > 0).astype(float), w, 0.4), ("w", "b"))


def backward(X, y, w, b):
    p = np.clip(X @ w + b, 0.0, 1.0)
    dp = 2 * (p - y) / len(y)
    dw = X.T @ dp
    db = dp.sum()
    return dw, db


clipped.add("mask_not_applied missing_activation_derivative", "clip", backward, at="dp")


def backward(X, y, w, b):
    z = X @ w + b
    p = np.clip(z, 0.0, 1.0)
    dp = 2 * (p - y) / len(y)
    dz = dp * ((z <= 0) | (z >= 1))
    dw = X.T @ dz
    db = dz.sum()
    return dw, db


clipped.add("mask_wrong_side", "outside_of_the_bounds", backward, at="dz")


def columns_dropout_loss(X, Y, D1, W1, b1, W2, b2):
    A1 = np.maximum(0, W1 @ X + b1) * D1
    A1 = A1 / 0.5
    Z2 = W2 @ A1 + b2
    P = np.exp(Z2) / np.sum(np.exp(Z2), axis=0, keepdims=True)
    return -np.sum(Y * np.log(P)) / X.shape[1]


def columns_dropout_right(X, Y, D1, W1, b1, W2, b2):
    A1 = np.maximum(0, W1 @ X + b1) * D1 / 0.5
    P = np.exp(W2 @ A1 + b2)
    dZ2 = (P / P.sum(axis=0) - Y) / X.shape[1]
    dZ1 = W2.T @ dZ2 * D1 / 0.5 * (A1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


X, *parameters = normal(105, (4, 7), (6, 4), (6, 1), (3, 6), (3, 1))
args = (X, np.eye(3)[[0, 2, 1, 1, 0, 2, 1]].T, np.random.default_rng(3).random((6, 7)) < 0.5, *parameters)
columns = Net("column", "dropout", columns_dropout_loss, columns_dropout_right, args, WRT)


def backward(X, Y, D1, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.maximum(0, Z1) * D1 / 0.5
    exps = np.exp(np.dot(W2, A1) + b2)
    dZ2 = exps / exps.sum(axis=0, keepdims=True) - Y
    dW2 = 1.0 / m * np.dot(dZ2, A1.T)
    db2 = 1.0 / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dA1 = dA1 / 0.5
    dZ1 = np.multiply(dA1, np.int64(Z1 > 0))
    dW1 = 1.0 / m * np.dot(dZ1, X.T)
    db1 = 1.0 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


columns.add("mask_not_applied", "step_one_forgotten", backward, at="dA1")

CASES = (*dropout.cases, *leaky.cases, *padded.cases, *clipped.cases, *columns.cases)
