from itertools import pairwise

import numpy as np
import pytest

from chainrule.errors import ArgumentError
from chainrule.show.pictures.network_picture import network_svg
from picture_support import NAMESPACE, Picture, check_picture, texts_of, title_of

RNG = np.random.default_rng(0)
SIZES = (2, 4, 4, 3)
WEIGHTS = [RNG.normal(size=shape) for shape in ((4, 2), (4, 4), (3, 4))]
PATH = ("a^1_2", "z^2_1", "a^2_1", "z^3_4", "a^3_4", "z^4_2", "a^4_2")
WIDE = RNG.normal(size=(10, 256))

EXAMPLES = {
    "plain": ((SIZES,), {}),
    "weights": ((SIZES,), {"weights": WEIGHTS, "title": "2 - 4 - 4 - 3"}),
    "path": ((SIZES,), {"weights": WEIGHTS, "path": PATH}),
    "jacobian": ((SIZES,), {"jacobian": WEIGHTS[1], "between": ("a^2", "z^3")}),
    "column": ((SIZES,), {"jacobian": WEIGHTS[1], "between": ("a^2", "z^3"), "column": 1, "weights": WEIGHTS}),
    "activation": ((SIZES,), {"jacobian": np.diag([0.25, 0.5, 0.0, 1.0]), "between": ("z^2", "a^2")}),
    "two columns on": ((SIZES,), {"jacobian": WEIGHTS[1], "between": ("z^2", "z^3"), "column": 2}),
    "large": (((784, 256, 10),), {"jacobian": WIDE, "between": ("a^2", "z^3"), "column": 3}),
    "six": (((6, 6, 6),), {"weights": [RNG.normal(size=(6, 6)) * 1e5 for _ in range(2)]}),
    "one": (((1, 1),), {}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_overlaps_and_nothing_lies_outside(name):
    args, options = EXAMPLES[name]
    check_picture(network_svg(*args, **options))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_network_gives_the_same_bytes(name):
    args, options = EXAMPLES[name]
    assert network_svg(*args, **options) == network_svg(*args, **options)


def classes_of(svg):
    """The classes of the lines of each edge."""
    return {
        (g.get("data-source"), g.get("data-target")): [p.get("class") for p in g.iter(f"{NAMESPACE}path")]
        for g in Picture(svg).groups
        if g.get("class") == "edge"
    }


def test_units_and_wires_are_those_of_the_network():
    picture = check_picture(network_svg(SIZES))
    columns = [("a^1", 2), ("z^2", 4), ("a^2", 4), ("z^3", 4), ("a^3", 4), ("z^4", 3), ("a^4", 3)]
    assert set(picture.nodes) == {f"{name}_{j + 1}" for name, count in columns for j in range(count)}
    dense = {
        (f"a^{layer}_{k + 1}", f"z^{layer + 1}_{j + 1}")
        for layer, (before, here) in enumerate(pairwise(SIZES), 1)
        for k in range(before)
        for j in range(here)
    }
    straight = {(f"z^{layer}_{j + 1}", f"a^{layer}_{j + 1}") for layer in (2, 3, 4) for j in range(SIZES[layer - 1])}
    assert set(picture.edges) == dense | straight


def test_pre_activations_and_activations_are_columns_of_their_own():
    boxes = check_picture(network_svg(SIZES)).boxes
    lefts = [boxes[name].left for name in ("a^1_1", "z^2_1", "a^2_1", "z^3_1", "a^3_1", "z^4_1", "a^4_1")]
    assert lefts == sorted(set(lefts))
    assert boxes["z^2_3"].top == boxes["a^2_3"].top


def test_the_weight_on_a_wire_is_that_of_its_row_and_column():
    for group in Picture(network_svg(SIZES, weights=WEIGHTS)).groups:
        if group.get("class") == "edge" and group.get("data-source")[0] == "a":
            (_, k), (after, j) = (group.get(f"data-{end}").split("_") for end in ("source", "target"))
            weight = WEIGHTS[int(after[2:]) - 2][int(j) - 1, int(k) - 1]
            assert texts_of(group) == [f"{weight:.6g}"]
            assert float(title_of(group).split(": ")[1]) == weight


def test_the_edges_of_a_column_lead_backward_into_its_unit():
    svg = network_svg(SIZES, jacobian=WEIGHTS[1], between=("a^2", "z^3"), column=1)
    backward = {edge for edge, kinds in classes_of(svg).items() if "wire b" in kinds}
    assert backward == {("a^2_2", f"z^3_{i}") for i in range(1, 5)}
    numbers = {
        g.get("data-target"): float(title_of(g).split(": ")[1])
        for g in Picture(svg).groups
        if g.get("class") == "edge" and g.get("data-source") == "a^2_2"
    }
    assert numbers == {f"z^3_{i + 1}": WEIGHTS[1][i, 1] for i in range(4)}


def test_the_head_of_a_backward_edge_is_at_the_earlier_unit():
    picture = Picture(network_svg(SIZES, jacobian=WEIGHTS[1], between=("a^2", "z^3"), column=1))
    heads = [p for p in picture.root.iter(f"{NAMESPACE}path") if p.get("class") == "hb"]
    assert len(heads) == 4
    tip = picture.boxes["a^2_2"].right
    assert all(float(p.get("d")[1:].split()[0]) == tip for p in heads)


def test_an_entry_that_is_zero_is_no_edge():
    svg = network_svg(SIZES, jacobian=np.diag([0.25, 0.5, 0.0, 1.0]), between=("z^2", "a^2"))
    backward = {edge for edge, kinds in classes_of(svg).items() if "wire b" in kinds}
    assert backward == {(f"z^2_{i}", f"a^2_{i}") for i in (1, 2, 4)}


def test_between_columns_that_are_no_neighbours_the_way_is_drawn():
    svg = network_svg(SIZES, jacobian=WEIGHTS[1], between=("z^2", "z^3"), column=2)
    backward = {edge for edge, kinds in classes_of(svg).items() if "wire b" in kinds}
    assert backward == {("z^2_3", "a^2_3")} | {("a^2_3", f"z^3_{i}") for i in range(1, 5)}


def test_the_matrix_below_has_the_numbers_of_the_jacobian():
    texts = [text for text, _ in Picture(network_svg(SIZES, jacobian=WEIGHTS[1], between=("z^2", "z^3"))).texts]
    for row in WEIGHTS[1]:
        cells = [f"{value:.6g}" for value in row]
        start = texts.index(cells[0])
        assert texts[start : start + 4] == cells


def test_a_path_is_bold():
    kinds = classes_of(network_svg(SIZES, path=PATH))
    assert {edge for edge, classes in kinds.items() if "wire f thick" in classes} == set(pairwise(PATH))


def test_of_a_large_layer_the_first_units_and_the_last_are_shown():
    picture = Picture(network_svg((784, 256, 10)))
    assert [name for name in picture.nodes if name.startswith("a^1")] == [
        *(f"a^1_{k}" for k in range(1, 11)),
        "a^1_784",
    ]
    assert [name for name in picture.nodes if name.startswith("z^3")] == [f"z^3_{k}" for k in range(1, 11)]
    assert sum(text == "⋮" for text, _ in picture.texts) == 3


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (((3,),), {}, "two layers"),
        (((3, 0),), {}, "two layers"),
        ((SIZES,), {"weights": WEIGHTS[:2]}, "one for each layer"),
        ((SIZES,), {"weights": [w.T for w in WEIGHTS]}, "pass its transpose"),
        ((SIZES,), {"column": 1}, "give jacobian="),
        ((SIZES,), {"jacobian": WEIGHTS[1]}, "name the earlier and the later column"),
        ((SIZES,), {"jacobian": WEIGHTS[1], "between": ("z^3", "a^2")}, "swap them"),
        ((SIZES,), {"jacobian": WEIGHTS[0].T, "between": ("a^1", "z^2")}, r"has shape \(4, 2\), this one \(2, 4\)"),
        ((SIZES,), {"jacobian": WEIGHTS[1], "between": ("a^2", "z^3"), "column": 4}, "columns 0 to 3"),
        ((SIZES,), {"path": ("a^1_3",)}, "path names 'a\\^1_3'"),
        ((SIZES,), {"path": ("a^1_1", "a^2_1")}, "no wire leads from a\\^1_1 to a\\^2_1"),
        ((SIZES,), {"path": ("z^2_1", "a^2_2")}, "no wire leads from z\\^2_1 to a\\^2_2"),
    ],
)
def test_what_does_not_fit_is_refused_with_names(args, options, message):
    with pytest.raises(ArgumentError, match=message):
        network_svg(*args, **options)
