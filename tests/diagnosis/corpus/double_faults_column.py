"""Two independent mistakes in one backward pass, samples in columns. The losses are those of the neighbouring files."""

# ruff: noqa: RUF059  (people unpack more than they use)

from dataclasses import replace

import numpy as np

from diagnosis.corpus import attention, column_logistic, column_quadratic, masked, recurrent, regularised

logistic = replace(column_logistic.net, cases=[])
quadratic = replace(column_quadratic.net, cases=[])
penalised = replace(regularised.penalised, cases=[])
dropout = replace(masked.columns, cases=[])
char = replace(recurrent.char, cases=[])
attending = replace(attention.column, cases=[])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = (A2 - Y) / m
    dW2 = np.dot(dZ2, A1.T)
    db2 = dZ2
    dZ1 = np.dot(W2.T, dZ2)
    dW1 = np.dot(dZ1, X.T)
    db1 = dZ1
    return dW1, db1, dW2, db2


logistic.add("missing_activation_derivative+bias_not_summed", "tanh_and_biases", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * A1 * (1 - A1)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


logistic.add("missing_mean+wrong_activation", "biases_and_tanh", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = Y - A2
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2) * (1 - Z1**2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


logistic.add("sign+derivative_at_preactivation_instead_of_activation", "error_and_tanh", backward, at="dZ2")


def backward(x, y, weights, biases):
    m = x.shape[1]
    zs, activations = column_quadratic.feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[-1] - y) * sigmoid(zs[-1]) * (1 - sigmoid(zs[-1]))
    for l in reversed(range(L)):
        nabla_w[l] = delta @ activations[l + 1].T / m
        nabla_b[l] = delta.sum(axis=1, keepdims=True) / m
        if l > 0:
            delta = weights[l].T @ delta * activations[l] * (1 - activations[l])
    return nabla_w, nabla_b


quadratic.add("extra_mean+off_by_one_layer", "batch_and_inputs", backward, at="nabla_w")


def backward(x, y, weights, biases):
    zs, activations = column_quadratic.feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = 2 * (activations[-1] - y) * activations[-1] * (1 - activations[-1])
    for l in range(L - 1, -1, -1):
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta.sum(axis=1, keepdims=True)
        if l > 0:
            delta = np.dot(weights[l], delta) * activations[l] * (1 - activations[l])
    return nabla_w, nabla_b


quadratic.add("factor:2+transposed", "cost_and_weights", backward, at="delta")


def backward(X, Y, W1, b1, W2, b2, lambd):
    m = X.shape[1]
    A1 = np.maximum(0, np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m + lambd * W2
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2)
    dW1 = np.dot(dZ1, X.T) / m + lambd * W1
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


penalised.add("regularizer_factor+missing_activation_derivative", "decay_and_relu", backward, at="dW2")


def backward(X, Y, D1, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.maximum(0, Z1) * D1 / 0.5
    exps = np.exp(np.dot(W2, A1) + b2)
    dZ2 = (Y - exps / exps.sum(axis=0, keepdims=True)) / m
    dW2 = np.dot(dZ2, A1.T)
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2) / 0.5
    dZ1 = dA1 * (Z1 > 0)
    dW1 = np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2


dropout.add("sign+mask_not_applied", "labels_and_dropout", backward, at="dZ2")


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = recurrent.char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    for t in reversed(range(xs.shape[1])):
        dy = ps[t]
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy)
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[:, [t]].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
    return dWxh, dWhh, dWhy, dbh, dby


char.add(
    "ce_without_onehot_subtract+dropped_path ce_without_onehot_subtract+detached_branch",
    "labels_and_later_steps",
    backward,
    at="dy",
)


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = attention.softmax(K.T @ Q / np.sqrt(d), axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dV = dO @ P.T
    dP = V.T @ dO
    dS = P * (1 - P) * dP / np.sqrt(d)
    dQ = K @ dS
    dK = Q @ dS.T
    dX = Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV
    return {"Wq": dQ @ X.T, "Wk": dK @ X.T, "Wv": dV @ X.T, "X": dX}


attending.add("softmax_jacobian_diagonal_only+dropped_path", "scores_and_residual", backward, at="dS")

CASES = (
    *logistic.cases,
    *quadratic.cases,
    *penalised.cases,
    *dropout.cases,
    *char.cases,
    *attending.cases,
)
