"""The folder that machine code is kept in: private to the user, of bounded size, and never a reason to fail.

The one idea: an entry is one folder, and it appears and vanishes by a single rename. What is in an entry is the business
of `cache.py`; here they are counted, aged and deleted.

What is not ours is left alone: only folders with the name of an entry, or of one that is being built, are ever deleted.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

CHECKSUMS = "checksums.json"  # the file that completes an entry; its time is that of the last use
KEPT_DAYS = 90  # an entry that no process used for so long is deleted
KEPT_BYTES = 1 << 30  # and beyond this total, those that were used the longest ago
DAY = 86_400

ENTRY = re.compile(r"[A-Za-z_]\w*_[0-9a-f]{32}", re.ASCII)
BUILDING = re.compile(rf"\.{ENTRY.pattern}\.\w+", re.ASCII)  # or being deleted


class CacheInfo(NamedTuple):
    """Where machine code is kept, and how much of it."""

    folder: Path | None
    entries: int
    bytes: int


def cache_info() -> CacheInfo:
    """The folder, the number of its entries and their size in bytes."""
    root = cache_folder()
    sizes = [] if root is None else [_size(path) for path in _matching(root, ENTRY)]
    return CacheInfo(root, len(sizes), sum(sizes))


def clear_cache() -> CacheInfo:
    """Delete all machine code on the disk, and tell how much there was; modules in memory stay."""
    info = cache_info()
    if info.folder is not None:
        for path in (*_matching(info.folder, ENTRY), *_matching(info.folder, BUILDING)):
            discard(path)
    return info


def cache_folder() -> Path | None:
    """The configured folder if it is private, else a temporary one with a warning, None if there is neither."""
    try:
        folder = configured_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = _why_not_private(folder)
    except (OSError, RuntimeError) as error:  # no home is a RuntimeError
        reason = str(error)
    if not reason:
        return folder
    warn_once(f"machine code is not kept: {reason}")
    return _temporary_folder()


def configured_folder() -> Path:
    """CHAINRULE_CACHE_DIR, or else `chainrule` in the platform's folder for caches."""
    given = os.environ.get("CHAINRULE_CACHE_DIR")
    if given:
        return Path(given).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = base if base.is_absolute() else Path.home() / ".cache"
    return base / "chainrule"


def _why_not_private(folder: Path) -> str:
    """Why machine code from this folder may be somebody else's; empty if it is the user's alone."""
    if os.name != "posix":
        return ""  # LOCALAPPDATA is private
    facts = folder.stat()
    if facts.st_uid != os.geteuid():
        return f"{folder} belongs to another user; set CHAINRULE_CACHE_DIR to a folder of yours"
    if facts.st_mode & 0o022:
        return f"{folder} can be written by other users; `chmod 700` it, or set CHAINRULE_CACHE_DIR"
    return ""


@functools.cache
def _temporary_folder() -> Path | None:
    """A private folder that ends with this process, None if there is no place for one."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
    except OSError:
        return None
    atexit.register(_delete_if_owner, folder, os.getpid())
    return folder


def _delete_if_owner(folder: Path, owner: int) -> None:
    """Delete the temporary folder, unless this process is a fork that ends before the one that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def warn_once(text: str) -> None:
    """Say it once per process."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def discard(entry: Path) -> None:
    """Let an entry vanish at once, then delete its files: nobody meets half of it."""
    gone = entry.with_name(f".{entry.name.strip('.').partition('.')[0]}.{uuid.uuid4().hex[:8]}")
    with suppress(OSError):
        os.rename(entry, gone)
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()


def evict(root: Path, now: float | None = None, days: float = KEPT_DAYS, limit: int = KEPT_BYTES) -> None:
    """Delete what was not used for that many days, then what was used the longest ago until the rest fits the limit.

    Parameters
    ----------
    root : Path
        The folder of the entries.
    now : float, optional
        The time in seconds, by default this moment.
    days, limit : float, int
        How long an entry is kept unused, and how many bytes all may take.
    """
    now = time.time() if now is None else now
    for path in _matching(root, BUILDING):  # left by a process that was killed
        if now - _last_use(path) > DAY:
            discard(path)
    total = 0
    for path in sorted(_matching(root, ENTRY), key=_last_use, reverse=True):
        total += _size(path)
        if total > limit or now - _last_use(path) > days * DAY:
            discard(path)


@functools.cache
def evict_once(root: Path) -> None:
    """`evict`, once per process."""
    with suppress(OSError):
        evict(root)


def _matching(root: Path, names: re.Pattern[str]) -> list[Path]:
    return [path for path in root.iterdir() if names.fullmatch(path.name)]


def _last_use(entry: Path) -> float:
    for path in (entry / CHECKSUMS, entry):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    total = 0
    with suppress(OSError):  # somebody deletes it meanwhile
        for file in entry.iterdir():
            total += file.stat().st_size
    return total
