"""A loss that is written as one expression is cut into steps; what has names is left as it is."""

import numpy as np
import pytest

import chainrule as cr
from displayed_support import LEVELS, faults

RANDOM = np.random.default_rng(6)
X, y, W1, b1 = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 1)), RANDOM.normal(size=(3, 5)), RANDOM.normal(size=5)
W2, b2 = RANDOM.normal(size=(5, 1)), RANDOM.normal(size=1)


def pasted(X, y, W1, b1, W2, b2):
    return np.mean((np.tanh(X @ W1 + b1) @ W2 + b2 - y) ** 2)


def named(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    return np.mean((Z2 - y) ** 2)


def half_named(X, y, W1, b1, W2, b2):
    A1 = np.tanh(X @ W1 + b1)
    A2 = np.tanh(A1 @ W2 + b2)
    return np.mean((A2 - y) ** 2)


ARGUMENTS = (X, y, W1, b1, W2, b2)


def forward_names(d):
    return [line.name for line in d.forward_lines]


@pytest.mark.parametrize("function", [pasted, named, half_named])
@pytest.mark.parametrize("cut", ["auto", True, False])
def test_cut_or_not_everything_is_true_and_the_gradients_are_the_same(function, cut):
    d = cr.derive(function, *ARGUMENTS, cut=cut)
    assert faults(d, function, ARGUMENTS, levels=LEVELS) == []
    for name, value in zip(
        ("X", "W1", "b1", "W2", "b2"), cr.grad(function, wrt=(0, 2, 3, 4, 5))(*ARGUMENTS), strict=True
    ):
        np.testing.assert_allclose(d[name].value, value)


def test_every_step_of_a_pasted_loss_has_a_name():
    d = cr.derive(pasted, *ARGUMENTS)
    assert forward_names(d)[:3] == ["u1", "u2", "u3"]
    assert {"du1", "du2", "du3"} <= set(d.by_name)
    assert any("u1, u2, u3" in note for note in d.notes)
    assert [line.name for line in cr.derive(pasted, *ARGUMENTS, cut=False).forward_lines] == ["pasted"]


def test_what_has_names_is_left_as_it_is():
    assert forward_names(cr.derive(named, *ARGUMENTS)) == ["Z1", "A1", "Z2", "named"]
    assert cr.derive(named, *ARGUMENTS).notes == ()


def test_pre_activations_inside_of_longer_expressions_have_a_name():
    d = cr.derive(half_named, *ARGUMENTS)
    assert forward_names(d) == ["u1", "A1", "u2", "A2", "half_named"]
    assert {"du1", "du2"} <= set(d.by_name)


def test_steps_are_not_called_like_what_is_there():
    def taken(u1, u2):
        return np.sum(np.tanh(np.exp(u1) * u2) ** 2)

    args = (X[:, 0], X[:, 1])
    d = cr.derive(taken, *args)
    assert faults(d, taken, args) == []
    assert "u1" not in forward_names(d)
    assert "u2" not in forward_names(d)
