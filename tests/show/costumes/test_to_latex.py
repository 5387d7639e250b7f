"""A document as LaTeX: it compiles, whatever the names are, and long lines are broken."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from chainrule.index_form import (
    Cases,
    Counted,
    Delta,
    Dots,
    Entry,
    Holds,
    Index,
    IndexForm,
    Inside,
    Largest,
    Of,
    Place,
    Plus,
    Total,
    Value,
)
from chainrule.matrix_form import Add, Call, Product, Symbol, Verbatim
from chainrule.show.costumes.box_latex import latex_of, shape_latex
from chainrule.show.costumes.index_boxes import index_box
from chainrule.show.costumes.notation import Naming, notation
from chainrule.show.costumes.tex_text import tex_code, tex_escaped
from chainrule.show.costumes.to_latex import as_latex
from chainrule.show.document import (
    Code,
    Document,
    Equations,
    Facts,
    Listing,
    Matrix,
    Paragraph,
    Row,
    Section,
    SideBySide,
    Table,
)
from costume_document import BACKWARD, DOCUMENT, FACTS, FORMS, HOSTILE, equations

PDFLATEX = shutil.which("pdflatex")
needs_pdflatex = pytest.mark.skipif(
    PDFLATEX is None, reason="pdflatex is not installed (apt install texlive-latex-recommended)"
)
ODDITIES = "".join(map(chr, range(1, 0x180))) + "Ωδ→∂≤√ᵀ²³“–…”用😀\ufeff"
I, J = Index("i", "N"), Index("j", 3)
P = Place(((2, I), (-1, J)), -1)
ENTRIES = (
    Total((I, J, Index("k", "N // 2")), Entry("X", (P, 0))),
    Largest((J,), Plus((Entry("Z1", (I, J)), Delta(P, Entry("y", (I,)))))),
    Cases(Holds(">=", Entry("Z1", (I, J)), Value(0.5)), Counted(P), Plus((Entry("b1"), Dots(), Inside(P, "N")))),
    Of("clip", (Entry("X", (I, J)), Value(-1.5e-9), Value(float("inf")))),
)


def compiled(latex, folder):
    (folder / "shown.tex").write_text(latex, encoding="utf-8")
    done = subprocess.run(
        [PDFLATEX, "-halt-on-error", "-interaction=nonstopmode", "shown.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    log = (folder / "shown.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, re.findall(r"^!.*\n(?:.*\n){4}", log, re.MULTILINE)
    return log


@needs_pdflatex
@pytest.mark.parametrize(
    ("style", "shapes"), [("default", False), ("default", True), ("partial", False), ("nielsen", False)]
)
def test_the_document_compiles(tmp_path, style, shapes):
    log = compiled(as_latex(DOCUMENT, notation=style, shapes=shapes), tmp_path)
    too_wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert all(width < 20 for width in too_wide), too_wide


@needs_pdflatex
def test_every_kind_of_formula_and_every_character_compiles(tmp_path):
    rows = tuple(
        Row(Symbol("Z1"), (form,), "(N, 3 * N, X.shape[1])", (form, " & ", ODDITIES))
        for form in [*FORMS.values(), *ENTRIES]
    )
    odd = Verbatim("np.take_along_axis({0}, idx[:, None] % 2 & ~{1})", (Symbol(ODDITIES[:60]), Symbol(ODDITIES[60:])))
    blocks = (
        Equations(rows),
        Paragraph((ODDITIES, Code(ODDITIES), odd)),
        Matrix("M", np.array([[1e-30, np.inf], [np.nan, -2]]), ("a_b", "&"), ("%", "#")),
        Matrix("", np.ones(3), columns=("a", "b", "c")),
    )
    document = Document(ODDITIES, blocks, {**FACTS, ODDITIES: Facts()})
    compiled(as_latex(document, notation=notation(symbols={"X": r"\hat{\boldsymbol{x}}"})), tmp_path)


@needs_pdflatex
def test_a_long_formula_stays_on_the_page(tmp_path):
    products = tuple(Product(Symbol(f"W{i}"), Call("tanh", (Symbol(f"Z{i}"),))) for i in range(30))
    rows = (
        Row(Symbol("A"), (Add(products),), "(N, 3)", ("because",)),
        Row(Symbol("B"), (Call("exp", (Add(products),)),)),
    )
    latex = as_latex(Document("", (Equations(rows),)))
    assert latex.count(r"&\qquad") > 3
    assert "Overfull" not in compiled(latex, tmp_path)


def test_every_kind_of_node_for_entries_is_set_in_type():
    naming = Naming(notation(), FACTS)
    kinds = [
        "Value",
        "SizeOf",
        "Entry",
        "Delta",
        "Plus",
        "Times",
        "Raised",
        "Of",
        "Holds",
        "Total",
        "Largest",
        "Counted",
        "Inside",
        "Cases",
        "Dots",
    ]
    known = {kind.__name__ for kind in IndexForm.__subclasses__()}
    assert known == set(kinds), "a new kind needs a sign in index_boxes"
    for form in ENTRIES:
        assert latex_of(index_box(form, naming))
    assert latex_of(index_box(ENTRIES[0], naming)).startswith(r"\sum_{i,\,j,\,k}x_{2i-j-1,\,0}")


@needs_pdflatex
def test_what_is_empty_or_wide_compiles(tmp_path):
    wide = Table(("what", "why"), ((("short",), ("word " * 60,)), (("a longer cell " * 4,), ())))
    empty = (
        Equations(()),
        Matrix("M", np.zeros((0, 3))),
        Table((), ()),
        Paragraph(()),
        Listing(""),
        SideBySide("", (), "", ()),
    )
    log = compiled(as_latex(Document("", (*empty, Section((), empty), wide))), tmp_path)
    assert "Overfull" not in log


def test_a_fragment_has_no_preamble_and_an_article_only_what_every_tex_has():
    assert as_latex(DOCUMENT, standalone=False) in as_latex(DOCUMENT)
    assert "documentclass" not in as_latex(DOCUMENT, standalone=False)
    packages = re.findall(r"\\usepackage(?:\[[^]]*\])?\{([^}]*)\}", as_latex(DOCUMENT))
    assert packages == ["inputenc", "amsmath,amssymb", "geometry"]


def test_equations_are_aligned_with_their_spaces():
    latex = as_latex(Document("", (equations({"dW2": BACKWARD["dW2"]}),), FACTS), standalone=False)
    assert r"dW_{2} &= A_{1}^{\top}\,dZ_{2} &&\in\mathbb{R}^{3\times2}" in latex


def test_sizes_are_set_as_mathematics():
    assert shape_latex("(N, 3 * N, X.shape[1], n_out // 2)") == (
        r"N\times3\,N\times\mathtt{X.shape[1]}\times\bigl\lfloor\frac{n_{\mathrm{out}}}{2}\bigr\rfloor"
    )


def test_names_of_others_are_not_commands():
    latex = as_latex(DOCUMENT)
    assert latex.count(r"\end{document}") == 1
    assert r"\end{verbatim}" not in latex
    assert r"\b{c}" not in latex
    for name in HOSTILE[:3]:
        assert tex_escaped(name) in latex


def test_code_keeps_its_signs_apart():
    assert tex_code("a -- b") == r"\texttt{a~-{}-{}~b}"
    assert tex_code("x_1 {") == r"\texttt{x{\char95}1~{\char123}}"


def test_the_matrix_has_the_names_of_its_rows_and_columns():
    latex = as_latex(DOCUMENT)
    assert r"\bordermatrix" in latex
    assert r"\begin{pmatrix}" in latex
    assert r"\cdots" in latex
    assert r"\ddots" in latex
