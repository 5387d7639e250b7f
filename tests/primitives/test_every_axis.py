"""Every shape, axis and dtype: what NumPy answers is answered with its value, shape and dtype; where it raises, so does this."""

import numpy as np
import pytest

from recording import record

SHAPES = [(), (1,), (3,), (0,), (2, 3), (3, 0), (2, 1, 4), (2, 3, 4)]
DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int8, bool]
REDUCTIONS = {
    "var": np.var,
    "var with ddof": lambda x, **how: np.var(x, ddof=1, **how),
    "std": np.std,
    "prod": np.prod,
    "nanprod": np.nanprod,
    "ptp": np.ptp,
    "average": np.average,
    "median": np.median,
    "quantile": lambda x, **how: np.quantile(x, 0.3, **how),
    "quantiles": lambda x, **how: np.quantile(x, [0.3, 0.5], **how),
    "percentile": lambda x, **how: np.percentile(x, 30, **how),
    "nanmedian": np.nanmedian,
    "nanquantiles": lambda x, **how: np.nanquantile(x, [0.3, 0.5], **how),
    "nansum": np.nansum,
    "nanmean": np.nanmean,
    "nanmax": np.nanmax,
    "nanmin": np.nanmin,
    "nanvar": np.nanvar,
    "nanstd": lambda x, **how: np.nanstd(x, ddof=1, **how),
    "count_nonzero": np.count_nonzero,
    "vector_norm": np.linalg.vector_norm,
    "vector_norm of order 3": lambda x, **how: np.linalg.vector_norm(x, ord=3, **how),
    **{
        f"norm of order {p}": lambda x, p=p, **how: np.linalg.norm(x, p, **how)
        for p in (None, 1, 2, np.inf, -np.inf, 0, 3, "fro", -1)
    },
}
ALONG = {
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "nancumsum": np.nancumsum,
    "cumulative_sum": np.cumulative_sum,
    "cumulative_prod with the start": lambda x, axis: np.cumulative_prod(x, axis=axis, include_initial=True),
    "diff": np.diff,
    "diff three times": lambda x, axis: np.diff(x, n=3, axis=axis),
    "diff with edges": lambda x, axis: np.diff(x, axis=axis, prepend=0, append=1),
    "trapezoid": np.trapezoid,
    "gradient": np.gradient,
    "gradient of second order": lambda x, axis: np.gradient(x, 0.5, axis=axis, edge_order=2),
}
CLOSE = {2: 1e-2, 4: 1e-5, 8: 1e-12}


def axes_of(ndim):
    """None, every axis from either end, pairs of axes, and one that does not exist."""
    pairs = [(0, 1), (-1, 0)] if ndim > 1 else []
    return [None, (), *range(-ndim, ndim), *pairs, *([(0, 2), (0, 1, 2)] if ndim > 2 else []), ndim + 1]


def arrays():
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for dtype in DTYPES:
            yield np.asarray(3 * rng.standard_normal(shape)).astype(dtype)[()]


def same(f, x):
    """Whether tracing `f(x)` gives what NumPy gives; errors count as answers."""
    try:
        want = f(x)
    except (ValueError, TypeError, IndexError, ZeroDivisionError):
        if x.size == 0:
            return  # NumPy's reasons there are those of its own code
        with pytest.raises((ValueError, TypeError, IndexError, ZeroDivisionError)):
            record(f, x)
        return
    if isinstance(want, tuple) and not want:
        return  # slopes along no axis
    graph, values = record(f, x)
    found = [values[o] if type(o) is int else o.value for o in graph.outputs]
    for got, wanted in zip(found, want if isinstance(want, tuple) else (want,), strict=True):
        got, wanted = np.asarray(got), np.asarray(wanted)
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
        close = CLOSE[wanted.dtype.itemsize] if wanted.dtype.kind == "f" else 0
        np.testing.assert_allclose(got.astype(float), wanted.astype(float), rtol=close, atol=close)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    f = REDUCTIONS[name]
    for x in arrays():
        for axis in axes_of(x.ndim):
            for how in ({}, {"keepdims": True}):
                same(lambda x, axis=axis, how=how: f(x, axis=axis, **how), x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ALONG)
def test_along_an_axis(name):
    f = ALONG[name]
    for x in arrays():
        for axis in axes_of(x.ndim):
            same(lambda x, axis=axis: f(x, axis=axis), x)
