"""A training with PyTensor: one function with the weights as shared variables, compiled through Numba.

python with_pytensor.py digits
"""

from __future__ import annotations

import sys

import child
import numpy as np
import pytensor
from configurations import BETA1, BETA2, CONFIGURATIONS, EPS, batches, starting_point
from pytensor import tensor as pt


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    configuration = CONFIGURATIONS[sys.argv[1]]
    X, y, weights = starting_point(configuration)
    dtype = np.dtype(configuration.dtype).type
    pytensor.config.floatX = configuration.dtype
    rows = pt.matrix("X", dtype=configuration.dtype)
    targets = pt.lvector("y") if configuration.loss == "softmax" else pt.matrix("y", dtype=configuration.dtype)
    layers = [(pytensor.shared(W), pytensor.shared(b)) for W, b in weights]
    A = rows
    for W, b in layers[:-1]:
        A = pt.maximum(A @ W + b, dtype(0))
    W, b = layers[-1]
    Z = A @ W + b
    if configuration.loss == "softmax":
        loss = -pt.special.log_softmax(Z, axis=1)[pt.arange(configuration.batch), targets].mean()
    elif configuration.loss == "sigmoid":
        loss = (pt.softplus(Z) - targets * Z).mean()
    else:
        loss = ((Z - targets) ** 2).mean()
    parameters = [p for layer in layers for p in layer]
    updates = []
    lr = dtype(configuration.lr)
    t = pytensor.shared(dtype(0))
    for p, g in zip(parameters, pytensor.grad(loss, parameters), strict=True):
        if configuration.optimizer == "sgd":
            updates.append((p, p - lr * g))
            continue
        m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        new_m, new_v = dtype(BETA1) * m + dtype(1 - BETA1) * g, dtype(BETA2) * v + dtype(1 - BETA2) * g * g
        first, second = dtype(1) - dtype(BETA1) ** (t + dtype(1)), dtype(1) - dtype(BETA2) ** (t + dtype(1))
        updates += [(m, new_m), (v, new_v), (p, p - lr * (new_m / first) / (pt.sqrt(new_v / second) + dtype(EPS)))]
    if configuration.optimizer == "adam":
        updates.append((t, t + dtype(1)))
    step = pytensor.function([rows, targets], loss, updates=updates, mode="NUMBA", trust_input=True)

    def epoch() -> float:
        return sum(float(step(*batch)) for batch in batches(configuration, X, y)) / configuration.steps

    child.serve(epoch, versions={"pytensor": pytensor.__version__})


if __name__ == "__main__":
    main()
