"""Formulas for single entries are displayed as they are meant: what is printed is read back and evaluated."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.derivation.index_values import evaluate_entries
from chainrule.index_form import Delta, Entry, Holds, Index, Largest, Of, Plus, Raised, SizeOf, Times, Total, Value
from chainrule.show.costumes.box_latex import latex_of
from chainrule.show.costumes.box_text import text_of
from chainrule.show.costumes.boxes import Letter
from chainrule.show.costumes.index_boxes import index_box
from chainrule.show.costumes.notation import Naming, notation
from costume_document import FACTS, JACOBIAN, LOSS, PROOF, RELU, SHAPES, SOFTMAX, VALUES
from reading_entries import entry_value

NAMING = Naming(notation(), FACTS)
N, K, H = SHAPES["Z2"][0], SHAPES["Z2"][1], SHAPES["A1"][1]
I, J, Q = Index("i", "N"), Index("j", K), Index("q", K)
INNER = {"k": Index("k", K), "l": Index("l", K), "m": Index("m", "N")}
SIZES = {"N": N, "i": N, "j": K, "q": K, "p": H, "k": K, "l": K, "m": N}
ARRAYS = {**VALUES, "Z2": np.abs(VALUES["Z2"]) + 0.1, "b2": np.abs(VALUES["b2"]) + 0.2, "eta": np.array(0.7)}
NAMES = {text_of(NAMING.entry(name, [Letter("i")])).partition("_")[0]: name for name in SHAPES} | {
    text_of(NAMING.entry(name, [])): name for name in SHAPES if not SHAPES[name]
}


def check(form, free=(I, J), sizes=SIZES):
    with np.errstate(all="ignore"):
        meant = evaluate_entries(form, free, {"N": N}, ARRAYS)
    text = text_of(index_box(form, NAMING))
    shape = [sizes[index.letter] for index in free]
    for place in np.ndindex(*shape):
        at = {index.letter: value for index, value in zip(free, place, strict=True)}
        shown = entry_value(text, NAMES, ARRAYS, sizes, at)
        assert np.isclose(shown, np.broadcast_to(meant, shape)[place], rtol=1e-9, atol=1e-9), text


P, UNITS, CLASSES = Index("p", H), Index("k", H), Index("k", K)
SHOWN = [
    (PROOF[0], (I, J), H), (PROOF[1], (I, J, P, Q), H), (PROOF[2], (P, Q), H), (SOFTMAX, (I, J), K),
    (JACOBIAN, (I, J, CLASSES), K), (LOSS, (), K), (RELU, (I, P), K),
]  # fmt: skip


@pytest.mark.parametrize(("row", "free", "size_of_k"), SHOWN)
def test_the_derivation_is_read_back(row, free, size_of_k):
    for form in row.right:
        check(form, free, {**SIZES, "k": size_of_k})


def leaves(letters):
    rows = [i for i in (I, INNER["m"]) if i.letter in letters]
    columns = [i for i in (J, INNER["k"], INNER["l"]) if i.letter in letters]
    found = [Entry("Z2", (row, column)) for row in rows for column in columns]
    found += [Entry("b2", (column,)) for column in columns] + [Delta(a, b) for a in columns for b in columns if a != b]
    return st.sampled_from([*found, Entry("eta"), Value(Fraction(3)), SizeOf("N"), Value(Fraction(1, 2))])


def positives(letters):
    """What may stand below a line or under a root."""
    found = [Entry("b2", (i,)) for i in (J, *INNER.values()) if i.letter in letters and i.size == K]
    sums = [Total((INNER[letter],), Entry("b2", (INNER[letter],))) for letter in "kl" if letter not in letters]
    return st.sampled_from([*found, *sums, SizeOf("N"), Entry("eta"), Plus((Entry("eta"), Value(Fraction(2))))])


def forms(letters, depth):
    if depth == 0:
        return leaves(letters)
    inner = st.deferred(lambda: forms(letters, depth - 1))
    kinds = [
        leaves(letters),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: Plus(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda factors: Times(tuple(factors))),
        inner.map(lambda form: Times((Value(Fraction(-1)), form))),
        st.builds(lambda form, number: Times((number, form)), inner, st.sampled_from([Value(Fraction(-2)), Value(0.25)])),
        st.builds(lambda form, below: Times((form, Raised(below, Value(Fraction(-1))))), inner, positives(letters)),
        st.builds(lambda form, other, below: Times((form, Raised(below, Value(Fraction(-1))), other)), inner, inner, positives(letters)),
        inner.map(lambda form: Raised(form, Value(Fraction(2)))),
        positives(letters).map(lambda form: Raised(form, Value(Fraction(1, 2)))),
        positives(letters).map(lambda form: Raised(form, Value(Fraction(-1, 2)))),
        positives(letters).map(lambda form: Of("log", (form,))),
        inner.map(lambda form: Of("tanh", (form,))),
        st.builds(lambda a, b: Of("max", (a, b)), inner, inner),
        inner.map(lambda form: Of("abs", (form,))),
        inner.map(lambda form: Holds(">", form, Value(Fraction(0)))),
    ]  # fmt: skip
    for letter, index in INNER.items():
        if letter not in letters:
            body = forms(letters | {letter}, depth - 1)
            kinds.append(body.map(lambda form, index=index: Total((index,), form)))
            kinds.append(body.map(lambda form, index=index: Largest((index,), form)))
    return st.one_of(kinds)


@settings(max_examples=300)
@given(forms(frozenset("ij"), 3))
def test_formulas_of_all_kinds_are_read_back(form):
    check(form)


def test_a_sum_binds_its_factors_and_no_more():
    k = INNER["k"]
    inner = Total((k,), Times((Entry("Z2", (I, k)), Entry("b2", (k,)))))
    shown = {
        Plus((inner, Entry("eta"))): "Σ_k z⁽²⁾_ik b⁽²⁾_k + η",
        Times((inner, Entry("eta"))): "(Σ_k z⁽²⁾_ik b⁽²⁾_k) η",
        Times((Entry("eta"), inner)): "η Σ_k z⁽²⁾_ik b⁽²⁾_k",
        Total((k,), Plus((Entry("Z2", (I, k)), Entry("eta")))): "Σ_k (z⁽²⁾_ik + η)",
        Times((inner, Raised(SizeOf("N"), Value(Fraction(-1))))): "(1 / N) Σ_k z⁽²⁾_ik b⁽²⁾_k",
    }
    assert [text_of(index_box(form, NAMING)) for form in shown] == list(shown.values())


def test_minus_and_powers_have_their_brackets():
    z, minus = Entry("Z2", (I, J)), Value(Fraction(-1))
    both = Plus((z, Entry("eta")))
    shown = {
        Plus((z, Times((minus, both)))): "z⁽²⁾_ij - (z⁽²⁾_ij + η)",
        Times((minus, both)): "-(z⁽²⁾_ij + η)",
        Raised(z, Value(Fraction(2))): "(z⁽²⁾_ij)²",
        Raised(Entry("b", (J,)), Value(Fraction(2))): "b_j²",
        Times((z, Raised(both, Value(Fraction(-1))))): "z⁽²⁾_ij / (z⁽²⁾_ij + η)",
        Times((Entry("b", (J,)), z, Raised(both, Value(Fraction(-2))))): "(b_j z⁽²⁾_ij) / (z⁽²⁾_ij + η)²",
    }
    assert [text_of(index_box(form, NAMING)) for form in shown] == list(shown.values())
    assert latex_of(index_box(Raised(Entry("b", (J,)), Value(Fraction(2))), NAMING)) == "b_{j}^{2}"
