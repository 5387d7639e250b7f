"""A loop tree as Python source that Numba compiles: one kernel for each outer loop, and a function that calls them.

The one idea: the text is plain Python on arrays, with the user's names and equations in it, so that it can be read, and
run without Numba to be debugged. What is one loop nest becomes one small function; nests that are the same text but for
their names are the same function.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from chainrule.emit.arrays import Arrays
from chainrule.emit.elements import INDENT, RESERVED, Body, bare, literal
from chainrule.emit.loops import Accumulate, Call, Init, Loop, Node, Store
from chainrule.emit.reading import identity
from chainrule.emit.storage import variables_of
from chainrule.emit.tiled import finish_of
from chainrule.errors import UnsupportedError
from chainrule.graphs import Equation
from chainrule.primitives import indexing, reduction
from chainrule.primitives.linear_algebra import MATMUL

UNROLLED = 8  # a loop of up to so many turns has its number in the text, so that it is unrolled
SLOT = re.compile("\x00(.*?)\x00")


class NumbaWriter(Arrays):
    """Writes the nodes of a schedule; `numba_function` and `numba_epoch` put functions around them."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.kernels: dict[str, str] = {}  # canonical text -> name
        self.kernel_texts: list[str] = []

    # -- nodes -------------------------------------------------------------------------------------------------------
    def write(self, nodes: list[Node], body: Body) -> None:
        """The statements of top nodes: kernels called, products, scalars."""
        waiting: list[Init] = []
        done: Node | None = None
        for place, node in enumerate(nodes):
            if node is done:
                continue
            if isinstance(node, Call) and place + 1 < len(nodes) and self.finished(node, nodes[place + 1], body):
                done = nodes[place + 1]
            elif isinstance(node, Init):
                waiting.append(node)
            elif isinstance(node, Loop):
                inside = _accumulated(node)
                mine = [init for init in waiting if init.variable in inside]
                waiting = [init for init in waiting if init not in mine]
                self.call_kernel(mine, node, body)
            elif isinstance(node, Call):
                self.whole_array(node.variable, body)
            else:
                for init in [i for i in waiting if i.variable == node.variable]:
                    waiting.remove(init)
                    self.node(init, body, [])
                self.node(node, body, [])
        for init in waiting:
            self.node(init, body, [])

    def finished(self, node: Call, following: Node, body: Body) -> bool:
        """Write a product together with the loop that follows it, where one kernel does both."""
        equation = self.schedule.made[node.variable]
        if self.tiles is None or equation.primitive is not MATMUL or len(self.schedule.shape(node.variable)) != 2:
            return False
        finish = finish_of(self.schedule, self.storage, node.variable, following)
        if finish is None:
            return False
        if finish.array not in self.schedule.homes and finish.array in self.schedule.made:
            return False
        return self.tiled(equation, self.buffer_name(finish.root), body, 1.0, "0.0", finish)

    def call_kernel(self, inits: list[Init], loop: Loop, body: Body) -> None:
        """A loop nest as a function of its own, and the line that calls it."""
        self.in_kernel = True
        inner = Body()
        for init in inits:
            self.node(init, inner, [])
        self.node(loop, inner, [])
        self.in_kernel = False
        made = [init.variable for init in inits if init.variable not in self.storage.buffers]
        results = [self.names[variable] for variable in made]
        text = "\n".join(inner.lines)
        if results:
            text += f"\n{INDENT}return " + ", ".join(f"\x00!{name}\x00" for name in results)
        arguments: list[str] = []
        for name in SLOT.findall(text):
            if name not in arguments and not name.startswith("!"):
                arguments.append(name)
        places = {name: f"\x01{place}\x01" for place, name in enumerate(arguments)}
        types = [self.type_of(name) for name in arguments]
        key = repr(types) + SLOT.sub(lambda m: places.get(m[1], m[1]), text)
        key = self._canonical(key)
        name = self.kernels.get(key)
        if name is None:
            name = self.identifiers.fresh(self.kernel_name(loop))
            self.kernels[key] = name
            plain = SLOT.sub(lambda m: m[1].lstrip("!"), text)
            title = self.kernel_title(loop)
            self.kernel_texts.append(
                f'@njit(**KERNEL)\ndef {name}({", ".join(arguments)}):\n{INDENT}"""{title}"""\n{plain}\n'
            )
        call = f"{name}({', '.join(arguments)})"
        body.line(f"{', '.join(results)} = {call}" if results else call)

    def kernel_texts_spaced(self) -> list[str]:
        """The kernels, two blank lines apart."""
        return [line for text in self.kernel_texts for line in ("", text)]

    def _canonical(self, key: str) -> str:
        """The text with the locals' names numbered, so that two layers' loops are the same."""
        numbers: dict[str, str] = {}

        def number(match: re.Match) -> str:
            word = match[0]
            if word in self.identifiers.taken and word not in RESERVED and word not in self.letters:
                return numbers.setdefault(word, f"\x02{len(numbers)}")
            return word

        return re.sub(r"[^\W\d]\w*", number, key)

    def kernel_name(self, loop: Loop) -> str:
        """A name made of what the nest computes."""
        named = self._made(loop)
        return "compute_" + "_".join(named[:2]) if named else "kernel"

    def kernel_title(self, loop: Loop) -> str:
        """What the nest computes, in the user's names."""
        named = self._made(loop)
        return f"Computes {', '.join(named)}." if named else "A loop."

    def _made(self, loop: Loop) -> list[str]:
        return list(dict.fromkeys(self.names[v] for v in variables_of(loop)))

    def type_of(self, name: str) -> str:
        """What Numba has to know of a kernel's argument."""
        for variable, known in self.names.items():
            if known == name:
                buffer = self.storage.buffers.get(variable)
                ndim = len(buffer.shape) if buffer is not None else len(self.schedule.shape(variable))
                return f"{self.kind(variable)}{ndim}"
        return "size"

    def node(self, node: Node, body: Body, letters: list[str]) -> None:
        """A statement or a loop inside of a function."""
        if isinstance(node, Loop):
            letter = self.letters[node.depth]
            body.line(f"for {letter} in range({self.range_text(node)}):")
            body.depth += 1
            known = dict(body.known)
            for child in node.body:
                self.node(child, body, [*letters, letter])
            body.known = known
            body.depth -= 1
            self.finish(node, body)
            return
        equation = self.schedule.made[node.variable]
        if isinstance(node, Init):
            self.begin(equation, body, letters)
        elif isinstance(node, Accumulate):
            self.accumulate(equation, body, letters)
        elif isinstance(node, Store):
            axes = {axis: letter for (axis, _), letter in zip(self.schedule.domain(equation), letters, strict=True)}
            text = self.value(equation, identity(self.schedule.shape(node.variable)), axes, body)
            self.assign(node.variable, text, axes, body)

    def range_text(self, loop: Loop) -> str:
        """The number of turns: a small one is written out; a large one is read from an array, lest it be unrolled."""
        size = loop.size
        if self.rows_name and size == self.schedule.shared_axis:
            return self.free(self.rows_name)
        if isinstance(size, int) and size > UNROLLED and self.in_kernel:
            found = self._array_with(loop)
            if found is not None:
                return found
        return self.dim(size)

    def _array_with(self, loop: Loop) -> str | None:
        """The length of an array along the very axis that the loop runs along."""
        for variable in variables_of(loop):
            equation, home = self.schedule.made[variable], self.schedule.homes[variable]
            along = dict(zip(home.inner, (axis for axis, _ in self.schedule.domain(equation)), strict=True))
            if loop not in along:
                continue
            own = next((axis for axis, other in home.axes.items() if other is loop), None)
            if own is not None and variable in self.storage.buffers and own in self.storage.buffers[variable].axes:
                place = self.storage.buffers[variable].axes.index(own)
                return f"{self.free(self.buffer_name(variable))}.shape[{place}]"
            for source, index in self.schedule.reads(equation):
                axes = [a for a, i in enumerate(index or ()) if i.plain and i.axis == along[loop]]
                buffer = self.storage.buffers.get(source)
                if source not in self.schedule.homes and axes:
                    return f"{self.free(self.names[source])}.shape[{axes[0]}]"
                if buffer is not None and axes and axes[0] in buffer.axes:
                    return f"{self.free(self.buffer_name(source))}.shape[{buffer.axes.index(axes[0])}]"
        return None

    def assign(self, variable: int, text: str, axes: dict[int, str], body: Body) -> None:
        """The root's value into its local variable or its memory."""
        buffer = self.storage.buffers.get(variable)
        name = self.names[variable]
        if buffer is None:
            body.line(f"{name} = {bare(text)}")
            return
        if any(r for r, _ in self.storage.uses.get(variable, ()) if self._same_body(variable, r)):
            name = self.local_name(variable)
            body.line(f"{name} = {bare(text)}")
            body.known[(variable, tuple(axes[axis] for axis in sorted(axes)))] = name
            text = name
        body.line(f"{self.place(variable, axes)} = {bare(text)}")

    def _same_body(self, variable: int, reader: int) -> bool:
        return self.schedule.homes[variable].path == self.schedule.homes[reader].inner

    # -- reductions --------------------------------------------------------------------------------------------------
    def begin(self, equation: Equation, body: Body, letters: list[str]) -> None:
        """What a reduction starts from."""
        variable, primitive = equation.output, equation.primitive
        dtype = self.kind(variable)
        buffer = self.storage.buffers.get(variable)
        if primitive in (reduction.ARGMAX, reduction.ARGMIN):
            if self._spread_out(variable):
                raise UnsupportedError(f"{primitive.name} along an axis before the last is not compiled yet")
            (x,) = equation.inputs
            low = "-np.inf" if primitive is reduction.ARGMAX else "np.inf"
            if self.kind(x).kind == "b":  # type: ignore[arg-type]
                raise UnsupportedError(f"{primitive.name} of booleans is not compiled yet")
            if self.kind(x).kind != "f":  # type: ignore[arg-type]
                info = np.iinfo(self.kind(x))  # type: ignore[arg-type]
                low = str(info.min if primitive is reduction.ARGMAX else info.max)
            body.line(f"{self.accumulator(variable)}_best = {self.kind(x).name}({low})")  # type: ignore[arg-type]
            body.line(f"{self.accumulator(variable)} = int64(0)")
            return
        start = {"sum": "0", "index_add": "0", "max": "-np.inf", "min": "np.inf"}[primitive.name]
        if dtype.kind != "f" and primitive.name in ("max", "min"):
            if dtype.kind == "b":
                start = str(primitive.name == "min")
            else:
                info = np.iinfo(dtype)
                start = str(info.min if primitive.name == "max" else info.max)
        if not self._spread_out(variable):
            body.line(
                f"{self.accumulator(variable)} = {literal(float(start.replace('np.', '')), dtype) if dtype.kind == 'f' else start}"
            )
            return
        axes = self.home_axes(variable, letters)
        assert buffer is not None
        free_axes = [axis for axis in buffer.axes if axis not in axes]
        index = [axes.get(axis, ":") for axis in buffer.axes]
        if free_axes == list(buffer.axes):
            index = ["..."] if index else ["()"]
        name = self.free(self.buffer_name(variable))
        body.line(f"{name}[{', '.join(index)}] = {start}")

    def _spread_out(self, variable: int) -> bool:
        """Whether a reduction has many accumulators at once: it runs along an axis before one that is kept."""
        equation = self.schedule.made[variable]
        if equation.primitive is indexing.INDEX_ADD:
            return True
        home = self.schedule.homes[variable]
        return any(axis not in home.axes and size != 1 for axis, size in enumerate(self.schedule.shape(variable)))

    def home_axes(self, variable: int, letters: list[str]) -> dict[int, str]:
        """The loop index of each of the root's axes that its home runs along."""
        home = self.schedule.homes[variable]
        return {axis: self.letters[loop.depth] for axis, loop in home.axes.items()}

    def accumulate(self, equation: Equation, body: Body, letters: list[str]) -> None:
        """One more element enters."""
        variable, primitive = equation.output, equation.primitive
        (x, *_) = equation.inputs
        shape = self.schedule.shape(x) if type(x) is int else ()
        domain = self.schedule.domain(equation)
        axes = {axis: letter for (axis, _), letter in zip(domain, letters, strict=True)}
        text = self.operand(x, identity(shape), axes, body, self.kind(variable) if primitive.name == "sum" else None)
        if primitive in (reduction.ARGMAX, reduction.ARGMIN):
            best, sign = f"{self.accumulator(variable)}_best", ">" if primitive is reduction.ARGMAX else "<"
            body.line(f"candidate = {text}")
            body.line(f"if candidate {sign} {best} or (candidate != candidate and {best} == {best}):")
            body.line(f"{INDENT}{best} = candidate")
            reduced = [axis for axis, _ in domain if axis in equation.params[0]]
            flat = ""
            for axis in reduced:
                flat = f"({flat}) * {self.dim(shape[axis])} + {axes[axis]}" if flat else axes[axis]
            body.line(f"{INDENT}{self.accumulator(variable)} = {flat or 0}")
        elif primitive is indexing.INDEX_ADD:
            template, _ = equation.params
            index = self.gathered(
                template, equation.inputs[1:], self.schedule.shape(variable), identity(shape), axes, body
            )
            index = [index[axis] for axis in self.storage.buffers[variable].axes]
            target = f"{self.free(self.buffer_name(variable))}[{', '.join(index) or '()'}]"
            body.line(f"{target} = {target} + {text}")
            return
        else:
            if self._spread_out(variable):
                places = self.schedule.kept_places(equation)
                kept = {places[axis]: letter for axis, letter in axes.items() if axis in places}
                target = self.place(variable, kept)
            else:
                target = self.accumulator(variable)
            float_sum = primitive is reduction.SUM and self.kind(variable).kind == "f"
            combine = {"sum": "{0} + {1}", "max": "larger({0}, {1})", "min": "smaller({0}, {1})"}[primitive.name]
            if self.kind(variable).kind == "b":
                combine = {"max": "{0} | {1}", "min": "{0} & {1}"}[primitive.name]
            elif self.kind(variable).kind != "f":
                combine = combine.replace("larger", "max").replace("smaller", "min")
            elif float_sum and not self._spread_out(variable):
                combine = "added({0}, {1})"
            body.line(f"{target} = {combine.format(target, bare(text) if '(' in combine else text)}")
            if self._spread_out(variable):
                return
        if self.schedule.homes[variable].inner == self.schedule.homes[variable].path:
            self.keep(variable, body)

    def finish(self, loop: Loop, body: Body) -> None:
        """Accumulators that this loop has filled go to their memory."""
        for variable in _accumulated(loop):
            home = self.schedule.homes[variable]
            if len(home.path) == loop.depth and not self._spread_out(variable):
                self.keep(variable, body)

    def keep(self, variable: int, body: Body) -> None:
        """A finished accumulator into its memory, if it has any."""
        if variable not in self.storage.buffers:
            return
        axes = {axis: self.letters[loop.depth] for axis, loop in self.schedule.homes[variable].axes.items()}
        body.line(f"{self.place(variable, axes)} = {self.accumulator(variable)}")
        body.known[(variable, tuple(axes[axis] for axis in sorted(axes)))] = self.accumulator(variable)


def _accumulated(loop: Loop) -> set[int]:
    found = set()
    for node in loop.body:
        if isinstance(node, Loop):
            found |= _accumulated(node)
        elif isinstance(node, Accumulate):
            found.add(node.variable)
    return found
