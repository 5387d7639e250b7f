"""Sliding windows: NumPy's own function on traced values, and windows added back where they overlap."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import chainrule as cr
from chainrule.errors import ShapeError, UnsupportedError
from chainrule.primitives.windows import add_windows

rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "window", "axis"),
    [
        ((6,), 3, None),
        ((6,), (2,), 0),
        ((4, 7), 3, 1),
        ((4, 7), 3, -1),
        ((4, 7), (2, 3), None),
        ((2, 5, 6), (2, 3), (1, 2)),
        ((2, 5, 6), (3, 2), (2, 1)),
        ((5,), 1, 0),
        ((5,), 5, 0),
        ((6, 6), (2, 2), (0, 0)),
    ],
)
def test_windows_are_numpys_and_so_is_their_derivative(shape, window, axis):
    x = rng.standard_normal(shape)
    weights = rng.standard_normal(sliding_window_view(x, window, axis=axis).shape)

    def loss(x):
        V = sliding_window_view(x, window, axis=axis)
        return np.sum(weights * V**3)

    assert cr.value_and_grad(loss)(x)[0] == pytest.approx(loss(x), rel=1e-14)
    assert cr.check(loss, x)
    np.testing.assert_allclose(cr.jit(cr.grad(loss))(x), cr.grad(loss)(x), rtol=1e-14)
    emitted = {}
    exec(cr.source(cr.grad(loss), x), emitted)


def test_one_program_for_every_length_of_the_batch():
    def loss(x, k):
        return np.mean((sliding_window_view(x, 3, axis=1) @ k) ** 2)

    k = rng.standard_normal(3)
    step = cr.jit(cr.grad(loss, wrt=(0, 1)))
    for rows in (4, 9):
        x = rng.standard_normal((rows, 8))
        for got, want in zip(step(x, k), cr.grad(loss, wrt=(0, 1))(x, k), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-16)


def test_what_is_added_back_is_the_transpose():
    x, y = rng.standard_normal(7), rng.standard_normal((5, 3))
    assert np.sum(sliding_window_view(x, 3) * y) == pytest.approx(np.sum(x * add_windows(y, 0)))


def test_float32_stays():
    x = rng.standard_normal(6).astype(np.float32)
    assert cr.grad(lambda x: np.sum(sliding_window_view(x, 2) ** 2))(x).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda x: sliding_window_view(x, 9, axis=0), ShapeError, "a window of 9 does not fit axis 0 with size 5"),
        (lambda x: sliding_window_view(x, (2, 2), axis=0), ShapeError, "2 window sizes for 1 axes"),
        (lambda x: sliding_window_view(x, 2, axis=3), ShapeError, "axis 3, but x has 1 axes"),
        (lambda x: sliding_window_view(x, 2, writeable=True), UnsupportedError, "writeable=True"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        cr.grad(lambda x: np.sum(call(x)))(np.ones(5))
