"""The record of a training: columns, JSON and a table."""

import json

from chainrule.train.history import Epoch, History


def history(epochs, **last):
    table = History(metric="accuracy")
    for number in range(1, epochs + 1):
        table.append(Epoch(number, 4, 1 / number, 2 / number, 1 - 1 / number, 0.5))
    if last:
        table.append(Epoch(epochs + 1, 4, **last))
    return table


def test_columns():
    table = history(2)
    assert table.train_loss == [1.0, 0.5]
    assert table.validation_loss == [2.0, 1.0]
    assert table.validation_metric == [0.0, 0.5]
    assert table.seconds == 1.0
    assert (len(table), table[-1].number, [epoch.number for epoch in table]) == (2, 2, [1, 2])


def test_json_has_no_word_for_infinity():
    text = json.dumps(history(1, train_loss=0.5, validation_loss=float("inf")).to_dict(), allow_nan=False)
    assert json.loads(text)["epochs"][1]["validation_loss"] is None
    assert json.loads(text)["metric"] == "accuracy"


def test_table_of_a_short_training_is_whole():
    assert repr(history(3)).splitlines() == [
        "epoch  train loss  validation loss    accuracy  seconds",
        "    1           1                2           0    0.500",
        "    2         0.5                1         0.5    0.500",
        "    3      0.3333           0.6667      0.6667    0.500",
    ]


def test_table_of_a_long_training_leaves_the_middle_out():
    lines = repr(history(100)).splitlines()
    assert len(lines) == 12
    assert lines[6].strip() == "..."
    assert lines[-1].split()[0] == "100"


def test_table_without_validation():
    table = History()
    table.append(Epoch(1, 4, 0.25, seconds=0.1))
    assert repr(table).splitlines()[1].split() == ["1", "0.25", "0.100"]
