"""Derivatives with chainrule: traced at every call, or staged once, on NumPy or compiled.

python gradients_chainrule.py "rosen n=10" --how grad | jit | numba
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from typing import Any

import child
import numpy as np
from function_cases import CASES, arguments, epoch_of, functions, saver_of

import chainrule as cr


def main() -> None:
    """Serve epochs of the case that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--how", choices=("grad", "jit", "numba"), default="jit")
    options = parser.parse_args()
    case = CASES[options.case]
    wrt = case.wrt if len(case.wrt) > 1 else case.wrt[0]
    derived: Callable[..., Any] = getattr(cr, case.derivative)(functions(np)[case.function], wrt)
    takes_engine = "engine" in inspect.signature(cr.jit).parameters
    if options.how == "numba" and not takes_engine:
        raise SystemExit("this chainrule's jit has no engine numba")
    if options.how != "grad":
        engine = {"engine": "numba" if options.how == "numba" else "numpy"} if takes_engine else {}
        derived = cr.jit(derived, **engine)
    args = arguments(case)

    def call() -> Any:
        return derived(*args)

    child.serve(epoch_of(case, call), saver_of(call), versions={"chainrule": cr.__version__, "numpy": np.__version__})


if __name__ == "__main__":
    main()
