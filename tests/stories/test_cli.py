"""The command line as a user meets it: the main job on real data, and one clear line for everything that is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cli import main
from chainrule.cli.tables import load_table, read_csv
from chainrule.errors import DataError
from chainrule.train import load, load_metadata

sklearn = pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

FLOWERS = "length,width,kind\n" + "".join(
    f"{length + 0.1 * i},{2.5 - 0.05 * i},{kind}\n" for kind, length in (("rose", 1), ("lily", 4)) for i in range(12)
)


@pytest.fixture(autouse=True)
def inside_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(text, name="table.csv", encoding="utf-8"):
    Path(name).write_text(text, encoding=encoding)
    return name


def python(*arguments, **environment):
    """A fresh interpreter that finds this chainrule."""
    path = os.pathsep.join([str(Path(chainrule.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


# The main job


def test_digits_by_default(capsys):
    assert main(["train", "digits"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "digits: 1,797 rows, 64 columns, 10 classes; 1,438 to train, 359 held out"
    assert "19,210 parameters" in lines[1]
    assert lines[2].startswith("gradients proved:")
    assert "worst relative error" in lines[2]
    percent = float(lines[3].removeprefix("held-out accuracy ").split(" %")[0])
    assert percent >= 97
    assert lines[4].startswith(f"wrote {Path('runs/digits-001')}")
    assert "epoch 30/30" in err
    done = python("runs/digits-001/train_step.py", PYTHONPATH="")
    assert (done.returncode, done.stdout) == (0, "first step reproduced to the last bit\n"), done.stderr
    metadata = load_metadata("runs/digits-001/weights.safetensors")
    assert metadata["classes"] == [str(i) for i in range(10)]
    data = load_table("digits")
    X = (data.X - metadata["inputs"]["mean"]) / metadata["inputs"]["scale"]
    predicted = load("runs/digits-001/weights.safetensors")(X.astype(np.float32)).argmax(axis=1)
    assert np.mean(predicted == data.y) > 0.99  # four fifths of these rows were trained


@pytest.mark.parametrize(
    ("name", "metric", "at_least"),
    [
        ("breast_cancer", "accuracy", 0.93),
        ("wine", "accuracy", 0.9),
        ("iris", "accuracy", 0.9),
        ("diabetes", "r2", 0.35),
    ],
)
def test_every_bundled_data_set(capsys, name, metric, at_least):
    assert main(["train", name, "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    outcome = json.loads(out)
    assert outcome["metric"] == metric
    assert outcome["held_out"] >= at_least
    assert outcome["proof"]["error"] < 1e-7
    assert Path(outcome["run"]).is_dir()
    assert err == ""


def test_same_seed_same_bytes(capsys):
    for out in ("a", "b", "c"):
        seed = "1" if out == "c" else "0"
        assert main(["train", "iris", "--epochs", "3", "--seed", seed, "--out", out, "--quiet"]) == 0
    capsys.readouterr()
    a, b, c = (Path(out, "weights.safetensors").read_bytes() for out in "abc")
    assert a == b != c


def test_a_table_with_text_classes(capsys):
    name = table(FLOWERS)
    assert main(["train", name, "--target", "kind", "--hidden", "8", "--epochs", "60"]) == 0
    assert "24 rows, 2 columns, 2 classes" in capsys.readouterr().out
    folder = Path("runs/table-001")
    assert load_metadata(folder / "weights.safetensors")["classes"] == ["lily", "rose"]
    assert (folder / "command.txt").read_text() == ("chainrule train table.csv --target kind --hidden 8 --epochs 60\n")
    settings = json.loads((folder / "history.json").read_text())["settings"]
    assert (settings["sizes"], settings["seed"], settings["task"]) == ([2, 8, 2], 0, "classify")


def test_a_linear_model_of_amounts(capsys):
    rows = "".join(f"{i},{i * i % 7},{3 * i + 0.5 * (i * i % 7)}\n" for i in range(60))
    name = table("a,b,price\n" + rows)
    assert main(["train", name, "--target", "price", "--hidden", "none", "--lr", "0.05", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["held_out"] > 0.99


def test_quiet_says_where_and_nothing_else(capsys):
    assert main(["train", "iris", "--epochs", "1", "-q"]) == 0
    assert capsys.readouterr() == (f"{Path('runs/iris-001')}\n", "")


def test_as_a_module():
    done = python("-m", "chainrule", "train", "nothing.csv", "--target", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "chainrule: there is no file nothing.csv\n"


def test_help_and_info(capsys):
    assert main(["train", "--help"]) == 0
    assert "chainrule train houses.csv --target price" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "Exit codes" in capsys.readouterr().out
    assert main(["info"]) == 0
    assert "numpy" in capsys.readouterr().out


# What can be wrong: one line, exit code 2, nothing written


def refused(capsys, *arguments):
    """The one line that these arguments earn."""
    before = sorted(os.listdir())
    assert main(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("chainrule: ")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == before
    return err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FLOWERS.replace("1.5,", "long,"), ["line 7", "'length'", "'long'", "--ignore"]),
        (FLOWERS.replace("1.5,", "nan,"), ["line 7", "'length'", "'nan'", "fill"]),
        (FLOWERS.replace("1.5,", ","), ["line 7", "'length' is empty"]),
        (FLOWERS.replace("1.5,", "inf,"), ["line 7", "'inf'"]),
        (FLOWERS.replace("1.5,", "1_5,"), ["line 7", "'1_5'"]),
        (FLOWERS.replace("1.5,2.25,rose", "1.5,2.25,"), ["line 7", "target 'kind' is missing"]),
        (FLOWERS.replace("1.5,2.25,rose", "1.5,2.25"), ["line 7", "2 values", "3 columns"]),
        (FLOWERS.replace("lily", "rose"), ["'rose' in every row"]),
        (FLOWERS.replace("kind", "sort"), ["no column 'kind'", "length, width, sort"]),
        (FLOWERS.replace("kind", "Kind"), ["did you mean 'Kind'?"]),
        (FLOWERS.replace("width", "length"), ["two columns", "'length'"]),
        (FLOWERS.replace("length", ""), ["column 1 has no name"]),
        (FLOWERS.split("\n", 1)[1], ["line 1", "no column 'kind'"][1:]),
        ("1,2,3\n" * 20, ["line 1", "header"]),
        ("kind\n" + "a\nb\n" * 10, ["no column to learn from"]),
        ("\n".join(FLOWERS.splitlines()[:5]), ["4 rows", "at least 10"]),
        ("length,kind\n" + "".join(f"{i},id{i}\n" for i in range(30)), ["30 different values", "identifier"]),
        (FLOWERS.replace("rose", '"rose', 1), ["not CSV"]),
        ("", ["empty"]),
        ("\n\n", ["empty"]),
    ],
)
def test_tables_that_cannot_be_trained(capsys, text, words):
    line = refused(capsys, table(text), "--target", "kind")
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.csv", "--target", "kind"], ["no file missing.csv"]),
        (["flowers.csv"], ["--target"]),
        (["digitz"], ["did you mean 'digits'?"]),
        ([".", "--target", "kind"], ["folder"]),
        (["digits", "--target", "x"], ["bundled"]),
        (["digits", "--task", "regress"], ["classify"]),
        (["digits", "--hidden", "a"], ["--hidden"]),
        (["digits", "--hidden", "0,4"], ["positive"]),
        (["digits", "--activation", "relo"], ["relu"]),
        (["digits", "--epochs", "0"], ["epochs is 0"]),
        (["digits", "--batch-size", "0"], ["batch_size is 0"]),
        (["digits", "--lr", "-1"], ["lr is -1"]),
        (["digits", "--seed", "-1"], ["-1"]),
        (["digits", "--validation", "1"], ["validation"]),
        (["digits", "--validation", "0"], ["validation"]),
        (["digits", "--optimizer", "newton"], ["--optimizer", "newton"]),
        (["digits", "--epoch", "3"], ["--epoch"]),
        (["digits", "--out", "flowers.csv"], ["exists already"]),
        ([], ["source"]),
    ],
)
def test_arguments_that_make_no_sense(capsys, arguments, words):
    table(FLOWERS, "flowers.csv")
    line = refused(capsys, *arguments)
    assert [word for word in words if word.lower() not in line.lower()] == []


def test_a_training_that_diverges_writes_nothing(capsys):
    assert main(["train", "diabetes", "--optimizer", "sgd", "--lr", "1e9", "-q"]) == 2
    assert "diverged" in capsys.readouterr().err
    assert os.listdir() == []


def test_a_mistake_of_ours_is_a_line_too(capsys, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr("chainrule.cli.train_command.load_table", broken)
    monkeypatch.delenv("CHAINRULE_TRACEBACK", raising=False)
    assert main(["train", "digits"]) == 3
    assert "ZeroDivisionError: nobody expected this" in capsys.readouterr().err


def test_an_interrupted_training_writes_nothing(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.cli.train_command.fit", interrupted)
    assert main(["train", "iris", "-q"]) == 130
    assert capsys.readouterr().err == "chainrule: interrupted: nothing was written\n"
    assert os.listdir() == []


# Reading tables


def test_a_byte_order_mark_semicolons_and_empty_lines():
    name = table(FLOWERS.replace(",", ";").replace("\n", "\r\n") + "\r\n\r\n", encoding="utf-8-sig")
    data = read_csv(name, "kind")
    assert data.columns == ("length", "width")
    assert data.X.shape == (24, 2)
    assert data.y.tolist() == [1] * 12 + [0] * 12


def test_text_that_is_not_utf8_is_named():
    Path("latin.csv").write_bytes(FLOWERS.replace("rose", "röschen").encode("latin-1"))
    with pytest.raises(DataError, match="line 2: not UTF-8"):
        read_csv("latin.csv", "kind")


def test_quoted_cells_may_hold_the_separator_and_lines():
    text = 'a,"the ""kind"",\nreally"\n' + "".join(f'{i},"x,{i % 2}"\n' for i in range(12))
    data = read_csv(table(text), 'the "kind",\nreally')
    assert data.classes == ("x,0", "x,1")


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["10", "9", "9", "10"], "auto", ("9", "10")),
        (["1.0", "2", "2", "1"], "auto", ("1", "2")),
        (["0.5", "1.5", "0.5", "1.5"], "auto", ()),
        (["0.5", "1.5", "0.5", "1.5"], "classify", ("0.5", "1.5")),
        (["1", "2", "2", "1"], "regress", ()),
        (["1", "two", "two", "1"], "auto", ("1", "two")),
        (["True", "False", "False", "True"], "auto", ("False", "True")),
    ],
)
def test_classes_or_amounts(values, task, classes):
    text = "a,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values * 5))
    data = read_csv(table(text), "y", task)
    assert data.classes == classes
    assert data.y.dtype == (np.int64 if classes else np.float64)
    if classes:
        assert [classes[number] for number in data.y] == [value.removesuffix(".0") for value in values * 5]


def test_many_whole_numbers_are_amounts():
    text = "a,y\n" + "".join(f"{i},{i}\n" for i in range(21))
    assert read_csv(table(text), "y").classes == ()


def test_columns_can_be_left_out():
    header, *rows = FLOWERS.splitlines()
    text = "\n".join([f"id,{header}", *(f"x,{row}" for row in rows)])
    assert read_csv(table(text), "kind", ignore=["id"]).columns == ("length", "width")
    with pytest.raises(DataError, match="'id'"):
        read_csv(table(text), "kind")
