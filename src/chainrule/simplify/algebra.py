"""Derived arithmetic brought to its cheapest form: factors cancel, terms meet, scalars gather, sums are taken early.

Walking the graph in order, each derived arithmetic equation gets a form in the variables it is made of; where a form is
needed as a value (by a matrix product, an output, a second use) its cheapest spelling is written. The user's forward
equations are left as they are, but may be looked into: ``1 - A`` is known to be that.

Named rules that come out of it: `common factor`, `like terms meet`, `a quotient of exponentials is the softmax`,
`rows that sum to one`, `softmax with cross-entropy`, `sigmoid with cross-entropy`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.graphs import Equation, Graph, Literal, Operand, Origin, Step, Variable
from chainrule.primitive import apply
from chainrule.primitives import arithmetic, control, exponential, reduction, shaping, special
from chainrule.shapes import SizeExpr
from chainrule.simplify import forms
from chainrule.simplify.forms import LIMIT, Form
from chainrule.simplify.rewriting import Rewriting
from chainrule.sizes import Size

ARITHMETIC = frozenset(
    (
        arithmetic.ADD,
        arithmetic.SUBTRACT,
        arithmetic.MULTIPLY,
        arithmetic.DIVIDE,
        arithmetic.NEGATIVE,
        arithmetic.SQUARE,
        arithmetic.POWER,
    )
)
CARRIERS = frozenset((*ARITHMETIC, shaping.BROADCAST_TO, reduction.SUM))


def rewrite_arithmetic(graph: Graph) -> Graph:
    """The graph with its derived arithmetic in cheapest form."""
    return _Algebra(graph).run()


class _Algebra:
    def __init__(self, graph: Graph):
        self.r = Rewriting(graph)
        self.graph = graph
        self.forms: dict[int, Form] = {}  # of derived variables that may never need to be written
        self.waiting: set[int] = set()  # those of them that are not written yet
        self.consumers: dict[int, list[Equation]] = {}
        for equation in graph.equations:
            for operand in equation.inputs:
                if type(operand) is int:
                    self.consumers.setdefault(operand, []).append(equation)
        self.softmaxes: dict[tuple[int, int], int] = {}  # (exponentials, their sums) -> quotient
        self.rules: set[str] = set()

    def run(self) -> Graph:
        outputs = {o for o in self.graph.outputs if type(o) is int}
        for equation in self.graph.equations:
            self._note_softmax(equation)
            form = self._form_of(equation)
            if form is None:
                for operand in equation.inputs:
                    self._write(operand)
                self.r.keep(equation)
                continue
            self.forms[equation.output] = form
            self.waiting.add(equation.output)
            self.r.made.pop(equation.output, None)
            if equation.output in outputs or not self._can_wait(equation, form):
                self._write(equation.output, equation)
        for output in outputs:
            self._write(output)
        return self.r.finish()

    # -- reading -------------------------------------------------------------------------------------------------
    def _form_of(self, equation: Equation) -> Form | None:
        """The form of an equation that this pass may rewrite, else None."""
        variable = self.r.graph.variables[equation.output]
        if equation.output in self.softmaxes.values():
            return None  # it is what the others are fused to
        if not equation.derived or equation.primitive not in CARRIERS or variable.dtype.kind != "f":
            return None
        parts = [self._operand_form(operand, variable.dtype) for operand in equation.inputs]
        if any(part is None for part in parts):
            return None
        self.rules = set()
        form = self._combine(equation, parts)  # type: ignore[arg-type]
        return form if form is not None and form.size <= 2 * LIMIT else None

    def _operand_form(self, operand: Operand, dtype) -> Form | None:
        operand = self.r.now(operand)
        if isinstance(operand, Literal):
            value = operand.value.item() if isinstance(operand.value, np.generic) else operand.value
            return forms.number(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
        if operand in self.forms:
            form = self.forms[operand]
            small = form.size <= LIMIT and (operand in self.waiting or not self._wide(operand))
            return form if small else forms.variable(operand)
        made = self.r.made.get(operand)
        if made is not None and made.primitive is control.FULL and math.isfinite(made.params[0]):
            return forms.number(made.params[0])
        if made is not None and made.primitive is shaping.CONVERT:
            source = made.inputs[0]
            if type(source) is int and self.r.graph.variables[source].weak:
                return self._operand_form(source, dtype)  # N itself, not N as an array
        if made is not None and made.primitive is shaping.BROADCAST_TO and not made.derived:
            return self._operand_form(made.inputs[0], dtype)
        return forms.variable(operand)

    def _wide(self, operand: int) -> bool:
        return bool(self.r.shape(operand))

    def _combine(self, equation: Equation, parts: list[Form]) -> Form | None:
        primitive = equation.primitive
        if primitive is arithmetic.ADD:
            return self._fused(forms.add(*parts))
        if primitive is arithmetic.SUBTRACT:
            return self._fused(forms.subtract(*parts))
        if primitive is arithmetic.NEGATIVE:
            return forms.scale(parts[0], -1)
        if primitive is arithmetic.MULTIPLY:
            return self._fused(forms.multiply(*parts))
        if primitive is arithmetic.DIVIDE:
            return self._fused(forms.multiply(parts[0], forms.power(parts[1], -1))) if parts[1].terms else None
        if primitive is arithmetic.SQUARE:
            return forms.power(parts[0], 2)
        if primitive is shaping.BROADCAST_TO:
            return parts[0]
        if primitive is arithmetic.POWER:
            exponent = parts[1].single if parts[1].terms else ((), Fraction(0))
            if exponent is None or exponent[0] or exponent[1].denominator != 1 or not 1 <= exponent[1] <= 4:
                return None
            return forms.power(parts[0], int(exponent[1]))
        return self._sum(equation, parts[0])

    def _fused(self, form: Form) -> Form:
        """exp(S) / sum(exp(S)) is the softmax of S, once it is there."""
        terms = []
        for factors, coefficient in form.terms:
            powers = dict(factors)
            for base, exponent in factors:
                if exponent > 0 and type(base) is int and powers.get(base, 0) > 0:
                    sums = self._sums_of(base)
                    if sums is not None and powers.get(sums, 0) < 0:
                        quotient = self._softmax(base, sums)
                        for key, change in ((base, -1), (sums, 1), (quotient, 1)):
                            powers[key] = powers.get(key, 0) + change
            terms.append((tuple(sorted(((b, e) for b, e in powers.items() if e), key=forms._order)), coefficient))
        return forms._collect(terms)

    def _sums_of(self, exponentials: int) -> int | None:
        """The row sums of exp(S), kept as a column, if the graph has them."""
        if self.r.made_by(exponentials, exponential.EXP) is None:
            return None
        for equation in self.consumers.get(exponentials, ()):
            if equation.primitive is reduction.SUM and equation.params[1]:
                return self.r.now(equation.output)  # type: ignore[return-value]
        return None

    def _note_softmax(self, equation: Equation) -> None:
        if equation.primitive is arithmetic.DIVIDE:
            a, b = self.r.inputs(equation)
            broadcast = self.r.made_by(b, shaping.BROADCAST_TO)
            b = broadcast.inputs[0] if broadcast is not None else b
            if type(a) is int and type(b) is int and self._sums_of(a) == b:
                self.softmaxes.setdefault((a, b), equation.output)

    def _softmax(self, exponentials: int, sums: int) -> int:
        known = self.softmaxes.get((exponentials, sums))
        if known is not None:
            return known
        r = self.r
        r.trace.step = Step("simplify: a quotient of exponentials is the softmax")
        quotient = self._kept(lambda: r.value(exponentials) / r.value(sums))
        if r.graph.variables[quotient].name is None:
            r.graph.variables[quotient].name = "P"
        self.softmaxes[exponentials, sums] = quotient
        return quotient

    def _kept(self, build: Callable[[], Any], origin: Origin | None = None) -> int:
        """The variable that a piece of NumPy on traced values makes, its equations kept or met again."""
        start = len(self.r.graph.equations)
        value = build()
        new = self.r.graph.equations[start:]
        del self.r.graph.equations[start:]
        for one in new:
            one.origin = one.origin or origin
            self.r.keep(one)
        number = self.r.now(value.number)
        assert type(number) is int
        return number

    def _sum(self, equation: Equation, form: Form) -> Form | None:
        """A sum: what does not change along its axes comes out, rows that sum to one are one."""
        axes, keepdims = equation.params
        operand = equation.inputs[0]
        shape = self.r.shape(self.r.now(operand)) if type(operand) is int else ()
        if type(operand) is not int:
            return None
        shape = self.r.shape(operand)
        if not form.terms:
            return form
        number = self.r.now(operand)
        known = self._known_sum(self.forms.get(number, form), shape, axes, keepdims)  # type: ignore[arg-type]
        if known is not None:
            self.rules.add("rows that sum to one")
            return known
        form = forms.cheapest(form, self._weight(shape), self._definition)
        product = forms.factored(form).single
        if product is None:
            return None
        factors, coefficient = product
        outside = [(b, e) for b, e in factors if self._constant_along(b, shape, axes, keepdims)]
        inside = [f for f in factors if f not in outside]
        result = Form(((tuple(outside), coefficient),))
        if not inside:
            return forms.multiply(result, self._count([shape[axis] for axis in axes]))
        if len(inside) == 1 and inside[0][1] == 1 and self._sums_to_one(inside[0][0], axes):
            return result
        if not outside and coefficient == 1 and len(inside) == 1 and inside[0] == (self.r.now(operand), 1):
            return None  # nothing to gain: a plain sum of a variable
        self.r.trace.step = equation.step
        dtype = self.r.graph.variables[operand].dtype
        inner = self._kept(lambda: self._spell(Form(((tuple(inside), Fraction(1)),)), shape, dtype))
        own = self.r.shape(inner)
        missing = len(shape) - len(own)  # axes along which only a broadcast made copies: counted, not summed
        copies = [shape[axis] for axis in axes if axis < missing or own[axis - missing] != shape[axis]]
        present = tuple(axis - missing for axis in axes if axis >= missing)
        if present:
            inner = self._kept(lambda: np.sum(self.r.value(inner), axis=present, keepdims=keepdims))
        summed = forms.variable(inner)
        return forms.multiply(forms.multiply(result, self._count(copies)), summed)

    def _known_sum(self, form: Form, shape: tuple, axes: tuple, keepdims: bool) -> Form | None:
        """The sum of a form whose every term is a known row sum, or does not change along the axes."""
        if form.size > LIMIT:
            return None
        total = Form(())
        for factors, coefficient in forms.expanded(form, lambda _: None).terms:
            outside = tuple((b, e) for b, e in factors if self._constant_along(b, shape, axes, keepdims))
            inside = [f for f in factors if f not in outside]
            term = Form(((outside, coefficient),))
            if len(inside) != 1 or inside[0][1] != 1 or not self._sums_to_one(inside[0][0], axes):
                return None
            total = forms.add(total, term)
        return total

    def _count(self, dims: list) -> Form:
        form = forms.number(1)
        for dim in dims:
            if isinstance(dim, SizeExpr):
                form = forms.multiply(form, forms.variable(self._kept(Size(self.r.trace, dim).tracer)))
            else:
                form = forms.scale(form, dim)
        return form

    def _constant_along(self, base: Any, shape: tuple, axes: tuple, keepdims: bool) -> bool:
        if isinstance(base, Form):
            return all(
                self._constant_along(inner, shape, axes, keepdims) for factors, _ in base.terms for inner, _ in factors
            )
        own = self.r.shape(base)
        offset = len(shape) - len(own)
        if all(axis < offset for axis in axes):
            return True
        return keepdims and all(axis < offset or own[axis - offset] == 1 for axis in axes)

    def _sums_to_one(self, base: Any, axes: tuple) -> bool:
        if type(base) is not int or len(axes) != 1:
            return False
        rows = self.r.made_by(base, control.ONE_HOT)
        if rows is not None:
            return rows.params[1] == axes[0]
        for (_, sums), quotient in self.softmaxes.items():
            if quotient == base:
                return self.r.made[sums].params[0] == axes
        return False

    # -- writing -------------------------------------------------------------------------------------------------
    def _can_wait(self, equation: Equation, form: Form) -> bool:
        """Whether the value is not needed by itself: its uses take the form instead."""
        consumers = self.consumers.get(equation.output, [])
        if not consumers or any(not c.derived or c.primitive not in CARRIERS for c in consumers):
            return False
        if len(consumers) > 1 and self._wide(equation.output) and form.size > 4:
            return False
        return form.size <= LIMIT

    def _write(self, operand: Operand, equation: Equation | None = None) -> None:
        """Make sure that a waiting variable has its value."""
        if type(operand) is not int or operand not in self.waiting:
            return
        self.waiting.discard(operand)
        variable = self.r.graph.variables[operand]
        equation = equation or next(e for e in self.graph.equations if e.output == operand)
        shape = self.r.shape(operand)
        self.rules = set()
        form = self._chosen(self.forms[operand], shape)
        names = sorted(self.rules)
        of = equation.step.of if equation.step else ""
        rule = f"simplify: {names[0]}" if names else (equation.step.rule if equation.step else "")
        self.r.trace.step = Step(rule, of, equation.step.reason if equation.step else "")
        number = self._kept(lambda: self._written(form, shape, variable), equation.origin)
        self.r.put(operand, number)
        if form.single != (((number, 1),), Fraction(1)):
            self.forms[number] = form

    def _written(self, form: Form, shape: tuple, variable: Variable) -> Any:
        """The form in the shape and dtype of the variable that it stands for."""
        value = self._spell(form, shape, variable.dtype)
        if value.weak and not variable.weak:
            value = self.r.in_dtype(value, variable.dtype)
        if self.r.shape(value.number) != shape:
            value = apply(shaping.BROADCAST_TO, value, params=(shape,))
        return value

    def _chosen(self, form: Form, shape: tuple) -> Form:
        chosen = forms.cheapest(form, self._weight(shape), self._definition)
        if chosen != form:
            self.rules.add(self._name_of_rule(form, chosen))
        return chosen

    def _name_of_rule(self, before: Form, after: Form) -> str:
        """What a reader knows the rewrite by: P - Y and A - Y are told, the rest only tidies up."""
        inner = [b for factors, _ in after.terms for b, _ in factors if isinstance(b, Form)]
        for form in (after, *inner):
            alone = [factors[0][0] for factors, c in form.terms if c > 0 and len(factors) == 1 and factors[0][1] == 1]
            if not any(c < 0 for _, c in form.terms):
                continue
            if set(alone) & set(self.softmaxes.values()):
                return "softmax with cross-entropy"
            if any(type(b) is int and self.r.made_by(b, special.SIGMOID) for b in alone) and len(form.terms) == 2:
                return "sigmoid with cross-entropy"
        return "like terms meet" if after.size < before.size else "common factor"

    def _definition(self, base: int) -> Form | None:
        """What a variable is made of, one level down, where looking into it may help."""
        made = self.r.made.get(base)
        if made is None or self.r.graph.variables[base].dtype.kind != "f":
            return None
        inputs = made.inputs
        if made.primitive is special.SIGMOID:
            negated = self.r.made_by(inputs[0], arithmetic.NEGATIVE)
            mirrored = self.r.known.get((special.SIGMOID, negated.inputs, ())) if negated is not None else None
            return forms.subtract(forms.number(1), forms.variable(mirrored)) if mirrored is not None else None
        if made.primitive not in (arithmetic.ADD, arithmetic.SUBTRACT, arithmetic.NEGATIVE):
            return None
        parts = [self._operand_form(i, None) for i in inputs]
        if any(part is None or part.single is None for part in parts):
            return None
        if made.primitive is arithmetic.NEGATIVE:
            return forms.scale(parts[0], -1)  # type: ignore[arg-type]
        return (forms.add if made.primitive is arithmetic.ADD else forms.subtract)(*parts)  # type: ignore[arg-type]

    def _weight(self, shape: tuple):
        """The size of a variable beside an array of that shape: by axes, not by numbers, so that sizes stay free."""
        full = _long_axes(shape)

        def weight(base: int) -> float:
            own = self.r.shape(base)
            return 0.01 if not own else 1.0 if _long_axes(own) >= full else 0.1

        return weight

    def _spell(self, form: Form, shape: tuple, dtype) -> Any:
        """The form in NumPy on traced values."""
        if not form.terms:
            return self.r.full(0, shape, dtype)
        total = None
        for factors, coefficient in sorted(form.terms, key=lambda term: term[1] < 0):
            negative = coefficient < 0 and total is not None
            part = self._spell_product(factors, -coefficient if negative else coefficient, shape, dtype)
            total = part if total is None else total - part if negative else total + part
        if not hasattr(total, "variable"):
            return self.r.full(total, (), dtype)
        return total

    def _spell_product(self, factors, coefficient: Fraction, shape: tuple, dtype) -> Any:
        above: list = []
        below: list = []
        scalars_above: list = []
        scalars_below: list = []
        for base, exponent in factors:
            value = self._spell(base, shape, dtype) if isinstance(base, Form) else self.r.value(base)
            scalar = value.ndim == 0
            target = (scalars_above if scalar else above) if exponent > 0 else (scalars_below if scalar else below)
            for _ in range(abs(exponent) // 2):
                target.append(value**2)
            if exponent % 2:
                target.append(value)
        return _assemble(above, below, scalars_above, scalars_below, coefficient)


def _long_axes(shape: tuple) -> int:
    return sum(1 for dim in shape if dim != 1)


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _assemble(above, below, scalars_above, scalars_below, coefficient: Fraction) -> Any:
    """Scalars gathered first, small arrays before large ones, one division at the end."""
    negative = coefficient == -1
    scalar: Any = None
    if not negative and coefficient != 1 or not above:
        exact = coefficient.denominator == 1 or float(coefficient) == coefficient
        scalar = _number(coefficient) if exact else coefficient.numerator / coefficient.denominator
        negative = False
    for one in scalars_above:
        scalar = one if scalar is None or type(scalar) in (int, float) and scalar == 1 else scalar * one
    divide_last = scalar is None or not above
    if not divide_last:
        for one in scalars_below:
            scalar = scalar / one
    total: Any = None
    for one in sorted(above, key=lambda x: _long_axes(x.variable.shape)):
        total = one if total is None else total * one
    if total is None:
        total = scalar
    elif scalar is not None:
        total = scalar * total
    if negative:
        total = -total
    for one in below:
        total = total / one
    if divide_last:
        for one in scalars_below:
            total = total / one
    return total
