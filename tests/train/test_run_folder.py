"""The run folder: whole or not there, never over something else, and its program is the one that ran."""

import ast
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ArgumentError
from chainrule.train import fit, load, load_metadata
from chainrule.train.run_folder import write_run_folder

pytest.importorskip("safetensors")

X = np.random.default_rng(0).normal(size=(70, 3))
y = (X @ [1.0, -2.0, 0.5] > 0).astype(int)
FILES = {"command.txt", "first_batch.npz", "history.json", "train_step.py", "weights.safetensors"}


@pytest.fixture(scope="module")
def result():
    return fit(nn.mlp(3, 6, 2, dtype="float32"), nn.softmax_cross_entropy, X, y, epochs=2)


@pytest.fixture
def folder(result, tmp_path):
    return write_run_folder(result, command="chainrule train x", out=tmp_path / "run", metadata={"classes": ["a", "b"]})


def execute(folder):
    """Run the step without chainrule on the path, as whoever inherits the file does."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(folder / "train_step.py")]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_everything_is_there(result, folder):
    assert {file.name for file in folder.iterdir()} == FILES
    assert (folder / "command.txt").read_text() == "chainrule train x\n"
    assert json.loads((folder / "history.json").read_text())["epochs"] == result.history.to_dict()["epochs"]
    assert load(folder / "weights.safetensors").layers[1].b.tobytes() == result.network.layers[1].b.tobytes()
    assert load_metadata(folder / "weights.safetensors") == {"classes": ["a", "b"]}
    assert os.listdir(folder.parent) == ["run"]  # nothing temporary stays


def test_the_step_imports_numpy_only(folder):
    tree = ast.parse((folder / "train_step.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["import numpy as np"]


def test_the_first_step_is_reproduced_to_the_last_bit(folder):
    done = execute(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "first step reproduced to the last bit\n"


@pytest.mark.parametrize("optimizer", [optim.sgd(0.1), optim.momentum(0.1), optim.adamw(0.01), optim.rmsprop(0.01)])
def test_so_it_is_for_every_optimizer_and_for_columns(tmp_path, optimizer):
    def loss(outputs, labels):
        return nn.softmax_cross_entropy(outputs, labels, axis=0)

    network = nn.mlp(3, 6, 2, layout="column", activation="gelu")
    result = fit(network, loss, X.T, y, optimizer=optimizer, epochs=1, batch_size=7)
    done = execute(write_run_folder(result, command="", out=tmp_path / "run"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("changed", ["result network.layers[0].W", "result loss"])
def test_one_bit_of_difference_is_named(folder, changed):
    with np.load(folder / "first_batch.npz") as recorded:
        arrays = dict(recorded)
    value = arrays[changed].copy()
    value.reshape(-1).view(np.uint32)[0] ^= 1
    np.savez(folder / "first_batch.npz", **arrays | {changed: value})
    done = execute(folder)
    assert done.returncode == 1
    assert done.stdout == f"first step differs from the run in {changed[7:]}\n"


def test_folders_are_numbered(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "digits-002").mkdir(parents=True)
    names = [write_run_folder(result, command="", name="digits").name for _ in range(2)]
    assert names == ["digits-001", "digits-003"]


def test_an_existing_folder_stays_as_it_is(result, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(ArgumentError, match="exists already"):
        write_run_folder(result, command="", out=tmp_path / "run")
    assert os.listdir(tmp_path / "run") == []


def test_a_failure_leaves_nothing(result, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError("no space left")

    monkeypatch.setattr("chainrule.train.run_folder.write_synced", full)
    with pytest.raises(OSError, match="no space"):
        write_run_folder(result, command="", out=tmp_path / "run")
    assert os.listdir(tmp_path) == []
