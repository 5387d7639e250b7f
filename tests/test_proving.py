"""`cr.check`: what is right is proved, whatever its kind and dtype; what cannot be judged says why."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, reject, settings

import chainrule as cr
from chainrule.errors import ArgumentError, ChainruleError, DtypeError, UnsupportedError
from checking_support import arguments, loss, row_of, rules, verdicts
from programs import programs

# -- what is right -------------------------------------------------------------------------------------------------------


def test_a_network_is_proved_by_every_floating_argument_and_every_entry():
    report = cr.check(loss, *arguments())
    assert report
    assert verdicts(report) == dict.fromkeys(("X", "W1", "b1", "W2", "b2"), "proved")
    assert all(row.method == "complex step" and row.compared == row.entries for row in report.rows)
    assert max(row.relative for row in report.rows) < 1e-10
    assert report.value == loss(*arguments())
    assert report.trace.error == 0
    assert [link.name for link in report.programs] == ["cr.grad", "cr.jit and cr.source"]
    assert all(link.holds and link.error < 1e-10 for link in report.programs)


@settings(max_examples=40)
@given(programs())
def test_what_is_derived_of_any_program_is_proved(program):
    function, args = program
    try:
        report = cr.check(function, *args, order=2)
    except UnsupportedError:  # refused, not derived
        reject()
    assert report, report
    assert all(link.holds for link in (*report.programs, *report.consistency))


def test_pytrees_have_a_row_for_each_floating_leaf_and_their_integers_stay():
    params = {"layers": [{"W": np.ones((2, 3)), "b": 0.5}], "steps": np.array([1, 2]), "count": 2}

    def f(params, x):
        layer = params["layers"][0]
        return np.sum(np.tanh(x @ layer["W"] + layer["b"])) * params["count"] * params["steps"][1]

    report = cr.check(f, params, np.array([0.3, -0.2]))
    assert verdicts(report) == dict.fromkeys(("params['layers'][0]['W']", "params['layers'][0]['b']", "x"), "proved")
    assert row_of(report, "params['layers'][0]['b']").shape == ()


def test_networks_are_pytrees_too():
    network = cr.nn.mlp(3, 4, 2, activation="gelu", rng=0)
    X = np.random.default_rng(0).standard_normal((5, 3))
    report = cr.check(lambda network, X: np.mean(network(X) ** 2), network, X, wrt="network")
    assert report
    assert report.rows[0].path == "network.layers[0].W"
    methods = {row.path: row.method for row in report.rows}
    assert (
        methods["network.layers[0].W"] == "differences"
    )  # behind it stands erfc, which NumPy has not for complex numbers
    assert methods["network.layers[1].W"] == "complex step"


def test_numbers_scalars_and_arrays_without_axes_are_taken():
    report = cr.check(lambda a, b, c: np.exp(a) * b + c, 0.5, np.float32(2.0), np.array(1.0))
    assert report
    assert [(row.shape, row.dtype) for row in report.rows] == [((), "float"), ((), "float32"), ((), "float64")]
    assert cr.check(lambda a, b: a * b, 2, 3, wrt=("a", "b")).rows[0].worst.derived == 3.0


def test_an_empty_array_and_an_argument_that_does_nothing_show_no_difference():
    report = cr.check(
        lambda x, nothing, unused: np.sum(x**2) + np.sum(nothing), np.ones(2), np.zeros((0, 3)), np.ones(2)
    )
    assert report
    assert verdicts(report) == {"x": "proved", "nothing": "no difference to see", "unused": "no difference to see"}


def test_a_gradient_that_cancels_to_rounding_is_no_mistake():
    def f(X, b):
        Z = X + b
        return np.sum(np.tanh(Z - Z.mean(axis=0)) ** 3)

    report = cr.check(f, np.random.default_rng(0).standard_normal((7, 4)), np.ones(4))
    assert verdicts(report) == {"X": "proved", "b": "no difference to see"}


def test_an_entry_at_the_border_of_the_domain_gets_a_step_of_its_own_size():
    tiny = np.array([1e-40, 1.0])
    assert verdicts(cr.check(lambda x: np.sum(np.log(x) * x), tiny)) == {"x": "proved"}
    report = cr.check(lambda x: 1 + np.sum(np.log(x) * x), tiny)  # now its difference drowns in the rounding of 1
    assert verdicts(report) == {"x": "proved"}
    assert "1 of 2 entries" in report.rows[0].note


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e6])
def test_the_step_follows_the_size_of_the_argument(scale):
    x = scale * np.array([0.7, -1.3, 2.1])
    report = cr.check(lambda x: np.sum(cr.nn.sigmoid(x / scale) * x), x)
    assert verdicts(report) == {"x": "proved"}
    assert report.rows[0].relative < 1e-7


def test_keyword_arguments_are_checked_as_well():
    def f(x, *, power=2.0):
        return np.sum(x**power)

    assert list(verdicts(cr.check(f, np.array([1.0, 2.0]), power=3.0))) == ["x", "power"]
    assert list(verdicts(cr.check(f, np.array([1.0, 2.0]), power=3.0, wrt="power"))) == ["power"]


def test_nothing_of_the_users_is_written_into_and_no_warning_is_raised():
    args = arguments()
    before = [a.copy() for a in args]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cr.check(loss, *args)
        cr.check(lambda x: np.sum(np.log(x)), np.array([1e-3, 2.0]))
    for array, kept in zip(args, before, strict=True):
        assert np.array_equal(array, kept)


def test_the_same_seed_makes_the_same_report():
    one, other = (cr.check(loss, *arguments(), seed=3, budget=40).to_dict() for _ in range(2))
    one.pop("seconds"), other.pop("seconds")
    assert one == other


def test_python_branches_are_followed_and_said_not_to_be_staged():
    report = cr.check(lambda x: x**3 if x > 0 else -x, 0.5)
    assert report
    assert math.isnan(report.programs[1].error)
    assert "if, while" in report.programs[1].says


def test_what_stop_gradient_means_is_no_mistake():
    report = cr.check(lambda x: np.sum(x * cr.stop_gradient(x**2)), np.array([1.0, 2.0]))
    assert verdicts(report) == {"x": "proved"}
    assert "stop_gradient" in report.rows[0].note


def test_checkpoints_are_seen_through():
    def f(x, W):
        layer = cr.checkpoint(lambda x: np.tanh(x @ W))
        return np.sum(layer(layer(x)))

    rng = np.random.default_rng(0)
    assert cr.check(f, rng.standard_normal((2, 3)), rng.standard_normal((3, 3)))


# -- dtypes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_right_gradient_is_proved_in_every_dtype_and_the_loss_of_accuracy_stands_apart(dtype):
    report = cr.check(loss, *arguments(dtype))
    assert set(verdicts(report).values()) == {"proved"}
    for row in report.rows:
        assert row.dtype == np.dtype(dtype)
        assert row.relative < 1e-10
        assert 0 < row.as_given < 1000 * np.finfo(dtype).eps
    assert "no part of the verdict" in str(report)


def test_a_wrong_gradient_in_float32_is_wrong():
    with rules("tanh", lambda x, y: (1 - y * y) * (1 + 1e-5)):
        assert set(verdicts(cr.check(loss, *arguments(np.float32))).values()) == {"wrong"}


def test_what_overflows_in_the_users_dtype_only_is_not_finite_there():
    report = cr.check(lambda x: np.sum(np.exp(x)), np.array([1.0, 12.0], np.float16))
    assert not report
    assert verdicts(report) == {"x": "not finite"}
    assert report.not_finite[0].primitive == "exp"
    assert "float16" in str(report)


def test_a_function_that_computes_in_float32_inside_is_judged_by_float32():
    report = cr.check(lambda x: np.sum(np.tanh(x.astype(np.float32)) ** 2), np.array([0.3, -0.7]))
    assert verdicts(report) == {"x": "proved"}
    assert report.rows[0].noise > 1e-7


# -- what cannot be judged -----------------------------------------------------------------------------------------------


def test_randomness_is_named():
    rng = np.random.default_rng(0)
    report = cr.check(lambda x: np.sum(x * (rng.random(3) > 0.5)), np.array([1.0, 2.0, 4.0]))
    assert not report
    assert verdicts(report) == {"x": "not judged"}
    assert "not deterministic" in report.problems[0]


def test_writing_into_an_argument_is_named_and_judged_on_copies():
    def f(x, counts):
        loss = np.sum(x * counts)
        counts[0] += 1
        return loss

    counts = np.array([1, 2])
    report = cr.check(f, np.ones(2), counts)
    assert report
    assert "writes into its argument counts[0]: it was 1 before" in report.notes[0]
    assert counts[0] == 1


def test_writing_into_an_argument_later_on_is_noticed_too():
    calls = []

    def f(x, counts):
        calls.append(1)
        loss = np.sum(x * counts)
        if len(calls) > 4:
            counts[0] += 1
        return loss

    report = cr.check(f, np.array([1.0, 2.0]), np.array([1, 2]))
    assert report
    assert "writes into its argument counts[0]" in report.notes[0]


def test_where_writing_into_an_argument_cannot_be_traced_both_is_said():
    def f(X):
        X -= X.mean(axis=0)
        return np.sum(X**2)

    with pytest.raises(UnsupportedError, match=r"cannot be traced.* writes into its argument"):
        cr.check(f, np.array([[1.0, 2.0], [2.0, 4.0]]))


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [
        (lambda x: x * 2, (np.ones(3),), "np.sum"),
        (lambda x: x[None, :1] * 2, (np.ones(3),), "shape (1, 1)"),
        (lambda x: (np.sum(x), x), (np.ones(3),), r"\[0\]"),
        (lambda x: {"loss": np.sum(x)}, (np.ones(3),), "'loss'"),
        (lambda x: None, (np.ones(3),), "return"),
        (lambda x: "text", (np.ones(3),), "a str"),
        (lambda x: np.sum(x) > 0, (np.ones(3),), "bool"),
        (lambda x, y: np.sum(x), (np.ones(3),), "missing a required argument: 'y'"),
        (lambda x: np.sum(x), (np.arange(3),), "no argument of lambda"),
        (lambda x: 2 * x, (3,), "write 2.0 instead of 2"),
        (3, (), "not a int"),
    ],
)
def test_what_is_no_loss_or_has_no_argument_is_refused_with_what_to_write(function, args, words):
    with pytest.raises(ArgumentError, match=words.replace("(1, 1)", r"\(1, 1\)")):
        cr.check(function, *args)


@pytest.mark.parametrize(
    "options", [{"wrt": "W"}, {"wrt": 5}, {"wrt": ()}, {"order": 3}, {"budget": 0}, {"budget": "all"}]
)
def test_options_that_name_nothing_are_refused(options):
    with pytest.raises(ArgumentError):
        cr.check(lambda x: np.sum(x), np.ones(2), **options)


def test_integers_that_are_named_are_refused_with_their_path():
    with pytest.raises(DtypeError, match=r"p\['n'\]"):
        cr.check(lambda p: np.sum(p["x"]), {"x": np.ones(2), "n": np.arange(2)}, wrt="p")


def test_what_cannot_be_traced_says_so():
    with pytest.raises(UnsupportedError, match="i0"):
        cr.check(lambda x: np.sum(np.i0(x)), np.ones(2))
    with pytest.raises(ChainruleError):
        cr.check(lambda x: np.sum(x), np.ma.masked_array([1.0, 2.0], [True, False]))


# -- the budget, and plain data ------------------------------------------------------------------------------------------


def test_beyond_its_budget_every_entry_lies_in_a_direction_and_a_sample_is_compared():
    calls = []

    def f(W, b):
        calls.append(1)
        return np.sum(np.tanh(W + b) ** 2)

    rng = np.random.default_rng(0)
    report = cr.check(f, rng.standard_normal((100, 90)), rng.standard_normal(90), budget=200)
    assert report
    assert report.evaluations < 230
    assert len(calls) < 250
    W = report.rows[0]
    assert 50 < W.compared < 150
    assert 50 < W.directions < 150
    assert "with probability 0.6" in report.coverage


def test_a_report_is_data_that_json_holds():
    report = cr.check(loss, *arguments(), order=2)
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["proved"] is True
    assert data["rows"][1]["path"] == "W1"
    assert len(data["rows"][1]["worst"]["index"]) == 2
    broken = cr.check(lambda x: np.sqrt(np.sum(x**2)), np.zeros(2))
    assert json.loads(json.dumps(broken.to_dict(), allow_nan=False))["verdict"] == "not finite"
