"""What one waits for: importing chainrule, and the way from a new process to the end of its first epoch.

    python benchmarks/compile_times.py
    python benchmarks/compile_times.py --peer-python peers/bin/python --repeats 5 --json compile.json

A cold start has an empty folder for machine code (CHAINRULE_CACHE_DIR), a warm start finds there what the cold one before
it left. JAX gets a folder for its own machine code in the same way. The making of the data, the same for all, is
subtracted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import Child, Contender, ContenderError, machine
from reporting import describe_machine, number, print_table, write_json

METHOD = """\
Every number is the median over {repeats} new processes, contenders in turn, wall time from the start of the process. Data on the
disk is in the system's memory: one start of each came first. An epoch is that of training_steps.py."""
IMPORTS = {
    "(nothing)": "pass",
    "numpy": "import numpy",
    "chainrule": "import chainrule",
    "chainrule, and grad": "import chainrule; chainrule.grad",
    "chainrule, and fit": "import chainrule; chainrule.fit",
}
GOAL_IMPORT = 1.5  # chainrule's import / numpy's
CONFIGURATIONS = ("digits", "mnist")


def import_seconds(repeats: int) -> dict[str, list[float]]:
    """Seconds of a process that imports, and ends."""
    seconds: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for repeat in range(repeats + 1):
        for name, program in IMPORTS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own interpreter
            if repeat:  # the first start reads the disk
                seconds[name].append(time.perf_counter() - started)
    return seconds


def contenders(peer_python: str, cache: str) -> list[Contender]:
    """Those whose first epoch is timed, with a folder for machine code."""
    ours = {"CHAINRULE_CACHE_DIR": f"{cache}/chainrule"}
    theirs = {
        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    fit, scan = "chainrule_fit.py", ("--mode", "scan")
    return [
        Contender("numba", "chainrule numba", fit, ("--engine", "numba"), "ours", environment=ours),
        Contender("numpy", "chainrule numpy", fit, ("--engine", "numpy"), "ours", environment=ours),
        Contender("jax-scan", "jax lax.scan", "with_jax.py", scan, "peer", peer_python, theirs),
    ]


def first_epoch_seconds(contender: Contender, configuration: str, versions: dict[str, str]) -> float:
    """From the start of a process to the answer to its first epoch, without the making of the data; adds versions."""
    started = time.perf_counter()
    child = Child(contender, (configuration,))
    try:
        facts = child.answer()
        child.ask()
        seconds = time.perf_counter() - started - facts["data_seconds"]
    finally:
        child.end()
    versions.update(facts["versions"])
    return seconds


def measure_first_epochs(
    configuration: str, peer_python: str, repeats: int, versions: dict[str, str]
) -> tuple[dict[str, dict[str, list[float]]], dict[str, str]]:
    """Seconds by label and by "cold" or "warm", and why somebody is missing."""
    seconds: dict[str, dict[str, list[float]]] = {}
    failures: dict[str, str] = {}
    for repeat in range(repeats):
        print(f"{configuration}: {repeat + 1} of {repeats}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as cache:
            for start in ("cold", "warm"):
                for contender in contenders(peer_python, cache):
                    if contender.label in failures:
                        continue
                    try:
                        if repeat == 0 and start == "cold":  # from the disk into memory, with a cache of its own
                            with tempfile.TemporaryDirectory() as other:
                                twin = {c.key: c for c in contenders(peer_python, other)}[contender.key]
                                first_epoch_seconds(twin, configuration, versions)
                        taken = first_epoch_seconds(contender, configuration, versions)
                    except ContenderError as error:
                        failures[contender.label] = str(error)
                        continue
                    seconds.setdefault(contender.label, {"cold": [], "warm": []})[start].append(taken)
    return seconds, failures


def report_imports(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Print what imports cost beyond an interpreter that does nothing; returns it."""
    empty = statistics.median(seconds["(nothing)"])
    cost = {name: statistics.median(taken) - empty for name, taken in seconds.items() if name != "(nothing)"}
    ratio = cost["chainrule"] / cost["numpy"]
    rows = [(f"import {name}", f"{1e3 * value:.0f}") for name, value in cost.items()]
    print_table("Milliseconds of an import", ("", "ms"), rows)
    said = "met" if ratio <= GOAL_IMPORT else "missed"
    print(f"chainrule / numpy: {ratio:.2f}, goal {GOAL_IMPORT:.2f} {said}\n")
    return {"seconds": cost, "ratio": ratio, "goal": GOAL_IMPORT, "interpreter": empty}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", default=",".join(CONFIGURATIONS), help="of those of training_steps.py")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PYTHON", help="interpreter with JAX")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    facts, method = machine(), METHOD.format(repeats=options.repeats)
    versions: dict[str, str] = {}
    imports = report_imports(import_seconds(3 * options.repeats))
    results: dict[str, Any] = {"imports": imports, "first epoch": {}}
    columns: dict[str, dict[str, float]] = {}
    labels: dict[str, None] = {}
    for name in options.configs.split(","):
        seconds, failures = measure_first_epochs(name, options.peer_python, options.repeats, versions)
        results["first epoch"][name] = {"seconds": seconds, "failures": failures}
        for label, failure in failures.items():
            print(f"left out: {label} ({name}): {failure}")
        for label, starts in seconds.items():
            labels[label] = None
            for start, taken in starts.items():
                if taken:
                    columns.setdefault(f"{name}, {start}", {})[label] = statistics.median(taken)
    rows = [(label, *(number(column.get(label)) for column in columns.values())) for label in labels]
    ours, theirs = "chainrule numba", "jax lax.scan"
    cells = []
    for title, column in columns.items():
        ratio = column[ours] / column[theirs] if {ours, theirs} <= set(column) else None
        said = " (goal 1.00 " + ("met)" if ratio <= 1 else "missed)") if ratio and "warm" in title else ""
        cells.append(number(ratio) + said)
    print_table("Seconds to the end of the first epoch", ("", *columns), [*rows, (f"{ours} / {theirs}", *cells)])
    print(f"\n{describe_machine(facts, versions)}\n{method}")
    if options.json:
        write_json(options.json, {"machine": facts, "versions": versions, "method": method, **results})


if __name__ == "__main__":
    main()
