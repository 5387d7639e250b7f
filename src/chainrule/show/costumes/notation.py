r"""Notations: which symbol stands for a name.

The one idea: a document speaks of names; a notation turns each into a symbol by what the document's `Facts` say of it,
and never turns two names into one symbol: where the readable form is taken, the name is written as it is in the program.

- `"default"`: `dW2` is dW with the index 2, `layers[0].W` is W with the index [0], `delta` is a Greek letter;
- `"partial"`: cotangents are fractions, the derivative of L by W with the index 2;
- `"nielsen"`: δ, w, b, a, z with the layer above, and the cost C, as in Nielsen's book.

>>> from chainrule.show.costumes.box_latex import latex_of
>>> from chainrule.show.document import Facts
>>> facts = {"Z1": Facts("pre-activation", layer=1), "dZ1": Facts(cotangent_of="Z1", layer=1)}
>>> [latex_of(Naming(notation(style), facts).symbol("dZ1")) for style in ("default", "partial", "nielsen")]
['dZ_{1}', '\\frac{\\partial L}{\\partial Z_{1}}', '\\delta^{1}']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from chainrule.errors import ArgumentError
from chainrule.show.costumes.box_latex import latex_of
from chainrule.show.costumes.boxes import Annotated, Box, Fence, Letter, Over, Own, Row, Script, Sign, raised, row
from chainrule.show.costumes.names import Glyph, glyph_box, position_box, spellings_of, split_name
from chainrule.show.costumes.own_symbols import own_symbol
from chainrule.show.document import Document, Facts

STYLES = ("default", "partial", "nielsen")
_NIELSEN = {"weight": "w", "bias": "b", "pre-activation": "z", "activation": "a"}


@dataclass(frozen=True)
class Notation:
    """A style, and a user's own symbols on top of it.

    Attributes
    ----------
    style : str
        One of `STYLES`.
    symbols : mapping of str to str
        LaTeX by name.
    """

    style: str = "default"
    symbols: Mapping[str, str] = field(default_factory=dict)


def notation(style: str | Notation = "default", symbols: Mapping[str, str] | None = None) -> Notation:
    r"""A notation by its name.

    Parameters
    ----------
    style : str
        "default", "partial" or "nielsen"; a `Notation` is taken as it is.
    symbols : mapping of str to str, optional
        LaTeX for names, on top of the style: `{"Z1": r"\zeta"}`. The cotangent of Z1 follows.

    Returns
    -------
    Notation

    Raises
    ------
    ArgumentError
        If there is no such notation, or a symbol is not LaTeX that closes its braces.
    """
    for name, latex in (symbols or {}).items():
        own_symbol(name, latex)
    if isinstance(style, Notation):
        return replace(style, symbols={**style.symbols, **(symbols or {})})
    if style not in STYLES:
        raise ArgumentError(f"there is no notation {style!r}: take one of {', '.join(STYLES)}")
    return Notation(style, dict(symbols or {}))


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to write a name: a glyph or a symbol of the user's, as it is, after a d, or below a ∂."""

    base: Glyph | Own
    kind: str = ""  # "", "d" or "partial"
    own_layer: bool = False


class Naming:
    """The symbols of one document in one notation.

    Parameters
    ----------
    notation : Notation
    facts : mapping of str to Facts
    loss : str
        The name of what is differentiated.
    shapes : bool
        Whether each symbol has its shape under it.
    """

    def __init__(
        self, notation: Notation, facts: Mapping[str, Facts] | None = None, loss: str = "L", *, shapes: bool = False
    ):
        self.notation, self.facts, self.loss, self.shapes = notation, facts or {}, loss, shapes
        self._ways: dict[str, _Way] = {}
        self._entries: dict[str, Glyph | Own] = {}
        self._taken: dict[str, str] = {}  # LaTeX -> the name it stands for
        for name in (loss, *notation.symbols, *self.facts):
            self._way(name)

    @classmethod
    def of(cls, document: Document, style: str | Notation = "default", *, shapes: bool = False) -> Naming:
        """The symbols of a document."""
        return cls(notation(style), document.facts, document.loss, shapes=shapes)

    def symbol(self, name: str) -> Box:
        """A whole array or number in type."""
        part = self._part(name)
        if part is not None:
            return raised(self.symbol(part[0]), Fence(self.symbol(part[1]), "[", "]"))
        way = self._way(name)
        box = self._box(way, None)
        shape = self.facts[name].shape if name in self.facts else ""
        return Annotated(box, shape) if self.shapes and shape else box

    def entry(self, name: str, positions: list[Box]) -> Box:
        """One entry of an array in type; without positions, the number itself."""
        if not positions:
            return self.symbol(name)
        part = self._part(name)
        if part is not None:
            return raised(self.entry(part[0], positions), Fence(self.symbol(part[1]), "[", "]"))
        way = self._way(name)
        if way.kind:
            return self._dressed(way.kind, self._entry_base(self.facts_of(name).cotangent_of or name, way), positions)
        return self._dressed("", self._entry_base(name, way), positions)

    def _part(self, name: str) -> tuple[str, str] | None:
        """The gradient and the line of `dX[a]`, what goes into dX through a; None for any other name."""
        found = re.fullmatch(r"(\w+)\[([^\W\d]\w*)\]", name)
        if found is None or name in self.facts or found[1] not in self.facts:
            return None
        return found[1], found[2]

    def derivative(self, above: Box, below: Box) -> Box:
        """A derivative as a fraction of ∂s."""
        return Over(row(Sign("∂", "plain"), _bracketed(above)), row(Sign("∂", "plain"), _bracketed(below)), whole=True)

    def facts_of(self, name: str) -> Facts:
        """What is known of a name."""
        return self.facts.get(name, Facts())

    @property
    def deltas_are_free(self) -> bool:
        """Whether δ can be Kronecker's: no name is shown as one."""
        return self.notation.style != "nielsen" and not any(
            isinstance(way.base, Glyph) and way.base.base == "δ" for way in self._ways.values()
        )

    def ndim(self, name: str) -> int | None:
        """How many axes a name has, if that is known."""
        return self.facts[name].ndim if name in self.facts else None

    def is_fraction(self, name: str) -> bool:
        """Whether a name is shown as the derivative of the loss by another."""
        return self._way(name).kind == "partial"

    def has_own_symbol(self, name: str) -> bool:
        """Whether the user gave a symbol for a name, or for what it is the cotangent of."""
        return isinstance(self._way(name).base, Own)

    # -- which way -----------------------------------------------------------------------------------------------------

    def _way(self, name: str) -> _Way:
        way = self._ways.get(name)
        if way is None:
            for way in self._candidates(name):
                key = latex_of(self._box(way, None))
                if self._taken.setdefault(key, name) == name:
                    break
            assert way is not None
            self._ways[name] = way
        return way

    def _candidates(self, name: str) -> Iterator[_Way]:
        facts, style = self.facts_of(name), self.notation.style
        if name in self.notation.symbols:
            yield _Way(own_symbol(name, self.notation.symbols[name]))
        primal = facts.cotangent_of
        if primal and primal != name:
            inner = self._way(primal)
            if inner.kind:  # the cotangent of a cotangent: its own name says enough
                pass
            elif style == "nielsen" and self.facts_of(primal).role == "pre-activation" and self._layer(primal):
                own = isinstance(inner.base, Own)
                yield _Way(inner.base, "d") if own else _Way(Glyph("δ", layer=self._layer(primal)))
                yield _Way(inner.base, "partial")
            else:
                yield _Way(inner.base, "d" if style == "default" else "partial")
        elif name == self.loss and style == "nielsen":
            yield _Way(Glyph("C"))
        elif style == "nielsen" and facts.role in _NIELSEN and self._layer(name):
            yield _Way(Glyph(_NIELSEN[facts.role], layer=self._layer(name)))
        elif name not in self.facts and re.match(r"d[A-Z]", name):
            glyph = split_name(name[1:])
            if len(glyph.base) == 1:
                yield _Way(glyph, "d")
        yield from (_Way(glyph) for glyph in spellings_of(name))

    def _layer(self, name: str) -> str:
        layer = self.facts_of(name).layer
        return str(layer) if layer else ""

    def _entry_base(self, name: str, way: _Way) -> Glyph | Own:
        """How entries of a name are written: a small letter, unless that is another name."""
        if isinstance(way.base, Own):
            return way.base
        if name not in self._entries:
            lowered = way.base.lowered()
            key = latex_of(glyph_box(lowered))
            owner = self._taken.setdefault(f"entry of {key}", name)
            free = owner == name and self._taken.get(key, name) == name
            self._entries[name] = lowered if free else way.base
        return self._entries[name]

    # -- boxes ---------------------------------------------------------------------------------------------------------

    def _box(self, way: _Way, positions: list[Box] | None) -> Box:
        return self._dressed(way.kind, way.base, positions)

    def _dressed(self, kind: str, base: Glyph | Own, positions: list[Box] | None) -> Box:
        place = position_box(positions) if positions else None
        if isinstance(base, Own):
            box: Box = _placed(base, place)
        else:
            box = glyph_box(base, place)
        if kind == "d":
            return row(Letter("d"), box)
        if kind == "partial":
            return self.derivative(self._box(self._way(self.loss), None), box)
        return box


def _placed(own: Own, positions: Box | None) -> Box:
    """The entry of a symbol of the user's; in brackets where it has an index already."""
    if positions is None:
        return own
    return Script(Fence(own) if "_" in own.latex else own, positions)


def _bracketed(box: Box) -> Box:
    """What stands after a ∂: in brackets where it is a fraction or a sum."""
    alone = not isinstance(box, (Over, Row)) or (isinstance(box, Row) and box.parts[0] == Letter("d"))
    return box if alone else Fence(box)
