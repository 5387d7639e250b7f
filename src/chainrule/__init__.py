"""chainrule: a backpropagation compiler that you can read.

Write a loss in plain NumPy; chainrule traces it to a graph, and from that one graph derives the backward pass
(`grad`, `vjp`, `jvp`, `hessian`, ...), writes it as source that needs only NumPy (`source`), runs it (`jit`), shows its
paths (`graph`, `paths`) and trains with it (`nn`, `optim`, `fit`).

>>> import numpy as np
>>> import chainrule as cr
>>> cr.grad(lambda a, b: 0.5 * (a + b) * a * b, wrt=(0, 1))(2, 3)
(np.float64(10.5), np.float64(8.0))
"""

from typing import Any

from chainrule import errors, nn, optim
from chainrule.compilation import source
from chainrule.jitting import jit
from chainrule.per_sample import per_sample_grad
from chainrule.primitives.control import stop_gradient
from chainrule.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from chainrule.views import graph, paths

__version__ = "0.1.0"
_TRAINING = ("fit", "load", "save")  # imported when first asked for: they bring more than numpy along

__all__ = [
    "errors",
    "fit",
    "grad",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "load",
    "nn",
    "optim",
    "paths",
    "per_sample_grad",
    "save",
    "source",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    if name in _TRAINING:
        from chainrule import train

        return getattr(train, name)
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_TRAINING})
