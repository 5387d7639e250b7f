"""`np.pad` in every mode: value, shape, dtype, gradient, jit and source; refusals by name."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError, UnsupportedError
from chainrule.primitives.padding import _runs
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V = RNG.standard_normal(4)
M = RNG.standard_normal((3, 4))
S = RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)
WIDTHS = {
    "one": 1,
    "a pair": (2, 1),
    "each": ((0, 1), (2, 0)),
    "one pair": ((1, 2),),
    "by axis": {1: (1, 2)},
    "none": 0,
}
MODES = ("constant", "edge", "reflect", "symmetric", "wrap", "mean", "maximum", "minimum", "linear_ramp")


@pytest.mark.parametrize(("mode", "widths"), list(itertools.product(MODES, WIDTHS)))
def test_every_mode(mode, widths):
    rtol = 1e-15 if mode in ("mean", "linear_ramp") else 0.0
    assert_traced_as_numpy(lambda m: np.pad(m, WIDTHS[widths], mode=mode), M, rtol=rtol)


CALLS = {
    "zeros": (lambda v: np.pad(v, 2), V),
    "a constant": (lambda m: np.pad(m, 1, constant_values=2.5), M),
    "constants": (lambda m: np.pad(m, ((1, 2), (0, 1)), "constant", constant_values=((1, 2), (3, 4.5))), M),
    "a traced constant": (lambda v, z: np.pad(v, (1, 2), constant_values=z), V, Z),
    "traced constants": (lambda m, z: np.pad(m, 1, constant_values=((z, 2.0), (z**2, -z))), M, Z),
    "a traced pair": (lambda m, z: np.pad(m, 1, constant_values=(z, 2 * z)), M, Z),
    "far reflected": (lambda v: np.pad(v, (9, 5), mode="reflect"), V),
    "far mirrored": (lambda v: np.pad(v, (9, 5), mode="symmetric"), V),
    "far wrapped": (lambda v: np.pad(v, (9, 5), mode="wrap"), V),
    "one entry reflected": (lambda v: np.pad(v[:1], 2, mode="reflect"), V),
    "oddly reflected": (lambda m: np.pad(m, ((2, 1), (3, 0)), mode="reflect", reflect_type="odd"), M),
    "oddly mirrored": (lambda m: np.pad(m, ((3, 1), (0, 4)), mode="symmetric", reflect_type="odd"), M),
    "evenly": (lambda m: np.pad(m, 1, mode="symmetric", reflect_type="even"), M),
    "a mean of two": (lambda m: np.pad(m, 2, mode="mean", stat_length=2), M),
    "a maximum of a few": (lambda m: np.pad(m, 1, mode="maximum", stat_length=((1, 2), (3, 9))), M),
    "a median": (lambda m: np.pad(m, 1, mode="median"), M),
    "a ramp": (lambda m: np.pad(m, (2, 3), mode="linear_ramp", end_values=(1.0, -4.0)), M),
    "a traced ramp": (lambda v, z: np.pad(v, 3, mode="linear_ramp", end_values=z), V, Z),
    "three axes": (lambda s: np.pad(s, ((0, 0), (1, 1), (2, 2)), mode="reflect"), S),
    "a scalar": (lambda z: np.pad(z, 3) * 2, Z),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=4e-16)


@pytest.mark.parametrize("mode", MODES)
def test_float32_stays_float32(mode):
    assert_traced_as_numpy(lambda m: np.pad(m, (2, 1), mode=mode), M.astype(np.float32), rtol=1e-6)


def test_integers_are_padded_too():
    i = RNG.integers(0, 9, (3, 4))
    for mode in ("constant", "edge", "reflect", "wrap", "maximum"):
        assert_traced_as_numpy(lambda x, mode=mode: np.pad(x, 2, mode=mode), i)
    assert_traced_as_numpy(lambda x: np.pad(x, 1, constant_values=2.7), i)


@given(st.data())
def test_any_width_in_the_modes_that_copy(data):
    """Each entry has a value of its own, so where it stands in the margin says what it must collect."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    widths = [(data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6))) for _ in shape]
    mode = data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    want = np.pad(x, widths, mode=mode)
    value, pull = cr.vjp(lambda x: np.pad(x, widths, mode=mode), x)
    assert np.array_equal(value, want)
    weights = np.arange(1.0, 1 + want.size).reshape(want.shape)
    (gradient,) = pull(weights)
    assert np.array_equal(gradient.ravel(), [np.sum(weights[want == entry]) for entry in x.ravel()])


def test_arrays_without_entries_take_constants_alone():
    assert_traced_as_numpy(lambda x: np.pad(x, ((1, 1), (0, 0))), np.zeros((0, 3)))
    with pytest.raises(ShapeError, match="no entries"):
        cr.jit(lambda x: np.pad(x, ((1, 1), (0, 0)), mode="edge"))(np.zeros((0, 3)))


@pytest.mark.parametrize("mode", MODES)
def test_one_program_serves_every_size(mode):
    program = cr.jit(lambda x: np.pad(x, ((1, 2), (0, 1)), mode=mode))
    for rows in (6, 2, 10):
        x = RNG.standard_normal((rows, 3))
        np.testing.assert_allclose(program(x), np.pad(x, ((1, 2), (0, 1)), mode=mode), rtol=1e-15)


def test_a_margin_of_many_reflections():
    weights = RNG.standard_normal(84)
    want = np.zeros(4)
    np.add.at(want, np.pad(np.arange(4), 40, mode="reflect"), weights)
    value, gradient = cr.value_and_grad(lambda v: np.sum(weights * np.pad(v, 40, mode="reflect")))(V)
    assert value == np.sum(weights * np.pad(V, 40, mode="reflect"))
    np.testing.assert_allclose(gradient, want, rtol=1e-13)
    assert np.array_equal(cr.jit(lambda v: np.pad(v, 40, mode="reflect"))(V), np.pad(V, 40, mode="reflect"))


def test_runs():
    assert _runs(np.array([], dtype=int)) == []
    assert _runs(np.array([5])) == [(5, 1, 1)]
    assert _runs(np.array([2, 3, 0, 1, 2, 3, 0])) == [(2, 2, 1), (0, 4, 1), (0, 1, 1)]
    assert _runs(np.array([0, 0, 0, 1, 2])) == [(0, 3, 0), (1, 2, 1)]


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda v: np.pad(v, 1, mode="empty"), UnsupportedError, "mode='empty'"),
        (lambda v: np.pad(v, 1, mode=lambda *a: None), UnsupportedError, "mode="),
        (lambda v: np.pad(v, -1), ArgumentError, "negative"),
        (lambda v: np.pad(v, 1.5), ArgumentError, "integers"),
        (lambda v: np.pad(v, 1, mode="edge", constant_values=1), ArgumentError, "constant_values"),
        (lambda v: np.pad(v, 1, mode="reflect", reflect_type="none"), ArgumentError, "reflect_type"),
        (lambda v: np.pad(v, 9, mode="reflect", reflect_type="odd"), UnsupportedError, "reflects 4 entries twice"),
        (lambda v: np.pad(v, 1, mode="mean", stat_length=0), ArgumentError, "stat_length"),
        (lambda v: np.pad((v * 3).astype(int), 1, mode="mean"), UnsupportedError, r"astype\(float\)"),
        (lambda v: np.pad((v * 3).astype(int), 1, mode="linear_ramp"), UnsupportedError, r"astype\(float\)"),
        (lambda v: np.pad(v, (v[0], 1)), UnsupportedError, "traced number"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    names = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}
    weights = RNG.standard_normal((2, 6, 7))
    for ours, theirs in names.items():
        x = torch.tensor(S[None], requires_grad=True)
        padded = torch.nn.functional.pad(x, (1, 2, 2, 1), mode=theirs)
        (torch.tensor(weights) * padded[0]).sum().backward()
        got = cr.grad(lambda s, m=ours: np.sum(weights * np.pad(s, ((0, 0), (2, 1), (1, 2)), mode=m)))(S)
        np.testing.assert_allclose(got, x.grad.numpy()[0], rtol=1e-13)
