"""Kinks are found from the trace: which switches there are, where they are 0, and which a step turns."""

import numpy as np
import pytest

from chainrule.checking.kinks import Switches
from chainrule.checking.switching import EXTREME, LEVELS, PAIRS
from chainrule.primitive import REGISTRY
from checking_support import accused


def switches_of(function, *args, wrt=None):
    _, traced = accused(function, *args, wrt=wrt)
    return Switches(traced.graph, traced.arguments, traced.wrt)


@pytest.mark.parametrize("primitive", [p for p in REGISTRY.values() if p.kinks], ids=lambda p: p.name)
def test_every_primitive_that_declares_a_kink_has_its_switching_quantity(primitive):
    assert primitive in PAIRS or primitive in EXTREME or primitive in LEVELS


def test_a_switch_turns_where_its_sign_changes_and_nowhere_else():
    switches = switches_of(lambda x: np.sum(np.maximum(x, 0.5)), np.array([0.0, 1.0]))
    assert not switches.touching
    assert switches.crossed(switches.at([np.array([0.4, 0.6])])) is None
    crossing = switches.crossed(switches.at([np.array([0.4, 0.4])]))
    assert (crossing.equation.primitive.name, crossing.index, crossing.on, crossing.count) == (
        "maximum",
        (1,),
        False,
        1,
    )


def test_a_point_on_a_kink_touches_it_and_says_so_when_it_leaves():
    switches = switches_of(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0]))
    assert switches.touching
    assert switches.crossed(switches.at([np.array([1e-9, 1.0])])).on


def test_a_switch_that_depends_on_no_moving_argument_is_none():
    mask = np.array([0.0, 1.0])
    assert switches_of(lambda x, m: np.sum(x * np.maximum(m, 0)), np.ones(2), mask, wrt="x").equations == []


def test_what_python_decides_by_is_a_switch():
    switches = switches_of(lambda x: x * 2 if x > 1 else x, 0.5)
    assert switches.crossed(switches.at([1.5])).equation.primitive.name == "greater"


def test_the_winner_of_a_maximum_is_a_switch():
    switches = switches_of(lambda x: np.max(x, axis=1)[0], np.array([[1.0, 2.0], [3.0, 3.0]]))
    assert switches.touching
    assert switches.crossed(switches.at([np.array([[1.0, 2.5], [3.0, 3.0]])])) is None
    assert not switches.crossed(switches.at([np.array([[3.0, 2.0], [3.0, 3.0]])])).on


def test_candidates_are_the_entries_that_move_a_switch_which_is_0():
    X = np.array([[1.0, 2.0], [0.0, 0.0]])
    switches = switches_of(lambda X, W, b: np.sum(np.maximum(0, X @ W + b)), X, np.ones((2, 3)), np.zeros(3))
    by_X, by_W, by_b = switches.candidates(0)
    assert by_X.tolist() == [[False, False], [True, True]]
    assert not by_W.any()  # its row of X is 0: it moves nothing there
    assert by_b.all()


def test_two_operands_that_move_alike_never_part():
    (candidates,) = switches_of(lambda x: np.sum(np.maximum(x, x * 1.0)), np.ones(3)).candidates(0)
    assert not candidates.any()
