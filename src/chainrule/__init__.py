"""chainrule: a backpropagation compiler that you can read."""

from chainrule import errors, nn, optim
from chainrule.compilation import source
from chainrule.jitting import jit
from chainrule.per_sample import per_sample_grad
from chainrule.primitives.control import stop_gradient
from chainrule.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from chainrule.views import graph, paths

__all__ = [
    "errors",
    "grad",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "nn",
    "optim",
    "paths",
    "per_sample_grad",
    "source",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
