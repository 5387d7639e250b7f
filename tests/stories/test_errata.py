"""chainrule finds the slips in the posts that describe it: every printed formula is wrong, every corrected one right."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "examples" / "posts" / "errata.py"
STORY = runpy.run_path(str(FILE), run_name="story")
ERRATA, judge = STORY["ERRATA"], STORY["judge"]
each_erratum = pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: erratum.number)


@each_erratum
def test_the_printed_formula_is_judged_wrong(erratum):
    right, says = judge(erratum, erratum.printed)
    assert not right
    if erratum.illegal:
        assert "does not fit" in says or "there is no" in says
        assert says.splitlines()[-1].strip("^ ") == "", "the place is pointed at"


@each_erratum
def test_the_corrected_formula_is_judged_right(erratum):
    assert judge(erratum, erratum.right)[0]


def test_every_post_has_its_errata_and_each_has_a_number_of_its_own():
    numbers = [erratum.number for erratum in ERRATA]
    assert {number[0] for number in numbers} == set("12345")
    assert len(set(numbers)) == len(numbers) >= 30


def test_the_table_is_printed():
    done = subprocess.run(
        [sys.executable, str(FILE)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    assert "NOT RIGHT" not in done.stdout
    assert done.stdout.splitlines()[-1] == f"{len(ERRATA)} of {len(ERRATA)} printed formulas are found to be wrong"
