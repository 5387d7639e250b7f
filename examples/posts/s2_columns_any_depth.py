"""Samples in columns, any number of layers, any elementwise activation, the cost averaged over N observations.

The post carries un-normalised signals: column i of dZ and dA is the derivative of observation i's own cost, and 1/N
enters in dW and dB. chainrule gives both readings, and shows that they are the same numbers.
"""

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient

X = np.array([[-0.395, -0.972, 0.783, -0.938], [0.264, 0.768, 0.272, 1.776], [0.607, 0.255, 1.162, 1.202]])
Y = np.zeros((1, 4))
W = [
    np.array([[-0.346, 0.344, -0.247], [0.381, -0.338, 0.041], [0.257, -0.144, 0.056], [-1.008, -0.348, -0.9]]),
    np.array([[-0.134, -0.672, -0.635, -0.173]]),
]
B = [np.array([[0.257], [0.189], [-0.181], [-0.213]]), np.array([[-0.248]])]
g = [lambda Z: np.maximum(0, Z), lambda Z: 1 / (1 + np.exp(-Z))]
N = X.shape[1]


def costs(X, Y, W, B, zeros):
    """The cost of each observation; `zeros` are added to every Z, to ask for the derivative by it."""
    A = X
    for W_l, B_l, g_l, zero in zip(W, B, g, zeros, strict=True):
        Z = W_l @ A + B_l + zero
        A = g_l(Z)
    return -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A), axis=0)


def cost(X, Y, W, B, zeros):
    """Their mean: the cost of the batch."""
    return np.mean(costs(X, Y, W, B, zeros))


def total(X, Y, W, B, zeros):
    """Their sum: what gives the post's signals, one column for each observation."""
    return np.sum(costs(X, Y, W, B, zeros))


zeros = [np.zeros((len(B_l), N)) for B_l in B]
C, (dW, dB) = cr.value_and_grad(cost, wrt=("W", "B"))(X, Y, W, B, zeros)
dZ = cr.grad(total, wrt="zeros")(X, Y, W, B, zeros)
of_each = cr.per_sample_grad(total, wrt=("W", "B"), batched={"X": 1, "Y": 1, "zeros": 1})
per_sample_dW, per_sample_dB = of_each(X, Y, W, B, zeros)


def batch_norm(x, gamma, beta):
    """Each row (a unit) normalised over the batch."""
    mean = np.mean(x, axis=1, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


if __name__ == "__main__":
    print(f"cost {C:.12f}\n")
    A = [X, g[0](W[0] @ X + B[0])]
    differences = numerical_gradient(lambda *p: cost(X, Y, p[:2], p[2:], zeros), [*W, *B])
    print("gradient  shape    from (1/N) dZ A^T or (1/N) dZ 1  from differences  mean of the samples'")
    for layer in (0, 1):
        for name, derived, hand, numerical, samples in (
            ("W", dW, dZ[layer] @ A[layer].T / N, differences[layer], per_sample_dW),
            ("B", dB, dZ[layer].sum(1, keepdims=True) / N, differences[2 + layer], per_sample_dB),
        ):
            others = (hand, numerical, np.mean(samples[layer], axis=0))
            apart = [np.max(np.abs(derived[layer] - other)) for other in others]
            print(
                f"d{name}{layer + 1}       {derived[layer].shape!s:8} {apart[0]:<31.1e}  {apart[1]:<16.1e}  {apart[2]:.1e}"
            )

    print("\ndZ2, one column for each observation, equals A2 - Y:")
    print(dZ[1].round(6))
    print(f"pre-activations exactly on the kink of ReLU: {np.sum(W[0] @ X + B[0] == 0)} of {zeros[0].size}")

    print('\n"a similar strategy", carried out: batch normalisation')
    rng = np.random.default_rng(0)
    x, dy, gamma = A[1] + rng.standard_normal((4, N)), rng.standard_normal((4, N)), np.full((4, 1), 1.5)
    _, pullback = cr.vjp(batch_norm, x, gamma, np.zeros((4, 1)))
    dx, dgamma, dbeta = pullback(dy)
    scale = np.sqrt(np.var(x, axis=1, keepdims=True) + 1e-5)
    hat = (x - x.mean(1, keepdims=True)) / scale
    want = gamma / scale * (dy - dy.mean(1, keepdims=True) - hat * (dy * hat).mean(1, keepdims=True))
    apart = np.max(np.abs(dx - want))
    print(f"dx is gamma/sqrt(v + eps) (dy - mean(dy) - hat mean(dy hat)): apart by {apart:.1e}")
    print(f"dgamma, dbeta: apart by {np.max(np.abs(dgamma.ravel() - (dy * hat).sum(1))):.1e}", end=", ")
    print(f"{np.max(np.abs(dbeta.ravel() - dy.sum(1))):.1e}")
