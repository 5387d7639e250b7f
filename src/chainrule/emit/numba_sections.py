"""Training steps for several threads: each section of a step is a loop that hands out pieces of work.

The one idea: every thread runs the same function. Samples are handed out in chunks, parameters in rows, the largest
first; a barrier ends a section. Which thread runs a piece changes nothing in it, so the results have the same bits for
any number of threads.
"""

from __future__ import annotations

import re

from chainrule.emit.elements import INDENT, Body, numba_type
from chainrule.emit.loops import Call, Schedule
from chainrule.emit.numba_function import allocation, argument_type, owned
from chainrule.emit.scalars import BITS
from chainrule.emit.sections import Component, Section, components, cut
from chainrule.emit.storage import Buffer, Storage, variables_of
from chainrule.emit.tiled import TiledProducts
from chainrule.emit.to_numba import NumbaWriter
from chainrule.errors import UnsupportedError

CHUNK = 128  # samples that are looked at together
SMALL_CHUNK = 64  # of a batch that would be one chunk otherwise
SMALLEST_CHUNK = 16  # a small step is worth two threads at most: half of its batch each, not less than a tile's rows
OWN = (
    "order", "first", "batches", "batch", "start", "total", "gemm32", "gemm64", "threads", "counters", "numbers", "yield_to",
    "sleep", "me", "piece", "begin", "rows", "chunk", "upper", "lower", "gather_rows", "batch_rows", "next_piece", "meet",
)  # fmt: skip


class Threaded:
    """The text of a threaded epoch's function, in the making."""

    def __init__(
        self,
        schedule: Schedule,
        names: dict[int, str],
        taken: list[str],
        data: tuple[int, int],
        rows: str,
        *,
        tiled: bool,
        small: bool = False,
    ):
        self.schedule, self.data, self.rows = schedule, data, rows
        self.small = small
        self.graph = schedule.graph
        self.numbers, self.sections = cut(schedule)
        order = [node for section in self.sections for node in section.nodes]
        schedule.top = (
            [node for _, node in self.numbers if _ == -1] + order + [n for level, n in self.numbers if level >= 0]
        )
        first = {v for section in self.sections[:1] for node in section.nodes for v in variables_of(node)}
        self.storage = Storage(schedule, shares=lambda root: root in first)
        self.writer = NumbaWriter(schedule, self.storage, names, [*taken, *OWN], lambda _: rows)
        if tiled:
            self.writer.tiles = TiledProducts(self.writer.identifiers.fresh)
            self.writer.tiles_ahead = True
        self.section_of = {
            v: number
            for number, section in enumerate(self.sections)
            for node in section.nodes
            for v in variables_of(node)
        }
        self.own, self.shared = self._split_buffers()
        self.results: dict[int, int] = {}  # numbers that a section computes -> their place in `numbers`
        self.functions: list[str] = []

    # -- memory ------------------------------------------------------------------------------------------------------
    def _split_buffers(self) -> tuple[list[Buffer], list[Buffer]]:
        """Buffers that each thread has for itself, and those that all see."""
        samples = self.schedule.shared_axis
        own: list[Buffer] = []
        shared: list[Buffer] = []
        for buffer in owned(self.storage):
            tenants = [v for v, other in self.storage.buffers.items() if other.owner == buffer.owner]
            where = {self.section_of[v] for v in tenants}
            where |= {
                self.section_of[r] for v in tenants for r, _ in self.storage.uses.get(v, ()) if r in self.section_of
            }
            alone = len(where) == 1 and self.sections[min(where)].by_samples
            (own if alone else shared).append(buffer)
            if any(dim != samples and not isinstance(dim, int) for dim in buffer.shape):
                raise UnsupportedError("memory whose size is computed from the batch is not divided")
        return own, shared

    def shared_arrays(self) -> list[tuple[str, str, tuple[int | None, ...], str]]:
        """Name, Numba type, shape (None for the samples of a batch) and dtype of what all threads see."""
        found = []
        for buffer in self.shared:
            shape = tuple(dim if isinstance(dim, int) else None for dim in buffer.shape)
            kind = f"{numba_type(buffer.dtype)}[{':, ' * (len(shape) - 1)}::1]"
            found.append((self.writer.names[buffer.owner], kind, shape, buffer.dtype.name))
        if self.writer.tiles is not None and not self.small:
            for copy, rows, columns, dtype in self.writer.tiles.copies.values():
                found.append((copy, f"{dtype}[:, ::1]", (columns, rows), dtype))
        for number in self.data:
            variable = self.graph.variables[number]
            shape = tuple(dim if isinstance(dim, int) else None for dim in variable.shape)
            found.append(
                (f"taken_{self.writer.names[number]}", argument_type(self.graph, number), shape, variable.dtype.name)
            )
        return found

    def chunk(self) -> str:
        """How many samples are looked at together, as text: it follows from the size of the batch alone."""
        if self.small:
            half = f"(({self.rows} + {2 * SMALLEST_CHUNK - 1}) // {2 * SMALLEST_CHUNK}) * {SMALLEST_CHUNK}"
            return f"min({CHUNK}, {half})"
        return f"{CHUNK} if {self.rows} > {CHUNK} else {SMALL_CHUNK}"

    def private_arrays(self) -> list[str]:
        """The lines that make memory which each thread has for itself."""
        lines = [allocation(self.writer, b).replace(f"({self.rows},", "(chunk,", 1) for b in self.own]
        if self.writer.tiles is not None and self.small:
            lines += self.writer.tiles.allocations()
        return lines

    # -- text --------------------------------------------------------------------------------------------------------
    def _pieces(self, place: int, count: str) -> tuple[str, str]:
        """How a thread gets its first piece of a section, and the next.

        The pieces of a large step are handed out, so that a thread which is held up leaves some to the others. In a small
        one each thread always has the same: what it reads is then in its own cache already, and counters cost nothing.
        """
        if self.small:
            return "piece = me", "piece += threads"
        ticket = f"piece = next_piece(counters, {place}, batch * ({count} + threads))"
        return ticket, ticket

    def batch(self) -> list[str]:
        """The statements of one step, without indentation."""
        lines = []
        for number in self.data:
            name = self.writer.names[number]
            lines.append(f"{name} = batch_rows(order, start, all_{name}, taken_{name}, {self.rows})")
        lines += self._numbers_after(-1)
        for place, section in enumerate(self.sections):
            lines += self._by_samples(place, section) if section.by_samples else self._by_parameters(place, section)
            lines += ["if not meet(counters, threads, yield_to, sleep):", f"{INDENT}break"]
            lines += [
                f"{self.writer.names[v]} = {numba_type(self.writer.kind(v))}(numbers[{slot}])"
                for v, slot in self.results.items()
                if self.section_of[v] == place
            ]
            lines += self._numbers_after(place)
        return [*self._copies(), *lines]

    def _copies(self) -> list[str]:
        """Matrices that are read transposed are copied before the samples are looked at, each by one thread.

        Small ones are copied by every thread for itself, which takes less time than to wait for each other.
        """
        if self.writer.tiles is None or not self.writer.tiles.copies:
            return []
        if self.small:
            return [self.writer.tiles.transposition(matrix) for matrix in self.writer.tiles.copies]
        ticket, _ = self._pieces(len(self.sections), str(len(self.writer.tiles.copies)))
        lines = [ticket, f"while piece < {len(self.writer.tiles.copies)}:"]
        for place, matrix in enumerate(self.writer.tiles.copies):
            lines.append(f"{INDENT}{'elif' if place else 'if'} piece == {place}:")
            lines.append(f"{INDENT * 2}{self.writer.tiles.transposition(matrix)}")
        lines += [f"{INDENT}{ticket}", "if not meet(counters, threads, yield_to, sleep):", f"{INDENT}break"]
        return lines

    def _numbers_after(self, place: int) -> list[str]:
        body = Body(depth=0)
        self.writer.write([node for level, node in self.numbers if level == place], body)
        return body.lines

    def _by_samples(self, place: int, section: Section) -> list[str]:
        """A function for one chunk of samples, and the loop that hands chunks out."""
        body = Body()
        self.writer.rows_name = "rows"
        self.writer.write(section.nodes, body)
        self.writer.rows_name = ""
        text = "\n".join(body.lines) or f"{INDENT}pass"
        name = self.writer.identifiers.fresh(f"samples_{place + 1}" if place else "samples")
        words = set(re.findall(r"\w+", text))
        arguments, call = ["rows"], ["rows"]
        for argument, passed in self._known_names():
            if argument in words:
                arguments.append(argument)
                call.append(passed)
        title = (
            f'{INDENT}"""Forward and backward for some samples."""' if place == 0 else f'{INDENT}"""Some samples."""'
        )
        self.functions.append(f"@njit(**KERNEL)\ndef {name}({', '.join(arguments)}):\n{title}\n{text}\n")
        first, following = self._pieces(place, "chunks")
        lines = [first, f"while piece * chunk < {self.rows}:"]
        lines += [f"{INDENT}begin = piece * chunk", f"{INDENT}rows = min(chunk, {self.rows} - begin)"]
        if place == 0:
            for number in self.data:
                data = self.writer.names[number]
                lines.append(f"{INDENT}gather_rows(order, start + begin, all_{data}, {data}[begin : begin + rows])")
        lines += [f"{INDENT}{name}({', '.join(call)})"]
        return [*lines, f"{INDENT}{following}"]

    def _known_names(self) -> list[tuple[str, str]]:
        """Every name that a function for some samples may use, and what it is given for it."""
        samples = self.schedule.shared_axis
        own = {buffer.owner for buffer in self.own}
        found = [(self.rows, self.rows), ("gemm32", "gemm32"), ("gemm64", "gemm64")]
        if self.writer.tiles is not None:
            found += [(copy, copy) for copy, *_ in self.writer.tiles.copies.values()]
        for variable, name in self.writer.names.items():
            buffer = self.storage.buffers.get(variable)
            if buffer is not None and self.writer.names[buffer.owner] != name:
                continue
            shape = buffer.shape if buffer is not None else self.schedule.shape(variable)
            by_sample = bool(shape) and shape[0] == samples
            if buffer is not None and buffer.owner in own:
                found.append((name, f"{name}[:rows]" if by_sample else name))
            elif by_sample:
                found.append((name, f"{name}[begin : begin + rows]"))
            elif (
                shape
                or variable in self.graph.inputs
                or any(node.variable == variable for _, node in self.numbers)
                or variable in self.results
            ):
                found.append((name, name))
        return found

    def _by_parameters(self, place: int, section: Section) -> list[str]:
        """Components and their parts, handed out one after the other."""
        found = components(self.schedule, section, small=self.small)
        count = sum(component.parts for component in found)
        first, following = self._pieces(place, str(count))
        lines = [first, f"while piece < {count}:"]
        upper = 0
        for component in found:
            lower, upper = upper, upper + component.parts
            word = "if" if lower == 0 else "elif"
            lines.append(f"{INDENT}{word} piece < {upper}:")
            body = Body(depth=2)
            if component.size:
                self._part(component, lower, body)
            else:
                self.writer.write(component.nodes, body)
            lines += body.lines
            for variable in dict.fromkeys(v for node in component.nodes for v in variables_of(node)):
                if variable not in self.storage.buffers and not self.schedule.homes[variable].path:
                    slot = self.results.setdefault(variable, len(self.results))
                    lines.append(f"{INDENT * 2}numbers[{slot}] = {self.writer.names[variable]}")
        return [*lines, f"{INDENT}{following}"]

    def _part(self, component: Component, lower: int, body: Body) -> None:
        """Some rows of a parameter: its gradient, and the loops that update it."""
        shifted = f"(piece - {lower})" if lower else "piece"
        body.line(f"lower = {component.size} * {shifted}")
        body.line(f"upper = min({component.rows}, lower + {component.size})")
        for node in component.nodes:
            if isinstance(node, Call):
                self._product_rows(node.variable, body)
                continue
            before = len(body.lines)
            self.writer.write([node], body)
            body.lines[before:] = [self._sliced(line, component) for line in body.lines[before:]]

    def _sliced(self, line: str, component: Component) -> str:
        """A kernel's call with every array cut to the rows of the part."""
        head, _, arguments = line.partition("(")
        names = []
        for name in arguments.rstrip(")").split(", "):
            variables = [v for v, known in self.writer.names.items() if known == name]
            array = any(self.schedule.shape(v) or v in self.storage.buffers for v in variables)
            names.append(f"{name}[lower:upper]" if array else name)
        return f"{head}({', '.join(names)})"

    def _product_rows(self, variable: int, body: Body) -> None:
        factor, product = 1.0, variable
        if variable in self.schedule.folded:
            _, factor, product = self.schedule.folded[variable]
        equation = self.schedule.made[product]
        (a, _), (b, flip) = map(self.writer.factor, equation.inputs)
        if self.writer.tiles is not None and flip == "n":
            (rows, count), (_, columns) = (self.schedule.shape(i) for i in equation.inputs)  # type: ignore[arg-type]
            kernel = self.writer.tiles.gradient(self.writer.kind(product), rows, columns, update=product != variable)
            body.line(
                f"{kernel}({a}, {b}, {self.writer.buffer_name(variable)}, {self.writer.dim(count)}, "
                f"{self.writer.kind(product).name}({factor!r}), lower, upper)"
            )
            return
        if flip == "t":
            raise UnsupportedError("a gradient with a transposed factor is not divided")
        dtype = self.writer.kind(product)
        beta = "1.0" if variable in self.schedule.folded else "0.0"
        name = self.writer.buffer_name(variable)
        body.line(
            f"product_rows(gemm{BITS[dtype.name]}, {a}, {b}, {name}, {dtype.name}({factor!r}), {dtype.name}({beta}), lower, upper)"
        )
