"""The third post's page: a graph of three operations, and a 2-4-4-3 network in the symbols of Nielsen's book."""

from __future__ import annotations

import numpy as np
from pieces import Page, Story, example, number, source_of, table
from slips import SYSTEMS, judged, slips, story

import chainrule as cr
from chainrule.derivation.paths import Paths
from chainrule.show.pictures.graph_picture import graph_svg
from chainrule.show.pictures.network_picture import network_svg
from chainrule.show.pictures.paths_picture import paths_svg

NET = SYSTEMS["S3", "the 2-4-4-3 net, J", "columns"]
ROLES = {"w": "weight", "b": "bias", "z": "pre-activation", "a": "activation"}
REASONS = {
    "3.2": "The error is defined with J, but the equations use the cost of one example: a factor n.",
    "3.3": "Equation (3) is stated up to the last layer, which has none behind it: it holds up to the last but one.",
    "3.4": "F is said to act from layer 1 on, but the inputs are not put through it: from layer 2 on.",
    "3.5": "Equation (4) needs an F that works entry by entry; softmax does not.",
}
graph = example("posts/s3_graph_and_paths.py")["graph"]
x, y = NET.arguments["x"][:, 0], NET.arguments["y"][:, 0]  # the first example


def cost(w2, b2, w3, b3, w4, b4):
    """The cost of one example."""
    z2 = w2 @ x + b2
    a2 = 1 / (1 + np.exp(-z2))
    z3 = w3 @ a2 + b3
    a3 = 1 / (1 + np.exp(-z3))
    z4 = w4 @ a3 + b4
    a4 = 1 / (1 + np.exp(-z4))
    C = np.sum((y - a4) ** 2) / 2
    return C


def cost_of_inputs(x):
    """The cost of the first example, from its inputs on, for the count of paths."""
    w2, b2, w3, b3, w4, b4 = (v[:, 0] if v.shape[1] == 1 else v for n, v in NET.arguments.items() if n not in "xy")
    z2 = w2 @ x + b2
    z3 = w3 @ (1 / (1 + np.exp(-z2))) + b3
    z4 = w4 @ (1 / (1 + np.exp(-z3))) + b4
    C = np.sum((1 / (1 + np.exp(-z4)) - y) ** 2) / 2
    return C


def diamonds(a):
    """Three diamonds in a row: each doubles the paths."""
    b1 = 2 * a
    c1 = 3 * a
    d1 = b1 * c1
    b2 = 2 * d1
    c2 = 3 * d1
    d2 = b2 * c2
    b3 = 2 * d2
    c3 = 3 * d2
    o = b3 * c3
    return o


def counted(name: str, paths: Paths) -> list[str]:
    """A row of the table of costs; in brackets, where only the inputs are asked for."""
    counts = paths.counts
    ways = [counts[way] for way in ("path_by_path", "forward_mode")]
    cells = [f"{way['edge_uses']} ({way['edge_uses_inputs_only']})" for way in ways]
    return [name, str(counts["edges"]), *cells, str(counts["reverse_mode"]["edge_uses"])]


def page() -> Page:
    """The page."""
    arguments = {n: v[:, 0] if n[0] == "b" else v for n, v in NET.arguments.items() if n not in "xy"}
    of_one = Story(cost, arguments, "nielsen")
    of_all = story(*("S3", NET.title, "columns"), "J", "nielsen", symbols={"J": "J"})
    of_rows = story(*("S3", NET.title, "rows"), "J", "nielsen", symbols={"J": "J"})
    small = Story(graph, {"a": 2.0, "b": 3.0}, "partial")
    single = SYSTEMS["S3", "the 2-4-4-3 net, one example", "columns"]
    table_of_slips, behind = slips(3, REASONS, "J", "nielsen")
    found, net = cr.paths(graph, 2, 3), cr.paths(cost_of_inputs, x, nodes=("x", "z2", "z3", "z4"))
    way = ("a^1_2", "z^2_1", "a^2_1", "z^3_3", "a^3_3", "z^4_2", "a^4_2")
    pictures = {
        "s3_graph.svg": paths_svg(found),
        "s3_net.svg": network_svg(
            (2, 4, 4, 3), path=way, title=f"One of the {net.numbers['x[1]']} paths from this input to the cost"
        ),
        "s3_backward.svg": graph_svg(of_all.derivation.forward, of_all.derivation.graph),
    }
    per_sample = cr.per_sample_grad(NET.loss, wrt="b4", batched={"x": 1, "y": 1})(*NET.arguments.values())
    one = " + ".join(f"({number(sample)})" for sample in per_sample[:, 0, 0])
    parts = [
        "# Graphs, paths, and a 2-4-4-3 network",
        (
            "Two systems. The first is a graph of three operations with two inputs, small enough to follow every "
            "number. The second is a network with 2 inputs, two hidden layers of 4 units and 3 outputs; an example is"
            " a column, and the cost of the batch, J, is the **mean** of the costs C of its examples. Names and "
            "symbols are Nielsen's, as in the post: layers are counted from the inputs, which are layer 1, so the "
            "first weights are $w^2$."
        ),
        "## The graph",
        source_of(graph),
        (
            "At a = 2 and b = 3, values travel forward; on each edge stands its local derivative and, below, what "
            "comes back over it:"
        ),
        "![The graph of c = a + b, d = a b, o = c d / 2 with values, local derivatives and gradients](s3_graph.svg)",
        "The derivative of o by a node is the sum, over all paths from it to o, of the products along the path:",
        f"```text\n{found}\n```",
        (
            "Derived with names instead of numbers. Each line adds up what its node's readers send back, and c and d "
            "are worked out once, though three paths use each of them:"
        ),
        small.backward(),
        small.proof("da"),
        "## What the three ways cost",
        (
            "A derivative by every node can be had path by path, as above; by forward mode, one sweep for each "
            "variable; or by reverse mode, one sweep back from the output. Counted in products with a local "
            "derivative, and in brackets for the inputs alone:"
        ),
        table(
            ("graph", "edges", "path by path", "forward mode", "reverse mode"),
            [
                counted("this graph", found),
                counted("the 2-4-4-3 net, C by all z and inputs", net),
                counted("three diamonds in a row", cr.paths(diamonds, 1.0)),
            ],
        ),
        (
            "Reverse mode uses each edge once, whatever the graph. Two things are easily mixed up here. Walking "
            "path by path is not forward mode: forward mode carries a tangent through the graph and adds up at each "
            "node, so its cost grows with the number of inputs, not with the number of paths. And paths grow "
            "exponentially with *depth*, as the diamonds show, where they double each time; "
            f"{net.numbers['x[0]']} of them lead from each input of the net to its cost. This is one:"
        ),
        "![The network 2-4-4-3 with one path from an input to an output](s3_net.svg)",
        "## The network, one example",
        (
            "For a single example, x and y are fixed vectors. The post leaves F and C open; here F is the sigmoid and"
            " C half the squared distance:"
        ),
        source_of(cost),
        of_one.forward(),
        "### Equation (4): the error of the last layer",
        (
            r"The error of a layer, $\delta$, is the gradient by its z. Because $\delta$ is taken, the sign for equal "
            r"indices is here $\mathbf{1}\lbrace i=p\rbrace$: 1 where they are equal, else 0."
        ),
        of_one.proof("dz4", told=True, whole=False),
        "### Equation (3): one layer back",
        "First the activations of layer 3. Index i runs over the units of layer 4, all of which read the unit p:",
        of_one.proof("da3"),
        "Then through F. Put into each other, the two are equation (3):",
        of_one.proof("dz3"),
        "### Equations (1) and (2): weights and biases",
        of_one.proof("dw3"),
        of_one.proof("db3"),
        "### All of them",
        of_one.backward(),
        (
            r"In $\delta^4$ the tool has moved a minus sign from $y-a^4$ into $a^4-1$; equation (4) is the same. As "
            "formulas in NumPy, in the order of computing, with vectors as columns, judged against C:"
        ),
        judged(single.loss, single.arguments, {e.quantity: e.formula for e in single.equations if not e.remark}),
        "## The network, the mean over examples",
        (
            "The post takes gradients example by example and averages them, because J itself, it says, cannot be used"
            " directly. It can. With the examples side by side as columns, the same derivation gives sums over "
            "columns, and 1/N enters once, at the top:"
        ),
        of_all.backward(),
        "One entry of a weight's gradient shows the sum over examples, each term an equation (1):",
        of_all.proof("dw3"),
        "![Forward and backward pass of the network: each cotangent is made from those to its right](s3_backward.svg)",
        (
            "And both ways agree. The first entry of the gradient by $b^4$, example by example, averaged: "
            f"({one}) / {len(per_sample)} = {number(per_sample[:, 0, 0].mean())}. From J at once: "
            f"{number(of_all.derivation.values['db4'][0, 0])}. `cr.per_sample_grad` returns the first kind."
        ),
        "## Questions",
        (
            "**Why is reuse the whole point?** In the summary above every error stands on the left once and on the "
            "right three times. What path counting would multiply out again is read from a name."
        ),
        (
            "**Is the sum over examples any different from the sum over units?** No. Both are sums over paths; a "
            "weight is read by every example, an activation by every unit of the next layer."
        ),
        "**What about samples in rows?**",
        of_all.beside(
            of_rows,
            ("gradient", "examples are columns", "examples are rows"),
            ("dz4", "dw4", "db4", "da3", "dz3", "dw3"),
        ),
        (
            "**What of recurrent cells and convolutions?** They are weights that are shared by time steps or places, "
            "so the sum over paths has one more index. The derivations stand in `examples/derivations/`: "
            "`recurrent.py`, `lstm.py`, `convolution.py`."
        ),
        "## Printed and derived",
        table_of_slips,
        (
            r"Beside these, some $\partial$ are missing below a fraction bar; the change of C with a small step in z "
            "is written as an equality, and holds to first order; and the two edges into o are computed three times "
            "each when walking path by path, which is twice too often."
        ),
    ]
    return Page("s3", "\n\n".join(parts), pictures, [of_one, of_all, of_rows, small, *behind])
