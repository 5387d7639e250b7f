"""Mistakes where the loss begins: the derivative of another loss, a softmax taken entry by entry, labels not subtracted.

The one idea: near the loss people do not derive, they remember: `P - Y`, `-Y / P`, `2 * (A - Y)`. Each such formula is
tried at each variable that has the shape of the labels, with any factor that a mean or a square leaves behind.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.diagnosis.activations import softmax
from chainrule.diagnosis.links import Link
from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.primitives.special import SIGMOID

Formula = Callable[[Any, Any], Any]  # of an output and its labels

DERIVATIVES: tuple[tuple[str, Formula], ...] = (
    ("squared error", lambda a, y: a - y),
    ("cross-entropy", lambda a, y: -y / a),
    ("binary cross-entropy", lambda a, y: (a - y) / (a * (1 - a))),
    ("binary cross-entropy without its second term", lambda a, y: -y / a + (1 - y)),
    ("binary cross-entropy with its second term of the wrong sign", lambda a, y: -y / a - (1 - y) / (1 - a)),
    ("absolute error", lambda a, y: np.sign(a - y)),
    ("Huber loss with threshold 1", lambda a, y: np.clip(a - y, -1, 1)),
    ("logarithm of cosh", lambda a, y: np.tanh(a - y)),
    ("hinge loss", lambda a, y: np.where(y * a < 1, -y, 0.0)),
    ("squared hinge loss", lambda a, y: np.where(y * a < 1, -2 * y * (1 - y * a), 0.0)),
    ("Kullback-Leibler divergence", lambda a, y: np.log(a / y) + 1),
    ("cross-entropy of all entries", lambda a, y: -1 / a),
    ("Poisson loss", lambda a, y: 1 - y / a),
    ("exponential loss", lambda a, y: -y * np.exp(-y * a)),
    ("logistic loss", lambda a, y: -y * SIGMOID.forward(-y * a)),
    ("cubed error", lambda a, y: (a - y) ** 2),
)


def of_losses(scene: Scene) -> Proposals:
    """Another loss's derivative at an output."""
    for number, y, labels in _outputs(scene):
        a, name = scene.sheet.values[number], scene.name(number)
        with np.errstate(all="ignore"):
            for loss, formula in DERIVATIVES:
                yield _instead(scene, number, formula(a, y), f"the derivative of the {loss}, of {name} and {labels}")
            for output, p in _squashed(a):
                yield _instead(scene, number, p - y, f"{output}({name}) - {labels}, the shortcut of a cross-entropy")
                for loss, formula in DERIVATIVES[:3]:
                    through = _pulled(output, p, formula(p, y))
                    says = f"the derivative of the {loss}, of {output}({name}) and {labels}"
                    yield _instead(scene, number, through, says)


def of_flat_targets(scene: Scene) -> Proposals:
    """Targets of one axis against outputs of two: every output meets every target."""
    for number, y, labels in _outputs(scene):
        a, shape = scene.sheet.values[number], scene.sheet.shape(number)
        if len(shape) == 1 and shape[0] > 1:
            scale = _row_scale(scene.exact.cotangents[number], a - y)
            if scale is not None and np.size(scale) == 1:
                yield _instead(
                    scene,
                    number,
                    float(np.squeeze(scale)) * (a - y.mean()),
                    f"made of a table of every output minus every target, as {labels} of shape ({shape[0]}, 1) gives, summed or "
                    "averaged over one of its axes",
                    "keepdims_broadcast",
                    rank=2,
                )
        if len(shape) != 2 or 1 not in shape or max(shape) == 1:
            continue
        along = shape.index(max(shape))
        square = a - y.reshape(shape[::-1])
        scale = _row_scale(scene.exact.cotangents[number], a - y)
        if scale is None or np.size(scale) > 1:
            continue
        for fold in (
            lambda x: x,
            lambda x, across=1 - along: x.sum(axis=across, keepdims=True),
            lambda x, across=1 - along: x.mean(axis=across, keepdims=True),
        ):
            yield _instead(
                scene,
                number,
                float(np.squeeze(scale)) * fold(square),
                f"made of {scene.name(number)} of shape {shape} minus {labels} of shape ({max(shape)},), which is a table of "
                f"shape ({max(shape)}, {max(shape)}): every output meets every target",
                "keepdims_broadcast",
                rank=2,
            )


def of_softmax(scene: Scene) -> Proposals:
    """The Jacobian of softmax taken as its diagonal; probabilities from which the labels are not subtracted."""
    for link in scene.links:
        if link.axis is not None:
            p = scene.sheet.values[link.above]
            yield Mutation(
                "softmax_jacobian_diagonal_only",
                link.below,
                _diagonal(link, p),
                f"the softmax {scene.name(link.above)} is treated as if it were elementwise: only p (1 - p), the "
                "diagonal of its Jacobian, is used",
                also=("wrong_activation",),
                rank=1,
                kind="diagonal",
            )
            yield Mutation(
                "missing_activation_derivative",
                link.below,
                lambda bar, run, link=link: link.through(run.cotangents[link.above], run),
                f"the Jacobian of the softmax {scene.name(link.above)} is missing",
                also=("softmax_jacobian_diagonal_only",),
                rank=2,
                kind="no jacobian",
            )
            yield Mutation(
                "softmax_jacobian_diagonal_only",
                link.below,
                lambda bar, run, link=link, p=p: link.through(run.cotangents[link.above] * p, run),
                f"the part of the Jacobian of the softmax {scene.name(link.above)} that couples its entries is missing",
                rank=2,
                kind="no coupling",
            )
            yield from _of_coupling(scene, link, p)
    for number, y, labels in _outputs(scene):
        bar, z, name = scene.exact.cotangents[number], scene.sheet.values[number], scene.name(number)
        for output, p in _squashed(z):
            scale = _row_scale(bar, p - y)
            if scale is None:
                continue
            word = "ce_without_onehot_subtract"
            yield _instead(scene, number, scale * p, f"{labels} is not subtracted from {output}({name})", word, rank=1)
            named = np.broadcast_to(y.any(axis=tuple(_others(p, y)), keepdims=True), y.shape)
            yield _instead(
                scene,
                number,
                scale * (p - named),
                f"1 is subtracted in every column that {labels} names, not in each row's own",
                "wrong_index",
                rank=1,
                also=(word,),
            )
            yield _instead(
                scene, number, scale * -y, f"{output}({name}) is missing: only {labels} is left", word, rank=2
            )
            yield _instead(
                scene,
                number,
                scale * (p + y),
                f"{labels} is added to {output}({name}) where it is to be subtracted",
                word,
                rank=2,
                also=("sign",),
            )
            for wrong, text in _mislaid(y):
                yield _instead(
                    scene,
                    number,
                    scale * (p - wrong),
                    f"{text} is subtracted from {output}({name})",
                    "wrong_index",
                    rank=3,
                    also=("reshape_instead_of_transpose", "off_by_one_layer"),
                )
            uniform = 1 / np.shape(p)[-1]
            yield replace(
                _instead(
                    scene,
                    number,
                    scale * (p - uniform),
                    f"the labels are smoothed by another amount in {scene.bar_name(number)}",
                    "forward_mismatch",
                    rank=4,
                    also=("wrong_loss_derivative",),
                ),
                rest=lambda bar, run, scale=scale, p=p, y=y: scale * (p - y),
                scaled="any",
            )
            yield _instead(
                scene,
                number,
                scale * (p - y) * p * (1 - p),
                f"{output}({name}) - {labels} contains the derivative of the {output} already: it is multiplied in again",
                "extra_activation_derivative",
                rank=1,
                also=("softmax_jacobian_diagonal_only", "wrong_loss_derivative"),
            )
            yield _instead(
                scene,
                number,
                scale * -y * (1 - p),
                "the softmax is treated as if it were elementwise: only p (1 - p), the diagonal of its Jacobian, is used",
                "softmax_jacobian_diagonal_only",
                rank=1,
            )
            yield _instead(
                scene,
                number,
                scale * -y / np.where(p == 0, 1, p),
                f"the derivative by {output}({name}) is taken for the derivative by {name}",
                "missing_activation_derivative",
                rank=2,
                also=("wrong_loss_derivative", "softmax_jacobian_diagonal_only"),
            )
            for axis in range(np.ndim(z)):
                other = softmax(z, axis)
                if np.allclose(other, p):
                    continue
                yield _instead(
                    scene,
                    number,
                    scale * (other - y),
                    f"the softmax of {name} is taken along axis {axis}",
                    "forward_mismatch",
                    rank=3,
                    also=("wrong_axis_sum",),
                )


def _of_coupling(scene: Scene, link: Link, p: Any) -> Proposals:
    """P * (dP - (dP * P).sum(...)): the sum over another axis, or stretched along another one."""
    axis = link.axis % np.ndim(p) if link.axis is not None else 0
    name = scene.name(link.above)
    for group in itertools.chain.from_iterable(itertools.combinations(range(np.ndim(p)), n) for n in range(1, 4)):
        if group != (axis,):
            yield Mutation(
                "wrong_axis_sum",
                link.below,
                lambda bar, run, group=group: link.through(
                    _coupled(p, run.cotangents[link.above], lambda x, group=group: x.sum(axis=group, keepdims=True)),
                    run,
                ),
                f"the sum in the Jacobian of the softmax {name} is over axis {group}, not over axis {axis}",
                rank=2,
                kind=f"coupling {group}",
            )
    if np.ndim(p) >= 2:
        yield Mutation(
            "keepdims_broadcast",
            link.below,
            lambda bar, run: link.through(_coupled(p, run.cotangents[link.above], lambda x: x.sum(axis=axis)), run),
            f"the sum in the Jacobian of the softmax {name} has lost its axis, and is stretched along another one",
            rank=1,
            kind="coupling without keepdims",
        )


def _coupled(p: Any, p_bar: Any, total: Any) -> Any:
    return p * (p_bar - total(p_bar * p))


def _outputs(scene: Scene) -> Iterator[tuple[int, Any, str]]:
    """(variable, labels, their name) for all variables that may be an output: of the shape of some labels."""
    sheet = scene.sheet
    labels: list[tuple[str, Any]] = []
    for number, value in enumerate(sheet.values):
        if value is None or sheet.depends(number) or not np.ndim(value) or np.size(value) < 2:
            continue
        if not any(np.array_equal(value, other) for _, other in labels) and _may_be_labels(scene, number):
            named = number in sheet.graph.inputs or sheet.graph.variables[number].name
            labels.append((scene.name(number) if named else "the labels", np.asarray(value, dtype=float)))
    for name, value in scene.inputs.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            labels.append((name, value))
        if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim == 1:
            labels += [(name, one) for one in _one_hot(scene, value)]
    for number in sheet.order:
        if number in sheet.maker and sheet.depends(number):
            for name, y in labels:
                if np.shape(y) == sheet.shape(number):
                    yield number, y, name


def _may_be_labels(scene: Scene, number: int) -> bool:
    """Whether an array that nothing is learned in was given to the function, or is made of zeros and ones."""
    value = np.asarray(scene.sheet.values[number])
    if value.dtype.kind in "iu":
        return False  # class numbers: of_losses meets them as one-hot rows
    given = (
        number in scene.sheet.graph.inputs
        or number in scene.sheet.maker
        or any(np.array_equal(value, other) for other in scene.inputs.values())
    )
    return given or bool(np.ndim(value) == 2 and set(np.unique(value)) == {0.0, 1.0})


def _one_hot(scene: Scene, y: np.ndarray) -> Iterator[Any]:
    shapes = {scene.sheet.shape(n) for n in scene.sheet.order if len(scene.sheet.shape(n)) == 2}
    for rows, columns in shapes:
        if rows == len(y) and 0 <= y.min(initial=0) and y.max(initial=0) < columns:
            yield np.eye(columns)[y]
        elif columns == len(y) and 0 <= y.min(initial=0) and y.max(initial=0) < rows:
            yield np.eye(rows)[y].T


def _squashed(z: Any) -> Iterator[tuple[str, Any]]:
    """What an output may go through before it meets its labels."""
    yield "sigmoid", SIGMOID.forward(z)
    for axis in range(np.ndim(z) - 1, -1, -1):
        if np.shape(z)[axis] > 1:
            yield "softmax", softmax(z, axis)


def _pulled(output: str, p: Any, p_bar: Any) -> Any:
    """The cotangent behind the squashing function, its Jacobian taken along the axis in which p sums to 1."""
    if output == "sigmoid":
        return p_bar * p * (1 - p)
    axis = next(a for a in range(np.ndim(p)) if np.allclose(np.sum(p, axis=a), 1))
    return p * (p_bar - np.sum(p_bar * p, axis=axis, keepdims=True))


def _row_scale(bar: Any, formula: Any) -> Any:
    """The number, or the numbers of the rows or columns, by which `formula` is the cotangent `bar`; None if it is not."""
    with np.errstate(all="ignore"):
        for axes in (None, *(axis for axis in range(np.ndim(bar)) if np.shape(bar)[axis] > 1)):
            norm = np.sum(formula * formula, axis=axes, keepdims=True)
            scale = np.where(norm > 0, np.sum(bar * formula, axis=axes, keepdims=True) / np.where(norm > 0, norm, 1), 0)
            if np.max(np.abs(scale * formula - bar), initial=0) <= 1e-9 * np.max(np.abs(bar), initial=0):
                return scale
    return None


def _others(p: Any, y: Any) -> list[int]:
    """The axes along which rows of one-hot labels lie beside each other."""
    sums = [axis for axis in range(np.ndim(p)) if np.allclose(np.sum(y, axis=axis), 1)]
    return [axis for axis in range(np.ndim(p)) if axis not in sums[-1:]]


def _mislaid(y: Any) -> Iterator[tuple[Any, str]]:
    """Labels in the wrong places."""
    if np.ndim(y) == 2:
        yield y.T.reshape(y.shape), "the labels, reshaped where they are to be transposed,"
        for axis in (0, 1):
            for step in (1, -1):
                yield np.roll(y, step, axis), f"the labels, shifted by one along axis {axis},"


def _diagonal(link: Link, p: Any) -> Any:
    return lambda bar, run: link.through(run.cotangents[link.above] * p * (1 - p), run)


def _instead(
    scene: Scene,
    number: int,
    value: Any,
    says: str,
    word: str = "wrong_loss_derivative",
    rank: int = 4,
    also: tuple[str, ...] = (),
) -> Mutation:
    """A formula at a variable, with a factor that counts can explain: 1/N, 2, 2/N."""
    value = np.asarray(value) if np.any(value) else np.full(np.shape(value), np.nan)  # zeros say nothing
    if word == "wrong_loss_derivative":
        also = ("missing_activation_derivative", "extra_activation_derivative", *also)
    return Mutation(
        word,
        number,
        lambda bar, run: value,
        f"{scene.bar_name(number)} is {says}",
        also=also,
        rank=rank,
        scaled="plain",
        kind=re.sub(r"[\w.]+", "", says) + word,
    )
