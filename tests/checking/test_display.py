"""A report as text, on a terminal and in a notebook: the same words, no wider than the place, nothing unescaped."""

import io

import numpy as np
import pytest
from rich.console import Console

import chainrule as cr
from chainrule.checking.display import as_html, as_text
from checking_support import rules


def f(x, weights):
    h = np.maximum(0, x)
    return np.sum(np.tanh(h * weights["<b>"]))


@pytest.fixture(scope="module")
def report():
    with rules("tanh", lambda x, y: 1 - y):
        return cr.check(f, np.array([1.0, 0.0, -2.0]), {"<b>": np.array([1.0, 2.0, 3.0])})


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_place_and_verdicts_stay(report, width):
    text = as_text(report, width)
    table = text.split("\n\n")[1].splitlines()
    assert all("wrong" in line or "verdict" in line for line in table)
    assert max(map(len, text.splitlines())) <= width


def test_text_says_what_is_wrong_first(report):
    text = str(report)
    assert text.startswith("f: the gradient is WRONG\n")
    assert text.index("at fault") < text.index("\ntrace")
    assert "\x1b" not in text
    assert repr(report) == text


def test_a_terminal_gets_colours_and_a_pipe_none(report):
    for terminal in (True, False):
        file = io.StringIO()
        Console(file=file, width=100, force_terminal=terminal, color_system="standard" if terminal else None).print(
            report
        )
        assert ("\x1b[" in file.getvalue()) is terminal
        assert "the gradient is WRONG" in file.getvalue()
        assert "at fault" in file.getvalue()


def test_a_notebook_gets_a_table_in_which_every_name_is_escaped(report):
    page = as_html(report)
    assert page == report._repr_html_()
    assert "<table>" in page
    assert "weights[&#x27;&lt;b&gt;&#x27;]" in page
    assert "<b>" not in page


def test_what_is_proved_is_one_line_for_each_argument():
    text = str(cr.check(f, np.array([1.0, 2.0]), {"<b>": np.ones(2)}))
    assert text.splitlines()[0] == "f: the gradient is proved"
    assert [line.split()[0] for line in text.split("\n\n")[1].splitlines()] == ["argument", "x", "weights['<b>']"]
    assert "spent" in text
