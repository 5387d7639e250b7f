"""The fourth post's page: binary classification, and the three ways to a gradient side by side."""

from __future__ import annotations

from pieces import Page, number, source_of, table
from slips import SYSTEMS, answers, slips, story

import chainrule as cr

TITLE = "the mean of m"
REASONS = {
    "4.1": "The minus sign before the bracket is lost; the lines that follow have it.",
    "4.2": "A row is displayed as a column, and a column cannot stand before an m by m matrix.",
    "4.3": "The tensor of Z by W is given the sizes of another one; it is units, m, units, units before.",
    "4.4": "The activation in the sum carries the unit's own index instead of the one that is summed over.",
    "4.10": "Without brackets the matrix product binds first, and the elementwise product finds another shape.",
    "4.10, m = n": "With as many samples as units the shapes fit, and the result is silently wrong.",
    "4.11": "The slope is taken at the pre-activations of the layer before.",
    "4.12": "What goes back to the layer before is the gradient by Z, not by W.",
    "4.13": "The quotient divides 0 by 0 once the sigmoid rounds to 1; the difference of A and y does not.",
}


def at_least(error: float) -> str:
    """How many digits agree, told coarsely: a rounding error is another one on each machine."""
    if error < 1e-12:
        return "all but the last few digits"
    return "5 digits or more" if error < 1e-5 else "2 digits or more"


def page() -> Page:
    """The page."""
    told = story("S4", TITLE, "columns", "J", "partial")
    rows = story("S4", TITLE, "rows", "J", "partial")
    table_of_slips, behind = slips(4, REASONS, "J", "partial")
    system = SYSTEMS["S4", TITLE, "columns"]
    weights = ("W1", "B1", "W2", "B2", "W3", "B3")
    methods = cr.check(system.loss, **system.arguments).methods()
    ways = table(
        ("kind", "method", "what it needs", "agrees with complex step to"),
        [(m.kind, m.name, m.needs, at_least(m.error)) for m in methods.rows if m.kind != "complex step"],
    )
    stepped = dict(system.arguments)
    for name in weights:
        stepped[name] = stepped[name] - 0.5 * told.derivation.values[f"d{name}"]
    before, after = (number(float(system.loss(**a))) for a in (system.arguments, stepped))
    parts = [
        "# Binary classification, and three ways to a gradient",
        (
            "A network with samples in **columns**, sigmoids throughout, and one output unit; the loss is the binary "
            "cross-entropy, the **mean** over m samples. Here it has three layers of weights, of 4, 2 and 1 units, on"
            " 3 inputs. Gradients are written as fractions, as the post writes them; layers are a lower index where "
            "the post has an upper one in brackets."
        ),
        source_of(told.function),
        told.forward(),
        r"A column of ones is written $\mathbf{1}$, and $\odot$ multiplies entry by entry.",
        "## The output layer",
        (
            "A matrix by a matrix has four indices, too many to write as a table. So go by entries: each line below "
            "is about a single number, and what the entries form is read off at the end."
        ),
        told.proof("dA3", told=True),
        (
            "Through the sigmoid: sample by sample, so the m by m matrix of the post is diagonal, and a product with "
            "it is elementwise."
        ),
        told.proof("dZ3", put_in=True),
        (
            "The last form is where the post stops short. It has no quotient left, and that matters beyond looks: see"
            " 4.13 below."
        ),
        "Weights and bias of this layer:",
        told.proof("dW3"),
        "## A hidden layer",
        (
            "Which entries does a number touch? An activation touches one column of the next Z, every unit of it, so "
            "there is a sum over units; a weight touches one row of Z, every sample of it, so there is a sum over "
            "samples."
        ),
        told.proof("dA1"),
        told.proof("dZ1"),
        told.proof("dW2"),
        "## The exercise: the bias",
        (
            "The post leaves the gradient by the bias to its reader. Asked for an explanation, "
            '`cr.explain(derivation, "dB2")` ends so:'
        ),
        told.proof("dB2"),
        "The same for all three layers, with the answer in NumPy, which `cr.check_formula` found right:",
        answers("S4", {"the bias": told}),
        "## All gradients",
        told.backward(),
        (
            "Layer l asks the layer behind it for one array only, the gradient by its Z. That is the crux of the "
            "backward pass, and the same for every layer; only the first line comes from the loss."
        ),
        "With the numbers of the example, m = 5:",
        told.values("dZ3", "dW3", "dB3", "dB2"),
        f"One step of 0.5 against the gradient takes J from {before} to {after}.",
        "## Three ways, side by side",
        (
            "The post sorts the ways to a gradient into symbolic, numerical and automatic. "
            "`cr.check(J, ...).methods()` runs them all on this loss, "
            f"by all of its P = {methods.entries} entries of inputs and parameters, and compares each with "
            "complex step, which has no cancellation:"
        ),
        ways,
        (
            "Differences pay for every entry with evaluations of the whole loss; that is fine for hunting bugs, and "
            "hopeless for training. Forward mode pays a sweep for every entry. Reverse mode pays one sweep, and "
            "written out once as a program it is also the symbolic way: there is no contradiction between the two."
        ),
        "## Questions",
        (
            "**Why not differentiate a matrix by a matrix?** One can; the result has four indices and is almost all "
            "zeros. Both deltas in a proof above say which of its entries are not, and summing over them is what the "
            "matrix product does."
        ),
        (
            "**How do shapes help?** The set behind each line is the shape of what the gradient is by. A factor in "
            "the wrong place changes it, unless two sizes happen to be equal: row 4.10 below is found wrong by its "
            "shape, and with m = n only by its numbers."
        ),
        "**Where does the 1/m go?** Into the first line, once. Nothing behind it divides by m again.",
        "**And in rows?**",
        told.beside(
            rows,
            ("gradient", "samples are columns", "samples are rows"),
            ("dZ3", "dB3", "dW3", "dA2", "dZ2", "dB2", "dW2"),
        ),
        "## Printed and derived",
        "Formulas as they stand in the post, beside what is derived from J:",
        table_of_slips,
        (
            "The rest are slips of the pen: a row count of the wrong layer, an entry that repeats the one above it, a"
            " superscript or two. None of them can happen to indices that are generated."
        ),
    ]
    return Page("s4", "\n\n".join(parts), {}, [told, rows, *behind])
