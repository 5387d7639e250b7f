"""Derivatives as one writes them in NumPy by hand.

python gradients_by_hand.py "rosen n=10"
"""

from __future__ import annotations

import sys
from typing import Any

import child
import numpy as np
from function_cases import CASES, STEP_SIZE, STEPS, arguments, epoch_of, saver_of


def rosen_grad(x):
    """Of the Rosenbrock function."""
    head = x[:-1]
    d = x[1:] - head * head
    g = np.empty_like(x)
    g[:-1] = -400.0 * head * d - 2.0 * (1.0 - head)
    g[-1] = 0.0
    g[1:] += 200.0 * d
    return g


def logreg_grad(w, b, X, s):
    """Of the mean logistic loss."""
    p = s / (-len(s) - len(s) * np.exp(s * (X @ w + b)))
    return p @ X, p.sum()


def logreg_hessian(w, b, X, s):
    """Of the mean logistic loss, by w."""
    e = np.exp(-np.abs(X @ w + b))
    return (X.T * (e / (len(s) * (1 + e) ** 2))) @ X


def mlp_forward(weights, X, y):
    """The activations of all layers, and N times the derivative of the mean cross-entropy by the logits."""
    A = [X]
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        Z = A[-1] @ W
        Z += b
        A.append(np.maximum(Z, 0, out=Z))
    D = A[-1] @ weights[-2]
    D += weights[-1]
    D -= D.max(axis=1, keepdims=True)
    np.exp(D, out=D)
    D /= D.sum(axis=1, keepdims=True)
    D[np.arange(len(y)), y] -= 1
    return A, D


def mlp_grad(*args):
    """Of a ReLU network's mean cross-entropy."""
    *weights, X, y = args
    A, D = mlp_forward(weights, X, y)
    D /= len(y)
    gradients = []
    for layer in range(len(A) - 1, -1, -1):
        gradients += [D.sum(0), A[layer].T @ D]
        if layer:
            D = D @ weights[2 * layer].T
            D *= A[layer] > 0
    return tuple(gradients[::-1])


def mlp_per_sample_grad(*args):
    """Of each sample's cross-entropy by itself."""
    *weights, X, y = args
    A, D = mlp_forward(weights, X, y)
    gradients = []
    for layer in range(len(A) - 1, -1, -1):
        gradients += [D, A[layer][:, :, None] * D[:, None, :]]
        if layer:
            D = D @ weights[2 * layer].T
            D *= A[layer] > 0
    return tuple(gradients[::-1])


def loop_grad(x, r):
    """Of a hundred Euler steps of logistic growth, in Python's own floats."""
    xs = []
    for _ in range(STEPS):
        xs.append(x)
        x += STEP_SIZE * r * x * (1 - x)
    dx, dr = 1.0, 0.0
    hr = STEP_SIZE * r
    for x in reversed(xs):
        dr += dx * x * (1 - x)
        dx *= 1 + hr - 2 * hr * x
    return dx, STEP_SIZE * dr


def network_jacobian(x, W1, b1, W2, b2):
    """Of the outputs of a tanh network by its inputs."""
    A = np.tanh(x @ W1 + b1)
    return ((W1 * (1 - A * A)) @ W2).T


DERIVATIVES = {
    ("rosen", "grad"): rosen_grad,
    ("logreg", "grad"): logreg_grad,
    ("logreg", "hessian"): logreg_hessian,
    ("mlp", "grad"): mlp_grad,
    ("mlp", "per_sample_grad"): mlp_per_sample_grad,
    ("loop", "grad"): loop_grad,
    ("network", "jacobian"): network_jacobian,
}


def main() -> None:
    """Serve epochs of the case that the command line names."""
    case = CASES[sys.argv[1]]
    derived, args = DERIVATIVES[case.function, case.derivative], arguments(case)

    def call() -> Any:
        return derived(*args)

    child.serve(epoch_of(case, call), saver_of(call), versions={"numpy": np.__version__})


if __name__ == "__main__":
    main()
