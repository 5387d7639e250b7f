"""NaN and infinity are traced to their birthplace, and each of the usual ones has its rewrite named."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.checking.nonfinite import first_not_finite, first_not_finite_gradient
from checking_support import accused


def softmax(Z):
    E = np.exp(Z)
    return E / E.sum(axis=1, keepdims=True)


def log_of_softmax(Z):
    P = softmax(Z)
    return -np.mean(np.log(P)[:, 0])


def log_of_named_softmax(Z):
    return -np.mean(np.log(cr.nn.softmax(Z))[:, 0])


def bce(Z):
    A = 1 / (1 + np.exp(-Z))
    return -np.mean(np.log(1 - A))


def entropy(P):
    return -np.sum(P * np.log(P))


LOGITS = np.array([[1.0, 2.0], [-800.0, 3.0]])
VALUES = [
    (lambda Z: np.sum(softmax(Z) ** 2), np.array([[1.0, 2.0], [1000.0, 3.0]]), "exp", (1, 0), "cr.nn.softmax"),
    (log_of_softmax, LOGITS, "log", (1, 0), "cr.nn.log_softmax"),
    (log_of_named_softmax, LOGITS, "log", (1, 0), "cr.nn.softmax_cross_entropy"),
    (lambda Z: np.sum(np.log(np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True))), LOGITS, "log", (1, 0), "log_softmax"),
    (bce, np.array([0.0, 50.0]), "log", (1,), "cr.nn.sigmoid_cross_entropy"),
    (lambda Z: np.sum(np.log(cr.nn.sigmoid(Z))), np.array([-800.0]), "log", (0,), "cr.nn.sigmoid_cross_entropy"),
    (lambda a: np.sum(np.log(1 - a)), np.array([0.5, 1.0]), "log", (1,), "np.log1p(-a)"),
    (entropy, np.array([0.5, 0.0, 0.5]), "log", (1,), "0 * log 0"),
    (lambda x: np.sum(np.log(x)), np.array([1.0, -2.0]), "log", (1,), "log of a negative number"),
    (lambda x: np.sum(x / x), np.array([1.0, 0.0]), "divide", (1,), "0 / 0"),
    (lambda x: np.sum(1 / x), np.array([1.0, 0.0]), "divide", (1,), "mask the denominator"),
    (lambda z: np.sum(np.log(1 + np.exp(z))), np.array([800.0]), "exp", (0,), "cr.nn.softplus"),
    (lambda x: np.sum(np.sqrt(x)), np.array([1.0, -1e-18]), "sqrt", (1,), "rounded below 0"),
    (lambda x: np.sum((x * 1e200) * 1e200), np.array([1.0]), "multiply", (0,), "too large for its dtype"),
]


@pytest.mark.parametrize(("function", "x", "primitive", "index", "advice"), VALUES)
def test_the_first_value_that_is_not_finite_is_named_with_its_rewrite(function, x, primitive, index, advice):
    _, traced = accused(function, x)
    found = first_not_finite(traced.graph, traced.arguments)
    assert (found.where, found.primitive, found.index) == ("value", primitive, index)
    assert advice in found.advice
    assert not np.isfinite(found.value)
    assert all(np.isfinite(value) for _, value in found.operands)
    assert found.line.startswith("line ")


def test_the_users_line_name_and_what_went_in_are_told():
    _, traced = accused(lambda Z: np.sum(softmax(Z)), np.array([[1.0, 2.0], [1000.0, 3.0]]))
    found = first_not_finite(traced.graph, traced.arguments)
    assert (found.name, found.code, found.line.split(" of ")[1]) == ("E", "E = np.exp(Z)", "softmax()")
    assert found.operands == (("Z", 1000.0),)
    assert "exp gives E[1, 0] = inf" in str(found)


def test_an_argument_that_is_not_finite_itself_is_named():
    _, traced = accused(lambda x: np.sum(x * 2), np.array([[1.0, np.nan]]))
    found = first_not_finite(traced.graph, traced.arguments)
    assert (found.primitive, found.name, found.index) == ("argument", "x", (0, 1))


def test_a_finite_value_has_no_birthplace():
    _, traced = accused(lambda x: np.sum(np.exp(x)), np.ones(2))
    assert first_not_finite(traced.graph, traced.arguments) is None
    assert first_not_finite_gradient(traced.graph, traced.arguments, traced.wrt) is None


GRADIENTS = [
    (lambda x: np.sqrt(np.sum(x**2)), np.zeros(3), "vjp of sqrt", "a norm has no derivative at 0"),
    (lambda x: np.sum(np.sqrt(x)), np.array([1.0, 0.0]), "vjp of sqrt", "np.sqrt(x + 1e-12)"),
    (lambda x: np.sum(x**0.5), np.array([1.0, 0.0]), "vjp of power", "division by 0"),
    (lambda x: np.sqrt(np.mean((x - np.mean(x)) ** 2)), np.ones(3), "vjp of sqrt", "norm"),
]


@pytest.mark.parametrize(("function", "x", "rule", "advice"), GRADIENTS)
def test_a_gradient_that_is_not_finite_where_the_value_is_has_its_own_birthplace(function, x, rule, advice):
    _, traced = accused(function, x)
    assert first_not_finite(traced.graph, traced.arguments) is None
    found = first_not_finite_gradient(traced.graph, traced.arguments, traced.wrt)
    assert (found.where, found.primitive) == ("gradient", rule)
    assert advice in found.advice
    assert found.line.startswith("line ")
    report = cr.check(function, x)
    assert not report
    assert report.not_finite == (found,)


def test_the_rewrite_that_is_named_for_each_is_finite():
    y = np.array([0, 0])
    assert np.isfinite(cr.nn.softmax_cross_entropy(LOGITS, y))
    assert cr.check(lambda Z: cr.nn.softmax_cross_entropy(Z, y), LOGITS)
    assert cr.check(lambda P: -np.sum(P * np.log(np.where(P > 0, P, 1))) + np.sum(P), np.array([0.5, 0.25]))
    assert cr.check(lambda x: np.sqrt(np.sum(x**2) + 1e-12), np.zeros(3))
    assert cr.check(lambda Z: cr.nn.sigmoid_cross_entropy(Z, np.zeros(2)), np.array([0.0, 50.0]))
