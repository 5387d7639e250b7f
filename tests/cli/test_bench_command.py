"""`chainrule bench`: its contenders do the same work, and it says so when one does not."""

import json

import numpy as np
import pytest

from chainrule.cli import bench_command, main
from chainrule.cli.bench_contenders import CONTENDERS, TRAININGS, Training, by_hand, with_fit


@pytest.mark.parametrize("amounts", [False, True])
def test_the_step_by_hand_trains_as_fit_does(amounts, monkeypatch):
    monkeypatch.setattr("chainrule.cli.bench_contenders.EPOCHS", 2)
    training = Training((5, 7, 6, 1 if amounts else 3), 8, 20, 0.02, amounts=amounts)
    (_, by_us), (_, by_fit) = by_hand(training), with_fit(training, "numpy")
    np.testing.assert_allclose(by_us, by_fit, rtol=1e-4)
    assert by_us[1] < 0.95 * by_us[0]  # it learns: an update that is missing would show


def test_what_is_found_comes_as_json(capsys, tmp_path, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path))
    assert main(["bench", "--configs", "tiny", "--passes", "1", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["results"]["tiny"]
    assert list(row) == list(CONTENDERS)
    assert all(outcome["microseconds"] > 0 for outcome in row.values())


def answers(monkeypatch, **given):
    """Let every contender answer without running."""
    usual = {"microseconds": 2.0, "losses": [1.0, 0.5]}
    monkeypatch.setattr(bench_command, "_run", lambda name, contender: given.get(contender, usual))


def test_the_table_has_times_and_ratios(capsys, monkeypatch):
    answers(monkeypatch, numba={"microseconds": 0.5, "losses": [1.0001, 0.5]})
    assert main(["bench"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-len(TRAININGS) :] == list(TRAININGS)
    assert lines[3].split()[-1] == "0.50"
    assert lines[-1].split()[-1] == "0.25"


def test_a_contender_with_another_loss_is_wrong_and_has_no_time(capsys, monkeypatch):
    answers(monkeypatch, numpy={"microseconds": 0.1, "losses": [1.0, 0.6]})
    assert main(["bench", "--configs", "digits"]) == 1
    out = capsys.readouterr().out
    assert "chainrule, numpy: WRONG: the loss is 0.6, by hand 0.5" in out
    assert "0.10" not in out


def test_one_that_cannot_run_says_why(capsys, monkeypatch):
    answers(monkeypatch, numba={"failure": "install numba"})
    assert main(["bench", "--configs", "digits"]) == 0
    assert "chainrule, numba: install numba" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--configs", "huge"], ["--configs", ","], ["--passes", "0"]])
def test_options_that_make_no_sense_are_refused(options, capsys):
    assert main(["bench", *options]) == 2
    assert options[0] in capsys.readouterr().err
