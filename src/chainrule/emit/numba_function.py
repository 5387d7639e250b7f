"""A whole function as a module for Numba: what `source(..., target="numba")` prints and `jit(engine="numba")` runs.

Every output is a new array; nothing that was passed in is changed.
"""

from __future__ import annotations

import builtins
import re

import numpy as np

from chainrule.emit.elements import INDENT, RESERVED, Body, literal, numba_type
from chainrule.emit.letting_go import with_allocations
from chainrule.emit.loops import Schedule
from chainrule.emit.lowering import lower
from chainrule.emit.storage import Buffer, Storage
from chainrule.emit.tiled import TiledProducts
from chainrule.emit.to_numba import NumbaWriter
from chainrule.graphs import Graph
from chainrule.primitives import control, shaping
from chainrule.program import lets_go
from chainrule.shapes import SizeExpr
from chainrule.spelling import Names, identifier

BLAS = ("product_nn", "product_nt", "product_rows", "product_tn", "product_tt")
BARRIER = ("meet", "next_piece")
TYPES = frozenset(("boolean", "float32", "float64", "int32", "int64"))
FUNCTIONS = {  # of `chainrule.native.elementary`
    "added", "at_least", "at_most", "exp32", "exp64", "expm1_32", "expm1_64", "larger", "log1p_32", "log1p_64", "log32", "log64", "power32",
    "power64", "batch_rows", "classes_in", "gather_rows", "sigmoid32", "sigmoid64", "sign32", "sign64", "smaller", "softplus32", "softplus64",
    "squared", "take_columns", "take_rows", "tanh32", "tanh64", "wrapped",
}  # fmt: skip
KERNEL = 'KERNEL = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "pipeline_class": NoAlias}'
ENTRY = 'ENTRY = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "cache": True}\n'


def emit_function(graph: Graph, name: str, parameters: dict[int, str], constants: dict[int, str]) -> str:
    """The module's text; its function takes the arrays, the constants, and the addresses of `sgemm` and `dgemm`."""
    lowered = lower(graph)
    schedule = Schedule(lowered)
    storage = Storage(schedule, late=lets_go(graph))
    sizes = SizeNames(lowered, safe_names({**parameters, **constants}))
    names = safe_names({**parameters, **constants})
    writer = NumbaWriter(schedule, storage, names, [name, *sizes.reserved], sizes.name)
    body = Body()
    writer.write(schedule.top, body)
    allocations = [allocation(writer, buffer) for buffer in owned(storage)]
    results = own_results(writer, lowered)
    arguments = list(names.values())
    checks = class_checks(writer)
    header = sizes.lines()
    kinds = [argument_type(lowered, number) for number in [*parameters, *constants]]
    signature = f"({', '.join([*kinds, 'int64', 'int64'])})"
    lines = [
        *writer.kernel_texts_spaced(),
        "",
        f"@njit({signature}, **ENTRY)",
        f"def {name}({', '.join([*arguments, 'gemm32', 'gemm64'])}):",
        *(INDENT + line for line in [*header, *checks]),
        *with_allocations(allocations, body.lines, INDENT, late=lets_go(graph)),
        f"{INDENT}return ({', '.join(results)},)",
    ]
    text = "\n".join(lines) + "\n"
    return module_head(text) + "\n" + text


def module_head(body: str, tiles: TiledProducts | None = None) -> str:
    """The imports and options of a module: what its text uses."""
    words = set(re.findall(r"\w+", body))
    lines = []
    if "math" in words:
        lines += ["import math", ""]
    lines += ["import numpy as np"]
    lines += ["from numba import " + ", ".join(sorted({"njit", *(words & TYPES)}, key=str.lower)), ""]
    if words & set(BLAS):
        lines.append("from chainrule.native.blas import " + ", ".join(sorted(words & set(BLAS))))
    if words & set(BARRIER):
        lines.append("from chainrule.native.barrier import " + ", ".join(BARRIER))
    lines.append("from chainrule.native.elementary import " + ", ".join(["NoAlias", *sorted(words & FUNCTIONS)]))
    definitions = tiles.lines() if tiles is not None else []
    if definitions:
        factories = sorted({re.split(r"[=(]", line)[1].strip() for line in definitions})
        lines.append("from chainrule.native.kernels import " + ", ".join(factories))
    return "\n".join([*lines, "", KERNEL, ENTRY, *definitions])


class SizeNames:
    """The sizes that a program reads from its arguments, and how they are called."""

    def __init__(self, graph: Graph, names: dict[int, str]):
        self.graph = graph
        self.sources: dict[int, str] = {}  # symbol -> `X.shape[0]`
        self.given: dict[int, str] = {}
        taken = set(names.values())
        for number, name in names.items():
            for axis, dim in enumerate(graph.variables[number].shape):
                if isinstance(dim, SizeExpr) and dim.symbol is not None and dim.symbol not in self.sources:
                    wanted = graph.scope.names.get(dim.symbol) if graph.scope is not None else None
                    chosen = identifier(wanted) if wanted else f"{name}_{axis}"
                    while chosen in taken:
                        chosen += "_"
                    taken.add(chosen)
                    self.sources[dim.symbol] = f"{name}.shape[{axis}]"
                    self.given[dim.symbol] = chosen
        self.reserved = list(self.given.values())
        self.used: dict[int, None] = {}

    def name(self, symbol: int) -> str:
        """The identifier of a size."""
        self.used[symbol] = None
        return self.given[symbol]

    def lines(self) -> list[str]:
        """`N = X.shape[0]`, for the sizes that are used."""
        return [f"{self.given[symbol]} = {self.sources[symbol]}" for symbol in self.given if symbol in self.used]


def owned(storage: Storage) -> list[Buffer]:
    """The arrays that a function has to allocate."""
    made = storage.schedule.made
    inputs = {*storage.graph.inputs, *storage.graph.constants}
    return [
        buffer
        for buffer in storage.alone
        if buffer.owner not in inputs and made[buffer.owner].primitive is not shaping.RESHAPE
    ]


def safe_names(names: dict[int, str]) -> dict[int, str]:
    """Identifiers of arguments that stand in the way of nothing that the module uses."""
    taken = RESERVED | FUNCTIONS | set(BLAS) | set(BARRIER) | set(dir(builtins)) | {"KERNEL", "ENTRY"}
    fresh = Names(taken)
    return {number: fresh.fresh(f"{name}_" if name in taken else name) for number, name in names.items()}


def own_results(writer: NumbaWriter, graph: Graph) -> list[str]:
    """The outputs as text; what shares memory with an argument or another output is copied."""
    texts: list[str] = []
    for output in graph.outputs:
        text = output_text(writer, output)
        root, _ = writer.schedule.source(output)
        maker = writer.schedule.made.get(root) if root is not None else None
        array = type(output) is int and bool(writer.schedule.shape(output))
        if (
            array
            and not text.endswith(".copy()")
            and (text in texts or maker is None or maker.primitive is shaping.RESHAPE)
        ):
            text += ".copy()"
        texts.append(text)
    return texts


def class_checks(writer: NumbaWriter) -> list[str]:
    """Class numbers that were passed in are looked at before a loop compares them with columns."""
    found: dict[str, str] = {}
    for equation in writer.graph.equations:
        if equation.primitive is control.ONE_HOT:
            source, _ = writer.schedule.source(equation.inputs[0])
            if source is not None and source not in writer.schedule.homes:
                shape = writer.schedule.shape(source)
                name = writer.names[source] if shape else f"np.array([{writer.names[source]}])"
                classes = writer.dim(equation.params[0])
                lowest = f"-{classes}" if equation.params[3] else "0"
                found[f"if not classes_in({name}, {lowest}, {classes}):"] = writer.names[source]
    message = "class numbers count from 0 to below the number of classes"
    return [line for check, name in found.items() for line in (check, f'{INDENT}raise ValueError("{name}: {message}")')]


def allocation(writer: NumbaWriter, buffer: Buffer) -> str:
    """`Z1 = np.empty((N, 32), np.float32)`."""
    inner = ", ".join(map(writer.dim, buffer.shape))
    kind = "np.bool_" if buffer.dtype.kind == "b" else f"np.{buffer.dtype.name}"
    return f"{writer.names[buffer.owner]} = np.empty(({inner}{',' if len(buffer.shape) == 1 else ''}), {kind})"


def output_text(writer: NumbaWriter, output) -> str:
    """An output as text: an argument that is returned as it is, is copied."""
    if type(output) is not int:
        return literal(output.value, np.dtype(type(output.value)))
    root, _ = writer.schedule.source(output)
    if root is None or root not in writer.schedule.homes:
        name = writer.names[root] if root is not None else "0.0"
        return f"{name}.copy()" if root is not None and writer.schedule.shape(root) else name
    buffer = writer.storage.buffers.get(root)
    return writer.buffer_name(root) if buffer is not None else writer.names[root]


def argument_type(graph: Graph, number: int) -> str:
    """`float32[:, ::1]`."""
    variable = graph.variables[number]
    kind = numba_type(variable.dtype)
    if not variable.shape:
        return kind
    return f"{kind}[{':, ' * (len(variable.shape) - 1)}::1]"
