"""Attention, softmax(Q K^T / sqrt(d)) V, with tokens in rows (one head, then two) and with tokens in columns."""

import numpy as np

from diagnosis.corpus.case import Net, normal


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def attention_loss(X, Y, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    S = Q @ K.T / np.sqrt(Wq.shape[1])
    E = np.exp(S - np.max(S, axis=1, keepdims=True))
    A = E / np.sum(E, axis=1, keepdims=True)
    return 0.5 * np.sum((A @ V - Y) ** 2)


def attention_forward(X, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    A = softmax(Q @ K.T / np.sqrt(Q.shape[-1]))
    return Q, K, V, A


def attention_right(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dA = dO @ V.T
    dS = A * (dA - (dA * A).sum(axis=1, keepdims=True)) / np.sqrt(Q.shape[1])
    dQ, dK, dV = dS @ K, dS.T @ Q, A.T @ dO
    return X.T @ dQ, X.T @ dK, X.T @ dV, dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T


X, Y, Wq, Wk, Wv = normal(81, (5, 4), (5, 3), (4, 7), (4, 7), (4, 3))
net = Net("row", "attention", attention_loss, attention_right, (X, Y, Wq, Wk, Wv), ("Wq", "Wk", "Wv", "X"))


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = A * (dA - np.sum(dA * A, axis=1, keepdims=True))
    dQ = dS @ K
    dK = dS.T @ Q
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("factor:2.6457513110645906 forward_mismatch", "scale_of_the_scores", backward, at="dS")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = dA * A * (1 - A) / np.sqrt(Q.shape[1])
    dQ = dS @ K
    dK = dS.T @ Q
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("softmax_jacobian_diagonal_only", "scores", backward, at="dS")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = A * (dA - np.sum(dA * A, axis=1, keepdims=True)) / np.sqrt(Q.shape[1])
    dQ = dS @ K
    dK = dS @ Q
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("transposed", "scores_for_the_keys", backward, at="dK")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    grad_out = A @ V - Y
    grad_V = A @ grad_out
    grad_A = grad_out @ V.T
    grad_S = A * (grad_A - np.sum(grad_A * A, axis=-1, keepdims=True)) / np.sqrt(Q.shape[-1])
    grad_Q, grad_K = grad_S @ K, grad_S.T @ Q
    grad_X = grad_Q @ Wq.T + grad_K @ Wk.T + grad_V @ Wv.T
    return {"Wq": X.T @ grad_Q, "Wk": X.T @ grad_K, "Wv": X.T @ grad_V, "X": grad_X}


net.add("transposed", "attention_for_the_values", backward, at="grad_V")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = A * (dA - np.sum(dA * A, axis=0, keepdims=True)) / np.sqrt(Q.shape[1])
    dQ = dS @ K
    dK = dS.T @ Q
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("wrong_axis_sum", "in_the_softmax", backward, at="dS")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = A * (dA - np.sum(dA * A, axis=1)) / np.sqrt(Q.shape[1])
    dQ = dS @ K
    dK = dS.T @ Q
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("keepdims_broadcast", "in_the_softmax", backward, at="dS")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = A * (dA - np.sum(dA * A, axis=1, keepdims=True)) / np.sqrt(Q.shape[1])
    dQ = dS @ K
    dK = dS.T @ Q
    dX = dV @ Wv.T + dQ @ Wq.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("dropped_path", "keys_to_the_input", backward, at="dX")


def backward(X, Y, Wq, Wk, Wv):
    Q, K, V, A = attention_forward(X, Wq, Wk, Wv)
    dO = A @ V - Y
    dV = A.T @ dO
    dX = dV @ Wv.T
    dA = dO @ V.T
    dS = A * (dA - np.sum(dA * A, axis=1, keepdims=True)) / np.sqrt(Q.shape[1])
    dQ = dS @ K
    dX = dQ @ Wq.T
    dK = dS.T @ Q
    dX += dK @ Wk.T
    return X.T @ dQ, X.T @ dK, X.T @ dV, dX


net.add("overwritten_instead_of_accumulated dropped_path", "input", backward, at="dX")


def heads_loss(X, Y, Wqkv, Wo):
    T = X.shape[0]
    qkv = (X @ Wqkv).reshape(T, 3, 2, 3)
    Q, K, V = (np.transpose(qkv[:, i], (1, 0, 2)) for i in range(3))
    S = Q @ np.swapaxes(K, 1, 2) / np.sqrt(3)
    E = np.exp(S - np.max(S, axis=-1, keepdims=True))
    A = E / np.sum(E, axis=-1, keepdims=True)
    merged = np.transpose(A @ V, (1, 0, 2)).reshape(T, 6)
    return np.mean((merged @ Wo - Y) ** 2)


def heads_forward(X, Wqkv, Wo):
    T = X.shape[0]
    Q, K, V = (X @ Wqkv).reshape(T, 3, 2, 3).transpose(1, 2, 0, 3)
    A = softmax(Q @ K.swapaxes(1, 2) / np.sqrt(3))
    return Q, K, V, A, (A @ V).transpose(1, 0, 2).reshape(T, 6)


def heads_backward(dheads, X, Q, K, V, A):
    dA = dheads @ V.swapaxes(1, 2)
    dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True)) / np.sqrt(3)
    return dS @ K, dS.swapaxes(1, 2) @ Q, A.swapaxes(1, 2) @ dheads


def heads_right(X, Y, Wqkv, Wo):
    T = X.shape[0]
    Q, K, V, A, merged = heads_forward(X, Wqkv, Wo)
    dout = 2 * (merged @ Wo - Y) / Y.size
    dheads = (dout @ Wo.T).reshape(T, 2, 3).transpose(1, 0, 2)
    dqkv = np.stack(heads_backward(dheads, X, Q, K, V, A))
    return X.T @ dqkv.transpose(2, 0, 1, 3).reshape(T, 18), merged.T @ dout


args = normal(82, (5, 4), (5, 7), (4, 18), (6, 7))
heads = Net("row", "two_heads", heads_loss, heads_right, args, ("Wqkv", "Wo"))


def backward(X, Y, Wqkv, Wo):
    T = X.shape[0]
    Q, K, V, A, merged = heads_forward(X, Wqkv, Wo)
    dout = 2 * (merged @ Wo - Y) / Y.size
    dWo = merged.T @ dout
    dheads = (dout @ Wo.T).reshape(2, T, 3)
    dQ, dK, dV = heads_backward(dheads, X, Q, K, V, A)
    dqkv = np.stack([dQ, dK, dV]).transpose(2, 0, 1, 3).reshape(T, 18)
    return X.T @ dqkv, dWo


heads.add("reshape_instead_of_transpose", "split_of_the_heads", backward, at="dheads")


def backward(X, Y, Wqkv, Wo):
    T = X.shape[0]
    Q, K, V, A, merged = heads_forward(X, Wqkv, Wo)
    dout = 2 * (merged @ Wo - Y) / Y.size
    dWo = merged.T @ dout
    dheads = (dout @ Wo.T).reshape(T, 2, 3).transpose(1, 0, 2)
    dQ, dK, dV = heads_backward(dheads, X, Q, K, V, A)
    dqkv = np.stack([dK, dQ, dV]).transpose(2, 0, 1, 3).reshape(T, 18)
    return X.T @ dqkv, dWo


heads.add("wrong_index", "order_of_the_slices", backward, at="dqkv")


def column_loss(X, Y, Wq, Wk, Wv):
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    S = K.T @ Q / np.sqrt(Wk.shape[0])
    E = np.exp(S)
    P = E / np.sum(E, axis=0, keepdims=True)
    R = V @ P + X - Y
    return np.sum(R**2) / X.shape[1]


def column_right(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = softmax(K.T @ Q / np.sqrt(d), axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dP = V.T @ dO
    dS = P * (dP - (dP * P).sum(axis=0)) / np.sqrt(d)
    dQ, dK, dV = K @ dS, Q @ dS.T, dO @ P.T
    return dQ @ X.T, dK @ X.T, dV @ X.T, Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV + dO


args = normal(83, (4, 6), (4, 6), (3, 4), (3, 4), (4, 4))
column = Net("column", "attention_residual", column_loss, column_right, args, ("Wq", "Wk", "Wv", "X"))


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = softmax(K.T @ Q / np.sqrt(d), axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dV = dO @ P.T
    dP = V.T @ dO
    dS = P * (1 - P) * dP / np.sqrt(d)
    dQ = K @ dS
    dK = Q @ dS.T
    dX = Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV + dO
    return dQ @ X.T, dK @ X.T, dV @ X.T, dX


column.add("softmax_jacobian_diagonal_only", "scores", backward, at="dS")


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = softmax(K.T @ Q / np.sqrt(d), axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dV = dO @ P.T
    dP = V.T @ dO
    dS = P * (dP - (dP * P).sum(axis=0)) / np.sqrt(d)
    dQ = K @ dS
    dK = Q @ dS.T
    dX = Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV
    return dQ @ X.T, dK @ X.T, dV @ X.T, dX


column.add("dropped_path", "residual", backward, at="dX")


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = softmax(K.T @ Q / np.sqrt(d), axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dV = dO @ P.T
    dX = Wv.T @ dV + dO
    dWq, dWk = np.zeros_like(Wq), np.zeros_like(Wk)
    return dWq, dWk, dV @ X.T, dX


column.add("detached_branch dropped_path", "weights_of_attention", backward, at="dX")


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = softmax(K.T @ Q / np.sqrt(d), axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dV = dO @ P.T
    dP = V.T @ dO
    dS = P * (dP - np.sum(dP * P, axis=1, keepdims=True)) / np.sqrt(d)
    dQ, dK = K @ dS, Q @ dS.T
    dX = Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV + dO
    return dQ @ X.T, dK @ X.T, dV @ X.T, dX


column.add("wrong_axis_sum", "in_the_softmax", backward, at="dS")


def backward(X, Y, Wq, Wk, Wv):
    T, d = X.shape[1], Wk.shape[0]
    Q, K, V = Wq @ X, Wk @ X, Wv @ X
    P = softmax(K.T @ Q / d, axis=0)
    dO = 2 * (V @ P + X - Y) / T
    dV = dO @ P.T
    dP = V.T @ dO
    dS = P * (dP - (dP * P).sum(axis=0)) / d
    dQ, dK = K @ dS, Q @ dS.T
    dX = Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV + dO
    return dQ @ X.T, dK @ X.T, dV @ X.T, dX


column.add("forward_mismatch", "scale_without_the_root", backward, at="dO")

CASES = (*net.cases, *heads.cases, *column.cases)
