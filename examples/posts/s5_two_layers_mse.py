"""Affine, ReLU, affine, mean squared error: u1 to u5, one factor for each substitution.

`mse_from_u3` is the loss as a function of u3, and so on, from the inside out; the gradient of each is the post's
`u3.g`. The stepwise code of the post, with its transposes and sums put right, gives the same numbers.
"""

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient

x = np.array(
    [
        [-0.567, -1.057, 1.062],
        [-1.129, -1.779, 0.655],
        [0.841, -0.949, -0.565],
        [2.78, -1.017, -0.506],
        [1.179, 0.745, 1.612],
    ]
)
y = np.array([[0.213], [-0.022], [0.165], [-0.105], [0.055]])
w1 = np.array([[0.472, -0.235, 0.068, -0.318], [0.465, 0.293, -0.711, 0.28], [-0.473, 0.042, -0.22, 0.163]])
b1 = np.array([-0.355, -0.155, -0.213, 0.077])
w2 = np.array([[-1.298], [0.222], [-0.712], [0.586]])
b2 = np.array([0.318])
N = len(x)


def mse_from_u4(u4):
    """The mean over samples of u5 = u4^2."""
    return np.mean(np.sum(u4**2, axis=1))


def mse_from_u3(u3):
    """u4 = y - u3."""
    return mse_from_u4(y - u3)


def mse_from_u2(u2):
    """u3 = u2 w2 + b2."""
    return mse_from_u3(u2 @ w2 + b2)


def mse_from_u1(u1):
    """u2 = max(0, u1)."""
    return mse_from_u2(np.maximum(0, u1))


def mse(x, y, w1, b1, w2, b2):
    """The whole: affine, ReLU, affine, residual, square, mean."""
    u1 = x @ w1 + b1
    u2 = np.maximum(0, u1)
    u3 = u2 @ w2 + b2
    u4 = y - u3
    u5 = u4**2
    return np.mean(np.sum(u5, axis=1))


u1 = x @ w1 + b1
u2 = np.maximum(0, u1)
u3 = u2 @ w2 + b2
u4 = y - u3
derived = {
    "u4": cr.grad(mse_from_u4)(u4),
    "u3": cr.grad(mse_from_u3)(u3),
    "u2": cr.grad(mse_from_u2)(u2),
    "u1": cr.grad(mse_from_u1)(u1),
}
value, gradients = cr.value_and_grad(mse, wrt=("x", "w1", "b1", "w2", "b2"))(x, y, w1, b1, w2, b2)
derived |= dict(zip(("x", "w1", "b1", "w2", "b2"), gradients, strict=True))

# step by step, as the post's code: parameters are shared by the samples, so their gradients sum over them
stepwise = {"u4": 2 * u4 / N}
stepwise["u3"] = -stepwise["u4"]
stepwise["u2"] = stepwise["u3"] @ w2.T
stepwise["u1"] = stepwise["u2"] * (u1 > 0)
stepwise["w2"], stepwise["b2"] = u2.T @ stepwise["u3"], stepwise["u3"].sum(0)
stepwise["w1"], stepwise["b1"] = x.T @ stepwise["u1"], stepwise["u1"].sum(0)
stepwise["x"] = stepwise["u1"] @ w1.T

if __name__ == "__main__":
    print("warm-up: y = 3u, u = 7 + x^2, dy/dx = 6x; at x = 4:", cr.grad(lambda x: 3 * (7 + x**2))(4), "\n")
    print(f"mse {value:.12f}\n")
    differences = numerical_gradient(lambda x, *p: mse(x, y, *p), (x, w1, b1, w2, b2))
    numerical = dict(zip(("x", "w1", "b1", "w2", "b2"), differences, strict=True))
    print("gradient  shape   from the stepwise code  from differences")
    for name, gradient in derived.items():
        apart = f"{np.max(np.abs(gradient - stepwise[name])):<23.1e}"
        difference = f"{np.max(np.abs(gradient - numerical[name])):.1e}" if name in numerical else "-"
        print(f"{name}.g".ljust(9), f"{gradient.shape!s:7} {apart} {difference}")

    print("\nu1.g, row by row (0 where ReLU is off):")
    print(derived["u1"].round(6) + 0.0)

    print("\nthe derived program:\n")
    print(cr.source(cr.value_and_grad(mse, wrt=("w1", "b1", "w2", "b2")), x, y, w1, b1, w2, b2))
