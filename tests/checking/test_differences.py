"""The judge itself: it must find true derivatives, and must not be fooled where NumPy is wrong under complex step."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.checking.differences import (
    central_difference,
    choose_method,
    directional_derivative,
    numerical_gradient,
    random_directions,
    worst_relative_error,
)

X = np.array([[0.5, -1.5], [2.0, 0.25]])


@given(a=st.floats(-2, 2), b=st.floats(-2, 2), c=st.floats(-2, 2))
def test_extrapolation_finds_smooth_derivatives(a, b, c):
    derivative, error = central_difference(lambda t: math.tanh(a + b * t) * math.exp(c * t))
    exact = (1 - math.tanh(a) ** 2) * b + math.tanh(a) * c
    assert abs(derivative - exact) < 1e-9
    assert error < 1e-7


def test_a_kink_nearby_is_left_behind():
    derivative, _ = central_difference(lambda t: max(0.0, t + 1e-4))
    assert derivative == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("method", ["differences", "complex step"])
def test_gradient_of_several_arrays_entry_by_entry(method):
    b = np.array([0.3, -0.2])
    gradient = numerical_gradient(lambda X, b: np.sum(np.sin(X @ b)), [X, b], method)
    slope = np.cos(X @ b)
    assert gradient[0] == pytest.approx(np.outer(slope, b), rel=1e-9)
    assert gradient[1] == pytest.approx(X.T @ slope, rel=1e-9)


def test_arrays_are_taken_as_float64_and_stay_as_they_are():
    x = np.array([1.0, 3.0], dtype=np.float32)
    before = x.copy()
    (gradient,) = numerical_gradient(lambda x: np.sum(x**2), [x])
    assert gradient.dtype == np.float64
    assert gradient == pytest.approx([2.0, 6.0], rel=1e-9)
    assert np.array_equal(x, before)


def test_a_direction_is_the_gradient_projected():
    ((position, direction),) = random_directions([X], 1, seed=3)
    along = directional_derivative(lambda X: np.sum(X**3), [X], position, direction)
    assert along == pytest.approx(np.sum(3 * X**2 * direction), rel=1e-9)


@pytest.mark.parametrize(
    "function", [lambda x: np.sum(np.exp(x) / np.sum(np.exp(x)) ** 2), lambda x: np.sum(np.maximum(0, x) ** 2)]
)
def test_complex_step_is_chosen_where_it_is_right(function):
    assert choose_method(function, [X]) == "complex step"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(np.abs(x)),  # |x + ih| forgets h
        lambda x: np.linalg.norm(x),
        lambda x: np.sum(x.real),  # the imaginary part is dropped without a word
        lambda x: np.float64(np.sum(x).astype(np.float64)),  # ... or with a warning
        lambda x: math.fsum(x.ravel()),  # raises on complex numbers
    ],
)
def test_complex_step_is_not_trusted_where_it_is_wrong(function):
    assert choose_method(function, [X]) == "differences"


def test_worst_entry_is_named():
    expected = [np.ones((2, 2)), np.array([10.0, 20.0])]
    got = [np.ones((2, 2)), np.array([10.0, 21.0])]
    worst = worst_relative_error(got, expected)
    assert (worst.position, worst.index, worst.got, worst.expected) == (1, (1,), 21.0, 20.0)
    assert worst.error == pytest.approx(1 / 21)


def test_a_sum_that_cancels_is_measured_against_its_array():
    worst = worst_relative_error([np.array([1.0, 1e-16])], [np.array([1.0, 0.0])])
    assert worst.error < 1e-12


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_infinitely_wrong(bad):
    assert worst_relative_error([np.array([1.0, bad])], [np.array([1.0, 1.0])]).error == math.inf


def test_another_shape_is_infinitely_wrong():
    assert worst_relative_error([np.ones(2)], [np.ones((2, 1))]).error == math.inf


def test_all_zero_is_no_error():
    assert worst_relative_error([np.zeros(3)], [np.zeros(3)]).error == 0
