"""What a wrong factor says: a sign, a count that was forgotten or divided by once too often, or another number.

The one idea: a factor is only a cause when it can be named. N times too large where the loss is a mean is a forgotten
division, N times too small a second one; 2 is the square's; anything else is given as it is.

>>> counts = Counts(batch=5, sizes=(5, 3, 4), averaged=(5,))
>>> counts.name(5.0).word, counts.name(0.2).word, counts.name(-2.0).word
('missing_mean', 'double_mean', 'sign+factor:2')
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chainrule.graphs import Graph
from chainrule.primitives.arithmetic import DIVIDE, MULTIPLY
from chainrule.primitives.reduction import MEAN

CLOSE = 1e-6
PLAIN = (2.0, 0.5, 4.0, 0.25, 3.0, 1 / 3, 1.5, 2 / 3)  # what squares, halves and quarters leave behind


@dataclass(frozen=True)
class Factor:
    """A factor with its name: the word of the vocabulary, how it reads, and whether it is more than a number."""

    value: float
    word: str
    reads: str
    plain: bool = True


@dataclass(frozen=True)
class Counts:
    """The numbers that a factor may stand for.

    Attributes
    ----------
    batch : int or None
        The number of samples, where it is known.
    sizes : tuple of int
        The sizes of axes, the batch first.
    averaged : tuple of int
        The counts that the loss divides by.
    constants : tuple of float
        Numbers written in the function.
    """

    batch: int | None
    sizes: tuple[int, ...]
    averaged: tuple[int, ...]
    constants: tuple[float, ...] = ()

    def name(self, k: float, tolerance: float = CLOSE) -> Factor | None:
        """What a factor most likely is, or None if it is only a number."""
        return next(self.names(k, tolerance), None)

    def names(self, k: float, tolerance: float = CLOSE) -> Iterator[Factor]:
        """All that a factor may be, the likeliest first: with a batch of 2, a 2 may be the square's or the batch's."""
        if not math.isfinite(k) or k == 0:
            return
        if k < 0:
            if math.isclose(k, -1, rel_tol=tolerance):
                yield Factor(k, "sign", "the sign is wrong")
            for rest in self.names(-k, tolerance):
                yield Factor(k, f"sign+{rest.word}", f"the sign is wrong, and {rest.reads}", plain=rest.plain)
            return
        seen = set()
        for value, factor in self._readings():
            if math.isclose(k, value, rel_tol=tolerance) and factor.word not in seen:
                seen.add(factor.word)
                yield replace(factor, value=k)

    def _readings(self) -> Iterator[tuple[float, Factor]]:
        """Every value that has a name."""
        named = list(self._counts())
        for count, name in named:
            if self._divides(count):
                text = f"{name} times too large: the loss divides by {name}"
                yield count, Factor(count, "missing_mean", text)
                yield 1 / count, Factor(1 / count, "double_mean", f"divided by {name} twice")
            elif count == self.batch:
                text = f"divided by {name}, and the loss does not divide by it"
                yield 1 / count, Factor(1 / count, "extra_mean", text)
        for value in PLAIN[:2]:
            yield value, Factor(value, f"factor:{_short(value)}", f"{_short(value)} times the truth")
        for count, name in named:
            if not self._divides(count) and count != self.batch:
                text = f"divided by {name}, and the loss does not divide by it"
                yield 1 / count, Factor(1 / count, "extra_mean", text)
        for value in PLAIN[2:]:
            yield value, Factor(value, f"factor:{_short(value)}", f"{_short(value)} times the truth")
        for count, name in named:
            if not self._divides(count):
                yield count, Factor(count, f"factor:{_short(count)}", f"{name} times too large")
            else:
                yield 1 / count**2, Factor(1 / count**2, "double_mean", f"divided by {name} twice too often")
            for value, say in ((2.0, "twice"), (0.5, "half of")):
                if self._divides(count):
                    text = f"{say} {name} times the truth: the loss divides by {name}"
                    yield value * count, Factor(0, f"missing_mean+factor:{_short(value)}", text, plain=False)
                word = "double_mean" if self._divides(count) else "extra_mean"
                text = f"divided by {name} once too often, and {_short(value)} times the truth"
                yield value / count, Factor(0, f"{word}+factor:{_short(value)}", text, plain=False)
        for (one, first), (other, second) in itertools.permutations(named[:6], 2):
            if self._divides(one):
                text = f"divided by {second} instead of by {first}"
                yield one / other, Factor(0, "missing_mean+extra_mean", text, plain=False)
        for constant in self.constants:
            for value in (constant, 1 / constant if constant else math.nan) if constant != 1 else ():
                yield value, Factor(value, f"factor:{_short(value)}", f"{_short(value)} times the truth")

    def _counts(self) -> Iterator[tuple[int, str]]:
        """Each count with its name, the likeliest first: the batch, what is averaged, other sizes."""
        seen = {1}
        for size in (*((self.batch,) if self.batch else ()), *self.averaged, *self.sizes):
            if size not in seen:
                seen.add(size)
                yield size, f"N = {size}" if size == self.batch else str(size)

    def _divides(self, count: int) -> bool:
        return count in self.averaged


def any_factor(k: float) -> Factor:
    """A factor without another name."""
    return Factor(k, f"factor:{_short(k)}", f"{_short(k)} times the truth")


def _short(value: float) -> str:
    return f"{value:.6g}"


def counts_of(graph: Graph, batch: int | None) -> Counts:
    """The counts that stand in a graph: the sizes of its axes, and what it divides by."""
    sizes: dict[int, None] = dict.fromkeys([batch] if batch else [])
    for number in (*graph.inputs, *(e.output for e in graph.equations)):
        shape = graph.variables[number].shape
        sizes.update(dict.fromkeys(int(size) for size in shape))
        sizes[math.prod(map(int, shape))] = None
    averaged: dict[int, None] = {}
    constants: dict[float, None] = {}
    for equation in graph.equations:
        if equation.primitive is MEAN:
            shape = graph.variables[equation.inputs[0]].shape  # type: ignore[index]
            axes = equation.params[0]
            counted = [int(shape[a]) for a in (range(len(shape)) if axes is None else axes)]
            averaged[math.prod(counted)] = None
            averaged.update(dict.fromkeys(counted))
        for operand in equation.inputs:
            if type(operand) is int:
                continue
            value = operand.value  # type: ignore[union-attr]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value:
                continue
            constants[abs(float(value))] = None
            if equation.primitive is DIVIDE and value in sizes:
                averaged[int(value)] = None
                averaged.update(dict.fromkeys(n for n in list(sizes) if 1 < n < value and value / n in sizes))
            if equation.primitive is MULTIPLY and any(math.isclose(value * size, 1) for size in sizes if size > 1):
                averaged[round(1 / value)] = None
    averaged.pop(1, None)
    if batch in averaged:  # the batch itself first: it is the likeliest count
        averaged = {batch: None, **averaged}  # type: ignore[dict-item]
    return Counts(batch, tuple(s for s in sizes if s and s > 1), tuple(averaged), tuple(constants))
