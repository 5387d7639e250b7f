"""How much of a gradient is compared within a budget, and what that would have seen.

The one idea: within the budget, every entry is compared by itself. Beyond it, half of the budget goes to random directions
that together cover *every* entry, each direction a block of them with random weights: whatever is wrong in a block shows,
unless it is below the tolerance of the block's own size. The other half compares entries one by one, drawn at random from
every leaf. A block that disagrees is halved until the entries are found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.checking.lines import Probe

MOST, LEAST = 5_000, 400  # evaluations of the function, by default
MOVED = 50_000_000  # entries of arguments that all of these go through: large arguments make slow functions
FEWEST = 4  # entries and directions of any leaf, however small beside the others
RARE = 0.01  # of the entries: the mistake whose chance to be seen is stated


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    entries : list of ndarray of int
        For each leaf, the places that are compared one by one.
    blocks : list of list of Probe
        For each leaf, random directions that together cover it; none where every entry is compared.
    says : str
    """

    entries: list[np.ndarray]
    blocks: list[list[Probe]]
    says: str


def usual_budget(entries: int) -> int:
    """How many evaluations are spent unless somebody says: by counts alone, so that a report can be repeated.

    >>> usual_budget(100), usual_budget(26_000), usual_budget(1_000_000)
    (5000, 1923, 400)
    """
    return max(LEAST, min(MOST, MOVED // max(entries, 1)))


def plan(sizes: Sequence[int], costs: Sequence[int], budget: int, seed: int) -> Plan:
    """Divide a budget of evaluations among leaves of these sizes.

    Parameters
    ----------
    costs : sequence of int
        Evaluations for one entry or direction of each leaf.

    Examples
    --------
    >>> plan([3, 2], [1, 4], budget=20, seed=0).says
    'all 5 entries, one by one'
    >>> print(plan([60_000, 10], [1, 1], budget=1000, seed=0).says)
    every one of 60,010 entries in one of 503 random directions (an error above tolerance is seen almost surely, and its
    entry found), and 503 entries one by one: a mistake in at least 1 % of the entries is seen with probability 0.993
    """
    total = sum(sizes)
    if sum(size * cost for size, cost in zip(sizes, costs, strict=True)) <= budget:
        return Plan([np.arange(size) for size in sizes], [[] for _ in sizes], _everything(total))
    random = np.random.Generator(np.random.Philox(seed))
    half = max(budget // 2, 1)
    weight = sum(size * cost for size, cost in zip(sizes, costs, strict=True))
    entries, blocks = [], []
    for leaf, size in enumerate(sizes):
        count = min(size, max(FEWEST, half * size // weight))
        entries.append(np.sort(random.choice(size, count, replace=False)) if size else np.arange(0))
        shuffled = random.permutation(size)
        parts = np.array_split(shuffled, count) if count < size else []
        blocks.append([Probe(leaf, part, random.standard_normal(len(part))) for part in parts])
    directions = sum(map(len, blocks)) + sum(len(e) for e, b in zip(entries, blocks, strict=True) if not b)
    alone = sum(map(len, entries))
    rate = min(len(e) / size for e, size in zip(entries, sizes, strict=True) if size)
    seen = 1 - math.exp(-rate * RARE * total)  # at most; drawing without replacement sees more
    return Plan(
        entries,
        blocks,
        f"every one of {total:,} entries in one of {directions:,} random directions (an error above tolerance is seen almost "
        f"surely, and its entry found), and {alone:,} entries one by one: a mistake in at least 1 % of the entries is seen "
        f"with probability {_probability(seen)}",
    )


def _everything(total: int) -> str:
    return f"all {total:,} entries, one by one" if total != 1 else "the one entry there is"


def _probability(seen: float) -> str:
    """As many nines as there are, and the digit after them.

    >>> _probability(0.98765), _probability(1 - 3e-7)
    ('0.987', '0.9999997')
    """
    missed = max(1 - seen, 1e-15)
    digits = max(3, math.ceil(-math.log10(missed)))
    return f"{math.floor(seen * 10**digits) / 10**digits:.{digits}f}"


def halves(probe: Probe) -> tuple[Probe, Probe]:
    """A direction cut in two."""
    middle = len(probe.where) // 2
    return (
        Probe(probe.leaf, probe.where[:middle], probe.weights[:middle]),
        Probe(probe.leaf, probe.where[middle:], probe.weights[middle:]),
    )
