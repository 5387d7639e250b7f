"""`chainrule check`: prove the gradient of a function in a file, at the arguments in another."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from chainrule.checking.display import as_text
from chainrule.cli.loading import call_user, load_example, load_function
from chainrule.errors import ArgumentError
from chainrule.proving import check as prove


def check(
    function: str,
    /,
    *,
    args: Path,
    wrt: str = "",
    order: Literal[1, 2] = 1,
    budget: int | None = None,
    seed: int = 0,
    methods: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Prove that the gradient of a function is right, or say which entry is wrong and why.

    The derived gradient is compared with what the function itself does when an argument moves: by complex step where that
    can be trusted, else by differences that keep clear of kinks. Then the programs that run are compared with it. Exit code
    0: proved. 1: not. 2: the function or its arguments cannot be used.

    For example:

        chainrule check losses:loss --args example.npz
        chainrule check train/losses.py:loss --args example.npz --wrt W1,b1
        chainrule check losses:loss --args example.npz --order 2 --json

    The file of arguments is made with np.savez("example.npz", X=X, y=y, W1=W1, b1=b1): one array for each parameter.

    Parameters
    ----------
    function
        module:function or file.py:function; it returns one number. The current folder can be imported from.
    args
        An npz file; its arrays are named like the function's parameters.
    wrt
        Parameters to differentiate by, separated by commas. By default all that hold floats.
    order
        2 also looks at the Hessian.
    budget
        About how many evaluations of the function may be spent. By default 5,000, fewer for large arguments.
    seed
        Of random directions and samples.
    methods
        Also print symbolic, numerical, complex-step and automatic derivatives side by side.
    json
        Print one JSON object instead of text.
    """
    accused = load_function(function)
    example = load_example(args, accused, function)
    own = {"wrt", "order", "budget", "seed"} & set(example)
    if own:
        raise ArgumentError(
            f"{function} has a parameter called {min(own)!r}, as check has: wrap it in a function of other names"
        )
    names = tuple(name.strip() for name in wrt.split(",") if name.strip())
    report = call_user(
        function, lambda: prove(accused, wrt=names or None, order=order, budget=budget, seed=seed, **example)
    )
    found = call_user(function, report.methods) if methods else None
    if json:
        data = report.to_dict() | ({} if found is None else {"methods": found.to_dict()})
        print(json_text.dumps(data))
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        console.print(report)
        if found is not None:
            console.print(f"\n{found}", markup=False)
    else:
        print(as_text(report) + ("" if found is None else f"\n\n{found}"))
    return 0 if report else 1
