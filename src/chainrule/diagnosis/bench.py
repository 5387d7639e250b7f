"""Where a mistake is tried: the backward pass as far as it is understood, and how much more of the user's numbers it gives.

The one idea: a bench holds one set of arguments, the user's numbers at them, and the mistakes accepted so far. A new
mistake is tried on top of those. It helps if a number that could not be explained is then reproduced to rounding, and
it is out if a number that was explained is not any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.diagnosis.comparing import Target
from chainrule.diagnosis.factors import Counts, Factor, any_factor
from chainrule.diagnosis.mutation import Mutation, Proposals, Scene, combined
from chainrule.diagnosis.screening import Screen
from chainrule.diagnosis.sheet import Override, Run, Sheet, Site

ENOUGH = 2  # entries that a factor without a name has to explain: any two numbers have a quotient


@dataclass(frozen=True)
class Effect:
    """A mistake with its factor, and the numbers that it explains which were not explained before."""

    mutation: Mutation
    explained: frozenset[int]


@dataclass
class Bench:
    """One set of arguments with the user's numbers; see the module's docstring.

    Attributes
    ----------
    scene : Scene
    targets : list of Target
        From the loss on.
    generators : sequence of callable
        What proposes mistakes for a scene.
    """

    scene: Scene
    targets: Sequence[Target]
    generators: Sequence[Callable[[Scene], Proposals]]
    accepted: dict[Site, tuple[Override, ...]] = field(default_factory=dict)
    sheet: Sheet = field(init=False)
    base: Run = field(init=False)
    explained: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self.sheet = self.scene.sheet
        self.settle()

    def settle(self) -> None:
        """Run the backward pass with what was accepted, and see which of the user's numbers it gives."""
        self.base = self.sheet.run(self.accepted)
        self._screens: dict[int, Screen] = {}
        self._rests: dict[tuple, Any] = {}
        self.explained = self._explained_by(self.base)

    def accept(self, mutation: Mutation) -> None:
        """Take a mistake as made."""
        if mutation.values is not None:
            self.sheet = self.sheet.with_values(mutation.values)
        self.accepted = combined(self.accepted, mutation)
        self.settle()

    def unexplained(self) -> list[Target]:
        """The numbers that are wrong, nearest the loss first."""
        return [target for target in self.targets if target.number not in self.explained]

    @cached_property
    def proposals(self) -> list[Mutation]:
        """Every mistake that can be thought of, single ones first, then the same one at every place of its kind."""
        found = [mutation for generate in self.generators for mutation in generate(self.scene)]
        return [*found, *_everywhere(found)]

    @cached_property
    def by_key(self) -> dict[tuple, list[Mutation]]:
        """The mistakes by what identifies them at other arguments."""
        result: dict[tuple, list[Mutation]] = {}
        for mutation in self.proposals:
            result.setdefault(mutation.key, []).append(mutation)
        return result

    def reaches(self, mutation: Mutation, target: Target) -> bool:
        """Whether a mistake could change a number of the user's at all."""
        if mutation.values is not None:
            return True
        sites = (mutation.site, *(site for site, _ in mutation.more))
        return any(self.sheet.site_reaches(site, target.number) for site in sites)

    def predict(self, mutation: Mutation, target: Target | None = None) -> Run:
        """The backward pass with a mistake more; only what one target needs, if one is named."""
        overrides = combined(self.accepted, mutation)
        if mutation.values is not None:
            return self.sheet.with_values(mutation.values).run(overrides)
        number = None if target is None else target.number
        sites = {mutation.site, *(site for site, _ in mutation.more)}
        return self.sheet.run(overrides, base=self.base, target=number, changed_sites=sites)

    def screen(self, probe: Target) -> Screen:
        """The quick look at mistakes that may explain one number."""
        if probe.number not in self._screens:
            numbers = [self.sheet.variable_of(site) for site in self.accepted]
            self._screens[probe.number] = Screen(self.sheet, probe, numbers)
        return self._screens[probe.number]

    def _rest(self, mutation: Mutation, probe: Target) -> Any:
        """The user's number without what a site contributes to it."""
        if mutation.rest is not None or mutation.more:
            return self.predict(mutation.removed(), probe).cotangents[probe.number]
        key = (mutation.site, probe.number)
        if key not in self._rests:
            self._rests[key] = self.predict(mutation.removed(), probe).cotangents[probe.number]
        return self._rests[key]

    def try_at(self, mutation: Mutation, probe: Target) -> list[Mutation]:
        """The mistake if it reproduces one number of the user's, with each reading of the factor that it takes."""
        try:
            with np.errstate(all="ignore"):
                if not self.screen(probe).passes(mutation, self.base):
                    return []
                prediction = self.predict(mutation, probe).cotangents[probe.number]
                if mutation.word and mutation.scaled != "any" and probe.explained_by(prediction):
                    return [mutation]
                if mutation.scaled == "no":
                    return []
                rest = self._rest(mutation, probe)
        except (ValueError, IndexError, TypeError):  # shapes that do not fit: nobody can have computed that
            return []
        k = _quotient(probe, prediction, rest)
        if k is None or (abs(k) < 1e-9 and mutation.word != "regularizer_factor"):
            return []
        return list(self._with_factor(mutation, k))

    def _with_factor(self, mutation: Mutation, k: float) -> Iterator[Mutation]:
        counts = self.scene.counts
        if mutation.rest is not None:
            yield from _solved(mutation, k, counts)
        elif mutation.scaled == "plain":
            yield from _plain(mutation, k, counts)
        elif not np.isclose(k, 1, rtol=1e-9, atol=0):
            factors = list(counts.names(k))
            named = any(f.word.startswith("factor") or f.word == "sign" for f in factors)
            if mutation.scaled == "any" and not named:
                factors.append(any_factor(k))
            for place, factor in enumerate(factors):
                made = mutation.times(factor)
                yield replace(made, rank=made.rank + place)

    def place_of(self, mutation: Mutation) -> int:
        """How near the loss a mistake is."""
        return self.sheet.order.get(self.sheet.variable_of(mutation.site), 1 << 30)

    def could_give(self, mutation: Mutation, probe: Target, run: Run) -> bool:
        """Whether a mistake on top of another pass may give a number of the user's, by the quick look."""
        try:
            with np.errstate(all="ignore"):
                return self.screen(probe).passes(replace(mutation, scaled="no"), run)
        except (ValueError, IndexError, TypeError):
            return False

    def effect(self, mutation: Mutation) -> Effect | None:
        """What a mistake explains that was not explained; None if nothing, or if something is not any more."""
        try:
            with np.errstate(all="ignore"):
                found = self._explained_by(self.predict(mutation))
        except (ValueError, IndexError, TypeError):
            return None
        if not found > self.explained:
            return None
        gained = frozenset(found - self.explained)
        if mutation.factor != 1 and mutation.scaled in ("no", "any") and not self._is_evidence(mutation, gained):
            return None
        return Effect(mutation, gained)

    def _is_evidence(self, mutation: Mutation, gained: frozenset[int]) -> bool:
        """Whether more numbers are explained than were solved for."""
        if self.scene.counts.name(mutation.factor) is not None and mutation.rest is None:
            return True
        entries = sum(int(np.count_nonzero(t.value)) for t in self.targets if t.number in gained)
        return entries >= ENOUGH

    def only_in(self, mutation: Mutation, target: Target) -> Mutation:
        """The mistake made in the formula of one cotangent, and nowhere else."""
        wrong = self.predict(mutation, target).cotangents[target.number]
        return replace(
            mutation,
            site=target.number,
            override=lambda bar, run: wrong,
            says=f"in the formula of {target.name} alone, {mutation.says}",
            more=(),
            values=None,
            scaled="no",
            origin=mutation.origin or mutation,
            apart=True,
        )

    def _explained_by(self, run: Run) -> set[int]:
        return {t.number for t in self.targets if t.explained_by(run.cotangents[t.number])}


def _quotient(probe: Target, prediction: Any, rest: Any) -> float | None:
    """The k for which ``rest + k * (prediction - rest)`` is the user's number, or None."""
    if np.shape(prediction) != np.shape(probe.value) or np.shape(rest) != np.shape(probe.value):
        return None
    finite = np.isfinite(probe.value)
    with np.errstate(all="ignore"):
        part, wanted = (prediction - rest)[finite], (probe.value - rest)[finite]
        norm = float(np.sum(part * part))
        if not norm or not np.isfinite(norm):
            return None
        k = float(np.sum(part * wanted)) / norm
        return k if probe.explained_by(rest + k * (prediction - rest)) else None


def _solved(mutation: Mutation, k: float, counts: Counts) -> Iterator[Mutation]:
    """A mistake whose strength was solved for: a penalty's factor, a step size."""
    named = counts.name(k)
    text = f"{k:.6g}"
    if mutation.word == "regularizer_factor":
        if np.isclose(k, 1, rtol=1e-7, atol=0):
            return
        if abs(k) < 1e-9:
            yield replace(
                mutation.times(Factor(0.0, "", "")), word="missing_regularizer", says=f"{mutation.says} is missing"
            )
            return
        if np.isclose(k, -1, rtol=1e-7):
            yield replace(mutation.times(Factor(k, "", "")), word="sign", says=f"{mutation.says} has the wrong sign")
            return
        says = f"{mutation.says} is {named.reads if named else f'{text} times the truth'}"
    elif mutation.word == "stale_value":
        if k <= 0:
            return
        says = f"{mutation.says}, by {text} times its gradient"
    else:
        says = f"{mutation.says} ({text} times)"
    changed = mutation.times(Factor(k, "", ""))
    yield replace(changed, says=says, word=mutation.word, scaled="any")


def _plain(mutation: Mutation, k: float, counts: Counts) -> Iterator[Mutation]:
    """A formula with a factor in front that a mean, a square or a sign leaves behind; not part of the mistake."""
    size = {1, *counts.sizes, *counts.averaged, counts.batch or 1}
    for plain in (1.0, 2.0, 0.5):
        for count in size:
            for value in (plain / count, plain * count):
                if np.isclose(abs(k), value, rtol=1e-7, atol=0):
                    made = mutation.times(Factor(k, "", ""))
                    word = mutation.word if k > 0 else f"sign+{mutation.word}"
                    yield replace(made, word=word, says=mutation.says, rank=mutation.rank + 3 * (k < 0), factor=1.0)
                    return


def _everywhere(found: Iterable[Mutation]) -> Iterator[Mutation]:
    """Mistakes of one kind, made at all their places, or at all but the one nearest the loss or furthest from it."""
    kinds: dict[tuple[str, str], list[Mutation]] = {}
    for mutation in found:
        if mutation.kind and mutation.word and mutation.rest is None:
            kinds.setdefault((mutation.word, mutation.kind), []).append(mutation)
    for group in kinds.values():
        places = list({mutation.site: mutation for mutation in group}.values())
        if len(places) > 1:
            yield places[0].everywhere(places[1:])
        if len(places) > 2:
            yield places[0].everywhere(places[1:-1])
            yield places[1].everywhere(places[2:])
