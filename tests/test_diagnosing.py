"""`check_backward` and `check_formula` as people call them."""

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(8)
X, y = rng.normal(size=(6, 4)), np.array([0, 2, 1, 1, 0, 2])
W1, b1, W2, b2 = (rng.normal(size=size) for size in ((4, 5), 5, (5, 3), 3))
ARGS = (X, y, W1, b1, W2, b2)
WRT = ("W1", "b1", "W2", "b2")


def loss(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    return cr.nn.softmax_cross_entropy(Z2, y)


def passes(X, y, W1, b1, W2, b2):
    """Everything on the way back, right."""
    A1 = np.tanh(X @ W1 + b1)
    Z2 = A1 @ W2 + b2
    P = np.exp(Z2) / np.exp(Z2).sum(axis=1, keepdims=True)
    dZ2 = (P - np.eye(3)[y]) / len(X)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    return A1, dZ2, dA1, dZ1


def slipped(X, y, W1, b1, W2, b2):
    A1, dZ2, dA1, _ = passes(X, y, W1, b1, W2, b2)
    dZ1 = dA1 * (1 - A1**2)
    dW1 = X.T @ dZ1
    dW2 = A1.T @ dZ2
    return dW1, dZ1.mean(axis=0), dW2, dZ2.sum(axis=0)


def test_one_mistake_is_one_message_and_its_line_is_mended():
    report = cr.check_backward(loss, slipped, *ARGS, wrt=WRT)
    assert not report
    assert report.verdict == "double_mean"
    (finding,) = report.findings
    assert finding.quantity == "db1"
    assert finding.explains == ("db1",)
    assert "dZ1.sum(axis=0)" in finding.mend.new
    assert cr.check_backward(loss, finding.mend.function_after, *ARGS, wrt=WRT)
    assert any("checked, too" in note for note in report.notes)


def test_an_intermediate_value_says_where_it_begins():
    A1, dZ2, dA1, _ = passes(*ARGS)
    wrong = dA1 * (0.3 + np.cos(3 * A1) ** 2)  # the derivative of nothing that anybody knows
    gradients = (X.T @ wrong, wrong.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0))
    given = {"dZ2": dZ2, "dA1": dA1, "dZ1": wrong}
    report = cr.check_backward(loss, gradients, *ARGS, wrt=WRT, intermediates=given)
    assert report.verdict == "unknown"
    assert report.first_departure == "dZ1"
    right = {row.name for row in report.gradients if row.right}
    assert right == {"dZ2", "dA1", "dW2", "db2"}


def test_two_mistakes_are_found_one_after_the_other():
    A1, dZ2, _, _ = passes(*ARGS)
    dZ1 = -dZ2 @ W2.T  # no derivative, and a sign
    report = cr.check_backward(loss, (X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2[0]), *ARGS, wrt=WRT)
    assert set(report.verdict.split("+")) == {"missing_activation_derivative", "sign", "bias_not_summed"}
    assert report.unexplained == ()


def test_signals_of_each_sample_are_another_convention_not_a_mistake():
    A1, dZ2, _, dZ1 = passes(*ARGS)
    gradients = (X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0))
    report = cr.check_backward(loss, gradients, *ARGS, wrt=WRT, intermediates={"dZ2": 6 * dZ2})
    assert report.verdict == "correct"
    assert "6 times" in report.notes[0]


def test_a_derivative_that_is_half_remembered_is_named():
    A1, dZ2, dA1, _ = passes(*ARGS)
    dZ1 = dA1 * (1 - A1)
    report = cr.check_backward(loss, (X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)), *ARGS, wrt=WRT)
    assert report.verdict == "wrong_activation"
    assert "without the square" in report.findings[0].says


def test_gibberish_is_not_explained():
    noise = tuple(np.random.default_rng(1).normal(size=np.shape(a)) for a in ARGS[2:])
    report = cr.check_backward(loss, noise, *ARGS, wrt=WRT)
    assert report.verdict == "unknown"
    assert report.findings == ()
    assert report.unexplained == ("db2", "dW2", "db1", "dW1")


def test_a_backward_pass_that_remembers_is_told_so():
    velocity = [np.zeros_like(a) for a in ARGS[2:]]

    def remembers(*args):
        A1, dZ2, _, dZ1 = passes(*args)
        now = (args[0].T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0))
        for place, gradient in enumerate(now):
            velocity[place] = 0.9 * velocity[place] + gradient
        return tuple(velocity)

    report = cr.check_backward(loss, remembers, *ARGS, wrt=WRT)
    assert report.verdict == "momentum_confused_with_gradient"
    assert "0.9 times those of the call before plus 1 times the gradient" in report.findings[0].says


def test_an_argument_that_is_written_into_is_named_and_the_callers_own_is_kept():
    before = W1.copy()

    def writes(X, y, W1, b1, W2, b2):
        A1, dZ2, _, dZ1 = passes(X, y, W1, b1, W2, b2)
        W1 -= 0.1 * (X.T @ dZ1)
        return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)

    report = cr.check_backward(loss, writes, *ARGS, wrt=WRT)
    assert report.notes == ("backward writes into its arguments: W1 is changed",)
    assert np.array_equal(W1, before)


def test_the_report_is_text_html_and_plain_data():
    report = cr.check_backward(loss, slipped, *ARGS, wrt=WRT)
    assert "double_mean" in str(report)
    assert all(len(line) <= 80 for line in report.text(80).splitlines() if "explains" in line)
    assert report._repr_html_().startswith("<pre")
    assert report.to_dict()["findings"][0]["word"] == "double_mean"


def test_formulas_are_judged_each_by_itself():
    formulas = {"dZ1": "dA1 * (1 - Z1**2)", "dW1": "X.T @ dZ1"}
    report = cr.check_formula(loss, formulas, *ARGS)
    assert report.verdict == "derivative_at_preactivation_instead_of_activation"
    assert report.findings[0].quantity == "dZ1"
    assert cr.check_formula(loss, {"dZ1": "dA1 * (1 - A1**2)", "db1": "dZ1.sum(axis=0)"}, *ARGS)


def test_a_formula_whose_shapes_do_not_fit_says_where():
    with pytest.raises(cr.errors.FormulaError, match="inner sizes"):
        cr.check_formula(loss, {"dW1": "X @ dZ1"}, *ARGS)


def test_every_word_is_found_in_both_layouts():
    from diagnosis.corpus.all_cases import CASES
    from diagnosis.test_corpus_is_diagnosed import KNOWN_MISSES

    named = {(case.layout, word) for case in CASES if case.id not in KNOWN_MISSES for word in case.faults}
    every = {word for case in CASES for word in case.faults}
    assert {(layout, word) for layout in ("row", "column") for word in every} <= named
