"""Functions of scipy.special under a trace: SciPy's values, right gradients, and source that needs only NumPy."""

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.checking.differences import numerical_gradient
from chainrule.errors import UnsupportedError
from chainrule.primitives import scipy_special
from chainrule.primitives.gamma import gammaln, polygamma
from chainrule.primitives.normal_quantile import normal_quantile
from chainrule.primitives.scaled_error import erfcx
from recording import record

special = pytest.importorskip("scipy.special", reason="SciPy is optional; the functions are SciPy's own")
scipy_special.enter()

RNG = np.random.default_rng(0)
WIDE, INSIDE = RNG.uniform(-3, 3, (3, 4)), RNG.uniform(0.02, 0.98, (3, 4))
POSITIVE, OTHER = RNG.uniform(0.2, 4, (3, 4)), RNG.uniform(0.2, 4, (3, 4))
CALLS = {
    "expit": (WIDE,), "log_expit": (WIDE,), "logit": (INSIDE,), "erf": (WIDE,), "erfc": (WIDE,), "ndtr": (WIDE,), "erfcx": (3 * INSIDE - 1,),
    "log_ndtr": (3 * WIDE,), "ndtri": (INSIDE,), "erfinv": (2 * INSIDE - 1,), "erfcinv": (2 * INSIDE,),    "gammaln": (POSITIVE,), "loggamma": (POSITIVE,), "psi": (POSITIVE,), "digamma": (POSITIVE,), "xlogy": (WIDE, POSITIVE),
    "xlog1py": (WIDE, POSITIVE), "entr": (POSITIVE,), "rel_entr": (POSITIVE, OTHER), "kl_div": (POSITIVE, OTHER),
    "huber": (POSITIVE, WIDE), "pseudo_huber": (POSITIVE, WIDE), "log1p": (POSITIVE,), "expm1": (WIDE,), "exp2": (WIDE,),
    "exp10": (WIDE,), "cbrt": (WIDE,), "cosm1": (WIDE,),
}  # fmt: skip
every_call = pytest.mark.parametrize("name", CALLS)
EDGES = np.array([0.0, 1, -1, 2, -2.5, 0.5, 0.3, 0.7, 1e-300, np.inf, -np.inf, np.nan, 30, -30, 1e-9, -1e-9, 1e5])


def value_of(f, *args):
    graph, values = record(f, *args)
    return values[graph.outputs[0]]


def test_every_entry_is_called():
    assert set(scipy_special.ENTRIES) == set(CALLS) - {"digamma"}  # psi under its other name


@every_call
def test_value_shape_and_dtype_are_scipys(name):
    f, args = getattr(special, name), CALLS[name]
    for dtype, rtol in ((np.float64, 2e-14), (np.float32, 1e-5)):
        typed = [a.astype(dtype) for a in args]
        for shaped in (typed, [a[0] for a in typed], [a[0, 0] for a in typed], [a[:0] for a in typed]):
            got, want = value_of(lambda *xs: f(*xs), *shaped), f(*shaped)
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * (name == "kl_div"))  # a difference


@every_call
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, bool])
def test_the_edges_are_scipys(name, dtype):
    f, kind = getattr(special, name), np.dtype(dtype).kind
    if name in ("kl_div", "pseudo_huber") and kind == "f":
        x = EDGES[(np.abs(EDGES) < 1e5) & (EDGES != 1e-300)].astype(dtype)  # SciPy itself overflows beyond
    else:
        with np.errstate(over="ignore"):
            x = EDGES.astype(dtype) if kind == "f" else np.array([0, 1, 2, 5]).astype(dtype)
    args = [x] if f.nin == 1 else [side.ravel() for side in np.meshgrid(x, x)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got, want = value_of(lambda *xs: f(*xs), *args), f(*args)
    assert got.dtype == want.dtype
    rtol = 1e-13 if want.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-300)


@every_call
def test_gradients_and_programs(name):
    f, args = getattr(special, name), CALLS[name]
    weights = RNG.standard_normal(args[0].shape)

    def loss(*xs):
        return np.sum(weights * f(*xs))

    wrt = tuple(range(len(args)))
    gradients = cr.grad(loss, wrt=wrt)(*args)
    for got, want in zip(gradients, numerical_gradient(loss, args), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)
    for got, want in zip(cr.jit(cr.grad(loss, wrt=wrt))(*args), gradients, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    small = [a.astype(np.float32) for a in args]
    for got, want in zip(cr.grad(lambda *xs: np.sum(f(*xs)), wrt=wrt)(*small), gradients, strict=True):
        assert got.dtype == np.float32
        assert got.shape == want.shape
    text = cr.source(lambda *xs: f(*xs), *args)
    assert text.count("import") == 1  # of NumPy


@every_call
def test_second_derivatives(name):
    f, args = getattr(special, name), [a[0, :3] for a in CALLS[name]]

    def slope(x):
        return cr.grad(lambda x: np.sum(f(x, *args[1:])))(x)

    want = [numerical_gradient(lambda x, i=i: slope(x)[i], args[:1])[0] for i in range(3)]
    np.testing.assert_allclose(cr.hessian(lambda x: np.sum(f(x, *args[1:])))(args[0]), want, rtol=1e-6, atol=1e-7)


def test_a_relative_entropy_of_near_equals_keeps_its_digits():
    x, y = np.array([1.0, 0.3]), np.array([1 + 2.0**-30, 0.3 - 2.0**-30])
    np.testing.assert_allclose(value_of(lambda x, y: special.rel_entr(x, y), x, y), special.rel_entr(x, y), rtol=1e-14)


def test_numbers_beside_arrays():
    small = POSITIVE.astype(np.float32)
    for f in (lambda x: special.xlogy(2, x), lambda x: special.xlogy(x, 0.5), lambda x: special.huber(0.5, x)):
        got, want = value_of(f, small), f(small)
        assert got.dtype == want.dtype  # float64 beside an integer, as SciPy has it
        np.testing.assert_allclose(got, want, rtol=1e-6)
        np.testing.assert_allclose(cr.jit(f)(small), want, rtol=1e-6)


def test_a_likelihood_of_counts():
    """A negative binomial likelihood, as one would write it."""
    counts = np.array([0, 3, 1, 7])

    def loss(mean, size):
        return -np.sum(
            special.gammaln(counts + size)
            - special.gammaln(size)
            - special.gammaln(counts + 1)
            + special.xlogy(size, size / (size + mean))
            + special.xlogy(counts, mean / (size + mean))
        )

    mean, size = np.array([0.5, 2.0, 1.5, 4.0]), 2.5
    for got, want in zip(
        cr.grad(loss, wrt=(0, 1))(mean, size), numerical_gradient(loss, (mean, np.float64(size))), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-8)


def test_a_probability_of_zero_poisons_nothing():
    p, q = np.array([0.0, 0.25, 0.75]), np.array([0.5, 0.25, 0.25])
    for f in (special.rel_entr, special.kl_div):
        dp, dq = cr.grad(lambda p, q, f=f: np.sum(f(p, q)), wrt=(0, 1))(p, q)
        assert np.isfinite(dp).all()
        np.testing.assert_allclose(dq, -p / q + (f is special.kl_div))


def test_a_probit_keeps_its_slope_where_the_probability_is_zero():
    x = np.array([-1e5, -1e3, -38.0, -5.0, 5.0])
    want = np.array([1e5 + 1e-5, 1000.000999998, 38.02627946657587, 5.186503967125842, 1.4867199409049056e-06])
    slope = cr.grad(lambda x: np.sum(special.log_ndtr(x)))
    np.testing.assert_allclose(slope(x), want, rtol=5e-15)
    np.testing.assert_allclose(cr.jit(slope)(x), want, rtol=5e-15)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_polygamma_of_every_order(n):
    x = np.concatenate([np.geomspace(1e-3, 1e6, 80), np.linspace(0.01, 30, 200), -np.linspace(0.05, 9.95, 100) - 1e-3])
    if n:
        x = x[x > 0]  # SciPy's is for positive numbers
    np.testing.assert_allclose(polygamma(x, n), special.polygamma(n, x), rtol=1e-13, atol=1e-13)


def test_gammaln_keeps_its_digits_beside_its_zeros():
    steps = 2.0 ** -np.arange(20, 50)
    euler = 0.5772156649015329
    for zero, slope, curvature in ((1.0, -euler, np.pi**2 / 6), (2.0, 1 - euler, np.pi**2 / 6 - 1)):
        for side in (-1, 1):
            want = side * steps * slope + curvature * steps**2 / 2
            np.testing.assert_allclose(gammaln(zero + side * steps), want, rtol=1e-12)


def test_what_is_not_entered_is_refused_by_name():
    for f, name in ((special.gamma, "gamma"), (special.boxcox1p, "boxcox1p"), (special.i0, "i0")):
        with pytest.raises(UnsupportedError, match=name):
            cr.grad(lambda x, f=f: np.sum(f(*(x,) * f.nin)))(INSIDE)
    for f in (special.softmax, special.logsumexp):  # they ask for a plain array
        with pytest.raises(UnsupportedError, match="plain array"):
            cr.grad(lambda x, f=f: np.sum(f(x)))(INSIDE)
    with pytest.raises(UnsupportedError, match=r"erf.*where="):
        cr.grad(lambda x: np.sum(special.erf(x, where=WIDE > 0)))(WIDE)


FIRST = """
import numpy as np
import scipy.special
import chainrule as cr
print(float(cr.grad(scipy.special.erf)(0.0)))
"""
WITHOUT = """
import sys
import numpy as np
import chainrule as cr
cr.grad(lambda x: np.sum(np.tan(x)))(np.ones(3))
print("scipy" in sys.modules)
"""


@pytest.mark.parametrize(("program", "answer"), [(FIRST, "1.1283791670955126"), (WITHOUT, "False")])
def test_scipy_is_met_where_the_user_imports_it_and_never_imported_here(program, answer):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == answer


def test_quantiles_and_what_they_invert():
    tails = np.concatenate([np.geomspace(1e-300, 0.4, 60), np.linspace(0.01, 0.99, 99)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(special.ndtr(normal_quantile(tails, "ndtri")), tails, rtol=2e-12)
        np.testing.assert_allclose(special.erfc(normal_quantile(tails, "erfcinv")), tails, rtol=2e-12)
        np.testing.assert_allclose(special.erf(normal_quantile(tails, "erfinv")), tails, rtol=1e-15)
    p = INSIDE[0]
    slope = cr.grad(lambda p: np.sum(special.ndtri(p)))
    np.testing.assert_allclose(slope(p) * cr.grad(lambda x: np.sum(special.ndtr(x)))(special.ndtri(p)), 1, rtol=1e-14)


@pytest.mark.parametrize("f", [erfcx, normal_quantile])
def test_the_source_text_runs_alone(f):
    names = {"np": np}
    exec(inspect.getsource(f), names)  # our own text, as emitted source will hold it
    x, rest = np.linspace(0.01, 0.99, 40), ("erfinv",) * (f is normal_quantile)
    np.testing.assert_array_equal(names[f.__name__](x, *rest), f(x, *rest))
    assert f(np.float32(0.3), *rest).dtype == np.float32
