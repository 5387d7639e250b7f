"""How long does it take to check a gradient? `cr.check` beside `torch.autograd.gradcheck`, in float64.

    python benchmarks/gradient_checks.py --peer-python peers/bin/python --quick
    python benchmarks/gradient_checks.py --peer-python peers/bin/python --cases "64-128-128-10, N=32" --json checks.json

The gradient of a ReLU network's softmax cross-entropy by all weights and biases. gradcheck's default perturbs every entry
twice. `cr.check` compares as many entries as its default budget allows and covers all others with random directions, by
complex step, and also proves the trace and the programs; "every entry" compares them all one by one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from contenders.check_cases import CASES
from harness import Contender, Outcome, machine, mark_wrong, measure
from reporting import describe_machine, number, print_table, write_json

METHOD = """\
Each contender is a process, stopped while another runs; {rounds} interleaved rounds in rotated order after one that is not
counted, medians. float64. A check that fails, or another loss, is WRONG. Ratios below 1.3 are a tie."""
GOAL = 1.0  # of gradcheck's time
SAME_LOSS = 1e-9


def known_contenders(peer_python: str) -> dict[str, Contender]:
    """Every contender by the name that `--contenders` takes."""
    return {
        "check": Contender("check", "cr.check", "checks_chainrule.py", role="ours"),
        "every": Contender("every", "cr.check, every entry", "checks_chainrule.py", ("--entries", "all"), "ours"),
        "gradcheck": Contender("gradcheck", "torch gradcheck", "checks_torch.py", python=peer_python),
        "fast": Contender(
            "fast", "torch gradcheck, fast mode", "checks_torch.py", ("--mode", "fast"), python=peer_python
        ),
    }


def parse() -> argparse.Namespace:
    """The command line, with names checked."""
    everyone = known_contenders("")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument("--contenders", default=",".join(everyone), help=f"of {', '.join(everyone)}")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PYTHON", help="interpreter with PyTorch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    options.rounds = 2 if options.quick else options.rounds
    known = known_contenders(options.peer_python)
    keys = options.contenders.split(",")
    unknown = [key for key in keys if key not in known]
    if unknown:
        parser.error(f"there is no contender {unknown[0]!r}: choose of {', '.join(known)}")
    options.contenders = [known[key] for key in keys]
    return options


def report(contenders: list[Contender], outcomes: dict[str, dict[str, Outcome]]) -> dict[str, Any]:
    """Print seconds, and our time by gradcheck's; returns the ratios."""
    rows = []
    for contender in contenders:
        found = (outcome[contender.key].median for outcome in outcomes.values())
        rows.append((contender.label, *map(number, found)))
    print_table("Seconds of a check", ("", *outcomes), rows)
    ratios: dict[str, Any] = {}
    for name, outcome in outcomes.items():
        of_rounds = [
            ours / theirs
            for ours, theirs in zip(
                outcome["check"].seconds if "check" in outcome else [],
                outcome["gradcheck"].seconds if "gradcheck" in outcome else [],
                strict=False,
            )
        ]
        if of_rounds and all(outcome[key].failure is None for key in ("check", "gradcheck")):
            ratio = statistics.median(of_rounds)
            ratios[name] = ratio
            print(f"{name}: cr.check / gradcheck {ratio:.2f} of {GOAL:.2f} {'met' if ratio <= GOAL else 'missed'}")
    return ratios


def main() -> None:
    """Measure case by case, then print and write."""
    options = parse()
    facts, versions = machine(), {}
    outcomes: dict[str, dict[str, Outcome]] = {}
    for name in options.cases:
        print(name, file=sys.stderr)
        outcomes[name] = measure(options.contenders, (name,), options.rounds, gate_epochs=1)
        mark_wrong(outcomes[name], SAME_LOSS)
        for outcome in outcomes[name].values():
            versions.update(outcome.versions)
    method = METHOD.format(rounds=options.rounds)
    print(describe_machine(facts, versions))
    print(method, end="\n\n")
    ratios = report(options.contenders, outcomes)
    for name, of_case in outcomes.items():
        for contender in options.contenders:
            failure = of_case[contender.key].failure
            if failure is not None:
                print(f"left out: {contender.label} ({name}): {failure}")
    if options.json:
        details = {name: {key: vars(o) for key, o in of_case.items()} for name, of_case in outcomes.items()}
        facts_of_run = {"machine": facts, "versions": versions, "method": method}
        write_json(options.json, {**facts_of_run, "ratios": ratios, "cases": details})


if __name__ == "__main__":
    main()
