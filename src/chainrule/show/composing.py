"""The levels of a derivation: which document is made of it.

Each level is a file of `levels/` with a function `blocks_of(derivation, of)`; the level's name is the file's.
"""

from __future__ import annotations

from importlib import import_module

from chainrule.show.derived import Derived
from chainrule.show.document import Block, Document


def document_of(derivation: Derived, level: str, layout: str, of: str) -> Document:
    """The document of a level; of one gradient only, if `of` names it."""
    blocks: tuple[Block, ...] = import_module(f"chainrule.show.levels.{level}").blocks_of(derivation, of)
    if layout == "both":
        from chainrule.show.levels.layouts import both

        blocks = both(derivation, of) if level == "summary" else (*both(derivation, of), *blocks)
    title = f"Why {of}, in {derivation.function}" if of else f"The derivation of {derivation.function}"
    live = derivation.values if level == "numbers" else {}
    return Document(title, blocks, derivation.facts, derivation.loss, live)
