"""Comparisons and logic, which have no derivative, and `np.where`, which follows the branch it selects."""

from __future__ import annotations

import operator

import numpy as np

from chainrule.errors import UnsupportedError
from chainrule.index_form import ONE, Cases, Holds, Of, Plus, Times, entrywise, function, negative
from chainrule.primitive import apply, elementwise, general, handles, same_shape, ufunc_dtype, weak_type

_COMPARISONS = {
    np.greater: (operator.gt, ">", ">"),
    np.greater_equal: (operator.ge, r"\ge", ">="),
    np.less: (operator.lt, "<", "<"),
    np.less_equal: (operator.le, r"\le", "<="),
    np.equal: (operator.eq, "=", "=="),
    np.not_equal: (operator.ne, r"\ne", "!="),
}


def _pair(rng):
    return [((rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (3, 4))), ())]


def _ties(rng):
    a, b = rng.uniform(-1, 1, (2, 3, 4))
    return [((a, np.where(rng.uniform(-1, 1, (3, 4)) > 0, a, b)), ())]


def _bools(rng):
    return [((rng.uniform(-1, 1, (3, 4)) > 0, rng.uniform(-1, 1, (3, 4)) > 0), ())]


def _on_real_parts(ufunc):
    return {"complex_step": "rule", "analytic": lambda a, b: ufunc(np.real(a), np.real(b)), "samples": _ties}


# NumPy orders complex numbers by their real parts first, which is right under complex step; equality is not, at a tie
COMPARISONS = tuple(
    elementwise(
        ufunc,
        operator=python,
        converts_from=None,
        latex="{0} " + sign + " {1}",
        entry=lambda a, b, relation=relation: Holds(relation, a, b),
        **(_on_real_parts(ufunc) if ufunc in (np.equal, np.not_equal) else {"samples": _pair, "kinks": "a = b"}),
    )
    for ufunc, (python, sign, relation) in _COMPARISONS.items()
)


def _both(a, b):
    return Times((a, b))


def _either(a, b):
    return Of("max", (a, b))


def _not(a):
    return Plus((ONE, negative(a)))


LOGIC = tuple(
    elementwise(ufunc, converts_from=None, samples=_bools, latex="{0} " + sign + " {1}", entry=entry)
    for ufunc, sign, entry in (
        (np.logical_and, r"\wedge", _both),
        (np.logical_or, r"\vee", _either),
        (np.bitwise_and, r"\wedge", _both),
        (np.bitwise_or, r"\vee", _either),
        (np.bitwise_xor, r"\oplus", lambda a, b: Holds("!=", a, b)),
    )
)
TESTS = tuple(
    elementwise(
        ufunc,
        converts_from=None,
        samples=samples,
        entry=entry or function(ufunc.__name__),
        latex=r"\operatorname{{" + ufunc.__name__.replace("_", r"\_") + "}} {0}",
    )
    for ufunc, samples, entry in (
        (np.logical_not, lambda rng: [((rng.uniform(-1, 1, (3, 4)) > 0,), ())], _not),
        (np.invert, lambda rng: [((rng.uniform(-1, 1, (3, 4)) > 0,), ())], _not),
        (np.isnan, lambda rng: [((np.array([1.0, np.nan, np.inf, -np.inf]),), ())], None),
        (np.isfinite, lambda rng: [((np.array([1.0, np.nan, np.inf, -np.inf]),), ())], None),
        (np.isinf, lambda rng: [((np.array([1.0, np.nan, np.inf, -np.inf]),), ())], None),
    )
)


def _where_jvp(tangents, operands, y, params):
    condition, _, _ = operands
    _, a_dot, b_dot = tangents
    zero = 0.0
    return apply(WHERE, condition, zero if a_dot is None else a_dot, zero if b_dot is None else b_dot)


WHERE = general(
    "where",
    np.where,
    (
        None,
        lambda y_bar, condition, a, b, y: np.where(condition, y_bar, 0.0),
        lambda y_bar, condition, a, b, y: np.where(condition, 0.0, y_bar),
    ),
    _where_jvp,
    same_shape,
    dtype_rule=lambda condition, a, b: ufunc_dtype(np.maximum, (weak_type(a), weak_type(b))),
    broadcasts=True,
    converts_from=1,
    samples=lambda rng: [
        ((rng.uniform(-1, 1, (3, 4)) > 0, rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (3, 4))), ()),
        ((rng.uniform(-1, 1, (3, 4)) > 0, rng.uniform(-1, 1, (3, 4)), 0.0), ()),
    ],
    latex=r"{1} \text{{ if }} {0} \text{{ else }} {2}",
    index_form=entrywise(Cases),
)


@handles(np.where)
def where(condition, *branches):
    """`np.where` with three arguments; with one it would be data-dependent."""
    if len(branches) != 2:
        raise UnsupportedError(
            "np.where(condition) finds positions, whose number depends on values; "
            "write np.where(condition, a, b), or index with the condition outside the traced function"
        )
    return apply(WHERE, condition, *branches)


FAMILY = (*COMPARISONS, *LOGIC, *TESTS, WHERE)
