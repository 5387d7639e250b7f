"""Derivatives of NumPy functions: chainrule beside NumPy by hand, autograd, PyTorch and JAX. All in float64.

    python benchmarks/function_gradients.py --quick
    python benchmarks/function_gradients.py --peer-python peers/bin/python --json functions.json --svg functions.svg
    python benchmarks/function_gradients.py --cases "rosen n=10,hessian 30x30" --contenders jit,hand

What is timed stands in `contenders/function_cases.py`: gradients of the Rosenbrock function, of a logistic regression (569
rows, 30 columns), of a network's loss (30-64-64-10, 128 rows) and of a loop of 100 steps over a number; the gradients of
1,000 samples one by one (64-32-10), a Jacobian of 10 outputs by 64 inputs, and a Hessian of the logistic regression.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from chart import write_chart
from contenders.function_cases import CASES, LEFT_OUT
from harness import ONE_THREAD, Contender, Outcome, machine, measure
from reporting import describe_machine, number, print_table, write_json
from training_steps import failures_by_label, microseconds

METHOD = """\
Each contender is a process, stopped while another runs; {rounds} interleaved rounds in rotated order, medians; {repeats} whole
run(s), medians of their medians. float64. What everyone returns agrees with NumPy by hand to {tolerance:g} of its largest entry,
or is WRONG. NumPy by hand ran with one BLAS thread and with the default: the faster counts. Ratios below 1.3 are a tie."""
TOLERANCE = 1e-9

SMALL = ("rosen n=10", "rosen n=1000", "logreg 569x30", "100-step loop")
GRADIENTS = (*SMALL, "mlp B=128")
# what is compared: our contender, the peers of which the fastest counts, and our goal by case
COMPARISONS = (
    ("grad", ("autograd",), dict.fromkeys(GRADIENTS, 0.5)),
    ("jit", ("autograd",), {**dict.fromkeys(SMALL, 0.1), "mlp B=128": 0.5}),
    ("jit", ("hand",), {}),
    ("numba", ("jax",), {**dict.fromkeys(SMALL, 0.5), "mlp B=128": 1.0, "jacobian 10x64": 0.5, "hessian 30x30": 0.5}),
    ("numba", ("jax", "torch"), {"per-sample x1000": 1.1}),
)


def known_contenders(peer_python: str) -> dict[str, list[Contender]]:
    """Every contender by the name that `--contenders` takes, variants together."""

    def ours(key: str, label: str) -> list[Contender]:
        return [Contender(key, label, "gradients_chainrule.py", ("--how", key), "ours")]

    hand = ("NumPy by hand", "gradients_by_hand.py", (), "peer")
    return {
        "numba": ours("numba", "cr.jit, numba"),
        "jit": ours("jit", "cr.jit, numpy"),
        "grad": ours("grad", "chainrule, traced"),
        "hand": [Contender("hand", *hand), Contender("hand-1", *hand, environment=ONE_THREAD)],
        "jax": [Contender("jax", "jax.jit", "gradients_jax.py", python=peer_python)],
        "torch": [Contender("torch", "torch", "gradients_torch.py", python=peer_python)],
        "autograd": [Contender("autograd", "autograd", "gradients_autograd.py", python=peer_python)],
    }


def mark_wrong(outcomes: dict[str, Outcome], folder: Path) -> None:
    """Give those a failure whose derivatives are not those of NumPy by hand (or of whoever comes first without it)."""
    found = {}
    for key, outcome in outcomes.items():
        if outcome.failure is None:
            with np.load(folder / f"{key}.npz") as parts:
                found[key] = [parts[name] for name in parts]
    reference = found.get("hand") or next(iter(found.values()), [])
    for key, parts in found.items():
        shapes = [part.shape for part in parts]
        wanted = [part.shape for part in reference]
        if shapes != wanted:
            outcomes[key].failure = f"WRONG: shapes {shapes}, not {wanted}"
            continue
        for got, want in zip(parts, reference, strict=True):
            worst = np.max(np.abs(got - want)) / np.max(np.abs(want))
            if not worst <= TOLERANCE:
                outcomes[key].failure = f"WRONG: off by {worst:.1e} of the largest entry"


def ratios(ours: str, peers: list[str], times: list[dict[str, float]]) -> list[float]:
    """Of each run in which both sides were timed: our time by the fastest peer's."""
    return [
        run[ours] / min(run[peer] for peer in peers if peer in run)
        for run in times
        if ours in run and any(peer in run for peer in peers)
    ]


def report(contenders: list[Contender], times: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Print the table of times and the table of ratios; returns what they say."""
    labels = list(dict.fromkeys(contender.label for contender in contenders))
    label_of = {contender.key: contender.label for contender in contenders}
    medians = {
        name: {
            label: statistics.median(r[label] for r in runs if label in r)
            for label in labels
            if any(label in r for r in runs)
        }
        for name, runs in times.items()
    }
    rows = [(label, *(number(medians[name].get(label)) for name in times)) for label in labels]
    print_table("Microseconds of a call", ("", *times), rows)
    compared: dict[str, dict[str, Any]] = {name: {} for name in times}
    rows = []
    for key, rivals, goals in COMPARISONS:
        peers = [label_of[rival] for rival in rivals if rival in label_of]
        if key not in label_of or not peers:
            continue
        title, cells = f"{label_of[key]} / {' or '.join(peers)}", []
        for name, runs in times.items():
            of_runs = ratios(label_of[key], peers, runs)
            asked = name in goals or not goals
            if not of_runs or not asked:
                cells.append("")
                continue
            ratio = statistics.median(of_runs)
            compared[name][title] = {"median": ratio, "of runs": of_runs, "goal": goals.get(name)}
            said = ("met" if ratio <= goals[name] else "missed") if goals else ""
            cells.append(f"{ratio:.2f}" + (f" of {goals[name]:.2f} {said}" if goals else ""))
        rows.append((title, *cells))
    print()
    print_table("Ratios, and their goals", ("", *times), rows)
    return {name: {"microseconds": medians[name], "ratios": compared[name]} for name in times}


def parse() -> argparse.Namespace:
    """The command line, with names checked."""
    everyone = known_contenders("")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--contenders", default=",".join(everyone), help=f"of {', '.join(everyone)}")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PYTHON", help="interpreter with the peers")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=1, help="whole runs, in fresh processes")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    options = parser.parse_args()
    options.rounds = 3 if options.quick else options.rounds
    options.cases = options.cases.split(",")
    keys = options.contenders.split(",")
    for what, names, choices in (("case", options.cases, CASES), ("contender", keys, everyone)):
        unknown = [name for name in names if name not in choices]
        if unknown:
            parser.error(f"there is no {what} {unknown[0]!r}: choose of {', '.join(choices)}")
    groups = known_contenders(options.peer_python)
    options.contenders = [contender for key, group in groups.items() if key in keys for contender in group]
    return options


def main() -> None:
    """Measure case by case, then print and write."""
    options = parse()
    facts, versions = machine(), {}
    method = METHOD.format(rounds=options.rounds, repeats=options.repeats, tolerance=TOLERANCE)
    runs: dict[str, list[dict[str, Outcome]]] = {name: [] for name in options.cases}
    for repeat in range(options.repeats):
        for name in options.cases:
            print(f"run {repeat + 1} of {options.repeats}: {name}", file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                outcomes = measure(options.contenders, (name,), options.rounds, gate_epochs=1, saved=Path(folder))
                mark_wrong(outcomes, Path(folder))
            for outcome in outcomes.values():
                versions.update(outcome.versions)
            runs[name].append(outcomes)
    print(describe_machine(facts, versions))
    print(method, end="\n\n")
    times = {n: [microseconds(options.contenders, o, CASES[n].calls) for o in runs[n]] for n in options.cases}
    summaries = report(options.contenders, times)
    for label, failures in failures_by_label(options.contenders, runs).items():
        for failure, names in failures.items():
            print(f"left out: {label} ({', '.join(names)}): {failure}")
    for name, reason in LEFT_OUT.items():
        print(f"left out: {name}: {reason}")
    if options.json:
        details = {
            name: {**summaries[name], "runs": [{key: vars(o) for key, o in of_run.items()} for of_run in runs[name]]}
            for name in options.cases
        }
        write_json(options.json, {"machine": facts, "versions": versions, "method": method, "cases": details})
    if options.svg:
        roles = {contender.label: contender.role for contender in options.contenders}
        spots = {name: summary["microseconds"] for name, summary in summaries.items()}
        write_chart(options.svg, "Time of a derivative", spots, roles)


if __name__ == "__main__":
    main()
