"""Over what a gradient sums, and why: the question that is asked most.

The one idea: compare axes. A size that the forward line has and the variable lacks was stretched over (a bias) or shared (a
weight): every copy is a path to the loss. A size that both cotangent and other factor have and the gradient lacks is summed
by the product of matrices.
"""

from __future__ import annotations

from chainrule.matrix_form import Product, Reduced, Symbol, Transposed
from chainrule.show.derived import Derived
from chainrule.show.document import Piece, Sentence
from chainrule.show.writing import Statement


def reason_of_sum(derivation: Derived, statement: Statement) -> Sentence:
    """Why a line sums, or nothing if it does not."""
    name = derivation.facts[statement.name].cotangent_of
    own = _sizes(derivation, name)
    pieces: list[Piece] = []
    for node in _nodes(statement.form):
        if isinstance(node, Reduced) and node.kind == "sum" and node.over:
            over = " and ".join(node.over)
            missing = [size for size in node.over if size not in own]
            if missing or node.axes:
                pieces = [
                    f"The sum runs over {over}: ",
                    Symbol(name),
                    " was stretched over it, and each copy is a path to the loss.",
                ]
        elif isinstance(node, Product) and isinstance(node.left, Transposed):
            shared = _inner(derivation, node)
            if shared and shared not in own:
                who = "all of them" if shared.isdigit() else f"all {shared} samples"
                pieces = [
                    f"The product sums over {shared}: {who} share ",
                    Symbol(name),
                    ", and each is a path to the loss.",
                ]
        elif isinstance(node, Product) and isinstance(node.right, Transposed):
            shared = _inner(derivation, node)
            if shared:
                pieces = [
                    f"The product sums over the {shared} units that ",
                    Symbol(name),
                    " leads to: each is a path to the loss.",
                ]
        if pieces:
            return tuple(pieces)
    return ()


def _nodes(form) -> list:
    """The nodes of a formula, outermost first."""
    found, todo = [], [form]
    while todo:
        node = todo.pop(0)
        found.append(node)
        for slot in getattr(node, "__slots__", ()):
            value = getattr(node, slot)
            todo += value if isinstance(value, tuple) else [value]
    return [n for n in found if hasattr(n, "__slots__")]


def _inner(derivation: Derived, node: Product) -> str:
    """The size that a product sums over, as text."""
    if isinstance(node.left, Transposed) and isinstance(node.left.body, Symbol):
        sizes = _sizes(derivation, node.left.body.name)
        return sizes[0] if len(sizes) == 2 else ""
    if isinstance(node.left, Symbol):
        sizes = _sizes(derivation, node.left.name)
        return sizes[-1] if sizes else ""
    return ""


def _sizes(derivation: Derived, name: str) -> list[str]:
    facts = derivation.facts.get(name)
    return [part.strip() for part in facts.shape.strip("()").split(",") if part.strip()] if facts else []
