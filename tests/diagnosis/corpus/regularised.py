"""Penalties on the weights, in both layouts: forgotten, put where there are none, and off by a constant."""

import numpy as np

from diagnosis.corpus.case import Net, normal


def decayed_loss(X, Y, W1, b1, W2, b2):
    reg = 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    out = hidden @ W2 + b2
    data_loss = np.sum((out - Y) ** 2) / X.shape[0]
    return data_loss + reg * (np.sum(W1 * W1) + np.sum(W2 * W2))


def data_gradients(X, Y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / X.shape[0]
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    return X.T @ dhidden, dhidden.sum(axis=0), hidden.T @ dout, dout.sum(axis=0)


def decayed_right(X, Y, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = data_gradients(X, Y, W1, b1, W2, b2)
    return dW1 + 0.6 * W1, db1, dW2 + 0.6 * W2, db2


WRT = ("W1", "b1", "W2", "b2")
args = normal(51, (7, 5), (7, 3), (5, 6), (6,), (6, 3), (3,))
decayed = Net("row", "weight_decay", decayed_loss, decayed_right, args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / N
    dW2 = hidden.T @ dout
    db2 = dout.sum(axis=0)
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    return dW1, db1, dW2, db2


decayed.add("missing_regularizer", "both_layers", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2):
    N, reg = X.shape[0], 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / N
    dW2 = hidden.T @ dout + 2 * reg * W2
    db2 = dout.sum(axis=0)
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    return dW1, db1, dW2, db2


decayed.add("missing_regularizer", "first_layer", backward, at="dW1")


def backward(X, Y, W1, b1, W2, b2):
    N, reg = X.shape[0], 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / N
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    dW2 = hidden.T @ dout
    db2 = dout.sum(axis=0)
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    dW2 += reg * W2
    dW1 += reg * W1
    return dW1, db1, dW2, db2


decayed.add("regularizer_factor", "as_if_halved", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2):
    N, reg = X.shape[0], 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y)
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    dW2 = (hidden.T @ dout + 2 * reg * W2) / N
    db2 = dout.sum(axis=0) / N
    dW1 = (X.T @ dhidden + 2 * reg * W1) / N
    db1 = dhidden.sum(axis=0) / N
    return dW1, db1, dW2, db2


decayed.add("regularizer_factor", "divided_by_the_batch", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2):
    N, reg = X.shape[0], 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / N
    dhidden = dout @ W2.T * (hidden > 0)
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    grads = {"W1": X.T @ dhidden, "b1": dhidden.sum(axis=0), "W2": hidden.T @ dout, "b2": dout.sum(axis=0)}
    for name in grads:
        grads[name] += 2 * reg * params[name]
    return grads


decayed.add("extra_regularizer", "loop_over_all", backward, at="grads")


def backward(X, Y, W1, b1, W2, b2):
    N, reg = X.shape[0], 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / N
    dhidden = dout @ W2.T * (hidden > 0)
    dW2 = hidden.T @ dout - 2 * reg * W2
    dW1 = X.T @ dhidden - 2 * reg * W1
    return dW1, dhidden.sum(axis=0), dW2, dout.sum(axis=0)


decayed.add("sign", "penalty_subtracted", backward, at="dW2")


def plain_loss(X, Y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    out = hidden @ W2 + b2
    return np.sum((out - Y) ** 2) / X.shape[0]


plain = Net("row", "no_decay", plain_loss, data_gradients, args, WRT)


def backward(X, Y, W1, b1, W2, b2):
    N, lam = X.shape[0], 0.05
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y) / N
    dhidden = dout @ W2.T * (hidden > 0)
    dW2 = hidden.T @ dout + lam * W2
    dW1 = X.T @ dhidden + lam * W1
    return dW1, dhidden.sum(axis=0), dW2, dout.sum(axis=0)


plain.add("extra_regularizer", "decay_of_the_optimizer", backward, at="dW2")


def lasso_loss(X, y, w, b):
    alpha = 0.2
    return np.mean((X @ w + b - y) ** 2) / 2 + alpha * np.sum(np.abs(w))


def lasso_right(X, y, w, b):
    r = (X @ w + b - y) / len(y)
    return X.T @ r + 0.2 * np.sign(w), r.sum()


Xl, yl, wl = normal(52, (9, 4), (9,), (4,))
lasso = Net("row", "lasso", lasso_loss, lasso_right, (Xl, yl, wl, 0.3), ("w", "b"))


def backward(X, y, w, b):
    n, alpha = len(y), 0.2
    residual = X @ w + b - y
    grad_w = X.T @ residual / n + alpha / n * np.sign(w)
    grad_b = residual.mean()
    return grad_w, grad_b


lasso.add("regularizer_factor", "n_too_many", backward, at="grad_w")


def backward(X, y, w, b):
    n, alpha = len(y), 0.2
    residual = X @ w + b - y
    dw = X.T @ residual / n + alpha * w
    db = residual.mean()
    return dw, db


lasso.add("wrong_loss_derivative missing_regularizer+extra_regularizer", "ridge_for_lasso", backward, at="dw")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def penalised_cost(X, Y, W1, b1, W2, b2, lambd):
    m = Y.shape[1]
    A1 = np.maximum(0, W1 @ X + b1)
    A2 = sigmoid(W2 @ A1 + b2)
    cross_entropy_cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
    return cross_entropy_cost + lambd / (2 * m) * (np.sum(np.square(W1)) + np.sum(np.square(W2)))


def penalised_right(X, Y, W1, b1, W2, b2, lambd):
    m = Y.shape[1]
    A1 = np.maximum(0, W1 @ X + b1)
    dZ2 = sigmoid(W2 @ A1 + b2) - Y
    dZ1 = W2.T @ dZ2 * (A1 > 0)
    dW1, dW2 = dZ1 @ X.T / m + lambd / m * W1, dZ2 @ A1.T / m + lambd / m * W2
    return dW1, dZ1.sum(axis=1, keepdims=True) / m, dW2, dZ2.sum(axis=1, keepdims=True) / m


X, W1, b1, W2, b2 = normal(53, (4, 9), (5, 4), (5, 1), (3, 5), (3, 1))
Y = (np.sin(np.arange(27)) > 0.1).reshape(3, 9).astype(float)
penalised = Net("column", "l2_cost", penalised_cost, penalised_right, (X, Y, W1, b1, W2, b2, 0.7), WRT)


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = 1.0 / m * np.dot(dZ2, A1.T)
    db2 = 1.0 / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = np.multiply(dA1, np.int64(A1 > 0))
    dW1 = 1.0 / m * np.dot(dZ1, X.T)
    db1 = 1.0 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


penalised.add("missing_regularizer", "everywhere", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = 1.0 / m * np.dot(dZ2, A1.T)
    db2 = 1.0 / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = np.multiply(dA1, np.int64(A1 > 0))
    dW1 = 1.0 / m * np.dot(dZ1, X.T) + lambd * W1 / m
    db1 = 1.0 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


penalised.add("missing_regularizer", "output_layer", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m + lambd * W2
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2) * (A1 > 0)
    dW1 = np.dot(dZ1, X.T) / m + lambd * W1
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


penalised.add("regularizer_factor", "m_forgotten", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m + lambd / (2 * m) * W2
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2) * (A1 > 0)
    dW1 = np.dot(dZ1, X.T) / m + lambd / (2 * m) * W1
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


penalised.add("regularizer_factor", "two_m", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = (np.dot(dZ2, A1.T) + lambd * W2) / m
    db2 = (np.sum(dZ2, axis=1, keepdims=True) + lambd * b2) / m
    dZ1 = np.dot(W2.T, dZ2) * (A1 > 0)
    dW1 = (np.dot(dZ1, X.T) + lambd * W1) / m
    db1 = (np.sum(dZ1, axis=1, keepdims=True) + lambd * b1) / m
    return dW1, db1, dW2, db2


penalised.add("extra_regularizer", "biases_too", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m + lambd / m * W2
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dA1 = np.dot(W2.T, dZ2) + lambd / m * A1
    dZ1 = dA1 * (A1 > 0)
    dW1 = np.dot(dZ1, X.T) / m + lambd / m * W1
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


penalised.add("extra_regularizer unknown", "activations_too", backward, at="dA1")

CASES = (*decayed.cases, *plain.cases, *lasso.cases, *penalised.cases)
