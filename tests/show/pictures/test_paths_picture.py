import numpy as np
import pytest

import chainrule as cr
from chainrule.derivation.paths import Edge, Paths
from chainrule.show.pictures.paths_picture import LISTED, back_derivatives, paths_svg
from picture_support import Picture, check_picture, texts_of, title_of


def product(a, b):
    c = a + b
    d = a * b
    o = c * d / 2
    return o


def diamonds(x):
    for _ in range(10):
        u = x + 1
        v = x * 0.5
        x = u * v
    return x


def layer(W, x, y):
    z = W @ x
    a = np.tanh(z)
    return np.sum((a - y) ** 2)


def shared(w, x):
    h = x
    for _ in range(4):
        h = np.tanh(w * h)
    return h


EXAMPLES = {
    "product": (product, (2, 3)),
    "diamonds": (diamonds, (0.3,)),
    "layer": (layer, (np.array([[1.0, 2.0], [3.0, 0.4]]), np.array([0.1, -0.2]), np.array([1.0, 0.0]))),
    "shared": (shared, (0.7, 0.4)),
    "copy": (lambda x: x * 1.0, (3.0,)),
}


@pytest.fixture(params=EXAMPLES)
def paths(request):
    function, args = EXAMPLES[request.param]
    return cr.paths(function, *args)


def test_nothing_overlaps_and_nothing_lies_outside(paths):
    check_picture(paths_svg(paths))


def test_every_node_and_every_edge_is_drawn_in_both_directions(paths):
    picture = check_picture(paths_svg(paths))
    assert set(picture.nodes) == set(paths.nodes)
    assert set(picture.edges) == {(e.source, e.target) for e in paths.edges}
    assert all(group is not None for edge in picture.edges.values() for group in edge.values())


def test_the_numbers_on_the_edges_are_those_of_the_paths(paths):
    edges = check_picture(paths_svg(paths)).edges
    for e in paths.edges:
        forward, backward = edges[e.source, e.target]["forward"], edges[e.source, e.target]["backward"]
        sent = e.value * paths.gradients[e.target]
        assert float(title_of(forward).split(" = ")[1]) == e.value
        assert float(title_of(backward).split(" = ")[1]) == sent
        assert texts_of(forward) == [f"{e.value + 0.0:.6g}"]
        assert texts_of(backward) == [f"{sent + 0.0:.6g}"]


def test_what_comes_back_to_a_node_adds_up_to_the_derivative_in_it(paths):
    picture = check_picture(paths_svg(paths))
    for node in paths.nodes:
        back = [
            float(title_of(edge["backward"]).split(" = ")[1]) for (s, _), edge in picture.edges.items() if s == node
        ]
        drawn = float(title_of(picture.nodes[node]).rpartition(": ")[2])
        assert drawn == pytest.approx(sum(back) if node != paths.output else 1.0, rel=1e-12)
        assert texts_of(picture.nodes[node])[-1].endswith(f"= {paths.gradients[node] + 0.0:.6g}")


def test_the_values_in_the_nodes_are_those_of_the_paths(paths):
    nodes = check_picture(paths_svg(paths)).nodes
    for node in paths.nodes:
        assert texts_of(nodes[node])[:2] == [node, f"= {paths.values[node] + 0.0:.6g}"]


def test_the_gradients_drawn_are_those_that_grad_gives():
    nodes = check_picture(paths_svg(cr.paths(product, 2, 3))).nodes
    found = [float(title_of(nodes[name]).rpartition(": ")[2]) for name in "ab"]
    assert found == [float(g) for g in cr.grad(product, wrt=(0, 1))(2, 3)] == [10.5, 8.0]


def test_the_paths_stand_below_with_their_products_and_sums():
    texts = [text for text, _ in check_picture(paths_svg(cr.paths(product, 2, 3))).texts]
    rows = [texts[texts.index(start) : texts.index(start) + 3] for start in ("a → c → o", "a → d → o", "∂o/∂a")]
    assert rows == [
        ["a → c → o", "1 × 3", "= 3"],
        ["a → d → o", "3 × 2.5", "= 7.5"],
        ["∂o/∂a", "the sum over 2 paths", "= 10.5"],
    ]


def test_the_counts_are_those_of_the_three_ways():
    paths = cr.paths(product, 2, 3)
    texts = [text for text, _ in check_picture(paths_svg(paths)).texts]
    counts = paths.counts
    at = {way: texts.index(way) for way in ("path by path", "forward mode", "reverse mode")}
    for way, start in at.items():
        key = way.replace(" ", "_")
        assert texts[start + 1] == str(counts[key]["edge_uses"])
        assert texts[start + 2] == str(counts[key].get("edge_uses_inputs_only", counts[key]["edge_uses"]))


def test_of_many_paths_the_first_are_listed_and_the_others_counted():
    texts = [text for text, _ in check_picture(paths_svg(cr.paths(diamonds, 0.3))).texts]
    assert f"and {2**10 - LISTED} more" in texts
    assert sum(text.startswith("x → ") for text in texts) == LISTED


def test_all_inputs_together_list_no_more():
    def f(a, b):
        x = a * b
        for _ in range(4):
            u = x + 1
            v = x * 0.5
            x = u * v
        return x

    texts = [text for text, _ in check_picture(paths_svg(cr.paths(f, 0.3, 0.4))).texts]
    assert sum(text.startswith(("a → ", "b → ")) for text in texts) == LISTED
    assert f"and {2 * 2**4 - LISTED} more" in texts


def test_a_graph_with_two_to_the_200_paths_is_drawn():
    def long(x):
        for _ in range(200):
            u = x + 1
            v = x * 0.5
            x = u * v
        return x

    texts = [text for text, _ in Picture(paths_svg(cr.paths(long, 0.01))).texts]
    assert "and about 2**199 more" in texts  # 2**200 less those that are listed


def test_whole_arrays_have_shapes_and_their_edges_are_jacobians():
    rng = np.random.default_rng(0)
    paths = cr.paths(layer, rng.normal(size=(30, 20)), rng.normal(size=20), rng.normal(size=30))
    picture = check_picture(paths_svg(paths))
    assert texts_of(picture.nodes["W"]) == ["W", "(30, 20)"]
    assert texts_of(picture.edges["W", "z"]["forward"]) == ["Jacobian"]
    assert texts_of(picture.edges["W", "z"]["backward"]) == []
    assert back_derivatives(paths)["W"] is None
    assert not any("the sum over" in text for text, _ in picture.texts)


def test_hostile_names_are_text():
    bad = "<script>alert('x')</script>&\"]]>\x00\u202e"
    edges = (Edge(bad, "y", 2.0), Edge("x" * 300, "y", -3.0))
    paths = Paths((bad, "x" * 300, "y"), (bad, "x" * 300), "y", {bad: 1.0, "x" * 300: 1.0, "y": 5.0}, edges)
    svg = paths_svg(paths)
    picture = check_picture(svg)
    assert len(picture.nodes) == 3
    assert picture.root.find(".//{http://www.w3.org/2000/svg}script") is None


def test_the_same_paths_give_the_same_bytes(paths):
    assert paths_svg(paths) == paths_svg(paths)


def test_one_node_alone_is_drawn():
    check_picture(paths_svg(Paths(("x",), ("x",), "x", {"x": 3.0}, ())))
