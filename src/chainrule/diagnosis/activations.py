"""The functions that people apply entry by entry, with their derivatives: to recognise one, and to suspect another.

The one idea: a wrong derivative is nearly always the right derivative of something: of another function, at another
place, or written for the function's value and fed with its argument. Functions are recognised by their numbers, so
`1 / (1 + np.exp(-Z))` is a sigmoid however it is spelled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.primitives.special import ERF, SIGMOID, SOFTPLUS

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Activation:
    """A function of one number: itself, its derivative, and its derivative written for its value, if people do."""

    name: str
    of: Function
    derivative: Function
    by_value: Function | None = None


def _sigmoid(z: Any) -> Any:
    return SIGMOID.forward(z)


def _silu_derivative(z: Any) -> Any:
    s = _sigmoid(z)
    return s * (1 + z * (1 - s))


def _normal(z: Any) -> Any:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _below(z: Any) -> Any:
    return 0.5 * (1 + ERF.forward(z / math.sqrt(2)))


_ROOT = math.sqrt(2 / math.pi)


def _gelu_tanh(z: Any) -> Any:
    return 0.5 * z * (1 + np.tanh(_ROOT * (z + 0.044715 * z**3)))


def _gelu_tanh_derivative(z: Any) -> Any:
    t = np.tanh(_ROOT * (z + 0.044715 * z**3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * _ROOT * (1 + 3 * 0.044715 * z * z)


def _leaky(slope: float) -> Activation:
    return Activation(
        f"leaky relu of slope {slope:g}",
        lambda z: np.where(z > 0, z, slope * z),
        lambda z: np.where(z > 0, 1.0, slope),
    )


LIBRARY = (
    Activation("sigmoid", _sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z)), lambda a: a * (1 - a)),
    Activation("tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda a: 1 - a * a),
    Activation("relu", lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    _leaky(0.01),
    _leaky(0.1),
    _leaky(0.2),
    Activation("softplus", SOFTPLUS.forward, _sigmoid, lambda a: 1 - np.exp(-a)),
    Activation(
        "elu",
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0))),
        lambda a: np.where(a > 0, 1.0, a + 1),
    ),
    Activation("silu", lambda z: z * _sigmoid(z), _silu_derivative),
    Activation("gelu", lambda z: z * _below(z), lambda z: _below(z) + z * _normal(z)),
    Activation("gelu, by tanh", _gelu_tanh, _gelu_tanh_derivative),
    Activation("exp", np.exp, np.exp, lambda a: a),
    Activation("log", np.log, lambda z: 1 / z),
    Activation("sqrt", np.sqrt, lambda z: 0.5 / np.sqrt(z), lambda a: 0.5 / a),
    Activation("square", np.square, lambda z: 2 * z),
    Activation("absolute value", np.abs, np.sign),
    Activation("sin", np.sin, np.cos),
    Activation("cos", np.cos, lambda z: -np.sin(z)),
    Activation("softsign", lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2),
    Activation("hard step", lambda z: np.clip(z, 0, 1), lambda z: np.where((z > 0) & (z < 1), 1.0, 0.0)),
    Activation("identity", lambda z: z, np.ones_like),
)


SLIPS: dict[str, tuple[tuple[str, Function], ...]] = {  # derivatives by value, half remembered
    "tanh": (("1 - a, without the square", lambda a: 1 - a), ("1 + a**2", lambda a: 1 + a * a)),
    "sigmoid": (
        ("a alone", lambda a: a),
        ("1 - a alone", lambda a: 1 - a),
        ("a * (1 + a)", lambda a: a * (1 + a)),
    ),
}


def softmax(z: Any, axis: int) -> Any:
    """exp(z) over its sum along an axis."""
    shifted = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


def same(one: Any, other: Any, tolerance: float = 1e-9) -> bool:
    """Whether two arrays are the same numbers, up to rounding."""
    if np.shape(one) != np.shape(other):
        return False
    with np.errstate(all="ignore"):
        scale = float(np.max(np.abs(other), initial=0.0))
        return bool(np.max(np.abs(np.subtract(one, other)), initial=0.0) <= tolerance * scale)


def recognised(z: Any, a: Any) -> Activation | None:
    """The function that turned `z` into `a`, if it is one of the library."""
    if np.size(z) < 2:
        return None
    with np.errstate(all="ignore"):
        for activation in LIBRARY:
            if activation.name != "identity" and same(activation.of(z), a):
                return activation
    return None


def softmax_axis(z: Any, p: Any) -> int | None:
    """The axis along which `p` is the softmax of `z`, or None."""
    if np.shape(z) != np.shape(p) or not np.ndim(z) or np.min(p, initial=1.0) < 0 or np.max(p, initial=0.0) > 1:
        return None
    for axis in range(np.ndim(z) - 1, -1, -1):
        if np.shape(z)[axis] > 1:
            with np.errstate(all="ignore"):
                if same(softmax(z, axis), p):
                    return axis
    return None


def derivatives(z: Any) -> Iterator[tuple[str, Any]]:
    """Each function's derivative at `z`, by name, where it is finite."""
    with np.errstate(all="ignore"):
        for activation in LIBRARY:
            found = activation.derivative(z)
            if np.all(np.isfinite(found)):
                yield activation.name, found
