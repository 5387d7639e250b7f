"""Batches, splits and standardisation: every row once, every draw a function of its seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ArgumentError
from chainrule.train.data import FARTHEST, Standardization, shuffled_batches, split_rows


@given(n=st.integers(1, 60), batch_size=st.integers(1, 70), epoch=st.integers(1, 5), shuffle=st.booleans())
def test_an_epoch_visits_every_row_once(n, batch_size, epoch, shuffle):
    batches = list(shuffled_batches(n, batch_size, seed=7, epoch=epoch, shuffle=shuffle))
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return np.concatenate(list(shuffled_batches(100, 10, seed, epoch))).tolist()

    third = order(1, 3)
    assert third == order(1, 3)  # nothing that was drawn in between matters
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=5),
    fraction=st.sampled_from([0.1, 0.2, 1 / 3, 0.5]),
    seed=st.integers(0, 100),
)
def test_a_stratified_split_keeps_the_shares_of_the_classes(counts, fraction, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    try:
        train, held_out = split_rows(len(classes), fraction, seed, classes)
    except ArgumentError:
        assert all(count * fraction < 0.5 for count in counts)  # there was nothing to hold out
        return
    assert sorted([*train, *held_out]) == list(range(len(classes)))
    for number, count in enumerate(counts):
        share = np.sum(classes[held_out] == number)
        assert abs(share - count * fraction) <= 0.5
        assert share < count  # each class can be learnt


def test_a_split_is_repeatable_and_not_the_first_epoch_s_order():
    first, again, other = (split_rows(50, 0.2, seed) for seed in (3, 3, 4))
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    order = np.concatenate(list(shuffled_batches(50, 10, seed=3, epoch=1)))
    assert sorted(order[:10]) != first[1].tolist()


def test_no_fraction_holds_nothing_out():
    train, held_out = split_rows(5, 0.0, seed=0)
    assert train.tolist() == [0, 1, 2, 3, 4]
    assert held_out.size == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_a_fraction_outside_is_refused(fraction):
    with pytest.raises(ArgumentError, match="validation"):
        split_rows(10, fraction, seed=0)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ArgumentError, match="seed"):
        split_rows(10, 0.5, seed)


def test_standardized_columns_have_mean_0_and_deviation_1():
    X = np.random.default_rng(0).uniform(-3, 9, size=(500, 3))
    Z = Standardization.measure(X)(X)
    assert Z.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert Z.std(axis=0) == pytest.approx(1)


def test_constant_columns_become_0_also_when_rounding_gives_them_a_deviation():
    X = np.full((7, 2), [0.1, 0.0])
    assert X.std(axis=0)[0] > 0  # the trap
    standardize = Standardization.measure(X)
    assert np.abs(standardize(X)).max() < 1e-15
    assert np.all(np.isfinite(standardize(X + 1)))


def test_a_rare_value_is_not_forty_deviations_away():
    X = np.zeros((1000, 1))
    X[3] = 5.0
    assert Standardization.measure(X)(X).max() == pytest.approx(FARTHEST)
