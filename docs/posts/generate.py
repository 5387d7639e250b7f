"""Write the pages on the five posts, or say which of them have drifted.

    python docs/posts/generate.py           writes s1.md ... s5.md, README.md and the pictures beside them
    python docs/posts/generate.py --check   writes nothing; exits 1 and names what differs

The one idea: a page is what chainrule derives today. Each `page_s*.py` has the words of one page; the formulas, tables
and pictures between them come from the library, so a page can be wrong only together with it, and a test sees both.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from pieces import Page, table  # noqa: E402  (the folder is no package: it is found by the line above)

PAGES = ("s1", "s2", "s3", "s4", "s5")
TOLD = "*Made by `python docs/posts/generate.py`; edit the words in `{module}.py`, never here.*"
ABOUT = {
    "s1": ("softmax and cross-entropy behind three layers of weights", "rows", "sum", "the Jacobian of softmax, drawn"),
    "s2": ("any number of layers, any activation", "columns", "mean", "pooling and batch normalisation carried out"),
    "s3": (
        "a graph of three operations; a 2-4-4-3 network",
        "columns",
        "mean",
        "paths, and what three ways of adding them up cost",
    ),
    "s4": ("binary classification with sigmoids", "columns", "mean", "symbolic, numerical and automatic, side by side"),
    "s5": (
        "two layers and a squared error",
        "rows",
        "mean",
        "one expression cut into u1 to u5, and put together again",
    ),
}
INDEX = """# Five posts, derived

Five posts on the web explain backpropagation, each on a system of its own, in its own layout and letters. Each page
here takes the system of one of them and has chainrule derive it: one gradient of each kind from a single entry up to
the matrix form, then all of them, with numbers. What a post leaves to its reader is solved, what its readers asked is
answered, and what it printed wrong stands beside what is derived.

{table}

Where a page says rows, a sample is a row of every array, and weights stand on the right; the other layout is set
beside it once. *Sum* and *mean* are what the loss does with the samples; each page says where the 1/N goes.

The systems, equations, exercises and slips are data in `examples/posts/`. The pages are made by

```console
python docs/posts/generate.py
```

and `python docs/posts/generate.py --check` names the pages that are no longer what chainrule derives."""


def pages(names: Sequence[str] = PAGES) -> Iterator[Page]:
    """The pages, each made now."""
    for name in names:
        yield import_module(f"page_{name}").page()


def files(made: Sequence[Page]) -> dict[str, str]:
    """What stands in the folder, by the names of the files."""
    found: dict[str, str] = {}
    for page in made:
        text = f"{page.text}\n\n{TOLD.format(module=f'page_{page.name}')}\n"
        refuse_trouble(page.name, text)
        found |= {f"{page.name}.md": text, **{name: f"{svg.rstrip()}\n" for name, svg in page.pictures.items()}}
    return found


def everything() -> dict[str, str]:
    """All files, made now."""
    made = list(pages())
    return files(made) | {"README.md": f"{index(made)}\n"}


def index(made: Sequence[Page]) -> str:
    """The page that lists the pages."""
    heads = ("page", "system", "samples are", "loss", "also")
    titles = {page.name: page.text.splitlines()[0].removeprefix("# ") for page in made}
    return INDEX.format(table=table(heads, [(f"[{title}]({name}.md)", *ABOUT[name]) for name, title in titles.items()]))


def refuse_trouble(name: str, text: str) -> None:
    """Refuse what GitHub would not render: a forbidden macro, an underscore that begins an emphasis, a lone dollar."""
    prose = re.sub(r"```.*?```|\$\$.*?\$\$", "", text, flags=re.DOTALL)
    for formula in re.findall(r"\$([^$\n]+)\$", prose):
        if re.search(r"[}\s)\]]_|\\operatorname|\\[,;{}]", formula):
            raise ValueError(f"{name}.md: GitHub would not render ${formula}$")
    if r"\operatorname" in text:
        raise ValueError(f"{name}.md: GitHub refuses \\operatorname")
    if re.sub(r"`[^`\n]*`", "", re.sub(r"\$[^$\n]+\$", "", prose)).count("$"):
        raise ValueError(f"{name}.md: a dollar sign has no partner")


def drifted(folder: Path, made: dict[str, str]) -> list[str]:
    """The files that differ from what is made now, or that are missing."""
    return [
        name
        for name, text in made.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Write the pages on the five posts.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page has drifted")
    asked = parser.parse_args(arguments)
    made = everything()
    old = drifted(HERE, made)
    if asked.check:
        for name in old:
            print(f"{name} is not what chainrule derives now: run python docs/posts/generate.py")
        return 1 if old else 0
    for name in old:
        (HERE / name).write_text(made[name], encoding="utf-8")
    print(f"{len(made)} files, {len(old)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
