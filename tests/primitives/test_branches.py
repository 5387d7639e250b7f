"""A branch that `np.where` does not take poisons no gradient, whatever number or NaN stands in it: over whole families."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.primitive import apply
from chainrule.primitives import binary, gamma, logarithmic, normal_quantile, rounding, scaled_error, trigonometric

FAMILIES = (trigonometric, logarithmic, rounding, binary, gamma, scaled_error, normal_quantile)
BAD = (0.0, 1.0, -1.0, -5.0, 2.0, 710.0, 1e200, -1e200, np.inf, -np.inf, np.nan)
TAKEN = np.array([True] + [False] * len(BAD))


def cases():
    for family in FAMILIES:
        for primitive in family.FAMILY:
            operands, params = primitive.samples(np.random.default_rng(0))[0]
            firsts = [np.ravel(x)[0] for x in operands]
            for place, x in enumerate(firsts):
                if x.dtype.kind == "f":
                    rows = [np.full(len(TAKEN), first) for first in firsts]
                    rows[place] = np.array([x, *BAD])
                    yield pytest.param(primitive, rows, params, place, id=f"{primitive.name}-{place}")


@pytest.mark.parametrize(("primitive", "operands", "params", "place"), cases())
def test_only_the_branch_that_is_taken_passes_something_back(primitive, operands, params, place):
    def loss(*xs):
        return np.sum(np.where(TAKEN, 2.0 * apply(primitive, *xs, params=params), 0.0))

    def deeper(*xs):  # what is before it may be infinite, too
        inner = list(xs)
        inner[place] = np.log(np.exp(xs[place]))
        return loss(*inner)

    for f in (loss, deeper):
        with np.errstate(all="ignore"):
            slope = cr.grad(f, wrt=place)(*operands)
        assert np.isfinite(slope[0])
        np.testing.assert_array_equal(slope[1:], 0)
