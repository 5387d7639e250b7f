"""Which engine a training gets, decided before its first step from counts alone.

The one idea: steps, equations and arithmetic are known once the step is staged; `chainrule.native.engine` turns them into
an estimate. No clock is read, and what is cached does not matter: the same call decides alike everywhere.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.compilation import Compiled
from chainrule.emit.numba_epoch import NAME, Epoch, emit_epoch
from chainrule.errors import CompileError, UnsupportedError
from chainrule.native.compiler import Compilation
from chainrule.native.engine import (
    SMALL_FLOPS,
    THREADING_FLOPS,
    available_cores,
    choose_engine,
    hint_without_numba,
    numba_available,
    threads_for,
)
from chainrule.primitives.linear_algebra import MATMUL
from chainrule.shapes import hint_of

WIDE = 8  # numbers in a vector from which kernels made for their sizes beat BLAS
PIECE_FLOPS = 2.5e9  # work between two looks at the progress bar and at Ctrl-C: about 50 ms
LEAST_FLOPS = 2e5  # what the smallest step is taken for: it costs more than its arithmetic


@dataclass(frozen=True)
class Work:
    """What one step costs, counted in the graph."""

    flops: float
    bytes: float
    equations: int


def work_of(compiled: Compiled) -> Work:
    """Count the arithmetic of a staged step at the sizes that it was staged with."""
    graph = compiled.graph
    flops = read = 0.0
    for equation in graph.equations:
        output = graph.variables[equation.output]
        entries = math.prod(map(hint_of, output.shape))
        if equation.primitive is MATMUL:
            inner = graph.variables[equation.inputs[0]].shape[-1]  # type: ignore[index]
            flops += 2.0 * entries * hint_of(inner)
        else:
            flops += entries
            read += 2.0 * entries * output.dtype.itemsize
    return Work(flops, read, len(graph.equations))


@dataclass(frozen=True)
class Plan:
    """The engine of a training.

    Attributes
    ----------
    compiled : Compiled
        The staged step.
    epoch : Epoch or None
        The machine code to make, if that is the engine.
    required : bool
        Whether the user asked for machine code, so that nothing else will do.
    hint : str or None
        What installing Numba would gain.
    threads : int
        How many share a step.
    piece : int
        Batches that machine code runs at a time.
    """

    compiled: Compiled
    epoch: Epoch | None = None
    required: bool = False
    hint: str | None = None
    threads: int = 1
    piece: int = 1

    @property
    def calls_blas(self) -> bool:
        """Whether a product is left to BLAS."""
        return self.epoch is not None and self.epoch.calls_blas


def decide(engine: str, compiled: Compiled, steps: int, axis: int, threads: int | None = None) -> Plan:
    """Choose the engine for so many steps, and how many threads share them.

    Raises
    ------
    ArgumentError
        There is no such engine, or Numba was asked for and is not installed.
    UnsupportedError
        Numba was asked for, and the step has something that is not compiled.
    """
    work = work_of(compiled)
    counts: dict[str, Any] = {
        "steps": steps,
        "flops_per_step": work.flops,
        "bytes_per_step": work.bytes,
        "equations": work.equations,
        "numba_available": numba_available(),
    }
    chosen = choose_engine(engine, **counts).engine
    count = threads_for(threads, work.flops, available_cores())
    if chosen == "numpy":
        return Plan(compiled, hint=hint_without_numba(**counts) if engine == "auto" else None)
    try:
        epoch = _epoch(compiled, axis, work.flops)
    except UnsupportedError:
        if engine == "numba":
            raise
        return Plan(compiled)
    piece = max(1, int(PIECE_FLOPS / max(work.flops, LEAST_FLOPS)))
    return Plan(compiled, epoch, required=engine == "numba", threads=count, piece=piece)


def _epoch(compiled: Compiled, axis: int, flops: float) -> Epoch:
    """A large step is divided, whether one thread runs it or many, if it can be: so they end with the same bytes."""
    from chainrule.native.lanes import lanes_of

    arguments = (compiled.graph, compiled.parameters, compiled.constants, axis)
    tiled = lanes_of("float32") >= WIDE
    if flops >= THREADING_FLOPS:
        with contextlib.suppress(UnsupportedError):
            return emit_epoch(*arguments, divided=True, small=flops < SMALL_FLOPS, tiled=tiled)
    return emit_epoch(*arguments, tiled=tiled)


def compile_ahead(plan: Plan, say: Callable[[str], object], *, wait: bool) -> Compilation | None:
    """Have the epoch compiled by another process if it is not in the cache.

    Parameters
    ----------
    plan : Plan
    say : callable
        Given a line when one has to wait.
    wait : bool
        Whether to wait for the machine code, or to go on meanwhile.

    Returns
    -------
    Compilation or None
        What is still under way; None if the machine code is there, or has to be made when it is loaded.
    """
    from chainrule.native.cache import is_warm
    from chainrule.native.compiler import compile_in_subprocess

    assert plan.epoch is not None
    if is_warm(plan.epoch.source, NAME):
        return None
    with contextlib.suppress(CompileError):
        if not wait:
            return compile_in_subprocess(plan.epoch.source, NAME, background=True)
        say("compiling the training step: some seconds, once for each kind of network")
        compile_in_subprocess(plan.epoch.source, NAME).wait()
    return None
