"""Machine code that outlives the process: `load` gives the module of an emitted source, compiled once per machine.

The one idea: an entry is complete or absent. It is a folder, built under a temporary name and renamed into place, so two
processes may compile the same module at once, and nobody meets half of one::

    ~/.cache/chainrule/                     yours alone; CHAINRULE_CACHE_DIR names another
        epoch_5f0c.../                      the digest of the source and of all that makes machine code of it
            epoch_5f0c....py                the emitted source: a real file, for tracebacks and for reading
            epoch_5f0c....train-9.py311.nbi, .1.nbc         what Numba made of each function
            checksums.json                  sha256 of each of them

Numba's files are pickles and machine code, so nothing is read that does not match: the folder belongs to the user, its
Python file equals the source at hand, and every file its checksum. What does not match is compiled again. A disk that is
full or read-only costs a warning and the time to compile, never the result.

Functions for Numba have explicit signatures: what is compiled after the import stays in memory. Only `load` imports
Numba; a source that does without works without.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import json
import linecache
import os
import re
import shutil
import sys
import tempfile
import textwrap
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from types import ModuleType

import numpy as np

from chainrule.errors import CompileError
from chainrule.native.folder import (
    CHECKSUMS,
    CacheInfo,
    cache_folder,
    cache_info,
    clear_cache,
    discard,
    evict_once,
    warn_once,
)
from chainrule.native.locator import finish, machine_code_in

__all__ = ["CacheInfo", "cache_folder", "cache_info", "clear_cache", "entry_name", "is_warm", "load"]

# what Numba reads from the environment that changes the machine code
SETTINGS = (
    "OPT", "CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DISABLE_INTEL_SVML",
    "BOUNDSCHECK", "DEBUGINFO", "DISABLE_JIT",
)  # fmt: skip
MATCHED = (".py", ".nbi", ".nbc")  # every such file of an entry has a checksum
ATTEMPTS = 5  # to put an entry in the place of a damaged one, while others do the same

_loaded: dict[str, ModuleType] = {}
_lock = threading.RLock()


def load(source: str, name: str) -> ModuleType:
    """The module of an emitted source, with machine code from the disk if it is there; imported once per process.

    Parameters
    ----------
    source : str
        A Python module. Its functions for Numba have explicit signatures and `cache=True`.
    name : str
        What the module is called, in file names and tracebacks.

    Returns
    -------
    ModuleType
        The same one for the same source; threads that ask at once wait for one compilation.

    Raises
    ------
    CompileError
        The module cannot be imported; the error that Numba or Python raised is the cause.
    """
    stem = entry_name(source, name)
    with _lock:
        if stem not in _loaded:
            try:
                _loaded[stem] = _module(source, stem)
            except Exception as error:
                text = textwrap.shorten(str(error), 300)
                raise CompileError(f"{name} could not be compiled: {text}") from error
        return _loaded[stem]


def is_warm(source: str, name: str) -> bool:
    """Whether complete, verified machine code of this source is on the disk; Numba is not imported to tell."""
    root = cache_folder()
    if root is None:
        return False
    entry = root / entry_name(source, name)
    return holds(entry, source) and any(entry.glob("*.nbc"))


def entry_name(source: str, name: str) -> str:
    """The entry of a source: its name as an identifier, and the digest of all that decides the machine code.

    >>> entry_name("x = 1", "loss of a net").rpartition("_")[0]
    'loss_of_a_net'
    >>> entry_name("x = 1", "loss") == entry_name("x = 2", "loss")
    False
    """
    settings = [os.environ.get(f"NUMBA_{setting}", "") for setting in SETTINGS]
    digest = hashlib.sha256(json.dumps([source, *_toolchain(), *settings]).encode()).hexdigest()
    safe = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"{(safe if safe.isidentifier() else f'_{safe}')[:40]}_{digest[:32]}"


@functools.cache
def _toolchain() -> tuple[str, ...]:
    """Versions, the CPU, and our own files that emitted modules may call, for Numba does not watch those."""
    from importlib.metadata import version  # 30 ms

    try:
        compiler = [version(package) for package in ("numba", "llvmlite")]
        binding = importlib.import_module("llvmlite.binding")
    except ImportError:
        compiler = ["no Numba"]
    else:
        compiler.append(binding.get_host_cpu_name())
        with suppress(RuntimeError):  # LLVM does not know the features of every CPU
            compiler.append(binding.get_host_cpu_features().flatten())
    own = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        own.update(file.read_bytes())
    chainrule = str(getattr(sys.modules["chainrule"], "__version__", ""))
    python = f"{sys.implementation.cache_tag} {sys.version_info} {sys.platform}"
    return (chainrule, own.hexdigest(), np.__version__, python, *compiler)


def _module(source: str, stem: str) -> ModuleType:
    """Import the entry, or else build it, or else compile in memory."""
    root = cache_folder()
    if root is None:
        return _run_in_memory(source, stem)
    entry = root / stem
    if holds(entry, source):
        try:
            module = _run(source, str(entry / f"{stem}.py"), entry)
        except Exception:  # noqa: BLE001 - its files match and still do not load: something that we do not know has changed
            discard(entry)
        else:
            with suppress(OSError):
                os.utime(entry / CHECKSUMS)
            return module
    try:
        return build(start_entry(root, source, stem), source)
    except OSError as error:
        warn_once(f"machine code is not kept: {error}")
        return _run_in_memory(source, stem)


def holds(entry: Path, source: str) -> bool:
    """Whether the entry is of this very source, and every file is as it was made.

    Parameters
    ----------
    entry : Path
        A folder that may be absent, incomplete or damaged.
    source : str
        What its Python file has to say.

    Returns
    -------
    bool
    """
    try:
        sums = json.loads((entry / CHECKSUMS).read_bytes())
        return (entry / f"{entry.name}.py").read_bytes() == source.encode() and sums == _checksums(entry)
    except (OSError, ValueError):
        return False


def _checksums(entry: Path) -> dict[str, str]:
    files = sorted(file for file in entry.iterdir() if file.suffix in MATCHED)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def start_entry(root: Path, source: str, stem: str) -> Path:
    """A new folder under a temporary name, with the source in it, for `build` to fill and to move."""
    building = Path(tempfile.mkdtemp(prefix=f".{stem}.", dir=root))
    try:
        (building / f"{stem}.py").write_bytes(source.encode())
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return building


def build(building: Path, source: str) -> ModuleType:
    """Compile into the folder, then move it to its place; whoever comes second leaves the first one's files.

    Parameters
    ----------
    building : Path
        What `start_entry` returned; it is gone afterwards, whatever happens.
    source : str
        The text of its Python file.

    Returns
    -------
    ModuleType
        The module as compiled here, with the path that the entry has in the end.
    """
    stem = building.name[1:].rpartition(".")[0]
    entry = building.with_name(stem)
    try:
        module = _run(source, str(entry / f"{stem}.py"), building)
        try:
            (building / CHECKSUMS).write_text(json.dumps(_checksums(building), indent=1))
            _publish(building, entry, source)
            evict_once(building.parent)
        except OSError as error:
            warn_once(f"machine code is not kept: {error}")
        return module
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _publish(building: Path, entry: Path, source: str) -> None:
    """Rename into place, unless somebody was quicker; what is there and damaged makes way."""
    for attempt in range(ATTEMPTS):
        try:
            os.rename(building, entry)
            return
        except OSError:
            if holds(entry, source):
                return
            if attempt == ATTEMPTS - 1:
                raise
            discard(entry)


def _run(source: str, file: str, machine_code: Path | None, tree: ast.Module | None = None) -> ModuleType:
    """Run a module, or its changed tree, as that file, its machine code in that folder; failed, it leaves nothing behind."""
    # for tracebacks, and for Numba, which fails if it finds other lines under this name, as it would in a damaged file
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = ModuleType(f"chainrule_{Path(file).stem}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # Numba finds a function's globals by this name
    try:
        with nullcontext() if machine_code is None else machine_code_in(machine_code, file):
            code = compile(source if tree is None else tree, file, "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - it runs what emit wrote
    except BaseException:
        del sys.modules[module.__name__]
        raise
    finish(module)
    return module


def _run_in_memory(source: str, stem: str) -> ModuleType:
    """Run a module with `cache=False` wherever it says `cache`."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "cache":
            node.value = ast.copy_location(ast.Constant(value=False), node.value)
    return _run(source, f"<chainrule {stem}>", None, tree)


def _after_fork() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
