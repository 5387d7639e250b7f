"""How threads inside of machine code wait for each other and share work: three atomic counters.

The one idea: counters only ever grow. A ticket from the work counter names the next piece; a ticket from the arrival
counter names the barrier that it belongs to, which opens when so many tickets are out. Nothing has to be reset, so
nothing can be reset too early.

A thread that waits spins first, then lets others run, then sleeps: with a busy neighbour on the core, spinning alone
would keep from running the very thread that one waits for.
"""

from __future__ import annotations

import ctypes
import functools
import sys

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

ARRIVED, STOPPED, WORK = 0, 8, 16  # places in the shared array, a cache line apart; one work counter for each section
LINE = 8
SPINS, YIELDS = 2000, 200
WAIT = {"error_model": "numpy", "nogil": True}


def counters_for(sections: int) -> np.ndarray:
    """What threads share that go through so many sections."""
    return np.zeros(WORK + LINE * sections, dtype=np.int64)


def stop(counters: np.ndarray) -> None:
    """Let nobody wait any longer: a thread has failed."""
    counters[STOPPED] = 1


@functools.cache
def pause_addresses() -> tuple[int, int]:
    """Where the system's functions are that let another thread run, and that sleep for some microseconds; 0 if nowhere."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
        return _address(kernel.SwitchToThread), 0
    library = ctypes.CDLL(None)
    return _address(library.sched_yield), _address(library.usleep)


def _address(function) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def _slot(context, builder, signature, args):
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def _add(typingctx, counters, place, amount):
    def build(context, builder, signature, args):
        return builder.atomic_rmw("add", _slot(context, builder, signature, args), args[2], "seq_cst")

    return types.int64(counters, types.int64, types.int64), build


@intrinsic
def _read(typingctx, counters, place):
    def build(context, builder, signature, args):
        return builder.load_atomic(_slot(context, builder, signature, args), "acquire", 8)

    return types.int64(counters, types.int64), build


@intrinsic
def _pause(typingctx, address, microseconds):
    def build(context, builder, signature, args):
        integer = ir.IntType(32)
        function = ir.FunctionType(integer, [integer]).as_pointer()
        with builder.if_then(cgutils.is_not_null(builder, args[0])):
            builder.call(builder.inttoptr(args[0], function), [builder.trunc(args[1], integer)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


@njit(**WAIT)
def next_piece(counters, section, before):
    """The number of the next piece of work in a section; `before` tickets were given out in earlier steps."""
    return _add(counters, WORK + LINE * section, 1) - before


@njit(**WAIT)
def meet(counters, threads, yield_address, sleep_address):
    """Wait for all threads; False if one of them has failed and nobody should go on."""
    if threads == 1:
        return True
    ticket = _add(counters, ARRIVED, 1)
    wanted = (ticket // threads + 1) * threads
    tries = 0
    while _read(counters, ARRIVED) < wanted:
        if _read(counters, STOPPED) != 0:
            return False
        tries += 1
        if tries > SPINS + YIELDS:
            _pause(sleep_address, 50)
        elif tries > SPINS:
            _pause(yield_address, 0)
    return _read(counters, STOPPED) == 0
