"""The fifth post's page: affine, ReLU, affine, squared error, cut into u1 to u5 and put together again."""

from __future__ import annotations

import numpy as np
from pieces import Page, Story, source_of
from slips import SYSTEMS, answers, judged, slips, story

import chainrule as cr

OWN = ("S5", "squared error, the mean of N", "rows")
REASONS = {
    "5.1": "The square of one sample is halved, so the 2 in its derivative goes; the formula keeps it.",
    "5.3": "The derivative of one sample's square is taken for that of the mean: 1/N is missing.",
    "5.5": "The condition of ReLU stands outside of the sum, though each sample has its own. In sample 1 all units "
    "are off, so with its condition for all nothing is left.",
    "5.6": "Brackets around the prediction are lost, and the bias gets the other sign.",
    "5.7": "The sum binds the first term only, so the rest is still one row for each sample.",
    "5.8": "Samples do not share an input: there is nothing to sum over.",
    "5.9": "The order holds for one hidden unit only; in general the input, transposed, comes first.",
    "5.10": "A product entry by entry with a sum over everything is one number; weights need one for each weight.",
    "5.10, h = d": "With as many hidden units as inputs it runs, and is still one number.",
    "5.10, bias": "The sum runs over hidden units as well; each has a bias of its own.",
    "5.11": "The transpose is missing: samples by units times samples by inputs cannot be multiplied.",
    "5.12": "Named one step too late: what is called the gradient by u3 is that by u2.",
    "5.13": "Targets of one axis are stretched against a column: N by N differences instead of N.",
    "5.16": "A mean over all entries divides by N k. That is another loss; for this one 1/N is right.",
}


def mse(x, y, w1, b1, w2, b2):
    """The loss as one expression."""
    return np.sum((y - (np.maximum(0, x @ w1 + b1) @ w2 + b2)) ** 2) / len(x)


def page() -> Page:
    """The page."""
    arguments = SYSTEMS[OWN].arguments
    pasted = Story(mse, arguments)
    told = story(*OWN, "mse")
    columns = story("S5", OWN[1], "columns", "mse")
    wider = Story(SYSTEMS[OWN].loss, {**arguments, **{n: np.hstack([arguments[n]] * 2) for n in ("y", "w2", "b2")}})
    warm = story("S5", "the first example", "numbers", "y")
    table_of_slips, behind = slips(5, REASONS, "mse")
    equations = {e.quantity: e.formula for e in SYSTEMS[OWN].equations if not e.remark}
    program = cr.source(cr.value_and_grad(mse, wrt=("w1", "b1", "w2", "b2")), *arguments.values())
    parts = [
        "# Two layers and a squared error, step by step",
        (
            "A layer, ReLU, another layer with one output, and the **mean** over N samples of the squared error. "
            "Samples are **rows**. The gradients are named as in the post, but for the spelling: its `u3.g` is du3 "
            "here."
        ),
        "## Warm-up",
        source_of(warm.function),
        "Two steps, two factors. One name for each step is all there is to it:",
        warm.backward(),
        "## One formula, cut into steps",
        "This is the loss as one expression:",
        source_of(mse),
        (
            "`cr.derive(mse, ...)` cuts it where the post does, and calls the steps u1 to u5, because nothing in the "
            "expression has a name. The last column is where each of them lives, with the sizes of the example: 3 "
            "inputs, 4 hidden units, 1 output."
        ),
        pasted.forward(),
        r"A row of ones is written $\mathbf{1}^{\top}$ and adds up the samples; $\odot$ multiplies entry by entry.",
        "## One factor for each step",
        "Backward, from the loss to what it is made of. First the mean over samples, the square and the difference:",
        told.proof("du5", told=True, whole=False),
        told.proof("du4"),
        told.proof("du3"),
        "The bias and the weights of the output, and what goes back to the hidden units:",
        told.proof("db2"),
        told.proof("dw2"),
        told.proof("du2"),
        "Through ReLU. Each sample has its own condition, and it stays with its entry:",
        told.proof("du1"),
        "And the first layer:",
        told.proof("dw1"),
        "## Put together again",
        (
            "Put every step into the next, and the gradient by w1 is one formula, first of whole arrays, then of one "
            "entry. In the entry the condition of ReLU stands *inside* the sum over samples:"
        ),
        pasted.collapsed("dw1"),
        "Both say the same. The steps are what one computes with: the formula has `x @ w1 + b1` in it twice.",
        "## The exercises",
        (
            "Each is answered by the tool; the answer as one line of NumPy is from the list of this post's exercises,"
            " and was judged against the loss."
        ),
        answers("S5", {"the five exercises": told}),
        (
            "The one that the post asks for and does not answer is the gradient by u2: it is proved above, and has no"
            " sum over samples."
        ),
        "## All gradients",
        told.backward("du4", "du3", "db2", "dw2", "du2", "du1", "db1", "dx", "dw1"),
        (
            "Every entry of du5 is 1/N, so du4 is 2/N times u4. The same as code, line by line, each judged right by "
            "`cr.check_formula`:"
        ),
        judged(SYSTEMS[OWN].loss, arguments, equations),
        "With the numbers of the example, N = 5:",
        told.values("du3", "dw2", "dw1", "db1"),
        (
            "The program that chainrule writes for the pasted formula is what `cr.source(cr.value_and_grad(mse, ...), "
            "...)` returns. It numbers steps of its own, as few as it can: its u3 is u4 here, its u4 and u5 are du3 "
            "and du1."
        ),
        f"```python\n{program.rstrip()}\n```",
        "## Questions",
        (
            "**Why `sum()` for w1.g and b1.g, and not for the others?** Because w1 and b1 are *shared*: every sample "
            "goes through them, each is a path to the loss, and paths add up. An entry of u1, u2 or x belongs to one "
            "sample only. In the proofs above the question is answered at each sum: look for the sum over i = 1, ...,"
            " N. Matrix multiplication is not the reason; it is a way to write that sum."
        ),
        (
            "**Why the transpose?** With one output it cannot be seen, so take two. The weight from hidden unit q to "
            "output j is entry (q, j) of w2, and it is j that is summed over:"
        ),
        wider.proof("du2"),
        (
            "A sum over the second index of both factors is a product with a transpose; the rule is no more than a "
            "way to write it."
        ),
        (
            "**Is `l1.g * trn_x` a matrix product?** No, `*` is entry by entry. Here the two arrays have 4 and 3 "
            "columns, and it fails; with equal sizes it runs and is wrong. See 5.10."
        ),
        (
            "**Where does the 1/N go?** Into the gradient by the squares, u5, each entry of which is 1/N. For the sum"
            " instead of the mean it would be 1, and all other lines would stay as they are."
        ),
        "**And samples in columns?**",
        told.beside(
            columns,
            ("gradient", "samples are rows", "samples are columns"),
            ("du4", "du3", "db2", "dw2", "du2", "du1", "db1", "dx", "dw1"),
        ),
        "## Printed and derived",
        (
            "Formulas as they stand in the post and in the replies below it, in the names of this page, beside what "
            "is derived:"
        ),
        table_of_slips,
    ]
    return Page("s5", "\n\n".join(parts), {}, [pasted, told, columns, wider, warm, *behind])
