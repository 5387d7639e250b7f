"""A backward pass written as a `torch.autograd.Function`."""

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip(
    "torch", reason="PyTorch is a foreign format here, not a dependency: install it to run these"
)


def loss(X, y, w):
    e = np.tanh(X @ w) - y
    return np.mean(e**2)


class Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, X, y, w):
        a = torch.tanh(X @ w)
        ctx.save_for_backward(X, y, a)
        return ((a - y) ** 2).mean()

    @staticmethod
    def backward(ctx, out_bar):
        X, y, a = ctx.saved_tensors
        return None, None, out_bar * X.T @ (2 * (a - y) / len(y) * (1 - a * a))


class Forgetful(Loss):
    @staticmethod
    def backward(ctx, out_bar):
        X, y, a = ctx.saved_tensors
        return None, None, out_bar * X.T @ (2 * (a - y) / len(y))


rng = np.random.default_rng(3)
ARGS = (rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=3))


def test_a_right_function_is_right():
    assert cr.check_backward(loss, Loss, *ARGS, wrt="w").verdict == "correct"


def test_a_wrong_function_is_diagnosed():
    report = cr.check_backward(loss, Forgetful, *ARGS, wrt="w")
    assert not report
    assert report.verdict == "missing_activation_derivative"


def test_a_function_that_returns_an_array_is_refused_by_name():
    class Vector(torch.autograd.Function):
        @staticmethod
        def forward(ctx, X, y, w):
            return X @ w

        @staticmethod
        def backward(ctx, out_bar):
            return None, None, None

    with pytest.raises(cr.errors.ArgumentError, match="Vector returned"):
        cr.check_backward(loss, Vector, *ARGS, wrt="w")
