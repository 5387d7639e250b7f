"""A training in JAX: every step a jitted call with donated weights, or the whole epoch one jitted `lax.scan`.

    python with_jax.py digits --mode jit
    python with_jax.py digits --mode scan

The batches lie on the device before the clock starts. Weights, optimizer state and the sum of losses are donated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import child
import jax
import jax.numpy as jnp
import numpy as np
from configurations import BETA1, BETA2, CONFIGURATIONS, EPS, Configuration, starting_point
from jax import lax


def loss_of(configuration: Configuration) -> Callable[..., Any]:
    """The mean loss of a batch, as a function of the weights."""

    def loss(weights: Any, X: Any, y: Any) -> Any:
        A = X
        for W, b in weights[:-1]:
            A = jax.nn.relu(A @ W + b)
        W, b = weights[-1]
        Z = A @ W + b
        if configuration.loss == "softmax":
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1))
        if configuration.loss == "sigmoid":
            return jnp.mean(jax.nn.softplus(Z) - y * Z)
        return jnp.mean((Z - y) ** 2)

    return loss


def step_of(configuration: Configuration) -> Callable[..., Any]:
    """One update: ``(weights, state), X, y -> (weights, state), loss``."""
    value_and_grad = jax.value_and_grad(loss_of(configuration))
    lr = configuration.lr

    def sgd(carried: Any, X: Any, y: Any) -> Any:
        weights, state = carried
        value, gradients = value_and_grad(weights, X, y)
        return (jax.tree.map(lambda p, g: p - lr * g, weights, gradients), state), value

    def adam(carried: Any, X: Any, y: Any) -> Any:
        weights, (m, v, t) = carried
        value, gradients = value_and_grad(weights, X, y)
        t = t + 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradients)
        first, second = 1 - BETA1**t, 1 - BETA2**t
        weights = jax.tree.map(
            lambda p, m, v: p - lr * (m / first) / (jnp.sqrt(v / second) + EPS),
            weights,
            m,
            v,
        )
        return (weights, (m, v, t)), value

    return sgd if configuration.optimizer == "sgd" else adam


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", choices=CONFIGURATIONS)
    parser.add_argument("--mode", choices=("jit", "scan"), default="scan")
    options = parser.parse_args()
    configuration = CONFIGURATIONS[options.configuration]
    if configuration.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    started = time.perf_counter()
    X, y, weights = starting_point(configuration)
    data_seconds = time.perf_counter() - started
    X = X.reshape(configuration.steps, configuration.batch, -1)
    y = y.astype(np.int32) if configuration.loss == "softmax" else y
    y = y.reshape(configuration.steps, configuration.batch, *y.shape[1:])
    weights = jax.tree.map(jnp.array, weights)
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = () if configuration.optimizer == "sgd" else (zeros(weights), zeros(weights), jnp.zeros((), X.dtype))
    carried = (weights, state)
    step = step_of(configuration)

    @partial(jax.jit, donate_argnums=(0,))
    def scanned(carried: Any, X: Any, y: Any) -> Any:
        carried, losses = lax.scan(lambda c, batch: step(c, *batch), carried, (X, y))
        return carried, jnp.mean(losses)

    @partial(jax.jit, donate_argnums=(0, 1))
    def one_step(carried: Any, total: Any, X: Any, y: Any) -> Any:
        carried, value = step(carried, X, y)
        return carried, total + value

    if options.mode == "scan":
        everything = jax.device_put(X), jax.device_put(y)
    else:
        on_device = [(jax.device_put(rows), jax.device_put(targets)) for rows, targets in zip(X, y, strict=True)]

    def epoch() -> float:
        nonlocal carried
        if options.mode == "scan":
            carried, mean = scanned(carried, *everything)
            jax.block_until_ready(carried)
            return float(mean)
        total = jnp.zeros((), X.dtype)
        for rows, targets in on_device:
            carried, total = one_step(carried, total, rows, targets)
        jax.block_until_ready(carried)
        return float(total) / configuration.steps

    child.serve(epoch, versions={"jax": jax.__version__}, data_seconds=data_seconds)


if __name__ == "__main__":
    main()
