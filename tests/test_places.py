"""Lines and names: each equation knows the user's line, and the name that its result was given."""

import contextlib
import linecache
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from recording import names_in, record

X = np.array([1.0, 2.0])


def plain(x):
    y = x * 2
    return y


def chained(x):
    a = b = x + 1
    return a * b


def pair(x):
    c, d = x + 1, x * 2
    s = c * d
    return s


def listed_pair(x):
    [c, d] = [x + 1, x * 2]
    s = c * d
    return s


def annotated(x):
    y: object = x * 2
    return y


def walrus(x):
    if (y := x * 2) is not None:
        z = y + 1
    return z


def augmented(x):
    y = x * 2
    y += x
    return y


def key(x):
    h = {}
    h["k"] = x * 2
    return h["k"]


def attribute(x):
    o = SimpleNamespace()
    o.attr = x * 2
    return o.attr


def item(x):
    lst = [None]
    lst[0] = x * 2
    return lst[0]


def appended(x):
    hs = []
    hs.append(x * 2)
    return hs[0]


def comprehension(x):
    hs = [x * w for w in (1.0, 2.0)]
    total = sum(hs, 0.0)
    return total


def conditional(x):
    y = x * 2 if len(x) == 2 else x * 3
    return y


def nested(x):
    y = np.sin(x * 2 + 1)
    return y


def helper(x):
    return x * 2 + 1


def through_return(x):
    y = helper(x)
    return y


def through_two_returns(x):
    def outer(x):
        return helper(x)

    y = outer(x)
    return y


def through_lambda(x):
    double = lambda t: t * 2
    y = double(x)
    return y


def through_activation(x):
    y = cr.nn.relu(x)
    return y


def through_conditional_return(x):
    def f(x):
        return x * 2 if len(x) else x

    y = f(x)
    return y


def multi_line_chain(x):
    y = (
        x.reshape(2, 1)
        .transpose()
        .sum()
    )  # fmt: skip
    return y


def multi_line_call(x):
    y = np.maximum(
        x,
        0,
    )
    return y


def several_equations(x):
    y = np.dot(x, np.ones((2, 2, 2)))
    return y


def batched_product(x):
    y = np.ones((3, 2, 2)) @ x
    return y


def loop(x):
    for _ in range(2):
        x = np.tanh(x * 2)
    return x


def in_one_line(x):
    y = x * 2; z = y + 1  # fmt: skip
    return z


def unpacked_call(x):
    def two(x):
        p = x + 1
        q = x * 2
        return p, q

    c, d = two(x)
    s = c + d
    return s


def in_method(x):
    class Model:
        def forward(self, x):
            z = x * 2
            return z

    y = Model().forward(x)
    return y


TARGETS = {
    plain: ["y"],
    chained: ["a", None],
    pair: ["c", "d", "s"],
    listed_pair: ["c", "d", "s"],
    annotated: ["y"],
    walrus: ["y", "z"],
    augmented: ["y", "y"],
    key: ["k"],
    attribute: ["attr"],
    item: ["lst0"],
    appended: ["hs"],
    comprehension: ["hs", "hs"],
    conditional: ["y"],
    nested: [None, None, "y"],
    through_return: [None, "y"],
    through_two_returns: [None, "y"],
    through_lambda: ["y"],
    through_activation: ["y"],
    through_conditional_return: ["y"],
    multi_line_chain: [None, None, "y"],
    multi_line_call: ["y"],
    loop: [None, "x", None, "x"],
    in_one_line: ["y", "z"],
    unpacked_call: ["p", "q", "s"],
    in_method: ["z"],
}


@pytest.mark.parametrize("function", TARGETS, ids=lambda f: f.__name__)
def test_a_result_has_the_name_of_its_target(function):
    found, want = names_in(function, X), TARGETS[function]
    if function is comprehension:
        found = found[:2]
    assert found == want


@pytest.mark.parametrize("function", [several_equations, batched_product], ids=lambda f: f.__name__)
def test_one_call_that_is_several_equations_names_its_result_alone(function):
    found = names_in(function, X)
    assert len(found) > 1
    assert found[-1] == "y"
    assert set(found[:-1]) == {None}


def test_what_a_whole_function_returns_is_not_named_by_the_caller_of_a_transform():
    seen = []

    def loss(x):
        result = np.sum(x * 2)
        seen.append(result.variable)
        return result + 1

    def outer(x):
        slope = cr.grad(loss)(x)
        return np.sum(slope)

    names = names_in(outer, X)
    assert "slope" not in names[:-1]


def test_each_equation_has_the_users_line():
    graph, _ = record(multi_line_call, X)
    origin = graph.equations[-1].origin
    assert origin.filename == __file__
    assert origin.function == "multi_line_call"
    line = multi_line_call.__code__.co_firstlineno + 1
    assert origin.line == line
    assert str(origin) == f"line {line} of multi_line_call()"


def test_named_calls_are_scopes():
    def f(x):
        p = cr.nn.softmax(x)
        return np.log(p)

    graph, _ = record(f, X)
    scopes = [[name for _, name in e.origin.calls] for e in graph.equations]
    assert scopes[0] == ["softmax"]
    assert scopes[-1] == []


def test_a_scope_ends_when_its_call_fails():
    @cr.primitive.named
    def fails(x):
        raise KeyError("inside")

    def f(x):
        with contextlib.suppress(KeyError):
            fails(x)
        return x * 2

    graph, _ = record(f, X)
    assert graph.equations[-1].origin.calls == ()


def test_without_source_the_stored_name_is_taken():
    scope = {"np": np}
    exec("def f(x):\n    y = np.sin(x * 2)\n    return helper(y)\ndef helper(t):\n    return t + 1\n", scope)
    assert names_in(scope["f"], X) == [None, "y", None]


def test_a_new_source_under_an_old_name_is_read_again():
    def define(name):
        text = f"def f(x):\n    {name} = x * 2\n    return {name}\n"
        linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
        scope = {}
        exec(compile(text, "<cell>", "exec"), scope)
        return scope["f"]

    assert names_in(define("first"), X) == ["first"]
    assert names_in(define("second"), X) == ["second"]


def test_equal_functions_in_two_files_keep_their_own_lines():
    text = "def f(x):\n    y = x * 2\n    return y\n"
    files = []
    for filename in ("<one>", "<two>"):
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        scope = {}
        exec(compile(text, filename, "exec"), scope)
        files.append(record(scope["f"], X)[0].equations[0].origin.filename)
    assert files == ["<one>", "<two>"]


def test_without_columns_names_still_come_and_nothing_fails():
    program = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import numpy as np, chainrule as cr\n"
        "from test_places import plain, nested, through_return, X\n"
        "from recording import names_in\n"
        "assert names_in(plain, X) == ['y'], names_in(plain, X)\n"
        "assert names_in(nested, X) == [None, None, 'y']\n"
        "assert names_in(through_return, X)[-1] == 'y'\n"
        "print(cr.grad(lambda x: np.sum(x**2))(X))\n"
    )
    root = __file__.rsplit("tests", 1)[0]
    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", "-B", "-c", program],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[2. 4.]\n"


def test_threads_name_their_own():
    results = {}

    def work(number):
        results[number] = [names_in(nested, X) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found == [None, None, "y"] for runs in results.values() for found in runs)
