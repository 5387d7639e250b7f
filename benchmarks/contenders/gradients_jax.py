"""Derivatives with JAX, jitted, in float64; per-sample gradients by `vmap`.

python gradients_jax.py "rosen n=10"
"""

from __future__ import annotations

import sys
from typing import Any

import child
import jax
import jax.numpy as jnp
from function_cases import CASES, arguments, epoch_of, functions, saver_of


def main() -> None:
    """Serve epochs of the case that the command line names."""
    jax.config.update("jax_enable_x64", True)
    case = CASES[sys.argv[1]]
    function = functions(jnp)[case.function]
    args = tuple(jax.device_put(jnp.asarray(argument)) for argument in arguments(case))
    wrt = case.wrt if len(case.wrt) > 1 else case.wrt[0]
    if case.derivative == "per_sample_grad":

        def of_one(*args: Any) -> Any:
            *weights, x, y = args
            return function(*weights, x[None], y[None])

        weights = (None,) * (len(args) - 2)
        derived = jax.vmap(jax.grad(of_one, wrt), in_axes=(*weights, 0, 0))
    else:
        derived = {"grad": jax.grad, "jacobian": jax.jacrev, "hessian": jax.hessian}[case.derivative](function, wrt)
    jitted = jax.jit(derived)

    def call() -> Any:
        return jax.block_until_ready(jitted(*args))

    child.serve(epoch_of(case, call), saver_of(call), versions={"jax": jax.__version__})


if __name__ == "__main__":
    main()
