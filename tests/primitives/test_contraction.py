"""einsum and its kin: NumPy's value, shape and dtype, the right gradient, the same from jit and source; refusals by name."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.checking.differences import numerical_gradient
from chainrule.errors import ShapeError, UnsupportedError
from recording import record
from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
V, W = RNG.standard_normal(3), RNG.standard_normal(4)
M, N, Q = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2)), RNG.standard_normal((3, 3))
S, T = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 4, 3))
C = RNG.standard_normal((3, 3, 2))
ROW, COLUMN = RNG.standard_normal((1, 4)), RNG.standard_normal((3, 1))
Z = np.float64(1.5)
SMALL = M.astype(np.float32)
WHOLE = np.arange(12).reshape(3, 4)

EINSUMS = {
    "a product": ("ij,jk->ik", M, N),
    "a product that is transposed": ("ij,jk->ki", M, N),
    "an implicit result": ("ij,jk", M, N),
    "an implicit result in the alphabet's order": ("kj,ji", M, N),
    "an implicit transposition": ("ba", M),
    "spaces": (" ij , jk -> ik ", M, N),
    "a transposition": ("ijk->kij", S),
    "the same again": ("ij->ij", M),
    "a sum": ("ij->", M),
    "a sum of rows": ("ij->i", M),
    "a trace": ("ii", Q),
    "a trace with an arrow": ("ii->", Q),
    "a diagonal": ("ii->i", Q),
    "a diagonal in a stack": ("iij->ij", C),
    "a diagonal that is summed with others": ("iij->j", C),
    "a diagonal of three": ("iii->i", RNG.standard_normal((3, 3, 3))),
    "two diagonals": ("iijj->ij", RNG.standard_normal((2, 2, 3, 3))),
    "a trace times": ("ii,jk->kj", Q, M),
    "a diagonal times": ("ii,ij->ij", Q, M),
    "a dot product": ("i,i", V, V),
    "an outer product": ("i,j->ij", V, W),
    "an outer product that is transposed": ("i,j->ji", V, W),
    "matrix and vector": ("ij,j->i", M, W),
    "vector and matrix": ("i,ij->j", V, M),
    "entries": ("ij,ij->ij", M, M),
    "entries, transposed": ("ij,ij->ji", M, M + 1),
    "entries, summed": ("ij,ij->", M, M + 1),
    "row by row": ("ij,ij->i", M, M + 1),
    "rows scaled": ("ij,i->ij", M, V),
    "a stack of products": ("bij,bjk->bik", S, T),
    "a stack of products, moved": ("bij,bjk->ikb", S, T),
    "a stack and a vector": ("bij,j->bi", S, W),
    "a stack and its vectors": ("bij,bj->bi", S, T[:, :, 0]),
    "two letters summed": ("bij,bji->", S, T),
    "two letters summed, two left": ("abc,cbd->ad", S, RNG.standard_normal((4, 3, 5))),
    "a letter that one has alone": ("ij,kl->k", M, N),
    "a chain": ("ij,jk,kl->il", M, N, RNG.standard_normal((2, 5))),
    "a bilinear form": ("i,ij,j", V, M, W),
    "a bilinear form of rows": ("bi,ij,bj->b", RNG.standard_normal((5, 3)), M, RNG.standard_normal((5, 4))),
    "four factors": ("i,ij,jk,k->", V, M, N, RNG.standard_normal(2)),
    "three dimensions of a tensor": ("ijk,i,j,k->", S, V[:2], V, W),
    "a number": ("ij,->ji", M, Z),
    "numbers alone": (",->", Z, Z),
    "an ellipsis": ("...ij,...jk->...ik", S, T),
    "an ellipsis, implicit": ("...ij,...jk", S, T),
    "an ellipsis that moves": ("i...->...i", S),
    "an ellipsis in the middle": ("i...j->j...i", S),
    "an ellipsis on one side": ("...ij,jk->...ik", S, N),
    "an ellipsis that broadcasts": ("...i,...i->...", S, RNG.standard_normal((3, 4))),
    "an ellipsis with an axis of one": ("...i,...i", S, RNG.standard_normal((5, 1, 3, 4))),
    "an ellipsis that is summed": ("...i->...", S),
    "an ellipsis of nothing": ("...ij,...jk->...ik", M, N),
    "a diagonal around an ellipsis": ("a...a->...", RNG.standard_normal((3, 2, 3))),
    "capitals": ("aB,Bc->ac", M, N),
    "an axis of one that is stretched": ("ij,ij->ij", M, ROW),
    "an axis of one that is summed": ("ij,jk->ik", COLUMN, N),
    "an axis of one on both sides": ("ij,ij->j", COLUMN, ROW),
    "an axis of one alone": ("ij->j", COLUMN),
    "an axis of one in a chain": ("ij,jk,kl->il", COLUMN, N, RNG.standard_normal((2, 1))),
    "no rows": ("ij,jk->ik", M[:0], N),
    "nothing to sum": ("ij,jk->ik", M[:, :0], N[:0]),
    "float32": ("ij,jk->ik", SMALL, N.astype(np.float32)),
    "float32 and float64": ("ij,ij->i", SMALL, M),
    "integers beside": ("ij,ij->i", M, WHOLE),
    "a list beside": ("ij,j->i", M, [1.0, 2.0, 3.0, 4.0]),
}


@pytest.mark.parametrize("name", EINSUMS)
def test_einsum(name):
    subscripts, *arrays = EINSUMS[name]
    arrays = [np.asarray(a)[()] for a in arrays]
    f = {
        1: lambda a: np.einsum(subscripts, a),
        2: lambda a, b: np.einsum(subscripts, a, b),
        3: lambda a, b, c: np.einsum(subscripts, a, b, c),
        4: lambda a, b, c, d: np.einsum(subscripts, a, b, c, d),
    }[len(arrays)]
    assert_traced_as_numpy(f, *arrays, rtol=1e-6 if arrays[0].dtype == np.float32 else 1e-13)


CALLS = {
    "einsum with numbers for letters": (lambda m, n: np.einsum(m, [0, 1], n, [1, 2], [0, 2]), M, N),
    "einsum with numbers, implicit": (lambda m, n: np.einsum(m, [5, 1], n, [1, 2]), M, N),
    "einsum with large numbers, implicit": (lambda m, n: np.einsum(m, [51, 1], n, [1, 30]), M, N),
    "einsum with letters of both kinds, implicit": (lambda m, n: np.einsum("aj,jB", m, n), M, N),
    "einsum with numbers and an ellipsis": (lambda s, m: np.einsum(s, [..., 0], m, [..., 0], [...]), S, M),
    "einsum, optimized": (lambda m, n: np.einsum("ij,jk->ik", m, n, optimize=True), M, N),
    "einsum, optimized greedily": (lambda m, n: np.einsum("ij,jk,jl->il", m, n, n, optimize="greedy"), M, N),
    "einsum, used twice": (lambda m: np.einsum("ij,kj->ik", m, m), M),
    "einsum with a constant": (lambda m: np.einsum("ij,kj,k->i", m, M, V), M),
    "einsum with a captured vector": (lambda m: np.einsum("i,ij->j", V, m), M),
    "einsum with its own dtype": (lambda m: np.einsum("ij->j", m, dtype=np.float64), M),
    "einsum of integers": (lambda k: np.einsum("ij->j", k), WHOLE.astype(np.int8)),
    "einsum of truths": (lambda k: np.einsum("ij,ij->i", k, k), WHOLE > 3),
    "einsum of truths, summed": (lambda k: np.einsum("ij->j", k), WHOLE > 3),
    "tensordot": (lambda s, t: np.tensordot(s, t, axes=([1, 2], [2, 1])), S, T),
    "tensordot of one axis": (lambda s, n: np.tensordot(s, n, axes=(2, 0)), S, N),
    "tensordot of two axes, one number": (lambda s, c: np.tensordot(s, c), S, RNG.standard_normal((3, 4, 5))),
    "tensordot of one axis, one number": (lambda m, n: np.tensordot(m, n, 1), M, N),
    "tensordot of no axis": (lambda m, n: np.tensordot(m, n, 0), M, N),
    "tensordot of lists": (lambda s, t: np.tensordot(s, t, [[0, -1], [0, -2]]), S, T),
    "tensordot to a number": (lambda m: np.tensordot(m, M, 2), M),
    "tensordot of vectors": (lambda v, m: np.tensordot(v, m, (0, 0)) + np.tensordot(m.T, v, 1), V, M),
    "tensordot of vectors alone": (lambda v: np.tensordot(v, v, 1), V),
    "tensordot in linalg": (lambda m, n: np.linalg.tensordot(m, n, axes=1), M, N),
    "inner of matrices": (lambda m: np.inner(m, M + 1), M),
    "inner of vectors": (lambda v, w: np.inner(v, v) * np.inner(w, W), V, W),
    "inner of many axes": (lambda s, m: np.inner(s, m), S, M),
    "inner with a number": (lambda m, z: np.inner(m, z) + np.inner(2.0, m), M, Z),
    "outer": (lambda v, w: np.outer(v, w) + np.linalg.outer(v, w), V, W),
    "outer of matrices": (lambda m, n: np.outer(m, n), M, N),
    "outer with a number": (lambda v, z: np.outer(v, z) + np.outer(v, 2.0), V, Z),
    "outer with a list": (lambda v: np.outer([1.0, 2.0], v), V),
    "vdot": (lambda v: np.vdot(v, V + 1), V),
    "vdot of matrices": (lambda m, t: np.vdot(m, t[0]), M, T),
    "vdot of numbers": (lambda z: np.vdot(z, z), Z),
    "kron": (lambda m, n: np.kron(m, n), M, N),
    "kron of vectors": (lambda v, w: np.kron(v, w), V, W),
    "kron of a vector and a matrix": (lambda v, m: np.kron(v, m) + np.kron(m[0], v)[:1], V, M),
    "kron of many axes": (lambda s, m: np.kron(s, m), S, M),
    "kron with a number": (lambda m, z: np.kron(m, z) + np.kron(2.0, m), M, Z),
    "kron of numbers": (lambda z: np.kron(z, z), Z),
    "vecdot": (lambda v: np.vecdot(v, V + 1), V),
    "vecdot of rows": (lambda m: np.vecdot(m, M + 1) + np.linalg.vecdot(m, M), M),
    "vecdot that broadcasts": (lambda s, m: np.vecdot(s, m) + np.vecdot(W, s), S, M),
    "vecdot of columns": (lambda m: np.linalg.vecdot(m, M + 1, axis=0), M),
    "matvec": (lambda m, w: np.matvec(m, w), M, W),
    "matvec of stacks": (lambda s, w: np.matvec(s, w) + np.matvec(s, s[:, 0]), S, W),
    "matvec of one matrix": (lambda m, s: np.matvec(m, s), M, S),
    "vecmat": (lambda v, m: np.vecmat(v, m), V, M),
    "vecmat of stacks": (lambda v, s: np.vecmat(v, s) + np.vecmat(s[:, :, 0], s), V, S),
    "matmul in linalg": (lambda m, n: np.linalg.matmul(m, n), M, N),
    "matrix_transpose in linalg": (lambda s: np.linalg.matrix_transpose(s), S),
    "multi_dot of two": (lambda m, n: np.linalg.multi_dot([m, n]), M, N),
    "multi_dot of three": (lambda m, n: np.linalg.multi_dot([m, n, n.T]), M, N),
    "multi_dot of vectors": (lambda v, m, w: np.linalg.multi_dot([v, m, w]), V, M, W),
    "multi_dot from a vector": (lambda v, m: np.linalg.multi_dot([v, m, m.T]), V, M),
    "multi_dot to a vector": (lambda m, w: np.linalg.multi_dot([m.T, m, w]), M, W),
    "multi_dot of five": (lambda m, n: np.linalg.multi_dot([m, n, n.T, m.T, V]), M, N),
}


@pytest.mark.parametrize("name", [n for n in CALLS if hasattr(np, "matvec") or "vec" not in n])
def test_the_call(name):
    f, *arrays = CALLS[name]
    assert_traced_as_numpy(f, *arrays, rtol=1e-13)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: np.einsum(",i->i", z, SMALL[0]),
        lambda z: np.einsum(",->", z, SMALL[0, 0]),
        lambda z: np.inner(z, SMALL[0, 0]),
        lambda z: np.outer(z, SMALL[0]),
        lambda z: np.kron(z, SMALL[0, 0]),
        lambda z: np.vdot(z, SMALL[0, 0]),
        lambda z: np.tensordot(z, SMALL, 0),
    ],
)
def test_a_python_number_is_float64_as_in_numpy(f):
    want = f(2.0)
    for got in (cr.vjp(f, 2.0)[0], cr.jit(f)(2.0)):
        assert np.asarray(got).dtype == np.asarray(want).dtype
        np.testing.assert_array_equal(got, want)


@given(st.data())
def test_any_einsum(data):
    """Letters at random, with repeats, axes of one and an ellipsis: value and gradient."""
    letters = "abcd"
    sizes = {letter: data.draw(st.integers(1, 3)) for letter in letters}
    count = data.draw(st.integers(1, 3))
    terms, arrays = [], []
    for number in range(count):
        term = "".join(data.draw(st.lists(st.sampled_from(letters), max_size=3)))
        shape = [sizes[x] for x in term]
        for axis, letter in enumerate(term):
            if term.count(letter) == 1 and count > 1 and not data.draw(st.integers(0, 5)):
                shape[axis] = 1
        if data.draw(st.booleans()):
            term, shape = "..." + term, [2, *shape]
        terms.append(term)
        arrays.append(np.random.default_rng(number).standard_normal(shape))
    present = sorted(set("".join(terms)) - {"."})
    output = data.draw(st.permutations(present))[: data.draw(st.integers(0, len(present)))]
    subscripts = f"{','.join(terms)}->{'...' if '...' in ''.join(terms) else ''}{''.join(output)}"
    want = np.einsum(subscripts, *arrays)
    graph, values = record(lambda *arrays: np.einsum(subscripts, *arrays), *arrays)
    got = values[graph.outputs[0]]
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    weights = np.random.default_rng(9).standard_normal(np.shape(want))

    def loss(*arrays):
        return np.sum(weights * np.einsum(subscripts, *arrays))

    gradients = cr.grad(loss, wrt=tuple(range(count)))(*arrays)
    for got, expected, x in zip(gradients, numerical_gradient(loss, arrays), arrays, strict=True):
        assert np.shape(got) == np.shape(x)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


def test_the_transposes_of_an_einsum_are_einsums():
    text = cr.source(
        cr.grad(lambda S, T: np.sum(np.einsum("abc,bcd->ad", S, T) ** 2), wrt=(0, 1)), S, T.transpose(2, 1, 0)
    )
    assert 'np.einsum("ad,bcd->abc"' in text
    assert 'np.einsum("abc,ad->bcd"' in text


def test_a_product_of_matrices_is_written_as_one():
    text = cr.source(cr.grad(lambda A, B: np.sum(np.einsum("ij,jk->ik", A, B) ** 2), wrt=(0, 1)), M, N)
    assert "einsum" not in text
    assert "A @ B" in text


def test_one_program_serves_every_size():
    staged = cr.jit(cr.grad(lambda A, B, w: np.sum(np.einsum("bi,ij,bj->b", A, B, A) * w)))
    for n in (5, 7, 50):
        a, w = RNG.standard_normal((n, 3)), RNG.standard_normal(n)
        np.testing.assert_allclose(staged(a, Q, w), w[:, None] * (a @ (Q + Q.T)), rtol=1e-12)


def test_jacobians_run_in_closed_form():
    jacobian = cr.jacobian(lambda m: np.einsum("ij,kj->ik", m, m))(M)
    want = np.einsum("ia,kb->ikab", np.eye(3), M) + np.einsum("ka,ib->ikab", np.eye(3), M)
    np.testing.assert_allclose(jacobian, want, rtol=1e-13, atol=1e-13)


REFUSED = {
    "einsum into an array": (lambda m: np.einsum("ij->j", m, out=np.zeros(4)), UnsupportedError, "out="),
    "einsum in an order": (lambda m: np.einsum("ij->j", m, order="F"), UnsupportedError, "order="),
    "einsum in another dtype": (lambda m: np.einsum("ij->j", m, dtype=np.float32), UnsupportedError, "dtype="),
    "einsum with a casting rule": (lambda m: np.einsum("ij->j", m, casting="no"), UnsupportedError, "casting="),
    "einsum with a number too large": (lambda m: np.einsum(m, [0, 52]), ShapeError, "from 0 to 51"),
    "outer into an array": (lambda m: np.outer(m, m, out=np.zeros((12, 12))), UnsupportedError, "out="),
    "multi_dot into an array": (lambda m: np.linalg.multi_dot([m, m.T], out=M), UnsupportedError, "out="),
    "einsum with too few letters": (lambda m: np.einsum("i->i", m), ShapeError, "does not fit"),
    "einsum with too many operands": (lambda m: np.einsum("ij->i", m, m), ShapeError, "operands"),
    "einsum with a letter of two sizes": (lambda m: np.einsum("ij,ij->i", m, m[:, :2]), ShapeError, "letter j"),
    "einsum with a diagonal of two sizes": (lambda m: np.einsum("ii", m), ShapeError, "stands for 3 and for 4"),
    "einsum with a letter from nowhere": (lambda m: np.einsum("ij->k", m), ShapeError, "letters of the operands"),
    "einsum with a letter twice in the result": (lambda m: np.einsum("ij->ii", m), ShapeError, "each once"),
    "einsum without its ellipsis": (lambda m: np.einsum("...j->j", m), ShapeError, "no \\.\\.\\."),
    "einsum with a sign": (lambda m: np.einsum("i+->i", m), ShapeError, "no letter"),
    "tensordot of sizes that differ": (lambda m: np.tensordot(m, m, 1), ShapeError, "differ in size"),
    "tensordot of axes that are not there": (lambda m: np.tensordot(m, m, (5, 0)), ShapeError, "do not fit"),
    "outer of matrices in linalg": (lambda m: np.linalg.outer(m, m), ShapeError, "flattens"),
    "vecdot of numbers": (lambda m: np.vecdot(m[0, 0], m), ShapeError, "at least one axis"),
    "vecdot of sizes that differ": (lambda m: np.vecdot(m, m[:, :1]), ShapeError, "differ"),
    "vecdot of an axis": (lambda m: np.vecdot(m, m, axis=0), UnsupportedError, "vecdot with axis="),
    "multi_dot of one": (lambda m: np.linalg.multi_dot([m]), ShapeError, "at least two"),
    "multi_dot of sizes that differ": (lambda m: np.linalg.multi_dot([m, m, m]), ShapeError, "do not fit"),
    "multi_dot of a vector between": (lambda m: np.linalg.multi_dot([m, m[0], m]), ShapeError, "vectors"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    f, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        cr.grad(lambda m: np.sum(f(m)))(M)


def test_against_torch():
    torch = pytest.importorskip("torch", reason="a second implementation to compare with")
    for subscripts, arrays in (("bij,bjk->ik", (S, T)), ("ij,jk,kl->l", (M, N, N.T)), ("iij->j", (C,))):
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        torch.sin(torch.einsum(subscripts, *tensors)).sum().backward()
        gradients = cr.grad(
            lambda *arrays, subscripts=subscripts: np.sum(np.sin(np.einsum(subscripts, *arrays))),
            wrt=tuple(range(len(arrays))),
        )(*arrays)
        for got, tensor in zip(gradients, tensors, strict=True):
            np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_every_letter_is_one():
    from chainrule.primitives.contraction import LETTERS

    assert sorted(LETTERS) == sorted(string.ascii_letters)
