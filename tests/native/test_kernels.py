"""Matrix products specialised to shapes: the numbers, the edges, and the order of additions."""

import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import chainrule

numba = pytest.importorskip("numba")

from llvmlite import binding  # noqa: E402

from chainrule.native import lanes, tiles  # noqa: E402
from chainrule.native.kernels import FINISHES, tiled_gradient, tiled_product, transposed_into  # noqa: E402

CLOSE = {"float32": 1e-5, "float64": 1e-12}
PACKAGES = str(Path(chainrule.__file__).parents[1])
ROOM = 40  # numbers before and behind an array
ROWS = [*range(41), 64]


def array(rng, dtype, *shape, around=np.nan):
    """Normal random numbers, in the midst of others."""
    size = int(np.prod(shape))
    space = np.full(size + 2 * ROOM, around, dtype)
    space[ROOM : ROOM + size] = rng.normal(size=size)
    return space[ROOM : ROOM + size].reshape(shape), space


def untouched(space):
    return np.isnan(space[:ROOM]).all() and np.isnan(space[-ROOM:]).all()


def expected(A, B, finish, extra, before):
    """The product in float64, and how far off it may be."""
    A, B = A.astype(np.float64), B.astype(np.float64)
    value, scale = A @ B, abs(A) @ abs(B)
    if finish.startswith("bias"):
        value, scale = value + extra, scale + abs(extra)
    if finish == "bias_relu":
        value = np.maximum(value, 0)
    if finish.startswith("mask"):
        value = value * ((extra if finish == "mask" else before) > 0)
    return value, scale


def check_product(rng, dtype, inner, columns, finish, width, all_rows):
    f = tiled_product(dtype, inner, columns, finish=finish, lanes=width)
    B, _ = array(rng, dtype, inner, columns)
    for rows in all_rows:
        A, _ = array(rng, dtype, rows, inner)
        C, space = array(rng, dtype, rows, columns)
        extra = array(rng, dtype, *((columns,) if finish.startswith("bias") else (rows, columns)))[0]
        before, value = C.copy(), None
        arguments = (extra,) if finish in {"bias", "bias_relu", "mask"} else ()
        f(A, B, C, 0, rows, *arguments)
        value, scale = expected(A, B, finish, extra, before)
        assert (abs(C - value) <= CLOSE[dtype] * scale).all(), (dtype, inner, columns, finish, width, rows)
        assert untouched(space)
        cut = before.copy()
        middle = sorted(rng.integers(0, rows + 1, size=2))
        for first, last in zip([0, *middle], [*middle, rows], strict=True):
            f(A, B, cut, first, last, *arguments)
        assert cut.tobytes() == C.tobytes()


def check_gradient(rng, dtype, rows, columns, finish, width, counts):
    f = tiled_gradient(dtype, rows, columns, finish=finish, lanes=width)
    for count in counts:
        A, _ = array(rng, dtype, count, rows)
        B, _ = array(rng, dtype, count, columns)
        C, space = array(rng, dtype, rows, columns)
        before = C.copy() if finish == "update" else np.full_like(C, np.nan)
        C[:] = before
        f(A, B, C, count, -0.5, 0, rows)
        value = -0.5 * (A.T.astype(np.float64) @ B)
        scale = 0.5 * (abs(A.T).astype(np.float64) @ abs(B))
        if finish == "update":
            value, scale = value + before, scale + abs(before)
        assert (abs(C - value) <= CLOSE[dtype] * scale).all(), (dtype, rows, columns, finish, width, count)
        assert untouched(space)
        cut = before.copy()
        middle = sorted(rng.integers(0, rows + 1, size=2))
        for first, last in zip([0, *middle], [*middle, rows], strict=True):
            f(A, B, cut, count, -0.5, first, last)
        assert cut.tobytes() == C.tobytes()


def kinds(seed):
    """Kinds, widths and sizes, mixed so that few kernels meet many cases."""
    mixed = random.Random(seed)
    while True:
        yield mixed.choice(list(CLOSE)), mixed.choice([None, None, 4, 8, 16]), mixed.randint(1, 20)


@pytest.mark.parametrize("finish", FINISHES)
def test_products_of_every_number_of_rows_and_columns(finish):
    rng = np.random.default_rng(FINISHES.index(finish))
    for columns, (dtype, width, inner) in zip(range(1 + FINISHES.index(finish), 41, 5), kinds(finish), strict=False):
        check_product(rng, dtype, inner, columns, finish, width, ROWS)


@pytest.mark.parametrize(
    ("dtype", "inner", "columns", "finish", "rows"),
    [
        ("float32", 1, 37, "store", ROWS),
        ("float32", 70, 1, "bias", ROWS),
        ("float32", 100, 1, "mask", ROWS),
        ("float64", 19, 1, "bias_relu", ROWS),
        ("float32", 784, 256, "bias_relu", [1, 7, 128]),
        ("float64", 200, 131, "mask", [130]),
        ("float32", 1024, 100, "mask_in_place", [30]),  # rows of A that lie badly
        ("float32", 1024, 300, "bias", [3, 48, 150]),  # B is copied, A taken in chunks
        ("float64", 700, 203, "store", [401]),
    ],
)
def test_products_of_other_sizes(dtype, inner, columns, finish, rows):
    check_product(np.random.default_rng(inner), dtype, inner, columns, finish, None, rows)


@pytest.mark.parametrize("finish", ["store", "update"])
def test_gradients_of_every_number_of_columns(finish):
    rng = np.random.default_rng(1)
    for columns, (dtype, width, rows) in zip(range(1 + (finish == "store"), 41, 3), kinds(finish), strict=False):
        check_gradient(rng, dtype, rows + columns % 13, columns, finish, width, [*range(10), 32, 257])


@pytest.mark.parametrize(
    ("dtype", "rows", "columns", "finish", "counts"),
    [
        ("float32", 37, 1, "update", [0, 1, 30, 256, 520]),
        ("float64", 40, 1, "store", [0, 1, 256, 520]),
        ("float32", 70, 10, "store", [0, 5, 300]),
        ("float32", 260, 300, "update", [128, 300]),
        ("float32", 600, 600, "store", [0, 32, 300]),  # B is copied, C asked for
    ],
)
def test_gradients_of_other_sizes(dtype, rows, columns, finish, counts):
    check_gradient(np.random.default_rng(rows), dtype, rows, columns, finish, None, counts)


@pytest.mark.parametrize(
    ("dtype", "rows", "columns", "width"),
    [
        ("float32", 1, 1, None),
        ("float32", 3, 50, None),
        ("float32", 33, 16, 8),
        ("float32", 45, 47, None),
        ("float64", 13, 29, None),
        ("float64", 7, 18, 4),
        ("float32", 64, 32, 16),
        ("float32", 5, 6, 2),
    ],
)
def test_transposition(dtype, rows, columns, width):
    rng = np.random.default_rng(0)
    W, _ = array(rng, dtype, rows, columns)
    T, space = array(rng, dtype, columns, rows)
    transposed_into(dtype, rows, columns, lanes=width)(W, T)
    assert (T == W.T).all()
    assert untouched(space)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_and_infinity_are_numpys():
    A = np.array([[1.0, 2.0], [-1.0, -2.0], [np.nan, 1.0], [np.inf, 1.0], [-np.inf, 1.0]], np.float32)
    B, bias = np.eye(2, 18, dtype=np.float32) + 1, np.zeros(18, np.float32)
    C = np.empty((5, 18), np.float32)
    tiled_product("float32", 2, 18, finish="bias_relu")(A, B, C, 0, 5, bias)
    np.testing.assert_array_equal(C, np.maximum(A @ B, 0))
    mask = np.resize(np.array([1.0, 0.0, -1.0, np.nan, np.inf], np.float32), (5, 18))
    tiled_product("float32", 2, 18, finish="mask")(A, B, C, 0, 5, mask)
    np.testing.assert_array_equal(C, (A @ B) * (mask > 0))
    tiled_product("float32", 2, 18, finish="mask_in_place")(A, B, mask, 0, 5)
    np.testing.assert_array_equal(mask, C)


def test_only_the_rows_of_the_range_are_written():
    A, B, C = np.ones((30, 5)), np.ones((5, 7)), np.zeros((30, 7))
    tiled_product("float64", 5, 7)(A, B, C, 3, 20)
    assert (C[3:20] == 5).all()
    assert not C[:3].any()
    assert not C[20:].any()
    G = np.zeros((5, 7))
    tiled_gradient("float64", 5, 7)(A, C, G, 30, 1.0, 2, 4)
    assert (G[2:4] == 85).all()
    assert not G[[0, 1, 4]].any()


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect")
def test_nothing_is_touched_beyond_the_arrays():
    """Arrays that end, or begin, where the process may not read."""
    source = """
        import ctypes, mmap
        import numpy as np
        from chainrule.native.kernels import tiled_gradient, tiled_product, transposed_into

        libc = ctypes.CDLL(None, use_errno=True)
        kept = []

        def array(end, *shape):
            size, page = 4 * int(np.prod(shape)), mmap.PAGESIZE
            pages = -(-size // page)
            space = mmap.mmap(-1, (pages + 2) * page)
            bytes_ = np.frombuffer(space, np.uint8)
            for place in (0, (pages + 1) * page):
                assert not libc.mprotect(ctypes.c_void_p(bytes_.ctypes.data + place), ctypes.c_size_t(page), 0)
            kept.append((space, bytes_))
            start = (pages + 1) * page - size if end else page
            return bytes_[start : start + size].view(np.float32).reshape(shape)

        for rows, inner, columns in ((7, 5, 19), (33, 37, 1), (33, 40, 10)):
            for end in (True, False):
                A, B, C, M = (array(end, *s) for s in ((rows, inner), (inner, columns), (rows, columns), (rows, columns)))
                tiled_product("float32", inner, columns, finish="mask")(A, B, C, 0, rows, M)
                tiled_gradient("float32", inner, columns, finish="update")(A, C, B, rows, 1.0, 0, inner)
                transposed_into("float32", inner, columns)(B, array(end, columns, inner))
        print("done")
    """
    done = run(source, {})
    assert done == "done"


def test_kernels_come_back_from_the_cache(tmp_path):
    (tmp_path / "emitted.py").write_text(
        textwrap.dedent("""
        from numba import njit
        from chainrule.native.kernels import tiled_gradient, tiled_product

        forward = tiled_product("float32", 12, 20, finish="bias_relu")
        gradient = tiled_gradient("float32", 12, 20, finish="update")

        @njit(cache=True, nogil=True)
        def step(X, W, b, H):
            for _ in range(2):
                forward(X, W, H, 0, len(X), b)
                gradient(X, H, W, len(X), -0.01, 0, len(W))
        """)
    )
    source = """
        import numpy as np
        from emitted import step
        X, W, b, H = (np.ones(s, np.float32) for s in ((9, 12), (12, 20), (20,), (9, 20)))
        step(X, W, b, H)
        print(sum(step.stats.cache_hits.values()), H.sum(), W.sum())
    """
    place = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join([PACKAGES, str(tmp_path)])}
    first, second = run(source, place), run(source, place)
    assert first.startswith("0 ")
    assert second == "1" + first[1:]


def run(source, settings):
    """What a script prints, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": PACKAGES} | settings
    command = [sys.executable, "-c", textwrap.dedent(source)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_registers_are_used_to_their_width():
    features = binding.get_host_cpu_features()
    if not features.get("fma"):
        pytest.skip("no fused multiplication and addition")
    f = tiled_product("float32", 784, 256, finish="bias_relu")
    A, B, b, C = (np.zeros(shape, np.float32) for shape in ((2, 784), (784, 256), (256,), (2, 256)))
    f(A, B, C, 0, 2, b)
    (text,) = f.inspect_asm().values()
    name = {64: "zmm", 32: "ymm", 16: "xmm"}[lanes.register_bytes()]
    assert sum("vfmadd" in line and name in line for line in text.splitlines()) > 50


def test_tiles_fill_the_registers():
    for count, heights in tiles.HEIGHTS.items():
        assert all(vectors * (height + 1) + 1 <= count for vectors, height in heights.items())


def test_what_a_kernel_is_not_for_is_refused():
    with pytest.raises(ValueError, match="float16"):
        tiled_product("float16", 3, 3)
    with pytest.raises(ValueError, match="sizes of 1 and more"):
        tiled_gradient("float32", 0, 3)
    with pytest.raises(ValueError, match="finish is one of"):
        tiled_product("float32", 3, 3, finish="softmax")
    with pytest.raises(ValueError, match="finish is store or update"):
        tiled_gradient("float32", 3, 3, finish="bias")
    with pytest.raises(ValueError, match="lanes"):
        transposed_into("float32", 3, 3, lanes=3)
    A = np.zeros((3, 3))
    with pytest.raises(numba.TypingError, match="C-contiguous float32"):
        tiled_product("float32", 3, 3)(A, A, A, 0, 3)
    with pytest.raises(numba.TypingError, match="C-contiguous float64"):
        tiled_product("float64", 3, 3)(A, A.T, A.copy(), 0, 3)
