"""`chainrule train`: a table in, a trained network and the program that trained it out.

The one idea: everything that is computed is computed elsewhere; here a table, a network and `fit` are put together, and
what comes of it is said. Nothing is written before the training has ended well.
"""

from __future__ import annotations

import dataclasses
import json as json_text
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

from chainrule import nn, optim
from chainrule.cli.info_command import EXTRAS, installed, version
from chainrule.cli.tables import Table, load_table
from chainrule.errors import ArgumentError
from chainrule.train.data import Standardization, split_rows
from chainrule.train.loop import Fit, fit
from chainrule.train.proof import Proof
from chainrule.train.run_folder import require_new, write_run_folder

EPOCHS, FEWEST_STEPS = 30, 500  # a small table has few batches: it is walked through more often

OPTIMIZERS: dict[
    str, tuple[Callable[..., optim.Optimizer], float]
] = {  # each with a step size that suits standardised columns
    "adam": (optim.adam, 0.002),
    "adamw": (optim.adamw, 0.002),
    "rmsprop": (optim.rmsprop, 0.001),
    "sgd": (optim.sgd, 0.05),
    "momentum": (optim.momentum, 0.01),
    "nesterov": (optim.nesterov, 0.01),
}


def train(
    source: str,
    /,
    *,
    target: str | None = None,
    task: Literal["auto", "classify", "regress"] = "auto",
    ignore: str = "",
    hidden: str = "256",
    activation: str = "relu",
    epochs: int | None = None,
    batch_size: int = 32,
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd", "momentum", "nesterov"] = "adam",
    lr: float | None = None,
    seed: int = 0,
    validation: float = 0.2,
    engine: Literal["auto", "numpy", "numba"] = "auto",
    threads: int | None = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    command: Annotated[str, Parameter(parse=False)] = "chainrule train",
) -> int:
    """Train a network on a table, and leave everything that it takes to repeat it.

    The gradients of the program that will run are compared with differences of the loss before the first step. The run
    folder holds the weights, the history, the command, and train_step.py: the derived training step, importing NumPy
    only, which repeats the run's first step to the last bit when it is executed.

    For example:

        chainrule train digits
        chainrule train diabetes --hidden 64,32 --activation tanh
        chainrule train houses.csv --target price --ignore id,street
        chainrule train flowers.csv --target species --out runs/flowers --json

    Parameters
    ----------
    source
        digits, breast_cancer, wine, iris, diabetes, or a CSV file with a header row and numeric columns.
    target
        The column of the CSV file to learn.
    task
        Whether the target is classes or amounts. auto: text, or at most 20 whole numbers, is classes.
    ignore
        Columns to leave out, separated by commas.
    hidden
        Units of each hidden layer, separated by commas; none for a linear model.
    activation
        Of the hidden layers: relu, tanh, sigmoid, gelu, silu, elu, leaky_relu, softplus.
    epochs
        Passes over the training rows. By default 30, or what makes 500 steps if the table is small.
    batch_size
        Rows for each step.
    optimizer
        The update rule.
    lr
        The learning rate. By default one that suits the optimizer.
    seed
        Decides the split, the first weights and the order of the rows: same seed, same bytes.
    validation
        The part of the rows that is held out to measure with.
    engine
        What runs the steps: numpy, or numba, which compiles them to machine code. auto compiles a training that is long
        enough to gain by it.
    threads
        How many threads share a compiled step. By default one for small steps, and the cores for large ones.
    out
        The run folder; it must not exist. By default runs/NAME-001, or the next number that is free.
    json
        Print one JSON object instead of text.
    quiet
        No progress; print the run folder only.
    """
    require_new(out)
    if not 0 < validation < 1:
        raise ArgumentError(f"--validation is {validation}: the part of the rows to hold out, between 0 and 1")
    table = load_table(source, target, task, _names(ignore))
    classify = table.task == "classify"
    rows, held_out = split_rows(len(table.y), validation, seed, table.y if classify else None)
    sizes = (table.X.shape[1], *_sizes(hidden), len(table.classes) if classify else 1)
    network = nn.mlp(*sizes, activation=activation, rng=seed, dtype=np.float32)
    inputs = Standardization.measure(table.X[rows])
    targets = None if classify else Standardization.measure(table.y[rows, None])
    X, y = inputs(table.X), table.y if targets is None else targets(table.y[:, None])

    def say(text: object) -> None:
        if not json and not quiet:
            print(text, flush=True)

    factory, usual_lr = OPTIMIZERS[optimizer]
    lr = usual_lr if lr is None else lr
    epochs = _usual_epochs(len(rows), batch_size) if epochs is None else epochs

    def begin(proof: Proof) -> None:  # fit has accepted everything: now it is worth talking
        say(f"{_describe(table)}; {len(rows):,} to train, {len(held_out):,} held out")
        say(f"{network!r}, {optimizer} with lr {lr:g}, {epochs} epochs of batches of {batch_size}")
        say(proof)

    result = fit(
        network,
        nn.softmax_cross_entropy if classify else nn.mean_squared_error,
        X[rows],
        y[rows],
        optimizer=factory,
        lr=lr,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        validation=(X[held_out], y[held_out]),
        metric="accuracy" if classify else "r2",
        progress=not quiet,
        prove=begin,
        engine=engine,
        threads=threads,
    )
    settings = {
        "source": source, "target": target, "task": table.task, "ignore": _names(ignore), "sizes": sizes,
        "activation": activation, "epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "lr": lr,
        "seed": seed, "validation": validation, "proof": dataclasses.asdict(result.proof) if result.proof else None,
        "versions": {"chainrule": version(), **{name: installed(name) for name in EXTRAS}},
    }  # fmt: skip
    metadata = {
        "task": table.task, "columns": table.columns, "classes": table.classes, "inputs": _listed(inputs),
        "target": target, "targets": None if targets is None else _listed(targets), "engine": result.history.engine,
    }  # fmt: skip
    folder = write_run_folder(result, command=command, name=table.name, out=out, settings=settings, metadata=metadata)
    _report(result, folder, say, json=json, quiet=quiet)
    return 0


def _report(result: Fit, folder: Path, say: Any, *, json: bool, quiet: bool) -> None:
    """What came of it, in the form that was asked for."""
    last = result.history[-1]
    name = "accuracy" if result.history.metric == "accuracy" else "R2"
    value = last.validation_metric
    assert value is not None
    assert result.proof is not None
    shown = f"{100 * value:.2f} %" if name == "accuracy" else f"{value:.4f}"
    engine = "" if result.history.engine == "numpy" else f" ({result.history.engine})"
    say(f"held-out {name} {shown}, after {len(result.history)} epochs in {result.history.seconds:.1f} s{engine}")
    say(f"wrote {folder}; python {folder / 'train_step.py'} repeats the first step")
    if json:
        outcome = {
            "run": str(folder),
            "metric": result.history.metric,
            "held_out": value,
            "train_loss": last.train_loss,
            "epochs": len(result.history),
            "seconds": result.history.seconds,
            "engine": result.history.engine,
            "proof": dataclasses.asdict(result.proof),
        }
        print(json_text.dumps(outcome))
    elif quiet:
        print(folder)
    sys.stdout.flush()


def _describe(table: Table) -> str:
    kind = f"{len(table.classes)} classes" if table.classes else "amounts to predict"
    return f"{table.name}: {len(table.y):,} rows, {table.X.shape[1]} columns, {kind}"


def _usual_epochs(rows: int, batch_size: int) -> int:
    steps = math.ceil(rows / max(batch_size, 1))
    return max(EPOCHS, math.ceil(FEWEST_STEPS / steps))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _sizes(hidden: str) -> list[int]:
    """The units of the hidden layers that `--hidden` spells."""
    if hidden.strip().lower() in ("none", "0", ""):
        return []
    try:
        return [int(size) for size in hidden.split(",")]
    except ValueError:
        raise ArgumentError(
            f"--hidden is {hidden!r}: whole numbers separated by commas, such as 64,32, or none"
        ) from None


def _listed(standardization: Standardization) -> dict[str, list[float]]:
    return {"mean": standardization.mean.tolist(), "scale": standardization.scale.tolist()}
