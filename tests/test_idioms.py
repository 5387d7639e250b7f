"""Python as people write it around NumPy: right on traced values as on arrays, or refused by name and line."""

import contextlib
import copy
import dataclasses
import functools
import itertools
import math
import operator
import pickle
from collections import defaultdict, deque, namedtuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ControlFlowError, LeakedTracerError, UnsupportedError
from chainrule.tracer import Tracer
from idiom_support import assert_as_on_arrays

X = np.array([0.3, 0.9, -0.4, 1.3])
M = np.array([[0.3, 0.9, -0.4], [0.6, 0.2, 1.1]])
Point = namedtuple("Point", "x y")  # noqa: PYI024 - as people write it


@dataclasses.dataclass
class Layer:
    W: np.ndarray
    b: float = 0.5

    def __call__(self, x):
        return np.tanh(self.W @ x + self.b)

    @property
    def size(self):
        return np.sum(self.W**2)

    @staticmethod
    def loss(y):
        return np.sum(y * y)

    @classmethod
    def of(cls, x):
        return cls(np.stack([x, x[::-1]]))


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return wrapper


@contextlib.contextmanager
def scaled(x):
    yield x * 3


def squares(x):
    for v in x:
        yield v * v
    yield from (v + 1 for v in x)


def power(x, n):
    return x if n == 0 else x * power(x, n - 1)


def tree(x):
    return np.sum(x) if len(x) < 2 else np.sin(tree(x[: len(x) // 2]) * tree(x[len(x) // 2 :]))


def early(x):
    for i in range(4):
        if i == 2:
            return np.sum(x[: i + 1] ** 2)
    return 0.0


def loops(x):
    total, i = 0.0, 0
    while True:
        i += 1
        if i == 2:
            continue
        if i > 4:
            break
        total += x[i - 1] ** i
    else:
        total = 0.0
    return total


def containers(x):
    table = defaultdict(float)
    for i, v in enumerate(x):
        table[i % 2] += v * v
    queue = deque(x, maxlen=2)
    queue.append(x[0] * x[1])
    p = Point(x[1], table[0])
    a, *rest, b = x
    (c, d), _ = np.split(x, 2)
    merged = {**table, "p": p.x}
    return table[1] * p.y + queue[0] * queue.popleft() + sum(rest) * a * b + c / d + merged["p"] + len([*x, *rest])


def tries(x):
    try:
        return np.sum(x @ np.ones(7))
    except ValueError:
        pass
    finally:
        y = x * 2
    return np.sum(y)


def keywords(x, *args, w=2.0, **more):
    return np.sum(x) * w * sum(args) * more.get("k", 1.0)


def closures(x):
    functions = [lambda v, k=k: v**k * x[0] for k in range(3)]
    total = 0.0

    def add(v):
        nonlocal total
        total = total + v

    for f, v in zip(functions, x, strict=False):
        add(f(v))
    return total


IDIOMS = {
    "sum of a generator": lambda x: sum(v * v for v in x),
    "sum of a list, with a start": lambda x: sum([v * v for v in x], start=x[0]),
    "reduce": lambda x: functools.reduce(operator.mul, x) + functools.reduce(lambda a, b: a * 0.5 + b, x, 1.0),
    "accumulate": lambda x: sum(itertools.accumulate(x, operator.mul)),
    "map and zip": lambda x: sum(map(operator.mul, x, x[1:])) + sum(a * b for a, b in zip(x, reversed(x), strict=True)),
    "filter": lambda x: sum(filter(lambda v: v is not None, x)),
    "enumerate": lambda x: sum(i * v for i, v in enumerate(x, 1)),
    "pairs": lambda x: sum(a * b for a, b in itertools.pairwise(x)) + sum(a * b for a, b in itertools.combinations(x, 2)),
    "product": lambda x: math.prod(x[i] for i in range(3)) + math.prod([x[0], 2.0]),
    "list": lambda x: list(x)[1] * [*x][2] + tuple(x)[3],
    "unpacking": lambda x: operator.call(lambda a, b, c, d: a * b - c * d, *x),
    "nested lists": lambda x: sum(sum(row) for row in [[x[0] * x[1], x[2]], [x[3], 1.0]]),
    "stack": lambda x: np.sum(np.stack([x[0], x[1] * 2, 3.0]) ** 2),
    "stack of rows": lambda x: np.sum(np.stack([x * i for i in range(3)]) @ x),
    "stack of stacks": lambda x: np.sum(np.stack([np.stack([a * b for a in x]) for b in x]) * 0.5),
    "concatenate parts": lambda x: np.sum(np.concatenate([v[None] * i for i, v in enumerate(x)]) ** 2),
    "a list beside": lambda x: np.sum(x * [1, 2, 3, 4]) + np.dot([1.0, 2, 3, 4], x) + np.sum(np.add([1, 2, 3, 4], x)),
    "a generator function": lambda x: sum(squares(x)),
    "recursion": lambda x: np.sum(power(x, 3)),
    "halves": tree,
    "early return": early,
    "loops": loops,
    "closures": closures,
    "containers": containers,
    "try": tries,
    "keyword arguments": lambda x: keywords(x, 1, x[0], w=x[1], k=3.0) + keywords(x, 2.0, w=x[3]),
    "partial": lambda x: functools.partial(keywords, w=x[2])(x, 1.0),
    "a decorated function": lambda x: doubled(keywords)(x, 1.0),
    "a class": lambda x: Layer.loss(Layer.of(x)(x)) + Layer(x[:, None] * x).size,
    "an attribute": lambda x: dataclasses.replace(Layer(x), b=x[1]).b * vars(Layer(x))["W"][2],
    "getattr": lambda x: getattr(x, "T")[0] * operator.attrgetter("T")(x)[1] * operator.itemgetter(2)(x),  # noqa: B009
    "a context": lambda x: contextlib.ExitStack().__enter__() and scaled(x).__enter__()[0] ** 2,
    "walrus": lambda x: (y := x * 2)[0] * y[1],
    "conditional expressions": lambda x: (x[0] if len(x) > 2 else x[1]) * (x[1] if x is not None else 1.0),
    "isinstance": lambda x: np.sum(x) if not isinstance(x, (int, float, list)) else 0.0,
    "hasattr": lambda x: np.sum(x) * (2 if hasattr(x, "shape") and not hasattr(x, "weights") else 1),
    "copies": lambda x: np.sum(copy.copy(x) * copy.deepcopy({"a": [x, x]})["a"][1] * x.copy()),
    "shapes": lambda x: np.sum(x) * x.ndim * len(x) / x.shape[0] + np.sum(np.ones(x.shape) * x) + np.shape(x)[0] * x[0],
    "percent and floor": lambda x: np.sum((x % 0.7) * x) + np.sum((5.0 % (x + 3)) * x) + np.sum((x // 0.35) * x),
    "divmod": lambda x: np.sum(divmod(x, 0.7)[1] * divmod(3.1, x + 2)[0] * x),
    "percent in place": lambda x: np.sum(operator.imod(x * 3, 0.7) * operator.ifloordiv(x * 3, 0.62)),
    "ufunc methods": lambda x: np.multiply.reduce(x) + np.add.reduce(x[None], axis=1)[0] + np.maximum.reduce(x) * x[0]
    + np.sum(np.add.accumulate(x) * x) + np.sum(np.multiply.outer(x, x[:2]) * 0.3) + np.sum(np.subtract.outer(2.0, x)),
    "outer of matrices": lambda x: np.sum(np.multiply.outer(x[:2], x[:, None]) ** 2),
    "methods": lambda x: x.prod() + x.std() + x.var(ddof=1) + np.sum(x.cumsum() * x) + np.sum(x.repeat(2)[1:4])
    + np.sum(x.clip(-0.2, 1.0) * x) + x.dot(x) + x.take([1, 1]).sum() + np.sum(x.conj() * x.conjugate()) + x.mean()
    + x.min() * x.max() + np.sum(x.swapaxes(0, 0).squeeze()) + np.sum(x.flatten()[1:] * x.ravel()[:-1]),
    "methods with arguments": lambda x: (x[:, None] * x).sum(0, None, None, True)[0, 1]
    + (x[:, None] * x).max(axis=1, keepdims=True)[0, 0] + (x[:, None] * x).diagonal(1).sum()
    + x.round(2).sum() + x.astype(np.float64, casting="safe")[0] + x.cumprod()[-1] + x.compress([True, False, True])[1],
    "entries as a list": lambda x: sum(x.tolist()) * x[:1].item() + (x[:, None] * x).tolist()[1][2] * x.item(2),
    "positions": lambda x: np.sum(x[x.argsort()] * [1.0, 2.0, 4.0, 8.0]) + x[x.argmax()] * x[np.argsort(x)[0]],
    "attributes": lambda x: np.sum(x) * x.itemsize + x.nbytes * x[0] + np.sum(x.imag) + np.sum(x.real),
}  # fmt: skip
PART = {"percent and floor", "divmod", "percent in place"}


@pytest.mark.parametrize("name", IDIOMS)
def test_an_idiom_is_what_it_is_on_plain_arrays(name):
    assert_as_on_arrays(IDIOMS[name], X)


BY_VALUE = {
    "if": lambda x: np.sum(x) if x[0] > 0 and not x[1] < 0.5 else x[0] * 5,
    "while": lambda x: next(v for v in itertools.accumulate(x, lambda a, b: a * b + 1) if v > 0.5),
    "sorted": lambda x: sorted(x)[1] * 3 + sorted(x, key=lambda v: -v, reverse=True)[1] * max(x) - min(x, key=abs),
    "max with a key": lambda x: max(zip(x, range(4), strict=True))[0] * 2,
    "in": lambda x: np.sum(x) * (2 if 7.0 in x else 3) * (x[1] in [x[0], x[1]]) + list(x).index(x[2]) * x[0],
    "assert": lambda x: [x[0]][0] if (x > -9).all() and np.any(x > 1) else 0.0 * x[0],
    "any and all": lambda x: x[0] * any(v > 1 for v in x) + x[1] * all(v > -1 for v in x),
    "counting": lambda x: x[0] * len([v for v in x if v > 0]) + np.sum(x > 0) * x[1],
    "formatting": lambda x: x[0] * len(f"{x[0]:.3f}{x[1]!r}{x}{x[2]}") * 0 + x[0],
    "chained comparisons": lambda x: x[0] * 2 if 0 < x[0] < x[1] <= 0.95 else x[1],
    "match": lambda x: x[0] if bool(x[0] != 7) else x[1],
}


@pytest.mark.parametrize("name", BY_VALUE)
def test_what_asks_for_values_has_them_under_grad_and_is_refused_when_staged(name):
    f = BY_VALUE[name]
    assert_as_on_arrays(f, X, staged=False)
    if name == "formatting":  # a bare f"{x}" shows what is traced
        return
    with pytest.raises(ControlFlowError, match="line"):
        cr.jit(f)(X)


REFUSED = {
    "math.exp": (lambda x: math.exp(x[0]), r"math\.exp.*np\.exp"),
    "math.sqrt": (lambda x: math.sqrt(x[0]), r"float\(\)"),
    "float": (lambda x: float(x[0]) * 2, r"float\(\)"),
    "percent formatting": (lambda x: "%f" % x[0] and x[0], r"float\(\)"),  # noqa: UP031
    "int": (lambda x: int(x[0]), r"int\(\)"),
    "round to an integer": (lambda x: round(x[0]) * x[0], r"np\.round"),
    "np.array of traced": (lambda x: np.sum(np.array([x[0], x[1]])), r"np\.array.*np\.stack"),
    "np.array of a nest": (lambda x: np.sum(np.array([[x[0], 1.0], [x[1], x[2]]])), r"np\.stack"),
    "np.asarray": (lambda x: np.sum(np.asarray(x)), "x alone"),
    "an object array": (lambda x: np.sum(np.array([x[0], None], dtype=object)), r"np\.array"),
    "np.float64": (lambda x: np.float64(x[0]) * 2, r"float\(\)|plain array"),
    "np.fromiter": (lambda x: np.sum(np.fromiter((v for v in x), float)), r"float\(\)|plain array"),
    "np.vectorize": (lambda x: np.sum(np.vectorize(lambda v: v * 2)(x)), r"np\.stack"),
    "frompyfunc": (lambda x: np.sum(np.frompyfunc(lambda v: v * 2, 1, 1)(x)), "cannot be traced"),
    "pickle": (lambda x: pickle.loads(pickle.dumps(x)), "pickling"),
    "np.save": (lambda x: np.save("/dev/null", x) or np.sum(x), r"np\.save"),
    "tobytes": (lambda x: np.sum(x) * len(x.tobytes()), "tobytes"),
    "view": (lambda x: np.sum(x.view(np.int64)), r"x\.view"),
    "x.trace": (lambda x: (x[:, None] * x).trace(), r"np\.trace"),
    "setflags": (lambda x: x.setflags(write=False), r"x\.setflags"),
    "flat": (lambda x: sum(x.flat), "reshape"),
    "complex": (lambda x: abs(x[0] + 1j), "complex"),
    "a list index": (lambda x: [1.0, 2.0][np.argmax(x)] * x[0], "index"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_the_derivative_is_refused_with_the_line(name):
    f, says = REFUSED[name]
    for run in (cr.grad(f), cr.jit(f), cr.hessian(f)):
        with pytest.raises(UnsupportedError, match=says) as refusal:
            run(X)
        assert "line" in str(refusal.value)


def test_a_traced_value_is_no_key():
    for use in (lambda x: {x[0]: 1.0}, lambda x: {x[0]}, lambda x: functools.lru_cache(lambda v: v)(x)):
        with pytest.raises(TypeError, match="unhashable"):
            cr.grad(use)(X)


def test_what_is_kept_outside_names_its_line():
    kept = {}

    class Model:
        pass

    model = Model()

    def f(x):
        kept["y"] = x * 2
        model.state = x + 1
        return np.sum(x)

    cr.grad(f)(X)
    for use in (
        lambda: kept["y"] + 1,
        lambda: sum(kept["y"]),
        lambda: cr.grad(lambda x: np.sum(x * model.state))(X),
        lambda: cr.jit(lambda x: np.sum(x * model.state))(X),
        lambda: kept["y"].std(),
        lambda: kept["y"].tolist(),
    ):
        with pytest.raises(LeakedTracerError, match="return it instead"):
            use()


def test_every_attribute_of_an_array_is_one_of_a_traced_value_or_is_refused_by_name():
    missing = []

    def f(x):
        for name in dir(np.ndarray):
            if name.startswith("_"):
                continue
            try:
                getattr(x, name)
            except UnsupportedError as refusal:
                missing.append((name, str(refusal)))
        return np.sum(x)

    with pytest.raises(UnsupportedError):  # a refusal that is caught is still one
        cr.grad(f)(M)
    assert all(f"x.{name}" in message and "line" in message for name, message in missing)
    assert sorted(name for name, _ in missing) == [
        "base", "byteswap", "ctypes", "data", "device", "dump", "dumps", "flags", "flat", "getfield", "setfield", "setflags",
        "strides", "to_device", "tofile", "view",
    ]  # fmt: skip


NOT_SO = {"partition", "resize", "sort", "tobytes", "trace"}


@pytest.mark.parametrize("name", [n for n in dir(np.ndarray) if hasattr(Tracer, n) and not n.startswith("_")])
def test_a_method_takes_what_the_method_of_an_array_takes(name):
    """Called without arguments: the value and dtype of the array's own method, or a refusal."""
    if not callable(getattr(np.ndarray, name)):
        return
    seen = {}

    def f(m):
        seen["m"] = getattr(m, name)()
        return np.sum(m)

    try:
        want = getattr(M.copy(), name)()
    except (TypeError, ValueError):
        with pytest.raises((TypeError, ValueError)):
            cr.grad(f)(M)
        return
    if name in NOT_SO:
        with pytest.raises(UnsupportedError, match=name):
            cr.grad(f)(M)
        return
    cr.grad(f)(M)
    got = seen["m"]
    for g, w in zip(got, want, strict=True) if isinstance(want, (tuple, list)) else [(got, want)]:
        if isinstance(w, (np.ndarray, np.generic)):
            g = g if isinstance(g, np.ndarray) else g.value
            assert g.dtype == w.dtype
            np.testing.assert_array_equal(g, w)
