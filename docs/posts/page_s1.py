"""The first post's page: four layers, softmax and cross-entropy, a batch of three samples in rows."""

from __future__ import annotations

import numpy as np
from pieces import Page, Story, number, source_of
from slips import SYSTEMS, answers, slips

import chainrule as cr
from chainrule.show.pictures.jacobian_picture import jacobian_svg

OWN = ("S1", "softmax, cross-entropy summed", "rows")
REASONS = {
    "1.1": "Holds if the labels of each sample sum to 1, as one-hot rows do. Here they do not.",
    "1.2": "A batch changes more than the bias once the loss is a mean: every signal carries 1/N.",
    "1.3": "The derivative of Z by W has four indices for a batch; the product with it is a contraction, not `*`.",
}


def loss(X1, y, W1, b1, W2, b2, W3, b3):
    """Cross-entropy, summed over the samples."""
    Z1 = X1 @ W1 + b1
    X2 = np.maximum(0, Z1)
    Z2 = X2 @ W2 + b2
    X3 = np.maximum(0, Z2)
    Z3 = X3 @ W3 + b3
    o = np.exp(Z3) / np.sum(np.exp(Z3), axis=1, keepdims=True)
    L = -np.sum(y * np.log(o))
    return L


def mean_loss(X1, y, W1, b1, W2, b2, W3, b3):
    """The same, averaged over the samples."""
    Z1 = X1 @ W1 + b1
    X2 = np.maximum(0, Z1)
    Z2 = X2 @ W2 + b2
    X3 = np.maximum(0, Z2)
    Z3 = X3 @ W3 + b3
    o = np.exp(Z3) / np.sum(np.exp(Z3), axis=1, keepdims=True)
    L = -np.mean(np.sum(y * np.log(o), axis=1))
    return L


def loss_of_columns(X1, y, W1, b1, W2, b2, W3, b3):
    """The sum, with samples in columns."""
    Z1 = W1 @ X1 + b1
    X2 = np.maximum(0, Z1)
    Z2 = W2 @ X2 + b2
    X3 = np.maximum(0, Z2)
    Z3 = W3 @ X3 + b3
    o = np.exp(Z3) / np.sum(np.exp(Z3), axis=0, keepdims=True)
    L = np.sum(-np.sum(y * np.log(o), axis=0))
    return L


def softmax(z):
    """One sample's logits as probabilities."""
    return np.exp(z) / np.sum(np.exp(z))


def page() -> Page:
    """The page."""
    columns = Story(loss_of_columns, SYSTEMS["S1", OWN[1], "columns"].arguments)
    arguments = SYSTEMS[OWN].arguments
    told, mean = Story(loss, arguments), Story(mean_loss, arguments)
    table_of_slips, behind = slips(1, REASONS, "L")
    logits = told.derivation.values["Z3"][0]
    jacobian = np.round(cr.jacobian(softmax)(logits), 4) + 0.0
    names = ("o_1", "o_2", "o_3"), ("z_1", "z_2", "z_3")
    picture = jacobian_svg(jacobian, *names, column=0, title="The Jacobian of softmax, for the first sample")
    entries = " + ".join(
        f"{number(x)} · {number(signal)}"
        for x, signal in zip(told.derivation.values["X3"][:, 2], told.derivation.values["dZ3"][:, 1], strict=True)
    )
    parts = [
        "# Four layers, softmax and cross-entropy",
        (
            "The network has four layers of units and three of weights. Samples are **rows**: a batch of three makes "
            "arrays with three rows, and every formula below holds for any number N of them. The loss is the "
            "cross-entropy, **summed** over samples and classes. The names are those of the post; where it writes a "
            "delta with the number of a layer, this page has dZ with that number: the gradient by the layer's output "
            "Z before its activation."
        ),
        source_of(loss),
        (
            "From this function `cr.derive(loss, ...)` reads the layers. Each line shows the set that its left side "
            "lives in:"
        ),
        told.forward(),
        (
            r"The product with $\mathbf{1}$, a column of ones, adds up the entries of each row; $\odot$ is the "
            "elementwise product."
        ),
        "## One entry first",
        (
            "Start at the loss and take one entry of one array at a time. The probabilities come first. A δ with two "
            "indices is 1 where they are equal and 0 elsewhere; it says which entries of a sum depend on the entry "
            "that is asked for."
        ),
        told.proof("do", told=True),
        "### Through the softmax",
        (
            "Every probability of a sample depends on every logit of that sample, so there is a sum over classes. The"
            " line for the partial derivative is the Jacobian of softmax, which the post takes as known:"
        ),
        told.proof("dZ3", put_in=True),
        (
            "With one label in each row, `y` sums to 1 along the row, and what is left is $o-y$: the probabilities "
            "minus the labels. Where the program computes this, it shifts the logits by their largest first, so that "
            "no exponential overflows; that changes no value."
        ),
        (
            "Drawn for the first sample of the batch, each entry of the Jacobian sits on the edge between a logit and"
            " a probability. A column gathers the edges that lead, walked backward, into one logit:"
        ),
        "![The Jacobian of softmax as edges between three logits and three probabilities](s1_softmax_jacobian.svg)",
        (
            "Multiplied from the left by the row of do, a column becomes one entry of dZ3. For the true class c only "
            "$-1/o_c$ is not zero in do, and its product with column j is $o_j$, minus 1 where j = c."
        ),
        "### Weights, bias and input of a layer",
        (
            "All three ask for dZ3 and for nothing that lies behind it. That is why dZ has a name of its own: it is "
            "computed once and read three times."
        ),
        "By the weights:",
        told.proof("dW3"),
        (
            "With the numbers of this batch, the entry in row 3, column 2 is "
            f"{entries} = {number(told.derivation.values['dW3'][2, 1])}: one product for each sample, "
            "0 where ReLU was off."
        ),
        "By the bias:",
        told.proof("db3"),
        "By the input:",
        told.proof("dX3"),
        "### Back through ReLU",
        (
            "An entry of X3 depends on one entry of Z2 only, so both deltas stay, no sum survives, and the product is"
            " elementwise. Where Z2 is exactly 0, chainrule takes the derivative to be 0."
        ),
        told.proof("dZ2"),
        "## The exercises: hidden layers and input",
        (
            "What the post leaves to its reader repeats the four steps with other indices. Each answer below was "
            "derived, and its spelling in NumPy was judged against the loss by `cr.check_formula`:"
        ),
        answers("S1", {"hidden layer 1 and the input": told}),
        "## All gradients",
        told.backward(),
        (
            "In words, for every layer: the weights get the input, transposed, times dZ; the bias gets the column "
            "sums of dZ; the input gets dZ times the weights, transposed; and dZ of the layer before is that, let "
            "through where ReLU was on."
        ),
        "With the numbers of the batch of three:",
        told.values("o", "dZ3", "dW3", "db3"),
        (
            "Row i of dZ3 belongs to sample i and sums to 0, for the probabilities and the label of a sample both sum"
            " to 1."
        ),
        "## Questions",
        (
            "**Where does the 1/N go?** Into the first signal, once. Derive the same network with the mean over "
            "samples instead of the sum, and only the first two lines have another form:"
        ),
        told.beside(
            mean, ("gradient", "loss summed over samples", "loss averaged over N samples"), ("do", "dZ3", "dW3", "db3")
        ),
        (
            "**Does a batch change only the bias?** With the sum, the formulas for one sample and for many are the "
            "same but for $db_3$: for one sample $db_3=dZ_3$, for a batch the rows are added, because all samples "
            "share one bias. The weights are shared, too; their sum over samples hides in the matrix product."
        ),
        (
            "**Why the transpose?** Read the proof of dX3: the sum runs over the second index of the weights, which "
            "is where their columns are counted. A product that sums over columns of its right factor is a product "
            "with its transpose. Shapes say the same: (N, 3) times (3, 4) is the only way to (N, 4)."
        ),
        "**And with samples in columns?** Every array is transposed, so every product turns round:",
        told.beside(columns, ("gradient", "samples are rows", "samples are columns")),
        "## Printed and derived",
        (
            "Three statements of the post need a condition. The formulas as they read, each beside what is derived "
            "from its loss:"
        ),
        table_of_slips,
        (
            "One statement is about the picture: that columns of a Jacobian are the edges leading *in* is true along "
            "the backward direction, with outputs as rows. The Jacobian of softmax is symmetric, so it cannot tell "
            "the two readings apart."
        ),
    ]
    return Page("s1", "\n\n".join(parts), {"s1_softmax_jacobian.svg": picture}, [told, mean, columns, *behind])
