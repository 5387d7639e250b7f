"""A graph run again: as it was, with values held, and with roundings that part no ties."""

import numpy as np

import chainrule as cr
from chainrule.checking.replay import pull_back, replay, rounding
from chainrule.derivation.reverse import derive_vjp
from checking_support import accused


def test_replaying_is_what_the_function_does_to_the_last_bit():
    def f(x, W):
        return np.mean(np.exp(x @ W) / (1 + np.abs(x[0, 0])))

    rng = np.random.default_rng(0)
    args = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    _, traced = accused(f, *args)
    assert replay(traced.graph, traced.arguments)[traced.graph.outputs[0]] == f(*args)


def test_cancellation_shows_as_rounding():
    _, traced = accused(lambda x: np.sum((x + 1e8) - 1e8), np.array([1.0, 2.0]))
    (moved,) = rounding(traced.graph, traced.arguments, traced.graph.outputs, seed=0)
    assert 1e-10 < moved < 1e-6
    _, traced = accused(lambda x: np.sum(x * 2), np.array([1.0, 2.0]))
    (moved,) = rounding(traced.graph, traced.arguments, traced.graph.outputs, seed=0)
    assert moved < 1e-14


def test_rounding_of_a_backward_pass_parts_no_ties():
    _, traced = accused(lambda x: np.max(x), np.array([1.0, 1.0, 0.3]))
    derived = derive_vjp(traced.graph, traced.wrt, seed_one=True)
    start = len(traced.graph.equations)
    (moved,) = rounding(derived.graph, traced.arguments, derived.cotangents, seed=0, start=start)
    assert moved.max() < 1e-14


def test_rounding_leaves_decided_what_was_decided():
    def f(x):
        a, b = x * 3, x * 3
        return np.sum(np.where(a > b, 100.0, a) + np.sign(a - b) * 100)

    _, traced = accused(f, np.array([0.3, 0.7]))
    (moved,) = rounding(traced.graph, traced.arguments, traced.graph.outputs, seed=0)
    assert moved < 1e-14


def test_pulling_back_sees_through_what_stops_gradients():
    _, traced = accused(lambda x: np.sum(cr.stop_gradient(3 * x)), np.ones(2))
    values = replay(traced.graph, traced.arguments)
    moved = pull_back(traced.graph, values, {traced.graph.outputs[0]: 1.0})
    assert moved[traced.wrt[0]].tolist() == [3.0, 3.0]
