"""The engines of a training: the same step in NumPy and as machine code, for one thread and for several."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ArgumentError, CompileError
from chainrule.pytree import flatten
from chainrule.train import plan

pytest.importorskip("numba")
pytest.importorskip("scipy")

FLOAT32, FLOAT64 = 2e-5, 1e-11


@pytest.fixture(autouse=True, scope="module")
def _one_cache(tmp_path_factory):
    """Machine code of these tests is kept together, and away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def problem(sizes=(6, 16, 5), rows=70, dtype="float32", layout="row", seed=0):
    """A network and learnable classes for it."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, sizes[0])).astype(dtype)
    y = (X @ rng.standard_normal((sizes[0], sizes[-1]))).argmax(axis=1)
    network = nn.mlp(*sizes, layout=layout, dtype=dtype, rng=1)
    return network, (X if layout == "row" else np.ascontiguousarray(X.T)), y


def trained(engine, network, X, y, loss=nn.softmax_cross_entropy, **options):
    """The result of two epochs, and every array of it."""
    given = {"optimizer": optim.sgd(0.1), "epochs": 2, "batch_size": 16, **options}
    result = cr.fit(network, loss, X, y, engine=engine, progress=False, **given)
    return result, [np.asarray(leaf) for leaf in flatten((result.network, result.state))[0]]


def assert_same(network, X, y, tolerance, **options):
    by_numpy, expected = trained("numpy", network, X, y, **options)
    by_numba, got = trained("numba", network, X, y, **options)
    assert (by_numpy.history.engine, by_numba.history.engine) == ("numpy", "numba")
    np.testing.assert_allclose(by_numba.history.train_loss, by_numpy.history.train_loss, rtol=tolerance)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max()))
    return by_numba


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_machine_code_trains_as_numpy_does_shuffled_and_with_a_last_smaller_batch(dtype):
    assert_same(*problem(dtype=dtype), FLOAT32 if dtype == "float32" else FLOAT64)


@pytest.mark.parametrize("optimizer", [optim.adam(0.01)])
def test_optimizers_with_a_state(optimizer):
    assert_same(*problem(dtype="float64"), FLOAT64, optimizer=optimizer)


def test_a_last_batch_of_one_row_has_a_program_of_its_own():
    network, X, y = problem(dtype="float64", rows=33)
    assert_same(network, X, y, FLOAT64, shuffle=False)


def test_column_layout():
    assert_same(*problem(dtype="float64", layout="column"), FLOAT64, loss=_column_loss)


def _column_loss(outputs, y):
    return nn.softmax_cross_entropy(outputs, y, axis=0)


def test_a_loss_of_ones_own_with_weight_decay_and_a_captured_array():
    scale = np.linspace(0.5, 1.5, 5)

    def loss(outputs, y):
        return np.mean((np.tanh(outputs) * scale - np.eye(5)[y]) ** 2)

    assert_same(*problem(dtype="float64"), FLOAT64, loss=loss)


@pytest.mark.parametrize(
    ("sizes", "batch"), [((40, 96, 64, 10), 128), ((20, 32, 24, 10), 64)], ids=["a large step", "a small step"]
)
@pytest.mark.parametrize("optimizer", [optim.sgd(0.1), optim.adam(0.01)])
def test_a_divided_step_has_the_same_bytes_for_any_number_of_threads(optimizer, sizes, batch):
    network, X, y = problem(sizes, rows=300)
    options = {"batch_size": batch, "optimizer": optimizer}
    _, one = trained("numba", network, X, y, threads=1, **options)
    for threads in (2, 3, 5):
        result, several = trained("numba", network, X, y, threads=threads, **options)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, several, strict=True))
    assert "threads" not in result.history.engine
    _, expected = trained("numpy", network, X, y, **options)
    for a, b in zip(one, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=2e-3)


def test_a_large_step_in_float64_equals_numpy():
    network, X, y = problem((40, 96, 64, 10), rows=300, dtype="float64")
    assert_same(network, X, y, FLOAT64, batch_size=128)


def test_samples_that_are_mixed_take_more_sections():
    network, X, y = problem((40, 96, 64, 10), rows=256, dtype="float64")

    def loss(outputs, y):
        centred = outputs - outputs.mean(axis=0)
        return nn.softmax_cross_entropy(centred / np.sqrt((centred**2).mean(axis=0) + 1e-5), y)

    assert_same(network, X, y, 1e-9, loss=loss, batch_size=128)


def test_the_same_seed_gives_the_same_bytes_twice():
    network, X, y = problem()
    _, first = trained("numba", network, X, y)
    _, second = trained("numba", network, X, y)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_without_a_seed_a_training_begins_in_numpy_and_goes_on_compiled(monkeypatch):
    from chainrule.native import compiler

    waited = []

    class Ready(compiler.Compilation):
        def poll(self):
            waited.append(1)
            return len(waited) > 3

    monkeypatch.setattr("chainrule.native.cache.is_warm", lambda *_: False)
    monkeypatch.setattr("chainrule.native.compiler.compile_in_subprocess", lambda *_, **__: Ready())
    network, X, y = problem()
    result, _ = trained("numba", network, X, y, seed=None, epochs=3)
    assert result.history.engine == "numpy for 3 steps, then numba"


def test_machine_code_that_cannot_be_made_leaves_the_training_in_numpy_unless_it_was_asked_for(monkeypatch, capsys):
    def broken(*_):
        raise CompileError("no compiler today")

    monkeypatch.setattr("chainrule.native.cache.load", broken)
    monkeypatch.setattr("chainrule.native.cache.is_warm", lambda *_: True)
    monkeypatch.setattr("chainrule.native.engine.COMPILE_START", 0.0)
    monkeypatch.setattr("chainrule.native.engine.COMPILE_EQUATION", 0.0)
    network, X, y = problem()
    with pytest.raises(CompileError, match="no compiler today"):
        trained("numba", network, X, y)
    result = cr.fit(network, nn.softmax_cross_entropy, X, y, epochs=1, progress=True)
    assert result.history.engine == "numpy"
    assert "training in NumPy, for the step could not be compiled: no compiler today" in capsys.readouterr().err


@pytest.mark.parametrize("prove", [False, True])
def test_a_proof_on_few_rows_does_not_change_the_choice(prove, monkeypatch):
    seen = []
    choose = plan.choose_engine
    monkeypatch.setattr(plan, "choose_engine", lambda *a, **k: (seen.append(k["flops_per_step"]), choose(*a, **k))[1])
    network, X, y = problem()
    cr.fit(network, nn.softmax_cross_entropy, X, y, epochs=1, batch_size=32, progress=False, prove=prove)
    assert seen[0] > 2 * 32 * (6 * 16 + 16 * 5)  # the forward products of a whole batch alone


def test_a_step_of_very_many_sections_has_a_counter_for_each():
    from chainrule.native.barrier import LINE, WORK, counters_for

    assert counters_for(1000).size > WORK + LINE * 999


def test_the_machine_code_is_proved_as_well(monkeypatch):
    network, X, y = problem()
    proofs = []
    trained("numba", network, X, y, prove=proofs.append)
    assert len(proofs) == 1
    from chainrule.train.engines import CompiledEngine

    run = CompiledEngine.run

    def wrong(self, *arguments):
        done = run(self, *arguments)
        self.leaves[0] *= 1.1
        return done

    monkeypatch.setattr(CompiledEngine, "run", wrong)
    with pytest.raises(cr.errors.GraphError, match=r"machine code makes .* train with engine=\"numpy\""):
        trained("numba", network, X, y, prove=True)


def test_a_training_that_diverges_says_where():
    network, X, y = problem()
    with pytest.raises(ArgumentError, match=r"the loss is nan in epoch 1, batch \d of 5"):
        trained("numba", network, X, y, lr=1e30, optimizer=optim.sgd)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "gpu"}, "choose one of 'numpy', 'numba', 'auto'"),
        ({"engine": "numba", "threads": 0}, "threads=0: give a whole number from 1 on"),
        ({"engine": "numba", "threads": 1.5}, "threads=1.5"),
    ],
)
def test_what_there_is_not_is_refused(options, message):
    network, X, y = problem()
    with pytest.raises(ArgumentError, match=message):
        cr.fit(network, nn.softmax_cross_entropy, X, y, progress=False, **options)


def test_without_numba_everything_works_and_one_line_says_what_would_be_faster(monkeypatch, capsys):
    monkeypatch.setattr("chainrule.train.plan.numba_available", lambda: False)
    monkeypatch.setattr("chainrule.native.engine.COMPILE_START", 0.0)
    monkeypatch.setattr("chainrule.native.engine.COMPILE_EQUATION", 0.0)
    network, X, y = problem()
    result = cr.fit(network, nn.softmax_cross_entropy, X, y, epochs=1, progress=True)
    assert result.history.engine == "numpy"
    assert 'pip install "chainrule[fast]" would make this' in capsys.readouterr().err
    with pytest.raises(ArgumentError, match=r"pip install \"chainrule\[fast\]\""):
        cr.fit(network, nn.softmax_cross_entropy, X, y, engine="numba")


def test_a_thread_that_fails_does_not_leave_the_others_waiting(monkeypatch):
    from chainrule.train.team import Team

    network, X, y = problem((40, 96, 64, 10), rows=256)
    work = Team._work
    calls = []

    def failing(self, function, call, core):
        calls.append(1)
        if len(calls) == 2:
            return work(self, _fails, call, core)
        return work(self, function, call, core)

    monkeypatch.setattr(Team, "_work", failing)
    with pytest.raises(ZeroDivisionError):
        trained("numba", network, X, y, threads=2, batch_size=128)


def _fails(*_):
    raise ZeroDivisionError
