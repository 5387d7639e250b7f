"""A training step in NumPy as an expert writes it by hand: no array is made twice, every one has its buffer.

    python numpy_by_hand.py digits

What was tried, and what is used since it was quickest: `A.dot(B, out)` rather than `matmul` (half the cost of a small
call), sums as products with ones, the learning rate and 1/N multiplied into the last delta (the smallest array), masks
as floats (`np.sign` of a small array, `np.greater` of a large one), and all weights as views into one array, so that
an update is one call. Numbers are arrays without axes: NumPy takes these twice as quickly as scalars.
"""

from __future__ import annotations

import math
import sys

import child
import numpy as np
from configurations import BETA1, BETA2, CONFIGURATIONS, EPS, Configuration, batches, starting_point

SMALL = 4096  # entries


class Training:
    """Weights, buffers, and the step that uses them."""

    def __init__(self, configuration: Configuration, weights: list[tuple[np.ndarray, np.ndarray]]) -> None:
        dtype, N = np.dtype(configuration.dtype), configuration.batch
        self.configuration = configuration
        self.zero = np.zeros((), dtype)
        self.outputs = [np.empty((N, n), dtype) for n in configuration.sizes[1:]]
        self.deltas = [np.empty_like(A) for A in self.outputs]
        self.masks = [np.empty_like(A) for A in self.outputs]
        self.mask_rules = [np.sign if A.size < SMALL else np.greater for A in self.outputs]
        self.parameters, self.weights = joined(weights)
        self.slopes, self.gradients = joined(weights)
        self.m, self.v, self.first, self.second = (np.zeros_like(self.parameters) for _ in range(4))
        self.t = 0
        k = configuration.sizes[-1]
        self.column, self.row = np.empty((N, 1), dtype), np.empty(N, dtype)
        self.ones, self.class_ones = np.ones(N, dtype), np.ones(k, dtype)
        self.offsets = np.arange(N) * k
        self.places = np.empty(N, np.int64)
        self.last_delta = {"softmax": self.softmax, "sigmoid": self.sigmoid, "squares": self.squares}[
            configuration.loss
        ]
        # sgd: the deltas carry the learning rate and 1/N; adam wants the gradients themselves
        rate = configuration.lr if configuration.optimizer == "sgd" else 1.0
        per_element = 2 / k if configuration.loss == "squares" else 1.0
        self.scale = np.array(rate * per_element / N, dtype)
        self.beta1, self.beta2 = np.array(BETA1, dtype), np.array(BETA2, dtype)
        self.rest1, self.rest2 = np.array(1 - BETA1, dtype), np.array(1 - BETA2, dtype)
        self.rate, self.eps = np.empty((), dtype), np.empty((), dtype)
        self.update = self.sgd if configuration.optimizer == "sgd" else self.adam

    def softmax(self, Z: np.ndarray, D: np.ndarray, y: np.ndarray) -> float:
        """Mean cross-entropy of softmax, and N times its derivative in D."""
        np.maximum.reduce(Z, 1, None, self.column, True)
        np.subtract(Z, self.column, Z)
        np.exp(Z, D)
        D.dot(self.class_ones, self.row)
        np.divide(D, self.row[:, None], D)
        np.log(self.row, self.row)
        places = np.add(self.offsets, y, self.places)
        picked = Z.reshape(-1)[places]
        D.reshape(-1)[places] -= 1
        return (self.ones.dot(self.row) - self.ones.dot(picked)) / len(Z)

    def sigmoid(self, Z: np.ndarray, D: np.ndarray, y: np.ndarray) -> float:
        """Mean cross-entropy of a sigmoid: softplus(z) - y z; sigmoid(z) = exp(z - softplus(z))."""
        np.logaddexp(self.zero, Z, D)
        loss = (self.ones.dot(D[:, 0]) - y[:, 0].dot(Z[:, 0])) / len(Z)
        np.subtract(Z, D, D)
        np.exp(D, D)
        np.subtract(D, y, D)
        return loss

    def squares(self, Z: np.ndarray, D: np.ndarray, y: np.ndarray) -> float:
        """The mean of (Z - y)^2, and Z - y in D."""
        np.subtract(Z, y, D)
        flat = D.reshape(-1)
        loss = flat.dot(flat) / Z.size
        return loss

    def step(self, X: np.ndarray, y: np.ndarray) -> float:
        """One update; returns the loss before it."""
        inputs = [X, *self.outputs]
        last = len(self.weights) - 1
        for layer, (W, b) in enumerate(self.weights):
            Z = inputs[layer].dot(W, self.outputs[layer])
            np.add(Z, b, Z)
            if layer < last:
                np.maximum(Z, self.zero, out=Z)
        D = self.deltas[last]
        loss = self.last_delta(self.outputs[last], D, y)
        np.multiply(D, self.scale, D)
        for layer in range(last, -1, -1):
            dW, db = self.gradients[layer]
            inputs[layer].T.dot(D, dW)
            self.ones.dot(D, db)
            if layer:
                delta, mask = self.deltas[layer - 1], self.masks[layer - 1]
                D.dot(self.weights[layer][0].T, delta)
                if self.mask_rules[layer - 1] is np.sign:
                    np.sign(self.outputs[layer - 1], mask)
                else:
                    np.greater(self.outputs[layer - 1], self.zero, mask)
                D = np.multiply(delta, mask, delta)
        self.update()
        return loss

    def sgd(self) -> None:
        """Subtract what carries the learning rate already."""
        np.subtract(self.parameters, self.slopes, self.parameters)

    def adam(self) -> None:
        """p <- p - lr m_hat / (sqrt(v_hat) + eps), with the corrections of m and v as numbers outside of the arrays."""
        self.t += 1
        root = math.sqrt(1 - BETA2**self.t)
        self.rate[...], self.eps[...] = self.configuration.lr * root / (1 - BETA1**self.t), EPS * root
        p, g, m, v, first, second = self.parameters, self.slopes, self.m, self.v, self.first, self.second
        np.multiply(m, self.beta1, m)
        np.add(m, np.multiply(g, self.rest1, first), m)
        np.multiply(g, g, first)
        np.multiply(v, self.beta2, v)
        np.add(v, np.multiply(first, self.rest2, first), v)
        np.add(np.sqrt(v, first), self.eps, first)
        np.divide(np.multiply(m, self.rate, second), first, first)
        np.subtract(p, first, p)


Layers = list[tuple[np.ndarray, np.ndarray]]


def joined(weights: Layers) -> tuple[np.ndarray, Layers]:
    """A copy of all weights in one array, so that one call updates them all, and each W and b as a view into it."""
    whole = np.concatenate([p.ravel() for layer in weights for p in layer])
    views, start = [], 0
    for layer in weights:
        for p in layer:
            views.append(whole[start : start + p.size].reshape(p.shape))
            start += p.size
    return whole, list(zip(views[::2], views[1::2], strict=True))


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    configuration = CONFIGURATIONS[sys.argv[1]]
    X, y, weights = starting_point(configuration)
    step = Training(configuration, weights).step

    def epoch() -> float:
        total = 0.0
        for rows, targets in batches(configuration, X, y):
            total += step(rows, targets)
        return float(total) / configuration.steps

    child.serve(epoch, versions={"numpy": np.__version__})


if __name__ == "__main__":
    main()
