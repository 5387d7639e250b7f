"""How a training shows that it is alive: a bar on a terminal, a few plain lines in a pipe, or nothing.

The one idea: the loop tells a `Progress` about batches and epochs and does not know what becomes of it.

>>> with progress_for(False, epochs=3, steps=10) as progress:
...     progress.batch(1)

Everything is written to stderr, so that stdout stays the result. rich is imported only when a bar is drawn.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import IO, Any, Self

from chainrule.train.history import Epoch

REFRESH_SECONDS = 0.1  # a bar repainted at every batch would cost more than a small network's step
LINES = 10  # how many epochs are reported in a pipe


class Progress:
    """Says nothing; also the protocol that the others follow, as a context manager around the training."""

    def batch(self, steps: int) -> None:
        """`steps` updates of this epoch are done."""

    def epoch(self, epoch: Epoch, metric: str | None) -> None:
        """An epoch has ended."""

    def say(self, text: str) -> None:
        """Something that one has to wait for, or would want to know."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The training has ended, well or not."""


class Lines(Progress):
    """A plain line for about every tenth epoch, for logs and pipes."""

    def __init__(self, epochs: int, stream: IO[str]) -> None:
        self.epochs = epochs
        self.every = max(1, -(-epochs // LINES))
        self.stream = stream

    def epoch(self, epoch: Epoch, metric: str | None) -> None:
        """Write the line of this epoch if it is its turn."""
        if epoch.number % self.every == 0 or epoch.number in (1, self.epochs):
            print(f"epoch {epoch.number}/{self.epochs}  {describe(epoch, metric)}", file=self.stream, flush=True)

    def say(self, text: str) -> None:
        """Write the line."""
        print(text, file=self.stream, flush=True)


class Bar(Progress):
    """A rich progress bar over all steps, repainted by the training thread itself.

    rich's own refresh thread would take the interpreter from the loop at any moment; this one is asked at each batch
    whether it is time.
    """

    def __init__(self, epochs: int, steps: int, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self.steps = steps
        self.done = 0
        self.painted = time.monotonic()
        self.bar: Any = RichProgress(
            TextColumn("epoch"),
            TextColumn("{task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeRemainingColumn(),
            console=Console(file=stream),
            auto_refresh=False,
        )
        self.epochs = epochs
        self.task = self.bar.add_task("train", total=epochs * steps, epoch=f"1/{epochs}", losses="")

    def batch(self, steps: int) -> None:
        """Repaint if the last time is long enough ago."""
        now = time.monotonic()
        if now - self.painted >= REFRESH_SECONDS:
            self.painted = now
            self.bar.update(self.task, completed=self.done + steps, refresh=True)

    def epoch(self, epoch: Epoch, metric: str | None) -> None:
        """Show the epoch's losses."""
        self.done += epoch.steps
        following = min(epoch.number + 1, self.epochs)
        self.bar.update(self.task, epoch=f"{following}/{self.epochs}", losses=describe(epoch, metric, brief=True))
        self.batch(0)

    def say(self, text: str) -> None:
        """Write the line above the bar."""
        self.bar.console.print(text, markup=False, highlight=False)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.update(self.task, completed=self.done, refresh=True)
        self.bar.stop()


def describe(epoch: Epoch, metric: str | None, *, brief: bool = False) -> str:
    """An epoch's losses and metric in a few words; if brief, the loss and one number of the validation."""
    parts = [f"loss {epoch.train_loss:.4g}"]
    if epoch.validation_loss is not None and not (brief and epoch.validation_metric is not None):
        parts.append(f"validation loss {epoch.validation_loss:.4g}")
    if epoch.validation_metric is not None:
        parts.append(f"{metric} {epoch.validation_metric:.4f}")
    return "  ".join(parts)


def progress_for(progress: bool | None, epochs: int, steps: int, stream: IO[str] | None = None) -> Progress:
    """The progress display: True is a bar on a terminal and lines elsewhere, None is a bar on a terminal only."""
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    if progress is False or (progress is None and not terminal):
        return Progress()
    return Bar(epochs, steps, stream) if terminal else Lines(epochs, stream)
