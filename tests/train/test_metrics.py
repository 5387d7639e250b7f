"""Accuracy and R2 beside scikit-learn, and measuring in chunks."""

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import ArgumentError
from chainrule.train import metrics
from chainrule.train.metrics import accuracy, measure, metric_named, r2

random = np.random.default_rng(0)


def test_accuracy_takes_class_numbers_one_hot_rows_and_single_logits():
    scores = random.normal(size=(50, 3))
    y = random.integers(0, 3, size=50)
    expected = np.mean(scores.argmax(axis=1) == y)
    assert accuracy(scores, y) == expected
    assert accuracy(scores, y[:, None]) == expected
    assert accuracy(scores, np.eye(3)[y]) == expected
    logits, labels = scores[:, 0], (y > 1).astype(float)
    assert accuracy(logits, labels) == accuracy(logits[:, None], labels[:, None]) == np.mean((logits > 0) == (y > 1))


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 3)])
def test_r2_is_scikit_learn_s(shape):
    sklearn = pytest.importorskip("sklearn.metrics")
    y = random.normal(size=shape)
    outputs = y + 0.3 * random.normal(size=shape)
    assert r2(outputs, y) == pytest.approx(sklearn.r2_score(y, outputs))


def test_r2_of_constant_targets():
    assert r2(np.ones(4), np.ones(4)) == 1.0
    assert r2(np.zeros(4), np.ones(4)) == 0.0


def test_r2_does_not_broadcast():
    y = random.normal(size=6)
    assert r2(y[:, None], y) == 1.0


@pytest.mark.parametrize("layout", ["row", "column"])
def test_chunks_change_nothing(monkeypatch, layout):
    network = nn.mlp(4, 5, 3, layout=layout)
    X, y = random.normal(size=(11, 4)), random.integers(0, 3, size=11)
    axis, class_axis = (0, -1) if layout == "row" else (-1, 0)

    def loss(outputs, y):
        return nn.softmax_cross_entropy(outputs, y, axis=class_axis)

    arguments = (network, loss, X if layout == "row" else X.T, y, accuracy, axis)
    whole = measure(*arguments)
    monkeypatch.setattr(metrics, "CHUNK_ROWS", 4)
    assert measure(*arguments) == pytest.approx(whole)


def test_an_unknown_metric_is_named():
    with pytest.raises(ArgumentError, match=r"'auc'.*accuracy, r2"):
        metric_named("auc")
