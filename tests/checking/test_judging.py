"""One leaf: agreement is quick, disagreement is examined, and an accusation by a method that is wrong is not believed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.checking.judging import judge_leaf
from chainrule.checking.lines import Lines, Probe, gradient_of
from chainrule.primitives.arithmetic import MAXIMUM
from checking_support import accused, rules

X = np.array([[0.5, -1.5], [2.0, -0.25]])


def judged(function, x, change=0.0, method=None, blocks=(), entries=None):
    subject, traced = accused(function, x)
    lines = Lines(subject, traced, 0)
    if method is not None:
        lines.methods = [method]
    (derived,) = gradient_of(traced)
    entries = np.arange(x.size) if entries is None else np.array(entries, dtype=int)
    none = np.zeros(x.shape, dtype=bool)
    return judge_leaf(lines, 0, derived + change, np.zeros(x.shape), entries, blocks, none)


def smooth(x):
    return np.sum(np.tanh(x) ** 2 * x)


@pytest.mark.parametrize("method", ["complex step", "differences"])
def test_the_wrong_entries_and_no_others_are_wrong(method):
    row = judged(smooth, X, change=np.array([[0, 0], [1e-3, 0]]), method=method)
    assert (row.verdict, row.wrong_count, row.compared) == ("wrong", 1, 4)
    (entry,) = row.wrong
    assert entry.index == (1, 0) == row.worst.index
    assert entry.derived - entry.by_method == pytest.approx(1e-3, rel=1e-5)
    assert row.absolute == pytest.approx(1e-3, rel=1e-5)


def test_complex_step_is_not_believed_where_differences_contradict_it():
    def f(x):
        return np.sum(np.abs(x) ** 3)  # NumPy's |x + ih| forgets h

    assert judged(f, X, method="complex step").verdict == "proved"
    row = judged(f, X, method="complex step", change=np.array([[0, 1e-2], [0, 0]]))
    assert [entry.index for entry in row.wrong] == [(0, 1)]


def test_a_direction_leads_to_the_entry_that_is_wrong():
    x = np.random.default_rng(0).standard_normal(64)
    blocks = [Probe(0, np.arange(64), np.random.default_rng(1).standard_normal(64))]
    change = np.zeros(64)
    change[[17, 40]] = 1e-2
    row = judged(smooth, x, change=change, blocks=blocks, entries=[])
    assert (row.verdict, row.directions) == ("wrong", 1)
    assert {entry.index for entry in row.wrong} == {(17,), (40,)}
    assert judged(smooth, x, blocks=blocks, entries=[]).verdict == "proved"


def test_an_entry_that_is_tiny_beside_its_array_is_still_judged_by_its_own_size():
    weights = np.array([1.0, 1e-5])

    def f(x):
        return np.sum(np.sin(x) * weights)

    x = np.array([0.3, 0.7])
    assert judged(f, x).verdict == "proved"
    row = judged(f, x, change=np.array([0, 1e-9]))  # one part in ten thousand of that entry
    assert [entry.index for entry in row.wrong] == [(1,)]


def test_an_entry_that_is_not_finite_does_not_hide_one_that_is_wrong():
    row = judged(smooth, X, change=np.array([[np.nan, 0], [0, 1e-2]]))
    assert row.verdict == "not finite"
    assert [entry.index for entry in row.wrong] == [(1, 1)]
    assert row.worst.index == (0, 0)


@pytest.mark.parametrize("scale", [cr.nn.identity, cr.nn.sigmoid], ids=["complex step", "differences"])
def test_more_kinks_than_are_judged_one_by_one_are_judged_together_beside_them(monkeypatch, scale):
    monkeypatch.setattr("chainrule.checking.judging.KINKS_EXAMINED", 0)

    def f(x):
        return np.sum(scale(np.maximum(x, 0) * np.arange(1.0, 8.0)))

    report = cr.check(f, np.zeros(7))
    assert report
    assert (report.rows[0].verdict, report.rows[0].kink_count) == ("on a kink", 7)
    assert "together" in report.rows[0].note
    right = MAXIMUM.rules
    with rules("maximum", *[lambda a, b, y, tie, rule=rule: 1.01 * rule(a, b, y, tie) for rule in right]):
        assert cr.check(f, np.zeros(7)).rows[0].verdict == "wrong"
