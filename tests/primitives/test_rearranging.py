"""Every name that NumPy has for rearranging: value, shape, dtype, gradient, jit and source; refusals by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError, UnsupportedError
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(4), RNG.standard_normal(4)
M, N = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4))
S = RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)

CALLS = {
    "moveaxis": (lambda s: np.moveaxis(s, 0, -1), S),
    "moveaxis of several": (lambda s: np.moveaxis(s, (0, 2), (-1, 0)), S),
    "moveaxis of lists": (lambda s: np.moveaxis(s, [0, 1], [1, 2]), S),
    "rollaxis": (lambda s: np.rollaxis(s, 2) * 2, S),
    "rollaxis to": (lambda s: np.rollaxis(s, 0, 3), S),
    "rollaxis back": (lambda s: np.rollaxis(s, -1, 1), S),
    "atleast_1d of a scalar": (lambda z: np.atleast_1d(z), Z),
    "atleast_1d of several": (lambda z, m: np.atleast_1d(z, m)[0] * np.atleast_1d(z, m)[1], Z, M),
    "atleast_2d": (lambda v: np.atleast_2d(v), V),
    "atleast_2d of a scalar": (lambda z: np.atleast_2d(z), Z),
    "atleast_3d": (lambda m: np.atleast_3d(m) * 2, M),
    "atleast_3d of a vector": (lambda v: np.atleast_3d(v), V),
    "atleast_3d of a scalar": (lambda z: np.atleast_3d(z), Z),
    "unstack": (lambda s: np.unstack(s)[1] * np.unstack(s, axis=0)[0], S),
    "unstack along": (lambda s: np.unstack(s, axis=-1)[2], S),
    "concat": (lambda m, n: np.concat([m, n], axis=1), M, N),
    "permute_dims": (lambda s: np.permute_dims(s, (2, 0, 1)), S),
    "apply_along_axis": (lambda m: np.apply_along_axis(lambda v: v * v[0], 0, m), M),
    "apply_along_axis to numbers": (lambda s: np.apply_along_axis(np.sum, 1, s), S),
    "apply_along_axis to matrices": (lambda s: np.apply_along_axis(lambda v: v[:, None] * v[:2], 1, s), S),
    "apply_along_axis with an argument": (
        lambda m, z: np.apply_along_axis(lambda v, a, b: a * v + b, -1, m, z, b=2.0),
        M,
        Z,
    ),
    "apply_over_axes": (lambda s: np.apply_over_axes(np.sum, s, [0, -1]), S),
    "apply_over_axes that keeps them": (lambda m: np.apply_over_axes(lambda a, k: np.flip(a, k), m, 1) * 2, M),
    # joined
    "hstack": (lambda m, n: np.hstack((m, n)), M, N),
    "hstack of vectors": (lambda v, w: np.hstack([v, w, 1.0]), V, W),
    "hstack of scalars": (lambda z, v: np.hstack([z, v[0]]), Z, V),
    "hstack to a dtype": (lambda m: np.hstack((m, np.arange(6).reshape(3, 2)), dtype=np.float64, casting="safe"), M),
    "vstack": (lambda m, v: np.vstack((m, v)), M, V),
    "vstack of vectors": (lambda v, w: np.vstack([v, w]), V, W),
    "dstack": (lambda m, n: np.dstack((m, n)), M, N),
    "dstack of vectors": (lambda v, w: np.dstack([v, w]), V, W),
    "column_stack": (lambda v, w: np.column_stack((v, w)), V, W),
    "column_stack mixed": (lambda m, v: np.column_stack((m.T, v)), M, V),
    "column_stack of a plain one": (lambda v: np.column_stack((np.ones(4), v)), V),
    "block": (lambda m, n: np.block([[m, n], [n, m]]), M, N),
    "block of zeros": (lambda m: np.block([[m, np.zeros((3, 2))], [np.ones((1, 4)), 5.0 * np.ones((1, 2))]]), M),
    "block of one list": (lambda v, w: np.block([v, w]), V, W),
    "block of scalars": (lambda z: np.block([[z, 2.0], [3.0, z]]), Z),
    "block of one": (lambda m: np.block(m), M),
    "block of three axes": (lambda s, m: np.block([[[s, s]], [[s, m * s]]]), S, M),
    # split
    "split": (lambda v: np.split(v, 2)[1] * np.split(v, 2)[0], V),
    "split between": (lambda m: np.split(m, [1, 3], axis=1)[1], M),
    "split past the end": (lambda v: np.concatenate(np.split(v, [2, 9])), V),
    "split backwards": (lambda v: np.split(v, [-1])[0], V),
    "array_split": (lambda v: np.array_split(v, 3)[0], V),
    "array_split of many": (lambda v: np.concatenate(np.array_split(v, 6)), V),
    "hsplit": (lambda m: np.hsplit(m, 2)[1], M),
    "hsplit of a vector": (lambda v: np.hsplit(v, [1])[1], V),
    "vsplit": (lambda m: np.vsplit(m, 3)[2] + np.vsplit(m, [2])[1], M),
    "dsplit": (lambda s: np.dsplit(s, 2)[0], S),
    # rolled
    "roll": (lambda v: np.roll(v, 1), V),
    "roll far": (lambda v: np.roll(v, -7), V),
    "roll of all": (lambda m: np.roll(m, 2), M),
    "roll along": (lambda m: np.roll(m, 1, axis=0), M),
    "roll both": (lambda m: np.roll(m, (1, -2), axis=(0, 1)), M),
    "roll by one number": (lambda m: np.roll(m, 1, axis=(0, -1)), M),
    "roll twice": (lambda m: np.roll(m, (1, 2), axis=0), M),
    "roll by nothing": (lambda m: np.roll(m, 0, axis=0), M),
    "flip": (lambda m: np.flip(m), M),
    "flip along": (lambda s: np.flip(s, axis=(0, -1)), S),
    "flip one": (lambda s: np.flip(s, 1), S),
    "flip nothing": (lambda s: np.flip(s, ()) * 2, S),
    "flipud": (lambda v: np.flipud(v), V),
    "fliplr": (lambda m: np.fliplr(m), M),
    "rot90": (lambda m: np.rot90(m), M),
    "rot90 twice": (lambda m: np.rot90(m, 2), M),
    "rot90 back": (lambda m: np.rot90(m, -1), M),
    "rot90 not at all": (lambda m: np.rot90(m, 4) * 2, M),
    "rot90 of other axes": (lambda s: np.rot90(s, 1, axes=(2, 0)), S),
    "rot90 thrice": (lambda s: np.rot90(s, 3, axes=(0, 1)), S),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name])


@pytest.mark.parametrize("name", ["roll both", "block", "hstack"])
def test_float32_stays_float32(name):
    f, *args = CALLS[name]
    assert_traced_as_numpy(f, *(np.asarray(a, dtype=np.float32)[()] for a in args))


def test_integers_and_masks_are_rearranged_too():
    i = np.arange(12).reshape(3, 4)
    for f in (
        np.fliplr,
        lambda x: np.roll(x, 1),
    ):
        assert_traced_as_numpy(f, i)
        assert_traced_as_numpy(f, i > 4)


def test_arrays_without_entries():
    empty = np.zeros((0, 3))
    for f in (
        lambda x: np.flipud(x),
        lambda x: np.roll(x, 1, 0),
        lambda x: np.hsplit(x, 3)[0],
    ):
        assert_traced_as_numpy(f, empty)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.roll(x, 3, axis=0),
        lambda x: np.split(x, 2)[1],
        lambda x: np.vstack([x, x[0]]),
        lambda x: np.rot90(x),
    ],
)
def test_one_program_serves_every_size(f):
    program = cr.jit(f)
    for rows in (6, 2, 10):
        x = RNG.standard_normal((rows, 3))
        assert np.array_equal(program(x), f(x))


def test_split_in_equal_parts_tests_the_size_again():
    program = cr.jit(lambda x: np.split(x, 2)[0])
    assert np.array_equal(program(np.arange(6.0)), [0, 1, 2])
    with pytest.raises(ValueError, match="equal"):
        program(np.arange(5.0))


def test_a_roll_by_nothing_is_a_copy():
    def f(x):
        y = np.roll(x, 0)
        y += 1.0
        return np.sum(x * y)

    assert np.array_equal(cr.grad(f)(V), 2 * V + 1)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda v: np.moveaxis(v, (0, 1), 0), ShapeError, "axis 1"),
        (lambda v: np.split(v, 3), ShapeError, "equal"),
        (lambda v: np.vsplit(v, 2), ShapeError, "vsplit needs at least 2 axes"),
        (lambda v: np.fliplr(v), ShapeError, "fliplr"),
        (lambda v: np.rot90(v, axes=(0, 0)), ShapeError, "different"),
        (lambda v: np.roll(v, v[0]), UnsupportedError, "np.roll by a traced number"),
        (lambda v: np.hstack([v, v], dtype=int), UnsupportedError, "astype"),
        (lambda v: np.hstack([v, v], casting="no"), UnsupportedError, "casting"),
        (lambda v: np.block([[v], v]), ShapeError, "depth"),
        (lambda v: np.block([(v, v)]), TypeError, "tuple"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    pairs = [
        (lambda x: np.roll(x, (1, 2), (0, 1)), lambda x: torch.roll(x, (1, 2), (0, 1))),
        (lambda x: np.rot90(x), lambda x: torch.rot90(x)),
        (lambda x: np.flip(x, 1), lambda x: torch.flip(x, (1,))),
    ]
    for ours, theirs in pairs:
        weights = RNG.standard_normal(ours(M).shape)
        x = torch.tensor(M, requires_grad=True)
        (torch.tensor(weights) * theirs(x)).sum().backward()
        got = cr.grad(lambda x, ours=ours, weights=weights: np.sum(weights * ours(x)))(M)
        np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-13)
