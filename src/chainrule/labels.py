"""Class numbers that index a plain array while staging: `np.eye(k)[y]`.

NumPy asks a traced `y` for a plain array there, and no hook sees the result. The one idea: hand out a stand-in of random
zeros and ones, and recognise ``np.eye(k)[stand-in]`` when it comes back as a constant: it is the one-hot rows of `y`.
Anything else that was made from a stand-in differs from trace to trace, which `staging.py` notices and refuses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.frames import place_text, target_of_running_line
from chainrule.primitive import apply
from chainrule.primitives.control import ONE_HOT
from chainrule.shapes import hint_of
from chainrule.trace import Trace


@dataclass
class StandIn:
    """One array handed out for a traced integer array."""

    tracer: Any
    array: np.ndarray
    place: str
    name: str | None
    kind: int | None = None


_starts = itertools.count()
IDENTITY = 0  # the kind of a stand-in that came back as itself; any other number is its count of classes


class Labels:
    """The stand-ins of one staged trace.

    The first trace hands out ones, which only the second row of a table answers to; later traces, told what each
    stand-in was found to be, hand out every class (or any number), so that a table that is not `np.eye(k)` shows.
    """

    def __init__(self, trace: Trace, kinds: list[int] | None = None):
        self.trace = trace
        self.known = kinds
        self.handed: list[StandIn] = []

    def hand_out(self, tracer: Any) -> np.ndarray:
        """A plain array in the place of a traced integer array."""
        shape = tuple(map(hint_of, tracer.variable.shape))
        known = self.known[len(self.handed)] if self.known and len(self.handed) < len(self.known) else None
        if known is None:
            array = np.ones(shape, dtype=tracer.dtype)
        else:
            # every class in turn, from another start in each trace: a table differs from np.eye(k) in some row
            turns = (next(_starts) + np.arange(math.prod(shape))) % (known or 101)
            turns[:1] = turns[-1:]  # no permutation: its one-hot rows could equal their transpose
            array = turns.reshape(shape).astype(tracer.dtype)
        name = target_of_running_line()
        self.handed.append(StandIn(tracer, array, place_text(), name))
        return array

    def recognise(self, array: np.ndarray) -> Any:
        """The traced value that a constant is, if it was made of a stand-in."""
        for stand_in in self.handed:
            if array is stand_in.array or (array.base is stand_in.array and array.shape == stand_in.array.shape):
                stand_in.kind = IDENTITY
                return stand_in.tracer
            axis = _one_hot_axis(array, stand_in.array)
            if axis is not None:
                stand_in.kind = array.shape[axis]
                return self._one_hot(stand_in, array.shape[axis], axis, array.dtype)
        return None

    def kinds(self) -> list[int]:
        """What each stand-in was found to be."""
        return [stand_in.kind or 0 for stand_in in self.handed]

    def _one_hot(self, stand_in: StandIn, classes: int, axis: int, dtype: np.dtype) -> Any:
        places, self.trace.places = self.trace.places, False
        try:
            rows = apply(ONE_HOT, stand_in.tracer, params=(classes, axis, dtype, True))
        finally:
            self.trace.places = places
        rows.variable.name = stand_in.name
        return rows

    def check(self) -> None:
        """Refuse a stand-in that was used for something else."""
        for stand_in in self.handed:
            if stand_in.kind is None:
                raise UnsupportedError(
                    "turning a traced integer array into a plain array (indexing a plain array with it?) cannot be "
                    f"traced; {stand_in.place}. Write cr.nn.one_hot(y, k) @ table for table[y]."
                )


def _one_hot_axis(array: np.ndarray, labels: np.ndarray) -> int | None:
    """The class axis, if an array is the one-hot form of the labels."""
    if array.ndim != labels.ndim + 1 or array.dtype.kind not in "fiub":
        return None
    for axis in (labels.ndim, 0):
        moved = np.moveaxis(array, axis, -1)
        classes = moved.shape[-1]
        if classes >= 2 and moved.shape[:-1] == labels.shape and np.array_equal(moved, np.eye(classes)[labels]):
            return axis
    return None
