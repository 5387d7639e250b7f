"""Two layers, samples in rows, relu and softmax with cross-entropy: the homework of many courses, scores and all."""

# ruff: noqa: RUF059  (people unpack more than they use)

import numpy as np

from diagnosis.corpus.case import Net, normal


def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)


def softmax_loss(scores, y):
    N = scores.shape[0]
    shifted = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    dscores = probs.copy()
    dscores[np.arange(N), y] -= 1
    return probs, dscores / N


def loss(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    scores = hidden @ W2 + b2
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    logprobs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.sum(logprobs[np.arange(N), y]) / N


def right(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    _, dscores = softmax_loss(hidden @ W2 + b2, y)
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    return X.T @ dhidden, dhidden.sum(axis=0), hidden.T @ dscores, dscores.sum(axis=0)


X, W1, b1, W2, b2 = normal(11, (7, 5), (5, 6), (6,), (6, 4), (4,))
y = np.array([0, 3, 1, 1, 2, 0, 3])
net = Net("row", "relu_softmax", loss, right, (X, y, W1, b1, W2, b2), ("W1", "b1", "W2", "b2"))


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, np.dot(X, W1) + b1)
    scores = np.dot(hidden, W2) + b2
    exp_scores = np.exp(scores)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    dscores = probs
    dscores[range(N), y] -= 1
    dW2 = np.dot(hidden.T, dscores)
    db2 = np.sum(dscores, axis=0)
    dhidden = np.dot(dscores, W2.T)
    dhidden[hidden <= 0] = 0
    dW1 = np.dot(X.T, dhidden)
    db1 = np.sum(dhidden, axis=0)
    return dW1, db1, dW2, db2


net.add("missing_mean", "all_of_it", backward, at="dscores")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exp_scores = np.exp(hidden @ W2 + b2)
    delta3 = exp_scores / exp_scores.sum(axis=1, keepdims=True)
    delta3[range(N), y] -= 1
    dW2 = hidden.T @ delta3 / N
    db2 = np.sum(delta3, axis=0)
    delta2 = (delta3 @ W2.T) * (hidden > 0)
    dW1 = X.T @ delta2 / N
    db1 = np.sum(delta2, axis=0)
    return dW1, db1, dW2, db2


net.add("missing_mean", "biases_only", backward, at="db2")


def backward(X, y, W1, b1, W2, b2):
    N = len(X)
    hidden = np.maximum(0, X @ W1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    grads = {}
    grads["W2"] = hidden.T @ dscores / N
    grads["b2"] = dscores.sum(axis=0) / N
    dhidden = dscores @ W2.T * (hidden > 0)
    grads["W1"] = X.T @ dhidden / N
    grads["b1"] = dhidden.sum(axis=0) / N
    return grads


net.add("double_mean", "signal_and_weights", backward, at="W2")


def backward(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    scores = A1 @ W2 + b2
    P = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    Y = np.eye(4)[y]
    dZ2 = (P - Y) / Y.size
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (Z1 > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


net.add("extra_mean", "classes_too", backward, at="dZ2")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    probs = exps / exps.sum(1, keepdims=True)
    error = np.eye(W2.shape[1])[y] - probs
    dW2 = hidden.T @ error / N
    db2 = error.sum(0) / N
    dhidden = error @ W2.T
    dhidden[hidden == 0] = 0
    dW1 = X.T @ dhidden / N
    db1 = dhidden.sum(0) / N
    return dW1, db1, dW2, db2


net.add("sign", "target_minus_output", backward, at="error")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    probs = exps / exps.sum(1, keepdims=True)
    dscores = probs / N
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(0)
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(0)
    return dW1, db1, dW2, db2


net.add("ce_without_onehot_subtract", "probs_only", backward, at="dscores")


def backward(X, y, W1, b1, W2, b2):
    hidden, cache1 = affine_forward(X, W1, b1)
    out = np.maximum(0, hidden)
    scores, cache2 = affine_forward(out, W2, b2)
    probs, dscores = softmax_loss(scores, y)
    x, w, b = cache2
    dout, dW2, db2 = dscores @ w.T, x.T @ dscores, dscores[0]
    dhidden = dout * (hidden > 0)
    x, w, b = cache1
    dW1, db1 = x.T @ dhidden, dhidden[0]
    return dW1, db1, dW2, db2


net.add("bias_not_summed", "first_sample", backward, at="db2")


def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout
    return dx, dw, db


def backward(X, y, W1, b1, W2, b2):
    hidden, cache1 = affine_forward(X, W1, b1)
    out = np.maximum(0, hidden)
    scores, cache2 = affine_forward(out, W2, b2)
    probs, dscores = softmax_loss(scores, y)
    dout, dW2, db2 = affine_backward(dscores, cache2)
    dhidden = dout * (hidden > 0)
    dX, dW1, db1 = affine_backward(dhidden, cache1)
    return dW1, db1, dW2, db2


net.add("bias_not_summed", "db_is_dout", backward, at="db2")


def backward(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    dW2 = hidden.T @ dscores
    db2 = np.sum(dscores, axis=0, keepdims=True)
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = np.sum(dhidden, axis=0, keepdims=True)
    return dW1, db1, dW2, db2


net.add("keepdims_broadcast", "bias_is_a_row", backward, at="db2")


def backward(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0)
    dhidden = dscores @ W2.T
    dhidden[hidden > 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    return dW1, db1, dW2, db2


net.add("mask_wrong_side", "boolean_index", backward, at="dhidden")


def backward(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0)
    dhidden = dscores @ W2.T
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


net.add("missing_activation_derivative", "no_relu", backward, at="dhidden")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    probs = exps / exps.sum(1, keepdims=True)
    dscores = probs.copy()
    dscores[:, y] -= 1
    dscores /= N
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0)
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    return X.T @ dhidden, dhidden.sum(axis=0), dW2, db2


net.add("wrong_index", "slice_for_pairs", backward, at="dscores")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    P = exps / exps.sum(1, keepdims=True)
    Y = np.eye(W2.shape[1])[y]
    dP = -Y / P / N
    dscores = dP * P * (1 - P)
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0)
    dhidden = dscores @ W2.T * (hidden > 0)
    return X.T @ dhidden, dhidden.sum(axis=0), dW2, db2


net.add("softmax_jacobian_diagonal_only", "like_a_sigmoid", backward, at="dscores")


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    P = exps / exps.sum(1, keepdims=True)
    Y = np.eye(W2.shape[1])[y]
    dZ2 = (P - Y) * P * (1 - P) / N
    dW2 = hidden.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (hidden > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


net.add("extra_activation_derivative", "softmax_slope_again", backward, at="dZ2")


def backward(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=1)
    dhidden = dscores @ W2.T * (hidden > 0)
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=1)
    return dW1, db1, dW2, db2


net.add("wrong_axis_sum", "other_axis", backward, at="db2")


def backward(X, y, W1, b1, W2, b2):
    Z1 = X @ W1
    hidden = np.maximum(0, Z1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0)
    dZ1 = dscores @ W2.T * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


net.add("forward_mismatch", "mask_before_the_bias", backward, at="dZ1")


def backward(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    probs, dscores = softmax_loss(hidden @ W2 + b2, y)
    dW2 = hidden.T @ dscores
    db2 = dscores.sum(axis=0)
    dhidden = dscores @ W2.reshape(W2.shape[1], W2.shape[0])
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    return dW1, db1, dW2, db2


net.add("reshape_instead_of_transpose", "weights", backward, at="dhidden")

CASES = net.cases
