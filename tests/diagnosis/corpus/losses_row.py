"""Losses of all kinds on small nets with samples in rows: neighbours taken for each other, weights and targets forgotten."""

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def huber_loss(X, y, W1, b1, w2):
    h = np.tanh(X @ W1 + b1)
    r = h @ w2 - y
    a = np.abs(r)
    return np.mean(np.where(a <= 0.5, 0.5 * r**2, 0.5 * (a - 0.25)))


def huber_right(X, y, W1, b1, w2):
    h = np.tanh(X @ W1 + b1)
    dr = np.clip(h @ w2 - y, -0.5, 0.5) / len(y)
    dz = np.outer(dr, w2) * (1 - h**2)
    return X.T @ dz, dz.sum(axis=0), h.T @ dr


X, y, W1, b1, w2 = normal(121, (9, 5), (9,), (5, 4), (4,), (4,))
huber = Net("row", "huber", huber_loss, huber_right, (X, 2 * y, W1, b1, w2), ("W1", "b1", "w2"))


def backward(X, y, W1, b1, w2):
    h = np.tanh(X @ W1 + b1)
    r = h @ w2 - y
    dr = r / len(y)
    dw2 = h.T @ dr
    dz = dr[:, None] * w2 * (1 - h**2)
    return X.T @ dz, dz.sum(axis=0), dw2


huber.add("wrong_loss_derivative", "squared_everywhere", backward, at="dr")


def backward(X, y, W1, b1, w2):
    n = len(y)
    h = np.tanh(X @ W1 + b1)
    r = h @ w2 - y
    dr = np.where(np.abs(r) <= 0.5, r, np.sign(r)) / n
    dw2 = h.T @ dr
    dz = dr[:, None] * w2 * (1 - h**2)
    return X.T @ dz, dz.sum(axis=0), dw2


huber.add("wrong_loss_derivative factor:2", "delta_forgotten", backward, at="dr")


def backward(X, y, W1, b1, w2):
    n = len(y)
    h = np.tanh(X @ W1 + b1)
    r = h @ w2 - y
    dr = np.where(np.abs(r) > 0.5, r, 0.5 * np.sign(r)) / n
    dw2 = h.T @ dr
    dz = dr[:, None] * w2 * (1 - h**2)
    return X.T @ dz, dz.sum(axis=0), dw2


huber.add("mask_wrong_side wrong_loss_derivative", "branches_exchanged", backward, at="dr")


def hinge_loss(X, y, W, b):
    scores = X @ W + b
    correct = scores[np.arange(X.shape[0]), y]
    margins = np.maximum(0, scores - correct[:, None] + 1.0)
    return (np.sum(margins) - X.shape[0]) / X.shape[0]


def hinge_right(X, y, W, b):
    N = X.shape[0]
    scores = X @ W + b
    mask = (scores - scores[np.arange(N), y][:, None] + 1 > 0).astype(float)
    mask[np.arange(N), y] = 0
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return X.T @ mask / N, mask.sum(axis=0) / N


X, W, b = normal(122, (8, 5), (5, 4), (4,))
hinge = Net("row", "svm", hinge_loss, hinge_right, (X, np.array([0, 1, 3, 2, 2, 0, 1, 3]), W, b), ("W", "b"))


def backward(X, y, W, b):
    num_train = X.shape[0]
    scores = X.dot(W) + b
    margins = np.maximum(0, scores - scores[np.arange(num_train), y][:, np.newaxis] + 1)
    margins[np.arange(num_train), y] = 0
    binary = (margins > 0).astype(float)
    dscores = binary / num_train
    dW = X.T.dot(dscores)
    db = dscores.sum(axis=0)
    return dW, db


hinge.add("dropped_path", "correct_class", backward, at="dscores")


def backward(X, y, W, b):
    num_train = X.shape[0]
    scores = X.dot(W) + b
    margins = np.maximum(0, scores - scores[np.arange(num_train), y][:, np.newaxis] + 1)
    binary = (margins > 0).astype(float)
    binary[np.arange(num_train), y] = 0
    row_sum = np.sum(binary, axis=1)
    binary[np.arange(num_train), y] = -row_sum
    dW = X.T.dot(binary)
    db = binary.sum(axis=0)
    return dW, db


hinge.add("missing_mean", "num_train", backward, at="dW")


def backward(X, y, W, b):
    dW = np.zeros_like(W)
    db = np.zeros_like(b)
    num_train, num_classes = X.shape[0], W.shape[1]
    for i in range(num_train):
        scores = X[i].dot(W) + b
        for j in range(num_classes):
            if j == y[i]:
                continue
            if scores[j] - scores[y[i]] + 1 > 0:
                dW[:, j] += X[i]
                db[j] += 1
                dW[:, y[i]] = -X[i]
                db[y[i]] = -1
    return dW / num_train, db / num_train


hinge.add("overwritten_instead_of_accumulated", "in_the_loop", backward, at="dW")


def backward(X, y, W, b):
    N = X.shape[0]
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for i in range(N):
        scores = X[i] @ W + b
        for j in range(W.shape[1]):
            if j != y[i] and scores[j] - scores[y[i]] + 1 > 0:
                dW[:, j] += X[i] / N
                dW[:, y[i]] += X[i] / N
                db[j] += 1 / N
                db[y[i]] += 1 / N
    return dW, db


hinge.add("sign", "correct_class_pushed_away", backward, at="dW")


def smoothed_loss(X, Y, W1, W2, b2):
    h = np.maximum(0, X @ W1)
    z = h @ W2 + b2
    logp = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    soft = Y * 0.9 + 0.1 / 4
    return -np.mean(np.sum(soft * logp, axis=1))


def smoothed_right(X, Y, W1, W2, b2):
    h = np.maximum(0, X @ W1)
    dz = (softmax(h @ W2 + b2) - (0.9 * Y + 0.025)) / X.shape[0]
    return X.T @ (dz @ W2.T * (h > 0)), h.T @ dz, dz.sum(axis=0)


X, W1, W2, b2 = normal(123, (7, 3), (3, 6), (6, 4), (4,))
smoothed_args = (X, np.eye(4)[[1, 3, 0, 2, 1, 0, 3]], W1, W2, b2)
smoothed = Net("row", "label_smoothing", smoothed_loss, smoothed_right, smoothed_args, ("W1", "W2", "b2"))


def backward(X, Y, W1, W2, b2):
    n = X.shape[0]
    h = np.maximum(0, X @ W1)
    p = softmax(h @ W2 + b2)
    dz = (p - Y) / n
    dW2 = h.T @ dz
    db2 = dz.sum(axis=0)
    dh = dz @ W2.T
    dh[h <= 0] = 0
    return X.T @ dh, dW2, db2


smoothed.add("wrong_loss_derivative forward_mismatch", "hard_labels", backward, at="dz")


def backward(X, Y, W1, W2, b2):
    n, k = Y.shape
    eps = 0.2
    h = np.maximum(0, X @ W1)
    p = softmax(h @ W2 + b2)
    target = (1 - eps) * Y + eps / k
    dz = (p - target) / n
    dW2 = h.T @ dz
    db2 = dz.sum(axis=0)
    dh = dz @ W2.T
    dh[h <= 0] = 0
    return X.T @ dh, dW2, db2


smoothed.add("forward_mismatch wrong_loss_derivative", "another_smoothing", backward, at="target")


def weighted_loss(X, Y, weights, W1, b1, W2, b2):
    A = sigmoid(np.tanh(X @ W1 + b1) @ W2 + b2)
    costs = -(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    return np.sum(weights[:, None] * costs) / np.sum(weights)


def weighted_right(X, Y, weights, W1, b1, W2, b2):
    H = np.tanh(X @ W1 + b1)
    dZ2 = weights[:, None] * (sigmoid(H @ W2 + b2) - Y) / weights.sum()
    dZ1 = dZ2 @ W2.T * (1 - H**2)
    return X.T @ dZ1, dZ1.sum(axis=0), H.T @ dZ2, dZ2.sum(axis=0)


X, *parameters = normal(124, (7, 5), (5, 4), (4,), (4, 3), (3,))
Y = (np.sin(3 * np.arange(21)) > 0).reshape(7, 3).astype(float)
weights = np.array([0.5, 2.0, 1.5, 0.25, 3.0, 1.0, 0.75])
weighted = Net(
    "row", "sample_weights", weighted_loss, weighted_right, (X, Y, weights, *parameters), ("W1", "b1", "W2", "b2")
)


def backward(X, Y, weights, W1, b1, W2, b2):
    H = np.tanh(X @ W1 + b1)
    A = sigmoid(H @ W2 + b2)
    dZ2 = (A - Y) / weights.sum()
    dW2, db2 = H.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - H**2)
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


weighted.add("mask_not_applied wrong_loss_derivative forward_mismatch", "weights_of_the_samples", backward, at="dZ2")


def backward(X, Y, weights, W1, b1, W2, b2):
    H = np.tanh(X @ W1 + b1)
    A = sigmoid(H @ W2 + b2)
    dA = weights[:, None] * (A - Y) / weights.sum()
    dZ2 = dA * A * (1 - A)
    dW2, db2 = H.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - H**2)
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


weighted.add("extra_activation_derivative wrong_loss_derivative", "output", backward, at="dZ2")


def backward(X, Y, weights, W1, b1, W2, b2):
    H = np.tanh(X @ W1 + b1)
    A = sigmoid(H @ W2 + b2)
    dA = -weights[:, None] * (Y / A - (1 - Y) / (1 - A)) / weights.sum()
    dZ2 = dA * (1 - A**2)
    dW2, db2 = H.T @ dZ2, dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T * (1 - H**2)
    return X.T @ dZ1, dZ1.sum(axis=0), dW2, db2


weighted.add("wrong_activation", "tanh_for_sigmoid", backward, at="dZ2")


def column_target_loss(X, y, w, b):
    pred = sigmoid(X @ w + b)
    return np.mean((pred - y[:, 0]) ** 2)


def column_target_right(X, y, w, b):
    p = sigmoid(X @ w + b)
    dz = 2 * (p - y[:, 0]) * p * (1 - p) / len(y)
    return X.T @ dz, dz.sum()


X, w = normal(125, (9, 4), (4,))
args = (X, (X[:, :1] > 0.1).astype(float), w, 0.2)
column_target = Net("row", "target_with_an_axis", column_target_loss, column_target_right, args, ("w", "b"))


def backward(X, y, w, b):
    m = len(y)
    pred = sigmoid(X @ w + b)
    error = pred - y
    dz = 2 * error * pred * (1 - pred) / m
    dw = np.mean(dz @ X, axis=0)
    db = np.sum(dz) / m
    return dw, db


column_target.add("keepdims_broadcast", "n_by_one_minus_n", backward, at="error")

CASES = (*huber.cases, *hinge.cases, *smoothed.cases, *weighted.cases, *column_target.cases)
