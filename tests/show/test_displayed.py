"""Every displayed equation is true: of the examples, of networks of all kinds, of random programs."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings

import chainrule as cr
from chainrule.errors import ArgumentError
from chainrule.nn.network import ACTIVATIONS
from displayed_support import LEVELS, difference, false_rows, faults, faults_elsewhere
from programs import programs

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "derivations").glob("*.py"))
WINDOWS = "convolution_windows"  # one formula of windows of windows is more than `matrix_form.evaluate` reads


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path):
    module = runpy.run_path(str(path))
    arguments = module["example"]()
    d = cr.derive(module["loss"], **arguments)
    levels = LEVELS if path.stem != WINDOWS else ("summary", "steps", "numbers")
    assert faults(d, module["loss"], arguments, levels=levels) == []
    fewer = {name: fewer_samples(d, name, value) for name, value in arguments.items()}
    assert faults_elsewhere(d, module["loss"], fewer) == []


def fewer_samples(d, name, value):
    """An argument with two samples: every axis that has a letter is cut; a list's arrays are called x1, x2, ..."""
    if isinstance(value, list):
        return [fewer_samples(d, f"{name}{i}", v) for i, v in enumerate(value, 1)]
    sizes = [part.strip() for part in d.facts[name].shape.strip("()").split(",") if part.strip()]
    cut = tuple(slice(None) if size.isdigit() else slice(0, 2) for size in sizes)
    return 0.9 * value[cut] if value.dtype.kind == "f" else value[cut]


# -- networks of `cr.nn` ------------------------------------------------------------------------------------------------------
LOSSES = {
    "softmax_cross_entropy": "identity", "cross_entropy": "softmax", "sigmoid_cross_entropy": "identity",
    "binary_cross_entropy": "sigmoid", "mean_squared_error": "identity",
}  # fmt: skip


def task(random, loss, layout, samples, dtype):
    """Inputs and targets for a loss."""
    if loss in ("softmax_cross_entropy", "cross_entropy"):
        targets = random.integers(0, 2, samples)
    elif loss == "mean_squared_error":
        targets = random.normal(size=(samples, 2)).astype(dtype)
    else:
        targets = random.integers(0, 2, (samples, 1))
    inputs = random.normal(size=(samples, 3)).astype(dtype)
    return (inputs, targets) if layout == "row" else (inputs.T, targets.T)


@pytest.mark.parametrize("layout", ["row", "column"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_networks(loss, depth, layout):
    activations = sorted(ACTIVATIONS)
    for number, reduction in enumerate(("mean", "sum", "mean_elements")):
        case = 3 * (depth + 4 * (layout == "column") + 8 * sorted(LOSSES).index(loss)) + number
        dtype = (np.float32, np.float64)[case % 5 > 0]
        random = np.random.default_rng(case)
        outputs = 2 if loss in ("softmax_cross_entropy", "cross_entropy", "mean_squared_error") else 1
        network = cr.nn.mlp(
            3, *[4] * (depth - 1), outputs, activation=activations[case % len(activations)], output=LOSSES[loss],
            layout=layout, dtype=dtype, rng=case,
        )  # fmt: skip
        axis = -1 if layout == "row" else 0

        def error(network, X, y, reduction=reduction, axis=axis):
            return getattr(cr.nn, loss)(network(X), y, reduction=reduction, axis=axis)

        exact = dtype is np.float64
        arguments = (network, *task(random, loss, layout, 5, dtype))
        d = cr.derive(error, *arguments)
        rtol = 1e-9 if exact else 2e-4
        assert faults(d, error, arguments, rtol=rtol, differences=exact and case % 4 == 1) == []
        assert faults_elsewhere(d, error, (network, *task(random, loss, layout, 7, dtype)), 10 * rtol) == []


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations(activation):
    network = cr.nn.mlp(3, 4, 2, activation=activation, rng=3)

    def error(network, X, y):
        return cr.nn.mean_squared_error(network(X), y)

    random = np.random.default_rng(1)
    arguments = (network, random.normal(size=(5, 3)), random.normal(size=(5, 2)))
    d = cr.derive(error, *arguments)
    assert faults(d, error, arguments, levels=LEVELS) == []


# -- calls are shown with the settings that they were made with ------------------------------------------------------------------
X = np.random.default_rng(0).normal(size=(4, 3))
CALLS = {
    "softmax(Z, axis=0)": lambda Z: cr.nn.softmax(Z, axis=0),
    "softmax(Z)": lambda Z: cr.nn.softmax(Z),
    "relu(Z)": lambda Z: cr.nn.relu(Z),
    "elu(Z)": lambda Z: cr.nn.elu(Z),
    "": lambda Z: cr.nn.leaky_relu(Z, 0.3),  # a slope that nothing tells: its arithmetic is shown
}  # fmt: skip


@pytest.mark.parametrize("shown", CALLS)
def test_a_call_has_its_settings(shown):
    def error(X):
        Z = X * 2
        A = CALLS[shown](Z)
        return np.sum(A**2)

    d = cr.derive(error, X)
    assert faults(d, error, (X,), levels=LEVELS) == []
    if shown:
        assert f" = {shown}" in d.text("summary")
    else:
        assert "leaky_relu" not in d.text("summary")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_loss_has_its_reduction(reduction):
    def error(Z, y):
        return cr.nn.softmax_cross_entropy(Z, y, reduction=reduction)

    d = cr.derive(error, X, np.array([0, 2, 1, 1]))
    assert (f"reduction={reduction!r}" in d.text("summary")) == (reduction == "sum")
    assert faults(d, error, (X, np.array([0, 2, 1, 1]))) == []


def test_a_call_that_is_a_part_of_a_line_is_not_shown_as_a_line():
    def error(s, W):
        d = np.where(cr.nn.elu(s) > W, cr.nn.elu(s), 2 * W)
        return np.sum(d)

    args = (np.array([-0.3, 0.4]), np.array([0.2, 0.1]))
    d = cr.derive(error, *args)
    assert faults(d, error, args, levels=LEVELS) == []
    assert "= elu(" not in d.text("summary")


# -- random programs ----------------------------------------------------------------------------------------------------------
def derived(function, arguments):
    """The derivation of a program, unless it is a number that is summed, so that nothing is computed."""
    try:
        return cr.derive(function, *arguments)
    except ArgumentError as error:
        if "computes nothing" not in str(error):
            raise
        reject()


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero", "ignore:overflow")
@settings(max_examples=150)
@given(programs())
def test_random_programs(program):
    function, arguments = program
    d = derived(function, arguments)
    assert faults(d, function, arguments) == []
    random = np.random.default_rng(0)
    close = tuple(a + 0.003 * random.uniform(-1, 1, np.shape(a)) for a in arguments)
    assert faults_elsewhere(d, function, close) == []


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero", "ignore:overflow")
@settings(max_examples=40)
@given(programs(max_lines=4))
def test_random_programs_at_the_levels_with_numbers(program):
    function, arguments = program
    d = derived(function, arguments)
    assert [fault for level in ("numbers", "collapsed") for fault in false_rows(d, level, 1e-8)] == []
    for line in d.gradients.values():
        assert d[line].why().text("numbers")


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero", "ignore:overflow")
@settings(max_examples=40)
@given(programs(max_lines=5, dtype=np.float32))
def test_random_programs_in_float32(program):
    function, arguments = program
    d = derived(function, arguments)
    assert faults(d, function, arguments, rtol=1e-3, differences=False) == []


def test_values_are_those_of_grad():
    def error(X, W, b):
        Z = X @ W + b
        P = np.exp(Z) / np.sum(np.exp(Z), axis=1, keepdims=True)
        return -np.mean(np.log(P[:, 0]))

    random = np.random.default_rng(2)
    args = (X, 800 * random.normal(size=(3, 2)), np.zeros(2))  # the user's own arithmetic overflows
    with np.errstate(all="ignore"):
        d = cr.derive(error, *args)
        for name, value in zip(("X", "W", "b"), cr.grad(error, wrt=(0, 1, 2))(*args), strict=True):
            assert difference(d[name].value, value) == ""
