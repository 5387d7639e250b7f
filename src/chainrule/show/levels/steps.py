"""The level "steps": for each line of the backward pass, which rule of which forward line made it, and what it reuses.

The one idea: what is said comes from the record of the derivation. A gradient names the forward lines that read its
variable, one for each path; every sum says over what it runs, and why.
"""

from __future__ import annotations

from chainrule.matrix_form import MatrixForm, Symbol
from chainrule.show.derived import Derived
from chainrule.show.document import Block, Equations, Paragraph, Piece, Section, Sentence
from chainrule.show.levels.applied import Applied, applied_rules
from chainrule.show.levels.reasons import clauses
from chainrule.show.levels.summary import forward, notes, row
from chainrule.show.levels.sums import reason_of_sum
from chainrule.show.lines import names_in
from chainrule.show.writing import Statement

MANY = 4  # clauses that are told; of more, how many rules there were
TOLD = 3  # forward lines that are told


def blocks_of(derivation: Derived, of: str = "") -> tuple[Block, ...]:
    """The forward lines, then a section for each line of the backward pass."""
    backward = derivation.needed_for(of) if of else derivation.backward_lines
    lines = set(derivation.by_name)
    used = {name for s in backward for name in names_in(s.form)} & lines
    steps = tuple(block for s in backward for block in step(derivation, s))
    first = (
        forward(derivation) if not of else forward(derivation, [s for s in derivation.forward_lines if s.name in used])
    )
    return (
        *notes(derivation),
        Section(("Forward",), (first,)),
        Section(("Backward, from the loss to the arguments",), steps),
    )


def step(derivation: Derived, statement: Statement) -> tuple[Block, ...]:
    """The equation of a line, and the sentences that answer for it."""
    return (Equations((row(derivation, statement),)), Paragraph(answer(derivation, statement)))


def answer(derivation: Derived, statement: Statement) -> Sentence:
    """Which rules, of which forward lines, what is reused, what was simplified, why a sum."""
    shown = {s.name for s in derivation.backward_lines}
    applied = applied_rules(derivation.raw, statement.name, shown)
    facts = derivation.facts[statement.name]
    if applied is None or not facts.cotangent_of:
        why = f"{_capital(statement.rules[0])}; a" if statement.rules else "A"
        return (f"{why} value that the lines below read.",)
    readers = _readers(derivation, facts.cotangent_of)
    reason = reason_of_sum(derivation, statement)
    return (
        *(_used_in(facts.cotangent_of, readers) if readers else ()),
        *_rules(applied, statement),
        *((" ", *reason) if reason else ()),
    )


def _readers(derivation: Derived, name: str) -> list[tuple[str, MatrixForm]]:
    """The forward lines that read a variable, as (left, right); a call of `cr.nn` instead of what it does inside."""
    found: dict[str, MatrixForm] = {}
    for statement in derivation.forward_lines:
        if name not in names_in(statement.form):
            continue
        call = next((c for c in derivation.calls if statement.name in c.names and name not in c.names), None)
        found[statement.name if call is None else call.output] = statement.form if call is None else call.form
    return list(found.items())


def _used_in(name: str, readers: list[tuple[str, MatrixForm]]) -> Sentence:
    told = readers[:TOLD]
    pieces: list[Piece] = [Symbol(name), " is read in "]
    for place, (left, right) in enumerate(told):
        pieces += [_joint(place, len(told)), Symbol(left), " = ", right]
    more = len(readers) - len(told)
    pieces.append(f" and {more} more {'line' if more == 1 else 'lines'}. " if more > 0 else ". ")
    if len(readers) > 1:
        pieces.append(f"Each of the {len(readers)} lines is a path to the loss: their contributions are added. ")
    return tuple(p for p in pieces if p != "")


def _joint(place: int, count: int) -> str:
    return "" if place == 0 else " and " if place == count - 1 else ", "


def _rules(applied: Applied, statement: Statement) -> Sentence:
    told = clauses(applied.rules)
    pieces: list[Piece] = []
    if applied.sources:
        pieces.append("From ")
        for place, source in enumerate(applied.sources):
            pieces += [_joint(place, len(applied.sources)), Symbol(source)]
        pieces.append(": ")
    if len(told) > MANY:
        pieces.append(f"{len(applied.rules)} local rules ({'; '.join(told[:MANY])}; and so on).")
    elif told:
        said = "; ".join(told)
        pieces.append(f"{said if pieces else _capital(said)}.")
    else:
        pieces.append("it is passed on as it is.")
    if statement.rules:
        pieces.append(f" Simplified by: {', '.join(statement.rules)}.")
    return tuple(p for p in pieces if p != "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
