"""The five posts' systems with the backward equations that each post derives, as formulas that chainrule judges.

Every system stands here twice, in its post's layout and in the other one, where weights, samples and equations are
transposed. The equations that all dense layers share are written down once, in `dense`; a system adds what comes from its
loss. Equations and answers to exercises are in the names of the system's own function: dZ2 is the gradient by Z2.
"""

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.diagnosis.formulas import parse_formula


def neighbour(stem):
    """What a file of this folder defines."""
    return runpy.run_path(str(Path(__file__).with_name(f"{stem}.py")))


s1, s2, s3 = neighbour("s1_four_layer_softmax"), neighbour("s2_columns_any_depth"), neighbour("s3_graph_and_paths")
s4, s5 = neighbour("s4_binary_classification"), neighbour("s5_two_layers_mse")
errata, other = neighbour("errata"), neighbour("other_layouts")


@dataclass(frozen=True)
class Equation:
    """One line of a backward pass.

    Attributes
    ----------
    quantity : str
        What it is for, in the names of the function: "dW3".
    formula : str
        NumPy, over the function's names and the gradients above it: "X3.T @ dZ3".
    written : str
        How the post writes the left side, as LaTeX.
    remark : str
        Empty, or which of several forms of the same line this is.
    """

    quantity: str
    formula: str
    written: str
    remark: str = ""


@dataclass(frozen=True)
class System:
    """What a post differentiates, in one layout, and its equations in the order of derivation.

    Attributes
    ----------
    post : str
        "S1" to "S5".
    title : str
    layout : str
        "rows" or "columns", where the samples are; "numbers" for a graph of scalars.
    own : bool
        Whether this is the layout of the post.
    loss : callable
    arguments : dict
        By name, in the order of the parameters.
    equations : tuple of Equation
    """

    post: str
    title: str
    layout: str
    own: bool
    loss: Callable
    arguments: dict[str, Any]
    equations: tuple[Equation, ...]


@dataclass(frozen=True)
class Exercise:
    """What a post leaves to its reader, and the answer; for the quantity "Jacobian", that of the function itself."""

    post: str
    task: str
    quantity: str
    answer: str
    function: Callable
    arguments: dict[str, Any]


def as_written(post, name):
    """How a post writes the gradient by a variable, as LaTeX."""
    letter = name.rstrip("0123456789")
    number = name[len(letter) :]
    subscript, superscript = (f"{letter}_{number}", f"{letter}^{number}") if number else (letter, letter)
    match post:
        case "S1":
            return rf"\delta_{number}" if letter == "Z" else rf"\frac{{\partial L}}{{\partial {subscript}}}"
        case "S2":
            return f"d{subscript}"
        case "S3, C_i":
            return rf"\delta^{number}" if letter == "z" else rf"\frac{{\partial C_i}}{{\partial {superscript}}}"
        case "S3, J":
            return rf"\frac{{\partial J}}{{\partial {superscript}}}"
        case "S4":
            return (
                rf"\frac{{\partial J}}{{\partial {letter}^{{({number})}}}}"
                if number
                else r"\frac{\partial J}{\partial A^{(0)}}"
            )
        case "S5":
            return f"{letter}_{{{number}g}}"
    return rf"\frac{{\partial {post[-1]}}}{{\partial {subscript}}}"


def equation(post, quantity, formula, remark=""):
    """An equation, with its left side as the post writes it."""
    return Equation(quantity, formula, as_written(post, quantity[1:]), remark)


def dense(post, layout, head, layers):
    """The backward equations of dense layers, from the last to the first.

    Parameters
    ----------
    post, layout : str
    head : list of (quantity, formula, remark)
        What comes from the loss: up to the gradient by the last activation, or by the last pre-activation.
    layers : list of (input, weight, bias, pre-activation, output, slope)
        Names, and the derivative of the activation as a formula; empty where `head` has the pre-activation already.
    """
    lines = [equation(post, *line) for line in head]
    for A, W, b, Z, out, slope in reversed(layers):
        if slope:
            lines.append(equation(post, f"d{Z}", f"d{out} * {slope}"))
        if layout == "rows":
            shared = {
                W: (f"{A}.T @ d{Z}", f"einsum('si,sj->ij', {A}, d{Z})"),
                b: (f"d{Z}.sum(axis=0)", f"einsum('sj->j', d{Z})"),
                A: (f"d{Z} @ {W}.T", f"einsum('sj,ij->si', d{Z}, {W})"),
            }
        else:
            shared = {
                W: (f"d{Z} @ {A}.T", f"einsum('is,hs->ih', d{Z}, {A})"),
                b: (f"d{Z}.sum(axis=1, keepdims=True)", f"einsum('is->i', d{Z})[:, None]"),
                A: (f"{W}.T @ d{Z}", f"einsum('ph,ps->hs', {W}, d{Z})"),
            }
        for name, (matrices, entries) in shared.items():
            lines.append(equation(post, f"d{name}", matrices))
            lines.append(equation(post, f"d{name}", entries, "entry by entry"))
    return tuple(lines)


def both(post, title, own, functions, arguments, equations):
    """A system in its own layout and in the other; `equations` makes them for a layout."""
    turned = "rows" if own == "columns" else "columns"
    return [
        System(post, title, own, True, functions[0], arguments, equations(own)),
        System(post, title, turned, False, functions[1], other["transposed"](arguments), equations(turned)),
    ]


def s1_equations(layout):
    """Softmax with cross-entropy, relu, relu."""
    axis = 1 if layout == "rows" else 0
    head = [
        ("do", "-y / o", ""),
        ("dZ3", f"o * (do - (do * o).sum(axis={axis}, keepdims=True))", "the Jacobian of softmax"),
        ("dZ3", "o - y", "simplified"),
    ]
    layers = [(f"X{i}", f"W{i}", f"b{i}", f"Z{i}", f"X{i + 1}", f"(Z{i} > 0)" if i < 3 else "") for i in (1, 2, 3)]
    return dense("S1", layout, head, layers)


def bernoulli(post, layout, y, over, slopes, more=()):
    """A sigmoid with binary cross-entropy last; `over` divides by the samples, `slopes` are of the layers before it."""
    depth = len(slopes) + 1
    A, dZ = f"A{depth}", f"dZ{depth}"
    head = [
        (f"d{A}", f"-({y} / {A} - (1 - {y}) / (1 - {A})){over}", ""),
        (dZ, f"d{A} * {A} * (1 - {A})", ""),
        *more,
        (dZ, f"({A} - {y}){over}", "simplified"),
    ]
    layers = [
        (f"A{i - 1}" if i > 1 else "X", f"W{i}", f"B{i}", f"Z{i}", f"A{i}", slope)
        for i, slope in enumerate((*slopes, ""), 1)
    ]
    return dense(post, layout, head, layers)


def s2_equations(layout):
    """One hidden layer; and dW2 and dB2 once more, from the post's signals, which are those of each observation."""
    rows = layout == "rows"
    dW, dB = ("A1.T @ (N * dZ2)", "ones(N) @ (N * dZ2)") if rows else ("(N * dZ2) @ A1.T", "(N * dZ2) @ ones((N, 1))")
    signals = [("dW2", f"1 / N * {dW}"), ("dB2", f"1 / N * ({dB})")]
    lines = [equation("S2", *line, "from the signals of each observation") for line in signals]
    return (*bernoulli("S2", layout, "Y", " / N", ["(Z1 > 0)"]), *lines)


def s3_equations(layout, of="J"):
    """The four equations, from (4) to (1), of one example's cost or of J; the mean's 1/n enters in the first line."""
    over = "" if of == "C_i" else " / x.shape[1]" if layout == "columns" else " / x.shape[0]"
    layers = [
        (f"a{i - 1}" if i > 2 else "x", f"w{i}", f"b{i}", f"z{i}", f"a{i}", f"a{i} * (1 - a{i})") for i in (2, 3, 4)
    ]
    return dense(f"S3, {of}", layout, [("da4", f"(a4 - y){over}", "")], layers)


def s4_equations(layout):
    """Sigmoid layers; the post's m by m matrix, too."""
    diagonal = "dA3 @ diag((A3 * (1 - A3))[0])" if layout == "columns" else "diag((A3 * (1 - A3))[:, 0]) @ dA3"
    slopes = ["A1 * (1 - A1)", "A2 * (1 - A2)"]
    return bernoulli("S4", layout, "y", " / m", slopes, [("dZ3", diagonal, "with a diagonal Jacobian")])


S5_LAYERS = [("x", "w1", "b1", "u1", "u2", "(u1 > 0)"), ("u2", "w2", "b2", "u3", "", "")]


def s5_equations(layout):
    """From u5 back to x, one factor for each step; and the whole product at once."""
    head = [
        ("du5", "ones_like(u5) / N", ""),
        ("du4", "du5 * 2 * u4", ""),
        ("du4", "2 / N * (y - u3)", "substituted"),
        ("du3", "-du4", ""),
    ]
    rows = layout == "rows"
    whole = "x.T @ (((u3 - y) @ w2.T) * (u1 > 0))" if rows else "((w2.T @ (u3 - y)) * (u1 > 0)) @ x.T"
    return (*dense("S5", layout, head, S5_LAYERS), equation("S5", "dw1", f"2 / N * {whole}", "all factors at once"))


def graph_equations():
    """The adjoints of c = a + b, d = a b, o = c d / 2."""
    lines = [
        ("do", "1"),
        ("dc", "do * d / 2"),
        ("dd", "do * c / 2"),
        ("da", "dc * 1 + dd * b"),
        ("db", "dc * 1 + dd * a"),
    ]
    return tuple(equation("S3, o", *line) for line in lines)


def named(names, values):
    """Arguments by name."""
    return dict(zip(names.split(), values, strict=True))


three = named("X1 y W1 b1 W2 b2 W3 b3", s1["arguments"])
two = named("X Y W1 B1 W2 B2", (s2["X"], s2["Y"], s2["W"][0], s2["B"][0], s2["W"][1], s2["B"][1]))
net = named("x y w2 b2 w3 b3 w4 b4", (s3["x"], s3["y"], *s3["parameters"]))
one = net | {"x": net["x"][:, :1], "y": net["y"][:, :1]}
binary = named("X y W1 B1 W2 B2 W3 B3", (s4["X"], s4["y"], *s4["parameters"]))
squares = named("x y w1 b1 w2 b2", [s5[name] for name in ("x", "y", "w1", "b1", "w2", "b2")])
first = squares | {"x": squares["x"][:1], "y": squares["y"][:1]}
DEEP = ["(Z1 > 0)", "(1 - A2**2)", "(Z3 > 0)"]

SYSTEMS = [
    *both("S1", "softmax, cross-entropy summed", "rows", (s1["loss"], other["s1_columns"]), three, s1_equations),
    *both("S2", "the mean of N", "columns", (errata["columns"], other["s2_rows"]), two, s2_equations),
    System("S2", "each observation's own signals", "columns", True, other["s2_observations"], two,
           bernoulli("S2", "columns", "Y", "", ["(Z1 > 0)"])),
    *both("S2", "four layers", "columns", (other["s2_deep"], other["s2_deep_rows"]), other["deep"],
          lambda layout: bernoulli("S2", layout, "Y", " / N", DEEP)),
    System("S3", "the graph", "numbers", True, s3["graph"], {"a": 2.0, "b": 3.0}, graph_equations()),
    *both("S3", "the 2-4-4-3 net, one example", "columns", (s3["J"], other["s3_rows"]), one,
          lambda layout: s3_equations(layout, "C_i")),
    *both("S3", "the 2-4-4-3 net, J", "columns", (s3["J"], other["s3_rows"]), net, s3_equations),
    *both("S4", "the mean of m", "columns", (errata["binary"], other["s4_rows"]), binary, s4_equations),
    System("S5", "the first example", "numbers", True, other["warm_up"], {"x": 4.0},
           (equation("S5, y", "du", "3"), equation("S5, y", "dx", "3 * 2 * x"))),
    System("S5", "one sample, half the square", "rows", True, errata["half_square"], first,
           dense("S5", "rows", [("du4", "u4", ""), ("du3", "-du4", ""), ("du3", "u3 - y", "simplified")], S5_LAYERS)),
    *both("S5", "squared error, the mean of N", "rows", (errata["mse"], other["s5_columns"]), squares, s5_equations),
]  # fmt: skip

ERROR = "((u3 - y) @ w2.T) * (u1 > 0)"
LINES_8 = {
    "dW2": "X2.T @ dZ2", "db2": "dZ2.sum(axis=0)", "dX2": "dZ2 @ W2.T", "dZ1": "(dZ2 @ W2.T) * (Z1 > 0)",
    "dW1": "X1.T @ dZ1", "db1": "dZ1.sum(axis=0)", "dX1": "dZ1 @ W1.T",
}  # fmt: skip
LAYERS = {f"dB{i}": f"dZ{i}.sum(axis=1, keepdims=True)" for i in (1, 2, 3)}
FIVE = {
    "db1": f"2 / N * ({ERROR}).sum(axis=0)", "dx": f"2 / N * ({ERROR}) @ w1.T", "dw2": "2 / N * u2.T @ (u3 - y)",
    "db2": "2 / N * (u3 - y).sum(axis=0)", "du2": "2 / N * (u3 - y) @ w2.T",
}  # fmt: skip

EXERCISES = [
    Exercise("S1", "the Jacobian of softmax", "Jacobian", "diag(o) - outer(o, o)", s1["softmax"], {"Z": np.array([0.3, -1.2, 0.8])}),
    *(Exercise("S1", "hidden layer 1 and the input", *line, s1["loss"], three) for line in LINES_8.items()),
    *(Exercise("S4", "the bias", *line, errata["binary"], binary) for line in LAYERS.items()),
    *(Exercise("S5", "the five exercises", *line, errata["mse"], squares) for line in FIVE.items()),
]  # fmt: skip


def judge(function: Callable, arguments: dict[str, Any], formulas: dict[str, str]) -> bool:
    """Whether formulas are right: gradients by `cr.check_formula`, the Jacobian by `cr.jacobian`."""
    if "Jacobian" not in formulas:
        return bool(cr.check_formula(function, formulas, *arguments.values()))
    found = parse_formula(formulas["Jacobian"]).evaluate(arguments | {"o": function(*arguments.values())})
    return bool(np.allclose(found, cr.jacobian(function)(*arguments.values()), rtol=1e-12, atol=1e-15))


def forms(equations: tuple[Equation, ...]) -> list[dict[str, str]]:
    """The equations as formulas by quantity, in as many dicts as a quantity has forms."""
    found: list[dict[str, str]] = []
    for line in equations:
        free = next((form for form in found if line.quantity not in form), None)
        if free is None:
            free = {}
            found.append(free)
        free[line.quantity] = line.formula
    return found


if __name__ == "__main__":
    for system in SYSTEMS:
        right = all(judge(system.loss, system.arguments, form) for form in forms(system.equations))
        print(f"\n{system.post}, {system.title}; {system.layout}: {'all right' if right else 'NOT RIGHT'}")
        for line in system.equations:
            print(f"  {line.quantity:<4} = {line.formula:<60} {line.remark}".rstrip())
    print("\nexercises")
    for exercise in EXERCISES:
        right = judge(exercise.function, exercise.arguments, {exercise.quantity: exercise.answer})
        print(f"  {exercise.post}  {exercise.quantity:<8} = {exercise.answer:<62} {'right' if right else 'NOT RIGHT'}")
