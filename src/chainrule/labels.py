"""Class numbers that index a plain array while staging: `np.eye(k)[y]`.

NumPy asks a traced `y` for a plain array there, and no hook sees the result. The one idea: hand out a stand-in of random
zeros and ones, and recognise ``np.eye(k)[stand-in]`` when it comes back as a constant: it is the one-hot rows of `y`.
Anything else that was made from a stand-in differs from trace to trace, which `staging.py` notices and refuses.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.places import assigned_name
from chainrule.primitive import apply
from chainrule.primitives.control import ONE_HOT
from chainrule.shapes import hint_of
from chainrule.trace import BORDERS, ENGINE, Trace, place_text


@dataclass
class StandIn:
    """One array handed out for a traced integer array."""

    tracer: Any
    array: np.ndarray
    place: str
    name: str | None
    found: bool = False


class Labels:
    """The stand-ins of one staged trace."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.handed: list[StandIn] = []

    def hand_out(self, tracer: Any) -> np.ndarray:
        """A plain array in the place of a traced integer array."""
        random = np.random.default_rng([self.trace.level, len(self.handed)])
        array = random.integers(0, 2, tuple(map(hint_of, tracer.variable.shape))).astype(tracer.dtype)
        name = assigned_name(sys._getframe(), ENGINE, BORDERS)
        self.handed.append(StandIn(tracer, array, place_text(), name))
        return array

    def recognise(self, array: np.ndarray) -> Any:
        """The traced value that a constant is, if it was made of a stand-in."""
        for stand_in in self.handed:
            if array.dtype.kind in "iu" and np.array_equal(array, stand_in.array):
                stand_in.found = True
                return stand_in.tracer
            axis = _one_hot_axis(array, stand_in.array)
            if axis is not None:
                stand_in.found = True
                return self._one_hot(stand_in, array.shape[axis], axis, array.dtype)
        return None

    def _one_hot(self, stand_in: StandIn, classes: int, axis: int, dtype: np.dtype) -> Any:
        places, self.trace.places = self.trace.places, False
        try:
            rows = apply(ONE_HOT, stand_in.tracer, params=(classes, axis, dtype))
        finally:
            self.trace.places = places
        rows.variable.name = stand_in.name
        return rows

    def check(self) -> None:
        """Refuse a stand-in that was used for something else."""
        for stand_in in self.handed:
            if not stand_in.found:
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
