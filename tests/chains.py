"""A deep chain of layers, with or without checkpoints: what the tests of memory run."""

import numpy as np

import chainrule as cr


def block(A, Ws):
    for W in Ws:
        A = np.tanh(A @ W)
    return A


def chain(every=0):
    """The loss of a deep chain of tanh(A @ W), with a checkpoint around so many layers at a time."""
    part = cr.checkpoint(block) if every else block

    def loss(X, Ws):
        A = X
        for start in range(0, len(Ws), every or len(Ws)):
            A = part(A, Ws[start : start + (every or len(Ws))])
        return np.sum(A**2)

    return loss
