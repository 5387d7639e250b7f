from itertools import combinations, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import GraphError
from chainrule.show.pictures.layered import Link, Size, arrange, rank

BOX = Size(60, 40)


@st.composite
def graphs(draw):
    """A graph without cycles: edges lead from smaller to larger numbers; some have labels."""
    count = draw(st.integers(1, 14))
    names = [f"n{i}" for i in range(count)]
    nodes = {name: Size(draw(st.integers(10, 150)), draw(st.integers(10, 60))) for name in names}
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    labels = draw(st.booleans())
    links = [Link(names[i], names[j], Size(draw(st.integers(5, 90)), 20) if labels else None) for i, j in chosen]
    return nodes, links


def overlap(a, b):
    return abs(a.x - b.x) < (a.width + b.width) / 2 - 1e-6 and abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-6


@given(graphs())
def test_no_two_boxes_or_labels_overlap_in_any_graph(graph):
    layout = arrange(*graph)
    things = [*layout.boxes.values(), *filter(None, layout.labels)]
    for a, b in combinations(things, 2):
        assert not overlap(a, b)
    for box in things:
        assert -1e-6 <= box.x - box.width / 2
        assert box.x + box.width / 2 <= layout.width + 1e-6
        assert -1e-6 <= box.y - box.height / 2
        assert box.y + box.height / 2 <= layout.height + 1e-6


@given(graphs())
def test_no_edge_touches_a_box_or_a_label_that_is_not_its_own(graph):
    nodes, links = graph
    layout = arrange(nodes, links)
    for link, route in zip(links, layout.routes, strict=True):
        own = {link.source, link.target}
        strangers = [box for name, box in layout.boxes.items() if name not in own]
        strangers += [b for other, b in zip(links, layout.labels, strict=True) if b and other is not link]
        for (x0, y0), (x1, y1) in pairwise(route):
            assert x1 >= x0 - 1e-6  # a piece of a curve stays in the rectangle between its ends
            for box in strangers:
                apart = x1 <= box.x - box.width / 2 + 1e-6 or x0 >= box.x + box.width / 2 - 1e-6
                above, below = max(y0, y1) <= box.y - box.height / 2, min(y0, y1) >= box.y + box.height / 2
                assert apart or above or below


@given(graphs())
def test_a_route_leads_from_its_source_to_its_target_and_bears_its_label(graph):
    nodes, links = graph
    layout = arrange(nodes, links)
    for link, route, label in zip(links, layout.routes, layout.labels, strict=True):
        source, target = layout.boxes[link.source], layout.boxes[link.target]
        assert route[0][0] == source.x + source.width / 2
        assert abs(route[0][1] - source.y) <= source.height / 2
        assert route[-1][0] == target.x - target.width / 2
        assert abs(route[-1][1] - target.y) <= target.height / 2
        assert (label is None) == (link.label is None)
        if label:
            flat = [(a, b) for a, b in pairwise(route) if a[1] == b[1] == label.y]
            assert any(
                a[0] <= label.x - label.width / 2 + 1e-6 and label.x + label.width / 2 <= b[0] + 1e-6 for a, b in flat
            )


@given(graphs())
def test_the_same_graph_gives_the_same_layout(graph):
    first, second = arrange(*graph), arrange(*graph)
    assert (first.boxes, first.routes, first.labels) == (second.boxes, second.routes, second.labels)


def test_medians_take_out_every_crossing_that_need_not_be():
    names = [f"{side}{i}" for side in "ab" for i in range(8)]
    links = [Link(f"a{i}", f"b{7 - i}") for i in range(8)]
    assert arrange(dict.fromkeys(names, BOX), links).crossings == 0


def test_a_tree_in_disorder_is_drawn_without_crossings():
    names = [f"n{i}" for i in range(1, 32)]
    Random(1).shuffle(names)
    links = [Link(f"n{i // 2}", f"n{i}") for i in range(2, 32)]
    assert arrange(dict.fromkeys(names, BOX), links).crossings == 0


def test_the_label_of_a_long_edge_stands_between_columns_of_nodes():
    label = Size(30, 20)
    layout = arrange(dict.fromkeys("abc", BOX), [Link("a", "b", label), Link("b", "c", label), Link("a", "c", label)])
    assert {box.x for box in layout.boxes.values()}.isdisjoint(box.x for box in layout.labels)


def test_crossings_that_must_be_are_counted():
    links = [Link(a, b) for a in ("a1", "a2", "a3") for b in ("b1", "b2", "b3")]
    assert arrange(dict.fromkeys(("a1", "a2", "a3", "b1", "b2", "b3"), BOX), links).crossings == 9


def test_a_chain_is_straight():
    links = [Link("a", "b"), Link("b", "c"), Link("c", "d")]
    layout = arrange(dict.fromkeys("abcd", BOX), links)
    assert len({box.y for box in layout.boxes.values()}) == 1
    assert all(y == layout.boxes["a"].y for route in layout.routes for _, y in route)


def test_the_rank_is_the_longest_way_and_inputs_stand_beside_what_reads_them():
    links = [Link("x", "u"), Link("u", "v"), Link("v", "w"), Link("p", "w"), Link("x", "w")]
    assert rank(list("xuvwp"), links) == {"x": 0, "u": 1, "v": 2, "w": 3, "p": 2}


def test_what_is_made_of_one_input_alone_moves_with_it():
    links = [Link("x", "u"), Link("u", "v"), Link("v", "w"), Link("p", "q"), Link("q", "w")]
    assert rank(list("xuvwpq"), links) == {"x": 0, "u": 1, "v": 2, "w": 3, "p": 1, "q": 2}


def test_edges_from_one_node_share_a_lane_and_branch_off():
    steps = [Link(f"h{i}", f"h{i + 1}") for i in range(6)]
    layout = arrange(
        dict.fromkeys(["W", *(f"h{i}" for i in range(7))], BOX), [*steps, *(Link("W", f"h{i}") for i in range(7))]
    )
    shared = [route for route in layout.routes[6:] if len(route) > 4]
    assert len({route[2] for route in shared}) == 1
    assert layout.height < 4 * BOX.height


def test_a_circle_is_refused_with_its_nodes():
    with pytest.raises(GraphError, match="a, b"):
        arrange(dict.fromkeys("abc", BOX), [Link("a", "b"), Link("b", "a"), Link("b", "c")])


def test_thousands_of_nodes_in_a_row_are_no_trouble():
    names = [f"n{i}" for i in range(3000)]
    layout = arrange(dict.fromkeys(names, BOX), [Link(a, b) for a, b in pairwise(names)])
    assert layout.boxes["n2999"].x > layout.boxes["n2998"].x


def test_a_graph_without_nodes_has_no_size():
    layout = arrange({}, [])
    assert (layout.width, layout.height) == (0.0, 0.0)
