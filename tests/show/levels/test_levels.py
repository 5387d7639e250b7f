"""What each level says about one network: rules, reasons of sums, proofs, numbers, one formula."""

import functools

import numpy as np
import pytest

import chainrule as cr
from chainrule.show.document import Equations, Matrix, Paragraph, Section, Table


def loss(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    P = np.exp(Z2) / np.sum(np.exp(Z2), axis=1, keepdims=True)
    return -np.mean(np.sum(y * np.log(P), axis=1))


def arguments(rows=5):
    rng = np.random.default_rng(0)
    labels = np.eye(3)[rng.integers(0, 3, rows)]
    return (rng.standard_normal((rows, 4)), labels, rng.standard_normal((4, 2)), rng.standard_normal(2),
            rng.standard_normal((2, 3)), rng.standard_normal(3))  # fmt: skip


@functools.cache
def derivation():
    return cr.derive(loss, *arguments())


def shared(weight, x):
    a = x * weight
    b = a + weight
    return np.sum(a * b)


def blocks(document, kind):
    """All blocks of a kind, at any depth."""
    todo, found = list(document.blocks), []
    while todo:
        block = todo.pop(0)
        if isinstance(block, kind):
            found.append(block)
        if isinstance(block, Section):
            todo = [*block.blocks, *todo]
    return found


def words(level, **how):
    return " ".join(derivation().text(level, width=200, **how).split())


def test_the_summary_has_every_line_once():
    document = derivation().document("summary")
    left = [row.left.name for equations in blocks(document, Equations) for row in equations.rows]
    assert len(left) == len(set(left))
    assert {"Z1", "A1", "Z2", "P", "loss", "dP", "dZ2", "dW2", "db2", "dA1", "dZ1", "dW1", "db1"} <= set(left)
    assert "dy" not in left


def test_steps_say_where_a_variable_is_read_and_which_rules_were_applied():
    said = words("steps")
    assert "W2 is read in Z2 = A1 @ W2 + b2. From dZ2:" in said
    assert "the right factor of a matrix product gets the left factor, transposed, times it" in said
    assert "From dA1: tanh multiplies by 1 - tanh^2." in said


def test_every_sum_says_over_what_and_why():
    said = words("steps")
    assert "The product sums over N: all N samples share W2" in said
    assert "The sum runs over N: b2 was stretched over it" in said
    assert "The product sums over the 3 units that A1 leads to" in said


def test_a_variable_that_is_read_twice_has_two_paths():
    said = " ".join(cr.derive(shared, 2.0, np.ones(3)).text("steps", width=200).split())
    assert "weight is read in a = weight * x and b = a + weight. Each of the 2 lines is a path to the loss" in said


def test_what_is_stretched_is_told():
    assert "b1 (2,) is stretched to (N, 2)" in words("summary")


def test_a_proof_goes_from_one_entry_to_the_matrix_form():
    said = words("proof")
    for part in (
        "∂z⁽²⁾_ij/∂w⁽²⁾_pq = Σ_k a⁽¹⁾_ik δ_kp δ_jq",
        "= a⁽¹⁾_ip δ_jq",
        "dw⁽²⁾_pq = Σ_i Σ_j dz⁽²⁾_ij a⁽¹⁾_ip δ_jq",
        "= Σ_i dz⁽²⁾_iq a⁽¹⁾_ip",
        "dw⁽²⁾_12 = dz⁽²⁾_12 a⁽¹⁾_11 + dz⁽²⁾_22 a⁽¹⁾_21 + ⋯ + dz⁽²⁾_N2 a⁽¹⁾_N1",
        "Why a sum over i = 1, ..., N? w⁽²⁾_pq is multiplied into z⁽²⁾_iq",
        "b⁽²⁾_q is shared: it stands in z⁽²⁾_iq",
    ):
        assert part in said


def test_the_softmax_jacobian_is_derived_and_the_simplification_is_a_step():
    said = words("proof")
    assert "= p_ij (δ_jr - p_ir) δ_iq" in said
    assert "With the lines above put in, this simplifies" in said
    assert "dZ2 = (P - y) / N" in said or "dZ2 = y.sum(axis=1, keepdims=True) ⊙ P / N - y / N" in said


def test_every_proof_agrees_with_the_rule():
    said = derivation().text("proof")
    assert said.count("Compared with the rule on random numbers: equal to") >= 9
    assert "please report" not in said
    assert "could not be compared" not in said


def test_numbers_stand_beside_differences():
    document = derivation().document("numbers")
    jacobians = [m for m in blocks(document, Matrix) if m.rows]
    assert jacobians
    for matrix in jacobians:
        assert len(matrix.rows), len(matrix.columns) == matrix.values.shape
        assert "agree to" in "".join(p for p in matrix.remark if isinstance(p, str))
    (table,) = [t for t in blocks(document, Table) if t.heads[0] == "gradient"]
    for row in table.rows:
        derived, moved = float(row[2][0]), float(row[3][0])
        assert derived == pytest.approx(moved, rel=1e-5, abs=1e-8)


def test_the_softmax_jacobian_in_numbers():
    jacobian = next(m for m in blocks(derivation().document("numbers"), Matrix) if getattr(m.title, "above", "") == "P")
    P = derivation().values["P"][0]
    np.testing.assert_allclose(jacobian.values, np.diag(P) - np.outer(P, P), rtol=1e-12, atol=1e-15)


def test_the_collapsed_formula_agrees_with_the_steps():
    said = words("collapsed")
    assert said.count("this formula and the steps agree") == 5
    assert "differ" not in said


def test_collapsed_puts_the_indicator_inside_the_sum():
    def squared(x, t, w1, b1, w2):
        return np.mean(np.sum((t - np.maximum(0, x @ w1 + b1) @ w2) ** 2, axis=1))

    rng = np.random.default_rng(1)
    d = cr.derive(squared, *(rng.standard_normal(s) for s in ((4, 2), (4, 1), (2, 3), 3, (3, 1))), wrt="w1")
    right = " ".join(d.text("collapsed", width=200).split()).partition("For one entry")[2]
    assert "Σ_i" in right
    assert right.index("Σ_i") < right.index("1{")


def test_why_is_the_chain_to_one_gradient_only():
    why = derivation()["dW2"].why()
    text = why.text()
    assert "dW2 = A1ᵀ @ dZ2" in text
    assert "dW1" not in text
    assert cr.explain(derivation(), "W2").text() == text
    assert "Why dW2" in why.html()


def test_ten_layers_are_derived():
    def deep(network, X, y):
        return cr.nn.softmax_cross_entropy(network(X), y)

    network = cr.nn.mlp(*[6] * 11, rng=0, activation="tanh")
    d = cr.derive(deep, network, np.ones((4, 6)), np.zeros(4, dtype=int))
    assert [f"dW{n}" for n in range(10, 0, -1)] == [s.name for s in d.backward_lines if s.name.startswith("dW")]
    assert "please report" not in d.text("proof")


def test_notes_say_on_what_it_rests():
    def branching(x):
        return x * x if x > 0 else -x

    d = cr.derive(branching, 3.0)
    first = d.document("summary").blocks[0]
    assert isinstance(first, Paragraph)
    assert "this holds for the path taken" in "".join(map(str, first.pieces))
    assert d["dx"].value == 6.0
