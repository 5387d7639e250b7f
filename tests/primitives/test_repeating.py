"""Every name that NumPy has for repeating, putting in and taking out: value, shape, dtype, gradient, jit and source; refusals by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainrule as cr
from chainrule.checking.differences import numerical_gradient
from chainrule.errors import ControlFlowError, ShapeError, UnsupportedError
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(4), RNG.standard_normal(4)
M, N = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4))
S = RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)

CALLS = {
    # repeated
    "tile": (lambda v: np.tile(v, 3), V),
    "tile to rows": (lambda v: np.tile(v, (2, 3)), V),
    "tile of a matrix": (lambda m: np.tile(m, (2, 1)), M),
    "tile of the last axis": (lambda m: np.tile(m, 2), M),
    "tile to three axes": (lambda m: np.tile(m, (2, 1, 3)), M),
    "tile of a scalar": (lambda z: np.tile(z, 3), Z),
    "tile once": (lambda m: np.tile(m, (1, 1)), M),
    "tile zero times": (lambda m: np.tile(m, (0, 2)), M),
    "repeat": (lambda m: np.repeat(m, 2), M),
    "repeat along": (lambda m: np.repeat(m, 3, axis=0), M),
    "repeat along the last": (lambda m: np.repeat(m, 2, axis=-1), M),
    "repeat with counts": (lambda m: np.repeat(m, [1, 0, 3], axis=0), M),
    "repeat with an array of one": (lambda m: np.repeat(m, np.array([2]), axis=1), M),
    "repeat of a scalar": (lambda z: np.repeat(z, 3), Z),
    "repeat once": (lambda m: np.repeat(m, 1, axis=0), M),
    "resize": (lambda m: np.resize(m, (2, 7)), M),
    "resize smaller": (lambda m: np.resize(m, 5), M),
    "meshgrid": (lambda v, w: np.meshgrid(v, w[:3])[0] * np.meshgrid(v, w[:3])[1], V, W),
    "meshgrid ij": (lambda v, w: np.add(*np.meshgrid(v, w[:3], indexing="ij")), V, W),
    "meshgrid sparse": (lambda v, w: np.multiply(*np.meshgrid(v, w, sparse=True)), V, W),
    "meshgrid of views": (lambda v, w: np.multiply(*np.meshgrid(v, w, copy=False)), V, W),
    "meshgrid of three": (lambda v, w: np.meshgrid(v, w, np.ones(2), v)[3], V, W),
    "broadcast_arrays": (lambda v, m: np.multiply(*np.broadcast_arrays(v, m)), V, M),
    "append": (lambda m, n: np.append(m, n), M, N),
    "append along": (lambda m, n: np.append(m, n, axis=-1), M, N),
    "append a number": (lambda v: np.append(v, 1.0), V),
    # put in and taken out
    "delete": (lambda v: np.delete(v, 1), V),
    "delete the last": (lambda v: np.delete(v, -1), V),
    "delete the last but one": (lambda m: np.delete(m, -2, axis=1), M),
    "delete several": (lambda m: np.delete(m, [0, -1], axis=1), M),
    "delete a slice": (lambda m: np.delete(m, slice(None, None, 2), 0), M),
    "delete of all": (lambda m: np.delete(m, [0, 5]), M),
    "delete by a mask": (lambda v: np.delete(v, [True, False, False, True]), V),
    "delete nothing": (lambda v: np.delete(v, []), V),
    "insert": (lambda v: np.insert(v, 1, 5.0), V),
    "insert a traced one": (lambda v, z: np.insert(v, -1, z), V, Z),
    "insert at the end": (lambda v, w: np.insert(v, 4, w), V, W),
    "insert several": (lambda v, w: np.insert(v, [1, 1, 3], w[:3]), V, W),
    "insert one for several": (lambda v, z: np.insert(v, [0, 2, -1], z), V, Z),
    "insert a row": (lambda m, v: np.insert(m, 1, v, axis=0), M, V),
    "insert a column": (lambda m: np.insert(m, 1, [1.0, 2.0, 3.0], axis=1), M),
    "insert columns": (lambda m, v: np.insert(m, [1, 2], v[:2], axis=1), M, V),
    "insert at one place of a list": (lambda m, n: np.insert(m, [1], n[:, :2], axis=1), M, N),
    "insert a matrix at a number": (lambda m, n: np.insert(m, 1, n.T[:3], axis=1), M, N[:, :3]),
    "insert at a slice": (lambda v, z: np.insert(v, slice(0, 2), z), V, Z),
    "insert into all": (lambda m: np.insert(m, 2, 9), M),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name])


@pytest.mark.parametrize("name", ["tile to rows", "repeat along", "delete", "insert"])
def test_float32_stays_float32(name):
    f, *args = CALLS[name]
    assert_traced_as_numpy(f, *(np.asarray(a, dtype=np.float32)[()] for a in args))


def test_integers_and_masks_are_repeated_too():
    i = np.arange(12).reshape(3, 4)
    for f in (
        lambda x: np.tile(x, 2),
        lambda x: np.tile(x, 1),
        lambda x: np.repeat(x, 1),
        lambda x: np.delete(x, 0, 1),
    ):
        assert_traced_as_numpy(f, i)
        assert_traced_as_numpy(f, i > 4)
    assert_traced_as_numpy(lambda i, v: np.insert(i, 1, v, axis=0), i, np.array([1.5, 2.5, -1.5, 0.0]))


def test_arrays_without_entries():
    empty = np.zeros((0, 3))
    for f in (lambda x: np.tile(x, 2), lambda x: np.repeat(x, 2, 0), lambda x: np.resize(x, (2, 2))):
        assert_traced_as_numpy(f, empty)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.tile(x, (2, 1)),
        lambda x: np.repeat(x, 2, axis=0),
        lambda x: np.repeat(x, len(x), axis=0),
        lambda x: np.delete(x, 0, axis=0),
        lambda x: np.insert(x, 1, 0.0, axis=0),
        lambda x: np.insert(x, len(x), x[0], axis=0),
    ],
)
def test_one_program_serves_every_size(f):
    program = cr.jit(f)
    for rows in (6, 2, 10):
        x = RNG.standard_normal((rows, 3))
        assert np.array_equal(program(x), f(x))


@pytest.mark.parametrize("make", [lambda x: np.tile(x, 2)[:4], lambda x: np.repeat(x, 2)[:4], lambda x: np.tile(x, 1)])
def test_a_copy_can_be_written_in_place_and_the_argument_stays(make):
    def f(x):
        y = make(x)
        y += 1.0
        return np.sum(x * y)

    np.testing.assert_allclose(
        cr.grad(f)(V), numerical_gradient(lambda x: np.sum(x * (make(x) + 1)), [V])[0], rtol=1e-7
    )


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda v: np.meshgrid(v, v, indexing="yx"), UnsupportedError, "indexing"),
        (lambda v: np.broadcast_arrays(v, v, subok=True), UnsupportedError, "subok"),
        (lambda v: np.delete(v, 7), ShapeError, "out of bounds"),
        (lambda v: np.insert(v, 7, 1.0), ShapeError, "out of bounds"),
        (lambda v: np.insert(v, [[1]], 1.0), ShapeError, "vector of places"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_counts_that_are_traced_are_refused_while_staging():
    with pytest.raises(ControlFlowError, match=r"np\.repeat"):
        cr.jit(lambda v, n: np.repeat(v, n))(V, np.array([1, 2, 0, 1]))
    assert np.array_equal(
        cr.grad(lambda v, n: np.sum(np.repeat(v, n)))(V, np.array([1, 2, 0, 1])), [1.0, 2.0, 0.0, 1.0]
    )


@given(st.data())
def test_any_insert_delete_repeat_and_tile(data):
    """Whatever NumPy takes is what is traced, and every entry collects its cotangents; what it refuses is refused."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    size = int(np.prod(shape)) if axis is None else shape[axis]
    places = st.integers(-size, size) | st.lists(st.integers(-size, size - 1), max_size=3) | st.slices(size)
    chosen, times = (
        data.draw(places),
        data.draw(st.integers(0, 3) | st.lists(st.integers(0, 2), min_size=size, max_size=size)),
    )
    counts = data.draw(st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=4).map(tuple))
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    for f in (
        lambda x: np.insert(x, chosen, -1.0, axis=axis),
        lambda x: np.delete(x, chosen, axis=axis),
        lambda x: np.repeat(x, times, axis=axis),
        lambda x: np.tile(x, counts),
    ):
        try:
            want = f(x)
        except (IndexError, ValueError):
            with pytest.raises((IndexError, ValueError)):
                cr.vjp(f, x)
            continue
        weights = np.arange(1.0, 1 + want.size).reshape(want.shape)
        value, pull = cr.vjp(f, x)
        assert np.array_equal(value, want)
        assert value.shape == want.shape
        collected = [np.sum(weights[want == entry]) for entry in x.ravel()]  # each entry has a value of its own
        (gradient,) = pull(weights)
        assert np.array_equal(gradient.ravel(), collected)


def test_zeros_at_the_ends_where_values_are_known():
    x = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    for options in ({}, {"trim": "f"}, {"trim": "B"}, {"axis": 1}, {"axis": (0, 1), "trim": "bf"}):
        value, gradient = cr.value_and_grad(lambda x, o=options: np.sum(np.trim_zeros(x, **o) ** 3))(x)
        assert value == 35.0
        assert np.array_equal(gradient, 3 * x**2)
        assert np.array_equal(cr.vjp(lambda x, o=options: np.trim_zeros(x, **o), x)[0], np.trim_zeros(x, **options))
    assert cr.vjp(np.trim_zeros, np.zeros(3))[0].shape == (0,)
    with pytest.raises(ControlFlowError, match=r"np\.trim_zeros"):
        cr.jit(lambda x: np.trim_zeros(x))(x)
    with pytest.raises(UnsupportedError, match="trim="):
        cr.grad(lambda x: np.sum(np.trim_zeros(x, "x")))(x)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    pairs = [
        (lambda x: np.tile(x, (2, 3)), lambda x: torch.tile(x, (2, 3))),
        (lambda x: np.repeat(x, [1, 0, 3], axis=0), lambda x: torch.repeat_interleave(x, torch.tensor([1, 0, 3]), 0)),
    ]
    for ours, theirs in pairs:
        weights = RNG.standard_normal(ours(M).shape)
        x = torch.tensor(M, requires_grad=True)
        (torch.tensor(weights) * theirs(x)).sum().backward()
        got = cr.grad(lambda x, ours=ours, weights=weights: np.sum(weights * ours(x)))(M)
        np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-13)
