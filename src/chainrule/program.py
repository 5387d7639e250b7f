"""What a writer needs to know of a graph before it writes: what NumPy does by itself, what is inlined, what is named.

The one idea: a graph becomes a list of statements. A variable is a statement if the user named it, if it is used twice,
or if its expression grows long; all others are written where they are used. Broadcasts and promotions that NumPy does
by itself are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graphs import Equation, Graph, Operand, describe
from chainrule.primitives import control, indexing, linear_algebra, shaping
from chainrule.shapes import broadcast_shapes, same_dim
from chainrule.spelling import Names, identifier

ALWAYS_INLINE = frozenset((control.SIZE, linear_algebra.TRANSPOSE, control.STOP_GRADIENT, control.SHIFT, control.HOLD))
SAME_ENTRIES = frozenset(
    (shaping.EXPAND_DIMS, shaping.SQUEEZE, shaping.RESHAPE, shaping.BROADCAST_TO, linear_algebra.TRANSPOSE)
)
NEVER_INLINE = frozenset((indexing.INDEX_ADD,))
PLACELESS = frozenset(
    (*ALWAYS_INLINE, control.FULL, shaping.BROADCAST_TO, shaping.EXPAND_DIMS, shaping.SQUEEZE, shaping.RESHAPE)
)


@dataclass
class Program:
    """A graph ready to be written.

    Attributes
    ----------
    graph : Graph
    equations : list of Equation
        Those that are written, implicit broadcasts and conversions taken out of their operands.
    names : dict of int to str
        The identifier of each input, constant and statement; variables without one are inlined.
    lets_go : bool
        Whether arrays are deleted after their last use; then results are statements, too, lest what they are made of
        lives until the return.
    """

    graph: Graph
    equations: list[Equation]
    names: dict[int, str] = field(default_factory=dict)
    uses: dict[int, int] = field(default_factory=dict)
    lets_go: bool = False


def lets_go(graph: Graph) -> bool:
    """Whether a program computes something again, to give memory back while it runs."""
    return any(equation.primitive is control.HOLD for equation in graph.equations)


def prepare(graph: Graph, parameters: dict[int, str], constants: dict[int, str], *, keeps_all: bool = False) -> Program:
    """Decide what is written and under which name; a program that `keeps_all` is read, not run: nothing is let go."""
    equations = _without_implicit(graph)
    needed = graph.copy()
    needed.equations = equations
    equations = _gradients_early(needed.reachable(graph.outputs), graph)
    program = Program(graph, equations, {**parameters, **constants}, lets_go=lets_go(graph) and not keeps_all)
    for equation in equations:
        for operand in equation.inputs:
            if type(operand) is int:
                program.uses[operand] = program.uses.get(operand, 0) + 1
    outputs = [o for o in graph.outputs if type(o) is int]
    for output in outputs:
        program.uses[output] = program.uses.get(output, 0) + 1
    _name(program, outputs)
    return program


def class_labels(graph: Graph) -> list[int]:
    """The inputs that are class numbers, none of which may be negative: NumPy would count it from the end."""
    made = graph.producers()
    found = set()
    for equation in graph.equations:
        if equation.primitive is control.ONE_HOT and not equation.params[3]:
            labels = equation.inputs[0]
            while type(labels) is int and labels in made and made[labels].primitive in SAME_ENTRIES:
                labels = made[labels].inputs[0]
            found.add(labels)
    return [number for number in graph.inputs if number in found]


def helper_names(graph: Graph) -> set[str]:
    """The functions that the module will define because NumPy lacks them."""
    return {e.primitive.helper.rpartition(":")[2] for e in graph.equations if e.primitive.helper}


def number_names(graph: Graph) -> None:
    """A name that is bound again, as in a loop over layers, is numbered: Z1, Z2, ..."""
    inputs = {graph.variables[n].name for n in graph.inputs}
    again = {e.output for e in graph.equations if e.recomputed}  # they bear the names of the originals
    taken = {v.name for number, v in enumerate(graph.variables) if v.name and number not in again}
    bound: dict[str, list[int]] = {}
    for equation in graph.equations:
        name = graph.variables[equation.output].name
        if name and equation.step is None:  # what is derived is named after these
            bound.setdefault(name, []).append(equation.output)
    for name, numbers in bound.items():
        if len(numbers) == 1 and name not in inputs:
            continue
        count = 1
        separator = "_" if name[-1].isdigit() else ""
        for number in numbers:
            while f"{name}{separator}{count}" in taken:
                count += 1
            graph.variables[number].name = f"{name}{separator}{count}"
            taken.add(f"{name}{separator}{count}")


def _gradients_early(equations: list[Equation], graph: Graph) -> list[Equation]:
    """Each derived output right after what it is made of, in the order in which the outputs are returned."""
    used = {i for e in equations for i in e.inputs if type(i) is int}
    order = {output: place for place, output in enumerate(graph.outputs) if type(output) is int}
    ends = [e for e in equations if e.output in order and e.output not in used and e.derived]
    rest = [e for e in equations if e not in ends]
    position = {e.output: place for place, e in enumerate(rest)}
    after: dict[int, list[Equation]] = {}
    for end in sorted(ends, key=lambda e: order[e.output]):
        last = max((_last_statement(i, rest, position) for i in end.inputs if type(i) is int), default=-1)
        after.setdefault(last, []).append(end)
    result = after.get(-1, [])
    for place, equation in enumerate(rest):
        result.append(equation)
        result += after.get(place, [])
    return result


def _last_statement(number: int, rest: list[Equation], position: dict[int, int]) -> int:
    """Where the operand is ready; a transpose, which is written where it is used, when its source is."""
    while number in position and rest[position[number]].primitive in ALWAYS_INLINE and rest[position[number]].inputs:
        number = rest[position[number]].inputs[0]  # type: ignore[assignment]
    return position.get(number, -1)


def _without_implicit(graph: Graph) -> list[Equation]:
    """The equations with operands that NumPy broadcasts or promotes by itself replaced by their sources."""
    made = graph.producers()
    result = []
    for equation in graph.equations:
        inputs = list(equation.inputs)
        primitive = equation.primitive
        for place in range(len(inputs)):
            source = _skip(graph, made, inputs[place], primitive)
            if source != inputs[place]:
                trial = [*inputs[:place], source, *inputs[place + 1 :]]
                if _still_right(graph, equation, trial):
                    inputs = trial
        result.append(
            Equation(primitive, tuple(inputs), equation.params, equation.output, equation.origin, equation.step)
        )
    return result


def _skip(graph: Graph, made: dict[int, Equation], operand: Operand, primitive) -> Operand:
    while type(operand) is int and operand in made:
        maker = made[operand]
        if not (
            maker.primitive in (control.STOP_GRADIENT, control.SHIFT, control.HOLD)
            or (maker.primitive is shaping.BROADCAST_TO and primitive.broadcasts)
            or (maker.primitive is shaping.CONVERT and primitive.converts_from is not None and _promotes(graph, maker))
        ):
            break
        operand = maker.inputs[0]
    return operand


def _promotes(graph: Graph, convert: Equation) -> bool:
    """Whether a conversion keeps every value: what NumPy does by itself when dtypes meet."""
    source = describe(graph, convert.inputs[0])
    return getattr(source, "weak", True) or np.can_cast(source.dtype, convert.params[0])


def _still_right(graph: Graph, equation: Equation, inputs: list[Operand]) -> bool:
    """Whether the equation gives the same shape and dtype with these operands."""
    operands = [describe(graph, i) for i in inputs]
    output = graph.variables[equation.output]
    try:
        if equation.primitive.broadcasts:
            shape = broadcast_shapes(*(o.shape for o in operands if hasattr(o, "shape")))
        else:
            shape = equation.primitive.shape_rule(*operands, *equation.params)
        dtype = equation.primitive.dtype_rule(*operands, *equation.params)
    except (ShapeError, TypeError):
        return False
    return len(shape) == len(output.shape) and all(map(same_dim, shape, output.shape)) and dtype == output.dtype


def _name(program: Program, outputs: list[int]) -> None:
    """Give statements their identifiers: the user's names first, u1, u2, ... for the rest."""
    graph = program.graph
    names = Names([*program.names.values(), *helper_names(graph)])
    wanted = dict(zip(outputs, graph.output_names, strict=False))
    statements = _statements(program, outputs)
    ends = _ends(program, outputs, statements) if program.lets_go else {}
    bearers: dict[str, int] = {}  # which variable has a name at the moment, and where it ends
    counter = 0
    for place, equation in enumerate(program.equations):
        number = equation.output
        if number in program.names or number not in statements:
            continue
        name = graph.variables[number].name or (wanted.get(number) if number in outputs else None)
        if name and equation.recomputed and bearers.get(identifier(name), len(program.equations)) < place:
            program.names[number] = identifier(name)  # the original is gone: this is the same value
        elif name:
            program.names[number] = names.fresh(name)
        else:
            counter += 1
            while identifier(f"u{counter}") in names.taken:
                counter += 1
            program.names[number] = names.fresh(f"u{counter}")
        if ends:
            bearers[program.names[number]] = ends[number]
    program.uses["next"] = counter  # type: ignore[index]


def _is_statement(program: Program, equation: Equation, outputs: list[int]) -> bool:
    """Whether an equation gets a line and a name; the others are written where they are used."""
    number = equation.output
    variable = program.graph.variables[number]
    named = bool(variable.name or (number in outputs and outputs.index(number) < len(program.graph.output_names)))
    if equation.primitive in ALWAYS_INLINE and not (named and number in outputs):
        return False
    if equation.primitive is control.FULL and not variable.shape:
        return False
    if program.lets_go and number in outputs and variable.shape:
        return True
    return named or program.uses.get(number, 0) > 1 or equation.primitive in NEVER_INLINE


def _statements(program: Program, outputs: list[int]) -> set[int]:
    """The variables that get a line.

    Where memory is what matters, an expression is written where it is computed, not where it is used much later: what it
    is made of would live until then.
    """
    found = {e.output for e in program.equations if _is_statement(program, e, outputs)}
    if not program.lets_go:
        return found
    consumers: dict[int, list[int]] = {}
    for equation in program.equations:
        for operand in equation.inputs:
            if type(operand) is int:
                consumers.setdefault(operand, []).append(equation.output)
    written: dict[int, int | None] = {}  # in whose line a variable is written
    following: int | None = None  # the line that comes next
    for equation in reversed(program.equations):
        number = equation.output
        users = consumers.get(number, [])
        line = written.get(users[0]) if len(users) == 1 else None  # a transpose may be used before its turn
        late = line != following and program.graph.variables[number].shape and equation.primitive not in PLACELESS
        if number in found or late:
            found.add(number)
            line = following = number
        written[number] = line
    return found


def _ends(program: Program, outputs: list[int], statements: set[int]) -> dict[int, int]:
    """The place of the last equation that may be written with a variable's name in it."""
    ends = {equation.output: place for place, equation in enumerate(program.equations)}
    ends.update(dict.fromkeys(outputs, len(program.equations)))
    for place, equation in reversed(list(enumerate(program.equations))):
        written = place if equation.output in statements else ends[equation.output]
        for operand in equation.inputs:
            if operand in ends:
                ends[operand] = max(ends[operand], written)  # type: ignore[index]
    return ends
