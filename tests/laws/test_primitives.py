"""The laws that every primitive obeys, over the registry: a new primitive is tested by being there.

The graphs are made by the tracer and derived by `derive_vjp` and `derive_jvp`, never simplified, and run by `evaluate`.
The judges know no rule: complex step where the primitive declares it, else differences with extrapolation.
"""

import itertools
import pickle
import warnings

import numpy as np
import pytest

from chainrule.checking.differences import central_difference
from chainrule.derivation.batch import BatchRuleError, batch_graph
from chainrule.derivation.forward import derive_jvp
from chainrule.derivation.reverse import derive_vjp
from chainrule.evaluate import evaluate
from chainrule.graphs import Variable, validate
from chainrule.primitive import REGISTRY
from chainrule.primitives.control import SHIFT, STOP_GRADIENT
from chainrule.run import compile_graph
from chainrule.simplify.passes import simplify_graph
from chainrule.tracer import new_trace

STEP = 1e-30
DIRECTIONS = 3
BY_DESIGN = (STOP_GRADIENT, SHIFT)  # their derivative is zero whatever differences say


class Sample:
    """One primitive with operands: array operands become the inputs of a graph, Python scalars literals in it."""

    def __init__(self, primitive, operands, params):
        self.primitive, self.operands, self.params = primitive, operands, params
        self.arrays = [o for o in operands if isinstance(o, (np.ndarray, np.generic))]
        self.floats = [i for i, o in enumerate(self.arrays) if o.dtype.kind == "f"]

    def graph(self, concrete=False):
        trace = new_trace(concrete=concrete)
        traced = []
        for operand in self.operands:
            if isinstance(operand, (np.ndarray, np.generic)):
                variable = Variable(operand.shape, operand.dtype)
                operand = trace.input(operand) if concrete else trace.input(variable=variable)
            traced.append(operand)
        output = trace.record(self.primitive, tuple(traced), self.params)
        trace.graph.outputs = [trace.operand(output)]
        return validate(trace.graph)

    def in_dtype(self, dtype):
        """The same sample with its floats in another dtype."""

        def convert(o):
            return o.astype(dtype) if isinstance(o, (np.ndarray, np.generic)) and o.dtype.kind == "f" else o

        return Sample(self.primitive, tuple(map(convert, self.operands)), self.params)

    def forward(self, arrays, function=None):
        """The primitive's own forward (or its analytic extension) on these arrays."""
        rest = iter(arrays)
        operands = [next(rest) if isinstance(o, (np.ndarray, np.generic)) else o for o in self.operands]
        return (function or self.primitive.forward)(*operands, *self.params)

    def moved(self, step, directions):
        """The arrays, the floating ones moved along their directions."""
        arrays = list(self.arrays)
        for place, direction in zip(self.floats, directions, strict=True):
            arrays[place] = arrays[place] + step * direction
        return arrays

    def complex_derivative(self, directions, function=None):
        """The derivative along the directions by complex step, and the real part; None where NumPy refuses."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                y = np.asarray(self.forward(self.moved(1j * STEP, directions), function))
            except TypeError:
                return None
        return np.imag(y) / STEP, np.real(y)

    def difference(self, directions):
        """The derivative along the directions by extrapolated differences."""
        return difference_of(lambda t: self.forward(self.moved(t, directions)))


def difference_of(line):
    """The derivative of an array-valued function of one number, at 0."""
    y = np.asarray(line(0.0))
    result = np.empty(y.shape)
    for index in np.ndindex(y.shape):
        result[index] = central_difference(lambda t, index=index: np.asarray(line(t))[index], 2.0**-7)[0]
    return result


def samples_of(primitive):
    rng = np.random.default_rng(sum(map(ord, primitive.name)))
    return [Sample(primitive, *sample) for sample in primitive.samples(rng)]


EVERY = [pytest.param(p, id=p.name) for p in REGISTRY.values()]
SAMPLES = [
    pytest.param(sample, id=f"{p.name}-{number}")
    for p in REGISTRY.values()
    if p.samples is not None
    for number, sample in enumerate(samples_of(p))
]
SMOOTH = [s for s in SAMPLES if s.values[0].floats and s.values[0].primitive not in BY_DESIGN]
every_primitive = pytest.mark.parametrize("primitive", EVERY)
every_sample = pytest.mark.parametrize("sample", SAMPLES)
every_smooth_sample = pytest.mark.parametrize("sample", SMOOTH)


def output_of(sample):
    return np.asarray(sample.forward(sample.arrays))


def random_like(rng, arrays):
    return [np.asarray(rng.standard_normal(np.shape(a))).astype(a.dtype)[()] for a in arrays]


def inner(left, right):
    return float(np.sum(np.asarray(left, dtype=np.float64) * np.asarray(right, dtype=np.float64)))


def pull(sample, y_bar):
    """The cotangents of the floating operands, by the derived backward pass."""
    graph = sample.graph()
    derived = derive_vjp(graph, [graph.inputs[i] for i in sample.floats])
    derived.graph.outputs = derived.cotangents
    return evaluate(validate(derived.graph), [*sample.arrays, y_bar])


def push(sample, x_dots):
    """The output's tangent, by the derived forward pass."""
    graph = sample.graph()
    derived = derive_jvp(graph, [graph.inputs[i] for i in sample.floats])
    derived.graph.outputs = derived.tangents
    return evaluate(validate(derived.graph), [*sample.arrays, *x_dots])[0]


def judged(sample, directions):
    """The derivative by the sharpest judge that the primitive allows."""
    if sample.primitive.complex_step == "yes":
        return sample.complex_derivative(directions)[0], 1e-12
    if sample.primitive.complex_step == "rule":
        return sample.complex_derivative(directions, sample.primitive.analytic)[0], 1e-12
    return sample.difference(directions), 1e-8


def close(got, want, rtol):
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * scale)


# -- what each primitive declares --------------------------------------------------------------------------------------


@every_primitive
def test_a_primitive_says_everything_of_itself(primitive):
    assert primitive.latex
    assert primitive.samples is not None
    assert samples_of(primitive)
    assert primitive.complex_step in ("yes", "rule", "no")
    assert (primitive.analytic is not None) == (primitive.complex_step == "rule")
    assert primitive.kind in ("elementwise", "linear", "general")
    primitive.latex.format(*"abcdefgh")


@every_primitive
def test_a_primitive_survives_pickling_as_itself(primitive):
    assert pickle.loads(pickle.dumps(primitive)) is primitive


# -- the forward value -------------------------------------------------------------------------------------------------


@every_sample
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_forward_has_the_shape_and_dtype_of_the_rules(sample, dtype):
    sample = sample.in_dtype(dtype)
    y = output_of(sample)
    for concrete in (False, True):
        graph = sample.graph(concrete)
        variable = graph.variables[graph.outputs[0]]
        assert variable.shape == y.shape
        assert variable.dtype == y.dtype
        (value,) = evaluate(graph, sample.arrays)
        np.testing.assert_array_equal(value, y)


# -- the derivative ----------------------------------------------------------------------------------------------------


@every_smooth_sample
def test_vjp_is_jvp_transposed(sample):
    rng = np.random.default_rng(1)
    y = output_of(sample)
    if y.dtype.kind != "f":
        return
    for _ in range(DIRECTIONS):
        x_dots = random_like(rng, [sample.arrays[i] for i in sample.floats])
        (y_bar,) = random_like(rng, [y])
        y_dot, x_bars = push(sample, x_dots), pull(sample, y_bar)
        assert [np.shape(b) for b in x_bars] == [np.shape(d) for d in x_dots]
        assert np.shape(y_dot) == y.shape
        assert inner(y_bar, y_dot) == pytest.approx(sum(map(inner, x_bars, x_dots)), rel=1e-12, abs=1e-12)


@every_smooth_sample
def test_jvp_and_vjp_are_the_derivative(sample):
    rng = np.random.default_rng(2)
    y = output_of(sample)
    for _ in range(DIRECTIONS):
        x_dots = random_like(rng, [sample.arrays[i] for i in sample.floats])
        want, rtol = judged(sample, x_dots)
        if y.dtype.kind != "f":
            assert not np.any(want), "an output that is not floating must not move"
            continue
        close(push(sample, x_dots), want, rtol)
        (y_bar,) = random_like(rng, [y])
        close(sum(map(inner, pull(sample, y_bar), x_dots)), inner(y_bar, want), rtol)


@every_smooth_sample
def test_the_second_derivative(sample):
    """The vjp of the vjp against differences of the vjp."""
    rng = np.random.default_rng(3)
    y = output_of(sample)
    if y.dtype.kind != "f":
        return
    graph = sample.graph()
    derived = derive_vjp(graph, [graph.inputs[i] for i in sample.floats])
    derived.graph.outputs = derived.cotangents
    inputs = [*sample.arrays, *random_like(rng, [y])]
    moving = [*sample.floats, len(inputs) - 1]
    again = derive_vjp(derived.graph, [derived.graph.inputs[i] for i in moving])
    again.graph.outputs = again.cotangents
    validate(again.graph)
    for _ in range(DIRECTIONS):
        directions = random_like(rng, [inputs[i] for i in moving])
        seeds = random_like(rng, evaluate(derived.graph, inputs))

        def line(t, directions=directions, seeds=seeds):
            moved = list(inputs)
            for place, direction in zip(moving, directions, strict=True):
                moved[place] = moved[place] + t * direction
            return sum(map(inner, seeds, evaluate(derived.graph, moved)))

        got = sum(map(inner, evaluate(again.graph, [*inputs, *seeds]), directions))
        want = central_difference(line, 2.0**-7)[0]
        assert got == pytest.approx(want, rel=1e-7, abs=1e-8)


@every_smooth_sample
def test_float32_derivatives_are_float32(sample):
    rng = np.random.default_rng(4)
    y = output_of(sample)
    if y.dtype.kind != "f":
        return
    small = sample.in_dtype(np.float32)
    (y_bar,) = random_like(rng, [y])
    x_dots = random_like(rng, [sample.arrays[i] for i in sample.floats])
    own = output_of(small).dtype
    for got, want in zip(pull(small, y_bar.astype(own)), pull(sample, y_bar), strict=True):
        assert got.dtype == np.float32
        close(got, want, 2e-5)
    y_dot = push(small, [d.astype(np.float32) for d in x_dots])
    assert y_dot.dtype == own
    close(y_dot, push(sample, x_dots), 2e-5)


# -- complex step ------------------------------------------------------------------------------------------------------


@every_primitive
def test_the_complex_step_flag_is_honest(primitive):
    """`yes` is right on every sample; `no` and `rule` are wrong, or refused by NumPy, on one of them."""
    rng = np.random.default_rng(5)
    right, extended = [], []
    for sample in samples_of(primitive):
        directions = random_like(rng, [sample.arrays[i] for i in sample.floats])
        y = output_of(sample)
        want = push(sample, directions) if sample.floats and y.dtype.kind == "f" else np.zeros(y.shape)
        for function, answers in ((None, right), (primitive.analytic, extended)):
            found = sample.complex_derivative(directions, function)
            answers.append(
                found is not None and np.allclose(found[0], want, rtol=1e-9) and np.allclose(found[1], y, rtol=1e-13)
            )
    assert all(right) == (primitive.complex_step == "yes")
    if primitive.complex_step == "rule":
        assert all(extended)


# -- stacks ------------------------------------------------------------------------------------------------------------


@every_smooth_sample
def test_a_stack_of_inputs_gives_the_stack_of_outputs(sample):
    """`batch_graph` is a loop over its leading axis, or says that it cannot be."""
    rng = np.random.default_rng(6)
    graph = sample.graph()
    count = 3
    subsets = [c for n in range(1, len(sample.floats) + 1) for c in itertools.combinations(sample.floats, n)]
    refused = 0
    for subset in subsets:
        stacks = list(sample.arrays)
        for place in subset:
            x = sample.arrays[place]
            stacks[place] = np.stack([x, *(x + 0.01 * rng.standard_normal(np.shape(x)) for _ in range(count - 1))])
        try:
            batched = batch_graph(graph, [graph.inputs[i] for i in subset], count)
        except BatchRuleError:
            refused += 1
            continue
        (got,) = evaluate(validate(batched), stacks)
        for row in range(count):
            arrays = [x[row] if place in subset else x for place, x in enumerate(stacks)]
            close(got[row], sample.forward(arrays), 1e-13)
    if refused == len(subsets):
        pytest.skip("no rule for stacks: the caller loops")


# -- programs ----------------------------------------------------------------------------------------------------------


@every_sample
def test_what_is_written_is_what_is_evaluated(sample):
    """Forward, vjp and jvp: simplified or not, the emitted program gives what `evaluate` gives."""
    rng = np.random.default_rng(7)
    y = output_of(sample)
    graph = sample.graph()
    programs = [(graph, sample.arrays)]
    if sample.floats and y.dtype.kind == "f":
        wrt = [graph.inputs[i] for i in sample.floats]
        backward, forward = derive_vjp(graph, wrt), derive_jvp(graph, wrt)
        backward.graph.outputs, forward.graph.outputs = backward.cotangents, forward.tangents
        programs.append((backward.graph, [*sample.arrays, *random_like(rng, [y])]))
        programs.append((forward.graph, [*sample.arrays, *random_like(rng, [sample.arrays[i] for i in sample.floats])]))
    for program, arguments in programs:
        want = evaluate(program, arguments)
        for other in (program, validate(simplify_graph(program))):
            for got, wanted in zip(compile_graph(other)(list(arguments)), want, strict=True):
                assert np.shape(got) == np.shape(wanted)
                assert np.asarray(got).dtype == np.asarray(wanted).dtype
                np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
