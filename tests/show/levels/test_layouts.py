"""Samples as rows and samples as columns: the other side is what the same program says of transposed arrays."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.matrix_form import Add, Call, Outer, Product, Reduced, Symbol, Transposed, Verbatim, evaluate
from chainrule.show.document import SideBySide
from chainrule.show.levels.layouts import samples_are_columns, shape_turned, transposed_form, transposed_shape
from displayed_support import difference, meaning, rows_of

RANDOM = np.random.default_rng(8)
A, B, v = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 4)), RANDOM.normal(size=4)
a, b, c = Symbol("A"), Symbol("B"), Symbol("v")
NDIM = {"A": 2, "B": 2, "v": 1}
FORMS = [
    Product(a, b),
    Product(Transposed(b), Transposed(a)),
    Product(a, Product(b, a)),
    Add((Product(a, b), Transposed(Product(a, b)))),
    Call("exp", (Product(a, b),)),
    Reduced("sum", a, (0, 1), False, 2),
    Reduced("max", a, (1,), True, 2),
    Outer(c, c),
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_other_form_of_transposed_arrays_is_the_transpose(form):
    values = {"A": A, "B": B, "v": v}
    turned = {name: value.T for name, value in values.items()}
    other = transposed_form(form, NDIM.__getitem__, False)
    assert difference(evaluate(other, turned), np.transpose(evaluate(form, values))) == ""


def test_what_has_no_transpose_has_none():
    assert transposed_form(Verbatim("np.sort({0})", (a,)), NDIM.__getitem__, False) is None
    assert transposed_form(Product(Symbol("S"), a), lambda name: 3, False) is None


def test_shapes():
    assert transposed_shape("(N, 10)") == "(10, N)"
    assert transposed_shape("(4, 1)") == "(1, 4)"  # a weight to one output
    assert transposed_shape("(4, 1)", columns=True) == "(4,)"  # a bias
    assert transposed_shape("(4,)") == "(4, 1)"
    assert transposed_shape("(4,)", columns=True) == "(4,)"
    assert transposed_shape("(4,)", weight=True) == "(4,)"
    assert transposed_shape("") == ""


def rows(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    return np.mean((Z2 - y) ** 2)


def columns(X, y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.tanh(Z1)
    Z2 = W2 @ A1 + b2
    return np.mean((Z2 - y) ** 2)


def vector(X, y, w):
    z = X @ w
    return np.mean((z - y) ** 2)


X, y = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(5, 1))
IN_ROWS = (X, y, RANDOM.normal(size=(3, 4)), RANDOM.normal(size=4), RANDOM.normal(size=(4, 1)), RANDOM.normal(size=1))
IN_COLUMNS = tuple(p[:, None] if p.ndim == 1 else p.T for p in IN_ROWS)


def sides(function, *args):
    d = cr.derive(function, *args)
    (block,) = [block for block in d.document("summary", layout="both").blocks if isinstance(block, SideBySide)]
    return d, list(rows_of(block.left)), list(rows_of(block.right))


@pytest.mark.parametrize("samples", [5, 1])
def test_each_layout_s_other_side_is_the_program_of_the_other_layout(samples):
    in_rows = (X[:samples], y[:samples], *IN_ROWS[2:])
    in_columns = (X[:samples].T, y[:samples].T, *IN_COLUMNS[2:])
    for function, args, other_function, other_args in (
        (rows, in_rows, columns, in_columns),
        (columns, in_columns, rows, in_rows),
    ):
        d, own, other = sides(function, *args)
        assert samples_are_columns(d) == (function is columns)
        twin = cr.derive(other_function, *other_args)
        values = dict(twin.values) | {d.loss: twin.values[twin.loss]}
        if samples == 1 and function is columns:  # of one sample a bias and a sample look alike: both stay matrices
            values = {name: np.transpose(np.asarray(value)) for name, value in d.values.items()}
        assert len(own) == len(d)
        for row in other:
            assert difference(meaning(row.right[-1], values, twin.sizes), values[row.left.name]) == "", row
            if samples > 1:
                assert row.shape == (twin.facts[row.left.name].shape if row.left.name != d.loss else "")
        assert len(other) >= len(own) - 2


def test_a_vector_of_weights_stays_a_vector():
    d, _, other = sides(vector, X, y[:, 0], RANDOM.normal(size=3))
    assert shape_turned(d, "w", False) == "(3,)"
    turned = {name: np.transpose(value) for name, value in d.values.items()}
    for row in other:
        assert difference(meaning(row.right[-1], turned, d.sizes), turned[row.left.name]) == "", row
