"""What is agreed where calculus leaves a choice: kinks, ties, branches not taken, dtypes, logits of any size."""

import warnings

import numpy as np
import pytest

import chainrule as cr

KINKED = np.array([-1.0, 0.0, 2.0])
RELUS = {
    "maximum(0, x)": lambda x: np.maximum(0, x),
    "maximum(x, 0.0)": lambda x: np.maximum(x, 0.0),
    "maximum(x, zeros)": lambda x: np.maximum(x, np.zeros(3)),
    "where": lambda x: np.where(x > 0, x, 0),
    "where >=": lambda x: np.where(x >= 0, x, 0),
    "where <=": lambda x: np.where(x <= 0, 0, x),
    "product": lambda x: x * (x > 0),
    "clip": lambda x: np.clip(x, 0, None),
    "clip method": lambda x: x.clip(0),
    "relu": cr.nn.relu,
}


@pytest.mark.parametrize("name", RELUS)
def test_relu_has_derivative_zero_at_zero_however_it_is_spelled(name):
    want = [0, 1, 1] if name == "where >=" else [0, 0, 1]  # where follows the branch that it selects
    for dtype in (np.float64, np.float32):
        x = KINKED.astype(dtype)
        assert cr.grad(lambda x: np.sum(RELUS[name](x)))(x).tolist() == want
        assert cr.jvp(RELUS[name], (x,), (np.ones(3, dtype),))[1].tolist() == want
        assert np.diag(cr.jacobian(RELUS[name])(x)).tolist() == want


def test_abs_and_sign_have_derivative_zero_at_zero():
    assert cr.grad(lambda x: np.sum(np.abs(x)))(KINKED).tolist() == [-1, 0, 1]
    assert cr.grad(lambda x: np.sum(abs(x)))(KINKED).tolist() == [-1, 0, 1]
    assert cr.grad(lambda x: np.sum(np.sign(x)))(KINKED).tolist() == [0, 0, 0]


def test_clip_has_derivative_zero_at_both_bounds():
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert cr.grad(lambda x: np.sum(np.clip(x, -1, 1)))(x).tolist() == [0, 0, 1, 0, 0]
    assert cr.grad(lambda x: np.sum(np.clip(x, None, 1)))(x).tolist() == [1, 1, 1, 0, 0]
    low, high = cr.grad(lambda low, high: np.sum(np.clip(x, low, high)), wrt=(0, 1))(-1.0, 1.0)
    assert (low, high) == (1, 1)


def test_clip_follows_numpy_in_every_form():
    x = np.array([-2.0, 0.5, 3.0])
    for call in (
        lambda x: np.clip(x, -1, 1),
        lambda x: np.clip(x, a_min=-1, a_max=1),
        lambda x: np.clip(x, min=-1, max=1),
        lambda x: x.clip(-1, 1),
        lambda x: x.clip(min=-1),
        lambda x: np.clip(x, 1, -1),  # NumPy: the upper bound wins
        lambda x: np.clip(x, np.array([-3.0, 1.0, 0.0]), 2.0),
    ):
        assert np.array_equal(cr.vjp(call, x)[0], call(x))


def test_a_tie_of_maximum_with_a_constant_gives_nothing():
    for other in (0, 0.0, np.float64(0), np.zeros(3)):
        for extremum in (np.maximum, np.minimum):
            assert cr.grad(lambda x, o=other, e=extremum: np.sum(e(x, o)))(np.zeros(3)).tolist() == [0, 0, 0]
            assert cr.grad(lambda x, o=other, e=extremum: np.sum(e(o, x)))(np.zeros(3)).tolist() == [0, 0, 0]


def test_a_tie_of_two_arguments_gives_half_to_each_whatever_wrt_is():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 5.0, 0.0])
    f = lambda a, b: np.sum(np.maximum(a, b))
    da, db = cr.grad(f, wrt=(0, 1))(a, b)
    assert da.tolist() == [0.5, 0, 1]
    assert db.tolist() == [0.5, 1, 0]
    assert cr.grad(f, wrt=0)(a, b).tolist() == [0.5, 0, 1]
    assert cr.grad(f, wrt="b")(a, b).tolist() == [0.5, 1, 0]
    assert cr.jvp(lambda a: np.maximum(a, a * 1.0), (a,), (np.ones(3),))[1].tolist() == [1, 1, 1]
    assert cr.grad(lambda a: np.sum(np.maximum(a, a)))(a).tolist() == [1, 1, 1]


def test_ties_in_a_maximum_share_equally():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    want = [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(np.max(x, axis=1)))(x), want)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(-np.min(-x, axis=1)))(x), want)
    assert cr.grad(np.max)(x).tolist() == [[0, 0.5, 0.5], [0, 0, 0]]
    tangent = cr.jvp(lambda x: np.max(x, axis=1), (x,), (x,))[1]
    np.testing.assert_allclose(tangent, [3, 2])


# -- the branch not taken ----------------------------------------------------------------------------------------------

HARMFUL = np.array([-1.0, 0.0, 4.0])
SELECTED = {
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
    "log": (lambda x: np.where(x > 0, np.log(x), 0.0), lambda x: 1 / x, lambda x: -1 / x**2),
    "reciprocal": (lambda x: np.where(x > 0, 1 / x, 0.0), lambda x: -1 / x**2, lambda x: 2 / x**3),
    "x log x": (lambda x: np.where(x > 0, x * np.log(x), 0.0), lambda x: np.log(x) + 1, lambda x: 1 / x),
    "log of a quotient": (
        lambda x: np.where(x > 0, np.log(x / (x + 1)), 0.0),
        lambda x: 1 / x - 1 / (x + 1),
        lambda x: 1 / (x + 1) ** 2 - 1 / x**2,
    ),
    "power": (lambda x: np.where(x > 0, x**1.5, 0.0), lambda x: 1.5 * x**0.5, lambda x: 0.75 * x**-0.5),
    "a scaled chain": (
        lambda x: np.where(x > 0, 3.0 * np.sqrt(2.0 * x) - 1.0, 0.0),
        lambda x: 3 * np.sqrt(2) * 0.5 * x**-0.5,
        lambda x: -3 * np.sqrt(2) * 0.25 * x**-1.5,
    ),
    "an overflow": (
        lambda x: np.where(x < 5, 0.0 * x + x, np.exp(1000 * x)),
        lambda x: 1.0 + 0 * x,
        lambda x: 0 * x,
    ),
}


@pytest.mark.parametrize("name", SELECTED)
def test_the_branch_not_taken_cannot_poison_a_gradient(name):
    f, first, second = SELECTED[name]
    taken = HARMFUL > 0 if name != "an overflow" else np.ones(3, dtype=bool)
    safe = np.where(taken, HARMFUL, 1.0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        got = cr.grad(lambda x: np.sum(f(x)))(HARMFUL)
        np.testing.assert_allclose(got, np.where(taken, first(safe), 0.0))
        again = cr.grad(lambda x: np.sum(cr.grad(lambda x: np.sum(f(x)))(x)))(HARMFUL)
        np.testing.assert_allclose(again, np.where(taken, second(safe), 0.0))
        weighted = cr.grad(lambda x: np.sum(f(x * 1.0) * np.array([5.0, 6.0, 7.0])))(HARMFUL)
        np.testing.assert_allclose(weighted, np.where(taken, first(safe), 0.0) * [5, 6, 7])
        hessian = cr.hessian(lambda x: np.sum(f(x)))(HARMFUL)
        np.testing.assert_allclose(np.diag(hessian), np.where(taken, second(safe), 0.0))


def test_a_selection_passes_what_only_moves_stretches_or_adds():
    x = np.array([0.0, 4.0, -1.0])
    w = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    taken, slope = x > 0, np.array([0.0, 0.25, 0.0])
    spellings = (
        lambda x: np.where(taken[:, None], np.log(x[:, None]) * w, 0.0),
        lambda x: np.where(taken, np.log(x) * w.T, 0.0).T,
        lambda x: np.where(taken[:, None], (np.log(x).reshape(1, 3) * w.T).T, 0.0),
        lambda x: np.where(taken, np.sum(np.log(x) * w.T[:, None], axis=1), 0.0).T,
        lambda x: np.where(taken[:, None], np.squeeze(np.log(x)[:, None, None], 2) * w, 0.0),
        lambda x: np.where(taken[:, None], np.stack([np.log(x), np.log(x)], axis=1) * w, 0.0),
        lambda x: np.where(taken[[2, 0, 1], None], np.log(x)[[2, 0, 1], None] * w[[2, 0, 1]], 0.0),
        lambda x: np.where(taken[:, None], np.concatenate([np.log(x)[:, None], np.log(x[:, None])], axis=1) * w, 0.0),
    )
    with np.errstate(all="ignore"):
        for f in spellings:
            g = cr.grad(lambda x, f=f: np.sum(f(x)))(x)
            np.testing.assert_allclose(g, slope * w.sum(1))
        summed = cr.grad(lambda x: np.where(x[1] > 100, np.sum(np.log(x)), x[1]))(x)
        np.testing.assert_allclose(summed, [0, 1, 0])
        in_halves = cr.grad(lambda x: np.sum(np.where(taken, np.log(x).astype(np.float64) * 2, 0.0)))(
            x.astype(np.float32)
        )
        np.testing.assert_allclose(in_halves, slope * 2)


def test_a_selection_on_both_sides_and_one_inside_another():
    def f(x):
        inner = np.where(x > 1, np.log(x), x - 1.0)
        return np.sum(np.where(x > 0, inner * np.sqrt(x), 0.0))

    x = np.array([-3.0, 0.0, 0.5, 2.0])
    with np.errstate(all="ignore"):
        got = cr.grad(f)(x)
    want = [0, 0, np.sqrt(0.5) + (0.5 - 1) * 0.5 / np.sqrt(0.5), np.sqrt(2) / 2 + np.log(2) * 0.5 / np.sqrt(2)]
    np.testing.assert_allclose(got, want)


def test_zero_to_the_power_zero_and_integer_powers_at_zero():
    zeros = np.array([0.0, 0.0, -0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cr.grad(lambda x: np.sum(x**2))(zeros).tolist() == [0, 0, 0]
        assert cr.grad(lambda x: np.sum(x**1))(zeros).tolist() == [1, 1, 1]
        assert cr.grad(lambda x: np.sum(x**0))(zeros).tolist() == [0, 0, 0]
        assert cr.grad(lambda x: np.sum(x**3))(np.array([-2.0, 0.0, 2.0])).tolist() == [12, 0, 12]
        assert cr.grad(cr.grad(lambda x: x**2))(0.0) == 2
        assert cr.grad(lambda x, p: np.sum(x**p), wrt="p")(np.array([0.0, 2.0]), 2.0) == pytest.approx(4 * np.log(2))


# -- dtypes ------------------------------------------------------------------------------------------------------------


def everything(x):
    h = np.tanh(x @ x.T) + 1.5 * np.exp(-np.abs(x[:, :2])) / 2 - np.where(x[:, :2] > 0, x[:, :2], 0.01 * x[:, :2]) ** 2
    h = np.concatenate([h, np.maximum(h, 0)], axis=1) + np.arange(4) / 4.0 * h.mean()
    return np.sum(cr.nn.softmax(h)[:, 0]) * 0.5 + h.max() + np.log(np.sum(np.clip(h, -1, 1) ** 2) + 1)


def test_float32_stays_float32():
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)

    def f(x):
        h = np.tanh(x) * 2.0 + 1 - 0.5 * np.exp(-np.abs(x)) / 3
        h = np.where(x > 0, h, 0.01 * h) ** 2
        return np.mean(np.maximum(h, 0)) + h.max() + np.sqrt(np.sum(h * h) + 1.0)

    value, g = cr.value_and_grad(f)(x)
    assert value.dtype == g.dtype == np.float32
    assert cr.jvp(f, (x,), (x,))[1].dtype == np.float32
    assert cr.hessian(f)(x).dtype == np.float32
    double = cr.grad(f)(x.astype(np.float64))
    assert double.dtype == np.float64
    np.testing.assert_allclose(g, double, rtol=1e-5, atol=1e-6)


def test_values_are_the_users_own_arithmetic_in_both_dtypes():
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(1).standard_normal((2, 3)).astype(dtype)
        value, _ = cr.value_and_grad(everything)(x)
        assert value == everything(x)
        assert value.dtype == everything(x).dtype


def test_a_numpy_scalar_is_strong_and_a_python_number_weak():
    x = np.ones(3, np.float32)
    weak, strong = cr.vjp(lambda x: 2.0 * x, x)[0], cr.vjp(lambda x: np.float64(2) * x, x)[0]
    assert weak.dtype == np.float32
    assert strong.dtype == np.float64
    for f in (lambda x: np.sum(2.0 * x), lambda x: np.sum(np.float64(2) * x), lambda x: np.sum(x * np.arange(3))):
        g = cr.grad(f)(x)
        assert g.dtype == np.float32  # a gradient has the dtype of what it is the gradient of


def test_python_floats_as_arguments_are_weak():
    x = np.ones(3, np.float32)
    value, (dx, dr) = cr.value_and_grad(lambda x, r: np.sum(x * r), wrt=(0, 1))(x, 0.5)
    assert value.dtype == np.float32
    assert dx.dtype == np.float32
    assert dr == 3
    assert cr.vjp(lambda x, r: x * (r * 2 + 1) / (r + 3), x, 0.5)[0].dtype == np.float32
    assert cr.vjp(lambda x, r: x * (np.float64(2) * r), x, 0.5)[0].dtype == np.float64
    assert cr.vjp(lambda x, r: x * np.sin(r), x, 0.5)[0].dtype == (x * np.sin(0.5)).dtype


def test_mixed_precision_converts_where_numpy_does():
    a, b = np.ones((2, 2), np.float32), np.full((2, 2), 3.0)
    da, db = cr.grad(lambda a, b: np.sum((a @ b) * a + b), wrt=(0, 1))(a, b)
    assert da.dtype == np.float32
    assert db.dtype == np.float64
    np.testing.assert_allclose(da, cr.grad(lambda a, b: np.sum((a @ b) * a + b))(a.astype(float), b))


def test_booleans_and_integers_take_part_as_numpy_has_them():
    x = np.array([1.0, 2.0, 3.0])
    assert cr.grad(lambda x: np.sum(x * (x > 1.5)) / np.sum(x > 1.5))(x).tolist() == [0, 0.5, 0.5]
    assert cr.grad(lambda x: np.sum(x) * np.mean(x > 1.5))(x) == pytest.approx([2 / 3] * 3)
    assert cr.grad(lambda x: np.sum(x * (1 - (x > 1.5))))(x).tolist() == [1, 0, 0]
    assert cr.grad(lambda x: np.sum(x * True + False))(x).tolist() == [1, 1, 1]
    assert cr.grad(lambda x: np.sum(x * np.argmax(x)))(x).tolist() == [2, 2, 2]
    assert cr.grad(lambda x: np.sum(x.astype(int) * x))(x).tolist() == [1, 2, 3]
    assert cr.grad(lambda x: np.sum(x * np.any(x > 2) + np.all(x > 2)))(x).tolist() == [1, 1, 1]


def test_float16_and_longdouble_pass():
    for dtype in (np.float16, np.longdouble):
        g = cr.grad(lambda x: np.sum(np.tanh(x) * 2))(np.array([0.5, -0.5], dtype))
        assert g.dtype == dtype


# -- logits of any size ------------------------------------------------------------------------------------------------

LOGITS = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0], [1000.0, 1000.0, -1000.0]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "name", ["identity", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh"]
)
def test_activations_are_finite_and_silent_at_logits_of_a_thousand(name, dtype):
    activation = getattr(cr.nn, name)
    z = np.array([-1000.0, -40.0, 0.0, 40.0, 1000.0], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = cr.grad(lambda z: np.sum(activation(z)))(z)
        second = cr.grad(lambda z: np.sum(cr.grad(lambda z: np.sum(activation(z)))(z)))(z)
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    assert first.dtype == second.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_cross_entropies_are_right_at_logits_of_a_thousand(dtype):
    Z, y = LOGITS.astype(dtype), np.array([1, 0, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, g = cr.value_and_grad(lambda Z: cr.nn.softmax_cross_entropy(Z, y, reduction="sum"))(Z)
        H = cr.hessian(lambda Z: cr.nn.softmax_cross_entropy(Z, y, reduction="sum"))(Z)
    assert value == pytest.approx(2000 + np.log(3) + np.log(2))
    np.testing.assert_allclose(g, [[1, -1, 0], [1 / 3 - 1, 1 / 3, 1 / 3], [-0.5, 0.5, 0]], rtol=1e-6)
    assert np.isfinite(H).all()
    assert g.dtype == dtype
    z, t = np.array([1000.0, -1000.0, 1000.0, -1000.0, 0.0], dtype), np.array([0, 1, 1, 0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, g = cr.value_and_grad(lambda z: cr.nn.sigmoid_cross_entropy(z, t, reduction="sum"))(z)
    assert value == pytest.approx(2000 + np.log(2))
    assert g.tolist() == [1, -1, 0, 0, -0.5]


def test_the_value_is_never_another_formula():
    with np.errstate(all="ignore"):
        overflowing = lambda z: np.log(np.sum(np.exp(z)))
        value, _ = cr.value_and_grad(overflowing)(np.array([1000.0, 0.0]))
    assert value == np.inf


@pytest.mark.parametrize(
    "softplus",
    [
        lambda z: np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0),
        lambda z: np.maximum(0, z) - 0.0 * z + np.log1p(np.exp(-np.abs(z))),
    ],
)
def test_a_stable_softplus_by_hand_has_no_kink(softplus):
    z = np.array([0.0, 0.5, -0.3, 800.0, -800.0])
    want = cr.nn.sigmoid(z)
    np.testing.assert_allclose(cr.grad(lambda z: np.sum(softplus(z)))(z), want, rtol=1e-15)
    np.testing.assert_allclose(cr.jit(cr.grad(lambda z: np.sum(softplus(z))))(z), want, rtol=1e-15)


@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0)])
def test_division_by_a_zero_that_is_written_out_is_infinite_as_in_numpy(zero):
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(cr.grad(lambda x: np.sum(x / zero))(np.ones(2)), [np.inf, np.inf])
