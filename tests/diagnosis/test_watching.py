"""Watching a backward pass: every number in order, by the user's names, and nothing disturbed."""

import functools
import sys
import threading

import numpy as np
import pytest

from chainrule.diagnosis import watching
from chainrule.diagnosis.watching import innermost, watch

ONES = np.ones((2, 3))


def helper(z):
    slope = z > 0
    return slope * 1.0


def names(seen):
    return [assignment.name for assignment in seen.assignments]


def test_every_assignment_is_seen_in_order_with_its_line():
    def backward(A, dZ):
        dW = A.T @ dZ
        db = dZ.sum(axis=0)
        return dW, db

    seen = watch(backward, (ONES, ONES))
    first = backward.__code__.co_firstlineno
    assert [(a.name, a.line - first) for a in seen.assignments] == [
        ("dW", 1), ("db", 2), ("return[0]", 3), ("return[1]", 3),
    ]  # fmt: skip
    np.testing.assert_array_equal(seen.assignments[0].value, ONES.T @ ONES)
    assert {a.function for a in seen.assignments} == {"backward"}
    assert seen.complete
    assert seen.error is None


def test_items_of_dicts_lists_and_objects_have_the_users_names():
    class Layer:
        def __init__(self):
            self.W = ONES

    def backward(layer):
        grads, deltas = {}, [None, None]
        l = 1
        grads[f"W{l}"] = layer.W * 2
        deltas[l] = layer.W * 3
        deltas.append(layer.W * 4)
        layer.dW = layer.W * 5
        grads[f"W{l}"] += 1
        return grads

    seen = watch(backward, (Layer(),))
    assert names(seen) == ["l", "grads['W1']", "deltas[1]", "deltas[2]", "layer.dW", "grads['W1']", "return['W1']"]


def test_what_is_changed_in_place_is_seen_with_its_value_after_the_line():
    def backward(dZ, index):
        dZ = dZ.copy()
        dZ[dZ > 2] = 0
        dZ += 1
        total = np.zeros(2)
        np.add.at(total, index, 1.0)
        np.multiply(dZ, 2, out=dZ)
        return total

    seen = watch(backward, (np.array([1.0, 2.0, 3.0]), [0, 0, 1]))
    assert [(a.name, a.value.tolist()) for a in seen.assignments] == [
        ("dZ", [1, 2, 3]), ("dZ", [1, 2, 0]), ("dZ", [2, 3, 1]), ("total", [0, 0]), ("total", [2, 1]), ("dZ", [4, 6, 2]),
        ("return", [2, 1]),
    ]  # fmt: skip


def test_helpers_of_the_same_module_are_followed_and_numpy_is_not():
    def backward(dA, Z):
        return np.apply_along_axis(np.sort, 0, dA * helper(Z))

    seen = watch(backward, (ONES, ONES))
    assert [(a.function, a.name) for a in seen.assignments] == [
        ("helper", "slope"),
        ("helper", "return"),
        ("backward", "return"),
    ]
    assert all(a.file == __file__ for a in seen.assignments)
    assert len(seen.codes) == 2


def test_loops_show_every_turn_up_to_a_bound():
    def backward(n):
        total = 0.0
        for i in range(n):
            total = total + i
        return np.array(total)

    assert names(watch(backward, (3,))).count("total") == 4
    many = watch(backward, (1000,))
    assert names(many).count("total") == 1 + watching.MOST_OF_A_LINE
    assert names(many)[-1] == "return"


def test_too_many_bytes_or_steps_end_the_notes_and_are_said(monkeypatch):
    def backward(x):
        y = x * 2
        z = y * 2
        return z.sum()

    monkeypatch.setattr(watching, "MOST_BYTES", 100)
    seen = watch(backward, (np.ones(10),))
    assert names(seen) == ["y", "return"]
    assert not seen.complete
    monkeypatch.setattr(watching, "MOST_STEPS", 1)
    assert not watch(backward, (np.ones(10),)).complete


def test_the_tracer_that_was_there_is_put_back_and_others_threads_go_on():
    traced = []

    def own(frame, event, arg):
        traced.append(event)

    before = sys.gettrace()
    sys.settrace(own)
    try:
        watch(helper, (ONES,))
        assert sys.gettrace() is own
    finally:
        sys.settrace(before)
    threads = []
    thread = threading.Thread(target=lambda: threads.append(sys.gettrace()))
    thread.start()
    thread.join()
    assert threads == [None]


def test_a_function_that_raises_is_seen_up_to_there():
    def backward(A, dZ):
        dW = A.T @ dZ
        return dW @ dW

    seen = watch(backward, (ONES, np.ones((2, 5))))
    assert names(seen) == ["dW"]
    assert isinstance(seen.error, ValueError)


def test_without_source_nothing_is_seen_and_the_result_is_there():
    space = {}
    exec("def backward(x):\n    y = 2 * x\n    return y", space)
    seen = watch(space["backward"], (3.0,))
    assert seen.assignments == []
    assert seen.result == 6.0
    assert watch(np.add, (1, 2)).result == 3


def test_values_are_copies_and_scopes_hold_shapes_and_numbers():
    def backward(x, n):
        y = x * n
        y += 1
        return y

    seen = watch(backward, (ONES, 4))
    assert seen.assignments[0].value[0, 0] == 4
    line = backward.__code__.co_firstlineno + 2
    scope = seen.scopes[__file__, line]
    assert (scope["x"], scope["y"], scope["n"]) == ((2, 3), (2, 3), 4)


class Net:
    def backward(self, x):
        self.dW = 2 * x
        return self.dW

    __call__ = backward


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@pytest.mark.parametrize(
    "backward", [Net().backward, Net(), functools.partial(Net().backward), decorated(Net().backward)]
)
def test_methods_callable_objects_partials_and_decorated_functions_are_seen_through(backward):
    assert innermost(backward) is Net.backward
    assert list(dict.fromkeys(names(watch(backward, (ONES,))))) == ["self.dW", "return"]
