"""Writes that cannot be exact are refused by name and line; levels, traces and threads of writes stay apart."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ControlFlowError, LeakedTracerError, ShapeError, UnsupportedError
from chainrule.primitive import FUNCTIONS
from chainrule.primitives import FAMILIES

X = np.array([0.3, 0.9, -0.4, 1.3])
M = np.array([[0.3, 0.9, -0.4], [0.6, 0.2, 1.1]])


def do(statement, **captured):
    """A function of x that runs a statement, then `np.sum(y)` of whatever it calls y."""
    lines = {"np": np, **captured}
    exec(f"def f(x):\n    y = x * 2\n    {statement}\n    return np.sum(y)", lines)
    return lines["f"]


ARGUMENTS = [
    "x[0] = 1.0", "x += 1", "x[1:][0] = 1.0", "z = x; z[0] = 1.0", "x.T[0] = 2.0", "x.reshape(2, 2)[0] = 1.0",
    "x[None][0, 0] = 1.0", "np.add(x, 1, out=x)", "np.copyto(x, y)", "x.fill(0.0)", "np.add.at(x, 0, 1.0)", "x[x > 0] = 0.0",
    "x[:] = y", "x.real[0] = 1.0", "np.squeeze(x)[0] = 1.0", "np.flip(x)[0] = 1.0", "np.atleast_1d(x)[0] = 1.0",
    "np.split(x, 2)[0][0] = 1.0", "x.ravel()[0] = 1.0", "np.einsum('i->i', x)[0] = 1.0", "np.diag(x[:, None] + x[None])[0] = 1.0",
    "np.nan_to_num(x, copy=False)[0] = 1.0", "x.astype(float, copy=False)[0] = 1.0", "np.ravel(x)[0] = 1.0",
    "np.clip(x, 0, 1, out=x)", "x.clip(0, 1, out=x)", "np.fill_diagonal(x.reshape(2, 2), 0.0)",
]  # fmt: skip


@pytest.mark.parametrize("statement", ARGUMENTS)
def test_an_argument_is_never_written(statement):
    f = do(statement)
    for run in (cr.grad(f), cr.jit(f), cr.jit(cr.grad(f)), lambda x: cr.source(f, x), cr.hessian(f)):
        x = X.copy()
        with pytest.raises(UnsupportedError, match="line 3 of f"):
            run(x)
        assert np.array_equal(x, X)


def test_a_diagonal_that_looks_at_an_argument_is_not_written():
    for f in (do("np.einsum('ii->i', x)[0] = 1.0"), do("np.diagonal(x)[0] = 1.0"), do("np.diag(x)[0] = 1.0")):
        with pytest.raises(UnsupportedError, match="line 3 of f"):
            cr.grad(f)(np.eye(3))
    for look in ("np.einsum('ii->i', y)", "np.diagonal(y)", "np.diag(y)", "y.diagonal()"):
        with pytest.raises(UnsupportedError, match="may share"):
            cr.grad(do(f"d = {look}; y[0, 0] = 1.0; y = y * d"))(np.eye(3))


def test_an_array_without_axes_that_is_an_argument_is_not_written():
    def f(c):
        c *= 1.5
        return c * c

    with pytest.raises(UnsupportedError, match=r"np\.copy"):
        cr.grad(f)(np.array(2.0))
    with pytest.raises(UnsupportedError, match=r"np\.copy"):
        cr.jit(f)(np.array(2.0))  # a program serves arrays and numbers alike
    assert cr.grad(f)(2.0) == cr.jit(cr.grad(f))(2.0) == cr.grad(f)(np.float64(2)) == 9.0


def test_a_mask_of_an_array_without_axes_copies():
    def f(c):
        g = c[c > -9]
        g *= 1.5
        g[0] += c
        return np.sum(g * g) + c

    for c in (np.array(2.0), np.float64(2)):
        assert cr.grad(f)(c) == 2 * 2.5**2 * 2.0 + 1
        assert cr.value_and_grad(f)(c)[0] == f(c)


BETWEEN = [
    ("q = y[:, None] * y; z = q.reshape(-1); z[0] = 1.0; y = y + q", "may share its memory"),
    ("z = y.reshape(2, 2); w = z.reshape(4, 1); z *= 2", "may share its memory"),
    ("z = np.broadcast_to(y, (2, 4)); z[0] = 1.0", "read-only"),
    ("z = np.lib.stride_tricks.sliding_window_view(y, 2); z[0] = 1.0", "read-only"),
    ("b = np.zeros(4); b[0] = x[0]; y = y + b", r"np\.zeros_like"),
    ("b = np.zeros((2, 4)); b[0] = x; y = y + b", r"np\.zeros_like"),
    ("b = np.zeros(4); c = b; b += x; y = y + b", "into a plain array"),
    ("b = np.zeros(4); c = b[:2]; b += x; y = y + b", "into a plain array"),
    ("b = np.zeros((2, 4)); b[0] += x; y = y + b", "into a plain array"),
    ("b = [np.zeros(4)]; b[0] += x; y = y + b[0]", "into a plain array"),
    ("b = np.zeros(4); np.add(b, x, out=b); y = y + b", "into a plain array"),
    ("b = np.zeros(4); np.sum(x[None], axis=0, out=b); y = y + b", "plain array"),
    ("b = np.zeros(4); np.copyto(b, x); y = y + b", r"np\.copyto"),
    ("b = np.zeros(4); np.add.at(b, [0], x[0]); y = y + b", r"np\.add\.at"),
    ("b = np.zeros((4, 4)); np.fill_diagonal(b, x); y = y + b", r"np\.zeros_like"),
    ("b = np.zeros(4, dtype=int); b += x; y = y + b", "shape or dtype"),
    ("b = np.zeros((1, 4)); b += x[:, None]; y = y + b", "shape or dtype"),
    ("n = np.argsort(x); n += x; y = y + n", "int64 with a result of float64"),
    ("y.sort()", r"np\.sort"),
    ("y.partition(1)", r"np\.partition"),
    ("y.resize(2, 2)", "reshape"),
    ("y.shape = (2, 2)", "reshape"),
    ("y.flat[0] = 1.0", r"reshape|x\.flat"),
    ("np.multiply.at(y, 0, 2.0)", r"np\.multiply\.at"),
    ("np.sum(y.astype(np.float32)[None], axis=0, out=y)", "another dtype"),
    ("np.modf(y, out=(y, y))", "out"),
]


@pytest.mark.parametrize(("statement", "says"), BETWEEN)
def test_a_write_that_cannot_be_followed_is_refused_with_the_line(statement, says):
    f = do(statement)
    for run in (cr.grad(f), cr.jit(f)):
        with pytest.raises(UnsupportedError, match=says) as refusal:
            run(X.copy())
        assert "line 3 of f()" in str(refusal.value)


def test_the_module_that_holds_an_accumulator_is_not_rebound():
    scope = {"np": np, "total": np.zeros(4)}
    exec("def f(x):\n    global total\n    total += x\n    return np.sum(total)", scope)
    with pytest.raises(UnsupportedError, match="line 3"):
        cr.grad(scope["f"])(X)
    assert type(scope["total"]) is np.ndarray

    total = np.zeros(4)

    def g(x):
        nonlocal total
        total += x
        return np.sum(total)

    with pytest.raises(UnsupportedError):
        cr.grad(g)(X)
    assert not np.any(total)


def test_what_does_not_fit_is_said_with_the_line():
    for statement, says in [
        ("y[5] = 1.0", "out of bounds"),
        ("y[0, 0] = 1.0", "too many indices"),
        ("y[:2] = x", "cannot be broadcast"),
        ("y += x[:, None]", "cannot hold"),
        ("y[np.array([True, False])] = 1.0", "does not fit|cannot be broadcast"),
        ("y[:3] = np.ones(2)", "cannot be"),
    ]:
        for run in (cr.grad(do(statement)), cr.jit(do(statement))):
            with pytest.raises((ShapeError, UnsupportedError), match=says):
                run(X)


def test_a_number_is_not_written_into():
    with pytest.raises(TypeError, match="item assignment"):
        cr.grad(do("s = x[0]; s[()] = 1.0"))(X)


def test_a_mask_of_values_that_picks_is_refused_while_staging():
    f = do("y[x > 0] = x[x > 0]")
    assert cr.grad(f)(X).tolist() == [1, 1, 2, 1]
    with pytest.raises(ControlFlowError, match=r"np\.where"):
        cr.jit(f)(X)


# -- traces and levels -------------------------------------------------------------------------------------------------


def test_a_captured_array_and_a_default_are_not_touched():
    W = np.ones(4)

    def f(x, w=W):
        y = x * w
        y[0] = 5.0
        y *= W
        return np.sum(y * w)

    cr.grad(f)(X)
    cr.jit(cr.grad(f))(X)
    assert np.array_equal(W, np.ones(4))


def test_a_value_that_the_backward_pass_reads_is_kept():
    def f(x):
        y = np.exp(x)
        z = y * x  # reads y as it is now
        y[:] = 0.0
        y += 3.0
        return np.sum(z * y)

    np.testing.assert_allclose(cr.grad(f)(X), 3 * np.exp(X) * (X + 1))
    np.testing.assert_allclose(cr.jit(cr.grad(f))(X), 3 * np.exp(X) * (X + 1))


def test_what_an_inner_gradient_has_read_does_not_change_with_what_is_written_later():
    def f(x):
        y = x * 2
        value, pullback = cr.vjp(lambda t: np.exp(t) * y + t * t, y)
        before = value * 1.0
        y[0] = 100.0
        value *= 0.0
        (bar,) = pullback(np.ones(4))
        bar += 1.0
        (again,) = pullback(np.ones(4))
        return np.sum(bar - again) + np.sum(again * x) + np.sum(before)

    def plain(x):
        return 4.0 + np.sum((np.exp(2 * x) * 2 * x + 4 * x) * x) + np.sum(np.exp(2 * x) * 2 * x + 4 * x * x)

    assert cr.value_and_grad(f)(X)[0] == pytest.approx(plain(X))
    np.testing.assert_allclose(cr.grad(f)(X), cr.grad(plain)(X), rtol=1e-12)
    np.testing.assert_allclose(cr.jit(cr.grad(f))(X), cr.grad(plain)(X), rtol=1e-12)


def test_a_pullback_answers_with_arrays_of_its_own():
    def f(x):
        y = x * 2
        (bar,) = cr.vjp(lambda t: t, x)[1](y)
        bar *= 3.0
        return np.sum(bar * x) + np.sum(y)

    np.testing.assert_allclose(cr.grad(f)(X), 12 * X + 2)


def test_an_array_of_the_outer_function_takes_values_of_the_inner_one():
    def f(x):
        def inner(t):
            z = np.zeros_like(x)  # made of an outer value, written with inner ones
            row = z[1:]
            z[0] = t * x[0]
            row += t * t
            return np.sum(z * x)

        return cr.grad(inner)(x[1]) * x[2]

    def plain(x):
        return (x[0] * x[0] + 2 * x[1] * np.sum(x[1:])) * x[2]

    np.testing.assert_allclose(cr.grad(f)(X), cr.grad(plain)(X), rtol=1e-12)
    np.testing.assert_allclose(cr.jit(cr.grad(f))(X), cr.grad(plain)(X), rtol=1e-12)


def test_an_outer_array_that_keeps_an_inner_value_is_a_leak():
    def f(x):
        z = np.zeros_like(x)

        def inner(t):
            z[0] = t
            return t * t

        return cr.grad(inner)(x[0]) + np.sum(z)

    with pytest.raises(LeakedTracerError, match="return it instead"):
        cr.grad(f)(X)


def test_a_write_into_what_outlived_its_trace_is_a_leak():
    kept = []
    cr.grad(lambda x: np.sum(kept.append(x * 2) or x))(X)
    for write in (
        lambda y: y.__setitem__(0, 1.0),
        lambda y: y.__iadd__(1.0),
        lambda y: np.add(y, 1, out=y),
        lambda y: y.fill(1.0),
    ):
        with pytest.raises(LeakedTracerError):
            write(kept[0])


def test_copies_are_apart():
    def f(x):
        y = x * 2
        held = {"a": y, "again": y, "b": [y[:2]]}
        other = copy.deepcopy(held)
        other["a"] += 1.0
        z = copy.copy(y)
        z[0] = 9.0
        assert other["a"] is other["again"]
        return np.sum(y) + 10 * np.sum(other["again"]) + np.sum(z)

    assert cr.grad(f)(X).tolist() == [22, 24, 24, 24]


def test_steps_of_an_optimizer_in_place():
    def after(rate):
        w = np.array([1.0, -2.0]) * rate
        for _ in range(3):
            w -= rate * cr.grad(lambda w: np.sum(w**4))(w)
        return np.sum(w)

    h = 1e-6
    want = (after(0.05 + h) - after(0.05 - h)) / (2 * h)
    assert cr.grad(after)(0.05) == pytest.approx(want, rel=1e-6)


def test_names_and_source_of_writes_are_the_users():
    def f(x):
        h = np.zeros_like(x)
        h[1:] = x[:-1] * 2
        h[0] += x[3]
        return np.sum(h * h)

    text = cr.source(f, X)
    assert "h1 = np.zeros" in text
    assert "written(h1, h2, np.s_[1:])" in text


# -- what is a view of what, function by function ----------------------------------------------------------------------

assert FAMILIES  # the import fills the table of functions

A = np.array([[0.3, 0.9, -0.4], [0.6, 0.2, 1.1], [0.5, -0.7, 0.8]])
MORE = {
    np.take: (0, 0),
    np.split: (3,),
    np.array_split: (2,),
    np.reshape: ((9,),),
    np.expand_dims: (0,),
    np.moveaxis: (0, 1),
}
MORE |= {np.swapaxes: (0, 1), np.rollaxis: (1,), np.broadcast_to: ((3, 3),), np.hsplit: (3,), np.vsplit: (3,)}
MORE |= {np.linalg.matrix_power: (1,), np.astype: (np.float64,), np.clip: (None, 9.0), np.tile: (1,), np.repeat: (1,)}
MORE |= {np.sum: ((),), np.max: ((),), np.roll: (0,), np.flip: ((),), np.delete: ([],), np.pad: (0,), np.trace: ()}


def all_of(function):
    """The first array that a function of one matrix answers with, and what it may be called with besides."""

    def called(x):
        result = function(x, *MORE.get(function, ()))
        return result[0] if isinstance(result, (tuple, list)) else result

    return called


@pytest.mark.parametrize(
    "function", sorted(FUNCTIONS, key=lambda f: f.__module__ + f.__name__), ids=lambda f: f.__name__
)
def test_a_result_is_written_as_numpys_is(function):
    """Each function that takes one matrix: what is written into its result reaches the matrix as in NumPy, or is refused."""
    called = all_of(function)
    own = A * 2.0
    try:
        result = called(own)
    except Exception:  # noqa: BLE001 - whatever a function says to a single matrix
        return
    if not isinstance(result, np.ndarray) or result.dtype != np.float64 or not result.ndim:
        return
    looks = np.shares_memory(own, result)

    def f(x):
        y = x * 2.0
        z = called(y)
        z[...] = 0.25
        y += x
        z += 1.0
        return np.sum(y * A) + np.sum(z * z)

    def on_an_argument(x):
        z = called(x)
        z[...] = 0.25
        return np.sum(x * A) + np.sum(z * z)

    for g, must_refuse in ((f, False), (on_an_argument, looks)):
        try:
            want = g(A.copy())
        except ValueError:  # NumPy's result is read-only, there is nothing to compare with
            continue
        try:
            got = cr.value_and_grad(g)(A.copy())[0]
        except (UnsupportedError, ValueError):
            continue
        assert not must_refuse
        assert got == pytest.approx(want, rel=1e-12)


def test_whatever_a_handler_answers_with_is_a_new_array_or_a_look_as_numpys(monkeypatch):
    """A handler that forgets to copy, or that copies where NumPy looks, does not make a write go astray."""
    monkeypatch.setitem(FUNCTIONS, np.i0, lambda x: x)
    monkeypatch.setitem(FUNCTIONS, np.unwrap, lambda x: x[1:])
    monkeypatch.setitem(FUNCTIONS, np.flip, lambda x: x * 1.0)
    for function in (np.i0, np.unwrap):

        def f(x, function=function):
            y = x * 2
            z = function(y)
            z[...] = 0.0
            return np.sum(y)

        assert cr.grad(f)(X).tolist() == [2, 2, 2, 2]
        assert (
            cr.grad(lambda x, function=function: np.sum(function(x).__imul__(0.0)) + np.sum(x))(X).tolist() == [1] * 4
        )
    for statement in ("np.flip(x)[0] = 1.0", "z = np.flip(y); z[0] = 1.0", "z = np.flip(y); y[0] = 1.0"):
        with pytest.raises(UnsupportedError, match="line 3"):
            cr.grad(do(statement))(X)
