"""`cr.draw`: what can be drawn, the files, and what is refused."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError


def f(a, b):
    c = a + b
    d = a * b
    return c * d / 2


def things():
    X, W = np.ones((3, 2)), np.ones((2, 2))
    return {
        "paths": (cr.paths(f, 2, 3), {}),
        "graph": (cr.graph(f, 2.0, 3.0), {"operators": True, "title": "a < b"}),
        "derivation": (cr.derive(lambda X, W: np.mean((X @ W) ** 2), X, W), {}),
        "sizes": ((2, 4, 4, 3), {"path": ("a^1_1", "z^2_1")}),
        "network": (cr.nn.mlp(2, 3, 2), {}),
        "jacobian": (np.eye(3), {"rows": ("p", "q", "r"), "column": 1}),
    }


@pytest.mark.parametrize("name", list(things()))
def test_everything_is_one_svg_that_can_be_read(name):
    what, options = things()[name]
    picture = cr.draw(what, **options)
    assert ET.fromstring(picture.svg).tag.endswith("svg")  # noqa: S314 - our own picture
    assert picture._repr_svg_() == picture.svg
    assert "<script" not in picture.svg


@pytest.mark.parametrize("name", ["paths", "graph", "derivation"])
def test_graphs_have_graphviz_text(name, tmp_path):
    what, options = things()[name]
    picture = cr.draw(what, **options)
    assert picture.to_dot().startswith("digraph {")
    assert picture.save(tmp_path / "g.dot").read_text().startswith("digraph {")


def test_files_are_not_overwritten(tmp_path):
    picture = cr.draw((2, 3))
    path = picture.save(tmp_path / "net.svg")
    assert path.read_text(encoding="utf-8").startswith("<svg")
    with pytest.raises(ArgumentError, match="overwrite=True"):
        picture.save(path)
    picture.save(path, overwrite=True)
    with pytest.raises(ArgumentError, match=r"\.svg or \.dot"):
        picture.save(tmp_path / "net.png")
    with pytest.raises(ArgumentError, match="only pictures of graphs"):
        picture.to_dot()


@pytest.mark.parametrize(
    ("what", "options", "says"),
    [
        ("a text", {}, "there is no picture of a str"),
        (np.ones(3), {}, "a Jacobian with two axes"),
        ((2, 3), {"rows": ("a",)}, "'rows' is no option of a picture of tuple"),
        (np.eye(2), {"path": ()}, "it has rows, columns, column"),
    ],
)
def test_what_cannot_be_drawn_is_refused(what, options, says):
    with pytest.raises(ArgumentError, match=says):
        cr.draw(what, **options)
