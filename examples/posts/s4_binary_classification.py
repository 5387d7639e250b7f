"""Binary classification with samples in columns: the gradient in three ways.

Symbolic: the post's formulas, written out below. Numerical: differences, P + 1 or 2 P evaluations for P parameters.
Automatic: chainrule, one forward and one backward pass. All three agree; only one of them can train a network.
"""

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient

X = np.array(
    [[0.486, -1.387, 0.534, 0.18, -0.542], [-0.477, 1.666, 0.777, -1.342, 0.002], [0.669, -0.191, 0.245, -0.182, -2.7]]
)
y = np.array([[0.0, 1.0, 0.0, 0.0, 1.0]])
W1 = np.array([[-0.899, -0.636, -0.454], [-0.169, -0.342, -0.44], [0.15, -0.248, -0.387], [-0.116, -1.765, 0.184]])
B1 = np.array([[0.628], [0.012], [-0.067], [-0.192]])
W2 = np.array([[-0.565, 0.159, 0.127, 1.002], [0.223, 0.219, 0.525, -0.099]])
B2 = np.array([[-0.322], [-0.329]])
W3 = np.array([[-0.574, 0.224]])
B3 = np.array([[0.859]])
m = X.shape[1]


def f(Z):
    """The logistic function."""
    return 1 / (1 + np.exp(-Z))


def J(W1, B1, W2, B2, W3, B3):
    """Binary cross-entropy, the mean over m samples."""
    Z1 = W1 @ X + B1
    A1 = f(Z1)
    Z2 = W2 @ A1 + B2
    A2 = f(Z2)
    Z3 = W3 @ A2 + B3
    A3 = f(Z3)
    return -np.mean(y * np.log(A3) + (1 - y) * np.log(1 - A3))


def symbolic(W1, B1, W2, B2, W3, B3):
    """The post's backward pass; dJ/dZ of the output layer simplified to (A - y) / m."""
    A1 = f(W1 @ X + B1)
    A2 = f(W2 @ A1 + B2)
    A3 = f(W3 @ A2 + B3)
    dZ3 = (A3 - y) / m
    dZ2 = (W3.T @ dZ3) * A2 * (1 - A2)
    dZ1 = (W2.T @ dZ2) * A1 * (1 - A1)
    ones = np.ones((m, 1))
    return dZ1 @ X.T, dZ1 @ ones, dZ2 @ A1.T, dZ2 @ ones, dZ3 @ A2.T, dZ3 @ ones


names = ("W1", "B1", "W2", "B2", "W3", "B3")
parameters = (W1, B1, W2, B2, W3, B3)
value, gradients = cr.value_and_grad(J, wrt=names)(*parameters)

if __name__ == "__main__":
    print(f"J {value:.12f}\n")
    P = sum(p.size for p in parameters)
    numerical = numerical_gradient(J, parameters)
    print(f"{P} parameters: differences need {P + 1} or {2 * P} evaluations for each step size, reverse mode one sweep")
    print("gradient  shape   automatic - symbolic  automatic - numerical")
    for name, automatic, by_hand, by_differences in zip(
        names, gradients, symbolic(*parameters), numerical, strict=True
    ):
        apart = [np.max(np.abs(automatic - other)) for other in (by_hand, by_differences)]
        print(f"d{name}       {automatic.shape!s:7} {apart[0]:<21.1e} {apart[1]:.1e}")

    print("\none output unit that is sure and right, z = 40, y = 1:")
    z = np.array([40.0])
    with np.errstate(all="ignore"):
        quotient = -(1 / f(z) - 0 / (1 - f(z))) * f(z) * (1 - f(z))
    fused = cr.grad(lambda z: cr.nn.sigmoid_cross_entropy(z, np.array([1.0])))(z)
    print(f"the post's quotient gives {quotient[0]}, the derivative from the logit {fused[0]:.3e}")

    stepped = [p - 0.5 * g for p, g in zip(parameters, gradients, strict=True)]
    print(f"\nafter one step w - 0.5 dJ/dw, J is {J(*stepped):.6f}")
