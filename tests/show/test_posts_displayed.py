"""What five posts derive, beside what is displayed: each of their backward equations has the value of the line shown for it."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.diagnosis.formulas import parse_formula
from chainrule.show.document import SideBySide
from chainrule.show.levels.layouts import samples_are_columns, shape_turned
from displayed_support import LEVELS, difference, false_rows, faults, faults_elsewhere, meaning, rows_of

POSTS = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "posts" / "derivations.py"))
SYSTEMS = POSTS["SYSTEMS"]
NO_LINE = {"S3, the graph": {"do"}}  # do = 1 is where every derivation begins; it has no line where the loss is named
by_system = pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: f"{s.post}, {s.title}, {s.layout}")


@by_system
def test_everything_displayed_of_a_post_is_true(system):
    d = cr.derive(system.loss, **system.arguments)
    assert faults(d, system.loss, system.arguments, levels=LEVELS) == []


@by_system
def test_each_equation_of_a_post_has_its_line(system):
    d = cr.derive(system.loss, **system.arguments)
    values = {"do": 1.0, **d.values, **d.sizes}
    missing = set()
    for equation in system.equations:
        if equation.quantity not in d.by_name:
            missing.add(equation.quantity)
            continue
        found = parse_formula(equation.formula).evaluate(values)
        assert difference(found, d.values[equation.quantity]) == "", equation
    assert missing == NO_LINE.get(f"{system.post}, {system.title}", set())


@by_system
def test_lines_of_a_post_are_true_of_other_samples(system):
    if system.layout == "numbers":
        arguments = {name: 0.7 * value for name, value in system.arguments.items()}
        d = cr.derive(system.loss, **system.arguments)
        assert faults_elsewhere(d, system.loss, arguments) == []
        return
    d = cr.derive(system.loss, **system.arguments)
    arguments = {name: two_samples(d, name, value) for name, value in system.arguments.items()}
    assert faults_elsewhere(d, system.loss, arguments) == []


def two_samples(d, name, value):
    """An argument with the first two samples, other numbers where it is no label; a list's arrays are called W1, W2, ..."""
    if isinstance(value, (list, tuple)):
        return type(value)(two_samples(d, f"{name}{i}", v) for i, v in enumerate(value, 1))
    sizes = [part.strip() for part in d.facts[name].shape.strip("()").split(",") if part.strip()]
    taken = value[tuple(slice(None) if size.isdigit() else slice(0, 2) for size in sizes)]
    return taken if name in ("y", "Y") else 0.8 * taken


@by_system
def test_both_layouts_of_a_post_are_true(system):
    d = cr.derive(system.loss, **system.arguments)
    (both,) = [b for b in d.document("summary", layout="both").blocks if isinstance(b, SideBySide)]
    columns = samples_are_columns(d)
    assert columns == (system.layout == "columns")
    assert both.left_title == f"samples are {'columns' if columns else 'rows'}"
    turned = {name: value_turned(d, name, columns) for name in d.facts if name in d.values}
    own, other = list(rows_of(both.left)), list(rows_of(both.right))
    for row in own:
        assert difference(meaning(row.right[-1], d.values, d.sizes), d.values[row.left.name]) == "", row
    for row in other:
        assert difference(meaning(row.right[-1], turned, d.sizes), turned[row.left.name]) == "", row
        assert row.shape == shape_turned(d, row.left.name, columns)
    assert len(other) >= len(own) - 3  # what has no sign of its own, as squeeze, has no other layout


def value_turned(d, name, columns):
    """The value in the other layout: transposed, a vector as a column or a column as a vector."""
    value = np.asarray(d.values[name]).T
    ndim = len([part for part in shape_turned(d, name, columns).strip("()").split(",") if part.strip()])
    if ndim == value.ndim:
        return value
    return value.reshape(-1, 1) if ndim == 2 else value.reshape(-1)


def test_the_whole_of_a_gradient_collapses_to_the_post_s_product():
    system = next(s for s in SYSTEMS if s.post == "S5" and s.title.startswith("squared") and s.layout == "rows")
    d = cr.derive(system.loss, **system.arguments)
    assert false_rows(d, "collapsed") == []
    (row,) = rows_of(d.document("collapsed", of="dw1").blocks)
    whole = next(e for e in system.equations if e.remark == "all factors at once")
    values = {**d.values, **d.sizes}
    assert difference(meaning(row.right[-1], d.values, d.sizes), parse_formula(whole.formula).evaluate(values)) == ""
