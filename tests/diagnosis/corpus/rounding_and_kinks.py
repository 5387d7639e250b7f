"""Right but for rounding in float32, right but for a kink that is hit exactly, and wrong in spite of either.

Integers make the pre-activations of the kink cases exactly 0. By convention a slope at a kink is 0 for relu and abs, and
the lower slope for leaky relu; a backward pass with the other slope is no mistake.
"""

from dataclasses import replace

import numpy as np

from diagnosis.corpus import column_logistic, losses_column, masked, recurrent, row_regression, row_relu_softmax
from diagnosis.corpus.case import Net


def single(args):
    return tuple(a.astype(np.float32) if getattr(a, "dtype", None) == np.float64 else a for a in args)


softmax = replace(row_relu_softmax.net, args=single(row_relu_softmax.net.args), name="relu_softmax_float32", cases=[])
regression = replace(row_regression.net, args=single(row_regression.net.args), name="mse_float32", cases=[])
sequence = replace(recurrent.sequence, args=single(recurrent.sequence.args), name="rnn_float32", cases=[])
logistic = replace(column_logistic.net, args=single(column_logistic.net.args), name="logistic_float32", cases=[])
leaky = replace(masked.leaky, args=single(masked.leaky.args), name="leaky_relu_float32", cases=[])
distilled = replace(losses_column.kl, args=single(losses_column.kl.args), name="distillation_float32", cases=[])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    probs = np.exp(hidden @ W2 + b2)
    probs /= probs.sum(axis=1, keepdims=True)
    dscores = probs
    dscores[np.arange(N), y] -= 1
    dscores /= N
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    return X.T @ dhidden, dhidden.sum(axis=0), hidden.T @ dscores, dscores.sum(axis=0)


softmax.add("float32_noise_only correct", "as_usual", backward)


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    probs = np.exp(hidden @ W2 + b2)
    probs /= probs.sum(axis=1, keepdims=True)
    dscores = probs
    dscores[np.arange(N), y] -= 1
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    return X.T @ dhidden, dhidden.sum(axis=0), hidden.T @ dscores, dscores.sum(axis=0)


softmax.add("missing_mean", "all_of_it", backward, at="dscores")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    _Z1, A1, _Z2, A2, pred = row_regression.forward(X, W1, b1, W2, b2, W3, b3)
    dpred = (pred - Y) * np.float32(2 / Y.size)
    dW3, db3 = A2.T @ dpred, np.sum(dpred, axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, np.sum(dZ2, axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, np.sum(dZ1, axis=0)
    return dW1, db1, dW2, db2, dW3, db3


regression.add("float32_noise_only correct", "as_usual", backward)


def backward(X, Y, Wx, Wh, b, V):
    X64, Wx64, Wh64 = X.astype(float), Wx.astype(float), Wh.astype(float)
    states = recurrent.sequence_forward(X64, Wx64, Wh64, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    dWx, dWh, db = np.zeros(Wx.shape), np.zeros(Wh.shape), np.zeros(b.shape)
    dh = dout @ V.T
    for t in reversed(range(X.shape[1])):
        dz = dh * (1 - states[t + 1] ** 2)
        dWx += X64[:, t].T @ dz
        dWh += states[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ Wh64.T
    return tuple(g.astype(np.float32) for g in (dWx, dWh, db, states[-1].T @ dout))


sequence.add("float32_noise_only correct", "worked_out_in_float64", backward)


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dA2 = -(np.divide(Y, A2) - np.divide(1 - Y, 1 - A2))
    dZ2 = dA2 * A2 * (1 - A2)
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1, dW2 = np.dot(dZ1, X.T) / m, np.dot(dZ2, A1.T) / m
    return {"dW1": dW1, "db1": np.mean(dZ1, 1, keepdims=True), "dW2": dW2, "db2": np.mean(dZ2, 1, keepdims=True)}


logistic.add("float32_noise_only correct", "long_way_round", backward)


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dZ1 = np.dot(W2.T, dZ2)
    dW1, dW2 = np.dot(dZ1, X.T) / m, np.dot(dZ2, A1.T) / m
    return {"dW1": dW1, "db1": np.mean(dZ1, 1, keepdims=True), "dW2": dW2, "db2": np.mean(dZ2, 1, keepdims=True)}


logistic.add("missing_activation_derivative", "hidden_layer", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.float32(0.1) * Z1)
    dZ2 = (W2 @ A1 + b2 - Y) / X.shape[1]
    dZ1 = W2.T @ dZ2
    dZ1[Z1 <= 0] *= 0.1
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


leaky.add("float32_noise_only correct", "in_place", backward)


def backward(X, T, W1, W2):
    H = np.tanh(W1 @ X)
    E = np.exp(W2 @ H / 2)
    dS = (E / E.sum(axis=0) - T) / (2 * X.shape[1])
    return (W2.T @ dS * (1 - H**2)) @ X.T, dS @ H.T


distilled.add("float32_noise_only correct", "as_usual", backward)

WRT = ("W1", "b1", "W2", "b2")
rows = np.array([[1.0, 2.0, -1.0], [2.0, 0.0, 1.0], [-1.0, 1.0, 3.0], [0.0, 1.0, 1.0], [3.0, -1.0, 2.0]])
weights = np.array([[1.0, -1.0, 2.0, 1.0], [-1.0, 2.0, 1.0, 0.0], [-1.0, 1.0, 2.0, -2.0]])
second = np.array([[0.5, -1.25], [0.75, 0.5], [-0.25, 1.5], [1.5, -0.75]])
targets = np.array([[0.3, -1.2], [1.7, 0.4], [-0.6, 2.1], [0.9, -0.8], [2.4, 1.1]])


def relu_loss(X, Y, W1, b1, W2, b2):
    A1 = np.maximum(0, X @ W1 + b1)
    return np.mean((A1 @ W2 + b2 - Y) ** 2)


def relu_right(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    dout = 2 * (A1 @ W2 + b2 - Y) / Y.size
    dZ1 = dout @ W2.T * (Z1 > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dout, dout.sum(axis=0)


relu_args = (rows, targets, weights, np.zeros(4), second, np.array([0.1, -0.2]))
relu = Net("row", "relu_at_zero", relu_loss, relu_right, relu_args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / Y.size
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    return X.T @ dhidden, dhidden.sum(axis=0), hidden.T @ dout, dout.sum(axis=0)


relu.add("kink_hit_only correct", "zero_by_convention", backward)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    dout = 2 * (A1 @ W2 + b2 - Y) / Y.size
    dZ1 = dout @ W2.T * (Z1 >= 0)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dout, dout.sum(axis=0)


relu.add("kink_hit_only", "greater_or_equal", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    dout = 2 * (A1 @ W2 + b2 - Y) / Y.size
    dZ1 = dout @ W2.T * np.heaviside(Z1, 0.5)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dout, dout.sum(axis=0)


relu.add("kink_hit_only", "half_a_slope", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    dout = 2 * (A1 @ W2 + b2 - Y) / Y.size
    dZ1 = dout @ W2.T * (Z1 <= 0)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dout, dout.sum(axis=0)


relu.add("mask_wrong_side", "beside_a_kink", backward, at="dZ1")


def slanted_loss(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.2 * Z1)
    return 0.5 * np.sum((W2 @ A1 + b2 - Y) ** 2)


def slanted_right(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, 0.2 * Z1)
    dZ2 = W2 @ A1 + b2 - Y
    dZ1 = W2.T @ dZ2 * np.where(Z1 > 0, 1, 0.2)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


slanted_args = (rows.T, targets.T, weights.T, np.zeros((4, 1)), second.T, np.array([[0.1], [-0.2]]))
slanted = Net("column", "leaky_relu_at_zero", slanted_loss, slanted_right, slanted_args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.maximum(0.2 * Z1, Z1)
    dZ2 = W2 @ A1 + b2 - Y
    dA1 = W2.T @ dZ2
    dZ1 = np.where(Z1 <= 0, 0.2 * dA1, dA1)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


slanted.add("kink_hit_only correct", "lower_slope_by_convention", backward)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.maximum(0.2 * Z1, Z1)
    dZ2 = W2 @ A1 + b2 - Y
    dA1 = W2.T @ dZ2
    dZ1 = np.where(Z1 < 0, 0.2 * dA1, dA1)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


slanted.add("kink_hit_only", "upper_slope", backward, at="dZ1")


def absolute_loss(X, y, w, b):
    return np.mean(np.abs(w @ X + b - y))


def absolute_right(X, y, w, b):
    ds = np.sign(w @ X + b - y) / y.size
    return ds @ X.T, ds.sum(axis=1, keepdims=True)


y = np.array([[-4.0, 2.0, -0.5, 0.75, 1.25]])  # the first two are met exactly
absolute_args = (rows.T, y, np.array([[1.0, -2.0, 1.0]]), np.zeros((1, 1)))
absolute = Net("column", "absolute_error_at_zero", absolute_loss, absolute_right, absolute_args, ("w", "b"))


def backward(X, y, w, b):
    m = y.size
    residual = w @ X + b - y
    ds = np.where(residual >= 0, 1.0, -1.0) / m
    return ds @ X.T, np.sum(ds, axis=1, keepdims=True)


absolute.add("kink_hit_only", "one_or_minus_one", backward, at="ds")

CASES = (
    *softmax.cases,
    *regression.cases,
    *sequence.cases,
    *logistic.cases,
    *leaky.cases,
    *distilled.cases,
    *relu.cases,
    *slanted.cases,
    *absolute.cases,
)
