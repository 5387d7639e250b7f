"""Logarithms, powers and roots beside the natural ones: values, gradients and dtypes are NumPy's, also at the edges."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitive import apply
from chainrule.primitives import logarithmic
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
POSITIVE, WIDE = RNG.uniform(0.2, 3, (3, 4)), RNG.uniform(-3, 3, (3, 4))
ONE_OPERAND = {np.log2: POSITIVE, np.log10: POSITIVE, np.exp2: WIDE, np.cbrt: WIDE, np.reciprocal: WIDE}
one_operand = pytest.mark.parametrize(("f", "x"), ONE_OPERAND.items(), ids=lambda f: getattr(f, "__name__", ""))
log_sums = pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
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
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool])
def test_integers_give_what_numpy_gives(f, x, dtype):
    whole = np.array([1, 1, 1]).astype(dtype)
    if f is np.reciprocal and dtype is bool:
        return  # NumPy has no reciprocal of booleans but as int8
    graph, values = record(lambda x: f(x), whole)
    got, want = values[graph.outputs[0]], f(whole)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def test_the_reciprocal_of_integers_is_numpys_integer_division():
    graph, values = record(lambda x: np.reciprocal(x), np.array([1, 2, -1]))
    assert values[graph.outputs[0]].tolist() == [1, 0, -1]


def test_complex_step_of_the_plain_function_agrees():
    for f in (np.log2, np.log10, np.exp2, np.reciprocal):
        x = ONE_OPERAND[f]
        want = np.imag(f(x + 1e-30j)) / 1e-30
        np.testing.assert_allclose(cr.grad(lambda x, f=f: np.sum(f(x)))(x), want, rtol=1e-14)


def test_the_cube_root_of_negative_numbers_and_its_infinite_slope_at_zero():
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(np.cbrt(x)))(np.array([-8.0, 27.0])), [1 / 12, 1 / 27])
    with np.errstate(divide="ignore"):
        assert cr.grad(np.cbrt)(0.0) == np.inf


def test_a_singular_branch_that_is_not_taken_poisons_nothing():
    x = np.array([0.0, -1.0, 2.0])
    for f in (np.log2, np.log10, np.reciprocal, np.cbrt):
        with np.errstate(all="ignore"):
            slope = cr.grad(lambda x, f=f: np.sum(np.where(x > 0, f(x), 0.0)))(x)
        assert slope[:2].tolist() == [0.0, 0.0]
        assert np.isfinite(slope).all()


# -- log-sums ----------------------------------------------------------------------------------------------------------


@log_sums
@PAIRED
def test_log_sums(f, dtype, left, right):
    a, b = (np.asarray(RNG.standard_normal(shape)).astype(dtype) for shape in (left, right))
    assert_traced_as_numpy(lambda a, b: f(a, b), a, b)


@log_sums
def test_log_sums_with_numbers(f):
    assert_traced_as_numpy(lambda a: f(a, 0) * f(1.5, a), WIDE[0])
    graph, values = record(lambda a: f(a, 0.5), WIDE.astype(np.float32))
    assert values[graph.outputs[0]].dtype == np.float32


@log_sums
def test_log_sums_far_out(f):
    a, b = np.array([1000.0, -1000.0, -np.inf, 3.0, np.inf]), np.array([0.0, 0.0, 2.0, -np.inf, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        da, db = cr.grad(lambda a, b: np.sum(f(a, b)), wrt=(0, 1))(a, b)
    np.testing.assert_allclose(da, [1, 0, 0, 1, 1], atol=1e-300)
    np.testing.assert_allclose(db, [0, 1, 1, 0, 0], atol=1e-300)


def test_a_log_sum_of_equals_shares_and_curves():
    assert cr.grad(lambda a: np.logaddexp(a, 0.0))(0.0) == 0.5
    assert cr.hessian(lambda a: np.logaddexp(a, 0.0))(0.0) == 0.25


# -- float_power -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("exponent", [3, 2, -1.5, 0.5, 0])
def test_float_power_of_a_number(dtype, exponent):
    assert_traced_as_numpy(lambda x: np.float_power(x, exponent), POSITIVE.astype(dtype))


def test_float_power_of_arrays():
    assert_traced_as_numpy(lambda x, p: np.float_power(x, p), POSITIVE, WIDE[0])
    assert_traced_as_numpy(lambda p: np.float_power(2, p), WIDE)
    for whole in (np.array([1, 2, 3]), np.array([1, 2, 3], np.int8)):
        graph, values = record(lambda x: np.float_power(x, -1), whole)
        np.testing.assert_array_equal(values[graph.outputs[0]], np.float_power(whole, -1))


def test_float_power_is_float64_and_its_gradient_is_not():
    x = POSITIVE.astype(np.float32)
    graph, values = record(lambda x: np.float_power(x, 2), x)
    assert values[graph.outputs[0]].dtype == np.float64
    assert cr.grad(lambda x: np.sum(np.float_power(x, 2)))(x).dtype == np.float32


# -- what NumPy lacks --------------------------------------------------------------------------------------------------


def test_weights_of_zero_are_exact():
    def entropy(p):
        return -np.sum(apply(logarithmic.XLOGY, p, p))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert entropy(np.array([0.0, 1.0])) == 0
        slope = cr.grad(lambda x, y: np.sum(apply(logarithmic.XLOGY, x, y)), wrt=(0, 1))(
            np.zeros(3), np.array([0.0, 2.0, -1.0])
        )
        np.testing.assert_allclose(slope, [[0, np.log(2), 0], [0, 0, 0]], atol=0)
        slope = cr.grad(lambda x, y: np.sum(apply(logarithmic.XLOG1PY, x, y)), wrt=(0, 1))(
            np.zeros(2), np.array([-1.0, 1.0])
        )
        np.testing.assert_allclose(slope, [[0, np.log(2)], [0, 0]])


def test_the_slope_of_logit_keeps_its_digits_near_one():
    p = 1 - 2.0**-40
    assert cr.grad(lambda p: apply(logarithmic.LOGIT, p))(p) == pytest.approx(2.0**40 + 1, rel=1e-15)
    assert logarithmic.logit(0.5 + 2.0**-50) == pytest.approx(2.0**-48, rel=1e-15)
    assert logarithmic.logit(np.array([0.0, 1.0, 2.0]))[:2].tolist() == [-np.inf, np.inf]


# -- refusals, and another judge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.log2, np.cbrt, np.reciprocal])
def test_other_arguments_are_refused_by_name(f):
    for kwargs, name in (
        ({"where": WIDE > 0}, "where="),
        ({"dtype": "f4"}, "dtype="),
    ):
        with pytest.raises(UnsupportedError, match=f"np.{f.__name__}.*{name}"):
            cr.grad(lambda x, f=f, kwargs=kwargs: np.sum(f(x, **kwargs)))(POSITIVE)
    assert_traced_as_numpy(lambda x: f(x, dtype=np.float64), POSITIVE)


def test_agrees_with_torch():
    torch = pytest.importorskip("torch", reason="torch judges the gradients where it is installed")
    for f, x in ONE_OPERAND.items():
        if f is not np.cbrt:  # torch has none
            t = torch.tensor(x, requires_grad=True)
            getattr(torch, f.__name__)(t).sum().backward()
            np.testing.assert_allclose(cr.grad(lambda x, f=f: np.sum(f(x)))(x), t.grad.numpy(), rtol=1e-12)
    others = {np.logaddexp: torch.logaddexp, np.logaddexp2: torch.logaddexp2, np.float_power: torch.float_power}
    for f, judge in others.items():
        a, b = (torch.tensor(x, requires_grad=True) for x in (POSITIVE, WIDE))
        judge(a, b).sum().backward()
        for got, want in zip(
            cr.grad(lambda a, b, f=f: np.sum(f(a, b)), wrt=(0, 1))(POSITIVE, WIDE), (a, b), strict=True
        ):
            np.testing.assert_allclose(got, want.grad.numpy(), rtol=1e-12)
    for name, primitive in (("xlogy", logarithmic.XLOGY), ("logit", logarithmic.LOGIT)):
        inputs = [POSITIVE / 4] if name == "logit" else [WIDE, POSITIVE]
        tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
        getattr(torch.special, name)(*tensors).sum().backward()
        slopes = cr.grad(lambda *xs, p=primitive: np.sum(apply(p, *xs)), wrt=tuple(range(len(inputs))))(*inputs)
        for got, want in zip(slopes, tensors, strict=True):
            np.testing.assert_allclose(got, want.grad.numpy(), rtol=1e-12)
