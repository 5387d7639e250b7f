"""`check`: a proof that a gradient is right, link by link, beginning with the user's own function.

The one idea: this file only gathers the accused. It takes the call apart, makes callables of it (the function itself in
float64, its trace, the programs that `grad` and `jit` run), and hands them down to the judges in `checking/`, who know
nothing of how they were made.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.arguments import (
    Call,
    Wrt,
    as_float_leaf,
    chosen_arguments,
    function_name,
    is_floating,
    parameter_names,
    take_apart,
)
from chainrule.checking.chain import prove
from chainrule.checking.coverage import usual_budget
from chainrule.checking.report import Report
from chainrule.checking.subject import Program, Subject, Traced, as_points
from chainrule.differentiation import scalar_output, trace_call
from chainrule.errors import ArgumentError, ChainruleError, UnsupportedError
from chainrule.jitting import jit
from chainrule.program import number_names
from chainrule.pytree import flatten
from chainrule.trace import refuse_other_meanings
from chainrule.transforms import grad, hvp

DOUBLE = float(np.finfo(np.float64).eps)


def check(
    function: Callable,
    *args: Any,
    wrt: Wrt | None = None,
    order: int = 1,
    budget: int | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> Report:
    """Prove the gradient of a function at a point, and say where and why it is wrong if it is.

    Parameters
    ----------
    function : callable
        Plain NumPy on arrays, numbers and pytrees of these; returns one number.
    *args, **kwargs
        Where to check. Nothing is written into them. An argument of the function that is called `wrt`, `order`, `budget` or
        `seed` has to be given by position.
    wrt : int, str or tuple, default all arguments that hold floats
        What to differentiate by. Integer and boolean leaves stay as they are.
    order : {1, 2}, default 1
        2 also looks at the Hessian: its symmetry, and its products with vectors against differences of the gradient.
    budget : int, optional
        About how many evaluations of the function the comparison may take: by default 5,000, and fewer, down to 400, for more
        than 10,000 entries. Within it, every entry is compared; beyond it, random directions cover all entries, and a random
        sample is compared one by one.
    seed : int
        Of directions and samples.

    Returns
    -------
    Report
        True when the gradient is proved. `print` shows a table, `to_dict()` gives plain data, `methods()` compares all ways to
        the derivative. ``rows`` has one row for each leaf: method, worst errors, the worst entry with both values, verdict.

    Raises
    ------
    ArgumentError
        If the function's result is not one number, `wrt` names nothing, or nothing is floating.
    DtypeError
        If a leaf that `wrt` names is not floating.
    UnsupportedError
        If the function does what cannot be traced; the message has the line, and what to write instead.

    Notes
    -----
    The chain: the trace gives what the function returns; the *unsimplified* gradient of the trace is what the untraced
    function does when an argument moves, by complex step where that can be trusted and else by extrapolated central
    differences; the simplified programs that run give that gradient to rounding. Everything is judged in float64, whatever
    the arguments are in; what float32 loses is reported apart.

    References
    ----------
    W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> def loss(w, x):
    ...     return np.sum(np.tanh(w * x))
    >>> report = check(loss, np.array([0.5, -1.0]), np.array([2.0, 3.0]))
    >>> bool(report), [row.verdict for row in report.rows]
    (True, ['proved', 'proved'])
    """
    _require_options(order, budget)
    subject = _Accused(function, args, kwargs, wrt).subject(order)
    if budget is None:
        budget = usual_budget(sum(point.size for point in subject.points))
    return prove(subject, order=order, budget=budget, seed=seed)


def _require_options(order: Any, budget: Any) -> None:
    if order not in (1, 2):
        raise ArgumentError(f"order is {order!r}: 1 for the gradient, 2 to look at the Hessian, too")
    if budget is not None and (not isinstance(budget, (int, np.integer)) or budget < 1):
        raise ArgumentError(f"budget is {budget!r}: how many evaluations of the function may be spent, at least 1")


class _Accused:
    """One call of a function, and what can be asked of it."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, wrt: Wrt | None):
        if not callable(function):
            raise ArgumentError(f"check takes a function and its arguments, not a {type(function).__name__}")
        self.function, self.names = function, parameter_names(function)
        self.name = function_name(function).strip("<>")
        _require_arguments(self.name, function, args, kwargs)
        self.given = take_apart(function, args, kwargs, self.names)
        for group in self.given.leaves:
            for leaf in group:
                refuse_other_meanings(leaf)
        self.chosen = self._chosen(wrt)
        self.places = self._places(explicit=wrt is not None)
        self.wide = Call(
            self.given.names,
            [[_wide(leaf) for leaf in group] for group in self.given.leaves],
            self.given.structures,
            self.given.positional,
            self.given.keywords,
        )
        # what `grad` is asked for: the arguments themselves, or, where they also hold integers, the list of their floats
        self.mixed = sum(len(self.given.leaves[a]) for a in self.chosen) != len(self.places)
        self.wrt = tuple(a if a < self.given.positional else self.given.names[a] for a in self.chosen)

    def _chosen(self, wrt: Wrt | None) -> list[int]:
        if wrt is not None:
            return chosen_arguments(self.function, self.given, wrt)
        chosen = [a for a, group in enumerate(self.given.leaves) if any(map(is_floating, group))]
        if not chosen:
            numbers = [
                n for n, g in zip(self.given.names, self.given.leaves, strict=True) if any(type(x) is int for x in g)
            ]
            hint = f': write 2.0 instead of 2, or name it, wrt="{numbers[0]}"' if numbers else ""
            raise ArgumentError(
                f"no argument of {self.name}() is floating, so there is nothing to differentiate by{hint}"
            )
        return chosen

    def _places(self, *, explicit: bool) -> list[tuple[int, int]]:
        places = []
        for argument in self.chosen:
            group = self.given.leaves[argument]
            if not group:
                raise ArgumentError(f"{self.given.names[argument]} holds no array or number")
            for position, leaf in enumerate(group):
                if explicit:  # a Python int is taken as a float; anything else that is none raises with its path
                    as_float_leaf(leaf, functools.partial(self.given.path, argument, position))
                    places.append((argument, position))
                elif is_floating(leaf):
                    places.append((argument, position))
        return places

    # -- calls ---------------------------------------------------------------------------------------------------------
    def arguments(self, leaves: Sequence[Any], *, of: Call | None = None, fresh: bool = False) -> tuple[list, dict]:
        """The arguments of the call with these leaves in it."""
        call = of or self.wide
        groups = [[_copy(leaf) if fresh else leaf for leaf in group] for group in call.leaves]
        for (argument, position), leaf in zip(self.places, leaves, strict=True):
            groups[argument][position] = leaf
        return call.rebuild(groups)

    def call(self, leaves: Sequence[Any], fresh: bool = False) -> Any:
        """The user's own function, untraced."""
        args, kwargs = self.arguments(leaves, fresh=fresh)
        return self.function(*args, **kwargs)

    def own_leaves(self) -> list[Any]:
        """The leaves as they were given, safe from being written into."""
        return [_copy(self.given.leaves[a][p]) for a, p in self.places]

    def of_leaves(self, leaves: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """The function of a list of leaves: what is differentiated where an argument also holds integers."""
        call = take_apart(self.function, args, kwargs, self.names)
        for (argument, position), leaf in zip(self.places, leaves, strict=True):
            call.leaves[argument][position] = leaf
        args, kwargs = call.rebuild(call.leaves)  # type: ignore[assignment]
        return self.function(*args, **kwargs)

    def trace(self, leaves: Sequence[Any], of: Call | None = None) -> Traced:
        """One trace at these leaves."""
        args, kwargs = self.arguments(leaves, of=of, fresh=True)
        with np.errstate(all="ignore"):
            if self.mixed:
                traced = trace_call(self.of_leaves, (list(leaves), *args), kwargs, 0, None, places=True)
            else:
                traced = trace_call(self.function, tuple(args), kwargs, self.wrt, self.names, places=True)
            graph = traced.trace.graph
            graph.outputs = [scalar_output(traced, traced.result)]
        identifiers = self.given.identifiers()
        for number, (argument, position) in zip(traced.wrt_numbers, self.places, strict=True):
            graph.variables[number].name = identifiers[argument][position]
        number_names(graph)
        return Traced(graph, traced.wrt_numbers, [traced.values[n] for n in graph.inputs])

    def gradient(self, derived: Callable, leaves: Sequence[Any], of: Call | None = None) -> list[Any]:
        """The leaves of what a gradient program returns."""
        args, kwargs = self.arguments(leaves, of=of, fresh=True)
        if self.mixed:
            return list(derived(list(leaves), *args, **kwargs))
        return [leaf for tree in derived(*args, **kwargs) for leaf in flatten(tree)[0]]

    # -- what is handed down -------------------------------------------------------------------------------------------
    def subject(self, order: int) -> Subject:
        """Everything that the judges need."""
        eager = grad(self.of_leaves, 0) if self.mixed else grad(self.function, self.wrt)
        staged = jit(eager)

        def run_staged(leaves: Sequence[Any]) -> list[Any]:
            try:
                return self.gradient(staged, leaves)
            except ChainruleError:
                raise
            except Exception as error:  # the user's code, met with sizes that are not numbers
                raise UnsupportedError(f"it cannot be staged: {type(error).__name__}: {error}") from error

        leaves = [self.given.leaves[a][p] for a, p in self.places]
        paths = [self.given.paths(a) for a in range(len(self.given.leaves))]
        dtype = self._coarsest()
        narrow = {} if dtype is None else {"as_given": lambda: self.gradient(eager, self.own_leaves(), self.given),
                                           "trace_given": lambda: self.trace(self.own_leaves(), self.given),
                                           "dtype_given": dtype}  # fmt: skip
        second = {} if order != 2 else {
            "gradient": lambda leaves: self.gradient(eager, leaves), "hessian_product": self._hessian_product,
        }  # fmt: skip
        return Subject(
            name=self.name,
            call=self.call,
            paths=[paths[a][p] for a, p in self.places],
            given=leaves,
            points=as_points(leaves),
            trace=self.trace,
            programs=[
                Program("cr.grad", lambda leaves: self.gradient(eager, leaves)),
                Program("cr.jit and cr.source", run_staged),
            ],
            bystanders=[
                (paths[a][p], leaf)
                for a, group in enumerate(self.wide.leaves)
                for p, leaf in enumerate(group)
                if (a, p) not in self.places and isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fiub"
            ],
            **narrow,  # type: ignore[arg-type]
            **second,  # type: ignore[arg-type]
        )

    def _hessian_product(self, leaves: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
        def flat(*leaves: Any) -> Any:
            return self.call(leaves)

        return list(hvp(flat, tuple(range(len(leaves))))(*leaves, tuple(d[()] for d in directions)))

    def _coarsest(self) -> str | None:
        """The coarsest floating dtype among the arguments, if it is coarser than float64."""
        kinds = {
            leaf.dtype for group in self.given.leaves for leaf in group if is_floating(leaf) and hasattr(leaf, "dtype")
        }
        coarse = max(kinds, key=lambda kind: float(np.finfo(kind).eps), default=np.dtype(np.float64))
        return str(coarse) if float(np.finfo(coarse).eps) > DOUBLE else None


def _require_arguments(name: str, function: Callable, args: tuple, kwargs: dict) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(f"{name}() cannot be called like that: {error}. Its arguments are {signature}") from None


def _wide(leaf: Any) -> Any:
    """A leaf in float64, if it is floating; arrays are copied, so that nothing can be written into the user's."""
    if isinstance(leaf, np.ndarray):
        return np.array(leaf, dtype=np.float64 if leaf.dtype.kind == "f" else leaf.dtype)
    return np.float64(leaf) if isinstance(leaf, np.floating) else leaf


def _copy(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
