"""Contenders in processes of their own, timed in turns: while one runs, all others are stopped.

The one idea: on a shared machine only times of the same minute can be compared. So all contenders are started and
prepared first; then, in every round, each is woken (SIGCONT), runs epochs, and is stopped (SIGSTOP) again. The order
rotates from round to round, and the median over the rounds is what counts.

What a child answers is in `contenders/child.py`. Nothing here knows what is being timed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "contenders"
SHORTEST_TURN = 0.02  # seconds: what has shorter epochs runs several in its turn
LONGEST_WAIT = 300.0  # seconds until an answer, compilation included
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
FORGOTTEN = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # machines set these, and slow one BLAS down and not another


@dataclass(frozen=True)
class Contender:
    """What runs: a file in `contenders/`, its arguments, and the interpreter.

    Attributes
    ----------
    label : str
        What tables say; contenders of one label are variants, of which the quickest counts.
    role : {"ours", "peer", "floor"}
    """

    key: str
    label: str
    file: str
    arguments: tuple[str, ...] = ()
    role: str = "peer"
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of a contender: seconds of an epoch in each round, first losses, or why there are none."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float | None] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    failure: str | None = None

    @property
    def median(self) -> float | None:
        """Seconds of an epoch, or None where there is nothing to count."""
        return statistics.median(self.seconds) if self.seconds and self.failure is None else None


class ContenderError(Exception):
    """A child ended, or did not answer in time."""


class Child:
    """A running contender."""

    def __init__(self, contender: Contender, arguments: Sequence[str] = ()) -> None:
        self.contender = contender
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        environment = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
        if contender.python != sys.executable:
            environment.pop("PYTHONPATH", None)  # it names packages of this interpreter
        self.process = subprocess.Popen(  # noqa: S603 - files of this folder
            [contender.python, str(FOLDER / contender.file), *arguments, *contender.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**environment, **contender.environment},
            start_new_session=True,  # a group of its own, so that its helpers stop with it
        )

    def answer(self) -> dict[str, Any]:
        """The next answer; raises `ContenderError` with the child's last words if there is none."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(LONGEST_WAIT, give_up)
        timer.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            words = self.errors.read().decode(errors="replace").strip().splitlines()
            ended = f"it ended with code {self.process.returncode}"
            raise ContenderError(f"no answer in {LONGEST_WAIT:.0f} s" if late.is_set() else (words or [ended])[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, line: str = "run") -> dict[str, Any]:
        """Send a line and wait for what comes back."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either, and `answer` says why
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return self.answer()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let the child run in here, and stop it afterwards."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def turn(self) -> float:
        """Seconds of an epoch; short ones are repeated, which also gets them past cold caches."""
        seconds = []
        with self.awake():
            while sum(seconds) < SHORTEST_TURN:
                seconds.append(self.ask()["seconds"])
        return statistics.median(seconds)

    def end(self) -> None:
        """End the child and its helpers."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self._signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def measure(
    contenders: Sequence[Contender],
    arguments: Sequence[str],
    rounds: int,
    *,
    gate_epochs: int = 2,
    saved: Path | None = None,
) -> dict[str, Outcome]:
    """Time the epochs of all contenders in interleaved rounds.

    Parameters
    ----------
    arguments : sequence of str
        What every contender gets on its command line, before its own arguments.
    gate_epochs : int
        Epochs that run before the clock counts, whose losses are kept.
    saved : Path, optional
        A folder into which each contender then also saves what it computes, as KEY.npz.
    """
    outcomes = {contender.key: Outcome() for contender in contenders}
    children: list[Child] = []

    def attempt(child: Child, action: Any) -> bool:
        try:
            action()
        except ContenderError as error:
            outcomes[child.contender.key].failure = str(error)
            return False
        return True

    def prepare(child: Child) -> None:
        outcome = outcomes[child.contender.key]
        with child.awake():
            outcome.versions = child.answer()["versions"]
            outcome.losses = [child.ask()["loss"] for _ in range(gate_epochs)]
            if saved is not None:
                child.ask(f"save {saved / child.contender.key}.npz")

    try:
        for contender in contenders:
            children.append(Child(contender, arguments))
            attempt(children[-1], lambda: prepare(children[-1]))
        for number in range(rounds):
            running = [child for child in children if outcomes[child.contender.key].failure is None]
            start = number % max(len(running), 1)
            for child in running[start:] + running[:start]:
                seconds = outcomes[child.contender.key].seconds
                attempt(child, lambda child=child, seconds=seconds: seconds.append(child.turn()))
    finally:
        for child in children:
            child.end()
    return outcomes


def mark_wrong(outcomes: dict[str, Outcome], tolerance: float) -> None:
    """Give those a failure whose losses are not what the others found: their time does not count."""
    sound = [o for o in outcomes.values() if o.failure is None and o.losses and None not in o.losses]
    for epoch, losses in enumerate(zip(*(o.losses for o in sound), strict=True), start=1):
        agreed = statistics.median([loss for loss in losses if math.isfinite(loss)] or [math.nan])
        for outcome, loss in zip(sound, losses, strict=True):
            if not abs(loss - agreed) <= tolerance * abs(agreed) and outcome.failure is None:  # NaN is wrong too
                outcome.failure = f"WRONG: loss {loss:.6g} in epoch {epoch}, the others {agreed:.6g}"


def machine() -> dict[str, Any]:
    """What the numbers hold for, and how busy it was."""
    name = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": name or platform.machine(),
        "cores": cores,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }
