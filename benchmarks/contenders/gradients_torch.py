"""Derivatives with PyTorch, eager, in the quickest of the ways that it offers.

python gradients_torch.py "rosen n=10"
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import child
import torch
from function_cases import CASES, STEP_SIZE, STEPS, Case, arguments, epoch_of, saver_of


def rosen(x):
    """The Rosenbrock function."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def logreg(w, b, X, s):
    """The mean logistic loss."""
    return torch.log1p(torch.exp(-s * (X @ w + b))).mean()


def mlp(*args):
    """A ReLU network's mean cross-entropy."""
    *weights, X, y = args
    A = X
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        A = torch.relu(A @ W + b)
    return torch.nn.functional.cross_entropy(A @ weights[-2] + weights[-1], y)


def loop(x, r):
    """A hundred Euler steps of logistic growth."""
    for _ in range(STEPS):
        x = x + STEP_SIZE * r * x * (1 - x)
    return x


def network(x, W1, b1, W2, b2):
    """The outputs of a tanh network."""
    return torch.tanh(x @ W1 + b1) @ W2 + b2


FUNCTIONS = {"rosen": rosen, "logreg": logreg, "mlp": mlp, "loop": loop, "network": network}


def per_sample(function: Callable[..., Any], case: Case, count: int) -> Callable[..., Any]:
    """The gradient of a batch of one row, mapped over the rows of the last two arguments."""

    def of_one(*args: Any) -> Any:
        *weights, x, y = args
        return function(*weights, x[None], y[None])

    return torch.func.vmap(torch.func.grad(of_one, case.wrt), in_dims=(*(None,) * (count - 2), 0, 0))


def hessian(function: Callable[..., Any]) -> Callable[..., Any]:
    """By the first argument; three times as fast as `torch.func.hessian`, which takes forward mode."""
    return torch.func.jacrev(torch.func.grad(function))


def main() -> None:
    """Serve epochs of the case that the command line names."""
    case = CASES[sys.argv[1]]
    function = FUNCTIONS[case.function]
    args = [torch.as_tensor(a, dtype=torch.float64 if isinstance(a, float) else None) for a in arguments(case)]
    if case.derivative == "grad":
        chosen = [args[i].requires_grad_() for i in case.wrt]

        def call() -> Any:
            return torch.autograd.grad(function(*args), chosen)

    elif case.derivative == "jacobian":
        x = args[case.wrt[0]].requires_grad_()
        seeds = torch.eye(case.sizes[-1], dtype=torch.float64)

        def call() -> Any:
            return torch.autograd.grad(function(*args), x, seeds, is_grads_batched=True)[0]

    else:
        derived = per_sample(function, case, len(args)) if case.derivative == "per_sample_grad" else hessian(function)

        def call() -> Any:
            return derived(*args)

    child.serve(epoch_of(case, call), saver_of(call), versions={"torch": torch.__version__})


if __name__ == "__main__":
    main()
