"""Recurrent cells over a few steps, whose weights are used at each of them: columns for characters, rows for batches."""

import numpy as np

from diagnosis.corpus.case import Net, normal, one_hot


def char_loss(xs, ys, h0, Wxh, Whh, Why, bh, by):
    h = h0
    total = 0.0
    for t in range(4):
        h = np.tanh(Wxh @ xs[:, t : t + 1] + Whh @ h + bh)
        scores = Why @ h + by
        p = np.exp(scores) / np.sum(np.exp(scores))
        total = total - np.sum(ys[:, t : t + 1] * np.log(p))
    return total


def char_forward(xs, h0, Wxh, Whh, Why, bh, by):
    hs, ps = {-1: h0}, {}
    for t in range(xs.shape[1]):
        hs[t] = np.tanh(np.dot(Wxh, xs[:, [t]]) + np.dot(Whh, hs[t - 1]) + bh)
        scores = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(scores) / np.sum(np.exp(scores))
    return hs, ps


def char_right(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    gradients = [np.zeros_like(p) for p in (Wxh, Whh, Why, bh, by)]
    later = np.zeros_like(h0)
    for t in reversed(range(xs.shape[1])):
        dy = ps[t] - ys[:, [t]]
        draw = (Why.T @ dy + later) * (1 - hs[t] ** 2)
        parts = (draw @ xs[:, [t]].T, draw @ hs[t - 1].T, dy @ hs[t].T, draw, dy)
        gradients = [g + part for g, part in zip(gradients, parts, strict=True)]
        later = Whh.T @ draw
    return tuple(gradients)


xs, ys = one_hot([0, 2, 1, 4], 5).T, one_hot([2, 1, 4, 3], 5).T
args = (xs, ys, *normal(71, (6, 1), (6, 5), (6, 6), (5, 6), (6, 1), (5, 1)))
char = Net("column", "char_rnn", char_loss, char_right, args, ("Wxh", "Whh", "Why", "bh", "by"))


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    for t in reversed(range(xs.shape[1])):
        dy = ps[t] - ys[:, [t]]
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy)
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[:, [t]].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
    return dWxh, dWhh, dWhy, dbh, dby


char.add("dropped_path detached_branch overwritten_instead_of_accumulated", "no_dhnext", backward, at="dh")


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(xs.shape[1])):
        dy = ps[t] - ys[:, [t]]
        dWhy = np.dot(dy, hs[t].T)
        dby = dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh = dhraw
        dWxh = np.dot(dhraw, xs[:, [t]].T)
        dWhh = np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return dWxh, dWhh, dWhy, dbh, dby


char.add("overwritten_instead_of_accumulated dropped_path", "all_weights", backward, at="dWhy")


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(xs.shape[1])):
        dy = np.copy(ps[t]) - ys[:, [t]]
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[:, [t]].T)
        dWhh += np.dot(dhraw, hs[t].T)
        dhnext = np.dot(Whh.T, dhraw)
    return dWxh, dWhh, dWhy, dbh, dby


char.add("off_by_one_layer", "this_step_for_the_last", backward, at="dWhh")


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(xs.shape[1])):
        dy = ps[t] - ys[:, [t]]
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[:, [t]].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh, dhraw)
    return dWxh, dWhh, dWhy, dbh, dby


char.add("transposed", "recurrent_weights", backward, at="dhnext")


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    T = xs.shape[1]
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(T)):
        dy = (ps[t] - ys[:, [t]]) / T
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dhraw = (1 - hs[t] ** 2) * (np.dot(Why.T, dy) + dhnext)
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[:, [t]].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return dWxh, dWhh, dWhy, dbh, dby


char.add("extra_mean", "steps", backward, at="dy")


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(xs.shape[1])):
        dy = ps[t]
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dhraw = (1 - hs[t] ** 2) * (np.dot(Why.T, dy) + dhnext)
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[:, [t]].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return dWxh, dWhh, dWhy, dbh, dby


char.add("ce_without_onehot_subtract", "every_step", backward, at="dy")


def sequence_loss(X, Y, Wx, Wh, b, V):
    N, T, _ = X.shape
    h = np.zeros((N, Wh.shape[0]))
    for t in range(T):
        h = np.tanh(X[:, t, :] @ Wx + h @ Wh + b)
    return np.mean((h @ V - Y) ** 2)


def sequence_forward(X, Wx, Wh, b):
    N, T, _ = X.shape
    states = [np.zeros((N, Wh.shape[0]))]
    for t in range(T):
        states.append(np.tanh(X[:, t] @ Wx + states[-1] @ Wh + b))
    return states


def sequence_right(X, Y, Wx, Wh, b, V):
    states = sequence_forward(X, Wx, Wh, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    dh = dout @ V.T
    dWx, dWh, db = 0, 0, 0
    for t in reversed(range(X.shape[1])):
        dz = dh * (1 - states[t + 1] ** 2)
        dWx, dWh, db = dWx + X[:, t].T @ dz, dWh + states[t].T @ dz, db + dz.sum(axis=0)
        dh = dz @ Wh.T
    return dWx, dWh, db, states[-1].T @ dout


args = normal(72, (7, 3, 4), (7, 2), (4, 5), (5, 5), (5,), (5, 2))
sequence = Net("row", "rnn_last_state", sequence_loss, sequence_right, args, ("Wx", "Wh", "b", "V"))


def backward(X, Y, Wx, Wh, b, V):
    states = sequence_forward(X, Wx, Wh, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    dV = states[-1].T @ dout
    dh = dout @ V.T
    dz = dh * (1 - states[-1] ** 2)
    dWx = X[:, -1].T @ dz
    dWh = states[-2].T @ dz
    db = dz.sum(axis=0)
    return dWx, dWh, db, dV


sequence.add("detached_branch dropped_path overwritten_instead_of_accumulated", "last_step_only", backward, at="dWx")


def backward(X, Y, Wx, Wh, b, V):
    states = sequence_forward(X, Wx, Wh, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    grads = {"V": states[-1].T @ dout}
    dh = dout @ V.T
    for t in reversed(range(X.shape[1])):
        dz = dh * (1 - states[t + 1] ** 2)
        grads["Wx"] = X[:, t].T @ dz
        grads["Wh"] = grads.get("Wh", 0) + states[t].T @ dz
        grads["b"] = grads.get("b", 0) + dz.sum(axis=0)
        dh = dz @ Wh.T
    return grads


sequence.add("overwritten_instead_of_accumulated dropped_path", "input_weights", backward, at="Wx")


def backward(X, Y, Wx, Wh, b, V):
    states = sequence_forward(X, Wx, Wh, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    dV = states[-1].T @ dout
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dh = dout @ V.T
    for t in range(X.shape[1] - 1, -1, -1):
        dz = dh * (1 - states[t] ** 2)
        dWx += X[:, t].T @ dz
        dWh += states[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ Wh.T
    return dWx, dWh, db, dV


sequence.add("off_by_one_layer", "state_before_the_step", backward, at="dz")


def backward(X, Y, Wx, Wh, b, V):
    states = sequence_forward(X, Wx, Wh, b)
    T = X.shape[1]
    dout = 2 * (states[-1] @ V - Y) / Y.size / T
    dV = states[-1].T @ dout
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dh = dout @ V.T
    for t in reversed(range(T)):
        dz = dh * (1 - states[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWh += states[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ Wh.T
    return dWx, dWh, db, dV


sequence.add("extra_mean double_mean", "steps", backward, at="dout")


def backward(X, Y, Wx, Wh, b, V):
    states = sequence_forward(X, Wx, Wh, b)
    dout = 2 * (states[-1] @ V - Y) / Y.size
    dV = states[-1].T @ dout
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dz = dout @ V.T * (1 - states[-1] ** 2)
    for t in reversed(range(X.shape[1])):
        dWx += X[:, t].T @ dz
        dWh += states[t].T @ dz
        db += dz.sum(axis=0)
        dz = dz @ Wh.T
    return dWx, dWh, db, dV


sequence.add("missing_activation_derivative", "through_time", backward, at="dz")

CASES = (*char.cases, *sequence.cases)
