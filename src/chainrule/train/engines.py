"""What runs the steps of a training: the NumPy program, or one compiled function for many steps.

The one idea: an engine holds parameters and optimizer state, and runs so many batches of so many rows in the order
given. Both engines run the same derived step; they differ in rounding and in speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.emit.numba_epoch import NAME
from chainrule.errors import CompileError
from chainrule.native.compiler import Compilation
from chainrule.pytree import flatten, unflatten
from chainrule.train.plan import Plan, compile_ahead
from chainrule.train.step import CompiledStep, FirstStep
from chainrule.train.team import Team, apart


@dataclass(frozen=True)
class Done:
    """What became of some batches."""

    loss_sum: float  # of the losses of the batches, each times its rows
    batches: int  # that were run; fewer than asked for if the last of them had a loss that is not finite
    loss: float  # of the last batch


class NumpyEngine:
    """One call of the NumPy program for each batch."""

    name = "numpy"

    def __init__(self, step: CompiledStep, network: Any, state: Any, X: np.ndarray, y: np.ndarray, axis: int):
        self.step = step
        self.network, self.state = network, state
        self.X, self.y, self.axis = X, y, axis
        self.piece = 1

    def parameters(self) -> list[Any]:
        """The arrays of the network as it is now."""
        return flatten(self.network)[0]

    def run(self, order: np.ndarray, first: int, batches: int, rows: int) -> Done:
        """Train on `batches` batches of `rows` samples, from sample `first` of the order on."""
        total = loss = 0.0
        for batch in range(batches):
            start = first + batch * rows
            chosen = order[start : start + rows] if order.size else np.arange(start, start + rows)
            X, y = self.X.take(chosen, axis=self.axis), self.y.take(chosen, axis=self.axis)
            value, self.network, self.state = self.step(self.network, self.state, X, y)
            loss = float(value)
            if not math.isfinite(loss):
                return Done(total, batch, loss)
            total += loss * rows
        return Done(total, batches, loss)


class CompiledEngine:
    """One call of machine code for many batches; parameters and state change in place, in copies of its own.

    Where a step is divided, several threads make that call together. They are as many as were asked for, or fewer while
    the machine is busy with something else: the results have the same bits for any number.
    """

    name = "numba"

    def __init__(
        self, plan: Plan, step: CompiledStep, network: Any, state: Any, X: np.ndarray, y: np.ndarray, axis: int
    ):
        from chainrule.native.cache import load

        assert plan.epoch is not None
        self.plan, self.step = plan, step
        self.X, self.y, self.axis = X, y, axis
        self.function = getattr(load(plan.epoch.source, NAME), NAME)
        leaves, self.structure = flatten((network, state))
        self.leaves = [_own(leaf) for leaf in leaves]
        self.count = len(flatten(network)[0])
        self.numbers = [plan.compiled.graph.inputs.index(number) for number in plan.epoch.numbers]
        self.constants = [np.array(value, order="C") for value in plan.compiled.constant_values.values()]
        self.addresses = _addresses(plan)
        self.piece = plan.piece
        self.same_program: dict[int, bool] = {}
        self.team = Team(plan.epoch, plan.threads) if plan.epoch.shared is not None else None

    @property
    def rows(self) -> int:
        """How many samples there are."""
        return int(self.X.shape[self.axis])

    def for_rows(self, X: np.ndarray, y: np.ndarray) -> CompiledEngine:
        """The same machine code on other samples, with parameters and state of its own, as they are now."""
        return CompiledEngine(self.plan, self.step, self.network, self.state, X, y, self.axis)

    @property
    def network(self) -> Any:
        """The network as it is now; its arrays go on changing with further steps."""
        return unflatten(self.structure, self.leaves)[0]

    @property
    def state(self) -> Any:
        """The optimizer's state as it is now."""
        return unflatten(self.structure, self.leaves)[1]

    def parameters(self) -> list[Any]:
        """The arrays of the network as it is now."""
        return self.leaves[: self.count]

    def run(self, order: np.ndarray, first: int, batches: int, rows: int) -> Done:
        """Train on `batches` batches of `rows` samples, from sample `first` of the order on."""
        if not self._holds_for(rows):
            return self._run_in_numpy(order, first, batches, rows)
        arguments = (self.X, self.y, order, first, batches, rows, *self.leaves, *self.constants)
        if self.team is None:
            loss_sum, done, loss, *numbers = self.function(*arguments, *self.addresses)
        else:
            loss_sum, done, loss, *numbers = self.team.run(self.function, arguments, self.addresses, rows)
        for place, number in zip(self.numbers, numbers, strict=True):
            self.leaves[place] = type(self.leaves[place])(number)
        return Done(loss_sum * rows, done, loss)

    def _holds_for(self, rows: int) -> bool:
        """Whether the program is the one that would be derived for batches of so many rows: one row has its own."""
        if rows not in self.same_program:
            X, y = (a.take(np.arange(rows), axis=self.axis) for a in (self.X, self.y))
            self.same_program[rows] = self.step.staged(self.network, self.state, X, y) is self.plan.compiled
        return self.same_program[rows]

    def _run_in_numpy(self, order: np.ndarray, first: int, batches: int, rows: int) -> Done:
        other = NumpyEngine(self.step, self.network, self.state, self.X, self.y, self.axis)
        done = other.run(order, first, batches, rows)
        for place, (mine, value) in enumerate(zip(self.leaves, flatten((other.network, other.state))[0], strict=True)):
            if isinstance(mine, np.ndarray):
                mine[...] = value
            else:
                self.leaves[place] = value
        return done


def _addresses(plan: Plan) -> tuple[int, int]:
    """Where BLAS is, if the epoch calls it: SciPy takes a while to import."""
    if not plan.calls_blas:
        return 0, 0
    from chainrule.native.blas import gemm_address

    return gemm_address(32), gemm_address(64)


def _own(leaf: Any) -> Any:
    """A leaf as machine code takes it: an array of its own, in one piece, or a number."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    return apart(leaf) if leaf.ndim else leaf[()]


class SwappingEngine:
    """NumPy until another process has compiled the epoch, machine code from the next batch on.

    When that happens depends on the machine, and so does the last bit of the result: only a training without a seed
    runs like this.
    """

    def __init__(self, plan: Plan, begin: NumpyEngine, compilation: Compilation, say: Callable[[str], object]):
        self.now: NumpyEngine | CompiledEngine = begin
        self.plan, self.say = plan, say
        self.compilation: Compilation | None = compilation  # None once it has ended
        self.steps = 0  # in NumPy

    @property
    def name(self) -> str:
        """What has run so far."""
        return self.now.name if self.now.name == "numpy" else f"numpy for {self.steps:,} steps, then numba"

    @property
    def piece(self) -> int:
        """Batches of a call."""
        return self.now.piece

    @property
    def network(self) -> Any:
        """The network as it is now."""
        return self.now.network

    @property
    def state(self) -> Any:
        """The optimizer's state as it is now."""
        return self.now.state

    def parameters(self) -> list[Any]:
        """The arrays of the network as it is now."""
        return self.now.parameters()

    def run(self, order: np.ndarray, first: int, batches: int, rows: int) -> Done:
        """Train on `batches` batches of `rows` samples, from sample `first` of the order on."""
        if self.compilation is not None and self.compilation.poll():
            self._swap(self.compilation)
            self.compilation = None
        if isinstance(self.now, NumpyEngine):
            self.steps += batches
        return self.now.run(order, first, batches, rows)

    def _swap(self, ended: Compilation) -> None:
        """Go on with the machine code, or say why there is none."""
        n = self.now
        try:
            ended.wait()  # raises what went wrong
            self.now = CompiledEngine(self.plan, n.step, n.network, n.state, n.X, n.y, n.axis)
        except CompileError as reason:
            self.say(f"going on in NumPy, for the step could not be compiled: {reason}")


Engine = NumpyEngine | CompiledEngine | SwappingEngine


def begin(
    plan: Plan,
    first: FirstStep,
    X: np.ndarray,
    y: np.ndarray,
    axis: int,
    say: Callable[[str], object],
    *,
    swaps: bool,
) -> Engine:
    """The engine that was decided on, ready to run.

    Parameters
    ----------
    plan : Plan
    first : FirstStep
        Its network and state are where the training begins.
    X, y : ndarray
        The samples, along `axis`.
    say : callable
        Given a line when one has to wait, or when machine code that nobody insisted on cannot be made.
    swaps : bool
        Whether to begin in NumPy while the machine code is being made.

    Raises
    ------
    CompileError
        The user asked for machine code, and it cannot be made.
    """
    numpy = NumpyEngine(first.step, first.network, first.state, X, y, axis)
    if plan.epoch is None:
        return numpy
    compilation = compile_ahead(plan, say, wait=not swaps)
    if compilation is not None:
        return SwappingEngine(plan, numpy, compilation, say)
    try:
        return CompiledEngine(plan, first.step, first.network, first.state, X, y, axis)
    except CompileError as reason:
        if plan.required:
            raise
        say(f"training in NumPy, for the step could not be compiled: {reason}")
        return numpy
