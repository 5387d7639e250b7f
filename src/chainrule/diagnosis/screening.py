"""A quick look at a mistake before it is tried: does it change the user's number in the right direction at all?

The one idea: behind a site the backward pass is linear, t_bar = J s_bar, and J transposed is forward mode. So for a random
vector v, <v, t_bar> = <s_dot, s_bar>, where s_dot is the tangent of s when t moves along v. One forward sweep serves all
sites, and a mistake then costs an inner product instead of the rest of the backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.diagnosis.comparing import Target
from chainrule.diagnosis.mutation import Mutation
from chainrule.diagnosis.sheet import Run, Sheet

VECTORS = 3
LOOSE = 1e-4  # the look only rules out; what it lets pass is compared entry by entry


class Screen:
    """What is known of one number of the user's before any mistake is tried."""

    def __init__(self, sheet: Sheet, target: Target, accepted: Sequence[int]):
        self.sheet, self.target = sheet, target
        shape = sheet.shape(target.number)
        self.fits = target.value.shape == shape and bool(np.isfinite(target.value).all())
        self.accepted = [number for number in accepted if sheet.reaches(number, target.number)]
        if not self.fits:
            return
        random = np.random.Generator(np.random.Philox(7))
        self.vectors = [random.standard_normal(shape) for _ in range(VECTORS)]
        self.dots = [sheet.tangents(target.number, v) for v in self.vectors]
        self.wanted = np.array([np.sum(v * target.value) for v in self.vectors])
        self.allowed = np.array([np.sum(np.abs(v)) * target.allowed for v in self.vectors])

    def passes(self, mutation: Mutation, run: Run) -> bool:
        """Whether a mistake may give the user's number, with or without a factor; True where it cannot be told."""
        if not self.fits or mutation.more or mutation.values is not None or not self._is_linear(mutation):
            return True
        site = mutation.site
        old = run.cotangents.get(site) if isinstance(site, int) else run.contributions.get(site)
        if old is None:
            return True
        number = self.sheet.variable_of(site)
        new = np.asarray(mutation.override(old, run))
        rest = np.zeros(new.shape) if mutation.rest is None else np.asarray(mutation.rest(old, run))
        if new.shape != np.shape(old):
            return new.shape == self.sheet.shape(self.target.number) or number == self.target.number
        base = run.cotangents[self.target.number]
        needed, moved, size = np.empty(VECTORS), np.empty(VECTORS), np.empty(VECTORS)
        for i, (v, dots) in enumerate(zip(self.vectors, self.dots, strict=True)):
            s_dot = dots.get(number)
            if s_dot is None:
                return False
            there, without = np.sum(v * base), np.sum(s_dot * (rest - old))
            needed[i] = self.wanted[i] - there - without
            moved[i] = np.sum(s_dot * (new - rest))
            size[i] = abs(self.wanted[i]) + abs(there) + abs(without) + abs(moved[i])
        tolerance = LOOSE * size + self.allowed
        if mutation.word and np.all(np.abs(moved - needed) <= tolerance):
            return True
        if mutation.scaled == "no" or not np.all(np.isfinite(moved)):
            return False
        norm = float(np.sum(moved * moved))
        k = float(np.sum(moved * needed)) / norm if norm else 0.0
        return bool(np.all(np.abs(k * moved - needed) <= tolerance))

    def _is_linear(self, mutation: Mutation) -> bool:
        """Whether no accepted mistake lies between the site and the number."""
        number = self.sheet.variable_of(mutation.site)
        return not any(self.sheet.reaches(number, other) for other in self.accepted)
