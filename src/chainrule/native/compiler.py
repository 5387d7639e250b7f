"""Compile in another process, so that training goes on meanwhile: only the disk cache passes between the two.

The one idea: the child fills the cache and ends; the parent finds the entry there, and loads it as it would any other.
Numba holds the interpreter while it compiles, so a thread would cut a NumPy loop beside it to an eighth of its speed.

    compilation = compile_in_subprocess(source, "epoch", background=True)
    while not compilation.poll():
        ...                                         # go on with NumPy
    epoch = load(source, "epoch").epoch             # or compilation.error says why not

The child never runs the user's main module: it imports this file and the emitted source, on the parent's `sys.path`. It
holds the reading end of a pipe and ends when the pipe closes, in whatever way the parent died.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from chainrule.errors import CompileError
from chainrule.native.cache import build, cache_folder, entry_name, holds, is_warm, start_entry

NICENESS = 10
ERROR_WIDTH = 300  # characters of the child's last words that are kept

_running: set[Compilation] = set()


class Compilation:
    """A compilation under way in another process, or the end of one.

    Attributes
    ----------
    error : str or None
        Why there is no machine code, once that is known: the child's last words, or what ended it.
    """

    def __init__(
        self, child: subprocess.Popen[bytes] | None = None, words: IO[bytes] | None = None, folder: Path | None = None
    ) -> None:
        self.error: str | None = None
        self._child = child
        self._words = words
        self._folder = folder
        self._owner = os.getpid()
        self._started = time.monotonic()
        self._ended: float | None = self._started if child is None else None
        self._lock = threading.Lock()

    def poll(self) -> bool:
        """Whether it has ended, well or not; never waits."""
        with self._lock:
            if self._ended is None and self._child is not None and self._child.poll() is not None:
                self._finish()
            return self._ended is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the machine code.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default as long as it takes.

        Returns
        -------
        bool
            True if the machine code is there, False if the time is up.

        Raises
        ------
        CompileError
            It ended without; the message is `error`.
        """
        if self._child is not None:
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                return False
        self.poll()
        if self.error is not None:
            raise CompileError(self.error)
        return True

    def cancel(self) -> None:
        """End it now, if it has not ended; what it has left on the disk is deleted."""
        with self._lock:
            if self._ended is None and self._child is not None:
                if self._child.poll() is None:
                    self.error = "the compilation was cancelled"
                    self._child.kill()
                    self._child.wait()
                self._finish()

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran until it was seen to have ended; 0 if nothing had to be compiled."""
        return (time.monotonic() if self._ended is None else self._ended) - self._started

    def _finish(self) -> None:
        """Take note of how the child ended, and tidy up after it."""
        assert self._child is not None
        assert self._child.stdin is not None
        assert self._words is not None
        assert self._folder is not None
        code = self._child.returncode
        if code and self.error is None:
            self._words.seek(0)
            lines = self._words.read().decode(errors="replace").split("\n")
            said = textwrap.shorten(next((line for line in reversed(lines) if line.strip()), ""), ERROR_WIDTH)
            self.error = _signal_text(-code) if code < 0 else said or f"the compiling process ended with {code}"
        self._words.close()
        self._child.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._ended = time.monotonic()
        _running.discard(self)


def compile_in_subprocess(source: str, name: str, *, background: bool = False) -> Compilation:
    """Start to fill the cache with the machine code of a source; returns at once.

    Parameters
    ----------
    source, name : str
        As `load` will be given them.
    background : bool, optional
        Let everything else go first (a lower priority), for compilations that nobody waits for.

    Returns
    -------
    Compilation
        One that has ended already, if the machine code is there.

    Raises
    ------
    CompileError
        There is no folder to write to, or no interpreter to start.
    """
    if is_warm(source, name):
        return Compilation()
    root = cache_folder()
    if root is None:
        raise CompileError("there is no folder in which another process could leave machine code")
    if not sys.executable or getattr(sys, "frozen", False):
        raise CompileError("there is no Python interpreter to compile in: this program is frozen or embedded")
    try:
        with ExitStack() as undo:
            folder = start_entry(root, source, entry_name(source, name))
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            words = undo.enter_context(tempfile.TemporaryFile())  # not a pipe: full and not read, it stops the child
            child = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                [sys.executable, "-P", "-m", "chainrule.native.compiler", str(folder), *(["background"] * background)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=words,
                env=_child_environment(),
                creationflags=_windows_flags(background),
            )
            undo.pop_all()
    except OSError as error:
        raise CompileError(f"no process could be started to compile {name}: {error}") from error
    compilation = Compilation(child, words, folder)
    _running.add(compilation)
    return compilation


def _child_environment() -> dict[str, str]:
    """Ours, with our `sys.path`; with `-P`, no file in the working folder can pass for a package."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}


def _windows_flags(background: bool) -> int:
    """No console window, and the low priority that `os.nice` gives elsewhere; 0 where there are no such flags."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return flags | (getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) if background else 0)


def _signal_text(number: int) -> str:
    try:
        return f"the compiling process was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"the compiling process was ended by signal {number}"


@atexit.register
def _cancel_all() -> None:
    """No child outlives this process; a fork leaves its parent's children alone."""
    for compilation in list(_running):
        if compilation._owner == os.getpid():
            compilation.cancel()


# The child


def main(arguments: list[str]) -> int:
    """Compile the source in the folder that is given, and move it into the cache.

    Parameters
    ----------
    arguments : list of str
        A folder that `start_entry` made, and "background" for a low priority.

    Returns
    -------
    int
        0 if the cache has the machine code now, otherwise 1; the reason is the last line on stderr.
    """
    folder = Path(arguments[0])
    if "background" in arguments[1:] and hasattr(os, "nice"):
        os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    try:
        _fill(folder)
    except Exception as error:  # noqa: BLE001 - all that the parent gets to see is this line
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    return 0


def _fill(folder: Path) -> None:
    """Build the entry that the parent will look for; anything else would be compiled in vain."""
    stem = folder.name[1:].rpartition(".")[0]
    source = (folder / f"{stem}.py").read_bytes().decode()
    if entry_name(source, stem.rpartition("_")[0]) != stem:
        raise CompileError("the compiling process sees other versions or settings than the one that waits for it")
    build(folder, source)
    if not holds(folder.with_name(stem), source):
        raise CompileError("the machine code could not be written to the cache")


def _end_with_parent(folder: Path) -> None:
    """Wait for the pipe to close, which the system does when the parent ends, and end too."""
    while os.read(0, 1):  # not sys.stdin, whose lock the interpreter would want when it exits
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
