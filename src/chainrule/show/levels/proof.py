"""The level "proof": each gradient derived for one entry, with indices, up to the matrix form.

The one idea: one component first. An entry of the forward line, its derivative by an entry of the variable with Kronecker
deltas, the sum over all paths, what is left of it, one entry written out with numbers for indices, and the pattern that is
recognised in it.
"""

from __future__ import annotations

from chainrule.derivation.indices import EntryProof, Summed
from chainrule.index_form import Entry
from chainrule.matrix_form import Add, Call, MatrixForm, Symbol
from chainrule.show.derived import Derived
from chainrule.show.document import Block, Equations, Paragraph, Partial, Piece, Row, Section, Sentence
from chainrule.show.levels.entry_proofs import Contribution, contributions, whole_proof
from chainrule.show.levels.shortening import shorter_forms
from chainrule.show.levels.steps import answer
from chainrule.show.levels.summary import forward, notes, row
from chainrule.show.writing import Statement


def blocks_of(derivation: Derived, of: str = "") -> tuple[Block, ...]:
    """The forward lines, then a section with its proof for each gradient."""
    backward = derivation.needed_for(of) if of else derivation.backward_lines
    sections = tuple(Section((Symbol(s.name),), proof(derivation, s)) for s in backward)
    return (*notes(derivation), Section(("Forward",), (forward(derivation),)), Section(("Backward",), sections))


def proof(derivation: Derived, statement: Statement) -> tuple[Block, ...]:
    """The equation of a line and where it comes from."""
    variable = derivation.facts[statement.name].cotangent_of
    head = Equations((row(derivation, statement),))
    found = contributions(derivation, variable) if variable else []
    if not found:
        return (head, Paragraph(answer(derivation, statement)))
    blocks: list[Block] = [head]
    if len(found) > 1:
        blocks.append(Paragraph(_paths(variable, found)))
    for contribution in found:
        name = statement.name if len(found) == 1 else part_through(statement.name, contribution.line)
        blocks += _contribution(derivation, statement, contribution, name)
    if len(found) > 1:
        parts = Add(tuple(Symbol(part_through(statement.name, c.line)) for c in found))
        total = _sum_of(found)
        blocks.append(Paragraph(("The contributions add up:",)))
        blocks.append(Equations((Row(Symbol(statement.name), (parts,) if total is None else (parts, total)),)))
    if statement.simpler is not None:
        blocks += _across_lines(derivation, statement)
    return tuple(blocks)


def part_through(gradient: str, line: str) -> str:
    """The name of what a gradient gets through one line: dX[a].

    >>> part_through("dX", "a")
    'dX[a]'
    """
    return f"{gradient}[{line}]"


def _across_lines(derivation: Derived, statement: Statement) -> list[Block]:
    """What a line comes to when the lines above are put in: from the loss at once."""
    entry = whole_proof(derivation, statement.name)
    assert statement.simpler is not None
    rows = [Row(Symbol(statement.name), (statement.simpler,), remark=("the pattern",))]
    if entry is not None:
        shorter = shorter_forms(derivation, entry, derivation.facts[statement.name].cotangent_of)
        entry = entry.from_one()
        rows.insert(0, Row(Entry(statement.name, entry.by.at), (entry.chain[-1], *shorter), remark=("from the loss",)))
    rules = f", by the rule {statement.rules[-1]}" if statement.rules else ""
    return [Paragraph((f"With the lines above put in, this simplifies{rules}:",)), Equations(tuple(rows))]


def _paths(variable: str, found: list[Contribution]) -> Sentence:
    pieces: list[Piece] = ["The loss depends on ", Symbol(variable), " through "]
    for place, contribution in enumerate(found):
        pieces += [" and " if place == len(found) - 1 else ", " if place else "", Symbol(contribution.line)]
    return (*(p for p in pieces if p != ""), ": each is a path, and what they contribute is added.")


def _contribution(derivation: Derived, statement: Statement, contribution: Contribution, gradient: str) -> list[Block]:
    """The proof of what goes through one line; `gradient` is the whole if there is no other."""
    entry = contribution.proof
    if entry is None:
        line = derivation.by_name[contribution.line]
        said = (
            "Through ",
            Symbol(line.name),
            " = ",
            line.form,
            ": this line has no formula for single entries, so its rule stands alone.",
        )
        return [Paragraph(said)]
    whole = gradient == statement.name
    shorter = shorter_forms(derivation, entry, derivation.facts[gradient].cotangent_of) if whole else ()
    entry = entry.from_one()
    left = Entry(gradient, entry.by.at)
    rewritten = (entry.rewritten,) if entry.rewritten is not None else ()
    rows = [
        Row(entry.forward_left, (entry.forward, *rewritten), remark=("one entry of the forward line",)),
        Row(Partial(entry.forward_left, entry.by), entry.partial, remark=("by one entry of the variable",)),
        Row(
            left, (*entry.chain, *shorter), remark=("the sum over all paths" if whole else "the sum over these paths",)
        ),
    ]
    if entry.by.at and not shorter:
        first, form = entry.first
        rows.append(Row(Entry(gradient, first.at), (form,), remark=("one entry, written out",)))
    pattern = entry.matrix if not shorter else derivation.by_name[gradient].best
    if pattern is not None and entry.by.at:
        rows.append(Row(Symbol(gradient), (pattern,), remark=("the pattern",)))
    blocks: list[Block] = [Equations(tuple(rows))]
    blocks += [Paragraph(_reason(summed, entry)) for summed in entry.summed]
    blocks.append(Paragraph((_judgement(entry),)))
    return blocks


def _reason(summed: Summed, entry: EntryProof) -> Sentence:
    letter, size = summed.index.letter, summed.index.size
    reasons = {
        "shared": ("is shared: it stands in ", f", for every {letter}, and each is a path to the loss."),
        "product": ("is multiplied into ", f", for every {letter}, and each is a path to the loss."),
        "row": ("has a part in ", f", for every {letter}, and each is a path to the loss."),
    }
    before, after = reasons[summed.reason]
    return (f"Why a sum over {letter} = 1, ..., {size}? ", entry.by, f" {before}", summed.reached, after)


def _judgement(entry: EntryProof) -> str:
    if entry.checked is None:
        return "The formula could not be compared with the rule: the random numbers led to none that are finite."
    if not entry.agrees:
        return f"The formula differs from the rule by {entry.checked:.0e}: please report it."
    return f"Compared with the rule on random numbers: equal to {entry.checked:.0e}."


def _sum_of(found: list[Contribution]) -> MatrixForm | None:
    forms = [c.proof.matrix for c in found if c.proof is not None and c.proof.matrix is not None]
    if len(forms) != len(found):
        return None
    whole = [form for form in forms if not _is_stretched(form)]
    return Add(tuple(f.arguments[0] if isinstance(f, Call) and _is_stretched(f) and whole else f for f in forms))


def _is_stretched(form: MatrixForm) -> bool:
    return isinstance(form, Call) and form.function == "broadcast_to"
