"""The functions whose derivatives are timed: their text, their arguments, and what is asked of them. All in float64.

The one idea: a function is written once, in NumPy, for any module that looks like NumPy.

>>> import numpy as np
>>> case = CASES["rosen n=10"]
>>> round(float(functions(np)[case.function](*arguments(case))), 6)
57.816905

A case without a function is left out, with its reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy  # noqa: ICN001 - `np` is whatever looks like it

STEPS, STEP_SIZE = 100, 0.05


@dataclass(frozen=True)
class Case:
    """What is derived, and how.

    Attributes
    ----------
    function : str
        Its name in `functions`.
    sizes : tuple of int
        What `arguments` makes arrays of.
    derivative : {"grad", "per_sample_grad", "jacobian", "hessian"}
    wrt : tuple of int
        The positions of the arguments that it is derived by.
    calls : int
        Calls in an epoch.
    """

    function: str
    sizes: tuple[int, ...]
    derivative: str
    wrt: tuple[int, ...]
    calls: int


CASES = {
    "rosen n=10": Case("rosen", (10,), "grad", (0,), 2000),
    "rosen n=1000": Case("rosen", (1000,), "grad", (0,), 2000),
    "logreg 569x30": Case("logreg", (569, 30), "grad", (0, 1), 1000),
    "mlp B=128": Case("mlp", (128, 30, 64, 64, 10), "grad", (0, 1, 2, 3, 4, 5), 400),
    "100-step loop": Case("loop", (), "grad", (0, 1), 300),
    "per-sample x1000": Case("mlp", (1000, 64, 32, 10), "per_sample_grad", (0, 1, 2, 3), 5),
    "jacobian 10x64": Case("network", (64, 32, 10), "jacobian", (0,), 1000),
    "hessian 30x30": Case("logreg", (569, 30), "hessian", (0,), 300),
}
LEFT_OUT = {"GP likelihood": "chainrule does not trace np.linalg.cholesky and np.linalg.solve yet"}


def functions(np: Any) -> dict[str, Callable[..., Any]]:
    """The functions, on top of `numpy`, `autograd.numpy` or `jax.numpy`."""

    def rosen(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def logreg(w, b, X, s):
        return np.mean(np.log1p(np.exp(-s * (X @ w + b))))

    def mlp(*args):
        *weights, X, y = args
        A = X
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            A = np.maximum(0, A @ W + b)
        Z = A @ weights[-2] + weights[-1]
        S = Z - np.max(Z, axis=1, keepdims=True)
        logP = S - np.log(np.sum(np.exp(S), axis=1, keepdims=True))
        return -np.mean(logP[np.arange(len(y)), y])

    def loop(x, r):
        for _ in range(STEPS):
            x = x + STEP_SIZE * r * x * (1 - x)
        return x

    def network(x, W1, b1, W2, b2):
        return np.tanh(x @ W1 + b1) @ W2 + b2

    return {"rosen": rosen, "logreg": logreg, "mlp": mlp, "loop": loop, "network": network}


def arguments(case: Case) -> tuple[Any, ...]:
    """The same arguments in every process."""
    rng = numpy.random.default_rng(0)
    if case.function == "rosen":
        return (rng.normal(size=case.sizes) * 0.3,)
    if case.function == "logreg":
        N, n = case.sizes
        X = rng.normal(size=(N, n))
        signs = numpy.sign(X @ rng.normal(size=n) + rng.normal(size=N))
        return rng.normal(size=n) * 0.3, 0.1, X, signs
    if case.function == "loop":
        return 0.1, 1.5
    weights: list[Any] = []
    sizes = case.sizes if case.function == "network" else case.sizes[1:]
    for n_in, n_out in itertools.pairwise(sizes):
        weights += [rng.normal(size=(n_in, n_out)) * numpy.sqrt(2 / n_in), rng.normal(size=n_out) * 0.1]
    if case.function == "network":
        return (rng.normal(size=sizes[0]), *weights)
    N = case.sizes[0]
    return (*weights, rng.normal(size=(N, sizes[0])), rng.integers(0, sizes[-1], N))


def epoch_of(case: Case, call: Callable[[], Any]) -> Callable[[], None]:
    """An epoch: so many calls."""

    def epoch() -> None:
        for _ in range(case.calls):
            call()

    return epoch


def saver_of(call: Callable[[], Any]) -> Callable[[str], None]:
    """Writes what a call returns to a file, for the parent to compare."""

    def save(path: str) -> None:
        result = call()
        parts = result if isinstance(result, (tuple, list)) else [result]
        numpy.savez(path, *(numpy.asarray(part, dtype=float) for part in parts))

    return save
