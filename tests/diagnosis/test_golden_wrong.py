"""Every wrong backward pass of the golden cases: found at its place, and called by its name."""

import numpy as np
import pytest

import chainrule as cr
from diagnosis.networks import as_answer, case_of, golden

WORDS = {  # what a defect of the files is called here; the first is the usual one
    "sign": ("sign",),
    "scale": ("missing_mean", "double_mean", "factor:2", "factor:0.5"),
    "transpose": ("transposed",),
    "shape": ("wrong_axis_sum", "reshape_instead_of_transpose"),
    "nan": ("numerically_unstable",),
    "missing_fprime": ("missing_activation_derivative",),
    "fprime_argument": ("derivative_at_activation_instead_of_preactivation",),
    "wrong_layer": ("off_by_one_layer",),
    "batch_mean": ("double_mean",),
    "missing_sum": ("bias_not_summed",),
    "extra_sum": ("wrong_axis_sum",),
    "missing_jacobian": ("softmax_jacobian_diagonal_only",),
    "wrong_product": ("product_order",),
    "wrong_index": ("wrong_index",),
    "wrong_term": ("forward_mismatch",),
}
ABOUT = (  # of defects that have several words, what the file says decides
    ("N times too large", "missing_mean"),
    ("twice too large", "factor:2"),
    ("the 2 of the squared error is missing", "factor:0.5"),
    ("1/N", "double_mean"),
    ("stacked below one another", "reshape_instead_of_transpose"),
)
WRONG = [
    (name, number)
    for name, case in golden.CASES.items()
    if case["kind"] == "wrong"
    for number in range(len(case["wrong"]))
]


def expected(wrong):
    return next((word for text, word in ABOUT if text in wrong["about"]), WORDS.get(wrong["defect"], ("",))[0])


def test_all_of_them_are_here():
    assert len(WRONG) == 61


@pytest.mark.parametrize(("name", "number"), WRONG)
def test_a_wrong_backward_pass_is_located_and_named(name, number):
    case = golden.CASES[name]
    wrong = case["wrong"][number]
    loss, args, wrt = case_of(case)
    if "gradients" not in wrong:
        right = dict(zip(wrt, cr.grad(loss, wrt=wrt)(*args), strict=True))
        report = cr.check_backward(loss, right, *args, wrt=wrt, intermediates={"loss": np.array(wrong["wrong_loss"])})
        assert report.verdict == "forward_mismatch"
        return
    report = cr.check_backward(loss, as_answer(wrong["gradients"], wrt), *args, wrt=wrt)
    assert not report
    assert report.verdict == expected(wrong)
    assert report.unexplained == ()
    wanted = {quantity.replace("_", "") for quantity in wrong["wrong_quantities"]}
    assert {row.name for row in report.gradients if not row.right} == wanted
    assert set().union(*(finding.explains for finding in report.findings)) == wanted
