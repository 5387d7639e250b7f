"""All methods side by side: what each needs and how wrong each is."""

import json
import math

import numpy as np

import chainrule as cr


def f(x):
    return np.sum(np.exp(np.sin(x)))


def test_errors_and_evaluations_are_those_of_the_textbook():
    x = np.linspace(-1, 1, 6)
    found = cr.check(f, x).methods()
    by_name = {method.name: method for method in found.rows}
    assert found.entries == 6
    assert 1e-10 < by_name["forward differences"].error < 1e-6
    assert 1e-13 < by_name["central differences"].error < 1e-8
    assert by_name["reverse mode"].error < 1e-14
    assert by_name["forward mode"].error < 1e-14
    assert by_name["the program of cr.jit and cr.source"].error < 1e-14
    needs = {name: method.needs for name, method in by_name.items()}
    assert needs["forward differences"] == "P + 1 = 7 evaluations"
    assert needs["central differences"] == "2P = 12 evaluations"
    assert needs["complex step"] == "P = 6 evaluations"
    assert (needs["reverse mode"], needs["forward mode"]) == ("1 sweep", "P = 6 sweeps")
    assert {method.kind for method in found.rows} == {"symbolic", "numerical", "complex step", "automatic"}
    assert all(method.seconds > 0 for method in found.rows)


def test_where_complex_step_cannot_be_used_it_says_so_and_differences_are_the_reference():
    found = cr.check(lambda x: np.sum(np.abs(x) ** 3), np.array([0.5, -2.0, 0.0])).methods()
    (row,) = [method for method in found.rows if method.name == "complex step"]
    assert math.isnan(row.error)
    assert found.reference == "extrapolated differences"
    json.dumps(found.to_dict(), allow_nan=False)


def test_many_entries_are_sampled_and_seconds_scaled():
    found = cr.check(f, np.random.default_rng(0).standard_normal(2000)).methods()
    assert (found.entries, found.sampled) == (2000, 300)
    assert "at 300 entries drawn at random" in str(found)


def test_what_cannot_be_staged_is_symbolic_as_grad_runs_it():
    found = cr.check(lambda x: x**2 if x > 0 else x, 2.0).methods()
    assert found.rows[0].name == "the program of cr.grad"
    assert found.rows[0].error < 1e-10  # of the reference: Python's branch rules complex numbers out
