"""A training with HIPS autograd: the loss in plain NumPy, its gradient, an update.

python with_autograd.py digits
"""

from __future__ import annotations

import sys
from importlib import metadata

import autograd.numpy as anp
import child
import numpy as np
from autograd import value_and_grad
from configurations import BETA1, BETA2, CONFIGURATIONS, EPS, batches, starting_point


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    configuration = CONFIGURATIONS[sys.argv[1]]
    X, y, weights = starting_point(configuration)
    moments = [[np.zeros_like(p), np.zeros_like(p)] for layer in weights for p in layer]
    N = np.arange(configuration.batch)
    lr, t = configuration.lr, 0

    def loss(weights, X, y):
        A = X
        for W, b in weights[:-1]:
            A = anp.maximum(0, anp.dot(A, W) + b)
        W, b = weights[-1]
        Z = anp.dot(A, W) + b
        if configuration.loss == "softmax":
            S = Z - anp.max(Z, axis=1, keepdims=True)
            return anp.mean(anp.log(anp.sum(anp.exp(S), axis=1)) - S[N, y])
        if configuration.loss == "sigmoid":
            return anp.mean(anp.logaddexp(0, Z) - y * Z)
        return anp.mean((Z - y) ** 2)

    derived = value_and_grad(loss)

    def step(X, y):
        nonlocal t
        value, gradients = derived(weights, X, y)
        t += 1
        parameters = [p for layer in weights for p in layer]
        flat = [g for layer in gradients for g in layer]
        for p, g, mv in zip(parameters, flat, moments, strict=True):
            if configuration.optimizer == "sgd":
                p -= lr * g
                continue
            mv[0] = m = BETA1 * mv[0] + (1 - BETA1) * g
            mv[1] = v = BETA2 * mv[1] + (1 - BETA2) * g * g
            p -= lr * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)
        return value

    def epoch() -> float:
        return sum(float(step(rows, targets)) for rows, targets in batches(configuration, X, y)) / configuration.steps

    child.serve(epoch, versions={"autograd": metadata.version("autograd"), "numpy": np.__version__})


if __name__ == "__main__":
    main()
