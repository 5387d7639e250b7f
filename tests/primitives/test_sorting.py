"""Sorting and searching: value, shape, dtype, gradient, jit and source; equal entries; refusals by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ControlFlowError, ShapeError, UnsupportedError
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(6), RNG.standard_normal(6)
M = RNG.standard_normal((3, 4))
S = RNG.standard_normal((2, 3, 4))
EDGES = np.array([-1.0, 0.0, 0.5, 1.0])
FALLING = EDGES[::-1].copy()

CALLS = {
    "sort": (lambda v: np.sort(v), V),
    "sort of a kind": (lambda m: np.sort(m, kind="heapsort") + np.sort(m, stable=True), M),
    "sort columns": (lambda m: np.sort(m, axis=0), M),
    "sort in the middle": (lambda s: np.sort(s, axis=-2), S),
    "sort of all": (lambda m: np.sort(m, axis=None), M),
    "sort backwards": (lambda m: np.sort(m)[:, ::-1] * -np.sort(-m), M),
    "the three largest": (lambda v: np.sort(v)[-3:], V),
    "by argsort": (lambda v, w: w[np.argsort(v)], V, W),
    "by argsort along": (lambda m: np.take_along_axis(m, np.argsort(m, axis=0), axis=0), M),
    "by argsort of all": (lambda m: m.ravel()[np.argsort(m, axis=None)], M),
    "argsort": (lambda m: np.argsort(m, axis=-1, kind="stable"), M),
    "partition": (lambda v: np.partition(v, 2)[2], V),
    "partition whole": (lambda v: np.partition(v, 3), V),
    "partition along": (lambda m: np.partition(m, -2, axis=0), M),
    "partition at several": (lambda v: np.partition(v, [1, 4]), V),
    "partition of all": (lambda m: np.partition(m, 5, axis=None)[:6].sum(), M),
    "by argpartition": (lambda v: v[np.argpartition(v, 2)[:2]].sum(), V),
    "argpartition": (lambda m: np.argpartition(m, 1, axis=0), M),
    "lexsort": (lambda v, w: v[np.lexsort((w, np.round(V)))], V, W),
    "lexsort of ties": (lambda v, w: v[np.lexsort((-w, v > 0))], V, W),
    "lexsort of rows": (lambda m: np.lexsort(m), M),
    "searchsorted": (lambda v: np.searchsorted(EDGES, v), V),
    "searchsorted from the right": (lambda v: v * np.searchsorted(EDGES, v, side="right"), V),
    "searchsorted of a number": (lambda v: np.searchsorted(v, 0.5), np.sort(V)),
    "searchsorted through a sorter": (lambda v: np.searchsorted(v, [0.1, 0.7], sorter=np.argsort(V)), V),
    "a table looked up": (lambda v, w: w[np.searchsorted(EDGES, v)], V, W),
    "digitize": (lambda v: np.digitize(v, EDGES) * v, V),
    "digitize to the right": (lambda v: np.digitize(v, EDGES, right=True), V),
    "digitize between falling bins": (lambda m: np.digitize(m, FALLING), M),
}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    assert_traced_as_numpy(*CALLS[name])


@pytest.mark.parametrize("name", ["sort", "sort columns", "partition along", "by argsort", "searchsorted"])
def test_float32_stays_float32(name):
    f, *args = CALLS[name]
    assert_traced_as_numpy(f, *(a.astype(np.float32) for a in args))


def test_integers_are_sorted_too():
    i = RNG.integers(0, 5, (3, 4))
    for f in (lambda x: np.sort(x, axis=0), lambda x: np.argsort(x, kind="stable"), lambda x: np.partition(x, 1)[:, 1]):
        assert_traced_as_numpy(f, i)
    assert_traced_as_numpy(lambda x: np.sort(x), i > 2)
    assert_traced_as_numpy(lambda x: np.searchsorted(np.arange(4), x, side="right"), i)


def test_nan_and_infinity_go_where_numpy_puts_them():
    x = np.array([np.nan, 1.0, -np.inf, np.inf, np.nan, 0.0])
    value, gradient = cr.value_and_grad(lambda x: np.sum(np.sort(x)[:3] * np.array([1.0, 2.0, 3.0])))(x)
    assert value == -np.inf
    assert np.array_equal(gradient, [0, 3, 1, 0, 0, 2])


def test_equal_entries_keep_their_order():
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    x = np.array([1.0, 0.0, 1.0, 0.0])
    assert np.array_equal(cr.grad(lambda x: np.sum(weights * np.sort(x)))(x), [3, 1, 4, 2])


def test_the_second_derivative():
    hessian = cr.hessian(lambda v: np.sum(np.sort(v) ** 2 * np.arange(6.0)))(V)
    ranks = np.argsort(np.argsort(V))
    np.testing.assert_allclose(hessian, np.diag(2.0 * ranks))


def test_the_jacobian_is_a_permutation():
    np.testing.assert_array_equal(cr.jacobian(lambda v: np.sort(v))(V), np.eye(6)[np.argsort(V)])


def test_unique_where_values_are_known():
    x = np.array([2.0, 1.0, 2.0, 5.0, 1.0])

    def f(x):
        values, index, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
        assert np.array_equal(index, [1, 0, 3])
        assert np.array_equal(inverse, [1, 0, 1, 2, 0])
        return np.sum(values**2 * counts)

    assert np.array_equal(cr.grad(f)(x), [8, 4, 0, 10, 0])
    rows = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])
    gradient = cr.grad(lambda x: np.sum(np.unique(x, axis=0) * np.array([[1.0, 2.0], [3.0, 4.0]])))(rows)
    assert np.array_equal(gradient, [[3, 4], [1, 2], [0, 0]])
    with pytest.raises(ControlFlowError, match=r"np\.unique"):
        cr.jit(lambda x: np.sum(np.unique(x)))(x)


@pytest.mark.parametrize("right", [False, True])
def test_values_on_the_edges_of_bins(right):
    for bins in (EDGES, FALLING):
        assert_traced_as_numpy(lambda x, bins=bins: np.digitize(x, bins, right=right), EDGES)


def test_membership():
    i = RNG.integers(0, 5, (3, 4))
    for others in ([1, 3], [], [[2]], 4):
        assert_traced_as_numpy(lambda x, o=others: np.isin(x, o), i)
        assert_traced_as_numpy(lambda x, o=others: np.isin(x, o, invert=True), i)
    assert_traced_as_numpy(lambda x: np.where(np.isin(x > 0, [True]), x**2, x), V)


def test_sets_where_values_are_known():
    a, b = np.array([3.0, 1.0, 2.0, 1.0]), np.array([2.0, 5.0, 3.0])
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    calls = {
        np.union1d: ([3.0, 1.0, 2.0, 0.0], [0.0, 4.0, 0.0]),
        np.intersect1d: ([2.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0]),
        np.setdiff1d: ([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        np.setxor1d: ([0.0, 1.0, 0.0, 0.0], [0.0, 2.0, 0.0]),
    }
    for function, want in calls.items():
        size = len(function(a, b))
        assert np.array_equal(cr.vjp(function, a, b)[0], function(a, b))
        gradients = cr.grad(lambda a, b, f=function, n=size: np.sum(weights[:n] * f(a, b)), wrt=(0, 1))(a, b)
        for got, expected in zip(gradients, want, strict=True):
            assert np.array_equal(got, expected), function
        with pytest.raises(ControlFlowError):
            cr.jit(function)(a, b)
    with pytest.raises(UnsupportedError, match="return_indices"):
        cr.grad(lambda a: np.intersect1d(a, b, return_indices=True)[0].sum())(a)


def test_one_program_serves_every_size():
    for f in (
        lambda x: np.sort(x, axis=0)[::-1],
        lambda x: np.argsort(x, axis=0),
        lambda x: np.partition(x, 1, axis=0)[1],
        lambda x: np.searchsorted(EDGES, x),
    ):
        program = cr.jit(f)
        for rows in (6, 2, 10):
            x = RNG.standard_normal((rows, 3))
            assert np.array_equal(program(x), f(x))


def test_a_place_that_no_longer_exists_is_refused_at_another_size():
    program = cr.jit(lambda x: np.partition(x, 4))
    program(V)
    with pytest.raises(ValueError, match="4"):
        program(V[:3])


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda v: np.sort(v, order="a"), UnsupportedError, "order="),
        (lambda v: np.sort(v, kind="bubble"), UnsupportedError, "kind"),
        (lambda v: np.sort(v, kind="stable", stable=True), UnsupportedError, "stable"),
        (lambda v: np.sort(v, axis=1), ShapeError, "axis 1"),
        (lambda v: np.partition(v, 9), ShapeError, "kth=9"),
        (lambda v: np.partition(v, 1, kind="quick"), UnsupportedError, "introselect"),
        (lambda v: np.searchsorted(EDGES, v, side="up"), UnsupportedError, "side"),
        (lambda v: np.searchsorted(M, v), ShapeError, "one axis"),
        (lambda v: np.digitize(v, [0.0, 2.0, 1.0]), ShapeError, "rise or fall"),
        (lambda v: np.unique(v, sorted=False), UnsupportedError, "sorted=False"),
        (lambda v: np.sort_complex(v), UnsupportedError, "sort_complex"),
    ],
)
def test_what_is_refused_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=message):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_torch_says_the_same():
    torch = pytest.importorskip("torch", reason="torch is not needed; it is a second opinion on gradients")
    weights = RNG.standard_normal((3, 4))
    for axis in (0, 1):
        x = torch.tensor(M, requires_grad=True)
        (torch.tensor(weights) * torch.sort(x, dim=axis)[0]).sum().backward()
        got = cr.grad(lambda m, axis=axis: np.sum(weights * np.sort(m, axis=axis)))(M)
        np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-14)
