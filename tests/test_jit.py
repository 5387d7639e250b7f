"""`jit`: staged once for each kind of argument, right for every size, honest about what it captured."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings

import chainrule as cr
from programs import programs, tame

SCALE = np.array([1.0, 2.0])


def scaled(x):
    return np.sum(SCALE * x)


def test_staged_once_for_every_size():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(x**2)

    g = cr.jit(cr.grad(f))
    for n in (2, 5, 7, 100):
        x = np.arange(float(n))
        np.testing.assert_array_equal(g(x), 2 * x)
    staged = len(calls)
    g(np.arange(11.0))
    assert len(calls) == staged
    g(np.ones(1))  # an axis of one entry broadcasts: another program
    assert len(calls) > staged


def test_a_global_that_is_bound_again_is_seen(monkeypatch):
    f = cr.jit(scaled)
    assert f(np.ones(2)) == 3.0
    with monkeypatch.context() as patched:
        patched.setitem(globals(), "SCALE", np.array([5.0, 5.0]))
        assert f(np.ones(2)) == 10.0
    assert f(np.ones(2)) == 3.0


def test_a_captured_array_that_is_written_is_seen():
    weights = np.array([1.0, 1.0])
    f = cr.jit(lambda x: np.sum(weights * x))
    assert f(np.ones(2)) == 2.0
    weights[0] = 10.0
    assert f(np.ones(2)) == 11.0


def test_a_closure_that_changes_is_seen():
    factor = 2.0

    def f(x):
        return np.sum(x) * factor

    g = cr.jit(f)
    assert g(np.ones(3)) == 6.0
    factor = 5.0
    assert g(np.ones(3)) == 15.0


def test_floats_are_arguments_and_ints_are_static():
    seen = []

    def f(x, rate, power):
        seen.append(power)
        return np.sum(x**power) * rate

    g = cr.jit(f)
    assert g(np.full(3, 2.0), 0.5, 2) == 6.0
    count = len(seen)
    assert g(np.full(3, 2.0), 0.25, 2) == 3.0
    assert len(seen) == count
    assert g(np.full(3, 2.0), 0.5, 3) == 12.0
    assert g(x=np.full(3, 2.0), rate=0.5, power=3) == 12.0


def test_dtypes_stay():
    f = cr.jit(cr.value_and_grad(lambda x, lr: np.mean(np.tanh(x * 2.0) * lr)))
    value, gradient = f(np.ones(3, dtype=np.float32), 0.5)
    assert value.dtype == gradient.dtype == np.float32
    value, gradient = f(np.ones(3), 0.5)
    assert value.dtype == gradient.dtype == np.float64


def test_pytrees_in_and_out():
    net = cr.nn.mlp(4, 3, 2, rng=0)
    X = np.random.default_rng(0).standard_normal((5, 4))

    def loss(net, X):
        return {"loss": np.mean(net(X) ** 2), "outputs": [net(X)]}

    got, want = cr.jit(loss)(net, X), loss(net, X)
    assert got["loss"] == pytest.approx(want["loss"])
    np.testing.assert_allclose(got["outputs"][0], want["outputs"][0])
    gradient = cr.jit(cr.grad(lambda net, X: np.mean(net(X) ** 2)))(net, X)
    assert isinstance(gradient, cr.nn.Network)
    np.testing.assert_allclose(gradient.layers[0].W, cr.grad(lambda net, X: np.mean(net(X) ** 2))(net, X).layers[0].W)


def test_results_own_their_memory():
    x = np.arange(4.0)
    for f in (lambda x: x, lambda x: x.reshape(2, 2), lambda x: (x.T, x.T), lambda x: SCALE + 0 * x[:2].sum()):
        result = cr.jit(f)(x)
        for array in result if isinstance(result, tuple) else (result,):
            array[...] = -1
        assert x.tolist() == [0, 1, 2, 3]
        assert SCALE.tolist() == [1, 2]


def test_a_gradient_through_jit_and_a_jit_inside_jit():
    f = cr.jit(lambda x: np.sum(np.sin(x)))
    x = np.array([0.3, 0.4])
    np.testing.assert_allclose(cr.grad(f)(x), np.cos(x))
    np.testing.assert_allclose(cr.jit(cr.grad(lambda x: f(x) ** 2))(x), 2 * np.sin(x).sum() * np.cos(x))


def test_in_threads():
    f = cr.jit(cr.grad(lambda x: np.sum(x**3)))
    failures = []

    def work(seed):
        r = np.random.default_rng(seed)
        for _ in range(20):
            x = r.standard_normal(r.integers(1, 9))
            if not np.allclose(f(x), 3 * x**2):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_source_of_a_jitted_function():
    f = cr.jit(lambda x: np.sum(x * 2))
    assert "import numpy as np" in f.source(np.ones(3)) == cr.source(f, np.ones(3))


def test_class_numbers_count_from_0():
    def loss(Z, y):
        return cr.nn.softmax_cross_entropy(Z, y)

    Z, y = np.ones((3, 4)), np.array([0, 3, 1])
    f = cr.jit(cr.grad(loss))
    f(Z, y)
    with pytest.raises(cr.errors.DataError, match="y: class numbers count from 0"):
        f(Z, y - 1)
    scope = {}
    exec(cr.source(loss, Z, y), scope)
    with pytest.raises(ValueError, match="count from 0"):
        scope["loss"](Z, y - 1)


def test_what_cannot_be_staged_is_refused_with_the_line():
    with pytest.raises(cr.errors.ControlFlowError, match=r"np\.where"):
        cr.jit(lambda x: x if x > 0 else -x)(1.0)
    with pytest.raises(cr.errors.DtypeError, match="x is of complex"):
        cr.jit(lambda x: x * 2)(np.ones(2, dtype=complex))


@settings(max_examples=60)
@given(programs())
def test_random_programs_jitted_and_emitted(program):
    """The staged value is the function's own to rounding; the staged gradient is the traced one."""
    function, arguments = program
    try:
        value = cr.jit(function)(*arguments)
    except cr.errors.ControlFlowError:  # a mask picks as many entries as it has True
        return
    np.testing.assert_allclose(value, function(*arguments), rtol=1e-12, atol=1e-12)
    wrt = tuple(range(len(arguments)))
    if not tame(function, arguments):
        return
    want = cr.grad(function, wrt)(*arguments)
    for got, w in zip(cr.jit(cr.grad(function, wrt))(*arguments), want, strict=True):
        np.testing.assert_allclose(got, w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wrong", [-1, 3])
@pytest.mark.parametrize("engine", ["eager", "numpy", "numba"])
def test_class_numbers_of_per_sample_gradients_are_looked_at(engine, wrong):
    if engine == "numba":
        pytest.importorskip("numba")

    def loss(W, X, y):
        return cr.nn.softmax_cross_entropy(X @ W, y)

    gradient = cr.per_sample_grad(loss, batched=("X", "y"))
    gradient = gradient if engine == "eager" else cr.jit(gradient, engine=engine)
    with pytest.raises((ValueError, IndexError), match=r"class numbers count from 0|out of bounds"):
        gradient(np.ones((4, 3)), np.ones((5, 4)), np.array([0, 1, 2, wrong, 1]))


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_row_of_eye_counts_from_the_end_as_numpy_does(engine):
    if engine == "numba":
        pytest.importorskip("numba")

    def loss(Z, y):
        return np.sum(np.eye(3)[y] * Z**2)

    Z, y = np.arange(12.0).reshape(4, 3), np.array([0, -1, 2, -3])
    np.testing.assert_allclose(cr.jit(cr.grad(loss), engine=engine)(Z, y), cr.grad(loss)(Z, y))
    np.testing.assert_allclose(cr.grad(loss)(Z, y), 2 * np.eye(3)[y] * Z)
