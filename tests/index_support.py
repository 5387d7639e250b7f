"""Proofs of every statement of a function, and formulas of entries as text: for tests of the index calculus."""

import numpy as np

import chainrule as cr
from chainrule.arguments import parameter_names
from chainrule.derivation.indices import EntryProofs
from chainrule.index_form import (
    Cases,
    Counted,
    Delta,
    Dots,
    Entry,
    Holds,
    Index,
    Inside,
    Largest,
    Of,
    Place,
    Plus,
    Raised,
    SizeOf,
    Times,
    Total,
    Value,
)
from chainrule.staging import Spec, stage


def recorded(function, *args):
    """The graph of a function at these arguments."""
    return cr.graph(function, *args)


def staged(function, *args):
    """The graph of a function for every size."""

    def run(leaves):
        results = [function(*leaves)]  # in a list, so that what is returned gets no name from here
        return results[0], results

    names = parameter_names(function)
    specs = [Spec(name, np.shape(a), np.asarray(a).dtype) for name, a in zip(names, args, strict=True)]
    return stage(run, specs).graph


def proofs_of(graph, loss="L", names=None):
    """The proof of every named statement by every named operand, by (output, operand)."""
    names = names or distinct_names(graph)
    for output in graph.outputs:
        names.setdefault(output, loss)
    stop = frozenset(names)
    proofs = EntryProofs(graph, names, stop)
    found = {}
    for equation in graph.equations:
        if equation.output in stop:
            for operand in operands_of(graph, equation.output, stop):
                proof = proofs.prove(equation.output, operand, f"d{names[equation.output]}")
                found[names[equation.output], names[operand]] = proof
    return found


def distinct_names(graph):
    """The users' names; one that is given again gets a number."""
    names, seen = {}, {}
    for number, variable in enumerate(graph.variables):
        if variable.name:
            seen[variable.name] = seen.get(variable.name, 0) + 1
            names[number] = variable.name if seen[variable.name] == 1 else f"{variable.name}_{seen[variable.name]}"
    return names


def operands_of(graph, output, stop):
    """The floating symbols that a statement is made of."""
    producers, waiting, found = graph.producers(), [output], {}
    while waiting:
        number = waiting.pop()
        if number in stop and number != output or number not in producers:
            if graph.variables[number].dtype.kind == "f" and number in stop:
                found[number] = None
            continue
        waiting += [i for i in producers[number].inputs if type(i) is int]
    return found


def place(position):
    if isinstance(position, Index):
        return position.letter
    if isinstance(position, Place):
        text = "".join(
            ("-" if f < 0 else "+" if n else "") + ("" if abs(f) == 1 else str(abs(f))) + i.letter
            for n, (f, i) in enumerate(position.parts)
        )
        return text + (f"{position.offset:+d}" if position.offset else "")
    return text_of(position) if isinstance(position, Entry) else str(position)


def text_of(form):
    """A formula as text: sum_k x[i,k] w[k,j] is `sum_k{x[i,k] w[k,j]}`, a delta `d(i,p)`, an indicator `[z>0]`."""
    match form:
        case Value(value):
            return str(value)
        case SizeOf(name):
            return f"#{name}"
        case Entry(array, at):
            return array + (f"[{','.join(map(place, at))}]" if at else "")
        case Delta(left, right):
            return f"d({place(left)},{place(right)})"
        case Plus(terms):
            return f"({' + '.join(map(text_of, terms))})"
        case Times(factors):
            return " ".join(map(text_of, factors))
        case Raised(base, exponent):
            return f"{text_of(base)}^{text_of(exponent)}"
        case Of(function, arguments):
            return f"{function}({', '.join(map(text_of, arguments))})"
        case Holds(relation, left, right):
            return f"[{text_of(left)}{relation}{text_of(right)}]"
        case Total(over, body):
            return f"sum_{''.join(i.letter for i in over)}{{{text_of(body)}}}"
        case Largest(over, body, smallest):
            return f"{'min' if smallest else 'max'}_{''.join(i.letter for i in over)}{{{text_of(body)}}}"
        case Counted(position):
            return f"#({place(position)})"
        case Inside(position, size):
            return f"[{place(position)} in {size}]"
        case Cases(condition, then, otherwise):
            return f"({text_of(then)} if {text_of(condition)} else {text_of(otherwise)})"
        case Dots():
            return "..."
    raise AssertionError(form)
