"""Paths, their products and their number, and what the three ways of walking them cost."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.derivation.paths import LISTED, big
from chainrule.errors import ArgumentError


def o(a, b):
    c = a + b
    d = a * b
    return c * d / 2


def test_the_first_graph():
    paths = cr.paths(o, 2, 3)
    assert paths.nodes == ("a", "b", "c", "d", "o")
    assert paths.inputs == ("a", "b")
    assert paths.output == "o"
    assert paths.values == {"a": 2, "b": 3, "c": 5, "d": 6, "o": 15}
    assert paths.numbers == {"a": 2, "b": 2, "c": 1, "d": 1, "o": 1}
    assert paths.gradients == {"a": 10.5, "b": 8, "c": 3, "d": 2.5, "o": 1}
    assert paths.tangents("a") == {"a": 1, "c": 1, "d": 3, "o": 10.5}
    assert [(str(p), p.product) for p in paths.paths_from("a")] == [("a -> c -> o", 3), ("a -> d -> o", 7.5)]
    assert paths.counts["path_by_path"]["edge_uses"] == 10
    assert paths.counts["reverse_mode"]["edge_uses"] == 6


def test_the_table():
    assert str(cr.paths(o, 2, 3)) == (
        "o = 15, by way of c, d\n"
        "\n"
        "local partial derivatives\n"
        "  dc/da  = 1\n"
        "  dc/db  = 1\n"
        "  dd/da  = 3\n"
        "  dd/db  = 2\n"
        "  do/dc  = 3\n"
        "  do/dd  = 2.5\n"
        "\n"
        "paths to o\n"
        "  a -> c -> o  1 * 3    = 3\n"
        "  a -> d -> o  3 * 2.5  = 7.5\n"
        "  do/da        2 paths  = 10.5\n"
        "\n"
        "  b -> c -> o  1 * 3    = 3\n"
        "  b -> d -> o  2 * 2.5  = 5\n"
        "  do/db        2 paths  = 8\n"
        "\n"
        "  c -> o       3        = 3\n"
        "  do/dc        1 path   = 3\n"
        "\n"
        "  d -> o       2.5      = 2.5\n"
        "  do/dd        1 path   = 2.5\n"
        "\n"
        "products with a local derivative      (inputs only)\n"
        "  path by path  10  (8)\n"
        "  forward mode  10  (8)  4 sweeps (2)\n"
        "  reverse mode  6        1 sweep"
    )


def test_unnamed_intermediates_belong_to_their_statement():
    def f(x):
        y = np.sin(x * x + 1) * x
        return y**2

    paths = cr.paths(f, 0.5)
    assert paths.nodes == ("x", "y", "f")
    assert [(e.source, e.target) for e in paths.edges] == [("x", "y"), ("y", "f")]
    assert paths.edges[0].value == pytest.approx(np.cos(1.25) * 2 * 0.25 + np.sin(1.25), rel=1e-14)
    assert paths.gradients["x"] == pytest.approx(cr.grad(f)(0.5), rel=1e-14)


def test_chosen_nodes():
    def f(x):
        p = np.exp(x)
        q = p * x
        r = q + p
        return r * q

    everything = cr.paths(f, 0.3)
    few = cr.paths(f, 0.3, nodes=("x", "q"))
    assert few.nodes == ("x", "q", "f")
    assert few.gradients["x"] == pytest.approx(everything.gradients["x"], rel=1e-14)
    assert cr.paths(f, 0.3, nodes="x").numbers == {"x": 1, "f": 1}
    with pytest.raises(ArgumentError, match="nodes names 'z'; the named variables are x, p, q, r, f"):
        cr.paths(f, 0.3, nodes="z")


def test_another_output():
    def f(x):
        z = np.stack([x[0] * x[1], x[1] + 1.0])
        return np.sum(z**2)

    paths = cr.paths(f, np.array([2.0, 3.0]), of="z[0]")
    assert paths.gradients == {"x[0]": 3, "x[1]": 2, "z[0]": 1}
    with pytest.raises(ArgumentError, match="of is 'q'"):
        cr.paths(f, np.array([2.0, 3.0]), of="q")
    with pytest.raises(ArgumentError, match="choose one entry"):
        cr.paths(lambda x: x * 2, np.array([2.0, 3.0]))


def test_arrays_are_taken_apart_by_structure_not_by_value():
    """A ReLU that is off still is an edge; entries that never meet are not."""

    def f(x, W):
        z = W @ x
        a = np.maximum(0, z)
        m = np.max(a)
        return m * np.sum(a)

    paths = cr.paths(f, np.array([1.0, -2.0]), np.array([[1.0, 0.0], [0.0, 3.0], [-1.0, 1.0]]))
    edges = {(e.source, e.target) for e in paths.edges}
    assert {("x[0]", "z[0]"), ("x[1]", "z[0]"), ("W[0,0]", "z[0]"), ("z[1]", "a[1]"), ("a[1]", "m")} <= edges
    assert ("W[0,0]", "z[1]") not in edges
    assert ("z[0]", "a[1]") not in edges
    gradient = cr.grad(f)(np.array([1.0, -2.0]), np.array([[1.0, 0.0], [0.0, 3.0], [-1.0, 1.0]]))
    assert [paths.gradients["x[0]"], paths.gradients["x[1]"]] == gradient.tolist()


def test_every_kind_of_statement_is_taken_apart():
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))

    def f(X, W):
        Z = X @ W + W.T[:, :1].T
        S = cr.nn.softmax(Z)
        C = np.concatenate([S, Z[::-1]], axis=1)
        G = C[[0, 1, 1], [0, 2, 3]]
        H = np.where(G > 0, np.stack([G[0], G[1] * 2, G[2]]), G.mean())
        M = C.max(axis=1) - C.min(axis=0)[:2]
        return np.sum(np.abs(H)) + np.clip(M, -1, 1) @ M

    paths = cr.paths(f, X, W)
    dX, dW = cr.grad(f, wrt=(0, 1))(X, W)
    for (i, j), g in np.ndenumerate(dX):
        assert paths.gradients[f"X[{i},{j}]"] == pytest.approx(g, rel=1e-12)
    for (i, j), g in np.ndenumerate(dW):
        assert paths.gradients[f"W[{i},{j}]"] == pytest.approx(g, rel=1e-12)


def test_large_arrays_stay_whole():
    def loss(X, W):
        Z = X @ W
        A = np.tanh(Z)
        return np.sum(A * Z)

    paths = cr.paths(loss, np.ones((20, 10)), np.ones((10, 5)))
    assert not paths.expanded
    assert paths.numbers == {"X": 2, "W": 2, "Z": 2, "A": 1, "loss": 1}
    assert "a Jacobian" in str(paths)
    with pytest.raises(ArgumentError, match="more than 64 entries"):
        paths.gradients


def test_a_name_bound_again_is_numbered():
    def f(h):
        for _ in range(3):
            h = np.tanh(h)
        return h

    paths = cr.paths(f, 0.5)
    assert len(paths.nodes) == 4
    assert cr.paths(f, 0.5, nodes=("h", "h2")).nodes == ("h", "h2", "h3")
    assert paths.gradients[paths.nodes[0]] == pytest.approx(cr.grad(f)(0.5), rel=1e-14)


def test_stop_gradient_and_integers_are_no_edges():
    def f(x, y):
        k = cr.stop_gradient(x)
        n = x > 0
        return k * y + n

    assert cr.paths(f, 2.0, 3.0).nodes == ("y", "k", "f")


def test_two_to_the_thousand_paths_are_counted_and_not_walked():
    def f(x):
        for _ in range(1000):
            p = x * 0.25
            q = x * 0.25
            x = p + q
        return x

    paths = cr.paths(f, 1.0)
    assert paths.numbers[paths.nodes[0]] == 2**1000
    assert len(paths.paths_from(paths.nodes[0])) == LISTED
    assert paths.gradients[paths.nodes[0]] == 0.5**1000
    text = str(paths)
    assert "about 2**1000 paths in all" in text
    assert big(2**70) == "about 2**70"


def test_thirty_thousand_nodes_without_recursion():
    def f(x):
        for _ in range(30_000):
            x = x + 1.0
        return x

    paths = cr.paths(f, 0.0)
    assert len(paths.nodes) == 30_001
    assert set(paths.numbers.values()) == {1}
    assert paths.gradients[paths.nodes[0]] == 1
    (path,) = paths.paths_from(paths.nodes[0])
    assert len(path.nodes) == 30_001
    assert paths.counts["reverse_mode"]["edge_uses"] == 30_000
    assert paths.counts["forward_mode"]["edge_uses"] == 30_000 * 30_001 // 2
