"""Every spelling of a supported NumPy call: the value is NumPy's own, and the gradient agrees with differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainrule as cr
from chainrule.checking.differences import numerical_gradient
from recording import record

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(4), RNG.uniform(0.5, 2.0, 4)
M, N = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))
S, T = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 4, 3))

CALLS = {
    # arithmetic, every way round
    "operators": (lambda a, b: (a + b) * (a - b) / (b * b + 1) - -a + +b, V, W),
    "numbers on the left": (lambda a: 2.0 - a + 3 / (a * a + 1) + 2**a + 4 * a, V),
    "numbers on the right": (lambda a: (a - 2.0) * 3 / 4 + a**2 + a**3, V),
    "ufuncs": (lambda a, b: np.add(np.multiply(a, b), np.subtract(a, np.divide(a, b))), V, W),
    "true_divide and power": (lambda a, b: np.true_divide(np.power(b, a), np.negative(b)) + np.positive(a), V, W),
    "a power of a negative base": (lambda a: a**3 + (-1.5) ** 2 * a**2 + np.power(a, 2), V),
    "roots": (lambda b: np.sqrt(b) + b**0.5 + b**-1.5 + np.square(b), W),
    "exponentials": (lambda a: np.exp(a) + np.expm1(a) + np.log1p(a * a) + np.log(a * a + 1), V),
    "circles": (lambda a: np.sin(a) * np.cos(a) + np.tanh(a), V),
    "abs": (lambda a: np.abs(a) + abs(a * 2) + np.absolute(a) + np.sign(a) * a, V),
    "maximum and minimum": (lambda a, b: np.maximum(a, b) * np.minimum(a, 0.3) + np.maximum(a, np.zeros(4)), V, W),
    "clip": (lambda a: np.clip(a, -0.5, 0.5) + a.clip(min=-0.2) + np.clip(a, None, 0.1), V),
    "where": (lambda a, b: np.where(a > 0, a * b, b) + np.where(V > 0, a, 1.0) + np.where(a < b, 0, b), V, W),
    "masks": (lambda a: a * (a > 0) + a * ~(a > 0) * 2 + a * ((a > 0) & (a < 1) | (a < -1)), V),
    "logic": (lambda a: np.where(np.logical_or(np.logical_not(a > 0), np.isfinite(a)), a, 0) * np.isnan(a).sum(), V),
    # broadcasting
    "rows and columns": (lambda a, m: m * a + m.T[:, :1].T + m[:, :1], V, M),
    "a scalar array": (lambda m, s: m * s + s, M, np.array(1.5)),
    "outer by None": (lambda a, b: a[:, None] * b[None, :] + a[None] / (1 + b[..., None] ** 2), V, W),
    "to three axes": (lambda s, m: s * m + m[None] * s[0] - s[:, :1, :1], S, M),
    "broadcast_to": (lambda a: np.broadcast_to(a, (3, 4)) * M, V),
    "unit axes": (lambda a, b: a.reshape(1, 4) + b.reshape(4, 1) * a.reshape(1, 4, 1), V, W),
    # reductions
    "sum": (lambda m: m.sum() + np.sum(m, axis=0) + m.sum(1)[:1] + np.sum(m, axis=-1, keepdims=True)[0], M),
    "sum of axes": (lambda s: s.sum(axis=(0, 2)) + np.sum(s, (0, -1)) + s.sum((0, 1, 2)), S),
    "mean": (lambda s: s.mean() + np.mean(s, axis=1)[0, 0] + s.mean((0, 2), keepdims=True).sum(), S),
    "max and min": (
        lambda s: s.max(axis=-1) * s.min(axis=-1) + np.max(s) - np.min(s, axis=(1, 2), keepdims=True)[0],
        S,
    ),
    "amax": (lambda m: np.amax(m, 0) + np.amin(m, 0), M),
    "arg": (lambda m: m[np.arange(3), np.argmax(m, axis=1)] + m.argmin(), M),
    "add.reduce": (lambda m: np.add.reduce(m) + np.add.reduce(m, axis=1)[0], M),
    "nothing to reduce": (lambda a: np.sum(a, axis=()) + np.mean(a, axis=()), V),
    "normalised": (lambda m: (m - m.mean(0)) / np.sqrt(np.mean((m - m.mean(0)) ** 2, 0) + 1e-3), M),
    # products
    "matrices": (lambda m, n: m @ n + np.matmul(m, n) + np.dot(m, n) + m.dot(n), M, N),
    "vectors": (lambda a, b: a @ b + np.dot(a, b) + np.matmul(a, b) + a.dot(b), V, W),
    "matrix and vector": (lambda m, a: m @ a + np.dot(m, a), M, V),
    "vector and matrix": (lambda a, n: a @ n + np.dot(a, n), V, N),
    "stacks": (lambda s, t: s @ t + np.matmul(s, t), S, T),
    "a stack and a matrix": (lambda s, n: s @ n, S, N),
    "a matrix and a stack": (lambda m, t: m @ t, M, T),
    "a stack and a vector": (lambda s, a: s @ a, S, V),
    "a vector and a stack": (lambda a, t: a @ t, V, T),
    "stacks that broadcast": (lambda s, t: s[:, None] @ t[None] + s[0] @ t[:1], S, T),
    "dot of many axes": (lambda s, t: np.dot(s, t), S, T),
    "dot of a vector and a stack": (lambda a, t: np.dot(a, t) + np.dot(t.swapaxes(1, 2), a).T[0, 0], V, T),
    "dot with a scalar": (lambda a: np.dot(a, 2.0) + np.dot(3.0, a), V),
    "constant on either side": (lambda m: M.T @ m + m.T @ M + np.eye(4) @ m.T @ np.ones((3, 4)), M),
    "a plain array times traced": (lambda a: M @ a + (V * a)[:3], V),
    # shapes
    "transpose": (lambda s: s.T + np.transpose(s) + s.transpose(2, 1, 0) + s.transpose((2, 1, 0)), S),
    "some axes": (lambda s: s.swapaxes(0, 2) + np.swapaxes(s, -1, 0) + np.transpose(s, (2, 1, 0)), S),
    "matrix transpose": (lambda s: s.mT + np.matrix_transpose(s), S),
    "reshape": (lambda s: s.reshape(6, 4) + np.reshape(s, (-1, 4)) + s.reshape((6, -1)), S),
    "ravel": (lambda s: s.ravel() + s.flatten() + np.ravel(s) + s.reshape(-1), S),
    "axes in and out": (lambda a: np.squeeze(np.expand_dims(a, (0, 2))) + a[None].squeeze(0) + np.squeeze(a[None]), V),
    "concatenate": (lambda a, m: np.concatenate([a[None], m, M]) * 2, V, M),
    "concatenate columns": (lambda m: np.concatenate((m, m * 2, M), axis=-1), M),
    "concatenate all": (lambda a, m: np.concatenate([a, m], axis=None), V, M),
    "stack": (lambda a, b: np.stack([a, b, a * b]) + np.stack([a, V, b], axis=-1).T, V, W),
    "stack scalars": (lambda a: np.stack([a[0], a[1] * 2, 3.0]), V),
    "like": (lambda a: np.ones_like(a) * a + np.zeros_like(a) + np.full_like(a, 2.5) * np.full_like(a, a[0]), V),
    "like with another shape": (lambda a: np.zeros_like(a, shape=(2, 4)) + a + np.ones_like(a, shape=4), V),
    "copies": (lambda a: np.copy(a) * a.copy(), V),
    "astype": (lambda a: a.astype(np.float64) * a.astype(float) * a.astype(np.int64), V),
    # indices
    "integers": (lambda s: s[0, 1, 2] + s[-1][0][-2] + s[1, -1, ...], S),
    "slices": (lambda s: s[:, 1:, ::2] + s[..., :2, 1:3] - s[:, :2, -2:] * s[::-1, 1:, :2], S),
    "steps": (lambda a: a[::-1] + a[::2].sum() + a[-1:0:-1].sum() + a[3:100], V),
    "None and Ellipsis": (lambda a: a[None, :, None] + a[..., None] + a[:, None, ...], V),
    "an integer array": (lambda a: a[[0, 0, 2]] * a[np.array([1, -1, 3])], V),
    "integer arrays together": (lambda m: m[[0, 1, 1], [2, 3, 3]] + m[np.arange(3), 1], M),
    "integer arrays that broadcast": (lambda m: m[np.array([[0], [2]]), np.array([1, 1, 3])], M),
    "an array and a slice": (lambda s: s[:, [0, 2, 2]] + s[:, :, [0, 1]].sum() + s[[0, 1, 1]][:2], S),
    "arrays apart": (lambda s: s[[0, 1], :, [2, 3]] + s[0, :, [1, 1]], S),
    "an array and an integer": (lambda s: s[[0, 1], 1] + s[1, [0, 1]] + s[0, [0, 1], 1:][:, :1], S),
    "an array and None": (lambda m: m[None, [0, 2]] + m[[0, 2], None].transpose(1, 0, 2), M),
    "a mask": (lambda a: a[V > 0] * 2, V),
    "a traced mask": (lambda a: a[a > 0] ** 2, V),
    "a mask of rows": (lambda m: m[M[:, 0] > 0].sum(0), M),
    "a mask of all": (lambda m: m[M > 0], M),
    "take": (lambda m: np.take(m, [0, 5, 5]) + np.take(m, [1, 1, 2], axis=0).T[0] + m.take([0, 1, 1], axis=-1)[0], M),
    "an empty index": (lambda m: m[[]].sum() + m[0:0].sum() + m.sum(), M),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_value_is_numpys_and_the_gradient_is_right(name):
    f, *args = CALLS[name]
    want = f(*args)
    graph, values = record(f, *args)
    got = values[graph.outputs[0]]
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=1e-13 if "dot" in name else 0)
    weights = np.random.default_rng(1).standard_normal(np.shape(want))

    def loss(*args):
        return np.sum(weights * f(*args))

    gradients = cr.grad(loss, wrt=tuple(range(len(args))))(*args)
    for g, w in zip(gradients, numerical_gradient(loss, args), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-7, atol=1e-7)
    directions = [np.random.default_rng(2).standard_normal(a.shape) for a in args]
    tangent = cr.jvp(loss, tuple(args), tuple(directions))[1]
    assert tangent == pytest.approx(sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True)), rel=1e-10)


@given(st.data())
def test_any_index_that_numpy_takes(data):
    """Basic and advanced indices in any mixture: shape, values, and the gradient that adds into zeros."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    items = []
    axis = 0
    common = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    ellipsis = False
    while axis < len(shape) and data.draw(st.integers(0, 5)):
        size = shape[axis]
        kind = data.draw(st.sampled_from(["int", "slice", "array", "None", "Ellipsis", "mask"]))
        if kind == "None":
            items.append(None)
            continue
        if kind == "Ellipsis":
            if not ellipsis:
                items.append(Ellipsis)
                ellipsis = True
                axis += data.draw(st.integers(0, len(shape) - axis))
            continue
        if kind == "int":
            items.append(data.draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            items.append(data.draw(st.slices(size)))
        elif kind == "array":
            items.append(data.draw(hnp.arrays(np.intp, common, elements=st.integers(-size, size - 1))))
        else:
            items.append(np.resize(np.array([True, False]), size)[:size] if common == () else None)
            if items[-1] is None:
                continue
        axis += 1
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    try:
        want = x[tuple(items)]
    except IndexError:
        return
    graph, values = record(lambda x: x[tuple(items)], x)
    assert graph.variables[graph.outputs[0]].shape == want.shape
    assert np.array_equal(values[graph.outputs[0]], want)
    weights = np.arange(1.0, 1 + want.size).reshape(want.shape)
    zeros = np.zeros(shape)
    np.add.at(zeros, tuple(items), weights)
    assert np.array_equal(cr.grad(lambda x: np.sum(weights * x[tuple(items)]))(x), zeros)


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3))
def test_any_broadcast(shapes):
    a, b, c = (np.random.default_rng(n).uniform(0.5, 1.5, s) for n, s in enumerate(shapes.input_shapes))

    def f(a, b, c):
        return np.sum((a * b - c / b) * np.where(a > 1, c, a) + np.maximum(b, c))

    da, db, dc = cr.grad(f, wrt=(0, 1, 2))(a, b, c)
    for got, want, x in zip((da, db, dc), numerical_gradient(f, (a, b, c)), (a, b, c), strict=True):
        assert got.shape == x.shape
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3))
def test_any_matmul(shapes):
    a, b = (np.random.default_rng(n).standard_normal(s) for n, s in enumerate(shapes.input_shapes))
    want = a @ b
    assert np.array_equal(cr.vjp(np.matmul, a, b)[0], want)
    weights = np.random.default_rng(3).standard_normal(want.shape)
    gradients = cr.grad(lambda a, b: np.sum(weights * (a @ b)), wrt=(0, 1))(a, b)
    for got, wanted in zip(gradients, numerical_gradient(lambda a, b: np.sum(weights * (a @ b)), (a, b)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)
