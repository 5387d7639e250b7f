"""The lines of a derivation from a graph with both backward passes: each cotangent as derived, and as it simplifies.

The one idea: `derivation/stepwise.py` derives every cotangent twice. Here the free one becomes the second right-hand side of
the held one, where they differ, and what only serves the other is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from chainrule.graphs import Equation, Graph, Operand
from chainrule.matrix_form import Call, MatrixForm, Symbol, Transposed, symbols_in
from chainrule.primitives.arithmetic import POSITIVE
from chainrule.primitives.control import FULL
from chainrule.primitives.shaping import BROADCAST_TO, CONVERT
from chainrule.program import Program
from chainrule.show.tidying import tidied
from chainrule.show.writing import Statement, Writing, program_of, transposed
from chainrule.spelling import Names

TOLD = frozenset(  # rewrites that see through lines, and are worth a second right-hand side
    (
        "softmax with cross-entropy",
        "sigmoid with cross-entropy",
        "picked entries as one-hot rows",
        "rows that sum to one",
    )
)
SHORT = 12  # nodes of a helping formula that is written where it is read, though it is read more than once


def lines_of(
    graph: Graph, names: tuple[str, ...], constants: Mapping[int, str], recognised: Graph
) -> tuple[Statement, ...]:
    """The lines, forward first.

    Parameters
    ----------
    graph : Graph
        A simplified graph whose outputs are the loss, the held cotangents and the free ones.
    names : tuple of str
        Of the cotangents, in the order of the outputs.
    constants : mapping of int to str
    recognised : Graph
        The forward graph with the stable forms of what was recognised.
    """
    read, equal = _stable_forms(recognised)
    graph, held, free = _with_lines_of_cotangents(_with_lines_of_moves(graph), names)
    program = program_of(graph, constants)
    _keep_names(program)
    writing = Writing(program)
    written = writing.statements()
    by_number = {s.number: s for s in written}
    own = {number: name for name, number in held.items()}
    instead = _other_names(graph, written, own, free)
    found: list[Statement] = []
    standing = {s.name for s in written if not s.derived}
    for statement in written:
        name = own.get(statement.number)
        known = {other: true for other, true in instead.items() if true in standing and true != name}
        other = free[name] if name is not None else -1
        simpler = _form_of(writing, by_number, other, own) if other not in (-1, statement.number) else None
        rules = list(by_number[other].parts) if other in by_number else writing.written.get(other, [])
        form = renamed_form(statement.form, known)
        also = substituted(renamed_form(simpler, known), equal) if simpler is not None else None
        if also == form or not (name and name[1:] in read) and not TOLD.intersection(_rules_in(rules)):
            also = None
        parts = statement.parts if also is None else (*statement.parts, *rules)
        found.append(replace(statement, form=form, simpler=also, simplest=other, parts=parts))
        standing.add(statement.name)
    lines = _numbered(_inlined(_needed(_in_order(found), set(names)), graph), graph)
    return tuple(
        replace(line, form=tidied(line.form, names), simpler=tidied(line.simpler, names)) if line.derived else line
        for line in lines
    )


def _with_lines_of_moves(graph: Graph) -> Graph:
    """The graph in which what NumPy would stretch or convert by itself is read by its name, where the user named it."""
    graph = graph.copy()
    equations: list[Equation] = []
    for equation in graph.equations:
        variable = graph.variables[equation.output]
        if variable.name and equation.step is None and equation.primitive in (BROADCAST_TO, CONVERT):
            number = graph.new_variable(variable.shape, variable.dtype, variable.weak)
            equations.append(replace(equation, output=number))
            equation = replace(equation, primitive=POSITIVE, inputs=(number,), params=())
        equations.append(equation)
    graph.equations = equations
    return graph


def _with_lines_of_cotangents(graph: Graph, names: tuple[str, ...]) -> tuple[Graph, dict[str, int], dict[str, int]]:
    """The graph in which each hold is a line, read by all that read what it holds; the held and the free cotangents.

    A free cotangent is -1 where it is no variable.
    """
    outputs = graph.outputs[1:]
    held = {name: output for name, output in zip(names, outputs, strict=False) if type(output) is int}
    free = dict(zip(names, outputs[len(names) :], strict=True))
    holds = {e.output: e for e in graph.equations if e.output in set(held.values())}
    after: dict[Operand, list[Equation]] = {}
    for equation in holds.values():
        after.setdefault(equation.inputs[0], []).append(equation)
    ones = {e.output for e in graph.equations if e.primitive is FULL and e.params[:2] == (1, ())}
    own = ones.union(holds)
    instead: dict[Operand, Operand] = {}
    held_ones: set[Operand] = set()
    equations: list[Equation] = []

    def append(equation: Equation) -> None:
        scales = equation.primitive.name in ("multiply", "divide", "positive")
        inputs = tuple(i if i in held_ones and not scales else instead.get(i, i) for i in equation.inputs)
        equations.append(replace(equation, inputs=inputs))
        if equation.primitive is POSITIVE and inputs[0] in ones:
            instead[equation.output] = inputs[0]  # a factor that is 1 is not written
            held_ones.add(equation.output)
        for hold in after.pop(equation.output, ()):
            append(replace(hold, primitive=POSITIVE, params=()))
            if equation.derived and equation.output not in own and not graph.variables[equation.output].name:
                instead.setdefault(equation.output, hold.output)

    for source in [source for source in after if type(source) is not int or source not in graph.producers()]:
        for hold in after.pop(source):
            append(replace(hold, primitive=POSITIVE, params=()))
    for equation in graph.equations:
        if equation.output not in holds:
            append(equation)
    graph = graph.copy()
    graph.equations = equations
    numbers = {name: instead.get(output, output) for name, output in free.items()}
    graph.outputs = [graph.outputs[0], *held.values(), *numbers.values()]
    return graph, held, {name: number if type(number) is int else -1 for name, number in numbers.items()}


def _keep_names(program: Program) -> None:
    """Variables keep the names that they have; only what has none is called u1, u2, ..., and never like one that has."""
    graph = program.graph
    given = {*graph.inputs, *graph.constants}
    taken = {program.names[n] for n in given if n in program.names}
    loss = graph.outputs[0]
    nameless = []
    for number in [n for n in program.names if n not in given]:
        name = graph.variables[number].name or (program.names[number] if number == loss else None)
        if name and name.isidentifier() and name not in taken:
            program.names[number] = name
            taken.add(name)
        else:
            nameless.append(number)
    fresh = Names(taken | {variable.name or "" for variable in graph.variables})
    for number in nameless:
        program.names[number] = fresh.fresh("u1")


def _other_names(
    graph: Graph, written: list[Statement], own: Mapping[int, str], free: Mapping[str, int]
) -> dict[str, str]:
    """Lines that have the value of a line with a better name: free cotangents, and stable forms of what the user named."""
    derived = {s.number: s.name for s in written if s.derived}
    found: dict[str, str] = {}
    for name, number in free.items():
        if number in derived and number not in own and not graph.variables[number].name:
            found.setdefault(derived[number], name)
    forward = {s.name for s in written if not s.derived}
    for statement in written:
        named = graph.variables[statement.number].name
        if named and statement.name != named and named in forward:
            found[statement.name] = named
    return found


def _in_order(lines: list[Statement]) -> list[Statement]:
    """Each line below those that it reads; a simpler form that would need a line further down is left out."""
    by_name = {line.name: line for line in lines}
    found: dict[str, Statement] = {}
    begun: set[str] = set()

    def place(line: Statement) -> bool:
        if line.name in found or line.name in begun:
            return line.name in found
        begun.add(line.name)
        for name in names_in(line.form):
            if name in by_name:
                place(by_name[name])
        if not all(place(by_name[name]) for name in names_in(line.simpler) if name in by_name):
            line = replace(line, simpler=None)
        found[line.name] = line
        return True

    for line in lines:
        place(line)
    return list(found.values())


def _rules_in(parts: Iterable[Equation]) -> set[str]:
    return {part.step.rule.removeprefix("simplify: ") for part in parts if part.step is not None}


def _stable_forms(recognised: Graph) -> tuple[set[str], dict[MatrixForm, MatrixForm]]:
    """The variables that a stable form is made of, by name; and stable forms that have the value of a variable."""
    read: set[str] = set()
    equal: dict[MatrixForm, MatrixForm] = {}
    for equation in recognised.equations:
        if equation.step is None or equation.step.rule != "recognise":
            continue
        names = [recognised.variables[i].name for i in equation.inputs if type(i) is int]
        read.update(name for name in names if name)
        own = recognised.variables[equation.output].name
        if equation.primitive.name == "sigmoid" and own and names[0]:
            equal[Call("sigmoid", (Symbol(names[0]),))] = Symbol(own)
    return read, equal


def _form_of(
    writing: Writing, by_number: Mapping[int, Statement], number: int, own: Mapping[int, str]
) -> MatrixForm | None:
    """The right-hand side of a free cotangent, whether it has a line or is written where it is used."""
    line = by_number.get(number)
    if line is None:
        return writing.forms.get(number)
    named = number in own or bool(writing.graph.variables[number].name)
    return Symbol(line.name) if named else line.form


def _needed(lines: list[Statement], cotangents: set[str]) -> list[Statement]:
    """The forward lines, the cotangents, and what these read."""
    by_name = {line.name: line for line in lines}
    kept: set[str] = set()
    todo = [line.name for line in lines if line.name in cotangents or not line.derived]
    while todo:
        name = todo.pop()
        if name in by_name and name not in kept:
            kept.add(name)
            todo += names_in(by_name[name].form, by_name[name].simpler)
    return [line for line in lines if line.name in kept]


def _inlined(lines: list[Statement], graph: Graph) -> list[Statement]:
    """Helping lines that one other line reads, or that are a mere mask or number, are written where they are read."""
    lines = list(lines)
    outputs = set(graph.outputs)
    for line in reversed(list(lines)):
        if graph.variables[line.number].name or line is lines[-1] or line.number in outputs:
            continue
        readers = [r for r in lines if line.name in names_in(r.form, r.simpler)]
        if len(readers) > 1 and count_nodes(line.form) > SHORT:
            continue
        instead: dict[Any, MatrixForm] = {line.name: line.form}
        ndim = len(graph.variables[line.number].shape)
        if ndim > 2:  # without its name nobody sees how many axes it has
            turned = transposed(line.form, (*range(ndim - 2), ndim - 1, ndim - 2))
            instead[Transposed(Symbol(line.name))] = turned
        for reader in readers:
            form, simpler = (substituted(f, instead) for f in (reader.form, reader.simpler))
            simpler = None if simpler == form else simpler
            parts = (*line.parts, *reader.parts)
            lines[lines.index(reader)] = replace(reader, form=form, simpler=simpler, parts=parts)
        lines.remove(line)
    return lines


def count_nodes(form: Any) -> int:
    """How long a formula is."""
    if isinstance(form, tuple):
        return sum(map(count_nodes, form))
    if isinstance(form, MatrixForm):
        return 1 + sum(count_nodes(getattr(form, field.name)) for field in fields(form))  # type: ignore[arg-type, misc]
    return 0


def substituted(form: Any, forms: Mapping[Any, MatrixForm]) -> Any:
    """A formula with formulas in the place of names, or of other formulas."""
    if isinstance(form, Symbol):
        return forms.get(form.name, form)
    if isinstance(form, MatrixForm) and form in forms:
        return forms[form]
    if isinstance(form, tuple):
        return tuple(substituted(part, forms) for part in form)
    if isinstance(form, MatrixForm):
        return type(form)(*(substituted(getattr(form, field.name), forms) for field in fields(form)))  # type: ignore[arg-type]
    return form


def _numbered(lines: list[Statement], graph: Graph) -> tuple[Statement, ...]:
    """Lines without a name of their own are u1, u2, ... in the order in which they are shown."""
    taken = {line.name for line in lines if graph.variables[line.number].name} | {v.name or "" for v in graph.variables}
    fresh = Names(taken)
    mapping = {}
    for line in lines:
        if line.name not in taken and line.name.startswith("u") and line.name[1:].isdigit():
            mapping[line.name] = fresh.fresh("u1")
    return tuple(
        replace(
            line,
            name=mapping.get(line.name, line.name),
            form=renamed_form(line.form, mapping),
            simpler=renamed_form(line.simpler, mapping) if line.simpler is not None else None,
        )
        for line in lines
    )


def renamed_form(form: Any, names: Mapping[str, str]) -> Any:
    """A formula with other names in it."""
    return substituted(form, {old: Symbol(new) for old, new in names.items()})


def names_in(*forms: MatrixForm | None) -> list[str]:
    """The names in formulas, each once, in order of appearance."""
    return list(dict.fromkeys(name for form in forms if form is not None for name in symbols_in(form)))
