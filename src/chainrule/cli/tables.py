"""A table to train on: a CSV file with numbers and a target column, or a data set that scikit-learn bundles.

The one idea: whatever is wrong with a file is said once, with its column and its line, before anything is computed.

>>> read_csv("missing.csv", target="price")
Traceback (most recent call last):
    ...
chainrule.errors.DataError: there is no file missing.csv

Only the standard library and NumPy read files here; nothing is guessed about numbers (`3,5` is text), and nothing is
ever written.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.errors import ArgumentError, DataError

BUNDLED = {
    "digits": "classify",
    "breast_cancer": "classify",
    "wine": "classify",
    "iris": "classify",
    "diabetes": "regress",
}
TASKS = ("auto", "classify", "regress")
FEWEST_ROWS = 10
MOST_CLASSES = 20  # an integer target with at most so many values is taken as classes
MISSING = {"", "nan", "na", "n/a", "null", "?"}


@dataclass(frozen=True)
class Table:
    """Numbers to learn from, and what to learn.

    Attributes
    ----------
    name : str
    X : ndarray, shape (n_rows, n_columns), float64
    y : ndarray, shape (n_rows,)
        Class numbers (int64) to classify, amounts (float64) to regress.
    columns : tuple of str
    classes : tuple of str
        The class of each number; empty for amounts.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """What is to be done: "classify" or "regress"."""
        return "classify" if self.classes else "regress"


def load_table(source: str, target: str | None = None, task: str = "auto", ignore: Sequence[str] = ()) -> Table:
    """The table that `source` names: a bundled data set, or a CSV file with its target column.

    Raises
    ------
    DataError
        There is no such data set, file or column, or something in it cannot be trained on.
    """
    if task not in TASKS:
        raise ArgumentError(f"--task is {task!r}: choose one of {', '.join(TASKS)}")
    if source in BUNDLED and not Path(source).is_file():
        if target is not None or ignore:
            raise ArgumentError(f"{source} is a bundled data set: --target and --ignore are for CSV files")
        if task not in ("auto", BUNDLED[source]):
            raise ArgumentError(f"{source} is there to {BUNDLED[source]}, not to {task}")
        return load_bundled(source)
    if not source.endswith(".csv") and not Path(source).exists():
        hint = _suggest(source, BUNDLED)
        raise DataError(f"there is no data set {source!r}{hint}: give {', '.join(BUNDLED)} or the path of a CSV file")
    if target is None:
        raise ArgumentError(f"which column of {source} is to be learnt? Add --target COLUMN")
    return read_csv(source, target, task, ignore)


def load_bundled(name: str) -> Table:
    """One of the data sets that come with scikit-learn."""
    try:
        from sklearn import datasets
    except ImportError:
        raise DataError(
            f"{name} comes with scikit-learn, which is not installed: pip install 'chainrule[train]'"
        ) from None
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(**options)
    classify = BUNDLED[name] == "classify"
    return Table(
        name=name,
        X=np.asarray(bunch.data, dtype=np.float64),
        y=np.asarray(bunch.target, dtype=np.int64 if classify else np.float64),
        columns=tuple(map(str, bunch.feature_names)),
        classes=tuple(map(str, bunch.target_names)) if classify else (),
    )


def read_csv(path: str | Path, target: str, task: str = "auto", ignore: Sequence[str] = ()) -> Table:
    """A CSV file with a header row, numeric columns and one target column of numbers or text.

    Parameters
    ----------
    path : path
        UTF-8, with or without a byte order mark; separated by commas, semicolons or tabs.
    target : str
        The column to learn. Text, or at most 20 different whole numbers, is taken as classes.
    task : str
        "classify" or "regress" decides instead.
    ignore : sequence of str
        Columns to leave out.
    """
    path = Path(path)
    header, lines, rows = _read_rows(path)
    _require_header(path, header)
    _require_columns(path, header, [target, *ignore])
    kept = [i for i, name in enumerate(header) if name != target and name not in ignore]
    if target in ignore:
        raise ArgumentError(f"{target} is the target: it cannot be ignored")
    if not kept:
        raise DataError(f"{path.name} has no column to learn from besides the target {target}")
    if len(rows) < FEWEST_ROWS:
        raise DataError(f"{path.name} has {len(rows)} rows of data: give at least {FEWEST_ROWS}")
    X = np.array([_numbers(path, header[i], lines, (row[i] for row in rows)) for i in kept]).T
    y, classes = _target(path, target, lines, [row[header.index(target)].strip() for row in rows], task)
    return Table(path.stem, np.ascontiguousarray(X), y, tuple(header[i] for i in kept), classes)


def _read_rows(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """Header, line number of each row, and rows of cells."""
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a CSV file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path.name}, line {line}: not UTF-8 text; save the file as CSV in UTF-8") from None
    if not text.strip():
        raise DataError(f"{path.name} is empty")
    first = text.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    lines, rows = [], []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue  # an empty line, often the last one
            if not header:
                header = [cell.strip() for cell in row]
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{path.name}, line {reader.line_num}: {len(row)} values, but the header names {len(header)} columns"
                )
            lines.append(reader.line_num)
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: not CSV: {error}") from None
    return header, lines, rows


def _require_header(path: Path, header: list[str]) -> None:
    if all(_number(cell) is not None for cell in header):
        raise DataError(f"{path.name}, line 1: numbers where the columns' names should be; add a header row")
    for position, name in enumerate(header):
        if not name:
            raise DataError(
                f"{path.name}, line 1: column {position + 1} has no name. Is it a row number? Leave it out "
                "(pandas: to_csv(index=False)), for a network learns from it"
            )
        if name in header[:position]:
            raise DataError(f"{path.name}, line 1: two columns are called {name!r}")


def _require_columns(path: Path, header: list[str], wanted: Iterable[str]) -> None:
    for name in wanted:
        if name not in header:
            shown = ", ".join(header[:12]) + (", ..." if len(header) > 12 else "")
            raise DataError(f"{path.name} has no column {name!r}{_suggest(name, header)}; its columns are {shown}")


def _suggest(name: str, choices: Iterable[str]) -> str:
    """A question that names what is spelled alike, or nothing."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f", did you mean {by_lower[close[0]]!r}?" if close else ""


def _number(cell: str) -> float | None:
    """The number a cell spells, or None; `1_000` is Python's spelling, not a table's."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _numbers(path: Path, column: str, lines: list[int], cells: Iterable[str]) -> np.ndarray:
    """A numeric column; the first cell that is no finite number is named."""
    values = []
    for line, cell in zip(lines, cells, strict=True):
        value = _number(cell)
        if value is None or not math.isfinite(value):
            what = "is empty" if not cell.strip() else f"holds {cell.strip()!r}"
            advice = (
                "Drop the row or fill the value in"
                if value is not None or cell.strip().lower() in MISSING
                else f"Every column but the target must be numeric: leave it out with --ignore {column!r}, or number it"
            )
            raise DataError(f"{path.name}, line {line}: column {column!r} {what}. {advice}")
        values.append(value)
    return np.array(values)


def _target(
    path: Path, column: str, lines: list[int], cells: list[str], task: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The target as class numbers and class names, or as amounts."""
    for line, cell in zip(lines, cells, strict=True):
        if cell.lower() in MISSING:
            raise DataError(f"{path.name}, line {line}: the target {column!r} is missing. Drop the row")
    numeric = all(_number(cell) is not None for cell in cells)
    if task == "regress" or (task == "auto" and numeric and not _few_whole_numbers(cells)):
        values = _numbers(path, column, lines, cells)
        if np.all(values == values[0]):
            raise DataError(f"{path.name}: the target {column!r} is {values[0]:g} in every row: nothing to learn")
        return values, ()
    spelled = {cell: float(cell) if numeric else cell for cell in cells}
    names = sorted(set(spelled.values()))  # 10 after 9, not after 1
    if len(names) == 1:
        raise DataError(f"{path.name}: the target {column!r} is {cells[0]!r} in every row: two classes are needed")
    if len(names) > len(cells) // 2:
        raise DataError(
            f"{path.name}: the target {column!r} has {len(names)} different values in {len(cells)} rows: too many to be "
            "classes. " + ("Add --task regress" if numeric else "Is it an identifier?")
        )
    number_of = {name: i for i, name in enumerate(names)}
    y = np.array([number_of[spelled[cell]] for cell in cells], dtype=np.int64)
    return y, tuple(str(int(c)) if isinstance(c, float) and c.is_integer() else str(c) for c in names)


def _few_whole_numbers(cells: list[str]) -> bool:
    distinct = {float(cell) for cell in cells}
    return len(distinct) <= min(MOST_CLASSES, len(cells) // 2) and all(value.is_integer() for value in distinct)
