"""Formulas as text: they mean what Python means by them, and nothing but formulas gets through."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.diagnosis.formula_words import BARE, FUNCTIONS, METHODS
from chainrule.diagnosis.formulas import parse_formula
from chainrule.errors import ArgumentError, FormulaError

RANDOM = np.random.default_rng(0)
VALUES = {
    "A": RANDOM.normal(size=(4, 3)),
    "Z": RANDOM.normal(size=(4, 3)),
    "W": RANDOM.normal(size=(3, 5)),
    "dZ": RANDOM.normal(size=(4, 5)),
    "b": RANDOM.normal(size=5),
    "y": np.array([0, 2, 1, 2]),
    "N": 4,
    "lam": 0.1,
    "params": {"W1": RANDOM.normal(size=(3, 5)), "layers": [RANDOM.normal(size=2), RANDOM.normal(size=3)]},
}
BY_NAME = {name: word.run for name, word in {**FUNCTIONS, **BARE}.items()}


def python_says(text):
    """What Python itself makes of the text: the judge, in tests only."""
    return eval(text, {"__builtins__": {"float": float}, "np": np, "numpy": np, **BY_NAME}, dict(VALUES))  # noqa: S307


FORMULAS = [
    "A.T @ dZ / N",
    "dZ.sum(axis=0)",
    "sum(dZ, axis=0, keepdims=True)",
    "np.outer(b, b) * 2",
    "-(dZ @ W.T) * (Z > 0)",
    "where(Z > 0, Z, 0.01 * Z)",
    "dZ @ W.T * A * (1 - A)",
    "np.einsum('ni,nj->ij', A, dZ)",
    "einsum('...i,...j->...ij', A, dZ)",
    "maximum(0, Z)",
    "(Z > 0) & (Z < 1) | ~(A > 0)",
    "softmax(Z) - np.eye(3)[y]",
    "softmax(Z.T, axis=0)",
    "Z[:, None, 0] - Z[1:, ..., 2].T[None]",
    "A[:, ::-1][0] ** 2 // 1",
    "dZ.reshape(2, -1).mean(axis=1)",
    "np.ones((N, 1)) * lam + np.zeros((1, A.shape[1]))",
    "A / N if N > 1 else A",
    "len(A) * A.size / Z.ndim",
    "params['W1'] * params['layers'][1][:, None]",
    "np.transpose(A) @ A - np.diag(np.ones(3))",
    "2 ** -1 * A + 3 % 2 + 1e-3",
    "A[np.arange(N), y]",
    "np.pi * A[np.newaxis]",
    "(Z > 0).astype(float) * A.astype(np.float64)",
    "np.sum(A * Z, (0, 1))",
    "Z.max(axis=1, keepdims=True) + Z.min()",
    "np.concatenate([A, Z], axis=1)",
    "np.tile(b, (N, 1)) - dZ + b.repeat(2)[::2]",
    "relu(Z) + sigmoid(A) + tanh(Z)",
    "abs(-A) + sign(+Z)",
    "A[Z > 0].sum() + Z[[0, 1]].mean()",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gives_what_python_gives(text):
    np.testing.assert_array_equal(parse_formula(text).evaluate(VALUES), python_says(text))


ATTACKS = [
    "__import__('os').system('true')",
    "A.__class__",
    "A.T.__class__.__mro__",
    "().__class__.__bases__[0].__subclasses__()",
    "np.__dict__",
    "np.load('weights.npy')",
    "np.save('x', A)",
    "np.lib.format.open_memmap('x')",
    "A.tofile('x')",
    "A.ctypes",
    "A.base",
    "A.dump('x')",
    "np.fromfile('x')",
    "np.vectorize(abs)",
    "np.frompyfunc(abs, 1, 1)",
    "eval('1')",
    "exec('1')",
    "open('x')",
    "getattr(A, 'T')",
    "globals()",
    "(lambda: 1)()",
    "lambda: A",
    "[A for A in Z]",
    "{a for a in Z}",
    "{a: a for a in Z}",
    "sum(a for a in Z)",
    "f'{A}'",
    "f'{A.__class__}'",
    "'text'",
    "b'text'",
    "(A := Z)",
    "A if (x := 1) else Z",
    "abs(abs)(A)",
    "sum(*A)",
    "sum(**params)",
    "reshape(A, *Z.shape)",
    "await A",
    "yield A",
    "A; Z",
    "import os",
    "A.sum",
    "A.sum.__self__",
    "A.sum()()",
    "np.sum.reduce(A)",
    "np.add.at(A, 0, 1)",
    "exp(A, Z)",
    "np.add(A, Z, A)",
    "np.sum(A, 0, None, Z)",
    "exp(A, out=Z)",
    "A.sum(out=Z)",
    "A.dot(Z, Z)",
    "A.astype(object)",
    "A.astype('O')",
    "np.array(A, dtype=object)",
    "np.einsum(A, 'ij')",
    "A and Z",
    "not A",
    "0 < Z < 1",
    "A is Z",
    "A in Z",
    "1j * A",
    "A[lambda: 0]",
    "A[(lambda: 0)()]",
    "{'a': A}",
    "print(A)",
    "np",
    "np.random.normal()",
    "A.real",
    "A << 2",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_is_no_formula_is_refused_before_it_runs(text):
    with pytest.raises(FormulaError):
        parse_formula(text).evaluate(VALUES)


def test_every_refusal_is_an_argument_error():
    assert issubclass(FormulaError, ArgumentError)


BOMBS = [
    "9**9**9",
    "9**9**9**9",
    "2**64",
    "(2**62) * (2**62)",
    "np.power(9, 9**8)",
    "1" * 400,
    "1" * 3990,
    "np.ones((9**9, 9**9))",
    "zeros(9**9)",
    "full((9**5, 9**5), 1)",
    "eye(9**6)",
    "identity(9**6)",
    "arange(9**12)",
    "diag(ones(9**6))",
    "outer(ones(9**5), ones(9**5))",
    "kron(ones((99, 99)), ones((99, 99)))",
    "ones((9**4, 1)) + ones((1, 9**5))",
    "ones((9**4, 1)) @ ones((1, 9**5))",
    "repeat(A, 9**9)",
    "A.repeat(9**9)",
    "tile(A, (9**9, 9))",
    "broadcast_to(1.0, (9**9, 9**9)) + 1",
    "where(A[:1, :1] > 0, ones((9**4, 1)), ones((1, 9**5)))",
    "einsum('i,j->ij', ones(9**5), ones(9**5))",
    "einsum('i,j', ones(9**5), ones(9**5))",
    "ones((9**3, 9**3))[(ones(9**6) > 0).astype(int)]",
    "(" * 150 + "A" + ")" * 150 + " + " + "-" * 300 + "A",
    "-" * 3000 + "A",
    "~" * 80 + "A",
    "A" + "[0]" * 1000,
    "A" + ".T" * 1900,
    "A" + " + 1" * 5000,
]


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:40])
def test_what_would_take_forever_or_all_memory_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(FormulaError):
        parse_formula(text).evaluate(VALUES)
    assert time.process_time() - start < 2.0


def test_the_work_of_a_whole_formula_is_bounded(monkeypatch):
    monkeypatch.setattr("chainrule.diagnosis.formulas.LARGEST", 1000)
    text = " + ".join(["(ones((30, 30)) + 1)"] * 20)
    parse_formula(text).evaluate({})
    text = " + ".join(["(ones((30, 30)) + 1)"] * 100)
    with pytest.raises(FormulaError, match="too large"):
        parse_formula(text).evaluate({})


def test_the_largest_array_of_the_user_sets_the_scale():
    large = np.zeros((2, 2**20), np.float32)
    assert parse_formula("(x + x) * 2 - x").evaluate({"x": large}).shape == large.shape


ADVICE = [
    ("A^2", r"write \*\* for a power"),
    ("A ^ T @ dZ", r"write A\.T"),
    ("dA^T", r"write dA\.T"),
    (r"\frac{1}{N} dZ", "NumPy, not LaTeX"),
    (r"A \odot Z", "NumPy, not LaTeX"),
    ("A · Z", "@ for that of matrices"),
    ("A × Z", r"@ for that of matrices"),
    ("∂A / ∂Z", "write the derivative out"),
    ("∑ A", "axis"),
    ("dA = A * Z", "right-hand side only"),
    ("dA == = A", "cannot be read"),
    ("2A", r"write \* \(or @\)"),
    ("2 A", r"write \* \(or @\)"),
    ("A Z", r"write \* \(or @\)"),
    ("A(1 - A)", r"write|written A \* \(\.\.\.\)"),
    ("(1 - A)(A)", r"write \* \(or @\)"),
    ("f'(Z)", r"\(Z > 0\)"),
    ("relu′(Z)", r"\(Z > 0\)"),
    ("A.t @ dZ", r"did you mean \.T"),
    ("A.sums()", r"did you mean sum\?"),
    ("np.sigmoids(A)", "not known here"),
    ("sigmiod(A)", "did you mean sigmoid"),
    ("np.expp(A)", "did you mean exp"),
    ("A.exp()", r"write exp\(\.\.\.\)"),
    ("max(0, Z)", r"maximum\(a, b\)"),
    ("A and Z", "write & or |"),
    ("0 < Z < 1", r"\(0 < Z\) & \(Z < 1\)"),
    ("Z > 0 & Z < 1", r"\(0 < Z\) & \(Z < 1\)"),
    ("sum(A, dim=0)", "known are axis, keepdims"),
    ("A.sum", r"write \.sum\(\.\.\.\)"),
    ("", "empty"),
    ("A +", "cannot be read"),
    ("(A", "cannot be read"),
    ("A # the mean", "comment"),
]


@pytest.mark.parametrize(("text", "says"), ADVICE)
def test_a_refusal_says_what_to_write(text, says):
    with pytest.raises(FormulaError, match=says):
        parse_formula(text)


def test_signs_of_mathematics_with_one_meaning_are_read():
    formula = parse_formula("Aᵀ @ dZ ⊙ 2 − Wᵀ.T")
    assert formula.text == "A.T @ dZ * 2 - W.T.T"
    np.testing.assert_array_equal(formula.evaluate(VALUES), VALUES["A"].T @ VALUES["dZ"] * 2 - VALUES["W"])


def test_greek_names_are_names():
    assert parse_formula("X.T @ δ3 / N").names == ("X", "δ3", "N")


def test_an_unknown_name_lists_what_is_known_and_what_is_close():
    with pytest.raises(FormulaError) as caught:
        parse_formula("A.T @ dz").evaluate({"A": VALUES["A"], "dZ": VALUES["dZ"]})
    assert str(caught.value).splitlines() == [
        "there is no dz here; known are A, dZ; did you mean dZ?",
        "    A.T @ dz",
        "          ^^",
    ]


def test_a_quotient_of_differentials_is_asked_about_unless_both_are_arrays():
    with pytest.raises(FormulaError, match="write the derivative out"):
        parse_formula("dL * dA/dZ").evaluate({"dL": 1.0, "dZ": VALUES["dZ"]})
    both = {"dA": np.ones(2), "dZ": np.full(2, 4.0)}
    np.testing.assert_array_equal(parse_formula("dA/dZ").evaluate(both), [0.25, 0.25])


def test_a_misfit_names_the_part_both_shapes_and_the_place():
    with pytest.raises(FormulaError) as caught:
        parse_formula("lam * (A @ dZ) + 1").evaluate(VALUES)
    assert str(caught.value).splitlines() == [
        "A @ dZ does not fit: A is (4, 3), dZ is (4, 5); the inner sizes 3 and 4 must agree",
        "    lam * (A @ dZ) + 1",
        "           ^^^^^^",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A * dZ", r"A is \(4, 3\), dZ is \(4, 5\); sizes of one axis"),
        ("A @ N", r"A is \(4, 3\), N is \(\); @ is for matrices"),
        ("np.maximum(A, dZ)", r"np.maximum\(A, dZ\) does not fit: A is \(4, 3\), dZ is \(4, 5\)"),
        ("A.dot(dZ)", r"A is \(4, 3\), dZ is \(4, 5\)"),
        ("einsum('ij,jk->ik', A, dZ)", r"A is \(4, 3\), dZ is \(4, 5\)"),
        ("A.reshape(5, 5)", r"A.reshape\(5, 5\) does not fit: A is \(4, 3\)"),
        ("A[:, 3]", "out of bounds"),
        ("A.sum(axis=2)", "out of bounds"),
        ("1 - (Z > 0) - (A > 0)", None),
        ("(Z > 0) - (A > 0)", "a mask is no number"),
        ("A & Z", "are for masks"),
        ("A if Z > 0 else 0", r"where\(condition, a, b\)"),
        ("1 / 0", "division by zero"),
        ("(-1.0) ** 0.5", "no real number"),
        ("A.shape", "gives a shape"),
        ("params", "dict"),
        ("params['W2']", "does not fit"),
        ("None", "nothing"),
    ],
)
def test_what_does_not_fit_is_explained(text, says):
    if says is None:
        parse_formula(text).evaluate(VALUES)
        return
    with pytest.raises(FormulaError, match=says):
        parse_formula(text).evaluate(VALUES)


def test_the_place_is_right_behind_letters_of_several_bytes():
    with pytest.raises(FormulaError) as caught:
        parse_formula("δδδ + A @ Z").evaluate({"δδδ": 1.0, **VALUES})
    assert str(caught.value).splitlines()[1:] == ["    δδδ + A @ Z", "          ^^^^^"]


def test_values_are_never_written_to_and_results_are_the_callers_own():
    x = np.ones(3)
    result = parse_formula("x").evaluate({"x": x})
    result[:] = 5
    assert x.tolist() == [1, 1, 1]
    assert parse_formula("x").evaluate({"x": x}).flags.writeable


def test_masks_and_integers_become_floats_and_float32_stays():
    assert parse_formula("Z > 0").evaluate(VALUES).dtype == np.float64
    assert parse_formula("N").evaluate(VALUES).dtype == np.float64
    assert parse_formula("2 * x").evaluate({"x": np.ones(2, np.float32)}).dtype == np.float32


def test_objects_and_complex_numbers_are_no_values():
    for value in (np.array([1j]), np.array([None]), np.array(["a"])):
        with pytest.raises(FormulaError, match="real numbers"):
            parse_formula("x + 1").evaluate({"x": value})


def test_overflow_and_division_by_zero_in_arrays_are_numpys_business_and_quiet():
    values = {"x": np.array([0.0, 1.0])}
    np.testing.assert_array_equal(parse_formula("1 / x").evaluate(values), [np.inf, 1.0])


def test_every_function_of_the_table_is_numpys_or_ours_and_none_takes_out():
    for name, word in {**FUNCTIONS, **BARE, **METHODS}.items():
        assert not word.keywords & {"out", "where", "order", "casting"}, name


ELEMENTWISE = ["exp", "tanh", "np.abs", "sign", "np.square", "relu", "sigmoid"]
SAME = st.sampled_from(["A", "Z", "(A > 0)", "A[::-1]", "np.roll(Z, 1, axis=0)", "Z.T.T"])


def _grown(parts):
    pair = st.tuples(parts, parts)
    return st.one_of(
        st.tuples(pair, st.sampled_from(["+", "*", "/"])).map(lambda p: f"({p[0][0]} {p[1]} {p[0][1]})"),
        pair.map(lambda p: f"({p[0]} - 1.5 * {p[1]})"),
        pair.map(lambda p: f"np.maximum({p[0]}, {p[1]})"),
        pair.map(lambda p: f"where({p[0]} > 0, {p[1]}, {p[0]})"),
        pair.map(lambda p: f"({p[0]} @ ({p[1]}).T @ Z)"),
        st.tuples(st.sampled_from(ELEMENTWISE), parts).map(lambda p: f"{p[0]}({p[1]})"),
        parts.map(lambda p: f"-({p})" if ">" not in p else f"({p} * 2)"),
        parts.map(lambda p: f"({p}).sum(axis=0, keepdims=True) * Z"),
        parts.map(lambda p: f"np.mean({p}, axis=1)[:, None] + A"),
        parts.map(lambda p: f"({p} + A)[1:, :] @ W @ W.T + b[1:4]"[: -len(" + b[1:4]")] + " + Z[1:]" + " + A[:1]"),
    ).filter(lambda text: "[1:, :]" not in text or text.count("[1:, :]") == 1)


@given(st.recursive(SAME, _grown, max_leaves=6))
def test_random_formulas_give_what_python_gives(text):
    with np.errstate(all="ignore"):
        try:
            wanted = python_says(text)
        except (ValueError, TypeError):
            with pytest.raises(FormulaError):
                parse_formula(text).evaluate(VALUES)
            return
    np.testing.assert_array_equal(parse_formula(text).evaluate(VALUES), np.asarray(wanted, float))


PIECES = [
    *"()[]{}.,:;=+-*/@^&|~<>'\"\\ ",
    "A",
    "Z",
    "dZ",
    "y",
    "N",
    "b",
    "np.",
    ".T",
    "sum",
    "exp",
    "params",
    "axis=0",
    "0",
    "1",
    "2.5",
]
PIECES += [
    "reshape",
    "einsum",
    "'ij'",
    "where",
    "None",
    "True",
    "...",
    "lambda",
    "for",
    "in",
    "if",
    "else",
    "==",
    "**",
    "//",
    "ᵀ",
    "é",
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_text_is_either_a_formula_or_a_formula_error(text):
    try:
        result = parse_formula(text).evaluate(VALUES)
    except FormulaError:
        return
    assert result.dtype.kind == "f"
