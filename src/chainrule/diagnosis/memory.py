"""Does a backward pass remember? Called again with the same arguments, it has to return the same numbers.

The one idea: an optimizer's state shows in how the answers follow each other. With a velocity, v_n+1 = beta v_n + c g; so
two answers and the true gradient are dependent, and beta and c can be solved for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.diagnosis.report import Finding

WORD = "momentum_confused_with_gradient"


def differ(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """Whether two answers to the same question are not the same."""
    return any(not np.array_equal(one, other, equal_nan=True) for one, other in zip(first, second, strict=True))


def remembered(
    names: Sequence[str], answers: Sequence[Sequence[np.ndarray]], truth: Sequence[np.ndarray]
) -> Finding | None:
    """The velocity that answers in a row give away, or None.

    Parameters
    ----------
    names : sequence of str
        Of the gradients.
    answers : sequence of sequence of ndarray
        Three answers in a row, each with one array for a gradient.
    truth : sequence of ndarray
        The gradients.
    """
    first, second, third = (np.concatenate([np.ravel(a) for a in answer]) for answer in answers)
    right = np.concatenate([np.ravel(a) for a in truth])
    if not len(first) == len(second) == len(third) == len(right):
        return None
    before, after = second - first, third - second  # v_n+1 - v_n shrinks by beta at each call
    norm = float(before @ before)
    beta = float(before @ after) / norm if norm else 0.0
    velocity = second - beta * first
    c = float(velocity @ right) / float(right @ right or 1.0)
    scale = 1e-7 * float(np.max(np.abs(third), initial=0.0))
    fits = np.max(np.abs(after - beta * before)) <= scale and np.max(np.abs(velocity - c * right)) <= scale
    if not fits or not 0 < beta < 1:
        return None
    return Finding(
        WORD,
        (),
        names[0],
        tuple(names),
        f"called again with the same arguments it returns other numbers: {beta:.6g} times those of the call before plus "
        f"{c:.6g} times the gradient. That is a velocity; keep it in the optimizer and return the gradient",
        "",
        tuple(names),
    )
