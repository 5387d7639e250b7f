"""Both layouts: samples as rows and samples as columns, side by side.

The one idea: one layout is the transpose of the other. Every array of two axes stands for its transpose, a vector that is
added to rows for a column, and an equation is transposed on both sides: `Z = X W + b` becomes `Z = W X + b` with other
shapes, and `dW = X^T dZ` becomes `dW = dZ X^T`. Letters stay; what they mean turns round.
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
    MatrixForm,
    Negative,
    Number,
    Outer,
    Power,
    Product,
    Quotient,
    Reduced,
    Relation,
    Scaled,
    Size,
    Symbol,
    Transposed,
    Verbatim,
    children,
)
from chainrule.show.derived import Derived
from chainrule.show.document import Block, Equations, Row, SideBySide
from chainrule.show.writing import Statement

ROWS, COLUMNS = "samples are rows", "samples are columns"


def both(derivation: Derived, of: str = "") -> tuple[Block, ...]:
    """Forward and backward in the derivation's own layout and in the other one."""
    backward = derivation.needed_for(of) if of else derivation.backward_lines
    columns = samples_are_columns(derivation)
    own, turned = [], []
    for statement in [*(s for s in derivation.forward_lines if _plain(derivation, s)), *backward]:
        call = next((c for c in derivation.calls if c.output == statement.name), None)
        form = statement.best if call is None else call.form
        own.append(Row(Symbol(statement.name), (form,), statement.shape))
        other = transposed_form(
            form, lambda name: derivation.facts[name].ndim if name in derivation.facts else 0, columns
        )
        if other is not None:
            turned.append(Row(Symbol(statement.name), (other,), shape_turned(derivation, statement.name, columns)))
    titles = (COLUMNS, ROWS) if columns else (ROWS, COLUMNS)
    return (SideBySide(titles[0], (Equations(tuple(own)),), titles[1], (Equations(tuple(turned)),)),)


def samples_are_columns(derivation: Derived) -> bool:
    """Whether the weights stand on the left; else, whether the batch is the last axis of the pre-activations."""
    for statement in derivation.forward_lines:
        for product in products_in(statement.form):
            left, right = (_is_weight(derivation, name) for name in (_name_of(product.left), _name_of(product.right)))
            if left != right:
                return left
    for facts in derivation.facts.values():
        if facts.role in ("pre-activation", "data") and facts.ndim == 2:
            return not facts.shape.strip("()").split(",")[-1].strip().isdigit()
    return False


def _plain(derivation: Derived, statement: Statement) -> bool:
    return not any(statement.name in call.names and statement.name != call.output for call in derivation.calls)


def products_in(form: MatrixForm) -> list[Product]:
    """The products of matrices in a formula, from the outside in."""
    inside = [product for part in children(form) for product in products_in(part)]
    return [form, *inside] if isinstance(form, Product) else inside


def _name_of(form: MatrixForm) -> str:
    form = form.body if isinstance(form, Transposed) else form
    return form.name if isinstance(form, Symbol) else ""


def _is_weight(derivation: Derived, name: str) -> bool:
    """Whether a name is a weight or the cotangent of one."""
    facts = derivation.facts.get(name)
    of = derivation.facts.get(facts.cotangent_of) if facts is not None else None
    return any(known is not None and known.role == "weight" for known in (facts, of))


def shape_turned(derivation: Derived, name: str, columns: bool) -> str:
    """The shape of a named array in the other layout; of one sample alone a column is no vector."""
    keeps = _is_weight(derivation, name) or (columns and not derivation.sizes)
    return transposed_shape(derivation.facts[name].shape, columns=columns, weight=keeps)


def transposed_shape(shape: str, *, columns: bool = False, weight: bool = False) -> str:
    """`(N, 10)` as `(10, N)`; where samples are rows a vector `(10,)` as a column `(10, 1)`, where they are columns back.

    A vector of weights is multiplied, from one side or the other, and stays what it is.

    >>> transposed_shape("(N, 10)"), transposed_shape("(10,)"), transposed_shape("(N,)"), transposed_shape("(10, 1)")
    ('(10, N)', '(10, 1)', '(N,)', '(1, 10)')
    >>> transposed_shape("(10, 1)", columns=True), transposed_shape("(10, 1)", columns=True, weight=True)
    ('(10,)', '(1, 10)')
    """
    sizes = [part.strip() for part in shape.strip("()").split(",") if part.strip()]
    if len(sizes) == 1:
        return f"({sizes[0]}, 1)" if sizes[0].isdigit() and not columns and not weight else shape
    if len(sizes) == 2 and sizes[1] == "1" and sizes[0].isdigit() and columns and not weight:
        return f"({sizes[0]},)"
    return f"({', '.join(reversed(sizes))})" if sizes else ""


def transposed_form(form: MatrixForm, ndim: Callable[[str], int], columns: bool) -> MatrixForm | None:
    """The formula of the transposed arrays; None where there is none (stacks, and what has no sign of its own).

    Parameters
    ----------
    form : MatrixForm
    ndim : callable
        The number of axes of a named array.
    columns : bool
        Whether samples are columns in `form`.
    """
    try:
        return _turned(form, ndim, columns)
    except NotImplementedError:
        return None


def _turned(form: MatrixForm, ndim: Callable[[str], int], columns: bool) -> MatrixForm:
    def turn(node: MatrixForm) -> MatrixForm:
        return _turned(node, ndim, columns)

    match form:
        case Symbol(name):
            if ndim(name) > 2:
                raise NotImplementedError
            return form
        case Number() | Size():
            return form
        case Add(terms):
            return Add(tuple(map(turn, terms)))
        case Negative(body):
            return Negative(turn(body))
        case Hadamard(factors):
            return Hadamard(tuple(map(turn, factors)))
        case Scaled(number, body):
            return Scaled(turn(number), turn(body))
        case Quotient(above, below):
            return Quotient(turn(above), turn(below))
        case Power(base, exponent):
            return Power(turn(base), turn(exponent))
        case Product(left, right):
            return Product(turn(right), turn(left))
        case Outer(left, right):
            return Outer(turn(right), turn(left))
        case Transposed(body, axes) if not axes or axes == (1, 0):
            return Transposed(turn(body))
        case Relation(sign, left, right):
            return Relation(sign, turn(left), turn(right))
        case Call(function, arguments, settings) if function != "one_hot":
            return Call(function, tuple(map(turn, arguments)), settings)
        case Reduced(kind, body, axes, keepdims, 2, over):
            turned = tuple(sorted(1 - axis for axis in axes))
            if axes == (
                (1,) if columns else (0,)
            ):  # over samples: a bias is a column in one layout, a vector in the other
                keepdims = not columns
            return Reduced(kind, turn(body), turned, keepdims, 2, over)
        case Reduced(_, _, _, _, 1, _):
            return Reduced(form.kind, turn(form.body), form.axes, form.keepdims, 1, form.over)
        case Verbatim():
            raise NotImplementedError
    raise NotImplementedError
