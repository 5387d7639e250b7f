"""`cr.blame`: the first equation that is not finite, its line and row, and what to write instead."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError


def entropy(Z, y):
    P = np.exp(Z) / np.sum(np.exp(Z), axis=1, keepdims=True)
    return -np.mean(np.log(P[np.arange(len(y)), y]))


def test_an_overflow_is_blamed_by_line_and_row():
    found = cr.blame(entropy, np.array([[0.0, 1.0], [0.0, 900.0]]), np.array([0, 1]))
    assert (found.where, found.primitive, found.index) == ("value", "exp", (1, 1))
    assert "test_blaming" not in found.code
    assert "np.exp(Z)" in found.code
    assert "line" in found.line
    assert "softmax" in found.advice or "exp" in found.advice


def test_a_gradient_that_is_not_finite_where_the_value_is():
    def root(x):
        return np.sum(np.sqrt(x))

    found = cr.blame(root, np.array([4.0, 0.0]))
    assert (found.where, found.index) == ("gradient", (1,))
    assert "sqrt" in found.primitive


@pytest.mark.parametrize(
    ("function", "arguments", "primitive"),
    [
        (lambda x: np.sum(np.log(x)), (np.array([1.0, 0.0]),), "log"),
        (lambda x, y: np.sum(x / y), (np.ones(2), np.array([1.0, 0.0])), "divide"),
        (lambda x: np.log(x), (np.array([1.0, -1.0]),), "log"),
        (lambda x: np.sum(x), (np.array([1.0, np.nan]),), "argument"),
    ],
)
def test_what_makes_it(function, arguments, primitive):
    assert cr.blame(function, *arguments).primitive == primitive


def test_nothing_to_blame():
    assert cr.blame(entropy, np.array([[0.0, 1.0], [0.0, 9.0]]), np.array([0, 1])) is None
    assert cr.blame(lambda x: x * 2, np.ones(3)) is None


def test_only_what_wrt_names_is_looked_at():
    def loss(x, s):
        return np.sum(x) * np.sqrt(s)

    assert cr.blame(loss, np.ones(2), 0.0) is not None
    assert cr.blame(loss, np.ones(2), 0.0, wrt=0) is None


def test_warnings_of_numpy_stay_as_they_were():
    with np.errstate(all="raise"):
        assert cr.blame(lambda x: np.sum(np.exp(x)), np.array([1000.0])).primitive == "exp"
        assert np.geterr()["over"] == "raise"


def test_without_floats_there_is_nothing_to_look_at():
    with pytest.raises(ArgumentError, match="no argument that holds floats"):
        cr.blame(lambda n: n * 2, 3)
