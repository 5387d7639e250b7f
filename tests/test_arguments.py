"""What `wrt` may name, which leaves are differentiated, and what a gradient looks like."""

import collections
import dataclasses

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ChainruleError, DtypeError

X = np.array([1.0, 2.0, 3.0])


def loss(weights, inputs, scale=2.0, *, bias=0.0, name="none"):
    assert isinstance(name, str)
    return np.sum(weights * inputs) * scale + bias


def test_by_position_name_and_tuple():
    assert cr.grad(loss)(X, X).tolist() == (2 * X).tolist()
    assert cr.grad(loss, wrt=1)(X, 2 * X).tolist() == (2 * X).tolist()
    assert cr.grad(loss, wrt=-1)(X, X, 3.0) == 14
    assert cr.grad(loss, wrt="inputs")(X, X).tolist() == (2 * X).tolist()
    both = cr.grad(loss, wrt=("inputs", 0))(X, 2 * X)
    assert [b.tolist() for b in both] == [(2 * X).tolist(), (4 * X).tolist()]
    assert isinstance(cr.grad(loss, wrt=("weights",))(X, X), tuple)


def test_keywords():
    assert cr.grad(loss)(weights=X, inputs=X).tolist() == (2 * X).tolist()
    assert cr.grad(loss, wrt="scale")(X, X, scale=3.0) == 14
    assert cr.grad(loss, wrt="bias")(X, X, bias=1.0) == 1
    assert cr.grad(loss, wrt=("bias", "inputs"))(X, inputs=X, bias=1.0, name="some")[0] == 1
    value, gradient = cr.value_and_grad(loss, wrt="scale")(X, X, scale=3)
    assert value == 42
    assert gradient == 14


@pytest.mark.parametrize(
    ("wrt", "message"),
    [
        ("weight", r"wrt names 'weight'.*did you mean 'weights'"),
        ("scale", r"wrt names 'scale', but loss\(\) was called with weights, inputs"),
        (2, "wrt is 2.*2 positional arguments"),
        (-3, "wrt is -3"),
        ((0, "weights"), "names an argument twice"),
        ((), "wrt is empty"),
        (1.5, "must be a position, a parameter's name, or a tuple"),
        (True, "must be a position"),
        ([0, 1], "must be a position"),
    ],
)
def test_a_wrong_wrt_says_what_there_is(wrt, message):
    with pytest.raises(ArgumentError, match=message):
        cr.grad(loss, wrt=wrt)(X, X)


def test_argument_errors_are_value_errors():
    with pytest.raises(ValueError, match="wrt"):
        cr.grad(loss, wrt="nothing")(X, X)
    assert issubclass(ArgumentError, ChainruleError)


@pytest.mark.parametrize(
    ("tree", "path", "kind"),
    [
        (np.array([1, 2, 3]), "params", "int64"),
        ({"W": X, "k": np.array([1, 2])}, r"params\['k'\]", "int64"),
        ([X, (X, np.array([True, False]))], r"params\[1\]\[1\]", "bool"),
        ({"deep": [{"mask": np.array([1, 0], np.uint8)}]}, r"params\['deep'\]\[0\]\['mask'\]", "uint8"),
        (np.array([1j]), "params", "complex128"),
        (np.array(["a"]), "params", "<U1"),
        (np.array([None]), "params", "object"),
        (np.int64(3), "params", "int64"),
    ],
)
def test_what_is_not_floating_raises_under_wrt_with_its_path(tree, path, kind):
    with pytest.raises(DtypeError, match=f"{path} is of {kind}.*only floats have a derivative"):
        cr.grad(lambda params: 1.0)(tree)


def test_python_ints_are_floats_under_wrt():
    da, db = cr.grad(lambda a, b: 0.5 * (a + b) * a * b, wrt=(0, 1))(2, 3)
    assert (da, db) == (10.5, 8)
    assert cr.grad(lambda a: a**3)(2) == 12
    assert cr.hessian(lambda a: a**3)(2) == 12


def test_a_gradient_has_its_arguments_structure():
    Point = collections.namedtuple("Point", "x y")  # noqa: PYI024

    @dataclasses.dataclass(frozen=True)
    class Layer:
        W: np.ndarray
        b: np.ndarray
        activation: str = "tanh"
        skip: bool = False
        function: object = np.tanh
        nothing: object = None

    tree = {"layers": [Layer(np.ones((2, 3)), np.zeros(3))], "point": Point(1.5, X), "pair": (X, [2.0]), "empty": []}

    def f(tree):
        layer = tree["layers"][0]
        h = layer.function(X[:2] @ layer.W + layer.b)
        return np.sum(h) + tree["point"].x * np.sum(tree["point"].y) + np.sum(tree["pair"][0]) * tree["pair"][1][0]

    g = cr.grad(f)(tree)
    assert list(g) == list(tree)
    assert isinstance(g["layers"][0], Layer)
    assert g["layers"][0].W.shape == (2, 3)
    assert g["layers"][0].activation == "tanh"
    assert g["layers"][0].skip is False
    assert g["layers"][0].function is np.tanh
    assert g["layers"][0].nothing is None
    assert isinstance(g["point"], Point)
    assert g["point"].x == 6
    assert g["pair"][0].tolist() == [2, 2, 2]
    assert g["pair"][1] == [6]
    assert g["empty"] == []


def test_gradients_own_their_memory():
    x = X.copy()
    for f in (
        lambda a, b: np.sum(a + b),  # one cotangent for both
        lambda a, b: np.sum(a) + np.sum(b),  # broadcasts
        lambda a, b: np.sum(a.reshape(3, 1)[::-1].T) + b[0],  # views
        lambda a, b: np.sum(a * b),  # the other operand itself
        lambda a, b: np.sum(a * 1.0 + b[None]),
    ):
        da, db = cr.grad(f, wrt=(0, 1))(x, X)
        for g in (da, db):
            assert g.flags.owndata
            assert g.flags.writeable
        assert not np.shares_memory(da, db)
        assert not np.shares_memory(da, x)
        assert not np.shares_memory(db, X)
        kept = db.copy()
        da += 1.0
        assert np.array_equal(db, kept)
    value, (bar,) = cr.vjp(lambda a: a, x)[0], cr.vjp(lambda a: a, x)[1](np.ones(3))
    value += 1.0
    bar += 1.0
    assert np.array_equal(x, X)


def test_a_pullbacks_cotangent_is_not_shared():
    seed = np.ones(3)
    _, pullback = cr.vjp(lambda a: a * 1.0, X)
    (bar,) = pullback(seed)
    bar += 1.0
    assert seed.tolist() == [1, 1, 1]


def test_arguments_that_change_after_a_vjp_do_not_change_the_pullback():
    x = X.copy()
    _, pullback = cr.vjp(lambda a: a * a, x)
    x[:] = 100.0
    assert pullback(np.ones(3))[0].tolist() == (2 * X).tolist()


def test_auxiliary_results():
    (value, extra), g = cr.value_and_grad(
        lambda x: (np.sum(x**2), {"twice": x * 2, "n": 3, "s": "text"}), has_aux=True
    )(X)
    assert value == 14
    assert extra["twice"].tolist() == [2, 4, 6]
    assert type(extra["twice"]) is np.ndarray
    assert extra["n"] == 3
    assert extra["s"] == "text"
    assert g.tolist() == [2, 4, 6]
    g, extra = cr.grad(lambda x: (np.sum(x), x[0]), has_aux=True)(X)
    assert extra == 1
    with pytest.raises(ArgumentError, match=r"must return \(loss, extra\)"):
        cr.grad(lambda x: np.sum(x), has_aux=True)(X)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: x * 2, r"shape \(3,\).*sum or average it"),
        (lambda x: (np.sum(x), x), "returned a tuple.*has_aux=True"),
        (lambda x: None, "returned NoneType"),
        (lambda x: "text", "returned str"),
        (lambda x: [np.sum(x)], "returned list"),
        (lambda x: x[:1], r"shape \(1,\)"),
    ],
)
def test_what_is_not_one_number_is_refused(result, message):
    with pytest.raises(ArgumentError, match=message):
        cr.grad(result)(X)


def test_functions_that_are_no_plain_functions():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        def loss(self, x, y=1.0):
            return np.sum(x * x) * self.scale * y

        def __call__(self, x):
            return self.loss(x)

    model = Model(3.0)
    assert cr.grad(model.loss)(X).tolist() == (6 * X).tolist()
    assert cr.grad(model)(X).tolist() == (6 * X).tolist()
    assert cr.grad(model.loss, wrt="y")(X, y=2.0) == 42
    assert cr.grad(np.sum)(X).tolist() == [1, 1, 1]
    assert cr.grad(lambda *args: args[0] * args[1], wrt=1)(2.0, 3.0) == 2
    assert cr.grad(lambda **kw: kw["a"] * kw["b"], wrt="b")(a=2.0, b=3.0) == 2
    import functools

    assert cr.grad(functools.partial(loss, scale=5.0))(X, X).tolist() == (5 * X).tolist()


def test_wrappers_carry_name_and_signature():
    import inspect

    assert cr.grad(loss).__name__ == "loss_grad"
    assert list(inspect.signature(cr.grad(loss)).parameters) == list(inspect.signature(loss).parameters)


def test_jvp_and_vjp_check_their_directions():
    with pytest.raises(ArgumentError, match="1 primals and 2 tangents"):
        cr.jvp(np.sum, (X,), (X, X))
    with pytest.raises(ArgumentError, match=r"tangent of shape \(2,\) does not fit.*\(3,\)"):
        cr.jvp(np.sum, (X,), (X[:2],))
    with pytest.raises(ArgumentError, match=r"cotangent of shape \(2,\)"):
        cr.vjp(np.sin, X)[1](X[:2])
    with pytest.raises(ArgumentError, match="no argument is floating"):
        cr.vjp(np.sin, np.array([1, 2]))
    with pytest.raises(ArgumentError, match="mode is 'sideways'"):
        cr.jacobian(np.sin, mode="sideways")
    with pytest.raises(ArgumentError, match="direction has 1 parts"):
        cr.hvp(lambda a, b: a * b, wrt=(0, 1))(1.0, 2.0, (1.0,))


def test_hvp_of_names_and_trees():
    f = lambda p, x: np.sum(np.tanh(x @ p["W"]) ** 2) * p["s"]
    p, x = {"W": np.ones((3, 2)) * 0.3, "s": 1.5}, np.arange(6.0).reshape(2, 3) / 5
    v = {"W": np.arange(6.0).reshape(3, 2), "s": -1.0}
    got = cr.hvp(f, wrt="p")(p, x, v)
    h = 1e-6
    plus = cr.grad(f)({k: p[k] + h * v[k] for k in p}, x)
    minus = cr.grad(f)({k: p[k] - h * v[k] for k in p}, x)
    for k in p:
        np.testing.assert_allclose(got[k], (plus[k] - minus[k]) / (2 * h), rtol=1e-7)


def test_a_jacobian_of_trees_is_outputs_by_inputs():
    def f(a, b):
        return {"u": a[:, None] * b, "v": np.sum(a)}

    J = cr.jacobian(f, wrt=("a", "b"))(X, np.array([1.0, 2.0]))
    assert J["u"][0].shape == (3, 2, 3)
    assert J["u"][1].shape == (3, 2, 2)
    assert J["v"][0].tolist() == [1, 1, 1]
    assert J["v"][1].tolist() == [0, 0]
    assert J["u"][0][1, :, 1].tolist() == [1, 2]
    for mode in ("forward", "reverse"):
        again = cr.jacobian(f, wrt=("a", "b"), mode=mode)(X, np.array([1.0, 2.0]))
        assert np.array_equal(again["u"][0], J["u"][0])
