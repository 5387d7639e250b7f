"""`chainrule info`: which versions and extras are here, for a bug report or before an installation."""

from __future__ import annotations

import platform
from importlib import metadata

EXTRAS = {
    "numpy": "",
    "scikit-learn": "train",
    "safetensors": "train",
    "numba": "fast",
    "scipy": "fast",
    "threadpoolctl": "fast",
}


def version() -> str:
    """The installed version of chainrule."""
    return installed("chainrule") or "not installed"


def installed(distribution: str) -> str | None:
    """The version of a distribution, without importing it; None if it is not there."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def info() -> None:
    """Show the versions of chainrule, Python, NumPy and the optional packages."""
    lines = {"chainrule": version(), "python": f"{platform.python_version()} on {platform.platform()}"}
    for distribution, extra in EXTRAS.items():
        lines[distribution] = installed(distribution) or f"not installed: pip install 'chainrule[{extra}]'"
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")
