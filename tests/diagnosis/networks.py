"""The golden networks as losses whose parameters have names of their own: W1, b1, W2, b2, ..."""

import importlib.util
from pathlib import Path

import numpy as np

import chainrule as cr

spec = importlib.util.spec_from_file_location(
    "golden_numbers_test", Path(__file__).parent.parent / "golden" / "test_golden_numbers.py"
)
golden = importlib.util.module_from_spec(spec)
spec.loader.exec_module(golden)


def named(count):
    """A function of X, Y, W1, b1, ... in that order, made from one of (X, Y, W, b)."""
    names = [f"{letter}{layer}" for layer in range(1, count + 1) for letter in "Wb"]

    def outer(inner):
        scope = {"inner": inner}
        weights = ", ".join(f"W{layer}" for layer in range(1, count + 1))
        biases = ", ".join(f"b{layer}" for layer in range(1, count + 1))
        text = f"def loss(X, Y, {', '.join(names)}):\n    return inner(X, Y, [{weights}], [{biases}])\n"
        exec(text, scope)
        return scope["loss"]

    return names, outer


def case_of(case, logits=False):
    """(loss, arguments, names of what the gradients are by) of a golden case."""
    net = golden.Network(case, logits)
    names, outer = named(len(net.W))

    def inner(X, Y, W, b):
        A = X
        for layer, activation in enumerate(case["activations"]):
            Z = W[layer] @ A + b[layer] if net.column else A @ W[layer] + b[layer]
            A = cr.nn.softmax(Z, axis=net.axis) if activation == "softmax" else getattr(cr.nn, activation)(Z)
        return net.reduced(Z, A, Y, case["loss"]["reduction"])

    parameters = [value for pair in zip(net.W, net.b, strict=True) for value in pair]
    return outer(inner), (net.X, net.Y, *parameters), (*names, "X")


def as_answer(gradients, names):
    """The gradients of a golden file as a dict by name; a number in place of an array stays one."""
    found = {}
    for name in names:
        found[name] = gradients["dX"] if name == "X" else gradients[f"d{name[0]}"][int(name[1:]) - 1]
    return {name: np.array(value, dtype=np.float64) for name, value in found.items()}
