"""Jacobians at the level "numbers": those of `cr.jacobian` of the displayed line, and beside them differences."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.matrix_form import Power, Symbol, Verbatim, children, evaluate, symbols_in
from chainrule.show.document import Matrix, Partial, Section, Table
from chainrule.show.levels.jacobians import Between, Jacobian
from chainrule.show.lines import substituted
from displayed_support import run_text

ROOT = Path(__file__).parents[3]
SYSTEMS = runpy.run_path(str(ROOT / "examples" / "posts" / "derivations.py"))["SYSTEMS"]
LARGEST = 400  # entries of a Jacobian that is worked out


def numbers_of(d):
    graph = d.graph
    return {graph.variables[n].name: n for n in (*graph.inputs, *graph.constants)} | {
        s.name: s.number for s in d.statements
    }


def truth(d, line, source):
    """The Jacobian of a displayed line by one of the names in it, as `cr.jacobian` has it."""
    found = cr.jacobian(lambda x: traced(line.form, d.values | {source: x}, d.sizes))(
        np.asarray(d.values[source], float)
    )
    return np.reshape(found, (np.size(d.values[line.name]), np.size(d.values[source])))


def traced(form, values, sizes):
    """The value of a formula; what `evaluate` would make a plain array of is run here."""
    nodes = {node: Symbol(f"special{number}") for number, node in enumerate(special_nodes(form))}
    known = dict(values)
    for node, symbol in nodes.items():
        inner = [traced(part, values, sizes) for part in children(node)]
        if isinstance(node, Power):
            known[symbol.name] = inner[0] ** inner[1]
        else:
            places = {f"operand_{i}": value for i, value in enumerate(inner)}
            known[symbol.name] = run_text(node.template.format(*places), {**sizes, **places})
    return evaluate(substituted(form, nodes), known, sizes)


def special_nodes(form):
    here = isinstance(form, (Power, Verbatim))
    return [form] if here else [node for part in children(form) for node in special_nodes(part)]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: f"{s.post}, {s.title}, {s.layout}")
def test_jacobians_of_the_posts_lines(system):
    d = cr.derive(system.loss, **system.arguments)
    numbers = numbers_of(d)
    stops = set(numbers.values())
    judged = 0
    for line in d.forward_lines:
        for source in symbols_in(line.form):
            if source not in numbers or np.size(d.values[source]) * np.size(d.values[line.name]) > LARGEST:
                continue
            found = Between(d.graph, d.everything, numbers[source], line.number, stops).jacobian()
            np.testing.assert_allclose(found.exact, truth(d, line, source), rtol=1e-12, atol=1e-12)
            assert found.deviation < 1e-8
            judged += 1
    assert judged > 1


def tables_of(blocks):
    for block in blocks:
        if isinstance(block, Section):
            yield from tables_of(block.blocks)
        elif isinstance(block, (Matrix, Table)):
            yield block


def test_jacobians_that_are_displayed():
    def loss(x, W, t):
        z = W @ x
        a = np.tanh(z)
        return np.sum((a - t) ** 2)

    random = np.random.default_rng(0)
    d = cr.derive(loss, random.normal(size=3), random.normal(size=(2, 3)), random.normal(size=2), wrt=("x", "W", "t"))
    shown = {
        (block.title.above, block.title.below): block
        for block in tables_of(d.document("numbers").blocks)
        if isinstance(block, Matrix) and isinstance(block.title, Partial)
    }
    assert {("z", "x"), ("z", "W"), ("a", "z"), ("loss", "a")} <= set(shown)
    for (above, below), block in shown.items():
        np.testing.assert_allclose(block.values, truth(d, d.by_name[above], below), rtol=1e-12, atol=1e-12)
        assert block.rows[0] == (f"{above}[0]" if above != "loss" else "loss")
        assert (len(block.rows), len(block.columns)) == block.values.shape


def test_of_a_large_batch_the_first_sample_s_block_is_displayed():
    def loss(X, W):
        Z = X @ W
        A = np.tanh(Z)
        return np.mean(A**2)

    random = np.random.default_rng(1)
    d = cr.derive(loss, random.normal(size=(20, 3)), random.normal(size=(3, 2)))
    shown = {
        (block.title.above, block.title.below): block
        for block in tables_of(d.document("numbers").blocks)
        if isinstance(block, Matrix) and isinstance(block.title, Partial)
    }
    whole = truth(d, d.by_name["A"], "Z")
    np.testing.assert_allclose(shown["A", "Z"].values, whole[:2, :2], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(shown["Z", "X"].values, truth(d, d.by_name["Z"], "X")[:2, :3], rtol=1e-12, atol=1e-12)
    assert any("first sample" in str(piece) for piece in shown["A", "Z"].remark)


def test_numbers_stand_in_one_table_with_their_differences():
    def graph(a, b):
        c = a + b
        d = a * b
        return c * d / 2

    d = cr.derive(graph, 2.0, 3.0)
    (table, _) = [block for block in tables_of(d.document("numbers").blocks) if isinstance(block, Table)]
    found = {(row[0][0].above, row[0][0].below): (float(row[1][0]), float(row[2][0])) for row in table.rows}
    expected = {("c", "a"): 1, ("c", "b"): 1, ("d", "a"): 3, ("d", "b"): 2, (d.loss, "c"): 3, (d.loss, "d"): 2.5}
    assert set(found) == set(expected)
    for pair, value in expected.items():
        assert found[pair] == pytest.approx((value, value), abs=1e-5)


def test_the_deviation_tells_a_wrong_jacobian():
    exact = np.array([[1.0, 2.0]])
    assert Jacobian(exact, exact).deviation == 0
    assert Jacobian(exact, exact + 0.5).deviation == 0.25
    assert Jacobian(np.zeros((0, 2)), np.zeros((0, 2))).deviation == 0


def test_gradients_stand_beside_differences_of_the_loss():
    def loss(X, w):
        z = X @ w
        return np.mean(z**2)

    d = cr.derive(loss, np.arange(6.0).reshape(2, 3), np.ones(3))
    (*_, table) = [block for block in tables_of(d.document("numbers").blocks) if isinstance(block, Table)]
    assert [row[0][0].name for row in table.rows] == ["dX", "dw"]
    for row in table.rows:
        assert float(row[2][0]) == pytest.approx(float(row[3][0]), rel=1e-6)
