"""Update rules against scalar references written out by hand, and as maps over trees."""

import dataclasses
import json
import math
import pathlib

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ArgumentError
from chainrule.pytree import flatten, tree_map

GRADIENTS = [0.5, -2.0, 1e-3, 0.0, 30.0]
RULES = {
    "sgd": optim.sgd,
    "momentum": optim.momentum,
    "nesterov": optim.nesterov,
    "rmsprop": optim.rmsprop,
    "adam": optim.adam,
    "adamw": optim.adamw,
}


def sgd(p, lr=0.1):
    for g in GRADIENTS:
        p -= lr * g
        yield p


def momentum(p, lr=0.1, beta=0.7):
    v = 0.0
    for g in GRADIENTS:
        v = beta * v + g
        p -= lr * v
        yield p


def nesterov(p, lr=0.1, beta=0.7):
    v = 0.0
    for g in GRADIENTS:
        v = beta * v + g
        p -= lr * (g + beta * v)
        yield p


def rmsprop(p, lr=0.1, beta=0.8, eps=1e-4):
    v = 0.0
    for g in GRADIENTS:
        v = beta * v + (1 - beta) * g * g
        p -= lr * g / (math.sqrt(v) + eps)
        yield p


def adamw(p, lr=0.1, beta1=0.8, beta2=0.95, eps=1e-4, weight_decay=0.0):
    m = v = 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        p = p * (1 - lr * weight_decay) - lr * m_hat / (math.sqrt(v_hat) + eps)
        yield p


BY_HAND = [
    (optim.sgd(0.1), sgd),
    (optim.momentum(0.1, 0.7), momentum),
    (optim.nesterov(0.1, 0.7), nesterov),
    (optim.rmsprop(0.1, 0.8, 1e-4), rmsprop),
    (optim.adam(0.1, 0.8, 0.95, 1e-4), adamw),
    (optim.adamw(0.1, 0.8, 0.95, 1e-4, 0.0), adamw),
    (optim.adamw(0.1, 0.8, 0.95, 1e-4, 0.3), lambda p: adamw(p, weight_decay=0.3)),
]


@pytest.mark.parametrize(("optimizer", "reference"), BY_HAND, ids=lambda value: type(value).__name__)
def test_five_steps_by_hand(optimizer, reference):
    p = np.array([1.0, 1.0])
    state = optimizer.init(p)
    for step, (g, want) in enumerate(zip(GRADIENTS, reference(1.0), strict=True), 1):
        p, state = optimizer.update(p, np.array([g, g]), state)
        np.testing.assert_allclose(p, want, rtol=1e-14)
        assert state["t"] == step


def test_first_steps():
    p = np.array([1.0])
    for optimizer, size in ((optim.adam(lr=0.1), 0.1), (optim.rmsprop(lr=0.1, beta=0.75), 0.2)):
        moved, _ = optimizer.update(p, np.array([123.0]), optimizer.init(p))
        assert p - moved == pytest.approx(size, rel=1e-7)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay(rule, dtype):
    optimizer = RULES[rule]()
    params = {"W": np.ones((2, 3), dtype), "b": np.ones((), dtype)}
    state = optimizer.init(params)
    for _ in range(3):
        params, state = optimizer.update(params, params, state)
    leaves = flatten(params)[0] + [leaf for slot in optimizer.slots for leaf in flatten(state[slot])[0]]
    assert {leaf.dtype for leaf in leaves} == {np.dtype(dtype)}
    assert type(state["t"]) is float


@pytest.mark.parametrize("rule", RULES)
def test_a_step_count_from_a_file_does_not_promote(rule):
    optimizer = RULES[rule]()
    p = np.ones(3, np.float32)
    for t in (np.float64(4), np.array(4.0), np.array(4)):
        moved, state = optimizer.update(p, p, optimizer.init(p) | {"t": t})
        assert moved.dtype == np.float32
        assert state["t"] == 5.0


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_changed_in_place(rule):
    optimizer = RULES[rule]()
    params = [np.ones(3), np.ones((2, 2))]
    state = optimizer.init(params)
    before = tree_map(np.copy, state)
    optimizer.update(params, params, state)
    assert all(np.all(leaf == 1) for leaf in params)
    assert all(np.array_equal(a, b) for a, b in zip(flatten(state)[0], flatten(before)[0], strict=True))


@pytest.mark.parametrize("rule", RULES)
def test_a_tree_is_updated_leaf_by_leaf(rule):
    optimizer = RULES[rule](lr=0.1)
    net = nn.mlp(3, 4, 2)
    grads = tree_map(np.cos, net)
    moved, state = optimizer.update(net, grads, optimizer.init(net))
    assert isinstance(moved, nn.Network)
    assert moved.layers[0].activation == "relu"
    for p, g, got in zip(*(flatten(tree)[0] for tree in (net, grads, moved)), strict=True):
        np.testing.assert_array_equal(got, optimizer.update(p, g, optimizer.init(p))[0])
    assert set(state) == {"t", *optimizer.slots}
    assert all(isinstance(state[slot], nn.Network) for slot in optimizer.slots)


@pytest.mark.parametrize("rule", RULES)
def test_a_quadratic_is_minimised(rule):
    optimizer = RULES[rule](lr=0.02)
    p = np.array([1.0, -0.5])
    state = optimizer.init(p)
    for _ in range(400):
        p, state = optimizer.update(p, np.array([1.0, 3.0]) * p, state)
    assert np.all(abs(p) < 0.03)


def test_decay_is_not_divided_by_the_gradient_size():
    p = np.array([2.0])
    plain, decayed = optim.adam(lr=0.1), optim.adamw(lr=0.1, weight_decay=0.5)
    difference = plain.update(p, p, plain.init(p))[0] - decayed.update(p, p, decayed.init(p))[0]
    assert difference == pytest.approx(0.1 * 0.5 * 2.0, rel=1e-12)


def test_golden_sgd():
    path = pathlib.Path(__file__).parents[1] / "golden_numbers" / "s1.json"
    cases = [case for case in json.loads(path.read_text())["cases"] if "sgd" in case]
    assert cases
    for case in cases:
        optimizer = optim.sgd(case["sgd"]["lr"])
        for name, derivative in (("W", "dW"), ("b", "db")):
            params = [np.array(array) for array in case["params"][name]]
            grads = [np.array(array) for array in case["backward"][derivative]]
            moved, _ = optimizer.update(params, grads, optimizer.init(params))
            for got, want in zip(moved, case["sgd"][name], strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("sgd", {"lr": -0.1}, r"lr is -0\.1, but must be at least 0"),
        ("adam", {"lr": float("nan")}, "lr is nan"),
        ("momentum", {"beta": 1.0}, r"beta is 1\.0, but must be at least 0 and below 1"),
        ("adam", {"beta2": 1}, "beta2 is 1, but"),
        ("adamw", {"weight_decay": -1}, "weight_decay is -1"),
        ("rmsprop", {"eps": -1e-8}, "eps is -1e-08"),
    ],
)
def test_refusals(rule, options, message):
    with pytest.raises(ArgumentError, match=message):
        RULES[rule](**options)


def test_trees_that_do_not_match_are_refused():
    optimizer = optim.adam()
    params = {"W": np.ones(2), "b": np.ones(1)}
    state = optimizer.init(params)
    with pytest.raises(ArgumentError, match="grads has 1 arrays, but params has 2"):
        optimizer.update(params, {"W": np.ones(2)}, state)
    with pytest.raises(ArgumentError, match=r"state\['m'\] has 1 arrays"):
        optimizer.update(params, params, state | {"m": {"W": np.ones(2)}})


def test_hyperparameters_are_python_floats():
    for build in RULES.values():
        optimizer = build(lr=np.float64(0.1))
        assert all(type(getattr(optimizer, field.name)) is float for field in dataclasses.fields(optimizer))
