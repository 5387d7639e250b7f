"""A function as it is written, held against itself on plain arrays: its value, its gradient, staged, and as source."""

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient


def emitted(function, *args):
    """The function that `cr.source` writes, with nothing but NumPy at hand."""
    scope = {}
    exec(cr.source(function, *args), scope)
    return [value for name, value in scope.items() if callable(value) and name != "__builtins__"][-1]


def assert_as_on_arrays(f, *args, staged=True, rtol=1e-6):
    """`f` of traced values is `f` of arrays, in value and gradient: traced, compiled and as emitted source."""
    before = [np.copy(a) for a in args]
    value = f(*args)
    want = numerical_gradient(f, args)
    loss, g = cr.value_and_grad(f, wrt=tuple(range(len(args))))(*args)
    np.testing.assert_allclose(loss, value, rtol=1e-13)
    _close(g, want, rtol)
    if staged:
        derived = cr.grad(f, wrt=tuple(range(len(args))))
        np.testing.assert_allclose(cr.jit(f)(*args), value, rtol=1e-13)
        _close(cr.jit(derived)(*args), want, rtol)
        np.testing.assert_allclose(emitted(f, *args)(*args), value, rtol=1e-13)
        found = emitted(derived, *args)(*args)
        _close(found if len(args) > 1 or isinstance(found, tuple) else (found,), want, rtol)
    for a, b in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, b)


def _close(gradients, wanted, rtol):
    for g, w in zip(gradients, wanted, strict=True):
        assert np.shape(g) == np.shape(w)
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol)
