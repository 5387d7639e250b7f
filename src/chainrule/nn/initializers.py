"""Starting weights: `initializer(rng, n_in, n_out, dtype) -> W`, shape (n_in, n_out).

The one idea: a layer should neither shrink nor blow up what passes through it. With independent weights of variance v,
a pre-activation has n_in * v times the variance of an input, and a gradient n_out * v times that of its signal.
Glorot compromises between the two; He keeps the first and makes up for the half that relu sets to zero.

The same seed gives the same net in every dtype: numbers are drawn in float64 and rounded once.

>>> W = he_normal(np.random.default_rng(0), 784, 256, np.float32)
>>> W.shape, W.dtype.name, bool(abs(W.std() - np.sqrt(2 / 784)) < 1e-3)
((784, 256), 'float32', True)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike


def he_normal(rng: np.random.Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Normal with variance 2 / n_in, for relu and its relatives.

    References
    ----------
    He, Zhang, Ren, Sun: Delving Deep into Rectifiers, 2015.
    """
    return (math.sqrt(2 / n_in) * rng.standard_normal((n_in, n_out))).astype(dtype)


def he_uniform(rng: np.random.Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Uniform with variance 2 / n_in: between -limit and limit = sqrt(6 / n_in)."""
    limit = math.sqrt(6 / n_in)
    return rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype)


def glorot_normal(rng: np.random.Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Normal with variance 2 / (n_in + n_out), for tanh, sigmoid and outputs."""
    return (math.sqrt(2 / (n_in + n_out)) * rng.standard_normal((n_in, n_out))).astype(dtype)


def glorot_uniform(rng: np.random.Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Uniform with variance 2 / (n_in + n_out): between -limit and limit = sqrt(6 / (n_in + n_out)).

    References
    ----------
    Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    limit = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype)


def zeros(rng: np.random.Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64) -> np.ndarray:
    """All zero: hidden units then stay equal for ever, so it is for outputs and for demonstrations."""
    return np.zeros((n_in, n_out), dtype)


INITIALIZERS = {
    function.__name__: function for function in (he_normal, he_uniform, glorot_normal, glorot_uniform, zeros)
}
