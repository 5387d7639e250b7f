import re

import numpy as np

import chainrule as cr
from chainrule.derivation.paths import Edge, Paths
from chainrule.derivation.reverse import derive_vjp
from chainrule.show.pictures.to_dot import to_dot

STRING = r'"(?:[^"\\]|\\.)*"'


def statements_of(dot):
    """A reader of the little of Graphviz that is written here: nodes and edges with their attributes."""
    lines = dot.split("\n")
    assert (lines[0], lines[1], lines[-1]) == ("digraph {", "  rankdir=LR;", "}")
    nodes, edges = {}, []
    for line in lines[4:-1]:
        attributes = rf"(?: \[((?:\w+=(?:{STRING}|\w+)(?:, )?)+)\])?"
        if found := re.fullmatch(rf"  ({STRING}) -> ({STRING}){attributes};", line):
            edges.append(found.groups())
        else:
            found = re.fullmatch(rf"  ({STRING}){attributes};", line)
            assert found, line
            nodes[found[1]] = found[2]
    return nodes, edges


def f(a, b):
    c = a + b
    d = a * b
    o = c * d / 2
    return o


def test_every_edge_of_paths_is_written_in_both_directions():
    paths = cr.paths(f, 2, 3)
    nodes, edges = statements_of(to_dot(paths))
    assert list(nodes) == [f'"{node}"' for node in paths.nodes]
    forward = [(s, t, label) for s, t, label in edges if "dashed" not in label]
    assert forward == [(f'"{e.source}"', f'"{e.target}"', f'label="{e.value:g}"') for e in paths.edges]
    backward = {(t, s): label for s, t, label in edges if "dashed" in label}
    assert set(backward) == {(f'"{e.source}"', f'"{e.target}"') for e in paths.edges}
    assert backward['"a"', '"d"'].startswith('label="7.5"')


def test_a_graph_is_written_with_its_backward_pass():
    def loss(X, W):
        Z = X @ W
        A = np.tanh(Z)
        return np.sum(A)

    graph = cr.graph(loss, np.ones((2, 3)), np.ones((3, 2)))
    nodes, edges = statements_of(to_dot(graph, derive_vjp(graph, [1], seed_one=True).graph))
    assert len(nodes) == 5
    assert sum("dashed" in (label or "") for _, _, label in edges) == 3
    assert sum("dashed" not in (label or "") for _, _, label in edges) == 4
    assert 'label="Z\\n(2, 2)\\ndZ"' in nodes.values()


def test_hostile_names_stay_inside_of_their_strings():
    names = ['a"]; b -> c; "', "back\\", "\\N\\G", "<b>html</b>", "two\nlines", "\x00"]
    edges = tuple(Edge(name, "o", 1.0) for name in names)
    nodes, arrows = statements_of(
        to_dot(Paths((*names, "o"), tuple(names), "o", dict.fromkeys((*names, "o"), 1.0), edges))
    )
    assert len(nodes) == len(names) + 1
    assert len(arrows) == 2 * len(names)


def test_whole_arrays_have_shapes():
    paths = cr.paths(lambda W, x: np.sum(W @ x), np.ones((20, 30)), np.ones(30))
    nodes, edges = statements_of(to_dot(paths))
    assert nodes['"W"'] == 'label="W\\n(20, 30)"'
    assert all(label == 'label="Jacobian"' for _, _, label in edges)
