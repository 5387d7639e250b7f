"""Compiling in another process: what it leaves, what it says when it fails, and that it never stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import ChainruleError, CompileError
from chainrule.native import cache, compiler, folder
from chainrule.native.cache import is_warm, load
from chainrule.native.compiler import compile_in_subprocess

pytest.importorskip("numba")

SOURCE = """
from numba import float64, njit

@njit((float64,), cache=True)
def twice(x):
    return x + x
"""
SLOW = "import time\ntime.sleep(60)\n"  # a compilation without end
PACKAGES = str(Path(chainrule.__file__).parents[1])


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty cache, in a process that has loaded nothing."""
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_loaded", {})
    folder.warn_once.cache_clear()
    folder._temporary_folder.cache_clear()
    return tmp_path / "cache"


def hidden(root):
    """What is being built."""
    return [path for path in root.iterdir() if path.name.startswith(".")]


def ended(pid):
    """Whether a process is gone, or only waits for its parent to take note."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def within(seconds, condition):
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_the_child_compiles_and_the_parent_only_loads(root):
    compilation = compile_in_subprocess(SOURCE, "kernel", background=True)
    assert compilation.wait(60) is True
    assert compilation.poll()
    assert compilation.error is None
    assert 0 < compilation.seconds < 60
    assert compilation.seconds == compilation.seconds  # it stands still
    module = load(SOURCE, "kernel")
    assert module.twice(2.0) == 4.0
    assert sum(module.twice.stats.cache_hits.values()) == 1
    assert sum(module.twice.stats.cache_misses.values()) == 0
    assert hidden(root) == []
    again = compile_in_subprocess(SOURCE, "kernel")
    assert (again.poll(), again.wait(), again.seconds, again._child) == (True, True, 0, None)


def test_a_long_name_that_is_no_identifier_is_the_same_entry_in_the_child(root):
    name = "3 nets, " * 10
    assert compile_in_subprocess(SOURCE, name).wait(60)
    assert is_warm(SOURCE, name)


def test_poll_does_not_wait_and_wait_gives_up_in_time(root):
    compilation = compile_in_subprocess(SLOW, "slow")
    started = time.monotonic()
    assert compilation.poll() is False
    assert compilation.wait(0.05) is False
    assert time.monotonic() - started < 5
    compilation.cancel()


def test_cancel_ends_the_child_and_deletes_what_it_left(root):
    compilation = compile_in_subprocess(SLOW, "slow")
    pid = compilation._child.pid
    compilation.cancel()
    assert ended(pid)
    assert compilation.poll()
    assert compilation.error == "the compilation was cancelled"
    with pytest.raises(CompileError, match="cancelled"):
        compilation.wait()
    assert list(root.iterdir()) == []
    compilation.cancel()  # twice is once


def test_a_child_that_is_killed_is_an_error_and_leaves_nothing(root):
    compilation = compile_in_subprocess(SLOW, "slow")
    compilation._child.kill()
    with pytest.raises(CompileError, match="SIGKILL" if os.name == "posix" else "ended with"):
        compilation.wait(60)
    assert list(root.iterdir()) == []
    assert not is_warm(SLOW, "slow")


def test_a_source_that_cannot_be_compiled_is_the_childs_error_in_one_short_line(root):
    compilation = compile_in_subprocess(SOURCE.replace("x + x", "x + unknown"), "kernel")
    with pytest.raises(CompileError, match="unknown") as caught:
        compilation.wait(60)
    assert str(caught.value) == compilation.error
    assert "\n" not in compilation.error
    assert len(compilation.error) <= compiler.ERROR_WIDTH
    assert list(root.iterdir()) == []


def test_a_compile_error_is_a_runtime_error_of_chainrule():
    assert issubclass(CompileError, RuntimeError)
    assert issubclass(CompileError, ChainruleError)


def test_a_child_that_sees_other_settings_compiles_nothing(root, monkeypatch):
    environment = compiler._child_environment
    monkeypatch.setattr(compiler, "_child_environment", lambda: {**environment(), "NUMBA_OPT": "1"})
    with pytest.raises(CompileError, match="other versions or settings"):
        compile_in_subprocess(SOURCE, "kernel").wait(60)
    assert list(root.iterdir()) == []


def test_no_interpreter_is_a_compile_error_and_a_frozen_program_is_not_started_again(root, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CompileError, match="no process could be started"):
        compile_in_subprocess(SOURCE, "kernel")
    assert list(root.iterdir()) == []
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(CompileError, match="frozen or embedded"):
        compile_in_subprocess(SOURCE, "kernel")


def test_no_folder_is_a_compile_error(monkeypatch):
    monkeypatch.setattr(compiler, "cache_folder", lambda: None)
    with pytest.raises(CompileError, match="no folder"):
        compile_in_subprocess(SOURCE, "kernel")


def test_a_temporary_cache_is_passed_on_to_the_child(root):
    root.write_text("a file in its way")
    with pytest.warns(RuntimeWarning, match="machine code is not kept"):
        compilation = compile_in_subprocess(SOURCE, "kernel")
    assert compilation.wait(60)
    assert is_warm(SOURCE, "kernel")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads priorities from /proc")
def test_background_lowers_the_priority_of_the_child_alone(root):
    quick, quiet = compile_in_subprocess(SLOW, "slow"), compile_in_subprocess(SLOW, "slow", background=True)
    own = os.nice(0)

    def niceness(compilation):
        return os.getpriority(os.PRIO_PROCESS, compilation._child.pid)

    assert within(20, lambda: niceness(quiet) == min(19, own + compiler.NICENESS))
    assert niceness(quick) == own == os.nice(0)
    quick.cancel()
    quiet.cancel()


PARENT = """
import atexit, sys, time
atexit.register(lambda: print(compilation.error))  # runs last
from chainrule.native.compiler import compile_in_subprocess
print("MAIN RUNS", file=open("main-runs", "a"))
compilation = compile_in_subprocess(open("source.txt").read(), "kernel")
print(compilation._child.pid, flush=True)
if sys.argv[1:] == ["wait"]:
    print(compilation.wait(60))
elif sys.argv[1:] == ["stay"]:
    time.sleep(60)
"""


def parent(tmp_path, source, *arguments):
    """A user's script, without a guard around its main part, that has a source compiled."""
    (tmp_path / "source.txt").write_text(source)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGES, *filter(None, sys.path)])}
    command = [sys.executable, "scripts/script.py", *arguments]
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)


def test_the_users_main_module_runs_once_and_a_file_in_the_working_folder_is_no_package(tmp_path, root):
    (tmp_path / "numba.py").write_text("raise SystemExit('the wrong one')")
    out, _ = parent(tmp_path, SOURCE, "wait").communicate(timeout=60)
    assert out.split()[1] == "True"
    assert (tmp_path / "main-runs").read_text() == "MAIN RUNS\n"


def test_the_child_imports_from_where_its_parent_does(tmp_path, root, monkeypatch):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "only_on_this_path.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "theirs")
    assert compile_in_subprocess("import only_on_this_path\n" + SOURCE, "kernel").wait(60)


@pytest.mark.skipif(os.name != "posix", reason="asks for processes in the POSIX way")
def test_the_child_ends_when_its_parent_is_killed(tmp_path, root):
    process = parent(tmp_path, SLOW, "stay")
    pid = int(process.stdout.readline())
    assert within(20, lambda: not ended(pid))
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert within(20, lambda: ended(pid))
    assert within(5, lambda: hidden(root) == [])


@pytest.mark.skipif(os.name != "posix", reason="asks for processes in the POSIX way")
def test_the_child_ends_when_its_parent_exits(tmp_path, root):
    process = parent(tmp_path, SLOW)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    pid, error = out.split("\n", 1)
    assert error == "the compilation was cancelled\n"
    assert ended(int(pid))
    assert hidden(root) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_fork_that_exits_leaves_its_parents_children_alone(root):
    compilation = compile_in_subprocess(SLOW, "slow")
    child = os.fork()
    if child == 0:
        compiler._cancel_all()
        os._exit(0)
    os.waitpid(child, 0)
    assert compilation.poll() is False
    assert len(hidden(root)) == 1
    compilation.cancel()
