"""What the tests of `check` share: a loss, rules broken on purpose, and subjects without the way through `cr.check`."""

import contextlib

import numpy as np

import chainrule as cr
from chainrule import differentiation
from chainrule.primitive import REGISTRY
from chainrule.proving import _Accused


@contextlib.contextmanager
def rules(name, *broken):
    """The primitive of that name with other rules; programs derived with the old ones are forgotten, before and after."""
    primitive = REGISTRY[name]
    right, primitive.rules = primitive.rules, broken
    differentiation._programs.clear()
    try:
        yield primitive
    finally:
        primitive.rules = right
        differentiation._programs.clear()


def accused(function, *args, wrt=None, order=1):
    """A subject and its trace."""
    subject = _Accused(function, args, {}, wrt).subject(order)
    return subject, subject.trace(subject.leaves())


def loss(X, y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(0, Z1)
    Z2 = np.tanh(A1 @ W2 + b2)
    return cr.nn.softmax_cross_entropy(Z2, y)


def arguments(dtype=np.float64, rows=8, seed=0):
    rng = np.random.default_rng(seed)
    arrays = rng.standard_normal((rows, 5)), rng.integers(0, 3, rows), rng.standard_normal((5, 6)), np.zeros(6)
    arrays = (*arrays, rng.standard_normal((6, 3)), np.zeros(3))
    return tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays)


def verdicts(report):
    return {row.path: row.verdict for row in report.rows}


def row_of(report, path):
    return next(row for row in report.rows if row.path == path)
