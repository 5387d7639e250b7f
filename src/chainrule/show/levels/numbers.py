"""The level "numbers": live values beside the symbols, Jacobians written out where they are small, each beside differences.

The one idea: a number that is derived stands next to one that is not. Local derivatives are compared with differences of the
forward line alone, gradients with differences of the whole loss.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from chainrule.matrix_form import Symbol
from chainrule.show.derived import Derived
from chainrule.show.document import Block, Equations, Matrix, Paragraph, Partial, Section, Sentence, Table
from chainrule.show.levels.jacobians import Between, Jacobian
from chainrule.show.levels.summary import notes, row
from chainrule.show.lines import names_in
from chainrule.show.writing import Statement

LARGEST = 12  # rows and columns of an array that is written out
COMPARED = 400  # entries of gradients that are compared with differences of the loss


def blocks_of(derivation: Derived, of: str = "") -> tuple[Block, ...]:
    """Values, local derivatives, gradients, each with what it is compared with."""
    with np.errstate(all="ignore"):  # what is not finite is shown as it is
        return _blocks(derivation, of)


def _blocks(derivation: Derived, of: str) -> tuple[Block, ...]:
    backward = derivation.needed_for(of) if of else derivation.backward_lines
    arguments = [n for n in derivation.facts if n not in derivation.by_name]
    return (
        *notes(derivation),
        Section(("Arguments",), tuple(value(derivation, name) for name in arguments)),
        Section(("Forward",), tuple(b for s in derivation.forward_lines for b in line(derivation, s))),
        Section(("Local derivatives",), local_derivatives(derivation)),
        Section(("Backward",), tuple(b for s in backward for b in line(derivation, s))),
        Section(("Beside differences of the loss",), (compared(derivation, of),)),
    )


def line(derivation: Derived, statement: Statement) -> tuple[Block, ...]:
    """An equation and its value."""
    return (Equations((row(derivation, statement),)), value(derivation, statement.name))


def value(derivation: Derived, name: str) -> Block:
    """A number, a small array, or what can be said of a large one."""
    array = np.asarray(derivation.values[name])
    if array.ndim == 0:
        return Paragraph((Symbol(name), f" = {spell_number(array.item())}"))
    if array.ndim <= 2 and max(array.shape, default=0) <= LARGEST:
        return Matrix(Symbol(name), array)
    if not array.size:
        return Paragraph((Symbol(name), f" is empty: {array.shape}"))
    told = f": {array.shape}, from {spell_number(array.min().item())} to {spell_number(array.max().item())}"
    return Paragraph((Symbol(name), told))


def local_derivatives(derivation: Derived) -> tuple[Block, ...]:
    """The Jacobian of each forward line by each variable that it reads, where it is small; numbers in one table."""
    names = _numbers(derivation)
    stops = set(names.values())
    scalars: list[tuple[Sentence, ...]] = []
    blocks: list[Block] = []
    for statement in derivation.forward_lines:
        for source in names_in(statement.form):
            if not _varies(derivation, names, source):
                continue
            between = Between(derivation.graph, derivation.everything, names[source], statement.number, stops)
            rows, columns = np.size(derivation.values[statement.name]), np.size(derivation.values[source])
            title = Partial(statement.name, source)
            if rows == columns == 1:
                found = between.jacobian()
                scalars.append(((title,), (spell_number(found.exact.item()),), (spell_number(found.moved.item()),)))
                continue
            picked = _block(derivation, statement.name, source)
            if picked is None:
                continue
            found = between.jacobian(*picked)
            blocks.append(
                Matrix(
                    title,
                    found.exact,
                    tuple(entry(derivation, statement.name, r) for r in picked[0]),
                    tuple(entry(derivation, source, c) for c in picked[1]),
                    "of, by",
                    _agreement(found, whole=rows * columns == found.exact.size),
                )
            )
    table = Table(("local derivative", "derived", "by differences"), tuple(scalars))
    return (*((table,) if scalars else ()), *blocks)


def _block(derivation: Derived, target: str, source: str) -> tuple[list[int], list[int]] | None:
    """The entries that are shown: all if they are few, else those of the first sample."""
    sizes = [np.size(derivation.values[name]) for name in (target, source)]
    if max(sizes) <= LARGEST:
        return list(range(sizes[0])), list(range(sizes[1]))
    picked = [_first_sample(derivation, name) for name in (target, source)]
    if all(0 < len(p) <= LARGEST for p in picked):
        return picked[0], picked[1]
    return None


def _first_sample(derivation: Derived, name: str) -> list[int]:
    """The places of the first sample's entries; of an array without samples, all."""
    array = np.asarray(derivation.values[name])
    sizes = [part.strip() for part in derivation.facts[name].shape.strip("()").split(",") if part.strip()]
    batch = [axis for axis, size in enumerate(sizes) if not size.isdigit()]
    places: Any = np.arange(array.size).reshape(array.shape)
    if batch:
        places = places.take(0, axis=batch[0])
    return [int(place) for place in np.ravel(places)]


def _agreement(found: Jacobian, *, whole: bool) -> Sentence:
    of = "" if whole else "The first sample's part. "
    if not np.isfinite(found.deviation):
        return (f"{of}Not finite here, so there is nothing to compare.",)
    return (f"{of}Differences agree to {found.deviation:.0e}.",)


def compared(derivation: Derived, of: str) -> Block:
    """Each gradient beside central differences of the loss: the entry that differs most."""
    names = _numbers(derivation)
    loss = next(s for s in derivation.forward_lines if s.name == derivation.loss)
    rows: list[tuple[Sentence, ...]] = []
    for argument, gradient in derivation.gradients.items():
        if of and gradient != of:
            continue
        between = Between(derivation.graph, derivation.everything, names[argument], loss.number, set())
        derived = np.ravel(np.asarray(derivation.values[gradient], dtype=float))
        places = range(derived.size) if derived.size <= COMPARED else _spread(derived.size)
        moved = between.jacobian(columns=list(places)).moved.ravel()
        chosen = derived[list(places)]
        if not chosen.size:
            continue
        worst = int(np.abs(chosen - moved).argmax())
        rows.append(
            (
                (Symbol(gradient),),
                (entry(derivation, argument, list(places)[worst]),),
                (f"{chosen[worst]:.10g}",),
                (f"{moved[worst]:.10g}",),
                (f"{len(chosen):,} of {derived.size:,}",),
            )
        )
    return Table(("gradient", "entry that differs most", "derived", "by differences", "compared"), tuple(rows))


def _spread(size: int) -> list[int]:
    return sorted({int(place) for place in np.linspace(0, size - 1, COMPARED)})


def entry(derivation: Derived, name: str, place: int) -> str:
    """`Z2[0, 1]`: an entry by its place in memory, as Python counts."""
    shape = np.shape(derivation.values[name])
    if not shape:
        return name
    return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(place, shape))}]"


def spell_number(number: float) -> str:
    """A number with six digits that mean something."""
    return f"{number:.6g}"


def _numbers(derivation: Derived) -> dict[str, int]:
    graph = derivation.graph
    names = {graph.variables[n].name or "": n for n in itertools.chain(graph.inputs, graph.constants)}
    return names | {s.name: s.number for s in derivation.statements}


def _varies(derivation: Derived, names: dict[str, int], name: str) -> bool:
    """Whether a variable has a derivative that is asked for: floating, and not the labels."""
    if name not in names or derivation.facts[name].role == "labels":
        return False
    return derivation.graph.variables[names[name]].dtype.kind == "f"
