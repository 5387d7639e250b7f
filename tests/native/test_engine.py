"""Which engine, how many threads: from counts alone."""

import math
import sys

import pytest

from chainrule.errors import ArgumentError
from chainrule.native import engine as module
from chainrule.native.engine import available_cores, choose_engine, hint_without_numba, threads_for

SMALL = {"steps": 1_350, "flops_per_step": 6e5, "equations": 30}  # 30 epochs of digits
LARGE = {"steps": 1_350_000, "flops_per_step": 6e5, "equations": 30}


def test_a_short_training_stays_on_numpy_and_a_long_one_is_compiled():
    assert choose_engine("auto", numba_available=True, **SMALL).engine == "numpy"
    assert choose_engine("auto", numba_available=True, **LARGE).engine == "numba"


def test_the_engine_that_is_asked_for_is_chosen_whatever_it_costs():
    assert choose_engine("numba", numba_available=True, **SMALL).engine == "numba"
    assert choose_engine("numpy", numba_available=True, **LARGE).engine == "numpy"


def test_machine_code_is_chosen_exactly_when_it_saves_time():
    engines = []
    for steps in range(0, 400_000, 1_000):
        counts = {**SMALL, "steps": steps}
        costs = module.estimate(steps, 6e5, 0, 30)
        choice = choose_engine("auto", numba_available=True, **counts)
        assert (choice.engine == "numba") == (costs.compiled + costs.compilation < costs.numpy)
        engines.append(choice.engine)
    assert engines == sorted(engines, reverse=True)  # one change, from NumPy to Numba
    assert set(engines) == {"numpy", "numba"}


@pytest.mark.parametrize("more", ["steps", "flops_per_step", "bytes_per_step"])
def test_more_work_never_turns_the_choice_back_to_numpy(more):
    counts = {**LARGE, "bytes_per_step": 1e5}
    counts[more] *= 1_000
    assert choose_engine("auto", numba_available=True, **counts).engine == "numba"


def test_bytes_alone_may_decide():
    assert choose_engine("auto", numba_available=True, bytes_per_step=1e8, **SMALL).engine == "numba"


def test_the_reason_names_steps_and_seconds():
    choice = choose_engine("auto", numba_available=True, **LARGE)
    assert choice.reason == "1,350,000 steps take about 62 s in NumPy, 13 s compiled and 4.8 s to compile"


def test_the_choice_asks_neither_the_clock_nor_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "cache"))
    first = choose_engine("auto", numba_available=True, **LARGE)
    monkeypatch.setattr("time.monotonic", lambda: 1e9)
    assert choose_engine("auto", numba_available=True, **LARGE) == first
    assert not (tmp_path / "cache").exists()


def test_numba_that_is_not_installed_is_refused_with_the_line_that_installs_it():
    with pytest.raises(ArgumentError, match=r'pip install "chainrule\[fast\]"'):
        choose_engine("numba", numba_available=False, **LARGE)


def test_auto_without_numba_is_numpy():
    assert choose_engine("auto", numba_available=False, **LARGE).engine == "numpy"


def test_an_unknown_engine_is_refused_by_name():
    with pytest.raises(ArgumentError, match="engine='torch': choose one of 'numpy', 'numba', 'auto'"):
        choose_engine("torch", numba_available=True, **SMALL)


def test_the_hint_comes_only_where_auto_would_have_compiled():
    assert 'pip install "chainrule[fast]"' in hint_without_numba(numba_available=False, **LARGE)
    assert hint_without_numba(numba_available=False, **SMALL) is None
    assert hint_without_numba(numba_available=True, **LARGE) is None


def test_the_smallest_steps_run_on_one_thread_small_ones_on_two_and_large_ones_on_up_to_eight():
    assert threads_for(None, 3.9e5, 4) == 1
    assert threads_for(None, 4e5, 4) == 2
    assert threads_for(None, 4e5, 1) == 1
    assert threads_for(None, 4.9e6, 4) == 2
    assert threads_for(None, 5e6, 4) == 4
    assert threads_for(None, 1e9, 64) == 8
    assert threads_for(None, 1e9, 1) == 1
    assert threads_for(3, 10.0, 1) == 3


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_threads_that_are_no_whole_number_from_one_on_are_refused(threads):
    with pytest.raises(ArgumentError, match="whole number from 1 on"):
        threads_for(threads, 1e9, 4)


@pytest.mark.parametrize("package", ["numba", "scipy"])
def test_numba_is_available_only_with_scipy(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert module.numba_available() is False


def test_cores_are_at_least_one_and_at_most_the_quota(monkeypatch):
    everything = available_cores()
    assert everything >= 1
    monkeypatch.setattr(module, "_quota", lambda groups: 0.5)
    assert available_cores() == 1
    monkeypatch.setattr(module, "_quota", lambda groups: math.inf)
    assert available_cores() >= everything


def test_the_quota_of_a_container_is_read_in_both_versions(tmp_path):
    assert module._quota(tmp_path) == math.inf
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert module._quota(tmp_path) == math.inf
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("150000\n")
    assert module._quota(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert module._quota(tmp_path) == 2.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").unlink()
    assert module._quota(tmp_path) == math.inf
