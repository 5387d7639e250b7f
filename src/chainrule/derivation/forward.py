"""Forward mode: tangents ride along with the values, equation by equation, in the order of evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.derivation.building import Builder, arguments_of, dependents, resolved_params
from chainrule.graphs import Graph, Operand, Variable


@dataclass
class Forward:
    """A graph with tangents appended: `seeds` are the new inputs, `tangents` belong to the outputs in order."""

    graph: Graph
    seeds: list[int] = field(default_factory=list)
    tangents: list[Operand] = field(default_factory=list)


def derive_jvp(graph: Graph, wrt: Sequence[int]) -> Forward:
    """Append to `graph` the tangents of its outputs when the inputs numbered `wrt` move."""
    builder = Builder(graph)
    depends = dependents(graph, arguments_of(graph))
    moving: dict[int, object] = {}
    seeds = []
    for number in wrt:
        variable = graph.variables[number]
        name = f"{variable.name}_dot" if variable.name else None
        x_dot = builder.trace.input(variable=Variable(variable.shape, variable.dtype, variable.weak, name))
        seeds.append(x_dot.number)
        moving[number] = x_dot
    for equation in graph.equations:
        tangents = tuple(moving.get(i) if type(i) is int else None for i in equation.inputs)
        variable = graph.variables[equation.output]
        if variable.dtype.kind != "f" or all(t is None for t in tangents):
            continue
        builder.step(f"jvp of {equation.primitive.name}", variable.name or "")
        operands = tuple(map(builder.value, equation.inputs))
        y = builder.value(equation.output)
        y_dot = equation.primitive.tangent(tangents, operands, y, resolved_params(equation, depends))
        if y_dot is None:
            continue
        y_dot = builder.in_dtype(y_dot, variable.dtype)
        if variable.name and getattr(y_dot, "variable", None) is not None and y_dot.variable.name is None:
            y_dot.variable.name, y_dot.variable.depth = f"{variable.name}_dot", variable.depth
        moving[equation.output] = y_dot
    tangents_out: list[Operand] = []
    for output in graph.outputs:
        if type(output) is int and output in moving:
            tangents_out.append(builder.operand(moving[output]))
        else:
            still = graph.variables[output] if type(output) is int else Variable((), np.dtype(np.float64))
            builder.step("does not move", still.name or "")
            tangents_out.append(builder.operand(builder.full(0, still.shape, still.dtype)))
    builder.trace.step = None
    return Forward(builder.graph, seeds, tangents_out)
