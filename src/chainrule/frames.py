"""Whose frame is running: the user's, ours or NumPy's; and what stands in the user's line.

The one idea: a traced operation is asked for by the innermost frame that is neither the engine's nor NumPy's. The bodies
of `cr.nn` and `cr.optim` count as user code, for their names are worth having; a frame of `BORDERS` runs a whole
function of the user's, so what lies beyond it is not that function's line.
"""

from __future__ import annotations

import dis
import linecache
import os
import sys

import numpy as np

from chainrule.places import assigned_name, place_of, user_frame

_here = os.path.dirname(os.path.abspath(__file__))
_numpy_folder = os.path.dirname(os.path.abspath(np.__file__))
# frames in these files are the engine's; `cr.nn` and `cr.optim` are not among them, their bodies have names to give
ENGINE = frozenset(
    os.path.join(folder, name)
    for folder, _, names in os.walk(_here)
    if os.path.basename(folder) not in ("nn", "optim")
    for name in names
    if name.endswith(".py")
)
# the engine's files but those that run parts of the user's code: what a whole function returns gets no name from its caller
_PASSED = (
    "checkpointing.py", "frames.py", "in_place.py", "labels.py", "sharing.py", "methods.py", "primitive.py", "pytree.py", "quick.py", "sizes.py", "trace.py", "tracer.py", "writes.py", "primitives",
)  # fmt: skip
BORDERS = frozenset(path for path in ENGINE if os.path.relpath(path, _here).split(os.sep)[0] not in _PASSED)
_COMPARE_OP = dis.opmap["COMPARE_OP"]


def target_of_running_line() -> str | None:
    """The name that the user's running expression is about to get."""
    return assigned_name(sys._getframe(), ENGINE, BORDERS)


def asked_by_user() -> bool:
    """Whether the caller's question comes from a comparison on the user's own line, not from NumPy or from us."""
    frame = sys._getframe(1)
    asking = frame.f_code.co_filename
    while frame is not None and frame.f_code.co_filename == asking:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None or frame.f_code.co_filename.startswith((_here, _numpy_folder)):
        return False
    return frame.f_code.co_code[frame.f_lasti] == _COMPARE_OP  # NumPy's C code asks its questions in a call


def place_text() -> str:
    """The user's running line as text."""
    frame = user_frame(ENGINE)
    return str(place_of(frame.f_code, frame.f_lasti)) if frame is not None else "an unknown line"


def running_code() -> str:
    """The user's running expression, if it is short and its source is at hand."""
    frame = user_frame(ENGINE)
    span = place_of(frame.f_code, frame.f_lasti).span if frame is not None else None
    if frame is None or span is None or span[0] != span[2]:
        return ""
    line = linecache.getline(frame.f_code.co_filename, span[0]).encode()
    return line[span[1] : span[3]].decode(errors="replace") if span[3] - span[1] <= 60 else ""
