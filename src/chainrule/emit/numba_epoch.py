"""Many training steps as one compiled function: batches are taken, the step runs, parameters change in place.

The one idea: the step's graph maps (parameters, state, batch) to (loss, parameters, state); what comes out takes the
memory of what went in, and the loop over batches is inside. No Python runs between batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.emit.elements import INDENT, Body, numba_type
from chainrule.emit.loops import Schedule
from chainrule.emit.lowering import lower
from chainrule.emit.numba_function import allocation, argument_type, module_head, output_text, owned, safe_names
from chainrule.emit.numba_sections import Threaded
from chainrule.emit.storage import Storage
from chainrule.emit.tiled import TiledProducts
from chainrule.emit.to_numba import NumbaWriter
from chainrule.errors import UnsupportedError
from chainrule.graphs import Graph
from chainrule.shapes import SizeExpr

NAME = "train_steps"
OWN = (
    "order",
    "first",
    "batches",
    "batch",
    "start",
    "total",
    "gemm32",
    "gemm64",
    "take_rows",
    "take_columns",
    "loss_now",
    "done",
    "float64",
    "math",
)


@dataclass(frozen=True)
class Epoch:
    """The source of a compiled epoch and what a caller has to know of it.

    Attributes
    ----------
    source : str
    numbers : list of int
        The inputs that are numbers, such as a step count: the function returns them after the losses and the steps done.
    buffer_bytes : int
        The memory of all its buffers.
    shared : list of (name, type, shape, dtype), or None
        What all threads see, shapes with None for the samples of a batch; None if one thread runs it all.
    results : int
        How many numbers the threads tell each other.
    sections : int
        How many times in a step they share out work.
    """

    source: str
    numbers: list[int]
    buffer_bytes: int
    shared: list[tuple[str, str, tuple[int | None, ...], str]] | None = None
    results: int = 0
    sections: int = 0

    @property
    def calls_blas(self) -> bool:
        """Whether a product is left to BLAS."""
        return "chainrule.native.blas" in self.source


def emit_epoch(
    graph: Graph,
    parameters: dict[int, str],
    constants: dict[int, str],
    axis: int,
    *,
    divided: bool = False,
    small: bool = False,
    tiled: bool = False,
) -> Epoch:
    """The module of a training step's epoch.

    Parameters
    ----------
    graph : Graph
        Of the step: inputs are the leaves of network and state, then X and y; outputs the loss, then the same leaves.
    parameters, constants : dict of int to str
        The identifiers of inputs and captured arrays.
    axis : int
        The axis of X and y that counts samples: 0 or -1.
    divided : bool
        Whether a step is divided among threads; its results do not depend on their number, but it has its own rounding.
    small : bool
        Whether a step that is divided takes some microseconds only: pieces are small, and each thread has its own.
    tiled : bool
        Whether products are kernels made for their sizes instead of calls of BLAS.
    """
    writer = _EpochWriter(graph, parameters, constants, axis, tiled=tiled)
    return writer.for_threads(small=small) if divided else writer.for_one()


class _EpochWriter:
    def __init__(self, graph: Graph, parameters: dict[int, str], constants: dict[int, str], axis: int, *, tiled: bool):
        self.tiled = tiled
        self.leaves, self.data = graph.inputs[:-2], (graph.inputs[-2], graph.inputs[-1])
        self.axis = axis
        samples = graph.variables[self.data[0]].shape[axis]
        samples = graph.scope.resolve(samples) if isinstance(samples, SizeExpr) else samples  # type: ignore[union-attr]
        if not isinstance(samples, SizeExpr) or samples.symbol is None or len(graph.outputs) != 1 + len(self.leaves):
            raise UnsupportedError("a batch of one size only is not compiled")
        targets = graph.variables[self.data[1]].shape
        other = targets[axis] if targets else None
        if not isinstance(other, SizeExpr) or graph.scope.resolve(other) != samples:  # type: ignore[union-attr]
            raise UnsupportedError("a loss that does not join the samples of X and y is not compiled")
        self.samples = samples
        hints = graph.scope.hints  # type: ignore[union-attr]
        self.graph = lower(graph, {s: size for s, size in enumerate(hints) if s != samples.symbol})
        self.constants = constants
        self.names = safe_names({**parameters, **constants})
        self.rows = "N" if "N" not in self.names.values() else "batch_size"
        self.numbers = [leaf for leaf in self.leaves if not self.graph.variables[leaf].shape]
        made = self.graph.producers()
        self.in_place = {
            output: leaf
            for leaf, output in zip(self.leaves, self.graph.outputs[1:], strict=True)
            if type(output) is int and self.graph.variables[leaf].shape and output in made
        }
        for leaf, output in zip(self.leaves, self.graph.outputs[1:], strict=True):
            old, new = (self.graph.variables[v] for v in (leaf, output if type(output) is int else leaf))
            if (old.shape, old.dtype) != (new.shape, new.dtype):
                raise UnsupportedError(
                    f"a step that turns {self.names[leaf]} into another dtype or shape is not compiled"
                )
        self.taken = [*OWN, self.rows, NAME, *(f"{w}_{self.names[v]}" for v in self.data for w in ("all", "taken"))]

    def for_one(self) -> Epoch:
        """The function that one thread runs."""
        schedule = Schedule(self.graph, self.in_place)
        storage = Storage(schedule)
        writer = NumbaWriter(schedule, storage, self.names, self.taken, lambda _: self.rows)
        if self.tiled:
            writer.tiles = TiledProducts(writer.identifiers.fresh)
        body = Body(depth=0)
        writer.write(schedule.top, body)
        lines = [allocation(writer, buffer) for buffer in owned(storage)]
        if writer.tiles is not None:
            lines += writer.tiles.allocations()
        lines += _batch_arrays(self.graph, self.names, self.data, self.axis, self.rows)
        steps = [*_take(self.graph, self.names, self.data, self.axis, self.rows), *body.lines]
        text = self.function(writer, lines, steps, self.ends(writer), [], [])
        return Epoch(text, self.numbers, storage.bytes_at())

    def for_threads(self, *, small: bool) -> Epoch:
        """The function that every thread runs."""
        if self.axis != 0:
            raise UnsupportedError("samples that are columns are not divided")
        schedule = Schedule(self.graph, self.in_place, self.samples)
        threaded = Threaded(schedule, self.names, self.taken, self.data, self.rows, tiled=self.tiled, small=small)
        steps = threaded.batch()
        ends = self.ends(threaded.writer)
        if any("[...]" in line for line in ends):
            raise UnsupportedError("parameters that are not updated in place are not divided")
        shared = threaded.shared_arrays()
        arguments = [*(name for name, *_ in shared), "numbers", "counters", "me", "threads", "yield_to", "sleep"]
        kinds = [*(kind for _, kind, *_ in shared), "float64[::1]", "int64[::1]", *["int64"] * 4]
        lines = [f"chunk = {threaded.chunk()}", f"chunks = -(-{self.rows} // chunk)", *threaded.private_arrays()]
        text = self.function(threaded.writer, lines, steps, ends, arguments, kinds, threaded.functions)
        return Epoch(
            text,
            self.numbers,
            threaded.storage.bytes_at(),
            shared,
            max(len(threaded.results), 1),
            len(threaded.sections) + 1,
        )

    def ends(self, writer: NumbaWriter) -> list[str]:
        """What a step leaves for the next one that is not in its place already."""
        lines = []
        for leaf, output in zip(self.leaves, self.graph.outputs[1:], strict=True):
            root, _ = writer.schedule.source(output)
            if root == leaf or writer.schedule.in_place.get(root) == leaf:  # type: ignore[arg-type]
                continue
            if root is not None and root not in writer.schedule.homes and root not in self.constants:
                raise UnsupportedError("a step that exchanges its parameters is not compiled")
            place = self.names[leaf] if leaf in self.numbers else f"{self.names[leaf]}[...]"
            lines.append(f"{place} = {output_text(writer, output)}")
        return lines

    def function(
        self,
        writer: NumbaWriter,
        memory: list[str],
        steps: list[str],
        ends: list[str],
        arguments: list[str],
        kinds: list[str],
        functions: Sequence[str] = (),
    ) -> str:
        """The module around the statements of a step."""
        given = (*self.leaves, *self.constants)
        arguments = [
            *(f"all_{self.names[v]}" for v in self.data),
            *("order", "first", "batches", self.rows),
            *(self.names[v] for v in given),
            *arguments,
            *("gemm32", "gemm64"),
        ]
        kinds = [
            *(argument_type(self.graph, v) for v in self.data),
            *("int64[::1]", "int64", "int64", "int64"),
            *(argument_type(self.graph, v) for v in given),
            *kinds,
            *("int64", "int64"),
        ]
        loss = output_text(writer, self.graph.outputs[0])
        after = [self.names[number] for number in self.numbers]
        lines = [
            *writer.kernel_texts_spaced(),
            *(line for text in functions for line in ("", text)),
            "",
            f"@njit(({', '.join(kinds)}), **ENTRY)",
            f"def {NAME}({', '.join(arguments)}):",
            f'{INDENT}"""Train on `batches` batches of {self.rows} samples.',
            "",
            f"{INDENT}Returns the sum of their losses, how many were run, the last loss, and the numbers of the state.",
            f'{INDENT}"""',
            *(INDENT + line for line in memory),
            f"{INDENT}total = loss_now = 0.0",
            f"{INDENT}done = 0",
            f"{INDENT}for batch in range(batches):",
            f"{INDENT * 2}start = first + batch * {self.rows}",
            *(INDENT * 2 + line for line in [*steps, *ends]),
            f"{INDENT * 2}loss_now = float64({loss})",
            f"{INDENT * 2}if not math.isfinite(loss_now):",
            f"{INDENT * 3}break",
            f"{INDENT * 2}total += loss_now",
            f"{INDENT * 2}done += 1",
            f"{INDENT}return ({', '.join(['total', 'done', 'loss_now', *after])},)",
        ]
        text = "\n".join(lines) + "\n"
        return module_head(text, writer.tiles) + "\n" + text


def _batch_arrays(graph: Graph, names: dict[int, str], data: tuple[int, int], axis: int, rows: str) -> list[str]:
    """Memory for batches whose samples are gathered."""
    lines = []
    for number in data:
        shape = list(graph.variables[number].shape)
        texts = [str(size) for size in shape]
        texts[axis] = rows if axis == -1 else f"{rows} if order.size else 0"
        kind = numba_type(graph.variables[number].dtype).replace("boolean", "bool_")
        lines.append(
            f"taken_{names[number]} = np.empty(({', '.join(texts)}{',' if len(texts) == 1 else ''}), np.{kind})"
        )
    return lines


def _take(graph: Graph, names: dict[int, str], data: tuple[int, int], axis: int, rows: str) -> list[str]:
    """The statements that make the batch: a slice, or samples gathered in the order given."""
    lines = []
    for number in data:
        name = names[number]
        if axis == -1 and len(graph.variables[number].shape) > 1:
            lines.append(f"{name} = take_columns(order, start, all_{name}, taken_{name})")
        else:
            lines.append(f"{name} = take_rows(order, start, all_{name}, taken_{name}, {rows})")
    return lines
