"""The last formula of a proof, said shorter: with the names of helping lines, and with what is known of labels.

The one idea: two things that a reader would do on paper. exp(z) over its sum is P, and the labels of a sample that come from a
class number sum to 1.
"""

from __future__ import annotations

from typing import Any

from chainrule.derivation.contracting import simplify
from chainrule.derivation.folding import folded
from chainrule.derivation.index_algebra import rebuilt, same_form
from chainrule.derivation.indices import EntryProof, prove_entry
from chainrule.derivation.writing_out import from_one
from chainrule.index_form import ONE, Entry, IndexForm, Total
from chainrule.matrix_form import Call
from chainrule.show.derived import Derived
from chainrule.show.writing import Statement


def shorter_forms(derivation: Derived, proof: EntryProof, variable: str) -> tuple[IndexForm, ...]:
    """What the last formula of a proof becomes, step by step; nothing where it is as short as it gets.

    Parameters
    ----------
    derivation : Derived
    proof : EntryProof
        Of the gradient by `variable`.
    variable : str
    """
    if proof.forward_left.at:  # a proof through the next line has nothing between that could bear a name
        return ()
    last = proof.chain[-1]
    helping = [s for s in derivation.backward_lines if not derivation.facts[s.name].cotangent_of]
    helping += [s for s in reversed(derivation.forward_lines) if s.name not in (variable, derivation.loss)]
    steps = [_with_names(derivation, last, variable, helping)]
    steps.append(_with_sums_of_labels(derivation, steps[-1]))
    found: list[IndexForm] = []
    for step in steps:
        if not any(same_form(step, other) for other in (last, *found)):
            found.append(step)
    return tuple(map(from_one, found))


def _with_names(derivation: Derived, form: IndexForm, variable: str, helping: list[Statement]) -> IndexForm:
    """Lines that are made of the variable by their names, as P for a softmax."""
    stated = {v.name: n for n, v in reversed(list(enumerate(derivation.stated.variables))) if v.name}
    drawn = {derivation.graph.variables[n].name: n for n in derivation.graph.inputs}
    drawn |= {s.name: s.number for s in derivation.statements}
    for line in helping:
        graph, numbers = (derivation.graph, drawn) if line.derived else (derivation.stated, stated)
        if variable not in numbers or line.name not in numbers:
            continue
        stop = frozenset({*graph.inputs, *graph.constants, numbers[variable]})
        names = {n: graph.variables[n].name or "" for n in stop} | {
            numbers[line.name]: line.name,
            numbers[variable]: variable,
        }
        found = prove_entry(
            graph, numbers[line.name], numbers[variable], names=names, stop=stop, cotangent=f"d{line.name}"
        )
        for value in (found.rewritten, found.forward) if found is not None else ():
            if value is not None and found is not None:
                form = folded(form, found.forward_left, value)
    return simplify(form)


def _with_sums_of_labels(derivation: Derived, form: IndexForm) -> IndexForm:
    """The labels of a sample sum to 1 where they are rows of the identity."""
    one_hot = {
        s.name
        for s in derivation.forward_lines
        if isinstance(s.form, Call) and s.form.function == "one_hot" and derivation.facts[s.name].ndim == 2
    }

    def visit(node: Any) -> Any:
        if (
            isinstance(node, Total)
            and isinstance(node.body, Entry)
            and node.body.array in one_hot
            and len(node.over) == 1
        ):
            (index,) = node.over
            if index in node.body.at and str(index.size).isdigit():  # over classes, not over samples
                return ONE
        return rebuilt(node, visit, lambda position: position)

    return simplify(visit(form)) if one_hot else form
