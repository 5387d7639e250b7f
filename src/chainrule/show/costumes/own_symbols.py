r"""A symbol that a user writes in LaTeX, `r"\zeta"` or `r"\hat{w}_{\mathrm{out}}"`, as boxes.

The one idea: letters, Greek, accents, fonts and scripts are read, for a page needs them as MathML and a terminal as text;
what else LaTeX can do stays LaTeX there, and is shown elsewhere as it was written.
"""

from __future__ import annotations

import re

from chainrule.errors import ArgumentError
from chainrule.show.costumes.boxes import Accent, Box, Digits, Letter, Own, Script, Sign, Typed, Upright, row
from chainrule.show.costumes.greek import GREEK

_FONTS = {"mathrm", "mathbf", "mathit", "mathsf", "mathtt", "operatorname", "text"}
_ACCENTS = {
    "hat": "hat",
    "bar": "bar",
    "tilde": "tilde",
    "dot": "dot",
    "vec": "vec",
    "widehat": "hat",
    "overline": "bar",
}
_VARIANTS = {"varepsilon": "ε", "vartheta": "ϑ", "varphi": "φ", "ell": "ℓ", "partial": "∂", "nabla": "∇"}
_PRIMES = {"prime": "′", "ast": "∗", "star": "⋆"}


def own_symbol(name: str, latex: str) -> Own:
    """The box of a symbol; ArgumentError where its braces do not close."""
    if not isinstance(latex, str) or not latex.strip():
        raise ArgumentError(f"symbols[{name!r}] is {latex!r}: write LaTeX for it, such as r'\\zeta'")
    depth = 0
    for sign in _tokens(latex):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            break
    if depth or "$" in latex or "%" in latex or latex.endswith("\\"):
        raise ArgumentError(f"symbols[{name!r}] is {latex!r}: a brace is not closed, or there is a $ or % in it")
    try:
        tokens = _tokens(latex)
        box = _sequence(tokens)
        read = box if not tokens else Typed(latex)
    except (IndexError, ValueError):
        read = Typed(latex)
    return Own(latex, read)


def _tokens(latex: str) -> list[str]:
    return re.findall(r"\\[a-zA-Z]+|\\.|\d+|[^\s]", latex)


def _sequence(tokens: list[str]) -> Box:
    parts: list[Box] = []
    while tokens and tokens[0] != "}":
        if tokens[0] in ("_", "^"):
            below = tokens.pop(0) == "_"
            base = parts.pop()
            inner = _item(tokens)
            if isinstance(base, Script) and (base.below is None if below else base.above is None):
                base = Script(base.base, inner if below else base.below, base.above if below else inner)
            else:
                base = Script(base, inner if below else None, None if below else inner)
            parts.append(base)
        else:
            parts.append(_item(tokens))
    return row(*parts)


def _item(tokens: list[str]) -> Box:
    sign = tokens.pop(0)
    if sign == "{":
        inner = _sequence(tokens)
        tokens.pop(0)
        return inner
    command = sign[1:]
    if sign.startswith("\\"):
        if command in GREEK or command in _VARIANTS:
            return Letter(GREEK.get(command) or _VARIANTS[command])
        if command in _PRIMES:
            return Sign(_PRIMES[command], "plain")
        if command in _ACCENTS:
            return Accent(_ACCENTS[command], _item(tokens))
        if command in _FONTS and tokens[0] == "{":
            end = tokens.index("}")
            word = "".join(tokens[1:end])
            del tokens[: end + 1]
            if word.isalnum():
                return Upright(word)
        raise ValueError(sign)
    if sign.isdigit():
        return Digits(sign)
    if sign.isalpha():
        return Letter(sign)
    if sign in "+-,'*()":
        return Sign(sign, "plain")
    raise ValueError(sign)
