"""`draw`: pictures of paths, graphs, derivations, networks and Jacobians."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.derivation.paths import Paths
from chainrule.errors import ArgumentError
from chainrule.graphs import Graph
from chainrule.show.derivation import Derivation
from chainrule.show.pictures.graph_picture import graph_svg
from chainrule.show.pictures.jacobian_picture import jacobian_svg
from chainrule.show.pictures.network_picture import network_svg
from chainrule.show.pictures.paths_picture import paths_svg
from chainrule.show.pictures.picture import Picture
from chainrule.show.pictures.to_dot import to_dot
from chainrule.simplify.passes import simplify_graph


def draw(what: Any, *, title: str = "", **options: Any) -> Picture:
    """A picture that needs no other program: SVG, readable in light and dark.

    Parameters
    ----------
    what : Paths, Graph, Derivation, network, sequence of int, or array
        - what `paths` returned: numbers on the edges forward and backward, every path with its product;
        - what `graph` returned: the named variables with what makes them; `operators=True` shows each equation;
        - what `derive` returned: forward and backward pass in one picture;
        - a network of `cr.nn`, or the sizes of its layers, (2, 4, 4, 3): units and wires. ``jacobian=J, between=("z^2", "z^3"),
          column=0`` draws a Jacobian's entries as edges, ``path=("a^1_2", "z^2_1")`` sets a path off;
        - an array of two axes: a Jacobian as edges between inputs and outputs, beside the matrix; `rows` and `columns` name
          them, `column` sets one off.
    title : str
        Set above the picture of a graph, a network or a Jacobian.
    **options
        As above.

    Returns
    -------
    Picture
        `save` writes it, `to_dot` is the Graphviz text of a graph, a notebook shows it.

    Raises
    ------
    ArgumentError
        There is no picture of this, or an option does not belong to it.

    Examples
    --------
    >>> import chainrule as cr
    >>> def f(a, b):
    ...     c = a + b
    ...     d = a * b
    ...     return c * d / 2
    >>> picture = draw(cr.paths(f, 2, 3))
    >>> picture.svg[:4], picture.to_dot()[:9]
    ('<svg', 'digraph {')
    """
    if isinstance(what, Paths):
        _require_options(what, options, ())
        return Picture(paths_svg(what), functools.partial(to_dot, what))
    if isinstance(what, Derivation):
        _require_options(what, options, ("operators",))
        forward, backward = _named(what.forward, what.loss), simplify_graph(what.raw)
        return Picture(
            graph_svg(forward, backward, title=title, **options),
            functools.partial(to_dot, forward, backward, **options),
        )
    if isinstance(what, Graph):
        _require_options(what, options, ("operators",))
        return Picture(graph_svg(what, title=title, **options), functools.partial(to_dot, what, **options))
    sizes = _sizes(what)
    if sizes is not None:
        _require_options(what, options, ("weights", "jacobian", "between", "column", "path"))
        return Picture(network_svg(sizes, title=title, **options))
    if np.ndim(what) == 2:
        _require_options(what, options, ("rows", "columns", "column"))
        return Picture(jacobian_svg(np.asarray(what), title=title, **options))
    raise ArgumentError(
        f"there is no picture of a {type(what).__name__}: draw takes what cr.paths, cr.graph or cr.derive returned, a network, "
        "the sizes of its layers, or a Jacobian with two axes"
    )


def _named(graph: Graph, loss: str) -> Graph:
    graph = graph.copy()
    graph.output_names = [loss]
    return graph


def _sizes(what: Any) -> Sequence[int] | None:
    """The sizes of a network's layers, inputs first; None if it is none."""
    layers = getattr(what, "layers", None)
    if layers and all(hasattr(layer, "n_in") for layer in layers):
        return (layers[0].n_in, *(layer.n_out for layer in layers))
    if isinstance(what, (tuple, list)) and len(what) > 1 and all(isinstance(size, int) for size in what):
        return what
    return None


def _require_options(what: Any, given: dict[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            options = f"it has {', '.join(known)}" if known else "it has none"
            raise ArgumentError(f"{name!r} is no option of a picture of {type(what).__name__}: {options}")
