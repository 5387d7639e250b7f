"""docs/checking.md shows what happens: every output in it is what its program prints, but for the last digits of rounding."""

import contextlib
import io
import re
from pathlib import Path

from chainrule import differentiation

PAGE = (Path(__file__).parents[2] / "docs" / "checking.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|text)\n(.*?)```", PAGE, re.DOTALL)


def without_rounding(text):
    """Errors of rounding, the entries that happen to have the worst of them, and seconds are not the same everywhere."""
    text = re.sub(r"\d\.\de-\d\d|\de-\d\d", "#", text)
    lines = []
    for line in text.splitlines():
        if re.search(r" (proved|on a kink) +", line) and "argument" not in line and ":" not in line:
            line = re.sub(r" (proved|on a kink) .*", r" \1", line)
        line = re.sub(r"(evaluations of \w+|sweeps?|evaluations|1 run) *,? *[\d.e#-]+( s)?$", r"\1", line)
        line = re.sub(r" \(#\)$| 0$", "", line)
        line = re.sub(r"  +[#0][.\d#e+]*  ", "  ", line)
        lines.append(" ".join(line.split()))
    return lines


def test_every_output_is_what_its_program_prints(tmp_path):
    scope = {}
    printed = ""
    outputs = 0
    for number, (kind, text) in enumerate(BLOCKS):
        if kind == "python":
            path = tmp_path / f"page{number}.py"
            path.write_text(text, encoding="utf-8")
            shown = io.StringIO()
            with contextlib.redirect_stdout(shown):
                exec(compile(text, path, "exec"), scope)
            printed = shown.getvalue()
        else:
            outputs += 1
            assert without_rounding(printed.rstrip("\n")) == without_rounding(text.rstrip("\n"))
    differentiation._programs.clear()  # the page breaks a rule on purpose: what was derived by it must not outlive it
    assert outputs >= 6


def test_the_comparison_of_outputs_can_fail():
    shown = "x  (3,)  float64  complex step  3  wrong  8.6e-01  1.6e+00  3e-13  [0]  -1.11351  -0.159317"
    assert without_rounding(shown) != without_rounding(shown.replace("-1.11351", "-1.11352"))
    assert without_rounding("1 entry sits on a kink") != without_rounding("2 entries sit on a kink")
