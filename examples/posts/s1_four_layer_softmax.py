"""Four layers, ReLU, softmax and cross-entropy, for a batch of three samples in rows.

The names are those of the post: X1 is the input, every layer turns X into Z, and delta is the gradient by a layer's Z.
chainrule derives the backward pass; it is compared with the post's own lines and with differences of the loss.
"""

import numpy as np

import chainrule as cr
from chainrule.checking.differences import numerical_gradient

X1 = np.array([[0.057, -0.293, -0.014, -0.166], [-0.499, 0.555, 0.192, -0.623], [-1.9, -2.59, -1.441, -0.153]])
y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
W1 = np.array(
    [
        [0.456, -0.21, 0.339, 0.58, 1.19],
        [0.144, 0.747, 0.117, -0.619, -1.135],
        [0.149, 0.444, 1.235, -0.334, 0.245],
        [-0.058, -1.184, 0.187, -0.161, -0.638],
    ]
)
b1 = np.array([-0.081, -0.265, 0.389, 0.354, -0.271])
W2 = np.array(
    [
        [0.755, -0.276, 0.21, -0.119],
        [-0.32, -0.075, 0.355, -0.309],
        [-0.739, 0.803, 0.196, -0.429],
        [-0.041, -0.7, -0.029, 0.385],
        [-0.864, 0.388, 0.361, -0.122],
    ]
)
b2 = np.array([-0.091, -0.303, -0.341, -0.295])
W3 = np.array([[0.051, -0.167, -0.223], [-0.931, 0.815, -0.336], [0.067, -0.114, 0.228], [0.284, -0.511, 0.181]])
b3 = np.array([0.166, -0.425, -0.439])


def softmax(Z):
    """Each row of Z as probabilities."""
    e = np.exp(Z)
    return e / np.sum(e, axis=-1, keepdims=True)


def loss(X1, y, W1, b1, W2, b2, W3, b3):
    """Cross-entropy, summed over the samples."""
    Z1 = X1 @ W1 + b1
    X2 = np.maximum(0, Z1)
    Z2 = X2 @ W2 + b2
    X3 = np.maximum(0, Z2)
    Z3 = X3 @ W3 + b3
    o = softmax(Z3)
    return -np.sum(y * np.log(o))


arguments = (X1, y, W1, b1, W2, b2, W3, b3)
names = ("X1", "W1", "b1", "W2", "b2", "W3", "b3")
L, gradients = cr.value_and_grad(loss, wrt=names)(*arguments)

# the post's backward pass: each line uses the one above
Z1 = X1 @ W1 + b1
X2 = np.maximum(0, Z1)
Z2 = X2 @ W2 + b2
X3 = np.maximum(0, Z2)
o = softmax(X3 @ W3 + b3)
delta3 = o - y
delta2 = (delta3 @ W3.T) * (Z2 > 0)
delta1 = (delta2 @ W2.T) * (Z1 > 0)
by_hand = (delta1 @ W1.T, X1.T @ delta1, delta1.sum(0), X2.T @ delta2, delta2.sum(0), X3.T @ delta3, delta3.sum(0))

if __name__ == "__main__":
    print(f"loss {L:.12f}\n")
    differences = numerical_gradient(lambda X1, *parameters: loss(X1, y, *parameters), (X1, *arguments[2:]))
    print("gradient  shape    from the post's lines  from differences")
    for name, derived, hand, numerical in zip(names, gradients, by_hand, differences, strict=True):
        apart = [np.max(np.abs(derived - other)) for other in (hand, numerical)]
        print(f"d{name:8} {derived.shape!s:8} {apart[0]:<22.1e} {apart[1]:.1e}")

    print("\nthe Jacobian of softmax, derived, for the first sample: o_k (1{k=j} - o_j)")
    print(cr.jacobian(softmax)(X3[0] @ W3 + b3).round(6))

    print("\none entry: dL/dw_32 of layer 3 is the sum over the samples of x_3 delta_2")
    terms = [f"{x:.4f} * {delta:.4f}" for x, delta in zip(X3[:, 2], delta3[:, 1], strict=True)]
    print(" + ".join(terms), f"= {gradients[5][2, 1]:.6f}")

    print("\nthe derived program:\n")
    print(cr.source(cr.value_and_grad(loss, wrt=names), *arguments))
