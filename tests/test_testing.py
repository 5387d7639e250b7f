"""`cr.testing.assert_gradients`: silent where all is right, and a whole report where it is not."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError
from checking_support import rules


def loss(w, x):
    return np.mean(np.tanh(x @ w) ** 2)


W, X = np.array([0.3, -0.6]), np.array([[1.0, 2.0], [0.5, -1.0]])


def backward(w, x):
    A = np.tanh(x @ w)
    return x.T @ (2 * A / len(A) * (1 - A**2))


def test_what_is_right_passes_without_a_word(capsys):
    assert cr.testing.assert_gradients(loss, W, X) is None
    cr.testing.assert_gradients(loss, W, X, wrt="w", order=2, budget=100, seed=4)
    assert capsys.readouterr() == ("", "")


def test_what_is_wrong_raises_with_the_report():
    with rules("tanh", lambda x, y: 1 - y), pytest.raises(AssertionError) as raised:
        cr.testing.assert_gradients(loss, W, X, wrt="w")
    text = str(raised.value)
    assert text.startswith("loss: the gradient is WRONG")
    assert "the rule of tanh for operand 1" in text
    assert "w[" in text


def test_what_cannot_be_judged_does_not_pass():
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="not deterministic"):
        cr.testing.assert_gradients(lambda x: np.sum(x * rng.random(2)), np.ones(2))
    with pytest.raises(AssertionError, match="norm has no derivative at 0"):
        cr.testing.assert_gradients(lambda x: np.sqrt(np.sum(x**2)), np.zeros(2))
    with pytest.raises(ArgumentError):
        cr.testing.assert_gradients(lambda x: x, np.ones(2))


def test_a_backward_pass_by_hand_is_judged_instead():
    cr.testing.assert_gradients(loss, W, X, wrt="w", backward=backward)
    with pytest.raises(AssertionError):
        cr.testing.assert_gradients(loss, W, X, wrt="w", backward=lambda w, x: 2 * backward(w, x))


def test_the_message_of_a_wrong_backward_pass_holds_the_word_of_the_cause():
    def without_the_mean(w, x):
        A = np.tanh(x @ w)
        return x.T @ (2 * A * (1 - A**2))

    with pytest.raises(AssertionError, match="missing_mean"):
        cr.testing.assert_gradients(loss, W, X, wrt="w", backward=without_the_mean)
