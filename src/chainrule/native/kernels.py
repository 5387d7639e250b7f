"""Matrix products for shapes that are known when they are compiled, for Numba's machine code to call.

The one idea: feature sizes are constants of a kernel and the batch is not, so that one kernel serves every batch; what
follows a product (a bias, max(., 0), a mask, the step of an update) happens in registers, before C is written.

    forward = tiled_product("float32", 784, 256, finish="bias_relu")
    gradient = tiled_gradient("float32", 784, 256, finish="update")

    @njit(cache=True)
    def step(X, W, b, H, D, rate):
        forward(X, W, H, 0, len(X), b)                  # H = maximum(X @ W + b, 0)
        ...
        gradient(X, D, W, len(X), -rate, 0, len(W))     # W -= rate * X.T @ D

The additions of every element come in an order that depends on shapes alone: rows of C can be cut anywhere, and shared by
threads, without changing a bit. Arrays are C-contiguous and have the sizes that were promised: kernels do not look.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from chainrule.native.lanes import SIZES, Code, Piece, lanes_of, pieces_of
from chainrule.native.tiles import (
    Factors,
    Plan,
    accumulate,
    over_blocks,
    over_rows,
    over_tiles,
    places_of,
    plan_gradient,
    plan_product,
)

ENTRY = {"error_model": "numpy", "nogil": True, "inline": "always"}
FINISHES = ("store", "bias", "bias_relu", "mask", "mask_in_place")
DOT_STEPS = 4  # a dot product of fewer vectors has no loop


# -- what is emitted ---------------------------------------------------------------------------------------------------
def _emit_product(code: Code, arguments: Any, inner: int, plan: Plan, finish: str) -> None:
    """C[first:last] = A[first:last] B, and what follows."""
    a, b, c, first, last, *extra = arguments

    def tile(factors, i, column, height, pieces, _):
        corner = code.add(code.mul(i, plan.columns), column)
        start = [code.constant(0.0, piece.lanes) for piece in pieces]
        if finish.startswith("bias"):
            start = [code.load(code.at(extra[0], column), piece) for piece in pieces]
        sums = accumulate(code, height, pieces, factors, start * height)
        mask = code.at(extra[0] if finish == "mask" else c, corner)
        for place, total in zip(places_of(plan.columns, height, pieces), sums, strict=True):
            _finish(code, finish, total, mask, code.at(c, corner), place)

    over_tiles(code, plan, Factors(a, b, inner, 1, plan.columns, inner), first, last, tile)


def _emit_dots(code: Code, arguments: Any, inner: int, lanes: int, finish: str) -> None:
    """The product with one column: k runs along vectors, whose lanes are added at the end, as a tree."""
    a, b, c, first, last, *extra = arguments
    whole = inner - inner % lanes
    full, rest = Piece(0, lanes, lanes), Piece(0, lanes, inner % lanes)

    def tile(i, height):
        rows = [code.at(a, code.mul(code.add(i, r), inner)) for r in range(height)]

        def step(piece, k, sums):
            column = code.load(code.at(b, k), piece)
            return [
                code.fma(code.load(code.at(row, k), piece), column, total)
                for row, total in zip(rows, sums, strict=True)
            ]

        sums = [code.constant(0.0, lanes)] * height
        if whole > DOT_STEPS * lanes:
            _, sums = code.loop(0, whole, lanes, sums, functools.partial(step, full))
        else:
            for k in range(0, whole, lanes):
                sums = step(full, k, sums)
        total = _lane_sums(code, step(rest, whole, sums) if rest.used else sums, lanes)
        if finish.startswith("bias"):
            total = code.builder.fadd(total, code.splat(code.builder.load(extra[0]), height))
        mask = code.at(extra[0] if finish == "mask" else c, i)
        _finish(code, finish, total, mask, code.at(c, i), Piece(0, height, height))

    over_rows(code, first, last, lanes, tile)


def _lane_sums(code: Code, sums: list[Any], lanes: int) -> Any:
    """The sum of the lanes of each of several vectors, as one vector."""
    height, half = len(sums), lanes // 2
    while half:
        lower, upper = sums[:half], sums[half:]
        upper += [code.undefined(lanes)] * (len(lower) - len(upper))
        sums = [code.builder.fadd(*code.exchanged(x, y, half)) for x, y in zip(lower, upper, strict=True)]
        half //= 2
    return code.shuffled(sums[0], range(height))


def _finish(code: Code, finish: str, total: Any, mask: Any, target: Any, place: Piece) -> None:
    """Write a piece of a product, after what follows it."""
    builder, zero = code.builder, code.constant(0.0, place.lanes)
    if finish == "bias_relu":
        total = builder.select(builder.fcmp_ordered(">", zero, total), zero, total)
    elif finish.startswith("mask"):
        positive = builder.fcmp_ordered(">", code.load(mask, place), zero)
        total = builder.fmul(total, builder.select(positive, code.constant(1.0, place.lanes), zero))
    code.store(total, target, place)


def _emit_gradient(code: Code, arguments: Any, rows: int, plan: Plan, finish: str) -> None:
    """C[first:last] = alpha (A^T B)[first:last], or += it."""
    a, b, c, count, alpha, first, last = arguments

    def tile(factors, i, column, height, pieces, k):
        corner = code.at(c, code.add(code.mul(i, plan.columns), column))
        places = places_of(plan.columns, height, pieces)
        if plan.fetched:
            for place in places:
                code.fetch(code.at(corner, place.offset))
        sums = accumulate(code, height, pieces, factors, [code.constant(0.0, place.lanes) for place in places])
        _add(code, corner, places, sums, alpha, k if finish == "store" else None)

    over_tiles(code, plan, Factors(a, b, 1, rows, plan.columns, count), first, last, tile)


def _emit_thin_gradient(code: Code, arguments: Any, rows: int, plan: Plan, finish: str) -> None:
    """The gradient of few columns: tiles of C^T, whose vectors lie along rows of A, turned around at the end."""
    a, b, c, count, alpha, first, last = arguments
    columns, lanes = plan.columns, plan.lanes

    def block(factors, k):
        def tile(i, height):
            pieces = pieces_of(height, lanes)
            turned = replace(factors, a=factors.b, b=code.at(factors.a, i), a_row=1, a_step=columns, b_step=rows)
            zeros = [code.constant(0.0, piece.lanes) for piece in pieces] * columns
            sums = accumulate(code, columns, pieces, turned, zeros)
            places = pieces
            if columns > 1:
                (row,) = pieces_of(columns, lanes)
                lines = [_turn(code, sums[v :: len(pieces)], lanes)[: piece.used] for v, piece in enumerate(pieces)]
                sums = [code.shuffled(line, range(row.lanes)) for several in lines for line in several]
                places = places_of(columns, height, [row])
            _add(code, code.at(c, code.mul(i, columns)), places, sums, alpha, k if finish == "store" else None)

        over_rows(code, first, last, plan.tallest, tile)

    over_blocks(code, plan.block, Factors(a, b, 1, rows, columns, count), block)


def _add(code: Code, corner: Any, places: list[Piece], sums: list[Any], alpha: Any, k: Any) -> None:
    """C += alpha sums for a tile; if `k` is told, C has nothing to be added to in the first block."""

    def loaded():
        return [code.load(corner, place) for place in places]

    if k is None:
        old = loaded()
    else:
        zeros = [code.constant(0.0, place.lanes) for place in places]
        old = code.unless(code.builder.icmp_signed("==", k, code.index(0)), zeros, loaded)
    for place, total, value in zip(places, sums, old, strict=True):
        code.store(code.fma(code.splat(alpha, place.lanes), total, value), corner, place)


def _emit_transpose(code: Code, arguments: Any, rows: int, columns: int, lanes: int) -> None:
    """T = W^T, square blocks turned around in registers."""
    w, t = arguments

    def block(i, j, down, across):
        source, target = code.at(w, code.add(code.mul(i, columns), j)), code.at(t, code.add(code.mul(j, rows), i))
        side = max(down.lanes, across.lanes)
        lines = _turn(code, [code.load(code.at(source, r * columns), across) for r in range(down.used)], side)
        for r in range(across.used):
            code.store(lines[r], code.at(target, r * rows), Piece(0, side, down.used))

    def strip(i, down):
        code.loop(0, columns, lanes, [], lambda j, _: block(i, j, down, Piece(0, lanes, lanes)))
        for across in pieces_of(columns % lanes, lanes):
            block(i, columns - columns % lanes, down, across)

    code.loop(0, rows, lanes, [], lambda i, _: strip(i, Piece(0, lanes, lanes)))
    for down in pieces_of(rows % lanes, lanes):
        strip(rows - rows % lanes, down)


def _turn(code: Code, lines: list[Any], side: int) -> list[Any]:
    """Transpose at most `side` vectors of at most `side` lanes."""
    lines = [code.shuffled(line, [lane % line.type.count for lane in range(side)]) for line in lines]
    lines += [code.undefined(side)] * (side - len(lines))
    half = side // 2
    while half:
        for r in range(side):
            if not r & half:
                lines[r], lines[r + half] = code.exchanged(lines[r], lines[r + half], half)
        half //= 2
    return lines


# -- what Numba calls --------------------------------------------------------------------------------------------------
def _lanes(dtype: str, lanes: int | None, *sizes: int) -> int:
    """Check what was asked for; the numbers of a vector."""
    if dtype not in SIZES:
        raise ValueError(f"kernels are for {' and '.join(SIZES)}, not {dtype}")
    if min(sizes) < 1:
        raise ValueError(f"kernels are for sizes of 1 and more, not {sizes}")
    if lanes is not None and (lanes < 2 or lanes & (lanes - 1)):
        raise ValueError(f"a vector has 2, 4, 8 or 16 lanes, not {lanes}")
    return lanes or lanes_of(dtype)


def _intrinsic_parts(name: str, dtype: str, emit: Callable[[Code, Any], None]) -> tuple[Callable, Callable]:
    """The two halves of an intrinsic: which types it takes, and a call of the function `name`, emitted once a module."""
    real = ir.FloatType() if dtype == "float32" else ir.DoubleType()

    def signature(*arguments):
        for argument in arguments:
            if isinstance(argument, types.Array):
                if argument.layout != "C" or str(argument.dtype) != dtype:
                    raise TypingError(f"a kernel for C-contiguous {dtype} arrays was given {argument}")
            elif not isinstance(argument, types.Number):
                raise TypingError(f"a kernel takes arrays and numbers, not {argument}")
        return types.void(*arguments)

    def build(context, builder, signature, args):
        values = []
        for kind, value in zip(signature.args, args, strict=True):
            if isinstance(kind, types.Array):
                data = context.make_array(kind)(context, builder, value).data
                values.append(builder.bitcast(data, real.as_pointer()))
            else:
                wanted = types.int64 if isinstance(kind, types.Integer) else getattr(types, dtype)
                values.append(context.cast(builder, value, kind, wanted))
        function = builder.module.globals.get(name)
        if function is None:
            shape = ir.FunctionType(ir.VoidType(), [value.type for value in values])
            function = ir.Function(builder.module, shape, name)
            function.linkage = "linkonce_odr"
            for attribute in ("noinline", "nounwind"):
                function.attributes.add(attribute)
            body = ir.IRBuilder(function.append_basic_block("entry"))
            emit(Code(body, dtype), function.args)
            body.ret_void()
        builder.call(function, values)
        return context.get_dummy_value()

    return signature, build


@functools.cache
def tiled_product(dtype: str, inner: int, columns: int, *, finish: str = "store", lanes: int | None = None):
    """C = A B for A of `inner` columns and B of `columns`, and what follows.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    inner, columns : int
        The sizes of B.
    finish : str, optional
        "store"; "bias" adds a row of `columns` numbers, "bias_relu" then takes max(., 0); "mask" multiplies by M > 0 for
        an M like C, "mask_in_place" by what C > 0 was before.
    lanes : int, optional
        Numbers of a vector; by default as many as a register holds.

    Returns
    -------
    callable
        `f(A, B, C, first, last)` for rows first to last of A and C, with the bias or M as one more argument.
    """
    lanes = _lanes(dtype, lanes, inner, columns)
    if finish not in FINISHES:
        raise ValueError(f"finish is one of {', '.join(FINISHES)}, not {finish}")
    plan = plan_product(inner, columns, lanes, SIZES[dtype])

    def emit(code, arguments):
        if columns == 1:
            _emit_dots(code, arguments, inner, lanes, finish)
        else:
            _emit_product(code, arguments, inner, plan, finish)

    signature, build = _intrinsic_parts(f"chainrule_product_{dtype}_{inner}_{columns}_{finish}_{lanes}", dtype, emit)
    if finish in {"store", "mask_in_place"}:

        @intrinsic
        def kernel(typingctx, A, B, C, first, last):
            return signature(A, B, C, first, last), build

        @njit(**ENTRY)
        def product(A, B, C, first, last):
            kernel(A, B, C, first, last)

    else:

        @intrinsic
        def kernel(typingctx, A, B, C, first, last, extra):
            return signature(A, B, C, first, last, extra), build

        @njit(**ENTRY)
        def product(A, B, C, first, last, extra):
            kernel(A, B, C, first, last, extra)

    product.tile = lanes if columns == 1 else plan.tallest
    return product


@functools.cache
def tiled_gradient(dtype: str, rows_of_c: int, columns: int, *, finish: str = "store", lanes: int | None = None):
    """C = alpha A^T B, or C += alpha A^T B, for A of `rows_of_c` columns and B of `columns`.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    rows_of_c, columns : int
        The sizes of C.
    finish : str, optional
        "store" or "update".
    lanes : int, optional
        Numbers of a vector; by default as many as a register holds.

    Returns
    -------
    callable
        `f(A, B, C, count, alpha, first, last)` for `count` rows of A and B, and rows first to last of C. Its attribute
        `tile` tells how many rows of C it likes best to take at a time.
    """
    lanes = _lanes(dtype, lanes, rows_of_c, columns)
    if finish not in {"store", "update"}:
        raise ValueError(f"finish is store or update, not {finish}")
    plan = plan_gradient(rows_of_c, columns, lanes, SIZES[dtype])
    thin = columns <= lanes * 3 // 4 and rows_of_c >= lanes
    if thin:
        plan = replace(plan, tallest=lanes * max(4 // columns, 1))

    def emit(code, arguments):
        (_emit_thin_gradient if thin else _emit_gradient)(code, arguments, rows_of_c, plan, finish)

    name = f"chainrule_gradient_{dtype}_{rows_of_c}_{columns}_{finish}_{lanes}"
    signature, build = _intrinsic_parts(name, dtype, emit)

    @intrinsic
    def kernel(typingctx, A, B, C, count, alpha, first, last):
        return signature(A, B, C, count, alpha, first, last), build

    @njit(**ENTRY)
    def gradient(A, B, C, count, alpha, first, last):
        kernel(A, B, C, count, alpha, first, last)

    gradient.tile = plan.tallest
    return gradient


@functools.cache
def transposed_into(dtype: str, rows: int, columns: int, *, lanes: int | None = None):
    """T = W^T.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    rows, columns : int
        The sizes of W.
    lanes : int, optional
        Numbers of a vector; by default as many as a register holds.

    Returns
    -------
    callable
        `f(W, T)`.
    """
    lanes = _lanes(dtype, lanes, rows, columns)

    def emit(code, arguments):
        _emit_transpose(code, arguments, rows, columns, lanes)

    signature, build = _intrinsic_parts(f"chainrule_transpose_{dtype}_{rows}_{columns}_{lanes}", dtype, emit)

    @intrinsic
    def kernel(typingctx, W, T):
        return signature(W, T), build

    @njit(**ENTRY)
    def transpose(W, T):
        kernel(W, T)

    return transpose
