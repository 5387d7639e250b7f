"""Which engine runs a program, on how many threads: decided before the first step, from counts alone.

The one idea: NumPy pays for every equation of every step, machine code pays once. Both are estimated from what is known
beforehand (steps, equations, flops, bytes), never from a clock or from what happens to be cached: the same call decides
alike today and tomorrow, on a warm machine and on a cold one.

>>> choose_engine("auto", steps=200, flops_per_step=6e5, equations=30, numba_available=True).engine
'numpy'
>>> choose_engine("auto", steps=200_000, flops_per_step=6e5, equations=30, numba_available=True)
Choice(engine='numba', reason='200,000 steps take about 9.2 s in NumPy, 1.9 s compiled and 4.8 s to compile')

The constants are rough on purpose: a choice that they get wrong is one where both engines take about as long.
"""

from __future__ import annotations

import importlib.util
import math
import operator
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chainrule.errors import ArgumentError

ENGINES = ("numpy", "numba", "auto")
INSTALL = 'pip install "chainrule[fast]"'

NUMPY_CALL = 1.2e-6  # seconds that one NumPy call costs, however small its arrays
NUMPY_FLOPS = 60e9  # a second, in matrix products on a few cores
NUMPY_BYTES = 8e9  # a second, in arrays that each equation writes and the next one reads
COMPILED_CALL = 5e-8  # an equation in a fused loop
COMPILED_FLOPS = 75e9  # the same library, without the products that beta = 1 saves
COMPILED_BYTES = 20e9  # most of it stays in registers and caches
COMPILE_START = 3.0  # seconds
COMPILE_EQUATION = 0.06

THREADING_FLOPS = 4e5  # below so many a step, barriers and less fusion cost more than a second thread gains
SMALL_FLOPS = (
    5e6  # below so many, more than two threads gain nothing, nor does it to hand out their work piece by piece
)
MOST_THREADS = 8


class Choice(NamedTuple):
    """What runs the program, "numpy" or "numba", and why."""

    engine: str
    reason: str


class Costs(NamedTuple):
    """Estimated seconds of all steps in NumPy, of all steps in machine code, and of making the machine code."""

    numpy: float
    compiled: float
    compilation: float

    @property
    def saves(self) -> bool:
        """Whether machine code is the quicker way, its own making included."""
        return self.compiled + self.compilation < self.numpy


def choose_engine(
    engine: str,
    *,
    steps: float,
    flops_per_step: float,
    bytes_per_step: float = 0,
    equations: int,
    numba_available: bool,
) -> Choice:
    """The engine for a program that is run `steps` times.

    Parameters
    ----------
    engine : {"numpy", "numba", "auto"}
        What the user asked for; "auto" compiles if that saves time.
    steps : float
        How often the program runs, as far as one knows.
    flops_per_step : float
        Additions and multiplications of one run, those of matrix products above all.
    bytes_per_step : float, optional
        What the equations beside the matrix products read and write.
    equations : int
        How many NumPy calls one run makes.
    numba_available : bool
        What the function of that name says.

    Returns
    -------
    Choice

    Raises
    ------
    ArgumentError
        There is no such engine, or it is Numba and not installed.
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine={engine!r}: choose one of {', '.join(map(repr, ENGINES))}")
    if engine != "auto":
        if engine == "numba":
            require_numba(numba_available)
        return Choice(engine, "as asked for")
    if not numba_available:
        return Choice("numpy", "Numba is not installed")
    costs = estimate(steps, flops_per_step, bytes_per_step, equations)
    reason = (
        f"{steps:,.0f} steps take about {costs.numpy:.2g} s in NumPy, "
        f"{costs.compiled:.2g} s compiled and {costs.compilation:.2g} s to compile"
    )
    return Choice("numba" if costs.saves else "numpy", reason)


def estimate(steps: float, flops_per_step: float, bytes_per_step: float, equations: int) -> Costs:
    """What both engines cost, in seconds; the parameters are those of `choose_engine`."""
    numpy = equations * NUMPY_CALL + flops_per_step / NUMPY_FLOPS + bytes_per_step / NUMPY_BYTES
    compiled = equations * COMPILED_CALL + flops_per_step / COMPILED_FLOPS + bytes_per_step / COMPILED_BYTES
    return Costs(steps * numpy, steps * compiled, COMPILE_START + COMPILE_EQUATION * equations)


def hint_without_numba(
    *, steps: float, flops_per_step: float, bytes_per_step: float = 0, equations: int, numba_available: bool
) -> str | None:
    """The line that tells what installing Numba would save; None if it is there, or if it would save nothing.

    Parameters
    ----------
    steps, flops_per_step, bytes_per_step, equations, numba_available
        Those of `choose_engine`.

    Returns
    -------
    str or None

    Examples
    --------
    >>> print(hint_without_numba(steps=1e6, flops_per_step=6e5, equations=30, numba_available=False))
    pip install "chainrule[fast]" would make this about 3.2 times as fast: about 14 s instead of 46 s
    """
    costs = estimate(steps, flops_per_step, bytes_per_step, equations)
    if numba_available or not costs.saves:
        return None
    total = costs.compiled + costs.compilation
    times = costs.numpy / total
    return (
        f"{INSTALL} would make this about {times:.1f} times as fast: about {total:.0f} s instead of {costs.numpy:.0f} s"
    )


def threads_for(threads: int | None, flops_per_step: float, cores: int) -> int:
    """How many threads share a step.

    Parameters
    ----------
    threads : int or None
        What the user asked for; None decides by the work of a step.
    flops_per_step : float
        Additions and multiplications of one step.
    cores : int
        What `available_cores` says.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ArgumentError
        `threads` is no whole number from 1 on.

    Examples
    --------
    >>> [threads_for(None, flops_per_step=flops, cores=4) for flops in (1e5, 6e5, 2e8)]
    [1, 2, 4]
    """
    if threads is None:
        if flops_per_step < THREADING_FLOPS:
            return 1
        return max(1, min(cores, 2 if flops_per_step < SMALL_FLOPS else MOST_THREADS))
    try:
        count = operator.index(threads)
    except TypeError:
        count = 0
    if count < 1 or isinstance(threads, bool):
        raise ArgumentError(f"threads={threads!r}: give a whole number from 1 on, or None to let chainrule decide")
    return count


def numba_available() -> bool:
    """Whether Numba is installed, and SciPy, whose BLAS the machine code calls; neither is imported to tell."""
    return all(importlib.util.find_spec(package) is not None for package in ("numba", "scipy"))


def require_numba(available: bool | None = None) -> None:
    """Refuse to go on without Numba; `available` saves looking."""
    if not (numba_available() if available is None else available):
        raise ArgumentError(f"engine='numba' needs Numba and SciPy: {INSTALL}, or another engine")


def available_cores() -> int:
    """The cores that this process may use: its affinity, and the quota of its container."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):  # Linux
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return max(1, math.ceil(min(cores or 1, _quota(Path("/sys/fs/cgroup")))))


def _quota(groups: Path) -> float:
    """How many cores' time a control group grants, version 2 or 1; infinity if it does not say."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (groups / "cpu.max").read_text().split()
        return float(quota) / float(period)  # or "max": a ValueError
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = ((groups / "cpu" / f"cpu.cfs_{part}_us").read_text() for part in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else math.inf
    return math.inf
