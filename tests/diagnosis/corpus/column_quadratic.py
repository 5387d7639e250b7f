"""Samples in columns, sigmoid layers of one width and the summed quadratic cost: `delta`, `nabla_w`, loops over layers.

All hidden layers are equally wide, so that products in the wrong order, transposes and neighbours fit.
"""

# ruff: noqa: RUF059  (people unpack more than they use)

import numpy as np

from diagnosis.corpus.case import Net, normal


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def feedforward(x, weights, biases):
    activation = x
    activations = [x]
    zs = []
    for w, b in zip(weights, biases, strict=True):
        z = np.dot(w, activation) + b
        zs.append(z)
        activation = sigmoid(z)
        activations.append(activation)
    return zs, activations


def loss(x, y, weights, biases):
    a = x
    for w, b in zip(weights, biases, strict=True):
        a = sigmoid(np.dot(w, a) + b)
    return 0.5 * np.sum((a - y) ** 2)


def right(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    nabla_w, nabla_b = [None] * len(weights), [None] * len(biases)
    for i in reversed(range(len(weights))):
        nabla_w[i] = delta @ activations[i].T
        nabla_b[i] = delta.sum(axis=1, keepdims=True)
        if i:
            delta = weights[i].T @ delta * sigmoid_prime(zs[i - 1])
    return nabla_w, nabla_b


x, y, *wb = normal(31, (4, 6), (4, 6), (4, 4), (4, 4), (4, 4), (4, 1), (4, 1), (4, 1))
net = Net("column", "quadratic", loss, right, (x, y, wb[:3], wb[3:]), ("weights", "biases"))


def backward(x, y, weights, biases):
    m = x.shape[1]
    zs, activations = feedforward(x, weights, biases)
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    nabla_b[-1] = delta.sum(axis=1, keepdims=True) / m
    nabla_w[-1] = np.dot(delta, activations[-2].transpose()) / m
    for l in range(2, len(weights) + 1):
        delta = np.dot(weights[-l + 1].transpose(), delta) * sigmoid_prime(zs[-l])
        nabla_b[-l] = delta.sum(axis=1, keepdims=True) / m
        nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose()) / m
    return nabla_w, nabla_b


net.add("extra_mean", "batch", backward, at="nabla_w")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    delta = activations[-1] - y
    nabla_b[-1] = delta.sum(axis=1, keepdims=True)
    nabla_w[-1] = np.dot(delta, activations[-2].transpose())
    for l in range(2, len(weights) + 1):
        delta = np.dot(weights[-l + 1].transpose(), delta) * sigmoid_prime(zs[-l])
        nabla_b[-l] = delta.sum(axis=1, keepdims=True)
        nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
    return nabla_w, nabla_b


net.add("missing_activation_derivative wrong_loss_derivative", "cross_entropy_delta", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    nabla_b[-1] = delta.sum(axis=1, keepdims=True)
    nabla_w[-1] = np.dot(delta, activations[-2].transpose())
    for l in range(2, len(weights) + 1):
        sp = sigmoid_prime(zs[-l])
        delta = np.dot(weights[-l + 1].transpose(), delta * sp)
        nabla_b[-l] = delta.sum(axis=1, keepdims=True)
        nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
    return nabla_w, nabla_b


net.add("product_order", "prime_inside_the_dot", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    nabla_b, nabla_w = [], []
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for i in range(len(weights) - 1, -1, -1):
        nabla_b.insert(0, delta.sum(axis=1, keepdims=True))
        nabla_w.insert(0, np.dot(delta, activations[i].T))
        if i > 0:
            delta = np.dot(weights[i].T * sigmoid_prime(zs[i - 1]).mean(axis=1, keepdims=True), delta)
    return nabla_w, nabla_b


net.add("unknown", "prime_of_the_mean_sample", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    nabla_b, nabla_w = [], []
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for i in range(len(weights) - 1, -1, -1):
        nabla_b.insert(0, delta.sum(axis=1, keepdims=True))
        nabla_w.insert(0, np.dot(delta, activations[i].T))
        if i > 0:
            delta = np.dot(weights[i], delta) * sigmoid_prime(zs[i - 1])
    return nabla_w, nabla_b


net.add("transposed", "weights_forward_and_back", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    nabla_b, nabla_w = [], []
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for i in range(len(weights) - 1, -1, -1):
        nabla_b.insert(0, delta.sum(axis=1, keepdims=True))
        nabla_w.insert(0, np.dot(activations[i], delta.T))
        if i > 0:
            delta = np.dot(weights[i].T, delta) * sigmoid_prime(zs[i - 1])
    return nabla_w, nabla_b


net.add("transposed", "gradient_of_the_weights", backward, at="nabla_w")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    nabla_b, nabla_w = [], []
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for i in range(len(weights) - 1, -1, -1):
        nabla_b.insert(0, delta.sum(axis=1, keepdims=True))
        nabla_w.insert(0, np.dot(delta, activations[i + 1].T))
        if i > 0:
            delta = np.dot(weights[i].T, delta) * sigmoid_prime(zs[i - 1])
    return nabla_w, nabla_b


net.add("off_by_one_layer", "output_for_input", backward, at="nabla_w")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[L] - y) * sigmoid_prime(zs[L - 1])
    nabla_w[L - 1], nabla_b[L - 1] = delta @ activations[L - 1].T, delta.sum(axis=1, keepdims=True)
    for l in range(L - 2, -1, -1):
        delta = (weights[l].T @ delta) * sigmoid_prime(zs[l])
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta.sum(axis=1, keepdims=True)
    return nabla_w, nabla_b


net.add("off_by_one_layer", "weights_of_this_layer", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[L] - y) * sigmoid_prime(zs[L - 1])
    for l in reversed(range(L)):
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta.sum(axis=1, keepdims=True)
        if l > 0:
            delta = (weights[l].T @ delta) * sigmoid_prime(zs[l])
    return nabla_w, nabla_b


net.add("off_by_one_layer", "prime_of_the_next_layer", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[-1] - y) * sigmoid_prime(activations[-1])
    for l in reversed(range(L)):
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta.sum(axis=1, keepdims=True)
        if l > 0:
            delta = (weights[l].T @ delta) * sigmoid_prime(activations[l])
    return nabla_w, nabla_b


net.add("derivative_at_activation_instead_of_preactivation", "every_layer", backward, at="delta")


def sigmoid_derivative(a):
    return a * (1 - a)


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[-1] - y) * sigmoid_derivative(zs[-1])
    for l in reversed(range(L)):
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta.sum(axis=1, keepdims=True)
        if l > 0:
            delta = (weights[l].T @ delta) * sigmoid_derivative(zs[l - 1])
    return nabla_w, nabla_b


net.add("derivative_at_preactivation_instead_of_activation", "every_layer", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    lr = 0.1
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for l in reversed(range(L)):
        nabla_w[l] = lr * (delta @ activations[l].T)
        nabla_b[l] = lr * delta.sum(axis=1, keepdims=True)
        if l > 0:
            delta = (weights[l].T @ delta) * sigmoid_prime(zs[l - 1])
    return nabla_w, nabla_b


net.add("factor:0.1", "learning_rate", backward, at="nabla_w")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    weights = list(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for l in reversed(range(L)):
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta.sum(axis=1, keepdims=True)
        weights[l] = weights[l] - 0.5 * nabla_w[l]
        if l > 0:
            delta = (weights[l].T @ delta) * sigmoid_prime(zs[l - 1])
    return nabla_w, nabla_b


net.add("stale_value", "update_in_the_loop", backward, at="delta")


def backward(x, y, weights, biases):
    zs, activations = feedforward(x, weights, biases)
    L = len(weights)
    nabla_w, nabla_b = [0] * L, [0] * L
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    for l in reversed(range(L)):
        nabla_w[l] = delta @ activations[l].T
        nabla_b[l] = delta[:, -1:]
        if l > 0:
            delta = (weights[l].T @ delta) * sigmoid_prime(zs[l - 1])
    return nabla_w, nabla_b


net.add("bias_not_summed", "last_sample", backward, at="nabla_b")

CASES = net.cases
