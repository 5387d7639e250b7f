"""Which symbol a name gets, in each notation, and that no two names get the same one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ArgumentError
from chainrule.index_form import Entry, Index
from chainrule.show.costumes.box_latex import latex_of
from chainrule.show.costumes.box_text import text_of
from chainrule.show.costumes.formulas import formula_latex, formula_mathml, formula_text
from chainrule.show.costumes.index_boxes import index_box
from chainrule.show.costumes.names import split_name
from chainrule.show.costumes.notation import Naming, notation
from chainrule.show.document import Facts, Partial
from costume_document import FACTS, HOSTILE

I, J = Index("i", "N"), Index("j", 3)


def latex(name, style="default", facts=FACTS, **symbols):
    return latex_of(Naming(notation(style, symbols), facts).symbol(name))


def entry(name, style="default", facts=FACTS, at=(I, J), **symbols):
    return latex_of(index_box(Entry(name, at), Naming(notation(style, symbols), facts)))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("W1", "W_{1}"),
        ("W_1", "W_{1}"),
        ("W_out", r"W_{\mathrm{out}}"),
        ("delta", r"\delta"),
        ("gamma2", r"\gamma_{2}"),
        ("sigma_x", r"\sigma_{x}"),
        ("Sigma", r"\Sigma"),
        ("eps", r"\epsilon"),
        ("x_hat", r"\hat{x}"),
        ("xhat", r"\hat{x}"),
        ("loss", r"\mathrm{loss}"),
        ("logits3", r"\mathrm{logits}_{3}"),
        ("layers[0].W", "W_{[0]}"),
        ("params['W1']", "W_{1}"),
        ("weights[2]", r"\mathrm{weights}_{[2]}"),
        ("my_long_name", r"\mathtt{my\_long\_name}"),
        ("W&b", r"\mathtt{W\&b}"),
        ("", r"\mathtt{}"),
    ],
)
def test_a_name_alone(name, shown):
    assert latex(name, facts={}) == shown


def test_cotangents_in_each_notation():
    shown = {
        style: [latex(name, style) for name in ("dW2", "dZ2", "dA1", "Z2", "L")]
        for style in ("default", "partial", "nielsen")
    }
    assert shown["default"] == ["dW_{2}", "dZ_{2}", "dA_{1}", "Z_{2}", "L"]
    assert shown["partial"][:2] == [r"\frac{\partial L}{\partial W_{2}}", r"\frac{\partial L}{\partial Z_{2}}"]
    assert shown["nielsen"] == [
        r"\frac{\partial C}{\partial w^{2}}", r"\delta^{2}", r"\frac{\partial C}{\partial a^{1}}", "z^{2}", "C"
    ]  # fmt: skip


def test_entries_are_small_letters_with_the_number_above():
    assert entry("W2") == "w_{ij}^{(2)}"
    assert entry("dW2") == "dw_{ij}^{(2)}"
    assert entry("dW2", "partial") == r"\frac{\partial L}{\partial w_{ij}^{(2)}}"
    assert entry("dZ2", "nielsen") == r"\delta_{ij}^{2}"
    assert entry("W2", "nielsen", at=(1, 12)) == r"w_{1,\,12}^{2}"
    assert entry("W_out", facts={}) == r"w_{ij}^{(\mathrm{out})}"
    assert entry("layers[0].W", facts={}) == "w_{ij}^{[0]}"
    assert entry("L", at=()) == "L"


def test_an_entry_keeps_its_capital_where_the_small_letter_is_another_name():
    facts = {"W": Facts(ndim=2), "w": Facts(ndim=2)}
    assert entry("W", facts=facts) == "W_{ij}"
    assert entry("w", facts=facts) == "w_{ij}"
    assert entry("W", facts={"W": Facts(ndim=2)}) == "w_{ij}"


def test_entries_as_text():
    naming = Naming(notation(), FACTS)
    assert text_of(index_box(Entry("W2", (I, J)), naming)) == "w⁽²⁾_ij"
    assert text_of(index_box(Entry("W2", (1, 2)), naming)) == "w⁽²⁾_12"
    assert text_of(index_box(Entry("W2", (1, 12)), naming), unicode=False) == "w(2)_{1,12}"


def test_symbols_of_ones_own_and_their_cotangents():
    own = {"Z2": r"\zeta", "W2": r"\hat{W}_{\mathrm{out}}"}
    assert latex("dZ2", **own) == r"d\zeta"
    assert latex("dZ2", "partial", **own) == r"\frac{\partial L}{\partial\zeta}"
    assert entry("Z2", **own) == r"{\zeta}_{ij}"
    assert entry("W2", **own) == r"(\hat{W}_{\mathrm{out}})_{ij}"
    naming = Naming(notation(symbols=own), FACTS)
    assert formula_text("dZ2", naming) == "dζ"
    assert formula_text("W1", naming) == "W1"
    assert "<mover" in formula_mathml("W2", naming)


@pytest.mark.parametrize("latex_given", ["", r"\frac{1}{", "}{", "a$b", "x%", "\\", 3])
def test_symbols_that_would_break_the_page_are_refused(latex_given):
    for style in ("default", notation("nielsen")):
        with pytest.raises(ArgumentError, match="Z1"):
            notation(style, {"Z1": latex_given})


def test_what_cannot_be_read_of_a_symbol_is_shown_as_it_was_written():
    assert r"\mathfrak{Z}" in formula_mathml("Z1", Naming(notation(symbols={"Z1": r"\mathfrak{Z}"}), FACTS))


def test_an_unknown_notation_is_refused_with_the_known_ones():
    with pytest.raises(ArgumentError, match="partial"):
        notation("leibniz")


@pytest.mark.parametrize("style", ["default", "partial", "nielsen"])
def test_no_two_names_get_the_same_symbol(style):
    facts = {
        **FACTS, "W_1": Facts("weight", layer=1), "w1": Facts(), "delta": Facts(), "δ": Facts(), "C": Facts(), "dW": Facts(),
        "W": Facts(), "d_W": Facts(cotangent_of="W"), "a['W1']": Facts(), "b['W1']": Facts(), "layers[0].W": Facts(),
        "other[0].W": Facts(), "Wx": Facts("weight", layer=1), "ddW": Facts(cotangent_of="d_W"), **{n: Facts() for n in HOSTILE},
    }  # fmt: skip
    naming = Naming(notation(style), facts)
    shown = [latex_of(naming.symbol(name)) for name in facts]
    assert len(set(shown)) == len(shown)
    entries = [latex_of(index_box(Entry(name, (I, J)), naming)) for name in facts]
    assert len(set(entries)) == len(entries)


@given(st.lists(st.text(min_size=1, max_size=12), unique=True, min_size=2, max_size=8))
def test_no_two_names_of_any_kind_get_the_same_symbol(names):
    naming = Naming(notation(), {name: Facts() for name in names})
    shown = [latex_of(naming.symbol(name)) for name in names]
    assert len(set(shown)) == len(shown)


@given(st.from_regex(r"[A-Za-z]\w{0,6}", fullmatch=True))
def test_taking_a_name_apart_loses_nothing_but_underscores(name):
    glyph = split_name(name)
    assert glyph.base


def test_kroneckers_delta_is_an_indicator_where_delta_is_a_name():
    from chainrule.index_form import Delta

    assert latex_of(index_box(Delta(I, J), Naming(notation(), FACTS))) == r"\delta_{ij}"
    assert latex_of(index_box(Delta(I, J), Naming(notation("nielsen"), FACTS))) == r"\mathbf{1}\{i=j\}"
    assert latex_of(index_box(Delta(I, J), Naming(notation(), {"delta1": Facts()}))) == r"\mathbf{1}\{i=j\}"


def test_the_derivative_of_an_entry_by_an_entry():
    partial = Partial(Entry("Z2", (I, J)), Entry("W2", (1, 2)))
    naming = Naming(notation(), FACTS)
    assert formula_latex(partial, naming) == r"\frac{\partial z_{ij}^{(2)}}{\partial w_{12}^{(2)}}"
    assert formula_text(partial, naming) == "∂z⁽²⁾_ij/∂w⁽²⁾_12"
    assert formula_text(Partial("L", "W2"), naming) == "∂L/∂W2"
