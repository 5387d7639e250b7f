import numpy as np
import pytest

from chainrule.errors import ArgumentError
from chainrule.show.pictures.jacobian_picture import jacobian_svg
from picture_support import Picture, check_picture, texts_of, title_of

S = np.array([0.7, 0.2, 0.1])
SOFTMAX = np.diag(S) - np.outer(S, S)
NAMES = {"rows": ("s_1", "s_2", "s_3"), "columns": ("z_1", "z_2", "z_3")}

EXAMPLES = {
    "softmax": (SOFTMAX, NAMES),
    "column": (SOFTMAX, {**NAMES, "column": 1, "title": "softmax"}),
    "diagonal": (np.diag([1.0, 0.0, 1.0]), {}),
    "wide": (np.arange(12.0).reshape(2, 6) * 1e4 / 7, {}),
    "tall": (np.arange(12.0).reshape(6, 2) / 7, {"column": 0}),
    "large": (np.random.default_rng(0).normal(size=(40, 15)), {"column": 14}),
    "number": (np.array([[-2.5]]), {}),
    "long names": (SOFTMAX, {"rows": ("a" * 40, "z^12_345", "L"), "columns": ("W[0,1]", "重み", "b" * 9)}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_overlaps_and_nothing_lies_outside(name):
    matrix, options = EXAMPLES[name]
    check_picture(jacobian_svg(matrix, **options))
    assert jacobian_svg(matrix, **options) == jacobian_svg(matrix, **options)


def test_each_entry_is_on_the_edge_between_its_input_and_its_output():
    found = {
        (g.get("data-target"), g.get("data-source")): (float(title_of(g).split(" = ")[1]), texts_of(g))
        for g in Picture(jacobian_svg(SOFTMAX, **NAMES)).groups
        if g.get("class") == "edge"
    }
    expected = {
        (row, column): (SOFTMAX[i, j], [f"{SOFTMAX[i, j]:.6g}"])
        for i, row in enumerate(NAMES["rows"])
        for j, column in enumerate(NAMES["columns"])
    }
    assert found == expected


def test_an_unsymmetric_matrix_is_not_turned():
    matrix = np.array([[0.0, 5.0], [0.0, 0.0]])
    edges = Picture(jacobian_svg(matrix)).edges
    assert set(edges) == {("x_2", "y_1")}


def test_the_matrix_has_the_same_numbers():
    texts = [text for text, _ in Picture(jacobian_svg(SOFTMAX, **NAMES)).texts]
    start = texts.index("s1") + len(NAMES["rows"])  # after the units come the heads
    cells = texts[start:]
    for i, row in enumerate(("s1", "s2", "s3")):
        at = cells.index(row)
        assert cells[at + 1 : at + 4] == [f"{value:.6g}" for value in SOFTMAX[i]]


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (np.ones(3), {}, "has rows and columns"),
        (np.ones((2, 3)), {"rows": ("a",)}, "1 names for 2 rows"),
        (np.ones((2, 3)), {"column": 3}, "columns 0 to 2"),
        (np.ones((2, 3)), {"column": -1}, "columns 0 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(matrix, options, message):
    with pytest.raises(ArgumentError, match=message):
        jacobian_svg(matrix, **options)
