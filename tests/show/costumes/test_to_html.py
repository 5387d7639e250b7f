"""A document as HTML: well-formed, escaped, alone; and MathML that says what the LaTeX says."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from chainrule.matrix_form import Symbol
from chainrule.show.costumes.box_latex import latex_of
from chainrule.show.costumes.formulas import formula_box, formula_mathml
from chainrule.show.costumes.notation import Naming, notation
from chainrule.show.costumes.to_html import as_html, html_fragment
from chainrule.show.document import Document, Equations, Paragraph, Row, Section
from costume_document import DOCUMENT, FACTS, FORMS, HOSTILE

VOID = {"meta", "img", "br", "link", "hr", "input"}
STYLES = ("default", "partial", "nielsen")
# Elements of MathML Core; what is not among them is not set by browsers.
CORE = {
    "math", "semantics", "annotation", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup",
    "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd",
}  # fmt: skip


class Reader(HTMLParser):
    """Collects tags and text, and fails on a tag that is not closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


@pytest.mark.parametrize("shapes", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_the_page_is_well_formed(style, shapes):
    page = Reader(as_html(DOCUMENT, notation=style, shapes=shapes))
    assert page.tags.count("h1") == 1
    assert page.tags.count("math") > 40


def test_nothing_is_run_and_nothing_is_loaded():
    page = Reader(as_html(DOCUMENT))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    sources = [value for name, value in page.attributes if name in ("src", "href", "srcset")]
    assert sources
    assert all(value.startswith("data:image/svg+xml;base64,") for value in sources)
    assert "url(" not in as_html(DOCUMENT)
    assert not re.search("https?://", as_html(DOCUMENT))


def test_hostile_names_are_shown_as_they_are():
    text = "".join(Reader(as_html(DOCUMENT)).text)
    for name in HOSTILE:
        assert name in text


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", FORMS)
def test_formulas_are_mathml_core_with_their_latex(name, style):
    naming = Naming(notation(style), FACTS)
    math = ET.fromstring(formula_mathml(FORMS[name], naming))  # noqa: S314 - our own
    assert {element.tag for element in math.iter()} <= CORE
    assert math.find(".//annotation").text == latex_of(formula_box(FORMS[name], naming))
    children = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3, "mtd": 1}
    for element in math.iter():
        assert len(element) == children.get(element.tag, len(element)), ET.tostring(element)


def test_mathml_has_the_letters_of_the_latex():
    naming = Naming(notation(), FACTS)
    math = ET.fromstring(formula_mathml(FORMS["dZ1"], naming))  # noqa: S314 - our own
    math.find(".//semantics").remove(math.find(".//annotation"))
    assert "".join(math.itertext()) == "dZ2W2⊤⊙𝟙{Z1>0}"


def test_folded_sections_are_details_and_tables_have_scopes():
    html = as_html(DOCUMENT)
    assert html.count("<details>") == 1
    assert "<summary>Numbers</summary>" in html
    assert '<th scope="col">z_1</th>' in html
    assert '<th scope="row">p&lt;2&gt;</th>' in html


def test_headings_descend_by_one():
    deep = Document("t", (Section(("a",), (Section(("b",), (Section(("c",), ()),)),)),))
    assert re.findall(r"<h(\d)", as_html(deep)) == ["1", "2", "3", "4"]


def test_a_fragment_styles_nothing_but_itself():
    fragment = html_fragment(DOCUMENT)
    Reader(fragment)
    style = re.search(r"<style>(.*?)</style>", fragment, re.DOTALL)[1]
    style = re.sub(r"@media[^{]*\{|/\*.*?\*/", "", style)
    selectors = [part.strip() for rule in re.findall(r"([^{}]+)\{[^{}]*\}", style) for part in rule.split(",")]
    assert selectors
    assert all(".chainrule" in selector for selector in selectors)
    assert "<html" not in fragment


def test_light_dark_and_print_are_styled():
    page = as_html(DOCUMENT)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert '<meta name="color-scheme" content="light dark">' in page


def test_labels_are_places():
    row = Row(Symbol("Z"), (Symbol("X"),), label='eq"1')
    assert '<tr id="eq&quot;1">' in as_html(Document("", (Equations((row,)), Paragraph(("x",)))))
