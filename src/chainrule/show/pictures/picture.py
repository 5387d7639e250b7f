"""A picture: SVG as text, the same as Graphviz text where it is a graph, and a file of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chainrule.errors import ArgumentError


@dataclass(frozen=True)
class Picture:
    """What `cr.draw` returns: shown by a notebook, written by `save`.

    Attributes
    ----------
    svg : str
        One `<svg>` element without scripts or links; it can be put into any page.
    dot : callable or None
        Makes the Graphviz text; None for what is no graph.
    """

    svg: str
    dot: Callable[[], str] | None = None

    def to_dot(self) -> str:
        """The graph as Graphviz text.

        Raises
        ------
        ArgumentError
            The picture is not one of a graph.
        """
        if self.dot is None:
            raise ArgumentError("only pictures of graphs and of paths have Graphviz text; this one is SVG alone")
        return self.dot()

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write it to a file that ends in .svg, or in .dot where it is a graph.

        Raises
        ------
        ArgumentError
            The file exists and `overwrite` is not set, or it ends in something else.
        """
        path = Path(path)
        if path.suffix.lower() not in (".svg", ".dot"):
            raise ArgumentError(f"{path.name}: a picture is written to a file that ends in .svg or .dot")
        text = self.svg if path.suffix.lower() == ".svg" else self.to_dot()
        if path.exists() and not overwrite:
            raise ArgumentError(f"{path} exists; overwrite=True replaces it")
        path.write_text(text + "\n", encoding="utf-8")
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<picture: {len(self.svg):,} characters of SVG>"
