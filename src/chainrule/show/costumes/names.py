"""Names of a program taken apart for mathematics: `W2` is W with the number 2, `layers[0].W` the W of `[0]`.

The one idea: a name has a base, a number or word that tells it from its kin, and perhaps an accent. `spellings_of` gives
all ways to write a name, the most readable first and the name as it is last; `notation` takes the first that is free.

>>> split_name("W2").index, split_name("x_hat").accent, split_name("layers[0].W").base
('2', 'hat', 'layers[0].W')
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chainrule.show.costumes.boxes import Accent, Box, Digits, Fence, Letter, Row, Script, Sign, Typed, Upright, joined
from chainrule.show.costumes.greek import GREEK, SPELLINGS

ACCENTS = ("hat", "bar", "tilde")


@dataclass(frozen=True, slots=True)
class Glyph:
    """A name as it is written.

    Attributes
    ----------
    base : str
        A letter, a Greek letter, or a word.
    index : str
        What tells it from its kin: `2`, `out`, `[0]`.
    accent : str
        hat, bar or tilde.
    layer : str
        The number of a layer, written above as in Nielsen's book.
    as_it_is : bool
        Whether it is shown as it is in the program, in a fixed pitch.
    """

    base: str
    index: str = ""
    accent: str = ""
    layer: str = ""
    as_it_is: bool = False

    def lowered(self) -> Glyph:
        """The name of an entry: a small letter. Capital Greek letters and words stay."""
        letter = len(self.base) == 1 and self.base.isascii() and not self.as_it_is
        return replace(self, base=self.base.lower()) if letter else self


def spellings_of(name: str) -> Iterator[Glyph]:
    """The ways to write a name, the most readable first."""
    path = re.fullmatch(r"([^\[\].'\"]+)((?:\[\d+\]|\[(?:'[^']*'|\"[^\"]*\")\]|\.[^\[\].'\"]+)+)", name)
    if path:
        yield from _along_a_path(path[1], path[2])
    else:
        yield split_name(name)
    yield Glyph(name, as_it_is=True)


def split_name(name: str) -> Glyph:
    """A plain name as base, index and accent."""
    word, number = re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    base, _, index = word.partition("_")
    if not re.fullmatch(r"[^\W\d_]+(_\w+)?", word) or (index and number):
        return Glyph(name)
    accent = ""
    if index in ACCENTS:
        accent, index = index, ""
    elif len(base) > 3 and any(base == base[0] + mark for mark in ACCENTS):
        base, accent = base[0], base[1:]
    elif "_" in index:
        return Glyph(name)
    base = GREEK[SPELLINGS[base]] if base in SPELLINGS else base
    index = number or index
    return Glyph(base, GREEK[SPELLINGS[index]] if index in SPELLINGS else index, accent)


def _along_a_path(root: str, steps: str) -> Iterator[Glyph]:
    parts = re.findall(r"\[(\d+)\]|\[['\"]([^'\"]*)['\"]\]|\.([^\[\].'\"]+)", steps)
    words = [key or attribute for _, key, attribute in parts if key or attribute]
    numbers = "".join(f"[{number}]" for number, _, _ in parts if number)
    last = split_name(words[-1]) if words else split_name(root)
    if numbers and not last.index:
        yield replace(last, index=numbers)
        if words:
            yield replace(last, index=f"{root}{numbers}")
    elif not numbers:
        yield last
        yield replace(last, index=f"{root}.{last.index}" if last.index else root)


def glyph_box(glyph: Glyph, positions: Box | None = None) -> Box:
    """A name in type; with positions, an entry, whose index goes above in brackets: z^{(1)}_{ij}."""
    base: Box = _base_box(glyph.base)
    if glyph.as_it_is:  # a Greek letter looks the same in every pitch
        base = Typed(glyph.base if glyph.base.isascii() or len(glyph.base) > 1 else f"'{glyph.base}'")
    if glyph.accent:
        base = Accent(glyph.accent, base)
    index = _index_box(glyph.index) if glyph.index else None
    if glyph.layer:
        return Script(base, _both(index, positions), Digits(glyph.layer))
    if positions is None:
        return Script(base, index) if index else base
    if index is None:
        return Script(base, positions)
    return Script(base, positions, index if isinstance(index, Fence) and index.left == "[" else Fence(index))


def _both(index: Box | None, positions: Box | None) -> Box | None:
    found = [part for part in (index, positions) if part is not None]
    return joined(found, Sign(",", "comma")) if found else None


def _base_box(base: str) -> Box:
    if len(base) == 1 and base.isalpha() and (base.isascii() or base in GREEK.values()):
        return Letter(base)
    return Upright(base) if base.isascii() and base.isalnum() else Typed(base)


def _index_box(index: str) -> Box:
    number = re.fullmatch(r"\[(\d+)\]", index)
    if number:
        return Fence(Digits(number[1]), "[", "]")
    if index.isdigit() and index.isascii():
        return Digits(index)
    return _base_box(index)


def position_box(parts: list[Box]) -> Box | None:
    """Positions side by side, with commas where they would run together."""
    if not parts:
        return None
    single = all(isinstance(part, Letter) or (isinstance(part, Digits) and len(part.text) == 1) for part in parts)
    return Row(tuple(parts)) if single and len(parts) > 1 else joined(parts, Sign(",", "comma"))
