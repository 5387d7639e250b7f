"""Two independent mistakes in one backward pass, samples in rows. The losses are those of the neighbouring files."""

# ruff: noqa: RUF059  (people unpack more than they use)

from dataclasses import replace

import numpy as np

from diagnosis.corpus import normalised, recurrent, regularised, row_regression, row_relu_softmax, shared_weights

softmax = replace(row_relu_softmax.net, cases=[])
regression = replace(row_regression.net, cases=[])
decayed = replace(regularised.decayed, cases=[])
batch = replace(normalised.batch, cases=[])
residual = replace(shared_weights.residual, cases=[])
sequence = replace(recurrent.sequence, cases=[])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    probs = exps / exps.sum(1, keepdims=True)
    delta2 = np.eye(W2.shape[1])[y] - probs
    dW2 = hidden.T @ delta2
    db2 = delta2.sum(0)
    delta1 = delta2 @ W2.T * (hidden > 0)
    dW1 = X.T @ delta1
    db1 = delta1.sum(0)
    return dW1, db1, dW2, db2


softmax.add("sign+missing_mean", "signal", backward, at="delta2")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    dscores = exps / exps.sum(1, keepdims=True) / N
    dW2 = hidden.T @ dscores
    db2 = dscores[0]
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden[0]
    return dW1, db1, dW2, db2


softmax.add("ce_without_onehot_subtract+bias_not_summed", "output_and_biases", backward, at="dscores")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    Z1 = X @ W1 + b1
    hidden = np.maximum(0, Z1)
    exps = np.exp(hidden @ W2 + b2)
    dscores = exps / exps.sum(1, keepdims=True)
    dscores[np.arange(N), y] -= 1
    dscores /= N
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0, keepdims=True)
    dZ1 = dscores @ W2.T * (Z1 < 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0, keepdims=True)
    return dW1, db1, dW2, db2


softmax.add("mask_wrong_side+keepdims_broadcast", "relu_and_biases", backward, at="db2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    A1 = np.tanh(X @ W1 + b1)
    A2 = sigmoid(A1 @ W2 + b2)
    pred = A2 @ W3 + b3
    dpred = (pred - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * A2 * (1 - A2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dW1, db1 = X.T @ dA1, dA1.sum(axis=0)
    return dW1, db1, dW2, db2, dW3, db3


regression.add("factor:0.5+missing_activation_derivative", "square_and_tanh", backward, at="dpred")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    A1 = np.tanh(X @ W1 + b1)
    Z2 = A1 @ W2 + b2
    A2 = sigmoid(Z2)
    dpred = 2 * (A2 @ W3 + b3 - Y) / Y.size
    dW3, db3 = A2.T @ dpred, dpred.sum(axis=0)
    dZ2 = dpred @ W3.T * Z2 * (1 - Z2)
    dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2 * (1 - A1**2)
    dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


regression.add("derivative_at_preactivation_instead_of_activation+transposed", "layer_two", backward, at="dZ2")


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    N = X.shape[0]
    A1 = np.tanh(X @ W1 + b1)
    A2 = sigmoid(A1 @ W2 + b2)
    delta3 = 2 * (A2 @ W3 + b3 - Y) / N
    delta2 = delta3 @ W3.T * (1 - A2**2)
    delta1 = delta2 @ W2.T * (1 - A1**2)
    return X.T @ delta1, delta1.sum(0), A1.T @ delta2, delta2.sum(0), A2.T @ delta3, delta3.sum(0)


regression.add("missing_mean+wrong_activation", "outputs_and_sigmoid", backward, at="delta3")


def backward(X, Y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    dout = 2 * (hidden @ W2 + b2 - Y)
    dW2 = hidden.T @ dout
    db2 = dout.sum(axis=0)
    dhidden = dout @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    return dW1, db1, dW2, db2


decayed.add("missing_mean+missing_regularizer", "both_layers", backward, at="dout")


def backward(X, Y, W1, gamma, beta, W2):
    xmu, ivar, xhat, a = normalised.batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / X.shape[0]
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat)
    dbeta = np.sum(dout)
    dxmu = dout * gamma * ivar
    dz = dxmu - dxmu.mean(axis=0)
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("wrong_axis_sum+detached_branch wrong_axis_sum+dropped_path", "scale_and_variance", backward, at="dgamma")


def backward(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    Z1 = H0 @ W1 + b1
    H1 = H0 + np.maximum(0, Z1)
    dz = y / (1 + np.exp(y * (H1 @ w2))) / len(y)
    dw2 = H1.T @ dz
    dZ1 = dz[:, None] * w2 * (Z1 > 0)
    dW1 = H0.T @ dZ1
    db1 = dZ1.sum(axis=0)
    dH0 = dZ1 @ W1.T
    dW0 = X.T @ (dH0 * (1 - H0**2))
    return dW0, dW1, db1, dw2


residual.add("sign+dropped_path", "loss_and_skip", backward, at="dz")


def backward(X, Y, Wx, Wh, b, V):
    states = recurrent.sequence_forward(X, Wx, Wh, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    dV = states[-1].T @ dout
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dh = dout @ V.T
    for t in reversed(range(X.shape[1])):
        dz = dh * (1 - states[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWh += states[t + 1].T @ dz
        db = dz.sum(axis=0)
        dh = dz @ Wh.T
    return dWx, dWh, db, dV


sequence.add(
    "off_by_one_layer+overwritten_instead_of_accumulated off_by_one_layer+dropped_path",
    "states_and_bias",
    backward,
    at="dWh",
)

CASES = (
    *softmax.cases,
    *regression.cases,
    *decayed.cases,
    *batch.cases,
    *residual.cases,
    *sequence.cases,
)
