"""`chainrule derive`: networks and functions, levels and costumes, files, and what it refuses."""

import numpy as np
import pytest

from chainrule.cli import main

LOSS = """
import numpy as np

def loss(X, y, W):
    Z = X @ W
    return np.mean((Z - y) ** 2)

def branching(x):
    if x > 0:
        return x * x
    return -x

def vector(X):
    return X * 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "losses.py").write_text(LOSS)
    rng = np.random.default_rng(0)
    np.savez("example.npz", X=rng.standard_normal((4, 3)), y=rng.standard_normal((4, 1)), W=rng.standard_normal((3, 1)))
    np.savez("number.npz", x=3.0)
    np.savez("only_x.npz", X=np.ones(3))
    return tmp_path


def run(capsys, *argv):
    code = main(["derive", *argv])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("level", ["summary", "steps", "proof", "numbers", "collapsed"])
def test_every_level_of_a_network(capsys, level):
    code, out, err = run(capsys, "3-4-2", "--level", level)
    assert (code, err) == (0, "")
    assert "dW1" in out


def test_the_equations_of_a_network(capsys):
    out = " ".join(run(capsys, "784-256-10", "--level", "summary")[1].split())
    assert "dZ2 = (P - Y) / N" in out
    assert "dW2 = Aᵀ @ dZ2" in out
    assert "(784, 256)" in out


def test_columns_another_loss_and_activation(capsys):
    argv = (
        "2-4-1",
        "--loss",
        "sigmoid-cross-entropy",
        "--activation",
        "tanh",
        "--samples",
        "columns",
        "--level",
        "summary",
    )
    _, out, _ = run(capsys, *argv)
    assert "dW1 = dZ1 @ Xᵀ" in out
    assert "dZ2 = (sigmoid(Z2) - Y) / N" in out


def test_a_function_with_its_arguments(capsys, folder):
    code, out, _ = run(capsys, "losses:loss", "--args", "example.npz", "--level", "summary")
    assert code == 0
    assert "dW = Xᵀ @ dZ" in out


def test_one_gradient_only(capsys, folder):
    _, out, _ = run(capsys, "losses.py:loss", "--args", "example.npz", "--why", "dW", "--level", "proof")
    assert "Why dW, in loss" in out
    assert "Why a sum over" in out


def test_a_branch_is_told(capsys, folder):
    code, out, _ = run(capsys, "losses:branching", "--args", "number.npz", "--level", "summary")
    assert code == 0
    assert "this holds for the path taken" in out
    assert "dx = 2 * x" in out


@pytest.mark.parametrize(
    ("name", "begins"),
    [("d.txt", "The derivation of loss"), ("d.tex", "\\documentclass"), ("d.md", "# "), ("d.html", "<!DOCTYPE html>")],
)
def test_files_of_every_kind_are_not_overwritten(capsys, folder, name, begins):
    code, out, _ = run(capsys, "3-2", "-o", name)
    assert (code, out) == (0, f"wrote {name}\n")
    assert (folder / name).read_text().startswith(begins)
    code, _, err = run(capsys, "3-2", "-o", name)
    assert code == 2
    assert "overwrite" in err
    assert run(capsys, "3-2", "-o", name, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("format", "has"), [("latex", "\\begin{document}"), ("md", "$$"), ("html", "<math"), ("text", "dW")]
)
def test_formats(capsys, format, has):
    assert has in run(capsys, "3-2", "--format", format)[1]


def test_notation_and_layout(capsys):
    _, out, _ = run(capsys, "3-4-2", "--notation", "partial", "--layout", "both", "--level", "summary")
    assert "samples are columns" in out
    assert "∂loss/∂W" in out or "∂L/∂W" in out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("nonsense",), "names no function"),
        (("3-2", "--loss", "softmax-cros-entropy"), "did you mean softmax-cross-entropy"),
        (("3-1",), "one output"),
        (("3-0-2",), "one unit or more"),
        (("3-2", "--batch", "1"), "give 2 or more"),
        (("3-2", "--activation", "rellu"), "relu"),
        (("3-2", "--level", "profs"), "level"),
        (("3-2", "--why", "dW9"), "there is no line 'dW9'"),
        (("3-2", "--wrt", "W1"), "wrt names 'W1'"),
        (("3-2", "--args", "example.npz"), "--args belongs to a function"),
        (("3-2", "-o", "d.pdf"), "ends in"),
        (("3-2", "-o", "d.md", "--format", "html"), "do not go together"),
        (("losses:loss",), "--args"),
        (("losses:lost", "--args", "example.npz"), "did you mean 'loss'"),
        (("losses:vector", "--args", "only_x.npz"), "one number"),
        (("99999-99999-2",), "at most"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(capsys, folder, argv, says):
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
