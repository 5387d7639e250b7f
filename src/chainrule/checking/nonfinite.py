"""Where NaN or infinity begins, and what to write instead.

The one idea: a value that is not finite has a birthplace: the first equation whose operands are all finite and whose output
is not. Everything after it is a consequence. The same holds for the backward pass, which has birthplaces of its own (the
derivative of sqrt at 0). Which rewrite helps is read off the equations around: the log of a softmax wants `log_softmax`.

>>> print(advice_for("exp", 800.0).split(":")[0])
exp overflows above 709
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checking.kinks import place_of
from chainrule.checking.replay import operands_of, replay
from chainrule.checking.subject import spell_entry
from chainrule.derivation.reverse import derive_vjp
from chainrule.graphs import Equation, Graph, Literal

LARGEST_EXPONENT = {8: 709, 4: 88, 2: 11}  # of exp, by bytes


@dataclass(frozen=True)
class NotFinite:
    """The first equation that makes NaN or infinity.

    Attributes
    ----------
    where : str
        "value" or "gradient".
    primitive : str
        "log", or "vjp of sqrt" in a gradient, "argument" if it came in from outside.
    name : str
        The variable that the equation makes.
    line, code : str
        The user's line, and what stands in it.
    value : float
    index : tuple of int
        The first entry that is not finite; its first number is the row.
    count : int
        How many entries are not finite.
    operands : tuple of (str, float)
        What went in at that entry.
    advice : str
        What to write instead.
    """

    where: str
    primitive: str
    name: str
    line: str
    code: str
    value: float
    index: tuple[int, ...]
    count: int
    operands: tuple[tuple[str, float], ...]
    advice: str

    def __str__(self) -> str:
        at = f" at entry {list(self.index)}" if self.index else ""
        made = f"{spell_entry(self.name, self.index)} = {self.value}" if self.name else f"{self.value}{at}"
        fed = ", ".join(f"{name} = {value:.6g}" for name, value in self.operands)
        more = f" ({self.count:,} entries are not finite)" if self.count > 1 else ""
        place = f", {self.line}" if self.line else ""
        code = f": {self.code}" if self.code else ""
        text = f"the {self.where} is not finite: {self.primitive} gives {made}{more}{place}{code}"
        return text + (f"\n  what went in: {fed}" if fed else "") + (f"\n  {self.advice}" if self.advice else "")


def first_not_finite(graph: Graph, arguments: Sequence[Any], names: Sequence[str] = ()) -> NotFinite | None:
    """Where the value stops being finite; None if it does not.

    Parameters
    ----------
    graph : Graph
        Traced with names and lines.
    arguments : sequence of arrays
    names : sequence of str
        Of the inputs, for one that is not finite itself.
    """
    with np.errstate(all="ignore"):
        values = replay(graph, arguments)
    if all(np.isfinite(o).all() for o in operands_of(graph.outputs, values)):
        return None
    for k, number in enumerate(graph.inputs):
        bad = np.argwhere(~np.isfinite(np.asarray(values[number])))
        if len(bad):
            name = names[k] if k < len(names) else graph.variables[number].name or "an argument"
            index = tuple(map(int, bad[0]))
            advice = "it came in like that: look at where the array is made, with np.isfinite(array).all()"
            return NotFinite(
                "value", "argument", name, "", "", float(np.asarray(values[number])[index]), index, len(bad), (), advice
            )
    for equation in graph.reachable(graph.outputs):
        born = _birth(equation, values)
        if born is not None:
            return _described(graph, equation, values, born, "value", equation.primitive.name)
    return None


def first_not_finite_gradient(graph: Graph, arguments: Sequence[Any], wrt: Sequence[int]) -> NotFinite | None:
    """Where the backward pass of a finite value stops being finite; None if it does not."""
    derived = derive_vjp(graph, wrt, seed_one=True)
    derived.graph.outputs = derived.cotangents
    with np.errstate(all="ignore"):
        values = replay(derived.graph, arguments)
    if all(np.isfinite(o).all() for o in operands_of(derived.cotangents, values)):
        return None
    for equation in derived.graph.reachable(derived.cotangents):
        born = _birth(equation, values)
        if born is None:
            continue
        if equation.step is None:  # a forward value that the loss itself does not need
            return _described(graph, equation, values, born, "gradient", equation.primitive.name)
        source = _source(graph, equation, values)
        rule = equation.step.rule
        if source is None:
            return _described(derived.graph, equation, values, born, "gradient", rule)
        return _described(graph, source, values, born, "gradient", rule, values[equation.output])
    return None


def _birth(equation: Equation, values: Sequence[Any]) -> np.ndarray | None:
    """The entries that are not finite, if the operands all are."""
    operands = operands_of(equation.inputs, values)
    if not all(_finite(o) for o in operands):
        return None
    bad = np.argwhere(~np.isfinite(np.asarray(values[equation.output])))
    return bad if len(bad) else None


def _finite(value: Any) -> bool:
    value = np.asarray(value)
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _source(graph: Graph, derived: Equation, values: Sequence[Any]) -> Equation | None:
    """The forward equation whose rule made a derived one: told by primitive and name, and then by its operands."""
    assert derived.step is not None
    primitive = derived.step.rule.removeprefix("vjp of ")
    alike = [e for e in graph.equations if e.primitive.name == primitive]
    named = [e for e in alike if (graph.variables[e.output].name or "") == derived.step.of]
    read = {i for i in derived.inputs if type(i) is int}
    for e in named or alike:
        if read & {e.output, *(i for i in e.inputs if type(i) is int)}:
            return e
    return (named or alike or [None])[-1]  # type: ignore[list-item]


def _described(
    graph: Graph, equation: Equation, values: Sequence[Any], bad: np.ndarray, where: str, rule: str, made: Any = None
) -> NotFinite:
    index = tuple(map(int, bad[0]))
    operands = operands_of(equation.inputs, values)
    fed = []
    for operand, value in zip(equation.inputs, operands, strict=True):
        value = np.asarray(value)
        if value.dtype.kind in "fiub" and (value.ndim == 0 or value.ndim == len(index)):
            at = tuple(min(i, n - 1) for i, n in zip(index, value.shape, strict=False)) if value.ndim else ()
            fed.append((graph.label(operand) if type(operand) is int else "the number", float(value[at])))
    line, code = place_of(equation.origin)
    output = np.asarray(values[equation.output] if made is None else made)
    value = float(output[index])
    name = graph.variables[equation.output].name or ""
    if where == "gradient":
        name = f"the derivative of {name}" if name else ""
    advice = _advice(graph, equation, [v for _, v in fed], where)
    fed = [(f"operand {k + 1}" if label.startswith("%") else label, v) for k, (label, v) in enumerate(fed)]
    return NotFinite(where, rule, name, line, code, value, index, len(bad), tuple(fed), advice)


# -- what to write instead ---------------------------------------------------------------------------------------------


def advice_for(primitive: str, operand: float, bytes_each: int = 8) -> str:
    """The advice that needs to know the operation and one operand only."""
    if primitive in ("exp", "expm1"):
        return (
            f"exp overflows above {LARGEST_EXPONENT.get(bytes_each, 709)}: subtract the largest entry of the row first, "
            "np.exp(Z - Z.max(axis=1, keepdims=True)), or use cr.nn.softmax or cr.nn.logsumexp, which do"
        )
    if primitive == "sqrt":
        return (
            "sqrt of a negative number is NaN: a difference that should be positive was rounded below 0. "
            "np.sqrt(np.maximum(x, 0)) if that is all, but look at what makes it"
            if operand < 0
            else "the slope of sqrt at 0 is infinite: write np.sqrt(x + 1e-12), or mask with "
            "np.sqrt(np.where(x > 0, x, 1)) where x can be 0"
        )
    if primitive in ("log", "log1p"):
        return (
            "the log of a negative number is NaN: it needs positive numbers"
            if operand < (0 if primitive == "log" else -1)
            else "the log of 0 is -inf: write np.log(np.where(x > 0, x, 1)) and choose what x = 0 should cost, or "
            "np.log(x + 1e-12)"
        )
    if primitive in ("divide", "power"):
        return (
            "a division by 0: mask the denominator first, np.where(b != 0, a / np.where(b != 0, b, 1), 0). A mask around "
            "the quotient alone is too late for some backward passes"
        )
    return "a number too large for its dtype: scale the arguments down, or compute in float64"


def _advice(graph: Graph, equation: Equation, fed: list[float], where: str) -> str:
    made = graph.producers()
    users = [e for e in graph.equations if equation.output in e.inputs]
    operand = equation.inputs[0] if equation.inputs else None
    maker = _maker(made, operand)
    name = equation.primitive.name
    if name in ("log", "log1p") and _is_softmax(made, maker):
        return (
            "the log of a softmax is -inf where a probability is rounded to 0: write cr.nn.log_softmax(Z), or "
            "cr.nn.softmax_cross_entropy(Z, y) on the logits, which never forms it"
        )
    if name in ("log", "log1p"):
        if _is_sigmoid(made, maker) or _is_one_minus_sigmoid(made, maker):
            return (
                "the log of a sigmoid is -inf where the sigmoid is rounded to 0 or 1: write "
                "cr.nn.sigmoid_cross_entropy(Z, y) on the logits, or -cr.nn.softplus(-Z) for log(sigmoid(Z))"
            )
        if _is_one_minus(maker):
            return "log(1 - a) where a is 1, or so near that it is rounded to 1: write np.log1p(-a), and keep a below 1"
        if fed and fed[0] == 0 and any(u.primitive.name == "multiply" for u in users):
            return (
                "0 * log 0 is NaN, though its limit is 0: write p * np.log(np.where(p > 0, p, 1)), which is 0 there in value "
                "and gradient"
            )
    if name == "sqrt" and _is_sum_of_squares(made, maker) and (not fed or fed[0] == 0):
        return (
            "a norm has no derivative at 0: use the squared norm np.sum(x**2), or np.sqrt(np.sum(x**2) + 1e-12); where rows of "
            "zeros are padding, mask them before the square root"
        )
    if name == "exp":
        if any(_is_softplus_use(graph, u) for u in users):
            return "log(1 + e^z) overflows though it is about z: write cr.nn.softplus(z), or sigmoid_cross_entropy on logits"
        if any(_is_sigmoid_use(graph, u) for u in users):
            return "1 / (1 + e^-z) overflows though it is 0 or 1: write cr.nn.sigmoid(z)"
    if name == "divide" and len(fed) == 2 and fed[0] == fed[1] == 0:
        return "0 / 0: " + advice_for("divide", 0.0).split(": ", 1)[1]
    size = graph.variables[equation.output].dtype.itemsize
    return advice_for(name, fed[0] if fed else 0.0, size)


def _maker(made: dict[int, Equation], operand: Any) -> Equation | None:
    """The equation that makes an operand, seen through broadcasts and conversions."""
    while type(operand) is int and operand in made:
        equation = made[operand]
        if equation.primitive.name not in (
            "broadcast_to",
            "convert",
            "reshape",
            "expand_dims",
            "index",
            "negative",
            "where",
        ):
            return equation
        operand = equation.inputs[1 if equation.primitive.name == "where" else 0]
    return None


def _in_call(equation: Equation | None, name: str) -> bool:
    return equation is not None and equation.origin is not None and any(n == name for _, n in equation.origin.calls)


def _is_softmax(made: dict[int, Equation], maker: Equation | None) -> bool:
    if _in_call(maker, "softmax"):
        return True
    if maker is None or maker.primitive.name != "divide":
        return False
    above, below = (_maker(made, i) for i in maker.inputs)
    if above is None or below is None or (above.primitive.name, below.primitive.name) != ("exp", "sum"):
        return False
    summed = _maker(made, below.inputs[0])
    return (
        summed is not None and summed.primitive.name == "exp" and summed.inputs == above.inputs
    )  # it may be spelled twice


def _is_sigmoid(made: dict[int, Equation], maker: Equation | None) -> bool:
    if maker is None:
        return False
    if maker.primitive.name == "sigmoid" or _in_call(maker, "sigmoid"):
        return True
    if maker.primitive.name != "divide":
        return False
    below = _maker(made, maker.inputs[1])
    return (
        below is not None
        and below.primitive.name == "add"
        and any(m is not None and m.primitive.name == "exp" for m in (_maker(made, i) for i in below.inputs))
    )


def _is_one_minus(maker: Equation | None) -> bool:
    return (
        maker is not None
        and maker.primitive.name == "subtract"
        and isinstance(maker.inputs[0], Literal)
        and maker.inputs[0].value == 1
    )


def _is_one_minus_sigmoid(made: dict[int, Equation], maker: Equation | None) -> bool:
    return maker is not None and _is_one_minus(maker) and _is_sigmoid(made, _maker(made, maker.inputs[1]))


def _is_sum_of_squares(made: dict[int, Equation], maker: Equation | None) -> bool:
    if maker is None or maker.primitive.name not in ("sum", "mean"):
        return False
    inner = _maker(made, maker.inputs[0])
    if inner is None:
        return False
    squares = inner.primitive.name == "power" and isinstance(inner.inputs[1], Literal) and inner.inputs[1].value == 2
    return (
        squares
        or inner.primitive.name == "square"
        or len(set(inner.inputs)) == 1
        and inner.primitive.name == "multiply"
    )


def _is_softplus_use(graph: Graph, user: Equation) -> bool:
    return user.primitive.name == "add" and any(
        e.primitive.name == "log" and user.output in e.inputs for e in graph.equations
    )


def _is_sigmoid_use(graph: Graph, user: Equation) -> bool:
    return user.primitive.name == "add" and any(
        e.primitive.name == "divide" and user.output in e.inputs[1:] for e in graph.equations
    )
