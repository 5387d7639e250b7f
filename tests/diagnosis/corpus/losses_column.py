"""Losses of all kinds on small nets with samples in columns: softmax, KL divergence, absolute error, hinge, temperature."""

# ruff: noqa: RUF059  (people unpack more than they use)

import numpy as np

from diagnosis.corpus.case import Net, normal


def softmax(z):
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def relu(z):
    return np.maximum(0, z)


def softmax_loss(X, labels, W1, b1, W2, b2):
    A1 = relu(W1 @ X + b1)
    Z2 = W2 @ A1 + b2
    E = np.exp(Z2 - np.max(Z2, axis=0, keepdims=True))
    A2 = E / np.sum(E, axis=0, keepdims=True)
    Y = np.eye(3)[labels].T
    return -np.sum(Y * np.log(A2)) / X.shape[1]


def softmax_right(X, labels, W1, b1, W2, b2):
    A1 = relu(W1 @ X + b1)
    dZ2 = (softmax(W2 @ A1 + b2) - np.eye(3)[labels].T) / X.shape[1]
    dZ1 = W2.T @ dZ2 * (A1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


WRT = ("W1", "b1", "W2", "b2")
X, *parameters = normal(131, (5, 7), (4, 5), (4, 1), (3, 4), (3, 1))
net = Net("column", "relu_softmax", softmax_loss, softmax_right, (X, np.array([0, 2, 1, 1, 2, 0, 2]), *parameters), WRT)


def forward(X, W1, b1, W2, b2):
    Z1 = W1.dot(X) + b1
    A1 = relu(Z1)
    Z2 = W2.dot(A1) + b2
    return Z1, A1, Z2, softmax(Z2)


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    dZ2 = A2
    dW2 = 1 / m * dZ2.dot(A1.T)
    db2 = 1 / m * dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = 1 / m * dZ1.dot(X.T)
    db1 = 1 / m * dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("ce_without_onehot_subtract", "probabilities_only", backward, at="dZ2")


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    dZ2 = A2.copy()
    dZ2[labels] -= 1
    dW2 = dZ2.dot(A1.T) / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = dZ1.dot(X.T) / m
    db1 = dZ1.sum(axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


net.add("wrong_index", "whole_rows", backward, at="dZ2")


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    Y = np.zeros_like(A2)
    Y[labels, np.arange(m)] = 1
    dA2 = -Y / A2 / m
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = dZ2.dot(A1.T)
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = dZ1.dot(X.T)
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("softmax_jacobian_diagonal_only", "p_times_one_minus_p", backward, at="dZ2")


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    one_hot_Y = np.eye(3)[labels].T
    dZ2 = A2 - one_hot_Y
    dW2 = 1 / m * dZ2.dot(A1.T)
    db2 = 1 / m * np.sum(dZ2)
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = 1 / m * dZ1.dot(X.T)
    db1 = 1 / m * np.sum(dZ1)
    return dW1, db1, dW2, db2


net.add("wrong_axis_sum", "np_sum_of_all", backward, at="db2")


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    one_hot_Y = np.eye(3)[labels].reshape(3, m)
    dZ2 = (A2 - one_hot_Y) / m
    dW2 = dZ2.dot(A1.T)
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = dZ1.dot(X.T)
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("reshape_instead_of_transpose wrong_index", "labels", backward, at="one_hot_Y")


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    dZ2 = (A2 - np.eye(3)[labels].T) / m
    dW2 = dZ2.dot(A1.T)
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2)
    dZ1[Z1 > 0] = 0
    dW1 = dZ1.dot(X.T)
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("mask_wrong_side", "relu", backward, at="dZ1")


def backward(X, labels, W1, b1, W2, b2):
    m = labels.size
    Z1, A1, Z2, A2 = forward(X, W1, b1, W2, b2)
    dA2 = (A2 - np.eye(3)[labels].T) / m
    dZ2 = A2 * (dA2 - np.sum(dA2 * A2, axis=0, keepdims=True))
    dW2 = dZ2.dot(A1.T)
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = dZ1.dot(X.T)
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("extra_activation_derivative wrong_loss_derivative", "softmax_jacobian_again", backward, at="dZ2")


def kl_loss(X, T, W1, W2):
    H = np.tanh(W1 @ X)
    S = W2 @ H / 2.0
    logq = S - np.log(np.sum(np.exp(S), axis=0, keepdims=True))
    return np.sum(T * (np.log(T) - logq)) / X.shape[1]


def kl_right(X, T, W1, W2):
    H = np.tanh(W1 @ X)
    dlogits = (softmax(W2 @ H / 2.0) - T) / X.shape[1] / 2.0
    return (W2.T @ dlogits * (1 - H**2)) @ X.T, dlogits @ H.T


X, T, *parameters = normal(132, (4, 7), (5, 7), (6, 4), (5, 6))
kl = Net("column", "distillation", kl_loss, kl_right, (X, softmax(T), *parameters), ("W1", "W2"))


def backward(X, T, W1, W2):
    m = X.shape[1]
    H = np.tanh(W1 @ X)
    Q = softmax(W2 @ H / 2.0)
    dS = (Q - T) / m
    dW2 = dS @ H.T
    dW1 = (W2.T @ dS * (1 - H**2)) @ X.T
    return dW1, dW2


kl.add("factor:2", "temperature", backward, at="dS")


def backward(X, T, W1, W2):
    m = X.shape[1]
    H = np.tanh(W1 @ X)
    Q = softmax(W2 @ H)
    dS = (Q - T) / m / 2.0
    dW2 = dS @ H.T
    dW1 = (W2.T @ dS * (1 - H**2)) @ X.T
    return dW1, dW2


kl.add("forward_mismatch", "softmax_without_temperature", backward, at="Q")


def backward(X, T, W1, W2):
    m = X.shape[1]
    H = np.tanh(W1 @ X)
    Q = softmax(W2 @ H / 2.0)
    dQ = (np.log(Q / T) + 1) / m
    dS = Q * (dQ - np.sum(Q * dQ, axis=0)) / 2.0
    dW2 = dS @ H.T
    dW1 = (W2.T @ dS * (1 - H**2)) @ X.T
    return dW1, dW2


kl.add("wrong_loss_derivative", "kl_the_other_way", backward, at="dQ")


def mae_loss(X, Y, W1, b1, W2, b2):
    A1 = relu(W1 @ X + b1)
    return np.mean(np.abs(W2 @ A1 + b2 - Y))


def mae_right(X, Y, W1, b1, W2, b2):
    A1 = relu(W1 @ X + b1)
    dZ2 = np.sign(W2 @ A1 + b2 - Y) / Y.size
    dZ1 = W2.T @ dZ2 * (A1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


args = normal(133, (5, 7), (3, 7), (4, 5), (4, 1), (3, 4), (3, 1))
mae = Net("column", "absolute_error", mae_loss, mae_right, args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    dZ2 = (W2 @ A1 + b2 - Y) / Y.size
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dW2, db2


mae.add("wrong_loss_derivative", "squared_for_absolute", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    dZ2 = np.sign(Y - W2 @ A1 - b2) / Y.size
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dW2, db2


mae.add("sign", "y_minus_prediction", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    dZ2 = np.sign(W2 @ A1 + b2 - Y) / Y.size
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (Z1 > 0) / X.shape[1]
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dW2, db2


mae.add("double_mean", "hidden_layer", backward, at="dZ1")


def squared_hinge_loss(X, y, w, b):
    margin = 1 - y * (w @ X + b)
    return np.mean(np.maximum(0, margin) ** 2)


def squared_hinge_right(X, y, w, b):
    slack = np.maximum(0, 1 - y * (w @ X + b))
    ds = -2 * slack * y / X.shape[1]
    return ds @ X.T, ds.sum(axis=1, keepdims=True)


X, w, b = normal(134, (4, 11), (1, 4), (1, 1))
squared_hinge = Net(
    "column", "squared_hinge", squared_hinge_loss, squared_hinge_right, (X, np.sign(X[:1]), w, b), ("w", "b")
)


def backward(X, y, w, b):
    m = X.shape[1]
    margin = y * (w @ X + b)
    ds = -y * (margin < 1) / m
    return ds @ X.T, ds.sum(axis=1, keepdims=True)


squared_hinge.add("wrong_loss_derivative", "plain_hinge", backward, at="ds")


def backward(X, y, w, b):
    m = X.shape[1]
    slack = np.maximum(0, 1 - y * (w @ X + b))
    ds = 2 * slack * y / m
    return {"w": ds @ X.T, "b": ds.sum(axis=1, keepdims=True)}


squared_hinge.add("sign", "minus_of_the_margin", backward, at="ds")


def backward(X, y, w, b):
    m = X.shape[1]
    slack = 1 - y * (w @ X + b)
    ds = -2 * slack * y / m
    return ds @ X.T, ds.sum(axis=1, keepdims=True)


squared_hinge.add("mask_not_applied missing_activation_derivative forward_mismatch", "no_maximum", backward, at="slack")

CASES = (*net.cases, *kl.cases, *mae.cases, *squared_hinge.cases)
