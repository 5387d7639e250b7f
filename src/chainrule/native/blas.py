"""Matrix products from machine code: SciPy's BLAS, called through its address.

The one idea: `gemm` computes `C = alpha A B + beta C` in place, so an update `W -= lr * A.T @ D` is one call and needs no
memory for the gradient. Addresses are arguments of compiled functions, never constants: they change with every process.

BLAS counts columns first. A row-major C = A B is a column-major C^T = B^T A^T: the factors change places.
"""

from __future__ import annotations

import functools

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

PRODUCT = {"error_model": "numpy", "nogil": True}
PLAIN, FLIPPED = ord("N"), ord("T")


@functools.cache
def gemm_address(bits: int) -> int:
    """Where `sgemm` (32) or `dgemm` (64) is in this process."""
    return int(get_cython_function_address("scipy.linalg.cython_blas", "sgemm" if bits == 32 else "dgemm"))


@intrinsic
def _gemm(typingctx, address, flip_a, flip_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """`gemm` of Fortran: every argument by reference, sizes as C ints."""
    signature = types.void(address, flip_a, flip_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)

    def build(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()

        def reference(value, kind):
            slot = cgutils.alloca_once(builder, kind)
            builder.store(builder.trunc(value, kind) if isinstance(kind, ir.IntType) else value, slot)
            return builder.bitcast(slot, pointer)

        def data(place):
            array = context.make_array(signature.args[place])(context, builder, args[place])
            return builder.bitcast(array.data, pointer)

        char, integer, real = ir.IntType(8), ir.IntType(32), context.get_value_type(signature.args[6])
        kinds = {
            1: char,
            2: char,
            3: integer,
            4: integer,
            5: integer,
            6: real,
            8: integer,
            10: integer,
            11: real,
            13: integer,
        }
        values = [data(p) if p in (7, 9, 12) else reference(args[p], kinds[p]) for p in range(1, 14)]
        function = ir.FunctionType(ir.VoidType(), [pointer] * 13).as_pointer()
        builder.call(builder.inttoptr(args[0], function), values)
        return context.get_dummy_value()

    return signature, build


def _product(transposed_a: bool, transposed_b: bool):
    """`product(gemm, A, B, C, alpha, beta)`: C = alpha A B + beta C, with A or B read transposed."""
    flip_a, flip_b = (FLIPPED if transposed else PLAIN for transposed in (transposed_a, transposed_b))

    @njit(**PRODUCT)
    def product(gemm, A, B, C, alpha, beta):
        (m, n), k = C.shape, A.shape[0] if transposed_a else A.shape[1]
        lda, ldb, ldc = max(A.shape[1], 1), max(B.shape[1], 1), max(n, 1)
        _gemm(gemm, flip_b, flip_a, n, m, k, alpha, B, ldb, A, lda, beta, C, ldc)

    return product


product_nn = _product(False, False)
product_tn = _product(True, False)
product_nt = _product(False, True)
product_tt = _product(True, True)


@njit(**PRODUCT)
def product_rows(gemm, A, B, C, alpha, beta, first, last):
    """Rows `first` to `last` of C = alpha A^T B + beta C."""
    k, m = A.shape
    n = B.shape[1]
    columns, rows = A.reshape(k * m)[first:], C[first:last]
    _gemm(gemm, PLAIN, FLIPPED, n, last - first, k, alpha, B, max(n, 1), columns, max(m, 1), beta, rows, max(n, 1))
