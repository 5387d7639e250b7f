"""The five systems of the posts, as examples that run by themselves and reproduce the golden numbers."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
POSTS = sorted((ROOT / "examples" / "posts").glob("s*.py"))
GOLDEN = ROOT / "tests" / "golden_numbers"


def golden(name, file):
    cases = json.loads((GOLDEN / f"{file}.json").read_text())["cases"]
    return next(case for case in cases if case["id"] == name)


def agree(got, want):
    np.testing.assert_allclose(got, np.array(want), rtol=1e-9, atol=1e-12)


def variables_of(name):
    return runpy.run_path(str(next(path for path in POSTS if path.stem.startswith(name))), run_name="story")


def test_there_is_one_example_for_each_post():
    assert [path.stem[:3] for path in POSTS] == ["s1_", "s2_", "s3_", "s4_", "s5_"]


RUNS = {
    "s1": (
        "s1_batch3",
        "loss {:.12f}",
        ["the Jacobian of softmax", "0.0000 * 0.2637 + 0.1209 * 0.2582", "a quotient of exponentials"],
    ),
    "s2": ("s2_batch", "cost {:.12f}", ["equals A2 - Y", "batch normalisation", "kink"]),
    "s3": (
        "s3_net_batch",
        "J {:.12f}",
        ["a -> d -> o  3 * 2.5  = 7.5", "path by path 555, forward mode 173, reverse mode 39"],
    ),
    "s4": ("s4_three_layers", "J {:.12f}", ["30 or 58 evaluations", "quotient gives nan", "-4.248e-18"]),
    "s5": ("s5_width4", "mse {:.12f}", ["24.0", "u1.g, row by row", "u2.T @"]),
}


@pytest.mark.parametrize("path", POSTS, ids=lambda path: path.stem)
def test_an_example_runs_and_prints_its_loss_and_its_checks(path):
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, cwd=ROOT, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    case, loss, said = RUNS[path.stem[:2]]
    assert loss.format(golden(case, path.stem[:2])["forward"]["loss"]) in done.stdout
    for text in said:
        assert text in done.stdout
    apart = [float(word) for line in done.stdout.splitlines() for word in line.split() if is_difference(word)]
    assert len(apart) >= 6
    assert max(apart) < 1e-8


def environment():
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def is_difference(word):
    return "e-" in word and word.replace(".", "").replace("e-", "").isdigit()


def test_s1_gradients_are_golden():
    found, want = variables_of("s1"), golden("s1_batch3", "s1")["backward"]
    dX1, dW1, db1, dW2, db2, dW3, db3 = found["gradients"]
    agree(dX1, want["dX"])
    for got, wanted in zip((dW1, dW2, dW3), want["dW"], strict=True):
        agree(got, wanted)
    for got, wanted in zip((db1, db2, db3), want["db"], strict=True):
        agree(got, wanted)
    agree(found["delta3"], want["dZ"][2])


def test_s2_gradients_and_per_observation_signals_are_golden():
    found, case = variables_of("s2"), golden("s2_batch", "s2")
    for layer in (0, 1):
        agree(found["dW"][layer], case["backward"]["dW"][layer])
        agree(found["dB"][layer], case["backward"]["db"][layer])
        agree(found["dZ"][layer], case["per_sample"]["dZ"][layer])
        agree(found["per_sample_dW"][layer], case["per_sample"]["dW"][layer])
        agree(found["per_sample_dB"][layer], case["per_sample"]["db"][layer])


def test_s3_per_sample_gradients_and_their_mean_are_golden():
    found, case = variables_of("s3"), golden("s3_net_batch", "s3")
    for layer in range(3):
        agree(found["gradients"][2 * layer], case["backward"]["dW"][layer])
        agree(found["gradients"][2 * layer + 1], case["backward"]["db"][layer])
        agree(found["per_sample"][2 * layer], case["per_sample"]["dW"][layer])
        agree(found["per_sample"][2 * layer + 1], case["per_sample"]["db"][layer])


def test_s4_gradients_are_golden():
    found, case = variables_of("s4"), golden("s4_three_layers", "s4")
    for layer in range(3):
        agree(found["gradients"][2 * layer], case["backward"]["dW"][layer])
        agree(found["gradients"][2 * layer + 1], case["backward"]["db"][layer])


def test_s5_gradients_are_golden_under_the_posts_names():
    found, case = variables_of("s5"), golden("s5_width4", "s5")
    for name in ("u1", "u2", "u3", "u4", "w1", "b1"):
        agree(found["derived"][name], case["as_in_post"][f"{name}_g"])
    for name in ("u1", "u2", "u3", "u4"):
        agree(found[name], case["as_in_post"][name])
    agree(found["derived"]["w2"], case["backward"]["dW"][1])
    agree(found["derived"]["b2"], case["backward"]["db"][1])
    agree(found["derived"]["x"], case["backward"]["dX"])
