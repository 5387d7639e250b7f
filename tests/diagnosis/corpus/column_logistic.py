"""Samples in columns, one tanh layer and a logistic output: capital letters, `m`, caches and dictionaries of gradients."""

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward_propagation(X, W1, b1, W2, b2):
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = sigmoid(Z2)
    return {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}


def loss(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    logprobs = np.log(A2) * Y + np.log(1 - A2) * (1 - Y)
    return -np.sum(logprobs) / m


def right(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    dZ2 = cache["A2"] - Y
    dZ1 = W2.T @ dZ2 * (1 - cache["A1"] ** 2)
    dW1, db1 = dZ1 @ X.T / m, dZ1.sum(axis=1, keepdims=True) / m
    return dW1, db1, dZ2 @ cache["A1"].T / m, dZ2.sum(axis=1, keepdims=True) / m


X, W1, b1, W2, b2 = normal(21, (3, 7), (5, 3), (5, 1), (1, 5), (1, 1))
Y = np.array([[1.0, 0, 0, 1, 1, 0, 1]])
net = Net("column", "tanh_logistic", loss, right, (X, Y, W1, b1, W2, b2), ("W1", "b1", "W2", "b2"))


def backward(X, Y, W1, b1, W2, b2):
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T)
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
    dW1 = np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


net.add("missing_mean", "no_m", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = 1 / m * np.dot(dZ2, A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
    dW1 = 1 / m * np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


net.add("missing_mean", "one_bias", backward, at="db1")


def backward(X, Y, W1, b1, W2, b2):
    m = Y.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    dZ2 = (cache["A2"] - Y) / m
    dW2 = np.dot(dZ2, cache["A1"].T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = dA1 * (1 - cache["A1"] ** 2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


net.add("double_mean", "in_dz_and_in_dw", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    dZ2 = Y - cache["A2"]
    dW2 = dZ2 @ cache["A1"].T / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - cache["A1"] ** 2)
    return dZ1 @ X.T / m, dZ1.sum(axis=1, keepdims=True) / m, dW2, db2


net.add("sign", "y_minus_a", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dA2 = -np.divide(Y, A2) - np.divide(1 - Y, 1 - A2)
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


net.add("sign", "bracket_of_the_log_loss", backward, at="dA2")


def linear_backward(dZ, A_prev, W):
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m
    db = np.sum(dZ, axis=1) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def backward(X, Y, W1, b1, W2, b2):
    cache = forward_propagation(X, W1, b1, W2, b2)
    grads = {}
    dZ2 = cache["A2"] - Y
    dA1, grads["dW2"], grads["db2"] = linear_backward(dZ2, cache["A1"], W2)
    dZ1 = dA1 * (1 - cache["A1"] ** 2)
    _, grads["dW1"], grads["db1"] = linear_backward(dZ1, X, W1)
    return grads


net.add("keepdims_broadcast", "flat_biases", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    dZ2 = (cache["A2"] - Y) / m
    dW2 = dZ2 @ cache["A1"].T
    db2 = dZ2
    dZ1 = W2.T @ dZ2 * (1 - cache["A1"] ** 2)
    dW1 = dZ1 @ X.T
    db1 = dZ1
    return dW1, db1, dW2, db2


net.add("bias_not_summed", "db_is_dz", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    dZ2 = (cache["A2"] - Y) / m
    dW2 = dZ2 @ cache["A1"].T
    db2 = dZ2[:, :1]
    dZ1 = W2.T @ dZ2 * (1 - cache["A1"] ** 2)
    dW1 = dZ1 @ X.T
    db1 = dZ1[:, :1]
    return dW1, db1, dW2, db2


net.add("bias_not_summed", "first_column", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1 = cache["A1"]
    dZ2 = cache["A2"] - Y
    dW2 = dZ2 @ A1.T / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = np.sum(dZ1) / m * np.ones_like(b1)
    return dW1, db1, dW2, db2


net.add("wrong_axis_sum", "sum_of_everything", backward, at="db1")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.tanh(Z1)
    A2 = sigmoid(W2 @ A1 + b2)
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - Z1**2)
    dW1 = dZ1 @ X.T / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


net.add("derivative_at_preactivation_instead_of_activation", "one_minus_z_squared", backward, at="dZ1")


def tanh_prime(z):
    return 1 - np.tanh(z) ** 2


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    dZ2 = (cache["A2"] - Y) / m
    dW2 = dZ2 @ cache["A1"].T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * tanh_prime(cache["A1"])
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("derivative_at_activation_instead_of_preactivation", "tanh_of_tanh", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (A1 * (1 - A1))
    dW1 = dZ1 @ X.T / m
    db1 = dZ1.sum(axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


net.add("wrong_activation", "sigmoid_for_tanh", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


net.add("missing_activation_derivative", "hidden_layer", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dA2 = -(np.divide(Y, A2) - np.divide(1 - Y, 1 - A2)) / m
    dW2 = np.dot(dA2, A1.T)
    db2 = np.sum(dA2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dA2)
    dZ1 = dA1 * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("missing_activation_derivative", "output_layer", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = (A2 - Y) * A2 * (1 - A2)
    dW2 = dZ2 @ A1.T / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = dZ1.sum(axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


net.add("extra_activation_derivative wrong_loss_derivative", "sigmoid_twice", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(W1 @ X)
    A2 = sigmoid(W2 @ A1 + b2)
    dZ2 = (A2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("forward_mismatch", "bias_forgotten", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = 2 * (A2 - Y)
    dW2 = dZ2 @ A1.T / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = dZ1.sum(axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


net.add("factor:2", "two_of_a_square_that_is_not_there", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = forward_propagation(X, W1, b1, W2, b2)
    A1 = cache["A1"]
    dZ2 = (cache["A2"] - Y) / m
    dW2 = np.dot(A1, dZ2.T).reshape(W2.shape)
    db2 = dZ2.sum(axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = np.dot(X, dZ1.T).reshape(W1.shape)
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2


net.add("reshape_instead_of_transpose", "weight_gradients", backward, at="dW1")

CASES = net.cases
