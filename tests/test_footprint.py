"""`memory`: planned from the program, and what a call really takes is no more and hardly less."""

import contextlib
import gc
import io
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.compilation import compile_call
from chainrule.emit.numba_epoch import emit_epoch
from chainrule.footprint import human
from chains import chain

rng = np.random.default_rng(0)
N = 3000


def classifier(network, X, y):
    return cr.nn.softmax_cross_entropy(network(X), y)


def by_hand(X, Y, W1, b1, W2, b2):
    A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
    Z2 = A1 @ W2 + b2
    E = np.exp(Z2)
    P = E / E.sum(axis=1, keepdims=True)
    return -np.mean(np.sum(Y * np.log(P), axis=1))


def shapes(X, y):
    A = X.reshape(len(X), 10, 10).transpose(0, 2, 1)
    B = np.concatenate([A, 2 * A[:, ::2]], axis=1)
    C = np.where(B > 0, B, 0.1 * B) - B.max(axis=2, keepdims=True)
    return np.sum(C.sum(axis=1)[np.arange(len(y)), y] ** 2) / len(y)


X, y = rng.standard_normal((N, 100)), rng.integers(0, 10, N)
CHAIN = (X, [rng.normal(0, 0.08, (100, 100)) for _ in range(12)])
WEIGHTS = (rng.normal(0, 0.1, (100, 256)), np.zeros(256), rng.normal(0, 0.1, (256, 10)), np.zeros(10))
CASES = {
    "an mlp": (cr.value_and_grad(classifier), (cr.nn.mlp(100, 256, 128, 10), X, y)),
    "an mlp of float32": (cr.grad(classifier), (cr.nn.mlp(100, 256, 128, 10, dtype="float32"), X.astype("f"), y)),
    "an mlp with sigmoid and gelu": (
        cr.grad(lambda a, b, X, y: classifier(b, a(X), y), (0, 1)),
        (
            cr.nn.mlp(100, 200, activation="gelu", output="sigmoid"),
            cr.nn.mlp(200, 200, 10, activation="gelu"),
            X,
            y,
        ),
    ),
    "a chain": (cr.value_and_grad(chain(0), 1), CHAIN),
    "a chain with checkpoints": (cr.value_and_grad(chain(4), 1), CHAIN),
    "a chain with a checkpoint at every layer": (cr.grad(chain(1), (0, 1)), CHAIN),
    "by hand": (cr.value_and_grad(by_hand, (2, 3, 4, 5)), (X, np.eye(10)[y], *WEIGHTS)),
    "shapes": (cr.grad(shapes), (X, y)),
    "sigmoid": (lambda X: np.sum(cr.nn.sigmoid(X)), (X,)),
    "softplus": (lambda X: np.sum(cr.nn.softplus(X)), (X,)),
    "gelu": (lambda X: np.sum(cr.nn.gelu(X)), (X,)),
    "without a derivative": (classifier, (cr.nn.mlp(100, 256, 10), X, y)),
    "per sample": (cr.per_sample_grad(chain(3), 1), (X[:40], [W[:, :] for W in CHAIN[1][:4]])),
    "forward mode": (lambda X, Ws: cr.jvp(lambda X: chain(0)(X, Ws), (X,), (X,)), CHAIN),
}


def measured(call):
    """The most that a call allocates, in bytes, once it has been called before."""
    call()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_within_a_tenth_of_what_a_call_takes(case):
    function, arguments = CASES[case]
    needed = cr.memory(function, *arguments)
    run = cr.jit(function)
    assert measured(lambda: run(*arguments)) == pytest.approx(needed.allocated, rel=0.1)
    assert needed.peak <= needed.allocated <= needed.peak + needed.outputs
    assert sum(one.bytes for one in needed.largest) == needed.peak
    assert [one.bytes for one in needed.largest] == sorted((one.bytes for one in needed.largest), reverse=True)


def test_arguments_and_results_are_counted_apart():
    needed = cr.memory(cr.value_and_grad(classifier), *CASES["an mlp"][1])
    parameters = 8 * (100 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10)
    assert needed.inputs == parameters + X.nbytes + y.nbytes
    assert needed.outputs == parameters


def test_kept_is_what_the_backward_pass_reads_of_the_forward_pass():
    def loss(X, W1, W2):
        Z1 = X @ W1  # read: where it is positive
        A1 = np.maximum(0, Z1)  # read: of it and dZ2 comes dW2
        Z2 = A1 @ W2  # not read
        return np.sum(Z2)

    W1, W2 = WEIGHTS[0], WEIGHTS[2]
    assert cr.memory(cr.value_and_grad(loss, (1, 2)), X, W1, W2).kept == 2 * N * 256 * 8
    assert cr.memory(cr.value_and_grad(loss, 2), X, W1, W2).kept == N * 256 * 8
    assert cr.memory(loss, X, W1, W2).kept == 0


def test_what_is_alive_has_your_names_and_lines():
    needed = cr.memory(cr.value_and_grad(chain(4), 1), *CHAIN)
    places = {one.name: one.where for one in needed.largest}
    assert places["A4"].startswith("line ")
    assert places["A4"].endswith(" of block()")
    assert places["A10"].endswith(" of block(), again")
    assert {one.shape for one in needed.largest} == {(N, 100)}


def test_it_is_printed_with_units_and_as_plain_data():
    needed = cr.memory(cr.value_and_grad(chain(4), 1), *CHAIN)
    text = str(needed)
    assert text.splitlines()[0] == "memory of loss_value_and_grad, numpy engine"
    assert re.search(rf"^  peak, in between +{human(needed.peak)}$", text, re.MULTILINE)
    assert re.search(r"^  A4 +\(3000, 100\)  float64  2.3 MiB  line \d+ of block\(\)$", text, re.MULTILINE)
    assert json.loads(json.dumps(needed.to_dict()))["kept"] == needed.kept
    assert needed.to_dict()["largest"][0]["bytes"] == needed.largest[0].bytes


def test_a_jitted_function_is_planned_for_its_engine():
    pytest.importorskip("numba")
    gradient = cr.value_and_grad(chain(0), 1)
    assert cr.memory(cr.jit(gradient), *CHAIN).engine == "numpy"
    machine = cr.memory(cr.jit(gradient, engine="numba"), *CHAIN)
    assert machine == cr.memory(gradient, *CHAIN, engine="numba")
    assert machine.peak < cr.memory(gradient, *CHAIN).peak
    with pytest.raises(cr.errors.ArgumentError, match="choose 'numpy' or 'numba'"):
        cr.memory(gradient, *CHAIN, engine="jax")


def test_nothing_is_run():
    def loss(W):
        return np.sum((W @ W) @ (W @ W))

    tracemalloc.start()
    try:
        W = np.broadcast_to(1.0, (100_000, 100_000))  # 80 GB, if it were there
        needed = cr.memory(cr.grad(loss), W)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert needed.inputs == 8 * 10**10 == needed.outputs


def test_the_documentation_prints_what_it_says(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "memory.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for wanted, call in zip(
        re.findall(r"```text\n(.*?)```", text, re.DOTALL), ("layers(", "cr.checkpoint(layers)("), strict=True
    ):
        path = tmp_path / "memory.py"
        path.write_text(program.replace("= layers(", f"= {call}"), encoding="utf-8")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(path.read_text(encoding="utf-8"), path, "exec"), {})
        assert printed.getvalue() == wanted


PROGRAM = """
import resource, sys
import numpy as np
import chainrule as cr

rng = np.random.default_rng(0)
X = rng.standard_normal((4_000, 32))
y = rng.integers(0, 10, 4_000)
seen = []

def look(epoch):
    with open("/proc/self/statm") as file:
        seen.append(int(file.read().split()[1]) * resource.getpagesize())

cr.fit(cr.nn.mlp(32, 64, 10), cr.nn.softmax_cross_entropy, X, y, epochs=EPOCHS, batch_size=1000, engine=sys.argv[1],
       on_epoch=look, progress=False)
print(seen[9], seen[-1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_training_takes_as_much_in_its_last_epoch_as_in_its_tenth(engine):
    if engine == "numba":
        pytest.importorskip("numba")
    program = PROGRAM.replace("EPOCHS", "200")
    done = subprocess.run([sys.executable, "-c", program, engine], capture_output=True, text=True, check=True)
    tenth, last = map(int, done.stdout.split())
    assert last - tenth < 2**21  # of a step that makes 2 MB of arrays, 800 times


def test_no_array_of_a_training_waits_for_the_garbage_collector():
    held = []
    tracemalloc.start()
    gc.disable()
    try:
        cr.fit(
            cr.nn.mlp(100, 100, 3),
            cr.nn.softmax_cross_entropy,
            rng.standard_normal((60, 100)),
            rng.integers(0, 3, 60),
            epochs=200,
            engine="numpy",
            on_epoch=lambda epoch: held.append(tracemalloc.get_traced_memory()[0]),
        )
    finally:
        gc.enable()
        tracemalloc.stop()
    assert held[-1] - held[9] < 2**20  # the parameters of 380 steps are 30 MB


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_training_says_what_its_step_needs(engine):
    network = cr.nn.mlp(32, 64, 10)
    result = cr.fit(
        network, cr.nn.softmax_cross_entropy, X[:, :32], y, epochs=1, batch_size=500, engine="numpy", prove=True
    )
    result.history.engine = engine  # planned, not run
    needed = result.memory
    assert needed.engine == engine
    assert needed is result.memory
    assert 500 * 64 * 8 <= needed.kept < needed.peak < 500 * 64 * 8 * 10
    step, first = result.step, result.first
    if engine == "numpy":
        taken = measured(lambda: step(first.network, first.state, first.X, first.y))
        assert taken == pytest.approx(needed.allocated, rel=0.1)
    else:
        compiled = compile_call(step.staged_function, (first.network, first.state, first.X, first.y), {})
        epoch = emit_epoch(compiled.graph, compiled.parameters, compiled.constants, 0)
        assert needed.allocated == epoch.buffer_bytes + first.X.nbytes + first.y.nbytes
