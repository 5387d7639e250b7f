"""Where Numba keeps machine code: in the folder that it is told, whatever NUMBA_CACHE_DIR says.

The one idea: Numba asks a list of locators about each function with `cache=True`, and the first that answers decides.
`EntryLocator` is put first, and answers only for a file of ours while it is imported: functions of others are kept where
they always were. This file alone knows Numba's insides; a Numba that has changed them is an OSError, as a full disk is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar


class EntryLocator:
    """Answers Numba's questions about the functions of one file."""

    folders: ClassVar[dict[str, Path]] = {}  # by the files that are being imported

    def __init__(self, folder: Path, file: str, line: int) -> None:
        self.folder, self.file, self.line = folder, file, line

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> EntryLocator | None:
        """A locator for a function of ours, None for every other."""
        folder = cls.folders.get(py_file)
        return None if folder is None else cls(folder, py_file, py_func.__code__.co_firstlineno)

    def get_cache_path(self) -> str:
        """The folder of index and machine code."""
        return str(self.folder)

    def get_source_stamp(self) -> str:
        """What an index must have been made for: the file's name has the digest of everything."""
        return Path(self.file).stem

    def get_disambiguator(self) -> str:
        """What tells two functions of one name apart."""
        return str(self.line)

    def ensure_cache_path(self) -> None:
        """Nothing to do: the folder is there."""


@contextmanager
def machine_code_in(folder: Path, file: str) -> Iterator[None]:
    """While `file` is imported here, Numba reads and leaves its machine code in `folder`.

    Parameters
    ----------
    folder : Path
        An existing folder; it need not be the file's own.
    file : str
        The file name that the module was compiled with; it need not exist.

    Raises
    ------
    OSError
        This version of Numba cannot be told.
    """
    _be_first()
    EntryLocator.folders[file] = folder
    try:
        yield
    finally:
        del EntryLocator.folders[file]


def _be_first() -> None:
    """Put `EntryLocator` before Numba's own locators, and before those that NUMBA_CACHE_LOCATOR_CLASSES names."""
    try:
        caching = importlib.import_module("numba.core.caching")
        config: Any = importlib.import_module("numba.core.config")
    except ImportError:
        return  # the module does without Numba, or says itself what is missing
    locators = getattr(getattr(caching, "CacheImpl", None), "_locator_classes", None)
    if not isinstance(locators, list):
        raise OSError("this version of Numba does not let its machine code be placed")
    if EntryLocator not in locators:
        locators.insert(0, EntryLocator)
    named, ours = getattr(config, "CACHE_LOCATOR_CLASSES", ""), f"{__name__}.EntryLocator"
    if named and ours not in named:
        config.CACHE_LOCATOR_CLASSES = f"{ours},{named}"


def finish(module: ModuleType) -> None:
    """Let what the module's functions compile from now on stay in memory: its folder is complete."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) == module.__name__:
            disable = getattr(getattr(value, "_cache", None), "disable", None)
            if disable is not None:
                disable()
