r"""Any text for LaTeX: names, sentences and code, whatever characters they have.

The one idea: what TeX reads as a command is written so that it is read as itself, and a character that the standard fonts
do not have is shown by its number. What is returned always compiles.

>>> print(tex_escaped("W&b costs 5% of x_1#"))
W\&b costs 5\% of x\_1\#
"""

from __future__ import annotations

from chainrule.show.costumes.greek import GREEK

_PROSE = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\ensuremath{\$}", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''",
}  # fmt: skip
_NUMBERED = frozenset('\\{}$&#%_^~"')  # in a fixed pitch each has its ASCII number in every encoding
# Accented letters that the oldest encoding can put together.
PLAIN_ACCENTS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŁłŒœŠšŽžČčŘřĚěŮů")
_MATHEMATICS = {
    **{letter: f"\\{command}" for command, letter in GREEK.items()}, "⊙": r"\odot", "·": r"\cdot", "−": "-", "≥": r"\ge",
    "≤": r"\le", "≠": r"\ne", "Σ": r"\sum", "∂": r"\partial", "×": r"\times", "→": r"\to", "←": r"\leftarrow", "∈": r"\in",
    "∞": r"\infty", "≈": r"\approx", "ᵀ": r"{}^{\top}", "√": r"\surd", "↦": r"\mapsto", "∇": r"\nabla", "⇒": r"\Rightarrow",
    "²": "{}^2", "³": "{}^3", "⊗": r"\otimes",
}  # fmt: skip
_TYPOGRAPHY = {
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "“": "``",
    "”": "''",
    "’": "'",
    "‘": "`",
    "\u00a0": "~",
    "•": r"\textbullet{}",
}
_LIGATURES = "-<>,'`?!"  # in a fixed pitch, two of these would become one


def tex_escaped(text: str) -> str:
    """A sentence."""
    return "".join(_character(character, _PROSE) for character in text)


def tex_code(text: str) -> str:
    """A piece of code on one line, in a fixed pitch, whose spaces are kept."""
    parts = []
    for character in text:
        if character in _NUMBERED:
            parts.append(rf"{{\char{ord(character)}}}")
        else:
            done = "~" if character == " " else _character(character, {})
            parts.append(f"{done}{{}}" if character in _LIGATURES else done)
    return rf"\texttt{{{''.join(parts)}}}"


def _character(character: str, escapes: dict[str, str]) -> str:
    if character in escapes:
        return escapes[character]
    if character in _TYPOGRAPHY:
        return _TYPOGRAPHY[character]
    if character in _MATHEMATICS:
        return rf"\ensuremath{{{_MATHEMATICS[character]}}}"
    if (character.isascii() and character.isprintable()) or character in PLAIN_ACCENTS:
        return character
    return f"[U+{ord(character):04X}]" if character not in "\n\t" else " "
