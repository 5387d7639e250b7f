"""A document made by hand: a softmax network of two layers, with every kind of block and hostile names.

`FORMS` are its formulas of arrays; `VALUES` and `SIZES` are numbers for them, so that what is shown can be evaluated.
"""

from fractions import Fraction

import numpy as np

from chainrule.index_form import Delta, Entry, Holds, Index, Of, Plus, Raised, SizeOf, Times, Total, Value
from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
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
)
from chainrule.show.document import (
    Code,
    Document,
    Equations,
    Facts,
    Figure,
    Listing,
    Matrix,
    Paragraph,
    Partial,
    Row,
    Section,
    SideBySide,
    Table,
)

N, D, H, K = 5, 4, 3, 2
SIZES = {"N": N}
RNG = np.random.default_rng(7)
SHAPES = {
    "X": (N, D), "Y": (N, K), "W1": (D, H), "b1": (H,), "W2": (H, K), "b2": (K,), "Z1": (N, H), "A1": (N, H), "Z2": (N, K),
    "P": (N, K), "dZ2": (N, K), "dW2": (H, K), "db2": (K,), "dA1": (N, H), "dZ1": (N, H), "dW1": (D, H), "db1": (H,),
    "u": (H,), "v": (K,), "S": (2, N, H), "eta": (), "L": (),
}  # fmt: skip
VALUES = {name: RNG.standard_normal(shape) for name, shape in SHAPES.items()}
VALUES["P"] = np.exp(VALUES["P"])
ROLES = {
    "X": ("data", 0), "Y": ("labels", 0), "W1": ("weight", 1), "b1": ("bias", 1), "W2": ("weight", 2), "b2": ("bias", 2),
    "Z1": ("pre-activation", 1), "A1": ("activation", 1), "Z2": ("pre-activation", 2), "P": ("activation", 2), "L": ("loss", 0),
}  # fmt: skip


def shape_of(name):
    dims = ", ".join("N" if dim == N else str(dim) for dim in SHAPES[name])
    return f"({dims}{',' if len(SHAPES[name]) == 1 else ''})" if SHAPES[name] else ""


def fact(name):
    primal = name[1:] if name.startswith("d") else ""
    role, layer = ROLES.get(primal or name, ("value", 0))
    return Facts("value" if primal else role, primal, layer, shape_of(name), len(SHAPES[name]))


FACTS = {name: fact(name) for name in SHAPES}


def s(name):
    return Symbol(name)


def t(name):
    return Transposed(s(name))


def summed(form, axes, keepdims=False, kind="sum", over=()):
    return Reduced(kind, form, axes, keepdims, 2, over)


MASK = Relation(">", s("Z1"), Number(0))
FORWARD = {
    "Z1": Add((Product(s("X"), s("W1")), s("b1"))),
    "A1": Hadamard((s("Z1"), MASK)),
    "Z2": Add((Product(s("A1"), s("W2")), s("b2"))),
    "P": Quotient(Call("exp", (s("Z2"),)), summed(Call("exp", (s("Z2"),)), (1,), keepdims=True)),
    "L": Negative(Quotient(summed(Hadamard((s("Y"), Call("log", (s("P"),)))), (0, 1), over=("N", "2")), Size("N"))),
}
BACKWARD = {
    "dZ2": Quotient(Add((s("P"), Negative(s("Y")))), Size("N")),
    "dW2": Product(t("A1"), s("dZ2")),
    "db2": summed(s("dZ2"), (0,), over=("N",)),
    "dA1": Product(s("dZ2"), t("W2")),
    "dZ1": Hadamard((Product(s("dZ2"), t("W2")), MASK)),
    "dW1": Product(t("X"), s("dZ1")),
    "db1": summed(s("dZ1"), (0,), over=("N",)),
}
SQUARED = Power(s("Z2"), Number(2))
# What no small network has, but a formula may.
ODD = {
    "outer": Outer(s("u"), s("v")),
    "inner": Product(s("u"), Add((s("u"), Number(1)))),
    "row times matrix": Product(s("u"), s("W2")),
    "scaled": Scaled(s("eta"), s("dW2")),
    "scaled by digits": Scaled(Number(2), Scaled(Number(Fraction(1, 2)), s("dW2"))),
    "scaled product": Scaled(Quotient(Number(2.0), Size("N")), Product(t("A1"), s("dZ2"))),
    "scaled sum": Scaled(Number(0.5), Add((s("Z2"), s("b2")))),
    "scaled by a sum": Scaled(Add((s("eta"), Number(1))), s("Z2")),
    "two numbers": Scaled(s("eta"), s("L")),
    "minus a product": Add((s("Z2"), Negative(Product(s("A1"), s("W2"))), Negative(Add((s("b2"), s("v")))))),
    "negative first": Add((Negative(s("Z2")), Scaled(Number(-3), s("P")))),
    "negative within": Product(Negative(s("A1")), s("W2")),
    "right-nested": Product(s("X"), Product(s("W1"), s("W2"))),
    "product of sums": Product(Hadamard((s("A1"), s("Z1"))), Add((s("W2"), s("W2")))),
    "hadamard of products": Hadamard((Product(s("A1"), s("W2")), s("P"), Scaled(Number(2), s("Y")))),
    "hadamard of a quotient": Hadamard((Quotient(s("Z2"), s("P")), Add((s("P"), s("Y"))))),
    "product of a quotient": Product(Quotient(s("A1"), Size("N")), s("W2")),
    "transposed sum": Transposed(Add((s("A1"), s("Z1")))),
    "transposed product": Product(Transposed(Product(s("A1"), s("W2"))), s("P")),
    "power": SQUARED,
    "power of a sum": Power(Add((s("Z2"), Negative(s("Y")))), Number(2)),
    "power of a number": Power(s("eta"), Number(2)),
    "root": Quotient(s("Z2"), Power(Add((SQUARED, Number(1e-8))), Number(0.5))),
    "row sums": Hadamard((s("P"), summed(s("Y"), (1,), keepdims=True))),
    "column sums of a product": summed(Product(s("A1"), s("W2")), (0,)),
    "column sums of a sum": Hadamard((summed(Add((s("Z2"), s("Y"))), (0,)), s("b2"))),
    "mean": Add((s("Z2"), Negative(summed(s("Z2"), (0,), kind="mean")))),
    "max": Add((s("Z2"), Negative(summed(s("Z2"), (1,), keepdims=True, kind="max")))),
    "mean of all": Scaled(summed(SQUARED, (0, 1), kind="mean"), s("v")),
    "functions": Call("maximum", (Call("tanh", (s("Z2"),)), Call("sqrt", (Call("abs", (s("Y"),)),)))),
    "where": Call("where", (Relation("<=", s("Z2"), s("Y")), s("Z2"), s("Y"))),
    "softmax": Call("softmax", (s("Z2"),)),
    "stack": Product(s("S"), s("W2")),
    "stack transposed": Product(Transposed(s("S")), s("S")),
    "axes turned": Transposed(s("S"), (2, 0, 1)),
    "sum of a vector": Reduced("sum", Hadamard((s("u"), s("u"))), (0,), False, 1, ("3",)),
    "quotients": Quotient(Quotient(s("Z2"), s("P")), Quotient(s("P"), Size("N"))),
    "negative power": Negative(Power(s("P"), Number(-1))),
    "sum times": Scaled(Reduced("sum", s("u"), (0,), False, 1, ("3",)), s("v")),
    "sum plus": Add((Reduced("sum", s("u"), (0,), False, 1, ("3",)), Negative(s("eta")))),
    "size": Quotient(s("Z2"), Size("3 * N")),
    "minus a mask": Add((s("Z1"), Negative(MASK))),
}
FORMS = {**FORWARD, **BACKWARD, **ODD}

i, j, k, p, q = (Index(letter, size) for letter, size in (("i", "N"), ("j", K), ("k", H), ("p", H), ("q", K)))
MINUS, INVERSE = Value(Fraction(-1)), Value(Fraction(-1))
DZ_IJ, W_PQ = Entry("Z2", (i, j)), Entry("W2", (p, q))
A_IP = Entry("A1", (i, p))
PROOF = (
    Row(DZ_IJ, (Plus((Total((k,), Times((Entry("A1", (i, k)), Entry("W2", (k, j))))), Entry("b2", (j,)))),)),
    Row(Partial(DZ_IJ, W_PQ), (Times((A_IP, Delta(j, q))),), remark=("only column ", Entry("W2", (p, q)))),
    Row(
        Partial("L", W_PQ),
        (
            Total((i, j), Times((Entry("dZ2", (i, j)), A_IP, Delta(j, q)))),
            Total((i,), Times((A_IP, Entry("dZ2", (i, q))))),
        ),
        remark=("W2 is shared by samples: summed over ", Code("N")),
    ),
    Row(
        Partial("L", Entry("W2", (1, 2))),
        (Plus(tuple(Times((Entry("A1", (n, 1)), Entry("dZ2", (n, 2)))) for n in (1, 2))),),
    ),
)
k = Index("k", K)
EXPS = Total((k,), Of("exp", (Entry("Z2", (i, k)),)))
SOFTMAX = Row(Entry("P", (i, j)), (Times((Of("exp", (DZ_IJ,)), Raised(EXPS, INVERSE))),))
JACOBIAN = Row(
    Partial(Entry("P", (i, k)), DZ_IJ),
    (Times((Entry("P", (i, k)), Plus((Delta(k, j), Times((MINUS, Entry("P", (i, j)))))))),),
)
LOG_LIKELIHOOD = Total((i, j), Times((Entry("Y", (i, j)), Of("log", (Entry("P", (i, j)),)))))
LOSS = Row(Entry("L"), (Times((MINUS, Raised(SizeOf("N"), INVERSE), LOG_LIKELIHOOD)),))
RELU = Row(Partial(Entry("A1", (i, p)), Entry("Z1", (i, p))), (Holds(">", Entry("Z1", (i, p)), Value(Fraction(0))),))
HOSTILE = (
    "</script><script>alert(1)</script>", "$x_1#", "W&b", "a\\b{c}^~%", "Größe", "\x1b[31mred", "用户", "layers[0].W",
)  # fmt: skip
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><rect width="90" height="30" fill="#0072B2"/></svg>'
)
WHY = {
    "dZ2": ("softmax with cross-entropy: ", s("P"), " and ", s("Y"), " alone"),
    "dW2": ("the weight gets the sum over the samples that share it",),
    "dZ1": ("through relu: what was cut off passes nothing back; ", Code("relu'(0) = 0")),
}
CODE = 'def loss(X):\n    return X  # </pre> \\end{verbatim} "quoted" -- `x` <<1>> tab\there\n'


def equations(forms):
    return Equations(tuple(Row(s(name), (form,), shape_of(name), WHY.get(name, ())) for name, form in forms.items()))


NUMBERS = (
    Matrix(Partial("P", "Z2"), np.array([[0.25, -0.25], [-0.25, 0.25]]), ("p_1", "p<2>"), ("z_1", "z_2"), "out \\ in"),
    Matrix(s("W1"), VALUES["W1"], remark=("as it was given",)),
    Matrix("many", np.arange(600.0).reshape(20, 30)),
    Table(("way", "costs"), ((("path by path",), ("384",)), (("reverse | mode, ", s("W1")), ("39 ", Code("a|b"))))),
)
COLUMNS = Equations((Row(s("dW2"), (Product(s("dZ2"), t("A1")),)),))
STRANGE = tuple(
    Row(s("d" + name), (Product(s(name), s("dZ2")),), "(N,)", (Code(name), " and ", name)) for name in HOSTILE
)
DOCUMENT = Document(
    "The gradient of loss <net_1> & 100%",
    (
        Paragraph(
            ("The loss ", s("L"), " by ", s("W1"), " and ", s("W2"), "; a line of yours: ", Code("A = np.tanh(Z)"))
        ),
        Section(("Forward",), (equations(FORWARD),)),
        Section(
            ("Backward",), (equations(BACKWARD), Paragraph((Partial("L", "W2"), " has the shape of ", s("W2"), ".")))
        ),
        Section(
            ("Where does the transpose of ", s("dW2"), " come from?"),
            (Equations(PROOF), Equations((SOFTMAX, JACOBIAN, LOSS, RELU))),
        ),
        Section(("Numbers",), NUMBERS, folded=True),
        SideBySide("rows", (equations({"dW2": BACKWARD["dW2"]}),), "columns", (COLUMNS,)),
        Listing(CODE),
        Figure(SVG, "the net as a picture & more"),
        Section(("Hostile names",), (Equations(STRANGE),)),
    ),
    {**FACTS, **{"d" + name: Facts(cotangent_of=name) for name in HOSTILE}, "layers[0].W": Facts("weight")},
)
