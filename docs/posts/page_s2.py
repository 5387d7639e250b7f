"""The second post's page: samples in columns, any number of layers, the cost averaged over N observations."""

from __future__ import annotations

import numpy as np
from pieces import Page, Story, example, number, source_of
from slips import judged, slips, story

COST = {"C": r"\mathcal{C}"}
REASONS = {
    "2.1": "The local derivative of the activation is called the error; the error is the gradient of the cost by Z.",
    "2.3": "The cost is a mean, so its gradient by A already holds 1/N; here it is divided a second time.",
    "2.4": "Observations are stacked on top of each other, where the formula needs them side by side.",
    "2.5": "The bias of a batch has a short form: the row sums, dZ times a column of ones.",
    "2.6": "The sign for a Kronecker product stands where the elementwise product is meant.",
    "2.7": "An activation that mixes units, as softmax does, has a full Jacobian, and this formula only its diagonal.",
}
pooling, batch_norm = example("derivations/pooling.py"), example("derivations/batch_norm.py")
# dx of batch normalisation as books write it: what is left of dy without its mean and its part along x_hat
COMPACT = "gamma / deviation * (dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0))"


def page() -> Page:
    """The page."""
    mean = story("S2", "the mean of N", "columns", "C", symbols=COST)
    each = story("S2", "each observation's own signals", "columns", "C", symbols=COST)
    rows = story("S2", "the mean of N", "rows", "C", symbols=COST)
    deep = story("S2", "four layers", "columns", "C", symbols=COST)
    table_of_slips, behind = slips(2, REASONS, "C", symbols=COST)
    windows = Story(pooling["loss"], pooling["example"](), wrt="x")
    normal = Story(batch_norm["loss"], batch_norm["example"]())
    kinks, entries = int(np.sum(mean.derivation.values["Z1"] == 0)), np.size(mean.derivation.values["Z1"])
    parts = [
        "# Any number of layers, samples in columns",
        (
            "Here a sample is a **column**, so a layer multiplies from the left: weights, then input, then plus a "
            "bias that is stretched over the columns. Layers are any number, activations any that work entry by "
            "entry, and the cost of the batch is the **mean** of the costs of its N observations. The post leaves the"
            " cost open; this page takes the binary cross-entropy, and for the derivation in detail one hidden layer,"
            " as in the post's first example."
        ),
        source_of(mean.function),
        mean.forward(),
        r"A column of ones is written $\mathbf{1}$, and $\odot$ multiplies entry by entry.",
        "## Scalars as long as possible",
        "The cost first, by one activation of the output layer. The δ with two indices is 1 where they agree, else 0:",
        mean.proof("dA2", told=True),
        "Through the activation. Each activation depends on one pre-activation, so nothing is summed:",
        mean.proof("dZ2"),
        (
            "The second form of dZ2 is what remains when both lines are put together; it is the one to compute with, "
            "for it divides by nothing that can be 0."
        ),
        "Now the hidden layer, where all indices appear. What is sent back to its activations:",
        mean.proof("dA1"),
        "Its pre-activations, weights and bias:",
        mean.proof("dZ1"),
        mean.proof("dW1"),
        mean.proof("dB1"),
        (
            "Collected: dA of the layer gives dZ; dZ gives dW, dB and dA of the layer before. Each dZ is used three "
            "times, which is why the backward pass goes layer by layer and never starts again at the cost."
        ),
        "## All gradients, four layers",
        (
            "The same derivation for a loop over four layers with the activations ReLU, tanh, ReLU and sigmoid. Only "
            "the slope of the activation differs from layer to layer:"
        ),
        deep.backward(),
        "## Numbers",
        "For the network with one hidden layer and a batch of four, the signals and the gradients of the output layer:",
        mean.values("dZ2", "dW2", "dB2"),
        (
            f"Of the {entries} pre-activations of the hidden layer, {kinks} sit exactly on the kink of ReLU. That is "
            "not always so: zero biases and one padded sample of zeros put every unit there, and then the "
            "derivative is a convention. chainrule takes 0."
        ),
        "## Questions",
        (
            "**What does 1/N do, and where?** There are two honest ways. Either the cost is the mean, and 1/N enters "
            "with the first gradient and travels back inside every signal. Or each column keeps the signal of its own"
            " observation, as if it were alone; then 1/N has to be applied at the end, once, in dW and dB. The same "
            "network, with the cost averaged and summed:"
        ),
        mean.beside(
            each,
            ("gradient", "mean of the costs", "each observation by itself (the sum)"),
            ("dA2", "dZ2", "dB2", "dW2", "dA1"),
        ),
        (
            "Divide dB and dW of the last column by N, and they are those of the middle one. With the second way the "
            f"first entry of dZ2 is {number(each.derivation.values['dZ2'][0, 0])}, with the first "
            f"{number(mean.derivation.values['dZ2'][0, 0])}: a factor of N = 4."
        ),
        "**Rows or columns?** One is the transpose of the other; letters stay, and products turn round:",
        mean.beside(rows, ("gradient", "samples are columns", "samples are rows")),
        (
            "**Which of it is a sum of outer products?** dW: read its entry, written out in the proof above. Term s "
            "is the outer product of column s of dZ with column s of the layer's input; one matrix product adds them "
            "all."
        ),
        "## A similar strategy: pooling",
        (
            "The post says that pooling and batch normalisation yield to a similar strategy. Here they do. A window "
            "of three entries becomes its largest one, or its mean:"
        ),
        source_of(pooling["loss"]),
        "Entries of a window, indexed by signal, window and place, reach the loss through both; their parts are added:",
        windows.proof("dwindows", whole=False),
        (
            "So the maximum sends all of the cotangent to the entry that won, and the mean gives each of the k = 3 "
            "entries a third of it. Entries that tie for the maximum share in equal parts."
        ),
        "## A similar strategy: batch normalisation",
        "Samples are rows in this one, as it is mostly written:",
        source_of(batch_norm["loss"]),
        (
            "Each entry of x reaches the loss on three paths: through its own deviation from the mean, through the "
            "mean, and through the variance, which all samples of the batch share. Line by line:"
        ),
        normal.backward(),
        "The two paths by which the centred values reach the loss:",
        normal.proof("dcentred", whole=False),
        (
            "Put together, this is the formula that papers print. It is not what the program computes, line for line,"
            " but it was judged against the loss, and is right:"
        ),
        judged(batch_norm["loss"], batch_norm["example"](), {"dx": COMPACT}),
        "## Printed and derived",
        (
            "Formulas as they stand in the post, beside what is derived from the cost; the last column is the name "
            "that `cr.check_formula` gives to the mistake:"
        ),
        table_of_slips,
        (
            "Two remarks on the words of the post. Only weights and biases are updated: activations have gradients, "
            "but no step is taken along them. And an index is missing where W is transposed to go back through layer "
            "l: it is the W of that layer."
        ),
    ]
    return Page("s2", "\n\n".join(parts), {}, [mean, each, rows, deep, windows, normal, *behind])
