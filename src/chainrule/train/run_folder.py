"""The folder that a run leaves behind: everything to use it, to judge it and to run its first step again.

============================  ===========================================================================
``weights.safetensors``       the trained network, see `weights.py`
``history.json``              what happened, epoch by epoch, and the settings
``command.txt``               the exact command
``train_step.py``             the derived training step; imports NumPy only
``first_batch.npz``           what went into the run's first step, and what came out
============================  ===========================================================================

The one idea: `python train_step.py` proves that the readable program is the one that ran. It takes the first batch from
the file beside it, makes the step, and compares with the run, to the last bit.

The folder is built under a temporary name and renamed when it is whole; nothing that exists is ever overwritten.
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, UnsupportedError
from chainrule.pytree import flatten, leaf_paths
from chainrule.train.files import sync_folder, write_synced
from chainrule.train.loop import Fit
from chainrule.train.step import FirstStep
from chainrule.train.weights import to_bytes

STEP_FILE, BATCH_FILE = "train_step.py", "first_batch.npz"

CHECK_FIRST_STEP = '''

def leaves(results):
    """All arrays and numbers of nested results, in order."""
    if isinstance(results, (tuple, list)):
        return [leaf for part in results for leaf in leaves(part)]
    if isinstance(results, dict):
        return [leaf for key in sorted(results) for leaf in leaves(results[key])]
    return [np.asarray(results)]


def repeat_first_step(path):
    """Run the step that is recorded in this file; the first result that differs in any bit, or None."""
    recorded = np.load(path)
    given = {name[6:]: recorded[name] for name in recorded.files if name.startswith("given ")}
    given |= {name[7:]: recorded[name].item() for name in recorded.files if name.startswith("number ")}
    expected = {name[7:]: recorded[name] for name in recorded.files if name.startswith("result ")}
    results = leaves(FUNCTION(**given))
    if len(results) != len(expected):
        return "the number of results"
    for (name, array), result in zip(expected.items(), results):
        if (array.dtype, array.shape, array.tobytes()) != (result.dtype, result.shape, result.tobytes()):
            return name
    return None


if __name__ == "__main__":
    difference = repeat_first_step(__file__.rpartition("train_step.py")[0] + "first_batch.npz")
    if difference is not None:
        print(f"first step differs from the run in {difference}")
        raise SystemExit(1)
    print("first step reproduced to the last bit")
'''


def write_run_folder(
    result: Fit,
    *,
    command: str,
    name: str = "run",
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write the folder of a run.

    Parameters
    ----------
    result : Fit
        What `fit` returned.
    command : str
        The command that started the run.
    name : str
        The folder is ``runs/<name>-001``, or the next number that is free.
    out : path, optional
        The folder itself, instead; it must not exist.
    settings, metadata : mapping, optional
        Go into ``history.json`` and, with the weights, into ``weights.safetensors``.

    Returns
    -------
    Path
        The folder.
    """
    require_new(out)
    parent = Path(out).parent if out is not None else Path("runs")
    contents = {
        "weights.safetensors": to_bytes(result.network, **(metadata or {})),
        "history.json": _json({"settings": dict(settings or {}), **result.history.to_dict()}),
        "command.txt": f"{command}\n".encode(),
        STEP_FILE: step_file(result).encode(),
        BATCH_FILE: first_batch_file(result),
    }
    parent.mkdir(parents=True, exist_ok=True)
    temporary = parent / f".{Path(out).name if out is not None else name}.{os.getpid()}.partial"
    temporary.mkdir()
    try:
        for file, data in contents.items():
            write_synced(temporary / file, data)
        sync_folder(temporary)
        return _rename(temporary, parent, name, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_new(out: str | Path | None) -> None:
    """Refuse a folder that exists; to be asked before an hour of training, not only after."""
    if out is not None and Path(out).exists():
        raise ArgumentError(f"{out} exists already: a run never overwrites, give a new folder")


def step_file(result: Fit) -> str:
    """The emitted training step, and below it the check that it is the one that ran."""
    source = result.source()
    function, _ = _signature(source)
    return source.rstrip() + "\n" + CHECK_FIRST_STEP.replace("FUNCTION", function)


def first_batch_file(result: Fit) -> bytes:
    """Arguments and results of the first step, named as the emitted function names its parameters."""
    first: FirstStep = result.first
    arguments = flatten((first.network, first.state, first.X, first.y))[0]
    _, parameters = _signature(result.source())
    if len(parameters) != len(arguments):
        raise UnsupportedError(
            f"the training step takes {len(parameters)} arrays, {len(arguments)} are known: does the loss use an array "
            "from outside? Make it part of y, or build it inside the loss"
        )
    entries = {}
    for parameter, value in zip(parameters, arguments, strict=True):
        # A Python number must come back as one: as an array it would turn float32 into float64.
        kind = "given" if isinstance(value, (np.ndarray, np.generic)) else "number"
        entries[f"{kind} {parameter}"] = np.asarray(value)
    loss, network, state = first.results
    paths = ["loss", *leaf_paths(network, "network"), *leaf_paths(state, "state")]
    for path, value in zip(paths, flatten((loss, network, state))[0], strict=True):
        entries[f"result {path}"] = np.asarray(value)
    buffer = io.BytesIO()
    np.savez(buffer, **entries)  # type: ignore[arg-type]
    return buffer.getvalue()


def _signature(source: str) -> tuple[str, list[str]]:
    """Name and parameters of the emitted function: the last one of the module, helpers stand before it."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    parameters = functions[-1].args
    return functions[-1].name, [a.arg for a in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs)]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _rename(temporary: Path, parent: Path, name: str, out: str | Path | None) -> Path:
    """Give the finished folder its name: the one asked for, or the first number that nobody takes meanwhile."""
    names = [Path(out)] if out is not None else (parent / f"{name}-{i:03d}" for i in itertools.count(1))
    for target in names:
        if target.exists():
            continue
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():
                raise
            continue  # another run took this number between the two lines
        sync_folder(parent)
        return target
    raise ArgumentError(f"{out} exists already: a run never overwrites, give a new folder")
