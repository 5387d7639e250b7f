"""Emitted source: reviewed as text, imported with NumPy alone, right at every size, byte-stable."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

GOLDEN = Path(__file__).parent.parent / "golden" / "source"
rng = np.random.default_rng(0)


def readme_loss(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1 @ W2 + b2
    return cr.nn.softmax_cross_entropy(Z2, y)


def by_hand(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    E = np.exp(Z2)
    P = E / E.sum(axis=1, keepdims=True)
    Y = np.eye(3)[y]
    return -np.sum(Y * np.log(P)) / N


def binary(X, t, W1, b1, W2, b2):
    A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
    A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
    return -np.mean(t * np.log(A2) + (1 - t) * np.log(1 - A2))


def ridge(w, X, y, strength):
    e = X @ w - y
    return np.mean(e**2) + strength * np.sum(w**2)


def classifier(n=6):
    r = np.random.default_rng(1)
    return (
        r.standard_normal((n, 5)),
        r.integers(0, 3, n),
        r.standard_normal((5, 4)),
        r.standard_normal(4),
        r.standard_normal((4, 3)),
        r.standard_normal(3),
    )


def regression(n=7):
    r = np.random.default_rng(2)
    return r.standard_normal(3), r.standard_normal((n, 3)), r.standard_normal(n), 0.1


def binary_arguments(n=6):
    X, y, *weights = classifier(n)
    return (X, (y[:, None] == np.arange(3)).astype(float), *weights)


def sgd_step(X, y, W1, b1, W2, b2, rate):
    loss, gradients = cr.value_and_grad(readme_loss, wrt=WEIGHTS)(X, y, W1, b1, W2, b2)
    dW1, db1, dW2, db2 = gradients
    W1 = W1 - rate * dW1
    b1 = b1 - rate * db1
    W2 = W2 - rate * dW2
    b2 = b2 - rate * db2
    return loss, W1, b1, W2, b2


WEIGHTS = ("W1", "b1", "W2", "b2")
CASES = {
    "readme": (cr.value_and_grad(readme_loss, wrt=WEIGHTS), classifier),
    "softmax_by_hand": (cr.value_and_grad(by_hand, wrt=WEIGHTS), classifier),
    "sigmoid_by_hand": (cr.grad(binary, wrt=WEIGHTS), binary_arguments),
    "ridge": (cr.value_and_grad(ridge), regression),
    "per_sample": (cr.per_sample_grad(readme_loss, wrt=WEIGHTS, batched=("X", "y")), classifier),
    "sgd_step": (sgd_step, lambda n=6: (*classifier(n), 0.1)),
    "hvp": (cr.hvp(readme_loss, wrt="W2"), lambda n=6: (*classifier(n), np.ones((4, 3)))),
    "jvp": (lambda w, v, X, y: cr.jvp(lambda w: ridge(w, X, y, 0.5), (w,), (v,)), lambda n=7: (regression(n)[0], np.ones(3), *regression(n)[1:3])),
}  # fmt: skip


def load(text, name):
    scope = {}
    exec(compile(text, name, "exec"), scope)
    functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return scope[functions[-1]]


def flat(tree):
    return [tree] if not isinstance(tree, (tuple, list)) else [leaf for part in tree for leaf in flat(part)]


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_the_reviewed_one(name):
    function, arguments = CASES[name]
    text = cr.source(function, *arguments())
    path = GOLDEN / f"{name}.py.txt"
    if "UPDATE_GOLDEN" in os.environ:  # then read the difference before committing it
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert text == cr.source(function, *arguments())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1, 2, 6, 33])
def test_it_is_right_at_every_batch_size(name, size):
    function, arguments = CASES[name]
    emitted = load(cr.source(function, *arguments()), name)
    args = arguments(size)
    for got, want in zip(flat(emitted(*args)), flat(function(*args)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_it_imports_numpy_only(name):
    function, arguments = CASES[name]
    imports = [
        node
        for node in ast.walk(ast.parse(cr.source(function, *arguments())))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert [ast.unparse(node) for node in imports] == ["import numpy as np"]


def test_it_runs_in_a_process_without_chainrule(tmp_path):
    function, arguments = CASES["readme"]
    args = arguments()
    np.savez(tmp_path / "arguments.npz", *args)
    script = cr.source(function, *args) + (
        "\nimport sys\n"
        "with np.load('arguments.npz') as f:\n    args = [f[k] for k in f.files]\n"
        "print(repr(float(loss(*args)[0])), 'chainrule' in sys.modules)\n".replace(
            "loss(", "readme_loss_value_and_grad("
        )
    )
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    out = subprocess.run(
        [sys.executable, "-I", "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert out.split() == [repr(float(readme_loss(*args))), "False"]


def test_sizes_that_do_not_fit_are_refused_by_name():
    function, arguments = CASES["readme"]
    emitted = load(cr.source(function, *arguments()), "readme")
    X, y, *weights = arguments()
    with pytest.raises(ValueError, match=r"y\.shape\[0\] == N"):
        emitted(X, y[:-1], *weights)


def test_a_size_that_the_function_reads_becomes_a_guard():
    def f(x):
        return np.sum(x**2) if len(x) > 3 else np.sum(x)

    text = cr.source(f, np.ones(5))
    assert load(text, "f")(np.ones(5)) == 5.0
    with pytest.raises(ValueError, match=r"x\.shape"):
        load(text, "f")(np.ones(2))


def test_plain_ints_that_follow_a_size_are_lifted():
    def f(x, y):
        count = np.zeros((len(x), 2))
        return np.sum((count + x) * np.arange(len(y))[:, None]) * (1 / len(y)) + len(x) // 2

    text = cr.source(f, np.ones((4, 2)), np.ones(4))
    assert "4" not in text.replace("X.shape", "")
    for n in (2, 5, 9):
        r = np.random.default_rng(n)
        args = r.standard_normal((n, 2)), r.standard_normal(n)
        assert load(text, "f")(*args) == pytest.approx(f(*args), rel=1e-12)


def test_a_captured_array_is_a_keyword_parameter():
    table = np.arange(6.0).reshape(2, 3)

    def f(x):
        return np.sum(table @ x)

    text = cr.source(cr.grad(f), np.ones(3))
    assert "(x, *, table)" in text
    np.testing.assert_array_equal(load(text, "f")(np.ones(3), table=table), table.sum(0))


def test_hostile_and_clashing_names_become_identifiers():
    tree = {"a b": np.ones(2), "import os": np.ones(2), "np": np.ones(2), "class": np.ones(2), "x-1": np.ones(2)}

    def f(tree, np_=1.0):
        import_ = tree["import os"] * tree["np"]
        return (import_ + tree["a b"] * tree["class"] * tree["x-1"]).sum() * np_

    text = cr.source(cr.grad(f), tree, 2.0)
    ast.parse(text)
    emitted = load(text, "f")
    got = emitted(*[tree[key] for key in sorted(tree)], 2.0)
    want = cr.grad(f)(tree, 2.0)
    for key in tree:
        np.testing.assert_array_equal(got[key], want[key])


def test_python_floats_have_no_methods():
    def f(a, b):
        return np.sum(a * b) + np.mean(a) + np.reshape(a, (1,))[0] + np.max(b)

    assert load(cr.source(f, 2.0, 3.0), "f")(2.0, 3.0) == f(2.0, 3.0)
    assert cr.jit(cr.grad(f, wrt=(0, 1)))(2.0, 3.0) == (5.0, 3.0)


def test_names_of_helpers_are_taken():
    def f(erfc, z):
        sigmoid = cr.nn.sigmoid(z)
        return np.sum(sigmoid * erfc * cr.nn.gelu(z))

    args = np.ones(3), np.array([0.3, -0.2, 4.0])
    assert load(cr.source(cr.grad(f), *args), "f")(*args) == pytest.approx(cr.grad(f)(*args))
    assert cr.jit(f)(*args) == pytest.approx(f(*args))


def test_the_users_arithmetic_keeps_its_brackets():
    def f(a, b, c):
        return (
            a + (b + c),
            a * (b * c),
            a - (b - c),
            a / (b / c),
            -(a**2),
            (-a) ** 2,
            (a @ b) @ c,
            a @ (b @ c),
            a * (b @ c),
        )

    args = tuple(np.random.default_rng(3).standard_normal((3, 3, 3)))
    for got, want in zip(load(cr.source(f, *args), "f")(*args), f(*args), strict=True):
        np.testing.assert_array_equal(got, want)


def test_literals_keep_their_strength():
    def f(x):
        return x * 2.0, x * np.float64(2), x / 3, np.float32(0.1) * x

    x = np.ones(2, dtype=np.float32)
    got = load(cr.source(f, x), "f")(x)
    assert [g.dtype for g in got] == [np.float32, np.float64, np.float32, np.float32]


def test_a_static_argument_is_part_of_the_program():
    def f(x, power, mode):
        return np.sum(x**power) if mode == "sum" else np.mean(x**power)

    text = cr.source(f, np.ones(3), 3, "sum")
    assert "** 3" in text
    assert load(text, "f")(np.full(4, 2.0)) == 32.0


def test_a_gradient_that_is_constant():
    text = cr.source(cr.grad(lambda x: 3.0 * np.sum(x)), np.ones(4))
    np.testing.assert_array_equal(load(text, "g")(np.ones(7)), np.full(7, 3.0))
    value = load(cr.source(cr.grad(lambda x: 3.0 * x), 1.0), "g")(1.0)
    assert value == 3.0
    assert value.dtype == np.float64


def test_python_control_flow_on_values_is_refused_with_advice():
    def f(x):
        return x.sum() if x[0] > 0 else -x.sum()

    assert cr.grad(f)(np.array([-1.0, 2.0])).tolist() == [-1.0, -1.0]
    with pytest.raises(cr.errors.ControlFlowError, match=r"np\.where.*line \d+ of f\(\)"):
        cr.source(f, np.ones(2))


def test_randomness_is_refused():
    with pytest.raises(cr.errors.UnsupportedError, match="random"):
        cr.source(lambda x: np.sum(x * np.random.rand(3)), np.ones(3))


def test_a_plain_table_indexed_by_traced_labels_is_refused():
    table = np.random.default_rng(0).standard_normal((4, 2))
    y = np.array([0, 3, 1])
    with pytest.raises(cr.errors.UnsupportedError, match="one_hot"):
        cr.source(lambda y, w: np.sum(table[y] * w), y, np.ones(2))

    def looked_up(y, w):
        return np.sum((cr.nn.one_hot(y, 4) @ table) * w)

    text = cr.source(looked_up, y, np.ones(2))
    assert load(text, "f")(y, np.ones(2), table=table) == pytest.approx(np.sum(table[y]))


def test_a_function_that_is_called_like_a_helper_gets_another_name():
    def softplus(x):
        return np.sum(cr.nn.softplus(x))

    x = np.array([0.5, -1.0])
    assert "def softplus_(" in cr.source(softplus, x)
    assert cr.jit(softplus)(x) == softplus(x)
