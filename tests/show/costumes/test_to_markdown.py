"""A document as Markdown: formulas that Markdown leaves alone, and names that are no markup."""

import re

import pytest

from chainrule.matrix_form import Call, Symbol
from chainrule.show.costumes.to_markdown import as_markdown, markdown_math
from chainrule.show.document import Code, Document, Listing, Paragraph, Table
from costume_document import BACKWARD, DOCUMENT, FACTS, equations


def markdown(*blocks, **how):
    return as_markdown(Document("", blocks, FACTS), **how)


def formulas_of(text):
    return re.findall(
        r"\$\$\n(.*?)\n\$\$|\$((?:\\\$|[^$\n])+)\$", re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL), re.DOTALL
    )


@pytest.mark.parametrize("style", ["default", "partial", "nielsen"])
def test_formulas_have_no_sign_that_markdown_takes(style):
    found = formulas_of(as_markdown(DOCUMENT, notation=style))
    assert len(found) > 20
    for display, inline in found:
        formula = display or inline
        assert not re.search(r"\\[{},;]|[<>*|`]", formula), formula
        assert formula.count("{") == formula.count("}"), formula


def test_equations_are_one_aligned_display_with_remarks_below():
    shown = markdown(equations(BACKWARD))
    assert shown.startswith("$$\n\\begin{aligned}\ndZ_{2} &= \\frac{P-Y}{N} &&\\in\\mathbb{R}^{N\\times2} \\\\\n")
    assert "\n- $dW_{2}$: the weight gets the sum over the samples that share it\n" in shown


def test_names_are_no_markup():
    shown = as_markdown(DOCUMENT)
    prose = re.sub(r"```.*?```", "", shown, flags=re.DOTALL)
    assert "<script" not in re.sub(r"`[^`]*`", "", prose)
    assert set(re.findall(r"<(/?\w+)", re.sub(r"`[^`]*`", "", prose))) == {
        "details",
        "/details",
        "summary",
        "/summary",
        "code",
        "/code",
    }
    assert shown.startswith("# The gradient of loss &lt;net\\_1&gt; &amp; 100%\n")


@pytest.mark.parametrize("text", ["# no heading", "- no item", "+ no item", "1. no item", "=== no rule"])
def test_a_paragraph_is_a_paragraph(text):
    assert markdown(Paragraph((text,))).startswith("&#")


def test_a_bar_does_not_split_a_cell():
    shown = markdown(Table(("a|b", "c"), ((("x | y",), (Code("p|q"), Call("abs", (Symbol("X"),)))),)))
    lines = shown.strip().split("\n")
    assert [line.count("|") for line in lines] == [3, 3, 3]


def test_a_listing_has_a_fence_that_is_longer_than_its_backticks():
    assert markdown(Listing("a ```` b", "text")) == "`````text\na ```` b\n`````\n"


def test_folded_sections_are_details_with_room_for_markdown():
    assert "<details><summary>Numbers</summary>\n\n" in as_markdown(DOCUMENT)


def test_signs_are_named():
    assert markdown_math(r"\{a<b\}\,\frac{1}{N}") == r"\lbrace a\lt b\rbrace \thinspace \frac{1}{N}"
