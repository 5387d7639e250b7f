"""docs/numpy.md names what is traced: all of it, and nothing else."""

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SUPPORT = runpy.run_path(str(DOCS / "support.py"))


def named():
    """The names in the page, by section."""
    sections = re.split(r"^## (.+)$", (DOCS / "numpy.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {space: re.findall(r"`(\w+)`", text) for space, text in zip(sections[1::2], sections[2::2], strict=True)}


def test_every_name_in_the_page_is_traced_and_every_traced_name_is_there():
    traced = SUPPORT["traced"]()
    for space, names in named().items():
        module = SUPPORT["SPACES"][space]
        here = {name for name in names if hasattr(module, name)}  # an older NumPy lacks some
        assert here == set(traced[space])


def test_the_table_counts_what_is_listed():
    page = (DOCS / "numpy.md").read_text(encoding="utf-8")
    for space, names in named().items():
        assert f"| {len(names)} |" in next(line for line in page.splitlines() if line.startswith(f"| `{space}` |"))
