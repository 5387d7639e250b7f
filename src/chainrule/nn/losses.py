"""Losses: from predictions and labels to one number.

The one idea: first the cost of each sample (its outputs along `axis` summed), then the reduction over samples:

| reduction         | loss                                                           |
|-------------------|----------------------------------------------------------------|
| `"mean"`          | the mean of the sample costs: 1/N enters here and nowhere else |
| `"mean_elements"` | also divided by the number of outputs                          |
| `"sum"`           | the sum of the sample costs                                    |
| `"none"`          | the sample costs themselves, `axis` removed                    |

`axis` names the axis of outputs or classes: -1 where samples are rows, 0 where they are columns; all other axes count
samples. Integer and boolean labels take the dtype of the prediction, so float32 stays float32.

>>> Z, y = np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0, 1])
>>> softmax_cross_entropy(Z, y, reduction="none").round(4)
array([0.1269, 0.6931])

What it never does: broadcast labels against predictions. NumPy would turn (N, 1) minus (N,) into (N, N) and train on
the wrong numbers without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import DataError, DtypeError, ShapeError
from chainrule.nn.activations import Array, known_name, log_softmax, softplus
from chainrule.primitive import named
from chainrule.primitives.control import one_hot
from chainrule.shapes import str_shape

REDUCTIONS = ("mean", "mean_elements", "sum", "none")


@named
def mean_squared_error(prediction: Array, target: Array, reduction: str = "mean_elements", axis: int = -1) -> Array:
    """The mean of (prediction - target)^2.

    Parameters
    ----------
    prediction : array, shape (N, k), (k, N) or (N,)
        With one axis only, each entry is a sample of one output, whatever `axis` is.
    target : array, shape of `prediction`, or a scalar
    reduction : {"mean_elements", "mean", "sum", "none"}
        "mean_elements" is `np.mean` over everything; "mean" sums the outputs of a sample.
    axis : int
        The axis of outputs.

    Returns
    -------
    float, or ndarray of sample costs when `reduction` is "none"

    Raises
    ------
    ShapeError
        If `target` has another shape than `prediction`.

    Examples
    --------
    >>> prediction, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 4.0]])
    >>> float(mean_squared_error(prediction, target)), float(mean_squared_error(prediction, target, "mean"))
    (3.25, 6.5)
    """
    Y = matching_labels("mean_squared_error", "prediction", prediction, "target", target)
    R = prediction - Y
    if reduction == "mean_elements":
        return np.mean(R**2)
    costs = sum_outputs(R**2, axis)
    return over_samples(costs, reduction, prediction, axis)


@named
def binary_cross_entropy(A: Array, y: Array, reduction: str = "mean", axis: int = -1) -> Array:
    """-(y log A + (1 - y) log(1 - A)) for probabilities `A`; from logits, `sigmoid_cross_entropy` is exact.

    Parameters
    ----------
    A : array, shape (N, k), (k, N) or (N,), between 0 and 1
        With one axis only, each entry is a sample of one output, whatever `axis` is.
    y : array, shape of `A`, or a scalar
        Labels 0 and 1, or anything between.
    reduction : {"mean", "mean_elements", "sum", "none"}
    axis : int
        The axis of outputs.

    Returns
    -------
    float, or ndarray of sample costs when `reduction` is "none"

    Raises
    ------
    ShapeError
        If `y` has another shape than `A`.

    Notes
    -----
    0 log 0 is 0, in value and gradient: a sure and right prediction costs nothing. A sure and wrong one costs infinity.

    Examples
    --------
    >>> A, y = np.array([[0.5, 1.0], [0.9, 0.0]]), np.array([[1, 1], [0, 0]])
    >>> binary_cross_entropy(A, y, reduction="none").round(4)
    array([0.6931, 2.3026])
    """
    Y = matching_labels("binary_cross_entropy", "A", A, "y", y)
    logA = np.log(np.where((A == 0) & (Y == 0), 1, A))
    logB = np.log1p(np.where((A == 1) & (Y == 1), 0, -A))  # B = 1 - A
    costs = sum_outputs(-(Y * logA + (1 - Y) * logB), axis)
    return over_samples(costs, reduction, A, axis)


@named
def sigmoid_cross_entropy(Z: Array, y: Array, reduction: str = "mean", axis: int = -1) -> Array:
    """Binary cross-entropy of sigmoid(Z), from the logits `Z`; its derivative is (sigmoid(Z) - y) / N.

    Parameters
    ----------
    Z : array, shape (N, k), (k, N) or (N,)
        Logits. With one axis only, each entry is a sample of one output, whatever `axis` is.
    y : array, shape of `Z`, or a scalar
        Labels 0 and 1, or anything between.
    reduction : {"mean", "mean_elements", "sum", "none"}
    axis : int
        The axis of outputs.

    Returns
    -------
    float, or ndarray of sample costs when `reduction` is "none"

    Raises
    ------
    ShapeError
        If `y` has another shape than `Z`.

    Notes
    -----
    log sigmoid(Z) = -softplus(-Z) and log(1 - sigmoid(Z)) = -softplus(Z) make the definition
    y softplus(-Z) + (1 - y) softplus(Z): a sum of terms that are never negative, so nothing cancels, for hard and soft
    labels alike. The shorter softplus(Z) - y Z is 0 at Z = 40, y = 1, where the cost is 4e-18.

    Examples
    --------
    >>> sigmoid_cross_entropy(np.array([40.0, 1000.0, -1000.0]), np.array([1, 0, 0]), reduction="none")
    array([4.24835426e-18, 1.00000000e+03, 0.00000000e+00])
    """
    Y = matching_labels("sigmoid_cross_entropy", "Z", Z, "y", y)
    costs = sum_outputs(Y * softplus(-Z) + (1 - Y) * softplus(Z), axis)
    return over_samples(costs, reduction, Z, axis)


@named
def cross_entropy(P: Array, y: Array, reduction: str = "mean", axis: int = -1) -> Array:
    """-sum(Y log P) over the classes, for probabilities `P`; from logits, `softmax_cross_entropy` is exact.

    Parameters
    ----------
    P : array, shape (N, k), (k, N) or (k,), between 0 and 1
        Probabilities; the `k` classes lie along `axis`.
    y : array
        Class numbers 0 .. k - 1 (integers; shape of `P` with `axis` removed), or a row Y of labels for each sample
        (shape of `P`), one-hot or soft.
    reduction : {"mean", "mean_elements", "sum", "none"}
    axis : int
        The class axis.

    Returns
    -------
    float, or ndarray of sample costs when `reduction` is "none"

    Raises
    ------
    ShapeError, DtypeError
        If `y` is neither of the two.
    DataError
        If a class number is out of range.

    Notes
    -----
    0 log 0 is 0, in value and gradient. A class of probability 0 that is the right one costs infinity.

    Examples
    --------
    >>> P = np.array([[0.25, 0.75], [1.0, 0.0]])
    >>> round(float(cross_entropy(P, np.array([1, 0]), reduction="sum")), 4)
    0.2877
    """
    Y = class_labels("cross_entropy", "P", P, y, axis)
    logP = np.log(np.where((P == 0) & (Y == 0), 1, P))
    costs = -np.sum(Y * logP, axis=axis)
    return over_samples(costs, reduction, P, axis)


@named
def softmax_cross_entropy(Z: Array, y: Array, reduction: str = "mean", axis: int = -1) -> Array:
    """Cross-entropy of softmax(Z), from the logits `Z`; its derivative is (softmax(Z) - Y) / N.

    Parameters
    ----------
    Z : array, shape (N, k), (k, N) or (k,)
        Logits; the `k` classes lie along `axis`.
    y : array
        Class numbers 0 .. k - 1 (integers; shape of `Z` with `axis` removed), or a row Y of labels for each sample
        (shape of `Z`), one-hot or soft.
    reduction : {"mean", "mean_elements", "sum", "none"}
    axis : int
        The class axis.

    Returns
    -------
    float, or ndarray of sample costs when `reduction` is "none"

    Raises
    ------
    ShapeError, DtypeError
        If `y` is neither of the two.
    DataError
        If a class number is out of range.

    Notes
    -----
    Where the labels of a sample do not sum to 1, the derivative is (softmax(Z) * sum(Y) - Y) / N. To rule a class out,
    give it a large negative logit (-1e30) rather than minus infinity, whose product with the label 0 is NaN.

    Examples
    --------
    >>> Z = np.array([[1000.0, 0.0], [0.0, 0.0]])
    >>> softmax_cross_entropy(Z, np.array([1, 0]), reduction="none").round(4)
    array([1.000e+03, 6.931e-01])
    """
    Y = class_labels("softmax_cross_entropy", "Z", Z, y, axis)
    logP = log_softmax(Z, axis=axis)
    costs = -np.sum(Y * logP, axis=axis)
    return over_samples(costs, reduction, Z, axis)


def sum_outputs(terms: Array, axis: int) -> Array:
    """The cost of each sample: the sum over outputs; an array of one axis holds samples of one output."""
    return np.sum(terms, axis=axis) if terms.ndim > 1 else terms


def over_samples(costs: Array, reduction: str, prediction: Array, axis: int) -> Array:
    """The loss from the costs of the samples."""
    if reduction == "mean":
        return np.mean(costs)
    if reduction == "mean_elements":
        outputs = prediction.shape[axis] if prediction.ndim > costs.ndim else 1
        return np.mean(costs) / outputs
    if reduction == "sum":
        return np.sum(costs)
    known_name("reduction", reduction, REDUCTIONS)
    return costs


def matching_labels(loss: str, name: str, prediction: Array, label_name: str, labels: Array) -> Array:
    """Y, labels of the prediction's shape or a scalar; refuses to broadcast."""
    if isinstance(labels, (bool, int, float)):
        return labels
    if not hasattr(labels, "shape"):
        labels = np.asarray(labels)
    if labels.ndim == 0 or (labels.ndim == prediction.ndim and labels.shape == prediction.shape):
        return as_floats(labels, prediction)
    raise ShapeError(
        f"{loss}: {name} is {str_shape(prediction.shape)} but {label_name} is {str_shape(labels.shape)}; broadcasting "
        "them would pair the wrong samples without a word"
        + how_to_match(name, prediction.shape, label_name, labels.shape)
    )


def how_to_match(name: str, shape: tuple[Any, ...], label_name: str, label_shape: tuple[Any, ...]) -> str:
    """The line to write instead: an axis of size 1 put in or taken out, or a transpose."""
    for long_name, long, short_name, short in (
        (name, shape, label_name, label_shape),
        (label_name, label_shape, name, shape),
    ):
        if long == (*short, 1):
            return f"; write {short_name}[..., None] or {long_name}[..., 0]"
        if long == (1, *short):
            return f"; write {short_name}[None] or {long_name}[0]"
    if len(shape) == 2 and label_shape == shape[::-1]:
        return f"; samples are rows in one and columns in the other: write {label_name}.T"
    return ""


def class_labels(loss: str, name: str, scores: Array, y: Array, axis: int) -> Array:
    """Y, a row of labels for each sample: `y` itself, or the one-hot rows of its class numbers."""
    if not hasattr(y, "shape"):
        y = np.asarray(y)
    if y.ndim == scores.ndim and y.shape == scores.shape:
        return as_floats(y, scores)
    place = axis % scores.ndim
    samples, classes = scores.shape[:place] + scores.shape[place + 1 :], scores.shape[place]
    if y.ndim != len(samples) or y.shape != samples:
        extra = y.ndim == scores.ndim and y.shape[place] == 1
        raise ShapeError(
            f"{loss}: {name} is {str_shape(scores.shape)} with the classes along axis {axis}, so y must be class "
            f"numbers of shape {str_shape(samples)} or rows of labels of shape {str_shape(scores.shape)}, "
            f"but y is {str_shape(y.shape)}" + (f"; write np.squeeze(y, axis={axis})" if extra else "")
        )
    if y.dtype.kind not in "iu":
        raise DtypeError(f"{loss}: class numbers must be integers, but y is {y.dtype}; write y.astype(int)")
    if isinstance(y, np.ndarray) and type(classes) is int:  # a traced y, or a named size, has no number to compare
        refuse_unknown_classes(loss, name, y, classes)
    return one_hot(y, classes, axis=place, dtype=scores.dtype)


def refuse_unknown_classes(loss: str, name: str, y: np.ndarray, classes: int) -> None:
    """Raise if a class number has no place in the predictions; NumPy would read -1 as the last class."""
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise DataError(
            f"{loss}: y has class number {y.min() if y.min() < 0 else y.max()}, but {name} has {classes} classes, "
            f"numbered from 0 to {classes - 1}"
        )


def as_floats(labels: Array, prediction: Array) -> Array:
    """Integer and boolean labels in the prediction's dtype, which they would otherwise promote to float64."""
    return labels.astype(prediction.dtype) if labels.dtype.kind in "iub" else labels
