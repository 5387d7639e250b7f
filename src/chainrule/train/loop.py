"""`fit`: train a network on arrays, with a compiled step, and keep what happened.

The one idea: the loop is plain. An epoch is a sequence of batches, each batch is one call of the compiled step, and the
network is a value that the step returns anew. Everything that can be wrong with the data is found before the first step.

>>> from chainrule import nn, optim
>>> X = np.random.default_rng(0).normal(size=(60, 2))
>>> y = (X[:, 0] > X[:, 1]).astype(int)
>>> result = fit(nn.mlp(2, 8, 2), nn.softmax_cross_entropy, X, y, lr=0.02, epochs=40, metric="accuracy")
>>> result.history[-1].train_loss < 0.2
True

It never standardises (the command line does, with `train/data.py`) and never changes what it is given.
"""

from __future__ import annotations

import functools
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DtypeError
from chainrule.footprint import Memory, memory_of_step
from chainrule.optim import adam
from chainrule.pytree import flatten
from chainrule.train.data import generator, shuffled_batches, split_rows
from chainrule.train.engines import CompiledEngine, Engine, begin
from chainrule.train.history import Epoch, History
from chainrule.train.inputs import (
    as_training_data,
    leaf_dtypes,
    optimizer_of,
    require_counts,
    sample_axis,
)
from chainrule.train.metrics import Metric, measure, metric_named
from chainrule.train.plan import decide
from chainrule.train.progress import Progress, progress_for
from chainrule.train.proof import Proof, prove_engine, prove_step
from chainrule.train.step import CompiledStep, FirstStep, Loss, Optimizer, build_step
from chainrule.train.team import blas_held

PROOF_ROWS = 8


@dataclass(frozen=True)
class Fit:
    """The result of a training.

    Attributes
    ----------
    network : Network
        With its trained parameters.
    history : History
        Losses, metric and seconds of each epoch.
    state : pytree
        The optimizer's state after the last step.
    proof : Proof or None
        How far the step's gradients were from differences of the loss, if that was asked.
    """

    network: Any
    history: History
    state: Any = field(repr=False)
    proof: Proof | None = field(repr=False)
    step: CompiledStep = field(repr=False)
    first: FirstStep = field(repr=False)

    def source(self) -> str:
        """The training step that ran, as Python that imports only NumPy."""
        return self.step.source(self.first.network, self.first.state, self.first.X, self.first.y)

    @functools.cached_property
    def memory(self) -> Memory:
        """What a training step needs, planned for a whole batch: see `chainrule.memory`."""
        engine = "numba" if self.history.engine.endswith("numba") else "numpy"
        first = self.first
        return memory_of_step(
            self.step, (first.network, first.state, first.X, first.y), engine, sample_axis(first.network)
        )

    def __repr__(self) -> str:
        return f"Fit after {len(self.history)} epochs\n{self.history!r}"


def fit(
    network: Any,
    loss: Loss,
    X: np.ndarray,
    y: np.ndarray,
    *,
    optimizer: Optimizer | Callable[..., Optimizer] = adam,
    lr: float | None = None,
    epochs: int = 20,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int | None = 0,
    validation: float | tuple[np.ndarray, np.ndarray] = 0.0,
    metric: str | Metric | None = None,
    progress: bool | None = None,
    prove: bool | Callable[[Proof], object] = False,
    on_epoch: Callable[[Epoch], object] | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> Fit:
    """Train a network by mini-batches of a compiled step.

    Parameters
    ----------
    network : pytree, callable
        ``network(X)`` gives outputs; see `chainrule.nn.mlp`. It is not changed.
    loss : callable
        ``loss(outputs, y)`` in plain NumPy or from `chainrule.nn`: a scalar, the mean over the samples of a batch.
    X : ndarray, shape (N, n_in), or (n_in, N) for a network of column layout
        Converted to the network's dtype: float64 data trains a float32 network in float32.
    y : ndarray, shape (N,) or (N, n_out), or (n_out, N) for a network of column layout
        Targets as the loss takes them. Floats are converted like X, class numbers stay integers.
    optimizer : Optimizer or factory
        ``adam`` or ``adam(lr=1e-2)``; any object with `init` and `update` as `chainrule.optim` has them.
    lr : float, optional
        The learning rate for a factory.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Samples in a batch; the last batch of an epoch may be smaller, and is trained too.
    shuffle : bool
        A new order for each epoch, given by (seed, epoch) alone.
    seed : int or None
        Same seed, same bytes: of the same engine and versions on the same CPU. None draws one, and does not wait for a
        compiler: the training begins in NumPy and goes on as machine code when that is ready.
    validation : float or (X, y)
        Part of the rows to hold out (stratified if y holds class numbers), or rows of your own.
    metric : "accuracy", "r2" or callable, optional
        ``metric(outputs, y)`` on the validation rows after each epoch, samples in rows.
    progress : bool, optional
        True: a bar on a terminal, plain lines in a pipe. None: a bar on a terminal only. False: nothing.
    prove : bool or callable
        First compare the step's gradients on a small batch with differences of the untraced loss; a callable is given
        the `Proof`, so ``prove=print`` shows it.
    on_epoch : callable, optional
        Given each `Epoch`; training stops early when it returns True.
    engine : {"auto", "numpy", "numba"}
        What runs the steps. "numpy": the emitted NumPy program, one call for each batch. "numba": the whole epoch as
        machine code. "auto" compiles if the training is long enough to gain by it; that is decided before the first
        step from the number of steps and their arithmetic, never from timing.
    threads : int, optional
        How many threads share a step of machine code; by default one for the smallest steps, two for small ones, else the
        cores. The result does not depend on it.

    Returns
    -------
    Fit
        ``result.network``, ``result.history``, ``result.source()``.

    Raises
    ------
    DataError
        X or y hold NaN, infinity or text, or do not fit each other.
    ArgumentError
        An option makes no sense, or the training diverged: the message names epoch and batch.
    GraphError
        `prove` found a gradient that is wrong.
    """
    swaps = seed is None
    seed = secrets.randbits(63) if seed is None else seed
    optimizer = optimizer_of(optimizer, lr)
    require_counts(epochs=epochs, batch_size=batch_size)
    metric_name, metric = metric_named(metric)
    axis = sample_axis(network)
    X, y = as_training_data(network, loss, X, y, axis)
    held_out: tuple[np.ndarray, np.ndarray] | None = None
    if isinstance(validation, (tuple, list)):
        held_out = as_training_data(network, loss, *validation, axis, names=("validation X", "validation y"))
    elif validation:
        classes = y if y.dtype.kind in "iu" and y.ndim == 1 else None
        rows, others = split_rows(X.shape[axis], validation, seed, classes, shuffle=shuffle)
        held_out = X.take(others, axis=axis), y.take(others, axis=axis)
        X, y = X.take(rows, axis=axis), y.take(rows, axis=axis)

    step = build_step(loss, optimizer)
    state = optimizer.init(network)
    first_rows = next(shuffled_batches(X.shape[axis], batch_size, seed, 1, shuffle))
    first = FirstStep(step, network, state, X.take(first_rows, axis=axis), y.take(first_rows, axis=axis))
    run = _Run(X.shape[axis], batch_size, shuffle, seed)
    plan = decide(engine, step.staged(network, state, first.X, first.y), run.steps * epochs, axis, threads)
    proof = None
    if prove:
        rows = next(shuffled_batches(X.shape[axis], PROOF_ROWS, seed, epoch=1))
        proof = prove_step(step, loss, optimizer, network, X.take(rows, axis=axis), y.take(rows, axis=axis))
        if callable(prove):
            prove(proof)

    history = History(metric_name)
    # What overflows shows in the loss, and is reported with its epoch and batch: NumPy need not warn as well.
    with np.errstate(all="ignore"), progress_for(progress, epochs, run.steps) as display, blas_held(plan.calls_blas):
        runner = begin(plan, first, X, y, axis, display.say, swaps=swaps)
        if prove and isinstance(runner, CompiledEngine):
            prove_engine(runner.for_rows(first.X, first.y), first)
        given = flatten(network)[0]
        for number in range(1, epochs + 1):
            started = time.perf_counter()
            train_loss = run.epoch(number, runner, display)
            _require_sound(network, given, runner.parameters(), number)
            validation_loss = validation_metric = None
            if held_out is not None:
                validation_loss, validation_metric = measure(runner.network, loss, *held_out, metric, axis)
            seconds = time.perf_counter() - started
            record = Epoch(number, run.steps, train_loss, validation_loss, validation_metric, seconds)
            history.append(record)
            history.engine = runner.name
            display.epoch(record, metric_name)
            if on_epoch is not None and on_epoch(record):
                break
    if plan.hint and progress is not False:
        display.say(plan.hint)
    return Fit(runner.network, history, runner.state, proof, step, first)


@dataclass(frozen=True)
class _Run:
    """How the training rows are walked through."""

    rows: int
    batch_size: int
    shuffle: bool
    seed: int

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.rows // self.batch_size)

    def epoch(self, number: int, engine: Engine, display: Progress) -> float:
        """Train one epoch; its mean loss."""
        order = generator(self.seed, number).permutation(self.rows) if self.shuffle else np.zeros(0, dtype=np.int64)
        size, whole = self.batch_size, self.rows // self.batch_size
        total, batch = 0.0, 0
        while batch < self.steps:
            batches, rows = min(engine.piece, whole - batch), size
            if batch == whole:
                batches, rows = 1, self.rows % size  # the last, smaller batch is trained, too
            done = engine.run(order, batch * size, batches, rows)
            if done.batches < batches:
                where = f"in epoch {number}, batch {batch + done.batches + 1} of {self.steps}"
                raise _diverged(f"the loss is {done.loss} {where}")
            total += done.loss_sum
            batch += batches
            display.batch(batch)
        return total / self.rows


def _diverged(where: str) -> ArgumentError:
    return ArgumentError(
        f"the training diverged: {where}. "
        "Try a smaller lr (a tenth of it), or columns of X with mean 0 and standard deviation 1"
    )


def _require_sound(before: Any, old: list[Any], new: list[Any], epoch: int) -> None:
    """Look at the parameters that an epoch leaves: finite, and of the dtype they had.

    A last update that overflows is not seen by any loss. An update that mixes in a stronger dtype turns the network
    into it, at twice the cost and without a word.
    """
    if all(a.dtype == b.dtype and math.isfinite(np.add.reduce(b, axis=None)) for a, b in zip(old, new, strict=True)):
        return  # a finite sum has finite terms; one that overflows is looked at closely
    for (path, dtype), leaf in zip(leaf_dtypes(before).items(), new, strict=True):
        if leaf.dtype != dtype:
            raise DtypeError(
                f"training turned {path} from {dtype} into {leaf.dtype}: the optimizer's update mixes in a stronger "
                "dtype, such as np.float64(0.1). Write 0.1"
            )
        if not np.all(np.isfinite(leaf)):
            raise _diverged(f"{path} is not finite after epoch {epoch}")
