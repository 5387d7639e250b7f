"""The proof must fail for a wrong gradient: each link of the chain is broken once."""

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import GraphError
from chainrule.pytree import tree_map
from chainrule.train import proof
from chainrule.train.proof import prove_step
from chainrule.train.step import build_step

random = np.random.default_rng(0)
X = random.normal(size=(8, 4))
y = random.integers(0, 3, size=8)
ADAM = optim.adam()


def proved(network, loss=nn.softmax_cross_entropy, dtype="float64"):
    return prove_step(build_step(loss, ADAM), loss, ADAM, network, X.astype(dtype), y)


def test_every_entry_of_a_small_network():
    report = proved(nn.mlp(4, 5, 3))
    assert report.compared == "all 43 entries"
    assert report.method == "complex step"
    assert report.error < 1e-10
    assert "float32" not in str(report)


def test_float32_is_proved_as_it_runs_and_in_float64():
    report = proved(nn.mlp(4, 5, 3, dtype="float32"), dtype="float32")
    assert report.error < 1e-10 < report.error_as_run < 1e-2
    assert "as it runs, in float32" in str(report)


def test_a_larger_network_along_random_directions(monkeypatch):
    monkeypatch.setattr(proof, "EVERY_ENTRY", 42)
    report = proved(nn.mlp(4, 5, 3))
    assert report.compared == "32 random directions of 43 entries"
    assert report.error < 1e-10


def test_a_sample_on_the_kink_of_every_unit_is_no_disagreement():
    report = prove_step(
        build_step(nn.softmax_cross_entropy, ADAM),
        nn.softmax_cross_entropy,
        ADAM,
        nn.mlp(4, 5, 3),
        np.zeros((8, 4)),
        y,
    )
    assert report.error < 1e-10


def test_a_loss_that_complex_numbers_would_fool_is_proved_by_differences():
    def loss(outputs, labels):
        return np.mean(np.abs(outputs - 0.123))

    report = proved(nn.mlp(4, 5, 3, activation="tanh"), loss)
    assert report.method == "differences"
    assert report.error < 1e-6


def wrong_steps(monkeypatch, change, only_probe=False):
    """Let every compiled step, or only the one that returns gradients, return changed results."""

    def build(loss, optimizer, with_gradients=False):
        step = build_step(loss, optimizer, with_gradients)
        if only_probe and not with_gradients:
            return step
        return lambda *arguments: change(*step(*arguments))

    monkeypatch.setattr(proof, "build_step", build)


@pytest.mark.parametrize("limit", [0, 10_000])
def test_a_gradient_that_is_wrong_in_one_entry_is_found(monkeypatch, limit):
    def change(*results):
        *rest, gradients = results
        gradients.layers[1].b[2] *= 1 + 1e-4
        return *rest, gradients

    wrong_steps(monkeypatch, change)
    monkeypatch.setattr(proof, "EVERY_ENTRY", limit)
    with pytest.raises(GraphError, match=r"network\.layers\[1\]\.b"):
        proved(nn.mlp(4, 5, 3))


def test_a_program_that_is_not_the_one_that_runs_is_found(monkeypatch):
    wrong_steps(monkeypatch, lambda value, trained, *rest: (value, tree_map(lambda p: p * 1.01, trained), *rest))
    with pytest.raises(GraphError, match="differ"):
        proved(nn.mlp(4, 5, 3))
