"""`check_backward`: is a backward pass that was written by hand right, and if not, what is wrong with it?

The one idea: the true backward pass is derived from the loss; the mistake is the one change of it that gives the user's
numbers, here and at other arguments, where the same backward pass is asked again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.arguments import Call, Wrt, function_name, parameter_names, take_apart
from chainrule.diagnosis.bench import Bench
from chainrule.diagnosis.correcting import mend_causes
from chainrule.diagnosis.formulas import parse_formula
from chainrule.diagnosis.report import BackwardReport
from chainrule.diagnosis.search import Cause, find_causes
from chainrule.diagnosis.telling import groups_of, tell, tell_of_state
from chainrule.elsewhere import find_batch, looks_like_labels
from chainrule.errors import ArgumentError
from chainrule.questioning import (
    Case,
    bench_of,
    copied,
    default_wrt,
    dtype_of,
    elsewhere_of,
    per_sample_notes,
    prepare,
    read_result,
    run_backward,
    state_of,
)

SECONDS = 3.0  # for a correction to be found


def check_backward(
    function: Callable,
    backward: Any,
    *args: Any,
    wrt: Wrt | None = None,
    intermediates: Mapping[str, Any] | None = None,
    mend: bool = True,
    **kwargs: Any,
) -> BackwardReport:
    """Judge a backward pass that was written by hand, and say what is wrong with it.

    Parameters
    ----------
    function : callable
        The loss: plain NumPy, returning one number.
    backward : callable or arrays
        Called as ``backward(*args)``; returns the gradients as a tuple in the order of `wrt`, as a dict by name (``"W1"`` or
        ``"dW1"``), in the structure of the argument, or behind the loss as ``(loss, gradients)``. Instead of a function, the
        gradients themselves; or a ``torch.autograd.Function``, applied to the arguments as tensors.
    *args, **kwargs
        Example arguments.
    wrt : int, str or tuple of these, optional
        What the gradients are by. Default: the keys of a dict, else all floating arguments.
    intermediates : mapping of str to array, optional
        Values on the way, by name: ``{"dZ2": ..., "dA1": ...}``, or forward values (``{"Z2": ...}``). The first one that
        departs is named.
    mend : bool, default True
        Look for the line of `backward` that is wrong, and for a correction of it.

    Returns
    -------
    BackwardReport
        True if every gradient is right. ``print`` shows each gradient, each mistake with its place and, where it was found,
        the corrected line; ``verdict`` is one word, ``findings`` are the mistakes from the loss on.

    Raises
    ------
    ArgumentError
        If a gradient is missing, is not numeric, or an intermediate has a name that the function does not have.

    Notes
    -----
    A cause is named only if it reproduces the numbers to rounding. `backward` is called on copies, and again at other
    arguments with another number of samples: N times too large is not the width times too large there.

    Examples
    --------
    >>> import numpy as np
    >>> def loss(X, y, w):
    ...     e = X @ w - y
    ...     return np.mean(e**2)
    >>> def backward(X, y, w):
    ...     return 2 * X.T @ (X @ w - y)
    >>> X, y, w = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]]), np.ones(3), np.array([0.5, -1.0])
    >>> report = check_backward(loss, backward, X, y, w, wrt="w")
    >>> bool(report), report.verdict
    (False, 'missing_mean')
    """
    case, result, written = prepare(function, backward, args, kwargs, wrt, intermediates or {})
    bench, graph, notes = bench_of(case, result)
    notes += [*written, *per_sample_notes(bench)]
    state = state_of(case, bench, result)  # first: calls at other arguments would go into what it remembers
    if state is not None:
        return tell_of_state(case_names(function, backward), bench, *state)
    elsewhere = elsewhere_of(case, graph) if callable(case.backward) else []
    referees = [there for _, there in elsewhere]
    causes, left = find_causes(bench, referees) if bench.unexplained() else ([], [])
    mends: list[Any] = []
    if mend and callable(backward) and causes and not left:
        mends, corrected = _mends(case, bench, causes, elsewhere)
        if corrected is not None and check_backward(function, corrected, *args, wrt=case.wrt, mend=False, **kwargs):
            notes.append("with these lines corrected every gradient is right: the corrected function was checked, too")
    return tell(case_names(function, backward), bench, causes, left, mends, notes, dtype_of(case, result))


def check_formula(function: Callable, formulas: Mapping[str, str], *args: Any, **kwargs: Any) -> BackwardReport:
    """Judge formulas of a backward pass, written as text, and say what is wrong with them.

    Parameters
    ----------
    function : callable
        The loss: plain NumPy, returning one number.
    formulas : mapping of str to str
        By the name of the gradient: ``{"dZ2": "(A2 - Y) / N", "dW2": "A1.T @ dZ2"}``. NumPy expressions over the function's
        names, those of its gradients, and the formulas before them. Parsed, never evaluated as code.
    *args, **kwargs
        Example arguments.

    Returns
    -------
    BackwardReport
        As of `check_backward`; true if every formula is right.

    Raises
    ------
    FormulaError
        If a formula cannot be read, names nothing that is there, or its shapes do not fit; a caret shows the place.

    Examples
    --------
    >>> import numpy as np
    >>> def loss(z, y):
    ...     a = 1 / (1 + np.exp(-z))
    ...     return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
    >>> z, y = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, 1.0])
    >>> bool(check_formula(loss, {"dz": "(a - y) / 3"}, z, y))
    True
    >>> check_formula(loss, {"da": "(y / a - (1 - y) / (1 - a)) / 3"}, z, y).verdict
    'sign'
    """
    if not formulas:
        raise ArgumentError("no formula was given; for example check_formula(loss, {'dW': 'X.T @ dZ'}, X, y, W)")
    parsed = {name: parse_formula(text) for name, text in formulas.items()}
    args = tuple(float(a) if type(a) is int else a for a in args)
    call = take_apart(function, args, kwargs, parameter_names(function))
    chosen = tuple(n for n in default_wrt(call, None) if f"d{call.names[n]}" in formulas or not _is_data(call, n))
    batch = find_batch(function, args, kwargs, chosen)
    case = Case(function, None, args, kwargs, chosen, batch, batch.size if batch else None, {}, parsed)
    bench, graph, notes = bench_of(case, None)
    referees = [there for _, there in elsewhere_of(case, graph)]
    causes, left = find_causes(bench, referees) if bench.unexplained() else ([], [])
    names = (f"{function_name(function)}()", "your formula" if len(formulas) == 1 else "your formulas")
    report = tell(names, bench, causes, left, [], notes, "float64")
    # a formula is judged with all that it is made of as it should be: the mistake is in the formula itself
    findings = tuple(
        dataclasses.replace(f, quantity=f.explains[0], quantities=f.explains[:1], where="") if f.explains else f
        for f in report.findings
    )
    return dataclasses.replace(report, findings=findings)


def _is_data(call: Call, argument: int) -> bool:
    """Whether an argument is labels, targets or a mask, by its name or its values: nothing is learned in it."""
    named = call.names[argument].lower() in ("y", "t", "target", "targets", "label", "labels", "mask")
    return named or all(looks_like_labels(np.asarray(leaf)) for leaf in call.leaves[argument])


def case_names(function: Callable, backward: Any) -> tuple[str, str]:
    """What function and backward pass are called in the report."""
    return f"{function_name(function)}()", f"{function_name(backward)}()" if callable(backward) else "your gradients"


def _mends(
    case: Case, bench: Bench, causes: Sequence[Cause], elsewhere: Sequence[tuple[Case, Bench]]
) -> tuple[list[Any], Callable | None]:
    """A correction for each mistake, and the backward pass with all of them."""

    def is_right_elsewhere(function: Callable) -> bool:
        for there, referee in elsewhere:
            found = read_result(there, referee, run_backward(function, copied(there.args), there.kwargs))
            for target in referee.targets:
                value = dataclasses.replace(target, value=found[target.number])
                if not value.explained_by(referee.scene.exact.cotangents[target.number]):
                    return False
        return True

    return mend_causes(
        case.backward,
        case.args,
        case.kwargs,
        bench,
        groups_of(causes),
        lambda result: read_result(case, bench, result),
        is_right_elsewhere,
        SECONDS,
    )
