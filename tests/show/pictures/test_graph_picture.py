import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.compilation import compile_call
from chainrule.derivation.reverse import derive_vjp
from chainrule.show.pictures.graph_picture import graph_svg
from chainrule.show.pictures.statements import PRE_ACTIVATION, cotangents, statements
from picture_support import check_picture, texts_of, title_of

RNG = np.random.default_rng(0)
X, W1, b1, W2, b2 = (RNG.normal(size=shape) for shape in ((6, 4), (4, 5), (5,), (5, 3), (3,)))
Y, y = np.eye(3)[[0, 1, 2, 0, 1, 2]], np.array([0, 1, 2, 0, 1, 2])
WEIGHTS = ("W1", "b1", "W2", "b2")


def loss(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + b2
    P = np.exp(Z2) / np.sum(np.exp(Z2), axis=1, keepdims=True)
    L = -np.mean(np.sum(Y * np.log(P), axis=1))
    return L


def classes(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    return cr.nn.softmax_cross_entropy(Z2, y)


def nested(X, Y, W1, W2):
    A = np.tanh(X @ W1)
    return np.mean((cr.nn.sigmoid(A @ W2) - Y) ** 2)


def recurrent(Wx, Wh, b, X, y):
    h = np.zeros(4)
    for t in range(5):
        z = X[t] @ Wx + h @ Wh + b
        h = np.tanh(z)
    return np.sum((h - y) ** 2)


def unsimplified(function, *args, wrt):
    graph = cr.graph(function, *args)
    return graph, derive_vjp(graph, wrt, seed_one=True).graph


def simplified(function, *args, wrt):
    return compile_call(function, args, {}).graph, compile_call(cr.value_and_grad(function, wrt=wrt), args, {}).graph


EXAMPLES = {
    "forward only": lambda: (cr.graph(loss, X, Y, W1, b1, W2, b2), None),
    "loss": lambda: unsimplified(loss, X, Y, W1, b1, W2, b2, wrt=[2, 3, 4, 5]),
    "loss, simplified": lambda: simplified(loss, X, Y, W1, b1, W2, b2, wrt=WEIGHTS),
    "class numbers": lambda: simplified(classes, X, y, W1, b1, W2, b2, wrt=WEIGHTS),
    "nested": lambda: simplified(nested, X, Y, W1, W2, wrt=("W1", "W2")),
    "recurrent": lambda: unsimplified(
        recurrent,
        RNG.normal(size=(3, 4)),
        RNG.normal(size=(4, 4)),
        b1[:4],
        RNG.normal(size=(5, 3)),
        b1[1:],
        wrt=[0, 1, 2],
    ),
    "derived": lambda: (compile_call(cr.grad(loss, wrt=WEIGHTS), (X, Y, W1, b1, W2, b2), {}).graph, None),
}


@pytest.fixture(params=EXAMPLES)
def graphs(request):
    return EXAMPLES[request.param]()


@pytest.mark.parametrize("operators", [False, True])
def test_nothing_overlaps_and_nothing_lies_outside(graphs, operators):
    check_picture(graph_svg(*graphs, operators=operators, title="A title"))


def names_of(graph, *, operators=False):
    return {str(number): node.name for number, node in statements(graph, operators=operators).items()}


def drawn(graph, backward=None, direction="forward"):
    names = names_of(graph)
    edges = check_picture(graph_svg(graph, backward)).edges
    return {(names[s], names[t]) for (s, t), groups in edges.items() if groups[direction] is not None}


FORWARD = {
    ("X", "Z1"), ("W1", "Z1"), ("b1", "Z1"), ("Z1", "A1"), ("A1", "Z2"), ("W2", "Z2"), ("b2", "Z2"), ("Z2", "P"), ("P", "L"),
    ("Y", "L"),
}  # fmt: skip


def test_the_edges_are_the_statements_of_the_user():
    assert drawn(cr.graph(loss, X, Y, W1, b1, W2, b2)) == FORWARD


def test_every_operand_of_every_equation_is_an_edge_when_operators_are_shown():
    graph = cr.graph(loss, X, Y, W1, b1, W2, b2)
    edges = check_picture(graph_svg(graph, operators=True)).edges
    assert set(edges) == {(str(i), str(e.output)) for e in graph.equations for i in e.inputs if type(i) is int}


def test_the_backward_pass_runs_over_the_same_edges():
    graphs = unsimplified(loss, X, Y, W1, b1, W2, b2, wrt=[2, 3, 4, 5])
    assert drawn(*graphs) == FORWARD
    assert drawn(*graphs, direction="backward") == FORWARD - {("X", "Z1"), ("Y", "L")}


def test_a_fused_step_passes_the_nodes_that_it_fuses():
    graphs = simplified(loss, X, Y, W1, b1, W2, b2, wrt=WEIGHTS)
    backward = drawn(*graphs, direction="backward")
    assert backward == FORWARD - {("X", "Z1"), ("Y", "L"), ("Z2", "P"), ("P", "L")} | {("Z2", "L")}
    assert ("Z2", "L") not in drawn(*graphs)


def test_a_card_tells_how_its_cotangent_is_made():
    graph, backward = simplified(classes, X, y, W1, b1, W2, b2, wrt=WEIGHTS)
    names = names_of(graph)
    texts = {names[key]: texts_of(g) for key, g in check_picture(graph_svg(graph, backward)).nodes.items()}
    assert texts["Z2"] == ["Z2", "= A1 @ W2 + b2", "(N, 3)", "dZ2 = (P - Y) / N"]
    assert texts["W1"] == ["W1", "(4, 5)", "dW1 = X.T @ dZ1"]
    assert texts["A1"] == ["A1", "= np.tanh(Z1)", "(N, 5)", "dA1 = dZ2 @ W2.T"]
    assert texts["b2"] == ["b2", "(3,)", "db2 = dZ2.sum(axis=0)"]
    assert texts["X"] == ["X", "(N, 4)"]


def test_a_backward_edge_tells_what_is_read():
    graph, backward = simplified(classes, X, y, W1, b1, W2, b2, wrt=WEIGHTS)
    number = {name: key for key, name in names_of(graph).items()}
    edges = check_picture(graph_svg(graph, backward)).edges
    assert title_of(edges[number["W2"], number["Z2"]]["backward"]) == "dW2 = A1.T @ dZ2; made from dZ2; reads A1"


def test_an_affine_map_inside_of_an_activation_is_a_node_of_its_own():
    nodes = statements(cr.graph(nested, X, Y, W1, W2))
    inner = [node for node in nodes.values() if node.name == PRE_ACTIVATION]
    assert [node.text for node in inner] == ["X @ W1", "A @ W2"]
    reads = {node.name: [nodes[s].name for s in node.sources] for node in nodes.values()}
    assert reads["A"] == [PRE_ACTIVATION]


def test_what_goes_into_a_folded_function_is_a_pre_activation_too():
    graph = cr.graph(lambda X, y, W1: cr.nn.softmax_cross_entropy(X @ W1, y), X, y, W1)
    assert [node.text for node in statements(graph).values() if node.name == PRE_ACTIVATION] == ["X @ W1"]


def test_a_named_pre_activation_gets_no_second_node():
    assert PRE_ACTIVATION not in names_of(cr.graph(classes, X, y, W1, b1, W2, b2)).values()


def test_what_a_loop_binds_again_gets_the_cotangent_of_its_own_step():
    graph, backward = EXAMPLES["recurrent"]()
    nodes = statements(graph)
    bars = cotangents(nodes, backward)
    made = {nodes[n].name: sorted(nodes[s].name for s in bar.made_from) for n, bar in bars.items()}
    steps = {f"z{t}": [f"h{t}"] for t in range(1, 6)} | {f"h{t}": [f"z{t + 1}"] for t in range(1, 5)}
    assert {name: made[name] for name in steps} == steps
    assert made["Wh"] == [f"z{t}" for t in range(1, 6)]
    assert {bar.name for bar in bars.values()} >= {"dz1", "dh5", "dWx"}


def test_names_that_are_bound_again_and_not_numbered_are_matched_backwards():
    graph = cr.graph(recurrent, X[:3].T[:3, :3] @ np.ones((3, 4)), np.eye(4), b1[:4], RNG.normal(size=(5, 3)), b1[1:])
    for variable in graph.variables:
        if variable.name and variable.name[0] in "zh":
            variable.name = variable.name[0]
    nodes = statements(graph)
    bars = cotangents(nodes, derive_vjp(graph, [0, 1, 2], seed_one=True).graph)
    z = [n for n, node in nodes.items() if node.name == "z"]
    h = [n for n, node in nodes.items() if node.name == "h"]
    assert [bars[n].made_from for n in z] == [(n,) for n in h[-5:]]
    assert [nodes[n].kind for n in bars[h[-1]].made_from] == ["out"]


def test_a_forward_name_that_looks_like_a_cotangent_is_none():
    def f(Z, dZ):
        A = Z * dZ
        return np.sum(A)

    graph, backward = unsimplified(f, b1, b1, wrt=[0])
    nodes = statements(graph)
    bars = {nodes[n].name: bar for n, bar in cotangents(nodes, backward).items()}
    assert "dZ" not in bars
    assert bars["Z"].made_from


def test_a_seed_that_is_an_argument_is_the_cotangent_of_the_result():
    def f(X, W1):
        Z = X @ W1
        return Z

    graph = cr.graph(f, X, W1)
    nodes = statements(graph)
    bars = cotangents(nodes, derive_vjp(graph, [1]).graph)
    made = {nodes[n].name: [nodes[s].name for s in bar.made_from] for n, bar in bars.items()}
    assert made == {"Z": [], "W1": ["Z"]}
    assert drawn(graph, derive_vjp(graph, [1]).graph, "backward") == {("W1", "Z")}


def test_the_gradient_of_a_gradient_is_drawn():
    def slope(W1):
        return np.sum(cr.grad(lambda W1: np.sum(np.tanh(X @ W1)))(W1) ** 2)

    graph, backward = unsimplified(slope, W1, wrt=[0])
    check_picture(graph_svg(graph, backward))
    check_picture(graph_svg(graph, backward, operators=True))
    nodes = statements(graph)
    bars = cotangents(nodes, backward)
    number = next(n for n, node in nodes.items() if node.name == "W1")
    assert bars[number].made_from


def test_dead_code_is_not_drawn():
    def f(x):
        unused = x * 2  # noqa: F841  the point of it
        used = x * 3
        return np.sum(used)

    assert set(names_of(cr.graph(f, b1)).values()) == {"x", "used", "output"}


def test_hostile_names_are_text():
    graph = cr.graph(loss, X, Y, W1, b1, W2, b2)
    graph.variables[0].name = "<b>&\"'</svg>\x00"
    graph.variables[1].name = "重" * 200
    picture = check_picture(graph_svg(graph, title="<i>"))
    assert picture.root.find(".//{http://www.w3.org/2000/svg}b") is None
    assert texts_of(picture.nodes["0"])[0] == "<b>&\"'</svg>\ufffd"


def test_a_result_that_is_an_argument_is_drawn():
    check_picture(graph_svg(cr.graph(lambda x: x, b1)))


def test_the_same_graph_gives_the_same_bytes_in_every_process():
    program = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2])!r}]\n"
        "import hashlib, test_graph_picture as t\n"
        "svgs = [t.graph_svg(*t.EXAMPLES[k]()) for k in ('loss', 'class numbers', 'recurrent')]\n"
        "print(hashlib.sha256(''.join(svgs).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment(seed)
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def environment(seed):
    source = str(Path(cr.__file__).parent.parent)
    return {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source}
