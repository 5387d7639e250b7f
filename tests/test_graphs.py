"""Graphs: flat data with a text form, laws that `validate` checks, and no limit on their length."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule.derivation.forward import derive_jvp
from chainrule.derivation.reverse import derive_vjp
from chainrule.errors import GraphError
from chainrule.evaluate import evaluate
from chainrule.graphs import Equation, Graph, Literal, shapes_agree, validate
from chainrule.primitive import REGISTRY
from chainrule.tracer import new_trace
from recording import record

X, W = np.ones((2, 3)), np.ones((3, 4))


def layer(X, W, b):
    Z = X @ W + b
    A = np.maximum(0, Z)
    return np.mean(A)


def graph_of_layer():
    return record(layer, X, W, np.zeros(4))


def test_the_text_form():
    graph, _ = graph_of_layer()
    line = layer.__code__.co_firstlineno
    lines = str(graph).splitlines()
    assert lines[0] == "X:float64[2, 3], W:float64[3, 4], b:float64[4]"
    assert lines[1].split("#")[0].split() == ["%3", "=", "matmul", "X", "W"]
    assert lines[1].endswith(f"# float64[2, 4]  line {line + 1} of layer()")
    assert lines[2].split("#")[0].split() == ["%4", "=", "broadcast_to", "b", "shape=(2,4)"]
    assert lines[3].split("#")[0].split() == ["Z", "=", "add", "%3", "%4"]
    assert lines[4].split("#")[0].split() == ["A", "=", "maximum", "0", "Z", "tie=0"]
    assert lines[5].split("#")[0].split()[2:] == ["mean", "A", "axis=(0,1)", "keepdims=False"]
    assert lines[-1] == "-> %7"


def test_derived_equations_say_their_rule():
    graph, _ = graph_of_layer()
    derived = derive_vjp(graph, graph.inputs, seed_one=True)
    derived.graph.outputs = derived.cotangents
    text = str(derived.graph)
    for rule in ("seed", "vjp of mean", "vjp of maximum A", "vjp of add Z", "vjp of broadcast_to", "vjp of matmul"):
        assert rule in text
    assert {"dZ", "dX", "dW", "db"} <= {v.name for v in derived.graph.variables}
    assert all(e.step is not None for e in derived.graph.equations[len(graph.equations) :])
    assert all(e.step is None for e in derived.graph.equations[: len(graph.equations)])


def test_weak_variables_and_constants_are_shown():
    constant = np.arange(3.0)
    graph, _ = record(lambda r: r * 2 * constant, 0.5)
    lines = str(graph).splitlines()
    assert lines[0] == "r:float64[]~"
    assert lines[1].startswith("constant %")
    assert lines[1].endswith(":float64[3]")


# -- laws --------------------------------------------------------------------------------------------------------------


def broken(change):
    graph = graph_of_layer()[0].copy()
    graph.equations = [copy.copy(e) for e in graph.equations]
    change(graph)
    return graph


def wrong_shape(graph):
    graph.variables[graph.equations[0].output].shape = (2, 5)


def wrong_dtype(graph):
    graph.variables[graph.equations[0].output].dtype = np.dtype(np.float32)


def out_of_order(graph):
    graph.equations.reverse()


def twice(graph):
    graph.equations.append(graph.equations[-1])


def no_such_output(graph):
    graph.outputs = [graph.new_variable((), np.dtype(float))]


def an_input_twice(graph):
    graph.inputs.append(graph.inputs[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_shape, r"its shape is \(2, 5\), but its operands give \(2, 4\)"),
        (wrong_dtype, "its dtype is float32, but its operands give float64"),
        (out_of_order, "is used before it is made"),
        (twice, "its output exists already"),
        (no_such_output, "is never made"),
        (an_input_twice, "an input appears twice"),
    ],
)
def test_validate_names_the_law_that_is_broken(change, message):
    with pytest.raises(GraphError, match=message) as error:
        validate(broken(change))
    if change is not an_input_twice:
        assert "X:float64[2, 3]" in str(error.value)  # the whole graph, to paste into an issue


def test_literals_are_equal_by_type_and_bits():
    assert Literal(1.0) == Literal(1.0)
    assert Literal(float("nan")) == Literal(float("nan"))
    different = [Literal(v) for v in (0.0, -0.0, 0, False, np.float64(0), np.float32(0), np.int64(0))]
    assert len(set(different)) == len(different)
    assert Literal(2).weak
    assert not Literal(np.float64(2)).weak
    assert Literal(np.float32(2)).dtype == np.float32


def test_a_copy_does_not_change_its_original():
    graph, _ = graph_of_layer()
    text = str(graph)
    other = graph.copy()
    other.variables[3].name = "changed"
    other.inputs.clear()
    other.equations.clear()
    other.outputs.clear()
    other.constants[0] = None
    assert str(graph) == text


def test_uses_producers_and_reachable():
    def f(x):
        dead = np.sin(x)
        y = x * x
        return y + 1, y, dead

    graph, _ = record(f, X)
    graph.outputs = graph.outputs[:2]
    assert graph.uses()[graph.inputs[0]] == 3
    assert [e.primitive.name for e in graph.reachable(graph.outputs)] == ["multiply", "add"]
    assert graph.producers()[graph.outputs[1]].primitive.name == "multiply"


def test_shapes_agree():
    assert shapes_agree((2, 3), (2, 3))
    assert not shapes_agree((2, 3), (2,))
    assert not shapes_agree((2, 3), (2, 4))


# -- evaluate ----------------------------------------------------------------------------------------------------------


def test_evaluate_runs_at_other_arguments():
    graph, _ = graph_of_layer()
    rng = np.random.default_rng(0)
    args = [rng.standard_normal(s) for s in ((2, 3), (3, 4), (4,))]
    assert evaluate(graph, args)[0] == layer(*args)
    everything = evaluate(graph, args, everything=True)
    assert np.array_equal(everything[graph.equations[0].output], args[0] @ args[1])


def test_evaluate_wants_every_argument():
    graph, _ = graph_of_layer()
    with pytest.raises(ValueError, match="argument"):
        evaluate(graph, [X, W])


def test_outputs_may_be_literals_and_inputs():
    graph = Graph()
    number = graph.new_variable((2,), np.dtype(float))
    graph.inputs = [number]
    graph.outputs = [number, Literal(3.0)]
    values = evaluate(validate(graph), [np.ones(2)])
    assert values[1] == 3.0
    assert values[0].tolist() == [1, 1]


# -- long graphs -------------------------------------------------------------------------------------------------------

LENGTH = 100_000


def chain(length):
    """x -> sin(x) * 1.0001 -> ... as a graph of `length` equations."""
    trace = new_trace(concrete=True)
    x = y = trace.input(np.full(2, 0.5))
    for _ in range(length // 2):
        y = np.sin(y) * 1.0001
    trace.graph.outputs = [trace.operand(y)]
    trace.close()
    return trace.graph, x.number


def test_a_hundred_thousand_equations_derive_and_run_without_recursion():
    graph, x = chain(LENGTH)
    assert len(graph.equations) == LENGTH
    validate(graph)
    backward = derive_vjp(graph, [x])
    backward.graph.outputs = backward.cotangents
    everything = evaluate(backward.graph, [np.full(2, 0.5), np.ones(2)], everything=True)
    slopes = [np.cos(everything[e.inputs[0]][0]) * 1.0001 for e in graph.equations[::2]]
    np.testing.assert_allclose(everything[backward.cotangents[0]], np.prod(slopes), rtol=1e-9)


def test_a_long_graph_runs_forward_and_can_be_copied_and_sent():
    graph, x = chain(10_000)
    forward = derive_jvp(graph, [x])
    forward.graph.outputs = forward.tangents
    backward = derive_vjp(graph, [x])
    backward.graph.outputs = backward.cotangents
    arguments = [np.full(2, 0.5), np.ones(2)]
    np.testing.assert_allclose(evaluate(forward.graph, arguments), evaluate(backward.graph, arguments), rtol=1e-9)
    assert pickle.loads(pickle.dumps(graph)).equations[-1].primitive is REGISTRY["multiply"]
    assert len(copy.deepcopy(graph).equations) == 10_000


def test_a_long_loop_through_the_public_gradient():
    def f(x):
        for _ in range(1000):
            x = x + 0.001 * np.sin(x)
        return np.sum(x)

    g = cr.grad(f)(np.array([0.5, 1.0]))
    h = 1e-6
    want = (f(np.array([0.5 + h])) - f(np.array([0.5 - h]))) / (2 * h)
    assert g[0] == pytest.approx(want, rel=1e-6)


def test_memory_of_a_trace_is_a_few_hundred_bytes_an_equation():
    tracemalloc.start()
    graph, _ = chain(20_000)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(graph.equations) == 20_000
    assert size / 20_000 < 700  # bytes


def test_memory_does_not_grow_with_repeated_gradients():
    f = lambda x: np.sum(np.tanh(x * 2.0) ** 2)
    x = np.ones(1000)
    for _ in range(20):
        cr.grad(f)(x)
    tracemalloc.start()
    cr.grad(f)(x)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(200):
        cr.grad(f)(x)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000  # bytes: less than three of its arrays


def test_graphs_hold_no_cycles():
    import gc
    import weakref

    graph, _ = graph_of_layer()
    ghost = weakref.ref(graph)
    gc.disable()
    try:
        del graph
        assert ghost() is None
    finally:
        gc.enable()


def test_an_equation_is_data():
    equation = Equation(REGISTRY["add"], (0, 1), (), 2)
    assert equation == Equation(REGISTRY["add"], (0, 1), (), 2)
    assert not hasattr(equation, "__dict__")
