"""The costumes of a derivation, its files, and how it answers in a notebook and a terminal."""

import io

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError


def loss(X, W):
    Z = X @ W
    return np.mean(Z**2)


@pytest.fixture
def d():
    return cr.derive(loss, np.arange(6.0).reshape(3, 2), np.ones((2, 2)), wrt="W")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("d.txt", "The derivation"), ("d.tex", "\\documentclass"), ("d.md", "# "), ("d.HTML", "<!DOCTYPE")],
)
def test_the_suffix_decides(d, tmp_path, name, begins):
    path = d.save(tmp_path / name, "summary")
    assert path.read_text(encoding="utf-8").startswith(begins)
    with pytest.raises(ArgumentError, match="overwrite=True"):
        d.save(path)
    d.save(path, overwrite=True)


def test_another_suffix_is_refused(d, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.txt, \.tex, \.md, \.html"):
        d.save(tmp_path / "d.pdf")


def test_notebook_and_terminal(d):
    from rich.console import Console

    assert "<math" in d._repr_html_()
    assert "dW" in d._repr_latex_()
    assert "$$" in d._repr_markdown_()
    out = io.StringIO()
    Console(file=out, width=70).print(d)
    assert max(map(len, out.getvalue().splitlines())) <= 70
    assert repr(d) == "<derivation of loss: 4 lines, gradients dW>"
    assert repr(d["dW"]) == "<dW = Xᵀ @ dZ>"


def test_a_line_by_name(d):
    np.testing.assert_allclose(d["dW"].value, cr.grad(loss, wrt="W")(np.arange(6.0).reshape(3, 2), np.ones((2, 2))))
    assert d["W"].name == "dW"
    assert d["dW"].shape == (2, 2)
    with pytest.raises(ArgumentError, match="no line 'dX'"):
        d["dX"]


def test_notations_and_symbols(d):
    assert "\\frac{\\partial" in d.latex(notation="partial")
    assert "\\delta^{1}" in d.latex(notation="nielsen")
    assert "\\zeta" in d.latex(symbols={"Z": r"\zeta"})
    assert "d\\zeta" in d.latex(symbols={"Z": r"\zeta"}).replace(" ", "")


def test_shapes_stand_under_symbols_where_they_are_set(d):
    assert d.html("summary") != d.html("summary", shapes=False)
    assert d.html("proof") == d.html("proof", shapes=False)
    assert "(3,2)" not in d.text("summary")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"level": "profs"}, "did you mean 'proof'"),
        ({"layout": "rows"}, "choose one of 'own', 'both'"),
        ({"notation": "neilsen"}, "nielsen"),
        ({"colour": True}, "'colour' is no way of showing"),
    ],
)
def test_what_cannot_be_shown_is_told(d, how, says):
    with pytest.raises(ArgumentError, match=says):
        d.text(**how)
