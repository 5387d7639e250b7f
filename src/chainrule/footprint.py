"""How much memory a function needs: planned from the program that `jit` would run, without running it.

The one idea: the program is a list of statements, so what is alive at each of them can be counted. `emit/liveness.py`
counts; this file says it in the user's names and lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from chainrule.compilation import Compiled, compile_call
from chainrule.emit.liveness import Plan, bytes_of, epoch_plan, numba_plan, numpy_plan
from chainrule.errors import ArgumentError
from chainrule.graphs import Equation

UNIT = 1024
SHOWN = 8  # arrays in the table


@dataclasses.dataclass(frozen=True)
class Alive:
    """An array that is alive when most is.

    Attributes
    ----------
    name : str
        Its name in the program, or the expression that it is the value of.
    shape : tuple of int
    dtype : str
    bytes : int
    where : str
        The line of yours that makes it, or the rule that does.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    where: str


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a call of a program needs, in bytes; `print` shows it as a table.

    Attributes
    ----------
    function : str
    engine : {"numpy", "numba"}
    kept : int
        Values of the forward pass that the backward pass reads: what `checkpoint` makes less of. Arguments are not among
        them.
    peak : int
        The most that is alive at once of what is computed in between; neither arguments nor results.
    allocated : int
        The most that a call holds besides its arguments: the same together with the results that are there by then.
    inputs, outputs : int
        Arguments (captured arrays included), and results.
    largest : tuple of Alive
        What is alive at the peak, the largest first.
    """

    function: str
    engine: str
    kept: int
    peak: int
    allocated: int
    inputs: int
    outputs: int
    largest: tuple[Alive, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, strings and lists."""
        return dataclasses.asdict(self) | {"largest": [dataclasses.asdict(one) for one in self.largest]}

    def __str__(self) -> str:
        rows = [
            ("kept for the backward pass", self.kept),
            ("peak, in between", self.peak),
            ("peak with results", self.allocated),
            ("arguments", self.inputs),
            ("results", self.outputs),
        ]
        lines = [f"memory of {self.function}, {self.engine} engine"]
        lines += [f"  {name:<28}{human(count):>12}" for name, count in rows]
        if self.largest:
            lines.append("alive at the peak")
        shown = [(one.name, str(one.shape), one.dtype, human(one.bytes), one.where) for one in self.largest[:SHOWN]]
        widths = [max((len(row[column]) for row in shown), default=0) for column in range(5)]
        for row in shown:
            cells = [
                cell.rjust(w) if c == 3 else cell.ljust(w) for c, (cell, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(f"  {'  '.join(cells)}".rstrip())
        rest = self.largest[SHOWN:]
        if rest:
            lines.append(f"  and {len(rest)} more, {human(sum(one.bytes for one in rest))}")
        return "\n".join(lines)


def human(count: int) -> str:
    """A number of bytes for people.

    >>> human(900), human(12_900_000), human(3 * 1024**3)
    ('900 B', '12.3 MiB', '3.0 GiB')
    """
    if count < UNIT:
        return f"{count} B"
    number = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= UNIT
        if number < UNIT or unit == "TiB":
            break
    return f"{number:.1f} {unit}"


def memory(function: Callable, *args: Any, engine: str | None = None, **kwargs: Any) -> Memory:
    """How much memory a function, or a transform of one, needs as a staged program.

    Parameters
    ----------
    function : callable
        A function of yours, what `grad`, `value_and_grad`, ... made of it, or what `jit` made of that.
    *args, **kwargs
        Example arguments: the plan is for their sizes.
    engine : {"numpy", "numba"}, optional
        Which program is meant; that of `jit` if it made the function, else "numpy".

    Returns
    -------
    Memory
        ``kept``, ``peak``, ``allocated``, ``inputs``, ``outputs`` in bytes, and ``largest``, the arrays alive at the peak.

    Raises
    ------
    ControlFlowError
        When Python decides by a traced value: write `np.where`.
    UnsupportedError
        ``engine="numba"``, and something in the program is not compiled.

    Notes
    -----
    Nothing is run. An array with a name in the NumPy program lives until the return, unless a checkpoint is in it: such
    programs delete what they have read for the last time. Temporary arrays inside of an expression are counted; what BLAS
    takes for itself is not. Machine code without checkpoints asks for all its memory at once; how much of it is resident at
    a time may be less.

    `grad` without `jit` holds, while your function runs, what that has alive itself and, from the second call on, what the
    backward pass reads; then it runs the backward part of this program.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.transforms import grad
    >>> def loss(W1, W2, X):
    ...     A = np.tanh(X @ W1)
    ...     return np.sum((A @ W2) ** 2)
    >>> needed = memory(grad(loss, (0, 1)), np.ones((20, 50)), np.ones((50, 10)), np.ones((1000, 20)))
    >>> needed.kept == 1000 * 50 * 8
    True
    >>> print(needed)
    memory of loss_grad, numpy engine
      kept for the backward pass     390.6 KiB
      peak, in between                 1.6 MiB
      peak with results                1.6 MiB
      arguments                      168.0 KiB
      results                         11.7 KiB
    alive at the peak
      A                           (1000, 50)  float64  390.6 KiB  line 2 of loss()
      ...
    """
    engine = engine or getattr(function, "engine", "numpy")
    if engine not in ("numpy", "numba"):
        raise ArgumentError(f"engine={engine!r}: choose 'numpy' or 'numba'")
    function = getattr(function, "staged_function", function)
    compiled = compile_call(function, args, kwargs)
    plan = (numpy_plan if engine == "numpy" else numba_plan)(compiled.graph, compiled.signature())
    return _report(compiled, engine, plan)


def memory_of_step(step: Callable, arguments: tuple, engine: str, axis: int) -> Memory:
    """The memory of a training step for these arguments, as that engine runs it.

    Parameters
    ----------
    step : callable
        ``(network, state, X, y) -> (loss, network, state)``; a jitted one may have been staged at other sizes, so it is
        staged again.
    arguments : tuple
    engine : {"numpy", "numba"}
    axis : int
        The axis of X that counts samples.
    """
    compiled = compile_call(getattr(step, "staged_function", step), arguments, {})
    if engine == "numpy":
        return _report(compiled, engine, numpy_plan(compiled.graph, compiled.signature()))
    return _report(compiled, engine, epoch_plan(compiled.graph, compiled.signature(), axis))


def _report(compiled: Compiled, engine: str, plan: Plan) -> Memory:
    graph = compiled.graph
    made = graph.producers()
    outputs = {output for output in graph.outputs if type(output) is int and output not in graph.inputs}
    return Memory(
        function=compiled.name,
        engine=engine,
        kept=plan.kept,
        peak=plan.peak,
        allocated=plan.allocated,
        inputs=sum(bytes_of(graph, number) for number in (*graph.inputs, *graph.constants)),
        outputs=sum(bytes_of(graph, number) for number in outputs),
        largest=tuple(
            Alive(
                one.text,
                one.shape,
                one.dtype.name,
                one.bytes,
                "the batch" if one.variable in graph.inputs else _where(made.get(one.variable)),
            )
            for one in sorted(plan.alive, key=lambda one: -one.bytes)
        ),
    )


def _where(equation: Equation | None) -> str:
    if equation is None:
        return ""
    again = ", again" if equation.recomputed else ""
    if equation.origin is not None and not equation.derived:
        return f"{equation.origin}{again}"
    return equation.step.rule.removeprefix("simplify: ") if equation.step is not None else ""
