"""Which rule made a line of the backward pass: the record of the derivation, read backwards.

The one idea: rewriting keeps the names of cotangents, so a line that is shown can be looked up in the graph as it was
derived, before anything was simplified. From there the steps are collected back to the cotangents that are shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from chainrule.graphs import Graph

PATHS = "sum over paths"


@dataclass(frozen=True)
class Applied:
    """Local rules between a cotangent and those it is made of.

    Attributes
    ----------
    rules : tuple of (primitive, operand)
        In the order in which they were applied, from the loss on: ("add", 1), ("matmul", 2).
    paths : int
        How many contributions were summed; 1 if the variable is used once.
    sources : tuple of str
        The cotangents that were reused, by name.
    """

    rules: tuple[tuple[str, int], ...]
    paths: int
    sources: tuple[str, ...]


def applied_rules(raw: Graph, name: str, shown: Collection[str]) -> Applied | None:
    """What made a cotangent; None for a line that a rewrite brought in.

    Parameters
    ----------
    raw : Graph
        Forward and backward, as derived.
    name : str
        Of a line of the backward pass.
    shown : collection of str
        The lines of the backward pass.
    """
    made = {e.output: e for e in raw.equations if e.step is not None}
    numbers = [number for number in made if raw.variables[number].name == name]
    if not numbers:
        return None
    rules: list[tuple[int, str, int]] = []  # where it stands in the derivation, which rule, by which operand
    sources: list[str] = []
    paths = 1
    seen, todo = {numbers[-1]}, [numbers[-1]]
    while todo:
        equation = made[todo.pop()]
        step = equation.step
        assert step is not None
        if step.rule.startswith("vjp of "):
            primitive = step.rule.removeprefix("vjp of ")
            place = int(step.reason.split()[2]) if step.reason.startswith("by operand") else 1
            rules.append((equation.output, primitive, place))
        elif step.rule == PATHS:
            paths += 1
        for operand in equation.inputs:
            if type(operand) is not int or operand in seen or operand not in made:
                continue
            seen.add(operand)
            label = raw.variables[operand].name
            if label is not None and label in shown:
                sources.append(label)
            else:
                todo.append(operand)
    in_order = tuple(dict.fromkeys((primitive, place) for _, primitive, place in sorted(rules)))
    return Applied(in_order, paths, tuple(dict.fromkeys(reversed(sources))))
