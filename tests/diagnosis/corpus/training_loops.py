"""Gradients that come out of a training loop: weights already updated, values of another step, an optimizer's state.

Some of these functions remember something from call to call, as the training code does from which they are taken. What
they remember starts warm, except where a first call is meant to look right.
"""

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def logistic_loss(X, y, w, b):
    p = sigmoid(X @ w + b)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def logistic_right(X, y, w, b):
    error = (sigmoid(X @ w + b) - y) / len(y)
    return X.T @ error, error.sum()


X, w = normal(141, (9, 4), (4,))
logistic = Net("row", "logistic", logistic_loss, logistic_right, (X, (X[:, 1] > 0.2).astype(float), w, 0.1), ("w", "b"))
velocity = {"w": np.zeros(4), "b": 0.0}


def backward(X, y, w, b):
    error = (sigmoid(X @ w + b) - y) / len(y)
    dw = X.T @ error
    db = error.sum()
    velocity["w"] = 0.9 * velocity["w"] + dw
    velocity["b"] = 0.9 * velocity["b"] + db
    return velocity["w"], velocity["b"]


logistic.add("momentum_confused_with_gradient", "velocity_from_zero", backward, at="dw")

averages = {"w": np.zeros(4), "b": 0.0}


def backward(X, y, w, b):
    beta = 0.9
    error = (sigmoid(X @ w + b) - y) / len(y)
    grads = {"w": X.T @ error, "b": error.sum()}
    for name, g in grads.items():
        averages[name] = beta * averages[name] + (1 - beta) * g
        grads[name] = averages[name]
    return grads


logistic.add("momentum_confused_with_gradient", "moving_average", backward, at="grads")

adam = {"t": 0, "m": np.zeros(5), "v": np.zeros(5)}


def backward(X, y, w, b):
    error = (sigmoid(X @ w + b) - y) / len(y)
    g = np.append(X.T @ error, error.sum())
    adam["t"] += 1
    adam["m"] = 0.9 * adam["m"] + 0.1 * g
    adam["v"] = 0.999 * adam["v"] + 0.001 * g**2
    m_hat = adam["m"] / (1 - 0.9 ** adam["t"])
    v_hat = adam["v"] / (1 - 0.999 ** adam["t"])
    step = m_hat / (np.sqrt(v_hat) + 1e-8)
    return step[:-1], step[-1]


logistic.add("momentum_confused_with_gradient", "adam_direction", backward, at="step")


def backward(X, y, w, b):
    lr = 0.5
    for _ in range(3):
        error = (sigmoid(X @ w + b) - y) / len(y)
        dw = X.T @ error
        db = error.sum()
        w = w - lr * dw
        b = b - lr * db
    return dw, db


logistic.add("stale_value", "gradient_of_the_third_step", backward, at="error")


def two_layer_loss(X, Y, W1, W2):
    return 0.5 * np.sum((np.tanh(X @ W1) @ W2 - Y) ** 2)


def two_layer_right(X, Y, W1, W2):
    H = np.tanh(X @ W1)
    dout = H @ W2 - Y
    return X.T @ (dout @ W2.T * (1 - H**2)), H.T @ dout


two_layer_args = normal(142, (6, 4), (6, 3), (4, 5), (5, 3))
two_layer = Net("row", "two_layer_class", two_layer_loss, two_layer_right, two_layer_args, ("W1", "W2"))


class Model:
    def forward(self, X, W1, W2):
        self.X = X
        self.H = np.tanh(X @ W1)
        return self.H @ W2

    def backward(self, dout, W2):
        dH = dout @ W2.T
        return self.X.T @ (dH * (1 - self.H**2)), self.H.T @ dout


def backward(X, Y, W1, W2):
    model = Model()
    out = model.forward(X, W1, W2)
    dout = out - Y
    other_X = X[::-1] * 0.9  # the validation batch
    validation_loss = 0.5 * np.sum((model.forward(other_X, W1, W2) - Y) ** 2)
    assert np.isfinite(validation_loss)
    dW1, dW2 = model.backward(dout, W2)
    return dW1, dW2


two_layer.add("stale_value forward_mismatch", "cache_of_the_validation_batch", backward, at="dW2")


def backward(X, Y, W1, W2):
    H = np.tanh(X @ W1)
    out = H @ W2
    dout = out - Y
    dW2 = H.T @ dout
    params = {"W2": W2.copy()}
    params["W2"] -= 0.1 * dW2
    dH = dout @ params["W2"].T
    dW1 = X.T @ (dH * (1 - H**2))
    return dW1, dW2


two_layer.add("stale_value", "in_place_on_the_parameters", backward, at="dH")


def momentum_loss(X, Y, W1, b1, W2, b2, VdW1, Vdb1, VdW2, Vdb2):
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / X.shape[1]


def momentum_right(X, Y, W1, b1, W2, b2, *velocities):
    A1 = np.tanh(W1 @ X + b1)
    dZ2 = (sigmoid(W2 @ A1 + b2) - Y) / X.shape[1]
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


X, *parameters = normal(143, (4, 7), (5, 4), (5, 1), (3, 5), (3, 1))
velocities = normal(144, (5, 4), (5, 1), (3, 5), (3, 1), scale=0.1)
Y = (np.sin(np.arange(21)) > 0).reshape(3, 7).astype(float)
momentum = Net(
    "column",
    "with_velocities",
    momentum_loss,
    momentum_right,
    (X, Y, *parameters, *velocities),
    ("W1", "b1", "W2", "b2"),
)


def backward(X, Y, W1, b1, W2, b2, VdW1, Vdb1, VdW2, Vdb2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = (A2 - Y) / m
    dW2 = 0.9 * VdW2 + np.dot(dZ2, A1.T)
    db2 = 0.9 * Vdb2 + np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1 = 0.9 * VdW1 + np.dot(dZ1, X.T)
    db1 = 0.9 * Vdb1 + np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


momentum.add("momentum_confused_with_gradient", "velocities_are_arguments", backward, at="dW2")


def backward(X, Y, W1, b1, W2, b2, VdW1, Vdb1, VdW2, Vdb2):
    m, beta = X.shape[1], 0.9
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = (A2 - Y) / m
    dW2 = np.dot(dZ2, A1.T)
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    grads = (dW1, db1, dW2, db2)
    vs = (VdW1, Vdb1, VdW2, Vdb2)
    return tuple(beta * v + (1 - beta) * g for v, g in zip(vs, grads, strict=True))


momentum.add("momentum_confused_with_gradient", "average_with_velocities", backward, at="grads")


class Momentum:
    def __init__(self):
        self.v = None

    def step(self, grads):
        if self.v is None:
            self.v = [np.zeros_like(g) for g in grads]
        self.v = [0.9 * v + g for v, g in zip(self.v, grads, strict=True)]
        return self.v


optimizer = Momentum()


def backward(X, Y, W1, b1, W2, b2, *_):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    dZ2 = (sigmoid(np.dot(W2, A1) + b2) - Y) / m
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    grads = [dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)]
    grads = optimizer.step(grads)
    return tuple(grads)


momentum.add("momentum_confused_with_gradient", "optimizer_object", backward, at="grads")


def backward(X, Y, W1, b1, W2, b2, *_):
    m = X.shape[1]
    learning_rate = 1.2
    for _i in range(2):
        A1 = np.tanh(np.dot(W1, X) + b1)
        A2 = sigmoid(np.dot(W2, A1) + b2)
        dZ2 = A2 - Y
        dW2 = np.dot(dZ2, A1.T) / m
        db2 = np.sum(dZ2, axis=1, keepdims=True) / m
        dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
        dW1 = np.dot(dZ1, X.T) / m
        db1 = np.sum(dZ1, axis=1, keepdims=True) / m
        W1, b1 = W1 - learning_rate * dW1, b1 - learning_rate * db1
        W2, b2 = W2 - learning_rate * dW2, b2 - learning_rate * db2
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


momentum.add("stale_value", "gradient_of_the_second_step", backward, at="A2")


def backward(X, Y, W1, b1, W2, b2, *_):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    W2 = W2 - 0.5 * dW2
    b2 = b2 - 0.5 * db2
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


momentum.add("stale_value", "updated_before_use", backward, at="dZ1")

CASES = (*logistic.cases, *two_layer.cases, *momentum.cases)
