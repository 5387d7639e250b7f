"""What a case of the corpus is: a loss, a backward pass that somebody wrote for it, and the words for what is wrong with it.

The one idea: the backward passes are text that people write, not right ones that a machine has damaged. Every one is called
`backward` and the words stand outside of it, so neither its name nor its source gives the answer away.

`Net` holds what several cases share (loss, right backward pass, arguments); `Net.add` makes a case of it. A half of the
cases is held out: whoever builds an engine looks at the other half only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

VERDICTS = ("correct", "float32_noise_only", "kink_hit_only")
WORDS = (
    "sign", "factor", "missing_mean", "extra_mean", "double_mean",
    "transposed", "reshape_instead_of_transpose", "product_order", "wrong_axis_sum", "keepdims_broadcast",
    "bias_not_summed", "wrong_index",
    "missing_activation_derivative", "extra_activation_derivative", "derivative_at_activation_instead_of_preactivation",
    "derivative_at_preactivation_instead_of_activation", "wrong_activation", "mask_wrong_side", "mask_not_applied",
    "softmax_jacobian_diagonal_only", "ce_without_onehot_subtract", "wrong_loss_derivative",
    "missing_regularizer", "extra_regularizer", "regularizer_factor",
    "dropped_path", "overwritten_instead_of_accumulated", "detached_branch", "off_by_one_layer", "stale_value",
    "forward_mismatch", "momentum_confused_with_gradient", "numerically_unstable",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One backward pass, and what ought to be said of it."""

    id: str  # "row/missing_mean/relu_softmax_db_too": layout, main word, net and variant
    words: tuple[str, ...]  # acceptable answers, the main one first; two faults are joined by "+"
    loss: Callable
    backward: (
        Callable  # the arguments of `loss`; returns a tuple in the order of `wrt`, or a dict by name ("W1" or "dW1")
    )
    args: tuple
    wrt: tuple[str, ...]
    right: Callable
    wrong_at: str  # the first wrong quantity, counted from the loss, as `backward` names it; "" where nothing is wrong

    @property
    def layout(self) -> str:
        """ "row" where samples are rows, "column" where they are columns."""
        return self.id.split("/")[0]

    @property
    def faults(self) -> tuple[str, ...]:
        """The words of the main answer, one for each fault, without the k of factor:k."""
        return tuple(word.split(":")[0] for word in self.words[0].split("+"))


@dataclass
class Net:
    """A loss with its right backward pass and arguments, from which cases are made."""

    layout: str
    name: str
    loss: Callable
    right: Callable
    args: tuple
    wrt: tuple[str, ...]
    cases: list[Case] = field(default_factory=list)

    def add(self, words: str, variant: str, backward: Callable, at: str = "", args: tuple | None = None) -> None:
        """A case: `words` are separated by blanks, two faults joined by "+" (the other order is accepted as well)."""
        spelled = words.split()
        turned = ["+".join(reversed(word.split("+"))) for word in spelled if "+" in word]
        self.cases.append(
            Case(
                id=f"{self.layout}/{spelled[0]}/{self.name}_{variant}",
                words=(*spelled, *turned),
                loss=self.loss,
                backward=backward,
                args=self.args if args is None else args,
                wrt=self.wrt,
                right=self.right,
                wrong_at=at,
            )
        )


def held_out(case: Case) -> bool:
    """Whether a case belongs to the half that an engine is judged by, and is not developed on."""
    return crc32(case.id.encode()) % 2 == 1


def in_order(gradients: Any, wrt: tuple[str, ...]) -> tuple:
    """What a backward pass returned, as a tuple in the order of `wrt`."""
    if isinstance(gradients, dict):
        return tuple(gradients[name] if name in gradients else gradients[f"d{name}"] for name in wrt)
    return tuple(gradients)


def normal(seed: int, *shapes: tuple[int, ...], scale: float = 0.7) -> tuple[np.ndarray, ...]:
    """Small random arrays."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(scale=scale, size=shape) for shape in shapes)


def one_hot(labels: list[int], classes: int) -> np.ndarray:
    """Labels as rows."""
    return np.eye(classes)[labels]
