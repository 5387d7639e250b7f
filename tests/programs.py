"""Random NumPy programs, for whoever claims something about all programs.

`programs()` yields ``(function, arguments)``: a plain Python function of small arrays that returns one number, made from
lines such as ``c = np.tanh(a @ b) + 0.5``, and arguments for it. The text is in `function.source`, and tracebacks, line
numbers and variable names work as if it stood in a file. Names are bound again, arrays are written in place where
NumPy's meaning is exact, shapes broadcast, axes of size 1 and scalars occur.

Values stay moderate and points lie off the kinks with probability one, so that differences can judge; `tame` says
whether they do at hand.
"""

import itertools
import linecache

import numpy as np
from hypothesis import assume, note
from hypothesis import strategies as st

import chainrule as cr

ELEMENTWISE = (
    "np.tanh({0})", "np.sin({0})", "np.cos({0})", "np.exp(-{0} ** 2)", "np.sqrt({0} * {0} + 1)", "np.log({0} ** 2 + 1)",
    "np.abs({0})", "abs({0} - 0.3)", "np.square({0})", "-{0}", "+{0}", "np.expm1(np.tanh({0}))", "np.log1p({0} ** 2)",
    "1 / ({0} * {0} + 1)", "{0} ** 3", "{0} ** 2", "2 ** np.tanh({0})", "2.0 * {0}", "{0} / 3", "0.5 - {0}", "{0} + 1",
    "np.maximum({0}, 0.1)", "np.minimum(0.2, {0})", "np.maximum(0, {0})", "np.clip({0}, -0.4, 0.6)", "{0} * ({0} > 0.2)",
    "np.where({0} > 0.1, {0}, 0.3 * {0})", "np.where({0} > 0.3, np.log({0} - 0.1), {0})", "np.sign({0}) * {0}",
    "cr.nn.relu({0})", "cr.nn.sigmoid({0})", "cr.nn.softplus({0})", "cr.nn.gelu({0})", "cr.nn.elu({0})", "cr.nn.silu({0})",
    "cr.nn.leaky_relu({0})", "np.negative({0}) * np.positive({0})", "{0} * np.ones_like({0}) - np.zeros_like({0})",
    "1 / (1 + np.exp(-{0}))", "np.log(1 + np.exp({0}))", "{0} * True",
)  # fmt: skip
PAIRED = (
    "{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / ({1} ** 2 + 1)", "np.maximum({0}, {1})", "np.minimum({0}, {1})",
    "np.where({0} > {1}, {0}, 2 * {1})", "{0} * {1} + {0}", "np.multiply({0}, {1}) - {1}", "({0} * {0} + 1) ** np.tanh({1})",
    "np.where({0} > 0, {0} * {1}, {1})", "np.tanh({0}) * ({1} < 0.5)",
)  # fmt: skip
REDUCTIONS = (
    "np.sum({0}, axis={1})", "{0}.sum({1})", "np.mean({0}, axis={1})", "{0}.mean(axis={1})", "np.max({0}, axis={1})",
    "{0}.min(axis={1})", "np.sum({0}, axis={1}, keepdims=True)", "np.mean({0}, axis={1}, keepdims=True)",
    "cr.nn.logsumexp({0}, axis={1})", "np.max({0}, {1}, keepdims=True)",
)  # fmt: skip
ALONG = (
    "cr.nn.softmax({0}, axis={1})", "cr.nn.log_softmax({0}, axis={1})", "{0} - np.mean({0}, axis={1}, keepdims=True)",
    "np.exp({0} - {0}.max({1}, keepdims=True))", "np.concatenate([{0}, 2 * {0}], axis={1})", "np.stack([{0}, -{0}], axis={1})",
    "np.expand_dims({0}, {1})", "np.exp({0}) / np.sum(np.exp({0}), axis={1}, keepdims=True)",
)  # fmt: skip
SHAPED = (
    "{0}.T", "np.transpose({0})", "{0}.reshape(-1)", "np.ravel({0})", "{0}[None]", "{0}[..., None]", "{0}[0]", "{0}[-1]",
    "{0}[::-1]", "{0}[:1]", "{0}[[0, -1, 0]]", "np.squeeze({0})", "np.take({0}, [0, -1], axis=0)", "{0}[{0} > -9]",
    "np.broadcast_to({0}, (2, *{0}.shape))", "np.copy({0})", "{0}.reshape({0}.shape[0], -1)", "{0}.astype(float)",
)  # fmt: skip
PRODUCTS = ("{0} @ {1}", "np.dot({0}, {1})", "{0} @ {1}.T", "{0}.T @ {1}", "np.matmul({0}, {1})", "np.tanh({0} @ {1})")
IN_PLACE = ("{0} += {1}", "{0} *= 1.5", "{0} -= 0.25", "{0} /= 2.0")
SHAPES = st.lists(st.sampled_from([1, 2, 3]), min_size=0, max_size=3).map(tuple)
NAMES = "abcdefgh"
LARGEST = 60  # entries of an intermediate
_numbers = itertools.count()


@st.composite
def programs(draw, max_lines=8, dtype=np.float64):
    """A function of one to three arrays that returns one number, and its arguments."""
    count = draw(st.integers(1, 3))
    parameters = ["X", "W", "s"][:count]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    arguments = tuple(rng.uniform(-1.5, 1.5, draw(SHAPES)).round(6).astype(dtype) for _ in parameters)
    scope = {"np": np, "cr": cr, **dict(zip(parameters, arguments, strict=True))}
    values = {name: scope[name] for name in parameters}
    lines = []
    fresh = set()  # what can be written in place: neither an argument nor a view, nor seen through one
    for _ in range(draw(st.integers(1, max_lines))):
        expression, used = draw(_expression(list(values), values))
        if fresh & set(used) and draw(st.integers(0, 4)) == 0:
            target = min(fresh & set(used))
            line = draw(st.sampled_from(IN_PLACE)).format(target, draw(st.sampled_from(["0.5", "2", target])))
        else:
            target = draw(st.sampled_from(NAMES))
            line = f"{target} = {expression}"
        value = _tried(line, target, scope, values)
        if value is None:
            continue
        lines.append(line)
        values[target] = value
        fresh -= set(used)  # the new value may be a view of them
        if not np.ndim(value) or value.base is not None or any(value is v for n, v in values.items() if n != target):
            fresh.discard(target)
        else:
            fresh.add(target)
    last = list(values)[-3:]
    result = " + ".join(
        draw(st.sampled_from(["np.sum({0})", "np.mean({0} ** 2)", "{0}.sum()"])).format(n) for n in last
    )
    function = define(
        [f"def program({', '.join(parameters)}):", *(f"    {line}" for line in lines), f"    return {result}"]
    )
    note(function.source)
    assume(tame(function, arguments))
    return function, arguments


@st.composite
def _expression(draw, names, values):
    """One expression of what is there; it may not fit, then the line is not taken."""
    kind = draw(
        st.sampled_from(["elementwise", "elementwise", "paired", "paired", "reduction", "along", "shaped", "product"])
    )
    name, other = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    ndim = np.ndim(values[name])
    axis = draw(st.integers(-ndim, ndim - 1)) if ndim else 0
    if kind in ("reduction", "along") and not ndim:
        kind = "elementwise"
    if kind == "elementwise":
        text = draw(st.sampled_from(ELEMENTWISE)).format(name)
        if draw(st.booleans()):
            text = draw(st.sampled_from(PAIRED)).format(f"({text})", other)
            return text, (name, other)
        return text, (name,)
    if kind == "paired":
        return draw(st.sampled_from(PAIRED)).format(name, other), (name, other)
    if kind == "reduction":
        return draw(st.sampled_from(REDUCTIONS)).format(name, axis), (name,)
    if kind == "along":
        return draw(st.sampled_from(ALONG)).format(name, axis), (name,)
    if kind == "shaped":
        return draw(st.sampled_from(SHAPED)).format(name), (name,)
    return draw(st.sampled_from(PRODUCTS)).format(name, other), (name, other)


def _tried(line, target, scope, values):
    """The target's value after the line, or None where NumPy refuses, or the array grows too large or wild."""
    local = {**scope, **{name: np.copy(v) if name == target and "= " in line[:5] else v for name, v in values.items()}}
    try:
        with np.errstate(all="ignore"):
            exec(line, local)
    except (ValueError, IndexError, TypeError):
        return None
    value = local[target]
    if value.dtype.kind != "f" or np.size(value) > LARGEST or not np.size(value) or np.ndim(value) > 4:
        return None
    return value if np.all(np.isfinite(value)) and np.max(np.abs(value)) < 50 else None


def define(lines):
    """Compile lines of text as a function whose source can be found; the text is its attribute `source`."""
    source = "\n".join(lines) + "\n"
    filename = f"<program {next(_numbers)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope = {"np": np, "cr": cr}
    exec(compile(source, filename, "exec"), scope)
    function = scope["program"]
    function.source = source
    return function


def tame(function, arguments):
    """Whether the value is finite and moderate here and close by, so that differences can judge."""
    with np.errstate(all="ignore"):
        values = [float(function(*(a * factor for a in arguments))) for factor in (1.0, 1.01, 0.99)]
    return all(np.isfinite(values)) and max(map(abs, values)) < 1e4
