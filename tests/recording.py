"""Recording a function for tests that look at its graph."""

from chainrule.arguments import parameter_names
from chainrule.graphs import validate
from chainrule.tracer import new_trace


def record(function, *args):
    """The graph of a function of arrays and numbers, traced with its values, names and lines; and the values."""
    trace = new_trace(concrete=True, places=True)
    names = parameter_names(function) or []
    traced = []
    for place, arg in enumerate(args):
        tracer = trace.input(arg)
        tracer.variable.name = names[place] if place < len(names) else None
        traced.append(tracer)
    results = [function(*traced)]  # in a list, so that what is returned gets no name from here
    outputs = results[0] if isinstance(results[0], tuple) else results
    trace.graph.outputs = [trace.operand(output) for output in outputs]
    values = trace.values
    trace.close()
    return validate(trace.graph), values


def names_in(function, *args):
    """The names that the user gave to results, in order; None for nested parts."""
    graph, _ = record(function, *args)
    unexecuted = ("broadcast_to", "convert")
    return [graph.variables[e.output].name for e in graph.equations if e.primitive.name not in unexecuted]
