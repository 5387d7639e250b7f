"""When are two gradients the same? Up to the rounding that any program for them has.

The one idea: the rounding is measured, not guessed. The backward pass is run again with every number in it moved by one
unit of rounding, at random; by how much a gradient moves then is what no program can be blamed for. So a bias before
batch normalisation, whose gradient is 0 and whose parts are not, is neither a false alarm nor a licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diagnosis.sheet import Run, Sheet, Site

RELATIVE = {"float64": 1e-7, "float32": 2e-5}  # of the array's largest entry
TIMES_NOISE = 64.0
TRIALS = 3


@dataclass(frozen=True)
class Target:
    """A number that the user has computed: a gradient, or a cotangent on the way to it.

    Attributes
    ----------
    name : str
        As the user calls it: "dW1".
    number : int
        The variable of the forward graph whose cotangent it is.
    value : ndarray of float64
        What the user's backward pass gave.
    gradient : bool
        Whether it was asked for, or an intermediate result.
    allowed : float
        How far from it a prediction may be that explains it,
    relative : float
        or this much of the prediction's largest entry.
    """

    name: str
    number: int
    value: np.ndarray
    gradient: bool
    allowed: float
    relative: float = 1e-7

    def explained_by(self, prediction: Any) -> bool:
        """Whether the user's number is this one; entries that are not finite are left to the eye."""
        prediction = np.asarray(prediction)
        if prediction.shape != self.value.shape:
            return False
        with np.errstate(all="ignore"):
            difference = np.abs(prediction - self.value)
        finite = np.isfinite(self.value)
        if not finite.all():
            difference = difference[finite]
        if not difference.size:
            return True
        largest = float(difference.max())
        if largest <= self.allowed:  # the usual case, and false for nan
            return True
        scale = float(np.max(np.abs(prediction), initial=0.0))
        return bool(np.isfinite(scale)) and largest <= self.relative * scale


def noise_of(sheet: Sheet, eps: float, seed: int = 0) -> Run:
    """By how much the cotangent of each variable moves when everything in the pass moves by `eps`, relatively.

    Returns a `Run` whose cotangents are the largest differences that were seen.
    """
    random = np.random.Generator(np.random.Philox(seed))
    exact = sheet.run()
    values = sheet.values
    found = Run(dict.fromkeys(exact.cotangents, 0.0))

    def stirred(bar: Any, _run: Run) -> Any:
        return bar * (1 + eps * random.uniform(-1, 1, np.shape(bar)))

    overrides: dict[Site, Any] = dict.fromkeys((use for uses in sheet.uses.values() for use in uses), (stirred,))
    try:
        for _ in range(TRIALS):
            sheet.values = [_moved(value, eps, random) for value in values]
            shaken = sheet.run(overrides)
            for number, bar in exact.cotangents.items():
                with np.errstate(invalid="ignore"):
                    moved = float(np.max(np.abs(shaken.cotangents[number] - bar), initial=0.0))
                if np.isfinite(moved):
                    found.cotangents[number] = max(found.cotangents[number], moved)
    finally:
        sheet.values = values
    return found


def _moved(value: Any, eps: float, random: np.random.Generator) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    return value * (1 + eps * random.uniform(-1, 1, value.shape))  # a zero stays on its side


def allowed(dtype: str, truth: Any, noise: float) -> float:
    """How far a right gradient of that dtype may be from `truth`."""
    scale = float(np.max(np.abs(truth), initial=0.0))
    return RELATIVE.get(dtype, 2e-5) * scale + TIMES_NOISE * noise
