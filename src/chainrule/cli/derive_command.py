"""`chainrule derive`: the derivation of a network's gradients, or of a function's, on the terminal or in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from chainrule.cli.loading import call_user, load_example, load_function
from chainrule.cli.networks import loss_of_network
from chainrule.deriving import derive as derive_function
from chainrule.deriving import explain
from chainrule.errors import ArgumentError

OWN = frozenset(("wrt", "level", "notation", "layout", "symbols", "shapes", "cut"))


def derive(
    what: str,
    /,
    *,
    args: Path | None = None,
    loss: str = "softmax-cross-entropy",
    activation: str = "relu",
    samples: Literal["rows", "columns"] = "rows",
    batch: int = 4,
    wrt: str = "",
    why: str = "",
    level: Literal["summary", "steps", "proof", "numbers", "collapsed"] = "steps",
    notation: Literal["default", "partial", "nielsen"] = "default",
    layout: Literal["own", "both"] = "own",
    shapes: bool | None = None,
    format: Literal["text", "latex", "md", "html"] | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show how the gradients of a network, or of a function of yours, come about.

    For example:

        chainrule derive 784-256-10
        chainrule derive 2-4-1 --loss sigmoid-cross-entropy --activation tanh --samples columns --level proof
        chainrule derive losses:loss --args example.npz --why dW1
        chainrule derive 4-5-3 --level numbers --notation nielsen -o derivation.html

    Parameters
    ----------
    what
        The sizes of a network's layers, 784-256-10, or a function: module:function or file.py:function.
    args
        An npz file with the function's arguments, named like its parameters.
    loss
        Of a network: softmax-cross-entropy, sigmoid-cross-entropy, mean-squared-error, cross-entropy or
        binary-cross-entropy.
    activation
        Of a network's hidden layers.
    samples
        Whether a network's samples are rows or columns.
    batch
        How many samples the numbers are worked out for; the formulas hold for any.
    wrt
        Parameters to differentiate by, separated by commas. By default all that hold floats, but for labels.
    why
        One gradient, such as dW1: only the chain that leads to it.
    level
        How much is said.
    notation
        dW2, the derivative as a fraction, or Nielsen's deltas.
    layout
        both: samples as rows and as columns side by side.
    shapes
        Set the shape of each symbol under it; by default in LaTeX and HTML, at the levels summary and steps.
    format
        By default text, or what the suffix of the output file says.
    output
        A file to write to: .txt, .tex, .md or .html.
    overwrite
        Replace the file if it exists.
    """
    names: Any = tuple(name.strip() for name in wrt.split(",") if name.strip()) or None
    look: dict[str, Any] = {"level": level, "notation": notation, "layout": layout, "shapes": shapes}
    if all(part.isdigit() for part in what.split("-")) and "-" in what:
        if args is not None:
            raise ArgumentError("--args belongs to a function; a network draws its own example")
        function, example = loss_of_network(what, loss, activation, samples, batch)
    else:
        function = load_function(what)
        if args is None:
            raise ArgumentError(
                f'{what} needs example arguments: --args example.npz, written by np.savez("example.npz", X=X, ...)'
            )
        example = load_example(args, function, what)
        own = OWN & set(example)
        if own:
            raise ArgumentError(
                f"{what} has a parameter called {min(own)!r}, as derive has: wrap it in a function of other names"
            )
    derivation = call_user(what, lambda: derive_function(function, wrt=names, **look, **example))
    shown = explain(derivation, why).with_level(level) if why else derivation
    if output is not None:
        _require_same(format, output)
        shown.save(output, overwrite=overwrite)
        print(f"wrote {output}")
        return 0
    if format in (None, "text") and sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(shown)
        return 0
    print({"latex": shown.latex, "md": shown.markdown, "html": shown.html}.get(format or "", shown.text)())
    return 0


def _require_same(format: str | None, output: Path) -> None:
    from chainrule.show.shown import SUFFIXES

    kind = {"md": "markdown"}.get(format or "", format)
    if kind is not None and SUFFIXES.get(output.suffix.lower()) != kind:
        raise ArgumentError(f"--format {format} and {output.name} do not go together: leave one of them out")
