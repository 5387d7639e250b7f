"""Values that are used twice: residual connections, tied weights, embeddings looked up again and again, in both layouts."""

import numpy as np

from diagnosis.corpus.case import Net, normal, one_hot


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def residual_loss(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    H1 = H0 + np.maximum(0, H0 @ W1 + b1)
    z = H1 @ w2
    return np.mean(np.log(1 + np.exp(-y * z)))


def residual_right(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    Z1 = H0 @ W1 + b1
    H1 = H0 + np.maximum(0, Z1)
    dz = -y * sigmoid(-y * (H1 @ w2)) / len(y)
    dH1 = np.outer(dz, w2)
    dZ1 = dH1 * (Z1 > 0)
    dH0 = dH1 + dZ1 @ W1.T
    return X.T @ (dH0 * (1 - H0**2)), H0.T @ dZ1, dZ1.sum(axis=0), H1.T @ dz


X, W0, W1, b1, w2 = normal(91, (7, 4), (4, 5), (5, 5), (5,), (5,))
y = np.array([1.0, -1, -1, 1, 1, -1, 1])
residual = Net("row", "residual", residual_loss, residual_right, (X, y, W0, W1, b1, w2), ("W0", "W1", "b1", "w2"))


def backward(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    Z1 = H0 @ W1 + b1
    H1 = H0 + np.maximum(0, Z1)
    dz = -y / (1 + np.exp(y * (H1 @ w2))) / len(y)
    dw2 = H1.T @ dz
    dH1 = dz[:, None] * w2
    dZ1 = dH1 * (Z1 > 0)
    dW1 = H0.T @ dZ1
    db1 = dZ1.sum(axis=0)
    dH0 = dZ1 @ W1.T
    dW0 = X.T @ (dH0 * (1 - H0**2))
    return dW0, dW1, db1, dw2


residual.add("dropped_path", "skip_connection", backward, at="dH0")


def backward(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    Z1 = H0 @ W1 + b1
    H1 = H0 + np.maximum(0, Z1)
    dz = -y / (1 + np.exp(y * (H1 @ w2))) / len(y)
    dw2 = H1.T @ dz
    dH1 = dz[:, None] * w2
    dZ1 = dH1 * (Z1 > 0)
    dH0 = dZ1 @ W1.T
    dW1 = H0.T @ dZ1
    db1 = dZ1.sum(axis=0)
    dH0 = dH1
    dW0 = X.T @ (dH0 * (1 - H0**2))
    return dW0, dW1, db1, dw2


residual.add("overwritten_instead_of_accumulated dropped_path detached_branch", "block", backward, at="dH0")


def backward(X, y, W0, W1, b1, w2):
    H0 = np.tanh(X @ W0)
    Z1 = H0 @ W1 + b1
    H1 = H0 + np.maximum(0, Z1)
    dz = -y / (1 + np.exp(y * (H1 @ w2))) / len(y)
    dw2 = H1.T @ dz
    dH1 = dz[:, None] * w2
    dZ1 = dH1 * (H1 > 0)
    dW1 = H0.T @ dZ1
    db1 = dZ1.sum(axis=0)
    dH0 = dH1 + dZ1 @ W1.T
    dW0 = X.T @ (dH0 * (1 - H0**2))
    return dW0, dW1, db1, dw2


residual.add(
    "off_by_one_layer derivative_at_activation_instead_of_preactivation forward_mismatch",
    "mask_of_the_sum",
    backward,
    at="dZ1",
)


def tied_loss(X, W, b, c):
    H = sigmoid(W @ X + b)
    return np.sum((W.T @ H + c - X) ** 2) / X.shape[1]


def tied_right(X, W, b, c):
    H = sigmoid(W @ X + b)
    dR = 2 * (W.T @ H + c - X) / X.shape[1]
    dZ = W @ dR * H * (1 - H)
    return dZ @ X.T + H @ dR.T, dZ.sum(axis=1, keepdims=True), dR.sum(axis=1, keepdims=True)


args = normal(92, (6, 8), (4, 6), (4, 1), (6, 1))
tied = Net("column", "tied_autoencoder", tied_loss, tied_right, args, ("W", "b", "c"))


def backward(X, W, b, c):
    m = X.shape[1]
    H = sigmoid(W @ X + b)
    R = W.T @ H + c
    dR = 2 * (R - X) / m
    dc = dR.sum(axis=1, keepdims=True)
    dZ = W @ dR * H * (1 - H)
    db = dZ.sum(axis=1, keepdims=True)
    dW = dZ @ X.T
    return dW, db, dc


tied.add("dropped_path", "decoder", backward, at="dW")


def backward(X, W, b, c):
    m = X.shape[1]
    H = sigmoid(W @ X + b)
    grads = {}
    dR = 2 * (W.T @ H + c - X) / m
    grads["c"] = dR.sum(axis=1, keepdims=True)
    grads["W"] = H @ dR.T
    dH = W @ dR
    dZ = dH * H * (1 - H)
    grads["b"] = dZ.sum(axis=1, keepdims=True)
    grads["W"] = dZ @ X.T
    return grads


tied.add("overwritten_instead_of_accumulated dropped_path", "one_dictionary", backward, at="W")


def backward(X, W, b, c):
    m = X.shape[1]
    H = sigmoid(W @ X + b)
    dR = 2 * (W.T @ H + c - X) / m
    dc = dR.sum(axis=1, keepdims=True)
    dZ = W @ dR * H * (1 - H)
    db = dZ.sum(axis=1, keepdims=True)
    dW = dZ @ X.T + (dR @ H.T).reshape(W.shape)
    return dW, db, dc


tied.add("reshape_instead_of_transpose", "of_the_decoder", backward, at="dW")


def backward(X, W, b, c):
    m = X.shape[1]
    H = sigmoid(W @ X + b)
    dR = 2 * (W.T @ H + c - X) / m
    dc = dR.sum(axis=1, keepdims=True)
    dZ = W @ dR * H * (1 - H)
    db = dZ.sum(axis=1, keepdims=True)
    dW = dZ @ X.T
    dW += H @ X.T
    return dW, db, dc


tied.add("unknown", "a_term_of_something_else", backward, at="dW")


def bag_loss(tokens, Y, E, U):
    one = np.eye(6)[tokens]
    words = one @ E
    bag = np.mean(words, axis=1)
    scores = np.tanh(bag) @ U
    logp = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
    return -np.sum(Y * logp) / Y.shape[0]


def bag_forward(tokens, Y, E, U):
    h = np.tanh(E[tokens].mean(axis=1))
    p = np.exp(h @ U)
    return h, (p / p.sum(axis=1, keepdims=True) - Y) / Y.shape[0]


def bag_right(tokens, Y, E, U):
    h, dscores = bag_forward(tokens, Y, E, U)
    dbag = dscores @ U.T * (1 - h**2) / tokens.shape[1]
    dE = np.zeros_like(E)
    np.add.at(dE, tokens, dbag[:, None, :])
    return dE, h.T @ dscores


tokens = np.array([[0, 2, 2], [1, 2, 5], [3, 0, 1], [4, 4, 4], [5, 1, 0]])
E, U = normal(93, (6, 7), (7, 4))
bag = Net("row", "embedding_bag", bag_loss, bag_right, (tokens, one_hot([1, 0, 3, 2, 2], 4), E, U), ("E", "U"))


def backward(tokens, Y, E, U):
    h, dscores = bag_forward(tokens, Y, E, U)
    dU = h.T @ dscores
    dbag = dscores @ U.T * (1 - h**2)
    dwords = np.repeat(dbag[:, None, :], 3, axis=1) / 3
    dE = np.zeros_like(E)
    dE[tokens] = dwords
    return dE, dU


bag.add("overwritten_instead_of_accumulated", "index_repeats", backward, at="dE")


def backward(tokens, Y, E, U):
    h, dscores = bag_forward(tokens, Y, E, U)
    dU = h.T @ dscores
    dbag = dscores @ U.T * (1 - h**2)
    dE = np.zeros_like(E)
    np.add.at(dE, tokens, dbag[:, None, :])
    return dE, dU


bag.add("missing_mean", "words_of_a_sentence", backward, at="dE")


def backward(tokens, Y, E, U):
    N, T = tokens.shape
    h, dscores = bag_forward(tokens, Y, E, U)
    dU = h.T @ dscores
    dbag = dscores @ U.T * (1 - h**2) / T
    dE = np.zeros_like(E)
    for i in range(N):
        for t in range(T):
            dE[t] += dbag[i]
    return dE, dU


bag.add("wrong_index", "place_for_token", backward, at="dE")


def backward(tokens, Y, E, U):
    h = np.tanh(E[tokens].mean(axis=1))
    p = np.exp(h @ U)
    p /= p.sum(axis=1, keepdims=True)
    dscores = p / len(tokens)
    dU = h.T @ dscores
    dbag = dscores @ U.T * (1 - h**2) / 3
    dE = np.zeros_like(E)
    np.add.at(dE, tokens, dbag[:, None, :])
    return dE, dU


bag.add("ce_without_onehot_subtract", "probabilities_only", backward, at="dscores")


def columns_loss(idx, T, E, W):
    M = E @ np.eye(7)[idx].T
    S = W @ M + M[:4]
    return 0.5 * np.sum((np.tanh(S) - T) ** 2) / len(idx)


def columns_right(idx, T, E, W):
    M = E[:, idx]
    A = np.tanh(W @ M + M[:4])
    dS = (A - T) * (1 - A**2) / len(idx)
    dM = W.T @ dS
    dM[:4] += dS
    dE = np.zeros_like(E)
    np.add.at(dE.T, idx, dM.T)
    return dE, dS @ M.T


idx = np.array([0, 3, 3, 6, 1, 0, 5, 3])
T, E, W = normal(94, (4, 8), (5, 7), (4, 5))
columns = Net("column", "embedding_columns", columns_loss, columns_right, (idx, T, E, W), ("E", "W"))


def backward(idx, T, E, W):
    m = len(idx)
    M = E[:, idx]
    A = np.tanh(W @ M + M[:4])
    dS = (A - T) * (1 - A**2) / m
    dW = dS @ M.T
    dM = W.T @ dS
    dM[:4] += dS
    dE = np.zeros_like(E)
    dE[:, idx] += dM
    return dE, dW


columns.add("overwritten_instead_of_accumulated", "index_repeats", backward, at="dE")


def backward(idx, T, E, W):
    m = len(idx)
    M = E[:, idx]
    A = np.tanh(W @ M + M[:4])
    dS = (A - T) * (1 - A**2) / m
    dW = dS @ M.T
    dM = W.T @ dS
    dM[1:] += dS
    dE = np.zeros_like(E)
    for i, j in enumerate(idx):
        dE[:, j] += dM[:, i]
    return dE, dW


columns.add("wrong_index", "slice_that_starts_at_one", backward, at="dM")


def backward(idx, T, E, W):
    m = len(idx)
    M = E[:, idx]
    A = np.tanh(W @ M + M[:4])
    dS = (A - T) * (1 - A**2) / m
    dW = dS @ M.T
    dM = W.T @ dS
    dM[:4] += dS
    dE = np.zeros_like(E)
    for i in range(m):
        dE[:, idx[i - 1]] += dM[:, i]
    return dE, dW


columns.add("wrong_index off_by_one_layer", "neighbouring_token", backward, at="dE")


def backward(idx, T, E, W):
    m = len(idx)
    M = E[:, idx]
    A = np.tanh(W @ M + M[:4])
    dS = (A - T) * (1 - A**2) / m
    dW = dS @ M.T
    dM = W.T @ dS
    dE = np.zeros_like(E)
    for i, j in enumerate(idx):
        dE[:, j] += dM[:, i]
    return dE, dW


columns.add("dropped_path", "first_rows_skip", backward, at="dM")

CASES = (*residual.cases, *tied.cases, *bag.cases, *columns.cases)
