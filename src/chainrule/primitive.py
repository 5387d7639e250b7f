"""What a primitive is, the registry, and how a function of `cr.nn` becomes a named call.

The one idea: everything true of an operation is said once, where it is defined. Three constructors say how the
derivative is stated:

- `elementwise(np.tanh, partials=(lambda x, y: 1 - y * y,))`: one partial derivative for each operand, from which both
  vjp and jvp follow;
- `linear("sum", ..., transposes=(...))`: one transpose for each operand in which it is linear; its jvp is itself;
- `general("max", ..., vjp=..., jvp=...)`: both are stated, and a law test holds them together.

Rules are plain NumPy on values that may be traced. They never broadcast (the tracer records that as an equation of its
own), so an elementwise rule sees operands of one shape, or Python scalars. Operands come first, then the output `y`,
then the parameters in order. A rule that answers None has no derivative by that operand.

This file never looks at the tracer: a traced value is a `Recorder`, and `apply` hands the operation to its trace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.index_form import entrywise
from chainrule.pytree import Recorder

Rule = Callable[..., Any]


@dataclass(eq=False, slots=True, kw_only=True)
class Primitive:
    """One operation with everything that is known of it; compared and hashed by identity.

    Attributes
    ----------
    name : str
        The name in a graph's text form.
    forward : callable
        ``forward(*operands, *params)`` on arrays.
    shape_rule : callable
        ``shape_rule(*operands, *params) -> shape`` on anything with ``shape``, ``ndim`` and ``dtype``.
    dtype_rule : callable
        ``dtype_rule(*operands, *params) -> dtype``.
    kind : str
        "elementwise", "linear" or "general".
    rules : tuple of callable
        Partials, transposes or vjps, one for each operand; the last one repeats when there are more operands.
    jvp : callable or None
        ``jvp(tangents, operands, y, params)`` for "general".
    singular : bool
        Whether a partial may overflow or be NaN somewhere; behind an `np.where` the product with the cotangent is then
        selected, so that the branch not taken cannot poison the gradient.
    complex_step : str
        "yes", "rule" (with `analytic`, its analytic extension) or "no".
    """

    name: str
    forward: Rule
    shape_rule: Rule
    dtype_rule: Rule
    kind: str
    rules: tuple[Rule | None, ...] = ()
    jvp: Rule | None = None
    param_names: tuple[str, ...] = ()
    default_params: tuple = ()  # what a plain call by its ufunc has
    singular: bool = False
    complex_step: str = "yes"
    analytic: Rule | None = None
    operator: Rule | None = None  # Python's own operator: weak scalars stay weak through it
    resolve: Rule | None = None  # (params, varying) -> params, once it is known which operands depend on arguments
    latex: str = ""
    kinks: str = ""
    broadcasts: bool = False  # operands are brought to one shape before it
    converts_from: int | None = None  # operands from this one on are brought to the result's dtype before it
    variadic: bool = False  # any number of operands; its one rule takes the operand's index first
    samples: Callable[[np.random.Generator], list[tuple[tuple, tuple]]] | None = None
    helper: str = ""  # "module:function" that emitted source defines and calls, when NumPy has none
    spell: Rule | None = None  # how source writes it, when it is not `np.<name>(...)`
    index_form: Rule | None = None  # one entry of the output as a formula, see `index_form.py`; None: not expressible
    doc: str = field(default="")

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self):
        return registered, (self.name,)

    def rule(self, index: int) -> Rule | None:
        """The derivative rule of operand `index`."""
        if not self.rules:
            return None
        return self.rules[min(index, len(self.rules) - 1)]

    def vjp(self, index: int, y_bar, y, operands: tuple, params: tuple):
        """The cotangent of operand `index`, from the cotangent of the output."""
        rule = self.rule(index)
        if rule is None:
            return None
        if self.variadic:
            return rule(index, y_bar, operands, params)
        if self.kind == "elementwise":
            return y_bar * rule(*operands, y, *params)
        if self.kind == "linear":
            return rule(y_bar, *operands, *params)
        return rule(y_bar, *operands, y, *params)

    def tangent(self, tangents: tuple, operands: tuple, y, params: tuple):
        """The output's tangent; `tangents` has None where an operand does not move."""
        if self.kind == "general":
            assert self.jvp is not None
            return self.jvp(tangents, operands, y, params)
        total = None
        for index, x_dot in enumerate(tangents):
            rule = self.rule(index)
            if x_dot is None or rule is None:
                continue
            if self.kind == "elementwise":
                part = x_dot * rule(*operands, y, *params)
            else:
                part = apply(self, *operands[:index], x_dot, *operands[index + 1 :], params=params)
            total = part if total is None else total + part
        return total


REGISTRY: dict[str, Primitive] = {}  # every primitive, by name
UFUNCS: dict[np.ufunc, Any] = {}  # NumPy ufunc -> the primitive that records it, or a function that does
FUNCTIONS: dict[Callable, Callable] = {}  # NumPy function -> handler that normalises its arguments


def register(primitive: Primitive) -> Primitive:
    """Enter a primitive into the registry; names are unique."""
    if primitive.name in REGISTRY:
        raise ValueError(f"a primitive named {primitive.name!r} exists already")
    REGISTRY[primitive.name] = primitive
    return primitive


def registered(name: str) -> Primitive:
    """The primitive of that name (pickle uses it)."""
    return REGISTRY[name]


def apply(primitive: Primitive, *operands, params: tuple = ()):
    """Run a primitive, or have it recorded by the highest trace among its operands."""
    top = None
    for operand in operands:
        if isinstance(operand, Recorder) and (top is None or operand.level > top.level):
            top = operand
    if top is None:
        return primitive.forward(*operands, *params)
    return top.trace.record(primitive, operands, params)


def handles(*functions: Callable) -> Callable[[Callable], Callable]:
    """Enter the decorated handler as what records these NumPy functions."""

    def enter(handler: Callable) -> Callable:
        for function in functions:
            FUNCTIONS[function] = handler
        return handler

    return enter


_BOOL = np.dtype(np.bool_)


@functools.cache
def ufunc_dtype(ufunc: np.ufunc, inputs: tuple) -> np.dtype:
    """The result dtype of a ufunc; an input is a dtype or, when weak, a Python scalar type."""
    return ufunc.resolve_dtypes((*inputs, *(None,) * ufunc.nout))[ufunc.nin]


def weak_type(operand) -> Any:
    """What dtype resolution sees of an operand: `int`, `float`, `bool` for weak ones, else the dtype."""
    kind = type(operand)
    if kind is float or kind is int or kind is complex:
        return kind
    if kind is bool:
        return _BOOL  # NumPy takes Python's bool for its own
    if getattr(operand, "weak", False):
        return int if operand.dtype.kind in "iu" else float if operand.dtype.kind == "f" else operand.dtype
    return operand.dtype


def elementwise(
    function: Callable,
    partials: tuple[Rule | None, ...] = (),
    *,
    name: str | None = None,
    samples=None,
    dtype_rule: Rule | None = None,
    entry: Rule | None = None,
    **facts,
) -> Primitive:
    """Register an elementwise primitive from its partial derivatives.

    A ufunc gives name, dtype rule and the hook under which NumPy calls it. `partials[i](*operands, y, *params)`.
    `entry(*operands, *params)` is its index form, from those of the operands.
    """
    if isinstance(function, np.ufunc):
        ufunc = function

        def ufunc_rule(*operands):
            return ufunc_dtype(ufunc, tuple(map(weak_type, operands)))

        dtype_rule = dtype_rule or ufunc_rule
    primitive = register(
        Primitive(
            name=name or function.__name__,
            forward=function,
            kind="elementwise",
            rules=partials,
            shape_rule=same_shape,
            dtype_rule=dtype_rule or float_dtype,
            samples=samples,
            index_form=entry and entrywise(entry),
            **{"broadcasts": True, "converts_from": 0, **facts},
        )
    )
    if isinstance(function, np.ufunc):
        UFUNCS[function] = primitive
    return primitive


def linear(name: str, forward: Callable, transposes: tuple[Rule | None, ...], shape_rule: Rule, **facts) -> Primitive:
    """Register a primitive that is linear in each operand for which a transpose is given."""
    facts.setdefault("dtype_rule", first_dtype)
    return register(
        Primitive(name=name, forward=forward, kind="linear", rules=transposes, shape_rule=shape_rule, **facts)
    )


def general(
    name: str, forward: Callable, vjps: tuple[Rule | None, ...], jvp: Rule | None, shape_rule: Rule, **facts
) -> Primitive:
    """Register a primitive with vjp and jvp both stated."""
    facts.setdefault("dtype_rule", first_dtype)
    return register(
        Primitive(name=name, forward=forward, kind="general", rules=vjps, jvp=jvp, shape_rule=shape_rule, **facts)
    )


def same_shape(*operands):
    """The shape rule of elementwise primitives: operands agree, or are scalars without a shape."""
    for operand in operands:
        shape = getattr(operand, "shape", ())
        if shape:
            return shape
    return ()


def first_dtype(x, *_):
    """The dtype rule of primitives that only move values: the first operand's dtype."""
    return x.dtype


def float_dtype(x, *_):
    """The dtype rule of our own smooth functions: floats stay, integers become float64."""
    dtype = weak_type(x)
    if dtype is int or dtype is float:
        return np.dtype(np.float64)
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def named(function: Callable) -> Callable:
    """Mark a plain NumPy function as a named call: its equations carry a scope that a view can fold.

    On arrays it is called as it is. On traced values the trace notes where the call begins and ends.
    """

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        for arg in args:
            if isinstance(arg, Recorder):
                return arg.trace.call(function, args, kwargs)
        for arg in kwargs.values():
            if isinstance(arg, Recorder):
                return arg.trace.call(function, args, kwargs)
        return function(*args, **kwargs)

    wrapper.is_named = True  # type: ignore[attr-defined]
    return wrapper
