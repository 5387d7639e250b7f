"""Consistency is reported, and a Hessian is held against differences of the gradient."""

import math

import numpy as np
import pytest

import chainrule as cr
from checking_support import rules


@pytest.mark.parametrize("function", [lambda x: np.sum(np.tanh(x) * x[::-1]), lambda x: np.prod(x.shape) * np.sum(x)])
def test_a_right_hessian_is_symmetric_and_what_the_gradient_does(function):
    report = cr.check(function, np.array([0.3, -0.7, 1.1]), order=2)
    assert report
    assert [link.name for link in report.consistency] == [
        "forward mode against reverse mode",
        "symmetry of the Hessian",
        "Hessian-vector products against differences of the gradient",
    ]
    assert max(link.error for link in report.consistency) < 1e-8


def test_several_arguments_share_one_hessian():
    rng = np.random.default_rng(0)
    assert cr.check(
        lambda W, b: np.sum(np.sin(W @ b) ** 2), rng.standard_normal((3, 4)), rng.standard_normal(4), order=2
    )


def test_a_partial_that_is_right_but_whose_derivative_is_not_shows_in_second_order_only():
    with rules("sin", lambda x, y: cr.stop_gradient(np.cos(x))):
        x = np.array([0.4, 1.3])
        assert cr.check(lambda x: np.sum(np.sin(x)), x)
        report = cr.check(lambda x: np.sum(np.sin(x)), x, order=2)
    assert not report
    assert {row.verdict for row in report.rows} == {"proved"}
    assert not report.consistency[-1].holds


def test_where_every_step_crosses_a_kink_the_hessian_is_not_judged():
    report = cr.check(lambda x: np.sum(np.abs(x) ** 3), np.array([0.0, 1.0]), order=2)
    assert math.isnan(report.consistency[-1].error)
    assert "crosses a kink" in report.consistency[-1].says
