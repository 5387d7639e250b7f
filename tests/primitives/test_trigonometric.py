"""Angles, their inverses, hyperbolic functions, hypot, sinc: values, gradients and dtypes are NumPy's, in every spelling."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitives.trigonometric import sinc_derivative
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
INSIDE = RNG.uniform(-0.9, 0.9, (3, 4))
WIDE = RNG.uniform(-3, 3, (3, 4))
ABOVE_ONE = RNG.uniform(1.2, 4, (3, 4))
ONE_OPERAND = {
    np.tan: INSIDE, np.arcsin: INSIDE, np.arccos: INSIDE, np.arctan: WIDE, np.sinh: WIDE, np.cosh: WIDE, np.arcsinh: WIDE,
    np.arccosh: ABOVE_ONE, np.arctanh: INSIDE, np.deg2rad: WIDE, np.radians: WIDE, np.rad2deg: WIDE, np.degrees: WIDE,
    np.sinc: WIDE,
}  # fmt: skip
TWO_OPERANDS = (np.arctan2, np.hypot)
one_operand = pytest.mark.parametrize(("f", "x"), ONE_OPERAND.items(), ids=lambda f: getattr(f, "__name__", ""))
two_operands = pytest.mark.parametrize("f", TWO_OPERANDS)
SHAPED = pytest.mark.parametrize(
    ("dtype", "shape"), [("f8", (3, 4)), ("f4", (3, 4)), ("f8", (2, 1, 6)), ("f4", (0, 3)), ("f8", ()), ("f4", (1,))]
)
PAIRED = pytest.mark.parametrize(
    ("dtype", "left", "right"),
    [("f8", (3, 4), (3, 4)), ("f4", (3, 4), (4,)), ("f8", (3, 1), (1, 4)), ("f8", (), (3,)), ("f4", (0, 2), (2,))],
)


@one_operand
@SHAPED
def test_one_operand(f, x, dtype, shape):
    x = x.astype(dtype).reshape(-1)[: int(np.prod(shape))].reshape(shape)
    assert_traced_as_numpy(lambda x: f(x), x[()] if shape == () else x)


@one_operand
def test_a_scalar(f, x):
    assert_traced_as_numpy(lambda x: f(x), np.float64(x[0, 0]))
    assert_traced_as_numpy(lambda x: f(x) * x, np.array(x[0, 1]))
    assert cr.grad(lambda x: f(x))(float(x[0, 0])) == pytest.approx(cr.grad(lambda x: f(x))(x[0, 0]))


@one_operand
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool])
def test_integers_give_what_numpy_gives(f, x, dtype):
    whole = np.array([1, 1, 1]).astype(dtype)
    with np.errstate(all="ignore"):
        want = f(whole)
        graph, values = record(lambda x: f(x), whole)
    got = values[graph.outputs[0]]
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


@two_operands
@PAIRED
def test_two_operands(f, dtype, left, right):
    a, b = (np.asarray(RNG.standard_normal(shape)).astype(dtype) for shape in (left, right))
    assert_traced_as_numpy(lambda a, b: f(a, b), a, b)


@two_operands
def test_a_number_or_an_array_on_either_side(f):
    a, plain = WIDE[0], np.array([0.5, -1.5, 2.5, 0.25])
    assert_traced_as_numpy(lambda a: f(a, 2.0) * f(1.5, a), a)
    assert_traced_as_numpy(lambda a: f(a, [0.5, -1.5, 2.5, 0.25]), a)
    graph, values = record(lambda a: f(a, 3), a.astype(np.float32))
    assert values[graph.outputs[0]].dtype == np.float32
    assert_traced_as_numpy(lambda a, b: f(a, b), a, plain)


def test_complex_step_of_the_plain_function_agrees():
    for f in (np.tan, np.arcsin, np.arccos, np.arctan, np.sinh, np.cosh, np.arcsinh, np.arccosh, np.arctanh, np.sinc):
        x = ONE_OPERAND[f]
        want = np.imag(f(x + 1e-30j)) / 1e-30
        np.testing.assert_allclose(cr.grad(lambda x, f=f: np.sum(f(x)))(x), want, rtol=1e-14, atol=1e-15)


def test_near_the_ends_of_the_interval_no_digits_are_lost():
    x = 1 - 2.0**-40
    exact = 1 / np.sqrt(2.0**-39 - 2.0**-80)
    assert cr.grad(np.arcsin)(x) == pytest.approx(exact, rel=1e-15)
    assert cr.grad(np.arccos)(-x) == pytest.approx(-exact, rel=1e-15)
    assert cr.grad(np.arctanh)(x) == pytest.approx(exact**2, rel=1e-15)
    assert cr.grad(np.arccosh)(1 + 2.0**-40) == pytest.approx(1 / np.sqrt(2.0**-39 + 2.0**-80), rel=1e-15)


def test_arctan2_turns_through_every_quadrant():
    angles = np.linspace(-3, 3, 25)
    radius = np.linspace(0.5, 2, 25)
    dy, dx = cr.grad(lambda y, x: np.sum(np.arctan2(y, x)), wrt=(0, 1))(
        radius * np.sin(angles), radius * np.cos(angles)
    )
    np.testing.assert_allclose(dy, np.cos(angles) / radius, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(dx, -np.sin(angles) / radius, rtol=1e-13, atol=1e-15)


def test_hypot_has_derivative_zero_at_its_kink_and_never_overflows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        da, db = cr.grad(lambda a, b: np.sum(np.hypot(a, b)), wrt=(0, 1))(
            np.array([0.0, 3e200]), np.array([0.0, 4e200])
        )
    np.testing.assert_allclose(da, [0.0, 0.6])
    np.testing.assert_allclose(db, [0.0, 0.8])


def test_sinc_at_zero_and_beside_it():
    x = np.array([0.0, 1e-9, -1e-5, 1e-3, 1.0])
    slope = cr.grad(lambda x: np.sum(np.sinc(x)))(x)
    np.testing.assert_allclose(slope[:3], -(np.pi**2) * x[:3] / 3, rtol=1e-9)
    assert slope[4] == pytest.approx(-1.0)
    curvature = np.diag(cr.hessian(lambda x: np.sum(np.sinc(x)))(x))
    np.testing.assert_allclose(curvature[0], -(np.pi**2) / 3, rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_derivatives_of_sinc_are_their_integrals(n):
    """sinc(x) is the integral of cos(pi x t) over t from 0 to 1; Gauss's rule with 60 points gives it to 14 digits."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t, w = (nodes + 1) / 2, weights / 2
    x = np.concatenate([np.linspace(-6, 6, 241), np.geomspace(1e-12, 1, 20)])
    want = np.pi**n * ((t**n * np.cos(np.pi * x[:, None] * t + n * np.pi / 2)) @ w)
    np.testing.assert_allclose(sinc_derivative(x, n), want, rtol=0, atol=1e-14 * np.pi**n)


def test_the_angle_of_real_numbers():
    x = np.array([1.5, -2.0, 0.5])
    for deg in (False, True):
        assert_traced_as_numpy(lambda x, deg=deg: np.angle(x, deg=deg) + x, x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", [{}, {"discont": 4.0}, {"period": 3.0}, {"axis": 0}, {"axis": -2, "discont": 0.5}])
def test_unwrap(dtype, options):
    x = np.array([[0.1, 3.0, -3.0, 2.5], [6.0, -6.0, 9.0, 2.0], [1.0, 1.0 + np.pi, 1.0, -3.0]]).astype(dtype)
    graph, values = record(lambda x: np.unwrap(x, **options), x)
    np.testing.assert_array_equal(values[graph.outputs[0]], np.unwrap(x, **options))
    weights = RNG.standard_normal(x.shape).astype(dtype)
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(weights * np.unwrap(x, **options)))(x), weights)
    np.testing.assert_array_equal(cr.jit(lambda x: np.unwrap(x, **options))(x), np.unwrap(x, **options))
    assert values[graph.outputs[0]].dtype == np.unwrap(x, **options).dtype


def test_unwrap_of_integers_is_refused():
    with pytest.raises(UnsupportedError, match=r"np\.unwrap.*astype"):
        record(lambda x: np.unwrap(x), np.array([1, 5, 9]))


def test_the_source_needs_only_numpy():
    text = cr.source(cr.grad(lambda x: np.sum(np.sinc(x) + np.arctan2(x, 2.0))), WIDE)
    assert text.count("import") == 1
    assert "def sinc_derivative(x, n):" in text


@pytest.mark.parametrize("f", [np.tan, np.arctan, np.deg2rad])
def test_other_arguments_are_refused_by_name(f):
    for kwargs, name in (
        ({"where": WIDE > 0}, "where="),
        ({"dtype": "f4"}, "dtype="),
    ):
        with pytest.raises(UnsupportedError, match=f"np.{f.__name__}.*{name}"):
            cr.grad(lambda x, f=f, kwargs=kwargs: np.sum(f(x, **kwargs)))(WIDE)
    assert_traced_as_numpy(lambda x: f(x, dtype=np.float64), WIDE)


def test_agrees_with_torch():
    torch = pytest.importorskip("torch", reason="torch judges the gradients where it is installed")
    names = {"arccosh": "acosh", "arctan2": "atan2", "radians": "deg2rad", "degrees": "rad2deg"}
    for f, x in ONE_OPERAND.items():
        t = torch.tensor(x, requires_grad=True)
        getattr(torch, names.get(f.__name__, f.__name__))(t).sum().backward()
        np.testing.assert_allclose(cr.grad(lambda x, f=f: np.sum(f(x)))(x), t.grad.numpy(), rtol=1e-12, atol=1e-13)
    for f in TWO_OPERANDS:
        a, b = (torch.tensor(x, requires_grad=True) for x in (WIDE, INSIDE))
        getattr(torch, f.__name__)(a, b).sum().backward()
        for got, want in zip(cr.grad(lambda a, b, f=f: np.sum(f(a, b)), wrt=(0, 1))(WIDE, INSIDE), (a, b), strict=True):
            np.testing.assert_allclose(got, want.grad.numpy(), rtol=1e-12)
