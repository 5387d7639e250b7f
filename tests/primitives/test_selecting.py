"""Picking by number and by condition: value, shape, dtype, gradient, jit and source; refusals by name."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ControlFlowError, ShapeError, UnsupportedError
from chainrule.primitives.selecting import add_along_axis
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(4), RNG.standard_normal(4)
M, N = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4))
S = RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)
ORDER = np.argsort(M, axis=1)

CALLS = {
    "take": (lambda m: np.take(m, [0, 5, -1]), M),
    "take one": (lambda m: np.take(m, 5), M),
    "take rows": (lambda m: np.take(m, [[0, 2], [1, 1]], axis=0), M),
    "take of the last axis": (lambda s: np.take(s, np.array([3, 0]), axis=-1), S),
    "take around": (lambda m: np.take(m, [4, -5, 11], axis=1, mode="wrap"), M),
    "take clipped": (lambda m: np.take(m, [4, -5, 2], axis=1, mode="clip"), M),
    "take of a scalar": (lambda z: np.take(z, [0, 0]), Z),
    "take by truth values": (lambda v: np.take(v, [True, False, True]), V),
    "the method": (lambda m: m.take([1, 9], mode="clip", axis=0), M),
    "take_along_axis": (lambda m: np.take_along_axis(m, ORDER, axis=1), M),
    "take_along_axis of the last": (lambda m: np.take_along_axis(m, ORDER[:, :2]), M),
    "take_along_axis of all": (lambda m: np.take_along_axis(m, np.array([3, 3, 11]), axis=None), M),
    "take_along_axis with one row": (lambda m: np.take_along_axis(m, np.array([[0, 3, -1]]), axis=1), M),
    "take_along_axis of one row": (lambda v: np.take_along_axis(v[None], ORDER, axis=1), V),
    "take_along_axis in the middle": (lambda s: np.take_along_axis(s, np.array([[[2], [0]]]), axis=1), S),
    "take_along_axis by argmax": (
        lambda m: np.take_along_axis(m, np.argmax(m, axis=1)[:, None], axis=1),
        M,
    ),
    # one of several
    "choose": (lambda v, w: np.choose([0, 1, 1, 0], [v, w]), V, W),
    "choose that broadcasts": (lambda v, m: np.choose([[0], [1], [1]], [v, m]), V, M),
    "choose around": (lambda v, w: np.choose([-1, 2, 3, 0], [v, w], mode="wrap"), V, W),
    "choose clipped": (lambda v, w: np.choose([-1, 2, 3, 0], (v, w), mode="clip"), V, W),
    "choose from rows": (lambda m: np.choose([0, 2, 1, 1], m), M),
    "choose with numbers": (lambda v: np.choose([0, 1, 0, 1], [v, 2.5]), V),
    "choose by a comparison": (lambda v, w: np.choose(v > w, [v * 2, w * 3]), V, W),
    "select": (lambda v, w: np.select([v > 0.5, v > -0.5], [v * 2, w], 7.0), V, W),
    "select without default": (lambda v: np.select([V > 0, V > -9], [v, v**2]), V),
    "select that broadcasts": (lambda v, m: np.select([M > 0, V > 0], [m, v], default=v * m), V, M),
    "select with a traced default": (lambda v, z: np.select([V > 0], [v], z), V, Z),
    "select with numbers": (lambda v: np.select([v > 0, v < -1], [1, v]), V),
    "piecewise": (lambda v: np.piecewise(v, [V < 0, V >= 0], [-1.0, 1.0]) * v, V),
    # by a condition
    "compress": (lambda m: np.compress([False, True, True], m, axis=0), M),
    "compress of all": (lambda m: np.compress([True, False, True], m), M),
    "extract": (lambda m: np.extract(M > 0, m), M),
    "bincount": (lambda v: np.bincount([0, 3, 3, 1], weights=v), V),
    "bincount with more bins": (lambda v: np.bincount([0, 1, 1, 1], v, minlength=6), V),
    # between bounds
    "clip": (lambda v: np.clip(v, -0.3, 0.2) * v, V),
    "clip below": (lambda v: np.clip(v, 0.1, None), V),
    "clip by names": (lambda v: np.clip(v, min=-0.3, max=0.4), V),
    "clip by one name": (lambda v: np.clip(v, max=0.4), V),
    "clip without bounds": (lambda v: np.clip(v, None, None), V),
    "clip by arrays": (lambda m, v: np.clip(m, v - 1, np.full(4, 0.9)), M, V),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name])


@pytest.mark.parametrize("name", ["take rows", "take_along_axis", "choose", "select", "compress", "clip", "extract"])
def test_float32_stays_float32(name):
    f, *args = CALLS[name]
    assert_traced_as_numpy(f, *(np.asarray(a, dtype=np.float32)[()] for a in args))


def test_the_dtypes_are_those_of_numpy():
    single, i = V.astype(np.float32), np.arange(4, dtype=np.int8)
    calls = [
        (lambda x: np.clip(x, np.zeros(4), 1.0), single),
        (lambda x: np.clip(x, 0.0, np.ones(4)), single),
        (lambda x: np.clip(x, 0, 2), i),
        (lambda x: np.clip(x, None, 2), i),
        (lambda x: np.clip(x, 0.5, None), i),
        (lambda x: np.clip(x, np.arange(4), 9), i),
        (lambda x: np.choose([0, 1, 1, 0], [x, 2.0]), single),
        (lambda x: np.select([x > 0], [x], 2.0), single),
        (lambda x: np.select([x > 1, x > 2], [x, 2]), i),
        (lambda x: np.select([x > 1, x > 2], [x, np.arange(4)], 1.5), i),
        (lambda x: np.bincount([0, 1, 1, 0], weights=x), single),
        (lambda x: np.take(x, [1, 1], mode="clip"), i),
    ]
    for f, x in calls:
        assert_traced_as_numpy(f, x)


def test_numbers_that_are_traced():
    assert_traced_as_numpy(lambda v, i: np.take(v, i, mode="clip"), V, np.array([7, -7, 2]))
    assert_traced_as_numpy(lambda m, i: np.take_along_axis(m, i, axis=0), M, np.array([[2, 0, 1, 1]]))
    assert_traced_as_numpy(lambda i, v, w: np.choose(i, [v, w]), np.array([1, 0, 0, 1]), V, W)


def test_a_number_without_a_choice_is_an_error_as_in_numpy():
    program = cr.jit(lambda i, v, w: np.choose(i, [v, w]))
    with pytest.raises(ValueError, match="invalid entry in choice array"):
        program(np.array([0, 1, -1, 0]), V, W)


def test_pieces_see_their_own_entries():
    functions = [lambda x: x - np.mean(x), lambda x, a=1.0: a * x**2]

    def f(x):
        return np.piecewise(x, [x > 0, x < -0.5], [functions[0], functions[1], 2.0])

    weights = RNG.standard_normal((3, 4))
    gradient = cr.grad(lambda m: np.sum(weights * f(m)))(M)
    step = 1e-6
    for index in np.ndindex(M.shape):
        moved = [M.copy(), M.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        want = np.sum(weights * (f(moved[0]) - f(moved[1]))) / (2 * step)
        assert gradient[index] == pytest.approx(want, abs=1e-8)
    with pytest.raises(ControlFlowError, match=r"np\.piecewise"):
        cr.jit(f)(M)


def test_a_piece_of_one_number_and_its_arguments():
    f = lambda z, a: np.piecewise(z, [z > 0], [lambda x, a: a * x**2, -1.0], a)
    assert cr.value_and_grad(f)(np.float64(3.0), 5.0) == (45.0, 30.0)
    assert f(np.float64(3.0), 5.0) == 45.0
    assert cr.grad(lambda z: np.piecewise(z, [z > 0, z > 1], [1.0, lambda x: 3 * x]))(np.float64(2.0)) == 3.0


def test_positions_are_found_where_values_are_known():
    def f(v):
        return np.sum(v[np.nonzero(v > 0)] ** 2) + v[np.flatnonzero(v < 0)][0] + v[np.argwhere(v > 0)[:, 0]].sum()

    got = cr.grad(f)(V)
    want = np.where(V > 0, 2 * V + 1, 0.0)
    want[np.flatnonzero(V < 0)[0]] += 1
    np.testing.assert_allclose(got, want)
    for finder in (np.nonzero, np.flatnonzero, np.argwhere):
        with pytest.raises(ControlFlowError, match=finder.__name__):
            cr.jit(lambda v, finder=finder: np.sum(finder(v > 0)[0]))(V)


def test_at_its_bounds_clip_has_derivative_zero():
    assert np.array_equal(cr.grad(lambda v: np.sum(np.clip(v, 0, 1)))(np.array([0.0, 0.5, 1.0])), [0, 1, 0])


def test_one_program_serves_every_size():
    for f in (
        lambda x: np.take_along_axis(x, np.argmax(x, axis=0)[None], axis=0),
        lambda x: np.take(x, [0, 0, 7], axis=0, mode="clip"),
        lambda x: np.select([x > 0], [x], -1.0),
        lambda x: np.choose(x > 0, [x, 2 * x]),
    ):
        program = cr.jit(f)
        for rows in (6, 2, 10):
            x = RNG.standard_normal((rows, 3))
            assert np.array_equal(program(x), f(x))


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda v: np.take(v, [0], out=np.zeros(1)), UnsupportedError, "out="),
        (lambda v: np.take(v, [0], mode="both"), UnsupportedError, "mode"),
        (lambda v: np.take(v, [0], axis=3), ShapeError, "axis 3"),
        (lambda v: np.take_along_axis(v, np.array([[0]]), 0), ShapeError, "2 axes"),
        (lambda v: np.take_along_axis(v, np.array([0.0]), 0), UnsupportedError, "positions"),
        (lambda v: np.choose([0.5], [v]), UnsupportedError, "integers"),
        (lambda v: np.choose([0, 0, 0, 0], [v], out=np.zeros(4)), UnsupportedError, "out="),
        (lambda v: np.select([v], [v]), UnsupportedError, "true or false"),
        (lambda v: np.select([v > 0], [v, v]), ShapeError, "give one for each"),
        (lambda v: np.piecewise(v, [v > 0], [v, 1.0]), UnsupportedError, r"np\.where for arrays"),
        (lambda v: np.piecewise(v, [v[:2] > 0], [1.0]), ShapeError, "condition of shape"),
        (lambda v: np.compress([[True]], v), ShapeError, "one axis"),
        (lambda v: np.compress([True], v, out=np.zeros(1)), UnsupportedError, "out="),
        (lambda v: np.clip(v, 0, 1, out=np.zeros(4)), UnsupportedError, "out="),
        (lambda v: np.clip(v, 0, 1, dtype=np.float32), UnsupportedError, "dtype="),
        (lambda v: np.where(v > 0), UnsupportedError, r"np\.where\(condition, a, b\)"),
        (lambda v: np.bincount([0, 1], weights=v), ShapeError, "bincount"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((error, ValueError), match=message):
            cr.grad(lambda v: np.sum(f(v)))(V)


def test_what_was_taken_twice_collects_both():
    got = cr.grad(lambda v: np.sum(np.take_along_axis(v, np.array([1, 1, 0]), 0) * np.array([1.0, 10.0, 100.0])))(V)
    assert np.array_equal(got, [100.0, 11.0, 0.0, 0.0])
    assert np.array_equal(add_along_axis(np.array([1.0, 10.0, 100.0]), np.array([1, 1, 0]), 0, 4), got)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    weights = RNG.standard_normal((3, 4))
    x = torch.tensor(M, requires_grad=True)
    (torch.tensor(weights) * torch.gather(x, 1, torch.tensor(ORDER[:, [0, 0, 1, 2]]))).sum().backward()
    got = cr.grad(lambda m: np.sum(weights * np.take_along_axis(m, ORDER[:, [0, 0, 1, 2]], axis=1)))(M)
    np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-14)
