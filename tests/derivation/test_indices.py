"""Formulas of gradients, derived entry by entry: what they say, and that they are what the rules compute."""

import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.derivation import comparing, contracting, index_calculus, placing
from chainrule.derivation.indices import prove_entry
from chainrule.index_form import ONE
from chainrule.matrix_form import Call, Hadamard, Negative, Outer, Product, Reduced, Symbol, Transposed
from index_support import proofs_of, recorded, staged, text_of

rng = np.random.default_rng(3)
normal = rng.standard_normal


def between(*shape):
    return rng.uniform(0.2, 0.8, shape)


def dense(X, W, b):
    Z = X @ W + b
    return np.sum(Z**2)


def columns(X, W, b):
    Z = W @ X + b
    return np.sum(Z**2)


# -- where the transpose and the sum come from ------------------------------------------------------------------------


def test_the_weights_of_a_dense_layer_are_derived_step_by_step():
    proof = proofs_of(recorded(dense, normal((3, 4)), normal((4, 2)), normal(2)))["Z", "W"]
    assert text_of(proof.forward) == "(sum_k{X[i,k] W[k,j]} + b[j])"
    assert [text_of(f) for f in proof.partial] == ["sum_k{X[i,k] d(k,p) d(j,q)}", "X[i,p] d(j,q)"]
    assert [text_of(f) for f in proof.chain] == ["sum_ij{dZ[i,j] X[i,p] d(j,q)}", "sum_i{dZ[i,q] X[i,p]}"]
    assert proof.matrix == Product(Transposed(Symbol("X")), Symbol("dZ"))
    assert [(s.index.letter, s.reason, text_of(s.reached)) for s in proof.summed] == [("i", "product", "Z[i,q]")]
    left, right = proof.first
    assert text_of(left) == "W[1,2]"
    assert text_of(right) == "(dZ[1,2] X[1,1] + dZ[2,2] X[2,1] + dZ[3,2] X[3,1])"
    assert proof.agrees


def test_the_input_of_a_dense_layer_meets_the_weights_transposed():
    proof = proofs_of(recorded(dense, normal((3, 4)), normal((4, 2)), normal(2)))["Z", "X"]
    assert text_of(proof.chain[-1]) == "sum_j{dZ[p,j] W[q,j]}"
    assert proof.matrix == Product(Symbol("dZ"), Transposed(Symbol("W")))
    assert proof.agrees


def test_a_bias_is_shared_by_the_samples_so_they_are_summed():
    proof = proofs_of(recorded(dense, normal((3, 4)), normal((4, 2)), normal(2)))["Z", "b"]
    assert text_of(proof.by) == "b[q]"
    assert text_of(proof.chain[-1]) == "sum_i{dZ[i,q]}"
    assert [(s.index.letter, s.reason) for s in proof.summed] == [("i", "shared")]
    assert proof.matrix == Reduced("sum", Symbol("dZ"), (0,), False, 2, ("3",))


def test_the_layout_in_columns_is_derived_as_well():
    found = proofs_of(recorded(columns, normal((4, 6)), normal((3, 4)), normal((3, 1))))
    assert found["Z", "W"].matrix == Product(Symbol("dZ"), Transposed(Symbol("X")))
    assert found["Z", "X"].matrix == Product(Transposed(Symbol("W")), Symbol("dZ"))
    assert found["Z", "b"].matrix == Reduced("sum", Symbol("dZ"), (1,), True, 2, ("6",))
    assert text_of(found["Z", "b"].chain[-1]) == "sum_j{dZ[p,j]}"
    assert all(proof.agrees for proof in found.values())


def test_sizes_have_their_names_and_long_sums_are_shortened():
    graph = staged(dense, normal((30, 784)), normal((784, 20)), normal(20))
    graph.scope.names[0] = "N"
    proof = proofs_of(graph)["Z", "W"]
    assert proof.summed[0].index.size == "N"
    assert text_of(proof.first[1]) == "(dZ[1,2] X[1,1] + dZ[2,2] X[2,1] + ... + dZ[N,2] X[N,1])"
    assert proof.agrees


# -- activations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        (lambda Z: np.maximum(0, Z), "dA[p,q] [Z[p,q]>0]"),
        (lambda Z: np.maximum(Z, 0.0), "dA[p,q] [Z[p,q]>0]"),
        (lambda Z: np.where(Z > 0, Z, 0), "dA[p,q] [Z[p,q]>0]"),
        (lambda Z: Z * (Z > 0), "dA[p,q] [Z[p,q]>0]"),
        (lambda Z: np.clip(Z, 0, None), "dA[p,q] [Z[p,q]>0]"),
        (lambda Z: np.where(Z > 0, Z, 0.01 * Z), "dA[p,q] (1 if [Z[p,q]>0] else 0.01)"),
        (np.tanh, "dA[p,q] (1 + -1 A[p,q]^2)"),
        (np.exp, "dA[p,q] A[p,q]"),
        (lambda Z: 1 / (1 + np.exp(-Z)), "dA[p,q] A[p,q] (1 + -1 A[p,q])"),
        (lambda Z: np.exp(Z) / (1 + np.exp(Z)), "dA[p,q] A[p,q] (1 + -1 A[p,q])"),
        (np.abs, "dA[p,q] sign(Z[p,q])"),
        (lambda Z: np.clip(Z, -1, 1), "dA[p,q] [Z[p,q]>-1] [Z[p,q]<1]"),
    ],
)
def test_an_activation_is_derived_in_its_own_value(spelled, expected):
    def f(Z):
        A = spelled(Z)
        return np.sum(A)

    proof = proofs_of(recorded(f, normal((3, 4))))["A", "Z"]
    assert text_of(proof.chain[-1]) == expected
    assert proof.matrix is not None
    assert proof.agrees


@pytest.mark.parametrize("shift", [lambda Z: 0.0, lambda Z: Z.max(axis=1, keepdims=True)])
def test_the_jacobian_of_softmax_spelled_by_hand_is_derived(shift):
    def f(Z):
        S = np.exp(Z - shift(Z)) / np.exp(Z - shift(Z)).sum(axis=1, keepdims=True)
        return np.sum(S**2)

    proof = proofs_of(recorded(f, normal((3, 4))))["S", "Z"]
    assert text_of(proof.partial[-1]) == "S[i,j] (d(j,q) + -1 S[i,q]) d(i,p)"
    assert text_of(proof.chain[-1]) == "S[p,q] (dS[p,q] + -1 sum_j{dS[p,j] S[p,j]})"
    assert [(s.index.letter, s.reason) for s in proof.summed] == [("j", "row")]
    assert proof.matrix is not None
    assert proof.agrees


# -- losses ------------------------------------------------------------------------------------------------------------


def squared(A, Y):
    return np.mean((A - Y) ** 2)


def half_squared(P, Y):
    return 0.5 * np.sum((P - Y) ** 2) / P.shape[0]


def binary(P, Y):
    return -np.mean(Y * np.log(P) + (1 - Y) * np.log(1 - P))


def soft_labels(P, Y):
    return -np.mean(np.sum(Y * np.log(P), axis=1))


def absolute(P, Y):
    return np.mean(np.abs(P - Y))


@pytest.mark.parametrize("loss", [squared, half_squared, binary, soft_labels, absolute])
@pytest.mark.parametrize("trace", [recorded, staged])
def test_losses_are_derived_by_prediction_and_target(loss, trace):
    found = proofs_of(trace(loss, between(5, 4), between(5, 4)))
    assert len(found) == 2
    assert all(proof.agrees and proof.matrix is not None for proof in found.values())


def test_the_squared_error_has_its_factors_in_front():
    proof = proofs_of(recorded(squared, between(5, 4), between(5, 4)))["L", "A"]
    assert text_of(proof.chain[-1]) == "2 #5^-1 #4^-1 dL (A[p,q] + -1 Y[p,q])"


def test_twice_the_number_of_samples_is_a_number_times_a_size():
    def loss(A, Y):
        return np.sum((A - Y) ** 2) / (2 * A.shape[0])

    proof = proofs_of(staged(loss, between(5, 4), between(5, 4)))["L", "A"]
    assert text_of(proof.chain[-1]) == "#5^-1 dL (A[p,q] + -1 Y[p,q])"
    assert proof.agrees


def test_class_numbers_pick_the_entry_of_their_class():
    def loss(A, y):
        return -np.mean(np.log(A[np.arange(len(A)), y]))

    proof = proofs_of(staged(loss, between(5, 4), np.array([0, 3, 1, 1, 2])))["L", "A"]
    assert text_of(proof.forward) == "-1 #5^-1 sum_i{log(A[i,y[i]])}"
    assert text_of(proof.chain[-1]) == "-1 #5^-1 dL A[p,q]^-1 d(y[p],q)"
    assert Call("one_hot", (Symbol("y"),), (("classes", "4"),)) in walk_matrix(proof.matrix)
    assert proof.agrees


def walk_matrix(form):
    yield form
    for name in form.__dataclass_fields__:
        parts = getattr(form, name)
        for part in parts if isinstance(parts, tuple) else (parts,):
            if hasattr(part, "__dataclass_fields__"):
                yield from walk_matrix(part)


@pytest.mark.parametrize("trace", [recorded, staged])
def test_cross_entropy_of_logits_with_class_numbers_and_one_hot_rows(trace):
    def loss(Z, y):
        Y = np.eye(4)[y]
        S = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        a = -np.sum(Y * np.log(S)) / Z.shape[0]
        b = np.mean(np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(Z)), y])
        c = cr.nn.softmax_cross_entropy(Z, y)
        return a + b + c

    found = proofs_of(trace(loss, normal((5, 4)), np.array([0, 3, 1, 1, 2])))
    assert all(proof.agrees for proof in found.values())
    softmax_less_one_hot = text_of(found["b", "Z"].chain[-1])
    assert "(sum_j{exp(Z[p,j])}^-1 exp(Z[p,q]) + -1 d(" in softmax_less_one_hot


def test_the_loss_needs_no_cotangent():
    graph = recorded(squared, between(5, 4), between(5, 4))
    names = {graph.inputs[0]: "A", graph.inputs[1]: "Y", graph.outputs[0]: "L"}
    proof = prove_entry(graph, graph.outputs[0], graph.inputs[0], names=names, stop=frozenset(names), cotangent="")
    assert text_of(proof.chain[-1]) == "2 #5^-1 #4^-1 (A[p,q] + -1 Y[p,q])"
    assert proof.agrees


# -- larger things -----------------------------------------------------------------------------------------------------


def batch_norm(X, gamma, beta):
    mu = X.mean(axis=0)
    Xc = X - mu
    var = np.mean(Xc**2, axis=0)
    std = np.sqrt(var + 1e-5)
    Xh = Xc / std
    Y = gamma * Xh + beta
    return np.sum(Y**3)


def batch_norm_at_once(X, gamma, beta):
    Y = (X - X.mean(axis=0)) / np.sqrt(((X - X.mean(axis=0)) ** 2).mean(axis=0) + 1e-5) * gamma + beta
    return np.sum(Y**3)


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(8)
    E = np.exp(S - S.max(axis=-1, keepdims=True))
    A = E / E.sum(axis=-1, keepdims=True)
    H = A @ V
    return np.mean((H - 1) ** 2)


def stacked_attention(Q, K, V):
    S = Q @ K.transpose(0, 2, 1) / np.sqrt(8)
    A = cr.nn.softmax(S)
    H = A @ V
    return np.mean((H - 1) ** 2)


def recurrent(X, Wx, Wh, b, h):
    for t in range(3):
        h = np.tanh(X[:, t] @ Wx + h @ Wh + b)
    return np.sum(h**2)


def lstm(x, h, c, W, b):
    z = np.concatenate([x, h], axis=1) @ W + b
    i = cr.nn.sigmoid(z[:, :3])
    f = cr.nn.sigmoid(z[:, 3:6])
    g = np.tanh(z[:, 6:9])
    o = cr.nn.sigmoid(z[:, 9:])
    c2 = f * c + i * g
    h2 = o * np.tanh(c2)
    return np.sum(h2)


def convolution(x, w, b):
    y = x[:, 0:4] * w[0] + x[:, 1:5] * w[1] + x[:, 2:6] * w[2] + b
    m = y.reshape(y.shape[0], 2, 2).max(axis=2)
    a = y.reshape(y.shape[0], 2, 2).mean(axis=2)
    return np.sum(m * a)


def flat_image(x, w, b, V):
    y = x[:, :4, :4] * w[0, 0] + x[:, :4, 1:] * w[0, 1] + x[:, 1:, :4] * w[1, 0] + x[:, 1:, 1:] * w[1, 1] + b
    m = y.reshape(y.shape[0], 2, 2, 2, 2).max(axis=(2, 4))
    F = m.reshape(m.shape[0], -1)
    s = m.reshape(m.shape[0], -1) @ V
    return np.sum(F**2) + np.sum(s)


def stacks(X, W, b, v):
    Z = X @ W + b
    u = Z @ v
    s = v @ W.T
    t = v @ v
    m = Z.transpose(2, 0, 1).mean(axis=(1, 2))
    return np.sum(u) + np.sum(s) + t + np.sum(m**2)


def moved(x, A, B):
    a = np.concatenate([A, B], axis=1)
    b = np.stack([A, 2 * A], axis=0)
    e = x[::-1]
    f = x[1:] - x[:-1]
    g = A[:, -1]
    h = x[np.array([0, 2, 1, 1])]
    k = x[:, None] * x[None, :]
    n = A[None] * B[:, None]
    r = x.reshape(2, -1)
    return sum(np.sum(part**2) for part in (a, b, e, f, g, h, k, n, r))


LARGER = [
    (batch_norm, (normal((6, 4)), normal(4), normal(4))),
    (batch_norm_at_once, (normal((6, 4)), normal(4), normal(4))),
    (attention, (normal((3, 8)), normal((4, 8)), normal((4, 5)))),
    (stacked_attention, (normal((2, 3, 8)), normal((2, 4, 8)), normal((2, 4, 5)))),
    (recurrent, (normal((4, 3, 5)), normal((5, 6)), normal((6, 6)), normal(6), normal((4, 6)))),
    (lstm, (normal((2, 4)), normal((2, 3)), normal((2, 3)), normal((7, 12)), normal(12))),
    (convolution, (normal((3, 6)), normal(3), normal(()))),
    (flat_image, (normal((3, 5, 5)), normal((2, 2)), normal(()), normal((4, 3)))),
    (stacks, (normal((3, 4, 5)), normal((5, 6)), normal(6), normal(6))),
    (moved, (normal(6), normal((2, 3)), normal((2, 3)))),
]


@pytest.mark.parametrize("trace", [recorded, staged])
@pytest.mark.parametrize(("function", "args"), LARGER, ids=lambda value: getattr(value, "__name__", ""))
def test_every_statement_is_derived_and_agrees_with_its_rules(function, args, trace):
    for pair, proof in proofs_of(trace(function, *args)).items():
        assert proof is not None, pair
        assert proof.agrees, (pair, proof.checked, text_of(proof.chain[-1]))


def test_a_convolution_is_told_with_one_sum():
    found = proofs_of(recorded(convolution, *LARGER[6][1]))
    assert text_of(found["y", "w"].rewritten) == "(sum_k{x[i,j+k] w[k]} + b)"
    assert text_of(found["y", "w"].chain[-1]) == "sum_ij{dy[i,j] x[i,j+p]}"
    assert text_of(found["y", "x"].chain[-1]) == "sum_j{dy[p,j] w[q-j] [q-j in 3]}"
    assert text_of(found["y", "b"].chain[-1]) == "sum_ij{dy[i,j]}"


def test_a_proof_can_count_its_positions_from_one():
    proof = proofs_of(recorded(convolution, *LARGER[6][1]))["y", "w"].from_one()
    assert text_of(proof.rewritten) == "(sum_k{x[i,j+k-1] w[k]} + b)"
    assert text_of(proof.chain[-1]) == "sum_ij{dy[i,j] x[i,j+p-1]}"
    assert text_of(proof.by) == "w[p]"
    recurrence = proofs_of(recorded(recurrent, *LARGER[4][1]))["h1", "X"].from_one()
    assert text_of(recurrence.by) == "X[p,1,q]"


def test_pooling_is_told_by_the_window_and_the_place_in_it():
    found = proofs_of(recorded(convolution, *LARGER[6][1]))
    largest, mean = found["m", "y"], found["a", "y"]
    assert text_of(largest.forward) == "max_k{y[i,2j+k]}"
    assert text_of(largest.chain[-1]) == "dm[p,q] [y[p,2q+r]==m[p,q]]"
    assert "sum" not in text_of(mean.chain[-1])


def test_batch_norm_step_by_step_reads_as_in_a_textbook():
    found = proofs_of(recorded(batch_norm, *LARGER[0][1]))
    assert text_of(found["Y", "gamma"].chain[-1]) == "sum_i{dY[i,q] Xh[i,q]}"
    assert text_of(found["Y", "beta"].chain[-1]) == "sum_i{dY[i,q]}"
    assert text_of(found["Xh", "std"].chain[-1]) == "-1 std[q]^-1 sum_i{dXh[i,q] Xh[i,q]}"
    assert text_of(found["std", "var"].chain[-1]) == "1/2 dstd[p] std[p]^-1"
    assert text_of(found["var", "Xc"].chain[-1]) == "2 #6^-1 dvar[q] Xc[p,q]"
    assert text_of(found["Xc", "mu"].chain[-1]) == "-1 sum_i{dXc[i,q]}"
    assert text_of(found["mu", "X"].chain[-1]) == "#6^-1 dmu[q]"
    assert all(proof.matrix is not None for proof in found.values())


def test_matrix_forms_of_attention():
    found = proofs_of(recorded(attention, *LARGER[2][1]))
    assert found["H", "A"].matrix == Product(Symbol("dH"), Transposed(Symbol("V")))
    assert found["H", "V"].matrix == Product(Transposed(Symbol("A")), Symbol("dH"))
    assert found["S", "K"].matrix.body == Product(Transposed(Symbol("dS")), Symbol("Q"))
    stacked = proofs_of(recorded(stacked_attention, *LARGER[3][1]))
    assert stacked["H", "V"].matrix == Product(Transposed(Symbol("A")), Symbol("dH"))


def test_a_layer_on_a_stack_sums_the_products_of_its_matrices():
    proof = proofs_of(recorded(stacks, *LARGER[8][1]))["Z", "W"]
    assert text_of(proof.chain[-1]) == "sum_ij{dZ[i,j,q] X[i,j,p]}"
    assert proof.matrix == Reduced("sum", Product(Transposed(Symbol("X")), Symbol("dZ")), (0,), False, 3, ("3",))


def test_products_of_vectors_are_recognised():
    def f(x, y, A):
        s = x @ y
        z = A @ y
        return s + np.sum(z)

    found = proofs_of(recorded(f, normal(4), normal(4), normal((3, 4))))
    assert found["z", "A"].matrix == Outer(Symbol("dz"), Symbol("y"))
    assert found["z", "y"].matrix == Product(Transposed(Symbol("A")), Symbol("dz"))


def test_diagonals_and_traces_are_recognised():
    def f(X, v, w):
        t = np.sum(X * np.eye(3))
        d = np.sum(X * np.eye(3), axis=1)
        D = v[:, None] * np.eye(3)
        s = np.sum(X * w * np.eye(3))
        return t + np.sum(d**2) + np.sum(D**2) + s

    found = proofs_of(recorded(f, normal((3, 3)), normal(3), normal(())))
    assert text_of(found["t", "X"].forward) == "sum_i{X[i,i]}"
    assert found["d", "X"].matrix == Call("diag", (Symbol("dd"),))
    assert found["D", "v"].matrix == Call("diagonal", (Symbol("dD"),))
    assert Call("trace", (Symbol("X"),)) in walk_matrix(found["s", "w"].matrix)
    assert all(proof.agrees and proof.matrix is not None for proof in found.values())


def test_a_mean_that_is_constant_along_an_axis_is_stretched():
    proof = proofs_of(recorded(batch_norm, *LARGER[0][1]))["mu", "X"]
    assert isinstance(proof.matrix, Call)
    assert proof.matrix.function == "broadcast_to"


def test_the_one_position_that_is_used_is_told_and_nothing_flows_elsewhere():
    found = proofs_of(recorded(recurrent, *LARGER[4][1]))
    proof = found["h1", "X"]
    assert text_of(proof.by) == "X[p,0,q]"
    assert text_of(proof.chain[-1]) == "sum_j{dh1[p,j] (1 + -1 h1[p,j]^2) Wx[q,j]}"
    assert proof.agrees


def test_backpropagation_through_two_layers_comes_out_of_one_formula():
    def f(X, Y, W1, W2, W3):
        Z1 = X @ W1
        A = np.maximum(0, np.maximum(0, Z1) @ W2) @ W3
        return np.sum(A * Y)

    graph = recorded(f, normal((6, 5)), normal((6, 2)), normal((5, 4)), normal((4, 3)), normal((3, 2)))
    names = dict(zip(graph.inputs, ("X", "Y", "W1", "W2", "W3"), strict=True))
    number = next(n for n, v in enumerate(graph.variables) if v.name == "Z1")
    names |= {number: "Z1", graph.outputs[0]: "L"}
    stop = frozenset(names) - {graph.outputs[0]}
    proof = prove_entry(graph, graph.outputs[0], number, names=names, stop=stop, cotangent="")
    text = text_of(proof.chain[-1])
    assert text.startswith("[Z1[p,q]>0] sum_k{")  # the mask, and dA2 W2^T with dA2 = mask * Y W3^T inside
    assert text.endswith("W2[q,k] sum_j{W3[k,j] Y[p,j]}}")
    assert isinstance(proof.matrix, Hadamard)
    assert proof.agrees


# -- what it does not say ----------------------------------------------------------------------------------------------


def test_what_has_no_formula_has_no_proof():
    def f(x):
        y = np.argmax(x, axis=1) * x[:, 0]
        return np.sum(y)

    assert proofs_of(recorded(f, normal((3, 4))))["y", "x"] is None


def test_a_formula_that_nobody_could_read_is_not_written():
    def f(x):
        for _ in range(60):  # as a tree it has 2**60 leaves
            x = x * np.tanh(x)
        return np.sum(x)

    graph = recorded(f, normal(3))
    names = {graph.inputs[0]: "x", graph.outputs[0]: "L"}
    stop = frozenset(graph.inputs)
    assert prove_entry(graph, graph.outputs[0], graph.inputs[0], names=names, stop=stop, cotangent="") is None


def test_two_variables_by_one_name_are_not_mixed_up():
    def f(x):
        y = x * x
        return np.sum(y * x)

    graph = recorded(f, normal(3))
    number = next(n for n, v in enumerate(graph.variables) if v.name == "y")
    names = {graph.inputs[0]: "x", number: "x", graph.outputs[0]: "L"}
    stop = frozenset(names)
    assert prove_entry(graph, graph.outputs[0], number, names=names, stop=stop, cotangent="") is None


def test_nothing_flows_through_a_held_value():
    def f(x):
        y = cr.stop_gradient(x)
        return np.sum(y * x)

    proof = proofs_of(recorded(f, normal(3)))["y", "x"]
    assert [text_of(form) for form in proof.chain] == ["0"]
    assert proof.matrix is None


# -- the check can fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [("Z", "W"), ("Z", "X"), ("Z", "b")])
def test_a_dropped_delta_is_noticed(monkeypatch, pair):
    monkeypatch.setattr(index_calculus, "_deltas", lambda entry, by: ONE)
    assert proofs_of(recorded(dense, normal((3, 4)), normal((4, 2)), normal(2)))[pair].checked > 0.01


def test_a_delta_that_picks_the_wrong_term_is_noticed(monkeypatch):
    def wrong(found, over):
        result = placing.solved(found, over)
        return result and (result[0], 0, result[2])

    monkeypatch.setattr(contracting, "solved", wrong)
    assert proofs_of(recorded(dense, normal((3, 4)), normal((4, 2)), normal(2)))["Z", "W"].checked > 0.01


def test_a_wrong_partial_is_noticed(monkeypatch):
    monkeypatch.setitem(index_calculus.PARTIALS, "tanh", (lambda y, x: y,))

    def f(Z):
        A = np.tanh(Z)
        return np.sum(A)

    assert proofs_of(recorded(f, normal((3, 4))))["A", "Z"].checked > 0.01


def test_a_matrix_form_with_other_numbers_is_not_shown(monkeypatch):
    wrong = Product(Transposed(Symbol("X")), Negative(Symbol("dZ")))
    monkeypatch.setattr(comparing, "recognised", lambda form, axes, shapes: wrong if "X" in shapes else None)
    proof = proofs_of(recorded(dense, normal((3, 4)), normal((4, 2)), normal(2)))["Z", "W"]
    assert proof.matrix is None
    assert proof.agrees


def test_numbers_that_are_not_finite_prove_nothing():
    def f(x):
        y = np.log(-np.exp(x))
        return np.sum(y)

    with np.errstate(all="ignore"):
        proof = proofs_of(recorded(f, normal(3)))["y", "x"]
    assert proof.checked is None
    assert proof.matrix is None
    assert not proof.agrees


# -- speed -------------------------------------------------------------------------------------------------------------


def test_ten_layers_are_proved_in_well_under_a_second():
    def deep(X, Ws, bs):
        A = X
        for W, b in zip(Ws, bs, strict=True):
            Z = A @ W + b
            A = np.tanh(Z)
        return np.sum(A**2)

    arrays = [normal((20, 20)) for _ in range(10)], [normal(20) for _ in range(10)]
    graph = cr.graph(deep, normal((8, 20)), *arrays)
    started = time.process_time()
    found = proofs_of(graph)
    assert time.process_time() - started < 1.0
    assert len(found) == 41
    assert all(proof.agrees for proof in found.values())
    assert isinstance(found["A1", "Z1"].matrix, Hadamard)
