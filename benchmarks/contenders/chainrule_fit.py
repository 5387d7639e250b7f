"""A training with `chainrule.fit`, by its public arguments alone.

    python chainrule_fit.py digits --engine numba --threads 2

An epoch is timed from the end of one `on_epoch` to the beginning of the next: all that `fit` does counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import inspect
import time

import child
import numpy as np
from configurations import CONFIGURATIONS, Configuration, starting_point

import chainrule as cr

LOSSES = {
    "softmax": cr.nn.softmax_cross_entropy,
    "sigmoid": cr.nn.sigmoid_cross_entropy,
    "squares": cr.nn.mean_squared_error,
}
ENDLESS = 10**9


def network_with(configuration: Configuration, weights: list[tuple[np.ndarray, np.ndarray]]) -> cr.nn.Network:
    """The network that `mlp` makes, with the weights that all contenders start from."""
    network = cr.nn.mlp(*configuration.sizes, layout=configuration.layout, dtype=configuration.dtype)
    if configuration.layout == "column":
        weights = [(np.ascontiguousarray(W.T), b[:, None]) for W, b in weights]
    layers = tuple(dataclasses.replace(layer, W=W, b=b) for layer, (W, b) in zip(network.layers, weights, strict=True))
    return dataclasses.replace(network, layers=layers)


def main() -> None:
    """Train until the parent has seen enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", choices=CONFIGURATIONS)
    parser.add_argument("--engine", choices=("numpy", "numba", "auto"), default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    configuration = CONFIGURATIONS[options.configuration]
    started = time.perf_counter()
    X, y, weights = starting_point(configuration)
    loss = LOSSES[configuration.loss]
    if configuration.layout == "column":
        X, y = np.ascontiguousarray(X.T), np.ascontiguousarray(y.T)
        loss = functools.partial(loss, axis=0)
    data_seconds = time.perf_counter() - started
    network = network_with(configuration, weights)
    optimizer = getattr(cr.optim, configuration.optimizer)(lr=configuration.lr)
    engine = {} if options.threads is None else {"threads": options.threads}
    if "engine" in inspect.signature(cr.fit).parameters:
        engine["engine"] = options.engine
    elif options.engine == "numba":
        raise SystemExit("this chainrule has no engine numba")
    child.ready(versions={"chainrule": cr.__version__, "numpy": np.__version__}, data_seconds=data_seconds)
    resumed = 0.0

    def between_epochs(epoch: object) -> bool:
        nonlocal resumed
        child.answer(time.perf_counter() - resumed, epoch.train_loss)
        more = child.wait()
        resumed = time.perf_counter()
        return more is None

    if child.wait() is None:
        return
    resumed = time.perf_counter()
    cr.fit(
        network,
        loss,
        X,
        y,
        optimizer=optimizer,
        epochs=ENDLESS,
        batch_size=configuration.batch,
        shuffle=False,
        progress=False,
        on_epoch=between_epochs,
        **engine,
    )


if __name__ == "__main__":
    main()
