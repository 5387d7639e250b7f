"""The way in: rules and arithmetic in turn until nothing changes, each new graph validated."""

from __future__ import annotations

from chainrule.graphs import Graph, validate
from chainrule.simplify.algebra import rewrite_arithmetic
from chainrule.simplify.rewriting import Rewriting
from chainrule.simplify.rules import rules_for

ROUNDS = 8


def simplify_graph(graph: Graph) -> Graph:
    """An equal graph with fewer and better equations: common terms met, dead code gone, every rewrite named.

    The user's forward equations keep their arithmetic bit for bit; derived ones keep their mathematical value.
    """
    fewest = None
    for _ in range(ROUNDS):
        graph = validate(rewrite_arithmetic(apply_rules(graph)))
        count = len(graph.equations)
        if fewest is not None and count >= fewest:
            break
        fewest = count
    return apply_rules(graph)


def apply_rules(graph: Graph) -> Graph:
    """One walk over the equations with the single-equation rules."""
    table = rules_for()
    r = Rewriting(graph)
    r.alias.update(graph.same)
    r.graph.same = {}
    for equation in graph.equations:
        if equation.output in graph.same:
            continue
        for rule in table.get(equation.primitive, ()):
            if (rule.exact or equation.derived) and r.replace(
                equation, rule.name, lambda rule=rule, equation=equation: rule.build(r, equation)
            ):
                break
        else:
            r.keep(equation)
    return r.finish()
