"""What a program holds from line to line: its largest live set, planned from its text without running anything.

The one idea: what the writers made is gone through as an engine would. A NumPy statement evaluates its expression inside
out, so operands without a name are held until the operation is done; an array with a name lives to its `del`, or else to
the return. Memory of machine code is asked for at the beginning, or, where something is computed again, at its first use.

Counted are the arrays that the program makes, at the sizes of the trace. Not counted are arguments, and what Python and
BLAS take for themselves.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.emit.letting_go import last_reads
from chainrule.emit.loops import Schedule
from chainrule.emit.lowering import lower
from chainrule.emit.numba_epoch import _EpochWriter
from chainrule.emit.numba_function import owned
from chainrule.emit.reading import is_slice
from chainrule.emit.storage import Storage
from chainrule.emit.to_numpy import Signature, _Writer
from chainrule.graphs import Equation, Graph, Operand
from chainrule.primitives import arithmetic, control, linear_algebra, shaping
from chainrule.program import lets_go
from chainrule.shapes import hint_of

VIEWS = frozenset(
    (
        control.STOP_GRADIENT,
        control.SHIFT,
        control.HOLD,
        linear_algebra.TRANSPOSE,
        shaping.BROADCAST_TO,
        shaping.EXPAND_DIMS,
        shaping.RESHAPE,
        shaping.SQUEEZE,
    )
)
IN_PLACE = {  # where NumPy writes the result into an operand without a name, if it is large: which operands that may be
    arithmetic.ADD: (0, 1),
    arithmetic.MULTIPLY: (0, 1),
    arithmetic.SUBTRACT: (0,),
    arithmetic.DIVIDE: (0,),
    arithmetic.NEGATIVE: (0,),
}
LARGE = 256 * 1024
HELPER_ARRAYS = {  # what they hold besides their result; measured
    "sigmoid": 2, "softplus": 2, "erf": 4, "erfc": 6, "erfcx": 8, "gammaln": 13, "polygamma": 11, "sinc_derivative": 10,
    "normal_quantile": 13, "logit": 4, "xlogy": 1, "xlog1py": 1, "rel_entr": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Memory of an array: the variable that it was made for, its name or expression, and what it is made of."""

    variable: int
    text: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def bytes(self) -> int:
        """How much it is."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass
class Plan:
    """The largest live set of a program.

    Attributes
    ----------
    peak : int
        Bytes of the arrays that are alive at once and are no results.
    allocated : int
        The same with those results that are there already; maybe reached at another place.
    alive : list of Block
        What is alive at the peak.
    kept : int
        Bytes of the forward values that the backward pass reads.
    """

    peak: int = 0
    allocated: int = 0
    alive: list[Block] = field(default_factory=list)
    kept: int = 0


def bytes_of(graph: Graph, operand: Operand) -> int:
    """The memory of a variable at the sizes of the trace; single numbers count as nothing."""
    if type(operand) is not int or not graph.variables[operand].shape:
        return 0
    variable = graph.variables[operand]
    return math.prod(map(hint_of, variable.shape)) * variable.dtype.itemsize


def numpy_plan(graph: Graph, signature: Signature) -> Plan:
    """The plan of the NumPy program that is written for this signature."""
    return _Statements(graph, signature).plan


def numba_plan(graph: Graph, signature: Signature) -> Plan:
    """The plan of the function that is compiled from the same graph."""
    late = lets_go(graph)
    storage = Storage(Schedule(lower(graph)), late=late)
    return _plan_of_buffers(storage, _Statements(graph, signature), [], late=late)


def epoch_plan(graph: Graph, signature: Signature, axis: int) -> Plan:
    """The plan of a training step in a compiled epoch on one thread: parameters change in place, the batch is a copy."""
    writer = _EpochWriter(graph, signature.parameters, signature.constants, axis, tiled=False)
    storage = Storage(Schedule(writer.graph, writer.in_place))
    plain = _Statements(graph, signature)
    return _plan_of_buffers(storage, plain, [plain.block(number) for number in writer.data], late=False)


def _plan_of_buffers(storage: Storage, plain: _Statements, more: list[Block], *, late: bool) -> Plan:
    schedule = storage.schedule
    results = {schedule.source(output)[0] for output in storage.graph.outputs}
    returned = {storage.buffers[root].owner for root in results if root in storage.buffers}
    buffers = [
        (buffer, Block(buffer.owner, plain.text(buffer.owner), tuple(map(hint_of, buffer.shape)), buffer.dtype))
        for buffer in owned(storage)
    ]
    plan = Plan(kept=plain.plan.kept)
    for place in range(len(schedule.top)) if late else range(1):
        alive = [
            block
            for buffer, block in buffers
            if not late or (buffer.first <= place and (place <= buffer.last or buffer.owner in returned))
        ]
        between = more + [block for block in alive if block.variable not in returned]
        plan.allocated = max(plan.allocated, sum(block.bytes for block in more + alive))
        if sum(block.bytes for block in between) > plan.peak:
            plan.peak, plan.alive = sum(block.bytes for block in between), between
    return plan


class _Statements:
    """A NumPy program gone through line by line."""

    def __init__(self, graph: Graph, signature: Signature):
        self.graph = graph
        self.plan = Plan()
        self.writer = writer = _Writer(graph, signature)
        writer.body()
        returned = signature.result([writer.returned(output) for output in graph.outputs])
        self.results = {output for output in graph.outputs if type(output) is int}
        self.live: dict[int, int] = {}  # array -> bytes
        self.shown: dict[int, int] = {}  # view -> the array whose memory it shows
        self.bearers: Counter[int] = Counter()  # array -> how many names hold it
        self.forward: set[int] = set()  # arrays made by the user's own arithmetic
        self.kept: set[int] = set()
        self.behind = False  # whether what is evaluated belongs to the backward pass
        ending = self._ending(returned)
        for place, (_, number) in enumerate(writer.statements):
            self._state(number)
            for other in ending.get(place, ()):
                self._forget(other)
        for output in graph.outputs:
            self.behind = output in writer.made and _is_behind(writer.made[output])  # type: ignore[index]
            self._evaluate(output)
        self.plan.kept = sum(bytes_of(graph, number) for number in self.kept)

    def text(self, number: int) -> str:
        """The name of an array, or the expression that it is the value of."""
        if number in self.writer.names:
            return self.writer.names[number]
        return self.writer.texts[number].code if number in self.writer.texts else "a value without a name"

    def _ending(self, returned: str) -> dict[int, list[int]]:
        """The arrays that are deleted after each statement, by the statement's place."""
        ending: dict[int, list[int]] = {}
        if not self.writer.program.lets_go:
            return ending
        lines = [line for line, _ in self.writer.statements]
        made_at = dict(self.writer.statements)
        for (line, _), last in last_reads([*self.writer.lines, returned], self.writer.arrays).items():
            if last < len(self.writer.lines):
                ending.setdefault(bisect.bisect_right(lines, last) - 1, []).append(made_at[line])
        return ending

    # -- one statement -----------------------------------------------------------------------------------------------
    def _state(self, number: int) -> None:
        equation = self.writer.made[number]
        self.behind = _is_behind(equation)
        held = self._compute(equation)
        if _is_view(equation):
            source = held[0] if held else self._source(equation.inputs[0])
            if source is not None:
                self.shown[number] = source
                self.bearers[source] += 1
            self._free(held[1:])
            return
        self.bearers[number] += 1
        if not self.behind:
            self.forward.add(number)

    def _forget(self, number: int) -> None:
        array = self.shown.get(number, number)
        self.bearers[array] -= 1
        if not self.bearers[array]:
            self.live.pop(array, None)

    def _source(self, operand: Operand) -> int | None:
        """The array that an operand without memory of its own shows."""
        while type(operand) is int and operand not in self.writer.names and operand in self.writer.made:
            operand = self.writer.made[operand].inputs[0]
        return self.shown.get(operand, operand) if type(operand) is int else None

    def _evaluate(self, operand: Operand) -> list[int]:
        """Evaluate what has no name; the arrays that are only held by the expression around it."""
        if type(operand) is not int:
            return []
        if operand in self.writer.names or operand not in self.writer.made:
            array = self.shown.get(operand, operand)
            if self.behind and array in self.forward:
                self.kept.add(array)
            return []
        return self._compute(self.writer.made[operand])

    def _compute(self, equation: Equation) -> list[int]:
        operands = [self._evaluate(operand) for operand in equation.inputs]
        held = [array for arrays in operands for array in arrays]
        if _is_view(equation):
            return held
        number, size = equation.output, bytes_of(self.graph, equation.output)
        taken = self._taken(equation, operands) if size >= LARGE else None
        if taken is not None:
            held.remove(taken)
            self.live[number] = self.live.pop(taken)
        else:
            self._hold(number, size, self._inside(equation))
        self._free(held)
        return [number]

    def _inside(self, equation: Equation) -> list[Block]:
        """What an operation holds besides its operands and its result."""
        name, number = equation.primitive.name, equation.output
        if equation.primitive is control.ONE_HOT:  # np.eye(k)[y]
            size = hint_of(equation.params[0])
            return [Block(number, f"np.eye({size})", (size, size), equation.params[2])]
        block = self.block(number)
        inside = replace(block, text=f"inside of {name}", shape=(HELPER_ARRAYS.get(name, 0), *block.shape))
        return [inside] if inside.bytes and block.shape else []

    def _taken(self, equation: Equation, operands: list[list[int]]) -> int | None:
        """The temporary array that takes the result: the others have its shape or are numbers."""
        variables = self.graph.variables
        own = variables[equation.output]
        if any(variables[i].shape not in ((), own.shape) for i in equation.inputs if type(i) is int):
            return None
        for place in IN_PLACE.get(equation.primitive, ()):
            operand, arrays = equation.inputs[place], operands[place]
            if arrays == [operand] and variables[arrays[0]].shape and variables[arrays[0]].dtype == own.dtype:
                return arrays[0]
        return None

    def _hold(self, number: int, size: int, inside: list[Block]) -> None:
        self.live[number] = size
        more = sum(block.bytes for block in inside)
        self.plan.allocated = max(self.plan.allocated, sum(self.live.values()) + more)
        alive = {array: count for array, count in self.live.items() if count and array not in self.results}
        if sum(alive.values()) + more > self.plan.peak:
            self.plan.peak = sum(alive.values()) + more
            self.plan.alive = [*map(self.block, alive), *inside]

    def block(self, number: int) -> Block:
        """The memory of a variable."""
        variable = self.graph.variables[number]
        return Block(number, self.text(number), tuple(map(hint_of, variable.shape)), variable.dtype)

    def _free(self, arrays: Iterable[int]) -> None:
        for array in arrays:
            self.live.pop(array, None)


def _is_view(equation: Equation) -> bool:
    return equation.primitive in VIEWS or is_slice(equation)


def _is_behind(equation: Equation) -> bool:
    """Whether an equation belongs to the backward pass, or to what is computed again for it."""
    return equation.derived or equation.recomputed
