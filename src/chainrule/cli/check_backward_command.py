"""`chainrule check-backward`: judge a backward pass in a file, and say what is wrong with it and how to mend it."""

from __future__ import annotations

import inspect
import json as json_text
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chainrule.cli.loading import call_user, load_example, load_function
from chainrule.diagnosing import check_backward as judge
from chainrule.errors import ArgumentError


def check_backward(
    function: str,
    backward: str,
    /,
    *,
    args: Path,
    wrt: str = "",
    mend: bool = True,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Judge a backward pass that was written by hand: right, or what is wrong with it, and the line to mend.

    The backward pass is called with the arguments of the loss, and again with others and another number of samples. A
    mistake is named only if it gives the same numbers to rounding. Exit code 0: every gradient is right. 1: one is not. 2:
    the functions or the arguments cannot be used.

    For example:

        chainrule check-backward losses:loss losses:backward --args example.npz
        chainrule check-backward train/losses.py:loss train/losses.py:backward --args example.npz --wrt W1,b1
        chainrule check-backward losses:loss losses:backward --args example.npz --json

    The file of arguments is made with np.savez("example.npz", X=X, y=y, W1=W1, b1=b1): one array for each parameter.

    Parameters
    ----------
    function
        The loss, as module:function or file.py:function; it returns one number.
    backward
        Its backward pass, likewise; takes the same arguments, returns the gradients as a tuple or a dict by name.
    args
        An npz file; its arrays are named like the loss's parameters.
    wrt
        What the gradients are by, separated by commas. By default the names in the dict, else all that hold floats.
    mend
        Look for the wrong line, and for a correction of it.
    json
        Print one JSON object instead of text.
    """
    loss, accused = load_function(function), load_function(backward)
    example = load_example(args, loss, function)
    names = tuple(name.strip() for name in wrt.split(",") if name.strip())
    positional, keywords = _as_call(loss, example)
    try:
        report = call_user(
            backward, lambda: judge(loss, accused, *positional, wrt=names or None, mend=mend, **keywords)
        )
    except ArgumentError as error:
        raise ArgumentError(f"{error}{_line_of(error.__cause__, (loss, accused))}") from error
    if json:
        print(json_text.dumps(report.to_dict()))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(report)
    else:
        print(report)
    return 0 if report else 1


def _line_of(cause: BaseException | None, functions: tuple[Callable, ...]) -> str:
    """Where the user's function raised: the innermost line in a file of theirs, or nothing."""
    files = {inspect.unwrap(function).__code__.co_filename for function in functions if inspect.isfunction(function)}
    frames = traceback.extract_tb(cause.__traceback__) if cause is not None else []
    line = next((frame for frame in reversed(frames) if frame.filename in files), None)
    return f" ({Path(line.filename).name}, line {line.lineno}: {line.line})" if line else ""


def _as_call(function: Callable, example: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The example by position as far as it goes: the backward pass may name its parameters otherwise."""
    positional: list[Any] = []
    for name in inspect.signature(function).parameters:
        if name not in example:
            break
        positional.append(example[name])
    return positional, dict(list(example.items())[len(positional) :])
