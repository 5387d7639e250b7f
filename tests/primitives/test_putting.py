"""put_along_axis, putmask, place and put: what NumPy writes is what is traced, with its gradient; refusals by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ControlFlowError, ShapeError, UnsupportedError
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
M = RNG.standard_normal((3, 4))
V = RNG.standard_normal(5)


def written(write, x, *args):
    """What stands in a copy of x after the write."""
    y = x * 1.0
    write(y, *args)
    return y


CALLS = {
    "put_along_axis": lambda y, v: np.put_along_axis(y, np.array([[0], [1], [3]]), v[:3, None] * 3, axis=1),
    "put_along_axis one value": lambda y, v: np.put_along_axis(y, np.array([[0, 2, 1, -1]]), 7.0, axis=0),
    "put_along_axis of the last": lambda y, v: np.put_along_axis(y, np.array([[0, 2], [1, 0], [3, 2]]), v[:2], axis=-1),
    "putmask": lambda y, v: np.putmask(y, M > 0, y * v[0]),
    "putmask with few values": lambda y, v: np.putmask(y, M > 0, v),
    "putmask with one": lambda y, v: np.putmask(y, y > 0.5, 2.0),
    "place": lambda y, v: np.place(y, M > 0, v[:2]),
    "place nowhere": lambda y, v: np.place(y, M > 99, v),
    "put": lambda y, v: np.put(y, [0, 5, -1], v),
    "put with few values": lambda y, v: np.put(y, [[7, 3], [2, 6]], v[:3]),
    "put around": lambda y, v: np.put(y, [0, 50, -77], v[0], mode="wrap"),
    "put clipped": lambda y, v: np.put(y, [3, 50, -77], v, mode="clip"),
    "put nothing": lambda y, v: np.put(y, [], v),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(lambda m, v: written(CALLS[name], m, v), M, V)


def test_a_mask_that_is_traced_places_where_values_are_known():
    def f(m):
        return np.sum(written(lambda y: np.place(y, y > 0, [2.0, 3.0]), m) ** 2)

    assert np.array_equal(cr.grad(f)(M), np.where(M > 0, 0.0, 2 * M))
    with pytest.raises(ControlFlowError, match=r"np\.place"):
        cr.jit(f)(M)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda m: np.put_along_axis(m, np.array([[0]]), 1.0, axis=1), UnsupportedError, "argument"),
        (
            lambda m: np.put_along_axis(np.zeros((3, 4)), np.array([[0]]), m[:1, :1], axis=1),
            UnsupportedError,
            "put_along",
        ),
        (lambda m: written(lambda y: np.put_along_axis(y, np.array([0]), 1.0, axis=1), m), ShapeError, "2 axes"),
        (lambda m: written(lambda y: np.put_along_axis(y, np.array([0]), 1.0, axis=None), m), UnsupportedError, "axis"),
        (lambda m: written(lambda y: np.putmask(y, [True], 1.0), m), ShapeError, "mask"),
        (lambda m: np.putmask(np.zeros((3, 4)), M > 0, m), UnsupportedError, "putmask"),
        (lambda m: written(lambda y: np.place(y, [True], [1.0]), m), ShapeError, "mask"),
        (lambda m: np.place(np.zeros((3, 4)), M > 0, m), UnsupportedError, "place"),
        (lambda m: written(lambda y: np.put(y, [12], 1.0), m), ShapeError, "out of bounds"),
        (lambda m: written(lambda y: np.put(y, [1], 1.0, mode="up"), m), UnsupportedError, "mode"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda m: np.sum(f(m)))(M)
