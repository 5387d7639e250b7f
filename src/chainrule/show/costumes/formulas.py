"""One formula of any kind in each of its costumes: text, LaTeX, MathML.

The one idea: every costume asks here, so a formula of arrays, of entries, or a fraction of ∂s is told apart once.
"""

from __future__ import annotations

from chainrule.errors import ArgumentError
from chainrule.index_form import IndexForm
from chainrule.matrix_form import MatrixForm, Symbol
from chainrule.show.costumes.box_latex import latex_of
from chainrule.show.costumes.box_text import text_of
from chainrule.show.costumes.boxes import Box
from chainrule.show.costumes.index_boxes import index_box
from chainrule.show.costumes.mathml import mathml_of
from chainrule.show.costumes.matrix_boxes import matrix_box
from chainrule.show.costumes.matrix_text import matrix_text, name_text
from chainrule.show.costumes.notation import Naming
from chainrule.show.document import Formula, Partial


def formula_box(formula: Formula | str, naming: Naming) -> Box:
    """A formula as boxes; a text is a name."""
    match formula:
        case MatrixForm():
            return matrix_box(formula, naming)
        case IndexForm():
            return index_box(formula, naming)
        case Partial(above=above, below=below):
            return naming.derivative(formula_box(above, naming), formula_box(below, naming))
        case str():
            return naming.symbol(formula)
    raise ArgumentError(f"{type(formula).__name__} is no formula")


def formula_text(formula: Formula | str, naming: Naming, *, unicode: bool = True) -> str:
    """A formula as one line of text."""
    if isinstance(formula, str):
        return name_text(formula, naming, unicode=unicode)
    if isinstance(formula, MatrixForm):
        return matrix_text(formula, naming, unicode=unicode)
    if isinstance(formula, Partial) and _is_name(formula.above) and _is_name(formula.below):
        above, below = (formula_text(part, naming, unicode=unicode) for part in (formula.above, formula.below))
        return f"∂{above}/∂{below}" if unicode else f"d{above}/d{below}"
    return text_of(formula_box(formula, naming), unicode=unicode)


def formula_latex(formula: Formula | str, naming: Naming) -> str:
    """A formula as LaTeX of one line."""
    return latex_of(formula_box(formula, naming))


def formula_mathml(formula: Formula | str, naming: Naming, *, display: bool = False) -> str:
    """A formula as a `<math>` element."""
    return mathml_of(formula_box(formula, naming), display=display)


def _is_name(formula: Formula | str) -> bool:
    return isinstance(formula, (str, Symbol))
