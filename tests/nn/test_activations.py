"""Activations on plain arrays: the golden grid, saturation without warnings, dtypes, axes."""

import json
import math
import pathlib
import warnings

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import ArgumentError
from chainrule.nn.activations import ACTIVATIONS, ALONG_AXIS, known_name

GOLDEN = pathlib.Path(__file__).parents[1] / "golden_numbers" / "activations.json"
CASES = json.loads(GOLDEN.read_text())["cases"]
ELEMENTWISE = sorted(ACTIVATIONS.keys() - ALONG_AXIS.keys())


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["activation"])
def test_golden_grid(case):
    got = ACTIVATIONS[case["activation"]](np.array(case["z"]))
    want = np.array(case["f"], float)
    tolerance = case["tolerance"]["atol"] + case["tolerance"]["rtol"] * abs(want)
    assert np.all((abs(got - want) <= tolerance) | np.isnan(want))


def test_golden_covers_every_elementwise_activation():
    assert {case["activation"] for case in CASES} == set(ELEMENTWISE)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturation_shape_and_dtype(name, dtype):
    z = np.array([[-1000, -745, -40, -1, 0], [0, 1, 40, 745, 1000]], dtype)
    result = ACTIVATIONS[name](z)
    assert result.shape == z.shape
    assert result.dtype == dtype
    assert np.isfinite(result).all()
    assert ACTIVATIONS[name](z[0]).dtype == dtype


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_scalars(name):
    assert float(ACTIVATIONS[name](0.5)) == ACTIVATIONS[name](np.array([0.5]))[0]


@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"identity", "relu", "leaky_relu"}))
def test_unsigned_integers_do_not_wrap(name):
    z = np.array([0, 1, 200], np.uint8)
    np.testing.assert_allclose(ACTIVATIONS[name](z), ACTIVATIONS[name](z.astype(float)), rtol=1e-3)


def test_parameters():
    z = np.array([-2.0, 3.0])
    np.testing.assert_array_equal(nn.leaky_relu(z, 0.5), [-1.0, 3.0])
    np.testing.assert_allclose(nn.elu(z, alpha=2.0), [2 * math.expm1(-2), 3.0])


def test_no_activation_writes_into_its_argument():
    z = np.array([[-1.0, 2.0]])
    for function in (*ACTIVATIONS.values(), nn.logsumexp):
        function(z)
    np.testing.assert_array_equal(z, [[-1.0, 2.0]])


def test_softmax_rows_and_columns():
    Z = np.random.default_rng(0).normal(size=(5, 3))
    P = nn.softmax(Z)
    np.testing.assert_allclose(P, np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_array_equal(nn.softmax(Z.T, axis=0), P.T)
    np.testing.assert_allclose(nn.log_softmax(Z), np.log(P), rtol=1e-13)
    np.testing.assert_array_equal(nn.log_softmax(Z.T, axis=0), nn.log_softmax(Z).T)


def test_softmax_saturated():
    Z = np.array([[1000.0, -1000.0, 1000.0], [-1000.0, 0.0, -1000.0]])
    np.testing.assert_array_equal(nn.softmax(Z), [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(nn.log_softmax(Z)[0], [-math.log(2), -2000 - math.log(2), -math.log(2)])
    np.testing.assert_array_equal(nn.log_softmax(Z)[1], [-1000.0, 0.0, -1000.0])


def test_softmax_of_a_class_that_is_ruled_out():
    np.testing.assert_array_equal(nn.softmax(np.array([0.0, -np.inf, 0.0])), [0.5, 0.0, 0.5])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_follows_scipy(axis, keepdims):
    special = pytest.importorskip("scipy.special")
    Z = np.random.default_rng(1).normal(size=(2, 3, 4)) * 300
    got = nn.logsumexp(Z, axis=axis, keepdims=keepdims)
    want = special.logsumexp(Z, axis=axis, keepdims=keepdims)
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_logsumexp_saturated_and_float32():
    assert nn.logsumexp(np.array([1000.0, 1000.0])) == 1000 + math.log(2)
    assert nn.logsumexp(np.array([-1000.0, -1000.0])) == -1000 + math.log(2)
    assert nn.logsumexp(np.array([1.0, 2.0], np.float32)).dtype == np.float32


def test_unknown_name_lists_the_known_and_the_closest():
    with pytest.raises(ArgumentError, match=r"activation is 'rleu'.*'softmax'.*Did you mean 'relu'\?"):
        known_name("activation", "rleu", ACTIVATIONS)
    with pytest.raises(ArgumentError, match="activation is 3"):
        known_name("activation", 3, ACTIVATIONS)
