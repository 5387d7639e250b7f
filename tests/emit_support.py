"""Emitted loops run as plain Python, where every liberty that machine code takes is an error.

`plain(source, name)` executes a module of `emit_function` or `emit_epoch` without Numba: `njit` is a decorator that checks,
and what comes from `chainrule.native` is NumPy. What would go unnoticed in machine code fails here:

- an index below 0 or beyond the end, for Numba does not look; memory that is read before it is written holds NaN;
- two arguments of a kernel that share memory, one of them written: its compiler is told that there are none;
- a product or a reshape of an array that does not lie in one piece, a product into one of its own factors.

Numbers are Numba's: a float in the text is a float64, sums of truth values and of int32 are int64.
"""

import ast
import functools
import inspect
import itertools
import linecache
import types

import numpy as np
from scipy import special

from chainrule.arguments import parameter_names, take_apart
from chainrule.compilation import compile_call
from chainrule.emit.numba_function import emit_function
from chainrule.evaluate import evaluate

GARBAGE = {"f": np.nan, "i": -(2**30), "b": True}  # what memory holds before it is written
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
_numbers = itertools.count()


class Strict(np.ndarray):
    """An array that refuses what machine code does not check."""

    def __getitem__(self, key):
        self._check(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self._check(key)
        place = super().__getitem__(key)
        assert np.ndim(value) == 0 or np.shape(value) == np.shape(place), f"{np.shape(value)} into {np.shape(place)}"
        super().__setitem__(key, value)

    def reshape(self, *shape):
        assert self.flags.c_contiguous, "a reshape of what does not lie in one piece"
        return super().reshape(*shape)

    def _check(self, key):
        if key is Ellipsis:
            return
        keys = key if isinstance(key, tuple) else (key,)
        assert len(keys) <= self.ndim, f"{len(keys)} indices for {self.ndim} axes"
        for k, size in zip(keys, self.shape, strict=False):
            if isinstance(k, slice):
                assert 0 <= (k.start or 0) <= (size if k.stop is None else k.stop) <= size, f"{k} of {size}"
            else:
                assert isinstance(k, (int, np.integer)), f"{k!r} is no index"
                assert 0 <= k < size, f"entry {k} of {size}"


def strict(value):
    """A copy in memory of its own that checks its indices; a number as it is."""
    return np.array(value, order="C").view(Strict) if np.ndim(value) else np.asarray(value)[()]


def unwritten(shape, dtype):
    """Memory as `np.empty` gives it, at its worst."""
    return np.full(shape, GARBAGE[np.dtype(dtype).kind], dtype).view(Strict)


# -- what stands in for machine code -------------------------------------------------------------------------------------
def _product(gemm, A, B, C, alpha, beta, *, flip_a, flip_b):
    assert all(x.flags.c_contiguous and x.ndim == 2 for x in (A, B, C))
    assert A.dtype == B.dtype == C.dtype == alpha.dtype == beta.dtype == gemm
    assert not any(np.shares_memory(C, x) for x in (A, B)), "a product into one of its factors"
    a, b = A.view(np.ndarray), B.view(np.ndarray)
    a, b = a.T if flip_a else a, b.T if flip_b else b
    assert (a.shape[0], b.shape[0], b.shape[1]) == (C.shape[0], a.shape[1], C.shape[1])
    C[...] = alpha * (a @ b) + (beta * C if beta else 0)  # with a beta of 0, BLAS does not read C


def _product_rows(gemm, A, B, C, alpha, beta, first, last):
    assert 0 <= first < last <= A.shape[1] == C.shape[0], f"rows {first} to {last} of {A.shape[1]}"
    _product(gemm, strict(A[:, first:last]), B, C[first:last], alpha, beta, flip_a=True, flip_b=False)


def _tiled_product(dtype, inner, columns, finish="store"):
    def product(A, B, C, first, last, extra=None):
        assert A.dtype == B.dtype == C.dtype == dtype
        assert (A.shape[1], B.shape, C.shape[1]) == (inner, (inner, columns), columns)
        assert 0 <= first <= last <= min(len(A), len(C))
        rows = unwritten((last - first, columns), dtype)
        _product(np.dtype(dtype), A[first:last], B, rows, C.dtype.type(1), C.dtype.type(0), flip_a=False, flip_b=False)
        if finish == "bias_relu":
            assert extra.shape == (columns,)
            rows = np.maximum(rows + extra, 0)
        elif finish != "store":
            rows = rows * ((C if finish == "mask_in_place" else extra)[first:last] > 0)
        C[first:last] = rows

    return product


def _tiled_gradient(dtype, rows, columns, finish="store"):
    def gradient(A, B, C, count, alpha, first, last):
        assert (A.shape[1], B.shape[1], C.shape) == (rows, columns, (rows, columns))
        assert count <= min(len(A), len(B))
        beta = C.dtype.type(finish == "update")
        _product_rows(np.dtype(dtype), A[0:count], B[0:count], C, alpha, beta, first, last)

    return gradient


def _transposed_into(dtype, rows, columns):
    def transpose(W, T):
        assert (W.shape, T.shape) == ((rows, columns), (columns, rows))
        T[...] = W.T

    return transpose


def _wrapped(position, size):
    if not -size <= position < size:
        raise IndexError("an index is out of bounds")
    return position + size if position < 0 else position


def _classes_in(labels, lowest, classes):
    return bool(np.all((labels >= lowest) & (labels < classes)))


def _batch_rows(order, start, rows, taken, count):
    return taken if order.size else rows[start : start + count]


def _gather_rows(order, start, rows, taken):
    for i in range(len(taken) if order.size else 0):
        taken[i] = rows[order[start + i]]


def _take_rows(order, start, rows, taken, count):
    _gather_rows(order, start, rows, taken)
    return _batch_rows(order, start, rows, taken, count)


def _take_columns(order, start, columns, taken):
    for i in range(taken.shape[1]):
        taken[:, i] = columns[:, order[start + i] if order.size else start + i]
    return taken


def _sigmoid(z):
    e = np.exp(-np.abs(z))
    return (type(z)(1) if z >= 0 else e) / (1 + e)


def _softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _of_kind(function, kind):
    return lambda *values: function(*map(kind, values))  # a compiled function casts to its types


class _Kind:
    """Numba's name of a scalar type: it converts, and makes array types in signatures."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, value):
        return self.kind(value)

    def __getitem__(self, axes):
        return self


_KINDS = {"float32": np.float32, "float64": np.float64, "int32": np.int32, "int64": np.int64}
_FUNCTIONS = {
    "exp": np.exp, "expm1_": np.expm1, "log": np.log, "log1p_": np.log1p, "tanh": np.tanh, "sign": np.sign,
    "power": np.power, "sigmoid": _sigmoid, "softplus": _softplus,
}  # fmt: skip
NATIVE = {
    "NoAlias": None, "larger": np.maximum, "smaller": np.minimum, "added": np.add, "squared": np.square,
    "tiled_product": _tiled_product, "tiled_gradient": _tiled_gradient, "transposed_into": _transposed_into,
    "at_least": np.maximum, "at_most": np.minimum, "wrapped": _wrapped, "classes_in": _classes_in, "take_rows": _take_rows, "take_columns": _take_columns,
    "gather_rows": _gather_rows, "batch_rows": _batch_rows, "product_rows": _product_rows,
    **{f"product_{'nt'[a]}{'nt'[b]}": functools.partial(_product, flip_a=a, flip_b=b) for a in (0, 1) for b in (0, 1)},
    **{f"{name}{kind[-2:]}": _of_kind(f, _KINDS[kind]) for name, f in _FUNCTIONS.items() for kind in ("float32", "float64")},
}  # fmt: skip
MODULES = {
    "np": types.SimpleNamespace(**_KINDS, bool_=np.bool_, nan=np.nan, inf=np.inf, empty=unwritten, full=np.full),
    "math": types.SimpleNamespace(
        sqrt=np.sqrt, sin=np.sin, cos=np.cos, erf=special.erf, erfc=special.erfc, isfinite=np.isfinite, isinf=np.isinf
    ),
    **{name: _Kind(kind) for name, kind in {**_KINDS, "boolean": np.bool_}.items()},
}


def _widened(value):
    return np.int64(value) if isinstance(value, (bool, np.bool_, np.int32)) else value


def _array(value):
    assert isinstance(value, np.ndarray), "a number is taken for an array"
    return value


class _AsNumba(ast.NodeTransformer):
    """Imports go; numbers get the kinds that Numba gives them."""

    def visit_Import(self, node):
        return None

    visit_ImportFrom = visit_Import  # noqa: N815 - the name that ast looks for

    def visit_Constant(self, node):
        return self._called("__float64", node) if type(node.value) is float else node

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":  # Numba's numbers have none
            node.func.value = self._called("__array", node.func.value)
        return node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            node.left, node.right = self._called("__widened", node.left), self._called("__widened", node.right)
        return node

    @staticmethod
    def _called(name, node):
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node], []), node)


def plain(source, function, **further):
    """The function of that name in an emitted module, in Python that checks what it does."""
    module = ast.parse(source)
    names = {
        alias.name for node in module.body if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names
    }
    known = {**MODULES, **NATIVE, **further}
    scope = {name: value for name, value in known.items() if name in names or name == "np"}  # what is imported, no more
    tree = ast.fix_missing_locations(_AsNumba().visit(module))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    scope["njit"] = lambda *signature, **options: lambda f: _checked(f, functions[f.__name__], signature)
    filename = f"<emitted {next(_numbers)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope |= {"__float64": np.float64, "__widened": _widened, "__array": _array}
    exec(compile(tree, filename, "exec"), scope)
    return scope[function]


def _checked(function, node, signature):
    """A function whose arguments must be apart where one of them is written; of an entry, whose signature must fit."""
    places = list(inspect.signature(function).parameters)
    if signature:
        assert len(signature[0]) == len(places), "the signature has another length"
        return function
    targets = [
        t for n in ast.walk(node) if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Subscript)
    ]
    written = {target.value.id for target in targets} & set(places)

    def kernel(*arguments):
        given = dict(zip(places, arguments, strict=True))
        arrays = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
        for one, other in itertools.combinations(arrays, 2):
            if one in written or other in written:
                assert not np.shares_memory(arrays[one], arrays[other]), (
                    f"{function.__name__}: {one} and {other} overlap"
                )
        return function(*arguments)

    return kernel


# -- a function, from Python to results ----------------------------------------------------------------------------------
def staged(function, *args):
    """The staged program, and the leaves of these arguments that it takes."""
    compiled = compile_call(function, args, {})
    call = take_apart(function, args, {}, parameter_names(function))
    leaves = [leaf for group in call.leaves for leaf in group]
    return compiled, [leaf for leaf, n in zip(leaves, compiled.leaf_numbers, strict=True) if n is not None]


def emitted(compiled):
    """The text of a staged program for Numba."""
    return emit_function(compiled.graph, compiled.name, compiled.parameters, compiled.constants)


def run_graph(graph, arguments, source, name):
    """What the text makes of the arguments: they must be left as they are, and the results be new."""
    given = [strict(x) for x in (*arguments, *graph.constants.values())]
    before = [np.array(x) for x in given]
    with np.errstate(all="ignore"):
        results = plain(source, name)(*given, np.float32, np.float64)
    for x, y in zip(given, before, strict=True):
        np.testing.assert_array_equal(np.asarray(x), y, "an argument was written to")
    for x, y in itertools.combinations([x for x in (*results, *given) if isinstance(x, np.ndarray)], 2):
        assert not np.shares_memory(x, y), "a result shares its memory"
    return [np.asarray(x) if isinstance(x, np.ndarray) else x for x in results]


def reference(compiled, leaves):
    """What `evaluate` makes of the leaves."""
    with np.errstate(all="ignore"):
        return evaluate(compiled.graph, leaves)


def check_graph(graph, arguments, source, name="f", rtol=None):
    """Compare the text's results with what `evaluate` makes of the graph."""
    with np.errstate(all="ignore"):
        want = evaluate(graph, arguments)
    narrow = any(v.dtype == np.float32 for v in graph.variables)
    agree(run_graph(graph, arguments, source, name), want, rtol or TOLERANCE["float32" if narrow else "float64"])


def check(function, *args, rtol=None):
    """Stage, emit, run and compare; returns the text."""
    compiled, leaves = staged(function, *args)
    source = emitted(compiled)
    check_graph(compiled.graph, leaves, source, compiled.name, rtol)
    return source


def agree(got, want, rtol, scale=0.0):
    """Equal shapes and dtypes, and values to `rtol` of the array's scale, at least `scale`; NaN and infinity in place."""
    assert len(got) == len(want)
    for g, w in zip(got, map(np.asarray, want), strict=True):
        assert np.shape(g) == w.shape
        assert not isinstance(g, np.ndarray) or g.dtype == w.dtype
        finite = np.abs(w[np.isfinite(w)].astype(np.float64))
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * max(float(np.max(finite, initial=0.0)), scale, 1e-300))
