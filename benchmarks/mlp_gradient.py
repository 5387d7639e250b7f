"""The gradient of a 3-layer network's loss: chainrule beside hand-written NumPy and HIPS autograd, interleaved.

    python benchmarks/mlp_gradient.py            30-64-64-10, 128 samples, float64
    python benchmarks/mlp_gradient.py --json

Every round calls each contender once; medians over all rounds, and their ratios, are printed. Before that, all gradients
must agree. autograd is left out when it is not installed. On machines where OPENBLAS_CORETYPE is set, unset it (and
OPENBLAS_L2_SIZE) for this command.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import time
from collections.abc import Callable

import numpy as np

import chainrule as cr

SIZES, SAMPLES = (30, 64, 64, 10), 128
WEIGHTS = tuple(range(6))


def loss(W1, b1, W2, b2, W3, b3, X, y):
    """Softmax cross-entropy of a ReLU network, in plain NumPy."""
    A1 = np.maximum(0, X @ W1 + b1)
    A2 = np.maximum(0, A1 @ W2 + b2)
    Z3 = A2 @ W3 + b3
    S = Z3 - Z3.max(axis=1, keepdims=True)
    logP = S - np.log(np.exp(S).sum(axis=1, keepdims=True))
    return -np.mean(logP[np.arange(len(y)), y])


def by_hand(W1, b1, W2, b2, W3, b3, X, y):
    """The gradient as a good engineer writes it."""
    N = len(y)
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + b2
    A2 = np.maximum(0, Z2)
    Z3 = A2 @ W3 + b3
    E = np.exp(Z3 - Z3.max(axis=1, keepdims=True))
    dZ3 = E / E.sum(axis=1, keepdims=True)
    dZ3[np.arange(N), y] -= 1
    dZ3 /= N
    dZ2 = (dZ3 @ W3.T) * (Z2 > 0)
    dZ1 = (dZ2 @ W2.T) * (Z1 > 0)
    return X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0), A2.T @ dZ3, dZ3.sum(0)


def with_autograd() -> Callable | None:
    """The same loss for HIPS autograd, or None where it is not installed."""
    try:
        import autograd
        import autograd.numpy as anp
    except ImportError:
        return None

    def same(W1, b1, W2, b2, W3, b3, X, y):
        A1 = anp.maximum(0, anp.dot(X, W1) + b1)
        A2 = anp.maximum(0, anp.dot(A1, W2) + b2)
        Z3 = anp.dot(A2, W3) + b3
        S = Z3 - anp.max(Z3, axis=1, keepdims=True)
        logP = S - anp.log(anp.sum(anp.exp(S), axis=1, keepdims=True))
        return -anp.mean(logP[anp.arange(len(y)), y])

    return autograd.grad(same, WEIGHTS)


def arguments() -> tuple:
    """Weights, samples and labels."""
    rng = np.random.default_rng(0)
    weights = []
    for n_in, n_out in itertools.pairwise(SIZES):
        weights += [rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in), np.zeros(n_out)]
    return (*weights, rng.standard_normal((SAMPLES, SIZES[0])), rng.integers(0, SIZES[-1], SAMPLES))


def measure(contenders: dict[str, Callable], args: tuple, rounds: int) -> dict[str, float]:
    """The median time of each contender in microseconds, all called in every round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, function in contenders.items():
            start = time.perf_counter()
            function(*args)
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) * 1e6 for name, values in times.items()}


def main() -> None:
    """Check that all agree, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    args = arguments()
    contenders = {
        "NumPy by hand": by_hand,
        "cr.jit(cr.grad(loss))": cr.jit(cr.grad(loss, WEIGHTS)),
        "cr.grad(loss)": cr.grad(loss, WEIGHTS),
    }
    peer = with_autograd()
    if peer is not None:
        contenders["autograd"] = peer
    for name, function in contenders.items():
        for got, want in zip(function(*args), by_hand(*args), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=name)
    medians = measure(contenders, args, options.rounds)
    ratios = {"cr.jit(cr.grad(loss)) / NumPy by hand": medians["cr.jit(cr.grad(loss))"] / medians["NumPy by hand"]}
    if peer is not None:
        ratios["cr.grad(loss) / autograd"] = medians["cr.grad(loss)"] / medians["autograd"]
    machine = (
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    if options.json:
        print(json.dumps({"machine": machine, "rounds": options.rounds, "microseconds": medians, "ratios": ratios}))
        return
    print(f"{machine}; {'-'.join(map(str, SIZES))}, {SAMPLES} samples, median of {options.rounds} interleaved rounds")
    for name, value in medians.items():
        print(f"  {name:24} {value:8.0f} us")
    for name, value in ratios.items():
        print(f"  {name:40} {value:.2f}")


if __name__ == "__main__":
    main()
