"""Functions as loops: the emitted text, run as plain Python that checks what machine code does not, against `evaluate`.

Only the tests at the end compile.
"""

import numpy as np
import pytest
from hypothesis import given, settings

import chainrule as cr
from chainrule.derivation.reverse import derive_vjp
from chainrule.emit.numba_function import emit_function
from chainrule.errors import ChainruleError, UnsupportedError
from chainrule.primitive import REGISTRY
from chainrule.primitives import (
    arithmetic,
    comparison,
    control,
    exponential,
    indexing,
    linear_algebra,
    reduction,
    shaping,
    special,
)
from chainrule.simplify.passes import simplify_graph
from emit.test_source import CASES
from emit_support import agree, check, check_graph, emitted, reference, staged
from golden.test_golden_numbers import CASES as GOLDEN
from golden.test_golden_numbers import NETWORKS, PAIRS, Network
from laws.test_primitives import SAMPLES, Sample
from programs import define, programs

FAMILIES = (arithmetic, comparison, control, exponential, indexing, linear_algebra, reduction, shaping, special)
COMPILED = {primitive for family in FAMILIES for primitive in family.FAMILY}  # the others have no machine code yet

rng = np.random.default_rng(0)
INPUTS = {
    "X": rng.standard_normal((4, 3)), "Y": rng.standard_normal((4, 3)), "Q": rng.standard_normal((3, 3)),
    "T": rng.standard_normal((2, 3, 4)), "v": rng.standard_normal(3), "u": rng.standard_normal(4),
    "C": rng.standard_normal((3, 1)), "s": np.float64(0.7), "A": rng.standard_normal((3, 11)),
    "I": np.array([0, -1, 0, 2]), "J": np.array([1, 1, -3, 2]), "y": np.array([2, 0, 1, 2]),
    "Z": np.array([[np.nan, 1, -np.inf], [np.inf, -0.0, 0], [2, -3, np.nan]]),
}  # fmt: skip
AXES = (0, 1, 2, (0, 1), (0, 2), (1, 2), (0, 1, 2))
STRUCTURES = [  # of values; the gradients of all of them are checked, too
    *(f"np.{f}(T * T, axis={a}, keepdims={k})" for f in ("sum", "max", "mean") for a in AXES for k in (False, True)),
    *(f"np.sum((T - np.mean(T, axis={a}, keepdims=True)) ** 2, axis=0) / np.max(T)" for a in AXES),
    *(f"cr.nn.softmax(T, axis={a}) * cr.nn.logsumexp(T, axis={a}).sum()" for a in (0, 1, 2)),
    "np.sum(np.max(T, axis=2) * np.sum(T, axis=2), axis=0)", "np.max(np.sum(T, axis=1), axis=0) - np.min(T)",
    "np.sum(np.sum(X, axis=0, keepdims=True) * X, axis=1) / np.sum(X, axis=1)", "np.mean((X - np.mean(X)) ** 2)",
    "np.sum(T.transpose(2, 0, 1), axis=0) + np.max(T.transpose(1, 2, 0), axis=(0, 2))[:, None].T[0, 0]",
    "(X * 2, (X * 2).T, np.sum(X * 2))", "(Q + Q.T) @ Q", "X @ X.T", "X.T @ X + np.eye(3)", "X.T @ Y @ X.T", "Q.T @ Q.T",
    "np.tanh(X).T @ np.tanh(X)", "(np.tanh(Q), np.tanh(Q).T, np.tanh(Q) @ np.tanh(Q).T)", "np.tanh(Q.T) @ Q",
    "cr.nn.softmax(Q, axis=0).T * cr.nn.softmax(Q, axis=1).T", "np.sum(np.tanh(Q).T, axis=0) + np.sum(np.tanh(Q), axis=1)",
    "(X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) / X.shape[0]", "np.exp(-np.sum((X[:, None] - X[None]) ** 2, axis=-1))",
    "u @ X @ v * (v @ v)", "(u @ X, X @ v, X.T @ (X @ C), C.T @ X.T, C.T @ C, C @ C.T)", "C * 2 + C.T", "C[0] * C.T @ C",
    "u[:, None] * v", "X + np.broadcast_to(v, (4, 3)).reshape(4, 3) * np.sum(X, axis=1, keepdims=True)", "(X, v, X)", "s",
    "(X.T, X)", "np.sin(np.cos(X.reshape(-1)).reshape(6, 2)).reshape(2, 2, 3)", "np.tanh(X).T.reshape(2, 6) * 2",
    "(np.tanh(X), np.tanh(X).reshape(-1) * 2)", "X.reshape(2, 6).T @ X.reshape(2, 6)", "(X * 2)[1:].reshape(-1)",
    "np.sum(X).reshape(1)", "(s * 2).reshape(1, 1)", "X.T.reshape(-1)", "np.sum(X)[None]", "s[..., None] * v",
    *(f"({x})[{i}] + 1" for x in ("X", "np.tanh(X)") for i in (
        "::2", "::-1", "::-2", "1:", ":-1", "-2:", "3:0:-1", ":, ::-1", "1:3, 1", "..., 0", "-1", "None, :, 1:", ":, None, -1", ":1"
    )),
    *(f"({x})[{i}] * 2" for x in ("X", "np.tanh(X)") for i in (
        "I", "I, J", ":, J", "1:, J", "::-2, J", "I.reshape(2, 2)", "None, I", "I[J]", "1:2, [0, -1, 0]",
    )),
    "T[[0, -1, 1], :, [0, -1, 1]]", "T[-1, :, [0, -1, 0]]", "T[:, [2, 2], -1]", "np.take(X, [2, -1], axis=1)", "C[:, [0, 0]]",
    "C[[0, -1, 0]] * C[::-1]", "cr.nn.log_softmax(X)[np.arange(4), y]", "cr.nn.softmax_cross_entropy(X, y)", "X[I].mean(axis=0)",
    "np.concatenate([np.tanh(X), Y * 2, X], axis=1) * 3", "np.concatenate([X.T, X.T[::-1], (X * 2).T], axis=1)",
    "np.concatenate([X[1:], X[:1], np.broadcast_to(v, (2, 3)), np.sum(X, axis=0, keepdims=True)])",
    "np.stack([np.tanh(X), Y * X], axis=1) ** 3", "np.stack([np.sum(X), np.max(X), s])", "np.stack([u, I])",
    "T @ X", "T @ X @ T", "np.tanh(T @ T.transpose(0, 2, 1))", "T.transpose(0, 2, 1) @ T", "X.T @ T.transpose(0, 2, 1)", "T @ u",
    "X[1:] @ A[:, ::2]", "X[:, None] @ A", "np.broadcast_to(v, (4, 3)) @ A", "cr.nn.softmax(X @ A) @ A.T", "np.ones((4, 3)) @ A",
    "np.where(X > 0, np.log(np.abs(X)), X)", "np.maximum(X, Y) * np.minimum(X, 0.2) + np.clip(X, -0.5, 0.5)", "2 ** X + X ** 3",
    "np.abs(X) ** Y + X ** -1 + X ** 0 + X ** 17 + np.abs(X) ** 2.5", "(X > 0) * X + (X > 0.5)", "np.sum(X > 0, axis=0) * X",
    "((X > 0) + (X < 1)) * X", "((X > 0) ^ (X < 1)) * X + np.mean((X > 0) + (X < 1))", "np.where(X > Y, X, 2 * Y) * s", "-X / 3",
    "(X > 0.1, X <= Y, np.isnan(X), ~(X > 0) & (Y < 1), np.logical_or(X, Y > 0))", "(I * 2, I / 2, I ** 2, -I, abs(I), np.sign(I))",
    "(np.maximum(I, 1), np.sum(I), np.max(I), np.mean(I), I > 0, I == u, np.isfinite(I), np.minimum(I, J))", "I[:, None] * X",
    "(X * 3).astype(np.int64) * 1.0 + (X > 0).astype(float)", "np.argmax(X, axis=1) * 1.0", "np.argmin(X) + np.argmax(X.T)",
    "X * np.arange(X.shape[0])[:, None] / X.shape[1]", "(np.zeros_like(X), np.ones_like(X) * X)", "np.sqrt(X ** 2) + np.log1p(X ** 2)",
    "cr.nn.gelu(X) + cr.nn.elu(X) + cr.nn.silu(X) + cr.nn.softplus(X) + np.expm1(X) + cr.nn.sigmoid(X)", "np.sin(X) * np.cos(X)",
    "cr.nn.softmax((X @ Q) @ (X @ Q).T / 3 ** 0.5) @ X", "np.sin(np.sin(np.sin(np.sin(np.sin(np.sin(np.sin(np.sin(np.sin(X + 1))))))))) @ Q",
    "(X @ Q).reshape(4, 3, 1).transpose(1, 0, 2) @ (X @ Q).reshape(4, 3, 1).transpose(1, 2, 0)",
    "np.tanh(np.tanh(X @ Q + v) @ Q + v) @ Q + np.tanh(X)", "(X - X.mean(axis=0)) / np.sqrt(((X - X.mean(axis=0)) ** 2).mean(axis=0) + 1e-5) * v",
    *(f"{f}(Z)" for f in ("np.exp", "np.log", "np.tanh", "cr.nn.sigmoid", "cr.nn.softplus", "np.abs", "np.sign", "cr.nn.relu")),
    "np.where(Z > 0, Z, -Z)", "np.maximum(Z, 0.5) + np.minimum(Z, Z.T)", "(np.max(Z, axis=0), np.min(Z, axis=1), np.argmax(Z, axis=1))",
    "(np.isnan(Z), np.isfinite(Z), np.isinf(Z), Z == Z, 1 / Z, Z ** 2, Z.sum(axis=0), cr.nn.softmax(Z))",
]  # fmt: skip
OUTSIDE = [  # results that must not be another one's memory, and names that the text needs itself
    ("np.tanh(X), np.tanh(X)", "X"), ("X.reshape(-1)", "X"), ("np.tanh(X), np.tanh(X).reshape(-1)", "X"),
    ("math.sqrt(1.0) * np.sqrt(larger ** 2) + np.maximum(larger, max)", "larger, max"), ("np.sqrt(math ** 2)", "math"),
    ("np.sum(float64, axis=0) * np.sum(gemm64) + range", "float64, gemm64, range"), ("np.tanh(i @ j) + k.T", "i, j, k"),
]  # fmt: skip
REFUSED = {  # all that is refused today: what is no longer refused leaves this list
    "np.argmax(X, axis=0)": "argmax along an axis before the last",
    "np.argmax(X > 0)": "argmax of booleans",
    "T[None] @ T[None].transpose(0, 1, 3, 2)": "a product of stacks of stacks",
    "I.reshape(2, 2) @ J.reshape(2, 2)": "a product of int64 matrices",
    "X.astype(np.float16)": "float16 is not compiled",
    "I.astype(np.int8)": "int8 is not compiled",
}


def arguments_of(text, dtype=np.float64):
    """The inputs that an expression names, floats in this dtype."""
    scope = compile(text, "", "eval").co_names
    found = {name: x for name, x in INPUTS.items() if name in scope}
    return {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in found.items()}


def function_of(text, names):
    return define([f"def program({', '.join(names)}):", f"    return {text}"])


def weighed(function):
    """A number made of all the floats that a function returns."""

    def total(*args):
        results = function(*args)
        results = results if isinstance(results, tuple) else (results,)
        return sum(np.sum(np.sin(r)) for r in results if r.dtype.kind == "f")

    return total


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", STRUCTURES)
def test_a_structure_gives_its_value(text, dtype):
    arguments = arguments_of(text, dtype)
    check(function_of(text, arguments), *arguments.values())


@pytest.mark.parametrize("text", [t for t in STRUCTURES if "Z" not in t])
def test_a_structure_gives_its_gradient(text):
    arguments = arguments_of(text)
    floats = tuple(place for place, x in enumerate(arguments.values()) if x.dtype.kind == "f")
    function = weighed(function_of(text, arguments))
    try:
        gradient = cr.value_and_grad(function, wrt=floats)
        gradient(*arguments.values())
    except ChainruleError:
        pytest.skip("nothing in it is a float, or moves")
    check(gradient, *arguments.values())


@pytest.mark.parametrize(("text", "names"), OUTSIDE)
def test_results_are_new_arrays_whatever_the_arguments_are_called(text, names):
    names = names.split(", ")
    function = function_of(text.replace("math.sqrt(1.0) * ", ""), names)
    check(function, *([INPUTS["Q"]] * len(names) if "X" not in names else [INPUTS["X"]]))


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_what_is_refused_says_what_it_is(text, why):
    arguments = arguments_of(text)
    with pytest.raises(UnsupportedError, match=why):
        check(function_of(text, arguments), *arguments.values())


@settings(max_examples=50)
@given(programs())
def test_a_program_with_its_gradient(program):
    function, arguments = program
    checked(cr.value_and_grad(function, wrt=tuple(range(len(arguments)))), arguments)


@settings(max_examples=25)
@given(programs(dtype=np.float32))
def test_a_program_in_float32(program):
    function, arguments = program
    checked(cr.value_and_grad(function, wrt=tuple(range(len(arguments)))), arguments)


@settings(max_examples=20)
@given(programs(max_lines=4))
def test_a_program_with_its_second_derivatives(program):
    function, arguments = program
    checked(cr.jacobian(cr.grad(function)), arguments, 1e-11)


@settings(max_examples=20)
@given(programs(max_lines=5))
def test_a_program_with_a_gradient_for_each_sample(program):
    function, arguments = program
    wrt = len(arguments) - 1
    if wrt:
        stack = np.stack([arguments[0] * factor for factor in (1.0, 0.9, 1.01)])
        checked(cr.per_sample_grad(function, wrt=wrt, batched=(0,)), (stack, *arguments[1:]))


def checked(function, arguments, rtol=None):
    """`check`, except where staging or the emitter refuses the program by a message of its own."""
    try:
        compiled, leaves = staged(function, *arguments)
        source = emitted(compiled)
    except ChainruleError:
        return
    check_graph(compiled.graph, leaves, source, compiled.name, rtol)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.values[0].primitive in COMPILED])
def test_a_primitive_and_its_backward_pass(sample, dtype):
    sample = sample.in_dtype(dtype)
    graph = sample.graph()
    programs_of_it = [(graph, sample.arrays)]
    y = np.asarray(sample.forward(sample.arrays))
    if y.dtype.kind == "f" and sample.floats:
        derived = derive_vjp(graph, [graph.inputs[i] for i in sample.floats])
        derived.graph.outputs = derived.cotangents
        y_bar = rng.standard_normal(y.shape).astype(y.dtype)[()]
        programs_of_it += [(g, [*sample.arrays, y_bar]) for g in (derived.graph, simplify_graph(derived.graph))]
    for program, arguments in programs_of_it:
        names = [
            {n: f"{letter}{n}" for n in numbers}
            for letter, numbers in (("x", program.inputs), ("c", program.constants))
        ]
        check_graph(program, arguments, emit_function(program, "f", *names))


@pytest.mark.parametrize("primitive", [p for p in REGISTRY.values() if p not in COMPILED], ids=lambda p: p.name)
def test_what_has_no_machine_code_yet_is_refused_by_name(primitive):
    operands, params = primitive.samples(np.random.default_rng(0))[0]
    graph = Sample(primitive, operands, params).graph()
    with pytest.raises(UnsupportedError, match=r"no machine code yet|not compiled"):
        emit_function(graph, "f", {n: f"x{n}" for n in graph.inputs}, {n: f"c{n}" for n in graph.constants})


@pytest.mark.parametrize("name", NETWORKS)
def test_a_golden_network(name):
    case = GOLDEN[name]
    for logits in (False, True):
        if logits and (case["activations"][-1], case["loss"]["name"]) not in PAIRS:
            continue
        network = Network(case, logits)
        arguments = (network.X, network.Y, network.W, network.b)
        checked(cr.value_and_grad(network.scalar, wrt=("X", "W", "b")), arguments)


@pytest.mark.parametrize("name", CASES)
def test_one_text_holds_for_every_batch_size(name):
    function, arguments = CASES[name]
    compiled, _ = staged(function, *arguments())
    source = emitted(compiled)
    for size in (1, 2, 6, 33):
        _, leaves = staged(function, *arguments(size))
        check_graph(compiled.graph, leaves, source, compiled.name)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("for j in range(W1_1)", "for j in range(W1_1 - 1)"),
        ("for j in range(W1_1)", "for j in range(W1_1 + 1)"),
        ("t = 0.0", "t = 1.0"),
        ("[i, j] + b1[j]", "[i, j] + b1[i]"),
        ("db2[...] = 0", "pass"),
        ("product_tn(gemm64, X", "product_nn(gemm64, X"),
        ("    compute_A1(N, W1_1, A1, b1)\n", ""),
    ],
)
def test_a_text_with_an_error_is_noticed(right, wrong):
    function, arguments = CASES["readme"]
    compiled, leaves = staged(function, *arguments())
    source = emitted(compiled)
    assert right in source
    with pytest.raises(AssertionError):
        check_graph(compiled.graph, leaves, source.replace(right, wrong), compiled.name)


# -- compiled --------------------------------------------------------------------------------------------------------------
COMPILED = [
    "cr.nn.softmax_cross_entropy(np.tanh(X @ Q) @ Q, y)",
    "np.sum(cr.nn.softmax(T, axis=1) * np.max(T, axis=0)) + T.transpose(2, 0, 1)[I[1:]].sum()",
    "np.sum(np.concatenate([X[::-1], np.stack([u, u, u], axis=1)]) ** 3) + np.sum(np.where(X > 0, np.log1p(X ** 2), X) @ A)",
    "np.sum(np.tanh(T @ T.transpose(0, 2, 1))) + np.sum(cr.nn.gelu(X) + cr.nn.elu(X)) + np.sum(np.abs(Y) ** X)",
]  # fmt: skip


@pytest.mark.parametrize(("text", "dtype"), zip(COMPILED, ["float32", "float64"] * 2, strict=True))
def test_machine_code_gives_value_and_gradient(text, dtype):
    pytest.importorskip("numba")
    arguments = arguments_of(text, dtype)
    floats = tuple(place for place, x in enumerate(arguments.values()) if x.dtype.kind == "f")
    function = cr.value_and_grad(function_of(text, arguments), wrt=floats)
    before = [x.copy() for x in arguments.values()]
    value, gradients = cr.jit(function, engine="numba")(*arguments.values())
    compiled, leaves = staged(function, *arguments.values())
    agree([value, *gradients], reference(compiled, leaves), 1e-12 if dtype == "float64" else 1e-5)
    assert value.dtype == dtype
    for x, y in zip(arguments.values(), before, strict=True):
        np.testing.assert_array_equal(x, y)
