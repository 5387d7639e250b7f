"""The accused: the user's own function as a function of arrays, its trace, and the programs made of it.

The one idea: everything that is judged here is handed in from above, as plain callables and one graph. So the judges need
to know neither tracing nor compiling, and cannot be talked into anything by them.

A `Subject` counts how often the function was called, and notices what makes a proof worthless: a function that answers
differently when asked again, or one that writes into its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.checking.replay import float64, reached_by
from chainrule.errors import ArgumentError
from chainrule.graphs import Graph

SAME = 64 * np.finfo(np.float64).eps  # of the value: two calls, or a call and its trace


@dataclass
class Traced:
    """One trace: the graph, its differentiated inputs, and the arguments in the order of the graph's inputs."""

    graph: Graph
    wrt: list[int]
    arguments: list[Any]


@dataclass
class Program:
    """A gradient program that users run.

    Attributes
    ----------
    name : str
        "cr.grad", "cr.jit and cr.source".
    run : callable
        ``run(leaves) -> one gradient for each leaf``; raises ChainruleError where there is no such program.
    """

    name: str
    run: Callable[[Sequence[Any]], list[Any]]


@dataclass
class Subject:
    """What is judged.

    Attributes
    ----------
    name : str
        The user's function's name.
    call : callable
        ``call(leaves, fresh) -> number``: the function itself, untraced, all other arguments as given but in float64.
        Leaves may be complex. `fresh` asks for copies of the rest, too.
    paths : list of str
        `W1`, `params['b'][0]`: one for each leaf.
    given : list
        The leaves as the user gave them.
    points : list of ndarray of float64
    trace : callable
        ``trace(leaves) -> Traced`` at a point, in float64.
    programs : list of Program
    as_given : callable or None
        The gradient by `cr.grad` at the user's own arguments, where these are not all in float64.
    trace_given : callable or None
        A trace of that call.
    dtype_given : str
        The coarsest dtype among the user's floating arguments.
    gradient, hessian_product : callable or None
        For second order: what `cr.grad` runs, and ``hessian_product(leaves, directions)``.
    bystanders : list of (str, ndarray)
        Arrays that the function sees besides the leaves: to notice when it writes into them.
    """

    name: str
    call: Callable[[Sequence[Any], bool], Any]
    paths: list[str]
    given: list[Any]
    points: list[np.ndarray]
    trace: Callable[[Sequence[Any]], Traced]
    programs: list[Program]
    as_given: Callable[[], list[Any]] | None = None
    trace_given: Callable[[], Traced] | None = None
    dtype_given: str = "float64"
    gradient: Callable[[Sequence[Any]], list[Any]] | None = None
    hessian_product: Callable[[Sequence[Any], Sequence[Any]], list[Any]] | None = None
    bystanders: list[tuple[str, np.ndarray]] = field(default_factory=list)
    evaluations: int = 0
    copies: bool = False

    def leaves(self, position: int | None = None, array: np.ndarray | None = None) -> list[Any]:
        """The leaves in the kinds in which they were given, one of them replaced."""
        everything = list(self.points)
        if position is not None and array is not None:
            everything[position] = array
        return [in_kind(given, value, self.copies) for given, value in zip(self.given, everything, strict=True)]

    def value(self, leaves: Sequence[Any]) -> Any:
        """What the function returns for these leaves; NumPy's warnings are not the user's business here."""
        self.evaluations += 1
        with np.errstate(all="ignore"):
            return self.call(leaves, self.copies)

    def at(self, position: int, where: Any, weights: Any, step: complex) -> Any:
        """The value when some entries of one leaf move by ``step * weights``."""
        kind = np.complex128 if isinstance(step, complex) else np.float64
        moved = np.array(self.points[position], dtype=kind, order="C")
        moved.reshape(-1)[where] += step * weights
        return self.value(self.leaves(position, moved))

    def moved(self, directions: Sequence[np.ndarray], step: float) -> list[Any]:
        """The leaves when all of them move."""
        return [
            in_kind(given, point + step * direction, True)
            for given, point, direction in zip(self.given, self.points, directions, strict=True)
        ]


def in_kind(given: Any, value: np.ndarray, copy: bool = False) -> Any:
    """An array in the kind in which the user gave it: array, NumPy scalar or Python number."""
    if isinstance(given, np.ndarray):
        return value.copy() if copy else value
    return value[()] if isinstance(given, np.generic) else value.item()


def one_number(result: Any, name: str) -> Any:
    """The function's result if it is one real number; else an ArgumentError that says what to write."""
    if result is None:
        raise ArgumentError(f"{name}() returned None: check needs one number. Is a `return` missing?")
    if isinstance(result, (tuple, list, dict)):
        kind = type(result).__name__
        where = "[0]" if not isinstance(result, dict) else f"[{next(iter(result), 'loss')!r}]"
        raise ArgumentError(
            f"{name}() returned a {kind} of {len(result)}: check needs one number. Check the part that is the loss: "
            f"cr.check(lambda *args: {name}(*args){where}, ...)"
        )
    shape = getattr(result, "shape", None)
    if shape is None and type(result) not in (int, float):
        raise ArgumentError(f"{name}() returned a {type(result).__name__}: check needs one number")
    if shape:
        raise ArgumentError(
            f"{name}() returned an array of shape {tuple(shape)}: check needs one number. Return np.sum(...) or "
            "np.mean(...) of it; for every entry by every argument there is cr.jacobian"
        )
    dtype = np.asarray(result).dtype
    if dtype.kind != "f" and type(result) is not int:
        raise ArgumentError(f"{name}() returned a number of dtype {dtype}: check needs a float")
    return result


def same_number(left: Any, right: Any) -> bool:
    """Whether two values of one function are the same to rounding; NaN is NaN again."""
    one, other = float(np.real(left)), float(np.real(right))
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or bool(abs(one - other) <= SAME * max(abs(one), abs(other)))


@dataclass
class Witness:
    """What two calls at the same point showed.

    Attributes
    ----------
    value : number
        What the function returns.
    problems, notes : list of str
        What makes a proof impossible, and what is only worth saying. A function that answers differently cannot be judged
        by differences. One that writes into its arguments can, on copies: it is told so.
    """

    subject: Subject
    value: Any = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        subject, name = self.subject, self.subject.name
        self.kept = [array.copy() for _, array in self._seen()]
        self.value = one_number(subject.value(subject.leaves()), name)
        self.look_for_changes()
        second = subject.value(subject.leaves())
        if not same_number(self.value, second):
            self.problems.append(
                f"{name}() is not deterministic: two calls with the same arguments gave {float(self.value)!r} and "
                f"{float(second)!r}. Nothing can be proved of it by differences. Draw random numbers (dropout masks, noise) "
                "outside and pass them as arguments, make a fresh generator from a seed inside, and keep no counters"
            )

    def _seen(self) -> list[tuple[str, np.ndarray]]:
        return [*zip(self.subject.paths, self.subject.points, strict=True), *self.subject.bystanders]

    def look_for_changes(self) -> bool:
        """Whether an argument was written into since the beginning; it is then told, put right, and copied from now on."""
        found = False
        for (path, array), before in zip(self._seen(), self.kept, strict=True):
            changed = np.argwhere(~((array == before) | (np.isnan(array) & np.isnan(before))))
            if not len(changed):
                continue
            found = self.subject.copies = True
            index = tuple(map(int, changed[0]))
            self.notes.append(
                f"{self.subject.name}() writes into its argument {spell_entry(path, index)}: it was {before[index]:.6g} before "
                f"the call and {array[index]:.6g} after it, so a second call sees other numbers. Write into a copy "
                f"({path} = {path}.copy()), or write x = x - m instead of x -= m. Judged on fresh copies"
            )
            array[...] = before
        return found


def spell_entry(path: str, index: tuple[int, ...]) -> str:
    """`W1[3, 17]`; a number alone has no index."""
    return f"{path}[{', '.join(map(str, index))}]" if index else path


def epsilon(graph: Graph, wrt: Sequence[int]) -> float:
    """The coarsest rounding on the way: a function that computes in float32 inside is no better than that."""
    on_the_way = reached_by(graph, wrt)
    kinds = [graph.variables[n].dtype for n in on_the_way if graph.variables[n].dtype.kind == "f"]
    return max((float(np.finfo(kind).eps) for kind in kinds), default=float(np.finfo(np.float64).eps))


def as_points(leaves: Sequence[Any]) -> list[np.ndarray]:
    """Float64 copies of leaves, in one piece."""
    return [np.array(float64(leaf), order="C") for leaf in leaves]
