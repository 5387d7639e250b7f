"""exp, log, tanh and their kin as polynomials that LLVM vectorises: what emitted machine code calls.

The one idea: a call of the C library inside of a loop keeps the loop scalar; a polynomial in plain arithmetic does not.
Each function is within two and a half units in the last place of the exact value (`tests/native/test_elementary.py`),
and follows NumPy at infinities and NaN. All are inlined by force: a loop with one call left in it is not vectorised.

Ranges are reduced in the way of Cephes (Moshier, Methods and Programs for Mathematical Functions, 1989): e^x = 2^n e^r
with |r| <= log(2) / 2, log(m 2^e) = e log 2 + log m with m between sqrt(1/2) and sqrt(2).
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import float32, float64, int32, int64, njit, types
from numba.core import cgutils
from numba.core.compiler import Compiler
from numba.extending import intrinsic

ARITHMETIC = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True, "forceinline": True}


class NoAlias(Compiler):
    """Numba's compiler, told that array arguments do not overlap: LLVM may then vectorise without checks."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.state.flags.noalias = True


# -- what Numba has no word for ----------------------------------------------------------------------------------------
@intrinsic
def _from_bits32(typingctx, bits):
    def build(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), build


@intrinsic
def _from_bits64(typingctx, bits):
    def build(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), build


@intrinsic
def _bits32(typingctx, x):
    def build(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), build


@intrinsic
def _bits64(typingctx, x):
    def build(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), build


def _llvm(name):
    @intrinsic
    def call(typingctx, x, y):
        def build(context, builder, signature, args):
            kind = args[0].type
            suffix = "f32" if isinstance(kind, ir.FloatType) else "f64"
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(kind, [kind, kind]), f"llvm.{name}.{suffix}"
            )
            return builder.call(function, args)

        return x(x, y), build

    return call


larger = _llvm("maximum")  # NaN if either is, as np.maximum
smaller = _llvm("minimum")


@intrinsic
def added(typingctx, total, x):
    """total + x where the order of a sum does not matter, so that it can be kept in several lanes."""

    def build(context, builder, signature, args):
        return builder.fadd(*args, flags=("reassoc", "contract"))

    return total(total, total), build


# -- float32 -----------------------------------------------------------------------------------------------------------
@njit(**ARITHMETIC)
def _exponent32(x):
    """p, a, b with e^x = (1 + p) a b, where p = e^r - 1 is small and a, b are powers of two."""
    c = smaller(larger(x, float32(-104.0)), float32(89.0))
    n = np.rint(c * float32(1.4426950408889634))
    r = c - n * float32(0.693359375)
    r = r - n * float32(-2.12194440e-4)
    p = float32(1.9875691500e-4)
    p = p * r + float32(1.3981999507e-3)
    p = p * r + float32(8.3334519073e-3)
    p = p * r + float32(4.1665795894e-2)
    p = p * r + float32(1.6666665459e-1)
    p = p * r + float32(5.0000001201e-1)
    k = int32(n)
    half = k >> int32(1)
    a = _from_bits32((half + int32(127)) << int32(23))
    b = _from_bits32((k - half + int32(127)) << int32(23))
    return p * (r * r) + r, a, b


@njit(**ARITHMETIC)
def exp32(x):
    """e^x."""
    p, a, b = _exponent32(x)
    return (p + float32(1.0)) * a * b


@njit(**ARITHMETIC)
def expm1_32(x):
    """e^x - 1, with full relative accuracy near 0."""
    p, a, b = _exponent32(x)
    return x if x == float32(0.0) else (p * a + (a - float32(1.0) / b)) * b


@njit(**ARITHMETIC)
def log32(x):
    """log x; -inf at 0, NaN below."""
    tiny = x < float32(1.1754944e-38)
    scaled = x * float32(8388608.0) if tiny else x
    bits = _bits32(scaled)
    e = ((bits >> int32(23)) & int32(255)) - int32(126)
    m = _from_bits32((bits & int32(0x007FFFFF)) | int32(0x3F000000))
    low = m < float32(0.70710678)
    m = (m + m if low else m) - float32(1.0)
    n = float32(e - int32(1) if low else e) - (float32(23.0) if tiny else float32(0.0))
    z = m * m
    p = float32(7.0376836292e-2)
    p = p * m + float32(-1.1514610310e-1)
    p = p * m + float32(1.1676998740e-1)
    p = p * m + float32(-1.2420140846e-1)
    p = p * m + float32(1.4249322787e-1)
    p = p * m + float32(-1.6668057665e-1)
    p = p * m + float32(2.0000714765e-1)
    p = p * m + float32(-2.4999993993e-1)
    p = p * m + float32(3.3333331174e-1)
    y = m * z * p + n * float32(-2.12194440e-4) - float32(0.5) * z
    y = m + y + n * float32(0.693359375)
    y = float32(-np.inf) if x == float32(0.0) else y
    y = x if x == float32(np.inf) else y
    return y if x >= float32(0.0) else float32(np.nan)


@njit(**ARITHMETIC)
def log1p_32(x):
    """log(1 + x), with full relative accuracy near 0."""
    u = float32(1.0) + x
    y = log32(u) - ((u - float32(1.0)) - x) / u
    y = y if abs(x) > float32(1e-4) else x - float32(0.5) * x * x
    return y if u < float32(np.inf) and u > float32(0.0) else log32(u)


@njit(**ARITHMETIC)
def tanh32(x):
    """The hyperbolic tangent."""
    e = expm1_32(smaller(float32(2.0) * abs(x), float32(40.0)))
    y = e / (e + float32(2.0))
    return -y if x < float32(0.0) else (y if x > float32(0.0) else x)


@njit(**ARITHMETIC)
def sigmoid32(z):
    """1 / (1 + e^-z)."""
    e = exp32(-abs(z))
    return (float32(1.0) if z >= float32(0.0) else e) / (float32(1.0) + e)


@njit(**ARITHMETIC)
def softplus32(z):
    """log(1 + e^z)."""
    return larger(z, float32(0.0)) + log1p_32(exp32(-abs(z)))


@njit(**ARITHMETIC)
def sign32(x):
    """-1, 0 or 1; NaN stays."""
    return float32(1.0) if x > float32(0.0) else (float32(-1.0) if x < float32(0.0) else x * float32(0.0))


@njit(**ARITHMETIC)
def power32(x, p):
    """x^p."""
    return float32(math.pow(float64(x), float64(p)))


# -- float64 -----------------------------------------------------------------------------------------------------------
@njit(**ARITHMETIC)
def _exponent64(x):
    """p, a, b with e^x = (1 + p) a b, where p = e^r - 1 is small (its Taylor polynomial) and a, b are powers of two."""
    c = smaller(larger(x, -746.0), 710.0)
    n = np.rint(c * 1.4426950408889634)
    r = c - n * 6.93145751953125e-1
    r = r - n * 1.42860682030941723212e-6
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    k = int64(n)
    half = k >> 1
    a = _from_bits64((half + 1023) << 52)
    b = _from_bits64((k - half + 1023) << 52)
    return p * (r * r) + r, a, b


@njit(**ARITHMETIC)
def exp64(x):
    """e^x."""
    p, a, b = _exponent64(x)
    return (p + 1.0) * a * b


@njit(**ARITHMETIC)
def expm1_64(x):
    """e^x - 1, with full relative accuracy near 0."""
    p, a, b = _exponent64(x)
    return x if x == 0.0 else (p * a + (a - 1.0 / b)) * b


@njit(**ARITHMETIC)
def log64(x):
    """log x; -inf at 0, NaN below: with s = (m - 1) / (m + 1), log m = 2 (s + s^3/3 + s^5/5 + ...)."""
    tiny = x < 2.2250738585072014e-308
    scaled = x * 4503599627370496.0 if tiny else x
    bits = _bits64(scaled)
    e = ((bits >> 52) & 2047) - 1022
    m = _from_bits64((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000)
    low = m < 0.7071067811865476
    f = (m + m if low else m) - 1.0
    n = float64(e - 1 if low else e) - (52.0 if tiny else 0.0)
    s = f / (2.0 + f)
    z = s * s
    p = 1.479819860511658591e-01
    p = p * z + 1.531383769920937332e-01
    p = p * z + 1.818357216161805012e-01
    p = p * z + 2.222219843214978396e-01
    p = p * z + 2.857142874366239149e-01
    p = p * z + 3.999999999940941908e-01
    p = p * z + 6.666666666666735130e-01
    half = 0.5 * f * f
    y = n * 6.93147180369123816490e-01 - ((half - (s * (half + z * p) + n * 1.90821492927058770002e-10)) - f)
    y = -np.inf if x == 0.0 else y
    y = x if x == np.inf else y
    return y if x >= 0.0 else np.nan


@njit(**ARITHMETIC)
def log1p_64(x):
    """log(1 + x), with full relative accuracy near 0."""
    u = 1.0 + x
    y = log64(u) - ((u - 1.0) - x) / u
    y = y if abs(x) > 1e-8 else x - 0.5 * x * x
    return y if u < np.inf and u > 0.0 else log64(u)


@njit(**ARITHMETIC)
def tanh64(x):
    """The hyperbolic tangent."""
    e = expm1_64(smaller(2.0 * abs(x), 80.0))
    y = e / (e + 2.0)
    return -y if x < 0.0 else (y if x > 0.0 else x)


@njit(**ARITHMETIC)
def sigmoid64(z):
    """1 / (1 + e^-z)."""
    e = exp64(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


@njit(**ARITHMETIC)
def softplus64(z):
    """log(1 + e^z)."""
    return larger(z, 0.0) + log1p_64(exp64(-abs(z)))


@njit(**ARITHMETIC)
def sign64(x):
    """-1, 0 or 1; NaN stays."""
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else x * 0.0)


@njit(**ARITHMETIC)
def power64(x, p):
    """x^p."""
    return math.pow(x, p)


@njit(**ARITHMETIC)
def squared(x):
    """x * x."""
    return x * x


@njit(**ARITHMETIC)
def at_least(x, bound):
    """max(x, bound) for a bound that is a number: NaN stays NaN."""
    return bound if x <= bound else x  # noqa: FURB136 - max would lose NaN


@njit(**ARITHMETIC)
def at_most(x, bound):
    """min(x, bound) for a bound that is a number: NaN stays NaN."""
    return bound if x >= bound else x  # noqa: FURB136 - min would lose NaN


@njit(**ARITHMETIC)
def wrapped(position, size):
    """An index that may count from the end."""
    if position < -size or position >= size:
        raise IndexError("an index is out of bounds")
    return position + size if position < 0 else position


@njit(**ARITHMETIC)
def take_rows(order, start, rows, taken, count):
    """`count` rows from `start` on: as they lie, or those whose numbers stand in `order`, gathered into `taken`."""
    if order.size == 0:
        return rows[start : start + count]
    for i in range(count):
        taken[i] = rows[order[start + i]]
    return taken


@njit(**ARITHMETIC)
def take_columns(order, start, columns, taken):
    """Columns from `start` on, or those whose numbers stand in `order`, gathered into `taken`."""
    features, count = taken.shape
    for j in range(features):
        for i in range(count):
            taken[j, i] = columns[j, order[start + i] if order.size else start + i]
    return taken


@njit(**ARITHMETIC)
def classes_in(labels, lowest, classes):
    """Whether all class numbers are from `lowest` to below `classes`."""
    for label in labels.flat:  # noqa: SIM110 - Numba compiles the loop, not a generator
        if label < lowest or label >= classes:
            return False
    return True


@njit(**ARITHMETIC)
def batch_rows(order, start, rows, taken, count):
    """A batch of `count` rows: where they lie, or the memory into which they will be gathered."""
    return rows[start : start + count] if order.size == 0 else taken


@njit(**ARITHMETIC)
def gather_rows(order, start, rows, taken):
    """Fill `taken` with the rows whose numbers stand in `order` from `start` on; without an order it has them."""
    if order.size > 0:
        for i in range(len(taken)):
            taken[i] = rows[order[start + i]]
