"""What is displayed is what is meant: every formula that is printed is read back and evaluated, as text and as LaTeX."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.diagnosis.formulas import parse_formula
from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
    MatrixForm,
    Negative,
    Number,
    Power,
    Product,
    Quotient,
    Reduced,
    Relation,
    Scaled,
    Size,
    Symbol,
    Transposed,
    Verbatim,
    children,
    evaluate,
    ndim_of,
    symbols_in,
)
from chainrule.show.costumes.box_latex import broken_latex, latex_of
from chainrule.show.costumes.matrix_boxes import matrix_box
from chainrule.show.costumes.matrix_text import matrix_text
from chainrule.show.costumes.notation import Naming, notation
from costume_document import FACTS, FORMS, SHAPES, SIZES, VALUES
from reading_latex import read_latex

NDIMS = {name: len(shape) for name, shape in SHAPES.items()}
STYLES = ("default", "partial", "nielsen")
NAMINGS = {style: Naming(notation(style), FACTS) for style in STYLES}
ASCII_OR_NOT = {"unicode": True, "ascii": False}


def same(shown, meant):
    """Equal numbers; a column and a vector are the same to mathematics."""
    return np.allclose(np.squeeze(shown), np.squeeze(meant), rtol=1e-12, atol=1e-12, equal_nan=True)


def value_of_text(text):
    return parse_formula(text).evaluate({**VALUES, **SIZES})


def value_of_latex(latex, naming):
    names = {latex_of(naming.symbol(name)): name for name in SHAPES}
    return evaluate(read_latex(latex, names, NDIMS), VALUES, SIZES)


@pytest.mark.parametrize("signs", ASCII_OR_NOT)
@pytest.mark.parametrize("name", FORMS)
def test_text_is_read_back(name, signs):
    meant = evaluate(FORMS[name], VALUES, SIZES)
    text = matrix_text(FORMS[name], NAMINGS["default"], unicode=ASCII_OR_NOT[signs])
    assert same(value_of_text(text), meant), text
    assert np.shape(value_of_text(text)) == np.shape(meant)
    assert signs == "unicode" or text.isascii()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", FORMS)
def test_latex_is_read_back(name, style):
    naming = NAMINGS[style]
    latex = latex_of(matrix_box(FORMS[name], naming))
    assert same(value_of_latex(latex, naming), evaluate(FORMS[name], VALUES, SIZES)), latex


@pytest.mark.parametrize("name", FORMS)
def test_a_broken_formula_has_the_same_signs(name):
    box = matrix_box(FORMS[name], NAMINGS["default"])
    assert "".join("".join(broken_latex(box, 25)).split()) == "".join(latex_of(box).split())


def test_a_fraction_that_is_too_wide_is_a_quotient_in_brackets():
    fraction = Quotient(Add((Symbol("Z2"), Negative(Symbol("Y")))), Add((Symbol("P"), Symbol("Y"))))
    wide = (fraction, Negative(Product(fraction, Transposed(Symbol("W2")))), Quotient(fraction.above, Size("N")))
    shown = ["".join(broken_latex(matrix_box(form, NAMINGS["default"]), 3)) for form in wide]
    assert shown == ["(Z_{2}-Y)/(P+Y)", r"-((Z_{2}-Y)/(P+Y))\,W_{2}^{\top}", "(Z_{2}-Y)/N"]


def leaves(shape):
    fitting = [name for name, dims in SHAPES.items() if dims == shape]
    return st.sampled_from([Symbol(name) for name in fitting])


NUMBERS = st.sampled_from(
    [Number(2), Number(0.5), Number(-3), Size("N"), Symbol("eta"), Add((Symbol("eta"), Number(1)))]
)


def forms(shape, depth):
    """Formulas of that shape, of all kinds of nodes."""
    if depth == 0:
        return leaves(shape)
    inner = st.deferred(lambda: forms(shape, depth - 1))
    rows, columns = shape
    kinds = [
        leaves(shape),
        st.lists(inner | inner.map(Negative), min_size=2, max_size=3).map(lambda terms: Add(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda factors: Hadamard(tuple(factors))),
        st.builds(Scaled, NUMBERS, inner),
        st.builds(Quotient, inner, NUMBERS | inner),
        inner.map(Negative),
        st.builds(Power, inner, st.sampled_from([Number(2), Number(3)])),
        st.builds(lambda left, right: Hadamard((left, Relation(">", right, Number(0)))), inner, inner),
        inner.map(lambda form: Call("tanh", (form,))),
        st.builds(lambda left, right: Call("maximum", (left, right)), inner, inner),
        forms((columns, rows), depth - 1).map(Transposed) if (columns, rows) in OUTER else inner,
        inner.map(lambda form: Hadamard((form, Reduced("sum", form, (1,), True, 2)))),
        inner.map(lambda form: Add((form, Reduced("sum", form, (0,), False, 2)))),
    ]
    kinds += [
        st.builds(Product, forms((rows, middle), depth - 1), forms((middle, columns), depth - 1))
        for middle in (2, 3, 4)
        if (rows, middle) in OUTER and (middle, columns) in OUTER
    ]
    return st.one_of(kinds)


OUTER = {dims for dims in SHAPES.values() if len(dims) == 2}


@given(st.sampled_from(sorted(OUTER)).flatmap(lambda shape: forms(shape, 3)))
def test_formulas_of_all_kinds_are_read_back(form):
    with np.errstate(all="ignore"):
        meant = evaluate(form, VALUES, SIZES)
        close = {"rtol": 1e-7, "atol": 1e-9 * (1 + np.nanmax(np.abs(meant), initial=0.0)), "equal_nan": True}
        text = matrix_text(form, NAMINGS["default"])
        assert np.allclose(value_of_text(text), meant, **close), text
        latex = latex_of(matrix_box(form, NAMINGS["partial"]))
        assert np.allclose(value_of_latex(latex, NAMINGS["partial"]), meant, **close), latex


@pytest.mark.parametrize("name", FORMS)
def test_the_number_of_axes_is_that_of_the_value(name):
    known = ndim_of(FORMS[name], NDIMS)
    assert known is None or known == np.ndim(evaluate(FORMS[name], VALUES, SIZES))


def test_symbols_are_found_once_and_in_order():
    assert symbols_in(FORMS["minus a product"]) == ("Z2", "A1", "W2", "b2", "v")


def test_the_three_products_look_different():
    number, elementwise, matrices = (
        FORMS["scaled"], Hadamard((Symbol("A1"), Symbol("Z1"))), Product(Symbol("A1"), Symbol("W2"))
    )  # fmt: skip
    shown = [latex_of(matrix_box(form, NAMINGS["default"])) for form in (number, elementwise, matrices)]
    assert shown == [r"\eta\cdot dW_{2}", r"A_{1}\odot Z_{1}", r"A_{1}\,W_{2}"]
    texts = [matrix_text(form, NAMINGS["default"]) for form in (number, elementwise, matrices)]
    assert texts == ["eta * dW2", "A1 ⊙ Z1", "A1 @ W2"]


def kinds_in(form):
    """The kinds of nodes in a formula."""
    return {type(form).__name__}.union(*(kinds_in(part) for part in children(form)))


def test_every_kind_of_node_is_among_the_formulas_that_are_read_back():
    seen = set().union(*(kinds_in(form) for form in FORMS.values()))
    assert {kind.__name__ for kind in MatrixForm.__subclasses__()} - seen == {"Verbatim"}


def test_verbatim_numpy_has_its_operands_in_it():
    form = Verbatim("np.cumsum({0}, axis=0)", (Add((Symbol("Z2"), Symbol("Y"))),))
    text = matrix_text(form, NAMINGS["default"])
    assert text == "np.cumsum((Z2 + Y), axis=0)"
    assert same(value_of_text(text), evaluate(form, VALUES, SIZES))
    latex = latex_of(matrix_box(form, NAMINGS["default"]))
    assert latex == r"\mathtt{np.cumsum(}Z_{2}+Y\mathtt{{,}\ axis{=}0)}"


def test_one_hot_rows_are_read_back():
    form = Call("one_hot", (Symbol("y"),), (("classes", "3"),))
    text = matrix_text(form, NAMINGS["default"])
    y = np.array([2, 0])
    assert np.array_equal(parse_formula(text).evaluate({"y": y}), evaluate(form, {"y": y}))
