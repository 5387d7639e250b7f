"""What every traced NumPy call owes: the value, shape and dtype of NumPy, the right gradient, and the same from jit and source."""

import inspect

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient
from recording import record


def assert_traced_as_numpy(f, *args, rtol=0.0):
    """`f(*args)` as NumPy computes it is what is traced, staged and written, and its gradients agree with differences."""
    want = f(*args)
    graph, values = record(f, *args)
    output = graph.outputs[0]
    _same(values[output] if type(output) is int else output.value, want, rtol)
    staged = cr.jit(f)
    _same(staged(*args), want, max(rtol, 1e-15))
    floats = tuple(i for i, a in enumerate(args) if np.asarray(a).dtype.kind == "f")
    if not floats or np.asarray(want).dtype.kind != "f":
        return
    weights = np.random.default_rng(1).standard_normal(np.shape(want))

    def loss(*args):
        return np.sum(weights * f(*args))

    def of_floats(*moving):
        whole = list(args)
        for place, value in zip(floats, moving, strict=True):
            whole[place] = value
        return loss(*whole)

    single = any(np.asarray(args[i]).dtype == np.float32 for i in floats)
    gradients = cr.grad(loss, wrt=floats)(*args)
    if not single:
        for got, expected in zip(gradients, numerical_gradient(of_floats, [args[i] for i in floats]), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7)
    for got, place in zip(gradients, floats, strict=True):
        assert np.asarray(got).dtype == np.asarray(args[place]).dtype
        assert np.shape(got) == np.shape(args[place])
    names = {}
    exec(cr.source(cr.grad(loss, wrt=floats), *args), names)
    emitted = next(v for k, v in reversed(names.items()) if callable(v) and "grad" in k)
    for other in (
        cr.jit(cr.grad(loss, wrt=floats))(*args),
        _called(emitted, args, {**f.__globals__, "weights": weights}),
    ):
        for got, expected in zip(other, gradients, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4 if single else 1e-12, atol=1e-5 if single else 1e-12)
            assert np.asarray(got).dtype == np.asarray(expected).dtype


def _called(emitted, args, arrays):
    """The emitted function's result; arrays that the traced one captured are its keyword parameters."""
    captured = [p.name for p in inspect.signature(emitted).parameters.values() if p.kind is p.KEYWORD_ONLY]
    result = emitted(*args, **{name: arrays[name] for name in captured})
    return result if isinstance(result, tuple) else (result,)


def _same(got, want, rtol):
    assert np.shape(got) == np.shape(want)
    assert np.asarray(got).dtype == np.asarray(want).dtype
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
