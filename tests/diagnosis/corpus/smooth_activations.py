"""Layers of silu, gelu, softplus and elu in both layouts: derivatives of other functions, at other places, or none."""

# ruff: noqa: RUF059  (people unpack more than they use)

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def swish_loss(X, Y, W1, b1, W2, b2, W3):
    Z1 = X @ W1 + b1
    A1 = Z1 * sigmoid(Z1)
    Z2 = A1 @ W2 + b2
    A2 = np.log(1 + np.exp(Z2))
    return np.sum((A2 @ W3 - Y) ** 2) / (2 * X.shape[0])


def swish_forward(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = Z1 * sigmoid(Z1)
    Z2 = A1 @ W2 + b2
    return Z1, A1, Z2, np.log1p(np.exp(Z2))


def swish_right(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / X.shape[0]
    dZ2 = dout @ W3.T * sigmoid(Z2)
    s = sigmoid(Z1)
    dZ1 = dZ2 @ W2.T * (s + Z1 * s * (1 - s))
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0), A2.T @ dout


args = normal(111, (7, 5), (7, 3), (5, 4), (4,), (4, 4), (4,), (4, 3))
swish = Net("row", "swish_softplus", swish_loss, swish_right, args, ("W1", "b1", "W2", "b2", "W3"))


def backward(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / X.shape[0]
    dW3 = A2.T @ dout
    dZ2 = dout @ W3.T * sigmoid(Z2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    s = sigmoid(Z1)
    dZ1 = dZ2 @ W2.T * s * (1 - s)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3


swish.add("wrong_activation", "sigmoid_for_swish", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / X.shape[0]
    dW3 = A2.T @ dout
    dZ2 = dout @ W3.T * sigmoid(Z2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * sigmoid(Z1)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3


swish.add("dropped_path detached_branch wrong_activation", "gate_held_constant", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / X.shape[0]
    dW3 = A2.T @ dout
    dZ2 = dout @ W3.T * sigmoid(A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    s = sigmoid(Z1)
    dZ1 = dZ2 @ W2.T * (s + Z1 * s * (1 - s))
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3


swish.add("derivative_at_activation_instead_of_preactivation", "softplus", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / X.shape[0]
    dW3 = A2.T @ dout
    dZ2 = dout @ W3.T
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    s = sigmoid(Z1)
    dZ1 = dZ2 @ W2.T * (s + Z1 * s * (1 - s))
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3


swish.add("missing_activation_derivative", "softplus", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / X.shape[0]
    dW3 = A2.T @ dout
    dA2 = dout @ W3.T
    dZ2 = dA2 * sigmoid(Z2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    s = sigmoid(Z1)
    dZ1 = (dZ2 * (s + Z1 * s * (1 - s))) @ W2.T
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3


swish.add("product_order", "slope_before_the_weights", backward, at="dZ1")


def elu_loss(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    Z2 = W2 @ A1 + b2
    A2 = np.tanh(Z2)
    return 0.5 * np.sum((A2 - Y) ** 2)


def elu_right(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    A2 = np.tanh(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * (1 - A2**2)
    dZ1 = W2.T @ dZ2 * np.where(Z1 > 0, 1, np.exp(Z1))
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


WRT = ("W1", "b1", "W2", "b2")
args = normal(112, (4, 7), (5, 7), (5, 4), (5, 1), (5, 5), (5, 1))
elu = Net("column", "elu_tanh", elu_loss, elu_right, args, WRT)


def elu_grad(z):
    return np.where(z > 0, 1.0, np.exp(z))


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    A2 = np.tanh(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * (1 - A2**2)
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * elu_grad(A1)
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


elu.add("derivative_at_activation_instead_of_preactivation", "elu", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    Z2 = W2 @ A1 + b2
    A2 = np.tanh(Z2)
    dZ2 = (A2 - Y) * (1 - A2**2)
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * np.where(Z1 > 0, 1, Z1 + 1)
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


elu.add("derivative_at_preactivation_instead_of_activation", "elu", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    A2 = np.tanh(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * (1 - A2**2)
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


elu.add("wrong_activation", "tanh_for_elu", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    A2 = np.tanh(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * (1 - A2**2)
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ (dZ2 * elu_grad(Z1))
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


elu.add("product_order", "elu_inside_the_dot", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.exp(Z1) - 1)
    A2 = np.tanh(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * (1 - A2**2)
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * np.where(Z1 < 0, 1, np.exp(Z1))
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


elu.add("mask_wrong_side", "elu_turned_round", backward, at="dZ1")


def gelu_loss(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = 0.5 * Z1 * (1 + np.tanh(0.7978845608028654 * (Z1 + 0.044715 * Z1**3)))
    Z2 = W2 @ A1 + b2
    A2 = sigmoid(Z2)
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / Y.size


def gelu_right(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    t = np.tanh(0.7978845608028654 * (Z1 + 0.044715 * Z1**3))
    A1 = 0.5 * Z1 * (1 + t)
    dZ2 = (sigmoid(W2 @ A1 + b2) - Y) / Y.size
    slope = 0.5 * (1 + t) + 0.5 * Z1 * (1 - t**2) * 0.7978845608028654 * (1 + 0.134145 * Z1**2)
    dZ1 = W2.T @ dZ2 * slope
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


X, *parameters = normal(113, (4, 9), (6, 4), (6, 1), (3, 6), (3, 1))
Y = (np.cos(np.arange(27)) > 0).reshape(3, 9).astype(float)
gelu = Net("column", "gelu", gelu_loss, gelu_right, (X, Y, *parameters), WRT)


def backward(X, Y, W1, b1, W2, b2):
    c = np.sqrt(2 / np.pi)
    Z1 = W1 @ X + b1
    t = np.tanh(c * (Z1 + 0.044715 * Z1**3))
    A1 = 0.5 * Z1 * (1 + t)
    A2 = sigmoid(W2 @ A1 + b2)
    dZ2 = (A2 - Y) / Y.size
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = dA1 * (0.5 * (1 + t) + 0.5 * Z1 * (1 - t**2))
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


gelu.add("wrong_activation dropped_path unknown", "inner_derivative_forgotten", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    c = np.sqrt(2 / np.pi)
    Z1 = W1 @ X + b1
    A1 = 0.5 * Z1 * (1 + np.tanh(c * (Z1 + 0.044715 * Z1**3)))
    A2 = sigmoid(W2 @ A1 + b2)
    dZ2 = (A2 - Y) / Y.size
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = dA1 * (Z1 > 0)
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


gelu.add("wrong_activation", "relu_for_gelu", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    c = np.sqrt(2 / np.pi)
    Z1 = W1 @ X + b1
    t = np.tanh(c * (Z1 + 0.044715 * Z1**3))
    A1 = 0.5 * Z1 * (1 + t)
    A2 = sigmoid(W2 @ A1 + b2)
    m = X.shape[1]
    dZ2 = (A2 - Y) / m
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    dt = (1 - t**2) * c * (1 + 3 * 0.044715 * Z1**2)
    dZ1 = W2.T @ dZ2 * (0.5 * (1 + t) + 0.5 * Z1 * dt)
    dW1, db1 = dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


gelu.add("missing_mean", "outputs", backward, at="dZ2")

CASES = (*swish.cases, *elu.cases, *gelu.cases)
