"""Who may run what at the same time: a training step cut into sections with a barrier after each.

The one idea: in the first section the samples are divided, for nothing there looks at two of them; sums over samples
(gradients of parameters) and the updates make the second, where parameters are divided. A graph that mixes samples in
between, as batch normalisation does, gets as many sections as it needs. How the work is cut depends on shapes alone;
threads only choose who runs a piece.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from chainrule.emit.loops import Call, Init, Loop, Node, Schedule, Store
from chainrule.emit.reading import Index, is_swap
from chainrule.emit.storage import variables_of
from chainrule.errors import UnsupportedError
from chainrule.primitives import control, linear_algebra
from chainrule.shapes import SizeExpr, hint_of

PART_FLOPS, PART_ROWS = 1e6, 256  # a piece of a parameter's gradient is at least so much work, and has so many rows
SMALL_PART_FLOPS, SMALL_PART_ROWS = 5e4, 16  # where a step takes some microseconds only
MOST_PARTS = 16
PART_MULTIPLE = 16


@dataclass(eq=False)
class Section:
    """Nodes between two barriers.

    Attributes
    ----------
    by_samples : bool
        Whether samples are divided; otherwise whole components, or rows of their parameters.
    nodes : list of nodes
        In order.
    """

    by_samples: bool
    nodes: list[Node] = field(default_factory=list)


@dataclass(eq=False)
class Component:
    """Nodes of a section that belong together, and into how many parts of rows they can be cut.

    Attributes
    ----------
    nodes : list of nodes
    size : int
        How many rows a part has; 0 if the component is run as one.
    rows : int
        The size of the axis that is cut.
    parts : int
    flops : float
        A measure of the work, by which the largest goes first.
    """

    nodes: list[Node]
    size: int = 0
    rows: int = 0
    parts: int = 1
    flops: float = 0.0


def cut(schedule: Schedule) -> tuple[list[tuple[int, Store]], list[Section]]:
    """Numbers that everyone computes, each after a section (-1: before all), and the sections of a schedule.

    Raises
    ------
    UnsupportedError
        The samples cannot be divided, for example because they are columns.
    """
    samples = schedule.shared_axis
    assert samples is not None
    for equation in schedule.graph.equations:
        if equation.primitive in (control.ARANGE, control.EYE) and samples in schedule.shape(equation.output):
            raise UnsupportedError("an arange over samples is not divided")
    level: dict[int, tuple[int, bool | None]] = {}  # root -> its section, and whether it is by samples; None: a number
    numbers: list[tuple[int, Store]] = []
    placed: list[tuple[int, bool, Node]] = []
    for node in schedule.top:
        variables = variables_of(node)
        if isinstance(node, Store) and not schedule.shape(node.variable):
            after = max((level[s][0] for s in _sources(schedule, node.variable) if s in level), default=-1)
            numbers.append((after, node))
            level[node.variable] = (after, None)
            continue
        by_samples = _by_samples(schedule, node)
        least = 0
        for variable in variables:
            for source, aligned in _dependencies(schedule, variable, by_samples):
                if source in level and source not in variables:
                    depth, kind = level[source]
                    together = kind == by_samples and (aligned or not by_samples)
                    least = max(least, depth if together else depth + 1)
        if least % 2 == (1 if by_samples else 0):
            least += 1
        if isinstance(node, Init):
            placed.append((-1, by_samples, node))  # where its loop goes
            continue
        for variable in variables:
            level[variable] = (least, by_samples)
        placed.append((least, by_samples, node))
    count = 1 + max((depth for depth, _, _ in placed), default=0)
    sections = [Section(by_samples=depth % 2 == 0) for depth in range(count)]
    for depth, _, node in placed:
        home = level[node.variable][0] if isinstance(node, Init) else depth
        sections[home].nodes.append(node)
    for section in sections:
        if section.by_samples:
            _require_rows(schedule, section)
    return numbers, sections


def _by_samples(schedule: Schedule, node: Node) -> bool:
    """Whether a node runs along samples, and makes something for each of them."""
    samples = schedule.shared_axis
    for variable in variables_of(node):
        for source, index in schedule.reads(schedule.made[variable]):
            if not _own_sample(schedule, variable, source, index):
                return False
    if isinstance(node, Loop):
        if node.size != samples:
            return False
        return all(
            schedule.homes[v].path and schedule.homes[v].path[0] is node or not schedule.homes[v].inner
            for v in variables_of(node)
        )
    if isinstance(node, Call):
        shape = schedule.shape(node.variable)
        return node.variable not in schedule.folded and len(shape) == 2 and shape[0] == samples
    return False


def _sources(schedule: Schedule, variable: int) -> list[int]:
    return [source for source, _ in schedule.reads(schedule.made[variable])]


def _dependencies(schedule: Schedule, variable: int, by_samples: bool) -> list[tuple[int, bool]]:
    """What a root reads or overwrites, and whether it reads it at its own sample only."""
    equation = schedule.made[variable]
    found = [
        (source, by_samples and _own_sample(schedule, variable, source, index))
        for source, index in schedule.reads(equation)
    ]
    target = schedule.in_place.get(variable)
    if target is not None:
        found += [(reader, False) for reader in schedule.readers.get(target, []) if reader != variable]
    return found


def _own_sample(schedule: Schedule, variable: int, source: int, index: tuple[Index, ...] | None) -> bool:
    samples, shape = schedule.shared_axis, schedule.shape(source)
    if samples not in shape:
        return True
    equation = schedule.made[variable]
    if index is None:  # the left factor of a product has a row for each sample
        if equation.primitive is not linear_algebra.MATMUL:
            return False
        left, right = (schedule.source(operand)[0] for operand in equation.inputs)
        maker = schedule.made.get(equation.inputs[0])  # type: ignore[arg-type]
        flipped = maker is not None and equation.inputs[0] not in schedule.roots and is_swap(maker)
        return source == left and source != right and shape[0] == samples and not flipped
    return shape[0] == samples and index[0].plain and index[0].axis == 0


def _require_rows(schedule: Schedule, section: Section) -> None:
    """Samples have to be rows: the first axis of everything that has one entry for each."""
    for node in section.nodes:
        for variable in variables_of(node):
            for number in [variable, *_sources(schedule, variable)]:
                shape = schedule.shape(number)
                if schedule.shared_axis in shape[1:] or any(
                    isinstance(dim, SizeExpr) and dim != schedule.shared_axis for dim in shape
                ):
                    raise UnsupportedError("samples that are columns are not divided")
            if isinstance(node, Call) and schedule.made[variable].primitive is not linear_algebra.MATMUL:
                raise UnsupportedError("a reshape or concatenation of samples is not divided")


def components(schedule: Schedule, section: Section, *, small: bool = False) -> list[Component]:
    """The nodes of a section, those that depend on each other together; the largest first.

    Of a `small` step, smaller parts are made.
    """
    groups: list[tuple[set[int], list[Node]]] = []
    waiting: list[Init] = []
    for node in section.nodes:
        if isinstance(node, Init):
            waiting.append(node)
            continue
        made = set(variables_of(node))
        inits = [init for init in waiting if init.variable in made]
        waiting = [init for init in waiting if init not in inits]
        needed = {s for v in made for s, _ in _dependencies(schedule, v, by_samples=False)}
        joined = [group for group in groups if group[0] & needed]
        groups = [group for group in groups if group not in joined]
        variables = made.union(*(group[0] for group in joined))
        groups.append((variables, [n for group in joined for n in group[1]] + [*inits, node]))
    found = [_component(schedule, nodes, small=small) for _, nodes in groups]
    return sorted(found, key=lambda c: -c.flops / c.parts)


def _component(schedule: Schedule, nodes: list[Node], *, small: bool) -> Component:
    least_flops, least_rows = (SMALL_PART_FLOPS, SMALL_PART_ROWS) if small else (PART_FLOPS, PART_ROWS)
    flops = 0.0
    for node in nodes:
        for variable in variables_of(node):
            equation = schedule.made[variable]
            product = schedule.folded.get(variable, (0, 0.0, variable))[2]
            entries = math.prod(map(hint_of, schedule.shape(product)))
            factor = schedule.made[product]
            if factor.primitive is linear_algebra.MATMUL:
                entries *= 2 * hint_of(schedule.shape(factor.inputs[0])[-1])  # type: ignore[arg-type]
            elif equation.inputs and type(equation.inputs[0]) is int:
                entries = max(entries, math.prod(map(hint_of, schedule.shape(equation.inputs[0]))))
            flops += entries
    rows = _rows(schedule, nodes)
    parts = max(1, min(int(flops / least_flops), -(-rows // least_rows), MOST_PARTS)) if rows else 1
    if rows and parts == 1 and flops > least_flops:
        parts = 2
    size = -(-rows // parts)
    size = -(-size // PART_MULTIPLE) * PART_MULTIPLE
    return Component(nodes, size if parts > 1 else 0, rows, -(-rows // size) if parts > 1 else 1, flops)


def _rows(schedule: Schedule, nodes: list[Node]) -> int:
    """The rows along which every node of a component can be cut, 0 if there are none.

    A product A^T B can, and an elementwise loop over what it makes.
    """
    first = nodes[0]
    if not isinstance(first, Call):
        return 0
    product = schedule.folded.get(first.variable, (0, 0.0, first.variable))[2]
    equation = schedule.made[product]
    if equation.primitive is not linear_algebra.MATMUL or len(schedule.shape(product)) != 2:
        return 0
    maker = schedule.made.get(equation.inputs[0])  # type: ignore[arg-type]
    if maker is None or equation.inputs[0] in schedule.roots or not is_swap(maker):
        return 0
    rows = schedule.shape(product)[0]
    for node in nodes[1:]:
        if not isinstance(node, Loop) or node.size != rows:
            return 0
        for variable in variables_of(node):
            home = schedule.homes[variable]
            if not home.path or home.path[0] is not node:
                return 0
            for source, index in schedule.reads(schedule.made[variable]):
                shape = schedule.shape(source)
                if shape and (
                    index is None or not index or not (shape[0] == rows and index[0].plain and index[0].axis == 0)
                ):
                    return 0
    return rows if isinstance(rows, int) and rows > 8 else 0
