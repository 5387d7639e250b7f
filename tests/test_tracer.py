"""Traced values behave as arrays, or refuse by name and line with what to write instead; never a silent wrong answer."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import LeakedTracerError, ShapeError, UnsupportedError
from recording import record

X = np.array([1.0, 2.0, 3.0])


def gradient(function, *args):
    return cr.grad(function)(*(args or (X,)))


# -- refusals ----------------------------------------------------------------------------------------------------------


def write_into(make, value):
    def f(x):
        buffer = make()
        buffer[0] = value(x)
        return np.sum(buffer)

    return f


def call_with_out(x):
    return np.sum(np.add(x, 1, out=np.zeros(3)))


def fill(x):
    buffer = np.zeros(3)
    buffer.fill(x[0])
    return np.sum(buffer)


def write(x):
    x[0] = 1.0
    return np.sum(x)


def add_at(x):
    buffer = np.zeros(3)
    np.add.at(buffer, [0, 1, 2], x)
    return np.sum(buffer)


def copy_to(x):
    buffer = np.zeros(3)
    np.copyto(buffer, x)
    return np.sum(buffer)


def swallowed(x):
    return np.sum(x) * (2 if np.array_equal([x[0]], [x[0]]) else 1)


REFUSED = {
    "array": (lambda x: np.sum(np.array([x[0], x[1]])), "np.array", "np.stack"),
    "asarray": (lambda x: np.sum(np.asarray(x)), "plain array", "x alone"),
    "full": (lambda x: np.sum(np.full(3, x[0])), "np.full", "np.stack"),
    "r_": (lambda x: np.sum(np.r_[x, x]), "plain array", "np.stack"),
    "vectorize": (lambda x: np.sum(np.vectorize(lambda a: a * 2)(x)), "plain array", "np.stack"),
    "list of traced": (lambda x: np.sum([x[0], x[1]]), "list of traced values", "np.stack"),
    "array.dot": (lambda x: np.sum(np.eye(3).dot(x)), "plain array", "a @ x"),
    "float()": (lambda x: float(x[0]), "float()", "the value itself"),
    "int()": (lambda x: int(x[0]), "int()", "integers"),
    "complex()": (lambda x: complex(x[0]), "complex()", "real"),
    "a complex number": (lambda x: np.sum(x * 1j), "complex", "real"),
    "a complex array": (lambda x: np.sum(x * np.array([1j, 2, 3])), "complex128", "real numbers"),
    "an object array": (lambda x: np.sum(x * np.array([1, 2, 3], object)), "object", "real numbers"),
    "math.sin": (lambda x: math.sin(x[0]), "float()", "the value itself"),
    "an index of a list": (lambda x: [1.0, 2.0][x[0]], "index", "np.take"),
    "range": (lambda x: sum(range(x[0])), "range", "np.take"),
    "a plain array indexed": (lambda x: np.sum(np.eye(3)[np.argmax(x)]) + np.sum(x), "integer array", "one_hot"),
    "x.flat": (lambda x: sum(x.flat), "x.flat", "reshape"),
    "item assignment": (write, "x[i] = v", "np.copy(x)"),
    "into a buffer": (write_into(lambda: np.zeros(3), lambda x: x[0]), "float()", "the value itself"),
    "a row into a buffer": (write_into(lambda: np.zeros((2, 3)), lambda x: x), "plain array", "np.stack"),
    "fill": (fill, "float()", "the value itself"),
    "out": (call_with_out, "out=", "x = x + t"),
    "copyto": (copy_to, "np.copyto", "np.where"),
    "add.at": (add_at, "np.add.at", "np.zeros_like"),
    "where": (lambda x: np.sum(np.add(x, 1, where=[True, False, True])), "where=", "np.where"),
    "dtype": (lambda x: np.sum(np.add(x, 1, dtype=np.float32)), "dtype=", ".astype"),
    "array_equal": (lambda x: np.sum(x) * np.array_equal(x, x), "np.array_equal", "np.all"),
    "array_equal swallows": (swallowed, "plain array", "np.stack"),
    "allclose": (lambda x: np.sum(x) * np.allclose(x, x), "np.allclose", "np.all"),
    "iscomplexobj": (lambda x: np.sum(x) * np.iscomplexobj(x), "np.iscomplexobj", "supports"),
    "round": (lambda x: round(x[0]), "round()", "np.round"),
    "pickle": (lambda x: pickle.dumps(x), "pickling", "result"),
    "argwhere": (lambda x: np.sum(np.where(x > 1)[0]), "positions", "np.where(condition, a, b)"),
    "order": (lambda x: np.sum(np.reshape(x, (3, 1), order="F")), "order='F'", "transpose"),
    "a float as an index": (lambda x: np.sum(X[None] * x[np.array([0.5])]), "integers", "masks"),
    **{
        f"np.{name}": (lambda x, f=f: np.sum(f(x)), f"np.{f.__name__}", "")
        for name, f in {
            "i0": np.i0,
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_traced_is_refused_by_name_and_line(name):
    function, what, instead = REFUSED[name]
    with pytest.raises(UnsupportedError) as refusal:
        gradient(function)
    message = str(refusal.value)
    assert what in message
    assert instead in message
    code = function.__code__
    lines = [line for _, _, line in code.co_lines() if line]
    if name not in ("argwhere", "order", "a float as an index"):
        number = int(message.split("line ")[1].split(maxsplit=1)[0])
        assert min(lines) <= number <= max(lines) + 1
        assert f"of {code.co_name}()" in message


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gradient(lambda x: x.nothing)
    assert gradient(lambda x: np.sum(x) if not hasattr(x, "weights") else 0.0).tolist() == [1, 1, 1]


def test_hash_and_sets_are_refused():
    with pytest.raises(TypeError, match="unhashable"):
        gradient(lambda x: len({x}))


def test_shapes_that_do_not_fit_are_said_with_the_line():
    def f(x):
        return np.sum(x @ np.ones((4, 2)))

    with pytest.raises(ShapeError, match=rf"\(3,\).*\(4, 2\).*line {f.__code__.co_firstlineno + 1} of f\(\)"):
        gradient(f)
    with pytest.raises(ShapeError, match=r"x \+ np.ones\(4\) with \(3,\) and \(4,\)"):
        gradient(lambda x: np.sum(x + np.ones(4)))
    with pytest.raises(ShapeError, match="out of bounds"):
        gradient(lambda x: x[5])
    with pytest.raises(ShapeError, match="rows of 2"):
        gradient(lambda x: np.sum(x.reshape(2, -1)))
    with pytest.raises(ShapeError, match="out of bounds"):
        gradient(lambda x: np.sum(x, axis=1))
    for out_of_bounds in (
        lambda x: np.concatenate([x, x], axis=3),
        lambda x: np.stack([x, x], axis=-3),
        lambda x: np.transpose(x.reshape(1, 3), (0, 3)),
    ):
        with pytest.raises(ShapeError, match="out of bounds"):
            gradient(lambda x, f=out_of_bounds: np.sum(f(x)))


# -- leaks and threads -------------------------------------------------------------------------------------------------


def test_a_value_that_outlives_its_trace_raises_at_its_next_use():
    kept = []

    def f(x):
        kept.append(x * 2)
        return np.sum(x)

    gradient(f)
    for use in (lambda t: t + 1, np.sin, lambda t: X * t, lambda t: t[0], lambda t: t.sum(), lambda t: cr.nn.relu(t)):
        with pytest.raises(LeakedTracerError, match=r"line .* return it instead"):
            use(kept[0])


def test_the_line_that_leaked_is_named_where_lines_are_kept():
    kept = []

    def f(x):
        kept.append(x * 2)
        return np.sum(x)

    record(f, X)
    line = f.__code__.co_firstlineno + 1
    with pytest.raises(LeakedTracerError, match=rf"made on line {line} of f\(\) is used after"):
        kept[0] + 1


def test_a_leaked_value_raises_inside_another_trace():
    kept = []
    gradient(lambda x: np.sum(kept.append(x * 2) or x))
    with pytest.raises(LeakedTracerError):
        gradient(lambda x: np.sum(x * kept[0]))


def test_a_function_that_fails_leaves_nothing_open():
    kept = []

    def f(x):
        kept.append(x)
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="the user's own"):
        gradient(f)
    with pytest.raises(LeakedTracerError):
        kept[0] + 1


def test_the_users_own_errors_pass_unchanged():
    error = ValueError("mine")

    def f(x):
        raise error

    with pytest.raises(ValueError, match="mine") as raised:
        gradient(f)
    assert raised.value is error


def test_threads_do_not_touch_each_other():
    results = {}

    def work(number):
        w = np.full(4, float(number))
        results[number] = [cr.grad(lambda x, w=w: np.sum(np.tanh(x * w) ** 2))(np.ones(4)) for _ in range(30)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, found in results.items():
        t = np.tanh(float(number))
        for g in found:
            np.testing.assert_allclose(g, 2 * t * (1 - t * t) * number)


# -- Python on values --------------------------------------------------------------------------------------------------


def test_control_flow_sees_the_values():
    def f(x):
        total = 0.0
        for v in x:
            if v > 1.5 and not v > 2.5:
                total = total + v * v
            elif v >= 3.0:
                total = total + 10 * v
        while total < 100.0:
            total = total * 2
        return total

    assert f(X) == 136
    assert gradient(f).tolist() == [0.0, 16.0, 40.0]


def test_iteration_unpacking_and_builtins():
    assert gradient(lambda x: sum(v * v for v in x)).tolist() == [2, 4, 6]
    product = lambda a, b, c: a * b * c
    assert gradient(lambda x: product(*x)).tolist() == [6, 3, 2]
    assert gradient(lambda x: sum((i + 1) * v for i, v in enumerate(reversed(x)))).tolist() == [3, 2, 1]
    assert gradient(lambda x: sum(a * b for a, b in zip(x, x[::-1], strict=True))).tolist() == [6, 4, 2]
    assert gradient(lambda x: max(x) * 2 + min(x)).tolist() == [1, 0, 2]
    assert gradient(lambda x: sorted(x)[1] * len(x)).tolist() == [0, 3, 0]
    assert gradient(lambda x: abs(-x[1])).tolist() == [0, 1, 0]
    assert gradient(lambda x: x[0] ** 2 if x is not None and x != None else 0.0).tolist() == [2, 0, 0]  # noqa: E711


def test_formatting_shows_and_does_not_record():
    shown = []

    def f(x):
        shown.append(f"{x[0]:.2f} {np.sum(x):g}")
        shown.append(repr(x))
        shown.append(f"{x}")
        return np.sum(x)

    assert gradient(f).tolist() == [1, 1, 1]
    assert shown[0] == "1.00 6"
    assert shown[1] == shown[2]
    assert "traced" in shown[1]


def test_copies_are_recorded():
    for duplicate in (copy.copy, copy.deepcopy, lambda x: x.copy(), np.copy, lambda x: +x):
        assert gradient(lambda x, duplicate=duplicate: np.sum(duplicate(x) ** 2)).tolist() == [2, 4, 6]


def test_python_lists_act_as_arrays():
    assert gradient(lambda x: np.sum(x * [1, 2, 3] + [4.0, 5.0, 6.0])).tolist() == [1, 2, 3]
    assert gradient(lambda x: np.sum([1, 2, 3] * x)).tolist() == [1, 2, 3]
    assert gradient(lambda x: x @ [1, 2, 3] + [3, 2, 1] @ x).tolist() == [4, 4, 4]
    assert gradient(lambda x: np.sum(np.maximum(x, [2, 2, 2]))).tolist() == [0, 0, 1]


# -- in place ----------------------------------------------------------------------------------------------------------


def test_an_in_place_operator_on_a_fresh_array_is_exact_and_aliases_follow():
    def f(x):
        y = x * 2
        alias = y
        y += x
        y *= x
        y -= 1.0
        y /= 2.0
        y **= 2
        return np.sum(alias), np.sum(y)

    def plain(x):
        y = (((x * 2 + x) * x) - 1.0) / 2.0
        return np.sum(y**2)

    for place in (0, 1):
        assert np.array_equal(gradient(lambda x, p=place: f(x)[p]), gradient(plain))


def test_in_place_on_scalars_rebinds():
    def f(x):
        s = x[0]
        t = s
        s *= 3.0
        s += t
        return s

    assert gradient(f).tolist() == [4, 0, 0]

    def total(x):
        total = 0.0
        for v in x:
            total += v * v
        return total

    assert gradient(total).tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x.__iadd__(1.0)),  # the caller's own array
        lambda x: np.sum(x[:2].__iadd__(1.0)),  # a view of it
        lambda x: np.sum(np.broadcast_to(x * 2, (2, 3)).__imul__(2.0)),  # a view that cannot be written
        lambda x: np.sum((y := x * x[:, None]).reshape(-1).__imul__(2.0)) + np.sum(y),  # a view, or a copy
        lambda x: np.sum((x * 2).__iadd__(np.ones((2, 3)))),  # would change its shape
    ],
)
def test_in_place_operators_that_cannot_be_exact_are_refused(f):
    with pytest.raises((UnsupportedError, ShapeError)):
        gradient(f)


def test_a_view_sees_what_is_written_in_place():
    def f(x):
        y = x * 2
        view = y[:2]
        y += 1.0
        y *= x
        return np.sum(view)

    assert gradient(f).tolist() == [5, 9, 0]


def test_a_gathered_copy_can_be_written_in_place():
    def f(x):
        y = x[np.array([0, 0, 2])]
        y *= 2.0
        return np.sum(y)

    assert gradient(f).tolist() == [4, 0, 2]


def test_an_in_place_operator_never_changes_the_dtype():
    def f(x):
        y = x * np.float32(2)
        y += np.array([1.0, 2.0, 3.0])
        return np.sum(y)

    x = X.astype(np.float32)
    assert cr.value_and_grad(f)(x)[0].dtype == f(x).dtype == np.float32
    assert gradient(f, x).tolist() == [2, 2, 2]

    def into_integers(x):
        y = (x * 2).astype(int)
        y += x
        return np.sum(y)

    with pytest.raises(UnsupportedError, match="of int64 with a result of float64"):
        gradient(into_integers)


def test_masks_are_combined_in_place():
    def f(x):
        mask = x > 0.5
        mask &= x < 2.5
        mask |= x > 10
        mask ^= x > 100
        return np.sum(x * mask)

    assert gradient(f).tolist() == [1, 1, 0]


# -- captured arrays ---------------------------------------------------------------------------------------------------


def test_a_captured_array_that_changes_between_uses_counts_with_both_values():
    buffer = np.array([1.0, 1.0, 1.0])

    def f(x):
        buffer[:] = 2.0
        first = np.sum(x * buffer)
        buffer[:] = 5.0
        second = np.sum(x * x * buffer)
        buffer[:] = 100.0
        return first + second

    assert gradient(f).tolist() == (2 + 2 * X * 5).tolist()


def test_a_read_only_view_of_what_changes_counts_with_both_values():
    buffer = np.array([1.0, 1.0, 1.0])
    view = buffer[:]
    view.setflags(write=False)

    def f(x):
        buffer[:] = 2.0
        first = np.sum(x * view)
        buffer[:] = 5.0
        return first + np.sum(x * x * view)

    assert gradient(f).tolist() == (2 + 2 * X * 5).tolist()


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices_and_masked_arrays_are_refused():
    for x in (np.ma.array([1.0, 2.0], mask=[False, True]), np.matrix([[1.0, 2.0], [3.0, 4.0]])):
        with pytest.raises(UnsupportedError, match=f"a {type(x).__name__} cannot be traced.*np.asarray"):
            gradient(lambda x: np.sum(x * x), x)
        with pytest.raises(UnsupportedError, match=f"a {type(x).__name__} cannot be traced.*np.asarray"):
            gradient(lambda y, x=x: np.sum(y * x), np.ones(2))


def test_a_captured_array_is_not_changed_by_tracing():
    constant = np.array([1.0, 2.0, 3.0])
    kept = constant.copy()
    gradient(lambda x: np.sum((x * constant + constant) ** 2))
    assert np.array_equal(constant, kept)


def test_arguments_are_not_changed_and_may_be_read_only():
    x = X.copy()
    x.setflags(write=False)
    assert gradient(lambda x: np.sum(x * x * x), x).tolist() == (3 * X * X).tolist()


def test_a_constant_of_several_kinds():
    for c in (2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.bool_(True), np.array(2.0), np.array(2)):
        assert gradient(lambda x, c=c: np.sum(x * c)).tolist() == [float(c)] * 3
        assert gradient(lambda x, c=c: np.sum(c * x)).tolist() == [float(c)] * 3


# -- what an array knows of itself -------------------------------------------------------------------------------------


def test_attributes():
    seen = {}

    def f(x):
        seen.update(
            shape=x.shape, ndim=x.ndim, size=x.size, dtype=x.dtype, length=len(x), np_shape=np.shape(x),
            np_ndim=np.ndim(x), np_size=np.size(x), columns=np.size(x, axis=1), transposed=x.T.shape,
        )  # fmt: skip
        return np.sum(x.real)

    gradient(f, np.ones((2, 3)))
    assert seen == {
        "shape": (2, 3), "ndim": 2, "size": 6, "dtype": np.float64, "length": 2, "np_shape": (2, 3), "np_ndim": 2,
        "np_size": 6, "columns": 3, "transposed": (3, 2),
    }  # fmt: skip


def test_the_empty_function_of_nothing():
    assert gradient(lambda x: 3.0).tolist() == [0, 0, 0]
    assert gradient(lambda x: np.float64(3)).tolist() == [0, 0, 0]
    assert gradient(lambda x: np.array(3.0)).tolist() == [0, 0, 0]
    assert gradient(lambda x: x[0]).tolist() == [1, 0, 0]
    assert gradient(lambda x: np.sum(x) * 0).tolist() == [0, 0, 0]


def test_empty_and_unit_arrays():
    assert gradient(lambda x: np.sum(x * 2), np.ones((0, 3))).shape == (0, 3)
    assert gradient(lambda x: np.sum(x * np.ones((1, 3))), np.ones((4, 1))).tolist() == [[3.0]] * 4


def test_every_equation_is_validated():
    graph, values = record(lambda x: np.sum(np.tanh(x @ np.ones((3, 2))) * [1.0, 2.0]), X)
    assert len(values) == len(graph.variables)
