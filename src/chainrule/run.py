"""From a graph to a callable: emitted as NumPy source, compiled, known to tracebacks.

The source that runs is the source that `cr.source` shows. It is registered with `linecache`, so a traceback or debugger
shows its lines.
"""

from __future__ import annotations

import functools
import linecache
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.emit.to_numpy import Signature, emit_numpy
from chainrule.graphs import Graph
from chainrule.primitives.control import refuse_negative
from chainrule.program import class_labels, helper_names, number_names
from chainrule.spelling import Names


@functools.cache
def keep_freed_memory() -> None:
    """Make glibc keep what a program frees for its next call, instead of returning the pages each time.

    Freeing one large block raises malloc's trim threshold to twice its size. Without it a program of a few 64 KiB arrays
    spends more than half of its time on page faults (measured: 450 against 172 microseconds). Elsewhere a no-op.
    """
    np.empty(24 << 20, dtype=np.uint8)


def load_source(source: str, name: str, namespace: dict[str, Any] | None = None) -> Callable:
    """Compile emitted source and return its function of that name."""
    filename = f"<chainrule {name} {zlib.crc32(source.encode()):08x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    keep_freed_memory()
    scope: dict[str, Any] = {"np": np, "__name__": f"chainrule_{name}", **(namespace or {})}
    exec(compile(source, filename, "exec"), scope)
    return scope[name]


def compile_graph(graph: Graph, name: str = "backward") -> Callable[[list[Any]], list[Any]]:
    """A function from the list of inputs to the list of outputs."""
    graph = graph.copy()
    number_names(graph)
    names = Names(helper_names(graph))
    parameters = {number: names.fresh(graph.variables[number].name or f"x{number}") for number in graph.inputs}
    constants = {number: names.fresh(graph.variables[number].name or f"c{number}") for number in graph.constants}
    signature = Signature(
        name, {**parameters}, constants, lambda texts: f"[{', '.join(texts)}]", guards=False, comments=False
    )
    function = load_source(emit_numpy(graph, signature), name)
    labels = [(graph.inputs.index(number), parameters[number]) for number in class_labels(graph)]
    captured = {constants[number]: graph.constants[number] for number in graph.constants}
    if not labels:
        return lambda values: function(*values, **captured)

    def checked(values: list[Any]) -> list[Any]:
        for place, label in labels:
            refuse_negative(label, np.asarray(values[place]))
        return function(*values, **captured)  # type: ignore[no-any-return]

    return checked
