"""Is the gradient right that the compiled step is about to follow?

The one idea: before a training starts, the step runs once on a small batch, and the gradients it used are compared with
what the user's own loss, untraced and in float64, does when a parameter moves. Three facts make the chain:

1. the step that will run, and the same step that also returns its gradients, give the same results;
2. those gradients, in the network's dtype, agree with the differences, up to the rounding of that dtype;
3. the same step staged for float64 agrees with them to about ten digits or more.

Nothing here trusts a rule, a rewrite or an emitter: all of them stand accused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checking.differences import (
    Disagreement,
    choose_method,
    directional_derivative,
    numerical_gradient,
    random_directions,
    worst_relative_error,
)
from chainrule.errors import GraphError
from chainrule.pytree import flatten, leaf_paths, tree_map, unflatten
from chainrule.train.engines import CompiledEngine
from chainrule.train.step import CompiledStep, FirstStep, Loss, Optimizer, build_step

EVERY_ENTRY = 5_000  # parameters up to which each entry is compared; beyond, random directions of each array
DIRECTIONS = 8
ASIDE = 0.01
TOLERANCE = {"complex step": 1e-7, "differences": 1e-4}  # in float64
ROUNDING = {"float64": 1e-7, "float32": 1e-2, "float16": 1.0}  # of an entry a thousandth of its array's largest
SAME_PROGRAM = 1e-5
SAME_MACHINE_CODE = 1e-2


@dataclass(frozen=True)
class Proof:
    """The outcome of the comparison.

    Attributes
    ----------
    method : str
        "complex step" or "differences" (central, with Richardson extrapolation) of the untraced loss in float64.
    compared : str
        What was compared, in words.
    error : float
        Worst relative error of the step's gradients, staged for float64.
    error_as_run : float
        The same in the dtype in which the network is trained.
    dtype : str
        That dtype.
    """

    method: str
    compared: str
    error: float
    error_as_run: float
    dtype: str

    def __str__(self) -> str:
        as_run = "" if self.dtype == "float64" else f" ({self.error_as_run:.1e} as it runs, in {self.dtype})"
        return (
            f"gradients proved: {self.compared} against {self.method} of the loss, "
            f"worst relative error {self.error:.1e}{as_run}"
        )


def prove_step(
    step: CompiledStep, loss: Loss, optimizer: Optimizer, network: Any, X: np.ndarray, y: np.ndarray
) -> Proof:
    """Compare the gradients that `step` follows with differences of the loss, on one small batch.

    Parameters
    ----------
    step : CompiledStep
        ``build_step(loss, optimizer)``: the program that is going to run.
    loss, optimizer
        What it was built from.
    network : pytree
        The parameters beside which to compare.
    X, y : ndarray
        A few samples.

    Raises
    ------
    GraphError
        When they disagree; the message names the array and the entry.
    """
    network = _moved(network)
    state = optimizer.init(network)
    probe = build_step(loss, optimizer, with_gradients=True)
    *results, gradients = probe(network, state, X, y)
    programs = worst_relative_error(flatten(step(network, state, X, y))[0], flatten(tuple(results))[0])
    if programs.error > SAME_PROGRAM:
        raise GraphError(
            f"the training step and its copy that returns gradients differ by {programs.error:.1e} "
            f"({programs.got} and {programs.expected})"
        )
    leaves, structure = flatten(network)
    dtype = str(leaves[0].dtype)
    places = leaf_paths(network, "network")
    exact = tree_map(_float64, network)
    exact_X, exact_y = _float64(X), _float64(y) if y.dtype.kind == "f" else y

    def loss_at(*arrays: np.ndarray) -> Any:
        return loss(unflatten(structure, arrays)(exact_X), exact_y)

    exact_leaves = [_float64(leaf) for leaf in leaves]
    method = choose_method(loss_at, exact_leaves)
    count = sum(leaf.size for leaf in exact_leaves)
    directions: list[tuple[int, np.ndarray]] = []
    if count <= EVERY_ENTRY:
        compared = f"all {count:,} entries"
        expected = numerical_gradient(loss_at, exact_leaves, method)
    else:
        directions = list(random_directions(exact_leaves, DIRECTIONS))
        compared = f"{len(directions)} random directions of {count:,} entries"
        places = [f"{place} along random directions" for place in places]
        expected = _along([directional_derivative(loss_at, exact_leaves, i, v, method) for i, v in directions])

    def compare(gradients: Any) -> Disagreement:
        entries = flatten(gradients)[0]
        if directions:
            entries = _along([float(np.sum(_float64(entries[i]) * v)) for i, v in directions])
        return worst_relative_error(entries, expected)

    as_run = compare(gradients)
    _require(as_run, ROUNDING.get(dtype, 1e-2), method, places, dtype)
    worst = as_run
    if dtype != "float64":
        worst = compare(probe(exact, optimizer.init(exact), exact_X, exact_y)[3])
    _require(worst, TOLERANCE[method], method, places, "float64")
    return Proof(method, compared, worst.error, as_run.error, dtype)


def prove_engine(engine: CompiledEngine, first: FirstStep) -> None:
    """Compare one step of machine code with the NumPy program that was proved.

    Parameters
    ----------
    engine : CompiledEngine
        Made for the first batch alone; it is used up.
    first : FirstStep
        What goes into that step, and what comes out in NumPy.

    Raises
    ------
    GraphError
        When they differ by more than rounding.
    """
    engine.run(np.zeros(0, dtype=np.int64), 0, 1, engine.rows)
    _, network, state = first.results
    got, expected = flatten((engine.network, engine.state))[0], flatten((network, state))[0]
    worst = worst_relative_error(list(map(_float64, got)), list(map(_float64, expected)))
    dtype = str(flatten(first.network)[0][0].dtype)
    if worst.error > ROUNDING.get(dtype, SAME_MACHINE_CODE):
        places = leaf_paths((first.network, first.state), "step")
        raise GraphError(
            f"the machine code makes {worst.got!r} of {places[worst.position]}[{', '.join(map(str, worst.index))}], the "
            f'NumPy program {worst.expected!r} (relative error {worst.error:.1e}); train with engine="numpy"'
        )


def _moved(network: Any) -> Any:
    """The network a little aside, where it is smooth.

    Biases start at 0, so a sample that is 0 in every column puts all units onto the kink of relu. There the derivative
    is a convention, and a difference gives half a slope.
    """
    random = np.random.Generator(np.random.Philox(0))

    def move(leaf: np.ndarray) -> np.ndarray:
        moved: np.ndarray = leaf + (ASIDE * random.standard_normal(leaf.shape)).astype(leaf.dtype)
        return moved

    return tree_map(move, network)


def _float64(leaf: Any) -> np.ndarray:
    return np.asarray(leaf, dtype=np.float64)


def _along(values: list[float]) -> list[np.ndarray]:
    """Directional derivatives as one array for each of the network's arrays, as the comparison wants them."""
    return list(np.reshape(values, (-1, DIRECTIONS)))


def _require(worst: Disagreement, tolerance: float, method: str, places: list[str], dtype: str) -> None:
    if worst.error > tolerance:
        raise GraphError(
            f"the derived gradient of {places[worst.position]}[{', '.join(map(str, worst.index))}] is {worst.got!r} in "
            f"{dtype}, but {method} of the loss gives {worst.expected!r} (relative error {worst.error:.1e}). "
            "Is the loss deterministic, and smooth there?"
        )
