"""Variances, averages, quantiles, covariances, and what skips NaN: NumPy's value, shape and dtype, and the right gradient."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import UnsupportedError
from chainrule.primitives.order_statistics import nanquantile_weights, picked, quantile_weights
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(5), RNG.uniform(0.5, 2.0, 5)
M, S = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 3, 4))
Z = np.float64(1.5)
MASK = np.array([[True, False, True, True], [True, True, False, True], [False, True, True, True]])
NAN = np.where(MASK, M, np.nan)
WEIGHTS = RNG.uniform(0.5, 2.0, (3, 4))
METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear",
    "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
)  # fmt: skip

SPREADS = {
    "var": (lambda m: np.var(m), M),
    "var of columns": (lambda m: np.var(m, axis=0, ddof=1), M),
    "var of two axes": (lambda s: np.var(s, axis=(0, -1), keepdims=True), S),
    "var with a correction": (lambda m: np.var(m, 1, correction=0.5), M),
    "var of no axis": (lambda m: np.var(m, axis=()), M),
    "var of a number": (lambda z: np.var(z), Z),
    "var around a given mean": (lambda m: np.var(m, axis=0, mean=np.mean(m, axis=0, keepdims=True), ddof=1), M),
    "var around another mean": (lambda m, v: np.var(m, axis=1, mean=v[:3, None]), M, V),
    "var of some": (lambda m: np.var(m, axis=0, where=MASK, ddof=1), M),
    "var of some, kept": (lambda m: np.var(m, axis=1, where=MASK[0], keepdims=True), M),
    "std": (lambda v: np.std(v), V),
    "std of rows": (lambda m: np.std(m, axis=-1, ddof=1, keepdims=True), M),
    "std of two axes": (lambda s: np.std(s, (1, 2)), S),
    "std of some": (lambda m: np.std(m, axis=1, where=MASK), M),
    "std around a given mean": (lambda m: np.std(m, mean=0.25), M),
    "standardised": (lambda m: (m - m.mean(axis=0)) / np.std(m, axis=0), M),
    "ptp": (lambda v: np.ptp(v), V),
    "ptp of an axis": (lambda s: np.ptp(s, axis=1, keepdims=True), S),
    "ptp of two axes": (lambda s: np.ptp(s, axis=(0, 2)), S),
}
ORDERED = {
    "median": (lambda v: np.median(v), V),
    "median of an even number": (lambda m: np.median(m, axis=1), M),
    "median of two axes": (lambda s: np.median(s, axis=(0, -1), keepdims=True), S),
    "median of no axis": (lambda m: np.median(m, axis=()), M),
    "median of a number": (lambda z: np.median(z), Z),
    "quantile": (lambda v: np.quantile(v, 0.3), V),
    "quantile at the ends": (lambda v: np.quantile(v, [0, 1]), V),
    "quantiles": (lambda m: np.quantile(m, [0.1, 0.5, 0.77], axis=1, keepdims=True), M),
    "a table of quantiles": (lambda m: np.quantile(m, [[0.1, 0.5], [0.9, 0.2]], axis=0), M),
    "quantiles of two axes": (lambda s: np.quantile(s, np.array([0.4, 0.6]), axis=(0, 2)), S),
    "quantile of a 0-d array": (lambda v: np.quantile(v, np.array(0.35)), V),
    "percentile": (lambda m: np.percentile(m, 40, axis=0), M),
    "percentiles": (lambda m: np.percentile(m, [10, 35.5]), M),
    **{f"by {how}": (lambda m, how=how: np.quantile(m, [0.2, 0.55], axis=1, method=how), M) for how in METHODS},
}
AVERAGES = {
    "average": (lambda m: np.average(m, axis=0), M),
    "weighted": (lambda v: np.average(v, weights=W), V),
    "traced weights": (lambda v, w: np.average(v, weights=w), V, W),
    "weights of all": (lambda m, w: np.average(m, axis=1, weights=w, keepdims=True), M, WEIGHTS),
    "weights of an axis": (lambda m, w: np.average(m, axis=0, weights=w[:3]), M, W),
    "weights of two axes": (
        lambda s, w: np.average(s, axis=(2, 0), weights=w.reshape(-1)[:8].reshape(4, 2)),
        S,
        WEIGHTS,
    ),
    "constants with traced weights": (lambda w: np.average(V, weights=w), W),
    "the weights too": (lambda v, w: np.stack(np.average(v, weights=w, returned=True)), V, W),
    "the number too": (lambda m: np.stack(np.average(m, axis=0, returned=True)), M),
    "weights of whole numbers": (lambda v: np.average(v, weights=[1, 2, 3, 4, 5]), V),
    "cov": (lambda m: np.cov(m), M),
    "cov of columns": (lambda m: np.cov(m, rowvar=False), M),
    "cov of a vector": (lambda v: np.cov(v), V),
    "cov of two": (lambda v, w: np.cov(v, w, bias=True), V, W),
    "cov with ddof": (lambda m: np.cov(m, ddof=0), M),
    "cov of two tables": (lambda m: np.cov(m, M[:2] * 2), M),
    "cov of two tables of columns": (lambda m: np.cov(m, M[:, :2] * m[:, :2], rowvar=False), M),
    "cov with shares": (lambda v: np.cov(v, aweights=W), V),
    "cov with traced shares": (lambda m, w: np.cov(m, aweights=w[:4], ddof=2), M, W),
    "cov with counts": (lambda m: np.cov(m, fweights=[1, 2, 0, 3], bias=True), M),
    "cov with counts and shares": (lambda m: np.cov(m, fweights=[1, 2, 1, 3], aweights=[0.5, 1.0, 2.0, 1.0]), M),
    "cov of one": (lambda m: np.cov(m[:1]), M),
    "corrcoef": (lambda m: np.corrcoef(m), M),
    "corrcoef of two": (lambda v, w: np.corrcoef(v, w), V, W),
    "corrcoef of columns": (lambda m: np.corrcoef(m, rowvar=False)[0, 1:], M),
}
SKIPPING = {
    "nansum": (lambda m: np.nansum(m, axis=0), NAN),
    "nansum of all": (lambda m: np.nansum(m), NAN),
    "nanmean": (lambda m: np.nanmean(m, axis=1, keepdims=True), NAN),
    "nanmean of all": (lambda m: np.nanmean(m), NAN),
    "nanmax": (lambda m: np.nanmax(m, axis=0), NAN),
    "nanmin": (lambda m: np.nanmin(m, axis=(0, 1)), NAN),
    "nanmax of all": (lambda m: np.nanmax(m, keepdims=True), NAN),
    "nanvar": (lambda m: np.nanvar(m, axis=1), NAN),
    "nanvar with ddof": (lambda m: np.nanvar(m, axis=0, ddof=1, keepdims=True), NAN),
    "nanvar around a mean": (lambda m: np.nanvar(m, axis=0, mean=0.5), NAN),
    "nanstd": (lambda m: np.nanstd(m, axis=1, correction=1), NAN),
    "nanstd of all": (lambda m: np.nanstd(m), NAN),
    "nanmedian": (lambda m: np.nanmedian(m, axis=1), NAN),
    "nanmedian of all": (lambda m: np.nanmedian(m, keepdims=True), NAN),
    "nanquantile": (lambda m: np.nanquantile(m, 0.3, axis=0), NAN),
    "nanquantiles": (lambda m: np.nanquantile(m, [0.2, 0.5], axis=1, keepdims=True, method="hazen"), NAN),
    "nanpercentile": (lambda m: np.nanpercentile(m, 40), NAN),
    "count_nonzero": (lambda m: np.count_nonzero(np.maximum(m, 0), axis=0) * m, M),
    "count_nonzero of all": (lambda m: np.count_nonzero(m > 0, keepdims=True) * m, M),
}
CALLS = {**SPREADS, **ORDERED, **AVERAGES, **SKIPPING}


@pytest.mark.parametrize("name", CALLS)
def test_value_and_gradient(name):
    f, *args = CALLS[name]
    args = [np.where(np.isnan(a), np.nan, a) for a in args]
    if name in SKIPPING and np.isnan(args[0]).any():  # differences beside NaN: only what is there is moved
        _assert_skipping(f, args[0])
    else:
        assert_traced_as_numpy(f, *args, rtol=2e-15)


def _assert_skipping(f, m):
    assert_traced_as_numpy(lambda moving: f(np.where(MASK, moving, np.nan)), np.nan_to_num(m), rtol=2e-15)
    weights = np.random.default_rng(1).standard_normal(np.shape(f(m)))
    gradient = cr.grad(lambda m: np.sum(weights * f(m)))(m)
    assert not gradient[~MASK].any()


@pytest.mark.parametrize("name", CALLS)
def test_float32_is_as_in_numpy(name):
    f, *args = CALLS[name]
    args = [np.nan_to_num(np.asarray(a), nan=0.75).astype(np.float32)[()] for a in args]
    assert_traced_as_numpy(f, *args, rtol=3e-6)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64])
def test_whole_numbers_are_as_in_numpy(dtype):
    x = np.array([[3, 1, 0], [2, 5, 1]]).astype(dtype)
    calls = [
        lambda x: np.var(x, axis=1),
        lambda x: np.std(x, ddof=1),
        lambda x: np.average(x, axis=0),
        lambda x: np.average(x, axis=1, weights=[1, 2, 3]),
        lambda x: np.nanmean(x, axis=1),
        lambda x: np.nanmax(x, axis=0),
        lambda x: np.nanvar(x, axis=0),
        lambda x: np.cov(x),
        lambda x: np.count_nonzero(x, axis=1),
        lambda x: np.median(x, axis=1),
    ]
    if dtype is not bool:  # NumPy interpolates no booleans
        calls += [lambda x: np.quantile(x, 0.3), lambda x: np.ptp(x, axis=0)]
    for f in calls:
        assert_traced_as_numpy(f, x, rtol=1e-15)


def test_a_number_is_weak_and_an_array_strong_in_quantiles():
    single = V.astype(np.float32)
    for q in (0.3, [0.3, 0.5], np.float64(0.3), np.float32(0.3), np.array([0.3], np.float32), np.array(0.3), 1):
        assert_traced_as_numpy(lambda x, q=q: np.quantile(x, q), single)
        assert_traced_as_numpy(lambda x, q=q: np.percentile(x, q), single)


def test_all_equal_has_the_derivative_zero_of_std():
    equal = np.full((3, 4), 2.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for f in (np.std, np.nanstd, lambda m: np.std(m, where=MASK), lambda m: np.sum(np.std(m, axis=0))):
            np.testing.assert_array_equal(cr.grad(lambda m, f=f: f(m))(equal), np.zeros((3, 4)))
            np.testing.assert_array_equal(cr.jit(cr.grad(lambda m, f=f: f(m)))(equal), np.zeros((3, 4)))


def test_equal_entries_share_the_derivative_of_a_median():
    np.testing.assert_allclose(
        cr.grad(lambda v: np.median(v))(np.array([1.0, 2.0, 2.0, 2.0, 9.0])), [0, 1 / 3, 1 / 3, 1 / 3, 0]
    )
    np.testing.assert_allclose(cr.grad(lambda v: np.median(v))(np.array([4.0, 4.0])), [0.5, 0.5])
    np.testing.assert_allclose(cr.grad(lambda v: np.nanmax(v))(np.array([4.0, np.nan, 4.0])), [0.5, 0, 0.5])


@pytest.mark.parametrize("weights_of", [quantile_weights, nanquantile_weights])
@pytest.mark.parametrize("method", METHODS)
def test_the_weights_give_the_quantile(method, weights_of):
    for n in (1, 2, 5, 8):
        x = RNG.standard_normal((n, 3))
        for q in (0.0, 0.1, 1 / 3, 0.5, 0.7, 0.99, 1.0):
            weights = weights_of(x, (0,), q, method)
            np.testing.assert_allclose((weights * x).sum(axis=0), np.quantile(x, q, axis=0, method=method), rtol=1e-12)


def test_what_a_quantile_picks_and_where_it_has_a_kink():
    counts, kinks = picked(np.array([1.0, 2.0, 2.0, 2.0, 9.0]), (0,), 0.5)
    np.testing.assert_array_equal(counts, [0, 2, 2, 2, 0])
    np.testing.assert_array_equal(kinks, [False, True, True, True, False])
    counts, kinks = picked(np.array([[4.0, 1.0, 3.0, 1.0]]), (1,), (0.5, 1.0))
    np.testing.assert_array_equal(counts, [[1, 1, 1, 1]])
    np.testing.assert_array_equal(kinks, [[False, True, False, True]])


def test_nan_gives_nan_in_quantiles():
    x = np.array([[1.0, np.nan, 2.0], [3.0, 1.0, 2.0]])
    gradient = cr.grad(lambda x: np.sum(np.median(x, axis=1)))(x)
    assert np.isnan(gradient[0]).all()
    np.testing.assert_array_equal(gradient[1], [0, 0, 1])


def test_rows_of_nan_are_as_in_numpy():
    x = np.array([[np.nan, np.nan], [1.0, 3.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f in (np.nanmean, np.nanmax, np.nansum, np.nanvar, np.nanmedian):
            np.testing.assert_array_equal(cr.jit(lambda x, f=f: f(x, axis=1))(x), f(x, axis=1))
        np.testing.assert_array_equal(cr.jit(lambda x: np.nanvar(x, axis=1, ddof=1))(x), np.nanvar(x, axis=1, ddof=1))
        np.testing.assert_array_equal(cr.jit(lambda x: np.nanvar(x, axis=1, ddof=2))(x), np.nanvar(x, axis=1, ddof=2))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_too_few_for_the_degrees_of_freedom_is_as_in_numpy():
    calls = [
        lambda x: np.var(x, axis=0, ddof=3),
        lambda x: np.std(x, axis=0, ddof=5),
        lambda x: np.var(x, axis=0, ddof=5, mean=0.1),
        lambda x: np.var(x, axis=0, ddof=5, where=MASK),
        lambda x: np.var(x[:1], axis=0, ddof=1),
        lambda x: np.cov(x, ddof=7),
        lambda x: np.cov(x, ddof=7, aweights=[1, 2, 3, 4]),
    ]
    for f in calls:
        for x in (M, M.astype(np.float32)):
            want, got = f(x), cr.jit(f)(x)
            np.testing.assert_allclose(got, want, rtol=1e-6)
            assert got.dtype == want.dtype
            for gradient in (cr.grad(lambda x, f=f: np.sum(f(x))), cr.jit(cr.grad(lambda x, f=f: np.sum(f(x))))):
                assert not np.isfinite(gradient(x)).all()


def test_a_program_with_degrees_of_freedom_serves_every_number_of_entries():
    program = cr.jit(cr.grad(lambda x: np.sum(np.var(x, axis=0, ddof=2))))
    for n in (5, 3, 4):
        x = RNG.standard_normal((n, 2))
        np.testing.assert_allclose(program(x), 2 * (x - x.mean(axis=0)) / (n - 2), rtol=1e-13)


def test_weights_that_add_to_zero_are_an_error_as_in_numpy():
    with pytest.raises(ZeroDivisionError):
        cr.grad(lambda v: np.average(v, weights=[1, -1, 0, 0, 0]))(V)


def test_hessians():
    for f in (np.var, np.std, lambda v: np.average(v, weights=v * v)):
        hessian = cr.hessian(lambda v, f=f: f(v))(V)
        step = 1e-5
        want = np.stack(
            [
                (cr.grad(lambda v, f=f: f(v))(V + step * e) - cr.grad(lambda v, f=f: f(v))(V - step * e)) / (2 * step)
                for e in np.eye(5)
            ]
        )
        np.testing.assert_allclose(hessian, want, atol=1e-8)


@pytest.mark.parametrize(
    ("f", "says"),
    [
        (lambda v: np.var(v, out=np.zeros(())), r"np\.var.*out=.*y = np\.var"),
        (lambda v: np.std(v, dtype=np.float32), r"np\.std\(\.\.\., dtype=float32\).*astype"),
        (lambda v: np.ptp(v, out=np.zeros(())), r"np\.ptp.*out="),
        (lambda v: np.median(v, out=np.zeros(())), r"np\.median.*out="),
        (
            lambda v: np.quantile(v, 0.5, method="inverted_cdf", weights=W),
            r"np\.quantile\(\.\.\., weights=\).*np\.average",
        ),
        (lambda v: np.quantile(V, v[0] ** 2), r"np\.quantile\(x, q\) with a traced q"),
        (lambda v: np.percentile(V, v[0] ** 2), r"np\.percentile\(x, q\) with a traced q"),
        (lambda v: np.nansum(v, initial=2.0), r"np\.nansum\(\.\.\., initial=\)"),
        (lambda v: np.nanmax(v, where=V > 0, initial=0), r"np\.nanmax\(\.\.\., initial=\)"),
        (lambda v: np.nanmean(v, where=V > 0), r"np\.nanmean\(\.\.\., where=\).*np\.where"),
        (lambda v: np.nanstd(v, where=V > 0), r"np\.nanstd\(\.\.\., where=\)"),
        (lambda v: np.var(v, ddof=v[0]), r"np\.var\(\.\.\., ddof=\)"),
        (lambda v: np.nanquantile(v, v[0] ** 2), r"np\.nanquantile\(x, q\) with a traced q"),
        (lambda v: np.nanargmax(v), r"np\.nanargmax.*np\.argmax"),
    ],
)
def test_what_is_refused_is_named(f, says):
    with pytest.raises(UnsupportedError, match=says):
        cr.grad(lambda v: np.sum(f(v)))(V)


@pytest.mark.parametrize(
    "f",
    [
        lambda v: np.var(v, ddof=1, correction=1),
        lambda v: np.quantile(v, 1.5),
        lambda v: np.percentile(v, [20, -1]),
        lambda v: np.average(v, axis=0, weights=W[:2]),
        lambda v: np.cov(v[:, None, None] * v),
        lambda v: np.cov(v, ddof=0.5),
        lambda v: np.median(v, axis=2),
    ],
)
def test_what_is_an_error_in_numpy_is_one_here(f):
    with pytest.raises(ValueError):
        f(V)
    with pytest.raises(ValueError):
        cr.grad(lambda v: np.sum(f(v)))(V)


def test_the_source_reads_as_one_would_write_it():
    text = cr.source(cr.value_and_grad(lambda x: np.sum(np.std(x, axis=0, ddof=1) ** 2)), M)
    assert "x.std(axis=0, ddof=1)" in text
    assert "np.quantile(x, [0.1, 0.5], axis=0)" in cr.source(lambda x: np.quantile(x, [0.1, 0.5], axis=0), M)


def test_per_sample_gradients():
    def loss(w, x):
        z = x * w
        return np.sum(np.var(z, axis=-1)) + np.sum(np.median(z, axis=-1)) + np.sum(np.quantile(z, [0.2, 0.6], axis=-1))

    x, w = RNG.standard_normal((6, 5)), RNG.standard_normal(5)
    got = cr.per_sample_grad(loss, batched="x")(w, x)
    want = np.stack([cr.grad(loss)(w, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_as_torch_differentiates():
    torch = pytest.importorskip("torch", reason="torch is compared with where it is installed")
    pairs = [
        (lambda m: np.var(m, axis=1, ddof=1), lambda t: t.var(dim=1)),
        (lambda m: np.std(m, axis=0, ddof=1), lambda t: t.std(dim=0)),
        (lambda m: np.quantile(m, 0.3, axis=1), lambda t: t.quantile(0.3, dim=1)),
        (lambda m: np.cov(m), lambda t: t.cov()),
        (lambda m: np.corrcoef(m), lambda t: t.corrcoef()),
    ]
    for f, other in pairs:
        x = torch.tensor(M, requires_grad=True)
        y = other(x)
        np.testing.assert_allclose(f(M), y.detach().numpy(), rtol=1e-12)
        weights = np.random.default_rng(1).standard_normal(y.shape)
        (y * torch.tensor(weights)).sum().backward()
        got = cr.grad(lambda m, f=f, weights=weights: np.sum(weights * f(m)))(M)
        np.testing.assert_allclose(got, x.grad.numpy(), atol=1e-13)
