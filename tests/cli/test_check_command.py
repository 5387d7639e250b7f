"""`chainrule check`: 0 for proved, 1 for not, 2 for what cannot be used, and one line that says why."""

import json
import sys

import numpy as np
import pytest

from chainrule.cli import main
from checking_support import rules

LOSSES = """
import numpy as np

FACTOR = 2.0

def loss(X, W, scale=1.0):
    return np.mean(np.tanh(X @ W) ** 2) * scale

def norm(W):
    return np.sqrt(np.sum(W**2))

def table(X, W):
    return X @ W

def fails(X, W):
    raise RuntimeError("no data")

def seeded(X, W, seed):
    return np.sum(X @ W) * seed

class Model:
    @staticmethod
    def loss(X, W):
        return np.sum(np.sin(X @ W))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    (tmp_path / "losses_here.py").write_text(LOSSES)
    rng = np.random.default_rng(0)
    np.savez("example.npz", X=rng.standard_normal((5, 3)), W=rng.standard_normal((3, 2)))
    yield tmp_path
    sys.modules.pop("losses_here", None)


def run(capsys, *options, example="example.npz"):
    code = main(["check", *options, "--args", example])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("spec", ["losses_here:loss", "losses_here.py:loss", "losses_here:Model.loss"])
def test_a_right_gradient_is_proved_with_code_0(capsys, spec):
    code, out, err = run(capsys, spec)
    assert (code, err) == (0, "")
    assert out.startswith("loss: the gradient is proved\n")
    assert "\x1b" not in out


def test_a_wrong_gradient_is_code_1_and_says_where(capsys):
    with rules("tanh", lambda x, y: 1 - y):
        code, out, _ = run(capsys, "losses_here:loss", "--wrt", "W")
    assert code == 1
    assert "the gradient is WRONG" in out
    assert "the rule of tanh" in out


def test_what_is_not_finite_is_not_proved(capsys):
    np.savez("zeros.npz", W=np.zeros(3))
    code, out, _ = run(capsys, "losses_here:norm", example="zeros.npz")
    assert code == 1
    assert "a norm has no derivative at 0" in out


def test_json_is_one_object_with_methods_if_asked(capsys):
    code, out, _ = run(capsys, "losses_here:loss", "--json", "--methods", "--order", "2")
    data = json.loads(out)
    assert code == 0
    assert data["proved"] is True
    assert [row["path"] for row in data["rows"]] == ["X", "W"]
    assert len(data["consistency"]) == 3
    assert data["methods"]["entries"] == 21


def test_numbers_in_the_file_are_numbers_of_the_function(capsys):
    np.savez("more.npz", X=np.ones((2, 3)), W=np.ones((3, 2)), scale=2.0)
    code, out, _ = run(capsys, "losses_here:loss", example="more.npz")
    assert code == 0
    assert "\nscale " in out


UNUSABLE = [
    (("losses_here:los",), "example.npz", "did you mean 'loss'?"),
    (("losses_here:FACTOR",), "example.npz", "not a function"),
    (("losses_here",), "example.npz", "names no function"),
    (("nowhere_at_all:loss",), "example.npz", "there is no module 'nowhere_at_all'"),
    (("nowhere.py:loss",), "example.npz", "there is no file nowhere.py"),
    (("broken.py:loss",), "example.npz", "broken.py raised ZeroDivisionError"),
    (("losses_here:loss",), "nothing.npz", "there is no file nothing.npz"),
    (("losses_here:loss",), "losses_here.py", "is no npz file"),
    (("losses_here:loss",), "one.npy", "is no npz file"),
    (("losses_here:norm",), "example.npz", "holds 'X': the parameters of losses_here:norm are W"),
    (("losses_here:loss",), "half.npz", "holds no 'W'"),
    (("losses_here:table",), "example.npz", "np.sum"),
    (("losses_here:fails",), "example.npz", "losses_here:fails raised RuntimeError: no data"),
    (("losses_here:seeded",), "seeded.npz", "parameter called 'seed'"),
    (("losses_here:loss", "--wrt", "V"), "example.npz", "wrt names 'V'"),
    (("losses_here:loss", "--order", "3"), "example.npz", "--order"),
    (("losses_here:loss", "--budget", "0"), "example.npz", "budget is 0"),
]


@pytest.mark.parametrize(("options", "example", "words"), UNUSABLE)
def test_what_cannot_be_used_is_code_2_and_one_line(capsys, folder, options, example, words):
    (folder / "broken.py").write_text("1 / 0\n")
    np.save("one.npy", np.ones(3))
    np.savez("half.npz", X=np.ones((2, 3)))
    np.savez("seeded.npz", X=np.ones((2, 3)), W=np.ones((3, 2)), seed=1)
    code, out, err = run(capsys, *options, example=example)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_what_lies_beside_a_file_can_be_imported_by_it(capsys, folder):
    inner = folder / "inner"
    inner.mkdir()
    (inner / "helper_beside.py").write_text("import numpy as np\n\ndef squash(x):\n    return np.tanh(x)\n")
    (inner / "model.py").write_text(
        "from helper_beside import squash\n\ndef loss(X, W):\n    return (squash(X @ W) ** 2).sum()\n"
    )
    code, out, _ = run(capsys, "inner/model.py:loss")
    assert code == 0
    assert "the gradient is proved" in out
