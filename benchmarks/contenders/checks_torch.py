"""A gradient checked with `torch.autograd.gradcheck`, by its defaults or in its fast mode.

python checks_torch.py "64-128-128-10, N=32" --mode slow | fast
"""

from __future__ import annotations

import argparse
from typing import Any

import child
import torch
from check_cases import CASES, arguments


def loss(*args: Any) -> Any:
    """The mean cross-entropy of a ReLU network."""
    *weights, X, y = args
    A = X
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        A = torch.relu(A @ W + b)
    return torch.nn.functional.cross_entropy(A @ weights[-2] + weights[-1], y)


def main() -> None:
    """Serve checks of the case that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--mode", choices=("slow", "fast"), default="slow")
    options = parser.parse_args()
    *weights, X, y = (torch.as_tensor(a) for a in arguments(*CASES[options.case]))
    weights = [w.requires_grad_() for w in weights]

    def of_weights(*weights: Any) -> Any:
        return loss(*weights, X, y)

    def epoch() -> float:
        torch.autograd.gradcheck(of_weights, weights, fast_mode=options.mode == "fast")
        return float(of_weights(*weights))

    child.serve(epoch, versions={"torch": torch.__version__})


if __name__ == "__main__":
    main()
