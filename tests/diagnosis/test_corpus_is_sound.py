"""The corpus tells the truth: right backward passes are right, wrong ones differ as said, and every word is there."""

import inspect
import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.pytree import flatten
from diagnosis.corpus.all_cases import CASES, MODULES
from diagnosis.corpus.case import VERDICTS, WORDS, held_out, in_order

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # textbook quotients overflow; that is the case
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
KNOWN = {*VERDICTS, *WORDS, "unknown"}
INSIDE = {  # the constant belongs to one term of a sum, so no gradient is off by it as a whole
    "row/factor:2/batch_norm_half_of_the_square_root",
    "row/missing_mean/batch_norm_in_the_variance",
    "column/missing_mean/layer_norm_width_of_the_layer",
}
PLAIN = [case for case in CASES if len(case.faults) == 1 and case.id not in INSIDE]
FACTORS = [case for case in PLAIN if case.faults == ("factor",)]
MEANS = [case for case in PLAIN if case.faults[0].endswith("_mean")]


def leaves(gradients, wrt):
    return [np.asarray(leaf) for leaf in flatten(in_order(gradients, wrt))[0]]


def deviation(got, want):
    """The largest error among the leaves, each relative to its largest entry; infinite for other shapes and nan.

    What is exactly zero on one side and rounding on the other is judged by the largest of all gradients.
    """
    assert len(got) == len(want)
    overall = max(float(np.max(np.abs(w), initial=0.0)) for w in want)
    worst = 0.0
    for g, w in zip(got, want, strict=True):
        if g.shape != w.shape or not np.all(np.isfinite(g)):
            return np.inf
        scale = max(float(np.max(np.abs(w), initial=0.0)), 1e-6 * overall)
        error = float(np.max(np.abs(g - w), initial=0.0))
        worst = max(worst, error / scale if error else 0.0)
    return worst


def in_single(case):
    return any(getattr(leaf, "dtype", None) == np.float32 for leaf in flatten(case.args)[0])


def rounding(case):
    return 2e-5 if in_single(case) else 1e-9


def moved(args, seed):
    """Arguments a little aside, where no pre-activation is exactly on a kink."""
    rng = np.random.default_rng(seed)
    return tuple(a + 1e-3 * rng.normal(size=a.shape) if a.dtype.kind == "f" else a for a in args)


@each_case
def test_the_right_backward_pass_is_what_chainrule_derives(case):
    want = leaves(cr.grad(case.loss, wrt=case.wrt)(*case.args), case.wrt)
    assert all(np.all(np.isfinite(w)) for w in want)
    assert deviation(leaves(case.right(*case.args), case.wrt), want) <= rounding(case)


@each_case
def test_the_backward_pass_is_wrong_unless_the_word_says_otherwise(case):
    right = leaves(case.right(*case.args), case.wrt)
    calls = [leaves(case.backward(*case.args), case.wrt) for _ in range(2)]  # a velocity shows at the second call
    worst = max(deviation(got, right) for got in calls)
    if "correct" in case.words:
        assert worst <= rounding(case)
    else:
        assert worst > 1e-2  # not to be taken for rounding, nor for the error of differences


@each_case
def test_neither_pass_changes_its_arguments(case):
    before = [np.array(leaf) for leaf in flatten(case.args)[0]]
    case.right(*case.args), case.backward(*case.args), case.loss(*case.args)
    assert all(np.array_equal(b, leaf) for b, leaf in zip(before, flatten(case.args)[0], strict=True))


@pytest.mark.parametrize("case", [c for c in CASES if c.faults == ("kink_hit_only",)], ids=lambda case: case.id)
def test_a_kink_is_hit_and_off_it_nothing_is_wrong(case):
    here = leaves(case.right(*case.args), case.wrt)
    jumps = []
    for seed in range(8):  # whichever side of the kink that is
        aside = moved(case.args, seed)
        there = leaves(case.right(*aside), case.wrt)
        assert deviation(leaves(case.backward(*aside), case.wrt), there) <= 1e-9
        jumps.append(deviation(there, here))
    assert max(jumps) > 0.02  # a step of a thousandth changes a smooth gradient by less


@pytest.mark.parametrize("case", FACTORS, ids=lambda case: case.id)
def test_a_factor_is_that_factor_of_one_gradient_at_least(case):
    k = float(case.words[0].split(":")[1])
    pairs = zip(leaves(case.backward(*case.args), case.wrt), leaves(case.right(*case.args), case.wrt), strict=True)
    assert any(np.allclose(got, k * right, rtol=1e-9, atol=0) for got, right in pairs)


@pytest.mark.parametrize("case", MEANS, ids=lambda case: case.id)
def test_a_missing_mean_is_a_count_too_large_and_one_too_many_a_count_too_small(case):
    sizes = {n for leaf in flatten(case.args)[0] for n in np.shape(leaf)} | {
        np.size(case.args[0]),
        np.size(case.args[1]),
    }
    sizes |= {a * b for a in sizes for b in sizes}
    ratios = {k if case.faults == ("missing_mean",) else 1 / k for k in sizes if k > 1}
    pairs = list(
        zip(leaves(case.backward(*case.args), case.wrt), leaves(case.right(*case.args), case.wrt), strict=True)
    )
    assert any(np.allclose(got, k * right, rtol=rounding(case), atol=0) for got, right in pairs for k in ratios)


@each_case
def test_words_are_known_and_belong_to_the_id(case):
    assert all(part.split(":")[0] in KNOWN for word in case.words for part in word.split("+"))
    assert case.id.split("/")[1] == case.words[0]
    assert case.layout in {"row", "column"}


@each_case
def test_the_source_names_what_is_wrong_and_does_not_give_the_word_away(case):
    source = inspect.getsource(case.backward)
    assert case.backward.__name__ == "backward"
    assert not any(word in source for word in KNOWN if "_" in word)  # sign, factor, correct are words of other things
    if "correct" in case.words:
        assert case.wrong_at == ""
    else:
        assert re.search(rf"\b{case.wrong_at}\b", source)


@each_case
def test_a_backward_pass_takes_what_the_loss_takes(case):
    loss_names = list(inspect.signature(case.loss).parameters)
    for function in (case.backward, case.right):
        names = [n for n, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_POSITIONAL]
        assert names == loss_names[: len(names)]
    assert set(case.wrt) <= set(loss_names)


def test_the_same_arithmetic_never_has_words_that_exclude_each_other():
    by_loss = {}
    for case in CASES:
        by_loss.setdefault((case.loss, *(id(a) for a in case.args)), []).append(case)
    for cases in by_loss.values():
        for a, b in itertools.combinations(cases, 2):
            first, second = (leaves(case.backward(*case.args), case.wrt) for case in (a, b))
            if deviation(first, second) <= 1e-9:
                assert set(a.words) & set(b.words), f"{a.id} and {b.id} return the same numbers"


def test_every_id_is_there_once():
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_a_file_that_is_there_is_in_the_corpus():
    files = {path.stem for path in (Path(__file__).parent / "corpus").glob("*.py")} - {"case", "all_cases"}
    assert files == {module.__name__.split(".")[-1] for module in MODULES}


@pytest.mark.parametrize("layout", ["row", "column"])
@pytest.mark.parametrize("word", [*VERDICTS, *WORDS, "unknown"])
def test_every_word_occurs_in_both_layouts(word, layout):
    assert any(case.faults == (word,) for case in CASES if case.layout == layout)


@pytest.mark.parametrize("word", [*VERDICTS, *WORDS, "unknown"])
def test_every_word_has_three_cases_and_one_in_each_half(word):
    own = [case for case in CASES if case.faults == (word,)]
    assert len(own) >= 3
    assert {held_out(case) for case in own} == {True, False}


def test_there_are_enough_double_faults_and_right_ones():
    assert sum(len(case.faults) == 2 for case in CASES) >= 12
    assert sum(case.words[0] == "correct" for case in CASES) >= 25


def test_either_order_of_two_faults_is_accepted():
    for case in CASES:
        assert all("+".join(reversed(word.split("+"))) in case.words for word in case.words)


def test_about_half_is_held_out():
    assert 0.4 < np.mean([held_out(case) for case in CASES]) < 0.6
