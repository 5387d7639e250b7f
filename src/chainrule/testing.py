"""Gradients in a test suite: one assertion, whose failure is a report.

>>> import numpy as np
>>> def loss(w):
...     return np.sum(np.tanh(w) ** 2)
>>> assert_gradients(loss, np.array([0.5, -1.0]))

The one idea: a failing test has to say what is wrong without being run again, so the message of the AssertionError is the
whole report: the argument, the entry, both values, and the rule at fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.arguments import Wrt
from chainrule.proving import check

__all__ = ["assert_gradients"]


def assert_gradients(
    function: Callable, *args: Any, wrt: Wrt | None = None, backward: Callable | None = None, **options: Any
) -> None:
    """Raise unless the gradient of a function, or a backward pass that somebody wrote for it, is right.

    Parameters
    ----------
    function : callable
        Returns one number; see `cr.check`.
    *args
        Where to check: two or three points, in two or three shapes, find what one does not.
    wrt : int, str or tuple, default all arguments that hold floats
    backward : callable, optional
        A backward pass written by hand. It is judged instead of the derived gradient; see `cr.check_backward` for what it
        takes and returns.
    **options
        What `cr.check` (or `cr.check_backward`) takes besides, such as ``order=2``, and keyword arguments of the function.

    Raises
    ------
    AssertionError
        With the report's text.

    Examples
    --------
    >>> import numpy as np
    >>> assert_gradients(lambda x: np.sum(x**3), np.array([1.0, 2.0]), order=2)
    >>> from chainrule.primitives.exponential import SIN
    >>> right, SIN.rules = SIN.rules, (lambda x, y: 1 - x,)
    >>> assert_gradients(lambda x: np.sum(np.sin(x)), np.array([1.0, 2.0]))
    Traceback (most recent call last):
        ...
    AssertionError: lambda: the gradient is WRONG
    ...
    >>> SIN.rules = right
    """
    __tracebackhide__ = True  # pytest then points at the test's own line
    if backward is None:
        report: Any = check(function, *args, wrt=wrt, **options)
    else:
        from chainrule.diagnosing import check_backward

        report = check_backward(function, backward, *args, wrt=wrt, **options)
    if not report:
        raise AssertionError(str(report))
