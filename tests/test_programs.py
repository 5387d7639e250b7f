"""Random programs: traced, derived and evaluated, unsimplified, against differences of the program itself."""

import numpy as np
import pytest
from hypothesis import given, settings

import chainrule as cr
from chainrule.checking.differences import numerical_gradient
from chainrule.derivation.batch import BatchRuleError, batch_graph
from chainrule.derivation.forward import derive_jvp
from chainrule.derivation.reverse import derive_vjp
from chainrule.evaluate import evaluate
from chainrule.graphs import validate
from programs import programs
from recording import record

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in log")  # in a branch that is not taken


def unsimplified_gradient(function, arguments):
    graph, _ = record(function, *arguments)
    derived = derive_vjp(graph, graph.inputs, seed_one=True)
    derived.graph.outputs = derived.cotangents
    return evaluate(validate(derived.graph), arguments)


def agree(got, want, rtol=1e-6):
    scale = max(1.0, *(float(np.max(np.abs(w), initial=0.0)) for w in want))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * scale)


@settings(max_examples=150)
@given(programs())
def test_value_and_gradient(program):
    function, arguments = program
    graph, values = record(function, *arguments)
    want = function(*arguments)
    assert np.array_equal(values[graph.outputs[0]], want)
    assert np.array_equal(evaluate(graph, arguments)[0], want)
    got = unsimplified_gradient(function, arguments)
    assert [np.shape(g) for g in got] == [np.shape(a) for a in arguments]
    agree(got, numerical_gradient(function, arguments))


@settings(max_examples=60)
@given(programs())
def test_forward_mode_is_reverse_mode(program):
    function, arguments = program
    graph, _ = record(function, *arguments)
    derived = derive_jvp(graph, graph.inputs)
    derived.graph.outputs = derived.tangents
    directions = [np.random.default_rng(n).standard_normal(np.shape(a)) for n, a in enumerate(arguments)]
    (tangent,) = evaluate(validate(derived.graph), [*arguments, *directions])
    gradient = unsimplified_gradient(function, arguments)
    assert float(tangent) == pytest.approx(
        sum(np.sum(g * d) for g, d in zip(gradient, directions, strict=True)), rel=1e-9, abs=1e-9
    )


@settings(max_examples=60)
@given(programs(max_lines=5))
def test_the_second_derivative(program):
    """Reverse over reverse, unsimplified, against differences of the gradient."""
    function, arguments = program
    graph, _ = record(function, *arguments)
    first = derive_vjp(graph, graph.inputs, seed_one=True)
    first.graph.outputs = first.cotangents
    second = derive_vjp(first.graph, graph.inputs)
    second.graph.outputs = second.cotangents
    weights = [np.random.default_rng(n).standard_normal(np.shape(a)) for n, a in enumerate(arguments)]

    def slope(*moved):
        return sum(np.sum(w * g) for w, g in zip(weights, evaluate(first.graph, moved), strict=True))

    agree(evaluate(validate(second.graph), [*arguments, *weights]), numerical_gradient(slope, arguments), 1e-5)


@settings(max_examples=60)
@given(programs(max_lines=6))
def test_a_stack_of_arguments_gives_a_stack_of_gradients(program):
    function, arguments = program
    graph, _ = record(function, *arguments)
    derived = derive_vjp(graph, graph.inputs, seed_one=True)
    derived.graph.outputs = derived.cotangents
    rows = [arguments[0] * factor for factor in (1.0, 0.999, 1.001)]
    try:
        batched = batch_graph(derived.graph, [graph.inputs[0]], 3)
    except BatchRuleError:
        return
    stacked = evaluate(validate(batched), [np.stack(rows), *arguments[1:]])
    for number, row in enumerate(rows):
        agree([g[number] for g in stacked], evaluate(derived.graph, [row, *arguments[1:]]), 1e-10)


@settings(max_examples=60)
@given(programs())
def test_the_public_gradient_is_the_unsimplified_one(program):
    function, arguments = program
    value, got = cr.value_and_grad(function, wrt=tuple(range(len(arguments))))(*arguments)
    assert np.array_equal(value, function(*arguments))
    agree(got, unsimplified_gradient(function, arguments), 1e-9)


@settings(max_examples=40)
@given(programs(dtype=np.float32))
def test_dtypes_are_numpys(program):
    function, arguments = program
    graph, _ = record(function, *arguments)
    assert graph.variables[graph.outputs[0]].dtype == function(*arguments).dtype
    for g, a in zip(unsimplified_gradient(function, arguments), arguments, strict=True):
        assert g.dtype == a.dtype
