"""Where the roots of a loop tree live: in a local variable, in a scratch row, or in a whole array.

The one idea: a root needs memory only along the loops that its readers do not share with it. Read in the same innermost
loop it is a local variable; read in a later loop of the same row it is one row; read elsewhere it is an array. Arrays
whose last reader has run give their memory to later ones of the same shape and dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.emit.loops import Call, Home, Loop, Node, Schedule
from chainrule.emit.reading import REDUCTIONS
from chainrule.primitives import indexing, shaping
from chainrule.shapes import SizeExpr, hint_of


@dataclass(eq=False)
class Buffer:
    """Memory of an array.

    Attributes
    ----------
    shape : tuple of int or SizeExpr
    dtype : dtype
    axes : tuple of int
        The axes of the root that the memory has; the others are shared with its readers.
    owner : int
        The root after which it is named.
    kept : bool
        Whether its memory must not be given away: an argument, a result.
    """

    shape: tuple
    dtype: np.dtype
    axes: tuple[int, ...]
    owner: int
    kept: bool = False
    first: int = 0  # the positions among the top nodes between which it is needed
    last: int = 0


class Storage:
    """Which root lives where.

    Attributes
    ----------
    buffers : dict of int to Buffer
        By root; several roots may share one. A root that has none is a local variable.
    """

    def __init__(self, schedule: Schedule, shares: Callable[[int], bool] = lambda root: True, *, late: bool = False):
        self.schedule = schedule
        self.late = late  # whether memory is asked for at its first use, so that none waits for a later tenant
        self.shares = shares  # whether a root may take over the memory of another
        self.graph = schedule.graph
        self.buffers: dict[int, Buffer] = {}
        self.uses: dict[int, list[tuple[int, bool]]] = {}  # root or input -> (reader, as a whole)
        self.position: dict[int, int] = {}
        self.tenants: dict[int, list[int]] = {}  # buffer -> the roots that lived in it, in order
        for place, node in enumerate(schedule.top):
            for variable in variables_of(node):
                self.position[variable] = place
        self._collect_uses()
        self._assign()
        self.alone = self._share()

    def _collect_uses(self) -> None:
        for variable in self.schedule.homes:
            for source, index in self.schedule.reads(self.schedule.made[variable]):
                self.uses.setdefault(source, []).append((variable, index is None))

    def _assign(self) -> None:
        outputs = {self.schedule.source(o)[0] for o in self.graph.outputs}
        for variable, home in self.schedule.homes.items():
            target = self.schedule.in_place.get(variable)
            equation = self.schedule.made[variable]
            shape = self.schedule.shape(variable)
            dtype = self.graph.variables[variable].dtype
            everything = tuple(range(len(shape)))
            if target is not None and shape:
                self.buffers[variable] = Buffer(shape, dtype, everything, target, kept=True)
                continue
            readers = self.uses.get(variable, [])
            whole = variable in outputs or any(as_whole for _, as_whole in readers)
            scattered = equation.primitive is indexing.INDEX_ADD
            if isinstance(self._node(variable), Call) or whole:
                if shape or scattered:
                    self.buffers[variable] = Buffer(shape, dtype, everything, variable, kept=variable in outputs)
                continue
            common = self._common(home, [self.schedule.homes[reader].inner for reader, _ in readers])
            order = sorted(everything, key=lambda axis: home.axes[axis].depth if axis in home.axes else axis)
            axes = tuple(
                axis for axis in order if shape[axis] != 1 and not (axis in home.axes and home.axes[axis] in common)
            )
            if axes or scattered:
                self.buffers[variable] = Buffer(tuple(shape[a] for a in axes), dtype, axes, variable)

    def _node(self, variable: int) -> Node | None:
        node = self.schedule.top[self.position[variable]]
        return node

    def _common(self, home: Home, paths: list[list[Loop]]) -> list[Loop]:
        common = home.path
        for path in paths:
            length = 0
            while length < min(len(common), len(path)) and common[length] is path[length]:
                length += 1
            common = common[:length]
        return common

    # -- memory that is used again -----------------------------------------------------------------------------------
    def _share(self) -> list[Buffer]:
        """Let arrays take over memory whose last reader has run, or that this very element has just read."""
        pinned = self._pinned()
        for variable, buffer in self.buffers.items():
            buffer.first = self.position[variable]
            buffer.last = max([buffer.first, *(self.position[r] for r, _ in self.uses.get(variable, ()))])
            buffer.kept = buffer.kept or variable in pinned
        free: list[Buffer] = []
        distinct: list[Buffer] = []
        for variable in sorted(self.buffers, key=lambda v: self.position[v]):
            buffer = self.buffers[variable]
            if (
                buffer.kept or len(buffer.shape) < 2 or not self.shares(variable)
            ):  # rows are small: they keep their names
                distinct.append(buffer)
                continue
            taken = next((other for other in free if self._can_follow(other, buffer, variable)), None)
            if taken is None:
                distinct.append(buffer)
                free.append(buffer)
            else:
                taken.last = max(taken.last, buffer.last)
                self.tenants[id(taken)].append(variable)
                self.buffers[variable] = Buffer(
                    buffer.shape, buffer.dtype, buffer.axes, taken.owner, False, buffer.first, buffer.last
                )
                continue
            self.tenants[id(buffer)] = [variable]
        self._name_after_the_users()
        return distinct

    def _name_after_the_users(self) -> None:
        """Memory with several tenants bears the name of the first that the user has named."""
        for tenants in self.tenants.values():
            named = next((v for v in tenants if self.graph.variables[v].name), tenants[0])
            for variable in tenants:
                self.buffers[variable].owner = named

    def _can_follow(self, old: Buffer, new: Buffer, variable: int) -> bool:
        if old.shape != new.shape or old.dtype != new.dtype:
            return False
        if old.last < new.first:
            return not self.late or old.last == new.first - 1
        return old.last == new.first and self._element_for_element(old, variable)

    def _element_for_element(self, old: Buffer, variable: int) -> bool:
        """Whether all that still reads the old array in this loop is this root, at the element that it writes."""
        if variable not in self.schedule.homes or isinstance(self._node(variable), Call):
            return False
        equation = self.schedule.made[variable]
        if equation.primitive in REDUCTIONS or equation.primitive is indexing.INDEX_ADD:
            return False
        place = self.position[variable]
        newest = self.tenants[id(old)][-1]
        readers = [r for r, _ in self.uses.get(newest, ()) if self.position[r] == place]
        home = self.schedule.homes[variable]
        if self.position[newest] == place or old.axes != tuple(range(len(self.schedule.shape(variable)))):
            return False
        for reader in readers:
            for source, index in self.schedule.reads(self.schedule.made[reader]):
                if source != newest:
                    continue
                inner = self.schedule.homes[reader].inner
                if index is None or inner != home.inner or not all(i.plain or i.axis is None for i in index):
                    return False
                if [i.axis for i in index if i.axis is not None] != [a for a, _ in self.schedule.domain(equation)]:
                    return False
                if self._order(reader, variable) > 0:
                    return False
        return True

    def _order(self, reader: int, variable: int) -> int:
        """Positive if the reader's statement comes after the root's in the loop that both are in."""
        order = list(self.schedule.homes)
        return order.index(reader) - order.index(variable)

    def _pinned(self) -> set[int]:
        """Arrays that another array is a reshaped view of, and these views."""
        found = set()
        for variable in self.schedule.homes:
            equation = self.schedule.made[variable]
            if equation.primitive is shaping.RESHAPE:
                source = self.schedule.source(equation.inputs[0])[0]
                found |= {variable} | ({source} if source is not None else set())
        return found

    def bytes_at(self) -> int:
        """The memory of all buffers, in bytes, at the sizes of the trace."""
        return sum(
            math.prod(map(hint_of, buffer.shape)) * buffer.dtype.itemsize
            for buffer in self.alone
            if not (buffer.kept and buffer.owner in self.graph.inputs)
        )


def variables_of(node: Node) -> list[int]:
    """Every root made in a node."""
    if isinstance(node, Loop):
        return [variable for child in node.body for variable in variables_of(child)]
    return [node.variable]


def symbols_in(shape: tuple) -> set[int]:
    """The size symbols of a shape."""
    return {symbol for dim in shape if isinstance(dim, SizeExpr) for symbol in dim.symbols()}
