"""Layers, networks and their construction; the forward pass of every golden network."""

import json
import pathlib
import pickle
import warnings

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import ArgumentError, DtypeError
from chainrule.pytree import flatten, tree_map

FOLDER = pathlib.Path(__file__).parents[1] / "golden_numbers"
CASES = [
    case
    for name in ("s1", "s2", "s3", "s4", "s5", "edge", "gen_*")
    for path in sorted(FOLDER.glob(f"{name}.json"))
    for case in json.loads(path.read_text())["cases"]
    if case["kind"] == "mlp"
]
LOGITS = {"sigmoid": nn.sigmoid_cross_entropy, "softmax": nn.softmax_cross_entropy}


def golden_network(case, activations):
    params = case["params"]
    return nn.Network(
        tuple(
            nn.Dense(np.array(W), np.array(b), activation, case["layout"])
            for W, b, activation in zip(params["W"], params["b"], activations, strict=True)
        )
    )


def golden_loss(case):
    """The loss by the functions of `nn`: from logits where the last activation pairs with the loss."""
    *hidden, last = case["activations"]
    name, reduction = case["loss"]["name"], case["loss"]["reduction"]
    X, Y = np.array(case["inputs"]["X"]), np.array(case["inputs"]["Y"])
    options = {"reduction": reduction.replace("half_", ""), "axis": -1 if case["layout"] == "row" else 0}
    if name == "squared_error":
        factor = 0.5 if reduction.startswith("half") else 1.0
        return factor * nn.mean_squared_error(golden_network(case, (*hidden, last))(X), Y, **options)
    return LOGITS[last](golden_network(case, (*hidden, "identity"))(X), Y, **options)


def close(got, want, tolerance):
    want = np.array(want, float)
    bound = tolerance["atol"] * max(1, np.nanmax(abs(want), initial=0)) + tolerance["rtol"] * abs(want)
    return got.shape == want.shape and bool(np.all((abs(got - want) <= bound) | np.isnan(want)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_golden_forward(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        A = np.array(case["inputs"]["X"])
        for layer, want in zip(golden_network(case, case["activations"]).layers, case["forward"]["A"], strict=True):
            A = layer(A)
            assert close(A, want, case["tolerance"])
        loss = golden_loss(case)
    tolerance = case["tolerance"]
    want = case["forward"]["loss"]
    rtol, atol = tolerance.get("loss_rtol", tolerance["rtol"]), tolerance.get("loss_atol", tolerance["atol"])
    assert abs(loss - want) <= atol + rtol * abs(want)


def test_golden_covers_losses_and_layouts():
    assert len(CASES) > 100
    assert {case["layout"] for case in CASES} == {"row", "column"}
    assert {case["loss"]["name"] for case in CASES} == {"squared_error", "binary_cross_entropy", "cross_entropy"}


# -- construction ------------------------------------------------------------------------------------------------------


def test_shapes_of_both_layouts():
    row, column = nn.mlp(5, 4, 3), nn.mlp(5, 4, 3, layout="column")
    assert [(layer.W.shape, layer.b.shape) for layer in row.layers] == [((5, 4), (4,)), ((4, 3), (3,))]
    assert [(layer.W.shape, layer.b.shape) for layer in column.layers] == [((4, 5), (4, 1)), ((3, 4), (3, 1))]
    X = np.random.default_rng(0).normal(size=(7, 5))
    np.testing.assert_allclose(column(X.T), row(X).T, rtol=1e-14)


def test_softmax_runs_over_the_units_of_a_sample():
    row, column = nn.mlp(5, 3, output="softmax"), nn.mlp(5, 3, output="softmax", layout="column")
    X = np.random.default_rng(0).normal(size=(7, 5))
    np.testing.assert_allclose(row(X).sum(axis=1), np.ones(7))
    np.testing.assert_allclose(column(X.T), row(X).T, rtol=1e-14)


def test_two_sizes_mean_no_hidden_layer():
    (layer,) = nn.mlp(3, 2).layers
    assert layer.activation == "identity"


def test_a_function_can_be_an_activation():
    def double(z):
        return 2 * z

    net = nn.mlp(2, 3, 1, activation=double, output=np.sin)
    X = np.ones((4, 2))
    first, second = net.layers
    np.testing.assert_array_equal(net(X), np.sin(2 * (X @ first.W + first.b) @ second.W + second.b))
    assert repr(net) == "Network(2 -> 3 double -> 1 sin: 13 parameters)"


def test_seeds_and_dtypes():
    one, same, other = nn.mlp(3, 4, 2), nn.mlp(3, 4, 2, rng=0), nn.mlp(3, 4, 2, rng=1)
    assert all(np.array_equal(a, b) for a, b in zip(flatten(one)[0], flatten(same)[0], strict=True))
    assert not np.array_equal(one.layers[0].W, other.layers[0].W)
    single = nn.mlp(3, 4, 2, dtype="float32")
    assert {leaf.dtype for leaf in flatten(single)[0]} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(single.layers[1].W, one.layers[1].W.astype(np.float32))
    assert single(np.ones((2, 3), np.float32)).dtype == np.float32
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(nn.mlp(3, 4, 2, rng=generator).layers[1].W, one.layers[1].W)


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("relu", nn.he_normal), ("gelu", nn.he_normal), ("tanh", nn.glorot_uniform), (np.sin, nn.glorot_uniform)],
)
def test_the_initializer_follows_the_activation(activation, initializer):
    net = nn.mlp(6, 5, 2, activation=activation)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(net.layers[0].W, initializer(rng, 6, 5, np.float64))
    np.testing.assert_array_equal(net.layers[1].W, nn.glorot_uniform(rng, 5, 2, np.float64))
    assert not net.layers[0].b.any()


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (nn.he_normal, 2 / 400),
        (nn.he_uniform, 2 / 400),
        (nn.glorot_normal, 2 / 700),
        (nn.glorot_uniform, 2 / 700),
        (nn.zeros, 0),
    ],
)
def test_variance_of_initializers(initializer, variance):
    W = initializer(np.random.default_rng(0), 400, 300, np.float32)
    assert W.shape == (400, 300)
    assert W.dtype == np.float32
    assert W.var() == pytest.approx(variance, rel=0.02)
    assert abs(W.mean()) < 1e-3


def test_initializer_by_name_and_by_function():
    assert not nn.mlp(3, 2, initializer="zeros").layers[0].W.any()
    assert not nn.mlp(3, 2, initializer=nn.zeros).layers[0].W.any()


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((), {}, r"at least an input and an output size"),
        ((3,), {}, r"it got \(3,\)"),
        ((3, 0), {}, r"size 1 of mlp is 0"),
        ((3, -2, 1), {}, r"size 1 of mlp is -2"),
        ((3, 2.5), {}, r"size 1 of mlp is 2\.5"),
        ((True, 2), {}, r"size 0 of mlp is True"),
        (([3, 2],), {}, r"write mlp\(3, 2\)"),
        ((3, 2), {"activation": "rellu"}, r"activation is 'rellu'.*Did you mean 'relu'\?"),
        ((3, 2), {"output": "soft max"}, r"output is 'soft max'.*Did you mean 'softmax'\?"),
        ((3, 2), {"layout": "columns"}, r"layout is 'columns'.*Did you mean 'column'\?"),
        ((3, 2), {"initializer": "he"}, r"initializer is 'he', but must be one of 'he_normal'"),
        ((3, 2), {"activation": ["relu"]}, r"activation is \['relu'\]"),
    ],
)
def test_refusals(sizes, options, message):
    with pytest.raises(ArgumentError, match=message):
        nn.mlp(*sizes, **options)


def test_integer_weights_are_refused():
    with pytest.raises(DtypeError, match="not int64"):
        nn.mlp(3, 2, dtype=np.int64)


# -- as values ---------------------------------------------------------------------------------------------------------


def test_repr_and_summary():
    net = nn.mlp(784, 256, 10, layout="column")
    assert repr(net) == "Network(784 -> 256 relu -> 10 identity: 203,530 parameters in column layout)"
    assert repr(net.layers[0]) == "Dense(784 -> 256, relu, column layout)"
    assert net.parameter_count == sum(leaf.size for leaf in flatten(net)[0])
    assert net.summary().splitlines()[-1].split() == ["total", "203,530"]
    assert repr(nn.Network(())) == "Network()"


def test_a_network_is_a_pytree_and_its_strings_are_static():
    net = nn.mlp(3, 4, 2)
    leaves, structure = flatten(net)
    assert [leaf.shape for leaf in leaves] == [(3, 4), (4,), (4, 2), (2,)]
    doubled = tree_map(lambda p: 2 * p, net)
    assert isinstance(doubled, nn.Network)
    assert doubled.layers[0].activation == "relu"
    assert flatten(doubled)[1] == structure
    assert flatten(nn.mlp(3, 4, 2, activation="tanh"))[1] != structure


def test_pickle():
    net = nn.mlp(3, 4, 2)
    X = np.ones((2, 3))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net))(X), net(X))
