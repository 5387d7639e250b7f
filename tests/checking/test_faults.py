"""A rule is tried alone: what is right is left alone, what is wrong is named with its line."""

import numpy as np

from chainrule.checking.faults import faulty_rules, wrong_conventions
from chainrule.checking.kinks import Switches
from checking_support import accused, rules


def faults(function, *args, judge=faulty_rules):
    _, traced = accused(function, *args)
    values = Switches(traced.graph, traced.arguments, traced.wrt).values
    return judge(traced.graph, values, traced.wrt, *((0,) if judge is faulty_rules else ()))


def both(x, W):
    A = np.tanh(x @ W)
    B = np.sin(x @ W)
    return np.sum(A * B) / np.sum(np.exp(A))


X, W = np.random.default_rng(0).standard_normal((2, 3, 3))


def test_right_rules_are_left_alone():
    assert faults(both, X, W) == ()
    assert faults(lambda x: np.sum(np.maximum(x, 0) + np.abs(x) + np.max(x)), np.array([0.0, 1.0, 1.0])) == ()


def test_the_wrong_rule_is_named_once_with_operand_name_and_line():
    with rules("sin", lambda x, y: -np.cos(x)):
        (fault,) = faults(both, X, W)
    assert (fault.primitive, fault.operand, fault.name, fault.code) == ("sin", 1, "B", "B = np.sin(x @ W)")
    assert fault.got == -fault.expected or abs(fault.got + fault.expected) < 1e-6 * abs(fault.got)


def test_a_slope_on_a_kink_may_be_anything_between_the_sides_and_nothing_else():
    x = np.array([0.0, 1.0])

    def f(x):
        return np.sum(np.abs(x))

    assert faults(f, x, judge=wrong_conventions) == ()
    with rules("abs", lambda x, y: np.sign(x) + 0.5 * (x == 0)):
        assert faults(f, x, judge=wrong_conventions) == ()
    with rules("abs", lambda x, y: np.sign(x) + 1.5 * (x == 0)):
        (fault,) = faults(f, x, judge=wrong_conventions)
    assert (fault.primitive, fault.got, fault.where) == ("abs", 1.5, "on the kink itself")


def test_winners_share_between_nothing_and_all():
    right = faults(lambda x: np.max(x), np.array([1.0, 1.0, 0.0]), judge=wrong_conventions)
    assert right == ()
