"""`chainrule check-backward`: 0 for right, 1 for wrong, 2 for what cannot be used."""

import json
import sys

import numpy as np
import pytest

from chainrule.cli import main

PASSES = """
import numpy as np

def loss(X, y, W, b):
    A = np.tanh(X @ W + b)
    return np.mean((A - y) ** 2)

def right(X, y, W, b):
    A = np.tanh(X @ W + b)
    dZ = 2 * (A - y) / y.size * (1 - A**2)
    return {"W": X.T @ dZ, "b": dZ.sum(axis=0)}

def wrong(X, y, W, b):
    A = np.tanh(X @ W + b)
    dA = 2 * (A - y) / y.size
    dZ = dA * (1 - A)
    dZ = dA
    return X.T @ dZ, dZ.sum(axis=0)

def transposed(X, y, W, b):
    A = np.tanh(X @ W + b)
    dZ = 2 * (A - y) / y.size * (1 - A**2)
    dW = dZ.T @ X
    return dW, dZ.sum(axis=0)

def fails(X, y, W, b):
    return 1 / 0
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    (tmp_path / "passes_here.py").write_text(PASSES)
    rng = np.random.default_rng(0)
    X, y, W, b = (rng.standard_normal(shape) for shape in ((5, 3), (5, 2), (3, 2), (2,)))
    np.savez("example.npz", X=X, y=y, W=W, b=b)
    yield tmp_path
    sys.modules.pop("passes_here", None)


def run(capsys, backward, *options, example="example.npz"):
    code = main(["check-backward", "passes_here:loss", f"passes_here:{backward}", "--args", example, *options])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_right_backward_pass_ends_with_0(capsys):
    code, out, _ = run(capsys, "right")
    assert code == 0
    assert "every gradient is right" in out


def test_a_wrong_one_ends_with_1_and_says_what_is_wrong(capsys):
    code, out, _ = run(capsys, "wrong", "--wrt", "W,b", "--no-mend")
    assert code == 1
    assert "missing_activation_derivative" in out


def test_the_wrong_line_is_shown_with_its_correction(capsys):
    code, out, _ = run(capsys, "transposed", "--wrt", "W,b")
    assert code == 1
    assert "dW = dZ.T @ X" in out
    assert "+    dW = " in out


def test_json_is_one_object(capsys):
    code, out, _ = run(capsys, "wrong", "--wrt", "W,b", "--json")
    assert code == 1
    data = json.loads(out)
    assert data["verdict"] == "missing_activation_derivative"
    assert data["right"] is False


def test_a_backward_pass_that_raises_is_shown_with_the_users_line(capsys):
    code, _, err = run(capsys, "fails", "--wrt", "W,b")
    assert code == 2
    assert "passes_here:fails raised ZeroDivisionError" in err
    assert "passes_here.py, line " in err
    assert "return 1 / 0" in err


def test_a_module_that_is_not_there_ends_with_2(capsys):
    assert main(["check-backward", "passes_here:loss", "nowhere_at_all:backward", "--args", "example.npz"]) == 2
    assert "there is no module 'nowhere_at_all'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backward", "options", "said"),
    [
        ("no_such", (), "no_such"),
        ("fails", ("--wrt", "W,b"), "ZeroDivisionError"),
        ("wrong", ("--wrt", "V"), "V"),
        ("wrong", (), "backward returned 2 gradients"),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_one_line(capsys, backward, options, said):
    code, _, err = run(capsys, backward, *options)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


def test_an_argument_that_is_missing_in_the_file_is_named(capsys):
    np.savez("short.npz", X=np.ones((2, 3)))
    code, _, err = run(capsys, "right", example="short.npz")
    assert code == 2
    assert "holds no 'y'" in err
