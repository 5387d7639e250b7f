"""Derivatives along a line: the method that can be trusted, steps that keep clear of kinks, and honest doubts."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.checking.lines import Lines, Probe, gradient_of
from checking_support import accused


def lines_of(function, *args, **options):
    subject, traced = accused(function, *args)
    return Lines(subject, traced, 0, **options)


METHODS = [
    (lambda x: np.sum(np.tanh(x) ** 2), "complex step"),
    (lambda x: np.sum(np.maximum(0, x)), "complex step"),
    (lambda x: cr.nn.softmax_cross_entropy(x[None], np.array([1])), "complex step"),
    (lambda x: np.sum(np.abs(x)), "differences"),
    (lambda x: np.sum(cr.nn.sigmoid(x)), "differences"),
    (lambda x: np.sum(x * np.sign(x)), "differences"),
    (lambda x: np.sum(x.real) if type(x) is np.ndarray else np.sum(x), "differences"),  # only an experiment tells
]


@pytest.mark.parametrize(("function", "method"), METHODS)
def test_complex_step_needs_both_the_declaration_and_the_experiment(function, method):
    assert lines_of(function, np.array([0.5, -1.5])).methods == [method]


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8, 1e-11])
def test_stencils_keep_clear_of_kinks_and_doubts_hold(distance):
    lines = lines_of(lambda x: np.sum(np.abs(x) * np.exp(x)), np.array([distance, 1.0]))
    found = lines.careful(Probe.entry(0, 0))
    exact = np.exp(distance) * (1 + distance)
    assert found.kink is None
    assert abs(found.derivative - exact) <= found.uncertainty < 1e-2


def test_steps_leave_no_domain():
    found = lines_of(lambda x: np.sum(np.log(x) * np.abs(x)), np.array([1e-6, 1e3])).careful(Probe.entry(0, 0))
    assert found.derivative == pytest.approx(np.log(1e-6) + 1, rel=1e-6)


def test_either_side_of_a_kink_is_judged_where_it_is_smooth():
    sides = lines_of(lambda x: np.sum(np.where(x > 0, np.exp(x), np.sin(3 * x))), np.zeros(1)).both_sides(
        Probe.entry(0, 0)
    )
    assert sides.slopes == pytest.approx((3.0, 1.0), abs=1e-5)
    assert sides.derived == pytest.approx(sides.slopes, abs=1e-9)


def test_frozen_lines_hold_what_is_stopped():
    x = np.array([2.0, 3.0])
    held = lines_of(lambda x: np.sum(x * cr.stop_gradient(x)), x, frozen=True)
    assert held.careful(Probe.entry(0, 1)).derivative == pytest.approx(3.0)
    assert lines_of(lambda x: np.sum(x * cr.stop_gradient(x)), x).careful(
        Probe.entry(0, 1)
    ).derivative == pytest.approx(6)


def test_the_unsimplified_gradient_is_that_of_the_trace():
    _, traced = accused(lambda x, y: np.sum(x * y**2), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert [g.tolist() for g in gradient_of(traced)] == [[9.0, 16.0], [6.0, 16.0]]
