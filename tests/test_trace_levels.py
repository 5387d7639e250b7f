"""Levels: an operation belongs to the highest trace among its operands, so derivatives nest to any order."""

import threading

import numpy as np
import pytest

import chainrule as cr

X = np.array([0.5, -1.0, 2.0])


def nth_derivative(f, order):
    for _ in range(order):
        f = cr.grad(f)
    return f


def test_the_law_of_levels():
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(1.0) == 1


def test_perturbations_are_not_confused():
    assert cr.grad(lambda x: x * cr.grad(lambda y: x * y)(2.0))(3.0) == 6
    assert cr.grad(lambda x: cr.grad(lambda y: x * y * y)(x))(3.0) == 12  # d/dx (2 x * x)
    assert cr.jvp(lambda x: x * cr.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1
    assert cr.grad(lambda x: x * cr.jvp(lambda y: x + y, (1.0,), (1.0,))[1])(1.0) == 1
    assert cr.jvp(lambda x: x * cr.grad(lambda y: x + y)(1.0), (1.0,), (1.0,))[1] == 1


def test_an_inner_function_that_ignores_its_argument():
    assert cr.grad(lambda x: cr.grad(lambda y: x * 1.0)(x) + x)(3.0) == 1
    assert cr.grad(lambda x: cr.grad(lambda y: 2 * y)(x))(3.0) == 0
    assert cr.grad(lambda x: x * cr.grad(lambda y: 2 * y)(x))(3.0) == 2


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_powers_to_any_order(order):
    want = float(np.prod([6 - k for k in range(order)])) * 1.5 ** (6 - order)
    assert nth_derivative(lambda x: x**6, order)(1.5) == pytest.approx(want, rel=1e-13)


def test_sines_to_any_order():
    for order, want in enumerate([np.cos(0.3), -np.sin(0.3), -np.cos(0.3), np.sin(0.3), np.cos(0.3)], 1):
        assert nth_derivative(np.sin, order)(0.3) == pytest.approx(want, rel=1e-13)


def test_a_quotient_to_third_order():
    f = lambda x: np.exp(-x) / (1 + x * x)
    for order in (1, 2, 3):
        below = nth_derivative(f, order - 1) if order > 1 else f
        h = 1e-4
        want = (below(0.7 - 2 * h) - 8 * below(0.7 - h) + 8 * below(0.7 + h) - below(0.7 + 2 * h)) / (12 * h)
        assert nth_derivative(f, order)(0.7) == pytest.approx(want, rel=1e-9)


def test_forward_over_reverse_is_reverse_over_forward_is_reverse_over_reverse():
    W = np.random.default_rng(0).standard_normal((3, 3))
    f = lambda x: np.sum(np.tanh(W @ x) ** 2) * np.exp(x[0])
    v = np.array([1.0, -2.0, 0.5])
    forward_reverse = cr.jvp(cr.grad(f), (X,), (v,))[1]
    reverse_forward = cr.grad(lambda x: cr.jvp(f, (x,), (v,))[1])(X)
    reverse_reverse = cr.grad(lambda x: np.sum(cr.grad(f)(x) * v))(X)
    H = cr.hessian(f)(X)
    np.testing.assert_allclose(forward_reverse, reverse_forward, rtol=1e-12)
    np.testing.assert_allclose(forward_reverse, reverse_reverse, rtol=1e-12)
    np.testing.assert_allclose(forward_reverse, cr.hvp(f)(X, v), rtol=1e-12)
    np.testing.assert_allclose(forward_reverse, H @ v, rtol=1e-12)
    np.testing.assert_allclose(H, H.T, rtol=1e-12)


def test_forward_over_forward():
    f = lambda x: x**3
    assert cr.jvp(lambda x: cr.jvp(f, (x,), (1.0,))[1], (2.0,), (1.0,))[1] == 12


def test_jacobians_nest_both_ways():
    f = lambda x: np.stack([x[0] * x[1] ** 2, np.sin(x[2]) * x[0]])
    want = np.zeros((2, 3, 3))
    want[0, 0, 1] = want[0, 1, 0] = 2 * X[1]
    want[0, 1, 1] = 2 * X[0]
    want[1, 0, 2] = want[1, 2, 0] = np.cos(X[2])
    want[1, 2, 2] = -np.sin(X[2]) * X[0]
    for outer in ("reverse", "forward"):
        for inner in ("reverse", "forward"):
            J = cr.jacobian(lambda x, i=inner: cr.jacobian(f, mode=i)(x), mode=outer)(X)
            np.testing.assert_allclose(J, want, atol=1e-15)


def test_a_vjp_inside_a_gradient():
    def f(x):
        value, pullback = cr.vjp(np.sin, x)
        (bar,) = pullback(value)
        return np.sum(bar)  # sin x cos x

    np.testing.assert_allclose(cr.grad(f)(X), np.cos(2 * X), rtol=1e-13)


def test_a_pullback_can_be_called_many_times():
    value, pullback = cr.vjp(lambda x: x**2, X)
    first = pullback(np.ones(3))[0]
    second = pullback(np.ones(3))[0]
    assert first is not second
    assert np.array_equal(first, second)
    assert np.array_equal(pullback(value)[0], 2 * X**3)


def test_values_of_the_outer_trace_are_constants_of_the_inner():
    def f(x, y):
        inner = cr.grad(lambda t: np.sum(t * x) * y)(x)  # x * y
        return np.sum(inner * inner)

    dx, dy = cr.grad(f, wrt=(0, 1))(X, 3.0)
    np.testing.assert_allclose(dx, 2 * X * 9)
    np.testing.assert_allclose(dy, 2 * 3 * np.sum(X * X))


def test_gradients_of_a_gradient_step():
    def loss(w):
        return np.sum((w - 1.0) ** 4)

    def after_a_step(rate):
        w = np.array([3.0, -2.0])
        return loss(w - rate * cr.grad(loss)(w))

    h = 1e-6
    want = (after_a_step(0.01 + h) - after_a_step(0.01 - h)) / (2 * h)
    assert cr.grad(after_a_step)(0.01) == pytest.approx(want, rel=1e-7)

    def from_start(w):
        return loss(w - 0.01 * cr.grad(loss)(w))

    g = cr.grad(from_start)(np.array([3.0, -2.0]))
    for i in range(2):
        e = np.eye(2)[i] * h
        want = (from_start(np.array([3.0, -2.0]) + e) - from_start(np.array([3.0, -2.0]) - e)) / (2 * h)
        assert g[i] == pytest.approx(want, rel=1e-6)


def test_kinks_and_selection_survive_nesting():
    f = lambda x: np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))
    np.testing.assert_allclose(
        cr.grad(lambda x: np.sum(cr.grad(f)(x)))(X), np.where(X > 0, -0.25 * np.abs(X) ** -1.5, 0)
    )


def test_the_same_function_in_many_threads_and_levels():
    errors = []

    def work(number):
        a = float(number) + 1.0
        try:
            for _ in range(10):
                assert cr.grad(lambda x: x * cr.grad(lambda y: a * x * y * y)(x))(2.0) == pytest.approx(3 * 2 * a * 4)
        except AssertionError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
