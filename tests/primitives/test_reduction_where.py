"""`where=` and `initial=` of sum, max, min and mean, and sums of small integers."""

import numpy as np
import pytest

from traced_calls import assert_traced_as_numpy

RNG = np.random.default_rng(0)
M, S = RNG.standard_normal((3, 4)), RNG.standard_normal((2, 3, 4))
Z = np.float64(0.3)
MASK = M > -0.5
CALLS = {
    "sum where": (lambda m: np.sum(m, axis=0, where=MASK), M),
    "sum where row": (lambda m: np.sum(m, where=[True, False, True, True], keepdims=True), M),
    "sum initial": (lambda m: np.sum(m, axis=1, initial=2.5), M),
    "sum traced initial": (lambda m, z: np.sum(m, axis=1, initial=z, where=m > 0), M, Z),
    "max": (lambda m: np.max(m, axis=0, initial=0.2), M),
    "max where": (lambda m: np.max(m, axis=1, initial=-9.0, where=MASK), M),
    "min where": (lambda m, z: np.min(m, axis=1, initial=z, where=MASK, keepdims=True), M, Z),
    "max of all": (lambda m: np.max(m, initial=-1), M),
    "mean where": (lambda m: np.mean(m, axis=1, where=MASK), M),
    "mean where all": (lambda s: np.mean(s, where=MASK), S),
    "where True": (lambda m: np.sum(m, where=True) + np.mean(m, where=True), M),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_value(name, dtype):
    f, *args = CALLS[name]
    assert_traced_as_numpy(
        f, *(np.asarray(a, dtype=dtype)[()] for a in args), rtol=1e-15 if dtype == np.float64 else 1e-6
    )


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64])
def test_ints(dtype):
    x = np.array([[3, 1, 2], [2, 5, 1]]).astype(dtype)
    for f in (
        lambda x: np.sum(x, axis=0),
        lambda x: np.sum(x, axis=1, initial=3, where=[True, False, True]),
        lambda x: np.mean(x, axis=1, where=[True, False, True]),
    ):
        assert_traced_as_numpy(f, x)
    if dtype is not bool:
        assert_traced_as_numpy(lambda x: np.max(x, axis=0, initial=2, where=[True, False, True]), x)
