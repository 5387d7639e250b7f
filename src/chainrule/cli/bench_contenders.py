"""What `chainrule bench` times: a training step written by hand, and the same training with `fit`. Runs as a process.

The one idea: everyone starts from the same weights and sees the same batches, so that what is timed is the same work; the
losses of the first epochs show that it is.

>>> X, y, weights = starting_point(TRAININGS["tiny"])
>>> X.shape, y.shape, [W.shape for W, b in weights]
((16000, 2), (16000,), [(2, 4), (4, 4), (4, 3)])

The step by hand is the only arithmetic below `cli`: it has no business anywhere else.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import nn, optim
from chainrule.errors import ChainruleError
from chainrule.train.loop import fit

EPOCHS = 7  # of which the first is not timed: it prepares
CONTENDERS = ("hand", "numpy", "numba")

Weights = list[tuple[np.ndarray, np.ndarray]]
Outcome = tuple[list[float], list[float]]  # seconds and mean loss of each epoch


@dataclasses.dataclass(frozen=True)
class Training:
    """Sizes of the layers, rows in a batch, batches in an epoch; class numbers are learnt, or one amount."""

    sizes: tuple[int, ...]
    batch: int
    steps: int
    lr: float
    amounts: bool = False


TRAININGS = {
    "tiny": Training((2, 4, 4, 3), 8, 2000, 0.02),
    "digits": Training((64, 32, 32, 10), 32, 700, 0.02),
    "mse": Training((8, 64, 64, 1), 64, 500, 0.01, amounts=True),
    "mnist": Training((784, 256, 128, 10), 128, 40, 0.01),
}


def starting_point(training: Training) -> tuple[np.ndarray, np.ndarray, Weights]:
    """Rows, targets that follow a linear rule, and weights, in float32."""
    rng = np.random.default_rng(0)
    weights = [
        ((rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in)).astype(np.float32), np.zeros(n_out, np.float32))
        for n_in, n_out in itertools.pairwise(training.sizes)
    ]
    n_in, n_out = training.sizes[0], training.sizes[-1]
    X = rng.standard_normal((training.batch * training.steps, n_in), dtype=np.float32)
    scores = X @ (rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(np.float32)
    return X, scores if training.amounts else scores.argmax(axis=1), weights


def by_hand(training: Training) -> Outcome:
    """The training in NumPy, as one writes it by hand who does not waste arrays."""
    X, y, weights = starting_point(training)
    N, rows = training.batch, np.arange(training.batch)

    def step(X: np.ndarray, y: np.ndarray) -> float:
        A = [X]
        for W, b in weights:
            Z = A[-1] @ W
            Z += b
            A.append(Z if W is weights[-1][0] else np.maximum(Z, 0, out=Z))
        D = A.pop()
        if training.amounts:
            D -= y
            loss = np.vdot(D, D) / D.size
            D *= np.float32(2 * training.lr / D.size)
        else:
            D -= D.max(axis=1, keepdims=True)
            of_class = D[rows, y]
            np.exp(D, out=D)
            T = D.sum(axis=1, keepdims=True)
            loss = np.log(T).mean() - of_class.mean()
            D /= T
            D[rows, y] -= 1
            D *= np.float32(training.lr / N)
        for (W, b), inputs in zip(reversed(weights), reversed(A), strict=True):
            dW, db = inputs.T @ D, D.sum(axis=0)  # they carry the learning rate already
            if inputs is not X:
                D = D @ W.T
                D *= inputs > 0
            W -= dW
            b -= db
        return float(loss)

    seconds, losses = [], []
    for _ in range(EPOCHS):
        started = time.perf_counter()
        total = sum(step(X[start : start + N], y[start : start + N]) for start in range(0, len(X), N))
        seconds.append(time.perf_counter() - started)
        losses.append(total / training.steps)
    return seconds, losses


def with_fit(training: Training, engine: str) -> Outcome:
    """The training with `fit`; an epoch lasts from one `on_epoch` to the next, so all that `fit` does counts."""
    X, y, weights = starting_point(training)
    network = nn.mlp(*training.sizes, dtype=np.float32)
    layers = tuple(dataclasses.replace(layer, W=W, b=b) for layer, (W, b) in zip(network.layers, weights, strict=True))
    seconds: list[float] = []
    losses: list[float] = []
    resumed = time.perf_counter()

    def on_epoch(epoch: Any) -> None:
        nonlocal resumed
        seconds.append(time.perf_counter() - resumed)
        losses.append(epoch.train_loss)
        resumed = time.perf_counter()

    fit(
        dataclasses.replace(network, layers=layers),
        nn.mean_squared_error if training.amounts else nn.softmax_cross_entropy,
        X,
        y,
        optimizer=optim.sgd(lr=training.lr),
        epochs=EPOCHS,
        batch_size=training.batch,
        shuffle=False,
        progress=False,
        on_epoch=on_epoch,
        engine=engine,
    )
    return seconds, losses


def main(name: str, contender: str) -> None:
    """Train, and print microseconds of a step and the losses of two epochs as JSON, or why it could not be done."""
    training = TRAININGS[name]
    run: Callable[[], Outcome] = (
        (lambda: by_hand(training)) if contender == "hand" else (lambda: with_fit(training, contender))
    )
    try:
        seconds, losses = run()
    except ChainruleError as error:
        print(json.dumps({"failure": str(error)}))
        return
    print(json.dumps({"microseconds": statistics.median(seconds[1:]) / training.steps * 1e6, "losses": losses[:2]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
