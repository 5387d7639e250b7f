"""A document as text: aligned, within its width, harmless to a terminal."""

import io
import re

import pytest

from chainrule.index_form import Entry, Index, Plus, Times
from chainrule.matrix_form import Add, Product, Symbol
from chainrule.show.costumes.cells import matrix_cells
from chainrule.show.costumes.rows_text import broken, cells
from chainrule.show.costumes.to_html import as_html, html_fragment
from chainrule.show.costumes.to_latex import as_latex
from chainrule.show.costumes.to_markdown import as_markdown
from chainrule.show.costumes.to_terminal import as_text, formula_text, renderables
from chainrule.show.document import Code, Document, Equations, Listing, Matrix, Paragraph, Row, SideBySide, Table
from costume_document import BACKWARD, DOCUMENT, FACTS, PROOF, equations

WIDTHS = (60, 72, 80, 100, 120, 200)


def text(*blocks, facts=FACTS, **how):
    return as_text(Document("", blocks, facts), **how)


def test_equations_are_aligned_with_shapes_and_remarks_in_columns():
    shown = text(equations(BACKWARD), width=120).split("\n")
    assert (
        shown[1] == "  dW2 = A1ᵀ @ dZ2                (3, 2)   the weight gets the sum over the samples that share it"
    )
    assert {line.index(" = ") for line in shown} == {5}
    assert len({line.index("(N, ") for line in shown if "(N, " in line}) == 1


def test_remarks_stand_below_where_it_is_narrow():
    shown = text(equations(BACKWARD), width=64)
    assert "\n        the weight gets the sum over the samples that share it\n" in shown


@pytest.mark.parametrize("notation", ["default", "partial", "nielsen"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_asked_but_what_cannot_be_broken(width, notation):
    long_names = ("script", "U+", "return X", "\\x1b")
    for line in as_text(DOCUMENT, width=width, notation=notation).split("\n"):
        assert cells(line) <= width or any(name in line for name in long_names), line


def test_a_long_formula_is_broken_before_an_operator():
    form = Add(tuple(Product(Symbol(f"first_{i}"), Symbol(f"second_{i}")) for i in range(8)))
    lines = text(Equations((Row(Symbol("Z"), (form,)),)), width=60).split("\n")
    assert len(lines) > 2
    assert all(cells(line) <= 60 for line in lines)
    assert all(line.lstrip().startswith("+ ") for line in lines[1:])


def test_broken_lines_join_to_the_formula():
    formula = "(a + bcd) @ (e ⊙ fgh) + ijk * (l - m) / nop"
    assert re.sub(r"\s+", " ", " ".join(broken(formula, 16))) == formula
    assert broken("unbreakable" * 9, 20) == ["unbreakable" * 9]


def test_each_step_of_an_equation_has_its_own_line():
    lines = text(Equations(PROOF), width=100).split("\n")
    assert lines[3].strip() == "= Σ_i a⁽¹⁾_ip dz⁽²⁾_iq"


def test_ascii_has_nothing_but_ascii_beside_names():
    shown = as_text(Document("", DOCUMENT.blocks[:4], FACTS), unicode=False, width=100)
    assert shown.isascii()
    assert "sum_i a(1)_ip dz(2)_iq" in shown
    assert "dW2 = A1.T @ dZ2" in shown


def test_a_terminal_gets_no_control_characters_of_names():
    assert "\x1b" not in as_text(DOCUMENT, width=100)
    coloured = as_text(DOCUMENT, width=100, colour=True)
    assert set(re.findall(r"\x1b\[[^m]*m", coloured)) == {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[36m"}
    assert re.sub(r"\x1b\[\d+m", "", coloured) == as_text(DOCUMENT, width=100)


def test_shapes_stand_under_the_symbols():
    shown = text(equations(BACKWARD), width=100, shapes=True)
    assert "  (3,2) : (N,3)ᵀ @ (N,2)\n" in shown


def test_columns_stand_beside_each_other_where_there_is_room():
    block = SideBySide(
        "rows", (equations({"dW2": BACKWARD["dW2"]}),), "columns", (equations({"db2": BACKWARD["db2"]}),)
    )
    assert re.search(r"^rows +│ columns$", text(block, width=140), re.MULTILINE)
    assert "│" not in text(SideBySide("a", (Listing("x" * 50),), "b", ()), width=60)


def test_a_large_matrix_is_cut_in_the_middle():
    import numpy as np

    rows, columns, body = matrix_cells(
        np.arange(60.0).reshape(20, 3), tuple(f"r{i}" for i in range(20)), ("a", "b", "c"), 5, 9
    )
    assert rows == ["r0", "r1", "r2", "⋮", "r19"]
    assert columns == ["a", "b", "c"]
    assert body[-2:] == [["⋮", "⋮", "⋮"], ["57", "58", "59"]]
    wide = text(Matrix("J", np.random.default_rng(0).standard_normal((2, 40))), width=60)
    assert max(map(cells, wide.split("\n"))) <= 60
    assert "…" in wide


def test_the_numbers_of_a_matrix_have_four_digits():
    assert matrix_cells([[1e-9, 123456.0, float("nan"), -0.0, 2, True]], (), (), 9, 9)[2] == [
        ["1e-09", "1.235e+05", "nan", "0", "2", "1"]
    ]


def test_a_table_is_wrapped_into_its_width():
    shown = text(Table(("what", "why"), ((("short",), ("word " * 30,)),)), width=60)
    assert all(cells(line) <= 60 for line in shown.split("\n"))


def test_wide_characters_count_twice():
    assert cells("用户") == 4
    assert cells("x\u0302") == 1


def test_without_a_width_a_pipe_gets_a_hundred_columns(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    paragraph = Paragraph(("word " * 100,))
    assert text(paragraph) == text(paragraph, width=100)
    assert text(paragraph, width=5) == text(paragraph, width=60)
    assert text(paragraph, width=500) == text(paragraph, width=200)


def test_rich_is_given_the_same_text():
    rich = pytest.importorskip("rich.console")
    console = rich.Console(width=100, file=io.StringIO(), color_system=None)
    for part in renderables(DOCUMENT, 100):
        console.print(part, soft_wrap=True)
    assert console.file.getvalue().rstrip("\n") == as_text(DOCUMENT, width=100)


def test_one_formula_alone():
    assert formula_text(BACKWARD["dZ1"], "default", FACTS) == "(dZ2 @ W2ᵀ) ⊙ (Z1 > 0)"
    assert formula_text(BACKWARD["dZ1"], "nielsen", FACTS) == "(δ² @ w²ᵀ) ⊙ (z¹ > 0)"
    assert formula_text(BACKWARD["dW2"], "partial", FACTS) == "A1ᵀ @ ∂L/∂Z2"
    assert formula_text(BACKWARD["db2"], "partial", FACTS) == "(∂L/∂Z2).sum(axis=0)"


def test_a_minus_and_brackets_in_entries():
    i = Index("i", 3)
    form = Plus((Entry("a", (i,)), Times((Entry("b", (i,)), Plus((Entry("c"), Entry("d")))))))
    assert text(Paragraph((form,))) == "a_i + b_i (c + d)"


def test_what_is_empty_is_shown_as_nothing():
    import numpy as np

    blocks = (
        Equations(()),
        Matrix("M", np.zeros((0, 3))),
        Table((), ()),
        Paragraph(()),
        Listing(""),
        SideBySide("", (), "", ()),
    )
    document = Document("", (*blocks, Matrix("stack", np.ones((2, 2, 2)))))
    for costume in (as_text, as_latex, as_markdown, as_html, html_fragment):
        assert "M" in costume(document)


def test_code_in_a_sentence_stays():
    assert text(Paragraph(("see ", Code("A[0]"), "."))) == "see A[0]."
