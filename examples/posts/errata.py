"""The slips in the posts that describe backpropagation, found by chainrule: each printed formula judged against the loss.

Every entry has the post's system as plain NumPy, the formula as it was printed, and the right one. The sizes are small and
all different, so that what does not fit shows; where a slip is legal only for square matrices, they are square. A formula
is judged by `cr.check_formula`; until that is there, by the derived gradient itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import chainrule as cr
from chainrule.diagnosis.formulas import parse_formula
from chainrule.diagnosis.watching import watch
from chainrule.errors import ArgumentError

random = np.random.default_rng(20)


def normal(*shape):
    """A random array."""
    return random.normal(size=shape)


def labels(classes, samples):
    """Random labels in one-hot columns."""
    return np.eye(classes)[:, random.integers(0, classes, samples)]


def sigmoid(Z):
    """The logistic function."""
    return 1 / (1 + np.exp(-Z))


def softmax(Z, axis):
    """Exponentials over their sum."""
    E = np.exp(Z)
    return E / E.sum(axis=axis, keepdims=True)


def summed_cross_entropy(X3, y, W3, b3):
    """The last layer of the post on a four-layer network, rows: cross-entropy, summed over the samples."""
    Z3 = X3 @ W3 + b3
    o = softmax(Z3, 1)
    return -np.sum(y * np.log(o))


def mean_cross_entropy(X3, y, W3, b3):
    """The same, averaged over the samples."""
    N = len(X3)
    Z3 = X3 @ W3 + b3
    o = softmax(Z3, 1)
    return -np.sum(y * np.log(o)) / N


def columns(X, Y, W1, B1, W2, B2):
    """The post on column layout: relu, sigmoid, the cost averaged over N observations."""
    N = X.shape[1]
    Z1 = W1 @ X + B1
    A1 = np.maximum(0, Z1)
    Z2 = W2 @ A1 + B2
    A2 = sigmoid(Z2)
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / N


def columns_softmax(X, Y, W1, B1, W2, B2):
    """The post on column layout, with a softmax where it allows any activation."""
    Z1 = W1 @ X + B1
    A1 = np.maximum(0, Z1)
    Z2 = W2 @ A1 + B2
    A2 = softmax(Z2, 0)
    return -np.sum(Y * np.log(A2))


def quadratic(x, y, w2, b2, w3, b3):
    """The post on computational graphs: sigmoid layers, J the mean of the samples' quadratic costs."""
    n = x.shape[1]
    z2 = w2 @ x + b2
    a2 = sigmoid(z2)
    z3 = w3 @ a2 + b3
    a3 = sigmoid(z3)
    return np.sum((a3 - y) ** 2) / (2 * n)


def binary(X, y, W1, B1, W2, B2, W3, B3):
    """The post on binary classification: sigmoid layers, columns, one output unit, the mean over m samples."""
    m = X.shape[1]
    Z1 = W1 @ X + B1
    A1 = sigmoid(Z1)
    Z2 = W2 @ A1 + B2
    A2 = sigmoid(Z2)
    Z3 = W3 @ A2 + B3
    A3 = sigmoid(Z3)
    return -np.sum(y * np.log(A3) + (1 - y) * np.log(1 - A3)) / m


def binary_from_logits(Z, y):
    """Its output layer by itself, with the loss in the form that does not overflow."""
    m = Z.shape[1]
    A = sigmoid(Z)  # noqa: F841 (the formulas are written with it)
    return np.sum(cr.nn.softplus(Z) - y * Z) / m


def mse(x, y, w1, b1, w2, b2):
    """The post on u1 to u5: affine, relu, affine, squared error, summed over outputs, averaged over samples."""
    N = len(x)
    u1 = x @ w1 + b1
    u2 = np.maximum(0, u1)
    u3 = u2 @ w2 + b2
    u4 = y - u3
    u5 = u4**2
    return np.sum(u5) / N


def half_square(x, y, w1, b1, w2, b2):
    """Its form for one sample, with the half."""
    u1 = x @ w1 + b1
    u2 = np.maximum(0, u1)
    u3 = u2 @ w2 + b2
    u4 = y - u3
    return np.sum(u4**2) / 2


@dataclass(frozen=True)
class Erratum:
    """One slip.

    Attributes
    ----------
    number : str
        Post and number: "4.1" is the first of the fourth post.
    loss : callable
    args : tuple
    quantity : str
        What the formula is for: "dW2" is the gradient by W2.
    printed, right : str
        The formula as it was printed, or as it reads; and as it should be.
    words : tuple of str
        Words for the slip, any of them.
    illegal : bool
        Whether the printed formula has no value at all: shapes do not fit, or a name does not exist.
    """

    number: str
    loss: Callable
    args: tuple
    quantity: str
    printed: str
    right: str
    words: tuple[str, ...] = ()
    illegal: bool = False


rows3 = (normal(5, 4), np.eye(3)[[0, 2, 1, 1, 0]], normal(4, 3), normal(3))
rows3_unnormalised = (rows3[0], random.random((5, 3)), *rows3[2:])
cols = (normal(4, 6), random.integers(0, 2, (2, 6)) * 1.0, normal(5, 4), normal(5, 1), normal(2, 5), normal(2, 1))
cols_one_hot = (normal(4, 6), labels(3, 6), normal(5, 4), normal(5, 1), normal(3, 5), normal(3, 1))
graph_net = (normal(2, 6), normal(3, 6), normal(4, 2), normal(4, 1), normal(3, 4), normal(3, 1))


def binary_args(n0, n1, n2, m):
    """Arguments of `binary`, of these widths."""
    layers = (normal(n1, n0), normal(n1, 1), normal(n2, n1), normal(n2, 1), normal(1, n2), normal(1, 1))
    return (normal(n0, m), random.integers(0, 2, (1, m)) * 1.0, *layers)


def mse_args(N, d, h, k):
    """Arguments of `mse`, of these sizes."""
    return (normal(N, d), normal(N, k), normal(d, h), normal(h), normal(h, k), normal(k))


different, square, of_samples = binary_args(3, 5, 2, 7), binary_args(3, 4, 4, 7), binary_args(3, 5, 2, 5)
sure = (np.array([[40.0, -1.0, 0.5]]), np.array([[1.0, 0.0, 1.0]]))
one, several, as_wide = mse_args(1, 3, 4, 2), mse_args(6, 3, 4, 2), mse_args(6, 3, 3, 2)
single = mse_args(6, 3, 4, 1)

PRODUCT = "2 / N * x.T @ (((u3 - y) @ w2.T) * (u1 > 0))"
QUOTIENT = "-(y / A3 - (1 - y) / (1 - A3)) / m"
ERRATA = [
    Erratum("1.1", summed_cross_entropy, rows3_unnormalised, "dZ3", "o - y", "o * y.sum(axis=1, keepdims=True) - y",
            ("wrong_loss_derivative",)),
    Erratum("1.2", mean_cross_entropy, rows3, "dZ3", "o - y", "(o - y) / N", ("missing_mean",)),
    Erratum("1.3", summed_cross_entropy, rows3, "dW3", "einsum('ni,jk->nijk', X3, eye(3)) * dZ3", "X3.T @ dZ3", (), True),
    Erratum("2.1", columns, cols, "dZ2", "A2 * (1 - A2)", "dA2 * A2 * (1 - A2)", ()),
    Erratum("2.3", columns, cols, "dW2", "dZ2 @ A1.T / N", "dZ2 @ A1.T", ("double_mean", "extra_mean")),
    Erratum("2.4", columns, cols, "dA1", "W2.T @ dZ2.T.reshape(-1, 1)", "W2.T @ dZ2", ("reshape_instead_of_transpose",), True),
    Erratum("2.5", columns, cols, "dB2", "dZ2", "dZ2 @ ones((N, 1))", ("bias_not_summed",)),
    Erratum("2.6", columns, cols, "dZ1", "kron(dA1, Z1 > 0)", "dA1 * (Z1 > 0)", ("product_order",)),
    Erratum("2.7", columns_softmax, cols_one_hot, "dZ2", "dA2 * A2 * (1 - A2)", "A2 - Y", ("softmax_jacobian_diagonal_only",)),
    Erratum("3.2", quadratic, graph_net, "dz3", "(a3 - y) * a3 * (1 - a3)", "(a3 - y) * a3 * (1 - a3) / n", ("missing_mean",)),
    Erratum("3.3", quadratic, graph_net, "dz3", "(w4.T @ dz4) * a3 * (1 - a3)", "da3 * a3 * (1 - a3)", ("off_by_one_layer",),
            True),
    Erratum("3.4", quadratic, graph_net, "dw2", "dz2 @ sigmoid(x).T", "dz2 @ x.T", ("forward_mismatch", "off_by_one_layer")),
    Erratum("3.5", columns_softmax, cols_one_hot, "dZ2", "(-Y / A2) * A2 * (1 - A2)", "A2 - Y",
            ("softmax_jacobian_diagonal_only",)),
    Erratum("4.1", binary, different, "dA3", "(y / A3 - (1 - y) / (1 - A3)) / m", QUOTIENT, ("sign",)),
    Erratum("4.2", binary, different, "dZ3", "dA3.T @ diag((A3 * (1 - A3))[0])", "dA3 @ diag((A3 * (1 - A3))[0])",
            ("transposed",), True),
    Erratum("4.3", binary, different, "dW2", "einsum('ij,ijkh->kh', dZ2, ones((2, m, m, 2)))",
            "einsum('ij,ijkh->kh', dZ2, einsum('ik,hj->ijkh', eye(2), A1))", ("wrong_index",)),
    Erratum("4.4", binary, square, "dW2", "(dZ2 * A1).sum(axis=1, keepdims=True) * ones((1, 4))", "dZ2 @ A1.T",
            ("wrong_index",)),
    Erratum("4.10", binary, different, "dW2", "dA2 * ((A2 * (1 - A2)) @ A1.T)", "(dA2 * (A2 * (1 - A2))) @ A1.T",
            ("product_order",), True),
    Erratum("4.10, m = n", binary, of_samples, "dW2", "dA2 * ((A2 * (1 - A2)) @ A1.T)", "(dA2 * (A2 * (1 - A2))) @ A1.T",
            ("product_order",)),
    Erratum("4.11", binary, different, "dZ3", "dA3 * sigmoid(Z2) * (1 - sigmoid(Z2))", "dA3 * sigmoid(Z3) * (1 - sigmoid(Z3))",
            ("off_by_one_layer",)),
    Erratum("4.12", binary, different, "dA2", "W3.T @ dW3", "W3.T @ dZ3", ()),
    Erratum("4.13", binary_from_logits, sure, "dZ", "-(y / A - (1 - y) / (1 - A)) / m * A * (1 - A)", "(A - y) / m",
            ("numerically_unstable",)),
    Erratum("5.1", half_square, one, "du3", "-2 * (y - u3)", "-(y - u3)", ("factor:2",)),
    Erratum("5.3", mse, several, "du3", "-2 * u4", "-2 / N * u4", ("missing_mean",)),
    Erratum("5.5", mse, several, "dw1", "2 / N * x.T @ ((u3 - y) @ w2.T) * (u1[0] > 0)", PRODUCT,
            ("product_order", "mask_not_applied", "missing_activation_derivative")),
    Erratum("5.6", mse, several, "du3", "-2 / N * (y - u2 @ w2 + b2)", "-2 / N * (y - (u2 @ w2 + b2))",
            ("sign", "forward_mismatch")),
    Erratum("5.7", mse, several, "db2", "-2 / N * (y.sum(axis=0) - u2 @ w2 - b2)", "-2 / N * (y - u2 @ w2 - b2).sum(axis=0)",
            ("bias_not_summed", "wrong_axis_sum")),
    Erratum("5.8", mse, several, "dx", "(du1 @ w1.T).sum(axis=0)", "du1 @ w1.T", ("wrong_axis_sum",)),
    Erratum("5.9", mse, several, "dw1", "2 / N * (((u3 - y) @ w2.T) * (u1 > 0)) @ x.T", PRODUCT, ("product_order",), True),
    Erratum("5.10", mse, several, "dw1", "(du1 * x).sum()", "x.T @ du1", ("product_order", "wrong_axis_sum"), True),
    Erratum("5.10, h = d", mse, as_wide, "dw1", "(du1 * x).sum()", "x.T @ du1", ("product_order", "wrong_axis_sum")),
    Erratum("5.10, bias", mse, several, "db1", "du1.sum()", "du1.sum(axis=0)", ("wrong_axis_sum",)),
    Erratum("5.11", mse, several, "dw1", "du1 @ x", "x.T @ du1", ("transposed", "product_order"), True),
    Erratum("5.12", mse, several, "du3", "(-2 / N * u4) @ w2.T", "-2 / N * u4", ("off_by_one_layer",)),
    Erratum("5.13", mse, single, "du3", "-2 / N * (y.ravel() - u3)", "-2 / N * (y - u3)", ("keepdims_broadcast",)),
    Erratum("5.16", mse, several, "du3", "-2 / (N * 2) * u4", "-2 / N * u4", ("extra_mean", "factor:0.5")),
]  # fmt: skip


def judge(erratum: Erratum, text: str) -> tuple[bool, str]:
    """Whether a formula is right, and what chainrule says of it."""
    try:
        if hasattr(cr, "check_formula"):
            report = cr.check_formula(erratum.loss, {erratum.quantity: text}, *erratum.args)
            return bool(report), str(report)
        return compared(erratum, text)
    except ArgumentError as error:
        return False, str(error)


def compared(erratum: Erratum, text: str) -> tuple[bool, str]:
    """The same by the derived gradient, and the names of the loss as they were while it ran."""
    values = {
        seen.name: seen.value for seen in watch(erratum.loss, erratum.args).assignments if "return" not in seen.name
    }
    values |= dict(zip(erratum.loss.__code__.co_varnames, erratum.args, strict=False))
    bars = cotangents(erratum)
    got, want = parse_formula(text).evaluate(values | bars), bars[erratum.quantity]
    if got.shape != want.shape:
        return False, f"{erratum.quantity} has shape {want.shape}, and this gives {got.shape}"
    if not np.all(np.isfinite(got)):
        return False, f"{np.sum(~np.isfinite(got))} of {got.size} entries are not finite"
    apart = np.max(np.abs(got - want)) / np.max(np.abs(want))
    return bool(apart < 1e-9), "right" if apart < 1e-9 else f"off by {apart:.1%} of the largest entry"


def cotangents(erratum: Erratum) -> dict[str, np.ndarray]:
    """The derivative of the loss by each of its named quantities: dW2, dA1, ..."""
    from chainrule.diagnosis.sheet import Sheet
    from chainrule.evaluate import evaluate

    graph = cr.graph(erratum.loss, *erratum.args)
    sheet = Sheet(graph, evaluate(graph, list(erratum.args), everything=True))
    run = sheet.run()
    named = ((graph.variables[number].name, bar) for number, bar in run.cotangents.items())
    return {f"d{name}": np.asarray(bar) for name, bar in named if name}


if __name__ == "__main__":
    print("erratum      quantity  printed, what chainrule says of it, and the right formula")
    for erratum in ERRATA:
        wrong, says = judge(erratum, erratum.printed)
        right, _ = judge(erratum, erratum.right)
        first, *more = says.splitlines()
        print(f"{erratum.number:<13}{erratum.quantity:<10}{erratum.printed}")
        for line in (first, *more):
            print(f"{'':<23}| {line}".rstrip())
        print(f"{'':<23}{'right' if right else 'NOT RIGHT'}: {erratum.right}")
    found = sum(not judge(erratum, erratum.printed)[0] for erratum in ERRATA)
    print(f"\n{found} of {len(ERRATA)} printed formulas are found to be wrong")
