"""Derivatives without any rule: differences and complex step of a scalar function of arrays.

The one idea: the judge knows nothing of graphs. It calls the user's own function at neighbouring points, and what it
finds is what a derived gradient has to agree with.

>>> numerical_gradient(lambda x: (x**3).sum(), [np.array([1.0, 2.0])])
[array([ 3., 12.])]

It never sees a tracer, a rule or emitted source, and works in float64 (complex128) whatever the network's dtype is.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Scalar = Callable[..., Any]  # f(*arrays) -> a number

COMPLEX_STEP = 1e-30
FIRST_STEP = 2.0**-9  # of a central difference, relative to the size of the point
HALVINGS = 12  # down to 1e-6: past the kinks of a network, whose units switch all along a direction
COLUMNS = 4  # of the extrapolation table; later ones only carry rounding
TINY_STEP = 1e-6  # of a plain difference quotient, good for six digits and nearly never astride a kink


def central_difference(line: Callable[[float], float], step: float = FIRST_STEP) -> tuple[float, float]:
    """The derivative of `line` at 0, by central differences with Richardson extrapolation, and an error estimate.

    Parameters
    ----------
    line : callable
        A function of one number, smooth around 0.
    step : float
        The first and largest step.

    Returns
    -------
    derivative, error : float
        The entry of the extrapolation table that agrees best with its neighbours, and by how much it does not.

    Notes
    -----
    With D(h) = (f(h) - f(-h)) / 2h, whose error is a series in h**2, each column of the table removes the next power:
    (4**k D(h/2) - D(h)) / (4**k - 1). Large steps suffer from kinks, small ones from rounding; both show as estimates
    that part from their neighbours.

    References
    ----------
    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982).

    Examples
    --------
    >>> derivative, error = central_difference(np.exp)
    >>> abs(derivative - 1) < 1e-12, error < 1e-10
    (True, True)
    """
    best, best_error = math.nan, math.inf
    previous: list[float] = []
    for _ in range(HALVINGS):
        row = [float(line(step) - line(-step)) / (2 * step)]
        for column, above in enumerate(previous[:COLUMNS]):
            weight = 4.0 ** (column + 1)
            row.append((weight * row[column] - above) / (weight - 1))
            error = max(abs(row[-1] - row[column]), abs(row[-1] - above))
            if error < best_error:
                best, best_error = row[-1], error
        previous, step = row, step / 2
    return best, best_error


def numerical_gradient(f: Scalar, arrays: Sequence[np.ndarray], method: str = "differences") -> list[np.ndarray]:
    """The gradient of `f(*arrays)`, entry by entry.

    Parameters
    ----------
    f : callable
        Returns a number; `arrays` are its arguments.
    arrays : sequence of ndarray
        Where to differentiate; taken as float64, never changed.
    method : str
        "differences" or "complex step"; see `choose_method`.

    Returns
    -------
    list of ndarray of float64
        One for each array, of its shape.
    """
    arrays = [np.asarray(array, dtype=np.complex128 if method == "complex step" else np.float64) for array in arrays]
    gradient = []
    for position, array in enumerate(arrays):
        entries = np.empty(np.shape(array))
        for index in np.ndindex(entries.shape):
            direction = np.zeros(entries.shape)
            direction[index] = 1.0
            entries[index] = directional_derivative(f, arrays, position, direction, method)
        gradient.append(entries)
    return gradient


def directional_derivative(
    f: Scalar, arrays: Sequence[np.ndarray], position: int, direction: np.ndarray, method: str = "differences"
) -> float:
    """The derivative of `f(*arrays)` when the array at `position` moves along `direction`.

    `method` is as in `numerical_gradient`, or "quotient", a plain and quick difference.
    """
    if method == "complex step":
        # The step is so small that its square is nothing beside 1: no subtraction, so no cancellation and no error term.
        moved = [np.asarray(array, dtype=np.complex128) for array in arrays]
        moved[position] = moved[position] + 1j * COMPLEX_STEP * direction
        return float(np.imag(f(*moved))) / COMPLEX_STEP
    real = [np.asarray(np.real(array), dtype=np.float64) for array in arrays]
    length = float(np.max(np.abs(direction), initial=0.0)) or 1.0
    size = max(1.0, float(np.max(np.abs(real[position]), initial=0.0, where=direction != 0)))

    def line(t: float) -> float:
        moved = list(real)
        moved[position] = real[position] + t * direction
        return float(np.real(f(*moved)))

    if method == "quotient":
        step = TINY_STEP * size / length
        return (line(step) - line(-step)) / (2 * step)
    return central_difference(line, FIRST_STEP * size / length)[0]


def choose_method(f: Scalar, arrays: Sequence[np.ndarray], seed: int = 0) -> str:
    """The method for this function: "complex step" where it can be trusted, else "differences".

    NumPy is silently wrong under complex step for `abs`, `var`, `norm` and others, and raises for some. So it is used
    only if the value is kept, and the derivative along a random direction of each array agrees with a difference.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a discarded imaginary part is a warning in NumPy
            value = f(*(np.asarray(array, dtype=np.complex128) for array in arrays))
            if not np.iscomplexobj(value) or not np.isclose(np.real(value), np.real(f(*arrays)), rtol=1e-9):
                return "differences"
            for position, direction in random_directions(arrays, 1, seed):
                exact = directional_derivative(f, arrays, position, direction, "complex step")
                rough = directional_derivative(f, arrays, position, direction, "quotient")
                if not abs(exact - rough) <= 1e-4 * max(abs(exact), abs(rough)) + 1e-7 * abs(np.real(value)):
                    return "differences"
    except (TypeError, ValueError, ArithmeticError, Warning):
        return "differences"
    return "complex step"


def random_directions(arrays: Sequence[np.ndarray], count: int, seed: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """`count` random directions for each array: (position, direction); entries are standard normal."""
    random = np.random.Generator(np.random.Philox(seed))
    for position, array in enumerate(arrays):
        for _ in range(count):
            yield position, random.standard_normal(np.shape(array))


@dataclass(frozen=True)
class Disagreement:
    """The worst entry of a comparison.

    Attributes
    ----------
    error : float
        The relative error, see `worst_relative_error`.
    position : int
        Which array.
    index : tuple of int
        Which entry.
    got, expected : float
        The two values.
    """

    error: float
    position: int
    index: tuple[int, ...]
    got: float
    expected: float


def worst_relative_error(
    got: Sequence[np.ndarray], expected: Sequence[np.ndarray], floor: float = 1e-3
) -> Disagreement:
    """The entry of `got` that is furthest from `expected`, relative to its size.

    Parameters
    ----------
    got, expected : sequence of ndarray
        Arrays in the same order, of the same shapes.
    floor : float
        An entry that is small beside its array is measured against `floor` times the array's largest entry: a sum that
        cancels to 1e-9 keeps the rounding of its parts, and no program can do better. An array that is small beside the
        others is treated likewise, with `floor` squared.

    Returns
    -------
    Disagreement
        NaN where a number should be counts as an infinite error.

    Examples
    --------
    >>> worst = worst_relative_error([np.array([1.0, 2.0])], [np.array([1.0, 2.5])])
    >>> worst.error, worst.index
    (0.2, (1,))
    """
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(got, expected, strict=True)]
    largest = [float(np.max(np.abs(b), initial=0.0)) for _, b in pairs]
    worst: Disagreement | None = None
    for position, (a, b) in enumerate(pairs):
        if a.shape != b.shape:
            return Disagreement(math.inf, position, (), math.nan, math.nan)
        if not a.size:
            continue
        smallest = floor * max(largest[position], floor * max(largest))
        difference = np.abs(a - b)
        size = np.maximum(np.maximum(np.abs(a), np.abs(b)), smallest)
        with np.errstate(invalid="ignore"):  # inf / inf
            error = np.divide(difference, size, out=np.zeros(a.shape), where=difference != 0)
        error = np.where(np.isnan(error), np.inf, error)
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), a.shape))
        if worst is None or error[index] > worst.error:
            worst = Disagreement(float(error[index]), position, index, float(a[index]), float(b[index]))
    return worst or Disagreement(0.0, 0, (), 0.0, 0.0)
