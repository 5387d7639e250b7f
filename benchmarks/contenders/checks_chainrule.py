"""A gradient checked with chainrule, everything that `cr.check` proves: trace, gradient, programs.

python checks_chainrule.py "64-128-128-10, N=32"
"""

from __future__ import annotations

import argparse
from typing import Any

import child
import numpy as np
from check_cases import CASES, arguments

import chainrule as cr


def loss(*args: Any) -> Any:
    """The mean cross-entropy of a ReLU network."""
    *weights, X, y = args
    A = X
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        A = np.maximum(0, A @ W + b)
    return cr.nn.softmax_cross_entropy(A @ weights[-2] + weights[-1], y)


def main() -> None:
    """Serve checks of the case that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--entries", choices=("budget", "all"), default="budget")
    options = parser.parse_args()
    args = arguments(*CASES[options.case])
    budget = None if options.entries == "budget" else sum(a.size for a in args[:-2])

    def epoch() -> float:
        report = cr.check(loss, *args, wrt=tuple(range(len(args) - 2)), budget=budget)
        if not report:
            raise SystemExit(f"not proved: {report.verdict}")
        return report.value

    child.serve(epoch, versions={"chainrule": cr.__version__, "numpy": np.__version__})


if __name__ == "__main__":
    main()
