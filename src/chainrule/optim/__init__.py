"""Update rules on pytrees of parameters, as plain NumPy that can be traced like any loss.

>>> import numpy as np
>>> optimizer = adam(lr=0.1)
>>> params = {"w": np.array([3.0]), "b": np.array(0.0)}
>>> state = optimizer.init(params)
>>> params, state = optimizer.update(params, {"w": np.array([2.0]), "b": np.array(-1.0)}, state)
>>> params["w"].round(6), params["b"].round(6)
(array([2.9]), np.float64(0.1))
"""

from chainrule.optim.adaptive import Adam, AdamW, RMSprop, adam, adamw, rmsprop
from chainrule.optim.descent import SGD, Momentum, Nesterov, momentum, nesterov, sgd
from chainrule.optim.optimizer import Optimizer

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "adam",
    "adamw",
    "momentum",
    "nesterov",
    "rmsprop",
    "sgd",
]
