"""A budget is kept, every entry is covered, and the probability that is stated is one that holds."""

import numpy as np
import pytest

from chainrule.checking.coverage import plan, usual_budget


def test_within_the_budget_every_entry_is_compared_by_itself():
    planned = plan([7, 0, 3], [1, 4, 4], budget=19, seed=0)
    assert [e.tolist() for e in planned.entries] == [list(range(7)), [], [0, 1, 2]]
    assert planned.blocks == [[], [], []]


@pytest.mark.parametrize(
    ("sizes", "budget"), [([1000, 50], 200), ([26_000, 130, 10], 2000), ([10, 10, 10], 5), ([3], 1)]
)
def test_beyond_it_directions_cover_every_entry_once(sizes, budget):
    planned = plan(sizes, [1] * len(sizes), budget, seed=0)
    for size, entries, blocks in zip(sizes, planned.entries, planned.blocks, strict=True):
        covered = np.sort(np.concatenate([b.where for b in blocks])) if blocks else entries
        assert covered.tolist() == list(range(size))
        assert all((b.weights != 0).all() for b in blocks)
        assert len(np.unique(entries)) == len(entries) > 0
    assert sum(map(len, planned.entries)) + sum(map(len, planned.blocks)) <= budget + 8 * len(sizes)


def test_what_is_stated_is_seen():
    """Mistakes in one per cent of the entries, at random: how often does the sample hit one?"""
    sizes, rng = [2000, 300], np.random.default_rng(0)
    hits = []
    for seed in range(2000):
        planned = plan(sizes, [1, 1], 400, seed)
        wrong = rng.choice(sum(sizes), 23, replace=False)
        sampled = np.concatenate([planned.entries[0], 2000 + planned.entries[1]])
        hits.append(np.isin(wrong, sampled).any())
    stated = float(planned.says.split()[-1])
    assert 0.85 < stated <= np.mean(hits) + 3 * np.std(hits) / len(hits) ** 0.5


def test_large_arguments_get_fewer_evaluations():
    assert usual_budget(1) >= usual_budget(30_000) > usual_budget(10**7) > 0
