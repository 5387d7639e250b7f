"""Mistakes in what a matrix product sends back: transposes, order, the wrong array, sums over the wrong axis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.diagnosis.mutation import Mutation, Proposals, Scene
from chainrule.diagnosis.sheet import Override, Run, Use
from chainrule.primitives.linear_algebra import MATMUL, TRANSPOSE

LETTERS = "nij"


def products(scene: Scene) -> Iterator[tuple[Use, int, int, Any]]:
    """Every use of a variable in a product of matrices: (use, its variable, the product, the other factor)."""
    sheet = scene.sheet
    for number in sheet.order:
        for use in sheet.uses.get(number, ()):
            i, place = use
            equation = sheet.graph.equations[i]
            if equation.primitive is MATMUL:
                operands = sheet.operands(i)
                if np.ndim(operands[0]) >= 2 and np.ndim(operands[1]) >= 2:
                    yield use, number, equation.output, operands[1 - place]


def of_order(scene: Scene) -> Proposals:
    """Factors transposed, exchanged, or the result transposed: legal where sizes are equal."""
    for use, number, above, other in products(scene):
        product, right = scene.name(above), (0, 1) if use[1] == 0 else (1, 0)
        for order in ((0, 1), (1, 0)):
            for flips in itertools.product((False, True), repeat=3):
                if order == right and flips == (False, True, False):
                    continue
                same_order = order == right or (flips[2] and order != right)
                word = "transposed" if same_order else "product_order"
                yield Mutation(
                    word,
                    use,
                    _ordered(scene, use, other, order, flips),
                    f"in {scene.bar_name(number)}, from {product}, "
                    + ("a factor or the product is transposed" if same_order else "the factors are in the wrong order"),
                    also=("product_order",) if same_order else ("transposed",),
                    rank=2 if order == right and sum(flips) <= 2 else 3,
                    kind=_kind(scene, use, f"{order} {flips}"),
                )
        yield Mutation(
            "reshape_instead_of_transpose",
            use,
            _reshaped(scene, use, other),
            f"the other factor of {product} is reshaped where it has to be transposed",
            rank=3,
        )


def _kind(scene: Scene, use: Use, what: str) -> str:
    """The same for the same mistake with one weight in each step of a loop."""
    partner = scene.sheet.graph.equations[use[0]].inputs[1 - use[1]]
    number = scene.sheet.variable_of(use)
    shared = next((n for n in (partner, number) if type(n) is int and n in scene.sheet.wrt), None)
    return "" if shared is None else f"{what} {scene.name(int(shared))} {use[1]}"


def of_partner(scene: Scene) -> Proposals:
    """Another array of the same shape in the place of the right one."""
    sheet = scene.sheet
    for use, number, above, _other in products(scene):
        partner = sheet.graph.equations[use[0]].inputs[1 - use[1]]
        if type(partner) is not int:
            continue
        for name, value, _ in scene.like(partner):
            yield Mutation(
                "off_by_one_layer",
                use,
                _with(scene, use, value),
                f"{scene.bar_name(number)} is computed with {name} where {scene.name(partner)} belongs",
                also=("wrong_index", "stale_value"),
                rank=3,
                scaled="no",
                partner=name,
            )
        yield from of_signal(scene, use, number, above)


def of_signal(scene: Scene, use: Use, number: int, above: int) -> Proposals:
    """The cotangent of another variable sent through: dA for dZ, or the neighbour's."""
    sheet = scene.sheet
    shape = sheet.shape(above)
    for other in sheet.order:
        if other == above or sheet.shape(other) != shape or sheet.order[other] > sheet.order[above]:
            continue
        linked = sheet.reaches(other, above)
        yield Mutation(
            "missing_activation_derivative" if linked else "off_by_one_layer",
            use,
            lambda bar, run, other=other: sheet.pull(*use, run.cotangents[other]),
            f"{scene.bar_name(number)} is computed with {scene.bar_name(other)} where {scene.bar_name(above)} belongs",
            also=("off_by_one_layer",),
            rank=4,
            scaled="no",
            partner=scene.bar_name(other),
        )


def of_brackets(scene: Scene) -> Proposals:
    """dA * (f'(Z) A.T) for (dA * f'(Z)) A.T: an elementwise product moved across the matrix product."""
    links = [link for link in scene.links if link.elementwise]
    for use, number, above, _other in products(scene):
        for link in links:
            if link.above == number and len(scene.sheet.uses[number]) == 1:
                yield Mutation(
                    "product_order",
                    link.below,
                    _slope_first(scene, use, link),
                    f"{scene.bar_name(above)} is multiplied by the derivative of {scene.name(link.above)} before the matrix "
                    "product, not behind it",
                    rank=2,
                )
            if above != link.below and not _feeds(scene, above, link.below):
                continue
            for signal_inside in (True, False):
                yield Mutation(
                    "product_order",
                    use,
                    _moved_bracket(scene, use, link, signal_inside),
                    f"in {scene.bar_name(number)} the elementwise product with the derivative of {scene.name(link.above)} "
                    "and the matrix product are in the wrong order",
                    rank=3,
                )


def of_transposes(scene: Scene) -> Proposals:
    """What comes back through a transpose of the forward pass, reshaped or as it is."""
    for use, number in scene.sheet.all_uses():
        above = scene.sheet.graph.equations[use[0]]
        if above.primitive is not TRANSPOSE:
            continue
        shape, name = scene.sheet.shape(number), scene.bar_name(number)
        yield Mutation(
            "reshape_instead_of_transpose",
            use,
            lambda bar, run, above=above, shape=shape: run.cotangents[above.output].reshape(shape),
            f"what comes back to {name} from the transpose is reshaped where its axes have to be exchanged",
            rank=2,
        )
        if scene.sheet.shape(above.output) == shape:
            yield Mutation(
                "transposed",
                use,
                lambda bar, run, above=above: run.cotangents[above.output],
                f"what comes back to {name} from the transpose is not transposed back",
                rank=2,
            )


def of_sums(scene: Scene) -> Proposals:
    """A product of matrices summed once more, or taken of one sample."""
    for use, number, _above, other in products(scene):
        name = scene.bar_name(number)
        for axis in (None, 0, 1):
            yield Mutation(
                "wrong_axis_sum",
                use,
                lambda bar, run, axis=axis: np.broadcast_to(np.sum(bar, axis=axis, keepdims=True), bar.shape),
                f"{name} is summed once more, over " + ("everything" if axis is None else f"axis {axis}"),
                rank=6 if number in scene.sheet.maker else 3,
            )
        for which, side in itertools.product((0, -1), (0, 1)):
            yield Mutation(
                "wrong_index",
                use,
                _of_one(scene, use, other, which, side),
                f"{name} takes {'the first' if which == 0 else 'the last'} sample only",
                also=("bias_not_summed",),
                rank=5,
            )


def of_subscripts(scene: Scene) -> Proposals:
    """Products over the wrong subscripts: every way in which the indices of two matrices can be paired."""
    for use, number, above, other in products(scene):
        if np.ndim(other) != 2 or len(scene.sheet.shape(above)) != 2:
            continue
        for pattern in _patterns():
            yield Mutation(
                "wrong_index",
                use,
                _summed_over(scene, use, other, pattern),
                f"{scene.bar_name(number)} pairs the wrong subscripts: {pattern}",
                rank=7,
                scaled="no",
            )


def _patterns() -> Iterator[str]:
    pairs = ["".join(pair) for pair in itertools.product(LETTERS, repeat=2)]
    for one, two in itertools.product(pairs, pairs):
        if set(one + two) >= {"i"} or set(one + two) >= {"j"}:
            yield f"{one},{two}->ij"


def _summed_over(scene: Scene, use: Use, other: Any, pattern: str) -> Override:
    shape = scene.sheet.shape(scene.sheet.variable_of(use))

    def override(bar: Any, run: Run) -> Any:
        y_bar = run.cotangents[scene.sheet.graph.equations[use[0]].output]
        inputs, output = pattern.split("->")
        there = "".join(letter for letter in output if letter in inputs)
        sizes = dict(zip(output, shape, strict=True))
        result = np.einsum(f"{inputs}->{there}", *_cropped(inputs, (other, y_bar), sizes))
        if there != output:
            result = result[:, None] if there == "i" else result[None, :]
        return np.broadcast_to(result, shape)

    return override


def _cropped(inputs: str, arrays: tuple[Any, Any], sizes: dict[str, int]) -> list[Any]:
    """The arrays cut to sizes that agree: an index that runs over the wrong array runs as far as its own goes."""
    subscripts = inputs.split(",")
    for letters, array in zip(subscripts, arrays, strict=True):
        for letter, size in zip(letters, array.shape, strict=True):
            sizes[letter] = min(sizes.get(letter, size), size)
    return [
        array[tuple(slice(sizes[letter]) for letter in letters)]
        for letters, array in zip(subscripts, arrays, strict=True)
    ]


def _signal(scene: Scene, use: Use, run: Run) -> Any:
    return run.cotangents[scene.sheet.graph.equations[use[0]].output]


def _swap(array: Any, flip: bool) -> Any:
    return np.swapaxes(array, -1, -2) if flip else array


def _ordered(scene: Scene, use: Use, other: Any, order: tuple[int, int], flips: tuple[bool, ...]) -> Override:
    """The product of signal (0) and other factor (1) in an order, each and the result transposed or not."""

    def override(bar: Any, run: Run) -> Any:
        factors = (_swap(_signal(scene, use, run), flips[0]), _swap(other, flips[1]))
        return _swap(factors[order[0]] @ factors[order[1]], flips[2])

    return override


def _reshaped(scene: Scene, use: Use, other: Any) -> Override:
    def override(bar: Any, run: Run) -> Any:
        shaped = np.reshape(other, np.swapaxes(other, -1, -2).shape)
        signal = _signal(scene, use, run)
        return signal @ shaped if use[1] == 0 else shaped @ signal

    return override


def _with(scene: Scene, use: Use, value: Any) -> Override:
    def override(bar: Any, run: Run) -> Any:
        i, place = use
        operands = list(scene.sheet.operands(i))
        operands[1 - place] = value
        return scene.sheet.pull(i, place, _signal(scene, use, run), tuple(operands), None)

    return override


def _of_one(scene: Scene, use: Use, other: Any, which: int, side: int) -> Override:
    """The product over one entry of the axis that is summed over."""

    def override(bar: Any, run: Run) -> Any:
        signal = _signal(scene, use, run)
        take = slice(0, 1) if which == 0 else slice(-1, None)
        if use[1] == 1:  # a.T @ y_bar: summed over the rows of both
            return _swap(other[..., take, :], True) @ signal[..., take, :]
        return signal[..., take] @ _swap(other[..., take], True)  # y_bar @ b.T: over the columns of both

    return override


def _feeds(scene: Scene, above: int, below: int) -> bool:
    """Whether a product is what `below` is made of by adding a bias."""
    maker = scene.sheet.maker.get(below)
    return maker is not None and above in scene.sheet.graph.equations[maker].inputs


def _slope_first(scene: Scene, use: Use, link: Any) -> Override:
    return lambda bar, run: scene.sheet.pull(*use, _signal(scene, use, run) * link.slope())


def _moved_bracket(scene: Scene, use: Use, link: Any, signal_inside: bool) -> Override:
    def override(bar: Any, run: Run) -> Any:
        signal, slope = run.cotangents[link.above], link.slope()
        inside, outside = (signal, slope) if signal_inside else (slope, signal)
        return outside * scene.sheet.pull(*use, inside)

    return override
