"""`fit`: it learns, it repeats itself to the last bit, and it refuses what cannot be trained."""

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ArgumentError, DataError, DtypeError, GraphError, ShapeError
from chainrule.pytree import flatten, tree_map
from chainrule.train import fit, loop

random = np.random.default_rng(0)
X = random.normal(size=(70, 3))
y = (X @ [1.0, -2.0, 0.5] > 0).astype(int)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in flatten(tree)[0]]


def classifier(dtype="float64", **options):
    return nn.mlp(3, 8, 2, dtype=dtype, **options)


def short(**options):
    return fit(classifier("float32"), nn.softmax_cross_entropy, X, y, epochs=2, **options)


def test_it_learns():
    result = fit(classifier(), nn.softmax_cross_entropy, X, y, lr=0.02, epochs=30, validation=0.2, metric="accuracy")
    assert result.history[-1].train_loss < 0.25 * result.history[0].train_loss
    assert result.history[-1].validation_metric > 0.85
    assert [epoch.number for epoch in result.history] == list(range(1, 31))
    assert "accuracy" in repr(result)


def test_regression_learns():
    targets = (X @ [1.0, -2.0, 0.5])[:, None]
    result = fit(nn.mlp(3, 16, 1), nn.mean_squared_error, X, targets, lr=0.02, epochs=40, validation=0.2, metric="r2")
    assert result.history[-1].validation_metric > 0.9


def test_column_layout_trains_as_row_layout_does():
    row = fit(classifier(), nn.softmax_cross_entropy, X, y, epochs=3, validation=0.2, metric="accuracy")

    def loss(outputs, labels):
        return nn.softmax_cross_entropy(outputs, labels, axis=0)

    column = fit(classifier(layout="column"), loss, X.T, y, epochs=3, validation=0.2, metric="accuracy")
    assert column.history.train_loss == pytest.approx(row.history.train_loss, rel=1e-9)
    assert column.history.validation_loss == pytest.approx(row.history.validation_loss, rel=1e-9)
    assert column.history.validation_metric == row.history.validation_metric
    assert column.network.layers[0].W.T == pytest.approx(row.network.layers[0].W, rel=1e-9)


def test_same_seed_same_bytes():
    first, again, other = short(seed=5), short(seed=5), short(seed=6)
    assert bits(first.network) == bits(again.network)
    assert bits(first.state) == bits(again.state)
    assert first.history.train_loss == again.history.train_loss
    assert bits(first.network) != bits(other.network)


def test_one_step_is_the_optimizer_s_own_update_with_the_untraced_gradient():
    """The hand-written gradient of a linear softmax model: dZ = (P - Y) / N."""
    network = nn.mlp(3, 2, rng=1)
    result = fit(
        network, nn.softmax_cross_entropy, X, y, optimizer=optim.sgd(0.1), epochs=1, batch_size=70, shuffle=False
    )
    W, b = network.layers[0].W, network.layers[0].b
    dZ = (nn.softmax(X @ W + b) - np.eye(2)[y]) / 70
    assert result.network.layers[0].W == pytest.approx(W - 0.1 * X.T @ dZ, rel=1e-12)
    assert result.network.layers[0].b == pytest.approx(b - 0.1 * dZ.sum(axis=0), rel=1e-12)
    assert result.history[0].steps == 1


@pytest.mark.parametrize(("batch_size", "steps"), [(32, 3), (35, 2), (69, 2), (70, 1), (100, 1)])
def test_the_last_batch_is_trained_even_if_it_has_one_row(batch_size, steps):
    result = short(batch_size=batch_size)
    assert result.history[0].steps == steps


def test_train_loss_is_the_mean_over_rows_not_over_batches():
    still = optim.sgd(1e-12)
    network = classifier()
    result = fit(network, nn.softmax_cross_entropy, X, y, optimizer=still, epochs=1, batch_size=64)
    assert result.history[0].train_loss == pytest.approx(float(nn.softmax_cross_entropy(network(X), y)), rel=1e-9)


def test_nothing_that_was_given_is_changed():
    network, data, labels = classifier(), X.copy(), y.copy()
    before = bits(network)
    fit(network, nn.softmax_cross_entropy, data, labels, epochs=2)
    assert bits(network) == before
    assert np.array_equal(data, X)
    assert np.array_equal(labels, y)


def test_float64_data_trains_a_float32_network_in_float32():
    result = short()
    assert {leaf.dtype for leaf in flatten(result.network)[0]} == {np.dtype(np.float32)}
    assert result.first.X.dtype == np.float32


def test_whole_number_amounts_do_not_turn_float32_into_float64():
    amounts = random.integers(0, 9, size=(70, 1))
    result = fit(nn.mlp(3, 4, 1, dtype="float32"), lambda Z, y: np.mean((Z - y) ** 2), X, amounts, epochs=1)
    assert result.network.layers[0].W.dtype == np.float32


def test_validation_rows_can_be_given():
    result = short(validation=(X[:10], y[:10]), metric="accuracy")
    assert result.history[0].validation_metric is not None
    assert result.history[0].steps == 3  # all 70 rows are trained


def test_early_stop():
    result = fit(classifier(), nn.softmax_cross_entropy, X, y, epochs=9, on_epoch=lambda epoch: epoch.number == 3)
    assert len(result.history) == 3


def test_the_proof_is_shown_before_the_training():
    said = []
    result = short(prove=said.append)
    assert said == [result.proof]
    assert "gradients proved" in str(result.proof)


def test_a_wrong_gradient_stops_everything(monkeypatch):
    right = loop.prove_step

    def wrong(step, loss, *rest):
        return right(step, lambda Z, y: 1.001 * loss(Z, y), *rest)

    monkeypatch.setattr(loop, "prove_step", wrong)
    with pytest.raises(GraphError):
        short(prove=True)


def test_divergence_names_epoch_and_batch():
    with pytest.raises(ArgumentError, match=r"epoch \d+, batch \d+ of 3.*smaller lr"):
        fit(nn.mlp(3, 8, 1), nn.mean_squared_error, X, X[:, :1], optimizer=optim.sgd, lr=1e6, epochs=50)


def test_a_last_step_that_overflows_is_noticed():
    with pytest.raises(ArgumentError, match=r"layers\[0\]\.W is not finite after epoch 1"):
        fit(nn.mlp(3, 1), nn.mean_squared_error, X, X[:, :1], optimizer=optim.sgd, lr=1e308, epochs=1, batch_size=70)


@pytest.mark.parametrize(
    ("data", "labels", "error", "message"),
    [
        (X[:5], y, DataError, "X has 5 samples and y has 70"),
        (np.where(np.arange(3) == 2, np.nan, X), y, DataError, r"X\[0, 2\] \(row 0, column 2\) is nan"),
        (np.where(X == X.max(), np.inf, X), y, DataError, "is inf"),
        (X * 1e300, y, DataError, "as float32"),
        (X.astype(str), y, DataError, "not numbers"),
        (X, np.array(["a"] * 70), DataError, "np.unique"),
        (X[:0], y[:0], DataError, "no rows"),
        (X[:, :2], y, ShapeError, "takes 3 inputs"),
        (X, y + 1, DataError, "class number 2"),
        (X, y - 1, DataError, "class number -1"),
        (X, y[:, None], ShapeError, "y"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_data_that_cannot_be_trained(data, labels, error, message):
    with pytest.raises(error, match=message):
        fit(classifier("float32"), nn.softmax_cross_entropy, data, labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": -3}, "batch_size is -3"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"lr": -1.0}, "lr is -1"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr": 0.1, "optimizer": optim.sgd(0.1)}, "lr is given twice"),
        ({"optimizer": "adam"}, "optimizer is 'adam'"),
        ({"validation": 1.0}, "validation is 1"),
        ({"metric": "auc"}, "metric is 'auc'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ArgumentError, match=message):
        fit(classifier(), nn.softmax_cross_entropy, X, y, **options)


def test_a_loss_for_each_sample_is_not_a_loss():
    with pytest.raises(ShapeError, match="needs a scalar"):
        fit(classifier(), lambda Z, y: nn.softmax_cross_entropy(Z, y, reduction="none"), X, y)


def test_a_loss_in_a_stronger_dtype_does_not_strengthen_the_network():
    result = fit(classifier("float32"), lambda Z, y: np.mean(np.float64(2) * Z**2), X, y, epochs=1)
    assert result.network.layers[0].W.dtype == np.float32


def test_an_update_that_strengthens_the_network_is_refused():
    class Strong:
        def init(self, params):
            return ()

        def update(self, params, grads, state):
            return tree_map(lambda p, g: p - np.float64(0.1) * g, params, grads), state

    with pytest.raises(DtypeError, match=r"layers\[0\]\.W from float32 into float64"):
        fit(classifier("float32"), nn.softmax_cross_entropy, X, y, optimizer=Strong(), epochs=1)


def test_targets_of_one_axis_against_outputs_of_two_are_refused():
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ShapeError, match="pair every output"):
        fit(nn.mlp(3, 4, 1), lambda o, y: np.mean((o - y) ** 2), X, X.sum(axis=1), epochs=1)


def test_without_shuffling_the_last_rows_are_held_out():
    from chainrule.train.data import split_rows

    kept, held_out = split_rows(20, 0.2, seed=0, shuffle=False)
    assert kept.tolist() == list(range(16))
    assert held_out.tolist() == [16, 17, 18, 19]
