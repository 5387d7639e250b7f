"""What to write instead of a function that cannot be traced."""

from __future__ import annotations

import numpy as np

from chainrule.primitive import FUNCTIONS, REGISTRY, UFUNCS

ADVICE = {
    "median": "it with the functions that chainrule supports; np.sort and np.median are not among them yet",
    "expit": "cr.nn.sigmoid(x)",
    "std": "np.sqrt(np.mean((x - np.mean(x)) ** 2))",
    "var": "np.mean((x - np.mean(x)) ** 2)",
    "norm": "np.sqrt(np.sum(x**2))",
    "einsum": "it with @, * and np.sum",
    "tensordot": "it with @ and np.reshape",
    "outer": "a[:, None] * b[None, :]",
    "inner": "np.sum(a * b), or a @ b.T",
    "vdot": "np.sum(a * b)",
    "vstack": "np.concatenate([...], axis=0), or np.stack([...]) for rows",
    "hstack": "np.concatenate([...], axis=-1)",
    "column_stack": "np.stack([...], axis=1)",
    "flip": "x[::-1]",
    "tile": "np.broadcast_to(x, (k, *x.shape)) and np.reshape",
    "repeat": "np.broadcast_to(x[:, None], (len(x), k)) and np.reshape",
    "diff": "x[1:] - x[:-1]",
    "prod": "a product of its entries, or np.exp(np.sum(np.log(x)))",
    "reciprocal": "1 / x",
    "float_power": "x**p",
    "log2": "np.log(x) / np.log(2)",
    "log10": "np.log(x) / np.log(10)",
    "exp2": "2.0**x",
    "sinh": "(np.exp(x) - np.exp(-x)) / 2",
    "cosh": "(np.exp(x) + np.exp(-x)) / 2",
    "tan": "np.sin(x) / np.cos(x)",
    "logaddexp": "cr.nn.softplus(b - a) + a",
    "array_equal": "np.all(a == b)",
    "allclose": "np.all(np.abs(a - b) < tolerance)",
    "copyto": "np.where(mask, v, x)",
    "put": "np.where(mask, v, x)",
    "putmask": "np.where(mask, v, x)",
}


def instead(name: str) -> str:
    """What to write for an unsupported function: supported ones of a similar name, or the general way."""
    import difflib

    if name in ADVICE:
        return ADVICE[name]
    known = sorted(({getattr(f, "__name__", "") for f in (*UFUNCS, *FUNCTIONS)} | set(REGISTRY)) - {name})
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.9)
    if close:
        return "it with " + ", ".join(f"np.{c}" if hasattr(np, c) else f"cr.nn.{c}" for c in close)
    return "it with the functions that chainrule supports (arithmetic, reductions, matmul, indexing, np.where)"
