"""The law of index forms, over the registry: entry by entry, a primitive's formula gives its forward."""

import numpy as np
import pytest

from chainrule.derivation.contracting import simplify
from chainrule.derivation.entries import InexpressibleError, entry_formula
from chainrule.derivation.index_algebra import indices_in
from chainrule.derivation.index_values import evaluate_entries
from chainrule.derivation.tidying import tidied
from chainrule.graphs import Variable
from chainrule.primitive import REGISTRY
from chainrule.tracer import new_trace

TOLD = """
    add subtract multiply divide negative positive power abs sign square maximum minimum clip exp expm1 log log1p sqrt sin cos
    tanh sigmoid softplus erf erfc greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not
    where sum mean max min matmul transpose reshape expand_dims squeeze broadcast_to convert concatenate stack index
    stop_gradient shift hold one_hot full arange eye size
"""


def samples():
    for name, primitive in REGISTRY.items():
        if primitive.index_form is None:
            continue
        for place, (operands, params) in enumerate(primitive.samples(np.random.default_rng(7))):
            yield pytest.param(primitive, operands, params, id=f"{name}-{place}")


def formula(primitive, operands, params):
    """The formula of the primitive's output, and its arrays by name."""
    trace = new_trace(concrete=False)
    traced, arrays = [], {}
    for place, operand in enumerate(operands):
        if isinstance(operand, (np.ndarray, np.generic)):
            arrays[f"x{place}"] = operand
            operand = trace.input(variable=Variable(operand.shape, operand.dtype, name=f"x{place}"))
        traced.append(operand)
    output = trace.operand(trace.record(primitive, tuple(traced), params))
    names = {number: trace.graph.variables[number].name for number in trace.graph.inputs}
    return entry_formula(trace.graph, output, frozenset(names), names=names), arrays


@pytest.mark.parametrize(("primitive", "operands", "params"), list(samples()))
def test_the_entries_of_the_formula_are_those_of_the_forward(primitive, operands, params):
    try:
        found, arrays = formula(primitive, operands, params)
    except InexpressibleError:
        assert primitive.name in {"convert", "reshape"}  # to whole numbers; (3, 4) to (2, 6) has no common axis
        return
    expected = np.asarray(primitive.forward(*operands, *params), dtype=float)
    out = [index for position in found.left.at for index in indices_in(position)]
    for form in (found.right, simplify(found.right), tidied(simplify(found.right))):
        values = evaluate_entries(form, out, {}, arrays)
        np.testing.assert_allclose(values.reshape(expected.shape), expected, rtol=1e-12, atol=1e-14)


def test_what_networks_are_made_of_states_its_entries():
    assert [name for name in TOLD.split() if REGISTRY[name].index_form is None] == []
