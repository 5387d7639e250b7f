"""chainrule: a backpropagation compiler that you can read."""

from chainrule import nn, optim
from chainrule.primitives.control import stop_gradient
from chainrule.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "nn", "optim", "stop_gradient", "value_and_grad", "vjp"]
