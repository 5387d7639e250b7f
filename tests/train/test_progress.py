"""A bar on a terminal, lines in a pipe, nothing when asked for nothing."""

import io

import pytest

from chainrule.train.history import Epoch
from chainrule.train.progress import Bar, Lines, progress_for


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, progress, epochs=30):
    with progress_for(progress, epochs, steps=2, stream=stream) as display:
        for number in range(1, epochs + 1):
            display.batch(1)
            display.batch(2)
            display.epoch(Epoch(number, 2, 1 / number, 0.5, 0.9), "accuracy")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("progress", "stream", "kind"),
    [
        (None, Terminal(), Bar),
        (True, Terminal(), Bar),
        (True, io.StringIO(), Lines),
    ],
)
def test_kinds(progress, stream, kind):
    assert type(progress_for(progress, 1, 1, stream)) is kind


@pytest.mark.parametrize(("progress", "stream"), [(False, Terminal()), (None, io.StringIO()), (False, io.StringIO())])
def test_silence(progress, stream):
    assert run(stream, progress) == ""


def test_lines_are_few_and_include_first_and_last():
    lines = run(io.StringIO(), True).splitlines()
    assert len(lines) == 11
    assert lines[0] == "epoch 1/30  loss 1  validation loss 0.5  accuracy 0.9000"
    assert lines[-1].startswith("epoch 30/30")


def test_the_bar_ends_with_the_last_epoch():
    text = run(Terminal(), True)
    assert "30/30" in text
    assert "accuracy 0.9000" in text


def test_the_bar_is_taken_down_after_an_error():
    stream = Terminal()
    with pytest.raises(ZeroDivisionError), progress_for(True, 3, 2, stream):
        raise ZeroDivisionError
    assert stream.getvalue()
