"""What is displayed is judged; and functions that are strange, or no functions to derive at all.

`faults(d, function, args)` is the judge that the tests in `tests/show` use, too: each displayed equation is evaluated, and read
back from its text; each line uses only names that stand above it; each cotangent is compared with differences of the lines
below its variable; and all lines are evaluated from the arguments alone, at other arguments.
"""

import dataclasses
import functools

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError
from chainrule.matrix_form import (
    Call,
)
from displayed_support import derived_and_true, faults, faults_elsewhere, unknown_names

RANDOM = np.random.default_rng(5)
X, y, w = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=4), RANDOM.normal(size=3)


def squares(X, y, w):
    e = X @ w - y
    return np.mean(e**2)


@pytest.mark.parametrize("name", ["e", "squares", "de", "dw", "dX"])
def test_the_judge_sees_one_wrong_line(name):
    d = cr.derive(squares, X, y, w)
    assert faults(d, squares, (X, y, w)) == []
    assert faults_elsewhere(d, squares, (X[:2], y[:2], w)) == []
    wrong = [
        dataclasses.replace(s, form=evaluated_twice(s.form), simpler=None) if s.name == name else s
        for s in d.statements
    ]
    d = dataclasses.replace(d, statements=tuple(wrong))
    assert faults(d, squares, (X, y, w)) != []
    assert faults_elsewhere(d, squares, (X[:2], y[:2], w)) != []


def evaluated_twice(form):
    return Call("add", (form, form))


def test_the_judge_sees_a_wrong_cotangent_and_a_wrong_order():
    d = cr.derive(squares, X, y, w)
    other = dataclasses.replace(d, values=dict(d.values) | {"de": 2 * d.values["de"]})
    assert any("differences" in fault for fault in faults(other, squares, (X, y, w)))
    turned = dataclasses.replace(d, statements=(*d.forward_lines, *reversed(d.backward_lines)))
    assert any("does not stand above" in fault for fault in unknown_names(turned))


# -- strange functions ---------------------------------------------------------------------------------------------------------
class Model:
    def __init__(self):
        self.W = RANDOM.normal(size=(3, 2))

    def loss(self, X):
        Z = X @ self.W
        return np.sum(Z**2)


@dataclasses.dataclass
class Layer:
    W: np.ndarray
    b: np.ndarray


def with_layer(layer, X):
    Z = X @ layer.W + layer.b
    return np.sum(np.tanh(Z))


def nested(X, w):
    def inner(a):
        Z = a @ w
        return np.tanh(Z)

    return np.sum(inner(X) ** 2)


def loops(x):
    for _ in range(3):
        x = np.tanh(x) * 1.5
    return np.sum(x)


LAYER = Layer(RANDOM.normal(size=(3, 2)), RANDOM.normal(size=2))
STRANGE = {
    "nested": (nested, (X, w)),
    "lambda": (lambda X, w: np.sum(np.tanh(X @ w) ** 2), (X, w)),
    "partial": (functools.partial(squares, X, y), (w,)),
    "partial by name": (functools.partial(squares, w=w), (X, y)),
    "method": (Model().loss, (X,)),
    "dataclass": (with_layer, (LAYER, X)),
    "list": (lambda Ws, X: np.sum(((X @ Ws[0]) @ Ws[1]) ** 2), ([LAYER.W, LAYER.W[:2]], X)),
    "loops": (loops, (w,)),
    "any number": (lambda *xs: np.sum(xs[0] * xs[1]), (w, w + 1)),
    "whole numbers": (lambda a, b: a * b + a, (2, 3)),
    "booleans": (lambda x, m: np.sum(np.where(m, x, 0)), (w, w > 0)),
    "keywords": (lambda p, X: np.sum((X @ p["W 1"] + p["lambda"]) ** 2), ({"W 1": LAYER.W, "lambda": LAYER.b}, X)),
    "hostile": (
        lambda p, X: np.sum((X @ p["W\n;os"] + p[r"\frac{a}"] + p["<b>"] + p["\u202e"]) ** 2),
        ({"W\n;os": LAYER.W, r"\frac{a}": LAYER.b, "<b>": LAYER.b, "\u202e": LAYER.b}, X),
    ),
    "unused": (lambda x, z: np.sum(x**2), (w, w)),
    "one sample": (squares, (X[:1], y[:1], w)),
    "captured positions": (lambda x: np.sum(x[[0, -1, 0]] ** 2), (w,)),
    "captured mask": (lambda x: np.sum(x[x > -9] ** 2), (w,)),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGE)
def test_strange_functions_are_derived_right(case):
    function, args = STRANGE[case]
    derived_and_true(function, *args)


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_no_sample_at_all():
    d = cr.derive(squares, X[:0], y[:0], w, wrt=("X", "w"))
    assert d["dX"].shape == (0, 3)
    assert np.all(d["dw"].value == 0)
    assert d.text("summary")


def test_an_array_of_size_0():
    args = (np.zeros((0, 3)),)
    d = cr.derive(lambda x: np.sum(x**2), *args)
    assert faults(d, lambda x: np.sum(x**2), args, levels=("summary", "steps", "numbers")) == []


def branches(x):
    if np.sum(x) > 0:
        z = x * 2
    else:
        z = x * 3
    return np.sum(z**2)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_branch_on_values_is_derived_on_its_path_and_said(sign):
    x = sign * np.abs(w)
    d = derived_and_true(branches, x)
    assert any("holds for the path taken" in note for note in d.notes)
    assert "holds for the path taken" in " ".join(d.text("summary").split())
    np.testing.assert_allclose(d["dx"].value, cr.grad(branches)(x))


REFUSED = {
    "an array": (lambda x: x * 2, (X,), {}, r"returns an array of shape \(4, 3\)"),
    "two arrays": (lambda x: (np.sum(x), np.sum(x)), (X,), {}, "returns 2 arrays"),
    "a string": (lambda x: "hello", (X,), {}, "returns 0 arrays"),
    "nothing": (lambda x: None, (X,), {}, "returns 0 arrays"),
    "a constant": (lambda x: 3.0, (X,), {}, "computes nothing"),
    "its argument": (lambda x: x, (2.0,), {}, "computes nothing"),
    "no floats": (np.sum, (np.arange(3),), {}, "no floats"),
    "an unknown name": (lambda x: np.sum(x), (X,), {"wrt": "z"}, "wrt names 'z'"),
    "an unknown place": (lambda x: np.sum(x), (X,), {"wrt": 3}, "wrt is 3"),
    "a level": (lambda x: np.sum(x), (X,), {"level": "profs"}, "did you mean 'proof'"),
    "a layout": (lambda x: np.sum(x), (X,), {"layout": "bth"}, "did you mean 'both'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_derived_is_refused_in_words(case):
    function, args, how, said = REFUSED[case]
    with pytest.raises(ArgumentError, match=said):
        cr.derive(function, *args, **how)


def test_an_error_of_the_function_is_its_own():
    with pytest.raises(ZeroDivisionError):
        cr.derive(lambda x: 1 / 0, X)


def test_where_nothing_has_weights_every_argument_is_differentiated_by():
    assert list(cr.derive(lambda a, b: np.sum(a * b), w, w).gradients) == ["a", "b"]
    assert list(cr.derive(lambda Z, Y: np.mean((Z - Y) ** 2), X, X).gradients) == ["Z"]
    assert list(cr.derive(squares, X, y, w).gradients) == ["X", "w"]


# -- names that collide ----------------------------------------------------------------------------------------------------------
def cotangent_as_argument(W, dW, X):
    Z = X @ W
    dZ = Z * dW
    return np.sum(dZ**2)


def derivatives_as_arguments(x, dx, ddx):
    dy = x * dx
    return np.sum(dy * ddx)


def size_as_argument(N, X):
    Z = X * N
    return np.sum(Z**2) / X.shape[0]


def size_as_array(X, W):
    N = X @ W
    return np.sum(N**2)


def helpers_as_variables(X, W):
    P = X @ W
    u1 = np.tanh(P)
    L = np.sum(u1**2)
    u2 = L * L
    return u2 + np.sum(np.exp(np.tanh(X @ W + 1)))


def softmax_of_p(Z, Y):
    P = Z * 2
    E = np.exp(P)
    u1 = E / np.sum(E, axis=1, keepdims=True)
    return -np.sum(Y * np.log(u1)) / Z.shape[0]


def loss_as_variable(X):
    loss = X * 2
    dloss = loss + 1
    return np.sum(dloss**2)


def loss_called_like_its_argument(loss_called_like_its_argument):
    return np.sum(loss_called_like_its_argument**2)


def capital(L):
    return np.sum(L**2)


COLLISIONS = {
    cotangent_as_argument: (LAYER.W, LAYER.b, X),
    derivatives_as_arguments: (w, w + 1, w * 2),
    size_as_argument: (2.5, X),
    size_as_array: (X, w),
    helpers_as_variables: (X, w),
    softmax_of_p: (X, np.eye(3)[[0, 1, 2, 1]]),
    loss_as_variable: (X,),
    loss_called_like_its_argument: (X,),
    capital: (X,),
}


@pytest.mark.parametrize("function", COLLISIONS)
def test_names_that_collide_are_told_apart(function):
    args = COLLISIONS[function]
    d = derived_and_true(function, *args)
    assert faults_elsewhere(d, function, tuple(np.asarray(a) * 0.9 for a in args)) == []
    for name, line in d.gradients.items():
        assert d.facts[line].cotangent_of == name
        assert d[name].name == (name if name in d.by_name else line)


def test_a_cotangent_that_has_the_name_of_an_argument_gets_another():
    d = cr.derive(cotangent_as_argument, LAYER.W, LAYER.b, X)
    assert d.gradients == {"W": "dL_dW", "dW": "ddW", "X": "dX"}
    np.testing.assert_allclose(d["dL_dW"].value, cr.grad(cotangent_as_argument)(LAYER.W, LAYER.b, X))
