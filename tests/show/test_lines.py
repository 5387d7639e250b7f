"""The lines of a derivation: each cotangent has one of its own, under its own name, below what it reads."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.derivation.stepwise import cotangent_names
from chainrule.matrix_form import Number, Symbol, Verbatim, children, symbols_in
from chainrule.show.lines import count_nodes, renamed_form
from displayed_support import faults, run_text, unknown_names

RANDOM = np.random.default_rng(11)
X, W, w = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 2)), RANDOM.normal(size=3)


def forms(d):
    return {line.name: line.form for line in d}


def judged(function, *args, **how):
    d = cr.derive(function, *args, **how)
    assert faults(d, function, args) == []
    return d


def test_a_cotangent_that_equals_a_forward_line_has_its_own():
    def half_square(y, w):
        u4 = y - w
        return u4**2 / 2

    d = judged(half_square, 2.0, 1.0)
    assert forms(d)["du4"] == Symbol("u4")
    assert forms(d)["dy"] == Symbol("du4")
    assert next(line.name for line in d.backward_lines) == "du4"


def test_cotangents_with_the_same_value_are_different_lines():
    def both(a, b):
        c = a + b
        d = 3 * c
        e = c + d
        return e * e

    d = judged(both, 2.0, 3.0)
    assert {"de", "dd", "dc", "da", "db"} <= set(d.by_name)
    assert forms(d)["dd"] == Symbol("de")
    assert forms(d)["da"] == Symbol("dc")
    assert forms(d)["db"] == Symbol("dc")


def test_a_line_reads_the_lines_above_it_and_nothing_inside_of_them():
    def deep(X, W):
        Z = X @ W
        A = np.tanh(Z)
        B = np.tanh(A)
        return np.sum(B * B)

    d = judged(deep, X, W)
    assert set(symbols_in(forms(d)["dZ"])) == {"dA", "A"}
    assert set(symbols_in(forms(d)["dW"])) == {"X", "dZ"}


def test_names_that_are_given_never_stand_for_another_value():
    def steps(xs, h, U, V, b):
        L = 0.0
        for x in xs:
            a = x @ U + h @ V + b  # the products become u1, u2, u3; o - 1 is read twice and has no name
            h = np.tanh(a)
            o = np.sum(h, axis=1)
            L = L + np.sum((o - 1) ** 2) / 6
        return L

    args = (list(RANDOM.normal(size=(3, 4, 2))), np.zeros((4, 3)), RANDOM.normal(size=(2, 3)), np.eye(3), np.zeros(3))
    d = judged(steps, *args)
    assert {"u1", "u2", "u3"} <= set(d.by_name)


def test_a_helper_is_not_called_like_a_variable_of_the_user():
    def softmax_of_p(Z, Y):
        P = Z * 2
        E = np.exp(P)
        Q = E / np.sum(E, axis=1, keepdims=True)
        return -np.sum(Y * np.log(Q))

    judged(softmax_of_p, X, np.eye(3)[[0, 1, 2, 1]])


def test_where_a_recognised_form_goes_around_a_line_its_cotangent_is_whole():
    def around(X):
        c = -X
        b = 1 / (1 + np.exp(-X))  # a sigmoid of X that is computed from c, which has another reader
        a = np.maximum(c, np.tanh(X))
        return np.sum(a) + np.sum(b)

    judged(around, np.array([0.3, -0.8, 1.2]))


def test_equations_that_say_the_same_meet_before_they_are_derived():
    def same(X):
        d = X**2
        b = X[X > -9]  # of a number: itself
        g = d + X
        return np.sum(d) + np.sum(b) + g.sum()

    judged(same, np.array(0.7))


def test_what_the_user_stretched_by_name_is_read_by_name():
    def stretched(X):
        e = np.broadcast_to(X, (2, *X.shape))
        a = np.where(e > 0, e * X, X)
        return np.sum(e) + np.sum(a**2)

    d = judged(stretched, w)
    assert "e" in symbols_in(forms(d)["a"])


def test_a_factor_that_is_1_is_not_written_but_has_its_shape():
    def ones(X):
        e = X.reshape(-1)
        a = e[-1]
        return np.mean(e**2) + a.sum()

    judged(ones, RANDOM.normal(size=(2, 3)))


@pytest.mark.parametrize("text", ["x[1:]", "x[:-1]", "x[1:3]", "x[2]", "x[-1]", "x[-3:-1]", "x[..., 1:]"])
def test_what_was_picked_goes_back_among_zeros(text):
    def picked(x):
        a = run_text(text, {"x": x})
        return np.sum(a**2) + np.mean(x)

    d = judged(picked, np.arange(1.0, 6.0))
    assert [node.template[:6] for node in nodes(forms(d)["dx"]) if isinstance(node, Verbatim)] == ["np.pad"]


def nodes(form):
    return [form, *(node for part in children(form) for node in nodes(part))]


@pytest.mark.parametrize("text", ["x[::2]", "x[::-1]", "x[[0, 0, 2]]", "x[None, 1:]", "x[x > 2]", "x[3:1]", "x[1:99]"])
def test_what_was_picked_in_other_ways_goes_back_too(text):
    def picked(x):
        a = run_text(text, {"x": x})
        return np.sum(a**2) + np.mean(x)

    judged(picked, np.arange(1.0, 6.0))


def test_masks_are_products_of_masks():
    def masks(x):
        a = np.clip(x, -0.4, 0.6)
        return np.sum(a * x) + np.sum(np.where((x > 0) | (x < -1), x**2, x))

    d = judged(masks, RANDOM.normal(size=7))
    assert "&" not in d.text("summary")
    assert "|" not in d.text("summary")


def test_a_line_that_is_a_new_axis_has_it():
    def axis(x, M):
        a = x[None]
        b = a * M
        return np.sum(b**2)

    d = judged(axis, w, X)
    assert d["a"].shape == (1, 3)


def test_a_new_axis_in_front_stays_where_nothing_else_would_put_it_there():
    def axis(x):
        a = x[None]
        b = np.tanh(a)
        return np.sum(b) + np.sum(np.tanh(x[None]) @ np.ones((3, 1)))

    judged(axis, w)


def test_a_stack_is_turned_by_its_last_axes():
    def stacks(A, B):
        C = A @ B
        return np.sum(np.tanh(C))

    d = judged(stacks, RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(2, 3, 3)))
    assert unknown_names(d) == []


def test_labels_in_columns_are_one_hot_columns():
    def columns(Z, y):
        return cr.nn.softmax_cross_entropy(Z, y, axis=0)

    d = judged(columns, X.T, np.array([0, 2, 1, 1]))
    assert d["Y"].shape == (3, 4)


def test_the_axis_of_the_samples_is_the_one_that_labels_have():
    network = cr.nn.mlp(3, 2, layout="column")

    def error(network, X, y):
        return cr.nn.mean_squared_error(network(X), y, axis=0)

    d = judged(error, network, RANDOM.normal(size=(3, 5)), RANDOM.normal(size=(2, 5)))
    assert d.facts["X"].shape == "(3, N)"
    assert d.facts["W1"].shape == "(2, 3)"


def test_helpers_of_formulas():
    form = forms(cr.derive(lambda a, b: a * b + a, 2.0, 3.0))["L"]
    assert set(symbols_in(renamed_form(form, {"a": "c"}))) == {"b", "c"}
    assert count_nodes(Number(2)) == 1
    assert cotangent_names(["Z", "Z", "W", "dW", "dL_dW"]) == {"Z": "dZ", "W": "dL_dW_", "dW": "ddW", "dL_dW": "ddL_dW"}


def test_a_cast_to_whole_numbers_is_shown():
    def f(x):
        steps = x.astype(int)
        return np.sum(steps * x)

    x = np.array([1.5, -2.5, 0.25])
    d = cr.derive(f, x)
    assert "astype" in d.text("summary")
    assert faults(d, f, (x,), levels=("summary",), text=False) == []
