"""The search: which mistakes, one after the other, give the user's numbers.

The one idea: walk from the loss to the arguments. At the first number that is wrong, find the single mistake that
reproduces it and as many of the numbers behind it as possible, up to the next mistake; take it as made, and go on. A
mistake that is right by chance at one set of arguments is not right at another: the same backward pass, called there,
is the referee.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.diagnosis.bench import Bench, Effect
from chainrule.diagnosis.comparing import Target
from chainrule.diagnosis.mutation import Mutation

AT_MOST = 12  # mistakes in one backward pass
IN_PAIRS = 110  # the likeliest mistakes that are also tried two at a time
PROBES = 4  # numbers at which a plain mistake is sought
FAR_FETCHED = 20  # the rank of a mistake with a factor on top
LOOKED_AT = 12  # candidates that are held against the referees


@dataclass(frozen=True)
class Cause:
    """A mistake that was found, with what it explains.

    Attributes
    ----------
    mutation : Mutation
    explained : tuple of Target
        The user's numbers that it accounts for.
    rivals : tuple of Mutation
        Others that give the same numbers.
    """

    mutation: Mutation
    explained: tuple[Target, ...]
    rivals: tuple[Mutation, ...] = ()


def find_causes(bench: Bench, referees: Sequence[Bench]) -> tuple[list[Cause], list[Target]]:
    """The mistakes that explain the user's numbers, and the numbers that none explains."""
    causes: list[Cause] = []
    hopeless: set[int] = set()
    while len(causes) < AT_MOST:
        wrong = [target for target in bench.unexplained() if target.number not in hopeless]
        if not wrong:
            break
        found = _single(bench, referees, wrong)
        for look in (_alone, _pair):
            found = found or look(bench, referees, wrong[0])
        if not found:
            hopeless.add(wrong[0].number)
            continue
        causes += found
    return causes, bench.unexplained()


def _single(bench: Bench, referees: Sequence[Bench], wrong: Sequence[Target]) -> list[Cause]:
    """The one mistake that explains most, sought at the number nearest the loss, then at the others.

    A plain mistake at the first number settles it. One that needs a factor besides may be two, of which one shows alone
    at another number: dZ1 without its derivative, and db1 divided by N.
    """
    confirmed: list[Effect] = []
    for probe in wrong[:PROBES]:
        effects = [
            effect
            for mutation in bench.proposals
            if (referees or not mutation.only_called) and bench.reaches(mutation, probe)
            for solved in bench.try_at(mutation, probe)
            if (effect := bench.effect(solved)) is not None
        ]
        effects.sort(key=lambda effect: _plausible(bench, effect))
        confirmed += [effect for effect in effects[:LOOKED_AT] if _is_confirmed(effect, bench, referees)]
        if any(effect.mutation.rank < FAR_FETCHED for effect in confirmed):
            break
    if not confirmed:
        return []
    confirmed.sort(key=lambda effect: (effect.mutation.rank >= FAR_FETCHED, *_plausible(bench, effect)))
    best, *others = confirmed
    rivals = [other.mutation for other in others if other.explained == best.explained]
    return [_take(bench, referees, best, tuple(rivals))]


def _alone(bench: Bench, referees: Sequence[Bench], probe: Target) -> list[Cause]:
    """A mistake in the formula of one number alone, written out from the loss on: the others are computed apart."""
    for mutation in sorted(bench.proposals, key=lambda mutation: mutation.rank):
        if mutation.only_called or not bench.reaches(mutation, probe):
            continue
        for solved in bench.try_at(mutation, probe):
            if not solved.word or solved.says.startswith("in the formula"):
                continue
            apart = bench.only_in(solved, probe)
            effect = bench.effect(apart)
            if effect is not None and _is_confirmed(effect, bench, referees):
                return [_take(bench, referees, effect)]
    return []


HELD_CONSTANT = ("detached_branch", "dropped_path", "missing_regularizer", "overwritten_instead_of_accumulated")


def _plausible(bench: Bench, effect: Effect) -> tuple:
    """Sorts what explains most first, then what is least far-fetched, then what is nearest the loss."""
    mutation = effect.mutation
    zeros = not any(np.any(t.value) for t in bench.targets if t.number in effect.explained)
    if zeros and mutation.word not in HELD_CONSTANT:  # zeros come of many things; most often nothing was sent back
        mutation = replace(mutation, rank=mutation.rank + FAR_FETCHED)
    number = bench.sheet.variable_of(mutation.site)
    return -len(effect.explained), mutation.rank, bench.sheet.order.get(number, 0), len(mutation.says)


def _take(bench: Bench, referees: Sequence[Bench], effect: Effect, rivals: tuple[Mutation, ...] = ()) -> Cause:
    explained = tuple(target for target in bench.targets if target.number in effect.explained)
    bench.accept(effect.mutation)
    for referee in referees:
        counterpart = _counterpart(effect.mutation, referee, explained[0] if explained else None)
        if counterpart is not None:
            referee.accept(counterpart)
    return Cause(effect.mutation, explained, rivals)


def _counterpart(mutation: Mutation, referee: Bench, probe: Target | None) -> Mutation | None:
    """The same mistake at a referee's arguments, with the factor that it has there."""
    base = mutation.origin if mutation.origin is not None else mutation
    there = next((target for target in referee.targets if probe is not None and target.number == probe.number), None)
    if there is None:
        return None
    for other in referee.by_key.get(base.key, ()):
        for solved in referee.try_at(other, there):
            if solved.word == mutation.word:
                return referee.only_in(solved, there) if mutation.apart else solved
    return None


def _is_confirmed(effect: Effect, bench: Bench, referees: Sequence[Bench]) -> bool:
    """Whether the same mistake explains the same numbers at every referee's arguments."""
    probe = next(target for target in bench.targets if target.number in effect.explained)
    for referee in referees:
        base = effect.mutation.origin if effect.mutation.origin is not None else effect.mutation
        if base.key not in referee.by_key or effect.explained <= referee.explained:
            continue  # it cannot be made there, or makes no difference there
        there = _counterpart(effect.mutation, referee, probe)
        if there is None:
            return False
        if effect.mutation.word.startswith("factor") and not np.isclose(
            there.factor, effect.mutation.factor, rtol=1e-5
        ):
            return False
        found = referee.effect(there)
        if found is None or not found.explained >= effect.explained:
            return False
    return True


def _pair(bench: Bench, referees: Sequence[Bench], probe: Target) -> list[Cause]:
    """Two mistakes on the way to one number, with no number of the user's between them."""
    likely = sorted(_likely(bench, probe), key=bench.place_of)
    found: list[Effect] = []
    for n, first in enumerate(likely):
        try:
            with np.errstate(all="ignore"):
                run = bench.predict(first)
        except (ValueError, IndexError, TypeError):
            continue
        for second in likely[n + 1 :]:
            if first.site == second.site or not bench.could_give(second, probe, run):
                continue
            both = _together(first, second)
            effect = bench.effect(both)
            if effect is not None and probe.number in effect.explained:
                found.append(effect)
    found.sort(key=lambda effect: _plausible(bench, effect))
    for effect in found[:LOOKED_AT]:
        if _is_confirmed(effect, bench, referees):
            return [_take(bench, referees, effect)]
    return []


def _likely(bench: Bench, probe: Target) -> list[Mutation]:
    """The mistakes that lie between what is explained and the probe, the likeliest first; sizes made explicit."""
    counts = bench.scene.counts
    usual = [-1.0, *(float(c) for c in (counts.batch,) if c), *(1.0 / c for c in (counts.batch,) if c), 2.0, 0.5]
    found = []
    for mutation in bench.proposals:
        if mutation.only_called or mutation.rest is not None or not bench.reaches(mutation, probe):
            continue
        if mutation.values is not None:
            continue
        if any(bench.sheet.site_reaches(mutation.site, number) for number in bench.explained):
            continue
        if mutation.word:
            found.append(mutation)
            continue
        for k in usual:
            factor = counts.name(k)
            if factor is not None:
                found.append(mutation.times(factor))
    found.sort(key=lambda mutation: (mutation.rank, bench.sheet.order.get(bench.sheet.variable_of(mutation.site), 0)))
    return found[:IN_PAIRS]


def _together(first: Mutation, second: Mutation) -> Mutation:
    return replace(
        first,
        word=f"{first.word}+{second.word}" if first.word != second.word else first.word,
        says=f"{first.says}; and {second.says}",
        more=(*first.more, (second.site, second.override), *second.more),
        scaled="no",
        also=(),
        factor=1.0,
        rank=first.rank + second.rank,
    )
