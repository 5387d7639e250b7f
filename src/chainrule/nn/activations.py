"""Activation functions, in plain NumPy on primitives.

The one idea: an activation is an ordinary function of an array, so its derivative is derived, not looked up. Each is a
named call: a derivation shows it folded (`softmax(Z2)`) or unfolded down to exp and sum. All are finite and silent at
logits of +-1000 and keep the dtype of a floating `z`.

>>> softmax(np.array([1000.0, 1000.0, -1000.0]))
array([0.5, 0.5, 0. ])

Softmax and its logarithms subtract the largest entry of a row before exp. The result does not depend on what is
subtracted, so the largest entry is taken as a constant: no derivative needs to go through the maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.primitive import apply, named
from chainrule.primitives.control import stop_gradient
from chainrule.primitives.special import ERFC, SIGMOID, SOFTPLUS

Array = Any  # an ndarray, a NumPy scalar or a traced value


@named
def identity(z: Array) -> Array:
    """`z` itself: the activation of a layer that has none.

    >>> identity(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """
    return z


@named
def relu(z: Array) -> Array:
    """max(z, 0), with derivative 0 at 0.

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    ndarray, shape and dtype of `z`

    Examples
    --------
    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(z, 0)


@named
def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    """z where z > 0, else slope * z; the derivative at 0 is `slope`.

    Parameters
    ----------
    z : array of any shape
    slope : float
        The derivative on the negative side.

    Returns
    -------
    ndarray, shape and dtype of `z`

    Examples
    --------
    >>> leaky_relu(np.array([-100.0, 2.0]))
    array([-1.,  2.])
    """
    return np.where(z > 0, z, slope * z)


@named
def elu(z: Array, alpha: float = 1.0) -> Array:
    """z where z > 0, else alpha * (e^z - 1); the derivative at 0 is `alpha`.

    Parameters
    ----------
    z : array of any shape
    alpha : float
        Minus the value that is approached at minus infinity.

    Returns
    -------
    ndarray, shape and dtype of `z`

    Notes
    -----
    The exponential sees no positive entry, so nothing overflows in the branch that is not taken. `np.minimum(z, 0)`
    would do that too, but has derivative 0 at 0, where elu has `alpha`.

    References
    ----------
    Clevert, Unterthiner, Hochreiter: Fast and Accurate Deep Network Learning by Exponential Linear Units, 2015.

    Examples
    --------
    >>> elu(np.array([-1000.0, 0.0, 2.0]))
    array([-1.,  0.,  2.])
    """
    below = np.where(z > 0, 0, z)
    return np.where(z > 0, z, alpha * np.expm1(below))


@named
def gelu(z: Array) -> Array:
    """z * Phi(z), where Phi is the normal distribution function: the exact form, not the one with tanh.

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    ndarray, shape and dtype of `z`

    Notes
    -----
    Phi(z) = erfc(-z / sqrt(2)) / 2, which keeps its relative accuracy for negative `z`, where (1 + erf) / 2 loses it.

    References
    ----------
    Hendrycks, Gimpel: Gaussian Error Linear Units, 2016.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(6)
    array([-0.158655,  0.      ,  0.841345])
    """
    return 0.5 * z * apply(ERFC, -(z / math.sqrt(2)))


@named
def silu(z: Array) -> Array:
    """z * sigmoid(z), also called swish.

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    ndarray, shape and dtype of `z`

    Examples
    --------
    >>> silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    return z * apply(SIGMOID, z)


@named
def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z); its derivative is y * (1 - y).

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    ndarray, shape and dtype of `z`, between 0 and 1

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return apply(SIGMOID, z)


@named
def softplus(z: Array) -> Array:
    """log(1 + e^z), a smooth relu; its derivative is sigmoid(z).

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    ndarray, shape and dtype of `z`, positive

    Examples
    --------
    >>> softplus(np.array([-1000.0, 0.0, 3.0])).round(6)
    array([0.      , 0.693147, 3.048587])
    """
    return apply(SOFTPLUS, z)


@named
def tanh(z: Array) -> Array:
    """The hyperbolic tangent; its derivative is 1 - y * y.

    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(z)


@named
def softmax(z: Array, axis: int = -1) -> Array:
    """e^z divided by its sum along `axis`: positive entries that sum to 1.

    Parameters
    ----------
    z : array, shape (..., k, ...)
        Logits; the `k` classes lie along `axis`.
    axis : int
        The class axis: -1 where samples are rows, 0 where they are columns.

    Returns
    -------
    ndarray, shape and dtype of `z`

    Notes
    -----
    The Jacobian of one sample is diag(p) - p p^T. A logit of minus infinity gives probability 0; a sample in which
    every logit is minus infinity has no softmax and gives NaN.

    Examples
    --------
    >>> softmax(np.array([[0.0, np.log(3.0)], [5.0, 5.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    M = stop_gradient(np.max(z, axis=axis, keepdims=True))
    S = z - M
    E = np.exp(S)
    T = np.sum(E, axis=axis, keepdims=True)
    return E / T


@named
def log_softmax(z: Array, axis: int = -1) -> Array:
    """log(softmax(z)), accurate where softmax itself would be rounded to 0.

    Parameters
    ----------
    z : array, shape (..., k, ...)
        Logits; the `k` classes lie along `axis`.
    axis : int
        The class axis: -1 where samples are rows, 0 where they are columns.

    Returns
    -------
    ndarray, shape and dtype of `z`, at most 0

    Examples
    --------
    >>> log_softmax(np.array([0.0, -2000.0]))
    array([    0., -2000.])
    """
    M = stop_gradient(np.max(z, axis=axis, keepdims=True))
    S = z - M
    E = np.exp(S)
    T = np.sum(E, axis=axis, keepdims=True)
    return S - np.log(T)


@named
def logsumexp(z: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """log(sum(e^z)) along `axis`, a smooth maximum; its derivative is softmax(z).

    Parameters
    ----------
    z : array of any shape
    axis : int, tuple of int or None
        The axes that are summed; None sums all, as NumPy and SciPy do.
    keepdims : bool
        Whether the summed axes stay, with size 1.

    Returns
    -------
    ndarray with the axes in `axis` removed, dtype of `z`

    Examples
    --------
    >>> logsumexp(np.array([[1000.0, 1000.0], [0.0, -1000.0]]), axis=1)
    array([1000.69314718,    0.        ])
    """
    M = stop_gradient(np.max(z, axis=axis, keepdims=True))
    E = np.exp(z - M)
    T = np.sum(E, axis=axis, keepdims=True)
    L = M + np.log(T)
    return L if keepdims else np.squeeze(L, axis=axis)


ALONG_AXIS = {"softmax": softmax, "log_softmax": log_softmax}  # these need to know where the units of a sample lie
ACTIVATIONS = {
    "identity": identity,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "tanh": tanh,
    **ALONG_AXIS,
}


def known_name(option: str, name: object, known: Iterable[str]) -> str:
    """`name` if it is among the known ones, else an ArgumentError with all of them and the closest.

    >>> known_name("activation", "relu", ACTIVATIONS)
    'relu'
    """
    known = tuple(known)
    if isinstance(name, str) and name in known:
        return name
    import difflib  # needed for this message only

    close = difflib.get_close_matches(str(name).lower(), known, n=1)
    question = f" Did you mean {close[0]!r}?" if close else ""
    raise ArgumentError(f"{option} is {name!r}, but must be one of {', '.join(map(repr, known))}.{question}")
