"""chainrule: a backpropagation compiler that you can read."""

from chainrule import nn, optim
from chainrule.compilation import source
from chainrule.jitting import jit
from chainrule.primitives.control import stop_gradient
from chainrule.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "nn",
    "optim",
    "source",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
