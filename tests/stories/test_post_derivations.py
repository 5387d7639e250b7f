"""The posts' backward equations: chainrule judges them right, and worked through by themselves they give golden numbers."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.diagnosis.formulas import parse_formula
from chainrule.errors import ArgumentError
from chainrule.evaluate import evaluate

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "examples" / "posts" / "derivations.py"
STORY = runpy.run_path(str(FILE), run_name="story")
SYSTEMS, EXERCISES, judge, forms = (STORY[name] for name in ("SYSTEMS", "EXERCISES", "judge", "forms"))
OTHER = {(s.post, s.title): s for s in SYSTEMS if not s.own}
each_system = pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: f"{s.post}, {s.title}, {s.layout}")
GOLDEN = {
    ("S1", "softmax, cross-entropy summed"): "s1_batch3",
    ("S2", "the mean of N"): "s2_batch",
    ("S2", "four layers"): "s2_deep",
    ("S3", "the 2-4-4-3 net, J"): "s3_net_batch",
    ("S4", "the mean of m"): "s4_three_layers",
    ("S5", "squared error, the mean of N"): "s5_width4",
}


def golden(name):
    cases = json.loads((ROOT / "tests" / "golden_numbers" / f"{name[:2]}.json").read_text())["cases"]
    return next(case for case in cases if case["id"] == name)


def agree(got, want):
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def forward_values(system):
    """What the loss computes on its way, by name."""
    graph = cr.graph(system.loss, *system.arguments.values())
    leaves = [a for value in system.arguments.values() for a in (value if isinstance(value, list) else [value])]
    numbers = evaluate(graph, leaves, everything=True)
    values = {v.name: numbers[i] for i, v in enumerate(graph.variables) if v.name and numbers[i] is not None}
    if system.layout != "numbers":
        values["N"] = values["m"] = leaves[0].shape[0 if system.layout == "rows" else 1]
    return values


def worked_through(system):
    """The gradients that the equations give one after the other, from the values of the forward pass alone."""
    values, gradients = forward_values(system), {}
    for line in system.equations:
        found = parse_formula(line.formula).evaluate(values | gradients)
        if line.quantity in gradients:
            agree(found, gradients[line.quantity])
        gradients[line.quantity] = found
    return gradients


@each_system
def test_the_equations_are_judged_right(system):
    for form in forms(system.equations):
        assert judge(system.loss, system.arguments, form), form


@pytest.mark.parametrize("system", [s for s in SYSTEMS if s.own], ids=lambda s: f"{s.post}, {s.title}")
def test_twice_an_equation_is_judged_wrong(system):
    form = forms(system.equations)[0]
    quantity, formula = list(form.items())[-1]
    assert not judge(system.loss, system.arguments, form | {quantity: f"2 * ({formula})"})


def fits(system, gradients, quantity, formula):
    """Whether a formula gives the gradient, numbers and shape."""
    try:
        found = parse_formula(formula).evaluate(forward_values(system) | gradients)
    except ArgumentError:
        return False
    return found.shape == gradients[quantity].shape and np.allclose(found, gradients[quantity])


@pytest.mark.parametrize("name", OTHER, ids=", ".join)
def test_the_equations_of_one_layout_are_wrong_in_the_other(name):
    own, turned = next(s for s in SYSTEMS if s.own and (s.post, s.title) == name), OTHER[name]
    of_own, of_turned = worked_through(own), worked_through(turned)
    different = 0
    for line, other in zip(own.equations, turned.equations, strict=True):
        assert (line.quantity, line.remark) == (other.quantity, other.remark)
        assert fits(own, of_own, line.quantity, line.formula)
        if line.formula != other.formula and line.quantity[1] in "wWbB":
            different += 1
            assert not fits(own, of_own, line.quantity, other.formula), other.formula
            assert not fits(turned, of_turned, line.quantity, line.formula), line.formula
    assert different >= 8


@pytest.mark.parametrize("name", GOLDEN, ids=", ".join)
def test_worked_through_in_order_they_give_the_golden_gradients_in_both_layouts(name):
    backward = golden(GOLDEN[name])["backward"]
    for system in (s for s in SYSTEMS if (s.post, s.title) == name):
        found = worked_through(system)
        layers = sorted({key[-1] for key in found if key[1] in "wW"})
        assert len(layers) == len(backward["dW"])
        for i, number in enumerate(layers):
            dW, db = (np.array(backward[key][i]) for key in ("dW", "db"))
            weight, bias = (
                next(v for k, v in found.items() if k[1] in letters and k[-1] == number) for letters in ("wW", "bB")
            )
            agree(weight, dW if system.own else dW.T)
            agree(bias if system.own else bias.ravel(), db if system.own else db.ravel())
        dX = next(v for k, v in found.items() if k in ("dX", "dX1", "dx"))
        agree(dX, np.array(backward["dX"]) if system.own else np.array(backward["dX"]).T)


def test_the_signals_of_the_second_post_are_those_of_each_observation():
    per_sample = golden("s2_batch")["per_sample"]
    found = worked_through(next(s for s in SYSTEMS if s.title == "each observation's own signals"))
    for layer in (0, 1):
        agree(found[f"dZ{layer + 1}"], np.array(per_sample["dZ"][layer]))
        agree(found[f"dA{layer + 1}"], np.array(per_sample["dA"][layer]))


def test_one_example_of_the_third_post_is_its_first_per_sample_gradient():
    per_sample = golden("s3_net_batch")["per_sample"]
    found = worked_through(next(s for s in SYSTEMS if s.title == "the 2-4-4-3 net, one example" and s.own))
    for layer in range(3):
        agree(found[f"dw{layer + 2}"], np.array(per_sample["dW"][layer][0]))
        agree(found[f"db{layer + 2}"], np.array(per_sample["db"][layer][0]))


def test_the_graph_and_the_first_example_have_the_posts_numbers():
    by_title = {s.title: worked_through(s) for s in SYSTEMS if s.layout == "numbers"}
    assert by_title["the graph"] == {"do": 1, "dc": 3, "dd": 2.5, "da": 10.5, "db": 8}
    assert by_title["the first example"] == {"du": 3, "dx": 24}


def test_without_the_half_one_sample_has_twice_the_gradient():
    half = worked_through(next(s for s in SYSTEMS if s.title == "one sample, half the square"))
    whole = next(s for s in SYSTEMS if s.title == "squared error, the mean of N" and s.own)
    first = {**whole.arguments, "x": whole.arguments["x"][:1], "y": whole.arguments["y"][:1]}
    agree(2 * half["dw1"], cr.grad(whole.loss, wrt="w1")(**first))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: f"{e.post}, {e.quantity}")
def test_the_answer_to_an_exercise_is_right_and_its_negative_wrong(exercise):
    def right(answer):
        return judge(exercise.function, exercise.arguments, {exercise.quantity: answer})

    assert right(exercise.answer)
    assert not right(f"-({exercise.answer})")


def test_there_are_systems_of_all_posts_and_the_posts_exercises():
    assert {system.post for system in SYSTEMS} == {"S1", "S2", "S3", "S4", "S5"}
    assert [sum(e.post == post for e in EXERCISES) for post in ("S1", "S4", "S5")] == [8, 3, 5]


def test_left_sides_are_written_as_the_posts_write_them():
    written = {(s.post, line.quantity): line.written for s in SYSTEMS for line in s.equations if s.title != "the graph"}
    assert written["S1", "dZ3"] == r"\delta_3"
    assert written["S1", "dW3"] == r"\frac{\partial L}{\partial W_3}"
    assert written["S2", "dZ2"] == "dZ_2"
    assert written["S4", "dZ3"] == r"\frac{\partial J}{\partial Z^{(3)}}"
    assert written["S5", "dw1"] == "w_{1g}"


def test_the_equations_are_printed():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, str(FILE)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "NOT RIGHT" not in done.stdout
    assert done.stdout.count(": all right") == len(SYSTEMS)
