"""Networks in plain NumPy: activations, losses, initializers, layers.

Nothing here knows about tracing or derivatives; every function can be called on arrays, and every function can be
differentiated, shown and emitted.

>>> import numpy as np
>>> net = mlp(2, 4, 3)
>>> loss = softmax_cross_entropy(net(np.ones((5, 2))), np.array([0, 1, 2, 0, 1]))
>>> loss.shape
()
"""

from chainrule.nn.activations import (
    elu,
    gelu,
    identity,
    leaky_relu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from chainrule.nn.initializers import glorot_normal, glorot_uniform, he_normal, he_uniform, zeros
from chainrule.nn.layers import Dense
from chainrule.nn.losses import (
    binary_cross_entropy,
    cross_entropy,
    mean_squared_error,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)
from chainrule.nn.network import Network, mlp
from chainrule.primitives.control import one_hot

__all__ = [
    "Dense",
    "Network",
    "binary_cross_entropy",
    "cross_entropy",
    "elu",
    "gelu",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "mean_squared_error",
    "mlp",
    "one_hot",
    "relu",
    "sigmoid",
    "sigmoid_cross_entropy",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "tanh",
    "zeros",
]
