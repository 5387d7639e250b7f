"""Derivatives with HIPS autograd; per-sample gradients by a loop over the samples, as it has no other way.

python gradients_autograd.py "rosen n=10"
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import autograd
import autograd.numpy as anp
import child
import numpy as np
from function_cases import CASES, arguments, epoch_of, functions, saver_of


def main() -> None:
    """Serve epochs of the case that the command line names."""
    case = CASES[sys.argv[1]]
    function, args = functions(anp)[case.function], arguments(case)
    several = len(case.wrt) > 1
    if case.derivative in ("grad", "per_sample_grad"):
        derived = autograd.grad(function, case.wrt if several else case.wrt[0])
    else:
        derived = getattr(autograd, case.derivative)(function, case.wrt[0])

    def call() -> Any:
        return derived(*args)

    def one_by_one() -> Any:
        *weights, X, y = args
        samples = [derived(*weights, X[i : i + 1], y[i : i + 1]) for i in range(len(y))]
        return [np.stack(gradients) for gradients in zip(*samples, strict=True)]

    chosen = one_by_one if case.derivative == "per_sample_grad" else call
    child.serve(
        epoch_of(case, chosen),
        saver_of(chosen),
        versions={"autograd": metadata.version("autograd"), "numpy": np.__version__},
    )


if __name__ == "__main__":
    main()
