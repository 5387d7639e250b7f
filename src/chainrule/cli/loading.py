"""What a command line names: a function of the user's, and example arguments for it in a file.

The one idea: what cannot be loaded is said in one line, with what would have been there. A module runs when it is imported,
as with `python -m`; the file of arguments never runs anything.

>>> load_function("math:sqroot")
Traceback (most recent call last):
    ...
chainrule.errors.ArgumentError: math has no function 'sqroot', did you mean 'sqrt'?
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, ChainruleError, DataError
from chainrule.frames import ENGINE
from chainrule.places import is_numpy


def load_function(spec: str) -> Callable:
    """The function that `module:function` or `file.py:function` names.

    The folder in which the command is given can be imported from, like with `python -m`. A dot leads to what is inside:
    ``models:Net.loss``.
    """
    where, _, name = spec.rpartition(":")
    if not where or not name:
        raise ArgumentError(
            f"{spec!r} names no function: write module:function, such as losses:loss, or losses.py:loss"
        )
    found: Any = _load_file(Path(where)) if where.endswith(".py") else _load_module(where)
    for part in name.split("."):
        if not hasattr(found, part):
            functions = [n for n, value in vars(found).items() if callable(value) and not n.startswith("_")]
            raise ArgumentError(f"{where} has no function {part!r}{_suggest(part, functions)}")
        found = getattr(found, part)
    if not callable(found):
        raise ArgumentError(f"{spec} is a {type(found).__name__}, not a function")
    function: Callable = found
    return function


def _load_module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ArgumentError(
                f"there is no module {name!r}, neither here nor installed; a file is named losses.py"
            ) from None
        raise ArgumentError(f"{name} imports {error.name!r}, which is not installed") from None
    except Exception as error:
        raise ArgumentError(f"importing {name} raised {type(error).__name__}: {error}") from error


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise ArgumentError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))  # what lies beside it can be imported, like with `python file.py`
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ArgumentError(f"{path} raised {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return module


def load_example(path: Path, function: Callable, spec: str) -> dict[str, Any]:
    """The arguments in an npz file, by the names of the function's parameters, in the function's order.

    Raises
    ------
    DataError
        There is no such file, or it is no npz file of plain arrays.
    ArgumentError
        Its names are not the function's parameters.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: _unpacked(archive[name]) for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, zipfile.BadZipFile, EOFError, AttributeError, TypeError):
        raise DataError(
            f"{path} is no npz file of plain arrays: write one with np.savez({str(path)!r}, X=X, W=W), a name for each parameter"
        ) from None
    return _in_order(arrays, function, spec, path)


def _unpacked(array: np.ndarray) -> Any:
    """A number alone is a number; integers, booleans and text among them are Python's, for they steer the function."""
    if array.ndim:
        return array
    return array[()] if array.dtype.kind == "f" else array.item()


def _in_order(arrays: dict[str, Any], function: Callable, spec: str, path: Path) -> dict[str, Any]:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return arrays
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return arrays
    unknown = [name for name in arrays if name not in parameters]
    if unknown:
        names = ", ".join(parameters)
        raise ArgumentError(
            f"{path} holds {unknown[0]!r}{_suggest(unknown[0], parameters)}: the parameters of {spec} are {names}"
        )
    missing = [
        n for n, p in parameters.items() if p.default is p.empty and n not in arrays and p.kind is not p.VAR_POSITIONAL
    ]
    if missing:
        held = ", ".join(arrays) or "nothing"
        raise ArgumentError(f"{path} holds no {missing[0]!r}, which {spec} needs; it holds {held}")
    return {name: arrays[name] for name in parameters if name in arrays}


def call_user(spec: str, run: Callable[[], Any]) -> Any:
    """What `run` returns; what the user's function raises while it runs becomes one line with its name.

    What is raised by a line of ours is a mistake of ours, and stays what it is.
    """
    try:
        return run()
    except ChainruleError:
        raise
    except Exception as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if next((f for f in reversed(files) if not is_numpy(f)), "") in ENGINE:
            raise
        raise ArgumentError(f"{spec} raised {type(error).__name__}: {error}") from error


def _suggest(name: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(choices), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
