"""Matrix products whose sizes are known, as calls of kernels that are made for these sizes.

The one idea: a kernel is a line at the head of the module, `layer_64_32 = tiled_product("float32", 64, 32, ...)`, and
layers of one shape share it. A product with a transposed matrix multiplies with a copy that is transposed once a step.
What follows a product and looks at one element only (a bias with relu, relu's mask) is done while it is in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from chainrule.emit.loops import Loop, Schedule
from chainrule.emit.storage import Storage, variables_of
from chainrule.graphs import Equation
from chainrule.primitives import arithmetic, shaping


@dataclass(frozen=True)
class Finish:
    """What is done to a product before it is stored: which root that makes, and with which further array."""

    kind: str  # "bias_relu" or "mask"
    root: int
    array: int


@dataclass
class TiledProducts:
    """The kernels of a module, and the transposed copies that they need.

    Attributes
    ----------
    fresh : callable
        Gives identifiers that nothing else has.
    definitions : dict of str to str
        The call that makes a kernel -> its name.
    copies : dict of str to tuple
        Name of a matrix -> name of its transposed copy, rows, columns, dtype.
    """

    fresh: Callable[[str], str]
    definitions: dict[str, str] = field(default_factory=dict)
    copies: dict[str, tuple[str, int, int, str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The definitions, for the head of the module."""
        return [f"{name} = {text}" for text, name in self.definitions.items()]

    def kernel(self, stem: str, factory: str, dtype: np.dtype, rows: int, columns: int, finish: str = "") -> str:
        """The name of a kernel, defined if it is new."""
        suffix = "" if dtype == np.float32 else f"_{dtype.name}"
        name = f"{stem}_{rows}_{columns}{suffix}"
        extra = f', finish="{finish}"' if finish else ""
        text = f'{factory}("{dtype.name}", {rows}, {columns}{extra})'
        if text not in self.definitions:
            self.definitions[text] = self.fresh(name)
        return self.definitions[text]

    def product(self, dtype: np.dtype, inner: int, columns: int, finish: str = "store") -> str:
        """The kernel of A B."""
        stem = {"store": "product", "bias_relu": "layer", "mask": "masked", "mask_in_place": "masked_in_place"}[finish]
        return self.kernel(stem, "tiled_product", dtype, inner, columns, "" if finish == "store" else finish)

    def gradient(self, dtype: np.dtype, rows: int, columns: int, *, update: bool) -> str:
        """The kernel of A^T B, or of C += alpha A^T B."""
        stem = "update" if update else "gradient"
        return self.kernel(stem, "tiled_gradient", dtype, rows, columns, "update" if update else "")

    def transposed(self, matrix: str, rows: int, columns: int, dtype: np.dtype) -> str:
        """The transposed copy of a matrix."""
        if matrix not in self.copies:
            self.copies[matrix] = (self.fresh(f"{matrix}_t"), rows, columns, dtype.name)
        return self.copies[matrix][0]

    def allocations(self) -> list[str]:
        """The lines that make memory for the copies."""
        return [f"{copy} = np.empty(({n}, {m}), np.{kind})" for copy, m, n, kind in self.copies.values()]

    def transposition(self, matrix: str) -> str:
        """The statement that makes a copy."""
        copy, rows, columns, dtype = self.copies[matrix]
        return f"{self.kernel('transpose', 'transposed_into', np.dtype(dtype), rows, columns)}({matrix}, {copy})"


def finish_of(schedule: Schedule, storage: Storage, product: int, loop: object) -> Finish | None:
    """What a loop that follows a product does to it, if a kernel can do it; the loop then falls away."""
    if not isinstance(loop, Loop) or len(set(variables_of(loop))) != 1:
        return None
    (root,) = set(variables_of(loop))
    readers = {reader for reader, _ in storage.uses.get(product, ())}
    equation = schedule.made[root]
    if readers != {root} or schedule.made[product].output in schedule.folded or root not in storage.buffers:
        return None
    if schedule.shape(root) != schedule.shape(product) or len(storage.buffers[root].shape) != 2:
        return None
    return _bias_relu(schedule, equation, product) or _mask(schedule, equation, product)


def _bias_relu(schedule: Schedule, equation: Equation, product: int) -> Finish | None:
    if equation.primitive is not arithmetic.MAXIMUM:
        return None
    values = [x for x in equation.inputs if type(x) is int]
    literals = [x for x in equation.inputs if type(x) is not int]
    if len(values) != 1 or len(literals) != 1 or literals[0].value != 0:  # type: ignore[union-attr]
        return None
    added = schedule.made.get(values[0])
    if added is None or added.primitive is not arithmetic.ADD or values[0] in schedule.roots:
        return None
    others = [x for x in added.inputs if x != product]
    if len(others) != 1 or type(others[0]) is not int:
        return None
    spread = schedule.made.get(others[0])
    if spread is None or spread.primitive is not shaping.BROADCAST_TO or others[0] in schedule.roots:
        return None
    bias = spread.inputs[0]
    if type(bias) is not int or schedule.shape(bias) != schedule.shape(product)[1:] or not _array(schedule, bias):
        return None
    return Finish("bias_relu", equation.output, bias)


def _mask(schedule: Schedule, equation: Equation, product: int) -> Finish | None:
    if equation.primitive is not arithmetic.MULTIPLY:
        return None
    others = [x for x in equation.inputs if x != product]
    converted = schedule.made.get(others[0]) if len(others) == 1 and type(others[0]) is int else None
    if converted is None or converted.primitive is not shaping.CONVERT or converted.output in schedule.roots:
        return None
    compared = schedule.made.get(converted.inputs[0])  # type: ignore[arg-type]
    if compared is None or compared.primitive.name != "greater" or compared.output in schedule.roots:
        return None
    mask, bound = compared.inputs
    if type(mask) is not int or type(bound) is int or bound.value != 0 or not _array(schedule, mask):  # type: ignore[union-attr]
        return None
    same = schedule.shape(mask) == schedule.shape(product) and mask != product
    same = same and schedule.graph.variables[mask].dtype == schedule.graph.variables[product].dtype
    return Finish("mask", equation.output, mask) if same else None


def _array(schedule: Schedule, variable: int) -> bool:
    return variable not in schedule.made or variable in schedule.roots
