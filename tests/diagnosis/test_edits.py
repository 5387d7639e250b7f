"""Edits of a line: each kind of slip is undone by one of them, they leave no trace, and likely ones come first."""

import ast
import textwrap

import pytest

from chainrule.diagnosis.changes import Sight, build
from chainrule.diagnosis.edits import edits_of

SIGHT = Sight(
    {
        "X": (7, 5), "Y": (7, 3), "y": (7,), "W1": (5, 4), "W2": (4, 3), "Z1": (7, 4), "A1": (7, 4), "mask": (7, 4), "P": (7, 3),
        "dA1": (7, 4), "dZ1": (7, 4), "dZ2": (7, 3), "N": 7, "lam": 0.1, "keep": 0.8, "l": 1, "A[0]": (7, 5),
        "cache['A1']": (7, 4), "cache['Z1']": (7, 4), "w": (7,),
    },
    functions=("sigmoid", "relu_grad"),
)  # fmt: skip


def edited(line, **more):
    """What a line may become."""
    tree = ast.parse("def backward():\n    " + textwrap.dedent(line)).body[0]
    sight = Sight(SIGHT.values, SIGHT.functions, **more)
    texts = []
    for edit in edits_of(tree, tree.body[0], sight):
        edit.apply()
        texts.append("; ".join(ast.unparse(ast.fix_missing_locations(statement)) for statement in tree.body))
        edit.undo()
    assert ast.unparse(tree) == ast.unparse(ast.parse("def backward():\n    " + textwrap.dedent(line)).body[0])
    return texts


SLIPS = [
    ("dZ2 = Y - P", "dZ2 = P - Y"),
    ("dZ2 = P - Y", "dZ2 = -(P - Y)"),
    ("dZ2 = -(P - Y)", "dZ2 = P - Y"),
    ("dA = Y / P + (1 - Y)", "dA = Y / P - (1 - Y)"),
    ("dZ2 = P", "dZ2 = P - Y"),
    ("dZ2 = P", "dZ2 = P - np.eye(P.shape[1])[y]"),
    ("dW = X @ dZ1", "dW = X.T @ dZ1"),
    ("dW = dZ1.T @ X", "dW = X.T @ dZ1"),
    ("dW = np.dot(dZ1, X.T)", "dW = np.dot(X.T, dZ1)"),
    ("dW = X.dot(dZ1)", "dW = X.T.dot(dZ1)"),
    ("dA1 = dZ2 @ W2.reshape(3, 4)", "dA1 = dZ2 @ W2.T"),
    ("dA1 = dZ2 * W2.T", "dA1 = dZ2 @ W2.T"),
    ("dZ1 = dA1 @ (Z1 > 0)", "dZ1 = dA1 * (Z1 > 0)"),
    ("dZ1 = dZ2 * (P @ W2.T)", "dZ1 = dZ2 * P @ W2.T"),
    ("dZ1 = (dZ2 * P) @ W2.T", "dZ1 = dZ2 @ W2.T * P"),
    ("dW = X.T @ dZ1", "dW = X.T @ dZ1 / N"),
    ("dW = X.T @ dZ1 / N", "dW = X.T @ dZ1"),
    ("dW = 1 / N * X.T @ dZ1", "dW = 1.0 * X.T @ dZ1"),
    ("dW = 2 * (X.T @ dZ1)", "dW = X.T @ dZ1"),
    ("dZ2 = (P - Y) / N", "dZ2 = 2 * (P - Y) / N"),
    ("dA1 = dA1 * mask", "dA1 = dA1 * mask / keep"),
    ("db = dZ1.mean(axis=0)", "db = dZ1.sum(axis=0)"),
    ("db = dZ1.sum(axis=1)", "db = dZ1.sum(axis=0)"),
    ("db = np.sum(dZ1)", "db = np.sum(dZ1, axis=0)"),
    ("db = np.sum(dZ1, axis=0)", "db = np.sum(dZ1, axis=0, keepdims=True)"),
    ("db = dZ1.sum(axis=0, keepdims=True)", "db = dZ1.sum(axis=0)"),
    ("db = dZ1", "db = dZ1.sum(axis=0)"),
    ("db = dZ1[0]", "db = dZ1.sum(axis=0)"),
    ("dZ1 = dA1 * (Z1 < 0)", "dZ1 = dA1 * (Z1 > 0)"),
    ("dZ1 = np.where(Z1 > 0, 0, dA1)", "dZ1 = np.where(Z1 > 0, dA1, 0)"),
    ("dZ1 = dA1", "dZ1 = dA1 * (Z1 > 0)"),
    ("dZ1 = dA1", "dZ1 = dA1 * relu_grad(Z1)"),
    ("dZ1 = dA1", "dZ1 = dA1 * mask"),
    ("dZ2 = (P - Y) * P * (1 - P)", "dZ2 = P - Y"),
    ("dZ1 = dA1 * Z1 * (1 - Z1)", "dZ1 = dA1 * A1 * (1 - A1)"),
    ("dZ1 = dA1 * (1 - Z1 ** 2)", "dZ1 = dA1 * (1 - A1 ** 2)"),
    ("dZ1 = dA1 * (1 - A1 ** 2)", "dZ1 = dA1 * (Z1 > 0)"),
    ("dZ1 = dA1 * sigmoid(Z1)", "dZ1 = dA1 * relu_grad(Z1)"),
    ("dZ1 = dA1 * relu_grad(cache['A1'])", "dZ1 = dA1 * relu_grad(cache['Z1'])"),
    ("dZ = dP * P * (1 - P)", "dZ = P * (dP - (dP * P).sum(axis=1, keepdims=True))"),
    ("dW = A[l].T @ dZ2", "dW = A[l - 1].T @ dZ2"),
    ("dW = A[l - 1].T @ dZ2", "dW = A[l].T @ dZ2"),
    ("dW1 = X.T @ dZ1", "dW1 = X.T @ dZ1 + lam * W1"),
    ("dW1 = X.T @ dZ1 + lam * W1", "dW1 = X.T @ dZ1"),
    ("dA1 = dZ2 @ W2.T", "dA1 = dZ2 @ W2.T + dZ1"),
    ("dW += X.T @ dZ1", "dW -= X.T @ dZ1"),
    ("dW = X.T @ dZ1", "dW += X.T @ dZ1"),
    ("dE[y] += dM", "np.add.at(dE, y, dM)"),
    ("P[:, y] -= 1", "P[np.arange(len(y)), y] -= 1"),
    ("grads.append(X @ dZ1)", "grads.append(X.T @ dZ1)"),
    ("return X.T @ dZ1, dZ1", "return (X.T @ dZ1, dZ1.sum(axis=0))"),
    ("return {'W': X.T @ dZ1, 'b': dZ1}", "return {'W': X.T @ dZ1, 'b': dZ1.sum(axis=0)}"),
    ("dZ1 /= N; return dZ1", "return dZ1"),
    ("W2 = W2 - lam * dW2; dA1 = dZ2 @ W2.T", "W2 = W2 - lam * dW2; dA1 = dZ2 @ W2.T + dZ1"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "right"), SLIPS)
def test_a_slip_of_one_line_is_undone_by_an_edit(wrong, right):
    shape = (7, 4) if wrong.startswith(("dA1 =", "dZ1 =")) else None
    statements = wrong.split("; ")
    if len(statements) > 1 and "W2 = " in wrong:
        tree = ast.parse("def backward():\n    " + "\n    ".join(statements)).body[0]
        texts = []
        for edit in edits_of(tree, tree.body[1], Sight(SIGHT.values, shape=(7, 4))):
            edit.apply()
            texts.append("; ".join(map(ast.unparse, tree.body)))
            edit.undo()
        assert right in texts
        assert "dA1 = dZ2 @ W2.T; W2 = W2 - lam * dW2" in texts
    else:
        assert right in edited("\n    ".join(statements), shape=shape, target=wrong.split(" ")[0])


def test_given_words_bring_the_edits_that_mend_them_to_the_front():
    tree = ast.parse("def backward():\n    dW = X.T @ dZ1").body[0]
    first = [edits_of(tree, tree.body[0], SIGHT, words=[word])[0] for word in ("missing_mean", "missing_regularizer")]
    assert "missing_mean" in first[0].words
    assert "missing_regularizer" in first[1].words
    assert "factor" in edits_of(tree, tree.body[0], SIGHT, words=["factor:2+sign"])[1].words + first[0].words


def test_suggestions_are_tried_first_and_nonsense_among_them_is_passed_over():
    tree = ast.parse("def backward():\n    dW = X.T @ dZ1").body[0]
    first = edits_of(tree, tree.body[0], SIGHT, suggestions=["dA1 * (Z1 > 0)", "not a ("])[0]
    assert ast.unparse(first.new) == "dA1 * (Z1 > 0)"


def test_hardly_an_edit_is_proposed_twice_and_the_line_itself_is_none():
    texts = edited("dZ1 = dA1 * (1 - A1 ** 2)", shape=(7, 4))
    assert len(set(texts)) > 0.95 * len(texts)
    assert "dZ1 = dA1 * (1 - A1 ** 2)" not in texts


def test_the_first_line_of_a_loop_is_edited_and_its_body_is_not():
    texts = edited("for l in range(2, 0, -1):\n        dW = X.T @ dZ1")
    assert any("range(3, 0, -1)" in text for text in texts)
    assert any("range(2, 1, -1)" in text for text in texts)
    assert all("dW = X.T @ dZ1" in text for text in texts)


def test_templates_keep_the_parts_they_are_given():
    node = ast.parse("a + b", mode="eval").body
    assert ast.unparse(build("x * (1 - x)", x=node)) == "(a + b) * (1 - (a + b))"
