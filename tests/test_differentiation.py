"""One gradient function, calls of more than one structure: the values kept for one program do not starve the other."""

import threading

import numpy as np

import chainrule as cr


def branching(x, W):
    h = np.tanh(x @ W)
    if x[0, 0] > 0:
        return np.sum(np.exp(h) * h)
    return np.mean(h**2 * np.sin(h))


def agrees_with_a_fresh_one(gradient, rng):
    x, W = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    fresh = cr.grad(branching, (0, 1))(x, W)
    return all(np.allclose(a, b, rtol=1e-12) for a, b in zip(gradient(x, W), fresh, strict=True))


def test_python_takes_another_branch_at_each_call():
    gradient, rng = cr.grad(branching, (0, 1)), np.random.default_rng(0)
    assert all(agrees_with_a_fresh_one(gradient, rng) for _ in range(20))


def test_so_it_is_from_several_threads():
    gradient, wrong = cr.grad(branching, (0, 1)), []

    def work(seed):
        rng = np.random.default_rng(seed)
        wrong.extend(seed for _ in range(20) if not agrees_with_a_fresh_one(gradient, rng))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
