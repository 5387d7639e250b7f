"""What happened in a training, epoch by epoch.

The one idea: a record for each epoch, and one table of them that prints well, becomes JSON and gives columns as lists.

>>> history = History(metric="accuracy")
>>> history.append(Epoch(1, steps=4, train_loss=0.7, validation_loss=0.6, validation_metric=0.5, seconds=0.01))
>>> history.train_loss
[0.7]

It never looks at networks, and never measures anything itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training rows.

    Attributes
    ----------
    number : int
        Counted from 1.
    steps : int
        Updates made in this epoch.
    train_loss : float
        Mean over the training rows of the loss of the batch each was in, before that batch's update.
    validation_loss, validation_metric : float or None
        Measured after the epoch's last update.
    seconds : float
        Wall time of the epoch, validation included.
    """

    number: int
    steps: int
    train_loss: float
    validation_loss: float | None = None
    validation_metric: float | None = None
    seconds: float = 0.0


@dataclass
class History:
    """All epochs of a training, in order; `metric` is the name of the validation metric, if there is one."""

    metric: str | None = None
    epochs: list[Epoch] = field(default_factory=list)
    engine: str = "numpy"  # what ran the steps

    def append(self, epoch: Epoch) -> None:
        """Add the next epoch."""
        self.epochs.append(epoch)

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, index: int) -> Epoch:
        return self.epochs[index]

    @property
    def train_loss(self) -> list[float]:
        """Training loss of each epoch."""
        return [epoch.train_loss for epoch in self.epochs]

    @property
    def validation_loss(self) -> list[float | None]:
        """Validation loss of each epoch."""
        return [epoch.validation_loss for epoch in self.epochs]

    @property
    def validation_metric(self) -> list[float | None]:
        """Validation metric of each epoch."""
        return [epoch.validation_metric for epoch in self.epochs]

    @property
    def seconds(self) -> float:
        """Wall time of all epochs, in seconds."""
        return sum(epoch.seconds for epoch in self.epochs)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, ready for JSON; what is not finite becomes None, as JSON has no word for it."""
        epochs = [{name: _finite(value) for name, value in asdict(epoch).items()} for epoch in self.epochs]
        return {"metric": self.metric, "engine": self.engine, "epochs": epochs}

    def __repr__(self) -> str:
        """A table with a line for each epoch; the middle of a long training is left out."""
        lines = [f"{'epoch':>5}  {'train loss':>10}  {'validation loss':>15}  {self.metric or '':>10}  {'seconds':>7}"]
        skipped = range(5, len(self.epochs) - 5) if len(self.epochs) > 12 else range(0)
        for i, epoch in enumerate(self.epochs):
            if i in skipped:
                lines += [f"{'...':>5}"] if i == skipped[0] else []
                continue
            lines.append(
                f"{epoch.number:>5}  {epoch.train_loss:>10.4g}  {_number(epoch.validation_loss):>15}  "
                f"{_number(epoch.validation_metric):>10}  {epoch.seconds:>7.3f}"
            )
        return "\n".join(line.rstrip() for line in lines)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
