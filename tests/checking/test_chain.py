"""What is wrong is shown to be wrong: a rule of any primitive, one entry of any gradient, a program, a trace."""

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings

import chainrule as cr
from chainrule import proving
from chainrule.checking import chain
from chainrule.errors import UnsupportedError
from chainrule.primitive import REGISTRY, apply
from chainrule.primitives.control import SHIFT, STOP_GRADIENT
from checking_support import arguments, loss, row_of, rules, verdicts
from programs import programs


def test_a_wrong_rule_is_shown_with_leaf_entry_both_values_and_the_users_line():
    with rules("tanh", lambda x, y: 1 - y):
        report = cr.check(loss, *arguments())
    assert not report
    assert verdicts(report)["W1"] == "wrong"
    worst = row_of(report, "W1").wrong[0]
    entry = np.zeros((5, 6), dtype=complex)
    entry[worst.index] = 1e-30j
    X, y, W1, *rest = arguments()
    assert worst.by_method == pytest.approx(np.imag(loss(X, y, W1 + entry, *rest)) / 1e-30)
    assert abs(worst.derived - worst.by_method) == pytest.approx(worst.absolute)
    (fault,) = report.faults
    assert (fault.primitive, fault.name, fault.code) == ("tanh", "Z2", "Z2 = np.tanh(A1 @ W2 + b2)")
    assert f"W1{list(worst.index)}".replace(" ", "") in str(report).replace(" ", "")
    assert "the rule of tanh for operand 1" in str(report)


def _smooth_rules():
    """Every rule of every primitive that moves its sample's result: (primitive, operand, operands, params)."""
    for primitive in REGISTRY.values():
        if primitive in (SHIFT, STOP_GRADIENT):
            continue
        rng = np.random.default_rng(sum(map(ord, primitive.name)))
        operands, params = primitive.samples(rng)[0]
        if np.asarray(primitive.forward(*operands, *params)).dtype.kind != "f":
            continue
        for place, rule in enumerate(primitive.rules[: len(operands)]):
            floating = isinstance(operands[place], np.ndarray) and operands[place].dtype.kind == "f"
            counts = (primitive.name, place) != ("heaviside", 1)  # it is read at 0 only, where no sample is
            if rule is not None and floating and counts:
                yield pytest.param(primitive, place, operands, params, id=f"{primitive.name}-{place}")


@pytest.mark.parametrize(("primitive", "place", "operands", "params"), list(_smooth_rules()))
def test_a_rule_of_any_primitive_that_is_off_by_one_percent_is_found_and_named(primitive, place, operands, params):
    def f(x):
        y = apply(primitive, *operands[:place], x, *operands[place + 1 :], params=params)
        return np.sum(y * np.cos(np.arange(float(np.size(y)))).reshape(y.shape))

    assert cr.check(f, operands[place])
    right = primitive.rules

    def wrong(*args):
        return 1.01 * right[place](*args)

    with rules(primitive.name, *right[:place], wrong, *right[place + 1 :]):
        report = cr.check(f, operands[place])
    assert verdicts(report) == {"x": "wrong"}
    assert report.faults[0].primitive == primitive.name


@settings(max_examples=40)
@given(programs())
def test_any_entry_of_any_gradient_that_is_off_by_a_ten_thousandth_is_found(program):
    function, args = program
    right = chain.gradient_of
    bent = []

    def off(traced):
        gradient = [g.copy() for g in right(traced)]
        largest = max(float(np.max(np.abs(g), initial=0)) for g in gradient)
        seen = [(k, i) for k, g in enumerate(gradient) for i in range(g.size) if abs(g.reshape(-1)[i]) > 1e-6 * largest]
        if seen:
            k, i = seen[len(traced.graph.equations) % len(seen)]
            gradient[k].reshape(-1)[i] *= 1.0001
            bent.append((k, i))
        return gradient

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "gradient_of", off)
        try:
            report = cr.check(function, *args)
        except UnsupportedError:
            reject()
    assume(bent)
    (k, i) = bent[0]
    assert report.rows[k].verdict == "wrong", report
    place = np.unravel_index(i, report.rows[k].shape) if report.rows[k].shape else ()
    assert [entry.index for entry in report.rows[k].wrong] == [tuple(map(int, place))]


def test_a_wrong_entry_is_found_in_a_large_array_by_its_direction():
    def one_wrong(x, y):
        wrong = np.ones((4, 100))
        wrong[2, 37] = 1.001
        return -np.sin(x) * wrong

    rng = np.random.default_rng(0)
    W, X = rng.standard_normal((60, 100)), rng.standard_normal((4, 60)) / 8

    def f(W):
        return np.sum(np.cos(X @ W))

    assert cr.check(f, W, budget=60)
    with rules("cos", one_wrong):
        report = cr.check(f, W, budget=60)
    (row,) = report.rows
    assert row.verdict == "wrong"
    assert {entry.index[1] for entry in row.wrong} == {37}


def test_a_program_that_differs_from_the_proved_gradient_is_wrong(monkeypatch):
    right = proving.grad

    def off(function, wrt):
        derived = right(function, wrt)

        def gradient(*args):
            found = list(derived(*args))
            found[1] = found[1] * (1 + 1e-6 * (np.arange(found[1].size).reshape(found[1].shape) == 7))
            return tuple(found)

        return gradient

    monkeypatch.setattr(proving, "grad", off)
    report = cr.check(loss, *arguments())
    assert not report
    assert set(verdicts(report).values()) == {"proved"}
    assert not report.programs[0].holds
    assert "W1[1, 1]" in report.programs[0].says
    assert "WRONG, though the unsimplified gradient is right: cr.grad" in str(report)


def test_a_wrong_forward_mode_is_an_inconsistency_and_no_proof(monkeypatch):
    def tangent(tangents, operands, y, params):
        return 1.5 * np.sum(tangents[0], axis=params[0], keepdims=params[1])

    maximum = REGISTRY["max"]
    monkeypatch.setattr(maximum, "jvp", tangent)
    report = cr.check(lambda x: np.max(x) * 2, np.array([1.0, 2.0]))
    assert not report
    assert verdicts(report) == {"x": "proved"}
    assert [link.holds for link in report.consistency] == [False]


def test_a_wrong_second_derivative_is_found_where_the_first_is_right(monkeypatch):
    def twice(function, wrt):
        right = cr.hvp(function, wrt)
        return lambda *args: tuple(1.001 * part for part in right(*args))

    monkeypatch.setattr(proving, "hvp", twice)
    x = np.random.default_rng(0).standard_normal(4)
    assert cr.check(lambda x: np.sum(np.sin(x) * x), x)
    report = cr.check(lambda x: np.sum(np.sin(x) * x), x, order=2)
    assert not report
    assert [link.holds for link in report.consistency] == [True, True, False]


def test_a_trace_that_is_not_the_function_is_noticed():
    def f(x):
        return np.sum(x) if type(x) is np.ndarray else 2 * np.sum(x)

    report = cr.check(f, np.ones(3))
    assert not report
    assert not report.trace.holds
