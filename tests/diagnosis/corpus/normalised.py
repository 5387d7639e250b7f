"""Batch normalisation in both layouts and layer normalisation: long chains in which a value is used three times."""

# ruff: noqa: RUF059  (people unpack more than they use)

import numpy as np

from diagnosis.corpus.case import Net, normal

EPS = 1e-2


def batch_loss(X, Y, W1, gamma, beta, W2):
    z = X @ W1
    mu = np.mean(z, axis=0)
    xmu = z - mu
    var = np.mean(xmu**2, axis=0)
    xhat = xmu / np.sqrt(var + EPS)
    a = np.maximum(0, gamma * xhat + beta)
    return 0.5 * np.sum((a @ W2 - Y) ** 2) / X.shape[0]


def batch_forward(X, W1, gamma, beta):
    z = X @ W1
    xmu = z - z.mean(axis=0)
    ivar = 1 / np.sqrt(z.var(axis=0) + EPS)
    xhat = xmu * ivar
    return xmu, ivar, xhat, np.maximum(0, gamma * xhat + beta)


def batch_right(X, Y, W1, gamma, beta, W2):
    N = X.shape[0]
    _, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / N
    dout = dpred @ W2.T * (a > 0)
    dxhat = dout * gamma
    dz = ivar / N * (N * dxhat - dxhat.sum(axis=0) - xhat * (dxhat * xhat).sum(axis=0))
    return X.T @ dz, (dout * xhat).sum(axis=0), dout.sum(axis=0), a.T @ dpred


WRT = ("W1", "gamma", "beta", "W2")
args = normal(61, (8, 5), (8, 3), (5, 4), (4,), (4,), (4, 3))
batch = Net("row", "batch_norm", batch_loss, batch_right, args, WRT)


def backward(X, Y, W1, gamma, beta, W2):
    xmu, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / X.shape[0]
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dz = dxhat * ivar
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("detached_branch dropped_path dropped_path+dropped_path", "mean_and_variance", backward, at="dz")


def backward(X, Y, W1, gamma, beta, W2):
    xmu, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / X.shape[0]
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxmu = dout * gamma * ivar
    dmu = -np.sum(dxmu, axis=0)
    dz = dxmu + dmu / X.shape[0]
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("detached_branch dropped_path", "variance", backward, at="dxmu")


def backward(X, Y, W1, gamma, beta, W2):
    N = X.shape[0]
    xmu, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / N
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dxmu = dxhat * ivar
    divar = np.sum(dxhat * xmu, axis=0)
    dvar = -0.5 * divar * ivar**3
    dxmu = dvar * 2 / N * xmu
    dz = dxmu - dxmu.mean(axis=0)
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("overwritten_instead_of_accumulated dropped_path", "dxmu", backward, at="dxmu")


def backward(X, Y, W1, gamma, beta, W2):
    N = X.shape[0]
    xmu, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / N
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dsqrtvar = -divar * ivar**2
    dvar = dsqrtvar * ivar
    dsq = dvar * np.ones((N, 1)) / N
    dxmu = dxhat * ivar + 2 * xmu * dsq
    dz = dxmu - dxmu.mean(axis=0)
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("factor:2", "half_of_the_square_root", backward, at="dvar")


def backward(X, Y, W1, gamma, beta, W2):
    xmu, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / X.shape[0]
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dvar = -0.5 * np.sum(dxhat * xmu, axis=0) * ivar**3
    dxmu = dxhat * ivar + 2 * xmu * dvar
    dz = dxmu - dxmu.mean(axis=0)
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("missing_mean", "in_the_variance", backward, at="dxmu")


def backward(X, Y, W1, gamma, beta, W2):
    N = X.shape[0]
    z = X @ W1
    xmu = z - np.mean(z, axis=0)
    ivar = 1.0 / np.sqrt(np.var(z, axis=0) + 1e-1)
    xhat = xmu * ivar
    a = np.maximum(0, gamma * xhat + beta)
    dpred = (a @ W2 - Y) / N
    dW2 = a.T @ dpred
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dz = ivar * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0))
    return X.T @ dz, dgamma, dbeta, dW2


batch.add("forward_mismatch", "another_epsilon", backward, at="dpred")


def backward(X, Y, W1, gamma, beta, W2):
    N = X.shape[0]
    xmu, ivar, xhat, a = batch_forward(X, W1, gamma, beta)
    dpred = (a @ W2 - Y) / N
    dout = dpred @ W2.T * (a > 0)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dz = ivar * (dxhat - dxhat.mean(axis=0) + xhat * (dxhat * xhat).mean(axis=0))
    return X.T @ dz, dgamma, dbeta, a.T @ dpred


batch.add("sign", "one_term", backward, at="dz")


def layer_loss(X, Y, W1, g, b, W2):
    h = np.tanh(W1 @ X)
    mu = np.mean(h, axis=0, keepdims=True)
    var = np.mean((h - mu) ** 2, axis=0, keepdims=True)
    n = (h - mu) / np.sqrt(var + EPS)
    out = W2 @ (g * n + b)
    return np.mean((out - Y) ** 2)


def layer_forward(X, W1, g, b):
    h = np.tanh(W1 @ X)
    s = np.sqrt(h.var(axis=0, keepdims=True) + EPS)
    return h, s, (h - h.mean(axis=0, keepdims=True)) / s


def layer_right(X, Y, W1, g, b, W2):
    h, s, n = layer_forward(X, W1, g, b)
    dout = 2 * (W2 @ (g * n + b) - Y) / Y.size
    dy = W2.T @ dout
    dn = dy * g
    dh = (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) / s
    dg, db = (dy * n).sum(axis=1, keepdims=True), dy.sum(axis=1, keepdims=True)
    return (dh * (1 - h**2)) @ X.T, dg, db, dout @ (g * n + b).T


args = normal(62, (5, 7), (3, 7), (6, 5), (6, 1), (6, 1), (3, 6))
layer = Net("column", "layer_norm", layer_loss, layer_right, args, ("W1", "g", "b", "W2"))


def backward(X, Y, W1, g, b, W2):
    h, s, n = layer_forward(X, W1, g, b)
    out = W2 @ (g * n + b)
    dout = 2 * (out - Y) / Y.size
    dW2 = dout @ (g * n + b).T
    dy = W2.T @ dout
    db = dy.sum(axis=1, keepdims=True)
    dg = (dy * n).sum(axis=1, keepdims=True)
    dh = dy * g / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("detached_branch dropped_path dropped_path+dropped_path", "statistics", backward, at="dh")


def backward(X, Y, W1, g, b, W2):
    h, s, n = layer_forward(X, W1, g, b)
    out = W2 @ (g * n + b)
    dout = 2 * (out - Y) / Y.size
    dW2 = dout @ (g * n + b).T
    dy = W2.T @ dout
    db = dy.sum(axis=1, keepdims=True)
    dg = (dy * n).sum(axis=1, keepdims=True)
    dn = dy * g
    dh = (dn - n * (dn * n).mean(axis=0)) / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("dropped_path detached_branch", "mean", backward, at="dh")


def backward(X, Y, W1, g, b, W2):
    h, s, n = layer_forward(X, W1, g, b)
    out = W2 @ (g * n + b)
    dout = 2 * (out - Y) / Y.size
    dW2 = dout @ (g * n + b).T
    dy = W2.T @ dout
    db = dy.sum(axis=1, keepdims=True)
    dg = (dy * n).sum(axis=1, keepdims=True)
    dn = dy * g
    dh = (dn - dn.mean(axis=1, keepdims=True) - n * (dn * n).mean(axis=1, keepdims=True)) / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("wrong_axis_sum", "statistics_of_a_batch", backward, at="dh")


def backward(X, Y, W1, g, b, W2):
    h, s, n = layer_forward(X, W1, g, b)
    dout = 2 * (W2 @ (g * n + b) - Y) / Y.size
    dW2 = dout @ n.T
    dy = W2.T @ dout
    db = dy.sum(axis=1, keepdims=True)
    dg = (dy * n).sum(axis=1, keepdims=True)
    dn = dy * g
    dh = (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("off_by_one_layer", "before_scale_and_shift", backward, at="dW2")


def backward(X, Y, W1, g, b, W2):
    h, s, n = layer_forward(X, W1, g, b)
    dout = 2 * (W2 @ (g * n + b) - Y) / Y.size
    dW2 = dout @ (g * n + b).T
    dy = W2.T @ dout
    db = dy.sum(axis=1)
    dg = (dy * n).sum(axis=1)
    dn = dy * g
    dh = (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("keepdims_broadcast", "scale_and_shift", backward, at="db")


def backward(X, Y, W1, g, b, W2):
    z = W1 @ X
    h = np.tanh(z)
    mu = h.mean(axis=0)
    s = np.sqrt(h.var(axis=0, ddof=1) + EPS)
    n = (h - mu) / s
    dout = 2 * (W2 @ (g * n + b) - Y) / Y.size
    dW2 = dout @ (g * n + b).T
    dy = W2.T @ dout
    db = dy.sum(axis=1, keepdims=True)
    dg = (dy * n).sum(axis=1, keepdims=True)
    dn = dy * g
    dh = (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("forward_mismatch", "unbiased_variance", backward, at="dout")


def backward(X, Y, W1, g, b, W2):
    H = W1.shape[0]
    h, s, n = layer_forward(X, W1, g, b)
    dout = 2 * (W2 @ (g * n + b) - Y) / Y.size
    dW2 = dout @ (g * n + b).T
    dy = W2.T @ dout
    db = dy.sum(axis=1, keepdims=True)
    dg = (dy * n).sum(axis=1, keepdims=True)
    dn = dy * g
    dh = (H * dn - dn.sum(axis=0) - n * (dn * n).sum(axis=0)) / s
    dW1 = (dh * (1 - h**2)) @ X.T
    return dW1, dg, db, dW2


layer.add("missing_mean", "width_of_the_layer", backward, at="dh")

CASES = (*batch.cases, *layer.cases)
