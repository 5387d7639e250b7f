"""What `cr.derive` returns: the lines of forward and backward pass, and every way to look at them.

The one idea: a derivation is data, the lines with their numbers, shapes and rules. A *level* makes a document of it
(`summary.py`, `steps.py`, `proof.py`, `numbers.py`, `collapsed.py`), a *costume* dresses the document. Nothing that is shown is
stored as a sentence: formulas come from the graph, reasons from the steps that derived it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.matrix_form import MatrixForm
from chainrule.show.composing import document_of
from chainrule.show.costumes.notation import notation as notation_of
from chainrule.show.costumes.to_terminal import formula_text
from chainrule.show.derived import Derived
from chainrule.show.document import Document
from chainrule.show.shown import LAYOUTS, LEVELS, Look, Shown, require_choice
from chainrule.show.writing import Statement


@dataclass(frozen=True)
class Derivation(Derived, Shown):
    """A loss, its backward pass, and why each line of it is there.

    ``print(d)`` shows it; ``d["dW1"]`` is one gradient, ``d["dW1"].why()`` the chain that leads to it; ``d.latex()``,
    ``d.markdown()``, ``d.html()`` are other costumes, ``d.save("derivation.html")`` writes one to a file. Its attributes are
    those of `Derived`, and `look`, how it is shown unless one asks otherwise.
    """

    look: Look = field(default_factory=Look)

    def __getitem__(self, name: str) -> Gradient:
        """One line, by its name: a gradient such as "dW1", or a forward line."""
        name = self.gradients.get(name, name) if name not in self.by_name else name
        if name not in self.by_name:
            close = difflib.get_close_matches(name, self.by_name, n=1)
            lines = ", ".join(s.name for s in self.backward_lines)
            raise ArgumentError(
                f"there is no line {name!r} in this derivation"
                + (f"; did you mean {close[0]!r}?" if close else "")
                + f" The backward pass has {lines}"
            )
        return Gradient(self, name)

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __len__(self) -> int:
        return len(self.statements)

    # -- documents and costumes ------------------------------------------------------------------------------------------
    def document(self, level: str | None = None, *, layout: str | None = None, of: str = "") -> Document:
        """The document of a level, before it has a costume.

        Parameters
        ----------
        level : {"summary", "steps", "proof", "numbers", "collapsed"}, optional
        layout : {"own", "both"}, optional
            "both" shows samples as rows and as columns side by side.
        of : str
            One gradient's name: the document is about this gradient only.
        """
        level, layout = level or self.look.level, layout or self.look.layout
        require_choice("level", level, LEVELS)
        require_choice("layout", layout, LAYOUTS)
        return document_of(self, level, layout, of)

    def with_look(self, **changes: Any) -> Derivation:
        """The same derivation, shown otherwise by default: level, notation, layout, symbols."""
        return replace(self, look=replace(self.look, **changes))

    def __repr__(self) -> str:
        gradients = ", ".join(self.gradients.values())
        return f"<derivation of {self.function}: {len(self.statements)} lines, gradients {gradients}>"


@dataclass(frozen=True)
class Gradient:
    """One line of a derivation: its formula, its value, and why it is so.

    Attributes
    ----------
    derivation : Derivation
    name : str
    """

    derivation: Derivation
    name: str

    @property
    def statement(self) -> Statement:
        """The line."""
        return self.derivation.by_name[self.name]

    @property
    def form(self) -> MatrixForm:
        """The right-hand side in its simplest form, as a tree."""
        return self.statement.best

    @property
    def value(self) -> Any:
        """The value at the arguments of the derivation."""
        return self.derivation.values[self.name]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return np.shape(self.value)

    def why(self) -> Explanation:
        """The one chain from the loss to this gradient, with proof and numbers."""
        return Explanation(self.derivation, self.name)

    def __str__(self) -> str:
        return _one_line(self)

    def __repr__(self) -> str:
        return f"<{_one_line(self)}>"


@dataclass(frozen=True)
class Explanation(Shown):
    """The chain from the loss to one gradient; it is shown like a derivation, at the level "proof" unless told otherwise."""

    derivation: Derivation
    name: str

    level: str = "proof"

    @property
    def look(self) -> Look:
        """How it is shown unless one asks otherwise."""
        return replace(self.derivation.look, level=self.level)

    def with_level(self, level: str) -> Explanation:
        """The same chain at another level."""
        require_choice("level", level, LEVELS)
        return replace(self, level=level)

    def document(self, level: str | None = None, *, layout: str | None = None) -> Document:
        """The document, before it has a costume."""
        return self.derivation.document(level or self.level, layout=layout, of=self.name)

    def __repr__(self) -> str:
        return f"<why {self.name} in the derivation of {self.derivation.function}>"


def _one_line(gradient: Gradient) -> str:
    look = gradient.derivation.look
    facts = gradient.derivation.facts
    text = formula_text(gradient.form, notation_of(look.notation, symbols=look.symbols), facts)
    return f"{gradient.name} = {text}"
