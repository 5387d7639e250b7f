"""What can be shown: text, LaTeX, Markdown, HTML and a notebook, from one document.

The one idea: whatever has a document and a look has every costume. What a costume is not asked for, it is not imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.errors import ArgumentError
from chainrule.show.document import Document

LEVELS = ("summary", "steps", "proof", "numbers", "collapsed")
LAYOUTS = ("own", "both")
SUFFIXES = {".txt": "text", ".tex": "latex", ".md": "markdown", ".html": "html", ".htm": "html"}


@dataclass(frozen=True)
class Look:
    """How something is shown unless one asks otherwise."""

    level: str = "steps"
    notation: str = "default"
    layout: str = "own"
    symbols: Mapping[str, str] = field(default_factory=dict)
    shapes: bool | None = None


class Shown:
    """The costumes of what has a `document` and a `look`.

    Every method takes `level` and, by name, `notation` ("default", "partial", "nielsen"), `layout` ("own", "both"), `symbols`, a
    mapping of names to symbols of one's own, and `shapes`, whether each symbol has its shape under it (by default in LaTeX and
    HTML, at the levels "summary" and "steps").
    """

    look: Any

    def document(self, level: str | None = None, *, layout: str | None = None) -> Document:
        """The document of a level, before it has a costume."""
        raise NotImplementedError

    def text(self, level: str | None = None, *, width: int | None = None, **how: Any) -> str:
        """As text, `width` columns wide; by default the terminal's, or a page where it is piped."""
        from chainrule.show.costumes.to_terminal import as_text

        document, dress = self._dressed(level, how)
        return as_text(document, width=width, **dress)

    def latex(self, level: str | None = None, *, standalone: bool = True, **how: Any) -> str:
        """As LaTeX: a document that compiles, or a fragment to put into one's own."""
        from chainrule.show.costumes.to_latex import as_latex

        document, dress = self._dressed(level, how, typeset=True)
        return as_latex(document, standalone=standalone, **dress)

    def markdown(self, level: str | None = None, **how: Any) -> str:
        """As Markdown, with formulas between dollar signs."""
        from chainrule.show.costumes.to_markdown import as_markdown

        document, dress = self._dressed(level, how)
        return as_markdown(document, **dress)

    def html(self, level: str | None = None, **how: Any) -> str:
        """As one HTML page with MathML: no script, nothing that is loaded."""
        from chainrule.show.costumes.to_html import as_html

        document, dress = self._dressed(level, how, typeset=True)
        return as_html(document, **dress)

    def save(self, path: str | Path, level: str | None = None, *, overwrite: bool = False, **how: Any) -> Path:
        """Write it to a file; the suffix decides: .txt, .tex, .md or .html.

        Raises
        ------
        ArgumentError
            The suffix is another one, or the file exists and `overwrite` is not set.
        """
        path = Path(path)
        kind = SUFFIXES.get(path.suffix.lower())
        if kind is None:
            raise ArgumentError(f"{path.name}: a derivation is written to a file that ends in {', '.join(SUFFIXES)}")
        if path.exists() and not overwrite:
            raise ArgumentError(f"{path} exists; overwrite=True replaces it")
        path.write_text(getattr(self, kind)(level, **how), encoding="utf-8")
        return path

    def _dressed(
        self, level: str | None, how: dict[str, Any], *, typeset: bool = False
    ) -> tuple[Document, dict[str, Any]]:
        from chainrule.show.costumes.notation import notation as notation_of

        layout = how.pop("layout", None)
        name = how.pop("notation", None) or self.look.notation
        symbols = how.pop("symbols", None) or self.look.symbols
        shapes = how.pop("shapes", self.look.shapes)
        if shapes is None:
            shapes = typeset and (level or self.look.level) in ("summary", "steps")
        if how:
            raise ArgumentError(
                f"{next(iter(how))!r} is no way of showing; level, notation, layout, symbols, shapes and width are"
            )
        return self.document(level, layout=layout), {"notation": notation_of(name, symbols=symbols), "shapes": shapes}

    def __str__(self) -> str:
        return self.text()

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from chainrule.show.costumes.to_terminal import renderables

        document, dress = self._dressed(None, {})
        yield from renderables(document, options.max_width, dress["notation"])

    def _repr_html_(self) -> str:
        from chainrule.show.costumes.to_html import html_fragment

        document, dress = self._dressed(None, {}, typeset=True)
        return html_fragment(document, **dress)

    def _repr_latex_(self) -> str:
        return self.latex(standalone=False)

    def _repr_markdown_(self) -> str:
        return self.markdown()


def require_choice(what: str, given: str, choices: Sequence[str]) -> None:
    """Refuse what is not among the choices, naming them."""
    if given not in choices:
        close = difflib.get_close_matches(str(given), choices, n=1)
        raise ArgumentError(
            f"{what}={given!r}: choose one of {', '.join(map(repr, choices))}"
            + (f"; did you mean {close[0]!r}?" if close else "")
        )
