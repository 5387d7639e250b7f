"""Epochs as one function: networks, losses and optimizers, whole and divided, against the NumPy step.

The emitted text runs as plain Python that checks what machine code does not (`emit_support.py`); for a divided step, pieces
of work are so small that all of them occur, and are handed out in several orders. Only the tests at the end compile.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import epoch_support
from chainrule import nn, optim
from chainrule.emit import numba_sections, sections
from chainrule.emit.numba_epoch import emit_epoch
from chainrule.errors import UnsupportedError
from chainrule.pytree import flatten
from emit_support import agree
from epoch_support import check_steps

rng = np.random.default_rng(0)
LOSSES = {
    "softmax_cross_entropy": ("class", "identity"), "cross_entropy": ("class", "softmax"), "mean_squared_error": ("number", "identity"),
    "sigmoid_cross_entropy": ("bit", "identity"), "binary_cross_entropy": ("bit", "sigmoid"),
}  # fmt: skip
OPTIMIZERS = {
    "sgd": optim.sgd(0.1), "momentum": optim.momentum(0.1), "nesterov": optim.nesterov(0.1), "rmsprop": optim.rmsprop(0.01),
    "adam": optim.adam(0.01), "adamw": optim.adamw(0.01),
}  # fmt: skip


def labels(kind, count, k):
    """Targets of a kind, samples in rows."""
    if kind == "class":
        return rng.integers(0, k, count)
    return rng.standard_normal((count, k)) if kind == "number" else rng.integers(0, 2, (count, k)).astype(np.float64)


@pytest.fixture
def small_pieces(monkeypatch):
    for name, size in (("CHUNK", 3), ("SMALL_CHUNK", 2), ("SMALLEST_CHUNK", 1)):
        monkeypatch.setattr(numba_sections, name, size)
    for name, size in (("PART_FLOPS", 50), ("PART_ROWS", 16), ("SMALL_PART_FLOPS", 50)):
        monkeypatch.setattr(sections, name, size)


def mlp_steps(layout, loss_name, sizes, activation, optimizer, dtype="float64", tail=0, **how):
    """`check_steps` of a multilayer perceptron on random data."""
    kind, output = LOSSES[loss_name]
    X, y = rng.standard_normal((12 + tail, sizes[0])).astype(dtype), labels(kind, 12 + tail, sizes[-1])
    y = y.astype(dtype) if y.dtype.kind == "f" else y
    network = nn.mlp(*sizes, activation=activation, output=output, layout=layout, dtype=dtype)
    loss = getattr(nn, loss_name)
    if layout == "row":
        return check_steps(network, loss, X, y, OPTIMIZERS[optimizer], tail=tail, **how)

    def loss_of_columns(outputs, y):
        return loss(outputs, y, axis=0)

    X, y = np.ascontiguousarray(X.T), np.ascontiguousarray(y.T)
    return check_steps(network, loss_of_columns, X, y, OPTIMIZERS[optimizer], axis=-1, tail=tail, **how)


SIZES = [(5, 3), (5, 4, 3), (5, 4, 6, 3), (5, 9, 10, 11, 3), (1, 1), (3, 1, 1), (4, 20, 20, 2)]


@pytest.mark.parametrize("layout", ["row", "column"])
@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "cross_entropy"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_depths_and_losses(layout, loss, sizes):
    mlp_steps(layout, loss, sizes, "relu", "adam")


@pytest.mark.parametrize("layout", ["row", "column"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_optimizers_and_a_smaller_last_batch(layout, optimizer, dtype):
    mlp_steps(layout, "softmax_cross_entropy", (5, 9, 3), "tanh", optimizer, dtype, tail=3, shuffle=dtype == "float64")


@pytest.mark.parametrize("activation", sorted(nn.activations.ACTIVATIONS))
def test_activations(activation):
    mlp_steps("row", "mean_squared_error", (5, 4, 3), activation, "sgd")


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
@pytest.mark.parametrize(("optimizer", "tail"), [("sgd", 0), ("momentum", 3), ("adam", 0)])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.usefixtures("small_pieces")
def test_a_divided_step_whoever_runs_a_piece(tiled, loss, optimizer, tail, sizes):
    mlp_steps("row", loss, sizes, "relu", optimizer, tail=tail, divided=True, tiled=tiled)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.usefixtures("small_pieces")
def test_a_small_divided_step(tiled, optimizer, sizes):
    mlp_steps("row", "softmax_cross_entropy", sizes, "relu", optimizer, tail=3, divided=True, small=True, tiled=tiled)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_made_for_their_sizes(sizes, dtype):
    mlp_steps("row", "mean_squared_error", sizes, "relu", "sgd", dtype, tiled=True, tail=2)


# -- networks of one's own -------------------------------------------------------------------------------------------------
def network_of(function, **arrays):
    """A network whose outputs are `function(its arrays, X)`."""
    kind = dataclass(
        type("Own", (), {"__annotations__": dict.fromkeys(arrays, Any), "__call__": lambda self, X: function(self, X)})
    )
    return kind(**arrays)


def weights(*shape):
    return rng.standard_normal(shape) / 2


def normalised(Z, axis):
    Z = Z - Z.mean(axis=axis, keepdims=True)
    return Z / np.sqrt((Z**2).mean(axis=axis, keepdims=True) + 1e-5)


REFUSED = {
    "recurrent",  # it reads a size as a number
    "the first target", "outputs above targets", "means apart",  # their samples of X and y are not joined
}  # fmt: skip


def recurrent(p, X):
    h = 0 * X[:, 0] @ p.W
    for t in range(3):
        h = np.tanh(X[:, t] @ p.W + h @ p.U)
    return h @ p.V


X, Y, CLASSES = weights(15, 5), weights(15, 3), rng.integers(0, 3, 15)
SEQUENCE, WORDS, SIGNS = weights(15, 3, 2), rng.integers(0, 7, (15, 6)), np.array([1.0, -2.0, 0.5])
MSE, SCE = nn.mean_squared_error, nn.softmax_cross_entropy
OWN = {  # network, loss, X, y
    "batch norm": (network_of(lambda p, X: np.tanh(normalised(X @ p.W, 0) * p.g) @ p.V, W=weights(5, 4), g=weights(4), V=weights(4, 3)), SCE, X, CLASSES),
    "layer norm": (network_of(lambda p, X: np.tanh(normalised(X @ p.W, 1) * p.g) @ p.V, W=weights(5, 4), g=weights(4), V=weights(4, 3)), SCE, X, CLASSES),
    "tied": (network_of(lambda p, X: np.tanh(X @ p.W + p.b) @ p.W.T, W=weights(5, 4), b=weights(4)), MSE, X, X * 2),
    "square and tied": (network_of(lambda p, X: np.tanh(X @ p.W) @ p.W.T @ p.W, W=weights(5, 5)), MSE, X, X * 2),
    "shared": (network_of(lambda p, X: np.tanh(np.tanh(X @ p.W) @ p.W), W=weights(5, 5)), MSE, X, X * 2),
    "decay": (network_of(lambda p, X: (X @ p.W, p.W), W=weights(5, 3)), lambda o, y: MSE(o[0], y) + 0.1 * np.sum(o[1] ** 2), X, Y),
    "weight norm": (network_of(lambda p, X: X @ (p.W / np.sqrt(np.sum(p.W**2, axis=0))) @ p.V, W=weights(5, 4), V=weights(4, 3)), MSE, X, Y),
    "numbers": (network_of(lambda p, X: X * p.w + p.b, w=np.float64(0.5), b=np.float64(0.1)), MSE, X, X * 2),
    "frozen": (network_of(lambda p, X: X @ cr.stop_gradient(p.F) @ p.W, W=weights(4, 3), F=weights(5, 4), unused=weights(2)), MSE, X, Y),
    "vector": (network_of(lambda p, X: X @ p.w, w=weights(5)), lambda o, y: np.mean((o - y) ** 2), X, Y[:, 0].copy()),
    "embedding": (network_of(lambda p, I: p.E[I].mean(axis=1) @ p.W, E=weights(7, 4), W=weights(4, 3)), SCE, WORDS, CLASSES),
    "recurrent": (network_of(recurrent, W=weights(2, 4), U=weights(4, 4), V=weights(4, 3)), SCE, SEQUENCE, CLASSES),
    "attention": (network_of(lambda p, X: (nn.softmax((X @ p.Q) @ (X @ p.K).transpose(0, 2, 1)) @ X @ p.V).mean(axis=1), Q=weights(2, 4), K=weights(2, 4), V=weights(2, 3)), SCE, SEQUENCE, CLASSES),
    "convolution": (network_of(lambda p, X: np.maximum(X[:, :-1] * p.k[0] + X[:, 1:] * p.k[1], 0) @ p.W, k=weights(2), W=weights(4, 3)), SCE, X, CLASSES),
    "reshaped": (network_of(lambda p, X: np.tanh(X.reshape(X.shape[0], -1)) @ p.W, W=weights(6, 3)), SCE, SEQUENCE, CLASSES),
    "skip": (network_of(lambda p, X: np.concatenate([X @ p.W, X], axis=1) @ p.V, W=weights(5, 2), V=weights(7, 3)), SCE, X, CLASSES),
    "integers": (nn.mlp(5, 4, 3), SCE, rng.integers(0, 4, (15, 5)), CLASSES.astype(np.int32)),
    "truths": (nn.mlp(5, 4, 3), nn.sigmoid_cross_entropy, X, Y > 0),
    **{
        name: (nn.mlp(5, 4, 3, activation="tanh"), loss, X, Y)
        for name, loss in {
            "a captured array": lambda o, t: np.mean((o - t) ** 2 @ SIGNS),
            "largest error": lambda o, t: np.max((o - t) ** 2),
            "absolute errors": lambda o, t: np.sum(np.abs(o - t)),
            "pairs of samples": lambda o, t: np.mean(np.sum((o[:, None] - o[None]) ** 2, axis=-1) * (t @ t.T)),
            "softmax over samples": lambda o, t: np.mean(nn.softmax(o, axis=0) * t) * 9,
            "the first sample": lambda o, t: np.mean((o - o[0]) ** 2 * t**2),
            "the first target": lambda o, t: np.mean((o - t[0]) ** 2 * t[-1] ** 2),
            "samples backwards": lambda o, t: np.mean((o - o[::-1]) ** 2 * t**2),
            "targets backwards": lambda o, t: np.mean((o - t[::-1]) ** 2),
            "neighbours": lambda o, t: np.mean((o[1:] - o[:-1]) ** 2) + np.mean(t * o),
            "places": lambda o, t: np.mean(np.arange(o.shape[0])[:, None] * (o - t) ** 2),
            "outputs above targets": lambda o, t: np.mean(np.concatenate([o, -t]) ** 3),
            "means apart": lambda o, t: np.sum(np.max(o, axis=0) * o.mean(axis=0)) - np.sum(t.mean(axis=0)),
            "norms": lambda o, t: np.sum(o * t) / np.sqrt(np.sum(o**2) * np.sum(t**2)),
            "turned": lambda o, t: np.mean((o.T - t.T) ** 2 * np.mean(o, axis=1)),
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("how", ["whole", "divided", "tiled"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", OWN)
@pytest.mark.usefixtures("small_pieces")
def test_a_network_or_loss_of_ones_own(name, optimizer, how):
    try:
        check_steps(*OWN[name], OPTIMIZERS[optimizer], tail=3, divided=how != "whole", tiled=how == "tiled")
    except UnsupportedError:
        assert how != "whole" or name in REFUSED


# -- optimizers of one's own: what takes whose memory ------------------------------------------------------------------------
def own(init, update):
    return SimpleNamespace(init=init, update=update)


def line(**state):
    """An optimizer of W alone: texts of new W and state, in terms of W, G and the old state."""
    new_W = state.pop("W")
    starts = {name: text.split(" <- ")[1] for name, text in state.items()}
    updates = {name: text.split(" <- ")[0] for name, text in state.items()}

    def evaluated(texts, **scope):
        return {name: eval(text, {"np": np}, scope) for name, text in texts.items()}  # noqa: S307 - texts of this file

    def update(p, g, s):
        scope = {**s, "W": p.W, "G": g.W}
        return type(p)(**evaluated({"W": new_W}, **scope)), evaluated(updates, **scope)

    return own(lambda p: evaluated(starts, W=p.W), update)


UPDATES = {
    "plus": line(W="W + -0.1 * G"), "the other way round": line(W="-0.1 * G + W"), "scaled twice": line(W="W - G * 0.1 * 0.5"),
    "mean of old": line(W="W - 0.1 * G", a="0.9 * a + 0.1 * W <- W * 0"), "negative of old": line(W="W - 0.1 * G + 0.1 * a", a="-W <- W"),
    "old": line(W="W - 0.1 * G + 0.1 * (W - a)", a="W <- W * 0"), "new": line(W="W - 0.1 * G", a="W - 0.1 * G <- W * 0"),
    "gradient twice": line(W="W - 0.1 * G - 0.1 * a", a="G <- W * 0", b="G <- W * 0"), "exchanged": line(W="a", a="W <- W * 2"),
    "exchanged and moved": line(W="a - 0.1 * G", a="W - 0.1 * G <- W * 2"), "zeros": line(W="W - 0.1 * G - a", a="np.zeros_like(W) <- W"),
    "ones": line(W="W - 0.1 * G - a", a="np.ones((5, 5)) <- W"), "norm": line(W="W - 0.1 * G / n", n="np.sqrt(np.sum(G ** 2)) <- np.float64(1)"),
    "clipped": line(W="W - G * np.minimum(0.1, 1 / np.sqrt(np.sum(G ** 2)))"), "unit columns": line(W="(W - 0.1 * G) / np.sqrt(np.sum((W - 0.1 * G) ** 2, axis=0))"),
    "unit rows": line(W="(W - 0.1 * G) / np.sqrt(np.sum((W - 0.1 * G) ** 2, axis=1, keepdims=True))"), "mean free": line(W="W - 0.1 * G - (W - 0.1 * G).mean()"),
    "upside down": line(W="W[::-1] - 0.1 * G"), "new upside down": line(W="(W - 0.1 * G)[::-1]"), "turned": line(W="W.T - 0.1 * G"),
    "new turned": line(W="(W - 0.1 * G).T"), "symmetric": line(W="W - 0.1 * (G + G.T)"), "mean with turned": line(W="(W + W.T) / 2 - 0.1 * G"),
    "next row": line(W="W[[1, 2, 3, 4, 0]] - 0.1 * G"), "natural": line(W="W - 0.1 * W @ (W.T @ G)"), "summed rows": line(W="W - 0.1 * G - 0.01 * W.sum(axis=0)"),
    "preconditioned": line(W="W - 0.1 * H @ G", H="0.9 * H + 0.1 * G @ G.T <- np.eye(5)"), "exchanged numbers": line(W="W - 0.1 * a * G", a="b <- np.float64(1)", b="a <- np.float64(2)"),
    "moved numbers": line(W="W - 0.1 * a * G", a="b * 0.5 <- np.float64(1)", b="a + 1 <- np.float64(2)"), "same number": line(W="W - 0.01 * a * G", a="a + 1 <- np.float64(1)", b="a + 1 <- np.float64(2)"),
    "steps": line(W="W - 0.1 * G / (1 + t)", t="t + 1 <- np.int64(0)"), "velocity twice": line(W="W - 0.1 * (m + G)", m="m + G <- W * 0"),
    "velocity with old": line(W="W - 0.1 * (m + G)", m="m + G + W <- W * 0"), "narrow": line(W="W - 0.1 * G - m", m="(0.9 * m + G).astype(np.float32) <- (W * 0).astype(np.float32)"),
    "wider": line(W="W - 0.1 * G - m", m="0.9 * m + G <- (W * 0).astype(np.float32)"), "larger": line(W="W - 0.1 * G - m", m="m + G <- np.zeros((1, 5))"),
}  # fmt: skip


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.usefixtures("small_pieces")
def test_an_update_of_ones_own_or_its_refusal(name, divided):
    """Whatever takes an argument's memory, the step reads what was there before."""
    network = network_of(lambda p, X: np.tanh(X @ p.W), W=weights(5, 5))
    refused = {"old", "exchanged", "exchanged numbers", "wider", "larger"}
    try:
        check_steps(network, MSE, X, X * 2, UPDATES[name], divided=divided, rtol=1e-6 if name == "narrow" else None)
    except UnsupportedError:
        assert divided or name in refused


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("for j in range(3)", "for j in range(2)"),
        ("W1[i, j] = W1[i, j] - ", "W1[i, j] = W1[j, i] - "),
        (" = t + 1.0", " = t + 2.0"),
        ("total += loss_now", "total += total"),
        ("start = first + batch * N", "start = first"),
    ],
)
def test_an_epoch_with_an_error_is_noticed(monkeypatch, right, wrong):
    def changed(*arguments, **options):
        epoch = emit_epoch(*arguments, **options)
        assert right in epoch.source
        return replace(epoch, source=epoch.source.replace(right, wrong))

    monkeypatch.setattr(epoch_support, "emit_epoch", changed)
    with pytest.raises(AssertionError):
        mlp_steps("row", "softmax_cross_entropy", (5, 4, 3), "relu", "adam")


# -- compiled --------------------------------------------------------------------------------------------------------------
FITS = {
    "two layers of float32": (nn.mlp(6, 9, 3, dtype="float32"), SCE, {}),
    "columns": (nn.mlp(6, 9, 3, layout="column", activation="tanh"), lambda o, y: SCE(o, y, axis=0), {"optimizer": optim.momentum}),
    "square layers, divided": (nn.mlp(6, 130, 130, 3, activation="relu"), SCE, {"batch_size": 128, "optimizer": optim.momentum}),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_machine_code_trains_like_numpy_on_any_number_of_threads(name, capfd):
    pytest.importorskip("numba")
    network, loss, options = FITS[name]
    X = np.random.default_rng(0).standard_normal((300, 6))
    y = X[:, :3].argmax(axis=1)
    X = X.T if name == "columns" else X
    options = {"epochs": 2, "batch_size": 64, "lr": 0.01} | options
    by_numpy = cr.fit(network, loss, X, y, engine="numpy", **options)
    compiled = [cr.fit(network, loss, X, y, engine="numba", threads=threads, **options) for threads in (1, 2)]
    rtol = 1e-4 if "float32" in name else 1e-10
    for result in compiled:
        assert result.history.engine == "numba"
        agree(flatten(result.network)[0], flatten(by_numpy.network)[0], rtol)
        losses = [[epoch.train_loss for epoch in r.history] for r in (result, by_numpy)]
        np.testing.assert_allclose(*losses, rtol=rtol)
    one, two = (flatten(result.network)[0] for result in compiled)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))
    assert "illegal value" not in "".join(capfd.readouterr())  # BLAS says so, and goes on
