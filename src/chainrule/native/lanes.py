"""Vectors in LLVM's words: how many numbers a register holds, and what kernels say to LLVM with them.

The one idea: a piece of a row is one vector register, some of whose lanes may be unused; whoever loads and stores pieces
need not know about ragged edges. Masks are constants, so that a processor with masked moves pays nothing for them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import binding, ir

SIZES = {"float32": 4, "float64": 8}
INDEX = ir.IntType(64)


@functools.cache
def register_bytes() -> int:
    """The width of this processor's vector registers; 16 where nothing is known about it."""
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


@functools.cache
def registers() -> int:
    """How many vector registers there are: 16 with SSE or AVX, else 32."""
    features = binding.get_host_cpu_features()
    return 16 if features.get("sse2") and not features.get("avx512vl") else 32


def lanes_of(dtype: str) -> int:
    """How many numbers of a kind one vector register holds."""
    return register_bytes() // SIZES[dtype]


class Piece(NamedTuple):
    """Consecutive numbers of a row that share a register: the first `used` of its `lanes`."""

    offset: int
    lanes: int
    used: int


def pieces_of(count: int, lanes: int) -> list[Piece]:
    """Cut a row into registers; the last is the narrowest that holds the rest."""
    pieces = [Piece(start, lanes, lanes) for start in range(0, count - lanes + 1, lanes)]
    rest = count % lanes
    return [*pieces, Piece(count - rest, 1 << (rest - 1).bit_length(), rest)] if rest else pieces


class Code:
    """A builder of LLVM's instructions that knows the kind of its numbers."""

    def __init__(self, builder: ir.IRBuilder, dtype: str) -> None:
        self.builder = builder
        self.size = SIZES[dtype]
        self.real = ir.FloatType() if dtype == "float32" else ir.DoubleType()

    # -- whole numbers -------------------------------------------------------------------------------------------------
    def index(self, value: Any) -> Any:
        """A whole number as a value of LLVM."""
        return ir.Constant(INDEX, value) if isinstance(value, int) else value

    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        return self.builder.add(self.index(a), self.index(b), flags=("nsw",))

    def sub(self, a: Any, b: Any) -> Any:
        """The difference."""
        return self.builder.sub(self.index(a), self.index(b), flags=("nsw",))

    def mul(self, a: Any, b: Any) -> Any:
        """The product."""
        return self.builder.mul(self.index(a), self.index(b), flags=("nsw",))

    def quotient(self, a: Any, b: Any) -> Any:
        """How often b > 0 goes into a >= 0, a rest counted as once."""
        return self.builder.sdiv(self.add(a, self.add(b, -1)), self.index(b))

    def smaller(self, a: Any, b: Any) -> Any:
        """The smaller of two."""
        a, b = self.index(a), self.index(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def larger(self, a: Any, b: Any) -> Any:
        """The larger of two."""
        a, b = self.index(a), self.index(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), b, a)

    # -- vectors -------------------------------------------------------------------------------------------------------
    def vector(self, lanes: int) -> ir.Type:
        """The type of a register."""
        return ir.VectorType(self.real, lanes)

    def constant(self, value: float, lanes: int) -> ir.Constant:
        """One number in every lane."""
        return ir.Constant(self.vector(lanes), [ir.Constant(self.real, value)] * lanes)

    def undefined(self, lanes: int) -> ir.Constant:
        """A register of which nothing is wanted."""
        return ir.Constant(self.vector(lanes), ir.Undefined)

    def splat(self, scalar: Any, lanes: int) -> Any:
        """One number of the program in every lane."""
        one = self.builder.insert_element(self.undefined(lanes), scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffled(one, [0] * lanes)

    def shuffled(self, x: Any, order: Sequence[int], y: Any = None) -> Any:
        """The lanes of x, and then of y, in a new order."""
        order = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        return self.builder.shuffle_vector(x, self.undefined(x.type.count) if y is None else y, order)

    def exchanged(self, x: Any, y: Any, half: int) -> tuple[Any, Any]:
        """A step of a transposition: in groups of 2 `half` lanes, the upper half of x against the lower of y."""
        lanes = range(x.type.count)
        low = [len(lanes) + lane - half if lane & half else lane for lane in lanes]
        high = [len(lanes) + lane if lane & half else lane + half for lane in lanes]
        return self.shuffled(x, low, y), self.shuffled(x, high, y)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """A b + c, rounded once where the processor can."""
        return self._call(f"llvm.fmuladd.{self._suffix(a.type.count)}", a.type, [a, b, c])

    # -- memory --------------------------------------------------------------------------------------------------------
    def space(self, count: int) -> Any:
        """Room for numbers on the stack, at the start of a cache line."""
        place = self.builder.alloca(self.real, count)
        place.align = 64
        return place

    def at(self, pointer: Any, offset: Any) -> Any:
        """The address `offset` numbers further on."""
        if isinstance(offset, int) and offset == 0:
            return pointer
        return self.builder.gep(pointer, [self.index(offset)], inbounds=True)

    def load(self, pointer: Any, piece: Piece) -> Any:
        """A piece of the row at `pointer`, zeros in the unused lanes."""
        place, kind = self._place(pointer, piece), self.vector(piece.lanes)
        if piece.used == piece.lanes:
            return self.builder.load(place, align=self.size)
        name = f"llvm.masked.load.{self._suffix(piece.lanes)}.p0"
        return self._call(name, kind, [place, *self._mask(piece), self.constant(0.0, piece.lanes)])

    def store(self, value: Any, pointer: Any, piece: Piece) -> None:
        """Write a piece of the row at `pointer`."""
        place = self._place(pointer, piece)
        if piece.used == piece.lanes:
            self.builder.store(value, place, align=self.size)
            return
        name = f"llvm.masked.store.{self._suffix(piece.lanes)}.p0"
        self._call(name, ir.VoidType(), [value, place, *self._mask(piece)])

    def fetch(self, pointer: Any) -> None:
        """Have a line of memory brought near."""
        place = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        read, near, data = (ir.Constant(ir.IntType(32), word) for word in (0, 3, 1))
        self._call("llvm.prefetch.p0", ir.VoidType(), [place, read, near, data])

    # -- control -------------------------------------------------------------------------------------------------------
    def loop(
        self, start: Any, limit: Any, step: Any, carried: Sequence[Any], body: Callable[[Any, list[Any]], Any]
    ) -> tuple[Any, list[Any]]:
        """While i + step <= limit: new values (or None, for none) of what is carried along; the last i, and they."""
        builder = self.builder
        before = builder.block
        head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(INDEX)
        i.add_incoming(self.index(start), before)
        phis = [builder.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        following = self.add(i, step)
        builder.cbranch(builder.icmp_signed("<=", following, self.index(limit)), inside, after)
        builder.position_at_end(inside)
        results = body(i, phis) or []
        i.add_incoming(following, builder.block)
        for phi, value in zip(phis, results, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return i, phis

    def unless(self, condition: Any, values: Sequence[Any], body: Callable[[], Sequence[Any]]) -> list[Any]:
        """`values` where the condition holds, else what the body returns."""
        builder = self.builder
        before = builder.block
        with builder.if_then(builder.not_(condition)):
            others = body()
            inside = builder.block
        phis = [builder.phi(value.type) for value in values]
        for phi, value, other in zip(phis, values, others, strict=True):
            phi.add_incoming(value, before)
            phi.add_incoming(other, inside)
        return phis

    # -- LLVM's own functions ------------------------------------------------------------------------------------------
    def _call(self, name: str, result: ir.Type, arguments: Sequence[Any]) -> Any:
        module = self.builder.module
        if name not in module.globals:
            ir.Function(module, ir.FunctionType(result, [argument.type for argument in arguments]), name)
        return self.builder.call(module.globals[name], arguments)

    def _suffix(self, lanes: int) -> str:
        return f"v{lanes}f{8 * self.size}"

    def _place(self, pointer: Any, piece: Piece) -> Any:
        return self.builder.bitcast(self.at(pointer, piece.offset), self.vector(piece.lanes).as_pointer())

    def _mask(self, piece: Piece) -> list[Any]:
        bit = ir.IntType(1)
        lanes = [ir.Constant(bit, int(lane < piece.used)) for lane in range(piece.lanes)]
        return [ir.Constant(ir.IntType(32), self.size), ir.Constant(ir.VectorType(bit, piece.lanes), lanes)]
