"""chainrule: a backpropagation compiler that you can read.

Write a loss in plain NumPy; chainrule traces it to a graph, and from that one graph derives the backward pass
(`grad`, `vjp`, `jvp`, `hessian`, ...), writes it as source that needs only NumPy (`source`), runs it (`jit`), shows its
paths (`graph`, `paths`), says what it needs (`memory`) and trains with it (`nn`, `optim`, `fit`).

>>> import numpy as np
>>> import chainrule as cr
>>> cr.grad(lambda a, b: 0.5 * (a + b) * a * b, wrt=(0, 1))(2, 3)
(np.float64(10.5), np.float64(8.0))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule import errors

if TYPE_CHECKING:
    from chainrule import nn, optim, testing
    from chainrule.blaming import blame
    from chainrule.checkpointing import checkpoint
    from chainrule.compilation import source
    from chainrule.deriving import derive, explain
    from chainrule.diagnosing import check_backward, check_formula
    from chainrule.drawing import draw
    from chainrule.footprint import memory
    from chainrule.jitting import jit
    from chainrule.per_sample import per_sample_grad
    from chainrule.primitives.control import stop_gradient
    from chainrule.proving import check
    from chainrule.train import fit, load, save
    from chainrule.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
    from chainrule.views import graph, paths

__version__ = "0.1.0"

# imported when first asked for: `import chainrule` costs little more than `import numpy`
_HOMES = {
    "nn": "nn",
    "optim": "optim",
    "testing": "testing",
    "check": "proving",
    **dict.fromkeys(("check_backward", "check_formula"), "diagnosing"),
    **dict.fromkeys(("derive", "explain"), "deriving"),
    "draw": "drawing",
    "blame": "blaming",
    "source": "compilation",
    "jit": "jitting",
    "checkpoint": "checkpointing",
    "memory": "footprint",
    "per_sample_grad": "per_sample",
    "stop_gradient": "primitives.control",
    **dict.fromkeys(("fit", "load", "save"), "train"),
    **dict.fromkeys(("grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"), "transforms"),
    **dict.fromkeys(("graph", "paths"), "views"),
}

__all__ = [
    "blame",
    "check",
    "check_backward",
    "check_formula",
    "checkpoint",
    "derive",
    "draw",
    "errors",
    "explain",
    "fit",
    "grad",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "load",
    "memory",
    "nn",
    "optim",
    "paths",
    "per_sample_grad",
    "save",
    "source",
    "stop_gradient",
    "testing",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    module = import_module(f"chainrule.{home}")
    value = module if home == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
