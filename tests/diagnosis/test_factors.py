"""A factor has a name only where the graph has a count or the usual numbers for it."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.diagnosis.factors import Counts

COUNTS = Counts(batch=6, sizes=(6, 4, 3), averaged=(6,))


@pytest.mark.parametrize(
    ("k", "word"),
    [
        (6.0, "missing_mean"),
        (1 / 6, "double_mean"),
        (1 / 36, "double_mean"),
        (2.0, "factor:2"),
        (0.5, "factor:0.5"),
        (-1.0, "sign"),
        (-6.0, "sign+missing_mean"),
        (1 / 3, "extra_mean"),
        (3.0, "factor:3"),
        (12.0, "missing_mean+factor:2"),
    ],
)
def test_a_factor_is_called_by_what_it_counts(k, word):
    assert COUNTS.name(k).word == word


def test_a_number_that_counts_nothing_has_no_name():
    assert COUNTS.name(1.2345) is None


def test_with_a_batch_of_two_a_two_is_read_both_ways():
    words = [factor.word for factor in Counts(batch=2, sizes=(2, 5), averaged=(2,)).names(2.0)]
    assert words[:2] == ["missing_mean", "factor:2"]


def test_another_number_of_samples_tells_the_batch_from_the_square():
    def loss(X, y, w):
        return np.mean((X @ w - y) ** 2)

    rng = np.random.default_rng(2)
    args = (rng.normal(size=(2, 3)), rng.normal(size=2), rng.normal(size=3))
    twice = cr.check_backward(loss, lambda X, y, w: 4 * X.T @ (X @ w - y) / len(y), *args, wrt="w")
    whole = cr.check_backward(loss, lambda X, y, w: 2 * X.T @ (X @ w - y), *args, wrt="w")
    assert (twice.verdict, whole.verdict) == ("factor:2", "missing_mean")
