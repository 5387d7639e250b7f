"""In-place writes on traced arrays are what they are on plain ones, through every view and other name, or are refused."""

import numpy as np
import pytest

import chainrule as cr
from idiom_support import assert_as_on_arrays

X = np.array([0.3, 0.9, -0.4, 1.3])
M = np.array([[0.3, 0.9, -0.4], [0.6, 0.2, 1.1]])


def weighed(y):
    return np.sum(np.sin(y) * (np.arange(y.size).reshape(y.shape) + 1.0))


# -- what is written where ---------------------------------------------------------------------------------------------


def entry_by_entry(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] ** 2 * x[i - 1]
    return weighed(y)


def a_recurrence(x):
    y = np.empty_like(x)
    y[0] = x[0]
    for i in range(1, 4):
        y[i] = 0.5 * y[i - 1] + x[i] * y[0]
    return weighed(y)


def slices(x):
    y = np.ones_like(x)
    y[1:3] = x[:2] * x[2:]
    y[-1] = 7.0
    y[::2] *= x[1::2]
    return weighed(y)


def columns(m):
    y = m * 2
    for j in range(3):
        y[:, j] += m[:, j - 1] ** 2
    y[0] = 0
    return weighed(y)


def a_mask(x):
    y = x * 3
    y[y < 0] = 0
    y[x > 1] = x[0]
    return weighed(y)


def a_mask_in_place(x):
    y = x * 3
    y[y > 0] *= x[1]
    y[np.array([True, False, False, True])] += 1.0
    return weighed(y)


def a_mask_of_rows(m):
    y = m * 2
    y[np.array([True, False])] = m[1]
    y[m[:, 0] > 0.5] = 0.25
    return weighed(y)


def picked_entries(x):
    y = x * x
    y[[0, 2]] = x[1:3]
    y[np.array([3, 1])] += x[0]
    return weighed(y)


def repeated_entries(x):
    y = x * x
    y[[0, 2, 0, 2]] = x * 2  # the last one stays
    y[[1, 1]] += x[0]  # once, not twice
    return weighed(y)


def two_index_arrays(m):
    y = np.zeros_like(m)
    y[[0, 1, 1], [2, 0, 0]] = m[0]
    y[np.arange(2), 1] = m[:, 2]
    return weighed(y)


def add_at(x):
    y = np.zeros_like(x)
    np.add.at(y, [0, 2, 0, 3], x * x)
    np.add.at(y, 1, x[0])
    np.subtract.at(y, [1, 1], x[1])
    return weighed(y)


def all_of_it(x):
    y = np.zeros_like(x)
    y[:] = x
    y[...] = y * x
    z = np.zeros_like(x)
    z.fill(x[1])
    z[()] += y
    return weighed(z)


def operators(x):
    y = x * 2
    y += x
    y *= y
    y -= 1.0
    y /= x + 2
    y **= 2
    return weighed(y)


def a_matrix_in_place(m):
    y = m @ m.T
    y @= y
    y += m[:, 0]
    return weighed(y)


def out(x):
    y = np.zeros_like(x)
    np.multiply(x, x, out=y)
    np.add(y, 1.0, out=y)
    np.exp(y, out=y)
    np.maximum(y, 3.5, out=y)
    np.sin(x[0], out=y[1:2])
    return weighed(y)


def out_of_functions(m):
    y, s = np.zeros_like(m), np.zeros_like(m[0])
    np.clip(m, 0.1, 0.8, out=y)
    np.sum(m * m, axis=0, out=s)
    y.clip(0.25, None, out=y)
    return weighed(y) + weighed(s)


def out_where(x):
    y = x * 2
    np.multiply(x, x, out=y, where=X > 0)
    return weighed(y)


def copied_into(x):
    y, z = np.zeros_like(x), np.zeros_like(x)
    np.copyto(y, x * x)
    np.copyto(y, 0.5, where=y > 0.8)
    np.copyto(z, y[::-1])
    return weighed(y) + weighed(z)


def the_diagonal(m):
    y = m @ m.T
    np.fill_diagonal(y, m[0, 0])
    z = m @ m.T
    np.fill_diagonal(z, m[:, 1])
    return weighed(y) + weighed(z)


def like(x):
    y = np.zeros((2, 3), like=x)
    y[0, 1] = x[0] * x[1]
    z = np.full(3, 2.0, like=x)
    z[:2] *= x[2:]
    w = np.zeros_like(x, shape=(2,))
    w[1] = x[3]
    return weighed(y) + weighed(z) + weighed(w) + np.sum(np.ones(2, like=x) * np.empty((2,), like=x).shape[0])


def a_list_of_traced(x):
    y = np.zeros_like(x)
    y[:2] = [x[1], x[0] * x[2]]
    y[2:] = (x[3], 2.0)
    return weighed(y)


# -- who sees it -------------------------------------------------------------------------------------------------------


def another_name(x):
    y = x * 2
    z = y
    z += 1
    z[0] = x[3]
    return weighed(y) * weighed(z)


def a_row(m):
    y = m * 2
    row = y[0]
    row[...] = m[1]
    row *= m[0]
    row[1] = 4.0
    return weighed(y) + np.sum(row)


def a_view_sees_the_write(m):
    y = m * 2
    column, flipped = y[:, 1], y[::-1]
    y += m
    y[0, 1] = 5.0
    return weighed(column) + weighed(flipped)


def views_of_views(m):
    y = m * 2
    part = y.T[1:][:, None][::-1]
    part[0] = m[0, 0]
    y[1] += part[1, 0, 1]
    part *= 2.0
    return weighed(y) + weighed(part)


def rows_in_a_loop(m):
    y = m * 2
    for i, row in enumerate(y):
        row -= np.mean(row)
        row /= 1.0 + i
    first, second = y
    first += second
    return weighed(y)


def a_copy_does_not_see_it(m):
    y = m * 2
    a, b, c, d = y.copy(), y[[0, 1]], y.flatten(), np.take(y, 0, axis=0)
    y[:] = 0.5
    a[0] += m[0]
    c[2] = 1.0
    d *= 3.0
    return weighed(y) + weighed(a) + weighed(b) + weighed(c) + weighed(d)


def parts(x):
    y = x * x
    left, right = np.split(y, 2)
    left += right
    return weighed(y)


def a_new_axis(x):
    y = x * x
    y[None][0, 2] = 3.0
    np.expand_dims(y, 1)[0] *= x[1]
    np.squeeze(y.reshape(1, 4))[3] = x[0]
    return weighed(y)


def a_reshape_that_nobody_else_sees(m):
    y = (m * 2).reshape(3, 2)
    y *= m.T
    y[0] = 1.0
    return weighed(y)


def no_axes(x):
    y = x * x
    c = y[..., 0]  # an array, not a number: it looks at y
    c *= 3.0
    c[...] = c * x[1]
    return weighed(y)


def overlapping(x):
    y = x * x
    y[1:] = y[:-1]
    y[:] = y[::-1]
    y[1:] += y[:-1]
    return weighed(y)


def numbers_rebind(x):
    s = x[0] * x[1]
    t = s
    s += x[2]
    s *= s
    return s * t


def in_a_closure(x):
    state = {"y": np.zeros_like(x)}

    def push(i, v):
        state["y"][i] = v
        state["y"] += v

    for i in range(4):
        push(i, x[i] * x[0])
    return weighed(state["y"])


class Accumulator:
    def __init__(self, x):
        self.total = np.zeros_like(x)

    def add(self, x):
        self.total += x * x
        self.total[0] *= 2
        return self


def in_an_object(x):
    return weighed(Accumulator(x).add(x).add(x[::-1]).total)


def an_accumulator(x):
    total = np.zeros(4)
    count = np.zeros(4)
    for i in range(3):
        total += x * i
        count += x * total
        total *= 0.5
    return weighed(total) + weighed(count)


def roots_where_there_are(x):
    y = np.zeros_like(x)
    y[x > 0] = np.sqrt(x[x > 0])
    return weighed(y)


BY_VALUE = {"a_mask_in_place", "roots_where_there_are"}  # a mask of values picks: not staged
ON_MATRICES = [
    "columns",
    "a_mask_of_rows",
    "two_index_arrays",
    "a_matrix_in_place",
    "out_of_functions",
    "the_diagonal",
    "a_row",
    "a_view_sees_the_write",
    "views_of_views",
    "rows_in_a_loop",
    "a_copy_does_not_see_it",
    "a_reshape_that_nobody_else_sees",
]
ON_VECTORS = [
    "entry_by_entry",
    "a_recurrence",
    "slices",
    "a_mask",
    "a_mask_in_place",
    "picked_entries",
    "repeated_entries",
    "add_at",
    "all_of_it",
    "operators",
    "out",
    "out_where",
    "copied_into",
    "like",
    "a_list_of_traced",
    "another_name",
    "parts",
    "a_new_axis",
    "no_axes",
    "overlapping",
    "numbers_rebind",
    "in_a_closure",
    "in_an_object",
    "an_accumulator",
    "roots_where_there_are",
]


@pytest.mark.parametrize("name", [*ON_VECTORS, *ON_MATRICES])
def test_a_write_is_what_it_is_on_plain_arrays(name):
    assert_as_on_arrays(globals()[name], M if name in ON_MATRICES else X, staged=name not in BY_VALUE)


@pytest.mark.parametrize("name", [*ON_VECTORS, *ON_MATRICES])
def test_second_derivatives_pass_through_writes(name):
    f, x = globals()[name], M if name in ON_MATRICES else X
    v = np.linspace(0.5, 1.0, x.size).reshape(x.shape)
    h = 1e-6
    want = (cr.grad(f)(x + h * v) - cr.grad(f)(x - h * v)) / (2 * h)
    np.testing.assert_allclose(cr.hvp(f)(x, v), want, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(cr.jvp(cr.grad(f), (x,), (v,))[1], want, rtol=1e-6, atol=1e-6)
    assert cr.jvp(f, (x,), (v,))[1] == pytest.approx(np.sum(cr.grad(f)(x) * v), rel=1e-10)


@pytest.mark.parametrize("name", ["slices", "picked_entries", "repeated_entries", "add_at", "all_of_it", "overlapping"])
def test_jacobians_run_in_one_stack(name):
    f = lambda x: globals()[name](x) * x
    J = cr.jacobian(f, mode="reverse")(X)
    np.testing.assert_allclose(J, cr.jacobian(f, mode="forward")(X), rtol=1e-12)
