"""Emitted epochs run as plain Python, against as many calls of the NumPy step.

A divided step is run by one thread here, which takes the pieces of every section in several orders: the bits must be the
same, and equal to the undivided step's up to rounding.
"""

import numpy as np

from chainrule.emit.numba_epoch import NAME, emit_epoch
from chainrule.pytree import flatten
from chainrule.train.step import build_step
from emit_support import agree, plain, strict, unwritten

ORDERS = {
    "in order": lambda n: range(n),
    "backwards": lambda n: range(n)[::-1],
    "mixed": lambda n: [*range(1, n, 2), *range(0, n, 2)],
}


class Pieces:
    """`next_piece` for one thread: of every section of every batch, the pieces in an order of one's own."""

    def __init__(self, order, counts=None):
        self.order, self.counts, self.seen = order, counts or {}, {}

    def __call__(self, counters, section, before):
        key = (section, before)  # what was handed out before tells the batch
        number = self.seen[key] = self.seen.get(key, -1) + 1
        count = self.counts.get(key, 0)
        return self.order(count)[number] if number < count else number


def check_steps(
    network, loss, X, y, optimizer, *, axis=0, tail=0, shuffle=True, divided=False, small=False, tiled=False, rtol=None
):
    """The emitted epoch's parameters, state and losses against as many calls of the NumPy step."""
    rows, batches = 4, 3
    step, state = build_step(loss, optimizer), optimizer.init(network)
    compiled = step.staged(network, state, X.take(range(rows), axis), y.take(range(rows), axis))
    epoch = emit_epoch(
        compiled.graph, compiled.parameters, compiled.constants, axis, divided=divided, small=small, tiled=tiled
    )
    leaves = flatten((network, state))[0]
    rtol = rtol or (5e-5 if any(leaf.dtype == np.float32 for leaf in leaves if hasattr(leaf, "dtype")) else 1e-10)
    order = np.random.default_rng(1).permutation(rows * batches + tail) if shuffle else np.zeros(0, np.int64)
    numbers = [compiled.graph.inputs.index(n) for n in epoch.numbers]
    counts, found = {}, []
    for hand_out in ORDERS.values() if divided and not small else [None]:
        mine, theirs = [strict(leaf) for leaf in leaves], (network, state)
        data = [strict(X), strict(y), strict(order) if shuffle else order]
        constants = [strict(value) for value in compiled.constant_values.values()]
        for first, count, size in [(0, batches, rows), (rows * batches, 1, tail)][: 2 if tail else 1]:
            losses = []
            for start in range(first, first + count * size, size):
                chosen = order[start : start + size] if shuffle else np.arange(start, start + size)
                loss_now, *theirs = step(*theirs, X.take(chosen, axis), y.take(chosen, axis))
                losses.append(float(loss_now))
            if step.staged(network, state, X.take(range(size), axis), y.take(range(size), axis)) is not compiled:
                return epoch  # the engine runs such a batch in NumPy
            next_piece = Pieces(hand_out, counts.get(first))
            function = plain(epoch.source, NAME, next_piece=next_piece, meet=lambda *_: True)
            memory = [
                unwritten([size if d is None else d for d in shape], kind) for _, _, shape, kind in epoch.shared or ()
            ]
            if divided:
                memory += [unwritten([epoch.results], np.float64), unwritten([1], np.int64), 0, 1, 0, 0]
            with np.errstate(all="ignore"):
                total, done, last, *after = function(
                    *data, first, count, size, *mine, *constants, *memory, np.float32, np.float64
                )
            counts.setdefault(first, next_piece.seen)  # the last number of each only ended it
            for place, number in zip(numbers, after, strict=True):
                mine[place] = number
            assert done == count
            agree([total, last], [sum(losses), losses[-1]], rtol)
            agree(
                [np.asarray(x) if isinstance(x, np.ndarray) else x for x in mine],
                flatten(tuple(theirs))[0],
                rtol,
                scale=1.0,
            )
        found.append([np.asarray(x).tobytes() for x in mine])
    assert all(one == found[0] for one in found), "who runs a piece changes the result"
    return epoch
