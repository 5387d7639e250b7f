"""Files that are there whole or not at all.

The one idea: write under a temporary name in the same folder, sync, then rename. A run that is killed at any moment
leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import os
from pathlib import Path

from chainrule.errors import ArgumentError


def write_whole(path: Path, data: bytes, overwrite: bool = False) -> None:
    """Write `data` to `path` in one piece; refuses a path that exists unless `overwrite` is True."""
    if path.exists() and not overwrite:
        raise ArgumentError(f"{path} exists already: give another name, or overwrite=True")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write_synced(temporary, data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until a rename in `folder` is on the disk; Windows cannot, and need not."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
