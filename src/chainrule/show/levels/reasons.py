"""What a local rule does to a cotangent, in words: one clause for each primitive and operand.

The one idea: a clause says what happens, never for which network; which variables it happens to comes from the derivation.
A primitive without a clause is told by its name: nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

CLAUSES: dict[tuple[str, int] | str, str] = {
    "add": "a sum passes it on to each term",
    ("subtract", 1): "a difference passes it on",
    ("subtract", 2): "what is subtracted gets it with a minus sign",
    "negative": "minus turns its sign",
    "multiply": "a product gives each factor the other one",
    ("divide", 1): "a quotient divides it by the denominator",
    ("divide", 2): "a denominator v gets it times minus the quotient, divided by v",
    "square": "a square gives twice its base",
    "power": "a power p gives p times the base to p - 1",
    ("matmul", 1): "the left factor of a matrix product gets it times the right factor, transposed",
    ("matmul", 2): "the right factor of a matrix product gets the left factor, transposed, times it",
    "transpose": "a transpose is turned back",
    "broadcast_to": "what was stretched adds up all its copies",
    "sum": "a sum gives every term the same",
    "mean": "a mean gives every term the same, divided by their number",
    "max": "a maximum gives it to the entry that won",
    "min": "a minimum gives it to the entry that won",
    "maximum": "a maximum lets it pass where this operand won",
    "minimum": "a minimum lets it pass where this operand won",
    "where": "a selection lets it pass where this operand was selected",
    "clip": "clipping lets it pass between the bounds",
    "abs": "an absolute value gives it the sign",
    "exp": "an exponential multiplies by itself",
    "expm1": "e^z - 1 multiplies by e^z",
    "log": "a logarithm divides by its argument",
    "log1p": "log(1 + z) divides by 1 + z",
    "sqrt": "a square root divides by twice itself",
    "tanh": "tanh multiplies by 1 - tanh^2",
    "sigmoid": "a sigmoid a multiplies by a (1 - a)",
    "softplus": "softplus multiplies by the sigmoid",
    "sin": "sin multiplies by cos",
    "cos": "cos multiplies by -sin",
    "einsum": "each factor gets the cotangent, summed with the other factors",
    "solve": "what comes back is solved with the transposed matrix",
    "inv": "an inverse gives minus itself, transposed, on both sides",
    "cholesky": "a Cholesky factor gives the half that was read",
    "diagonal": "a diagonal goes back to its place",
    "tril": "the triangle is kept",
    "triu": "the triangle is kept",
    "cumsum": "a running sum adds up what comes after",
    "windows": "windows are added where they overlap",
    "var": "a variance gives twice the distance from the mean, divided by the number",
    "sort": "sorted entries get theirs at the place they came from",
    "index": "what was picked gets it at its place",
    "reshape": "a reshape is undone",
    "expand_dims": "a new axis is taken away again",
    "squeeze": "an axis that was taken away comes back",
    "concatenate": "each part gets its part",
    "stack": "each part gets its part",
}
SILENT = frozenset(("convert", "expand_dims", "squeeze", "reshape", "positive"))  # they move numbers only


def clauses(rules: Iterable[tuple[str, int]]) -> list[str]:
    """The clauses of rules that do something, each once, in order.

    >>> clauses([("add", 1), ("matmul", 2)])
    ['a sum passes it on to each term', 'the right factor of a matrix product gets the left factor, transposed, times it']
    """
    found: dict[str, None] = {}
    for name, place in rules:
        if name not in SILENT:
            found.setdefault(CLAUSES.get((name, place)) or CLAUSES.get(name) or f"the rule of {name}, operand {place}")
    return list(found)
