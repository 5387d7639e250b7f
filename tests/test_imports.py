"""The arrows between files: a file imports from its own floor or lower ones, and no two files import each other.

Every import statement counts, also those inside functions and under `TYPE_CHECKING`: a circle that hides is a circle.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent
FLOORS = [
    {"errors", "pytree", "shapes"},
    {"advice", "frames", "graphs", "index_form", "matrix_form", "places", "primitive"},
    {
        "evaluate",
        "in_place",
        "labels",
        "lifting",
        "methods",
        "primitives",
        "quick",
        "sharing",
        "sizes",
        "staging",
        "trace",
        "tracer",
        "writes",
    },
    {"derivation"},
    {"program", "simplify", "spelling"},
    {"checking", "emit", "show"},
    {"diagnosis"},
    {"native", "run"},
    {
        "arguments",
        "blaming",
        "calling",
        "captures",
        "checkpointing",
        "compilation",
        "deriving",
        "diagnosing",
        "drawing",
        "differentiation",
        "elsewhere",
        "footprint",
        "jitting",
        "per_sample",
        "proving",
        "questioning",
        "testing",
        "transforms",
        "views",
    },
    {"train"},
    {"estimators", "explorer", "report"},
    {"cli"},
    {"__init__", "__main__"},  # the front door: everything may be behind it, nothing goes through it
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names} | {"nn": 8, "optim": 8}
BESIDE = {"errors", "pytree", "shapes", "primitive", "primitives"}  # what nn and optim may know


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(module):
    """The files that a file imports, each once."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively in line {node.lineno}"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in inner}
    ours = {name for name in found if name.split(".")[0] == "chainrule"}
    return {"chainrule.__init__" if name == "chainrule" else name for name in ours} - {module}


def part(module):
    """The name that decides a file's floor: the first one below the package."""
    return module.split(".")[1]


@pytest.mark.parametrize("module", FILES)
def test_no_arrow_runs_up(module):
    assert part(module) in FLOOR, f"{module} has no floor: give it one here and in pyproject.toml"
    up = {name for name in imports(module) if FLOOR[part(name)] > FLOOR[part(module)]}
    assert up == set()


def test_no_two_files_import_each_other_by_any_way():
    arrows = {module: imports(module) for module in FILES}
    while True:
        ends = {module for module, targets in arrows.items() if not targets & arrows.keys()}
        if not ends:
            break
        arrows = {module: targets for module, targets in arrows.items() if module not in ends}
    assert sorted(arrows) == [], "these files lie on a circle of imports, or lead to one"


@pytest.mark.parametrize("module", [m for m in FILES if part(m) in ("checking", "emit", "show")])
def test_judges_writers_and_costumes_do_not_know_each_other(module):
    others = {"checking", "emit", "show"} - {part(module)}
    assert {name for name in imports(module) if part(name) in others} == set()


@pytest.mark.parametrize("module", [m for m in FILES if part(m) == "checking"])
def test_a_judge_does_not_ask_the_accused(module):
    assert {name for name in imports(module) if part(name) in ("simplify", "spelling")} == set()


@pytest.mark.parametrize("module", [m for m in FILES if part(m) in ("nn", "optim")])
def test_networks_and_optimizers_are_plain_numpy(module):
    assert {name for name in imports(module) if part(name) not in BESIDE | {part(module)}} == set()


@pytest.mark.parametrize("module", ["optree", "rich", "cyclopts", "sklearn", "numba", "safetensors", "scipy"])
def test_importing_chainrule_imports_numpy_and_nothing_else_that_is_large(module):
    program = f"import sys; import chainrule; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout == "False\n"
