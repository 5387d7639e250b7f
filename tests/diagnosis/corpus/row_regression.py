"""Samples in rows, three layers of several activations and the mean squared error: regression as in NumPy tutorials."""

# ruff: noqa: RUF059  (people unpack more than they use)

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(X, W1, b1, W2, b2, W3, b3):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = sigmoid(Z2)
    return Z1, A1, Z2, A2, A2 @ W3 + b3


def loss(X, Y, W1, b1, W2, b2, W3, b3):
    A1 = np.tanh(X @ W1 + b1)
    A2 = sigmoid(A1 @ W2 + b2)
    pred = A2 @ W3 + b3
    return np.mean((pred - Y) ** 2)


def right(X, Y, W1, b1, W2, b2, W3, b3):
    _, A1, _, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0), A2.T @ dpred, dpred.sum(axis=0)


WRT = ("W1", "b1", "W2", "b2", "W3", "b3")
args = normal(41, (8, 6), (8, 3), (6, 5), (5,), (5, 5), (5,), (5, 3), (3,))
net = Net("row", "tanh_sigmoid_mse", loss, right, args, WRT)


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    N = X.shape[0]
    dpred = 2 * (pred - Y) / N
    dW3 = A2.T @ dpred
    db3 = dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("missing_mean", "outputs", backward, at="dpred")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = (pred - Y) / Y.size
    dW3 = A2.T @ dpred
    db3 = dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("factor:0.5", "two_of_the_square", backward, at="dpred")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3 = A2.T @ dpred
    db3 = dpred.mean(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.mean(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.mean(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("double_mean extra_mean", "biases_averaged", backward, at="db3")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3 = A2.T @ dpred
    db3 = dpred.sum(axis=0)
    dA2 = dpred @ W3.T
    dZ2 = dA2 * sigmoid(A2) * (1 - sigmoid(A2))
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("derivative_at_activation_instead_of_preactivation", "sigmoid", backward, at="dZ2")


def tanh_grad(z):
    return 1.0 - np.tanh(z) ** 2


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    delta3 = 2 * (pred - Y) / Y.size
    delta2 = np.dot(delta3, W3.T) * A2 * (1 - A2)
    delta1 = np.dot(delta2, W2.T) * tanh_grad(A1)
    return {
        "W1": X.T.dot(delta1),
        "b1": delta1.sum(0),
        "W2": A1.T.dot(delta2),
        "b2": delta2.sum(0),
        "W3": A2.T.dot(delta3),
        "b3": delta3.sum(0),
    }


net.add("derivative_at_activation_instead_of_preactivation", "tanh", backward, at="delta1")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * Z2 * (1 - Z2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("derivative_at_preactivation_instead_of_activation", "sigmoid", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - Z1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("derivative_at_preactivation_instead_of_activation", "tanh", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    grad_pred = 2 * (pred - Y) / Y.size
    grad_w3 = A2.T @ grad_pred
    grad_b3 = grad_pred.sum(axis=0)
    grad_z2 = grad_pred @ W3.T * (1 - A2**2)
    grad_w2 = A1.T @ grad_z2
    grad_b2 = grad_z2.sum(axis=0)
    grad_z1 = grad_z2 @ W2.T * (1 - A1**2)
    grad_w1 = X.T @ grad_z1
    grad_b1 = grad_z1.sum(axis=0)
    return grad_w1, grad_b1, grad_w2, grad_b2, grad_w3, grad_b3


net.add("wrong_activation", "tanh_for_all_layers", backward, at="grad_z2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2 * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("transposed", "square_weights", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = dZ2.T @ A1, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("transposed", "gradient_of_square_weights", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = (dZ2 * (1 - A1**2)) @ W2.T
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("product_order", "slope_before_the_weights", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A2.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("off_by_one_layer", "input_of_a_layer", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A1.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A2**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("off_by_one_layer off_by_one_layer+off_by_one_layer", "twice", backward, at="dW3")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3 = A2.T @ dpred
    db3 = dpred.sum()
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum()
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum()
    return dW1, db1, dW2, db2, dW3, db3


net.add("wrong_axis_sum", "one_number_for_a_layer", backward, at="db3")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (Y - pred) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("sign", "error_is_target_minus_output", backward, at="dpred")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = 2 * (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    W2 = W2 - 0.3 * dW2
    b2 = b2 - 0.3 * db2
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("stale_value", "updated_before_use", backward, at="dZ1")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    Z1, A1, Z2, A2, pred = forward(X, W1, b1, W2, b2, W3, b3)
    dpred = np.sign(pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


net.add("wrong_loss_derivative", "absolute_error", backward, at="dpred")

CASES = net.cases
