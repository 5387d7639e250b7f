"""Writes docs/numpy.md: which functions of NumPy are traced, from the registry itself.

python docs/support.py            writes the page
python docs/support.py --check    exits with 1 if the page is not what the registry says
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np

import chainrule.tracer  # noqa: F401 - it fills the tables
from chainrule.primitive import FUNCTIONS, REGISTRY, UFUNCS

PAGE = Path(__file__).parent / "numpy.md"
SPACES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft, "np.lib.stride_tricks": np.lib.stride_tricks}
WORDS = {
    "np": "NumPy itself",
    "np.linalg": "linear algebra",
    "np.fft": "Fourier transforms, through to real results",
    "np.lib.stride_tricks": "windows",
}


def traced() -> dict[str, list[str]]:
    """The names that are traced, by namespace; of functions with several names, each."""
    known = {*FUNCTIONS, *UFUNCS}
    found = {}
    for space, module in SPACES.items():
        names = [n for n in dir(module) if not n.startswith("_")]
        found[space] = sorted((n for n in names if _is_known(getattr(module, n, None), known)), key=str.lower)
    return found


def _is_known(thing: object, known: set[object]) -> bool:
    try:
        return callable(thing) and thing in known
    except TypeError:  # not hashable
        return False


def paragraphs(count: int) -> list[str]:
    """What there is to say before the names."""
    said = f"""
        {count} functions of NumPy are traced, through {len(REGISTRY)} primitives; the others are refused by name, with the line
        where you call them and, where there is one, what to write instead. Nothing is ever left out without a word.

        Beside these: operators, indexing, methods of arrays, `np.zeros(3, like=x)` and kin; and of `scipy.special`, the ufuncs
        expit, log_expit, logit, erf, erfc, erfcx, erfinv, ndtr, log_ndtr, ndtri, gammaln, psi, xlogy, xlog1py, entr, rel_entr,
        kl_div, huber, pseudo_huber and others.

        Arguments that are not supported are refused by name as well. Functions whose result has a shape that depends on values,
        such as `np.unique`, are exact under `grad`, and refused by `jit` and `source`. Machine code (`engine="numba"`) is made
        for the core: arithmetic, elementary functions, reductions, products, shapes and indexing; the rest runs in NumPy.
    """
    return [" ".join(paragraph.split()) for paragraph in said.split("\n\n")]


def page() -> str:
    """The page's text."""
    names = traced()
    count = sum(map(len, names.values()))
    lines = [
        "# What of NumPy is traced",
        "",
        *(line for paragraph in paragraphs(count) for line in (paragraph, "")),
        "| namespace | what | traced |",
        "|---|---|---:|",
        *(f"| `{space}` | {WORDS[space]} | {len(found)} |" for space, found in names.items()),
    ]
    for space, found in names.items():
        lines += [
            "",
            f"## {space}",
            "",
            *textwrap.wrap(", ".join(f"`{n}`" for n in found), 118, break_on_hyphens=False),
        ]
    lines += ["", "*Made by `python docs/support.py`.*", ""]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is what the registry says."""
    if "--check" in arguments:
        same = PAGE.read_text(encoding="utf-8") == page()
        print("docs/numpy.md is up to date" if same else "docs/numpy.md has drifted: python docs/support.py")
        return 0 if same else 1
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
