"""`checkpoint`: the same values and gradients, by any road, with less kept on the way."""

import ast
import dataclasses
import functools
import itertools
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

import chainrule as cr
from chainrule.differentiation import cut, derive_vjp_one, known_numbers
from chainrule.errors import UnsupportedError
from chainrule.pytree import flatten, tree_map
from chainrule.simplify.passes import apply_rules, simplify_graph
from chainrule.tracer import new_trace
from chains import block, chain
from programs import define, programs

rng = np.random.default_rng(0)
LAYERS, EVERY = 40, 8


def weights(layers, width=4):
    return [rng.normal(0, 0.8 / np.sqrt(width), (width, width)) for _ in range(layers)]


LARGE_X, LARGE_WS = rng.standard_normal((2000, 32)), weights(LAYERS, 32)


def close(left, right):
    for a, b in zip(leaves(left), leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10 * max(1.0, np.max(np.abs(b), initial=0.0)))


def leaves(tree):
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, (tuple, list)) else [tree]


# -- the same, by any road ---------------------------------------------------------------------------------------------

X, Ws = rng.standard_normal((5, 4)), weights(6)
ROADS = {
    "grad": lambda f: cr.grad(f, (0, 1))(X, Ws),
    "value_and_grad": lambda f: cr.value_and_grad(f, 1)(X, Ws),
    "vjp": lambda f: (cr.vjp(f, X, Ws)[1](1.0), cr.vjp(f, X, Ws)[0]),
    "jvp": lambda f: cr.jvp(f, (X, Ws), (X, Ws)),
    "jit": lambda f: cr.jit(f)(X, Ws),
    "jit of grad": lambda f: cr.jit(cr.value_and_grad(f, (0, 1)))(X, Ws),
    "grad of jit": lambda f: cr.grad(cr.jit(f), 1)(X, Ws),
    "hvp": lambda f: cr.hvp(f)(X, Ws, X),
    "jit of hvp": lambda f: cr.jit(cr.hvp(f))(X, Ws, X),
    "hessian": lambda f: cr.hessian(lambda x: f(x, Ws))(X[:2]),
    "grad of grad": lambda f: cr.grad(lambda x: np.sum(cr.grad(f)(x, Ws) ** 2))(X),
    "jit of grad of grad": lambda f: cr.jit(cr.grad(lambda x: np.sum(cr.grad(f)(x, Ws) ** 2)))(X),
    "jacobian": lambda f: cr.jacobian(lambda x: np.stack([f(x, Ws), f(2 * x, Ws)]))(X),
    "per_sample_grad": lambda f: cr.per_sample_grad(f, "Ws")(X, Ws),
    "jit of per_sample_grad": lambda f: cr.jit(cr.per_sample_grad(f, "Ws"))(X, Ws),
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("every", [1, 2, 4, 6])
def test_values_and_derivatives_are_those_without(road, every):
    close(ROADS[road](chain(every)), ROADS[road](chain()))


def test_it_may_be_called_again_and_again_with_less_held_each_time():
    gradient = cr.grad(chain(3), 1)
    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((5, 4))
        close(gradient(x, Ws), cr.grad(chain(), 1)(x, Ws))


def test_a_pullback_may_be_called_again_and_again():
    _, pullback = cr.vjp(chain(2), X, Ws)
    _, plain = cr.vjp(chain(), X, Ws)
    for bar in (1.0, -2.0, 0.5):
        close(pullback(bar), plain(bar))


def test_machine_code_gives_the_same():
    pytest.importorskip("numba")
    close(cr.jit(cr.value_and_grad(chain(3), 1), engine="numba")(X, Ws), cr.value_and_grad(chain(), 1)(X, Ws))


# -- what may be checkpointed ------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Layer:
    W: np.ndarray
    b: np.ndarray

    def __call__(self, X):
        return np.tanh(np.tanh(X @ self.W) + self.b)

    @cr.checkpoint
    def twice(self, X):
        return self(self(X))


LAYER = Layer(rng.standard_normal((4, 4)), rng.standard_normal(4))


def captured(layer, X):
    return np.sum(cr.checkpoint(lambda: np.sin(layer(X)) * np.cos(X))())


def default(layer, X):
    def inner(W=layer.W):
        return np.exp(np.sin(X @ W)) * 2

    return np.sum(cr.checkpoint(inner)())


KINDS = {
    "a layer": lambda layer, X: np.sum(cr.checkpoint(layer)(X)),
    "a method": lambda layer, X: np.sum(layer.twice(X)),
    "a bound method": lambda layer, X: np.sum(cr.checkpoint(layer.twice)(X)),
    "a partial": lambda layer, X: np.sum(cr.checkpoint(functools.partial(Layer.__call__, layer))(X)),
    "a closure": captured,
    "a default": default,
    "keywords": lambda layer, X: np.sum(cr.checkpoint(layer.__call__)(X=X)),
    "a pytree in and out": lambda layer, X: np.sum(
        cr.checkpoint(lambda d: {"Z": [np.sin(d["A"] @ d["layer"].W), d["A"]]})({"A": X, "layer": layer})["Z"][0]
    ),
    "a function of cr.nn": lambda layer, X: np.sum(cr.checkpoint(cr.nn.softmax)(X @ layer.W) ** 2),
    "one that returns what it is given": lambda layer, X: np.sum(cr.checkpoint(lambda x: x)(X) @ layer.W),
    "one that returns a constant": lambda layer, X: np.sum(X @ layer.W) * cr.checkpoint(lambda x: 3.0)(X),
    "one that writes in place": lambda layer, X: np.sum(cr.checkpoint(in_place)(X @ layer.W)),
    "one inside of one": lambda layer, X: np.sum(
        cr.checkpoint(lambda x: np.sin(cr.checkpoint(layer)(cr.checkpoint(layer)(x))))(X)
    ),
    "the same twice": lambda layer, X: np.sum(cr.checkpoint(layer)(X) * cr.checkpoint(layer)(X)),
    "sizes": lambda layer, X: np.sum(cr.checkpoint(lambda x: np.sin(x) * np.ones((len(x), 1)) / len(x))(X @ layer.W)),
}


def in_place(Z):
    A = np.sin(Z)
    A *= 2
    A += np.cos(A)
    return A


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_called_may_be_checkpointed(kind, monkeypatch):
    function = KINDS[kind]
    gradient = cr.value_and_grad(function, (0, 1))
    found = gradient(LAYER, X), cr.jit(gradient)(LAYER, X), cr.jit(cr.hvp(function, 1))(LAYER, X, X)
    with monkeypatch.context() as plain:
        plain.setattr(cr, "checkpoint", lambda f: f)
        plain.setattr(Layer, "twice", lambda self, X: self(self(X)))
        wanted = (
            gradient(LAYER, X),
            cr.jit(cr.value_and_grad(function, (0, 1)))(LAYER, X),
            cr.hvp(function, 1)(LAYER, X, X),
        )
    for one, other in zip(found, wanted, strict=True):
        close(cr_leaves(one), cr_leaves(other))


def cr_leaves(tree):
    return flatten(tree)[0]


def test_outside_of_a_trace_it_just_calls():
    calls = []
    result = cr.checkpoint(lambda x: calls.append(x) or x + 1)(2)
    assert (result, calls) == (3, [2])


def test_it_keeps_name_signature_and_docstring():
    def block(X, W):
        """What it does."""
        return X @ W

    wrapped = cr.checkpoint(block)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.__wrapped__) == ("block", "What it does.", block)
    close(
        cr.grad(lambda X, W: np.sum(wrapped(X, W=W)), "W")(X, Ws[0]), cr.grad(lambda X, W: np.sum(X @ W), "W")(X, Ws[0])
    )


def test_a_traced_value_that_comes_from_nowhere_is_refused():
    def loss(x):
        source = iter([x])
        return np.sum(cr.checkpoint(lambda: np.sin(next(source)))())

    with pytest.raises(UnsupportedError, match="Pass that value as an argument"):
        cr.grad(loss)(X)


def test_a_random_mask_is_the_same_in_both_passes():
    def loss(x, draw):
        return np.sum(cr.checkpoint(lambda x: np.sin(np.sin(x) * (draw.random(x.shape) < 0.5)))(x))

    mask = np.random.default_rng(5).random(X.shape) < 0.5
    close(cr.grad(loss)(X, np.random.default_rng(5)), cr.grad(lambda x: np.sum(np.sin(np.sin(x) * mask)))(X))


def test_an_error_inside_is_the_users_own():
    def bad(x):
        return x @ np.ones((7, 7))

    with pytest.raises(cr.errors.ShapeError, match=r"line \d+ of bad\(\)"):
        cr.grad(lambda x: np.sum(cr.checkpoint(bad)(x)))(X)


def test_class_numbers_are_still_looked_at():
    def loss(Z, y):
        return cr.nn.softmax_cross_entropy(np.tanh(Z), y)

    gradient = cr.jit(cr.grad(cr.checkpoint(loss)))
    close(gradient(X, np.array([0, 1, 2, 3, 0])), cr.grad(loss)(X, np.array([0, 1, 2, 3, 0])))
    with pytest.raises(cr.errors.DataError, match="class numbers count from 0"):
        gradient(X, np.array([0, 1, 2, -1, 0]))


@given(programs(), st.data())
def test_any_lines_of_any_program_may_be_computed_again(made, data):
    function, arguments = made
    first, *body, last = function.source.splitlines()
    assume(body)
    known = re.findall(r"\w+", first.partition("(")[2])
    pieces = [([line], [line.split()[0]]) for line in body]
    for number in range(2):  # the second may lie inside of the first, around it, or beside it
        begin = data.draw(st.integers(0, len(pieces) - 1))
        end = data.draw(st.integers(begin + 1, len(pieces)))
        pieces[begin:end] = [in_a_checkpoint(f"block{number}", known, pieces[:begin], pieces[begin:end])]
    other = define([first, *(line for lines, _ in pieces for line in lines), last])
    note(other.source)
    wrt = tuple(range(len(arguments)))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(other(*arguments), function(*arguments))
        close(cr.value_and_grad(other, wrt)(*arguments), cr.value_and_grad(function, wrt)(*arguments))
        if "> -9]" not in function.source:  # how many entries a mask picks is not known while staging
            close(cr.jit(cr.grad(other, wrt))(*arguments), cr.jit(cr.grad(function, wrt))(*arguments))


def in_a_checkpoint(name, known, before, inside):
    """These lines as one piece: a checkpointed function that is given all that there is, and returns what it assigns."""
    given_names = ", ".join(dict.fromkeys([*known, *(n for _, names in before for n in names)]))
    assigned = list(dict.fromkeys(n for _, names in inside for n in names))
    result = ", ".join(assigned)
    return [
        "    @cr.checkpoint",
        f"    def {name}({given_names}):",
        *(f"    {line}" for lines, _ in inside for line in lines),
        f"        return [{result}]",
        f"    [{result}] = {name}({given_names})",
    ], assigned


# -- what is kept ------------------------------------------------------------------------------------------------------


def read_by_the_backward_pass(function, *arguments):
    """How many forward values of the first argument's shape the derived program reads."""
    trace = new_trace(concrete=True)
    tracers = tree_map(trace.input, arguments)
    trace.graph.outputs = [trace.operand(function(*tracers))]
    graph = trace.graph
    wrt = list(graph.inputs)
    joint, _ = derive_vjp_one(apply_rules(graph), wrt)
    program = cut(simplify_graph(joint), known_numbers(graph), [])
    return sum(n not in graph.inputs and graph.variables[n].shape == arguments[0].shape for n in program.inputs)


@pytest.mark.parametrize(("every", "kept"), [(0, 24), (1, 24), (2, 12), (6, 4), (24, 1)])
def test_only_what_checkpoints_hand_on_is_kept(every, kept):
    assert read_by_the_backward_pass(chain(every), X, weights(24)) == kept


def test_of_nested_checkpoints_only_the_outer_ones_keep():
    def loss(X, Ws):
        A = X
        for start in range(0, 24, 8):
            A = cr.checkpoint(halves)(A, Ws[start : start + 8])
        return np.sum(A)  # whose derivative reads nothing

    def halves(A, Ws):
        return cr.checkpoint(block)(cr.checkpoint(block)(A, Ws[:4]), Ws[4:])

    assert read_by_the_backward_pass(loss, X, weights(24)) == 2
    once = cr.memory(cr.grad(chain(8), 1), LARGE_X, weights(24, 32))
    assert cr.memory(cr.grad(loss, 1), LARGE_X, weights(24, 32)).peak < once.peak - 2 * LARGE_X.nbytes


def test_a_result_that_nothing_reads_is_computed_again_like_the_rest():
    assert read_by_the_backward_pass(lambda x: np.sum(x + cr.checkpoint(np.tanh)(np.sin(x))), X) == 1
    assert read_by_the_backward_pass(lambda x: np.sum(x + np.tanh(np.sin(x))), X) == 1
    assert read_by_the_backward_pass(lambda x: np.sum(x + cr.checkpoint(lambda x: np.tanh(np.sin(x)))(x)), X) == 0


def test_rewrites_do_not_let_the_second_computation_meet_the_first():
    source = cr.source(cr.value_and_grad(chain(3), 1), X, Ws)
    assert source.count("# computed again") == 2
    assert len(re.findall(r"A\d+ = np.tanh", source)) == 6 + 2 * 2  # the last of each three was kept
    assert "A7" not in source  # what is computed again bears the name that it had


def test_a_name_is_given_again_only_when_its_bearer_is_gone():
    def twice(x):
        Z = np.tanh(x)
        Z = np.exp(Z)
        return np.sin(Z)

    def step(x):
        Z = np.sin(x)
        Z = np.cos(Z)  # Z2, and so is the exponential in the gradient's own trace
        return cr.grad(lambda x: np.sum(cr.checkpoint(twice)(x)))(x) * Z

    close(cr.jit(step)(X), step(X))
    assert "Z2 = np.cos(Z1)" in cr.source(step, X)


def test_every_array_is_deleted_right_after_its_last_use():
    source = cr.source(cr.value_and_grad(chain(3), 1), X, Ws)
    (function,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    statements = [node for node in function.body if isinstance(node, (ast.Assign, ast.Delete, ast.Return))]
    alive = set()
    for before, statement in itertools.pairwise([None, *statements]):
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if isinstance(statement, ast.Delete):
            assert names <= {node.id for node in ast.walk(before) if isinstance(node, ast.Name)}
            alive -= names
        elif isinstance(statement, ast.Assign):
            alive.add(statement.targets[0].id)
    assert alive == {"loss", *(f"dWs{n}" for n in range(1, 7)), "A1", "dA1"}  # the last line reads A1 and dA1


def test_other_source_has_no_deletions():
    assert "del " not in cr.source(cr.value_and_grad(chain(), 1), X, Ws)


# -- memory that is measured -------------------------------------------------------------------------------------------


def peak_of(call):
    """The most that a call allocates, in bytes, once it has been called before."""
    call()
    call()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("way", [cr.jit, lambda f: f], ids=["jit", "as it is traced"])
def test_a_deep_chain_needs_less_than_half_of_the_memory(way):
    plain, less = (way(cr.value_and_grad(chain(every), 1)) for every in (0, EVERY))
    close(less(LARGE_X, LARGE_WS), plain(LARGE_X, LARGE_WS))
    unit = LARGE_X.nbytes
    assert peak_of(lambda: plain(LARGE_X, LARGE_WS)) > LAYERS * unit
    assert peak_of(lambda: less(LARGE_X, LARGE_WS)) < (LAYERS / EVERY + EVERY + 4) * unit < LAYERS * unit / 2


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_and_so_it_is_planned_for_both_engines(engine):
    plain, less = (
        cr.memory(cr.value_and_grad(chain(every), 1), LARGE_X, LARGE_WS, engine=engine) for every in (0, EVERY)
    )
    unit = LARGE_X.nbytes
    assert plain.kept >= LAYERS * unit
    assert less.kept == LAYERS / EVERY * unit
    assert plain.peak > LAYERS * unit
    assert less.peak < (LAYERS / EVERY + EVERY + 2) * unit


def recurrent(every):
    """The same weights at every step: contributions to their gradients come from all over."""

    def steps(h, xs, W, U):
        for x in xs:
            h = np.tanh(h @ W + x @ U)
        return h

    part = cr.checkpoint(steps) if every else steps

    def loss(W, U, X):
        h = np.zeros_like(X[0])
        for first in range(0, len(X), every or len(X)):
            h = part(h, [X[t] for t in range(first, first + (every or len(X)))], W, U)
        return np.mean(h**2)

    return loss


def test_contributions_to_shared_weights_do_not_wait_for_each_other():
    W, U = weights(2, 50)
    steps = rng.standard_normal((48, 400, 50))
    plain, less = (cr.value_and_grad(recurrent(every), (0, 1)) for every in (0, 8))
    close(less(W, U, steps), plain(W, U, steps))
    jitted = cr.jit(less)
    close(jitted(W, U, steps), plain(W, U, steps))
    unit = steps[0].nbytes
    assert cr.memory(plain, W, U, steps).peak > 2 * 48 * unit
    assert cr.memory(less, W, U, steps).peak < (48 / 8 + 8 + 4) * unit
    assert peak_of(lambda: jitted(W, U, steps)) < (48 / 8 + 8 + 4) * unit


def test_machine_code_asks_for_memory_at_its_first_use():
    source = cr.source(cr.value_and_grad(chain(3), 1), X, Ws, target="numba")
    assert source.index("A1 = np.empty") < source.index("product_nn(gemm64, X") < source.index("A2 = np.empty")


def test_elementwise_work_that_is_computed_again_waits_for_its_turn():
    def loss(X, Ws, part):
        A = X
        for W in Ws:
            A = part(lambda A, W: np.tanh(np.sin(np.cos(A) * 2) @ W))(A, W)
        return np.sum(A**2)

    needed = {
        part: cr.memory(cr.grad(functools.partial(loss, part=part), 1), LARGE_X, LARGE_WS, engine="numba").peak
        for part in (cr.checkpoint, lambda f: f)
    }
    least, plain = needed.values()
    assert least < (LAYERS + 6) * LARGE_X.nbytes < plain / 2
