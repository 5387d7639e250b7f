"""Right backward passes, samples in rows, written otherwise than a machine derives them: nothing is to be found here."""

# ruff: noqa: RUF059  (people unpack more than they use)

from dataclasses import replace

import numpy as np

from diagnosis.corpus import (
    attention,
    losses_row,
    normalised,
    recurrent,
    regularised,
    row_regression,
    row_relu_softmax,
    shared_weights,
    smooth_activations,
)
from diagnosis.corpus.case import normal

softmax = replace(row_relu_softmax.net, cases=[])
regression = replace(row_regression.net, cases=[])
decayed = replace(regularised.decayed, cases=[])
batch = replace(normalised.batch, cases=[])
attending = replace(attention.net, cases=[])
hinge = replace(losses_row.hinge, cases=[])
weighted = replace(losses_row.weighted, cases=[])
bag = replace(shared_weights.bag, cases=[])
residual = replace(shared_weights.residual, cases=[])
sequence = replace(recurrent.sequence, cases=[])
swish = replace(smooth_activations.swish, cases=[])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    dW1, db1 = np.zeros_like(W1), np.zeros_like(b1)
    dW2, db2 = np.zeros_like(W2), np.zeros_like(b2)
    for i in range(N):
        z1 = X[i] @ W1 + b1
        a1 = np.maximum(0, z1)
        scores = a1 @ W2 + b2
        p = np.exp(scores - scores.max())
        p /= p.sum()
        p[y[i]] -= 1
        dW2 += np.outer(a1, p)
        db2 += p
        dz1 = W2 @ p
        dz1[z1 <= 0] = 0
        dW1 += np.outer(X[i], dz1)
        db1 += dz1
    return dW1 / N, db1 / N, dW2 / N, db2 / N


softmax.add("correct", "sample_by_sample", backward)


def backward(X, y, W1, b1, W2, b2):
    N, k = X.shape[0], W2.shape[1]
    H = np.maximum(0, X @ W1 + b1)
    E = np.exp(H @ W2 + b2)
    P = E / E.sum(axis=1, keepdims=True)
    dP = np.zeros((N, k))
    dP[np.arange(N), y] = -1 / P[np.arange(N), y] / N
    jacobian = np.einsum("ni,ij->nij", P, np.eye(k)) - np.einsum("ni,nj->nij", P, P)
    dZ2 = np.einsum("nij,nj->ni", jacobian, dP)
    dZ1 = np.einsum("nj,ij->ni", dZ2, W2) * np.heaviside(H, 0)
    return np.einsum("ni,nj->ij", X, dZ1), dZ1.sum(axis=0), np.einsum("ni,nj->ij", H, dZ2), dZ2.sum(axis=0)


softmax.add("correct", "jacobian_by_einsum", backward)

X, y, W1, b1, W2, b2 = row_relu_softmax.net.args


def backward(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    exps = np.exp(hidden @ W2 + b2)
    probs = exps / exps.sum(1, keepdims=True)
    probs[range(N), y] -= 1
    dhidden = probs @ W2.T
    dhidden[hidden <= 0] = 0
    grads = {"W1": X.T @ dhidden, "b1": dhidden.sum(0), "W2": hidden.T @ probs, "b2": probs.sum(0)}
    return {name: g / N for name, g in grads.items()}


softmax.add("correct", "dead_units", backward, args=(X, y, W1, b1 - 100, W2, b2))
softmax.add("correct", "one_sample", backward, args=(X[:1], y[:1], W1, b1, W2, b2))


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    A1 = np.tanh(X.dot(W1) + b1)
    A2 = sigmoid(A1.dot(W2) + b2)
    scale = -2.0 / Y.size
    error = Y - (A2.dot(W3) + b3)
    back2 = error.dot(W3.T) * (A2 - A2**2)
    back1 = back2.dot(W2.T) / np.cosh(X.dot(W1) + b1) ** 2
    dW1 = scale * X.T.dot(back1)
    db1 = scale * back1.sum(axis=0)
    return (
        dW1,
        db1,
        scale * A1.T.dot(back2),
        scale * back2.sum(axis=0),
        scale * A2.T.dot(error),
        scale * error.sum(axis=0),
    )


regression.add("correct", "minus_and_scale_at_the_end", backward)

X, Y, *parameters = row_regression.net.args
regression.add("correct", "huge_loss", backward, args=(X, 1e8 * Y, *parameters))


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    ones = np.ones((X.shape[0], 1))
    A1 = np.tanh(np.hstack([X, ones]) @ np.vstack([W1, b1]))
    A2 = sigmoid(np.hstack([A1, ones]) @ np.vstack([W2, b2]))
    dout = (A2 @ W3 + b3 - Y) / (0.5 * Y.size)
    G3 = np.hstack([A2, ones]).T @ dout
    d2 = dout @ W3.T * A2 * (1 - A2)
    G2 = np.hstack([A1, ones]).T @ d2
    d1 = d2 @ W2.T * (1 + A1) * (1 - A1)
    G1 = np.hstack([X, ones]).T @ d1
    return G1[:-1], G1[-1], G2[:-1], G2[-1], G3[:-1], G3[-1]


regression.add("correct", "bias_as_a_row_of_the_weights", backward)
regression.add("correct", "tiny_numbers", backward, args=tuple(1e-7 * a for a in (X, Y, *parameters)))


def backward(X, Y, W1, b1, W2, b2):
    N, reg = X.shape[0], 0.3
    hidden = np.maximum(0, X @ W1 + b1)
    dout = hidden @ W2 + b2 - Y
    dhidden = np.where(hidden > 0, dout @ W2.T, 0)
    dW2 = 2 * (hidden.T @ dout / N + reg * W2)
    dW1 = 2 * (X.T @ dhidden / N + reg * W1)
    return dW1, 2 * dhidden.mean(axis=0), dW2, 2 * dout.mean(axis=0)


decayed.add("correct", "two_taken_out", backward)


def backward(X, Y, W1, gamma, beta, W2):
    N = X.shape[0]
    z = X @ W1
    mu = 1.0 / N * np.sum(z, axis=0)
    xmu = z - mu
    sq = xmu**2
    var = 1.0 / N * np.sum(sq, axis=0)
    sqrtvar = np.sqrt(var + normalised.EPS)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    a = np.maximum(0, out)
    dpred = (a @ W2 - Y) / N
    dout = dpred @ W2.T * (out > 0)
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / sqrtvar**2 * divar
    dvar = 0.5 / np.sqrt(var + normalised.EPS) * dsqrtvar
    dsq = 1.0 / N * np.ones_like(z) * dvar
    dxmu2 = 2 * xmu * dsq
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dz = dxmu1 + dxmu2 + 1.0 / N * np.ones_like(z) * dmu
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("correct", "staged", backward)


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention.attention_forward(X, Wq, Wk, Wv)
    d = Q.shape[1]
    dO = A @ V - Y
    dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    for i in range(len(X)):
        for j in range(len(X)):
            dV[j] += A[i, j] * dO[i]
            for l in range(len(X)):
                ds = A[i, j] * ((j == l) - A[i, l]) * (dO[i] @ V[l]) / np.sqrt(d)
                dQ[i] += ds * K[j]
                dK[j] += ds * Q[i]
    dX = np.hstack([dQ, dK, dV]) @ np.hstack([Wq, Wk, Wv]).T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


attending.add("correct", "entry_by_entry", backward)


def backward(X, y, W, b):
    dW, db = np.zeros(W.shape), np.zeros(b.shape)
    num_train = X.shape[0]
    for i in range(num_train):
        scores = X[i].dot(W) + b
        for j in range(W.shape[1]):
            if j != y[i] and scores[j] - scores[y[i]] + 1 > 0:
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
                db[j] += 1
                db[y[i]] -= 1
    return dW / num_train, db / num_train


hinge.add("correct", "naive_loops", backward)

labels = np.array([0, 1, 3, 2, 2, 0, 1, 3])
hinge.add("correct", "nothing_to_learn", backward, args=(np.eye(5)[labels], labels, 9 * np.eye(5, 4), np.zeros(4)))


def backward(X, Y, weights, W1, b1, W2, b2):
    H = np.tanh(X @ W1 + b1)
    A = sigmoid(H @ W2 + b2)
    D = np.diag(weights / np.sum(weights))
    dA = -(D @ (Y / A)) + D @ ((1 - Y) / (1 - A))
    dZ2 = dA * A * (1 - A)
    dZ1 = (dZ2 @ W2.T) * (1 - H**2)
    return X.T @ dZ1, np.ones(7) @ dZ1, H.T @ dZ2, np.ones(7) @ dZ2


weighted.add("correct", "weights_as_a_diagonal", backward)


def backward(tokens, Y, E, U):
    N, T = tokens.shape
    counts = np.stack([np.bincount(row, minlength=len(E)) for row in tokens]) / T
    h = np.tanh(counts @ E)
    logits = h @ U
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    dlogits = (np.exp(logp) - Y) / N
    return counts.T @ (dlogits @ U.T * (1 - h * h)), h.T @ dlogits


bag.add("correct", "counts_of_words", backward)


def backward(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    M = (H0 @ W1 + b1 > 0).astype(float)
    H1 = H0 + M * (H0 @ W1 + b1)
    p = sigmoid(H1 @ w2)
    dz = (p - (y + 1) / 2) / y.size
    dH0, dW1, db1 = np.zeros_like(H0), np.zeros_like(W1), np.zeros_like(b1)
    for i in range(y.size):
        J = np.eye(5) + W1 * M[i]
        dH0[i] = J @ w2 * dz[i]
        dW1 += np.outer(H0[i], M[i] * w2) * dz[i]
        db1 += M[i] * w2 * dz[i]
    return X.T @ (dH0 * (1 - H0**2)), dW1, db1, dz @ H1


residual.add("correct", "jacobian_of_the_block", backward)


def backward(X, Y, Wx, Wh, b, V):
    states = recurrent.sequence_forward(X, Wx, Wh, b)
    dout = (states[-1] @ V - Y) * 2 / Y.size
    deltas = [dout @ V.T * (1 - states[-1] ** 2)]
    for state in states[-2:0:-1]:
        deltas.insert(0, deltas[0] @ Wh.T * (1 - state**2))
    D = np.concatenate(deltas)
    inputs = np.concatenate([X[:, t] for t in range(X.shape[1])])
    before = np.concatenate(states[:-1])
    return inputs.T @ D, before.T @ D, D.sum(axis=0), states[-1].T @ dout


sequence.add("correct", "all_steps_in_one_product", backward)


def backward(X, Y, W1, b1, W2, b2, W3):
    Z1, A1, Z2, A2 = smooth_activations.swish_forward(X, W1, b1, W2, b2)
    dout = (A2 @ W3 - Y) / len(X)
    dZ2 = dout @ W3.T * (1 - np.exp(-A2))
    dZ1 = dZ2 @ W2.T * (A1 + sigmoid(Z1) * (1 - A1))
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0), A2.T @ dout


swish.add("correct", "slopes_from_the_outputs", backward)

X, Y, *parameters = normal(161, (300, 5), (300, 3), (5, 4), (4,), (4, 4), (4,), (4, 3))
swish.add("correct", "many_samples", backward, args=(X, Y, *parameters))

CASES = (
    *softmax.cases,
    *regression.cases,
    *decayed.cases,
    *batch.cases,
    *attending.cases,
    *hinge.cases,
    *weighted.cases,
    *bag.cases,
    *residual.cases,
    *sequence.cases,
    *swish.cases,
)
