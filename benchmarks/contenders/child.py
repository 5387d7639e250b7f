"""A contender's side of the conversation: say that it is ready, then one epoch for each line that comes in.

    parent                    child
                              {"ready": true, "versions": {...}, ...}
    run                       {"seconds": 0.0213, "loss": 1.0986}
    (closes the pipe)         ends

A contender whose calls are epochs calls `serve`; one that is called back between epochs uses `wait` and `answer`.
What libraries print goes to stderr, so that nothing but answers reaches the parent. The standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def ready(**facts: Any) -> None:
    """Tell that everything is imported and prepared, with the versions that answer, and whatever else is known."""
    _say({"ready": True, **facts})


def wait() -> str | None:
    """The parent's next line, or None when there will be no more."""
    return sys.stdin.readline().strip() or None


def answer(seconds: float, loss: float | None) -> None:
    """Tell how long an epoch took, and its mean loss."""
    _say({"seconds": seconds, "loss": None if loss is None else float(loss)})


def serve(epoch: Callable[[], float | None], save: Callable[[str], object] | None = None, **facts: Any) -> None:
    """Run `epoch` at each line "run", until the pipe closes; "save PATH" has `save` write what it computes."""
    ready(**facts)
    while line := wait():
        command, _, path = line.partition(" ")
        started = time.perf_counter()
        if command == "save":
            assert save is not None
            save(path)
            loss = None
        else:
            loss = epoch()
        answer(time.perf_counter() - started, loss)


def _say(message: dict[str, Any]) -> None:
    _answers.write(json.dumps(message) + "\n")
    _answers.flush()
