"""Tiles of a matrix product that stay in registers, and the order in which they are visited.

The one idea: a tile of C, a few rows of a few vectors, is held in registers while k runs; a number of A, copied to every
lane, times a vector of B is added to each of its vectors. All else is about where A and B lie meanwhile: columns are
taken in panels as wide as a tile, rows of C in chunks, the k of a gradient in blocks, so that what the tiles of a panel
share stays in a cache. A panel of a B that fits no cache is copied first, since its rows lie far apart.

Every element's sum runs over k upwards, one fused multiplication and addition at a time, whichever tile it lies in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chainrule.native.lanes import Code, Piece, pieces_of, registers

HEIGHTS = {
    32: {1: 16, 2: 12, 3: 8, 4: 6},
    16: {1: 12, 2: 6},
}  # rows of a tile by its vectors: C, B and A fill registers
LOW = 8  # rows of a tile of two vectors that leave no rest of most batches
BLOCK = 256  # how much of k a gradient takes at a time
FIRST, SECOND = 1 << 15, 1 << 20  # bytes of the two caches nearest to a core
ALIAS = 1 << 12  # rows that lie so far apart drive each other out of the first cache
STACK = 1 << 18 if sys.platform != "win32" else 0  # bytes that a copied panel may take
UNROLLED = 8  # a sum of fewer has no loop
PAIRED = 12  # tiles of so many vectors take two steps of k at a time

Tile = Callable[["Factors", Any, Any, int, list[Piece], Any], None]


@dataclass(frozen=True)
class Factors:
    """What is multiplied: A[row, k] lies at row * a_row + k * a_step, row k of B at k * b_step; k < steps."""

    a: Any
    b: Any
    a_row: int
    a_step: int
    b_step: Any
    steps: Any


@dataclass(frozen=True)
class Plan:
    """How a product is cut.

    Attributes
    ----------
    columns, lanes : int
        Of C, and of a vector.
    vectors, tallest : int
        A panel is so many vectors wide, its tallest tile so many rows high.
    chunk, block : int
        Rows of C and steps of k that are taken at a time; 0 is all of them.
    copied, fetched : bool
        Whether a panel of B is copied first, and C asked for before it is needed.
    """

    columns: int
    lanes: int
    vectors: int
    tallest: int
    chunk: int = 0
    block: int = 0
    copied: bool = False
    fetched: bool = False

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.vectors * self.lanes

    @property
    def whole(self) -> int:
        """Columns in whole panels."""
        return self.columns - self.columns % self.width


def plan_product(inner: int, columns: int, lanes: int, size: int) -> Plan:
    """How A B is cut: a chunk of A stays near while the panels of B pass by."""
    bulk = inner * columns * size
    plan = _plan(columns, lanes, low=bulk <= FIRST, wide=inner * size % ALIAS == 0)
    chunk = max(SECOND // (inner * size), 64) if plan.columns > plan.width and bulk > SECOND // 4 else 0
    return replace(plan, chunk=chunk, copied=bulk > SECOND and inner * plan.width * size <= STACK)


def plan_gradient(rows: int, columns: int, lanes: int, size: int) -> Plan:
    """How A^T B is cut: by blocks of k; large blocks of B are copied, a large C is asked for early."""
    bulk = BLOCK * columns * size
    plan = _plan(columns, lanes, low=bulk <= 2 * FIRST, wide=rows * size % ALIAS == 0)
    copied = bulk >= SECOND // 2 and rows * size >= FIRST // 16 and STACK > 0
    return replace(plan, block=BLOCK, copied=copied, fetched=rows * columns * size > SECOND // 4)


def _plan(columns: int, lanes: int, *, low: bool, wide: bool) -> Plan:
    """Tiles of two vectors; wider and lower ones, which touch fewer rows at once, where those of A lie badly."""
    many = registers() == 32
    vectors = min(len(pieces_of(columns, lanes)), 4 if many and wide else 2)
    return Plan(columns, lanes, vectors, LOW if many and low and vectors == 2 else HEIGHTS[registers()][vectors])


# -- a tile ------------------------------------------------------------------------------------------------------------
def accumulate(code: Code, height: int, pieces: list[Piece], factors: Factors, sums: list[Any]) -> list[Any]:
    """Return sums + A B for a tile, row by row."""

    def one(a, b, sums):
        row, sums = [code.load(b, piece) for piece in pieces], list(sums)
        for r in range(height):
            number = code.builder.load(code.at(a, r * factors.a_row))
            for v, piece in enumerate(pieces):
                place = r * len(pieces) + v
                sums[place] = code.fma(code.splat(number, piece.lanes), row[v], sums[place])
        return sums

    def several(count):
        def body(_, carried):
            a, b, *sums = carried
            for _ in range(count):
                sums = one(a, b, sums)
                a, b = code.at(a, factors.a_step), code.at(b, factors.b_step)
            return [a, b, *sums]

        return body

    start = [factors.a, factors.b, *sums]
    if isinstance(factors.steps, int) and factors.steps <= UNROLLED:
        return several(factors.steps)(None, start)[2:]
    together = 2 if len(sums) >= PAIRED else 1
    done, carried = code.loop(0, factors.steps, together, start, several(together))
    if together > 1:
        constant = isinstance(factors.steps, int)
        rest = several(factors.steps % 2 if constant else 1)
        carried = rest(None, carried) if constant else code.loop(done, factors.steps, 1, carried, rest)[1]
    return carried[2:]


def places_of(columns: int, height: int, pieces: list[Piece]) -> list[Piece]:
    """The pieces of a tile of C, row by row, counted from its corner."""
    return [Piece(piece.offset + r * columns, piece.lanes, piece.used) for r in range(height) for piece in pieces]


# -- the order of tiles ------------------------------------------------------------------------------------------------
def over_tiles(code: Code, plan: Plan, factors: Factors, first: Any, last: Any, tile: Tile) -> None:
    """`tile(factors, i, column, height, pieces, k)` for every tile of C[first:last] and every block of k."""
    space = code.space((plan.block or factors.steps) * plan.width) if plan.copied else None
    tallest = {plan.vectors: plan.tallest}

    def panel(factors, column, pieces, first, last, k):
        def body(i, height):
            tile(replace(factors, a=code.at(factors.a, code.mul(i, factors.a_row))), i, column, height, pieces, k)

        over_rows(code, first, last, tallest.get(len(pieces), HEIGHTS[registers()][len(pieces)]), body)

    def panels(factors, first, last, k):
        def whole(column, _):
            here = replace(factors, b=code.at(factors.b, column))
            if plan.copied:
                here = _copied(code, here, plan, space, code.sub(last, first))
            panel(here, column, pieces_of(plan.width, plan.lanes), first, last, k)

        if plan.whole:
            code.loop(0, plan.whole, plan.width, [], whole)
        if plan.whole < plan.columns:
            rest = pieces_of(plan.columns - plan.whole, plan.lanes)
            panel(replace(factors, b=code.at(factors.b, plan.whole)), code.index(plan.whole), rest, first, last, k)

    def chunk(first, last):
        over_blocks(code, plan.block, factors, lambda block, k: panels(block, first, last, k))

    _over_chunks(code, plan, first, last, chunk)


def over_rows(code: Code, first: Any, last: Any, tallest: int, body: Callable[[Any, int], None]) -> None:
    """Tiles from row `first` to row `last`: the tallest, then those powers of two that make up the rest."""
    i, _ = code.loop(first, last, tallest, [], lambda i, _: body(i, tallest))
    height = 1 << (tallest - 1).bit_length() - 1 if tallest > 1 else 0
    while height:
        following = code.add(i, height)
        fits = code.builder.icmp_signed("<=", following, last)
        with code.builder.if_then(fits):
            body(i, height)
        i = code.builder.select(fits, following, i)
        height //= 2


def over_blocks(code: Code, size: int, factors: Factors, body: Callable[[Factors, Any], None]) -> None:
    """Blocks of k, at least one; a size of 0 is all at once."""
    if not size:
        body(factors, code.index(0))
        return

    def block(k, _):
        a, b = code.at(factors.a, code.mul(k, factors.a_step)), code.at(factors.b, code.mul(k, factors.b_step))
        body(replace(factors, a=a, b=b, steps=code.smaller(code.sub(factors.steps, k), size)), k)

    blocks = code.larger(code.quotient(factors.steps, size), 1)
    code.loop(0, code.mul(blocks, size), size, [], block)


def _over_chunks(code: Code, plan: Plan, first: Any, last: Any, body: Callable[[Any, Any], None]) -> None:
    """Chunks of rows of much the same size."""
    if not plan.chunk:
        body(first, last)
        return
    total = code.sub(last, first)
    chunks = code.larger(code.quotient(total, plan.chunk), 1)
    size = code.mul(code.quotient(code.quotient(total, chunks), plan.tallest), plan.tallest)
    end = code.add(last, code.add(size, -1))  # the last chunk may be short
    code.loop(first, end, size, [], lambda i, _: body(i, code.smaller(code.add(i, size), last)))


def _copied(code: Code, factors: Factors, plan: Plan, space: Any, rows: Any) -> Factors:
    """The same factors, a panel of B copied to where its rows are neighbours, if many rows of A are to come."""

    def row(k, _):
        source, target = code.at(factors.b, code.mul(k, factors.b_step)), code.at(space, code.mul(k, plan.width))
        for piece in pieces_of(plan.width, plan.lanes):
            code.store(code.load(source, piece), target, piece)

    def copy():
        code.loop(0, factors.steps, 1, [], row)
        return [space, code.index(plan.width)]

    few = code.builder.icmp_signed("<", rows, code.index(4 * plan.tallest))
    b, b_step = code.unless(few, [factors.b, code.index(factors.b_step)], copy)
    return replace(factors, b=b, b_step=b_step)
