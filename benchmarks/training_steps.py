"""One training step, from 2-4-4-3 to 1024 units: chainrule beside NumPy by hand, JAX, PyTorch and others.

    python benchmarks/training_steps.py --quick                     what is installed beside chainrule, in a few minutes
    python benchmarks/training_steps.py --peer-python peers/bin/python --repeats 3 --json steps.json --svg steps.svg
    python benchmarks/training_steps.py --configs digits,mnist --contenders default,numba-1,numba-2,sklearn

Peers run in the interpreter of `--peer-python`, which needs NumPy and the peers, not chainrule; one that is not there is
left out. Before any time counts, the losses of the first two epochs must agree among all contenders.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from chart import write_chart
from contenders.configurations import CONFIGURATIONS
from harness import ONE_THREAD, Contender, Outcome, machine, mark_wrong, measure
from reporting import describe_machine, number, print_table, write_json

METHOD = """\
Each contender is a process, stopped while another runs; {rounds} interleaved rounds in rotated order, medians; {repeats} whole
run(s), medians of their medians. Same weights, same batches in the same order; no shuffling. An epoch is timed as a
whole, with all that `fit` does. Losses of two epochs agree to {float32:g} (float64: {float64:g}), or the contender is WRONG.
NumPy by hand and the floor ran with one BLAS thread and with the default: the faster of the two counts. The floor is
the step's matrix products through NumPy, its calls included. Other thread settings are everyone's default."""
TOLERANCES = {"float32": 1e-3, "float64": 1e-6}

# our time / the fastest peer's: the goals
GOALS = {
    "tier 1": {
        "tiny": 0.20, "bce": 0.55, "digits": 0.55, "mse": 0.75, "mnist": 0.85, "wide": 0.90, "deep": 0.90, "big": 0.95,
    },
    "tier 2, must": {
        "tiny": 0.10, "bce": 0.25, "digits": 0.30, "mse": 0.55, "mnist": 0.75, "wide": 0.90, "deep": 0.70, "big": 0.90,
    },
}  # fmt: skip
DEFAULT = ("numba", "numpy", "hand", "floor", "jax-jit", "jax-scan", "torch", "autograd")


def known_contenders(peer_python: str, threads: int | None) -> dict[str, list[Contender]]:
    """Every contender by the name that `--contenders` takes, variants together."""

    def ours(key: str, label: str, *arguments: str) -> list[Contender]:
        return [Contender(key, f"chainrule {label}", "chainrule_fit.py", arguments, "ours")]

    def peer(key: str, label: str, file: str, *arguments: str) -> list[Contender]:
        return [Contender(key, label, file, arguments, "peer", peer_python)]

    def with_numpy(key: str, label: str, file: str, role: str) -> list[Contender]:
        return [
            Contender(key, label, file, (), role),
            Contender(f"{key}-1", label, file, (), role, environment=ONE_THREAD),
        ]

    chosen_threads = () if threads is None else ("--threads", str(threads))
    return {
        "numba": ours("numba", "numba", "--engine", "numba", *chosen_threads),
        "numba-1": ours("numba-1", "numba, 1 thread", "--engine", "numba", "--threads", "1"),
        "numba-2": ours("numba-2", "numba, 2 threads", "--engine", "numba", "--threads", "2"),
        "numpy": ours("numpy", "numpy", "--engine", "numpy"),
        "auto": ours("auto", "auto", "--engine", "auto"),
        "hand": with_numpy("hand", "NumPy by hand", "numpy_by_hand.py", "peer"),
        "jax-jit": peer("jax-jit", "jax.jit, donated", "with_jax.py", "--mode", "jit"),
        "jax-scan": peer("jax-scan", "jax lax.scan", "with_jax.py", "--mode", "scan"),
        "torch": peer("torch", "torch eager", "with_torch.py"),
        "torch-compile": peer("torch-compile", "torch.compile", "with_torch.py", "--compile"),
        "sklearn": peer("sklearn", "scikit-learn", "with_sklearn.py"),
        "autograd": peer("autograd", "autograd", "with_autograd.py"),
        "pytensor": peer("pytensor", "PyTensor, Numba", "with_pytensor.py"),
        "floor": with_numpy("floor", "bare matrix products", "matrix_products.py", "floor"),
    }


def microseconds(contenders: list[Contender], outcomes: dict[str, Outcome], steps: int) -> dict[str, float]:
    """Microseconds of a step by label: of variants, the quickest."""
    times: dict[str, float] = {}
    for contender in contenders:
        median = outcomes[contender.key].median
        if median is not None:
            times[contender.label] = min(times.get(contender.label, float("inf")), median / steps * 1e6)
    return times


def summarise(contenders: list[Contender], runs: list[dict[str, Outcome]], steps: int) -> dict[str, Any]:
    """Medians over the runs: of each label's time, and of our ratio to the fastest peer and to the floor of a run."""
    roles = {contender.label: contender.role for contender in contenders}
    ours = next((contender.label for contender in contenders if contender.role == "ours"), None)
    times = [microseconds(contenders, outcomes, steps) for outcomes in runs]
    summary: dict[str, Any] = {
        "microseconds": {
            label: statistics.median(of_runs) for label in roles if (of_runs := [t[label] for t in times if label in t])
        }
    }
    for name, role in (("fastest peer", "peer"), ("floor", "floor")):
        best = [min((value for label, value in t.items() if roles[label] == role), default=None) for t in times]
        ratios = [t[ours] / b for t, b in zip(times, best, strict=True) if ours in t and b is not None]
        summary[f"ours / {name}"] = {"median": statistics.median(ratios), "of runs": ratios} if ratios else None
    peers = {label: value for label, value in summary["microseconds"].items() if roles[label] == "peer"}
    summary["fastest peer"] = min(peers, key=peers.__getitem__) if peers else None
    return summary


def verdict(name: str, ratio: dict[str, Any] | None, goals: dict[str, float]) -> str:
    """The goal, and whether our ratio meets it."""
    if name not in goals:
        return ""
    if ratio is None:
        return f"{goals[name]:.2f} -"
    return f"{goals[name]:.2f} " + ("met" if ratio["median"] <= goals[name] else "missed")


def report(contenders: list[Contender], summaries: dict[str, dict[str, Any]], runs: dict[str, list]) -> None:
    """Print the table, and why contenders are missing in it."""
    labels = list(dict.fromkeys(contender.label for contender in contenders))
    ours = next((contender.label for contender in contenders if contender.role == "ours"), "chainrule")
    rows = [(label, *(number(s["microseconds"].get(label)) for s in summaries.values())) for label in labels]
    rules = [len(rows) - 1]
    for name in ("ours / fastest peer", "ours / floor"):
        rows.append((name, *(number(s[name]["median"] if s[name] else None) for s in summaries.values())))
        if name == "ours / fastest peer":
            spreads = [s[name]["of runs"] if s[name] else [] for s in summaries.values()]
            if max(map(len, spreads), default=0) > 1:
                rows.append(("  of all runs", *(f"{min(r):.2f}-{max(r):.2f}" if r else "-" for r in spreads)))
    rules.append(len(rows) - 1)
    for tier, goals in GOALS.items():
        rows.append((f"goal, {tier}", *(verdict(n, s["ours / fastest peer"], goals) for n, s in summaries.items())))
    print_table("Microseconds of a training step", ("", *summaries), rows, rules)
    print(f"ours: {ours}")
    for label, failures in failures_by_label(contenders, runs).items():
        for failure, names in failures.items():
            print(f"left out: {label} ({', '.join(names)}): {failure}")


def failures_by_label(contenders: list[Contender], runs: dict[str, list]) -> dict[str, dict[str, list[str]]]:
    """By contender and reason: the configurations in which it could not be timed."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, of_runs in runs.items():
        for contender in contenders:
            for failure in {outcomes[contender.key].failure for outcomes in of_runs} - {None}:
                names = found.setdefault(contender.label, {}).setdefault(failure, [])
                names += [] if name in names else [name]
    return found


def parse() -> argparse.Namespace:
    """The command line, with names checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", default=",".join(CONFIGURATIONS), help=f"of {', '.join(CONFIGURATIONS)}")
    known = ", ".join(known_contenders("", None))
    parser.add_argument("--contenders", default="default", help=f"default ({', '.join(DEFAULT)}), all, or of {known}")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PYTHON", help="interpreter with the peers")
    parser.add_argument("--threads", type=int, help="for chainrule numba; by default it decides itself")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=1, help="whole runs, in fresh processes")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    options = parser.parse_args()
    options.rounds = 3 if options.quick else options.rounds
    options.configs = options.configs.split(",")
    everyone = known_contenders(options.peer_python, options.threads)
    groups = {"default": DEFAULT, "all": tuple(everyone)}
    keys = dict.fromkeys(key for name in options.contenders.split(",") for key in groups.get(name, (name,)))
    for what, names, choices in (("configuration", options.configs, CONFIGURATIONS), ("contender", keys, everyone)):
        unknown = [name for name in names if name not in choices]
        if unknown:
            parser.error(f"there is no {what} {unknown[0]!r}: choose of {', '.join(choices)}")
    options.contenders = [contender for key in everyone if key in keys for contender in everyone[key]]
    return options


def main() -> None:
    """Measure configuration by configuration, then print and write."""
    options = parse()
    facts, versions = machine(), {}
    method = METHOD.format(rounds=options.rounds, repeats=options.repeats, **TOLERANCES)
    runs: dict[str, list[dict[str, Outcome]]] = {name: [] for name in options.configs}
    for repeat in range(options.repeats):
        for name in options.configs:
            print(f"run {repeat + 1} of {options.repeats}: {name}", file=sys.stderr)
            outcomes = measure(options.contenders, (name,), options.rounds)
            mark_wrong(outcomes, TOLERANCES[CONFIGURATIONS[name].dtype])
            for outcome in outcomes.values():
                versions.update(outcome.versions)
            runs[name].append(outcomes)
    summaries = {n: summarise(options.contenders, runs[n], CONFIGURATIONS[n].steps) for n in options.configs}
    print(describe_machine(facts, versions))
    print(method, end="\n\n")
    report(options.contenders, summaries, runs)
    if options.json:
        details = {
            name: {
                **vars(CONFIGURATIONS[name]),
                "flops": CONFIGURATIONS[name].flops,
                **summaries[name],
                "goals": {tier: goals[name] for tier, goals in GOALS.items() if name in goals},
                "runs": [{key: vars(outcome) for key, outcome in outcomes.items()} for outcomes in runs[name]],
            }
            for name in options.configs
        }
        write_json(
            options.json,
            {"machine": facts, "versions": versions, "method": method, "configurations": details},
        )
    if options.svg:
        roles = {contender.label: contender.role for contender in options.contenders}
        times = {name: summary["microseconds"] for name, summary in summaries.items()}
        write_chart(options.svg, "Time of a training step", times, roles)


if __name__ == "__main__":
    main()
