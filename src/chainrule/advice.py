"""What to write instead of a function that cannot be traced."""

from __future__ import annotations

import numpy as np

from chainrule.primitive import FUNCTIONS, REGISTRY, UFUNCS

ADVICE = {
    "nanargmax": "np.argmax(np.where(np.isnan(x), -np.inf, x))",
    "nanargmin": "np.argmin(np.where(np.isnan(x), np.inf, x))",
    "histogram": "it outside of the function: counts have the derivative zero",
    "expit": "cr.nn.sigmoid(x)",
    "resize": "np.resize(x, shape), which makes a new array",
    "sort_complex": "np.sort(x): traced values are real",
    "geomspace": "np.exp(np.linspace(np.log(start), np.log(stop), num))",
    "conj": "np.conjugate(x), or x alone: traced values are real",
    "imag": "np.imag(x)",
    "array_equal": "np.all(a == b)",
    "allclose": "np.all(np.abs(a - b) < tolerance)",
    "eig": "np.linalg.eigh(x) for a symmetric matrix; other eigenvalues are complex",
    "eigvals": "np.linalg.eigvalsh(x) for a symmetric matrix; other eigenvalues are complex",
    "matrix_rank": "it outside of the function: its derivative is zero",
    "einsum_path": "np.einsum(...), which chooses its order by itself",
    "view": "x[:] for another name of the same entries, x.astype(dtype) for another dtype",
    "setflags": "it outside of the function",
    "frompyfunc": "the function itself, on arrays",
}


def instead(name: str) -> str:
    """What to write for an unsupported function: supported ones of a similar name, or the general way."""
    import difflib

    if name in ADVICE:
        return ADVICE[name]
    known = sorted(({getattr(f, "__name__", "") for f in (*UFUNCS, *FUNCTIONS)} | set(REGISTRY)) - {name})
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.9)
    if close:
        return "it with " + ", ".join(f"{_home_of(c)}.{c}" for c in close)
    return "it with the functions that chainrule supports (arithmetic, reductions, matmul, indexing, np.where)"


def _home_of(name: str) -> str:
    """The module in which a user finds a function of that name."""
    return "np" if hasattr(np, name) else "np.linalg" if hasattr(np.linalg, name) else "cr.nn"
