"""Running sums, products and extrema, differences, slopes, areas: NumPy's value, shape and dtype, and the right gradient."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitives.cumulative import recurrence, recurrence_back
from chainrule.primitives.differencing import difference_ends
from chainrule.primitives.running import record_places, records
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(5), RNG.standard_normal(5)
M, S = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)
ZEROS = np.array([[1.5, 0.0, 2.0, -1.0], [0.0, 3.0, 0.0, 2.0], [0.5, 1.0, 2.0, 0.0]])
NAN = np.where(RNG.uniform(size=(3, 4)) < 0.3, np.nan, M)
X = np.cumsum(RNG.uniform(0.5, 1.5, 5))  # points that go up

CALLS = {
    "cumsum": (lambda v: np.cumsum(v), V),
    "cumsum of rows": (lambda m: np.cumsum(m, axis=1), M),
    "cumsum of the middle axis": (lambda s: np.cumsum(s, -2), S),
    "cumsum of all": (lambda m: np.cumsum(m), M),
    "cumsum of a number": (lambda z: np.cumsum(z), Z),
    "cumsum in its own dtype": (lambda v: np.cumsum(v, dtype=float), V),
    "cumsum of nothing": (lambda m: np.cumsum(m[:0], axis=0), M),
    "cumprod": (lambda v: np.cumprod(v), V),
    "cumprod of columns": (lambda m: np.cumprod(m, axis=0), M),
    "cumprod of all": (lambda s: np.cumprod(s), S),
    "cumprod with zeros": (lambda m: np.cumprod(m, axis=-1), ZEROS),
    "cumprod of one": (lambda m: np.cumprod(m[:1], axis=0), M),
    "cumprod of nothing": (lambda m: np.cumprod(m[:0], axis=0), M),
    "nancumsum": (lambda m: np.nancumsum(m, axis=1), NAN),
    "nancumprod": (lambda m: np.nancumprod(m, axis=0), NAN),
    "cumulative_sum": (lambda m: np.cumulative_sum(m, axis=1), M),
    "cumulative_sum with the start": (lambda v: np.cumulative_sum(v, include_initial=True), V),
    "cumulative_sum along rows": (lambda m: np.cumulative_sum(m, axis=0, include_initial=True), M),
    "cumulative_prod": (lambda v: np.cumulative_prod(v), V),
    "cumulative_prod with the start": (lambda m: np.cumulative_prod(m, axis=-1, include_initial=True), M),
    "diff": (lambda v: np.diff(v), V),
    "diff twice": (lambda m: np.diff(m, n=2), M),
    "diff not at all": (lambda m: np.diff(m, n=0), M),
    "diff of an axis": (lambda s: np.diff(s, axis=1), S),
    "diff with edges": (lambda v: np.diff(v, prepend=0.5, append=[1.0, 2.0]), V),
    "diff with traced edges": (lambda v, w: np.diff(v, prepend=w, append=w[0]), V, W),
    "diff of rows with an edge": (lambda m: np.diff(m, axis=0, prepend=0), M),
    "diff of one": (lambda m: np.diff(m[:1], axis=0), M),
    "diff of nothing": (lambda m: np.diff(m[:0], axis=0), M),
    "diff of a constant with traced edges": (lambda v: np.diff(W, append=v), V),
    "ediff1d": (lambda m: np.ediff1d(m), M),
    "ediff1d with ends": (lambda v: np.ediff1d(v, to_end=[7, 8], to_begin=-1.5), V),
    "ediff1d with traced ends": (lambda v, w: np.ediff1d(v, to_end=w[:2], to_begin=w * w), V, W),
    "trapezoid": (lambda v: np.trapezoid(v), V),
    "trapezoid with a step": (lambda m: np.trapezoid(m, dx=0.3, axis=0), M),
    "trapezoid with points": (lambda v: np.trapezoid(v, X), V),
    "trapezoid with traced points": (lambda v, x: np.trapezoid(v, x), V, X),
    "trapezoid along rows": (lambda m, x: np.trapezoid(m, x[:3], axis=0), M, X),
    "trapezoid with points of every row": (lambda m: np.trapezoid(m, np.cumsum(np.abs(m), axis=1)), M),
    "trapezoid of constants": (lambda x: np.trapezoid(V, x), X),
    "trapezoid with a traced step": (lambda v, z: np.trapezoid(v, dx=z), V, Z),
    "gradient": (lambda v: np.gradient(v), V),
    "gradient with a step": (lambda v: np.gradient(v, 0.2, edge_order=2), V),
    "gradient along an axis": (lambda m: np.gradient(m, 2, axis=1), M),
    "gradient of two": (lambda m: np.gradient(m[:2], axis=0), M),
    "gradient along both": (lambda m: np.concatenate(np.gradient(m)), M),
    "gradient along both, spaced": (lambda m: np.stack(np.gradient(m, 0.5, [0, 1, 3, 4])), M),
    "gradient at points": (lambda v: np.gradient(v, X), V),
    "gradient at traced points": (lambda v, x: np.gradient(v, x), V, X),
    "gradient at points, of second order": (lambda v, x: np.gradient(v, x, edge_order=2), V, X),
    "gradient at equal points": (lambda v: np.gradient(v, np.arange(5)), V),
    "gradient along one of two, at points": (lambda m, x: np.gradient(m, x[:3], axis=0, edge_order=2), M, X),
    "gradient along axes the other way round": (lambda m: np.stack(np.gradient(m, 1.0, 2.0, axis=(1, 0))), M),
    "gradient with a traced step": (lambda m, z: np.stack(np.gradient(m, z)), M, Z),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name], rtol=1e-14 if "gradient" in name else 0)


SINGLE = [
    "cumsum", "cumprod of columns", "cumulative_prod with the start", "diff with edges", "ediff1d with ends", "trapezoid",
    "gradient with a step", "gradient along both",
]  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_float32_is_as_in_numpy(name):
    f, *args = CALLS[name]
    assert_traced_as_numpy(f, *(np.asarray(a, dtype=np.float32)[()] for a in args), rtol=1e-6)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.uint64])
def test_whole_numbers_are_as_in_numpy(dtype):
    x = np.array([[3, 1, 0], [2, 5, 1]]).astype(dtype)
    for f in (
        lambda x: np.cumsum(x, axis=1),
        lambda x: np.cumprod(x, axis=0),
        lambda x: np.nancumsum(x),
        lambda x: np.cumulative_sum(x, axis=1, include_initial=True),
        lambda x: np.diff(x),
        lambda x: np.trapezoid(x),
    ):
        assert_traced_as_numpy(f, x)
    if dtype is not bool:  # NumPy subtracts no booleans
        assert_traced_as_numpy(lambda x: np.ediff1d(x), x)
        assert_traced_as_numpy(lambda x: np.gradient(x, axis=1), x)


def test_the_derivative_of_a_running_product_is_exact_at_zeros():
    jacobian = cr.jacobian(lambda v: np.cumprod(v))(np.array([2.0, 0.0, 3.0, 0.0]))
    np.testing.assert_array_equal(jacobian, [[1, 0, 0, 0], [0, 2, 0, 0], [0, 6, 0, 0], [0, 0, 0, 0]])


def test_a_running_product_of_many_does_not_overflow_in_its_derivative():
    x = np.full(400, 0.01)  # the product is 0 from the 163rd on
    assert np.isfinite(cr.grad(lambda x: np.sum(np.cumprod(x)))(x)).all()


def test_the_recurrence_and_its_transpose():
    a, b, y = RNG.standard_normal((3, 6))
    matrix = np.stack([recurrence(a, e, 0) for e in np.eye(6)], axis=1)
    np.testing.assert_allclose(recurrence_back(a, y, 0), matrix.T @ y, rtol=1e-13)
    np.testing.assert_allclose(recurrence(a, b, 0), matrix @ b, rtol=1e-13)


def test_differences_with_zeros_at_both_ends_are_the_transpose():
    matrix = np.diff(np.eye(5), axis=0)
    y = RNG.standard_normal(4)
    np.testing.assert_allclose(-difference_ends(y, 0), matrix.T @ y, rtol=1e-15)


def test_records_are_set_by_the_first_of_equal_ones():
    x = np.array([1.0, 3.0, 3.0, 2.0, np.nan, 7.0])
    np.testing.assert_array_equal(record_places(x, 1, 0), [0, 1, 1, 1, 4, 4])
    np.testing.assert_array_equal(record_places(x, -1, 0), [0, 0, 0, 0, 4, 4])


def test_a_record_that_is_equalled_is_a_kink():
    set_here, equalled = records(np.array([[1.0, 3.0, 3.0, 2.0, 5.0]]), 1, 1)
    np.testing.assert_array_equal(set_here, [[True, True, False, False, True]])
    np.testing.assert_array_equal(equalled, [[False, False, True, False, False]])


def test_hessians_of_running_products():
    x = np.array([1.5, 0.0, -0.5, 2.0])
    hessian = cr.hessian(lambda x: np.sum(np.cumprod(x)))(x)
    want = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                want[i, j] = sum(np.prod([x[k] for k in range(n + 1) if k not in (i, j)]) for n in range(max(i, j), 4))
    np.testing.assert_allclose(hessian, want, atol=1e-14)


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda v: np.cumsum(v, out=np.zeros(5)), r"np\.cumsum.*out=.*y = np\.cumsum"),
        (lambda v: np.cumsum(v, dtype=np.float32), r"np\.cumsum\(\.\.\., dtype=float32\).*astype"),
        (lambda v: np.cumprod(v, dtype=int), r"np\.cumprod\(\.\.\., dtype=int64\)"),
        (lambda v: np.cumulative_sum(v, out=np.zeros(5)), r"np\.cumulative_sum.*out="),
    ],
)
def test_what_is_refused_is_named(f, says):
    with pytest.raises(UnsupportedError, match=says):
        cr.grad(lambda v: np.sum(f(v)))(V)


@pytest.mark.parametrize(
    "f",
    [
        lambda v: np.cumulative_sum(v[:, None]),
        lambda v: np.diff(v, n=-1),
        lambda v: np.diff(v[0]),
        lambda v: np.cumsum(v, axis=1),
        lambda v: np.gradient(v, edge_order=3),
        lambda v: np.gradient(v, V[:3]),
        lambda v: np.gradient(v[:1]),
        lambda v: np.gradient(v[:, None] * v, axis=(0, 0)),
    ],
)
def test_what_is_an_error_in_numpy_is_one_here(f):
    with pytest.raises(ValueError):
        f(V)
    with pytest.raises(ValueError):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_the_source_reads_as_one_would_write_it():
    text = cr.source(cr.grad(lambda x: np.sum(np.cumsum(x) ** 2)), V)
    assert "np.cumsum((2 * np.cumsum(x))[::-1])[::-1]" in text
    text = cr.source(cr.grad(lambda x: np.sum(np.diff(x) ** 2)), V)
    assert "np.diff(x)" in text
    assert "np.diff(np.pad(" in text


def test_per_sample_gradients_of_running_products():
    def loss(w, x):
        return np.sum(np.cumprod(x * w, axis=-1))

    x, w = RNG.standard_normal((6, 4)), RNG.standard_normal(4)
    got = cr.per_sample_grad(loss, batched="x")(w, x)
    want = np.stack([cr.grad(loss)(w, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_as_torch_differentiates():
    torch = pytest.importorskip("torch", reason="torch is compared with where it is installed")
    for name, arguments in (("cumsum", {"dim": 1}), ("cumprod", {"dim": 1}), ("diff", {"dim": 1})):
        x = torch.tensor(ZEROS, requires_grad=True)
        weights = np.random.default_rng(1).standard_normal(getattr(np, name)(ZEROS, axis=1).shape)
        (getattr(torch, name)(x, **arguments) * torch.tensor(weights)).sum().backward()
        got = cr.grad(lambda m, name=name, weights=weights: np.sum(weights * getattr(np, name)(m, axis=1)))(ZEROS)
        np.testing.assert_allclose(got, x.grad.numpy(), atol=1e-14)
