"""docs/deriving.md shows what happens: every output in it is what its program prints, but for the last digits of rounding."""

import contextlib
import io
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "deriving.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|text)\n(.*?)```", PAGE, re.DOTALL)


def without_rounding(text):
    """Errors of rounding are not the same on every processor."""
    text = re.sub(r"to \d+e[-+]\d+|to the last bit", "to rounding", text)
    return [line.rstrip() for line in text.rstrip("\n").splitlines()]


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
            assert without_rounding(printed) == without_rounding(text)
    assert outputs == 5
