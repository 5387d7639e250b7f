"""Numbers of a matrix and lines of a listing as text, the same in every costume.

The one idea: what is too much is cut in the middle, with dots in its place, and the last row and column are kept.

>>> matrix_cells(np.arange(8.0).reshape(2, 4), (), ("a", "b", "c", "d"), 9, 3)
([], ['a', '…', 'd'], [['0', '…', '3'], ['4', '…', '7']])
"""

from __future__ import annotations

from typing import Any

import numpy as np


def code_lines(text: str) -> list[str]:
    """The lines of a listing, without empty ones at its ends."""
    return text.expandtabs().strip("\n").split("\n")


def matrix_cells(
    values: np.ndarray, rows: tuple[str, ...], columns: tuple[str, ...], most_rows: int, most_columns: int
) -> tuple[list[str], list[str], list[list[str]]]:
    """Row names, column names and numbers as text; what is too much is left out, with dots in its place."""
    grid = np.atleast_2d(np.asarray(values))
    if grid.size == 0:
        return [], [], [["–"]]
    grid = grid.reshape(-1, grid.shape[-1])  # of a stack, the matrices below each other
    across, down = _kept(grid.shape[1], most_columns), _kept(grid.shape[0], most_rows)

    def pick(names: tuple[str, ...], kept: list[int | None], dots: str) -> list[str]:
        return [dots if k is None else names[k] if k < len(names) else "" for k in kept] if names else []

    body = [
        [("⋱" if c is None else "⋮") if r is None else "…" if c is None else number_cell(grid[r, c]) for c in across]
        for r in down
    ]
    return pick(rows, down, "⋮"), pick(columns, across, "…"), body


def _kept(count: int, most: int) -> list[int | None]:
    """The positions that are shown; None stands for dots."""
    return list(range(count)) if count <= most else [*range(most - 2), None, count - 1]


def number_cell(value: Any) -> str:
    """A number with four digits that count."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    text = f"{float(value):.4g}" if np.isrealobj(value) else str(value)
    return "0" if text == "-0" else text
