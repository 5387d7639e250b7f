"""Right backward passes, samples in columns, written otherwise than a machine derives them: nothing is to be found here."""

from dataclasses import replace

import numpy as np

from diagnosis.corpus import (
    attention,
    column_logistic,
    column_quadratic,
    losses_column,
    masked,
    normalised,
    recurrent,
    shared_weights,
    smooth_activations,
)

logistic = replace(column_logistic.net, cases=[])
quadratic = replace(column_quadratic.net, cases=[])
kl = replace(losses_column.kl, cases=[])
mae = replace(losses_column.mae, cases=[])
squared_hinge = replace(losses_column.squared_hinge, cases=[])
leaky = replace(masked.leaky, cases=[])
padded = replace(masked.padded, cases=[])
dropout = replace(masked.columns, cases=[])
layer = replace(normalised.layer, cases=[])
char = replace(recurrent.char, cases=[])
tied = replace(shared_weights.tied, cases=[])
columns = replace(shared_weights.columns, cases=[])
attending = replace(attention.column, cases=[])
elu = replace(smooth_activations.elu, cases=[])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = column_logistic.forward_propagation(X, W1, b1, W2, b2)
    A1, A2 = cache["A1"], cache["A2"]
    dA2 = -(np.divide(Y, A2) - np.divide(1 - Y, 1 - A2))
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = 1.0 / m * np.dot(dZ2, A1.T)
    db2 = 1.0 / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = dA1 * (1 - np.power(A1, 2))
    dW1 = 1.0 / m * np.dot(dZ1, X.T)
    db1 = 1.0 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


logistic.add("correct", "long_way_round", backward)


def backward(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    cache = column_logistic.forward_propagation(X, W1, b1, W2, b2)
    dZ2 = cache["A2"] - Y
    dZ1 = np.outer(W2, dZ2) * (1 - cache["A1"] ** 2)
    dW1 = np.einsum("hm,nm->hn", dZ1, X) / m
    dW2 = np.einsum("om,hm->oh", dZ2, cache["A1"]) / m
    return dW1, np.mean(dZ1, axis=1, keepdims=True), dW2, np.mean(dZ2, axis=1, keepdims=True)


logistic.add("correct", "means_and_einsum", backward)

X, Y, W1, b1, W2, b2 = column_logistic.net.args
logistic.add("correct", "nearly_certain", backward, args=(X, Y, W1, b1, W2, b2 - 12))


def backward(x, y, weights, biases):
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    for i in range(x.shape[1]):
        zs, activations = column_quadratic.feedforward(x[:, i : i + 1], weights, biases)
        delta = (activations[-1] - y[:, i : i + 1]) * column_quadratic.sigmoid_prime(zs[-1])
        nabla_b[-1] += delta
        nabla_w[-1] += np.dot(delta, activations[-2].transpose())
        for l in range(2, len(weights) + 1):
            sp = column_quadratic.sigmoid_prime(zs[-l])
            delta = np.dot(weights[-l + 1].transpose(), delta) * sp
            nabla_b[-l] += delta
            nabla_w[-l] += np.dot(delta, activations[-l - 1].transpose())
    return nabla_w, nabla_b


quadratic.add("correct", "sample_by_sample", backward)


def backward(x, y, weights, biases):
    zs, activations = column_quadratic.feedforward(x, weights, biases)

    def back(l, dA):
        dZ = dA * activations[l + 1] * (1 - activations[l + 1])
        here = dZ @ activations[l].T, dZ.sum(axis=1, keepdims=True)
        return [here] if l == 0 else [*back(l - 1, weights[l].T @ dZ), here]

    gradients = back(len(zs) - 1, activations[-1] - y)
    return [w for w, _ in gradients], [b for _, b in gradients]


quadratic.add("correct", "recursion", backward)


def backward(X, T, W1, W2):
    m = X.shape[1]
    H = np.tanh(W1 @ X)
    S = W2 @ H / 2.0
    Q = np.exp(S) / np.exp(S).sum(axis=0)
    dW1, dW2 = np.zeros_like(W1), np.zeros_like(W2)
    for i in range(m):
        J = np.diag(Q[:, i]) - np.outer(Q[:, i], Q[:, i])
        ds = J @ (-T[:, i] / Q[:, i]) / (2.0 * m)
        dW2 += np.outer(ds, H[:, i])
        dW1 += np.outer(W2.T @ ds * (1 - H[:, i] ** 2), X[:, i])
    return dW1, dW2


kl.add("correct", "jacobian_of_each_sample", backward)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = Z1 * (Z1 > 0)
    above = (W2 @ A1 + b2 > Y).astype(int)
    dZ2 = (2 * above - 1) / Y.size
    dZ1 = (W2.T @ dZ2) * (Z1 > 0)
    return dZ1 @ X.T, dZ1 @ np.ones((7, 1)), dZ2 @ A1.T, dZ2 @ np.ones((7, 1))


mae.add("correct", "above_or_below", backward)

X, Y, *parameters = losses_column.mae.args
mae.add("correct", "huge_targets", backward, args=(X, 1e9 * Y, *parameters))


def backward(X, y, w, b):
    margin = y * (w @ X + b)
    inside = margin < 1
    ds = np.where(inside, 2 * (margin - 1) * y, 0) / X.shape[1]
    return np.sum(ds * X, axis=1)[None, :], np.sum(ds)[None, None]


squared_hinge.add("correct", "by_the_margin", backward)

X = np.sign(losses_column.squared_hinge.args[0])
no_slack = (X, X[:1], np.array([[5.0, 0.1, -0.1, 0.2]]), np.zeros((1, 1)))
squared_hinge.add("correct", "nothing_to_learn", backward, args=no_slack)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    slope = np.full(Z1.shape, 0.1)
    slope[Z1 > 0] = 1.0
    A1 = slope * Z1
    dZ2 = (W2 @ A1 + b2 - Y) / X.shape[1]
    dZ1 = slope * (W2.T @ dZ2)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


leaky.add("correct", "array_of_slopes", backward)


def backward(X, lengths, Y, W1, b1, W2, b2):
    total = lengths.sum()
    gradients = [np.zeros_like(p) for p in (W1, b1, W2, b2)]
    for i, n in enumerate(lengths):
        x, y = X[:, 9 * i : 9 * i + n], Y[:, 9 * i : 9 * i + n]
        a1 = np.tanh(W1 @ x + b1)
        dz2 = 2 * (W2 @ a1 + b2 - y) / total
        dz1 = W2.T @ dz2 * (1 - a1**2)
        parts = (dz1 @ x.T, dz1.sum(axis=1, keepdims=True), dz2 @ a1.T, dz2.sum(axis=1, keepdims=True))
        for g, part in zip(gradients, parts, strict=True):
            g += part
    return tuple(gradients)


padded.add("correct", "without_the_padding", backward)


def backward(X, Y, D1, W1, b1, W2, b2):
    m = X.shape[1]
    Z1 = W1 @ X + b1
    gate = 2.0 * (D1 & (Z1 > 0))
    A1 = gate * Z1
    S = W2 @ A1 + b2
    S = S - S.max(axis=0)
    dZ2 = np.exp(S - np.log(np.exp(S).sum(axis=0))) - Y
    dZ1 = gate * (W2.T @ dZ2)
    return dZ1 @ X.T / m, dZ1.mean(axis=1, keepdims=True), dZ2 @ A1.T / m, dZ2.mean(axis=1, keepdims=True)


dropout.add("correct", "one_gate", backward)


def backward(X, Y, W1, g, b, W2):
    h, s, n = normalised.layer_forward(X, W1, g, b)
    H, m = h.shape
    dout = 2 * (W2 @ (g * n + b) - Y) / Y.size
    dy = W2.T @ dout
    dh = np.zeros_like(h)
    for i in range(m):
        J = (np.eye(H) - 1 / H - np.outer(n[:, i], n[:, i]) / H) / s[0, i]
        dh[:, i] = J @ (dy[:, i] * g[:, 0])
    dW1 = (dh - dh * h**2) @ X.T
    return dW1, (dy * n).sum(1, keepdims=True), dy.sum(1, keepdims=True), dout @ n.T * g.T + dout.sum(1)[:, None] * b.T


layer.add("correct", "jacobian_of_a_column", backward)


def backward(xs, ys, h0, Wxh, Whh, Why, bh, by):
    hs, ps = recurrent.char_forward(xs, h0, Wxh, Whh, Why, bh, by)
    T = xs.shape[1]
    dWxh, dWhh, dbh = 0, 0, 0
    for end in range(T):
        draw = Why.T @ (ps[end] - ys[:, [end]]) * (1 - hs[end] ** 2)
        for t in range(end, -1, -1):
            dWxh = dWxh + draw @ xs[:, [t]].T
            dWhh = dWhh + draw @ hs[t - 1].T
            dbh = dbh + draw
            draw = Whh.T @ draw * (1 - hs[t - 1] ** 2)
    errors = np.hstack([ps[t] for t in range(T)]) - ys
    states = np.hstack([hs[t] for t in range(T)])
    return dWxh, dWhh, errors @ states.T, dbh, errors.sum(axis=1, keepdims=True)


char.add("correct", "each_loss_by_itself", backward)


def backward(X, W, b, c):
    m = X.shape[1]
    H = sigmoid(W @ X + b)
    R = W.T @ H + c - X
    G = W @ R * H * (1 - H)
    dW = 2 / m * np.hstack([G, H]) @ np.hstack([X, R]).T
    return dW, 2 * G.mean(axis=1, keepdims=True), 2 * R.mean(axis=1, keepdims=True)


tied.add("correct", "both_uses_in_one_product", backward)


def backward(idx, T, E, W):
    one = np.eye(7)[:, idx]
    M = E @ one
    skip = np.eye(4, 5)
    A = np.tanh((W + skip) @ M)
    dS = (A - T) * (1 - A) * (1 + A) / idx.size
    return (W + skip).T @ dS @ one.T, dS @ M.T


columns.add("correct", "skip_as_a_matrix", backward)


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    M = Wk.T @ Wq / np.sqrt(d)
    P = attention.softmax(X.T @ M @ X, axis=0)
    dO = 2 * (Wv @ X @ P + X - Y) / T
    dP = (Wv @ X).T @ dO
    dS = P * dP - P * np.sum(P * dP, axis=0)
    dM = X @ dS @ X.T
    dX = M @ X @ dS.T + M.T @ X @ dS + Wv.T @ dO @ P.T + dO
    return Wk @ dM / np.sqrt(d), Wq @ dM.T / np.sqrt(d), dO @ P.T @ X.T, dX


attending.add("correct", "one_bilinear_form", backward)


def backward(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.where(Z1 > 0, Z1, np.expm1(Z1))
    A2 = np.tanh(W2 @ A1 + b2)
    dZ2 = A2 - A2**3 - Y + Y * A2**2
    dZ1 = W2.T @ dZ2 * np.minimum(A1 + 1, 1)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


elu.add("correct", "slope_from_the_output", backward)

CASES = (
    *logistic.cases,
    *quadratic.cases,
    *kl.cases,
    *mae.cases,
    *squared_hinge.cases,
    *leaky.cases,
    *padded.cases,
    *dropout.cases,
    *layer.cases,
    *char.cases,
    *tied.cases,
    *columns.cases,
    *attending.cases,
    *elu.cases,
)
