"""The level "summary": every equation of forward and backward pass with its shape, as a post ends with.

The one idea: nothing is said but the equations, in the order in which they can be computed, and what NumPy does without
a word: an array that is stretched.
"""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.matrix_form import Symbol
from chainrule.show.derived import Derived
from chainrule.show.document import Block, Equations, Paragraph, Piece, Row, Section, Sentence
from chainrule.show.levels.stretching import Stretched, stretched_in
from chainrule.show.writing import Statement


def blocks_of(derivation: Derived, of: str = "") -> tuple[Block, ...]:
    """Forward, backward, and what the derivation rests on."""
    backward = derivation.needed_for(of) if of else derivation.backward_lines
    return (
        *notes(derivation),
        Section(("Forward",), (forward(derivation),)),
        Section(("Backward",), (Equations(tuple(row(derivation, s) for s in backward)),)),
    )


def notes(derivation: Derived) -> tuple[Block, ...]:
    """What the derivation rests on, if anything has to be said."""
    said = "; ".join(derivation.notes)
    return (Paragraph((said[:1].upper() + said[1:] + ".",)),) if said else ()


def forward(derivation: Derived, lines: Iterable[Statement] | None = None) -> Equations:
    """The lines of the forward pass; a call of `cr.nn` before the lines that it stands for."""
    rows: list[Row] = []
    begun: set[str] = set()
    stretched = stretched_in(derivation.forward)
    for statement in derivation.forward_lines if lines is None else lines:
        call = next((c for c in derivation.calls if statement.name in c.names), None)
        if call is not None and call.output not in begun and len(call.names) > 1:
            begun.add(call.output)
            rows.append(Row(Symbol(call.output), (call.form,), remark=("which is, step by step:",)))
        rows.append(
            row(
                derivation,
                statement,
                remark_on_stretching(s for s in stretched.get(statement.name, []) if s.name in derivation.facts),
            )
        )
    return Equations(tuple(rows))


def row(derivation: Derived, statement: Statement, remark: Sentence = ()) -> Row:
    """One equation with its shape."""
    right = (statement.form,) if statement.simpler is None else (statement.form, statement.simpler)
    return Row(Symbol(statement.name), right, statement.shape, remark, label=statement.name)


def remark_on_stretching(stretched: Iterable[Stretched]) -> Sentence:
    """What is stretched without a word; a bias, which one expects to be, is told as well."""
    pieces: list[Piece] = []
    for found in stretched:
        pieces += ["; " if pieces else "", Symbol(found.name), f" {found.before} is stretched to {found.after}"]
    return tuple(p for p in pieces if p != "")
