"""Every golden case, in plain NumPy with the activations and losses of `cr.nn`, differentiated by `cr`.

The numbers and their tolerances are those of `tests/golden_numbers`; `null` there is not checked. A network whose last
layer pairs with its loss (softmax or sigmoid with cross-entropy) is checked twice: as written, through probabilities,
and from its logits. Saturated cases have no probabilities to go through: there the logits alone are checked.
"""

import itertools
import json
import linecache
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

FOLDER = Path(__file__).parent.parent / "golden_numbers"
CASES = {case["id"]: case for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text())["cases"]}
NETWORKS = [i for i, case in CASES.items() if case["kind"] in ("mlp", "wrong")]
PAIRS = {("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy")}
FROM_LOGITS = {"cross_entropy": cr.nn.softmax_cross_entropy, "binary_cross_entropy": cr.nn.sigmoid_cross_entropy}
LOSSES = {
    "squared_error": cr.nn.mean_squared_error,
    "cross_entropy": cr.nn.cross_entropy,
    "binary_cross_entropy": cr.nn.binary_cross_entropy,
}
ONLY_FROM_LOGITS = {"edge_bce_small_loss"}  # and where null says that float64 has no such probabilities
OPERATIONS = {name: getattr(np, name) for name in ("sin", "cos", "exp", "log", "tanh")}
OPERATIONS["sech"] = lambda x: 2 / (np.exp(x) + np.exp(-x))


def test_all_cases_are_here():
    assert len(CASES) == 194
    assert {case["kind"] for case in CASES.values()} == {"mlp", "wrong", "graph", "counts", "activation"}


class Network:
    """One case as a plain NumPy function of its data, its parameters, and zero offsets on every Z and A."""

    def __init__(self, case, logits):
        self.case, self.logits = case, logits
        self.column = case["layout"] == "column"
        self.axis = 0 if self.column else -1
        self.batch_axis = 1 if self.column else 0
        self.X = array(case["inputs"]["X"])
        labels = case["inputs"]["Y"]
        self.Y = np.array(labels) if case["loss"]["labels"] == "index" else array(labels)
        self.W = [array(w) for w in case["params"]["W"]]
        self.b = [array(b) for b in case["params"]["b"]]
        self.zeros = [np.zeros_like(array(z)) for z in case["forward"]["Z"]]

    def layers(self, X, W, b, dZ=None, dA=None):
        """Z and A of every layer."""
        Zs, As = [], []
        A = X
        for number, name in enumerate(self.case["activations"]):
            Z = W[number] @ A + b[number] if self.column else A @ W[number] + b[number]
            if dZ is not None:
                Z = Z + dZ[number]
            A = cr.nn.softmax(Z, axis=self.axis) if name == "softmax" else getattr(cr.nn, name)(Z)
            if dA is not None:
                A = A + dA[number]
            Zs.append(Z)
            As.append(A)
        return Zs, As

    def reduced(self, Z, A, Y, reduction):
        """The loss of the last layer; the halves are ours, not `cr.nn`'s."""
        name = self.case["loss"]["name"]
        half = 0.5 if reduction.startswith("half") else 1.0
        reduction = reduction.removeprefix("half_")
        loss = FROM_LOGITS[name] if self.logits else LOSSES[name]
        return half * loss(Z if self.logits else A, Y, reduction=reduction, axis=self.axis)

    def loss(self, X, Y, W, b, dZ=None, dA=None):
        Zs, As = self.layers(X, W, b, dZ, dA)
        return self.reduced(Zs[-1], As[-1], Y, self.case["loss"]["reduction"]), (Zs, As)

    def costs(self, X, Y, W, b, dZ=None, dA=None):
        """C_1 .. C_N."""
        Zs, As = self.layers(X, W, b, dZ, dA)
        factor = 1.0 if self.case["loss"]["reduction"].startswith("half") else self.case["loss"]["sample_factor"]
        reduction = "half_none" if self.case["loss"]["reduction"].startswith("half") else "none"
        return factor * self.reduced(Zs[-1], As[-1], Y, reduction)

    def cost_of_all(self, X, Y, W, b):
        """The sum of the costs: batch_factor is not in it."""
        return np.sum(self.costs(X, Y, W, b))

    def scalar(self, X, Y, W, b):
        return self.loss(X, Y, W, b)[0]


def array(values):
    return np.array(values, dtype=np.float64)  # null becomes nan


def agree(case, got, want, what, atol=None, rtol=None):
    """The README's rule: abs(got - want) <= atol * max(1, max abs want) + rtol * abs(want); null is not checked."""
    tolerance = case["tolerance"]
    got, want = np.asarray(got, dtype=np.float64), array(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, not {want.shape}"
    known = ~np.isnan(want)
    scale = max(1.0, float(np.max(np.abs(want[known]), initial=0.0))) if atol is None else 1.0
    allowed = (tolerance["atol"] if atol is None else atol) * scale
    allowed = allowed + (tolerance["rtol"] if rtol is None else rtol) * np.abs(want[known])
    error = np.abs(got[known] - want[known])
    assert np.all(error <= allowed), (
        f"{what}: off by {np.max(error - allowed)} beyond the tolerance, at most {error.max()}"
    )


def agree_lists(case, got, want, what):
    assert len(got) == len(want)
    for number, (g, w) in enumerate(zip(got, want, strict=True), 1):
        agree(case, g, w, f"{what}_{number}")


def ways(case):
    """Through probabilities, from logits, or both."""
    pairs = (case["activations"][-1], case["loss"]["name"]) in PAIRS
    saturated = "null" in json.dumps(case["backward"]) or case["id"] in ONLY_FROM_LOGITS
    return [way for way in (False, True) if (way and pairs) or (not way and not saturated)]


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    case = CASES[name]
    for logits in ways(case):
        network = Network(case, logits)
        check_forward_and_gradients(case, network)
        check_per_sample(case, network)
        for part, check in CHECKS.items():
            if part in case:
                check(case, network, case[part])


def check_forward_and_gradients(case, net):
    wrt = ("X", "W", "b", "dZ", "dA")
    gradient = cr.value_and_grad(net.loss, wrt=wrt, has_aux=True)
    (loss, (Zs, As)), (dX, dW, db, dZ, dA) = gradient(net.X, net.Y, net.W, net.b, net.zeros, net.zeros)
    forward, backward = case["forward"], case["backward"]
    agree_lists(case, Zs, forward["Z"], "Z")
    agree_lists(case, As, forward["A"], "A")
    agree(case, loss, forward["loss"], "loss", case["tolerance"].get("loss_atol"), case["tolerance"].get("loss_rtol"))
    costs = net.costs(net.X, net.Y, net.W, net.b)
    agree(case, costs, forward["sample_costs"], "sample costs")
    agree(case, case["loss"]["batch_factor"] * np.sum(costs), forward["loss"], "loss from the sample costs")
    agree(case, dX, backward["dX"], "dX")
    agree_lists(case, dW, backward["dW"], "dW")
    agree_lists(case, db, backward["db"], "db")
    agree_lists(case, dZ, backward["dZ"], "dZ")
    if net.logits:  # the last activation is not on the way from the logits to the loss
        assert not np.any(dA[-1])
        dA = [*dA[:-1], backward["dA"][-1]]
    agree_lists(case, dA, backward["dA"], "dA")


def check_per_sample(case, net):
    want = case.get("per_sample")
    if want is None:
        return
    batched = {"X": net.batch_axis, "Y": 0 if net.Y.ndim == 1 else net.batch_axis}
    dW, db = cr.per_sample_grad(net.cost_of_all, wrt=("W", "b"), batched=batched)(net.X, net.Y, net.W, net.b)
    agree_lists(case, dW, want["dW"], "per-sample dW")
    agree_lists(case, db, want["db"], "per-sample db")
    for part, zeros in (("dZ", 0), ("dA", 1)):  # the un-normalised signals of the posts
        if part not in want or (part == "dA" and net.logits):
            continue
        both = [net.zeros, net.zeros]

        def summed(offsets, zeros=zeros, both=both):
            dZ, dA = (offsets if place == zeros else own for place, own in enumerate(both))
            return np.sum(net.costs(net.X, net.Y, net.W, net.b, dZ, dA))

        agree_lists(case, cr.grad(summed)(net.zeros), want[part], f"per-sample {part}")


def check_jacobian(case, net, want):
    J = cr.jacobian(lambda X: net.layers(X, net.W, net.b)[1][-1])(net.X)
    N = case["batch"]
    for i in range(N):
        for j in range(N):
            block = J[:, i, :, j] if net.column else J[i, :, j, :]
            agree(case, block, want["blocks"][i] if i == j else np.zeros_like(block), f"Jacobian of {i} by {j}")


def check_jvp(case, net, want):
    direction = case["direction"]
    moves = (array(direction["X"]), [array(w) for w in direction["W"]], [array(b) for b in direction["b"]])

    def output_and_loss(X, W, b):
        loss, (_, As) = net.loss(X, net.Y, W, b)
        return As[-1], loss

    _, (A_dot, loss_dot) = cr.jvp(output_and_loss, (net.X, net.W, net.b), moves)
    agree(case, A_dot, want["A_L"], "jvp of A_L")
    agree(case, loss_dot, want["loss"], "jvp of the loss")


def check_hvp(case, net, want):
    direction = case["direction"]
    moves = ([array(w) for w in direction["W"]], [array(b) for b in direction["b"]])
    HW, Hb = cr.hvp(net.scalar, wrt=("W", "b"))(net.X, net.Y, net.W, net.b, moves)
    agree_lists(case, HW, want["W"], "hvp W")
    agree_lists(case, Hb, want["b"], "hvp b")


def check_hessian_x(case, net, want):
    def of_samples(rows):  # numbered sample by sample
        return net.scalar(rows.T if net.column else rows, net.Y, net.W, net.b)

    rows = net.X.T.copy() if net.column else net.X
    H = cr.hessian(of_samples)(rows)
    agree(case, H.reshape(rows.size, rows.size), want["value"], "Hessian by X")


def check_sgd(case, net, want):
    dW, db = cr.grad(net.scalar, wrt=("W", "b"))(net.X, net.Y, net.W, net.b)
    W = [w - want["lr"] * g for w, g in zip(net.W, dW, strict=True)]
    b = [p - want["lr"] * g for p, g in zip(net.b, db, strict=True)]
    agree_lists(case, W, want["W"], "W after a step")
    agree_lists(case, b, want["b"], "b after a step")
    agree(case, net.scalar(net.X, net.Y, W, b), want["loss_after"], "loss after a step")


def check_as_in_post(case, net, want):
    """S5's u1..u5, each differentiated by a zero added to it."""
    (w1, w2), (b1, b2) = net.W, net.b

    def mse(w1, b1, o1, o2, o3, o4):
        u1 = net.X @ w1 + b1 + o1
        u2 = np.maximum(0, u1) + o2
        u3 = u2 @ w2 + b2 + o3
        u4 = net.Y - u3 + o4
        u5 = u4**2
        return np.mean(np.sum(u5, axis=1)), (u1, u2, u3, u4, u5)

    zeros = [np.zeros_like(array(want[f"u{i}"])) for i in (1, 2, 3, 4)]
    (_, us), (w1_g, b1_g, *u_g) = cr.value_and_grad(mse, wrt=tuple(range(6)), has_aux=True)(w1, b1, *zeros)
    for number, u in enumerate(us, 1):
        agree(
            case,
            u if want[f"u{number}"] and np.ndim(want[f"u{number}"]) > 1 else u.sum(1),
            want[f"u{number}"],
            f"u{number}",
        )
    for number, g in enumerate(u_g, 1):
        agree(case, g, want[f"u{number}_g"], f"u{number}_g")
    agree(case, w1_g, want["w1_g"], "w1_g")
    agree(case, b1_g, want["b1_g"], "b1_g")


def check_counts(case, net, want):
    assert want["parameters"] == sum(p.size for p in (*net.W, *net.b))


CHECKS = {
    "jacobian": check_jacobian,
    "jvp": check_jvp,
    "hvp": check_hvp,
    "hessian_x": check_hessian_x,
    "sgd": check_sgd,
    "as_in_post": check_as_in_post,
    "counts": check_counts,
}


@pytest.mark.parametrize("name", [i for i, case in CASES.items() if case["kind"] == "activation"])
def test_activation(name):
    case = CASES[name]
    function = getattr(cr.nn, case["activation"])
    z = array(case["z"])
    value, slope = cr.jvp(function, (z,), (np.ones_like(z),))
    by_reverse = cr.grad(lambda z: np.sum(function(z)))(z)
    second = cr.grad(lambda z: np.sum(cr.grad(lambda z: np.sum(function(z)))(z)))(z)
    for got, want, part in (
        (value, "f", "tolerance"),
        (slope, "df", "tolerance_df"),
        (by_reverse, "df", "tolerance_df"),
        (second, "d2f", "tolerance_d2f"),
    ):
        agree(case, got, case[want], f"{case['activation']} {want}", case[part]["atol"], case[part]["rtol"])


def program(case):
    """The case's nodes as the text of a Python function, so that the tracer can read the names."""
    inputs = list(case["inputs"])
    lines = [f"def {case['id']}({', '.join(inputs)}):"]
    lines += [f"    {node['name']} = {node['expr']}" for node in case["nodes"]]
    lines += [f"    return {case['output']}"]
    text, filename = "\n".join(lines), f"<{case['id']}>"
    linecache.cache[filename] = (len(text), None, [line + "\n" for line in lines], filename)
    scope = dict(OPERATIONS)
    exec(compile(text, filename, "exec"), scope)
    return scope[case["id"]]


def checked(case, got, want, what):
    assert set(got) == set(want), what
    for key, value in want.items():
        agree(case, got[key], value, f"{what} {key}", atol=case["tolerance"]["atol"] * max(1.0, abs(value)))


@pytest.mark.parametrize("name", [i for i, case in CASES.items() if case["kind"] == "graph"])
def test_graph(name):
    case = CASES[name]
    function, inputs = program(case), case["inputs"]
    wrt = tuple(range(len(inputs)))
    value, gradients = cr.value_and_grad(function, wrt=wrt)(*inputs.values())
    agree(case, value, case["values"][case["output"]], "value")
    checked(case, dict(zip(inputs, gradients, strict=True)), {i: case["gradients"][i] for i in inputs}, "gradient")
    H = cr.hessian(function, wrt=wrt)(*inputs.values())
    for row, a in zip(H, inputs, strict=True):
        for entry, b in zip(row, inputs, strict=True):
            agree(case, entry, case["hessian"][a][b], f"Hessian {a} {b}")
    paths = cr.paths(function, *inputs.values())
    checked(case, paths.values, case["values"], "value of")
    checked(case, paths.gradients, case["gradients"], "gradient by")
    edges = {f"{e['source']}->{e['target']}": e["value"] for e in case["edges"]}
    checked(case, {f"{e.source}->{e.target}": e.value for e in paths.edges}, edges, "partial derivative")
    for node in inputs:
        tangents = paths.tangents(node)
        tangents.pop(node)
        want = {n: v for n, v in case["tangents"][node].items() if n in tangents or v}
        checked(case, tangents, want, f"tangents of {node}")
    for node, want in case.get("paths", {}).items():
        found = {path.nodes: path.product for path in paths.paths_from(node)}
        checked(case, found, {tuple(p["nodes"]): p["product"] for p in want}, f"paths from {node}")
    assert paths.counts == case["counts"]


def test_counts_of_the_dense_net():
    case = CASES["s3_net_counts"]
    rng = np.random.default_rng(0)
    sizes = case["sizes"]
    W = [rng.standard_normal((n, m)) for m, n in itertools.pairwise(sizes)]

    def net(x):
        z2 = W[0] @ x
        z3 = W[1] @ np.tanh(z2)
        z4 = W[2] @ np.tanh(z3)
        C = np.sum(np.tanh(z4) ** 2)
        return C

    paths = cr.paths(net, rng.standard_normal(2))
    counts, want = paths.counts, case["counts"]
    assert list(counts["paths"].values()) == list(want["paths"].values())
    for part in ("edges", "variables", "forward_mode", "reverse_mode"):
        assert counts[part] == want[part]
    walked = {key: count for key, count in counts["path_by_path"].items() if key != "per_edge"}
    assert walked == want["path_by_path"]
    assert sum(counts["path_by_path"]["per_edge"].values()) == walked["edge_uses"]
