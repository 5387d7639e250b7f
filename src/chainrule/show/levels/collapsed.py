"""The level "collapsed": the steps put back into one formula, and both worked out to see that they agree.

The one idea: a line is a name for its right-hand side. Put in until only arguments are left, the gradient is one formula: of
whole arrays, and for one entry with the sum over samples written out, so that what depends on a sample stands inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.derivation.writing_out import from_one
from chainrule.index_form import Entry
from chainrule.matrix_form import MatrixForm, Symbol, evaluate
from chainrule.show.derived import Derived
from chainrule.show.document import Block, Equations, Paragraph, Row, Section
from chainrule.show.levels.entry_proofs import whole_proof
from chainrule.show.levels.summary import notes
from chainrule.show.lines import count_nodes, substituted
from chainrule.show.tidying import tidied, without_ones

LONGEST = 120  # nodes of a formula that is still read; a longer one keeps the names of forward lines


def blocks_of(derivation: Derived, of: str = "") -> tuple[Block, ...]:
    """Each gradient as one formula."""
    chosen = [g for g in derivation.gradients.values() if not of or g == of]
    if of and not chosen:
        chosen = [of]
    return (*notes(derivation), *(Section((Symbol(name),), collapsed(derivation, name)) for name in chosen))


def collapsed(derivation: Derived, name: str) -> tuple[Block, ...]:
    """One gradient: the formula, whether it agrees with the steps, and one entry of it."""
    form, kept = collapsed_form(derivation, name)
    form = _shorter(derivation, form)
    stepwise = np.asarray(derivation.values[name], dtype=float)
    blocks: list[Block] = [Equations((Row(Symbol(name), (form,), derivation.facts[name].shape),))]
    if kept:
        blocks.append(Paragraph(("It keeps the names of the forward lines: put in, too, it would fill a page.",)))
    value = value_of(derivation, form)
    if value is not None:
        scale = max(1.0, float(np.abs(stepwise).max(initial=0.0)))
        worst = float(np.abs(stepwise - value).max(initial=0.0)) / scale
        agreement = "to the last bit" if worst == 0 else f"to {worst:.0e}"
        blocks.append(Paragraph((f"Worked out at the arguments, this formula and the steps agree {agreement}.",)))
    entry = None if kept else whole_proof(derivation, name)
    if entry is not None:
        blocks.append(Paragraph(("For one entry, with every sum written out:",)))
        blocks.append(Equations((Row(Entry(name, from_one(entry.by).at), (from_one(entry.chain[-1]),)),)))
    return tuple(blocks)


def _shorter(derivation: Derived, form: MatrixForm) -> MatrixForm:
    """Without arrays of ones, if that comes to the same."""
    other = tidied(without_ones(form), ())
    mine, theirs = (value_of(derivation, one) for one in (form, other))
    if mine is None or theirs is None or mine.shape != theirs.shape:
        return form
    return other if np.allclose(mine, theirs, rtol=1e-9, atol=0.0, equal_nan=True) else form


def collapsed_form(derivation: Derived, name: str) -> tuple[MatrixForm, bool]:
    """The formula in arguments alone, or, if that is too long, in forward lines; and which of the two."""
    backward: dict[str, Any] = {}
    for statement in derivation.backward_lines:
        backward[statement.name] = substituted(statement.best, backward)
        if statement.name == name:
            break
    forward: dict[str, Any] = {}
    for statement in derivation.forward_lines:
        forward[statement.name] = substituted(statement.form, forward)
        if count_nodes(forward[statement.name]) > LONGEST:
            break
    form = substituted(backward[name], forward)
    return (form, False) if count_nodes(form) <= LONGEST else (backward[name], True)


def value_of(derivation: Derived, form: MatrixForm) -> np.ndarray | None:
    """What a formula comes to at the derivation's arguments; None where it has no meaning outside of the program."""
    sizes = derivation.sizes
    try:
        return np.asarray(evaluate(form, derivation.values, sizes), dtype=float)
    except (ValueError, TypeError, KeyError, NameError, AttributeError):
        return None
