"""Right backward passes are right: all golden networks, in float64 and float32, on kinks and saturated."""

import numpy as np
import pytest

import chainrule as cr
from diagnosis.networks import case_of, golden

RIGHT = [name for name, case in golden.CASES.items() if case["kind"] == "mlp"]


def ways(case):
    return golden.ways(case)


@pytest.mark.parametrize("name", RIGHT)
def test_the_golden_gradients_are_right(name):
    case = golden.CASES[name]
    for logits in ways(case):
        loss, args, wrt = case_of(case, logits)
        gradients = dict(zip(wrt, cr.grad(loss, wrt=wrt)(*args), strict=True))
        report = cr.check_backward(loss, gradients, *args, wrt=wrt)
        assert report, str(report)
        assert report.findings == ()
        assert report.verdict == ("correct" if case["away_from_kinks"] else report.verdict)


@pytest.mark.parametrize("name", RIGHT)
def test_they_are_right_in_float32(name):
    case = golden.CASES[name]
    for logits in ways(case):
        loss, args, wrt = case_of(case, logits)
        args = tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in args)
        with np.errstate(all="ignore"):
            gradients = dict(zip(wrt, cr.grad(loss, wrt=wrt)(*args), strict=True))
        if not all(np.isfinite(g).all() for g in gradients.values()):
            continue  # float32 has no such numbers: that is no rounding
        report = cr.check_backward(loss, gradients, *args, wrt=wrt)
        assert report, str(report)
        assert report.verdict in ("correct", "float32_noise_only", "kink_hit_only")
