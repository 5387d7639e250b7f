"""Views of a function at example arguments: its graph, and the paths in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.arguments import function_name, parameter_names
from chainrule.derivation.path_edges import paths_of
from chainrule.derivation.paths import Paths
from chainrule.differentiation import NOTHING, Traced, output_operand, trace_call
from chainrule.graphs import Graph
from chainrule.program import number_names
from chainrule.pytree import flatten


def graph(function: Callable, *args: Any, **kwargs: Any) -> Graph:
    """The forward graph of a function at these arguments.

    Parameters
    ----------
    function : callable
        Plain NumPy; returns an array, a number or a pytree of these.
    *args, **kwargs
        Real values: the graph holds for the path that Python takes with them.

    Returns
    -------
    Graph
        Equations with the user's names and lines; ``print`` shows its text form.

    Examples
    --------
    >>> def f(a, b):
    ...     c = a + b
    ...     d = a * b
    ...     return c * d / 2
    >>> len(graph(f, 2.0, 3.0).equations)
    4
    """
    return trace_for_view(function, args, kwargs).trace.graph


def trace_for_view(function: Callable, args: tuple, kwargs: dict) -> Traced:
    """One call traced with its values, names and lines, its outputs set."""
    traced = trace_call(function, args, kwargs, NOTHING, parameter_names(function), places=True)
    leaves, _ = flatten(traced.result)
    traced.trace.graph.outputs = [output_operand(traced, leaf) for leaf in leaves]
    number_names(traced.trace.graph)
    return traced


def paths(
    function: Callable, *args: Any, nodes: str | Sequence[str] | None = None, of: str | None = None, **kwargs: Any
) -> Paths:
    """The ways from the arguments to the output, with the partial derivatives on them.

    Parameters
    ----------
    function : callable
        Returns one number.
    *args, **kwargs
        Real values; Python ints are taken as floats.
    nodes : str or sequence of str, optional
        The named variables to show; default all that the function names.
    of : str, optional
        The variable whose derivatives are taken, `z[0,1]` for an entry; default the function's result.

    Returns
    -------
    Paths
        Nodes, edges with local partial derivatives, every path with its product, and what the three ways (path by path,
        forward mode, reverse mode) cost. ``print`` shows it as a table.

    Examples
    --------
    >>> def f(a, b):
    ...     c = a + b
    ...     d = a * b
    ...     o = c * d / 2
    ...     return o
    >>> found = paths(f, 2, 3)
    >>> found.gradients["a"], found.gradients["b"]
    (10.5, 8.0)
    """
    args = tuple(float(a) if type(a) is int else a for a in args)
    traced = trace_for_view(function, args, kwargs)
    name = function_name(function)
    traced.trace.graph.output_names = [name] if name.isidentifier() else []
    return paths_of(traced.trace.graph, traced.values, nodes=nodes, of=of)
