"""Staged programs at other sizes, and after what they captured has changed: the same as the function, or refused."""

import functools

import numpy as np
import pytest

import chainrule as cr

SIZES = {
    "ceil": (lambda x: np.sum(x) / ((len(x) + 3) // 4), (8, 100, 5, 6)),
    "remainder": (lambda x: np.sum(x) * (len(x) % 2), (2, 4, 5)),
    "root": (lambda x: np.sum(x) * int(len(x) ** 0.5), (6, 9, 16)),
    "part": (lambda x: np.sum(x[: int(0.8 * len(x))]), (10, 5, 7, 8, 16)),
    "padding": (lambda x: np.concatenate([x, np.ones(-len(x) % 4)]).sum(), (5, 6, 7, 8)),
    "truth": (lambda x: np.sum(x) if x.shape[0] % 2 else np.sum(2 * x), (4, 5)),
    "truth of a difference": (lambda x: np.sum(x) if x.shape[0] - 2 else np.sum(2 * x), (2, 3)),
    "abs": (lambda x: np.sum(x) * abs(x.shape[0] - 5), (4, 9)),
    "threshold": (lambda x: np.sum(x) if len(x) <= 500 else np.sum(2 * x), (4, 600)),
    "min": (lambda x: np.sum(x[: min(len(x), 500)]), (4, 600)),
    "membership": (lambda x: np.sum(x) if len(x) in (5, 8) else np.sum(2 * x), (3, 5, 8)),
    "a float": (lambda x: np.sum(x) if x.shape[0] == 5.0 else 2 * np.sum(x), (5, 6)),
    "bits": (lambda x: np.sum(x) * (x.shape[0] & 1), (4, 5)),
    "halves": (lambda x: np.sum(x[: len(x) // 2]) + len(x) // 2, (4, 5, 9)),
    "loop": (lambda x: sum(x[i] * i for i in range(len(x))), (3, 4, 7)),
    "unit": (lambda x: np.sum(x) if x.shape[0] > 1 else np.sum(x) * 100, (4, 1)),
    "squeeze": (lambda x: np.sum(np.squeeze(x[:, None]) * np.ones(2)[:1]), (4, 1)),
    "zeros": (lambda x: np.sum(np.zeros((len(x), 2)) + np.arange(len(x))[:, None] * x[:, None]), (2, 3, 9)),
    "prod": (lambda x: np.sum(x) / np.prod(x.shape) + x.size, (3, 8)),
    "reshape": (lambda x: np.sum(x.reshape(-1, 2) * np.eye(2)[0]), (4, 6)),
    "slices": (lambda x: np.sum(x[1:] * x[:-1]) + np.sum(x[::-1] * np.arange(len(x))), (3, 4, 9)),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_same_at_every_size(name):
    f, sizes = SIZES[name]
    jitted, derived = cr.jit(f), cr.jit(cr.grad(f))
    for n in sizes:
        x = np.linspace(0.5, 1.5, n)
        assert jitted(x) == pytest.approx(f(x), rel=1e-13)
        np.testing.assert_allclose(derived(x), cr.grad(f)(x), rtol=1e-13)


def test_emitted_source_refuses_the_size_it_was_not_made_for():
    scope = {}
    exec(cr.source(SIZES["unit"][0], np.ones(4)), scope)
    with pytest.raises(ValueError, match="N >= 2"):
        scope["lambda_"](np.ones(1))
    assert "read as a plain number" in cr.source(SIZES["threshold"][0], np.ones(4))


LOOKUPS = {
    "permutation": lambda x, y: np.sum(x * np.array([0, 1, 3, 2])[y]),
    "square": lambda x, y: np.sum(x * np.asarray(y) ** 2),
    "almost eye": lambda x, y: np.sum(x * np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.2, 0, 0, 1]])[y, 0]),
    "ignored class": lambda x, y: np.sum(x[:, None] * np.diag([1.0, 1.0, 1.0, 0.0])[y]),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_table_indexed_by_traced_labels_is_refused(name):
    with pytest.raises(cr.errors.UnsupportedError, match="one_hot"):
        cr.jit(LOOKUPS[name])(np.array([1.0, 2.0, 3.0, 4.0]), np.arange(4))


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: np.sum(x * np.eye(4)[y]),
        lambda x, y: np.sum(x * np.eye(4)[y].T),
        lambda x, y: np.sum(x * np.eye(4)[:, y]),
        lambda x, y: np.sum(x[0] * np.asarray(y)),
        lambda x, y: np.sum(x[np.arange(4), y]),
    ],
)
def test_labels_used_as_labels(f):
    x, y = np.arange(16.0).reshape(4, 4), np.array([3, 0, 1, 3])
    assert cr.jit(f)(x, y) == f(x, y)


def test_a_captured_index_is_not_taken_for_labels():
    rows = np.array([0, 1])
    for _ in range(10):
        f = cr.jit(lambda x, y: np.sum(x[rows] * x[y]))
        assert f(np.array([1.0, 2.0]), np.array([1, 0])) == 4.0


class Model:
    def __init__(self):
        self.W = np.ones(2)
        self.factor = 2.0

    def __call__(self, x):
        return np.sum(x * self.W) * self.factor


def with_default(x, w=np.ones(2)):  # noqa: B008 - that is what is being tested
    return np.sum(x * w)


def change(kind):
    """A function, and what changes something that it captures."""
    model, table, items, W = Model(), {"W": np.ones(2), "k": 2.0}, [np.ones(2)], np.ones(2)
    return {
        "attribute": (lambda x: np.sum(x * model.W), lambda: setattr(model, "W", 3 * np.ones(2))),
        "attribute written": (lambda x: np.sum(x * model.W), lambda: model.W.__setitem__(0, 9.0)),
        "callable object": (model, lambda: setattr(model, "factor", 5.0)),
        "method": (model.__call__, lambda: setattr(model, "factor", 7.0)),
        "dict": (lambda x: np.sum(x * table["W"]) * table["k"], lambda: table.__setitem__("k", 5.0)),
        "list": (lambda x: np.sum(x * items[0]), lambda: items.__setitem__(0, 5 * np.ones(2))),
        "computed": (lambda x: np.sum(x * (W * 2)), lambda: W.__setitem__(0, 7.0)),
        "slice": (lambda x: np.sum(x * W[:2]), lambda: W.__setitem__(1, 7.0)),
        "default": (with_default, lambda: with_default.__defaults__[0].__setitem__(0, 4.0)),
        "partial": (functools.partial(lambda w, x: np.sum(x * w), W), lambda: W.__setitem__(0, 4.0)),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "attribute", "attribute written", "callable object", "method", "dict", "list", "computed", "slice", "default",
        "partial",
    ],
)  # fmt: skip
def test_a_change_of_what_was_captured_is_seen(kind):
    f, happen = change(kind)
    jitted = cr.jit(f)
    assert jitted(np.ones(2)) == f(np.ones(2))
    before = f(np.ones(2))
    happen()
    assert f(np.ones(2)) != before
    assert jitted(np.ones(2)) == f(np.ones(2))


def test_scratch_memory_is_the_functions_own():
    buffer = np.zeros(3)

    def f(x):
        total = 0
        for i in range(3):
            buffer[:] = 0
            buffer[i] = i + 1.0
            total = total + np.sum(x * buffer)
        return total

    np.testing.assert_array_equal(cr.jit(cr.grad(f))(np.ones(3)), [1, 2, 3])
    np.testing.assert_array_equal(cr.grad(f)(np.ones(3)), [1, 2, 3])


def test_gradients_of_one_structure_and_other_captured_indices():
    Z, y = np.arange(12.0).reshape(3, 4), np.array([0, 1, 2])
    g = cr.grad(lambda Z, rows: np.sum(Z[rows, y]))
    g(Z, np.arange(3))
    assert g(Z, np.array([0, 0, 0])).tolist() == [[1, 1, 1, 0], [0] * 4, [0] * 4]


def test_the_order_of_a_dict_is_part_of_the_key():
    f = cr.jit(lambda t: [i * 1.0 * np.sum(v) for i, v in enumerate(t.values())])
    x = np.array([1.0, 2.0, 3.0])
    f({"a": x, "b": 2 * x})
    assert f({"b": x, "a": 2 * x}) == [0.0, 12.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.sum() * np.float64(len(x)),
        lambda x: x.sum() * np.int64(len(x)),
        lambda x: x.sum() / np.prod(x.shape),
        lambda x: x.sum() * np.float64(x.shape[0]),
        lambda x: x.sum() * len(x),
        lambda x: x.sum() / len(x),
    ],
)
def test_numbers_of_a_size_keep_numpys_strength(f):
    x = np.ones(3, dtype=np.float32)
    assert cr.jit(f)(x).dtype == f(x).dtype


def test_what_a_whole_function_may_return():
    assert cr.jit(lambda x: (np.sum(x), x.shape))(np.ones(3)) == (3.0, (3,))
    assert cr.grad(lambda x: np.sum(x * 3))(np.ones(2)).dtype == np.float64
    J = cr.jacobian(lambda x: x.sum() * np.ones((3, 3)), mode="reverse")(np.ones(2))
    J += 1  # it owns its memory
    second = cr.jit(cr.hvp(lambda W: np.sum(W[[0, 0, 1]] ** 3)))(np.ones((3, 2)), np.ones((3, 2)))
    np.testing.assert_array_equal(second, [[12, 12], [6, 6], [0, 0]])


def test_softmax_like_quotients_that_are_not_softmax():
    rng = np.random.default_rng(0)
    Z, W = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))

    def another_maximum(Z):
        E = np.exp(Z - Z.max(axis=1))
        return np.sum(W * E / E.sum(axis=1, keepdims=True))

    def another_sum(Z):
        return np.sum(W * np.exp(Z) / np.sum(np.exp(2 * Z), axis=1, keepdims=True))

    def columns(Z):
        E = np.exp(Z)
        P = E / E.sum(axis=1, keepdims=True)
        return np.sum(W * P / E.sum(axis=0))

    for f in (another_maximum, another_sum, columns):
        numerical = np.zeros_like(Z)
        for place in np.ndindex(Z.shape):
            step = np.zeros_like(Z)
            step[place] = 1e-6
            numerical[place] = (f(Z + step) - f(Z - step)) / 2e-6
        np.testing.assert_allclose(cr.grad(f)(Z), numerical, atol=1e-8)
        np.testing.assert_allclose(cr.jit(cr.grad(f))(Z), numerical, atol=1e-8)


@pytest.mark.parametrize(
    "P",
    [
        lambda Z: np.exp(Z) / np.exp(Z).sum(1, keepdims=True),
        lambda Z: np.exp(Z) / np.exp(Z).sum(1)[:, None],
    ],
)
def test_softmax_without_a_name_for_its_exponentials_is_stable_too(P):
    Z = np.array([[1000.0, 0.0, -1000.0]])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(cr.grad(lambda Z: -np.log(P(Z)[0, 0]))(Z), [[0.0, 0.0, 0.0]])
