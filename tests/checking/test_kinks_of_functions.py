"""Kinks as `check` reports them: on one, near one, and nothing hidden behind one."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.primitives.arithmetic import MAXIMUM
from checking_support import arguments, loss, row_of, rules, verdicts


def test_only_the_entry_on_the_kink_is_on_it_and_both_slopes_are_shown():
    def f(x):
        h = np.maximum(0, x)
        return np.sum(h * np.array([1.0, 2.0, 3.0]))

    report = cr.check(f, np.array([1.0, 0.0, -2.0]))
    assert report
    (row,) = report.rows
    assert (row.verdict, row.kink_count, row.compared) == ("on a kink", 1, 3)
    (kink,) = row.kinks
    assert (kink.index, kink.primitive, kink.code) == ((1,), "maximum", "h = np.maximum(0, x)")
    assert (kink.left, kink.right, kink.derived) == (0.0, 2.0, 0.0)
    assert "slope 0 below, 2 above" in str(report)


KINKED = {
    "abs": (lambda x: np.sum(np.abs(x)), (-1.0, 1.0)),
    "sign": (lambda x: np.sum(np.sign(x) * x), (-1.0, 1.0)),
    "minimum": (lambda x: np.sum(np.minimum(x, 0)), (1.0, 0.0)),
    "clip": (lambda x: np.sum(np.clip(x, 0, 3)), (0.0, 1.0)),
    "greater": (lambda x: np.sum(x * (x > 0)), (0.0, 1.0)),
    "where": (lambda x: np.sum(np.where(x > 0, x, 3 * x)), (3.0, 1.0)),
    "less_equal": (lambda x: np.sum(np.where(x <= 0, -x, x)), (-1.0, 1.0)),
    "leaky relu": (lambda x: np.sum(cr.nn.leaky_relu(x, 0.25)), (0.25, 1.0)),
    "relu": (lambda x: np.sum(cr.nn.relu(x)), (0.0, 1.0)),
    "if": (lambda x: x[1] * 2 if x[1] > 0 else x[1] - x[0] + x[2], (1.0, 2.0)),
    "max": (lambda x: np.max(x * np.array([0, 1, 0])), (0.0, 1.0)),
}


@pytest.mark.parametrize("name", KINKED)
def test_every_kind_of_kink_is_found(name):
    function, slopes = KINKED[name]
    report = cr.check(function, np.array([1.0, 0.0, 2.0]))
    (row,) = report.rows
    assert row.verdict == "on a kink", report
    assert [kink.index for kink in row.kinks] == [(1,)]
    assert (row.kinks[0].left, row.kinks[0].right) == pytest.approx(slopes, abs=1e-5)


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize(
    "function", [lambda x: np.sum(np.abs(x) * 3), lambda x: np.sum(np.maximum(0, x) * np.tanh(x + 1))]
)
def test_a_point_near_a_kink_is_proved_by_smaller_steps(function, distance):
    for x in ([1.0, distance], [1.0, -distance], [-distance, distance]):
        assert verdicts(cr.check(function, np.array(x))) == {"x": "proved"}


def test_relu_and_its_mirror_meet_and_the_convention_between_them_is_said():
    report = cr.check(lambda x: np.sum(np.maximum(x, 0) - np.maximum(-x, 0)), np.array([0.0, 1.0]))
    assert verdicts(report) == {"x": "on a kink"}
    assert "which is neither" in str(report)


def test_a_point_on_a_jump_follows_the_branch_that_is_taken_there():
    report = cr.check(lambda x: np.sum(np.where(x == 1.0, 5 * x, x)), np.array([1.0, 2.5]))
    assert verdicts(report) == {"x": "on a kink"}
    (kink,) = report.rows[0].kinks
    assert (kink.left, kink.right, kink.derived) == (pytest.approx(1), pytest.approx(1), 5.0)


def test_a_function_that_drowns_in_its_own_rounding_shows_no_difference():
    report = cr.check(lambda z: -np.mean(np.log(1 - 1 / (1 + np.exp(-z)))), np.array([30.0, 1.0]))
    assert verdicts(report) == {"z": "no difference to see"}
    assert "below the noise floor" in report.rows[0].note
    assert "stabler form" in report.programs[0].says  # which knows better than the unsimplified gradient


def test_a_kink_that_the_function_does_not_show_is_none():
    Z = np.array([[1.0, 1.0, 0.0]])  # softmax shifts by its largest entry, of which there are two
    assert verdicts(cr.check(lambda Z: np.sum(cr.nn.softmax(Z) ** 2), Z)) == {"Z": "proved"}


def test_units_all_on_their_kinks_are_told_from_what_does_not_touch_them():
    X, *rest = arguments()
    X[3] = 0  # with biases of 0: every unit of that row is at 0
    report = cr.check(loss, X, *rest)
    assert report
    assert verdicts(report) == {"X": "on a kink", "W1": "proved", "b1": "on a kink", "W2": "proved", "b2": "proved"}
    assert {kink.index[0] for kink in row_of(report, "X").kinks} == {3}


def test_a_wrong_gradient_does_not_hide_behind_a_kink():
    X, *rest = arguments()
    X[3] = 0
    right = MAXIMUM.rules
    twice = [lambda a, b, y, tie, rule=rule: 2 * rule(a, b, y, tie) for rule in right]
    with rules("maximum", *twice):
        report = cr.check(loss, X, *rest)
    wrong = verdicts(report)
    assert (wrong["X"], wrong["W1"], wrong["b1"]) == ("wrong", "wrong", "wrong")
    assert row_of(report, "b1").wrong_count == 6  # each of them touches the kinks of row 3
    assert report.faults[0].primitive == "maximum"


def test_a_convention_that_is_beyond_both_slopes_is_wrong_even_where_many_kinks_meet():
    X, *rest = arguments()
    X[3] = 0
    right = MAXIMUM.rules
    beyond = [lambda a, b, y, tie, rule=rule: rule(a, b, y, tie) + 1.5 * (a == b) for rule in right]
    with rules("maximum", *beyond):
        report = cr.check(loss, X, *rest)
        alone = cr.check(lambda x: np.sum(np.maximum(0, x)), np.array([0.0, 1.0]))
    assert not report
    assert verdicts(report)["W1"] == "proved"
    assert verdicts(report)["b1"] == "wrong"
    assert (report.faults[0].primitive, report.faults[0].where) == ("maximum", "on the kink itself")
    assert verdicts(alone) == {"x": "wrong"}
