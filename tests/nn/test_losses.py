"""Losses on plain arrays: formulas, reductions, axes, saturation, labels, refusals."""

import math
import warnings

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import ArgumentError, DataError, DtypeError, ShapeError

rng = np.random.default_rng(0)
Z = rng.normal(size=(6, 3))
A = 1 / (1 + np.exp(-Z))
P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
BITS = rng.integers(0, 2, (6, 3))
SOFT = rng.uniform(size=(6, 3))
CLASSES = rng.integers(0, 3, 6)
ONE_HOT = np.eye(3)[CLASSES]

# loss, prediction, labels, cost of each entry
CASES = [
    (nn.mean_squared_error, Z, SOFT, (Z - SOFT) ** 2),
    (nn.binary_cross_entropy, A, SOFT, -(SOFT * np.log(A) + (1 - SOFT) * np.log(1 - A))),
    (nn.binary_cross_entropy, A, BITS, -(BITS * np.log(A) + (1 - BITS) * np.log(1 - A))),
    (nn.sigmoid_cross_entropy, Z, SOFT, -(SOFT * np.log(A) + (1 - SOFT) * np.log(1 - A))),
    (nn.sigmoid_cross_entropy, Z, BITS.astype(bool), -(BITS * np.log(A) + (1 - BITS) * np.log(1 - A))),
    (nn.cross_entropy, P, SOFT, -SOFT * np.log(P)),
    (nn.cross_entropy, P, CLASSES, -ONE_HOT * np.log(P)),
    (nn.softmax_cross_entropy, Z, SOFT, -SOFT * np.log(P)),
    (nn.softmax_cross_entropy, Z, ONE_HOT.astype(int), -ONE_HOT * np.log(P)),
    (nn.softmax_cross_entropy, Z, CLASSES, -ONE_HOT * np.log(P)),
]
LOSSES = [
    (nn.mean_squared_error, "prediction", "target"),
    (nn.binary_cross_entropy, "A", "y"),
    (nn.sigmoid_cross_entropy, "Z", "y"),
]


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def identifier(value):
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("loss", "prediction", "labels", "entries"), CASES, ids=identifier)
def test_formula_reductions_and_layouts(loss, prediction, labels, entries):
    costs = entries.sum(axis=1)
    want = {"mean": costs.mean(), "mean_elements": entries.mean(), "sum": costs.sum(), "none": costs}
    for reduction, value in want.items():
        got = loss(prediction, labels, reduction=reduction)
        np.testing.assert_allclose(got, value, rtol=1e-13)
        columns = loss(prediction.T, labels.T, reduction=reduction, axis=0)
        np.testing.assert_allclose(columns, value, rtol=1e-13)


def test_default_reductions():
    assert nn.mean_squared_error(Z, SOFT) == np.mean((Z - SOFT) ** 2)
    assert nn.sigmoid_cross_entropy(Z, BITS) == nn.sigmoid_cross_entropy(Z, BITS, "mean")
    assert nn.softmax_cross_entropy(Z, CLASSES) == nn.softmax_cross_entropy(Z, CLASSES, "mean")


@pytest.mark.parametrize(("loss", "prediction", "labels", "entries"), CASES, ids=identifier)
def test_float32_stays_float32(loss, prediction, labels, entries):
    labels = labels.astype(np.float32) if labels.dtype.kind == "f" else labels
    for reduction in ("mean", "mean_elements", "sum", "none"):
        assert loss(prediction.astype(np.float32), labels, reduction=reduction).dtype == np.float32


@pytest.mark.parametrize(("loss", "prediction", "labels", "entries"), CASES, ids=identifier)
def test_unknown_reduction(loss, prediction, labels, entries):
    with pytest.raises(ArgumentError, match=r"reduction is 'means'.*'none'.*Did you mean 'mean'\?"):
        loss(prediction, labels, reduction="means")


def test_more_axes_than_two():
    logits, labels = rng.normal(size=(2, 3, 4)), rng.integers(0, 3, (2, 4))
    by_hand = [nn.softmax_cross_entropy(logits[i, :, j], labels[i, j]) for i in range(2) for j in range(4)]
    assert nn.softmax_cross_entropy(logits, labels, axis=1) == pytest.approx(np.mean(by_hand), rel=1e-14)
    costs = nn.softmax_cross_entropy(logits, labels, reduction="none", axis=1)
    np.testing.assert_allclose(costs.ravel(), by_hand, rtol=1e-14)


# -- one axis ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "name", "label_name"), LOSSES)
def test_one_axis_holds_samples_of_one_output(loss, name, label_name):
    prediction, labels = A[:, 0], SOFT[:, 0]
    for reduction in ("mean", "mean_elements", "sum", "none"):
        got = loss(prediction, labels, reduction=reduction)
        want = loss(prediction[:, None], labels[:, None], reduction=reduction)
        np.testing.assert_allclose(got, want, rtol=1e-15)
        np.testing.assert_array_equal(loss(prediction, labels, reduction=reduction, axis=0), got)


def test_one_axis_of_logits_is_one_sample():
    assert nn.softmax_cross_entropy(Z[0], 2) == pytest.approx(-math.log(P[0, 2]), rel=1e-14)
    assert nn.softmax_cross_entropy(Z[0], SOFT[0]) == pytest.approx(-SOFT[0] @ np.log(P[0]), rel=1e-14)
    assert nn.softmax_cross_entropy(Z[0], 2, "mean_elements") == pytest.approx(-math.log(P[0, 2]) / 3, rel=1e-14)


def test_scalar_labels():
    assert nn.mean_squared_error(Z, 0.0) == np.mean(Z**2)
    assert nn.mean_squared_error(2.0, 0.5) == 2.25
    np.testing.assert_allclose(nn.sigmoid_cross_entropy(Z, 1, "none"), np.sum(np.log1p(np.exp(-Z)), axis=1))
    for one in (1, 1.0, True, np.array(1), np.int64(1)):
        assert nn.sigmoid_cross_entropy(Z.astype(np.float32), one).dtype == np.float32


def test_lists_of_labels_are_labels():
    assert nn.softmax_cross_entropy(Z, CLASSES.tolist()) == nn.softmax_cross_entropy(Z, CLASSES)
    assert nn.mean_squared_error(Z, SOFT.tolist()) == nn.mean_squared_error(Z, SOFT)
    with pytest.raises(ShapeError):
        nn.mean_squared_error(Z[:, :1], SOFT[:, 0].tolist())


# -- accuracy ----------------------------------------------------------------------------------------------------------


def test_sigmoid_cross_entropy_keeps_its_relative_accuracy():
    # at z = 40, y = 1 the cost is log(1 + e^-40), where log(1 + e^40) - 40 would be 0
    costs = nn.sigmoid_cross_entropy(np.array([40.0, -40.0, 700.0]), np.array([1, 0, 1]), "none")
    np.testing.assert_allclose(costs, np.exp([-40.0, -40.0, -700.0]), rtol=1e-14)
    nearly_sure = 1 - 2.0**-30
    cost = nn.sigmoid_cross_entropy(np.array([40.0]), np.array([nearly_sure]), "sum")
    assert cost == pytest.approx(2.0**-30 * 40 + math.exp(-40), rel=1e-14)


def test_saturated_logits():
    logits = np.array([1000.0, -1000.0, 1000.0, -1000.0, 0.0])
    costs = nn.sigmoid_cross_entropy(logits, np.array([1, 0, 0, 1, 1]), "none")
    np.testing.assert_array_equal(costs, [0, 0, 1000, 1000, math.log(2)])
    logits = np.array([[1000.0, -1000.0, 0.0], [1000.0, 1000.0, -1000.0], [1000.0, -1000.0, 0.0]])
    costs = nn.softmax_cross_entropy(logits, np.array([0, 1, 1]), "none")
    np.testing.assert_allclose(costs, [0, math.log(2), 2000])


def test_a_common_offset_of_logits_costs_nothing():
    np.testing.assert_array_equal(nn.softmax_cross_entropy(Z.round(8) + 0, CLASSES).shape, ())
    shifted = nn.softmax_cross_entropy(np.round(Z * 2**20) / 2**20 + 2**27, CLASSES)
    assert shifted == nn.softmax_cross_entropy(np.round(Z * 2**20) / 2**20, CLASSES)


def test_zero_times_log_zero_is_zero():
    sure = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert nn.cross_entropy(sure, np.array([0, 1])) == 0
    assert nn.cross_entropy(sure, sure) == 0
    assert nn.binary_cross_entropy(sure, sure) == 0
    assert nn.binary_cross_entropy(np.array([1e-20]), np.array([0])) == 1e-20


def test_sure_and_wrong_costs_infinity():
    with np.errstate(divide="ignore"):
        assert nn.cross_entropy(np.array([[1.0, 0.0]]), np.array([1])) == np.inf
        assert nn.binary_cross_entropy(np.array([0.0]), np.array([1])) == np.inf
        assert nn.binary_cross_entropy(np.array([1.0]), np.array([0])) == np.inf


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "name", "label_name"), LOSSES)
def test_silent_broadcast_is_refused_with_the_line_to_write(loss, name, label_name):
    column, flat = A[:, :1], SOFT[:, 0]
    with pytest.raises(ShapeError) as caught:
        loss(column, flat)
    message = str(caught.value)
    assert loss.__name__ in message
    assert f"{name} is (6, 1) but {label_name} is (6,)" in message
    assert f"write {label_name}[..., None] or {name}[..., 0]" in message
    with pytest.raises(ShapeError, match=rf"write {name}\[\.\.\., None\] or {label_name}\[\.\.\., 0\]"):
        loss(flat, column)
    with pytest.raises(ShapeError, match=rf"write {label_name}\[None\] or {name}\[0\]"):
        loss(column.T, flat)
    with pytest.raises(ShapeError, match=rf"write {label_name}\.T"):
        loss(A, SOFT.T)
    with pytest.raises(ShapeError, match=r"\(6, 3\) but .* is \(5, 3\)"):
        loss(A, SOFT[:5])


@pytest.mark.parametrize("loss", [nn.softmax_cross_entropy, nn.cross_entropy])
def test_labels_that_are_neither_numbers_nor_rows(loss):
    with pytest.raises(ShapeError, match=r"class numbers of shape \(6,\) or rows of labels of shape \(6, 3\)"):
        loss(P, CLASSES[:5])
    with pytest.raises(ShapeError, match=r"but y is \(6, 1\); write np\.squeeze\(y, axis=-1\)"):
        loss(P, CLASSES[:, None])
    with pytest.raises(DtypeError, match=r"but y is float64; write y\.astype\(int\)"):
        loss(P, CLASSES.astype(float))
    with pytest.raises(DataError, match=r"class number 3, but . has 3 classes, numbered from 0 to 2"):
        loss(P, np.array([0, 1, 2, 3, 0, 0]))
    with pytest.raises(DataError, match="class number -1"):
        loss(P, np.array([0, 1, 2, -1, 0, 0]))
    assert issubclass(DataError, ValueError)
