"""What a backward pass may return, and what is said of what it may not."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError

rng = np.random.default_rng(5)
X, y, W, b = (rng.standard_normal(shape) for shape in ((6, 3), (6, 2), (3, 2), (2,)))


def loss(X, y, W, b):
    return np.mean((X @ W + b - y) ** 2)


GRADIENTS = cr.grad(loss, wrt=("W", "b"))(X, y, W, b)
W_bar, b_bar = GRADIENTS


@pytest.mark.parametrize(
    "result",
    [
        (W_bar, b_bar),
        [W_bar, b_bar],
        {"W": W_bar, "b": b_bar},
        {"dW": W_bar, "db": b_bar},
        {"grad_W": W_bar, "W_grad": W_bar, "dL_db": b_bar},
        (0.5, (W_bar, b_bar)),
        (0.5, {"dW": W_bar, "db": b_bar}),
        (0.5, W_bar, b_bar),
    ],
)
def test_gradients_may_come_in_many_forms(result):
    report = cr.check_backward(loss, result, X, y, W, b, wrt=("W", "b"))
    assert all(row.right for row in report.gradients)


def test_a_dict_says_what_the_gradients_are_by():
    assert cr.check_backward(loss, {"db": b_bar}, X, y, W, b)


def test_a_list_of_parameters_has_a_list_of_gradients():
    def of_list(X, y, parameters):
        return loss(X, y, *parameters)

    assert cr.check_backward(of_list, [W_bar, b_bar], X, y, [W, b], wrt="parameters")
    assert cr.check_backward(of_list, {"parameters": [W_bar, b_bar]}, X, y, [W, b], wrt="parameters")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"dW": W_bar}, "none for b"),
        ((W_bar,), "1 gradients, but 2 are asked for: W, b"),
        ((W_bar, None), "by b is None"),
        ((W_bar, "much"), "by b is of <U4"),
        ((W_bar, [[1.0], [1.0, 2.0]]), "by b is no array"),
        ((W_bar, b_bar + 1j), "by b is of complex128"),
        (None, "a NoneType"),
    ],
)
def test_what_is_no_gradient_is_said_by_name(result, said):
    with pytest.raises(ArgumentError, match=r"backward returned|the gradient by") as raised:
        cr.check_backward(loss, result, X, y, W, b, wrt=("W", "b"))
    assert said in str(raised.value)


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(ArgumentError, match=r"an array of shape \(6, 2\)"):
        cr.check_backward(lambda X, W: X @ W, {"W": W}, X, W)


def test_an_intermediate_that_is_nothing_of_the_function_is_refused_with_its_names():
    with pytest.raises(ArgumentError, match="its variables are X, y, W, b"):
        cr.check_backward(loss, (W_bar, b_bar), X, y, W, b, wrt=("W", "b"), intermediates={"dQ": W})
