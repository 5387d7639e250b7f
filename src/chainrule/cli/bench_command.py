"""`chainrule bench`: what a training step costs here, beside the same step written in NumPy by hand.

The one idea: only times of the same minutes can be compared. Everyone has a process, one after the other, and all of it
is done over again, each time in another order; medians count.
"""

from __future__ import annotations

import json as json_text
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chainrule.cli.bench_contenders import CONTENDERS, TRAININGS
from chainrule.cli.info_command import EXTRAS, installed, version
from chainrule.errors import ArgumentError

LABELS = {"hand": "NumPy by hand", "numpy": "chainrule, numpy", "numba": "chainrule, numba"}
TOLERANCE = 1e-3  # of the losses: float32 rounds differently in each
PROGRAM = "import sys; from chainrule.cli.bench_contenders import main; main(*sys.argv[1:])"

Results = dict[str, dict[str, dict[str, Any]]]  # by training and contender


def bench(
    *,
    configs: str = ",".join(TRAININGS),
    passes: int = 3,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Time training steps of small networks: NumPy by hand, and chainrule on NumPy and compiled.

    It takes about two minutes. All contenders start from the same weights and see the same batches; if their losses
    do not agree, a time does not count, and the exit code is 1.

    Parameters
    ----------
    configs
        What to time, separated by commas: tiny (2-4-4-3, 8 rows in a batch), digits (64-32-32-10, 32 rows),
        mse (8-64-64-1, 64 rows, the mean squared error), mnist (784-256-128-10, 128 rows).
    passes
        How often everything is done; medians count.
    json
        Print one JSON object instead of a table.
    """
    names = [name.strip() for name in configs.split(",") if name.strip()]
    unknown = [name for name in names if name not in TRAININGS]
    if unknown or not names:
        raise ArgumentError(f"--configs is {configs!r}: choose of {', '.join(TRAININGS)}")
    if passes < 1:
        raise ArgumentError(f"--passes is {passes}: it counts from 1")
    results: Results = {}
    for name in names:
        if not json:
            print(f"timing {name} ...", file=sys.stderr, flush=True)
        results[name] = _agreed(_time(name, passes))
    if json:
        facts = {"cores": os.cpu_count(), "chainrule": version(), **{name: installed(name) for name in EXTRAS}}
        print(json_text.dumps({"machine": facts, "passes": passes, "results": results}))
    else:
        _show(results)
    wrong = any("WRONG" in outcome.get("failure", "") for row in results.values() for outcome in row.values())
    return 1 if wrong else 0


def _time(name: str, passes: int) -> dict[str, dict[str, Any]]:
    """Microseconds of a step by contender, or why there are none."""
    answers: dict[str, list[dict[str, Any]]] = {contender: [] for contender in CONTENDERS}
    for number in range(passes):
        start = number % len(CONTENDERS)
        for contender in CONTENDERS[start:] + CONTENDERS[:start]:
            if not any("failure" in answer for answer in answers[contender]):
                answers[contender].append(_run(name, contender))
    outcomes: dict[str, dict[str, Any]] = {}
    for contender, given in answers.items():
        failed = next((answer for answer in given if "failure" in answer), None)
        outcomes[contender] = failed or {
            "microseconds": statistics.median(answer["microseconds"] for answer in given),
            "losses": given[0]["losses"],
        }
    return outcomes


def _run(name: str, contender: str) -> dict[str, Any]:
    """One process, which finds the chainrule that is running."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", PROGRAM, name, contender],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode:
        return {"failure": (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]}
    answer: dict[str, Any] = json_text.loads(done.stdout.splitlines()[-1])
    return answer


def _agreed(outcomes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Outcomes whose losses are not those of NumPy by hand are failures."""
    expected = outcomes["hand"].get("losses", [])
    checked = {}
    for contender, outcome in outcomes.items():
        losses = outcome.get("losses", [])
        pairs = zip(losses, expected, strict=False)
        off = [(got, want) for got, want in pairs if not abs(got - want) <= TOLERANCE * want]  # NaN is off, too
        checked[contender] = (
            {"failure": f"WRONG: the loss is {off[0][0]:.6g}, by hand {off[0][1]:.6g}"} if off else outcome
        )
    return checked


def _show(results: Results) -> None:
    """A table of microseconds, of our ratios to NumPy by hand, and why something is missing."""

    def ratio(row: dict[str, dict[str, Any]], contender: str) -> str:
        ours, theirs = (row[key].get("microseconds") for key in (contender, "hand"))
        return f"{ours / theirs:.2f}" if ours and theirs else "-"

    def time(row: dict[str, dict[str, Any]], contender: str) -> str:
        value = row[contender].get("microseconds")
        return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.2f}"

    lines = [("microseconds of a training step", *results)]
    lines += [(LABELS[c], *(time(row, c) for row in results.values())) for c in CONTENDERS]
    ours = [c for c in CONTENDERS if c != "hand"]
    lines += [(f"{LABELS[c]} / by hand", *(ratio(row, c) for row in results.values())) for c in ours]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells]))
    failures = {(c, row[c]["failure"]): None for row in results.values() for c in CONTENDERS if "failure" in row[c]}
    for contender, failure in failures:
        print(f"{LABELS[contender]}: {failure}")
