"""A Jacobian as a picture: a matrix, and beside it the same numbers on edges.

The one idea: `J[i, j]` is the derivative of output i by input j, so it belongs to the edge between them. Column j collects
the edges that, walked backward, lead into input j; row i those that lead out of output i. Where an entry is 0 there is no edge.

    jacobian_svg(J, rows=("s_1", "s_2"), columns=("z_1", "z_2"), column=1)

A name such as `z^2_1` is drawn with its superscript and subscript.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.show.pictures.svg import BACKWARD, MARGIN, Sheet, number_text, shortened
from chainrule.show.pictures.units import (
    FAN,
    NUMBERED,
    PITCH,
    PORT,
    RADIUS,
    chosen,
    draw_matrix,
    number_on_wire,
    run_length,
    unit,
    write_names,
)


def jacobian_svg(
    matrix: Any,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    *,
    column: int | None = None,
    title: str = "",
) -> str:
    """A small Jacobian as edges between its inputs (left) and outputs (right), beside its matrix.

    Parameters
    ----------
    matrix : array, shape (outputs, inputs)
    rows, columns : sequence of str, optional
        The names of the outputs and of the inputs; y_1, ... and x_1, ... by default.
    column : int, optional
        The input whose edges, and column, are set off; counted from 0.
    title : str

    Returns
    -------
    str
        One `<svg>` element. Of more than twelve rows or columns the first ones and the last one are shown.

    Raises
    ------
    ArgumentError
        If the matrix has not two axes, or names or column do not fit it.

    Examples
    --------
    The softmax of three logits; its Jacobian has an edge between each of them and each output:

    >>> s = np.array([0.7, 0.2, 0.1])
    >>> picture = jacobian_svg(np.diag(s) - np.outer(s, s), rows=("s_1", "s_2", "s_3"), columns=("z_1", "z_2", "z_3"))
    >>> picture.count('class="edge"')
    9
    """
    values = checked_matrix(matrix, rows, columns, column)
    rows = tuple(rows) or tuple(f"y_{i + 1}" for i in range(values.shape[0]))
    columns = tuple(columns) or tuple(f"x_{j + 1}" for j in range(values.shape[1]))
    sheet = Sheet(title or "A Jacobian", _in_words(values, rows, columns, column))
    top = MARGIN
    if title:
        sheet.text(MARGIN, top + 14, shortened(title, 80), "head")
        top += 34
    outs, ins = chosen(len(rows)), chosen(len(columns))
    numbered = max(values.shape) <= NUMBERED
    pitch_in = max(PITCH, len(outs) * PORT + 6 if numbered else 0.0)
    height = max(len(ins) * pitch_in, len(outs) * PITCH)
    run = run_length(values.ravel()) if numbered else FAN
    left = MARGIN + RADIUS
    right = left + 2 * RADIUS + 16 + run + FAN
    middle = top + height / 2
    ys_in, ys_out = (
        [middle + (place - (len(slots) - 1) / 2) * pitch for place in range(len(slots))]
        for slots, pitch in ((ins, pitch_in), (outs, PITCH))
    )
    order = sorted(range(len(ins)), key=lambda place: ins[place] == column)  # what is set off lies on top
    for place in order:
        j = ins[place]
        for port, (i, y) in enumerate(zip(outs, ys_out, strict=True)):
            if i is None or j is None or values[i, j] == 0:
                continue
            off = ys_in[place] + (port - (len(outs) - 1) / 2) * PORT
            start = left + RADIUS
            ends = [(right - RADIUS, y), (start + 16 + run, off), (start + 16, off), (start, ys_in[place])]
            ends = ends if numbered else [ends[0], ends[-1]]
            bold = "thick" if column is not None and j == column else ""
            sheet.open_group(
                "edge", f"∂{rows[i]}/∂{columns[j]} = {float(values[i, j])!r}", source=columns[j], target=rows[i]
            )
            sheet.wire(ends, BACKWARD, bold)
            if numbered:
                number_on_wire(sheet, start + 16 + run / 2, off, values[i, j])
            sheet.close_group()
    for slots, ys, x, names, kind in ((ins, ys_in, left, columns, "in"), (outs, ys_out, right, rows, "out")):
        for slot, y in zip(slots, ys, strict=True):
            unit(sheet, x, y, names[slot] if slot is not None else None, kind)
    x = right + RADIUS + 40
    bottom = draw_matrix(sheet, x, middle, values, rows, columns, column)
    y = max(bottom, top + height) + 24
    sheet.text(MARGIN, y, "Row: output. Column: input. An entry belongs to the edge between them.", "note", "q")
    if column is not None:
        sentence = f"Column {columns[column]} collects the edges that, walked backward, lead into {columns[column]}"
        write_names(sheet, MARGIN, y + 18, sentence, "tb")
    return sheet.svg()


def checked_matrix(matrix: Any, rows: Sequence[str], columns: Sequence[str], column: int | None) -> np.ndarray:
    """The matrix as an array of floats that the names and the column fit."""
    values = np.asarray(matrix, dtype=float)
    if values.ndim != 2 or not values.size:
        raise ArgumentError(f"a Jacobian has rows and columns, this one has shape {values.shape}; reshape it first")
    for what, names, size in (("rows", rows, values.shape[0]), ("columns", columns, values.shape[1])):
        if names and len(names) != size:
            raise ArgumentError(f"{len(names)} names for {size} {what} of the Jacobian: give one name for each")
    if column is not None and not 0 <= column < values.shape[1]:
        raise ArgumentError(f"column is {column}; the Jacobian has the columns 0 to {values.shape[1] - 1}")
    return values


def _in_words(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], column: int | None) -> str:
    words = f"The Jacobian of {len(rows)} outputs by {len(columns)} inputs as a matrix and as edges between them."
    if column is None:
        return words
    entries = ", ".join(
        f"{number_text(float(values[i, column]))} from {rows[i]}" for i in chosen(len(rows)) if i is not None
    )
    return f"{words} Into {columns[column]} lead, walked backward: {entries}."
