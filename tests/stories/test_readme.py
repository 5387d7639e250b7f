"""The README says what happens: its first program prints its second block, and its calls run."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np

import chainrule as cr

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def arguments():
    rng = np.random.default_rng(0)
    return {
        "X": rng.standard_normal((128, 784)),
        "y": rng.integers(0, 10, 128),
        "W1": rng.standard_normal((784, 256)) / 28,
        "b1": np.zeros(256),
        "W2": rng.standard_normal((256, 10)) / 16,
        "b2": np.zeros(10),
    }


def test_the_first_program_prints_the_second_block(tmp_path):
    scope = arguments()
    path = tmp_path / "readme.py"  # names come from the source, so it has to be in a file
    path.write_text(BLOCKS[0], encoding="utf-8")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(BLOCKS[0], path, "exec"), scope)
    assert printed.getvalue().strip() == BLOCKS[1].strip()
    emitted = {}
    exec(BLOCKS[1], emitted)
    args = arguments()
    value, gradients = emitted["loss_value_and_grad"](**args)
    want, derived = cr.value_and_grad(scope["loss"], wrt=("W1", "b1", "W2", "b2"))(*args.values())
    assert value == want
    for got, one in zip(gradients, derived, strict=True):
        np.testing.assert_allclose(got, one, rtol=1e-12, atol=1e-15)


def test_the_derivation_is_what_it_shows(tmp_path):
    scope = arguments()
    path = tmp_path / "readme.py"
    path.write_text(BLOCKS[0] + BLOCKS[2], encoding="utf-8")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), scope)
    shown = re.search(r"```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    said = " ".join(printed.getvalue().split())
    for part in re.split(r"  +|\n", shown.strip()):
        assert part.strip() in said, part


def test_the_other_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = arguments()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(BLOCKS[0], scope)
        data = np.random.default_rng(1)
        training = {"cr": cr, "X": data.standard_normal((200, 64)), "y": data.integers(0, 10, 200)}
        exec(BLOCKS[3], training)
        exec(BLOCKS[4], scope)
    assert (tmp_path / "digits.safetensors").exists()
    assert scope["dW1"].shape == (784, 256)
    assert scope["step"](*arguments().values())[0] > 0
