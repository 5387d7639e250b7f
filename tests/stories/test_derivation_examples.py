"""The example networks: chainrule proves each gradient, writes it as source, and agrees with the formula found by hand.

The formulas are those that each example's docstring tells its reader to look for, in NumPy that chainrule has no part in.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import chainrule as cr

FOLDER = Path(__file__).parent.parent.parent / "examples" / "derivations"
FILES = sorted(FOLDER.glob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def story(name):
    """The loss of an example, and its arguments."""
    found = runpy.run_path(str(FOLDER / f"{name}.py"), run_name="story")
    return found["loss"], found["example"]()


def floating(arguments):
    """What chainrule differentiates by, if nothing else is said."""
    return tuple(name for name, value in arguments.items() if np.asarray(value).dtype.kind == "f")


def gradients(name):
    """An example's arguments by name, and its gradients by name."""
    loss, arguments = story(name)
    wrt = floating(arguments)
    return arguments, dict(zip(wrt, cr.grad(loss, wrt=wrt)(**arguments), strict=True))


def flat(values):
    """Arrays, and those in lists, one after the other."""
    return [leaf for value in values for leaf in (value if isinstance(value, list) else [value])]


def agree(got, want):
    got, want = flat([got]), flat([want])
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_every_example_is_here():
    assert [path.stem for path in FILES] == [
        "attention", "batch_norm", "convolution", "convolution_2d", "convolution_windows", "dense_columns", "dense_rows",
        "lstm", "pooling", "recurrent",
    ]  # fmt: skip


@each_file
def test_the_gradient_is_proved(path):
    loss, arguments = story(path.stem)
    report = cr.check(loss, **arguments)
    assert report, str(report)


@each_file
def test_the_written_program_returns_the_same(path):
    loss, arguments = story(path.stem)
    function = cr.value_and_grad(loss, wrt=floating(arguments))
    namespace = {}
    exec(cr.source(function, **arguments), namespace)
    value, written = namespace["loss_value_and_grad"](*flat(arguments.values()))
    want, derived = function(**arguments)
    np.testing.assert_allclose(value, want, rtol=1e-12)
    agree(flat(written), flat(derived))


@each_file
@pytest.mark.skipif(not hasattr(cr, "derive"), reason="without cr.derive there is nothing to print")
def test_the_example_prints_its_derivation_and_its_proof(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    loss, arguments = story(path.stem)
    assert str(cr.check(loss, **arguments)).splitlines()[0] in printed
    assert len(printed.splitlines()) > len(arguments)


def test_dense_rows_sends_p_minus_y_back():
    a, d = gradients("dense_rows")
    Z1 = a["X"] @ a["W1"] + a["b1"]
    A1 = np.maximum(0, Z1)
    dZ2 = softmax(A1 @ a["W2"] + a["b2"])
    dZ2[np.arange(6), a["y"]] -= 1
    dZ2 /= 6
    dZ1 = (dZ2 @ a["W2"].T) * (Z1 > 0)
    agree(d["W2"], A1.T @ dZ2)
    agree(d["b2"], dZ2.sum(axis=0))
    agree(d["W1"], a["X"].T @ dZ1)
    agree(d["b1"], dZ1.sum(axis=0))
    agree(d["X"], dZ1 @ a["W1"].T)


def test_dense_columns_is_the_same_with_everything_transposed():
    a, d = gradients("dense_columns")
    A1 = sigmoid(a["W1"] @ a["X"] + a["b1"])
    dZ2 = (sigmoid(a["W2"] @ A1 + a["b2"]) - a["y"]) / 6
    dZ1 = (a["W2"].T @ dZ2) * A1 * (1 - A1)
    agree(d["W2"], dZ2 @ A1.T)
    agree(d["b2"], dZ2.sum(axis=1, keepdims=True))
    agree(d["W1"], dZ1 @ a["X"].T)
    agree(d["b1"], dZ1.sum(axis=1, keepdims=True))
    agree(d["X"], a["W1"].T @ dZ1)


def test_batch_norm_takes_the_mean_and_the_part_along_x_hat_out_of_dy():
    a, d = gradients("batch_norm")
    deviation = np.sqrt(np.var(a["x"], axis=0) + 1e-5)
    x_hat = (a["x"] - a["x"].mean(axis=0)) / deviation
    dy = (a["gamma"] * x_hat + a["beta"] - a["t"]) / 6
    along = x_hat * np.mean(dy * x_hat, axis=0)
    agree(d["x"], a["gamma"] / deviation * (dy - dy.mean(axis=0) - along))
    agree(d["gamma"], np.sum(dy * x_hat, axis=0))
    agree(d["beta"], dy.sum(axis=0))
    np.testing.assert_allclose(d["x"].sum(axis=0), 0, atol=1e-14)  # a shift of the whole batch changes nothing


def test_convolution_correlates_the_input_with_the_cotangent_of_the_output():
    a, d = gradients("convolution")
    X, K, width, N = a["X"], a["K"], 3, 4
    windows = sliding_window_view(X, width, axis=1)  # n, p, channel, u
    Z = np.einsum("npiu,uio->npo", windows, K) + a["b"]
    dZ = (np.maximum(0, Z) - a["Y"]) * (Z > 0) / N
    agree(d["K"], np.einsum("npiu,npo->uio", windows, dZ))
    agree(d["b"], dZ.sum(axis=(0, 1)))
    padded = np.pad(dZ, ((0, 0), (width - 1, width - 1), (0, 0)))
    agree(d["X"], np.einsum("npou,uio->npi", sliding_window_view(padded, width, axis=1), K[::-1]))


def test_windows_are_added_where_they_overlap():
    a, d = gradients("convolution_windows")
    V = sliding_window_view(a["X"], 3, axis=1)
    Z = V @ a["K"] + a["b"]
    dZ = 2 * (np.maximum(0, Z) - a["Y"]) * (Z > 0) / 4
    agree(d["K"], np.einsum("npu,npo->uo", V, dZ))
    dX = np.zeros_like(a["X"])
    for u in range(3):
        dX[:, u : u + 5] += dZ @ a["K"][u]
    agree(d["X"], dX)


def test_convolution_of_images_has_the_same_two_formulas_with_one_more_index():
    a, d = gradients("convolution_2d")
    X, K, N = a["X"], a["K"], 3
    height, width = K.shape[:2]
    windows = sliding_window_view(X, (height, width), axis=(1, 2))  # n, p, q, channel, u, v
    Z = np.einsum("npqiuv,uvio->npqo", windows, K) + a["b"]
    dZ = (np.maximum(0, Z) - a["Y"]) * (Z > 0) / N
    agree(d["K"], np.einsum("npqiuv,npqo->uvio", windows, dZ))
    agree(d["b"], dZ.sum(axis=(0, 1, 2)))
    padded = np.pad(dZ, ((0, 0), (height - 1, height - 1), (width - 1, width - 1), (0, 0)))
    padded = sliding_window_view(padded, (height, width), axis=(1, 2))
    agree(d["X"], np.einsum("npqouv,uvio->npqi", padded, K[::-1, ::-1]))


def pooled(a):
    """dx of the pooling example for windows without ties: one entry gets all of it, or each gets 1/k."""
    windows = a["x"].reshape(4, 2, 3)
    score = windows.max(axis=2) @ a["w_max"] + windows.mean(axis=2) @ a["w_mean"]
    dscore = (score - a["y"]) / 4
    dlargest, daverage = np.outer(dscore, a["w_max"]), np.outer(dscore, a["w_mean"])
    routed = np.zeros((4, 2, 3))
    np.put_along_axis(routed, windows.argmax(axis=2)[:, :, None], dlargest[:, :, None], axis=2)
    return routed, np.repeat(daverage / 3, 3, axis=1).reshape(4, 2, 3)


def test_pooling_routes_to_the_largest_and_spreads_the_mean():
    a, d = gradients("pooling")
    routed, spread = pooled(a)
    agree(d["x"], (routed + spread).reshape(4, 6))
    assert np.count_nonzero(routed) == 8


def test_pooling_lets_ties_for_the_largest_share_equally():
    loss, a = story("pooling")
    a["x"][0, :3] = [2.0, 2.0, -1.0]
    routed, spread = pooled(a)
    routed[0, 0, :2] = routed[0, 0].sum() / 2
    agree(cr.grad(loss, wrt="x")(**a), (routed + spread).reshape(4, 6))


def test_attention_sends_the_cotangent_back_through_both_products_and_the_softmax():
    a, d = gradients("attention")
    X, d_k = a["X"], 3
    Q, K, V = X @ a["W_Q"], X @ a["W_K"], X @ a["W_V"]
    P = softmax(Q @ K.T / np.sqrt(d_k))
    doutput = P @ V - a["Y"]
    dP = doutput @ V.T
    dscores = np.stack([row @ (np.diag(p) - np.outer(p, p)) for row, p in zip(dP, P, strict=True)])
    dQ, dK, dV = dscores @ K / np.sqrt(d_k), dscores.T @ Q / np.sqrt(d_k), P.T @ doutput
    agree(d["W_Q"], X.T @ dQ)
    agree(d["W_K"], X.T @ dK)
    agree(d["W_V"], X.T @ dV)
    agree(d["X"], dQ @ a["W_Q"].T + dK @ a["W_K"].T + dV @ a["W_V"].T)


def back_through_time(a):
    """The recurrent example by hand: the states, and the cotangents of pre-activations and outputs at each step."""
    h, do, da = [a["h"]], [], []
    for x_t, y_t in zip(a["x"], a["y"], strict=True):
        h.append(np.tanh(x_t @ a["U"] + h[-1] @ a["W"] + a["b"]))
        do.append((h[-1] @ a["V"] + a["c"] - y_t) / 3)
    dh = np.zeros_like(a["h"])
    for t in reversed(range(4)):
        dh = dh + do[t] @ a["V"].T
        da.insert(0, dh * (1 - h[t + 1] ** 2))
        dh = da[0] @ a["W"].T
    return h, do, da


def test_the_recurrent_gradient_is_a_sum_over_the_steps():
    a, d = gradients("recurrent")
    h, do, da = back_through_time(a)
    agree(d["W"], sum(h[t].T @ da[t] for t in range(4)))
    agree(d["U"], sum(a["x"][t].T @ da[t] for t in range(4)))
    agree(d["b"], sum(da).sum(axis=0))
    agree(d["V"], sum(h[t + 1].T @ do[t] for t in range(4)))
    agree(d["c"], sum(do).sum(axis=0))
    agree(d["x"], [da_t @ a["U"].T for da_t in da])
    agree(d["h"], da[0] @ a["W"].T)


def test_each_term_of_that_sum_is_the_gradient_by_the_weights_of_one_step_alone():
    loss, a = story("recurrent")
    h, _, da = back_through_time(a)

    def unshared(W):  # the same network, with weights for each step: they are shared no longer
        state, L = a["h"], 0.0
        for t in range(4):
            state = np.tanh(a["x"][t] @ a["U"] + state @ W[t] + a["b"])
            L = L + np.sum((state @ a["V"] + a["c"] - a["y"][t]) ** 2) / (2 * 3)
        return L

    terms = cr.grad(unshared)([a["W"]] * 4)
    for t in range(4):
        agree(terms[t], h[t].T @ da[t])
    agree(sum(terms), cr.grad(loss, wrt="W")(**a))


def test_lstm_gates_get_their_partner_times_their_slope():
    a, d = gradients("lstm")
    steps, h, c = [], a["h"], a["c"]
    for x_t in a["x"]:
        hx = np.hstack([h, x_t])
        f, i, o = (sigmoid(hx @ a[f"W_{gate}"] + a[f"b_{gate}"]) for gate in "fio")
        new = np.tanh(hx @ a["W_c"] + a["b_c"])
        before, c = c, f * c + i * new
        h = o * np.tanh(c)
        steps.append((hx, f, i, o, new, before, c))
    dh, dc = (h - a["y"]) / 4, 0.0
    dW = {gate: np.zeros((5, 3)) for gate in "fico"}
    db = {gate: np.zeros(3) for gate in "fico"}
    dx = []
    for hx, f, i, o, new, before, c in reversed(steps):
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        dz = {
            "f": dc * before * f * (1 - f),
            "i": dc * new * i * (1 - i),
            "c": dc * i * (1 - new**2),
            "o": dh * np.tanh(c) * o * (1 - o),
        }
        dhx = sum(dz[gate] @ a[f"W_{gate}"].T for gate in "fico")
        for gate in "fico":
            dW[gate] += hx.T @ dz[gate]
            db[gate] += dz[gate].sum(axis=0)
        dh, dc = dhx[:, :3], dc * f
        dx.insert(0, dhx[:, 3:])
    for gate in "fico":
        agree(d[f"W_{gate}"], dW[gate])
        agree(d[f"b_{gate}"], db[gate])
    agree(d["x"], dx)
    agree(d["h"], dh)
    agree(d["c"], dc)
