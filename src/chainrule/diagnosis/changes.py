"""Small changes of one expression, as a person would mend it: what a change is, and what can be seen from its line.

The one idea: a change is what could stand instead of what stands now, how likely that is (`cost`: the less the likelier),
and the words of the vocabulary that it mends. Changes are proposed by `changes_of_layout.py` and `changes_of_terms.py`;
which of them is right is not asked there.

>>> ast.unparse(build("x * (a > 0)", x=ast.parse("dZ @ W.T", mode="eval").body, a="Z1"))
'dZ @ W.T * (Z1 > 0)'
"""

from __future__ import annotations

import ast
import copy
import functools
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ACTIVATION = ("missing_activation_derivative", "mask_not_applied")
SLOPE = (
    "wrong_activation", "derivative_at_activation_instead_of_preactivation",
    "derivative_at_preactivation_instead_of_activation",
)  # fmt: skip
LAYOUT = ("transposed", "product_order", "reshape_instead_of_transpose", "wrong_index")
FACTOR = ("factor", "missing_mean", "extra_mean", "double_mean", "regularizer_factor")
ANOTHER = (
    *SLOPE, "off_by_one_layer", "stale_value", "forward_mismatch", "wrong_loss_derivative", "dropped_path",
    "momentum_confused_with_gradient", "detached_branch", "wrong_index",
)  # fmt: skip
AXES = ("wrong_axis_sum", "keepdims_broadcast", "bias_not_summed")


class Change(NamedTuple):
    """One expression that could stand where another stands."""

    cost: float
    words: tuple[str, ...]
    new: ast.expr
    grows: bool = False  # whether a large array may come of it: (N, 1) against (N,)


@dataclass(frozen=True)
class Sight:
    """What can be seen from a line.

    Attributes
    ----------
    values : dict of str to shape or number
        By path: `A1`, `cache['Z1']`, `self.lam`.
    functions : tuple of str
        The user's functions of one argument.
    target : str
        The name of what the line computes, if it has one.
    shape : tuple of int or None
        The shape of what the line computes, if that is known.
    numpy : str
        The name under which NumPy is known.
    """

    values: dict[str, Any]
    functions: tuple[str, ...] = ()
    target: str = ""
    shape: tuple[int, ...] | None = None
    numpy: str = "np"
    _numbers: dict[Any, str] = field(default_factory=dict, compare=False, repr=False)

    def arrays(self, shape: tuple[int, ...] | None) -> list[str]:
        """The arrays of a shape, those named like the target first."""
        of_shape = [n for n, v in self.values.items() if isinstance(v, tuple) and (v == shape or (shape is None and v))]
        return sorted(of_shape, key=lambda name: digits(name) != digits(self.target))

    def numbers(self) -> list[str]:
        """Numbers to multiply or divide by, each value once: names first, then lengths of axes, then 2."""
        if not self._numbers:
            known = {name: value for name, value in self.values.items() if not isinstance(value, tuple)}
            sizes = {
                f"{name}.shape[{axis}]": size
                for name, shape in self.values.items()
                if isinstance(shape, tuple) and name.replace("_", "a").isalnum()
                for axis, size in enumerate(shape)
            }
            for name, value in [*known.items(), *sizes.items(), ("2", 2)]:
                if value not in (0, 1) and math.isfinite(value):
                    self._numbers.setdefault(value, name)
        return list(self._numbers.values())

    def scalars(self) -> list[str]:
        """The numbers with names that are no counts: strengths of a penalty, rates."""
        return [name for name, value in self.values.items() if isinstance(value, float) and value not in (0, 1)]

    def shape_of(self, node: ast.expr) -> tuple[int, ...] | None:
        """The shape of an expression that is a path to an array."""
        value = self.values.get(ast.unparse(node))
        return value if isinstance(value, tuple) else None


def build(template: str, **parts: Any) -> Any:
    """An expression from a template: `build("a @ b", a=one, b=other)`; texts are read.

    >>> ast.unparse(build("a * (1 - a)", a="A1"))
    'A1 * (1 - A1)'
    """
    nodes = {name: _template(part) if isinstance(part, str) else part for name, part in parts.items()}
    return _Filled(nodes).visit(copy.deepcopy(_template(template)))


@functools.lru_cache(maxsize=4096)
def _template(text: str) -> ast.expr:
    tree = ast.parse(text, mode="eval").body
    for node in ast.walk(tree):
        for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(node, name):
                delattr(node, name)  # the place where it goes decides
    return tree


class _Filled(ast.NodeTransformer):
    def __init__(self, nodes: dict[str, ast.expr]):
        self.nodes = nodes

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.nodes.get(node.id, node)


def is_numpy(node: ast.expr, sight: Sight) -> bool:
    """Whether a node is the name of NumPy."""
    return isinstance(node, ast.Name) and node.id == sight.numpy


def is_numeric(node: ast.expr, sight: Sight) -> bool:
    """Whether a node is a number."""
    value = node.value if isinstance(node, ast.Constant) else sight.values.get(ast.unparse(node))
    return isinstance(value, (int, float))


def is_gradient(name: str) -> bool:
    """Whether a name is that of a cotangent."""
    return name.startswith(("d", "grad", "delta"))


def digits(name: str) -> str:
    """The digits of a name: what says which layer it belongs to."""
    return "".join(letter for letter in name if letter.isdigit())


def stem(name: str) -> str:
    """A name without its digits."""
    return "".join(letter for letter in name if not letter.isdigit())
