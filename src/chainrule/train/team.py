"""The threads that run a divided step together.

The one idea: all of them call the same machine code; how work is divided is in there, and so is the waiting. Here is
what they share, and how many they are: fewer while the machine is busy with something else, for a barrier waits for the
slowest. The results have the same bits for any number.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chainrule.emit.numba_epoch import Epoch

LINES = 128  # bytes: processors fetch cache lines in pairs
LONG_ENOUGH = 0.01  # seconds of a call that tell whether the machine is busy
CROWDED = 0.6  # of the threads' time: with less, something else is running
CALLS_CROWDED, CALLS_ALONE = 3, 10


def apart(array: np.ndarray) -> np.ndarray:
    """A copy that shares no cache line with anything else: a thread that reads it is not held up by one that writes
    what happens to lie beside it.
    """
    memory = np.empty(array.nbytes + 2 * LINES, np.uint8)
    start = -memory.ctypes.data % LINES
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class Team:
    """The threads that run a divided step together, and what they share."""

    def __init__(self, epoch: Epoch, threads: int):
        from chainrule.native.barrier import counters_for, pause_addresses

        assert epoch.shared is not None
        self.threads = threads
        self.pauses = pause_addresses()
        self.shapes = [(shape, dtype) for _, _, shape, dtype in epoch.shared]
        self.numbers = apart(np.zeros(max(epoch.results, 1)))
        self.counters = apart(counters_for(epoch.sections))
        self.memory: dict[int, list[np.ndarray]] = {}
        self.workers: ThreadPoolExecutor | None = None
        self.crowded = 0  # so many calls in a row have got little of the machine
        self.alone = 0  # for so many calls more, the machine is taken to be busy

    def run(self, function: Callable, arguments: tuple, addresses: tuple[int, int], rows: int) -> tuple:
        """Call the function in all threads at once; what the first one returns."""
        if rows not in self.memory:
            self.memory[rows] = [
                apart(np.zeros(tuple(rows if size is None else size for size in shape), dtype))
                for shape, dtype in self.shapes
            ]
        threads = 1 if self.alone else self.threads
        self.alone = max(0, self.alone - 1)
        self.counters[:] = 0
        calls = [
            (*arguments, *self.memory[rows], self.numbers, self.counters, me, threads, *self.pauses, *addresses)
            for me in range(threads)
        ]
        if threads == 1:
            return function(*calls[0])  # type: ignore[no-any-return]
        if self.workers is None:
            self.workers = ThreadPoolExecutor(self.threads - 1, thread_name_prefix="chainrule")
        wall, used = time.perf_counter(), time.process_time()
        cores = other_cores()
        others = [
            self.workers.submit(self._work, function, call, cores[me % len(cores)] if cores else None)
            for me, call in enumerate(calls[1:])
        ]
        try:
            result = self._work(function, calls[0], None)
        finally:
            for other in others:
                other.result()
        wall, used = time.perf_counter() - wall, time.process_time() - used
        crowded = wall > LONG_ENOUGH and used < CROWDED * threads * wall
        self.crowded = self.crowded + 1 if crowded else 0
        if self.crowded >= CALLS_CROWDED:
            self.crowded, self.alone = 0, CALLS_ALONE
        return result

    def _work(self, function: Callable, call: tuple, core: int | None) -> tuple:
        from chainrule.native.barrier import stop

        if core is not None:
            begin_on(core)
        try:
            return function(*call)  # type: ignore[no-any-return]
        except BaseException:
            stop(self.counters)  # the others would wait for this thread for ever
            raise


def other_cores() -> list[int]:
    """The cores that this thread may use and is not running on, the next one first; none where the system does not say."""
    current = _current_core()
    if current is None:
        return []
    here = current()
    allowed = sorted(os.sched_getaffinity(0))
    return [core for core in allowed if core > here] + [core for core in allowed if core < here]


@functools.cache
def _current_core() -> Callable[[], int] | None:
    """The system's function that says on which core a thread runs."""
    try:
        return ctypes.CDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else None
    except (OSError, AttributeError):
        return None


def begin_on(core: int) -> None:
    """Move this thread to a core; the system may move it again as it likes.

    A thread that is woken often lands on the core of the one that woke it, and for some milliseconds they take turns
    there: long enough to double the time of a short epoch.
    """
    allowed = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {core})
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def blas_held(needed: bool) -> Iterator[None]:
    """Hold the BLAS that machine code calls to one thread, if it calls it: results must not depend on their number."""
    if not needed:
        yield
        return
    try:
        importlib.import_module("scipy.linalg.cython_blas")  # only what is loaded can be held
        from threadpoolctl import ThreadpoolController
    except ImportError:
        yield
        return
    controller = ThreadpoolController()
    with controller.limit(limits=1, user_api="blas"):
        yield
